// zlib streams (docs/contracts/native-functions.md#zlib-streams). A stream is a userdata that owns
// its z_stream and frees it when it is ended or collected.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace nfqws2::lua {

namespace {

constexpr const char* stream_type = "userdata_zstream";
constexpr std::size_t max_output = 64 * 1024 * 1024; // of one call: stops decompression bombs
constexpr std::size_t first_output = 4096;

enum class Role : std::uint8_t { inflate, deflate };

struct Stream {
    z_stream z{};
    Role role = Role::inflate;
    bool open = false;
    bool finished = false;
};

// zlib's memory is a part of what scripts may have. The size is kept in front of the block.
constexpr std::size_t block_header = alignof(std::max_align_t);

voidpf allocate(voidpf guard, uInt items, uInt size) {
    const std::size_t bytes = std::size_t{items} * size + block_header;
    if (!static_cast<Guard*>(guard)->reserve(bytes)) return nullptr;
    void* block = std::malloc(bytes);
    if (block == nullptr) {
        static_cast<Guard*>(guard)->release(bytes);
        return nullptr;
    }
    std::memcpy(block, &bytes, sizeof bytes);
    return static_cast<std::uint8_t*>(block) + block_header;
}

void release(voidpf guard, voidpf address) {
    void* block = static_cast<std::uint8_t*>(address) - block_header;
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof bytes);
    std::free(block);
    static_cast<Guard*>(guard)->release(bytes);
}

void close(Stream& stream) {
    if (!stream.open) return;
    stream.open = false;
    if (stream.role == Role::inflate)
        inflateEnd(&stream.z);
    else
        deflateEnd(&stream.z);
}

int collect(lua_State* L) {
    close(*static_cast<Stream*>(lua_touserdata(L, 1)));
    return 0;
}

Stream& push_stream(lua_State* L, Role role) {
    Stream& stream = *new (lua_newuserdata(L, sizeof(Stream))) Stream{};
    stream.role = role;
    stream.z.zalloc = allocate;
    stream.z.zfree = release;
    stream.z.opaque = &state_of(L).guard();
    if (luaL_newmetatable(L, stream_type)) {
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__close");
        hide_metatable(L, stream_type);
    }
    lua_setmetatable(L, -2);
    return stream;
}

Stream& check_stream(lua_State* L) {
    void* data = lua_touserdata(L, 1);
    bool good = false;
    if (data != nullptr && lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, stream_type);
        good = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!good) wrong_type(L, 1, stream_type);
    auto& stream = *static_cast<Stream*>(data);
    if (!stream.open) raise(L, "gzip stream is not valid");
    return stream;
}

Stream& check_stream(lua_State* L, Role role) {
    Stream& stream = check_stream(L);
    if (stream.role != role) luaL_error(L, "gzip stream role mismatch");
    return stream;
}

int optional_small_int(lua_State* L, int index, int otherwise) {
    if (lua_isnoneornil(L, index)) return otherwise;
    // Out of zlib's range either way.
    return static_cast<int>(std::clamp<std::int64_t>(check_int(L, index), -1000, 1000));
}

// Bytes to allocate first; nullopt if the argument makes no sense.
std::optional<std::size_t> output_hint(lua_State* L, int index, std::int64_t lowest,
                                       std::size_t otherwise) {
    if (lua_isnoneornil(L, index)) return otherwise;
    const std::int64_t hint = check_int(L, index);
    if (hint < lowest) return std::nullopt;
    return static_cast<std::size_t>(std::max<std::int64_t>(hint, 0));
}

// Whether the output may have so many bytes: beside them there is a copy while it grows, and the
// text that it becomes.
bool has_room(const Stream& stream, std::size_t size) {
    return size <= first_output || static_cast<Guard*>(stream.z.opaque)->has_room(2 * size);
}

