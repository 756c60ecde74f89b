// All workers of a run, and the start of Lua in each.
#pragma once

#include "run/worker.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace nfqws2::app {

class Workers {
  public:
    // Room for `count` of them; each has to be added. Takes the profiles out of `config`.
    Workers(Config& config, ProcessClock& clock, profile::ListStore& lists, unsigned count = 1,
            Threads threads = Threads::one);

    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    void add(Random& random, Outside outside);

    // In the calling thread, one worker after the other. False: logged, or INT or TERM came.
    bool init_lua();
    // The same without the test of the desync functions, for the first worker; `failed` gets the
    // index of the --lua-init with the error.
    bool run_lua_init(std::optional<std::size_t>* failed);

    Shared& shared() { return shared_; }
    Signals& signals() { return shared_.signals; }
    std::size_t size() const { return workers_.size(); }
    Worker& operator[](std::size_t i) { return *workers_[i]; }

  private:
    Shared shared_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

} // namespace nfqws2::app
