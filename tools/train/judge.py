# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""A small classical judge: reads background, count, colours, shapes and motion from frames.

Frames are uint8 [frames, 96, 160, 3]. No part of the trained networks is used.
"""

from dataclasses import dataclass

import numpy as np

import world

MIN_AREA = 120  # px
MIN_FIT = 0.78  # intersection over union with the best template


@dataclass
class Seen:
    colour: str
    shape: str
    x: float
    y: float
    area: int


def _nearest(colour, palette):
    names = list(palette)
    distance = [np.abs(np.asarray(palette[n], float) - colour).sum() for n in names]
    return names[int(np.argmin(distance))]


def background(frame):
    """Name of the background: the median of a frame's border, nearest palette entry."""
    border = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]]).astype(float)
    middle = np.median(border, axis=0)
    return _nearest(middle, world.BACKGROUNDS), middle


def _components(mask):
    """Connected components (4-neighbours) of a boolean image, as index arrays."""
    mask = mask.copy()
    height, width = mask.shape
    found = []
    for start in zip(*np.nonzero(mask)):
        if not mask[start]:
            continue
        mask[start] = False
        stack, cells = [start], []
        while stack:
            y, x = stack.pop()
            cells.append((y, x))
            for yy, xx in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= yy < height and 0 <= xx < width and mask[yy, xx]:
                    mask[yy, xx] = False
                    stack.append((yy, xx))
        found.append(np.array(cells))
    return found


def _shape(cells):
    """Best template by intersection over union inside the bounding box, or 'none'."""
    y0, x0 = cells.min(0)
    h, w = cells.max(0) - (y0, x0) + 1
    if max(h, w) > 2 * min(h, w):
        return "none"
    mask = np.zeros((h, w), bool)
    mask[cells[:, 0] - y0, cells[:, 1] - x0] = True
    y = (np.arange(h)[:, None] + 0.5) / h
    x = (np.arange(w)[None, :] + 0.5) / w
    templates = {
        "circle": (x - 0.5) ** 2 + (y - 0.5) ** 2 <= 0.25,
        "square": np.ones((h, w), bool),
        "triangle": np.abs(x - 0.5) <= 0.5 * y,
    }
    fit = {n: (mask & t).sum() / (mask | t).sum() for n, t in templates.items()}
    best = max(fit, key=fit.get)
    return best if fit[best] >= MIN_FIT else "none"


def bodies(frame):
    """What stands out from the background, left to right."""
    _, ground = background(frame)
    mask = np.abs(frame.astype(float) - ground).sum(-1) > 110
    seen = []
    for cells in _components(mask):
        if len(cells) < MIN_AREA:
            continue
        colour = np.median(frame[cells[:, 0], cells[:, 1]].astype(float), axis=0)
        y, x = cells.mean(0)
        seen.append(Seen(_nearest(colour, world.COLOURS), _shape(cells), x, y, len(cells)))
    return sorted(seen, key=lambda s: s.x)


def still_right(scene, frame):
    """What one frame shows of a scene: dict of booleans (a missing body is wrong)."""
    seen = bodies(frame)
    pairs = list(zip(scene.bodies, seen))
    counted = len(seen) == len(scene.bodies)
    return {
        "background": background(frame)[0] == scene.background,
        "count": counted,
        "colour": counted and all(b.colour == s.colour for b, s in pairs),
        "shape": counted and all(b.shape == s.shape for b, s in pairs),
    }


def motion(frames, first=2, last=30):
    """The motion word of the first seconds, from the bodies' mean centroid."""
    last = min(last, len(frames) - 1)
    a, b = bodies(frames[first]), bodies(frames[last])
    if not a or len(a) != len(b):
        return "none"
    dx = np.mean([s.x for s in b]) - np.mean([s.x for s in a])
    dy = np.mean([s.y for s in b]) - np.mean([s.y for s in a])
    if max(abs(dx), abs(dy)) < 6:
        return "still"
    if abs(dx) > abs(dy):
        return "right" if dx > 0 else "left"
    return "down" if dy > 0 else "up"


def judge_clip(scene, frames):
    """The first two seconds: still properties by majority of 4 frames, and motion."""
    rows = [still_right(scene, frames[f]) for f in np.linspace(2, min(30, len(frames) - 1), 4).astype(int)]
    result = {k: sum(r[k] for r in rows) >= 3 for k in rows[0]}
    result["motion"] = motion(frames) == scene.motion
    result["all"] = all(result.values())
    return result


def to_bytes(pixels):
    return ((np.clip(pixels, -1, 1) + 1) * 127.5).round().astype(np.uint8)


if __name__ == "__main__":  # the judge judged: ground-truth clips
    rng = np.random.default_rng(77)
    rows = []
    for _ in range(60):
        scene = world.draw_scene(rng)
        rows.append(judge_clip(scene, to_bytes(world.render(scene, 0, 33))))
    print("on 60 true clips:", {k: float(np.mean([r[k] for r in rows])) for k in rows[0]})
