#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What a connection that costs more than it sends makes a server hold, with and without connection-waste-bytes.

usage: PYTHONPATH=tests/server:build/release/tests/server/stubs loadtest/floods.py --pack DIR [--bin build/release/bin]
                                                                                 [--seconds 10]

Each flood has a server of its own: headers without end, calls that are reset as they begin, and messages of 1 MiB that
lack their last byte, 256 on each of six connections. HTTP/2 is spoken by hand. Memory is what is resident, beyond what
it was before; the most of it during the flood, and what stays ten seconds after the connections were closed.
"""
import argparse
import re
import time

from raw_http2 import (CONTINUATION, END_HEADERS, HEADERS, RST_STREAM, Connection, call_headers, frame, literal,
                       message)
from serving import Server

MIB = 1 << 20
CALLS = range(1, 513, 2)


def endless_headers(connections):
    yield connections[0], frame(HEADERS, 0, 1, call_headers("Stream"))
    while True:
        yield connections[0], frame(CONTINUATION, 0, 1, literal("x-a", "b" * 16000))


def resets(connections):
    headers = call_headers("Stream")
    for stream in range(1, 1 << 31, 2):
        yield connections[0], (frame(HEADERS, END_HEADERS, stream, headers)
                               + frame(RST_STREAM, 0, stream, b"\0\0\0\x08"))


def unfinished(connections):
    for connection in connections:
        for stream in CALLS:
            yield connection, frame(HEADERS, END_HEADERS, stream, call_headers("Stream"))
            yield connection, frame(0, 0, stream, message(b"", length=MIB))
    for _ in range(MIB // 16384 - 1):
        for connection in connections:
            for stream in CALLS:
                yield connection, frame(0, 0, stream, b"x" * 16384)


FLOODS = {"headers without end": (endless_headers, 1), "calls that are reset": (resets, 1),
          "messages without end": (unfinished, 6)}


def push(connection, data):
    """-> bytes that went out; what comes back is read and thrown away. ConnectionError: it was closed."""
    connection.socket.sendall(data)
    connection.socket.setblocking(False)
    try:
        if not connection.socket.recv(1 << 20):
            raise ConnectionResetError
    except BlockingIOError:
        pass
    finally:
        connection.socket.settimeout(1)
    return len(data)


def flood(server, begin, count, seconds):
    def resident():
        return server.page().value("longtake_process_resident_bytes") / MIB

    port = int(server.address.rsplit(":", 1)[1])
    before = most = resident()
    connections = [Connection(port, timeout=1) for _ in range(count)]
    closed, sent, looked = set(), 0, time.monotonic()
    end = looked + seconds
    for connection, data in begin(connections):
        if connection not in closed:
            try:
                sent += push(connection, data)
            except (ConnectionError, TimeoutError):  # one that was cut may just take nothing more
                closed.add(connection)
        if time.monotonic() > looked + 0.2:
            most, looked = max(most, resident()), time.monotonic()
        if len(closed) == count or time.monotonic() > end:
            break
    most = max(most, resident())
    for connection in connections:
        connection.close()
    time.sleep(10)
    return sent / MIB, len(closed), most - before, resident() - before


def main():
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__)[0])
    parser.add_argument("--pack", required=True)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    print("| flood | connection-waste-bytes | sent, MiB | closed of | most, MiB | after, MiB |\n|---|---|---|---|---|---|")
    for name, (begin, count) in FLOODS.items():
        for waste in ("0", "2MiB"):
            with Server(options.bin, options.pack, "--log-level", "error", "--kv-bytes", "64MiB",
                        "--connection-waste-bytes", waste) as server:
                sent, closed, most, after = flood(server, begin, count, options.seconds)
            print(f"| {name} | {waste} | {sent:.1f} | {closed}/{count} | {most:.0f} | {after:.0f} |", flush=True)


if __name__ == "__main__":
    main()
