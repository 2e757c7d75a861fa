// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/shown_frame.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "media/av_frame.h"
#include "media/av_status.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace longtake {
namespace {

constexpr int kLinesOfBt601Max = 576;
constexpr int kWidthOfBt709 = 1280;

const AVPixFmtDescriptor& Descriptor(const AVFrame& frame) {
  return *av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
}

// swscale's number for the frame's matrix; nothing when it has none.
std::optional<int> ColourMatrix(const AVFrame& frame) {
  if ((Descriptor(frame).flags & AV_PIX_FMT_FLAG_RGB) != 0) return SWS_CS_DEFAULT;  // not used
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return SWS_CS_ITU601;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
      return SWS_CS_BT2020;
    case AVCOL_SPC_UNSPECIFIED:
    case AVCOL_SPC_RESERVED:
      return frame.height > kLinesOfBt601Max || frame.width >= kWidthOfBt709 ? SWS_CS_ITU709
                                                                             : SWS_CS_ITU601;
    default:
      return std::nullopt;
  }
}

bool IsFullRange(const AVFrame& frame) {
  if (frame.color_range == AVCOL_RANGE_JPEG) return true;
  return frame.color_range != AVCOL_RANGE_MPEG &&
         std::string(Descriptor(frame).name).starts_with("yuvj");
}

// Close enough to each other for eight bits and an ordinary screen.
bool IsOrdinaryTransfer(AVColorTransferCharacteristic transfer) {
  switch (transfer) {
    case AVCOL_TRC_RESERVED0:
    case AVCOL_TRC_UNSPECIFIED:
    case AVCOL_TRC_RESERVED:
    case AVCOL_TRC_BT709:
    case AVCOL_TRC_GAMMA22:
    case AVCOL_TRC_GAMMA28:
    case AVCOL_TRC_SMPTE170M:
    case AVCOL_TRC_SMPTE240M:
    case AVCOL_TRC_IEC61966_2_1:
    case AVCOL_TRC_IEC61966_2_4:
    case AVCOL_TRC_BT1361_ECG:
    case AVCOL_TRC_BT2020_10:
    case AVCOL_TRC_BT2020_12:
      return true;
    default:
      return false;
  }
}

std::string NameOr(const char* name) { return name == nullptr ? "unknown" : name; }

absl::StatusOr<AvFramePtr> Convert(const AVFrame& frame, FrameSize size, AVPixelFormat format) {
  SwsPtr scaler(sws_getContext(
      frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), size.width, size.height,
      format, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr, nullptr));
  if (!scaler) return AvOutOfMemory("swscale");
  const int* matrix = sws_getCoefficients(ColourMatrix(frame).value_or(SWS_CS_DEFAULT));
  sws_setColorspaceDetails(scaler.get(), matrix, IsFullRange(frame) ? 1 : 0, matrix, 1, 0, 1 << 16,
                           1 << 16);
  LT_ASSIGN_OR_RETURN(AvFramePtr out, NewAvFrame(size, format));
  LT_RETURN_IF_ERROR(AvStatus(sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height,
                                        out->data, out->linesize),
                              "swscale"));
  return out;
}

bool IsOpaque(const AVFrame& rgba) {
  for (int y = 0; y < rgba.height; ++y) {
    const uint8_t* row = rgba.data[0] + int64_t{y} * rgba.linesize[0];
    for (int x = 0; x < rgba.width; ++x) {
      if (row[4 * x + 3] != 255) return false;
    }
  }
  return true;
}

// Over black, before scaling, so that no colour of an invisible pixel bleeds into its neighbours.
// Null when every pixel is opaque.
absl::StatusOr<AvFramePtr> Flatten(const AVFrame& frame) {
  const FrameSize size{frame.width, frame.height};
  LT_ASSIGN_OR_RETURN(const AvFramePtr rgba, Convert(frame, size, AV_PIX_FMT_RGBA));
  if (IsOpaque(*rgba)) return AvFramePtr();
  LT_ASSIGN_OR_RETURN(AvFramePtr rgb, NewAvFrame(size, AV_PIX_FMT_RGB24));
  for (int y = 0; y < size.height; ++y) {
    const uint8_t* from = rgba->data[0] + int64_t{y} * rgba->linesize[0];
    uint8_t* to = rgb->data[0] + int64_t{y} * rgb->linesize[0];
    for (int x = 0; x < size.width; ++x) {
      const int alpha = from[4 * x + 3];
      for (int c = 0; c < 3; ++c) {
        to[3 * x + c] = static_cast<uint8_t>((from[4 * x + c] * alpha + 127) / 255);
      }
    }
  }
  return rgb;
}

