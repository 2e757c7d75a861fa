#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A server with a state-dir and one place: a session that nobody reads is parked when another is wanted, whichever call
asks for it, and comes back when it is read again.
"""
import os
import tempfile
import time
import unittest

import grpc

import longtake.v1.longtake_pb2 as v1
import longtake.v1.longtake_pb2_grpc as v1_grpc
from longtaked_program import Program, connect

SPEC = v1.SessionSpec(prompt="a red circle", width=48, height=32, seed=5, media_kind=v1.MEDIA_KIND_RGB24)
IDLE_SECONDS = 1.2  # a session is left alone for a second


class RoomTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longtake-room-")
        self.addCleanup(folder.cleanup)
        program = Program(folder.name, "--state-dir", os.path.join(folder.name, "state"), "--sessions-max", "1",
                          "--outbox-bytes", "200KiB")
        self.addCleanup(program.close)
        channel = connect(program.port)
        self.addCleanup(channel.close)
        self.stub = v1_grpc.LongtakeServiceStub(channel)

    def read(self, first, count):
        """-> digests of so many chunks; then the client is away."""
        call = self.stub.Stream(iter([first]))
        digests = []
        for response in call:
            if response.chunk.last_part:
                digests.append(response.chunk.digest)
                if len(digests) == count:
                    break
        call.cancel()
        return digests

    def create(self, name):
        return self.stub.CreateSession(v1.CreateSessionRequest(session_id=name, spec=SPEC), timeout=20)

    def state(self, name):
        return self.stub.GetSession(v1.GetSessionRequest(name=f"sessions/{name}")).session.state

    def test_an_idle_session_makes_room(self):
        first = self.read(v1.StreamRequest(open=v1.CreateSessionRequest(session_id="one", spec=SPEC)), 3)
        with self.assertRaises(grpc.RpcError) as refused:
            self.create("two")
        self.assertEqual(refused.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, "it was read a moment ago")
        time.sleep(IDLE_SECONDS)
        self.create("two")
        self.assertEqual(self.state("one"), v1.Session.STATE_PARKED)
        time.sleep(IDLE_SECONDS)
        again = v1.StreamRequest(attach=v1.Attach(name="sessions/one", next_chunk=0))
        self.assertEqual(self.read(again, 3), first)
        self.assertEqual(self.state("two"), v1.Session.STATE_PARKED)
        listed = self.stub.ListSessions(v1.ListSessionsRequest()).sessions
        self.assertEqual([session.name for session in listed], ["sessions/one", "sessions/two"])


if __name__ == "__main__":
    unittest.main()
