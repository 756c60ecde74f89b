// Runs a piece of code in a child process, since what the sandbox takes away cannot be had back.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace nfqws2::sandbox::test {

struct ChildResult {
    int signal = 0; // that ended it, 0 if none
    int status = -1;
    std::string output; // what it wrote to `out`
};

// `action(out)` returns the exit status.
template <class Action> ChildResult in_child(Action action) {
    int pipe_fds[2];
    if (pipe(pipe_fds) < 0) return {};
    std::fflush(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
        close(pipe_fds[0]);
        _exit(action(pipe_fds[1]));
    }
    close(pipe_fds[1]);
    ChildResult result;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(pipe_fds[0], buffer, sizeof(buffer))) > 0;)
        result.output.append(buffer, static_cast<std::size_t>(n));
    close(pipe_fds[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    if (WIFEXITED(status)) result.status = WEXITSTATUS(status);
    return result;
}

} // namespace nfqws2::sandbox::test
