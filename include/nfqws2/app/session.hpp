// The parts that live from Lua init to the end of the run: those all workers share, and for each
// worker an engine with what its loop needs.
#pragma once

#include "nfqws2/app/bell.hpp"
#include "nfqws2/app/loops.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/engine/trace.hpp"
#include "nfqws2/profile/auto_hosts.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace nfqws2::app {

// What a worker sees of the world, and who watches it.
struct Surroundings {
    capture::PacketSender& sender;
    capture::NetworkInfo& network;
    std::function<std::string_view(std::string_view)> ssid_of;
    const engine::TraceFile* trace = nullptr;
};

// What log lines of a worker begin with, "" if it is the only one.
std::string worker_label(unsigned worker, unsigned workers);

class Session {
  public:
    enum class Threads : std::uint8_t { one, one_each };

    // Takes the profiles out of `config`. `threads`: one for each worker or one for all of them.
    Session(Config& config, ProcessClock& clock, profile::ListStore& lists, unsigned workers = 1,
            Threads threads = Threads::one);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // To be called for each worker. The last one takes the Lua options out of `config`.
    void add_worker(Random& random, Surroundings around);

    // In the calling thread, one worker after the other. False: logged, or INT or TERM came (see
    // quit_requested).
    bool init_lua();
    // The same without the test of the desync functions, for the first worker; `failed` gets the
    // index of the --lua-init with the error.
    bool run_lua_init(std::optional<std::size_t>* failed);

    const profile::ProfileSet& profiles() const { return profiles_; }
    bool quit_requested() const { return signals_.quit(); }
    Signals& signals() { return signals_; }
    std::size_t workers() const { return members_.size(); }
    Runtime& runtime(std::size_t worker = 0) { return members_[worker]->runtime; }

  private:
    struct Member {
        Member(Session& session, unsigned number, Random& random, Surroundings around);

        profile::ProfileSet profiles;
        std::optional<engine::Trace> trace;
        engine::Engine engine;
        Bell bell;
        Runtime runtime;
    };
    engine::Options options_of(unsigned number);

    Config& config_;
    ProcessClock& clock_;
    profile::ListStore& lists_;
    unsigned workers_;
    Threads threads_;
    bool seeded_;
    profile::ProfileSet profiles_;
    profile::AutoHosts auto_hosts_;
    MemoryBudget memory_;
    std::optional<flow::IpCache> ip_cache_; // with several workers
    std::vector<std::unique_ptr<Member>> members_;
    Signals signals_;
};

} // namespace nfqws2::app
