// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// What the bytes 0x80 to 0x9F mean in Windows-1252. HTML and the usual prompt cleaning read the C1
// control characters of Unicode that way. Thread rule: pure function, any thread.
#pragma once

#include <cstdint>

namespace longtake {

// The character a C1 control stands for; itself for the five bytes without one and for any other
// code.
inline int32_t FromWindows1252(int32_t code) {
  constexpr uint16_t kTable[32] = {0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                   0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
                                   0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                   0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};
  return code >= 0x80 && code <= 0x9F ? kTable[code - 0x80] : code;
}

}  // namespace longtake
