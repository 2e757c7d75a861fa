# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""docs/model-quality.md and its pictures out of judged rows. What has not been judged is left out."""

import glob
import json
import os

import matplotlib
import numpy as np
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import scoring  # noqa: E402
from judge import CHANGE_CHUNKS, CHANGE_EVERY, LONG, Rows  # noqa: E402

GOALS = {"colour": 0.92, "count": 0.80, "shape": 0.70, "motion": 0.70}
SHEET_ROWS = 20


def percent(value):
    return f"{100 * value:.1f}"


def share(rows, key):
    right = sum(bool(r[key]) for r in rows)
    low, high = scoring.wilson(right, len(rows))
    return f"{percent(right / len(rows))} ({percent(low)}-{percent(high)})"


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
                     + ["| " + " | ".join(str(c) for c in line) + " |" for line in lines]) + "\n"


def truth(rows):
    lines = [[f"{level}, {len(part)} clips"] + [share(part, k) for k in scoring.PROPERTIES]
             for level in ("plain", "rich") if (part := [r for r in rows if r["level"] == level])]
    return "## The judge judged\n\nPercent right on clips drawn by the world itself (95 % interval):\n\n" + table(
        ["world", *scoring.PROPERTIES], lines)


def vae(rows):
    psnr = np.array([r["psnr"] for r in rows])
    low, high = scoring.bootstrap(psnr)
    return (f"## The VAE\n\n{len(rows)} held-out clips of 33 frames through encoder and decoder: PSNR "
            f"**{psnr.mean():.1f} dB** ({low:.1f}-{high:.1f}), worst clip {psnr.min():.1f} dB, worst "
            f"single frame {min(r['worst_frame'] for r in rows):.1f} dB. Goal: 34 dB.\n")


def prompts(rows):
    parts = [("all", rows), ("one body", [r for r in rows if r["bodies"] == 1]),
             ("two bodies", [r for r in rows if r["bodies"] == 2])]
    lines = [[f"{name}, {len(part)}"] + [share(part, k) for k in scoring.PROPERTIES] for name, part in parts if part]
    lines.append(["goal"] + [percent(GOALS[k]) if k in GOALS else "" for k in scoring.PROPERTIES])
    shapes = [[shape, len(part), share(part, "shape"), share(part, "motion")]
              for shape, words in (("circle", ("circle", "ball", "disc")), ("square", ("square", "box")),
                                   ("triangle", ("triangle",)))
              if (part := [r for r in rows if r["bodies"] == 1 and any(w in r["prompt"].lower() for w in words)])]
    return (f"## {len(rows)} held-out prompts\n\nPercent right (95 % interval). The first two seconds, for "
            f"bounces all {scoring.CLIP_FRAMES} frames.\n\n"
            + table(["prompts", *scoring.PROPERTIES], lines) + "\n"
            + table(["one body", "prompts", "shape", "motion"], shapes)
            + "\n![Takes of held-out prompts](model-quality.png)\n\n"
            + "\n".join(f"{i + 1}. {r['prompt']}" for i, r in enumerate(rows[:SHEET_ROWS])) + "\n")


def steps(rows, prompt_rows):
    few, many = ({r["number"]: r for r in part} for part in (prompt_rows, rows))
    both = sorted(set(few) & set(many))
    lines = []
    for key in scoring.PROPERTIES:
        difference = [float(few[i][key]) - float(many[i][key]) for i in both]
        low, high = scoring.bootstrap(difference)
        lines.append([key, share([few[i] for i in both], key), share([many[i] for i in both], key),
                      f"{percent(np.mean(difference))} ({percent(low)} to {percent(high)})"])
    return (f"## Few steps against many\n\n{len(both)} of these prompts, same seeds, the recipe's 4 steps "
            "against 16; difference paired per prompt:\n\n"
            + table(["", "4 steps", "16 steps", "4 less 16"], lines))


def change(rows):
    lines = []
    for switch in ("swap", "recache"):
        part = [r for r in rows if r["switch"] == switch]
        if part:
            low, high = scoring.bootstrap([r["held"] for r in part])
            late = np.mean([r["shown"] - r["asked"] for r in part])
            lines.append([switch, len(part), share(part, "in_time"),
                          f"{percent(np.mean([r['held'] for r in part]))} ({percent(low)}-{percent(high)})",
                          f"{late:.1f} s"])
    return (f"## A new prompt every {CHANGE_EVERY} s\n\nHeld-out prompts follow each other in one take. Shown: "
            f"count and colours are right at the end of one of the first {CHANGE_CHUNKS} chunks. Kept: share of the "
            "chunks from then on, until the next change.\n\n"
            + table(["memory", "changes", f"shown within {CHANGE_CHUNKS} chunks", "kept", "starts after it was asked"], lines))


