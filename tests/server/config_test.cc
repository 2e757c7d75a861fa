// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <map>

#include "tests/server/docs_table.h"

namespace longtake {
namespace {

using testing::HasSubstr;

// What LoadConfig makes of these three sources.
struct Given {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment = {};
  std::string file = {};

  absl::StatusOr<ConfigResult> Load() const {
    ConfigSources sources;
    sources.arguments = arguments;
    sources.environment = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment.find(name);
      return found == environment.end() ? std::nullopt : std::optional(found->second);
    };
    sources.files = &PosixFileSystem();
    if (!file.empty()) {
      const std::string path = testing::TempDir() + "longtake-config-test.yaml";
      std::ofstream(path) << file;
      sources.arguments.insert(sources.arguments.end(), {"--config", path});
    }
    return LoadConfig(sources);
  }
  std::string Error() const { return std::string(Load().status().message()); }
};

TEST(Config, DefaultsAreComplete) {
  const auto loaded = Given{{"--pack", "p"}}.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.listen, "127.0.0.1:7767");
  EXPECT_EQ(loaded->config.kv_bytes, std::nullopt);
  EXPECT_EQ(loaded->config.memory_budget, std::nullopt);
  EXPECT_EQ(loaded->config.default_ttl_nanos, int64_t{60} * 1'000'000'000);
  EXPECT_GE(loaded->config.threads, 1u);
  EXPECT_EQ(loaded->config.kept_bytes, std::nullopt);
  EXPECT_EQ(loaded->config.state_session_bytes, std::nullopt);
  EXPECT_FALSE(loaded->config.reflection);
}

TEST(Config, FlagBeatsEnvironmentBeatsFile) {
  Given given{{"--pack", "p", "--slots", "5"},
              {{"LONGTAKE_SLOTS", "6"}, {"LONGTAKE_KV_BYTES", "2GiB"}},
              "slots: 7\nkv-bytes: 3GiB\nsessions-max: 8\n"};
  const auto loaded = given.Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.slots, 5u);
  EXPECT_EQ(loaded->config.kv_bytes, uint64_t{2} << 30);
  EXPECT_EQ(loaded->config.sessions_max, 8u);
  std::map<std::string, std::string> origins;
  for (size_t i = 0; i < ConfigOptions().size(); ++i) {
    origins[ConfigOptions()[i].name] = loaded->origins[i];
  }
  EXPECT_EQ(origins["slots"], "flag");
  EXPECT_EQ(origins["kv-bytes"], "environment");
  EXPECT_EQ(origins["sessions-max"], "file");
  EXPECT_EQ(origins["listen"], "default");
}

TEST(Config, AUnixSocketIsAnAddress) {
  const auto loaded =
      Given{{"--pack", "p", "--listen", "unix:/run/longtake/socket"}, {}, "listen-mode: 0660\n"}
          .Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.listen, "unix:/run/longtake/socket");
  EXPECT_EQ(loaded->config.listen_mode, "0660");
}

TEST(Config, EveryOptionWorksInAllThreePlaces) {
  for (const ConfigOption& option : ConfigOptions()) {
    std::string value = option.default_text;
    if (value.empty()) value = option.type == ConfigOption::Type::kAddress ? "h:1" : "x";
    if (option.type == ConfigOption::Type::kSpecs) value = "device=cpu:0";
    const std::string name = option.name;
    const bool flag = option.type == ConfigOption::Type::kFlag;
    const std::vector<std::string> pack =
        name == "pack" ? std::vector<std::string>{} : std::vector<std::string>{"--pack", "p"};
    std::vector<std::string> arguments = pack;
    arguments.push_back("--" + name);
    if (!flag) arguments.push_back(value);
    EXPECT_TRUE((Given{arguments, {}, ""}.Load().ok())) << name;
    EXPECT_TRUE((Given{pack, {{EnvironmentName(option), value}}, ""}.Load().ok())) << name;
    EXPECT_TRUE((Given{pack, {}, name + ": " + value + "\n"}.Load().ok())) << name;
  }
}

TEST(Config, AListIsGivenOnceForEachEntry) {
  const std::vector<std::string> both = {"/d0", "/d1"};
  const Given given[] = {{{"--pack", "p", "--layer-path", "/d0", "--layer-path", "/d1"}},
                         {{"--pack", "p"}, {{"LONGTAKE_LAYER_PATH", "/d0:/d1"}}, ""},
                         {{"--pack", "p"}, {}, "layer-path: [/d0, /d1]\n"},
                         {{"--pack", "p"}, {}, "layer-path:\n  - /d0\n  - /d1\n"},
                         {{"--pack", "p"}, {}, "layer-path: /d0:/d1\n"}};
  for (const Given& one : given) {
    const auto loaded = one.Load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->config.layer_paths, both);
  }
  EXPECT_THAT((Given{{"--pack", "p"}, {}, "layer-path: [[a]]\n"}.Error()),
              HasSubstr("layer-path: not a list of texts"));
}

