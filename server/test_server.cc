#include "server/test_server.h"

#include <chrono>
#include <climits>
#include <fstream>
#include <sstream>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel_posix.h"
#include "grpcpp/generic/generic_stub.h"
#include "storage/model/check.h"

namespace historian::server {

TestServer::TestServer(Config config, WrapStore wrap) : config_(std::move(config)), wrap_(std::move(wrap)) {
  static int servers = 0;
  log_file_ = absl::StrCat(::testing::TempDir(), "server", ++servers, ".log");
  std::remove(log_file_.c_str());
  if (config_.data_dir.empty()) config_.data_dir = "memory";
  config_.grpc.listen = "127.0.0.1:0";
  config_.http.listen = "127.0.0.1:0";
  Open();
}

TestServer::~TestServer() = default;

void TestServer::Open() {
  auto log = Log::Open(log_file_, "debug", "text");
  HISTORIAN_CHECK(log.ok());
  log_ = *std::move(log);
  auto server = Server::Start(
      config_,
      [this]() -> absl::StatusOr<std::unique_ptr<kv::Store>> {
        auto store = kv::OpenMemoryStore(disk_);
        return wrap_ == nullptr ? std::move(store) : wrap_(std::move(store));
      },
      clock_, *log_);
  if (!server.ok()) std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
  HISTORIAN_CHECK(server.ok());
  server_ = *std::move(server);
  const auto channel = NewChannel();
  ingest_ = v1::Ingest::NewStub(channel);
  tags_ = v1::Tags::NewStub(channel);
  query_ = v1::Query::NewStub(channel);
  admin_ = v1::Admin::NewStub(channel);
  retention_ = v1::Retention::NewStub(channel);
}

void TestServer::Restart(const std::string& listen, const std::function<void()>& between) {
  // The server that goes may be whose address this is.
  if (!listen.empty()) config_.grpc.listen = listen;
  EXPECT_TRUE(server_->Stop().ok());
  server_.reset();
  if (between != nullptr) between();
  Open();
}

std::string TestServer::LogText() const {
  EXPECT_TRUE(log_->Flush(absl::Seconds(10)));
  std::ifstream in(log_file_);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string TestServer::Metrics() const {
  return TcpExchange(server_->http_address(),
                     "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

std::shared_ptr<grpc::Channel> TestServer::NewChannel(grpc::ChannelArguments arguments) {
  arguments.SetMaxReceiveMessageSize(INT_MAX);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // A connection of its own.
  return grpc::CreateCustomChannel(server_->grpc_address(), grpc::InsecureChannelCredentials(), arguments);
}

std::shared_ptr<grpc::Channel> TestServer::NewChannelFrom(const std::string& address,
                                                          grpc::ChannelArguments arguments) {
  const std::string& to = server_->grpc_address();
  int port = 0;
  HISTORIAN_CHECK(absl::SimpleAtoi(to.substr(to.rfind(':') + 1), &port));
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context, boost::asio::ip::tcp::v4());
  socket.bind({boost::asio::ip::make_address(address), 0});
  socket.connect({boost::asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)});
  socket.native_non_blocking(true);
  arguments.SetMaxReceiveMessageSize(INT_MAX);
  return grpc::CreateCustomInsecureChannelFromFd(to, socket.release(), arguments);
}

uint32_t TestServer::Create(const std::string& name, v1::ValueType type) {
  v1::CreateTagsRequest request;
  request.add_tags()->set_name(name);
  request.mutable_tags(0)->set_type(type);
  v1::TagsResponse response;
  grpc::ClientContext context;
  const grpc::Status status = tags_->CreateTags(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  if (!status.ok()) return 0;
  EXPECT_EQ(response.results(0).status().code(), 0) << response.results(0).status().message();
  return response.results(0).tag().id();
}

void TestServer::Store(uint32_t tag, const std::vector<std::pair<Timestamp, double>>& samples,
                       uint32_t quality) {
  v1::Frame frame;
  AddColumn(tag, samples, &frame);
  if (quality != 0) {
    auto* run = frame.mutable_columns(0)->mutable_qualities();
    run->add_first(0);
    run->add_count(static_cast<uint32_t>(samples.size()));
    run->add_quality(quality);
  }
  const v1::WriteAck ack = WriteFrame(frame);
  EXPECT_EQ(ack.samples_stored(), samples.size()) << ack.ShortDebugString();
}

v1::WriteAck TestServer::WriteFrame(const v1::Frame& frame) {
  v1::WriteOnceRequest request;
  request.set_producer(absl::StrCat("test-", ++producers_));
  *request.mutable_frame() = frame;
  request.mutable_frame()->set_sequence(1);
  v1::WriteAck ack;
  grpc::ClientContext context;
  const grpc::Status status = ingest_->WriteOnce(&context, request, &ack);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return ack;
}

std::string TcpExchange(const std::string& address, const std::string& text) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context);
  const size_t colon = address.rfind(':');
  boost::asio::ip::tcp::resolver resolver(context);
  boost::asio::connect(socket, resolver.resolve(address.substr(0, colon), address.substr(colon + 1)));
  boost::system::error_code error;
  boost::asio::write(socket, boost::asio::buffer(text), error);
  std::string answer;
  boost::asio::read(socket, boost::asio::dynamic_buffer(answer), error);
  return answer;
}

void AddColumn(uint32_t tag, const std::vector<std::pair<Timestamp, double>>& samples, v1::Frame* frame) {
  v1::Column* column = frame->add_columns();
  column->set_tag_id(tag);
  for (const auto& [time, value] : samples) {
    column->mutable_times()->mutable_explicit_()->add_at(time);
    column->mutable_values()->mutable_float64()->add_values(value);
  }
}

std::vector<Timestamp> TimesOf(const v1::Times& times, size_t size) {
  std::vector<Timestamp> result;
  for (size_t i = 0; i < size; ++i) {
    switch (times.form_case()) {
      case v1::Times::kExplicit:
        result.push_back(times.explicit_().at(static_cast<int>(i)));
        break;
      case v1::Times::kOffsets:
        result.push_back(
            times.offsets().first() +
            static_cast<int64_t>(times.offsets().offsets(static_cast<int>(i)) * times.offsets().unit_ns()));
        break;
      case v1::Times::kRegular:
        result.push_back(times.regular().first() + static_cast<int64_t>(i * times.regular().step_ns()));
        break;
      case v1::Times::FORM_NOT_SET:
        break;
    }
  }
  return result;
}

grpc::Status CallWithMessages(const std::shared_ptr<grpc::Channel>& channel, const RawCall& raw) {
  // A call that waits for its time ends soon after it; far longer, so that a busy machine is no finding.
  constexpr std::chrono::seconds kEndsWithin(20);
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  if (!raw.token.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", raw.token));
  if (raw.time.has_value()) context.set_deadline(std::chrono::system_clock::now() + *raw.time);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, raw.method, &queue);
  const auto wait = [&] {
    void* tag = nullptr;
    bool ok = false;
    if (raw.time.has_value()) {
      const auto next = queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + kEndsWithin);
      HISTORIAN_CHECK(next == grpc::CompletionQueue::GOT_EVENT && "the call does not end");
    } else {
      HISTORIAN_CHECK(queue.Next(&tag, &ok));
    }
    return ok;
  };
  call->StartCall(nullptr);
  bool open = wait();
  for (size_t i = 0; open && i < raw.messages.size(); ++i) {
    const grpc::Slice slice(raw.messages[i]);
    call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    open = wait();
  }
  if (open) {
    call->WritesDone(nullptr);
    wait();
  }
  grpc::ByteBuffer answer;
  do {
    call->Read(&answer, nullptr);
  } while (wait());
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
  return status;
}

grpc::Status CallWithBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                           const std::string& bytes, const std::string& token) {
  return CallWithMessages(channel, {.method = method, .messages = {bytes}, .token = token});
}

}  // namespace historian::server
