// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Sessions, models and estimates in words.
#pragma once

#include <string>

#include "longtake/v1/longtake.pb.h"

namespace longtake {

std::string DescribeSessionLine(const v1::Session& session);  // one row of list
std::string SessionLineHeader();
std::string DescribeSession(const v1::Session& session);
std::string DescribeModel(const v1::Model& model);
std::string DescribeEstimate(const v1::SessionEstimate& estimate);

}  // namespace longtake
