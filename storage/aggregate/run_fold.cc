#include "storage/aggregate/run_fold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "storage/model/check.h"
#include "storage/platform/simd.h"

namespace historian {
namespace {

// Samples handled at a time, so that what is derived from them stays in the first-level cache.
constexpr size_t kChunk = kColumnChunk;

HISTORIAN_SIMD bool AreAllGood(const Quality* qualities, size_t size) {
  Quality all = 0;
  for (size_t i = 0; i < size; ++i) all |= qualities[i];
  return (all >> 30) == 0;
}

HISTORIAN_SIMD void Widen(const ValueBits* float32s, size_t size, double* values) {
  for (size_t i = 0; i < size; ++i) values[i] = std::bit_cast<float>(static_cast<uint32_t>(float32s[i]));
}

// How long each sample of a chunk holds; `after` is the time that the last one holds to.
HISTORIAN_SIMD void HoldTimes(const Timestamp* times, size_t size, Timestamp after, uint64_t* holds) {
  for (size_t i = 0; i + 1 < size; ++i) holds[i] = Elapsed(times[i], times[i + 1]);
  holds[size - 1] = Elapsed(times[size - 1], after);
}

// How long each sample and its predecessor hold together; `before` is when that of the first began to.
HISTORIAN_SIMD void PairTimes(const Timestamp* times, size_t size, Timestamp before, Timestamp after,
                              uint64_t* pairs) {
  if (size == 1) {
    pairs[0] = Elapsed(before, after);
    return;
  }
  pairs[0] = Elapsed(before, times[1]);
  for (size_t i = 1; i + 1 < size; ++i) pairs[i] = Elapsed(times[i - 1], times[i + 1]);
  pairs[size - 1] = Elapsed(times[size - 2], after);
}

}  // namespace

// The samples [begin, begin + size) of a run, and the segments that begin at them.
// Number is what the type's values are summed as: double or int64_t.
template <typename Number>
class RunFold::Chunk {
 public:
  Chunk(RunFold* fold, const SamplesView& run, size_t begin, size_t size, Tally* tally,
        const Segments& segments)
      : fold_(*fold),
        parts_(fold->parts_),
        run_(run),
        begin_(begin),
        size_(size),
        tally_(*tally),
        segments_(segments) {}

  void Fold() {
    if (fold_.type_ == ValueType::kFloat32) {
      FoldFloat32();
    } else {
      FoldAs(reinterpret_cast<const Number*>(run_.values + begin_));
    }
  }

 private:
  // What needs large buffers is out of line, so that small runs without them need not make room.
  [[gnu::noinline]] void FoldFloat32() {
    if constexpr (std::is_same_v<Number, double>) {
      double values[kChunk];
      Widen(run_.values + begin_, size_, values);
      FoldAs(values);
    }
  }

  void FoldAs(const Number* values) {
    const bool all_good = run_.qualities == nullptr || AreAllGood(run_.qualities + begin_, size_);
    if (!all_good || !FoldValues(values, size_, nullptr)) {
      FoldMixed(values);
      return;
    }
    const Timestamp* const times = run_.times + begin_;
    *segments_.good_ns += Elapsed(times[0], times[HasNext() ? size_ : size_ - 1]);
    if ((parts_ & kAreas) != 0) AddAreas(values);
    if ((parts_ & kQualities) != 0 && HasNext() && !IsUsableAt(begin_ + size_)) {
      *segments_.unsure_ns += Elapsed(times[size_ - 1], times[size_]);
    }
    if ((parts_ & kZeros) != 0 && CountOf(values, size_, Number{0}) > 0) {
      for (size_t i = 0; i < size_; ++i) {
        if (NumberAt(values, i) == 0 && (i + 1 < size_ || HasNext())) {
          *segments_.zero_ns += Elapsed(times[i], times[i + 1]);
        }
      }
    }
  }

