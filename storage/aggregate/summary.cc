#include "storage/aggregate/summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include "storage/model/check.h"
#include "storage/model/simd.h"

namespace historian {
namespace {

// Samples handled at a time, so that what is derived from them stays in the first-level cache.
constexpr size_t kChunk = 1024;

// A bool and the code of a state are non-negative int64s.
bool IsInteger(ValueType type) { return type != ValueType::kString && !IsFloat(type); }

bool IsFiniteValue(ValueType type, ValueBits value) {
  return !IsFloat(type) || std::isfinite(ToDouble(type, value));
}

bool Less(ValueType type, ValueBits a, ValueBits b) {
  return IsFloat(type) ? ToDouble(type, a) < ToDouble(type, b) : Int64OfBits(a) < Int64OfBits(b);
}

void AddProductOf(ValueType type, ValueBits value, uint64_t n, ExactSum* sum) {
  if (IsFloat(type)) {
    sum->AddProduct(ToDouble(type, value), n);
  } else {
    sum->AddIntProduct(Int64OfBits(value), n);
  }
}

// The segment from a to b, a usable. `doubled` is twice the sloped area.
void AddSegment(ValueType type, ValueBits a, ValueBits b, bool b_usable, uint64_t ns, ExactSum* stepped,
                ExactSum* doubled) {
  if (stepped != nullptr) AddProductOf(type, a, ns, stepped);
  if (doubled == nullptr) return;
  AddProductOf(type, a, ns, doubled);
  AddProductOf(type, b_usable ? b : a, ns, doubled);
}

// Adds the duration of the segment after a sample.
void AddDuration(bool usable, Quality quality, uint64_t ns, Summary* summary) {
  if (usable) {
    summary->good_ns += ns;
  } else if (IsUncertain(quality)) {
    summary->uncertain_ns += ns;
  }
}

HISTORIAN_SIMD bool AreAllGood(const Quality* qualities, size_t size) {
  Quality all = 0;
  for (size_t i = 0; i < size; ++i) all |= qualities[i];
  return (all >> 30) == 0;
}

// Whether all are finite. A difference of a number from itself is zero but for NaN and the infinities.
HISTORIAN_SIMD bool AreFinite(const double* values, size_t size) {
  uint64_t any = 0;
  for (size_t i = 0; i < size; ++i) any |= std::bit_cast<uint64_t>(values[i] - values[i]);
  return any == 0;
}

HISTORIAN_SIMD void Widen(const ValueBits* float32s, size_t size, double* values) {
  for (size_t i = 0; i < size; ++i) values[i] = std::bit_cast<float>(static_cast<uint32_t>(float32s[i]));
}

template <typename Number>
struct Extremes {
  Number min;
  Number max;
};

// Columns in registers of four numbers; the compiler does not find these loops by itself.
typedef double FourDoubles __attribute__((vector_size(32)));
typedef int64_t FourInts __attribute__((vector_size(32)));

// Requires size > 0 and no NaN. Eight at a time, for a comparison must wait for the one before it.
template <typename Number, typename Four>
[[gnu::always_inline]] inline Extremes<Number> ExtremesIn(const Number* values, size_t size) {
  Extremes<Number> found = {values[0], values[0]};
  size_t i = 0;
  if (size >= 8) {
    Four min[2], max[2];
    std::memcpy(min, values, sizeof(min));
    std::memcpy(max, values, sizeof(max));
    for (i = 8; i + 8 <= size; i += 8) {
      for (size_t k = 0; k < 2; ++k) {
        Four v;
        std::memcpy(&v, values + i + 4 * k, sizeof(v));
        min[k] = v < min[k] ? v : min[k];
        max[k] = v > max[k] ? v : max[k];
      }
    }
    min[0] = min[1] < min[0] ? min[1] : min[0];
    max[0] = max[1] > max[0] ? max[1] : max[0];
    for (size_t k = 0; k < 4; ++k) {
      found.min = std::min<Number>(found.min, min[0][k]);
      found.max = std::max<Number>(found.max, max[0][k]);
    }
  }
  for (; i < size; ++i) {
    found.min = std::min(found.min, values[i]);
    found.max = std::max(found.max, values[i]);
  }
  return found;
}

HISTORIAN_SIMD Extremes<double> ExtremesOf(const double* values, size_t size) {
  return ExtremesIn<double, FourDoubles>(values, size);
}

HISTORIAN_SIMD Extremes<int64_t> ExtremesOf(const int64_t* values, size_t size) {
  return ExtremesIn<int64_t, FourInts>(values, size);
}

// The first index of `value`, which is there.
template <typename Number, typename Four>
[[gnu::always_inline]] inline size_t IndexIn(const Number* values, size_t size, Number value) {
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    FourInts any = {};
    for (size_t k = 0; k < 4; ++k) {
      Four v;
      std::memcpy(&v, values + i + 4 * k, sizeof(v));
      any |= (FourInts)(v == value);
    }
    if ((any[0] | any[1] | any[2] | any[3]) != 0) break;
  }
  while (i < size && values[i] != value) ++i;
  return i;
}

HISTORIAN_SIMD size_t IndexOf(const double* values, size_t size, double value) {
  return IndexIn<double, FourDoubles>(values, size, value);
}

HISTORIAN_SIMD size_t IndexOf(const int64_t* values, size_t size, int64_t value) {
  return IndexIn<int64_t, FourInts>(values, size, value);
}

// For a chunk without unusable samples at times[0, size), with the time before it and after it (its own edges
// where the run ends): how long each sample holds, and how long it and its predecessor hold together.
HISTORIAN_SIMD void HoldTimes(const Timestamp* times, size_t size, Timestamp after, uint64_t* holds) {
  for (size_t i = 0; i + 1 < size; ++i) holds[i] = Elapsed(times[i], times[i + 1]);
  holds[size - 1] = Elapsed(times[size - 1], after);
}

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

// Folds the chunk [begin, begin + size) of the run into *summary, with the segments that begin in it.
// Number is what the type's values are summed as: double or int64_t.
template <typename Number>
class Folder {
 public:
  Folder(ValueType type, const SamplesView& run, uint32_t parts, Summary* summary)
      : type_(type), run_(run), parts_(parts), summary_(*summary) {}

