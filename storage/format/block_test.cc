#include "storage/format/block.h"

#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/aggregate/summary.h"
#include "storage/format/hostile_samples.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"

namespace historian::format {
namespace {

using ::testing::HasSubstr;

struct Block {
  BlockHead head;
  std::string payload;
};

// Cuts the samples into pages of page_size and summarises each.
Block MakeBlock(ValueType type, const Samples& samples, size_t page_size) {
  Block block;
  block.head.type = type;
  for (size_t begin = 0; begin < samples.size(); begin += page_size) {
    const SamplesView page = samples.View().Slice(begin, std::min(page_size, samples.size() - begin));
    PageInfo info;
    info.offset = static_cast<uint32_t>(block.payload.size());
    EncodePage(type, page, &block.payload);
    info.size = static_cast<uint32_t>(block.payload.size() - info.offset);
    info.checksum = Checksum(absl::string_view(block.payload).substr(info.offset));
    info.summary = Summarize(type, page);
    block.head.pages.push_back(info);
  }
  return block;
}

void ExpectSameHead(const BlockHead& a, const BlockHead& b) {
  ASSERT_EQ(a.type, b.type);
  ASSERT_EQ(a.pages.size(), b.pages.size());
  for (size_t i = 0; i < a.pages.size(); ++i) {
    ASSERT_EQ(a.pages[i].offset, b.pages[i].offset) << i;
    ASSERT_EQ(a.pages[i].size, b.pages[i].size) << i;
    ASSERT_EQ(a.pages[i].checksum, b.pages[i].checksum) << i;
    const Summary& x = a.pages[i].summary;
    const Summary& y = b.pages[i].summary;
    ASSERT_EQ(x.count, y.count);
    ASSERT_EQ(x.good, y.good);
    ASSERT_EQ(x.uncertain, y.uncertain);
    ASSERT_EQ(x.first, y.first);
    ASSERT_EQ(x.last, y.last);
    ASSERT_EQ(x.min, y.min);
    ASSERT_EQ(x.max, y.max);
    ASSERT_EQ(x.sum, y.sum) << x.sum.ToDouble() << " " << y.sum.ToDouble();
    ASSERT_EQ(x.sum_of_squares, y.sum_of_squares)
        << x.sum_of_squares.ToDouble() << " " << y.sum_of_squares.ToDouble();
    ASSERT_EQ(x.good_ns, y.good_ns);
    ASSERT_EQ(x.uncertain_ns, y.uncertain_ns);
    ASSERT_EQ(x.area_stepped, y.area_stepped)
        << x.area_stepped.ToDouble() << " " << y.area_stepped.ToDouble();
    ASSERT_EQ(x.area_sloped, y.area_sloped);
    // Some details follow from the rest, also where they were not summarised.
    ASSERT_EQ(y.parts == kAllParts ? x : WithoutDetails(x), y);
  }
}

void ExpectRoundTrip(const BlockHead& head) {
  std::string bytes = "before";
  EncodeBlockHead(head, &bytes);
  ASSERT_EQ(bytes.substr(0, 6), "before");
  const absl::StatusOr<BlockHead> decoded = DecodeBlockHead(absl::string_view(bytes).substr(6));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_NO_FATAL_FAILURE(ExpectSameHead(*decoded, head));
}

TEST(BlockHead, SummariesOfEveryKindOfPlantDataComeBack) {
  for (const PlantKind& kind : PlantKinds()) {
    for (const size_t pages : {1, 2, 16}) {
      for (const size_t page_size : {1, 3, 64, 1024}) {
        SCOPED_TRACE(testing::Message() << kind.name << ", " << pages << " pages of " << page_size);
        const Block block = MakeBlock(kind.type, kind.make(pages * page_size, 7), page_size);
        ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(block.head));
      }
    }
  }
}

TEST(BlockHead, SummariesOfHostileSamplesComeBack) {
  const uint64_t seed = 11;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 1500; ++round) {
    const ValueType type = static_cast<ValueType>(1 + random() % 6);
    const size_t page_size = 1 + random() % 40;
    const Samples samples = HostileSamples(type, 1 + random() % (page_size * kBlockPagesMax), random);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", round " << round);
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(MakeBlock(type, samples, page_size).head));
  }
}

