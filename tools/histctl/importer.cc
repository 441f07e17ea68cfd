#include "tools/histctl/importer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "client/tags.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/import_file.h"
#include "tools/histctl/import_report.h"
#include "tools/histctl/lib/file_kind.h"
#include "tools/histctl/lib/frame_sender.h"
#include "tools/histctl/lib/import_frames.h"
#include "tools/histctl/lib/mapped_file.h"
#include "tools/histctl/lib/tag_csv.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/lib/text_encoding.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

constexpr uint64_t kErrorsShown = 50;

// How producer names and frames are made. To be raised when the same file would make other frames.
constexpr int kFramesVersion = 1;

// What is to become of one tag: from all columns of all files that go to it.
struct Wanted {
  std::optional<ValueType> type;  // As the caller says.
  TypeVotes votes;
  std::string unit;
  std::string description;
  std::string from;  // Where it was met first, for messages.
  std::string key;   // What options call it: its header, or its name in a long file.
};

absl::StatusOr<NumberStyle> NumbersOf(const ImportFile& file) {
  std::vector<const TypeInference*> columns;
  std::vector<std::string> names;
  for (size_t i = 0; i < file.scan.columns.size(); ++i) {
    columns.push_back(&file.scan.columns[i]);
    names.push_back(file.layout.columns[i].header);
  }
  for (const auto& [name, tag] : file.scan.tags) {
    columns.push_back(&tag.values);
    names.push_back(name);
  }
  return FindNumberStyle(columns, names, file.layout.separator);
}

absl::Status Decode(const ImportJob& job, ImportFile* file) {
  RETURN_IF_ERROR(RefuseOtherKinds(file->mapped.text()));
  file->encoding = job.encoding;
  if (job.encoding == "auto") {
    ASSIGN_OR_RETURN(file->encoding, FindEncoding(file->mapped.text()));
  }
  if (absl::EqualsIgnoreCase(file->encoding, "utf-8") || absl::EqualsIgnoreCase(file->encoding, "utf8")) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(file->decoded, ToUtf8(file->mapped.text(), file->encoding));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ImportFile>> OpenFiles(const ImportJob& job) {
  std::vector<ImportFile> files;
  for (const std::string& path : job.files) {
    ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
    files.push_back({.path = path, .mapped = std::move(mapped)});
    ImportFile& file = files.back();
    if (const absl::Status text = Decode(job, &file); !text.ok()) {
      return UsageError(absl::StrCat(path, ": ", text.message()));
    }
    absl::StatusOr<ImportLayout> layout = FindLayout(job.options, path, file.text());
    if (!layout.ok()) return UsageError(layout.status().message());
    file.layout = *std::move(layout);
    file.scan = ScanFile(job.options, file.layout, file.text(), job.infer_rows);
    if (job.options.numbers.has_value()) continue;
    const absl::StatusOr<NumberStyle> numbers = NumbersOf(file);
    if (!numbers.ok()) return UsageError(absl::StrCat(path, ": ", numbers.status().message()));
    file.layout.numbers = *numbers;
  }
  std::vector<ImportLayout> layouts;
  for (const ImportFile& file : files) layouts.push_back(file.layout);
  if (const absl::Status named = CheckNamedColumns(job.options, layouts); !named.ok()) {
    return UsageError(named.message());
  }
  return files;
}

std::map<std::string, Wanted> WantedTags(const ImportJob& job, const std::vector<ImportFile>& files) {
  std::map<std::string, Wanted> wanted;
  for (const ImportFile& file : files) {
    for (size_t i = 0; i < file.scan.columns.size(); ++i) {
      const ImportColumn& column = file.layout.columns[i];
      const TypeVotes votes = file.scan.columns[i].Votes(file.layout.numbers);
      const bool seen_all = !column.type || job.infer_rows == 0;
      if (votes.all() == 0 && seen_all && !job.options.missing_as_bad) continue;
      Wanted& tag = wanted[column.tag];
      if (tag.from.empty()) {
        tag.from = absl::StrCat(file.path, ": column '", column.header, "'");
        tag.key = column.header;
      }
      if (column.type) tag.type = column.type;
      tag.votes.Merge(votes);
      if (tag.unit.empty()) tag.unit = column.unit;
      if (tag.description.empty()) tag.description = column.description;
    }
    for (const auto& [name, scanned] : file.scan.tags) {
      if (!ValidateTagName(scanned.tag).ok()) continue;  // Its rows are bad ones.
      const TypeVotes votes = scanned.values.Votes(file.layout.numbers);
      const ImportColumn* const column = scanned.column;
      if (column != nullptr && votes.all() == 0 && job.infer_rows == 0 && !job.options.missing_as_bad)
        continue;
      Wanted& tag = wanted[scanned.tag];
      const std::string& key = column == nullptr ? name : column->header;
      if (tag.from.empty()) {
        tag.from = absl::StrCat(file.path, ":", scanned.line, ": tag '", name, "'");
        tag.key = key;
      }
      tag.type = column == nullptr ? job.options.type : column->type;
      if (const auto type = job.options.types.find(key); type != job.options.types.end())
        tag.type = type->second;
      tag.votes.Merge(votes);
      tag.unit = column == nullptr ? job.options.unit : column->unit;
      if (const auto unit = job.options.units.find(key); unit != job.options.units.end())
        tag.unit = unit->second;
      if (column != nullptr) tag.description = column->description;
    }
  }
  return wanted;
}

std::string Quoted(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) absl::StrAppend(&all, all.empty() ? "'" : ", '", text, "'");
  return all;
}

