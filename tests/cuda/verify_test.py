#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""tools/gpu/verify.sh with a made-up bundle, whose programs are scripts: what it says, and with which code it ends."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.environ["LONGTAKE_SOURCE_DIR"]
TOOLS = os.path.join(ROOT, "tools", "gpu")
BENCH = """case $1 in
card) echo '{"what":"card"}'; echo 'A card, sm_90' ;;
copies) echo '{"what":"copy","ms":1}' ;;
ops) echo '{"what":"op","ms":2}' ;;
esac
"""
NO_CARD = "echo 'no card \\ \"at all\"'; exit 77\n"
# Steps may take a second, whatever their limit.
TIMEOUT = '[ "$1" = -k ] || exec /usr/bin/timeout "$@"\necho "$3" >> "$LIMITS"; shift 3; exec /usr/bin/timeout -k 1 1 "$@"\n'


class VerifyTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.bundle = self.path("bundle")

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        path = self.path(*name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def make(self, seconds_max=535, **programs):
        shutil.rmtree(self.bundle, ignore_errors=True)
        programs = {"longtake_gpu_bench": BENCH, "gpu_kernels_test": "echo fine\n", "gpu_ops_test": "echo fine\n",
                    **programs}
        for name, text in programs.items():
            self.write(f"bundle/bin/{name}", f"#!/bin/bash\n{text}")
        self.write("bundle/bundle.txt", "commit abc with changes\nmade today\ncublas_lt_major 13\ncudnn_major 9\n")
        with open(os.path.join(TOOLS, "verify.sh"), encoding="utf-8") as file:
            self.write("bundle/verify.sh", file.read().replace("seconds_max=535", f"seconds_max={seconds_max}"))
        shutil.copy(os.path.join(TOOLS, "find_libs.py"), self.bundle)
        lines = []
        for folder, _, files in os.walk(self.bundle):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                lines.append(f"{digest}  {os.path.relpath(os.path.join(folder, name), self.bundle)}\n")
        self.write("bundle/MANIFEST", "".join(lines))
        self.write("path/timeout", f"#!/bin/bash\n{TIMEOUT}")
        self.write("path/compute-sanitizer", "#!/bin/bash\necho clean\n")
        self.write("path/nvidia-smi", "#!/bin/bash\necho A card, 580\n")

    def verify(self, *arguments, **environment):
        """Exit code, what was printed, and the results."""
        environment = {"PATH": f"{self.path('path')}:/usr/bin:/bin", "OUT": self.path("out"),
                       "LIMITS": self.path("limits"), **environment}
        done = subprocess.run([os.path.join(self.bundle, "verify.sh"), *arguments], env=environment, check=False,
                              capture_output=True, text=True, timeout=60)
        with open(self.path("out", "results.jsonl"), encoding="utf-8") as file:
            results = [json.loads(line) for line in file]
        return done.returncode, done.stdout + done.stderr, results

    def test_steps_run_in_order_and_say_what_is_absent(self):
        self.make()
        code, text, results = self.verify()
        self.assertEqual(code, 0, text)
        self.assertEqual(results[0]["run"]["commit"], "abc with changes")
        steps = [line["step"] + " " + line["status"] for line in results if "status" in line]
        self.assertEqual(steps, ["env passed", "test passed", "test passed", "copies passed", "disk absent",
                                 "ops passed", "chunk absent", "vae absent", "stream absent", "peer absent", "sanitizer passed",
                                 "sanitizer passed", "durable absent"])
        figures = [line["figure"] for line in results if "figure" in line]
        self.assertEqual(figures, [{"what": "card"}, {"what": "copy", "ms": 1}, {"what": "op", "ms": 2}])
        with open(self.path("limits"), encoding="utf-8") as file:
            self.assertLessEqual(sum(int(line) for line in file), 530)

    def test_quick_ends_after_the_tests(self):
        self.make()
        code, _, results = self.verify("quick")
        self.assertEqual(code, 0)
        self.assertEqual([line["step"] for line in results if "status" in line], ["env", "test", "test"])

    def test_other_modes_are_refused(self):
        self.make()
        for mode, said in (("tune", "tune is absent"), ("fast", "no mode fast")):
            done = subprocess.run([os.path.join(self.bundle, "verify.sh"), mode], check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, said in done.stderr), (2, True), done)

    def test_without_a_card_it_skips_loudly(self):
        self.make(longtake_gpu_bench=NO_CARD, gpu_kernels_test=f"touch {self.path('ran')}\n")
        code, text, results = self.verify()
        self.assertEqual(code, 77)
        self.assertIn('SKIPPED, no GPU: no card \\ "at all"\nNOTHING was verified', text)
        self.assertEqual(results[-1]["status"], "skipped")
        self.assertEqual(results[-1]["why"], 'no card \\ "at all"')
        self.assertFalse(os.path.exists(self.path("ran")))
        self.assertEqual(self.verify(LONGTAKE_REQUIRE_GPU="1")[0], 1)

    def test_a_bundle_that_is_not_whole_is_named_and_not_run(self):
        for spoil, named in (
                (lambda path: os.remove(path), "bin/gpu_ops_test: No such file or directory"),
                (lambda path: self.write("bundle/bin/gpu_ops_test", "other"), "bin/gpu_ops_test: FAILED"),
                (lambda path: os.remove(os.path.join(self.bundle, "MANIFEST")), "MANIFEST is missing")):
            with self.subTest(named):
                self.make(longtake_gpu_bench=f"touch {self.path('ran')}\n")
                spoil(os.path.join(self.bundle, "bin", "gpu_ops_test"))
                code, text, results = self.verify()
                self.assertEqual(code, 2)
                self.assertIn(named, text)
                self.assertIn(named, results[0]["why"])
                self.assertFalse(os.path.exists(self.path("ran")))

    def test_what_fails_is_told_and_the_rest_goes_on(self):
        self.make(gpu_kernels_test="echo bad bits; exit 3\n", gpu_ops_test="sleep 30\n")
        code, _, results = self.verify()
        self.assertEqual(code, 1)
        whys = [line["why"] for line in results if line.get("status") == "FAILED"]
        self.assertEqual(whys, ["gpu_kernels_test: exit code 3, bad bits", "gpu_ops_test: stopped after 60 s"])
        self.assertIn("ops passed", [line["step"] + " " + line["status"] for line in results if "status" in line])

    def test_all_together_have_an_end(self):
        self.make(seconds_max=0)
        code, _, results = self.verify()
        self.assertEqual(code, 1)
        self.assertIn("gpu_ops_test: no time was left", [line.get("why") for line in results])


if __name__ == "__main__":
    unittest.main()