  // Values at the given places of the chunk, null for one after another, all Good. False, and nothing is
  // done, when one is not finite.
  bool FoldValues(const Number* values, size_t size, const uint16_t* places) {
    bool is_exact = true;
    const bool extremes = (parts_ & kExtremes) != 0;
    const bool sums = (parts_ & kSums) != 0;
    if constexpr (std::is_same_v<Number, double>) {
      if (sums) {
        const auto fold_on_grid = [&] {
          return extremes ? FoldExtremesAndSum(values, size, fold_.sums_)
                          : FoldSum(values, size, fold_.sums_);
        };
        DoublesFold fold = fold_on_grid();
        if (!fold.exact) {
          if (!AreFinite(values, size)) return false;
          fold_.sums_ = SumGrid::Reaching(fold.magnitude);
          fold = fold_on_grid();
        }
        is_exact = fold.exact;
        if (is_exact) {
          tally_.sum.AddScaled(fold.sum, fold_.sums_.exponent());
        } else {
          tally_.sum.AddAll(values, size);
        }
        if (extremes) TakeExtremes(values, size, places, fold.min, fold.max);
      } else if (extremes) {
        const DoublesFold fold = FoldExtremes(values, size);
        if (!fold.exact) return false;
        TakeExtremes(values, size, places, fold.min, fold.max);
      } else if (!AreFinite(values, size)) {
        return false;
      }
    } else if (extremes || sums) {
      const IntsFold fold = !sums       ? FoldExtremes(values, size)
                            : !extremes ? FoldSum(values, size)
                                        : FoldExtremesAndSum(values, size);
      if (sums) tally_.sum.AddScaled(fold.sum, 0);
      if (extremes) TakeExtremes(values, size, places, fold.min, fold.max);
    }
    if ((parts_ & (kChanges | kQualities)) != 0) TakeOrder(values, size, places);
    tally_.good += size;
    if ((parts_ & kSquares) != 0) AddSquares(values, size);
    return true;
  }

  void TakeOrder(const Number* values, size_t size, const uint16_t* places) {
    const auto sample_at = [&](size_t i) { return SampleAt(begin_ + (places == nullptr ? i : places[i])); };
    if ((parts_ & kChanges) != 0) {
      tally_.changes += CountChanges(values, size);
      if (tally_.good > 0 && NumberOf(tally_.last_usable) != NumberAt(values, 0)) ++tally_.changes;
    }
    if (tally_.good == 0) tally_.first_usable = sample_at(0);
    tally_.last_usable = sample_at(size - 1);
  }

  void TakeExtremes(const Number* values, size_t size, const uint16_t* places, Number min, Number max) {
    const bool first = tally_.good == 0;
    const bool lower = first || min < NumberOf(tally_.min);
    const bool higher = first || max > NumberOf(tally_.max);
    if ((parts_ & kRepeats) != 0) {
      if (lower) {
        tally_.min_repeats = CountOf(values, size, min) > 1;
      } else if (min == NumberOf(tally_.min)) {
        tally_.min_repeats = true;
      }
      if (higher) {
        tally_.max_repeats = CountOf(values, size, max) > 1;
      } else if (max == NumberOf(tally_.max)) {
        tally_.max_repeats = true;
      }
    }
    if (!lower && !higher) return;
    const ExtremesAt at = PlacesOf(values, size, min, max);
    if (lower) tally_.min = SampleAt(begin_ + (places == nullptr ? at.min : places[at.min]));
    if (higher) tally_.max = SampleAt(begin_ + (places == nullptr ? at.max : places[at.max]));
  }

  void AddSquares(const Number* values, size_t size) {
    if constexpr (std::is_same_v<Number, double>) {
      tally_.sum_of_squares.AddAllSquares(values, size, &fold_.squares_);
    } else {
      tally_.sum_of_squares.AddAllSquares(values, size);
    }
  }

  // Adds the sum of products, halved or whole.
  void AddProducts(const Number* values, const uint64_t* weights, size_t size, bool halved, ExactSum* area) {
    if constexpr (std::is_same_v<Number, double>) {
      if (halved) {
        area->AddAllHalfProducts(values, weights, size, &fold_.areas_);
      } else {
        area->AddAllProducts(values, weights, size, &fold_.areas_);
      }
    } else {
      ExactSum sum;
      sum.AddAllProducts(values, weights, size);
      if (halved) sum.Halve();
      area->Add(sum);
    }
  }

