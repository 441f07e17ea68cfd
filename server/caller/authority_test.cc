#include "server/caller/authority.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/kv/memory_store.h"
#include "storage/model/clock.h"

namespace historian::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr Timestamp kNow = 1'767'225'600'000'000'000;
constexpr Timestamp kHour = 3600 * kNanosPerSecond;

class AuthorityTest : public ::testing::Test {
 protected:
  AuthorityTest() {
    const auto* const info = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = absl::StrCat(::testing::TempDir(), "/authority-", info->name(), "-", getpid());
    mkdir(directory_.c_str(), 0700);
  }

  std::string tokens_file() const { return TokensFileOf(directory_); }
  std::string access_file() const { return absl::StrCat(directory_, "/access.toml"); }
  void WriteAccess(const std::string& text) {
    // As editors do: another file takes its place.
    const std::string temporary = absl::StrCat(access_file(), ".tmp");
    std::ofstream(temporary) << text;
    rename(temporary.c_str(), access_file().c_str());
  }

  absl::Status Open(bool with_file = false) {
    auto opened = Authority::Open(
        {.access_file = with_file ? access_file() : "", .tokens_file = tokens_file()}, clock_,
        [this](const std::string&, const absl::Status& status, size_t) { reloads_.push_back(status); });
    if (opened.ok()) authority_ = *std::move(opened);
    return opened.status();
  }

  absl::StatusOr<std::string> Create(const std::string& name, Permissions permissions,
                                     Timestamp expires = 0) {
    AccessEntry entry{.name = name, .permissions = std::move(permissions), .expires = expires};
    absl::StatusOr<std::string> token = authority_->CreateToken(&entry);
    last_id_ = entry.token_id;
    return token;
  }
  absl::StatusOr<std::shared_ptr<const Caller>> ByToken(absl::string_view token) {
    return authority_->Resolve({.token = token});
  }
  absl::StatusOr<std::shared_ptr<const Caller>> ByCertificate(std::vector<std::string> names) {
    return authority_->Resolve({.certificate_names = std::move(names)});
  }

  static Permissions All() { return {.tags = {{{"*"}, {"*"}, {"*"}, {"*"}}}}; }
  static Permissions Reads(const std::string& pattern) { return {.tags = {{{pattern}, {}, {}, {}}}}; }

  std::string directory_;
  SimulatedClock clock_{kNow};
  std::unique_ptr<Authority> authority_;
  std::vector<absl::Status> reloads_;
  std::string last_id_;
};

TEST_F(AuthorityTest, WithoutAnythingEverybodyMayDoEverything) {
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(authority_->is_open());
  const auto caller = authority_->Resolve({});
  ASSERT_TRUE(caller.ok());
  EXPECT_TRUE((*caller)->is_everyone());
  EXPECT_EQ((*caller)->On("any/tag"), kEveryRight);
  EXPECT_TRUE((*caller)->MayWriteAs("anybody"));
  EXPECT_TRUE((*caller)->PassesAll());
}

