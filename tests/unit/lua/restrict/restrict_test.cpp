// What scripts may not have, and what they must keep.
#include "../fixture.hpp"
#include "lua/restrict/guard_files.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <utility>

namespace nfqws2::lua {
namespace {

TEST_F(ApiTest, DangerousFunctionsAreGone) {
    for (const char* name :
         {"os.execute", "io.popen", "package.loadlib", "debug", "package.loaded.debug", "ffi",
          "package.loaded.ffi", "package.preload.ffi", "package.loaded['jit.util']",
          "package.loaded['jit.profile']", "package.preload['jit.util']",
          "package.preload['jit.profile']", "(package.loaders or package.searchers)[3]",
          "(package.loaders or package.searchers)[4]"})
        EXPECT_EQ(eval(name), "nil") << name;
    EXPECT_EQ(eval("package.cpath"), "");
    for (const char* module : {"ffi", "debug", "jit.util", "jit.profile"})
        EXPECT_EQ(eval(format("pcall(require, '%s')", module)), "false") << module;
}

// Everything that a script can reach from where it starts: through keys, values, metatables as it
// sees them and environments of functions.
class World {
  public:
    explicit World(lua_State* L) : L_(L) {
        lua_newtable(L_);
        seen_ = lua_gettop(L_);
        lua_pushglobaltable(L_);
        visit("_G");
        for (const char* value : {"nil", "true", "1", "''", "print", "io.stdout", "1LL",
                                  "coroutine.create(print)", "function() end"}) {
            if (luaL_dostring(L_, format("return %s", value).c_str()) != 0) {
                lua_pop(L_, 1); // this engine has no such value
                continue;
            }
            visit(value);
        }
        lua_settop(L_, seen_ - 1);
    }
    std::vector<std::string> cdata, userdata, script_functions, engine_functions;

