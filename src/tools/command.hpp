// What both tools share on the command line: exit codes, help, version, lenient numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::tools {

enum ExitCode : int {
    exit_done = 0,
    exit_usage = 1, // also --help
    exit_cannot_create = 5,
    exit_io = 10,
    exit_bad_reply = 11, // mdig; out of memory as well
    exit_no_threads = 12,
    exit_out_of_memory = 100, // ip2net
};

// "self-built version <date> <time>" or "github version <ver> (<hash>)".
std::string version_line();
int show_help(const char* usage);      // version and usage to stdout; returns exit_usage
int refuse_options(const char* usage); // usage to stderr, where it spoils no list; exit_usage

// The number after the slash of "10.0.0.0/8": decimal, an optional sign, junk behind it ignored.
// Negative and huge values come back as UINT32_MAX; nullopt if there is no number.
std::optional<std::uint32_t> scan_mask(std::string_view text);

} // namespace nfqws2::tools
