#include "server/continuation.h"

#include <string>

#include "gtest/gtest.h"

namespace historian::server {
namespace {

TEST(ContinuationTest, IsBoundToItsRequest) {
  const AskedRead request{.tag = 7, .start = -5, .end = 99, .bounds = true, .reverse = false};
  const std::string bytes = EncodeContinuation(request, 42);
  EXPECT_EQ(DecodeContinuation(bytes, request)->last, 42);
  EXPECT_EQ(DecodeContinuation(bytes, request)->as_of, kVersionNow);
  AskedRead other = request;
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

TEST(ContinuationTest, WhatOpcUaAndFiltersAskForIsAPartOfIt) {
  const AskedRead open{.tag = 7, .start = -5, .bounds = true, .opc_ua = true};
  const std::string bytes = EncodeContinuation(open, 42);
  EXPECT_EQ(DecodeContinuation(bytes, open)->last, 42);
  EXPECT_EQ(DecodeContinuation(bytes, open)->as_of, kVersionNow);
  AskedRead other = open;
  other.end = 0;  // Given, and 0, is not the same as not given.
  EXPECT_FALSE(DecodeContinuation(bytes, other).ok());
  other = open;
  other.opc_ua = false;
  EXPECT_FALSE(DecodeContinuation(bytes, other).ok());
  other = open;
  other.filter = 9;
  EXPECT_EQ(DecodeContinuation(bytes, other).status().message(),
            "the continuation belongs to another request: one with another filter");
  const AskedRead filtered{.tag = 7, .start = -5, .end = 3, .filter = 9};
  AskedRead plain = filtered;
  plain.filter = 0;
  EXPECT_FALSE(DecodeContinuation(EncodeContinuation(filtered, 1), plain).ok());
  EXPECT_FALSE(DecodeContinuation(EncodeContinuation(plain, 1), filtered).ok());
  EXPECT_TRUE(DecodeContinuation(EncodeContinuation(filtered, 1), filtered).ok());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeContinuation(bytes.substr(0, size), open).ok()) << size;
  }
}

// DO NOT CHANGE: clients keep them across upgrades.
TEST(ContinuationTest, BytesStayAsTheyAre) {
  const AskedRead request{.tag = 0x01020304, .start = 5, .end = 6, .bounds = true, .reverse = true};
  EXPECT_EQ(
      EncodeContinuation(request, -1),
      std::string(
          "\x01\x03\x04\x03\x02\x01\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
          30));
  AskedRead as_of = request;
  as_of.as_of = 300;
  const std::string bytes = EncodeContinuation(as_of, -1);
  EXPECT_EQ(bytes,
            std::string("\x02\x03\x04\x03\x02\x01\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF"
                        "\xFF\xFF\x2C\x01\0\0\0\0\0\0",
                        38));
  EXPECT_EQ(DecodeContinuation(bytes, as_of)->as_of, 300u);
  EXPECT_FALSE(DecodeContinuation(bytes.substr(0, 30), as_of).ok());
  AskedRead full{.tag = 0x01020304, .end = 6, .bounds = true, .opc_ua = true, .filter = 0x0A0B};
  full.as_of = 300;
  EXPECT_EQ(EncodeContinuation(full, -1),
            std::string("\x03\x16\x04\x03\x02\x01\0\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF"
                        "\xFF\xFF\x2C\x01\0\0\0\0\0\0\x0B\x0A\0\0\0\0\0\0",
                        46));
}

}  // namespace
}  // namespace historian::server