std::string Doubt(const Wanted& want) {
  const TypeVotes& votes = want.votes;
  const uint64_t texts = votes.texts + votes.bools;
  return absl::StrCat(
      want.from, " holds ", votes.numbers, votes.numbers == 1 ? " number and " : " numbers and ", texts,
      texts == 1 ? " other text" : " other texts",
      votes.text_examples.empty() ? "" : absl::StrCat(" (", Quoted(votes.text_examples), ")"),
      ": say what it is. --type '", want.key, "=float64' takes the texts for bad values, --missing '",
      absl::StrJoin(votes.text_examples, ","), "' for missing ones, and --type '", want.key,
      "=string' stores all of them as texts");
}

// The tags by name: those that exist as they are, the others created if there is anything to store of them. Else, and in a dry
// run, the others have the id 4294967295 - k. In a dry run a server that does not answer counts as one without tags.
absl::StatusOr<std::map<std::string, Tag>> ResolveTags(const ImportJob& job,
                                                       const client::Connection& connection,
                                                       const std::map<std::string, Wanted>& wanted,
                                                       std::set<std::string>* created, Context* context) {
  const client::Tags client_tags(connection);
  std::vector<client::TagKey> keys;
  for (const auto& [name, tag] : wanted) keys.emplace_back(name);
  absl::StatusOr<std::vector<client::TagOutcome>> existing = client_tags.Get(keys);
  if (!existing.ok() && job.dry_run && absl::IsUnavailable(existing.status())) {
    context->Note(absl::StrCat("the server does not answer (", existing.status().message(),
                               "): all tags are shown as new"));
    existing = std::vector<client::TagOutcome>(keys.size(), {.status = absl::NotFoundError("")});
  }
  RETURN_IF_ERROR(existing.status());

  std::map<std::string, Tag> tags;
  std::vector<Tag> to_create, made_up;
  std::vector<std::string> absent;
  size_t at = 0;
  for (const auto& [name, want] : wanted) {
    client::TagOutcome& outcome = (*existing)[at++];
    if (outcome.status.ok()) {
      if (outcome.tag.retired) {
        return absl::FailedPreconditionError(absl::StrCat(
            "tag '", name, "' is retired and takes no samples; `histctl tag retire --undo` brings it back"));
      }
      if (want.type && *want.type != outcome.tag.type) {
        return UsageError(absl::StrCat("--type: tag '", name, "' exists with type ",
                                       ValueTypeName(outcome.tag.type), ", not ", ValueTypeName(*want.type)));
      }
      if (!want.type && outcome.tag.type == ValueType::kString && want.votes.numbers > want.votes.texts) {
        return UsageError(absl::StrCat(
            want.from, " holds numbers, but tag '", name, "' is one of texts: --type '", want.key,
            "=string' stores them as texts, --map '", want.key, "=ANOTHER' stores them under another name"));
      }
      tags[name] = std::move(outcome.tag);
      continue;
    }
    if (!absl::IsNotFound(outcome.status)) return Annotate(outcome.status, absl::StrCat("tag '", name, "'"));
    Tag tag{.name = name, .unit = want.unit, .description = want.description};
    if (!want.type && want.votes.all() > 0 && !want.votes.Type()) return UsageError(Doubt(want));
    tag.type = want.type ? *want.type : want.votes.Type().value_or(ValueType::kFloat64);
    tag.interpolation = DefaultInterpolation(tag.type);
    if (const absl::Status valid = ValidateTag(tag); !valid.ok()) {
      return UsageError(absl::StrCat(want.from, ": ", valid.message()));
    }
    const bool storable = want.votes.Usable(tag.type) > 0 || job.infer_rows > 0 || job.options.missing_as_bad;
    if (storable) absent.push_back(name);
    (storable ? to_create : made_up).push_back(std::move(tag));
  }
  if (!absent.empty() && !job.create) {
    return absl::NotFoundError(
        absl::StrCat("tag '", absent[0], "' (", wanted.at(absent[0]).from, ")",
                     absent.size() > 1 ? absl::StrCat(" and ", absent.size() - 1, " more") : "",
                     " not found, and --no-create was given"));
  }
  created->insert(absent.begin(), absent.end());
  if (job.dry_run) std::move(to_create.begin(), to_create.end(), std::back_inserter(made_up));
  TagId id = UINT32_MAX;
  for (Tag& tag : made_up) {
    tag.id = id--;
    tags[tag.name] = std::move(tag);
  }
  if (job.dry_run) return tags;
  ASSIGN_OR_RETURN(std::vector<Tag> ensured, client_tags.Ensure(to_create));
  for (Tag& tag : ensured) tags[tag.name] = std::move(tag);
  return tags;
}

