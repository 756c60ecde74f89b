// The outside world of a fuzzed engine: nothing leaves, everything is checked.
#pragma once

#include "nfqws2/capture/packet_io.hpp"

#include <cstdlib>

namespace nfqws2::fuzz {

inline void require(bool condition) {
    if (!condition) std::abort();
}

class NoDoor final : public capture::PacketSender, public capture::NetworkInfo {
  public:
    bool send(const capture::OutputPacket& packet) override {
        require(!packet.data.empty() && packet.data.size() <= 65536);
        return true;
    }
    IpAddress source_for(const IpAddress& target) override { return target; }
    std::optional<std::vector<capture::Interface>> interfaces() override {
        capture::Interface interface;
        interface.name = "eth0";
        interface.index = 2;
        interface.mtu = 1500;
        return std::vector{interface};
    }
};

} // namespace nfqws2::fuzz
