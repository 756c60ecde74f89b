// Where there is no kernel: the simulated table (nfqws2/flow/ct_sim.hpp) answers the requests that
// the kernel would get, and makes the messages of its events. So nothing else of the module knows
// the difference.
#pragma once

#if NFQWS2_HAVE_NFCT

#include "nfqws2/flow/ct_sim.hpp"

#include <cstdint>
#include <deque>
#include <vector>

struct nlmsghdr;

namespace nfqws2::lua {

class SimulatedTable final : public flow::CtObserver {
  public:
    using Message = std::vector<std::uint8_t>; // a datagram with one message
    static constexpr std::size_t most_events = 1024;

    // `events`: kinds that are wanted (NFCT_T_*), maybe none.
    SimulatedTable(flow::CtSim& table, unsigned events);
    ~SimulatedTable() override;
    SimulatedTable(const SimulatedTable&) = delete;
    SimulatedTable& operator=(const SimulatedTable&) = delete;

    void on_event(flow::CtEvent event, const packet::Connection& connection) override;
    // The next event: 0, EAGAIN, or once ENOBUFS if more than `most_events` had come.
    int receive(Message& datagram);

    // The answers to a request, as the kernel gives them: messages, then the end of it.
    void ask(const nlmsghdr* request, std::vector<Message>& answers);

  private:
    int ask_of_one(const nlmsghdr* request, std::vector<Message>& answers);
    int change(const packet::Connection& wanted, unsigned flags);
    int expect(const nlmsghdr* request);
    void dump(unsigned family, bool reset, std::vector<Message>* answers);

    flow::CtSim& table_;
    unsigned wanted_;
    std::deque<Message> events_;
    bool overrun_ = false;
};

} // namespace nfqws2::lua

#endif
