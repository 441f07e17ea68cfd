// ReadProcessed with calendars, shifts and rolling windows: against a fold of the samples by what the clock of the zone shows for
// each of them.
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/calendar/zones.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

Timestamp Utc(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << text;
  return absl::ToUnixNanos(time);
}

v1::Calendar CalendarOf(v1::Calendar::Unit unit, const std::string& zone = "Europe/Berlin",
                        uint32_t count = 1) {
  v1::Calendar calendar;
  calendar.set_zone(zone);
  calendar.set_unit(unit);
  calendar.set_count(count);
  return calendar;
}

v1::Calendar ShiftsOf(const std::string& zone) {
  v1::Calendar calendar = CalendarOf(v1::Calendar::UNIT_SHIFT, zone);
  v1::Calendar::ShiftDay* const day = calendar.add_shift_plan();
  for (const auto& [name, hour] : {std::pair("early", 6), std::pair("late", 14), std::pair("night", 22)}) {
    v1::Calendar::Shift* const shift = day->add_shifts();
    shift->set_name(name);
    shift->set_begins(60 * hour);
  }
  return calendar;
}

struct Answer {
  std::vector<v1::ProcessedSeries> series;
  v1::ProcessedIntervals intervals;
  int frames = 0;
  int frames_with_intervals = 0;
  grpc::Status status;
};

Answer Read(TestServer& server, const v1::ReadProcessedRequest& request) {
  Answer answer;
  grpc::ClientContext context;
  const auto stream = server.query().ReadProcessed(&context, request);
  v1::ProcessedFrame frame;
  while (stream->Read(&frame)) {
    if (frame.has_intervals()) {
      ++answer.frames_with_intervals;
      answer.intervals = frame.intervals();
    }
    ++answer.frames;
    answer.series.insert(answer.series.end(), frame.series().begin(), frame.series().end());
  }
  answer.status = stream->Finish();
  return answer;
}

// Of an interval.
struct Figures {
  int64_t count = 0;
  double average = 0, minimum = 0, maximum = 0;

  friend bool operator==(const Figures&, const Figures&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Figures& f) {
    return out << f.count << " " << f.average << " " << f.minimum << " " << f.maximum;
  }
};

std::vector<Figures> FiguresOf(const v1::ProcessedSeries& series) {
  std::vector<Figures> figures;
  for (int i = 0; i < series.columns(0).integers().values_size(); ++i) {
    figures.push_back({series.columns(0).integers().values(i), series.columns(1).floats().values(i),
                       series.columns(2).floats().values(i), series.columns(3).floats().values(i)});
  }
  return figures;
}

v1::ReadProcessedRequest RequestOf(uint32_t tag, Timestamp start, Timestamp end) {
  v1::ReadProcessedRequest request;
  request.mutable_tags()->add_ids(tag);
  request.set_start(start);
  request.set_end(end);
  for (const v1::Aggregate aggregate :
       {v1::AGGREGATE_COUNT, v1::AGGREGATE_AVERAGE, v1::AGGREGATE_MINIMUM, v1::AGGREGATE_MAXIMUM}) {
    request.add_aggregates(aggregate);
  }
  return request;
}

// A year and its edges, a sample every ten minutes.
class CalendarReadsTest : public testing::Test {
 protected:
  CalendarReadsTest() {
    tag_ = server_.Create("plant/flow");
    for (Timestamp t = Utc("2024-12-20T00:00:00Z"); t < kNow; t += 10 * kMinute) {
      samples_.push_back({t, static_cast<double>(t / (10 * kMinute) * 7919 % 1000)});
    }
    server_.Store(tag_, samples_);
  }

