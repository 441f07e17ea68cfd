#include "server/admin_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/access_service.h"
#include "server/backup_service.h"
#include "server/call.h"
#include "server/selection.h"
#include "server/server_memory.h"
#include "server/verify_source.h"
#include "server/wire.h"
#include "storage/calendar/zones.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"

namespace historian::server {
namespace {

template <class Request>
Run Here(const Request&) {
  return Run::kHere;
}
template <class Request>
Run OnPool(const Request&) {
  return Run::kOnPool;
}

constexpr size_t kVersionsDefault = 1000;
constexpr size_t kVersionsMax = 10'000;
constexpr size_t kProducersDefault = 1000;
constexpr size_t kProducersMax = 10'000;
constexpr size_t kAuthorBytesMax = 128;

uint64_t BytesOnDisk(const ArchiveStats& stats) {
  uint64_t bytes = stats.store.log_bytes;
  for (const kv::SpaceStats& space : stats.store.spaces) bytes += space.bytes_on_disk;
  return bytes;
}

void MemoryToWire(const ServerMemory& memory, v1::MemoryUse* to) {
  to->set_tags(memory.archive.tags);
  to->set_tag_states(memory.archive.tag_states);
  to->set_producers(memory.archive.producers);
  to->set_retention(memory.archive.retention);
  to->set_versions(memory.archive.versions);
  to->set_weeks(memory.archive.weeks);
  to->set_definitions_max(memory.definition_bytes_max);
  to->set_open_samples(memory.archive.tails);
  to->set_frames(memory.archive.frames);
  to->set_caches(memory.archive.caches);
  to->set_store(memory.store);
  to->set_calls(memory.calls);
}

v1::GetStatusResponse::Access AccessOf(const ServiceEnv& env) {
  const bool everyone = env.authority.is_open();
  if (!InsecureBecause(env.config, everyone).empty()) return v1::GetStatusResponse::ACCESS_INSECURE;
  return everyone ? v1::GetStatusResponse::ACCESS_OPEN : v1::GetStatusResponse::ACCESS_CLOSED;
}

class BlockSource final : public FrameSource {
 public:
  explicit BlockSource(std::vector<BlockInfo> blocks) : blocks_(std::move(blocks)) {}

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    if (next_ == blocks_.size()) return Step::kEnd;
    v1::BlockInfo info;
    BlockInfoToWire(blocks_[next_++], &info);
    *frame = SerializeMessage(info);
    return next_ == blocks_.size() ? Step::kLastFrame : Step::kFrame;
  }