  private:
    void visit(const std::string& path) { // takes the value from the stack
        luaL_checkstack(L_, 20, "too deep");
        const std::string type = luaL_typename(L_, -1);
        if (type == "nil") return lua_pop(L_, 1);
        lua_pushvalue(L_, -1);
        lua_rawget(L_, seen_);
        const bool known = !lua_isnil(L_, -1);
        lua_pop(L_, 1);
        if (known) return lua_pop(L_, 1);
        lua_pushvalue(L_, -1);
        lua_pushboolean(L_, 1);
        lua_rawset(L_, seen_);
        if (type == "cdata") cdata.push_back(path);
        if (type == "userdata") userdata.push_back(path);
        if (type == "function")
            (is_of_the_engine() ? engine_functions : script_functions).push_back(path);
        follow("getmetatable", path);
        if (type == "function") follow("getfenv", path);
        if (type == "table") {
            lua_pushnil(L_);
            while (lua_next(L_, -2) != 0) {
                lua_pushvalue(L_, -2);
                const std::string key =
                    lua_type(L_, -1) == LUA_TSTRING ? lua_tostring(L_, -1) : "?";
                visit(path + ".key");
                visit(path + "." + key);
            }
        }
        lua_pop(L_, 1);
    }
    // Native, or one of those that LuaJIT has in its own bytecode.
    bool is_of_the_engine() {
        lua_Debug about{};
        lua_pushvalue(L_, -1);
        lua_getinfo(L_, ">S", &about);
        const std::string_view source = about.short_src;
        return lua_iscfunction(L_, -1) != 0 || source.starts_with("[builtin:") ||
               source.starts_with("builtin:");
    }
    // What the function says of the value at the top.
    void follow(const char* function, const std::string& path) {
        lua_getglobal(L_, function);
        if (!lua_isfunction(L_, -1)) return lua_pop(L_, 1);
        lua_pushvalue(L_, -2);
        if (lua_pcall(L_, 1, 1, 0) != 0) return lua_pop(L_, 1);
        visit(function + ("(" + path + ")"));
    }
    lua_State* L_;
    int seen_;
};

TEST_F(ApiTest, NothingReachableTouchesMemory) {
    const World world(L());
    EXPECT_GT(world.engine_functions.size(), 150U);
    EXPECT_EQ(world.script_functions, std::vector<std::string>{"function() end"})
        << "functions of the program's own Lua code";
    for (const std::string& path : world.cdata)
        EXPECT_EQ(path, "1LL");
    for (const std::string& path : world.userdata) // std streams and `ctx`
        EXPECT_TRUE(path.find("io.std") != std::string::npos || path == "io.stdout") << path;
    const std::string said =
        eval("(function() local n = {} for k in pairs(package.preload) do "
             "n[#n + 1] = k end table.sort(n) return table.concat(n, ' ') end)()");
    const std::string ours = "nfct nfq";
    const std::string openresty =
        ours + " table.clear table.clone table.isarray table.isempty table.new table.nkeys";
    const bool expected =
        is_luajit ? said == ours + " table.clear table.new" || said == openresty : said == ours;
    EXPECT_TRUE(expected) << said;
}

// A newer engine may bring anything anywhere.
TEST(Restrict, WhatIsNotKnownIsTakenAway) {
    lua_State* L = luaL_newstate();
    ASSERT_NE(L, nullptr);
    luaL_openlibs(L);
    ASSERT_EQ(luaL_dostring(L, R"(
        local function f() return 'escaped' end
        string.peek, io.raw, table.address, math[1], _G.memory = f, f, f, f, {poke = f}
        package.loaded.memory, package.preload['string.pointer'] = memory, f
        getmetatable(io.stdout).poke = f
        getmetatable('').__call = f
        setmetatable(string, {__index = {poke = f}})
        debug.setmetatable(print, {__index = {address = f}})
        debug.setmetatable(1, {__index = {address = f}})
        debug.setmetatable(true, {__call = f})
        debug.setmetatable(nil, {__index = {x = f}})
        debug.setmetatable(coroutine.create(f), {__index = {stack = f}}))"),
              0)
        << lua_tostring(L, -1);
    ::testing::internal::CaptureStdout();
    restrict_libraries(L);
    const std::string said = ::testing::internal::GetCapturedStdout();
    for (const char* name : {"'peek' of string", "'raw' of io", "'memory' of _G", "of functions",
                             "'string.pointer' of package.preload", "of coroutines"})
        EXPECT_NE(said.find(name), std::string::npos) << name << "\n" << said;
    for (const char* expression :
         {"string.peek", "io.raw", "table.address", "math[1]", "memory", "package.loaded.memory",
          "package.preload['string.pointer']", "getmetatable(io.stdout).poke",
          "getmetatable('').__call", "string.poke", "getmetatable(string)", "getmetatable(print)",
          "getmetatable(1)", "getmetatable(true)", "getmetatable(nil)",
          "getmetatable(coroutine.create(print))"}) {
        ASSERT_EQ(luaL_dostring(L, format("return %s", expression).c_str()), 0) << expression;
        EXPECT_TRUE(lua_isnil(L, -1)) << expression;
        lua_settop(L, 0);
    }
    const World world(L);
    EXPECT_EQ(world.script_functions, std::vector<std::string>{"function() end"});
    lua_close(L);
}

TEST(Restrict, KnownEnginesHaveNothingUnknown) {
    lua_State* L = luaL_newstate();
    ASSERT_NE(L, nullptr);
    luaL_openlibs(L);
    ::testing::internal::CaptureStdout();
    restrict_libraries(L);
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
    lua_close(L);
}

// A trace event tells of the program's own functions as well as of the script's.
TEST_F(ApiTest, EventsHandOutNoFunctions) {
    if (!is_luajit) return; // no events
    ASSERT_EQ(
        run("events, functions = 0, 0 "
            "local function hear(...) events = events + 1 for i = 1, select('#', ...) do "
            "if type((select(i, ...))) == 'function' then functions = functions + 1 end end end "
            "jit.opt.start('hotloop=2') jit.attach(hear, 'trace') "
            "for i = 1, 200 do local x = 0 for j = 1, 50 do x = x + j end end "
            "jit.attach(hear) heard = events "
            "jit.flush() for i = 1, 200 do local x = 0 for j = 1, 50 do x = x + j end end"),
        "");
    EXPECT_EQ(eval("heard > 0"), "true");
    EXPECT_EQ(eval("functions"), "0");
    EXPECT_EQ(eval("events == heard"), "true") << "detached";
}

// Each of these once ran over the end of the C stack.
TEST_F(ApiTest, EndlessNestingIsAnErrorOfTheScript) {
    for (const char* nest :
         {"local function f() return (('x'):gsub('x', f)) end f()",
          "local t = setmetatable({}, {}) getmetatable(t).__index = function() "
          "return (('x'):gsub('x', t)) end local _ = ('x'):gsub('x', t)",
          "local function f() coroutine.wrap(f)() end f()",
          "local function f() assert(coroutine.resume(coroutine.create(f))) end f()",
          "local function f(a, b) table.sort({1, 2}, f) return a < b end table.sort({1, 2}, f)",
          "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() "
          "return string.format('%s', t) end string.format('%s', t)",
          "setmetatable(package.preload, {__index = function(_, k) return function() "
          "require(k .. 'x') end end}) require('x')"}) {
        const std::string error = run(nest);
        EXPECT_NE(error.find("overflow"), std::string::npos)
            << nest << ": " << error.substr(0, 200);
        EXPECT_EQ(eval("(('abc'):gsub('b', function(c) return c:upper() end))"), "aBc");
    }
}

TEST_F(ApiTest, BoundedFunctionsWorkAsBefore) {
    EXPECT_EQ(eval("select(2, ('aaa'):gsub('a', 'b', 2))"), "2");
    EXPECT_EQ(eval("select(2, pcall(string.gsub, 'x'))"),
              is_luajit ? "bad argument #2 to '?' (string expected, got no value)"
                        : eval("select(2, pcall(string.gsub, 'x'))"));
    EXPECT_EQ(eval("coroutine.wrap(function(a) return a + coroutine.yield(1) end)(1)"), "1");
    EXPECT_EQ(eval("(function() local f = coroutine.wrap(function(a) return a + coroutine.yield(7) "
                   "end) return f(1) + f(2) end)()"),
              "10");
    EXPECT_EQ(eval("select('#', coroutine.resume(coroutine.create(function() return 1, nil, nil "
                   "end)))"),
              "4");
    EXPECT_EQ(eval("select(2, coroutine.resume(coroutine.create(function() error('no', 0) end)))"),
              "no");
}

TEST_F(ApiTest, TheListOfGlobalsNeedsNoScript) {
    ASSERT_EQ(run("_G._G = nil setmetatable(getfenv and getfenv() or _ENV, "
                  "{__index = function() error('hostile') end})"),
              "");
    EXPECT_GT(state.globals().size(), 50U);
}

class NotedEnd final : public OrderlyEnd {
  public:
    bool request(int exit_code) override {
        code = exit_code;
        return true;
    }
    int code = -1;
};

TEST_F(ApiTest, ExitCodesMayBeText) {
    NotedEnd end;
    Services services = with(&connections);
    services.end = &end;
    State daemon(services, {});
    ASSERT_TRUE(daemon.open({}, {}, false));
    used = daemon.lua();
    EXPECT_NE(run("os.exit('3')").find("INTERRUPT by os.exit(3)"), std::string::npos);
    EXPECT_EQ(end.code, 3);
    EXPECT_NE(run("os.exit('x')").find("bad argument #1"), std::string::npos);
#if LUA_VERSION_NUM >= 503
    EXPECT_NE(run("os.exit(4.5)").find("bad argument #1"), std::string::npos);
#endif
    EXPECT_EQ(end.code, 3);
    used = state.lua();
}

TEST_F(ApiTest, TheRestOfTheLibrariesStays) {
    for (const char* name :
         {"io.open", "os.getenv", "os.exit", "os.remove", "os.rename", "os.tmpname", "os.time",
          "require", "load", "loadfile", "dofile", "string.dump", "string.rep", "table.concat",
          "coroutine.wrap", "collectgarbage", "math.random", "setmetatable", "pcall"})
        EXPECT_EQ(eval(format("type(%s)", name)), "function") << name;
    EXPECT_EQ(eval("type(jit)"), is_luajit ? "table" : "nil");
}

TEST_F(ApiTest, PrecompiledCodeIsRefused) {
    EXPECT_EQ(run("code = string.dump(function() ran = true end)"), "");
    EXPECT_EQ(eval("load(code)"), "nil");
    EXPECT_EQ(eval("load(code, 'name', 'b')"), "nil");
    EXPECT_EQ(eval("load(code, 'name', 'bt', {})"), "nil");
    // A reader function, whole or byte by byte.
    EXPECT_EQ(eval("(function() local given load(function() if not given then given = true "
                   "return code end end, 'name', 'b') end)()"),
              "nil");
    EXPECT_EQ(run("local at = 0 local f = load(function() at = at + 1 return code:sub(at, at) end) "
                  "if f then f() end assert(not ran)"),
              "");
    EXPECT_EQ(run("if loadstring then assert(loadstring(code) == nil) end"), "");
    EXPECT_EQ(eval("ran"), "nil");
}

TEST_F(ApiTest, PrecompiledFilesAreRefused) {
    char folder[] = "/tmp/nfqws2_lua_XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    const std::string path = std::string(folder) + "/module.lua";
    EXPECT_EQ(run("local f = io.open('" + path +
                  "', 'wb') f:write(string.dump(function() ran = true end)) f:close()"),
              "");
    EXPECT_EQ(eval("loadfile('" + path + "')"), "nil");
    EXPECT_EQ(eval("loadfile('" + path + "', 'b')"), "nil");
    EXPECT_EQ(eval("pcall(dofile, '" + path + "')"), "false");
    EXPECT_EQ(eval("ran"), "nil");
    ::testing::internal::CaptureStderr();
    const LuaInit item{true, path};
    EXPECT_FALSE(state.run_init({&item, 1}, {}));
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("precompiled code is refused"),
              std::string::npos);

