// File: tools/histctl/lib/plot.h
//
// Draws trends with characters.
//
//        area-1/flow [m3/h]
//    12.0 |            .-'          braille: eight dots a character; or plain ASCII with '*'
//     8.0 |      .--''
//     4.0 |..--''     !             '!' under the axis marks columns with samples that are not usable
//         +-+-----------+--
//         09:00       10:00
//
// A stepped tag is drawn with steps, a sloped one with straight lines. Where there is no usable sample, and where a tag was
// silent much longer than usual, the line has a gap.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_PLOT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_PLOT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/answers.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian::histctl {

struct PlotPicture {
  int width = 80;   // Characters, axis labels included; at least 30.
  int height = 20;  // Lines, all included; at least 7, and one more for each line above the first.
  bool ascii = false;
  bool colours = false;  // Several lines: in colours of the terminal, instead of with marks of their own.
  absl::TimeZone zone;
  // A sloped line breaks where no sample came for longer than this, a stepped one too; unset: a sloped one, where none came
  // for much longer than usual (query.proto).
  std::optional<uint64_t> gap_nanos;
};

// Lines that can be told apart.
inline constexpr size_t kPlotLinesMax = 8;

struct PlotLine {
  Tag tag;
  std::string label;
  Timestamp start =
      0;  // Of its range, which is as long as the picture's: another time when it is drawn to compare.
  // Samples ascending; may begin before the range and end behind it, so that lines reach the edges. Columns are the server's,
  // of PlotColumns(picture).
  client::PlotSeries series;
};

// Dot columns of the drawing area: what to ask the server for.
uint32_t PlotColumns(const PlotPicture& picture);

// Lines over one scale, 1 to kPlotLinesMax; that of the values is the first one's. Ends with a line feed.
std::string DrawPlot(const PlotPicture& picture, Timestamp start, Timestamp end,
                     absl::Span<const PlotLine> lines);

// Between which neighbours a line has a gap: behind samples[i] for each i of them, ascending.
std::vector<size_t> GapsOf(const PlotLine& line, uint64_t span_nanos, uint32_t columns,
                           std::optional<uint64_t> gap_nanos);

// 1, 2 or 5 times a power of ten: the values to label an axis with, from low to high, about `count` of them,
// at least two where low < high.
std::vector<double> NiceTicks(double low, double high, int count);

// Times to label an axis with: round ones on the clock of the zone, start and end included, `most` at the most, at least one
// where a round time lies between. With the text of each.
struct TimeTick {
  Timestamp time = 0;
  std::string label;
};
std::vector<TimeTick> TimeTicks(Timestamp start, Timestamp end, absl::TimeZone zone, size_t most);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_PLOT_H_
