# Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
"""Captions: a small grammar with synonyms and word-order variety over world.Scene."""

_SHAPE_WORDS = {
    "circle": ("circle", "circle", "ball", "disc"),
    "square": ("square", "square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
}
_SIZE_WORDS = {"small": ("small", "little", "tiny"), "medium": ("",), "large": ("large", "big")}
_GROUND_WORDS = {
    "black": ("black", "black", "dark"),
    "white": ("white",),
    "gray": ("gray", "grey"),
    "pink": ("pink",),
}
_SCENERY = {
    "gradient": ("on a gradient", "on a shaded background", "with a fading background"),
    "checker": ("over a checker floor", "on a checkered floor", "above a chessboard floor"),
    "night": ("at night", "under a night sky", "by night"),
}
_MOTION_WORDS = {
    "right": ("{m} right", "{m} to the right", "{m} from left to right"),
    "left": ("{m} left", "{m} to the left", "{m} from right to left"),
    "up": ("{m} up", "{m} upwards", "rising"),
    "down": ("{m} down", "{m} downwards", "sinking", "falling"),
    "still": ("standing still", "staying still", "not moving", "resting", "still"),
    "roll": ("rolling", "rolling along", "rolling to the right"),
    "orbit": ("circling", "orbiting", "going round"),
    "fall": ("bouncing", "dropping and bouncing", "bouncing up and down"),
    "drift": ("drifting", "drifting slowly", "floating"),
    "stop": ("coming to a stop", "slowing down", "stopping"),
}
_VERBS = ("moving", "moving", "going", "sliding")
_LIGHTS = {"": "", "left": "light from the left", "right": "light from the right"}
_OPENINGS = ("a video of", "a clip of", "there is", "a scene with")


def _pick(rng, words):
    return str(words[rng.integers(len(words))])


def _thing(rng, body, sized):
    size = _pick(rng, _SIZE_WORDS[body.size]) if sized else ""
    words = " ".join(f"{size} {body.colour} {_pick(rng, _SHAPE_WORDS[body.shape])}".split())
    return ("an " if words[0] in "aeiou" else "a ") + words


def _background(rng, scene):
    if scene.background in _SCENERY:
        return _pick(rng, _SCENERY[scene.background])
    word = _pick(rng, _GROUND_WORDS[scene.background])
    return _pick(rng, (f"on a {word} background", f"on {word}", f"against a {word} background",
                       f"{word} background"))


def _motion(rng, motion):
    if motion == "still" and rng.random() < 0.2:
        return ""
    return _pick(rng, _MOTION_WORDS[motion]).format(m=_pick(rng, _VERBS))


def _things(rng, scene, level):
    """-> the bodies with their own motions, or the bodies and the motion that they share."""
    sized = level != "plain"
    names = [_thing(rng, body, sized) for body in scene.bodies]
    if len({body.motion for body in scene.bodies}) > 1:
        named = [f"{n} {_motion(rng, b.motion)}".strip() for n, b in zip(names, scene.bodies)]
        return " and ".join(named), ""
    if len(names) == 2 and rng.random() < 0.3:
        names = [f"{names[0]} on the left", f"{names[1]} on the right"]
    return " and ".join(names), _motion(rng, scene.bodies[0].motion)


def caption(rng, scene, level="plain"):
    """One sentence for the scene; bodies are named from left to right."""
    things, motion = _things(rng, scene, level)
    ground, light = _background(rng, scene), _LIGHTS[scene.light]
    opening = _pick(rng, _OPENINGS) if rng.random() < 0.1 else ""
    order = rng.integers(5)
    if order == 0:
        text = f"{opening} {things} {motion} {ground}"
    elif order == 1:
        text = f"{ground}, {things} {motion}"
    elif order == 2:
        text = f"{opening} {things} {ground}, {motion}" if motion else f"{things} {ground}"
    elif order == 3:
        text = f"{things}, {motion}, {ground}" if motion else f"{things}, {ground}"
    else:
        text = f"{ground}: {things}, {motion}" if motion else f"{ground}: {things}"
    text = " ".join(f"{text}, {light}".split() if light else text.split())
    if rng.random() < 0.5:
        text = text[0].upper() + text[1:]
    return text + ("." if rng.random() < 0.3 else "")
