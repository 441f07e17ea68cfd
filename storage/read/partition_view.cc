#include "storage/read/partition_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/page.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {

size_t PagesAsOf::MemoryBytes() const {
  size_t bytes = sizeof(PagesAsOf) + in_part.capacity() * (sizeof(*in_part.begin()) + 1) +
                 superseded.capacity() * sizeof(EncodedPagePtr);
  for (const auto& [place, page] : in_part) bytes += page->MemoryBytes();
  for (const EncodedPagePtr& page : superseded) bytes += page->MemoryBytes();
  return bytes;
}

PartitionView::PartitionView(TagId tag, ValueType type, int32_t partition,
                             std::shared_ptr<const StoredHeads> heads, std::shared_ptr<const TailView> tail,
                             std::shared_ptr<const PagesAsOf> as_of)
    : tag_(tag), type_(type), heads_(std::move(heads)), tail_(std::move(tail)), as_of_(std::move(as_of)) {
  size_t rank = 0;
  size_t pages = 0;
  for (const StoredHead& stored : heads_->heads) pages += stored.head.pages.size();
  pages_.reserve(pages + 8);
  for (size_t k = 0; k < heads_->heads.size(); ++k) {
    const StoredHead& stored = heads_->heads[k];
    for (size_t i = 0; i < stored.head.pages.size(); ++i) {
      const format::PageInfo& page = stored.head.pages[i];
      if (as_of_ != nullptr && page.highest_version > as_of_->version) {
        const auto seen = as_of_->in_part.find({&stored, i});
        if (seen != as_of_->in_part.end()) AddOpen(*seen->second, rank);
        continue;
      }
      const Summary& summary = page.summary;
      PagePart part = {summary.first.time, summary.last.time};
      const bool is_part =
          !format::IsInPartition(part.first, partition) || !format::IsInPartition(part.last, partition);
      if (is_part) {
        const auto found = heads_->parts.find({k, i});
        if (found == heads_->parts.end()) continue;
        part = found->second;
      }
      pages_.push_back({.first = part.first,
                        .last = part.last,
                        .rank = rank,
                        .block = &stored,
                        .index = i,
                        .is_part = is_part});
    }
    ++rank;
  }
  if (as_of_ != nullptr) {
    for (const EncodedPagePtr& page : as_of_->superseded) AddOpen(*page, rank);
    ++rank;
  }
  if (tail_ != nullptr) {
    if (tail_->frozen != nullptr) AddRuns(tail_->frozen->runs, partition, &rank);
    AddRuns(tail_->runs, partition, &rank);
  }
  BuildClusters();
}

void PartitionView::AddOpen(const EncodedPage& page, size_t rank) {
  pages_.push_back(
      {.first = page.summary.first.time, .last = page.summary.last.time, .rank = rank, .open = &page});
}

void PartitionView::AddRuns(const std::vector<PageRun>& runs, int32_t partition, size_t* rank) {
  const Timestamp start = format::PartitionStart(partition);
  const Timestamp end = format::PartitionEnd(partition);
  for (const PageRun& run : runs) {
    for (const EncodedPagePtr& page : run.pages) {
      const Timestamp first = page->summary.first.time;
      if (first < start || first >= end) continue;
      AddOpen(*page, *rank);
    }
    const std::vector<Timestamp>& times = run.raw.times;
    const size_t from = std::lower_bound(times.begin(), times.end(), start) - times.begin();
    const size_t to = std::lower_bound(times.begin(), times.end(), end) - times.begin();
    if (from < to) {
      pages_.push_back({.first = times[from],
                        .last = times[to - 1],
                        .rank = *rank,
                        .raw = run.raw.View().Slice(from, to - from)});
    }
    ++*rank;
  }
}

void PartitionView::BuildClusters() {
  const auto by_time = [](const Page& a, const Page& b) { return a.first < b.first; };
  if (!std::is_sorted(pages_.begin(), pages_.end(), by_time))
    std::stable_sort(pages_.begin(), pages_.end(), by_time);
  bool has_chain = false;
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (clusters_.empty() || pages_[i].first > clusters_.back().last) {
      clusters_.push_back({pages_[i].first, pages_[i].last, i, i + 1});
      continue;
    }
    Cluster& c = clusters_.back();
    c.last = std::max(c.last, pages_[i].last);
    c.end = i + 1;
    has_chain |= c.end - c.begin > kClusterPages;
  }
  if (has_chain) CutChains();
  for (const Cluster& cluster : clusters_) {
    if (cluster.end - cluster.begin == 1) continue;
    std::stable_sort(pages_.begin() + cluster.begin, pages_.begin() + cluster.end,
                     [](const Page& a, const Page& b) { return a.rank < b.rank; });
  }
}

