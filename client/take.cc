// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/take.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "client/interrupts.h"
#include "client/lasting_stream.h"
#include "client/progress_bar.h"
#include "client/session_calls.h"
#include "client/session_leave.h"

namespace longtake {
namespace {

class Take {
 public:
  Take(v1::LongtakeService::Stub& stub, const TakeRequest& request, VideoSink& sink)
      : stub_(stub),
        request_(request),
        sink_(sink),
        progress_(!request.quiet),
        stream_(stub, FirstOf(request, sink),
                {.reconnect_nanos = request.reconnect_nanos,
                 .say = [this](const std::string& sentence) { progress_.Say(sentence); }}),
        disposable_(request.first.has_open() || request.fork.has_value()),
        session_(request.first.has_open()
                     ? absl::StrCat("sessions/", request.first.open().session_id())
                     : request.first.attach().name()),
        leave_(stub, session_, [this] {
          progress_.Say(absl::StrCat("waiting for the server to put ", session_,
                                     " away; interrupt to wait no longer"));
        }) {}

  absl::StatusOr<TakeReport> Run() {
    start_nanos_ = clock_.MonotonicNanos();
    // Before the call begins, so that no session is left by a signal that comes in between.
    LT_ASSIGN_OR_RETURN(const std::unique_ptr<Interrupts> interrupts,
                        Interrupts::Start([this] { AskToEnd(); }, [this] { GiveUp(); }));
    if (request_.fork.has_value()) {
      const absl::Status forked = ForkSession(stub_, *request_.fork, kForkSeconds);
      if (!forked.ok()) {
        LeaveSession(forked);  // it may have been made all the same
        return forked;
      }
    }
    stream_.Start();
    absl::Status local;
    const absl::Status remote = Receive(&local);
    stream_.Cancel();
    local.Update(sink_.Finish());
    LeaveSession(local);
    LT_RETURN_IF_ERROR(local);
    LT_RETURN_IF_ERROR(remote);
    if (!ended_) return absl::DataLossError("the server stopped sending before the take's end");
    TellOfChangesNeverShown();
    report_.seconds = SecondsSinceStart();
    return report_;
  }

 private:
  static v1::StreamRequest FirstOf(const TakeRequest& request, const VideoSink& sink) {
    v1::StreamRequest first = request.first;
    if (first.has_open()) {
      first.mutable_open()->mutable_spec()->set_media_kind(
          sink.wire_format() == WireFormat::kFmp4 ? v1::MEDIA_KIND_FMP4 : v1::MEDIA_KIND_RGB24);
    }
    return first;
  }

  double SecondsSinceStart() { return NanosToSeconds(clock_.MonotonicNanos() - start_nanos_); }

  // The first interrupt, on the thread that hears it.
  void AskToEnd() {
    if (leave_.Cancel()) return;  // the video is whole
    progress_.Say("stopping after this chunk; interrupt again to stop now");
    stopping_ = true;
    v1::StreamRequest request;
    request.mutable_control()->mutable_end();
    stream_.Leave(request);
  }

  // The second one; the take's thread may hang in a write to a player that reads no more.
  void GiveUp() {
    disposable_ = true;
    leave_.Cancel();
    DeleteSession();
  }

  void DeleteSession() {
    if (request_.keep || !disposable_) return;
    const absl::Status status = longtake::DeleteSession(stub_, session_, kDeleteSeconds);
    // It may be gone already, with a ttl of zero for example.
    if (status.ok() || absl::IsNotFound(status)) return;
    progress_.Say(absl::StrCat(session_, " could not be deleted and stays on the server: ",
                               std::string(status.message())));
  }