  // What the samples are where each is put into the interval that `key` says for its local time and its offset from UTC, by the
  // times of their first samples. Only those intervals that have a sample in [start, end).
  using Key = std::function<std::tuple<absl::CivilSecond, int>(absl::CivilSecond local, int offset)>;
  std::vector<std::pair<Timestamp, Figures>> Fold(const std::string& zone, const Key& key, Timestamp start,
                                                  Timestamp end) const {
    const absl::TimeZone clock = FindZone(zone)->zone;
    std::vector<std::pair<Timestamp, Figures>> folded;
    std::tuple<absl::CivilSecond, int> last;
    bool is_asked = false;
    double sum = 0;
    for (const auto& [time, value] : samples_) {
      const absl::TimeZone::CivilInfo local = clock.At(absl::FromUnixNanos(time));
      const auto here = key(local.cs, local.offset);
      if (folded.empty() || here != last) {
        if (!folded.empty() && !is_asked) folded.pop_back();
        folded.push_back({time, {.minimum = value, .maximum = value}});
        is_asked = false;
        sum = 0;
        last = here;
      }
      Figures& figures = folded.back().second;
      sum += value;
      ++figures.count;
      figures.average = sum / static_cast<double>(figures.count);
      figures.minimum = std::min(figures.minimum, value);
      figures.maximum = std::max(figures.maximum, value);
      is_asked = is_asked || (time >= start && time < end);
    }
    if (!is_asked) folded.pop_back();
    return folded;
  }

  void ExpectAsFolded(const v1::Calendar& calendar, const Key& key) {
    SCOPED_TRACE(calendar.ShortDebugString());
    const Timestamp start = Utc("2025-01-05T11:10:00Z"), end = Utc("2025-12-20T17:50:00Z");
    v1::ReadProcessedRequest request = RequestOf(tag_, start, end);
    *request.mutable_calendar() = calendar;
    const Answer answer = Read(server_, request);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    const auto expected = Fold(calendar.zone(), key, start, end);
    const std::vector<Figures> figures = FiguresOf(answer.series[0]);
    ASSERT_EQ(figures.size(), expected.size());
    ASSERT_EQ(answer.intervals.edges_size(), static_cast<int>(expected.size()) + 1);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(figures[i], expected[i].second) << FormatTimestamp(expected[i].first);
      ASSERT_LE(answer.intervals.edges(static_cast<int>(i)), expected[i].first);
      ASSERT_GT(answer.intervals.edges(static_cast<int>(i) + 1), expected[i].first);
      // None is cut.
      for (const v1::ProcessedColumn& column : answer.series[0].columns()) {
        for (const uint32_t quality : column.status().quality())
          ASSERT_EQ(quality & kInfoPartial & ~kInfoCalculated, 0u);
      }
    }
  }

  TestServer server_;
  uint32_t tag_ = 0;
  std::vector<std::pair<Timestamp, double>> samples_;
};

