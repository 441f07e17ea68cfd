// Messages that are made to take memory: small ones that become large when they are inflated or parsed, or whose answer
// is large, one by one and many at a time. The server keeps within its budget and what it needs for itself
// (docs/operations.md), answers each of them, and then serves the next caller.
//
// HISTORIAN_MEMORY_SECONDS says how long random messages are sent (default 20), HISTORIAN_SEED with which seed.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/admin.pb.h"
#include "proto/historian/v1/ingest.pb.h"
#include "proto/historian/v1/query.pb.h"
#include "proto/historian/v1/retention.pb.h"
#include "proto/historian/v1/tags.pb.h"
#include "storage/platform/monotonic.h"
#include "tests/server_process.h"
#include "tools/histbench/server_process.h"

namespace historian {
namespace {

using ::historian::testing::ScratchDirectory;
using ::historian::testing::ServerProcess;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kBudget = 256 * kMiB;
constexpr uint64_t kBeside = 256 * kMiB;
// Gigabytes, so that the test process and not the limit of a message is what ends it.
constexpr int kAnswerBytesMax = 1 << 30;

std::string Repeat(const std::string& bytes, size_t times) {
  std::string all;
  all.reserve(bytes.size() * times);
  for (size_t i = 0; i < times; ++i) all += bytes;
  return all;
}

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes.push_back(static_cast<char>(value | 128));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

// A field of that number that holds these bytes.
std::string Field(int number, const std::string& content) {
  return absl::StrCat(Varint(static_cast<uint64_t>(number) << 3 | 2), Varint(content.size()), content);
}

class MemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = ServerProcess::Start({.data_dir = ScratchDirectory("memory"),
                                        .flags = {absl::StrCat("--limits-memory-budget=", kBudget)}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kAnswerBytesMax);
    channel_ = grpc::CreateCustomChannel(server_->target(), grpc::InsecureChannelCredentials(), arguments);
    connection_ = client::Connection::Open({.target = server_->target()}).value();
  }

