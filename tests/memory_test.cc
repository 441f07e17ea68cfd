// Messages that are made to take memory: small ones that become large when they are inflated or parsed, or whose answer
// is large, one by one and many at a time. The server keeps within its budget and what it needs for itself
// (docs/operations.md), answers each of them, and then serves the next caller.
//
//   bazel test //tests:memory_test                                                         random ones for seconds
//   bazel run //tests:memory_test -- --gtest_filter='MemoryCampaign*' --seconds=3600 --seed=7   for an hour, others
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
#include "tests/campaign.h"
#include "tests/partial_messages.h"
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
    // What ends is to be seen.
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
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
    // A connection or a call may have been ended to make room; whoever calls again is served.
    absl::StatusOr<v1::GetStatusResponse> status = client::Admin(*connection_).Status();
    for (int i = 0;
         i < 50 && (absl::IsUnavailable(status.status()) || absl::IsResourceExhausted(status.status()));
         ++i) {
      absl::SleepFor(absl::Milliseconds(200));
      status = client::Admin(*connection_).Status();
    }
    ASSERT_TRUE(status.ok()) << after << ": " << status.status() << "\n"
                             << server_->LogTail() << server_->Stacks();
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

TEST_F(MemoryTest, PartsOfLargeMessagesOnManyConnections) {
  const struct {
    const char* method;
    int connections;
    int streams;
    uint32_t message_bytes;
  } kCases[] = {{"Ingest/Write", 200, 1, 8 * kMiB},      {"Ingest/Write", 100, 50, 8 * kMiB},
                {"Ingest/WriteOnce", 200, 4, 8 * kMiB},  {"Ingest/WriteOnce", 20, 100, 16 * kMiB - 1},
                {"Tags/CreateTags", 200, 20, 64 * 1024}, {"Query/ReadLatest", 1, 2'000, 8 * kMiB}};
  for (const auto& one : kCases) {
    testing::PartialMessages partial({.port = server_->grpc_port(),
                                      .method = one.method,
                                      .connections = one.connections,
                                      .streams = one.streams,
                                      .message_bytes = one.message_bytes});
    partial.Run(absl::Seconds(4));
    std::printf("%lu MiB held, %lu streams and %lu connections ended\n", partial.held_bytes() / kMiB,
                partial.streams_ended(), partial.connections_ended());
    ExpectWell(absl::StrCat("parts of messages to ", one.method, " on ", one.connections, " x ", one.streams,
                            " streams"));
  }
}

// Tags of every kind, for the writers below.
std::vector<Tag> TagsOfAllTypes(TagId count) {
  constexpr ValueType kTypes[] = {ValueType::kFloat64, ValueType::kBool, ValueType::kString,
                                  ValueType::kInt64};
  std::vector<Tag> tags;
  for (TagId i = 0; i < count; ++i) {
    const ValueType type = kTypes[i % 4];
    tags.push_back(
        {.name = absl::StrCat("campaign/", i),
         .type = type,
         .interpolation = type == ValueType::kFloat64 ? Interpolation::kSloped : Interpolation::kStepped});
  }
  return tags;
}

// A frame for some of these tags, whose ids count from `first`: few or many columns, short or huge, with values of their
// types or of others.
void RandomFrame(std::mt19937_64& random, TagId first, TagId count, uint64_t sequence, size_t bytes_max,
                 v1::Frame* frame) {
  frame->Clear();
  frame->set_sequence(sequence);
  const int columns = 1 + static_cast<int>(random() % (random() % 4 == 0 ? 500 : 3));
  for (int c = 0; c < columns; ++c) {
    const size_t room = bytes_max / static_cast<size_t>(columns) + 1;
    v1::Column* const column = frame->add_columns();
    const TagId tag = first + static_cast<TagId>(random() % (count + 2));
    column->set_tag_id(tag);
    const uint64_t kind = random() % 16 == 0 ? random() % 4 : (tag - first) % 4;
    const auto size_of = [&](size_t bytes_each) {
      return static_cast<int>(1 + random() % (room / bytes_each + 1));
    };
    int size = 0;
    if (kind == 0) {
      size = size_of(8);
      for (int i = 0; i < size; ++i) column->mutable_values()->mutable_float64()->add_values(0.1 * i);
    } else if (kind == 1) {
      size = size_of(1);
      column->mutable_values()->mutable_bool_()->mutable_values()->Resize(size, true);
    } else if (kind == 2) {
      const size_t bytes = random() % (random() % 8 == 0 ? 70'000 : 200);
      size = size_of(bytes + 4);
      for (int i = 0; i < size; ++i) {
        column->mutable_values()->mutable_string()->add_values(std::string(bytes, 'x'));
      }
    } else {
      size = size_of(2);
      for (int i = 0; i < size; ++i) column->mutable_values()->mutable_int64()->add_values(i % 100);
    }
    const int64_t start =
        1'700'000'000 * kNanosPerSecond + static_cast<int64_t>(random() % 1'000'000) * 1'000'000;
    if (random() % 2 == 0) {
      column->mutable_times()->mutable_regular()->set_first(start);
      column->mutable_times()->mutable_regular()->set_step_ns(1 + random() % 1'000'000);
    } else {
      if (random() % 16 == 0) ++size;
      for (int i = 0; i < size; ++i) column->mutable_times()->mutable_explicit_()->add_at(start + i * 1'000);
    }
  }
}

// A stream of messages that are given as bytes.
class RawWriteStream {
 public:
  RawWriteStream(const std::shared_ptr<grpc::Channel>& channel, absl::Duration patience, bool takes_answers)
      : stub_(channel), takes_answers_(takes_answers) {
    context_.set_deadline(client::DeadlineIn(patience));
    call_ = stub_.PrepareCall(&context_, "/historian.v1.Ingest/Write", &queue_);
    call_->StartCall(&started_);
    Wait(&started_);
    if (takes_answers_) call_->Read(&answer_, &read_);
  }
  // False: the stream is over.
  bool Write(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call_->Write(grpc::ByteBuffer(&slice, 1), &written_);
    return Wait(&written_);
  }
  void HalfClose() {
    call_->WritesDone(&written_);
    Wait(&written_);
  }
  void Cancel() { context_.TryCancel(); }
  grpc::Status Finish() {
    // The status comes behind all answers, so those are taken now, which nobody took before.
    if (!takes_answers_) call_->Read(&answer_, &read_);
    grpc::Status status;
    call_->Finish(&status, &finished_);
    Wait(&finished_);
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
    return status;
  }

 private:
  bool Wait(const char* for_tag) {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
      if (tag == for_tag) return ok;
      if (tag == &read_ && ok) call_->Read(&answer_, &read_);
    }
    return false;
  }

  char started_, written_, read_, finished_;  // Addresses tell what has happened.
  grpc::GenericStub stub_;
  const bool takes_answers_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::ByteBuffer answer_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// What is sent at random: calls, streams of writers, and tags with many states and long texts.
class MemoryCampaign : public MemoryTest {
 protected:
  void SetUp() override {
    MemoryTest::SetUp();
    const auto ensured = client::Tags(*connection_).Ensure(TagsOfAllTypes(kTags));
    ASSERT_TRUE(ensured.ok()) << ensured.status();
    first_tag_ = ensured->front().id;
    ASSERT_TRUE(WriteOne(1).ok());
    end_ = MonotonicTime::Now() + testing::CampaignLength(absl::Seconds(20));
  }

  // A good frame of a producer that does nothing else; repeated, as every producer does, while there is no memory for it.
  grpc::Status WriteOne(uint64_t sequence) {
    v1::WriteOnceRequest write;
    write.set_producer("honest");
    write.mutable_frame()->set_sequence(sequence);
    v1::Column* const column = write.mutable_frame()->add_columns();
    column->set_tag_id(first_tag_);
    column->mutable_times()->mutable_explicit_()->add_at(1'700'000'000 * kNanosPerSecond);
    column->mutable_values()->mutable_float64()->add_values(1);
    grpc::Status status;
    for (int i = 0; i < 100; ++i) {
      status = Call("Ingest/WriteOnce", write.SerializeAsString());
      if (status.ok()) break;
      absl::SleepFor(absl::Milliseconds(200));
    }
    return status;
  }
  void SendMessages(uint64_t thread);
  void WriteStreams(uint64_t thread);
  void MakeTags(uint64_t thread);

  static constexpr TagId kTags = 400;
  const uint64_t seed_ = testing::CampaignSeed(1);
  TagId first_tag_ = 0;
  MonotonicTime end_;
  std::atomic<uint64_t> sent_{0}, frames_{0}, made_{0}, refused_{0};
};

void MemoryCampaign::SendMessages(uint64_t thread) {
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
  std::mt19937_64 random(seed_ * 1000 + thread);
  while (MonotonicTime::Now() < end_) {
    const auto& method = kMethods[random() % std::size(kMethods)];
    const size_t bytes_max = size_t{1} << (4 + random() % 20);
    const std::string bytes = RandomMessage(method.type, random, bytes_max, 0);
    const auto compression = random() % 16 == 0 ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE;
    const grpc::Status status = Call(method.method, bytes, compression);
    EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL)
        << "seed " << seed_ << ", " << method.method << ": " << status.error_message();
    sent_.fetch_add(1);
  }
}

void MemoryCampaign::WriteStreams(uint64_t thread) {
  std::mt19937_64 random(seed_ * 1000 + thread);
  v1::WriteRequest request;
  for (uint64_t number = 0; MonotonicTime::Now() < end_; ++number) {
    const absl::Duration patience = absl::Milliseconds(200 + random() % 4'000);
    RawWriteStream stream(channel_, patience, /*takes_answers=*/random() % 3 != 0);
    const uint64_t way = random() % 8;
    uint64_t sequence = 0;
    bool is_open = true;
    for (uint64_t i = 0, messages = 1 + random() % 60; i < messages; ++i) {
      const size_t bytes_max = size_t{1} << (4 + random() % 20);
      request.Clear();
      std::string bytes;
      if (way == 0 || random() % 64 == 0) {
        bytes = RandomMessage(v1::WriteRequest::descriptor(), random, bytes_max, 0);
      } else {
        if (i == 0)
          request.set_producer(absl::StrCat("campaign/", thread, "/", random() % 4 == 0 ? number : 0));
        RandomFrame(random, first_tag_, kTags, random() % 64 == 0 ? random() : ++sequence, bytes_max,
                    request.mutable_frame());
        bytes = request.SerializeAsString();
      }
      if (!(is_open = stream.Write(bytes))) break;
      frames_.fetch_add(1);
    }
    // Else it says nothing more.
    if (way == 1) {
      stream.Cancel();
    } else if (way != 2 && is_open) {
      stream.HalfClose();
    }
    const grpc::Status status = stream.Finish();
    EXPECT_NE(status.error_code(), grpc::StatusCode::INTERNAL)
        << "seed " << seed_ << ": " << status.error_message();
  }
}

void MemoryCampaign::MakeTags(uint64_t thread) {
  std::mt19937_64 random(seed_ * 1000 + thread);
  for (uint64_t number = 0; MonotonicTime::Now() < end_; ++number) {
    std::vector<Tag> tags;
    for (uint64_t i = 0, count = 1 + random() % (random() % 4 == 0 ? 200 : 3); i < count; ++i) {
      Tag& tag = tags.emplace_back(Tag{.name = absl::StrCat("made/", thread, "/", number, "/", i),
                                       .type = ValueType::kDigital,
                                       .interpolation = Interpolation::kStepped,
                                       .description = std::string(random() % 4'097, 'd')});
      const uint32_t states = static_cast<uint32_t>(random() % (count == 1 ? 20'000 : 50));
      const size_t bytes = random() % 250;
      for (uint32_t code = 0; code < states; ++code)
        tag.states[code] = absl::StrCat(code, std::string(bytes, 's'));
    }
    const auto made = client::Tags(*connection_).Ensure(tags);
    if (made.ok()) {
      made_.fetch_add(tags.size());
    } else {
      refused_.fetch_add(1);
      EXPECT_TRUE(absl::IsResourceExhausted(made.status()) || absl::IsDeadlineExceeded(made.status()) ||
                  absl::IsUnavailable(made.status()))
          << made.status();
    }
  }
}

TEST_F(MemoryCampaign, OfManyCallers) {
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 6; ++t) threads.emplace_back([this, t] { SendMessages(t); });
  for (uint64_t t = 6; t < 14; ++t) threads.emplace_back([this, t] { WriteStreams(t); });
  for (uint64_t t = 14; t < 16; ++t) threads.emplace_back([this, t] { MakeTags(t); });
  for (std::thread& thread : threads) thread.join();
  ExpectWell(absl::StrCat(sent_.load(), " random messages, ", frames_.load(), " random frames and ",
                          made_.load(), " tags (", refused_.load(), " times refused) with seed ", seed_));
  // Who was there before is served, however much of the memory definitions have.
  const grpc::Status status = WriteOne(2);
  EXPECT_TRUE(status.ok()) << status.error_message();
  const auto after = client::Admin(*connection_).Status();
  ASSERT_TRUE(after.ok());
  const v1::MemoryUse& memory = after->memory();
  const uint64_t definitions = memory.tags() + memory.tag_states() + memory.producers() + memory.retention() +
                               memory.versions() + memory.weeks();
  EXPECT_LE(definitions, memory.definitions_max() + kMiB);
  EXPECT_EQ(after->memory_bytes(), definitions + memory.open_samples() + memory.frames() + memory.caches() +
                                       memory.store() + memory.calls());
  EXPECT_LE(after->memory_bytes(), kBudget);
}

}  // namespace
}  // namespace historian
