// File: tools/histctl/lib/import_frames.h
//
// Turns the rows of a CSV file into numbered frames.
//
// Frames are cut by what is in the rows alone, never by time or by how fast the server is: frame N of the
// same file, layout, options and tags always holds the same samples. That is what makes an import resumable:
// a server that has frame N of a producer has rows up to the same place, whoever asks.
//
//   row ---> one buffer per tag ---(kFrameSamples, or kFrameStringBytes, at a row's end)---> frame
//
// Of samples of one tag and one time the later row wins, as with any writer. Rows need not be in order.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_FRAMES_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_FRAMES_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "proto/historian/v1/ingest.pb.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "tools/histctl/lib/csv_reader.h"
#include "tools/histctl/lib/import_layout.h"
#include "tools/histctl/lib/row_time.h"
#include "tools/histctl/lib/time_parser.h"
#include "tools/histctl/lib/type_inference.h"

namespace historian::histctl {

struct ImportFrame {
  v1::WriteRequest request;  // Without producer.
  uint64_t samples = 0;
  uint64_t first_line = 0;
  // lines[c][i]: of sample i of columns[c], less first_line.
  std::vector<std::vector<uint32_t>> lines;

  uint64_t number() const { return request.frame().sequence(); }
  uint64_t LineOf(uint32_t column, uint32_t sample) const;
};

struct ImportCounts {
  uint64_t rows = 0;        // Records, the header not counted.
  uint64_t bad_rows = 0;    // Skipped as a whole.
  uint64_t bad_values = 0;  // Skipped alone; the rest of their row counts.
  uint64_t missing = 0;     // Empty or as --missing says.
  uint64_t states = 0;      // Texts that say why there is no value: stored as their quality.
  uint64_t samples = 0;
  // Samples with the time of one that stands before them. In a file that does not ascend, those far apart are not noticed.
  uint64_t same_time = 0;
  uint64_t times_skipped = 0;   // Local times that do not exist.
  uint64_t times_repeated = 0;  // Local times that come twice.
  Timestamp first_time = 0;     // Of all samples, when there are any.
  Timestamp last_time = 0;
};

struct RowError {
  uint64_t line = 0;
  std::string column;  // Header or tag; empty: the whole row.
  std::string why;
};

// A tag that rows name.
struct ScannedTag {
  std::string tag;                       // With prefix and map applied.
  const ImportColumn* column = nullptr;  // Keyed: which one; of the layout.
  uint64_t line = 0;                     // The first.
  TypeInference values;
};

// What is in a file's columns, or of its tags: to find types, and the tags of a long or keyed file.
struct ImportScan {
  std::vector<TypeInference> columns;      // Wide: as layout.columns.
  std::map<std::string, ScannedTag> tags;  // Long: by the names in the file. Keyed: by ScannedTag::tag.
  uint64_t states = 0;                     // Texts that say why there is no value.
};
// Looks at the values of the first `rows` rows (0: all) and at all tag names.
ImportScan ScanFile(const ImportOptions& options, const ImportLayout& layout, absl::string_view text,
                    uint64_t rows);

class ImportFrames {
 public:
  static constexpr uint64_t kFrameSamples = 16'384;
  static constexpr uint64_t kFrameStringBytes = 256 * 1024;

  // `columns`: wide: the tag of each of layout.columns; id 0 leaves it out. `tags`: long and keyed: as ImportScan::tags. on_error: false ends the reading. All arguments must outlive this.
  ImportFrames(const ImportOptions& options, const ImportLayout& layout, absl::string_view text,
               const std::vector<Tag>& columns, const std::map<std::string, Tag>& tags,
               std::function<bool(const RowError&)> on_error);

  // Numbers rise from 1. False: the end, or on_error said so (stopped()); a frame begun is then dropped.
  bool Next(ImportFrame* frame);

  bool stopped() const { return stopped_; }
  ImportCounts counts() const;
  // Of the file's text.
  size_t offset() const { return reader_.offset(); }

 private:
  struct Buffer {
    const Tag* tag = nullptr;
    Samples samples;
    std::vector<uint32_t> lines;
    Timestamp newest = std::numeric_limits<Timestamp>::min();  // Of the frames before.
  };
  // What the rows of one tag (long) or device (keyed) go to.
  struct Group {
    std::vector<Buffer*> buffers;  // Long: one. Keyed: as layout.columns; null leaves it out.
    TimeHistory history;
  };

  void ReadRow();
  Group* GroupOfRow();
  void ReadWide(Timestamp time);
  void ReadKeyed(Timestamp time, const Group& group);
  void ReadLong(Timestamp time, Buffer* buffer);
  // Good where the column has none beside it. Nothing: it cannot be read, which was told.
  std::optional<Quality> QualityBeside(std::optional<size_t> column, absl::string_view name);
  void AddField(Buffer* buffer, Timestamp time, const CsvField& field, Quality quality,
                absl::string_view column);
  void Add(Buffer* buffer, Timestamp time, ValueBits bits, absl::string_view string, Quality quality);
  void Error(absl::string_view column, std::string why, bool whole_row);
  void TakeFrame(ImportFrame* frame);
  void TakeSorted(Buffer* buffer, ImportFrame* frame);
  static void TakeColumn(const Tag& tag, const SamplesView& samples, std::vector<uint32_t> lines,
                         ImportFrame* frame);

  const ImportOptions& options_;
  const ImportLayout& layout_;
  const std::function<bool(const RowError&)> on_error_;
  CsvReader reader_;
  RowTime times_;
  std::vector<Buffer> buffers_;                       // Wide: as layout.columns. Else: as tags.
  absl::flat_hash_map<std::string, Buffer*> by_tag_;  // Keyed.
  absl::flat_hash_map<std::string, Group> groups_;    // By the tag's name in the file, or the device.
  std::vector<size_t> touched_;  // Buffers of the open frame, in the order of their first sample.
  uint64_t frame_samples_max_ = kFrameSamples;
  uint64_t frame_samples_ = 0;
  uint64_t frame_string_bytes_ = 0;
  uint64_t frame_line_ = 0;
  uint64_t number_ = 0;
  uint64_t row_ = 0;
  size_t header_records_;  // Still to come.
  bool stopped_ = false;
  ImportCounts counts_;
};

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_IMPORT_FRAMES_H_
