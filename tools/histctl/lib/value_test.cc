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
    ASSERT_TRUE(ParseValue(ValueType::kFloat64, text, kDecimalPoint, nullptr, &bits, &error)) << text;
    EXPECT_EQ(bits, BitsOfFloat64(c.value)) << text;
  }
}

TEST(ValueText, ANanIsANanWhateverItsSign) {
  for (const double sign : {1.0, -1.0}) {
    std::string text;
    AppendValue(ValueType::kFloat64, BitsOfFloat64(std::copysign(std::nan(""), sign)), &text);
    AppendFloat32(static_cast<float>(std::copysign(std::nan(""), sign)), &text);
    EXPECT_EQ(text, "nannan");
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
      ASSERT_TRUE(ParseValue(type, text, kDecimalPoint, nullptr, &back, &error)) << text << error;
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
      {ValueType::kFloat64, " 1,5 ", 1.5},
      {ValueType::kFloat64, "+1,5", 1.5},
      {ValueType::kFloat64, "1,5", 1.5},
      {ValueType::kFloat64, "1.5", {}},  // A point separates thousands.
      {ValueType::kFloat64, "1.005", 1005},
      {ValueType::kFloat64, "1.234.567,25", 1234567.25},
      {ValueType::kFloat64, "-1.005,5", -1005.5},
      {ValueType::kFloat64, "12.34,5", {}},
      {ValueType::kFloat64, "1234.567", {}},
      {ValueType::kFloat64, "1234567,5", 1234567.5},
      {ValueType::kFloat64, "1,5e3", 1500},
      {ValueType::kFloat64, "inf", std::numeric_limits<double>::infinity()},
      {ValueType::kFloat64, "1,5,5", {}},
      {ValueType::kFloat64, "1,5x", {}},
      {ValueType::kFloat64, "", {}},
      {ValueType::kFloat64, "1e999", {}},
      {ValueType::kFloat64, "+-1", {}},
      {ValueType::kFloat64, "0x10", {}},
      {ValueType::kFloat32, "1e39", {}},
      {ValueType::kFloat32, "0,5", 0.5},
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
    const bool ok = ParseValue(c.type, c.text, kDecimalComma, &kStates, &bits, &error);
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
  EXPECT_EQ(QualityCodeText(kGood | kInfoCalculated | kInfoPartial), "0x00000405");
}

TEST(ValueText, ThousandsAreSeparatedInGroupsOfThree) {
  const struct {
    NumberStyle style;
    const char* text;
    std::optional<double> value;
  } kCases[] = {
      {{.thousands = ','}, "1,234.5", 1234.5},
      {{.thousands = ','}, "1,234,567", 1234567},
      {{.thousands = ','}, "1234.5", 1234.5},
      {{.thousands = ','}, "1,2345", {}},
      {{.thousands = ','}, "1,23", {}},
      {{.thousands = ','}, ",123", {}},
      {{.thousands = ','}, "1.234,567", {}},
      {{',', ' '}, "1 234,5", 1234.5},
      {{',', ' '}, "1\u00a0234,5", 1234.5},
      {{',', ' '}, "1\u202f234\u202f567", 1234567},
      {{.thousands = '\''}, "-1'234.5", -1234.5},
      {{.thousands = '\''}, "1'23", {}},
      {{.decimal = ',', .thousands = 0}, "1.5", {}},
      {{.decimal = ',', .thousands = 0}, "1,5", 1.5},
  };
  for (const auto& c : kCases) {
    ValueBits bits = 0;
    std::string error;
    const bool ok = ParseValue(ValueType::kFloat64, c.text, c.style, nullptr, &bits, &error);
    ASSERT_EQ(ok, c.value.has_value()) << c.text;
    if (ok) {
      EXPECT_EQ(Float64OfBits(bits), *c.value) << c.text;
    }
  }
}

TEST(TypeInference, FindsTypes) {
  const std::vector<const char*> many_with_one_wrong = {"1.5", "2", "3", "4",  "5",  "6",
                                                        "7",   "8", "9", "10", "ERR"};
  const struct {
    std::vector<const char*> texts;
    std::optional<ValueType> type;
  } kCases[] = {
      {{}, std::nullopt},
      {{"1", "-2", "30"}, ValueType::kFloat64},
      {{"1", "2.5"}, ValueType::kFloat64},
      {{"1e3", "nan"}, ValueType::kFloat64},
      {{"0", "1", "0"}, ValueType::kFloat64},
      {{"true", "False", "on"}, ValueType::kBool},
      {{"true", "1"}, std::nullopt},
      {{"a", "b"}, ValueType::kString},
      {{"1", "b"}, std::nullopt},
      {{"0042", "0043"}, ValueType::kString},
      {{"99999999999999999999"}, ValueType::kFloat64},
      {{"9007199254740993", "1"}, ValueType::kInt64},
      {{"9007199254740993", "1.5"}, ValueType::kFloat64},
      {many_with_one_wrong, ValueType::kFloat64},
  };
  for (const auto& c : kCases) {
    TypeInference inference;
    for (const char* text : c.texts) inference.Add(text, 1);
    EXPECT_EQ(inference.Votes(kDecimalPoint).Type(), c.type) << (c.texts.empty() ? "" : c.texts[0]);
  }
}

TEST(TypeInference, WhoAsksIsToldOfWhat) {
  TypeInference inference;
  for (const char* text : {"1.5", "unclear", "2.5", "so so", "unclear", "on", "No Data"})
    inference.Add(text, 1);
  const TypeVotes votes = inference.Votes(kDecimalPoint);
  EXPECT_EQ(votes.Type(), std::nullopt);
  EXPECT_EQ(votes.numbers, 2);
  EXPECT_EQ(votes.texts, 3);
  EXPECT_EQ(votes.bools, 1);
  EXPECT_EQ(votes.text_examples, (std::vector<std::string>{"unclear", "so so", "No Data"}));
  EXPECT_EQ(votes.Usable(ValueType::kFloat64), 3);
  EXPECT_EQ(votes.Usable(ValueType::kString), 7);
}

TEST(TypeInference, TextsThatSayWhyThereIsNoNumberHaveNoSay) {
  const auto votes = [](std::initializer_list<const char*> texts) {
    TypeInference inference;
    for (const char* text : texts) inference.Add(text, 1);
    return inference.Votes(kDecimalPoint);
  };
  EXPECT_EQ(votes({"1.5", "Bad Input", "No Data", "I/O Timeout"}).Type(), ValueType::kFloat64);
  EXPECT_EQ(votes({"Running", "Failed", "Shutdown"}).Type(), ValueType::kString);
  EXPECT_EQ(votes({"Failed", "Shutdown"}).Type(), std::nullopt);
  EXPECT_EQ(votes({"Failed", "Shutdown"}).all(), 2);
}

TEST(TypeInference, PartsMergeToTheWhole) {
  TypeInference a, b;
  a.Add("1", 1);
  b.Add("2,5", 1);
  TypeVotes votes = a.Votes(kDecimalPoint);
  votes.Merge(b.Votes(kDecimalComma));
  EXPECT_EQ(votes.Type(), ValueType::kFloat64);
  EXPECT_EQ(votes.numbers, 2);
}

TEST(TypeInference, WhatIsAskedForIsReadSo) {
  TypeInference inference;
  const NumberStyle style{.decimal = ',', .thousands = ' '};
  for (const char* text : {"1 234,5", "7", "1.5"}) inference.Add(text, 1, style);
  EXPECT_EQ(inference.Votes(style).numbers, 2);
  EXPECT_EQ(inference.Votes(style).texts, 1);
}

TEST(FindNumberStyle, OfAWholeFile) {
  const NumberStyle grouped{.decimal = '.', .thousands = ','};
  const struct {
    std::vector<std::vector<const char*>> columns;
    char separator;
    std::optional<NumberStyle> style;  // Unset: nobody can tell.
  } kCases[] = {
      {{{"1", "2"}}, ',', kDecimalPoint},
      {{{"1.5", "2"}}, ';', kDecimalPoint},
      {{{"1,5", "2"}}, ';', kDecimalComma},
      {{{"1,5", "2"}, {"4,500"}}, ',', kDecimalComma},
      {{{"0,500"}}, '\t', kDecimalComma},
      {{{"1.234,5", "7"}}, ';', kDecimalComma},
      {{{"1.234.567"}}, ';', kDecimalComma},
      {{{"1,234.5", "7"}}, ',', grouped},
      {{{"1,234,567"}}, ',', grouped},
      {{{"4,500", "999.5"}}, ',', grouped},
      {{{"4,500", "4,503"}}, ';', kDecimalComma},
      {{{"4,500", "4,503"}}, ',', std::nullopt},
      {{{"1,5"}, {"1.5"}}, ';', std::nullopt},
      {{{"1,234.5"}, {"1.234,5"}}, ';', std::nullopt},
      {{{"1.234", "4.500"}}, ';', kDecimalPoint},
      {{{"907", "1.005"}}, ';', std::nullopt},
      {{{"907", "1.005", "1.5"}}, ';', kDecimalPoint},
      {{{"907", "1.005"}}, ',', kDecimalPoint},
      // Remarks have no say.
      {{{"1.5", "2.5"}, {"see 1", "1,5", "x", "y"}}, ',', kDecimalPoint},
  };
  for (const auto& c : kCases) {
    std::vector<TypeInference> columns(c.columns.size());
    std::vector<const TypeInference*> pointers;
    std::vector<std::string> names;
    for (size_t i = 0; i < columns.size(); ++i) {
      for (const char* text : c.columns[i]) columns[i].Add(text, 7);
      pointers.push_back(&columns[i]);
      names.push_back("flow");
    }
    const auto style = FindNumberStyle(pointers, names, c.separator);
    ASSERT_EQ(style.ok(), c.style.has_value()) << c.columns[0][0] << ": " << style.status();
    if (style.ok()) {
      EXPECT_EQ(*style, *c.style) << c.columns[0][0];
    } else {
      EXPECT_NE(style.status().message().find("line 7, 'flow': '"), std::string::npos) << style.status();
      EXPECT_NE(style.status().message().find("--decimal"), std::string::npos) << style.status();
    }
  }
}

}  // namespace
}  // namespace historian::histctl
