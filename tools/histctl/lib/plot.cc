#include "tools/histctl/lib/plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
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

// What tells lines apart: a mark, or an SGR colour.
constexpr char kMarks[] = "*o+x#@%&";
constexpr const char* kColours[] = {"36", "33", "35", "32", "31", "34", "37", "90"};
static_assert(sizeof(kMarks) == kPlotLinesMax + 1 && std::size(kColours) == kPlotLinesMax);

// Dots that make characters, each of one line: the one that was drawn there last.
class Canvas {
 public:
  Canvas(int columns, int rows, bool ascii, bool colours)
      : ascii_(ascii),
        colours_(colours),
        columns_(columns),
        rows_(rows),
        cells_(static_cast<size_t>(columns * rows)),
        lines_(cells_.size()) {}

  int width() const { return ascii_ ? columns_ : columns_ * 2; }
  int height() const { return ascii_ ? rows_ : rows_ * 4; }
  // What is drawn from now on.
  void BeginLine(size_t line) { line_ = static_cast<uint8_t>(line); }

  // y counts from the bottom. What is outside is not drawn.
  void Set(int x, int y) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    y = height() - 1 - y;
    const auto cell = static_cast<size_t>(ascii_ ? y * columns_ + x : y / 4 * columns_ + x / 2);
    // Unicode, "Braille Patterns": the dots' bits by column and row.
    static constexpr uint8_t kBits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
    cells_[cell] |= ascii_ ? 1 : kBits[x % 2][y % 4];
    lines_[cell] = line_;
  }

  void Line(int x0, int y0, int x1, int y1) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) {
      Set(x0 + static_cast<int>(std::lround(static_cast<double>(x1 - x0) * i / steps)),
          y0 + static_cast<int>(std::lround(static_cast<double>(y1 - y0) * i / steps)));
    }
  }

  // Without spaces at its end.
  std::string Row(int row) const {
    std::string text;
    int spaces = 0, colour = -1;
    for (int column = 0; column < columns_; ++column) {
      const auto at = static_cast<size_t>(row * columns_ + column);
      const uint8_t cell = cells_[at];
      if (cell == 0) {
        ++spaces;
        continue;
      }
      text.append(static_cast<size_t>(std::exchange(spaces, 0)), ' ');
      if (colours_ && std::exchange(colour, lines_[at]) != lines_[at]) {
        absl::StrAppend(&text, "\x1b[", kColours[lines_[at]], "m");
      }
      if (ascii_) {
        text.push_back(kMarks[lines_[at]]);
      } else {
        // U+2800 + cell in UTF-8.
        text.push_back('\xE2');
        text.push_back(static_cast<char>(0xA0 | cell >> 6));
        text.push_back(static_cast<char>(0x80 | (cell & 0x3F)));
      }
    }
    if (colour >= 0) text.append("\x1b[0m");
    return text;
  }

 private:
  const bool ascii_;
  const bool colours_;
  const int columns_;
  const int rows_;
  std::vector<uint8_t> cells_;
  std::vector<uint8_t> lines_;
  uint8_t line_ = 0;
};

int AreaColumns(const PlotPicture& picture) { return std::max(picture.width, kWidthMin) - kLabelWidth - 2; }

// Steps of a time axis: seconds below a day, then days, months, years.
enum class StepUnit { kNanos, kSeconds, kDays, kMonths, kYears };
struct TimeStep {
  StepUnit unit;
  int64_t count;
  double seconds;  // About.
};

