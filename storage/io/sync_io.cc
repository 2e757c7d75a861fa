// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/io/sync_io.h"

#include <deque>

namespace longtake {
namespace {

class SyncIo final : public BlockIo {
 public:
  SyncIo(File& file, size_t capacity) : BlockIo(file.path(), capacity), file_(file) {}
  ~SyncIo() override { Drain(); }

 private:
  void StartRaw(size_t number, const BlockRequest& rest) override {
    const int64_t result = rest.kind == BlockRequest::Kind::kWrite
                               ? file_.WriteSome(rest.offset, rest.memory)
                               : file_.ReadSome(rest.offset, rest.memory);
    done_.push_back({.number = number, .result = result});
  }

  std::optional<RawCompletion> NextRaw(int64_t /*wait_nanos*/) override {
    if (done_.empty()) return std::nullopt;
    const RawCompletion raw = done_.front();
    done_.pop_front();
    return raw;
  }

  File& file_;
  std::deque<RawCompletion> done_;
};

}  // namespace

std::unique_ptr<BlockIo> OpenSyncIo(File& file, size_t capacity) {
  return std::make_unique<SyncIo>(file, capacity);
}

}  // namespace longtake
