// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// The memory that a stage has for K/V of its layers: a pool of pages and, for sessions that the
// pool cannot hold, a file and the stream that brings it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/memory_populator.h"
#include "base/status_macros.h"
#include "engine/kv/kv_memory.h"
#include "engine/kv/kv_pool.h"
#include "engine/kv/kv_stream.h"
#include "storage/scratch/scratch_file.h"

namespace longtake {

// Pool and file: any thread. The stream: the stage's.
class StageKv {
 public:
  struct Options {
    int64_t layers = 0;  // how many the stage has
    uint64_t pool_bytes = 0;
    uint64_t page_bytes = KvPool::kPageBytesDefault;
    const MemoryPopulator* populator = nullptr;  // of the pool; null: the caller's thread
    FileSystem* files = nullptr;
    std::string file_directory = {};  // empty: no file
    uint64_t file_bytes = 0;
    KvStream::Options stream = {};
  };

  // In memory of the device, which outlives it. Errors as KvPool::Create; those of the file and of
  // its stream begin with the option that asked for them: "kv-file: ...".
  static absl::StatusOr<std::unique_ptr<StageKv>> Open(Device& device, const Options& options);

  // A frame's layout here, of that of all layers.
  KvLayout LayoutOf(KvLayout whole) const;
  KvMemory memory() const;
  KvPool& pool() const { return *pool_; }
  ScratchFile* file() const { return file_.get(); }   // or null
  KvStream* stream() const { return stream_.get(); }  // null without a file

 private:
  explicit StageKv(int64_t layers) : layers_(layers) {}

  const int64_t layers_;
  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<ScratchFile> file_;
  std::unique_ptr<KvStream> stream_;
};

}  // namespace longtake
