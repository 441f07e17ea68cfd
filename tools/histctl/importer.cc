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
#include "tools/histctl/lib/frame_sender.h"
#include "tools/histctl/lib/import_frames.h"
#include "tools/histctl/lib/mapped_file.h"
#include "tools/histctl/lib/tag_csv.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

constexpr uint64_t kErrorsShown = 50;

// How producer names and frames are made. To be raised when the same file would make other frames.
constexpr int kFramesVersion = 1;

struct File {
  std::string path;
  MappedFile mapped;
  ImportLayout layout;
  ImportScan scan;
  std::vector<Tag> columns;         // Wide: of layout.columns; id 0: no values, no tag.
  std::map<std::string, Tag> tags;  // Long: by the names in the file.
};

struct Outcome {
  std::string producer;
  ImportCounts counts;
  uint64_t stored = 0;
  uint64_t rejected = 0;
  uint64_t earlier = 0;       // Samples that an earlier run has stored.
  uint64_t acknowledged = 0;  // Samples that this run has sent.
  uint64_t reconnects = 0;
  absl::Duration elapsed;
};

// What is to become of one tag: from all columns of all files that go to it.
struct Wanted {
  std::optional<ValueType> type;  // As the caller says.
  TypeVotes votes;
  std::string unit;
  std::string from;  // Where it was met first, for messages.
  std::string key;   // What options call it: its header, or its name in a long file.
};

absl::StatusOr<NumberStyle> NumbersOf(const File& file) {
  std::vector<const TypeInference*> columns;
  std::vector<std::string> names;
  for (size_t i = 0; i < file.layout.columns.size(); ++i) {
    columns.push_back(&file.scan.columns[i]);
    names.push_back(file.layout.columns[i].header);
  }
  for (const auto& [name, inference] : file.scan.tags) {
    columns.push_back(&inference);
    names.push_back(name);
  }
  return FindNumberStyle(columns, names, file.layout.separator);
}

absl::StatusOr<std::vector<File>> OpenFiles(const ImportJob& job) {
  std::vector<File> files;
  for (const std::string& path : job.files) {
    ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
    absl::StatusOr<ImportLayout> layout = FindLayout(job.options, path, mapped.text());
    if (!layout.ok()) return UsageError(layout.status().message());
    files.push_back({.path = path, .mapped = std::move(mapped), .layout = *std::move(layout)});
    File& file = files.back();
    file.scan = ScanFile(job.options, file.layout, file.mapped.text(), job.infer_rows);
    if (job.options.numbers.has_value()) continue;
    const absl::StatusOr<NumberStyle> numbers = NumbersOf(file);
    if (!numbers.ok()) return UsageError(absl::StrCat(path, ": ", numbers.status().message()));
    file.layout.numbers = *numbers;
  }
  std::vector<ImportLayout> layouts;
  for (const File& file : files) layouts.push_back(file.layout);
  if (const absl::Status named = CheckNamedColumns(job.options, layouts); !named.ok()) {
    return UsageError(named.message());
  }
  return files;
}

