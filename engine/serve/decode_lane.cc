// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/decode_lane.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/finite.h"
#include "engine/model/vae/latent_grid.h"
#include "engine/model/vae/tiled.h"

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

DecodeLane::DecodeLane(VideoModel& model, Clock& clock, WakeUp& wake_up)
    : model_(model), clock_(clock), wake_up_(wake_up) {}

DecodeLane::~DecodeLane() { Stop(); }

void DecodeLane::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DecodeLane::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
    starts_.clear();
  }
  work_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void DecodeLane::Put(DecodeJob job) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    ++job.state->chunks_in_flight;
    jobs_.push_back(std::move(job));
  }
  work_.NotifyOne();
}

void DecodeLane::PutStart(StartJob job) {
  LT_CHECK(model_.encoder() != nullptr);
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    // Those nobody waits for any more give their pixels back before others bring theirs.
    std::erase_if(starts_, [](const StartJob& start) { return start.session->cancelled(); });
    starts_.push_back(std::move(job));
  }
  work_.NotifyOne();
}

std::vector<FinishedStart> DecodeLane::TakeStarts() {
  MutexLock lock(mutex_);
  return std::exchange(finished_starts_, {});
}

DecodeLane::Stats DecodeLane::stats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.backlog_chunks = jobs_.size();
  stats.waiting_starts = starts_.size();
  return stats;
}

void DecodeLane::Run() {
  for (;;) {
    if (Step()) continue;
    MutexLock lock(mutex_);
    while (jobs_.empty() && starts_.empty() && !stopping_) work_.Wait(mutex_);
    if (stopping_) return;
  }
}

// A clip goes to the encoder a latent at a time, in turns with chunks; the next one follows when it
// is done, so that there is one encoder cache at a time.
bool DecodeLane::StepStart() {
  StartJob job;
  {
    MutexLock lock(mutex_);
    if (starts_.empty()) return false;
    job = std::move(starts_.front());
    starts_.pop_front();
  }
  if (job.session->cancelled()) return true;
  const absl::Status status = EncodeNext(job);
  const ResolvedSpec& spec = job.session->spec();
  if (!status.ok()) {
    FinishStart(job, status);
  } else if (job.next_frame == spec.start_frames) {
    FinishStart(job, std::move(job.latents));
  } else {
    MutexLock lock(mutex_);
    if (!stopping_) starts_.push_front(std::move(job));
  }
  return true;
}

void DecodeLane::FinishStart(const StartJob& job, absl::StatusOr<Latents> latents) {
  {
    MutexLock lock(mutex_);
    finished_starts_.push_back({.session = job.session, .latents = std::move(latents)});
  }
  wake_up_.Wake();
}

// Decoder, tiny decoder and encoder keep what they worked in for their next call; sessions pay for
// the largest of them, so only one may.
void DecodeLane::Use(Network network) {
  if (network == used_) return;
  used_ = network;
  if (network != Network::kDecoder) model_.decoder().Release();
  if (network != Network::kTinyDecoder && model_.has_tiny_decoder()) {
    model_.tiny_decoder()->Release();
  }
  if (network != Network::kEncoder && model_.encoder() != nullptr) model_.encoder()->Release();
}

absl::Status DecodeLane::EncodeNext(StartJob& job) {
  const ResolvedSpec& spec = job.session->spec();
  const int64_t count = job.next_frame == 0 ? 1 : kVaeTimeFactor;
  const auto frame_values = static_cast<size_t>(spec.width * spec.height * 3);
  std::vector<float> pixels(static_cast<size_t>(count) * frame_values);
  const uint8_t* from = job.frames.rgb.data() + static_cast<size_t>(job.next_frame) * frame_values;
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(from[i]) / 127.5f - 1.0f;
  Use(Network::kEncoder);
  std::vector<float> latent;
  LT_RETURN_IF_ERROR(model_.encoder()->Encode(
      {.values = pixels, .frames = count, .height = spec.height, .width = spec.width}, job.cache,
      &latent));
  LT_RETURN_IF_ERROR(CheckFinite(latent, "latents of the start frames"));
  const int64_t channels = model_.config().channels;
  const LatentGrid grid = LatentGrid::FromPixels(spec.width, spec.height);
  if (job.next_frame == 0) {
    job.latents = {channels, grid.WithFrames(LatentGrid::LatentFrames(spec.start_frames))};
  }
  job.latents.SetFrames(LatentGrid::LatentFrames(job.next_frame), {channels, grid, latent});
  job.next_frame += count;
  return absl::OkStatus();
}

bool DecodeLane::Step() {
  start_had_turn_ = !start_had_turn_ && StepStart();
  if (start_had_turn_) return true;
  DecodeJob job;
  {
    MutexLock lock(mutex_);
    if (!jobs_.empty()) {
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
  }
  if (job.session == nullptr) return StepStart();
  if (!job.session->cancelled()) Decode(job);
  --job.state->chunks_in_flight;
  wake_up_.Wake();
  return true;
}

absl::Status DecodeLane::ToPixels(DecodeJob& job, std::vector<uint8_t>* rgb) {
  // The tiny decoder's tanh would make numbers of infinities.
  LT_RETURN_IF_ERROR(CheckFinite(job.latents.values(), "latents"));
  const ResolvedSpec& spec = job.session->spec();
  const LatentGrid& grid = job.latents.grid();
  const VaeLatents latents = {.values = job.latents.values(),
                              .frames = grid.frames,
                              .height = grid.height,
                              .width = grid.width};
  std::vector<VaeCache>& caches = job.state->caches;
  Use(spec.decoder == DecoderKind::kTiny ? Network::kTinyDecoder : Network::kDecoder);
  if (spec.tiled_decode) {
    return DecodeTiled(model_.decoder(), VaeTiling(), latents, caches, rgb);
  }
  caches.resize(1);
  if (spec.decoder == DecoderKind::kTiny) {
    return model_.tiny_decoder()->Decode(latents, caches.front(), rgb);
  }
  return model_.decoder().Decode(latents, caches.front(), rgb);
}

void DecodeLane::Decode(DecodeJob& job) {
  const TraceSpan span(model_.options().trace, clock_, "decode",
                       absl::StrCat("chunk ", job.chunk, " of ", job.session->id()));
  const int64_t start_nanos = clock_.MonotonicNanos();
  const ResolvedSpec& spec = job.session->spec();
  auto chunk = std::make_shared<MediaChunk>();
  chunk->index = job.chunk;
  chunk->first_frame = job.state->next_frame;
  chunk->width = spec.width;
  chunk->height = spec.height;
  lane_costs_.Begin(LaneCosts::Lane::kDecode, start_nanos);
  const absl::Status status = ToPixels(job, &chunk->rgb);
  lane_costs_.End(LaneCosts::Lane::kDecode, clock_.MonotonicNanos(),
                  status.ok() ? static_cast<double>(chunk->rgb.size()) / 3.0 : 0.0);
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
  }
  job.session->PutChunk(std::move(chunk));
  if (job.last) job.session->PutEnd(absl::OkStatus());
}

}  // namespace longtake