// Before it is sealed, and when it is settled and has rollups.
TEST_F(CalendarReadsTest, EverySampleIsInTheIntervalThatItsClockSays) {
  const struct {
    const char* zone;
    bool hours_come_twice;  // At Lord Howe half an hour does.
  } kZones[] = {
      {"UTC", true},
      {"Europe/Berlin", true},
      {"America/New_York", true},
      {"America/Havana", true},
      {"America/Santiago", true},
      {"America/St_Johns", true},
      {"Africa/Cairo", true},
      {"Africa/Casablanca", true},
      {"Asia/Kolkata", true},
      {"Asia/Kathmandu", true},
      {"Asia/Beirut", true},
      {"Australia/Lord_Howe", false},
      {"Pacific/Apia", true},
  };
  for (const char* const state : {"open", "settled"}) {
    SCOPED_TRACE(state);
    for (const auto& [zone, hours_come_twice] : kZones) {
      ExpectAsFolded(CalendarOf(v1::Calendar::UNIT_DAY, zone), [](absl::CivilSecond local, int) {
        return std::tuple(absl::CivilSecond(absl::CivilDay(local)), 0);
      });
      v1::Calendar gas_days = CalendarOf(v1::Calendar::UNIT_DAY, zone);
      gas_days.set_day_begins(6 * 60);
      ExpectAsFolded(gas_days, [](absl::CivilSecond local, int) {
        return std::tuple(absl::CivilSecond(absl::CivilDay(local - 6 * 3600)), 0);
      });
      ExpectAsFolded(CalendarOf(v1::Calendar::UNIT_HOUR, zone),
                     [twice = hours_come_twice](absl::CivilSecond local, int offset) {
                       return std::tuple(absl::CivilSecond(absl::CivilHour(local)), twice ? offset : 0);
                     });
      v1::Calendar weeks = CalendarOf(v1::Calendar::UNIT_WEEK, zone);
      weeks.set_week_begins(7);
      ExpectAsFolded(weeks, [](absl::CivilSecond local, int) {
        return std::tuple(
            absl::CivilSecond(absl::PrevWeekday(absl::CivilDay(local) + 1, absl::Weekday::sunday)), 0);
      });
      v1::Calendar months = CalendarOf(v1::Calendar::UNIT_MONTH, zone);
      months.set_month_begins(26);
      ExpectAsFolded(months, [](absl::CivilSecond local, int) {
        return std::tuple(absl::CivilSecond(absl::CivilMonth(absl::CivilDay(local) - 25)), 0);
      });
      ExpectAsFolded(ShiftsOf(zone), [](absl::CivilSecond local, int) {
        const absl::CivilSecond begun = local - 6 * 3600;
        return std::tuple(absl::CivilSecond(absl::CivilDay(begun)), begun.hour() / 8);
      });
      if (HasFatalFailure()) return;
    }
    ASSERT_TRUE(server_.server().archive().upkeep().Seal(/*settle=*/true).ok());
  }
}

