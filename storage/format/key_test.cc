#include "storage/format/key.h"

#include <limits>
#include <random>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

constexpr Timestamp kTimes[] = {
    kTimestampMin, -kPartitionNanos - 1, -kPartitionNanos, -1, 0, 1, 1'700'000'000'000'000'000,
    kTimestampMax};

std::vector<BlockId> ManyIds() {
  std::vector<BlockId> ids;
  for (const Timestamp time : kTimes) {
    for (const TagId tag : {1u, 2u, 255u, 256u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu}) {
      for (const uint64_t seal :
           {uint64_t{0}, uint64_t{1}, uint64_t{256}, std::numeric_limits<uint64_t>::max()}) {
        ids.push_back({PartitionOf(time), tag, time, seal});
        ids.push_back({LongPartitionOf(time), tag, time, seal});
      }
    }
  }
  return ids;
}

TEST(Key, PartitionsAreWeeksFromThursdayAndRoundDown) {
  EXPECT_EQ(PartitionOf(0), 0);
  EXPECT_EQ(PartitionOf(-1), -1);
  EXPECT_EQ(PartitionOf(-kPartitionNanos), -1);
  EXPECT_EQ(PartitionOf(-kPartitionNanos - 1), -2);
  EXPECT_EQ(PartitionOf(kPartitionNanos), 1);
  EXPECT_EQ(FormatTimestamp(PartitionStart(1)), "1970-01-08T00:00:00Z");
}

TEST(Key, LongPartitionsAreSixteenWeeksAboveAllWeeks) {
  for (const Timestamp time : kTimes) {
    const int32_t week = PartitionOf(time), of_long = LongPartitionOf(time);
    EXPECT_FALSE(IsLongPartition(week));
    EXPECT_TRUE(IsLongPartition(of_long));
    EXPECT_EQ(LongPartitionOfWeek(week), of_long);
    EXPECT_EQ(PartitionEnd(of_long) - PartitionStart(of_long), 16 * kPartitionNanos);
    for (const int32_t partition : {week, of_long}) {
      EXPECT_LE(PartitionStart(partition), time);
      EXPECT_GT(PartitionEnd(partition), time);
      EXPECT_TRUE(IsInPartition(time, partition));
      EXPECT_FALSE(IsInPartition(PartitionStart(partition) - 1, partition));
      EXPECT_FALSE(IsInPartition(PartitionEnd(partition), partition));
    }
  }
  EXPECT_EQ(LongPartitionOf(-1), LongPartitionOf(0) - 1);
  EXPECT_EQ(LongPartitionOf(-16 * kPartitionNanos), LongPartitionOf(-1));
}

TEST(Key, HeadsSortByPartitionTagTimeAndSeal) {
  const std::vector<BlockId> ids = ManyIds();
  const auto tuple = [](const BlockId& id) {
    return std::make_tuple(id.partition, id.tag, id.first_time, id.seal);
  };
  for (const BlockId& a : ids) {
    for (const BlockId& b : ids) ASSERT_EQ(HeadKey(a) < HeadKey(b), tuple(a) < tuple(b));
  }
}

TEST(Key, PagesSortByPartitionSealTagAndTime) {
  const std::vector<BlockId> ids = ManyIds();
  const auto tuple = [](const BlockId& id) {
    return std::make_tuple(id.partition, id.seal, id.tag, id.first_time);
  };
  for (const BlockId& a : ids) {
    for (const BlockId& b : ids) ASSERT_EQ(PagesKey(a) < PagesKey(b), tuple(a) < tuple(b));
  }
}

TEST(Key, RoundTrips) {
  for (const BlockId& id : ManyIds()) {
    ASSERT_EQ(*ParseHeadKey(HeadKey(id)), id);
    ASSERT_EQ(*ParsePagesKey(PagesKey(id)), id);
  }
}

TEST(Key, HeadPrefixCoversTheTagsHeadsInThePartitionAndNoOthers) {
  const std::vector<BlockId> ids = ManyIds();
  for (const BlockId& a : ids) {
    const std::string prefix = HeadPrefix(a.partition, a.tag);
    for (const BlockId& b : ids) {
      ASSERT_EQ(HeadKey(b).compare(0, prefix.size(), prefix) == 0,
                a.partition == b.partition && a.tag == b.tag);
    }
  }
}

TEST(Key, OtherBytesAreDataLoss) {
  const BlockId id{.partition = 0, .tag = 7, .first_time = 5, .seal = 42};
  const std::string head = HeadKey(id);
  const std::string pages = PagesKey(id);
  for (size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(ParseHeadKey(head.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ParsePagesKey(pages.substr(0, size)).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(ParseHeadKey(head + "x").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParsePagesKey(pages + "x").status().code(), absl::StatusCode::kDataLoss);
  BlockId wrong = id;
  wrong.tag = 0;
  EXPECT_EQ(ParseHeadKey(HeadKey(wrong)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParsePagesKey(PagesKey(wrong)).status().code(), absl::StatusCode::kDataLoss);
  wrong = id;
  wrong.partition = 1;
  EXPECT_EQ(ParseHeadKey(HeadKey(wrong)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParsePagesKey(PagesKey(wrong)).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace historian::format
