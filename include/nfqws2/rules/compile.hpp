// From a rules file to a program (docs/rules.md). Nothing is thrown for a bad file: the errors are
// lines for the user, "FILE:LINE:COLUMN: TEXT", at most 20.
#pragma once

#include "nfqws2/base/file.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

struct InForce;
struct Node;
struct Program;

struct Compiled {
    std::shared_ptr<const Program> program; // nullptr if there are errors
    std::vector<std::string> errors;
    std::vector<std::string> warnings;   // for --check
    std::vector<std::string> presets;    // "NAME: FILE", for --check
    std::vector<std::string> files;      // the file and what it includes
    std::vector<std::string> data_files; // sets and databases
    std::vector<std::string> databases;  // those of countries, in order
    struct Positioned {
        std::uint32_t line, column;
        std::string text;
    };
    std::vector<Positioned> positioned;     // the errors
    bool asks_connection = false;           // what --ct knows
    bool captures = false, exports = false; // some rule does
};

inline constexpr std::size_t largest_rules_file = 2 * 1024 * 1024;

bool in_this_build(); // whether rules can be read
Compiled compile_file(const std::string& path);
// As if it was the contents of a file of that name; includes are relative to it.
Compiled compile_text(std::string_view text, const std::string& name);
// Whether it could be used; no file is looked at, and `include` is an error. A document that was
// not read from a text has lines 0.
Compiled check_text(std::string_view text);
Compiled check_document(const Node& root);

// Opens the databases of rules, to be read later. Those that cannot be opened are none.
std::vector<FileDescriptor> open_databases(const Compiled& rules);
// Reads sets and databases as the start would, to look at them: it has no meters. nullptr: *error.
// `warnings`: bad lines of sets.
std::shared_ptr<const InForce> read_data(std::shared_ptr<const Program> program,
                                         std::vector<FileDescriptor> databases, std::string* error,
                                         std::vector<std::string>* warnings);

} // namespace nfqws2::rules
