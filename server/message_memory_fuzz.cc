// Strategy: the first byte chooses a request, the second how small the pieces are in which its bytes come, the rest
// is the message. Invariant: what SizeWhenParsed and MostWhenParsed say is not below what the message takes once it is parsed, on the heap
// and in an arena; what it says is malformed is not parsed.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "google/protobuf/stubs/logging.h"
#include "grpcpp/support/slice.h"
#include "proto/historian/v1/ingest.pb.h"
#include "server/message_memory.h"
#include "server/request_seeds.h"
#include "server/slice_stream.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using google::protobuf::Message;
using historian::server::Requests;

constexpr uint64_t kArenaBlock = 4096;  // What an arena has taken before it holds anything.

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A line for each text that is not UTF-8 is too many.
  [[maybe_unused]] static const auto usual = google::protobuf::SetLogHandler(nullptr);
  if (size < 2) return 0;
  const Message& prototype = *Requests()[data[0] % Requests().size()].prototype;
  const size_t piece = size_t{1} << data[1] % 14;
  std::vector<grpc::Slice> pieces;
  for (size_t begin = 2; begin < size; begin += piece) {
    pieces.emplace_back(data + begin, std::min(piece, size - begin));
  }
  const grpc::ByteBuffer buffer(pieces.data(), pieces.size());
  const historian::server::ParsedSize counted =
      historian::server::SizeWhenParsed(buffer, prototype.GetDescriptor());
  const uint64_t bound =
      std::min(counted.bytes, historian::server::MostWhenParsed(size - 2, prototype.GetDescriptor()).bytes);
  const auto parse = [&](Message* message) {
    historian::server::SliceStream stream(buffer);
    return message->ParseFromBoundedZeroCopyStream(&stream, static_cast<int>(size - 2));
  };
  const std::unique_ptr<Message> on_heap(prototype.New());
  if (counted.malformed) {
    HISTORIAN_CHECK(!parse(on_heap.get()));
    return 0;
  }
  parse(on_heap.get());
  HISTORIAN_CHECK(on_heap->SpaceUsedLong() <= bound);
  google::protobuf::Arena arena;
  parse(prototype.New(&arena));
  HISTORIAN_CHECK(arena.SpaceUsed() <= bound + kArenaBlock);
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  for (size_t i = 0; i < Requests().size(); ++i) {
    for (const std::string& bytes : historian::server::SeedsOf(Requests()[i])) {
      const char head[] = {static_cast<char>(i), static_cast<char>(seeds.size() % 14)};
      seeds.push_back(std::string(head, 2) + bytes);
    }
  }
  return seeds;
}
