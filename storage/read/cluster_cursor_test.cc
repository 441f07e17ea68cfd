// The cursor against a plain map: over several weeks, some of them expired, some empty, with and without a tail, it finds
// what is there, whichever way it goes.
#include "storage/read/cluster_cursor.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/format/key.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/read/figure_cache.h"
#include "storage/read/head_cache.h"
#include "storage/read/layered_tag.h"
#include "storage/read/page_cache.h"
#include "storage/read/read_view.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/reader_pins.h"
#include "storage/sealed/retention.h"
#include "storage/tags/tag_registry.h"
#include "storage/versions/version_table.h"

namespace historian {
namespace {

using format::PartitionOf;
using format::PartitionStart;
using testing::HasSubstr;

constexpr int64_t kSecond = kNanosPerSecond;
constexpr int64_t kDay = 86'400 * kSecond;
constexpr int32_t kFirst = 2800;
constexpr int kWeeks = 8;
constexpr int32_t kLast = kFirst + kWeeks - 1;
constexpr size_t kCacheBytes = size_t{1} << 24;

// A tag, what has expired of it, and what a view of it needs.
class Stored {
 public:
  explicit Stored(uint64_t seed = 1) : clock_(PartitionStart(kLast + 1) + 2 * kDay) {
    tags_ = *TagRegistry::Open(tag_store_.store(), tag_versions_, clock_);
    retention_ = *Retention::Open(tag_store_.store(), tag_versions_, clock_);
    tag_ = std::make_unique<LayeredTag>(
        (*tags_->Create({Tag{.name = "a", .type = LayeredTag::kType}})[0])->id, seed);
    pages_ = std::make_unique<PageCache>(tag_->store(), kCacheBytes);
    heads_ = std::make_unique<HeadCache>(tag_->store(), kCacheBytes);
    versions_ = std::make_unique<VersionTable>(tag_->store());
  }

  LayeredTag& tag() { return *tag_; }

  // Each of the weeks expires that is not kept: its raw samples, and all of those more than some weeks old.
  void Expire(const std::vector<int32_t>& kept, int weeks_of_rollups) {
    for (const int32_t partition : kept) {
      ASSERT_TRUE(retention_
                      ->PlaceHold({.name = absl::StrCat("week ", partition),
                                   .pattern = "*",
                                   .start = PartitionStart(partition),
                                   .end = PartitionStart(partition) + 1,
                                   .reason = "a test",
                                   .placed_by = "ann"})
                      .ok());
    }
    ASSERT_TRUE(retention_
                    ->SetRule({.name = "all",
                               .pattern = "*",
                               .keep_raw = absl::Hours(24),
                               .keep_rollups = absl::Hours(24 * (1 + 7 * weeks_of_rollups))})
                    .ok());
    ASSERT_TRUE(retention_->Apply(*tags_, clock_.Now(), /*commit=*/true).ok());
  }

  ReadView View() {
    TagSources sources{.tag = tag_->tag(), .type = LayeredTag::kType, .tail = tag_->tail()};
    if (const auto& samples = tag_->visible(); !samples.empty()) {
      sources.oldest = samples.begin()->first;
      sources.newest = samples.rbegin()->first;
    }
    return ReadView(pins_.Take(), kVersionNow, std::move(sources), retention_->expired(), tag_->store(),
                    {*heads_, *pages_, figures_}, partitions_, *versions_);
  }

  // Puts other bytes in the place of the block's head.
  void ReplaceHead(const format::BlockId& id, absl::string_view bytes) {
    std::vector<std::unique_ptr<kv::RunBuilder>> runs;
    runs.push_back(*tag_->store().NewRun(kv::Space::kHeads));
    ASSERT_TRUE(runs.back()->Add(format::HeadKey(id), bytes).ok());
    ASSERT_TRUE(tag_->store().Ingest(std::move(runs)).ok());
    heads_->Invalidate({{id.partition, id.tag}});
  }

