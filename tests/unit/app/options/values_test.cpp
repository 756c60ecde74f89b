#include "app/options/blob_value.hpp"

#include "../parse_helper.hpp"

#include <pwd.h>

namespace nfqws2::app {
namespace {

template <typename F> std::string failure(F&& action) {
    try {
        action();
    } catch (const BadValue& e) {
        return e.what();
    }
    return "";
}

lua::Blob whole_blob(const std::string& text, const std::vector<lua::Blob>& existing) {
    BlobSource source = open_blob(text, existing);
    if (source.file) source.blob.data = read_blob(source);
    return std::move(source.blob);
}

TEST(Values, Flag) {
    EXPECT_TRUE(parse_flag(std::nullopt));
    EXPECT_TRUE(parse_flag("1"));
    EXPECT_TRUE(parse_flag("2"));
    EXPECT_FALSE(parse_flag("0"));
    EXPECT_FALSE(parse_flag(""));
    EXPECT_EQ(failure([] { parse_flag("yes"); }), "bad value 'yes', should be 0 or 1");
}

TEST(Values, Fwmark) {
    EXPECT_EQ(parse_fwmark("0x10"), 0x10U);
    EXPECT_EQ(parse_fwmark("0xffffFFFF"), 0xFFFFFFFFU);
    EXPECT_EQ(parse_fwmark("1073741824"), 0x40000000U);
    for (const char* bad :
         {"0", "0x0", "", "0x", "0X10", "64k", "0x1FFFFFFFF", "-1", "0xg", "0x 1"})
        EXPECT_TRUE(contains(failure([&] { parse_fwmark(bad); }),
                             "fwmark/sockarg should be decimal or 0xHEX and should not be zero"))
            << bad;
}

TEST(Values, CtrackTimeouts) {
    const auto four = parse_ctrack_timeouts("1:2:3:4", {});
    EXPECT_EQ(four.timeout_syn, 1U);
    EXPECT_EQ(four.timeout_established, 2U);
    EXPECT_EQ(four.timeout_fin, 3U);
    EXPECT_EQ(four.timeout_udp, 4U);
    const auto three = parse_ctrack_timeouts("5:6:7", {});
    EXPECT_EQ(three.timeout_fin, 7U);
    EXPECT_EQ(three.timeout_udp, 60U) << "default";
    for (const char* bad : {"", "1", "1:2", "1:2:x", "1:2:3x", "1::3", "1:2:3:", "1:2:3:4:5"})
        EXPECT_TRUE(contains(failure([&] { parse_ctrack_timeouts(bad, {}); }),
                             "invalid ctrack-timeouts value"))
            << bad;
}

TEST(Values, Uid) {
    const auto plain = parse_uid("5", {});
    EXPECT_TRUE(plain.drop);
    EXPECT_EQ(plain.uid, 5U);
    EXPECT_EQ(plain.gids, std::vector<unsigned>{0x7FFFFFFF});
    EXPECT_EQ(parse_uid("5:6", {}).gids, std::vector<unsigned>{6});
    EXPECT_EQ(parse_uid("0:6,7,8", {}).gids, (std::vector<unsigned>{6, 7, 8}));

    std::string gids = "1:0";
    for (int i = 1; i < 64; i++)
        gids += "," + std::to_string(i);
    EXPECT_EQ(parse_uid(gids, {}).gids.size(), 64U);
    for (const std::string& bad :
         {std::string(""), std::string("x"), std::string("5:"), std::string("5:1,,2"),
          std::string("5:1,"), std::string("5:x"), std::string("-1"), gids + ",64"})
        EXPECT_TRUE(
            contains(failure([&] { parse_uid(bad, {}); }), "--uid should be : uid[:gid,gid,...]"))
            << bad;
}

TEST(Values, User) {
    const passwd* root = getpwnam("root");
    ASSERT_NE(root, nullptr);
    const auto user = parse_user("root", parse_uid("5:6,7", {}));
    EXPECT_TRUE(user.by_user);
    EXPECT_EQ(user.uid, root->pw_uid);
    EXPECT_EQ(user.gids, std::vector<unsigned>{root->pw_gid});
    EXPECT_FALSE(parse_uid("5", user).by_user) << "the later one wins";
    EXPECT_TRUE(contains(failure([] { parse_user("no-such-user-here", {}); }),
                         "non-existent username supplied"));
}

TEST(Values, Networks) {
    const auto list = parse_networks("192.0.2.10,2001:db8::/32,10.0.0.0/8");
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0].prefix, 32U);
    EXPECT_EQ(list[1].address.version, 6);
    EXPECT_EQ(list[1].prefix, 32U);
    EXPECT_EQ(list[2].prefix, 8U);
    for (const char* bad : {"", "x", "1.2.3.4/33", "::/129", "1.2.3.4,", "1.2.3.4/"})
        EXPECT_TRUE(contains(failure([&] { parse_networks(bad); }), "bad ip or subnet : ")) << bad;
}

