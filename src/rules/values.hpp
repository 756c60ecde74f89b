// Values of a rules file: each reader says what is wrong with its place, and gives nothing then.
#pragma once

#include "findings.hpp"
#include "program.hpp"
#include "words.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

// Bounds of a number, and what it is called in messages.
struct Bounds {
    std::uint64_t least, most;
};

class Values {
  public:
    explicit Values(Findings& findings) : findings_(findings) {}

    std::optional<std::uint64_t> number(const Node& node, Bounds bounds) const;
    // A number or "A-B".
    std::optional<Range32> range(const Node& node, Bounds bounds) const;
    // Nanoseconds: seconds as a number, or text with a unit.
    std::optional<std::int64_t> duration(const Node& node) const;
    std::optional<Range<std::int64_t>> duration_range(const Node& node) const; // "A-B"
    std::optional<std::uint64_t> rate(const Node& node) const;                 // with k, M, G
    std::optional<Prefix> prefix(const Node& node) const;
    std::optional<std::vector<Prefix>> prefixes(const Node& node) const; // one or an array
    std::optional<std::uint32_t> word(const Node& node, Words words, const char* what) const;
    // One or an array; the values or-ed.
    std::optional<std::uint32_t> word_bits(const Node& node, Words words, const char* what) const;
    std::optional<std::string> text(const Node& node) const;
    std::optional<bool> boolean(const Node& node) const;
    std::optional<std::string> name(const Node& node) const; // 1..64 of [A-Za-z0-9_.-]

    void wrong_kind(const Node& node, const char* wanted) const;
    // Names what was meant, or all that is known if that is little.
    void unknown_word(Place at, std::string_view word, const char* what,
                      const std::vector<std::string_view>& known) const;
    Findings& findings() const { return findings_; }

    // An array's items, or the value itself.
    static std::vector<const Node*> each(const Node& node);

  private:
    std::optional<std::int64_t> duration_text(const Node& node, std::string_view text) const;

    Findings& findings_;
};

bool is_name(std::string_view text);
std::optional<std::uint64_t> parse_number(std::string_view text); // decimal or 0x

// The members of a table: each is taken by the reader that knows it, the rest are errors.
class Members {
  public:
    Members(const Values& values, const Node& table, std::string what);
    const Node* take(std::string_view key); // nullptr if absent
    const Node* need(std::string_view key); // an error if absent
    void finish();                          // says which are unknown
  private:
    const Values& values_;
    const Node& table_;
    std::string what_;
    std::vector<std::string_view> known_;
};

} // namespace nfqws2::rules
