#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Connections to longtaked: more than it has descriptors for, more than it allows, none that says anything,
and a port that is taken.
"""
import contextlib
import os
import socket
import subprocess
import tempfile
import time
import unittest

import grpc

from longtake.v1 import longtake_pb2
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import BIN, Program, connect

LOOKS_MAX = 2000


def is_closed(connection, patience):
    """Once what the server says by itself is read."""
    connection.settimeout(patience)
    try:
        while connection.recv(1000):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


class ConnectionsTest(unittest.TestCase):
    def start(self, *flags, through=()):
        folder = tempfile.TemporaryDirectory(prefix="longtake-connections-")
        self.addCleanup(folder.cleanup)
        program = Program(folder.name, *flags, through=through)
        self.addCleanup(program.close)
        return program

    def connect(self, port, count):
        """As many connections as get through; the queue of a listener that nobody empties is finite."""
        out = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                out.append(socket.create_connection(("127.0.0.1", port), timeout=10))
                self.addCleanup(out[-1].close)
        return out

    def list_models(self, port, host="127.0.0.1"):
        with connect(port, host=host) as channel:
            stub = longtake_pb2_grpc.LongtakeServiceStub(channel)
            return stub.ListModels(longtake_pb2.ListModelsRequest(), timeout=20, wait_for_ready=True)

    def page(self, program):
        lines = program.metrics_page().splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in lines if not line.startswith("#")}

    def wait_for(self, program, name, value):
        for _ in range(LOOKS_MAX):
            if self.page(program)[name] == value:
                return
            time.sleep(0.005)
        self.assertEqual(self.page(program)[name], value)

    def test_more_connections_than_descriptors_end_nothing(self):
        program = self.start(through=["prlimit", "--nofile=64"])
        crowd = self.connect(program.port, 150)
        for _ in range(LOOKS_MAX):  # they are refused one after the other
            page = self.page(program)
            if page["longtake_connections_refused_total"] > 100:
                break
            time.sleep(0.005)
        self.assertGreater(page["longtake_connections_refused_total"], 100)
        self.assertLess(page["longtake_connections_limit"], 32)
        for connection in crowd:
            connection.close()
        self.assertEqual(len(self.list_models(program.port).models), 1)
        self.wait_for(program, "longtake_connections", 0)

    def test_connections_max_is_a_refusal_not_a_wait(self):
        program = self.start("--connections-max", "3")
        crowd = self.connect(program.port, 3)
        self.wait_for(program, "longtake_connections", 3)
        with self.assertRaises(grpc.RpcError) as error, connect(program.port) as channel:
            stub = longtake_pb2_grpc.LongtakeServiceStub(channel)
            stub.ListModels(longtake_pb2.ListModelsRequest(), timeout=20)
        self.assertEqual(error.exception.code(), grpc.StatusCode.UNAVAILABLE)
        crowd.pop().close()
        self.wait_for(program, "longtake_connections", 2)
        self.list_models(program.port)
        self.assertIn("connections-max is reached", program.read_log())

    def test_a_connection_that_says_nothing_is_closed(self):
        program = self.start()
        (silent,) = self.connect(program.port, 1)
        self.assertTrue(is_closed(silent, patience=30), "gRPC itself waits for 60 s and more")

    def test_every_address_of_a_name_is_served(self):
        program = self.start("--listen", "localhost:0")
        self.list_models(program.port)
        if socket.has_ipv6 and any(info[4][0] == "::1" for info in socket.getaddrinfo("localhost", 0)):
            self.list_models(program.port, "[::1]")

    def test_what_others_can_reach_is_warned_of(self):
        warnings = ["listening beyond this machine", "metrics for everybody"]
        log = self.start().read_log()
        self.assertFalse([warning for warning in warnings if warning in log])
        log = self.start("--listen", "0.0.0.0:0", "--metrics-listen", "0.0.0.0:0").read_log()
        self.assertEqual([warning for warning in warnings if warning in log], warnings)

    def refused(self, program, *flags):
        pack = os.path.join(os.path.dirname(program.log.name), "pack")
        done = subprocess.run([os.path.join(BIN, "longtaked"), "--pack", pack, "--metrics-listen", "", "--kv-bytes",
                               "64MiB", "--tokens-per-sweep", "2048", *flags],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr.splitlines()[-1]

    def test_what_cannot_be_listened_on_is_said(self):
        program = self.start()
        taken = f"127.0.0.1:{program.port}"
        self.assertEqual(self.refused(program, "--listen", taken),
                         f"longtaked: listen: cannot listen on {taken}: Address already in use; "
                         "another program has this port")
        self.assertIn("listen: no address for nowhere.invalid", self.refused(program, "--listen", "nowhere.invalid:0"))
        self.assertIn("connections-max: 999999 connections need",
                      self.refused(program, "--listen", "127.0.0.1:0", "--connections-max", "999999"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
