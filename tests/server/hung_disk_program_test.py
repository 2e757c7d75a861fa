#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The real server, while its session store's disk does not answer: whoever needs nothing of the disk is served, and the
others are once it is back. It has one worker, which a call that waits for the disk must not keep."""
import os
import tempfile
import threading
import unittest

import longtake.v1.longtake_pb2 as v1
import longtake.v1.longtake_pb2_grpc as v1_grpc
from longtaked_program import BIN, Program, connect

SPEC = v1.SessionSpec(prompt="a red circle", width=48, height=32, media_kind=v1.MEDIA_KIND_RGB24)
# Enough to be seen standing still, and far less than a call waits for the disk.
CALLS = 8


class HungDiskTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longtake-hung-disk-")
        self.addCleanup(folder.cleanup)
        state = os.path.join(folder.name, "state")
        self.hang = os.path.join(folder.name, "hang")
        self.program = Program(
            folder.name, "--state-dir", state, "--threads", "1", "--outbox-bytes", "300KiB",
            through=["env", f"LD_PRELOAD={os.path.join(BIN, 'longtake_kill_at_call.so')}", f"LONGTAKE_KILL_IN={state}",
                     f"LONGTAKE_HANG_WHILE={self.hang}"])
        self.addCleanup(self.program.close)
        channel = connect(self.program.port)
        self.addCleanup(channel.close)
        self.stub = v1_grpc.LongtakeServiceStub(channel)

    def attach(self, name, chunks=1, **where):
        """-> so many chunks' numbers."""
        call = self.stub.Stream(iter([v1.StreamRequest(attach=v1.Attach(name=f"sessions/{name}", **where))]))
        seen = []
        for response in call:
            if response.HasField("chunk") and response.chunk.last_part:
                seen.append(response.chunk.index)
            if len(seen) == chunks:
                break
        call.cancel()
        return seen

    def test_who_needs_no_disk_is_served(self):
        for name in ("parked", "living"):
            self.stub.CreateSession(v1.CreateSessionRequest(session_id=name, spec=SPEC))
            self.assertEqual(self.attach(name, next_chunk=0), [0])
        self.stub.ParkSession(v1.ParkSessionRequest(name="sessions/parked"))
        living = v1.GetSessionRequest(name="sessions/living")
        while self.stub.GetSession(living).session.state != v1.Session.STATE_BLOCKED:
            pass  # until its outbox holds what can be read without the disk
        with open(self.hang, "w", encoding="ascii"):
            pass
        waiting = [self.stub.CreateSession.future(v1.CreateSessionRequest(session_id=f"new{i}", spec=SPEC))
                   for i in range(CALLS)]
        woken = []
        reader = threading.Thread(target=lambda: woken.extend(self.attach("parked")))
        reader.start()
        estimate = v1.EstimateSessionRequest(spec=SPEC)
        for _ in range(CALLS):
            self.assertEqual(self.stub.GetSession(living, timeout=20).session.name, living.name)
            self.assertTrue(self.stub.EstimateSession(estimate, timeout=20).estimate.kv_bytes)
        self.assertEqual(self.attach("living", chunks=2, next_chunk=1), [1, 2])
        self.assertFalse(any(call.done() for call in waiting))
        self.assertTrue(reader.is_alive())
        os.remove(self.hang)
        for call in waiting:
            self.assertTrue(call.result().session.durable)
        reader.join()
        self.assertEqual(len(woken), 1)


if __name__ == "__main__":
    unittest.main()
