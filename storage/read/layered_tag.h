// File: storage/read/layered_tag.h
//
// For the tests of this package: what is stored of a tag, made of layers as they come about, and what a reader should
// see of them.
//
//   blocks, seal 1   |--page--||--page--||--page--|
//   blocks, seal 2             |-page-||-page-|
//   tail                           |--page--|raw|
//
// Each layer states what the ones before it do not know; where two have a sample at one time, the later layer wins.
#ifndef HISTORIAN_STORAGE_READ_LAYERED_TAG_H_
#define HISTORIAN_STORAGE_READ_LAYERED_TAG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <random>

#include "storage/kv/memory_store.h"
#include "storage/kv/store.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"
#include "storage/sealed/stored_heads.h"
#include "storage/tail/frozen_tail.h"

namespace historian {

// Threads: one at a time.
class LayeredTag {
 public:
  static constexpr ValueType kType = ValueType::kInt64;

  LayeredTag(TagId tag, uint64_t seed) : tag_(tag), random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }

  // Adds blocks of one seal: samples at start, start + step and so on, in pages of page_samples, which end with their
  // partition.
  void AddBlocks(Timestamp start, Timestamp step, int count, int page_samples);
  // Adds such samples as a run of the tail: full pages, then raw ones. All blocks must be there.
  void AddToTail(Timestamp start, Timestamp step, int count);

  TagId tag() const { return tag_; }
  kv::Store& store() { return *store_; }
  // Of the partition, as the store has them.
  std::shared_ptr<const StoredHeads> heads(int32_t partition) const;
  // Null without one.
  std::shared_ptr<const TailView> tail() const { return tail_; }
  const std::map<Timestamp, ValueBits>& visible() const { return visible_; }

 private:
  Samples State(Timestamp start, Timestamp step, int count);

  const TagId tag_;
  std::mt19937_64 random_;
  uint64_t layer_ = 0;
  std::unique_ptr<kv::Store> store_ = kv::OpenMemoryStore(std::make_shared<kv::MemoryDisk>());
  std::map<int32_t, StoredHeads> heads_;
  std::shared_ptr<TailView> tail_;
  std::map<Timestamp, ValueBits> visible_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_READ_LAYERED_TAG_H_
