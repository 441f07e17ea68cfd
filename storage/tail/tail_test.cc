#include "storage/tail/tail.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/format/page.h"
#include "storage/model/definition_memory.h"
#include "storage/model/timestamp.h"
#include "storage/platform/heap_in_use.h"

namespace historian {
namespace {

constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;

// The newest statement of each time.
struct Statement {
  ValueBits value = 0;
  Quality quality = kGood;
  std::string text;

  friend bool operator==(const Statement&, const Statement&) = default;
};
using Model = std::map<Timestamp, Statement>;

void Apply(ValueType type, const SamplesView& samples, Model* model) {
  for (size_t i = 0; i < samples.size; ++i) {
    Statement statement;
    statement.quality = samples.QualityAt(i);
    if (type == ValueType::kString) {
      statement.text = std::string(samples.StringAt(i));
    } else {
      statement.value = samples.values[i];
    }
    (*model)[samples.times[i]] = statement;
  }
}

void Apply(ValueType type, const PageRun& run, Model* model) {
  for (const EncodedPagePtr& page : run.pages) {
    Samples samples;
    ASSERT_TRUE(format::DecodePage(type, page->bytes, &samples).ok());
    ASSERT_EQ(samples.size(), page->summary.count);
    Apply(type, samples.View(), model);
  }
  Apply(type, run.raw.View(), model);
}

class RandomTail {
 public:
  explicit RandomTail(uint64_t seed) : random_(seed) {
    constexpr ValueType kTypes[] = {ValueType::kFloat64, ValueType::kInt64, ValueType::kString};
    type_ = kTypes[Below(3)];
    tail_ = Tail(type_);
  }

  uint64_t Below(uint64_t n) { return random_() % n; }

  void Append() {
    // Mostly what follows; else something around what is there, or from long ago.
    const Timestamp span = Below(4) == 0 ? 40 * 86400 : 600;
    Timestamp t = newest_ + kNanosPerSecond;
    if (Below(3) == 0) t = newest_ - static_cast<Timestamp>(Below(span)) * kNanosPerSecond;
    if (!all_.empty() && Below(5) == 0) t = std::next(all_.begin(), Below(all_.size()))->first;
    Samples samples;
    const size_t size = Below(10) == 0 ? 1 + Below(2 * format::kPageSamples) : 1 + Below(20);
    const bool good = Below(2) == 0;
    for (size_t i = 0; i < size; ++i) {
      const Quality quality = good || Below(4) > 0 ? kGood : kBad;
      if (type_ == ValueType::kString) {
        samples.AddString(t, std::string(Below(4), static_cast<char>('a' + Below(3))), quality);
      } else {
        samples.Add(t,
                    type_ == ValueType::kInt64 ? BitsOfInt64(static_cast<int64_t>(Below(3)))
                                               : BitsOfFloat64(static_cast<double>(Below(3)) / 10),
                    quality);
      }
      t += static_cast<Timestamp>(1 + Below(3)) * kNanosPerSecond;
    }
    newest_ = std::max(newest_, samples.times.back());
    const size_t before = tail_.samples();
    Superseded superseded;
    const Tail::Change change = tail_.Append(samples.View(), &superseded);
    EXPECT_EQ(static_cast<int64_t>(tail_.samples() - before), change.samples);
    // A tail notices only what repeats its newest sample, but nothing that is new.
    size_t repeated = 0;
    for (const Timestamp time : samples.times) repeated += all_.contains(time) ? 1 : 0;
    EXPECT_LE(superseded.duplicates + superseded.replaced, repeated);
    Apply(type_, samples.View(), &all_);
  }

  void Freeze() {
    frozen_ = tail_.Freeze();
    EXPECT_FALSE(tail_.dirty());
  }

  // What becomes blocks is beneath all that stays.
  void Thaw() {
    if (Below(4) == 0) {
      tail_.Thaw(nullptr);
      EXPECT_TRUE(tail_.dirty());
    } else {
      std::vector<PageRun> left = frozen_->runs;
      const bool everything = Below(2) == 0;
      for (size_t i = 0; i < (everything ? left.size() : 1); ++i) {
        PageRun sealed = left[i];
        if (!everything) sealed.raw = Samples();
        Apply(type_, sealed, &sealed_);
      }
      if (everything) {
        left = {PageRun()};
      } else {
        PageRun kept;
        kept.raw = left[0].raw;
        left[0] = kept;
      }
      tail_.Thaw(&left);
    }
    frozen_ = nullptr;
  }

