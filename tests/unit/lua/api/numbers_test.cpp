// Integers, bits, random and byte strings where the vectors do not go.
#include "../fixture.hpp"

namespace nfqws2::lua {
namespace {

TEST_F(ApiTest, DivisionOfTheSmallestNumber) {
    EXPECT_EQ(run("local q = divint(-2^63, -1) assert(q == nil or q == -2^63)"), "");
    EXPECT_EQ(eval("divint(-7, 2)"), "-3");
    EXPECT_EQ(eval("divint(0, 0)"), "nil");
}

TEST_F(ApiTest, NotANumberIsOutOfRange) {
    const char* expected = is_luajit ? "out of range" : "number has no integer representation";
    for (const char* call : {"bu8(1/0)", "bu8(0/0)", "bitand(1, -1/0)", "swap16(0/0)", "u8add(1/0)",
                             "u8('abc', 0/0)", "bitlshift(1, 1/0)"})
        EXPECT_NE(run(std::string("local x = ") + call).find(expected), std::string::npos) << call;
}

TEST_F(ApiTest, EveryWidthHasItsLimits) {
    const std::string source = R"lua(
        for _, width in ipairs { 8, 16, 24, 32, 48 } do
            local limit = 2^width - 1
            if math.tointeger then limit = math.tointeger(limit) end
            local write, read, sum = _G["bu" .. width], _G["u" .. width], _G["u" .. width .. "add"]
            assert(write(limit) == ("\255"):rep(width / 8))
            assert(write(-limit) == ("\0"):rep(width / 8 - 1) .. "\1")
            assert(read(write(-2)) == limit - 1)
            assert(sum(limit, 1) == 0 and sum(0, -1) == limit)
            for _, f in ipairs { write, sum, _G["swap" .. width] or write } do
                for _, v in ipairs { limit + 1, -limit - 1 } do
                    local ok, message = pcall(f, v)
                    assert(not ok and message:find("out of range", 1, true))
                end
            end
            assert(not pcall(read, ("\0"):rep(width / 8 - 1)))
            assert(read(("\0"):rep(width / 8 - 1) .. "\1\2", 2) == 256 * 1 + 2 or width == 8)
        end
    )lua";
    EXPECT_EQ(run(source), "");
}

TEST_F(ApiTest, BitsetKeepsANegativeValueNegative) {
    EXPECT_EQ(eval("bitset(-1, 0, 7, 0)"), "-256");
    EXPECT_EQ(eval("bitset(0, 0, 47, -1)"), "281474976710655");
}

TEST_F(ApiTest, CombiningManyArguments) {
    EXPECT_EQ(run("local t = {} for i = 1, 100 do t[i] = 1 end "
                  "assert(u8add((unpack or table.unpack)(t)) == 100)"),
              "");
    EXPECT_EQ(run("local t = {} for i = 1, 101 do t[i] = 1 end "
                  "bitor((unpack or table.unpack)(t))"),
              "test:1: bitor expect from 1 to 100 arguments, got 101");
}

TEST_F(ApiTest, HexRefusesNul) {
    EXPECT_EQ(eval("parse_hex('12\\0\\0')"), "nil");
    EXPECT_EQ(eval_hex("parse_hex('12aBcD')"), "12abcd");
}

TEST_F(ApiTest, AddressTextStopsAtNul) {
    EXPECT_EQ(eval_hex("pton('1.2.3.4\\0junk')"), "01020304");
}

TEST_F(ApiTest, RandomLengthsAndAlphabets) {
    EXPECT_EQ(eval("#brandom(100000)"), "100000");
    EXPECT_EQ(eval("brandom_az(0)"), "");
    EXPECT_EQ(eval("brandom_az09(5000):match('^[a-z0-9]+$') ~= nil"), "true");
    EXPECT_EQ(run("local seen = {} for c in brandom_az09(5000):gmatch('.') do seen[c] = true end "
                  "local n = 0 for _ in pairs(seen) do n = n + 1 end assert(n == 36)"),
              "");
    EXPECT_EQ(run("brandom_az09(-1)"), "test:1: brandom: invalid arg");
}

TEST_F(ApiTest, RandomFollowsTheInjectedGenerator) {
    random.seed(7);
    const std::string first = eval_hex("brandom(20)") + eval_hex("bcryptorandom(20)");
    random.seed(7);
    EXPECT_EQ(eval_hex("brandom(20)") + eval_hex("bcryptorandom(20)"), first);
}

TEST_F(ApiTest, WrongCryptoLengths) {
    EXPECT_EQ(run("aes(true, 'short', '')"),
              "test:1: aes: wrong key length 5. should be 16,24,32.");
    EXPECT_EQ(run("aes(true, ('k'):rep(16), 'x')"),
              "test:1: aes: wrong data length 1. should be 16.");
    EXPECT_EQ(run("aes_ctr(('k'):rep(17), 'x', '')"),
              "test:1: aes_ctr: wrong key length 17. should be 16,24,32.");
    EXPECT_EQ(run("aes_ctr(('k'):rep(16), 'x', '')"),
              "test:1: aes_ctr: wrong iv length 1. should be 16.");
    EXPECT_EQ(run("aes_gcm(true, '', 'i', '')"),
              "test:1: aes_gcm: wrong key length 0. should be 16,24,32.");
    EXPECT_EQ(eval("hkdf('sha256', nil, nil, nil, 2^60)"), "nil");
}

} // namespace
} // namespace nfqws2::lua
