#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What the real client says to a server that broke off, and what it takes from it: a scripted server tells, call by
call, what a real one tells too rarely to be waited for."""
import concurrent.futures
import os
import signal
import subprocess
import tempfile
import threading
import unittest

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

import longtake.v1.longtake_pb2 as v1
import longtake.v1.longtake_pb2_grpc as v1_grpc
from longtaked_program import BIN

NAME = "sessions/scripted"
BROKEN = (grpc.StatusCode.UNAVAILABLE, "went away", None)


def opened(next_chunk, **session):
    spec = v1.SessionSpec(width=48, height=32, fps=16, frame_count=1000, media_kind=v1.MEDIA_KIND_FMP4)
    return v1.StreamResponse(opened=v1.Opened(
        session=v1.Session(name=NAME, spec=spec, **{"durable": True, **session}), next_chunk=next_chunk,
        init_segment=b"init"))


def part(index, data, offset=0, last=True, durable_through=0):
    return v1.StreamResponse(chunk=v1.Chunk(index=index, frame_count=12, data=data, data_offset=offset, last_part=last,
                                            digest=b"d" * 16, chain_digest=b"c" * 16,
                                            durable_through=durable_through))


def ended():
    return v1.StreamResponse(ended=v1.Ended(session=v1.Session(name=NAME)))


def refusal(code, reason, retry_seconds=0, **metadata):
    details = [error_details_pb2.ErrorInfo(reason=reason, domain="longtake", metadata=metadata)]
    if retry_seconds:
        details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry_seconds)))
    status = status_pb2.Status(code=code.value[0], message=f"said {reason}")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return code, status.message, status.SerializeToString()


class ScriptedServer(v1_grpc.LongtakeServiceServicer):
    """Each call reads until its number of messages came, says its lines and ends as it is told: well, or with a
    status."""

    def __init__(self, *calls):
        self.calls = list(calls)
        self.heard = []
        self.left = []
        self.may_park = threading.Event()
        self.may_park.set()
        self.no_parking = None

    def Stream(self, request_iterator, context):
        messages, lines, end = self.calls.pop(0)
        heard = [next(request_iterator)]
        self.heard.append(heard)
        if lines:
            yield lines[0]  # the client says no more before
        while len(heard) < messages:
            heard.append(next(request_iterator))
        yield from lines[1:]
        if end is None:
            return
        code, message, details = end
        if details is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
        context.abort(code, message)

    def ParkSession(self, request, context):
        self.may_park.wait()
        if self.no_parking is not None:
            context.abort(*self.no_parking)
        self.left.append(("park", request.name))
        return v1.ParkSessionResponse()

    def DeleteSession(self, request, context):
        self.left.append(("delete", request.name))
        return v1.DeleteSessionResponse()


class LastingClientTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-lasting-")
        self.addCleanup(self.folder.cleanup)
        self.out = os.path.join(self.folder.name, "take.mp4")

    def attach(self, *calls, options=(), code=0):
        """-> what the server heard, what the client said."""
        scripted = ScriptedServer(*calls)
        said = self.attach_to(scripted, options, code)
        self.assertEqual(scripted.calls, [], "it came less often")
        return scripted, said

    def attach_to(self, scripted, options=(), code=0):
        client = self.start(scripted, options)
        _, said = client.communicate(timeout=60)
        self.assertEqual(client.returncode, code, said)
        return said

    def start(self, scripted, options=()):
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        v1_grpc.add_LongtakeServiceServicer_to_server(scripted, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(server.stop, None)
        client = subprocess.Popen([os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{port}", "attach", NAME,
                                   "--out", self.out, *options], stderr=subprocess.PIPE, text=True)
        self.addCleanup(client.kill)
        return client

    def written(self):
        with open(self.out, "rb") as file:
            return file.read()

    def test_it_attaches_behind_the_last_whole_chunk(self):
        server, said = self.attach(
            (1, [opened(5), part(5, b"five"), part(6, b"a half", last=False)], BROKEN),
            (1, [opened(6)], BROKEN),
            (1, [], refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", 1)),
            (1, [], refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "SESSION_PLACES_EXHAUSTED", 5)),
            (1, [opened(6), ended()], None))
        self.assertEqual([call[0].attach for call in server.heard[1:]],
                         4 * [v1.Attach(name=NAME, next_chunk=6, durable_through=0)])
        self.assertEqual(self.written(), b"initfive")
        self.assertEqual(said.count("the server is gone"), 1)
        self.assertIn("for 120 s at most", said)
        self.assertEqual(server.left, [("park", NAME)])

    def test_controls_are_repeated_until_they_hold(self):
        prompts = ["--prompt-at", "1s=first", "--prompt-at", "2s=second", "--prompt-at", "3s=third"]

        def receipt(control, **fields):
            return v1.StreamResponse(receipt=v1.Receipt(control_id=control, sequence=1, **fields))

        class Answering(ScriptedServer):
            """Of three prompts the first holds and the second is refused; the third has only its first receipt."""

            def Stream(self, request_iterator, context):
                heard = [next(request_iterator)]
                self.heard.append(heard)
                yield opened(5)
                if len(self.heard) == 1:
                    heard += [next(request_iterator) for _ in range(3)]
                    first, second, third = (request.control.id for request in heard[1:])
                    yield receipt(third)
                    yield receipt(first, applied_chunk=6)
                    yield receipt(second, error=status_pb2.Status(message="no"))
                    context.abort(*BROKEN[:2])
                heard.append(next(request_iterator))
                yield receipt(heard[1].control.id, applied_chunk=7)
                yield part(5, b"five")
                yield ended()

        server = Answering()
        said = self.attach_to(server, prompts)
        self.assertEqual(server.heard[1][1], server.heard[0][3])
        self.assertEqual(server.heard[1][1].control.prompt, "third")
        for words in ('"first" from chunk 6 on', '"third" from chunk 7 on', "refused the prompt at 2 s"):
            self.assertEqual(said.count(words), 1, said)

    def test_what_the_server_lost_is_said(self):
        _, said = self.attach((1, [opened(5), part(5, b"five", durable_through=6)], BROKEN),
                              (1, [opened(6, durable_through=5)], BROKEN), code=1)
        self.assertIn("the server had 6 chunks on disk and comes back with 5: it lost some", said)
        _, said = self.attach((1, [opened(5), part(5, b"five")], BROKEN), (1, [opened(6), part(6, b"six")], None),
                              code=1)
        self.assertIn("chunk 6 does not follow", said)
        self.assertEqual(self.written(), b"initfive", "and nothing of it is written")
        _, said = self.attach((1, [opened(5), part(5, b"five")], BROKEN), (1, [opened(6, epoch=1)], None), code=1)
        self.assertIn("was rewound", said)

    def test_it_says_what_it_was_told(self):
        lost = refusal(grpc.StatusCode.DATA_LOSS, "HISTORY_LOST", durable_through="5", epoch="2")
        server, said = self.attach((1, [opened(5, epoch=2), part(5, b"five", durable_through=6)], BROKEN),
                                   (1, [], lost), code=1)
        self.assertEqual(server.heard[0][0].attach, v1.Attach(name=NAME), "it knows nothing yet")
        self.assertEqual(server.heard[1][0].attach, v1.Attach(name=NAME, next_chunk=6, durable_through=6, epoch=2))
        self.assertIn("the server had 6 chunks on disk and comes back with 5: it lost some", said)

    def test_a_disk_of_the_server_that_fails_is_waited_for(self):
        fails = refusal(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", 1)
        server, said = self.attach((1, [opened(5), part(5, b"five")], fails), (1, [], fails),
                                   (1, [opened(6)], fails), (1, [opened(6), ended()], None))
        self.assertEqual([call[0].attach.next_chunk for call in server.heard[1:]], [6, 6, 6])
        self.assertEqual(said.count("a disk of the server fails (said STORAGE_UNAVAILABLE"), 1, said)
        self.assertEqual(self.written(), b"initfive")
        # But not for ever, and not where the session is lost with it.
        server = ScriptedServer((1, [opened(5), part(5, b"five")], fails), *(20 * [(1, [opened(6)], fails)]))
        said = self.attach_to(server, ["--reconnect-for", "1s"], code=1)
        self.assertIn(f"said STORAGE_UNAVAILABLE; try again in 1 s; {NAME} is on the server's disk",
                      said.splitlines()[-1])
        _, said = self.attach((1, [opened(5, durable=False), part(5, b"five")], fails), code=1)
        self.assertIn("said STORAGE_UNAVAILABLE", said)

    def test_a_chunk_that_was_lost_is_no_chunk_of_the_future(self):
        def not_held(**metadata):
            return refusal(grpc.StatusCode.OUT_OF_RANGE, "CHUNK_NOT_HELD", next_chunk="3", **metadata)

        for end, words in ((not_held(durable_through="3", epoch="0"),
                            "the server had 6 chunks on disk and comes back with 3: it lost some"),
                           (not_held(durable_through="3", epoch="1"), "was rewound"),
                           (not_held(durable_through="6", epoch="0"), "said CHUNK_NOT_HELD"),
                           # Of one in memory, which shows earlier chunks again.
                           (not_held(), "said CHUNK_NOT_HELD")):
            _, said = self.attach((1, [opened(5), part(5, b"five", durable_through=6)], BROKEN), (1, [], end), code=1)
            self.assertIn(words, said)

    def test_what_is_no_break_is_not_waited_for(self):
        gone = refusal(grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
        for end, words in ((refusal(grpc.StatusCode.CANCELLED, "SESSION_DELETED"), "said SESSION_DELETED"),
                           (refusal(grpc.StatusCode.ABORTED, "TAKEN_OVER"), "said TAKEN_OVER")):
            _, said = self.attach((1, [opened(5), part(5, b"five")], end), code=1)
            self.assertIn(words, said)
        _, said = self.attach((1, [opened(5), part(5, b"five")], BROKEN), (1, [], gone), code=1)
        self.assertIn("said SESSION_NOT_FOUND", said)
        # Nor what survives no server, nor when nobody wants it.
        _, said = self.attach((1, [opened(5, durable=False), part(5, b"five")], BROKEN), code=1)
        self.assertEqual(said.splitlines()[-1], "longtake: went away")
        self.attach((1, [opened(5), part(5, b"five")], BROKEN), options=["--reconnect-for", "0"], code=1)

    def test_it_does_not_wait_for_ever(self):
        server = ScriptedServer((1, [opened(5), part(5, b"five")], BROKEN), *(20 * [(1, [], BROKEN)]))
        said = self.attach_to(server, ["--reconnect-for", "1s"], code=1)
        self.assertGreater(len(server.calls), 10, "it waits longer each time")
        self.assertIn(f"went away; {NAME} is on the server's disk", said.splitlines()[-1])
        self.assertEqual(self.written(), b"initfive")

    def start_and_park(self):
        """-> server and client at the end of a take, once it has said what it waits for."""
        server = ScriptedServer((1, [opened(5), part(5, b"five"), ended()], None))
        server.may_park.clear()
        self.addCleanup(server.may_park.set)
        client = self.start(server)
        self.addCleanup(client.stderr.close)
        said = [client.stderr.readline() for _ in range(2)]
        self.assertIn(f"waiting for the server to put {NAME} away", said[1])
        return server, client

    def test_it_waits_until_the_session_is_parked(self):
        server, client = self.start_and_park()
        with self.assertRaises(subprocess.TimeoutExpired):
            client.wait(1)
        server.may_park.set()
        self.assertEqual(client.wait(10), 0)
        self.assertEqual(server.left, [("park", NAME)])
        self.assertIn("stays on the server's disk", client.stderr.read())

    def test_what_could_not_be_parked_is_said(self):
        server = ScriptedServer((1, [opened(5), part(5, b"five"), ended()], None))
        server.no_parking = (grpc.StatusCode.UNAVAILABLE, "not all of it is on disk")
        said = self.attach_to(server)
        self.assertIn(f"{NAME} stays on the server, which could not park it: not all of it is on disk", said)
        self.assertNotIn("on the server's disk", said)
        self.assertEqual(self.written(), b"initfive")

    def test_an_interrupt_ends_that_wait(self):
        server, client = self.start_and_park()
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(5), 0)
        self.assertEqual(self.written(), b"initfive")
        self.assertNotIn("stopping after this chunk", client.stderr.read())
        self.assertEqual(server.left, [])


if __name__ == "__main__":
    unittest.main()