  void Fold(size_t begin, size_t size) {
    const bool all_good = run_.qualities == nullptr || AreAllGood(run_.qualities + begin, size);
    const Number* values = NumbersAt(begin, size);
    if (all_good && AllFinite(values, size)) {
      FoldUsable(begin, size, values);
    } else {
      FoldMixed(begin, size, values);
    }
  }

  // Once, after the last chunk.
  void Finish() {
    doubled_.Halve();
    summary_.area_sloped = std::move(doubled_);
  }

 private:
  const Number* NumbersAt(size_t begin, size_t size) {
    if (type_ == ValueType::kFloat32) {
      Widen(run_.values + begin, size, reinterpret_cast<double*>(buffer_));
      return buffer_;
    }
    return reinterpret_cast<const Number*>(run_.values + begin);
  }

  static bool AllFinite(const Number* values, size_t size) {
    if constexpr (std::is_same_v<Number, double>) {
      return AreFinite(values, size);
    } else {
      return true;
    }
  }

  void FoldUsable(size_t begin, size_t size, const Number* values) {
    const Timestamp* times = run_.times + begin;
    const size_t last = begin + size - 1;
    const Timestamp after = last + 1 < run_.size ? run_.times[last + 1] : run_.times[last];
    summary_.good_ns += Elapsed(times[0], after);
    if ((parts_ & kExtremes) != 0) {
      const Extremes<Number> found = ExtremesOf(values, size);
      const bool first = summary_.good == 0;
      if (first || found.min < NumberOf(summary_.min)) {
        summary_.min = SampleAt(begin + IndexOf(values, size, found.min));
      }
      if (first || found.max > NumberOf(summary_.max)) {
        summary_.max = SampleAt(begin + IndexOf(values, size, found.max));
      }
    }
    summary_.good += size;
    if ((parts_ & kSums) != 0) summary_.sum.AddAll(values, size);
    if ((parts_ & kSquares) != 0) summary_.sum_of_squares.AddAllSquares(values, size);
    if ((parts_ & kAreaStepped) != 0) {
      HoldTimes(times, size, after, weights_);
      summary_.area_stepped.AddAllProducts(values, weights_, size);
    }
    if ((parts_ & kAreaSloped) != 0) {
      // A segment whose end lies in the next chunk is left to that chunk's first sample; one that began in
      // the chunk before ends here, if its first end was usable.
      const bool joined = begin > 0 && IsUsableAt(begin - 1);
      PairTimes(times, size, joined ? run_.times[begin - 1] : times[0], after, weights_);
      doubled_.AddAllProducts(values, weights_, size);
      if (last + 1 < run_.size && !IsUsableAt(last + 1)) {
        AddProductOf(type_, run_.values[last], Elapsed(times[size - 1], after), &doubled_);
      }
    }
  }

