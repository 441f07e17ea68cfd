// File: storage/format/summary_columns.h
//
// Summaries of consecutive runs of one tag's samples (the pages of a block, the slots of a rollup) as
// columns: sixteen that are alike cost a third of sixteen alone. Bytes: storage/format/block.md.
//
// They are written in two parts, for a block puts its pages' places between them.
#ifndef HISTORIAN_STORAGE_FORMAT_SUMMARY_COLUMNS_H_
#define HISTORIAN_STORAGE_FORMAT_SUMMARY_COLUMNS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/aggregate/summary.h"
#include "storage/format/bytes.h"
#include "storage/model/value.h"

namespace historian::format {

class SummaryWriter {
 public:
  // Requires at least one summary, in order of time, not overlapping, each with kCoreParts and at least one
  // sample. Of one without all details none are written. They must outlive the writer.
  SummaryWriter(ValueType type, std::vector<const Summary*> summaries);

  // These append to *out. AppendCounts must come first.
  void AppendCounts(std::string* out) const;
  void AppendColumns(std::string* out) const;

 private:
  void AppendDetails(std::string* out) const;

  const ValueType type_;
  const std::vector<const Summary*> summaries_;
  std::vector<uint64_t> flags_;
};

class SummaryReader {
 public:
  // Fills the summaries. There must be at least one, and they must outlive the reader. `has_details`: the format has
  // them. What is not stored of them and can be told from the rest is filled, too.
  SummaryReader(ValueType type, std::vector<Summary*> summaries, bool has_details)
      : type_(type), summaries_(std::move(summaries)), has_details_(has_details) {}

  // To be called in the order of the writer. Errors: DataLoss, the bytes are damaged in a way that shows, for
  // example a summary has more than `samples_max` samples.
  absl::Status ReadCounts(ByteReader* in, uint64_t samples_max);
  absl::Status ReadColumns(ByteReader* in);

 private:
  absl::Status ReadTimes(ByteReader* in, uint64_t* unit) const;
  absl::Status ReadSamples(ByteReader* in) const;
  absl::Status ReadSeverities(ByteReader* in) const;
  absl::Status ReadSums(ByteReader* in, uint64_t unit) const;
  absl::Status ReadDetails(ByteReader* in) const;

  const ValueType type_;
  const std::vector<Summary*> summaries_;
  const bool has_details_;
  std::vector<uint64_t> flags_;
};

// Appends a column of integers, of which the reader must know the number. For 0 integers it appends nothing.
void AppendIntegers(const std::vector<uint64_t>& v, std::string* out);
absl::Status ReadIntegers(ByteReader* in, size_t n, std::vector<uint64_t>* v);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_SUMMARY_COLUMNS_H_