// A tag that an earlier import named with the unit in parentheses keeps its name.
absl::Status KeepOldNames(const ImportJob& job, const client::Connection& connection,
                          std::vector<ImportFile>* files) {
  std::vector<client::TagKey> keys;
  std::vector<ImportColumn*> columns;
  for (ImportFile& file : *files) {
    for (ImportColumn& column : file.layout.columns) {
      if (column.whole_tag.empty() || file.layout.is_keyed()) continue;
      keys.emplace_back(column.whole_tag);
      columns.push_back(&column);
    }
  }
  if (keys.empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<client::TagOutcome>> found = client::Tags(connection).Get(keys);
  if (!found.ok()) return job.dry_run ? absl::OkStatus() : found.status();
  for (size_t i = 0; i < columns.size(); ++i) {
    if ((*found)[i].status.ok()) columns[i]->tag = columns[i]->whole_tag;
  }
  return absl::OkStatus();
}

void AssignTags(const std::map<std::string, Tag>& tags, ImportFile* file) {
  if (!file->layout.is_keyed()) {
    for (const ImportColumn& column : file->layout.columns) {
      const auto tag = tags.find(column.tag);
      file->columns.push_back(tag == tags.end() ? Tag{} : tag->second);
    }
  }
  for (const auto& [name, scanned] : file->scan.tags) {
    const auto tag = tags.find(scanned.tag);
    if (tag != tags.end()) file->tags[name] = tag->second;
  }
}

// "0" keeps the producers of files that were imported before there were other styles.
std::string StyleText(const NumberStyle& style) {
  if (style == kDecimalPoint) return "0";
  return absl::StrCat(std::string(1, style.decimal), static_cast<int>(style.thousands));
}

// Everything that decides what the frames of a file hold, as text.
std::string Recipe(const ImportJob& job, const ImportFile& file) {
  const ImportOptions& options = job.options;
  const ImportLayout& layout = file.layout;
  const bool times = layout.times.has_value();
  std::string recipe =
      absl::StrCat("v", kFramesVersion, "\n", static_cast<int>(layout.separator), layout.header_records > 0,
                   layout.is_long, layout.width, " ", times ? layout.times->columns[0] : SIZE_MAX, " ",
                   times ? layout.times->format : "", "\n", options.zone.name(), options.strict_clock_changes,
                   StyleText(layout.numbers), options.missing_as_bad, "\n", options.start.value_or(0), " ",
                   options.step_nanos, " ", layout.tag_column, " ", layout.value_column, " ",
                   layout.quality_column.value_or(SIZE_MAX), "\n");
  for (const std::string& missing : layout.missing)
    absl::StrAppend(&recipe, missing.size(), ":", missing, "\n");
  const auto add = [&](const std::string& key, const Tag& tag) {
    absl::StrAppend(&recipe, key.size(), ":", key, "=", tag.id, " ", ValueTypeName(tag.type));
    // Names of states are read, too.
    if (tag.type == ValueType::kDigital) absl::StrAppend(&recipe, " ", StatesText(tag.states));
    absl::StrAppend(&recipe, "\n");
  };
  for (size_t i = 0; i < file.columns.size(); ++i)
    add(absl::StrCat(layout.columns[i].index), file.columns[i]);
  for (const auto& [name, tag] : file.tags) add(name, tag);
  // What files have had since; those without keep the producers that they have had before.
  if (layout.lines_before > 0 || layout.header_records > 1) {
    absl::StrAppend(&recipe, "table ", layout.lines_before, " ", layout.header_records, "\n");
  }
  if (times && layout.times->columns.size() > 1) {
    absl::StrAppend(&recipe, "times ", absl::StrJoin(layout.times->columns, ","), " ",
                    static_cast<int>(layout.times->clock), "\n");
  }
  if (layout.is_keyed()) absl::StrAppend(&recipe, "keys ", absl::StrJoin(layout.key_columns, ","), "\n");
  for (const ImportColumn& column : layout.columns) {
    if (column.quality) absl::StrAppend(&recipe, "quality ", column.index, "=", *column.quality, "\n");
  }
  if (layout.quality_codes != QualityCodes::kOpcUa || layout.quality_words) {
    absl::StrAppend(&recipe, "qualities ", static_cast<int>(layout.quality_codes), layout.quality_words,
                    "\n");
  }
  if (file.scan.states > 0) recipe.append("states\n");
  for (const auto& [text, quality] : options.states) {
    absl::StrAppend(&recipe, text.size(), ":", text, "=", quality, "\n");
  }
  if (file.decoded) absl::StrAppend(&recipe, "encoding ", file.encoding, "\n");
  return recipe;
}

std::string ProducerOf(const ImportJob& job, const ImportFile& file) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  const std::string recipe = Recipe(job, file);
  XXH3_128bits_update(&state, recipe.data(), recipe.size());
  XXH3_128bits_update(&state, file.mapped.text().data(), file.mapped.text().size());
  const XXH128_hash_t digest = XXH3_128bits_digest(&state);
  std::string name = job.producer;
  if (name.empty()) {
    const std::string base = file.path.substr(file.path.rfind('/') + 1);
    name = absl::StrCat("histctl-import/", IsValidUtf8(base) && base.size() <= 64 ? base : "file");
  }
  return absl::StrFormat("%s/%016x%016x", name, digest.high64, digest.low64);
}

