// The words to parse and where each came from, so that a message can point at the culprit.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace nfqws2::app {

// A start-up failure whose text is ready to be shown.
class ConfigError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct Word {
    std::string text;
    unsigned line = 0; // of the configuration file; unused on the command line
};

struct Arguments {
    std::string program; // prefix of parser messages: argv[0], "x" for a configuration file
    std::string file;    // configuration file, "" = command line
    std::vector<Word> words;
    // The first words may have stood on the command line beside the file: their argument numbers.
    std::vector<std::size_t> beside = {};
    // What shall be said of the words: those beside the file that have no effect, comments.
    std::vector<std::string> remarks = {};

    // "argument 5" or "/etc/nfqws2.conf:12". Positions count from 0, argument numbers from 1.
    std::string where(std::size_t position) const;
};

// The command line as words or, when its first argument is @file or $file, the contents of that
// file. Beside it may stand what asks for an answer or for messages (--check, --explain, --debug
// and the like); with nothing but these @file need not be the first argument. Behind a first @file
// may also stand what a service gives its daemon (--qnum, --control, --control-group, --pidfile,
// --daemon). All of this comes before the words of the file, so the file wins. Throws ConfigError.
Arguments collect_arguments(int argc, const char* const* argv);
// The same again, of the words of a command line with the program's name.
Arguments collect_arguments(const std::vector<std::string>& line);

} // namespace nfqws2::app
