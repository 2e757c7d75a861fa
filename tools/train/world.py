# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""The world that the embedded models learn: scenes of coloured shapes, drawn with analytic edges.

Two levels. `plain`: one or two large shapes on a flat ground, for training on a few CPU cores.
`rich`: one to three shapes of three sizes, six kinds of motion of their own, gradients, a checker
floor, night, a light that casts shadows; for an accelerator.

A scene is almost fully determined by its caption: where a body starts and how it moves follow from
the motion word, so a few-step sampler has close to one answer to find. Every path is a function of
the frame number that goes on for ever, and bounces keep their speed.

Combinations of shape, colour and motion are split: `train` scenes hold none of the triples for
which `held_out` is true, every body of a `test` scene does.

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
FLAT = {
    "black": (18, 18, 22),
    "white": (238, 238, 238),
    "gray": (128, 130, 134),
    "pink": (250, 186, 206),
}
BACKGROUNDS = (*FLAT, "gradient", "checker", "night")
SHAPES = ("circle", "square", "triangle", "star")
SIZES = ("small", "medium", "large")
MOTIONS = ("still", "right", "left", "up", "down", "roll", "orbit", "fall", "drift", "stop")
LIGHTS = ("", "left", "right")  # "" = no shadow

PLAIN_SHAPES, PLAIN_MOTIONS, PLAIN_PAIR_MOTIONS = SHAPES[:3], MOTIONS[:5], ("still", "up", "down")
RADIUS = {"small": 10.0, "medium": 14.0, "large": 19.0}

MARGIN = 22  # px between a wall and the turning point of a centre
TRAVERSE_X, TRAVERSE_Y = 72, 48  # frames from wall to wall
HORIZON = 58  # px; the checker floor lies below


@dataclass
class Body:
    shape: str
    colour: str
    radius: float
    x: float  # offset of the path, px
    y: float
    motion: str
    size: str = "large"


@dataclass
class Scene:
    background: str
    bodies: list
    light: str = ""


def held_out(body):
    """Whether the body's (shape, colour, motion) is kept from training: one triple in five."""
    number = (SHAPES.index(body.shape) + 2 * list(COLOURS).index(body.colour)
              + 3 * MOTIONS.index(body.motion))
    return number % 5 == 0


def draw_scene(rng, level="plain", split="", pair_share=0.2, jitter=1.0):
    """A random scene; `rng` is a numpy Generator; split "train", "test" or "" (all scenes)."""
    counts = (1 - pair_share, pair_share) if level == "plain" else (0.5, 0.35, 0.15)
    while True:
        scene = (_plain if level == "plain" else _rich)(rng, counts, jitter)
        if not split or all(held_out(b) == (split == "test") for b in scene.bodies):
            return scene
        counts = np.eye(3)[len(scene.bodies) - 1]  # both splits hold as many of each count


def _plain(rng, counts, jitter):
    colour = lambda: str(rng.choice(list(COLOURS)))
    shape = lambda: str(rng.choice(PLAIN_SHAPES))
    background = str(rng.choice(list(FLAT)))
    off = rng.uniform(-jitter, jitter, 2)
    if rng.random() < counts[1]:
        bodies = [Body(shape(), colour(), 16.0 + rng.uniform(-0.5, 0.5), x + off[0], off[1], "")
                  for x in (-38, 38)]
        motion = str(rng.choice(PLAIN_PAIR_MOTIONS))
    else:
        bodies = [Body(shape(), colour(), 19.0 + rng.uniform(-1, 1), off[0], off[1], "")]
        motion = str(rng.choice(PLAIN_MOTIONS))
    for body in bodies:
        body.motion = motion
    return Scene(background, bodies)