  // What becomes of the session, after errors of this side or none.
  void LeaveSession(const absl::Status& local) {
    if (request_.keep || !disposable_) return;
    const bool fork = request_.fork.has_value();
    if (local.ok() && !ended_ && !fork) return;  // somebody will attach
    if (!local.ok() || stopping_ || !durable_ || fork) return DeleteSession();
    const absl::Status parked = leave_.Park();
    // What is known of it is on disk all the same when nobody waits for that to end.
    if (parked.ok() || absl::IsCancelled(parked) || absl::IsDeadlineExceeded(parked)) {
      progress_.Say(absl::StrCat(session_, " stays on the server's disk for a while; longtake ",
                                 "sessions show, fork or delete it"));
    } else {
      progress_.Say(absl::StrCat(session_, " stays on the server, which could not park it: ",
                                 std::string(parked.message())));
    }
  }

  // -> errors of the server; those of this side in local.
  absl::Status Receive(absl::Status* local) {
    for (;;) {
      LT_ASSIGN_OR_RETURN(const std::optional<v1::StreamResponse> response, stream_.Next());
      if (!response.has_value()) return absl::OkStatus();
      ended_ |= response->has_ended();
      if (response->has_opened()) {
        *local = OnOpened(response->opened());
      } else if (response->has_chunk()) {
        *local = OnChunk(response->chunk());
      } else if (response->has_receipt()) {
        OnReceipt(response->receipt());
      }
      if (!local->ok()) return absl::OkStatus();
      if (!stopping_ || !request_.fork.has_value()) continue;
      ended_ = true;  // a copy cannot be asked to end: it has, and sends all that it has
      return absl::OkStatus();
    }
  }

  absl::Status OnOpened(const v1::Opened& opened) {
    const v1::SessionSpec& spec = opened.session().spec();
    const WireFormat sent =
        spec.media_kind() == v1::MEDIA_KIND_RGB24 ? WireFormat::kRgb24 : WireFormat::kFmp4;
    if (sent != sink_.wire_format()) {
      return absl::FailedPreconditionError(absl::StrCat(
          opened.session().name(), " sends ", sent == WireFormat::kRgb24 ? "RGB" : "MP4",
          ", which cannot be written as ", request_.output));
    }
    durable_ = opened.session().durable();
    const bool again = !report_.session.empty();
    if (again) {
      SendStart(opened.session().start_bytes());
      return absl::OkStatus();
    }
    shape_ = {spec.width(), spec.height(), spec.fps(), spec.frame_count()};
    // A copy's name is nobody's concern.
    report_.session = request_.fork.has_value() ? request_.fork->name() : opened.session().name();
    if (opened.session().numerics_differ()) {
      progress_.Say(absl::StrCat(
          "computed in numerics profile ", opened.session().numerics_profile(), ", not ",
          spec.numerics_profile(), ": close to that take, not bit-identical"));
    }
    // What was sent to another client is not what it kept.
    const v1::Attach& attach = request_.first.attach();
    if (request_.first.has_attach() && !attach.has_next_chunk() && opened.next_chunk() > 0) {
      progress_.Say(absl::StrCat("the video begins with chunk ", opened.next_chunk(),
                                 ", the first not sent; --continue FILE goes on with a video that "
                                 "was cut off, --from-chunk N begins earlier"));
    }
    AskForChanges();
    SendStart(opened.session().start_bytes());
    return sink_.Begin(shape_, opened.init_segment());
  }

  // From this byte on. A write that fails is seen by the next read. Whoever stops during the upload
  // is not made to wait for its end.
  void SendStart(int64_t begin) {
    constexpr size_t kPartBytes = 512 << 10;
    const std::vector<uint8_t>& frames = request_.start_frames;
    for (auto offset = static_cast<size_t>(begin); offset < frames.size() && !stopping_;
         offset += kPartBytes) {
      v1::StreamRequest request;
      v1::StartPart& part = *request.mutable_start();
      part.set_data_offset(static_cast<int64_t>(offset));
      part.set_data(frames.data() + offset, std::min(kPartBytes, frames.size() - offset));
      stream_.Send(request);
      stream_.Flush();
    }
  }

  absl::Status OnChunk(const v1::Chunk& chunk) {
    if (report_.frames == 0) report_.first_frame_seconds = SecondsSinceStart();
    TellOfChange(chunk);
    // Whoever writes a session's video has taken it over, opened or attached.
    disposable_ = true;
    LT_RETURN_IF_ERROR(sink_.Write(chunk.data()));
    report_.frames += chunk.frame_count();
    ++report_.chunks;
    report_.chain_digest = absl::BytesToHexString(chunk.chain_digest());
    progress_.Update(report_.frames, shape_.frame_count, SecondsSinceStart());
    return absl::OkStatus();
  }

