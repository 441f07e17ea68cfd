#include "client/fake_server.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "client/wire.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace historian::client {

FakeServer::FakeServer(int port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(static_cast<v1::Tags::Service*>(this));
  builder.RegisterService(static_cast<v1::Ingest::Service*>(this));
  builder.RegisterService(static_cast<v1::Query::Service*>(this));
  builder.RegisterService(static_cast<v1::Admin::Service*>(this));
  builder.SetMaxReceiveMessageSize(8 * 1024 * 1024);
  server_ = builder.BuildAndStart();
}

FakeServer::~FakeServer() { Kill(); }

void FakeServer::Kill() {
  Release();
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

Connection FakeServer::connection() const {
  return *Connection::Open({.target = absl::StrCat("127.0.0.1:", port_), .deadline = absl::Seconds(10)});
}

void FakeServer::Script(StreamScript script) {
  absl::MutexLock lock(&mutex_);
  scripts_.push_back(std::move(script));
}

void FakeServer::Release() {
  absl::MutexLock lock(&mutex_);
  released_ = true;
  changed_.SignalAll();
}

void FakeServer::Discard() {
  absl::MutexLock lock(&mutex_);
  discard_ = true;
}

void FakeServer::RejectTag(uint32_t tag) {
  absl::MutexLock lock(&mutex_);
  rejected_tag_ = tag;
}

std::vector<std::tuple<Timestamp, ValueBits, Quality>> FakeServer::Stored(TagId tag) {
  absl::MutexLock lock(&mutex_);
  return stored_[tag];
}

uint64_t FakeServer::stored_samples() {
  absl::MutexLock lock(&mutex_);
  uint64_t count = 0;
  for (const auto& [tag, samples] : stored_) count += samples.size();
  return count;
}

std::vector<uint64_t> FakeServer::sequences() {
  absl::MutexLock lock(&mutex_);
  return sequences_;
}

int FakeServer::streams() {
  absl::MutexLock lock(&mutex_);
  return streams_;
}

// --- Tags

v1::Tag* FakeServer::Find(const v1::TagKey& key) {
  for (auto& [name, tag] : tags_) {
    if (key.has_id() ? tag.id() == key.id() : name == key.name()) return &tag;
  }
  return nullptr;
}

grpc::Status FakeServer::CreateTags(grpc::ServerContext*, const v1::CreateTagsRequest* request,
                                    v1::TagsResponse* response) {
  absl::MutexLock lock(&mutex_);
  if (request->tags_size() > 10'000) return {grpc::StatusCode::INVALID_ARGUMENT, "too many tags"};
  for (const v1::Tag& tag : request->tags()) {
    v1::TagResult* result = response->add_results();
    if (!ValidateTagName(tag.name()).ok()) {
      result->mutable_status()->set_code(grpc::StatusCode::INVALID_ARGUMENT);
      result->mutable_status()->set_message("bad name");
      continue;
    }
    const auto [it, inserted] = tags_.try_emplace(tag.name(), tag);
    if (inserted) {
      it->second.set_id(static_cast<uint32_t>(tags_.size()));
    } else if (it->second.unit() != tag.unit() || it->second.type() != tag.type()) {
      result->mutable_status()->set_code(grpc::StatusCode::ALREADY_EXISTS);
      result->mutable_status()->set_message("exists");
    }
    *result->mutable_tag() = it->second;
  }
  if (lose_a_result) response->mutable_results()->RemoveLast();
  return grpc::Status::OK;
}

grpc::Status FakeServer::UpdateTags(grpc::ServerContext*, const v1::UpdateTagsRequest* request,
                                    v1::TagsResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const v1::TagUpdate& update : request->updates()) {
    v1::TagResult* result = response->add_results();
    v1::Tag* tag = Find(update.key());
    if (tag == nullptr) {
      result->mutable_status()->set_code(grpc::StatusCode::NOT_FOUND);
      continue;
    }
    if (update.has_unit()) tag->set_unit(update.unit());
    if (update.has_description()) tag->set_description(update.description());
    *result->mutable_tag() = *tag;
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::GetTags(grpc::ServerContext*, const v1::GetTagsRequest* request,
                                 v1::TagsResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const v1::TagKey& key : request->keys()) {
    v1::TagResult* result = response->add_results();
    if (const v1::Tag* tag = Find(key)) {
      *result->mutable_tag() = *tag;
    } else {
      result->mutable_status()->set_code(grpc::StatusCode::NOT_FOUND);
      result->mutable_status()->set_message("no such tag");
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::ListTags(grpc::ServerContext*, const v1::ListTagsRequest* request,
                                  v1::ListTagsResponse* response) {
  absl::MutexLock lock(&mutex_);
  // Counts the tags it skips as well, so that pages may be empty without being the last.
  uint32_t seen = 0;
  auto it = tags_.upper_bound(request->page_token());
  for (; it != tags_.end() && seen < request->page_size(); ++it, ++seen) {
    if (absl::string_view(it->first).substr(0, request->prefix().size()) == request->prefix()) {
      *response->add_tags() = it->second;
    }
    response->set_next_page_token(it->first);
  }
  if (it == tags_.end()) response->clear_next_page_token();
  return grpc::Status::OK;
}

grpc::Status FakeServer::RetireTags(grpc::ServerContext*, const v1::RetireTagsRequest* request,
                                    v1::TagsResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const v1::TagKey& key : request->keys()) {
    v1::TagResult* result = response->add_results();
    v1::Tag* tag = Find(key);
    if (tag == nullptr) {
      result->mutable_status()->set_code(grpc::StatusCode::NOT_FOUND);
      continue;
    }
    tag->set_retired(!request->undo());
    *result->mutable_tag() = *tag;
  }
  return grpc::Status::OK;
}

// --- Ingest

void FakeServer::Store(const v1::Frame& frame, v1::WriteAck* ack) {
  for (int i = 0; i < frame.columns_size(); ++i) {
    const v1::Column& column = frame.columns(i);
    const absl::StatusOr<SampleBatch> batch = FromWire(column);
    HISTORIAN_CHECK(batch.ok());
    HISTORIAN_CHECK(IsStrictlyAscending(batch->samples.times.data(), batch->samples.size()));
    if (batch->tag_id == rejected_tag_) {
      v1::Rejection* rejection = ack->add_rejections();
      rejection->set_sequence(frame.sequence());
      rejection->set_column(static_cast<uint32_t>(i));
      rejection->set_count(static_cast<uint32_t>(batch->samples.size()));
      rejection->set_tag_id(batch->tag_id);
      rejection->set_time(batch->samples.times[0]);
      rejection->set_reason(v1::REJECTION_REASON_UNKNOWN_TAG);
      rejection->set_message("no such tag");
      ack->set_samples_rejected(ack->samples_rejected() + batch->samples.size());
      continue;
    }
    const SamplesView view = batch->samples.View();
    for (size_t k = 0; k < view.size; ++k) {
      stored_[batch->tag_id].emplace_back(view.times[k], view.values[k], view.QualityAt(k));
    }
    ack->set_samples_stored(ack->samples_stored() + view.size);
  }
  for (const v1::Snapshot& snapshot : frame.snapshots()) {
    Samples samples;
    HISTORIAN_CHECK(ValuesFromWire(snapshot.values(), &samples).ok());
    const size_t size = static_cast<size_t>(snapshot.tag_ids_size());
    HISTORIAN_CHECK(samples.values.size() == size);
    HISTORIAN_CHECK(QualitiesFromWire(snapshot.qualities(), size, &samples.qualities).ok());
    for (size_t k = 0; k < size; ++k) {
      stored_[snapshot.tag_ids(static_cast<int>(k))].emplace_back(
          snapshot.time(), samples.values[k], samples.qualities.empty() ? kGood : samples.qualities[k]);
    }
    ack->set_samples_stored(ack->samples_stored() + size);
  }
}

grpc::Status FakeServer::Write(grpc::ServerContext* context,
                               grpc::ServerReaderWriter<v1::WriteAck, v1::WriteRequest>* stream) {
  v1::WriteRequest request;
  if (!stream->Read(&request)) return grpc::Status::OK;
  const std::string producer = request.producer();
  StreamScript script;
  v1::WriteAck opening;
  {
    absl::MutexLock lock(&mutex_);
    ++streams_;
    if (!scripts_.empty()) {
      script = scripts_.front();
      scripts_.pop_front();
    }
    opening.set_acknowledged(script.first_ack >= 0 ? static_cast<uint64_t>(script.first_ack)
                                                   : producers_[producer]);
  }
  if (!script.refuse.ok()) return script.refuse;
  stream->Write(opening);
  if (!script.reads) {
    absl::MutexLock lock(&mutex_);
    while (!released_ && !context->IsCancelled()) {
      changed_.WaitFor(&mutex_, absl::Milliseconds(20));
    }
  }
  for (int frames = 0; script.frames < 0 || frames < script.frames; ++frames) {
    if (!stream->Read(&request)) return grpc::Status::OK;
    v1::WriteAck ack;
    {
      absl::MutexLock lock(&mutex_);
      const uint64_t sequence = request.frame().sequence();
      sequences_.push_back(sequence);
      if (sequence <= producers_[producer]) {
        ack.set_frames_repeated(1);
      } else {
        producers_[producer] = sequence;
        if (!discard_) Store(request.frame(), &ack);
      }
      ack.set_acknowledged(script.frame_ack >= 0 ? static_cast<uint64_t>(script.frame_ack)
                                                 : producers_[producer]);
    }
    if (frames < script.acknowledge_frames) stream->Write(ack);
  }
  return script.end;
}

// --- Query

grpc::Status FakeServer::ReadRaw(grpc::ServerContext*, const v1::ReadRawRequest* request,
                                 grpc::ServerWriter<v1::RawFrame>* writer) {
  raw_request = *request;
  for (const v1::RawFrame& frame : raw_frames) {
    if (!writer->Write(frame)) break;
  }
  return query_status;
}

grpc::Status FakeServer::ReadLatest(grpc::ServerContext*, const v1::ReadLatestRequest*,
                                    v1::ReadLatestResponse* response) {
  *response = latest;
  return query_status;
}

grpc::Status FakeServer::ReadAtTimes(grpc::ServerContext*, const v1::ReadAtTimesRequest*,
                                     v1::ReadAtTimesResponse* response) {
  *response = at_times;
  return query_status;
}

grpc::Status FakeServer::ReadJoined(grpc::ServerContext*, const v1::ReadJoinedRequest* request,
                                    grpc::ServerWriter<v1::JoinedFrame>* writer) {
  joined_request = *request;
  for (const v1::JoinedFrame& frame : joined) writer->Write(frame);
  return query_status;
}

grpc::Status FakeServer::ReadProcessed(grpc::ServerContext*, const v1::ReadProcessedRequest* request,
                                       grpc::ServerWriter<v1::ProcessedFrame>* writer) {
  processed_request = *request;
  for (const v1::ProcessedFrame& frame : processed) writer->Write(frame);
  return query_status;
}

grpc::Status FakeServer::Plot(grpc::ServerContext*, const v1::PlotRequest*,
                              grpc::ServerWriter<v1::PlotFrame>* writer) {
  for (const v1::PlotFrame& frame : plot) writer->Write(frame);
  return query_status;
}

// --- Admin

grpc::Status FakeServer::GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                                   v1::GetStatusResponse* response) {
  response->set_state(v1::GetStatusResponse::STATE_SERVING);
  return query_status;
}

grpc::Status FakeServer::ListBlocks(grpc::ServerContext*, const v1::ListBlocksRequest*,
                                    grpc::ServerWriter<v1::BlockInfo>* writer) {
  for (uint64_t i = 1; i <= 3; ++i) {
    v1::BlockInfo block;
    block.set_samples(i);
    writer->Write(block);
  }
  return query_status;
}

}  // namespace historian::client
