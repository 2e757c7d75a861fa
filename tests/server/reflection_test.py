#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""With --reflection a client that knows no proto can build everything: every service that is listed with all
its messages, and every message that an error may carry.
"""
import tempfile
import unittest

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool

import reflection_pb2
import reflection_pb2_grpc
from longtaked_program import Program, connect

SERVICES = ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "longtake.v1.LongtakeService"]
ERROR_MESSAGES = ["google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo",
                  "google.rpc.ResourceInfo", "google.protobuf.Any", "google.protobuf.Duration"]


class ReflectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longtake-reflection-")
        cls.program = Program(cls.folder.name, "--reflection")
        cls.channel = connect(cls.program.port)
        cls.stub = reflection_pb2_grpc.ServerReflectionStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.program.close()
        cls.folder.cleanup()

    def setUp(self):
        self.pool = descriptor_pool.DescriptorPool()
        self.files = {}
        self.added = set()

    def ask(self, **question):
        request = reflection_pb2.ServerReflectionRequest(**question)
        (response,) = self.stub.ServerReflectionInfo(iter([request]), timeout=10)
        self.assertFalse(response.HasField("error_response"), f"{question}: {response.error_response.error_message}")
        return response

    def take(self, response):
        """Adds files, those that they import first."""
        answered = [descriptor_pb2.FileDescriptorProto.FromString(data)
                    for data in response.file_descriptor_response.file_descriptor_proto]
        self.files.update((file.name, file) for file in answered)
        for file in answered:
            self.add(file)

    def add(self, file):
        if file.name in self.added:
            return
        self.added.add(file.name)
        for name in file.dependency:
            if name not in self.files:
                self.take(self.ask(file_by_filename=name))
            self.add(self.files[name])
        self.pool.Add(file)

    def test_every_service_that_is_listed_can_be_built(self):
        listed = sorted(service.name for service in self.ask(list_services="").list_services_response.service)
        self.assertEqual(listed, SERVICES)
        for name in listed:
            self.take(self.ask(file_containing_symbol=name))
            service = self.pool.FindServiceByName(name)
            self.assertGreater(len(service.methods), 0)
            for method in service.methods:
                self.take(self.ask(file_containing_symbol=method.input_type.full_name))
                self.take(self.ask(file_containing_symbol=f"{name}.{method.name}"))

    def test_every_message_of_an_error_can_be_built(self):
        for name in ERROR_MESSAGES:
            self.take(self.ask(file_containing_symbol=name))
            self.assertEqual(self.pool.FindMessageTypeByName(name).full_name, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
