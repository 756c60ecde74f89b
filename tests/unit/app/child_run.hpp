// The whole program in a child process, because it gives up its privileges for good.
#pragma once

#include "app/program.hpp"

#include "parse_helper.hpp"

#include <fcntl.h>
#include <functional>
#include <sstream>
#include <sys/wait.h>

namespace nfqws2::app {

struct ChildResult {
    int code = -1;  // exit code
    int signal = 0; // that ended it
    std::string out, err;
};

inline std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// Runs `body` in a child with its output in files; `watch` gets the child's id meanwhile.
inline ChildResult in_child(const TempDir& dir, const std::function<int()>& body,
                            const std::function<void(pid_t)>& watch = {}) {
    const std::string out = dir / "stdout", err = dir / "stderr";
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        const int flags = O_WRONLY | O_CREAT | O_TRUNC;
        dup2(open(out.c_str(), flags, 0600), 1);
        dup2(open(err.c_str(), flags, 0600), 2);
        const int code = body();
        std::fflush(nullptr);
        _exit(code);
    }
    if (watch) watch(child);
    int status = 0;
    waitpid(child, &status, 0);
    ChildResult result;
    if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    result.out = read_text(out);
    result.err = read_text(err);
    return result;
}

// nfqws2 with these arguments. As root it stays root (without rights), so that it can read the
// files of the test, unless the arguments say otherwise.
inline ChildResult run_nfqws2(const TempDir& dir, std::vector<std::string> words,
                              const std::function<void(pid_t)>& watch = {}) {
    const auto body = [&] {
        std::vector<const char*> argv{"./nfqws2"};
        for (const std::string& word : words)
            argv.push_back(word.c_str());
        return run_program(static_cast<int>(argv.size()), argv.data());
    };
    return in_child(dir, body, watch);
}

inline bool is_root() {
    return geteuid() == 0;
}

// Puts "--uid=0:0" before the others if that is needed to read the test's files.
inline std::vector<std::string> as_owner(std::vector<std::string> words) {
    if (is_root()) words.insert(words.begin(), "--uid=0:0");
    return words;
}

} // namespace nfqws2::app
