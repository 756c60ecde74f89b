#include "nfqws2/profile/lua_call.hpp"

#include "nfqws2/base/bad_value.hpp"
#include "profile_testing.hpp"

namespace nfqws2::profile {
namespace {

using Args = std::vector<std::pair<std::string, std::string>>;

Args args_of(std::string_view text) {
    return parse_lua_call(text).args;
}

std::string whole_error_of(std::string_view text) {
    try {
        parse_lua_call(text);
    } catch (const BadValue& e) {
        return e.what();
    }
    ADD_FAILURE() << text;
    return "";
}

std::string error_of(std::string_view text) {
    return testing::without_hints(whole_error_of(text));
}

TEST(LuaCall, Hints) {
    EXPECT_TRUE(whole_error_of("fake,blob=x")
                    .ends_with(" (should be function:argument=value:..., like "
                               "fake:blob=fake_default_tls:repeats=2)"));
    EXPECT_TRUE(whole_error_of("fake:a-b=1")
                    .ends_with(" (bad argument name 'a-b', write \\: for a colon within a value)"));
    EXPECT_TRUE(whole_error_of("fake::x").ends_with(
        " (an argument is empty, write \\: for a colon within a value)"));
}

TEST(LuaCall, FunctionAlone) {
    const LuaInstance call = parse_lua_call("fake");
    EXPECT_EQ(call.func, "fake");
    EXPECT_TRUE(call.args.empty());
}

TEST(LuaCall, Arguments) {
    EXPECT_EQ(args_of("f:a=1:b"), (Args{{"a", "1"}, {"b", ""}}));
    EXPECT_EQ(args_of("f:s=a=b"), (Args{{"s", "a=b"}}));
    EXPECT_EQ(args_of("f:a="), (Args{{"a", ""}}));
    EXPECT_EQ(args_of("f:a=1:a=2"), (Args{{"a", "1"}, {"a", "2"}})); // first wins at run time
    EXPECT_EQ(args_of("f:a=x y"), (Args{{"a", "x y"}}));
}

TEST(LuaCall, ColonEscape) {
    EXPECT_EQ(args_of("f:a=1\\:2"), (Args{{"a", "1:2"}}));
    EXPECT_EQ(args_of("f:a=x\\\\:b"), (Args{{"a", "x\\:b"}})); // one item
    EXPECT_EQ(args_of("f:a=\\x\\\\"), (Args{{"a", "\\x\\\\"}}));
    EXPECT_EQ(args_of("f:a=\\%x:b=\\#y"), (Args{{"a", "\\%x"}, {"b", "\\#y"}}));
}

TEST(LuaCall, TrailingColon) {
    EXPECT_TRUE(args_of("f:").empty());
    EXPECT_EQ(args_of("f:a:"), (Args{{"a", ""}}));
    EXPECT_EQ(error_of("f::"), "invalid lua function call : f::");
    EXPECT_EQ(error_of("f::a"), "invalid lua function call : f::a");
    EXPECT_EQ(error_of("f:a::"), "invalid lua function call : f:a::");
}

TEST(LuaCall, Identifiers) {
    EXPECT_EQ(error_of(""), "bad identifier ''\ninvalid lua function call : ");
    EXPECT_EQ(error_of("a.b:x"), "bad identifier 'a.b'\ninvalid lua function call : a.b:x");
    EXPECT_EQ(error_of("1f"), "bad identifier '1f'\ninvalid lua function call : 1f");
    EXPECT_EQ(error_of("f:a b=1"), "invalid lua function call : f:a b=1");
    EXPECT_EQ(error_of("f:=1"), "invalid lua function call : f:=1");
    EXPECT_EQ(error_of("f\\:a"), "bad identifier 'f:a'\ninvalid lua function call : f\\:a");
    EXPECT_TRUE(args_of("_F9:_=1").size() == 1);
}

TEST(LuaCall, Listing) {
    Profile profile;
    profile.number = 1;
    LuaInstance call = parse_lua_call("f:a=1\\:2:b=\\%x");
    EXPECT_EQ(describe(profile, call),
              "profile 1 (noname) lua f(b=\"\\%x\",a=\"1:2\" range_in=x0-x0 range_out=a0-a0 "
              "payload_type= all)");
    call.payload.add(protocol::Payload::http_req);
    call.payload.add(protocol::Payload::tls_client_hello);
    EXPECT_NE(describe(profile, call).find("payload_type= http_req tls_client_hello)"),
              std::string::npos);
}

} // namespace
} // namespace nfqws2::profile
