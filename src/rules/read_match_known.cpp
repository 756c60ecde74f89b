#include "read_match.hpp"

#include <utility>

namespace nfqws2::rules::match {

namespace {

std::optional<End> read_end(const Context& c, Members& members) {
    static constexpr Word words[] = {{"src", 0}, {"dst", 1}};
    const Node* what = members.take("what");
    if (what == nullptr) return End::source;
    const auto value = c.values.word(*what, words, "address");
    return value ? std::optional(static_cast<End>(*value)) : std::nullopt;
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
    if (c.names.any) return 0;
    std::vector<std::string_view> known;
    for (const auto& [known_name, index] : c.names.local_sets)
        known.push_back(known_name);
    for (const auto& [known_name, index] : c.names.global_sets)
        known.push_back(known_name);
    c.values.unknown_word(name.at, name.text, "set", known);
    return std::nullopt;
}

} // namespace

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

namespace {

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

} // namespace

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
    if (!c.names.any && !GeoDatabases::available(&why_not)) {
        c.values.findings().error(node.at, why_not);
        return std::nullopt;
    }
    if (!good) return std::nullopt;
    return out;
}

namespace {

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

} // namespace

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

namespace {

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

} // namespace

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

} // namespace nfqws2::rules::match