  bool is_frozen() const { return frozen_ != nullptr; }

  void Check() {
    const TailView view = tail_.View(kTimestampMin, kTimestampMax);
    const Model seen = Seen(view, sealed_);
    ASSERT_TRUE(seen == all_) << seen.size() << " samples, expected " << all_.size();
    kept_.push_back({view, sealed_, all_});
    ASSERT_EQ(tail_.latest().has_value(), !all_.empty());
    if (all_.empty()) return;
    const LatestSample latest = *tail_.latest();
    EXPECT_EQ(latest.sample.time, all_.rbegin()->first);
    EXPECT_EQ(latest.sample.value, all_.rbegin()->second.value);
    EXPECT_EQ(latest.sample.quality, all_.rbegin()->second.quality);
    EXPECT_EQ(latest.text, all_.rbegin()->second.text);
    EXPECT_EQ(tail_.oldest_time(), all_.begin()->first);
  }

  // A view of a part has at least that part.
  void CheckPart() {
    if (all_.empty()) return;
    const Timestamp a = std::next(all_.begin(), Below(all_.size()))->first;
    const Timestamp b = std::next(all_.begin(), Below(all_.size()))->first;
    Model seen = Seen(tail_.View(std::min(a, b), std::max(a, b)), sealed_);
    for (auto at = all_.lower_bound(std::min(a, b)); at != all_.end() && at->first <= std::max(a, b); ++at) {
      ASSERT_TRUE(seen.contains(at->first) && seen[at->first] == at->second) << FormatTimestamp(at->first);
    }
  }

  // Readers go on over the views they took, whatever came later.
  void CheckKept() {
    for (const Kept& kept : kept_) {
      ASSERT_TRUE(Seen(kept.view, kept.sealed) == kept.all) << "a view changed";
    }
  }

 private:
  struct Kept {
    TailView view;
    Model sealed;
    Model all;
  };

  Model Seen(const TailView& view, const Model& sealed) const {
    Model seen = sealed;
    if (view.frozen != nullptr) {
      for (const PageRun& run : view.frozen->runs) Apply(type_, run, &seen);
    }
    for (const PageRun& run : view.runs) Apply(type_, run, &seen);
    return seen;
  }

  std::mt19937_64 random_;
  ValueType type_ = ValueType::kFloat64;
  Tail tail_;
  std::shared_ptr<const FrozenTail> frozen_;
  Timestamp newest_ = kStart;
  Model all_;
  Model sealed_;  // What left the tail.
  std::vector<Kept> kept_;
};

TEST(Tail, EveryStatementIsSeenWhereverItStands) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomTail tail(seed);
    for (int step = 0; step < 60; ++step) {
      if (tail.Below(8) > 0) {
        tail.Append();
      } else if (tail.is_frozen()) {
        tail.Thaw();
      } else {
        tail.Freeze();
      }
      if (step % 5 == 0) tail.CheckPart();
      if (step % 10 == 9) tail.Check();
      ASSERT_FALSE(testing::Test::HasFailure());
    }
    tail.CheckKept();
  }
}

TEST(Tail, AnIdleTailHasNothingBesideItself) {
  Tail tail(ValueType::kFloat64);
  tail.Restore({}, kStart, LatestSample{{kStart, BitsOfFloat64(7), kGood}, ""}, false, kStart - 5);
  EXPECT_EQ(tail.MemoryBytes(), 0);
  EXPECT_EQ(tail.samples(), 0);
  EXPECT_EQ(tail.latest()->sample.value, BitsOfFloat64(7));
  EXPECT_EQ(tail.oldest_time(), kStart - 5);
  EXPECT_EQ(tail.frontier(), kStart);
}

Samples OneText(Timestamp time, const std::string& text) {
  Samples samples;
  samples.AddString(time, text, kGood);
  return samples;
}

