#include "storage/backup/drill.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/backup/checked_text.h"
#include "storage/backup/restore.h"
#include "storage/format/key.h"
#include "storage/kv/rocksdb_store.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr char kFirst[] = "historian drill";
constexpr int kFormat = 1;
constexpr size_t kDrillBytesMax = 64 << 10;
constexpr size_t kWhatBytesMax = 1000;
// The restored archive's: what it needs to be read, not to serve anybody.
constexpr uint64_t kBlockCacheBytes = uint64_t{16} << 20;
constexpr uint64_t kMemoryBytes = uint64_t{64} << 20;

struct Numbers {
  explicit Numbers(DrillResult& result)
      : fields{{"blocks", &result.blocks},          {"samples", &result.samples},
               {"damages", &result.damages},        {"tags", &result.tags},
               {"compared", &result.compared},      {"expired", &result.expired},
               {"differences", &result.differences}} {}
  std::vector<std::pair<absl::string_view, uint64_t*>> fields;
};

// A tag's samples as of a version, one after another.
class Walk {
 public:
  static absl::StatusOr<Walk> Begin(Archive& archive, TagId tag, Version as_of, const KeepGoing& keep_going) {
    ASSIGN_OR_RETURN(
        std::unique_ptr<RawReader> reader,
        archive.ReadRaw({.tag = tag, .start = kTimestampMin, .end = kTimestampMax + 1, .as_of = as_of},
                        keep_going));
    Walk walk(std::move(reader));
    RETURN_IF_ERROR(walk.Fill());
    return walk;
  }

  bool at_end() const { return at_end_; }
  const SamplesView view() const { return batch_.View(); }
  size_t place() const { return place_; }
  Timestamp time() const { return batch_.times[place_]; }
  absl::Status Next() { return ++place_ < batch_.size() ? absl::OkStatus() : Fill(); }

 private:
  explicit Walk(std::unique_ptr<RawReader> reader) : reader_(std::move(reader)) {}
  absl::Status Fill() {
    place_ = 0;
    ASSIGN_OR_RETURN(const bool more, reader_->Next(&batch_));
    at_end_ = !more;
    return absl::OkStatus();
  }

  std::unique_ptr<RawReader> reader_;
  Samples batch_;
  size_t place_ = 0;
  bool at_end_ = false;
};

bool SameDefinition(const Tag& a, const Tag& b) {
  const auto all = [](const Tag& tag) {
    return std::tie(tag.name, tag.type, tag.interpolation, tag.unit, tag.description, tag.states,
                    tag.attributes, tag.retired);
  };
  return all(a) == all(b);
}

class Driller {
 public:
  Driller(const Manifest& manifest, const DrillOptions& options, const Clock& clock, DrillResult& result)
      : manifest_(manifest), options_(options), clock_(clock), result_(result) {}

  // Errors: why it could not be done.
  absl::Status Run(const Repository& repository) {
    RETURN_IF_ERROR(Annotate(Restore(repository, manifest_,
                                     {.to = options_.scratch,
                                      .bytes_per_second = options_.bytes_per_second,
                                      .room_left = options_.room_left,
                                      .on_progress =
                                          [&](const RestoreProgress& progress) {
                                            Tell(DrillProgress::Step::kRestoring, progress.bytes,
                                                 progress.bytes_total);
                                          },
                                      .keep_going = options_.keep_going}),
                             "restoring"));
    ASSIGN_OR_RETURN(std::unique_ptr<kv::Store> store,
                     kv::OpenRocksDbStore({.path = options_.scratch,
                                           .create_if_missing = false,
                                           .read_only = true,
                                           .block_cache_bytes = kBlockCacheBytes}));
    ASSIGN_OR_RETURN(
        const std::unique_ptr<Archive> restored,
        Archive::Open(std::move(store), {.shards = 1, .memory_budget_bytes = kMemoryBytes}, clock_));
    for (const std::string& damage : restored->Stats().damage) NoteDamage(damage);
    RETURN_IF_ERROR(Annotate(Verify(*restored), "verifying"));
    if (result_.version == 0) return absl::OkStatus();
    return Annotate(Compare(*restored), "comparing");
  }

