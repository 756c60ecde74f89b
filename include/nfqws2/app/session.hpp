// The parts that live from Lua init to the end of the run, in order of construction.
#pragma once

#include "nfqws2/app/loops.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/profile/auto_hosts.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <functional>
#include <string_view>

namespace nfqws2::app {

// What a session sees of the world, and who watches it.
struct Surroundings {
    capture::PacketSender& sender;
    capture::NetworkInfo& network;
    std::function<std::string_view(std::string_view)> ssid_of;
    engine::Trace* trace = nullptr;
};

class Session {
  public:
    // Takes the profiles and Lua options out of `config`.
    Session(Config& config, ProcessClock& clock, profile::ListStore& lists, Random& random,
            Surroundings around);

    // False: logged, or INT or TERM came (see quit_requested).
    bool init_lua();
    // The same without the test of the desync functions; `failed` gets the index of the --lua-init
    // with the error.
    bool run_lua_init(std::optional<std::size_t>* failed);
    const profile::ProfileSet& profiles() const { return profiles_; }
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
