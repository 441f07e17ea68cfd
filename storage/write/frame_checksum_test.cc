#include "storage/write/frame_checksum.h"

#include <functional>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace historian {
namespace {

Frame Example() {
  Frame frame;
  frame.sequence = 7;
  FrameColumn& numbers = frame.columns.emplace_back();
  numbers.tag = 1;
  numbers.samples.Add(10, 100);
  numbers.samples.Add(20, 200);
  FrameColumn& texts = frame.columns.emplace_back();
  texts.tag = 2;
  texts.type = ValueType::kString;
  texts.samples.AddString(10, "ab");
  texts.samples.AddString(20, "c");
  FrameSnapshot& snapshot = frame.snapshots.emplace_back();
  snapshot.time = 30;
  snapshot.type = ValueType::kInt64;
  snapshot.tags = {3, 4};
  snapshot.values = {5, 6};
  return frame;
}

TEST(FrameChecksum, IsOfWhatAFrameSays) {
  const std::vector<std::function<void(Frame&)>> changes = {
      [](Frame&) {},
      [](Frame& f) { f.columns[0].tag = 9; },
      [](Frame& f) { f.columns[0].type = ValueType::kInt64; },
      [](Frame& f) { f.columns[0].samples.times[1] = 21; },
      [](Frame& f) { f.columns[0].samples.values[0] = 101; },
      [](Frame& f) {
        f.columns[0].samples.qualities = {kGood, 0x80000000};
      },
      [](Frame& f) {
        f.columns[0].samples.qualities = {0x80000000, kGood};
      },
      [](Frame& f) { std::swap(f.columns[0], f.columns[1]); },
      [](Frame& f) {
        f.columns[1].samples.Clear();
        f.columns[1].samples.AddString(10, "a");
        f.columns[1].samples.AddString(20, "bc");
      },
      [](Frame& f) { f.columns.pop_back(); },
      [](Frame& f) { f.snapshots[0].time = 31; },
      [](Frame& f) { f.snapshots[0].tags[1] = 5; },
      [](Frame& f) { f.snapshots[0].values[1] = 7; },
      [](Frame& f) { f.snapshots.pop_back(); },
  };
  std::set<uint32_t> sums;
  for (size_t i = 0; i < changes.size(); ++i) {
    Frame frame = Example();
    changes[i](frame);
    EXPECT_TRUE(sums.insert(FrameChecksum(frame)).second) << "change " << i;
  }
  Frame again = Example();
  again.sequence = 8;
  EXPECT_EQ(FrameChecksum(again), FrameChecksum(Example())) << "the number is not in it";
}

TEST(FrameChecksum, NeverChanges) { EXPECT_EQ(FrameChecksum(Example()), 225'299'236u); }

}  // namespace
}  // namespace historian