// The size that covers the wanted one in the frame's own shape.
FrameSize CoverSize(const AVFrame& frame, AVRational pixel_shape, FrameSize size) {
  const bool is_square = pixel_shape.num <= 0 || pixel_shape.den <= 0;
  const int64_t width = int64_t{frame.width} * (is_square ? 1 : pixel_shape.num);
  const int64_t height = int64_t{frame.height} * (is_square ? 1 : pixel_shape.den);
  const int64_t by_width = (height * size.width + width - 1) / width;
  const int64_t by_height = (width * size.height + height - 1) / height;
  const auto side = [](int64_t value) {  // one beyond the range stays so
    return static_cast<int>(std::min<int64_t>(value, FrameSize::kSideMax + 1));
  };
  if (height * size.width >= width * size.height) return {size.width, side(by_width)};
  return {side(by_height), size.height};
}

// The middle of the picture as it is turned.
std::vector<uint8_t> CutTurned(const AVFrame& rgb, const Orientation& orientation, FrameSize size) {
  FrameSize shown{rgb.width, rgb.height};
  if (orientation.transposed) std::swap(shown.width, shown.height);
  const int left = (shown.width - size.width) / 2;
  const int top = (shown.height - size.height) / 2;
  std::vector<uint8_t> out;
  out.reserve(size.frame_bytes());
  for (int row = top; row < top + size.height; ++row) {
    for (int column = left; column < left + size.width; ++column) {
      int x = orientation.mirrored_x ? shown.width - 1 - column : column;
      int y = orientation.mirrored_y ? shown.height - 1 - row : row;
      if (orientation.transposed) std::swap(x, y);
      const uint8_t* pixel = rgb.data[0] + int64_t{y} * rgb.linesize[0] + int64_t{3} * x;
      out.insert(out.end(), pixel, pixel + 3);
    }
  }
  return out;
}

}  // namespace

absl::Status CheckShowable(const AVFrame& frame) {
  if (!IsOrdinaryTransfer(frame.color_trc)) {
    return absl::UnimplementedError(absl::StrCat(
        "its colours are of transfer ", NameOr(av_color_transfer_name(frame.color_trc)),
        " (high dynamic range or linear light); make BT.709 of it first"));
  }
  if (!ColourMatrix(frame).has_value()) {
    return absl::UnimplementedError(absl::StrCat("its colour matrix ",
                                                 NameOr(av_color_space_name(frame.colorspace)),
                                                 " is not supported; make BT.709 of it first"));
  }
  if (frame.interlaced_frame != 0) {
    return absl::UnimplementedError(
        "is interlaced; make it progressive first, for example with ffmpeg -vf bwdif");
  }
  if (sws_isSupportedInput(static_cast<AVPixelFormat>(frame.format)) == 0) {
    return absl::UnimplementedError(
        absl::StrCat("its pixel format ", Descriptor(frame).name, " is not supported"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint8_t>> ShowFrame(const AVFrame& frame, const Showing& showing,
                                               FrameSize size) {
  LT_RETURN_IF_ERROR(ValidateFrameSize({frame.width, frame.height}));
  FrameSize wanted = size;
  if (showing.orientation.transposed) std::swap(wanted.width, wanted.height);
  const FrameSize cover = CoverSize(frame, showing.pixel_shape, wanted);
  LT_RETURN_IF_ERROR(Annotate(ValidateFrameSize(cover), "scaled to cover what is wanted"));
  AvFramePtr flat;
  if ((Descriptor(frame).flags & AV_PIX_FMT_FLAG_ALPHA) != 0) {
    LT_ASSIGN_OR_RETURN(flat, Flatten(frame));
  }
  LT_ASSIGN_OR_RETURN(const AvFramePtr rgb, Convert(flat ? *flat : frame, cover, AV_PIX_FMT_RGB24));
  return CutTurned(*rgb, showing.orientation, size);
}

}  // namespace longtake
