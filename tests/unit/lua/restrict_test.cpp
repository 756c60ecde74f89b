// What scripts may not have, and what they must keep.
#include "api_fixture.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

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

TEST_F(ApiTest, LoadKeepsItsArguments) {
    EXPECT_EQ(eval("load('return ...')(7)"), "7");
    EXPECT_EQ(eval("select(2, load('x x', '=chunk')):match('^chunk:1:') ~= nil"), "true");
    EXPECT_EQ(eval("load('return y', 'chunk', 't', { y = 3 })()"), "3");
    EXPECT_EQ(eval("load('return y', 'chunk', 't')()"), "nil");
    EXPECT_EQ(eval("pcall(load)"), "false");
}

} // namespace
} // namespace nfqws2::lua
