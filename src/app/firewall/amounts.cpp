// Theory of operation: what the upper ends of ranges, detectors and options ask for is added up to
// one number for each way. The kernel counts packets, ranges count other things too: the number is
// then an estimate, generous for usual connections. Rules begin with the first packet, since a
// connection whose beginning was not seen is none for us.
#include "firewall/amounts.hpp"

#include "nfqws2/protocol/table.hpp"
#include "options/values.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace nfqws2::app::firewall {
namespace {

using profile::LuaInstance;
using profile::Profile;
using protocol::Payload;
namespace carrier = protocol::carrier;

constexpr std::uint32_t handshake = 3;   // and what answers it
constexpr std::uint32_t first_data = 11; // of the message that tells protocol and host
constexpr std::uint32_t counted_max = 1'000'000;

std::uint32_t bounded(std::uint64_t packets) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(packets, counted_max));
}

std::uint32_t by_bytes(std::uint64_t bytes, std::uint64_t size) {
    return bounded((bytes + size - 1) / size);
}

const std::string* find_argument_of(const LuaInstance& instance, std::string_view name) {
    for (const auto& [key, value] : instance.args)
        if (key == name) return &value;
    return nullptr;
}

std::uint64_t number_argument(const LuaInstance& instance, std::string_view name,
                              std::uint64_t otherwise) {
    const std::string* value = find_argument_of(instance, name);
    if (value == nullptr) return otherwise;
    return decimal(*value, UINT32_MAX).value_or(otherwise);
}

bool counts_failures(const LuaInstance& instance) {
    return instance.func == "circular" || instance.func == "learn";
}

bool names_detector(const LuaInstance& instance, std::string_view detector) {
    return std::ranges::any_of(instance.args, [&](const auto& argument) {
        return argument.second.find(detector) != std::string::npos;
    });
}

// A packet of this transport and side may carry what the instance wants.
bool may_carry(const LuaInstance& instance, Transport transport, bool initiator) {
    constexpr std::uint8_t any = carrier::any;
    const std::uint8_t by = transport == Transport::tcp
                                ? (initiator ? carrier::tcp_initiator : carrier::tcp_responder)
                            : transport == Transport::udp  ? carrier::udp
                            : transport == Transport::icmp ? carrier::icmp | carrier::icmp_quote
                                                           : any;
    for (auto i = static_cast<unsigned>(Payload::unknown);
         i < static_cast<unsigned>(Payload::count); i++) {
        const auto type = static_cast<Payload>(i);
        if (type == Payload::known || !instance.payload.matches(type)) continue;
        if ((protocol::row(type).carriers & (by | any)) != 0) return true;
    }
    return false;
}

// What comes but once or twice in a connection.
bool wants_beginnings_only(const LuaInstance& instance) {
    if (instance.payload.empty()) return false;
    constexpr std::array often = {Payload::unknown, Payload::empty, Payload::http_req,
                                  Payload::http_reply};
    return std::ranges::none_of(often,
                                [&](Payload type) { return instance.payload.matches(type); });
}

// What an instance may make of a packet, about.
std::uint64_t made_of_one(const LuaInstance& instance) {
    std::uint64_t pieces = 2;
    if (const std::string* positions = find_argument_of(instance, "pos"))
        pieces += static_cast<std::uint64_t>(std::ranges::count(*positions, ','));
    return pieces * std::max<std::uint64_t>(1, number_argument(instance, "repeats", 1));
}

std::uint64_t packets_within(const flow::RangePos& upper) {
    if (upper.mode == 'n' || upper.mode == 'd') return upper.pos;
    return std::uint64_t{upper.pos} / 500 + 8; // also some that are sent again
}

std::string range_text(const flow::Range& range, Way way) {
    return std::string(way == Way::out ? "--out-range=" : "--in-range=") + flow::to_text(range);
}

// Of one instance; none if its range holds for no packet.
Amount by_range(const LuaInstance& instance, Way way, Transport transport, Setting setting) {
    Amount amount;
    const flow::Range& range = instance.range(way == Way::out);
    const flow::RangePos& upper = range.to;
    if (range.from.mode == 'x' || upper.mode == 'x') return amount;
    const bool counted = range.from.mode != 'a' || upper.mode != 'a';
    const bool has_counters = transport == Transport::tcp || transport == Transport::udp;
    if (counted && !(has_counters && setting.tracking)) return amount;
    amount.reasons.push_back(range_text(range, way));
    amount.all = upper.mode == 'a';
    if (amount.all) return amount;
    if (upper.mode == 'n')
        amount.packets = bounded(std::uint64_t{upper.pos} + 2);
    else if (upper.mode == 'd')
        amount.packets = bounded(std::uint64_t{upper.pos} * 3 + 8);
    else
        amount.packets = bounded(std::uint64_t{upper.pos} / 500 + 8);
    amount.estimate = upper.mode != 'n';
    const std::uint64_t worked_on = packets_within(upper);
    const std::uint64_t times =
        wants_beginnings_only(instance) ? std::min<std::uint64_t>(worked_on, 2) : worked_on;
    amount.own = bounded(made_of_one(instance) * times);
    return amount;
}

// Repeated packets are counted, so as many more have to be seen.
void expect_repeats(Amount& amount) {
    if (amount.all || amount.packets == 0) return;
    amount.packets = bounded(std::uint64_t{amount.packets} * 2);
    amount.estimate = true;
    amount.reasons.emplace_back("as many more where retransmissions are counted");
}

