// The structures of a `desync` table (src/lua/table/facts.hpp) as the compiler lays them out and as
// the FFI does: two fields that have changed places would be seen by scripts as each other.
#include "lua/table/builder_text.hpp"

#include "nfqws2/lua/lua.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfqws2::lua {

namespace {

// A state with the FFI, which knows the structures by their declarations.
class DeclarationsTest : public ::testing::Test {
  protected:
    DeclarationsTest() : L(luaL_newstate()) { luaL_openlibs(L); }
    ~DeclarationsTest() override { lua_close(L); }

    void declare() {
        const std::string source = "local declarations = ... "
                                   "ffi = require('ffi') ffi.cdef(declarations)";
        ASSERT_EQ(luaL_loadbuffer(L, source.data(), source.size(), "=test"), 0);
        push(L, declarations);
        ASSERT_EQ(lua_pcall(L, 1, 0, 0), 0) << lua_tostring(L, -1);
    }
    // ffi.FUNCTION(arguments...)
    template <typename... Text> std::size_t ask(const char* function, Text... arguments) {
        lua_getglobal(L, "ffi");
        lua_getfield(L, -1, function);
        (push(L, std::string_view(arguments)), ...);
        EXPECT_EQ(lua_pcall(L, sizeof...(arguments), 1, 0), 0) << lua_tostring(L, -1);
        const auto answer = static_cast<std::size_t>(lua_tonumber(L, -1));
        lua_pop(L, 2);
        return answer;
    }

    // Returns the number of fields.
    template <typename Structure> int compare() {
        const std::string type(Structure::c_type);
        EXPECT_EQ(ask("sizeof", type), sizeof(Structure)) << type;
        EXPECT_EQ(ask("alignof", type), alignof(Structure)) << type;
        int fields = 0;
        Structure::each([&](const char* name, auto member) {
            const Structure facts{};
            const auto place = reinterpret_cast<std::uintptr_t>(&(facts.*member)) -
                               reinterpret_cast<std::uintptr_t>(&facts);
            EXPECT_EQ(ask("offsetof", type, name), place) << type << "." << name;
            fields++;
        });
        return fields;
    }
    template <typename... Structure> int compare_all(Structures<Structure...>) {
        return (compare<Structure>() + ...);
    }

    lua_State* L;
};

TEST_F(DeclarationsTest, EveryFieldHasOnePlace) {
    if (!is_luajit) return; // no FFI
    ASSERT_NO_FATAL_FAILURE(declare());
    EXPECT_GT(compare_all(AllStructures{}), 60);
}

} // namespace

} // namespace nfqws2::lua
