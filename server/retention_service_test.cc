// Retention rules and legal holds over the wire.
#include "server/retention_service.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/test_server.h"

namespace historian::server {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int64_t kDay = 86400 * kSecond;

template <class Request, class Response>
grpc::Status Call(TestServer& server,
                  grpc::Status (v1::Retention::Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Response*),
                  const Request& request, Response* response) {
  grpc::ClientContext context;
  return (server.retention().*method)(&context, request, response);
}

grpc::Status SetRule(TestServer& server, const std::string& name, const std::string& pattern, uint64_t days,
                     uint32_t position = 0) {
  v1::SetRuleRequest request;
  request.mutable_rule()->set_name(name);
  request.mutable_rule()->set_pattern(pattern);
  request.mutable_rule()->set_keep_raw_s(days * 86400);
  request.mutable_rule()->set_keep_rollups_s(days * 86400);
  request.mutable_rule()->set_changed_by("ann");
  if (position > 0) request.set_position(position);
  v1::RetentionRule rule;
  return Call(server, &v1::Retention::Stub::SetRule, request, &rule);
}

v1::ApplyRetentionResponse Apply(TestServer& server, bool dry_run = false) {
  v1::ApplyRetentionRequest request;
  request.set_dry_run(dry_run);
  v1::ApplyRetentionResponse response;
  const grpc::Status status = Call(server, &v1::Retention::Stub::Apply, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

TEST(RetentionServiceTest, RulesAreSetListedInOrderAndRemoved) {
  TestServer server;
  ASSERT_TRUE(SetRule(server, "a", "x/*", 30).ok());
  ASSERT_TRUE(SetRule(server, "b", "*", 0).ok());
  ASSERT_TRUE(SetRule(server, "c", "y", 365, 1).ok());
  const grpc::Status refused = SetRule(server, "", "*", 30);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("name is missing"));
  for (int i = 0; i < 2; ++i) {
    v1::ListRulesResponse rules;
    ASSERT_TRUE(Call(server, &v1::Retention::Stub::ListRules, v1::ListRulesRequest(), &rules).ok());
    ASSERT_THAT(rules.rules(), SizeIs(3));
    EXPECT_EQ(rules.rules(0).name(), "c");
    EXPECT_EQ(rules.rules(1).keep_raw_s(), 30 * 86400);
    EXPECT_EQ(rules.rules(1).changed_by(), "ann");
    EXPECT_EQ(rules.rules(1).changed(), kNow);
    EXPECT_EQ(rules.rules(2).keep_raw_s(), 0) << "for ever";
    server.Restart();
  }
  v1::RemoveRuleRequest remove;
  v1::RemoveRuleResponse removed;
  remove.set_name("a");
  EXPECT_TRUE(Call(server, &v1::Retention::Stub::RemoveRule, remove, &removed).ok());
  EXPECT_EQ(Call(server, &v1::Retention::Stub::RemoveRule, remove, &removed).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST(RetentionServiceTest, WhatHasExpiredIsNotReadAndNotTaken) {
  TestServer server;
  const uint32_t tag = server.Create("a");
  server.Store(tag, {{kNow - 100 * kDay, 1}, {kNow - kDay, 2}});
  ASSERT_TRUE(SetRule(server, "all", "*", 30).ok());
  EXPECT_EQ(Apply(server, /*dry_run=*/true).tags(), 1);
  v1::WhatIsKeptRequest ask;
  ask.mutable_tags()->add_ids(tag);
  v1::WhatIsKeptResponse kept;
  ASSERT_TRUE(Call(server, &v1::Retention::Stub::WhatIsKept, ask, &kept).ok());
  EXPECT_EQ(kept.tags(0).rule().name(), "all");
  EXPECT_THAT(kept.tags(0).expired(), SizeIs(0)) << "it was a trial";

  EXPECT_EQ(Apply(server).tags(), 1);
  ASSERT_TRUE(Call(server, &v1::Retention::Stub::WhatIsKept, ask, &kept).ok());
  ASSERT_THAT(kept.tags(0).expired(), SizeIs(1));
  EXPECT_EQ(kept.tags(0).expired(0).start(), kTimestampMin);
  EXPECT_LE(kept.tags(0).expired(0).end(), kNow - 30 * kDay);
  EXPECT_GT(kept.tags(0).expired(0).end(), kNow - 37 * kDay);

  v1::Frame frame;
  AddColumn(tag, {{kNow - 100 * kDay, 3}, {kNow - 2 * kDay, 4}}, &frame);
  const v1::WriteAck ack = server.WriteFrame(frame);
  EXPECT_EQ(ack.samples_stored(), 1);
  ASSERT_THAT(ack.rejections(), SizeIs(1));
  EXPECT_EQ(ack.rejections(0).reason(), v1::REJECTION_REASON_EXPIRED);
  EXPECT_THAT(ack.rejections(0).message(), HasSubstr("older than the retention of the tag"));
}

TEST(RetentionServiceTest, HoldsArePlacedReleasedAndKept) {
  TestServer server;
  server.Create("site/a");
  server.Create("site/b");
  server.Create("other");
  v1::PlaceHoldRequest place;
  v1::LegalHold& hold = *place.mutable_hold();
  hold.set_name("incident");
  hold.set_pattern("site/*");
  hold.set_start(kNow - 200 * kDay);
  hold.set_end(kNow - 190 * kDay);
  v1::PlaceHoldResponse placed;
  EXPECT_EQ(Call(server, &v1::Retention::Stub::PlaceHold, place, &placed).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  hold.set_reason("the authority asked");
  hold.set_placed_by("ann");
  ASSERT_TRUE(Call(server, &v1::Retention::Stub::PlaceHold, place, &placed).ok());
  EXPECT_EQ(placed.hold().id(), 1);
  EXPECT_EQ(placed.tags(), 2);
  EXPECT_EQ(placed.tags_expired(), 0);
  ASSERT_TRUE(SetRule(server, "all", "*", 30).ok());
  Apply(server);
  v1::WhatIsKeptRequest ask;
  ask.mutable_tags()->add_names("site/a");
  v1::WhatIsKeptResponse kept;
  ASSERT_TRUE(Call(server, &v1::Retention::Stub::WhatIsKept, ask, &kept).ok());
  EXPECT_THAT(kept.tags(0).expired(), SizeIs(2)) << "before and behind what is held";
  EXPECT_THAT(kept.tags(0).holds(), SizeIs(1));

  hold.set_start(kNow - 300 * kDay);
  ASSERT_TRUE(Call(server, &v1::Retention::Stub::PlaceHold, place, &placed).ok());
  EXPECT_EQ(placed.tags_expired(), 2) << "too late for these";

  v1::ReleaseHoldRequest release;
  release.set_id(1);
  release.set_reason("closed");
  release.set_by("bob");
  v1::LegalHold released;
  ASSERT_TRUE(Call(server, &v1::Retention::Stub::ReleaseHold, release, &released).ok());
  EXPECT_EQ(Call(server, &v1::Retention::Stub::ReleaseHold, release, &released).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  for (const bool with_released : {false, true}) {
    v1::ListHoldsRequest list;
    list.set_include_released(with_released);
    v1::ListHoldsResponse holds;
    ASSERT_TRUE(Call(server, &v1::Retention::Stub::ListHolds, list, &holds).ok());
    ASSERT_THAT(holds.holds(), SizeIs(with_released ? 2 : 1));
    if (with_released) {
      EXPECT_EQ(holds.holds(0).release().by(), "bob");
    }
  }
}

}  // namespace
}  // namespace historian::server
