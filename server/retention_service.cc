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
size_t MemoryOf(const Retention::Policy& policy) {
  // Of a message, beside its texts.
  constexpr size_t kMessageBytes = 512;
  size_t bytes = kMessageBytes;
  if (policy.rule.has_value())
    bytes += kMessageBytes + policy.rule->pattern.size() + policy.rule->comment.size();
  for (const LegalHold& hold : policy.holds) {
    bytes += kMessageBytes + hold.name.size() + hold.pattern.size() + hold.reason.size();
  }
  return bytes;
}

// Tags looked at before it is asked whether to go on.
constexpr size_t kTagsBetweenChecks = 1'000;

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
      [this](const v1::SetRuleRequest& request, const KeepGoing&, CallRecord&,
             v1::RetentionRule* to) -> absl::Status {
        std::optional<size_t> position;
        if (request.has_position()) {
          if (request.position() == 0) return absl::InvalidArgumentError("positions count from 1");
          position = request.position() - 1;
        }
        ASSIGN_OR_RETURN(const RetentionRule rule,
                         env_.archive.retention().SetRule(RetentionRuleFromWire(request.rule()), position));
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
      [this](const v1::RemoveRuleRequest& request, const KeepGoing&, CallRecord&,
             v1::RemoveRuleResponse*) -> absl::Status {
        RETURN_IF_ERROR(env_.archive.retention().RemoveRule(request.name()));
        env_.log.Info("retention_rule_removed", {{"rule", request.name()}});
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::ListHolds(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ListHoldsRequest, v1::ListHoldsResponse>(
      env_, context, Method::kListHolds, /*is_query=*/false, in, out, OnPool<v1::ListHoldsRequest>,
      [this](const v1::ListHoldsRequest& request, const KeepGoing&, CallRecord&,
             v1::ListHoldsResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env_.archive.versions(), request));
        ASSIGN_OR_RETURN(const std::vector<LegalHold> holds, env_.archive.retention().HoldsAsOf(as_of));
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
      [this](const v1::PlaceHoldRequest& request, const KeepGoing&, CallRecord&,
             v1::PlaceHoldResponse* to) -> absl::Status {
        const v1::LegalHold& asked = request.hold();
        ASSIGN_OR_RETURN(const LegalHold hold,
                         env_.archive.retention().PlaceHold({.name = asked.name(),
                                                             .pattern = asked.pattern(),
                                                             .start = asked.start(),
                                                             .end = asked.end(),
                                                             .reason = asked.reason(),
                                                             .placed_by = asked.placed_by()}));
        env_.log.Info(
            "legal_hold_placed",
            {{"id", hold.id}, {"hold", hold.name}, {"pattern", hold.pattern}, {"by", hold.placed_by}});
        LegalHoldToWire(hold, to->mutable_hold());
        const std::shared_ptr<const ExpiredTable> expired = env_.archive.retention().expired();
        const auto tags = env_.archive.tags().List(hold.pattern, "", "", SIZE_MAX, /*include_retired=*/true);
        to->set_tags(tags.size());
        for (const std::shared_ptr<const Tag>& tag : tags) {
          const Expired* const of_tag = expired->Of(tag->id);
          if (of_tag == nullptr) continue;
          for (int32_t p = format::PartitionOf(hold.start); p <= format::PartitionOf(hold.end - 1); ++p) {
            if (!of_tag->HasRaw(p)) continue;
            to->set_tags_expired(to->tags_expired() + 1);
            break;
          }
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::ReleaseHold(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ReleaseHoldRequest, v1::LegalHold>(
      env_, context, Method::kReleaseHold, /*is_query=*/false, in, out, OnPool<v1::ReleaseHoldRequest>,
      [this](const v1::ReleaseHoldRequest& request, const KeepGoing&, CallRecord&,
             v1::LegalHold* to) -> absl::Status {
        ASSIGN_OR_RETURN(const LegalHold hold,
                         env_.archive.retention().ReleaseHold(
                             request.id(), {.reason = request.reason(), .by = request.by()}));
        env_.log.Info("legal_hold_released", {{"id", hold.id}, {"hold", hold.name}, {"by", request.by()}});
        LegalHoldToWire(hold, to);
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* RetentionService::Apply(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::ApplyRetentionRequest, v1::ApplyRetentionResponse>(
      env_, context, Method::kApplyRetention, /*is_query=*/false, in, out, OnPool<v1::ApplyRetentionRequest>,
      [this](const v1::ApplyRetentionRequest& request, const KeepGoing&, CallRecord&,
             v1::ApplyRetentionResponse* to) -> absl::Status {
        RetentionOrder order{.dry_run = request.dry_run()};
        if (request.has_witness()) order.witness = request.witness();
        ASSIGN_OR_RETURN(const RetentionResult result, env_.archive.upkeep().ApplyRetention(order));
        if (!request.dry_run()) {
          env_.log.Info("retention_applied", {{"as_of", FormatTimestamp(result.as_of)},
                                              {"tags", result.tags},
                                              {"samples", result.samples},
                                              {"bytes", result.bytes}});
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
        ASSIGN_OR_RETURN(const SelectedTags selected,
                         SelectTags(env_.archive.tags(), request.tags(), env_.config.limits.query_tags));
        record.Describe([tags = selected.ids.size()] { return absl::StrCat(tags, " tags"); });
        const Retention& retention = env_.archive.retention();
        const std::shared_ptr<const ExpiredTable> expired = retention.expired();
        for (size_t i = 0; i < selected.ids.size(); ++i) {
          if (i % kTagsBetweenChecks == 0) RETURN_IF_ERROR(keep_going());
          const std::shared_ptr<const Tag> tag = env_.archive.tags().Find(selected.ids[i]);
          const Retention::Policy policy = retention.PolicyOf(tag->name);
          RETURN_IF_ERROR(record.Grow(MemoryOf(policy)));
          v1::KeptTag* kept = to->add_tags();
          kept->set_tag_id(tag->id);
          if (policy.rule.has_value()) RetentionRuleToWire(*policy.rule, kept->mutable_rule());
          for (const LegalHold& hold : policy.holds) LegalHoldToWire(hold, kept->add_holds());
          if (const Expired* of_tag = expired->Of(tag->id); of_tag != nullptr) {
            RangesToWire(of_tag->all, kept->mutable_expired());
            RangesToWire(of_tag->raw, kept->mutable_rollups_only());
          }
        }
        return absl::OkStatus();
      });
}

}  // namespace historian::server
