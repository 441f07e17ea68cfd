// Tags, administration, health, HTTP and life of a whole server.
#include "server/server.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "server/test_server.h"
#include "storage/format/key.h"
#include "storage/kv/faulty_store.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// ---- Tags

v1::TagsResponse CreateTags(TestServer& server, const v1::CreateTagsRequest& request) {
  v1::TagsResponse response;
  grpc::ClientContext context;
  const grpc::Status status = server.tags().CreateTags(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

TEST(TagsServiceTest, OneTagsErrorLeavesTheOthersDone) {
  TestServer server;
  server.Create("exists");
  v1::CreateTagsRequest request;
  const auto add = [&request](const char* name, v1::ValueType type) {
    request.add_tags()->set_name(name);
    request.mutable_tags(request.tags_size() - 1)->set_type(type);
  };
  add("good", v1::VALUE_TYPE_INT64);
  add("untyped", v1::VALUE_TYPE_UNSPECIFIED);
  add("star*", v1::VALUE_TYPE_BOOL);
  add("exists", v1::VALUE_TYPE_FLOAT64);
  add("exists", v1::VALUE_TYPE_INT64);
  add("sloped bool", v1::VALUE_TYPE_BOOL);
  request.mutable_tags(5)->set_interpolation(v1::INTERPOLATION_SLOPED);
  add("also good", v1::VALUE_TYPE_STRING);
  const v1::TagsResponse response = CreateTags(server, request);
  std::vector<int> codes;
  for (const auto& result : response.results()) codes.push_back(result.status().code());
  EXPECT_THAT(codes, ElementsAre(grpc::StatusCode::OK, grpc::StatusCode::INVALID_ARGUMENT,
                                 grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::OK,
                                 grpc::StatusCode::ALREADY_EXISTS, grpc::StatusCode::INVALID_ARGUMENT,
                                 grpc::StatusCode::OK));
  EXPECT_THAT(response.results(1).status().message(), HasSubstr("the value type is not given"));
  EXPECT_EQ(response.results(4).tag().type(), v1::VALUE_TYPE_FLOAT64);
  EXPECT_EQ(response.results(0).tag().interpolation(), v1::INTERPOLATION_STEPPED);
}

TEST(TagsServiceTest, UpdateChangesWhatIsGiven) {
  TestServer server;
  const uint32_t tag = server.Create("valve", v1::VALUE_TYPE_DIGITAL);
  v1::UpdateTagsRequest request;
  v1::TagUpdate* update = request.add_updates();
  update->mutable_key()->set_id(tag);
  update->set_unit("-");
  (*update->mutable_set_states())[1] = "open";
  (*update->mutable_set_attributes())["area"] = "7";
  request.add_updates()->mutable_key()->set_name("none");
  request.add_updates();
  v1::TagsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(server.tags().UpdateTags(&context, request, &response).ok());
  EXPECT_EQ(response.results(0).tag().unit(), "-");
  EXPECT_EQ(response.results(0).tag().states().at(1), "open");
  EXPECT_EQ(response.results(0).tag().attributes().at("area"), "7");
  EXPECT_EQ(response.results(1).status().code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(response.results(2).status().code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(TagsServiceTest, ListsByNamePageByPage) {
  TestServer server;
  v1::CreateTagsRequest create;
  for (int i = 0; i < 25; ++i) {
    create.add_tags()->set_name(absl::StrCat("plant/", i / 10, i % 10));
    create.mutable_tags(i)->set_type(v1::VALUE_TYPE_FLOAT64);
  }
  CreateTags(server, create);
  v1::ListTagsRequest request;
  request.set_prefix("plant/");
  request.set_pattern("*[0-4]");
  request.set_page_size(4);
  std::vector<std::string> names;
  int pages = 0;
  v1::ListTagsResponse response;
  do {
    grpc::ClientContext context;
    response.Clear();
    ASSERT_TRUE(server.tags().ListTags(&context, request, &response).ok());
    for (const auto& tag : response.tags()) names.push_back(tag.name());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!response.next_page_token().empty());
  EXPECT_EQ(names.size(), 15u);
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(pages, 4);
}

TEST(TagsServiceTest, TooManyItemsNameTheLimit) {
  Config config;
  config.limits.tags_per_request = 2;
  TestServer server(config);
  v1::GetTagsRequest request;
  for (int i = 1; i <= 3; ++i) request.add_keys()->set_id(i);
  v1::TagsResponse response;
  grpc::ClientContext context;
  const grpc::Status status = server.tags().GetTags(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the limit is 2 (limits.tags_per_request)"));
}

// ---- Administration

TEST(AdminServiceTest, SealTurnsOpenSamplesIntoBlocksThatCanBeRead) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 20, 1}, {kNow - 10, 2}});
  v1::GetStatusResponse state;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().GetStatus(&context, {}, &state).ok());
  }
  EXPECT_EQ(state.state(), v1::GetStatusResponse::STATE_SERVING);
  EXPECT_EQ(state.tags(), 1u);
  EXPECT_EQ(state.samples_open(), 2u);
  EXPECT_EQ(state.started(), kNow);
  v1::SealResponse sealed;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().Seal(&context, {}, &sealed).ok());
  }
  EXPECT_EQ(sealed.samples(), 2u);
  EXPECT_EQ(sealed.blocks(), 1u);
  v1::GetStorageRequest ask;
  ask.mutable_tags()->add_ids(tag);
  v1::GetStorageResponse storage;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().GetStorage(&context, ask, &storage).ok());
  }
  EXPECT_EQ(storage.samples_sealed(), 2u);
  ASSERT_EQ(storage.tags_size(), 1);
  EXPECT_EQ(storage.tags(0).samples(), 2u);
  EXPECT_EQ(storage.tags(0).first_time(), kNow - 20);

  v1::ListBlocksRequest list;
  list.set_tag_name("plant/flow");
  list.set_start(kTimestampMin);
  list.set_end(kTimestampMax);
  grpc::ClientContext list_context;
  auto blocks = server.admin().ListBlocks(&list_context, list);
  v1::BlockInfo block;
  ASSERT_TRUE(blocks->Read(&block));
  EXPECT_EQ(block.samples(), 2u);
  v1::ReadBlockRequest read;
  *read.mutable_key() = block.key();
  v1::ReadBlockResponse bytes;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().ReadBlock(&context, read, &bytes).ok());
  }
  EXPECT_EQ(bytes.payload().size(), block.payload_bytes());
  EXPECT_EQ(bytes.type(), v1::VALUE_TYPE_FLOAT64);
  EXPECT_FALSE(blocks->Read(&block));
  EXPECT_TRUE(blocks->Finish().ok());
  read.mutable_key()->set_seal(99);
  grpc::ClientContext context;
  EXPECT_EQ(server.admin().ReadBlock(&context, read, &bytes).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(AdminServiceTest, VerifyReadsEverythingAndNamesWhatIsDamaged) {
  auto faults = std::make_shared<kv::Faults>();
  TestServer server(Config(), [&](std::unique_ptr<kv::Store> store) {
    return kv::NewFaultyStore(std::move(store), faults);
  });
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 20, 1}, {kNow - 10, 2}});
  {
    grpc::ClientContext context;
    v1::SealResponse sealed;
    ASSERT_TRUE(server.admin().Seal(&context, {}, &sealed).ok());
  }
  const auto verify = [&](const v1::VerifyRequest& request, std::vector<v1::Damage>* damages) {
    grpc::ClientContext context;
    const auto stream = server.admin().Verify(&context, request);
    v1::VerifyResponse answer, last;
    while (stream->Read(&answer)) {
      damages->insert(damages->end(), answer.damage().begin(), answer.damage().end());
      last = answer;
    }
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_TRUE(last.done());
    return last;
  };
  std::vector<v1::Damage> damages;
  v1::VerifyResponse last = verify({}, &damages);
  EXPECT_EQ(last.blocks(), 1);
  EXPECT_EQ(last.damages(), 0);
  const std::string key = format::PagesKey({format::PartitionOf(kNow - 20), tag, kNow - 20, /*seal=*/1});
  ASSERT_TRUE(faults->DamageValue(kv::Space::kPages, key, 3).ok());
  last = verify({}, &damages);
  EXPECT_EQ(last.damages(), 1);
  ASSERT_EQ(damages.size(), 1);
  EXPECT_EQ(damages[0].tag_name(), "plant/flow");
  EXPECT_EQ(damages[0].where(), v1::Damage::WHERE_PAGE);
  EXPECT_EQ(damages[0].first_time(), kNow - 20);
  EXPECT_EQ(damages[0].last_time(), kNow - 10);

  v1::VerifyRequest other;
  other.mutable_tags()->add_names("plant/none");
  grpc::ClientContext context;
  v1::VerifyResponse answer;
  const auto stream = server.admin().Verify(&context, other);
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(TagsServiceTest, ChangesAreLoggedWithWhoMadeThem) {
  TestServer server;
  v1::CreateTagsRequest create;
  for (const char* name : {"plant/flow", "plant/level", ""}) {
    v1::Tag* const tag = create.add_tags();
    tag->set_name(name);
    tag->set_type(v1::VALUE_TYPE_FLOAT64);
  }
  for (int i = 0; i < 2; ++i) CreateTags(server, create);  // The second time there is nothing to create.
  v1::UpdateTagsRequest update;
  update.add_updates()->mutable_key()->set_name("plant/level");
  update.mutable_updates(0)->set_unit("m");
  v1::RetireTagsRequest retire;
  retire.add_keys()->set_name("plant/level");
  retire.add_keys()->set_name("plant/none");
  v1::TagsResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.tags().UpdateTags(&context, update, &response).ok());
  }
  for (const bool undo : {false, true}) {
    grpc::ClientContext context;
    retire.set_undo(undo);
    ASSERT_TRUE(server.tags().RetireTags(&context, retire, &response).ok());
  }
  const std::string log = server.LogText();
  EXPECT_THAT(log, HasSubstr("tags_created tags=2 first=plant/flow by=\"\" peer=ipv4:127.0.0.1:"));
  EXPECT_EQ(log.find("tags_created"), log.rfind("tags_created"));
  for (const char* line : {"tags_changed", "tags_retired", "tags_restored"}) {
    EXPECT_THAT(log, HasSubstr(absl::StrCat(line, " tags=1 first=plant/level by=")));
  }
}

