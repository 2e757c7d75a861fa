# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Programs that take turns: each runs a round when it is asked and answers with a line of JSON."""

import json
import statistics
import subprocess
import tempfile


class Asked:
    """A program that prints "ready" and then answers each line on its standard input."""

    def __init__(self, command, cgroup=None, env=None):
        self.cgroup = cgroup
        self.told = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.told, text=True, env=env,
            preexec_fn=cgroup.enter if cgroup else None)
        line = self.process.stdout.readline()
        if line.strip() != "ready":
            self.end()
            raise RuntimeError(f"{command[0]}: {line} {self.last_words()}")

    def last_words(self):
        self.told.seek(0)
        return self.told.read()[-2000:]

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"ended with {self.process.wait()}: {self.last_words()}")
        return json.loads(answer)

    def end(self):
        self.process.terminate()
        self.process.wait()


def spread(values):
    """Median, quartiles."""
    values = sorted(values)
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def show(values, form="{:.2f}"):
    middle, low, high = spread(values)
    return f"{form} ({form}-{form})".format(middle, low, high)
