// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Errors of the server name fields of the API; whoever types commands knows options. Pure function.
#pragma once

#include <string>

namespace longtake {

// The option that sets the field of a BadRequest ("open.spec.key_plan.kind"): "--key-plan". Empty
// for fields that no option sets.
std::string OptionOfField(const std::string& field);

}  // namespace longtake
