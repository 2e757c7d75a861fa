# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Captions: a small grammar with synonyms and word-order variety over world.Scene."""

_SHAPE_WORDS = {
    "circle": ("circle", "circle", "ball", "disc"),
    "square": ("square", "square", "box"),
    "triangle": ("triangle",),
}
_BACKGROUND_WORDS = {
    "black": ("black", "black", "dark"),
    "white": ("white",),
    "gray": ("gray", "grey"),
    "pink": ("pink",),
}
_MOTION_WORDS = {
    "right": ("{m} right", "{m} to the right", "{m} from left to right"),
    "left": ("{m} left", "{m} to the left", "{m} from right to left"),
    "up": ("{m} up", "{m} upwards", "rising"),
    "down": ("{m} down", "{m} downwards", "falling"),
    "still": ("standing still", "staying still", "not moving", "resting", "still"),
}
_VERBS = ("moving", "moving", "going", "sliding")


def _article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def _thing(rng, body):
    return _article(f"{body.colour} {rng.choice(_SHAPE_WORDS[body.shape])}")


def _background(rng, scene):
    word = rng.choice(_BACKGROUND_WORDS[scene.background])
    return str(rng.choice((f"on a {word} background", f"on {word}", f"against a {word} background",
                           f"{word} background")))


def _motion(rng, scene):
    if scene.motion == "still" and rng.random() < 0.2:
        return ""
    words = str(rng.choice(_MOTION_WORDS[scene.motion]))
    return words.format(m=rng.choice(_VERBS))


def caption(rng, scene):
    """One sentence for the scene; bodies are named from left to right."""
    things = " and ".join(_thing(rng, body) for body in scene.bodies)
    if len(scene.bodies) == 2 and rng.random() < 0.3:
        things = f"{_thing(rng, scene.bodies[0])} on the left and {_thing(rng, scene.bodies[1])} on the right"
    ground, motion = _background(rng, scene), _motion(rng, scene)
    order = rng.integers(4)
    if order == 0:
        text = f"{things} {motion} {ground}"
    elif order == 1:
        text = f"{ground}, {things} {motion}"
    elif order == 2:
        text = f"{things} {ground}, {motion}" if motion else f"{things} {ground}"
    else:
        text = f"{things}, {motion}, {ground}" if motion else f"{things}, {ground}"
    text = " ".join(text.split())
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if rng.random() < 0.3 else "")
