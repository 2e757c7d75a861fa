#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Sessions that survive the real server, killed with SIGKILL at any moment: what it accepted is there and holds once,
and every frame is the one of a session that was never interrupted.

What those frames are is computed by a program that has nothing of a server (tests/engine/take_oracle_main.cc). kill -9
comes LONGTAKE_KILLS times (40), and a quarter as often for a rolling rollout, at moments that LONGTAKE_SEED chooses: every
second time between two calls that write to the store's files, or sync them.
"""
import collections
import faulthandler
import json
import math
import os
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

import longtake.v1.longtake_pb2 as v1
import longtake.v1.longtake_pb2_grpc as v1_grpc
from longtaked_program import BIN, Program, ProgramDied, connect

KILLS = int(os.environ.get("LONGTAKE_KILLS", "40"))
SEED = int(os.environ.get("LONGTAKE_SEED", "0")) or random.SystemRandom().getrandbits(32)
PROMPTS = ["a blue square going up on a pink background", "a yellow triangle sliding left on a black background",
           "an orange ball falling, against a gray background"]
# A few chunks, so that the server is never far ahead of its reader.
OUTBOX = ["--outbox-bytes", "300KiB"]
PICTURE = ["--prompt", "a red circle moving to the right", "--size", "48x32"]
TAKE = [*PICTURE, "--duration", "10312ms"]
# Not over before its server was killed three times.
LONG_TAKE = [*PICTURE, "--duration", "29812ms"]
CHUNK_FRAMES = 12  # but 9 of the first
# A prompt is asked for so many chunks before it is to hold. The server is ahead of its reader by its outbox and by what
# the transport holds, which therefore does not grow here: some ten chunks together, however slow the reader is.
AHEAD = 14
SMALL_TRANSPORT = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)]
# A server makes some hundreds of calls on the store's files until it is killed.
CALLS_MAX = 400
# Ids of controls.
TIMED = 1000
AT_ONCE = 2000


def frame_of(chunk):
    return max(0, CHUNK_FRAMES * chunk - 3)


class Plan:
    """What a session is asked to be and when: prompts by the chunk from which they hold, and at_once those that name no
    frame, by the chunks that were read when they are asked for. Where those hold is known afterwards."""

    def __init__(self, name, chunks, prompts, at_once=None, start_frames=0, **spec):
        self.name = name
        self.chunks = chunks
        self.prompts = prompts
        self.at_once = at_once or {}
        self.start = bytes(random.Random(name).randbytes(start_frames * 48 * 32 * 3))
        self.spec = v1.SessionSpec(prompt="a red circle moving to the right on a white background", width=48, height=32,
                                   frame_count=frame_of(chunks), media_kind=v1.MEDIA_KIND_RGB24,
                                   start_frame_count=start_frames, **spec)

    def start_parts(self, begin=0):
        if begin < len(self.start):
            yield v1.StreamRequest(start=v1.StartPart(data_offset=begin, data=self.start[begin:]))

    def right_digests(self, pack, holds):
        """-> those of all chunks, when controls hold from these on."""
        at_once = {holds[AT_ONCE + read]: prompt for read, prompt in self.at_once.items()}
        take = {"chunks": self.chunks, "prompt": self.spec.prompt, "seed": self.spec.seed, "width": self.spec.width,
                "height": self.spec.height, "frame_count": self.spec.frame_count,
                "start_frames": self.spec.start_frame_count, "changes": {**self.prompts, **at_once}}
        if self.spec.HasField("key_plan"):
            plan = self.spec.key_plan
            take["key_plan"] = {"kind": self.word(v1.KeyPlan.Kind, plan.kind), "window_frames": plan.window_frames,
                                "sink_frames": plan.sink_frames}
        if self.spec.prompt_switch:
            take["prompt_switch"] = self.word(v1.PromptSwitch, self.spec.prompt_switch)
        with tempfile.NamedTemporaryFile() as start:
            if self.start:
                start.write(self.start)
                start.flush()
                take["start"] = start.name
            done = subprocess.run([os.path.join(BIN, "longtake_take_oracle"), pack], input=json.dumps(take), text=True,
                                  capture_output=True, timeout=600, check=True)
        return [bytes.fromhex(line) for line in done.stdout.splitlines()]

    def word(self, enum, value):
        """Its name in a recipe: that of the enum's value without what all of them begin with."""
        return enum.Name(value).removeprefix("KIND_").removeprefix("PROMPT_SWITCH_").lower()


