"""From the words of a ``BodySpec`` and ``FaceSpec`` to the body model's parameters."""

import numpy as np
import torch

from bozzetto.body.model import Body, ShapedBody
from bozzetto.figure.spec import BodySpec, FaceSpec

_YEARS = (0.0, 1.0, 5.0, 11.5, 16.0, 25.0, 90.0)
_AGES = (-1 / 3, 0.0, 0.17, 1 / 3, 0.5, 2 / 3, 1.0)
_GENDER = {"man": 0.0, "androgynous": 0.5, "woman": 1.0}

_IDENTITY = {
    "nose-scale-depth": 0.5, "nose-scale-vert": 0.45, "nose-scale-horiz": 0.5, "nose-hump": 0.4, "nose-curve": 0.4,
    "nose-point-width": 0.4, "nose-width1": 0.4, "nose-width2": 0.4, "nose-width3": 0.5, "nose-flaring": 0.35,
    "nose-base": 0.35, "nose-point": 0.4, "nose-volume": 0.35, "nose-nostrils-width": 0.4,
    "mouth-scale-horiz": 0.4, "mouth-scale-vert": 0.25, "mouth-trans": 0.25, "mouth-cupidsbow": 0.5,
    "mouth-lowerlip-volume": 0.4, "mouth-upperlip-volume": 0.4, "mouth-angles": 0.25,
    "chin-height": 0.4, "chin-prominent": 0.4, "chin-width": 0.45, "chin-bones": 0.4, "chin-cleft": 0.35,
    "chin-jaw-drop": 0.35, "chin-prognathism": 0.25,
    "forehead-scale-vert": 0.2, "forehead-temple": 0.3, "forehead-nubian": 0.2,
    "eyebrows-angle": 0.35, "eyebrows-trans": 0.35, "head-scale-horiz": 0.2, "head-scale-vert": 0.15,
    "head-scale-depth": 0.15, "head-fat": 0.25, "head-back-scale-depth": 0.15,
    "neck-scale-horiz": 0.25, "neck-scale-depth": 0.25, "torso-scale-horiz": 0.15, "torso-vshape": 0.2,
    "hip-scale-horiz": 0.2, "stomach-tone": 0.3, "measure-shoulder-dist": 0.3,
}  # fmt: skip
"""Local changes that tell people apart, with the spread (standard deviation) of each."""
_PAIRED = {
    "cheek-volume": 0.4, "cheek-bones": 0.45, "cheek-inner": 0.3, "cheek-trans": 0.3,
    "eye-scale": 0.3, "eye-corner1": 0.35, "eye-corner2": 0.35, "eye-trans": 0.25, "eye-epicanthus": 0.3,
    "eye-eyefold": 0.3, "eye-eyefold-angle": 0.3, "eye-bag": 0.2, "eye-height1": 0.2, "eye-height3": 0.2,
    "ear-scale": 0.35, "ear-wing": 0.25, "ear-lobe": 0.4, "ear-rot": 0.3,
}  # fmt: skip
"""The same for those that come once a side."""
_SHAPES = {
    "oval": {},
    "round": {"head-fat": 0.6, "cheek-volume": 0.6, "chin-width": 0.5, "chin-height": -0.4},
    "square": {"chin-width": 0.9, "chin-bones": 0.7, "chin-height": -0.1},
    "heart": {"forehead-temple": 0.5, "chin-width": -0.8, "cheek-bones": 0.5},
    "long": {"head-scale-vert": 0.6, "chin-height": 0.5, "head-scale-horiz": -0.3},
    "diamond": {"cheek-bones": 0.9, "forehead-temple": -0.5, "chin-width": -0.5},
}
_LIPS = {"thin": -0.7, "medium": 0.0, "full": 0.75}


def shape_person(body: Body, spec: BodySpec, face: FaceSpec) -> ShapedBody:
    """The body of a spec, in Anny's rest pose, soles on zero.

    Height is met exactly: first by the model's own height (which changes proportions), the rest by scale.
    """
    age = float(np.interp(spec.age, _YEARS, _AGES))
    local = _local_changes(body, spec, face)

    def build(height: float) -> tuple[np.ndarray, np.ndarray]:
        values = torch.tensor([_GENDER[spec.presentation], age, spec.muscle, spec.weight, height, spec.proportions])
        vertices, joints = body.shape(values, local)
        return vertices.numpy(), joints.numpy()

    stop = body.parts["body"].stop

    def measure(height: float) -> float:
        y = build(height)[0][:stop, 1]
        return float(y.max() - y.min())

    low, high = measure(0.15), measure(0.85)
    parameter = float(np.clip(0.15 + 0.7 * (spec.height - low) / (high - low), 0.15, 0.85))
    vertices, joints = build(parameter)
    tall = float(np.ptp(vertices[:stop, 1]))
    scale = spec.height / tall
    floor = vertices[:stop, 1].min()
    shift = np.array([0.0, floor, 0.0], np.float32)
    return ShapedBody(((vertices - shift) * scale).astype(np.float32), ((joints - shift) * scale).astype(np.float32))


def _local_changes(body: Body, spec: BodySpec, face: FaceSpec) -> dict[str, float]:
    """Local changes of identity, face shape and lips, by the model's names."""
    rng = np.random.default_rng(spec.identity)
    child = float(np.interp(spec.age, (5, 18), (0.45, 1.0)))
    strengths = {name: rng.normal() * spread * child for name, spread in _IDENTITY.items()}
    strengths |= {name: rng.normal() * spread * child for name, spread in _PAIRED.items()}
    for name, strength in _SHAPES[face.shape].items():
        strengths[name] = strengths.get(name, 0.0) * 0.5 + strength
    for name in ("mouth-lowerlip-volume", "mouth-upperlip-volume"):
        strengths[name] = strengths[name] * 0.4 + _LIPS[face.lips]
    changes: dict[str, float] = {}
    for name, strength in strengths.items():
        strength = float(np.clip(strength, -1, 1))
        names = [f"{side}-{name}" for side in "lr"] if name in _PAIRED or f"l-{name}-incr" in body.local else [name]
        for each in names:
            positive, negative = _ends(body, each)
            changes[positive if strength > 0 else negative] = abs(strength)
    return changes


def _ends(body: Body, name: str) -> tuple[str, str]:
    """MakeHuman's names of a change's two directions."""
    for more, less in (("incr", "decr"), ("up", "down"), ("out", "in"), ("convex", "concave"), ("forward", "backward")):
        if f"{name}-{more}" in body.local:
            return f"{name}-{more}", f"{name}-{less}"
    raise KeyError(f"No local change {name!r}.")
