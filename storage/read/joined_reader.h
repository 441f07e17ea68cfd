// File: storage/read/joined_reader.h
//
// One tag of a joined read (many tags on one axis of time): its values at times that rise, in one walk over its samples.
//
//   samples     o    x     o   o         o = counts, x = does not (storage/aggregate/at_time.h)
//   stretch     [----------)             from one that counts to the next: what lies in it is answered from those two
//   times       ^  ^  ^  ^  ^  ^  ^
//
// Threads: one at a time. Errors: DataLoss, stored bytes are damaged; names tag and time. KeepGoing's.
#ifndef HISTORIAN_STORAGE_READ_JOINED_READER_H_
#define HISTORIAN_STORAGE_READ_JOINED_READER_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"

namespace historian {

struct ReadView;

// Sees the tag as it was when the reader was made. Keeps blocks from being deleted for as long as it lives.
class JoinedReader {
 public:
  virtual ~JoinedReader() = default;

  // Appends what Archive::ReadAtTimes answers for the first n of `times`, and returns n: all of them, or fewer when their texts have
  // reached text_max bytes, each time's counted. At least one unless there is none.
  // Requires valid times that rise, none of them before one of an earlier call.
  virtual absl::StatusOr<size_t> Read(absl::Span<const Timestamp> times, size_t text_max, Samples* to) = 0;
  // Appends the times of the tag's samples, of any quality, in [start, end): the first `max` of them.
  virtual absl::Status AppendTimes(Timestamp start, Timestamp end, size_t max,
                                   std::vector<Timestamp>* to) = 0;
};

std::unique_ptr<JoinedReader> NewJoinedReader(ReadView view, Interpolation interpolation,
                                              bool uncertain_as_bad);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_JOINED_READER_H_
