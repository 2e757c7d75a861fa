# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The world of shapes-small: flat scenes of one or two coloured shapes, drawn with analytic edges.

A scene is almost fully determined by its caption: where an object starts and how it moves follow
from the motion word, so a few-step sampler has close to one answer to find. Paths are periodic
(triangle waves between the walls), so motion can go on for ever.

Pixels are float32 in [-1, 1], layout [frame, height, width, rgb].
"""

from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT, FPS = 160, 96, 16

COLOURS = {
    "red": (228, 38, 38),
    "green": (36, 176, 66),
    "blue": (42, 84, 232),
    "yellow": (246, 214, 40),
    "purple": (150, 50, 200),
    "orange": (250, 134, 20),
}
BACKGROUNDS = {
    "black": (18, 18, 22),
    "white": (238, 238, 238),
    "gray": (128, 130, 134),
    "pink": (250, 186, 206),
}
SHAPES = ("circle", "square", "triangle")
MOTIONS = ("still", "right", "left", "up", "down")
PAIR_MOTIONS = ("still", "up", "down")

MARGIN = 22  # px between a wall and the turning point of a centre
TRAVERSE_X, TRAVERSE_Y = 72, 48  # frames from wall to wall


@dataclass
class Body:
    shape: str
    colour: str
    radius: float
    x: float  # offset of the path, px
    y: float


@dataclass
class Scene:
    background: str
    bodies: list
    motion: str


def draw_scene(rng, pair_share=0.2, jitter=1.0):
    """A random scene; `rng` is a numpy Generator."""
    colour = lambda: str(rng.choice(list(COLOURS)))
    shape = lambda: str(rng.choice(SHAPES))
    background = str(rng.choice(list(BACKGROUNDS)))
    off = rng.uniform(-jitter, jitter, 2)
    if rng.random() < pair_share:
        bodies = [
            Body(shape(), colour(), 16.0 + rng.uniform(-0.5, 0.5), -38 + off[0], off[1]),
            Body(shape(), colour(), 16.0 + rng.uniform(-0.5, 0.5), 38 + off[0], off[1]),
        ]
        return Scene(background, bodies, str(rng.choice(PAIR_MOTIONS)))
    body = Body(shape(), colour(), 19.0 + rng.uniform(-1, 1), off[0], off[1])
    return Scene(background, [body], str(rng.choice(MOTIONS)))


def _triangle_wave(frame, traverse):
    phase = np.mod(frame, 2 * traverse) / traverse
    return np.where(phase < 1, phase, 2 - phase)


def path(motion, frame):
    """Centre (x, y) in px of the motion word's path at pixel frame `frame` (array or number)."""
    frame = np.asarray(frame, dtype=np.float64)
    x = np.full_like(frame, WIDTH / 2)
    y = np.full_like(frame, HEIGHT / 2)
    if motion in ("right", "left"):
        x = MARGIN + _triangle_wave(frame, TRAVERSE_X) * (WIDTH - 2 * MARGIN)
        x = WIDTH - x if motion == "left" else x
    if motion in ("down", "up"):
        y = MARGIN + _triangle_wave(frame, TRAVERSE_Y) * (HEIGHT - 2 * MARGIN)
        y = HEIGHT - y if motion == "up" else y
    return x, y


def _inside_distance(shape, dx, dy, radius):
    """Signed distance to the edge, positive inside, px."""
    if shape == "circle":
        return radius - np.sqrt(dx * dx + dy * dy)
    if shape == "square":
        return 0.9 * radius - np.maximum(np.abs(dx), np.abs(dy))
    # Upright triangle: apex up, centroid a little below the middle of its height.
    half = 1.15 * radius
    sides = (0.8660254 * half + 0.5 * (dy + 0.15 * half)) - 0.8660254 * np.abs(dx) * 1.0 - 0.4330127 * half
    return np.minimum(0.82 * half - dy, sides)


def render(scene, first_frame, frames):
    """Pixel frames first_frame .. first_frame+frames-1, float32 [frames, 96, 160, 3] in [-1, 1]."""
    out = np.empty((frames, HEIGHT, WIDTH, 3), np.float32)
    out[:] = np.asarray(BACKGROUNDS[scene.background], np.float32) / 127.5 - 1
    xs, ys = path(scene.motion, np.arange(first_frame, first_frame + frames))
    for body in scene.bodies:
        paint = np.asarray(COLOURS[body.colour], np.float32) / 127.5 - 1
        reach = int(body.radius * 1.35) + 2
        for f in range(frames):
            cx, cy = xs[f] + body.x, ys[f] + body.y
            x0, x1 = max(0, int(cx) - reach), min(WIDTH, int(cx) + reach + 1)
            y0, y1 = max(0, int(cy) - reach), min(HEIGHT, int(cy) + reach + 1)
            dx = (np.arange(x0, x1, dtype=np.float32) + 0.5 - np.float32(cx))[None, :]
            dy = (np.arange(y0, y1, dtype=np.float32) + 0.5 - np.float32(cy))[:, None]
            cover = _inside_distance(body.shape, dx, dy, np.float32(body.radius)) + 0.5
            cover = np.clip(cover, 0, 1)[..., None]
            region = out[f, y0:y1, x0:x1]
            region += cover * (paint - region)
    return out
