#include "storage/tail/tail_record.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "proto/record/v1/records.pb.h"
#include "storage/format/block.h"
#include "storage/format/page.h"
#include "storage/model/status_macros.h"

namespace historian {

std::string TailRecordOf(const FrozenTag& frozen, const std::vector<PageRun>& left) {
  record::v1::TailRecord record;
  for (size_t i = 0; i < left.size(); ++i) {
    PageRun run = left[i];
    run.CutPages(frozen.tail->type, true);
    if (i == 0) record.set_has_in_order(!run.pages.empty());
    // A few late samples from all over the past have a page each: as many heads as it takes. What is in order
    // has fewer pages than a block (kPagesWorthABlock), so it stays one run.
    for (size_t begin = 0; begin < run.pages.size(); begin += format::kBlockPagesMax) {
      const size_t end = std::min(begin + format::kBlockPagesMax, run.pages.size());
      const std::vector<EncodedPagePtr> pages(run.pages.begin() + begin, run.pages.begin() + end);
      record::v1::TailRecord::Run& stored = *record.add_runs();
      format::EncodeBlockHead(HeadOf(frozen.tail->type, pages), stored.mutable_head());
      stored.set_payload(PayloadOf(pages));
    }
  }
  if (frozen.frontier.has_value()) record.set_frontier(*frozen.frontier);
  if (frozen.latest.has_value()) {
    record.set_has_latest(true);
    record.set_latest_time(frozen.latest->sample.time);
    record.set_latest_value(frozen.latest->sample.value);
    record.set_latest_quality(frozen.latest->sample.quality);
    record.set_latest_text(frozen.latest->text);
    record.set_latest_text_is_long(frozen.latest_text_is_long);
    record.set_oldest_time(frozen.oldest);
  }
  return record.SerializeAsString();
}

absl::StatusOr<Tail> ReadTailRecord(ValueType type, absl::string_view bytes, const VersionTable& versions) {
  record::v1::TailRecord record;
  if (!record.ParseFromArray(bytes.data(), bytes.size()))
    return absl::DataLossError("tail record: not readable");
  std::vector<PageRun> runs;
  if (!record.has_in_order() && record.runs_size() > 0) runs.emplace_back();
  for (const record::v1::TailRecord::Run& stored : record.runs()) {
    ASSIGN_OR_RETURN(const format::BlockHead head, format::DecodeBlockHead(stored.head()));
    if (head.type != type) return absl::DataLossError("tail record: of another type than its tag");
    PageRun& run = runs.emplace_back();
    ASSIGN_OR_RETURN(std::vector<EncodedPagePtr> pages, PagesOf(head, stored.payload()));
    // The last page was the raw rest, if it is short.
    if (pages.back()->summary.count < format::kPageSamples) {
      const Summary& said = pages.back()->summary;
      RETURN_IF_ERROR(DecodeEncodedPage(type, *pages.back(), versions, &run.raw));
      if (run.raw.size() != said.count || run.raw.times.front() != said.first.time ||
          run.raw.times.back() != said.last.time) {
        return absl::DataLossError("tail record: samples are not those that their head says");
      }
      pages.pop_back();
    }
    for (EncodedPagePtr& page : pages) run.AddPage(std::move(page));
  }
  std::optional<LatestSample> latest;
  if (record.has_latest()) {
    latest.emplace();
    latest->sample = {record.latest_time(), record.latest_value(), record.latest_quality()};
    latest->text = record.latest_text();
  }
  Tail tail(type);
  tail.Restore(std::move(runs),
               record.has_frontier() ? std::optional<Timestamp>(record.frontier()) : std::nullopt,
               std::move(latest), record.latest_text_is_long(), record.oldest_time());
  return tail;
}

}  // namespace historian
