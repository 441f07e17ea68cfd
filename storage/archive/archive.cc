#include "storage/archive/archive.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "proto/record/v1/records.pb.h"
#include "storage/archive/memory_shares.h"
#include "storage/format/archive_format.h"
#include "storage/format/block.h"
#include "storage/format/record_keys.h"
#include "storage/journal/journal.h"
#include "storage/model/closing.h"
#include "storage/model/definition_memory.h"
#include "storage/model/status_macros.h"
#include "storage/platform/freed_memory.h"
#include "storage/platform/monotonic.h"
#include "storage/read/at_times_reader.h"
#include "storage/read/block_list.h"
#include "storage/read/fold_reader.h"
#include "storage/read/raw_reader.h"
#include "storage/read/read_view.h"
#include "storage/sealed/partitions.h"
#include "storage/sealed/seal.h"
#include "storage/tail/load_tails.h"
#include "storage/tail/shard.h"
#include "storage/upkeep/believed_time.h"
#include "storage/upkeep/errand.h"
#include "storage/upkeep/housekeeping.h"
#include "storage/write/time_limits.h"
#include "storage/write/write_path.h"

namespace historian {

namespace {

constexpr size_t kDamageListedMax = 100;
// A disk that has not answered for this long is said to hang.
constexpr absl::Duration kHangs = absl::Seconds(2);
// Tags that are named where a file of many is lost.
constexpr size_t kLostTagsNamed = 10;
// How often the archive looks after itself: room on the disk, whether to seal.
constexpr absl::Duration kMaintenancePeriod = absl::Milliseconds(200);
// A seal that nobody asked for closes a version only when no version has closed for this long: in a burst such seals come
// several times a second, and nobody wants to read as of each.
constexpr absl::Duration kVersionOfSealMin = absl::Minutes(1);
// A seal of this many tags takes memory worth giving back.
constexpr size_t kManyTags = 50'000;
// A checkpoint is made anew when the journal was cut meanwhile, which only a failing disk does.
constexpr int kCheckpointTries = 3;
constexpr size_t kIdBytes = 16;
// Versions of the tz database that are kept: there are a few a year.
constexpr int kTzUsesMax = 100;
// The least that is kept in reserve on a small disk: room for the journal's next segments and for a seal.
constexpr uint64_t kReserveBytesMin = uint64_t{16} << 20;

std::string NewId() {
  std::random_device random;
  std::string id;
  while (id.size() < kIdBytes) id.push_back(static_cast<char>(random()));
  return id;
}

class ArchiveImpl : public Archive, private Upkeep {
 public:
  ArchiveImpl(std::unique_ptr<kv::Store> store, const ArchiveOptions& options, const Clock& clock)
      : store_(std::move(store)),
        options_(options),
        clock_(clock),
        definitions_(MemoryShares(options.memory_budget_bytes).definition_bytes_max),
        heads_(*store_, Shares().head_bytes, &tails_borrow_),
        pages_(*store_, Shares().page_bytes, &tails_borrow_),
        figures_(Shares().figure_bytes, &tails_borrow_),
        versions_(*store_, options.version_marks_max, definitions_),
        steps_(*store_, partitions_, [this](const Step& step) { Forget(step); }) {}
  ~ArchiveImpl() override;

  absl::Status Init();

  TagRegistry& tags() override { return *tags_; }
  Retention& retention() override { return *retention_; }
  Upkeep& upkeep() override { return *this; }
  void OpenProducer(absl::string_view name, OpenDone done) override {
    write_path_->OpenProducer(name, std::move(done));
  }
  uint64_t DurableSequence(absl::string_view producer) override {
    return write_path_->DurableSequence(producer);
  }
  std::vector<ProducerInfo> ListProducers(absl::string_view after, size_t limit) override {
    return write_path_->producers().List(after, limit);
  }
  std::optional<ProducerInfo> FindProducer(absl::string_view name) override {
    return write_path_->producers().Find(name);
  }
  absl::StatusOr<uint64_t> ResetProducer(absl::string_view name, const KeepGoing& keep_going) override;
  void Write(const std::shared_ptr<Producer>& producer, Frame frame, WriteDone done, WriteTaken taken,
             const WriteFilter* filter) override {
    write_path_->Write(producer, std::move(frame), std::move(done), std::move(taken), filter);
  }
  absl::StatusOr<std::unique_ptr<RawReader>> ReadRaw(const RawRequest& request,
                                                     KeepGoing keep_going) override;
  absl::StatusOr<std::vector<std::optional<LatestSample>>> ReadLatest(absl::Span<const TagId> tags,
                                                                      Version as_of,
                                                                      const KeepGoing& keep_going) override;
  absl::StatusOr<Samples> ReadAtTimes(TagId tag, absl::Span<const Timestamp> times,
                                      Interpolation interpolation, bool uncertain_as_bad,
                                      KeepGoing keep_going, Version as_of) override;
  absl::StatusOr<std::unique_ptr<JoinedReader>> ReadJoined(TagId tag, Interpolation interpolation,
                                                           bool uncertain_as_bad, KeepGoing keep_going,
                                                           Version as_of) override;
  absl::StatusOr<std::unique_ptr<FoldReader>> ReadFolded(TagId tag, KeepGoing keep_going,
                                                         Version as_of) override;
  const VersionTable& versions() const override { return versions_; }
  absl::StatusOr<ClosedVersion> MarkVersion(absl::string_view author, absl::string_view comment) override;
  absl::StatusOr<std::string> Id() override;
  absl::StatusOr<ClosedVersion> WriteCheckpoint(const std::string& path, absl::string_view author,
                                                absl::string_view comment) override;
  ArchiveStats Stats() override;
  AheadOfClock FindAheadOfClock() override;
  absl::StatusOr<TagStorage> StorageOf(TagId tag, KeepGoing keep_going) override;
  absl::StatusOr<std::vector<BlockInfo>> ListBlocks(TagId tag, Timestamp start, Timestamp end,
                                                    KeepGoing keep_going) override;
  absl::StatusOr<BlockBytes> ReadBlock(const format::BlockId& id) override;

 private:
  absl::StatusOr<SealResult> Seal(bool settle, const KeepGoing& keep_going) override;
  absl::StatusOr<RetentionResult> ApplyRetention(const RetentionOrder& order,
                                                 const KeepGoing& keep_going) override;
  absl::StatusOr<VerifyCounts> Verify(const VerifyOptions& options, const VerifyObserver& observer) override;

