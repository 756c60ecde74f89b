#include "app/options/config_file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace nfqws2::app {
namespace {

using Texts = std::vector<std::string>;

Texts texts(const std::vector<Word>& words) {
    Texts out;
    for (const Word& w : words)
        out.push_back(w.text);
    return out;
}

Texts expand(const std::string& text) {
    return texts(expand_config(text, "f"));
}

std::string failure(const std::string& text) {
    try {
        expand_config(text, "my.conf");
    } catch (const ConfigError& e) {
        return e.what();
    }
    return "";
}

class TempFile {
  public:
    explicit TempFile(const std::string& content) {
        char name[] = "/tmp/nfqws2_conf_XXXXXX";
        const int fd = mkstemp(name);
        EXPECT_GE(fd, 0);
        path_ = name;
        std::ofstream(path_, std::ios::binary) << content;
        fclose(fdopen(fd, "r"));
    }
    ~TempFile() { std::remove(path_.c_str()); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

TEST(ConfigFile, QuotesAndEscapes) {
    EXPECT_EQ(expand("--lua-desync=\"f:a=x y\""), Texts{"--lua-desync=f:a=x y"});
    EXPECT_EQ(expand("'f:a=x \"y\"'"), Texts{"f:a=x \"y\""});
    EXPECT_EQ(expand("f:a=x\\ y"), Texts{"f:a=x y"});
    EXPECT_EQ(expand("a=x\"\"y b=''"), (Texts{"a=xy", "b="}));
    EXPECT_EQ(expand(R"("\\:" "\"" "\$" "\n")"), (Texts{"\\:", "\"", "$", "\\n"}));
}

TEST(ConfigFile, LineEndsAreBlanksAlsoInQuotes) {
    EXPECT_EQ(expand("a\nb\r\nc\td"), (Texts{"a", "b", "c", "d"}));
    EXPECT_EQ(expand("'a\nb\tc'"), Texts{"a b c"});
    EXPECT_EQ(expand("\"x\r\ny\""), Texts{"x  y"});
    EXPECT_EQ(expand("a\\\nb"), Texts{"a b"}) << "an escaped space, not a continuation";
}

TEST(ConfigFile, Variables) {
    setenv("NFQWS2_T", "one two", 1);
    unsetenv("NFQWS2_NONE");
    EXPECT_EQ(expand("$NFQWS2_T"), (Texts{"one", "two"}));
    EXPECT_EQ(expand("\"${NFQWS2_T}\""), Texts{"one two"});
    EXPECT_EQ(expand("a=$NFQWS2_NONE"), Texts{"a="});
    EXPECT_EQ(expand("'$NFQWS2_T'"), Texts{"$NFQWS2_T"});
    EXPECT_EQ(expand("${NFQWS2_NONE:-a\nb}"), (Texts{"a", "b"})) << "expansion over a line end";
}

TEST(ConfigFile, Arithmetic) {
    EXPECT_EQ(expand("$((3+4))"), Texts{"7"});
    EXPECT_EQ(expand("--qnum=$((3\n+ 4)) x"), (Texts{"--qnum=7", "x"}));
}

TEST(ConfigFile, EmptyArithmeticIsAnError) {
    unsetenv("NFQWS2_NONE");
    for (const char* text : {"$(())", "a $(($NFQWS2_NONE))", "$[]", "\"$(())\""})
        EXPECT_NE(failure(text), "") << text;
    EXPECT_EQ(expand("'$(())' \\$5 '$[]' $((2))$((3))"), (Texts{"$(())", "$5", "$[]", "23"}));
}

TEST(ConfigFile, CommandSubstitutionIsRefused) {
    EXPECT_NE(failure("a $(ls)").find("command substitution"), std::string::npos);
    EXPECT_NE(failure("a `ls`").find("command substitution"), std::string::npos);
}

TEST(ConfigFile, UnquotedSpecialCharactersAreErrors) {
    for (const char c : std::string("|&;<>(){}")) {
        const std::string text = std::string("--out-range=s1") + c + "d1";
        EXPECT_NE(failure(text).find("must be quoted"), std::string::npos) << c;
        EXPECT_EQ(expand("'" + text + "'"), Texts{text});
    }
}

TEST(ConfigFile, Globbing) {
    const std::filesystem::path dir =
        std::filesystem::temp_directory_path() / ("nfqws2_glob_" + std::to_string(getpid()));
    std::filesystem::create_directory(dir);
    for (const char* name : {"h1.txt", "h2.txt"})
        std::ofstream(dir / name) << "";
    const std::string d = dir.string();
    EXPECT_EQ(expand("--ipset " + d + "/h?.txt"), (Texts{"--ipset", d + "/h1.txt", d + "/h2.txt"}));
    EXPECT_EQ(expand("--ipset=" + d + "/h?.txt"), Texts{"--ipset=" + d + "/h?.txt"});
    EXPECT_EQ(expand(d + "/none*"), Texts{d + "/none*"});
    std::filesystem::remove_all(dir);
}

TEST(ConfigFile, HomeDirectory) {
    setenv("HOME", "/home/test", 1);
    EXPECT_EQ(expand("--hostlist ~/f"), (Texts{"--hostlist", "/home/test/f"}));
    EXPECT_EQ(expand("--new\n--hostlist=~/f\n--filter-tcp=~80"),
              (Texts{"--new", "--hostlist=~/f", "--filter-tcp=~80"}));
}

TEST(ConfigFile, MissingQuoteNamesFileAndLine) {
    const std::string text = failure("--qnum=5\n--name=ok\n--lua-init=\"x\n--new\n");
    EXPECT_NE(text.find("failed to split command line options from file 'my.conf'"),
              std::string::npos);
    EXPECT_NE(text.find("line 3"), std::string::npos) << text;
}

TEST(ConfigFile, EndsAtNul) {
    EXPECT_EQ(expand(std::string("a b\0c|", 6)), (Texts{"a", "b"}));
    EXPECT_EQ(expand(""), Texts{});
}

// What only mentions options does not give them.
TEST(ConfigFile, LinesThatBeginWithHashAndBlankAreComments) {
    EXPECT_EQ(expand("# --qnum=5\n \t#\t--new\n--name=a"), Texts{"--name=a"});
    EXPECT_EQ(expand("# it's --qnum=5 $(x) `\n--name=a"), Texts{"--name=a"});
    EXPECT_EQ(expand("--name=a\r\n# --qnum=5\r\n--new"), (Texts{"--name=a", "--new"}));
    Texts remarks;
    expand_config("--new\n# --qnum=5\n# nothing - but $text\n# '-qnum' 5\n#\n", "my.conf",
                  &remarks);
    EXPECT_EQ(remarks, Texts{"my.conf:2: a line that begins with '#' and a blank is a comment, the "
                             "options in it have no effect (2 such lines)"});
    remarks.clear();
    expand_config("# plain\n--new # --name=a\n", "my.conf", &remarks);
    EXPECT_EQ(remarks, Texts{});
}

// Lines pasted from a shell end in backslashes.
TEST(ConfigFile, CommentLineBehindAnEscapedLineEnd) {
    EXPECT_EQ(expand("--name=a \\\n# --qnum=5 \\\n--new"), (Texts{"--name=a", " ", "--new"}));
    EXPECT_EQ(expand("--name=a \\\n  # --qnum=5\n--new"), (Texts{"--name=a", " ", "--new"}));
    EXPECT_EQ(expand("--name=a\\\n#b --new"), (Texts{"--name=a #b", "--new"}));
    Texts remarks;
    expand_config("--new \\\n# --qnum=5\n", "my.conf", &remarks);
    EXPECT_EQ(remarks, Texts{"my.conf:2: a line that begins with '#' and a blank is a comment, the "
                             "options in it have no effect"});
}

TEST(ConfigFile, WhatEditorsPutInFront) {
    EXPECT_EQ(expand("\xEF\xBB\xBF--qnum=5\n--new"), (Texts{"--qnum=5", "--new"}));
    EXPECT_EQ(expand("\xEF\xBB\xBF# --qnum=5"), Texts{});
    for (const char* text : {"\xFF\xFE-", "\xFE\xFF"})
        EXPECT_EQ(failure(text), "config file 'my.conf' is UTF-16 text, save it as UTF-8");
}

TEST(ConfigFile, HashWordsStayWordsIfAnOptionFollows) {
    EXPECT_EQ(expand("#--qnum=5 --new"), (Texts{"#--qnum=5", "--new"}));
    EXPECT_EQ(expand("a # '--qnum=5'"), (Texts{"a", "#", "--qnum=5"}));
    EXPECT_EQ(expand("a #x y"), (Texts{"a", "#x", "y"}));
    EXPECT_EQ(expand("a#b"), Texts{"a#b"});
    EXPECT_EQ(expand("'\n# x'"), Texts{" # x"});
    EXPECT_NE(failure("a # it's --qnum=5"), "");
}

TEST(ConfigFile, CommentsWithoutOptions) {
    EXPECT_EQ(expand("# it's a (comment) | text\n--qnum=5"), Texts{"--qnum=5"});
    EXPECT_EQ(expand("  #it's too\n--qnum=5"), Texts{"--qnum=5"});
    EXPECT_EQ(expand("--qnum=5 # don't <panic>\n--new"), (Texts{"--qnum=5", "--new"}));
    EXPECT_EQ(expand("a\\\\ # it's\nb"), (Texts{"a\\", "b"}));
    EXPECT_EQ(expand("a\\ # b"), (Texts{"a #", "b"})) << "inside a word";
}

TEST(ConfigFile, WordsKnowTheirLine) {
    const auto words = expand_config("a\n\n# no\n b 'c\nd' e\nf", "f");
    ASSERT_EQ(texts(words), (Texts{"a", "b", "c d", "e", "f"}));
    EXPECT_EQ(words[0].line, 1U);
    EXPECT_EQ(words[1].line, 4U);
    EXPECT_EQ(words[2].line, 4U);
    EXPECT_EQ(words[4].line, 6U);
}

TEST(ConfigFile, AnySizeIsRead) {
    std::string text;
    for (int i = 0; i < 5000; i++)
        text += "--comment=0123456789\n";
    const TempFile file(text + "--name=last");
    const std::string argument = "@" + file.path();
    const char* argv[] = {"nfqws2", argument.c_str(), "--ignored"};
    const Arguments arguments = collect_arguments(3, argv);
    ASSERT_EQ(arguments.words.size(), 5001U);
    EXPECT_EQ(arguments.words.back().text, "--name=last");
    EXPECT_EQ(arguments.where(5000), file.path() + ":5001");
    EXPECT_EQ(arguments.program, "x");
}

TEST(Arguments, ConfigFileOnlyAsFirstArgument) {
    const TempFile file("--qnum=7");
    const std::string dollar = "$" + file.path();
    const char* first[] = {"nfqws2", dollar.c_str()};
    EXPECT_EQ(texts(collect_arguments(2, first).words), Texts{"--qnum=7"});
    const char* second[] = {"prog", "--dry-run", dollar.c_str()};
    const Arguments arguments = collect_arguments(3, second);
    EXPECT_EQ(texts(arguments.words), (Texts{"--dry-run", dollar}));
    EXPECT_EQ(arguments.program, "prog");
    EXPECT_EQ(arguments.where(1), "argument 2");
}

Arguments collected(const std::vector<std::string>& words) {
    std::vector<const char*> argv{"nfqws2"};
    for (const std::string& word : words)
        argv.push_back(word.c_str());
    return collect_arguments(static_cast<int>(argv.size()), argv.data());
}

TEST(Arguments, QuestionsMayStandBesideTheFile) {
    const TempFile file("--qnum=7\n--new");
    const std::string at = "@" + file.path();
    const Arguments all = collected({at, "--check", "-debug=1", "--explain", "tcp:1.2.3.4:5"});
    EXPECT_EQ(texts(all.words),
              (Texts{"--check", "-debug=1", "--explain", "tcp:1.2.3.4:5", "--qnum=7", "--new"}));
    EXPECT_EQ(all.where(0), "argument 2");
    EXPECT_EQ(all.where(3), "argument 5");
    EXPECT_EQ(all.where(5), file.path() + ":2");
    EXPECT_EQ(all.remarks, Texts{});
    const Arguments behind = collected({"--dry-run", "--quiet", at});
    EXPECT_EQ(texts(behind.words), (Texts{"--dry-run", "--quiet", "--qnum=7", "--new"}));
    EXPECT_EQ(behind.where(1), "argument 2");
    EXPECT_EQ(behind.program, "x");
    EXPECT_EQ(texts(collected({"--print-rules", "json", at}).words),
              (Texts{"--print-rules", "json", "--qnum=7", "--new"}));
    EXPECT_EQ(texts(collected({"--check", "--rules-now", at}).words),
              (Texts{"--check", "--rules-now", "--qnum=7", "--new"}));
}

TEST(Arguments, WhatHasNoEffectBesideTheFileIsNamed) {
    const TempFile file("--qnum=7");
    const std::string at = "@" + file.path();
    const Arguments arguments = collected({at, "--server=8", "--check=json", "word"});
    EXPECT_EQ(texts(arguments.words), (Texts{"--check=json", "--qnum=7"}));
    ASSERT_EQ(arguments.remarks.size(), 2U);
    EXPECT_EQ(arguments.remarks[0], "'--server=8' (argument 2) stands beside the file " +
                                        file.path() + " and has no effect, write it into the file");
}

TEST(Arguments, AServiceNamesQueueAndSocketBehindTheFile) {
    const TempFile file("--new");
    const std::string at = "@" + file.path();
    const Arguments all = collected({at, "--qnum=8", "--control", "/run/x", "--control-group=0"});
    EXPECT_EQ(texts(all.words),
              (Texts{"--qnum=8", "--control", "/run/x", "--control-group=0", "--new"}));
    EXPECT_EQ(all.remarks, Texts{});
    EXPECT_EQ(all.where(2), "argument 4");
    EXPECT_EQ(texts(collected({at, "--daemon", "--pidfile=/p"}).words),
              (Texts{"--daemon", "--pidfile=/p", "--new"}));
    EXPECT_EQ(texts(collected({at, "--control"}).words), (Texts{"--control", "--new"}));
}

// A command line in which @file is a stray word, or belongs to an option, stays one.
TEST(Arguments, AFileBehindOtherOptionsIsAWord) {
    const TempFile file("--qnum=7");
    const std::string at = "@" + file.path(), dollar = "$" + file.path();
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"--debug", at, "--qnum=1"},
                                               {"--qnum=1", at},
                                               {"--check", at, at},
                                               {"--check", dollar},
                                               {"--explain", at},
                                               {"--checks", at}})
        EXPECT_EQ(texts(collected(words).words), words);
}

TEST(Arguments, UnreadableConfigFile) {
    for (const char* name : {"@/nonexistent/conf", "@", "@/tmp"}) {
        const char* argv[] = {"nfqws2", name};
        try {
            collect_arguments(2, argv);
            FAIL() << name;
        } catch (const ConfigError& e) {
            const std::string wanted =
                std::string("could not load config file '") + (name + 1) + "'";
            EXPECT_NE(std::string(e.what()).find(wanted), std::string::npos) << e.what();
        }
    }
}

} // namespace
} // namespace nfqws2::app
