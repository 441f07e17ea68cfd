// Fuzzes what a client may send as a frame.
//
// Strategy:   any bytes, and mutations of good frames, parsed as a WriteRequest (tests/fuzz/driver.h).
// Invariants: the frame fits together (values as long as times, qualities none or as long, strings indexed
//             within their column); every sample of the message is either in the frame or rejected; and what
//             is in the frame goes out and comes in again as the same.
#include <cstdint>
#include <string>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "proto/historian/v1/ingest.pb.h"
#include "server/wire.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using historian::Frame;
using historian::FrameColumn;
using historian::FrameSnapshot;
using historian::SameSample;
using historian::Samples;
using historian::ValueType;
using namespace historian::server;
namespace v1 = historian::v1;

void CheckColumn(const FrameColumn& column) {
  const Samples& samples = column.samples;
  HISTORIAN_CHECK(!samples.empty());
  HISTORIAN_CHECK(samples.values.size() == samples.size());
  HISTORIAN_CHECK(samples.qualities.empty() || samples.qualities.size() == samples.size());
  for (const uint64_t value : samples.values) {
    HISTORIAN_CHECK(column.type != ValueType::kString || value < samples.strings.size());
    HISTORIAN_CHECK(historian::IsCanonical(column.type, value));
  }
  v1::Frame out;
  ColumnToWire(column.tag, column.type, samples.View(), out.add_columns());
  Frame again;
  FrameNotes notes;
  FrameFromWire(out, &again, &notes);
  HISTORIAN_CHECK(notes.rejections.empty() && again.columns.size() == 1);
  HISTORIAN_CHECK(again.columns[0].samples.size() == samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    HISTORIAN_CHECK(SameSample(column.type, samples.View(), i, again.columns[0].samples.View(), i));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A line for each text that is not UTF-8 is too many.
  [[maybe_unused]] static const auto usual = google::protobuf::SetLogHandler(nullptr);
  v1::WriteRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  Frame frame;
  FrameNotes notes;
  FrameFromWire(request.frame(), &frame, &notes);
  for (const FrameColumn& column : frame.columns) CheckColumn(column);
  for (const FrameSnapshot& snapshot : frame.snapshots) {
    HISTORIAN_CHECK(!snapshot.tags.empty() && snapshot.values.size() == snapshot.tags.size());
    HISTORIAN_CHECK(snapshot.qualities.empty() || snapshot.qualities.size() == snapshot.tags.size());
  }
  uint64_t rejected = 0;
  for (const historian::Rejection& rejection : notes.rejections) rejected += rejection.count;
  HISTORIAN_CHECK(rejected == notes.rejected || notes.rejections.size() == historian::kRejectionsListedMax);
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  for (int type = 1; type <= 6; ++type) {
    for (const int64_t step : {int64_t{1'000'000'000}, int64_t{7}, int64_t{-5}}) {
      Samples samples;
      int64_t time = 1'767'225'600'000'000'000;
      for (int i = 0; i < 9; ++i) {
        time += step + (i % 3);
        if (type == 6) {
          samples.AddString(time, std::string(i, 'x'), i % 4 == 0 ? historian::kBad : historian::kGood);
        } else {
          samples.Add(time, i % 2, i % 4 == 0 ? historian::kBad : historian::kGood);
        }
      }
      v1::WriteRequest request;
      request.set_producer("fuzz");
      request.mutable_frame()->set_sequence(1);
      v1::Column* column = request.mutable_frame()->add_columns();
      ColumnToWire(5, static_cast<ValueType>(type), samples.View(), column);
      v1::Snapshot* snapshot = request.mutable_frame()->add_snapshots();
      snapshot->set_time(time);
      *snapshot->mutable_values() = column->values();
      *snapshot->mutable_qualities() = column->qualities();
      for (int i = 0; i < 9; ++i) snapshot->add_tag_ids(i);
      seeds.push_back(request.SerializeAsString());
    }
  }
  return seeds;
}
