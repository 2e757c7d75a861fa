// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/open_store.h"

#include <limits.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file_system.h"
#include "server/log.h"

namespace longtake {
namespace {

// Who has the store's directory, for whoever wants it, too.
std::string StoreHolder(const std::string& listen) {
  char host[HOST_NAME_MAX + 1] = "";
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  return absl::StrCat("host ", host, ", process ", getpid(), ", ", listen);
}

void LogStoreDisk(const absl::Status& status) {
  Log(status.ok() ? LogLevel::kInfo : LogLevel::kError,
      status.ok() ? "the session store's disk is back"
                  : "the session store's disk fails; sessions go on, nothing of them is durable",
      {{"message", std::string(status.message())}});
}

void LogGap(const std::string& id, bool has_gap) {
  Log(has_gap ? LogLevel::kError : LogLevel::kInfo,
      has_gap
          ? "the session finds no room in the session store, or on its way there; it is not durable"
          : "the session's history on disk has begun anew; it is durable again",
      {{"session", id}});
}

void LogDamage(const std::string& id, const std::string& damage) {
  Log(LogLevel::kError, "the session store is damaged", {{"session", id}, {"message", damage}});
}

// Where tables or what was committed last cannot be read, nobody can say what is missing.
absl::Status Refusal(const absl::Status& status) {
  const absl::Status named = Annotate(status, "state-dir");
  if (!absl::IsDataLoss(status)) return named;
  return absl::DataLossError(
      absl::StrCat(named.message(),
                   "; sessions that were promised to be there may be missing, so nothing is begun "
                   "with it: put back a copy of the directory, or keep it aside and name another"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionStore>> OpenStore(const Config& config, Clock& clock) {
  if (config.state_dir.empty()) return nullptr;
  const int64_t start_nanos = clock.MonotonicNanos();
  const uint64_t session_bytes = config.state_session_bytes.value_or(config.state_bytes / 4);
  auto opened = SessionStore::Open({.files = &PosixFileSystem(),
                                    .directory = config.state_dir,
                                    .holder = StoreHolder(config.listen),
                                    .retention_nanos = config.retention_nanos,
                                    .session_bytes_max = session_bytes,
                                    .history_bytes_max = session_bytes / 2,
                                    .bytes_max = config.state_bytes,
                                    .scrub_bytes_per_second = config.scrub_bytes_per_second,
                                    .on_damage = LogDamage,
                                    .on_disk = LogStoreDisk,
                                    .on_gap = LogGap},
                                   clock);
  if (!opened.ok()) return Refusal(opened.status());
  std::unique_ptr<SessionStore> store = *std::move(opened);
  store->Start();
  Log(LogLevel::kInfo, "session store open",
      {{"sessions", store->stats().sessions},
       {"damaged", static_cast<int64_t>(store->stats().damaged.size())},
       {"session_bytes", static_cast<int64_t>(session_bytes)},
       {"seconds", NanosToSeconds(clock.MonotonicNanos() - start_nanos)}});
  return store;
}

}  // namespace longtake
