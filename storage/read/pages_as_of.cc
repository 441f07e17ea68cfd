#include "storage/read/pages_as_of.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/format/page.h"
#include "storage/model/status_macros.h"
#include "storage/sealed/superseded.h"

namespace historian {

namespace {

// A page encoded anew holds no more than this.
constexpr size_t kPageSamplesMost = 4 * format::kPageSamples;

// Superseded statements that the version saw, to be taken once each.
class SupersededToTake {
 public:
  SupersededToTake(ValueType type, Samples samples)
      : type_(type), samples_(std::move(samples)), taken_(samples_.size(), false) {}

  // Adds those from first to last that were not taken to *samples, which have others of the page, and sorts them. Where both
  // have a time, theirs is the later statement: what replaced it the version did not see.
  void AddTo(Timestamp first, Timestamp last, Samples* samples) {
    const std::vector<Timestamp>& times = samples_.times;
    const size_t begin = std::lower_bound(times.begin(), times.end(), first) - times.begin();
    const size_t end = std::upper_bound(times.begin() + begin, times.end(), last) - times.begin();
    if (begin == end || samples->size() + (end - begin) > kPageSamplesMost) return;
    for (size_t i = begin; i < end; ++i) {
      if (!taken_[i]) samples->AddFrom(type_, samples_.View(), i);
      taken_[i] = true;
    }
    SortAndKeepLast(type_, samples);
  }

  // The others, as pages none of which reaches over a time in `cuts`, which ascend.
  std::vector<EncodedPagePtr> TakeRest(const std::vector<Timestamp>& cuts) {
    std::vector<EncodedPagePtr> pages;
    format::EncodeHint hint;
    Samples part;
    auto cut = cuts.begin();
    for (size_t i = 0; i < samples_.size(); ++i) {
      if (taken_[i]) continue;
      if (cut != cuts.end() && samples_.times[i] >= *cut) {
        CutPages(type_, /*all=*/true, {}, &hint, &part, &pages);
        part.Clear();
        cut = std::upper_bound(cut, cuts.end(), samples_.times[i]);
      }
      part.AddFrom(type_, samples_.View(), i);
    }
    CutPages(type_, /*all=*/true, {}, &hint, &part, &pages);
    return pages;
  }

 private:
  const ValueType type_;
  const Samples samples_;
  std::vector<bool> taken_;
};

}  // namespace

absl::StatusOr<PagesAsOf> ReadPagesAsOf(const ReadView& view, int32_t partition,
                                        std::shared_ptr<const StoredHeads> heads, PageFetcher& pages,
                                        absl::Status* damage) {
  PagesAsOf as_of{.version = view.as_of, .heads = std::move(heads)};
  ASSIGN_OR_RETURN(Samples samples,
                   SupersededAsOf(view.store, view.versions, partition, view.tag, view.type, view.as_of));
  SupersededToTake superseded(view.type, std::move(samples));
  std::vector<Timestamp> starts;
  for (size_t k = 0; k < as_of.heads->heads.size(); ++k) {
    const StoredHead& head = as_of.heads->heads[k];
    for (size_t i = 0; i < head.head.pages.size(); ++i) {
      const format::PageInfo& page = head.head.pages[i];
      PagePart part = {page.summary.first.time, page.summary.last.time};
      if (!format::IsInPartition(part.first, partition) || !format::IsInPartition(part.last, partition)) {
        const auto found = as_of.heads->parts.find({k, i});
        if (found == as_of.heads->parts.end()) continue;
        part = found->second;
      }
      starts.push_back(part.first);
      if (page.highest_version <= view.as_of) continue;
      RETURN_IF_ERROR(view.GoOn());
      Samples seen;
      if (page.lowest_version <= view.as_of) {
        const absl::StatusOr<Samples> all = pages.ReadStated(head, i, view.versions);
        if (!all.ok()) {
          if (!absl::IsDataLoss(all.status())) return all.status();
          *damage = all.status();
          continue;
        }
        const Timestamp* const times = all->times.data();
        const size_t from = std::lower_bound(times, times + all->size(), part.first) - times;
        const size_t to = std::upper_bound(times + from, times + all->size(), part.last) - times;
        AppendAsOf(view.type, all->View().Slice(from, to - from), view.as_of, &seen);
      }
      superseded.AddTo(part.first, part.last, &seen);
      if (seen.empty()) continue;
      as_of.in_part.emplace(std::pair(&head, i), MakeEncodedPage(view.type, seen.View(), nullptr));
    }
  }
  std::sort(starts.begin(), starts.end());
  as_of.superseded = superseded.TakeRest(starts);
  return as_of;
}

}  // namespace historian
