#include "nfqws2/base/idn.hpp"

#include <gtest/gtest.h>

namespace nfqws2 {
namespace {

class Idn : public testing::Test {
  protected:
    void SetUp() override {
        if (!can_convert_names()) GTEST_SKIP() << "built without libidn2";
    }
    std::string why_;
};

TEST_F(Idn, NamesBecomeAscii) {
    EXPECT_EQ(ascii_name("пример.рф", &why_), "xn--e1afmkfd.xn--p1ai");
    EXPECT_EQ(ascii_name("ПРИМЕР.РФ", &why_), "xn--e1afmkfd.xn--p1ai");
    EXPECT_EQ(ascii_name("straße.de", &why_), "xn--strae-oqa.de") << "not strasse: IDNA 2008";
    EXPECT_EQ(ascii_name("www.Bücher.example", &why_), "www.xn--bcher-kva.example");
    EXPECT_EQ(ascii_name("例え。jp", &why_), "xn--r8jz45g.jp") << "a full stop of another script";
}

TEST_F(Idn, WhatIsNoNameIsRefusedWithAReason) {
    EXPECT_FALSE(ascii_name("\xEF\xF0\xE8", &why_));
    EXPECT_EQ(why_, "it is neither ASCII nor UTF-8");
    std::string too_long;
    for (int i = 0; i < 300; i++)
        too_long += "я";
    EXPECT_FALSE(ascii_name(too_long, &why_));
    EXPECT_TRUE(why_.starts_with("it has no xn-- form (")) << why_;
}

} // namespace
} // namespace nfqws2
