#include "server/watcher.h"

namespace historian::server {

void Watcher::Look(const ArchiveStats& stats) {
  if (stats.seals != seals_) {
    log_.Info("sealed", {{"seals", stats.seals},
                         {"samples_sealed", stats.samples_sealed},
                         {"samples_open", stats.samples_open},
                         {"blocks", stats.blocks},
                         {"block_bytes", stats.block_bytes},
                         {"journal_bytes", stats.journal_bytes}});
    seals_ = stats.seals;
  }
  for (const Expiry& expiry : stats.expiries) {
    if (expiry.number <= expiries_) continue;
    log_.Info("expired", {{"rule", expiry.rule},
                          {"tags", expiry.tags},
                          {"samples", expiry.samples},
                          {"weeks", expiry.weeks},
                          {"from", FormatTimestamp(expiry.first)},
                          {"to", FormatTimestamp(expiry.end)}});
    expiries_ = expiry.number;
  }
  const bool failed_meanwhile = stats.write_failures != write_failures_;
  write_failures_ = stats.write_failures;
  if (accepting_ && (!stats.ingest.ok() || failed_meanwhile)) {
    accepting_ = false;
    const absl::Status& why = stats.ingest.ok() ? stats.last_write_failure : stats.ingest;
    log_.Error("writes_refused", {{"reason", why.message()},
                                  {"disk_free_bytes", stats.store.free_bytes},
                                  {"disk_reserve_bytes", stats.disk_reserve_bytes}});
  }
  if (!accepting_ && stats.ingest.ok()) {
    accepting_ = true;
    log_.Info("writes_resumed", {{"disk_free_bytes", stats.store.free_bytes}});
  }
  if (const bool is_short = !stats.definitions.ok(); is_short != definitions_short_) {
    definitions_short_ = is_short;
    if (is_short) {
      log_.Warning("definitions_refused", {{"reason", stats.definitions.message()}});
    } else {
      log_.Info("definitions_taken", {{"definition_bytes", stats.memory.definitions()},
                                      {"definition_bytes_max", stats.definition_bytes_max}});
    }
  }
  for (const std::string& what : stats.damage) {
    if (damage_.insert(what).second) log_.Error("damage", {{"what", what}});
  }
  // What the archive has forgotten is forgotten here too.
  if (damage_.size() > 1000) damage_ = {stats.damage.begin(), stats.damage.end()};
}

}  // namespace historian::server
