#include "server/read_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/parallel.h"
#include "server/wire.h"
#include "server/work_pool.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

constexpr size_t kFewTags = 4;
// So much to fold is worth a thread.
constexpr uint64_t kLongNanos = uint64_t{28} * 86'400 * kNanosPerSecond;

}  // namespace

bool NamesFewTags(const v1::TagSelection& tags) {
  return tags.pattern().empty() &&
         static_cast<size_t>(tags.ids_size()) + static_cast<size_t>(tags.names_size()) <= kFewTags;
}

absl::StatusOr<std::optional<Interpolation>> AskedInterpolation(int interpolation) {
  if (interpolation == v1::INTERPOLATION_UNSPECIFIED) return std::nullopt;
  ASSIGN_OR_RETURN(const Interpolation asked, InterpolationFromWire(interpolation));
  return asked;
}

Interpolation InterpolationFor(const TagTraits& tag, std::optional<Interpolation> asked) {
  if (!IsFloat(tag.type) && tag.type != ValueType::kInt64) return Interpolation::kStepped;
  return asked.value_or(tag.interpolation);
}

absl::Status CheckRange(Timestamp start, Timestamp end) {
  for (const auto& [what, time] : {std::pair("start", start), std::pair("end", end)}) {
    if (time < kTimestampMin || time > kTimestampMax + 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " ", FormatTimestamp(time),
                       " is outside the times samples may have, 1900-01-01 to 2200-01-01"));
    }
  }
  if (start >= end) {
    return absl::InvalidArgumentError(
        absl::StrCat("start ", FormatTimestamp(start), " is not before end ", FormatTimestamp(end)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ReadPlan> ReadPlan::Make(ServiceEnv& env, SelectedTags selected, Figures figures,
                                        KeepGoing keep_going) {
  ReadPlan plan(env, std::move(selected), std::move(figures), std::move(keep_going));
  // With many tags, each is opened when its turn comes: together they would hold too much in memory.
  if (plan.tags() > kFewTags || plan.tags() * plan.figures_.values_of_tag > kQuickValues) return plan;
  // As of a version, pages may have to be read to know what was there.
  plan.is_quick_ = plan.figures_.as_of == kVersionNow && plan.figures_.rounds == 1;
  for (size_t i = 0; i < plan.tags(); ++i) {
    ASSIGN_OR_RETURN(TagRead read, plan.Open(i, kQuickNanos + 1));
    if (read.nanos_to_fold > kQuickNanos) plan.is_quick_ = false;
    plan.opened_.push_back(std::move(read));
  }
  return plan;
}

absl::StatusOr<TagRead> ReadPlan::Open(size_t i, uint64_t matters_from) const {
  const TagTraits& traits = selected_.traits[i];
  TagRead read{.tag = selected_.ids[i], .traits = traits, .fold = figures_.fold_of(traits)};
  ASSIGN_OR_RETURN(read.reader, archive_->ReadFolded(read.tag, keep_going_, figures_.as_of));
  read.nanos_to_fold = Elapsed(figures_.edges.front(), figures_.edges.back());
  if (read.nanos_to_fold >= matters_from) {
    read.nanos_to_fold = read.reader->NanosToFold(figures_.edges, read.fold.config, read.fold.maker);
  }
  return read;
}

absl::StatusOr<TagRead> ReadPlan::Take(size_t i) {
  if (opened_.empty()) return Open(i, kLongNanos);
  return std::move(opened_[i]);
}

absl::Status FiguresInParallel(WorkPool& pool, const TagRead& read, absl::Span<const Timestamp> edges,
                               FigureTable to) {
  const size_t size = edges.size() - 1, width = ParallelWidth();
  const bool is_long = std::min(read.nanos_to_fold, Elapsed(edges.front(), edges.back())) >= kLongNanos;
  const size_t piece = is_long ? (size + width - 1) / width : size;
  return ForEachInParallel(pool, (size + piece - 1) / piece, [&](size_t k) {
    const size_t first = k * piece;
    std::vector<FigureColumn> rows;
    for (const FigureColumn& column : to) rows.push_back(column.From(first));
    return read.reader->Figures(edges.subspan(first, piece + 1), read.fold.config, read.fold.maker, rows);
  });
}

}  // namespace historian::server
