// The recorded facts of tests/data/lua-api-vectors.lua, all at once and one failure per line.
#include "../../places.hpp"
#include "../fixture.hpp"

#include "nfqws2/base/file.hpp"

namespace nfqws2::lua {
namespace {

TEST_F(ApiTest, Vectors) {
    clock.advance_to(RealClock().unix_ns()); // the vectors compare with os.time()
    ReadResult file = read_file(nfqws2::test::in_data("lua-api-vectors.lua"));
    ASSERT_TRUE(file.ok()) << file.error;
    ASSERT_EQ(run("printed = {} function print(x) printed[#printed + 1] = x end"), "");
    ASSERT_EQ(run(std::string(as_text(file.data))), "");
    const std::string output = eval("table.concat(printed, '\\n')");
    EXPECT_EQ(output, "540 passed, 0 failed");
}

} // namespace
} // namespace nfqws2::lua
