#include "server/raw_read.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Timestamp kBase = kNow - 1000 * kSecond;

// What a read gave: the seconds of its entries after kBase, those of bounds that do not exist with a !.
struct Entries {
  std::vector<std::string> entries;
  std::string continuation;
  grpc::Status status;
};

std::string Shown(Timestamp time, bool missing) {
  return absl::StrCat(missing ? "!" : "", (time - kBase) / kSecond);
}

Entries Read(TestServer& server, const v1::ReadRawRequest& request) {
  Entries result;
  grpc::ClientContext context;
  const auto stream = server.query().ReadRaw(&context, request);
  v1::RawFrame frame;
  while (stream->Read(&frame)) {
    const v1::Values& values = frame.samples().values();
    const size_t size = values.float64().values_size() + values.digital().values_size() +
                        values.int64().values_size() + values.bool_().values_size() +
                        values.string().values_size();
    const std::vector<Timestamp> times = TimesOf(frame.samples().times(), size);
    std::vector<uint32_t> qualities(size, 0);
    for (int run = 0; run < frame.samples().qualities().first_size(); ++run) {
      for (uint32_t i = 0; i < frame.samples().qualities().count(run); ++i) {
        qualities[frame.samples().qualities().first(run) + i] = frame.samples().qualities().quality(run);
      }
    }
    for (size_t i = 0; i < size; ++i) {
      const bool missing = qualities[i] == kBadNoBound;
      if (missing && values.has_float64()) {
        EXPECT_EQ(values.float64().values(static_cast<int>(i)), 0);
      }
      result.entries.push_back(Shown(times[i], missing));
    }
    EXPECT_TRUE(result.continuation.empty());
    result.continuation = frame.continuation();
  }
  result.status = stream->Finish();
  return result;
}

// In calls of at most `limit` entries, with a restart after the first.
std::vector<std::string> ReadInPieces(TestServer& server, v1::ReadRawRequest request, uint64_t limit,
                                      bool restart) {
  std::vector<std::string> all;
  request.set_limit(limit);
  do {
    const Entries piece = Read(server, request);
    EXPECT_TRUE(piece.status.ok()) << piece.status.error_message();
    EXPECT_LE(piece.entries.size(), limit);
    EXPECT_EQ(piece.entries.empty(), all.empty() && piece.entries.empty());
    all.insert(all.end(), piece.entries.begin(), piece.entries.end());
    request.set_continuation(piece.continuation);
    if (std::exchange(restart, false)) server.Restart();
  } while (!request.continuation().empty());
  return all;
}

v1::ReadRawRequest OpcUa(uint32_t tag, std::optional<int64_t> start, std::optional<int64_t> end,
                         uint64_t limit, bool bounds) {
  v1::ReadRawRequest request;
  request.set_tag_id(tag);
  request.set_opc_ua(true);
  if (start.has_value()) request.set_start(kBase + *start * kSecond);
  if (end.has_value()) request.set_end(kBase + *end * kSecond);
  request.set_limit(limit);
  request.set_bounds(bounds);
  return request;
}

constexpr std::optional<int64_t> kNone;

