#include "probe/strategy.hpp"
#include "probe/words.hpp"

#include <gtest/gtest.h>

using namespace nfqws2::probe;
using Words = std::vector<std::string>;

TEST(WordsOfAShell, AreRead) {
    EXPECT_EQ(read_words(""), Words());
    EXPECT_EQ(read_words("  a  b\n"), (Words{"a", "b"}));
    EXPECT_EQ(read_words("'--a=b c'  --x='y\tz'w ''"), (Words{"--a=b c", "--x=y\tzw", ""}));
    EXPECT_EQ(read_words("'a b'\\''c d'"), (Words{"a b'c d"}));
    EXPECT_EQ(read_words("a\\ b \\"), (Words{"a b", "\\"}));
    EXPECT_EQ(read_words("'a"), std::nullopt);
}

TEST(WordsOfAShell, AreWritten) {
    for (const char* const text : {"", "a", "a b", "it's", "a\nb", "$x`y\\"}) {
        EXPECT_EQ(read_words(quote_word(text)), Words{text});
    }
}

namespace {

std::string joined(const Words& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

struct MadeOf {
    const char* line;
    const char* global;
    const char* profiles;
    std::size_t count;
};

} // namespace

TEST(Strategy, IsMadeOfProfilesAndWordsForTheProcess) {
    for (const MadeOf& made : {
             MadeOf{"--payload=x '--out-range=s1<d1' --lua-desync=a:b", "",
                    "P --payload=x --out-range=s1<d1 --lua-desync=a:b", 1},
             MadeOf{"  --blob=a:@/x  --lua-init=y --new '--lua-desync=a b' --filter-tcp=1",
                    "--blob=a:@/x --lua-init=y", "P --new P --lua-desync=a b --filter-tcp=1", 2},
             MadeOf{
                 "'--new=a b' --ipset-exclude=f --hostlist-domains=a --cookie=1 --comment=", "",
                 "P --new=a b P --ipset-exclude=f --hostlist-domains=a --cookie=1 --comment=", 2},
         }) {
        const auto strategy =
            read_strategy(std::string("curl_test_http a.test/x ") + made.line, {}, {});
        ASSERT_TRUE(strategy) << made.line;
        EXPECT_FALSE(strategy->alone) << made.line;
        EXPECT_EQ(strategy->place, "a.test/x");
        EXPECT_EQ(strategy->protocol, Protocol::http);
        EXPECT_EQ(joined(strategy->global), made.global);
        std::size_t count = 0;
        std::string want = made.profiles;
        for (std::size_t at = 0; (at = want.find("P ", at)) != std::string::npos; ++at) {
            want.replace(at, 1, "--filter-lport=7-9");
        }
        EXPECT_EQ(joined(strategy->profiles("7-9", count)), want);
        EXPECT_EQ(count, made.count) << made.line;
    }
}

TEST(Strategy, CanBeAlone) {
    for (const char* const words :
         {"--hostlist-auto=x", "--payload=a --filter-lport=5", "--debug", "--qnum=1", "word"}) {
        const auto strategy = read_strategy(std::string("curl_test_http a ") + words, {}, {});
        ASSERT_TRUE(strategy) << words;
        EXPECT_TRUE(strategy->alone) << words;
    }
}

TEST(Strategy, HasWordsAroundIt) {
    const auto strategy = read_strategy("curl_test_http3 a --payload=x", {"--cookie=1"}, {"--new"});
    ASSERT_TRUE(strategy);
    EXPECT_EQ(strategy->words, (Words{"--cookie=1", "--payload=x", "--new"}));
}

TEST(Strategy, IsRefused) {
    for (const char* const line :
         {"", "curl_test_http", "my_test a --payload=x", "curl_test_http a --payload='x"}) {
        EXPECT_FALSE(read_strategy(line, {}, {})) << line;
    }
}
