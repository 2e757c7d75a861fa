# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What the judge sees of takes of real servers: one pack or numerics profile against another.

usage: judge_packs.py --bin ../../build/release/bin --count 40 PACK[:NUMERICS_PROFILE] ...
"""

import argparse
import glob
import json
import os
import subprocess
import tempfile
import time

import numpy as np
from PIL import Image

import captions
import judge
import world


def serve(options, pack, profile, folder):
    port_file = os.path.join(folder, "port")
    command = [f"{options.bin}/longtaked", "--pack", pack, "--listen", "127.0.0.1:0", "--port-file",
               port_file, "--metrics-listen", "", "--log-level", "error"]
    server = subprocess.Popen(command + (["--numerics-profile", profile] if profile else []))
    while not (os.path.exists(port_file) and os.path.getsize(port_file)):
        assert server.poll() is None, "longtaked ended"
        time.sleep(0.05)
    with open(port_file, encoding="ascii") as file:
        return server, file.read().strip()


def take(options, port, prompt, seed):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([f"{options.bin}/longtake", "--server", f"127.0.0.1:{port}", "generate",
                        "--quiet", "--prompt", prompt, "--seed", str(seed), "--duration", "2063ms",
                        "--out", out + "/"], check=True, stdout=subprocess.DEVNULL)
        return np.stack([np.asarray(Image.open(p)) for p in sorted(glob.glob(out + "/*.png"))])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="../../build/release/bin")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("packs", nargs="+")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed + 31337)
    scenes = [world.draw_scene(rng) for _ in range(options.count)]
    prompts = [captions.caption(rng, scene) for scene in scenes]
    for name in options.packs:
        pack, _, profile = name.partition(":")
        with tempfile.TemporaryDirectory() as folder:
            server, port = serve(options, pack, profile, folder)
            rows = [judge.judge_clip(scene, take(options, port, prompt, i))
                    for i, (scene, prompt) in enumerate(zip(scenes, prompts))]
            server.terminate()
            server.wait()
        print(name, json.dumps({key: round(float(np.mean([r[key] for r in rows])), 3)
                                for key in rows[0]}), flush=True)


if __name__ == "__main__":
    main()
