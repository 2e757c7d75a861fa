// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Owners for libav's objects, for this folder's sources and its tests only: each frees with the
// call that libav asks for. Include it in no header that others see.
#pragma once

#include <memory>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

namespace longtake {

struct AvDeleter {
  void operator()(AVBSFContext* filter) const { av_bsf_free(&filter); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

using AvBsfPtr = std::unique_ptr<AVBSFContext, AvDeleter>;
using AvCodecPtr = std::unique_ptr<AVCodecContext, AvDeleter>;
using AvFramePtr = std::unique_ptr<AVFrame, AvDeleter>;
using AvPacketPtr = std::unique_ptr<AVPacket, AvDeleter>;
using SwsPtr = std::unique_ptr<SwsContext, AvDeleter>;

// Options for one open call; libav takes out what it understood, the rest is left in it.
class AvOptions {
 public:
  AvOptions() = default;
  AvOptions(const AvOptions&) = delete;
  AvOptions& operator=(const AvOptions&) = delete;
  ~AvOptions() { av_dict_free(&options_); }

  void Set(const char* name, const char* value) { av_dict_set(&options_, name, value, 0); }
  void SetInt(const char* name, int64_t value) { av_dict_set_int(&options_, name, value, 0); }
  AVDictionary** get() { return &options_; }

 private:
  AVDictionary* options_ = nullptr;
};

}  // namespace longtake
