// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/serve/decode_lane.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_reason.h"
#include "engine/model/vae/latent_grid.h"

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

// A latent of a large picture takes seconds: whoever is gone gives its memory back before.
std::function<bool()> IsWanted(const Session& session) {
  return [&session] { return !session.ended(); };
}

// What a latent costs in the lane's turns, wherever it comes from or goes to.
double LatentCost(const ResolvedSpec& spec) {
  return static_cast<double>(spec.width) * static_cast<double>(spec.height);
}

}  // namespace

DecodeChoice ChoiceOf(const ResolvedSpec& spec) {
  return {.tiny = spec.decoder == DecoderKind::kTiny, .tiled = spec.tiled_decode};
}

DecodeLane::DecodeLane(ChunkDecoder& decoder, const TakeJournal& journal, Clock& clock,
                       WakeUp& wake_up, Trace* trace, const PixelSeconds& calibrated)
    : decoder_(decoder),
      journal_(journal),
      clock_(clock),
      wake_up_(wake_up),
      trace_(trace),
      lane_costs_(calibrated) {}

DecodeLane::~DecodeLane() { Stop(); }

void DecodeLane::Start() {
  thread_ = std::thread([this] { Run(); });
}

void DecodeLane::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    chunks_.clear();
    starts_.clear();
  }
  work_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void DecodeLane::Put(DecodeJob job) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    DecodeState& state = *job.state;
    ++state.chunks_in_flight;
    const double cost = LatentCost(job.session->spec()) * static_cast<double>(job.latents.frames());
    const double start =
        state.turn_tag.has_value() ? turns_.Current(*state.turn_tag) : turns_.TagOfNewcomer(cost);
    state.turn_tag = start + cost;
    chunks_.push_back({.job = std::move(job), .start_tag = start, .finish_tag = start + cost});
  }
  work_.NotifyOne();
}

void DecodeLane::PutStart(StartJob job) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    // Those nobody waits for any more give their pixels back before others bring theirs.
    std::erase_if(starts_, [](const StartJob& start) { return start.session->ended(); });
    job.turn_tag = turns_.TagOfNewcomer(LatentCost(job.session->spec()));
    starts_.push_back(std::move(job));
  }
  work_.NotifyOne();
}

void DecodeLane::ReleaseWhenIdle() {
  {
    MutexLock lock(mutex_);
    release_ = true;
  }
  work_.NotifyOne();
}

std::vector<FinishedStart> DecodeLane::TakeStarts() {
  MutexLock lock(mutex_);
  return std::exchange(finished_starts_, {});
}

absl::StatusOr<std::vector<Latents>> DecodeLane::CopyWaiting(const Session& session) const {
  MutexLock lock(mutex_);
  std::vector<Latents> waiting;
  for (const ChunkInWork& work : chunks_) {
    if (work.job.session.get() != &session) continue;
    if (work.next_latent != 0) {
      return absl::FailedPreconditionError(absl::StrCat("chunk ", work.job.chunk, " is decoded"));
    }
    waiting.push_back(work.job.latents);
  }
  return waiting;
}

bool DecodeLane::idle() const {
  MutexLock lock(mutex_);
  return chunks_.empty() && starts_.empty() && !in_step_;
}

DecodeLane::Stats DecodeLane::stats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.backlog_chunks = chunks_.size();
  stats.waiting_starts = starts_.size();
  return stats;
}

void DecodeLane::Run() {
  for (;;) {
    if (Step()) continue;
    MutexLock lock(mutex_);
    while (chunks_.empty() && starts_.empty() && !release_ && !stopping_) work_.Wait(mutex_);
    if (stopping_) return;
  }
}