    std::ofstream(path) << "return 42";
    EXPECT_EQ(eval("dofile('" + path + "')"), "42");
    EXPECT_EQ(eval("loadfile('" + path + "')()"), "42");
    EXPECT_EQ(run("package.path = '" + std::string(folder) + "/?.lua'"), "");
    EXPECT_EQ(eval("require('module')"), "42");
    std::filesystem::remove_all(folder);
}

// Source behind a "#!" line is looked at as well.
// As the engine's own, but a pipe is passed over: looking at it would wait for somebody who writes.
TEST_F(ApiTest, SearchPath) {
    char folder[] = "/tmp/nfqws2-search-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    const std::string in = folder;
    ASSERT_EQ(mkfifo((in + "/pipe.lua").c_str(), 0600), 0);
    std::filesystem::create_directory(in + "/a");
    std::ofstream(in + "/a/b.lua") << "return 42";
    EXPECT_EQ(run("folder = '" + in + "' package.path = folder .. '/?.lua'"), "");
    EXPECT_EQ(eval("package.searchpath('a.b', ';;x/?;' .. package.path)"), in + "/a/b.lua");
    EXPECT_EQ(eval("package.searchpath('a-b', package.path, '-')"), in + "/a/b.lua");
    EXPECT_EQ(eval("package.searchpath('aXXb', package.path, 'XX', '/')"), in + "/a/b.lua");
    EXPECT_EQ(eval("package.searchpath('a/b', package.path, '')"), in + "/a/b.lua");
    EXPECT_EQ(eval("require('a.b')"), "42");
    const std::string none = "no file '" + in + "/pipe.lua'";
    EXPECT_EQ(
        eval("(select(2, package.searchpath('pipe', 'x?;' .. package.path)):gsub('^%s+', ''))"),
        "no file 'xpipe'\n\t" + none);
    EXPECT_NE(eval("select(2, pcall(require, 'pipe'))").find("\n\t" + none), std::string::npos);
    EXPECT_EQ(eval("package.searchpath('x', '')"), "nil");
    std::filesystem::remove_all(in);
}

TEST_F(ApiTest, PrecompiledTextOfTheCommandLineIsRefused) {
    ASSERT_EQ(run("code = string.dump(function() ran = true end)"), "");
    lua_getglobal(L(), "code");
    std::size_t size = 0;
    const char* code = lua_tolstring(L(), -1, &size);
    const std::string bytes(code, size);
    lua_pop(L(), 1);
    for (const std::string& prefix :
         {std::string(), std::string("#!x\n"), std::string("\xEF\xBB\xBF")})
        EXPECT_NE(run(prefix + bytes), "") << prefix;
    EXPECT_EQ(eval("ran"), "nil");
}

// LuaJIT loads the FFI by itself when it meets such a number. Without the compiled builder of
// desync tables nobody has loaded it before.
TEST(Restrict, NumbersDoNotBringTheFfiBack) {
    if (!is_luajit) return; // no such numbers
    lua_State* L = luaL_newstate();
    ASSERT_NE(L, nullptr);
    luaL_openlibs(L);
    restrict_libraries(L);
    ASSERT_TRUE(load_text(L, "local n = 1LL return package.loaded.ffi", "=test"));
    ASSERT_EQ(lua_pcall(L, 0, 1, 0), 0);
    EXPECT_TRUE(lua_isnil(L, -1));
    lua_close(L);
}

TEST_F(ApiTest, CompilerKeepsItsLimits) {
    if (!is_luajit) return; // no compiler
    EXPECT_EQ(run("jit.opt.start('maxrecord=12000', 'hotloop=10', '-fold', '+fold')"), "");
    for (const char* option : {"maxrecord=12001", "maxirconst=60000", "maxmcode=9999999",
                               "sizemcode=99999999999999999999"})
        EXPECT_EQ(eval(format("pcall(jit.opt.start, '%s')", option)), "false") << option;
    EXPECT_EQ(eval("package.loaded['jit.opt'].start == jit.opt.start"), "true");
    EXPECT_EQ(run("local f = function() end jit.attach(f, 'trace') jit.attach(f)"), "");
    for (const char* event : {"bc", "record", "texit", "errfin"})
        EXPECT_EQ(eval(format("pcall(jit.attach, print, '%s')", event)), "false") << event;
}

// A gate that admits what is below one directory, and remembers what it was asked.
class TestGate final : public FileGate {
  public:
    bool admits(const char* path, FileUse use) const override {
        asked += format("%c:%s ", "rwx"[static_cast<int>(use)], path);
        return std::string_view(path).starts_with(open_directory);
    }
    std::string open_directory;
    mutable std::string asked;
};

class FileGateTest : public ApiTest {
  protected:
    void SetUp() override {
        char folder[] = "/tmp/nfqws2_gate_XXXXXX";
        ASSERT_NE(mkdtemp(folder), nullptr);
        folder_ = folder;
        std::filesystem::create_directory(folder_ + "/open");
        std::ofstream(folder_ + "/module.lua") << "return 42";
        std::ofstream(folder_ + "/open/module.lua") << "return 43";
        gate_.open_directory = folder_ + "/open";
        fresh_ = luaL_newstate();
        luaL_openlibs(fresh_);
        guard_files(fresh_, &gate_);
        restrict_libraries(fresh_);
        std::swap(used, fresh_);
        lua_settop(used, 0);
        lua_pushnil(used); // in place of the message handler
        lua_pushcfunction(used, [](lua_State*) { return 1; });
        lua_replace(used, message_handler_index);
        ASSERT_EQ(run("folder = '" + folder_ + "' inside = folder .. '/open'"), "");
    }
    void TearDown() override {
        std::swap(used, fresh_);
        lua_close(fresh_);
        std::filesystem::remove_all(folder_);
    }
    std::string asked() { return std::exchange(gate_.asked, ""); }

