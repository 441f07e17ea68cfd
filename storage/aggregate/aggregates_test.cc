// Each row of the table against its definition in a few words: samples at whole nanoseconds, looked at
// nanosecond by nanosecond.
#include "storage/aggregate/aggregates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/aggregate/random_samples.h"

namespace historian {
namespace {

constexpr Quality kCalculated = kInfoCalculated;

// Samples at random nanoseconds, of values whose sums are exact in a double, some of them not usable.
Samples AnySamples(ValueType type, RandomSamples* random) {
  Samples samples;
  const bool mixed = random->Below(2) == 0;
  Timestamp t = static_cast<Timestamp>(random->Below(20));
  const size_t size = random->Below(12);
  for (size_t i = 0; i < size; ++i) {
    const double number = (static_cast<double>(random->Below(2001)) - 1000) / 64;
    ValueBits bits = 0;
    switch (type) {
      case ValueType::kFloat64:
        bits = BitsOfFloat64(mixed && random->Below(8) == 0 ? INFINITY : number);
        break;
      case ValueType::kFloat32:
        bits = BitsOfFloat32(mixed && random->Below(8) == 0 ? NAN : static_cast<float>(number));
        break;
      case ValueType::kInt64:
        bits = BitsOfInt64(static_cast<int64_t>(number * 64));
        break;
      case ValueType::kBool:
        bits = random->Below(2);
        break;
      default:
        bits = random->Below(5);
    }
    const Quality quality = mixed ? random->AnyQuality() : kGood;
    if (type == ValueType::kString) {
      samples.AddString(t, "text", quality);
    } else {
      samples.Add(t, bits, quality);
    }
    t += 1 + static_cast<Timestamp>(random->Below(9));
  }
  return samples;
}

// What the samples of one tag say of an interval.
class Definition {
 public:
  Definition(ValueType type, Interpolation interpolation, const Samples& samples, Timestamp start,
             Timestamp end)
      : type_(type) {
    for (size_t i = 0; i < samples.size(); ++i) {
      const Sample sample = {samples.times[i], type == ValueType::kString ? 0 : samples.values[i],
                             samples.View().QualityAt(i)};
      if (sample.time < start || sample.time >= end) continue;
      inside_.push_back(sample);
      if (IsUsable(type, sample.value, sample.quality)) usable_.push_back(sample);
    }
    for (Timestamp t = start; t < end; ++t) AddNanosecond(samples, interpolation, t);
    whole_ns_ = static_cast<uint64_t>(end - start);
  }

  // The number of an aggregate; nothing where it has none.
  std::optional<double> Number(Aggregate aggregate) const {
    switch (aggregate) {
      case Aggregate::kCount:
        return usable_.size();
      case Aggregate::kSampleCount:
        return inside_.size();
      case Aggregate::kMinimum:
        return NumberOf(Extreme(/*greatest=*/false));
      case Aggregate::kMaximum:
        return NumberOf(Extreme(/*greatest=*/true));
      case Aggregate::kMinimumTime:
        return TimeOf(Extreme(/*greatest=*/false));
      case Aggregate::kMaximumTime:
        return TimeOf(Extreme(/*greatest=*/true));
      case Aggregate::kRange:
        if (usable_.empty()) return std::nullopt;
        return *NumberOf(Extreme(true)) - *NumberOf(Extreme(false));
      case Aggregate::kSum:
        if (usable_.empty()) return std::nullopt;
        return Sum();
      case Aggregate::kAverage:
        if (usable_.empty()) return std::nullopt;
        return Sum() / static_cast<double>(usable_.size());
      case Aggregate::kStandardDeviationSample:
        if (usable_.size() == 1) return 0;
        return Deviation(usable_.size() - 1);
      case Aggregate::kStandardDeviationPopulation:
        return Deviation(usable_.size());
      case Aggregate::kTimeWeightedAverage:
        if (good_ns_ == 0) return std::nullopt;
        return area_ / static_cast<double>(good_ns_);
      case Aggregate::kFirst:
        return inside_.empty() ? std::nullopt : NumberOf(&inside_.front());
      case Aggregate::kLast:
        return inside_.empty() ? std::nullopt : NumberOf(&inside_.back());
      case Aggregate::kFirstTime:
        return inside_.empty() ? std::nullopt : TimeOf(&inside_.front());
      case Aggregate::kLastTime:
        return inside_.empty() ? std::nullopt : TimeOf(&inside_.back());
      case Aggregate::kGoodShare:
        return static_cast<double>(good_ns_) / static_cast<double>(whole_ns_);
    }
    ADD_FAILURE() << "aggregate " << static_cast<int>(aggregate) << " has no definition here";
    return std::nullopt;
  }

