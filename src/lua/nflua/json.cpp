// Theory of operation: values go straight from the text to the Lua stack and back, no tree between.
// What is being read or written is plain memory, since every push may raise an error; texts that
// must be put together belong to the call (api/owned.hpp). Depth and size are bounded, so cycles
// end by the former.
#include "nflua/json.hpp"

#include "api/arguments.hpp"
#include "api/owned.hpp"
#include "nfqws2/base/json.hpp"
#include "nfqws2/base/text.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

namespace nfqws2::lua {

namespace {

constexpr int max_depth = 100;
constexpr std::size_t max_size = 1024 * 1024;
char null_tag; // its address is json.null

void push_null(lua_State* L) {
    lua_pushlightuserdata(L, &null_tag);
}

bool is_null(lua_State* L, int index) {
    return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &null_tag;
}

int fail(lua_State* L, const char* why) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

// --- encode

class Encoder {
  public:
    Encoder(lua_State* L, std::string& out) : L_(L), out_(out), json_(out) {}

    // The value at the top. False: see error().
    bool value(int depth);
    const char* error() const { return error_; }

  private:
    bool fail(const char* why) {
        error_ = why;
        return false;
    }
    bool number();
    bool table(int depth);
    bool array(int depth, int count);
    bool object(int depth);
    // How many elements, if the table at the top has no other keys than 1..n; 0 otherwise.
    int elements() const;

    lua_State* L_;
    std::string& out_;
    JsonWriter json_;
    const char* error_ = nullptr;
};

bool Encoder::value(int depth) {
    if (out_.size() > max_size) return fail("the text is longer than 1 MB");
    switch (lua_type(L_, -1)) {
    case LUA_TNIL:
        json_.null();
        return true;
    case LUA_TBOOLEAN:
        json_.boolean(lua_toboolean(L_, -1));
        return true;
    case LUA_TNUMBER:
        return number();
    case LUA_TSTRING: {
        const Bytes text = check_text(L_, -1);
        if (text.size() > max_size) return fail("the text is longer than 1 MB");
        json_.text(as_text(text));
        return true;
    }
    case LUA_TTABLE:
        return table(depth);
    default:
        if (!is_null(L_, -1)) return fail("a value is no table, string, number or boolean");
        json_.null();
        return true;
    }
}

bool Encoder::number() {
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L_, -1)) {
        json_.raw(format("%lld", static_cast<long long>(lua_tointeger(L_, -1))));
        return true;
    }
#endif
    const double value = lua_tonumber(L_, -1);
    if (!std::isfinite(value)) return fail("a number is not finite");
    json_.raw(shortest_number(value));
    return true;
}

int Encoder::elements() const {
    int count = 0, highest = 0;
    lua_pushnil(L_);
    while (lua_next(L_, -2) != 0) {
        lua_pop(L_, 1);
        const double key = lua_type(L_, -1) == LUA_TNUMBER ? lua_tonumber(L_, -1) : 0;
        if (!(key >= 1 && key <= static_cast<double>(max_size) && key == std::floor(key))) {
            lua_pop(L_, 1);
            return 0;
        }
        count++;
        highest = std::max(highest, static_cast<int>(key));
    }
    return count == highest ? count : 0;
}

bool Encoder::table(int depth) {
    if (depth >= max_depth) return fail("a table is in itself, or the depth is above 100");
    const int count = elements();
    return count != 0 ? array(depth, count) : object(depth);
}

bool Encoder::array(int depth, int count) {
    json_.open_array();
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L_, -1, i);
        if (!value(depth + 1)) return false;
        lua_pop(L_, 1);
    }
    json_.close_array();
    return true;
}

bool Encoder::object(int depth) {
    json_.open_object();
    lua_pushnil(L_);
    while (lua_next(L_, -2) != 0) {
        const int type = lua_type(L_, -2);
        if (type != LUA_TSTRING && type != LUA_TNUMBER)
            return fail("a key is neither a string nor a number");
        lua_pushvalue(L_, -2); // lua_next must not see a converted key
        json_.key(as_text(check_text(L_, -1)));
        lua_pop(L_, 1);
        if (!value(depth + 1)) return false;
        lua_pop(L_, 1);
    }
    json_.close_object();
    return true;
}

int json_encode(lua_State* L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    luaL_checkstack(L, 4 * max_depth, "json");
    auto& out = push_owned<std::string>(L);
    lua_pushvalue(L, 1);
    Encoder encoder(L, out);
    const bool good = encoder.value(0);
    const char* error = encoder.error();
    if (good && out.size() > max_size) error = "the text is longer than 1 MB";
    if (!good || error != nullptr) {
        free_owned(out);
        return fail(L, error);
    }
    push(L, out);
    free_owned(out);
    return 1;
}

// --- decode

enum class Nulls { value, empty_text, nil };

class Decoder {
  public:
    // `scratch` is for texts with escapes.
    Decoder(lua_State* L, std::string_view text, Nulls nulls, std::string& scratch)
        : L_(L), text_(text), nulls_(nulls), scratch_(scratch) {}

    // Pushes the value of the whole text; false: see error(), and the stack is as it may be.
    bool document() {
        if (!value(0)) return false;
        skip_blanks();
        return at_ == text_.size() || fail("there is more behind the value");
    }
    const char* error() const { return error_; }
    std::size_t position() const { return at_; }

  private:
    bool fail(const char* why) {
        error_ = why;
        return false;
    }
    void skip_blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' ||
                                      text_[at_] == '\r' || text_[at_] == '\n'))
            at_++;
    }
    bool take(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    bool take_sign(char sign) {
        skip_blanks();
        return take({&sign, 1});
    }
    bool value(int depth);
    bool object(int depth);
    bool array(int depth);
    bool text();
    bool escape();
    bool unit(std::uint32_t& code);
    bool number();
    bool digits();

    lua_State* L_;
    std::string_view text_;
    std::size_t at_ = 0;
    Nulls nulls_;
    std::string& scratch_;
    const char* error_ = nullptr;
};

