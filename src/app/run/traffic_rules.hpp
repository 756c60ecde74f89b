// The rules of --rules while the program runs: those in force, a reload, the file of statistics.
//
// Theory of operation. A reload (SIGHUP, or a file that changed) reads and compiles in a thread of
// its own. What it made becomes the newest; each worker takes it over between two packets. The
// rules before are destroyed in that thread too, when the last worker has let go of them, since
// sets are large. A file with errors changes nothing. What rules remember stands in tables of its
// own.
#pragma once

#include "nfqws2/base/output_file.hpp"
#include "nfqws2/profile/list_file.hpp"
#include "nfqws2/rules/judge.hpp"
#include "nfqws2/rules/outputs.hpp"
#include "nfqws2/rules/statistics.hpp"
#include "options/config.hpp"
#include "run/process_clock.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace nfqws2::app {

struct Worker;

class TrafficRules {
  public:
    // The rules of the configuration are compiled; all references live longer.
    TrafficRules(Config& config, const ProcessClock& clock, MemoryBudget& memory,
                 const rules::TableSetup& setup);
    ~TrafficRules();
    TrafficRules(const TrafficRules&) = delete;
    TrafficRules& operator=(const TrafficRules&) = delete;

    // Sets and databases, of which some are open. False: logged.
    bool load(std::vector<FileDescriptor> databases);
    // For --check: what was read already, without what is written; no packet is judged by it.
    void show(std::shared_ptr<const rules::InForce> read);
    void join(Worker& worker);
    void leave() { workers_.clear(); } // all of them, before they end
    rules::Tables& tables() { return tables_; }
    std::shared_ptr<const rules::InForce> newest() const;

    void request_reload() { wanted_ = true; }
    // By each worker between two batches.
    void turn(Worker& worker);
    int wait_ms() const; // until the first worker should take its turn, also without packets
    // Prints sizes of tables now, and the fastest keys as soon as all are looked at, which the
    // first worker does in its turns (SIGUSR2).
    void dump();
    // Any thread, once the workers are made.
    std::vector<const rules::Judge*> judges() const;
    rules::Statistics statistics() const;
    void stop();             // no reload from now on
    void finish_dump();      // of SIGUSR2, at the end of captures
    void write_statistics(); // nothing without --rules-stats

  private:
    struct Watched {
        std::string path;
        std::optional<profile::Signature> signature;
    };

    bool open_outputs();
    void look(std::int64_t now_ns); // by the first worker
    void go_on_dumping();           // likewise
    void tell_memory() const;
    bool files_changed();
    std::vector<Watched> see_files();
    void watch_files(const rules::Compiled& compiled, const std::vector<Watched>& seen);
    void start_reload();
    void run_reload();
    void reload();
    void ring() const;

    Config& config_;
    const bool knows_connections_; // which --ct settles before there are workers
    rules::Outputs outputs_;
    const ProcessClock& clock_;
    MemoryBudget& memory_;
    rules::Tables tables_;
    std::vector<Worker*> workers_;

    mutable std::mutex lock_; // of the next two
    std::shared_ptr<const rules::InForce> newest_;
    std::vector<Watched> watched_;
    std::atomic<std::uint64_t> generation_{0};

    struct Search { // of the fastest keys
        rules::Fastest found;
        std::uint64_t cursor = 0;
    };
    std::optional<Search> dumping_;
    bool wanted_ = false;
    std::int64_t next_look_ns_ = 0, next_statistics_ns_ = 0;
    std::thread thread_;
    std::shared_ptr<const rules::Program> limits_; // new ones, that the thread leaves behind
    std::atomic<bool> thread_done_{false}, stop_{false};
};

} // namespace nfqws2::app
