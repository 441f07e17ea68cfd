// File: storage/aggregate/run_fold.h
//
// Folds runs of samples into a Tally and into the time between them: what Summarize and IntervalFold share.
#ifndef HISTORIAN_STORAGE_AGGREGATE_RUN_FOLD_H_
#define HISTORIAN_STORAGE_AGGREGATE_RUN_FOLD_H_

#include <cstdint>

#include "storage/aggregate/column_fold.h"
#include "storage/aggregate/exact_sum.h"
#include "storage/aggregate/tally.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

class RunFold {
 public:
  // Where the segments between samples are added. What belongs to a part that is not requested may be null.
  struct Segments {
    uint64_t* good_ns;
    uint64_t* uncertain_ns;
    uint64_t* unsure_ns;
    uint64_t* zero_ns;
    ExactSum* area_stepped;
    ExactSum* area_sloped;
  };

  // `parts` is of SummaryParts.
  RunFold(ValueType type, uint32_t parts) : type_(type), parts_(parts) {}

  // Adds a run, and the segments between its samples. Requires that the run is not empty and comes after
  // what the tally has. One fold may serve many tallies; it remembers which grids suited the values.
  void Add(const SamplesView& run, Tally* tally, const Segments& segments);

 private:
  template <typename Number>
  class Chunk;

  // Takes the qualities of a run that was not yet added.
  static void TakeWorst(const SamplesView& run, Tally* tally);
  void AddStrings(const SamplesView& run, Tally* tally, const Segments& segments) const;
  template <typename Number>
  void AddNumbers(const SamplesView& run, Tally* tally, const Segments& segments);

  const ValueType type_;
  const uint32_t parts_;
  SumGrid sums_;
  SumGrid squares_;
  SumGrid areas_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_RUN_FOLD_H_
