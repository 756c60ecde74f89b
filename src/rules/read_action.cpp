#include "reader.hpp"

#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::rules {
namespace {

using Got = std::optional<Action>;

struct Context {
    Build& build;
    const Values& values;
    const Names& names;
    std::string_view word; // of the action
};

constexpr Bounds any32{0, 0xFFFFFFFF};
constexpr Bounds ids{1, 255};
constexpr std::size_t most_counters = 4096;

constexpr Word level_words[] = {{"L3-L4", 1}, {"L3-L7", 0}};

template <typename A> Got read_bare(const Context&, const Node&) {
    return A{};
}

std::optional<std::uint8_t> read_id(const Context& c, const Node* node) {
    const auto id = node != nullptr ? c.values.number(*node, ids) : std::nullopt;
    return id ? std::optional(static_cast<std::uint8_t>(*id)) : std::nullopt;
}

Got read_level(const Context& c, const Node& node) {
    const auto level = c.values.word(node, level_words, "level");
    if (!level) return std::nullopt;
    return action::SetLevel{*level != 0};
}

// "01:23:45:67:89:ab"
std::optional<std::array<std::uint8_t, 6>> read_hardware_address(const Context& c,
                                                                 const Node& node) {
    const auto parts =
        node.is(Node::Kind::text) ? split(node.text, ':') : std::vector<std::string_view>();
    std::array<std::uint8_t, 6> out{};
    bool good = parts.size() == out.size();
    for (std::size_t i = 0; good && i < out.size(); i++) {
        const auto byte = from_hex(parts[i]);
        good = byte && byte->size() == 1;
        if (good) out[i] = byte->front();
    }
    if (good) return out;
    c.values.findings().error(node.at, "a hardware address such as 02:00:5e:10:00:00 is needed "
                                       "here");
    return std::nullopt;
}

Got read_pass(const Context& c, const Node& node) {
    static constexpr Word targets[] = {{"os", 0}, {"uh", 1}};
    Members members(c.values, node, "'pass'");
    const Node* to = members.need("to");
    const Node* level = members.take("level");
    const Node* vid = members.take("vid");
    const Node* mac = members.take("mac");
    members.finish();
    const auto target = to != nullptr ? c.values.word(*to, targets, "way") : std::nullopt;
    if (!target) return std::nullopt;
    action::Pass out;
    out.pipeline = *target != 0;
    if (level != nullptr) {
        const auto word = c.values.word(*level, level_words, "level");
        if (!word) return std::nullopt;
        out.shallow = *word != 0;
        if (!out.pipeline) {
            c.values.findings().error(level->at, "'level' goes with to = \"uh\"");
            return std::nullopt;
        }
    } else if (out.pipeline) {
        c.values.findings().error(node.at, "to = \"uh\" needs 'level'");
        return std::nullopt;
    }
    if (vid != nullptr) {
        const auto number = c.values.number(*vid, {0, 4095});
        if (!number) return std::nullopt;
        out.vlan = static_cast<std::uint16_t>(*number);
    }
    if (mac != nullptr) {
        out.mac = read_hardware_address(c, *mac);
        if (!out.mac) return std::nullopt;
    }
    return out;
}

Got read_goto(const Context& c, const Node& node) {
    const auto name = c.values.text(node);
    if (!name) return std::nullopt;
    const auto found = c.names.chains.find(*name);
    if (found != c.names.chains.end()) return action::Goto{found->second};
    std::vector<std::string_view> known;
    for (const auto& [known_name, index] : c.names.chains)
        known.push_back(known_name);
    c.values.unknown_word(node.at, *name, "chain", known);
    return std::nullopt;
}

Got read_stats(const Context& c, const Node& node) {
    std::optional<std::string> name;
    if (node.is(Node::Kind::integer)) {
        const auto number = c.values.number(node, any32);
        if (number) name = std::to_string(*number);
    } else {
        name = c.values.name(node);
    }
    if (!name) return std::nullopt;
    auto& counters = c.build.counters;
    const auto [at, fresh] =
        counters.try_emplace(*name, static_cast<std::uint32_t>(c.build.program.counters.size()));
    if (fresh) c.build.program.counters.push_back(*name);
    if (c.build.program.counters.size() > most_counters) {
        c.values.findings().error(node.at,
                                  "more than " + std::to_string(most_counters) + " counters");
        return std::nullopt;
    }
    return action::Count{at->second};
}

// `how` and `value` of all mark actions.
bool read_change(const Context& c, const Node& node, const Node* how, const Node* value,
                 MarkHow& out_how, std::uint32_t& out_value) {
    if (how != nullptr) {
        const auto word = c.values.word(*how, how_words(), "way to change a mark");
        if (!word) return false;
        out_how = static_cast<MarkHow>(*word);
    }
    const bool takes_value = out_how != MarkHow::inc && out_how != MarkHow::dec &&
                             out_how != MarkHow::bit_not && out_how != MarkHow::restore &&
                             out_how != MarkHow::save;
    if (value != nullptr && !takes_value) {
        c.values.findings().error(value->at, "'" + how->text + "' takes no 'value'");
        return false;
    }
    if (value != nullptr) {
        const auto number = c.values.number(*value, any32);
        if (!number) return false;
        out_value = static_cast<std::uint32_t>(*number);
    }
    if (out_how != MarkHow::div || out_value != 0) return true;
    c.values.findings().error(value != nullptr ? value->at : node.at, "a division by 0");
    return false;
}

Got read_local_mark(const Context& c, const Node& node) {
    Members members(c.values, node, "'mark'");
    const Node* how = members.take("how");
    const Node* value = members.take("value");
    members.finish();
    action::LocalMark out;
    if (!read_change(c, node, how, value, out.how, out.value)) return std::nullopt;
    return out;
}

Got read_stored_mark(const Context& c, const Node& node) {
    action::StoredMark out;
    out.kind = static_cast<MarkKind>(*find_word(mark_kind_words(), c.word));
    Members members(c.values, node, "'" + std::string(c.word) + "'");
    const Node* id = members.need("id");
    const Node* how = members.take("how");
    const Node* value = members.take("value");
    const Node* lifetime = members.take("lifetime");
    members.finish();
    const auto number = read_id(c, id);
    bool good = read_change(c, node, how, value, out.how, out.value) && number;
    if (number) out.id = *number;
    if (lifetime != nullptr) {
        const auto duration = c.values.duration(*lifetime);
        good = good && duration;
        if (duration) out.lifetime_ns = *duration;
    }
    if (!good) return std::nullopt;
    c.build.note_mark(out.kind, out.id, node.at, out.how != MarkHow::save);
    return out;
}

std::optional<RateBound> read_bound(const Context& c, const Node& node, const char* name) {
    if (!node.is(Node::Kind::table)) {
        c.values.wrong_kind(node, "a table with 'rate'");
        return std::nullopt;
    }
    Members members(c.values, node, std::string("'") + name + "'");
    const Node* rate = members.need("rate");
    const Node* burst = members.take("burst");
    members.finish();
    RateBound out;
    const auto speed = rate != nullptr ? c.values.rate(*rate) : std::nullopt;
    if (speed) out.rate = *speed;
    if (burst != nullptr) {
        const auto ms = c.values.number(*burst, {0, 60'000});
        if (!ms) return std::nullopt;
        out.burst_ms = static_cast<std::int64_t>(*ms);
    }
    return speed ? std::optional(out) : std::nullopt;
}

// `pps`, `bps`, `cooldown`: of ratelimit and rate.
bool read_bounds(const Context& c, const Node& node, Members& members, RateParameters& out) {
    const Node* pps = members.take("pps");
    const Node* bps = members.take("bps");
    const Node* cooldown = members.take("cooldown");
    bool good = true;
    for (auto [from, to, name] : {std::tuple(pps, &out.pps, "pps"), {bps, &out.bps, "bps"}}) {
        if (from == nullptr) continue;
        const auto bound = read_bound(c, *from, name);
        good = good && bound;
        if (bound) *to = *bound;
    }
    if (pps == nullptr && bps == nullptr) {
        c.values.findings().error(node.at, "'" + std::string(c.word) + "' needs 'pps' or 'bps'");
        good = false;
    }
    if (cooldown == nullptr) return good;
    const auto duration = c.values.duration(*cooldown);
    if (duration) out.cooldown_ms = *duration / 1'000'000;
    return good && duration;
}

std::optional<std::uint32_t> read_key(const Context& c, const Node& node) {
    const auto items = Values::each(node);
    const auto bits = c.values.word_bits(node, key_words(), "key word");
    if (!bits) return std::nullopt;
    const bool any =
        std::ranges::any_of(items, [](const Node* item) { return item->text == "any"; });
    if (items.empty() || (any && items.size() > 1)) {
        c.values.findings().error(node.at, items.empty() ? "at least one key word is needed here"
                                                         : "'any' stands alone");
        return std::nullopt;
    }
    return bits;
}

// The place of a meter among those of its kind; an error if its id has others elsewhere.
std::optional<std::uint32_t> place_meter(const Context& c, const Node& node,
                                         std::vector<Program::NamedMeter>& meters, std::uint8_t id,
                                         const RateParameters& parameters) {
    for (std::uint32_t i = 0; i < meters.size(); i++) {
        if (meters[i].id != id) continue;
        if (meters[i].parameters == parameters) return i;
        c.values.findings().error(node.at, "'" + std::string(c.word) + "' with id " +
                                               std::to_string(id) +
                                               " has other parameters in another rule");
        return std::nullopt;
    }
    meters.push_back({id, parameters});
    return static_cast<std::uint32_t>(meters.size() - 1);
}

Got read_ratelimit(const Context& c, const Node& node) {
    Members members(c.values, node, "'ratelimit'");
    const Node* id = members.need("id");
    const Node* key = members.take("key");
    RateParameters parameters;
    bool good = read_bounds(c, node, members, parameters);
    members.finish();
    const auto number = read_id(c, id);
    parameters.key_fields = key_bit::l3_src;
    if (key != nullptr) {
        const auto fields = read_key(c, *key);
        good = good && fields;
        if (fields) parameters.key_fields = *fields;
    }
    if (!good || !number) return std::nullopt;
    const auto meter = place_meter(c, node, c.build.program.ratelimits, *number, parameters);
    if (!meter) return std::nullopt;
    c.build.note_algorithm(Algorithm::ratelimit, node.at, true);
    return action::RateLimit{*number, *meter};
}

Got read_rate(const Context& c, const Node& node) {
    Members members(c.values, node, "'rate'");
    const Node* id = members.need("id");
    RateParameters parameters;
    const bool good = read_bounds(c, node, members, parameters);
    members.finish();
    const auto number = read_id(c, id);
    if (!good || !number) return std::nullopt;
    const auto meter = place_meter(c, node, c.build.program.rates, *number, parameters);
    if (!meter) return std::nullopt;
    c.build.note_algorithm(Algorithm::rate, node.at, true);
    return action::Rate{*number, *meter};
}

Got read_sample(const Context& c, const Node& node) {
    static constexpr Word hows[] = {{"every", 0}, {"random", 1}};
    Members members(c.values, node, "'sample'");
    const Node* n = members.need("n");
    const Node* how = members.take("how");
    const Node* key = members.take("key");
    members.finish();
    action::Sample out;
    const auto number = n != nullptr ? c.values.number(*n, {1, 0xFFFFFFFF}) : std::nullopt;
    if (!number) return std::nullopt;
    out.n = static_cast<std::uint32_t>(*number);
    if (how != nullptr) {
        const auto word = c.values.word(*how, hows, "way to choose");
        if (!word) return std::nullopt;
        out.random = *word != 0;
    }
    if (key != nullptr) {
        const auto fields = read_key(c, *key);
        if (!fields) return std::nullopt;
        out.key = *fields;
    }
    out.number = c.build.program.samples++;
    c.build.note_algorithm(Algorithm::sample, node.at, true);
    return out;
}

// One id, one set of parameters: the table of sources is one.
bool place_authentication(const Context& c, const Node& node, const action::TcpAuth& wanted) {
    for (const action::TcpAuth& known : c.build.program.authentications) {
        if (known.id != wanted.id) continue;
        if (known.parameters == wanted.parameters) return true;
        c.values.findings().error(node.at, "'tcpauth' with id " + std::to_string(wanted.id) +
                                               " has other parameters in another rule");
        return false;
    }
    c.build.program.authentications.push_back(wanted);
    return true;
}

Got read_tcpauth(const Context& c, const Node& node) {
    Members members(c.values, node, "'tcpauth'");
    const Node* id = members.need("id");
    const Node* syn = members.take("syn");
    const Node* syn_ack = members.take("syn_ack");
    const Node* with_dash = members.take("syn-ack");
    const Node* timeout = members.take("timeout");
    const Node* window = members.take("window");
    const Node* strict = members.take("strict");
    members.finish();
    if (syn_ack != nullptr && with_dash != nullptr) {
        c.values.findings().error(with_dash->at, "'syn-ack' is the same as 'syn_ack'");
        return std::nullopt;
    }
    if (syn_ack == nullptr) syn_ack = with_dash;
    action::TcpAuth out;
    const auto number = read_id(c, id);
    bool good = number.has_value();
    if (number) out.id = *number;
    for (auto [from, to, of_answer] :
         {std::tuple(syn, &out.parameters.syn, false), {syn_ack, &out.parameters.syn_ack, true}}) {
        if (from == nullptr) continue;
        const auto word = c.values.word(*from, auth_words(of_answer), "method");
        good = good && word;
        if (word) *to = static_cast<AuthMethod>(*word);
    }
    out.parameters.timeout_ns =
        AuthParameters::default_timeout_ns(out.parameters.syn, out.parameters.syn_ack);
    for (auto [from, to] :
         {std::pair(timeout, &out.parameters.timeout_ns), {window, &out.parameters.window_ns}}) {
        if (from == nullptr) continue;
        const auto duration = c.values.duration(*from);
        if (duration && *duration == 0)
            c.values.findings().error(from->at, "a duration of more than 0 is needed here");
        good = good && duration && *duration > 0;
        if (duration) *to = *duration;
    }
    if (strict != nullptr) {
        const auto value = c.values.boolean(*strict);
        good = good && value;
        out.parameters.strict = value == true;
    }
    if (!good || !place_authentication(c, node, out)) return std::nullopt;
    c.build.note_algorithm(Algorithm::tcpauth, node.at, true);
    return out;
}

Got read_verdict(const Context& c, const Node& node) {
    if (node.is(Node::Kind::text)) {
        static constexpr Word clear[] = {{"clear", 0}};
        if (!c.values.word(node, clear, "operation")) return std::nullopt;
        return action::SetVerdict{};
    }
    if (!node.is(Node::Kind::table)) {
        c.values.wrong_kind(node, "\"clear\" or a table");
        return std::nullopt;
    }
    static constexpr Word operations[] = {{"clear", 0}, {"set", 1}};
    Members members(c.values, node, "'verdict'");
    const Node* op = members.need("op");
    action::SetVerdict out;
    const Node* value = nullptr;
    std::size_t named = 0;
    for (const Word& word : algorithm_words()) {
        const Node* of_this = members.take(word.name);
        if (of_this == nullptr) continue;
        named++;
        value = of_this;
        out.algorithm = static_cast<Algorithm>(word.value);
    }
    members.finish();
    const auto operation =
        op != nullptr ? c.values.word(*op, operations, "operation") : std::nullopt;
    if (!operation) return std::nullopt;
    const bool sets = operation == 1U;
    if (named != (sets ? 1U : 0U)) {
        c.values.findings().error(node.at, sets ? "\"set\" needs the value of one of rate, "
                                                  "ratelimit, sample and tcpauth"
                                                : "\"clear\" takes no value");
        return std::nullopt;
    }
    if (value == nullptr) return out;
    const auto word =
        c.values.word(*value, outcome_words(out.algorithm), "value of this algorithm");
    if (!word) return std::nullopt;
    out.value = static_cast<std::uint8_t>(*word);
    c.build.note_algorithm(out.algorithm, node.at, true);
    return out;
}

Got read_switch(const Context& c, const Node& node) {
    static constexpr Word states[] = {{"off", 0}, {"on", 1}};
    const auto state = c.values.word(node, states, "state");
    if (!state) return std::nullopt;
    const bool capture = c.word == "capture";
    c.build.captures.try_emplace(capture ? 1U : 0U, node.at);
    return action::Switch{capture, *state != 0};
}

Got read_translate(const Context& c, const Node& node) {
    const auto prefixes = c.values.prefixes(node);
    if (!prefixes) return std::nullopt;
    action::Translate out;
    out.end = c.word == "snat" ? End::source : End::destination;
    for (const Prefix& prefix : *prefixes) {
        auto& family = prefix.address.version == 4 ? out.v4 : out.v6;
        if (family) {
            c.values.findings().error(node.at, "more than one prefix of one family");
            return std::nullopt;
        }
        family = prefix;
    }
    return out;
}

enum class Takes : std::uint8_t { nothing, plain, table, either };
struct ActionWord {
    std::string_view name;
    Takes takes;
    bool terminal;
    Got (*read)(const Context& c, const Node& node);
};
constexpr ActionWord words[] = {
    {"accept", Takes::nothing, true, read_bare<action::Accept>},
    {"capture", Takes::plain, false, read_switch},
    {"connmark", Takes::table, false, read_stored_mark},
    {"dhmark", Takes::table, false, read_stored_mark},
    {"dnat", Takes::plain, false, read_translate},
    {"drop", Takes::nothing, true, read_bare<action::Drop>},
    {"export", Takes::plain, false, read_switch},
    {"goto", Takes::plain, true, read_goto},
    {"hmark", Takes::table, false, read_stored_mark},
    {"mark", Takes::table, false, read_local_mark},
    {"pass", Takes::table, true, read_pass},
    {"rate", Takes::table, false, read_rate},
    {"ratelimit", Takes::table, false, read_ratelimit},
    {"sample", Takes::table, false, read_sample},
    {"sdhmark", Takes::table, false, read_stored_mark},
    {"sdmark", Takes::table, false, read_stored_mark},
    {"snat", Takes::plain, false, read_translate},
    {"stats", Takes::plain, false, read_stats},
    {"tcpauth", Takes::table, false, read_tcpauth},
    {"uh", Takes::plain, false, read_level},
    {"verdict", Takes::either, false, read_verdict},
};

const ActionWord* find_action(const Values& values, Place at, std::string_view name) {
    const auto* found = std::ranges::find(words, name, &ActionWord::name);
    if (found != std::end(words)) return found;
    values.unknown_word(at, name, "action", action_words());
    return nullptr;
}

// False: said. An action without arguments is a string.
bool read_one(Build& build, const Names& names, const Node& node, std::vector<Action>& actions,
              bool& terminal) {
    const Values& values = build.values;
    const bool bare = node.is(Node::Kind::text);
    if (!bare && !(node.is(Node::Kind::table) && node.members.size() == 1)) {
        values.findings().error(node.at, "an action is text, or a table with one key, such as "
                                         "\"drop\" or { stats = \"NAME\" }");
        return false;
    }
    const Place at = bare ? node.at : node.members.front().at;
    const std::string& name = bare ? node.text : node.members.front().key;
    const ActionWord* word = find_action(values, at, name);
    if (word == nullptr) return false;
    terminal = word->terminal;
    if (bare != (word->takes == Takes::nothing)) {
        values.findings().error(
            at,
            "'" + name + (bare ? "' needs arguments" : "' takes no arguments: \"" + name + "\""));
        return false;
    }
    const Node& value = bare ? node : node.members.front().value;
    const bool table = value.is(Node::Kind::table);
    if (!bare && word->takes != Takes::either && table != (word->takes == Takes::table)) {
        values.wrong_kind(value,
                          word->takes == Takes::table ? "a table of arguments" : "a plain value");
        return false;
    }
    Got got = word->read({build, values, names, word->name}, value);
    if (!got) return false;
    actions.push_back(std::move(*got));
    return true;
}

} // namespace

std::vector<std::string_view> action_words() {
    std::vector<std::string_view> names;
    for (const ActionWord& word : words)
        names.push_back(word.name);
    return names;
}

bool read_actions(Build& build, const Names& names, const Node& list,
                  std::vector<Action>& actions) {
    if (!list.is(Node::Kind::array) || list.items.empty()) {
        build.values.findings().error(list.at, "an array of at least one action is needed here");
        return false;
    }
    bool good = true, ended = false;
    std::string last;
    for (const Node& item : list.items) {
        if (ended) {
            build.values.findings().error(item.at, "action behind '" + last + "' is never reached");
            return false;
        }
        bool terminal = false;
        good = read_one(build, names, item, actions, terminal) && good;
        ended = terminal;
        last = item.is(Node::Kind::text) || item.members.empty() ? item.text
                                                                 : item.members.front().key;
    }
    return good;
}

} // namespace nfqws2::rules
