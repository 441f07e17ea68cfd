#include "client/tags.h"

#include "absl/strings/str_cat.h"
#include "client/admin.h"
#include "client/fake_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Tags, CreateIsPerItemAndKeepsTheOrder) {
  FakeServer server;
  const Tags tags(server.connection());
  const Tag request[] = {{.name = "a"}, {.name = "bad*"}, {.name = "b"}};
  const auto outcomes = tags.Create(request);
  ASSERT_TRUE(outcomes.ok()) << outcomes.status();
  EXPECT_EQ((*outcomes)[0].tag.name, "a");
  EXPECT_EQ((*outcomes)[1].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*outcomes)[1].tag.id, 0u);
  EXPECT_EQ((*outcomes)[2].tag.name, "b");
}

TEST(Tags, MoreItemsThanARequestTakesGoInSeveral) {
  FakeServer server;
  std::vector<Tag> request;
  for (int i = 0; i < 25'000; ++i) request.push_back({.name = absl::StrCat("t", i)});
  const auto ensured = Tags(server.connection()).Ensure(request);
  ASSERT_TRUE(ensured.ok()) << ensured.status();
  ASSERT_EQ(ensured->size(), request.size());
  for (size_t i = 0; i < request.size(); ++i) ASSERT_EQ((*ensured)[i].name, request[i].name);
}

TEST(Tags, EnsureGetsWhatExistsUnlessItsTypeDiffers) {
  FakeServer server;
  const Tags tags(server.connection());
  const auto first = tags.Ensure({{.name = "flow", .unit = "m3/h"}});
  ASSERT_TRUE(first.ok());
  const auto second = tags.Ensure({{.name = "flow", .unit = "l/s"}, {.name = "level"}});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)[0].id, (*first)[0].id);
  EXPECT_EQ((*second)[0].unit, "m3/h");
  const auto other =
      tags.Ensure({{.name = "flow", .type = ValueType::kInt64, .interpolation = Interpolation::kStepped}});
  EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("exists with type float64"));
  EXPECT_EQ(tags.Ensure({{.name = "?"}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Tags, GetUpdateAndRetire) {
  FakeServer server;
  const Tags tags(server.connection());
  const TagId id = (*tags.Ensure({{.name = "flow"}}))[0].id;
  EXPECT_EQ(tags.Get(TagKey("flow"))->id, id);
  const auto missing = tags.Get(TagKey("none"));
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("getting tag 'none'"));
  const TagUpdate updates[] = {{.key = id, .unit = "l/s"}, {.key = "none"}};
  const auto updated = tags.Update(updates);
  EXPECT_EQ((*updated)[0].tag.unit, "l/s");
  EXPECT_EQ((*updated)[1].status.code(), absl::StatusCode::kNotFound);
  const TagKey keys[] = {id};
  EXPECT_TRUE((*tags.Retire(keys))[0].tag.retired);
  EXPECT_FALSE((*tags.Unretire(keys))[0].tag.retired);
}

TEST(Tags, ListWalksAllPagesEmptyOnesToo) {
  FakeServer server;
  const Tags tags(server.connection());
  ASSERT_TRUE(tags.Ensure({{.name = "a/1"},
                           {.name = "b/1"},
                           {.name = "b/2"},
                           {.name = "b/3"},
                           {.name = "c/1"},
                           {.name = "c/2"},
                           {.name = "c/3"},
                           {.name = "c/4"}})
                  .ok());
  for (const uint32_t page_size : {1, 2, 3, 100}) {
    std::vector<std::string> names;
    TagList list = tags.List({.prefix = "c/", .page_size = page_size});
    for (const Tag& tag : list) names.push_back(tag.name);
    EXPECT_TRUE(list.status().ok()) << list.status();
    EXPECT_THAT(names, ElementsAre("c/1", "c/2", "c/3", "c/4"));
  }
  TagList none = tags.List({.prefix = "d/"});
  EXPECT_TRUE(none.begin() == none.end());
  EXPECT_TRUE(none.status().ok());
}

TEST(Tags, AReplyOfTheWrongLengthIsInternal) {
  FakeServer server;
  server.lose_a_result = true;
  const Tag request[] = {{.name = "a"}, {.name = "b"}};
  EXPECT_EQ(Tags(server.connection()).Create(request).status().code(), absl::StatusCode::kInternal);
}

TEST(Connection, SaysWhatCannotBe) {
  EXPECT_EQ(Connection::Open({.target = ""}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Connection::Open({.deadline = absl::ZeroDuration()}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Connection::Open({.tls = TlsFiles{.ca = absl::StrCat(::testing::TempDir(), "missing.pem")}})
                .status()
                .code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Connection::Open({.tls = TlsFiles{.cert = "c.pem"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Connection, AServerThatIsNotThereIsUnavailableAndSaysWhatWasAsked) {
  FakeServer server;
  const Connection connection = server.connection();
  EXPECT_TRUE(connection.WaitUntilConnected(absl::Seconds(10)).ok());
  EXPECT_EQ(Admin(connection).Status()->state(), v1::GetStatusResponse::STATE_SERVING);
  EXPECT_EQ(Admin(connection).ListBlocks(TagKey(TagId{1}), 0, 1)->size(), 3u);
  server.Kill();
  const absl::Status status = Admin(connection).Status().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("asking for the status"));
  EXPECT_EQ(connection.WaitUntilConnected(absl::Milliseconds(20)).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace historian::client
