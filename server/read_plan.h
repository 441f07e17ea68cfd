// File: server/read_plan.h
//
// How figures are read (ReadProcessed, Plot): planned once, before anything is read.
//
//   request -> tags, edges, figures -> a reader of each tag, and what it would have to fold
//
//   quick    on the thread where the call arrived, as waking another one costs as much as the answer
//   else     on the pool; a tag with much to fold in pieces, on several threads
//
// What a plan is made of is what answers, wherever that runs.
#ifndef HISTORIAN_SERVER_READ_PLAN_H_
#define HISTORIAN_SERVER_READ_PLAN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/historian/v1/samples.pb.h"
#include "server/selection.h"
#include "server/service_env.h"
#include "server/work_pool.h"
#include "storage/archive/archive.h"

namespace historian::server {

// Time that is quick to read: the engine answers within a fraction of a millisecond, mostly from memory.
inline constexpr uint64_t kQuickNanos = uint64_t{2} * 86'400 * kNanosPerSecond;
// Values that are quick to copy: 2,000 columns of four figures, of two tags.
inline constexpr uint64_t kQuickValues = 16'384;

// Whether the selection names so few tags that planning is quick.
bool NamesFewTags(const v1::TagSelection& tags);

// Nothing when the request leaves it to the tags. Errors: InvalidArgument, no such interpolation.
absl::StatusOr<std::optional<Interpolation>> AskedInterpolation(int interpolation);
// The interpolation in force for a tag: what is asked for, else the tag's own. Types that are always stepped
// stay so.
Interpolation InterpolationFor(const TagTraits& tag, std::optional<Interpolation> asked);

// InvalidArgument unless both are times a sample may have (end may be one past) and start < end.
absl::Status CheckRange(Timestamp start, Timestamp end);

// How a tag is folded, and what is made of it.
struct TagFold {
  FoldConfig config;
  FigureMaker maker;
};

// One tag of a plan, ready to be read.
struct TagRead {
  TagId tag = 0;
  TagTraits traits;
  TagFold fold;
  std::unique_ptr<FoldReader> reader;
  // Over all edges of the plan, see FoldReader; the whole range where that is too short for it to matter.
  uint64_t nanos_to_fold = 0;
};

// Threads: one at a time, but for Take.
class ReadPlan {
 public:
  struct Figures {
    std::vector<Timestamp> edges;
    size_t rounds = 1;  // How many times over the edges are folded.
    std::function<TagFold(const TagTraits&)> fold_of;
    uint64_t values_of_tag = 0;  // In the answer.
    Version as_of = kVersionNow;
  };
  // Opens the readers of the tags if they and their values are few.
  // Errors: those of Archive::ReadFolded.
  static absl::StatusOr<ReadPlan> Make(ServiceEnv& env, SelectedTags selected, Figures figures,
                                       KeepGoing keep_going);

  size_t tags() const { return selected_.ids.size(); }
  const std::vector<Timestamp>& edges() const { return figures_.edges; }
  size_t intervals() const { return figures_.edges.size() - 1; }
  // What the answer says, when a part of it has been read.
  uint64_t version() const { return AnsweredVersion(archive_->versions(), figures_.as_of); }

  // The answer takes a fraction of a millisecond.
  bool is_quick() const { return is_quick_; }

  // Tag i, as it was opened with the plan, or opened now. Call once for each i; on several threads at once.
  absl::StatusOr<TagRead> Take(size_t i);

 private:
  ReadPlan(ServiceEnv& env, SelectedTags selected, Figures figures, KeepGoing keep_going)
      : archive_(&env.archive),
        selected_(std::move(selected)),
        figures_(std::move(figures)),
        keep_going_(std::move(keep_going)) {}
  // Asks the reader what it would have to fold only where it may be as much as `matters_from`: for a short range of many
  // tags asking costs a twentieth of the answer.
  absl::StatusOr<TagRead> Open(size_t i, uint64_t matters_from) const;

  Archive* archive_;
  SelectedTags selected_;
  Figures figures_;
  KeepGoing keep_going_;
  std::vector<TagRead> opened_;  // All, or none.
  bool is_quick_ = false;
};

// The figures between the edges, which are those of the tag's plan or a part of them; much of them on several
// threads. Errors: those of FoldReader.
absl::Status FiguresInParallel(WorkPool& pool, const TagRead& read, absl::Span<const Timestamp> edges,
                               FigureTable to);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_READ_PLAN_H_
