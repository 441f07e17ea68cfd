// File: storage/tail/tail.h
//
// The tail of a tag: its samples that are in no block yet.
//
//   in order   page page page | waiting   samples that came in order: full pages are encoded at once, the
//                                         others wait raw
//   late       run, run ...   | late      samples at or before the frontier, or that contradict one that is
//                                         here: in order of arrival, sorted into runs when there are many
//
// Readers merge all of it by time; where two hold the same time, the one further right in
//   blocks by seal < frozen in order < frozen late runs < in order < late runs < late
// is the newer statement and wins. In-order samples are newer than the frontier, so they meet no older ones.
//
// Memory is what limits many tags with few samples each, and so are cache misses: a tail is one cache line,
// in which or one step behind which lies all that most appends touch. Good numbers that come in order wait in
// a bare array for their page; whatever is more than that (pages, late samples, strings, qualities, a frozen
// state) stands in an Extra of its own, which an idle tag does not have. A tag of strings has no use for the array: in its
// place stands the text of its newest sample, unless that is longer than kNewestTextBytes.
//
// Each sample carries the version in which it was stated. In the array that is lazy: a *step* stands at its end, from
// there down, for each change of version among what waits, and a tag to which nothing comes pays nothing. The versions
// in the array never fall.
//
//   waiting   s0 s1 s2 s3 s4 | (free) | step 1: from s3 on, step 0: from s1 on
//
// A seal *freezes* the tail: its contents move, unchanged, into a FrozenTail that readers still see, while
// new samples begin afresh; what the seal does not put into blocks is *thawed* back.
//
// Threads: one at a time (its shard's mutex). FrozenTail, EncodedPage and PageRun in a FrozenTail are immutable.
#ifndef HISTORIAN_STORAGE_TAIL_TAIL_H_
#define HISTORIAN_STORAGE_TAIL_TAIL_H_

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/format/page.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/tail/frozen_tail.h"
#include "storage/tail/page_run.h"

namespace historian {

// A tag's first sample makes its tail; until then it does not exist().
class alignas(64) Tail {
 public:
  Tail();
  // ValueType of the tag; it never changes.
  explicit Tail(ValueType type);
  Tail(Tail&&);
  Tail& operator=(Tail&&);
  ~Tail();

  bool exists() const { return exists_; }

  // What an addition changed.
  struct Change {
    int64_t samples = 0;
    int64_t memory_bytes = 0;
  };
  // Adds samples, times strictly ascending, all of one version, which is not below that of earlier calls.
  Change Append(const SamplesView& samples, Superseded* superseded);
  // Asks for the memory that the next Append will touch.
  void Prefetch() const { __builtin_prefetch(waiting_.get() + waiting_size_, 1); }

  // Samples from start to end (both inclusive), and whatever shares a page or run with them. With as_of, without raw
  // samples and pages of which nothing is of that version or an earlier one (TailView::AsOf does the rest).
  TailView View(Timestamp start, Timestamp end, Version as_of = kVersionNow) const;

  std::optional<LatestSample> latest() const;
  // Its text is too long to be kept here: latest() is without it, and it has to be looked for in all that there is.
  bool latest_text_is_long() const { return text_is_long_; }
  // The newest sample that is not after the time. Nothing: it is not among those that wait in the array, and has to be
  // looked for in all that there is.
  std::optional<LatestSample> WaitingUntil(Timestamp time) const;
  bool is_ahead_of(Timestamp now) const { return has_latest_ && latest_time_ > now; }
  // Oldest time ever stored, blocks included. Meaningful when latest() is.
  Timestamp oldest_time() const { return oldest_; }
  std::optional<Timestamp> frontier() const {
    return has_frontier_ ? std::optional<Timestamp>(frontier_) : std::nullopt;
  }

  size_t samples() const;
  // Added since the last freeze.
  bool dirty() const { return dirty_; }
  // Of open samples. The tail itself and the text of its newest sample are not in it (kTagStateBytes, kTextStateBytes).
  size_t MemoryBytes() const;

