// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A rollout on a stage of its own: its frames in a table, its sweeps on a tiny transformer.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/kv/kv_image.h"
#include "engine/kv/kv_tables.h"
#include "engine/video/rollout.h"
#include "engine/video/sweep_items.h"
#include "tests/golden/tiny_model.h"

namespace longtake {

class TableRoll {
 public:
  // Model and pool outlive it.
  TableRoll(const RolloutSpec& spec, TinyTransformer& tiny, KvPool& pool)
      : rollout(Rollout::Create(spec)), tiny_(tiny), pool_(pool) {
    Open();
  }

  void ChangeText(std::unique_ptr<TextContext> text) {
    rollout->ChangeText(PromptTexts(std::move(text)));
    Hold();
  }
  // Runs the next sweep; gives the rows its items brought.
  int64_t Sweep(int64_t rows_max) {
    SweepItems sweep(kv_.stage(0));
    MustBeOk(sweep.Add(kSession, *rollout, rows_max));
    MustBeOk(tiny_.Run({sweep.items().begin(), sweep.items().end()}));
    int64_t rows = 0;
    for (const VideoItem& item : sweep.items()) rows += item.tokens();
    return rows;
  }
  // Runs so many layers of it and drops it.
  void DropSweep(int64_t rows_max, int64_t layers) {
    SweepItems sweep(kv_.stage(0));
    MustBeOk(sweep.Add(kSession, *rollout, rows_max));
    const auto model_sweep = Must(tiny_.model->NewSweep(sweep.items()));
    MustBeOk(model_sweep->Embed());
    for (int64_t layer = 0; layer < layers; ++layer) {
      LayerLease lease = Must(tiny_.layers->Next());
      const auto weights = Must(model_sweep->Lend(lease));
      MustBeOk(model_sweep->RunLayer(layer, *weights));
    }
    tiny_.layers->Rewind();
  }
  std::optional<FinishedChunk> Settle() {
    std::optional<FinishedChunk> chunk = Must(rollout->Settle());
    Hold();
    return chunk;
  }
  std::optional<FinishedChunk> TakeGiven() {
    std::optional<FinishedChunk> chunk = rollout->TakeGiven();
    Hold();
    return chunk;
  }

  KvImage Kv() const { return Must(CopyKv(kv_, kSession, nullptr)); }
  // Goes on from a state of such a rollout and its K/V, without texts.
  void GoOnFrom(const RolloutState& state, const KvImage& image) {
    kv_.Close(kSession);
    Open();
    MustBeOk(PutKv(image, kv_, kSession, nullptr));
    rollout = Must(Rollout::Restore(rollout->spec(), state));
  }
  // From copies of its own.
  void Move() {
    const RolloutState state = rollout->state();
    GoOnFrom(state, Kv());
  }

  static constexpr uint64_t kSession = 1;
  std::unique_ptr<Rollout> rollout;

 private:
  void Open() {
    const KvNeeds needs = Must(Rollout::FramesNeeded(rollout->spec()));
    std::vector<std::unique_ptr<KvShare>> shares;
    shares.push_back(Must(KvShare::Create(KvMemory(pool_), rollout->spec().kv_layout, needs)));
    kv_.Open(kSession, KvShares(std::move(shares)));
  }
  void Hold() {
    for (size_t branch = 0; branch < rollout->branch_count(); ++branch) {
      kv_.Hold({.session = kSession, .branch = branch}, rollout->frames(branch));
    }
  }

  TinyTransformer& tiny_;
  KvPool& pool_;
  KvTables kv_{/*stages=*/1};
};

}  // namespace longtake