  Quality Status(Aggregate aggregate) const {
    const bool no_time = known_ns_ == 0;
    Quality status = kUncertainDataSubNormal | kCalculated;
    if (no_time && inside_.empty()) {
      status = kBadNoData;
    } else if (good_ns_ == whole_ns_ || (no_time && usable_.size() == inside_.size())) {
      status = kGood | kCalculated;
    } else if (good_ns_ == 0 && usable_.empty()) {
      status = kBad | kCalculated;
    }
    if (Number(aggregate).has_value() || IsBad(status)) return status;
    return inside_.empty() ? kBadNoData : kBad | kCalculated;
  }

  bool Has(AggregateNeeds needs) const {
    switch (needs) {
      case AggregateNeeds::kNothing:
        return true;
      case AggregateNeeds::kSample:
        return !inside_.empty();
      case AggregateNeeds::kUsableSample:
        return !usable_.empty();
      case AggregateNeeds::kGoodTime:
        return good_ns_ > 0;
    }
    return false;
  }

 private:
  // From t to t + 1 the value is that of the newest sample, or on the line to the next; there is none before
  // the first sample, nor from the newest on.
  void AddNanosecond(const Samples& samples, Interpolation interpolation, Timestamp t) {
    const auto next = std::upper_bound(samples.times.begin(), samples.times.end(), t);
    if (next == samples.times.begin() || next == samples.times.end()) return;
    const size_t b = next - samples.times.begin(), a = b - 1;
    ++known_ns_;
    const auto is_usable = [&](size_t i) {
      return IsUsable(type_, samples.values[i], samples.View().QualityAt(i));
    };
    if (!is_usable(a)) return;
    ++good_ns_;
    if (type_ == ValueType::kString) return;
    const double from = ToDouble(type_, samples.values[a]), to = ToDouble(type_, samples.values[b]);
    if (interpolation == Interpolation::kSloped && is_usable(b)) {
      const double half = static_cast<double>(t - samples.times[a]) + 0.5;
      area_ += from + (to - from) * half / static_cast<double>(samples.times[b] - samples.times[a]);
    } else {
      area_ += from;
    }
  }

  std::optional<double> NumberOf(const Sample* sample) const {
    return sample == nullptr ? std::nullopt : std::optional(ToDouble(type_, sample->value));
  }
  static std::optional<double> TimeOf(const Sample* sample) {
    return sample == nullptr ? std::nullopt : std::optional(static_cast<double>(sample->time));
  }
  // The earliest of equal ones.
  const Sample* Extreme(bool greatest) const {
    const Sample* found = nullptr;
    for (const Sample& sample : usable_) {
      if (found == nullptr ||
          (greatest ? *NumberOf(&sample) > *NumberOf(found) : *NumberOf(&sample) < *NumberOf(found))) {
        found = &sample;
      }
    }
    return found;
  }
  double Sum() const {
    double sum = 0;
    for (const Sample& sample : usable_) sum += *NumberOf(&sample);
    return sum;
  }
  std::optional<double> Deviation(size_t divisor) const {
    if (usable_.empty()) return std::nullopt;
    const double mean = Sum() / static_cast<double>(usable_.size());
    double squares = 0;
    for (const Sample& sample : usable_) squares += std::pow(*NumberOf(&sample) - mean, 2);
    return std::sqrt(squares / static_cast<double>(divisor));
  }

