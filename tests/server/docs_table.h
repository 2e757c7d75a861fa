// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Tables of a page in docs/, so that tests can hold them against the code.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace longtake {

inline std::string ReadDocsPage(const std::string& name) {
  const char* source = std::getenv("LONGTAKE_SOURCE_DIR");
  EXPECT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/docs/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Cells of every table row whose first cell is `code`, without blanks and back quotes.
inline std::vector<std::vector<std::string>> DocsRows(const std::string& page) {
  const auto trim = [](std::string cell) {
    const size_t begin = cell.find_first_not_of(" `");
    if (begin == std::string::npos) return std::string();
    return cell.substr(begin, cell.find_last_not_of(" `") - begin + 1);
  };
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(ReadDocsPage(page));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) cells.push_back(trim(cell));
    rows.push_back(cells);
  }
  return rows;
}

}  // namespace longtake
