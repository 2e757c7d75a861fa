#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The real client against a server that is out for its terminal, answers with what no client knows
yet, or does not answer at all.
"""
import concurrent.futures
import http.server
import os
import re
import signal
import subprocess
import tempfile
import threading
import unittest

import grpc

from google.rpc import error_details_pb2
from google.rpc import status_pb2
from longtake.v1 import longtake_pb2
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import BIN

# Title, cursor, a forged row, C1, DEL, the controls of bidirectional text, line separators.
EVIL = ("\x1b]0;owned\x07\x1b[2J\rforged\nsessions/forged running\t\x7f\u0085\u009b2J"
        "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029end")
CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
                      "\u2028\u2029]")

# Of a first chunk whose digest is zeros: XXH3-128 of 32 zero bytes.
CHAIN_OF_ZEROS = bytes.fromhex("9a026d96b3c0f0fca057271c9071c99d")


def session(**fields):
    spec = longtake_pb2.SessionSpec(prompt=EVIL, width=48, height=32, fps=16, media_kind=1,
                                    numerics_profile=EVIL)
    return longtake_pb2.Session(name="sessions/" + EVIL, spec=spec, failure_message=EVIL,
                                model_digest=EVIL, numerics_profile=EVIL, numerics_differ=True,
                                **fields)


def refuse(context):
    """Ends the call with an error whose message and details are hostile."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=EVIL, description="x" + EVIL)
    details = status_pb2.Status(code=3, message=EVIL)
    details.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    context.set_trailing_metadata([("grpc-status-details-bin", details.SerializeToString())])
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, EVIL)


class Liar(longtake_pb2_grpc.LongtakeServiceServicer):
    """By the prompt of a take: refuse, hang, or send a take of one chunk."""

    def __init__(self):
        self.over = threading.Event()
        self.hung = threading.Event()

    def ListSessions(self, request, context):
        long = session()
        long.spec.prompt = "a long prompt " * 100
        damaged = longtake_pb2.Session(name="sessions/hurt", damage="its own row is damaged")
        return longtake_pb2.ListSessionsResponse(sessions=[session(state=99), long, damaged])

    def GetSession(self, request, context):
        if request.name == "sessions/refused":
            refuse(context)
        return longtake_pb2.GetSessionResponse(session=session(
            state=99, expire_time={"seconds": 2**62}, create_time={"nanos": -5}))

    def DeleteSession(self, request, context):
        self.over.wait(60)  # longer than anybody should wait
        return longtake_pb2.DeleteSessionResponse()

    def ListModels(self, request, context):
        return longtake_pb2.ListModelsResponse(models=[longtake_pb2.Model(
            name=EVIL, digest=EVIL, numerics_profile=EVIL, example_prompts=[EVIL],
            key_plan={"kind": 99})])

    def EstimateSession(self, request, context):
        return longtake_pb2.EstimateSessionResponse(
            estimate=longtake_pb2.SessionEstimate(refusal_message=EVIL))

    def Stream(self, requests, context):
        first = next(requests)
        if first.open.spec.prompt == "refuse":
            refuse(context)
        if first.open.spec.prompt == "hang":
            self.hung.set()
            self.over.wait(60)
            return
        response = longtake_pb2.StreamResponse
        yield response(opened=longtake_pb2.Opened(session=session(), init_segment=b"init"))
        yield response(receipt=longtake_pb2.Receipt(control_id=1, error={"message": EVIL}))
        yield response(chunk=longtake_pb2.Chunk(frame_count=9, data=b"media", last_part=True, digest=bytes(16),
                                                chain_digest=CHAIN_OF_ZEROS))
        if first.open.spec.prompt == "break off":
            return
        yield response(ended=longtake_pb2.Ended(session=session()))


class Page(http.server.BaseHTTPRequestHandler):
    """A /metrics page whose labels are hostile, line ends left out."""

    def do_GET(self):
        label = re.sub("[\n\r\u0085\u2028\u2029]", "", EVIL)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'longtake_build_info{{version="{label}",model="{label}"}} 1\n'.encode())

    def log_message(self, *_):
        pass


