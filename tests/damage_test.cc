// A data directory is damaged at random: bits are flipped, bytes are zeroed or become garbage, files are cut or removed. The
// archive opens, and what it serves is right, or is told to be damaged: never wrong, and never silently less.
//
//   bazel test //tests:damage_test                                      seconds, with a seed of its own each time
//   bazel run //tests:damage_test -- --seconds=3600 --seed=7            an hour, the same again
//
// Strategy: one directory with all that there can be in one (tags of all types; settled, late, replaced, open and
// unsealed samples; rollups; rules) is made once, and copied for each round. Where one file is damaged the archive must
// open, unless it is FORMAT. Every third round the directory is salvaged too, and the new one must be without damage.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/archive/archive.h"
#include "storage/archive/archive_model.h"
#include "storage/archive/offline.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/clock.h"
#include "storage/platform/monotonic.h"
#include "tests/campaign.h"

namespace historian {
namespace {

namespace fs = std::filesystem;

constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;
constexpr Timestamp kSecond = kNanosPerSecond;
constexpr Timestamp kEnd = kStart + 3'000'000 * kSecond;

using Statement = std::tuple<ValueBits, std::string, Quality>;

class DamageTest : public ::testing::Test {
 protected:
  struct TagOf {
    TagId id;
    ValueType type;
    Interpolation interpolation;
  };

  DamageTest() : scratch_(absl::StrCat(::testing::TempDir(), "/damage")), clock_(kEnd) {
    fs::remove_all(scratch_);
    fs::create_directories(scratch_);
    options_.shards = 2;
  }
  ~DamageTest() override { fs::remove_all(scratch_); }

  std::string Path(absl::string_view name) const { return absl::StrCat(scratch_, "/", name); }

  absl::StatusOr<std::unique_ptr<Archive>> Open(const std::string& path) {
    absl::StatusOr<std::unique_ptr<kv::Store>> store =
        kv::OpenRocksDbStore({.path = path, .block_cache_bytes = 1 << 20, .meta_buffer_bytes = 1 << 20});
    if (!store.ok()) return store.status();
    return Archive::Open(*std::move(store), options_, clock_);
  }

  void Write(Archive& archive, const TagOf& tag, int from, int size, int salt) {
    Frame frame;
    frame.sequence = ++sequence_;
    FrameColumn& column = frame.columns.emplace_back();
    column.tag = tag.id;
    column.type = tag.type;
    for (int i = from; i < from + size; ++i) {
      const Timestamp t = kStart + i * 40 * kSecond;
      const Quality quality = i % 97 == 0 ? kBadNoData : kGood;
      switch (tag.type) {
        case ValueType::kString:
          column.samples.AddString(t, absl::StrCat("state ", (i + salt) % 7), quality);
          break;
        case ValueType::kFloat64:
          column.samples.Add(t, BitsOfFloat64((i % 1000) * 0.1 + salt), quality);
          break;
        default:
          column.samples.Add(t, BitsOfInt64(i + salt), quality);
      }
    }
    model_.Apply(frame);
    const SamplesView view = column.samples.View();
    for (size_t i = 0; i < view.size; ++i)
      stated_[{tag.id, view.times[i]}].insert(StatementOf(tag.type, view, i));
    absl::Notification done;
    archive.Write(producer_, std::move(frame), [&](absl::StatusOr<WriteResult> result) {
      ASSERT_TRUE(result.ok()) << result.status();
      ASSERT_EQ(result->rejected, 0);
      done.Notify();
    });
    done.WaitForNotification();
  }

  static Statement StatementOf(ValueType type, const SamplesView& view, size_t i) {
    if (type == ValueType::kString) return {0, std::string(view.StringAt(i)), view.QualityAt(i)};
    return {view.values[i], "", view.QualityAt(i)};
  }