TEST_F(CalendarReadsTest, ADayHas23Or25HoursAndSaysSo) {
  v1::ReadProcessedRequest request =
      RequestOf(tag_, Utc("2025-10-25T12:00:00Z"), Utc("2025-10-26T12:00:00Z"));
  *request.mutable_calendar() = CalendarOf(v1::Calendar::UNIT_DAY);
  Answer answer = Read(server_, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_THAT(answer.intervals.edges(), ElementsAre(Utc("2025-10-24T22:00:00Z"), Utc("2025-10-25T22:00:00Z"),
                                                    Utc("2025-10-26T23:00:00Z")));
  EXPECT_EQ(answer.intervals.window(), 1u);
  EXPECT_EQ(answer.intervals.tz_version(), TzDatabaseVersion());
  EXPECT_EQ(answer.series[0].interval_ns(), 0u);
  EXPECT_EQ(FiguresOf(answer.series[0])[1].count, 150);
  request.set_start(Utc("2025-03-30T12:00:00Z"));
  request.set_end(Utc("2025-03-30T12:00:00.000000001Z"));
  answer = Read(server_, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(FiguresOf(answer.series[0])[0].count, 138);
}

TEST_F(CalendarReadsTest, ShiftsHaveNames) {
  v1::ReadProcessedRequest request =
      RequestOf(tag_, Utc("2025-06-02T04:00:00Z"), Utc("2025-06-03T04:00:00Z"));
  *request.mutable_calendar() = ShiftsOf("Europe/Berlin");
  v1::Calendar& calendar = *request.mutable_calendar();
  calendar.set_first_day("2025-06-02");
  calendar.add_shift_plan();  // Every other day is off.
  Answer answer = Read(server_, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_THAT(answer.intervals.shift_names(), ElementsAre("early", "late", "night"));
  EXPECT_THAT(answer.intervals.shifts(), ElementsAre(0, 1, 2));
  EXPECT_THAT(answer.intervals.edges(),
              ElementsAre(Utc("2025-06-02T04:00:00Z"), Utc("2025-06-02T12:00:00Z"),
                          Utc("2025-06-02T20:00:00Z"), Utc("2025-06-04T04:00:00Z")));
  // A window is named by the shift with which it ends.
  request.set_window(3);
  answer = Read(server_, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_THAT(answer.intervals.shifts(), ElementsAre(0, 1, 2));
  EXPECT_EQ(answer.intervals.edges_size(), 6);
  EXPECT_EQ(answer.intervals.edges(0), Utc("2025-05-31T12:00:00Z"));
}

// Each as one interval of its own would be, of even intervals and by calendars.
TEST_F(CalendarReadsTest, WindowsRoll) {
  ASSERT_TRUE(server_.server().archive().upkeep().Seal(/*settle=*/true).ok());
  const Timestamp start = Utc("2025-10-25T03:20:00Z"), end = Utc("2025-10-28T13:50:00Z");
  std::vector<v1::ReadProcessedRequest> requests;
  for (const uint32_t window : {2, 7, 24, 100}) {
    requests.push_back(RequestOf(tag_, start, end));
    requests.back().set_interval_ns(kHour);
    requests.back().set_window(window);
    requests.push_back(RequestOf(tag_, start, end));
    *requests.back().mutable_calendar() = CalendarOf(v1::Calendar::UNIT_DAY);
    requests.back().set_window(window);
  }
  for (const v1::ReadProcessedRequest& request : requests) {
    SCOPED_TRACE(request.ShortDebugString());
    const Answer answer = Read(server_, request);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    const std::vector<Figures> figures = FiguresOf(answer.series[0]);
    const int window = static_cast<int>(answer.intervals.window());
    ASSERT_EQ(answer.intervals.edges_size(), static_cast<int>(figures.size()) + window);
    for (size_t i = 0; i < figures.size(); ++i) {
      const int k = static_cast<int>(i);
      const Answer alone =
          Read(server_, RequestOf(tag_, answer.intervals.edges(k), answer.intervals.edges(k + window)));
      ASSERT_TRUE(alone.status.ok()) << alone.status.error_message();
      ASSERT_EQ(FiguresOf(alone.series[0]), std::vector<Figures>{figures[i]}) << i;
    }
  }
  // The last of even intervals is cut, and says so.
  const Answer even = Read(server_, requests[0]);
  EXPECT_EQ(*even.intervals.edges().rbegin(), end);
  EXPECT_EQ(even.intervals.edges(1), start);
  const v1::Qualities& status = even.series[0].columns(0).status();
  ASSERT_GT(status.quality_size(), 0);
  EXPECT_EQ(*status.first().rbegin(), FiguresOf(even.series[0]).size() - 1);
  EXPECT_EQ(*status.quality().rbegin() & kInfoPartial, kInfoPartial);
}

TEST_F(CalendarReadsTest, IntervalsComeOnceForAllTags) {
  v1::ReadProcessedRequest request =
      RequestOf(tag_, Utc("2025-01-01T00:00:00Z"), Utc("2025-12-31T00:00:00Z"));
  for (int i = 0; i < 20; ++i) request.mutable_tags()->add_ids(server_.Create(absl::StrCat("plant/", i)));
  *request.mutable_calendar() = CalendarOf(v1::Calendar::UNIT_HOUR);
  const Answer answer = Read(server_, request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.series.size(), 21u);
  EXPECT_GT(answer.frames, 1);
  EXPECT_EQ(answer.frames_with_intervals, 1);
}

// Days of zones that are off UTC by quarters of an hour, too: rollups keep quarter-hours.
TEST_F(CalendarReadsTest, DaysOfEveryZoneAreTheSameWhenRawSamplesHaveExpired) {
  const uint32_t slow = server_.Create("plant/level");
  std::vector<std::pair<Timestamp, double>> few;
  for (size_t i = 0; i < samples_.size(); i += 200) few.push_back(samples_[i]);
  server_.Store(slow, few);
  ASSERT_TRUE(server_.server().archive().upkeep().Seal(/*settle=*/true).ok());
  const char* const kZones[] = {
      "UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Eucla"};
  const auto read = [&] {
    std::vector<std::string> said;
    for (const char* const zone : kZones) {
      for (const v1::Calendar& calendar : {CalendarOf(v1::Calendar::UNIT_DAY, zone), ShiftsOf(zone)}) {
        v1::ReadProcessedRequest request =
            RequestOf(tag_, Utc("2025-01-05T11:10:00Z"), Utc("2025-11-20T17:50:00Z"));
        request.mutable_tags()->add_ids(slow);
        *request.mutable_calendar() = calendar;
        const Answer answer = Read(server_, request);
        EXPECT_TRUE(answer.status.ok()) << zone << ": " << answer.status.error_message();
        for (const v1::ProcessedSeries& series : answer.series) said.push_back(series.SerializeAsString());
      }
    }
    return said;
  };
  const std::vector<std::string> before = read();
  v1::SetRuleRequest rule;
  rule.mutable_rule()->set_name("all");
  rule.mutable_rule()->set_pattern("plant/*");
  rule.mutable_rule()->set_keep_raw_s(14 * 86400);
  rule.mutable_rule()->set_changed_by("ann");
  grpc::ClientContext set_context, apply_context;
  v1::RetentionRule set;
  ASSERT_TRUE(server_.retention().SetRule(&set_context, rule, &set).ok());
  v1::ApplyRetentionRequest apply;
  v1::ApplyRetentionResponse applied;
  ASSERT_TRUE(server_.retention().Apply(&apply_context, apply, &applied).ok());
  EXPECT_EQ(applied.tags(), 2u);
  EXPECT_EQ(read(), before) << "expired";
  server_.Restart();
  ASSERT_TRUE(server_.server().archive().upkeep().Seal(/*settle=*/true).ok());
  EXPECT_EQ(read(), before) << "and rewritten";
  v1::ReadProcessedRequest minutes =
      RequestOf(tag_, Utc("2025-06-01T00:00:00Z"), Utc("2025-06-01T01:00:00Z"));
  minutes.set_interval_ns(5 * kMinute);
  EXPECT_THAT(Read(server_, minutes).status.error_message(), HasSubstr("has only rollups of 15m"));
}

TEST_F(CalendarReadsTest, WhatCannotBeIsToldPrecisely) {
  const Timestamp start = Utc("2025-06-01T00:00:00Z"), end = Utc("2025-06-10T00:00:00Z");
  const auto with = [&](const std::function<void(v1::ReadProcessedRequest*)>& change) {
    v1::ReadProcessedRequest request = RequestOf(tag_, start, end);
    *request.mutable_calendar() = CalendarOf(v1::Calendar::UNIT_DAY);
    change(&request);
    return request;
  };
  const auto calendar = [&](const std::function<void(v1::Calendar*)>& change) {
    return with([&](v1::ReadProcessedRequest* request) { change(request->mutable_calendar()); });
  };
  const auto shifts = [&](const std::function<void(v1::Calendar*)>& change) {
    return with([&](v1::ReadProcessedRequest* request) {
      *request->mutable_calendar() = ShiftsOf("Europe/Berlin");
      change(request->mutable_calendar());
    });
  };
  constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;
  constexpr auto kTooMuch = grpc::StatusCode::RESOURCE_EXHAUSTED;
  const struct {
    v1::ReadProcessedRequest request;
    grpc::StatusCode code;
    const char* says;
  } kCases[] = {
      {calendar([](auto* c) { c->set_zone("Europe/Berln"); }), kInvalid,
       "calendar.zone: unknown time zone 'Europe/Berln': expected UTC or a name of the tz database such as "
       "Europe/Berlin; did you mean Europe/Berlin?"},
      {calendar([](auto* c) { c->set_zone("/etc/passwd"); }), kInvalid, "unknown time zone '/etc/passwd'"},
      {calendar([](auto* c) { c->set_zone("local"); }), kInvalid, "unknown time zone 'local'"},
      {calendar([](auto* c) { c->set_zone(std::string(100'000, 'Z')); }), kInvalid, "unknown time zone 'ZZZ"},
      {calendar([](auto* c) { c->clear_unit(); }), kInvalid,
       "calendar.unit 0 is none of UNIT_MINUTE (1) to UNIT_SHIFT (7)"},
      {calendar([](auto* c) { c->set_unit(static_cast<v1::Calendar::Unit>(8)); }), kInvalid,
       "calendar.unit 8"},
      {calendar([](auto* c) { c->set_count(0); }), kInvalid,
       "calendar: an interval of 0 units has no length"},
      {calendar([](auto* c) { c->set_count(UINT32_MAX); }), kInvalid, "at most 1000"},
      {calendar([](auto* c) {
         c->set_unit(v1::Calendar::UNIT_MINUTE);
         c->set_count(7);
       }),
       kInvalid, "calendar: intervals of 7 minutes do not divide an hour"},
      {calendar([](auto* c) { c->set_day_begins(1440); }), kInvalid,
       "calendar.day_begins 1440: minutes after midnight, 0 to 1439"},
      {calendar([](auto* c) { c->set_week_begins(8); }), kInvalid,
       "calendar.week_begins 8: 1 (Monday) to 7 (Sunday)"},
      {calendar([](auto* c) { c->set_month_begins(29); }), kInvalid, "a month cannot begin on day 29"},
      {calendar([](auto* c) { c->set_year_begins(13); }), kInvalid, "a year cannot begin in month 13"},
      {calendar([](auto* c) { c->set_first_day("2025-06-01"); }), kInvalid, "for UNIT_SHIFT only"},
      {shifts([](auto* c) { c->clear_shift_plan(); }), kInvalid, "calendar: the plan has no shift"},
      {shifts([](auto* c) { c->set_day_begins(360); }), kInvalid,
       "calendar.day_begins has no meaning for shifts"},
      {shifts([](auto* c) {
         c->set_first_day("2025-06-01");
         for (int i = 0; i < 100'000; ++i) c->add_shift_plan();
       }),
       kInvalid, "calendar: a rotation of more than 400 days"},
      {shifts([](auto* c) { c->set_count(2); }), kInvalid, "shifts are counted one by one"},
      {shifts([](auto* c) { c->add_shift_plan(); }), kInvalid,
       "a rotation of 2 days needs the day on which it begins"},
      {shifts([](auto* c) { c->set_first_day("9223372036854775807-01-01"); }), kInvalid, "of 1900 to 2200"},
      {shifts([](auto* c) { c->set_first_day("5 May"); }), kInvalid,
       "calendar.first_day '5 May' is no day such as"},
      {shifts([](auto* c) { c->mutable_shift_plan(0)->mutable_shifts(1)->set_begins(100); }), kInvalid,
       "shift 'late' begins at minute 100"},
      {shifts([](auto* c) { c->mutable_shift_plan(0)->mutable_shifts(2)->set_begins(UINT32_MAX); }), kInvalid,
       "shift 'night' begins at minute 1440"},
      {shifts([](auto* c) { c->mutable_shift_plan(0)->mutable_shifts(2)->clear_name(); }), kInvalid,
       "has a name of 0 bytes: 1 to 64"},
      {with([](auto* r) { r->set_interval_ns(kDay); }), kInvalid, "only one of them can be given"},
      {with([](auto* r) { r->set_intervals_max(10); }), kInvalid, "only one of them can be given"},
      {with([](auto* r) { r->set_end(r->start()); }), kInvalid, "is not before end"},
      {with([](auto* r) { r->set_window(10'001); }), kInvalid, "a window of 10001 intervals: at most 10000"},
      {with([](auto* r) {
         r->clear_calendar();
         r->set_window(2);
       }),
       kInvalid, "window: it goes with interval_ns or calendar"},
      {with([](auto* r) {
         r->clear_calendar();
         r->set_intervals_max(10);
         r->set_window(2);
       }),
       kInvalid, "window: it goes with interval_ns or calendar"},
      {with([](auto* r) {
         r->clear_calendar();
         r->set_interval_ns(365 * kDay);
         r->set_window(1000);
       }),
       kInvalid,
       "window: the 999 intervals before start 2025-06-01T00:00:00Z leave the times samples may have"},
      {with([](auto* r) {
         r->mutable_calendar()->set_unit(v1::Calendar::UNIT_YEAR);
         r->set_window(200);
       }),
       kInvalid, "widened to whole intervals (years, and 199 before them), leaves the times"},
      {with([](auto* r) { r->set_start(kTimestampMin); }), kInvalid,
       "widened to whole intervals (days), leaves the times"},
      {with([](auto* r) {
         r->mutable_calendar()->set_unit(v1::Calendar::UNIT_MINUTE);
         r->set_start(Utc("1950-01-01T00:00:00Z"));
       }),
       kTooMuch, "there are more than 1000000 intervals (minutes), the most in one request"},
      {with([](auto* r) {
         r->mutable_calendar()->set_unit(v1::Calendar::UNIT_MINUTE);
         r->set_start(Utc("2024-11-01T00:00:00Z"));
       }),
       kTooMuch, ", and an edge of each interval): the limit is 1000000 (fixed)"},
  };
  for (const auto& c : kCases) {
    const Answer answer = Read(server_, c.request);
    EXPECT_EQ(answer.status.error_code(), c.code) << c.says << ": " << answer.status.error_message();
    EXPECT_THAT(answer.status.error_message(), HasSubstr(c.says));
    EXPECT_LT(answer.status.error_message().size(), 500u);
  }
}

TEST(CalendarLimitsTest, EdgesTakeMemoryOfTheCall) {
  Config config;
  config.limits.memory_budget = uint64_t{256} << 20;
  config.limits.intervals = 10'000'000;
  TestServer server(config);
  v1::ReadProcessedRequest request =
      RequestOf(server.Create("plant/flow"), Utc("2007-01-01T00:00:00Z"), kNow);
  *request.mutable_calendar() = CalendarOf(v1::Calendar::UNIT_MINUTE);
  const Answer answer = Read(server, request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(answer.status.error_message(), HasSubstr("its intervals"));
}

TEST(CalendarLimitsTest, StatusSaysTheVersionOfTheDatabase) {
  TestServer server;
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  ASSERT_TRUE(server.admin().GetStatus(&context, v1::GetStatusRequest(), &status).ok());
  EXPECT_EQ(status.tz_version(), TzDatabaseVersion());
  EXPECT_THAT(server.LogText(), HasSubstr(absl::StrCat("tz_version=", TzDatabaseVersion())));
}

// So that it is known seven years later.
TEST(CalendarLimitsTest, EachVersionOfTheDataKnowsTheTzDatabaseOfItsTime) {
  TestServer server;
  grpc::ClientContext mark_context, list_context;
  v1::MarkVersionRequest mark;
  mark.set_author("ann");
  v1::MarkVersionResponse marked;
  ASSERT_TRUE(server.admin().MarkVersion(&mark_context, mark, &marked).ok());
  v1::ListVersionsResponse listed;
  ASSERT_TRUE(server.admin().ListVersions(&list_context, v1::ListVersionsRequest(), &listed).ok());
  ASSERT_EQ(listed.versions_size(), 1);
  EXPECT_EQ(listed.versions(0).tz_version(), TzDatabaseVersion());
}

// Each window is a fold of its own: many are ended like any other read that takes too long.
TEST(CalendarLimitsTest, ManyWindowsEndWhenTheTimeOfTheirCallIsOver) {
  Config config;
  config.limits.query_timeout = absl::Milliseconds(50);
  TestServer server(config);
  const uint32_t tag = server.Create("plant/flow");
  std::vector<std::pair<Timestamp, double>> samples;
  for (Timestamp t = kNow - 100'000 * kSecond; t < kNow; t += kSecond)
    samples.push_back({t, static_cast<double>(t % 977)});
  server.Store(tag, samples);
  v1::ReadProcessedRequest request = RequestOf(tag, kNow - 90'000 * kSecond, kNow);
  request.set_interval_ns(kSecond);
  request.set_window(10'000);
  const Answer answer = Read(server, request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << answer.status.error_message();
}

}  // namespace
}  // namespace historian::server
