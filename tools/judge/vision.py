# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Classical vision: what frames of the world of shapes show. No trained network has a part in it.

Frames are uint8 [frames, height, width, 3]. Bodies are found by colour, counted as connected
components, named by moments and overlap with ideal shapes, and followed from frame to frame.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

COLOURS = {"red": (228, 38, 38), "green": (36, 176, 66), "blue": (42, 84, 232),
           "yellow": (246, 214, 40), "purple": (150, 50, 200), "orange": (250, 134, 20)}
FLAT_GROUNDS = {"black": (18, 18, 22), "white": (238, 238, 238), "gray": (128, 130, 134),
                "pink": (250, 186, 206)}
AREA_MIN = 110  # px
CONTRAST_MIN = 110  # sum of absolute differences to a flat ground
PALETTE_MAX = 100  # the same to a palette colour, where the ground is not flat
FIT_MIN = 0.78  # intersection over union with the best ideal shape
STILL_MAX = 4.0  # px; a body three quarters of whose centres lie so near their median stands still


@dataclass
class Seen:
    colour: str
    shape: str
    x: float  # centre, px
    y: float
    area: int


def _nearest(colour, palette):
    distance = {name: np.abs(np.asarray(value, float) - colour).sum()
                for name, value in palette.items()}
    best = min(distance, key=distance.get)
    return best, distance[best]


def ground(frame):
    """Name of the background, and its colour where it is flat (else None)."""
    border = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]]).astype(float)
    middle = np.median(border, axis=0)
    if np.mean(np.abs(border - middle).sum(-1) > 40) < 0.35:
        if middle.max() < 60 and middle[2] > middle[0] + 8:
            return "night", None
        return _nearest(middle, FLAT_GROUNDS)[0], middle
    left = np.median(frame[:, :6].astype(float).mean(-1), axis=1)
    if np.abs(left[:40] - left[40:80].mean()).mean() < 12:
        return "flat", middle
    return ("gradient" if left[2] - left[40] > 25 else "checker"), None


def _ideal(shape, dx, dy, area, angle):
    """Whether pixels lie in the ideal shape of that area, centred on its centre of mass."""
    if angle:
        dx, dy = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    if shape == "circle":
        return dx * dx + dy * dy <= area / np.pi
    if shape == "square":
        return np.maximum(np.abs(dx), np.abs(dy)) <= np.sqrt(area) / 2
    if shape == "triangle":  # equilateral, a third of its height below the centre of mass
        side = np.sqrt(area * 4 / np.sqrt(3))
        height = side * np.sqrt(3) / 2
        return (dy <= height / 3) & (np.abs(dx) <= (dy + 2 * height / 3) / np.sqrt(3))
    fifth, notch = 2 * np.pi / 5, 0.44  # star: notches at so much of the tips' distance
    tip = np.sqrt(area / (5 * notch * np.sin(fifth / 2)))
    turned = np.abs(np.mod(np.arctan2(dx, -dy) + fifth / 2, fifth) - fifth / 2)
    along, off = np.hypot(dx, dy) * np.cos(turned), np.hypot(dx, dy) * np.sin(turned)
    ex, ey = notch * tip * np.cos(fifth / 2) - tip, notch * tip * np.sin(fifth / 2)
    return ex * off - ey * (along - tip) >= 0


_PERIOD = {"circle": 1.0, "square": np.pi / 2, "triangle": 2 * np.pi / 3, "star": 2 * np.pi / 5}


def shape_of(mask, shapes, turned):
    """The ideal shape that fits a body's mask best, or "none"; turned: at any angle."""
    ys, xs = np.nonzero(mask)
    cx, cy, area = xs.mean(), ys.mean(), len(xs)
    pad = 4
    y, x = np.mgrid[-pad:mask.shape[0] + pad, -pad:mask.shape[1] + pad]
    inside = np.pad(mask, pad)
    best, fit = "none", FIT_MIN
    for shape in shapes:
        angles = [0.0] if not turned or shape == "circle" else np.arange(0, 1, 1 / 12) * _PERIOD[shape]
        for angle in angles:
            ideal = _ideal(shape, x - cx, y - cy, area, angle)
            overlap = (ideal & inside).sum() / (ideal | inside).sum()
            if overlap > fit:
                best, fit = shape, overlap
    return best