TEST(TagsServiceTest, ATagWhoseSamplesAreAllBadMayHaveAnotherType) {
  TestServer server;
  const uint32_t tag = server.Create("lab/ph");
  const auto change = [&] {
    v1::UpdateTagsRequest update;
    update.add_updates()->mutable_key()->set_name("lab/ph");
    update.mutable_updates(0)->set_type(v1::VALUE_TYPE_STRING);
    v1::TagsResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(server.tags().UpdateTags(&context, update, &response).ok());
    return response.results(0);
  };
  server.Store(tag, {{kNow - 10, 1}});
  const v1::TagResult refused = change();
  EXPECT_EQ(refused.status().code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.status().message(),
              HasSubstr("'lab/ph' has 1 samples that are not Bad: its type stays float64"));
  server.Store(tag, {{kNow - 10, 0}}, kBad);
  const v1::TagResult changed = change();
  ASSERT_EQ(changed.status().code(), 0) << changed.status().message();
  EXPECT_EQ(changed.tag().type(), v1::VALUE_TYPE_STRING);
  EXPECT_NE(changed.tag().id(), tag);
  EXPECT_EQ(change().status().code(), 0) << "it has this type";
}

TEST(AdminServiceTest, WhatLiesAheadOfTheClockIsToldAtTheStartAndInTheStatus) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 10, 1}, {kNow + 1800 * kSecond, 2}});
  server.Restart();
  EXPECT_THAT(server.LogText(), HasSubstr("samples_ahead_of_clock tags=1 farthest=2026-01-01T00:30:00Z"));
  v1::GetStatusResponse status;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(server.admin().GetStatus(&context, {}, &status).ok());
  }
  EXPECT_EQ(status.tags_ahead(), 1u);
  EXPECT_EQ(status.farthest_ahead(), kNow + 1800 * kSecond);
  grpc::ClientContext context;
  v1::ReadLatestRequest request;
  request.mutable_tags()->add_ids(tag);
  v1::ReadLatestResponse latest;
  ASSERT_TRUE(server.query().ReadLatest(&context, request, &latest).ok());
  EXPECT_EQ(latest.samples(0).times(0), kNow - 10);
}

