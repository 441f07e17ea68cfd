// Who may do what, over gRPC and HTTP: each call with each kind of caller.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/historian/v1/access.grpc.pb.h"
#include "server/caller/access_list.h"
#include "server/test_server.h"
#include "storage/platform/eventually.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kLong = absl::Seconds(20);

std::string NewDirectory() {
  std::string name = absl::StrCat(::testing::TempDir(), "/access-XXXXXX");
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name;
}

Config ConfigWithDirectory() {
  Config config;
  config.data_dir = NewDirectory();
  return config;
}

// A server with the tags a/1, a/2, b/1 and a sample in each, and a token for each kind of caller.
class AccessTest : public ::testing::Test {
 protected:
  AccessTest() : server_(ConfigWithDirectory()), access_(v1::Access::NewStub(server_.NewChannel())) {
    for (const char* const name : {"a/1", "a/2", "b/1"}) {
      ids_.push_back(server_.Create(name));
      server_.Store(ids_.back(), {{kNow - kSecond, 1.5}});
    }
    const auto with = [](const std::vector<std::string>& read, const std::vector<std::string>& write,
                         const std::vector<std::string>& configure,
                         const std::vector<std::string>& administer) {
      v1::Permissions permissions;
      permissions.mutable_read()->Add(read.begin(), read.end());
      permissions.mutable_write()->Add(write.begin(), write.end());
      permissions.mutable_configure()->Add(configure.begin(), configure.end());
      permissions.mutable_administer()->Add(administer.begin(), administer.end());
      return permissions;
    };
    admin_ = Make("admin", with({"*"}, {"*"}, {"*"}, {"*"}), "");
    reader_ = Make("reader", with({"a/*"}, {}, {}, {}), admin_);
    writer_ = Make("writer", with({}, {"a/1"}, {}, {}), admin_);
    configurer_ = Make("configurer", with({}, {}, {"a/*"}, {}), admin_);
    storekeeper_ = Make("storekeeper", with({}, {}, {}, {"a/*"}), admin_);
    mixed_ = Make("mixed", with({"a/*"}, {"b/*"}, {}, {}), admin_);
  }

  std::string Make(const std::string& name, const v1::Permissions& permissions, const std::string& as) {
    v1::CreateTokenRequest request;
    request.mutable_token()->set_name(name);
    *request.mutable_token()->mutable_permissions() = permissions;
    v1::CreateTokenResponse response;
    const grpc::Status status = As(
        as, [&](grpc::ClientContext* context) { return access_->CreateToken(context, request, &response); });
    EXPECT_TRUE(status.ok()) << status.error_message();
    token_ids_[name] = response.entry().token_id();
    return response.token();
  }

  static grpc::Status As(const std::string& token,
                         const std::function<grpc::Status(grpc::ClientContext*)>& call) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    return call(&context);
  }

  grpc::Status ReadRaw(const std::string& token, uint32_t tag) {
    return As(token, [&](grpc::ClientContext* context) {
      v1::ReadRawRequest request;
      request.set_tag_id(tag);
      request.set_end(kNow);
      const auto stream = server_.query().ReadRaw(context, request);
      v1::RawFrame frame;
      while (stream->Read(&frame)) {
      }
      return stream->Finish();
    });
  }
  grpc::Status ReadLatest(const std::string& token, const v1::TagSelection& tags,
                          v1::ReadLatestResponse* response) {
    return As(token, [&](grpc::ClientContext* context) {
      v1::ReadLatestRequest request;
      *request.mutable_tags() = tags;
      return server_.query().ReadLatest(context, request, response);
    });
  }
  std::vector<std::string> List(const std::string& token, uint32_t page = 0) {
    std::vector<std::string> names;
    v1::ListTagsRequest request;
    request.set_page_size(page);
    do {
      v1::ListTagsResponse response;
      const grpc::Status status = As(token, [&](grpc::ClientContext* context) {
        return server_.tags().ListTags(context, request, &response);
      });
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Tag& tag : response.tags()) names.push_back(tag.name());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return names;
  }
  grpc::Status Write(const std::string& token, const std::string& producer, uint64_t sequence,
                     const std::vector<uint32_t>& tags, v1::WriteAck* ack) {
    v1::WriteOnceRequest request;
    request.set_producer(producer);
    request.mutable_frame()->set_sequence(sequence);
    for (const uint32_t tag : tags) {
      AddColumn(tag, {{kNow + static_cast<int64_t>(sequence), 2.5}}, request.mutable_frame());
    }
    return As(token, [&](grpc::ClientContext* context) {
      return server_.ingest().WriteOnce(context, request, ack);
    });
  }
  std::string Scrape(const std::string& token) {
    return TcpExchange(
        server_.server().http_address(),
        absl::StrCat("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
                     token.empty() ? "" : absl::StrCat("Authorization: Bearer ", token, "\r\n"), "\r\n"));
  }

  TestServer server_;
  std::unique_ptr<v1::Access::Stub> access_;
  std::vector<uint32_t> ids_;
  std::map<std::string, std::string> token_ids_;
  std::string admin_, reader_, writer_, configurer_, storekeeper_, mixed_;
};

