#include "profile/host_entry.hpp"

#include "nfqws2/base/idn.hpp"

#include <gtest/gtest.h>

namespace nfqws2::profile {
namespace {

std::string flaw(std::string_view entry, std::string_view rest = "") {
    return tidy_host_entry(entry, rest).flaw;
}
std::string text(std::string_view entry) {
    return tidy_host_entry(entry, "").text;
}

TEST(HostEntry, OrdinaryNames) {
    for (const char* entry : {"a", "example.com", "^www.Example.com", "x_y.example", "xn--p1ai",
                              "10.0.0.1", "a--b.c-d", "*", "2001:db8::1"}) {
        const bool ordinary = entry[0] != '*' && entry[0] != '2';
        EXPECT_EQ(is_ordinary_entry(entry), ordinary) << entry;
        EXPECT_EQ(text(entry), entry);
        if (entry[0] != '*') {
            EXPECT_EQ(flaw(entry), "") << entry;
        }
    }
    for (const char* entry : {"", "^", ".a", "a.", "a,", "a/b", "a:1", "p\xD0\xB0"})
        EXPECT_FALSE(is_ordinary_entry(entry)) << entry;
}

TEST(HostEntry, AFinalDotIsLeftOut) {
    EXPECT_EQ(text("example.tv."), "example.tv");
    EXPECT_EQ(text("^example.tv."), "^example.tv");
    EXPECT_EQ(flaw("example.tv."), "");
    EXPECT_NE(flaw("."), "");
}

TEST(HostEntry, FlawsNameTheWayOut) {
    EXPECT_EQ(flaw("^"), "it is empty");
    EXPECT_EQ(flaw("*.example.com"), "sub-domains are always included, leave *. out");
    EXPECT_EQ(flaw(".example.com"), "sub-domains are always included, leave the first dot out");
    EXPECT_EQ(flaw("https://example.com/"), "write the host name of the URL alone");
    EXPECT_EQ(flaw("||example.com^"),
              "rules of ad blockers are not understood, write the name alone");
    EXPECT_EQ(flaw("example.com/path"), "write the host name alone, without a path");
    EXPECT_EQ(flaw("example.com,"), "it has a comma, write one name in a line");
    EXPECT_EQ(flaw("example.com;c"), "it has a semicolon, comments begin with ' #'");
    EXPECT_EQ(flaw("example.com:443"), "write the host name alone, without a port");
    EXPECT_EQ(flaw("\"example.com\""), "it has a character that no host name has");
}

TEST(HostEntry, AnAddressAndASecondWord) {
    EXPECT_EQ(flaw("127.0.0.1", "example.com"), "only the first word counts, write the name alone");
    EXPECT_EQ(flaw("::1", "localhost"), "only the first word counts, write the name alone");
    EXPECT_EQ(flaw("127.0.0.1", "# comment"), "");
    EXPECT_EQ(flaw("example.com", "example.net"), "") << "as it always was";
}

TEST(HostEntry, InternationalNames) {
    if (!can_convert_names()) {
        EXPECT_NE(flaw("пример.рф"), "");
        return;
    }
    EXPECT_EQ(text("^Пример.рф."), "^xn--e1afmkfd.xn--p1ai");
    EXPECT_EQ(flaw("пример.рф"), "");
    EXPECT_EQ(flaw("\xEF\xF0.ru"), "it is neither ASCII nor UTF-8");
    EXPECT_EQ(text("\xEF\xF0.ru"), "\xEF\xF0.ru");
    EXPECT_EQ(flaw("пример.рф,"), "it has a comma, write one name in a line");
}

} // namespace
} // namespace nfqws2::profile
