#include "storage/write/producers.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "boost/asio/io_context.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/record/v1/records.pb.h"
#include "storage/model/clock.h"
#include "storage/model/definition_memory.h"
#include "storage/platform/heap_in_use.h"

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
  SimulatedClock clock_{1'796'007'600'000'000'000};
  ProducerLimits limits_;
  Producers producers_{io_, [this] { return epoch_; }, clock_, limits_};
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
  producers_.Journaled("a", 1, 0);
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

TEST(RecentFramesTest, TellsARepeatFromAnotherFrameWithItsNumber) {
  using Repeat = RecentFrames::Repeat;
  RecentFrames frames;
  constexpr uint64_t kFirst = uint64_t{1} << 40;
  for (uint64_t i = 0; i < 100; ++i) {
    frames.Add(kFirst + 3 * i, static_cast<uint32_t>(i));
    for (uint64_t k = 0; k <= i; ++k) {
      const bool kept = i - k < kRecentFrames;
      EXPECT_EQ(frames.Check(kFirst + 3 * k, static_cast<uint32_t>(k)),
                kept ? Repeat::kSame : Repeat::kUnknown);
      EXPECT_EQ(frames.Check(kFirst + 3 * k, 1000), kept ? Repeat::kOther : Repeat::kUnknown);
    }
  }
  EXPECT_EQ(frames.Check(kFirst + 1, 0), Repeat::kUnknown) << "there was no such frame";
  uint64_t expected = 100 - kRecentFrames;
  frames.ForEach([&](uint64_t sequence, uint32_t checksum) {
    EXPECT_EQ(sequence, kFirst + 3 * expected);
    EXPECT_EQ(checksum, expected++);
  });
  EXPECT_EQ(expected, 100u);
}

class LimitedProducersTest : public ProducersTest {
 protected:
  LimitedProducersTest()
      : limited_(io_, [] { return 1; }, clock_, {.producers = 3, .unused = absl::Hours(24 * 400)}) {}

  Opened OpenNow(const std::string& name) {
    Opened opened;
    limited_.Open(name, [&](Opened result) { opened = std::move(result); });
    Run();
    return opened;
  }
  void WriteOne(const std::string& name) {
    const Opened producer = OpenNow(name);
    ASSERT_TRUE(producer.ok()) << producer.status();
    ASSERT_TRUE(limited_.Begin(**producer));
    limited_.Journaled(name, (*producer)->durable_at_open + 1, 7);
    limited_.End(name, (*producer)->durable_at_open + 1, true);
  }
  // Waits until room is looked for again.
  Opened OpenSoon(const std::string& name) {
    Opened opened = OpenNow(name);
    for (int i = 0; i < 100 && !opened.ok(); ++i) {
      absl::SleepFor(absl::Milliseconds(50));
      opened = OpenNow(name);
    }
    return opened;
  }

  Producers limited_;
};

TEST_F(LimitedProducersTest, BeyondTheLimitANewNameIsRefusedAndThoseThereWereGoOn) {
  for (const char* name : {"a", "b", "c"}) WriteOne(name);
  const absl::Status refused = OpenNow("d").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("limits.producers"));
  WriteOne("a");
  EXPECT_EQ(limited_.Durable("a"), 2u);
  // One that somebody gives up makes room.
  limited_.Reset("b");
  EXPECT_EQ(limited_.Durable("b"), 0u);
  EXPECT_TRUE(OpenSoon("d").ok());
}

TEST_F(LimitedProducersTest, ANameWithoutAFrameIsKeptAsLongAsItsHandle) {
  const Opened held = OpenNow("held");
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(OpenNow(absl::StrCat("let go ", i)).ok());
  const Opened opened = OpenSoon("new");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(limited_.size(), 2u);
  EXPECT_TRUE(limited_.Begin(**held));
  EXPECT_THAT(limited_.List("", 10), testing::IsEmpty());
  EXPECT_TRUE(limited_.TakeChanged().empty());
}

TEST_F(LimitedProducersTest, ANameThatWasNotUsedForLongMakesRoom) {
  WriteOne("a");
  clock_.Advance(absl::ToInt64Nanoseconds(absl::Hours(24 * 399)));
  WriteOne("b");
  WriteOne("c");
  EXPECT_EQ(limited_.TakeChanged().size(), 3u);
  EXPECT_FALSE(OpenNow("d").ok());
  clock_.Advance(absl::ToInt64Nanoseconds(absl::Hours(24 * 2)));
  ASSERT_TRUE(OpenSoon("d").ok());
  EXPECT_EQ(limited_.Durable("a"), 0u);
  EXPECT_EQ(limited_.Durable("b"), 1u);
  const std::vector<Producers::Record> changed = limited_.TakeChanged();
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].first, "a");
  record::v1::ProducerRecord record;
  ASSERT_TRUE(record.ParseFromString(changed[0].second));
  EXPECT_TRUE(record.gone());
}

