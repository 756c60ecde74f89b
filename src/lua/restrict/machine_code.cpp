#include "nfqws2/lua/machine_code.hpp"

#include "nfqws2/base/file.hpp"
#include "nfqws2/lua/lua.hpp"

#include <memory>
#include <string_view>

namespace nfqws2::lua {

#ifdef LUA_JITLIBNAME

namespace {

struct Closer {
    void operator()(lua_State* state) const { lua_close(state); }
};

// Long enough to be compiled: a trace begins after 56 rounds.
constexpr const char* loop = "local n = 0 for i = 1, 1000 do n = n + i end";

// Pages that are both; also the stack, where that is the fashion of the system. Unknown is yes.
bool has_writable_code() {
    const ReadResult maps = read_file("/proc/self/maps");
    return !maps.ok() || as_text(maps.data).find(" rwx") != std::string_view::npos;
}

} // namespace

MachineCode find_machine_code() {
    const std::unique_ptr<lua_State, Closer> state(luaL_newstate());
    if (!state) return MachineCode::writable;
    luaL_openlibs(state.get());
    if (luaL_dostring(state.get(), loop) != 0) return MachineCode::writable;
    return has_writable_code() ? MachineCode::writable : MachineCode::sealed;
}

#else

MachineCode find_machine_code() {
    return MachineCode::none;
}

#endif

} // namespace nfqws2::lua
