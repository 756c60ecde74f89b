// Whether the source of a TCP packet is real: the action `tcpauth`. It judges one packet, may ask
// for an answer to be sent, and remembers authenticated sources (32 bytes each). The methods
// `synack` and `hs` keep nothing before success: what would have to be remembered comes back in a
// cookie, so spoofed floods cost no memory.
//
// Times are nanoseconds of the packets' clock. check() is safe for any thread if the table was set
// up as shared; AnswerLimit and Random belong to the worker.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/rules/state/table_setup.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace nfqws2::rules {

enum class AuthMethod : std::uint8_t { none, synack, hs, greylist };
// "none", "synack", "hs", "greylist".
std::optional<AuthMethod> auth_method(std::string_view word);

struct AuthParameters {
    AuthMethod syn = AuthMethod::none;
    AuthMethod syn_ack = AuthMethod::none; // not synack
    std::int64_t timeout_ns = 5'000'000'000;
    std::int64_t window_ns = 300'000'000'000;
    bool strict = false; // any other TCP packet of an unknown source is invalid too

    // 800 ms with greylist as one of the methods, else 5 s.
    static std::int64_t default_timeout_ns(AuthMethod syn, AuthMethod syn_ack);
    bool operator==(const AuthParameters&) const = default;
};

namespace tcp_flag {
inline constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
}

// What the action looks at.
struct AuthPacket {
    IpAddress source, destination;
    std::uint16_t source_port = 0, destination_port = 0;
    std::uint32_t seq = 0, ack = 0;
    std::uint8_t flags = 0;
    bool fragment = false; // a first one; later ones have no TCP header and are not judged
};

// A segment without payload to send through the raw sender with the desync mark.
struct AuthAnswer {
    enum class Kind : std::uint8_t { none, syn_ack, ack, rst };
    Kind kind = Kind::none;
    IpAddress source, destination;
    std::uint16_t source_port = 0, destination_port = 0;
    std::uint32_t seq = 0, ack = 0; // ack 0 where the flag is not set
    std::uint8_t flags = 0;
    std::uint16_t window = 0;
    std::uint16_t mss = 0; // 0: no options
};

enum class AuthVerdict : std::uint8_t { unchanged, valid, invalid };

struct AuthDecision {
    AuthVerdict verdict = AuthVerdict::unchanged; // for the register; the packet is not dropped
    AuthAnswer answer;
};

// At most 100,000 answers a second and worker.
class AnswerLimit {
  public:
    static constexpr std::uint32_t per_second = 100'000;
    bool take(std::int64_t now_ns);

  private:
    std::int64_t second_ = -1;
    std::uint32_t sent_ = 0;
};

struct SourceEntry; // 32 bytes

class TcpAuth {
  public:
    explicit TcpAuth(const TableSetup& setup); // throws std::bad_alloc
    ~TcpAuth();
    TcpAuth(const TcpAuth&) = delete;
    TcpAuth& operator=(const TcpAuth&) = delete;

    // Called before check() when rules with this id are put in force: how long its sources are kept
    // when others need room. Sources survive it.
    void configure(std::uint8_t id, const AuthParameters& parameters);

    // Only for TCP packets. `random` gives the sequence numbers that mean nothing.
    AuthDecision check(std::uint8_t id, const AuthParameters& parameters, const AuthPacket& packet,
                       std::int64_t now_ns, Random& random, AnswerLimit& limit);

    struct Counts {
        std::uint64_t sources = 0;    // authenticated or noted, as they stand in the table
        std::uint64_t challenged = 0; // answers asked for
        std::uint64_t passed = 0;     // authentications
    };
    Counts counts(std::uint8_t id) const;
    std::uint64_t limited() const { return limited_.load(std::memory_order_relaxed); }
    TableCounts table_counts() const; // sources and noted SYNs
    void set_limit(std::size_t sources);

  private:
    class Sources;
    class Judge;

    SipKey key_;
    unsigned source_bits_;
    std::unique_ptr<Sources> sources_; // authenticated and grey
    std::unique_ptr<Sources> syns_;    // connections begun, for syn_ack = hs
    struct alignas(64) PerId {
        std::atomic<std::int64_t> timeout_ns{0}, window_ns{0};
        std::atomic<std::uint64_t> sources{0}, challenged{0}, passed{0};
    };
    PerId& of(std::uint8_t id) const { return (*ids_)[id]; }
    std::int64_t left_ns(const SourceEntry& entry, std::int64_t now_ns) const;

    std::unique_ptr<std::array<PerId, 256>> ids_;
    std::atomic<std::uint64_t> limited_{0};
};

} // namespace nfqws2::rules
