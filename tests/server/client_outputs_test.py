#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What the client does to files that are there already, and to its session when it gives up.

A take is hours of computing: nothing that is refused may cost a file. And a session that nobody can
want any more must not go on for its ttl.
"""
import os
import signal
import subprocess
import tempfile
import time
import unittest

from longtake.v1 import longtake_pb2
from longtake.v1 import longtake_pb2_grpc
from longtaked_program import BIN, MODEL, Program, connect

SHORT = ["--prompt", "a red circle", "--size", "48x32", "--duration", "1313ms"]
ENDLESS = SHORT[:-2]
# A chunk takes long enough for a signal to come before the first one.
SLOW = ["--prompt", "a red circle", "--size", "384x384"]
OLD = b"hours of computing"


class ClientOutputsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server_folder = tempfile.TemporaryDirectory(prefix="longtake-outputs-")
        cls.program = Program(cls.server_folder.name)
        cls.channel = connect(cls.program.port)
        cls.stub = longtake_pb2_grpc.LongtakeServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.program.close()
        cls.server_folder.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="longtake-outputs-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def old_file(self, name):
        with open(self.path(name), "wb") as file:
            file.write(OLD)
        return self.path(name)

    def content(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def command(self, *arguments, port=None):
        return [os.path.join(BIN, "longtake"), "--server",
                f"127.0.0.1:{port or self.program.port}", *arguments]

    def run_client(self, *arguments, code=0, port=None, **streams):
        streams = {"stdout": subprocess.PIPE, **streams}
        done = subprocess.run(self.command(*arguments, port=port), stderr=subprocess.PIPE,
                              timeout=120, check=False, **streams)
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        return done

    def start_client(self, *arguments):
        client = subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        return client

    def sessions(self):
        return self.stub.ListSessions(longtake_pb2.ListSessionsRequest()).sessions

    def wait_until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)

    def wait_for_session(self):
        self.wait_until(self.sessions)
        return self.sessions()[0].name

    def assert_no_session(self):
        self.assertEqual([s.name for s in self.sessions()], [])

    def delete_all(self):
        for session in self.sessions():
            self.stub.DeleteSession(longtake_pb2.DeleteSessionRequest(name=session.name))

    # Files that are there.

    def test_what_is_refused_costs_no_file(self):
        for name in ("take.mp4", "take.y4m", "sheet.png"):
            out = self.old_file(name)
            for arguments, port in ((["generate", *SHORT], 1),
                                    (["generate", "--size", "100x100"], None),
                                    (["generate", *SHORT, "--seed", "-1"], None),
                                    (["generate", *SHORT, "--from", "/nonexistent.png"], None),
                                    (["attach", "sessions/none"], None)):
                self.run_client(*arguments, "--out", out, code=1, port=port)
                self.assertEqual(self.content(name), OLD, arguments)

    def test_a_session_that_ends_without_a_chunk_costs_no_file(self):
        out = self.old_file("take.mp4")
        spec = longtake_pb2.SessionSpec(prompt="x", width=48, height=32, start_frame_count=9,
                                        frame_count=21)
        name = self.stub.CreateSession(
            longtake_pb2.CreateSessionRequest(spec=spec)).session.name
        client = self.start_client("attach", name, "--out", out)
        self.wait_until(lambda: self.sessions()[0].attached)
        self.stub.DeleteSession(longtake_pb2.DeleteSessionRequest(name=name))
        self.assertEqual(client.wait(timeout=60), 1)
        self.assertEqual(self.content("take.mp4"), OLD)

    def test_nothing_is_made_for_what_is_refused(self):
        for name in ("new.mp4", "new/take.y4m", "new/sheet.png", "new/frames/"):
            self.run_client("generate", *SHORT, "--out", self.path(name), code=1, port=1)
        self.assertEqual(os.listdir(self.folder), [])

    def test_an_output_that_cannot_be_written_makes_no_session(self):
        self.old_file("file")
        os.mkdir(self.path("folder.mp4"))
        for name in ("file/take.mp4", "file/", "folder.mp4"):
            # No server would be asked.
            done = self.run_client("generate", *SHORT, "--out", self.path(name), code=1, port=1)
            self.assertIn(b"writing " + self.path(name.rstrip("/")).encode(), done.stderr)

    def test_the_source_is_never_the_output(self):
        source = self.path("take.mp4")
        self.run_client("generate", *SHORT, "--out", source)
        before = self.content("take.mp4")
        os.link(source, self.path("hard.mp4"))
        os.symlink("take.mp4", self.path("soft.mp4"))
        os.symlink(self.folder, self.path("there"))
        for name in ("take.mp4", "hard.mp4", "soft.mp4", "./take.mp4", "there/take.mp4"):
            done = self.run_client("generate", *SHORT[:-1], "4s", "--from", source, "--out",
                                   self.path(name), code=1)
            self.assertIn(b"--from and --out are the same file", done.stderr)
            self.assertEqual(self.content("take.mp4"), before)
        with open(source, "ab") as appended:
            self.run_client("generate", *SHORT[:-1], "4s", "--from", source, "--out", "-", code=1,
                            stdout=appended)
        self.assertEqual(self.content("take.mp4"), before)

    def test_a_folder_with_frames_is_refused_before_there_is_a_session(self):
        frames = self.path("frames/")
        self.run_client("generate", *SHORT, "--out", frames)
        before = sorted(os.listdir(frames))
        os.remove(frames + before.pop(0))
        for arguments in (["generate", *SHORT], ["attach", "sessions/none"]):
            done = self.run_client(*arguments, "--out", frames, code=1, port=1)
            self.assertIn(frames.encode() + b" holds 000001.png", done.stderr)
        self.assertEqual(sorted(os.listdir(frames)), before)

    def test_a_folder_with_other_files_is_fine(self):
        frames = self.path("frames/")
        os.mkdir(frames)
        for name in ("cover.png", "00001.png", "000000.png.txt", "notes"):
            self.old_file("frames/" + name)
        self.run_client("generate", *SHORT, "--out", frames)
        self.assertEqual(len(os.listdir(frames)), 4 + 21)

    def test_doctor_leaves_files_as_they_are(self):
        self.old_file("longtake-doctor.tmp")
        subprocess.run(self.command("doctor", "--dir", self.folder), capture_output=True,
                       timeout=120, check=False)
        self.assertEqual(self.content("longtake-doctor.tmp"), OLD)
        self.assertEqual(os.listdir(self.folder), ["longtake-doctor.tmp"])

    # Sessions that nobody can want.

    def test_a_take_that_is_over_leaves_no_session(self):
        for _ in range(3):
            self.run_client("generate", *SHORT, "--out", self.path("take.mp4"))
            self.assert_no_session()

    def test_a_full_disk_leaves_no_session(self):
        os.symlink("/dev/full", self.path("full.mp4"))
        os.symlink("/dev/full", self.path("full.y4m"))
        for name in ("full.mp4", "full.y4m"):
            done = self.run_client("generate", *ENDLESS, "--out", self.path(name), code=1)
            self.assertIn(b"No space left on device", done.stderr)
            self.assert_no_session()
        with open("/dev/full", "wb") as full:
            self.run_client("generate", *ENDLESS, "--out", "-", code=1, stdout=full)
        self.assert_no_session()

    def test_a_player_that_was_closed_leaves_no_session(self):
        client = self.start_client("generate", *ENDLESS, "--quiet", "--out", "-")
        client.stdout.read(1)
        client.stdout.close()
        self.assertEqual(client.wait(timeout=60), 1)
        self.assertIn(b"Broken pipe", client.stderr.read())
        self.assert_no_session()

    def test_the_first_interrupt_ends_the_take_and_its_session(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            client = self.start_client("generate", *ENDLESS, "--out", self.path("take.mp4"))
            self.wait_until(lambda: os.path.exists(self.path("take.mp4")))
            client.send_signal(number)
            out, error = client.communicate(timeout=60)
            self.assertEqual(client.returncode, 0, error)
            self.assertEqual(error.count(b"longtake: stopping after this chunk"), 1)
            self.assertEqual(len(error.splitlines()), 1)
            self.assertIn(b"frames in", out)
            self.assert_no_session()
            os.remove(self.path("take.mp4"))

    def test_interrupts_are_heard_before_the_first_chunk(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            out = self.old_file("take.mp4")
            client = self.start_client("generate", *SLOW, "--out", out)
            self.wait_for_session()
            client.send_signal(number)
            self.assertIn(b"stopping after this chunk", client.stderr.readline())
            client.send_signal(number)
            self.assertEqual(client.wait(timeout=60), -number)
            self.assert_no_session()
            self.assertEqual(self.content("take.mp4"), OLD)

    def test_the_second_interrupt_is_heard_while_a_player_stands_still(self):
        client = self.start_client("generate", *ENDLESS, "--out", "-")
        client.stdout.read(1)  # and no more: the pipe fills up
        session = self.wait_for_session()
        request = longtake_pb2.GetSessionRequest(name=session)
        self.wait_until(lambda: self.stub.GetSession(request).session.frame_count > 1000)
        client.send_signal(signal.SIGTERM)
        self.assertIn(b"stopping after this chunk", client.stderr.readline())
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(timeout=60), -signal.SIGINT)
        self.assert_no_session()

    def test_keep_leaves_the_session(self):
        self.addCleanup(self.delete_all)
        self.run_client("generate", *SHORT, "--keep", "--out", self.path("take.mp4"))
        session = self.wait_for_session()
        self.run_client("attach", session, "--from-chunk", "0", "--keep", "--out",
                        self.path("again.mp4"))
        self.assertEqual(self.content("again.mp4"), self.content("take.mp4"))
        nothing = self.run_client("attach", session, "--keep", "--out", self.path("no.mp4"), code=1)
        self.assertIn(b"no frame came, so nothing was written", nothing.stderr)
        self.assertFalse(os.path.exists(self.path("no.mp4")))
        self.run_client("attach", session, "--from-chunk", "0", "--out", self.path("once.mp4"))
        self.assertEqual(self.content("once.mp4"), self.content("take.mp4"))
        self.assert_no_session()

    def test_a_video_that_was_cut_off_is_gone_on_with(self):
        """Wherever the end is missing: the file is the one of a client that was never interrupted."""
        self.addCleanup(self.delete_all)
        self.run_client("generate", *SHORT, "--keep", "--out", self.path("whole.mp4"))
        session = self.wait_for_session()
        whole = self.content("whole.mp4")
        first = whole.index(b"moof") - 4
        second = whole.index(b"moof", first + 8) - 4
        cut = self.path("cut.mp4")
        for end in (first, first + 5, second - 1, second, second + 9, len(whole) - 1):
            with open(cut, "wb") as file:
                file.write(whole[:end])
            self.run_client("attach", session, "--keep", "--continue", cut)
            self.assertEqual(self.content("cut.mp4"), whole, end)
        done = self.run_client("attach", session, "--keep", "--continue", cut, code=1)
        self.assertIn(b"no frame came", done.stderr)
        self.assertEqual(self.content("cut.mp4"), whole)
        for other in (whole[:100], b"no video", whole[:first].replace(b"mvhd", b"mvhx") + whole[first:]):
            with open(cut, "wb") as file:
                file.write(other)
            self.run_client("attach", session, "--keep", "--continue", cut, code=1)
            self.assertEqual(self.content("cut.mp4"), other, "a file of others is not touched")
        for wrong in (["--continue", cut, "--out", self.path("a.mp4")], ["--continue", cut, "--from-chunk", "1"], []):
            self.assertNotEqual(subprocess.run(self.command("attach", session, *wrong), capture_output=True,
                                               timeout=60, check=False).returncode, 0)

    def test_an_attach_in_the_middle_says_so(self):
        self.addCleanup(self.delete_all)
        client = self.start_client("generate", *ENDLESS, "--keep", "--out", self.path("first.mp4"))
        self.wait_until(lambda: os.path.exists(self.path("first.mp4")))
        session = self.wait_for_session()
        client.kill()
        client.wait()
        attached = self.start_client("attach", session, "--out", self.path("second.mp4"))
        self.assertIn(b"the video begins with chunk", attached.stderr.readline())
        attached.send_signal(signal.SIGINT)
        attached.wait(timeout=60)

    def test_an_attach_that_was_mistaken_leaves_the_session(self):
        self.addCleanup(self.delete_all)
        self.run_client("generate", *SHORT, "--keep", "--out", self.path("take.mp4"))
        session = self.wait_for_session()
        done = self.run_client("attach", session, "--out", self.path("take.y4m"), code=1)
        self.assertIn(b"cannot be written as", done.stderr)
        self.assertEqual([s.name for s in self.sessions()], [session])

    def test_what_cannot_be_printed_is_an_error(self):
        with open("/dev/full", "wb") as full:
            for command in (["list"], ["models"], ["estimate", *SHORT]):
                done = self.run_client(*command, code=1, stdout=full)
                self.assertIn(b"No space left on device", done.stderr)

    # Numbers.

    def test_numbers_are_decimal_digits_and_nothing_else(self):
        texts = ["-1", "+1", " 1", "1 ", "0x10", "1e2", "1.5x", "", "99999999999999999999"]
        generate = ["generate", "--out", self.path("take.mp4")]
        cases = [(option, [*generate, option])
                 for option in ("--seed", "--fps", "--step-count", "--from-frames", "--guidance",
                                "--steps", "--duration", "--ttl", "--size", "--key-plan")
                 ] + [("--from-chunk", ["attach", "sessions/none", *generate[1:], "--from-chunk"]),
                      ("--count", ["top", "--count"]), ("--interval", ["top", "--interval"])]
        for option, command in cases:
            for text in texts:
                if option in ("--guidance", "--steps") and text in ("-1", texts[-1]):
                    continue  # numbers, whatever the server says of them
                done = self.run_client(*command[:-1], f"{command[-1]}={text}" if text else option,
                                       *([] if text else [""]), code=1, port=1)
                self.assertIn(f"longtake: {option}: ".encode(), done.stderr, (option, text))
        for size in ("48x-32", "48x+32", "48 x32", "48x32x1", "0x32", "48"):
            done = self.run_client(*generate, "--prompt", "x", "--size", size, code=1, port=1)
            self.assertIn(b"longtake: --size: ", done.stderr)
        for change in ("-1s=x", "-0s=x", "+1s=x", " 1s=x", "0x1s=x", "1=x", "=x", "nans=x"):
            done = self.run_client(*generate, "--prompt", "x", f"--prompt-at={change}", code=1,
                                   port=1)
            self.assertIn(b"longtake: --prompt-at: ", done.stderr)

    def test_the_packers_numbers_are_decimal_digits_too(self):
        for option in ("--layers", "--text-layers"):
            for text in ("-1", "+1", " 1", "0x1", "1001", "1.0", "99999999999999999999"):
                done = subprocess.run(
                    [os.path.join(BIN, "longtake-pack"), "synth", self.path("pack"), "--shape",
                     "wan-1.3b", "--model-dir", MODEL, f"{option}={text}"],
                    capture_output=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(f"longtake-pack: {option}: ".encode(), done.stderr)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
