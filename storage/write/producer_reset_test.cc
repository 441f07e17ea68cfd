#include "storage/write/producer_reset.h"

#include <map>
#include <string>

#include "gtest/gtest.h"
#include "storage/format/worked_examples.h"

namespace historian {
namespace {

TEST(ProducerReset, TheExampleOfThePageIsWhatIsWrittenAndRead) {
  const auto examples = format::ReadWorkedExamples("storage/write/producer_reset.md");
  ASSERT_TRUE(examples.ok()) << examples.status();
  const std::string& example = examples->at("example");
  EXPECT_EQ(EncodeProducerReset("gw"), example);
  EXPECT_TRUE(IsProducerReset(example));
  EXPECT_EQ(*DecodeProducerReset(example), "gw");
}

TEST(ProducerReset, OtherBytesAreDataLoss) {
  for (const std::string& bytes : {std::string(), std::string(1, 17), std::string("\x03gw")}) {
    EXPECT_EQ(DecodeProducerReset(bytes).status().code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(IsProducerReset("\x10gw"));
}

}  // namespace
}  // namespace historian
