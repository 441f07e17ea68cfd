#include "storage/tail/frozen_tail.h"

#include <algorithm>

namespace historian {

bool TailView::Reaches(Timestamp first, Timestamp last) const {
  const auto reaches = [&](const PageRun& run) {
    return !run.empty() && run.first_time() <= last && run.last_time() >= first;
  };
  return std::any_of(runs.begin(), runs.end(), reaches) ||
         (frozen != nullptr && std::any_of(frozen->runs.begin(), frozen->runs.end(), reaches));
}

}  // namespace historian
