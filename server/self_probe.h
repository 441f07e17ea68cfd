// File: server/self_probe.h
//
// Asks once in a while, as a client would, whether somebody is there: a connection to our own gRPC port, the first words
// of a client, and then the first bytes of an answer. That the connection is made proves nothing, as the kernel makes
// it while there is room in its queue. In plain text the answer is HTTP/2's SETTINGS frame, with TLS the server's
// hello, which comes before any certificate of a client is asked for.
//
// Two failures in a row are told. A probe for which this process has no descriptor has not failed: it is made again.
// One is kept in reserve for it.
//
// Threads: the io_context's, which must be one.
#ifndef HISTORIAN_SERVER_SELF_PROBE_H_
#define HISTORIAN_SERVER_SELF_PROBE_H_

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace historian::server {

class SelfProbe {
 public:
  struct Options {
    boost::asio::ip::tcp::endpoint to;
    bool tls = false;
    absl::Duration interval = absl::Seconds(5);
    absl::Duration timeout = absl::Seconds(5);  // Of one probe.
    // The next probe comes from this port. 0: it is over.
    std::function<void(unsigned short port)> announce;
    // A probe was answered, or nobody could have seen an answer. May be empty.
    std::function<void()> answered;
    // The first of two failures in a row, then the second; `again` says which. After the second one nothing is
    // probed any more.
    std::function<void(const absl::Status& why, bool again)> failed;
  };

  SelfProbe(boost::asio::io_context& context, Options options);
  // Calls nobody any more. On the context's thread, or when it does not run.
  ~SelfProbe();

  // The first probe is made after an interval.
  void Start();

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;
};

// The record with which a TLS client begins. Empty if OpenSSL cannot make one. For tests too.
std::string TlsClientHello();

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_SELF_PROBE_H_
