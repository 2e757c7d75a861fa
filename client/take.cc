// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/take.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "client/progress_bar.h"
#include "client/video_sink.h"

namespace longtake {
namespace {

class Take {
 public:
  Take(v1::LongtakeService::Stub& stub, const TakeRequest& request, const std::atomic<bool>& stop,
       std::unique_ptr<VideoSink> sink)
      : stub_(stub),
        request_(request),
        stop_(stop),
        sink_(std::move(sink)),
        progress_(!request.quiet) {}

  absl::StatusOr<TakeReport> Run() {
    start_nanos_ = clock_.MonotonicNanos();
    stream_ = stub_.Stream(&context_);
    v1::StreamRequest first = request_.first;
    if (first.has_open()) {
      first.mutable_open()->mutable_spec()->set_media_kind(
          sink_->wire_format() == WireFormat::kFmp4 ? v1::MEDIA_KIND_FMP4 : v1::MEDIA_KIND_RGB24);
    }
    stream_->Write(first);
    absl::Status status = Receive();
    // An error of ours ends the call; one of the server's comes out of Finish.
    if (!status.ok()) context_.TryCancel();
    stream_->WritesDone();
    const absl::Status finished = FromGrpc(stream_->Finish());
    if (status.ok()) status = finished;
    if (begun_) {
      if (absl::Status end = sink_->Finish(); status.ok()) status = end;
    }
    LT_RETURN_IF_ERROR(status);
    report_.seconds = SecondsSinceStart();
    return report_;
  }

 private:
  double SecondsSinceStart() { return NanosToSeconds(clock_.MonotonicNanos() - start_nanos_); }

  absl::Status Receive() {
    v1::StreamResponse response;
    while (stream_->Read(&response)) {
      if (response.has_opened()) {
        LT_RETURN_IF_ERROR(OnOpened(response.opened()));
      } else if (response.has_chunk()) {
        LT_RETURN_IF_ERROR(OnPart(response.chunk()));
      } else if (response.has_receipt()) {
        OnReceipt(response.receipt());
      } else if (response.has_ended()) {
        return absl::OkStatus();
      }
      AskForChanges();
    }
    return absl::OkStatus();
  }

  absl::Status OnOpened(const v1::Opened& opened) {
    const v1::SessionSpec& spec = opened.session().spec();
    const WireFormat sent =
        spec.media_kind() == v1::MEDIA_KIND_RGB24 ? WireFormat::kRgb24 : WireFormat::kFmp4;
    if (sent != sink_->wire_format()) {
      return absl::FailedPreconditionError(absl::StrCat(
          opened.session().name(), " sends ", sent == WireFormat::kRgb24 ? "RGB" : "MP4",
          ", which cannot be written as ", request_.output));
    }
    shape_ = {spec.width(), spec.height(), spec.fps(), spec.frame_count()};
    report_.session = opened.session().name();
    if (opened.session().numerics_differ()) {
      std::fprintf(stderr,
                   "longtake: computed in numerics profile %s, not %s: close to that take, not "
                   "bit-identical\n",
                   opened.session().numerics_profile().c_str(), spec.numerics_profile().c_str());
    }
    begun_ = true;
    SendStart();
    return sink_->Begin(shape_, opened.init_segment());
  }

  // A write that fails is seen by the next read.
  void SendStart() {
    constexpr size_t kPartBytes = 512 << 10;
    const std::vector<uint8_t>& frames = request_.start_frames;
    for (size_t offset = 0; offset < frames.size(); offset += kPartBytes) {
      v1::StreamRequest request;
      v1::StartPart& part = *request.mutable_start();
      part.set_data_offset(static_cast<int64_t>(offset));
      part.set_data(frames.data() + offset, std::min(kPartBytes, frames.size() - offset));
      if (!stream_->Write(request)) return;
    }
  }

  absl::Status OnPart(const v1::Chunk& part) {
    if (part.data_offset() != static_cast<int64_t>(media_.size())) {
      return absl::DataLossError(absl::StrCat("chunk ", part.index(), ": a part is missing"));
    }
    media_ += part.data();
    if (!part.last_part()) return absl::OkStatus();
    if (report_.frames == 0) report_.first_frame_seconds = SecondsSinceStart();
    TellOfChange(part);
    LT_RETURN_IF_ERROR(sink_->Write(media_));
    media_.clear();
    report_.frames += part.frame_count();
    ++report_.chunks;
    report_.chain_digest = absl::BytesToHexString(part.chain_digest());
    progress_.Update(report_.frames, shape_.frame_count, SecondsSinceStart());
    return absl::OkStatus();
  }

  // What the server refuses must not pass in silence: the video goes on without it.
  void OnReceipt(const v1::Receipt& receipt) {
    const size_t change = receipt.control_id();
    if (receipt.has_applied_chunk()) applied_[receipt.applied_chunk()] = change;
    if (!receipt.has_error()) return;
    const bool known = change >= 1 && change <= request_.changes.size();
    std::fprintf(
        stderr, "\nlongtake: the server refused %s: %s\n",
        known ? absl::StrCat("the prompt at ", request_.changes[change - 1].second, " s").c_str()
              : "a control",
        receipt.error().message().c_str());
  }

  // A prompt takes effect with a chunk; the user thinks in seconds.
  void TellOfChange(const v1::Chunk& chunk) {
    const auto applied = applied_.find(chunk.index());
    if (applied == applied_.end() || request_.quiet) return;
    const size_t change = applied->second;
    if (change >= 1 && change <= request_.changes.size()) {
      std::fprintf(stderr, "\nlongtake: \"%s\" from %.2f s on (chunk %lld)\n",
                   request_.changes[change - 1].prompt.c_str(),
                   static_cast<double>(chunk.first_frame()) / shape_.fps,
                   static_cast<long long>(chunk.index()));
    }
    applied_.erase(applied);
  }

  // Asks as soon as the video that arrived reaches the second; the server applies it at the next
  // chunk it starts.
  void AskForChanges() {
    while (next_change_ < request_.changes.size() &&
           static_cast<double>(report_.frames) >=
               request_.changes[next_change_].second * shape_.fps) {
      v1::StreamRequest control;
      control.mutable_control()->set_id(next_change_ + 1);
      control.mutable_control()->set_prompt(request_.changes[next_change_++].prompt);
      stream_->Write(control);
    }
    if (stop_ && !asked_to_end_) {
      v1::StreamRequest control;
      control.mutable_control()->mutable_end();
      stream_->Write(control);
      asked_to_end_ = true;
    }
  }

  v1::LongtakeService::Stub& stub_;
  const TakeRequest& request_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<VideoSink> sink_;
  ProgressBar progress_;
  SystemClock clock_;
  int64_t start_nanos_ = 0;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamRequest, v1::StreamResponse>> stream_;
  VideoShape shape_;
  std::string media_;
  TakeReport report_;
  size_t next_change_ = 0;
  std::map<int64_t, size_t> applied_;  // chunk -> the change that it is the first to show
  bool begun_ = false;
  bool asked_to_end_ = false;
};

}  // namespace

absl::StatusOr<TakeReport> RunTake(v1::LongtakeService::Stub& stub, const TakeRequest& request,
                                   const std::atomic<bool>& stop) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<VideoSink> sink, OpenVideoSink(request.output));
  return Take(stub, request, stop, std::move(sink)).Run();
}

}  // namespace longtake
