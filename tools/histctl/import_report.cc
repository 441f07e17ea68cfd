#include "tools/histctl/import_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/wire.h"
#include "storage/model/samples.h"
#include "tools/histctl/lib/import_frames.h"
#include "tools/histctl/lib/row_writer.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

std::string HeadersText(const ImportLayout& layout, const std::vector<size_t>& columns) {
  constexpr size_t kShown = 6;
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(columns.size(), kShown); ++i) {
    names.push_back(absl::StrCat("'", layout.header[columns[i]], "'"));
  }
  return absl::StrCat(columns.size() == 1 ? "column " : "columns ", absl::StrJoin(names, ", "),
                      columns.size() > kShown ? absl::StrCat(" and ", columns.size() - kShown, " more") : "");
}

// Whether a clock never changes.
bool IsFixed(const absl::TimeZone& zone) {
  absl::TimeZone::CivilTransition transition;
  return !zone.NextTransition(absl::FromCivil(absl::CivilYear(1990), zone), &transition);
}

}  // namespace

void PrintSummary(const ImportJob& job, const std::vector<ImportFile>& files,
                  const std::vector<ImportOutcome>& outcomes, Context* context) {
  // What did not happen anywhere needs no column, for people.
  const auto never = [&](auto count) {
    return std::all_of(outcomes.begin(), outcomes.end(),
                       [&](const ImportOutcome& outcome) { return count(outcome) == 0; });
  };
  const auto rare = [&](const char* name, auto count) {
    return Heading{.name = name, .right = true, .machine_only = never(count)};
  };
  RowWriter rows(context->format,
                 {{.name = "file"},
                  {.name = "rows", .right = true},
                  {.name = "samples", .right = true},
                  {.name = job.dry_run ? "would_store" : "stored", .right = true},
                  rare("earlier", [](const ImportOutcome& o) { return o.earlier; }),
                  rare("rejected", [](const ImportOutcome& o) { return o.rejected; }),
                  rare("bad_rows", [](const ImportOutcome& o) { return o.counts.bad_rows; }),
                  rare("bad_values", [](const ImportOutcome& o) { return o.counts.bad_values; }),
                  rare("missing", [](const ImportOutcome& o) { return o.counts.missing; }),
                  rare("states", [](const ImportOutcome& o) { return o.counts.states; }),
                  rare("same_time", [](const ImportOutcome& o) { return o.counts.same_time; }),
                  rare("clock_skipped", [](const ImportOutcome& o) { return o.counts.times_skipped; }),
                  rare("clock_repeated", [](const ImportOutcome& o) { return o.counts.times_repeated; }),
                  {.name = "first"},
                  {.name = "last"},
                  {.name = "rate", .unit = "samples/s", .right = true},
                  {.name = "producer", .machine_only = true}},
                 context->out);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const ImportOutcome& outcome = outcomes[i];
    const ImportCounts& counts = outcome.counts;
    const double seconds = std::max(1e-6, absl::ToDoubleSeconds(outcome.elapsed));
    rows.AddRow(
        {Cell::Text(files[i].path), Cell::Unsigned(counts.rows), Cell::Unsigned(counts.samples),
         Cell::Unsigned(job.dry_run ? counts.samples : outcome.stored), Cell::Unsigned(outcome.earlier),
         Cell::Unsigned(outcome.rejected), Cell::Unsigned(counts.bad_rows), Cell::Unsigned(counts.bad_values),
         Cell::Unsigned(counts.missing), Cell::Unsigned(counts.states), Cell::Unsigned(counts.same_time),
         Cell::Unsigned(counts.times_skipped), Cell::Unsigned(counts.times_repeated),
         counts.samples > 0 ? TimeCell(*context, counts.first_time) : Cell::Absent(),
         counts.samples > 0 ? TimeCell(*context, counts.last_time) : Cell::Absent(),
         Cell::Float64(std::round(static_cast<double>(counts.samples) / seconds), 4),
         Cell::Text(outcome.producer)});
  }
  rows.Finish();
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::string& path = files[i].path;
    if (const uint64_t count = outcomes[i].counts.same_time; count > 0) {
      context->Note(
          absl::StrCat(path, ": ", count, count == 1 ? " sample has" : " samples have",
                       " the time of an earlier row of the same tag, whose value is no longer read. "
                       "Local times come twice in the night when the clock goes back: --tz tells "
                       "them apart. Devices that share a column need tags of their own: "
                       "--key-columns"));
    }
    if (const uint64_t count = outcomes[i].counts.states; count > 0) {
      context->Note(absl::StrCat(path, ": ", count, count == 1 ? " text that says" : " texts that say",
                                 " why there is no value (such as No Data) ",
                                 job.dry_run  ? "would be"
                                 : count == 1 ? "is"
                                              : "are",
                                 count == 1 ? " stored as a Bad sample with that quality"
                                            : " stored as Bad samples with that quality"));
    }
    if (outcomes[i].counts.bad_rows + outcomes[i].counts.bad_values > 0) {
      context->Note(absl::StrCat(
          path, ": bad rows and values were passed over, the others ", job.dry_run ? "would be" : "are",
          " stored. Mend the lines named above and import the file again: what is stored "
          "already is not stored twice"));
    }
  }
}

