// The commands of the control socket (docs/control.md), a file each.
#pragma once

#include "nfqws2/control/command.hpp"
#include "options/config.hpp"
#include "run/workers.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2::app {

class LogKeeper;
class Reloader;

// What is told of the start, which nothing else keeps.
struct StartFacts {
    std::string config;  // file that the options came from, "" = command line
    std::string control; // path of the socket
    int landlock = 0;    // version, 0 = none
    bool seccomp = false;
    std::int64_t unix_s = 0, boot_ms = 0; // when
};

// Whom they are about. All of it outlives the answers.
struct Subject {
    const Config& config;
    Workers& workers;
    profile::ListStore& lists;
    LogKeeper& log;
    const StartFacts& start;
    bool& tracing; // somebody does
    Reloader& reloader;
};

// Tells everybody which of these there are for them.
control::Command hello_command(std::vector<std::pair<std::string, control::Access>> commands);
control::Command rules_command(const Subject& subject);
control::Command marks_command(const Subject& subject);
control::Command status_command(const Subject& subject);
control::Command counters_command(const Subject& subject);
control::Command metrics_command(const Subject& subject);
control::Command flows_command(const Subject& subject);
control::Command hosts_command(const Subject& subject);
control::Command learn_command(const Subject& subject);
control::Command lua_command(const Subject& subject);
control::Command lists_command(const Subject& subject);
control::Command find_command(const Subject& subject);
control::Command log_command(const Subject& subject);
control::Command trace_command(const Subject& subject);
control::Command reload_command(const Subject& subject);
control::Command stop_command(const Subject& subject);

// Code from outside, in the state of the first worker or of all; between packets. The error of the
// first, "" if there is none; those of others are logged.
std::string run_code(Workers& workers, const std::string& name, const std::string& code, bool all);

// Field `limit` of a request for a list: 0 = all; default 1000.
std::uint64_t limit_of(const control::Request& request);

// Line with "end" and how many things came before it; of a list that may be cut off, whether there
// are more.
std::string end_line(std::uint64_t count, std::optional<bool> more = std::nullopt);

} // namespace nfqws2::app
