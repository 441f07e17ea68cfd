// Strategy: the input is a continuation; the read is the one that its bytes name, if they name any, so that
// mutations get past the comparison, or another. Invariants: decoding ends with a continuation or InvalidArgument;
// what is decoded is what an encoder would have written, and belongs to no other request.
#include <cstring>
#include <string>
#include <vector>

#include "server/continuation.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.
using server::AskedRead;
using server::Continuation;

AskedRead ReadOf(absl::string_view bytes) {
  AskedRead read{.start = 0, .end = 0};
  if (bytes.size() < 30) return read;
  read.reverse = (bytes[1] & 1) != 0;
  read.bounds = (bytes[1] & 2) != 0;
  std::memcpy(&read.tag, bytes.data() + 2, 4);
  std::memcpy(&*read.start, bytes.data() + 6, 8);
  std::memcpy(&*read.end, bytes.data() + 14, 8);
  if (bytes.size() < 46) return read;
  std::memcpy(&read.filter, bytes.data() + 38, 8);
  read.opc_ua = (bytes[1] & 4) != 0;
  if ((bytes[1] & 8) == 0) read.start.reset();
  if ((bytes[1] & 16) == 0) read.end.reset();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  AskedRead read = ReadOf(bytes);
  const absl::StatusOr<Continuation> decoded = server::DecodeContinuation(bytes, read);
  if (!decoded.ok()) {
    HISTORIAN_CHECK(decoded.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  read.as_of = decoded->as_of;
  const std::string again = server::EncodeContinuation(read, decoded->last);
  const absl::StatusOr<Continuation> twice = server::DecodeContinuation(again, read);
  HISTORIAN_CHECK(twice.ok() && twice->last == decoded->last && twice->as_of == decoded->as_of);
  ++read.tag;
  HISTORIAN_CHECK(!server::DecodeContinuation(bytes, read).ok());
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  for (int i = 0; i < 8; ++i) {
    AskedRead read{.tag = 7, .start = 5, .end = 1'700'000'000 * kNanosPerSecond};
    read.reverse = (i & 1) != 0;
    read.bounds = (i & 2) != 0;
    if ((i & 4) != 0) read.as_of = 9;
    seeds.push_back(server::EncodeContinuation(read, 6));
    read.filter = 77;
    seeds.push_back(server::EncodeContinuation(read, 6));
    read.opc_ua = true;
    read.end.reset();
    seeds.push_back(server::EncodeContinuation(read, 6));
  }
  return seeds;
}
