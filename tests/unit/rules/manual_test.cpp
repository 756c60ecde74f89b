// docs/rules.md and its translation name the words that the reader knows.
#include "../places.hpp"
#include "rules/words.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

namespace nfqws2::rules {
namespace {

constexpr const char* pages[] = {"docs/rules.md", "docs/rules.ru.md"};

// The section "### icmp, icmp6", with single blanks.
std::string section(const char* page) {
    std::ifstream file(nfqws2::test::in_source(page));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t begin = text.find("\n### icmp, icmp6\n");
    std::string out;
    for (const char c : text.substr(begin, text.find("\n### ", begin + 1) - begin))
        out += c == '\n' ? ' ' : c;
    return out;
}
// From `head` to the empty line behind it.
std::string part(const std::string& text, const std::string& head) {
    const std::size_t begin = text.find(head);
    if (begin == std::string::npos) return "";
    return text.substr(begin, text.find("  ", begin) - begin);
}
std::size_t words_in(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("` "); at != std::string::npos; at = text.find("` ", at + 1))
        count += text[at + 2] >= '0' && text[at + 2] <= '9';
    return count;
}

TEST(Manual, NamesTypesOfIcmp) {
    for (const char* page : pages) {
        const std::string told = part(section(page), " `icmp`:");
        for (const IcmpWord& word : icmp_words()) {
            std::string wanted = "`" + std::string(word.name) + "` " + std::to_string(word.type);
            if (word.code >= 0) wanted += ":" + std::to_string(word.code);
            EXPECT_NE(std::string::npos, told.find(wanted)) << page << ": " << wanted;
        }
        EXPECT_EQ(icmp_words().size(), words_in(told)) << page;
    }
}

TEST(Manual, NamesTypesOfIcmp6) {
    for (const char* page : pages) {
        const std::string told = part(section(page), " `icmp6`:");
        for (const Word& word : icmp6_words()) {
            const std::string wanted =
                "`" + std::string(word.name) + "` " + std::to_string(word.value);
            EXPECT_NE(std::string::npos, told.find(wanted)) << page << ": " << wanted;
        }
        EXPECT_EQ(icmp6_words().size(), words_in(told)) << page;
    }
}

TEST(Manual, NamesCodesOfIcmp) {
    for (const char* page : pages) {
        const std::string text = section(page);
        for (unsigned type = 0; type < 256; type++) {
            const Words codes = icmp_code_words(static_cast<std::uint8_t>(type));
            if (codes.empty()) continue;
            std::string wanted;
            for (const Word& word : codes)
                wanted += (wanted.empty() ? "`: `" : ", `") + std::string(word.name) + "` " +
                          std::to_string(word.value);
            EXPECT_NE(std::string::npos, text.find(wanted)) << page << ": " << wanted;
        }
    }
}

} // namespace
} // namespace nfqws2::rules
