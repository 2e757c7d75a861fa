#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What many idle sessions hold against what they are charged.

usage: PYTHONPATH=build/release/tests/server/stubs loadtest/idle_sessions.py --pack DIR [--bin build/release/bin]
                                                                            [--sessions 2000] [--size 48x32]

Each session is attached to, was sent one chunk and is paused, as a player that waits. Memory is the growth of what
is resident; keys and values are taken at start and count on neither side.
"""
import argparse
import os

import grpc
from longtake.v1 import longtake_pb2 as v1
from longtake.v1 import longtake_pb2_grpc as v1_grpc

from serving import Server

CHANNELS = 16  # a connection takes 256 calls at once


def requests(width, height, seed):
    spec = v1.SessionSpec(prompt="a red circle", seed=seed, width=width, height=height,
                          media_kind=v1.MEDIA_KIND_RGB24, key_plan=v1.KeyPlan(kind=v1.KeyPlan.KIND_WINDOW, window_frames=6))
    yield v1.StreamRequest(open=v1.CreateSessionRequest(spec=spec))
    yield v1.StreamRequest(control=v1.Control(id=1, pause={}, frame=9))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pack", required=True)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--size", default="48x32")
    arguments = parser.parse_args()
    width, height = (int(side) for side in arguments.size.split("x"))
    options = ["--sessions-max", str(arguments.sessions), "--session-bytes", "64GiB", "--kv-bytes", "4GiB",
               "--log-level", "warning", "--attached-idle-timeout", "0s", "--outbox-bytes", "1MiB"]
    with Server(arguments.bin, arguments.pack, *options) as server:
        channels = [grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
                    for _ in range(CHANNELS)]
        stubs = [v1_grpc.LongtakeServiceStub(channel) for channel in channels]

        def look():
            page = server.page()
            return page.value("longtake_process_resident_bytes"), page.value(
                "longtake_memory_used_bytes", "sessions")

        def hold(seed):
            stream = stubs[seed % CHANNELS].Stream(requests(width, height, seed))
            for response in stream:
                if response.HasField("receipt") and response.receipt.HasField("applied_chunk"):
                    return stream
            raise SystemExit("a session ended")

        streams = [hold(0)]
        resident, charged = look()
        streams += [hold(seed) for seed in range(1, arguments.sessions)]
        resident_all, charged_all = look()
        count = arguments.sessions - 1
        print(f"{arguments.sessions} sessions of {arguments.size}: charged {(charged_all - charged) / count / 1024:.0f} "
              f"KiB, resident {(resident_all - resident) / count / 1024:.0f} KiB each", flush=True)
        for stream in streams:
            stream.cancel()
    os._exit(0)


if __name__ == "__main__":
    main()
