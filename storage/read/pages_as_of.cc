#include "storage/read/pages_as_of.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/model/status_macros.h"
#include "storage/sealed/superseded.h"

namespace historian {

absl::StatusOr<PagesAsOf> ReadPagesAsOf(const ReadView& view, int32_t partition, const StoredHeads& heads,
                                        PageFetcher& pages, absl::Status* damage) {
  PagesAsOf as_of{.version = view.as_of};
  std::vector<Timestamp> starts;
  for (const StoredHead& head : heads.heads) {
    for (size_t i = 0; i < head.head.pages.size(); ++i) {
      const format::PageInfo& page = head.head.pages[i];
      if (!as_of.Sees(page)) continue;
      starts.push_back(page.summary.first.time);
      if (page.highest_version <= view.as_of) continue;
      RETURN_IF_ERROR(view.GoOn());
      const absl::StatusOr<Samples> all = pages.ReadStated(head, i, view.versions);
      if (!all.ok()) {
        if (!absl::IsDataLoss(all.status())) return all.status();
        *damage = all.status();
        continue;
      }
      Samples seen;
      AppendAsOf(view.type, all->View(), view.as_of, &seen);
      if (seen.empty()) continue;
      as_of.in_part.emplace(std::pair(&head, i), MakeEncodedPage(view.type, seen.View(), nullptr));
    }
  }
  std::sort(starts.begin(), starts.end());
  ASSIGN_OR_RETURN(as_of.superseded, SupersededAsOf(view.store, view.versions, partition, view.tag, view.type,
                                                    view.as_of, starts));
  return as_of;
}

}  // namespace historian
