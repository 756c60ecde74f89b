// Theory of operation: a handler sets its flag, prints the one line that must come even if the main
// loop is stuck in a script, and rings the bells of the loops concerned. The first INT or TERM also
// restores the default action of both, so that a second one ends a process whose compiled Lua code
// cannot be interrupted.
#include "run/signals.hpp"

#include "nfqws2/engine/engine.hpp"
#include "run/bell.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <pthread.h>
#include <string_view>
#include <unistd.h>

namespace nfqws2::app {
namespace {

using Flag = std::atomic<bool>; // read by all loops
static_assert(Flag::is_always_lock_free);
Flag quit_flag, stop_flag, hup_flag, usr1_flag, usr2_flag;
std::atomic<int> wanted_exit_code;

struct Watched {
    engine::Engine* engine;
    const Bell* bell;
};
std::array<Watched, max_workers> watched;
std::atomic<std::size_t> watched_count; // a handler may run while one is being added

constexpr int handled[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

void print(std::string_view text) {
    // Nothing can be done in a handler if stdout does not take it.
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
}

void ring_all() {
    for (std::size_t i = 0; i < watched_count; i++)
        watched[i].bell->ring();
}

void set_action(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

void on_quit(int signal) {
    const int saved_errno = errno;
    set_action(SIGINT, SIG_DFL);
    set_action(SIGTERM, SIG_DFL);
    quit_flag = true;
    print(signal == SIGINT ? "INT received !\n" : "TERM received !\n");
    for (std::size_t i = 0; i < watched_count; i++)
        watched[i].engine->interrupt();
    ring_all();
    errno = saved_errno;
}

void on_request(int signal) {
    const int saved_errno = errno;
    if (!quit_flag) {
        if (signal == SIGHUP) hup_flag = true;
        if (signal == SIGUSR1) usr1_flag = true;
        if (signal == SIGUSR2) usr2_flag = true;
        if (watched_count != 0) watched[0].bell->ring();
    }
    errno = saved_errno;
}

bool take(Flag& flag) {
    if (!flag.load(std::memory_order_relaxed) || quit_flag) return false;
    flag = false;
    return true;
}

} // namespace

Signals::Signals() {
    for (Flag* flag : {&quit_flag, &stop_flag, &hup_flag, &usr1_flag, &usr2_flag})
        *flag = false;
    wanted_exit_code = 0;
    set_action(SIGINT, on_quit);
    set_action(SIGTERM, on_quit);
    set_action(SIGHUP, on_request);
    set_action(SIGUSR1, on_request);
    set_action(SIGUSR2, on_request);
    set_action(SIGPIPE, SIG_IGN);
}

Signals::~Signals() {
    set_action(SIGHUP, SIG_IGN);
    set_action(SIGUSR1, SIG_IGN);
    set_action(SIGUSR2, SIG_IGN);
    set_action(SIGINT, SIG_DFL);
    set_action(SIGTERM, SIG_DFL);
    watched_count = 0;
}

void Signals::watch(engine::Engine& engine, const Bell& bell) {
    watched[watched_count] = {&engine, &bell};
    watched_count++;
}

bool Signals::quit() const {
    return quit_flag.load(std::memory_order_relaxed) || stop_flag.load(std::memory_order_relaxed);
}

bool Signals::requested() const {
    return quit_flag;
}

void Signals::stop() {
    stop_flag = true;
    ring_all();
}

void Signals::quit_as_term() {
    quit_flag = true;
    for (std::size_t i = 0; i < watched_count; i++)
        watched[i].engine->interrupt();
    ring_all();
}

void Signals::quit_with(int exit_code) {
    wanted_exit_code = exit_code;
    quit_as_term();
}

int Signals::exit_code() const {
    return wanted_exit_code;
}

bool Signals::take_hup() {
    return take(hup_flag);
}

bool Signals::take_usr1() {
    return take(usr1_flag);
}

bool Signals::take_usr2() {
    return take(usr2_flag);
}

Signals::Blocked::Blocked() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : handled)
        sigaddset(&set, signal);
    sigaddset(&set, SIGALRM); // interrupts Lua code of the main thread
    pthread_sigmask(SIG_BLOCK, &set, &before_);
}

Signals::Blocked::~Blocked() {
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

} // namespace nfqws2::app