// The examples of OPC 10000-11, 6.5.3.2: a tag with samples at 0, 2, 3, 5 and 6.
struct Case {
  std::optional<int64_t> start;
  std::optional<int64_t> end;
  uint64_t limit;
  bool bounds;
  const char* entries;
  bool more;
};
const Case kCases[] = {
    // Oldest first.
    {0, 5, 0, true, "0 2 3 5", false},
    {0, 5, 0, false, "0 2 3", false},
    {1, 4, 0, true, "0 2 3 5", false},
    {1, 4, 0, false, "2 3", false},
    {-1, 5, 0, true, "!-1 0 2 3 5", false},
    {-1, 5, 0, false, "0 2 3", false},
    {1, 7, 0, true, "0 2 3 5 6 !7", false},
    {1, 7, 0, false, "2 3 5 6", false},
    {0, 5, 3, true, "0 2 3", true},
    {0, 5, 3, false, "0 2 3", false},
    {1, 4, 3, true, "0 2 3", true},
    {1, 4, 3, false, "2 3", false},
    {-1, 5, 3, true, "!-1 0 2", true},
    {-1, 5, 3, false, "0 2 3", false},
    {1, 7, 3, true, "0 2 3", true},
    {1, 7, 3, false, "2 3 5", true},
    // Newest first.
    {5, 0, 0, true, "5 3 2 0", false},
    {5, 0, 0, false, "5 3 2", false},
    {4, 1, 0, true, "5 3 2 0", false},
    {4, 1, 0, false, "3 2", false},
    {5, 0, 3, true, "5 3 2", true},
    {5, 0, 3, false, "5 3 2", false},
    {4, 1, 3, true, "5 3 2", true},
    {4, 1, 3, false, "3 2", false},
    {7, -1, 0, true, "!7 6 5 3 2 0 !-1", false},
    {7, -1, 0, false, "6 5 3 2 0", false},
    // Only a start.
    {0, kNone, 3, true, "0 2 3", true},
    {0, kNone, 3, false, "0 2 3", true},
    {0, kNone, 5, true, "0 2 3 5 6", true},
    {0, kNone, 5, false, "0 2 3 5 6", false},
    {0, kNone, 6, true, "0 2 3 5 6 !7", false},
    {0, kNone, 6, false, "0 2 3 5 6", false},
    {7, kNone, 6, true, "6 !7", false},
    {7, kNone, 6, false, "", false},
    // Only an end.
    {kNone, 6, 3, true, "6 5 3", true},
    {kNone, 6, 3, false, "6 5 3", true},
    {kNone, 6, 6, true, "6 5 3 2 0 !-1", false},
    {kNone, 6, 6, false, "6 5 3 2 0", false},
    {kNone, -12, 6, true, "0 !-1", false},
    {kNone, -12, 6, false, "", false},
    // Both are one.
    {-12, -12, 0, true, "!-12 0", false},
    {-12, -12, 0, false, "", false},
    {-12, -12, 1, true, "!-12", true},
    {-12, -12, 1, false, "", false},
    {-12, -12, 2, true, "!-12 0", false},
    {0, 0, 0, true, "0 2", false},
    {0, 0, 0, false, "0", false},
    {0, 0, 1, true, "0", true},
    {0, 0, 1, false, "0", false},
    {1, 1, 0, true, "0 2", false},
    {1, 1, 0, false, "", false},
    {1, 1, 1, true, "0", true},
    {1, 1, 1, false, "", false},
    {7, 7, 0, true, "6 !7", false},
};

TEST(OpcUaReadTest, TheStandardsExamples) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  std::vector<std::pair<Timestamp, double>> samples;
  for (const int second : {0, 2, 3, 5, 6}) samples.push_back({kBase + second * kSecond, second + 100.0});
  server.Store(tag, samples);
  for (const bool sealed : {false, true}) {
    if (sealed) {
      ASSERT_TRUE(server.server().archive().upkeep().Seal().ok());
    }
    for (const Case& row : kCases) {
      const v1::ReadRawRequest request = OpcUa(tag, row.start, row.end, row.limit, row.bounds);
      const Entries read = Read(server, request);
      EXPECT_TRUE(read.status.ok()) << read.status.error_message();
      EXPECT_EQ(absl::StrJoin(read.entries, " "), row.entries) << request.ShortDebugString();
      EXPECT_EQ(!read.continuation.empty(), row.more) << request.ShortDebugString();
    }
  }
}

TEST(OpcUaReadTest, GoesOnWhereTheLimitEndedItAcrossARestart) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  for (const int second : {0, 2, 3, 5, 6}) server.Store(tag, {{kBase + second * kSecond, second + 100.0}});
  for (const Case& row : kCases) {
    const v1::ReadRawRequest whole =
        OpcUa(tag, row.start, row.end, row.start && row.end ? 0 : 100, row.bounds);
    const std::vector<std::string> expected = Read(server, whole).entries;
    for (uint64_t limit = 1; limit <= 3; ++limit) {
      const bool restart = limit == 2 && row.bounds && row.limit == 3;
      EXPECT_EQ(ReadInPieces(server, whole, limit, restart), expected) << whole.ShortDebugString();
    }
  }
}

TEST(OpcUaReadTest, TagWithoutASampleHasNeitherBound) {
  TestServer server;
  const uint32_t tag = server.Create("plant/text", v1::VALUE_TYPE_STRING);
  const auto read = [&](std::optional<int64_t> start, std::optional<int64_t> end) {
    return absl::StrJoin(Read(server, OpcUa(tag, start, end, 9, true)).entries, " ");
  };
  EXPECT_EQ(read(1, 4), "!1 !4");
  EXPECT_EQ(read(4, 1), "!4 !1");
  EXPECT_EQ(read(4, 4), "!4 !4");
  EXPECT_EQ(read(4, kNone), "!4 !5");
  EXPECT_EQ(read(kNone, 4), "!4 !3");
  EXPECT_THAT(ReadInPieces(server, OpcUa(tag, 4, 4, 0, true), 1, true), ::testing::ElementsAre("!4", "!4"));
}

