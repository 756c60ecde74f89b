// The grammar of getopt_long_only(3), see docs/contracts/command-line.md#grammar: single or double
// dash, unambiguous prefixes, permuted non-option words. Knows nothing of the options.
#pragma once

#include "options/arguments.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nfqws2::app {

enum class Arg : std::uint8_t { none, required, optional };

struct OptionName {
    const char* name;
    Arg arg;
    // Options the compatible program does not have: an abbreviation means one of them only if no
    // other option fits, so that no abbreviation in use becomes ambiguous.
    bool extension;
};

// The option that was probably meant by a name that none has, or "".
std::string_view nearest_option(std::string_view name, std::span<const OptionName> table);

struct ParsedOption {
    std::size_t index = 0;    // in the table
    std::size_t position = 0; // of the option's word
    std::optional<std::string> value;
};

class OptionParser {
  public:
    enum class Step : std::uint8_t { option, end, error };

    OptionParser(const Arguments& arguments, std::span<const OptionName> table,
                 bool stop_at_first_word);

    // The next option from the left.
    Step next();
    const ParsedOption& option() const { return option_; }
    const std::string& error() const { return error_; } // without program name and place
    // Positions of the words that are neither options nor their values.
    const std::vector<std::size_t>& ignored() const { return ignored_; }
    // Of the first word behind the "--" that ended the options, if there is one.
    std::optional<std::size_t> behind_options() const { return behind_options_; }

  private:
    Step parse_word(const std::string& word);
    Step fail(std::string text);
    std::optional<std::size_t> find(const std::string& name, std::vector<std::size_t>& candidates,
                                    bool extension) const;
    std::string hint(const std::string& name) const;

    const Arguments& arguments_;
    std::span<const OptionName> table_;
    bool stop_at_first_word_;
    std::size_t next_ = 0;
    ParsedOption option_;
    std::string error_;
    std::vector<std::size_t> ignored_;
    std::optional<std::size_t> behind_options_;
};

} // namespace nfqws2::app