  // That of the store; a new one in a new store. FailedPrecondition: a newer program wrote it. DataLoss: it is damaged or
  // lost.
  absl::StatusOr<record::v1::ArchiveRecord> ReadRecord();
  // Begins a new archive, or brings an older one to the format of now.
  absl::Status WriteRecord(record::v1::ArchiveRecord record);
  absl::Status KeepTzVersion() ABSL_LOCKS_EXCLUDED(record_mu_);
  // The state of the last seal, and what the journal has since.
  absl::Status Recover();
  Shard& ShardOf(TagId tag) { return *shards_[tag % shards_.size()]; }

  // The newest sample of the tag that has not expired and is not after `until`.
  absl::StatusOr<std::optional<LatestSample>> LatestKept(TagId tag, Version as_of, Timestamp until,
                                                         const KeepGoing& keep_going);
  // NotFound: no such tag.
  absl::StatusOr<ReadView> ViewOf(TagId tag, KeepGoing keep_going = nullptr, Version as_of = kVersionNow);
  // Goes on without what is damaged: notes it, and lets nothing be changed any more. Hands other errors on.
  absl::Status Tolerate(const absl::Status& status);
  // Notes what the store has lost, by tags and times.
  void NoteLost();
  // Of such keys of blocks, all or some of which are lost.
  std::string BlocksOfLost(const kv::StoreDamage& lost);
  // Remembers damage for Stats.
  void NoteDamage(const absl::Status& status) ABSL_LOCKS_EXCLUDED(damage_mu_);

  // What is cached of what the step changes.
  void Forget(const Step& step) {
    heads_.Invalidate(step.blocks.changed);
    if (step.rewritten.has_value()) heads_.InvalidatePartition(step.rewritten->partition);
  }

  // As definitions leave them now.
  MemoryShares Shares() const { return MemoryShares(options_.memory_budget_bytes, definitions_.bytes()); }
  uint64_t CachedBytes() const {
    return heads_.size_bytes() + pages_.size_bytes() + figures_.size_bytes() + tags_->recent_bytes();
  }
  // Has the caches keep to their shares.
  void ShareOut();
  MemoryGate::Tails LookAtTails();
  void Maintain();
  // Asks the store how it is, which may wait for the disk, and keeps the answer for Stats.
  kv::StoreStats LookAtStore() ABSL_LOCKS_EXCLUDED(state_mu_);
  void CheckRoom();
  void CloseVersionWhenDue();
  bool SealIsDue();
  enum class Why { kAsked, kDue };
  absl::StatusOr<SealResult> SealNow(Why why, bool everything) ABSL_LOCKS_EXCLUDED(steps_.mu());

  // Constant after construction, or after Init.
  const std::unique_ptr<kv::Store> store_;
  const ArchiveOptions options_;
  const Clock& clock_;
  std::unique_ptr<TagRegistry> tags_;
  std::unique_ptr<Retention> retention_;
  std::unique_ptr<BelievedTime> believed_;
  std::unique_ptr<TimeLimits> time_limits_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<WritePath> write_path_;
  std::thread maintenance_;
  // Tags of whose tails something is lost, and what to say of it.
  absl::flat_hash_set<TagId> lost_tails_;
  absl::Status tail_damage_;
  bool versions_are_known_ = true;
  uint64_t journal_torn_bytes_ = 0;
  uint64_t journal_torn_position_ = 0;

  // Synchronise themselves.
  DefinitionMemory definitions_;
  std::atomic<bool> tails_borrow_{false};  // Tails have more than their share: the caches take nothing new.
  HeadCache heads_;
  PageCache pages_;
  FigureCache figures_;
  VersionTable versions_;
  PartitionTable partitions_;
  ReaderPins pins_;

  Steps steps_;
  // Of the maintenance thread.
  size_t store_damages_noted_ = 0;  // Of the store's.
  MonotonicTime last_seal_try_ = MonotonicTime::InfinitePast();
  MonotonicTime last_asked_seal_ = MonotonicTime::InfinitePast();
  MonotonicTime arrived_since_ =
      MonotonicTime::Now();  // The open version has had something to close since then.

  mutable absl::Mutex state_mu_;
  CondVar maintenance_wake_;  // When the maintenance thread is asked for something or shall end.
  bool closing_ ABSL_GUARDED_BY(state_mu_) = false;
  uint64_t reserve_bytes_ ABSL_GUARDED_BY(state_mu_) = 0;
  kv::StoreStats store_stats_ ABSL_GUARDED_BY(state_mu_);
  MonotonicTime looking_since_ ABSL_GUARDED_BY(state_mu_) = MonotonicTime::InfiniteFuture();
  Errand<SealResult> seal_all_ ABSL_GUARDED_BY(state_mu_);
  uint64_t seals_ ABSL_GUARDED_BY(state_mu_) = 0;
  Timestamp last_seal_ ABSL_GUARDED_BY(state_mu_) = 0;

  absl::Mutex record_mu_;  // Held over the store's write.
  record::v1::ArchiveRecord record_ ABSL_GUARDED_BY(record_mu_);

  absl::Mutex damage_mu_;
  std::deque<std::string> damage_ ABSL_GUARDED_BY(damage_mu_);

  std::unique_ptr<Housekeeping> housekeeping_;  // Works on what is above.
};

// ---- Opening and closing

absl::StatusOr<record::v1::ArchiveRecord> ArchiveImpl::ReadRecord() {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, store_->Get(kv::Space::kMeta, kArchiveKey));
  record::v1::ArchiveRecord record;
  if (!bytes.has_value() && !store_->refusal().ok()) {
    return absl::DataLossError("the archive's format record is missing");
  }
  if (!bytes.has_value()) {
    record.set_version(kArchiveFormat);
    record.set_created(clock_.Now());
    record.set_versions_from(1);
    record.set_id(NewId());
    RETURN_IF_ERROR(WriteRecord(record));
    return record;
  }
  if (!record.ParseFromString(*bytes) || record.version() == 0) {
    return absl::DataLossError("the archive's format record is damaged");
  }
  if (record.version() > kArchiveFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("the archive has format ", record.version(),
                     ", written by a newer version of Historian; this one reads up to ", kArchiveFormat));
  }
  return record;
}