class Death:
    """A server's death right before one of its calls on files of the store (kill_at_call.cc)."""

    LIBRARY = os.path.join(BIN, "longtake_kill_at_call.so")

    def __init__(self, folder):
        self.folder = folder
        self.report = folder + "-calls"
        self.call = 0

    def through(self):
        """-> what the server is started through."""
        if self.call == 0:
            return []
        return ["env", f"LD_PRELOAD={self.LIBRARY}", f"LONGTAKE_KILL_IN={self.folder}",
                f"LONGTAKE_KILL_CALL={self.call}", f"LONGTAKE_KILL_REPORT={self.report}", "LONGTAKE_SYNC_MILLIS=30"]

    def reported(self):
        """-> calls that were not made any more: what, and the file's name without its numbers."""
        if not os.path.exists(self.report):
            return []
        with open(self.report, encoding="ascii") as file:
            return [re.sub(r"[0-9]+", "N", line.strip()) for line in file]


class Servers:
    """One server after the other on the same directory. Readers wait here for the next one."""

    def __init__(self, start, death=None):
        self.start = start
        self.death = death
        self.changed = threading.Condition()
        self.number = 0
        self.program = None

    def next(self, call=0):
        """With a call it dies there, if it gets that far; a server that does so before it is ready is followed by
        another one."""
        if self.death is not None:
            self.death.call = call
        try:
            program = self.start()
        except ProgramDied:
            if call == 0:
                raise
            return self.next()
        with self.changed:
            self.program = program
            self.number += 1
            self.changed.notify_all()
        return None

    def dead(self):
        return self.program.process.poll() is not None

    def after(self, number):
        """-> (number, port) of a server later than this one."""
        with self.changed:
            self.changed.wait_for(lambda: self.number > number, timeout=60)
            assert self.number > number, "no server came"
            return self.number, self.program.port

    def kill(self):
        self.program.process.kill()
        self.program.close()


