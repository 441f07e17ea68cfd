#include "storage/format/block.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/page.h"
#include "storage/format/summary_columns.h"
#include "storage/model/check.h"
#include "storage/model/status_macros.h"

namespace historian::format {
namespace {

constexpr size_t kChecksumBytes = 4;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("block head: ", what));
}

void AppendFixed32(uint32_t v, std::string* out) {
  uint8_t bytes[4];
  PutLittleEndian(bytes, v, 4);
  out->append(reinterpret_cast<const char*>(bytes), 4);
}

absl::Status ReadPlaces(ByteReader* in, BlockHead* head) {
  std::vector<uint64_t> sizes;
  RETURN_IF_ERROR(ReadIntegers(in, head->pages.size(), &sizes));
  uint64_t offset = 0;
  for (size_t i = 0; i < head->pages.size(); ++i) {
    PageInfo& page = head->pages[i];
    if (sizes[i] == 0 || sizes[i] > UINT32_MAX - offset) return Damaged("the size of a page is out of range");
    page.offset = static_cast<uint32_t>(offset);
    page.size = static_cast<uint32_t>(sizes[i]);
    offset += sizes[i];
    uint64_t checksum;
    if (!in->LittleEndian(4, &checksum)) return Damaged("the checksums are cut short");
    page.checksum = static_cast<uint32_t>(checksum);
  }
  return absl::OkStatus();
}

void AppendVersions(const BlockHead& head, std::string* out) {
  std::vector<uint64_t> lowest, more, sizes;
  uint64_t size = 0;
  for (const PageInfo& page : head.pages) {
    HISTORIAN_CHECK((page.lowest_version == page.highest_version) == (page.versions_size == 0));
    lowest.push_back(page.lowest_version);
    more.push_back(page.highest_version - page.lowest_version);
    if (more.back() > 0) sizes.push_back(page.versions_size);
    size += page.versions_size;
  }
  AppendIntegers(lowest, out);
  AppendIntegers(more, out);
  AppendIntegers(sizes, out);
  if (size > 0) AppendFixed32(head.versions_checksum, out);
}

absl::Status ReadVersionBounds(ByteReader* in, BlockHead* head) {
  std::vector<uint64_t> lowest, more, sizes;
  RETURN_IF_ERROR(ReadIntegers(in, head->pages.size(), &lowest));
  RETURN_IF_ERROR(ReadIntegers(in, head->pages.size(), &more));
  RETURN_IF_ERROR(ReadIntegers(in, head->pages.size() - std::count(more.begin(), more.end(), 0), &sizes));
  uint64_t end = head->pages_size();
  size_t column = 0;
  for (size_t i = 0; i < head->pages.size(); ++i) {
    if (lowest[i] > kVersionMax || more[i] > kVersionMax - lowest[i])
      return Damaged("a version is out of range");
    PageInfo& page = head->pages[i];
    page.lowest_version = static_cast<uint32_t>(lowest[i]);
    page.highest_version = static_cast<uint32_t>(lowest[i] + more[i]);
    if (more[i] == 0) continue;
    const uint64_t size = sizes[column++];
    if (size == 0 || size > UINT32_MAX - std::min<uint64_t>(end, UINT32_MAX))
      return Damaged("the size of a column of versions is out of range");
    page.versions_size = static_cast<uint32_t>(size);
    end += size;
  }
  if (column == 0) return absl::OkStatus();
  uint64_t checksum;
  if (!in->LittleEndian(4, &checksum)) return Damaged("the checksum of the versions is cut short");
  head->versions_checksum = static_cast<uint32_t>(checksum);
  return absl::OkStatus();
}

}  // namespace

uint32_t BlockHead::highest_version() const {
  uint32_t highest = 0;
  for (const PageInfo& page : pages) highest = std::max(highest, page.highest_version);
  return highest;
}

uint64_t BlockHead::payload_size() const {
  uint64_t size = pages_size();
  for (const PageInfo& page : pages) size += page.versions_size;
  return size;
}

uint64_t BlockHead::count() const {
  uint64_t count = 0;
  for (const PageInfo& page : pages) count += page.summary.count;
  return count;
}

