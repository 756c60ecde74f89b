// Where the clients of the control socket are served: the socket, which is made early, and from the
// moment on that there is a workers all that can be asked about it (src/app/control/).
#pragma once

#include "nfqws2/control/listening_socket.hpp"
#include "options/arguments.hpp"
#include "options/config.hpp"
#include "start/fence.hpp"

#include <memory>

namespace nfqws2::control {
class Server;
}

namespace nfqws2::app {

class Reloader;
class Workers;

class Desk {
  public:
    Desk();
    ~Desk();
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;

    // Makes the socket of --control, if there is to be one. False: logged.
    bool make_socket(const Config& config, const Arguments& arguments, const Clock& clock);
    // Clients are served by the loop of the first worker for as long as the result lives, which has
    // to end before the workers do.
    [[nodiscard]] std::shared_ptr<void> open(const Config& config, Workers& workers,
                                             profile::ListStore& lists, const Fence& fence,
                                             Reloader* reloader);

  private:
    struct Start;
    std::unique_ptr<Start> start_;
};

// The words as text of a configuration file that says the same, an option a line.
std::string options_text(const Arguments& arguments);

} // namespace nfqws2::app