  const ValueType type_;
  std::vector<Sample> inside_, usable_;
  uint64_t whole_ns_ = 0, known_ns_ = 0, good_ns_ = 0;
  double area_ = 0;
};

// Whether the definition is exact in doubles, for values of a few binary digits.
bool IsExact(Aggregate aggregate, Interpolation interpolation) {
  switch (aggregate) {
    case Aggregate::kStandardDeviationSample:
    case Aggregate::kStandardDeviationPopulation:
      return false;
    case Aggregate::kTimeWeightedAverage:
      return interpolation == Interpolation::kStepped;
    default:
      return true;
  }
}

// The values and statuses that a maker makes of the samples, a column for each aggregate.
struct Columns {
  std::vector<std::vector<ValueBits>> values;
  std::vector<std::vector<Quality>> statuses;
};
Columns Make(const FigureMaker& maker, ValueType type, Interpolation interpolation, const Samples& samples,
             const std::vector<Timestamp>& edges) {
  const size_t size = edges.size() - 1;
  Columns made = {std::vector(maker.columns, std::vector<ValueBits>(size)),
                  std::vector(maker.columns, std::vector<Quality>(size))};
  std::vector<FigureColumn> table;
  for (size_t k = 0; k < maker.columns; ++k) {
    table.push_back({made.values[k].data(), made.statuses[k].data()});
  }
  IntervalFold fold(type, interpolation, edges, maker.parts,
                    [&](size_t i, const Interval& interval) { maker.make(interval, i, table); });
  fold.Add(samples.View());
  fold.Finish();
  return made;
}

TEST(Aggregates, AreWhatTheyAreDefinedToBe) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(6)];
    const Interpolation interpolation =
        random.Below(2) == 0 ? Interpolation::kStepped : Interpolation::kSloped;
    const Samples samples = AnySamples(type, &random);
    std::vector<Timestamp> edges = {static_cast<Timestamp>(random.Below(30)) - 5};
    const size_t intervals = 1 + random.Below(8);
    while (edges.size() <= intervals) {
      edges.push_back(edges.back() + 1 + static_cast<Timestamp>(random.Below(20)));
    }
    for (const AggregateRow& row : AggregateRows()) {
      const AggregateInfo& info = InfoOf(row.id);
      if (type == ValueType::kString && !info.for_strings) continue;
      // Alone, so that it has the parts that its row says, and no others.
      const Columns made =
          Make(MakerOf({row.id}, type, AggregateConfig()), type, interpolation, samples, edges);
      for (size_t i = 0; i < intervals; ++i) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << " " << ValueTypeName(type) << " " << info.name
                                        << " of [" << edges[i] << ", " << edges[i + 1] << ")");
        const Definition definition(type, interpolation, samples, edges[i], edges[i + 1]);
        const std::optional<double> expected = definition.Number(row.id);
        EXPECT_EQ(made.statuses[0][i], definition.Status(row.id)) << QualityName(made.statuses[0][i]);
        EXPECT_EQ(expected.has_value(), definition.Has(info.needs));
        if (HasIntegers(row.id, type)) {
          EXPECT_EQ(Int64OfBits(made.values[0][i]), static_cast<int64_t>(expected.value_or(0)));
          continue;
        }
        const double got = Float64OfBits(made.values[0][i]);
        if (!expected.has_value() || std::isnan(*expected)) {
          EXPECT_TRUE(std::isnan(got)) << got;
        } else if (IsExact(row.id, interpolation)) {
          EXPECT_EQ(got, *expected);
        } else {
          EXPECT_NEAR(got, *expected, 1e-12 * (1 + std::abs(*expected)));
        }
      }
    }
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

// Counts, times of samples and shares of time do not look at a value.
TEST(Aggregates, StringsHaveThoseThatNeedNoValue) {
  for (const AggregateInfo& info : kAggregates) {
    const bool expected = info.id == Aggregate::kCount || info.id == Aggregate::kSampleCount ||
                          info.id == Aggregate::kFirstTime || info.id == Aggregate::kLastTime ||
                          info.id == Aggregate::kGoodShare;
    EXPECT_EQ(info.for_strings, expected) << info.name;
    if (info.for_strings) {
      EXPECT_EQ(RowOf(info.id).parts, kCounts) << info.name << ": strings have no other parts";
    }
  }
}

TEST(Aggregates, EachHasOneRow) {
  std::set<Aggregate> seen;
  for (const AggregateRow& row : AggregateRows()) {
    EXPECT_TRUE(seen.insert(row.id).second) << static_cast<int>(row.id);
    EXPECT_EQ(&RowOf(row.id), &row);
    EXPECT_EQ(InfoOf(row.id).id, row.id);
  }
  EXPECT_EQ(seen.size(), std::size(kAggregates));
}

TEST(Aggregates, OneMakerMakesManyAsEachAlone) {
  std::vector<Aggregate> all;
  for (const AggregateInfo& info : kAggregates) all.push_back(info.id);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    RandomSamples random(seed);
    const ValueType type = kAllTypes[random.Below(5)];
    const Samples samples = AnySamples(type, &random);
    const std::vector<Timestamp> edges = {0, 10, 20, 40};
    const Columns together =
        Make(MakerOf(all, type, AggregateConfig()), type, Interpolation::kSloped, samples, edges);
    for (size_t k = 0; k < all.size(); ++k) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " " << InfoOf(all[k]).name);
      const Columns alone =
          Make(MakerOf({all[k]}, type, AggregateConfig()), type, Interpolation::kSloped, samples, edges);
      EXPECT_EQ(together.values[k], alone.values[0]);
      EXPECT_EQ(together.statuses[k], alone.statuses[0]);
    }
  }
}

TEST(Aggregates, MakersOfOtherAggregatesHaveOtherIds) {
  const auto id = [](std::vector<Aggregate> aggregates) {
    return MakerOf(aggregates, ValueType::kFloat64, AggregateConfig()).id;
  };
  EXPECT_EQ(id({Aggregate::kSum, Aggregate::kCount}), id({Aggregate::kSum, Aggregate::kCount}));
  EXPECT_NE(id({Aggregate::kSum, Aggregate::kCount}), id({Aggregate::kCount, Aggregate::kSum}));
  EXPECT_NE(id({Aggregate::kSum}), id({Aggregate::kSum, Aggregate::kSum}));
}

}  // namespace
}  // namespace historian
