#include "tools/histctl/lib/page_outline.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "storage/format/page.h"
#include "storage/model/samples.h"

namespace historian::histctl {
namespace {

TEST(PageOutline, TellsWhatTheCodecDid) {
  Samples samples;
  for (int i = 0; i < 1000; ++i)
    samples.Add(i * kNanosPerSecond, BitsOfFloat64(i % 7 * 0.25), i % 100 == 0 ? kBad : kGood);
  std::string page;
  format::EncodePage(ValueType::kFloat64, samples.View(), &page);
  const auto outline = OutlineOfPage(ValueType::kFloat64, page);
  ASSERT_TRUE(outline.ok()) << outline.status();
  EXPECT_EQ(outline->samples, 1000);
  EXPECT_EQ(outline->times, "ramp");
  EXPECT_FALSE(outline->values.empty());
  EXPECT_FALSE(outline->qualities.empty());
  EXPECT_LT(outline->time_bytes + outline->quality_bytes + outline->value_bytes, page.size());
  EXPECT_GE(outline->time_bytes + outline->quality_bytes + outline->value_bytes + 8, page.size());
}

TEST(PageOutline, TellsWhatIsDense) {
  Samples samples;
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    samples.Add(i * kNanosPerSecond + static_cast<Timestamp>(random() % 11) * 1'000'000,
                BitsOfFloat64(static_cast<double>(4000 + random() % 90) * 0.0054));
  }
  std::string page;
  format::EncodePage(ValueType::kFloat64, samples.View(), &page, nullptr, format::Density::kDense);
  const auto outline = OutlineOfPage(ValueType::kFloat64, page);
  ASSERT_TRUE(outline.ok()) << outline.status();
  EXPECT_EQ(outline->times, "line binned");
  EXPECT_EQ(outline->values, "scaled");
}

TEST(PageOutline, SingleSamplesAndTexts) {
  Samples one;
  one.AddString(1'795'424'400 * kNanosPerSecond, "hello");
  std::string page;
  format::EncodePage(ValueType::kString, one.View(), &page);
  const auto outline = OutlineOfPage(ValueType::kString, page);
  ASSERT_TRUE(outline.ok()) << outline.status();
  EXPECT_EQ(outline->samples, 1);
  EXPECT_EQ(outline->times, "one");
  EXPECT_EQ(outline->values, "text");
  EXPECT_TRUE(outline->qualities.empty());
}

TEST(PageOutline, AnyBytesAreSafe) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  EXPECT_TRUE(absl::IsDataLoss(OutlineOfPage(ValueType::kFloat64, "").status()));
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    for (uint64_t n = random() % 24; n > 0; --n) bytes.push_back(static_cast<char>(random()));
    OutlineOfPage(ValueType::kFloat64, bytes).status().IgnoreError();
  }
}

}  // namespace
}  // namespace historian::histctl
