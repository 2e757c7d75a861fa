// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// longtake doctor: is this machine fit for longtaked, and if not, what to do.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

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

struct DoctorOptions {
  std::string directory = ".";
  std::vector<std::string> layer_paths = {};
};

absl::Status CheckFolders(FileSystem& files, const DoctorOptions& options) {
  LT_RETURN_IF_ERROR(Annotate(files.List(options.directory).status(), "--dir"));
  for (const std::string& path : options.layer_paths) {
    LT_RETURN_IF_ERROR(Annotate(files.List(path).status(), "--layer-path"));
  }
  return absl::OkStatus();
}

std::vector<Finding> Examine(FileSystem& files, const DoctorOptions& options) {
  std::vector<Finding> findings = {
      CheckInstructionSet(),
      CheckNumerics(),
      CheckIoUring(files, options.directory),
      CheckMemlock(std::max<size_t>(options.layer_paths.size(), 1)),
      CheckMemory(),
      CheckCgroup(),
      CheckDiskRate(files, options.directory),
      CheckFreeSpace(files, options.directory),
  };
  for (const std::string& path : options.layer_paths) {
    findings.push_back(CheckDiskRate(files, path));
    findings.push_back(CheckFreeSpace(files, path));
  }
  if (!options.layer_paths.empty()) {
    findings.push_back(CheckDisksApart(files, options.layer_paths));
  }
  findings.push_back(CheckPort(7767, "gRPC (--listen)"));
  findings.push_back(CheckPort(9767, "metrics (--metrics-listen)"));
  return findings;
}

int RunDoctor(const DoctorOptions& options) {
  FileSystem& files = PosixFileSystem();
  if (const absl::Status folders = CheckFolders(files, options); !folders.ok()) {
    return Report(folders);
  }
  bool fit = true;
  for (const Finding& finding : Examine(files, options)) {
    std::printf("%-8s %-11s %s\n", Mark(finding.level), finding.what.c_str(),
                PrintableText(finding.value).c_str());
    if (!finding.advice.empty()) std::printf("%-8s %-11s -> %s\n", "", "", finding.advice.c_str());
    fit = fit && finding.level != Finding::Level::kProblem;
  }
  return fit ? 0 : 1;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Globals& globals) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command =
      app.add_subcommand("doctor", "Check whether this machine is fit for longtaked");
  command->add_option("--dir", options->directory, "Folder where packs are or will be")
      ->capture_default_str();
  command
      ->add_option("--layer-path", options->layer_paths,
                   "Folder on a further disk for layers of a pack; once for each")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback(
      [&globals, options] { globals.run = [options] { return RunDoctor(*options); }; });
}

}  // namespace longtake
