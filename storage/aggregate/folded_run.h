// File: storage/aggregate/folded_run.h
//
// A run of samples folded into consecutive intervals: for each interval that it touches, the summary of its
// samples there. Kept as columns, of the parts that were asked for, and without what plain data have no need
// of (all samples Good and usable): 36 to 84 bytes an interval where a Summary has 340.
#ifndef HISTORIAN_STORAGE_AGGREGATE_FOLDED_RUN_H_
#define HISTORIAN_STORAGE_AGGREGATE_FOLDED_RUN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/aggregate/sum_column.h"
#include "storage/aggregate/summary.h"

namespace historian {

class FoldedRun {
 public:
  explicit FoldedRun(uint32_t parts) : parts_(parts) {}

  // In order of time; each with at least one sample and the parts asked for.
  void Append(const Summary& summary);
  void ShrinkToFit();

  size_t size() const { return spans_.size(); }
  // The first part that begins at or after t; or size().
  size_t FirstAtOrAfter(Timestamp t) const;
  Sample first(size_t i) const {
    return {spans_[i].first_time, spans_[i].first, QualityOf(i, &Mixture::first)};
  }
  Sample last(size_t i) const { return {spans_[i].last_time, spans_[i].last, QualityOf(i, &Mixture::last)}; }
  uint64_t good_ns(size_t i) const {
    return mixtures_.empty() ? Elapsed(spans_[i].first_time, spans_[i].last_time) : mixtures_[i].good_ns;
  }
  uint64_t uncertain_ns(size_t i) const { return mixtures_.empty() ? 0 : mixtures_[i].uncertain_ns; }
  // Requires the part.
  ExactSum area_stepped(size_t i) const { return stepped_.Get(i); }
  ExactSum area_sloped(size_t i) const { return sloped_.Get(i); }
  // Overwrites what this holds of a tally; the rest must be zero.
  void GetTally(size_t i, Tally* tally) const;
  // As it was appended, but for parts that were not asked for.
  Summary Get(size_t i) const;

  size_t MemoryBytes() const;

 private:
  struct Span {
    Timestamp first_time, last_time;
    ValueBits first, last;
  };
  struct Extremes {
    Timestamp min_time, max_time;
    ValueBits min, max;
  };
  // What follows from the rest when all samples are usable and no quality has a bit set.
  struct Mixture {
    uint64_t count, good, uncertain, good_ns, uncertain_ns;
    Quality first, last, min, max;
  };
  static bool IsPlain(const Summary& summary);
  Mixture PlainMixture(size_t i) const;
  Quality QualityOf(size_t i, Quality Mixture::*quality) const {
    return mixtures_.empty() ? kGood : mixtures_[i].*quality;
  }

  const uint32_t parts_;
  std::vector<Span> spans_;
  std::vector<uint32_t> counts_;
  std::vector<Mixture> mixtures_;   // Empty while all are plain.
  std::vector<Extremes> extremes_;  // These and the sums: as long as spans_, or empty.
  SumColumn sums_, squares_, stepped_, sloped_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_FOLDED_RUN_H_
