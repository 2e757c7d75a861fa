// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/decode_lane.h"

#include <array>
#include <utility>

namespace longtake {
namespace {

// Big-endian, as digests are sent, so that a client needs no knowledge but the bytes it got.
Hash128 NextLink(const Hash128& chain, const Hash128& digest) {
  std::array<uint8_t, 32> link;
  size_t at = 0;
  for (const uint64_t half : {chain.high, chain.low, digest.high, digest.low}) {
    for (int shift = 56; shift >= 0; shift -= 8) link[at++] = static_cast<uint8_t>(half >> shift);
  }
  return Xxh3Hash128(std::as_bytes(std::span(link)));
}

}  // namespace

DecodeLane::DecodeLane(WanVaeDecoder& decoder, Clock& clock, std::function<void()> on_done)
    : decoder_(decoder), clock_(clock), on_done_(std::move(on_done)) {}

DecodeLane::~DecodeLane() { Stop(); }

void DecodeLane::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DecodeLane::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void DecodeLane::Put(DecodeJob job) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    ++job.state->chunks_in_flight;
    jobs_.push_back(std::move(job));
  }
  wake_.NotifyOne();
}

DecodeLane::Stats DecodeLane::stats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.backlog_chunks = jobs_.size();
  return stats;
}

void DecodeLane::Run() {
  for (;;) {
    if (Step()) continue;
    MutexLock lock(mutex_);
    while (jobs_.empty() && !stopping_) wake_.Wait(mutex_);
    if (stopping_) return;
  }
}

bool DecodeLane::Step() {
  DecodeJob job;
  {
    MutexLock lock(mutex_);
    if (jobs_.empty()) return false;
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
  if (!job.session->cancelled()) Decode(job);
  --job.state->chunks_in_flight;
  on_done_();
  return true;
}

void DecodeLane::Decode(DecodeJob& job) {
  const int64_t start_nanos = clock_.MonotonicNanos();
  const SessionSpec& spec = job.session->spec();
  auto chunk = std::make_shared<MediaChunk>();
  chunk->index = job.chunk;
  chunk->first_frame = job.state->next_frame;
  chunk->width = spec.width;
  chunk->height = spec.height;
  const VaeLatents latents{job.latents, job.latent_frames, spec.height / 8, spec.width / 8};
  std::vector<VaeCache>& caches = job.state->caches;
  absl::Status status;
  if (spec.tiled_decode.value_or(false)) {
    status = DecodeTiled(decoder_, VaeTiling(), latents, caches, &chunk->rgb);
  } else {
    caches.resize(1);
    status = decoder_.Decode(latents, caches.front(), &chunk->rgb);
  }
  if (!status.ok()) {
    job.session->PutEnd(Annotate(status, "decoding"));
    return;
  }
  const auto frame_bytes = static_cast<uint64_t>(spec.width * spec.height * 3);
  chunk->frame_count = static_cast<int64_t>(chunk->rgb.size() / frame_bytes);
  if (spec.frame_count != 0 && chunk->first_frame + chunk->frame_count > spec.frame_count) {
    // The last chunk is made whole and cut to the length that was asked for.
    chunk->frame_count = spec.frame_count - chunk->first_frame;
    chunk->rgb.resize(static_cast<uint64_t>(chunk->frame_count) * frame_bytes);
  }
  chunk->digest = Xxh3Hash128(std::as_bytes(std::span(chunk->rgb)));
  chunk->chain = NextLink(job.state->chain, chunk->digest);
  job.state->chain = chunk->chain;
  job.state->next_frame += chunk->frame_count;
  const double seconds = NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  {
    MutexLock lock(mutex_);
    ++stats_.chunks;
    stats_.frames += static_cast<uint64_t>(chunk->frame_count);
    stats_.seconds += seconds;
    if (seconds > 0) {
      stats_.pixels_per_second = static_cast<double>(chunk->rgb.size()) / 3.0 / seconds;
    }
  }
  job.session->PutChunk(std::move(chunk));
  if (job.last) job.session->PutEnd(absl::OkStatus());
}

}  // namespace longtake
