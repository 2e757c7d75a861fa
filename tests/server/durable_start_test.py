#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Frames that a take begins with are uploaded to the real server, which is killed with SIGKILL meanwhile: what it told
to have (start_bytes) is there, and need not be sent again.
"""
import contextlib
import glob
import os
import random
import sqlite3
import tempfile
import time
import unittest

import longtake.v1.longtake_pb2 as v1
import longtake.v1.longtake_pb2_grpc as v1_grpc
from longtaked_program import Program, ProgramDied, connect

FRAMES = random.Random(7).randbytes(9 * 48 * 32 * 3)
PART = 500
NAME = v1.GetSessionRequest(name="sessions/one")
SPEC = v1.SessionSpec(prompt="a red circle", width=48, height=32, frame_count=33, start_frame_count=9,
                      media_kind=v1.MEDIA_KIND_RGB24)


class DurableStartTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-durable-start-")
        self.addCleanup(self.folder.cleanup)
        self.program = None

    def begin(self):
        """The next server. -> a stub"""
        if self.program is not None:
            self.program.process.kill()
            self.program.close()
        self.program = Program(self.folder.name, "--state-dir", os.path.join(self.folder.name, "state"))
        self.addCleanup(self.program.close)
        channel = connect(self.program.port)
        self.addCleanup(channel.close)
        return v1_grpc.LongtakeServiceStub(channel)

    def stream(self, stub, first, begin, end=len(FRAMES)):
        """-> the call; it sends the frames' bytes from begin to end, and then no more for a while."""
        def requests():
            yield first
            for at in range(begin, end, PART):
                yield v1.StreamRequest(start=v1.StartPart(data_offset=at, data=FRAMES[at:min(at + PART, end)]))
            time.sleep(60 if end < len(FRAMES) else 0)
        return stub.Stream(requests())

    @staticmethod
    def digests(call):
        return [response.chunk.digest for response in call if response.chunk.last_part]

    def wait_for_bytes(self, stub, count):
        for _ in range(2000):
            there = stub.GetSession(NAME).session.start_bytes
            if there >= count:
                return there
            time.sleep(0.005)
        raise AssertionError(f"{there} bytes came, not {count}")

    def test_what_arrived_is_there_after_a_kill(self):
        stub = self.begin()
        straight = self.digests(self.stream(
            stub, v1.StreamRequest(open=v1.CreateSessionRequest(session_id="straight", spec=SPEC)), 0))
        self.assertEqual(len(straight), 3)
        stub.CreateSession(v1.CreateSessionRequest(session_id="one", spec=SPEC))
        attach = v1.StreamRequest(attach=v1.Attach(name="sessions/one", next_chunk=0))
        told = 0
        for stop in (10_000, 10_100, 25_000, len(FRAMES)):
            call = self.stream(stub, attach, told, stop)
            told = self.wait_for_bytes(stub, min(stop, told + 8_000))
            call.cancel()
            stub = self.begin()
            there = stub.GetSession(NAME).session.start_bytes
            self.assertGreaterEqual(there, told)
            told = there
        # All of it came before, or comes now; its client is a new one, and knows only what it is told.
        call = self.stream(stub, attach, told)
        self.assertEqual(next(call).opened.session.start_bytes, told)
        self.assertEqual(self.digests(call), straight)

    def test_a_client_that_is_done_sending_may_go(self):
        stub = self.begin()
        stub.CreateSession(v1.CreateSessionRequest(session_id="one", spec=SPEC))
        attach = v1.StreamRequest(attach=v1.Attach(name="sessions/one", next_chunk=0))
        call = self.stream(stub, attach, 0)
        self.wait_for_bytes(stub, len(FRAMES))
        call.cancel()
        stub = self.begin()
        self.assertEqual(len(self.digests(stub.Stream(iter([attach])))), 3)

    def test_a_store_that_cannot_be_read_is_refused_with_what_to_do(self):
        stub = self.begin()
        stub.CreateSession(v1.CreateSessionRequest(session_id="one", spec=SPEC))
        self.program.process.terminate()
        self.program.process.wait()
        path, = glob.glob(os.path.join(self.folder.name, "state", "*.db"))
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            root, = database.execute("SELECT rootpage FROM sqlite_master WHERE name='sessions'").fetchone()
            page_bytes, = database.execute("PRAGMA page_size").fetchone()
        with open(path, "r+b") as file:
            file.seek((root - 1) * page_bytes)
            file.write(b"\xff")
        with self.assertRaises(ProgramDied) as died:
            self.begin()
        said = str(died.exception)
        self.assertIn(f"state-dir: {path}: damaged: ", said)
        self.assertIn("put back a copy of the directory", said)
        self.assertNotIn("SELECT", said)


if __name__ == "__main__":
    unittest.main()
