#!/usr/bin/env python3
# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""How long do sessions of so many bytes take to the disk and back, against what their disk could do?

usage: PYTHONPATH=build/release/tests/server/stubs loadtest/snapshot_time.py [--bin build/release/bin] [--dir DIR]
                                    [--gigabytes 0.1,1,4] [--rounds 3] [--pack DIR]
                                    [--server-option=...]

For each size so many endless takes whose windows have that much K/V, and one more, all of them paused. The first ones
are parked and attached to, one after the other: the time until ParkSession answers, when all of it is on disk; until Stream says
Opened, when the session is ready for a sweep; and until its first frame, which it goes on for. Then SIGTERM: the time until the log
says that the last session, which is on disk then, has ended; the next program's first attach reads that one.
Before and after each time as many random bytes are written and synced, through the page cache and past it, of which the
better one counts, and read past it, in the same directory; the ratio is to the mean of both. --dir is the disk that counts.

The model is one that makes much K/V with little computing: a thousand narrow layers of random weights, a gigabyte that
is made once and lies in --dir while the script runs. Random K/V cannot be told from any other by a disk.
"""
import argparse
import datetime
import json
import mmap
import os
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import time

import grpc
from longtake.v1 import longtake_pb2 as v1
from longtake.v1 import longtake_pb2_grpc as v1_grpc

from serving import Server

LAYERS, HEADS, HEAD_DIM, FFN, TEXT_DIM = 1000, 2, 128, 16, 64
SIDE = 64  # pixels
FRAME = LAYERS * (SIDE // 16) ** 2 * HEADS * HEAD_DIM * 2 * 2  # bytes of K/V of a latent one
CHUNK = 3
BLOCK = 8 << 20


class Raw:
    """What the disk does with so many bytes, without us."""

    def __init__(self, directory):
        self.path = f"{directory}/raw"
        self.block = mmap.mmap(-1, BLOCK)
        self.block.write(os.urandom(BLOCK))

    def write(self, count):
        return min(self._write(count, flags) for flags in (0, os.O_DIRECT))

    def _write(self, count, flags):
        if os.path.exists(self.path):
            os.remove(self.path)
        begin = time.monotonic()
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
        for offset in range(0, count, BLOCK):
            assert os.pwrite(fd, self.block, offset) == BLOCK
        os.fsync(fd)
        os.close(fd)
        return time.monotonic() - begin

    def read(self, count):
        """Of what was written last."""
        begin = time.monotonic()
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECT)
        for offset in range(0, count, BLOCK):
            assert os.preadv(fd, [self.block], offset) == BLOCK
        os.close(fd)
        return time.monotonic() - begin


def drop_cached(directory):
    """What was read or written there is read from the disk again."""
    for folder, _, names in os.walk(directory):
        for name in names:
            fd = os.open(f"{folder}/{name}", os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class Take:
    """A session of ours; its stream is read as long as it lasts."""

    def __init__(self, stub):
        self.stub, self.name, self.stream = stub, None, None

    def open(self, seed, window):
        spec = v1.SessionSpec(prompt="a red circle", seed=seed, width=SIDE, height=SIDE, steps=[1000],
                              media_kind=v1.MEDIA_KIND_RGB24,
                              key_plan=v1.KeyPlan(kind=v1.KeyPlan.KIND_WINDOW, window_frames=window))
        pause = v1.Control(id=1, pause={}, frame=(window - 1) * 4 + 1)
        self.stream = self.stub.Stream(iter([
            v1.StreamRequest(open=v1.CreateSessionRequest(spec=spec)), v1.StreamRequest(control=pause)]))
        self.name = self._until(lambda response: response.HasField("opened")).opened.session.name

    def _until(self, wanted):
        return next(response for response in self.stream if wanted(response))

    def await_pause(self):
        self._until(lambda response: response.HasField("receipt") and response.receipt.HasField("applied_chunk"))

    def park(self):
        begin = time.monotonic()
        self.stub.ParkSession(v1.ParkSessionRequest(name=self.name))
        return time.monotonic() - begin

    def come_back(self, stub):
        """Seconds until it is ready for a sweep, and until its first frame."""
        begin = time.monotonic()
        self.stream = stub.Stream(iter([v1.StreamRequest(attach=v1.Attach(name=self.name)),
                                        v1.StreamRequest(control=v1.Control(id=2, resume={}))]))
        self._until(lambda response: response.HasField("opened"))
        ready = time.monotonic() - begin
        self._until(lambda response: response.HasField("chunk"))
        return ready, time.monotonic() - begin


class Table:
    """Times beside those of the disk alone, before and after."""

    def __init__(self, raw, gigabytes):
        self.raw, self.gigabytes, self.rows = raw, gigabytes, {}

    def add(self, what, count, raw, measure):
        before = raw(count)
        seconds, *more = measure()
        self.rows.setdefault(what, []).append((seconds, (before + raw(count)) / 2, *more))

    def show(self):
        for what, rows in self.rows.items():
            seconds, alone, *more = (statistics.median(column) for column in zip(*rows))
            ratios = [row[0] / row[1] for row in rows]
            print(f"| {self.gigabytes:.2f} | {what} | {seconds:.3f} | {alone:.3f} | {statistics.median(ratios):.2f} "
                  f"({min(ratios):.2f}-{max(ratios):.2f}) | {' '.join(f'{value:.2f}' for value in more)} |", flush=True)


def logged_at(log, what):
    line = next(line for line in reversed(log.splitlines()) if what in line)
    return datetime.datetime.fromisoformat(line.split()[0]).timestamp()


def stub_of(server):
    channel = grpc.insecure_channel(server.address, options=[("grpc.max_receive_message_length", -1),
                                                             ("grpc.enable_http_proxy", 0)])
    return v1_grpc.LongtakeServiceStub(channel)


def measure(options, pack, scratch, gigabytes):
    chunks = max(1, round(gigabytes * 1e9 / FRAME / CHUNK))
    frames, sessions = chunks * CHUNK, options.rounds + 1
    count, raw = frames * FRAME, Raw(scratch)
    state = f"{scratch}/state-{chunks}"
    # Snapshots of sessions that leave memory, and no others.
    flags = ["--state-dir", state, "--resume-seconds-max", "1ms", "--snapshot-bytes-per-hour", "1", "--default-ttl", "10m",
             "--kv-bytes", str(sessions * (count + 8 * FRAME)), "--prompt-tokens", "16", "--log-level", "info",
             "--attached-idle-timeout", "1h", "--start-frames=false", *options.server_option]
    table = Table(raw, count / 1e9)
    with Server(options.bin, pack, *flags) as server:
        takes = [Take(stub_of(server)) for _ in range(sessions)]
        begin = time.monotonic()
        for seed, take in enumerate(takes):
            take.open(seed, frames + CHUNK)
        for take in takes:
            take.await_pause()
        print(f"filled in {time.monotonic() - begin:.0f} s", flush=True)
        for take in takes[:-1]:
            table.add("park", count, raw.write, lambda: [take.park()])
            drop_cached(state)
            table.add("attach", count, raw.read, lambda: take.come_back(take.stub))
            take.stub.DeleteSession(v1.DeleteSessionRequest(name=take.name))

        def drain():
            server.process.send_signal(signal.SIGTERM)
            server.process.wait()
            begin, end = (logged_at(server.log(), what) for what in (" info draining ", " info session ended "))
            return [end - begin]
        table.add("drain", count, raw.write, drain)
    drop_cached(state)
    with Server(options.bin, pack, *flags) as server:
        table.add("attach, next program", count, raw.read, lambda: takes[-1].come_back(stub_of(server)))
        assert "snapshot=0" not in server.log(), server.log()
    shutil.rmtree(state)
    table.show()


def transformer_tensors():
    """Name and shape, as docs/spec.md 1.3 has them."""
    width = HEADS * HEAD_DIM

    def linear(name, out, wide):
        return [(f"{name}.weight", [out, *wide]), (f"{name}.bias", [out])]
    yield from linear("patch_embedding", width, [16, 1, 2, 2])
    yield from linear("condition_embedder.time_embedder.linear_1", width, [256])
    yield from linear("condition_embedder.time_embedder.linear_2", width, [width])
    yield from linear("condition_embedder.time_proj", 6 * width, [width])
    yield from linear("condition_embedder.text_embedder.linear_1", width, [TEXT_DIM])
    yield from linear("condition_embedder.text_embedder.linear_2", width, [width])
    yield "scale_shift_table", [1, 2, width]
    yield from linear("proj_out", 64, [width])
    for layer in range(LAYERS):
        block = f"blocks.{layer}"
        yield f"{block}.scale_shift_table", [1, 6, width]
        for attention in (f"{block}.attn1", f"{block}.attn2"):
            for part in ("to_q", "to_k", "to_v", "to_out.0"):
                yield from linear(f"{attention}.{part}", width, [width])
            yield f"{attention}.norm_q.weight", [width]
            yield f"{attention}.norm_k.weight", [width]
        yield f"{block}.norm2.weight", [width]
        yield f"{block}.norm2.bias", [width]
        yield from linear(f"{block}.ffn.net.0.proj", FFN, [width])
        yield from linear(f"{block}.ffn.net.2", width, [FFN])


def write_transformer(directory):
    """Random bf16 of either sign, 0.03 to 0.06."""
    os.makedirs(directory)
    with open(f"{directory}/config.json", "w", encoding="utf-8") as file:
        json.dump({"_class_name": "WanTransformer3DModel", "patch_size": [1, 2, 2], "num_attention_heads": HEADS,
                   "attention_head_dim": HEAD_DIM, "in_channels": 16, "out_channels": 16, "text_dim": TEXT_DIM,
                   "freq_dim": 256, "ffn_dim": FFN, "num_layers": LAYERS, "cross_attn_norm": True,
                   "qk_norm": "rms_norm_across_heads", "eps": 1e-6, "rope_max_seq_len": 1024}, file)
    header, end = {}, 0
    for name, shape in transformer_tensors():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    noise = bytearray(os.urandom(4 << 20))
    noise[0::2] = bytes(value & 0x7F for value in noise[0::2])
    noise[1::2] = bytes(value & 0x80 | 0x3D for value in noise[1::2])
    with open(f"{directory}/diffusion_pytorch_model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for offset in range(0, end, len(noise)):
            file.write(noise[:end - offset])


def make_pack(options, directory):
    model, pack = f"{directory}/model", f"{directory}/pack"
    shutil.copytree("models/shapes-small", model, ignore=shutil.ignore_patterns("transformer"))
    write_transformer(f"{model}/transformer")
    subprocess.run([f"{options.bin}/longtake-pack", "pack", model, pack], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(model)
    return pack


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--dir")
    parser.add_argument("--gigabytes", default="0.1,1,4")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pack")
    parser.add_argument("--server-option", action="append", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as scratch:
        pack = options.pack or make_pack(options, scratch)
        print("| GB | | s | disk alone, s | ratio | first frame s |\n|---|---|---|---|---|---|", flush=True)
        for gigabytes in map(float, options.gigabytes.split(",")):
            measure(options, pack, scratch, gigabytes)


if __name__ == "__main__":
    main()