// Every call of the contract; nothing is checked but who may make it.
struct Call {
  const char* name;
  const char* callers;  // Those to whom the answer is not PERMISSION_DENIED.
};

constexpr Call kCalls[] = {
    {"Ingest/WriteOnce", "admin writer mixed"},
    {"Ingest/GetProducer", "admin writer mixed"},
    {"Tags/CreateTags", "admin configurer"},
    {"Tags/UpdateTags", "admin configurer"},
    {"Tags/GetTags", "admin reader writer configurer storekeeper mixed"},
    {"Tags/ListTags", "admin reader writer configurer storekeeper mixed"},
    {"Tags/RetireTags", "admin configurer"},
    {"Query/ReadRaw", "admin reader mixed"},
    {"Query/ReadLatest", "admin reader mixed"},
    {"Query/ReadAtTimes", "admin reader mixed"},
    {"Query/ReadJoined", "admin reader mixed"},
    {"Query/ReadProcessed", "admin reader mixed"},
    {"Query/Plot", "admin reader mixed"},
    {"Query/Explain", "admin reader mixed"},
    {"Admin/GetStatus", "admin reader writer configurer storekeeper mixed"},
    {"Admin/GetStorage", "admin storekeeper"},
    {"Admin/Seal", "admin"},
    {"Admin/ListBlocks", "admin storekeeper"},
    {"Admin/ReadBlock", "admin storekeeper"},
    {"Admin/Verify", "admin"},
    {"Admin/ListVersions", "admin reader writer configurer storekeeper mixed"},
    {"Admin/MarkVersion", "admin"},
    {"Admin/ListProducers", "admin"},
    {"Admin/ResetProducer", "admin"},
    {"Retention/ListRules", "admin"},
    {"Retention/SetRule", "admin"},
    {"Retention/RemoveRule", "admin"},
    {"Retention/ListHolds", "admin"},
    {"Retention/PlaceHold", "admin"},
    {"Retention/ReleaseHold", "admin"},
    {"Retention/Apply", "admin"},
    {"Retention/WhatIsKept", "admin reader mixed"},
    {"Access/WhoAmI", "admin reader writer configurer storekeeper mixed"},
    {"Access/CreateToken", "admin"},
    {"Access/ListAccess", "admin"},
    {"Access/RevokeToken", "admin"},
    {"Backup/Init", "admin"},
    {"Backup/Create", "admin"},
    {"Backup/List", "admin"},
    {"Backup/Verify", "admin"},
    {"Backup/Prune", "admin"},
    {"Backup/Drill", "admin"},
};