bool DecodeLane::Step() {
  std::optional<StartJob> start;
  std::optional<ChunkInWork> chunk;
  bool release = false;
  {
    MutexLock lock(mutex_);
    if (StartIsNext()) {
      start = std::move(starts_.front());
      starts_.pop_front();
      start->turn_tag = turns_.Current(start->turn_tag);
      turns_.Lead(start->turn_tag);
    } else if (!chunks_.empty()) {
      const auto next = NextChunk();
      chunk = std::move(*next);
      chunks_.erase(next);
      turns_.Lead(chunk->start_tag);
    } else {
      release = std::exchange(release_, false);
    }
    in_step_ = start.has_value() || chunk.has_value();
  }
  const bool idle = !start.has_value() && !chunk.has_value() && !release;
  if (release) decoder_.Release();
  if (start.has_value()) StepStart(*std::move(start));
  if (chunk.has_value()) StepChunk(*std::move(chunk));
  {
    MutexLock lock(mutex_);
    in_step_ = false;
  }
  return !idle;
}

// Of several that would be done at once the one at the front. Those nobody waits for any more go
// first: they cost nothing and give their memory back.
std::deque<DecodeLane::ChunkInWork>::iterator DecodeLane::NextChunk() {
  const auto before = [](const ChunkInWork& a, const ChunkInWork& b) {
    const bool a_left = a.job.session->ended();
    const bool b_left = b.job.session->ended();
    return a_left != b_left ? a_left : a.finish_tag < b.finish_tag;
  };
  return std::min_element(chunks_.begin(), chunks_.end(), before);
}

// A latent of a clip is a turn of its own.
bool DecodeLane::StartIsNext() {
  if (starts_.empty() || chunks_.empty()) return !starts_.empty();
  const StartJob& start = starts_.front();
  const double finish_tag = turns_.Current(start.turn_tag) + LatentCost(start.session->spec());
  const auto chunk = NextChunk();
  return !chunk->job.session->ended() && finish_tag < chunk->finish_tag;
}

// A clip goes to the encoder a latent at a time, in turns with chunks; the next one follows when it
// is done, so that there is one encoder cache at a time.
void DecodeLane::StepStart(StartJob job) {
  if (job.session->ended()) return;
  const absl::Status status = EncodeNext(job);
  if (absl::IsCancelled(status)) return;
  const ResolvedSpec& spec = job.session->spec();
  job.turn_tag += LatentCost(spec);
  if (!status.ok()) {
    FinishStart(job, status);
  } else if (job.progress.next_frame == spec.start_frames) {
    FinishStart(job, std::move(job.progress.latents));
  } else {
    MutexLock lock(mutex_);
    if (!stopping_) starts_.push_front(std::move(job));
  }
}

void DecodeLane::StepChunk(ChunkInWork work) {
  if (!work.job.session->ended()) {
    const absl::Status status = DecodeNext(work);
    if (status.ok() && !work.done()) {
      MutexLock lock(mutex_);
      if (!stopping_) chunks_.push_front(std::move(work));
      return;
    }
    if (status.ok() && !work.job.warm_up) {
      FinishChunk(work);
    } else if (!status.ok() && !absl::IsCancelled(status)) {
      work.job.session->PutEnd(Annotate(status, "decoding"));
    }
  }
  --work.job.state->chunks_in_flight;
  wake_up_.Wake();
}

void DecodeLane::FinishStart(const StartJob& job, absl::StatusOr<Latents> latents) {
  {
    MutexLock lock(mutex_);
    finished_starts_.push_back({.session = job.session, .latents = std::move(latents)});
  }
  wake_up_.Wake();
}

absl::Status DecodeLane::EncodeNext(StartJob& job) {
  const ResolvedSpec& spec = job.session->spec();
  return decoder_.EncodeNext({.rgb = job.frames.rgb,
                              .frames = spec.start_frames,
                              .height = spec.height,
                              .width = spec.width},
                             IsWanted(*job.session), job.progress);
}

