#include "nfqws2/store/record.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace nfqws2::store {
namespace {

std::string through(const Fields& fields) {
    const auto back = decode_fields(encode_fields(fields));
    if (!back) return "refused";
    return encode_fields(*back);
}

TEST(Record, LineIsReadable) {
    const Record record{"tls/пример.рф",
                        encode_fields({{"ok", 12.0}, {"cur", std::string("fake x")}}),
                        1'700'000'000, 60};
    EXPECT_EQ(to_line(record), "tls/пример.рф\t1700000000\t60\tcur=fake%20x\tok=12");
}

TEST(Record, LineComesBack) {
    const Record record{"a\tb%=\n", encode_fields({{"n", 0.1}, {"t", std::string("\t\n\r\0=", 5)}}),
                        5, 0};
    const auto back = from_line(to_line(record));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->key, record.key);
    EXPECT_EQ(back->fields, record.fields);
    EXPECT_EQ(back->written, 5);
    EXPECT_EQ(back->ttl, 0U);
    const auto none = from_line(to_line({"k", "", 1, 2}));
    ASSERT_TRUE(none);
    EXPECT_EQ(none->fields, "");
}

// A text stays a text and a number a number.
TEST(Record, KindsStay) {
    for (const char* text : {"12", "-1", "1e5", "inf", "nan", "0x10", "", "x", "1 ", "%31"}) {
        const auto fields = decode_fields(encode_fields({{"f", std::string(text)}}));
        ASSERT_TRUE(fields) << text;
        const auto* back = std::get_if<std::string>(&fields->front().second);
        ASSERT_NE(back, nullptr) << text;
        EXPECT_EQ(*back, text);
    }
    for (const double number : {0.0, -1.5, 1e300, 0.1, std::numeric_limits<double>::infinity()}) {
        const auto fields = decode_fields(encode_fields({{"f", number}}));
        ASSERT_TRUE(fields);
        EXPECT_EQ(std::get<double>(fields->front().second), number);
    }
}

TEST(Record, OrderOfFieldsDoesNotMatter) {
    EXPECT_EQ(encode_fields({{"b", 1.0}, {"a", 2.0}}), encode_fields({{"a", 2.0}, {"b", 1.0}}));
    EXPECT_EQ(through({{"b", 1.0}, {"a", 2.0}}), "a=2\tb=1");
}

TEST(Record, Limits) {
    EXPECT_EQ(why_bad_key(std::string(255, 'k')), nullptr);
    EXPECT_NE(why_bad_key(std::string(256, 'k')), nullptr);
    EXPECT_NE(why_bad_key(""), nullptr);
    EXPECT_EQ(why_bad_fields({{std::string(32, 'n'), std::string(255, 'v')}}), nullptr);
    EXPECT_NE(why_bad_fields({{std::string(33, 'n'), 1.0}}), nullptr);
    EXPECT_NE(why_bad_fields({{"n", std::string(256, 'v')}}), nullptr);
    EXPECT_NE(why_bad_fields({{"a b", 1.0}}), nullptr);
    EXPECT_NE(why_bad_fields({{"", 1.0}}), nullptr);
    EXPECT_NE(why_bad_fields({{"a", 1.0}, {"a", 2.0}}), nullptr);
    Fields many;
    for (std::size_t i = 0; i <= max_fields; i++)
        many.emplace_back("f" + std::to_string(i), 1.0);
    EXPECT_NE(why_bad_fields(many), nullptr);
    many.pop_back();
    EXPECT_EQ(why_bad_fields(many), nullptr);
}

TEST(Record, DamagedLines) {
    for (const char* line :
         {"", "k", "k\t1", "k\t\t1", "k\t1\tx", "k\t-1\t1", "\t1\t1", "k\t1\t1\ta", "k\t1\t1\ta=%",
          "k\t1\t1\ta=%4", "k\t1\t1\ta=%zz", "k\t1\t1\ta=1\ta=2", "k\t1\t99999999999\ta=1",
          "k\t99999999999999999999\t1", "%0\t1\t1", "k\t1\t1\t=1", "k\t1\t1\ta b=1"})
        EXPECT_FALSE(from_line(line)) << line;
    EXPECT_TRUE(from_line("k\t1\t1\ta=b=c")) << "a person need not escape every =";
}

TEST(Record, Expires) {
    const Record record{"k", "", 100, 10};
    EXPECT_FALSE(record.expired(109));
    EXPECT_TRUE(record.expired(110));
    EXPECT_FALSE(record.expired(0)) << "a clock that was set back";
    EXPECT_FALSE((Record{"k", "", 100, for_ever}.expired(INT64_MAX)));
}

} // namespace
} // namespace nfqws2::store