std::map<std::string, Wanted> WantedTags(const ImportJob& job, const std::vector<File>& files) {
  std::map<std::string, Wanted> wanted;
  for (const File& file : files) {
    for (size_t i = 0; i < file.layout.columns.size(); ++i) {
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
    }
    for (const auto& [name, inference] : file.scan.tags) {
      const std::string tag_name = LongTagName(job.options, file.layout, name);
      if (!ValidateTagName(tag_name).ok()) continue;  // Its rows are bad ones.
      Wanted& tag = wanted[tag_name];
      if (tag.from.empty()) {
        tag.from = absl::StrCat(file.path, ":", file.scan.tag_first_line.at(name), ": tag '", name, "'");
        tag.key = name;
      }
      tag.type = job.options.type;
      if (const auto type = job.options.types.find(name); type != job.options.types.end())
        tag.type = type->second;
      tag.votes.Merge(inference.Votes(file.layout.numbers));
      tag.unit = job.options.unit;
      if (const auto unit = job.options.units.find(name); unit != job.options.units.end())
        tag.unit = unit->second;
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
    Tag tag{.name = name, .unit = want.unit};
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

void AssignTags(const ImportJob& job, const std::map<std::string, Tag>& tags, File* file) {
  for (const ImportColumn& column : file->layout.columns) {
    const auto tag = tags.find(column.tag);
    file->columns.push_back(tag == tags.end() ? Tag{} : tag->second);
  }
  for (const auto& [name, inference] : file->scan.tags) {
    const auto tag = tags.find(LongTagName(job.options, file->layout, name));
    if (tag != tags.end()) file->tags[name] = tag->second;
  }
}

// "0" keeps the producers of files that were imported before there were other styles.
std::string StyleText(const NumberStyle& style) {
  if (style == kDecimalPoint) return "0";
  return absl::StrCat(std::string(1, style.decimal), static_cast<int>(style.thousands));
}

// Everything that decides what the frames of a file hold, as text.
std::string Recipe(const ImportJob& job, const File& file) {
  const ImportOptions& options = job.options;
  const ImportLayout& layout = file.layout;
  std::string recipe = absl::StrCat(
      "v", kFramesVersion, "\n", static_cast<int>(layout.separator), layout.has_header, layout.is_long,
      layout.width, " ", layout.time_column.value_or(SIZE_MAX), " ", layout.time_format, "\n",
      options.zone.name(), options.strict_clock_changes, StyleText(layout.numbers), options.missing_as_bad,
      "\n", options.start.value_or(0), " ", options.step_nanos, " ", layout.tag_column, " ",
      layout.value_column, " ", layout.quality_column.value_or(SIZE_MAX), "\n");
  for (const std::string& missing : options.missing)
    absl::StrAppend(&recipe, missing.size(), ":", missing, "\n");
  const auto add = [&](const std::string& key, const Tag& tag) {
    absl::StrAppend(&recipe, key.size(), ":", key, "=", tag.id, " ", ValueTypeName(tag.type));
    // Names of states are read, too.
    if (tag.type == ValueType::kDigital) absl::StrAppend(&recipe, " ", StatesText(tag.states));
    absl::StrAppend(&recipe, "\n");
  };
  for (size_t i = 0; i < layout.columns.size(); ++i)
    add(absl::StrCat(layout.columns[i].index), file.columns[i]);
  for (const auto& [name, tag] : file.tags) add(name, tag);
  return recipe;
}

std::string ProducerOf(const ImportJob& job, const File& file) {
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

absl::Status TooManyErrors(const ImportJob& job, const File& file) {
  return StoppedError(absl::StrCat(
      file.path, ": stopped ",
      job.fail_on_error ? "at the first error" : absl::StrCat("after ", job.max_errors, " errors"),
      "; rows before it may have been stored, and are not stored twice when the command is run again"));
}

// Whether the import may go on is the result's status; `outcome` is filled either way.
absl::Status ImportFile(const ImportJob& job, const client::Connection& connection, const File& file,
                        Progress* progress, Outcome* outcome, Context* context) {
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

  ImportFrames frames(job.options, file.layout, file.mapped.text(), file.columns, file.tags,
                      [&](const RowError& error) { return report.Add(error.line, error.column, error.why); });
  absl::Status status;
  ImportFrame frame;
  while (status.ok() && frames.Next(&frame)) {
    progress->Update(file.path, frames.offset(), file.mapped.text().size(), frames.counts().samples);
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

void PrintSummary(const ImportJob& job, const std::vector<File>& files, const std::vector<Outcome>& outcomes,
                  Context* context) {
  // What did not happen anywhere needs no column, for people.
  const auto never = [&](auto count) {
    return std::all_of(outcomes.begin(), outcomes.end(),
                       [&](const Outcome& outcome) { return count(outcome) == 0; });
  };
  const auto rare = [&](const char* name, auto count) {
    return Heading{.name = name, .right = true, .machine_only = never(count)};
  };
  RowWriter rows(context->format,
                 {{.name = "file"},
                  {.name = "rows", .right = true},
                  {.name = "samples", .right = true},
                  {.name = job.dry_run ? "would_store" : "stored", .right = true},
                  rare("earlier", [](const Outcome& o) { return o.earlier; }),
                  rare("rejected", [](const Outcome& o) { return o.rejected; }),
                  rare("bad_rows", [](const Outcome& o) { return o.counts.bad_rows; }),
                  rare("bad_values", [](const Outcome& o) { return o.counts.bad_values; }),
                  rare("missing", [](const Outcome& o) { return o.counts.missing; }),
                  rare("same_time", [](const Outcome& o) { return o.counts.same_time; }),
                  rare("clock_skipped", [](const Outcome& o) { return o.counts.times_skipped; }),
                  rare("clock_repeated", [](const Outcome& o) { return o.counts.times_repeated; }),
                  {.name = "first"},
                  {.name = "last"},
                  {.name = "rate", .unit = "samples/s", .right = true},
                  {.name = "producer", .machine_only = true}},
                 context->out);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    const ImportCounts& counts = outcome.counts;
    const double seconds = std::max(1e-6, absl::ToDoubleSeconds(outcome.elapsed));
    rows.AddRow({Cell::Text(files[i].path), Cell::Unsigned(counts.rows), Cell::Unsigned(counts.samples),
                 Cell::Unsigned(job.dry_run ? counts.samples : outcome.stored),
                 Cell::Unsigned(outcome.earlier), Cell::Unsigned(outcome.rejected),
                 Cell::Unsigned(counts.bad_rows), Cell::Unsigned(counts.bad_values),
                 Cell::Unsigned(counts.missing), Cell::Unsigned(counts.same_time),
                 Cell::Unsigned(counts.times_skipped), Cell::Unsigned(counts.times_repeated),
                 counts.samples > 0 ? TimeCell(*context, counts.first_time) : Cell::Absent(),
                 counts.samples > 0 ? TimeCell(*context, counts.last_time) : Cell::Absent(),
                 Cell::Float64(std::round(static_cast<double>(counts.samples) / seconds), 4),
                 Cell::Text(outcome.producer)});
  }
  rows.Finish();
}

// What nobody has said but the file itself, so that a wrong guess is seen.
void TellWhatWasFound(const ImportJob& job, const File& file, const std::set<std::string>& created,
                      Context* context) {
  constexpr size_t kTagsShown = 6;
  const ImportOptions& options = job.options;
  const ImportLayout& layout = file.layout;
  std::vector<std::string> found;
  if (options.separator == "auto") {
    const char separator = layout.separator;
    found.push_back(separator == '\t' ? "fields separated by tabs"
                    : separator == ' '
                        ? "fields separated by spaces"
                        : absl::StrCat("fields separated by '", std::string(1, separator), "'"));
  }
  if (options.time_format == "auto" && layout.time_column) {
    const std::string format = absl::StartsWith(layout.time_format, "%")
                                   ? absl::StrCat("'", layout.time_format, "'")
                                   : layout.time_format;
    found.push_back(absl::StrCat("times as ", format, " in column '", layout.header[*layout.time_column],
                                 "', without a zone they are of ", options.zone.name()));
  }
  if (!options.numbers.has_value() && layout.numbers != kDecimalPoint) {
    found.push_back(layout.numbers == kDecimalComma ? "numbers with a decimal comma"
                                                    : "numbers with commas between thousands");
  }
  std::vector<std::string> tags;
  size_t more = 0;
  const auto add = [&](const Tag& tag) {
    if (tag.id == 0 || !created.contains(tag.name)) return;
    if (tags.size() == kTagsShown) {
      ++more;
    } else {
      tags.push_back(absl::StrCat("'", tag.name, "' ", ValueTypeName(tag.type),
                                  tag.unit.empty() ? "" : absl::StrCat(" [", tag.unit, "]")));
    }
  };
  for (const Tag& tag : file.columns) add(tag);
  for (const auto& [name, tag] : file.tags) add(tag);
  if (!tags.empty()) {
    found.push_back(absl::StrCat("new tags ", absl::StrJoin(tags, ", "),
                                 more > 0 ? absl::StrCat(" and ", more, " more") : ""));
  }
  if (!found.empty()) context->Note(absl::StrCat(file.path, ": ", absl::StrJoin(found, "; ")));
}

void PrintPlan(const std::vector<File>& files, const std::set<std::string>& created, Context* context) {
  RowWriter rows(context->format,
                 {{.name = "file"},
                  {.name = "column"},
                  {.name = "tag"},
                  {.name = "type"},
                  {.name = "unit"},
                  {.name = "exists"},
                  {.name = "times"}},
                 context->out);
  for (const File& file : files) {
    const std::string times = file.layout.time_column ? file.layout.time_format : "start and step";
    const auto add = [&](const std::string& column, const Tag& tag) {
      if (tag.id == 0) {
        rows.AddRow({Cell::Text(file.path), Cell::Text(column), Cell::Absent().Shown("(no values)"),
                     Cell::Absent(), Cell::Absent(), Cell::Absent(), Cell::Text(times)});
        return;
      }
      const bool create = created.contains(tag.name), exists = !create && tag.created != 0;
      rows.AddRow({Cell::Text(file.path), Cell::Text(column), Cell::Text(tag.name),
                   Cell::Text(ValueTypeName(tag.type)), Cell::Text(tag.unit),
                   Cell::Bool(exists).Shown(exists   ? "yes"
                                            : create ? "to be created"
                                                     : "no good value"),
                   Cell::Text(times)});
    };
    for (size_t i = 0; i < file.layout.columns.size(); ++i)
      add(file.layout.columns[i].header, file.columns[i]);
    for (const auto& [name, tag] : file.tags) add(name, tag);
  }
  rows.Finish();
}

}  // namespace

absl::Status RunImport(const ImportJob& job, Context* context) {
  ASSIGN_OR_RETURN(std::vector<File> files, OpenFiles(job));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  std::set<std::string> created;
  ASSIGN_OR_RETURN(const auto tags, ResolveTags(job, connection, WantedTags(job, files), &created, context));
  for (File& file : files) AssignTags(job, tags, &file);
  for (const File& file : files) TellWhatWasFound(job, file, created, context);
  if (job.dry_run && context->format == Format::kTable) {
    PrintPlan(files, created, context);
    context->out->Append("\n");
  }

  Progress progress(job.progress);
  std::vector<Outcome> outcomes;
  absl::Status status;
  for (const File& file : files) {
    outcomes.emplace_back();
    status = ImportFile(job, connection, file, &progress, &outcomes.back(), context);
    if (!status.ok()) break;
  }
  progress.Clear();
  PrintSummary(job, files, outcomes, context);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const uint64_t count = outcomes[i].counts.same_time;
    if (count == 0) continue;
    context->Note(absl::StrCat(files[i].path, ": ", count, count == 1 ? " sample has" : " samples have",
                               " the time of an earlier row of the same tag, whose value is no longer read. "
                               "Local times come twice in the "
                               "night when the clock goes back: --tz tells them apart. Devices that share a "
                               "column need tags of their own"));
  }
  const bool resumable = ExitCodeOf(status) == kExitInterrupted || ExitCodeOf(status) == kExitUnreachable;
  if (resumable && !job.dry_run) {
    context->Note("what was acknowledged is stored; run the same command again to go on from there");
  }
  return status;
}

}  // namespace historian::histctl
