#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/csv_style.h"
#include "tools/histctl/lib/value_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// Tags whose samples are read side by side for a wide file: each is a stream of its own.
constexpr size_t kWideTagsMax = 1000;

struct ExportOptions {
  std::vector<std::string> tags;
  std::string from;
  std::string to;
  std::string layout = "long";
  AsOfOptions as_of;
  CsvOptions csv;
  std::string file;
};

// Also an empty string is a value, and is quoted; nothing at all is none.
void AppendSampleValue(const Tag& tag, const SamplesView& samples, size_t i, const CsvStyle& style,
                       std::string* line) {
  if (tag.type == ValueType::kString) {
    AppendCsvField(samples.StringAt(i), line, style.separator);
  } else if (!style.decimal_comma) {
    AppendValue(tag.type, samples.values[i], line);
  } else {
    std::string number;
    AppendValue(tag.type, samples.values[i], &number);
    AppendCsvNumber(number, style, line);
  }
}

std::string BeginFile(const CsvStyle& style) {
  return std::string(style.byte_order_mark ? kByteOrderMark : "");
}

absl::Status ExportLong(const std::vector<Tag>& tags, const client::Reader& reader, const Range& range,
                        const CsvStyle& style, Context* context, Output* out) {
  const std::string separator(1, style.separator);
  out->Append(
      absl::StrCat(BeginFile(style), absl::StrJoin({"time", "tag", "value", "quality"}, separator), "\n"));
  std::string line;
  for (const Tag& tag : tags) {
    std::string name;
    AppendCsvField(tag.name, &name, style.separator);
    client::RawSamples raw = reader.Raw(tag.id, range.from, range.to);
    for (const client::SampleBatch& batch : raw) {
      if (context->Interrupted()) return InterruptedError("interrupted");
      const SamplesView samples = batch.samples.View();
      for (size_t i = 0; i < samples.size; ++i) {
        line.clear();
        AppendCsvTime(samples.times[i], style, &line);
        absl::StrAppend(&line, separator, name, separator);
        AppendSampleValue(tag, samples, i, style, &line);
        line.push_back(style.separator);
        line.append(samples.QualityAt(i) == kGood ? "Good" : QualityCodeText(samples.QualityAt(i)));
        line.push_back('\n');
        out->Append(line);
      }
    }
    RETURN_IF_ERROR(Annotate(raw.status(), absl::StrCat("tag '", tag.name, "'")));
  }
  return absl::OkStatus();
}

// The samples of one tag, one at a time.
class Cursor {
 public:
  explicit Cursor(client::RawSamples raw) : raw_(std::move(raw)) { NextBatch(); }

  bool done() const { return batch_ == nullptr; }
  SamplesView samples() const { return batch_->samples.View(); }
  size_t index() const { return index_; }
  Timestamp time() const { return batch_->samples.times[index_]; }
  void Next() {
    if (++index_ == batch_->samples.size()) NextBatch();
  }
  const absl::Status& status() const { return raw_.status(); }

 private:
  void NextBatch() {
    batch_ = raw_.Next();
    index_ = 0;
  }

  client::RawSamples raw_;
  const client::SampleBatch* batch_ = nullptr;
  size_t index_ = 0;
};

