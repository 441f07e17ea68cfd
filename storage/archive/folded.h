// File: storage/archive/folded.h
//
// For tests: folds of a tag in one call.
#ifndef HISTORIAN_STORAGE_ARCHIVE_FOLDED_H_
#define HISTORIAN_STORAGE_ARCHIVE_FOLDED_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/archive/archive.h"
#include "storage/model/status_macros.h"
#include "storage/read/fold_reader.h"

namespace historian {

// The intervals between the edges, gathered.
inline absl::StatusOr<std::vector<Interval>> Folded(Archive& archive, TagId tag,
                                                    absl::Span<const Timestamp> edges,
                                                    const FoldConfig& config, uint32_t parts,
                                                    Version as_of = kVersionNow) {
  ASSIGN_OR_RETURN(const std::unique_ptr<FoldReader> reader, archive.ReadFolded(tag, nullptr, as_of));
  std::vector<Interval> intervals;
  RETURN_IF_ERROR(reader->Fold(edges, config, parts, AppendTo(&intervals)));
  return intervals;
}

inline absl::Status FoldedFigures(Archive& archive, TagId tag, absl::Span<const Timestamp> edges,
                                  const FoldConfig& config, const FigureMaker& maker, FigureTable to,
                                  Version as_of = kVersionNow) {
  ASSIGN_OR_RETURN(const std::unique_ptr<FoldReader> reader, archive.ReadFolded(tag, nullptr, as_of));
  return reader->Figures(edges, config, maker, to);
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_FOLDED_H_
