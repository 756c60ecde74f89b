// The findings of --check about a command line, as lines.
#pragma once

#include "../parse_helper.hpp"
#include "app/check/argument_files.hpp"
#include "app/check/check_detectors.hpp"
#include "app/check/check_functions.hpp"
#include "app/check/check_instances.hpp"
#include "app/check/check_lists.hpp"
#include "app/check/check_nflua.hpp"
#include "app/check/check_profiles.hpp"
#include "app/check/check_strategies.hpp"
#include "app/check/check_words.hpp"

namespace nfqws2::app {

using Lines = std::vector<std::string>;

// The findings about a command line, one line each: "<level> <argument number>: <text>".
class Checked {
  public:
    explicit Checked(std::vector<std::string> words) : parsed_(with_queue(std::move(words))) {
        EXPECT_TRUE(parsed_.good()) << parsed_.err << parsed_.finish_error;
        EXPECT_TRUE(parsed_.lists().load_all());
        const Config& config = parsed_.config();
        check_lists(config, report);
        check_profiles(config.profiles, report);
        check_instances(
            config.profiles,
            {config.engine.server, !config.engine.ctrack_disable, config.engine.payload_disable},
            report);
    }
    Checked& functions(const LuaGlobals& globals) {
        check_functions(parsed_.config().profiles, globals, report);
        return *this;
    }
    Checked& detectors(const LuaGlobals& globals) {
        check_detectors(parsed_.config().profiles, globals, report);
        return *this;
    }
    Checked& files() {
        check_argument_files(parsed_.config().profiles, report);
        return *this;
    }
    Checked& strategies() {
        check_strategies(parsed_.config().profiles, report);
        return *this;
    }
    Checked& nflua() {
        check_nflua(parsed_.config().profiles, report);
        return *this;
    }
    Checked& words() {
        check_words(*parsed_.state.arguments, parsed_.state, report);
        return *this;
    }
    std::vector<std::string> findings() {
        report.text(); // sorts
        std::vector<std::string> lines;
        for (const Finding& f : report.findings()) {
            const char* level = f.level == Level::error     ? "error "
                                : f.level == Level::warning ? "warning "
                                                            : "notice ";
            lines.push_back(level + std::to_string(f.position.value_or(999)) + ": " + f.text);
        }
        return lines;
    }

  private:
    // So that the arguments of the test are numbered from 1.
    static std::vector<std::string> with_queue(std::vector<std::string> words) {
        words.insert(words.begin(), "--qnum=1");
        return words;
    }
    Arguments arguments_;
    Parsed parsed_;

  public:
    Report report{arguments_, parsed_.state};
};

inline std::vector<std::string> instances_of(std::vector<std::string> calls) {
    for (std::string& call : calls)
        call.insert(0, "--lua-desync=");
    return calls;
}

} // namespace nfqws2::app