def bodies(frame, shapes=("circle", "square", "triangle"), rich=False, name_shapes=True):
    """What stands out from the background, from left to right.

    rich: bodies may be turned, cast shadows and touch each other, and the ground need not be flat;
    so they are found by the colours of the palette instead of by their contrast to the ground.
    """
    pixels = frame.astype(float)
    if not rich:
        flat = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)
        labels = [ndimage.label(np.abs(pixels - flat).sum(-1) > CONTRAST_MIN)[0]]
    else:
        distance = np.stack([np.abs(pixels - c).sum(-1) for c in COLOURS.values()])
        near = distance.min(0) < PALETTE_MAX
        labels = [ndimage.label(near & (distance.argmin(0) == i))[0] for i in range(len(COLOURS))]
    seen = []
    for label in labels:
        for i, box in enumerate(ndimage.find_objects(label)):
            mask = label[box] == i + 1
            if mask.sum() < AREA_MIN:
                continue
            mask = ndimage.binary_fill_holes(mask)
            colour, _ = _nearest(np.median(pixels[box][mask], axis=0), COLOURS)
            y, x = (v.mean() for v in np.nonzero(mask))
            seen.append(Seen(colour, shape_of(mask, shapes, rich) if name_shapes else "",
                             x + box[1].start, y + box[0].start, int(mask.sum())))
    return sorted(seen, key=lambda s: s.x)


def track(frames, colour=None, rich=False):
    """Centre per frame, [frames, 2]: of the bodies of a colour (None: of all); NaN without one."""
    out = np.full((len(frames), 2), np.nan)
    for i, frame in enumerate(frames):
        found = [b for b in bodies(frame, rich=rich, name_shapes=False) if colour in (None, b.colour)]
        if found:
            out[i] = np.mean([(b.x, b.y) for b in found], axis=0)
    return out


def _smooth(values):
    return ndimage.median_filter(values, 5, mode="nearest")


def _still(track):
    """A body that others pass in front of seems to move a little; most of the time it does not."""
    return (np.percentile(np.abs(track - np.median(track, axis=0)), 75, axis=0) < STILL_MAX).all()


def motion_of(path):
    """The motion word of a path of some seconds, or "none" if the body is missing too often."""
    there = ~np.isnan(path[:, 0])
    if there.mean() < 0.65 or not there[:8].any():
        return "none"
    when = np.arange(len(path))
    x, y = (_smooth(np.interp(when, when[there], path[there, i])) for i in range(2))
    reach_x, reach_y = np.ptp(x), np.ptp(y)
    early = min(24, len(x) - 1)
    if _still(path[there]):
        return "still"
    if min(reach_x, reach_y) > 12:
        bend = np.abs(np.polyval(np.polyfit(x, y, 1), x) - y).max()
        return "orbit" if bend > 6 or np.ptp(x[:30]) < 3 else "drift"
    if reach_x > reach_y:
        if len(x) > 80 and np.ptp(x[-20:]) < 3:
            return "stop"
        return "roll" if y.mean() > 65 else "right" if x[early] > x[0] else "left"
    first, second = y[early // 2] - y[0], y[early] - y[early // 2]
    if second > 0 and second > 1.8 * max(first, 0.1):
        return "fall"
    return "down" if y[early] > y[0] else "up"


def bounces(path, step=4, least=2.0):
    """Turning points along the axis of the larger reach."""
    there = ~np.isnan(path[:, 0])
    if there.mean() < 0.5:
        return -1
    when = np.arange(len(path))
    if _still(path[there]):
        return 0
    axis = int(np.ptp(path[there, 1]) > np.ptp(path[there, 0]))
    moved = np.diff(_smooth(np.interp(when, when[there], path[there, axis]))[::step])
    signs = np.sign(moved[np.abs(moved) > least])
    return int((np.diff(signs) != 0).sum())


def sharpness(frame):
    """Steepest steps of brightness: mean of the largest 2 % of the gradient, grey levels per px."""
    grey = frame.astype(float).mean(-1)
    gradient = np.hypot(np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]).ravel()
    return float(np.sort(gradient)[-len(gradient) // 50:].mean())


def saturation(frame):
    high, low = frame.max(-1).astype(float), frame.min(-1).astype(float)
    return float(((high - low) / np.maximum(high, 1)).mean())


def motion_energy(frames):
    """Mean absolute difference of frames that follow each other, grey levels."""
    return float(np.abs(np.diff(frames.astype(np.int16), axis=0)).mean())
