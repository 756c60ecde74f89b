// The parts that live from Lua init to the end of the run, in order of construction.
#pragma once

#include "nfqws2/app/loops.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/profile/auto_hosts.hpp"
#include "nfqws2/profile/profile_set.hpp"

namespace nfqws2::app {

class Session {
  public:
    // Takes the profiles and Lua options out of `config`.
    Session(Config& config, ProcessClock& clock, profile::ListStore& lists, Random& random,
            capture::PacketSender& sender, capture::NetworkInfo& network);

    // False: logged, or INT or TERM came (see quit_requested).
    bool init_lua();
    bool quit_requested() const { return signals_.quit(); }
    Runtime& runtime() { return runtime_; }

  private:
    profile::ProfileSet profiles_;
    profile::AutoHosts auto_hosts_;
    engine::Engine engine_;
    Signals signals_;
    Runtime runtime_;
};

} // namespace nfqws2::app
