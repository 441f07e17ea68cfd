#include "tools/histctl/lib/plot.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/model/quality.h"
#include "tools/histctl/lib/row_writer.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/lib/value_text.h"

namespace historian::histctl {
namespace {

constexpr int kWidthMin = 30;
constexpr int kHeightMin = 7;
// The widest that labels of the value axis may be.
constexpr int kLabelWidth = 12;
// Title, axis, two lines of times, marks.
constexpr int kOtherLines = 5;
constexpr int kTicksMax = 100;

// Dots that make characters.
class Canvas {
 public:
  Canvas(int columns, int rows, bool ascii)
      : ascii_(ascii), columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}

  int width() const { return ascii_ ? columns_ : columns_ * 2; }
  int height() const { return ascii_ ? rows_ : rows_ * 4; }

  // y counts from the bottom. What is outside is not drawn.
  void Set(int x, int y) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    y = height() - 1 - y;
    if (ascii_) {
      cells_[static_cast<size_t>(y * columns_ + x)] = 1;
      return;
    }
    // Unicode, "Braille Patterns": the dots' bits by column and row.
    static constexpr uint8_t kBits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    cells_[static_cast<size_t>(y / 4 * columns_ + x / 2)] |= kBits[x % 2][y % 4];
  }

  void Line(int x0, int y0, int x1, int y1) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) {
      Set(x0 + static_cast<int>(std::lround(static_cast<double>(x1 - x0) * i / steps)),
          y0 + static_cast<int>(std::lround(static_cast<double>(y1 - y0) * i / steps)));
    }
  }

  std::string Row(int row) const {
    std::string text;
    for (int column = 0; column < columns_; ++column) {
      const uint8_t cell = cells_[static_cast<size_t>(row * columns_ + column)];
      if (cell == 0) {
        text.push_back(' ');
      } else if (ascii_) {
        text.push_back('*');
      } else {
        // U+2800 + cell in UTF-8.
        text.push_back('\xE2');
        text.push_back(static_cast<char>(0xA0 | cell >> 6));
        text.push_back(static_cast<char>(0x80 | (cell & 0x3F)));
      }
    }
    return text;
  }

 private:
  const bool ascii_;
  const int columns_;
  const int rows_;
  std::vector<uint8_t> cells_;
};

int AreaColumns(const PlotPicture& picture) { return std::max(picture.width, kWidthMin) - kLabelWidth - 2; }

