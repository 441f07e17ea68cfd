// File: storage/aggregate/run_end.h
//
// Where a run of samples that lie in one interval ends, found in a step or two when samples come at a steady
// rate.
#ifndef HISTORIAN_STORAGE_AGGREGATE_RUN_END_H_
#define HISTORIAN_STORAGE_AGGREGATE_RUN_END_H_

#include <algorithm>
#include <cstddef>

#include "storage/model/timestamp.h"

namespace historian {

// Returns the first of the ascending times [from, to) that is not before t, or `to`. Searches from the front
// in doubling steps, as the result is mostly near.
inline const Timestamp* Gallop(const Timestamp* from, const Timestamp* to, Timestamp t) {
  size_t step = 1;
  while (step < static_cast<size_t>(to - from) && from[step - 1] < t) {
    from += step;
    step *= 2;
  }
  return std::lower_bound(from, from + std::min<size_t>(step, to - from), t);
}

// The same if the result is times[guess] or a neighbour of it, else null. Requires guess > 0.
inline const Timestamp* Near(const Timestamp* times, size_t size, Timestamp t, size_t guess) {
  if (guess + 2 > size) return nullptr;
  // Without a branch that depends on which.
  const Timestamp* const found = times + guess - 1 + (times[guess - 1] < t) + (times[guess] < t);
  const bool is_first = found == times || found[-1] < t;
  return is_first && *found >= t ? found : nullptr;
}

// The same for times about as far apart as those before. `size_before` is how many of those were in the
// previous interval; 0: not known. Requires that the first time is before t.
inline const Timestamp* EndOfRun(const Timestamp* times, size_t size, Timestamp t, size_t size_before) {
  const Timestamp last = times[size - 1];
  if (last < t) return times + size;
  if (size_before > 0) {
    if (const Timestamp* found = Near(times, size, t, size_before)) return found;
  }
  const double share =
      static_cast<double>(Elapsed(times[0], t)) / static_cast<double>(Elapsed(times[0], last));
  const size_t guess = 1 + static_cast<size_t>(share * static_cast<double>(size - 1));
  if (const Timestamp* found = Near(times, size, t, guess)) return found;
  return Gallop(times, times + size, t);
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_RUN_END_H_
