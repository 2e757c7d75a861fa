// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/text/html_entities.h"

#include <algorithm>
#include <vector>

#include "base/utf8.h"

namespace longtake {

namespace {

// Records "name=CODE[+CODE] "; a comma in place of = marks a name known without the semicolon.
constexpr std::string_view kRecords =
#include "engine/text/html_entities.inc"
    ;

HtmlEntity ParseRecord(std::string_view record) {
  HtmlEntity entity;
  const size_t name_bytes = record.find_first_of("=,");
  entity.name = record.substr(0, name_bytes);
  entity.bare = record[name_bytes] == ',';
  int32_t code = 0;
  for (const char c : record.substr(name_bytes + 1)) {
    if (c == '+') {
      AppendUtf8(code, entity.text);
      code = 0;
    } else {
      code = code * 16 + (c <= '9' ? c - '0' : c - 'A' + 10);
    }
  }
  AppendUtf8(code, entity.text);
  return entity;
}

std::vector<HtmlEntity> ParseRecords() {
  std::vector<HtmlEntity> entities;
  std::string_view rest = kRecords;
  while (!rest.empty()) {
    const size_t end = rest.find(' ');
    entities.push_back(ParseRecord(rest.substr(0, end)));
    rest.remove_prefix(end + 1);
  }
  return entities;  // the generator sorts by name
}

}  // namespace

const HtmlEntity* FindHtmlEntity(std::string_view name) {
  static const std::vector<HtmlEntity> entities = ParseRecords();
  const auto at = std::lower_bound(
      entities.begin(), entities.end(), name,
      [](const HtmlEntity& entity, std::string_view key) { return entity.name < key; });
  return at != entities.end() && at->name == name ? &*at : nullptr;
}

}  // namespace longtake
