// The stage in front of flows: one packet is asked of the rules in force (docs/rules.md). A Judge
// belongs to one worker; what packets of several workers share stands in Tables.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/packet/connection.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/rules/compile.hpp"
#include "nfqws2/rules/state/marks.hpp"
#include "nfqws2/rules/state/meters.hpp"
#include "nfqws2/rules/state/tcp_auth.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

// What rules remember. It survives a reload; limits and the cut of IPv6 sources come from the
// program that was in force first.
struct Tables {
    Tables(const Program& program, const TableSetup& setup);
    void set_limits(const Program& program);

    struct Limits {
        std::size_t marks, buckets, sources;
    };
    Limits limits; // entries at most
    SipKey key;    // of all that is kept by a hash
    MarkTable marks;
    Meters meters;
    TcpAuth authentication;
    // All profiles observe, and so does the policy: nothing is dropped. Any thread.
    std::atomic<bool> observe{false};
};

// The connection of a packet as `connmark` sees it; nullopt: not IP.
std::optional<MarkKey> connection_of(const Tables& tables, std::uint8_t id, Bytes packet);

// A program with all that it needs at hand: sets and databases are read, its meters are found.
struct InForce;
// nullptr on error. Any thread. `warnings`: bad lines of set files. `databases`: those that are
// open already, see open_databases(). `before`: rules whose databases stay, with a warning, where
// the same ones cannot be read again.
std::shared_ptr<const InForce>
bring_in_force(std::shared_ptr<const Program> program, Tables& tables, MemoryBudget* budget,
               std::string* error, std::vector<std::string>* warnings,
               std::vector<FileDescriptor> databases = {}, const InForce* before = nullptr);

// What connection tracking knows of a packet; asked only if a rule wants it.
class SubjectConnection {
  public:
    virtual ~SubjectConnection() = default;
    virtual packet::CtState state() = 0;
    virtual std::optional<std::uint32_t> mark() = 0; // nullopt: no connection
};

// A packet as the pipeline knows it before its flow.
struct Subject {
    Bytes packet; // from the IP header on, cut to the IP length
    std::uint32_t mark = 0;
    std::string_view ifin, ifout;
    std::uint32_t packets = 1; // that a merged one stands for
    std::int64_t now_ns = 0;
    SubjectConnection* connection = nullptr; // nullptr: --ct=off
    Bytes link = {}; // in front of the packet, from the Ethernet header on; empty: not known
};

enum class Decision : std::uint8_t { go_on, accept, drop };

struct Ruling {
    Decision decision = Decision::go_on;
    bool shallow = false;              // flows are tracked, nothing else
    Bytes changed;                     // the packet after translation, else empty
    std::optional<std::uint32_t> mark; // the packet's firewall mark
};

// What rules have said of a packet, for the trace and for scripts.
struct Account {
    std::string profile;           // "" if none was chosen
    std::vector<std::string> hits; // names of rules
    std::uint32_t mark = 0;        // local
    std::string verdict;           // register, "ratelimit:exceed", or ""
};

class Outputs;

class Judge {
  public:
    // `answer` sends a segment that the rules have made.
    Judge(Tables& tables, Random& random, std::function<void(Bytes)> answer);
    ~Judge();
    Judge(const Judge&) = delete;
    Judge& operator=(const Judge&) = delete;

    // Where `capture` and `export` write; nullptr: nowhere. It lives longer.
    void set_outputs(Outputs* outputs);
    // Between packets. Counters of the same name go on.
    void replace(std::shared_ptr<const InForce> rules);
    // What it gives is good until the next packet.
    Ruling judge(const Subject& subject);
    // Merged packets have to be split first.
    bool needs_pieces() const;
    // Subject::link is looked at.
    bool needs_link() const;

    Account account() const; // of the last packet

    // Any thread may ask for what follows.
    std::shared_ptr<const InForce> rules() const;
    struct Counts {
        std::uint64_t packets = 0, bytes = 0, dropped = 0;
    };
    struct RuleCounts {
        std::string name, profile, chain;
        Counts counts;
    };
    std::vector<RuleCounts> rule_counts() const;
    // Adds those of rules `first` and following; nothing if others are in force.
    void add_counts(const InForce& of, std::size_t first, std::vector<RuleCounts>& to) const;
    struct NamedCounts {
        std::string name;
        Counts counts;
        std::int64_t last_ns = 0;
    };
    std::vector<NamedCounts> counters() const;
    std::uint64_t packets() const;
    std::uint64_t dropped() const; // also what `observe` would have dropped

  private:
    class Run;
    std::unique_ptr<Run> run_;
};

} // namespace nfqws2::rules
