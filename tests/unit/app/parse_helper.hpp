// Parses a command line in the test process and keeps what it said.
#pragma once

#include "app/options/command_line.hpp"
#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/log.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace nfqws2::app {

class Parsed {
  public:
    explicit Parsed(const std::vector<std::string>& words) : lists_(clock_), state(lists_) {
        arguments_.program = "nfqws2";
        for (const auto& word : words)
            arguments_.words.push_back({word, 0});
        run();
    }
    Parsed(const std::string& file, const std::vector<Word>& words)
        : arguments_{"x", file, words}, lists_(clock_), state(lists_) {
        run();
    }
    ~Parsed() { log::set_target_none(); }

    const Config& config() const { return state.config; }
    profile::ListStore& lists() { return lists_; }
    bool good() const { return !code && finish_error.empty(); }

  private:
    void run() {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        code = parse_options(arguments_, state);
        if (!code) {
            try {
                finish_config(state);
            } catch (const ConfigError& e) {
                finish_error = e.what();
            }
        }
        std::fflush(nullptr);
        out = testing::internal::GetCapturedStdout();
        err = testing::internal::GetCapturedStderr();
    }

    Arguments arguments_;
    RealClock clock_;
    profile::ListStore lists_;

  public:
    ParseState state;
    std::optional<int> code; // of parse_options
    std::string finish_error, out, err;
};

// A directory of its own for one test.
class TempDir {
  public:
    TempDir() {
        char name[] = "/tmp/nfqws2_app_XXXXXX";
        path_ = mkdtemp(name);
    }
    ~TempDir() { std::filesystem::remove_all(path_); }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    std::string file(const std::string& name, const std::string& content) const {
        std::ofstream(*this / name, std::ios::binary) << content;
        return *this / name;
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace nfqws2::app
