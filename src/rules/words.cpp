#include "words.hpp"

namespace nfqws2::rules {

std::optional<std::uint32_t> find_word(Words words, std::string_view name) {
    for (const Word& word : words)
        if (word.name == name) return word.value;
    return std::nullopt;
}

std::vector<std::string_view> names_of(Words words) {
    std::vector<std::string_view> names;
    for (const Word& word : words)
        names.push_back(word.name);
    return names;
}

std::string_view name_of(Words words, std::uint32_t value) {
    for (const Word& word : words)
        if (word.value == value) return word.name;
    return "";
}

namespace {

template <typename E> constexpr std::uint32_t number(E value) {
    return static_cast<std::uint32_t>(value);
}

constexpr Word protocols[] = {
    {"ipv4", layer_bit::ipv4},
    {"ipv6", layer_bit::ipv6},
    {"net", layer_bit::ipv4 | layer_bit::ipv6},
    {"tcp", layer_bit::tcp},
    {"udp", layer_bit::udp},
    {"sctp", layer_bit::sctp},
    {"icmp", layer_bit::icmp},
    {"icmpv6", layer_bit::icmpv6},
    {"transport",
     layer_bit::tcp | layer_bit::udp | layer_bit::sctp | layer_bit::icmp | layer_bit::icmpv6},
    {"ah", layer_bit::ah},
    {"esp", layer_bit::esp},
    {"sec", layer_bit::ah | layer_bit::esp},
    {"gre", layer_bit::gre},
    {"ipip", layer_bit::ipip},
    {"tun", layer_bit::gre | layer_bit::ipip},
    {"tun_ipv4", layer_bit::tun_ipv4},
    {"tun_ipv6", layer_bit::tun_ipv6},
    {"tun_net", layer_bit::tun_ipv4 | layer_bit::tun_ipv6},
    {"tun_ah", layer_bit::tun_ah},
    {"tun_esp", layer_bit::tun_esp},
    {"tun_sec", layer_bit::tun_ah | layer_bit::tun_esp},
    {"eth", layer_bit::eth},
    {"vlan", layer_bit::vlan},
};
constexpr Word layer_names[] = {
    {"mac", number(Layer::mac)},
    {"vlan", number(Layer::vlan)},
    {"encap", number(Layer::encap)},
    {"net", number(Layer::net)},
    {"sec", number(Layer::sec)},
    {"tun", number(Layer::tun)},
    {"tun_net", number(Layer::tun_net)},
    {"tun_sec", number(Layer::tun_sec)},
    {"transport", number(Layer::transport)},
    {"application", number(Layer::application)},
};
constexpr Word elements[] = {
    {"header", number(Element::header)},
    {"payload", number(Element::payload)},
    {"packet", number(Element::packet)},
};
constexpr Word fragments[] = {
    {"any", number(FragmentKind::any)},           {"df", number(FragmentKind::df)},
    {"first", number(FragmentKind::first)},       {"last", number(FragmentKind::last)},
    {"internal", number(FragmentKind::internal)}, {"unfrag", number(FragmentKind::unfrag)},
};
constexpr Word tcp_flags[] = {
    {"fin", 0x01}, {"syn", 0x02}, {"rst", 0x04}, {"psh", 0x08}, {"ack", 0x10},
    {"urg", 0x20}, {"ece", 0x40}, {"cwr", 0x80}, {"all", 0xFF},
};
constexpr Word tcp_options[] = {
    {"ECHO", 1U << 6},   {"ECHO_REPLY", 1U << 7},  {"EOL", 1U << 0},
    {"MSS", 1U << 2},    {"NOOP", 1U << 1},        {"SACK", 1U << 5},
    {"WSCALE", 1U << 3}, {"SACK_PERMIT", 1U << 4}, {"TIMESTAMP", 1U << 8},
};
constexpr Word hows[] = {
    {"set", number(MarkHow::set)},         {"add", number(MarkHow::add)},
    {"sub", number(MarkHow::sub)},         {"mult", number(MarkHow::mult)},
    {"div", number(MarkHow::div)},         {"inc", number(MarkHow::inc)},
    {"dec", number(MarkHow::dec)},         {"and", number(MarkHow::bit_and)},
    {"or", number(MarkHow::bit_or)},       {"xor", number(MarkHow::bit_xor)},
    {"not", number(MarkHow::bit_not)},     {"save", number(MarkHow::save)},
    {"restore", number(MarkHow::restore)},
};
constexpr Word keys[] = {
    {"l3_src", key_bit::l3_src},
    {"l3_dst", key_bit::l3_dst},
    {"l3_proto", key_bit::l3_proto},
    {"l3_tun_src", key_bit::l3_tun_src},
    {"l3_tun_dst", key_bit::l3_tun_dst},
    {"l3_tun_proto", key_bit::l3_tun_proto},
    {"l4_src", key_bit::l4_src},
    {"l4_dst", key_bit::l4_dst},
    {"l4_proto", key_bit::l4_proto},
    {"sec_id", key_bit::sec_id},
    {"sec_proto", key_bit::sec_proto},
    {"sec_tun_id", key_bit::sec_tun_id},
    {"sec_tun_proto", key_bit::sec_tun_proto},
    {"tun_id", key_bit::tun_id},
    {"tun_proto", key_bit::tun_proto},
    {"any", 0},
};
constexpr Word algorithms[] = {
    {"rate", number(Algorithm::rate)},
    {"ratelimit", number(Algorithm::ratelimit)},
    {"sample", number(Algorithm::sample)},
    {"tcpauth", number(Algorithm::tcpauth)},
};
constexpr Word rate_outcomes[] = {
    {"conform", outcome::conform}, {"cooldown", outcome::cooldown}, {"exceed", outcome::exceed}};
constexpr Word ratelimit_outcomes[] = {{"conform", outcome::conform},
                                       {"cooldown", outcome::cooldown},
                                       {"exceed", outcome::exceed},
                                       {"violate", outcome::violate}};
constexpr Word sample_outcomes[] = {{"match", outcome::match}, {"skip", outcome::skip}};
constexpr Word tcpauth_outcomes[] = {{"valid", outcome::valid}, {"invalid", outcome::invalid}};
constexpr Word mark_kind_names[] = {
    {"hmark", number(MarkKind::source)},        {"dhmark", number(MarkKind::destination)},
    {"sdhmark", number(MarkKind::pair)},        {"sdmark", number(MarkKind::pair)},
    {"connmark", number(MarkKind::connection)},
};
constexpr Word ages[] = {
    {"null", number(AgeOp::null)}, {"eq", number(AgeOp::eq)}, {"lt", number(AgeOp::lt)},
    {"gt", number(AgeOp::gt)},     {"bw", number(AgeOp::bw)},
};
constexpr Word auths[] = {
    {"none", number(AuthMethod::none)},
    {"greylist", number(AuthMethod::greylist)},
    {"hs", number(AuthMethod::hs)},
    {"synack", number(AuthMethod::synack)}, // last: not for SYN+ACK
};

constexpr IcmpWord icmp_types[] = {
    {"alt_addr", 6, -1},
    {"converr", 31, -1},
    {"echo_reply", 0, -1},
    {"echo_request", 8, -1},
    {"ex", 11, -1},
    {"ttl", 11, 0},
    {"defrag", 11, 1},
    {"info_reply", 16, -1},
    {"info_reqply", 16, -1},
    {"info_request", 15, -1},
    {"ipv6_hia", 34, -1},
    {"ipv6_way", 33, -1},
    {"mask_reply", 18, -1},
    {"mask_request", 17, -1},
    {"mob_redir", 32, -1},
    {"mob_reg_reply", 36, -1},
    {"mob_reg_request", 35, -1},
    {"mobexp", 41, -1},
    {"name_reply", 38, -1},
    {"name_request", 37, -1},
    {"param", 12, -1},
    {"photuris", 40, -1},
    {"quench", 4, -1},
    {"ra", 9, -1},
    {"redirect", 5, -1},
    {"rs", 10, -1},
    {"skip_discover", 39, -1},
    {"trace", 30, -1},
    {"ts", 13, -1},
    {"ts_reply", 14, -1},
    {"unreach", 3, -1},
    {"xecho_reply", 43, -1},
    {"xecho_request", 42, -1},
};
constexpr Word icmp6_types[] = {
    {"unreach", 1},        {"toobig", 2},       {"ex", 3},       {"param", 4},
    {"echo_request", 128}, {"echo_reply", 129}, {"mlq", 130},    {"mlr1", 131},
    {"mld", 132},          {"rs", 133},         {"ra", 134},     {"ns", 135},
    {"na", 136},           {"redir", 137},      {"rr", 138},     {"iniq", 139},
    {"inir", 140},         {"inds", 141},       {"inda", 142},   {"mlr2", 143},
    {"hadd_request", 144}, {"hadd_reply", 145}, {"mps", 146},    {"mpa", 147},
    {"cps", 148},          {"cpa", 149},        {"mobexp", 150}, {"mra", 151},
    {"mrs", 152},          {"mrt", 153},
};
constexpr Word ex_codes[] = {{"ttl", 0}, {"defrag", 1}};
constexpr Word param_codes[] = {{"ptr", 0}, {"opt", 1}, {"len", 2}};
constexpr Word redirect_codes[] = {{"net", 0}, {"host", 1}, {"tos_net", 2}, {"tos_host", 3}};
constexpr Word unreach_codes[] = {
    {"net", 0},       {"host", 1},   {"proto", 2},    {"port", 3},
    {"frag", 4},      {"sr", 5},     {"unk_net", 6},  {"unk_host", 7},
    {"iso_host", 8},  {"pr_net", 9}, {"pr_host", 10}, {"tos_net", 11},
    {"tos_host", 12}, {"pr", 13},    {"hpv", 14},     {"pc", 15},
};
constexpr Word xecho_codes[] = {{"ok", 0}, {"bad", 1}, {"intf", 2}, {"tbl", 3}, {"mult", 4}};

} // namespace

Words protocol_words() {
    return protocols;
}
Words layer_words() {
    return layer_names;
}
Words element_words() {
    return elements;
}
Words fragment_words() {
    return fragments;
}
Words tcp_flag_words() {
    return tcp_flags;
}
Words tcp_option_words() {
    return tcp_options;
}
Words how_words() {
    return hows;
}
Words key_words() {
    return keys;
}
Words algorithm_words() {
    return algorithms;
}
Words outcome_words(Algorithm algorithm) {
    switch (algorithm) {
    case Algorithm::rate:
        return rate_outcomes;
    case Algorithm::ratelimit:
        return ratelimit_outcomes;
    case Algorithm::sample:
        return sample_outcomes;
    case Algorithm::tcpauth:
        return tcpauth_outcomes;
    case Algorithm::none:
        break;
    }
    return {};
}
Words mark_kind_words() {
    return mark_kind_names;
}
Words connection_state_words() {
    using packet::CtState;
    static constexpr Word words[] = {
        {"new", static_cast<std::uint32_t>(CtState::fresh)},
        {"established", static_cast<std::uint32_t>(CtState::established)},
        {"related", static_cast<std::uint32_t>(CtState::related)},
        {"invalid", static_cast<std::uint32_t>(CtState::invalid)},
        {"untracked", static_cast<std::uint32_t>(CtState::untracked)},
    };
    return words;
}

Words age_words() {
    return ages;
}
Words auth_words(bool syn_ack) {
    return Words(auths).first(std::size(auths) - (syn_ack ? 1 : 0));
}
std::span<const IcmpWord> icmp_words() {
    return icmp_types;
}
Words icmp6_words() {
    return icmp6_types;
}
Words icmp_code_words(std::uint8_t type) {
    switch (type) {
    case 3:
        return unreach_codes;
    case 5:
        return redirect_codes;
    case 11:
        return ex_codes;
    case 12:
        return param_codes;
    case 43:
        return xecho_codes;
    default:
        return {};
    }
}

} // namespace nfqws2::rules