TEST(Config, StagesHaveSemicolonsBetweenThem) {
  const std::string first = "device=cpu:0,layers=0-2";
  const std::string second = "device=cpu:0-1,path=/d1";
  const std::string text = first + ";" + second;
  const Given given[] = {{{"--pack", "p", "--stage", first, "--stage", second}},
                         {{"--pack", "p"}, {{"LONGTAKE_STAGE", text}}, ""},
                         {{"--pack", "p"}, {}, "stage:\n  - " + first + "\n  - " + second + "\n"},
                         {{"--pack", "p"}, {}, "stage: \"" + text + "\"\n"}};
  for (const Given& one : given) {
    const auto loaded = one.Load();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->config.stages, (std::vector<std::string>{first, second}));
  }
  EXPECT_THAT((Given{{"--pack", "p", "--stage", "device=gpu"}}.Error()),
              HasSubstr("stage 0: device: "));
  EXPECT_THAT((Given{{"--pack", "p", "--stage", first, "--memory-budget", "1GiB"}}.Error()),
              HasSubstr("memory-budget: with stages each has its own"));
}

TEST(Config, ErrorsNameOptionAndPlace) {
  EXPECT_THAT(Given{}.Error(), HasSubstr("--pack DIR"));
  EXPECT_THAT((Given{{"--nonsense"}}.Error()), HasSubstr("--nonsense"));
  EXPECT_THAT((Given{{"--kv-bytes", "lots"}}.Error()), HasSubstr("flag: kv-bytes: \"lots\""));
  EXPECT_THAT((Given{{"--pack", "p"}, {{"LONGTAKE_IO", "fast"}}, ""}.Error()),
              HasSubstr("LONGTAKE_IO: io: \"fast\" is none of auto|io_uring|pread"));
  EXPECT_THAT((Given{{"--pack", "p"}, {}, "slots: 1\nkv_bytes: 1GiB\n"}.Error()),
              HasSubstr("line 2: \"kv_bytes\" is no option"));
  EXPECT_THAT((Given{{"--pack", "p"}, {}, "slots: 1\nslots: 2\n"}.Error()), HasSubstr("twice"));
  EXPECT_THAT((Given{{"--pack", "p"}, {}, "slots: [1]\n"}.Error()), HasSubstr("plain value"));
  EXPECT_THAT((Given{{"--pack", "p"}, {}, "{{{"}.Error()), HasSubstr("line "));
  EXPECT_THAT((Given{{"--pack", "p", "--listen", "here"}}.Error()), HasSubstr("not an address"));
  EXPECT_THAT(
      (Given{{"--pack", "p", "--state-dir", "d", "--state-session-bytes", "65GiB"}}.Error()),
      HasSubstr("state-session-bytes: is more than state-bytes"));
  EXPECT_THAT((Given{{"--pack", "p", "--state-dir", "d", "--state-session-bytes", "0"}}.Error()),
              HasSubstr("state-session-bytes: must be at least 1MiB, or auto"));
  EXPECT_THAT((Given{{"--pack", "p", "--state-session-bytes", "1GiB"}}.Error()),
              HasSubstr("state-session-bytes: needs state-dir"));
  EXPECT_THAT((Given{{"--pack", "p", "--state-bytes", "0"}}.Error()),
              HasSubstr("state-bytes: must be at least 4MiB"));
  EXPECT_THAT((Given{{"--pack", "p", "--listen", "unix:/s", "--port-file", "f"}}.Error()),
              HasSubstr("port-file: a Unix socket (listen) has no port"));
  EXPECT_THAT((Given{{"--pack", "p", "--metrics-listen", "unix:/s"}}.Error()),
              HasSubstr("metrics-listen: HTTP is served on a port only"));
  EXPECT_THAT((Given{{"--pack", "p", "--listen-mode", "0777"}}.Error()),
              HasSubstr("listen-mode: \"0777\" is none of 0600|0660|0666"));
  EXPECT_THAT((Given{{"--pack", "p", "--threads", "0"}}.Error()), HasSubstr("threads"));
  EXPECT_THAT((Given{{"--pack", "p", "--default-ttl", "2h", "--ttl-max", "1h"}}.Error()),
              HasSubstr("ttl-max"));
  EXPECT_THAT((Given{{"--pack", "p", "--config", "/nonexistent.yaml"}}.Error()),
              HasSubstr("/nonexistent.yaml"));
}

