// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What a take has to be: its chunks, straight from the model, with each prompt from the chunk on
// from which it was said to hold. No engine, no store, no company: one rollout, the least it can do
// in each sweep. Policies are the rollout's own, which the golden tests hold to the papers.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/kv/kv_table.h"
#include "engine/session/resolved_spec.h"
#include "engine/video/rollout.h"
#include "engine/video/video_model.h"

namespace longtake {

class TakeOracle {
 public:
  // prompts by the first chunk that they hold for; start is empty or the RGB24 frames that the take
  // begins with.
  TakeOracle(VideoModel& model, const ResolvedSpec& spec,
             const std::map<int64_t, std::string>& prompts, std::span<const uint8_t> start);

  // The digest of each of the first chunks.
  std::vector<Hash128> Digests(int64_t chunks);

 private:
  PromptTexts TextOf(const std::string& prompt);
  void PutStart(std::span<const uint8_t> rgb);
  void PutPrompt();
  void HoldFrames();
  // Until a chunk is finished, or clean passes that wait are done.
  std::optional<FinishedChunk> Sweep();
  FinishedChunk NextChunk();
  Hash128 Decode(const FinishedChunk& chunk);

  VideoModel& model_;
  const ResolvedSpec spec_;
  const std::map<int64_t, std::string> prompts_;
  // Of each of the model's stages.
  std::vector<std::unique_ptr<KvPool>> pools_;
  std::deque<KvTable> kv_;
  std::unique_ptr<Rollout> rollout_;
  int64_t changed_before_ = 0;  // chunks for which prompts were changed already
  std::vector<VaeCache> caches_;
  int64_t next_frame_ = 0;
};

}  // namespace longtake
