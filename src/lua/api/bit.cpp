// Bits, fields, modular integers (docs/contracts/native-functions.md#bits-and-integers). They are
// at most 48 bits wide, so that a double holds them exactly on every engine.
#include "api/arguments.hpp"
#include "api/functions.hpp"

#include <algorithm>
#include <limits>

namespace nfqws2::lua {

namespace {

// A function name as template argument, so that one template serves all widths.
template <std::size_t size> struct Name {
    char text[size];
    constexpr Name(const char (&s)[size]) { std::copy_n(s, size, text); }
};

template <int width> constexpr std::uint64_t mask = (std::uint64_t{1} << width) - 1;
constexpr std::uint64_t mask48 = mask<48>;

// An integer of `width` bits with either sign, taken modulo 2^width.
template <int width> std::uint64_t check_uint(lua_State* L, int index) {
    constexpr auto limit = static_cast<std::int64_t>(mask<width>);
    return static_cast<std::uint64_t>(check_range(L, index, -limit, limit)) & mask<width>;
}

int push_uint(lua_State* L, std::uint64_t value) {
    push_int(L, static_cast<std::int64_t>(value));
    return 1;
}

template <Name name, bool left> int shift(lua_State* L) {
    check_count(L, name.text, 2);
    const std::uint64_t value = check_uint<48>(L, 1);
    const auto count = static_cast<unsigned>(check_range(L, 2, 0, 48));
    return push_uint(L, left ? value << count & mask48 : value >> count);
}

struct And {
    static constexpr int min_arguments = 2;
    static std::uint64_t apply(std::uint64_t a, std::uint64_t b) { return a & b; }
};
struct Or {
    static constexpr int min_arguments = 1;
    static std::uint64_t apply(std::uint64_t a, std::uint64_t b) { return a | b; }
};
struct Xor {
    static constexpr int min_arguments = 1;
    static std::uint64_t apply(std::uint64_t a, std::uint64_t b) { return a ^ b; }
};

template <Name name, typename Operation> int combine(lua_State* L) {
    check_count(L, name.text, Operation::min_arguments, 100);
    std::uint64_t result = check_uint<48>(L, 1);
    for (int i = 2, count = lua_gettop(L); i <= count; i++)
        result = Operation::apply(result, check_uint<48>(L, i));
    return push_uint(L, result);
}

template <Name name, int width> int invert(lua_State* L) {
    check_count(L, name.text, 1);
    return push_uint(L, ~check_uint<width>(L, 1) & mask<width>);
}

// A bit range given by two arguments.
struct BitRange {
    unsigned from;
    std::uint64_t mask;
};
BitRange check_bit_range(lua_State* L, int index) {
    const std::int64_t from = check_int(L, index), to = check_int(L, index + 1);
    if (from < 0 || from > to || to > 47) luaL_error(L, "bit range invalid");
    const std::uint64_t width_mask = (std::uint64_t{1} << (to - from + 1)) - 1;
    return {static_cast<unsigned>(from), width_mask};
}

int bitget(lua_State* L) {
    check_count(L, "bitget", 3);
    const std::uint64_t value = check_uint<48>(L, 1);
    const BitRange range = check_bit_range(L, 2);
    return push_uint(L, value >> range.from & range.mask);
}

int bitset(lua_State* L) {
    check_count(L, "bitset", 4);
    constexpr auto limit = static_cast<std::int64_t>(mask48);
    // A negative value stays negative here, as scripts know it.
    const auto value = static_cast<std::uint64_t>(check_range(L, 1, -limit, limit));
    const std::uint64_t bits = check_uint<48>(L, 4);
    const BitRange range = check_bit_range(L, 2);
    return push_uint(L, (value & ~(range.mask << range.from)) | (bits & range.mask) << range.from);
}

std::uint64_t load(Bytes bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes)
        value = value << 8 | byte;
    return value;
}

template <int width> using Field = std::array<std::uint8_t, width / 8>;

template <int width> Field<width> store(std::uint64_t value) {
    Field<width> bytes;
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= 8)
        *byte = static_cast<std::uint8_t>(value);
    return bytes;
}

template <Name name, int width> int read_field(lua_State* L) {
    check_count(L, name.text, 1, 2);
    const Bytes data = check_string(L, 1);
    const std::int64_t offset = lua_isnoneornil(L, 2) ? 1 : check_int(L, 2);
    if (offset < 1 || static_cast<std::uint64_t>(offset) > data.size() ||
        data.size() - static_cast<std::size_t>(offset) + 1 < width / 8)
        return luaL_error(L, "out of range");
    return push_uint(L, load(data.subspan(static_cast<std::size_t>(offset) - 1, width / 8)));
}

template <Name name, int width> int write_field(lua_State* L) {
    check_count(L, name.text, 1);
    push(L, Bytes(store<width>(check_uint<width>(L, 1))));
    return 1;
}

template <Name name, int width> int swap(lua_State* L) {
    check_count(L, name.text, 1);
    Field<width> bytes = store<width>(check_uint<width>(L, 1));
    std::reverse(bytes.begin(), bytes.end());
    return push_uint(L, load(bytes));
}

template <Name name, int width> int add(lua_State* L) {
    check_count(L, name.text, 1, 100);
    std::uint64_t sum = 0;
    for (int i = 1, count = lua_gettop(L); i <= count; i++)
        sum += check_uint<width>(L, i);
    return push_uint(L, sum & mask<width>);
}

int divint(lua_State* L) {
    check_count(L, "divint", 2);
    const std::int64_t a = check_int(L, 1), b = check_int(L, 2);
    if (b == 0)
        lua_pushnil(L);
    else // the one quotient that does not fit is its own negative modulo 2^64
        push_int(L, b == -1 && a == std::numeric_limits<std::int64_t>::min() ? a : a / b);
    return 1;
}

} // namespace

void register_bit_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"bitlshift", shift<"bitlshift", true>},
        {"bitrshift", shift<"bitrshift", false>},
        {"bitand", combine<"bitand", And>},
        {"bitor", combine<"bitor", Or>},
        {"bitxor", combine<"bitxor", Xor>},
        {"bitget", bitget},
        {"bitset", bitset},
        {"bitnot", invert<"bitnot48", 48>},
        {"bitnot8", invert<"bitnot8", 8>},
        {"bitnot16", invert<"bitnot16", 16>},
        {"bitnot24", invert<"bitnot24", 24>},
        {"bitnot32", invert<"bitnot32", 32>},
        {"bitnot48", invert<"bitnot48", 48>},
        {"u8", read_field<"u8", 8>},
        {"u16", read_field<"u16", 16>},
        {"u24", read_field<"u24", 24>},
        {"u32", read_field<"u32", 32>},
        {"u48", read_field<"u48", 48>},
        {"u8add", add<"u8add", 8>},
        {"u16add", add<"u16add", 16>},
        {"u24add", add<"u24add", 24>},
        {"u32add", add<"u32add", 32>},
        {"u48add", add<"u48add", 48>},
        {"bu8", write_field<"bu8", 8>},
        {"bu16", write_field<"bu16", 16>},
        {"bu24", write_field<"bu24", 24>},
        {"bu32", write_field<"bu32", 32>},
        {"bu48", write_field<"bu48", 48>},
        {"swap16", swap<"swap16", 16>},
        {"swap24", swap<"swap24", 24>},
        {"swap32", swap<"swap32", 32>},
        {"swap48", swap<"swap48", 48>},
        {"divint", divint},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