// What the server makes of a pipe with this text in it, as a shell hands it over.
std::string ConfigFromPipe(const std::string& text) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(ends[1]);
  const auto loaded = Given{{"--print-config", "--pack", "p", "--config",
                             "/proc/self/fd/" + std::to_string(ends[0])}}
                          .Load();
  close(ends[0]);
  return loaded.ok() ? *loaded->print : std::string(loaded.status().message());
}

TEST(Config, APipeIsReadToItsEnd) {
  EXPECT_THAT(ConfigFromPipe("memory-budget: 1GiB\n"), HasSubstr("memory-budget: 1GiB"));
  const std::string long_comment = "#" + std::string(30'000, 'x') + "\n";
  EXPECT_THAT(ConfigFromPipe(long_comment + "slots: 5\n"), HasSubstr("slots: 5 "));
  EXPECT_THAT(ConfigFromPipe(""), HasSubstr("gave nothing"));
}

TEST(Config, WhatIsNoFileIsRefusedByName) {
  const std::pair<std::string, std::string> cases[] = {
      {"/dev/null", "a device"}, {"/dev/zero", "a device"}, {testing::TempDir(), "a directory"}};
  for (const auto& [path, why] : cases) {
    const std::string error = Given{{"--pack", "p", "--config", path}}.Error();
    EXPECT_THAT(error, HasSubstr(path));
    EXPECT_THAT(error, HasSubstr(why));
  }
}

TEST(Config, NothingOfAFileIsLeftOutInSilence) {
  EXPECT_THAT((Given{{"--pack", "p"}, {}, "slots: 5\n---\nthreads: 2\n"}.Error()),
              HasSubstr("line 3: a second document"));
  for (const char end : {'\0', '\x04', '\x1a'}) {
    const std::string text = "slots: 5\n" + std::string(1, end) + "\nthreads: 2\n";
    EXPECT_THAT((Given{{"--pack", "p"}, {}, text}.Error()), HasSubstr("line 2: a control"));
  }
  EXPECT_TRUE((Given{{"--pack", "p"}, {}, "# nothing yet\n"}.Load().ok()));
  EXPECT_TRUE((Given{{"--pack", "p"}, {}, "---\nslots: 5\n...\n"}.Load().ok()));
}

// A memory budget of 2^63 - 1 bytes was the word "none", which stands for no limit at all.
TEST(Config, SizesThatNoMachineHasAreTooLarge) {
  for (const ConfigOption& option : ConfigOptions()) {
    if (option.type != ConfigOption::Type::kBytes) continue;
    for (const char* text :
         {"9223372036854775807", "9223372036854775808", "18446744073709551615"}) {
      const std::string flag = std::string("--") + option.name;
      EXPECT_THAT((Given{{"--pack", "p", flag, text}}.Error()), HasSubstr("is too large"));
    }
  }
}

TEST(Config, UnknownVariablesOfTheEnvironmentAreFine) {
  EXPECT_TRUE((Given{{"--pack", "p"}, {{"LONGTAKE_SERVICE_HOST", "10.0.0.1"}}, ""}.Load().ok()));
}

TEST(Config, PrintedValuesCanBeReadBack) {
  const auto printed =
      Given{{"--print-config", "--pack", "a # b", "--kv-bytes", "1536MiB"}, {}, ""}.Load();
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_THAT(*printed->print, HasSubstr("kv-bytes: 1536MiB"));
  EXPECT_THAT(*printed->print, HasSubstr("# flag"));
  const auto again = Given{{}, {}, *printed->print}.Load();
  ASSERT_TRUE(again.ok()) << again.status() << *printed->print;
  EXPECT_EQ(again->config.pack, "a # b");
  EXPECT_EQ(again->config.kv_bytes, uint64_t{1536} << 20);
}

// A terminal obeys control characters, so the page never shows one.
TEST(Config, PrintedValuesAreQuotedWhenTheyHoldControlCharacters) {
  const std::string pack = "a\x1b[2J\nb\t\"c\"";
  const auto printed = Given{{"--print-config", "--pack", pack}, {}, ""}.Load();
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_EQ(printed->print->find('\x1b'), std::string::npos);
  const auto again = Given{{}, {}, *printed->print}.Load();
  ASSERT_TRUE(again.ok()) << again.status() << *printed->print;
  EXPECT_EQ(again->config.pack, pack);
}

TEST(Config, HelpNamesEveryOption) {
  const auto help = Given{{"--help"}}.Load();
  ASSERT_TRUE(help.ok());
  for (const ConfigOption& option : ConfigOptions()) {
    EXPECT_THAT(*help->print, HasSubstr(std::string("--") + option.name));
  }
}

TEST(Config, PageHasTheTable) {
  EXPECT_THAT(ReadDocsPage("configuration.md"), HasSubstr(ConfigOptionsMarkdown()));
}

}  // namespace
}  // namespace longtake
