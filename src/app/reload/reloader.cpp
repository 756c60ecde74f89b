// Theory of operation. A thread reads, checks and compares (candidate.hpp). Then each worker makes
// the new profiles ready beside those in force, in pieces between its batches; only when all of
// them are ready does each replace its own, between two packets. A worker that fails makes the
// others go back, so it is all or none. A flow belongs to one worker, so no packet and no flow
// meets both. What was replaced stays until the last packet that it holds back has left, and is
// then destroyed in the thread, because giving back much memory takes longer than a packet may
// wait.
#include "reload/reloader.hpp"

#include "nfqws2/base/log.hpp"
#include "run/signals.hpp"

#include <algorithm>
#include <mutex>
#include <sys/resource.h>
#include <system_error>
#include <utility>

namespace nfqws2::app {
namespace {

constexpr std::int64_t look_every_ms = 100;
constexpr int thread_nice = 10;

} // namespace

struct Reloader::Round {
    std::function<bool(Worker&, std::string*)> step; // true: once more; an error ends it
    const Bell* bell = nullptr;                      // of the first worker
    std::atomic<unsigned> left{0};
    std::mutex mutex; // of what follows
    std::string error;
};

Reloader::Reloader(int argc, const char* const* argv, const Arguments& arguments)
    : command_line_(argv, argv + argc) {
    in_force_.arguments = arguments;
    in_force_.set = option_set(arguments);
    if (arguments.file.empty()) return;
    file_ = absolute_path(arguments.file).value_or(arguments.file);
    for (std::string& word : command_line_)
        if (word == "@" + arguments.file || word == "$" + arguments.file) word = "@" + file_;
}

Reloader::~Reloader() {
    if (thread_.joinable()) thread_.join();
}

void Reloader::remember(const Config& config) {
    in_force_.blobs = fingerprints(config.engine.blobs);
    in_force_.lua = read_lua_items(config.engine.lua_init);
    in_force_.uses_ssid = config.uses_ssid;
}

void Reloader::open(Config& config, Workers& workers, profile::ListStore& lists) {
    config_ = &config;
    workers_ = &workers;
    lists_ = &lists;
    config.list_uses.clear(); // or no list would ever be unused
    workers[0].reloader = this;
}

void Reloader::close() {
    if (workers_ == nullptr) return;
    (*workers_)[0].reloader = nullptr;
    workers_ = nullptr;
    if (thread_.joinable()) thread_.join();
    candidate_.reset();
    retired_.clear();
    phase_ = Phase::idle;
}

bool Reloader::run_aside(std::function<void()> work) {
    thread_done_ = false;
    const Bell& bell = (*workers_)[0].bell;
    const Signals::Blocked blocked;
    try {
        thread_ = std::thread([this, &bell, work = std::move(work)] {
            setpriority(PRIO_PROCESS, 0, thread_nice); // of this thread only; packets come first
            work();
            thread_done_.store(true, std::memory_order_release);
            bell.ring();
        });
    } catch (const std::system_error& e) {
        log::error("reload: %s", e.what());
        return false;
    }
    return true;
}

bool Reloader::begin(What what) {
    if (busy()) return false;
    what_ = what;
    failure_.clear();
    phase_ = Phase::reading;
    return true;
}

int Reloader::wait_ms() const {
    if (phase_ == Phase::reading && !thread_.joinable()) return 0;
    return at_rest() ? -1 : static_cast<int>(look_every_ms);
}

void Reloader::go_on() {
    if (thread_.joinable()) {
        if (!thread_done_.load(std::memory_order_acquire)) return;
        thread_.join();
        if (candidate_ != nullptr) read_is_done();
        return;
    }
    if (phase_ == Phase::reading) {
        start_reading();
    } else if (round_ != nullptr) {
        if (round_->left.load(std::memory_order_acquire) == 0) round_is_done();
    } else {
        look_after_retired();
    }
}

void Reloader::start_reading() {
    if (what_ == What::undo && !before_) {
        end(false, "there was no reload that could be undone");
        return;
    }
    const auto globals = (*workers_)[0].engine.lua_globals();
    candidate_ = std::make_unique<Candidate>(workers_->shared().clock, *lists_,
                                             Surroundings{*config_,
                                                          workers_->shared().profiles.generation(),
                                                          in_force_,
                                                          {globals.begin(), globals.end()}});
    const Arguments* given = what_ == What::undo ? &*before_ : nullptr;
    if (!run_aside([this, given] {
            thread_good_ = candidate_->read(command_line_, given) &&
                           (what_ == What::dry_run || candidate_->make_files());
        }))
        end(false, "there is no thread to be had");
}

void Reloader::read_is_done() {
    if (!thread_good_) {
        end(false, candidate_->error());
        return;
    }
    {
        const auto still = lists_->hold_still();
        candidate_->look_at_lists();
    }
    if (!blobs_are_untouched()) return;
    if (what_ == What::dry_run || candidate_->changes().empty()) {
        end(true, "");
        return;
    }
    if (candidate_->lua_items().empty()) {
        begin_preparing();
        return;
    }
    ask_workers(Phase::running_lua, [this](Worker& worker, std::string* error) {
        log::Diversion said;
        if (!worker.engine.run_lua_items(candidate_->lua_items())) {
            *error = said.take();
            if (error->empty()) *error = "--lua-init failed";
            *error += " (what it did before that stays)";
        }
        return false;
    });
}

// Scripts may have put something else in the place of a blob, which a reload would lose.
bool Reloader::blobs_are_untouched() {
    for (const auto& blob : candidate_->replaced_blobs()) {
        const auto same = [&blob](Bytes bytes) { return fingerprint(bytes) == blob.second; };
        if ((*workers_)[0].engine.blob_is(blob.first, same)) continue;
        end(false, "blob '" + blob.first +
                       "' has changed, but a script has put something else in its place: a restart "
                       "is needed");
        return false;
    }
    return true;
}

void Reloader::ask_workers(Phase phase, std::function<bool(Worker&, std::string*)> step) {
    phase_ = phase;
    round_ = std::make_shared<Round>();
    round_->step = std::move(step);
    round_->bell = &(*workers_)[0].bell;
    round_->left = static_cast<unsigned>(workers_->size());
    for (std::size_t i = 0; i < workers_->size(); i++) {
        Worker& worker = (*workers_)[i];
        worker.errands.add([round = round_](Worker& run) { take_step(run, round); });
        worker.bell.ring();
    }
}

void Reloader::take_step(Worker& worker, const std::shared_ptr<Round>& round) {
    std::string error;
    if (round->step(worker, &error) && error.empty()) {
        worker.errands.add([round](Worker& run) { take_step(run, round); });
        worker.bell.ring();
        return;
    }
    if (!error.empty()) {
        const std::lock_guard guard(round->mutex);
        if (round->error.empty()) round->error = worker.label + error;
    }
    if (round->left.fetch_sub(1, std::memory_order_acq_rel) == 1) round->bell->ring();
}

void Reloader::begin_preparing() {
    const engine::Engine::NextProfiles* next = &candidate_->next();
    ask_workers(Phase::preparing, [next, begun = std::vector<char>(workers_->size())](
                                      Worker& worker, std::string* error) mutable {
        if (begun[worker.number] == 0) worker.engine.begin_profiles(*next);
        begun[worker.number] = 1;
        return worker.engine.prepare_profiles(error) == engine::Engine::Prepared::more;
    });
}

void Reloader::begin_switching() {
    lists_->take_over(candidate_->lists());
    profile::ProfileSet& shared = workers_->shared().profiles;
    workers_->shared().auto_hosts.carry_over(*shared.generation(), *candidate_->next().profiles);
    const engine::Engine::NextProfiles* next = &candidate_->next();
    ask_workers(Phase::switching, [next](Worker& worker, std::string* error) {
        worker.engine.adopt_profiles(*next, error);
        return false;
    });
}

void Reloader::round_is_done() {
    const std::shared_ptr<Round> round = std::move(round_);
    const profile::GenerationPtr next = candidate_->next().profiles;
    if (phase_ == Phase::undoing) {
        retired_.push_back(next);
        end(false, failure_);
        return;
    }
    if (!round->error.empty()) {
        failure_ = round->error;
        ask_workers(Phase::undoing, [next](Worker& worker, std::string*) {
            worker.engine.abandon_profiles();
            if (worker.profiles.generation() == next) worker.engine.take_back_profiles();
            return false;
        });
        return;
    }
    switch (phase_) {
    case Phase::running_lua:
        begin_preparing();
        break;
    case Phase::preparing:
        begin_switching();
        break;
    case Phase::switching:
        take_over();
        break;
    default:
        break;
    }
}

void Reloader::take_over() {
    profile::ProfileSet& shared = workers_->shared().profiles;
    retired_.push_back(shared.generation());
    shared.replace(candidate_->next().profiles);
    shared.drop_older();
    before_ = std::move(in_force_.arguments);
    in_force_ = candidate_->take_in_force();
    end(true, "");
}

void Reloader::end(bool good, const std::string& error) {
    auto outcome = std::make_shared<Outcome>();
    outcome->good = good;
    outcome->switched = good && phase_ == Phase::switching;
    outcome->error = error;
    if (candidate_ != nullptr) {
        outcome->changes = candidate_->changes();
        outcome->findings = candidate_->report().findings();
        for (const Finding& finding : outcome->findings)
            outcome->places.push_back(
                finding.position ? candidate_->arguments().where(*finding.position) : "");
    }
    if (what_ != What::dry_run && candidate_ != nullptr) { // not where there was nothing to undo
        (good ? history_.done : history_.failed)++;
        history_.last_unix_s = workers_->shared().clock.unix_s();
        history_.last_error = error;
        if (good)
            log::status("options reloaded: %zu change(s)", outcome->changes.size());
        else
            log::error("options are not reloaded: %s", error.c_str());
    }
    last_ = std::move(outcome);
    phase_ = Phase::idle;
    sweep_ = true;
    if (candidate_ != nullptr)
        garbage_.push_back(std::shared_ptr<Candidate>(std::move(candidate_)));
    if (std::exchange(again_, false)) begin(What::reload);
}

// A step each time: the workers let go, then what was in force is destroyed, then the lists that
// nobody refers to any more.
void Reloader::look_after_retired() {
    if (!garbage_.empty()) {
        auto garbage = std::make_shared<std::vector<std::shared_ptr<void>>>(std::move(garbage_));
        garbage_.clear();
        if (!run_aside([garbage] { garbage->clear(); })) garbage->clear();
        return;
    }
    const std::int64_t now = workers_->shared().clock.boot_ms();
    if (now < next_look_ms_) return;
    next_look_ms_ = now + look_every_ms;
    if (!retired_.empty() && released()) {
        std::erase_if(retired_, [this](profile::GenerationPtr& generation) {
            if (generation.use_count() != 1) return false;
            workers_->shared().auto_hosts.forget(*generation);
            garbage_.push_back(std::const_pointer_cast<profile::Generation>(std::move(generation)));
            return true;
        });
        if (!garbage_.empty()) {
            sweep_ = true;
            return;
        }
    }
    if (!std::exchange(sweep_, false)) return;
    garbage_ = lists_->take_unused();
}

// Whether all workers have; if not, they are asked once more.
bool Reloader::released() {
    if (release_ != nullptr && release_->left.load(std::memory_order_acquire) != 0) return false;
    const bool all = release_ != nullptr && release_->all;
    release_.reset();
    if (all) return true;
    release_ = std::make_shared<Release>();
    release_->left = static_cast<unsigned>(workers_->size());
    for (std::size_t i = 0; i < workers_->size(); i++) {
        (*workers_)[i].errands.add([release = release_](Worker& worker) {
            if (!worker.engine.drop_old_profiles()) release->all = false;
            release->left.fetch_sub(1, std::memory_order_acq_rel);
        });
        (*workers_)[i].bell.ring();
    }
    return false;
}

} // namespace nfqws2::app
