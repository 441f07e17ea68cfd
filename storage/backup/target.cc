#include "storage/backup/target.h"

#include "absl/strings/str_cat.h"
#include "storage/model/status_macros.h"

namespace historian::backup {

absl::StatusOr<std::string> Target::Get(const std::string& name, size_t size_max) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ObjectReader> reader, Read(name));
  std::string bytes;
  while (true) {
    ASSIGN_OR_RETURN(const std::string more, reader->Read(size_t{1} << 20));
    if (more.empty()) return bytes;
    bytes += more;
    if (bytes.size() > size_max) {
      return absl::DataLossError(absl::StrCat(name, " in ", this->name(), " has more than ", size_max,
                                              " bytes: it is not what it should be"));
    }
  }
}

absl::Status Target::Put(const std::string& name, absl::string_view bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ObjectWriter> writer, Write(name, bytes.size()));
  RETURN_IF_ERROR(writer->Append(bytes));
  return writer->Finish(name);
}

}  // namespace historian::backup
