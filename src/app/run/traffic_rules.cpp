#include "run/traffic_rules.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "run/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <new>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace nfqws2::app {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr int reload_nice = 10; // packets come first

} // namespace

TrafficRules::TrafficRules(Config& config, const ProcessClock& clock, MemoryBudget& memory,
                           const rules::TableSetup& setup)
    : config_(config), knows_connections_(config.engine.ct.has_value()), outputs_(clock),
      clock_(clock), memory_(memory), tables_(*config.rules.program, setup) {
    watch_files(config.rules, {});
}

TrafficRules::~TrafficRules() {
    stop();
}

void TrafficRules::stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

// What the tables may grow to: the size of an entry and of its cell of the hash.
void TrafficRules::tell_memory() const {
    constexpr std::size_t cell = 8, megabyte = 1024 * 1024;
    const auto tell = [](const char* what, std::size_t entries, std::size_t size) {
        log::status("rules: at most %zu %s, %zu MB", entries, what,
                    (entries * (size + cell) + megabyte - 1) / megabyte);
    };
    tell("marks", tables_.limits.marks, 48);
    tell("buckets", tables_.limits.buckets, 64);
    tell("sources", tables_.limits.sources, 32);
}

bool TrafficRules::open_outputs() {
    constexpr std::uint64_t megabyte = 1024 * 1024, largest_export_mb = 100;
    if (config_.rules_capture)
        outputs_.capture_into(std::move(config_.rules_capture.file),
                              config_.rules_capture_mb * megabyte);
    if (config_.rules_export)
        outputs_.export_into(std::move(config_.rules_export.file), largest_export_mb * megabyte);
    std::string error;
    if (config_.rules_export_socket.empty() ||
        outputs_.export_to_socket(config_.rules_export_socket, &error))
        return true;
    log::error_text("--rules-export: " + error);
    return false;
}

bool TrafficRules::load(std::vector<FileDescriptor> databases) {
    if (!open_outputs()) return false;
    std::string error;
    std::vector<std::string> warnings;
    newest_ = rules::bring_in_force(config_.rules.program, tables_, &memory_, &error, &warnings,
                                    std::move(databases));
    for (const std::string& warning : warnings)
        log::error_text(warning);
    if (newest_ == nullptr) log::error_text("rules: " + error);
    if (newest_ != nullptr) tell_memory();
    return newest_ != nullptr;
}

void TrafficRules::show(std::shared_ptr<const rules::InForce> read) {
    newest_ = std::move(read);
}

void TrafficRules::join(Worker& worker) {
    workers_.push_back(&worker);
    worker.engine.judge()->set_outputs(&outputs_);
}

std::shared_ptr<const rules::InForce> TrafficRules::newest() const {
    const std::lock_guard guard(lock_);
    return newest_;
}

void TrafficRules::turn(Worker& worker) {
    const std::uint64_t generation = generation_.load(std::memory_order_acquire);
    if (worker.rules_generation != generation) {
        worker.engine.judge()->replace(newest());
        worker.rules_generation = generation;
    }
    if (worker.number != 0) return;
    if (dumping_) go_on_dumping();
    look(clock_.boot_ns());
}

int TrafficRules::wait_ms() const {
    constexpr int soon_ms = 100; // a reload goes on
    if (dumping_) return 0;
    if (wanted_) return thread_.joinable() ? soon_ms : 0;
    const std::int64_t left_ns = next_look_ns_ - clock_.boot_ns();
    return left_ns <= 0 ? 0 : static_cast<int>(std::min(left_ns, second) / 1'000'000 + 1);
}

void TrafficRules::dump() {
    constexpr std::size_t shown = 10;
    const auto table = [](const char* what, const rules::TableCounts& counts) {
        log::report_text(std::string(what) + ": " + std::to_string(counts.entries) + " entries, " +
                         std::to_string(counts.bytes / 1024) + " KB, " +
                         std::to_string(counts.evicted) + " evicted");
    };
    log::report_text("\nRULES");
    table("marks", tables_.marks.counts());
    table("buckets", tables_.meters.counts());
    table("sources", tables_.authentication.table_counts());
    dumping_.emplace(Search{rules::Fastest(shown)});
}

// A piece of some thousand cells, so that packets do not wait for all of them.
void TrafficRules::go_on_dumping() {
    constexpr int scans_of_a_piece = 16;
    const std::int64_t now_ns = clock_.boot_ns();
    for (int i = 0; i < scans_of_a_piece; i++) {
        dumping_->cursor = tables_.meters.scan(
            dumping_->cursor, now_ns, [this](const auto& bucket) { dumping_->found.see(bucket); });
        if (dumping_->cursor == 0) break;
    }
    if (dumping_->cursor != 0) return;
    for (const rules::Meters::Listed& bucket : dumping_->found.sorted())
        log::report_text(
            "ratelimit " + std::to_string(bucket.id) + " " +
            (bucket.address.empty() ? "key " + to_hex(bucket.key) : bucket.address.text()) + ": " +
            std::to_string(bucket.pps) + " packets/s, " + std::to_string(bucket.bps) + " bits/s");
    dumping_.reset();
}

