#include "server/retention_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/selection.h"
#include "server/wire.h"
#include "storage/format/key.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

template <class Request>
Run OnPool(const Request&) {
  return Run::kOnPool;
}

// What it takes in an answer.
size_t MemoryOf(const RetentionPolicies::Decision& decision) {
  // Of a message, beside its texts.
  constexpr size_t kMessageBytes = 512;
  size_t bytes = kMessageBytes;
  if (decision.rule != nullptr) {
    bytes += kMessageBytes + decision.rule->pattern.size() + decision.rule->comment.size();
  }
  for (const LegalHold* hold : decision.holds) {
    bytes += kMessageBytes + hold->name.size() + hold->pattern.size() + hold->reason.size();
  }
  return bytes;
}

// Tags looked at before it is asked whether to go on.
constexpr size_t kTagsBetweenChecks = 256;

void RangesToWire(const PartitionSet& partitions,
                  google::protobuf::RepeatedPtrField<v1::KeptTag::Range>* to) {
  for (const PartitionSet::Stretch& stretch : partitions.stretches()) {
    v1::KeptTag::Range* range = to->Add();
    range->set_start(std::max(format::PartitionStart(stretch.begin), kTimestampMin));
    range->set_end(format::PartitionStart(stretch.end));
  }
}

}  // namespace

