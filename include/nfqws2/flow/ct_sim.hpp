// What the kernel's connection tracking would say, computed from the packets that are seen
// (docs/contracts/flows.md#simulated-connections). How it works is told at the top of ct_sim.cpp.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/base/siphash.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/packet/connection.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace nfqws2::flow {

struct CtEntry;

// A simulated connection. Good until its flow ends.
struct CtRef {
    CtEntry* entry = nullptr;
    const Track* track = nullptr; // nullptr: it is in the small table
    explicit operator bool() const { return entry != nullptr; }
};

// What happens to connections: they appear once a packet has passed, change (the first reply, the
// state of TCP, the mark) and end.
enum class CtEvent : std::uint8_t { appeared, changed, ended };
class CtObserver {
  public:
    virtual ~CtObserver() = default;
    virtual void on_event(CtEvent event, const packet::Connection& connection) = 0;
};

class CtSim {
  public:
    struct Options {
        std::vector<std::uint16_t> ftp_ports; // of control connections
        SipKey key;                           // ids come from it
        MemoryBudget* memory = nullptr;
    };
    // `tracks` may be nullptr: all connections are in the small table then.
    CtSim(Options options, const ConnectionTable* tracks, const Clock& clock);
    ~CtSim();
    CtSim(const CtSim&) = delete;
    CtSim& operator=(const CtSim&) = delete;

    struct Seen {
        packet::CtState state = packet::CtState::invalid;
        packet::CtDirection direction = packet::CtDirection::unknown;
        CtRef connection; // none: invalid, untracked
        bool first = false;
    };
    // A packet comes in, but not an ICMP error. `track` and `reverse`: what the connection table
    // has found for it.
    Seen arrives(const packet::Dissect& d, const Track* track, bool reverse);
    // An ICMP error comes in, which quotes this; not IP if it quotes nothing.
    Seen arrives_about(const packet::Dissect& quoted, const Track* track, bool reverse);
    // The verdict on what came in last: it passed, or was dropped and nothing was put aside of it.
    void passed(const Seen& seen);
    void dropped(const Seen& seen);
    // The program sends a packet itself.
    void sent(const packet::Dissect& d);
    void track_ended(const Track& track);

    packet::Connection describe(CtRef connection) const;
    // Between the packets, for whoever asks by a tuple, in either direction, or by flow.
    CtRef find(const packet::CtTuple& tuple) const;
    CtRef find(const Track& track) const;
    // All in no order, such as for a script that lists them.
    void for_each(const std::function<void(CtRef)>& visit) const;

    void set(CtRef connection, const packet::CtChanges& changes);
    // 0 or an errno: EOPNOTSUPP without a helper, EEXIST, ENOSPC.
    int expect(CtRef master, const packet::CtExpectation& expectation);
    int unexpect(const packet::CtTuple& tuple); // 0 or ENOENT

    // By hand, as requests of scripts: nothing if there is one, or too many. Observers hear of it
    // with created().
    CtRef create(const packet::CtTuple& orig, packet::CtTcp tcp_state);
    void created(CtRef connection);
    // From now on nobody finds it; who has it may go on to look at it until its flow ends.
    void remove(CtRef connection);
    void reset_counters(CtRef connection);

    void add_observer(CtObserver& observer);
    void remove_observer(const CtObserver& observer);

    std::size_t size() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The tuple of a packet; nothing if it has none (a fragment, a transport that was not recognised).
std::optional<packet::CtTuple> ct_tuple_of(const packet::Dissect& d);
// Whether a connection may begin with it.
bool may_begin_connection(const packet::Dissect& d);
packet::CtTuple ct_reply_to(const packet::CtTuple& tuple);

} // namespace nfqws2::flow
