// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// libav's SIMD code reads whole registers. Frames that end where mapped memory ends must survive
// it.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "media/fmp4_encoder.h"
#include "media/png_writer.h"
#include "media/y4m_writer.h"
#include "tests/media/test_frames.h"

namespace longtake {
namespace {

// A copy of frames whose last byte is followed by a page that faults.
class GuardedFrames {
 public:
  explicit GuardedFrames(const std::vector<uint8_t>& rgb) {
    const size_t page_bytes = sysconf(_SC_PAGESIZE);
    const size_t data_bytes = (rgb.size() + page_bytes - 1) / page_bytes * page_bytes;
    map_bytes_ = data_bytes + page_bytes;
    map_ = static_cast<uint8_t*>(
        mmap(nullptr, map_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    LT_CHECK(map_ != MAP_FAILED);
    LT_CHECK(mprotect(map_ + data_bytes, page_bytes, PROT_NONE) == 0);
    frames_ = {map_ + data_bytes - rgb.size(), rgb.size()};
    std::copy(rgb.begin(), rgb.end(), frames_.begin());
  }
  GuardedFrames(const GuardedFrames&) = delete;
  GuardedFrames& operator=(const GuardedFrames&) = delete;
  ~GuardedFrames() { munmap(map_, map_bytes_); }

  std::span<const uint8_t> span() const { return frames_; }

 private:
  uint8_t* map_ = nullptr;
  size_t map_bytes_ = 0;
  std::span<uint8_t> frames_;
};

TEST(BufferEndTest, NothingReadsPastTheFrames) {
  for (int width = 16; width <= 176; width += 2) {
    const FrameSize size{width, 16};
    const GuardedFrames frames(MovingShapes(size, 0, 2));
    const auto encoder = Fmp4Encoder::Create({.width = width, .height = 16, .fps = 16});
    EXPECT_TRUE((*encoder)->EncodeChunk({}, frames.span()).ok()) << width;
    const auto halved = Y4mWriter::Create({.size = size, .fps = 16});
    EXPECT_TRUE(halved->EncodeFrames(frames.span()).ok()) << width;
    const auto full = Y4mWriter::Create({.size = size, .fps = 16, .chroma = Y4mChroma::k444});
    EXPECT_TRUE(full->EncodeFrames(frames.span()).ok()) << width;
    const auto last_frame = frames.span().subspan(size.frame_bytes());
    EXPECT_TRUE(EncodePng(size, last_frame).ok()) << width;
  }
}

}  // namespace
}  // namespace longtake
