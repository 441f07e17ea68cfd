#include "storage/archive/partition_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/page.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian {

absl::StatusOr<absl::string_view> PayloadReader::Page(const StoredHead& head, size_t i) {
  const auto damaged = [&](absl::string_view what) {
    const Summary& summary = head.head.pages[i].summary;
    return absl::DataLossError(absl::StrCat("tag ", head.id.tag, ", samples from ",
                                            FormatTimestamp(summary.first.time), " to ",
                                            FormatTimestamp(summary.last.time), ": ", what));
  };
  if (payload_.empty() || !(id_ == head.id)) {
    payload_.clear();
    absl::StatusOr<std::optional<std::string>> payload =
        store_.Get(kv::Space::kPages, format::PagesKey(head.id));
    if (!payload.ok())
      return absl::Status(payload.status().code(), damaged(payload.status().message()).message());
    if (!payload->has_value()) return damaged("the block's pages are missing");
    payload_ = *std::move(*payload);
    id_ = head.id;
  }
  absl::StatusOr<absl::string_view> page = format::PageBytes(head.head, payload_, i);
  if (!page.ok()) return damaged(page.status().message());
  return page;
}

PartitionView::PartitionView(TagId tag, ValueType type, int32_t partition,
                             std::shared_ptr<const StoredHeads> heads, std::shared_ptr<const TailView> tail)
    : tag_(tag), type_(type), heads_(std::move(heads)), tail_(std::move(tail)) {
  size_t rank = 0;
  size_t pages = 0;
  for (const StoredHead& stored : heads_->heads) pages += stored.head.pages.size();
  pages_.reserve(pages + 8);
  for (const StoredHead& stored : heads_->heads) {
    for (size_t i = 0; i < stored.head.pages.size(); ++i) {
      const Summary& summary = stored.head.pages[i].summary;
      pages_.push_back({.first = summary.first.time,
                        .last = summary.last.time,
                        .rank = rank,
                        .block = &stored,
                        .index = i});
    }
    ++rank;
  }
  if (tail_ != nullptr) {
    if (tail_->frozen != nullptr) AddRuns(tail_->frozen->runs, partition, &rank);
    AddRuns(tail_->runs, partition, &rank);
  }
  BuildClusters();
}

void PartitionView::AddRuns(const std::vector<TailRun>& runs, int32_t partition, size_t* rank) {
  const Timestamp start = format::PartitionStart(partition);
  const Timestamp end = format::PartitionStart(partition + 1);
  for (const TailRun& run : runs) {
    for (const OpenPagePtr& page : run.pages) {
      const Timestamp first = page->summary.first.time;
      if (first < start || first >= end) continue;
      pages_.push_back({.first = first, .last = page->summary.last.time, .rank = *rank, .open = page.get()});
    }
    const std::vector<Timestamp>& times = run.rest.times;
    const size_t from = std::lower_bound(times.begin(), times.end(), start) - times.begin();
    const size_t to = std::lower_bound(times.begin(), times.end(), end) - times.begin();
    if (from < to) {
      pages_.push_back({.first = times[from],
                        .last = times[to - 1],
                        .rank = *rank,
                        .raw = run.rest.View().Slice(from, to - from)});
    }
    ++*rank;
  }
}

void PartitionView::BuildClusters() {
  const auto by_time = [](const Page& a, const Page& b) { return a.first < b.first; };
  if (!std::is_sorted(pages_.begin(), pages_.end(), by_time))
    std::stable_sort(pages_.begin(), pages_.end(), by_time);
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (clusters_.empty() || pages_[i].first > clusters_.back().last) {
      clusters_.push_back({pages_[i].first, pages_[i].last, i, i + 1});
    } else {
      clusters_.back().last = std::max(clusters_.back().last, pages_[i].last);
      clusters_.back().end = i + 1;
    }
  }
  for (const Cluster& cluster : clusters_) {
    if (cluster.end - cluster.begin == 1) continue;
    std::stable_sort(pages_.begin() + cluster.begin, pages_.begin() + cluster.end,
                     [](const Page& a, const Page& b) { return a.rank < b.rank; });
  }
}

const Summary* PartitionView::summary(size_t cluster) const {
  const Cluster& c = clusters_[cluster];
  if (c.end - c.begin != 1) return nullptr;
  const Page& page = pages_[c.begin];
  if (page.block != nullptr) return &page.block->head.pages[page.index].summary;
  return page.open == nullptr ? nullptr : &page.open->summary;
}

size_t PartitionView::FirstEndingAtOrAfter(Timestamp t) const {
  return std::partition_point(clusters_.begin(), clusters_.end(),
                              [t](const Cluster& c) { return c.last < t; }) -
         clusters_.begin();
}

absl::Status PartitionView::ReadPage(const Page& page, PayloadReader& payloads, Samples* samples) const {
  if (page.block == nullptr && page.open == nullptr) {
    samples->Append(type_, page.raw);
    return absl::OkStatus();
  }
  absl::string_view bytes;
  if (page.block != nullptr) {
    ASSIGN_OR_RETURN(bytes, payloads.Page(*page.block, page.index));
  } else {
    bytes = page.open->bytes;
  }
  const size_t before = samples->size();
  RETURN_IF_ERROR(Annotate(format::DecodePage(type_, bytes, samples),
                           absl::StrCat("tag ", tag_, ", samples from ", FormatTimestamp(page.first))));
  // A page that decodes to something else than its head says must not pass for data.
  const Summary& summary =
      page.block != nullptr ? page.block->head.pages[page.index].summary : page.open->summary;
  if (samples->size() - before != summary.count || samples->times[before] != page.first ||
      samples->times.back() != page.last) {
    return absl::DataLossError(absl::StrCat("tag ", tag_, ", samples from ", FormatTimestamp(page.first),
                                            ": the page contradicts its head"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PartitionView::Layer>> PartitionView::ReadLayers(size_t cluster,
                                                                            PayloadReader& payloads) const {
  const Cluster& c = clusters_[cluster];
  std::vector<Layer> layers;
  for (size_t i = c.begin; i < c.end; ++i) {
    HISTORIAN_CHECK(pages_[i].block != nullptr);
    Layer& layer = layers.emplace_back();
    layer.seal = pages_[i].block->id.seal;
    RETURN_IF_ERROR(ReadPage(pages_[i], payloads, &layer.samples));
  }
  return layers;
}

absl::Status PartitionView::Read(size_t cluster, PayloadReader& payloads, Samples* samples) const {
  samples->Clear();
  const Cluster& c = clusters_[cluster];
  absl::Status damage;
  for (size_t i = c.begin; i < c.end; ++i) {
    if (c.end - c.begin == 1) {
      damage = ReadPage(pages_[i], payloads, samples);
      if (!damage.ok()) samples->Clear();
      continue;
    }
    Samples page;
    if (absl::Status status = ReadPage(pages_[i], payloads, &page); status.ok()) {
      samples->Append(type_, page.View());
    } else {
      damage = std::move(status);
    }
  }
  if (c.end - c.begin > 1) SortAndKeepLast(type_, samples);
  return damage;
}

}  // namespace historian
