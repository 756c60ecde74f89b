#include "ctl/view/amounts.hpp"
#include "ctl/view/markup.hpp"
#include "ctl/view/table.hpp"
#include "ctl/view/top.hpp"

#include <gtest/gtest.h>

namespace nfqws2::ctl {
namespace {

TEST(Terminal, ControlCharactersBecomeVisible) {
    EXPECT_EQ(safe("a\x1b[31m\n\t\x7f"), "a\\x1b[31m\\x0a\\x09\\x7f");
    EXPECT_EQ(safe("\xC2\x9B"), "\\x9b") << "a control sequence begins with one character too";
    EXPECT_EQ(safe("\xE2\x80\xAE"), "\\u202e");
    EXPECT_EQ(safe("\x9B"), "\xEF\xBF\xBD");
    EXPECT_EQ(safe("имя"), "имя");
}

TEST(Terminal, LinesOfATextStay) {
    EXPECT_EQ(safe_lines("a\tb\n\x1b\n", "> "), "a\\x09b\n> \\x1b\n> ");
    EXPECT_EQ(safe_lines("", "> "), "");
}

TEST(Terminal, ColoursOnlyWhereTheyAreWanted) {
    EXPECT_EQ(Style().paint(Colour::bad, "x"), "x");
    EXPECT_EQ(Style(true, 80).paint(Colour::bad, "x"), "\x1b[31mx\x1b[0m");
    EXPECT_EQ(Style(true, 80).paint(Colour::none, "x"), "x");
}

Table sample() {
    Table table({{"name", false, true}, {"n", true, false}, {"last", false, false}});
    table.add({"a long name that goes on", "7", "x"});
    table.add({{"имя", Colour::good}, "1234"});
    return table;
}

TEST(Table, ColumnsAreAsWideAsTheirContents) {
    EXPECT_EQ(sample().text({}), "name                         n  last\n"
                                 "a long name that goes on     7  x\n"
                                 "имя                       1234  \n");
}

TEST(Table, TheFlexibleColumnGivesWay) {
    const std::string text = sample().text({false, 24});
    EXPECT_EQ(text, "name             n  last\n"
                    "a long name\xE2\x80\xA6     7  x\n"
                    "имя           1234  \n");
    EXPECT_NE(sample().text({false, 5}).find("a long \xE2\x80\xA6"), std::string::npos)
        << "a table is never narrower than it can be read";
}

TEST(Amounts, Sizes) {
    EXPECT_EQ(size_text(0), "0 B");
    EXPECT_EQ(size_text(999), "999 B");
    EXPECT_EQ(size_text(1000), "1.0 kB");
    EXPECT_EQ(size_text(12'345), "12 kB");
    EXPECT_EQ(size_text(999'999), "1.0 MB");
    EXPECT_EQ(size_text(INT64_MAX), "9.2 EB");
}

TEST(Amounts, Durations) {
    EXPECT_EQ(duration_text(20), "20 ms");
    EXPECT_EQ(duration_text(1500), "1.5 s");
    EXPECT_EQ(duration_text(59'999), "59 s");
    EXPECT_EQ(duration_text(61'000), "1 min 1 s");
    EXPECT_EQ(duration_text(3'600'000), "1 h");
    EXPECT_EQ(duration_text(100 * 3'600'000LL), "4 d 4 h");
}

TEST(Amounts, CountsAndRates) {
    EXPECT_EQ(count_text(0), "0");
    EXPECT_EQ(count_text(999), "999");
    EXPECT_EQ(count_text(1'234'567), "1 234 567");
    EXPECT_EQ(count_text(-1234), "-1 234");
    EXPECT_EQ(rate_text(0.01), "0");
    EXPECT_EQ(rate_text(3.44), "3.4");
    EXPECT_EQ(rate_text(1234.4), "1 234");
    EXPECT_EQ(rate_text(-1), "0");
}

TEST(Top, RatesAreDifferences) {
    const auto look = [](double at, int packets, int bytes) {
        Look look;
        look.seconds = at;
        look.counters = {
            Json{{"total", {{"packets", packets}, {"bytes", 0}, {"flows", 2}}}},
            Json{{"profile", {{"n", 1}, {"name", "web"}, {"packets", packets / 2}, {"flows", 0}}}}};
        for (const int id : {1, 2})
            look.flows.push_back(Json{{"flow",
                                       {{"worker", 0},
                                        {"id", id},
                                        {"host", id == 1 ? "idle.example" : "busy.example"},
                                        {"client", {{"bytes", 0}}},
                                        {"server", {{"bytes", id == 1 ? 9'000'000 : bytes}}}}}});
        return look;
    };
    const std::string text = top_report(look(10, 1000, 0), look(12, 1400, 50'000), {}, 0);
    EXPECT_NE(text.find("200 packets/s"), std::string::npos) << text;
    EXPECT_NE(text.find("25 kB/s"), std::string::npos) << text;
    EXPECT_LT(text.find("busy.example"), text.find("idle.example")) << "the busiest first";
    EXPECT_EQ(top_report(look(1, 0, 0), look(2, 0, 5), {}, 8).find("idle"), std::string::npos)
        << "no more rows than there is room for";
}

} // namespace
} // namespace nfqws2::ctl