TEST(OpcUaReadTest, AnyNumbersMayStandForAllOfTime) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kBase, 1}, {kBase + kSecond, 2}});
  constexpr Timestamp kFirst = std::numeric_limits<Timestamp>::min(),
                      kLast = std::numeric_limits<Timestamp>::max();
  for (const auto& [start, end, size] : std::vector<std::tuple<Timestamp, Timestamp, size_t>>{
           {kFirst, kLast, 4}, {kLast, kFirst, 4}, {kLast, kLast, 2}, {kFirst, kFirst, 2}}) {
    v1::ReadRawRequest request = OpcUa(tag, 0, 0, 0, true);
    request.set_start(start);
    request.set_end(end);
    const Entries read = Read(server, request);
    EXPECT_TRUE(read.status.ok()) << read.status.error_message();
    EXPECT_EQ(read.entries.size(), size) << start << " " << end;
  }
}

TEST(OpcUaReadTest, WrongRequestsAreToldWhatIsWrong) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kBase, 1}, {kBase + kSecond, 2}});
  v1::ReadRawRequest reverse = OpcUa(tag, 0, 5, 0, false);
  reverse.set_reverse(true);
  v1::ReadRawRequest forged = OpcUa(tag, 0, 5, 1, true);
  forged.set_continuation(Read(server, OpcUa(tag, 0, kNone, 1, true)).continuation);
  v1::ReadRawRequest plain = OpcUa(tag, 5, 0, 0, false);
  plain.set_opc_ua(false);
  const std::pair<v1::ReadRawRequest, const char*> kTable[] = {
      {OpcUa(tag, kNone, kNone, 5, false), "neither start nor end is given"},
      {OpcUa(tag, 0, kNone, 0, false), "only start is given: a limit must say where the read ends"},
      {OpcUa(tag, kNone, 0, 0, true), "only end is given: a limit must say where the read ends"},
      {reverse, "reverse is set, and opc_ua"},
      {forged, "belongs to another request"},
      {plain, "is after end"},
  };
  for (const auto& [request, message] : kTable) {
    const grpc::Status status = Read(server, request).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << message;
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }
}

// What a continuation says is not believed.
TEST(OpcUaReadTest, ForgedContinuationBehindTheEndReadsNothing) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kBase, 1}, {kBase + 9 * kSecond, 2}});
  v1::ReadRawRequest request = OpcUa(tag, 0, 5, 1, true);
  std::string continuation = Read(server, request).continuation;
  ASSERT_EQ(continuation.size(), 46u);
  for (int i = 22; i < 29; ++i) continuation[i] = '\xFF';
  continuation[29] = '\x7F';
  request.set_continuation(continuation);
  EXPECT_THAT(Read(server, request).entries, IsEmpty());
}

// ---- Against a direct implementation

struct Stored {
  int64_t second;
  double value;
  uint32_t quality;
};

std::vector<std::string> Direct(const std::vector<Stored>& samples, const v1::ReadRawRequest& request) {
  const auto second = [](Timestamp t) { return (t - kBase) / kSecond; };
  std::vector<int64_t> times;
  for (const Stored& one : samples) {
    const v1::SampleFilter& filter = request.filter();
    const bool any = filter.good() || filter.uncertain() || filter.bad();
    const uint32_t severity = one.quality >> 30;
    if (any && !(severity == 0 ? filter.good() : severity == 1 ? filter.uncertain() : filter.bad())) continue;
    if (filter.has_minimum() && !(one.value >= filter.minimum())) continue;
    if (filter.has_maximum() && !(one.value <= filter.maximum())) continue;
    times.push_back(one.second);
  }
  const bool down = !request.has_start() || (request.has_end() && request.start() > request.end());
  if (down) {
    // The same the other way round.
    std::reverse(times.begin(), times.end());
    for (int64_t& time : times) time = -time;
  }
  const int64_t sign = down ? -1 : 1;
  const int64_t begin = sign * second(request.has_start() ? request.start() : request.end());
  std::optional<int64_t> end;
  if (request.has_start() && request.has_end()) end = sign * second(request.end());
  std::vector<std::string> entries;
  const auto add = [&](int64_t time, bool missing) {
    entries.push_back(absl::StrCat(missing ? "!" : "", sign * time));
  };
  std::optional<int64_t> before, behind;
  std::vector<int64_t> within;
  for (const int64_t time : times) {
    if (time < begin) {
      before = time;
    } else if (!end.has_value() || time < *end || (time == begin && *end == begin)) {
      within.push_back(time);
    } else if (!behind.has_value()) {
      behind = time;
    }
  }
  int64_t last = begin;
  if (request.bounds() && (within.empty() || within.front() != begin))
    add(before.value_or(begin), !before.has_value());
  if (request.bounds() && before.has_value() && (within.empty() || within.front() != begin)) last = *before;
  for (const int64_t time : within) add(last = time, false);
  if (request.bounds()) {
    if (behind.has_value()) {
      add(*behind, false);
    } else {
      add(end.value_or(last + 1), true);
    }
  }
  return entries;
}

