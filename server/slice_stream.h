// File: server/slice_stream.h
//
// The bytes of a message that came from the network, as protobuf reads them.
//
// gRPC's own stream (grpc::ProtoBufferReader) ends the process when protobuf gives back more than the last piece, which
// protobuf does when a message that came in small pieces ends before its bytes do. A client decides on both.
//
// Threads: one at a time.
#ifndef HISTORIAN_SERVER_SLICE_STREAM_H_
#define HISTORIAN_SERVER_SLICE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "google/protobuf/io/zero_copy_stream.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"

namespace historian::server {

class SliceStream final : public google::protobuf::io::ZeroCopyInputStream {
 public:
  // Shares the bytes, so `bytes` may go before the stream.
  explicit SliceStream(const grpc::ByteBuffer& bytes);

  // False when gRPC cannot give the bytes. The stream is empty then.
  bool ok() const { return ok_; }

  bool Next(const void** data, int* size) override;
  // Gives back up to all that was read.
  void BackUp(int count) override;
  bool Skip(int count) override;
  int64_t ByteCount() const override { return read_; }

 private:
  std::vector<grpc::Slice> slices_;
  bool ok_ = false;
  size_t slice_ = 0;   // The next byte is in this one,
  size_t offset_ = 0;  // at this place; below its size, unless it is behind the last.
  int64_t read_ = 0;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SLICE_STREAM_H_
