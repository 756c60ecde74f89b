// What is wrong or odd with a rules file, each with its place.
#pragma once

#include "nfqws2/rules/document.hpp"

#include <string>
#include <vector>

namespace nfqws2::rules {

class Findings {
  public:
    static constexpr std::size_t most_errors = 20;

    std::uint16_t add_file(std::string name);
    const std::string& file(std::uint16_t index) const { return files_[index]; }

    void error(Place at, const std::string& text);
    void warn(Place at, const std::string& text);
    bool failed() const { return !errors_.empty(); }
    bool full() const { return errors_.size() >= most_errors; }

    const std::vector<std::string>& errors() const { return errors_; }
    const std::vector<std::string>& warnings() const { return warnings_; }
    struct Positioned {
        Place at;
        std::string text;
    };
    const std::vector<Positioned>& positioned() const { return positioned_; } // errors

    // The rule that is being read: part of each message.
    std::string where;

  private:
    std::string line(Place at, const std::string& text) const;

    std::vector<std::string> files_, errors_, warnings_;
    std::vector<Positioned> positioned_;
};

// " (did you mean 'X'?)" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

} // namespace nfqws2::rules