absl::Status DecodeLane::DecodeNext(ChunkInWork& work) {
  const DecodeJob& job = work.job;
  const TraceSpan span(trace_, clock_, "decode",
                       absl::StrCat("latent ", work.next_latent, " of chunk ", job.chunk, " of ",
                                    job.session->id()));
  const int64_t start_nanos = clock_.MonotonicNanos();
  std::vector<uint8_t> rgb;
  lane_costs_.BeginDecode(start_nanos);
  const absl::Status status =
      decoder_.Decode(job.latents.Frames(work.next_latent, 1), ChoiceOf(job.session->spec()),
                      IsWanted(*job.session), job.state->decoder.caches, &rgb);
  lane_costs_.EndDecode(clock_.MonotonicNanos(), job.session->spec().decoder,
                        status.ok() ? static_cast<double>(rgb.size()) / 3.0 : 0.0);
  LT_RETURN_IF_ERROR(status);
  if (work.next_latent == 0) {
    const auto later = static_cast<size_t>(LatentGrid::LaterPixelFrames(job.latents.frames() - 1));
    work.rgb.reserve(rgb.size() + later * job.session->spec().frame_bytes());
  }
  work.rgb.insert(work.rgb.end(), rgb.begin(), rgb.end());
  ++work.next_latent;
  work.seconds += NanosToSeconds(clock_.MonotonicNanos() - start_nanos);
  return absl::OkStatus();
}

void DecodeLane::FinishChunk(ChunkInWork& work) {
  const DecodeJob& job = work.job;
  const ResolvedSpec& spec = job.session->spec();
  DecoderState& state = job.state->decoder;
  auto chunk = std::make_shared<MediaChunk>();
  chunk->index = job.chunk;
  chunk->first_frame = state.next_frame;
  chunk->width = spec.width;
  chunk->height = spec.height;
  chunk->rgb = std::move(work.rgb);
  const auto frame_bytes = static_cast<uint64_t>(spec.width * spec.height * 3);
  chunk->frame_count = static_cast<int64_t>(chunk->rgb.size() / frame_bytes);
  if (spec.frame_count != 0 && chunk->first_frame + chunk->frame_count > spec.frame_count) {
    // The last chunk is made whole and cut to the length that was asked for.
    chunk->frame_count = spec.frame_count - chunk->first_frame;
    chunk->rgb.resize(static_cast<uint64_t>(chunk->frame_count) * frame_bytes);
  }
  chunk->digest = Xxh3Hash128(std::as_bytes(std::span(chunk->rgb)));
  chunk->chain = NextLink(state.chain, chunk->digest);
  if (const absl::Status told = Tell(job, *chunk); !told.ok()) {
    job.session->PutEnd(told);
    return;
  }
  state.chain = chunk->chain;
  state.next_frame += chunk->frame_count;
  state.chunk = chunk->index + 1;
  {
    MutexLock lock(mutex_);
    ++stats_.chunks;
    stats_.frames += static_cast<uint64_t>(chunk->frame_count);
    stats_.seconds += work.seconds;
  }
  if (!job.unseen) job.session->PutChunk(std::move(chunk));
  if (job.last) job.session->PutEnd(absl::OkStatus());
}

absl::Status DecodeLane::Tell(const DecodeJob& job, const MediaChunk& chunk) {
  std::deque<ChunkDecoded>& before = job.state->before;
  if (before.empty()) {
    journal_.Decoded(job.session, {.chunk = chunk.index,
                                   .end_frame = chunk.first_frame + chunk.frame_count,
                                   .digest = chunk.digest,
                                   .chain = chunk.chain,
                                   .sent = job.session->next_unsent()});
    return absl::OkStatus();
  }
  const ChunkDecoded expected = before.front();
  before.pop_front();
  if (expected.chunk == chunk.index && expected.chain == chunk.chain) return absl::OkStatus();
  const std::string& id = job.session->id();
  return Error(Reason::kSessionCorrupt,
               absl::StrCat("session ", id, ": chunk ", chunk.index,
                            " came out otherwise than before the session came back"),
               {{"session", id}});
}

}  // namespace longtake
