#include "tools/histbench/report.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tools/histbench/json.h"

namespace historian::histbench {
namespace {

double PerSample(double bytes, uint64_t samples) {
  return samples == 0 || bytes < 0 ? -1 : bytes / static_cast<double>(samples);
}
double PerMillion(double seconds, uint64_t samples) {
  return samples == 0 || seconds < 0 ? -1 : seconds * 1e6 / static_cast<double>(samples);
}

const IngestResult& IngestOf(const RunResult& run) {
  return run.sustained ? run.sustained->ingest : run.ingest;
}
double SealedCpuPerMillion(const RunResult& run) {
  return run.sustained ? PerMillion(run.sustained->sealed_cpu_seconds, run.sustained->sealed_samples)
                       : PerMillion(run.sealed_cpu_seconds, run.ingest.samples);
}
uint64_t Lost(const RunResult& run) {
  return run.verification.lost + (run.sustained ? run.sustained->lost : 0);
}
uint64_t Duplicated(const RunResult& run) {
  return run.verification.duplicated + (run.sustained ? run.sustained->duplicated : 0);
}

void Fields(const RunResult& run, Json* json) {
  const IngestResult& ingest = IngestOf(run);
  std::vector<double> ack_ms = ingest.ack_ms;
  json->Open("ingest");
  json->Number("samples", static_cast<double>(ingest.samples));
  json->Number("seconds", ingest.seconds);
  json->Number("samples_per_second", std::round(ingest.rate()));
  json->Number("sent_once_samples_per_second", std::round(run.ingest.rate()));
  json->Number("ack_p50_ms", Quantile(ack_ms, 0.5));
  json->Number("ack_p99_ms", Quantile(ack_ms, 0.99));
  json->Number("server_cpu_seconds_per_million", PerMillion(ingest.server_cpu_seconds, ingest.samples));
  json->Number("server_cpu_seconds_per_million_sealed", SealedCpuPerMillion(run));
  json->Number("client_cpu_seconds_per_million", PerMillion(ingest.client_cpu_seconds, ingest.samples));
  json->Number("lost", static_cast<double>(Lost(run)));
  json->Number("duplicated", static_cast<double>(Duplicated(run)));
  json->Number("rejected", static_cast<double>(ingest.rejected));
  json->Number("compared_bit_for_bit", static_cast<double>(run.verification.compared));
  json->Number("frames", static_cast<double>(ingest.frames));
  json->Number("wire_bytes_per_sample", PerSample(static_cast<double>(run.ingest.bytes), run.ingest.samples));
  json->Number("pieces", run.ingest.pieces);
  json->Number("generate_seconds", run.ingest.make_seconds);
  json->Close();
  json->Open("memory");
  json->Number("peak_bytes", static_cast<double>(run.peak_memory_bytes));
  json->Close();
  json->Open("storage");
  json->Number("sealed_bytes_per_sample",
               PerSample(static_cast<double>(run.bytes_on_disk), run.samples_sealed));
  json->Number("sealed_block_bytes_per_sample",
               PerSample(static_cast<double>(run.block_bytes), run.samples_sealed));
  json->Number("bytes_per_sample",
               PerSample(static_cast<double>(run.settled_bytes_on_disk), run.samples_settled));
  json->Number("block_bytes_per_sample",
               PerSample(static_cast<double>(run.settled_block_bytes), run.samples_settled));
  json->Number("directory_bytes_per_sample",
               PerSample(static_cast<double>(run.directory_bytes), run.samples_settled));
  json->Number("bytes_on_disk", static_cast<double>(run.bytes_on_disk));
  json->Number("block_bytes", static_cast<double>(run.block_bytes));
  json->Number("directory_bytes", static_cast<double>(run.directory_bytes));
  json->Number("samples_sealed", static_cast<double>(run.samples_sealed));
  json->Number("seal_seconds", run.seal_seconds);
  json->Number("settle_seconds", run.settle_seconds);
  json->Close();
  json->Open("queries");
  for (const QueryResult& query : run.queries) {
    json->Open(query.name);
    json->Number("first_p50_ms", query.first_p50_ms);
    json->Number("p50_ms", query.p50_ms);
    json->Number("p99_ms", query.p99_ms);
    json->Number("max_ms", query.max_ms);
    json->Number("repetitions", static_cast<double>(query.repetitions));
    json->Number("answers", static_cast<double>(query.answers));
    json->Close();
  }
  json->Number("raw_samples_per_second", std::round(run.verification.raw_samples_per_second));
  json->Close();
  json->Open("restart");
  json->Number("seconds", run.restart_seconds);
  if (run.restarted) {
    json->Number("killed_after_samples", static_cast<double>(run.killed_after_samples));
    json->Number("expected", static_cast<double>(run.after_restart.expected));
    json->Number("lost", static_cast<double>(run.after_restart.lost));
    json->Number("duplicated", static_cast<double>(run.after_restart.duplicated));
  }
  json->Close();
}

size_t Top(const Report& report) {
  return static_cast<size_t>(std::max_element(report.connections.begin(), report.connections.end()) -
                             report.connections.begin());
}

}  // namespace

void DescribeMachine(Report* report) {
  report->date = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  report->processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  report->machine_memory_bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, "model name")) continue;
    report->processor = std::string(absl::StripAsciiWhitespace(rest.substr(rest.find(':') + 1)));
    break;
  }
}

