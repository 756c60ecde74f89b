// What scripts may not have, and what they must keep.
#include "api_fixture.hpp"
#include "nfqws2/lua/file_gate.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
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
    const InitItem item{true, path};
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
        guard_files(fresh_, gate_);
        restrict_libraries(fresh_);
        std::swap(host.L, fresh_);
        lua_settop(host.L, 0);
        lua_pushnil(host.L); // in place of the message handler
        lua_pushcfunction(host.L, [](lua_State*) { return 1; });
        lua_replace(host.L, message_handler_index);
        ASSERT_EQ(run("folder = '" + folder_ + "' inside = folder .. '/open'"), "");
    }
    void TearDown() override {
        std::swap(host.L, fresh_);
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

TEST_F(ApiTest, LoadKeepsItsArguments) {
    EXPECT_EQ(eval("load('return ...')(7)"), "7");
    EXPECT_EQ(eval("select(2, load('x x', '=chunk')):match('^chunk:1:') ~= nil"), "true");
    EXPECT_EQ(eval("load('return y', 'chunk', 't', { y = 3 })()"), "3");
    EXPECT_EQ(eval("load('return y', 'chunk', 't')()"), "nil");
    EXPECT_EQ(eval("pcall(load)"), "false");
}

} // namespace
} // namespace nfqws2::lua