def _rich(rng, counts, jitter):
    pick = lambda names: str(rng.choice(list(names)))
    count = int(rng.choice(3, p=counts)) + 1
    places = {1: (0,), 2: (-38, 38), 3: (-52, 0, 52)}[count]
    colours = rng.permutation(list(COLOURS))[:count]
    bodies = []
    for place, colour in zip(places, colours):
        size = pick(SIZES[:2] if count == 3 else SIZES)
        off = rng.uniform(-jitter, jitter, 2)
        # In company, bodies keep to their own column but for an orbit round the middle.
        motions = MOTIONS if count == 1 else ("still", "up", "down", "fall", "orbit")[:5 if place else 4]
        bodies.append(Body(pick(SHAPES), str(colour), RADIUS[size] + rng.uniform(-0.5, 0.5),
                           place + off[0], off[1], pick(motions), size))
    background = pick(BACKGROUNDS)
    light = "" if background == "night" else pick(LIGHTS)
    return Scene(background, bodies, light)


def _triangle_wave(frame, traverse):
    phase = np.mod(frame, 2 * traverse) / traverse
    return np.where(phase < 1, phase, 2 - phase)


def path(motion, frame, place=0.0):
    """Centre (x, y) in px at pixel frame `frame` (array or number) of a body without offset.

    place: the body's column, which only orbits use: bodies start on their own side.
    """
    frame = np.asarray(frame, dtype=np.float64)
    x, y = np.full_like(frame, WIDTH / 2), np.full_like(frame, HEIGHT / 2)
    across = MARGIN + _triangle_wave(frame, TRAVERSE_X) * (WIDTH - 2 * MARGIN)
    down = MARGIN + _triangle_wave(frame, TRAVERSE_Y) * (HEIGHT - 2 * MARGIN)
    if motion in ("right", "left", "roll"):
        x = WIDTH - across if motion == "left" else across
        y = np.full_like(frame, HEIGHT - MARGIN) if motion == "roll" else y
    elif motion in ("down", "up"):
        y = HEIGHT - down if motion == "up" else down
    elif motion == "fall":  # free fall from the top, and up again with the same speed
        y = MARGIN + _triangle_wave(frame, TRAVERSE_Y) ** 2 * (HEIGHT - 2 * MARGIN)
    elif motion == "orbit":
        angle = 2 * np.pi * frame / (2 * TRAVERSE_X) + (np.pi if place <= 0 else 0.0)
        x, y = x - place + 38 * np.cos(angle), y + 22 * np.sin(angle)
    elif motion == "drift":  # slowly, diagonally
        x = MARGIN + _triangle_wave(frame, 3 * TRAVERSE_X) * (WIDTH - 2 * MARGIN)
        y = MARGIN + _triangle_wave(frame, 4 * TRAVERSE_Y) * (HEIGHT - 2 * MARGIN)
    elif motion == "stop":  # from the left wall to the middle, slower and slower, then at rest
        rest = np.minimum(frame / TRAVERSE_Y, 1.0)
        x = MARGIN + (1 - (1 - rest) ** 2) * (WIDTH / 2 - MARGIN)
    return x, y


def turn(body, frame):
    """Angle in radians by which the body is turned at a frame: rolling turns with the way gone."""
    if body.motion != "roll":
        return 0.0
    x, _ = path("roll", frame)
    return float(x - MARGIN) / body.radius


def _inside_distance(shape, dx, dy, radius):
    """Signed distance to the edge, positive inside, px."""
    if shape == "circle":
        return radius - np.sqrt(dx * dx + dy * dy)
    if shape == "square":
        return 0.9 * radius - np.maximum(np.abs(dx), np.abs(dy))
    if shape == "star":  # five points, folded onto half of one: an edge from (tip, 0) to a notch
        fifth, tip, notch = 2 * np.pi / 5, 1.25 * radius, 0.55 * radius
        angle = np.abs(np.mod(np.arctan2(dx, -dy) + fifth / 2, fifth) - fifth / 2)
        along, off = (np.sqrt(dx * dx + dy * dy) * f(angle) for f in (np.cos, np.sin))
        ex, ey = notch * np.cos(fifth / 2) - tip, notch * np.sin(fifth / 2)
        return (ex * off - ey * (along - tip)) / np.hypot(ex, ey)
    # Upright triangle: apex up, centroid a little below the middle of its height.
    half = 1.15 * radius
    sides = (0.8660254 * half + 0.5 * (dy + 0.15 * half)) - 0.8660254 * np.abs(dx) - 0.4330127 * half
    return np.minimum(0.82 * half - dy, sides)


