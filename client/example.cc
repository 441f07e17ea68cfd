// A first program: makes tags, writes an hour of a pump, reads it back and prints hourly figures.
//
//   example --server 127.0.0.1:7720
#include <cmath>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_format.h"
#include "client/client.h"
#include "storage/model/clock.h"
#include "storage/model/status_macros.h"

namespace {

using historian::Aggregate;
using historian::kNanosPerSecond;
using historian::Tag;
using historian::TagId;
using historian::Timestamp;
using historian::ValueType;

absl::Status Run(const char* server) {
  ASSIGN_OR_RETURN(const auto connection, historian::client::Connection::Open({.target = server}));
  RETURN_IF_ERROR(connection.WaitUntilConnected(absl::Seconds(10)));

  // Tags are found or made by name, and written by id.
  const historian::client::Tags tags(connection);
  ASSIGN_OR_RETURN(
      const std::vector<Tag> ensured,
      tags.Ensure({{.name = "example/pump-1/flow", .unit = "m3/h", .description = "Discharge flow"},
                   {.name = "example/pump-1/state",
                    .type = ValueType::kDigital,
                    .interpolation = historian::Interpolation::kStepped,
                    .states = {{0, "stopped"}, {1, "running"}}}}));
  const TagId flow = ensured[0].id;
  const TagId state = ensured[1].id;

  // An hour at one sample a second, the last one now. The writer gathers samples into frames by itself.
  const Timestamp end = historian::Clock::System().Now() / kNanosPerSecond * kNanosPerSecond;
  const Timestamp start = end - 3600 * kNanosPerSecond;
  ASSIGN_OR_RETURN(const auto writer,
                   historian::client::Writer::Open(connection, {.producer = "client-example"}));
  RETURN_IF_ERROR(writer->Add(state, ValueType::kDigital, start, 1));
  for (int i = 0; i < 3600; ++i) {
    const double value = std::round(100 * (12.5 + std::sin(i / 300.0))) / 100;
    RETURN_IF_ERROR(writer->AddFloat64(flow, start + i * kNanosPerSecond, value));
  }
  RETURN_IF_ERROR(writer->Close(absl::Seconds(30)));  // All of it is on the server's disk.
  const historian::client::WriterCounters counters = writer->counters();
  absl::PrintF("wrote     %d samples, %d rejected\n", counters.samples_acknowledged,
               counters.samples_rejected);

  // Raw samples stream in batches.
  const historian::client::Reader reader(connection);
  size_t count = 0;
  historian::client::RawSamples raw = reader.Raw(flow, start, end);
  for (const historian::client::SampleBatch& batch : raw) count += batch.samples.size();
  RETURN_IF_ERROR(raw.status());
  absl::PrintF("read      %d samples\n", count);

  ASSIGN_OR_RETURN(const auto latest, reader.ReadLatest({.ids = {flow}}));
  for (const auto& group : latest.groups) {
    absl::PrintF("newest    %s  %.2f\n", historian::FormatTimestamp(group.samples.times[0]),
                 historian::ToDouble(group.type, group.samples.values[0]));
  }

  ASSIGN_OR_RETURN(
      const auto processed,
      reader.Processed({.names = {"example/pump-1/flow"}},
                       {.start = start,
                        .end = end,
                        .interval = absl::Minutes(10),
                        .aggregates = {Aggregate::kMinimum, Aggregate::kTimeAverage2, Aggregate::kMaximum}}));
  for (size_t i = 0; i < processed[0].columns[0].size(); ++i) {
    const auto& columns = processed[0].columns;
    absl::PrintF("10 min    %s  min %.2f  mean %.4f  max %.2f  %s\n",
                 historian::FormatTimestamp(start + static_cast<int64_t>(i) * 600 * kNanosPerSecond),
                 columns[0].AsDouble(i), columns[1].AsDouble(i), columns[2].AsDouble(i),
                 historian::QualityName(columns[1].StatusAt(i)));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], "--server") != 0) {
    std::fprintf(stderr, "usage: %s --server HOST:PORT\n", argv[0]);
    return 2;
  }
  const absl::Status status = Run(argv[2]);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
