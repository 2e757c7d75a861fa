#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What longtaked does with what it is started with: a calibration measured once, a trace that Perfetto
reads, a budget that is too small; and `longtake top` looking on.
"""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

from longtaked_program import BIN, MODEL, Program

TAKE = ["generate", "--prompt", "a red circle", "--seed", "5", "--size", "48x32", "--duration", "1313ms"]


class StartTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-start-")
        self.starts = 0

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, *flags, through=()):
        self.starts += 1
        folder = self.path(f"server-{self.starts}")
        os.mkdir(folder)
        program = Program(folder, *flags, through=through)
        self.addCleanup(program.close)
        return program

    def end(self, program):
        """-> its log."""
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.process.wait(60), 0)
        return program.read_log()

    def client(self, program, *arguments):
        return subprocess.run([os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{program.port}", *arguments],
                              capture_output=True, text=True, timeout=120, check=True).stdout

    def test_a_calibration_is_measured_once(self):
        calibration = self.path("calibration.json")
        measures = "measuring disk and processor"
        first = self.end(self.start("--calibration", calibration))
        self.assertIn(measures, first)
        self.assertIn("plan: the disk gives", first)
        with open(calibration, encoding="utf-8") as file:
            kept = json.load(file)
        self.assertIn("context_row_seconds", kept["layers"][-1])  # 0 where something else took the cores
        again = self.end(self.start("--calibration", calibration))
        self.assertNotIn(measures, again)
        self.assertIn("plan: the disk gives", again)
        kept["threads"] += 1  # another machine's
        with open(calibration, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        self.assertIn(measures, self.end(self.start("--calibration", calibration)))

    def test_a_trace_has_rows_for_reading_computing_and_decoding(self):
        trace = self.path("trace.json")
        program = self.start("--trace", trace, "--kept-bytes", "0")
        self.client(program, *TAKE, "--out", self.path("take.mp4"))
        self.end(program)
        with open(trace, encoding="utf-8") as file:
            events = json.load(file)
        events = events["traceEvents"] if isinstance(events, dict) else events
        rows = {event["tid"]: event["args"]["name"] for event in events if event.get("name") == "thread_name"}
        spans = {rows[event["tid"]] for event in events if event.get("ph") == "X" and event["dur"] >= 0}
        for row in ("transformer layers", "transformer read, slot 0", "sweeps", "decode"):
            self.assertIn(row, spans)

    def test_a_trace_that_cannot_go_on_is_told_once(self):
        no_large_files = ["env", "--ignore-signal=XFSZ", "prlimit", "--fsize=20000"]
        program = self.start("--trace", self.path("trace.json"), "--kept-bytes", "0", through=no_large_files)
        self.client(program, *TAKE, "--out", self.path("take.mp4"))
        self.client(program, *TAKE, "--out", self.path("take.mp4"))
        self.assertEqual(self.end(program).count("the trace is not whole"), 1)
        self.assertLessEqual(os.path.getsize(self.path("trace.json")), 20_000)

    def test_a_trace_needs_a_file(self):
        fifo = self.path("fifo")
        os.mkfifo(fifo)
        self.assertIn(f"trace: {fifo} is a pipe, not a file", self.refused("--trace", fifo))
        self.assertIn("trace: /dev/full is a device, not a file", self.refused("--trace", "/dev/full"))

    def test_output_that_is_lost_is_an_error(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([os.path.join(BIN, "longtaked"), "--print-config"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, "longtaked: print-config: standard output takes no more\n"))

    def test_a_server_that_cannot_make_the_usual_take_says_so(self):
        warning = "sessions of the model's own size will be refused"
        self.assertIn(warning, self.end(self.start("--tokens-per-sweep", "20")))
        self.assertNotIn(warning, self.end(self.start()))

    def test_top_shows_a_server(self):
        program = self.start()
        self.client(program, *TAKE, "--out", self.path("take.mp4"))
        page = self.client(program, "top", "--metrics", f"127.0.0.1:{program.metrics_port}", "--count", "1", "--interval",
                           "100ms")
        for line in ("model     shapes-small", "sessions  ", "sweeps    ", "disk      ", "memory    ", "transformer_layers"):
            self.assertIn(line, page)

    def refused(self, *flags):
        pack = self.path("pack")
        if not os.path.exists(pack):
            subprocess.run([os.path.join(BIN, "longtake-pack"), "pack", MODEL, pack], check=True, capture_output=True)
        done = subprocess.run([os.path.join(BIN, "longtaked"), "--pack", pack, "--listen", "127.0.0.1:0",
                               "--metrics-listen", "127.0.0.1:0", *flags],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_system_without_memory_or_threads_is_one_clear_line(self):
        """Address space runs out at one place of the start after the other: buffers, workers, gRPC's threads."""
        pack = self.path("pack")
        subprocess.run([os.path.join(BIN, "longtake-pack"), "pack", MODEL, pack], check=True, capture_output=True)
        refused = 0
        for mib in range(250, 8000, 50):  # the more processors, the more threads
            process = subprocess.Popen(
                ["prlimit", f"--as={mib << 20}", os.path.join(BIN, "longtaked"), "--pack", pack, "--listen",
                 "127.0.0.1:0", "--kv-bytes", "64MiB", "--tokens-per-sweep", "2048", "--port-file",
                 self.path(f"port-{mib}")], stderr=subprocess.PIPE, text=True)
            self.addCleanup(process.communicate)
            self.addCleanup(process.kill)
            while process.poll() is None and not os.path.exists(self.path(f"port-{mib}")):
                time.sleep(0.01)
            if process.poll() is None:  # it serves
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(60), 0)
                break
            told = [line for line in process.stderr.read().splitlines() if line.startswith("longtaked: ")]
            self.assertEqual((process.returncode, len(told)), (1, 1), told)
            self.assertRegex(told[0], "cannot allocate|no more memory|thread cannot be started")
            refused += 1
        self.assertGreater(refused, 3)
        self.assertEqual(process.returncode, 0, "the last one served")

    def test_a_gpu_is_refused_by_reason(self):
        """Where there is none: what CUDA says, or that this build has none. Where there is one: what it lacks."""
        for flags in ((), ("--calibration", self.path("calibration.json"))):
            told = [line for line in self.refused("--numerics-profile", "cuda-sm90-bf16-v1", *flags).splitlines()
                    if line.startswith("longtaked: ")]
            self.assertEqual(len(told), 1, told)
            self.assertRegex(told[0], "numerics profile cuda-sm90-bf16-v1: (CUDA: |this build has no CUDA|CUDA has no "
                                      "|cannot load libcu|.* is no GPU of )")

    def test_too_little_memory_is_refused_by_name(self):
        told = self.refused("--memory-budget", "1MiB")
        self.assertIn("memory-budget", told)
        self.assertIn("activations (tokens-per-sweep)", told)
        self.assertIn("64 MiB for sessions (session-bytes)", told, "a session needs its outbox")
        self.assertIn("kv-bytes: must be at least 64KiB", self.refused("--kv-bytes", "1KiB"))
        self.assertIn("kv-file", self.refused("--kv-file", "/nowhere"))


if __name__ == "__main__":
    unittest.main()