TEST_F(AccessTest, EveryCallAsksWhoMakesIt) {
  const std::map<std::string, std::string> tokens = {
      {"admin", admin_},           {"reader", reader_},           {"writer", writer_},
      {"configurer", configurer_}, {"storekeeper", storekeeper_}, {"mixed", mixed_}};
  std::set<std::string> called;
  for (const Call& call : kCalls) {
    const std::string method = absl::StrCat("/historian.v1.", call.name);
    const auto code = [&](const std::string& token) {
      return CallWithBytes(server_.NewChannel(), method, "", token).error_code();
    };
    EXPECT_EQ(code(""), grpc::StatusCode::UNAUTHENTICATED) << call.name;
    EXPECT_EQ(code("hst_0123456789abcdef_0"), grpc::StatusCode::UNAUTHENTICATED) << call.name;
    for (const auto& [name, token] : tokens) {
      const bool may = absl::StrContains(absl::StrCat(" ", call.callers, " "), absl::StrCat(" ", name, " "));
      const grpc::StatusCode got = code(token);
      EXPECT_EQ(got != grpc::StatusCode::PERMISSION_DENIED, may)
          << call.name << " by " << name << ": " << got;
      EXPECT_NE(got, grpc::StatusCode::UNAUTHENTICATED) << call.name << " by " << name;
    }
    called.insert(method);
  }
  // No call is forgotten.
  for (const auto* const descriptor :
       {v1::ReadRawRequest::descriptor()->file(), v1::WriteRequest::descriptor()->file(),
        v1::CreateTagsRequest::descriptor()->file(), v1::GetStatusRequest::descriptor()->file(),
        v1::ListRulesRequest::descriptor()->file(), v1::WhoAmIRequest::descriptor()->file(),
        v1::CreateBackupRequest::descriptor()->file()}) {
    for (int s = 0; s < descriptor->service_count(); ++s) {
      for (int m = 0; m < descriptor->service(s)->method_count(); ++m) {
        const auto* const it = descriptor->service(s)->method(m);
        if (it->client_streaming()) continue;  // Write has tests of its own.
        EXPECT_TRUE(called.count(absl::StrCat("/", descriptor->service(s)->full_name(), "/", it->name())))
            << it->full_name();
      }
    }
  }
}

