#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The real program with its model in stages: a take's bytes are those of one stage, and a session that one cut of the
layers began goes on under another."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest

from longtaked_program import BIN, Program, ProgramDied

CORES = sorted(os.sched_getaffinity(0))
FIRST, LAST = CORES[0], CORES[-1]  # the same one where there is no other


def stages(*layers, memory=()):
    """Each stage's layers, on the first and the last core in turn."""
    flags = []
    for number, some in enumerate(layers):
        core = (FIRST, LAST)[number % 2]
        size = f",memory={memory[number]}" if memory else ""
        flags += ["--stage", f"device=cpu:{core},layers={some}{size}"]
    return flags


class StagesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="longtake-stages-")
        self.addCleanup(self.folder.cleanup)
        self.program = None
        self.addCleanup(lambda: self.program and self.program.close())

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def serve(self, *flags, port=0):
        if self.program:
            self.program.close()
        self.program = Program(self.folder.name, *flags, port=port)

    def start(self, out, seconds):
        return subprocess.Popen(
            [os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{self.program.port}", "generate", "--prompt",
             "a red circle", "--size", "48x32", "--duration", f"{seconds}s", "--seed", "5", "--quiet", "--out",
             self.path(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def finish(self, client, out):
        _, said = client.communicate(timeout=120)
        self.assertEqual(client.returncode, 0, said)
        with open(self.path(out), "rb") as file:
            return file.read()

    def generate(self, out, seconds=4):
        return self.finish(self.start(out, seconds), out)

    def log_of(self, event):
        lines = [json.loads(line) for line in self.program.read_log().splitlines()]
        return [line for line in lines if line["event"] == event]

    def test_take_is_the_same_wherever_its_layers_are(self):
        self.serve()
        expected = self.generate("whole.y4m")
        self.serve(*stages("0-3", "4-5"))
        self.assertEqual(self.generate("two.y4m"), expected)
        self.assertEqual(self.log_of("stage 1")[0]["layers"], "4-5")
        self.assertEqual(self.log_of("serving")[0]["layers_kept"], "6/6")
        # Each within memory of its own; of their layers some are read in each sweep.
        self.serve(*stages("0-1", "2-5", memory=("256MiB", "26MiB")), "--kv-bytes", "9MiB", "--kept-bytes", "3MiB")
        self.assertEqual(self.generate("little.y4m"), expected)
        for stage in (0, 1):
            self.assertGreater(self.log_of(f"stage {stage}")[0]["read_bytes_per_sweep"], 0)
        total = sum(self.log_of(f"memory of stage {stage}")[0]["total_bytes"] for stage in (0, 1))
        self.assertLessEqual(total, 282 << 20)
        self.assertIn(f"longtake_memory_budget_bytes {282 << 20}", self.program.metrics_page())

    def test_what_streams_on_one_stage_stays_in_memory_on_four(self):
        little = ("--kv-bytes", "12MiB", "--prompt-cache-bytes", "0", "--session-bytes", "80MiB", "--slots", "2")
        # With all that is there once, and a little for layers.
        self.serve("--stage", f"device=cpu:{FIRST},memory=128MiB", *little)
        self.assertGreater(self.log_of("serving")[0]["read_bytes_per_sweep"], 0)
        expected = self.generate("one.y4m")
        self.serve(*stages("0", "1-2", "3-4", "5", memory=("128MiB",) * 4), *little, "--trace", self.path("trace"))
        self.assertEqual(self.log_of("serving")[0]["read_bytes_per_sweep"], 0)
        self.assertEqual(self.generate("four.y4m"), expected)
        self.check_times_of_stages(self.program.metrics_page())
        self.program.process.terminate()
        self.program.process.wait()
        with open(self.path("trace"), encoding="utf-8") as file:
            trace = file.read()
        for track in ("transformer layers", "transformer 1 layers", "transformer 3 layers"):
            self.assertIn(f'"{track}"', trace)

    def check_times_of_stages(self, page):
        """Each stage computed, and waited while the others did: their times are the same in all."""
        self.assertIn("longtake_stages 4\n", page)
        series = [line.rsplit(" ", 1)[0] for line in page.splitlines() if not line.startswith("#")]
        self.assertEqual(len(series), len(set(series)), "Prometheus refuses a page that has one twice")
        seconds = {(int(stage), kind): float(value) for stage, kind, value in re.findall(
            r'longtake_stage_seconds_total{stage="(\d)",kind="(\w+)"} (\S+)', page)}
        whole = {stage: sum(seconds[stage, kind] for kind in ("busy", "layers", "rows")) for stage in range(4)}
        for stage in range(4):
            self.assertGreater(seconds[stage, "busy"], 0)
            self.assertAlmostEqual(whole[stage], whole[0], places=3)
            others = sum(seconds[other, "busy"] for other in range(4) if other != stage)
            self.assertGreaterEqual(seconds[stage, "rows"], others - 1e-3)

    def test_killed_session_goes_on_under_another_cut(self):
        kept = ("--state-dir", self.path("state"), "--resume-seconds-max", "0s")
        self.serve(*stages("0-1", "2-5"))
        expected = self.generate("straight.mp4", seconds=40)
        self.serve(*stages("0-1", "2-5"), *kept)
        port = self.program.port
        client = self.start("killed.mp4", seconds=40)
        for cut in (("0", "1-4", "5"), ("0-5",), ("0-4", "5")):
            size = os.path.getsize(self.path("killed.mp4")) if os.path.exists(self.path("killed.mp4")) else 0
            while not os.path.exists(self.path("killed.mp4")) or os.path.getsize(self.path("killed.mp4")) <= size:
                self.assertIsNone(client.poll(), "it ended before it was killed")
                time.sleep(0.02)
            self.program.process.kill()
            self.program.process.wait()
            self.serve(*stages(*cut), *kept, port=port)
        self.assertEqual(self.finish(client, "killed.mp4"), expected)
        resumed = self.log_of("session comes back")
        self.assertTrue(resumed and resumed[0]["from_snapshot_at"] > 0, self.program.read_log())

    def test_what_a_stage_cannot_be_is_said_with_its_number(self):
        for flags, why in (
                (("--stage", f"device=cpu:{FIRST}", "--stage", "device=cpu:1023"), "stage 1: device: core 1023"),
                (stages("0-3", "5"), "stage 1: layers: begin with 5, but 4"),
                (stages("0-3", "4-5", memory=("1GiB", "1MiB")), "stage 1: memory: 1 MiB are"),
                (("--stage", f"device=cpu:{FIRST}", "--stage", f"device=cpu:{LAST},path=/nowhere"),
                 "stage 1: path: open /nowhere"),
                (("--stage", f"device=cpu:{FIRST}", "--stage", f"device=cpu:{LAST},replica=1"), "stage 1: replica: "),
                (("--stage", f"device=cpu:{FIRST}", "--memory-budget", "1GiB"), "memory-budget: "),
                (("--stage", f"device=cpu:{FIRST}", "--calibration", self.path("calibration")), "calibration: ")):
            with self.assertRaises(ProgramDied) as died:
                self.serve(*flags)
            self.assertIn(why, str(died.exception), flags)


if __name__ == "__main__":
    unittest.main()
