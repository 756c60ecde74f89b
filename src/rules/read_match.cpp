#include "read_match.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::rules {
namespace {

enum class Takes : std::uint8_t { plain, table, either };
struct MatchWord {
    std::string_view name;
    Takes takes;
    match::Got (*read)(const match::Context& c, const Node& node);
};
constexpr MatchWord words[] = {
    {"connmark", Takes::table, match::read_mark},
    {"ctmark", Takes::plain, match::read_connection_mark},
    {"ctstate", Takes::plain, match::read_connection_state},
    {"dhmark", Takes::table, match::read_mark},
    {"dir", Takes::plain, match::read_direction},
    {"dport", Takes::plain, match::read_port},
    {"dst", Takes::plain, match::read_address},
    {"frag", Takes::plain, match::read_fragment},
    {"fwmark", Takes::plain, match::read_firewall_mark},
    {"geoip", Takes::table, match::read_geo},
    {"hmark", Takes::table, match::read_mark},
    {"icmp", Takes::table, match::read_icmp},
    {"icmp6", Takes::table, match::read_icmp},
    {"ifin", Takes::plain, match::read_interface},
    {"ifout", Takes::plain, match::read_interface},
    {"len", Takes::table, match::read_length},
    {"mark", Takes::either, match::read_local_mark},
    {"protocol", Takes::plain, match::read_protocol},
    {"pset", Takes::table, match::read_set},
    {"sdhmark", Takes::table, match::read_mark},
    {"sdmark", Takes::table, match::read_mark},
    {"seq", Takes::table, match::read_sequence},
    {"spi", Takes::plain, match::read_spi},
    {"sport", Takes::plain, match::read_port},
    {"src", Takes::plain, match::read_address},
    {"tcpflags", Takes::table, match::read_flags},
    {"tcpmss", Takes::plain, match::read_mss},
    {"tcpopts", Takes::table, match::read_options},
    {"tcpws", Takes::plain, match::read_window_scale},
    {"tdst", Takes::plain, match::read_address},
    {"tgeoip", Takes::table, match::read_geo},
    {"tpset", Takes::table, match::read_set},
    {"tspi", Takes::plain, match::read_spi},
    {"tsrc", Takes::plain, match::read_address},
    {"ttl", Takes::plain, match::read_ttl},
    {"verdict", Takes::table, match::read_verdict},
};

// A table with one key.
const Member* only_member(const Values& values, const Node& node) {
    if (node.is(Node::Kind::table) && node.members.size() == 1) return &node.members.front();
    values.findings().error(node.at, "a match is a table with one key, such as { dport = 53 }");
    return nullptr;
}

bool read_one(Build& build, const Names& names, const Node& node, bool inverted,
              std::vector<Test>& tests) {
    const Values& values = build.values;
    const Member* member = only_member(values, node);
    if (member == nullptr) return false;
    if (member->key == "not") {
        if (!inverted) return read_one(build, names, member->value, true, tests);
        values.findings().error(member->at, "'not' in a 'not'");
        return false;
    }
    const auto* found = std::ranges::find(words, std::string_view(member->key), &MatchWord::name);
    if (found == std::end(words)) {
        std::vector<std::string_view> known = match_words();
        known.push_back("not");
        values.unknown_word(member->at, member->key, "match", known);
        return false;
    }
    const bool table = member->value.is(Node::Kind::table);
    if (table != (found->takes == Takes::table) && found->takes != Takes::either) {
        values.wrong_kind(member->value,
                          found->takes == Takes::table ? "a table of arguments" : "a plain value");
        return false;
    }
    match::Got got = found->read({build, values, names, found->name}, member->value);
    if (!got) return false;
    tests.push_back({inverted, std::move(*got)});
    return true;
}

} // namespace

std::vector<std::string_view> match_words() {
    std::vector<std::string_view> names;
    for (const MatchWord& word : words)
        names.push_back(word.name);
    return names;
}

bool read_matches(Build& build, const Names& names, const Node& list, std::vector<Test>& tests) {
    if (!list.is(Node::Kind::array)) {
        build.values.wrong_kind(list, "an array of matches");
        return false;
    }
    bool good = true;
    for (const Node& item : list.items)
        good = read_one(build, names, item, false, tests) && good;
    return good;
}

} // namespace nfqws2::rules
