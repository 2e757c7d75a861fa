// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/raw_message.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include "base/status_macros.h"

namespace longtake {

using google::protobuf::MessageLite;

bool ParseMessage(grpc::ByteBuffer* bytes, MessageLite* message) {
  return grpc::GenericDeserialize<grpc::ProtoBufferReader, MessageLite>(bytes, message).ok();
}

grpc::ByteBuffer RenderMessage(const MessageLite& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  LT_CHECK(
      (grpc::GenericSerialize<grpc::ProtoBufferWriter, MessageLite>(message, &bytes, &own_buffer)
           .ok()));
  return bytes;
}

}  // namespace longtake