 private:
  void Tell(DrillProgress::Step step, uint64_t done, uint64_t total) {
    if (options_.on_progress != nullptr) options_.on_progress({step, done, total});
  }
  void NoteDamage(const std::string& what) {
    ++result_.damages;
    if (result_.what.empty()) result_.what = absl::StrCat("damage: ", what);
  }
  void NoteDifference(TagId tag, absl::string_view name, const std::string& what) {
    ++result_.differences;
    if (result_.what.empty()) result_.what = absl::StrCat("tag ", tag, " '", name, "' differs: ", what);
  }

  absl::Status Verify(Archive& restored) {
    ASSIGN_OR_RETURN(const VerifyCounts counts,
                     restored.upkeep().Verify(
                         {.bytes_per_second = options_.bytes_per_second},
                         {.on_damage = [&](const Damage& damage) { NoteDamage(DescribeDamage(damage)); },
                          .on_progress =
                              [&](const VerifyCounts& counts) {
                                Tell(DrillProgress::Step::kVerifying, counts.samples, 0);
                              },
                          .keep_going = options_.keep_going}));
    result_.blocks = counts.blocks;
    result_.samples = counts.samples;
    return absl::OkStatus();
  }

  absl::Status Compare(Archive& restored) {
    const TagId last = restored.tags().last_id();
    for (TagId tag = 1; tag <= last; ++tag) {
      RETURN_IF_ERROR(GoOn(options_.keep_going));
      RETURN_IF_ERROR(
          options_.with_archive([&](Archive& running) { return CompareTag(restored, running, tag); }));
      Tell(DrillProgress::Step::kComparing, tag, last);
    }
    return absl::OkStatus();
  }

  absl::Status CompareTag(Archive& restored, Archive& running, TagId tag) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> was, restored.tags().FindAsOf(tag, result_.version));
    if (was == nullptr) return absl::OkStatus();
    ++result_.tags;
    ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> is, running.tags().FindAsOf(tag, result_.version));
    if (is == nullptr || !SameDefinition(*was, *is)) {
      NoteDifference(tag, was->name, "its definition");
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(Walk a, Walk::Begin(restored, tag, result_.version, options_.keep_going));
    ASSIGN_OR_RETURN(Walk b, Walk::Begin(running, tag, result_.version, options_.keep_going));
    const auto has_expired = [&](Timestamp time) {
      const std::shared_ptr<const ExpiredTable> expired = running.retention().expired();
      const Expired* const of_tag = expired->Of(tag);
      return of_tag != nullptr && of_tag->HasRaw(format::PartitionOf(time));
    };
    while (!a.at_end() || !b.at_end()) {
      const bool only_backup = b.at_end() || (!a.at_end() && a.time() < b.time());
      const bool only_running = a.at_end() || (!b.at_end() && b.time() < a.time());
      const Timestamp time = only_running ? b.time() : a.time();
      if (only_backup && has_expired(time)) {
        ++result_.expired;
      } else if (only_backup || only_running ||
                 !SameSample(was->type, a.view(), a.place(), b.view(), b.place())) {
        // What expires while both are read is no difference.
        if (has_expired(time)) {
          ++result_.expired;
        } else {
          NoteDifference(tag, was->name,
                         absl::StrCat("the sample at ", FormatTimestamp(time),
                                      only_backup    ? " is in the backup alone"
                                      : only_running ? " is in the running archive alone"
                                                     : " is not the same"));
        }
      } else {
        ++result_.compared;
      }
      if (!only_running) RETURN_IF_ERROR(a.Next());
      if (!only_backup) RETURN_IF_ERROR(b.Next());
    }
    return absl::OkStatus();
  }

  const Manifest& manifest_;
  const DrillOptions& options_;
  const Clock& clock_;
  DrillResult& result_;
};

}  // namespace