absl::Status ArchiveImpl::WriteRecord(record::v1::ArchiveRecord record) {
  kv::Batch batch;
  batch.Put(kArchiveKey, record.SerializeAsString());
  return Annotate(store_->Write(batch), "writing the archive's format");
}

absl::Status ArchiveImpl::Tolerate(const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return status;
  NoteDamage(status);
  store_->Refuse(absl::UnavailableError(absl::StrCat(
      "the archive is damaged and open for reading only: ", status.message(),
      ". Restore it from a backup, or stop the server, run 'histctl salvage --data-dir DIR --to NEWDIR' "
      "and start it with NEWDIR")));
  return absl::OkStatus();
}

absl::Status ArchiveImpl::Recover() {
  RETURN_IF_ERROR(Tolerate(steps_.Load()));
  const absl::Status versions = versions_.Load();
  versions_are_known_ = versions.ok();
  RETURN_IF_ERROR(Tolerate(versions));
  std::vector<TagId> lost;
  tail_damage_ = LoadTails(*store_, *tags_, versions_, shards_, &lost);
  RETURN_IF_ERROR(Tolerate(tail_damage_));
  lost_tails_.insert(lost.begin(), lost.end());
  WritePath::Recovered recovered;
  absl::Status opened = write_path_->Open(steps_.journal_position(), &recovered);
  if (absl::IsDataLoss(opened) && store_->refusal().ok()) {
    // Perhaps it can be read, if nothing is written behind it.
    RETURN_IF_ERROR(Tolerate(opened));
    opened = write_path_->Open(steps_.journal_position(), &recovered);
  }
  RETURN_IF_ERROR(opened);
  RETURN_IF_ERROR(Tolerate(recovered.producers));
  journal_torn_bytes_ = recovered.journal.torn_bytes;
  journal_torn_position_ = recovered.journal.torn_position;
  std::string concerned;
  for (const WritePath::MissingFrames& frames : recovered.missing) {
    absl::StrAppend(&concerned, concerned.empty() ? "; missing are frames " : ", ", frames.first, " to ",
                    frames.last, " of producer '", frames.producer, "'");
  }
  for (const JournalReplay::Damage& damage : recovered.journal.damage) {
    NoteDamage(absl::DataLossError(
        absl::StrFormat("journal: %d bytes at %d are damaged or missing; the samples in them are lost%s",
                        damage.to - damage.from, damage.from, concerned)));
  }
  return absl::OkStatus();
}

std::string ArchiveImpl::BlocksOfLost(const kv::StoreDamage& lost) {
  // Keys of pages tell no tags between them: the heads of the same partitions do.
  const bool are_pages = lost.space == kv::Space::kPages;
  const auto parse = [are_pages](absl::string_view key) {
    return are_pages ? format::ParsePagesKey(key) : format::ParseHeadKey(key);
  };
  const absl::StatusOr<format::BlockId> first = parse(lost.first), last = parse(lost.last);
  if (!first.ok() || !last.ok()) return "";
  absl::flat_hash_set<TagId> tags;
  std::string names;
  Timestamp from = kTimestampMax, to = kTimestampMin;
  for (const auto& [partition, state] : partitions_.All()) {
    if (!are_pages || partition < first->partition || partition > last->partition) continue;
    const std::string end = format::PartitionPrefix(partition + 1);
    const std::unique_ptr<kv::Cursor> cursor = store_->NewCursor(kv::Space::kHeads, end);
    for (cursor->Seek(format::PartitionPrefix(partition)); cursor->Valid(); cursor->Next()) {
      const absl::StatusOr<format::BlockId> id = format::ParseHeadKey(cursor->key());
      const absl::StatusOr<format::BlockHead> head = format::DecodeBlockHead(cursor->value());
      if (!id.ok() || !head.ok()) continue;
      const std::string key = format::PagesKey(*id);
      if (key < lost.first || key > lost.last) continue;
      from = std::min(from, head->first_time());
      to = std::max(to, head->last_time());
      if (!tags.insert(id->tag).second || tags.size() > kLostTagsNamed) continue;
      const std::shared_ptr<const Tag> tag = tags_->Find(id->tag);
      absl::StrAppend(&names, names.empty() ? "" : ", ", tag == nullptr ? absl::StrCat(id->tag) : tag->name);
    }
  }
  if (!are_pages) {
    return absl::StrCat("; concerned are tags in the weeks from ",
                        FormatTimestamp(format::PartitionStart(first->partition)), " to ",
                        FormatTimestamp(format::PartitionEnd(last->partition)));
  }
  if (tags.empty()) return "; no sample is";
  return absl::StrCat("; concerned are ", tags.size(), tags.size() == 1 ? " tag (" : " tags (", names,
                      tags.size() > kLostTagsNamed ? ", ..." : "", ") from ", FormatTimestamp(from), " to ",
                      FormatTimestamp(to));
}

void ArchiveImpl::NoteLost() {
  for (const kv::StoreDamage& lost : store_->Damages()) {
    NoteDamage(absl::DataLossError(absl::StrCat(lost.what, BlocksOfLost(lost))));
    ++store_damages_noted_;
  }
}

