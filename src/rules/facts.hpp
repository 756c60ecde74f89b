// What is known of one packet, each thing found out when a test asks for it first.
#pragma once

#include "in_force.hpp"
#include "layers.hpp"

namespace nfqws2::rules {

// The registers of a packet: empty at the start, they live across chains.
struct Registers {
    Algorithm algorithm = Algorithm::none;
    std::uint8_t value = 0; // outcome, cooldown beside another
    std::uint32_t mark = 0;
    bool capture = false, exporting = false;
    bool shallow = false;
};

class Facts {
  public:
    Facts(Tables& tables) : tables_(tables) {}

    // Lets go of the databases before.
    void use(const InForce& rules) {
        rules_ = &rules;
        geo_ = GeoCache();
    }
    // Of a new packet, or of the same after its bytes were changed.
    void begin(const Subject& subject);
    void change(Bytes packet);
    void use_view(std::uint32_t view);

    bool holds(const Test& test);
    bool all_hold(Slice tests);

    // nullopt: not TCP, UDP or SCTP.
    std::optional<std::uint16_t> port(End end) const;
    const IpAddress& address(End end, bool inner) const;
    BucketKey bucket_key(std::uint64_t fields) const;
    MarkKey mark_key(MarkKind kind, std::uint8_t id) const;
    Mark mark(MarkKind kind, std::uint8_t id);
    void forget_marks() { marks_.clear(); }
    std::string country(End end); // "" if unknown

    const Subject& subject() const { return subject_; }
    const Layers& layers() const { return layers_; }
    Registers registers;

  private:
    struct Options {
        std::uint16_t kinds = 0; // bits
        std::optional<std::uint16_t> mss;
        std::optional<std::uint8_t> window_scale;
    };
    enum class Way : std::uint8_t { unknown, none, in, out };
    // nullopt: not to be had, so neither the test holds nor the same turned round.
    using Answer = std::optional<bool>;

    bool check(const test::Address& test) const;
    bool check(const test::Port& test) const;
    bool check(const test::Protocol& test) const;
    bool check(const test::Ttl& test) const;
    bool check(const test::Length& test) const;
    bool check(const test::Fragment& test) const;
    bool check(const test::Flags& test) const;
    bool check(const test::Options& test);
    bool check(const test::Mss& test);
    bool check(const test::WindowScale& test);
    bool check(const test::Icmp& test) const;
    bool check(const test::Spi& test) const;
    bool check(const test::Set& test);
    bool check(const test::Geo& test);
    bool check(const test::Mark& test);
    bool check(const test::LocalMark& test) const;
    bool check(const test::Verdict& test) const;
    bool check(const test::Sequence& test) const;
    bool check(const test::Direction& test);
    bool check(const test::Interface& test) const;
    bool check(const test::FirewallMark& test) const;
    Answer check(const test::ConnectionState& test) const;
    Answer check(const test::ConnectionMark& test) const;

    const Options& options();
    GeoPlace place(End end, bool inner);
    Way way();
    bool in_lan(const IpAddress& address) const;

    Tables& tables_;
    const InForce* rules_ = nullptr;
    Subject subject_;
    Layers layers_;
    std::vector<std::uint8_t> frame_; // if a rule asks for it
    std::uint32_t view_ = 0;
    static constexpr std::size_t addresses = 4; // by end and inner
    std::array<std::optional<PrefixSets::Class>, addresses> classes_;
    std::array<std::optional<GeoPlace>, addresses> places_;
    std::optional<Options> options_;
    Way way_ = Way::unknown;
    struct KnownMark {
        MarkKind kind;
        std::uint8_t id;
        Mark mark;
    };
    std::vector<KnownMark> marks_;
    GeoCache geo_;
};

} // namespace nfqws2::rules
