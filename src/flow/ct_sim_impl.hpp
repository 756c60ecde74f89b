// The inside of the simulation: ct_sim.cpp follows packets, ct_sim_requests.cpp is what is asked
// and changed between them.
#pragma once

#include "ct_expectations.hpp"
#include "ct_ftp.hpp"
#include "ct_table.hpp"
#include "nfqws2/flow/ct_sim.hpp"

#include <array>

namespace nfqws2::flow {

namespace detail {

struct CtExtra {
    std::optional<packet::CtTuple> master;
    packet::CtHelper helper, master_helper;
    std::optional<packet::CtLabels> labels;
    std::array<std::unique_ptr<FtpLines>, 2> lines;
    bool used = false;
};

} // namespace detail

struct CtSim::Impl {
    Impl(Options o, const ConnectionTable* t, const Clock& c)
        : options(std::move(o)), tracks(t), clock(c), small(options.key), extras(1),
          share(options.memory, MemoryBudget::Part::flows) {}

    using Small = detail::CtSmallTable::Entry;

    std::uint32_t now_s() const { return static_cast<std::uint32_t>(clock.boot_s()); }
    std::uint32_t now_ms() const { return static_cast<std::uint32_t>(clock.boot_ms()); }
    packet::CtTuple orig_of(CtRef c) const;
    detail::CtExtra* extra_of(const CtEntry& e) {
        return e.extra != 0 ? &extras[e.extra] : nullptr;
    }
    detail::CtExtra& need_extra(CtEntry& e);
    void release_extra(CtEntry& e);

    Small* find_small(const packet::CtTuple& tuple);
    CtRef begin(const packet::Dissect& d, const packet::CtTuple& tuple, const Track* track,
                bool reverse);
    void meet_expectation(CtRef c, const packet::CtTuple& tuple);
    void follow(CtRef c, const packet::Dissect& d, const packet::CtTuple& tuple, bool reply,
                bool first);
    void follow_tcp(CtEntry& e, const packet::Dissect& d, bool reply);
    void count(CtEntry& e, const packet::Dissect& d, bool reply);
    void refresh(CtEntry& e, std::uint8_t l4proto);
    std::uint32_t timeout_of(const CtEntry& e, std::uint8_t l4proto) const;
    void read_ftp(CtRef c, const packet::Dissect& d, bool reply);
    void begin_anew(Small& over, const packet::CtTuple& orig);
    Small& make_small(const packet::CtTuple& tuple);
    void name(CtEntry& e, const packet::CtTuple& tuple, std::uint32_t number) const;
    CtRef of_track(const Track& track);
    CtRef adopt(Small& made, const Track& track, const packet::CtTuple& tuple, bool reverse);
    void tell(CtEvent event, CtRef c);
    void tell_new(CtRef c);
    void forget(CtRef c);
    void tell_memory();
    packet::Connection describe(CtRef c);

    Options options;
    const ConnectionTable* tracks;
    const Clock& clock;
    detail::CtPages pages;
    detail::CtSmallTable small;
    std::vector<detail::CtExtra> extras; // [0] is not used
    std::vector<std::uint32_t> free_extras;
    detail::CtExpectations expectations;
    std::vector<CtObserver*> observers;
    CtRef unconfirmed; // whose first packet is on its way
    std::uint32_t small_number = 0;
    MemoryShare share;
};

} // namespace nfqws2::flow
