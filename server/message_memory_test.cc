#include "server/message_memory.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/arena.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/slice.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/ingest.pb.h"
#include "proto/historian/v1/query.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "server/slice_stream.h"

namespace historian::server {
namespace {

// In pieces, as it comes from a network.
grpc::ByteBuffer InSlices(const std::string& bytes, size_t slice_bytes) {
  std::vector<grpc::Slice> slices;
  for (size_t begin = 0; begin < bytes.size(); begin += slice_bytes) {
    slices.emplace_back(bytes.data() + begin, std::min(slice_bytes, bytes.size() - begin));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

template <class Message>
void ExpectBound(const std::string& bytes, const std::string& what) {
  for (const size_t slice_bytes : {size_t{1000}, size_t{8192}, bytes.size() + 1}) {
    const grpc::ByteBuffer buffer = InSlices(bytes, slice_bytes);
    const ParsedSize counted = SizeWhenParsed(buffer, Message::descriptor());
    const uint64_t bound = counted.bytes;
    const uint64_t most = MostWhenParsed(bytes.size(), Message::descriptor()).bytes;
    const auto parse = [&](Message* to) {
      SliceStream stream(buffer);
      return to->ParseFromBoundedZeroCopyStream(&stream, static_cast<int>(bytes.size()));
    };
    Message message;
    const bool parsed = parse(&message);
    if (counted.malformed) {
      EXPECT_FALSE(parsed) << what;
      continue;
    }
    EXPECT_GE(std::min(bound, most), message.SpaceUsedLong()) << what << ", slices of " << slice_bytes;
    google::protobuf::Arena arena;
    parse(google::protobuf::Arena::CreateMessage<Message>(&arena));
    EXPECT_GE(std::min(bound, most) + 4096, arena.SpaceUsed()) << what << ", slices of " << slice_bytes;
  }
}

std::string Repeated(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

// A field of that number that holds these bytes.
std::string Field(int number, const std::string& content) {
  std::string bytes;
  const auto varint = [&bytes](uint64_t value) {
    for (; value >= 128; value >>= 7) bytes.push_back(static_cast<char>(value | 128));
    bytes.push_back(static_cast<char>(value));
  };
  varint(static_cast<uint64_t>(number) << 3 | 2);
  varint(content.size());
  return bytes + content;
}

TEST(SizeWhenParsed, BoundsMessagesThatAreMuchLargerThanTheirBytes) {
  const int kTimes = 20'000;
  ExpectBound<v1::CreateTagsRequest>(Repeated(Field(1, ""), kTimes), "tags of nothing");
  ExpectBound<v1::UpdateTagsRequest>(Repeated(Field(1, ""), kTimes), "updates of nothing");
  ExpectBound<v1::GetTagsRequest>(Repeated(Field(1, ""), kTimes), "keys of nothing");
  for (int number = 1; number <= 4; ++number) {
    ExpectBound<v1::WriteRequest>(Field(2, Repeated(Field(number, ""), kTimes)), "parts of frames");
    ExpectBound<v1::ReadAtTimesRequest>(Field(number, std::string(kTimes, '\1')), "times or selections");
    ExpectBound<v1::ReadLatestRequest>(Field(1, Field(number, std::string(kTimes, '\1'))), "selections");
    ExpectBound<v1::ReadLatestRequest>(Field(1, Repeated(Field(number, "a"), kTimes)),
                                       "selections, one by one");
  }
  ExpectBound<v1::CreateTagsRequest>(Repeated(std::string("\xf8\x7f\x00", 3), kTimes),
                                     "fields that do not exist");
  ExpectBound<v1::CreateTagsRequest>(Repeated(Field(2000, "x"), kTimes), "texts that do not exist");
}

TEST(SizeWhenParsed, BoundsFrames) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    v1::WriteRequest request;
    request.set_producer("p");
    v1::Frame* const frame = request.mutable_frame();
    const int columns = static_cast<int>(random() % 20);
    for (int c = 0; c < columns; ++c) {
      v1::Column* const column = frame->add_columns();
      const int size = static_cast<int>(random() % 3000);
      column->set_tag_id(static_cast<uint32_t>(random()));
      for (int i = 0; i < size; ++i) {
        column->mutable_times()->mutable_offsets()->add_offsets(
            static_cast<uint32_t>(random() >> (32 + random() % 32)));
        switch (round % 5) {
          case 0:
            column->mutable_values()->mutable_float64()->add_values(1.5);
            break;
          case 1:
            column->mutable_values()->mutable_int64()->add_values(
                static_cast<int64_t>(random() >> (random() % 64)));
            break;
          case 2:
            column->mutable_values()->mutable_bool_()->add_values(true);
            break;
          case 3:
            column->mutable_values()->mutable_string()->add_values(std::string(random() % 40, 'x'));
            break;
          default:
            column->mutable_values()->mutable_digital()->add_values(3);
        }
      }
    }
    ExpectBound<v1::WriteRequest>(request.SerializeAsString(), absl::StrCat("round ", round));
  }
}

TEST(SizeWhenParsed, BoundsWhatIsNoMessage) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 4000, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 32);
    ExpectBound<v1::WriteRequest>(bytes, absl::StrCat("noise ", round));
    ExpectBound<v1::CreateTagsRequest>(bytes, absl::StrCat("noise ", round));
  }
}

