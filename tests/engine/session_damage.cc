// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A simulated disk that changes what was synced, and what may come of it.
#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/engine/session_simulation.h"

namespace longtake {

// What is damaged is in nobody's way but its own.
void SessionSimulation::HearDisk(const absl::Status& status) {
  if (status.ok() || world_.dead || world_.disk_failed) return;
  world_.Fail("the disk works: " + status.ToString());
}

// A disk that fails has not changed anything.
void SessionSimulation::HearDamage(const std::string& id, const std::string& damage) {
  if (absl::StrContains(damage, "written anew")) ++counts_.written_anew;
  const auto client = clients_.find(id);
  if (world_.damaged && client != clients_.end()) client->second->HasGap();
  if (world_.dead || world_.damaged) return;
  world_.Fail(absl::StrCat("told of damage that nobody did: ", id, ": ", damage));
}

void SessionSimulation::HearGap(const std::string& id, bool has_gap) {
  if (world_.dead) return;
  world_.disk_failed = true;  // or was too slow
  has_gap ? ++counts_.gaps : ++counts_.begun_anew;
  const auto client = clients_.find(id);
  if (client != clients_.end()) client->second->HasGap();
}

// Damage that concerns all sessions is named before any is served.
void SessionSimulation::RefuseStore(const absl::Status& status) {
  counts_.store_refused = true;
  if (!world_.damaged || !absl::IsDataLoss(status)) world_.Fail("open: " + status.ToString());
}

void SessionSimulation::Scrub(SessionStore& store) {
  std::map<int64_t, SessionRow> rows;
  for (const SessionRow& row : store.Sessions()) rows[row.number] = row;
  if (rows.empty()) return;
  for (int turn = 0; turn < 1'000'000 && store.stats().scrub.passes == 0; ++turn) {
    world_.clock.Advance(1'000'000);
    store.Step();
    const std::vector<int64_t> damaged = store.stats().damaged;
    if (std::ranges::count(damaged, 0) != 0) return;  // it did not come to its end
  }
  if (store.stats().scrub.passes == 0) return world_.Fail("a scrub does not end");
  const std::vector<int64_t> damaged = store.stats().damaged;
  world_.named.emplace();
  for (const auto& [number, row] : rows) {
    // Of those that are gone and kept for their forks nobody here knows where they came from.
    int64_t at = number;
    while (rows.contains(at) && rows[at].parent.has_value()) {
      if (std::ranges::count(damaged, at) != 0) break;
      at = *rows[at].parent;
    }
    const bool known = rows.contains(at);
    const bool named = std::ranges::any_of(
        damaged, [&](int64_t other) { return known ? other == at : other <= at; });
    if (named) world_.named->insert(row.id);
  }
}

void SessionSimulation::ReplaceBlock(const std::string& path, uint64_t offset,
                                     std::span<const std::byte> bytes) {
  const std::vector<std::byte> now = disk_->Contents(path);
  for (size_t i = 0; i < bytes.size() && offset + i < now.size(); ++i) {
    disk_->Damage(path, offset + i, now[offset + i] ^ bytes[i]);
  }
}

void SessionSimulation::Damage() {
  world_.damaged = true;
  std::vector<std::string> paths;
  for (const char* folder : {"state", "state/bulk"}) {
    const absl::StatusOr<std::vector<std::string>> names = disk_->List(folder);
    for (const std::string& name : *names) {
      const std::string path = JoinPath(folder, name);
      if (!disk_->Contents(path).empty() && name != "LOCK") paths.push_back(path);
    }
  }
  if (paths.empty()) return;
  const std::string path = paths[Below(paths.size())];
  const std::vector<std::byte> now = disk_->Contents(path);
  // Of a log's last transaction it looks as if a crash had cut it short.
  world_.may_miss = path.ends_with("-wal");
  const uint64_t block_bytes = Chance(500) ? 512 : 4096;
  const uint64_t block = Below(now.size() / block_bytes + 1) * block_bytes;
  const auto part = [&](const std::vector<std::byte>& bytes, uint64_t from) {
    const uint64_t begin = std::min<uint64_t>(from, bytes.size());
    return std::span(bytes).subspan(begin, std::min<uint64_t>(block_bytes, bytes.size() - begin));
  };
  const uint64_t what = Below(3);
  if (world_.log) {
    std::fprintf(stderr, "damage %d to %s, byte %d of %d\n", static_cast<int>(what), path.c_str(),
                 static_cast<int>(block), static_cast<int>(now.size()));
  }
  switch (what) {
    case 0: {
      uint64_t at = Below(now.size());
      // Much of a file is holes, of which nobody reads anything.
      for (int tries = 0; tries < 100 && now[at] == std::byte{0}; ++tries) at = Below(now.size());
      return disk_->Damage(path, at, std::byte{1} << Below(8));
    }
    case 1: {  // written elsewhere
      const std::string from = paths[Below(paths.size())];
      const std::vector<std::byte> bytes = disk_->Contents(from);
      return ReplaceBlock(path, block, part(bytes, Below(bytes.size() / 512 + 1) * 512));
    }
    default:
      if (!older_->Has(path)) return;
      world_.may_miss = true;
      return ReplaceBlock(path, block, part(older_->Contents(path), block));
  }
}

}  // namespace longtake
