#include "process.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nfqws2::probe {

namespace {

[[noreturn]] void become(const std::vector<char*>& argv, int input, int output, int errors,
                         pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    std::signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], argv.data());
    _exit(127);
}

pid_t wait_for(pid_t pid, int& status, int flags) {
    pid_t ended = 0;
    do {
        ended = waitpid(pid, &status, flags);
    } while (ended < 0 && errno == EINTR);
    return ended;
}

} // namespace

Process::Process(const Words& words, int output, int errors) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const auto& word : words) {
        argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    const FileDescriptor input(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) {
        become(argv, input.get(), output, errors, parent);
    }
}

Process& Process::operator=(Process&& o) noexcept {
    if (this != &o) {
        stop();
        pid_ = std::exchange(o.pid_, -1);
        status_ = o.status_;
    }
    return *this;
}

bool Process::alive() {
    if (pid_ > 0 && wait_for(pid_, status_, WNOHANG) != 0) {
        pid_ = -1;
    }
    return pid_ > 0;
}

void Process::stop() {
    if (alive()) {
        kill(pid_, SIGKILL);
        wait();
    }
}

int Process::wait() {
    if (pid_ > 0) {
        wait_for(std::exchange(pid_, -1), status_, 0);
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

} // namespace nfqws2::probe
