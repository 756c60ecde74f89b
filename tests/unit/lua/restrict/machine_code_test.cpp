#include "nfqws2/lua/machine_code.hpp"

#include "nfqws2/lua/lua.hpp"

#include <gtest/gtest.h>

namespace nfqws2::lua {
namespace {

TEST(MachineCodeTest, IsMadeByLuaJitAlone) {
    EXPECT_EQ(find_machine_code() == MachineCode::none, !is_luajit);
    EXPECT_EQ(find_machine_code(), find_machine_code());
}

} // namespace
} // namespace nfqws2::lua
