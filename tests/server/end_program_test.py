#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""How longtaked ends: at any time after its first line, in bounded time, and leaving nothing behind."""
import os
import queue
import signal
import subprocess
import tempfile
import time
import unittest

import longtake.v1.longtake_pb2 as v1
import longtake.v1.longtake_pb2_grpc as v1_grpc
from longtaked_program import BIN, Program, connect


class Requests:
    """What a stream's client says, when it is told to."""

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return self

    def __next__(self):
        request = self.queue.get()
        if request is None:
            raise StopIteration
        return request


class EndTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-end-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, *flags):
        program = Program(self.folder.name, *flags)
        self.addCleanup(program.close)
        return program

    def ended(self, program, seconds):
        """-> how long it took."""
        begin = time.monotonic()
        self.assertEqual(program.process.wait(seconds), 0, program.read_log())
        return time.monotonic() - begin

    def open(self, program, *requests):
        """-> responses of a stream whose client said that."""
        channel = connect(program.port)
        self.addCleanup(channel.close)
        said = Requests()
        self.addCleanup(said.queue.put, None)
        for request in requests:
            said.queue.put(request)
        return v1_grpc.LongtakeServiceStub(channel).Stream(said)

    def open_session(self, program):
        spec = v1.SessionSpec(prompt="a red circle", width=48, height=32)
        responses = self.open(program, v1.StreamRequest(open=v1.CreateSessionRequest(spec=spec)))
        self.assertTrue(next(responses).HasField("opened"))
        return responses

    def test_before_it_serves(self):
        self.start().close()  # for the pack
        log = self.path("early-log")
        with open(log, "w", encoding="utf-8") as out:
            process = subprocess.Popen([os.path.join(BIN, "longtaked"), "--pack", self.path("pack"), "--listen",
                                        "127.0.0.1:0", "--kv-bytes", "8GiB"], stderr=out)
        self.addCleanup(process.kill)
        while not os.path.getsize(log):
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(5), 0)
        with open(log, encoding="utf-8") as lines:
            text = lines.read()
        self.assertNotIn(" serving ", text)
        self.assertIn("ended at once", text)

    def test_port_files_name_a_server_that_is_there(self):
        program = self.start()
        files = [self.path("port"), self.path("metrics-port")]
        self.assertTrue(all(os.path.exists(file) for file in files))
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 10)
        self.assertFalse(any(os.path.exists(file) for file in files))
        for file in files:
            with open(file, "w", encoding="ascii") as stale:
                stale.write("1\n")
        refused = subprocess.run([os.path.join(BIN, "longtaked"), "--pack", self.path("none"), "--port-file", files[0],
                                  "--metrics-port-file", files[1]], stderr=subprocess.DEVNULL, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertFalse(any(os.path.exists(file) for file in files), "of the server before it")

    def test_a_port_file_of_a_living_server_stays(self):
        program = self.start()
        files = [self.path("port"), self.path("metrics-port")]
        refused = subprocess.run([os.path.join(BIN, "longtaked"), "--pack", self.path("none"), "--port-file", files[0],
                                  "--metrics-port-file", files[1]], stderr=subprocess.DEVNULL, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertTrue(all(os.path.exists(file) for file in files))
        program.process.kill()
        program.process.wait()
        self.assertTrue(all(os.path.exists(file) for file in files), "nobody could remove them")

    def test_a_stream_that_says_nothing_holds_nobody(self):
        program = self.start("--drain-timeout", "60s")
        self.open(program)
        time.sleep(0.5)  # its headers arrive
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 8)

    def test_an_open_stream_is_waited_for_until_a_second_signal(self):
        program = self.start("--drain-timeout", "60s")
        responses = self.open_session(program)
        program.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        self.assertIsNone(program.process.poll(), "it drains")
        program.process.send_signal(signal.SIGTERM)
        self.ended(program, 8)
        with self.assertRaises(Exception) as error:
            for _ in responses:
                pass
        self.assertIn("shutting down", error.exception.details())
        log = program.read_log()
        self.assertNotIn("session failed", log)
        self.assertIn('"event":"ended"', log)

    def test_a_third_signal_waits_for_nothing(self):
        program = self.start("--drain-timeout", "60s")
        self.open_session(program)
        for _ in range(3):
            program.process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        self.ended(program, 3)


if __name__ == "__main__":
    unittest.main()