  // When all samples of the chunk are usable.
  [[gnu::noinline]] void AddAreas(const Number* values) {
    const Timestamp* const times = run_.times + begin_;
    const Timestamp after = times[HasNext() ? size_ : size_ - 1];
    uint64_t weights[kChunk];
    if ((parts_ & kAreaStepped) != 0) {
      HoldTimes(times, size_, after, weights);
      AddProducts(values, weights, size_, false, segments_.area_stepped);
    }
    if ((parts_ & kAreaSloped) != 0) {
      // A segment whose end lies in the next chunk is left to that chunk's first sample; one that began in
      // the chunk before ends here, if its first end was usable.
      const bool joined = begin_ > 0 && IsUsableAt(begin_ - 1);
      PairTimes(times, size_, joined ? times[-1] : times[0], after, weights);
      AddProducts(values, weights, size_, true, segments_.area_sloped);
      if (HasNext() && !IsUsableAt(begin_ + size_)) {
        const uint64_t hold = Elapsed(times[size_ - 1], after);
        AddProducts(values + size_ - 1, &hold, 1, true, segments_.area_sloped);
      }
    }
  }

  [[gnu::noinline]] void FoldMixed(const Number* values) {
    // Usable values side by side, where they were, how long they hold, and with their usable predecessors.
    Number usable[kChunk];
    uint16_t places[kChunk];
    uint64_t holds[kChunk];
    uint64_t pairs[kChunk];
    // Those whose segment ends in an unusable sample: they count twice in it. Added apart, as the sum could
    // exceed 64 bits.
    Number ends[kChunk];
    uint64_t end_holds[kChunk];
    size_t count = 0;
    size_t end_count = 0;
    uint64_t good_ns = 0;
    uint64_t uncertain_ns = 0;
    uint64_t uncertain = 0;
    uint64_t joined_ns = 0;  // Between a usable predecessor and this sample.
    if (begin_ > 0 && IsUsableAt(begin_ - 1)) joined_ns = Elapsed(run_.times[begin_ - 1], run_.times[begin_]);
    bool next_usable = IsUsableAt(begin_);
    for (size_t k = 0; k < size_; ++k) {
      const size_t i = begin_ + k;
      const bool has_next = i + 1 < run_.size;
      const bool is_usable = next_usable;
      const bool is_uncertain = IsUncertain(run_.QualityAt(i));
      next_usable = has_next && IsUsableAt(i + 1);
      const uint64_t hold = has_next ? Elapsed(run_.times[i], run_.times[i + 1]) : 0;
      good_ns += is_usable ? hold : 0;
      uncertain_ns += is_uncertain ? hold : 0;
      uncertain += is_uncertain;
      // Written over by the next when it is not usable.
      const Number value = NumberAt(values, k);
      usable[count] = value;
      places[count] = static_cast<uint16_t>(k);
      holds[count] = hold;
      pairs[count] = hold + joined_ns;
      ends[end_count] = value;
      end_holds[end_count] = hold;
      count += is_usable;
      end_count += is_usable && has_next && !next_usable;
      joined_ns = is_usable ? hold : 0;
    }
    tally_.uncertain += uncertain;
    *segments_.good_ns += good_ns;
    *segments_.uncertain_ns += uncertain_ns;
    if (count == 0) return;
    HISTORIAN_CHECK(FoldValues(usable, count, places));
    if ((parts_ & kQualities) != 0) {
      for (size_t i = 0; i < end_count; ++i) *segments_.unsure_ns += end_holds[i];
    }
    if ((parts_ & kZeros) != 0) {
      for (size_t i = 0; i < count; ++i) *segments_.zero_ns += NumberAt(usable, i) == 0 ? holds[i] : 0;
    }
    if ((parts_ & kAreaStepped) != 0) AddProducts(usable, holds, count, false, segments_.area_stepped);
    if ((parts_ & kAreaSloped) != 0) {
      AddProducts(usable, pairs, count, true, segments_.area_sloped);
      AddProducts(ends, end_holds, end_count, true, segments_.area_sloped);
    }
  }

