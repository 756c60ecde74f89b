#include "rules/toml_depth.hpp"

#include "nfqws2/rules/compile.hpp"
#include "world.hpp"

#include <string>

namespace nfqws2::rules {
namespace {

// "a.a.a", with that many parts.
std::string key_of(std::size_t parts) {
    std::string key = "a";
    for (std::size_t i = 1; i < parts; i++)
        key += i % 2 == 0 ? ".a" : " . \"b\"";
    return key;
}
std::string repeated(const std::string& text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; i++)
        out += text;
    return out;
}

// A tree of tables as deep as a key has parts would take all of a stack when it is taken apart.
TEST(TomlDepth, KeysHaveFewParts) {
    constexpr std::size_t many = 50'000;
    const std::string texts[] = {
        "[" + key_of(many) + "]\n",
        "[[" + key_of(many) + "]]\n",
        key_of(many) + " = 1\n",
        "a = { " + key_of(many) + " = 1 }\n",
        // Each table alone is not deep.
        "a = " + repeated("{ " + key_of(60) + " = ", 200) + "1" + repeated(" }", 200) + "\n",
        "a = " + repeated("[", many) + "\n",
    };
    for (const std::string& text : texts) {
        const Compiled compiled = compile_text("version = 1\n" + text, "f.toml");
        ASSERT_EQ(1U, compiled.errors.size()) << text.substr(0, 80);
        EXPECT_TRUE(compiled.errors.front().starts_with("f.toml:2:")) << compiled.errors.front();
        EXPECT_NE(std::string::npos, compiled.errors.front().find("nested too deep: 64 levels"))
            << compiled.errors.front();
        EXPECT_EQ(nullptr, check_text("version = 1\n" + text).program);
    }
}

TEST(TomlDepth, SaysWhere) {
    const auto at = too_deep("# text\r\nx = 1\n  [" + repeated("a.", 70) + "a]\n");
    ASSERT_TRUE(at);
    EXPECT_EQ(3U, at->line);
    EXPECT_EQ(3U + 2 * most_nested, at->column); // the bracket is a level too
}

TEST(TomlDepth, LeavesOtherTextsAlone) {
    const std::string dots = repeated("a.", 200);
    const std::string texts[] = {
        "[" + key_of(most_nested) + "]\n" + key_of(most_nested) + " = 1\n",
        "# " + dots + "\n",
        "a = 1 # " + dots + " \"\n" + key_of(40) + " = 1\n",
        "a = \"" + dots + "\\\"" + dots + "\"\n",
        "a = '" + dots + "\\'\nb = \"" + dots + "\"\n",
        "a = \"\"\"" + dots + "\n\"" + dots + "\\\"\"\"\" \n",
        // Two quotes more than the three that end it.
        "a = \"\"\"x\"\"\"\"\"\nb = \"" + dots + "\"\n",
        "a = '''x''''\nb = \"" + dots + "\"\n",
        "a = ''''" + dots + "''''\n",
        "a = \"\"\nb = ''\nc = \"" + dots + "\"\n",
        "a = [" + repeated("1.5, ", 200) + "]\n",
        "a = [\n" + repeated("  [ 1.5 ],\n", 200) + "]\n",
        repeated("[[a.b]]\nx.y = 1.5\n", 200),
        repeated("] } ", 200) + key_of(60),
        "",
    };
    for (const std::string& text : texts)
        EXPECT_FALSE(too_deep(text)) << text;
    for (const std::string& text :
         {std::string("\""), std::string("'''"), std::string("\"\\"), std::string("\"\"\"\\")})
        EXPECT_FALSE(too_deep(text)) << text; // they end early
}

} // namespace
} // namespace nfqws2::rules
