// Strategy: the input is a continuation; the request is the one that its bytes name, if they name any, so that
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
using server::Continuation;

RawRequest RequestOf(absl::string_view bytes) {
  RawRequest request;
  if (bytes.size() < 30) return request;
  request.reverse = (bytes[1] & 1) != 0;
  request.bounds = (bytes[1] & 2) != 0;
  std::memcpy(&request.tag, bytes.data() + 2, 4);
  std::memcpy(&request.start, bytes.data() + 6, 8);
  std::memcpy(&request.end, bytes.data() + 14, 8);
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  RawRequest request = RequestOf(bytes);
  const absl::StatusOr<Continuation> decoded = server::DecodeContinuation(bytes, request);
  if (!decoded.ok()) {
    HISTORIAN_CHECK(decoded.status().code() == absl::StatusCode::kInvalidArgument);
    return 0;
  }
  request.as_of = decoded->as_of;
  const std::string again = server::EncodeContinuation(request, decoded->last);
  const absl::StatusOr<Continuation> twice = server::DecodeContinuation(again, request);
  HISTORIAN_CHECK(twice.ok() && twice->last == decoded->last && twice->as_of == decoded->as_of);
  ++request.tag;
  HISTORIAN_CHECK(!server::DecodeContinuation(bytes, request).ok());
  return 0;
}

std::vector<std::string> historian::fuzz::FuzzSeeds() {
  std::vector<std::string> seeds;
  for (int i = 0; i < 8; ++i) {
    RawRequest request{.tag = 7, .start = 5, .end = 1'700'000'000 * kNanosPerSecond};
    request.reverse = (i & 1) != 0;
    request.bounds = (i & 2) != 0;
    if ((i & 4) != 0) request.as_of = 9;
    seeds.push_back(server::EncodeContinuation(request, 6));
  }
  return seeds;
}
