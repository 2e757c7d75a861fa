#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The real client against the real server: every output it writes, every command, and what it says
when it is asked for nonsense. One take is always the same take, so its digest is compared.
"""
import os
import re
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from longtaked_program import BIN, Program

PROMPT = "a red circle moving to the right on a white background"
FRAMES = 21
TAKE = ["--prompt", PROMPT, "--seed", "5", "--size", "48x32", "--duration", "1313ms"]


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="longtake-client-")
        cls.program = Program(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.program.close()
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def command(self, *arguments):
        return [os.path.join(BIN, "longtake"), "--server", f"127.0.0.1:{self.program.port}",
                *arguments]

    def run_client(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code,
                         (arguments, done.stderr.decode(errors="replace")))
        return done

    def take(self, out, *arguments):
        """-> digest of a whole take written to out."""
        done = self.run_client("generate", *TAKE, "--out", out, *arguments)
        text = (done.stderr if out == "-" else done.stdout).decode()
        self.assertIn(f"{FRAMES} frames in 2 chunks", text)
        return re.search(r"digest +([0-9a-f]{32})", text).group(1), done

    def frames_of(self, path):
        probe = subprocess.run(
            ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
             "stream=nb_read_frames,width,height", "-of", "csv=p=0", path],
            capture_output=True, check=True, text=True)
        return probe.stdout.strip()

    def test_every_output_is_the_same_take(self):
        digests = set()
        for name in ("take.mp4", "take.y4m", "sheet.png", "frames/"):
            digests.add(self.take(self.path(name))[0])
        digest, done = self.take("-")
        digests.add(digest)
        self.assertEqual(len(digests), 1, digests)
        self.assertEqual(self.frames_of(self.path("take.mp4")), f"48,32,{FRAMES}")
        self.assertEqual(self.frames_of(self.path("take.y4m")), f"48,32,{FRAMES}")
        with open(self.path("take.mp4"), "rb") as file:
            self.assertEqual(done.stdout, file.read(), "a pipe gets the file's bytes")
        frames = sorted(os.listdir(self.path("frames")))
        self.assertEqual(len(frames), FRAMES)
        for name in ("frames/" + frames[-1], "sheet.png"):
            with open(self.path(name), "rb") as file:
                header = file.read(24)
            self.assertEqual(header[:8], b"\x89PNG\r\n\x1a\n")
            width, height = struct.unpack(">II", header[16:])
            self.assertEqual((width, height) == (48, 32), name != "sheet.png", (name, width, height))

    def test_prompt_changes_go_by_their_times(self):
        for beyond in ("9s", "1.3s"):
            done = self.run_client("generate", *TAKE, "--out", self.path("b.mp4"),
                                   "--prompt-at", beyond + "=a blue square", code=1)
            self.assertIn(b"spec.prompt_changes[0].frame: no chunk begins", done.stderr)
        long = ["generate", *TAKE[:-2], "--duration", "6s", "--out", self.path("c.y4m")]
        digest = lambda done: re.search(rb"digest +([0-9a-f]{32})", done.stdout).group(1)
        before = digest(self.run_client(*long))
        change = ["--prompt-at", "2s=a blue square on black"]
        done = self.run_client(*long, *change)
        changed = digest(done)
        self.assertNotEqual(changed, before)
        self.assertIn(b'on black" from 2.06 s on (chunk 3)', done.stderr)
        # A player that reads slowly gets the same take: its time is part of what was asked for.
        slow = subprocess.Popen(self.command(*long[:-1], "-", *change), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        while slow.stdout.read(1 << 10):
            time.sleep(0.02)
        self.assertEqual(slow.wait(), 0)
        told = slow.stderr.read()
        self.assertEqual(re.search(rb"digest +([0-9a-f]{32})", told).group(1), changed)

    def test_a_change_that_is_too_long_is_refused(self):
        done = self.run_client("generate", *TAKE, "--out", self.path("d.mp4"),
                               "--prompt-at", "0s=" + "x" * 20000, code=1)
        self.assertIn(b"spec.prompt_changes[0].prompt", done.stderr)

    def test_nonsense_is_one_clear_line(self):
        cases = [
            (["--size", "50x50"], "spec.width"),
            (["--size", "wide"], "--size"),
            (["--duration", "10"], "--duration"),
            (["--key-plan", "window:1:1000"], "spec.key_plan"),
            (["--key-plan", "window:1:-1000"], "--key-plan"),
            (["--key-plan", "ring:3"], "--key-plan"),
            (["--steps", "1,2"], "spec.steps"),
            (["--steps", "many"], "--steps"),
            (["--prompt", b"\xff"], "--prompt is not UTF-8"),
            (["--prompt-at", b"0s=\xff"], "--prompt-at is not UTF-8"),
            (["--prompt-at", "soon=a"], "--prompt-at"),
            (["--prompt-at", "a blue square"], "--prompt-at"),
            (["--out", self.path("take.gif")], "take.gif"),
            (["--out", self.path("log/take.mp4")], "log"),
        ]
        for arguments, word in cases:
            usual = [x for option, value in (("--duration", "1s"), ("--out", self.path("e.mp4")))
                     if option not in arguments for x in (option, value)]
            done = self.run_client("generate", "--quiet", *usual, *arguments, code=1)
            text = done.stderr.decode(errors="replace")
            self.assertIn(word, text, arguments)
            self.assertEqual(len(text.splitlines()), 1, text)

    def test_what_the_server_refuses_names_the_option(self):
        for option, value in (("--steps", "1,2"), ("--guidance", "51"), ("--ttl", "2h"), ("--key-plan", "window:1")):
            for command in (["estimate"], ["generate", "--out", self.path("e.mp4")]):
                done = self.run_client(*command, option, value, code=1)
                self.assertTrue(done.stderr.decode().endswith(f" ({option})\n"), done.stderr)

    def test_a_word_that_is_no_command_is_told_those_there_are(self):
        for program, known in (("longtake", "generate, attach, fetch, sessions, list, get, delete, models, estimate, "
                                            "top, doctor"),
                               ("longtake-pack", "pack, synth, spread, show, verify")):
            for words in (["foo"], ["foo", "bar", "--baz"]):
                done = subprocess.run([os.path.join(BIN, program), *words], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stderr, f'{program}: there is no command "foo"; there are {known}\n')
            for words in ([], ["--foo"]):
                done = subprocess.run([os.path.join(BIN, program), *words], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn("--help", done.stderr)
            done = subprocess.run([os.path.join(BIN, program), "--help"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0)
            self.assertIn(f"Usage: {program} ", done.stdout)

    def test_another_numerics_profile_is_refused_or_marked(self):
        digest, _ = self.take(self.path("mine.mp4"), "--numerics-profile", "cpu-fma-chain-v1")
        other = ["--numerics-profile", "cpu-of-tomorrow-v1"]
        done = self.run_client("generate", *TAKE, "--out", self.path("other.mp4"), *other, code=1)
        self.assertIn(b"in numerics profile cpu-fma-chain-v1, not cpu-of-tomorrow-v1", done.stderr)
        again, done = self.take(self.path("other.mp4"), *other, "--any-numerics")
        self.assertEqual(again, digest)
        self.assertIn(b"not bit-identical", done.stderr)

    def test_a_take_begins_with_a_picture_or_a_video(self):
        self.take(self.path("first/"))
        self.take(self.path("first.mp4"))
        picture = os.path.join(self.path("first"), sorted(os.listdir(self.path("first")))[-1])
        again = set()
        for source in (self.path("first.mp4"), picture):
            out = self.path("on.mp4")
            done = self.run_client("generate", "--prompt", PROMPT, "--size", "48x32", "--duration",
                                   "2063ms", "--from", source, "--out", out)
            self.assertIn("33 frames in 3 chunks", done.stdout.decode())
            self.assertEqual(self.frames_of(out), "48,32,33")
            again.add(re.search(r"digest +([0-9a-f]{32})", done.stdout.decode()).group(1))
        self.assertEqual(len(again), 2)
        for arguments, word in ((["--from", "/nonexistent.png"], "/nonexistent.png"),
                                (["--from", picture, "--from-frames", "8"], "--from-frames"),
                                (["--from", self.path("first.mp4"), "--duration", "1s"],
                                 "spec.start_frame_count")):
            done = self.run_client("generate", "--quiet", *arguments, "--size", "48x32", "--out",
                                   self.path("e.mp4"), code=1)
            self.assertIn(word, done.stderr.decode())

    def test_commands_on_sessions(self):
        # A reader that dies leaves its session for the ttl.
        reader = subprocess.Popen(
            self.command("generate", "--prompt", "a lonely disc", "--size", "48x32", "--ttl", "1m",
                         "--out", "-"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        reader.stdout.read(1)
        reader.kill()
        reader.communicate()
        listed = self.run_client("list").stdout.decode()
        name = re.search(r"(sessions/\S+) .*a lonely disc", listed).group(1)
        self.assertIn(name, self.run_client("get", name).stdout.decode())
        attached = subprocess.Popen(self.command("attach", name, "--keep", "--out", self.path("f.mp4")),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1)
        attached.send_signal(signal.SIGINT)
        out, error = attached.communicate(timeout=60)
        self.assertEqual(attached.returncode, 0, error)
        frames = int(re.search(rb"(\d+) frames", out).group(1))
        self.assertEqual(self.frames_of(self.path("f.mp4")), f"48,32,{frames}")
        self.run_client("delete", name)
        self.assertIn(b"no session", self.run_client("get", name, code=1).stderr)

    def test_models_estimate_and_a_missing_server(self):
        self.assertIn(b"models/shapes-small", self.run_client("models").stdout)
        self.assertIn(b"admi", self.run_client("estimate", *TAKE).stdout)
        done = subprocess.run([os.path.join(BIN, "longtake"), "--server", "127.0.0.1:1", "list"],
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"127.0.0.1:1", done.stderr)

    def test_doctor_says_what_to_do(self):
        done = subprocess.run(self.command("doctor"), capture_output=True, timeout=120, check=False)
        lines = done.stdout.decode().splitlines()
        for word in ("processor", "numerics", "io_uring", "memlock", "memory", "cgroup", "disk rate",
                     "free space", "port 7767"):
            self.assertTrue(any(word in line for line in lines), (word, lines))

    def test_doctor_looks_at_layer_paths(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("a", "b")]
            for path in paths:
                os.mkdir(path)
            options = [f"--layer-path={path}" for path in paths]
            done = subprocess.run(self.command("doctor", *options), capture_output=True, timeout=120, check=False)
            text = done.stdout.decode()
            self.assertIn(f"{paths[0]} and {paths[1]} are on one disk", text)
            self.assertEqual(text.count("disk rate"), 3, text)
            alone = subprocess.run(self.command("doctor", options[0]), capture_output=True, timeout=120, check=False)
            self.assertIn(b"on 1 disk", alone.stdout)
            options.append(f"--layer-path={folder}/none")
            done = subprocess.run(self.command("doctor", *options), capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"--layer-path: ", done.stderr)
        self.assertIn(b"/none", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
