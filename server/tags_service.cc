#include "server/tags_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/peer.h"
#include "server/selection.h"
#include "server/wire.h"

namespace historian::server {
namespace {

constexpr uint32_t kPageDefault = 1'000;
constexpr uint32_t kPageMax = 10'000;
// A page ends early when its tags have reached so much: they may have long descriptions and many states.
constexpr size_t kPageBytes = size_t{2} << 20;
// Look-ups of fewer tags are answered at once.
constexpr int kQuickItems = 1'000;

void SetStatus(const absl::Status& status, v1::TagResult* result) {
  result->mutable_status()->set_code(static_cast<int>(status.code()));
  result->mutable_status()->set_message(std::string(status.message()));
}

// With what its unit means.
void SetTag(const Tag& tag, v1::TagResult* result) {
  TagToWire(tag, result->mutable_tag());
  if (!tag.unit.empty()) UnitInfoToWire(tag.unit, result->mutable_tag()->mutable_unit_info());
}

void SetResult(const absl::StatusOr<std::shared_ptr<const Tag>>& tag, v1::TagResult* result) {
  SetStatus(tag.status(), result);
  if (tag.ok()) SetTag(**tag, result);
}

// Takes the memory for a result about this tag, which may have 65,536 states.
absl::Status GrowFor(const absl::StatusOr<std::shared_ptr<const Tag>>& tag, CallRecord& record) {
  return record.Grow(sizeof(v1::TagResult) +
                     (tag.ok() ? (*tag)->MemoryBytes() + kUnitInfoBytes : tag.status().message().size()));
}

// OK when no sample of the tag is Good or Uncertain: then it may have another type.
absl::Status CheckSaysNothing(Archive& archive, const Tag& tag, const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(const std::unique_ptr<FoldReader> reader, archive.ReadFolded(tag.id, keep_going));
  const Timestamp edges[] = {kTimestampMin, kTimestampMax + 1};
  uint64_t says = 0;
  RETURN_IF_ERROR(reader->Fold(edges, Interpolation::kStepped, kCounts, [&says](size_t, const Interval& all) {
    says = all.samples.good + all.samples.uncertain;
  }));
  if (says == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("tag '", tag.name, "' has ", says, " samples that are not Bad: its type stays ",
                   ValueTypeName(tag.type), ". Create a tag of another name for other values"));
}

template <class Request>
Run OnPool(const Request&) {
  return Run::kOnPool;
}

}  // namespace

absl::Status TagsService::CheckItems(int items) const {
  return CheckLimit(items, env_.config.limits.tags_per_request, "items in one request",
                    "limits.tags_per_request");
}

void TagsService::NoteChange(absl::string_view event, const grpc::CallbackServerContext& context,
                             const CallRecord& record, const v1::TagsResponse& response) const {
  uint64_t changed = 0;
  const v1::TagResult* first = nullptr;
  for (const v1::TagResult& result : response.results()) {
    if (result.status().code() != static_cast<int>(absl::StatusCode::kOk)) continue;
    if (++changed == 1) first = &result;
  }
  if (first == nullptr) return;
  const std::string peer = context.peer();
  env_.log.WriteLimited(
      LogLevel::kInfo, event, PeerAddress(peer),
      {{"tags", changed}, {"first", first->tag().name()}, {"by", record.Author("")}, {"peer", peer}});
}

grpc::ServerUnaryReactor* TagsService::CreateTags(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::CreateTagsRequest, v1::TagsResponse>(
      env_, context, Method::kCreateTags, /*is_query=*/false, request, response,
      OnPool<v1::CreateTagsRequest>,
      [this, context](const v1::CreateTagsRequest& r, const KeepGoing& keep_going, CallRecord& record,
                      v1::TagsResponse* to) -> absl::Status {
        RETURN_IF_ERROR(CheckItems(r.tags_size()));
        // As tags, as records, and in the answer.
        for (const v1::Tag& tag : r.tags()) {
          RETURN_IF_ERROR(
              record.Grow(3 * (sizeof(v1::TagResult) + tag.SpaceUsedLong()) + kUnitInfoBytes, "the tags"));
        }
        // Those that are no tags at all stay behind; the registry creates the rest in one go.
        std::vector<Tag> tags;
        std::vector<int> items;
        for (int i = 0; i < r.tags_size(); ++i) {
          v1::TagResult* result = to->add_results();
          absl::StatusOr<Tag> tag = TagFromWire(r.tags(i));
          if (tag.ok() && (record.caller().On(tag->name) & BitOf(Right::kConfigure)) == 0) {
            tag = record.caller().NoRight(Right::kConfigure,
                                          absl::StrCat("tag '", absl::Utf8SafeCHexEscape(tag->name), "'"));
            record.NotePart(tag.status());
          }
          if (tag.ok()) {
            tags.push_back(*std::move(tag));
            items.push_back(i);
          } else {
            SetStatus(tag.status(), result);
          }
        }
        const auto created = env_.archive.tags().Create(std::move(tags), keep_going);
        for (size_t i = 0; i < created.size(); ++i) {
          v1::TagResult* result = to->mutable_results(items[i]);
          SetResult(created[i], result);
          if (created[i].status().code() == absl::StatusCode::kAlreadyExists) {
            // The caller may configure it, so it sees it.
            if (const auto existing = env_.archive.tags().Find(r.tags(items[i]).name());
                existing != nullptr && record.Grow(existing->MemoryBytes() + kUnitInfoBytes).ok()) {
              SetTag(*existing, result);
            }
          }
        }
        NoteChange("tags_created", *context, record, *to);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* TagsService::UpdateTags(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::UpdateTagsRequest, v1::TagsResponse>(
      env_, context, Method::kUpdateTags, /*is_query=*/false, request, response,
      OnPool<v1::UpdateTagsRequest>,
      [this, context](const v1::UpdateTagsRequest& r, const KeepGoing& keep_going, CallRecord& record,
                      v1::TagsResponse* to) -> absl::Status {
        RETURN_IF_ERROR(CheckItems(r.updates_size()));
        const auto update = [&](const v1::TagUpdate& item,
                                const Tag& tag) -> absl::StatusOr<std::shared_ptr<const Tag>> {
          const absl::StatusOr<TagChange> change = TagChangeFromWire(item);
          if (!change.ok()) return Annotate(change.status(), absl::StrCat("tag '", tag.name, "'"));
          if (!change->type.has_value() || *change->type == tag.type) {
            return env_.archive.tags().Update(tag.id, *change, keep_going);
          }
          RETURN_IF_ERROR(CheckSaysNothing(env_.archive, tag, keep_going));
          return env_.archive.tags().ChangeType(tag.id, *change, keep_going);
        };
        for (const v1::TagUpdate& item : r.updates()) {
          RETURN_IF_ERROR(keep_going());
          const auto tag = FindTag(record.tags(), Right::kConfigure, item.key());
          record.NotePart(tag.status());
          // Before it is changed: what was changed can be told. The change itself is in the request.
          RETURN_IF_ERROR(GrowFor(tag, record));
          SetResult(tag.ok() ? update(item, **tag) : tag, to->add_results());
        }
        NoteChange("tags_changed", *context, record, *to);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* TagsService::GetTags(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::GetTagsRequest, v1::TagsResponse>(
      env_, context, Method::kGetTags, /*is_query=*/false, request, response,
      [](const v1::GetTagsRequest& r) {
        return r.keys_size() <= kQuickItems && !r.has_as_of() ? Run::kHere : Run::kOnPool;
      },
      [this](const v1::GetTagsRequest& r, const KeepGoing& keep_going, CallRecord& record,
             v1::TagsResponse* to) -> absl::Status {
        RETURN_IF_ERROR(CheckItems(r.keys_size()));
        ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env_.archive.versions(), r));
        for (const v1::TagKey& key : r.keys()) {
          RETURN_IF_ERROR(keep_going());
          const auto tag = FindTagAsOf(record.tags(), key, as_of);
          RETURN_IF_ERROR(GrowFor(tag, record));
          SetResult(tag, to->add_results());
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* TagsService::ListTags(grpc::CallbackServerContext* context,
                                                const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  return ServeUnary<v1::ListTagsRequest, v1::ListTagsResponse>(
      env_, context, Method::kListTags, /*is_query=*/false, request, response, OnPool<v1::ListTagsRequest>,
      [this](const v1::ListTagsRequest& r, const KeepGoing& keep_going, CallRecord& record,
             v1::ListTagsResponse* to) -> absl::Status {
        const size_t size = r.page_size() == 0 ? kPageDefault : std::min(r.page_size(), kPageMax);
        // One more than asked for tells whether there is another page. The token is the last name of the
        // page.
        const TagRegistry& tags = env_.archive.tags();
        ASSIGN_OR_RETURN(const std::vector<TagId> ids, ListSeen(record.tags(),
                                                                {.pattern = r.pattern(),
                                                                 .prefix = r.prefix(),
                                                                 .after = r.page_token(),
                                                                 .limit = size + 1,
                                                                 .include_retired = r.include_retired()},
                                                                keep_going));
        size_t bytes = 0;
        for (size_t i = 0; i < ids.size(); ++i) {
          RETURN_IF_ERROR(keep_going());
          if (i == size || bytes >= kPageBytes) {
            to->set_next_page_token(std::string(tags.NameOf(ids[i - 1])));
            break;
          }
          const std::shared_ptr<const Tag> tag = tags.Find(ids[i]);
          RETURN_IF_ERROR(record.Grow(tag->MemoryBytes()));
          TagToWire(*tag, to->add_tags());
          bytes += to->tags(static_cast<int>(i)).ByteSizeLong();
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* TagsService::RetireTags(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* request,
                                                  grpc::ByteBuffer* response) {
  return ServeUnary<v1::RetireTagsRequest, v1::TagsResponse>(
      env_, context, Method::kRetireTags, /*is_query=*/false, request, response,
      OnPool<v1::RetireTagsRequest>,
      [this, context](const v1::RetireTagsRequest& r, const KeepGoing& keep_going, CallRecord& record,
                      v1::TagsResponse* to) -> absl::Status {
        RETURN_IF_ERROR(CheckItems(r.keys_size()));
        for (const v1::TagKey& key : r.keys()) {
          RETURN_IF_ERROR(keep_going());
          const auto tag = FindTag(record.tags(), Right::kConfigure, key);
          record.NotePart(tag.status());
          RETURN_IF_ERROR(GrowFor(tag, record));
          SetResult(tag.ok() ? env_.archive.tags().SetRetired((*tag)->id, !r.undo(), keep_going) : tag,
                    to->add_results());
        }
        NoteChange(r.undo() ? "tags_restored" : "tags_retired", *context, record, *to);
        return absl::OkStatus();
      });
}

}  // namespace historian::server