 private:
  SimulatedClock clock_;
  LayeredTag tag_store_{0, 1};  // Only its store, for tags and rules.
  VersionTable tag_versions_{tag_store_.store()};
  std::unique_ptr<TagRegistry> tags_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<LayeredTag> tag_;
  std::unique_ptr<PageCache> pages_;
  std::unique_ptr<HeadCache> heads_;
  FigureCache figures_{kCacheBytes};
  PartitionTable partitions_;
  std::unique_ptr<VersionTable> versions_;
  ReaderPins pins_;
};

using Plain = std::map<Timestamp, ValueBits>;

// Weeks with layers of blocks, or with nothing; perhaps a tail; perhaps weeks that have expired.
void Fill(Stored& stored) {
  LayeredTag& tag = stored.tag();
  const auto some_time = [&tag](int32_t partition) {
    return PartitionStart(partition) + static_cast<Timestamp>(tag.Below(3000)) * kSecond;
  };
  const auto some_step = [&tag] { return static_cast<Timestamp>(1 + tag.Below(40)) * kSecond; };
  std::vector<int32_t> kept;
  for (int32_t partition = kFirst; partition <= kLast; ++partition) {
    if (tag.Below(2) == 0) kept.push_back(partition);
    if (tag.Below(3) == 0) continue;
    for (uint64_t layers = 1 + tag.Below(4); layers > 0; --layers) {
      tag.AddBlocks(some_time(partition), some_step(), 1 + static_cast<int>(tag.Below(300)),
                    1 + static_cast<int>(tag.Below(30)));
    }
  }
  // One that goes from week to week.
  if (tag.Below(2) == 0) tag.AddBlocks(some_time(kFirst), kDay / 2, 60, 7);
  for (uint64_t runs = tag.Below(3); runs > 0; --runs) {
    const int32_t partition = kFirst + static_cast<int32_t>(tag.Below(kWeeks));
    if (tag.Below(2) == 0) {
      tag.AddToTail(some_time(partition), some_step(), 1 + static_cast<int>(tag.Below(3000)));
    } else {
      tag.AddToTail(some_time(partition), kDay, 1 + static_cast<int>(tag.Below(20)));
    }
  }
  if (tag.Below(3) > 0) {
    ASSERT_NO_FATAL_FAILURE(stored.Expire(kept, static_cast<int>(tag.Below(kWeeks))));
  }
}

// Times at which something may go wrong: at, before and behind samples and weeks.
std::vector<Timestamp> Times(LayeredTag& tag) {
  std::vector<Timestamp> times = {kTimestampMin, kTimestampMax};
  for (int32_t partition = kFirst - 1; partition <= kLast + 1; ++partition) {
    for (const int nanos : {-1, 0, 1}) times.push_back(PartitionStart(partition) + nanos);
  }
  const Plain& samples = tag.visible();
  for (int i = 0; i < 60 && !samples.empty(); ++i) {
    const auto at = std::next(samples.begin(), static_cast<ptrdiff_t>(tag.Below(samples.size())));
    times.push_back(at->first + static_cast<Timestamp>(tag.Below(3)) - 1);
  }
  return times;
}

void ExpectBefore(const absl::StatusOr<std::optional<Sample>>& found, const Plain& samples, Timestamp t) {
  ASSERT_TRUE(found.ok()) << found.status();
  const auto at = samples.lower_bound(t);
  ASSERT_EQ(found->has_value(), at != samples.begin());
  if (!found->has_value()) return;
  ASSERT_EQ((*found)->time, std::prev(at)->first);
  ASSERT_EQ((*found)->value, std::prev(at)->second);
}

void ExpectAtOrAfter(const absl::StatusOr<std::optional<Sample>>& found, const Plain& samples, Timestamp t) {
  ASSERT_TRUE(found.ok()) << found.status();
  const auto at = samples.lower_bound(t);
  ASSERT_EQ(found->has_value(), at != samples.end());
  if (!found->has_value()) return;
  ASSERT_EQ((*found)->time, at->first);
  ASSERT_EQ((*found)->value, at->second);
}

// Positions of one cluster differ when its partition has been looked at anew in between.
bool IsSamePlace(const ClusterCursor::Position& a, const ClusterCursor::Position& b) {
  if (!a.valid() || !b.valid()) return a.valid() == b.valid();
  return a.first_time() == b.first_time() && a.last_time() == b.last_time();
}

// All clusters, from the first to the last, whose samples are those of the map.
void ExpectWalk(ClusterCursor& cursor, const Plain& samples, std::vector<ClusterCursor::Position>* walk) {
  Plain seen;
  absl::StatusOr<ClusterCursor::Position> position = cursor.Seek(kTimestampMin);
  ASSERT_TRUE(position.ok()) << position.status();
  while (position->valid()) {
    if (!walk->empty()) {
      ASSERT_LT(walk->back().last_time(), position->first_time());
    }
    walk->push_back(*position);
    std::shared_ptr<const Samples> read;
    ASSERT_TRUE(cursor.Read(*position, &read).ok());
    ASSERT_EQ(read->times.front(), position->first_time());
    for (size_t i = 0; i < read->size(); ++i) seen[read->times[i]] = read->values[i];
    ASSERT_TRUE(cursor.Next(&*position).ok());
  }
  ASSERT_EQ(seen, samples);
}

TEST(ClusterCursor, FindsWhatAPlainMapFinds) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Stored stored(seed);
    ASSERT_NO_FATAL_FAILURE(Fill(stored));
    const ReadView view = stored.View();
    Plain visible;
    std::map<int32_t, Plain> in;  // Those whose raw samples have expired lie there still.
    for (const auto& [t, value] : stored.tag().visible()) {
      if (!view.HasExpired(PartitionOf(t))) visible[t] = value;
      if (!view.HasAllExpired(PartitionOf(t))) in[PartitionOf(t)][t] = value;
    }

