#include "client/tags.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/wire.h"
#include "grpcpp/client_context.h"
#include "proto/historian/v1/tags.grpc.pb.h"
#include "storage/model/status_macros.h"

namespace historian::client {
namespace {

// A request is cut at the server's limit of items, and well below its limit of bytes: tags can be large.
constexpr int kItemsMax = 10'000;
constexpr size_t kRequestBytesMax = 2 * 1024 * 1024;

// Sends `items` in as few requests as the limits allow, and appends their outcomes in order.
//   add(item, &request)  appends one item and returns it as the wire has it.
//   call(context, request, &response)
template <typename Request, typename Item, typename AddItem, typename Call>
absl::StatusOr<std::vector<TagOutcome>> InBulk(const Connection& connection, absl::string_view asked,
                                               absl::Span<const Item> items, AddItem add, Call call) {
  std::vector<TagOutcome> outcomes;
  outcomes.reserve(items.size());
  for (size_t next = 0; next < items.size();) {
    Request request;
    int count = 0;
    for (size_t bytes = 0; next < items.size() && count < kItemsMax && bytes < kRequestBytesMax;
         ++next, ++count) {
      bytes += add(items[next], &request)->ByteSizeLong();
    }
    const std::string doing = absl::StrCat(asked, " ", count, count == 1 ? " tag" : " tags");
    grpc::ClientContext context;
    connection.Prepare(&context);
    v1::TagsResponse response;
    RETURN_IF_ERROR(FromGrpc(call(&context, request, &response), doing));
    if (response.results_size() != count) {
      return absl::InternalError(
          absl::StrCat(doing, ": the server's reply is malformed: ", response.results_size(), " results"));
    }
    for (const v1::TagResult& result : response.results()) {
      absl::StatusOr<TagOutcome> outcome = FromWire(result);
      if (!outcome.ok()) return Annotate(outcome.status(), doing);
      outcomes.push_back(*std::move(outcome));
    }
  }
  return outcomes;
}

absl::StatusOr<std::vector<TagOutcome>> SetRetired(const Connection& connection,
                                                   absl::Span<const TagKey> keys, bool undo) {
  const auto stub = v1::Tags::NewStub(connection.channel());
  return InBulk<v1::RetireTagsRequest>(
      connection, undo ? "taking back into service" : "retiring", keys,
      [undo](const TagKey& key, v1::RetireTagsRequest* request) {
        request->set_undo(undo);
        ToWire(key, request->add_keys());
        return request->mutable_keys(request->keys_size() - 1);
      },
      [&](grpc::ClientContext* context, const auto& request, auto* response) {
        return stub->RetireTags(context, request, response);
      });
}

}  // namespace

absl::StatusOr<std::vector<TagOutcome>> Tags::Create(absl::Span<const Tag> tags) const {
  const auto stub = v1::Tags::NewStub(connection_.channel());
  return InBulk<v1::CreateTagsRequest>(
      connection_, "creating", tags,
      [](const Tag& tag, v1::CreateTagsRequest* request) {
        ToWire(tag, request->add_tags());
        return request->mutable_tags(request->tags_size() - 1);
      },
      [&](grpc::ClientContext* context, const auto& request, auto* response) {
        return stub->CreateTags(context, request, response);
      });
}

absl::StatusOr<std::vector<TagOutcome>> Tags::Update(absl::Span<const TagUpdate> updates) const {
  const auto stub = v1::Tags::NewStub(connection_.channel());
  return InBulk<v1::UpdateTagsRequest>(
      connection_, "changing", updates,
      [](const TagUpdate& update, v1::UpdateTagsRequest* request) {
        ToWire(update, request->add_updates());
        return request->mutable_updates(request->updates_size() - 1);
      },
      [&](grpc::ClientContext* context, const auto& request, auto* response) {
        return stub->UpdateTags(context, request, response);
      });
}

absl::StatusOr<std::vector<TagOutcome>> Tags::Get(absl::Span<const TagKey> keys, const AsOf& as_of) const {
  const auto stub = v1::Tags::NewStub(connection_.channel());
  return InBulk<v1::GetTagsRequest>(
      connection_, "getting", keys,
      [&as_of](const TagKey& key, v1::GetTagsRequest* request) {
        SetAsOf(as_of, request);
        ToWire(key, request->add_keys());
        return request->mutable_keys(request->keys_size() - 1);
      },
      [&](grpc::ClientContext* context, const auto& request, auto* response) {
        return stub->GetTags(context, request, response);
      });
}

absl::StatusOr<std::vector<TagOutcome>> Tags::Retire(absl::Span<const TagKey> keys) const {
  return SetRetired(connection_, keys, /*undo=*/false);
}

absl::StatusOr<std::vector<TagOutcome>> Tags::Unretire(absl::Span<const TagKey> keys) const {
  return SetRetired(connection_, keys, /*undo=*/true);
}

absl::StatusOr<Tag> Tags::Get(const TagKey& key) const {
  ASSIGN_OR_RETURN(std::vector<TagOutcome> outcomes, Get(absl::MakeConstSpan(&key, 1)));
  RETURN_IF_ERROR(Annotate(outcomes[0].status, absl::StrCat("getting ", ToString(key))));
  return std::move(outcomes[0].tag);
}

absl::StatusOr<std::vector<Tag>> Tags::Ensure(absl::Span<const Tag> tags) const {
  ASSIGN_OR_RETURN(std::vector<TagOutcome> outcomes, Create(tags));
  std::vector<Tag> ensured;
  ensured.reserve(tags.size());
  for (size_t i = 0; i < tags.size(); ++i) {
    TagOutcome& outcome = outcomes[i];
    if (!outcome.status.ok() && !(absl::IsAlreadyExists(outcome.status) && outcome.tag.id != 0)) {
      return Annotate(outcome.status, absl::StrCat("creating tag '", tags[i].name, "'"));
    }
    if (outcome.tag.type != tags[i].type) {
      return absl::FailedPreconditionError(absl::StrCat("creating tag '", tags[i].name, "' of type ",
                                                        ValueTypeName(tags[i].type), ": it exists with type ",
                                                        ValueTypeName(outcome.tag.type)));
    }
    ensured.push_back(std::move(outcome.tag));
  }
  return ensured;
}

TagList::iterator TagList::begin() {
  if (!begun_) {
    begun_ = true;
    if (!FetchPage()) return end();
  }
  return at_ < page_.size() ? iterator(this) : end();
}

bool TagList::Advance() {
  if (++at_ < page_.size()) return true;
  return FetchPage();
}

bool TagList::FetchPage() {
  page_.clear();
  at_ = 0;
  const auto stub = v1::Tags::NewStub(connection_.channel());
  // A page may be empty and yet not be the last: the server may have looked long for matches.
  while (page_.empty() && !last_page_) {
    v1::ListTagsRequest request;
    request.set_pattern(options_.pattern);
    request.set_prefix(options_.prefix);
    request.set_include_retired(options_.include_retired);
    request.set_page_size(options_.page_size);
    request.set_page_token(token_);
    grpc::ClientContext context;
    connection_.Prepare(&context);
    v1::ListTagsResponse response;
    status_ = FromGrpc(stub->ListTags(&context, request, &response), "listing tags");
    for (const v1::Tag& wire : response.tags()) {
      absl::StatusOr<Tag> tag = FromWire(wire);
      status_.Update(Annotate(tag.status(), "listing tags"));
      if (!status_.ok()) break;
      page_.push_back(*std::move(tag));
    }
    if (status_.ok() && !response.next_page_token().empty() && response.next_page_token() == token_) {
      status_ = absl::InternalError("listing tags: the server's reply is malformed: a page follows itself");
    }
    if (!status_.ok()) {
      page_.clear();
      last_page_ = true;
      return false;
    }
    token_ = response.next_page_token();
    last_page_ = token_.empty();
  }
  return !page_.empty();
}

}  // namespace historian::client