  // The frame a change was asked for; it shows from the first chunk on that begins there or later.
  int64_t FrameOf(const TimedPrompt& change) const {
    return static_cast<int64_t>(std::ceil(NanosToSeconds(change.nanos) * shape_.fps - 1e-6));
  }

  // Of a session that is attached to: an open has them in its spec. All at once, so that what is
  // shown does not depend on how fast this client reads.
  void AskForChanges() {
    if (request_.first.has_open()) return;
    for (size_t i = 0; i < request_.changes.size(); ++i) {
      v1::StreamRequest request;
      v1::Control& control = *request.mutable_control();
      control.set_id(first_control_id_ + i);
      control.set_frame(FrameOf(request_.changes[i]));
      control.set_prompt(request_.changes[i].prompt);
      stream_.Send(request);
    }
  }

  // What the server refuses must not pass in silence: the video goes on without it.
  void OnReceipt(const v1::Receipt& receipt) {
    const uint64_t change = receipt.control_id() - first_control_id_;
    const bool known = receipt.control_id() != 0 && change < request_.changes.size();
    if (known && receipt.has_applied_chunk()) {
      // It may lie in the past: the server is ahead of its readers.
      progress_.Say(absl::StrCat("\"", request_.changes[change].prompt, "\" from chunk ",
                                 receipt.applied_chunk(), " on"));
    }
    if (!receipt.has_error()) return;
    if (!known && stopping_) return;  // it has ended already
    progress_.Say(absl::StrCat(
        "the server refused ",
        known ? absl::StrCat("the prompt at ", NanosToSeconds(request_.changes[change].nanos), " s")
              : "a control",
        ": ", receipt.error().message()));
  }

  // A prompt takes effect with a chunk; the user thinks in seconds.
  void TellOfChange(const v1::Chunk& chunk) {
    if (!request_.first.has_open()) return;  // receipts tell
    const std::vector<TimedPrompt>& changes = request_.changes;
    for (; next_change_ < changes.size() && FrameOf(changes[next_change_]) <= chunk.first_frame();
         ++next_change_) {
      progress_.Say(
          absl::StrFormat("\"%s\" from %.2f s on (chunk %d)", changes[next_change_].prompt,
                          static_cast<double>(chunk.first_frame()) / shape_.fps, chunk.index()));
    }
  }

  // The take was ended before them.
  void TellOfChangesNeverShown() {
    if (!request_.first.has_open()) return;
    for (size_t i = next_change_; i < request_.changes.size(); ++i) {
      progress_.Say(absl::StrCat("never shown: the prompt at ",
                                 NanosToSeconds(request_.changes[i].nanos), " s"));
    }
  }

  static constexpr double kDeleteSeconds = 2.0;
  static constexpr double kForkSeconds = 60.0;

  v1::LongtakeService::Stub& stub_;
  const TakeRequest& request_;
  VideoSink& sink_;
  ProgressBar progress_;
  SystemClock clock_;
  int64_t start_nanos_ = 0;
  LastingStream stream_;
  VideoShape shape_;
  TakeReport report_;
  // Ids are the session's, which others may have controlled before; a known one would be no new
  // event.
  const uint64_t first_control_id_ = std::random_device()() | uint64_t{1} << 32;
  size_t next_change_ = 0;  // to be told of
  bool ended_ = false;
  bool durable_ = false;  // the session survives its server
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> disposable_;
  // Known before the server answers, so that it can be deleted before that, too.
  const std::string session_;
  SessionLeave leave_;
};

}  // namespace

absl::StatusOr<TakeReport> RunTake(v1::LongtakeService::Stub& stub, const TakeRequest& request,
                                   VideoSink& sink) {
  return Take(stub, request, sink).Run();
}

}  // namespace longtake
