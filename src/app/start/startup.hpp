// Steps of the start that deal with files (docs/contracts/command-line.md#start-order). Each
// returns false after it has logged why the program must end.
#pragma once

#include "options/option_table.hpp"

namespace nfqws2::app {

// Numbers of profiles and templates, instances that drop everything; with debugging the instances
// of each profile.
void print_profiles(const Config& config);

// --writable: makes the directory, gives it to the target user, sets WRITABLE and WRITEABLE.
bool make_writable(Config& config);

// --state-dir: makes it and the folder of this queue, which belongs to the target user. A failure
// is logged and costs only that: "" then.
std::string make_state_directory(const Config& config);

// Log files and automatic host lists become the target user's. Failures are only logged.
void give_files_away(Config& config, profile::ListStore& lists);

// Can all lists, Lua files and files that arguments of functions name be read? If not, *culprit is
// the one that cannot.
bool test_files(const Config& config, const profile::ListStore& lists, std::string* culprit);

// Says which option has brought a file that cannot be used; nothing for "".
void blame_file(const std::string& path, const ParseState& state);
void blame_option(std::size_t position, const ParseState& state, const char* what);

// Environment EXEDIR: the directory of the program, for --chdir and scripts.
void set_exe_dir(const char* program);

// 0, 1 and 2 are open afterwards, so that no other file gets their numbers.
void keep_standard_descriptors();

} // namespace nfqws2::app