  // Sends a request of these bytes. Any number of threads.
  grpc::Status Call(const std::string& method, const std::string& bytes,
                    grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_compression_algorithm(compression);
    context.set_deadline(client::DeadlineIn(absl::Seconds(60)));
    grpc::CompletionQueue queue;
    const grpc::Slice slice(bytes);
    grpc::ByteBuffer request(&slice, 1), answer;
    auto call = stub.PrepareUnaryCall(&context, absl::StrCat("/historian.v1.", method), request, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&answer, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return status;
  }

  // The server lives, serves, and has kept within its limits.
  void ExpectWell(const std::string& after) {
    const auto status = client::Admin(*connection_).Status();
    ASSERT_TRUE(status.ok()) << after << ": " << status.status() << "\n" << server_->LogTail();
    const uint64_t peak = histbench::PeakMemoryBytes(server_->pid()).value();
    EXPECT_LE(peak, kBudget + kBeside) << after << ": " << peak / kMiB << " MiB";
    if (peak > peak_) std::printf("%4lu MiB at most after %s\n", peak / kMiB, after.c_str());
    peak_ = std::max(peak_, peak);
  }

  void Send(const std::string& what, const std::string& method, const std::string& bytes,
            grpc_compression_algorithm compression = GRPC_COMPRESS_NONE) {
    const grpc::Status status = Call(method, bytes, compression);
    EXPECT_NE(status.error_code(), grpc::StatusCode::UNAVAILABLE) << what << ": " << status.error_message();
    ExpectWell(what);
  }

  TagId MakeTag(const Tag& tag) {
    const auto ensured = client::Tags(*connection_).Ensure({tag});
    EXPECT_TRUE(ensured.ok()) << ensured.status();
    return ensured.ok() ? ensured->front().id : 0;
  }

  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::optional<client::Connection> connection_;
  uint64_t peak_ = 0;
};

TEST_F(MemoryTest, ManyTinyParts) {
  for (const char* method : {"Tags/CreateTags", "Tags/UpdateTags", "Tags/GetTags", "Tags/RetireTags"}) {
    Send(method, method, Repeat(Field(1, ""), 4'000'000));
  }
  Send("fields that do not exist", "Tags/CreateTags", Repeat(std::string("\xf8\x7f\x00", 3), 2'500'000));
  Send("texts that do not exist", "Tags/CreateTags", Repeat(Field(2000, ""), 2'000'000));
  Send("states", "Tags/CreateTags", Field(1, Repeat(Field(7, ""), 3'900'000)));
  for (int number = 1; number <= 4; ++number) {
    const std::string frame = Field(2, Repeat(Field(number, ""), 3'900'000));
    Send(absl::StrCat("part ", number, " of a frame"), "Ingest/WriteOnce", Field(1, "p") + frame);
    Send(absl::StrCat("part ", number, " of a selection"), "Query/ReadLatest",
         Field(1, Repeat(Field(number, ""), 3'900'000)));
    Send(absl::StrCat("ids ", number), "Query/ReadLatest",
         Field(1, Field(number, std::string(8'000'000, '\1'))));
    Send(absl::StrCat("times ", number), "Query/ReadAtTimes", Field(number, std::string(8'000'000, '\1')));
  }
}

TEST_F(MemoryTest, ZipBombs) {
  for (const size_t mib : {1, 8, 64, 256}) {
    for (const auto compression : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
      const grpc::Status status = Call("Ingest/WriteOnce", std::string(mib * kMiB, '\0'), compression);
      EXPECT_FALSE(status.ok());
      ExpectWell(absl::StrCat(mib, " MiB of zeros"));
    }
  }
}

TEST_F(MemoryTest, ATextAtManyTimes) {
  const TagId tag =
      MakeTag({.name = "text", .type = ValueType::kString, .interpolation = Interpolation::kStepped});
  v1::WriteOnceRequest write;
  write.set_producer("p");
  write.mutable_frame()->set_sequence(1);
  v1::Column* const column = write.mutable_frame()->add_columns();
  column->set_tag_id(tag);
  column->mutable_times()->mutable_explicit_()->add_at(1'700'000'000 * kNanosPerSecond);
  column->mutable_values()->mutable_string()->add_values(std::string(65'536, 'x'));
  ASSERT_TRUE(Call("Ingest/WriteOnce", write.SerializeAsString()).ok());
  for (const int times : {100, 800, 2'000, 16'000, 60'000, 500'000}) {
    v1::ReadAtTimesRequest request;
    request.mutable_tags()->add_ids(tag);
    for (int i = 0; i < times; ++i) request.add_times((1'700'000'001 + i) * kNanosPerSecond);
    const grpc::Status status = Call("Query/ReadAtTimes", request.SerializeAsString());
    EXPECT_EQ(status.ok(), times == 100) << times;
    if (!status.ok()) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
    }
    ExpectWell(absl::StrCat("a text at ", times, " times"));
  }
}

TEST_F(MemoryTest, ATagWithManyStatesIsAskedForAgainAndAgain) {
  Tag tag{.name = "digital", .type = ValueType::kDigital, .interpolation = Interpolation::kStepped};
  for (uint32_t code = 0; code < 20'000; ++code) tag.states[code] = absl::StrCat("state ", code);
  const TagId id = MakeTag(tag);
  for (const int times : {1, 100, 10'000}) {
    v1::GetTagsRequest get;
    v1::RetireTagsRequest retire;
    v1::UpdateTagsRequest update;
    for (int i = 0; i < times; ++i) {
      get.add_keys()->set_id(id);
      retire.add_keys()->set_id(id);
      v1::TagUpdate* const one = update.add_updates();
      one->mutable_key()->set_id(id);
      one->set_description("x");
    }
    Send(absl::StrCat("GetTags of a large one, times ", times), "Tags/GetTags", get.SerializeAsString());
    if (times > 100) continue;  // Each is a write.
    Send(absl::StrCat("UpdateTags of a large one, times ", times), "Tags/UpdateTags",
         update.SerializeAsString());
    Send(absl::StrCat("RetireTags of a large one, times ", times), "Tags/RetireTags",
         retire.SerializeAsString());
  }
}

TEST_F(MemoryTest, FramesOfManyCheapSamples) {
  const TagId tag =
      MakeTag({.name = "bool", .type = ValueType::kBool, .interpolation = Interpolation::kStepped});
  v1::WriteOnceRequest write;
  write.set_producer("p");
  for (const int size : {1'000'000, 4'000'000, 7'900'000}) {
    write.mutable_frame()->Clear();
    write.mutable_frame()->set_sequence(static_cast<uint64_t>(size));
    v1::Column* const column = write.mutable_frame()->add_columns();
    column->set_tag_id(tag);
    column->mutable_times()->mutable_regular()->set_first(1'700'000'000 * kNanosPerSecond);
    column->mutable_times()->mutable_regular()->set_step_ns(1);
    column->mutable_values()->mutable_bool_()->mutable_values()->Resize(size, true);
    const std::string bytes = write.SerializeAsString();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { Call("Ingest/WriteOnce", bytes); });
    for (std::thread& thread : threads) thread.join();
    ExpectWell(absl::StrCat(size, " bools in a frame, eight at a time"));
  }
}

// A message whose parts are drawn at random from what its type has, some of them very often.
std::string RandomMessage(const google::protobuf::Descriptor* type, std::mt19937_64& random, size_t bytes_max,
                          int depth) {
  if (type->field_count() == 0) return Field(1, std::string(bytes_max, 'x'));
  std::string message;
  const int parts = 1 + static_cast<int>(random() % 4);
  for (int p = 0; p < parts && message.size() < bytes_max; ++p) {
    const google::protobuf::FieldDescriptor* const field = type->field(random() % type->field_count());
    const size_t room = bytes_max - message.size();
    std::string content;
    if (field->message_type() != nullptr && depth < 6) {
      content = random() % 3 == 0
                    ? ""
                    : RandomMessage(field->message_type(), random, random() % (room + 1), depth + 1);
    } else {
      content.assign(random() % 2 == 0 ? random() % 20 : random() % (room + 1),
                     static_cast<char>(random() % 128));
    }
    const int number = random() % 20 == 0 ? 3000 : field->number();
    std::string one;
    if (field->message_type() == nullptr &&
        field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_STRING && random() % 3 == 0) {
      one = absl::StrCat(Varint(static_cast<uint64_t>(number) << 3), Varint(random() >> (random() % 64)));
    } else {
      one = Field(number, content);
    }
    const size_t times = random() % 3 == 0 ? 1 + random() % (room / (one.size() + 1) + 1) : 1;
    message += Repeat(one, times);
  }
  return message;
}

TEST_F(MemoryTest, RandomMessagesOfManyCallers) {
  const struct {
    const char* method;
    const google::protobuf::Descriptor* type;
  } kMethods[] = {
      {"Ingest/WriteOnce", v1::WriteOnceRequest::descriptor()},
      {"Ingest/GetProducer", v1::GetProducerRequest::descriptor()},
      {"Tags/CreateTags", v1::CreateTagsRequest::descriptor()},
      {"Tags/UpdateTags", v1::UpdateTagsRequest::descriptor()},
      {"Tags/GetTags", v1::GetTagsRequest::descriptor()},
      {"Tags/ListTags", v1::ListTagsRequest::descriptor()},
      {"Tags/RetireTags", v1::RetireTagsRequest::descriptor()},
      {"Query/ReadLatest", v1::ReadLatestRequest::descriptor()},
      {"Query/ReadAtTimes", v1::ReadAtTimesRequest::descriptor()},
      {"Admin/GetStatus", v1::GetStatusRequest::descriptor()},
      {"Admin/GetStorage", v1::GetStorageRequest::descriptor()},
      {"Admin/ReadBlock", v1::ReadBlockRequest::descriptor()},
      {"Admin/ListVersions", v1::ListVersionsRequest::descriptor()},
      {"Admin/MarkVersion", v1::MarkVersionRequest::descriptor()},
      {"Retention/ListRules", v1::ListRulesRequest::descriptor()},
      {"Retention/SetRule", v1::SetRuleRequest::descriptor()},
      {"Retention/PlaceHold", v1::PlaceHoldRequest::descriptor()},
      {"Retention/WhatIsKept", v1::WhatIsKeptRequest::descriptor()},
  };
  const char* const asked = std::getenv("HISTORIAN_MEMORY_SECONDS");
  const double seconds = asked == nullptr ? 20 : std::atof(asked);
  const char* const seed_text = std::getenv("HISTORIAN_SEED");
  const uint64_t seed = seed_text == nullptr ? 1 : std::strtoull(seed_text, nullptr, 10);
  const MonotonicTime end = MonotonicTime::Now() + absl::Seconds(seconds);
  std::atomic<uint64_t> sent{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed * 1000 + static_cast<uint64_t>(t));
      while (MonotonicTime::Now() < end) {
        const auto& method = kMethods[random() % std::size(kMethods)];
        const size_t bytes_max = size_t{1} << (4 + random() % 20);
        const std::string bytes = RandomMessage(method.type, random, bytes_max, 0);
        const auto compression = random() % 16 == 0 ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE;
        const grpc::Status status = Call(method.method, bytes, compression);
        EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL)
            << "seed " << seed << ", " << method.method << ": " << status.error_message();
        sent.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ExpectWell(absl::StrCat(sent.load(), " random messages with seed ", seed));
}

}  // namespace
}  // namespace historian
