#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Every kind that the API has, from an option of the real client to what the real server tells of the session.

The options' words are the API's own, so that a kind which one of client and server does not know fails here.
"""
import os
import subprocess
import tempfile
import unittest

from google.protobuf.internal import enum_type_wrapper
from longtake.v1 import longtake_pb2 as v1
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import BIN, Program, connect

# What a chunk sees: the whole first window of 12 latent frames, or with a sink of 3.
WINDOWS = {"KIND_GLOBAL": ":12", "KIND_WINDOW": ":12:3", "KIND_SLOT_WINDOW": ":12:3", "KIND_ROLLING_SINK": ":12"}
# By what an output holds. The client has no option for it.
OUTPUTS = {"MEDIA_KIND_FMP4": "take.mp4", "MEDIA_KIND_RGB24": "take.y4m"}


def kinds(enum, prefix):
    """-> (the API's name, its word, its value) of all but the unspecified one."""
    assert isinstance(enum, enum_type_wrapper.EnumTypeWrapper)
    return [(name, name.removeprefix(prefix).lower(), value) for name, value in enum.items() if value != 0]


class KindsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longtake-kinds-")
        cls.program = Program(cls.folder.name)
        cls.stub = longtake_pb2_grpc.LongtakeServiceStub(connect(cls.program.port))

    @classmethod
    def tearDownClass(cls):
        cls.program.close()
        cls.folder.cleanup()

    def generate(self, *options, out="take.mp4"):
        command = [os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{self.program.port}", "generate", "--quiet",
                   "--keep", "--prompt", "a red circle", "--size", "48x32", "--duration", "1s", *options, "--out",
                   os.path.join(self.folder.name, out)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def told(self, *options, out="take.mp4"):
        """-> the spec that the server tells of a session that the client made. Asked for as it is told, it is the same
        session, as every field of both is."""
        done = self.generate(*options, out=out)
        self.assertEqual(done.returncode, 0, (options, done.stderr))
        session, = self.stub.ListSessions(v1.ListSessionsRequest()).sessions
        again = self.stub.CreateSession(v1.CreateSessionRequest(
            session_id=session.name.removeprefix("sessions/"), spec=session.spec)).session
        self.assertEqual(again.create_time, session.create_time)
        self.stub.DeleteSession(v1.DeleteSessionRequest(name=session.name))
        return session.spec

    def test_key_plans(self):
        for name, word, value in kinds(v1.KeyPlan.Kind, "KIND_"):
            self.assertEqual(self.told("--key-plan", word + WINDOWS[name]).key_plan.kind, value, name)

    def test_prompt_switches(self):
        for name, word, value in kinds(v1.PromptSwitch, "PROMPT_SWITCH_"):
            self.assertEqual(self.told("--prompt-switch", word).prompt_switch, value, name)

    def test_decoders(self):
        for name, word, value in kinds(v1.DecoderKind, "DECODER_KIND_"):
            if name == "DECODER_KIND_TINY":
                refused = self.generate("--decoder", word)
                self.assertIn("spec.decoder: this pack has no tiny decoder", refused.stderr)
            else:
                self.assertEqual(self.told("--decoder", word).decoder, value, name)

    def test_media(self):
        for name, _, value in kinds(v1.MediaKind, "MEDIA_KIND_"):
            self.assertEqual(self.told(out=OUTPUTS[name]).media_kind, value, name)


if __name__ == "__main__":
    unittest.main()
