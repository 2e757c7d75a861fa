// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions, models and estimates in words. Everything in them is the server's, or some other
// client's: none of it reaches the terminal but as text of its line (base/printable_text.h). Pure
// functions.
#pragma once

#include <cstddef>
#include <string>

#include "longtake/v1/longtake.pb.h"

namespace longtake {

// One row of list, cut to columns_max.
std::string DescribeSessionLine(const v1::Session& session, size_t columns_max);
std::string SessionLineHeader();
std::string DescribeSession(const v1::Session& session);
// dry_run: it was not done.
std::string DescribeRewind(const v1::RewindSessionResponse& response, bool dry_run);
std::string DescribeModel(const v1::Model& model);
std::string DescribeEstimate(const v1::SessionEstimate& estimate);
// What its memory is for, largest first.
std::string DescribeMemory(const v1::SessionEstimate& estimate);

}  // namespace longtake