std::vector<TimeStep> TimeSteps() {
  std::vector<TimeStep> steps;
  for (int64_t power = 1; power < kNanosPerSecond; power *= 10) {
    for (const int64_t factor : {1, 2, 5}) {
      steps.push_back({StepUnit::kNanos, factor * power, static_cast<double>(factor * power) / 1e9});
    }
  }
  for (const int64_t seconds :
       {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10'800, 14'400, 21'600, 43'200}) {
    steps.push_back({StepUnit::kSeconds, seconds, static_cast<double>(seconds)});
  }
  for (const int64_t days : {1, 2, 7, 14})
    steps.push_back({StepUnit::kDays, days, 86'400. * static_cast<double>(days)});
  for (const int64_t months : {1, 2, 3, 6}) {
    steps.push_back({StepUnit::kMonths, months, 30.4 * 86'400 * static_cast<double>(months)});
  }
  for (const int64_t years : {1, 2, 5, 10, 20, 50, 100}) {
    steps.push_back({StepUnit::kYears, years, 365.25 * 86'400 * static_cast<double>(years)});
  }
  return steps;
}

std::string TickLabel(const TimeStep& step, Timestamp t, absl::TimeZone zone) {
  const absl::Time time = TimeFromTimestamp(t);
  switch (step.unit) {
    case StepUnit::kNanos:
      return absl::FormatTime(step.count >= 1'000'000 ? "%H:%M:%E3S"
                              : step.count >= 1'000   ? "%H:%M:%E6S"
                                                      : "%H:%M:%E9S",
                              time, zone);
    case StepUnit::kSeconds:
      // A day's first is the day.
      return absl::FormatTime(step.count < 60                                                   ? "%H:%M:%S"
                              : absl::ToCivilSecond(time, zone) == absl::ToCivilDay(time, zone) ? "%m-%d"
                                                                                                : "%H:%M",
                              time, zone);
    case StepUnit::kDays:
      return absl::FormatTime("%m-%d", time, zone);
    case StepUnit::kMonths:
      return absl::FormatTime("%Y-%m", time, zone);
    case StepUnit::kYears:
      return absl::FormatTime("%Y", time, zone);
  }
  return "";
}

int64_t FloorTo(int64_t value, int64_t step) { return value - ((value % step) + step) % step; }

// The round time at or before t, and `index` steps behind it.
Timestamp RoundTime(const TimeStep& step, Timestamp t, int64_t index, absl::TimeZone zone) {
  const absl::CivilSecond local = absl::ToCivilSecond(TimeFromTimestamp(t), zone);
  switch (step.unit) {
    case StepUnit::kNanos:
      return FloorTo(t, step.count) + index * step.count;
    case StepUnit::kSeconds: {
      const absl::CivilSecond day{absl::CivilDay(local)};
      return absl::ToUnixNanos(
          absl::FromCivil(day + FloorTo(local - day, step.count) + index * step.count, zone));
    }
    case StepUnit::kDays: {
      // Weeks begin on Monday; 1970-01-05 was one.
      const absl::CivilDay monday(1970, 1, 5);
      return absl::ToUnixNanos(absl::FromCivil(
          monday + FloorTo(absl::CivilDay(local) - monday, step.count) + index * step.count, zone));
    }
    case StepUnit::kMonths: {
      const absl::CivilMonth zero(0, 1);
      return absl::ToUnixNanos(absl::FromCivil(
          zero + FloorTo(absl::CivilMonth(local) - zero, step.count) + index * step.count, zone));
    }
    case StepUnit::kYears:
      return absl::ToUnixNanos(
          absl::FromCivil(absl::CivilYear(FloorTo(local.year(), step.count) + index * step.count), zone));
  }
  return t;
}

struct Axis {
  std::string line;    // With marks at the ticks.
  std::string labels;  // Under it.
};

// The time axis and what is written under it.
Axis TimeAxis(const PlotPicture& picture, Timestamp start, Timestamp end) {
  const int columns = AreaColumns(picture);
  const absl::string_view dash = picture.ascii ? "-" : "\xE2\x94\x80",
                          tick_dash = picture.ascii ? "+" : "\xE2\x94\xAC";
  std::vector<absl::string_view> dashes(static_cast<size_t>(columns), dash);
  std::string labels(static_cast<size_t>(columns + kLabelWidth + 2), ' ');
  const auto span = static_cast<double>(Elapsed(start, end));
  int used = 0;
  // About one for each ten characters, as long as they do not touch.
  for (const TimeTick& tick :
       TimeTicks(start, end, picture.zone, static_cast<size_t>(std::max(2, columns / 10)))) {
    const double share = static_cast<double>(Elapsed(start, tick.time)) / span;
    const int column = std::min(static_cast<int>(share * columns), columns - 1);
    dashes[static_cast<size_t>(column)] = tick_dash;
    const int width = static_cast<int>(tick.label.size());
    const int at =
        std::clamp(kLabelWidth + 2 + column - width / 2, kLabelWidth + 1, columns + kLabelWidth + 2 - width);
    if (at < used) continue;
    labels.replace(static_cast<size_t>(at), static_cast<size_t>(width), tick.label);
    used = at + width + 1;
  }
  labels.erase(labels.find_last_not_of(' ') + 1);
  return {absl::StrJoin(dashes, ""), std::move(labels)};
}

std::string RightAligned(absl::string_view text, int width) {
  const int used = static_cast<int>(DisplayWidth(text));
  return absl::StrCat(std::string(static_cast<size_t>(std::max(0, width - used)), ' '), text);
}

bool IsUsable(ValueType type, const SamplesView& samples, size_t i) {
  return IsGood(samples.QualityAt(i)) && std::isfinite(ToDouble(type, samples.values[i]));
}

// `gaps` as GapsOf has them; y_of says where values are.
template <class YOf>
void DrawLine(const PlotLine& line, uint64_t span_nanos, const std::vector<size_t>& gaps, const YOf& y_of,
              Canvas* canvas) {
  const SamplesView samples = line.series.samples.View();
  const Tag& tag = line.tag;
  const auto span = static_cast<double>(span_nanos);
  const auto x_of = [&](Timestamp t) {
    const double offset = t >= line.start ? static_cast<double>(Elapsed(line.start, t))
                                          : -static_cast<double>(Elapsed(t, line.start));
    return offset / span * canvas->width();
  };
  const bool stepped = tag.interpolation == Interpolation::kStepped;
  size_t next_gap = 0;
  for (size_t i = 0; i < samples.size; ++i) {
    while (next_gap < gaps.size() && gaps[next_gap] < i) ++next_gap;
    if (!IsUsable(tag.type, samples, i)) continue;
    const double x = x_of(samples.times[i]);
    const double value = ToDouble(tag.type, samples.values[i]);
    if (x >= 0 && x < canvas->width()) canvas->Set(static_cast<int>(x), y_of(value));
    if (i + 1 == samples.size || (next_gap < gaps.size() && gaps[next_gap] == i)) continue;
    double next_x = x_of(samples.times[i + 1]);
    if (next_x < 0 || x >= canvas->width()) continue;
    const bool next_usable = IsUsable(tag.type, samples, i + 1);
    if (!stepped && !next_usable) continue;
    const double next_value = stepped || !next_usable ? value : ToDouble(tag.type, samples.values[i + 1]);
    // Cut at the picture's edges, where the line is, not where its ends are.
    double from_x = x, from_value = value, to_value = next_value;
    const double slope = next_x > x ? (next_value - value) / (next_x - x) : 0;
    if (from_x < 0) {
      from_value = value + slope * (0 - x);
      from_x = 0;
    }
    if (next_x > canvas->width() - 1) {
      to_value = std::isfinite(slope) ? value + slope * (canvas->width() - 1 - x) : next_value;
      next_x = canvas->width() - 1;
    }
    canvas->Line(static_cast<int>(from_x), y_of(from_value), static_cast<int>(next_x), y_of(to_value));
    if (stepped && next_usable && x_of(samples.times[i + 1]) < canvas->width()) {
      canvas->Line(static_cast<int>(next_x), y_of(to_value), static_cast<int>(next_x),
                   y_of(ToDouble(tag.type, samples.values[i + 1])));
    }
  }
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

std::vector<TimeTick> TimeTicks(Timestamp start, Timestamp end, absl::TimeZone zone, size_t most) {
  const double seconds = static_cast<double>(Elapsed(start, end)) / 1e9;
  for (const TimeStep& step : TimeSteps()) {
    if (seconds / step.seconds > static_cast<double>(most + 1)) continue;
    std::vector<TimeTick> ticks;
    for (int64_t i = 0; ticks.size() <= most; ++i) {
      const Timestamp time = RoundTime(step, start, i, zone);
      if (time > end) break;
      // Where the clock is set back a time comes twice, and counts once.
      if (time < start || (!ticks.empty() && time <= ticks.back().time)) continue;
      ticks.push_back({time, TickLabel(step, time, zone)});
    }
    if (ticks.size() <= most) return ticks;
  }
  return {};
}

std::vector<size_t> GapsOf(const PlotLine& line, uint64_t span_nanos, uint32_t columns,
                           std::optional<uint64_t> gap_nanos) {
  const std::vector<Timestamp>& times = line.series.samples.times;
  if (times.size() < 2) return {};
  const auto distance = [&](size_t i) { return Elapsed(times[i], times[i + 1]); };
  std::vector<size_t> gaps;
  if (gap_nanos.has_value()) {
    for (size_t i = 0; i + 1 < times.size(); ++i) {
      if (distance(i) > *gap_nanos) gaps.push_back(i);
    }
    return gaps;
  }
  if (line.tag.interpolation == Interpolation::kStepped || line.series.empty_columns.empty()) return gaps;
  // The column of a sample; those outside the picture are in the ones beside it.
  const auto column = [&](size_t i) -> int64_t {
    if (times[i] < line.start) return -1;
    const uint64_t offset = Elapsed(line.start, times[i]);
    if (offset >= span_nanos) return columns;
    return static_cast<int64_t>(((static_cast<unsigned __int128>(offset) + 1) * columns - 1) / span_nanos);
  };
  // From column to column samples follow each other as they are stored. Where most is in a few columns, those in one tell too:
  // they are at least as far from each other.
  constexpr size_t kEnough = 10;
  std::vector<uint64_t> between, all;
  std::vector<size_t> candidates;
  for (size_t i = 0; i + 1 < times.size(); ++i) {
    const int64_t here = column(i), next = column(i + 1);
    all.push_back(distance(i));
    if (here == next) continue;
    between.push_back(distance(i));
    if (next - here > 1) candidates.push_back(i);
  }
  std::vector<uint64_t>& known = between.size() < kEnough ? all : between;
  const size_t nine_of_ten = (known.size() * 9 + 9) / 10 - 1;
  std::nth_element(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(nine_of_ten), known.end());
  const auto usual = static_cast<double>(known[nine_of_ten]);
  for (const size_t i : candidates) {
    if (static_cast<double>(distance(i)) > 3 * usual) gaps.push_back(i);
  }
  return gaps;
}

std::string DrawPlot(const PlotPicture& picture, Timestamp start, Timestamp end,
                     absl::Span<const PlotLine> lines) {
  const int columns = AreaColumns(picture);
  const int titles = static_cast<int>(lines.size());
  const int rows = std::max(picture.height, kHeightMin + titles - 1) - kOtherLines - (titles - 1);
  const bool several = lines.size() > 1;
  // Dots of several lines can be told apart by their colours only.
  const bool ascii = picture.ascii || (several && !picture.colours);
  Canvas canvas(columns, rows, ascii, several && picture.colours);

  double low = 0, high = 0;
  bool any = false;
  std::vector<bool> has_usable;
  for (const PlotLine& line : lines) {
    const SamplesView samples = line.series.samples.View();
    bool its = false;
    for (size_t i = 0; i < samples.size; ++i) {
      if (!IsUsable(line.tag.type, samples, i)) continue;
      const double value = ToDouble(line.tag.type, samples.values[i]);
      low = any ? std::min(low, value) : value;
      high = any ? std::max(high, value) : value;
      any = its = true;
    }
    has_usable.push_back(its);
  }
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    const Tag& tag = lines[i].tag;
    std::string title = Printable(lines[i].label);
    if (!tag.unit.empty()) absl::StrAppend(&title, " [", Printable(tag.unit), "]");
    if (several && picture.colours) {
      title = absl::StrCat("\x1b[", kColours[i], "m", title, "\x1b[0m");
    } else if (several) {
      title = absl::StrCat(absl::string_view(&kMarks[i], 1), " ", title);
    }
    absl::StrAppend(&text, std::string(kLabelWidth + 2, ' '), title,
                    has_usable[i] ? "\n" : "   (no usable samples)\n");
  }
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
  for (size_t i = 0; i < lines.size(); ++i) {
    canvas.BeginLine(i);
    DrawLine(lines[i], Elapsed(start, end),
             GapsOf(lines[i], Elapsed(start, end), PlotColumns(picture), picture.gap_nanos), y_of, &canvas);
  }

  // Labels of the value axis, at most one a line.
  const Tag& tag = lines[0].tag;
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
    absl::StrAppend(&text, line, "\n");
  }
  const Axis axis = TimeAxis(picture, start, end);
  absl::StrAppend(&text, std::string(kLabelWidth + 1, ' '), picture.ascii ? "+" : "\xE2\x94\x94", axis.line,
                  "\n");
  std::string marks(static_cast<size_t>(columns), ' ');
  const uint32_t dots = picture.ascii ? 1 : 2;
  for (const PlotLine& line : lines) {
    for (const uint32_t column : line.series.not_good_columns) {
      if (column / dots < marks.size()) marks[column / dots] = '!';
    }
  }
  marks.erase(marks.find_last_not_of(' ') + 1);
  if (!marks.empty()) absl::StrAppend(&text, RightAligned("not good", kLabelWidth), "  ", marks, "\n");
  absl::StrAppend(&text, axis.labels, "\n");
  absl::StrAppend(&text, std::string(kLabelWidth + 2, ' '), TimeText(start, picture.zone), " to ",
                  TimeText(end, picture.zone), "\n");
  return text;
}

}  // namespace historian::histctl
