// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): who works next when turns differ
// in size. Everybody has a tag, the virtual time at which its next turn may start. The least tag
// goes first, and a turn moves its tag on by what the turn costs, so that large turns come as much
// more seldom as they are larger. Sweeps and the decode lane both take turns so.
//
// The unit is what turns are charged in: rows, or pixels. A plain value; one thread.
#pragma once

#include <algorithm>

namespace longtake {

class FairTurns {
 public:
  // The tag of somebody new: as if it had just had a turn of that size. So newcomers, however many
  // follow each other, take turns with those who wait already.
  double TagOfNewcomer(double cost) const { return now_ + cost; }

  // The tag that counts. Whoever had nothing to do meanwhile has not saved up any turns.
  double Current(double tag) const { return std::max(tag, now_); }

  // Virtual time never goes back: it is where the latest turn started.
  void Lead(double current_tag) { now_ = std::max(now_, current_tag); }

 private:
  double now_ = 0;
};

}  // namespace longtake
