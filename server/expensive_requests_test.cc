// Requests that cost much: each is bounded, ends when its caller's time is over, and keeps nobody else out.
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;

TEST(ExpensiveRequestsTest, APatternThatIsTooLongIsRefusedWhereverOneIsTaken) {
  TestServer server;
  server.Create("plant/flow");
  for (const std::string& pattern :
       {std::string(513, '*'), absl::StrCat("*[", std::string(300'000, 'a'), "]")}) {
    const auto refused = [&](const char* call, const grpc::Status& status) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << call;
      EXPECT_THAT(status.error_message(),
                  HasSubstr(absl::StrCat("the pattern has ", pattern.size(), " bytes; the limit is 512")))
          << call;
    };
    {
      grpc::ClientContext context;
      v1::ListTagsRequest request;
      request.set_pattern(pattern);
      v1::ListTagsResponse response;
      refused("ListTags", server.tags().ListTags(&context, request, &response));
    }
    {
      grpc::ClientContext context;
      v1::ReadLatestRequest request;
      request.mutable_tags()->set_pattern(pattern);
      v1::ReadLatestResponse response;
      refused("ReadLatest", server.query().ReadLatest(&context, request, &response));
    }
    {
      grpc::ClientContext context;
      v1::GetStorageRequest request;
      request.mutable_tags()->set_pattern(pattern);
      v1::GetStorageResponse response;
      refused("GetStorage", server.admin().GetStorage(&context, request, &response));
    }
    {
      grpc::ClientContext context;
      v1::VerifyRequest request;
      request.mutable_tags()->set_pattern(pattern);
      v1::VerifyResponse response;
      const auto stream = server.admin().Verify(&context, request);
      EXPECT_FALSE(stream->Read(&response));
      refused("Verify", stream->Finish());
    }
    {
      grpc::ClientContext context;
      v1::WhatIsKeptRequest request;
      request.mutable_tags()->set_pattern(pattern);
      v1::WhatIsKeptResponse response;
      refused("WhatIsKept", server.retention().WhatIsKept(&context, request, &response));
    }
    {
      grpc::ClientContext context;
      v1::SetRuleRequest request;
      request.mutable_rule()->set_name("rule");
      request.mutable_rule()->set_pattern(pattern);
      v1::RetentionRule response;
      refused("SetRule", server.retention().SetRule(&context, request, &response));
    }
    {
      grpc::ClientContext context;
      v1::PlaceHoldRequest request;
      request.mutable_hold()->set_name("hold");
      request.mutable_hold()->set_pattern(pattern);
      v1::PlaceHoldResponse response;
      refused("PlaceHold", server.retention().PlaceHold(&context, request, &response));
    }
  }
}

TEST(ExpensiveRequestsTest, ACostlyPatternEndsWhenTheTimeOfItsCallIsOver) {
  Config config;
  config.limits.query_timeout = absl::Milliseconds(100);
  TestServer server(config);
  v1::CreateTagsRequest create;
  for (int i = 0; i < 5000; ++i) {
    v1::Tag* tag = create.add_tags();
    tag->set_name(absl::StrCat(std::string(500, 'a'), i));
    tag->set_type(v1::VALUE_TYPE_FLOAT64);
  }
  {
    grpc::ClientContext context;
    v1::TagsResponse created;
    ASSERT_TRUE(server.tags().CreateTags(&context, create, &created).ok());
  }
  // A quarter of a million steps for each name.
  grpc::ClientContext context;
  v1::ReadLatestRequest request;
  request.mutable_tags()->set_pattern(absl::StrCat("*", std::string(250, 'a'), "b"));
  v1::ReadLatestResponse response;
  const grpc::Status status = server.query().ReadLatest(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr("limits.query_timeout"));
}

TEST(ExpensiveRequestsTest, ANewerVerificationTakesThePlaceOfOneThatIsSlow) {
  TestServer server;
  server.Store(server.Create("plant/flow"), {{kNow - 20, 1}, {kNow - 10, 2}});
  grpc::ClientContext slow_context;
  v1::VerifyRequest slow;
  slow.set_bytes_per_second(1);
  const auto first = server.admin().Verify(&slow_context, slow);
  v1::VerifyResponse answer;
  ASSERT_TRUE(first->Read(&answer));
  ASSERT_FALSE(answer.done());
  grpc::ClientContext context;
  const auto second = server.admin().Verify(&context, v1::VerifyRequest());
  while (second->Read(&answer)) {
  }
  EXPECT_TRUE(second->Finish().ok());
  EXPECT_TRUE(answer.done());
  while (first->Read(&answer)) {
  }
  const grpc::Status ended = first->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(ended.error_message(), HasSubstr("a newer verification, asked for from ipv4:127.0.0.1:"));
}

TEST(ExpensiveRequestsTest, WhoeverSealsAllTheTimeSharesSeals) {
  TestServer server;
  const uint32_t tag = server.Create("plant/flow");
  server.Store(tag, {{kNow - 20, 1}});
  std::vector<std::thread> callers;
  for (int i = 0; i < 20; ++i) {
    callers.emplace_back([&server] {
      grpc::ClientContext context;
      v1::SealResponse sealed;
      EXPECT_TRUE(server.admin().Seal(&context, v1::SealRequest(), &sealed).ok());
    });
  }
  for (std::thread& caller : callers) caller.join();
  server.Store(tag, {{kNow - 10, 1}});
  {
    grpc::ClientContext context;
    v1::SealResponse sealed;
    ASSERT_TRUE(server.admin().Seal(&context, v1::SealRequest(), &sealed).ok());
    EXPECT_EQ(sealed.samples(), 1u) << "what was stored before the call is sealed when it returns";
  }
  grpc::ClientContext context;
  v1::GetStatusResponse status;
  ASSERT_TRUE(server.admin().GetStatus(&context, v1::GetStatusRequest(), &status).ok());
  EXPECT_LE(status.seals(), 8u);
  EXPECT_EQ(status.samples_open(), 0u);
}

}  // namespace
}  // namespace historian::server
