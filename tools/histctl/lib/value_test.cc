#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/model/value.h"
#include "tools/histctl/lib/type_inference.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {
namespace {

const std::map<uint32_t, std::string> kStates = {{0, "Off"}, {1, "Running"}, {7, "2"}};

TEST(ValueText, FloatsAreShortestAndReadBack) {
  const struct {
    double value;
    const char* text;
  } kCases[] = {{0.1, "0.1"},
                {1, "1"},
                {-0.0, "-0"},
                {1e300, "1e+300"},
                {std::numeric_limits<double>::denorm_min(), "5e-324"},
                {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
                {std::numeric_limits<double>::infinity(), "inf"},
                {-std::numeric_limits<double>::infinity(), "-inf"}};
  for (const auto& c : kCases) {
    std::string text;
    AppendFloat64(c.value, &text);
    EXPECT_EQ(text, c.text);
    ValueBits bits = 0;
    std::string error;
    ASSERT_TRUE(ParseValue(ValueType::kFloat64, text, false, nullptr, &bits, &error)) << text;
    EXPECT_EQ(bits, BitsOfFloat64(c.value)) << text;
  }
}

TEST(ValueText, AnyBitsOfANumberReadBack) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    for (const ValueType type :
         {ValueType::kFloat64, ValueType::kFloat32, ValueType::kInt64, ValueType::kDigital}) {
      ValueBits bits = random();
      if (type == ValueType::kFloat32 || type == ValueType::kDigital) bits &= 0xFFFFFFFF;
      if (IsFloat(type) && std::isnan(ToDouble(type, bits))) continue;
      std::string text, error;
      AppendValue(type, bits, &text);
      ValueBits back = 0;
      ASSERT_TRUE(ParseValue(type, text, false, nullptr, &back, &error)) << text << error;
      EXPECT_EQ(back, bits) << text;
    }
  }
}

TEST(ValueText, WhatIsReadAndWhatIsNot) {
  const struct {
    ValueType type;
    const char* text;
    std::optional<double> value;
  } kCases[] = {
      {ValueType::kFloat64, " 1.5 ", 1.5},
      {ValueType::kFloat64, "+1.5", 1.5},
      {ValueType::kFloat64, "1,5", 1.5},
      {ValueType::kFloat64, "1.5", 1.5},
      {ValueType::kFloat64, "1,5,5", {}},
      {ValueType::kFloat64, "1.5x", {}},
      {ValueType::kFloat64, "", {}},
      {ValueType::kFloat64, "1e999", {}},
      {ValueType::kFloat64, "+-1", {}},
      {ValueType::kFloat64, "0x10", {}},
      {ValueType::kFloat32, "1e39", {}},
      {ValueType::kFloat32, "0.5", 0.5},
      {ValueType::kInt64, "-9223372036854775808", -9223372036854775808.0},
      {ValueType::kInt64, "9223372036854775808", {}},
      {ValueType::kInt64, "1.0", {}},
      {ValueType::kBool, "TRUE", 1},
      {ValueType::kBool, "off", 0},
      {ValueType::kBool, "1", 1},
      {ValueType::kBool, "2", {}},
      {ValueType::kDigital, "Running", 1},
      {ValueType::kDigital, "2", 2},  // A code before a name.
      {ValueType::kDigital, "4294967296", {}},
      {ValueType::kDigital, "running", {}},
  };
  for (const auto& c : kCases) {
    ValueBits bits = 0;
    std::string error;
    const bool ok = ParseValue(c.type, c.text, /*decimal_comma=*/true, &kStates, &bits, &error);
    EXPECT_EQ(ok, c.value.has_value()) << c.text;
    if (ok) {
      EXPECT_EQ(ToDouble(c.type, bits), *c.value) << c.text;
    }
    if (!ok) {
      EXPECT_FALSE(error.empty());
    }
  }
}

TEST(ValueText, QualitiesReadBack) {
  for (const Quality quality :
       {kGood, kUncertain, kBad, kBadNoData, Quality{0x40920000}, Quality{0x80310401}, Quality{0x00000480}}) {
    const auto back = ParseQuality(QualityCodeText(quality));
    ASSERT_TRUE(back.ok()) << QualityCodeText(quality);
    EXPECT_EQ(*back, quality);
  }
  EXPECT_EQ(QualityCodeText(kBadNoData), "BadNoData");
}

TEST(TypeInference, FindsTypes) {
  const std::vector<const char*> many_with_one_wrong = {"1.5", "2", "3", "4",  "5",  "6",
                                                        "7",   "8", "9", "10", "ERR"};
  const struct {
    std::vector<const char*> texts;
    std::optional<ValueType> type;
  } kCases[] = {
      {{}, std::nullopt},
      {{"1", "-2", "30"}, ValueType::kInt64},
      {{"1", "2.5"}, ValueType::kFloat64},
      {{"1e3", "nan"}, ValueType::kFloat64},
      {{"0", "1", "0"}, ValueType::kInt64},
      {{"true", "False", "on"}, ValueType::kBool},
      {{"true", "1"}, ValueType::kString},
      {{"a", "b"}, ValueType::kString},
      {{"1", "b"}, ValueType::kString},
      {{"0042", "0043"}, ValueType::kString},
      {{"99999999999999999999"}, ValueType::kFloat64},
      {many_with_one_wrong, ValueType::kFloat64},
  };
  for (const auto& c : kCases) {
    TypeInference inference;
    for (const char* text : c.texts) inference.Add(text, false);
    EXPECT_EQ(inference.Type(), c.type) << (c.texts.empty() ? "" : c.texts[0]);
  }
}

TEST(TypeInference, PartsMergeToTheWhole) {
  TypeInference a, b;
  a.Add("1", false);
  b.Add("2,5", true);
  EXPECT_EQ(a.Type(), ValueType::kInt64);
  a.Merge(b);
  EXPECT_EQ(a.Type(), ValueType::kFloat64);
}

}  // namespace
}  // namespace historian::histctl