TEST_F(AccessTest, TagsWithoutRightsDoNotExist) {
  EXPECT_THAT(List(reader_), ElementsAre("a/1", "a/2"));
  EXPECT_THAT(List(writer_), ElementsAre("a/1"));
  EXPECT_THAT(List(mixed_), ElementsAre("a/1", "a/2", "b/1"));
  EXPECT_TRUE(ReadRaw(reader_, ids_[0]).ok());
  // Another's tag, and one that nobody has: the same words.
  const grpc::Status hidden = ReadRaw(reader_, ids_[2]), absent = ReadRaw(reader_, 99);
  EXPECT_EQ(hidden.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(hidden.error_message(), absl::StrCat("no tag has the id ", ids_[2]));
  EXPECT_EQ(absent.error_message(), "no tag has the id 99");
  // One that is seen but may not be read.
  const grpc::Status seen = ReadRaw(mixed_, ids_[2]);
  EXPECT_EQ(seen.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(seen.error_message(), HasSubstr("token 'mixed'"));
  EXPECT_THAT(seen.error_message(), HasSubstr("may not read tag 3 'b/1'"));

  v1::TagSelection tags;
  v1::ReadLatestResponse latest;
  tags.set_pattern("*");
  ASSERT_TRUE(ReadLatest(reader_, tags, &latest).ok());
  EXPECT_THAT(latest.samples(0).tag_ids(), ElementsAre(ids_[0], ids_[1]));
  ASSERT_TRUE(ReadLatest(mixed_, tags, &latest).ok());
  EXPECT_THAT(latest.samples(0).tag_ids(), ElementsAre(ids_[0], ids_[1]));
  tags.Clear();
  tags.add_names("b/1");
  EXPECT_EQ(ReadLatest(reader_, tags, &latest).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReadLatest(mixed_, tags, &latest).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  for (const bool by_name : {false, true}) {
    v1::GetTagsRequest request;
    if (by_name) {
      request.add_keys()->set_name("b/1");
    } else {
      request.add_keys()->set_id(ids_[2]);
    }
    v1::TagsResponse response;
    ASSERT_TRUE(
        As(reader_, [&](auto* context) { return server_.tags().GetTags(context, request, &response); }).ok());
    EXPECT_EQ(response.results(0).status().code(), grpc::StatusCode::NOT_FOUND);
    EXPECT_FALSE(response.results(0).has_tag());
  }
}

TEST_F(AccessTest, PagesOfTagsAreFullForWhoSeesFew) {
  for (int i = 0; i < 100; ++i) {
    v1::CreateTagsRequest request;
    request.add_tags()->set_name(absl::StrCat("a/", 1000 + i, i % 7 == 0 ? "x" : "y"));
    request.mutable_tags(0)->set_type(v1::VALUE_TYPE_FLOAT64);
    v1::TagsResponse response;
    ASSERT_TRUE(As(admin_, [&](auto* context) {
                  return server_.tags().CreateTags(context, request, &response);
                }).ok());
  }
  v1::Permissions permissions;
  permissions.add_read("*x");
  const std::string few = Make("few", permissions, admin_);
  for (const uint32_t page : {1u, 4u, 15u, 16u, 1000u}) EXPECT_EQ(List(few, page).size(), 15u) << page;
}

TEST_F(AccessTest, SamplesOfOtherTagsAreRejectedAndTheRestIsStored) {
  v1::WriteAck ack;
  grpc::Status status = Write(mixed_, "mixed", 1, {ids_[0], ids_[2], 99}, &ack);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ack.samples_stored(), 1u);
  ASSERT_EQ(ack.rejections_size(), 2);
  EXPECT_EQ(ack.rejections(0).reason(), v1::REJECTION_REASON_NOT_PERMITTED);
  EXPECT_THAT(ack.rejections(0).message(), HasSubstr("'mixed' may not write tag 1"));
  EXPECT_EQ(ack.rejections(1).reason(), v1::REJECTION_REASON_UNKNOWN_TAG);
  // A tag that the writer does not see is as one that does not exist.
  status = Write(writer_, "writer/x", 1, {ids_[0], ids_[1], 99}, &ack);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ack.samples_stored(), 1u);
  ASSERT_EQ(ack.rejections_size(), 2);
  EXPECT_EQ(ack.rejections(0).reason(), v1::REJECTION_REASON_UNKNOWN_TAG);
  EXPECT_EQ(ack.rejections(0).message(), absl::StrCat("no tag has id ", ids_[1]));
  EXPECT_EQ(ack.rejections(1).message(), "no tag has id 99");
  // Snapshots likewise.
  v1::WriteOnceRequest request;
  request.set_producer("writer");
  request.mutable_frame()->set_sequence(1);
  v1::Snapshot* const snapshot = request.mutable_frame()->add_snapshots();
  snapshot->set_time(kNow + 10);
  for (const uint32_t id : {ids_[1], ids_[0]}) {
    snapshot->add_tag_ids(id);
    snapshot->mutable_values()->mutable_float64()->add_values(1);
  }
  ASSERT_TRUE(
      As(writer_, [&](auto* context) { return server_.ingest().WriteOnce(context, request, &ack); }).ok());
  EXPECT_EQ(ack.samples_stored(), 1u);
  EXPECT_EQ(ack.rejections(0).reason(), v1::REJECTION_REASON_UNKNOWN_TAG);
  // The same frame again is repeated, whoever may write what meanwhile.
  status = Write(mixed_, "mixed", 1, {ids_[0], ids_[2], 99}, &ack);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ack.frames_repeated(), 1u);
}

