#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/importer.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/lib/time_text.h"

namespace historian::histctl {
namespace {

struct ImportArguments {
  ImportJob job;
  std::vector<std::string> maps;
  std::vector<std::string> skips;
  std::vector<std::string> types;
  std::vector<std::string> units;
  std::string start;
  std::string step;
  std::string missing;
  std::vector<std::string> states;
  std::string quality_codes = "auto";
  std::vector<std::string> key_columns;
  std::optional<uint64_t> skip_lines;
  std::string decimal = "auto";
  std::string thousands;
  bool decimal_comma = false;
  std::string on_error = "skip";
  std::string retry_for = "10m";
  bool no_header = false;
  bool no_create = false;
  bool progress = false;
};

// The last '=': headers may have one, tags and units hardly.
std::pair<std::string, std::string> SplitAtEquals(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// Unset: to be found.
absl::StatusOr<std::optional<NumberStyle>> NumbersOf(const ImportArguments& arguments) {
  std::string decimal = arguments.decimal;
  if (arguments.decimal_comma) {
    if (decimal == "point") return UsageError("either --decimal-comma or --decimal point, not both");
    decimal = "comma";
  }
  if (decimal != "auto" && decimal != "point" && decimal != "comma") {
    return UsageError(absl::StrCat("--decimal: '", decimal, "' is none of auto, point and comma"));
  }
  const std::string& text = arguments.thousands;
  if (text.empty()) {
    if (decimal == "auto") return std::nullopt;
    return decimal == "comma" ? kDecimalComma : kDecimalPoint;
  }
  const char thousands = text == "space" ? ' ' : text[0];
  if (text != "space" &&
      (text.size() != 1 || absl::string_view(",.' _").find(thousands) == std::string::npos)) {
    return UsageError(absl::StrCat("--thousands: '", text, "' is none of , . ' _ and space"));
  }
  const NumberStyle style{
      .decimal = decimal == "comma" || (decimal == "auto" && thousands == '.') ? ',' : '.',
      .thousands = thousands};
  if (style.thousands == style.decimal) {
    return UsageError(
        absl::StrCat("--thousands '", text, "' is also the decimal sign (--decimal ", decimal, ")"));
  }
  return style;
}

absl::StatusOr<ImportJob> JobOf(const ImportArguments& arguments, const Context& context) {
  ImportJob job = arguments.job;
  ImportOptions& options = job.options;
  options.zone = context.zone;
  options.header = !arguments.no_header;
  ASSIGN_OR_RETURN(options.numbers, NumbersOf(arguments));
  for (const std::string& map : arguments.maps) {
    const auto [header, tag] = SplitAtEquals(map);
    if (header.empty() || tag.empty())
      return UsageError(absl::StrCat("--map: '", map, "' is not HEADER=TAG"));
    options.map[header] = tag;
  }
  for (const std::string& skip : arguments.skips) {
    for (const absl::string_view name : absl::StrSplit(skip, ',')) {
      options.skip_columns.emplace_back(absl::StripAsciiWhitespace(name));
    }
  }
  for (const std::string& text : arguments.types) {
    const auto [header, name] = SplitAtEquals(text);
    ValueType type;
    if (!ParseValueType(name, &type)) {
      return UsageError(
          absl::StrCat("--type '", name, "': expected float64, float32, int64, bool, digital or string"));
    }
    if (header.empty()) {
      options.type = type;
    } else {
      options.types[header] = type;
    }
  }
  for (const std::string& text : arguments.units) {
    const auto [header, unit] = SplitAtEquals(text);
    if (header.empty()) {
      options.unit = unit;
    } else {
      options.units[header] = unit;
    }
  }
  if (arguments.start.empty() != arguments.step.empty()) return UsageError("--start and --step go together");
  if (!arguments.start.empty()) {
    ASSIGN_OR_RETURN(options.start, context.Time("--start", arguments.start));
    const absl::StatusOr<int64_t> step = ParseDurationText(arguments.step);
    if (!step.ok()) return UsageError(absl::StrCat("--step: ", step.status().message()));
    options.step_nanos = *step;
  }
  if (!arguments.missing.empty()) {
    for (const absl::string_view text : absl::StrSplit(arguments.missing, ',')) {
      options.missing.emplace_back(absl::StripAsciiWhitespace(text));
    }
  }
  for (const std::string& text : arguments.states) {
    const auto [state, name] = SplitAtEquals(text);
    const absl::StatusOr<Quality> quality = ParseQuality(name);
    if (state.empty() || !quality.ok() || !IsBad(*quality)) {
      return UsageError(absl::StrCat(
          "--state: '", text, "' is not TEXT=QUALITY with a Bad quality, such as 'OFFSCAN=BadOutOfService'"));
    }
    options.states[state] = *quality;
  }
  if (arguments.quality_codes == "opc-ua") {
    options.quality_codes = QualityCodes::kOpcUa;
  } else if (arguments.quality_codes == "opc-da") {
    options.quality_codes = QualityCodes::kOpcDa;
  } else if (arguments.quality_codes != "auto") {
    return UsageError(
        absl::StrCat("--quality-codes: '", arguments.quality_codes, "' is none of auto, opc-ua and opc-da"));
  }
  for (const std::string& keys : arguments.key_columns) {
    for (const absl::string_view name : absl::StrSplit(keys, ',')) {
      options.key_columns.emplace_back(absl::StripAsciiWhitespace(name));
    }
  }
  options.skip_lines = arguments.skip_lines;
  if (job.preview_rows > 0) job.dry_run = true;
  if (arguments.on_error != "skip" && arguments.on_error != "fail") {
    return UsageError(absl::StrCat("--on-error: '", arguments.on_error, "' is neither skip nor fail"));
  }
  job.fail_on_error = arguments.on_error == "fail";
  const absl::StatusOr<int64_t> retry_for = ParseDurationText(arguments.retry_for);
  if (!retry_for.ok()) return UsageError(absl::StrCat("--retry-for: ", retry_for.status().message()));
  job.retry_for = absl::Nanoseconds(*retry_for);
  if (job.producer.size() > 90) return UsageError("--producer: at most 90 bytes");
  job.create = !arguments.no_create;
  job.progress = arguments.progress || IsTerminal(STDERR_FILENO);
  return job;
}

absl::Status Import(const ImportArguments& arguments, Context* context) {
  ASSIGN_OR_RETURN(const ImportJob job, JobOf(arguments, *context));
  return RunImport(job, context);
}

}  // namespace

void AddImportCommand(CLI::App* app, Context* context) {
  const auto arguments = std::make_shared<ImportArguments>();
  ImportJob& job = arguments->job;
  ImportOptions& options = job.options;
  CLI::App* const command =
      app->add_subcommand("import", "store the samples of CSV files, durably and exactly once");
  command->add_option("FILE", job.files, "the files; - is standard input")->required();

  const std::string layout = "What the file looks like";
  command
      ->add_option(
          "--layout", options.layout,
          "auto, wide (a column per tag), long (time, tag, value[, quality]), or a program's: toa5, pi, "
          "epa, scada, bms")
      ->capture_default_str()
      ->group(layout);
  command->add_option("--separator", options.separator, "auto, whitespace, tab, or one character")
      ->capture_default_str()
      ->group(layout);
  command
      ->add_option("--encoding", job.encoding,
                   "how the text is written: auto (UTF-8, UTF-16), windows-1252, ISO-8859-1, Shift_JIS, ...")
      ->capture_default_str()
      ->group(layout);
  command
      ->add_option("--skip-lines", arguments->skip_lines,
                   "lines in front of the header; found out if not given")
      ->group(layout);
  command->add_flag("--no-header", arguments->no_header, "the first line is data")->group(layout);
  command
      ->add_option("--columns", options.columns,
                   "names of all columns, instead of the header's: 'time,XMEAS 1..41'")
      ->group(layout);
  command
      ->add_option("--decimal", arguments->decimal,
                   "auto, point (1.5) or comma (1,5; a point separates thousands)")
      ->capture_default_str()
      ->group(layout);
  command->add_flag("--decimal-comma", arguments->decimal_comma, "the same as --decimal comma")
      ->group(layout);
  command->add_option("--thousands", arguments->thousands, "what stands between thousands: , . ' _ or space")
      ->group(layout);
  command
      ->add_option("--missing", arguments->missing,
                   "texts that mean no value, as an empty field does: 'NA,NaN,-'; numbers are compared as "
                   "numbers")
      ->group(layout);
  command
      ->add_option(
          "--state", arguments->states,
          "TEXT=QUALITY: a text in the place of a number that says why there is none; those of PI are known; "
          "repeat it")
      ->allow_extra_args(false)
      ->group(layout);
  command
      ->add_option("--quality-codes", arguments->quality_codes,
                   "numbers in a column of qualities: auto, opc-ua (0 is good) or opc-da (192 is good)")
      ->capture_default_str()
      ->group(layout);
  command
      ->add_flag("--missing-as-bad", options.missing_as_bad,
                 "store a BadNoData sample where there is no value")
      ->group(layout);

  const std::string times = "Times";
  command
      ->add_option("--time-column", options.time_column,
                   "its header, or its number from 1; several if the time is in parts: 'Date,Hour'")
      ->group(times);
  command
      ->add_option("--time-format", options.time_format,
                   "auto, iso, rfc3339, unix, unix_ms, unix_us, unix_ns, excel (days), or a pattern such as "
                   "'%d.%m.%Y %H:%M:%S'")
      ->capture_default_str()
      ->group(times);
  command->add_option("--start", arguments->start, "for a file without times: the first row's time, absolute")
      ->group(times);
  command->add_option("--step", arguments->step, "time from row to row, with --start: 3m")->group(times);
  command
      ->add_flag("--strict-clock-changes", options.strict_clock_changes,
                 "local times that do not exist or come twice are bad rows")
      ->group(times);

  const std::string tags = "Tags";
  command
      ->add_option("--prefix", options.prefix,
                   "text in front of every tag's name; {file} and {column} are filled in")
      ->group(tags);
  command->add_option("--map", arguments->maps, "HEADER=TAG; {file} and {column} are filled in; repeat it")
      ->allow_extra_args(false)
      ->group(tags);
  command
      ->add_option("--skip-columns", arguments->skips, "headers to leave out, with commas between; repeat it")
      ->allow_extra_args(false)
      ->group(tags);
  command
      ->add_option("--key-columns", arguments->key_columns,
                   "columns that say which device a row is of: their texts come in front of the headers, "
                   "with slashes behind; with commas between")
      ->allow_extra_args(false)
      ->group(tags);
  command->add_option("--type", arguments->types, "TYPE of all new tags, or HEADER=TYPE; repeat it")
      ->allow_extra_args(false)
      ->group(tags);
  command->add_option("--unit", arguments->units, "UNIT of all new tags, or HEADER=UNIT; repeat it")
      ->allow_extra_args(false)
      ->group(tags);
  command->add_flag("--no-create", arguments->no_create, "an unknown tag is an error")->group(tags);
  command
      ->add_option("--infer-rows", job.infer_rows,
                   "find types from this many rows at the beginning; 0: from all")
      ->capture_default_str()
      ->group(tags);

  const std::string running = "Running";
  command
      ->add_option("--on-error", arguments->on_error,
                   "skip or fail: report bad rows and skip them, or end with the first")
      ->capture_default_str()
      ->group(running);
  command->add_option("--max-errors", job.max_errors, "end after more bad rows than this; 0: never")
      ->group(running);
  command
      ->add_option("--producer", job.producer,
                   "another name in front of the digest: stores the file once more")
      ->group(running);
  command->add_option("--retry-for", arguments->retry_for, "how long to wait for a server that went away")
      ->capture_default_str()
      ->group(running);
  command->add_flag("--dry-run", job.dry_run, "read everything, say what would be done, store nothing")
      ->group(running);
  command
      ->add_option("--preview", job.preview_rows,
                   "show what the first N rows would be stored as (--preview alone: 10), and store nothing")
      ->expected(0, 1)
      ->default_str("10")
      ->check(CLI::Range(1, 100'000))
      ->group(running);
  command->add_flag("--progress", arguments->progress, "a progress line even if stderr is not a terminal")
      ->group(running);

  command->footer(
      "\nTags are named by the columns' headers; a header 'Flow [m3/h]' or 'Flow (m3/h)' is the tag Flow "
      "with\n"
      "the unit m3/h. Unknown ones are created with the first good value: float64 for numbers, also whole\n"
      "ones, else bool or string. A column of numbers and more than a few other texts is a question: "
      "--type,\n"
      "--missing, --state. What was found out is told on stderr; --preview shows it on the first rows.\n"
      "Lines with too few or too many fields or a bad time are skipped as a whole; of a line with a bad "
      "value\n"
      "only that value is. All are told with file and line, and the exit code is 1.\n"
      "\n"
      "Layouts: toa5 (Campbell data loggers), pi (AVEVA PI, its system states as qualities), epa (hourly\n"
      "emissions of the US EPA, a tag for each unit and quantity), scada (a column per tag, perhaps with "
      "its\n"
      "quality beside it, rows of units below the header), bms (trends of Siemens Apogee and Niagara). All "
      "but\n"
      "pi are recognised without being named.\n"
      "\n"
      "Local times (--tz) and clock changes: a time that does not exist (the clock went forward) is read "
      "with\n"
      "the offset from before; one that comes twice (the clock went back) is the one that goes on as the "
      "rows\n"
      "before it did. Both are counted. Without --tz, times without a zone are UTC.\n"
      "\n"
      "Exactly once: the server remembers how far a file (its bytes, layout, options and tags) has come. An "
      "import\n"
      "that was killed, or whose server was, goes on there when the same command is run again; a finished "
      "one\n"
      "stores nothing.\n"
      "\n"
      "Examples:\n"
      "  histctl import --tz Europe/Berlin --prefix plant/line-1/ week-*.csv\n"
      "  histctl import --prefix bench/ --map 'Volume Flow Rate=flow' --unit 'Volume Flow Rate=l/min' \\\n"
      "      --skip-columns label run.csv\n"
      "  histctl import --prefix 'machines/{file}/' --map 'value=temperature' machine-*.csv\n"
      "  histctl import --no-header --separator whitespace --columns 'XMEAS 1..41,XMV 1..11' \\\n"
      "      --start 2026-01-01 --step 3m --prefix 'reactor/{file}/' run1.dat\n"
      "  histctl export 'plant/area-1/*' | histctl --server other:7720 import -\n");
  command->callback([=] { context->run = [=] { return Import(*arguments, context); }; });
}

}  // namespace historian::histctl
