// The way of a packet (docs/contracts/flows.md#the-way-of-a-packet). Each step is a part with a
// file of its own; pipeline.cpp is the page that reads top to bottom.
#pragma once

#include "distance_memory.hpp"
#include "fast_open.hpp"
#include "fastpath.hpp"
#include "finished_rule.hpp"
#include "first_drop.hpp"
#include "lua_stage.hpp"
#include "merged_rule.hpp"
#include "onlooker.hpp"
#include "payload_detector.hpp"
#include "profile_selector.hpp"
#include "rules_stage.hpp"
#include "upkeep.hpp"

namespace nfqws2::flow {
class PastHosts;
}

namespace nfqws2::engine {

class Pipeline final : public flow::TrackObserver, private PieceJudge {
  public:
    // What it works with and others use too.
    struct Surroundings {
        const Options& options;
        const Services& services;
        Onlooker& onlooker;
        PacketClock& now;
        flow::ConnectionTable* connections; // nullptr with --ctrack-disable
        flow::IpCache& ip_cache;
        lua::State& state;
        lua::Desync& desync;
        Upkeep& upkeep;
        Counters& counters;
        std::vector<ProfileCounts>& by_profile;
        CtFacts* ct;                 // nullptr with --ct=off, unless simulate() was called
        flow::PastHosts* past_hosts; // nullptr if nobody can ask
    };
    explicit Pipeline(const Surroundings& around);
    RulesStage* rules() { return rules_.get(); }
    // With --ct=off: scripts want to know of connections, nobody else.
    void simulate(CtFacts& ct) { around_.ct = &ct; }

    capture::Verdict process(const capture::InputPacket& packet);

    // flow::TrackObserver
    void on_track_end(flow::Track& track) override;
    void on_held_timeout(flow::Track& track) override;

  private:
    capture::Verdict route(Passage& p);
    capture::Verdict tcp_or_udp(Passage& p);
    capture::Verdict icmp(Passage& p);
    capture::Verdict raw_ip(Passage& p);
    capture::Verdict judge_piece(Passage& p, Bytes message) override;
    bool must_be_split(Passage& p);
    capture::Verdict show_merged(Passage& p);

    void enter(Passage& p, const capture::InputPacket& packet);
    void find_flow(Passage& p);
    void find_quoted_flow(Passage& p);
    void set_direction(Passage& p, bool reverse);
    void keep_profiles_of_held(Passage& p);

    Surroundings around_;
    flow::ConnectionTable* connections_;
    Story story_;
    std::unique_ptr<RulesStage> rules_; // with --rules

    Holder holder_;
    Replayer replayer_;
    PastHellos past_;
    HelloJoiner joiner_;
    AutoHostWatch watch_;
    PayloadDetector detector_;
    ProfileSelector selector_;
    FinishedRule finished_;
    MergedRule merged_;
    DistanceMemory distances_;
    FastOpen fast_open_;
    Fastpath fastpath_;
    FirstDrop first_drop_;
    LuaStage lua_;
};

} // namespace nfqws2::engine
