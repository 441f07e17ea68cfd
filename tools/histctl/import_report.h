// File: tools/histctl/import_report.h
//
// What an import says: what it found out by itself, what it would do, what it did.
#ifndef HISTORIAN_TOOLS_HISTCTL_IMPORT_REPORT_H_
#define HISTORIAN_TOOLS_HISTCTL_IMPORT_REPORT_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "tools/histctl/context.h"
#include "tools/histctl/import_file.h"
#include "tools/histctl/importer.h"

namespace historian::histctl {

// What nobody has said but the file itself, so that a wrong guess is seen. `created`: names of tags.
void TellWhatWasFound(const ImportJob& job, const ImportFile& file, const std::set<std::string>& created,
                      Context* context);

// A row for each column or tag of the files.
void PrintPlan(const std::vector<ImportFile>& files, const std::set<std::string>& created, Context* context);

// A row for each sample of the first job.preview_rows rows of the files.
void PrintPreview(const ImportJob& job, const std::vector<ImportFile>& files, Context* context);

// A row for each file, and notes on what the counts mean and what to do.
void PrintSummary(const ImportJob& job, const std::vector<ImportFile>& files,
                  const std::vector<ImportOutcome>& outcomes, Context* context);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_IMPORT_REPORT_H_
