#include <string>

#include "absl/strings/str_cat.h"
#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

absl::string_view StateName(v1::GetStatusResponse::State state) {
  switch (state) {
    case v1::GetStatusResponse::STATE_STARTING:
      return "starting";
    case v1::GetStatusResponse::STATE_SERVING:
      return "serving";
    case v1::GetStatusResponse::STATE_READ_ONLY:
      return "read only";
    case v1::GetStatusResponse::STATE_STOPPING:
      return "stopping";
    default:
      return "unknown";
  }
}

absl::string_view AccessName(v1::GetStatusResponse::Access access) {
  switch (access) {
    case v1::GetStatusResponse::ACCESS_CLOSED:
      return "by token or certificate";
    case v1::GetStatusResponse::ACCESS_OPEN:
      return "open";
    case v1::GetStatusResponse::ACCESS_INSECURE:
      return "INSECURE";
    default:
      return "unknown";
  }
}

absl::Status Status(Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, client::Admin(connection).Status());
  const Timestamp started = status.started(), now = status.now();
  RecordWriter record(context->format, context->out);
  record.Add("server", Cell::Text(context->server));
  record.Add("state", Cell::Text(StateName(status.state())));
  if (!status.message().empty() || context->format != Format::kTable) {
    record.Add("message", Cell::Text(status.message()));
  }
  record.Add("access", Cell::Text(AccessName(status.access())));
  record.Add("version", Cell::Text(status.version()));
  record.Add("tz_version", Cell::Text(status.tz_version()));
  record.Add("started", TimeCell(*context, started));
  const uint64_t up = started <= now ? Elapsed(started, now) : 0;
  record.Add("up", Cell::Float64(static_cast<double>(up) / 1e9).Shown(DurationText(up)));
  record.Add("server_time", TimeCell(*context, now));
  record.Add("retention_time", TimeCell(*context, status.believed_time()));
  record.Add("clock_steps", Cell::Unsigned(status.clock_steps()));
  if (status.clock_steps() > 0 || context->format != Format::kTable) {
    const auto stepped = [&](Timestamp time) {
      return status.clock_steps() == 0 ? Cell::Absent() : TimeCell(*context, time);
    };
    record.Add("clock_stepped_from", stepped(status.clock_stepped_from()));
    record.Add("clock_stepped_to", stepped(status.clock_stepped_to()));
  }
  record.Add("data_directory", Cell::Text(status.data_directory()));
  record.Add("tags", Cell::Unsigned(status.tags()));
  record.Add("samples_stored", Cell::Unsigned(status.samples_stored()));
  record.Add("samples_rejected", Cell::Unsigned(status.samples_rejected()));
  record.Add("samples_open", Cell::Unsigned(status.samples_open()));
  record.Add("frames_stored", Cell::Unsigned(status.frames_stored()));
  record.Add("frames_repeated", Cell::Unsigned(status.frames_repeated()));
  record.Add("journal", Cell::Bytes(status.journal_bytes()));
  record.Add("memory", Cell::Bytes(status.memory_bytes()));
  record.Add("memory_budget", Cell::Bytes(status.memory_budget_bytes()));
  const v1::MemoryUse& memory = status.memory();
  record.Add("memory_definitions", Cell::Bytes(memory.tags() + memory.tag_states() + memory.producers() +
                                               memory.retention() + memory.versions() + memory.weeks()));
  record.Add("memory_definitions_max", Cell::Bytes(memory.definitions_max()));
  record.Add("memory_tags", Cell::Bytes(memory.tags()));
  record.Add("memory_tag_states", Cell::Bytes(memory.tag_states()));
  record.Add("memory_producers", Cell::Bytes(memory.producers()));
  record.Add("memory_retention", Cell::Bytes(memory.retention()));
  record.Add("memory_versions", Cell::Bytes(memory.versions()));
  record.Add("memory_weeks", Cell::Bytes(memory.weeks()));
  record.Add("memory_open_samples", Cell::Bytes(memory.open_samples()));
  record.Add("memory_frames", Cell::Bytes(memory.frames()));
  record.Add("memory_caches", Cell::Bytes(memory.caches()));
  record.Add("memory_store", Cell::Bytes(memory.store()));
  record.Add("memory_calls", Cell::Bytes(memory.calls()));
  record.Add("disk_free", Cell::Bytes(status.disk_free_bytes()));
  record.Add("disk_reserve", Cell::Bytes(status.disk_reserve_bytes()));
  record.Add("write_streams", Cell::Unsigned(status.write_streams()));
  record.Add("queries_running", Cell::Unsigned(status.queries_running()));
  record.Add("version_open", Cell::Unsigned(status.version_open()));
  record.Add("tags_ahead_of_clock", Cell::Unsigned(status.tags_ahead()));
  record.Add("farthest_ahead",
             status.tags_ahead() == 0 ? Cell::Absent() : TimeCell(*context, status.farthest_ahead()));
  record.Add("seals", Cell::Unsigned(status.seals()));
  record.Add("last_seal", status.last_seal() == 0 ? Cell::Absent() : TimeCell(*context, status.last_seal()));
  const v1::BackupStatus& backup = status.backup();
  if (!backup.target().empty() || context->format != Format::kTable) {
    const bool any = backup.has_newest();
    record.Add("backup_target", Cell::Text(backup.target()));
    record.Add("backup_newest", any ? Cell::Text(backup.newest().id()) : Cell::Absent());
    record.Add("backup_taken", any ? TimeCell(*context, backup.newest().taken()) : Cell::Absent());
    const uint64_t age = any && backup.newest().taken() <= now ? Elapsed(backup.newest().taken(), now) : 0;
    record.Add("backup_age",
               any ? Cell::Float64(static_cast<double>(age) / 1e9).Shown(DurationText(age)) : Cell::Absent());
    record.Add("backup_overdue", Cell::Bool(backup.overdue()));
    record.Add("backup_size", any ? Cell::Bytes(backup.newest().bytes()) : Cell::Absent());
    record.Add("backup_new", any ? Cell::Bytes(backup.newest().new_bytes()) : Cell::Absent());
    record.Add("backup_seconds", any ? Cell::Float64(backup.newest_seconds()) : Cell::Absent());
    record.Add("backup_running", backup.running().empty() ? Cell::Absent() : Cell::Text(backup.running()));
    record.Add("backup_next", backup.next() == 0 ? Cell::Absent() : TimeCell(*context, backup.next()));
    record.Add("backup_failures", Cell::Unsigned(backup.failures()));
    record.Add("backup_error",
               backup.last_error().empty() ? Cell::Absent() : Cell::Text(backup.last_error()));
    record.Add("backup_drill", !backup.has_drill()             ? Cell::Absent()
                               : backup.drill().what().empty() ? Cell::Text("passed")
                                                               : Cell::Text(backup.drill().what()));
    record.Add("backup_drilled",
               backup.has_drill() ? TimeCell(*context, backup.drill().begun()) : Cell::Absent());
  }
  record.Finish();
  if (status.access() == v1::GetStatusResponse::ACCESS_INSECURE) {
    context->Note(
        "INSECURE: other machines reach the server without TLS, or without being asked who they are "
        "(access.insecure); the server's log says which");
  }
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CLI::App* app, Context* context) {
  CLI::App* const status = app->add_subcommand("status", "the state of the server");
  status->footer(
      "\nCounts are since the server started. `read only` means that writes are refused; the message says "
      "why.\n`retention_time` is what retention takes for now: no later than what the server's running time "
      "and the\n"
      "samples it received support, whatever the clock says. `access` is open while the server asks nobody "
      "who they "
      "are.\nA token that does not administer every tag is shown less.\n"
      "`memory` is the sum of its kinds. `memory_definitions` is that of tags, their states, producers, "
      "rules "
      "and\n"
      "holds, versions and weeks: above `memory_definitions_max` new ones are refused, and nothing else.\n"
      "\nExamples:\n  histctl status\n  histctl status --format json\n");
  status->callback([=] { context->run = [=] { return Status(context); }; });
}

}  // namespace historian::histctl