    std::string folder_;
    TestGate gate_;
    lua_State* fresh_ = nullptr;
};

TEST_F(FileGateTest, RefusesAsTheSystemDoes) {
    EXPECT_EQ(eval("select(2, io.open(folder .. '/x', 'w')) == folder .. '/x: Permission denied'"),
              "true");
    EXPECT_EQ(eval("select(3, io.open(folder .. '/x', 'w'))"), "13");
    for (const char* call :
         {"io.open(folder .. '/module.lua')", "os.remove(folder .. '/module.lua')",
          "os.rename(folder .. '/module.lua', inside .. '/y')",
          "os.rename(inside .. '/module.lua', folder .. '/y')",
          "loadfile(folder .. '/module.lua')"})
        EXPECT_EQ(eval(format("(%s)", call)), "nil") << call;
    for (const char* call :
         {"io.lines, folder .. '/module.lua'", "io.input, folder .. '/module.lua'",
          "io.output, folder .. '/x'", "dofile, folder .. '/module.lua'"})
        EXPECT_EQ(eval(format("pcall(%s)", call)), "false") << call;
    EXPECT_EQ(run("package.path = folder .. '/?.lua'"), "");
    EXPECT_EQ(eval("pcall(require, 'module')"), "false");
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/module.lua"));
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/x"));
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/open/module.lua"));
}

TEST_F(FileGateTest, LetsTheRestThrough) {
    EXPECT_EQ(run("local f = assert(io.open(inside .. '/x', 'w')) f:write('text\\n') f:close()"),
              "");
    EXPECT_EQ(eval("io.open(inside .. '/x'):read()"), "text");
    EXPECT_EQ(eval("io.lines(inside .. '/x')()"), "text");
    EXPECT_EQ(eval("io.input(inside .. '/x'):read()"), "text");
    EXPECT_EQ(eval("io.type(io.input())"), "file");
    EXPECT_EQ(eval("os.rename(inside .. '/x', inside .. '/y')"), "true");
    EXPECT_EQ(eval("os.remove(inside .. '/y')"), "true");
    EXPECT_EQ(eval("loadfile(inside .. '/module.lua')()"), "43");
    EXPECT_EQ(eval("dofile(inside .. '/module.lua')"), "43");
    EXPECT_EQ(run("package.path = inside .. '/?.lua'"), "");
    EXPECT_EQ(eval("require('module')"), "43");
    EXPECT_EQ(run("io.open()"),
              "test:1: bad argument #1 to 'open' (string expected, got no value)");
}

TEST_F(FileGateTest, IsToldWhatTheFileIsFor) {
    const struct {
        const char* call;
        const char* question;
    } cases[] = {{"io.open('f')", "r:f "},          {"io.open('f', 'rb')", "r:f "},
                 {"io.open('f', 'r+')", "w:f "},    {"io.open('f', 'wb')", "w:f "},
                 {"io.open('f', 'a')", "w:f "},     {"pcall(io.lines, 'f')", "r:f "},
                 {"pcall(io.output, 'f')", "w:f "}, {"os.remove('f')", "x:f "},
                 {"loadfile('f')", "r:f "},         {"io.tmpfile()", ""}};
    for (const auto& c : cases) {
        EXPECT_EQ(run(c.call), "") << c.call;
        EXPECT_EQ(asked(), c.question) << c.call;
    }
}

TEST_F(ApiTest, TheCompilerIsTurnedForFunctionsAndForAll) {
    if (!is_luajit) return; // no compiler
    EXPECT_EQ(run("local function f() jit.off(true) end f() jit.on(f) jit.off(f, true) jit.on(f)"),
              "");
    EXPECT_EQ(run("jit.off() assert(not jit.status()) jit.on() assert(jit.status())"), "");
    EXPECT_EQ(eval("pcall(jit.off, 5)"), "false");
}

TEST_F(ApiTest, LoadKeepsItsArguments) {
    EXPECT_EQ(eval("load('return ...')(7)"), "7");
    EXPECT_EQ(eval("select(2, load('x x', '=chunk')):match('^chunk:1:') ~= nil"), "true");
    EXPECT_EQ(eval("load('return y', 'chunk', 't', { y = 3 })()"), "3");
    EXPECT_EQ(eval("load('return y', 'chunk', 't')()"), "nil");
    EXPECT_EQ(eval("pcall(load)"), "false");
}

} // namespace
} // namespace nfqws2::lua
