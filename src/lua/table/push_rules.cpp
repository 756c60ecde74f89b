#include "table/push_rules.hpp"

#include "api/arguments.hpp"

namespace nfqws2::lua {

void push_account(lua_State* L, const rules::Account& account) {
    lua_createtable(L, 0, 4);
    if (!account.profile.empty()) set_text(L, "profile", account.profile);
    set_int(L, "mark", account.mark);
    if (!account.verdict.empty()) set_text(L, "register", account.verdict);
    lua_createtable(L, static_cast<int>(account.hits.size()), 0);
    for (std::size_t i = 0; i < account.hits.size(); i++) {
        push(L, account.hits[i]);
        lua_rawseti(L, -2, static_cast<int>(i + 1));
    }
    lua_setfield(L, -2, "hits");
}

} // namespace nfqws2::lua
