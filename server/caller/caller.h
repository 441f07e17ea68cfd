// File: server/caller/caller.h
//
// Who makes a call, and what they may do.
//
// A caller is known by
//   a token         "authorization: Bearer hst_..." with the call. It goes before a certificate.
//   a certificate   that the server has verified (tls.client_ca). Its name is what the first of these fields says that it has:
//                   URI (a SPIFFE id, for example), e-mail address, DNS name, of its subject alternative names (RFC 5280,
//                   4.2.1.6), the subject's common name, the whole subject. Where it has several of a kind, the first that
//                   has permissions.
// Names are matched as they are: no lower case, no wildcards of DNS.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_CALLER_CALLER_H_
#define HISTORIAN_SERVER_CALLER_CALLER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/caller/access_list.h"
#include "server/caller/right.h"
#include "storage/model/tag.h"
#include "storage/model/tag_pattern.h"
#include "storage/tags/tag_registry.h"
#include "storage/write/write_filter.h"

namespace historian::server {

// What callers remember of tags, all together, so that patterns are matched once for each tag.
class RememberedRights {
 public:
  static constexpr uint64_t kBytesMax = uint64_t{16} << 20;
  bool TryTake(uint64_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= kBytesMax) return true;
    used_.fetch_sub(bytes);
    return false;
  }
  void GiveBack(uint64_t bytes) { used_.fetch_sub(bytes); }

 private:
  std::atomic<uint64_t> used_{0};
};

class Caller final : public WriteFilter {
 public:
  // Anyone, where nothing is configured: may do everything.
  static std::shared_ptr<const Caller> Everyone();
  // Who shows the token or certificate of this entry. `certificate` is its name; empty for a token.
  // Errors: those of CheckAccessEntry.
  static absl::StatusOr<std::shared_ptr<const Caller>> Make(AccessEntry entry, std::string certificate,
                                                            std::shared_ptr<RememberedRights> remembered);
  ~Caller() override;

  // Empty: nobody has asked who it is.
  const std::string& name() const { return name_; }
  bool is_everyone() const { return name_.empty(); }
  const AccessEntry& entry() const { return entry_; }
  // The name of the certificate shown; empty if a token was.
  const std::string& certificate() const { return certificate_; }
  // "everyone", "token 'name' (id)" or "certificate 'name'", for messages.
  std::string Label() const;

  // Its permissions were changed or taken away since: it is to be looked up anew. Says nothing of the time that a token
  // has left.
  bool is_stale() const { return stale_.load(std::memory_order_acquire); }
  void MarkStale() const { stale_.store(true, std::memory_order_release); }

  // On every tag, those that are to be created too.
  // Has any right on every tag.
  bool SeesAll() const { return on_all_ != 0; }
  bool HasOnAll(Right right) const { return (on_all_ & BitOf(right)) != 0; }
  // On some tags, perhaps on tags that do not exist.
  bool HasOnSome(Right right) const { return (on_some_ & BitOf(right)) != 0; }
  RightBits On(absl::string_view tag_name) const;

  // *rights gets the rights on each tag, and is as long as ids: 0 for a tag that does not exist for this caller.
  void On(const TagRegistry& tags, absl::Span<const TagId> ids, RightBits* rights) const;
  RightBits On(const TagRegistry& tags, TagId id) const;

  // Of WriteFilter.
  void Check(const TagRegistry& tags, absl::Span<const TagId> ids, Verdict* verdicts) const override;
  bool PassesAll() const override { return HasOnAll(Right::kWrite); }
  std::string who() const override { return name_; }

  bool MayWriteAs(absl::string_view producer) const;

  // Errors: PermissionDenied, it has not the right on every tag; `what` says what it is for, "sealing".
  absl::Status CheckOnAll(Right right, absl::string_view what) const;
  // Errors: PermissionDenied, it may not write as this producer; says as which ones.
  absl::Status CheckProducer(absl::string_view producer) const;
  absl::Status NoRight(Right right, absl::string_view what) const;

 private:
  Caller(std::string name, std::string certificate, std::shared_ptr<RememberedRights> remembered)
      : name_(std::move(name)), certificate_(std::move(certificate)), remembered_(std::move(remembered)) {}

  // Of a tag: kKnown and its rights. A chunk has so many tags.
  static constexpr uint8_t kKnown = 0x80;
  static constexpr size_t kChunk = 4096;
  using Chunk = std::array<uint8_t, kChunk>;

  const std::string name_;
  const std::string certificate_;
  const std::shared_ptr<RememberedRights> remembered_;
  AccessEntry entry_;
  RightBits on_all_ = 0;
  RightBits on_some_ = 0;
  std::array<std::vector<TagPattern>, kRights> patterns_;
  std::vector<TagPattern> producers_;
  mutable std::atomic<bool> stale_{false};

  mutable absl::Mutex mu_;
  mutable std::vector<std::unique_ptr<Chunk>> known_ ABSL_GUARDED_BY(mu_);
};

// The tags as one caller sees them.
struct SeenTags {
  const TagRegistry& registry;
  const Caller& caller;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALLER_CALLER_H_
