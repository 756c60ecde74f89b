#include "base64.hpp"
#include "read_match.hpp"

#include "nfqws2/base/bytes.hpp"

#include <utility>

namespace nfqws2::rules::match {

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

namespace {

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

} // namespace

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

Got read_spi(const Context& c, const Node& node) {
    const auto range = c.values.range(node, any32);
    if (!range) return std::nullopt;
    return test::Spi{c.word == "tspi", *range};
}

namespace {

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

} // namespace

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

} // namespace nfqws2::rules::match
