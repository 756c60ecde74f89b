// Packets of the engine tests: built by the packet room, addressed like
// docs/contracts/flows.md#worked-example.
#pragma once

#include "nfqws2/packet/reconstruct.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::engine::test {

using Buffer = std::vector<std::uint8_t>;

inline Buffer copy_of(Bytes data) {
    return {data.begin(), data.end()};
}
inline Buffer text(std::string_view s) {
    return {s.begin(), s.end()};
}
inline Buffer joined(Bytes a, Bytes b) {
    Buffer all = copy_of(a);
    all.insert(all.end(), b.begin(), b.end());
    return all;
}

// Of a browser, shortened.
inline Buffer request(const std::string& host) {
    return text("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
}

struct Peer {
    const char* address;
    std::uint16_t port = 0;
};
inline constexpr Peer client4{"10.1.0.1", 1111}, server4{"10.2.0.1", 443};
inline constexpr Peer client6{"fd00::1", 1111}, server6{"fd00::2", 443};

struct Tcp {
    std::uint32_t seq = 0, ack = 0;
    std::uint8_t flags = packet::tcp_flag::ack;
    std::uint16_t window = 64240;
    std::uint16_t mss = 0; // 0 = no option
    int scale = -1;        // -1 = no option
    std::uint8_t ttl = 64;
};

Buffer tcp(const Peer& from, const Peer& to, const Tcp& fields, Bytes payload = {});
Buffer udp(const Peer& from, const Peer& to, Bytes payload, std::uint8_t ttl = 64);
// `data` is bytes 4..7 of the header.
Buffer icmp(const Peer& from, const Peer& to, std::uint8_t type, std::uint8_t code, Bytes payload,
            std::uint32_t data = 0);
Buffer raw_ip(const Peer& from, const Peer& to, std::uint8_t protocol, Bytes payload);
// The first fragment of an IPv4 packet.
Buffer first_fragment(Bytes whole, std::size_t payload_size);

inline Buffer udp(const Peer& from, const Peer& to, std::string_view payload) {
    return udp(from, to, as_bytes(payload));
}

// One TCP connection; sequence numbers follow what was sent.
class TcpFlow {
  public:
    explicit TcpFlow(Peer client = client4, Peer server = server4)
        : client_(client), server_(server) {}

    std::uint32_t client_isn = 1000, server_isn = 5000;
    std::uint16_t client_window = 64240, server_window = 65535;
    std::uint8_t server_ttl = 57;

    Buffer syn() const;
    Buffer syn_ack() const;
    Buffer ack() const { return from_client({}, 0); }
    // Data from the client, `offset` bytes behind the first data byte.
    Buffer from_client(Bytes payload, std::uint32_t offset,
                       std::uint8_t flags = packet::tcp_flag::ack | packet::tcp_flag::psh) const;
    Buffer from_server(Bytes payload, std::uint32_t offset,
                       std::uint8_t flags = packet::tcp_flag::ack | packet::tcp_flag::psh) const;

  private:
    Peer client_, server_;
};

} // namespace nfqws2::engine::test
