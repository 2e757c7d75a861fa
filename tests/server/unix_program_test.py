#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The real server on a Unix socket, and the real client: who may connect, what the log says, and what is left."""
import os
import signal
import stat
import subprocess
import tempfile
import unittest

from longtaked_program import BIN, Program


class UnixProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-unix-")
        self.addCleanup(self.folder.cleanup)
        self.socket = os.path.join(self.folder.name, "socket")

    def start(self, name):
        folder = os.path.join(self.folder.name, name)
        os.mkdir(folder)
        program = Program(folder, socket=self.socket)
        self.addCleanup(program.close)
        return program

    def client(self, *arguments):
        return subprocess.run([os.path.join(BIN, "longtake"), "--server", f"unix:{self.socket}", *arguments],
                              capture_output=True, text=True, timeout=120, check=False)

    def test_a_take_goes_through_it_and_the_file_goes_with_the_server(self):
        program = self.start("server")
        self.assertEqual(stat.S_IMODE(os.lstat(self.socket).st_mode), 0o600)
        take = self.client("generate", "--prompt", "a red circle", "--size", "48x32", "--duration", "1s", "--out",
                           os.path.join(self.folder.name, "take.mp4"))
        self.assertEqual(take.returncode, 0, take.stderr)
        self.assertIn("longtake_connections ", program.metrics_page())
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.process.wait(timeout=30), 0)
        self.assertFalse(os.path.exists(self.socket))
        log = program.read_log()
        self.assertIn(f"unix:{self.socket}", log)
        self.assertNotIn("beyond this machine", log)
        gone = self.client("list")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("no longtaked answers", gone.stderr)

    def test_what_a_killed_server_left_is_replaced_and_a_living_one_stays(self):
        program = self.start("killed")
        program.process.kill()
        program.process.wait()
        self.assertTrue(stat.S_ISSOCK(os.lstat(self.socket).st_mode))
        living = self.start("living")
        with self.assertRaises(AssertionError) as refused:
            self.start("third")
        self.assertIn("another program listens there", str(refused.exception))
        self.assertEqual(self.client("list").returncode, 0)
        self.assertIsNone(living.process.poll())


if __name__ == "__main__":
    unittest.main()
