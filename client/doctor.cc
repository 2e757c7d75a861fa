// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake doctor: is this machine fit for longtaked, and if not, what to do.
#include <cstdio>
#include <memory>

#include "base/printable_text.h"
#include "client/commands.h"
#include "client/doctor_checks.h"

namespace longtake {
namespace {

const char* Mark(Finding::Level level) {
  switch (level) {
    case Finding::Level::kGood:
      return "ok";
    case Finding::Level::kNote:
      return "note";
    case Finding::Level::kProblem:
      return "PROBLEM";
  }
  return "";
}

int RunDoctor(const std::string& directory) {
  FileSystem& files = PosixFileSystem();
  if (const absl::Status folder = files.List(directory).status(); !folder.ok()) {
    return Report(Annotate(folder, "--dir"));
  }
  const Finding findings[] = {
      CheckInstructionSet(),
      CheckNumerics(),
      CheckIoUring(files, directory),
      CheckMemlock(),
      CheckMemory(),
      CheckCgroup(),
      CheckDiskRate(files, directory),
      CheckFreeSpace(files, directory),
      CheckPort(7767, "gRPC (--listen)"),
      CheckPort(9767, "metrics (--metrics-listen)"),
  };
  bool fit = true;
  for (const Finding& finding : findings) {
    std::printf("%-8s %-11s %s\n", Mark(finding.level), finding.what.c_str(),
                PrintableText(finding.value).c_str());
    if (!finding.advice.empty()) std::printf("%-8s %-11s -> %s\n", "", "", finding.advice.c_str());
    fit = fit && finding.level != Finding::Level::kProblem;
  }
  return fit ? 0 : 1;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Globals& globals) {
  auto directory = std::make_shared<std::string>(".");
  CLI::App* command =
      app.add_subcommand("doctor", "Check whether this machine is fit for longtaked");
  command->add_option("--dir", *directory, "Folder where packs are or will be")
      ->capture_default_str();
  command->callback(
      [&globals, directory] { globals.run = [directory] { return RunDoctor(*directory); }; });
}

}  // namespace longtake
