// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/sweep_probe.h"

#include "absl/strings/str_cat.h"

namespace longtake {

LayerWatch::LayerWatch(const LayerStream& layers, const SweepProbe& probe, size_t stage)
    : layers_(layers),
      probe_(probe),
      stage_(stage),
      before_(layers.stats()),
      kv_before_(KvSeconds()),
      start_nanos_(probe.clock.MonotonicNanos()) {}

void LayerWatch::Done(int64_t layer, size_t index) const {
  const int64_t end_nanos = probe_.clock.MonotonicNanos();
  if (probe_.trace != nullptr) {
    const std::string number = stage_ == 0 ? "" : absl::StrCat(" ", stage_);
    probe_.trace->Span(absl::StrCat(probe_.track, number, " layers"), absl::StrCat("layer ", layer),
                       start_nanos_, end_nanos);
  }
  if (probe_.times == nullptr) return;
  const LayerStream::Stats after = layers_.stats();
  LayerTimes& times = (*probe_.times)[index];
  const double wait = after.wait_seconds - before_.wait_seconds;
  const double verify = after.verify_seconds - before_.verify_seconds;
  const double kv = KvSeconds() - kv_before_;
  times.wait_seconds += wait;
  times.verify_seconds += verify;
  times.kv_seconds += kv;
  times.compute_seconds += NanosToSeconds(end_nanos - start_nanos_) - wait - verify - kv;
}

}  // namespace longtake
