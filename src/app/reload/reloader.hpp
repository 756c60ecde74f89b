// Reload without a gap (docs/control.md#reload): the options are read again, and what they say of
// profiles replaces what is in force between two packets.
#pragma once

#include "reload/candidate.hpp"
#include "run/workers.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace nfqws2::app {

class Reloader {
  public:
    enum class What : std::uint8_t { reload, dry_run, undo };

    // How one of them ended.
    struct Outcome {
        bool good = false;
        bool switched = false; // something is in force now that was not before
        std::string error;
        std::vector<Change> changes;
        std::vector<Finding> findings;   // warnings and notices, of --check
        std::vector<std::string> places; // of the findings: "" or "/etc/nfqws2.conf:12"
    };
    struct History {
        std::uint64_t done = 0, failed = 0;
        std::int64_t last_unix_s = 0; // 0: none yet
        std::string last_error;       // "" if the last one was good
    };

    // Before the options are executed, which may change the directory.
    Reloader(int argc, const char* const* argv, const Arguments& arguments);
    ~Reloader();
    Reloader(const Reloader&) = delete;
    Reloader& operator=(const Reloader&) = delete;

    // The file that is read again, as a real path; "" if the options stood on the command line.
    const std::string& file() const { return file_; }
    // When blobs and scripts are known, before they go to Lua.
    void remember(const Config& config);
    // The first worker's loop serves it from now on, until close().
    void open(Config& config, Workers& workers, profile::ListStore& lists);
    void close();

    // False: one is going on.
    bool begin(What what);
    // The same for SIGHUP: if one is going on, another follows it.
    void begin_in_turn() { again_ = !begin(What::reload); }
    bool busy() const { return phase_ != Phase::idle; }
    const std::shared_ptr<const Outcome>& last() const { return last_; }
    const History& history() const { return history_; }
    const Arguments& arguments() const { return in_force_.arguments; } // in force

    // By the first worker between two batches. wait_ms: -1 = nothing to do but when it rings.
    void turn() {
        if (!at_rest()) go_on();
    }
    int wait_ms() const;

  private:
    enum class Phase : std::uint8_t { idle, reading, running_lua, preparing, switching, undoing };
    // A step that all workers take, each in its own thread.
    struct Round;
    // Workers that were asked to let go of older profiles.
    struct Release {
        std::atomic<unsigned> left{0};
        std::atomic<bool> all{true}; // have done it
    };

    bool at_rest() const {
        return phase_ == Phase::idle && retired_.empty() && garbage_.empty() && !sweep_ &&
               !thread_.joinable();
    }
    void go_on();
    void start_reading();
    void ask_workers(Phase phase, std::function<bool(Worker&, std::string*)> step);
    static void take_step(Worker& worker, const std::shared_ptr<Round>& round);
    void read_is_done();
    void round_is_done();
    void begin_preparing();
    void begin_switching();
    void take_over();
    bool blobs_are_untouched();
    void end(bool good, const std::string& error);
    void look_after_retired();
    bool released();
    bool run_aside(std::function<void()> work); // false: there is no thread to be had

    std::vector<std::string> command_line_;
    std::string file_;
    InForce in_force_;
    std::optional<Arguments> before_; // of --undo
    Config* config_ = nullptr;
    Workers* workers_ = nullptr;
    profile::ListStore* lists_ = nullptr;

    Phase phase_ = Phase::idle;
    What what_ = What::reload;
    bool again_ = false;
    std::unique_ptr<Candidate> candidate_;
    std::shared_ptr<Round> round_;
    std::string failure_; // why what was done is being undone
    std::thread thread_;
    std::atomic<bool> thread_done_{false};
    bool thread_good_ = false;
    // What was in force, until no flow and no worker needs it; then what is to be destroyed aside.
    std::vector<profile::GenerationPtr> retired_;
    std::vector<std::shared_ptr<void>> garbage_;
    std::shared_ptr<Release> release_;
    std::int64_t next_look_ms_ = 0;
    bool sweep_ = false; // some lists may be of no use now
    std::shared_ptr<const Outcome> last_;
    History history_;
};

} // namespace nfqws2::app
