// Signals as flags for the event loops. The main thread takes all of them; each loop has a Bell
// that rings when it has something to do with one.
#pragma once

#include <csignal>
#include <cstddef>

namespace nfqws2::engine {
class Engine;
}

namespace nfqws2::app {

class Bell;

inline constexpr unsigned max_workers = 64;

class Signals {
  public:
    // Installs the handlers for INT, TERM, HUP, USR1 and USR2; one object per process. The second
    // INT or TERM ends the process at once.
    Signals();
    ~Signals(); // handlers of INT and TERM become the default ones, the others are ignored
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    // The first INT or TERM interrupts running Lua code of `engine` and rings `bell`; both stay for
    // as long as this object. The bell of the first call rings for the other signals too.
    void watch(engine::Engine& engine, const Bell& bell);

    bool quit() const;             // INT, TERM or stop()
    bool requested() const;        // INT or TERM
    void stop();                   // from any thread: every loop comes to an end
    void quit_as_term();           // as if TERM had come, but that a first signal may still follow
    void quit_with(int exit_code); // likewise, and the process ends with this code
    int exit_code() const;         // 0 without that
    // True once per signal or burst of signals. HUP, USR1 and USR2 are ignored after quit.
    bool take_hup();
    bool take_usr1();
    bool take_usr2();

    // While it lives, the calling thread takes no signals, nor will the threads that it starts.
    class Blocked {
      public:
        Blocked();
        ~Blocked();
        Blocked(const Blocked&) = delete;
        Blocked& operator=(const Blocked&) = delete;

      private:
        sigset_t before_;
    };
};

} // namespace nfqws2::app