absl::Status ArchiveImpl::Init() {
  const absl::StatusOr<record::v1::ArchiveRecord> read = ReadRecord();
  RETURN_IF_ERROR(Tolerate(read.status()));
  if (read.ok()) {
    absl::MutexLock lock(&record_mu_);
    record_ = *read;
  }
  absl::Status damage;
  ASSIGN_OR_RETURN(tags_, TagRegistry::Open(*store_, versions_, clock_, &damage, definitions_));
  RETURN_IF_ERROR(Tolerate(damage));
  damage = absl::OkStatus();
  ASSIGN_OR_RETURN(retention_, Retention::Open(*store_, versions_, clock_, &damage, definitions_));
  RETURN_IF_ERROR(Tolerate(damage));
  damage = absl::OkStatus();
  ASSIGN_OR_RETURN(believed_,
                   BelievedTime::Open(*store_, clock_,
                                      std::max({read.ok() ? read->created() : 0, retention_->applied(),
                                                retention_->rules_changed()}),
                                      &damage));
  RETURN_IF_ERROR(Tolerate(damage));
  ASSIGN_OR_RETURN(TimeLimits time_limits,
                   TimeLimits::Make(options_.future_limits, options_.future_limit, *tags_));
  time_limits_ = std::make_unique<TimeLimits>(std::move(time_limits));
  housekeeping_ = std::make_unique<Housekeeping>(
      Housekeeping::House{.store = *store_,
                          .options = {.settle_delay = options_.settle_delay,
                                      .retention_period = options_.retention_period,
                                      .slow_samples_max = options_.slow_samples_max},
                          .clock = clock_,
                          .tags = *tags_,
                          .versions = versions_,
                          .retention = *retention_,
                          .believed = *believed_,
                          .partitions = partitions_,
                          .pins = pins_,
                          .steps = steps_,
                          .disk_reserve_bytes =
                              [this] {
                                absl::MutexLock lock(&state_mu_);
                                return reserve_bytes_;
                              },
                          .open =
                              [this](TagId id) {
                                TagTraits traits;
                                tags_->GetTraits(&id, 1, &traits);
                                return ShardOf(id).Sources(id, traits.type, kVersionNow);
                              },
                          .seal = [this] { return SealNow(Why::kAsked, /*everything=*/true).status(); },
                          .newest_received = [this] { return write_path_->newest_received(); },
                          .note_damage = [this](const absl::Status& status) { NoteDamage(status); }});
  const int shards =
      options_.shards > 0 ? options_.shards : std::max(1u, std::thread::hardware_concurrency());
  for (int i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>(i, shards));
  write_path_ = std::make_unique<WritePath>(WritePath::Parts{
      .store = *store_,
      .options = {.memory = {.frame_bytes = Shares().frame_bytes,
                             .budget_bytes = options_.memory_budget_bytes},
                  .producers = {.producers = options_.producers_max, .unused = options_.producer_unused}},
      .look_at_tails = [this] { return LookAtTails(); },
      .clock = clock_,
      .tags = *tags_,
      .retention = *retention_,
      .time_limits = *time_limits_,
      // It falls with the clock at once, before anybody has looked.
      .retention_now = [this] { return std::min(believed_->Get().time, clock_.Now()); },
      .versions = versions_,
      .definitions = definitions_,
      .shards = shards_});
  for (const std::unique_ptr<Shard>& shard : shards_) shard->Start();
  RETURN_IF_ERROR(Recover());
  Version kept_from = versions_.open();
  const bool are_kept = read.ok() && read->versions_from() > 0 && versions_are_known_;
  // Otherwise what it has may be of any version up to the open one, except what the journal still had.
  if (are_kept) kept_from = read->versions_from();
  if (read.ok() && !(are_kept && read->version() == kArchiveFormat) && store_->refusal().ok()) {
    record::v1::ArchiveRecord record = *read;
    record.set_version(kArchiveFormat);
    record.set_versions_from(kept_from);
    RETURN_IF_ERROR(WriteRecord(record));
    absl::MutexLock lock(&record_mu_);
    record_ = std::move(record);
  }
  KeepTzVersion().IgnoreError();  // On a full disk it is kept by a later start.
  // One from before there were ids gets one. On a full disk it opens without, and gets it later.
  Id().IgnoreError();
  versions_.SetKeptFrom(kept_from);
  NoteLost();
  CheckRoom();
  ShareOut();
  maintenance_ = std::thread([this] { Maintain(); });
  if (store_->refusal().ok()) housekeeping_->Start();
  return absl::OkStatus();
}

ArchiveImpl::~ArchiveImpl() {
  {
    absl::MutexLock lock(&state_mu_);
    closing_ = true;
    maintenance_wake_.SignalAll();
  }
  if (write_path_ != nullptr) write_path_->Refuse();
  if (housekeeping_ != nullptr) housekeeping_->Close();
  if (maintenance_.joinable()) maintenance_.join();
  housekeeping_.reset();
  if (write_path_ != nullptr) write_path_->Close();
  for (const std::unique_ptr<Shard>& shard : shards_) shard->Stop();
}

// ---- Writing

absl::StatusOr<uint64_t> ArchiveImpl::ResetProducer(absl::string_view name, const KeepGoing& keep_going) {
  // Whoever gives up waiting is not there any more when the answer comes.
  struct Answer {
    absl::Mutex mu;
    CondVar came;
    std::optional<absl::StatusOr<uint64_t>> sequence ABSL_GUARDED_BY(mu);
  };
  const auto answer = std::make_shared<Answer>();
  write_path_->ResetProducer(name, [answer](absl::StatusOr<uint64_t> sequence) {
    absl::MutexLock lock(&answer->mu);
    answer->sequence = std::move(sequence);
    answer->came.SignalAll();
  });
  absl::MutexLock lock(&answer->mu);
  while (!answer->sequence.has_value()) {
    answer->came.WaitFor(&answer->mu, absl::Milliseconds(20));
    if (!answer->sequence.has_value()) RETURN_IF_ERROR(GoOn(keep_going));
  }
  return *answer->sequence;
}

// ---- Reading

absl::StatusOr<ReadView> ArchiveImpl::ViewOf(TagId id, KeepGoing keep_going, Version as_of) {
  TagTraits tag;  // The tag itself may have 65,536 states.
  tags_->GetTraits(&id, 1, &tag);
  if (!tag.exists) return absl::NotFoundError(absl::StrCat("no tag has id ", id));
  ASSIGN_OR_RETURN(as_of, versions_.Resolve({.version = as_of}));
  ReaderPins::Pin pin = pins_.Take();  // Before anything is looked at.
  TagSources sources = ShardOf(id).Sources(id, tag.type, as_of);
  if (as_of != kVersionNow && sources.tail != nullptr) {
    ASSIGN_OR_RETURN(sources.tail, sources.tail->AsOf(tag.type, as_of, versions_));
  }
  const bool has_lost_tail = lost_tails_.contains(id);
  if (has_lost_tail) {
    // How far its samples reach is lost with it.
    const std::vector<PartitionTable::Partition> partitions = partitions_.All();
    if (!partitions.empty()) {
      sources.oldest = kTimestampMax;
      for (const auto& [partition, state] : partitions) {
        sources.oldest = std::min(sources.oldest, format::PartitionStart(partition));
        sources.newest = std::max(sources.newest, format::PartitionEnd(partition) - 1);
      }
    }
  }
  ReadView view(std::move(pin), as_of, std::move(sources), retention_->expired(), *store_,
                {heads_, pages_, figures_}, partitions_, versions_);
  view.keep_going = std::move(keep_going);
  if (has_lost_tail) {
    view.damage = Annotate(tail_damage_,
                           absl::StrCat("samples of tag ", id, " that were open at the last seal are lost"));
  }
  view.note_end = [this](const absl::Status& status) { NoteDamage(status); };
  return view;
}

