// File: server/log_writer.h
//
// Where log lines go: a file, or standard error.
//
// Nobody who logs waits. Lines go into a queue of kQueueBytesMax, and one thread writes them. While it cannot (nobody
// reads the pipe, the disk hangs or is full), the queue fills, and further lines are dropped and counted. As soon as
// it can write again, a line says how many lines are missing.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_LOG_WRITER_H_
#define HISTORIAN_SERVER_LOG_WRITER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace historian::server {

class LogWriter {
 public:
  static constexpr size_t kQueueBytesMax = size_t{1} << 20;

  // What the writer itself has to say, as lines in the log's form. Called on the writer's thread.
  struct Words {
    std::function<std::string(uint64_t lines)> dropped;
    std::function<std::string()> reopened;
    std::function<std::string(absl::string_view why)> not_reopened;
  };

  // file: appended to, made if it is missing; empty: standard error. The file's directory must exist.
  // Errors: InvalidArgument, the directory is missing or the file cannot be opened; says what to do.
  static absl::StatusOr<std::unique_ptr<LogWriter>> Open(const std::string& file, Words words);
  // Writes what is queued, but gives up after kLastWait.
  ~LogWriter();
  static constexpr absl::Duration kLastWait = absl::Seconds(2);

  // Queues a line, given without its newline.
  void Add(absl::string_view line);
  // Opens the file anew, so that one that was renamed is let go of. Does not wait. Does nothing for standard error.
  void Reopen();
  // Waits until every line that was added before is written or dropped. Returns false if that takes longer.
  bool Flush(absl::Duration timeout);
  // Lines that were dropped since the start.
  uint64_t dropped() const;

 private:
  struct State;
  explicit LogWriter(std::shared_ptr<State> state);

  const std::shared_ptr<State> state_;  // Shared with the thread, which may outlive us when it hangs.
  std::thread thread_;
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_LOG_WRITER_H_