  bool HasNext() const { return begin_ + size_ < run_.size; }
  Sample SampleAt(size_t i) const { return {run_.times[i], run_.values[i], run_.QualityAt(i)}; }
  bool IsUsableAt(size_t i) const { return IsUsable(fold_.type_, run_.values[i], run_.QualityAt(i)); }
  Number NumberOf(const Sample& sample) const {
    if constexpr (std::is_same_v<Number, double>) {
      return ToDouble(fold_.type_, sample.value);
    } else {
      return Int64OfBits(sample.value);
    }
  }

  RunFold& fold_;
  const uint32_t parts_;
  const SamplesView& run_;
  const size_t begin_;
  const size_t size_;
  Tally& tally_;
  const Segments& segments_;
};

// Flat, as a run may be a dozen samples.
[[gnu::flatten]] void RunFold::Add(const SamplesView& run, Tally* tally, const Segments& segments) {
  const size_t last = run.size - 1;
  const bool numeric = IsNumeric(type_);
  if ((parts_ & kQualities) != 0) TakeWorst(run, tally);
  if (tally->count == 0) tally->first = {run.times[0], numeric ? run.values[0] : 0, run.QualityAt(0)};
  tally->last = {run.times[last], numeric ? run.values[last] : 0, run.QualityAt(last)};
  tally->count += run.size;
  if (!numeric) {
    AddStrings(run, tally, segments);
  } else if (IsFloat(type_)) {
    AddNumbers<double>(run, tally, segments);
  } else {
    // A bool and the code of a state are non-negative int64s.
    AddNumbers<int64_t>(run, tally, segments);
  }
}

void RunFold::TakeWorst(const SamplesView& run, Tally* tally) {
  if (tally->count == 0) tally->worst = run.QualityAt(0);
  if (run.qualities == nullptr || AreAllGood(run.qualities, run.size)) return;
  for (size_t i = 0; i < run.size; ++i) {
    const Quality quality = run.qualities[i];
    const Severity severity = SeverityOf(quality), worst = SeverityOf(tally->worst);
    if (severity > worst) {
      tally->worst = quality;
      tally->worst_repeats = false;
    } else if (severity == worst && !IsGood(quality) && (i > 0 || tally->count > 0)) {
      tally->worst_repeats = true;
    }
  }
}

template <typename Number>
void RunFold::AddNumbers(const SamplesView& run, Tally* tally, const Segments& segments) {
  for (size_t begin = 0; begin < run.size; begin += kChunk) {
    Chunk<Number>(this, run, begin, std::min(kChunk, run.size - begin), tally, segments).Fold();
  }
}

void RunFold::AddStrings(const SamplesView& run, Tally* tally, const Segments& segments) const {
  const auto sample_at = [&](size_t i) { return Sample{run.times[i], 0, run.QualityAt(i)}; };
  if (run.qualities == nullptr) {
    if ((parts_ & kQualities) != 0) {
      if (tally->good == 0) tally->first_usable = sample_at(0);
      tally->last_usable = sample_at(run.size - 1);
    }
    tally->good += run.size;
    *segments.good_ns += Elapsed(run.times[0], run.times[run.size - 1]);
    return;
  }
  for (size_t i = 0; i < run.size; ++i) {
    const Quality quality = run.qualities[i];
    if ((parts_ & kQualities) != 0 && IsGood(quality)) {
      if (tally->good == 0) tally->first_usable = sample_at(i);
      tally->last_usable = sample_at(i);
    }
    tally->good += IsGood(quality);
    tally->uncertain += IsUncertain(quality);
    if (i + 1 == run.size) break;
    const uint64_t hold = Elapsed(run.times[i], run.times[i + 1]);
    *segments.good_ns += IsGood(quality) ? hold : 0;
    *segments.uncertain_ns += IsUncertain(quality) ? hold : 0;
    if ((parts_ & kQualities) != 0 && IsGood(quality) && !IsGood(run.qualities[i + 1]))
      *segments.unsure_ns += hold;
  }
}

}  // namespace historian