TEST_F(AuthorityTest, FirstTokenClosesTheServerAndMustAdminister) {
  ASSERT_TRUE(Open().ok());
  const auto everyone = *authority_->Resolve({});
  EXPECT_TRUE(absl::IsFailedPrecondition(Create("reader", Reads("*")).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Create("for a while", All(), kNow + kHour).status()));
  EXPECT_TRUE(authority_->is_open());
  const auto token = Create("admin", All());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_FALSE(authority_->is_open());
  EXPECT_FALSE(authority_->IsCurrent(*everyone));
  EXPECT_TRUE(absl::IsUnauthenticated(authority_->Renew(everyone).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(authority_->Resolve({}).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(ByToken("hst_0_0").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(ByToken("").status()));
  const auto caller = ByToken(*token);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ((*caller)->name(), "admin");
  EXPECT_TRUE((*caller)->HasOnAll(Right::kAdminister));
  // A new start finds it.
  ASSERT_TRUE(Open().ok());
  EXPECT_FALSE(authority_->is_open());
  EXPECT_TRUE(ByToken(*token).ok());
  // The last administrator stays.
  EXPECT_TRUE(absl::IsFailedPrecondition(authority_->Revoke(last_id_, "x").status()));
  EXPECT_TRUE(absl::IsNotFound(authority_->Revoke("0000000000000000", "x").status()));
}

TEST_F(AuthorityTest, TokensAreDifferentAndStandNowhere) {
  ASSERT_TRUE(Open().ok());
  const std::string first = *Create("a", All()), second = *Create("a", All());
  EXPECT_NE(first, second);
  EXPECT_THAT(first, SizeIs(85));
  std::ostringstream text;
  text << std::ifstream(tokens_file()).rdbuf();
  EXPECT_THAT(text.str(), Not(HasSubstr(first)));
  EXPECT_THAT(text.str(), Not(HasSubstr(first.substr(21))));
  struct stat info;
  ASSERT_EQ(stat(tokens_file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(AuthorityTest, TokensEndWhenTheyExpireOrAreRevoked) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Create("admin", All()).ok());
  const std::string brief = *Create("brief", Reads("*"), kNow + kHour);
  const auto caller = *ByToken(brief);
  EXPECT_TRUE(authority_->IsCurrent(*caller));
  clock_.Set(kNow + kHour);
  EXPECT_FALSE(authority_->IsCurrent(*caller));
  EXPECT_THAT(std::string(ByToken(brief).status().message()), HasSubstr("has expired"));
  const std::string other = *Create("other", Reads("*"));
  const auto other_caller = *ByToken(other);
  EXPECT_EQ(*ByToken(other), other_caller);  // The same one, with what it remembers.
  ASSERT_TRUE(authority_->Revoke(last_id_, "admin").ok());
  EXPECT_TRUE(other_caller->is_stale());
  EXPECT_TRUE(absl::IsUnauthenticated(ByToken(other).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(authority_->Renew(other_caller).status()));
  ASSERT_THAT(authority_->List(), SizeIs(3));
  EXPECT_EQ(authority_->List()[2].revoked_by, "admin");
}

TEST_F(AuthorityTest, OtherTokensGoOnWhenOneIsMade) {
  ASSERT_TRUE(Open().ok());
  const std::string token = *Create("admin", All());
  const auto caller = *ByToken(token);
  ASSERT_TRUE(Create("other", Reads("*")).ok());
  EXPECT_TRUE(authority_->IsCurrent(*caller));
  EXPECT_EQ(*ByToken(token), caller);
}

TEST_F(AuthorityTest, TokensOfAnotherProgramAreTaken) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Create("admin", All()).ok());
  AccessEntry entry{.name = "rescue", .permissions = All()};
  const std::string token = *AddToken(tokens_file(), kNow, &entry);
  EXPECT_FALSE(ByToken(token).ok());
  authority_->Look();
  EXPECT_FALSE(ByToken(token).ok()) << "a change is to be the same at two looks";
  authority_->Look();
  EXPECT_TRUE(ByToken(token).ok());
  ASSERT_THAT(reloads_, ElementsAre(absl::OkStatus()));
  ASSERT_TRUE(RevokeToken(tokens_file(), entry.token_id, kNow, "x").ok());
  authority_->Look(/*asked=*/true);
  EXPECT_FALSE(ByToken(token).ok());
}

TEST_F(AuthorityTest, FileWithoutTokensOrNoFileOpensNothingAgain) {
  ASSERT_TRUE(Open().ok());
  const std::string token = *Create("admin", All());
  std::remove(tokens_file().c_str());
  authority_->Look();
  authority_->Look();
  authority_->Look();
  ASSERT_THAT(reloads_, SizeIs(1)) << "told once";
  EXPECT_TRUE(absl::IsNotFound(reloads_[0]));
  EXPECT_TRUE(ByToken(token).ok());
  ASSERT_TRUE(WriteTokens(tokens_file(), {}).ok());
  authority_->Look(true);
  EXPECT_FALSE(authority_->is_open());
  EXPECT_FALSE(ByToken(token).ok());
  // Nor when the list without tokens is read once more.
  ASSERT_TRUE(WriteTokens(tokens_file(), {}).ok());
  authority_->Look(true);
  EXPECT_FALSE(authority_->is_open());
}

TEST_F(AuthorityTest, CertificatesMayDoWhatTheFileSays) {
  WriteAccess(R"(
[[principal]]
name = "scada"
certificate = "spiffe://plant/scada-[12]"
write = ["unit-1/*"]
producers = ["scada-*"]
[[principal]]
certificate = "*.lab.example"
read = ["lab/*"]
)");
  ASSERT_TRUE(Open(/*with_file=*/true).ok());
  EXPECT_FALSE(authority_->is_open());
  const auto scada = ByCertificate({"spiffe://plant/scada-2"});
  ASSERT_TRUE(scada.ok()) << scada.status();
  EXPECT_EQ((*scada)->name(), "scada");
  EXPECT_EQ((*scada)->certificate(), "spiffe://plant/scada-2");
  EXPECT_EQ((*scada)->On("unit-1/flow"), BitOf(Right::kWrite));
  EXPECT_EQ((*scada)->On("unit-2/flow"), 0);
  EXPECT_TRUE((*scada)->MayWriteAs("scada-17"));
  EXPECT_FALSE((*scada)->MayWriteAs("scada"));
  EXPECT_FALSE((*scada)->HasOnSome(Right::kRead));
  const auto lab = ByCertificate({"unknown", "pc-3.lab.example"});
  ASSERT_TRUE(lab.ok());
  EXPECT_EQ((*lab)->name(), "pc-3.lab.example");
  EXPECT_TRUE((*lab)->MayWriteAs("pc-3.lab.example/import"));
  EXPECT_FALSE((*lab)->MayWriteAs("pc-3.lab.example-2"));
  const auto other = ByCertificate({"spiffe://plant/scada-3"});
  EXPECT_TRUE(absl::IsPermissionDenied(other.status()));
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("spiffe://plant/scada-3"));
  EXPECT_TRUE(absl::IsUnauthenticated(authority_->Resolve({}).status()));
}

TEST_F(AuthorityTest, ChangedFileIsTakenWholeOrNotAtAll) {
  WriteAccess("[[principal]]\nname = \"a\"\nread = [\"*\"]\n");
  ASSERT_TRUE(Open(/*with_file=*/true).ok());
  const auto a = *ByCertificate({"a"});
  WriteAccess("[[principal]]\nname = \"b\"\nread = [\"*\"]\n[[principal]]\nnmae = \"a\"\n");
  authority_->Look();
  authority_->Look();
  authority_->Look();
  ASSERT_THAT(reloads_, SizeIs(1));
  EXPECT_THAT(std::string(reloads_[0].message()), HasSubstr(absl::StrCat(access_file(), ":5: nmae")));
  EXPECT_TRUE(authority_->IsCurrent(*a));
  EXPECT_FALSE(ByCertificate({"b"}).ok());
  WriteAccess("[[principal]]\nname = \"b\"\nread = [\"*\"]\n");
  authority_->Look();
  authority_->Look();
  EXPECT_TRUE(ByCertificate({"b"}).ok());
  EXPECT_FALSE(authority_->IsCurrent(*a));
  EXPECT_TRUE(absl::IsPermissionDenied(authority_->Renew(a).status()));
  WriteAccess("[[principal]]\nname = \"a\"\nread = [\"x\"]\n");
  authority_->Look(/*asked=*/true);
  const auto again = authority_->Renew(a);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ((*again)->On("y"), 0);
}

TEST_F(AuthorityTest, StartWithABadFileFails) {
  EXPECT_TRUE(absl::IsNotFound(Open(/*with_file=*/true)));
  WriteAccess("[[principal]]\nread = \"x\"\n[principal2]\n");
  const absl::Status status = Open(/*with_file=*/true);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("access.file"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(":2: read: expected patterns"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("principal2"));
  std::ofstream(tokens_file()) << "format = 2\n";
  EXPECT_THAT(std::string(Open().message()), HasSubstr("a newer version has written the file"));
}

TEST_F(AuthorityTest, WhatIsTooLongOrTooManyIsRefused) {
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Create("", All()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Create(std::string(129, 'x'), All()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Create("\xff", All()).status()));
  Permissions many = All();
  many.on(Right::kRead).resize(1001, "x");
  EXPECT_TRUE(absl::IsInvalidArgument(Create("a", many).status()));
  Permissions odd = All();
  odd.producers = {""};
  EXPECT_TRUE(absl::IsInvalidArgument(Create("a", odd).status()));
  EXPECT_TRUE(Create("quotes \" and \\ and\nlines", All()).ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(authority_->List()[0].name, "quotes \" and \\ and\nlines");
}

TEST_F(AuthorityTest, HeadersAreReadAsBrowsersAndProgramsWriteThem) {
  EXPECT_EQ(TokenOfHeader("Bearer hst_1"), "hst_1");
  EXPECT_EQ(TokenOfHeader("bearer  hst_1 "), "hst_1");
  EXPECT_EQ(TokenOfHeader("hst_1"), "hst_1");
  EXPECT_EQ(TokenOfHeader("Basic abc"), "Basic abc");
}

// ---- Rights on the tags of a registry

class CallerTest : public ::testing::Test {
 protected:
  CallerTest() {
    versions_ = std::make_unique<VersionTable>(*store_);
    tags_ = *TagRegistry::Open(*store_, *versions_, clock_);
  }
  TagId Create(const std::string& name) {
    Tag tag;
    tag.name = name;
    const auto created = tags_->Create({tag});
    EXPECT_TRUE(created[0].ok()) << created[0].status();
    return (*created[0])->id;
  }

  SimulatedClock clock_{kNow};
  std::unique_ptr<kv::Store> store_ = kv::NewMemoryStore();
  std::unique_ptr<VersionTable> versions_;
  std::unique_ptr<TagRegistry> tags_;
  std::shared_ptr<RememberedRights> remembered_ = std::make_shared<RememberedRights>();
};

// The fast way, which remembers, against the plain one.
TEST_F(CallerTest, WhatIsRememberedIsWhatThePatternsSay) {
  const Permissions permissions{.tags = {{{"a/*"}, {"*/1*", "b/2"}, {"c*"}, {}}}};
  const auto caller =
      *Caller::Make({.name = "x", .certificate = "x", .permissions = permissions}, "x", remembered_);
  std::vector<TagId> ids;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3000; ++i) {
      ids.push_back(Create(absl::StrCat(std::string(1, static_cast<char>('a' + i % 4)), "/", round, "/", i)));
    }
    ids.push_back(ids.back() + 100'000);  // Does not exist.
    std::vector<RightBits> rights(ids.size());
    for (int again = 0; again < 2; ++again) {
      caller->On(*tags_, ids, rights.data());
      for (size_t i = 0; i < ids.size(); ++i) {
        const absl::string_view name = tags_->NameOf(ids[i]);
        ASSERT_EQ(rights[i], name.empty() ? 0 : caller->On(name)) << ids[i];
      }
    }
  }
  std::vector<WriteFilter::Verdict> verdicts(ids.size());
  caller->Check(*tags_, ids, verdicts.data());
  for (size_t i = 0; i < ids.size(); ++i) {
    const RightBits rights = caller->On(*tags_, ids[i]);
    EXPECT_EQ(verdicts[i], rights == 0                            ? WriteFilter::Verdict::kUnknown
                           : (rights & BitOf(Right::kWrite)) != 0 ? WriteFilter::Verdict::kPasses
                                                                  : WriteFilter::Verdict::kNotPermitted);
  }
}

TEST_F(CallerTest, WithoutMemoryNothingIsRememberedAndAllIsStillRight) {
  ASSERT_TRUE(remembered_->TryTake(RememberedRights::kBytesMax));
  const auto caller = *Caller::Make(
      {.name = "x", .certificate = "x", .permissions = {.tags = {{{"a*"}, {}, {}, {}}}}}, "x", remembered_);
  const TagId a = Create("a"), b = Create("b");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(caller->On(*tags_, a), BitOf(Right::kRead));
    EXPECT_EQ(caller->On(*tags_, b), 0);
  }
}

TEST_F(CallerTest, MemoryIsGivenBack) {
  {
    const auto caller = *Caller::Make(
        {.name = "x", .certificate = "x", .permissions = {.tags = {{{"a*"}, {}, {}, {}}}}}, "x", remembered_);
    EXPECT_EQ(caller->On(*tags_, Create("a")), BitOf(Right::kRead));
  }
  EXPECT_TRUE(remembered_->TryTake(RememberedRights::kBytesMax));
}

}  // namespace
}  // namespace historian::server