TEST_F(AccessTest, ProducersBelongToWhoMayUseThem) {
  v1::WriteAck ack;
  EXPECT_TRUE(Write(writer_, "writer", 1, {ids_[0]}, &ack).ok());
  EXPECT_TRUE(Write(writer_, "writer/line-2", 1, {ids_[0]}, &ack).ok());
  for (const char* const name : {"writer2", "mixed", "test-1"}) {
    const grpc::Status status = Write(writer_, name, 1, {ids_[0]}, &ack);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << name;
    EXPECT_THAT(status.error_message(), HasSubstr("only as one of: writer, writer/*"));
  }
  const grpc::Status status = As(writer_, [&](grpc::ClientContext* context) {
    v1::WriteAck first;
    const auto stream = server_.ingest().Write(context);
    v1::WriteRequest request;
    request.set_producer("mixed");
    stream->Write(request);
    EXPECT_FALSE(stream->Read(&first));
    return stream->Finish();
  });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(As("", [&](grpc::ClientContext* context) { return server_.ingest().Write(context)->Finish(); })
                .error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  // A stream is counted when it has ended on the server, too.
  for (const char* const line :
       {"historian_access_refused_total{reason=\"permission_denied\"} 4",
        "historian_write_streams_ended_total{peer=\"ipv4:127.0.0.1\",reason=\"refused\"} 2"}) {
    EXPECT_TRUE(Eventually([&] { return absl::StrContains(Scrape(admin_), line); })) << line;
  }
  EXPECT_THAT(server_.LogText(), HasSubstr("access_refused method=WriteOnce caller=\"token 'writer'"));
}

TEST_F(AccessTest, RevokedTokenEndsItsStreams) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", absl::StrCat("Bearer ", writer_));
  const auto stream = server_.ingest().Write(&context);
  v1::WriteRequest request;
  request.set_producer("writer");
  request.mutable_frame()->set_sequence(1);
  AddColumn(ids_[0], {{kNow + 1, 1.5}}, request.mutable_frame());
  v1::WriteAck ack;
  ASSERT_TRUE(stream->Write(request));
  while (ack.acknowledged() < 1) ASSERT_TRUE(stream->Read(&ack));
  v1::RevokeTokenRequest revoke;
  revoke.set_token_id(token_ids_["writer"]);
  v1::RevokeTokenResponse revoked;
  ASSERT_TRUE(As(admin_, [&](auto* c) { return access_->RevokeToken(c, revoke, &revoked); }).ok());
  EXPECT_EQ(revoked.entry().revoked_by(), "admin");
  request.mutable_frame()->set_sequence(2);
  stream->Write(request);
  while (stream->Read(&ack)) {
  }
  EXPECT_LT(ack.acknowledged(), 2u);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessTest, TagsAreCreatedAndChangedWhereOneMayConfigureThem) {
  v1::CreateTagsRequest create;
  for (const char* const name : {"a/new", "b/new"}) {
    create.add_tags()->set_name(name);
    create.mutable_tags(create.tags_size() - 1)->set_type(v1::VALUE_TYPE_FLOAT64);
  }
  v1::TagsResponse response;
  ASSERT_TRUE(As(configurer_, [&](auto* context) {
                return server_.tags().CreateTags(context, create, &response);
              }).ok());
  EXPECT_EQ(response.results(0).status().code(), 0);
  EXPECT_EQ(response.results(1).status().code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(response.results(1).status().message(), HasSubstr("may not configure tag 'b/new'"));
  v1::RetireTagsRequest retire;
  retire.add_keys()->set_name("a/new");
  retire.add_keys()->set_name("b/1");
  ASSERT_TRUE(As(configurer_, [&](auto* context) {
                return server_.tags().RetireTags(context, retire, &response);
              }).ok());
  EXPECT_EQ(response.results(0).status().code(), 0);
  EXPECT_EQ(response.results(1).status().code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(AccessTest, AuthorsAreWhoTheyAreNotWhoTheySay) {
  v1::MarkVersionRequest request;
  request.set_author("somebody else");
  request.set_comment("x");
  v1::MarkVersionResponse response;
  ASSERT_TRUE(As(admin_, [&](auto* context) {
                return server_.admin().MarkVersion(context, request, &response);
              }).ok());
  EXPECT_EQ(response.version().author(), "admin");
}

TEST_F(AccessTest, StatusTellsMoreToAdministrators) {
  v1::GetStatusResponse all, little;
  ASSERT_TRUE(As(admin_, [&](auto* context) { return server_.admin().GetStatus(context, {}, &all); }).ok());
  ASSERT_TRUE(
      As(reader_, [&](auto* context) { return server_.admin().GetStatus(context, {}, &little); }).ok());
  EXPECT_EQ(all.access(), v1::GetStatusResponse::ACCESS_CLOSED);
  EXPECT_THAT(all.data_directory(), Not(IsEmpty()));
  EXPECT_EQ(all.tags(), 3u);
  EXPECT_EQ(little.state(), v1::GetStatusResponse::STATE_SERVING);
  EXPECT_THAT(little.data_directory(), IsEmpty());
  EXPECT_EQ(little.tags(), 0u);
}

TEST_F(AccessTest, MetricsAskForATokenAndHealthDoesNot) {
  EXPECT_THAT(Scrape(""), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Scrape("hst_wrong"), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(Scrape(reader_), StartsWith("HTTP/1.1 200"));
  for (const char* const path : {"/healthz", "/readyz"}) {
    EXPECT_THAT(TcpExchange(server_.server().http_address(),
                            absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
                StartsWith("HTTP/1.1 200"));
  }
}

TEST_F(AccessTest, RightsSurviveARestart) {
  server_.Restart();
  EXPECT_EQ(ReadRaw("", ids_[0]).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(ReadRaw(reader_, ids_[0]).ok());
}

// ---- Starting

absl::Status StartOn(const std::string& listen, const std::function<void(Config*)>& change = nullptr) {
  auto log = *Log::Open(absl::StrCat(NewDirectory(), "/log"), "info", "text");
  Config config;
  config.data_dir = NewDirectory();
  config.grpc.listen = listen;
  config.http.listen = "127.0.0.1:0";
  if (change != nullptr) change(&config);
  SimulatedClock clock(kNow);
  auto server = Server::Start(
      config, [] { return kv::NewMemoryStore(); }, clock, *log);
  if (server.ok()) (*server)->Stop().IgnoreError();
  return server.status();
}

TEST(StartTest, OtherMachinesAreNotServedWithoutAQuestion) {
  const absl::Status open = StartOn("0.0.0.0:0");
  EXPECT_TRUE(absl::IsFailedPrecondition(open)) << open;
  EXPECT_THAT(std::string(open.message()), HasSubstr("--insecure"));
  EXPECT_THAT(std::string(open.message()), HasSubstr("without TLS"));
  // Tokens could be read on the way.
  EXPECT_TRUE(absl::IsFailedPrecondition(StartOn("0.0.0.0:0", [](Config* config) {
    AccessEntry entry{.name = "a", .permissions = {.tags = {{{}, {}, {}, {"*"}}}}};
    ASSERT_TRUE(AddToken(TokensFileOf(config->data_dir), kNow, &entry).ok());
  })));
  EXPECT_TRUE(StartOn("0.0.0.0:0", [](Config* config) { config->access.insecure = true; }).ok());
  EXPECT_TRUE(StartOn("127.0.0.1:0").ok());
  // Where it is in no hosts file, as in a bare container, it is no address at all.
  EXPECT_FALSE(absl::IsFailedPrecondition(StartOn("localhost:0")));
}

TEST(StartTest, InsecureIsSaidInStatusAndLog) {
  const std::string directory = NewDirectory();
  auto log = *Log::Open(absl::StrCat(directory, "/log"), "info", "text");
  Config config;
  config.data_dir = directory;
  config.grpc.listen = "0.0.0.0:0";
  config.http.listen = "127.0.0.1:0";
  config.access.insecure = true;
  SimulatedClock clock(kNow);
  auto server = Server::Start(
      config, [] { return kv::NewMemoryStore(); }, clock, *log);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string& address = (*server)->grpc_address();
  const auto stub = v1::Admin::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1", address.substr(address.rfind(':'))), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  ASSERT_TRUE(stub->GetStatus(&context, {}, &status).ok());
  EXPECT_EQ(status.access(), v1::GetStatusResponse::ACCESS_INSECURE);
  EXPECT_TRUE((*server)->Stop().ok());
  log->Flush(kLong);
  std::ifstream in(absl::StrCat(directory, "/log"));
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, HasSubstr(" insecure grpc=0.0.0.0:0 danger="));
}

TEST(StartTest, AccessFileIsReadAgainWhileTheServerRuns) {
  Config config = ConfigWithDirectory();
  config.access.file = absl::StrCat(config.data_dir, "/access.toml");
  std::ofstream(config.access.file) << "# nobody yet\n";
  TestServer server(config);
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  EXPECT_EQ(server.admin().GetStatus(&context, {}, &status).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  std::ofstream(config.access.file) << "[[principal]]\nname = 'x'\nread = ['*']\n";
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(server.LogText(), "access_reread"); }));
  std::ofstream(config.access.file) << "[[principal]]\nname = 7\n";
  EXPECT_TRUE(Eventually([&] { return absl::StrContains(server.LogText(), "access_refused_to_reread"); }));
}

}  // namespace
}  // namespace historian::server
