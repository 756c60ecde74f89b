#include "ladder/trace_event.hpp"

#include "json.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <charconv>

namespace nfqws2::ctl {
namespace {

// Positions far out of any stream would overflow what is computed of them.
std::int64_t position(std::int64_t value) {
    constexpr std::int64_t most = std::int64_t{1} << 32;
    return std::clamp(value, -most, most);
}

std::optional<Range> range_of(const Json& object, const char* key) {
    const Json& value = member(object, key);
    if (!value.is_array() || value.size() != 2) return std::nullopt;
    const Range range{position(integer_of(value[0]).value_or(0)),
                      position(integer_of(value[1]).value_or(0))};
    if (range.from >= range.to) return std::nullopt;
    return range;
}

std::optional<std::int64_t> number_of(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return position(value);
}

// "10.1.0.1:1111>10.2.0.1:443 PA seq=1 ack=1 dlen=33 ttl=3 ext=hopopts md5 bad-checksum"
void read_info(std::string_view info, SentPacket& packet) {
    bool first = true;
    for (const std::string_view word : split(info, ' ')) {
        const std::size_t arrow = word.find('>'), equals = word.find('=');
        if (first && arrow != std::string_view::npos) {
            packet.source = word.substr(0, arrow);
            packet.target = word.substr(arrow + 1);
        } else if (equals != std::string_view::npos) {
            const std::string_view key = word.substr(0, equals);
            if (key == "ext") packet.extensions = word.substr(equals + 1);
            const auto value = number_of(word.substr(equals + 1));
            if (!value) continue;
            if (key == "seq") packet.seq = *value;
            if (key == "dlen") packet.dlen = std::max<std::int64_t>(*value, 0);
            if (key == "ack") packet.ack = value;
            if (key == "ttl") packet.ttl = value;
            if (key == "frag") packet.fragment = value;
        } else if (word == "bad-checksum" || word == "bad-ip-checksum") {
            packet.bad_checksum = true;
        } else if (word == "md5") {
            packet.signature = true;
        } else if (packet.flags.empty()) {
            packet.flags = word;
        }
        first = false;
    }
}

SentPacket sent_packet(const Json& object) {
    SentPacket packet;
    const std::string kind = text_of(member(object, "kind"));
    if (kind == "modified") packet.kind = SentPacket::Kind::modified;
    if (kind == "generated") packet.kind = SentPacket::Kind::generated;
    read_info(text_of(member(object, "info")), packet);
    packet.host_at = range_of(object, "host_at");
    packet.foreign = range_of(object, "foreign");
    return packet;
}

InstanceCall instance_call(const Json& object) {
    InstanceCall call;
    call.name = text_of(member(object, "func"));
    call.verdict = text_of(member(object, "verdict"));
    call.error = text_of(member(object, "error"));
    call.sent = integer_of(member(object, "sent")).value_or(0);
    call.microseconds = integer_of(member(object, "us")).value_or(0);
    return call;
}

std::string profile_text(const Json& profile) {
    if (!profile.is_object()) return {};
    const std::string name = text_of(member(profile, "name"));
    return name.empty() ? std::to_string(integer_of(member(profile, "n")).value_or(0)) : name;
}

// Relative to the start of the stream if that is known; sequence numbers go around.
std::int64_t stream_position(const Json& tcp) {
    const auto relative = integer_of(member(tcp, "rseq"));
    if (relative) return static_cast<std::int32_t>(static_cast<std::uint32_t>(*relative));
    return static_cast<std::uint32_t>(integer_of(member(tcp, "seq")).value_or(0));
}

void read_packet(const Json& line, TraceEvent& event) {
    event.incoming = text_of(member(line, "dir")) == "in";
    event.source = text_of(member(line, "src"));
    event.target = text_of(member(line, "dst"));
    event.l4 = text_of(member(line, "l4"));
    event.payload = text_of(member(line, "payload"));
    event.protocol = text_of(member(line, "l7"));
    event.host = text_of(member(line, "host"));
    event.host_at = range_of(line, "host_at");
    event.size = position(integer_of(member(line, "len")).value_or(0));
    event.dlen = std::max<std::int64_t>(position(integer_of(member(line, "dlen")).value_or(0)), 0);
    const Json& tcp = member(line, "tcp");
    if (!tcp.is_object()) return;
    event.flags = text_of(member(tcp, "flags"));
    event.seq = stream_position(tcp);
}

} // namespace

std::optional<TraceEvent> parse_trace_line(std::string_view text) {
    const std::optional<Json> parsed = parse_object(text, max_trace_line);
    if (!parsed) return std::nullopt;
    // As the control socket sends it, or as it is in a file.
    const Json& line = member(*parsed, "trace").is_object() ? (*parsed)["trace"] : *parsed;
    // Anything else is no line of a trace, for example an answer of the daemon.
    if (!line.contains("out") || !line.contains("t")) return std::nullopt;
    TraceEvent event;
    event.number = integer_of(member(line, "n"));
    event.worker = integer_of(member(line, "worker")).value_or(0);
    event.flow = integer_of(member(line, "flow")).value_or(-1);
    event.seconds = std::clamp(real_of(member(line, "t")).value_or(0), 0.0, 1e9);
    read_packet(line, event);
    event.profile = profile_text(member(line, "profile"));
    for (const Json& instance : elements(member(line, "instances")))
        if (member(instance, "called") == true || member(instance, "error").is_string())
            event.calls.push_back(instance_call(instance));
    const Json& replay = member(line, "replay");
    event.piece = integer_of(member(replay, "piece")).value_or(0);
    event.pieces = integer_of(member(replay, "of")).value_or(0);
    event.held = member(line, "held") == true;
    event.note = text_of(member(line, "note"));
    event.error = text_of(member(line, "error"));
    event.verdict = text_of(member(line, "verdict"));
    for (const Json& packet : elements(member(line, "out")))
        event.out.push_back(sent_packet(packet));
    event.omitted = std::max<std::int64_t>(integer_of(member(line, "out_omitted")).value_or(0), 0);
    return event;
}

} // namespace nfqws2::ctl
