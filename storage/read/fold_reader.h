// File: storage/read/fold_reader.h
//
// Folds the samples of a tag into intervals, each part of the range by the shortest way there is:
//
//   partitions   |------settled------|------settled------|--------open--------|
//   edges          |     |     |     |     |     |     |     |     |     |
//   way            rollup's slots,     figures in the      clusters: summaries, and
//                  days before         cache, of all of    samples where an edge cuts
//                  hours and minutes   the partition       a page; cached figures of
//                                                          pages and blocks
//
// The nearest sample before the range, and the first at or behind its end, go into the fold as well. Where
// raw samples have expired they may be known only as the ends of slots of a rollup.
//
// One reader is made for a read of a tag. It can tell what folding a range would cost, and then fold it, all
// at once or in pieces.
#ifndef HISTORIAN_STORAGE_READ_FOLD_READER_H_
#define HISTORIAN_STORAGE_READ_FOLD_READER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/aggregate/figures.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/model/sample.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/read/evidence.h"

namespace historian {

struct ReadView;

// Sees the tag as it was when the reader was made, in every call. Keeps blocks from being deleted for as long
// as it lives.
//
// Edges:   ascending, two at least, within the times that samples may have.
// Threads: any number.
// Errors:  InvalidArgument, the edges are not such. FailedPrecondition, only rollups are left, and an edge
//          cuts one of their slots. DataLoss, stored bytes are damaged; names tag and time. KeepGoing's.
class FoldReader {
 public:
  virtual ~FoldReader() = default;

  // The sink is given the intervals between consecutive edges, in order. After an error it may have had some.
  virtual absl::Status Fold(absl::Span<const Timestamp> edges, const FoldConfig& config, uint32_t parts,
                            IntervalSink sink) const = 0;
  // Fills the table with the figures of the intervals. Those of what is stored are cached when the intervals
  // are even, so that asking again costs little more than copying them.
  virtual absl::Status Figures(absl::Span<const Timestamp> edges, const FoldConfig& config,
                               const FigureMaker& maker, FigureTable to) const = 0;
  // What Figures would cost: how much stored time it would have to fold, in nanoseconds. Time whose figures
  // are in the cache, or that has nothing stored, costs nothing; nor do the pieces of weeks at the ends of
  // even intervals, of whose pages and blocks figures are cached one by one. An estimate, made from memory. 0
  // when the edges are not valid.
  virtual uint64_t NanosToFold(absl::Span<const Timestamp> edges, const FoldConfig& config,
                               const FigureMaker& maker) const = 0;

  // The time of the newest sample that may be visible; nothing when there is none. Of what is stored last: it costs nothing
  // but as of an earlier version, when the sample is looked for.
  virtual absl::StatusOr<std::optional<Timestamp>> NewestTime() const = 0;
  // The newest visible sample before t, and the first at or after it.
  virtual absl::StatusOr<std::optional<Sample>> SampleBefore(Timestamp t) const = 0;
  virtual absl::StatusOr<std::optional<Sample>> SampleAtOrAfter(Timestamp t) const = 0;

  // What the figures of an interval rest on. Errors: InvalidArgument, the interval is none.
  virtual absl::StatusOr<Evidence> Gather(const EvidenceRequest& request) const = 0;
};

std::unique_ptr<FoldReader> NewFoldReader(ReadView view);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_FOLD_READER_H_
