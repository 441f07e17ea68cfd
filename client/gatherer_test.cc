#include "client/gatherer.h"

#include <map>
#include <random>
#include <utility>

#include "gtest/gtest.h"

namespace historian::client {
namespace {

// What a server makes of frames: per tag and time the last value.
using Readers = std::map<std::pair<TagId, Timestamp>, ValueBits>;

void Apply(const std::string& encoded, Readers* readers) {
  v1::Frame frame;
  ASSERT_TRUE(frame.ParseFromString(encoded));
  for (const v1::Column& column : frame.columns()) {
    const absl::StatusOr<SampleBatch> batch = FromWire(column);
    ASSERT_TRUE(batch.ok()) << batch.status();
    ASSERT_TRUE(IsStrictlyAscending(batch->samples.times.data(), batch->samples.size()));
    for (size_t i = 0; i < batch->samples.size(); ++i) {
      (*readers)[{batch->tag_id, batch->samples.times[i]}] = batch->samples.values[i];
    }
  }
  for (const v1::Snapshot& snapshot : frame.snapshots()) {
    for (int i = 0; i < snapshot.tag_ids_size(); ++i) {
      (*readers)[{snapshot.tag_ids(i), snapshot.time()}] =
          static_cast<ValueBits>(snapshot.values().int64().values(i));
    }
  }
}

TEST(Gatherer, OfOneTimeTheLastAddedWinsHoweverItWasAdded) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    Gatherer gatherer;
    Readers expected, readers;
    uint64_t added = 0, taken = 0;
    ValueBits value = 0;
    const auto take = [&] {
      taken += gatherer.samples();
      Apply(gatherer.Take(), &readers);
    };
    for (int step = 0; step < 30; ++step) {
      const TagId tag = static_cast<TagId>(1 + random() % 3);
      switch (random() % 4) {
        case 0: {
          if (!gatherer.TakesColumns()) take();
          const Timestamp time = static_cast<Timestamp>(random() % 100);
          gatherer.Add(tag, ValueType::kInt64, time, ++value, kGood);
          expected[{tag, time}] = value;
          ++added;
          break;
        }
        case 1: {
          if (!gatherer.TakesColumns()) take();
          Samples samples;
          const bool ascending = random() % 2 == 0;
          const size_t n = 1 + random() % 100;
          for (size_t i = 0; i < n; ++i) {
            const Timestamp time = static_cast<Timestamp>(ascending ? i : random() % 100);
            samples.Add(time, ++value);
            expected[{tag, time}] = value;
          }
          gatherer.AddColumn(tag, ValueType::kInt64, samples.View());
          added += n;
          break;
        }
        case 2: {
          const TagId tags[] = {1, 2, 3};
          const ValueBits values[] = {++value, ++value, ++value};
          const Timestamp time = static_cast<Timestamp>(random() % 100);
          gatherer.AddSnapshot(time, ValueType::kInt64, tags, values, {}, nullptr);
          for (int i = 0; i < 3; ++i) expected[{tags[i], time}] = values[i];
          added += 3;
          break;
        }
        case 3:
          if (random() % 4 == 0) take();
      }
    }
    take();
    EXPECT_EQ(taken, added);
    EXPECT_TRUE(gatherer.empty());
    ASSERT_EQ(readers, expected) << "round " << round;
  }
}

TEST(Gatherer, SaysAboutHowManyBytesTheFrameWillHave) {
  Gatherer gatherer;
  for (int i = 0; i < 1000; ++i) {
    gatherer.Add(static_cast<TagId>(1 + i % 10), ValueType::kFloat64, 1'000'000 * (i + i % 3),
                 BitsOfFloat64(i), kGood);
    gatherer.AddString(11, i, "some text", kGood);
  }
  const double estimate = static_cast<double>(gatherer.bytes());
  const double real = static_cast<double>(gatherer.Take().size());
  EXPECT_GT(estimate, 0.6 * real);
  EXPECT_LT(estimate, 2.0 * real);
}

}  // namespace
}  // namespace historian::client
