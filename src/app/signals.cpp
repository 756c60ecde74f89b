// Theory of operation: a handler sets its flag, prints the one line that must come even if the main
// loop is stuck in a script, and writes to an eventfd that the loop polls beside its other source.
// The first INT or TERM also restores the default action of both, so that a second one ends a
// process whose compiled Lua code cannot be interrupted.
#include "nfqws2/app/signals.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/engine/engine.hpp"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <string_view>
#include <sys/eventfd.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

volatile std::sig_atomic_t quit_flag = 0, hup_flag = 0, usr1_flag = 0, usr2_flag = 0;
volatile std::sig_atomic_t wake_descriptor = -1;
engine::Engine* running_engine = nullptr;

void print(std::string_view text) {
    // Nothing can be done in a handler if stdout does not take it.
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
}

void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_descriptor, &one, sizeof one);
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
    quit_flag = 1;
    print(signal == SIGINT ? "INT received !\n" : "TERM received !\n");
    if (running_engine != nullptr) running_engine->interrupt();
    wake();
    errno = saved_errno;
}

void on_request(int signal) {
    const int saved_errno = errno;
    if (quit_flag == 0) {
        if (signal == SIGHUP) hup_flag = 1;
        if (signal == SIGUSR1) usr1_flag = 1;
        if (signal == SIGUSR2) usr2_flag = 1;
        wake();
    }
    errno = saved_errno;
}

bool take(volatile std::sig_atomic_t& flag) {
    if (flag == 0 || quit_flag != 0) return false;
    flag = 0;
    return true;
}

} // namespace

Signals::Signals(engine::Engine& engine) : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_) log::os_error("eventfd", errno);
    for (auto* flag : {&quit_flag, &hup_flag, &usr1_flag, &usr2_flag})
        *flag = 0;
    wake_descriptor = wake_.get();
    running_engine = &engine;
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
    running_engine = nullptr;
    wake_descriptor = -1;
}

bool Signals::quit() const {
    return quit_flag != 0;
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

void Signals::drain_wake_fd() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof count);
}

bool Signals::wait(int fd, int timeout_ms) {
    pollfd fds[2] = {{wake_.get(), POLLIN, 0}, {fd, POLLIN, 0}};
    if (poll(fds, fd >= 0 ? 2 : 1, timeout_ms) <= 0) return false;
    if (fds[0].revents != 0) drain_wake_fd();
    return fd >= 0 && fds[1].revents != 0;
}

} // namespace nfqws2::app
