// File: storage/read/partition_view.h
//
// What is stored of one tag in one week, put in order of time: pages of blocks, pages of the tail and
// its raw rest, grouped into *clusters*. Pages whose times overlap share a cluster, and only there need
// samples be merged; between clusters time rises. Nearly always a cluster is one page, and then its summary
// stands for it. Where late pages make a chain of what overlaps, as a backfill does over a whole week, the
// chain is cut where a page begins: pages that reach over the cut belong to both clusters, each with its
// part. Of a page of a long partition that reaches out of the week, the view has what is in the week.
//
//   blocks, seal 7   |--page--||--page--|     |--page--||--page--||--page--||--page--||--page--|
//   blocks, seal 9                 |page|        |-----------page------------||----page----|
//   tail                                                                                         |--page--|
//   clusters         |---0----||---1----|     |--------------2-----|---------3---------|----4--| |---5----|
#ifndef HISTORIAN_STORAGE_READ_PARTITION_VIEW_H_
#define HISTORIAN_STORAGE_READ_PARTITION_VIEW_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "storage/aggregate/summary.h"
#include "storage/read/page_cache.h"
#include "storage/sealed/stored_heads.h"
#include "storage/tail/frozen_tail.h"

namespace historian {

// What of blocks an earlier version saw. Pages of which it saw all serve as they are, so that where nothing changed
// nothing is read.
struct PagesAsOf {
  Version version = 0;
  std::shared_ptr<const StoredHeads> heads;  // Of these.
  // By head and page: what it saw in place of pages of which it did not see all. Missing: nothing, or it cannot be read.
  absl::flat_hash_map<std::pair<const StoredHead*, size_t>, EncodedPagePtr> in_part;
  // What it saw that is in no block any more, beside that. Where a block has an older statement about the same time, in a
  // long partition, this is the later one; and of what replaced it the version saw nothing.
  std::vector<EncodedPagePtr> superseded;

  size_t MemoryBytes() const;
};

class PartitionView {
 public:
  // Samples of other partitions are passed over. as_of is of the same heads; null: all of them. The view keeps what it
  // points to alive. partition: a week; for blocks alone, without as_of, also a long partition.
  PartitionView(TagId tag, ValueType type, int32_t partition, std::shared_ptr<const StoredHeads> heads,
                std::shared_ptr<const TailView> tail, std::shared_ptr<const PagesAsOf> as_of = nullptr);

  size_t clusters() const { return clusters_.size(); }
  // Beside the heads and the tail.
  size_t MemoryBytes() const {
    return sizeof(PartitionView) + pages_.capacity() * sizeof(Page) + clusters_.capacity() * sizeof(Cluster);
  }
  // There is a sample at the first time. At the last as well, or the next cluster begins just behind it.
  Timestamp first_time(size_t cluster) const { return clusters_[cluster].first; }
  Timestamp last_time(size_t cluster) const { return clusters_[cluster].last; }
  // Of all its samples, all parts; null when the cluster must be read to know.
  const Summary* summary(size_t cluster) const;

  // The page of a block that the cluster consists of; block is null when it is something else.
  struct BlockPage {
    const StoredHead* block = nullptr;
    size_t index = 0;
  };
  BlockPage block_page(size_t cluster) const;
  // The number of clusters from this one on that are, one by one, all pages of one block; 0 when they are
  // not.
  size_t whole_block(size_t cluster) const;

  // The index of the first cluster that ends at or after t; clusters() when all end before.
  size_t FirstEndingAtOrAfter(Timestamp t) const;

  // *samples become the cluster's visible samples: times rise strictly. DataLoss names tag and times; what
  // could be read is in *samples all the same.
  absl::Status Read(size_t cluster, PageFetcher& pages, std::shared_ptr<const Samples>* samples) const;

  // A cluster's part of one page, and the number of the seal that wrote it.
  struct Layer {
    uint64_t seal = 0;
    std::shared_ptr<const Samples> page;
    SamplesView samples;  // In the page.
  };
  // The cluster's layers, older statements first, with their versions. Only for views of blocks alone, as they are now.
  absl::StatusOr<std::vector<Layer>> ReadLayers(size_t cluster, const VersionTable& versions,
                                                PageFetcher& pages) const;

 private:
  // A page of a block, of the tail, or raw samples.
  struct Page {
    Timestamp first = 0;
    Timestamp last = 0;
    size_t rank = 0;  // Of two samples at one time, that of the page with the higher rank is visible.
    const StoredHead* block = nullptr;
    size_t index = 0;
    bool is_part = false;  // It has samples before `first` or behind `last` too, which are not in the view.
    const EncodedPage* open = nullptr;
    SamplesView raw;
  };
  struct Cluster {
    Timestamp first = 0;
    Timestamp last = 0;
    size_t begin = 0;  // In pages_, by rank.
    size_t end = 0;
  };
  // A chain is cut before a page when this many pages, and as many as reach over from before, begin in the cluster:
  // that bounds what is read for a few samples, and reading all of it to twice its pages.
  static constexpr size_t kClusterPages = 4;

  void AddOpen(const EncodedPage& page, size_t rank);
  void AddRuns(const std::vector<PageRun>& runs, int32_t partition, size_t* rank);
  void BuildClusters();
  // Requires the pages in order of their first times.
  void CutChains();
  // The cluster's part of the page's samples.
  static SamplesView PartOf(const Cluster& cluster, const SamplesView& page);
  absl::StatusOr<std::shared_ptr<const Samples>> ReadPage(const Page& page, PageFetcher& pages) const;

  TagId tag_;
  ValueType type_;
  std::shared_ptr<const StoredHeads> heads_;
  std::shared_ptr<const TailView> tail_;
  std::shared_ptr<const PagesAsOf> as_of_;
  std::vector<Page> pages_;
  std::vector<Cluster> clusters_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_PARTITION_VIEW_H_
