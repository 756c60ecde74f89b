// A line of the daemon's trace (docs/contracts/command-line.md, "Trace"), as far as a ladder shows
// it. Traces come from files of any origin: what is missing or of another kind is taken as not
// said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::ctl {

// Bytes [from, to).
struct Range {
    std::int64_t from = 0, to = 0;
    std::int64_t size() const { return to - from; }
    bool operator==(const Range&) const = default;
};

// Positions are relative to the beginning of the stream, as those of the trace; 0 for what is not
// TCP.
struct SentPacket {
    enum class Kind : std::uint8_t { original, modified, generated };
    Kind kind = Kind::original;
    std::string source, target; // "10.0.0.1:1025"
    std::string flags;          // of TCP, else "udp", "icmp"
    std::int64_t seq = 0, dlen = 0;
    std::optional<std::int64_t> ack, ttl, fragment;
    std::string extensions; // names of IPv6 headers, divided by commas
    bool bad_checksum = false, signature = false;
    std::optional<Range> host_at, foreign; // counted from its first byte
    Range data() const { return {seq, seq + dlen}; }
};

struct InstanceCall {
    std::string name, verdict, error;
    std::int64_t sent = 0, microseconds = 0;
};

struct TraceEvent {
    std::optional<std::int64_t> number; // none: what timers sent
    std::int64_t worker = 0, flow = -1; // -1: none
    double seconds = 0;
    bool incoming = false;
    std::string source, target, l4, flags, payload, protocol, host, profile, note, error, verdict;
    std::int64_t size = 0, seq = 0, dlen = 0;
    std::optional<Range> host_at; // counted from the first byte of this packet
    std::vector<InstanceCall> calls;
    std::int64_t piece = 0, pieces = 0; // of a replay, 0 if it is none
    bool held = false;
    std::vector<SentPacket> out;
    std::int64_t omitted = 0; // of `out`
    Range data() const { return {seq, seq + dlen}; }
};

// Longer lines are none of a trace: a line lists at most 1000 packets.
inline constexpr std::size_t max_trace_line = 1 << 20;

std::optional<TraceEvent> parse_trace_line(std::string_view line);

} // namespace nfqws2::ctl
