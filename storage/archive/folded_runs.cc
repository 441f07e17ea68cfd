#include "storage/archive/folded_runs.h"

#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A summary takes as much memory as ten samples, and making it costs as much as folding them: intervals with
// fewer samples than this are folded anew each time.
constexpr uint64_t kSamplesWorthASummary = 16;

}  // namespace

bool FoldedRuns::IsWorthwhile(const IntervalGrid& grid, uint64_t samples, Timestamp first, Timestamp last) {
  return samples / kSamplesWorthASummary >= Elapsed(first, last) / grid.step + 1;
}

absl::StatusOr<std::shared_ptr<const FoldedRun>> FoldedRuns::Get(
    const Key& key, absl::FunctionRef<absl::StatusOr<FoldedRun>()> fold) {
  using Loaded = LruCache<Key, FoldedRun>::Loaded;
  return runs_.Get(key, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(FoldedRun folded, fold());
    auto shared = std::make_shared<const FoldedRun>(std::move(folded));
    const size_t bytes = shared->MemoryBytes();
    return Loaded{std::move(shared), bytes};
  });
}

}  // namespace historian
