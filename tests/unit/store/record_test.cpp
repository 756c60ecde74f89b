#include "nfqws2/store/record.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace nfqws2::store {
namespace {

std::string packed(const Fields& fields) {
    std::vector<FieldView> views = views_of(fields);
    return pack_fields(views);
}

const char* why_bad(const Fields& fields) {
    return why_bad_fields(views_of(fields));
}

// What a file keeps of a value.
Value through_a_file(const Value& value) {
    const auto record = from_line(to_line({"k", packed({{"f", value}}), 1, 2}));
    return record ? unpack_fields(record->fields).at(0).second : Value("refused");
}

TEST(Record, LineIsReadable) {
    const Record record{"tls/пример.рф", packed({{"ok", 12.0}, {"cur", std::string("fake x")}}),
                        1'700'000'000, 60};
    EXPECT_EQ(to_line(record), "tls/пример.рф\t1700000000\t60\tcur=fake%20x\tok=12");
}

TEST(Record, LineComesBack) {
    const Record record{"a\tb%=\n", packed({{"n", 0.1}, {"t", std::string("\t\n\r\0=", 5)}}), 5, 0};
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
        const Value value = std::string(text);
        EXPECT_EQ(unpack_fields(packed({{"f", value}})).at(0).second, value) << text;
        EXPECT_EQ(through_a_file(value), value) << text;
    }
    for (const double number : {0.0, -1.5, 1e300, 0.1, std::numeric_limits<double>::infinity()}) {
        EXPECT_EQ(unpack_fields(packed({{"f", number}})).at(0).second, Value(number));
        EXPECT_EQ(through_a_file(number), Value(number));
    }
}

TEST(Record, LongestFieldsFit) {
    Fields fields;
    for (std::size_t i = 0; i < max_fields; i++)
        fields.emplace_back(std::string(max_field_name, static_cast<char>('a' + i)),
                            std::string(max_text, '\xFF'));
    EXPECT_EQ(packed(fields).size(), max_packed);
    EXPECT_EQ(unpack_fields(packed(fields)), fields);
}

// All that is not a number is one, whatever its bits: a file knows no others.
TEST(Record, NotANumber) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(packed({{"f", nan}}), packed({{"f", -nan}}));
    EXPECT_EQ(from_line("k\t1\t2\tf=nan(7)")->fields, packed({{"f", nan}}));
}

TEST(Record, OrderOfFieldsDoesNotMatter) {
    EXPECT_EQ(packed({{"b", 1.0}, {"a", 2.0}}), packed({{"a", 2.0}, {"b", 1.0}}));
    EXPECT_EQ(to_line({"k", packed({{"b", 1.0}, {"a", 2.0}}), 1, 2}), "k\t1\t2\ta=2\tb=1");
}

TEST(Record, Limits) {
    EXPECT_EQ(why_bad_key(std::string(255, 'k')), nullptr);
    EXPECT_NE(why_bad_key(std::string(256, 'k')), nullptr);
    EXPECT_NE(why_bad_key(""), nullptr);
    EXPECT_EQ(why_bad({{std::string(32, 'n'), std::string(255, 'v')}}), nullptr);
    EXPECT_NE(why_bad({{std::string(33, 'n'), 1.0}}), nullptr);
    EXPECT_NE(why_bad({{"n", std::string(256, 'v')}}), nullptr);
    EXPECT_NE(why_bad({{"a b", 1.0}}), nullptr);
    EXPECT_NE(why_bad({{"", 1.0}}), nullptr);
    EXPECT_NE(why_bad({{"a", 1.0}, {"a", 2.0}}), nullptr);
    Fields many;
    for (std::size_t i = 0; i <= max_fields; i++)
        many.emplace_back("f" + std::to_string(i), 1.0);
    EXPECT_NE(why_bad(many), nullptr);
    many.pop_back();
    EXPECT_EQ(why_bad(many), nullptr);
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