TEST(Tail, KeepsTheNewestTextUnlessItIsLong) {
  Tail tail(ValueType::kString);
  Superseded superseded;
  Timestamp time = kStart;
  for (const size_t size : {0, 1, 128, 129, 5, 70'000, 128, 0, 3}) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    tail.Append(OneText(++time, text).View(), &superseded);
    EXPECT_EQ(tail.latest_text_is_long(), size > kNewestTextBytes);
    EXPECT_EQ(tail.latest()->text, size > kNewestTextBytes ? "" : text);
    EXPECT_EQ(tail.latest()->sample.time, time);
    // One of before does not change it.
    tail.Append(OneText(kStart - 100, "before").View(), &superseded);
    EXPECT_EQ(tail.latest_text_is_long(), size > kNewestTextBytes);
  }
}

TEST(Tail, AnIdleTailOfTextsHasNothingButTheNewestOne) {
  for (const size_t size : {0, 3, 128, 129}) {
    const std::string text(size, 'x');
    Tail tail(ValueType::kString);
    Superseded superseded;
    tail.Append(OneText(kStart, "first").View(), &superseded);
    tail.Append(OneText(kStart + 1, text).View(), &superseded);
    EXPECT_GT(tail.MemoryBytes(), 0u);
    const auto frozen = tail.Freeze();
    const std::vector<PageRun> none(1);
    tail.Thaw(&none);
    EXPECT_EQ(tail.MemoryBytes(), 0u);
    EXPECT_EQ(tail.samples(), 0u);
    EXPECT_EQ(tail.latest()->sample.time, kStart + 1);
    EXPECT_EQ(tail.latest()->text, size > kNewestTextBytes ? "" : text);
    EXPECT_EQ(tail.latest_text_is_long(), size > kNewestTextBytes);

    Tail restored(ValueType::kString);
    restored.Restore({}, tail.frontier(), tail.latest(), tail.latest_text_is_long(), tail.oldest_time());
    EXPECT_EQ(restored.MemoryBytes(), 0u);
    EXPECT_EQ(restored.latest()->text, tail.latest()->text);
    EXPECT_EQ(restored.latest_text_is_long(), tail.latest_text_is_long());
    // It goes on as if nothing had been.
    restored.Append(OneText(kStart + 2, "next").View(), &superseded);
    restored.Append(OneText(kStart - 2, "late").View(), &superseded);
    EXPECT_EQ(restored.latest()->text, "next");
    EXPECT_EQ(restored.samples(), 2u);
    EXPECT_EQ(restored.oldest_time(), kStart - 2);
  }
}

TEST(Tail, ALongTextOfARecordFromBeforeIsNotKept) {
  Tail tail(ValueType::kString);
  tail.Restore({}, kStart, LatestSample{{kStart, 0, kGood}, std::string(1'000, 'x')}, false, kStart);
  EXPECT_TRUE(tail.latest_text_is_long());
  EXPECT_EQ(tail.latest()->text, "");
}

TEST(Tail, MuchLateTextThatIsSortedLeavesNothingBehind) {
  Tail tail(ValueType::kString);
  Superseded superseded;
  tail.Append(OneText(kStart, "newest").View(), &superseded);
  tail.Freeze();
  const std::vector<PageRun> none(1);
  tail.Thaw(&none);
  // Out of order, twice as much as a page holds, and then little again.
  size_t count = 0;
  for (int i = 0; i < 40; ++i) {
    const Timestamp time = kStart - 1 - (i * 7) % 40;
    tail.Append(OneText(time, std::string(i < 35 ? 60'000 : 1, 'x')).View(), &superseded);
    tail.Append(OneText(kStart + 1 + i, "in order").View(), &superseded);
    count += 2;
  }
  EXPECT_EQ(tail.samples(), count);
  EXPECT_EQ(tail.latest()->text, "in order");
  Model model;
  for (const PageRun& run : tail.View(kTimestampMin, kTimestampMax).runs)
    Apply(ValueType::kString, run, &model);
  EXPECT_EQ(model.size(), count);
}

TEST(Tail, WhatATagTakesBesideItsSamplesIsWhatIsCountedForIt) {
  if (!kHeapIsKnown) GTEST_SKIP();
  constexpr size_t kTags = 100'000;
  const int64_t before = HeapInUse();
  std::vector<Tail> numbers(kTags), texts(kTags);
  for (size_t i = 0; i < kTags; ++i) {
    numbers[i] = Tail(ValueType::kFloat64);
    numbers[i].Restore({}, kStart, LatestSample{{kStart, 0, kGood}, ""}, false, kStart);
    texts[i] = Tail(ValueType::kString);
    texts[i].Restore({}, kStart, LatestSample{{kStart, 0, kGood}, std::string(kNewestTextBytes, 'x')}, false,
                     kStart);
  }
  const int64_t in_use = HeapInUse() - before;
  EXPECT_TRUE(IsAbout(2 * kTags * kTagStateBytes + kTags * kTextStateBytes, in_use)) << in_use;
}

}  // namespace
}  // namespace historian
