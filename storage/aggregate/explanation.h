// File: storage/aggregate/explanation.h
//
// How the value of an aggregate over an interval comes about, for whoever doubts it: by its definition (direct_aggregates.h),
// from samples, in figures and words.
//
//   samples    10 |  12    16    Bad    8    14 | 18
//   figures        (12 + 16 + 8 + 14) / 4 = 12.5
//   roles          counted, counted, counts as Bad: its quality is Bad, counted, counted
//
// Threads: pure functions.
#ifndef HISTORIAN_STORAGE_AGGREGATE_EXPLANATION_H_
#define HISTORIAN_STORAGE_AGGREGATE_EXPLANATION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/aggregate/direct_aggregates.h"
#include "storage/aggregate/direct_interval.h"
#include "storage/model/aggregate.h"
#include "storage/model/timestamp.h"

namespace historian {

struct Explanation {
  StandardValue value;  // ComputeDirectly.
  // The formula with the figures put in, and the value: numbers, + - x / ^ ( ) and sqrt; times in seconds. More than
  // kFiguresListedMax terms have "..." in the middle, and their sum behind another "=". Empty without a value, and where the
  // value is no number.
  std::string figures;
  // By how much of what the status goes, such as "4 of 6 members are Good, 2 count as Bad". Empty where it goes by no share.
  std::string shares;

  struct Bound {
    PointInTime point;
    std::string how;  // From which samples, by which rule; or why there is none.
  };
  // At the early and at the late edge, of the kind that the aggregate looks at; none if it looks at no bounds.
  std::vector<Bound> bounds;

  struct Member {
    size_t index = 0;  // In the samples.
    std::string role;  // What it was for the aggregate.
  };
  uint64_t members = 0;
  std::vector<Member> listed;  // The first and the last of them, oldest first.

  // The interval's time, divided as RegionsWithSimpleBounds has it. They are the interval's length together.
  uint64_t good_ns = 0;
  uint64_t uncertain_ns = 0;
  uint64_t bad_ns = 0;  // Before the first sample, too.
  uint64_t no_data_ns = 0;

  // Distances between members that follow each other which are over 3 times the one that 9 of 10 keep (PlotSeries in query.proto
  // draws gaps by the same rule). Usual for stepped tags, too, but there they say only that the value did not change.
  struct Gap {
    Timestamp from = 0;
    Timestamp to = 0;
  };
  uint64_t usual_ns = 0;  // What 9 of 10 keep; 0 with fewer than two distances.
  uint64_t gaps = 0;
  std::vector<Gap> listed_gaps;  // The first kGapsListedMax.
};

inline constexpr size_t kFiguresListedMax = 12;
inline constexpr size_t kGapsListedMax = 100;

// Requires start < end, IsDefinedFor(aggregate, type). At most `listed_max` members are listed.
// Cost: a few walks over the samples, and up to 300 bytes for each of them meanwhile.
Explanation Explain(Aggregate aggregate, const DirectSamples& samples, Timestamp start, Timestamp end,
                    size_t listed_max);

// A number in its shortest form that reads back as the same.
std::string FigureText(double number);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_EXPLANATION_H_