  void FoldMixed(size_t begin, size_t size, const Number* values) {
    // Usable values side by side, for the sums.
    Number* usable = buffer_;
    size_t count = 0;
    bool previous_usable = false;
    bool is_usable = begin > 0 && IsUsableAt(begin - 1);
    bool next_usable = IsUsableAt(begin);
    for (size_t i = begin; i < begin + size; ++i) {
      const Number value = values[i - begin];
      const Quality quality = run_.QualityAt(i);
      const bool has_next = i + 1 < run_.size;
      previous_usable = std::exchange(is_usable, next_usable);
      next_usable = has_next && IsUsableAt(i + 1);
      const uint64_t hold = has_next ? Elapsed(run_.times[i], run_.times[i + 1]) : 0;
      AddDuration(is_usable, quality, hold, &summary_);
      if (!is_usable) {
        if (IsUncertain(quality)) ++summary_.uncertain;
        continue;
      }
      if ((parts_ & kExtremes) != 0) {
        if (summary_.good == 0 || value < NumberOf(summary_.min)) summary_.min = SampleAt(i);
        if (summary_.good == 0 || value > NumberOf(summary_.max)) summary_.max = SampleAt(i);
      }
      ++summary_.good;
      usable[count++] = value;
      if ((parts_ & kAreas) == 0) continue;
      weights_[count - 1] = hold;
      if ((parts_ & kAreaSloped) == 0) continue;
      // Twice the share of this sample in the segments on both its sides. It counts twice in one that ends in
      // an unusable sample; that is added apart, as the sum could exceed 64 bits.
      pairs_[count - 1] = hold + (previous_usable ? Elapsed(run_.times[i - 1], run_.times[i]) : 0);
      if (has_next && !next_usable) AddProductOf(type_, run_.values[i], hold, &doubled_);
    }
    if ((parts_ & kSums) != 0) summary_.sum.AddAll(usable, count);
    if ((parts_ & kSquares) != 0) summary_.sum_of_squares.AddAllSquares(usable, count);
    if ((parts_ & kAreaStepped) != 0) summary_.area_stepped.AddAllProducts(usable, weights_, count);
    if ((parts_ & kAreaSloped) != 0) doubled_.AddAllProducts(usable, pairs_, count);
  }

  Sample SampleAt(size_t i) const { return {run_.times[i], run_.values[i], run_.QualityAt(i)}; }
  bool IsUsableAt(size_t i) const { return IsUsable(type_, run_.values[i], run_.QualityAt(i)); }
  Number NumberOf(const Sample& sample) const {
    if constexpr (std::is_same_v<Number, double>) {
      return ToDouble(type_, sample.value);
    } else {
      return Int64OfBits(sample.value);
    }
  }

