// File: storage/aggregate/figures.h
//
// How figures of intervals are made, and those of a run so that they can be cached: see figure_run.h.
#ifndef HISTORIAN_STORAGE_AGGREGATE_FIGURES_H_
#define HISTORIAN_STORAGE_AGGREGATE_FIGURES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/aggregate/even_intervals.h"
#include "storage/aggregate/figure_run.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/aggregate/summary.h"
#include "storage/model/tag.h"

namespace historian {

struct FigureMaker {
  // Makers with one id make the same of the same interval.
  std::string id;
  size_t columns = 0;
  uint32_t parts = 0;  // SummaryParts and IntervalParts that it looks at.
  // Fills row i of every column. On any thread, on several at once.
  std::function<void(const Interval& interval, size_t i, FigureTable to)> make;
};

// Makes a FigureRun of a run of samples, fed with samples and summaries in order of time. Threads: one
// builder, one thread.
class FigureRunBuilder {
 public:
  // Whether the run of samples from `first` to `last` may be cached: data do not begin or end with what is no data.
  static bool CanCache(const Sample& first, const Sample& last);

  // The run is from `first` to `last`, the times of its first and its last sample. `parts` are those of the
  // fold that the result is for (IntervalFold::parts). The maker must outlive the builder.
  // Requires IntervalFold::CanCache, CanCache, and with treat_uncertain_as_bad false that no sample is Uncertain.
  FigureRunBuilder(ValueType type, const FoldConfig& config, const EvenIntervals& intervals, uint32_t parts,
                   const FigureMaker& maker, Timestamp first, Timestamp last);
  FigureRunBuilder(const FigureRunBuilder&) = delete;
  FigureRunBuilder& operator=(const FigureRunBuilder&) = delete;

  bool FitsOneInterval(Timestamp first, Timestamp last) const;
  // As IntervalFold::Suffices.
  bool Suffices(const Summary& summary, bool is_all = false) const;
  // Requires that it fits, and that it suffices. A summary of no samples is ignored.
  void AddSummary(const Summary& summary);
  void Add(const SamplesView& samples);

  // Requires that all of the run was fed. Ends the builder.
  FigureRun Finish();

 private:
  // Takes notice that the next sample fed, or the one that begins what is fed, is this.
  void Enter(const Sample& next);
  void AddToEnd(const SamplesView& samples, Summary* end);
  void Feed(const Sample& sample) { fold_->Add({&sample.time, &sample.value, &sample.quality, nullptr, 1}); }

  const ValueType type_;
  const uint32_t parts_;
  // Of the finished intervals: head before, tail behind. The same where no interval is finished.
  Timestamp begin_;
  Timestamp end_;
  std::vector<Timestamp> edges_;
  FigureRun run_;
  std::vector<FigureColumn> rows_;
  std::optional<IntervalFold> fold_;  // Over the finished intervals, if there are any.
  FigureRun::Ends ends_;
  bool has_first_ = false;  // Whether a sample behind the head was fed.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_FIGURES_H_
