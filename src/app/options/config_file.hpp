// The words of a configuration file.
#pragma once

#include "options/arguments.hpp"

#include <string>
#include <vector>

namespace nfqws2::app {

// Words of a configuration text after POSIX expansion
// (docs/contracts/command-line.md#config-files). `file` is only for messages. Throws ConfigError.
std::vector<Word> expand_config(std::string text, const std::string& file,
                                std::vector<std::string>* remarks = nullptr);

// The text cut at line ends outside of quotes and expansions, so that a word can be traced to a
// line; comment lines are blanked. Line numbers count from 1. The lines of comments in which there
// are options, which the compatible program would execute, are added to *with_options.
std::vector<Word> split_config_lines(const std::string& text,
                                     std::vector<unsigned>* with_options = nullptr);

} // namespace nfqws2::app
