#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Clients that come, go, cancel, take over, delete and dawdle, all at once, for STORM_SECONDS (4).

Afterwards the server must be as empty as at the start, and must still answer and end cleanly.
Prints its seed; STORM_SEED repeats the clients' choices.
"""
import collections
import os
import random
import re
import signal
import tempfile
import threading
import time

import grpc

from longtake.v1 import longtake_pb2
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import Program, connect

SECONDS = float(os.environ.get("STORM_SECONDS", "4"))
SEED = int(os.environ.get("STORM_SEED", time.time_ns() % 1_000_000))
CLIENTS = 10
# What a client that behaves like this may be told.
EXPECTED = {"OK", "CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "NOT_FOUND", "OUT_OF_RANGE",
            "RESOURCE_EXHAUSTED"}


class Client:
    """One client with its own connection and its own dice."""

    def __init__(self, port, seed, names, end):
        self.dice = random.Random(seed)
        self.names = names  # of sessions anybody opened lately
        self.end = end
        self.outcomes = collections.Counter()
        channel = connect(port, ("grpc.use_local_subchannel_pool", 1))
        self.stub = longtake_pb2_grpc.LongtakeServiceStub(channel)

    def run(self):
        while time.monotonic() < self.end:
            for call in (self.stream, self.manage):
                try:
                    call()
                    self.outcomes["OK"] += 1
                except grpc.RpcError as error:
                    self.outcomes[error.code().name] += 1

    def first_message(self):
        first = longtake_pb2.StreamRequest()
        if self.names and self.dice.random() < 0.4:
            first.attach.name = self.dice.choice(self.names)
            if self.dice.random() < 0.5:
                first.attach.next_chunk = self.dice.randrange(6)
            return first
        spec = first.open.spec
        spec.prompt = "a red circle"
        spec.seed = self.dice.randrange(5)
        spec.width, spec.height = 48, 32
        spec.media_kind = self.dice.choice([1, 2])
        if self.dice.random() < 0.5:
            spec.frame_count = self.dice.randrange(1, 60)
        spec.ttl.FromMilliseconds(self.dice.choice([0, 100, 1000]))
        return first

    def messages(self):
        yield self.first_message()
        for number in range(self.dice.randrange(4)):
            time.sleep(self.dice.random() * 0.05)
            control = longtake_pb2.Control(id=number)
            action = self.dice.choice(["prompt", "pause", "resume", "end", "nothing"])
            if action == "prompt":
                control.prompt = "a blue square"
            elif action != "nothing":
                getattr(control, action).SetInParent()
            yield longtake_pb2.StreamRequest(control=control)
        if self.dice.random() < 0.5:
            time.sleep(0.2)

    def stream(self):
        call = self.stub.Stream(self.messages(), timeout=self.dice.choice([0.01, 0.1, 1, 3]))
        patience = self.dice.randrange(30)
        for count, message in enumerate(call):
            if message.HasField("opened"):
                self.names.append(message.opened.session.name)
            if count == patience:
                call.cancel()
            if self.dice.random() < 0.02:
                time.sleep(0.3)

    def manage(self):
        if self.names and self.dice.random() < 0.2:
            self.stub.DeleteSession(
                longtake_pb2.DeleteSessionRequest(name=self.dice.choice(self.names)))
        if self.dice.random() < 0.2:
            self.stub.ListSessions(longtake_pb2.ListSessionsRequest())


def metric(page, series):
    return float(re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE).group(1))


def wait_until_empty(program):
    for _ in range(200):
        page = program.metrics_page()
        left = {name: metric(page, name) for name in [
            "longtake_streams", "longtake_sessions_attached", "longtake_outbox_bytes",
            'longtake_memory_used_bytes{pool="kv"}', 'longtake_sessions{state="running"}']}
        if not any(left.values()):
            return page
        time.sleep(0.05)
    raise AssertionError(f"not empty after the storm: {left}")


def main():
    print(f"seed {SEED}", flush=True)
    names = collections.deque(maxlen=20)
    with tempfile.TemporaryDirectory(prefix="longtake-storm-") as folder:
        program = Program(folder, "--outbox-bytes", "256KiB", "--sessions-max", "24",
                          "--drain-timeout", "100ms")
        try:
            end = time.monotonic() + SECONDS
            clients = [Client(program.port, SEED + i, names, end) for i in range(CLIENTS)]
            threads = [threading.Thread(target=client.run) for client in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            outcomes = sum((client.outcomes for client in clients), collections.Counter())
            print(dict(outcomes), flush=True)
            assert program.process.poll() is None, program.read_log()[-2000:]
            assert set(outcomes) <= EXPECTED, outcomes
            assert outcomes["OK"] > 0
            page = wait_until_empty(program)
            assert metric(page, "longtake_sessions_failed_total") == 0
            assert metric(page, "longtake_sessions_admitted_total") > 0
            program.process.send_signal(signal.SIGTERM)
            assert program.process.wait(timeout=30) == 0
        finally:
            program.close()


if __name__ == "__main__":
    main()
