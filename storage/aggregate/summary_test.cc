#include "storage/aggregate/summary.h"

#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/random_samples.h"

namespace historian {

void PrintTo(const Sample& s, std::ostream* out) {
  *out << s.time << " " << std::hex << s.value << " " << s.quality << std::dec;
}
void PrintTo(const Summary& s, std::ostream* out) {
  *out << "count " << s.count << " good " << s.good << " uncertain " << s.uncertain << " first ";
  PrintTo(s.first, out);
  *out << " last ";
  PrintTo(s.last, out);
  *out << " min ";
  PrintTo(s.min, out);
  *out << " max ";
  PrintTo(s.max, out);
  *out << " sum " << s.sum.ToDouble() << " squares " << s.sum_of_squares.ToDouble() << " good_ns "
       << s.good_ns << " uncertain_ns " << s.uncertain_ns << " stepped " << s.area_stepped.ToDouble()
       << " sloped " << s.area_sloped.ToDouble();
}

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The definitions of summary.h, read aloud.
Summary Naive(ValueType type, const SamplesView& run, uint32_t parts = kAllParts) {
  Summary s;
  if (run.size > 0) s.parts = parts;
  std::vector<Sample> usable_samples, worst;
  const bool numeric = type != ValueType::kString;
  const auto usable = [&](size_t i) {
    const bool is_float = type == ValueType::kFloat64 || type == ValueType::kFloat32;
    return IsGood(run.QualityAt(i)) && (!is_float || std::isfinite(ToDouble(type, run.values[i])));
  };
  const auto add_area = [&](size_t i, uint64_t ns, ExactSum* sum) {
    if (type == ValueType::kInt64)
      sum->AddIntProduct(Int64OfBits(run.values[i]), ns);
    else
      sum->AddProduct(ToDouble(type, run.values[i]), ns);
  };
  const auto less = [&](const Sample& a, const Sample& b) {
    return type == ValueType::kInt64 ? Int64OfBits(a.value) < Int64OfBits(b.value)
                                     : ToDouble(type, a.value) < ToDouble(type, b.value);
  };
  for (size_t i = 0; i < run.size; ++i) {
    const Sample sample = {run.times[i], numeric ? run.values[i] : 0, run.QualityAt(i)};
    if (i == 0) s.first = sample;
    s.last = sample;
    ++s.count;
    if (worst.empty() || SeverityOf(sample.quality) > SeverityOf(worst.front().quality)) worst.clear();
    if (worst.empty() || SeverityOf(sample.quality) == SeverityOf(worst.front().quality))
      worst.push_back(sample);
    if (usable(i)) {
      usable_samples.push_back(sample);
      if (numeric && (parts & kExtremes)) {
        if (s.good == 0 || less(sample, s.min)) s.min = sample;
        if (s.good == 0 || less(s.max, sample)) s.max = sample;
      }
      ++s.good;
      if (numeric && (parts & kSums)) {
        if (type == ValueType::kInt64)
          s.sum.AddInt(Int64OfBits(sample.value));
        else
          s.sum.Add(ToDouble(type, sample.value));
      }
      if (numeric && (parts & kSquares)) {
        if (type == ValueType::kInt64)
          s.sum_of_squares.AddIntSquare(Int64OfBits(sample.value));
        else
          s.sum_of_squares.AddSquare(ToDouble(type, sample.value));
      }
    } else if (IsUncertain(sample.quality)) {
      ++s.uncertain;
    }
    if (i + 1 == run.size) break;
    const uint64_t ns = Elapsed(run.times[i], run.times[i + 1]);
    if (IsUncertain(sample.quality)) s.uncertain_ns += ns;
    if (!usable(i)) continue;
    s.good_ns += ns;
    if ((parts & kQualities) && !usable(i + 1)) s.unsure_ns += ns;
    if (!numeric) continue;
    if ((parts & kZeros) && ToDouble(type, sample.value) == 0) s.zero_ns += ns;
    if (parts & kAreaStepped) add_area(i, ns, &s.area_stepped);
    if (parts & kAreaSloped) {
      ExactSum doubled;
      add_area(i, ns, &doubled);
      add_area(usable(i + 1) ? i + 1 : i, ns, &doubled);
      doubled.Halve();
      s.area_sloped.Add(doubled);
    }
  }
  if (parts & kQualities) {
    if (!worst.empty()) s.worst = worst.front().quality;
    s.worst_repeats = worst.size() > 1 && !IsGood(s.worst);
    if (!usable_samples.empty()) s.first_usable = usable_samples.front();
    if (!usable_samples.empty()) s.last_usable = usable_samples.back();
  }
  size_t smallest = 0, largest = 0;
  for (size_t i = 0; numeric && i < usable_samples.size(); ++i) {
    const Sample& sample = usable_samples[i];
    if ((parts & kChanges) && i > 0) {
      s.changes += less(usable_samples[i - 1], sample) || less(sample, usable_samples[i - 1]);
    }
    if (parts & kRepeats) {
      smallest += !less(s.min, sample);
      largest += !less(sample, s.max);
    }
  }
  s.min_repeats = smallest > 1;
  s.max_repeats = largest > 1;
  return s;
}

// Any parts that go together.
uint32_t AnyParts(RandomSamples* random) {
  uint32_t parts = random->Below(2) == 0 ? kAllParts : static_cast<uint32_t>(random->Below(kAllParts + 1));
  if ((parts & kRepeats) != 0) parts |= kExtremes;
  if ((parts & kChanges) != 0) parts |= kQualities;
  return parts;
}

TEST(Summary, OfNothingIsEmpty) {
  EXPECT_EQ(Summarize(ValueType::kFloat64, SamplesView()), Summary());
  EXPECT_EQ(Summary().bad_ns(), 0);
}

TEST(Summary, SmallExample) {
  Samples run;
  run.Add(0, BitsOfFloat64(10));
  run.Add(10, BitsOfFloat64(20));
  run.Add(30, BitsOfFloat64(99), kBad);
  run.Add(60, BitsOfFloat64(5), kUncertain);
  run.Add(100, BitsOfFloat64(-1));
  run.Add(150, BitsOfFloat64(kNan));
  run.Add(210, BitsOfFloat64(20));
  const Summary s = Summarize(ValueType::kFloat64, run.View());
  EXPECT_EQ(s.count, 7);
  EXPECT_EQ(s.good, 4);
  EXPECT_EQ(s.uncertain, 1);
  EXPECT_EQ(s.bad(), 2);
  EXPECT_EQ(s.first, (Sample{0, BitsOfFloat64(10), kGood}));
  EXPECT_EQ(s.last, (Sample{210, BitsOfFloat64(20), kGood}));
  EXPECT_EQ(s.min, (Sample{100, BitsOfFloat64(-1), kGood}));
  EXPECT_EQ(s.max, (Sample{10, BitsOfFloat64(20), kGood})) << "the earlier of two";
  EXPECT_EQ(s.sum.ToDouble(), 10 + 20 - 1 + 20);
  EXPECT_EQ(s.sum_of_squares.ToDouble(), 100 + 400 + 1 + 400);
  EXPECT_EQ(s.good_ns, 10 + 20 + 50);
  EXPECT_EQ(s.uncertain_ns, 40);
  EXPECT_EQ(s.bad_ns(), 30 + 60);
  EXPECT_EQ(s.area_stepped.ToDouble(), 10 * 10 + 20 * 20 - 1 * 50);
  EXPECT_EQ(s.area_sloped.ToDouble(), 15 * 10 + 20 * 20 - 1 * 50) << "no slope towards what is not usable";
}

TEST(Summary, UsableIsGoodAndFinite) {
  const struct {
    ValueType type;
    ValueBits value;
    Quality quality;
    bool usable;
  } cases[] = {
      {ValueType::kFloat64, BitsOfFloat64(1), kGood, true},
      {ValueType::kFloat64, BitsOfFloat64(1), 0x00960000, true},
      {ValueType::kFloat64, BitsOfFloat64(1), kUncertain, false},
      {ValueType::kFloat64, BitsOfFloat64(1), kBad, false},
      {ValueType::kFloat64, BitsOfFloat64(kNan), kGood, false},
      {ValueType::kFloat64, BitsOfFloat64(-kInfinity), kGood, false},
      {ValueType::kFloat32, BitsOfFloat32(1), kGood, true},
      {ValueType::kFloat32, BitsOfFloat32(INFINITY), kGood, false},
      {ValueType::kInt64, ~ValueBits{0}, kGood, true},
      {ValueType::kInt64, BitsOfFloat64(kNan), kGood, true},
      {ValueType::kDigital, 3, kGood, true},
      {ValueType::kString, 0, kGood, true},
      {ValueType::kString, 0, kBad, false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(IsUsable(c.type, c.value, c.quality), c.usable)
        << ValueTypeName(c.type) << " " << c.value << " " << QualityName(c.quality);
  }
}

TEST(Summary, ZerosOfEitherSignAreEqual) {
  for (const bool negative_first : {false, true}) {
    Samples run;
    run.Add(1, BitsOfFloat64(negative_first ? -0.0 : 0.0));
    run.Add(2, BitsOfFloat64(negative_first ? 0.0 : -0.0));
    const Summary s = Summarize(ValueType::kFloat64, run.View());
    EXPECT_EQ(s.min, s.first);
    EXPECT_EQ(s.max, s.first);
  }
}

TEST(Summary, IntegersAreExactAtTheirLimits) {
  Samples run;
  run.Add(kTimestampMin, BitsOfInt64(std::numeric_limits<int64_t>::max() - 1));
  run.Add(0, BitsOfInt64(std::numeric_limits<int64_t>::max()));
  run.Add(kTimestampMax, BitsOfInt64(std::numeric_limits<int64_t>::min()));
  const Summary s = Summarize(ValueType::kInt64, run.View());
  EXPECT_EQ(s.max.time, 0);
  EXPECT_EQ(s.min.time, kTimestampMax);
  EXPECT_EQ(s.sum.ToDouble(), 0x1p63 - 3);
  EXPECT_EQ(s.good_ns, Elapsed(kTimestampMin, kTimestampMax));
  EXPECT_EQ(s, Naive(ValueType::kInt64, run.View()));
}

TEST(Summary, EqualsTheNaiveFold) {
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const size_t size = random.Below(random.Below(6) == 0 ? 3000 : 40);
    const Samples run = random.Run(type, size, random.AnyFlavour());
    for (const uint32_t parts : {uint32_t{kAllParts}, AnyParts(&random)}) {
      ASSERT_EQ(Summarize(type, run.View(), parts), Naive(type, run.View(), parts))
          << "seed " << seed << " " << ValueTypeName(type) << " parts " << parts;
    }
  }
}

TEST(Summary, ColumnsThatChangeTheirSortMidwayEqualTheNaiveFold) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    RandomSamples random(seed);
    for (const ValueType type : kAllTypes) {
      Samples run = random.Run(type, 4000, {.all_good = true});
      // A few blemishes, at the edges of what is folded at a time more often than not.
      run.qualities.assign(run.size(), kGood);
      for (int i = 0; i < 4; ++i) {
        const size_t at = 1024 * (1 + random.Below(3)) + random.Below(3) - 1;
        run.qualities[at] = random.AnyQuality();
        if (type == ValueType::kFloat64 && random.Below(2) == 0) run.values[at] = BitsOfFloat64(kNan);
      }
      ASSERT_EQ(Summarize(type, run.View()), Naive(type, run.View())) << seed << " " << ValueTypeName(type);
    }
  }
}

TEST(Summary, MergesOfAnySplitEqualTheWhole) {
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE(seed);
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const Samples run = random.Run(type, random.Below(30), random.AnyFlavour());
    const uint32_t parts = AnyParts(&random);
    const Summary whole = Summarize(type, run.View(), parts);
    size_t cuts[] = {0, random.Below(run.size() + 1), random.Below(run.size() + 1), run.size()};
    if (cuts[1] > cuts[2]) std::swap(cuts[1], cuts[2]);
    Summary piece[3];
    for (int i = 0; i < 3; ++i) {
      piece[i] = Summarize(type, run.View().Slice(cuts[i], cuts[i + 1] - cuts[i]), parts);
    }
    Summary left = piece[0];
    Merge(type, piece[1], &left, parts);
    Merge(type, piece[2], &left, parts);
    ASSERT_EQ(left, whole);
    Merge(type, piece[2], &piece[1], parts);
    Merge(type, piece[1], &piece[0], parts);
    ASSERT_EQ(piece[0], whole);
  }
}

}  // namespace
}  // namespace historian
