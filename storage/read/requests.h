// File: storage/read/requests.h
//
// What is asked of a tag's samples and blocks, and the answers.
#ifndef HISTORIAN_STORAGE_READ_REQUESTS_H_
#define HISTORIAN_STORAGE_READ_REQUESTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/format/key.h"
#include "storage/model/data_version.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {

// Which samples are wanted: those that pass all parts.
struct SampleFilter {
  // Severities that pass.
  bool good = true;
  bool uncertain = true;
  bool bad = true;
  // Values that pass whatever their quality is, both limits included; not NaN. Not for strings.
  std::optional<std::pair<double, double>> values;
  // Values that pass, ascending; of digital tags and bools. Empty: all.
  std::vector<uint32_t> states;

  bool PassesAll() const { return good && uncertain && bad && !values.has_value() && states.empty(); }
};

struct RawRequest {
  TagId tag = 0;
  Timestamp start = 0;  // start <= time < end.
  Timestamp end = 0;
  bool bounds = false;  // Also the newest sample before start and the first at or after end.
  // Not where the read begins, if a sample lies there: at start; when reverse, at end - 1.
  bool outer_bound_if_needed = false;
  bool reverse = false;
  SampleFilter filter;  // Bounds are the nearest samples that pass.
  // Go on behind this time (before it, when reverse), which an earlier read of the same request ended with.
  std::optional<Timestamp> resume_after;
  Version as_of = kVersionNow;
};

class RawReader {
 public:
  virtual ~RawReader() = default;
  // Replaces *batch by the next samples (at most kRawBatchMax), in the order asked for; false at the end. A
  // damaged page does not end the read: what can be read is delivered, and DataLoss comes in place of the
  // end.
  virtual absl::StatusOr<bool> Next(Samples* batch) = 0;
  // True when it is already known that Next() would only say that this was all.
  virtual bool AtEnd() const = 0;
};
inline constexpr size_t kRawBatchMax = 16384;

struct TagStorage {
  uint64_t samples = 0;
  uint64_t samples_open = 0;
  uint64_t blocks = 0;
  uint64_t head_bytes = 0;
  uint64_t payload_bytes = 0;
  uint64_t rollup_bytes = 0;
  Timestamp first_time = 0;  // Both 0 without samples.
  Timestamp last_time = 0;
};

struct BlockInfo {
  format::BlockId id;
  Timestamp first_time = 0;
  Timestamp last_time = 0;
  uint64_t samples = 0;
  uint32_t pages = 0;
  uint64_t head_bytes = 0;
  uint64_t payload_bytes = 0;
};

struct BlockBytes {
  std::string head;
  std::string payload;
  ValueType type = ValueType::kFloat64;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_REQUESTS_H_