void TrafficRules::look(std::int64_t now_ns) {
    if (!wanted_ && now_ns < next_look_ns_) return;
    next_look_ns_ = now_ns + second;
    if (now_ns >= next_statistics_ns_) {
        next_statistics_ns_ = now_ns + std::int64_t{config_.rules_stats_s} * second;
        write_statistics();
    }
    if (thread_.joinable()) {
        if (!thread_done_.load(std::memory_order_acquire)) return;
        thread_.join();
        // Here: with one worker the tables have no locks.
        if (const auto program = std::exchange(limits_, nullptr)) tables_.set_limits(*program);
    }
    if (wanted_ || (!config_.offline() && files_changed())) start_reload();
}

bool TrafficRules::files_changed() {
    const std::lock_guard guard(lock_);
    for (const Watched& file : watched_)
        if (profile::read_signature(file.path) != file.signature) return true;
    return false;
}

// As they are now; not read again before one of them changes once more, whatever comes of it.
std::vector<TrafficRules::Watched> TrafficRules::see_files() {
    const std::lock_guard guard(lock_);
    for (Watched& file : watched_)
        file.signature = profile::read_signature(file.path);
    return watched_;
}

// `seen`: what they were before they were read. Of rules with errors not all files are known, so
// those that were watched before still are.
void TrafficRules::watch_files(const rules::Compiled& compiled, const std::vector<Watched>& seen) {
    std::vector<Watched> files;
    if (compiled.program == nullptr) files = seen;
    for (const auto* paths : {&compiled.files, &compiled.data_files})
        for (const std::string& path : *paths) {
            const auto same = [&path](const Watched& file) { return file.path == path; };
            if (std::ranges::any_of(files, same)) continue;
            const auto known = std::ranges::find_if(seen, same);
            files.push_back(known != seen.end() ? *known
                                                : Watched{path, profile::read_signature(path)});
        }
    const std::lock_guard guard(lock_);
    watched_ = std::move(files);
}

void TrafficRules::start_reload() {
    wanted_ = false;
    thread_done_ = false;
    // Signals are for the main thread; a forbidden system call comes to the one that tried it.
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    try {
        thread_ = std::thread([this] { run_reload(); });
    } catch (const std::system_error&) {
        log::error("rules: there is no thread for a reload");
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

void TrafficRules::run_reload() {
    setpriority(PRIO_PROCESS, 0, reload_nice); // of this thread only
    try {
        reload();
    } catch (const std::bad_alloc&) {
        log::error("rules: out of memory, the old ones stay in force");
    }
    thread_done_.store(true, std::memory_order_release);
}

void TrafficRules::ring() const {
    for (Worker* worker : workers_)
        worker->bell.ring();
}

// Everything that may fail does so before anything changes.
void TrafficRules::reload() {
    const std::vector<Watched> seen = see_files();
    rules::Compiled compiled = rules::compile_file(config_.rules_file);
    for (const std::string& error : compiled.errors)
        log::error_text("rules: " + error);
    std::string error;
    std::vector<std::string> warnings;
    std::shared_ptr<const rules::InForce> next;
    watch_files(compiled, seen);
    if (compiled.asks_connection && !knows_connections_) {
        log::error("rules: --ct is off, and 'ctstate' or 'ctmark' is new: a restart is needed");
    } else if (compiled.program != nullptr) {
        next = rules::bring_in_force(compiled.program, tables_, &memory_, &error, &warnings, {},
                                     newest().get());
        for (const std::string& warning : warnings)
            log::error_text(warning);
        if (!error.empty()) log::error_text("rules: " + error);
    }
    if (next == nullptr) {
        log::error("rules: the old ones stay in force");
    } else {
        limits_ = compiled.program;
        std::shared_ptr<const rules::InForce> before = std::move(next);
        {
            const std::lock_guard guard(lock_);
            before.swap(newest_);
        }
        generation_.fetch_add(1, std::memory_order_release);
        log::status("rules are read again");
        ring();
        while (before.use_count() > 1 && !stop_)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

std::vector<const rules::Judge*> TrafficRules::judges() const {
    std::vector<const rules::Judge*> all;
    for (const Worker* worker : workers_)
        all.push_back(std::as_const(worker->engine).judge());
    return all;
}

rules::Statistics TrafficRules::statistics() const {
    if (workers_.empty()) return {}; // a finalizer of a script asks at the end
    rules::Statistics out = rules::statistics(judges(), tables_, clock_.unix_s());
    out.outputs = outputs_.counts();
    return out;
}

void TrafficRules::finish_dump() {
    while (dumping_)
        go_on_dumping();
}

// In place: one write, then the rest of an older text is cut off.
void TrafficRules::write_statistics() {
    if (!config_.rules_stats || workers_.empty()) return;
    const std::string text = to_json(statistics());
    const int fd = config_.rules_stats.file.get();
    if (pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
        ftruncate(fd, static_cast<off_t>(text.size())) != 0) {
        static log::RateLimit limit(60'000);
        if (limit.allow()) log::os_error("writing '" + config_.rules_stats.path + "'", errno);
    }
}

} // namespace nfqws2::app