  // Requires no frozen tail. The returned object stays visible to readers until Thaw.
  std::shared_ptr<const FrozenTail> Freeze();
  // Ends the frozen state: `left` is what did not become blocks, in the form of FrozenTail::runs. With `left`
  // null everything returns (the seal failed).
  void Thaw(const std::vector<PageRun>* left);

  // For recovery, of a new tail: the state that a seal wrote down. `runs` as in FrozenTail; it may be empty.
  void Restore(std::vector<PageRun> runs, std::optional<Timestamp> frontier,
               std::optional<LatestSample> latest, bool latest_text_is_long, Timestamp oldest);

 private:
  // A sample; or a step: the index in `time`, and in `value` the version of the samples before it.
  struct Waiting {
    Timestamp time;
    ValueBits value;
  };
  static constexpr size_t kStepsMax = 127;
  struct Free {
    void operator()(Waiting* waiting) const { std::free(waiting); }
  };
  struct Extra;

  // Whether samples may wait in the array: good numbers, and not of one version too many.
  bool CanWait(const SamplesView& samples) const;
  // Adds what is in order and fills no page; false when the samples are not.
  bool AppendInOrder(const SamplesView& samples);
  // Adds samples that may wait; false, and nothing is changed, when the array cannot hold them.
  bool AppendWaiting(const SamplesView& samples, Superseded* superseded);
  void AppendAny(const SamplesView& samples, Superseded* superseded);
  // Adds a run that comes after all that is in order, to the array or to pages cut of both.
  void ExtendWaiting(const SamplesView& run);
  void CutWaiting(const SamplesView& run);
  void ReserveWaiting(size_t size);
  Waiting& Step(size_t k) const { return waiting_[waiting_capacity_ - 1 - k]; }
  // The index from which on samples that wait are of version_.
  size_t LastStep() const {
    return waiting_steps_ == 0 ? 0 : static_cast<size_t>(Step(waiting_steps_ - 1).time);
  }
  // What is added at the end from now on is of this version.
  void BeginVersion(uint32_t version);
  // Fills in the versions of all that waits.
  void WaitingVersions(uint32_t* versions) const;
  // A sample after the frontier, and not after all that is in order, where it waits.
  void InsertWaiting(const SamplesView& samples, size_t i, Superseded* superseded);
  void InsertUnpacked(const SamplesView& samples, size_t i, Superseded* superseded);
  // A sample at whose time there is one in order already, `same` or not.
  void StateAgain(const SamplesView& samples, size_t i, bool same, Superseded* superseded);
  void AddLate(const SamplesView& samples);
  void NoteNewest(const SamplesView& samples, size_t i);
  void KeepText(absl::string_view text);
  void CutPages();
  // Sorts extra_->late into extra_->late_runs, when there is much of it.
  void SortMuchLate();
  void SortLate();
  Extra& MakeExtra();
  // Moves what waits in the array to extra_->in_order.raw, where any sample may stand.
  Extra& Unpack();
  // Moves it back to the array if that can hold it, and gives up an Extra that nothing needs any more.
  void Pack();

  Timestamp oldest_ = 0;
  Timestamp frontier_ = 0;
  Timestamp latest_time_ = 0;
  ValueBits latest_value_ = 0;
  Quality latest_quality_ = kGood;
  uint32_t version_ = 0;                // Of the last run that waits.
  uint32_t waiting_size_ : 12 = 0;      // Samples.
  uint32_t waiting_steps_ : 7 = 0;      // Behind the array's free places.
  uint32_t waiting_capacity_ : 13 = 0;  // Of both; of a tag of strings, bytes of text.
  ValueType type_ = ValueType::kFloat64;
  bool exists_ : 1 = false;
  bool has_latest_ : 1 = false;
  bool has_frontier_ : 1 = false;
  bool dirty_ : 1 = false;
  bool unpacked_ : 1 = false;  // extra_->in_order.raw has what would wait in the array.
  bool text_is_long_ : 1 = false;
  format::EncodeHint hint_;  // From the pages cut before.
  std::unique_ptr<Waiting[], Free> waiting_;
  std::unique_ptr<Extra> extra_;  // May be null.
};
static_assert(sizeof(Tail) == 64);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAIL_TAIL_H_
