#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What longtaked does when its log cannot be written: the reader of the pipe stands still or is gone, the disk is full,
there is no stderr. It serves, streams and ends all the same.
"""
import fcntl
import os
import signal
import subprocess
import tempfile
import unittest

import grpc

from longtake.v1 import longtake_pb2
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import BIN, Program, connect

STREAMS = 600
# Of the stuck process, which ends within seconds or not at all.
END_SECONDS = 30


class LogTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longtake-log-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *flags, stderr=None):
        program = Program(self.folder, *flags, stderr=stderr)
        self.addCleanup(program.close)
        self.channel = connect(program.port)
        self.addCleanup(self.channel.close)
        self.stub = longtake_pb2_grpc.LongtakeServiceStub(self.channel)
        return program

    def stream_a_take(self):
        first = longtake_pb2.StreamRequest()
        spec = first.open.spec
        spec.prompt, spec.width, spec.height, spec.frame_count = "a red circle", 48, 32, 9
        spec.media_kind = longtake_pb2.MEDIA_KIND_RGB24
        messages = list(self.stub.Stream(iter([first]), timeout=60))
        self.assertTrue(messages[-1].HasField("ended"))

    def refuse_streams(self, count):
        """Each is a line in the log."""
        for _ in range(count):
            first = longtake_pb2.StreamRequest()
            first.attach.name = "sessions/none"
            with self.assertRaises(grpc.RpcError) as refused:
                list(self.stub.Stream(iter([first]), timeout=20))
            self.assertEqual(refused.exception.code(), grpc.StatusCode.NOT_FOUND)

    def dropped(self, program):
        lines = program.metrics_page().splitlines()
        return {line.split('"')[1]: float(line.split()[-1]) for line in lines
                if line.startswith("longtake_log_lines_dropped_total{")}

    def end(self, program):
        self.channel.close()  # or the server waits for it
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.process.wait(END_SECONDS), 0)

    def test_a_reader_that_stops_stops_nothing(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        program = self.start(stderr=writer)
        self.fill(writer)
        for _ in range(STREAMS):  # half-closed before a first message
            with self.assertRaises(grpc.RpcError) as refused:
                list(self.stub.Stream(iter([]), timeout=20))
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.refuse_streams(STREAMS)
        self.stub.ListModels(longtake_pb2.ListModelsRequest(), timeout=20)
        self.stream_a_take()
        self.assertGreater(self.dropped(program)["rate"], 0)
        self.end(program)

    def fill(self, pipe):
        """Until a write to this pipe has to wait."""
        own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
        for size in (4096, 1):
            try:
                while True:
                    os.write(own, b"x" * size)
            except BlockingIOError:
                pass
        os.close(own)

    def test_a_reader_that_is_gone_stops_nothing(self):
        reader, writer = os.pipe()
        program = self.start(stderr=writer)
        os.close(writer)
        os.close(reader)
        self.refuse_streams(3)
        self.stream_a_take()
        self.end(program)

    def test_a_full_disk_stops_nothing(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            program = self.start(stderr=full)
        self.stream_a_take()
        self.end(program)

    def test_without_stderr_no_line_goes_into_another_file(self):
        trace = os.path.join(self.folder, "trace.json")
        program = self.start("--trace", trace, stderr="closed")
        self.assertEqual(os.readlink(f"/proc/{program.process.pid}/fd/2"), "/dev/null")
        self.stream_a_take()
        self.end(program)
        with open(trace, encoding="utf-8") as file:
            self.assertNotIn("stream opened", file.read())

    def test_many_lines_of_one_event_become_one(self):
        program = self.start()
        self.refuse_streams(STREAMS)
        left_out = self.dropped(program)
        self.end(program)
        log = program.read_log()
        told = log.count('"event":"stream closed"')
        self.assertEqual(told + left_out["rate"], STREAMS)
        self.assertEqual(left_out["queue"], 0)
        self.assertIn('"of":"stream closed","more":', log)
        self.assertIn('"event":"ended"', log, "the last line is written")

    def test_an_unread_configuration_can_be_interrupted(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        process = subprocess.Popen([os.path.join(BIN, "longtaked"), "--pack", "x" * 50_000, "--print-config"],
                                   stdout=writer)
        self.addCleanup(process.kill)
        os.close(writer)
        self.assertEqual(len(os.read(reader, 1)), 1)  # it writes, and the pipe does not take all of it
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(END_SECONDS), -signal.SIGTERM)

    def test_a_configuration_that_is_not_written_is_an_error(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([os.path.join(BIN, "longtaked"), "--pack", "none", "--print-config"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)


if __name__ == "__main__":
    unittest.main()
