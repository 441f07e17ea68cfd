#include "storage/aggregate/even_intervals.h"

namespace historian {
namespace {

Timestamp Later(uint64_t ns) {
  if (ns > Elapsed(kTimestampMin, kTimestampMax)) return kTimestampMax + 1;
  return static_cast<Timestamp>(static_cast<uint64_t>(kTimestampMin) + ns);
}

}  // namespace

std::optional<EvenIntervals> EvenIntervals::Of(absl::Span<const Timestamp> edges) {
  if (edges.size() < 3) return std::nullopt;
  const uint64_t step = Elapsed(edges[0], edges[1]);
  for (size_t i = 2; i + 1 < edges.size(); ++i) {
    if (Elapsed(edges[i - 1], edges[i]) != step) return std::nullopt;
  }
  return EvenIntervals{step, Elapsed(kTimestampMin, edges[0]) % step};
}

// With two steps and more within all time, no product here exceeds 64 bits.

Timestamp EvenIntervals::BeginOfInterval(Timestamp t) const {
  const uint64_t interval = IntervalOf(t);
  return interval == 0 ? kTimestampMin : Later((interval - 1) * step + phase);
}

Timestamp EvenIntervals::EndOfInterval(Timestamp t) const { return Later(IntervalOf(t) * step + phase); }

}  // namespace historian