// Tells errors of one file, the first ones in full.
class ErrorReport {
 public:
  ErrorReport(const ImportJob& job, const std::string& path, Context* context, Progress* progress)
      : job_(job), path_(path), context_(context), progress_(progress) {}
  ~ErrorReport() {
    if (errors_ <= kErrorsShown) return;
    progress_->Clear();
    context_->Note(absl::StrCat(path_, ": and ", errors_ - kErrorsShown, " more"));
  }

  // False: enough.
  bool Add(uint64_t line, absl::string_view column, absl::string_view why) {
    absl::MutexLock lock(&mutex_);
    ++context_->failures;
    if (++errors_ <= kErrorsShown || job_.fail_on_error) {
      progress_->Clear();
      context_->Note(
          absl::StrCat(path_, ":", line, ": ", column.empty() ? "" : absl::StrCat("'", column, "': "), why));
    }
    return !job_.fail_on_error && (job_.max_errors == 0 || errors_ <= job_.max_errors);
  }

  uint64_t errors() const { return errors_; }

 private:
  const ImportJob& job_;
  const std::string& path_;
  Context* const context_;
  Progress* const progress_;
  absl::Mutex mutex_;
  uint64_t errors_ = 0;
};

absl::Status TooManyErrors(const ImportJob& job, const ImportFile& file) {
  return StoppedError(absl::StrCat(
      file.path, ": stopped ",
      job.fail_on_error ? "at the first error" : absl::StrCat("after ", job.max_errors, " errors"),
      "; rows before it may have been stored, and are not stored twice when the command is run again"));
}