std::string EncodeDrill(const DrillResult& result) {
  DrillResult copy = result;
  std::string lines = absl::StrCat(kFirst, " ", kFormat, "\nid ", result.id, "\nbackup ", result.backup,
                                   "\nbegun ", FormatTimestamp(result.begun), "\nended ",
                                   FormatTimestamp(result.ended), "\nversion ", result.version, "\n");
  for (const auto& [word, number] : Numbers(copy).fields) absl::StrAppend(&lines, word, " ", *number, "\n");
  if (!result.what.empty()) absl::StrAppend(&lines, "what ", result.what, "\n");
  return WithEnd(std::move(lines));
}

absl::StatusOr<DrillResult> DecodeDrill(absl::string_view text, const std::string& what) {
  ASSIGN_OR_RETURN(CheckedLines lines, CheckedLines::Open(text, kFirst, kFormat, what));
  DrillResult result;
  const Numbers numbers(result);
  absl::string_view word, rest;
  while (lines.Next(&word, &rest)) {
    const auto field = std::find_if(numbers.fields.begin(), numbers.fields.end(),
                                    [&](const auto& field) { return field.first == word; });
    if (field != numbers.fields.end()) {
      ASSIGN_OR_RETURN(*field->second, lines.Number(rest));
    } else if (word == "id") {
      result.id = std::string(rest);
    } else if (word == "backup") {
      result.backup = std::string(rest);
    } else if (word == "what") {
      result.what = std::string(rest);
    } else if (word == "begun") {
      ASSIGN_OR_RETURN(result.begun, lines.Time(rest));
    } else if (word == "ended") {
      ASSIGN_OR_RETURN(result.ended, lines.Time(rest));
    } else if (word == "version") {
      ASSIGN_OR_RETURN(const uint64_t version, lines.Number(rest));
      result.version = static_cast<Version>(version);
    } else {
      return lines.Damaged();
    }
  }
  return result;
}

absl::StatusOr<std::vector<DrillResult>> ListDrills(const Repository& repository, size_t max) {
  ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, repository.target().List(kDrillsPrefix));
  std::vector<DrillResult> drills;
  for (size_t i = objects.size(); i-- > 0 && drills.size() < max;) {
    const absl::StatusOr<std::string> text = repository.target().Get(objects[i].name, kDrillBytesMax);
    if (!text.ok() && !absl::IsNotFound(text.status()) && !absl::IsDataLoss(text.status()))
      return text.status();
    if (!text.ok()) continue;
    // One that is damaged tells nothing.
    if (absl::StatusOr<DrillResult> drill = DecodeDrill(*text, objects[i].name); drill.ok())
      drills.push_back(*std::move(drill));
  }
  return drills;
}

absl::StatusOr<DrillResult> Drill(const Repository& repository, const Manifest& manifest, const Clock& clock,
                                  const DrillOptions& options) {
  DrillResult result{.backup = manifest.info.id, .begun = clock.Now(), .version = manifest.info.version};
  result.id = NewBackupId(result.begun);
  std::error_code error;
  absl::Status status;
  if (std::filesystem::exists(options.scratch, error)) {
    status = absl::AlreadyExistsError(absl::StrCat("the scratch directory ", options.scratch, " exists"));
  } else {
    status = Driller(manifest, options, clock, result).Run(repository);
    std::filesystem::remove_all(options.scratch, error);
  }
  RETURN_IF_ERROR(GoOn(options.keep_going));
  result.ended = clock.Now();
  if (result.what.empty()) result.what = std::string(status.message());
  result.what = absl::StrReplaceAll(absl::string_view(result.what).substr(0, kWhatBytesMax), {{"\n", " "}});
  return result;
}

absl::Status RecordDrill(const Repository& repository, const DrillResult& result) {
  return repository.target().Put(absl::StrCat(kDrillsPrefix, result.id), EncodeDrill(result));
}

}  // namespace historian::backup
