#include "storage/aggregate/figure_run.h"

#include <algorithm>

#include "storage/model/check.h"

namespace historian {

FigureRun::FigureRun(Timestamp begin, uint64_t step, size_t finished, size_t columns)
    : begin_(begin), step_(step), finished_(finished), columns_(columns) {
  for (Column& column : columns_) {
    column.values.resize(finished);
    column.statuses.resize(finished);
  }
}

std::vector<FigureColumn> FigureRun::Rows() {
  std::vector<FigureColumn> rows;
  for (Column& column : columns_) rows.push_back({column.values.data(), column.statuses.data()});
  return rows;
}

void FigureRun::Complete(const Ends& ends) {
  ends_ = ends;
  if (finished_ == 0) return;
  for (Column& column : columns_) {
    std::vector<Quality>& statuses = column.statuses;
    if (std::all_of(statuses.begin(), statuses.end(), [&](Quality q) { return q == statuses[0]; })) {
      statuses.resize(1);
      statuses.shrink_to_fit();
    }
  }
}

void FigureRun::CopyTo(size_t from, size_t count, size_t to, FigureTable table) const {
  HISTORIAN_CHECK(table.size() == columns_.size() && from + count <= finished_);
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = columns_[c];
    const FigureColumn rows = table[c].From(to);
    std::memcpy(rows.values, column.values.data() + from, count * sizeof(ValueBits));
    if (column.statuses.size() == 1) {
      std::fill_n(rows.statuses, count, column.statuses[0]);
    } else {
      std::copy_n(column.statuses.data() + from, count, rows.statuses);
    }
  }
}

size_t FigureRun::MemoryBytes() const {
  size_t bytes = sizeof(FigureRun);
  for (const Column& column : columns_) {
    bytes += sizeof(Column) + column.values.capacity() * sizeof(ValueBits) +
             column.statuses.capacity() * sizeof(Quality);
  }
  return bytes;
}

}  // namespace historian
