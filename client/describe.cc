// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/describe.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/printable_text.h"

namespace longtake {
namespace {

using google::protobuf::util::TimeUtil;

// STATE_RUNNING without its prefix is running; a value that this program does not know yet is its
// number.
std::string EnumWord(const std::string& name, size_t prefix_bytes, int value) {
  if (name.size() <= prefix_bytes) return absl::StrCat("unknown (", value, ")");
  return absl::AsciiStrToLower(name.substr(prefix_bytes));
}

std::string StateName(v1::Session::State state) {
  return EnumWord(v1::Session::State_Name(state), 6, static_cast<int>(state));
}

double Megabytes(int64_t bytes) { return static_cast<double>(bytes) / 1e6; }

// A small model's chunks take hundredths.
std::string Seconds(double seconds) {
  return absl::StrFormat("%.*f", seconds < 1 ? 3 : 2, seconds);
}

// Of the media clock.
std::string FrameTime(int64_t frames, const v1::Session& session) {
  if (session.spec().fps() <= 0) return "-";
  return absl::StrFormat("%.2f s", static_cast<double>(frames) / session.spec().fps());
}

bool HasSomeOnDisk(const v1::Session& session) {
  return session.durable() || session.has_gap() || session.durable_through() > 0;
}

// Chunks that survive the server, or that none does.
std::string DurableCount(const v1::Session& session) {
  if (!HasSomeOnDisk(session)) return "-";
  return absl::StrCat(session.durable_through(), session.has_gap() ? " gap" : "");
}

std::string OnDiskText(const v1::Session& session) {
  if (!HasSomeOnDisk(session)) return "nothing: it ends with the server";
  const std::string first = absl::StrCat("the first ", session.durable_through(), " chunks");
  if (session.durable()) return absl::StrCat(first, ", and what was asked");
  if (!session.has_gap()) return absl::StrCat(first, "; the server's disk fails");
  return absl::StrCat(first, "; a gap since chunk ", session.durable_through(),
                      ", as the rest found no room there: it is whole again once its history "
                      "begins anew");
}

std::string ExpiryText(const v1::Session& session) {
  if (session.attached()) return "while attached, never";
  if (!session.has_expire_time()) return "-";
  const bool in_memory = session.state() != v1::Session::STATE_PARKED &&
                         session.state() != v1::Session::STATE_ENDED && session.durable();
  return absl::StrCat(TimeUtil::ToString(session.expire_time()),
                      in_memory ? ", and is parked then" : "");
}

std::string KeyPlanText(const v1::KeyPlan& plan) {
  const std::string name =
      EnumWord(v1::KeyPlan::Kind_Name(plan.kind()), 5, static_cast<int>(plan.kind()));
  return absl::StrCat(name, ":", plan.window_frames(), ":", plan.sink_frames());
}

}  // namespace

std::string SessionLineHeader() {
  return absl::StrFormat("%-41s %-9s %8s %8s %9s %10s  %s\n", "SESSION", "STATE", "CHUNKS",
                         "ON DISK", "FRAMES", "LENGTH", "PROMPT");
}

// What it is asked to show; of one whose spec is damaged that this is so.
std::string PromptText(const v1::Session& session) {
  const bool unknown = session.spec().prompt().empty() && !session.damage().empty();
  return unknown ? absl::StrCat("damaged: ", session.damage()) : session.spec().prompt();
}

std::string DescribeSessionLine(const v1::Session& session, size_t columns_max) {
  const std::string row =
      absl::StrFormat("%-41s %-9s %8d %8s %9d %10s  %s", session.name(), StateName(session.state()),
                      session.chunk_count(), DurableCount(session), session.frame_count(),
                      FrameTime(session.frame_count(), session), PromptText(session));
  return PrintableLine(row, columns_max) + "\n";
}

std::string DescribeSession(const v1::Session& session) {
  const v1::SessionSpec& spec = session.spec();
  std::string out = PrintableText(session.name()) + "\n";
  const auto row = [&out](const char* label, const std::string& value) {
    absl::StrAppend(&out, absl::StrFormat("%-17s %s\n", label, PrintableText(value)));
  };
  row("state", StateName(session.state()));
  if (!session.failure_message().empty()) row("failure", session.failure_message());
  row("prompt", spec.prompt());
  row("size", absl::StrFormat("%dx%d at %d frames/s", spec.width(), spec.height(), spec.fps()));
  row("length", spec.frame_count() == 0 ? "endless"
                                        : absl::StrCat(spec.frame_count(), " frames, ",
                                                       FrameTime(spec.frame_count(), session)));
  row("steps", absl::StrJoin(spec.steps(), ","));
  row("key plan", KeyPlanText(spec.key_plan()));
  row("seed", absl::StrCat(spec.seed()));
  row("made", absl::StrFormat("%d frames, %s, in %d chunks", session.frame_count(),
                              FrameTime(session.frame_count(), session), session.chunk_count()));
  row("on disk", OnDiskText(session));
  if (session.epoch() > 0) row("rewound", absl::StrCat(session.epoch(), " times"));
  row("oldest chunk",
      absl::StrCat(session.oldest_chunk(), session.durable() ? ", to attach at or to fetch" : ""));
  if (session.base_chunk() > 0) {
    row("history", absl::StrCat("begins with chunk ", session.base_chunk(),
                                ": not rewound or forked to before"));
  }
  row("outbox", absl::StrFormat("%.1f MB", Megabytes(session.outbox_bytes())));
  if (session.has_create_time()) row("created", TimeUtil::ToString(session.create_time()));
  row("expires", ExpiryText(session));
  if (!session.damage().empty()) row("damaged", session.damage());
  if (!session.snapshot_refusal().empty()) row("no snapshot", session.snapshot_refusal());
  row("model digest", session.model_digest());
  row("numerics profile", session.numerics_differ()
                              ? absl::StrCat(session.numerics_profile(), ", not the ",
                                             spec.numerics_profile(), " asked for: bits differ")
                              : session.numerics_profile());
  return out;
}

std::string DescribeRewind(const v1::RewindSessionResponse& response, bool dry_run) {
  std::string out = DescribeSession(response.session());
  if (dry_run) absl::StrAppend(&out, "nothing was done\n");
  if (response.has_resume_seconds()) {
    absl::StrAppend(&out, absl::StrFormat("from an attach until it goes on: %s s, predicted\n",
                                          Seconds(response.resume_seconds())));
  }
  return out;
}

std::string DescribeModel(const v1::Model& model) {
  const v1::ModelCost& cost = model.cost();
  std::string out = absl::StrFormat(
      "%s\ndigest            %s\nnumerics profile  %s\ndefault           %dx%d at %d frames/s, "
      "steps %s, "
      "key plan %s\n",
      PrintableText(model.name()), PrintableText(model.digest()),
      PrintableText(model.numerics_profile()), model.width(), model.height(), model.fps(),
      absl::StrJoin(model.steps(), ","), KeyPlanText(model.key_plan()));
  absl::StrAppend(
      &out,
      absl::StrFormat("layers            %d, %.2f MB, of which %.2f MB are read in every sweep\n",
                      cost.layer_count(), Megabytes(cost.layer_bytes()),
                      Megabytes(cost.streamed_bytes_per_sweep())));
  absl::StrAppend(
      &out,
      absl::StrFormat("memory            %.2f MB resident, %.2f MB K/V per latent frame\n",
                      Megabytes(cost.resident_bytes()), Megabytes(cost.kv_bytes_per_frame())));
  absl::StrAppend(&out, absl::StrFormat("sweeps per chunk  %d\n", cost.sweeps_per_chunk()));
  for (const std::string& prompt : model.example_prompts())
    absl::StrAppend(&out, "example           ", PrintableText(prompt), "\n");
  return out;
}

std::string DescribeMemory(const v1::SessionEstimate& estimate) {
  std::vector<v1::SessionEstimate::MemoryRow> rows(estimate.memory().begin(),
                                                   estimate.memory().end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.bytes() > b.bytes(); });
  std::string out;
  for (const auto& row : rows) {
    if (row.bytes() == 0) continue;
    absl::StrAppend(&out, absl::StrFormat("  %10.3f MB  %s\n", Megabytes(row.bytes()),
                                          PrintableText(row.name())));
  }
  return out;
}

