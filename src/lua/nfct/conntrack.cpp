#if NFQWS2_HAVE_NFCT

#include "api/arguments.hpp"
#include "nfct/attributes.hpp"
#include "nfct/objects.hpp"

#include "nfqws2/base/log.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <string>

namespace nfqws2::lua {
namespace {

constexpr std::size_t longest_text = 4096, longest_helper = 30;

constexpr Word option_words[] = {
    {"undo-snat", NFCT_SOPT_UNDO_SNAT},           {"undo-dnat", NFCT_SOPT_UNDO_DNAT},
    {"undo-spat", NFCT_SOPT_UNDO_SPAT},           {"undo-dpat", NFCT_SOPT_UNDO_DPAT},
    {"setup-original", NFCT_SOPT_SETUP_ORIGINAL}, {"setup-reply", NFCT_SOPT_SETUP_REPLY}};

constexpr Word kind_words[] = {
    {"new", NFCT_T_NEW}, {"update", NFCT_T_UPDATE}, {"destroy", NFCT_T_DESTROY}};

nf_conntrack* check_conntrack(lua_State* L) {
    return check_object<Conntrack>(L, 1).ct;
}

int create(lua_State* L) {
    push_conntrack(L);
    return 1;
}

int destroy(lua_State* L) {
    check_object<Conntrack>(L, 1).end(module_state(L));
    return 0;
}

int clone(lua_State* L) {
    check_conntrack(L);
    Conntrack& copy = push_conntrack(L);
    // Now only: a finalizer of the script may have destroyed it.
    if (nf_conntrack* ct = nfct_clone(check_conntrack(L))) {
        nfct_destroy(copy.ct);
        copy.ct = ct;
        return 1;
    }
    return push_failure(L, ENOMEM);
}

void push_text(lua_State* L, const nf_conntrack* ct, unsigned kind) {
    char text[longest_text];
    const int size = nfct_snprintf(text, sizeof text, ct, kind, NFCT_O_DEFAULT, 0);
    // What lacks source, destination or protocol gives an error.
    push(L, size > 0 ? std::string_view(text) : std::string_view());
}

int to_text(lua_State* L) {
    const nf_conntrack* ct = check_conntrack(L);
    push_text(L, ct, optional_kind(L, 2));
    return 1;
}

int setobjopt(lua_State* L) {
    nf_conntrack* ct = check_conntrack(L);
    const unsigned option = check_word(L, 2, option_words);
    errno = EINVAL;
    return nfct_setobjopt(ct, option) == 0 ? push_first(L) : push_failure(L, errno);
}

// Order of bytes of what is read.
enum class Order : bool { stored, network };

std::uint64_t from_network(std::uint64_t value, unsigned bits) {
    if (bits == 16) return ntohs(static_cast<std::uint16_t>(value));
    return ntohl(static_cast<std::uint32_t>(value));
}

template <unsigned bits, Order order> int get(lua_State* L) {
    const nf_conntrack* ct = check_conntrack(L);
    std::uint64_t value = read_attribute(ct, check_number_attribute(L, 2));
    if constexpr (bits < 64) value &= (std::uint64_t{1} << bits) - 1;
    push_unsigned(L, order == Order::network ? from_network(value, bits) : value);
    return 1;
}

void write(nf_conntrack* ct, const Attribute& attribute, std::uint64_t value) {
    if (attribute.writable)
        write_attribute(ct, attribute, value);
    else if (log::debug_enabled())
        log::debug("nfct: attribute '%s' cannot be set", attribute.name.data());
}

template <unsigned bits, Order order> int set(lua_State* L) {
    nf_conntrack* ct = check_conntrack(L);
    const Attribute& attribute = check_number_attribute(L, 2);
    std::uint64_t value = check_number(L, 3);
    if constexpr (bits < 64) value &= (std::uint64_t{1} << bits) - 1;
    write(ct, attribute, order == Order::network ? from_network(value, bits) : value);
    return push_first(L);
}

const Attribute& check_address_attribute(lua_State* L, unsigned bits) {
    const Attribute& attribute = check_attribute(L, 2);
    const std::string_view ends = bits == 32 ? "ipv4" : "ipv6";
    if (attribute.bits != bits || attribute.name.find(ends) == std::string_view::npos)
        luaL_error(L, "attribute '%s' is no %s address", attribute.name.data(), ends.data());
    return attribute;
}

template <int family, unsigned bits> int get_address(lua_State* L) {
    const nf_conntrack* ct = check_conntrack(L);
    const Attribute& attribute = check_address_attribute(L, bits);
    const void* const value =
        nfct_attr_is_set(ct, attribute.id) > 0 ? nfct_get_attr(ct, attribute.id) : nullptr;
    if (value == nullptr) return push_failure(L, "attribute not set", ENOENT);
    char text[INET6_ADDRSTRLEN];
    lua_pushstring(L, inet_ntop(family, value, text, sizeof text));
    return 1;
}

template <int family, unsigned bits> int set_address(lua_State* L) {
    nf_conntrack* ct = check_conntrack(L);
    const Attribute& attribute = check_address_attribute(L, bits);
    const char* text = check_literal(L, 3);
    alignas(std::uint64_t) std::uint8_t value[16];
    if (inet_pton(family, text, value) != 1) return push_failure(L, EINVAL);
    nfct_set_attr(ct, attribute.id, value);
    return push_first(L);
}

using Words = std::span<const Word> (*)();

// Of several words for a number the first.
template <Words words> int get_word(lua_State* L) {
    const nf_conntrack* ct = check_conntrack(L);
    const std::uint64_t value = read_attribute(ct, check_number_attribute(L, 2));
    for (const Word& word : words()) {
        if (word.value != value) continue;
        push(L, word.name);
        return 1;
    }
    push_unsigned(L, value);
    return 1;
}

template <Words words> int set_word(lua_State* L) {
    nf_conntrack* ct = check_conntrack(L);
    const Attribute& attribute = check_number_attribute(L, 2);
    write(ct, attribute, check_word(L, 3, words()));
    return push_first(L);
}

const Attribute& check_text_attribute(lua_State* L) {
    const Attribute& attribute = check_attribute(L, 2);
    if (attribute.kind != Attribute::Kind::text)
        luaL_error(L, "attribute '%s' is no text", attribute.name.data());
    return attribute;
}

int get_text(lua_State* L) {
    check_conntrack(L);
    const Attribute& attribute = check_text_attribute(L);
    auto& text = push_owned<std::string>(L);
    const nf_conntrack* ct = check_conntrack(L);
    const void* const value =
        nfct_attr_is_set(ct, attribute.id) > 0 ? nfct_get_attr(ct, attribute.id) : nullptr;
    if (value == nullptr) return push_failure(L, "attribute not set", ENOENT);
    text = static_cast<const char*>(value);
    push(L, std::string_view(text));
    free_owned(text);
    return 1;
}

int set_text_attribute(lua_State* L) {
    nf_conntrack* ct = check_conntrack(L);
    const Attribute& attribute = check_text_attribute(L);
    const char* text = check_literal(L, 3);
    if (std::strlen(text) > longest_helper) return push_failure(L, EINVAL);
    if (attribute.writable) nfct_set_attr(ct, attribute.id, text);
    return push_first(L);
}

nf_conntrack_attr check_single_attribute(lua_State* L) {
    const Attribute& attribute = check_attribute(L, 2);
    if (attribute.kind == Attribute::Kind::group)
        luaL_error(L, "attribute group '%s' has no value of its own", attribute.name.data());
    return attribute.id;
}

int has_attr(lua_State* L) {
    const nf_conntrack* ct = check_conntrack(L);
    lua_pushboolean(L, nfct_attr_is_set(ct, check_single_attribute(L)) > 0);
    return 1;
}

int unset_attr(lua_State* L) {
    nf_conntrack* ct = check_conntrack(L);
    nfct_attr_unset(ct, check_single_attribute(L));
    return push_first(L);
}

int swap_bytes(lua_State* L) {
    push_int(L, ntohs(static_cast<std::uint16_t>(check_number(L, 1))));
    return 1;
}

constexpr ModuleFunction functions[] = {
    {"new", create},
    {"destroy", destroy},
    {"clone", clone},
    {"tostring", to_text},
    {"setobjopt", setobjopt},
    {"get_attr_u8", get<8, Order::stored>},
    {"get_attr_u16", get<16, Order::stored>},
    {"get_attr_u32", get<32, Order::stored>},
    {"get_attr_u64", get<64, Order::stored>},
    {"get_attr_n16", get<16, Order::network>},
    {"get_attr_n32", get<32, Order::network>},
    {"get_attr_port", get<16, Order::network>},
    {"set_attr_u8", set<8, Order::stored>},
    {"set_attr_u16", set<16, Order::stored>},
    {"set_attr_u32", set<32, Order::stored>},
    {"set_attr_u64", set<64, Order::stored>},
    {"set_attr_n16", set<16, Order::network>},
    {"set_attr_n32", set<32, Order::network>},
    {"set_attr_port", set<16, Order::network>},
    {"get_attr_ipv4", get_address<AF_INET, 32>},
    {"get_attr_ipv6", get_address<AF_INET6, 128>},
    {"set_attr_ipv4", set_address<AF_INET, 32>},
    {"set_attr_ipv6", set_address<AF_INET6, 128>},
    {"get_attr_pf", get_word<family_words>},
    {"set_attr_pf", set_word<family_words>},
    {"get_attr_ipproto", get_word<protocol_words>},
    {"set_attr_ipproto", set_word<protocol_words>},
    {"get_attr_str", get_text},
    {"set_attr_str", set_text_attribute},
    {"has_attr", has_attr},
    {"unset_attr", unset_attr},
    {"ntohs", swap_bytes},
    {"htons", swap_bytes},
};

} // namespace

void Conntrack::end(State& state) {
    if (ended()) return;
    nfct_destroy(ct);
    ct = nullptr;
    state.module_objects().objects--;
    state.guard().release(memory_of_conntrack);
}

Conntrack& push_conntrack(lua_State* L) {
    State& state = module_state(L);
    Conntrack& object = push_object<Conntrack>(L);
    unsigned& count = state.module_objects().objects;
    if (count >= most_conntracks || !state.guard().reserve(memory_of_conntrack))
        luaL_error(L, "not enough memory");
    object.ct = nfct_new();
    if (object.ct == nullptr) {
        state.guard().release(memory_of_conntrack);
        luaL_error(L, "not enough memory");
    }
    count++;
    return object;
}

unsigned optional_kind(lua_State* L, int index) {
    return optional_word(L, index, kind_words, NFCT_T_UNKNOWN);
}

int conntrack_text(lua_State* L) {
    const Conntrack& object = check_kind<Conntrack>(L, 1);
    lua_pushliteral(L, "conntrack: ");
    if (object.ended())
        lua_pushliteral(L, "destroyed");
    else
        push_text(L, object.ct, NFCT_T_UNKNOWN);
    lua_concat(L, 2);
    return 1;
}

std::span<const ModuleFunction> conntrack_functions() {
    return functions;
}

} // namespace nfqws2::lua

#endif
