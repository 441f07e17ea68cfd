#include "server/caller/caller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

constexpr size_t kPatternsShown = 10;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(text.substr(0, kPrincipalBytesMax)), "'");
}

absl::StatusOr<std::vector<TagPattern>> Compile(const std::vector<std::string>& patterns) {
  std::vector<TagPattern> compiled;
  for (const std::string& pattern : patterns) {
    ASSIGN_OR_RETURN(TagPattern one, TagPattern::Compile(pattern));
    compiled.push_back(std::move(one));
  }
  return compiled;
}

bool MatchesAny(const std::vector<TagPattern>& patterns, absl::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const TagPattern& pattern) { return pattern.Matches(name); });
}

}  // namespace

std::shared_ptr<const Caller> Caller::Everyone() {
  const std::shared_ptr<Caller> everyone(new Caller("", "", std::make_shared<RememberedRights>()));
  everyone->on_all_ = everyone->on_some_ = kEveryRight;
  return everyone;
}

absl::StatusOr<std::shared_ptr<const Caller>> Caller::Make(AccessEntry entry, std::string certificate,
                                                           std::shared_ptr<RememberedRights> remembered) {
  RETURN_IF_ERROR(CheckAccessEntry(entry));
  std::string name = entry.name.empty() ? certificate : entry.name;
  const std::shared_ptr<Caller> caller(
      new Caller(std::move(name), std::move(certificate), std::move(remembered)));
  for (const Right right : kAllRights) {
    const std::vector<std::string>& patterns = entry.permissions.on(right);
    if (std::find(patterns.begin(), patterns.end(), "*") != patterns.end()) caller->on_all_ |= BitOf(right);
    if (!patterns.empty()) caller->on_some_ |= BitOf(right);
    ASSIGN_OR_RETURN(caller->patterns_[static_cast<int>(right)], Compile(patterns));
  }
  ASSIGN_OR_RETURN(caller->producers_, Compile(entry.permissions.producers));
  caller->entry_ = std::move(entry);
  return std::shared_ptr<const Caller>(caller);
}

Caller::~Caller() {
  absl::MutexLock lock(&mu_);
  for (const std::unique_ptr<Chunk>& chunk : known_) {
    if (chunk != nullptr) remembered_->GiveBack(sizeof(Chunk));
  }
}

std::string Caller::Label() const {
  if (is_everyone()) return "everyone";
  if (entry_.is_token()) return absl::StrCat("token ", Quoted(name_), " (", entry_.token_id, ")");
  return absl::StrCat("certificate ", Quoted(certificate_));
}

RightBits Caller::On(absl::string_view tag_name) const {
  RightBits rights = on_all_;
  for (const Right right : kAllRights) {
    if ((rights & BitOf(right)) == 0 && MatchesAny(patterns_[static_cast<int>(right)], tag_name)) {
      rights |= BitOf(right);
    }
  }
  return rights;
}

void Caller::On(const TagRegistry& tags, absl::Span<const TagId> ids, RightBits* rights) const {
  // What is on all tags is the answer when there is nothing on others.
  if (on_all_ == on_some_) {
    std::fill_n(rights, ids.size(), on_all_);
    return;
  }
  bool all_known = true;
  {
    absl::ReaderMutexLock lock(&mu_);
    for (size_t i = 0; i < ids.size(); ++i) {
      const size_t chunk = ids[i] / kChunk;
      rights[i] = chunk < known_.size() && known_[chunk] != nullptr ? (*known_[chunk])[ids[i] % kChunk] : 0;
      all_known = all_known && rights[i] != 0;
    }
  }
  if (!all_known) {
    const TagId last = tags.last_id();
    for (size_t i = 0; i < ids.size(); ++i) {
      if (rights[i] != 0) continue;
      const absl::string_view name = tags.NameOf(ids[i]);
      // One that does not exist may be created, so that nothing is remembered of it.
      if (name.empty()) continue;
      rights[i] = On(name) | kKnown;
      const size_t chunk = ids[i] / kChunk;
      absl::MutexLock lock(&mu_);
      if (chunk >= known_.size()) known_.resize(last / kChunk + 1);
      if (chunk < known_.size() && known_[chunk] == nullptr && remembered_->TryTake(sizeof(Chunk))) {
        known_[chunk] = std::make_unique<Chunk>();
        known_[chunk]->fill(0);
      }
      if (chunk < known_.size() && known_[chunk] != nullptr) (*known_[chunk])[ids[i] % kChunk] = rights[i];
    }
  }
  for (size_t i = 0; i < ids.size(); ++i) rights[i] &= kEveryRight;
}

RightBits Caller::On(const TagRegistry& tags, TagId id) const {
  RightBits rights = 0;
  On(tags, {&id, 1}, &rights);
  return rights;
}

void Caller::Check(const TagRegistry& tags, absl::Span<const TagId> ids, Verdict* verdicts) const {
  std::vector<RightBits> rights(ids.size());
  On(tags, ids, rights.data());
  for (size_t i = 0; i < ids.size(); ++i) {
    verdicts[i] = (rights[i] & BitOf(Right::kWrite)) != 0 ? Verdict::kPasses
                  : rights[i] != 0                        ? Verdict::kNotPermitted
                                                          : Verdict::kUnknown;
  }
}

bool Caller::MayWriteAs(absl::string_view producer) const {
  if (is_everyone()) return true;
  if (!producers_.empty()) return MatchesAny(producers_, producer);
  return producer == name_ || (absl::StartsWith(producer, name_) && producer[name_.size()] == '/');
}

absl::Status Caller::NoRight(Right right, absl::string_view what) const {
  return absl::PermissionDeniedError(absl::StrCat(Label(), " may not ", RightName(right), " ", what));
}

absl::Status Caller::CheckOnAll(Right right, absl::string_view what) const {
  if (HasOnAll(right)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(what, " needs the right to ", RightName(right),
                                                  " every tag (pattern *); ", Label(), " does not have it"));
}

absl::Status Caller::CheckProducer(absl::string_view producer) const {
  if (MayWriteAs(producer)) return absl::OkStatus();
  std::vector<std::string> may = entry_.permissions.producers;
  if (may.empty()) may = {name_, absl::StrCat(name_, "/*")};
  if (may.size() > kPatternsShown) may.resize(kPatternsShown);
  return absl::PermissionDeniedError(absl::StrCat(Label(), " may not write as producer ", Quoted(producer),
                                                  ", only as one of: ", absl::StrJoin(may, ", ")));
}

}  // namespace historian::server
