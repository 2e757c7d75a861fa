# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""HTTP/2 spoken by hand, for what no gRPC client can be made to say (RFC 9113, RFC 7541): frames as they are given,
headers as literals that index nothing."""
import socket
import struct
import time

SERVICE = "/longtake.v1.LongtakeService/"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def number(value, prefix_bits):
    """An integer of HPACK behind the free bits of its first byte."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes((value,))
    out = bytearray((most,))
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out) + bytes((value,))


def literal(name, value):
    name, value = name.encode(), value.encode() if isinstance(value, str) else value
    return b"\0" + number(len(name), 7) + name + number(len(value), 7) + value


def call_headers(method, *more):
    """The header block of a call to a method of the service, or to a path."""
    path = method if method.startswith("/") else SERVICE + method
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "longtake"),
              ("te", "trailers"), ("content-type", "application/grpc"), *more]
    return b"".join(literal(name, value) for name, value in fields)


def message(payload, compressed=0, length=None):
    """gRPC's prefix and a message; it may lie about its length."""
    return struct.pack(">BI", compressed, len(payload) if length is None else length) + payload


class Connection:
    """One connection. Counts what comes back; trailers are kept as raw bytes, in which text can be looked for unless it
    was Huffman-coded, which gRPC never does."""

    def __init__(self, port, settings=b"", timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        """-> False when the server has closed the connection."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False
        except TimeoutError:
            return True

    def send_headers(self, stream, block, end=False):
        return self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block))

    def send_data(self, stream, data, end=False):
        return self.send(frame(DATA, END_STREAM if end else 0, stream, data))

    def frames(self, seconds):
        """Those that come within so long, acknowledging settings and pings; ends with the connection."""
        end = time.monotonic() + seconds
        while True:
            while len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) < 9 + size:
                    break
                kind, flags = self.buffer[3], self.buffer[4]
                stream = int.from_bytes(self.buffer[5:9], "big")
                payload = self.buffer[9:9 + size]
                self.buffer = self.buffer[9 + size:]
                if kind in (SETTINGS, PING) and not flags & ACK:
                    self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
                yield kind, flags, stream, payload
            left = end - time.monotonic()
            if left <= 0:
                return
            self.socket.settimeout(left)
            try:
                got = self.socket.recv(1 << 16)
            except TimeoutError:
                return
            except ConnectionResetError:
                got = b""
            if not got:
                return
            self.buffer += got

    def trailers(self, stream, seconds=20):
        """-> what a call ended with, or None when it did not; b"reset" when it was."""
        for kind, flags, which, payload in self.frames(seconds):
            if which != stream:
                continue
            if kind == HEADERS and flags & END_STREAM:
                return payload
            if kind == RST_STREAM:
                return b"reset"
        return None

    def is_closed(self, seconds=5):
        """Whether the server has ended it, or ends it within so long."""
        end = time.monotonic() + seconds
        for _ in self.frames(seconds):
            pass
        return time.monotonic() < end

    def close(self):
        self.socket.close()
