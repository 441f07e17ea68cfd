#include "storage/write/frame_record.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/page.h"

namespace historian {
namespace {

constexpr Timestamp kStart = 1'796'007'600'000'000'000;
constexpr uint32_t kChecksum = 0x12345678;

Frame SomeFrame() {
  Frame frame;
  frame.sequence = 300;
  for (TagId tag : {7, 9, 8}) {
    FrameColumn& column = frame.columns.emplace_back();
    column.tag = tag;
    for (int i = 0; i < 20; ++i)
      column.samples.Add(kStart + tag * 1000 + i * kNanosPerSecond, BitsOfFloat64(i / 10.0));
  }
  frame.columns[1].samples.qualities.assign(20, kUncertain);
  FrameColumn& text = frame.columns.emplace_back();
  text.tag = 10;
  text.type = ValueType::kString;
  text.samples.AddString(kStart, "open");
  FrameSnapshot& snapshot = frame.snapshots.emplace_back();
  snapshot.time = kStart + 1;
  snapshot.type = ValueType::kInt64;
  snapshot.tags = {3, 5};
  snapshot.values = {4, 6};
  return frame;
}

void ExpectSame(const Frame& a, const Frame& b) {
  EXPECT_EQ(a.sequence, b.sequence);
  ASSERT_EQ(a.columns.size(), b.columns.size());
  for (size_t i = 0; i < a.columns.size(); ++i) {
    EXPECT_EQ(a.columns[i].tag, b.columns[i].tag);
    ASSERT_EQ(a.columns[i].type, b.columns[i].type);
    const SamplesView x = a.columns[i].samples.View(), y = b.columns[i].samples.View();
    ASSERT_EQ(x.size, y.size);
    for (size_t k = 0; k < x.size; ++k)
      EXPECT_TRUE(SameSample(a.columns[i].type, x, k, y, k)) << i << " " << k;
  }
  ASSERT_EQ(a.snapshots.size(), b.snapshots.size());
  for (size_t i = 0; i < a.snapshots.size(); ++i) {
    EXPECT_EQ(a.snapshots[i].time, b.snapshots[i].time);
    EXPECT_EQ(a.snapshots[i].tags, b.snapshots[i].tags);
    EXPECT_EQ(a.snapshots[i].values, b.snapshots[i].values);
  }
}

TEST(FrameRecord, ComesBackWhateverIsKnownOfItsTags) {
  const Frame frame = SomeFrame();
  std::vector<format::EncodeHint> hints(frame.columns.size() + frame.snapshots.size());
  // The first round knows nothing of the tags, the others what the one before taught.
  size_t sizes[3];
  for (size_t& size : sizes) {
    const std::string bytes = EncodeFrameRecord("gateway", frame, kChecksum, &hints);
    size = bytes.size();
    const absl::StatusOr<FrameRecord> back = DecodeFrameRecord(bytes);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->producer, "gateway");
    ASSERT_NO_FATAL_FAILURE(ExpectSame(frame, back->frame));
  }
  EXPECT_EQ(hints[0].decimals, 1);
  EXPECT_EQ(sizes[1], sizes[2]);
}

// A gateway's frame: a minute of each tag, and what was held up for up to an hour.
TEST(FrameRecord, LateSamplesDoNotWidenTheOthers) {
  Frame punctual, mixed;
  for (TagId tag = 1; tag <= 100; ++tag) {
    for (Frame* frame : {&punctual, &mixed}) {
      FrameColumn& column = frame->columns.emplace_back();
      column.tag = tag;
      const auto add = [&](int64_t second) {
        column.samples.Add(kStart + second * kNanosPerSecond, BitsOfFloat64((second + tag) % 500 / 10.0));
      };
      if (frame == &mixed) {
        for (const int64_t second : {-3000, -1800, -650}) add(second);
      }
      for (int64_t second = 0; second < 60; ++second) add(second);
    }
  }
  size_t sizes[2];
  for (Frame* frame : {&punctual, &mixed}) {
    std::vector<format::EncodeHint> hints(frame->columns.size());
    EncodeFrameRecord("gateway", *frame, kChecksum, &hints);
    const std::string bytes = EncodeFrameRecord("gateway", *frame, kChecksum, &hints);
    sizes[frame == &mixed] = bytes.size();
    const absl::StatusOr<FrameRecord> back = DecodeFrameRecord(bytes);
    ASSERT_TRUE(back.ok()) << back.status();
    std::map<TagId, Samples> samples;
    for (const FrameColumn& column : back->frame.columns) {
      samples[column.tag].Append(column.type, column.samples.View());
    }
    ASSERT_EQ(samples.size(), frame->columns.size());
    for (const FrameColumn& column : frame->columns) {
      EXPECT_EQ(samples[column.tag].times, column.samples.times);
      EXPECT_EQ(samples[column.tag].values, column.samples.values);
    }
  }
  EXPECT_LT(sizes[1] - sizes[0], 100 * 3 * 12) << sizes[0] << " without";
}

TEST(FrameRecord, UnwantedColumnsArePassedOver) {
  Frame frame = SomeFrame();
  std::vector<format::EncodeHint> hints(frame.columns.size() + frame.snapshots.size());
  const absl::StatusOr<FrameRecord> back = DecodeFrameRecord(
      EncodeFrameRecord("gateway", frame, kChecksum, &hints), [](TagId tag) { return tag % 2 == 0; });
  ASSERT_TRUE(back.ok());
  frame.columns.erase(frame.columns.begin(), frame.columns.begin() + 2);
  ExpectSame(frame, back->frame);
}

// A journal may outlive an upgrade.
TEST(FrameRecord, RecordsOfKindOneAreRead) {
  Samples samples;
  samples.Add(kStart, 41);
  samples.Add(kStart + 5, 42);
  std::string page;
  format::EncodePage(ValueType::kInt64, samples.View(), &page);
  std::string bytes("\x01\x05\x01p\x01\x07\x03", 7);
  bytes.push_back(static_cast<char>(page.size()));
  bytes += page;
  bytes.push_back(0);
  const absl::StatusOr<FrameRecord> back = DecodeFrameRecord(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->producer, "p");
  EXPECT_EQ(back->frame.sequence, 5u);
  ASSERT_EQ(back->frame.columns.size(), 1u);
  EXPECT_EQ(back->frame.columns[0].tag, 7u);
  EXPECT_EQ(back->frame.columns[0].samples.times, samples.times);
  EXPECT_EQ(back->frame.columns[0].samples.values, samples.values);
}

// They were as records are now, but without a checksum; and of kind 2, too, as long as no times have gaps.
TEST(FrameRecord, RecordsOfKindsTwoAndThreeAreRead) {
  Frame frame;
  frame.sequence = 5;
  FrameColumn& column = frame.columns.emplace_back();
  column.tag = 7;
  column.type = ValueType::kInt64;
  for (int i = 0; i < 20; ++i) column.samples.Add(kStart + i * kNanosPerSecond, 40 + i);
  std::vector<format::EncodeHint> hints(1);
  std::string bytes = EncodeFrameRecord("p", frame, kChecksum, &hints);
  ASSERT_EQ(bytes[0], 4);
  EXPECT_EQ(DecodeFrameRecordHead(bytes)->checksum, kChecksum);
  bytes.erase(4, 4);  // Behind kind, sequence and name.
  for (const char kind : {2, 3}) {
    bytes[0] = kind;
    const absl::StatusOr<FrameRecord> back = DecodeFrameRecord(bytes);
    ASSERT_TRUE(back.ok()) << back.status();
    ExpectSame(frame, back->frame);
    EXPECT_EQ(back->checksum, std::nullopt);
  }
}

TEST(FrameRecord, TagsOfASnapshotThatNoTagHasAreDataLoss) {
  const auto record = [](std::vector<Timestamp> tags) {
    Samples samples;
    for (const Timestamp tag : tags) samples.Add(tag, BitsOfInt64(1));
    std::string page;
    format::EncodePage(ValueType::kInt64, samples.View(), &page, nullptr);
    // Kind 1, sequence 5, producer "p", no columns, a snapshot at time 0.
    std::string bytes("\x01\x05\x01p\x00\x01", 6);
    bytes.append(8, '\0');
    bytes.push_back(static_cast<char>(ValueType::kInt64));
    bytes.push_back(static_cast<char>(page.size()));
    return bytes + page;
  };
  const auto good = DecodeFrameRecord(record({3, UINT32_MAX}));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->frame.snapshots[0].tags, std::vector<TagId>({3, UINT32_MAX}));
  for (const std::vector<Timestamp>& tags :
       {std::vector<Timestamp>{-1, 4}, {3, Timestamp{UINT32_MAX} + 1}, {Timestamp{1} << 40}}) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeFrameRecord(record(tags)).status()));
  }
}

TEST(FrameRecord, DamageIsDataLossAndANewerKindIsRefused) {
  const Frame frame = SomeFrame();
  std::vector<format::EncodeHint> hints(frame.columns.size() + frame.snapshots.size());
  EncodeFrameRecord("gateway", frame, kChecksum, &hints);
  std::string bytes = EncodeFrameRecord("gateway", frame, kChecksum, &hints);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeFrameRecord(absl::string_view(bytes).substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss);
  }
  bytes[0] = 5;
  EXPECT_EQ(DecodeFrameRecord(bytes).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace historian
