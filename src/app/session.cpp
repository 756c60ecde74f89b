#include "nfqws2/app/session.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <utility>

namespace nfqws2::app {

Session::Session(Config& config, ProcessClock& clock, profile::ListStore& lists, Random& random,
                 Surroundings around)
    : profiles_(std::move(config.profiles), lists, clock), auto_hosts_(profiles_, lists, clock),
      engine_(std::move(config.engine),
              {&clock, &random, &around.sender, &around.network, &profiles_, &lists, &auto_hosts_,
               std::move(around.ssid_of), around.trace}),
      signals_(engine_), runtime_{config, clock, lists, auto_hosts_, engine_, signals_} {
    if (!config.auto_debug_file.empty() && !auto_hosts_.set_debug_log(config.auto_debug_file))
        log::os_error("cannot open '" + config.auto_debug_file + "'", errno);
}

bool Session::run_lua_init(std::optional<std::size_t>* failed) {
    return engine_.run_lua_init([this] { return signals_.quit(); }, failed);
}

bool Session::init_lua() {
    return engine_.init_lua([this] { return signals_.quit(); });
}

} // namespace nfqws2::app