absl::Status ExportWide(const std::vector<Tag>& tags, const client::Reader& reader, const Range& range,
                        const CsvStyle& style, Context* context, Output* out) {
  if (tags.size() > kWideTagsMax) {
    return UsageError(absl::StrCat("a wide file of ", tags.size(), " tags; the limit is ", kWideTagsMax,
                                   ": use --layout long, or several files"));
  }
  std::string line = BeginFile(style) + "time";
  for (const Tag& tag : tags) {
    line.push_back(style.separator);
    AppendCsvField(tag.name, &line, style.separator);
  }
  line.push_back('\n');
  out->Append(line);
  std::vector<Cursor> cursors;
  cursors.reserve(tags.size());
  for (const Tag& tag : tags) cursors.emplace_back(reader.Raw(tag.id, range.from, range.to));
  uint64_t bad = 0, uncertain = 0, rows = 0;
  for (;;) {
    if (++rows % 1024 == 0 && context->Interrupted()) return InterruptedError("interrupted");
    bool any = false;
    Timestamp next = std::numeric_limits<Timestamp>::max();
    for (const Cursor& cursor : cursors) {
      if (cursor.done()) continue;
      any = true;
      next = std::min(next, cursor.time());
    }
    if (!any) break;
    line.clear();
    AppendCsvTime(next, style, &line);
    for (size_t i = 0; i < cursors.size(); ++i) {
      line.push_back(style.separator);
      Cursor& cursor = cursors[i];
      if (cursor.done() || cursor.time() != next) continue;
      const Quality quality = cursor.samples().QualityAt(cursor.index());
      if (IsBad(quality)) {
        ++bad;  // Nothing here could say so.
      } else {
        uncertain += quality != kGood;
        AppendSampleValue(tags[i], cursor.samples(), cursor.index(), style, &line);
      }
      cursor.Next();
    }
    line.push_back('\n');
    out->Append(line);
  }
  for (size_t i = 0; i < cursors.size(); ++i) {
    RETURN_IF_ERROR(Annotate(cursors[i].status(), absl::StrCat("tag '", tags[i].name, "'")));
  }
  if (bad + uncertain > 0) {
    context->Note(absl::StrCat("a wide file has no qualities: ", bad, " Bad samples are left empty, ",
                               uncertain,
                               " of other qualities than plain Good look Good; --layout long keeps them"));
  }
  return absl::OkStatus();
}

absl::Status Export(const ExportOptions& options, Context* context) {
  Range range{kTimestampMin, kTimestampMax};
  if (!options.from.empty()) {
    ASSIGN_OR_RETURN(range.from, context->Time("--from", options.from));
  }
  if (!options.to.empty()) {
    ASSIGN_OR_RETURN(range.to, context->Time("--to", options.to));
  }
  if (range.to < range.from) return UsageError("--to is before --from");
  if (options.layout != "wide" && options.layout != "long") {
    return UsageError(absl::StrCat("--layout: '", options.layout, "' is neither wide nor long"));
  }
  ASSIGN_OR_RETURN(const CsvStyle style, StyleOf(options.csv, *context));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.tags));
  std::unique_ptr<Output> file;
  if (!options.file.empty() && options.file != "-") {
    ASSIGN_OR_RETURN(file, OutputToFile(options.file));
  }
  Output* const out = file != nullptr ? file.get() : context->out;
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  RETURN_IF_ERROR(options.layout == "wide" ? ExportWide(tags, reader, range, style, context, out)
                                           : ExportLong(tags, reader, range, style, context, out));
  return file != nullptr ? file->Close() : absl::OkStatus();
}

}  // namespace

void AddExportCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* const exp = app->add_subcommand("export", "write samples as CSV, for import");
  exp->add_option("TAG", options->tags, "names or patterns")->required();
  exp->add_option("--from", options->from, "from this time on (default: all)");
  exp->add_option("--to", options->to, "until before this time (default: all)");
  exp->add_option("--layout", options->layout,
                  "long (time, tag, value, quality) or wide (time and a column per tag)")
      ->capture_default_str();
  exp->add_option("-o,--output", options->file, "the file (default: standard output)");
  AddAsOfOptions(exp, &options->as_of);
  AddCsvOptions(exp, &options->csv);
  exp->footer(
      "\nNumbers are printed in the shortest form that reads back as the same bits. A long file holds "
      "everything but\n"
      "which NaN a NaN was; imported again it gives the same samples and qualities. A wide file has no "
      "qualities:\n"
      "Bad samples are left empty. Digital values are codes. FILE appears when it is complete.\n"
      "To copy tags too, run `histctl tag export` and `tag import` first: types are found anew otherwise.\n"
      "\nExamples:\n"
      "  histctl export 'plant/area-1/*' --from 2026-11-01 --to 2026-12-01 -o november.csv\n"
      "  histctl export plant/area-1/pump-101/flow plant/area-1/pump-101/discharge-pressure --layout wide "
      "--tz Europe/Berlin\n"
      "  histctl export 'plant/area-1/*' --from y --to t --layout wide --decimal-comma --tz Europe/Berlin "
      "\\\n"
      "      --time-format '%d.%m.%Y %H:%M:%S' --byte-order-mark -o yesterday.csv    # for a spreadsheet\n");
  exp->callback([=] { context->run = [=] { return Export(*options, context); }; });
}

}  // namespace historian::histctl
