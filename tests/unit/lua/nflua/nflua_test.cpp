#include "../fixture.hpp"
#include "lua/nflua/host.hpp"

namespace nfqws2::lua {
namespace {

// `data` and `json` as nflua_enable() hands them out.
class Nflua : public ApiTest {
  protected:
    Nflua() {
        const LuaInit items[] = {{false, "native = nflua_enable() data, json = native.data, "
                                         "native.json"}};
        EXPECT_TRUE(state.run_init(items, {}));
    }
    void holds(const std::string& code) { EXPECT_EQ(run(code), "") << code; }
    void fails(const std::string& code, const std::string& why) {
        EXPECT_NE(run(code).find(why), std::string::npos) << code << ": " << run(code);
    }
};

TEST_F(ApiTest, NfluaIsForTheStart) {
    EXPECT_FALSE(state.wants_frames());
    EXPECT_EQ(run("nflua_enable()"), "test:1: nflua_enable: only while Lua starts");
    EXPECT_FALSE(state.wants_frames());
}

TEST_F(Nflua, ShowsFrames) {
    EXPECT_TRUE(state.wants_frames());
    fails("nflua_enable()", "only while Lua starts");
    const LuaInit again[] = {{false, "nflua_enable()"}};
    EXPECT_TRUE(state.run_init(again, {}));
}

TEST_F(Nflua, FieldsOfData) {
    holds("d = data.new{0xaa, 0xbb, 0xcc, 0xdd}");
    holds("d:layout{be16 = {0, 16}, le16 = {0, 16, 'number', 'le'}, four = {16, 4}, "
          "nine = {20, 9}, out = {32, 1}}");
    holds("assert(#d == 4 and d.be16 == 0xaabb and d.le16 == 0xbbaa and d.four == 0xc)");
    holds("assert(d.nine == 0x19B and d.out == nil and d.other == nil and d[1] == nil)");
    holds("d.out, d.other, d[1] = 1, 2, 3");
    holds("s = d:segment(1, 3); assert(#s == 3 and s.be16 == 0xbbcc)");
    holds("s.be16 = 0x1234; assert(d.be16 == 0xaa12 and tostring(d) == '\\xaa\\x12\\x34\\xdd')");
    holds("d = nil collectgarbage() collectgarbage() assert(s.be16 == 0x1234)");
    holds("t = s:segment(1); s = nil collectgarbage() assert(#t == 2 and t.be16 == 0x34dd)");
    holds("assert(t:tostring() == '\\x34\\xdd')");
}

TEST_F(Nflua, TextsOfData) {
    holds("d = data.new('abcdef'); d:layout{str = {0, 6, 's'}, late = {4, 3, 'string'}}");
    holds("assert(d.str == 'abcdef' and d.late == nil)");
    holds("d.str = 'hij'; assert(d.str == 'hijdef')");
    holds("d.str = 'longer than it is'; assert(d.str == 'longer')");
    holds("d.str = 12; assert(d.str == '12nger'); d.late = 'x'; d.str = ''");
    fails("d.str = {}", "string expected");
}

TEST_F(Nflua, LayoutsOfData) {
    holds("l = {a = {0, 8}, b = {offset = 8, length = 8, type = 'n', endian = 'l'}, c = {0}, "
          "d = {0, 0}, e = {-1, 8}, f = 5, g = {2^60, 8}, h = {0, 16, 'little'}, [1] = {0, 8}}");
    holds("assert(data.layout(l) == l and l.a[2] == 8)");
    holds("x = data.new('\\1\\2'); x:layout(l); assert(x.a == 1 and x.b == 2 and x.h == 0x102)");
    holds("for _, n in ipairs{'c', 'd', 'e', 'f', 'g'} do assert(x[n] == nil) end");
    holds("x:layout{layout = {0, 8}}; assert(type(x.layout) == 'function' and x.a == nil)");
    fails("x:layout(5)", "table expected");
    fails("data.layout()", "table expected");
}

TEST_F(Nflua, NumbersOfData) {
    holds("d = data.new(8); d:layout{all = {0, 64}, most = {1, 63}, byte = {0, 8}}");
    holds("d.all = -1; assert(d.all == -1 and d.byte == 255)");
    holds("d.byte = 256 + 7; assert(d.byte == 7); d.byte = 3.9; assert(d.byte == 3)");
    holds("d.byte = '5'; assert(d.byte == 5); d.byte = -1; assert(d.byte == 255)");
    holds("d.all = 2^63; assert(d.byte == 128); d.all = 2^64 + 2^60; assert(d.byte == 16)");
    holds("d.byte = 9; d.byte = 0/0; d.byte = 1/0; assert(d.byte == 9)");
    fails("d.byte = {}", "number expected");
    fails("d.byte = nil", "number expected");
}

TEST_F(Nflua, NewData) {
    holds("assert(data.new() == nil and data.new(0) == nil and data.new{} == nil)");
    holds(
        "assert(data.new('') == nil and #data.new(3) == 3 and tostring(data.new(2)) == '\\0\\0')");
    holds("assert(tostring(data.new{65, 66, 256 + 67}) == 'ABC')");
    fails("data.new(-1)", "not enough memory");
    fails("data.new(16 * 1024 * 1024 + 1)", "not enough memory");
    fails("data.new(2^40)", "not enough memory");
    fails("data.new{1, {}}", "no number");
    fails("data.new(print)", "expected, got function");
    holds("d = data.new(4)");
    holds("for _, c in ipairs{{4}, {-1}, {0, 5}, {3, 2}, {0, -1}, {2^60}} do "
          "assert(d:segment(c[1], c[2]) == nil) end assert(#d:segment() == 4)");
    holds("assert(getmetatable(d) == 'data' and not pcall(setmetatable, d, {}))");
    fails("d.segment(io.stdout)", "data expected");
    fails("d.layout({}, {})", "data expected");
}

TEST_F(Nflua, JsonToLua) {
    holds("v = json.decode('{\"a\":[1,null]}'); assert(v.a[1] == 1 and json.isnull(v.a[2]))");
    holds("assert(v.a[2] == json.null and not json.isnull(nil) and not json.isnull(0))");
    holds("assert(#json.decode('{\"a\":[1,null]}', 'nil').a == 1)");
    holds("assert(json.decode('[null]', 'empty-string')[1] == '')");
    holds("assert(json.decode(' [ 1.5 , -2e3, true,false , \"\\\\u00e9\\\\n\\\\ud83d\\\\ude00\"] ')"
          "[5] == '\\195\\169\\n\\240\\159\\152\\128')");
    holds("assert(json.decode('0') == 0 and json.decode('\"\"') == '' and json.decode('-0.5') == "
          "-0.5)");
    for (const char* bad :
         {"{",     "",    "[1,]",  "{\"a\"}", "{\"a\":}", "{a:1}",     "01",          "1.",
          "1e",    "-",   "tru",   "\"",      "\"\\x\"",  "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"",
          "[1] 2", "nan", "1e999", "\"\t\""})
        holds("local v, why = json.decode([==[" + std::string(bad) +
              "]==]); assert(v == nil and type(why) == 'string')");
    holds("assert(json.decode(('['):rep(100) .. (']'):rep(100)))");
    holds(
        "local v, why = json.decode(('['):rep(101) .. (']'):rep(101)); assert(why:find('depth'))");
    holds("local v, why = json.decode((' '):rep(2^20) .. '1'); assert(why:find('1 MB'))");
    fails("json.decode({})", "string expected");
    fails("json.decode('1', 'x')", "invalid option 'x'");
}

TEST_F(Nflua, LuaToJson) {
    holds("assert(json.encode{1, 2, {}} == '[1,2,{}]')");
    holds("assert(json.encode{a = {true, false, json.null}} == '{\"a\":[true,false,null]}')");
    holds("assert(json.encode('a\"\\n') == '\"a\\\\\"\\\\n\"' and json.encode(nil) == 'null')");
    holds("assert(json.encode(1.5) == '1.5' and json.encode{[2] = 'x'} == '{\"2\":\"x\"}')");
    holds("loop = {} loop[1] = loop");
    for (const char* bad : {"0/0", "1/0", "print", "loop", "{[{}] = 1}", "{print}", "io.stdout",
                            "('x'):rep(2^20 + 1)"})
        holds("local v, why = json.encode(" + std::string(bad) +
              "); assert(v == nil and type(why) == 'string')");
    holds("local v, why = json.encode{('x'):rep(2^19), ('x'):rep(2^19)}; assert(why:find('1 MB'))");
    holds("local t = {a = {1, 'x', {b = 2.5}}}; local u = json.decode(json.encode(t)); "
          "assert(u.a[1] == 1 and u.a[2] == 'x' and u.a[3].b == 2.5)");
    fails("json.encode()", "value expected");
}

TEST_F(Nflua, CopiesAreBounded) {
    holds("all = {} for i = 1, 10000 do all[i] = native.copy('x') end");
    fails("native.copy('x')", "couldn't copy packet");
    holds("native.copy_close(all[1]) native.copy_close(all[1]) all[1] = native.copy('y')");
    holds("assert(native.copy_bytes(all[1]) == 'y')");
    EXPECT_EQ(state.nflua().copies, 10000U);
    holds("all = nil for i = 1, 100 do pcall(native.copy, 'x') end");
    holds("for i = 1, 20000 do native.copy('x') end"); // garbage is no obstacle
    holds("collectgarbage() collectgarbage()");
    EXPECT_EQ(state.nflua().copies, 0U);
    EXPECT_EQ(state.nflua().copied, 0U);
    holds("all = {} for i = 1, 64 do all[i] = native.copy(('x'):rep(2^20)) end");
    fails("native.copy('x')", "couldn't copy packet");
    fails("native.copy_bytes(io.stdout)", "packet copy expected");
    fails("native.copy_close()", "packet copy expected");
}

// Objects, natives and modules with every kind of value.
// A finalizer closes the copy while its bytes are made into a text.
TEST_F(Nflua, CopiesClosedByFinalizers) {
    holds(R"lua(
        local copy
        local long = ("x"):rep(5000)
        local function last() if copy then native.copy_close(copy) end end
        collectgarbage("setpause", 0)
        for i = 1, 300 do
            if newproxy then
                getmetatable(newproxy(true)).__gc = last
            else
                setmetatable({}, { __gc = last })
            end
            copy = native.copy(long .. i)
            local text = native.copy_bytes(copy)
            assert(text == nil or text == long .. i)
        end
        collectgarbage("setpause", 200)
    )lua");
}

TEST_F(Nflua, WrongValuesAreErrors) {
    holds(R"lua(
        local loop = {} loop[1] = loop loop.x = loop
        local object = data.new('0123456789') object:layout{x = {0, 8}, s = {0, 4, 's'}}
        local values = { false, true, 0, -1, 1.5, 2^31, 2^53, 2^63, -2^63, 1/0, 0/0, '', 'x', '5',
            '{"a":[1]}', {}, loop, {x = {0, 8}}, {x = {loop, loop, loop, loop}}, print, io.stdout,
            coroutine.create(print), object, object:segment(1), native.copy('x'), json.null,
            setmetatable({}, {__index = function() error('asked') end}) }
        local functions = { data.new, data.layout, json.encode, json.decode, json.isnull,
            object.layout, object.segment, object.tostring, native.call, native.commit,
            native.hotdrop, native.packet, native.connid, native.copy, native.copy_bytes,
            native.copy_close, native.now, native.memory, native.conditions, native.match_mask,
            packet_replace, nflua_enable,
            function(o, v) o.x = v end, function(o, v) o.s = v end,
            function(o, v) return o[v] end, function(o, v) o[v] = v end }
        local n = #values + 1
        for _, f in ipairs(functions) do
            pcall(f)
            for a = 1, n do
                pcall(f, values[a])
                for b = 1, n do
                    local ok, why = pcall(f, values[a], values[b])
                    assert(ok or type(why) == 'string')
                    pcall(f, values[a], values[b], values[(a * 7 + b * 13) % n + 1])
                end
            end
        end
        assert(#object == 10))lua");
}

} // namespace
} // namespace nfqws2::lua
