// The words of a rules file, each once: reader, messages and documentation tests follow from them.
#pragma once

#include "program.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

struct Word {
    std::string_view name;
    std::uint32_t value;
};
using Words = std::span<const Word>;

std::optional<std::uint32_t> find_word(Words words, std::string_view name);
std::vector<std::string_view> names_of(Words words);
std::string_view name_of(Words words, std::uint32_t value); // "" if there is none

Words protocol_words(); // layer_bit
Words layer_words();
Words element_words();
Words fragment_words();
Words tcp_flag_words();
Words tcp_option_words(); // bit of the option's number; upper case
Words how_words();
Words key_words();
Words algorithm_words();
Words outcome_words(Algorithm algorithm);
Words mark_kind_words();
Words age_words();
Words connection_state_words(); // packet::CtState
Words auth_words(bool syn_ack);

struct IcmpWord {
    std::string_view name;
    std::uint8_t type;
    int code; // -1: any
};
std::span<const IcmpWord> icmp_words();
Words icmp6_words();
Words icmp_code_words(std::uint8_t type); // empty: the type has none

} // namespace nfqws2::rules