// Runs the stream over the whole input. The output stands in `out`; false if the data is bad, the
// output too large or memory lacks.
bool run(Stream& stream, Bytes in, int flush, std::size_t hint, std::vector<std::uint8_t>& out) {
    try {
        const std::size_t wanted = std::clamp(hint, first_output, max_output);
        out.resize(has_room(stream, wanted) ? wanted : first_output);
        std::size_t written = 0;
        z_stream& z = stream.z;
        while (true) {
            const std::size_t piece = std::min<std::size_t>(in.size(), 1U << 30);
            const bool last = piece == in.size();
            z.next_in = const_cast<Bytef*>(in.data()); // zlib does not write there
            z.avail_in = static_cast<uInt>(piece);
            const auto room =
                static_cast<uInt>(std::min<std::size_t>(out.size() - written, 1U << 30));
            z.next_out = out.data() + written;
            z.avail_out = room;
            const int status = stream.role == Role::inflate
                                   ? inflate(&z, Z_NO_FLUSH)
                                   : deflate(&z, last ? flush : Z_NO_FLUSH);
            in = in.subspan(piece - z.avail_in);
            written += room - z.avail_out;
            if (status == Z_STREAM_END) {
                stream.finished = true;
                break;
            }
            if (status != Z_OK && status != Z_BUF_ERROR) return false;
            if (z.avail_out != 0 && in.empty()) break; // nothing more to say
            if (z.avail_out == 0 && out.size() == written) {
                const std::size_t more = std::min(out.size() * 2, max_output);
                if (more == out.size() || !has_room(stream, more)) return false;
                out.resize(more);
            } else if (status == Z_BUF_ERROR) {
                return false; // no progress although there are input and room
            }
        }
        out.resize(written);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

int push_nothing(lua_State* L) {
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
}

// Pushes what comes of the input and whether the stream is at its end.
int push_output(lua_State* L, Stream& stream, Bytes in, int flush, std::size_t hint) {
    auto& bytes = push_owned<std::vector<std::uint8_t>>(L);
    const bool good = run(stream, in, flush, hint, bytes);
    if (good) push(L, Bytes(bytes));
    free_owned(bytes);
    if (!good) return push_nothing(L);
    lua_pushboolean(L, stream.finished);
    return 2;
}

int push_end(lua_State* L) {
    lua_pushliteral(L, "");
    lua_pushboolean(L, true);
    return 2;
}

int end_stream(lua_State* L, const char* name, Role role) {
    check_count(L, name, 1);
    close(check_stream(L, role));
    return 0;
}

int gunzip_init(lua_State* L) {
    check_count(L, "gunzip_init", 0, 1);
    const int window_bits = optional_small_int(L, 1, 47);
    Stream& stream = push_stream(L, Role::inflate);
    stream.open = inflateInit2(&stream.z, window_bits) == Z_OK;
    if (!stream.open) lua_pushnil(L);
    return 1;
}

int gunzip_inflate(lua_State* L) {
    check_count(L, "gunzip_inflate", 2, 3);
    Stream& stream = check_stream(L, Role::inflate);
    const Bytes in = check_text(L, 2);
    const auto hint = output_hint(L, 3, 0, std::min(in.size(), max_output) * 4);
    if (stream.finished) return push_end(L); // whatever follows the end is dropped
    return hint ? push_output(L, stream, in, Z_NO_FLUSH, *hint) : push_nothing(L);
}

int gunzip_end(lua_State* L) {
    return end_stream(L, "gunzip_end", Role::inflate);
}

int gzip_init(lua_State* L) {
    check_count(L, "gzip_init", 0, 3);
    const int window_bits = optional_small_int(L, 1, 31);
    const int level = optional_small_int(L, 2, 9);
    const int memory_level = optional_small_int(L, 3, 8);
    Stream& stream = push_stream(L, Role::deflate);
    stream.open = deflateInit2(&stream.z, level, Z_DEFLATED, window_bits, memory_level,
                               Z_DEFAULT_STRATEGY) == Z_OK;
    if (!stream.open) lua_pushnil(L);
    return 1;
}

int gzip_deflate(lua_State* L) {
    check_count(L, "gzip_deflate", 1, 3);
    Stream& stream = check_stream(L, Role::deflate);
    const Bytes in = optional_text(L, 2);
    const auto hint = output_hint(L, 3, -63, in.size());
    if (stream.finished) return in.empty() ? push_end(L) : push_nothing(L);
    return hint ? push_output(L, stream, in, in.empty() ? Z_FINISH : Z_NO_FLUSH, *hint)
                : push_nothing(L);
}

int gzip_end(lua_State* L) {
    return end_stream(L, "gzip_end", Role::deflate);
}

} // namespace

void register_gzip_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"gunzip_init", gunzip_init},   {"gunzip_inflate", gunzip_inflate},
        {"gunzip_end", gunzip_end},     {"gzip_init", gzip_init},
        {"gzip_deflate", gzip_deflate}, {"gzip_end", gzip_end},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