void EncodeBlockHead(const BlockHead& head, std::string* out) {
  const size_t n = head.pages.size();
  HISTORIAN_CHECK(n >= 1 && n <= kBlockPagesMax);
  const size_t begin = out->size();
  for (const uint8_t byte :
       {uint8_t{kBlockFormat}, static_cast<uint8_t>(head.type), static_cast<uint8_t>(n)}) {
    out->push_back(static_cast<char>(byte));
  }
  std::vector<const Summary*> summaries;
  std::vector<uint64_t> sizes;
  uint64_t offset = 0;
  for (const PageInfo& page : head.pages) {
    HISTORIAN_CHECK(page.offset == offset && page.size > 0);
    HISTORIAN_CHECK(page.summary.count <= kPageSamplesMax);
    offset += page.size;
    summaries.push_back(&page.summary);
    sizes.push_back(page.size);
  }
  const SummaryWriter writer(head.type, std::move(summaries));
  writer.AppendCounts(out);
  AppendIntegers(sizes, out);
  for (const PageInfo& page : head.pages) AppendFixed32(page.checksum, out);
  AppendVersions(head, out);
  writer.AppendColumns(out);
  AppendFixed32(Checksum(absl::string_view(*out).substr(begin)), out);
}

absl::StatusOr<BlockHead> DecodeBlockHead(absl::string_view bytes) {
  if (bytes.size() < 3 + kChecksumBytes) {
    return Damaged(absl::StrCat(bytes.size(), " bytes are too few"));
  }
  const absl::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader tail(bytes.substr(body.size()));
  uint64_t stored = 0;
  tail.LittleEndian(kChecksumBytes, &stored);
  if (stored != Checksum(body)) {
    return Damaged(absl::StrCat("the checksum is ", absl::Hex(Checksum(body), absl::kZeroPad8),
                                ", stored is ", absl::Hex(stored, absl::kZeroPad8)));
  }
  ByteReader in(body);
  uint8_t format = 0, type = 0, n = 0;
  in.Byte(&format);
  in.Byte(&type);
  in.Byte(&n);
  if (format > kBlockFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat("block head: format ", format, "; this program reads up to ", kBlockFormat));
  }
  if (format == 0) return Damaged("format 0");
  if (!IsKnownValueType(type)) return Damaged(absl::StrCat("value type ", type, " is not known"));
  if (n == 0 || n > kBlockPagesMax) return Damaged(absl::StrCat(n, " pages, not 1 to ", kBlockPagesMax));

  BlockHead head;
  head.type = static_cast<ValueType>(type);
  head.pages.resize(n);
  std::vector<Summary*> summaries;
  for (PageInfo& page : head.pages) summaries.push_back(&page.summary);
  SummaryReader reader(head.type, std::move(summaries), format > 2);
  RETURN_IF_ERROR(Annotate(reader.ReadCounts(&in, kPageSamplesMax), "block head"));
  RETURN_IF_ERROR(ReadPlaces(&in, &head));
  if (format > 1) RETURN_IF_ERROR(ReadVersionBounds(&in, &head));
  RETURN_IF_ERROR(Annotate(reader.ReadColumns(&in), "block head"));
  if (!in.done()) return Damaged("bytes after its end");
  return head;
}

absl::StatusOr<absl::string_view> PageBytes(const BlockHead& head, absl::string_view payload, size_t i) {
  HISTORIAN_CHECK(i < head.pages.size());
  const PageInfo& page = head.pages[i];
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat("page ", i, " of the block from ", FormatTimestamp(head.first_time()), ": ", what));
  };
  if (page.offset > payload.size() || page.size > payload.size() - page.offset) {
    return damaged(absl::StrCat("needs ", uint64_t{page.offset} + page.size, " bytes of payload, there are ",
                                payload.size()));
  }
  const absl::string_view bytes = payload.substr(page.offset, page.size);
  if (Checksum(bytes) != page.checksum) {
    return damaged(absl::StrCat("the checksum is ", absl::Hex(Checksum(bytes), absl::kZeroPad8),
                                ", the head says ", absl::Hex(page.checksum, absl::kZeroPad8)));
  }
  return bytes;
}

absl::StatusOr<absl::string_view> VersionBytes(const BlockHead& head, absl::string_view payload, size_t i) {
  HISTORIAN_CHECK(i < head.pages.size());
  if (head.pages[i].versions_size == 0) return absl::string_view();
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(
        absl::StrCat("versions of the block from ", FormatTimestamp(head.first_time()), ": ", what));
  };
  if (payload.size() != head.payload_size()) {
    return damaged(absl::StrCat("the payload has ", payload.size(), " bytes, not ", head.payload_size()));
  }
  const absl::string_view columns = payload.substr(head.pages_size());
  if (Checksum(columns) != head.versions_checksum) {
    return damaged(absl::StrCat("the checksum is ", absl::Hex(Checksum(columns), absl::kZeroPad8),
                                ", the head says ", absl::Hex(head.versions_checksum, absl::kZeroPad8)));
  }
  size_t offset = 0;
  for (size_t k = 0; k < i; ++k) offset += head.pages[k].versions_size;
  return columns.substr(offset, head.pages[i].versions_size);
}

}  // namespace historian::format
