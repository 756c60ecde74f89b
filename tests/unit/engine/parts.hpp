// What single parts of the pipeline are tested with: a flow table, a wire, one profile.
#pragma once

#include "engine/direction.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {

class Parts {
  public:
    explicit Parts(const flow::TableOptions& table = {},
                   const std::vector<std::string>& profile = {})
        : connections(table, clock) {
        profile::testing::Options words(lists);
        EXPECT_TRUE(words.parse(profile)) << words.error;
        profiles =
            std::make_unique<profile::ProfileSet>(std::move(words.built.profiles), lists, clock);
    }

    // A packet comes as far as having a flow and the first profile.
    void enter(Passage& p, const Buffer& packet, std::uint32_t mark = 0) {
        p.raw = packet;
        p.dis = packet::dissect(packet);
        p.mark = mark;
        p.number = ++packets_;
        p.ifout = "eth0";
        const flow::ConnectionTable::Found found = connections.feed(p.dis);
        p.track = found.track;
        set_flow_direction(p, found.reverse, false);
        set_target(p, false);
        p.profile = &profiles->by_number(1);
    }
    void count(const Buffer& packet) {
        Passage p;
        enter(p, packet);
    }

    VirtualClock clock{Machine::start_ns};
    profile::ListStore lists{clock};
    std::unique_ptr<profile::ProfileSet> profiles;
    flow::ConnectionTable connections;
    Wire wire;

  private:
    std::uint64_t packets_ = 0;
};

} // namespace nfqws2::engine::test