TEST_F(LimitedProducersTest, TheyAreListedInOrder) {
  for (const char* name : {"c", "a", "b"}) WriteOne(name);
  std::vector<std::string> names;
  for (const ProducerInfo& info : limited_.List("a", 10)) names.push_back(info.name);
  EXPECT_THAT(names, testing::ElementsAre("b", "c"));
  EXPECT_EQ(limited_.List("", 1).size(), 1u);
  EXPECT_EQ(limited_.Find("b")->sequence, 1u);
  EXPECT_EQ(limited_.Find("b")->last_seen, clock_.Now());
  EXPECT_EQ(limited_.Find("d"), std::nullopt);
}

// ---- Memory

class ProducersMemoryTest : public testing::Test {
 protected:
  static std::string NameOf(size_t i) { return absl::StrCat("plant-a/gateway-", i, std::string(30, '-')); }
  absl::Status Open(const std::string& name) {
    std::optional<Opened> answer;
    producers_->Open(name, [&answer](Opened opened) { answer = std::move(opened); });
    io_.restart();
    io_.poll();
    if (answer->ok()) last_ = **answer;
    return answer->status();
  }
  // Writes so many frames under a new name.
  absl::Status WriteAs(const std::string& name, uint64_t frames) {
    if (absl::Status opened = Open(name); !opened.ok()) return opened;
    for (uint64_t sequence = 1; sequence <= frames; ++sequence) {
      EXPECT_TRUE(producers_->Begin(*last_));
      producers_->Journaled(name, sequence, 7);
      producers_->End(name, sequence, true);
    }
    return absl::OkStatus();
  }
  void Make(uint64_t bytes_max) {
    memory_ = std::make_unique<DefinitionMemory>(bytes_max);
    producers_ = std::make_unique<Producers>(
        io_, [] { return uint64_t{1}; }, clock_, ProducerLimits{.producers = 1'000'000}, *memory_);
  }

  boost::asio::io_context io_{1};
  SimulatedClock clock_{1'796'007'600'000'000'000};
  std::unique_ptr<DefinitionMemory> memory_;
  std::unique_ptr<Producers> producers_;
  std::shared_ptr<Producer> last_;
};

TEST_F(ProducersMemoryTest, TheySayOfTheirMemoryWhatTheHeapSays) {
  if (!kHeapIsKnown) GTEST_SKIP();
  constexpr size_t kProducers = 50'000;
  for (const uint64_t frames : {0, 1, 40}) {
    last_.reset();
    producers_.reset();
    const int64_t before = HeapInUse();
    Make(UINT64_MAX);
    for (size_t i = 0; i < kProducers; ++i) ASSERT_TRUE(WriteAs(NameOf(i), frames).ok());
    const int64_t in_use = HeapInUse() - before;
    if (frames > 0) {
      EXPECT_TRUE(IsAbout(memory_->bytes(), in_use))
          << frames << " frames: counted " << memory_->bytes() << ", in use " << in_use;
    } else {
      EXPECT_LE(memory_->bytes(), size_t{2} << 20) << "nobody uses those names";
    }
    std::printf("%lu frames: %.0f bytes for each of %zu producers\n", frames,
                static_cast<double>(in_use) / kProducers, kProducers);
    for (size_t i = 0; i < kProducers; ++i) producers_->Reset(NameOf(i));
    producers_->TakeChanged();
    EXPECT_LE(memory_->bytes(), static_cast<uint64_t>(in_use)) << "what was forgotten counts no more";
  }
}

TEST_F(ProducersMemoryTest, ANameForWhichThereIsNoMemoryIsRefused) {
  Make(size_t{1} << 20);
  absl::Status refused;
  size_t made = 0;
  for (; refused.ok() && made < 100'000; ++made) refused = WriteAs(NameOf(made), 1);
  --made;
  EXPECT_GT(made, 500u);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), testing::HasSubstr("limits.memory_budget"));
  EXPECT_FALSE(Open("another").ok());
  // Those that are there go on, and what they come to need is there.
  for (size_t i = 0; i < made; ++i) {
    ASSERT_TRUE(Open(NameOf(i)).ok());
    for (uint64_t sequence = 2; sequence <= 40; ++sequence) {
      ASSERT_TRUE(producers_->Begin(*last_));
      producers_->Journaled(NameOf(i), sequence, 7);
      producers_->End(NameOf(i), sequence, true);
    }
  }
  EXPECT_LE(memory_->bytes(), size_t{1} << 20);
}

}  // namespace
}  // namespace historian