absl::StatusOr<std::unique_ptr<RawReader>> ArchiveImpl::ReadRaw(const RawRequest& request,
                                                                KeepGoing keep_going) {
  if (request.start > request.end) {
    return absl::InvalidArgumentError(absl::StrCat("the range ends (", FormatTimestamp(request.end),
                                                   ") before it starts (", FormatTimestamp(request.start),
                                                   ")"));
  }
  RawRequest valid = request;
  valid.start = std::clamp(request.start, kTimestampMin, kTimestampMax + 1);
  valid.end = std::clamp(request.end, kTimestampMin, kTimestampMax + 1);
  ASSIGN_OR_RETURN(ReadView view, ViewOf(request.tag, std::move(keep_going), request.as_of));
  return NewRawReader(std::move(view), valid);
}

absl::StatusOr<std::optional<LatestSample>> ArchiveImpl::LatestKept(TagId tag, Version as_of, Timestamp until,
                                                                    const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RawReader> reader,
      ReadRaw({.tag = tag, .start = kTimestampMin, .end = until + 1, .reverse = true, .as_of = as_of},
              keep_going));
  Samples samples;
  ASSIGN_OR_RETURN(const bool any, reader->Next(&samples));
  if (!any) return std::optional<LatestSample>();
  LatestSample latest{.sample = {samples.times[0], samples.values[0], samples.View().QualityAt(0)}};
  TagTraits traits;
  tags_->GetTraits(&tag, 1, &traits);
  if (traits.type == ValueType::kString) {
    latest.text = std::string(samples.View().StringAt(0));
    latest.sample.value = 0;
  }
  return std::optional<LatestSample>(std::move(latest));
}

absl::StatusOr<std::vector<std::optional<LatestSample>>> ArchiveImpl::ReadLatest(
    absl::Span<const TagId> tags, Version as_of, const KeepGoing& keep_going) {
  std::vector<std::optional<LatestSample>> latest(tags.size());
  ASSIGN_OR_RETURN(as_of, versions_.Resolve({.version = as_of}));
  if (as_of != kVersionNow) {
    for (size_t i = 0; i < tags.size(); ++i) {
      RETURN_IF_ERROR(GoOn(keep_going));
      if (tags_->NameOf(tags[i]).empty()) continue;
      ASSIGN_OR_RETURN(latest[i], LatestKept(tags[i], as_of, kTimestampMax, keep_going));
    }
    return latest;
  }
  for (const TagId tag : tags) {
    if (lost_tails_.contains(tag)) {
      return Annotate(tail_damage_, absl::StrCat("the newest sample of tag ", tag, " is lost"));
    }
  }
  std::vector<std::vector<size_t>> positions(shards_.size());
  for (size_t i = 0; i < tags.size(); ++i) positions[tags[i] % shards_.size()].push_back(i);
  // What lies ahead of the clock does not hide what is newest by now.
  const Timestamp now = std::clamp(clock_.Now(), kTimestampMin, kTimestampMax);
  std::vector<size_t> elsewhere;
  for (size_t s = 0; s < shards_.size(); ++s) {
    if (!positions[s].empty()) shards_[s]->Latest(tags.data(), positions[s], now, &latest, &elsewhere);
  }
  const auto look = [&](size_t i) -> absl::Status {
    RETURN_IF_ERROR(GoOn(keep_going));
    absl::StatusOr<std::optional<LatestSample>> kept = LatestKept(tags[i], kVersionNow, now, keep_going);
    // Without what is damaged the tag has no newest sample. Whoever may not wait for the disk asks again elsewhere.
    if (!kept.ok() && !absl::IsDataLoss(kept.status())) return kept.status();
    NoteDamage(kept.status());
    latest[i] = kept.ok() ? *std::move(kept) : std::nullopt;
    return absl::OkStatus();
  };
  for (const size_t i : elsewhere) RETURN_IF_ERROR(look(i));
  const std::shared_ptr<const ExpiredTable> expired = retention_->expired();
  if (expired->empty()) return latest;
  for (size_t i = 0; i < tags.size(); ++i) {
    const Expired* const of_tag = expired->Of(tags[i]);
    if (of_tag == nullptr || !latest[i].has_value() ||
        !of_tag->HasRaw(format::PartitionOf(latest[i]->sample.time))) {
      continue;
    }
    // A hold may keep something older.
    RETURN_IF_ERROR(look(i));
  }
  return latest;
}

absl::StatusOr<Samples> ArchiveImpl::ReadAtTimes(TagId tag, absl::Span<const Timestamp> times,
                                                 Interpolation interpolation, bool uncertain_as_bad,
                                                 KeepGoing keep_going, Version as_of) {
  for (const Timestamp t : times) {
    if (!IsValidTimestamp(t)) {
      return absl::InvalidArgumentError(
          absl::StrCat("time ", FormatTimestamp(t), " is outside 1900-01-01 to 2200-01-01"));
    }
  }
  ASSIGN_OR_RETURN(const ReadView view, ViewOf(tag, std::move(keep_going), as_of));
  return historian::ReadAtTimes(view, times, interpolation, uncertain_as_bad);
}

absl::StatusOr<std::unique_ptr<JoinedReader>> ArchiveImpl::ReadJoined(TagId tag, Interpolation interpolation,
                                                                      bool uncertain_as_bad,
                                                                      KeepGoing keep_going, Version as_of) {
  ASSIGN_OR_RETURN(ReadView view, ViewOf(tag, std::move(keep_going), as_of));
  return NewJoinedReader(std::move(view), interpolation, uncertain_as_bad);
}

absl::StatusOr<std::unique_ptr<FoldReader>> ArchiveImpl::ReadFolded(TagId tag, KeepGoing keep_going,
                                                                    Version as_of) {
  ASSIGN_OR_RETURN(ReadView view, ViewOf(tag, std::move(keep_going), as_of));
  return NewFoldReader(std::move(view));
}

