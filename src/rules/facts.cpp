#include "facts.hpp"

#include "nfqws2/packet/header_walk.hpp"
#include "sequence.hpp"

#include <algorithm>

namespace nfqws2::rules {
namespace {

std::size_t index_of(End end, bool inner) {
    return static_cast<std::size_t>(end) + (inner ? 2U : 0U);
}

constexpr std::uint32_t no_length = Layers::Part::none;

MarkKey connection_key(const MarkTable& marks, std::uint8_t id, const Layers& layers) {
    // Of a tunnel the outer addresses and no ports.
    const IpLayer& ip = layers.net;
    const bool ports = !layers.has(Layer::tun) && layers.has_ports();
    const std::uint8_t protocol = ports ? layers.transport_protocol : ip.protocol;
    const auto port = [&](std::size_t at) {
        return ports ? load_be16(layers.transport().data() + at) : std::uint16_t{0};
    };
    return marks.connection(id, protocol, ip.source, port(0), ip.destination, port(2));
}

} // namespace

void Facts::begin(const Subject& subject) {
    subject_ = subject;
    registers = {};
    view_ = 0;
    way_ = Way::unknown;
    change(subject.packet);
}

void Facts::change(Bytes packet) {
    subject_.packet = packet;
    layers_ = walk_layers(packet);
    if (rules_->program->asks_link && !subject_.link.empty()) {
        frame_.assign(subject_.link.begin(), subject_.link.end());
        frame_.insert(frame_.end(), packet.begin(), packet.end());
        walk_link(layers_, frame_, subject_.link.size());
    }
    classes_ = {};
    places_ = {};
    options_.reset();
    way_ = Way::unknown;
    marks_.clear();
}

void Facts::use_view(std::uint32_t view) {
    if (view == view_) return;
    view_ = view;
    classes_ = {};
}

bool Facts::holds(const Test& test) {
    const Answer result = std::visit(
        [this](const auto& condition) -> Answer { return check(condition); }, test.condition);
    return result && *result != test.inverted;
}

bool Facts::all_hold(Slice tests) {
    for (std::uint32_t i = tests.begin; i < tests.end; i++)
        if (!holds(rules_->program->tests[i])) return false;
    return true;
}

const IpAddress& Facts::address(End end, bool inner) const {
    const IpLayer& ip = inner ? layers_.inner : layers_.net;
    return end == End::source ? ip.source : ip.destination;
}

std::optional<std::uint16_t> Facts::port(End end) const {
    if (!layers_.has_ports()) return std::nullopt;
    return load_be16(layers_.transport().data() + (end == End::source ? 0 : 2));
}

bool Facts::check(const test::Address& test) const {
    const IpAddress& of_packet = address(test.end, test.inner);
    return std::ranges::any_of(test.prefixes,
                               [&](const Prefix& prefix) { return prefix.contains(of_packet); });
}

bool Facts::check(const test::Port& test) const {
    const auto of_packet = port(test.end);
    return of_packet && std::ranges::any_of(test.ports, [&](const Range16& range) {
               return range.holds(*of_packet);
           });
}

bool Facts::check(const test::Protocol& test) const {
    return (layers_.protocols & test.any) != 0;
}

bool Facts::check(const test::Ttl& test) const {
    return layers_.has(Layer::net) && test.values.holds(layers_.net.ttl);
}

bool Facts::check(const test::Length& test) const {
    if (!layers_.has(test.layer)) return false;
    const std::size_t length = layers_.bytes(test.layer, test.element).size();
    return length < no_length && test.values.holds(static_cast<std::uint32_t>(length));
}

bool Facts::check(const test::Fragment& test) const {
    if (!layers_.has(Layer::net)) return false;
    const IpLayer& ip = layers_.net;
    switch (test.kind) {
    case FragmentKind::any:
        return ip.fragment();
    case FragmentKind::df:
        return ip.df;
    case FragmentKind::first:
        return ip.offset == 0 && ip.more;
    case FragmentKind::internal:
        return ip.offset != 0 && ip.more;
    case FragmentKind::last:
        return ip.offset != 0 && !ip.more;
    case FragmentKind::unfrag:
        break;
    }
    return !ip.fragment();
}

bool Facts::check(const test::Flags& test) const {
    return layers_.is_tcp() && (layers_.transport()[13] & test.mask) == test.flags;
}

const Facts::Options& Facts::options() {
    if (options_) return *options_;
    Options found;
    // The walk of packet/ ends before END, which is an option here.
    Bytes rest = layers_.bytes(Layer::transport, Element::header).subspan(20);
    packet::TcpOptionWalk walk(rest);
    packet::TcpOption option;
    std::size_t walked = 0;
    while (walk.next(option)) {
        walked += option.kind == 1 ? 1 : option.data.size() + 2;
        if (option.kind < 16)
            found.kinds = static_cast<std::uint16_t>(found.kinds | 1U << option.kind);
        if (option.kind == 2 && option.data.size() == 2) found.mss = load_be16(option.data.data());
        if (option.kind == 3 && option.data.size() == 1) found.window_scale = option.data[0];
    }
    if (walked < rest.size() && rest[walked] == 0) found.kinds |= 1;
    return options_.emplace(found);
}

bool Facts::check(const test::Options& test) {
    return layers_.is_tcp() && (options().kinds & test.mask) == test.set;
}

bool Facts::check(const test::Mss& test) {
    return layers_.is_tcp() && options().mss && test.values.holds(*options().mss);
}

bool Facts::check(const test::WindowScale& test) {
    return layers_.is_tcp() && options().window_scale && test.values.holds(*options().window_scale);
}

bool Facts::check(const test::Icmp& test) const {
    if (layers_.transport_protocol != test.protocol) return false;
    const Bytes header = layers_.transport();
    return std::ranges::find(test.types, header[0]) != test.types.end() &&
           (!test.code || *test.code == header[1]);
}

bool Facts::check(const test::Spi& test) const {
    return layers_.has(test.inner ? Layer::tun_sec : Layer::sec) &&
           test.values.holds(test.inner ? layers_.inner_spi : layers_.spi);
}

bool Facts::check(const test::Set& test) {
    const IpAddress& of_packet = address(test.end, test.inner);
    if (of_packet.empty()) return false;
    const PrefixSets& sets = *rules_->views[view_];
    auto& known = classes_[index_of(test.end, test.inner)];
    if (!known) known = sets.find(of_packet);
    if (!sets.contains(*known, test.set)) return false;
    if (!test.value) return true;
    const auto value = sets.value(*known, test.set);
    return value && test.value->holds(*value);
}

GeoPlace Facts::place(End end, bool inner) {
    const IpAddress& of_packet = address(end, inner);
    if (of_packet.empty() || rules_->geo == nullptr) return {};
    auto& known = places_[index_of(end, inner)];
    if (!known) known = geo_.find(rules_->geo, of_packet);
    return *known;
}

std::string Facts::country(End end) {
    const GeoPlace found = place(end, false);
    return found.country ? found.country.text() : "";
}

bool Facts::check(const test::Geo& test) {
    const GeoPlace found = place(test.end, test.inner);
    const auto is_in = [](const std::vector<GeoCode>& codes, GeoCode code) {
        return codes.empty() || (code && std::ranges::find(codes, code) != codes.end());
    };
    return is_in(test.countries, found.country) && is_in(test.continents, found.continent);
}

bool Facts::check(const test::Mark& test) {
    return layers_.has(Layer::net) && test.asked.holds(mark(test.kind, test.id));
}

bool Facts::check(const test::LocalMark& test) const {
    return test.values.holds(registers.mark & test.mask);
}

bool Facts::check(const test::Verdict& test) const {
    // While cooling, the packet by itself conforms, but the verdict stays.
    return registers.algorithm == test.algorithm && (registers.value & test.any) != 0;
}

bool Facts::check(const test::Sequence& test) const {
    if (!layers_.has(test.layer)) return false;
    return holds_sequence(layers_.bytes(test.layer, test.element), test);
}

bool Facts::in_lan(const IpAddress& address) const {
    return std::ranges::any_of(rules_->program->lan,
                               [&](const Prefix& prefix) { return prefix.contains(address); });
}

// As the pipeline guesses it without a flow, by the interfaces. On a router these say nothing of
// what passes it, nor whether what comes in is from behind it: the networks there decide, if they
// were named. What has an output interface alone was made here.
Facts::Way Facts::way() {
    if (way_ != Way::unknown) return way_;
    const bool comes = !subject_.ifin.empty(), goes = !subject_.ifout.empty();
    const Way guess = comes && !goes ? Way::in : Way::out;
    if (rules_->program->lan.empty()) return way_ = guess;
    const bool from = in_lan(layers_.net.source), to = in_lan(layers_.net.destination);
    if (from && to) return way_ = Way::none;
    if (from) return way_ = Way::out;
    if (comes && goes) return way_ = to ? Way::in : Way::none;
    return way_ = guess;
}

bool Facts::check(const test::Direction& test) {
    return way() == (test.incoming ? Way::in : Way::out);
}

bool Facts::check(const test::Interface& test) const {
    const std::string_view name = test.incoming ? subject_.ifin : subject_.ifout;
    return test.prefix ? !name.empty() && name.starts_with(test.name) : name == test.name;
}

bool Facts::check(const test::FirewallMark& test) const {
    return (subject_.mark & test.mask) == (test.value & test.mask);
}

std::optional<MarkKey> connection_of(const Tables& tables, std::uint8_t id, Bytes packet) {
    const Layers layers = walk_layers(packet);
    if (!layers.has(Layer::net)) return std::nullopt;
    return connection_key(tables.marks, id, layers);
}

// A kernel that cannot be asked just now must not make strangers of all who are connected.
Facts::Answer Facts::check(const test::ConnectionState& test) const {
    if (subject_.connection == nullptr) return std::nullopt;
    const packet::CtState state = subject_.connection->state();
    if (state == packet::CtState::unknown) return std::nullopt;
    return test.any.has(state);
}

Facts::Answer Facts::check(const test::ConnectionMark& test) const {
    if (subject_.connection == nullptr) return std::nullopt;
    if (const auto mark = subject_.connection->mark())
        return (*mark & test.mask) == (test.value & test.mask);
    if (subject_.connection->state() == packet::CtState::unknown) return std::nullopt;
    return false;
}

MarkKey Facts::mark_key(MarkKind kind, std::uint8_t id) const {
    const IpLayer& ip = layers_.net;
    switch (kind) {
    case MarkKind::source:
        return tables_.marks.source(id, ip.source);
    case MarkKind::destination:
        return tables_.marks.destination(id, ip.destination);
    case MarkKind::pair:
        return tables_.marks.pair(id, ip.source, ip.destination);
    case MarkKind::connection:
        break;
    }
    return connection_key(tables_.marks, id, layers_);
}

Mark Facts::mark(MarkKind kind, std::uint8_t id) {
    for (const KnownMark& known : marks_)
        if (known.kind == kind && known.id == id) return known.mark;
    const Mark found = tables_.marks.find(mark_key(kind, id), subject_.now_ns);
    marks_.push_back({kind, id, found});
    return found;
}

} // namespace nfqws2::rules
