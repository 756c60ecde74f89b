#include "nfqws2/lua/compiler.hpp"

#if defined(LUA_JITLIBNAME)
extern "C" {
#include <luajit.h>
}
#endif

namespace nfqws2::lua {

namespace {

#if defined(LUA_JITLIBNAME)
void turn(lua_State* L, bool on) {
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | (on ? LUAJIT_MODE_ON : LUAJIT_MODE_OFF));
    if (!on) luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
}
void leave_out_top(lua_State* L) {
    luaJIT_setmode(L, -1, LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF);
}
#else
void turn(lua_State*, bool) {
}
void leave_out_top(lua_State*) {
}
#endif

} // namespace

void Compiler::leave_out(lua_State* L) {
    leave_out_top(L);
}

void Compiler::shut(lua_State* L) {
    if (shut_) return;
    turn(L, false);
    shut_ = true;
}

void Compiler::reopen(lua_State* L) {
    if (!is_luajit || !shut_) return;
    shut_ = false;
    if (wanted_) turn(L, true);
}

} // namespace nfqws2::lua
