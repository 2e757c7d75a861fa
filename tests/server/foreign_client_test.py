#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A client in another language, made from the proto alone, against the real longtaked.

Opens a stream, writes what comes as an MP4 that ffprobe must accept, follows the chain of digests,
asks health and metrics, and ends the program with SIGTERM.
"""
import ctypes
import json
import os
import queue
import signal
import subprocess
import tempfile
import time
import unittest

import grpc

from google.rpc import error_details_pb2
from google.rpc import status_pb2
from longtake.v1 import longtake_pb2
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import Program, connect

FRAMES = 45
FPS = 16
SERVING = 1
NOT_SERVING = 2


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def load_xxh3():
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_128bits.restype = Hash128
    library.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

    def xxh3(data):
        digest = library.XXH3_128bits(data, len(data))
        return digest.high.to_bytes(8, "big") + digest.low.to_bytes(8, "big")

    return xxh3


xxh3 = load_xxh3()


def reason(error):
    """The ErrorInfo of a failed call: (reason, domain)."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            assert status.code == error.code().value[0]
            info = error_details_pb2.ErrorInfo()
            for detail in status.details:
                if detail.Unpack(info):
                    return info.reason, info.domain
    return None


def ffprobe(path):
    out = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format",
         "-of", "json", path], check=True, capture_output=True, text=True)
    assert out.stderr == "", out.stderr
    return json.loads(out.stdout)


class ForeignClientTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longtake-foreign-")
        cls.program = Program(cls.folder.name, "--drain-timeout", "500ms")
        cls.channel = connect(cls.program.port)
        cls.stub = longtake_pb2_grpc.LongtakeServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.program.close()
        cls.folder.cleanup()

    def spec(self, **fields):
        return longtake_pb2.SessionSpec(
            prompt="a green square moving left", seed=3, width=48, height=32, fps=FPS, **fields)

    def health(self, service):
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        name = service.encode()
        answer = check(b"\x0a" + bytes([len(name)]) + name if name else b"", timeout=10)
        return answer[1] if answer else 0  # field 1, varint

    def take(self, spec):
        """Opens a stream and gives (opened, whole chunks as (last part, data))."""
        request = longtake_pb2.StreamRequest(
            open=longtake_pb2.CreateSessionRequest(spec=spec))
        opened, ended, chunks, data = None, False, [], b""
        for response in self.stub.Stream(iter([request]), timeout=60):
            kind = response.WhichOneof("message")
            if kind == "opened":
                opened = response.opened
            elif kind == "ended":
                ended = True
            elif kind == "chunk":
                self.assertFalse(ended)
                self.assertLessEqual(len(response.chunk.data), 1 << 20)
                self.assertEqual(response.chunk.data_offset, len(data))
                data += response.chunk.data
                if response.chunk.last_part:
                    chunks.append((response.chunk, data))
                    data = b""
        self.assertTrue(ended)
        return opened, chunks

    def follow_chain(self, chunks):
        chain, first_frame = bytes(16), 0
        for index, (chunk, _) in enumerate(chunks):
            self.assertEqual(chunk.index, index)
            self.assertEqual(chunk.first_frame, first_frame)
            self.assertEqual(chunk.presentation_time.ToNanoseconds(),
                             first_frame * 1_000_000_000 // FPS)
            chain = xxh3(chain + chunk.digest)
            self.assertEqual(chunk.chain_digest, chain)
            first_frame += chunk.frame_count
        self.assertEqual(first_frame, FRAMES)
        return chain

    def test_1_health(self):
        for service in ["", "longtake.v1.LongtakeService", "readiness", "liveness"]:
            self.assertEqual(self.health(service), SERVING, service)
        with self.assertRaises(grpc.RpcError) as error:
            self.health("nobody")
        self.assertEqual(error.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_2_mp4_plays_and_digests_are_those_of_the_pixels(self):
        opened, chunks = self.take(self.spec(frame_count=FRAMES))
        path = os.path.join(self.folder.name, "take.mp4")
        with open(path, "wb") as file:
            file.write(opened.init_segment)
            for _, data in chunks:
                file.write(data)
        probe = ffprobe(path)
        stream = probe["streams"][0]
        self.assertEqual(stream["codec_name"], "h264")
        self.assertEqual((stream["width"], stream["height"]), (48, 32))
        self.assertEqual(int(stream["nb_read_frames"]), FRAMES)
        self.assertAlmostEqual(float(probe["format"]["duration"]), FRAMES / FPS, delta=0.01)
        chain = self.follow_chain(chunks)

        # The same session as raw frames has the same digests, and they are those of the bytes.
        _, raw = self.take(self.spec(
            frame_count=FRAMES, media_kind=longtake_pb2.MEDIA_KIND_RGB24))
        for chunk, data in raw:
            self.assertEqual(len(data), chunk.frame_count * 48 * 32 * 3)
            self.assertEqual(chunk.digest, xxh3(data))
        self.assertEqual(self.follow_chain(raw), chain)

    def test_3_duration_is_frames(self):
        spec = self.spec()
        spec.duration.FromMilliseconds(1500)
        session = self.stub.CreateSession(
            longtake_pb2.CreateSessionRequest(spec=spec, session_id="short")).session
        self.assertEqual(session.spec.frame_count, 24)
        self.assertEqual(session.name, "sessions/short")
        self.stub.DeleteSession(longtake_pb2.DeleteSessionRequest(name=session.name))

    def test_4_controls_and_receipts(self):
        requests = queue.Queue()
        requests.put(longtake_pb2.StreamRequest(
            open=longtake_pb2.CreateSessionRequest(spec=self.spec())))
        call = self.stub.Stream(iter(requests.get, None), timeout=60)
        receipts = []
        for response in call:
            kind = response.WhichOneof("message")
            if kind == "opened":
                requests.put(longtake_pb2.StreamRequest(control=longtake_pb2.Control(
                    id=1, prompt="a blue circle going up")))
                requests.put(longtake_pb2.StreamRequest(control=longtake_pb2.Control(
                    id=2, end=longtake_pb2.Control.End())))
            if kind == "receipt":
                receipts.append((response.receipt.control_id,
                                 response.receipt.HasField("applied_chunk")))
        requests.put(None)
        self.assertEqual(sorted(receipts), [(1, False), (1, True), (2, False), (2, True)])
        self.assertLess(receipts.index((1, False)), receipts.index((1, True)))
        self.assertLess(receipts.index((1, True)), receipts.index((2, True)))

    def test_5_errors_have_details(self):
        with self.assertRaises(grpc.RpcError) as error:
            self.stub.GetSession(longtake_pb2.GetSessionRequest(name="sessions/nobody"))
        self.assertEqual(error.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(reason(error.exception), ("SESSION_NOT_FOUND", "longtake"))

    def test_6_metrics(self):
        page = self.program.metrics_page()
        self.assertIn("# TYPE longtake_frames_delivered_total counter", page)
        self.assertIn('longtake_rpcs_total{code="OK",method="Stream"}', page)

    def test_7_reflection_is_off(self):
        call = self.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        with self.assertRaises(grpc.RpcError) as error:
            list(call(iter([b""]), timeout=10))
        self.assertEqual(error.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_8_sigterm_drains_and_exits_0(self):
        request = longtake_pb2.StreamRequest(
            open=longtake_pb2.CreateSessionRequest(spec=self.spec()))
        call = self.stub.Stream(iter([request]), timeout=60)
        self.assertTrue(next(call).HasField("opened"))
        self.program.process.send_signal(signal.SIGTERM)
        for _ in range(100):
            if self.health("readiness") == NOT_SERVING:
                break
            time.sleep(0.002)
        self.assertEqual(self.health("readiness"), NOT_SERVING)
        self.assertEqual(self.health("liveness"), SERVING, "a drain is no reason to be killed")
        with self.assertRaises(grpc.RpcError) as error:
            for _ in call:
                pass
        self.assertEqual(error.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(reason(error.exception), ("SHUTTING_DOWN", "longtake"))
        self.assertEqual(self.program.process.wait(timeout=30), 0)
        for line in self.program.read_log().splitlines():
            self.assertIn("event", json.loads(line))


if __name__ == "__main__":
    unittest.main(verbosity=2)
