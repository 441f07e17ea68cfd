// File: storage/read/at_times_reader.h
//
// The values of a tag at times, from the nearest samples that count (storage/aggregate/at_time.h):
//
//   samples      o     x    o       o = counts, x = does not
//   time                 ^
//   looks        <-----------       back to the nearest that counts, over those that do not;
//                         --->      then ahead to the nearest that counts
#ifndef HISTORIAN_STORAGE_READ_AT_TIMES_READER_H_
#define HISTORIAN_STORAGE_READ_AT_TIMES_READER_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/read/read_view.h"

namespace historian {

// The most text that one call answers with, each sample's counted once.
inline constexpr size_t kAtTimesTextBytes = size_t{16} << 20;

// See Archive::ReadAtTimes. Requires valid times.
// Errors: ResourceExhausted, above kAtTimesTextBytes.
absl::StatusOr<Samples> ReadAtTimes(const ReadView& view, absl::Span<const Timestamp> times,
                                    Interpolation interpolation, bool uncertain_as_bad);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_AT_TIMES_READER_H_
