#include "storage/format/block.h"

#include <limits>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/aggregate/summary.h"
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
    ASSERT_EQ(x, y);
  }
}

void ExpectRoundTrip(const BlockHead& head, size_t* size = nullptr) {
  std::string bytes = "before";
  EncodeBlockHead(head, &bytes);
  ASSERT_EQ(bytes.substr(0, 6), "before");
  const absl::StatusOr<BlockHead> decoded = DecodeBlockHead(absl::string_view(bytes).substr(6));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_NO_FATAL_FAILURE(ExpectSameHead(*decoded, head));
  if (size != nullptr) *size = bytes.size() - 6;
}

TEST(BlockHead, SummariesOfEveryKindOfPlantDataComeBack) {
  for (const PlantKind& kind : PlantKinds()) {
    for (const size_t pages : {1, 2, 16}) {
      for (const size_t page_size : {1, 3, 64, 1024}) {
        SCOPED_TRACE(testing::Message() << kind.name << ", " << pages << " pages of " << page_size);
        const Block block = MakeBlock(kind.type, kind.make(pages * page_size, 7), page_size);
        size_t size = 0;
        ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(block.head, &size));
        if (page_size == 1024 && pages != 2) {
          printf("%-18s %zu pages: head %.1f B/page\n", kind.name, pages, static_cast<double>(size) / pages);
        }
      }
    }
  }
}

}  // namespace
}  // namespace historian::format
