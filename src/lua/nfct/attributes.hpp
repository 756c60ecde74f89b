// The attributes of a conntrack by the names of the module, and what each holds.
#pragma once

#if NFQWS2_HAVE_NFCT

#include "module/module.hpp"

#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

namespace nfqws2::lua {

struct Attribute {
    enum class Kind : std::uint8_t { number, address, text, group };

    std::string_view name;
    nf_conntrack_attr id = ATTR_MAX;
    std::uint8_t bits = 0;
    Kind kind = Kind::number;
    bool writable = true; // the library takes it
};

const Attribute& check_attribute(lua_State* L, int index); // any
const Attribute& check_number_attribute(lua_State* L, int index);

// Its value as it is stored; 0 if it is not set.
std::uint64_t read_attribute(const nf_conntrack* ct, const Attribute& attribute);
void write_attribute(nf_conntrack* ct, const Attribute& attribute, std::uint64_t value);

std::span<const Word> protocol_words(); // IPPROTO_*

} // namespace nfqws2::lua

#endif
