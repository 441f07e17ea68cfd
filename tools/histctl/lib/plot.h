// File: tools/histctl/lib/plot.h
//
// Draws a trend with characters.
//
//        area-1/flow [m3/h]
//    12.0 |            .-'          braille: eight dots a character; or plain ASCII with '*'
//     8.0 |      .--''
//     4.0 |..--''     !             '!' under the axis marks columns with samples that are not usable
//         +----------------
//         09:00        10:00
//
// A stepped tag is drawn with steps, a sloped one with straight lines. Where there is no usable sample the
// line has a gap.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_PLOT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_PLOT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian::histctl {

struct PlotPicture {
  int width = 80;   // Characters, axis labels included; at least 30.
  int height = 20;  // Lines, all included; at least 7.
  bool ascii = false;
  absl::TimeZone zone;
};

// Dot columns of the drawing area: what to ask the server for.
uint32_t PlotColumns(const PlotPicture& picture);

// Samples ascending; may begin before start and end behind end, so that lines reach the edges. Pixel columns
// that are not good are numbered as the server's: of PlotColumns(picture). Ends with a line feed.
std::string DrawPlot(const PlotPicture& picture, const Tag& tag, Timestamp start, Timestamp end,
                     const SamplesView& samples, const std::vector<uint32_t>& not_good_columns);

// 1, 2 or 5 times a power of ten: the values to label an axis with, from low to high, about `count` of them,
// at least two where low < high.
std::vector<double> NiceTicks(double low, double high, int count);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_PLOT_H_