// Whether the import may go on is the result's status; `outcome` is filled either way.
absl::Status RunFile(const ImportJob& job, const client::Connection& connection, const ImportFile& file,
                     Progress* progress, ImportOutcome* outcome, Context* context) {
  ErrorReport report(job, file.path, context, progress);
  const MonotonicTime begin = MonotonicTime::Now();
  outcome->producer = ProducerOf(job, file);
  if (job.producer.empty()) {
    ASSIGN_OR_RETURN(const std::string prefix, context->ProducerPrefix(connection));
    outcome->producer = absl::StrCat(prefix, outcome->producer);
  }
  std::map<TagId, std::string> names;
  for (const Tag& tag : file.columns) names[tag.id] = tag.name;
  for (const auto& [name, tag] : file.tags) names[tag.id] = tag.name;

  std::atomic<bool> enough{false};
  FrameSender sender(connection, {.producer = outcome->producer,
                                  .retry_for = job.retry_for,
                                  .on_rejection =
                                      [&](const v1::Rejection& rejection, const ImportFrame& frame) {
                                        const auto name = names.find(rejection.tag_id());
                                        for (uint32_t i = 0; i < rejection.count(); ++i) {
                                          const uint32_t sample = rejection.first() + i;
                                          const bool more = report.Add(
                                              frame.LineOf(rejection.column(), sample),
                                              name == names.end() ? "" : name->second,
                                              absl::StrCat("refused by the server: ", rejection.message()));
                                          if (!more) enough = true;
                                        }
                                      },
                                  .on_notice =
                                      [&](absl::string_view notice) {
                                        progress->Clear();
                                        context->Note(notice);
                                      },
                                  .interrupted = context->interrupted});
  uint64_t acknowledged = 0;
  if (!job.dry_run) RETURN_IF_ERROR(sender.Open(&acknowledged));

  ImportFrames frames(job.options, file.layout, file.text(), file.columns, file.tags,
                      [&](const RowError& error) { return report.Add(error.line, error.column, error.why); });
  absl::Status status;
  ImportFrame frame;
  while (status.ok() && frames.Next(&frame)) {
    progress->Update(file.path, frames.offset(), file.text().size(), frames.counts().samples);
    if (context->Interrupted()) {
      status = InterruptedError("interrupted");
    } else if (enough) {
      status = TooManyErrors(job, file);
    } else if (frame.number() <= acknowledged) {
      outcome->earlier += frame.samples;
    } else if (!job.dry_run) {
      status = sender.Send(std::move(frame));
    }
  }
  if (status.ok() && !job.dry_run) status = sender.Finish();
  if (status.ok() && (frames.stopped() || enough)) status = TooManyErrors(job, file);
  const FrameSenderCounts sent = sender.counts();
  outcome->counts = frames.counts();
  outcome->stored = sent.samples_stored;
  outcome->rejected = sent.samples_rejected;
  outcome->acknowledged = sent.samples_acknowledged;
  outcome->reconnects = sent.reconnects;
  outcome->elapsed = MonotonicTime::Now() - begin;
  return status;
}

}  // namespace

absl::Status RunImport(const ImportJob& job, Context* context) {
  ASSIGN_OR_RETURN(std::vector<ImportFile> files, OpenFiles(job));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  RETURN_IF_ERROR(KeepOldNames(job, connection, &files));
  std::set<std::string> created;
  ASSIGN_OR_RETURN(const auto tags, ResolveTags(job, connection, WantedTags(job, files), &created, context));
  for (ImportFile& file : files) AssignTags(tags, &file);
  for (const ImportFile& file : files) TellWhatWasFound(job, file, created, context);
  if (job.preview_rows > 0) {
    PrintPreview(job, files, context);
    return absl::OkStatus();
  }
  if (job.dry_run && context->format == Format::kTable) {
    PrintPlan(files, created, context);
    context->out->Append("\n");
  }

  Progress progress(job.progress);
  std::vector<ImportOutcome> outcomes;
  absl::Status status;
  for (const ImportFile& file : files) {
    outcomes.emplace_back();
    status = RunFile(job, connection, file, &progress, &outcomes.back(), context);
    if (!status.ok()) break;
  }
  progress.Clear();
  PrintSummary(job, files, outcomes, context);
  const bool resumable = ExitCodeOf(status) == kExitInterrupted || ExitCodeOf(status) == kExitUnreachable;
  if (resumable && !job.dry_run) {
    context->Note("what was acknowledged is stored; run the same command again to go on from there");
  }
  return status;
}

}  // namespace historian::histctl