TEST(BlockHead, PartsThatWereNotSummarisedComeBackAsZero) {
  const Samples samples = PlantKindNamed("drift_jittered").make(300, 1);
  for (const uint32_t parts :
       {uint32_t{kCounts}, uint32_t{kExtremes}, uint32_t{kSums}, kExtremes | kSums | kAreaSloped}) {
    BlockHead head;
    for (size_t i = 0; i < 3; ++i) {
      const SamplesView page = samples.View().Slice(100 * i, 100);
      head.pages.push_back({static_cast<uint32_t>(50 * i), 50, 0, Summarize(head.type, page, parts)});
      head.pages.back().summary.parts = kCoreParts;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(head)) << parts;
  }
}

// Bytes per page of full heads of full pages: what a dashboard reads. Measured values plus a little.
TEST(BlockHead, IsSmall) {
  const struct {
    const char* kind;
    double bytes_per_page_max;
  } cases[] = {
      {"drift_regular", 32}, {"drift_jittered", 51}, {"drift_with_gaps", 48}, {"noise_regular", 33},
      {"setpoint", 22},      {"widened_real", 29},   {"totaliser", 34},       {"counter", 25},
      {"running", 17},       {"by_exception", 74},   {"computed", 66},        {"messages", 12},
  };
  for (const auto& c : cases) {
    const PlantKind& kind = PlantKindNamed(c.kind);
    const Block block = MakeBlock(kind.type, kind.make(16 * kPageSamples, 7), kPageSamples);
    std::string bytes;
    EncodeBlockHead(block.head, &bytes);
    EXPECT_LE(static_cast<double>(bytes.size()) / 16, c.bytes_per_page_max) << c.kind;
  }
}

TEST(BlockHead, TellsCountTimesAndSize) {
  const Block block = MakeBlock(ValueType::kFloat64, PlantKindNamed("drift_regular").make(100, 1), 30);
  EXPECT_EQ(block.head.count(), 100u);
  EXPECT_EQ(block.head.payload_size(), block.payload.size());
  EXPECT_EQ(Elapsed(block.head.first_time(), block.head.last_time()), 99u * kNanosPerSecond);
}

TEST(BlockHead, EveryFlippedByteIsDataLoss) {
  for (const char* name : {"drift_jittered", "drift_with_gaps", "messages"}) {
    const PlantKind& kind = PlantKindNamed(name);
    std::string good;
    EncodeBlockHead(MakeBlock(kind.type, kind.make(120, 1), 40).head, &good);
    for (size_t i = 0; i < good.size(); ++i) {
      for (const uint8_t flip : {0x01, 0x80, 0xFF}) {
        std::string bytes = good;
        bytes[i] = static_cast<char>(bytes[i] ^ flip);
        ASSERT_EQ(DecodeBlockHead(bytes).status().code(), absl::StatusCode::kDataLoss)
            << name << " byte " << i;
      }
      ASSERT_EQ(DecodeBlockHead(good.substr(0, i)).status().code(), absl::StatusCode::kDataLoss);
    }
    ASSERT_EQ(DecodeBlockHead(good + "x").status().code(), absl::StatusCode::kDataLoss);
  }
}

