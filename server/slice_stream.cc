#include "server/slice_stream.h"

#include <algorithm>
#include <climits>

#include "storage/model/check.h"

namespace historian::server {

SliceStream::SliceStream(const grpc::ByteBuffer& bytes) {
  ok_ = bytes.Dump(&slices_).ok();
  if (!ok_) slices_.clear();
  std::erase_if(slices_, [](const grpc::Slice& slice) { return slice.size() == 0; });
}

bool SliceStream::Next(const void** data, int* size) {
  if (slice_ == slices_.size()) return false;
  const grpc::Slice& slice = slices_[slice_];
  const size_t left = std::min(slice.size() - offset_, size_t{INT_MAX});
  *data = slice.begin() + offset_;
  *size = static_cast<int>(left);
  read_ += *size;
  offset_ += left;
  if (offset_ == slice.size()) {
    ++slice_;
    offset_ = 0;
  }
  return true;
}

void SliceStream::BackUp(int count) {
  HISTORIAN_CHECK(count >= 0 && count <= read_);
  read_ -= count;
  for (size_t left = static_cast<size_t>(count); left > 0;) {
    if (offset_ == 0) offset_ = slices_[--slice_].size();
    const size_t back = std::min(left, offset_);
    offset_ -= back;
    left -= back;
  }
}

bool SliceStream::Skip(int count) {
  const void* data = nullptr;
  int size = 0;
  while (count > 0 && Next(&data, &size)) {
    if (size > count) BackUp(size - count);
    count -= std::min(count, size);
  }
  return count == 0;
}

}  // namespace historian::server
