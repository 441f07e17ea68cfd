#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/plot.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// A picture is wide rather than high, also on a high terminal.
constexpr int kHeightDefaultMax = 24;

struct PlotOptions {
  std::vector<std::string> tags;
  std::string from = "-1h";
  std::string to = "now";
  std::vector<std::string> compare;
  std::string gap;
  std::string unit;
  int width = 0;
  int height = 0;
  bool ascii = false;
  AsOfOptions as_of;
};

// Tags that share a scale, and so a picture: numbers of one unit, bools; each digital tag has states of its own.
std::string ScaleOf(const Tag& tag) {
  if (tag.type == ValueType::kDigital) return absl::StrCat("digital/", tag.name);
  if (tag.type == ValueType::kBool) return "bool";
  return absl::StrCat("unit/", tag.unit);
}

// For colours the terminal must have them, and nobody must have said no (https://no-color.org).
bool UseColours() {
  const char* const no = std::getenv("NO_COLOR");
  const char* const term = std::getenv("TERM");
  return IsTerminal(STDOUT_FILENO) && (no == nullptr || *no == 0) && term != nullptr &&
         absl::string_view(term) != "dumb";
}

absl::StatusOr<std::optional<uint64_t>> ParseGap(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "never") return UINT64_MAX;
  const absl::StatusOr<int64_t> nanos = ParseDurationText(text);
  if (!nanos.ok())
    return UsageError(absl::StrCat("--gap: ", nanos.status().message(), ", nor is it 'never'"));
  return static_cast<uint64_t>(*nanos);
}

// How much earlier each set of lines is: 0, and what --compare says.
absl::StatusOr<std::vector<int64_t>> ShiftsOf(const PlotOptions& options, const Range& range) {
  std::vector<int64_t> shifts = {0};
  for (const std::string& text : options.compare) {
    const absl::StatusOr<int64_t> nanos = ParseDurationText(text);
    if (!nanos.ok()) return UsageError(absl::StrCat("--compare: ", nanos.status().message()));
    if (Elapsed(kTimestampMin, range.from) < static_cast<uint64_t>(*nanos)) {
      return UsageError(absl::StrCat("--compare: ", text, " before --from is before 1900"));
    }
    shifts.push_back(*nanos);
  }
  return shifts;
}

absl::Status RunPlot(const PlotOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const Range range, ParseRange(*context, options.from, options.to));
  if (range.from == range.to) return UsageError("--from and --to are the same time");
  ASSIGN_OR_RETURN(const std::vector<int64_t> shifts, ShiftsOf(options, range));
  PlotPicture picture{.zone = context->zone};
  ASSIGN_OR_RETURN(picture.gap_nanos, ParseGap(options.gap));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.tags));
  if (tags.size() * shifts.size() > kPlotLinesMax) {
    return UsageError(absl::StrCat(tags.size() * shifts.size(), " lines; more than ", kPlotLinesMax,
                                   " cannot be told apart: name fewer tags"));
  }
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  for (const Tag& tag : tags) {
    if (tag.type != ValueType::kString) continue;
    return UsageError(absl::StrCat("tag '", tag.name, "' has texts, which cannot be drawn: use histctl get"));
  }
  for (Tag& tag : tags) tag = InUnit(tag, tag.type, options.unit);
  // By scale, in the order of the tags.
  std::vector<std::pair<std::string, std::vector<size_t>>> pictures;
  for (size_t i = 0; i < tags.size(); ++i) {
    const std::string scale = ScaleOf(tags[i]);
    auto its =
        std::find_if(pictures.begin(), pictures.end(), [&](const auto& one) { return one.first == scale; });
    if (its == pictures.end()) its = pictures.insert(its, {scale, {}});
    its->second.push_back(i);
  }
  const TerminalSize terminal = SizeOfTerminal(STDOUT_FILENO);
  const int all_lines = options.height > 0 ? options.height : std::min(terminal.rows - 1, kHeightDefaultMax);
  picture.width = std::clamp(options.width > 0 ? options.width : terminal.columns, 30, 1000);
  picture.height = std::clamp(all_lines / static_cast<int>(pictures.size()), 7, 200);
  picture.ascii = options.ascii || !LocaleIsUtf8();
  picture.colours = UseColours();

  std::vector<std::vector<client::PlotSeries>> series;  // By shift.
  for (const int64_t shift : shifts) {
    ASSIGN_OR_RETURN(series.emplace_back(),
                     reader.Plot(SelectionOf(tags), range.from - shift, range.to - shift,
                                 PlotColumns(picture), options.unit));
    if (series.back().size() != tags.size())
      return absl::InternalError("the server answered for other tags than asked");
  }
  for (const auto& [scale, members] : pictures) {
    std::vector<PlotLine> lines;
    for (const size_t i : members) {
      for (size_t k = 0; k < shifts.size(); ++k) {
        PlotLine& line = lines.emplace_back();
        line.tag = InUnit(tags[i], series[k][i].type, options.unit);
        line.label =
            k == 0 ? tags[i].name : absl::StrCat(tags[i].name, ", ", options.compare[k - 1], " earlier");
        line.start = range.from - shifts[k];
        line.series = std::move(series[k][i]);
      }
    }
    context->out->Append(DrawPlot(picture, range.from, range.to, lines));
    for (const PlotLine& line : lines) {
      const auto end =
          static_cast<Timestamp>(static_cast<uint64_t>(line.start) + Elapsed(range.from, range.to));
      const std::vector<Timestamp>& times = line.series.samples.times;
      if (std::any_of(times.begin(), times.end(), [&](Timestamp t) { return t >= line.start && t < end; }))
        continue;
      // Those outside the range are among them, where there are any.
      NoteWhereSamplesAre(line.tag, {line.start, end}, times, context);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void AddPlotCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<PlotOptions>();
  CLI::App* const plot = app->add_subcommand("plot", "draw a trend in the terminal");
  plot->add_option("TAG", options->tags, "names or patterns; tags of one unit share a picture")->required();
  plot->add_option("--from", options->from, "from this time on")->capture_default_str();
  plot->add_option("--to", options->to, "until before this time")->capture_default_str();
  plot->add_option("--compare", options->compare,
                   "also as it was so much earlier, such as 1d or 1w; repeat it")
      ->allow_extra_args(false);
  plot->add_option(
      "--gap", options->gap,
      "break a line where no sample came for longer than this; or never (default: lines that are not "
      "stepped, where none came for much longer than usual)");
  plot->add_option("--width", options->width, "in characters (default: the terminal's)");
  plot->add_option("--height", options->height, "in lines (default: the terminal's, 24 at most)");
  plot->add_flag("--ascii", options->ascii, "draw with ASCII (the default where the locale is not UTF-8)");
  AddUnitOption(plot, &options->unit);
  AddAsOfOptions(plot, &options->as_of);
  plot->footer(
      "\nNo spike is lost: every column shows its first, last, smallest and largest sample. Columns with "
      "samples\n"
      "that are not usable are marked with ! below the axis, and the line has a gap there. It has one, too, "
      "where\n"
      "a tag was silent for three times as long as nine of ten distances between its samples are; a stepped "
      "line\n"
      "goes on, as its value holds. Lines are told apart by colours, or by marks where there are none.\n"
      "\nExamples:\n  histctl plot plant/area-1/pump-101/flow --from -8h --tz Europe/Berlin\n"
      "  histctl plot plant/area-1/pump-101/flow --from 2026-11-01 --to 2026-12-01 --width 200 > "
      "november.txt\n");
  plot->callback([=] { context->run = [=] { return RunPlot(*options, context); }; });
}

}  // namespace historian::histctl