    ClusterCursor cursor(view);
    std::vector<ClusterCursor::Position> walk;
    ASSERT_NO_FATAL_FAILURE(ExpectWalk(cursor, visible, &walk));

    absl::StatusOr<ClusterCursor::Position> back = cursor.SeekBefore(kTimestampMax);
    for (size_t i = walk.size(); i-- > 0;) {
      ASSERT_TRUE(back.ok());
      ASSERT_TRUE(IsSamePlace(*back, walk[i]));
      ASSERT_TRUE(cursor.Prev(&*back).ok());
    }
    ASSERT_TRUE(back.ok());
    ASSERT_FALSE(back->valid());

    for (const Timestamp t : Times(stored.tag())) {
      SCOPED_TRACE(FormatTimestamp(t));
      const auto first =
          std::find_if(walk.begin(), walk.end(), [t](const auto& p) { return p.last_time() >= t; });
      const auto found = cursor.Seek(t);
      ASSERT_TRUE(found.ok());
      ASSERT_TRUE(IsSamePlace(*found, first == walk.end() ? ClusterCursor::Position() : *first));

      const auto behind =
          std::find_if(walk.begin(), walk.end(), [t](const auto& p) { return p.first_time() >= t; });
      const auto before = cursor.SeekBefore(t);
      ASSERT_TRUE(before.ok());
      ASSERT_TRUE(
          IsSamePlace(*before, behind == walk.begin() ? ClusterCursor::Position() : *std::prev(behind)));

      ASSERT_NO_FATAL_FAILURE(ExpectBefore(cursor.SampleBefore(t), visible, t));
      ASSERT_NO_FATAL_FAILURE(ExpectAtOrAfter(cursor.SampleAtOrAfter(t), visible, t));
      for (const int32_t partition : {PartitionOf(t) - 1, PartitionOf(t), PartitionOf(t) + 1}) {
        ASSERT_NO_FATAL_FAILURE(ExpectBefore(cursor.SampleBeforeIn(partition, t), in[partition], t));
        ASSERT_NO_FATAL_FAILURE(ExpectAtOrAfter(cursor.SampleAtOrAfterIn(partition, t), in[partition], t));
      }
    }
    ASSERT_TRUE(cursor.head_damage().ok());
  }
}

TEST(ClusterCursor, OfATagWithoutSamplesThereIsNoPlace) {
  Stored stored;
  const ReadView view = stored.View();
  ClusterCursor cursor(view);
  EXPECT_FALSE(cursor.Seek(kTimestampMin)->valid());
  EXPECT_FALSE(cursor.SeekBefore(kTimestampMax)->valid());
  EXPECT_FALSE(cursor.SampleBefore(kTimestampMax)->has_value());
  EXPECT_FALSE(cursor.SampleAtOrAfter(kTimestampMin)->has_value());
}

TEST(ClusterCursor, ADamagedHeadIsToldAndItsSamplesAreMissing) {
  Stored stored;
  LayeredTag& tag = stored.tag();
  for (int32_t partition = kFirst; partition < kFirst + 3; ++partition) {
    tag.AddBlocks(PartitionStart(partition), kSecond, 100, 10);
  }
  Plain visible = tag.visible();
  const format::BlockId damaged = tag.heads(kFirst + 1)->heads[0].id;
  stored.ReplaceHead(damaged, "no head");
  for (int i = 0; i < 100; ++i) visible.erase(damaged.first_time + i * kSecond);

  const ReadView view = stored.View();
  ClusterCursor cursor(view);
  ASSERT_TRUE(cursor.Seek(kTimestampMin).ok());
  EXPECT_TRUE(cursor.head_damage().ok()) << "it has not been there yet";
  std::vector<ClusterCursor::Position> walk;
  ASSERT_NO_FATAL_FAILURE(ExpectWalk(cursor, visible, &walk));
  EXPECT_EQ(cursor.head_damage().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(cursor.head_damage().message(), HasSubstr(absl::StrCat("tag ", tag.tag())));
  EXPECT_THAT(cursor.head_damage().message(), HasSubstr(FormatTimestamp(damaged.first_time)));
  ExpectBefore(cursor.SampleBefore(PartitionStart(kFirst + 2)), visible, PartitionStart(kFirst + 2));
}

TEST(ClusterCursor, EndsWhenItIsToldTo) {
  Stored stored;
  stored.tag().AddBlocks(PartitionStart(kFirst), kDay, 20, 3);
  ReadView view = stored.View();
  int steps = 0;
  view.keep_going = [&steps]() -> absl::Status {
    return ++steps <= 2 ? absl::OkStatus() : absl::CancelledError("enough");
  };
  ClusterCursor cursor(view);
  absl::StatusOr<ClusterCursor::Position> position = cursor.Seek(kTimestampMin);
  ASSERT_TRUE(position.ok());
  absl::Status status;
  while (status.ok() && position->valid()) status = cursor.Next(&*position);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(cursor.SampleBefore(kTimestampMax).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace historian