// With a right checksum, what is written wrong is found field by field. The bytes are the example of
// block.md.
TEST(BlockHead, EachWrongFieldIsNamed) {
  const std::string good = [] {
    const char* hex =
        "010102000a09000400002216593f61b698a2a9f70694b0e60c6bca0f00d40f0000000000d40fd30f1301980302d0100205f0"
        "80808080"
        "04000108020280bacabb070001035d00b20699030100000003bb0100f29a0ad190050100a7b8bd94dc9e8a0400034ff0f918"
        "01f18ebf"
        "01034fe0f33101f18ebf01";
    std::string bytes;
    for (const char* p = hex; *p != 0; p += 2) {
      bytes.push_back(static_cast<char>(std::stoi(std::string(p, 2), nullptr, 16)));
    }
    return bytes;
  }();
  const auto decode = [](std::string body) {
    const uint32_t checksum = Checksum(body);
    for (int shift = 0; shift < 32; shift += 8) body.push_back(static_cast<char>(checksum >> shift));
    return DecodeBlockHead(body).status();
  };
  ASSERT_TRUE(decode(good).ok()) << decode(good);
  const struct {
    const char* what;
    size_t at;
    uint8_t byte;
    absl::StatusCode code;
    const char* message;
  } cases[] = {
      {"format 0", 0, 0, absl::StatusCode::kDataLoss, "format 0"},
      {"newer format", 0, 4, absl::StatusCode::kFailedPrecondition, "format 4"},
      {"type", 1, 7, absl::StatusCode::kDataLoss, "value type 7"},
      {"no pages", 2, 0, absl::StatusCode::kDataLoss, "0 pages"},
      {"too many pages", 2, 17, absl::StatusCode::kDataLoss, "17 pages"},
      {"flags", 4, 0x20, absl::StatusCode::kDataLoss, "unknown flags"},
      {"no samples", 7, 0, absl::StatusCode::kDataLoss, "number of samples"},
      {"size of a page", 10, 0, absl::StatusCode::kDataLoss, "size of a page"},
      {"gap", 26, 0xCB, absl::StatusCode::kDataLoss, "order of time"},
      {"duration", 29, 0xD5, absl::StatusCode::kDataLoss, "order of time"},
      {"minimum outside", 33, 1, absl::StatusCode::kDataLoss, "extreme lies outside"},
      {"maximum outside", 36, 0xD6, absl::StatusCode::kDataLoss, "extreme lies outside"},
      {"values", 40, 0x1F, absl::StatusCode::kDataLoss, "values"},
      {"qualities", 54, 0x01, absl::StatusCode::kDataLoss, "reserved bits"},
      {"usable samples", 58, 6, absl::StatusCode::kDataLoss, "more samples by severity"},
      {"uncertain samples", 59, 4, absl::StatusCode::kDataLoss, "more samples by severity"},
      {"time by severity", 60, 0x82, absl::StatusCode::kDataLoss, "more time by severity"},
      {"decimals", 66, 16, absl::StatusCode::kDataLoss, "decimals"},
      {"form of sums", 67, 9, absl::StatusCode::kDataLoss, "sum column"},
      {"exponent of sums", 68, 0x5C, absl::StatusCode::kDataLoss, "exponent"},
      {"limbs", 74, 3, absl::StatusCode::kDataLoss, "limbs"},
  };
  for (const auto& c : cases) {
    std::string bytes = good;
    bytes[c.at] = static_cast<char>(c.byte);
    const absl::Status status = decode(bytes);
    EXPECT_EQ(status.code(), c.code) << c.what << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message)) << c.what;
  }
  EXPECT_EQ(decode(good + '\0').code(), absl::StatusCode::kDataLoss);
}

TEST(Block, PageBytesAreCheckedAndNamed) {
  const Block block = MakeBlock(ValueType::kFloat64, PlantKindNamed("drift_regular").make(100, 1), 40);
  size_t total = 0;
  for (size_t i = 0; i < 3; ++i) {
    const absl::StatusOr<absl::string_view> bytes = PageBytes(block.head, block.payload, i);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    total += bytes->size();
    Samples samples;
    ASSERT_TRUE(DecodePage(ValueType::kFloat64, *bytes, &samples).ok());
    EXPECT_EQ(Summarize(ValueType::kFloat64, samples.View()), block.head.pages[i].summary);
  }
  EXPECT_EQ(total, block.payload.size());
  for (size_t i = 0; i < block.payload.size(); ++i) {
    std::string damaged = block.payload;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    int failed = 0;
    for (size_t page = 0; page < 3; ++page) {
      const absl::Status status = PageBytes(block.head, damaged, page).status();
      if (status.ok()) continue;
      ++failed;
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("page ", page)));
    }
    EXPECT_EQ(failed, 1);
  }
  const absl::Status cut =
      PageBytes(block.head, absl::string_view(block.payload).substr(0, block.payload.size() - 1), 2).status();
  EXPECT_EQ(cut.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(cut.message()), HasSubstr("bytes of payload"));
}

}  // namespace
}  // namespace historian::format