  const ValueType type_;
  const SamplesView& run_;
  const uint32_t parts_;
  Summary& summary_;
  ExactSum doubled_;  // Twice the sloped area.
  Number buffer_[kChunk];
  uint64_t weights_[kChunk];
  uint64_t pairs_[kChunk];
};

template <typename Number>
void FoldNumbers(ValueType type, const SamplesView& samples, uint32_t parts, Summary* summary) {
  Folder<Number> folder(type, samples, parts, summary);
  for (size_t begin = 0; begin < samples.size; begin += kChunk) {
    folder.Fold(begin, std::min(kChunk, samples.size - begin));
  }
  folder.Finish();
}

void FoldStrings(const SamplesView& samples, Summary* summary) {
  if (samples.qualities == nullptr) {
    summary->good = samples.size;
    summary->good_ns = Elapsed(samples.times[0], samples.times[samples.size - 1]);
    return;
  }
  for (size_t i = 0; i < samples.size; ++i) {
    const Quality quality = samples.qualities[i];
    summary->good += IsGood(quality);
    summary->uncertain += IsUncertain(quality);
    if (i + 1 == samples.size) break;
    AddDuration(IsGood(quality), quality, Elapsed(samples.times[i], samples.times[i + 1]), summary);
  }
}

}  // namespace

Summary Summarize(ValueType type, const SamplesView& samples, uint32_t parts) {
  Summary summary;
  if (samples.size == 0) return summary;
  const size_t last = samples.size - 1;
  summary.count = samples.size;
  summary.first = {samples.times[0], samples.values[0], samples.QualityAt(0)};
  summary.last = {samples.times[last], samples.values[last], samples.QualityAt(last)};
  if (type == ValueType::kString) {
    summary.first.value = 0;
    summary.last.value = 0;
    FoldStrings(samples, &summary);
  } else if (IsInteger(type)) {
    FoldNumbers<int64_t>(type, samples, parts, &summary);
  } else {
    FoldNumbers<double>(type, samples, parts, &summary);
  }
  return summary;
}

void Merge(ValueType type, const Summary& b, Summary* a, uint32_t parts) {
  if (b.count == 0) return;
  if (a->count == 0) {
    *a = b;
    if ((parts & kExtremes) == 0) a->min = a->max = Sample();
    if ((parts & kSums) == 0) a->sum = ExactSum();
    if ((parts & kSquares) == 0) a->sum_of_squares = ExactSum();
    if ((parts & kAreaStepped) == 0) a->area_stepped = ExactSum();
    if ((parts & kAreaSloped) == 0) a->area_sloped = ExactSum();
    return;
  }
  HISTORIAN_CHECK(a->last.time < b.first.time);
  if (IsNumeric(type)) {
    if ((parts & kExtremes) != 0 && b.good > 0) {
      if (a->good == 0 || Less(type, b.min.value, a->min.value)) a->min = b.min;
      if (a->good == 0 || Less(type, a->max.value, b.max.value)) a->max = b.max;
    }
    if ((parts & kSums) != 0) a->sum.Add(b.sum);
    if ((parts & kSquares) != 0) a->sum_of_squares.Add(b.sum_of_squares);
    if ((parts & kAreaStepped) != 0) a->area_stepped.Add(b.area_stepped);
    if ((parts & kAreaSloped) != 0) a->area_sloped.Add(b.area_sloped);
  }
  const uint64_t between_ns = Elapsed(a->last.time, b.first.time);
  const bool usable = IsUsable(type, a->last.value, a->last.quality);
  AddDuration(usable, a->last.quality, between_ns, a);
  if (usable && IsNumeric(type) && (parts & kAreas) != 0) {
    const bool end_usable = IsUsable(type, b.first.value, b.first.quality);
    ExactSum doubled;
    AddSegment(type, a->last.value, b.first.value, end_usable, between_ns,
               (parts & kAreaStepped) != 0 ? &a->area_stepped : nullptr, &doubled);
    if ((parts & kAreaSloped) != 0) {
      doubled.Halve();
      a->area_sloped.Add(doubled);
    }
  }
  a->count += b.count;
  a->good += b.good;
  a->uncertain += b.uncertain;
  a->good_ns += b.good_ns;
  a->uncertain_ns += b.uncertain_ns;
  a->last = b.last;
}

bool IsUsable(ValueType type, ValueBits value, Quality quality) {
  return IsGood(quality) && IsFiniteValue(type, value);
}

}  // namespace historian