 private:
  const std::vector<BlockInfo> blocks_;
  size_t next_ = 0;
};

}  // namespace

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::GetStatusRequest, v1::GetStatusResponse>(
      env_, context, Method::kGetStatus, /*is_query=*/false, in, out, Here<v1::GetStatusRequest>,
      [this](const v1::GetStatusRequest&, const KeepGoing&, CallRecord& record, v1::GetStatusResponse* to) {
        // Who may not administer learns how the server is, not where it is and what is in it.
        const bool all = record.caller().HasOnAll(Right::kAdminister);
        const ArchiveStats stats = env_.archive.Stats();
        if (stopping_.load()) {
          to->set_state(v1::GetStatusResponse::STATE_STOPPING);
        } else if (!stats.ingest.ok()) {
          to->set_state(v1::GetStatusResponse::STATE_READ_ONLY);
          to->set_message(std::string(stats.ingest.message()));
        } else {
          to->set_state(v1::GetStatusResponse::STATE_SERVING);
        }
        if (all && to->message().empty()) to->set_message(std::string(stats.retention.message()));
        if (all && to->message().empty()) to->set_message(std::string(stats.definitions.message()));
        if (all) BackupStateToWire(backups_.State(), to->mutable_backup());
        if (all && to->message().empty() && to->backup().overdue()) {
          to->set_message(absl::StrCat("the newest backup is older than backup.alert_after",
                                       to->backup().last_error().empty() ? "" : ": ",
                                       to->backup().last_error()));
        }
        if (all && to->message().empty() && !stats.damage.empty()) {
          to->set_message(absl::StrCat("damage found: ", stats.damage.back()));
        }
        to->set_version(kVersion);
        to->set_started(started_);
        to->set_now(env_.clock.Now());
        to->set_version_open(env_.archive.versions().open());
        to->set_tz_version(TzDatabaseVersion());
        to->set_access(AccessOf(env_));
        if (!all) return absl::OkStatus();
        to->set_data_directory(env_.config.data_dir);
        to->set_tags(env_.archive.tags().size());
        to->set_samples_stored(stats.samples_stored);
        to->set_samples_rejected(stats.samples_rejected);
        to->set_frames_stored(stats.frames_stored);
        to->set_frames_repeated(stats.frames_repeated);
        to->set_samples_open(stats.samples_open);
        to->set_journal_bytes(stats.journal_bytes);
        const ServerMemory memory = MemoryOf(stats, env_.call_memory);
        MemoryToWire(memory, to->mutable_memory());
        to->set_memory_bytes(memory.total());
        to->set_memory_budget_bytes(env_.config.limits.memory_budget);
        to->set_disk_free_bytes(stats.store.free_bytes);
        to->set_disk_reserve_bytes(stats.disk_reserve_bytes);
        to->set_write_streams(env_.metrics.write_streams.load());
        to->set_queries_running(env_.metrics.queries_running.load() +
                                env_.metrics.short_queries_running.load());
        to->set_seals(stats.seals);
        to->set_last_seal(stats.last_seal);
        to->set_believed_time(stats.believed_time);
        to->set_clock_steps(env_.clock_watch.steps());
        if (const auto step = env_.clock_watch.last(); step.has_value()) {
          to->set_clock_stepped_from(step->from);
          to->set_clock_stepped_to(step->to);
        }
        if (const AheadOfClock ahead = env_.archive.FindAheadOfClock(); ahead.tags > 0) {
          to->set_tags_ahead(ahead.tags);
          to->set_farthest_ahead(ahead.farthest);
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::GetStorage(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::GetStorageRequest, v1::GetStorageResponse>(
      env_, context, Method::kGetStorage, /*is_query=*/true, in, out, OnPool<v1::GetStorageRequest>,
      [this](const v1::GetStorageRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::GetStorageResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const SelectedTags selected,
                         SelectTags(record.tags(), Right::kAdminister, request.tags(),
                                    env_.config.limits.query_tags, keep_going));
        record.Describe([tags = selected.ids.size()] { return absl::StrCat(tags, " tags"); });
        const ArchiveStats stats = env_.archive.Stats();
        to->set_samples_sealed(stats.samples_sealed);
        to->set_samples_open(stats.samples_open);
        to->set_blocks(stats.blocks);
        to->set_block_bytes(stats.block_bytes);
        to->set_samples_unsettled(stats.samples_unsettled);
        to->set_bytes_on_disk(BytesOnDisk(stats));
        to->set_journal_bytes(stats.journal_bytes);
        for (const TagId tag : selected.ids) {
          RETURN_IF_ERROR(keep_going());
          RETURN_IF_ERROR(record.Grow(2 * sizeof(v1::TagStorage)));
          ASSIGN_OR_RETURN(const TagStorage storage, env_.archive.StorageOf(tag, keep_going));
          TagStorageToWire(tag, storage, to->add_tags());
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::Seal(grpc::CallbackServerContext* context, const grpc::ByteBuffer* in,
                                             grpc::ByteBuffer* out) {
  return ServeUnary<v1::SealRequest, v1::SealResponse>(
      env_, context, Method::kSeal, /*is_query=*/false, in, out, OnPool<v1::SealRequest>,
      [this](const v1::SealRequest& request, const KeepGoing& keep_going, CallRecord&,
             v1::SealResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const SealResult sealed, env_.archive.upkeep().Seal(request.settle(), keep_going));
        to->set_samples(sealed.samples);
        to->set_blocks(sealed.blocks);
        to->set_bytes(sealed.bytes);
        to->set_partitions_settled(sealed.partitions_settled);
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* AdminService::ListBlocks(grpc::CallbackServerContext* context,
                                                                     const grpc::ByteBuffer* bytes) {
  return ServeStream<v1::ListBlocksRequest>(
      env_, context, Method::kListBlocks, /*is_query=*/true, bytes, OnPool<v1::ListBlocksRequest>,
      [this](const v1::ListBlocksRequest& request, const KeepGoing& keep_going,
             CallRecord& record) -> absl::StatusOr<std::unique_ptr<FrameSource>> {
        ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> tag,
                         FindTagOf(record.tags(), Right::kAdminister, request));
        record.Describe([tag] { return absl::StrCat("tag ", tag->id, " '", tag->name, "'"); });
        if (request.start() > request.end()) {
          return absl::InvalidArgumentError(absl::StrCat("start ", FormatTimestamp(request.start()),
                                                         " is after end ", FormatTimestamp(request.end())));
        }
        ASSIGN_OR_RETURN(
            std::vector<BlockInfo> blocks,
            env_.archive.ListBlocks(tag->id, std::clamp(request.start(), kTimestampMin, kTimestampMax + 1),
                                    std::clamp(request.end(), kTimestampMin, kTimestampMax + 1), keep_going));
        return std::make_unique<BlockSource>(std::move(blocks));
      });
}

grpc::ServerUnaryReactor* AdminService::ReadBlock(grpc::CallbackServerContext* context,
                                                  const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::ReadBlockRequest, v1::ReadBlockResponse>(
      env_, context, Method::kReadBlock, /*is_query=*/true, in, out, OnPool<v1::ReadBlockRequest>,
      [this](const v1::ReadBlockRequest& request, const KeepGoing&, CallRecord& record,
             v1::ReadBlockResponse* to) -> absl::Status {
        if (!request.has_key()) return absl::InvalidArgumentError("the request names no block");
        if (!record.caller().HasOnAll(Right::kAdminister)) {
          RETURN_IF_ERROR(FindTag<TagId>(record.tags(), Right::kAdminister, request.key().tag_id()).status());
        }
        ASSIGN_OR_RETURN(BlockBytes block, env_.archive.ReadBlock(BlockIdFromWire(request.key())));
        to->set_head(std::move(block.head));
        to->set_payload(std::move(block.payload));
        to->set_type(ValueTypeToWire(block.type));
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* AdminService::Verify(grpc::CallbackServerContext* context,
                                                                 const grpc::ByteBuffer* bytes) {
  return ServeStream<v1::VerifyRequest>(
      env_, context, Method::kVerify, /*is_query=*/false, bytes, OnPool<v1::VerifyRequest>,
      [this, peer = context->peer()](const v1::VerifyRequest& request, const KeepGoing& keep_going,
                                     CallRecord& record) -> absl::StatusOr<std::unique_ptr<FrameSource>> {
        VerifyOptions options{.bytes_per_second = request.bytes_per_second()};
        if (request.has_tags()) {
          ASSIGN_OR_RETURN(SelectedTags selected,
                           SelectTags(record.tags(), Right::kAdminister, request.tags(),
                                      env_.config.limits.query_tags, keep_going));
          options.tags = std::move(selected.ids);
          if (options.tags.empty()) return absl::NotFoundError("no tag matches");
        } else {
          RETURN_IF_ERROR(record.caller().CheckOnAll(Right::kAdminister, "verifying everything"));
        }
        if (request.start() != 0 || request.end() != 0) {
          options.start = std::clamp(request.start(), kTimestampMin, kTimestampMax + 1);
          options.end = std::clamp(request.end(), kTimestampMin, kTimestampMax + 1);
        }
        if (options.start >= options.end) {
          return absl::InvalidArgumentError(absl::StrCat("start ", FormatTimestamp(request.start()),
                                                         " is not before end ",
                                                         FormatTimestamp(request.end())));
        }
        return std::make_unique<VerifySource>(env_.archive, std::move(options), newest_verify_, peer,
                                              stopping_);
      });
}

grpc::ServerUnaryReactor* AdminService::ListVersions(grpc::CallbackServerContext* context,
                                                     const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::ListVersionsRequest, v1::ListVersionsResponse>(
      env_, context, Method::kListVersions, /*is_query=*/true, in, out, OnPool<v1::ListVersionsRequest>,
      [this](const v1::ListVersionsRequest& request, const KeepGoing&, CallRecord&,
             v1::ListVersionsResponse* to) -> absl::Status {
        const bool any_time = request.start() == 0 && request.end() == 0;
        const Timestamp start = any_time ? INT64_MIN : request.start(),
                        end = any_time ? INT64_MAX : request.end();
        if (start > end) {
          return absl::InvalidArgumentError(
              absl::StrCat("start ", FormatTimestamp(start), " is after end ", FormatTimestamp(end)));
        }
        RETURN_IF_ERROR(CheckLimit(request.limit(), kVersionsMax, "versions (limit)", "fixed"));
        const size_t limit = request.limit() == 0 ? kVersionsDefault : request.limit();
        const VersionTable& versions = env_.archive.versions();
        ASSIGN_OR_RETURN(
            std::vector<ClosedVersion> listed,
            versions.List(start, end, request.before() == 0 ? UINT64_MAX : request.before(), limit + 1));
        to->set_more(listed.size() > limit);
        if (to->more()) listed.resize(limit);
        const std::vector<TzUse> tz_uses = env_.archive.Stats().tz_uses;
        for (const ClosedVersion& closed : listed) {
          v1::Version* const version = to->add_versions();
          VersionToWire(closed, version);
          for (const TzUse& use : tz_uses) {
            if (use.from <= version->version()) version->set_tz_version(use.tz_version);
          }
        }
        to->set_version_open(versions.open());
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::MarkVersion(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::MarkVersionRequest, v1::MarkVersionResponse>(
      env_, context, Method::kMarkVersion, /*is_query=*/false, in, out, OnPool<v1::MarkVersionRequest>,
      [this](const v1::MarkVersionRequest& request, const KeepGoing&, CallRecord& record,
             v1::MarkVersionResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const ClosedVersion closed,
                         env_.archive.MarkVersion(record.Author(request.author()), request.comment()));
        VersionToWire(closed, to->mutable_version());
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::ListProducers(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::ListProducersRequest, v1::ListProducersResponse>(
      env_, context, Method::kListProducers, /*is_query=*/false, in, out, OnPool<v1::ListProducersRequest>,
      [this](const v1::ListProducersRequest& request, const KeepGoing& keep_going, CallRecord&,
             v1::ListProducersResponse* to) -> absl::Status {
        RETURN_IF_ERROR(CheckLimit(request.limit(), kProducersMax, "producers (limit)", "fixed"));
        const size_t limit = request.limit() == 0 ? kProducersDefault : request.limit();
        std::vector<ProducerInfo> listed;
        if (request.name().empty()) {
          listed = env_.archive.ListProducers(request.after(), limit + 1);
        } else if (std::optional<ProducerInfo> one = env_.archive.FindProducer(request.name());
                   one.has_value()) {
          listed.push_back(*std::move(one));
        }
        to->set_more(listed.size() > limit);
        if (to->more()) listed.resize(limit);
        for (const ProducerInfo& info : listed) {
          RETURN_IF_ERROR(keep_going());
          v1::ProducerInfo* const producer = to->add_producers();
          producer->set_name(info.name);
          producer->set_sequence(info.sequence);
          producer->set_last_seen(info.last_seen);
          producer->set_frames_stored(info.frames);
          if (const std::optional<std::string> peer = streams_.PeerOf(info.name); peer.has_value()) {
            producer->set_open_stream(true);
            producer->set_peer(*peer);
          }
        }
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* AdminService::ResetProducer(grpc::CallbackServerContext* context,
                                                      const grpc::ByteBuffer* in, grpc::ByteBuffer* out) {
  return ServeUnary<v1::ResetProducerRequest, v1::ResetProducerResponse>(
      env_, context, Method::kResetProducer, /*is_query=*/false, in, out, OnPool<v1::ResetProducerRequest>,
      [this, peer = context->peer()](const v1::ResetProducerRequest& request, const KeepGoing& keep_going,
                                     CallRecord& record, v1::ResetProducerResponse* to) -> absl::Status {
        if (request.author().size() > kAuthorBytesMax) {
          return absl::InvalidArgumentError(absl::StrCat("the author has ", request.author().size(),
                                                         " bytes; the limit is ", kAuthorBytesMax));
        }
        if (!env_.archive.FindProducer(request.name()).has_value()) {
          return absl::NotFoundError(absl::StrCat("no producer '", request.name(), "' has written"));
        }
        ASSIGN_OR_RETURN(const uint64_t sequence, env_.archive.ResetProducer(request.name(), keep_going));
        env_.log.Info("producer_reset", {{"producer", request.name()},
                                         {"sequence", sequence},
                                         {"by", record.Author(request.author())},
                                         {"peer", peer}});
        to->set_sequence(sequence);
        return absl::OkStatus();
      });
}

}  // namespace historian::server