  // The directory that is damaged.
  void Make(const std::string& path) {
    absl::StatusOr<std::unique_ptr<Archive>> archive = Open(path);
    ASSERT_TRUE(archive.ok()) << archive.status();
    producer_ = *(*archive)->OpenProducer("damage test");
    for (int i = 0; i < 12; ++i) {
      const ValueType type = i % 3 == 0   ? ValueType::kFloat64
                             : i % 3 == 1 ? ValueType::kInt64
                                          : ValueType::kString;
      const auto created = (*archive)->tags().Create({{.name = absl::StrCat("area/tag ", i),
                                                       .type = type,
                                                       .interpolation = DefaultInterpolation(type)}});
      ASSERT_TRUE(created[0].ok()) << created[0].status();
      tags_.push_back({(*created[0])->id, type, DefaultInterpolation(type)});
    }
    ASSERT_TRUE((*archive)->retention().SetRule({.name = "all", .pattern = "*"}).ok());
    for (const TagOf& tag : tags_) {
      Write(**archive, tag, 0, 20'000, 0);
      Write(**archive, tag, 5000, 3000, 5);  // Replaces what was said.
    }
    ASSERT_TRUE((*archive)->upkeep().Seal(/*settle=*/true).ok());
    for (const TagOf& tag : tags_) {
      Write(**archive, tag, 30'000, 4'000, 0);
      Write(**archive, tag, 25'000, 500, 0);  // Late.
      Write(**archive, tag, 7000, 100, 9);
    }
    ASSERT_TRUE((*archive)->upkeep().Seal().ok());
    for (const TagOf& tag : tags_) Write(**archive, tag, 40'000, 150, 0);
    ASSERT_TRUE((*archive)->upkeep().Seal().ok());
    for (const TagOf& tag : tags_) Write(**archive, tag, 40'150, 50, 0);
    producer_.reset();
    for (Timestamp t = kStart - kStart % (3600 * kSecond); t < kEnd; t += 6 * 3600 * kSecond)
      edges_.push_back(t);
    for (const TagOf& tag : tags_) {
      expected_[tag.id] = model_.Raw(tag.id, tag.type, kTimestampMin, kTimestampMax);
      right_[tag.id] = model_.Fold(tag.id, tag.type, edges_, tag.interpolation);
    }
  }

  // One file, in one way. Returns what was done.
  std::string DamageOne(const std::string& path, std::mt19937_64& random, std::string* name) {
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (!entry.is_regular_file()) continue;
      const std::string file = entry.path();
      const std::string base = entry.path().filename();
      if (base == "LOCK" || absl::StartsWith(base, "MESSAGES")) continue;
      files.push_back(file);
    }
    std::sort(files.begin(), files.end());
    const std::string file = files[random() % files.size()];
    *name = file.substr(path.size() + 1);
    const uint64_t size = fs::file_size(file);
    const int how = static_cast<int>(random() % 5);
    if (how == 4 || size == 0) {
      fs::remove(file);
      return absl::StrCat(*name, " removed");
    }
    const uint64_t at = random() % size;
    if (how == 3) {
      fs::resize_file(file, at);
      return absl::StrCat(*name, " cut at ", at, " of ", size);
    }
    const uint64_t length = how == 0 ? 1 : std::min<uint64_t>(1 + random() % 4096, size - at);
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes(length, '\0');
    stream.seekg(static_cast<std::streamoff>(at));
    stream.read(bytes.data(), static_cast<std::streamsize>(length));
    for (char& byte : bytes) {
      byte = how == 0   ? static_cast<char>(byte ^ (1 << random() % 8))
             : how == 1 ? '\0'
                        : static_cast<char>(random());
    }
    stream.seekp(static_cast<std::streamoff>(at));
    stream.write(bytes.data(), static_cast<std::streamsize>(length));
    return absl::StrCat(*name,
                        how == 0   ? " flipped at "
                        : how == 1 ? " zeroed at "
                                   : " garbage at ",
                        at, "+", length, " of ", size);
  }

  static bool Tells(const ArchiveStats& stats, std::initializer_list<absl::string_view> words) {
    return std::any_of(stats.damage.begin(), stats.damage.end(), [&](const std::string& text) {
      return std::any_of(words.begin(), words.end(),
                         [&](absl::string_view word) { return absl::StrContains(text, word); });
    });
  }

  // All that is served is right or told to be damaged. Adds up what is missing.
  void Check(Archive& archive, uint64_t* missing) {
    for (const TagOf& tag : tags_) {
      SCOPED_TRACE(absl::StrCat("tag ", tag.id));
      const Samples& expected = expected_[tag.id];
      if (archive.tags().Find(tag.id) == nullptr) {
        EXPECT_FALSE(archive.Stats().damage.empty());
        *missing += expected.size();
        continue;
      }
      // Raw samples.
      auto reader = archive.ReadRaw({.tag = tag.id, .start = kTimestampMin, .end = kTimestampMax});
      absl::Status status = reader.status();
      Samples served;
      while (status.ok()) {
        Samples batch;
        const absl::StatusOr<bool> more = (*reader)->Next(&batch);
        status = more.status();
        if (!more.ok() || !*more) break;
        served.Append(tag.type, batch.View());
      }
      EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
      const SamplesView view = served.View();
      size_t as_last_stated = 0;
      for (size_t i = 0; i < view.size; ++i) {
        const auto stated = stated_.find({tag.id, view.times[i]});
        ASSERT_TRUE(stated != stated_.end() && stated->second.count(StatementOf(tag.type, view, i)) > 0)
            << "a sample that nobody stated, at " << FormatTimestamp(view.times[i]);
        ASSERT_TRUE(i == 0 || view.times[i - 1] < view.times[i]);
        const auto at = std::lower_bound(expected.times.begin(), expected.times.end(), view.times[i]);
        as_last_stated +=
            StatementOf(tag.type, view, i) ==
            StatementOf(tag.type, expected.View(), static_cast<size_t>(at - expected.times.begin()));
      }
      *missing += expected.size() - std::min(expected.size(), as_last_stated);
      const bool whole = as_last_stated == expected.size();
      const ArchiveStats stats = archive.Stats();
      // What the journal has lost is told by the start that found it so.
      const bool told = told_before_ || Tells(stats, {"journal", "(meta)", "RocksDB's log", "record"});
      EXPECT_TRUE(whole || absl::IsDataLoss(status) || told)
          << view.size << " of " << expected.size() << " samples are served, and nothing is said";
      // Folds.
      const auto folds = archive.ReadFolded(tag.id);
      ASSERT_TRUE(folds.ok()) << folds.status();
      std::vector<Interval> intervals;
      status = (*folds)->Fold(edges_, tag.interpolation, kAllParts, AppendTo(&intervals));
      EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
      if (status.ok() && !told) {
        const std::vector<Interval>& right = right_[tag.id];
        ASSERT_EQ(intervals.size(), right.size());
        for (size_t i = 0; i < right.size(); ++i) {
          EXPECT_TRUE(intervals[i].samples == right[i].samples && intervals[i].good_ns == right[i].good_ns &&
                      intervals[i].area == right[i].area)
              << "the fold from " << FormatTimestamp(right[i].start) << " is wrong";
        }
      }
      // The newest sample.
      const auto latest = archive.ReadLatest({tag.id});
      EXPECT_TRUE(latest.ok() || absl::IsDataLoss(latest.status())) << latest.status();
      if (latest.ok() && !told) {
        ASSERT_TRUE((*latest)[0].has_value());
        EXPECT_EQ((*latest)[0]->sample.time, expected.times.back());
      }
    }
  }

  uint64_t DamagesOf(Archive& archive) {
    const auto counts = archive.upkeep().Verify({}, {});
    EXPECT_TRUE(counts.ok()) << counts.status();
    return counts.ok() ? counts->damages : 0;
  }

  const std::string scratch_;
  const SimulatedClock clock_;
  ArchiveOptions options_;
  std::vector<TagOf> tags_;
  ArchiveModel model_;
  std::vector<Timestamp> edges_;
  // Of the model, by tag.
  std::map<TagId, Samples> expected_;
  std::map<TagId, std::vector<Interval>> right_;
  std::map<std::pair<TagId, Timestamp>, std::set<Statement>> stated_;
  std::shared_ptr<Producer> producer_;
  uint64_t sequence_ = 0;
  bool told_before_ = false;  // In this round.
};

TEST_F(DamageTest, WhatIsServedIsRightOrToldToBeDamaged) {
  const uint64_t seed = testing::CampaignSeed(std::random_device()());
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  ASSERT_NO_FATAL_FAILURE(Make(Path("base")));
  std::map<std::string, int> outcomes;
  const MonotonicTime end = MonotonicTime::Now() + testing::CampaignLength(absl::Seconds(15));
  int round = 0;
  for (; round == 0 || MonotonicTime::Now() < end; ++round) {
    const std::string path = Path("round"), salvaged = Path("salvaged");
    fs::remove_all(path);
    fs::remove_all(salvaged);
    fs::copy(Path("base"), path, fs::copy_options::recursive);
    std::string name, done = DamageOne(path, random, &name);
    const bool several = random() % 8 == 0;
    if (several) absl::StrAppend(&done, ", ", DamageOne(path, random, &name));
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", round ", round, ": ", done));

    uint64_t missing = 0;
    if (round % 3 == 0) {
      uint64_t losses = 0, lost = 0;
      const auto counts = SalvageDirectory(path, salvaged, {.on_loss = [&](const Loss& loss) {
                                             ++losses;
                                             lost += loss.samples;
                                           }});
      if (counts.ok()) {
        EXPECT_EQ(counts->losses, losses);
        auto archive = Open(salvaged);
        ASSERT_TRUE(archive.ok()) << archive.status();
        EXPECT_TRUE((*archive)->Stats().read_only.ok()) << (*archive)->Stats().read_only;
        EXPECT_EQ(DamagesOf(**archive), 0);
        std::vector<TagOf> all = tags_;
        std::erase_if(tags_, [&](const TagOf& tag) { return (*archive)->tags().Find(tag.id) == nullptr; });
        EXPECT_TRUE(tags_.size() == all.size() || losses > 0);
        uint64_t of_salvaged = 0;
        for (const TagOf& tag : tags_) {
          auto reader = (*archive)->ReadRaw({.tag = tag.id, .start = kTimestampMin, .end = kTimestampMax});
          ASSERT_TRUE(reader.ok());
          uint64_t size = 0;
          while (true) {
            Samples batch;
            const absl::StatusOr<bool> more = (*reader)->Next(&batch);
            ASSERT_TRUE(more.ok()) << more.status();
            if (!*more) break;
            const SamplesView view = batch.View();
            for (size_t i = 0; i < view.size; ++i) {
              const auto stated = stated_.find({tag.id, view.times[i]});
              ASSERT_TRUE(stated != stated_.end() &&
                          stated->second.count(StatementOf(tag.type, view, i)) > 0);
            }
            size += view.size;
          }
          of_salvaged += expected_[tag.id].size() - size;
        }
        tags_ = std::move(all);
        EXPECT_TRUE(of_salvaged == 0 || losses > 0) << of_salvaged << " samples were lost without a word";
        ++outcomes[losses == 0 ? "salvaged all" : "salvaged with losses"];
      } else {
        EXPECT_TRUE(absl::StrContains(done, "FORMAT") || several) << counts.status();
        ++outcomes["not salvaged"];
      }
    }
    for (int start = 0; start < 2; ++start) {
      auto archive = Open(path);
      if (!archive.ok()) {
        EXPECT_TRUE(absl::IsDataLoss(archive.status()) || absl::IsFailedPrecondition(archive.status()))
            << archive.status();
        EXPECT_TRUE(absl::StrContains(archive.status().message(), path)) << archive.status();
        EXPECT_TRUE(absl::StrContains(done, "FORMAT") || several) << archive.status();
        ++outcomes["refused"];
        break;
      }
      missing = 0;
      ASSERT_NO_FATAL_FAILURE(Check(**archive, &missing));
      const ArchiveStats stats = (*archive)->Stats();
      EXPECT_EQ(stats.read_only.ok(), stats.ingest.ok()) << stats.read_only << " " << stats.ingest;
      if (missing > 0 && !told_before_) {
        EXPECT_FALSE((*archive)->Stats().damage.empty());
      }
      if (start == 0) {
        ++outcomes[!stats.read_only.ok() ? "read only" : missing > 0 ? "serving with losses" : "serving all"];
      }
      told_before_ |= Tells(stats, {"journal"});
      DamagesOf(**archive);
    }
    told_before_ = false;
    if (HasFailure()) break;
  }
  std::printf("%d rounds", round);
  for (const auto& [outcome, count] : outcomes) std::printf(", %s: %d", outcome.c_str(), count);
  std::printf("\n");
}

}  // namespace
}  // namespace historian
