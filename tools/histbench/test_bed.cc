#include "tools/histbench/test_bed.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/tags.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::histbench {
namespace {

// Tags made by one call.
constexpr size_t kTagsAtOnce = 20'000;

}  // namespace

absl::StatusOr<client::Connection> Connect(const std::string& target) {
  ASSIGN_OR_RETURN(client::Connection connection, client::Connection::Open({.target = target,
                                                                            .deadline = absl::Minutes(2),
                                                                            .client_name = "histbench",
                                                                            .message_bytes_max = 64 << 20}));
  RETURN_IF_ERROR(connection.WaitUntilConnected(absl::Seconds(30)));
  return connection;
}

absl::Status MakeTags(const client::Connection& connection, Workload* workload) {
  std::vector<Tag> made, some;
  const std::vector<plant::Sensor>& sensors = workload->sensors();
  for (size_t begin = 0; begin < sensors.size(); begin += kTagsAtOnce) {
    some.clear();
    for (size_t i = begin; i < std::min(sensors.size(), begin + kTagsAtOnce); ++i)
      some.push_back(sensors[i].tag);
    ASSIGN_OR_RETURN(some, client::Tags(connection).Ensure(some));
    made.insert(made.end(), some.begin(), some.end());
  }
  workload->SetTags(made);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TestBed>> TestBed::Start(const Options& options) {
  std::error_code error;
  std::filesystem::create_directories(options.scratch, error);
  if (error)
    return absl::UnavailableError(absl::StrCat("cannot make ", options.scratch, ": ", error.message()));
  std::unique_ptr<TestBed> bed(new TestBed({.binary = options.server_binary,
                                            .data_dir = absl::StrCat(options.scratch, "/data"),
                                            .log_file = absl::StrCat(options.scratch, "/server.log"),
                                            .flags = options.server_flags}));
  ASSIGN_OR_RETURN(bed->server_, ServerProcess::Start(bed->options_));
  ASSIGN_OR_RETURN(bed->connection_, Connect(bed->target()));
  return bed;
}

absl::StatusOr<double> TestBed::Restart(bool kill, bool forget_files) {
  connection_.reset();
  if (kill) {
    server_->Kill();
  } else {
    RETURN_IF_ERROR(server_->Stop(absl::Minutes(2)));
  }
  if (forget_files) ForgetCachedFiles(data_dir());
  const MonotonicTime begin = MonotonicTime::Now();
  ASSIGN_OR_RETURN(server_, ServerProcess::Start(options_));
  const double seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  ASSIGN_OR_RETURN(connection_, Connect(target()));
  return seconds;
}

absl::Status TestBed::Stop() {
  connection_.reset();
  return server_->Stop(absl::Minutes(2));
}

}  // namespace historian::histbench
