#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Calls that no gRPC client makes: bytes that are no message, messages that never end, more than there is room for.
Each gets an answer with its details or costs its own connection, and others are served."""
import re
import struct
import tempfile
import time
import unittest
import zlib

from longtake.v1 import longtake_pb2 as v1
from longtake.v1 import longtake_pb2_grpc as v1_grpc
from longtaked_program import Program, connect
from raw_http2 import (CONTINUATION, END_HEADERS, HEADERS, INITIAL_WINDOW_SIZE, RST_STREAM, Connection, call_headers,
                       frame, literal, message)

UNARY = ["CreateSession", "EstimateSession", "GetSession", "ListSessions", "DeleteSession", "ListModels", "GetModel"]
NAMING = UNARY[2:]
METHODS = [*UNARY, "Stream"]
GARBAGE = b"\x0a\xff\xff\xff\xff\x07no message"
FIRST_MESSAGE_SECONDS = 10  # docs/limits.md
ANSWER_SECONDS = 10
LAST_WRITE_SECONDS = 5
MIB = 1 << 20


class CallsTest(unittest.TestCase):
    FLAGS = []

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="longtake-bad-calls-")
        cls.addClassCleanup(folder.cleanup)
        cls.program = Program(folder.name, *cls.FLAGS)
        cls.addClassCleanup(cls.program.close)

    def connection(self, **options):
        out = Connection(self.program.port, **options)
        self.addCleanup(out.close)
        return out

    def counted(self, method, code):
        found = re.search(rf'longtake_rpcs_total{{code="{code}",method="{method}"}} (\d+)', self.program.metrics_page())
        return int(found[1]) if found else 0

    def resident_mib(self):
        with open(f"/proc/{self.program.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096 / MIB

    def assert_served(self, seconds=20):
        with connect(self.program.port) as channel:
            models = v1_grpc.LongtakeServiceStub(channel).ListModels(v1.ListModelsRequest(), timeout=seconds)
        self.assertEqual(len(models.models), 1)

    def assert_ends(self, trailers, code, *texts):
        self.assertIsNotNone(trailers, "the call goes on")
        self.assertIn(b"grpc-status" + bytes((len(str(code)),)) + str(code).encode(), trailers)
        for text in texts:
            self.assertIn(text, trailers)


class BadCallsTest(CallsTest):
    def test_bytes_that_are_no_message_are_an_invalid_request(self):
        for method in METHODS:
            with self.subTest(method):
                before = self.counted(method, "INVALID_ARGUMENT")
                connection = self.connection()
                connection.send_headers(1, call_headers(method))
                connection.send_data(1, message(GARBAGE), end=True)
                self.assert_ends(connection.trailers(1), 3, b"grpc-status-details-bin", b"request")
                self.assertEqual(self.counted(method, "INVALID_ARGUMENT"), before + 1)

    def test_so_is_no_message_at_all(self):
        for method in METHODS:
            with self.subTest(method):
                connection = self.connection()
                connection.send_headers(1, call_headers(method), end=True)
                self.assert_ends(connection.trailers(1), 3, b"grpc-status-details-bin")

    def test_a_client_that_leaves_without_a_request_asked_nothing_wrong(self):
        calls = 50
        for method in METHODS:
            with self.subTest(method):
                before = {code: self.counted(method, code) for code in ("CANCELLED", "INVALID_ARGUMENT")}
                connection = self.connection()
                for stream in range(1, 2 * calls, 2):
                    connection.send_headers(stream, call_headers(method))
                    connection.send(frame(RST_STREAM, 0, stream, b"\0\0\0\x08"))
                end = time.monotonic() + 10
                while self.counted(method, "CANCELLED") < before["CANCELLED"] + calls and time.monotonic() < end:
                    time.sleep(0.05)
                self.assertEqual(self.counted(method, "CANCELLED"), before["CANCELLED"] + calls)
                self.assertEqual(self.counted(method, "INVALID_ARGUMENT"), before["INVALID_ARGUMENT"])

    def test_a_request_that_only_names_something_is_short(self):
        for method in NAMING:
            with self.subTest(method):
                connection = self.connection()
                connection.send_headers(1, call_headers(method))
                connection.send_data(1, message(b"\x0a\x80\x28" + b"x" * 5120), end=True)
                self.assert_ends(connection.trailers(1), 3, b"grpc-status-details-bin", b"4096")

    def test_a_request_has_its_time(self):
        """None, a prefix, and most of a message: for each method, at once."""
        connections = []
        begin = time.monotonic()
        for method in METHODS:
            for sent in (b"", b"\0\0\0", message(b"x" * 100, length=200)):
                connection = self.connection()
                connection.send_headers(1, call_headers(method))
                connection.send_data(1, sent)
                connections.append((method, sent, connection))
        for method, sent, connection in connections:
            with self.subTest(method, sent=len(sent)):
                self.assert_ends(connection.trailers(1, 2 * FIRST_MESSAGE_SECONDS), 4, b"grpc-status-details-bin",
                                 b"within 10 s")
        self.assertGreater(time.monotonic() - begin, FIRST_MESSAGE_SECONDS - 1)

    def test_a_byte_now_and_then_does_not_help(self):
        connection = self.connection()
        connection.send_headers(1, call_headers("GetSession"))
        connection.send_data(1, message(b"", length=4000))
        end = None
        for _ in range(3 * FIRST_MESSAGE_SECONDS):
            connection.send_data(1, b"x")
            end = connection.trailers(1, 0.5)
            if end is not None:
                break
        self.assert_ends(end, 4)

    def test_an_answer_that_is_not_taken_is_given_up(self):
        no_window = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
        connection = self.connection(settings=no_window)
        connection.send_headers(1, call_headers("ListModels"))
        connection.send_data(1, message(b""), end=True)
        begin = time.monotonic()
        self.assertIsNotNone(connection.trailers(1, 3 * ANSWER_SECONDS), "the call goes on")
        self.assertGreater(time.monotonic() - begin, ANSWER_SECONDS - 1)

    def test_a_stream_that_ends_while_its_client_takes_nothing_is_ended(self):
        no_window = struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)
        spec = v1.SessionSpec(prompt="x", width=48, height=32)
        opening = v1.StreamRequest(open=v1.CreateSessionRequest(spec=spec)).SerializeToString()
        connection = self.connection(settings=no_window)
        connection.send_headers(1, call_headers("Stream"))
        connection.send_data(1, message(opening))
        time.sleep(0.5)
        connection.send_data(1, message(GARBAGE))
        self.assertIsNotNone(connection.trailers(1, 4 * LAST_WRITE_SECONDS), "the call goes on")

    def test_a_packed_message_is_not_let_grow(self):
        """128 MiB of zeros, which gzip makes 128 KiB of."""
        before = self.resident_mib()
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        packed = packer.compress(b"\0" * (128 * MIB)) + packer.flush()
        for method in ("CreateSession", "Stream"):
            connection = self.connection()
            connection.send_headers(1, call_headers(method, ("grpc-encoding", "gzip")))
            data = message(packed, compressed=1)
            for at in range(0, len(data), 16384):
                connection.send_data(1, data[at:at + 16384])
            self.assertIsNotNone(connection.trailers(1, 15), "the call goes on")
        self.assertLess(self.resident_mib() - before, 64)
        self.assert_served()


class WasteTest(CallsTest):
    """With connection-waste-bytes: connections that cost more than they send are cut before they have cost much."""
    FLAGS = ["--connection-waste-bytes", "2MiB"]

    def cuts(self):
        return float(re.search(r"longtake_connections_cut_total (\d+)", self.program.metrics_page())[1])

    def cut(self, block, seconds=60):
        """Sends the block until somebody cuts it."""
        connection = self.connection(timeout=1)
        cuts, looked = self.cuts(), time.monotonic()
        end = time.monotonic() + seconds
        for data in block(connection):
            if not connection.send(data):
                break
            if time.monotonic() >= looked + 0.5:
                # A client that does not read may not see that it was cut.
                if self.cuts() > cuts:
                    break
                looked = time.monotonic()
            self.assertLess(time.monotonic(), end, "nobody cut it")

    def test_headers_without_end(self):
        def block(_):
            yield frame(HEADERS, 0, 1, call_headers("Stream"))
            while True:
                yield frame(CONTINUATION, 0, 1, literal("x-a", "b" * 16000))

        self.cut(block)
        self.assert_served()

    def test_calls_that_are_reset_as_they_begin(self):
        def block(_):
            headers = call_headers("Stream")
            for stream in range(1, 1 << 31, 2):
                yield frame(HEADERS, END_HEADERS, stream, headers) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")

        self.cut(block)
        self.assert_served()

    def test_an_honest_client_is_not_cut(self):
        """Many calls and a stream with uploads on one connection."""
        frames = 321
        side = 256
        cut = self.cuts()
        with connect(self.program.port) as channel:
            stub = v1_grpc.LongtakeServiceStub(channel)
            for _ in range(3000):
                stub.ListModels(v1.ListModelsRequest(), timeout=20)

            def requests():
                spec = v1.SessionSpec(prompt="x", width=side, height=side, start_frame_count=frames)
                yield v1.StreamRequest(open=v1.CreateSessionRequest(spec=spec))
                total = frames * side * side * 3
                for at in range(0, total - 1, 1 << 19):
                    part = b"x" * min(1 << 19, total - 1 - at)
                    yield v1.StreamRequest(start=v1.StartPart(data_offset=at, data=part))
                yield v1.StreamRequest(control=v1.Control(id=1, end={}))

            responses = stub.Stream(requests(), timeout=60)
            self.assertTrue(next(responses).HasField("opened"))
            self.assertTrue(next(responses).HasField("receipt"), "it got through to the last message")
            responses.cancel()
        self.assertEqual(self.cuts(), cut)


if __name__ == "__main__":
    unittest.main()