class ClientTextTest(unittest.TestCase):
    def setUp(self):
        self.liar = Liar()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        longtake_pb2_grpc.add_LongtakeServiceServicer_to_server(self.liar, self.server)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()
        self.addCleanup(lambda: self.server.stop(None).wait())
        self.addCleanup(self.liar.over.set)
        folder = tempfile.TemporaryDirectory(prefix="longtake-text-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def command(self, *arguments):
        return [os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{self.port}", *arguments]

    def run_client(self, *arguments, code=0):
        """-> lines of both outputs, which must be harmless."""
        done = subprocess.run(self.command(*arguments), capture_output=True, timeout=120,
                              check=False)
        text = (done.stdout + done.stderr).decode()
        self.assertEqual(done.returncode, code, text)
        self.assertIsNone(CONTROLS.search(text), ascii(text))
        self.assertNotIn("\nsessions/forged", text)
        return text.splitlines()

    def generate(self, prompt, *arguments, code):
        return self.run_client("generate", "--prompt", prompt, "--out",
                               os.path.join(self.folder, "take.mp4"), *arguments, code=code)

    def test_list_has_a_row_a_session(self):
        lines = self.run_client("list")
        self.assertEqual(len(lines), 4)
        self.assertIn("\\u001b]0;owned\\u0007", lines[1])
        for line in lines:
            self.assertLessEqual(len(line), 160)
        self.assertTrue(lines[2].endswith("…"))
        self.assertTrue(lines[3].endswith("damaged: its own row is damaged"), lines[3])

    def test_commands_print_text_as_text(self):
        self.assertIn("state             unknown (99)", self.run_client("get", "sessions/x"))
        self.assertEqual(len(self.run_client("models")), 8)
        self.assertIn("\\u001b", self.run_client("estimate", "--prompt", "x")[-1])

    def test_errors_are_one_line(self):
        self.assertEqual(len(self.run_client("get", "sessions/refused", code=1)), 1)
        self.assertEqual(len(self.generate("refuse", code=1)), 1)

    def test_what_a_take_says_is_text(self):
        lines = self.generate("x", "--prompt-at", "0s=" + EVIL, code=0)
        self.assertTrue(any("the server refused a control: \\u001b" in x for x in lines))

    def test_names_of_files_are_text(self):
        evil = os.path.join(self.folder, "\x1b[2J\n\u202e.mp4")
        self.run_client("generate", "--prompt", "x", "--out", evil)
        for out in (evil + ".gif", evil + "/x.mp4"):
            self.assertEqual(len(self.run_client("generate", "--out", out, code=1)), 1)

    def test_top_prints_labels_as_text(self):
        page = http.server.HTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=page.serve_forever, daemon=True).start()
        self.addCleanup(page.server_close)
        self.addCleanup(page.shutdown)
        lines = self.run_client("top", "--metrics", f"127.0.0.1:{page.server_port}", "--count", "1",
                                "--interval", "1ms")
        self.assertIn("\\u001b]0;owned", lines[0])

    def test_a_server_that_does_not_delete_holds_nobody_up(self):
        lines = self.generate("x", code=0)
        self.assertTrue(any("could not be deleted" in line for line in lines), lines)

    def test_a_take_that_breaks_off_is_an_error(self):
        lines = self.generate("break off", code=1)
        self.assertIn("longtake: the server stopped sending before the take's end", lines)

    def test_interrupts_are_heard_while_nothing_is_answered(self):
        client = subprocess.Popen(
            self.command("generate", "--prompt", "hang", "--out",
                         os.path.join(self.folder, "take.mp4")), stderr=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.assertTrue(self.liar.hung.wait(60))
        client.send_signal(signal.SIGINT)
        self.assertIn(b"stopping after this chunk", client.stderr.readline())
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(timeout=60), -signal.SIGINT)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