TEST(SizeWhenParsed, BoundsMessagesThatEndWithinATag) {
  for (int byte = 128; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    ExpectBound<v1::ReadProcessedRequest>(bytes, absl::StrCat("byte ", byte));
    ExpectBound<v1::WriteRequest>(bytes, absl::StrCat("byte ", byte));
    ExpectBound<v1::WriteRequest>(Field(2, bytes), absl::StrCat("byte ", byte, " of a frame"));
  }
}

TEST(SizeWhenParsed, BoundsPartsWhoseLengthCannotBeRead) {
  for (int field = 1; field <= 8; ++field) {
    const std::string bytes(1, static_cast<char>(field << 3 | 2));
    for (const std::string& length : {std::string(), std::string("\x80"), std::string(20, '\xfb')}) {
      ExpectBound<v1::ReadProcessedRequest>(bytes + length, absl::StrCat("field ", field));
      ExpectBound<v1::WriteRequest>(bytes + length, absl::StrCat("field ", field));
      ExpectBound<v1::ReadProcessedRequest>(Field(1, bytes + length), absl::StrCat("inner field ", field));
    }
  }
}

TEST(SizeWhenParsed, TellsWhatAParserWouldReadOnBehind) {
  // A text of 40 MB in a frame that says it has 2 GB. protobuf would take 40 MB for these 12 bytes.
  const std::string text("\x12\xff\xff\xff\xff\x07\xfa\x7f\x80\xda\xc4\x13", 12);
  EXPECT_TRUE(SizeWhenParsed(InSlices(text, 100), v1::WriteRequest::descriptor()).malformed);
  EXPECT_TRUE(SizeWhenParsed(InSlices(text.substr(6), 100), v1::WriteRequest::descriptor()).malformed);
  EXPECT_TRUE(SizeWhenParsed(InSlices(text.substr(0, 6), 100), v1::WriteRequest::descriptor()).malformed);
  // In the whole, but not in its column.
  const std::string beyond = Field(2, Field(2, std::string("\x12\x05\x08", 3)) + Field(1, "xxxx"));
  EXPECT_TRUE(SizeWhenParsed(InSlices(beyond, 100), v1::WriteRequest::descriptor()).malformed);
  EXPECT_FALSE(
      SizeWhenParsed(InSlices(Field(2, Field(15, "x")), 100), v1::WriteRequest::descriptor()).malformed);
}

TEST(SizeWhenParsed, IsNotFarFromWhatAnOrdinaryFrameTakes) {
  v1::WriteRequest request;
  for (int c = 0; c < 100; ++c) {
    v1::Column* const column = request.mutable_frame()->add_columns();
    for (int i = 0; i < 1000; ++i) {
      column->mutable_times()->mutable_offsets()->add_offsets(static_cast<uint32_t>(i * 1000));
      column->mutable_values()->mutable_float64()->add_values(i);
    }
  }
  const std::string bytes = request.SerializeAsString();
  v1::WriteRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  EXPECT_LE(SizeWhenParsed(InSlices(bytes, 8192), v1::WriteRequest::descriptor()).bytes,
            5 * parsed.SpaceUsedLong());
}

TEST(SizeWhenParsed, CountsElementsAndMessages) {
  v1::WriteRequest request;
  for (int c = 0; c < 7; ++c) {
    v1::Column* const column = request.mutable_frame()->add_columns();
    for (int i = 0; i < 100; ++i) {
      column->mutable_times()->mutable_offsets()->add_offsets(static_cast<uint32_t>(i * 1000));
      column->mutable_values()->mutable_float64()->add_values(i);
    }
  }
  const ParsedSize size =
      SizeWhenParsed(InSlices(request.SerializeAsString(), 100), v1::WriteRequest::descriptor());
  EXPECT_EQ(size.elements, 7 * 200);
  EXPECT_EQ(size.messages, 2 + 7 * 5);  // Column, times, offsets, values, doubles.
  const ParsedSize most = MostWhenParsed(request.ByteSizeLong(), v1::WriteRequest::descriptor());
  EXPECT_GE(most.elements, size.elements);
  EXPECT_GE(most.messages, size.messages);
  EXPECT_GE(most.bytes, size.bytes);
}

TEST(SizeWhenParsed, StopsWhenItIsEnough) {
  const std::string bytes = Repeated(Field(1, ""), 1'000'000);
  const uint64_t bound =
      SizeWhenParsed(InSlices(bytes, 8192), v1::CreateTagsRequest::descriptor(), /*enough=*/1'000'000).bytes;
  EXPECT_GE(bound, 1'000'000);
  EXPECT_LT(bound, 2'000'000);
}

}  // namespace
}  // namespace historian::server
