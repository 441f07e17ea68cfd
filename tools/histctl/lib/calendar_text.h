// File: tools/histctl/lib/calendar_text.h
//
// Calendars as people type them.
//
//   15m, 1h, 8h, 1d, 1w, 1mo, 3mo, 1y          how long each interval is, by the clock of a zone
//   06:00                                      when days begin
//   monday, mon                                with what weeks begin
//   april, apr, 4                              with what years begin
//   early=06:00,late=14:00,night=22:00         the shifts of a day, each until the next one
//
// A rotation is a text of lines: "first-day 2026-01-05", then the shifts of each day of the rotation, "-" for a day without any;
// empty lines and those that begin with # say nothing.
//
// Errors are InvalidArgument.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_CALENDAR_TEXT_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_CALENDAR_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/historian/v1/query.pb.h"

namespace historian::histctl {

// What was typed; empty: nothing. One of every, shifts and rotation.
struct CalendarTexts {
  std::string every;
  std::string shifts;
  std::string rotation;
  std::string day_begins;
  std::string week_begins;
  std::string month_begins;
  std::string year_begins;
};

// Without a zone. What numbers the server takes is for it to say.
absl::StatusOr<v1::Calendar> ParseCalendar(const CalendarTexts& texts);

// How many intervals of `every` a window is: "24h" of "1h", or a number of intervals.
// Errors: it is no whole number of them, or not always the same (a day is not always 24 hours).
absl::StatusOr<uint32_t> ParseWindow(absl::string_view window, absl::string_view every);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_CALENDAR_TEXT_H_
