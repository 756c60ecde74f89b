// A rules file as values that know their place: what the reader works with, whatever wrote the
// text. Small, so that the parser's own headers stay in one source (toml.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

struct Place {
    std::uint16_t file = 0; // of Findings::files
    std::uint32_t line = 1, column = 1;
};

struct Member;

struct Node {
    enum class Kind : std::uint8_t { table, array, text, integer, boolean, other };
    Kind kind = Kind::table;
    Place at;
    std::string text;         // text
    std::int64_t integer = 0; // integer; boolean as 0 and 1
    std::vector<Node> items;  // array
    std::vector<Member> members;

    bool is(Kind k) const { return kind == k; }
    const Member* find(std::string_view key) const;
};

struct Member {
    std::string key;
    Place at;
    Node value;
};

inline const Member* Node::find(std::string_view key) const {
    for (const Member& member : members)
        if (member.key == key) return &member;
    return nullptr;
}

// "a table", "text", ...: for messages.
const char* kind_name(Node::Kind kind);

struct SyntaxError {
    Place at;
    std::string text;
};
// False: `error` says why. `file` goes into all places.
bool parse_toml(std::string_view text, std::uint16_t file, Node& root, SyntaxError& error);
bool can_parse(); // this build can

} // namespace nfqws2::rules
