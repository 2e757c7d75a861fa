// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/session/ledger.h"

#include <gtest/gtest.h>

#include <optional>

namespace longtake {
namespace {

TEST(LedgerTest, BytesAreTakenUntilTheirHolderIsGone) {
  const auto ledger = Ledger::Create(100);
  std::optional<Reservation> held = *ledger->Reserve(60);
  EXPECT_EQ(ledger->bytes_taken(), 60u);
  const absl::Status refused = ledger->Reserve(41).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(), "41 bytes are needed, 40 of 100 are free");
  EXPECT_TRUE(ledger->CheckRoom(40).ok());
  held.reset();
  EXPECT_EQ(ledger->bytes_taken(), 0u);
  EXPECT_TRUE(ledger->Reserve(100).ok());
}

TEST(LedgerTest, APartGoesItsOwnWay) {
  const auto ledger = Ledger::Create(100);
  Reservation whole = *ledger->Reserve(60);
  {
    const Reservation part = whole.Split(20);
    EXPECT_EQ(whole.bytes(), 40u);
    EXPECT_EQ(part.bytes(), 20u);
    EXPECT_EQ(ledger->bytes_taken(), 60u);
  }
  EXPECT_EQ(ledger->bytes_taken(), 40u);
  whole.Shrink(50);
  EXPECT_EQ(ledger->bytes_taken(), 40u) << "shrinking never grows";
  whole.Shrink(10);
  EXPECT_EQ(ledger->bytes_taken(), 10u);
  Reservation moved = std::move(whole);
  whole = *ledger->Reserve(5);
  EXPECT_EQ(ledger->bytes_taken(), 15u);
  moved = std::move(whole);
  EXPECT_EQ(ledger->bytes_taken(), 5u) << "what is assigned over is given back";
}

TEST(LedgerTest, OfWorkingMemoryOnlyTheLargestCounts) {
  const auto ledger = Ledger::Create(100);
  Reservation small = *ledger->Reserve(10, 20);
  EXPECT_EQ(ledger->bytes_taken(), 30u);
  Reservation large = *ledger->Reserve(10, 50);
  EXPECT_EQ(ledger->bytes_taken(), 70u);
  EXPECT_FALSE(ledger->CheckRoom(10, 71).ok());
  EXPECT_TRUE(ledger->CheckRoom(10, 70).ok());
  EXPECT_FALSE(ledger->CheckRoom(1, UINT64_MAX).ok());
  large.Return();
  EXPECT_EQ(ledger->bytes_taken(), 30u);
}

TEST(LedgerTest, WhatIsTakenOfAPartIsTakenOfTheWhole) {
  const auto whole = Ledger::Create(100);
  const auto part = Ledger::CreatePart(whole, 50);
  Reservation held = *part->Reserve(20, 10);
  EXPECT_EQ(part->bytes_taken(), 30u);
  EXPECT_EQ(whole->bytes_taken(), 30u);
  EXPECT_EQ(part->Reserve(31, 10).status().message(), "31 bytes are needed, 20 of 50 are free");
  Reservation moved = held.Split(5);
  held.Shrink(5);
  EXPECT_EQ(part->bytes_taken(), 20u);
  EXPECT_EQ(whole->bytes_taken(), 20u);
  const Reservation other = *whole->Reserve(75);
  EXPECT_EQ(part->Reserve(10).status().message(), "10 bytes are needed, 5 of 100 are free");
  EXPECT_EQ(part->bytes_taken(), 20u) << "what the whole refused is not taken of the part";
  held.Return();
  moved.Return();
  EXPECT_EQ(part->bytes_taken(), 0u);
  EXPECT_EQ(whole->bytes_taken(), 75u);
}

TEST(LedgerTest, AReservationMayOutliveItsMaker) {
  auto ledger = Ledger::Create(100);
  const Reservation held = *ledger->Reserve(10, 5);
  ledger = nullptr;
  EXPECT_EQ(held.bytes(), 10u);
}

}  // namespace
}  // namespace longtake
