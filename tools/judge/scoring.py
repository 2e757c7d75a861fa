# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""What a clip shows against what its caption asks for, and how sure a share is."""

import os
import sys

import numpy as np

import vision

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train"))
import captions  # noqa: E402  (the world's definition; nothing trained)
import world  # noqa: E402

CLIP_CHUNKS = 9
CLIP_FRAMES = 9 + 12 * (CLIP_CHUNKS - 1)
OPENING = 33  # frames: the first two seconds, where all but bounces is judged
PROPERTIES = ("ground", "colour", "count", "shape", "motion", "bounces")


def prompts(count, level="plain", split="test", seed=31337):
    """-> [(scene, caption)], held-out combinations; fewer are the first of more."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        scene = world.draw_scene(rng, level, split)
        out.append((scene, captions.caption(rng, scene, level)))
    return out


def expected_track(scene, frames, colour=None):
    """Where world.path leads the bodies of a colour (None: the mean of all)."""
    when = np.arange(frames)
    found = [np.stack(world.path(b.motion, when, b.x), 1) + (b.x, b.y)
             for b in scene.bodies if colour in (None, b.colour)]
    return np.mean(found, axis=0)


def frame_right(scene, frame, level="plain", shapes=True):
    """One frame against its scene: dict of booleans (a missing body makes all of them wrong).

    Without `shapes`, which cost most of the time, "shape" means nothing.
    """
    rich = level == "rich"
    known = world.SHAPES if rich else world.PLAIN_SHAPES
    seen = vision.bodies(frame, known, rich, shapes)
    wanted = list(scene.bodies)
    if rich:  # orbits change sides; colours differ, so they tell who is who
        wanted.sort(key=lambda b: b.colour)
        seen.sort(key=lambda b: b.colour)
    counted = len(seen) == len(wanted)
    pairs = list(zip(wanted, seen))
    return {"count": counted,
            "colour": counted and all(w.colour == s.colour for w, s in pairs),
            "shape": counted and all(w.shape == s.shape for w, s in pairs)}


def judge_clip(scene, frames, level="plain"):
    """Every property of a clip of CLIP_FRAMES frames -> dict of booleans."""
    sampled = np.linspace(2, OPENING - 2, 8).astype(int)
    rows = [frame_right(scene, frames[i], level) for i in sampled]
    result = {key: sum(r[key] for r in rows) >= 6 for key in rows[0]}
    grounds = [vision.ground(frames[i])[0] for i in sampled]
    result["ground"] = grounds.count(scene.background) >= 6
    # Bodies that share one motion are followed together, others by their colours.
    together = len({b.motion for b in scene.bodies}) == 1 and scene.bodies[0].motion != "orbit"
    parties = [(None, scene.bodies[0].motion)] if together else [
        (b.colour, b.motion) for b in scene.bodies]
    tracks = [vision.track(frames, colour, level == "rich") for colour, _ in parties]
    span = OPENING if level == "plain" else len(frames)
    result["motion"] = all(vision.motion_of(t[:span]) == motion for t, (_, motion) in zip(tracks, parties))
    result["bounces"] = all(
        vision.bounces(t) == vision.bounces(expected_track(scene, len(frames), colour))
        for t, (colour, _) in zip(tracks, parties))
    return {key: bool(result[key]) for key in PROPERTIES}


def wilson(right, total, z=1.96):
    """95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    share, spread = right / total, z * z / total
    centre = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return float(centre - half), float(centre + half)


def bootstrap(per_prompt, rounds=4000, seed=0):
    """95 % interval of a mean over prompts, by drawing prompts again; per_prompt [prompts, ...]."""
    values = np.asarray(per_prompt, float)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (rounds, len(values)))].mean(1)
    return np.percentile(means, (2.5, 97.5), axis=0)