grpc::ServerUnaryReactor* RetentionService::ListRules(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ListRulesRequest, v1::ListRulesResponse>(
      env_, context, Method::kListRules, /*is_query=*/false, in, out, OnPool<v1::ListRulesRequest>,
      [this](const v1::ListRulesRequest& request, const KeepGoing&, CallRecord&,
             v1::ListRulesResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env_.archive.versions(), request));
        ASSIGN_OR_RETURN(const std::vector<RetentionRule> rules, env_.archive.retention().RulesAsOf(as_of));
        for (const RetentionRule& rule : rules) {
          RetentionRuleToWire(rule, to->add_rules());
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::SetRule(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::SetRuleRequest, v1::RetentionRule>(
      env_, context, Method::kSetRule, /*is_query=*/false, in, out, OnPool<v1::SetRuleRequest>,
      [this](const v1::SetRuleRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::RetentionRule* to) -> absl::Status {
        std::optional<size_t> position;
        if (request.has_position()) {
          if (request.position() == 0) return absl::InvalidArgumentError("positions count from 1");
          position = request.position() - 1;
        }
        RetentionRule asked = RetentionRuleFromWire(request.rule());
        asked.changed_by = record.Author(asked.changed_by);
        ASSIGN_OR_RETURN(const RetentionRule rule,
                         env_.archive.retention().SetRule(std::move(asked), position, keep_going));
        env_.log.Info("retention_rule_set", {{"rule", rule.name},
                                             {"pattern", rule.pattern},
                                             {"keep_raw", absl::FormatDuration(rule.keep_raw)},
                                             {"keep_rollups", absl::FormatDuration(rule.keep_rollups)},
                                             {"by", rule.changed_by}});
        RetentionRuleToWire(rule, to);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::RemoveRule(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::RemoveRuleRequest, v1::RemoveRuleResponse>(
      env_, context, Method::kRemoveRule, /*is_query=*/false, in, out, OnPool<v1::RemoveRuleRequest>,
      [this](const v1::RemoveRuleRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::RemoveRuleResponse*) -> absl::Status {
        RETURN_IF_ERROR(env_.archive.retention().RemoveRule(request.name(), keep_going));
        env_.log.Info("retention_rule_removed", {{"rule", request.name()}, {"by", record.Author("")}});
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::ListHolds(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ListHoldsRequest, v1::ListHoldsResponse>(
      env_, context, Method::kListHolds, /*is_query=*/false, in, out, OnPool<v1::ListHoldsRequest>,
      [this](const v1::ListHoldsRequest& request, const KeepGoing& keep_going, CallRecord&,
             v1::ListHoldsResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env_.archive.versions(), request));
        ASSIGN_OR_RETURN(const std::vector<LegalHold> holds,
                         env_.archive.retention().HoldsAsOf(as_of, keep_going));
        for (const LegalHold& hold : holds) {
          if (hold.released.has_value() && !request.include_released()) continue;
          LegalHoldToWire(hold, to->add_holds());
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::PlaceHold(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::PlaceHoldRequest, v1::PlaceHoldResponse>(
      env_, context, Method::kPlaceHold, /*is_query=*/false, in, out, OnPool<v1::PlaceHoldRequest>,
      [this](const v1::PlaceHoldRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::PlaceHoldResponse* to) -> absl::Status {
        const v1::LegalHold& asked = request.hold();
        ASSIGN_OR_RETURN(const LegalHold hold,
                         env_.archive.retention().PlaceHold({.name = asked.name(),
                                                             .pattern = asked.pattern(),
                                                             .start = asked.start(),
                                                             .end = asked.end(),
                                                             .reason = asked.reason(),
                                                             .placed_by = record.Author(asked.placed_by())},
                                                            keep_going));
        env_.log.Info(
            "legal_hold_placed",
            {{"id", hold.id}, {"hold", hold.name}, {"pattern", hold.pattern}, {"by", hold.placed_by}});
        LegalHoldToWire(hold, to->mutable_hold());
        const std::shared_ptr<const ExpiredTable> expired = env_.archive.retention().expired();
        ASSIGN_OR_RETURN(
            const std::vector<TagId> tags,
            env_.archive.tags().ListIds({.pattern = hold.pattern, .include_retired = true}, keep_going));
        to->set_tags(tags.size());
        const PartitionSet held(format::PartitionOf(hold.start), format::PartitionOf(hold.end - 1) + 1);
        for (size_t i = 0; i < tags.size(); ++i) {
          if (i % kTagsBetweenChecks == 0) RETURN_IF_ERROR(keep_going());
          const Expired* const of_tag = expired->Of(tags[i]);
          if (of_tag != nullptr && of_tag->HasAnyRaw(held)) to->set_tags_expired(to->tags_expired() + 1);
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::ReleaseHold(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ReleaseHoldRequest, v1::LegalHold>(
      env_, context, Method::kReleaseHold, /*is_query=*/false, in, out, OnPool<v1::ReleaseHoldRequest>,
      [this](const v1::ReleaseHoldRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::LegalHold* to) -> absl::Status {
        const std::string by = record.Author(request.by());
        ASSIGN_OR_RETURN(const LegalHold hold,
                         env_.archive.retention().ReleaseHold(
                             request.id(), {.reason = request.reason(), .by = by}, keep_going));
        env_.log.Info("legal_hold_released", {{"id", hold.id}, {"hold", hold.name}, {"by", by}});
        LegalHoldToWire(hold, to);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::Apply(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ApplyRetentionRequest, v1::ApplyRetentionResponse>(
      env_, context, Method::kApplyRetention, /*is_query=*/false, in, out, OnPool<v1::ApplyRetentionRequest>,
      [this](const v1::ApplyRetentionRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::ApplyRetentionResponse* to) -> absl::Status {
        RetentionOrder order{.dry_run = request.dry_run()};
        if (request.has_witness()) order.witness = request.witness();
        ASSIGN_OR_RETURN(const RetentionResult result,
                         env_.archive.upkeep().ApplyRetention(order, keep_going));
        if (!request.dry_run()) {
          env_.log.Info("retention_applied", {{"as_of", FormatTimestamp(result.as_of)},
                                              {"tags", result.tags},
                                              {"samples", result.samples},
                                              {"bytes", result.bytes},
                                              {"by", record.Author("")}});
        }
        RetentionResultToWire(result, to);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::WhatIsKept(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::WhatIsKeptRequest, v1::WhatIsKeptResponse>(
      env_, context, Method::kWhatIsKept, /*is_query=*/true, in, out, OnPool<v1::WhatIsKeptRequest>,
      [this](const v1::WhatIsKeptRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::WhatIsKeptResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const SelectedTags selected, SelectTags(record.tags(), Right::kRead, request.tags(),
                                                                 env_.config.limits.query_tags, keep_going));
        record.Describe([tags = selected.ids.size()] { return absl::StrCat(tags, " tags"); });
        const std::shared_ptr<const RetentionPolicies> policies = env_.archive.retention().policies();
        const std::shared_ptr<const ExpiredTable> expired = env_.archive.retention().expired();
        for (size_t i = 0; i < selected.ids.size(); ++i) {
          if (i % kTagsBetweenChecks == 0) RETURN_IF_ERROR(keep_going());
          const TagId tag = selected.ids[i];
          ASSIGN_OR_RETURN(const RetentionPolicies::Decision decision,
                           policies->DecisionOf(env_.archive.tags().NameOf(tag), keep_going));
          RETURN_IF_ERROR(record.Grow(MemoryOf(decision)));
          v1::KeptTag* kept = to->add_tags();
          kept->set_tag_id(tag);
          if (decision.rule != nullptr) RetentionRuleToWire(*decision.rule, kept->mutable_rule());
          for (const LegalHold* hold : decision.holds) LegalHoldToWire(*hold, kept->add_holds());
          if (const Expired* of_tag = expired->Of(tag); of_tag != nullptr) {
            RangesToWire(of_tag->all, kept->mutable_expired());
            RangesToWire(of_tag->raw, kept->mutable_rollups_only());
          }
        }
        return absl::OkStatus();
      });
}

}  // namespace historian::server