bool Decoder::value(int depth) {
    skip_blanks();
    if (take("{")) return object(depth);
    if (take("[")) return array(depth);
    if (take("\"")) return text();
    if (take("true") || take("false")) {
        lua_pushboolean(L_, text_[at_ - 2] == 'u');
        return true;
    }
    if (!take("null")) return number();
    if (nulls_ == Nulls::value)
        push_null(L_);
    else if (nulls_ == Nulls::empty_text)
        lua_pushliteral(L_, "");
    else
        lua_pushnil(L_);
    return true;
}

bool Decoder::object(int depth) {
    if (depth >= max_depth) return fail("the depth is above 100");
    lua_newtable(L_);
    if (take_sign('}')) return true;
    do {
        skip_blanks();
        if (!take("\"")) return fail("a name in quotes is missing");
        if (!text()) return false;
        if (!take_sign(':')) return fail("':' is missing");
        if (!value(depth + 1)) return false;
        lua_rawset(L_, -3);
    } while (take_sign(','));
    return take_sign('}') || fail("',' or '}' is missing");
}

bool Decoder::array(int depth) {
    if (depth >= max_depth) return fail("the depth is above 100");
    lua_newtable(L_);
    if (take_sign(']')) return true;
    int i = 0;
    do {
        if (!value(depth + 1)) return false;
        lua_rawseti(L_, -2, ++i);
    } while (take_sign(','));
    return take_sign(']') || fail("',' or ']' is missing");
}

bool Decoder::text() {
    scratch_.clear();
    while (at_ < text_.size()) {
        const char c = text_[at_];
        if (static_cast<unsigned char>(c) < 0x20) return fail("a control character in a text");
        at_++;
        if (c == '"') {
            push(L_, scratch_);
            return true;
        }
        if (c != '\\')
            scratch_ += c;
        else if (!escape())
            return false;
    }
    return fail("a text has no end");
}

bool Decoder::escape() {
    static constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const std::size_t which = at_ < text_.size() ? names.find(text_[at_]) : names.npos;
    if (which != names.npos) {
        scratch_ += meanings[which];
        at_++;
        return true;
    }
    std::uint32_t code = 0, low = 0;
    if (!unit(code)) return false;
    if (code >= 0xD800 && code < 0xE000) {
        if (code >= 0xDC00 || !take("\\") || !unit(low) || low < 0xDC00 || low > 0xDFFF)
            return fail("half of a character");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(scratch_, code);
    return true;
}

// uXXXX
bool Decoder::unit(std::uint32_t& code) {
    constexpr std::size_t count = 4;
    if (!take("u") || text_.size() - at_ < count) return fail("an unknown escape");
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + count, code, 16);
    if (error != std::errc() || end != begin + count) return fail("an unknown escape");
    at_ += count;
    return true;
}

bool Decoder::digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9')
        at_++;
    return at_ != begin;
}

bool Decoder::number() {
    const std::size_t begin = at_;
    take("-");
    const std::size_t first = at_;
    if (!digits() || (text_[first] == '0' && at_ != first + 1)) {
        at_ = begin;
        return fail("a value is missing");
    }
    bool whole = true;
    if (take(".")) {
        whole = false;
        if (!digits()) return fail("a bad number");
    }
    if (take("e") || take("E")) {
        whole = false;
        if (!take("+")) take("-");
        if (!digits()) return fail("a bad number");
    }
    const char *from = text_.data() + begin, *to = text_.data() + at_;
    std::int64_t integer = 0;
    if (whole && std::from_chars(from, to, integer).ec == std::errc()) {
        push_int(L_, integer);
        return true;
    }
    // By the C library: the tables of std::from_chars are large.
    const double value = std::strtod(std::string(from, to).c_str(), nullptr);
    if (!std::isfinite(value)) return fail("a number is out of range");
    push_number(L_, value);
    return true;
}

Nulls check_nulls(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return Nulls::value;
    const std::string_view word = as_text(check_text(L, index));
    if (word == "json-null") return Nulls::value;
    if (word == "empty-string") return Nulls::empty_text;
    if (word != "nil")
        luaL_argerror(L, index, lua_pushfstring(L, "invalid option '%s'", word.data()));
    return Nulls::nil;
}

int json_decode(lua_State* L) {
    const Bytes text = check_text(L, 1);
    const Nulls nulls = check_nulls(L, 2);
    if (text.size() > max_size) return fail(L, "the text is longer than 1 MB");
    lua_settop(L, 1);
    luaL_checkstack(L, 4 * max_depth, "json");
    auto& scratch = push_owned<std::string>(L);
    Decoder decoder(L, as_text(text), nulls, scratch);
    const bool good = decoder.document();
    free_owned(scratch);
    if (good) return 1;
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_pushfstring(L, "%s at byte %d", decoder.error(), static_cast<int>(decoder.position() + 1));
    return 2;
}

int json_isnull(lua_State* L) {
    lua_pushboolean(L, is_null(L, 1));
    return 1;
}

} // namespace

void push_json_module(lua_State* L) {
    lua_createtable(L, 0, 4);
    lua_pushcfunction(L, json_encode);
    lua_setfield(L, -2, "encode");
    lua_pushcfunction(L, json_decode);
    lua_setfield(L, -2, "decode");
    lua_pushcfunction(L, json_isnull);
    lua_setfield(L, -2, "isnull");
    push_null(L);
    lua_setfield(L, -2, "null");
}

} // namespace nfqws2::lua
