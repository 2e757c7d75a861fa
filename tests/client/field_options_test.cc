// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/field_options.h"

#include <gtest/gtest.h>

#include "longtake/v1/longtake.pb.h"

namespace longtake {
namespace {

TEST(FieldOptions, OfWhateverPathTheFieldHas) {
  EXPECT_EQ(OptionOfField("spec.steps"), "--steps");
  EXPECT_EQ(OptionOfField("open.spec.key_plan.window_frames"), "--key-plan");
  EXPECT_EQ(OptionOfField("open.spec.prompt_changes[3].prompt"), "--prompt-at");
  EXPECT_EQ(OptionOfField("attach.next_chunk"), "--from-chunk");
  for (const char* none : {"", "request", "open.session_id", "attach.name", "start.data", "step"}) {
    EXPECT_EQ(OptionOfField(none), "") << none;
  }
}

// The client asks for the server's only model.
TEST(FieldOptions, EveryFieldOfASpecHasOneButTheModel) {
  const google::protobuf::Descriptor* spec = v1::SessionSpec::descriptor();
  for (int i = 0; i < spec->field_count(); ++i) {
    const std::string name = spec->field(i)->name();
    EXPECT_EQ(OptionOfField("spec." + name).empty(), name == "model") << name;
  }
}

}  // namespace
}  // namespace longtake
