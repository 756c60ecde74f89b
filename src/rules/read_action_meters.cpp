#include "read_action.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace nfqws2::rules::act {

namespace {

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

} // namespace

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
        if (out.random) {
            c.values.findings().error(key->at, "'key' chooses whole flows, \"random\" single "
                                               "packets: one of them");
            return std::nullopt;
        }
    }
    out.number = c.build.program.samples++;
    c.build.note_algorithm(Algorithm::sample, node.at, true);
    return out;
}

namespace {

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

} // namespace

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

} // namespace nfqws2::rules::act
