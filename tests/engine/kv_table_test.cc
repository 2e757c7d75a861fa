// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/kv/kv_table.h"

#include <gtest/gtest.h>

#include "engine/backend/host_device.h"
#include "engine/kv/kv_image.h"
#include "engine/kv/kv_stages.h"
#include "engine/kv/kv_tables.h"
#include "tests/golden/fixture.h"

namespace longtake {
namespace {

const KvLayout kLayout = {.layers = 2, .rows = 4, .width = 8, .dtype = DType::kF32};
constexpr uint64_t kFrames = 3;
const KvOwner kPrompt = {.session = 7, .branch = 0};
const KvOwner kNegative = {.session = 7, .branch = 1};

class KvTableTest : public testing::Test {
 protected:
  KvTableTest() : pool_(Must(KvPool::Create(device_, 1 << 20, 1 << 10))) { Open(kPrompt.session); }

  void Open(uint64_t session) {
    table_.Open(session,
                Must(KvShare::Create(KvMemory(*pool_), kLayout, {.held = kFrames, .read = 2})));
  }

  HostDevice device_;
  std::unique_ptr<KvPool> pool_;  // outlives the table
  KvTable table_;
};

TEST_F(KvTableTest, AFrameIsFoundOnceItIsHeld) {
  EXPECT_EQ(table_.Find(kPrompt, 5), nullptr);
  const KvFrame* written = table_.ToWrite(kPrompt, 5);
  ASSERT_NE(written, nullptr);
  EXPECT_EQ(table_.Find(kPrompt, 5), nullptr) << "nothing that is still being written is read";
  EXPECT_EQ(table_.ToWrite(kPrompt, 5), written) << "a dropped sweep writes the same again";
  table_.Hold(kPrompt, {5});
  EXPECT_EQ(table_.Find(kPrompt, 5), written);
  EXPECT_EQ(table_.ToWrite(kPrompt, 5), nullptr) << "what is held is not overwritten";
}

TEST_F(KvTableTest, AFrameThatIsMadeAgainIsAnother) {
  table_.ToWrite(kPrompt, 5);
  table_.Hold(kPrompt, {5});
  const uint64_t first = table_.Serial(kPrompt, 5);
  table_.ToWrite(kPrompt, 6);
  table_.Hold(kPrompt, {5, 6});
  EXPECT_EQ(table_.Serial(kPrompt, 5), first) << "still held";
  EXPECT_NE(table_.Serial(kPrompt, 6), first);
  table_.Hold(kPrompt, {6});
  table_.ToWrite(kPrompt, 5);
  table_.Hold(kPrompt, {5, 6});
  EXPECT_NE(table_.Serial(kPrompt, 5), first);
}

TEST_F(KvTableTest, WhatIsNoLongerHeldMakesRoom) {
  for (int64_t round = 0; round < 10; ++round) {  // in the room of three frames
    for (int64_t i = 0; i < 3; ++i) ASSERT_NE(table_.ToWrite(kPrompt, 3 * round + i), nullptr);
    table_.Hold(kPrompt, {3 * round});
    table_.Hold(kPrompt, {});
  }
  EXPECT_EQ(table_.Find(kPrompt, 27), nullptr);
}

TEST_F(KvTableTest, BranchesAndSessionsHaveTheirOwnFrames) {
  Open(8);
  const KvFrame* prompt = table_.ToWrite(kPrompt, 0);
  const KvFrame* negative = table_.ToWrite(kNegative, 0);
  const KvFrame* other = table_.ToWrite({.session = 8}, 0);
  EXPECT_NE(prompt, negative);
  EXPECT_NE(prompt, other);
  table_.Hold(kPrompt, {0});
  EXPECT_EQ(table_.Find(kNegative, 0), nullptr);
  table_.Hold(kNegative, {0});
  table_.Hold(kPrompt, {});
  EXPECT_EQ(table_.Find(kNegative, 0), negative);
}

TEST_F(KvTableTest, ASessionGoesWithAllItsFrames) {
  const uint64_t reserved = pool_->page_count() - pool_->free_page_count();
  EXPECT_EQ(reserved, kFrames * Must(pool_->PagesPerFrame(kLayout)));
  table_.ToWrite(kPrompt, 0);
  table_.Hold(kPrompt, {0});
  table_.ToWrite(kPrompt, 1);
  table_.Close(kPrompt.session);
  EXPECT_FALSE(table_.IsOpen(kPrompt.session));
  EXPECT_EQ(pool_->free_page_count(), pool_->page_count());
  Open(kPrompt.session);
  EXPECT_EQ(table_.Find(kPrompt, 0), nullptr);
}

// Fills it with one value, as a sweep would.
void Fill(KvFrame& frame, float value) {
  const std::vector<float> rows(static_cast<size_t>(kLayout.rows * kLayout.width), value);
  WorkerPool workers(1);
  const auto backend = *CreateCpuBackend(workers);
  for (int64_t layer = 0; layer < kLayout.layers; ++layer) {
    frame.pages()->Rows(layer).Store(*backend, kLayout, DevicePtr(rows.data()),
                                     DevicePtr(rows.data()));
  }
}

absl::StatusOr<std::vector<float>> ReadAll(KvSource& source) {
  std::vector<std::byte> buffer(kKvPieceBytes);
  std::vector<float> values;
  for (;;) {
    LT_ASSIGN_OR_RETURN(const std::span<const std::byte> piece, source.Next(buffer));
    if (piece.empty()) return values;
    const auto* floats = reinterpret_cast<const float*>(piece.data());
    values.insert(values.end(), floats, floats + piece.size() / sizeof(float));
  }
}

TEST_F(KvTableTest, APinnedFrameStaysWhenItIsNoLongerHeld) {
  Fill(*table_.ToWrite(kPrompt, 5), 1.5F);
  table_.Hold(kPrompt, {5});
  const uint64_t free = pool_->free_page_count();
  std::unique_ptr<KvSource> pin = table_.Pin(kPrompt, 5);
  EXPECT_EQ(pool_->free_page_count(), free) << "its room is the session's";
  // Its session makes it again, and all else that it has room for.
  table_.Hold(kPrompt, {});
  EXPECT_LT(pool_->free_page_count(), free);
  for (const int64_t frame : {5, 6, 7}) Fill(*table_.ToWrite(kPrompt, frame), 2.5F);
  table_.Hold(kPrompt, {5, 6, 7});
  const auto values = Must(ReadAll(*pin));
  EXPECT_EQ(values.size() * sizeof(float), pin->bytes());
  EXPECT_EQ(values, std::vector<float>(values.size(), 1.5F));
  pin = nullptr;
  table_.DropRead(kPrompt.session);
  EXPECT_EQ(pool_->free_page_count(), free) << "and it goes once it is read";
  EXPECT_EQ(Must(ReadAll(*table_.Pin(kPrompt, 5))), std::vector<float>(values.size(), 2.5F));
}

TEST_F(KvTableTest, WhereThereIsNoRoomThePinIsGone) {
  Fill(*table_.ToWrite(kPrompt, 5), 1.5F);
  table_.Hold(kPrompt, {5});
  const std::unique_ptr<KvSource> pin = table_.Pin(kPrompt, 5);
  ASSERT_TRUE(pool_->Reserve(pool_->free_page_count()).ok());
  table_.Hold(kPrompt, {});
  for (const int64_t frame : {6, 7, 8}) ASSERT_NE(table_.ToWrite(kPrompt, frame), nullptr);
  EXPECT_TRUE(absl::IsAborted(ReadAll(*pin).status()));
}

TEST_F(KvTableTest, AClosedSessionIsReadNoMore) {
  Fill(*table_.ToWrite(kPrompt, 5), 1.5F);
  Fill(*table_.ToWrite(kPrompt, 6), 1.5F);
  table_.Hold(kPrompt, {5, 6});
  const uint64_t all = pool_->page_count();
  const std::unique_ptr<KvSource> held = table_.Pin(kPrompt, 5);
  const std::unique_ptr<KvSource> dropped = table_.Pin(kPrompt, 6);
  table_.Hold(kPrompt, {5});
  table_.Close(kPrompt.session);
  EXPECT_EQ(pool_->free_page_count(), all);
  EXPECT_TRUE(absl::IsAborted(ReadAll(*held).status()));
  EXPECT_TRUE(absl::IsAborted(ReadAll(*dropped).status()));
}

// As after a snapshot that came to nothing.
TEST_F(KvTableTest, WhenAllReadsEndTheirRoomIsBackAndWhatIsHeldStays) {
  for (const int64_t frame : {5, 6}) Fill(*table_.ToWrite(kPrompt, frame), 1.5F);
  table_.Hold(kPrompt, {5, 6});
  const uint64_t free = pool_->free_page_count();
  const std::unique_ptr<KvSource> held = table_.Pin(kPrompt, 5);
  const std::unique_ptr<KvSource> dropped = table_.Pin(kPrompt, 6);
  table_.Hold(kPrompt, {5});
  EXPECT_LT(pool_->free_page_count(), free);
  table_.EndReads(kPrompt.session);
  EXPECT_EQ(pool_->free_page_count(), free);
  EXPECT_TRUE(absl::IsAborted(ReadAll(*held).status()));
  EXPECT_TRUE(absl::IsAborted(ReadAll(*dropped).status()));
  const std::unique_ptr<KvSource> again = table_.Pin(kPrompt, 5);
  const auto values = Must(ReadAll(*again));
  EXPECT_EQ(values, std::vector<float>(values.size(), 1.5F)) << "the next snapshot has it";
}

// How many layers each stage has.
using Cut = std::vector<int64_t>;

KvStages StagesOf(Device& device, const Cut& cut) {
  std::vector<std::unique_ptr<StageKv>> stages;
  for (const int64_t layers : cut) {
    stages.push_back(Must(
        StageKv::Open(device, {.layers = layers, .pool_bytes = 1 << 16, .page_bytes = 1 << 10})));
  }
  return KvStages(std::move(stages));
}

// A frame's image goes into a table of such stages, in pieces, and comes out of it again.
std::vector<float> Through(Device& device, const Cut& cut, std::span<const float> image,
                           size_t piece) {
  const KvLayout layout = {.layers = 3, .rows = 4, .width = 8, .dtype = DType::kF32};
  const KvStages stages = StagesOf(device, cut);
  const KvShares shares = Must(stages.NewShares(layout, {.held = 2, .read = 2}));
  const auto filler = Must(KvFiller::Create(shares));
  std::span<const std::byte> bytes = std::as_bytes(image);
  EXPECT_EQ(bytes.size(), KvImageBytes(layout));
  const auto next = [&]() -> absl::StatusOr<std::span<const std::byte>> {
    const auto part = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(part.size());
    return part;
  };
  KvTables tables(cut.size());
  tables.Open(1, Must(stages.NewShares(layout, {.held = 1, .read = 1})));
  tables.Adopt({.session = 1}, 9, Must(filler->Fill(next)));
  const std::unique_ptr<KvSource> pin = tables.Pin({.session = 1}, 9);
  EXPECT_EQ(pin->bytes(), KvImageBytes(layout));
  std::vector<float> out = Must(ReadAll(*pin));
  for (const size_t cut_off : {4, 100, 260}) {
    bytes = std::as_bytes(image).first(image.size_bytes() - cut_off);
    EXPECT_TRUE(absl::IsDataLoss(filler->Fill(next).status())) << "it ends early";
  }
  tables.Close(1);
  return out;
}

// A frame is one image, wherever its layers are cut into stages.
TEST_F(KvTableTest, AFrameIsMadeFromItsImageInAnyPieces) {
  std::vector<float> image(3 * 2 * 4 * 8);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i);
  for (const Cut& cut : {Cut{3}, Cut{1, 2}, Cut{1, 1, 1}}) {
    for (const size_t piece : {size_t{4}, size_t{100}, size_t{1} << 20}) {
      EXPECT_EQ(Through(device_, cut, image, piece), image) << cut.size() << " stages, " << piece;
    }
  }
}

}  // namespace
}  // namespace longtake
