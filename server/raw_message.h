// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// Messages to and from the bytes that gRPC carries. The calls take bytes, so that what is no
// message gets an answer of ours; gRPC's own says UNIMPLEMENTED, without details, and is not
// counted. Pure functions.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

namespace longtake {

// False when the bytes are no such message. Empties the buffer.
bool ParseMessage(grpc::ByteBuffer* bytes, google::protobuf::MessageLite* message);
grpc::ByteBuffer RenderMessage(const google::protobuf::MessageLite& message);

}  // namespace longtake
