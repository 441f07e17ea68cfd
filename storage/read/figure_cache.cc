#include "storage/read/figure_cache.h"

#include "storage/model/status_macros.h"

namespace historian {
namespace {

// Figures of an interval take as much memory as some samples, and making them costs as much as folding ten:
// intervals with fewer samples than this are folded anew each time.
constexpr uint64_t kSamplesWorthFigures = 16;

}  // namespace

bool FigureCache::IsWorthwhile(const EvenIntervals& intervals, uint64_t samples, Timestamp first,
                               Timestamp last) {
  return samples / kSamplesWorthFigures >= Elapsed(first, last) / intervals.step + 1;
}

absl::StatusOr<std::shared_ptr<const FigureRun>> FigureCache::Get(
    const Key& key, absl::FunctionRef<absl::StatusOr<FigureRun>()> make) {
  using Loaded = LruCache<Key, FigureRun>::Loaded;
  return runs_.Get(key, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(FigureRun run, make());
    auto shared = std::make_shared<const FigureRun>(std::move(run));
    const size_t bytes = shared->MemoryBytes();
    return Loaded{std::move(shared), bytes};
  });
}

}  // namespace historian
