#include "tools/histctl/lib/tag_csv.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

TEST(TagCsv, WhatIsExportedReadsBack) {
  Tag flow{.name = "area-1/flow, \"main\"", .unit = "m\xC2\xB3/h", .description = "two\nlines"};
  flow.attributes = {{"plc", "S7"}, {"a=b|c\\", "|x=\\"}};
  Tag state{.name = "area-1/state",
            .type = ValueType::kDigital,
            .interpolation = Interpolation::kStepped,
            .retired = true};
  state.states = {{0, "Off"}, {7, "Fault=|bad\\"}, {4294967295, ""}};
  Tag steps{.name = "steps", .type = ValueType::kInt64, .interpolation = Interpolation::kSloped};
  steps.stale_after = absl::Minutes(90);

  const auto rows = ParseTagCsv(TagCsvHeader() + TagCsvRow(flow) + TagCsvRow(state) + TagCsvRow(steps));
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 3);
  for (size_t i = 0; i < 3; ++i) {
    const Tag& in = i == 0 ? flow : i == 1 ? state : steps;
    const TagRow& row = (*rows)[i];
    ASSERT_TRUE(row.status.ok()) << row.status;
    EXPECT_EQ(row.tag.name, in.name);
    EXPECT_EQ(row.tag.type, in.type);
    EXPECT_EQ(row.tag.interpolation, in.interpolation);
    EXPECT_EQ(row.tag.unit, in.unit);
    EXPECT_EQ(row.tag.description, in.description);
    EXPECT_EQ(row.tag.states, in.states);
    EXPECT_EQ(row.tag.attributes, in.attributes);
    EXPECT_EQ(row.tag.stale_after, in.stale_after);
    EXPECT_EQ(row.tag.retired, in.retired);
  }
}

TEST(TagCsv, FewColumnsInAnyOrderAreEnough) {
  const auto rows = ParseTagCsv("Type, Name\nint64,a\nbool,b\n");
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ((*rows)[0].tag.interpolation, Interpolation::kStepped);
  EXPECT_EQ((*rows)[1].tag.name, "b");
}

TEST(TagCsv, BadRowsAreToldWithTheirLine) {
  const auto rows = ParseTagCsv(
      "name,type,states,retired\n"
      "a,float64,,\n"
      "b,float65,,\n"
      "c,float64,0=Off,\n"
      "d,digital,Off,\n"
      "e,digital,x=Off,\n"
      "f,digital,0=A|0=B,\n"
      "g,float64,,perhaps\n"
      "h,float64\n"
      "bad*name,float64,,\n"
      "i,float64,\"open,\n"
      "z,bool,,true\n");
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 11);
  for (const TagRow& row : *rows) {
    const bool good = row.line == 2 || row.line == 12;
    EXPECT_EQ(row.status.ok(), good) << row.line << ": " << row.status;
  }
}

TEST(TagCsv, HeadersThatAreNoneAreRefused) {
  for (const char* text : {"", "name\nx\n", "type\nbool\n", "name,type,colour\n"}) {
    EXPECT_FALSE(ParseTagCsv(text).ok()) << text;
  }
}

}  // namespace
}  // namespace historian::histctl
