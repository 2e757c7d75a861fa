#!/usr/bin/python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The packages as somebody has them who installs one: what they hold, and a take with the archive's
programs after it was moved.
"""
import glob
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest

SOURCE = os.environ["LONGTAKE_SOURCE_DIR"]
BUILD = os.path.dirname(os.environ["LONGTAKE_BIN_DIR"])
PROGRAMS = ("longtake", "longtake-pack", "longtaked")
MUST_HOLD = [*(f"bin/{name}" for name in PROGRAMS), "bin/longtake-demo", "lib/systemd/system/longtaked.service",
             "share/doc/longtake/LICENSE", "share/doc/longtake/NOTICE", "share/doc/longtake/copyright",
             "share/doc/longtake/docs/install.md", "share/longtake/longtaked.yaml",
             "share/longtake/models/shapes-small/model_index.json", "share/longtake/proto/longtake/v1/longtake.proto"]
MAY_HOLD_IN = ("share/doc/longtake/", "share/longtake/models/shapes-small/", "share/longtake/proto/")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def output(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=200, **options).stdout


def version():
    return re.search(r"project\(longtake VERSION (\S+)", read(SOURCE, "CMakeLists.txt")).group(1)


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="longtake-package-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        output("cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"), "-B", cls.folder, cwd=BUILD)
        cls.debian, = glob.glob(os.path.join(cls.folder, "*.deb"))
        archive, = glob.glob(os.path.join(cls.folder, "*.tar.gz"))
        unpacked = os.path.join(cls.folder, "unpacked")
        with tarfile.open(archive) as tar:
            cls.files = [member.name.split("/", 1)[1] for member in tar if not member.isdir()]
            tar.extractall(unpacked)
        top, = os.listdir(unpacked)
        # Not where it was unpacked, and not where a careless script would find it.
        cls.home = os.path.join(cls.folder, "some where", "else")
        os.makedirs(os.path.dirname(cls.home))
        os.rename(os.path.join(unpacked, top), cls.home)

    def program(self, name):
        return os.path.join(self.home, "bin", name)

    def test_it_holds_what_it_should_and_nothing_else(self):
        self.assertEqual([name for name in MUST_HOLD if name not in self.files], [])
        self.assertEqual([name for name in self.files if name not in MUST_HOLD and not name.startswith(MAY_HOLD_IN)], [])
        listing = output("dpkg-deb", "--contents", self.debian).split("\n")
        of_debian = sorted(line.split(" ./usr/", 1)[1] for line in listing if line.startswith("-"))
        self.assertEqual(of_debian, sorted(self.files))

    def test_a_take_after_it_was_moved(self):
        cache = os.path.join(self.folder, "cache")
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.folder, "XDG_CACHE_HOME": cache}
        link = os.path.join(self.folder, "demo")
        os.symlink(self.program("longtake-demo"), link)
        output(link, "2", "a red circle", cwd=self.folder, env=environment)
        frames = output("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of",
                        "csv=p=0", os.path.join(self.folder, "demo.mp4"))
        self.assertGreaterEqual(int(frames.strip().rstrip(",")), 32)  # 2 s at 16 frames a second
        self.assertTrue(os.path.exists(os.path.join(cache, "longtake/demo/pack/manifest.json")))

    def test_the_debian_package_depends_on_what_its_programs_link(self):
        depends = output("dpkg-deb", "--field", self.debian, "Depends")
        for library in ("libc6", "libgrpc++1.51", "liburing2", "libavcodec59"):
            self.assertRegex(depends, rf"(^|, ){re.escape(library)}\b")

    def test_one_version(self):
        for name in PROGRAMS:
            self.assertEqual(output(self.program(name), "--version"), f"{name} {version()}\n")
        self.assertEqual(output("dpkg-deb", "--field", self.debian, "Version"), version() + "\n")
        self.assertEqual(re.search(r"^## ([\d.]+)", read(SOURCE, "CHANGELOG.md"), flags=re.M).group(1), version())

    def test_the_example_of_a_configuration_is_one(self):
        example = os.path.join(self.home, "share/longtake/longtaked.yaml")
        shown = output(self.program("longtaked"), "--config", example, "--print-config")
        self.assertRegex(shown, r"(?m)^pack: /srv/longtake/pack\s.*file")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here")
    def test_the_unit_is_sound_and_keeps_the_server_in(self):
        unit = os.path.join(self.folder, "longtaked.service")
        text = read(self.home, "lib/systemd/system/longtaked.service")
        with open(unit, "w", encoding="utf-8") as file:  # the program is not installed here
            file.write(text.replace("ExecStart=longtaked", "ExecStart=/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # Of 10; what is left is that it talks TCP and may be given more memory and descriptors.
        output("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit)


if __name__ == "__main__":
    unittest.main()