std::string DescribeEstimate(const v1::SessionEstimate& estimate) {
  std::string out;
  if (estimate.seconds_per_chunk() > 0) {
    out = absl::StrFormat("%s s per chunk, first frame after %s s, %.2f s of video per second\n",
                          Seconds(estimate.seconds_per_chunk()),
                          Seconds(estimate.first_frame_seconds()), estimate.realtime_factor());
  } else {
    out = "nothing was generated yet and the server has no calibration: no speed is known\n";
  }
  const bool in_file = estimate.kv_file_bytes_per_sweep() > 0;
  absl::StrAppend(&out, absl::StrFormat("%.1f MB of memory, %s K/V %.1f MB\n",
                                        Megabytes(estimate.memory_bytes()),
                                        in_file ? "beside it in the server's file" : "of which",
                                        Megabytes(estimate.kv_bytes())));
  if (in_file) {
    absl::StrAppend(&out, absl::StrFormat("%.1f MB of K/V would come from the file with each sweep",
                                          Megabytes(estimate.kv_file_bytes_per_sweep())));
    if (estimate.kv_file_slowdown() > 0) {
      absl::StrAppend(
          &out, absl::StrFormat(", which take %.2f times as long", estimate.kv_file_slowdown()));
    }
    absl::StrAppend(&out, "\n");
  }
  if (estimate.resume_seconds() > estimate.resume_seconds_max()) {
    absl::StrAppend(&out,
                    absl::StrFormat("comes back from disk in up to %s s, not in %s s: too few "
                                    "bytes per hour for its snapshots\n",
                                    Seconds(estimate.resume_seconds()),
                                    Seconds(estimate.resume_seconds_max())));
  }
  absl::StrAppend(&out, estimate.admissible()
                            ? "would be admitted now\n"
                            : absl::StrCat("would be refused now: ",
                                           PrintableText(estimate.refusal_message()), "\n"));
  return out;
}

}  // namespace longtake
