#include "storage/versions/version_mark.h"

#include <map>
#include <string>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/worked_examples.h"

namespace historian {
namespace {

ClosedVersion ExampleMark() {
  constexpr Timestamp kTime = 1'796'007'600 * kNanosPerSecond;  // 2026-11-30T03:00:00Z
  return {.version = 3,
          .time = kTime,
          .clock = kTime,
          .cause = VersionCause::kMark,
          .author = "ada",
          .comment = "batch 12"};
}

TEST(VersionMark, TheExampleOfItsPageIsWhatIsWrittenAndRead) {
  const absl::StatusOr<std::map<std::string, std::string>> examples =
      format::ReadWorkedExamples("storage/versions/version_mark.md");
  ASSERT_TRUE(examples.ok()) << examples.status();
  ASSERT_THAT(*examples, testing::ElementsAre(testing::Pair("example", testing::_)));
  const std::string& example = examples->at("example");
  EXPECT_EQ(absl::BytesToHexString(EncodeVersionMark(ExampleMark())), absl::BytesToHexString(example));
  EXPECT_TRUE(IsVersionMark(example));
  EXPECT_EQ(DecodeVersionMark(example).value(), ExampleMark());
}

TEST(VersionMark, TheStoresRecordHasThePositionToo) {
  ClosedVersion closed = ExampleMark();
  closed.journal_position = 4711;
  const auto [key, value] = VersionRecordOf(closed);
  EXPECT_EQ(key, std::string("V\0\0\0\0\0\0\0\3", 9));
  EXPECT_EQ(ReadVersionRecord(value).value(), closed);
}

TEST(VersionMark, WhatIsNotOneIsDataLoss) {
  EXPECT_FALSE(IsVersionMark(""));
  EXPECT_FALSE(IsVersionMark("\x03 a frame"));
  for (const std::string& bytes :
       {std::string(), std::string("\x03"), std::string("\x10"), std::string("\x10\xff")}) {
    EXPECT_EQ(DecodeVersionMark(bytes).status().code(), absl::StatusCode::kDataLoss)
        << absl::BytesToHexString(bytes);
  }
}

}  // namespace
}  // namespace historian
