#include "storage/tail/frozen_tail.h"

#include <algorithm>
#include <utility>

#include "storage/model/status_macros.h"

namespace historian {
namespace {

// What of the runs was stated by the version.
absl::StatusOr<std::vector<PageRun>> RunsAsOf(ValueType type, const std::vector<PageRun>& runs, Version as_of,
                                              const VersionTable& versions) {
  std::vector<PageRun> result;
  for (const PageRun& run : runs) {
    PageRun& of_run = result.emplace_back();
    for (const EncodedPagePtr& page : run.pages) {
      if (page->versions.highest <= as_of) {
        of_run.AddPage(page);
      } else if (page->versions.lowest <= as_of) {
        Samples all, stated;
        RETURN_IF_ERROR(DecodeEncodedPage(type, *page, versions, &all));
        AppendAsOf(type, all.View(), as_of, &stated);
        of_run.AddPage(MakeEncodedPage(type, stated.View(), nullptr));
      }
    }
    AppendAsOf(type, run.raw.View(), as_of, &of_run.raw);
  }
  return result;
}

}  // namespace

bool TailView::Reaches(Timestamp first, Timestamp last) const {
  const auto reaches = [&](const PageRun& run) {
    return !run.empty() && run.first_time() <= last && run.last_time() >= first;
  };
  return std::any_of(runs.begin(), runs.end(), reaches) ||
         (frozen != nullptr && std::any_of(frozen->runs.begin(), frozen->runs.end(), reaches));
}

absl::StatusOr<std::shared_ptr<const TailView>> TailView::AsOf(ValueType type, Version as_of,
                                                               const VersionTable& versions) const {
  auto view = std::make_shared<TailView>();
  ASSIGN_OR_RETURN(view->runs, RunsAsOf(type, runs, as_of, versions));
  if (frozen != nullptr) {
    auto stated = std::make_shared<FrozenTail>();
    stated->type = type;
    ASSIGN_OR_RETURN(stated->runs, RunsAsOf(type, frozen->runs, as_of, versions));
    view->frozen = std::move(stated);
  }
  return std::shared_ptr<const TailView>(std::move(view));
}

}  // namespace historian
