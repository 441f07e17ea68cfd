#include <string>

#include "gtest/gtest.h"
#include "tools/histctl/lib/header_unit.h"
#include "tools/histctl/lib/quality_text.h"
#include "tools/histctl/lib/text_encoding.h"

namespace historian::histctl {
namespace {

using std::string_literals::operator""s;

TEST(FindEncoding, MarksZerosAndQuestions) {
  EXPECT_EQ(*FindEncoding("time,a\n"), "UTF-8");
  EXPECT_EQ(*FindEncoding("\xEF\xBB\xBFtime,\u00b0C\n"), "UTF-8");
  EXPECT_EQ(*FindEncoding("\xFF\xFEt\0i\0"s), "UTF-16LE");
  EXPECT_EQ(*FindEncoding("\xFE\xFF\0t\0i"s), "UTF-16BE");
  EXPECT_EQ(*FindEncoding("t\0i\0m\0e\0,\0"s), "UTF-16LE");
  EXPECT_EQ(*FindEncoding("\0t\0i\0m\0e\0,"s), "UTF-16BE");
  const auto asked = FindEncoding("time\nTemp [\xB0\x43]\n");
  EXPECT_NE(asked.status().message().find("line 2 is not UTF-8"), absl::string_view::npos);
  EXPECT_NE(asked.status().message().find("reads 'Temp [\u00b0C]'"), absl::string_view::npos);
  EXPECT_NE(asked.status().message().find("--encoding"), absl::string_view::npos);
}

TEST(ToUtf8, ReadsWhatIsThereAndSaysWhatIsNot) {
  EXPECT_EQ(*ToUtf8("Temp [\xB0\x43]\n", "latin-1"), "Temp [\u00b0C]\n");
  EXPECT_EQ(*ToUtf8("\x80", "windows-1252"), "\u20ac");
  EXPECT_EQ(*ToUtf8("\xFF\xFEt\0\xB0\0"s, "UTF-16LE"), "t\u00b0");
  EXPECT_EQ(*ToUtf8("\xFF\xFEt\0\xB0\0"s, "UTF-16"), "t\u00b0");
  // Longer than the buffer, and then not in the encoding.
  const std::string lines = std::string(40'000, 'x') + "\n" + std::string(40'000, '\xB0');
  EXPECT_EQ(ToUtf8(lines, "ISO-8859-1")->size(), 40'001 + 80'000);
  const auto wrong = ToUtf8(lines, "UTF-8");
  EXPECT_NE(wrong.status().message().find("line 2"), absl::string_view::npos) << wrong.status();
  EXPECT_NE(ToUtf8("a", "EBCDIC-NO").status().message().find("is not an encoding"), absl::string_view::npos);
  EXPECT_FALSE(ToUtf8("a\0b"s, "UTF-16LE").ok());  // Half a character at the end.
}

TEST(ReadQuality, WordsAndCodes) {
  const struct {
    const char* text;
    QualityCodes codes;
    Quality quality;
  } kCases[] = {
      {"", QualityCodes::kOpcUa, kGood},
      {" good ", QualityCodes::kOpcUa, kGood},
      {"Bad_NoCommunication", QualityCodes::kOpcUa, 0x80310000},
      {"0", QualityCodes::kOpcUa, kGood},
      {"0", QualityCodes::kOpcDa, kBad},
      {"192", QualityCodes::kOpcDa, kGood},
      {"216", QualityCodes::kOpcDa, 0x00960000},
      {"24", QualityCodes::kOpcDa, 0x80310000},
      {"64", QualityCodes::kOpcDa, kUncertain},
      {"Good", QualityCodes::kOpcDa, kGood},
      {"{ok}", QualityCodes::kOpcUa, kGood},
      {"{ }", QualityCodes::kOpcUa, kGood},
      {"{fault,down}", QualityCodes::kOpcUa, 0x808B0000},
      {"Substitute", QualityCodes::kOpcUa, 0x40910000},
  };
  for (const auto& c : kCases) {
    const auto quality = ReadQuality(c.text, c.codes);
    ASSERT_TRUE(quality.ok()) << quality.status();
    EXPECT_EQ(*quality, c.quality) << c.text;
  }
  for (const char* text : {"fine", "{fine}", "{ok", "-1", "130"}) {
    EXPECT_FALSE(ReadQuality(text, QualityCodes::kOpcDa).ok()) << text;
  }
}

TEST(FindQualityCodes, ByTheNumbersThereAre) {
  const auto find = [](std::vector<absl::string_view> texts) { return FindQualityCodes(texts); };
  EXPECT_EQ(find({"192", "0", "Good"}), QualityCodes::kOpcDa);
  EXPECT_EQ(find({"0", "2150694912"}), QualityCodes::kOpcUa);
  EXPECT_EQ(find({"Good", ""}), QualityCodes::kOpcUa);
  EXPECT_EQ(find({"0x80310000"}), QualityCodes::kOpcUa);
  EXPECT_EQ(find({"0", "0"}), std::nullopt);
}

TEST(QualityOfState, KnowsThoseOfDataSystems) {
  EXPECT_EQ(QualityOfState("I/O Timeout"), Quality{0x80310000});
  EXPECT_EQ(QualityOfState(" no data "), kBadNoData);
  EXPECT_EQ(QualityOfState("#N/A"), kBadNoData);
  for (const char* text : {"", "Running", "1.5", "Bad Day"})
    EXPECT_EQ(QualityOfState(text), std::nullopt) << text;
}

TEST(TakeUnit, BracketsAndKnownUnits) {
  const struct {
    const char* header;
    const char* name;
    const char* unit;
    bool in_parentheses;
  } kCases[] = {
      {"Flow [m3/h]", "Flow", "m3/h", false},
      {"Flow [as measured]", "Flow", "as measured", false},
      {"Flow (m3/h)", "Flow", "m3/h", true},
      {"T (°C)", "T", "°C", true},
      {"Steam (1000 lb/hr)", "Steam", "1000 lb/hr", true},
      {"Flux (kg/(m2.s))", "Flux", "kg/(m2.s)", true},
      {"Acc (m·s-2)", "Acc", "m·s-2", true},
      {"Pump (north)", "Pump (north)", "", false},
      {"Pump (1)", "Pump (1)", "", false},
      {"(kW)", "(kW)", "", false},
      {"a)", "a)", "", false},
      {"", "", "", false},
  };
  for (const auto& c : kCases) {
    std::string name = c.header, unit;
    EXPECT_EQ(TakeUnit(&name, &unit), c.in_parentheses) << c.header;
    EXPECT_EQ(name, c.name);
    EXPECT_EQ(unit, c.unit);
  }
}

}  // namespace
}  // namespace historian::histctl
