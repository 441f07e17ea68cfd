#include "tools/histctl/lib/import_frames.h"

#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/wire.h"
#include "gtest/gtest.h"

namespace historian::histctl {
namespace {

using Row = std::tuple<TagId, Timestamp, std::string, Quality, uint64_t>;  // Tag, time, value, quality, line.

struct Import {
  ImportOptions options;
  std::vector<Tag> columns;
  std::map<std::string, Tag> tags;
  bool go_on = true;

  std::vector<Row> rows;
  std::vector<std::string> errors;
  std::vector<std::string> frames;  // Serialized.
  ImportCounts counts;
  bool stopped = false;

  Import() { options.zone = absl::UTCTimeZone(); }

  void Run(absl::string_view text) {
    const auto layout = FindLayout(options, "x.csv", text);
    ASSERT_TRUE(layout.ok()) << layout.status();
    ImportFrames reader(options, *layout, text, columns, tags, [&](const RowError& error) {
      errors.push_back(absl::StrCat(error.line, ":", error.column, ": ", error.why));
      return go_on;
    });
    ImportFrame frame;
    while (reader.Next(&frame)) {
      ASSERT_EQ(frame.number(), frames.size() + 1);
      frames.push_back(frame.request.SerializeAsString());
      uint64_t samples = 0;
      for (int c = 0; c < frame.request.frame().columns_size(); ++c) {
        const auto batch = client::FromWire(frame.request.frame().columns(c));
        ASSERT_TRUE(batch.ok()) << batch.status();
        const SamplesView view = batch->samples.View();
        ASSERT_TRUE(IsStrictlyAscending(view.times, view.size));
        samples += view.size;
        for (uint32_t i = 0; i < view.size; ++i) {
          const std::string value = batch->type == ValueType::kString
                                        ? std::string(view.StringAt(i))
                                        : absl::StrCat(ToDouble(batch->type, view.values[i]));
          rows.emplace_back(batch->tag_id, view.times[i], value, view.QualityAt(i),
                            frame.LineOf(static_cast<uint32_t>(c), i));
        }
      }
      EXPECT_EQ(samples, frame.samples);
    }
    counts = reader.counts();
    stopped = reader.stopped();
  }
};

Tag TagOf(TagId id, ValueType type) { return {.id = id, .name = absl::StrCat("t", id), .type = type}; }

constexpr int64_t kSecond = kNanosPerSecond;

TEST(ImportFrames, WideRowsBecomeColumns) {
  Import import;
  import.columns = {TagOf(1, ValueType::kFloat64), TagOf(2, ValueType::kString),
                    TagOf(0, ValueType::kFloat64)};
  import.Run(
      "time,a,b,c\n1970-01-01 00:00:01,1.5,x,\n1970-01-01 00:00:02,,\"\",\n1970-01-01 00:00:03,2.5,,\n");
  EXPECT_EQ(import.rows, (std::vector<Row>{{1, 1 * kSecond, "1.5", kGood, 2},
                                           {1, 3 * kSecond, "2.5", kGood, 4},
                                           {2, 1 * kSecond, "x", kGood, 2},
                                           {2, 2 * kSecond, "", kGood, 3}}));
  EXPECT_TRUE(import.errors.empty());
  EXPECT_EQ(import.counts.rows, 3);
  EXPECT_EQ(import.counts.samples, 4);
  EXPECT_EQ(import.counts.missing, 5);
  EXPECT_EQ(import.counts.first_time, 1 * kSecond);
  EXPECT_EQ(import.counts.last_time, 3 * kSecond);
}

TEST(ImportFrames, LongRowsHaveQualities) {
  Import import;
  import.tags = {{"a", TagOf(1, ValueType::kFloat64)}, { "b", TagOf(2, ValueType::kDigital) }};
  import.tags["b"].states = {{ 3, "Open" }};
  import.Run(
      "time,tag,value,quality\n"
      "1970-01-01,a,1,Good\n"
      "1970-01-01,b,Open,\n"
      "1970-01-02,a,,BadSensorFailure\n"
      "1970-01-02,b,,Good\n"
      "1970-01-03,a,7,0x40920000\n"
      "1970-01-03,zz,7,Good\n"
      "1970-01-03,a,7,Wonderful\n");
  const int64_t day = 86400 * kSecond;
  EXPECT_EQ(import.rows, (std::vector<Row>{{1, 0, "1", kGood, 2},
                                           {1, day, "0", 0x808C0000, 4},
                                           {1, 2 * day, "7", 0x40920000, 6},
                                           {2, 0, "3", kGood, 3}}));
  EXPECT_EQ(import.errors.size(), 2);
  EXPECT_EQ(import.counts.bad_rows, 2);
  EXPECT_EQ(import.counts.missing, 2);
}

TEST(ImportFrames, BadRowsAndValuesAreToldWithTheirLine) {
  Import import;
  import.columns = {TagOf(1, ValueType::kFloat64), TagOf(2, ValueType::kInt64)};
  import.Run(
      "time,a,b\n"
      "1970-01-01 00:00:01,1,2\n"
      "1970-01-01 00:00:02,1\n"
      "1970-01-01 00:00:03,1,2,3\n"
      "nonsense,1,2\n"
      "1970-01-01 00:00:04,ERR,2\n"
      "1970-01-01 00:00:05,1,2.5\n"
      "1970-01-01 00:00:06,\"1\n");
  EXPECT_EQ(import.errors, (std::vector<std::string>{
                               "3:: 2 fields instead of 3",
                               "4:: 4 fields instead of 3",
                               "5:: time 'nonsense': not a time such as 2026-11-23 09:00:00",
                               "6:a: 'ERR' is not a float64",
                               "7:b: '2.5' is not an int64",
                               "8:: a quoted field that is never closed",
                           }));
  EXPECT_EQ(import.rows, (std::vector<Row>{{1, 1 * kSecond, "1", kGood, 2},
                                           {1, 5 * kSecond, "1", kGood, 7},
                                           {2, 1 * kSecond, "2", kGood, 2},
                                           {2, 4 * kSecond, "2", kGood, 6}}));
  EXPECT_EQ(import.counts.rows, 7);
  EXPECT_EQ(import.counts.bad_rows, 4);
  EXPECT_EQ(import.counts.bad_values, 2);
}

TEST(ImportFrames, RowsOfTheSameTimeAreCounted) {
  Import import;
  import.columns = {TagOf(1, ValueType::kFloat64)};
  import.Run(
      "time,a\n1970-01-01 00:00:01,1\n1970-01-01 00:00:01,2\n1970-01-01 00:00:02,3\n1970-01-01 00:00:02,3\n");
  EXPECT_EQ(import.counts.samples, 4);
  EXPECT_EQ(import.counts.same_time, 2);
}

TEST(ScanFile, RowsWithoutAGoodTimeHaveNoSay) {
  ImportOptions options;
  options.zone = absl::UTCTimeZone();
  const absl::string_view text =
      "time,a\n2026-01-01 00:00:00,1.5\nTS,Volts\n,Avg\n2026-01-01 00:00:01,2.5\n2026-01-01 00:00:02,\"\"\n";
  const auto layout = FindLayout(options, "x.csv", text);
  ASSERT_TRUE(layout.ok()) << layout.status();
  const ImportScan scan = ScanFile(options, *layout, text, 0);
  const TypeVotes votes = scan.columns[0].Votes(kDecimalPoint);
  EXPECT_EQ(votes.numbers, 2);
  EXPECT_EQ(votes.all(), 2);
}

TEST(ImportFrames, MissingValuesCanBeStoredAsBad) {
  Import import;
  import.options.missing = {"NA"};
  import.options.missing_as_bad = true;
  import.columns = {TagOf(1, ValueType::kFloat64)};
  import.Run("time,a\n1970-01-01 00:00:01,NA\n1970-01-01 00:00:02,\n1970-01-01 00:00:03,5\n");
  EXPECT_EQ(import.rows, (std::vector<Row>{{1, 1 * kSecond, "0", kBadNoData, 2},
                                           {1, 2 * kSecond, "0", kBadNoData, 3},
                                           {1, 3 * kSecond, "5", kGood, 4}}));
  EXPECT_EQ(import.counts.missing, 2);
}

TEST(ImportFrames, TimesAreMadeWithStartAndStep) {
  Import import;
  import.options.header = false;
  import.options.separator = "whitespace";
  import.options.start = 100;
  import.options.step_nanos = 10;
  import.columns = {TagOf(1, ValueType::kFloat64), TagOf(2, ValueType::kFloat64)};
  // A broken row takes its time: those behind it keep theirs.
  import.Run("  1 2\n  3\n  5 6\n");
  EXPECT_EQ(import.rows, (std::vector<Row>{{1, 100, "1", kGood, 1},
                                           {1, 120, "5", kGood, 3},
                                           {2, 100, "2", kGood, 1},
                                           {2, 120, "6", kGood, 3}}));
}

TEST(ImportFrames, RowsInAnyOrderAreSortedAndTheLaterOfOneTimeComesLater) {
  Import import;
  import.columns = {TagOf(1, ValueType::kFloat64)};
  import.Run(
      "time,a\n1970-01-01 00:00:03,3\n1970-01-01 00:00:01,1\n1970-01-01 00:00:03,33\n1970-01-01 "
      "00:00:02,2\n");
  EXPECT_EQ(import.rows, (std::vector<Row>{{1, 1 * kSecond, "1", kGood, 3},
                                           {1, 2 * kSecond, "2", kGood, 5},
                                           {1, 3 * kSecond, "3", kGood, 2},
                                           {1, 3 * kSecond, "33", kGood, 4}}));
}

TEST(ImportFrames, AFrameBegunIsDroppedWhenAnErrorEndsIt) {
  Import import;
  import.go_on = false;
  import.columns = {TagOf(1, ValueType::kFloat64)};
  import.Run("time,a\n1970-01-01 00:00:01,1\nnonsense,1\n1970-01-01 00:00:03,1\n");
  EXPECT_TRUE(import.stopped);
  EXPECT_TRUE(import.frames.empty());
  EXPECT_EQ(import.errors.size(), 1);
}

std::string LargeFile(uint64_t seed, int rows) {
  std::mt19937_64 random(seed);
  std::string text = "time,a,b,c\n";
  for (int i = 0; i < rows; ++i) {
    absl::StrAppend(&text, 1'500'000'000 + i, ",", random() % 1000, ".", random() % 10, ",",
                    random() % 7 == 0 ? "" : "5", ",text", random() % 100,
                    random() % 50 == 0 ? ",too much\n" : "\n");
  }
  return text;
}

TEST(ImportFrames, FramesAreTheSameEveryTimeAndHoldEveryRowOnce) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  const std::string text = LargeFile(seed, 40'000);
  const auto run = [&] {
    Import import;
    import.columns = {TagOf(1, ValueType::kFloat64), TagOf(2, ValueType::kInt64),
                      TagOf(3, ValueType::kString)};
    import.Run(text);
    return import;
  };
  const Import first = run(), second = run();
  EXPECT_EQ(first.frames, second.frames);
  EXPECT_GT(first.frames.size(), 4);
  EXPECT_EQ(first.rows.size(), first.counts.samples);
  EXPECT_EQ(first.counts.samples + first.counts.missing, 3 * (first.counts.rows - first.counts.bad_rows));
  for (const auto& [tag, time, value, quality, line] : first.rows) {
    ASSERT_EQ(static_cast<uint64_t>(time / kSecond - 1'500'000'000) + 2, line);
  }
}

TEST(ImportFrames, LongTextsCutFramesToo) {
  std::string text = "time,a\n";
  for (int i = 0; i < 50; ++i) absl::StrAppend(&text, 1'500'000'000 + i, ",", std::string(20'000, 'x'), "\n");
  absl::StrAppend(&text, "1500000050,", std::string(70'000, 'x'), "\n");
  Import import;
  import.columns = {TagOf(1, ValueType::kString)};
  import.Run(text);
  EXPECT_GT(import.frames.size(), 3);
  EXPECT_EQ(import.rows.size(), 50);
  EXPECT_EQ(import.counts.bad_values, 1);
}

TEST(ScanFile, FindsTypesAndTags) {
  ImportOptions options;
  options.zone = absl::UTCTimeZone();
  const absl::string_view wide = "time,a,b,c\n2020-01-01,1,x,\n2020-01-02,2.5,y,\nbroken\n";
  const auto layout = FindLayout(options, "x.csv", wide);
  ASSERT_TRUE(layout.ok());
  const ImportScan scan = ScanFile(options, *layout, wide, 0);
  EXPECT_EQ(scan.columns[0].Votes(kDecimalPoint).Type(), ValueType::kFloat64);
  EXPECT_EQ(scan.columns[1].Votes(kDecimalPoint).Type(), ValueType::kString);
  EXPECT_EQ(scan.columns[2].Votes(kDecimalPoint).Type(), std::nullopt);
  EXPECT_EQ(ScanFile(options, *layout, wide, 1).columns[0].Votes(kDecimalPoint).integers, 1);

  const absl::string_view tall =
      "time,tag,value,quality\n2020-01-01,a,1,\n2020-01-01,b,true,\n2020-01-01,c,,\n2020-01-01,d,,Bad\n";
  const auto long_layout = FindLayout(options, "x.csv", tall);
  ASSERT_TRUE(long_layout.ok());
  const ImportScan tags = ScanFile(options, *long_layout, tall, 0);
  ASSERT_EQ(tags.tags.size(), 4);
  EXPECT_EQ(tags.tags.at("a").values.Votes(kDecimalPoint).Type(), ValueType::kFloat64);
  EXPECT_EQ(tags.tags.at("b").values.Votes(kDecimalPoint).Type(), ValueType::kBool);
  EXPECT_EQ(tags.tags.at("c").values.Votes(kDecimalPoint).Type(), std::nullopt);
  EXPECT_EQ(tags.tags.at("c").values.Votes(kDecimalPoint).Usable(ValueType::kFloat64), 0);
  // A Bad sample needs no value.
  EXPECT_EQ(tags.tags.at("d").values.Votes(kDecimalPoint).Usable(ValueType::kFloat64), 1);
  EXPECT_EQ(tags.tags.at("b").line, 3);
}

}  // namespace
}  // namespace historian::histctl
