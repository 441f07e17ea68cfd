// File: storage/archive/tail.h
//
// The tail of a tag: its samples that are in no block yet.
//
//   in order   page page page | rest          what came in order; full pages are encoded at once, the rest is
//   raw late       run, run ...  | late           what came at or before the frontier, or contradicts a
//   sample that is here
//
// Readers merge all of it by time; where two hold the same time, the one further right in
//   blocks by seal < frozen in order < frozen late runs < in order < late runs < late
// is the newer statement and wins. In-order samples are newer than the frontier, so they meet no older ones.
//
// A seal *freezes* the tail: its contents move, unchanged, into a FrozenTail that readers still see, while
// new samples begin afresh; what the seal does not put into blocks is *thawed* back.
//
// Threads: one at a time (its shard's mutex). FrozenTail, OpenPage and TailRun in a FrozenTail are immutable.
#ifndef HISTORIAN_STORAGE_ARCHIVE_TAIL_H_
#define HISTORIAN_STORAGE_ARCHIVE_TAIL_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/aggregate/summary.h"
#include "storage/archive/archive.h"
#include "storage/format/page.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian {

// An encoded page in memory; never crosses a partition.
struct OpenPage {
  std::string bytes;
  Summary summary;

  size_t MemoryBytes() const { return sizeof(OpenPage) + bytes.capacity(); }
};
using OpenPagePtr = std::shared_ptr<const OpenPage>;

// Encodes samples (strictly ascending, within one partition, at most a page).
OpenPagePtr MakeOpenPage(ValueType type, const SamplesView& samples, format::EncodeHint* hint);

// Samples in strictly ascending time: encoded pages, then raw ones.
struct TailRun {
  std::vector<OpenPagePtr> pages;
  size_t page_bytes = 0;  // Memory of pages.
  Samples rest;
  format::EncodeHint hint;  // From the pages cut before.

  void AddPage(OpenPagePtr page) {
    page_bytes += page->MemoryBytes();
    pages.push_back(std::move(page));
  }
  size_t MemoryBytes() const { return page_bytes + rest.MemoryBytes(); }

  bool empty() const { return pages.empty() && rest.empty(); }
  size_t samples() const;
  Timestamp last_time() const { return rest.empty() ? pages.back()->summary.last.time : rest.times.back(); }
  Timestamp first_time() const {
    return pages.empty() ? rest.times.front() : pages.front()->summary.first.time;
  }

  // Cuts full pages, and those that end with their partition, off the front of rest; with `all` everything.
  void CutPages(ValueType type, bool all);
};

struct FrozenTail {
  ValueType type = ValueType::kFloat64;
  std::vector<TailRun> runs;  // [0] is in order (perhaps empty), then late ones, oldest statement first.
  size_t samples = 0;
  size_t memory_bytes = 0;
};

// What a reader needs of a tail: shares what is immutable, copies what is not.
struct TailView {
  std::shared_ptr<const FrozenTail> frozen;  // May be null.
  std::vector<TailRun> runs;                 // As in FrozenTail.
};

class Tail {
 public:
  // ValueType of the tag; it never changes.
  explicit Tail(ValueType type) : type_(type) {}

  // Adds samples, times strictly ascending.
  void Append(const SamplesView& samples, Superseded* superseded);

  // Samples from start to end (both inclusive), and whatever shares a page or run with them.
  TailView View(Timestamp start, Timestamp end) const;

  const std::optional<LatestSample>& latest() const { return latest_; }
  // Oldest time ever stored, blocks included. Meaningful when latest() is.
  Timestamp oldest_time() const { return oldest_; }
  std::optional<Timestamp> frontier() const { return frontier_; }

  size_t samples() const { return samples_ + (frozen_ == nullptr ? 0 : frozen_->samples); }
  // Added since the last freeze.
  bool dirty() const { return dirty_; }
  size_t MemoryBytes() const;

  // Requires no frozen tail. The returned object stays visible to readers until Thaw.
  std::shared_ptr<const FrozenTail> Freeze();
  // Ends the frozen state: `left` is what did not become blocks, in the form of FrozenTail::runs. With `left`
  // null everything returns (the seal failed).
  void Thaw(const std::vector<TailRun>* left);

  // For recovery: the state a seal wrote down.
  void Restore(std::vector<TailRun> runs, std::optional<Timestamp> frontier,
               std::optional<LatestSample> latest, Timestamp oldest);

 private:
  void AppendOne(const SamplesView& samples, size_t i, Superseded* superseded);
  void AddLate(const SamplesView& samples, size_t i);
  void NoteNewest(const SamplesView& samples, size_t i);
  // Sorts late_ into late_runs_.
  void SettleLate();

  const ValueType type_;
  TailRun in_order_;
  std::vector<TailRun> late_runs_;
  Samples late_;  // In order of arrival.
  std::optional<Timestamp> frontier_;
  std::optional<LatestSample> latest_;
  Timestamp oldest_ = 0;
  std::shared_ptr<const FrozenTail> frozen_;
  size_t samples_ = 0;  // Not the frozen ones.
  bool dirty_ = false;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_TAIL_H_