def _ground(background):
    """The empty scene, [height, width, rgb], 0 .. 255."""
    out = np.empty((HEIGHT, WIDTH, 3), np.float32)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    if background in FLAT:
        out[:] = FLAT[background]
    elif background == "gradient":
        out[:] = (210 - 130 * y / HEIGHT)[..., None]
    elif background == "checker":
        out[:] = 205
        depth = np.maximum(y - HORIZON, 0.5) / (HEIGHT - HORIZON)
        cell = np.floor(3 / depth) + np.floor((x - WIDTH / 2) / (26 * depth + 4))
        out[y >= HORIZON] = np.where(cell % 2 == 0, 150, 95)[y >= HORIZON][:, None]
    else:
        out[:] = np.stack([14 + 0 * y, 16 + 0 * y, 34 + 14 * y / HEIGHT], -1)
        stars = np.random.default_rng(3)
        out[stars.integers(0, HEIGHT, 40), stars.integers(0, WIDTH, 40)] = 105
    return out


_GROUNDS = {name: _ground(name) / np.float32(127.5) - 1 for name in BACKGROUNDS}


def _paint(out, body, cx, cy, angle, box, colour, strength):
    """Blends a body's colour over `out`, which holds the window `box` = (y0, y1, x0, x1)."""
    reach = int(body.radius * 1.35) + 2
    x0, x1 = max(box[2], int(cx) - reach), min(box[3], int(cx) + reach + 1)
    y0, y1 = max(box[0], int(cy) - reach), min(box[1], int(cy) + reach + 1)
    if x0 >= x1 or y0 >= y1:
        return
    dx = (np.arange(x0, x1, dtype=np.float32) + 0.5 - np.float32(cx))[None, :]
    dy = (np.arange(y0, y1, dtype=np.float32) + 0.5 - np.float32(cy))[:, None]
    if angle:
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
    cover = np.clip(_inside_distance(body.shape, dx, dy, np.float32(body.radius)) + 0.5, 0, 1)
    region = out[y0 - box[0]:y1 - box[0], x0 - box[2]:x1 - box[2]]
    region += (strength * cover)[..., None] * (colour - region)


def render(scene, first_frame, frames, box=(0, HEIGHT, 0, WIDTH)):
    """Pixel frames first_frame .. first_frame+frames-1 of a window: float32 [frames, h, w, 3]."""
    ground = _GROUNDS[scene.background][box[0]:box[1], box[2]:box[3]]
    out = np.repeat(ground[None], frames, axis=0)
    when = np.arange(first_frame, first_frame + frames)
    paths = [path(body.motion, when, body.x) for body in scene.bodies]
    shade = {"": 0, "left": 7, "right": -7}[scene.light]
    for f in range(frames):
        places = [(x[f] + b.x, y[f] + b.y, turn(b, when[f])) for b, (x, y) in
                  zip(scene.bodies, paths)]
        if shade:  # all shadows lie under all bodies
            for body, (cx, cy, angle) in zip(scene.bodies, places):
                _paint(out[f], body, cx + shade, cy + 7, angle, box, np.float32(-1), 0.35)
        for body, (cx, cy, angle) in zip(scene.bodies, places):
            colour = np.asarray(COLOURS[body.colour], np.float32) / 127.5 - 1
            _paint(out[f], body, cx, cy, angle, box, colour, np.float32(1))
    return out


def touched(scene, first_frame, frames, step):
    """The window outside of which those frames show the empty ground, in whole cells of step px."""
    when = np.arange(first_frame, first_frame + frames)
    low, high = np.array([WIDTH, HEIGHT], float), np.zeros(2)
    for body in scene.bodies:
        reach = body.radius * 1.35 + 3 + (8 if scene.light else 0)
        for axis, (track, off) in enumerate(zip(path(body.motion, when, body.x), (body.x, body.y))):
            low[axis] = min(low[axis], track.min() + off - reach)
            high[axis] = max(high[axis], track.max() + off + reach)
    x0, y0 = (max(0, int(v // step) * step) for v in low)
    x1, y1 = (min(m, (int(v // step) + 1) * step) for v, m in zip(high, (WIDTH, HEIGHT)))
    return y0, y1, x0, x1
