#include "server/self_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "absl/strings/str_cat.h"

namespace historian::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// The client's preface and the nine bytes of an empty SETTINGS frame, the last of which ends the literal.
constexpr char kHttp2Hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
constexpr size_t kFrameHeaderBytes = 9;
constexpr uint8_t kSettings = 4;
constexpr size_t kRecordHeaderBytes = 5;
constexpr uint8_t kTlsHandshake = 22;
constexpr auto kLate = std::chrono::seconds(1);
constexpr auto kAgain = std::chrono::seconds(1);

}  // namespace

std::string TlsClientHello() {
  using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
  using Connection = std::unique_ptr<SSL, decltype(&SSL_free)>;
  const Context context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (context == nullptr) return "";
  // What gRPC asks for, or it would answer with an alert.
  const unsigned char kProtocols[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kProtocols, sizeof(kProtocols));
  const Connection connection(SSL_new(context.get()), &SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  if (connection == nullptr || in == nullptr || out == nullptr) {
    BIO_free(in);
    BIO_free(out);
    return "";
  }
  SSL_set_bio(connection.get(), in, out);  // Owns them from here.
  SSL_set_connect_state(connection.get());
  SSL_do_handshake(connection.get());
  ERR_clear_error();
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  return size > 0 ? std::string(bytes, static_cast<size_t>(size)) : "";
}

class SelfProbe::Impl : public std::enable_shared_from_this<SelfProbe::Impl> {
 public:
  Impl(asio::io_context& context, Options options)
      : options_(std::move(options)),
        hello_(options_.tls ? TlsClientHello() : std::string(kHttp2Hello, sizeof(kHttp2Hello))),
        context_(context),
        next_(context),
        timeout_(context) {
    FillReserve();
  }
  ~Impl() { DropReserve(); }

  void Start() { After(absl::ToChronoMilliseconds(options_.interval)); }

  void Stop() {
    stopped_ = true;
    next_.cancel();
    timeout_.cancel();
    socket_.reset();
    options_ = {};
  }

 private:
  void After(std::chrono::milliseconds time) {
    next_.expires_after(time);
    next_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && !self->stopped_) self->Probe();
    });
  }

  void Probe() {
    error_code error;
    DropReserve();
    socket_.emplace(context_);
    socket_->open(options_.to.protocol(), error);
    if (!error) socket_->bind(tcp::endpoint(options_.to.address(), 0), error);
    if (error) {
      socket_.reset();
      FillReserve();
      After(kAgain);
      return;
    }
    options_.announce(socket_->local_endpoint(error).port());
    ++number_;
    timeout_.expires_after(absl::ToChronoMilliseconds(options_.timeout));
    timeout_.async_wait([self = shared_from_this(), number = number_](error_code cancelled) {
      if (cancelled) return;
      // Whoever looks late, because this thread or the whole process stood still, has seen nothing.
      const bool late = std::chrono::steady_clock::now() - self->timeout_.expiry() > kLate;
      self->End(number, late ? absl::OkStatus() : absl::DeadlineExceededError("nobody answered"));
    });
    socket_->async_connect(options_.to, [self = shared_from_this(), number = number_](error_code failed) {
      if (self->IsOver(number, failed)) return;
      asio::async_write(*self->socket_, asio::buffer(self->hello_),
                        [self, number](error_code write_failed, size_t) {
                          if (!self->IsOver(number, write_failed)) self->Read(number);
                        });
    });
  }

  void Read(uint64_t number) {
    const size_t size = options_.tls ? kRecordHeaderBytes : kFrameHeaderBytes;
    asio::async_read(*socket_, asio::buffer(answer_.data(), size),
                     [self = shared_from_this(), number](error_code failed, size_t) {
                       if (self->IsOver(number, failed)) return;
                       const bool good = self->options_.tls ? self->answer_[0] == kTlsHandshake
                                                            : self->answer_[3] == kSettings;
                       self->End(number, good ? absl::OkStatus()
                                              : absl::UnavailableError("the answer is not that of gRPC"));
                     });
  }

  // Ends the probe if this step of it failed.
  bool IsOver(uint64_t number, const error_code& error) {
    if (stopped_ || number != number_) return true;
    if (error) End(number, absl::UnavailableError(error.message()));
    return static_cast<bool>(error);
  }

  void End(uint64_t number, const absl::Status& status) {
    if (stopped_ || number != number_) return;
    ++number_;  // What is still under way belongs to no probe.
    timeout_.cancel();
    socket_.reset();
    FillReserve();
    options_.announce(0);
    if (status.ok()) {
      failures_ = 0;
      if (options_.answered) options_.answered();
    } else {
      const bool again = ++failures_ > 1;
      options_.failed(status, again);
      if (again) return;
    }
    After(absl::ToChronoMilliseconds(options_.interval));
  }

  void FillReserve() {
    if (reserve_ < 0) reserve_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  void DropReserve() {
    if (reserve_ >= 0) close(std::exchange(reserve_, -1));
  }

  Options options_;
  const std::string hello_;
  asio::io_context& context_;
  asio::steady_timer next_;
  asio::steady_timer timeout_;
  std::optional<tcp::socket> socket_;
  std::array<uint8_t, kFrameHeaderBytes> answer_;
  uint64_t number_ = 0;
  int failures_ = 0;
  bool stopped_ = false;
  int reserve_ = -1;
};

SelfProbe::SelfProbe(asio::io_context& context, Options options)
    : impl_(std::make_shared<Impl>(context, std::move(options))) {}
SelfProbe::~SelfProbe() { impl_->Stop(); }
void SelfProbe::Start() { impl_->Start(); }

}  // namespace historian::server
