#include "storage/write/producers.h"

#include <optional>
#include <string>

#include "boost/asio/io_context.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian {
namespace {

using Opened = absl::StatusOr<std::shared_ptr<Producer>>;

class ProducersTest : public testing::Test {
 protected:
  // The place into which the answer comes, when Run is called.
  std::shared_ptr<std::optional<Opened>> Open(const std::string& name) {
    auto answer = std::make_shared<std::optional<Opened>>();
    producers_.Open(name, [answer](Opened opened) { *answer = std::move(opened); });
    return answer;
  }
  // Runs the callbacks that are due.
  void Run() {
    io_.restart();
    io_.poll();
  }
  std::shared_ptr<Producer> OpenNow(const std::string& name) {
    const auto answer = Open(name);
    Run();
    return (**answer).value();
  }

  boost::asio::io_context io_{1};
  uint64_t epoch_ = 1;
  Producers producers_{io_, [this] { return epoch_; }};
};

TEST_F(ProducersTest, OpeningNeverCallsBackWithinTheCall) {
  const auto answer = Open("a");
  EXPECT_FALSE(answer->has_value());
  Run();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((**answer).value()->name, "a");
}

TEST_F(ProducersTest, AnOpeningWaitsForWhatAnEarlierHandleHasUnderWay) {
  const std::shared_ptr<Producer> first = OpenNow("a");
  ASSERT_TRUE(producers_.Begin(*first));
  ASSERT_TRUE(producers_.Begin(*first));
  const auto answer = Open("a");
  EXPECT_FALSE(producers_.Begin(*first)) << "it is fenced off at once";
  producers_.Journaled("a", 1);
  producers_.End("a", 1, /*durable=*/true);
  Run();
  EXPECT_FALSE(answer->has_value());
  epoch_ = 2;
  producers_.End("a", 2, /*durable=*/false);
  Run();
  ASSERT_TRUE(answer->has_value());
  const std::shared_ptr<Producer> second = (**answer).value();
  EXPECT_EQ(second->durable_at_open, 1u);
  EXPECT_EQ(second->journal_epoch, 2u);
  EXPECT_TRUE(producers_.Begin(*second));
}

TEST_F(ProducersTest, AnOpeningWaitsForNoOtherName) {
  const std::shared_ptr<Producer> first = OpenNow("a");
  ASSERT_TRUE(producers_.Begin(*first));
  const auto again = Open("a"), other = Open("b");
  Run();
  EXPECT_FALSE(again->has_value());
  ASSERT_TRUE(other->has_value());
  EXPECT_TRUE((*other)->ok());
}

TEST_F(ProducersTest, ANewerOpeningEndsOneThatWaits) {
  const std::shared_ptr<Producer> first = OpenNow("a");
  ASSERT_TRUE(producers_.Begin(*first));
  const auto older = Open("a"), newer = Open("a");
  Run();
  ASSERT_TRUE(older->has_value());
  EXPECT_EQ((*older)->status().code(), absl::StatusCode::kAborted);
  producers_.End("a", 1, true);
  Run();
  ASSERT_TRUE(newer->has_value());
  EXPECT_TRUE(producers_.Begin(*(**newer).value()));
}

TEST_F(ProducersTest, ClosingEndsTheOpeningsThatWait) {
  const std::shared_ptr<Producer> first = OpenNow("a");
  ASSERT_TRUE(producers_.Begin(*first));
  const auto waits = Open("a");
  producers_.Close();
  const auto late = Open("b");
  Run();
  ASSERT_TRUE(waits->has_value() && late->has_value());
  EXPECT_EQ((*waits)->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ((*late)->status().code(), absl::StatusCode::kUnavailable);
  producers_.End("a", 1, true);  // What was under way still ends.
  EXPECT_EQ(producers_.Durable("a"), 1u);
}

TEST_F(ProducersTest, ANameHasOneTo128Bytes) {
  for (const std::string& name : {std::string(), std::string(129, 'x'), std::string("\xff")}) {
    const auto answer = Open(name);
    Run();
    ASSERT_TRUE(answer->has_value());
    EXPECT_EQ((*answer)->status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace historian
