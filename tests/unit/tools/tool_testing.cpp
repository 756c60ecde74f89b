#include "tool_testing.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <getopt.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nfqws2::tools::testing {

TempFile::TempFile(const std::string& content) {
    path_ = ::testing::TempDir() + "nfqws2-tools-XXXXXX";
    fd_ = mkstemp(path_.data());
    EXPECT_GE(fd_, 0);
    EXPECT_EQ(write(fd_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
    lseek(fd_, 0, SEEK_SET);
}

TempFile::~TempFile() {
    close(fd_);
    unlink(path_.c_str());
}

std::string TempFile::content() const {
    std::string out;
    char block[4096];
    off_t at = 0;
    for (ssize_t n; (n = pread(fd_, block, sizeof(block), at)) > 0; at += n)
        out.append(block, static_cast<std::size_t>(n));
    return out;
}

ToolResult run_tool(ToolMain tool_main, const std::vector<std::string>& arguments,
                    const std::string& input, const std::string& stdout_path) {
    const TempFile in(input);
    const TempFile out;
    const TempFile err;
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        const int out_fd = stdout_path.empty() ? out.fd() : open(stdout_path.c_str(), O_WRONLY);
        dup2(in.fd(), STDIN_FILENO);
        dup2(out_fd, STDOUT_FILENO);
        dup2(err.fd(), STDERR_FILENO);
        std::vector<std::string> words{"tool"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        optind = 0;
        const int code = tool_main(static_cast<int>(words.size()), argv.data());
        std::fflush(nullptr);
        _exit(code);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, out.content(), err.content()};
}

std::string lines(const std::string& words) {
    std::string out = words;
    for (char& c : out)
        if (c == ' ') c = '\n';
    return out.empty() ? out : out + '\n';
}

} // namespace nfqws2::tools::testing