void ArchiveImpl::NoteDamage(const absl::Status& status) {
  if (!absl::IsDataLoss(status)) return;
  std::string text(status.message());
  absl::MutexLock lock(&damage_mu_);
  if (std::find(damage_.begin(), damage_.end(), text) != damage_.end()) return;
  damage_.push_back(std::move(text));
  if (damage_.size() > kDamageListedMax) damage_.pop_front();
}

// ---- Sealing and looking after itself

kv::StoreStats ArchiveImpl::LookAtStore() {
  {
    absl::MutexLock lock(&state_mu_);
    looking_since_ = MonotonicTime::Now();
  }
  const kv::StoreStats stats = store_->Stats();
  absl::MutexLock lock(&state_mu_);
  looking_since_ = MonotonicTime::InfiniteFuture();
  store_stats_ = stats;
  return stats;
}

void ArchiveImpl::ShareOut() {
  retention_->NoteMemory();
  definitions_.Set(DefinitionKind::kWeeks, partitions_.MemoryBytes());
  const MemoryShares shares = Shares();
  heads_.SetBytesMax(shares.head_bytes);
  pages_.SetBytesMax(shares.page_bytes);
  figures_.SetBytesMax(shares.figure_bytes);
  tags_->SetRecentBytesMax(shares.tag_bytes);
}

MemoryGate::Tails ArchiveImpl::LookAtTails() {
  const MemoryShares shares = Shares();
  const uint64_t open = OpenBytesOf(shards_);
  const bool borrow = open > shares.tail_bytes;
  if (borrow != tails_borrow_.load(std::memory_order_relaxed))
    tails_borrow_.store(borrow, std::memory_order_relaxed);
  const uint64_t cached = std::min(shares.cache_bytes, CachedBytes());
  return {.bytes = open, .limit_bytes = shares.tail_bytes + (shares.cache_bytes - cached)};
}

void ArchiveImpl::CheckRoom() {
  const kv::StoreStats stats = LookAtStore();
  const std::vector<kv::StoreDamage> damages = store_->Damages();
  for (; store_damages_noted_ < damages.size(); ++store_damages_noted_) {
    NoteDamage(absl::DataLossError(damages[store_damages_noted_].what));
  }
  if (absl::Status refusal = store_->refusal(); !refusal.ok()) {
    write_path_->SetRoom(std::move(refusal));
    return;
  }
  const uint64_t reserve =
      std::min(options_.disk_reserve_bytes, std::max(stats.capacity_bytes / 20, kReserveBytesMin));
  write_path_->SetRoom(
      stats.free_bytes >= reserve
          ? absl::OkStatus()
          : absl::ResourceExhaustedError(absl::StrCat(
                "the disk is full: ", stats.free_bytes >> 20, " MiB are free and ", reserve >> 20,
                " MiB are kept in reserve; writes are refused until there is room")));
  absl::MutexLock lock(&state_mu_);
  reserve_bytes_ = reserve;
}

bool ArchiveImpl::SealIsDue() {
  // A seal that failed (no room, say) is tried again after a pause.
  if (MonotonicTime::Now() - last_seal_try_ < absl::Seconds(1)) return false;
  if (write_path_->journal().size_bytes() > options_.journal_bytes_max) {
    // What the journal holds of an archive in which nothing is open cannot be trimmed further.
    Version last = 0;
    if (OpenSamplesOf(shards_) > 0 || !versions_.Unwritten(&last).empty()) return true;
  }
  if (OpenBytesOf(shards_) > Shares().seal_tail_bytes) return true;
  return MonotonicTime::Now() - write_path_->dirty_since() > options_.seal_interval;
}

void ArchiveImpl::CloseVersionWhenDue() {
  if (!write_path_->has_arrived()) {
    arrived_since_ = MonotonicTime::Now();
  } else if (MonotonicTime::Now() - arrived_since_ >= options_.version_period) {
    arrived_since_ = MonotonicTime::Now();
    NoteDamage(write_path_->CloseVersion(VersionCause::kPeriod, "", "").status());
  }
}

absl::StatusOr<ClosedVersion> ArchiveImpl::MarkVersion(absl::string_view author, absl::string_view comment) {
  for (const auto& [what, text, bytes_max] : {std::tuple("author", author, kVersionAuthorBytesMax),
                                              std::tuple("comment", comment, kVersionCommentBytesMax)}) {
    if (text.size() <= bytes_max && IsValidUtf8(text)) continue;
    return absl::InvalidArgumentError(absl::StrCat("a version's ", what, " has at most ", bytes_max,
                                                   " bytes of UTF-8; this one has ", text.size(), " bytes"));
  }
  return write_path_->CloseVersion(VersionCause::kMark, author, comment);
}

void ArchiveImpl::Maintain() {
  // With the mutex held.
  const auto seal_is_wanted = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return seal_all_.is_asked() &&
           (closing_ || MonotonicTime::Now() - last_asked_seal_ >= options_.asked_seal_interval);
  };
  const auto wanted = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return closing_ || seal_is_wanted(); };
  while (true) {
    uint64_t begun;
    bool explicitly;
    {
      absl::MutexLock lock(&state_mu_);
      maintenance_wake_.AwaitFor(&state_mu_, kMaintenancePeriod, wanted);
      begun = seal_all_.Begin();
      explicitly = seal_is_wanted();
      if (closing_ && !explicitly) return;
    }
    CheckRoom();
    ShareOut();
    LookAtTails();  // So that caches take something again when no frame comes that would look.
    CloseVersionWhenDue();
    if (!explicitly && (!store_->refusal().ok() || !SealIsDue())) continue;
    const bool for_memory = OpenBytesOf(shards_) > Shares().seal_tail_bytes;
    absl::StatusOr<SealResult> result =
        SealNow(explicitly ? Why::kAsked : Why::kDue, explicitly || for_memory);
    last_seal_try_ = result.ok() ? MonotonicTime::InfinitePast() : MonotonicTime::Now();
    if (explicitly) last_asked_seal_ = MonotonicTime::Now();
    if (!result.ok()) NoteDamage(result.status());
    if (explicitly) {
      absl::MutexLock lock(&state_mu_);
      seal_all_.Answer(begun, std::move(result));
    }
  }
}