TEST(Values, BlobHex) {
    const auto blob = whole_blob("a:0x0aFF", {});
    EXPECT_EQ(blob.name, "a");
    EXPECT_EQ(blob.data, (std::vector<std::uint8_t>{0x0a, 0xff}));
    for (const char* bad : {"a:0x", "a:0x1", "a:0xzz"})
        EXPECT_TRUE(contains(failure([&] { whole_blob(bad, {}); }), "invalid hex string: ")) << bad;
    EXPECT_TRUE(contains(failure([] { whole_blob("a:0X00", {}); }), "cannot access file '0X00'"));
}

TEST(Values, BlobFile) {
    const TempDir dir;
    const std::string file = dir.file("b", "0123456789");
    const std::string empty = dir.file("empty", "");
    const auto text = [](const lua::Blob& b) { return std::string(as_text(b.data)); };
    EXPECT_EQ(text(whole_blob("a:" + file, {})), "0123456789");
    EXPECT_EQ(text(whole_blob("a:@" + file, {})), "0123456789");
    EXPECT_EQ(text(whole_blob("a:+3@" + file, {})), "3456789");
    EXPECT_EQ(text(whole_blob("a:+9@" + file, {})), "9");
    EXPECT_EQ(text(whole_blob("a:+3junk@" + file, {})), "3456789");
    EXPECT_EQ(text(whole_blob("a:" + empty, {})), "");
    EXPECT_EQ(text(whole_blob("a:+5@" + empty, {})), "");
    EXPECT_EQ(failure([&] { whole_blob("a:+10@" + file, {}); }),
              "offset 10 is beyond file size 10");
    EXPECT_NE(failure([&] { whole_blob("a:+x@" + file, {}); }), "");
    EXPECT_TRUE(contains(failure([] { whole_blob("a:+3", {}); }), "cannot access file ''"));
    EXPECT_TRUE(contains(failure([&] { whole_blob("a:@" + (dir / "no"), {}); }),
                         "cannot access file '" + (dir / "no") + "'"));
    EXPECT_TRUE(contains(failure([&] { whole_blob("a:@" + dir.path(), {}); }), "could not read '"));
}

TEST(Values, BlobSizes) {
    const TempDir dir;
    EXPECT_EQ(whole_blob("a:" + dir.file("big", std::string(100'000, 'x')), {}).data.size(),
              100'000U);
    EXPECT_EQ(whole_blob("a:/dev/zero", {}).data.size(), 16384U);
    EXPECT_GT(whole_blob("a:/proc/self/status", {}).data.size(), 10U);
}

TEST(Values, BlobNames) {
    const std::vector<lua::Blob> existing{{"b", {}}};
    EXPECT_EQ(failure([&] { whole_blob("b:0x00", existing); }), "duplicate blob name 'b'");
    for (const std::string name : {"fake_default_tls", "fake_default_http", "fake_default_quic"})
        EXPECT_EQ(failure([&] { whole_blob(name + ":0x00", {}); }),
                  "duplicate blob name '" + name + "'");
    EXPECT_EQ(failure([] { whole_blob("1a:0x00", {}); }), "bad identifier '1a'");
    EXPECT_EQ(failure([] { whole_blob(":0x00", {}); }), "bad identifier ''");
    EXPECT_NE(failure([] { whole_blob("a", {}); }), "");
    EXPECT_NE(failure([] { whole_blob("a:", {}); }), "");
}

TEST(Values, LuaInitThatForgotItsAtSign) {
    for (const char* name : {"zapret-lib.lua", "/opt/x.lua", "lua/x.lua.gz"})
        EXPECT_EQ(failure([&] { parse_lua_code(name, "lua-init"); }),
                  std::string("'") + name + "' is no Lua code, to run a file write --lua-init=@" +
                      name);
    for (const char* code : {"x=1", "dofile('x.lua')", "x=y.lua", "", "lua", "x = a.lua"})
        EXPECT_FALSE(parse_lua_code(code, "lua-init").is_file) << code;
}

TEST(Values, LuaInit) {
    const TempDir dir;
    const auto source = parse_lua_code("x = 1", "lua-init");
    EXPECT_FALSE(source.is_file);
    EXPECT_EQ(source.text, "x = 1");
    EXPECT_FALSE(parse_lua_code("", "lua-init").is_file);
    const auto file = parse_lua_code("@" + (dir / "./new.lua"), "lua-init");
    EXPECT_TRUE(file.is_file);
    EXPECT_EQ(file.text, std::filesystem::canonical(dir.path()).string() + "/new.lua");
    EXPECT_EQ(failure([] { parse_lua_code("@/no/dir/f.lua", "lua-init"); }),
              "bad file '/no/dir/f.lua' (No such file or directory)");
}

TEST(Values, MadeAbsoluteResolvesLinks) {
    const TempDir dir;
    const std::string file = dir.file("real", "");
    std::filesystem::create_symlink(file, dir / "link");
    EXPECT_EQ(made_absolute(dir / "link"), std::filesystem::canonical(file).string());
}

} // namespace
} // namespace nfqws2::app