// Times under the axis: a line with the time of day where it matters, and the dates at both ends.
std::string TimeAxis(const PlotPicture& picture, Timestamp start, Timestamp end) {
  const int columns = AreaColumns(picture);
  const auto span = static_cast<double>(Elapsed(start, end));
  const char* format = span < 2e9             ? "%H:%M:%E3S"
                       : span < 600e9         ? "%H:%M:%S"
                       : span < 86400e9 * 2   ? "%H:%M"
                       : span < 86400e9 * 300 ? "%m-%d"
                                              : "%Y-%m";
  const auto label = [&](Timestamp t) {
    return absl::FormatTime(format, TimeFromTimestamp(t), picture.zone);
  };
  const int width = static_cast<int>(label(start).size());
  const int count = std::max(2, columns / (width + 6));
  std::string line(static_cast<size_t>(columns + kLabelWidth + 2), ' ');
  for (int i = 0; i < count; ++i) {
    const double share = static_cast<double>(i) / (count - 1);
    const auto offset = std::min(static_cast<uint64_t>(span * share), Elapsed(start, end));
    const int center = kLabelWidth + 2 + static_cast<int>(share * (columns - 1));
    const int at = std::clamp(center - width / 2, kLabelWidth + 1, columns + kLabelWidth + 2 - width);
    line.replace(static_cast<size_t>(at), static_cast<size_t>(width),
                 label(static_cast<Timestamp>(static_cast<uint64_t>(start) + offset)));
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string RightAligned(absl::string_view text, int width) {
  const int used = static_cast<int>(DisplayWidth(text));
  return absl::StrCat(std::string(static_cast<size_t>(std::max(0, width - used)), ' '), text);
}

}  // namespace

uint32_t PlotColumns(const PlotPicture& picture) {
  return static_cast<uint32_t>(AreaColumns(picture) * (picture.ascii ? 1 : 2));
}

std::vector<double> NiceTicks(double low, double high, int count) {
  if (!(high > low) || count < 2) return {low};
  const double raw = (high - low) / (count - 1);
  if (!std::isfinite(raw) || raw <= 0 || count > kTicksMax) return {low, high};
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double first = std::ceil(low / step);
  for (int i = 0; i <= 2 * count; ++i) {
    const double tick = (first + i) * step;
    if (tick > high + step * 1e-9) break;
    ticks.push_back(tick == 0 ? 0 : tick);  // No minus zero.
  }
  // One alone tells no scale.
  return ticks.size() < 2 ? NiceTicks(low, high, count + 1) : ticks;
}

std::string DrawPlot(const PlotPicture& picture, const Tag& tag, Timestamp start, Timestamp end,
                     const SamplesView& samples, const std::vector<uint32_t>& not_good_columns) {
  const int columns = AreaColumns(picture);
  const int rows = std::max(picture.height, kHeightMin) - kOtherLines;
  Canvas canvas(columns, rows, picture.ascii);

  const auto usable = [&](size_t i) {
    return IsGood(samples.QualityAt(i)) && std::isfinite(ToDouble(tag.type, samples.values[i]));
  };
  double low = 0, high = 0;
  bool any = false;
  for (size_t i = 0; i < samples.size; ++i) {
    if (!usable(i)) continue;
    const double value = ToDouble(tag.type, samples.values[i]);
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  std::string text = absl::StrCat(std::string(kLabelWidth + 2, ' '), Printable(tag.name));
  if (!tag.unit.empty()) absl::StrAppend(&text, " [", Printable(tag.unit), "]");
  absl::StrAppend(&text, any ? "\n" : "   (no usable samples)\n");
  if (low == high) {
    const double margin = low == 0 ? 1 : std::fabs(low) * 0.1;
    low -= margin;
    high += margin;
  }
  const double range = high - low;
  const auto y_of = [&](double value) {
    // Halves first: the range of extreme doubles overflows.
    const double share =
        std::isfinite(range) ? (value - low) / range : (value / 2 - low / 2) / (high / 2 - low / 2);
    return static_cast<int>(std::lround(share * (canvas.height() - 1)));
  };
  const auto span = static_cast<double>(Elapsed(start, end));
  const auto x_of = [&](Timestamp t) {
    const double offset =
        t >= start ? static_cast<double>(Elapsed(start, t)) : -static_cast<double>(Elapsed(t, start));
    return offset / span * canvas.width();
  };

  for (size_t i = 0; i < samples.size; ++i) {
    if (!usable(i)) continue;
    const double x = x_of(samples.times[i]);
    const double value = ToDouble(tag.type, samples.values[i]);
    const int y = y_of(value);
    if (x >= 0 && x < canvas.width()) canvas.Set(static_cast<int>(x), y);
    if (i + 1 == samples.size) continue;
    double next_x = x_of(samples.times[i + 1]);
    if (next_x < 0 || x >= canvas.width()) continue;
    const bool next_usable = usable(i + 1);
    const bool stepped = tag.interpolation == Interpolation::kStepped;
    double next_value = stepped || !next_usable ? value : ToDouble(tag.type, samples.values[i + 1]);
    if (!stepped && !next_usable) continue;
    // Cut at the picture's edges, where the line is, not where its ends are.
    double from_x = x, from_value = value, to_value = next_value;
    const double slope = next_x > x ? (next_value - value) / (next_x - x) : 0;
    if (from_x < 0) {
      from_value = value + slope * (0 - x);
      from_x = 0;
    }
    if (next_x > canvas.width() - 1) {
      to_value = std::isfinite(slope) ? value + slope * (canvas.width() - 1 - x) : next_value;
      next_x = canvas.width() - 1;
    }
    canvas.Line(static_cast<int>(from_x), y_of(from_value), static_cast<int>(next_x), y_of(to_value));
    if (stepped && next_usable && x_of(samples.times[i + 1]) < canvas.width()) {
      canvas.Line(static_cast<int>(next_x), y_of(to_value), static_cast<int>(next_x),
                  y_of(ToDouble(tag.type, samples.values[i + 1])));
    }
  }

  // Labels of the value axis, at most one a line.
  std::map<int, std::string> labels;
  if (any) {
    std::vector<double> ticks;
    if (!tag.states.empty() || tag.type == ValueType::kBool || tag.type == ValueType::kDigital) {
      for (double code = std::ceil(low); code <= high && ticks.size() < 64; ++code) ticks.push_back(code);
    } else {
      ticks = NiceTicks(low, high, std::max(4, rows / 2));
    }
    for (const double tick : ticks) {
      const int row = rows - 1 - y_of(tick) * rows / canvas.height();
      std::string label;
      if (tag.type == ValueType::kDigital && tick >= 0) {
        label = Printable(StateText(tag.states, static_cast<ValueBits>(tick)));
      } else if (tag.type == ValueType::kBool) {
        label = tick == 0 ? "false" : tick == 1 ? "true" : "";
      } else {
        label = absl::StrFormat("%.6g", tick);
      }
      if (label.size() > kLabelWidth - 1) label = label.substr(0, kLabelWidth - 1);
      labels.emplace(row, label);
    }
  }
  const absl::string_view bar = picture.ascii ? "|" : "\xE2\x94\x82";       // U+2502
  const absl::string_view tick_bar = picture.ascii ? "+" : "\xE2\x94\xA4";  // U+2524
  for (int row = 0; row < rows; ++row) {
    const auto label = labels.find(row);
    std::string line = RightAligned(label == labels.end() ? "" : label->second, kLabelWidth);
    absl::StrAppend(&line, " ", label == labels.end() ? bar : tick_bar, canvas.Row(row));
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  absl::StrAppend(&text, std::string(kLabelWidth + 1, ' '), picture.ascii ? "+" : "\xE2\x94\x94");  // U+2514
  for (int i = 0; i < columns; ++i) absl::StrAppend(&text, picture.ascii ? "-" : "\xE2\x94\x80");   // U+2500
  text.push_back('\n');
  if (!not_good_columns.empty()) {
    std::string marks(static_cast<size_t>(columns), ' ');
    const uint32_t dots = picture.ascii ? 1 : 2;
    for (const uint32_t column : not_good_columns) {
      if (column / dots < marks.size()) marks[column / dots] = '!';
    }
    marks.erase(marks.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, RightAligned("not good", kLabelWidth), "  ", marks, "\n");
  }
  absl::StrAppend(&text, TimeAxis(picture, start, end), "\n");
  absl::StrAppend(&text, std::string(kLabelWidth + 2, ' '), TimeText(start, picture.zone), " to ",
                  TimeText(end, picture.zone), "\n");
  return text;
}

}  // namespace historian::histctl
