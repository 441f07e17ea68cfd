// Holds the journal's records to the worked example of their page.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/worked_examples.h"
#include "storage/write/frame_record.h"

namespace historian {
namespace {

constexpr Timestamp kStart = 1'796'007'600 * kNanosPerSecond;  // 2026-11-30T03:00:00Z

// Frame 300 of producer "gw": a column of numbers, one of texts, and a snapshot.
Frame ExampleFrame() {
  Frame frame;
  frame.sequence = 300;
  FrameColumn& flow = frame.columns.emplace_back();
  flow.tag = 7;
  const int milliseconds[] = {0, 1002, 1999, 3001};
  const double values[] = {20.4, 20.5, 20.4, 20.7};
  for (size_t i = 0; i < 4; ++i) {
    flow.samples.Add(kStart + milliseconds[i] * Timestamp{1'000'000}, BitsOfFloat64(values[i]));
  }
  FrameColumn& phase = frame.columns.emplace_back();
  phase.tag = 200;
  phase.type = ValueType::kString;
  phase.samples.AddString(kStart, "fill");
  FrameSnapshot& snapshot = frame.snapshots.emplace_back();
  snapshot.time = kStart + kNanosPerSecond;
  snapshot.type = ValueType::kInt64;
  snapshot.tags = {3, 4, 5};
  snapshot.values = {40, 41, 43};
  return frame;
}

std::string Example() {
  const absl::StatusOr<std::map<std::string, std::string>> examples =
      format::ReadWorkedExamples("storage/write/frame_record.md");
  EXPECT_TRUE(examples.ok()) << examples.status();
  if (!examples.ok()) return "";
  EXPECT_THAT(*examples, testing::ElementsAre(testing::Pair("example", testing::_)));
  return examples->count("example") == 0 ? "" : examples->at("example");
}

TEST(FrameRecordPage, TheExampleIsWhatIsWritten) {
  std::vector<format::EncodeHint> hints(3);
  hints[0].decimals = 1;  // An earlier frame of the tag taught it.
  EXPECT_EQ(absl::BytesToHexString(EncodeFrameRecord("gw", ExampleFrame(), 0x87654321, &hints)),
            absl::BytesToHexString(Example()));
}

TEST(FrameRecordPage, TheExampleIsRead) {
  const absl::StatusOr<FrameRecord> record = DecodeFrameRecord(Example());
  ASSERT_TRUE(record.ok()) << record.status();
  const Frame frame = ExampleFrame();
  EXPECT_EQ(record->producer, "gw");
  EXPECT_EQ(record->frame.sequence, frame.sequence);
  EXPECT_EQ(record->checksum, 0x87654321);
  ASSERT_EQ(record->frame.columns.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const FrameColumn& column = record->frame.columns[i];
    EXPECT_EQ(column.tag, frame.columns[i].tag);
    ASSERT_EQ(column.type, frame.columns[i].type);
    EXPECT_EQ(column.samples.times, frame.columns[i].samples.times);
    for (size_t k = 0; k < column.samples.size(); ++k) {
      EXPECT_TRUE(SameSample(column.type, column.samples.View(), k, frame.columns[i].samples.View(), k));
    }
  }
  ASSERT_EQ(record->frame.snapshots.size(), 1u);
  EXPECT_EQ(record->frame.snapshots[0].time, frame.snapshots[0].time);
  EXPECT_EQ(record->frame.snapshots[0].tags, frame.snapshots[0].tags);
  EXPECT_EQ(record->frame.snapshots[0].values, frame.snapshots[0].values);
}

}  // namespace
}  // namespace historian