void EnvironmentToJson(const Report& report, Json* json) {
  json->Open("environment");
  json->Text("date", report.date);
  json->Text("processor", report.processor);
  json->Number("processors", report.processors);
  json->Number("memory_bytes", static_cast<double>(report.machine_memory_bytes));
  json->Text("server_version", report.server_version);
  json->Text("command", report.command);
  json->Close();
}

std::string ToJson(const Report& report) {
  Json json;
  json.Open("");
  json.Open("workload");
  json.Text("name", report.workload);
  json.Number("tags", static_cast<double>(report.tags));
  json.Number("seconds", static_cast<double>(report.seconds));
  json.Number("seed", static_cast<double>(report.seed));
  json.Close();
  EnvironmentToJson(report, &json);
  if (!report.runs.empty()) {
    json.Number("connections", static_cast<double>(report.connections[Top(report)]));
    Fields(report.runs[Top(report)], &json);
  }
  json.OpenList("runs");
  for (size_t i = 0; i < report.runs.size(); ++i) {
    json.Open("");
    json.Number("connections", static_cast<double>(report.connections[i]));
    Fields(report.runs[i], &json);
    json.Close();
  }
  json.CloseList();
  json.Close();
  return json.Take();
}

std::string ToTable(const Report& report) {
  std::string table;
  absl::StrAppendFormat(&table, "workload %s: %d tags x %d s, seed %d; server %s\n%s, %d processors, %s\n\n",
                        report.workload, report.tags, report.seconds, report.seed, report.server_version,
                        report.processor, report.processors, report.date);
  const auto row = [&](absl::string_view what, auto number, absl::string_view format_name) {
    absl::StrAppendFormat(&table, "  %-44s", what);
    for (const RunResult& run : report.runs) {
      const double value = static_cast<double>(number(run));
      std::string cell = "-";
      if (value >= 0 && std::isfinite(value)) {
        if (format_name == "count") cell = absl::StrFormat("%.0f", value);
        if (format_name == "millions") cell = absl::StrFormat("%.3f M", value / 1e6);
        if (format_name == "ms") cell = absl::StrFormat("%.3f", value);
        if (format_name == "small") cell = absl::StrFormat("%.4f", value);
        if (format_name == "MiB") cell = absl::StrFormat("%.1f", value / (1 << 20));
      }
      absl::StrAppendFormat(&table, "%16s", cell);
    }
    table += '\n';
  };
  const auto ack = [](double q) {
    return [q](const RunResult& run) {
      std::vector<double> ms = IngestOf(run).ack_ms;
      return Quantile(ms, q);
    };
  };
  absl::StrAppendFormat(&table, "  %-44s", "connections");
  for (const size_t connections : report.connections) absl::StrAppendFormat(&table, "%16d", connections);
  table += "\ningest (frames made before the clock starts)\n";
  row(
      "durable samples/s", [](const RunResult& r) { return IngestOf(r).rate(); }, "millions");
  row(
      "  over, s", [](const RunResult& r) { return IngestOf(r).seconds; }, "ms");
  row(
      "  sent once, samples/s", [](const RunResult& r) { return r.ingest.rate(); }, "millions");
  row(
      "samples", [](const RunResult& r) { return IngestOf(r).samples; }, "count");
  row("acknowledgement p50, ms", ack(0.5), "ms");
  row("acknowledgement p99, ms", ack(0.99), "ms");
  row(
      "server CPU s per million, at the last ack",
      [](const RunResult& r) { return PerMillion(IngestOf(r).server_cpu_seconds, IngestOf(r).samples); },
      "small");
  row(
      "server CPU s per million, sealed", [](const RunResult& r) { return SealedCpuPerMillion(r); }, "small");
  row(
      "client CPU s per million",
      [](const RunResult& r) { return PerMillion(IngestOf(r).client_cpu_seconds, IngestOf(r).samples); },
      "small");
  row("lost", Lost, "count");
  row("duplicated", Duplicated, "count");
  row(
      "rejected", [](const RunResult& r) { return IngestOf(r).rejected; }, "count");
  row(
      "compared bit for bit", [](const RunResult& r) { return r.verification.compared; }, "count");
  row(
      "pieces (1: sent without a pause)", [](const RunResult& r) { return r.ingest.pieces; }, "count");
  table += "memory and storage\n";
  row(
      "server's peak memory, MiB", [](const RunResult& r) { return r.peak_memory_bytes; }, "MiB");
  row(
      "bytes/sample on disk, sealed",
      [](const RunResult& r) { return PerSample(static_cast<double>(r.bytes_on_disk), r.samples_sealed); },
      "small");
  row(
      "bytes/sample in blocks, sealed",
      [](const RunResult& r) { return PerSample(static_cast<double>(r.block_bytes), r.samples_sealed); },
      "small");
  row(
      "bytes/sample on disk, settled",
      [](const RunResult& r) {
        return PerSample(static_cast<double>(r.settled_bytes_on_disk), r.samples_settled);
      },
      "small");
  row(
      "bytes/sample in blocks and rollups, settled",
      [](const RunResult& r) {
        return PerSample(static_cast<double>(r.settled_block_bytes), r.samples_settled);
      },
      "small");
  row(
      "bytes/sample of the directory, with du",
      [](const RunResult& r) { return PerSample(static_cast<double>(r.directory_bytes), r.samples_settled); },
      "small");
  row(
      "seal, s", [](const RunResult& r) { return r.seal_seconds; }, "ms");
  row(
      "settle, s", [](const RunResult& r) { return r.settle_seconds; }, "ms");
  table += "queries, asked a first time and all of them again, ms\n";
  const auto query = [](size_t q, double QueryResult::*figure) {
    return [q, figure](const RunResult& r) { return q < r.queries.size() ? r.queries[q].*figure : -1.0; };
  };
  for (size_t q = 0; !report.runs.empty() && q < report.runs[0].queries.size(); ++q) {
    const std::string& name = report.runs[0].queries[q].name;
    row(name + " first visit, p50", query(q, &QueryResult::first_p50_ms), "ms");
    row(name + " p50", query(q, &QueryResult::p50_ms), "ms");
    row(name + " p99", query(q, &QueryResult::p99_ms), "ms");
  }
  row(
      "raw samples/s, one stream", [](const RunResult& r) { return r.verification.raw_samples_per_second; },
      "millions");
  table += "kill -9 while writing, restart\n";
  const auto after = [](auto number) {
    return [number](const RunResult& r) { return r.restarted ? static_cast<double>(number(r)) : -1.0; };
  };
  row(
      "first query answered after, s", [](const RunResult& r) { return r.restart_seconds; }, "ms");
  row("samples acknowledged before the kill",
      after([](const RunResult& r) { return r.killed_after_samples; }), "count");
  row("lost", after([](const RunResult& r) { return r.after_restart.lost; }), "count");
  row("duplicated", after([](const RunResult& r) { return r.after_restart.duplicated; }), "count");
  for (size_t i = 0; i < report.runs.size(); ++i) {
    for (const Verification* v : {&report.runs[i].verification, &report.runs[i].after_restart}) {
      if (!v->first_difference.empty()) {
        absl::StrAppendFormat(&table, "DIFFERENCE, %d connections: %s\n", report.connections[i],
                              v->first_difference);
      }
    }
  }
  return table;
}

}  // namespace historian::histbench
