// The only doors to the outside: where packets come from, where verdicts and new packets go.
// Everything between them is the same code live (NFQUEUE, raw sockets) and offline (capture files).
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/packet/connection.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::capture {

// Of a frame, as of Ethernet: destination, source, type.
struct LinkHeader {
    static constexpr std::size_t size = 14;
    std::array<std::uint8_t, size> bytes{};
    bool known = false;

    Bytes view() const { return known ? Bytes(bytes) : Bytes(); }
};

// All that stands in front of the IP packet in a frame, as on Ethernet: header, VLAN tags, PPPoE,
// MPLS labels. More than fits is not known at all.
struct LinkLayers {
    static constexpr std::size_t most = 128;
    std::array<std::uint8_t, most> bytes{};
    std::size_t size = 0;

    Bytes view() const { return Bytes(bytes).first(size); }
    void add(Bytes more) {
        if (size + more.size() > most) return;
        std::copy(more.begin(), more.end(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        size += more.size();
    }
};

struct InputPacket {
    Bytes data;  // as received, may be anything
    Bytes frame; // a LinkHeader's bytes, empty if there is none; see wants_frames()
    Bytes link;  // LinkLayers' bytes, likewise: of captured frames, and of queues on a bridge
    std::uint32_t id = 0;
    std::uint32_t mark = 0;
    std::uint32_t ifin_index = 0, ifout_index = 0;
    std::string_view ifin, ifout; // empty = not known; valid during the call
    Bytes ct; // NFQA_CT: its connection, if the kernel was asked for it and there is one
    std::optional<std::uint32_t> ct_info; // NFQA_CT_INFO, likewise
    bool merged = false;                  // several packets of one flow in a large one (GSO, GRO)
};

enum class Action : std::uint8_t {
    accept,
    modify,
    drop,
    split, // merged packets only: hand me the packets it stands for, one by one
};

struct Verdict {
    Action action = Action::accept;
    Bytes data; // modify: the new packet; valid until the handler is called again
    // accept: no packet of this connection needs to be shown any more.
    bool finished = false;
    // What becomes of the packet's connection with it; valid likewise. nullptr: nothing.
    const packet::CtChanges* ct = nullptr;
    std::optional<std::uint32_t> mark =
        std::nullopt; // what the packet leaves with instead of its own
};

class PacketHandler {
  public:
    virtual ~PacketHandler() = default;
    virtual Verdict on_packet(const InputPacket& packet) = 0;
    // Whether anybody looks at InputPacket::frame or link.
    virtual bool wants_frames() const { return false; }
};

struct OutputPacket {
    Bytes data;             // must look like IPv4 or IPv6 (packet::looks_like_*)
    std::uint32_t mark = 0; // complete mark, the caller has or-ed the desync mark
    std::string_view ifout; // used only with bind-fix
    unsigned repeats = 1;
};

// Raw sending (docs/contracts/wire.md#raw-sending). Order on the wire is kept: a live sender first
// flushes the verdicts that its source still holds back.
class PacketSender {
  public:
    virtual ~PacketSender() = default;
    // False after the first failure (logged, rate-limited per kind).
    virtual bool send(const OutputPacket& packet) = 0;
};

struct InterfaceAddress {
    IpAddress address, netmask, broadcast, destination; // empty() when absent
};
struct Interface {
    std::string name;
    std::optional<unsigned> index, mtu;
    unsigned flags = 0;
    std::string ssid;
    std::vector<InterfaceAddress> addresses;
};

// What Lua may ask about the machine (docs/contracts/wire.md#the-machines-network).
class NetworkInfo {
  public:
    virtual ~NetworkInfo() = default;
    virtual IpAddress source_for(const IpAddress& target) = 0; // empty() = no route
    virtual std::optional<std::vector<Interface>> interfaces() = 0;
};

} // namespace nfqws2::capture
