// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/y4m_writer.h"

#include "absl/strings/str_cat.h"
#include "media/yuv_converter.h"

namespace longtake {
namespace {

void AppendPlane(const uint8_t* plane, int stride, FrameSize size, std::string& out) {
  for (int y = 0; y < size.height; ++y, plane += stride) {
    out.append(reinterpret_cast<const char*>(plane), size.width);
  }
}

}  // namespace

absl::StatusOr<Y4mWriter> Y4mWriter::Create(const Options& options) {
  LT_RETURN_IF_ERROR(ValidateFrameSize(options.size));
  if (options.chroma == Y4mChroma::k420) LT_RETURN_IF_ERROR(ValidateEvenSize(options.size));
  if (options.fps < 1) {
    return absl::InvalidArgumentError(absl::StrCat("y4m: fps ", options.fps, " is below 1"));
  }
  return Y4mWriter(options);
}

std::string Y4mWriter::Header() const {
  return absl::StrCat("YUV4MPEG2 W", options_.size.width, " H", options_.size.height, " F",
                      options_.fps, ":1 Ip A1:1 C",
                      options_.chroma == Y4mChroma::k420 ? "420mpeg2" : "444",
                      " XCOLORRANGE=LIMITED\n");
}

absl::StatusOr<std::string> Y4mWriter::EncodeFrames(std::span<const uint8_t> rgb) const {
  const FrameSize size = options_.size;
  const bool halved = options_.chroma == Y4mChroma::k420;
  const FrameSize chroma_size = halved ? FrameSize{size.width / 2, size.height / 2} : size;
  LT_RETURN_IF_ERROR(CountFrames(size, rgb));
  LT_ASSIGN_OR_RETURN(YuvConverter converter,
                      YuvConverter::Create({.size = size,
                                            .layout = halved ? YuvLayout::k420 : YuvLayout::k444,
                                            .matrix = YuvMatrix::kBt601}));
  std::string out;
  for (; !rgb.empty(); rgb = rgb.subspan(size.frame_bytes())) {
    LT_ASSIGN_OR_RETURN(AVFrame * yuv, converter.Convert(rgb.first(size.frame_bytes())));
    out += "FRAME\n";
    AppendPlane(yuv->data[0], yuv->linesize[0], size, out);
    AppendPlane(yuv->data[1], yuv->linesize[1], chroma_size, out);
    AppendPlane(yuv->data[2], yuv->linesize[2], chroma_size, out);
  }
  return out;
}

}  // namespace longtake