class Reader(threading.Thread):
    """Reads one session to its end over however many servers, asks for prompts, pauses and resumes meanwhile, and
    notes what it is told. It reads as many chunks as it is allowed to."""

    def __init__(self, plan, servers):
        super().__init__(daemon=True)
        self.plan = plan
        self.servers = servers
        self.allowed = threading.Semaphore(0)
        self.digests = []
        self.chain = None
        self.asked = {}      # controls by id
        self.sequences = {}  # of those that were accepted
        self.applied = {}    # chunks from which they hold
        self.durable = []    # what the first receipts said of themselves
        self.durable_through = 0
        self.disk_fails = False
        self.ended = False
        self.failure = None

    def run(self):
        number = 0
        try:
            while not self.ended:
                number, port = self.servers.after(number)
                with connect(port, *SMALL_TRANSPORT) as channel:
                    try:
                        self.read(v1_grpc.LongtakeServiceStub(channel))
                    except grpc.RpcError as error:
                        if error.code() != grpc.StatusCode.UNAVAILABLE:
                            raise
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = error

    def share(self, kill, kills):
        """-> chunks that it may have read by then."""
        return self.plan.chunks * kill // (kills + 1)

    def check(self, good, what):
        if not good:
            raise AssertionError(f"{self.plan.name}, chunk {len(self.digests)}: {what}")

    def read(self, stub):
        requests = Requests()
        try:
            if self.durable_through or self.asked or self.digests:
                first = v1.StreamRequest(attach=v1.Attach(name=f"sessions/{self.plan.name}",
                                                          next_chunk=len(self.digests)))
            else:
                first = v1.StreamRequest(open=v1.CreateSessionRequest(session_id=self.plan.name, spec=self.plan.spec))
            requests.put(first)
            for response in stub.Stream(requests):
                self.take(response, requests)
        finally:
            requests.put(None)

    def take(self, response, requests):
        if response.HasField("opened"):
            session = response.opened.session
            self.check(session.durable, "not durable")
            self.check(session.durable_through >= self.durable_through,
                       f"{self.durable_through} chunks were durable, {session.durable_through} came back")
            self.check(response.opened.next_chunk == len(self.digests), "another next chunk")
            for request in self.plan.start_parts(session.start_bytes):
                requests.put(request)
            for control in self.asked.values():
                if control.id not in self.applied:
                    requests.put(v1.StreamRequest(control=control))
        elif response.HasField("receipt"):
            self.take_receipt(response.receipt)
        elif response.HasField("ended"):
            self.ended = True
        elif response.chunk.last_part:
            self.check(response.chunk.index == len(self.digests), f"chunk {response.chunk.index} came")
            self.digests.append(response.chunk.digest)
            self.durable_through = max(self.durable_through, response.chunk.durable_through)
            self.ask(requests)
            self.allowed.acquire()

    def take_receipt(self, receipt):
        self.check(not receipt.HasField("error"), receipt.error)
        if receipt.control_id == 0:
            return
        known = self.sequences.setdefault(receipt.control_id, receipt.sequence)
        self.check(known == receipt.sequence, f"control {receipt.control_id} was accepted twice")
        if receipt.HasField("applied_chunk"):
            known = self.applied.setdefault(receipt.control_id, receipt.applied_chunk)
            self.check(known == receipt.applied_chunk, f"control {receipt.control_id} holds from {known}, then "
                       f"{receipt.applied_chunk}")
        else:
            self.durable.append(receipt.durable)
            self.check(receipt.durable or self.disk_fails, "a receipt is not durable")

    def ask(self, requests):
        """Prompts some chunks ahead, all in good time; a pause that ends at once, every third chunk, unless the server
        may be done."""
        read = len(self.digests)
        for chunk, prompt in self.plan.prompts.items():
            if read == max(1, chunk - AHEAD):
                self.send(requests, v1.Control(id=TIMED + chunk, frame=frame_of(chunk), prompt=prompt))
        if read in self.plan.at_once:
            self.send(requests, v1.Control(id=AT_ONCE + read, prompt=self.plan.at_once[read]))
        if read % 3 == 0 and read < self.plan.chunks - AHEAD:
            self.send(requests, v1.Control(id=2 * read, pause=v1.Control.Pause()))
            self.send(requests, v1.Control(id=2 * read + 1, resume=v1.Control.Resume()))

    def send(self, requests, control):
        self.asked[control.id] = control
        requests.put(v1.StreamRequest(control=control))


class Requests:
    """What a stream's client says, when it is told to."""

    def __init__(self):
        self.changed = threading.Condition()
        self.waiting = []

    def put(self, request):
        with self.changed:
            self.waiting.append(request)
            self.changed.notify_all()

    def __iter__(self):
        return self

    def __next__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.waiting)
            request = self.waiting.pop(0)
        if request is None:
            raise StopIteration
        return request


class DurableTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-durable-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, *flags, **options):
        program = Program(self.folder.name, *flags, **options)
        self.addCleanup(program.close)
        return program

    def check_digests(self, holds, readers):
        """They are those of sessions that nothing interrupted."""
        for reader in readers:
            plan = reader.plan
            self.assertEqual(reader.digests, plan.right_digests(self.path("pack"), holds[plan.name]),
                             f"{plan.name}, LONGTAKE_SEED={SEED}, controls hold at {holds[plan.name]}")

    def killed_often(self, flags, plans, kills, **options):
        """-> the calls before which servers died."""
        dice = random.Random(SEED)
        death = Death(self.path("state"))
        servers = Servers(lambda: self.start("--state-dir", death.folder, *OUTBOX, *flags, through=death.through(),
                                             **options), death)
        readers = [Reader(plan, servers) for plan in plans]
        self.addCleanup(lambda: [reader.allowed.release(10**6) for reader in readers])
        servers.next()
        for reader in readers:
            reader.start()
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        for kill in range(kills):
            faulthandler.dump_traceback_later(300, exit=True)  # the whole may take an hour, one of them may not
            # Mostly they have read what they may, so that kills come all along the take; else it is killed once more
            # while it recovers.
            if dice.random() < 0.7:
                self.wait_until(lambda kill=kill: servers.dead() or all(
                    len(reader.digests) >= reader.share(kill, kills) or reader.failure for reader in readers))
            for reader in readers:
                for _ in range(reader.share(kill, kills), reader.share(kill + 1, kills)):
                    reader.allowed.release()
            time.sleep(dice.uniform(0, 0.8))
            servers.kill()
            # Every second one dies between two writes, soon after it has begun or later; the last one lives.
            dies = kill % 2 == 0 and kill + 1 < kills
            servers.next(int(math.exp(dice.uniform(0, math.log(CALLS_MAX)))) if dies else 0)
        for reader in readers:
            reader.allowed.release(10**6)
        for reader in readers:
            reader.join(timeout=120)
            if reader.failure is not None:
                raise reader.failure
            self.assertTrue(reader.ended, reader.plan.name)
        with connect(servers.program.port) as channel:
            stub = v1_grpc.LongtakeServiceStub(channel)
            holds = {reader.plan.name: self.check_events(stub, reader) for reader in readers}
        servers.kill()
        self.check_digests(holds, readers)
        return death.reported()

    def check_events(self, stub, reader):
        """What is asked again with its id is no new event. So all of it was accepted once and held once, if the answers
        are those that came before."""
        self.assertEqual(len(set(reader.sequences.values())), len(reader.sequences), "each has a number of its own")
        self.assertEqual(set(reader.asked), set(reader.sequences), "all is asked for in good time")
        accepted = list(reader.asked.values())
        told = {}
        for _ in range(5):
            told.update(self.ask_again(stub, reader.plan, accepted))
            if len(told) == len(accepted):
                break
        self.assertEqual({receipt.control_id: receipt.sequence for receipt in told.values()}, reader.sequences)
        holds = {receipt.control_id: receipt.applied_chunk for receipt in told.values()}
        self.assertEqual({**holds, **reader.applied}, holds)
        for chunk in reader.plan.prompts:
            self.assertEqual(holds[TIMED + chunk], chunk)
        return holds

    def ask_again(self, stub, plan, controls):
        """-> receipts by id. Those that come after the end get no answer, so the last chunks are left unread for a
        while."""
        name = f"sessions/{plan.name}"
        stub.ParkSession(v1.ParkSessionRequest(name=name))  # chunks from before are not in memory
        requests = Requests()
        requests.put(v1.StreamRequest(attach=v1.Attach(name=name, next_chunk=max(0, plan.chunks - 12))))
        responses = stub.Stream(requests)
        self.assertTrue(next(responses).HasField("opened"))
        for control in controls:
            requests.put(v1.StreamRequest(control=control))
        time.sleep(0.5)
        told = {}
        for response in responses:
            if response.HasField("receipt"):
                self.assertFalse(response.receipt.HasField("error"), response.receipt.error)
                told[response.receipt.control_id] = response.receipt
        requests.put(None)
        return told

    def test_killed_at_any_moment(self):
        """Windows, a window made again under new prompts, a sink that scrolls, and frames that came from the client."""
        prompts = {18: PROMPTS[0], 25: PROMPTS[1], 33: PROMPTS[2]}
        window = v1.KeyPlan(kind=v1.KeyPlan.KIND_WINDOW, window_frames=9, sink_frames=3)
        scrolls = v1.KeyPlan(kind=v1.KeyPlan.KIND_ROLLING_SINK, window_frames=9)
        # Snapshots, too, so that kills come between a bulk file and the row that names it.
        # The more kills, the more chunks, whose snapshots are there to be killed at.
        chunks = 48 * max(1, KILLS // 200)
        calls = self.killed_often(["--resume-seconds-max", "0s"], [
            Plan("window", chunks, prompts, seed=1),
            Plan("recached", chunks, prompts, seed=2, key_plan=window,
                 prompt_switch=v1.PROMPT_SWITCH_RECACHE_AND_SINK),
            Plan("scrolls", chunks, {20: PROMPTS[0]}, seed=3, key_plan=scrolls),
            Plan("at-once", chunks, {}, {read: PROMPTS[read % 3] for read in range(1, 38, 4)}, seed=5),
            Plan("started", chunks, {20: PROMPTS[1]}, seed=4, start_frames=21, key_plan=window)], KILLS)
        print(f"LONGTAKE_SEED={SEED}, died before {dict(collections.Counter(calls))}")
        if KILLS >= 400:
            for call in ("write sessions-N.db-wal", "sync sessions-N.db-wal", "write bulk", "sync bulk"):
                self.assertTrue(any(reported.startswith(call) for reported in calls), call)

    def test_a_rolling_rollout_killed_at_any_moment(self):
        self.killed_often([], [Plan("rolls", 32, {18: PROMPTS[0]}, seed=5)], max(3, KILLS // 4), recipe="rolling-forcing")

    def mount_small(self, folder, size):
        os.mkdir(folder)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"no small disk can be mounted: {done.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=True)

    def read_until(self, reader, condition, seconds=60):
        """Lets it read, chunk by chunk."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertIsNone(reader.failure)
            self.assertFalse(reader.ended)
            self.assertLess(time.monotonic(), end)
            reader.allowed.release()
            before = len(reader.digests)
            self.wait_until(lambda before=before: len(reader.digests) > before or reader.failure)

    def test_a_full_disk_stops_nobody(self):
        self.mount_small(self.path("state"), "6m")
        plan = Plan("full", 150, {100: PROMPTS[0]}, seed=6)
        servers = Servers(lambda: self.start("--state-dir", self.path("state"), *OUTBOX))
        durable = lambda: "\nlongtake_store_durable 1\n" in servers.program.metrics_page()
        reader = Reader(plan, servers)
        self.addCleanup(reader.allowed.release, 10**6)
        servers.next()
        reader.start()
        self.read_until(reader, lambda: reader.durable_through > 3 and True in reader.durable)
        self.assertTrue(durable())
        reader.disk_fails = True
        filler = os.path.join(self.path("state"), "filler")
        with self.assertRaises(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        self.read_until(reader, lambda: not reader.durable[-1])
        self.wait_until(lambda: not durable())
        read = len(reader.digests)
        self.read_until(reader, lambda: len(reader.digests) > read + 8)
        os.remove(filler)
        end = time.monotonic() + 10
        self.wait_until(durable)
        self.assertLess(time.monotonic(), end)
        # What was made meanwhile is written, too.
        self.read_until(reader, lambda: reader.durable[-1] and reader.durable_through > read + 8)
        reader.disk_fails = False
        servers.kill()
        servers.next()
        reader.allowed.release(10**6)
        reader.join(timeout=120)
        self.assertIsNone(reader.failure)
        with connect(servers.program.port) as channel:
            holds = self.check_events(v1_grpc.LongtakeServiceStub(channel), reader)
        self.check_digests({plan.name: holds}, [reader])

    # The client's commands.

    def command(self, program, *arguments):
        return [os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{program.port}", *arguments]

    def run_client(self, program, *arguments, code=0):
        done = subprocess.run(self.command(program, *arguments), capture_output=True, text=True, timeout=120,
                              check=False)
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        return done

    def start_client(self, program, *arguments):
        client = subprocess.Popen(self.command(program, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        return client

    def bytes_in(self, name):
        """-> those of a file, or of all files in a folder, by their names; nothing when there is none yet."""
        path = self.path(name)
        if os.path.isdir(path):
            return {entry: self.bytes_in(os.path.join(name, entry)) for entry in os.listdir(path)}
        if not os.path.exists(path):
            return b""
        with open(path, "rb") as file:
            return file.read()

    def wait_until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def start_durable(self, port=0):
        return self.start("--state-dir", self.path("state"), *OUTBOX, port=port)

    def test_generate_goes_on_by_itself(self):
        dice = random.Random(SEED)
        program = self.start_durable()
        port = program.port
        for whole, name in (("whole.mp4", "take.mp4"), ("whole.y4m", "take.y4m"), ("whole/", "take/")):
            done = self.run_client(program, "generate", *LONG_TAKE, "--out", self.path(whole))
            self.assertEqual(done.stderr.count("stays on the server's disk"), 1)
            client = self.start_client(program, "generate", *LONG_TAKE, "--out", self.path(name))
            for _ in range(3):
                before = len(self.bytes_in(name))
                self.wait_until(lambda name=name, before=before: len(self.bytes_in(name)) > before)
                time.sleep(dice.uniform(0, 0.1))
                program.process.kill()
                program.close()
                self.assertIn("so this waits for it", client.stderr.readline())
                program = self.start_durable(port)
            out, error = client.communicate(timeout=120)
            self.assertEqual(client.returncode, 0, error)
            self.assertIn("477 frames in 40 chunks", out)
            self.assertEqual(len(error.splitlines()), 1, error)
            self.assertEqual(self.bytes_in(name), self.bytes_in(whole))

    def test_a_client_that_does_not_wait(self):
        """Told so, or interrupted: what it wrote is whole chunks, behind which attach goes on."""
        program = self.start_durable()
        port = program.port
        self.run_client(program, "generate", *TAKE, "--out", self.path("whole.mp4"))
        for number, options in ((signal.SIGINT, []), (signal.SIGTERM, []), (None, ["--reconnect-for", "0"])):
            client = self.start_client(program, "generate", *TAKE, *options, "--out", self.path("take.mp4"))
            self.wait_until(lambda: self.bytes_in("take.mp4"))
            program.process.kill()
            program.close()
            if number is not None:
                self.assertIn("so this waits for it", client.stderr.readline())
                client.send_signal(number)
            self.assertEqual(client.wait(timeout=10), 1)
            program = self.start_durable(port)
            session = self.run_client(program, "sessions", "list").stdout.splitlines()[-1].split()
            self.assertEqual(session[1], "parked")
            self.assertLess(len(self.bytes_in("take.mp4")), len(self.bytes_in("whole.mp4")))
            self.run_client(program, "attach", session[0], "--continue", self.path("take.mp4"))
            self.assertEqual(self.bytes_in("take.mp4"), self.bytes_in("whole.mp4"))
            os.remove(self.path("take.mp4"))

    def test_a_server_without_a_store_is_not_waited_for(self):
        program = self.start(*OUTBOX)
        client = self.start_client(program, "generate", *TAKE, "--out", self.path("take.mp4"))
        self.wait_until(lambda: self.bytes_in("take.mp4"))
        program.process.kill()
        self.assertEqual(client.wait(timeout=10), 1)
        self.assertNotIn("waits", client.stderr.read())

    def test_a_second_server_is_refused(self):
        first = self.start_durable()
        second = subprocess.run([os.path.join(BIN, "longtaked"), "--pack", self.path("pack"), "--listen", "127.0.0.1:0",
                                 "--state-dir", self.path("state")], capture_output=True, text=True, timeout=60,
                                check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("state-dir", second.stderr)
        self.assertIn(str(first.process.pid), second.stderr)

    def test_a_server_that_is_told_to_end_parks_its_sessions(self):
        program = self.start_durable()
        self.run_client(program, "generate", *TAKE, "--out", self.path("whole.mp4"))
        with connect(program.port) as channel:
            stub = v1_grpc.LongtakeServiceStub(channel)
            spec = v1.SessionSpec(prompt=TAKE[1], width=48, height=32, frame_count=165)
            stub.CreateSession(v1.CreateSessionRequest(session_id="unread", spec=spec))
            request = v1.GetSessionRequest(name="sessions/unread")
            self.wait_until(lambda: stub.GetSession(request).session.chunk_count > 2)
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.process.wait(20), 0, program.read_log())
        program = self.start_durable()
        self.assertRegex(self.run_client(program, "sessions", "list").stdout, "sessions/unread +parked ")
        self.run_client(program, "attach", "sessions/unread", "--from-chunk", "0", "--out", self.path("take.mp4"))
        self.assertEqual(self.bytes_in("take.mp4"), self.bytes_in("whole.mp4"))

    def test_commands_on_sessions_on_disk(self):
        program = self.start_durable()
        self.run_client(program, "generate", *TAKE, "--out", self.path("whole.mp4"))
        listed = self.run_client(program, "sessions", "list").stdout.splitlines()
        self.assertEqual(len(listed), 2, "it was not deleted")
        name, state, *_ = listed[1].split()
        self.assertEqual(state, "ended")
        self.run_client(program, "fetch", name, "--chunks", "0..14", "--out", self.path("all.mp4"))
        self.assertEqual(self.bytes_in("all.mp4"), self.bytes_in("whole.mp4"))
        done = self.run_client(program, "fetch", name, "--chunks", "3..5", "--out", self.path("some.mp4"))
        self.assertIn("24 frames in 2 chunks", done.stdout)
        for chunks in ("5..5", "5", "..5", "-1..5", "0..15"):
            self.run_client(program, "fetch", name, f"--chunks={chunks}", "--out", self.path("no.mp4"), code=1)
        self.assertEqual(len(self.run_client(program, "list").stdout.splitlines()), 2, "no copy stays")
        # A fork goes its own way, which is here the same one; the session itself too, once it is rewound.
        self.run_client(program, "sessions", "fork", name, "--at-chunk", "5", "--id", "fork")
        self.run_client(program, "sessions", "rewind", name, "--to-chunk", "7", "--dry-run")
        self.assertIn(" 14 chunks", self.run_client(program, "sessions", "show", name.removeprefix("sessions/")).stdout)
        self.run_client(program, "sessions", "rewind", name, "--to-chunk", "7")
        shown = self.run_client(program, "sessions", "show", name).stdout
        for words in ("parked", " 7 chunks", "rewound           1 times"):
            self.assertIn(words, shown)
        for session in ("sessions/fork", name):
            self.run_client(program, "attach", session, "--from-chunk", "0", "--out", self.path("again.mp4"))
            self.assertEqual(self.bytes_in("again.mp4"), self.bytes_in("whole.mp4"), session)
            self.run_client(program, "sessions", "park", session)
            self.run_client(program, "sessions", "delete", session)
        self.assertEqual(len(self.run_client(program, "list").stdout.splitlines()), 1)

    def test_an_interrupted_fetch_leaves_no_copy(self):
        program = self.start_durable()
        self.run_client(program, "generate", *TAKE, "--out", self.path("whole.mp4"))
        name = self.run_client(program, "list").stdout.splitlines()[1].split()[0]
        client = self.start_client(program, "fetch", name, "--chunks", "0..14", "--out", "-")
        client.stdout.buffer.read(1)
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=60)
        self.assertEqual(client.returncode, 0)
        self.assertEqual(len(self.run_client(program, "list").stdout.splitlines()), 2)


if __name__ == "__main__":
    unittest.main()
