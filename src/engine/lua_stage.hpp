// The instances of the profile see the packet.
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/lua/desync.hpp"
#include "story.hpp"

namespace nfqws2::engine {

class LuaStage {
  public:
    LuaStage(lua::Desync& desync, Story story, CtFacts* ct)
        : desync_(desync), story_(story), ct_(ct) {}

    capture::Verdict run(Passage& p);

  private:
    lua::Desync& desync_;
    Story story_;
    CtFacts* ct_; // nullptr with --ct=off
};

} // namespace nfqws2::engine
