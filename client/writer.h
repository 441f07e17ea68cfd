// File: client/writer.h
//
// Sends samples: gathers them into frames, keeps several frames on their way, and repeats after a lost link
// what was not acknowledged, under the same numbers, so that every sample is stored exactly once.
//
//   ASSIGN_OR_RETURN(auto writer, Writer::Open(connection, {.producer = "gateway-7"}));
//   RETURN_IF_ERROR(writer->AddFloat64(flow, now, 12.5));
//   RETURN_IF_ERROR(writer->Flush(absl::Seconds(5)));  // OK: all of it is on the server's disk.
//
//     Add ---> open frame --(full, or flush_interval old)--> waiting ---> sent ---> acknowledged
//              `------------------- counted against memory_bytes_max ---'            forgotten
//
// What is kept    Everything not yet acknowledged, in memory. A process that dies loses it: use on_ack or
//                 Flush to know what need not be sent again.
// Lost links      UNAVAILABLE, RESOURCE_EXHAUSTED (the server's disk or memory is full) and broken connections
//                 are tried again for ever, with exponential backoff and jitter.
// Final errors    ABORTED (a newer writer took the producer's name), ALREADY_EXISTS (another writer used our numbers),
//                 INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED, FAILED_PRECONDITION: the
//                 writer stops, and every call returns that status from then on.
// Order           Samples of a tag are stored in the order they were added: of two with one time the later is
//                 what readers see.
// Bad samples     are refused one by one by the server and reported to on_ack; the rest of their frame is
//                 stored.
//
// Threads: any number. Callbacks come one at a time, from a thread of the writer or of gRPC; they must not
// block, and must not call the Writer.
#ifndef HISTORIAN_CLIENT_WRITER_H_
#define HISTORIAN_CLIENT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/connection.h"
#include "client/rejection.h"
#include "proto/historian/v1/ingest.pb.h"
#include "storage/model/quality.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian::client {

// Valid during the callback only.
struct WriteAcknowledgement {
  uint64_t acknowledged = 0;  // Every frame up to this number is durable.
  uint64_t samples_stored = 0;
  uint64_t samples_rejected = 0;  // May be more than are listed.
  uint64_t frames_repeated = 0;   // Frames that had been stored before a link was lost.
  std::vector<WriteRejection> rejections;
  // One for every frame that this acknowledges: the time since it was last handed to the network.
  absl::Span<const absl::Duration> latencies;
};

struct WriterState {
  bool connected = false;
  absl::Status reason;  // Why it is not connected. OK if the writer was closed.
  bool final = false;   // The writer will not try again.
};

struct WriterOptions {
  // 1 to 128 bytes of UTF-8: a name that no other writer has, and that stays the same over restarts. A new
  // process goes on with the numbers of the one before.
  std::string producer;
  size_t frame_bytes = 128 * 1024;  // A frame is closed when it has this many bytes; 1 KiB to 4 MiB.
  // A frame is closed, too, when its first sample is this old.
  absl::Duration flush_interval = absl::Milliseconds(200);
  size_t frames_in_flight_max = 64;  // Sent and not acknowledged. 64 * 128 KiB: half of what a server takes.
  size_t memory_bytes_max = 64 * 1024 * 1024;  // Of all samples that are not acknowledged.
  bool block_when_full = true;  // At memory_bytes_max Add waits; if false it returns ResourceExhausted.
  absl::Duration backoff_min = absl::Milliseconds(100);
  absl::Duration backoff_max = absl::Seconds(10);
  // If frames wait for acknowledgement and none comes for this long, the link is taken for dead and opened
  // again.
  absl::Duration ack_timeout = absl::Minutes(1);
  std::function<void(const WriteAcknowledgement&)> on_ack;
  std::function<void(const WriterState&)> on_state;
};

struct WriterCounters {
  uint64_t samples_added = 0;
  uint64_t samples_acknowledged = 0;  // Stored or refused.
  // The next two are the server's counts; they lack what it acknowledged while the link was lost.
  uint64_t samples_stored = 0;
  uint64_t samples_rejected = 0;
  uint64_t frames_acknowledged = 0;
  uint64_t frames_repeated = 0;  // The server's count of frames that it had stored before.
  uint64_t frames_resent = 0;    // Sent again after a lost link.
  uint64_t connects = 0;
  uint64_t frames_waiting = 0;  // Closed, not acknowledged.
  uint64_t memory_bytes = 0;
  bool connected = false;
};

class Writer {
 public:
  // Begins to connect and returns at once. If the server is not there yet the writer keeps trying.
  // Errors: InvalidArgument, an option is out of its range.
  static absl::StatusOr<std::unique_ptr<Writer>> Open(Connection connection, WriterOptions options);

  // Stops at once and gives up what is not acknowledged; call Close() first to keep it.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Adds one sample. `value` holds the bits of a value of `type` (storage/model/value.h).
  //
  // Errors of all Add functions:
  //   InvalidArgument     bits that no value of the type has, or a wrong length
  //   ResourceExhausted   memory_bytes_max is reached and block_when_full is false
  //   FailedPrecondition  the writer is closed
  //   the final error     once the writer has stopped
  absl::Status Add(TagId tag, ValueType type, Timestamp time, ValueBits value, Quality quality = kGood);
  absl::Status AddFloat64(TagId tag, Timestamp time, double value, Quality quality = kGood) {
    return Add(tag, ValueType::kFloat64, time, BitsOfFloat64(value), quality);
  }
  absl::Status AddString(TagId tag, Timestamp time, absl::string_view value, Quality quality = kGood);

  // Adds samples of one tag, in any order. Strictly ascending is cheapest: 64 or more are sent as they are.
  absl::Status AddColumn(TagId tag, ValueType type, const SamplesView& samples);

  // Adds one sample of each of many tags of one type, all of one time: values[i] is that of tags[i].
  // `qualities` is empty (all Good) or has one per tag. For strings the values are indexes into *strings.
  absl::Status AddSnapshot(Timestamp time, ValueType type, absl::Span<const TagId> tags,
                           absl::Span<const ValueBits> values, absl::Span<const Quality> qualities = {},
                           const StringColumn* strings = nullptr);

  // Sends a frame that the caller has gathered. Its sequence is ignored; the writer numbers frames itself.
  // Errors: those of Add; InvalidArgument also for a frame above 8 MiB.
  absl::Status WriteFrame(v1::Frame frame);
  // The same for the bytes of a v1::Frame without its sequence (FrameEncoder and EncodedFrame in
  // client/wire.h), which are neither copied nor encoded again. `samples` is for the counters.
  absl::Status WriteEncodedFrame(std::string encoded_frame, uint64_t samples);

  // Waits until everything added before is acknowledged and on_ack has been called for it.
  // Errors: DeadlineExceeded, says how much is left and, if the link is down, why; the final error.
  absl::Status Flush(absl::Duration timeout);

  // Flushes, then ends the stream; nothing can be added afterwards.
  // Errors: those of Flush. Then nothing is given up yet, and Close may be called again.
  absl::Status Close(absl::Duration timeout);

  // OK, or the final error.
  absl::Status status() const;
  WriterCounters counters() const;

 private:
  class Core;
  explicit Writer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_WRITER_H_