TEST(OpcUaReadTest, EqualsADirectImplementation) {
  const uint64_t seed = 11;
  std::mt19937_64 random(seed);
  TestServer server;
  for (int round = 0; round < 6; ++round) {
    const uint32_t tag = server.Create(absl::StrCat("plant/flow-", round));
    std::vector<Stored> samples;
    const uint32_t kQualities[] = {0, 0, 0, kUncertain, kBad};
    for (int64_t second = -20; second < 60; ++second) {
      if (random() % (round + 1) != 0) continue;
      samples.push_back({second, static_cast<double>(random() % 10), kQualities[random() % 5]});
      server.Store(tag, {{kBase + second * kSecond, samples.back().value}}, samples.back().quality);
      if (random() % 40 == 0) {
        ASSERT_TRUE(server.server().archive().upkeep().Seal().ok());
      }
    }
    for (int i = 0; i < 300; ++i) {
      std::optional<int64_t> start, end;
      if (random() % 5 != 0) start = static_cast<int64_t>(random() % 90) - 25;
      if (!start.has_value() || random() % 5 != 0) end = static_cast<int64_t>(random() % 90) - 25;
      if (random() % 8 == 0) end = start;
      if (!start.has_value() && !end.has_value()) end = 7;
      v1::ReadRawRequest request = OpcUa(tag, start, end, 1000, random() % 2 == 0);
      if (random() % 2 == 0) {
        v1::SampleFilter* filter = request.mutable_filter();
        filter->set_good(random() % 2 == 0);
        filter->set_uncertain(random() % 4 == 0);
        filter->set_bad(random() % 4 == 0);
        const double minimum = static_cast<double>(random() % 10);
        if (random() % 2 == 0) filter->set_minimum(minimum);
        if (random() % 2 == 0) filter->set_maximum(minimum + static_cast<double>(random() % 5));
      }
      const std::vector<std::string> expected = Direct(samples, request);
      EXPECT_EQ(Read(server, request).entries, expected) << request.ShortDebugString() << " seed " << seed;
      EXPECT_EQ(ReadInPieces(server, request, 1 + random() % 5, /*restart=*/false), expected)
          << request.ShortDebugString() << " seed " << seed;
    }
  }
}

// ---- Filters

