// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/video/stacks.h"

#include <set>

namespace longtake {

SweepLoad TransformerStack::load() const {
  SweepLoad load;
  std::set<const KvFrame*> from_file;  // each once
  for (const VideoItem& item : items_.front().items()) {
    const auto context = static_cast<int64_t>(item.context.size());
    load.Add(SweepLoad::Forward(item.tokens(), context * item.grid().tokens()));
    for (const ContextFrame& key : item.context) {
      if (!key.frame->in_file() || !from_file.insert(key.frame).second) continue;
      load.kv_layer_bytes += key.frame->layout().file_layer_bytes();
    }
  }
  return load;
}

}  // namespace longtake