// ---- Health

TEST(HealthTest, StandardServiceSaysServing) {
  TestServer server;
  grpc::GenericStub stub(server.NewChannel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice empty("");
  auto call =
      stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::ByteBuffer(&empty, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  grpc::Slice bytes;
  ASSERT_TRUE(answer.DumpToSingleSlice(&bytes).ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size()),
            "\x08\x01");  // status: SERVING
}

// Tools that call by name, such as grpcurl, ask the reflection for what they send.
TEST(ReflectionTest, EveryServiceHasADescription) {
  TestServer server;
  const google::protobuf::DescriptorPool& pool = *google::protobuf::DescriptorPool::generated_pool();
  for (const char* service : {"grpc.health.v1.Health", "historian.v1.Ingest", "historian.v1.Query"}) {
    ASSERT_NE(pool.FindServiceByName(service), nullptr) << service;
  }
  EXPECT_NE(pool.FindServiceByName("grpc.health.v1.Health")->FindMethodByName("Check"), nullptr);
  // Imported by other languages without the name `proto`, which Google's own packages have.
  EXPECT_EQ(pool.FindServiceByName("historian.v1.Query")->file()->name(), "historian/v1/query.proto");
}

// ---- HTTP

std::string Get(const std::string& path, const std::string& more = "") {
  return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", more, "\r\n");
}

TEST(HttpTest, AnswersProbesMetricsAndNothingElse) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow, 1}});
  const std::string address = server.server().http_address();
  EXPECT_THAT(TcpExchange(address, Get("/healthz")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(TcpExchange(address, Get("/readyz?probe=1")), HasSubstr("\r\n\r\nready\n"));
  EXPECT_THAT(TcpExchange(address, Get("/secret")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(TcpExchange(address, Get("/healthz", absl::StrCat("X: ", std::string(9000, 'x'), "\r\n"))),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(TcpExchange(address, "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(TcpExchange(address, "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(TcpExchange(address, "no request at all\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(TcpExchange(address, "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              Not(HasSubstr("ok\n")));
  const std::string metrics = TcpExchange(address, Get("/metrics"));
  for (const char* line :
       {"historian_samples_stored_total 1\n", "historian_ack_seconds_count 1\n", "historian_tags 1\n",
        "historian_ready 1\n", "historian_calls_total{code=\"OK\",method=\"WriteOnce\"} 1\n",
        "historian_build_info{version=\"", "historian_call_seconds_bucket{method=\"ReadRaw\"",
        "historian_journal_bytes ", "historian_ingest_accepting 1\n",
        "historian_store_space_bytes{space=\"pages\"}", "historian_write_streams 0\n",
        "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total ",
        "process_resident_memory_bytes ", "process_start_time_seconds 1", "process_open_fds "}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

// ---- Life

TEST(ServerTest, WhatWasAcknowledgedIsThereAfterARestart) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow, 42}});
  server.Restart();
  v1::ReadLatestRequest request;
  request.mutable_tags()->add_names("plant/flow");
  v1::ReadLatestResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(server.query().ReadLatest(&context, request, &response).ok());
  EXPECT_THAT(response.samples(0).values().float64().values(), ElementsAre(42));
  EXPECT_THAT(server.LogText(), HasSubstr("sealed_on_stop samples=1"));
}

TEST(ServerTest, HeldStoreAndTakenPortAreToldPlainly) {
  TestServer running;
  auto log = Log::Open(absl::StrCat(::testing::TempDir(), "other.log"), "info", "text");
  ASSERT_TRUE(log.ok());
  Config config;
  config.data_dir = "memory";
  config.grpc.listen = running.server().grpc_address();
  config.http.listen = "127.0.0.1:0";
  auto taken = Server::Start(
      config, [] { return kv::NewMemoryStore(); }, running.clock(), **log);
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr("grpc.listen: cannot listen on 127.0.0.1:"));
  config.grpc.listen = "127.0.0.1:0";
  config.http.listen = running.server().http_address();
  taken = Server::Start(
      config, [] { return kv::NewMemoryStore(); }, running.clock(), **log);
  EXPECT_THAT(std::string(taken.status().message()), HasSubstr("http.listen: cannot listen on 127.0.0.1:"));
  config.http.listen = "127.0.0.1:0";
  auto held = Server::Start(
      config, [] { return absl::FailedPreconditionError("another server holds /data"); }, running.clock(),
      **log);
  EXPECT_THAT(std::string(held.status().message()), HasSubstr("another server holds /data"));
}

}  // namespace
}  // namespace historian::server