void PartitionView::CutChains() {
  std::vector<Page> pages;
  std::vector<Cluster> clusters;
  pages.reserve(2 * pages_.size());
  for (const Cluster& chain : clusters_) {
    clusters.push_back({chain.first, chain.last, pages.size(), pages.size()});
    size_t over = 0;  // Pages at the begin of the cluster that reach over from the one before.
    for (size_t i = chain.begin; i < chain.end; ++i) {
      const Page& page = pages_[i];
      Cluster& c = clusters.back();
      if (pages.size() - c.begin >= std::max(kClusterPages, over) + over && page.first > c.first) {
        const Cluster next = {page.first, chain.last, pages.size(), pages.size()};
        for (size_t k = c.begin; k < next.begin; ++k) {
          if (pages[k].last >= page.first) pages.push_back(pages[k]);
        }
        over = pages.size() - next.begin;
        c.last = page.first - 1;
        c.end = next.begin;
        clusters.push_back(next);
      }
      pages.push_back(page);
    }
    clusters.back().end = pages.size();
  }
  pages_ = std::move(pages);
  clusters_ = std::move(clusters);
}

const Summary* PartitionView::summary(size_t cluster) const {
  const Cluster& c = clusters_[cluster];
  if (c.end - c.begin != 1) return nullptr;
  const Page& page = pages_[c.begin];
  if (page.is_part) return nullptr;
  if (page.block != nullptr) return &page.block->head.pages[page.index].summary;
  return page.open == nullptr ? nullptr : &page.open->summary;
}

PartitionView::BlockPage PartitionView::block_page(size_t cluster) const {
  const Cluster& c = clusters_[cluster];
  if (c.end - c.begin != 1 || pages_[c.begin].is_part) return {};
  return {pages_[c.begin].block, pages_[c.begin].index};
}

size_t PartitionView::whole_block(size_t cluster) const {
  const BlockPage first = block_page(cluster);
  if (first.block == nullptr || first.index != 0 || !first.block->has_all_pages()) return 0;
  const size_t pages = first.block->head.pages.size();
  if (cluster + pages > clusters_.size()) return 0;
  for (size_t i = 1; i < pages; ++i) {
    if (block_page(cluster + i).block != first.block) return 0;
  }
  return pages;
}

size_t PartitionView::FirstEndingAtOrAfter(Timestamp t) const {
  return std::partition_point(clusters_.begin(), clusters_.end(),
                              [t](const Cluster& c) { return c.last < t; }) -
         clusters_.begin();
}

absl::StatusOr<std::shared_ptr<const Samples>> PartitionView::ReadPage(const Page& page,
                                                                       PageFetcher& pages) const {
  if (page.block != nullptr) return pages.Read(*page.block, page.index);
  auto samples = std::make_shared<Samples>();
  if (page.open == nullptr) {
    samples->Append(type_, page.raw);
  } else {
    RETURN_IF_ERROR(Annotate(format::DecodePage(type_, page.open->bytes, samples.get()),
                             absl::StrCat("tag ", tag_, ", samples from ", FormatTimestamp(page.first))));
  }
  return samples;
}

SamplesView PartitionView::PartOf(const Cluster& cluster, const SamplesView& page) {
  const Timestamp* const end = page.times + page.size;
  const Timestamp* const from = std::lower_bound(page.times, end, cluster.first);
  return page.Slice(from - page.times, std::upper_bound(from, end, cluster.last) - from);
}

absl::StatusOr<std::vector<PartitionView::Layer>> PartitionView::ReadLayers(size_t cluster,
                                                                            const VersionTable& versions,
                                                                            PageFetcher& pages) const {
  const Cluster& c = clusters_[cluster];
  std::vector<Layer> layers;
  for (size_t i = c.begin; i < c.end; ++i) {
    HISTORIAN_CHECK(pages_[i].block != nullptr);
    ASSIGN_OR_RETURN(Samples stated, pages.ReadStated(*pages_[i].block, pages_[i].index, versions));
    auto page = std::make_shared<const Samples>(std::move(stated));
    const SamplesView samples = PartOf(c, page->View());
    if (samples.size > 0) layers.push_back({pages_[i].block->id.seal, std::move(page), samples});
  }
  return layers;
}

absl::Status PartitionView::Read(size_t cluster, PageFetcher& pages,
                                 std::shared_ptr<const Samples>* samples) const {
  const Cluster& c = clusters_[cluster];
  if (c.end - c.begin == 1) {
    absl::StatusOr<std::shared_ptr<const Samples>> page = ReadPage(pages_[c.begin], pages);
    if (!page.ok()) {
      *samples = std::make_shared<const Samples>();
      return page.status();
    }
    if (pages_[c.begin].is_part) {
      auto part = std::make_shared<Samples>();
      part->Append(type_, PartOf(c, (*page)->View()));
      *samples = std::move(part);
    } else {
      *samples = *std::move(page);
    }
    return absl::OkStatus();
  }
  absl::Status damage;
  auto merged = std::make_shared<Samples>();
  for (size_t i = c.begin; i < c.end; ++i) {
    if (const auto page = ReadPage(pages_[i], pages); page.ok()) {
      merged->Append(type_, PartOf(c, (*page)->View()));
    } else {
      damage = page.status();
    }
  }
  SortAndKeepLast(type_, merged.get());
  *samples = std::move(merged);
  return damage;
}

}  // namespace historian
