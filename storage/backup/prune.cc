#include "storage/backup/prune.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr size_t kDrillsKept = 100;

}  // namespace

std::vector<bool> KeptBy(const KeepRules& rules, const std::vector<Timestamp>& taken) {
  std::vector<size_t> newest_first(taken.size());
  std::iota(newest_first.begin(), newest_first.end(), 0);
  std::stable_sort(newest_first.begin(), newest_first.end(),
                   [&](size_t a, size_t b) { return taken[a] > taken[b]; });
  std::vector<bool> kept(taken.size(), false);
  for (size_t i = 0; i < newest_first.size(); ++i) {
    if (i < std::max<uint32_t>(rules.last, 1)) kept[newest_first[i]] = true;
  }
  const auto keep_one_of_each = [&](uint32_t count,
                                    const std::function<absl::CivilDay(absl::CivilDay)>& first_day) {
    std::optional<absl::CivilDay> before;
    for (size_t i = 0; i < newest_first.size() && count > 0; ++i) {
      const absl::CivilDay day =
          first_day(absl::ToCivilDay(TimeFromTimestamp(taken[newest_first[i]]), rules.zone));
      if (before == day) continue;
      before = day;
      --count;
      kept[newest_first[i]] = true;
    }
  };
  keep_one_of_each(rules.daily, [](absl::CivilDay day) { return day; });
  keep_one_of_each(rules.weekly,
                   [](absl::CivilDay day) { return absl::PrevWeekday(day + 1, absl::Weekday::monday); });
  keep_one_of_each(rules.monthly, [](absl::CivilDay day) { return absl::CivilDay(absl::CivilMonth(day)); });
  keep_one_of_each(rules.yearly, [](absl::CivilDay day) { return absl::CivilDay(absl::CivilYear(day)); });
  return kept;
}

absl::StatusOr<PruneResult> Prune(const Repository& repository, const PruneOptions& options,
                                  const KeepGoing& keep_going) {
  PruneResult result;
  Target& target = repository.target();
  ASSIGN_OR_RETURN(const std::vector<Repository::Listed> listed, repository.List());
  std::vector<std::string> ids;
  std::vector<Timestamp> taken;
  for (const Repository::Listed& one : listed) {
    if (one.info.ok()) {
      ids.push_back(one.id);
      taken.push_back(one.info->taken);
    } else if (options.remove_damaged && absl::IsDataLoss(one.info.status())) {
      result.removed.push_back(one.id);
    } else {
      result.damaged.push_back(one.id);
    }
  }
  const std::vector<bool> kept = KeptBy(options.keep, taken);
  for (size_t i = 0; i < ids.size(); ++i) (kept[i] ? result.kept : result.removed).push_back(ids[i]);
  std::sort(result.removed.begin(), result.removed.end());

  // Before anything is removed: what is needed.
  std::unordered_set<std::string> needed;
  for (const std::string& id : result.kept) {
    RETURN_IF_ERROR(GoOn(keep_going));
    ASSIGN_OR_RETURN(const Manifest manifest, repository.ReadManifest(id));
    for (const BackedUpFile& file : manifest.files) needed.insert(ObjectOf(file));
  }
  if (!options.dry_run) {
    RETURN_IF_ERROR(target.Sweep());
    for (const std::string& id : result.removed) {
      RETURN_IF_ERROR(GoOn(keep_going));
      RETURN_IF_ERROR(target.Remove(absl::StrCat(kBackupsPrefix, id)));
    }
  }
  if (!options.dry_run) {
    ASSIGN_OR_RETURN(const std::vector<StoredObject> drills, target.List(kDrillsPrefix));
    for (size_t i = 0; i + kDrillsKept < drills.size(); ++i) RETURN_IF_ERROR(target.Remove(drills[i].name));
  }
  if (!result.damaged.empty()) return result;
  ASSIGN_OR_RETURN(const std::vector<StoredObject> files, target.List(kFilesPrefix));
  for (const StoredObject& file : files) {
    if (needed.contains(file.name)) continue;
    RETURN_IF_ERROR(GoOn(keep_going));
    if (!options.dry_run) RETURN_IF_ERROR(target.Remove(file.name));
    ++result.files;
    result.bytes += file.size_bytes;
  }
  return result;
}

}  // namespace historian::backup
