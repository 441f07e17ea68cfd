#include "storage/model/aggregate_config.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace historian {

absl::Status ValidateConfig(const AggregateConfig& config) {
  const auto check = [](absl::string_view name, int percent) {
    if (percent >= 0 && percent <= 100) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        name, " is ", percent, "; it is a percentage from 0 to 100 (Bad_AggregateInvalidInputs)"));
  };
  absl::Status status = check("PercentDataBad", config.percent_data_bad);
  if (status.ok()) status = check("PercentDataGood", config.percent_data_good);
  if (!status.ok()) return status;
  if (config.percent_data_good < 100 - config.percent_data_bad) {
    return absl::InvalidArgumentError(absl::StrCat(
        "PercentDataGood ", config.percent_data_good, " and PercentDataBad ", config.percent_data_bad,
        " contradict each other: a result could be both Good and Bad. PercentDataGood must be at least ",
        100 - config.percent_data_bad, ", 100 - PercentDataBad (Bad_AggregateInvalidInputs)"));
  }
  if (config.resolution_ns == 0) {
    return absl::InvalidArgumentError("the time resolution of aggregates is 0 ns; it must be at least 1 ns");
  }
  return absl::OkStatus();
}

}  // namespace historian
