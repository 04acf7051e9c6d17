#include "base/number_text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

TEST(NumberText, ParsesStrictIntegers) {
  EXPECT_EQ(parse_int64("0"), 0);
  EXPECT_EQ(parse_int64("-1"), -1);
  EXPECT_EQ(parse_int64("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_int64("-9223372036854775808"), INT64_MIN);
  for (const char* text : {"",
                           "-",
                           "+1",
                           " 1",
                           "1 ",
                           "01",
                           "-0",
                           "-01",
                           "00",
                           "1a",
                           "a",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "18446744073709551616",
                           "99999999999999999999",
                           "1.0",
                           "0x1",
                           "111111111111111111111",
                           "--1",
                           "1\n"}) {
    EXPECT_EQ(parse_int64(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_int64(Bytes("1\0", 2)), std::nullopt);
  EXPECT_EQ(parse_uint64("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_uint64("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_uint64("-1"), std::nullopt);
  EXPECT_EQ(parse_uint64(""), std::nullopt);
}

// Short numbers are read eight bytes at once: each byte counts, at each place.
TEST(NumberText, EveryByteAtEveryPlaceOfAShortNumber) {
  const std::string digits = "12345678";
  for (size_t size = 1; size <= digits.size(); size++) {
    for (size_t at = 0; at < size; at++) {
      for (int byte = 0; byte < 256; byte++) {
        std::string text = digits.substr(0, size);
        text[at] = static_cast<char>(byte);
        const bool is_number = is_digit(text[at]) && (text[0] != '0' || size == 1);
        const bool is_negative = text[0] == '-' && size > 1;
        if (is_number || is_negative) {
          ASSERT_EQ(parse_int64(text), std::stoll(text)) << text;
        } else {
          ASSERT_EQ(parse_int64(text), std::nullopt) << text;
        }
      }
    }
  }
}

TEST(NumberText, IntegersRoundTrip) {
  Random random(test_seed());
  for (int i = 0; i < 300000; i++) {
    const auto value = static_cast<int64_t>(random.next()) >> random.uniform(64);
    char out[kInt64TextBytesMax];
    const Bytes text(out, write_int64(out, value));
    ASSERT_EQ(text, std::to_string(value));
    ASSERT_EQ(parse_int64(text), value);
    ASSERT_EQ(decimal_digits(static_cast<uint64_t>(value)), std::to_string(static_cast<uint64_t>(value)).size());
  }
  for (uint64_t power = 1, digits = 1; digits <= 20; digits++, power *= 10) {
    EXPECT_EQ(decimal_digits(power), digits);
    if (power > 1) {
      EXPECT_EQ(decimal_digits(power - 1), digits - 1);
    }
  }
  EXPECT_EQ(to_text(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(to_text(0), "0");
}

TEST(NumberText, ParsesDoublesInEveryForm) {
  EXPECT_EQ(parse_double("3"), 3.0);
  EXPECT_EQ(parse_double("-3.25e2"), -325.0);
  EXPECT_EQ(parse_double("+1.5"), 1.5);
  EXPECT_EQ(parse_double(".5"), 0.5);
  EXPECT_EQ(parse_double("5."), 5.0);
  EXPECT_EQ(parse_double("0x1p4"), 16.0);
  EXPECT_EQ(parse_double("0xA"), 10.0);
  EXPECT_EQ(parse_double("-0x10"), -16.0);
  EXPECT_EQ(parse_double("1e3"), 1000.0);
  EXPECT_EQ(parse_double("007"), 7.0);
  for (const char* text : {"inf", "+inf", "INF", "Infinity", "infinity"})
    EXPECT_EQ(parse_double(text), HUGE_VAL) << text;
  EXPECT_EQ(parse_double("-inf"), -HUGE_VAL);
  EXPECT_EQ(parse_double("5e-324"), 5e-324);
  EXPECT_EQ(parse_double("0e99999"), 0.0);
  EXPECT_TRUE(std::signbit(*parse_double("-0")));
  EXPECT_EQ(parse_double("0." + std::string(500, '0') + "1e501"), 1.0);
  for (const char* text :
       {"", " 1", "1 ", "1e400", "-1e400", "1e-400", "abc", "1.5x", "e5", ".", "-", "+", "0x", "1e", "--1", "infi"}) {
    EXPECT_EQ(parse_double(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_double(Bytes("1\0", 2)), std::nullopt);
  EXPECT_EQ(parse_double("nan"), std::nullopt);
  EXPECT_TRUE(std::isnan(*parse_double("nan", NanText::kAccept)));
}

TEST(NumberText, DoublesReadAsTheLibraryReadsThem) {
  Random random(test_seed());
  for (int i = 0; i < 100000; i++) {
    const double value = std::bit_cast<double>(random.next());
    if (!std::isfinite(value) || value == 0) continue;
    char text[400];
    const int size = std::snprintf(text, sizeof text, random.one_in(2) ? "%.17g" : "%.9g", value);
    const double expected = std::strtod(text, nullptr);
    if (std::isinf(expected) || expected == 0) continue;
    ASSERT_EQ(parse_double(Bytes(text, static_cast<size_t>(size))), expected) << text;
  }
}

TEST(NumberText, ShortDecimalsReadAsTheLibraryReadsThem) {
  Random random(test_seed());
  for (int i = 0; i < 200000; i++) {
    std::string text;
    for (size_t digits = 1 + random.uniform(18); digits > 0; digits--) {
      text += static_cast<char>('0' + random.uniform(10));
    }
    if (!random.one_in(4)) text.insert(random.uniform(text.size() + 1), ".");
    if (random.one_in(3)) text.insert(0, "-");
    ASSERT_EQ(parse_double(text), std::strtod(text.c_str(), nullptr)) << text;
  }
  for (const char* text : {"1.2.3", "1..2", "-.", "..", "1-2", "--1.5", "1,5"}) {
    EXPECT_EQ(parse_double(text), std::nullopt) << text;
  }
}

TEST(NumberText, WritesDoublesInTheProtocolsForm) {
  struct Case {
    double value;
    const char* text;
  };
  for (const Case& c : {Case{3, "3"},
                        Case{-3, "-3"},
                        Case{0, "0"},
                        Case{-0.0, "-0"},
                        Case{0.1, "0.1"},
                        Case{-0.5, "-0.5"},
                        Case{1.5, "1.5"},
                        Case{1e17, "100000000000000000"},
                        Case{0x1p62, "4611686018427387904"},
                        Case{1e20, "1e+20"},
                        Case{1.5e300, "1.5e+300"},
                        Case{1e-5, "0.00001"},
                        Case{1e-7, "1e-7"},
                        Case{0.001, "0.001"},
                        Case{1.5e-10, "1.5e-10"},
                        Case{123.456, "123.456"},
                        Case{DBL_MAX, "1.7976931348623157e+308"},
                        Case{-DBL_MAX, "-1.7976931348623157e+308"},
                        Case{5e-324, "5e-324"},
                        Case{HUGE_VAL, "inf"},
                        Case{-HUGE_VAL, "-inf"},
                        Case{3.14159265358979, "3.14159265358979"},
                        Case{1700000000.123456, "1700000000.123456"},
                        Case{12345678901234567890.0, "12345678901234567000"}}) {
    EXPECT_EQ(double_to_text(c.value), c.text);
  }
  EXPECT_EQ(double_to_text(std::nan("")), "nan");
  EXPECT_EQ(double_to_text(-std::nan("")), "nan");
}

TEST(NumberText, WrittenDoublesReadBackTheSame) {
  Random random(test_seed());
  for (int i = 0; i < 300000; i++) {
    double value = std::bit_cast<double>(random.next());
    if (random.one_in(2))
      value =
          static_cast<double>(random.between(-1000000000, 1000000000)) / static_cast<double>(random.between(1, 100000));
    if (!std::isfinite(value)) continue;
    char out[kDoubleTextBytesMax];
    const size_t size = write_double(out, value);
    ASSERT_LE(size, kDoubleTextBytesMax);
    const auto back = parse_double(Bytes(out, size));
    ASSERT_TRUE(back) << Bytes(out, size);
    ASSERT_EQ(std::bit_cast<uint64_t>(*back), std::bit_cast<uint64_t>(value)) << Bytes(out, size);
  }
}

TEST(NumberText, DecimalsComeBackAsTheyWereWritten) {
  Random random(test_seed());
  for (int i = 0; i < 200000; i++) {
    // At most 15 digits identify a decimal, so the shortest text of its double is the decimal itself.
    const auto digits = random.uniform(random.one_in(2) ? 1000000 : 999999999999999) + 1;
    const auto places = random.uniform(6) + 1;
    std::string text = std::to_string(digits);
    if (text.size() <= places) text.insert(0, places + 1 - text.size(), '0');
    text.insert(text.size() - places, ".");
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    ASSERT_EQ(double_to_text(std::strtod(text.c_str(), nullptr)), text);
  }
}

std::string human(long double value) {
  std::string out(kLongDoubleTextBytesMax, '\0');
  out.resize(write_long_double_human(out.data(), value));
  return out;
}

// The definition: printf's rounding, then trailing zeros off.
std::string human_by_printf(long double value) {
  std::string text(kLongDoubleTextBytesMax, '\0');
  text.resize(static_cast<size_t>(std::snprintf(text.data(), text.size(), "%.17Lf", value)));
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

TEST(NumberText, WritesLongDoublesForHumans) {
  EXPECT_EQ(human(3), "3");
  EXPECT_EQ(human(10.5L), "10.5");
  EXPECT_EQ(human(0.1L), "0.1");
  EXPECT_EQ(human(-0.0L), "0");
  EXPECT_EQ(human(-1e-30L), "0");
  EXPECT_EQ(human(5000), "5000");
  EXPECT_EQ(human(1e20L), "100000000000000000000");
  EXPECT_EQ(human(0.3L + 0.1L), "0.4");
  EXPECT_EQ(human(0.999999999999999999L), "1");
  EXPECT_EQ(human(LDBL_MAX), human_by_printf(LDBL_MAX));
  EXPECT_EQ(human(-LDBL_MAX), human_by_printf(-LDBL_MAX));
}

TEST(NumberText, LongDoublesAgreeWithPrintf) {
  Random random(test_seed());
  for (int i = 0; i < 60000; i++) {
    long double value = std::ldexp(static_cast<long double>(random.next()), static_cast<int>(random.between(-160, 20)));
    if (random.one_in(3)) value = static_cast<long double>(random.between(-100000000, 100000000)) / 1000;
    if (random.one_in(3))
      value = std::ldexp(static_cast<long double>(random.between(0, 1 << 20)), -18);  // ties at the last place
    if (random.one_in(2)) value = -value;
    ASSERT_EQ(human(value), human_by_printf(value));
  }
}

TEST(NumberText, ParsesLongDoubles) {
  EXPECT_EQ(parse_long_double("3.5"), 3.5L);
  EXPECT_EQ(parse_long_double("1e400"), 1e400L);
  EXPECT_EQ(parse_long_double("inf"), HUGE_VALL);
  EXPECT_EQ(parse_long_double(std::string(5119, '0')), 0.0L);
  for (const char* text : {"", " 1", "1 ", "nan", "1e5000", "x"})
    EXPECT_EQ(parse_long_double(text), std::nullopt) << text;
  EXPECT_EQ(parse_long_double(std::string(5120, '0')), std::nullopt);
}

}  // namespace
}  // namespace larder