absl::StatusOr<SealResult> ArchiveImpl::SealNow(Why why, bool everything) {
  RETURN_IF_ERROR(Annotate(store_->refusal(), "sealing"));
  // One cut through everything at one position of the journal: what is before it is frozen, what comes behind
  // it is not.
  size_t tags = 0;
  // What so many tails and records took lies scattered. When all of it has gone the allocator gives it back,
  // but only when told to.
  const auto at_end = absl::MakeCleanup([&tags] {
    if (tags >= kManyTags) ReturnFreedMemory();
  });
  absl::MutexLock step(&steps_.mu());
  SealInput input{.everything = everything};
  std::vector<std::vector<FrozenTag>> frozen_by_shard(shards_.size());
  absl::BlockingCounter shards_left(static_cast<int>(shards_.size()));
  const MonotonicTime cut = MonotonicTime::Now();
  Version last_version = 0;
  const auto freeze = [&](uint64_t next_position) {
    input.journal_position = next_position;
    input.producers = write_path_->producers().TakeChanged();
    input.versions = versions_.Unwritten(&last_version);  // Marks behind the position are the next seal's.
    for (size_t s = 0; s < shards_.size(); ++s) {
      shards_[s]->Post([&, s] {
        shards_[s]->Freeze(everything, &frozen_by_shard[s]);
        shards_left.DecrementCount();
      });
    }
  };
  // A seal closes a version, and cuts where that ends: so what it seals of a tag is mostly of one version. If it cannot be
  // closed the seal goes on all the same: that is what makes room.
  bool is_cut = false;
  if (write_path_->has_arrived() &&
      ((why == Why::kAsked && definitions_.Shortage().ok()) ||
       MonotonicTime::Now() - write_path_->last_closed() >= kVersionOfSealMin)) {
    const absl::Status closed = write_path_->CloseVersion(VersionCause::kSeal, "", "", freeze).status();
    NoteDamage(closed);
    is_cut = closed.ok();
  }
  if (!is_cut) write_path_->journal().AtBoundary(freeze);
  shards_left.Wait();
  for (std::vector<FrozenTag>& part : frozen_by_shard) {
    std::move(part.begin(), part.end(), std::back_inserter(input.frozen));
  }
  tags = input.frozen.size();
  input.expired = retention_->expired();

  absl::StatusOr<SealOutcome> outcome = historian::Seal(*store_, steps_, input);
  if (outcome.ok()) housekeeping_->NoteSealed(outcome->partitions);
  for (size_t i = 0; i < input.frozen.size(); ++i) {
    const TagId tag = input.frozen[i].tag;
    ShardOf(tag).Thaw(tag, outcome.ok() ? &outcome->left[i] : nullptr);
  }
  if (!outcome.ok()) {
    write_path_->producers().PutBack(input.producers);
    return Annotate(outcome.status(), "sealing");
  }
  {
    absl::MutexLock lock(&state_mu_);
    ++seals_;
    last_seal_ = clock_.Now();
  }
  versions_.Written(last_version);
  write_path_->NoteSealed(cut);
  RETURN_IF_ERROR(Annotate(write_path_->journal().Trim(input.journal_position), "trimming the journal"));
  return outcome->result;
}

absl::StatusOr<SealResult> ArchiveImpl::Seal(bool settle, const KeepGoing& keep_going) {
  SealResult result;
  {
    absl::MutexLock lock(&state_mu_);
    if (closing_) return ArchiveIsClosing();
    ASSIGN_OR_RETURN(result, seal_all_.Ask(&state_mu_, &maintenance_wake_, keep_going));
  }
  if (settle) {
    ASSIGN_OR_RETURN(result.partitions_settled, housekeeping_->SettleAll(keep_going));
  }
  LookAtStore();
  return result;
}

// ---- Administration

absl::StatusOr<std::string> ArchiveImpl::Id() {
  absl::MutexLock lock(&record_mu_);
  if (record_.id().empty()) {
    RETURN_IF_ERROR(store_->refusal());
    record::v1::ArchiveRecord record = record_;
    record.set_id(NewId());
    RETURN_IF_ERROR(WriteRecord(record));
    record_ = std::move(record);
  }
  return absl::BytesToHexString(record_.id());
}

absl::StatusOr<ClosedVersion> ArchiveImpl::WriteCheckpoint(const std::string& path, absl::string_view author,
                                                           absl::string_view comment) {
  RETURN_IF_ERROR(store_->refusal());
  absl::StatusOr<ClosedVersion> closed = MarkVersion(author, comment);
  if (absl::IsResourceExhausted(closed.status())) {
    ASSIGN_OR_RETURN(const std::vector<ClosedVersion> newest,
                     versions_.List(kTimestampMin, kTimestampMax, kVersionNow, 1));
    closed = newest.empty() ? ClosedVersion() : newest.front();
  }
  RETURN_IF_ERROR(closed.status());
  absl::Status copied;
  for (int tries = 0; tries < kCheckpointTries; ++tries) {
    copied = store_->Checkpoint(path);
    if (!absl::IsAborted(copied)) break;
  }
  RETURN_IF_ERROR(copied);
  return closed;
}

absl::StatusOr<RetentionResult> ArchiveImpl::ApplyRetention(const RetentionOrder& order,
                                                            const KeepGoing& keep_going) {
  if (!order.dry_run) RETURN_IF_ERROR(store_->refusal());  // Nobody would do it.
  absl::StatusOr<RetentionResult> result = housekeeping_->ApplyRetention(order, keep_going);
  LookAtStore();
  return result;
}

absl::Status ArchiveImpl::KeepTzVersion() {
  absl::MutexLock lock(&record_mu_);
  const auto& uses = record_.tz_uses();
  if (options_.tz_version.empty() || record_.version() == 0 || !store_->refusal().ok() ||
      (!uses.empty() && uses.rbegin()->tz_version() == options_.tz_version)) {
    return absl::OkStatus();
  }
  record::v1::ArchiveRecord record = record_;
  if (record.tz_uses_size() >= kTzUsesMax) {
    record.mutable_tz_uses()->DeleteSubrange(0, record.tz_uses_size() - kTzUsesMax + 1);
  }
  record::v1::TzUseRecord* const use = record.add_tz_uses();
  use->set_tz_version(options_.tz_version);
  use->set_from(versions_.open());
  use->set_since(clock_.Now());
  RETURN_IF_ERROR(WriteRecord(record));
  record_ = std::move(record);
  return absl::OkStatus();
}