TEST(SampleFilterTest, LimitCountsWhatPassesAndPagesThatHaveNothingAreLeftOut) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  std::vector<std::pair<Timestamp, double>> samples;
  for (int i = 0; i < 40'000; ++i) samples.push_back({kBase - (40'000 - i) * kSecond, i});
  server.Store(tag, samples);
  ASSERT_TRUE(server.server().archive().upkeep().Seal().ok());
  v1::ReadRawRequest request;
  request.set_tag_id(tag);
  request.set_start(kTimestampMin);
  request.set_end(kTimestampMax);
  request.mutable_filter()->set_minimum(17'000);
  request.mutable_filter()->set_maximum(17'005);
  EXPECT_EQ(Read(server, request).entries.size(), 6u);
  EXPECT_EQ(ReadInPieces(server, request, 4, /*restart=*/true).size(), 6u);
  request.set_reverse(true);
  const Entries reverse = Read(server, request);
  EXPECT_EQ(reverse.entries.front(), Shown(kBase - (40'000 - 17'005) * kSecond, false));
  request.set_bounds(true);  // There are no neighbours that pass.
  EXPECT_EQ(Read(server, request).entries.size(), 6u);
  request.mutable_filter()->set_bad(true);
  EXPECT_THAT(Read(server, request).entries, IsEmpty());
}

TEST(SampleFilterTest, ByStateAndWhatIsNotANumber) {
  TestServer server;
  const uint32_t state = server.Create("plant/state", v1::VALUE_TYPE_DIGITAL);
  const uint32_t flow = server.Create("plant/flow");
  const uint32_t on = server.Create("plant/on", v1::VALUE_TYPE_BOOL);
  v1::Frame frame;
  const auto column = [&](uint32_t tag) {
    v1::Column* const to = frame.add_columns();
    to->set_tag_id(tag);
    to->mutable_times()->mutable_regular()->set_first(kBase);
    to->mutable_times()->mutable_regular()->set_step_ns(kSecond);
    return to->mutable_values();
  };
  v1::Values* values = column(state);
  for (const uint32_t code : {0, 1, 2, 1, 7, 0}) values->mutable_digital()->add_values(code);
  values = column(flow);
  for (const double value : {1.0, std::nan(""), HUGE_VAL, -HUGE_VAL, 5.0, -0.0})
    values->mutable_float64()->add_values(value);
  values = column(on);
  for (const bool value : {true, false, false, true, false, true}) values->mutable_bool_()->add_values(value);
  ASSERT_EQ(server.WriteFrame(frame).samples_stored(), 18u);
  const auto read = [&](uint32_t tag, const v1::SampleFilter& filter) {
    v1::ReadRawRequest request;
    request.set_tag_id(tag);
    request.set_start(kBase);
    request.set_end(kBase + 100 * kSecond);
    *request.mutable_filter() = filter;
    const Entries entries = Read(server, request);
    EXPECT_TRUE(entries.status.ok()) << entries.status.error_message();
    return absl::StrJoin(entries.entries, " ");
  };
  for (const bool sealed : {false, true}) {
    if (sealed) {
      ASSERT_TRUE(server.server().archive().upkeep().Seal().ok());
    }
    v1::SampleFilter states;
    states.add_states(7);
    states.add_states(1);
    EXPECT_EQ(read(state, states), "1 3 4");
    v1::SampleFilter ones;
    ones.add_states(1);
    EXPECT_EQ(read(on, ones), "0 3 5");
    v1::SampleFilter high;
    high.set_minimum(0);
    EXPECT_EQ(read(flow, high), "0 2 4 5");
    v1::SampleFilter low;
    low.set_maximum(0);
    EXPECT_EQ(read(flow, low), "3 5");
    v1::SampleFilter good;
    good.set_good(true);
    EXPECT_EQ(read(flow, good), "0 1 2 3 4 5");
    EXPECT_EQ(read(flow, v1::SampleFilter()), "0 1 2 3 4 5");
  }
}

TEST(SampleFilterTest, WrongFiltersAreToldWhatIsWrong) {
  TestServer server;
  const uint32_t flow = server.Create("plant/flow");
  const uint32_t text = server.Create("plant/text", v1::VALUE_TYPE_STRING);
  const uint32_t state = server.Create("plant/state", v1::VALUE_TYPE_DIGITAL);
  v1::SampleFilter nan, upside_down, above, states, many;
  nan.set_minimum(std::nan(""));
  upside_down.set_minimum(2);
  upside_down.set_maximum(1);
  above.set_minimum(2);
  states.add_states(1);
  for (uint32_t i = 0; i <= kFilterStatesMax; ++i) many.add_states(i);
  const struct {
    uint32_t tag;
    v1::SampleFilter filter;
    const char* message;
  } kTable[] = {
      {flow, nan, "a limit of the filter is NaN"},
      {flow, upside_down, "the filter's minimum 2 is above its maximum 1"},
      {text, above, "'plant/text' is of type string, which is not filtered by value"},
      {state, above, "'plant/state' is of type digital, which is not filtered by value"},
      {flow, states, "'plant/flow' is of type float64, which has no states to filter by"},
      {state, many, "a filter by 1001 states; the limit is 1000"},
  };
  for (const auto& row : kTable) {
    v1::ReadRawRequest request;
    request.set_tag_id(row.tag);
    request.set_end(5);
    *request.mutable_filter() = row.filter;
    const grpc::Status status = Read(server, request).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << row.message;
    EXPECT_THAT(status.error_message(), HasSubstr(row.message));
  }
}

TEST(SampleFilterTest, ContinuationBelongsToItsFilter) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kBase, 1}, {kBase + kSecond, 2}, {kBase + 2 * kSecond, 3}});
  v1::ReadRawRequest request;
  request.set_tag_id(tag);
  request.set_start(kBase);
  request.set_end(kBase + 9 * kSecond);
  request.set_limit(1);
  request.mutable_filter()->set_minimum(1);
  request.set_continuation(Read(server, request).continuation);
  ASSERT_FALSE(request.continuation().empty());
  EXPECT_TRUE(Read(server, request).status.ok());
  request.mutable_filter()->set_minimum(1.5);
  EXPECT_THAT(Read(server, request).status.error_message(), HasSubstr("one with another filter"));
  request.clear_filter();
  EXPECT_THAT(Read(server, request).status.error_message(), HasSubstr("belongs to another request"));
}

}  // namespace
}  // namespace historian::server