def long(rows, docs):
    lines = []
    figure, axes = plt.subplots(2, 2, figsize=(11, 6.5))
    for name in LONG:
        part = [r for r in rows if r["plan"] == name]
        if not part:
            continue
        score = np.array([r["score"] for r in part])
        low, high = scoring.bootstrap(score[:, 0] - score[:, -1])
        memory = [r["resident_mib"] for r in part]
        lines.append([f"`{part[0]['key_plan']}`", len(part), score.shape[1], percent(score[:, 0].mean()),
                      percent(score[:, -1].mean()), percent(score.mean()),
                      f"{percent((score[:, 0] - score[:, -1]).mean())} ({percent(low)} to {percent(high)})",
                      f"{max(m[-1] - m[0] for m in memory)} MiB"])
        for axis, key in zip(axes.flat, ("score", "sharpness", "saturation", "energy")):
            values = np.array([r[key] for r in part])
            minutes = np.arange(1, values.shape[1] + 1)
            axis.plot(minutes, values.mean(0), label=part[0]["key_plan"])
            if key == "score" and len(part) > 1:
                band = scoring.bootstrap(values)
                axis.fill_between(minutes, band[0], band[1], alpha=0.15)
            axis.set_title(key)
            axis.set_xlabel("minute")
    axes.flat[0].set_ylim(0, 1.02)
    axes.flat[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(os.path.join(docs, "model-long.png"), dpi=80)
    return ("## The long horizon\n\nScore of a minute: share of its seconds in which 3 of 4 frames show the count and "
            "the colours asked for, in percent. Goal: the best plan loses at most 3 points.\n\n"
            + table(["key plan", "prompts", "minutes", "first minute", "last minute", "all", "lost (95 %)",
                     "memory grew"], lines)
            + "\n![Score, sharpness, saturation and motion energy by minute](model-long.png)\n\n"
            + table(["prompt"] + list(LONG), [[p] + [
                " ".join(percent(r["score"][i]) for i in sorted({0, 4, 9, len(r["score"]) - 1} & set(range(len(r["score"])))))
                for name in LONG for r in rows if r["plan"] == name and r["prompt"] == p]
                for p in dict.fromkeys(r["prompt"] for r in rows)])
            + "\nEach cell: score of minutes 1, 5, 10 and, where there is one, 30.\n")


def learning(log, docs):
    with open(log, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.startswith("{")]
    figure, axis = plt.subplots(figsize=(7, 4))
    for key, label in (("start_1000", "first chunk, from pure noise"), ("start_625", "first chunk, last level"),
                       ("next_1000", "next chunk, from pure noise"), ("next_625", "next chunk, last level")):
        axis.plot([2 * r["spent"] / 3600 for r in rows], [r[key] for r in rows], label=label)
    axis.set(xlabel="core-hours", ylabel="error of x0 on held-out combinations", yscale="log")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3, which="both")
    figure.tight_layout()
    figure.savefig(os.path.join(docs, "model-learning.png"), dpi=80)
    last = rows[-1]
    return ("## Learning\n\n![Error by core-hours](model-learning.png)\n\n"
            f"{last['step']} steps over two processes, {last['chunks']} chunks, {2 * last['spent'] / 3600:.1f} core-hours; "
            "held-out combinations, averaged weights.\n")


def write(options):
    sections = []
    asked = Rows(options.out, "prompts").rows
    for stage, section in (("truth", truth), ("prompts", prompts), ("vae", vae),
                           ("steps", lambda rows: steps(rows, asked)), ("change", change)):
        rows = Rows(options.out, stage).rows
        if rows:
            sections.append(section(rows))
    rows = Rows(options.out, "long").rows
    if rows:
        sections.append(long(rows, options.docs))
    log = os.path.join(options.out, "dit.jsonl")
    if os.path.exists(log):
        sections.append(learning(log, options.docs))
    pictures = sorted(glob.glob(os.path.join(options.frames, "*.png")))[:SHEET_ROWS]
    if pictures:
        Image.fromarray(np.concatenate([np.asarray(Image.open(p)) for p in pictures])).resize(
            (8 * 112, len(pictures) * 67), Image.LANCZOS).save(os.path.join(options.docs, "model-quality.png"), optimize=True)
    with open(os.path.join(options.docs, "model-quality.md"), "w", encoding="utf-8") as file:
        file.write(HEAD + "\n" + "\n".join(sections))


HEAD = """# How good the embedded model is

`models/shapes-small`, judged by what `longtake generate` sends: `tools/judge` reads colour, count, shape, motion and
bounces from the frames with classical vision (colour segmentation, connected components, overlap with ideal shapes,
tracks of centres). It knows the world's palette and captions, and nothing of the networks. The prompts hold only
combinations of shape, colour and motion that training never showed (one in five of all).

This page and its pictures are written by `make judge` (minutes) and `make judge-long` (hours); rows that have been
judged are kept in `tools/judge/rows`, so both can be cut off and go on; remove them to judge anew.
"""
