#include "server/slice_stream.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/ingest.pb.h"
#include "server/call.h"

namespace historian::server {
namespace {

grpc::ByteBuffer InPieces(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t begin = 0; begin < bytes.size(); begin += piece) {
    slices.emplace_back(bytes.data() + begin, std::min(piece, bytes.size() - begin));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

TEST(SliceStream, ReadsGivesBackAndSkipsAcrossPieces) {
  std::mt19937_64 random(1);
  std::string bytes(300, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (const size_t piece : {1, 2, 7, 100, 300}) {
    SliceStream stream(InPieces(bytes, piece));
    ASSERT_TRUE(stream.ok());
    for (int step = 0; step < 2000; ++step) {
      const int64_t at = stream.ByteCount();
      if (random() % 3 == 0) {
        const int back = static_cast<int>(random() % static_cast<uint64_t>(at + 1));
        stream.BackUp(back);
        ASSERT_EQ(stream.ByteCount(), at - back);
      } else if (random() % 3 == 0) {
        const int count = static_cast<int>(random() % 40);
        ASSERT_EQ(stream.Skip(count), at + count <= 300);
        ASSERT_EQ(stream.ByteCount(), std::min<int64_t>(at + count, 300));
      } else {
        const void* data = nullptr;
        int size = 0;
        ASSERT_EQ(stream.Next(&data, &size), at < 300);
        if (at == 300) continue;
        ASSERT_EQ(std::string(static_cast<const char*>(data), static_cast<size_t>(size)),
                  bytes.substr(static_cast<size_t>(at), static_cast<size_t>(size)));
        ASSERT_EQ(stream.ByteCount(), at + size);
      }
    }
  }
}

// gRPC's stream ends the process here.
TEST(ParseMessage, RefusesAMessageInSmallPiecesThatEndsBeforeItsBytes) {
  v1::WriteOnceRequest good;
  good.set_producer("gateway-7");
  good.mutable_frame()->set_sequence(1);
  good.mutable_frame()->add_columns()->set_tag_id(300);
  const std::string begin = good.SerializeAsString();
  for (const size_t behind : {1, 2, 15, 16, 17, 40}) {
    // A tag of 0 and the end of a group are where a message ends.
    for (const char end : {'\0', '\4', '\14'}) {
      for (size_t piece = 1; piece < 40; ++piece) {
        v1::WriteOnceRequest request;
        const absl::Status status = ParseMessage(InPieces(begin + std::string(behind, end), piece), &request);
        EXPECT_TRUE(absl::IsInvalidArgument(status)) << status << " " << piece;
      }
    }
  }
  for (size_t piece = 1; piece < 40; ++piece) {
    v1::WriteOnceRequest request;
    ASSERT_TRUE(ParseMessage(InPieces(begin, piece), &request).ok());
    EXPECT_EQ(request.SerializeAsString(), begin);
  }
}

}  // namespace
}  // namespace historian::server
