#include "read_action.hpp"

#include <utility>

namespace nfqws2::rules::act {

namespace {

constexpr std::size_t most_counters = 4096;

} // namespace

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

namespace {

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

} // namespace

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

} // namespace nfqws2::rules::act
