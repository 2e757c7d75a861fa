// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): who works next when turns differ
// in size. Every session has a tag, the virtual time at which its next turn may start. The least
// tag goes first, and a turn moves its tag on by what the turn costs, so a session with turns twice
// as large has half as many. Sweeps are shared out this way, and so is the decode lane.
//
// The unit is what turns are charged in: rows, or pixels. A plain value; one thread.
#pragma once

#include <algorithm>

namespace longtake {

class FairTurns {
 public:
  // The tag of a new session, as if it had just had a turn of that cost: newcomers, however many
  // follow each other, do not overtake those who wait.
  double TagOfNewcomer(double cost) const { return now_ + cost; }

  // The tag to compare by. A session that had nothing to do has not saved up turns.
  double Current(double tag) const { return std::max(tag, now_); }

  // A turn with this tag begins. Virtual time is where the latest turn began; it never goes back.
  void Lead(double current_tag) { now_ = std::max(now_, current_tag); }

 private:
  double now_ = 0;
};

}  // namespace longtake
