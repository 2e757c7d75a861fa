#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A server whose machine vanishes: nothing comes any more, and no connection is closed. A relay between client and
server plays that. The client notices, comes back on another connection and writes the file of an uninterrupted take.
"""
import os
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from longtaked_program import BIN, Program

TAKE = ["--prompt", "a red circle", "--seed", "5", "--size", "48x32", "--duration", "90s"]
NOTICED_SECONDS = 25 + 10  # as client/connection.h says, and what the machine takes


class Relay:
    """Passes on what comes, until it is told to vanish: from then on the connections that there are are silent."""

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.generation = 0
        self.bytes = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.pass_on, args=(source, sink, self.generation), daemon=True).start()

    def pass_on(self, source, sink, generation):
        while True:
            try:
                data = source.recv(1 << 16)
                if generation != self.generation:
                    threading.Event().wait()  # holds both ends, for as long as this process lives
                if not data:
                    return sink.shutdown(socket.SHUT_WR)
                self.bytes += len(data)
                sink.sendall(data)
            except OSError:
                return None

    def vanish(self):
        self.generation += 1

    def close(self):
        self.listener.close()


class VanishedServerTest(unittest.TestCase):
    def test_it_is_noticed_and_the_take_goes_on(self):
        with tempfile.TemporaryDirectory(prefix="longtake-vanished-") as folder:
            program = Program(folder, "--state-dir", os.path.join(folder, "state"))
            self.addCleanup(program.close)
            generate = [os.path.join(BIN, "longtake"), "generate", *TAKE]
            whole, take = os.path.join(folder, "whole.mp4"), os.path.join(folder, "take.mp4")
            subprocess.run([*generate, "--server", f"127.0.0.1:{program.port}", "--out", whole], check=True,
                           capture_output=True, timeout=120)
            relay = Relay(program.port)
            self.addCleanup(relay.close)
            client = subprocess.Popen([*generate, "--server", f"127.0.0.1:{relay.port}", "--out", take],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.addCleanup(client.kill)
            while relay.bytes < 20_000:
                self.assertIsNone(client.poll(), "it was to be in mid-stream")
                time.sleep(0.01)
            relay.vanish()
            start = time.monotonic()
            _, said = client.communicate(timeout=NOTICED_SECONDS + 60)
            self.assertEqual(client.returncode, 0, said)
            self.assertIn("the server is gone", said)
            self.assertLess(time.monotonic() - start, NOTICED_SECONDS + 30, said)
            with open(whole, "rb") as first, open(take, "rb") as second:
                self.assertEqual(first.read(), second.read())


if __name__ == "__main__":
    unittest.main()
