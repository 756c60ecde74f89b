// The instances of the profile see the packet.
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/lua/desync.hpp"
#include "passage.hpp"

namespace nfqws2::engine {

class Trace;

class LuaStage {
  public:
    LuaStage(lua::Desync& desync, Trace* trace) : desync_(desync), trace_(trace) {}

    capture::Verdict run(Passage& p);

  private:
    lua::Desync& desync_;
    Trace* trace_;
};

} // namespace nfqws2::engine
