// Signals as flags for the event loop. A descriptor becomes readable with each signal, so that a
// signal between the test of the flags and poll(2) is not lost.
#pragma once

#include "nfqws2/base/file.hpp"

namespace nfqws2::engine {
class Engine;
}

namespace nfqws2::app {

class Signals {
  public:
    // Installs the handlers for INT, TERM, HUP, USR1 and USR2; one object per process. The first
    // INT or TERM interrupts running Lua code of `engine`, the second ends the process at once.
    explicit Signals(engine::Engine& engine);
    ~Signals(); // handlers of INT and TERM become the default ones, the others are ignored
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    bool quit() const;
    // True once per signal or burst of signals. HUP, USR1 and USR2 are ignored after quit.
    bool take_hup();
    bool take_usr1();
    bool take_usr2();

    int wake_fd() const { return wake_.get(); }
    void drain_wake_fd();

    // Sleeps until `timeout_ms` have passed (-1 = no limit), a signal came or one of `fd` (-1 =
    // none) is readable; true in the last case.
    bool wait(int fd, int timeout_ms);

  private:
    FileDescriptor wake_;
};

} // namespace nfqws2::app
