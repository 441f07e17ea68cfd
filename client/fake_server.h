// File: client/fake_server.h
//
// A server for tests of the client: stores what is written in memory, answers reads from canned messages, and
// fails as it is told to.
//
// Threads: any number. Set the canned answers before the calls that want them.
#ifndef HISTORIAN_CLIENT_FAKE_SERVER_H_
#define HISTORIAN_CLIENT_FAKE_SERVER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client/connection.h"
#include "grpcpp/server.h"
#include "proto/historian/v1/admin.grpc.pb.h"
#include "proto/historian/v1/ingest.grpc.pb.h"
#include "proto/historian/v1/query.grpc.pb.h"
#include "proto/historian/v1/tags.grpc.pb.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/platform/monotonic.h"

namespace historian::client {

// How one write stream goes. By default it reads, stores and acknowledges until the client half-closes.
struct StreamScript {
  grpc::Status refuse;  // Not OK: the stream ends at once with this, without an acknowledgement.
  int frames = -1;      // Not below 0: the stream ends with `end` after this many frames.
  grpc::Status end = grpc::Status(grpc::StatusCode::UNAVAILABLE, "scripted");
  int acknowledge_frames = 1 << 30;  // How many of the frames are acknowledged. All are stored.
  bool reads = true;                 // false: reads nothing after the opening, until Release().
  int64_t first_ack = -1;            // Not below 0: a lie about where the producer stands.
  int64_t frame_ack = -1;            // Not below 0: a lie in every later acknowledgement.
};

class FakeServer final : public v1::Tags::Service,
                         public v1::Ingest::Service,
                         public v1::Query::Service,
                         public v1::Admin::Service {
 public:
  explicit FakeServer(int port = 0);
  ~FakeServer() override;

  int port() const { return port_; }
  Connection connection() const;
  // Ends all streams and takes no new ones, as a killed server does.
  void Kill();

  // Adds the script of one more stream; streams take the scripts in order.
  void Script(StreamScript script);
  void Release();
  void RejectTag(uint32_t tag);
  // Acknowledges frames without storing their samples.
  void Discard();

  // Stored samples of a tag in the order they came, each (time, value's bits, quality).
  std::vector<std::tuple<Timestamp, ValueBits, Quality>> Stored(TagId tag);
  uint64_t stored_samples();
  // The numbers of all frames that came, repeated ones too.
  std::vector<uint64_t> sequences();
  int streams();

  // Canned answers.
  grpc::Status query_status;
  std::vector<v1::RawFrame> raw_frames;
  v1::ReadLatestResponse latest;
  v1::ReadAtTimesResponse at_times;
  std::vector<v1::JoinedFrame> joined;
  std::vector<v1::ProcessedFrame> processed;
  std::vector<v1::PlotFrame> plot;
  bool lose_a_result = false;  // Tag calls answer one result too few.
  // The last requests.
  v1::ReadRawRequest raw_request;
  v1::ReadJoinedRequest joined_request;
  v1::ReadProcessedRequest processed_request;

 private:
  grpc::Status CreateTags(grpc::ServerContext*, const v1::CreateTagsRequest*, v1::TagsResponse*) override;
  grpc::Status UpdateTags(grpc::ServerContext*, const v1::UpdateTagsRequest*, v1::TagsResponse*) override;
  grpc::Status GetTags(grpc::ServerContext*, const v1::GetTagsRequest*, v1::TagsResponse*) override;
  grpc::Status ListTags(grpc::ServerContext*, const v1::ListTagsRequest*, v1::ListTagsResponse*) override;
  grpc::Status RetireTags(grpc::ServerContext*, const v1::RetireTagsRequest*, v1::TagsResponse*) override;
  grpc::Status Write(grpc::ServerContext*,
                     grpc::ServerReaderWriter<v1::WriteAck, v1::WriteRequest>*) override;
  grpc::Status ReadRaw(grpc::ServerContext*, const v1::ReadRawRequest*,
                       grpc::ServerWriter<v1::RawFrame>*) override;
  grpc::Status ReadLatest(grpc::ServerContext*, const v1::ReadLatestRequest*,
                          v1::ReadLatestResponse*) override;
  grpc::Status ReadAtTimes(grpc::ServerContext*, const v1::ReadAtTimesRequest*,
                           v1::ReadAtTimesResponse*) override;
  grpc::Status ReadJoined(grpc::ServerContext*, const v1::ReadJoinedRequest*,
                          grpc::ServerWriter<v1::JoinedFrame>*) override;
  grpc::Status ReadProcessed(grpc::ServerContext*, const v1::ReadProcessedRequest*,
                             grpc::ServerWriter<v1::ProcessedFrame>*) override;
  grpc::Status Plot(grpc::ServerContext*, const v1::PlotRequest*,
                    grpc::ServerWriter<v1::PlotFrame>*) override;
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::GetStatusResponse*) override;
  grpc::Status ListBlocks(grpc::ServerContext*, const v1::ListBlocksRequest*,
                          grpc::ServerWriter<v1::BlockInfo>*) override;

  v1::Tag* Find(const v1::TagKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Store(const v1::Frame& frame, v1::WriteAck* ack) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  CondVar changed_;  // Released.
  std::map<std::string, v1::Tag> tags_ ABSL_GUARDED_BY(mutex_);
  std::deque<StreamScript> scripts_ ABSL_GUARDED_BY(mutex_);
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  bool discard_ ABSL_GUARDED_BY(mutex_) = false;
  uint32_t rejected_tag_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, uint64_t> producers_ ABSL_GUARDED_BY(mutex_);
  std::map<TagId, std::vector<std::tuple<Timestamp, ValueBits, Quality>>> stored_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> sequences_ ABSL_GUARDED_BY(mutex_);
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace historian::client

#endif  // HISTORIAN_CLIENT_FAKE_SERVER_H_
