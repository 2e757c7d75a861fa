# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""One forward of diffusers' WanTransformer3DModel per line of standard input, its weights on the disk.

usage: stream_peers.py accelerate|mmap TRANSFORMER_DIR --width 48 --height 48 [--resident-bytes N]

accelerate: load_checkpoint_and_dispatch with a device map of processor and disk; as much as
--resident-bytes allows stays in memory, the rest is read from the safetensors at each use.
mmap: every parameter is a view of the mapped safetensors file; the kernel reads and forgets pages.
Needs torch, diffusers, accelerate, safetensors.
"""
import argparse
import json
import os
import resource
import struct
import sys
import time

import torch
from accelerate import init_empty_weights, load_checkpoint_and_dispatch
from diffusers import WanTransformer3DModel

DTYPES = {"BF16": torch.bfloat16, "F32": torch.float32}


def empty_model(directory):
    config = WanTransformer3DModel.load_config(directory)
    with init_empty_weights():
        return WanTransformer3DModel.from_config(config).to(torch.bfloat16).eval()


def shards(directory):
    return [name for name in sorted(os.listdir(directory)) if name.endswith(".safetensors")]


def accelerate_model(directory, resident_bytes):
    # Whole blocks only; the device map is written out, as a planner of bytes would round up.
    model = empty_model(directory)
    block = sum(p.numel() for p in model.blocks[0].parameters()) * 2
    kept = min(resident_bytes // block, len(model.blocks))
    device_map = {name: "cpu" for name, _ in model.named_children() if name != "blocks"}
    device_map |= {name: "cpu" for name, _ in model.named_parameters(recurse=False)}
    device_map |= {f"blocks.{i}": "cpu" if i < kept else "disk" for i in range(len(model.blocks))}
    return load_checkpoint_and_dispatch(model, os.path.join(directory, shards(directory)[0]), device_map=device_map,
                                        dtype=torch.bfloat16, offload_folder=os.path.join(directory, "offload"))


def mapped_tensors(path):
    with open(path, "rb") as file:
        header_bytes = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(header_bytes))
    storage = torch.UntypedStorage.from_file(path, shared=False, nbytes=os.path.getsize(path))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        flat = torch.tensor([], dtype=torch.uint8).set_(storage, begin, (end - begin,))
        yield name, flat.view(DTYPES[entry["dtype"]]).view(entry["shape"])


def mmap_model(directory):
    model = empty_model(directory)
    tensors = {name: tensor for shard in shards(directory)
               for name, tensor in mapped_tensors(os.path.join(directory, shard))}
    model.load_state_dict(tensors, assign=True)
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("accelerate", "mmap"))
    parser.add_argument("directory")
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--height", type=int, default=48)
    parser.add_argument("--text-tokens", type=int, default=32)
    parser.add_argument("--resident-bytes", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.kind == "accelerate":
        model = accelerate_model(options.directory, options.resident_bytes)
    else:
        model = mmap_model(options.directory)
    torch.manual_seed(1)
    latents = torch.randn(1, 16, 3, options.height // 8, options.width // 8, dtype=torch.bfloat16)
    text = torch.randn(1, options.text_tokens, model.config.text_dim, dtype=torch.bfloat16)

    def forward():
        with torch.no_grad():
            return model(hidden_states=latents, timestep=torch.tensor([500]), encoder_hidden_states=text).sample

    forward()
    print("ready", flush=True)
    for _ in sys.stdin:
        before = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/io", encoding="ascii") as file:
            read = int(file.read().split("read_bytes: ")[1].split()[0])
        start = time.monotonic()
        forward()
        seconds = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/io", encoding="ascii") as file:
            read = int(file.read().split("read_bytes: ")[1].split()[0]) - read
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps({"seconds": seconds, "bytes_read": read, "cpu_seconds": cpu}), flush=True)


if __name__ == "__main__":
    main()
