#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/plot.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// A picture is wide rather than high, also on a high terminal.
constexpr int kHeightDefaultMax = 24;

struct PlotOptions {
  std::string tag;
  std::string from = "-1h";
  std::string to = "now";
  int width = 0;
  int height = 0;
  bool ascii = false;
  AsOfOptions as_of;
};

absl::Status RunPlot(const PlotOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const Range range, ParseRange(*context, options.from, options.to));
  if (range.from == range.to) return UsageError("--from and --to are the same time");
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(Tag found, FindTag(connection, options.tag));
  std::vector<Tag> tags = {std::move(found)};
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  const Tag& tag = tags[0];
  if (tag.type == ValueType::kString) {
    return UsageError(absl::StrCat("tag '", tag.name, "' has texts, which cannot be drawn: use histctl get"));
  }
  const TerminalSize terminal = SizeOfTerminal(STDOUT_FILENO);
  const PlotPicture picture{
      .width = std::clamp(options.width > 0 ? options.width : terminal.columns, 30, 1000),
      .height = std::clamp(
          options.height > 0 ? options.height : std::min(terminal.rows - 1, kHeightDefaultMax), 7, 200),
      .ascii = options.ascii || !LocaleIsUtf8(),
      .zone = context->zone};
  ASSIGN_OR_RETURN(const std::vector<client::PlotSeries> series,
                   reader.Plot({.ids = {tag.id}}, range.from, range.to, PlotColumns(picture)));
  if (series.size() != 1) return absl::InternalError("the server answered for other tags than asked");
  context->out->Append(
      DrawPlot(picture, tag, range.from, range.to, series[0].samples.View(), series[0].not_good_columns));
  return absl::OkStatus();
}

}  // namespace

void AddPlotCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<PlotOptions>();
  CLI::App* const plot = app->add_subcommand("plot", "draw a trend in the terminal");
  plot->add_option("TAG", options->tag, "the tag's name")->required();
  plot->add_option("--from", options->from, "from this time on")->capture_default_str();
  plot->add_option("--to", options->to, "until before this time")->capture_default_str();
  plot->add_option("--width", options->width, "in characters (default: the terminal's)");
  plot->add_option("--height", options->height, "in lines (default: the terminal's, 24 at most)");
  plot->add_flag("--ascii", options->ascii, "draw with ASCII (the default where the locale is not UTF-8)");
  AddAsOfOptions(plot, &options->as_of);
  plot->footer(
      "\nNo spike is lost: every column shows its first, last, smallest and largest sample. Where samples "
      "are Bad\n"
      "or missing the line has a gap; columns with samples that are not usable are marked with ! below the "
      "axis.\n"
      "\nExamples:\n  histctl plot plant/area-1/pump-101/flow --from -8h --tz Europe/Berlin\n"
      "  histctl plot plant/area-1/pump-101/flow --from 2026-11-01 --to 2026-12-01 --width 200 > "
      "november.txt\n");
  plot->callback([=] { context->run = [=] { return RunPlot(*options, context); }; });
}

}  // namespace historian::histctl