Amount of_number(std::uint32_t packets, bool estimate, std::string reason) {
    Amount amount;
    amount.packets = packets;
    amount.estimate = estimate;
    amount.reasons.push_back(std::move(reason));
    return amount;
}

Amount for_replies(std::uint64_t bytes, std::string reason) {
    Amount amount =
        of_number(bounded(std::uint64_t{by_bytes(bytes, 1200)} + 3), true, std::move(reason));
    amount.invalid = true; // a forged RST often does not fit
    return amount;
}

// What the detectors of an orchestrator have to see of the answers.
Amount by_detectors(const LuaInstance& instance, Transport transport) {
    if (transport == Transport::udp)
        return of_number(bounded(number_argument(instance, "udp_in", 1) + 2), false,
                         instance.func + " counts answers");
    std::uint64_t bytes = number_argument(instance, "inseq", 4096);
    if (names_detector(instance, "success_bytes"))
        bytes = std::max(bytes, number_argument(instance, "bytes", 24576));
    if (names_detector(instance, "detect_cutoff"))
        bytes = std::max(bytes, number_argument(instance, "to", 24576));
    return for_replies(bytes, instance.func + " looks at answers");
}

bool is_autottl(const std::string& name) {
    return name == "ip_autottl" || name == "ip6_autottl";
}

Amount by_automatic_list(const Profile& p, Way way, Transport transport) {
    const profile::AutoHostOptions& options = p.auto_options;
    if (transport == Transport::udp && options.udp_out == 0) return {};
    if (way == Way::in)
        return transport == Transport::udp
                   ? of_number(bounded(std::uint64_t{options.udp_in} + 2), false,
                               "the automatic list counts answers")
                   : for_replies(options.incoming_maxseq, "the automatic list looks at answers");
    if (transport == Transport::udp)
        return of_number(bounded(std::uint64_t{options.udp_out} + 2), false,
                         "the automatic list counts packets");
    return of_number(bounded(std::uint64_t{options.retrans_maxseq} / 500 + 8), true,
                     "the automatic list counts retransmissions");
}

bool depends_on_message(const Profile& p) {
    const bool narrowed = std::ranges::any_of(
        p.instances, [](const LuaInstance& instance) { return !instance.payload.empty(); });
    return narrowed || !p.l7.empty() || p.has_host_lists() || p.auto_hosts != nullptr;
}

// Of what the profile itself asks for: instances, detectors.
Amount asked_for(const Profile& p, Way way, Transport transport, Setting setting) {
    Amount amount;
    const bool initiator = (way == Way::out) != setting.server;
    const bool has_connections = transport == Transport::tcp || transport == Transport::udp;
    bool repeats = p.auto_hosts != nullptr;
    std::uint64_t own = 0;
    for (const LuaInstance& instance : p.instances) {
        if (may_carry(instance, transport, initiator)) {
            const Amount part = by_range(instance, way, transport, setting);
            own += part.own;
            amount.want(part);
        }
        if (!has_connections || !setting.tracking) continue;
        repeats = repeats || counts_failures(instance);
        if (way == Way::in && counts_failures(instance))
            amount.want(by_detectors(instance, transport));
        const auto autottl = [](const auto& argument) { return is_autottl(argument.first); };
        if (way == Way::in && std::ranges::any_of(instance.args, autottl))
            amount.want(of_number(handshake, false, "autottl"));
    }
    if (has_connections && setting.tracking && p.auto_hosts)
        amount.want(by_automatic_list(p, way, transport));
    amount.own = bounded(own);
    if (repeats && transport == Transport::tcp && initiator) expect_repeats(amount);
    return amount;
}

} // namespace

void Amount::want(const Amount& other) {
    if (other.none()) return;
    own = std::max(own, other.own);
    invalid = invalid || other.invalid;
    const bool larger = !all && (other.all || other.packets > packets);
    if (!larger && (all != other.all || packets != other.packets)) return;
    if (larger) {
        all = other.all;
        packets = other.packets;
        estimate = other.estimate;
        reasons.clear();
    }
    for (const std::string& reason : other.reasons)
        if (std::ranges::find(reasons, reason) == reasons.end()) reasons.push_back(reason);
}

Amount needed(const Profile& p, Way way, Transport transport, Setting setting) {
    Amount amount = asked_for(p, way, transport, setting);
    if (transport != Transport::tcp && transport != Transport::udp) return amount;
    const Way other_way = way == Way::out ? Way::in : Way::out;
    const bool other = !asked_for(p, other_way, transport, setting).none();
    if (!setting.tracking || (!other && amount.none())) return amount;
    const bool initiator = (way == Way::out) != setting.server;
    if (initiator) {
        amount.want(of_number(handshake, false, "a connection is known by its beginning"));
        if (depends_on_message(p))
            amount.want(of_number(first_data, true, "its first message tells protocol and host"));
    } else if (transport == Transport::tcp && other) {
        amount.want(of_number(1, false, "the answer to the SYN tells the MSS"));
    }
    return amount;
}

bool wants_icmp_errors(const Profile& p) {
    return std::ranges::any_of(p.instances, [](const LuaInstance& instance) {
        return instance.in_range.from.mode != 'x' && instance.in_range.to.mode != 'x' &&
               may_carry(instance, Transport::icmp, true);
    });
}

} // namespace nfqws2::app::firewall
