// The TOML that rules are written in, by the words of its specification (version 1.0).
#include "nfqws2/rules/document.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfqws2::rules {
namespace {

// A document on one line: {key = value, ...}, with texts in <> and other values as ?.
std::string told(const Node& node) {
    std::string out;
    switch (node.kind) {
    case Node::Kind::table:
        for (const Member& member : node.members)
            out += (out.empty() ? "" : ", ") + member.key + "=" + told(member.value);
        return "{" + out + "}";
    case Node::Kind::array:
        for (const Node& item : node.items)
            out += (out.empty() ? "" : ", ") + told(item);
        return "[" + out + "]";
    case Node::Kind::text:
        return "<" + node.text + ">";
    case Node::Kind::integer:
        return std::to_string(node.integer);
    case Node::Kind::boolean:
        return node.integer != 0 ? "true" : "false";
    case Node::Kind::other:
        break;
    }
    return "?";
}

std::string read(std::string_view text) {
    Node root;
    SyntaxError error;
    if (parse_toml(text, 7, root, error)) return told(root);
    EXPECT_EQ(7, error.at.file);
    return std::to_string(error.at.line) + ":" + std::to_string(error.at.column) + ": " +
           error.text;
}

struct Case {
    std::string_view text;
    const char* told;
};

TEST(Toml, Keys) {
    const Case cases[] = {
        {"", "{}"},
        {"\xEF\xBB\xBF# only this", "{}"},
        {"a = 1", "{a=1}"},
        {" \ta\t=\t1 \t# b = 2\r\nc=3\r\n", "{a=1, c=3}"},
        {"bare_key-1 = 1\n1234 = 2", "{1234=2, bare_key-1=1}"},
        {"\"a b\" = 1\n'\\n' = 2\n\"\" = 3", "{=3, \\n=2, a b=1}"},
        {"\"\\u00e9\" = 1\n\xC3\xA8 = 2", "2:1: the line should end here"},
        {"a.b.c = 1\na . b . \"d e\" = 2", "{a={b={c=1, d e=2}}}"},
        {"3.14 = 1", "{3={14=1}}"},
        {"true = 1\ninf = 2", "{inf=2, true=1}"},
        {"a = 1\na = 2", "2:1: 'a' stands here twice"},
        {"a.b = 1\na.b.c = 2", "2:3: 'b' stands here twice"},
        {"a = 1 b = 2", "1:7: the line should end here"},
        {"a", "1:2: '=' is needed here"},
        {"= 1", "1:1: the line should end here"},
        {"a. = 1", "1:4: a key is needed here"},
        {"a =", "1:4: a value is needed here"},
        {"a = # 1", "1:5: a value is needed here"},
        {"a\n= 1", "1:2: '=' is needed here"},
        {"'''a''' = 1", "1:1: a key has one line"},
        {"# \x01", "1:3: a control character"},
        {"a = 1\rb = 2", "1:6: the line should end here"},
        {std::string_view("a = \0", 5), "1:5: a value is needed here"},
        {"a = 'x'\nb = '\xFF'", "2:6: this is not UTF-8"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(one.told, read(one.text)) << one.text;
}

TEST(Toml, Numbers) {
    const Case cases[] = {
        {"a = [0, +0, -0, 42, +7, -17, 1_000, 5_3_4]", "{a=[0, 0, 0, 42, 7, -17, 1000, 534]}"},
        {"a = [0xDEAD_beef, 0o755, 0b1_1]", "{a=[3735928559, 493, 3]}"},
        {"a = [9223372036854775807, -9223372036854775808]",
         "{a=[9223372036854775807, -9223372036854775808]}"},
        {"a = 9223372036854775808", "1:5: the number does not fit into 64 bits"},
        {"a = [1.5, -0.01, 5e+22, 1e06, -2E-2, 6.626e-34, 1_0.5, inf, -inf, +nan]",
         "{a=[?, ?, ?, ?, ?, ?, ?, ?, ?, ?]}"},
        {"a = [1979-05-27T07:32:00Z, 1979-05-27 07:32:00.9-07:00, 1979-05-27, 07:32:00]",
         "{a=[?, ?, ?, ?]}"},
        {"a = [true, false]", "{a=[true, false]}"},
        {"a = 07", "1:5: '07' is no value; text stands in quotes"},
        {"a = 1__0", "1:5: '1__0' is no value; text stands in quotes"},
        {"a = _1", "1:5: '_1' is no value; text stands in quotes"},
        {"a = 1_", "1:5: '1_' is no value; text stands in quotes"},
        {"a = 0x", "1:5: '0x' is no value; text stands in quotes"},
        {"a = +0x1", "1:5: '+0x1' is no value; text stands in quotes"},
        {"a = 0xG", "1:5: '0xG' is no value; text stands in quotes"},
        {"a = +-1", "1:5: '+-1' is no value; text stands in quotes"},
        {"a = 5.", "1:5: '5.' is no value; text stands in quotes"},
        {"a = .5", "1:5: '.5' is no value; text stands in quotes"},
        {"a = True", "1:5: 'True' is no value; text stands in quotes"},
        {"a = tcp", "1:5: 'tcp' is no value; text stands in quotes"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(one.told, read(one.text)) << one.text;
}

TEST(Toml, Texts) {
    const Case cases[] = {
        {R"(a = "I'm \"q\" \\ \b\t\n\f\r\u0041\U0001F600")",
         "{a=<I'm \"q\" \\ \b\t\n\f\rA\xF0\x9F\x98\x80>}"},
        {R"(a = 'C:\x "q"')", "{a=<C:\\x \"q\">}"},
        {"a = \"\"\"\nRoses\nViolets\"\"\"", "{a=<Roses\nViolets>}"},
        {"a = '''\r\n one\r\ntwo'''", "{a=< one\r\ntwo>}"},
        {"a = \"\"\"The \\\n   quick \\  \n\n\t brown\\\r\n.\"\"\"", "{a=<The quick brown.>}"},
        {"a = '''no \\\nfold'''", "{a=<no \\\nfold>}"},
        {R"(a = """""two"" and \""" ends"""""  # end)", "{a=<\"\"two\"\" and \"\"\" ends\"\">}"},
        {"a = ''''one' ends''''", "{a=<'one' ends'>}"},
        {"a = [\"\", '', \"\"\"\"\"\", '''''']", "{a=[<>, <>, <>, <>]}"},
        {"a = \"\t\xC3\xA9\" x", "1:10: the line should end here"},
        {"a = \"\n\"", "1:6: the text does not end on its line"},
        {"a = 'x", "1:7: the text does not end on its line"},
        {"a = \"\"\"x\n\"\"", "2:3: the text does not end"},
        {R"(a = "\x")", "1:6: an unknown escape; \\\\ is a backslash"},
        {R"(a = "\u12")", "1:6: this escape is no character"},
        {R"(a = "\uD800")", "1:6: this escape is no character"},
        {R"(a = "\U00110000")", "1:6: this escape is no character"},
        {R"(a = "\u+041")", "1:6: this escape is no character"},
        {"a = '\x7F'", "1:6: a control character"},
        {"a = 'x\r'", "1:7: a control character"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(one.told, read(one.text)) << one.text;
}

TEST(Toml, ArraysAndInlineTables) {
    const Case cases[] = {
        {"a = []", "{a=[]}"},
        {"a = [ 1, 'b', [ true ], { c = 2 } ]", "{a=[1, <b>, [true], {c=2}]}"},
        {"a = [ # one\n\n 1 # two\n , # three\r\n 2, # four\n]", "{a=[1, 2]}"},
        {"a = [1 2]", "1:8: ',' or ']' is needed here"},
        {"a = [,]", "1:6: a value is needed here"},
        {"a = [1", "1:7: ',' or ']' is needed here"},
        {"a = {}\nb = { }", "{a={}, b={}}"},
        {"a = { c.d = 1, b = 2, c.e = { f = 3 } }", "{a={b=2, c={d=1, e={f=3}}}}"},
        {"a = { b = [\n1\n] }", "{a={b=[1]}}"},
        {"a = { b = 1, }", "1:14: a key is needed here"},
        {"a = { b = 1\n}", "1:12: ',' or '}' is needed here"},
        {"a = { b = 1, b = 2 }", "1:14: 'b' stands here twice"},
        {"a = { b = { c = 1 }, b.d = 2 }", "1:22: 'b' stands here twice"},
        {"a = { b = 1 }\na.c = 2", "2:1: 'a' stands here twice"},
        {"a = { b = 1 }\n[a.c]", "2:2: 'a' is no table that can grow"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(one.told, read(one.text)) << one.text;
}

TEST(Toml, Tables) {
    const Case cases[] = {
        {"[a]\nb = 1\n[c . 'd.e']\nf = 2", "{a={b=1}, c={d.e={f=2}}}"},
        {"[a]\n[b]", "{a={}, b={}}"},
        {"[x.y.z]\nw = 1\n[x]\nv = 2", "{x={v=2, y={z={w=1}}}}"},
        {"[[p]]\na = 1\n[[p]]\n[[p.r]]\nb = 2\n[p.r.t]\nc = 3\n[[p.r]]",
         "{p=[{a=1}, {r=[{b=2, t={c=3}}, {}]}]}"},
        {"a.b = 1\n[a.c]\nd = 2", "{a={b=1, c={d=2}}}"},
        {"[a]\n[a]", "2:2: 'a' stands here twice"},
        {"[a]\nb = 1\n[a.b]", "3:4: 'b' stands here twice"},
        {"[a]\nb.c = 1\n[a.b]", "3:4: 'b' stands here twice"},
        {"[a.b.c]\n[a]\nb.d = 1", "3:1: 'b' stands here twice"},
        {"a = [1]\n[[a]]", "2:3: 'a' stands here twice"},
        {"[[a]]\n[a]", "2:2: 'a' stands here twice"},
        {"[a]\n[[a]]", "2:3: 'a' stands here twice"},
        {"[a.b]\n[[a]]", "2:3: 'a' stands here twice"},
        {"[]", "1:2: a key is needed here"},
        {"[a.]", "1:4: a key is needed here"},
        {"[a", "1:3: ']' is needed here"},
        {"[[a]", "1:4: ']]' is needed here"},
        {"[[a] ]", "1:4: ']]' is needed here"},
        {"[ [a]]", "1:3: a key is needed here"},
        {"[a] b = 1", "1:5: the line should end here"},
    };
    for (const Case& one : cases)
        EXPECT_EQ(one.told, read(one.text)) << one.text;
}

// They stand in messages.
TEST(Toml, Places) {
    Node root;
    SyntaxError error;
    ASSERT_TRUE(parse_toml("# \xC3\xA9\n'\xC3\xA9' = [ 1,\n  2 ]\n[[t]]\n a.b = { c = 1 }\n[u.v]\n",
                           7, root, error));
    const auto place = [](const Place& at) {
        return std::to_string(at.file) + ":" + std::to_string(at.line) + ":" +
               std::to_string(at.column);
    };
    EXPECT_EQ("7:1:1", place(root.at));
    const Member& t = root.members[0];
    const Member& u = root.members[1];
    const Member& e = root.members[2];
    EXPECT_EQ("7:2:1", place(e.at));
    EXPECT_EQ("7:2:7", place(e.value.at));
    EXPECT_EQ("7:3:3", place(e.value.items[1].at));
    EXPECT_EQ("7:4:3", place(t.at));
    EXPECT_EQ("7:4:1", place(t.value.items[0].at));
    const Member& a = t.value.items[0].members[0];
    EXPECT_EQ("7:5:2", place(a.at));
    EXPECT_EQ("7:5:4", place(a.value.members[0].at));
    EXPECT_EQ("7:5:8", place(a.value.members[0].value.at));
    EXPECT_EQ("7:6:2", place(u.at));
    EXPECT_EQ("7:6:1", place(u.value.at));
    EXPECT_EQ("7:6:4", place(u.value.members[0].at));
}

TEST(Toml, DepthHasABound) {
    const auto deep = [](const char* open, const char* middle, const char* close, int count) {
        std::string text = "a = ";
        for (int i = 0; i < count; i++)
            text += open;
        text += middle;
        for (int i = 0; i < count; i++)
            text += close;
        return read(text);
    };
    EXPECT_TRUE(deep("[", "1", "]", 250).starts_with("{a=[[["));
    EXPECT_TRUE(deep("{ b = ", "1", " }", 250).starts_with("{a={b={"));
    EXPECT_NE(std::string::npos, deep("[", "1", "]", 100'000).find("too deep"));
    EXPECT_NE(std::string::npos, deep("{ b.c = ", "1", " }", 100'000).find("too deep"));
    EXPECT_NE(std::string::npos, deep("[", "", "", 100'000).find("too deep"));
    std::string keys = "a";
    for (int i = 0; i < 100'000; i++)
        keys += ".a";
    EXPECT_NE(std::string::npos, read(keys + " = 1").find("too deep"));
    EXPECT_NE(std::string::npos, read("[" + keys + "]").find("too deep"));
}

} // namespace
} // namespace nfqws2::rules
