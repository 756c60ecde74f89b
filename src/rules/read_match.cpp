#include "base64.hpp"
#include "reader.hpp"

#include "nfqws2/base/bytes.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::rules {
namespace {

using Got = std::optional<Condition>;

struct Context {
    Build& build;
    const Values& values;
    const Names& names;
    std::string_view word; // of the match
};

constexpr Bounds any32{0, 0xFFFFFFFF};

std::optional<End> read_end(const Context& c, Members& members) {
    static constexpr Word words[] = {{"src", 0}, {"dst", 1}};
    const Node* what = members.take("what");
    if (what == nullptr) return End::source;
    const auto value = c.values.word(*what, words, "address");
    return value ? std::optional(static_cast<End>(*value)) : std::nullopt;
}

Got read_address(const Context& c, const Node& node) {
    auto prefixes = c.values.prefixes(node);
    if (!prefixes) return std::nullopt;
    const bool source = c.word == "src" || c.word == "tsrc";
    return test::Address{source ? End::source : End::destination, c.word.front() == 't',
                         std::move(*prefixes)};
}

Got read_port(const Context& c, const Node& node) {
    test::Port out;
    out.end = c.word == "sport" ? End::source : End::destination;
    bool good = true;
    for (const Node* item : Values::each(node)) {
        const auto range = c.values.range(*item, {0, 65535});
        if (range)
            out.ports.push_back(
                {static_cast<std::uint16_t>(range->low), static_cast<std::uint16_t>(range->high)});
        good = good && range;
    }
    if (good && out.ports.empty())
        c.values.findings().error(node.at, "at least one port is needed here");
    if (!good || out.ports.empty()) return std::nullopt;
    return out;
}

Got read_protocol(const Context& c, const Node& node) {
    const auto bits = c.values.word_bits(node, protocol_words(), "protocol");
    if (!bits) return std::nullopt;
    return test::Protocol{*bits};
}

Got read_ttl(const Context& c, const Node& node) {
    const auto range = c.values.range(node, {0, 255});
    if (!range) return std::nullopt;
    return test::Ttl{*range};
}

// Arguments `level` and `elm`. False: said.
bool read_part(const Context& c, Members& members, Layer& layer, Element& element) {
    bool good = true;
    if (const Node* level = members.take("level")) {
        const auto value = c.values.word(*level, layer_words(), "level");
        if (value) layer = static_cast<Layer>(*value);
        good = value.has_value();
    }
    if (const Node* elm = members.take("elm")) {
        const auto value = c.values.word(*elm, element_words(), "element");
        if (value) element = static_cast<Element>(*value);
        good = good && value;
    }
    return good;
}

Got read_length(const Context& c, const Node& node) {
    Members members(c.values, node, "'len'");
    test::Length out;
    const Node* len = members.need("len");
    bool good = read_part(c, members, out.layer, out.element);
    members.finish();
    const auto range = len != nullptr ? c.values.range(*len, {0, 65535}) : std::nullopt;
    if (!good || !range) return std::nullopt;
    out.values = *range;
    return out;
}

Got read_fragment(const Context& c, const Node& node) {
    const auto kind = c.values.word(node, fragment_words(), "kind of fragment");
    if (!kind) return std::nullopt;
    return test::Fragment{static_cast<FragmentKind>(*kind)};
}

// `left` names members of the mask `right`.
std::optional<std::pair<std::uint32_t, std::uint32_t>>
read_masked(const Context& c, const Node& node, const char* left, const char* right, Words words,
            const char* what, std::optional<std::uint32_t> default_mask) {
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* set = members.need(left);
    const Node* mask = default_mask ? members.take(right) : members.need(right);
    members.finish();
    if (set == nullptr || (mask == nullptr && !default_mask)) return std::nullopt;
    const auto set_bits = c.values.word_bits(*set, words, what);
    const auto mask_bits = mask != nullptr ? c.values.word_bits(*mask, words, what) : default_mask;
    if (!set_bits || !mask_bits) return std::nullopt;
    if ((*set_bits & ~*mask_bits) != 0) {
        c.values.findings().error(set->at, std::string("'") + left + "' names what '" + right +
                                               "' does not: it would never hold");
        return std::nullopt;
    }
    return std::pair(*set_bits, *mask_bits);
}

Got read_flags(const Context& c, const Node& node) {
    const auto got = read_masked(c, node, "flags", "mask", tcp_flag_words(), "TCP flag", 0xFF);
    if (!got) return std::nullopt;
    return test::Flags{static_cast<std::uint8_t>(got->first),
                       static_cast<std::uint8_t>(got->second)};
}

// Option names in any case.
Node in_capitals(const Node& node) {
    Node copy = node;
    for (char& letter : copy.text)
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    for (Node& item : copy.items)
        item = in_capitals(item);
    for (Member& member : copy.members)
        member.value = in_capitals(member.value);
    return copy;
}

Got read_options(const Context& c, const Node& node) {
    const auto got = read_masked(c, in_capitals(node), "set", "mask", tcp_option_words(),
                                 "TCP option", std::nullopt);
    if (!got) return std::nullopt;
    return test::Options{static_cast<std::uint16_t>(got->first),
                         static_cast<std::uint16_t>(got->second)};
}

Got read_mss(const Context& c, const Node& node) {
    const auto range = c.values.range(node, {1, 65535});
    if (!range) return std::nullopt;
    return test::Mss{*range};
}

Got read_window_scale(const Context& c, const Node& node) {
    const auto range = c.values.range(node, {0, 255});
    if (!range) return std::nullopt;
    return test::WindowScale{*range};
}

// A type by word or number; `code` is set by words that stand for a type with a code.
bool read_icmp_type(const Context& c, const Node& node, test::Icmp& out) {
    if (node.is(Node::Kind::integer)) {
        const auto number = c.values.number(node, {0, 255});
        if (number) out.types.push_back(static_cast<std::uint8_t>(*number));
        return number.has_value();
    }
    if (out.protocol != 1) {
        const auto value = c.values.word(node, icmp6_words(), "ICMPv6 type");
        if (value) out.types.push_back(static_cast<std::uint8_t>(*value));
        return value.has_value();
    }
    const auto text = c.values.text(node);
    if (!text) return false;
    std::vector<std::string_view> known;
    for (const IcmpWord& word : icmp_words()) {
        known.push_back(word.name);
        if (word.name != *text) continue;
        out.types.push_back(word.type);
        if (word.code >= 0) out.code = static_cast<std::uint8_t>(word.code);
        return true;
    }
    c.values.unknown_word(node.at, *text, "ICMP type", known);
    return false;
}

bool read_icmp_code(const Context& c, const Node& node, test::Icmp& out) {
    if (out.types.size() != 1 || out.code) {
        c.values.findings().error(node.at, "a code needs one type");
        return false;
    }
    const Words words = out.protocol == 1 ? icmp_code_words(out.types.front()) : Words();
    if (node.is(Node::Kind::text) && !words.empty()) {
        const auto code = c.values.word(node, words, "code of this type");
        if (code) out.code = static_cast<std::uint8_t>(*code);
    } else if (const auto code = c.values.number(node, {0, 255})) {
        out.code = static_cast<std::uint8_t>(*code);
    }
    return out.code.has_value();
}

Got read_icmp(const Context& c, const Node& node) {
    test::Icmp out;
    out.protocol = c.word == "icmp" ? 1 : 58;
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* type = members.need("type");
    const Node* code = members.take("code");
    members.finish();
    if (type == nullptr) return std::nullopt;
    bool good = true;
    for (const Node* item : Values::each(*type))
        good = read_icmp_type(c, *item, out) && good;
    if (good && out.types.empty()) {
        c.values.findings().error(type->at, "at least one type is needed here");
        good = false;
    }
    if (good && out.code && out.types.size() > 1) {
        c.values.findings().error(type->at, "'ttl' and 'defrag' stand alone: they name a code");
        good = false;
    }
    if (!good || (code != nullptr && !read_icmp_code(c, *code, out))) return std::nullopt;
    return out;
}

Got read_spi(const Context& c, const Node& node) {
    const auto range = c.values.range(node, any32);
    if (!range) return std::nullopt;
    return test::Spi{c.word == "tspi", *range};
}

std::optional<std::uint32_t> find_set(const Context& c, const Node& name,
                                      std::optional<std::uint32_t> kind) {
    const auto look = [&](const auto& sets) -> std::optional<std::uint32_t> {
        const auto found = sets.find(name.text);
        return found != sets.end() ? std::optional(found->second) : std::nullopt;
    };
    std::optional<std::uint32_t> found;
    if (kind != 1U) found = look(c.names.local_sets);
    if (!found && kind != 0U) found = look(c.names.global_sets);
    if (found) return found;
    std::vector<std::string_view> known;
    for (const auto& [known_name, index] : c.names.local_sets)
        known.push_back(known_name);
    for (const auto& [known_name, index] : c.names.global_sets)
        known.push_back(known_name);
    c.values.unknown_word(name.at, name.text, "set", known);
    return std::nullopt;
}

Got read_set(const Context& c, const Node& node) {
    static constexpr Word classes[] = {{"local", 0}, {"global", 1}};
    test::Set out;
    out.inner = c.word == "tpset";
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* name = members.need("name");
    const Node* kind = members.take("class");
    const Node* value = members.take("value");
    const auto end = read_end(c, members);
    members.finish();
    if (name == nullptr || !end) return std::nullopt;
    out.end = *end;
    std::optional<std::uint32_t> kind_number;
    if (kind != nullptr) {
        kind_number = c.values.word(*kind, classes, "class");
        if (!kind_number) return std::nullopt;
    }
    if (!c.values.text(*name)) return std::nullopt;
    const auto set = find_set(c, *name, kind_number);
    if (value != nullptr) {
        out.value = c.values.range(*value, any32);
        if (!out.value) return std::nullopt;
    }
    if (!set) return std::nullopt;
    out.set = *set;
    return out;
}

bool read_codes(const Context& c, const Node& node, bool continent, std::vector<GeoCode>& out) {
    bool good = true;
    for (const Node* item : Values::each(node)) {
        const auto text = c.values.text(*item);
        const GeoCode code = text ? GeoCode::of(*text) : GeoCode{};
        if (text && (!code || (continent && !is_continent_code(code)))) {
            c.values.findings().error(item->at,
                                      "'" + *text + "' is no " +
                                          (continent ? "continent: AF AN AS EU NA OC SA"
                                                     : "country: two capital letters are needed"));
        } else if (text && !continent && !is_country_code(code)) {
            c.values.findings().warn(item->at, "no country has the code '" + *text + "'");
        }
        if (code) out.push_back(code);
        good = good && code && (!continent || is_continent_code(code));
    }
    return good;
}

Got read_geo(const Context& c, const Node& node) {
    test::Geo out;
    out.inner = c.word == "tgeoip";
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* country = members.take("country");
    const Node* continent = members.take("continent");
    const auto end = read_end(c, members);
    members.finish();
    if (!end) return std::nullopt;
    out.end = *end;
    bool good = country == nullptr || read_codes(c, *country, false, out.countries);
    good = (continent == nullptr || read_codes(c, *continent, true, out.continents)) && good;
    if (good && out.countries.empty() && out.continents.empty()) {
        c.values.findings().error(node.at,
                                  "'" + std::string(c.word) + "' needs 'country' or 'continent'");
        return std::nullopt;
    }
    std::string why_not;
    if (!GeoDatabases::available(&why_not)) {
        c.values.findings().error(node.at, why_not);
        return std::nullopt;
    }
    if (!c.build.asks_geoip) {
        c.build.asks_geoip = true;
        c.build.geoip_at = node.at;
    }
    if (!good) return std::nullopt;
    return out;
}

// `age_op` and `age_value`.
bool read_age(const Context& c, const Node& node, const Node* op, const Node* value,
              MarkTest& out) {
    if (op != nullptr) {
        const auto word = c.values.word(*op, age_words(), "comparison");
        if (!word) return false;
        out.age_op = static_cast<AgeOp>(*word);
    }
    if (out.age_op == AgeOp::null) return true;
    if (value == nullptr) {
        c.values.findings().error(node.at, "'age_op' needs 'age_value'");
        return false;
    }
    if (out.age_op == AgeOp::bw) {
        const auto range = c.values.duration_range(*value);
        if (!range) return false;
        out.age_ns = range->low;
        out.age_to_ns = range->high;
        return true;
    }
    const auto one = c.values.duration(*value);
    if (one) out.age_ns = *one;
    return one.has_value();
}

Got read_mark(const Context& c, const Node& node) {
    static constexpr Word states[] = {{"valid", 0}, {"expired", 1}};
    test::Mark out;
    out.kind = static_cast<MarkKind>(*find_word(mark_kind_words(), c.word));
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* id = members.need("id");
    const Node* status = members.take("status");
    const Node* op = members.take("age_op");
    const Node* age = members.take("age_value");
    const Node* value = members.take("value");
    members.finish();
    bool good = id != nullptr;
    if (id != nullptr) {
        const auto number = c.values.number(*id, {1, 255});
        if (number) out.id = static_cast<std::uint8_t>(*number);
        good = number.has_value();
    }
    if (status != nullptr) {
        const auto word = c.values.word(*status, states, "status");
        good = good && word;
        out.asked.expired = word == 1U;
    }
    good = read_age(c, node, op, age, out.asked) && good;
    if (value != nullptr) {
        const auto range = c.values.range(*value, any32);
        good = good && range;
        out.asked.any_value = false;
        if (range) {
            out.asked.value_from = range->low;
            out.asked.value_to = range->high;
        }
    }
    if (!good) return std::nullopt;
    c.build.note_mark(out.kind, out.id, node.at, false);
    return out;
}

Got read_local_mark(const Context& c, const Node& node) {
    test::LocalMark out;
    if (!node.is(Node::Kind::table)) {
        const auto range = c.values.range(node, any32);
        if (!range) return std::nullopt;
        out.values = *range;
        return out;
    }
    Members members(c.values, node, "'mark'");
    const Node* value = members.need("value");
    const Node* mask = members.take("mask");
    members.finish();
    const auto range = value != nullptr ? c.values.range(*value, any32) : std::nullopt;
    const auto bits = mask != nullptr ? c.values.number(*mask, any32) : std::optional(any32.most);
    if (!range || !bits) return std::nullopt;
    out.values = *range;
    out.mask = static_cast<std::uint32_t>(*bits);
    return out;
}

Got read_verdict(const Context& c, const Node& node) {
    if (node.members.size() != 1) {
        c.values.findings().error(node.at, "'verdict' needs one of rate, ratelimit, sample and "
                                           "tcpauth");
        return std::nullopt;
    }
    const Member& member = node.members.front();
    const auto algorithm = find_word(algorithm_words(), member.key);
    if (!algorithm) {
        c.values.unknown_word(member.at, member.key, "algorithm", names_of(algorithm_words()));
        return std::nullopt;
    }
    test::Verdict out{static_cast<Algorithm>(*algorithm), 0};
    const auto bits =
        c.values.word_bits(member.value, outcome_words(out.algorithm), "value of this algorithm");
    if (!bits) return std::nullopt;
    out.any = static_cast<std::uint8_t>(*bits);
    c.build.note_algorithm(out.algorithm, node.at, false);
    return out;
}

std::optional<std::vector<std::uint8_t>> read_bytes(const Context& c, const Node& node,
                                                    const Node* seq, const Node* b64seq) {
    std::optional<std::vector<std::uint8_t>> bytes;
    if ((seq == nullptr) == (b64seq == nullptr)) {
        c.values.findings().error(node.at, "'seq' needs one of 'seq' and 'b64seq'");
        return std::nullopt;
    }
    const Node& from = seq != nullptr ? *seq : *b64seq;
    const auto text = c.values.text(from);
    if (!text) return std::nullopt;
    if (seq != nullptr) {
        const Bytes raw = as_bytes(*text);
        bytes.emplace(raw.begin(), raw.end());
    } else {
        bytes = from_base64(*text);
    }
    if (bytes && !bytes->empty() && bytes->size() <= 255) return bytes;
    c.values.findings().error(from.at,
                              bytes ? "1 to 255 bytes are needed here" : "this is not base64");
    return std::nullopt;
}

Got read_sequence(const Context& c, const Node& node) {
    test::Sequence out;
    Members members(c.values, node, "'seq'");
    const Node* seq = members.take("seq");
    const Node* b64seq = members.take("b64seq");
    const Node* range = members.take("range");
    const Node* repeat = members.take("repeat");
    const Node* distance = members.take("distance");
    bool good = read_part(c, members, out.layer, out.element);
    members.finish();
    auto bytes = read_bytes(c, node, seq, b64seq);
    if (range != nullptr) {
        const auto offsets = c.values.range(*range, {0, 65535});
        good = good && offsets;
        if (offsets) out.range = *offsets;
    }
    for (auto [from, to] : {std::pair(repeat, &out.repeat), std::pair(distance, &out.distance)}) {
        if (from == nullptr) continue;
        const auto number = c.values.number(*from, {0, 65535});
        good = good && number;
        if (number) *to = static_cast<std::uint32_t>(*number);
    }
    if (!good || !bytes) return std::nullopt;
    out.bytes = std::move(*bytes);
    return out;
}

Got read_direction(const Context& c, const Node& node) {
    static constexpr Word words[] = {{"out", 0}, {"in", 1}};
    const auto value = c.values.word(node, words, "direction");
    if (!value) return std::nullopt;
    return test::Direction{*value != 0};
}

Got read_interface(const Context& c, const Node& node) {
    auto name = c.values.text(node);
    if (!name) return std::nullopt;
    test::Interface out{c.word == "ifin", name->ends_with('*'), *name};
    if (out.prefix) out.name.pop_back();
    if (!out.name.empty() || out.prefix) return out;
    c.values.findings().error(node.at, "the name of an interface is needed here");
    return std::nullopt;
}

Got read_connection_state(const Context& c, const Node& node) {
    test::ConnectionState out;
    bool good = true;
    for (const Node* item : Values::each(node)) {
        const auto state = c.values.word(*item, connection_state_words(), "state of a connection");
        if (state) out.any.add(static_cast<packet::CtState>(*state));
        good = good && state;
    }
    if (good && out.any.empty())
        c.values.findings().error(node.at, "at least one state is needed here");
    if (!good || out.any.empty()) return std::nullopt;
    c.build.program.asks_connection = true;
    return out;
}

// VALUE or "VALUE/MASK".
std::optional<test::FirewallMark> read_mask(const Context& c, const Node& node) {
    test::FirewallMark out;
    if (!node.is(Node::Kind::text)) {
        const auto value = c.values.number(node, any32);
        if (!value) return std::nullopt;
        out.value = static_cast<std::uint32_t>(*value);
        return out;
    }
    const std::string_view text = node.text;
    const std::size_t slash = text.find('/');
    const auto value = parse_number(text.substr(0, slash));
    const auto mask = slash != std::string_view::npos ? parse_number(text.substr(slash + 1))
                                                      : std::optional(any32.most);
    if (!value || !mask || *value > any32.most || *mask > any32.most) {
        c.values.findings().error(node.at, "a mark VALUE or VALUE/MASK is needed here");
        return std::nullopt;
    }
    out.value = static_cast<std::uint32_t>(*value);
    out.mask = static_cast<std::uint32_t>(*mask);
    return out;
}

Got read_firewall_mark(const Context& c, const Node& node) {
    const auto mark = read_mask(c, node);
    return mark ? Got(*mark) : std::nullopt;
}

Got read_connection_mark(const Context& c, const Node& node) {
    const auto mark = read_mask(c, node);
    if (!mark) return std::nullopt;
    c.build.program.asks_connection = true;
    return test::ConnectionMark{mark->value, mark->mask};
}

enum class Takes : std::uint8_t { plain, table, either };
struct MatchWord {
    std::string_view name;
    Takes takes;
    Got (*read)(const Context& c, const Node& node);
};
constexpr MatchWord words[] = {
    {"connmark", Takes::table, read_mark},
    {"ctmark", Takes::plain, read_connection_mark},
    {"ctstate", Takes::plain, read_connection_state},
    {"dhmark", Takes::table, read_mark},
    {"dir", Takes::plain, read_direction},
    {"dport", Takes::plain, read_port},
    {"dst", Takes::plain, read_address},
    {"frag", Takes::plain, read_fragment},
    {"fwmark", Takes::plain, read_firewall_mark},
    {"geoip", Takes::table, read_geo},
    {"hmark", Takes::table, read_mark},
    {"icmp", Takes::table, read_icmp},
    {"icmp6", Takes::table, read_icmp},
    {"ifin", Takes::plain, read_interface},
    {"ifout", Takes::plain, read_interface},
    {"len", Takes::table, read_length},
    {"mark", Takes::either, read_local_mark},
    {"protocol", Takes::plain, read_protocol},
    {"pset", Takes::table, read_set},
    {"sdhmark", Takes::table, read_mark},
    {"sdmark", Takes::table, read_mark},
    {"seq", Takes::table, read_sequence},
    {"spi", Takes::plain, read_spi},
    {"sport", Takes::plain, read_port},
    {"src", Takes::plain, read_address},
    {"tcpflags", Takes::table, read_flags},
    {"tcpmss", Takes::plain, read_mss},
    {"tcpopts", Takes::table, read_options},
    {"tcpws", Takes::plain, read_window_scale},
    {"tdst", Takes::plain, read_address},
    {"tgeoip", Takes::table, read_geo},
    {"tpset", Takes::table, read_set},
    {"tspi", Takes::plain, read_spi},
    {"tsrc", Takes::plain, read_address},
    {"ttl", Takes::plain, read_ttl},
    {"verdict", Takes::table, read_verdict},
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
    Got got = found->read({build, values, names, found->name}, member->value);
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
