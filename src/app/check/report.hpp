// What --check found: messages that point at the option they are about.
#pragma once

#include "options/arguments.hpp"
#include "options/parse_state.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::app {

// What is looked at: 1, 2, ..., 0.
using Profiles = std::vector<std::unique_ptr<profile::Profile>>;

enum class Level : std::uint8_t { error, warning, notice };
const char* name(Level level);

struct Finding {
    Level level = Level::error;
    std::optional<std::size_t> position; // of the option, counted from 0
    std::string option;                  // its name without dashes, "" if not about one
    std::string text;
};

class Report {
  public:
    // Both must outlive the report.
    Report(const Arguments& arguments, const ParseState& state)
        : arguments_(arguments), state_(state) {}

    void add(Level level, std::optional<std::size_t> position, std::string text);
    bool has_errors() const { return count(Level::error) != 0; }
    const std::vector<Finding>& findings() const { return findings_; }

    // In the order of the options; ends with a newline.
    std::string text();
    std::string json();

  private:
    std::size_t count(Level level) const;
    void sort();

    const Arguments& arguments_;
    const ParseState& state_;
    std::vector<Finding> findings_;
};

// " (did you mean 'X'?)", or "" if nothing known is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

} // namespace nfqws2::app
