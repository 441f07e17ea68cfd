#include "server/continuation.h"

#include <string>

#include "gtest/gtest.h"

namespace historian::server {
namespace {

TEST(ContinuationTest, IsBoundToItsRequest) {
  const RawRequest request{.tag = 7, .start = -5, .end = 99, .bounds = true, .reverse = false};
  const std::string bytes = EncodeContinuation(request, 42);
  EXPECT_EQ(DecodeContinuation(bytes, request)->last, 42);
  EXPECT_EQ(DecodeContinuation(bytes, request)->as_of, kVersionNow);
  RawRequest other = request;
  other.tag = 8;
  EXPECT_FALSE(DecodeContinuation(bytes, other).ok());
  other = request;
  other.reverse = true;
  EXPECT_FALSE(DecodeContinuation(bytes, other).ok());
  other = request;
  other.bounds = false;
  EXPECT_FALSE(DecodeContinuation(bytes, other).ok());
  other = request;
  other.end = 98;
  EXPECT_FALSE(DecodeContinuation(bytes, other).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeContinuation(bytes.substr(0, size), request).ok()) << size;
  }
  std::string newer = bytes;
  newer[0] = 2;
  EXPECT_FALSE(DecodeContinuation(newer, request).ok());
}

// DO NOT CHANGE: clients keep them across upgrades.
TEST(ContinuationTest, BytesStayAsTheyAre) {
  const RawRequest request{.tag = 0x01020304, .start = 5, .end = 6, .bounds = true, .reverse = true};
  EXPECT_EQ(
      EncodeContinuation(request, -1),
      std::string(
          "\x01\x03\x04\x03\x02\x01\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
          30));
  RawRequest as_of = request;
  as_of.as_of = 300;
  const std::string bytes = EncodeContinuation(as_of, -1);
  EXPECT_EQ(bytes,
            std::string("\x02\x03\x04\x03\x02\x01\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF"
                        "\xFF\xFF\x2C\x01\0\0\0\0\0\0",
                        38));
  EXPECT_EQ(DecodeContinuation(bytes, as_of)->as_of, 300u);
  EXPECT_FALSE(DecodeContinuation(bytes.substr(0, 30), as_of).ok());
}

}  // namespace
}  // namespace historian::server
