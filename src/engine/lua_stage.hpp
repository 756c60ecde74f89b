// The instances of the profile see the packet.
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/lua/desync.hpp"
#include "rules_stage.hpp"
#include "story.hpp"

namespace nfqws2::engine {

class LuaStage {
  public:
    LuaStage(lua::Desync& desync, Story story, CtFacts* ct, RulesStage* rules)
        : desync_(desync), story_(story), ct_(ct), rules_(rules) {}

    capture::Verdict run(Passage& p);

  private:
    lua::Desync& desync_;
    Story story_;
    CtFacts* ct_;       // nullptr with --ct=off
    RulesStage* rules_; // nullptr without --rules
};

} // namespace nfqws2::engine
