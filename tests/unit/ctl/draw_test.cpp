#include "ctl/ladder/draw.hpp"
#include "ctl/view/markup.hpp"
#include "nfqws2/base/json.hpp"

#include <gtest/gtest.h>

#include <regex>

namespace nfqws2::ctl {
namespace {

constexpr const char* hostile = "<script>alert(1)</script>\"'&\x1b[31m\x01\xff\xE2\x80\xAE";

Ladder sample(const std::string& text) {
    Row arrow, note, gap;
    arrow.kind = Row::Kind::arrow;
    arrow.tone = Tone::piece;
    arrow.title = arrow.detail = arrow.time = text;
    arrow.strip = Strip{{1, 101}, {45, 101}, Range{41, 50}, std::nullopt, std::nullopt, {45}};
    note.title = text;
    gap.kind = Row::Kind::gap;
    gap.title = text;
    return {text, text, {arrow, note, gap}};
}

// Every element is closed, and nothing else looks like one.
void expect_well_formed(std::string text) {
    text = std::regex_replace(text, std::regex("<style>[^<]*</style>|<\\?xml[^>]*>|<![^>]*>"), "");
    text = std::regex_replace(text, std::regex("<meta [^>]*>"), "");
    std::vector<std::string> open;
    const std::regex tag("<(/?)([a-z0-9]+)((?: [a-zA-Z:-]+=\"[^\"<>]*\")*)(/?)>|[<>]");
    for (auto it = std::sregex_iterator(text.begin(), text.end(), tag);
         it != std::sregex_iterator(); ++it) {
        const std::smatch& found = *it;
        ASSERT_TRUE(found[2].matched) << "at " << text.substr(std::size_t(found.position()), 80);
        if (found[4].length() > 0) continue;
        if (found[1].length() == 0) {
            open.push_back(found[2]);
            continue;
        }
        ASSERT_FALSE(open.empty());
        ASSERT_EQ(open.back(), found[2]);
        open.pop_back();
    }
    EXPECT_TRUE(open.empty());
}

TEST(Draw, AFileOfSvgIsWellFormedWhateverNamesHold) {
    for (const std::string& text : {std::string("plain"), std::string(hostile), std::string()}) {
        for (const int width : {wide, narrow}) {
            const std::string svg = draw_svg(sample(text), words("en"), width);
            expect_well_formed(svg);
            EXPECT_EQ(svg.find("<script"), std::string::npos);
            EXPECT_EQ(svg.find('\x1b'), std::string::npos);
            EXPECT_EQ(svg.find("\xE2\x80\xAE"), std::string::npos) << "no reversed text";
        }
    }
}

TEST(Draw, APageHasBothWidthsAndNoScript) {
    const Ladders two{{sample("one"), sample(hostile)}, 7};
    const std::string page = draw_page(two, words("ru"), "ru", 3);
    expect_well_formed(page);
    EXPECT_EQ(page.find("<script"), std::string::npos);
    EXPECT_NE(page.find("lang=\"ru\""), std::string::npos);
    EXPECT_NE(page.find("viewBox=\"0 0 760"), std::string::npos);
    EXPECT_NE(page.find("viewBox=\"0 0 340"), std::string::npos);
    EXPECT_NE(page.find(": 7."), std::string::npos);
    EXPECT_NE(page.find(": 3."), std::string::npos);
    EXPECT_EQ(page.find("http://", page.find("</style>")), page.find("http://www.w3.org/2000/svg"))
        << "nothing from outside";
}

TEST(Draw, ColoursTellWhoMadeAPacket) {
    Ladder ladder = sample("x");
    ladder.rows.resize(1);
    for (const auto& [tone, style] :
         {std::pair(Tone::original, "arrow original"), std::pair(Tone::changed, "arrow changed"),
          std::pair(Tone::piece, "arrow piece"), std::pair(Tone::decoy, "arrow decoy")}) {
        ladder.rows[0].tone = tone;
        EXPECT_NE(draw_inline(ladder, words("en"), wide).find(style), std::string::npos);
    }
}

TEST(Draw, TheCutIsMarkedAtTheBytesOfTheName) {
    Ladder ladder = sample("x");
    ladder.rows.resize(1);
    // From the daemon's half, 362 to 720, less 12 on each side, less a margin of 12 %.
    ladder.rows[0].from = Lane::daemon;
    ladder.rows[0].strip =
        Strip{{0, 100}, {50, 100}, Range{40, 60}, std::nullopt, std::nullopt, {50}};
    const std::string svg = draw_inline(ladder, words("en"), wide);
    std::smatch place, part, host, cut;
    ASSERT_TRUE(std::regex_search(
        svg, place, std::regex("class=\"place\" x=\"([0-9.]+)\"[^>]*width=\"([0-9.]+)\"")));
    ASSERT_TRUE(std::regex_search(svg, part, std::regex("class=\"b-piece\" x=\"([0-9.]+)\"")));
    ASSERT_TRUE(std::regex_search(
        svg, host, std::regex("class=\"host\" x=\"([0-9.]+)\"[^>]*width=\"([0-9.]+)\"")));
    ASSERT_TRUE(std::regex_search(svg, cut, std::regex("class=\"cut\" d=\"M([0-9.]+) ")));
    const double middle = std::stod(place[1]) + std::stod(place[2]) / 2;
    EXPECT_NEAR(std::stod(part[1]), middle, 0.2);
    EXPECT_NEAR(std::stod(host[1]), middle, 0.2);
    EXPECT_NEAR(std::stod(cut[1]), middle, 0.2);
    EXPECT_NEAR(std::stod(host[2]) * 2, std::stod(place[2]) - 2, 0.2) << "half of the name";
}

TEST(Draw, FarPositionsStayInThePicture) {
    constexpr std::int64_t far = std::int64_t{1} << 33;
    Ladder ladder = sample("x");
    ladder.rows[0].strip = Strip{{0, 1},           {-far, far},           Range{far - 1, far},
                                 Range{-far, far}, Range{-far, -far + 1}, {far, -far}};
    const std::string svg = draw_inline(ladder, words("en"), wide);
    const std::regex number("x=\"(-?[0-9.]+)\"");
    for (auto it = std::sregex_iterator(svg.begin(), svg.end(), number);
         it != std::sregex_iterator(); ++it) {
        EXPECT_GE(std::stod((*it)[1]), 0);
        EXPECT_LE(std::stod((*it)[1]), wide);
    }
}

TEST(Draw, OtherLanguagesThanRussianAreEnglish) {
    EXPECT_STREQ(words("de").network, "network");
    EXPECT_STRNE(words("ru").network, "network");
}

TEST(Markup, EscapesWhatMarkupIsMadeOf) {
    EXPECT_EQ(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    EXPECT_EQ(escaped("\xD0\xB8"), "\xD0\xB8");
    EXPECT_EQ(escaped("\x1b"), "\xEF\xBF\xBD");
    EXPECT_EQ(escaped("\xE2\x80\xAE"), "\xEF\xBF\xBD");
}

TEST(Markup, BrokenUtf8BecomesReplacementCharacters) {
    for (const std::string text :
         {"\xff", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"})
        for (std::string_view rest = text; !rest.empty();)
            EXPECT_EQ(next_character(rest), 0xFFFDU) << text;
}

TEST(Markup, EveryCharacterGoesThroughUtf8) {
    for (const char32_t c : {0x41U, 0xE9U, 0x438U, 0x20ACU, 0xFFFDU, 0x1F600U, 0x10FFFFU}) {
        std::string text;
        append_utf8(text, c);
        std::string_view rest = text;
        EXPECT_EQ(next_character(rest), c);
        EXPECT_TRUE(rest.empty());
    }
}

TEST(Markup, ShortenedTextCountsCharacters) {
    EXPECT_EQ(shortened("abc", 3), "abc");
    EXPECT_EQ(shortened("abcd", 3), "ab\xE2\x80\xA6");
    EXPECT_EQ(shortened("\xD0\xB8\xD0\xB8\xD0\xB8", 3), "\xD0\xB8\xD0\xB8\xD0\xB8");
}

} // namespace
} // namespace nfqws2::ctl