void TellWhatWasFound(const ImportJob& job, const ImportFile& file, const std::set<std::string>& created,
                      Context* context) {
  constexpr size_t kTagsShown = 6;
  const ImportOptions& options = job.options;
  const ImportLayout& layout = file.layout;
  std::vector<std::string> found;
  if (job.encoding == "auto" && file.decoded) found.push_back(absl::StrCat("text in ", file.encoding));
  if (options.layout == "auto" && layout.program != Program::kUnknown) {
    found.push_back(absl::StrCat("layout ", ProgramName(layout.program)));
  }
  if (!options.skip_lines.has_value() && layout.lines_before > 0) {
    found.push_back(absl::StrCat(layout.lines_before, layout.lines_before == 1 ? " line" : " lines",
                                 " in front of the header passed over"));
  }
  if (layout.header_records > 1) {
    found.push_back(layout.header_records == 2
                        ? "the row below the header has units or descriptions"
                        : absl::StrCat("the ", layout.header_records - 1,
                                       " rows below the header have units or descriptions"));
  }
  if (options.separator == "auto") {
    const char separator = layout.separator;
    found.push_back(separator == '\t' ? "fields separated by tabs"
                    : separator == ' '
                        ? "fields separated by spaces"
                        : absl::StrCat("fields separated by '", std::string(1, separator), "'"));
  }
  if (options.time_format == "auto" && layout.times) {
    const std::string& format = layout.times->format;
    found.push_back(absl::StrCat(
        "times as ", absl::StartsWith(format, "%") ? absl::StrCat("'", format, "'") : format, " in ",
        HeadersText(layout, layout.times->columns), ", without a zone they are of ", options.zone.name()));
  }
  if (layout.is_keyed() && options.key_columns.empty()) {
    found.push_back(
        absl::StrCat("a tag for each of ", HeadersText(layout, layout.key_columns), " and each quantity"));
  }
  std::vector<size_t> qualities;
  for (const ImportColumn& column : layout.columns) {
    if (column.quality) qualities.push_back(*column.quality);
  }
  if (!qualities.empty()) found.push_back(absl::StrCat("qualities in ", HeadersText(layout, qualities)));
  if (layout.quality_codes == QualityCodes::kOpcDa && !options.quality_codes.has_value()) {
    found.push_back("qualities are codes of OPC DA");
  }
  if (layout.program == Program::kToa5) found.push_back("NAN is no value");
  if (layout.program == Program::kEpa && !IsFixed(options.zone)) {
    context->Note(absl::StrCat(file.path,
                               ": hours of emissions are standard time all the year, but the clock of ",
                               options.zone.name(), " changes: --tz Etc/GMT+5 is Eastern standard time"));
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

void PrintPlan(const std::vector<ImportFile>& files, const std::set<std::string>& created, Context* context) {
  RowWriter rows(context->format,
                 {{.name = "file"},
                  {.name = "column"},
                  {.name = "tag"},
                  {.name = "type"},
                  {.name = "unit"},
                  {.name = "exists"},
                  {.name = "times"}},
                 context->out);
  for (const ImportFile& file : files) {
    const std::string times = file.layout.times ? file.layout.times->format : "start and step";
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
    for (size_t i = 0; i < file.columns.size(); ++i) add(file.layout.columns[i].header, file.columns[i]);
    for (const auto& [name, tag] : file.tags) add(name, tag);
  }
  rows.Finish();
}

void PrintPreview(const ImportJob& job, const std::vector<ImportFile>& files, Context* context) {
  RowWriter rows(context->format,
                 {{.name = "file", .machine_only = files.size() == 1},
                  {.name = "line", .right = true},
                  {.name = "tag"},
                  {.name = "time"},
                  {.name = "value", .right = true},
                  {.name = "unit"},
                  {.name = "quality"}},
                 context->out);
  for (const ImportFile& file : files) {
    struct Shown {
      uint64_t line = 0;
      const Tag* tag = nullptr;
      Samples samples;  // One.
    };
    std::vector<Shown> samples;
    std::map<TagId, const Tag*> tags;
    for (const Tag& tag : file.columns) tags[tag.id] = &tag;
    for (const auto& [name, tag] : file.tags) tags[tag.id] = &tag;
    // The rows are cut off by their lines, which is the same unless records have line ends in them.
    CsvReader reader(file.text(), file.layout.separator, file.layout.lines_before);
    uint64_t records = 0;
    while (records < file.layout.header_records + job.preview_rows &&
           reader.Next() != CsvReader::Result::kEnd) {
      ++records;
    }
    ImportFrames frames(job.options, file.layout, file.text().substr(0, reader.offset()), file.columns,
                        file.tags, [&](const RowError& error) {
                          context->Note(absl::StrCat(
                              file.path, ":", error.line, ": ",
                              error.column.empty() ? "" : absl::StrCat("'", error.column, "': "), error.why));
                          return true;
                        });
    ImportFrame frame;
    while (frames.Next(&frame)) {
      for (int c = 0; c < frame.request.frame().columns_size(); ++c) {
        const v1::Column& column = frame.request.frame().columns(c);
        const auto tag = tags.find(column.tag_id());
        if (tag == tags.end()) continue;
        const absl::StatusOr<client::SampleBatch> read = client::FromWire(column);
        if (!read.ok()) continue;
        const SamplesView view = read->samples.View();
        for (size_t i = 0; i < view.size; ++i) {
          samples.push_back(
              {frame.LineOf(static_cast<uint32_t>(c), static_cast<uint32_t>(i)), tag->second, {}});
          samples.back().samples.AddFrom(tag->second->type, view, i);
        }
      }
    }
    std::stable_sort(samples.begin(), samples.end(),
                     [](const Shown& a, const Shown& b) { return a.line < b.line; });
    for (const Shown& one : samples) {
      const SamplesView view = one.samples.View();
      rows.AddRow({Cell::Text(file.path), Cell::Unsigned(one.line), Cell::Text(one.tag->name),
                   TimeCell(*context, view.times[0]), SampleCell(*one.tag, view, 0),
                   Cell::Text(one.tag->unit), QualityCell(view.QualityAt(0))});
    }
  }
  rows.Finish();
}

}  // namespace historian::histctl