ArchiveStats ArchiveImpl::Stats() {
  ArchiveStats stats;
  {
    absl::MutexLock lock(&record_mu_);
    for (const record::v1::TzUseRecord& use : record_.tz_uses()) {
      stats.tz_uses.push_back({use.tz_version(), use.from(), use.since()});
    }
  }
  const WritePath::Stats written = write_path_->GetStats();
  stats.samples_stored = written.samples_stored;
  stats.samples_rejected = written.samples_rejected;
  for (const std::unique_ptr<Shard>& shard : shards_) stats.samples_repeated += shard->duplicates();
  stats.frames_stored = written.frames_stored;
  stats.frames_repeated = written.frames_repeated;
  stats.frames_conflicting = written.frames_conflicting;
  stats.frames_unchecked = written.frames_unchecked;
  stats.producers = written.producers;
  stats.ingest = written.ingest;
  stats.write_failures = written.failures;
  stats.last_write_failure = written.last_failure;
  stats.journal_commits = write_path_->journal().commits();
  stats.samples_open = OpenSamplesOf(shards_);
  stats.memory = {.tags = definitions_.Of(DefinitionKind::kTags),
                  .tag_states = definitions_.Of(DefinitionKind::kTagStates),
                  .producers = definitions_.Of(DefinitionKind::kProducers),
                  .retention = definitions_.Of(DefinitionKind::kRetention),
                  .versions = definitions_.Of(DefinitionKind::kVersions),
                  .weeks = definitions_.Of(DefinitionKind::kWeeks),
                  .tails = OpenBytesOf(shards_),
                  .frames = written.in_flight_bytes,
                  .caches = CachedBytes()};
  stats.definition_bytes_max = definitions_.bytes_max();
  stats.definitions = definitions_.Shortage();
  stats.journal_bytes = write_path_->journal().size_bytes();
  const PartitionState totals = partitions_.Totals();
  stats.samples_sealed = totals.samples;
  stats.samples_unsettled = totals.unsettled_samples;
  stats.blocks = totals.blocks;
  stats.block_bytes = totals.bytes;
  const Housekeeping::Stats housekeeping = housekeeping_->GetStats();
  stats.settles = housekeeping.settles;
  stats.settled_bytes = housekeeping.settled_bytes;
  stats.retention = housekeeping.retention;
  stats.believed_time = believed_->Get().time;
  stats.expired_samples = housekeeping.expired_samples;
  stats.expired_weeks = housekeeping.expired_weeks;
  stats.expiries = housekeeping.expiries;
  {
    absl::MutexLock lock(&state_mu_);
    stats.seals = seals_;
    stats.last_seal = last_seal_;
    stats.disk_reserve_bytes = reserve_bytes_;
    // As of the last look, at most kMaintenancePeriod ago: who asks for the statistics waits for no disk.
    stats.store = store_stats_;
    const absl::Duration looking = MonotonicTime::Now() - looking_since_;
    if (stats.ingest.ok() && looking > kHangs) {
      stats.ingest = absl::UnavailableError(absl::StrCat(
          "the disk has not answered for ", absl::FormatDuration(absl::Trunc(looking, absl::Seconds(1)))));
    }
  }
  stats.read_only = store_->refusal();
  stats.journal_torn_bytes = journal_torn_bytes_;
  stats.journal_torn_position = journal_torn_position_;
  absl::MutexLock lock(&damage_mu_);
  stats.damage.assign(damage_.begin(), damage_.end());
  return stats;
}

AheadOfClock ArchiveImpl::FindAheadOfClock() {
  AheadOfClock ahead;
  const Timestamp now = clock_.Now();
  for (const std::unique_ptr<Shard>& shard : shards_) shard->CountAhead(now, &ahead.tags, &ahead.farthest);
  return ahead;
}

absl::StatusOr<TagStorage> ArchiveImpl::StorageOf(TagId id, KeepGoing keep_going) {
  ASSIGN_OR_RETURN(ReadView view, ViewOf(id, std::move(keep_going)));
  TagStorage storage;
  storage.samples_open = ShardOf(id).OpenSamples(id);
  storage.samples = storage.samples_open;
  if (view.empty()) return storage;
  RETURN_IF_ERROR(AddSealed(*store_, view, &storage));
  storage.first_time = view.oldest;
  storage.last_time = view.newest;
  if (view.expired->Of(id) != nullptr) {
    const std::unique_ptr<FoldReader> reader = NewFoldReader(std::move(view));
    ASSIGN_OR_RETURN(const std::optional<Sample> first, reader->SampleAtOrAfter(kTimestampMin));
    ASSIGN_OR_RETURN(const std::optional<Sample> last, reader->SampleBefore(kTimestampMax + 1));
    storage.first_time = first.has_value() ? first->time : 0;
    storage.last_time = last.has_value() ? last->time : 0;
  }
  return storage;
}

absl::StatusOr<std::vector<BlockInfo>> ArchiveImpl::ListBlocks(TagId id, Timestamp start, Timestamp end,
                                                               KeepGoing keep_going) {
  ASSIGN_OR_RETURN(const ReadView view, ViewOf(id, std::move(keep_going)));
  return historian::ListBlocks(view, start, end);
}

absl::StatusOr<VerifyCounts> ArchiveImpl::Verify(const VerifyOptions& options,
                                                 const VerifyObserver& observer) {
  VerifyObserver noting = observer;
  noting.on_damage = [&](const Damage& damage) {
    NoteDamage(absl::DataLossError(DescribeDamage(damage)));
    if (observer.on_damage != nullptr) observer.on_damage(damage);
  };
  return historian::Verify({*store_, *tags_, versions_, partitions_, write_path_->journal()}, options,
                           noting);
}

absl::StatusOr<BlockBytes> ArchiveImpl::ReadBlock(const format::BlockId& id) {
  const std::shared_ptr<const Tag> tag = tags_->Find(id.tag);
  if (tag == nullptr) return absl::NotFoundError(absl::StrCat("no tag has id ", id.tag));
  return ReadBlockBytes(*store_, *retention_->expired(), *tag, id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Archive>> Archive::Open(std::unique_ptr<kv::Store> store,
                                                       const ArchiveOptions& options, const Clock& clock) {
  auto archive = std::make_unique<ArchiveImpl>(std::move(store), options, clock);
  RETURN_IF_ERROR(archive->Init());
  return archive;
}

}  // namespace historian
