"""From the words of a ``BodySpec`` and ``FaceSpec`` to the body model's parameters."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from bozzetto.body.model import Body, ShapedBody
from bozzetto.figure.spec import BodySpec, FaceSpec

_YEARS = (0.0, 1.0, 5.0, 11.5, 16.0, 25.0, 90.0)
_AGES = (-1 / 3, 0.0, 0.17, 1 / 3, 0.5, 2 / 3, 1.0)
_GENDER = {"man": 0.0, "androgynous": 0.5, "woman": 1.0}

_SHOULDERS = {"measure-shoulder-dist": 0.25, "torso-scale-horiz": 0.12, "torso-vshape": 0.15}
_HIPS = {"hip-scale-horiz": 0.18}
_AXES: tuple[dict[str, float], ...] = (
    # The nose: broad, prominent, turned up, hooked, full at the tip.
    {"nose-scale-horiz": 0.28, "nose-width1": 0.16, "nose-width2": 0.2, "nose-width3": 0.25, "nose-flaring": 0.14,
     "nose-nostrils-width": 0.14},
    {"nose-scale-depth": 0.28, "nose-scale-vert": 0.16, "nose-greek": 0.12},
    {"nose-point": 0.22, "nose-base": 0.15, "nose-septumangle": 0.08},
    {"nose-hump": 0.24, "nose-curve": 0.14},
    {"nose-point-width": 0.2, "nose-volume": 0.16},
    # The head: wide, long, deep, tall of forehead.
    {"head-scale-horiz": 0.16, "head-fat": 0.2, "cheek-volume": 0.25, "chin-width": 0.2, "neck-scale-horiz": 0.12},
    {"head-scale-vert": 0.16, "chin-height": 0.3, "forehead-scale-vert": 0.12},
    {"head-back-scale-depth": 0.12, "forehead-nubian": 0.12, "forehead-temple": 0.2},
    # Jaw and chin: strong, forward, cleft.
    {"chin-bones": 0.35, "chin-width": 0.3, "chin-jaw-drop": 0.2},
    {"chin-prominent": 0.35, "chin-prognathism": 0.12, "mouth-trans": 0.12},
    {"chin-cleft": 0.3},
    # Cheeks: high bones, hollow.
    {"cheek-bones": 0.4, "cheek-trans": 0.2},
    {"cheek-inner": 0.25, "cheek-volume": 0.3},
    # Eyes: large, tilted, far apart, folded, hooded.
    {"eye-scale": 0.26, "eye-height2": 0.1},
    {"eye-corner2": 0.34, "eye-corner1": -0.14, "eyebrows-angle": 0.15},
    {"eye-trans": 0.22},
    {"eye-epicanthus": 0.32, "eye-eyefold": 0.22},
    {"eye-eyefold-angle": 0.25, "eye-bag": 0.14},
    # Brows: high, slanted.
    {"eyebrows-trans": 0.25},
    {"eyebrows-angle": 0.22},
    # Mouth: wide, full above, full below, bowed, long of lip.
    {"mouth-scale-horiz": 0.32, "mouth-scale-vert": 0.1},
    {"mouth-upperlip-volume": 0.22, "mouth-lowerlip-volume": 0.22},
    {"mouth-lowerlip-volume": 0.2, "mouth-upperlip-volume": -0.14, "mouth-lowerlip-width": 0.2},
    {"mouth-cupidsbow": 0.4, "mouth-philtrum-volume": 0.25},
    {"mouth-angles": 0.12},
    # Ears.
    {"ear-scale": 0.3, "ear-lobe": 0.3},
    {"ear-wing": 0.2, "ear-rot": 0.25},
    # The body: shoulders, hips, neck, belly.
    _SHOULDERS,
    _HIPS,
    {"neck-scale-depth": 0.18, "neck-scale-horiz": 0.18},
    {"stomach-tone": 0.3},
)  # fmt: skip
"""Ways in which people differ, each a few local changes that go together, with their spread."""
_WOMAN = {
    "chin-width": -0.25, "chin-bones": -0.3, "chin-prominent": -0.1, "chin-height": -0.12, "nose-scale-horiz": -0.12,
    "nose-scale-depth": -0.1, "nose-point": 0.12, "eye-scale": 0.22, "eyebrows-trans": 0.25, "forehead-nubian": 0.12,
    "mouth-upperlip-volume": 0.15, "mouth-lowerlip-volume": 0.12, "cheek-bones": 0.2, "neck-scale-horiz": -0.25,
    "neck-scale-depth": -0.2, "head-fat": -0.05, "mouth-scale-horiz": -0.05, "eye-corner2": 0.1,
}  # fmt: skip
_MAN = {
    "chin-width": 0.25, "chin-bones": 0.35, "chin-prominent": 0.15, "chin-height": 0.12, "nose-scale-vert": 0.1,
    "eyebrows-trans": -0.2, "eye-scale": -0.08, "neck-scale-horiz": 0.3, "neck-scale-depth": 0.2,
    "mouth-upperlip-volume": -0.1, "forehead-nubian": -0.1, "nose-scale-depth": 0.1,
}  # fmt: skip
_CHILD = {
    "head-scale-vert": 0.3, "head-scale-horiz": 0.2, "head-scale-depth": 0.2, "head-age": -0.9, "eye-scale": 0.6,
    "eyebrows-trans": 0.3, "cheek-volume": 0.25, "cheek-inner": 0.25, "cheek-bones": -0.25, "chin-height": -0.4,
    "chin-bones": -0.55, "chin-width": -0.35, "chin-jaw-drop": -0.3, "chin-prominent": -0.15, "nose-scale-vert": -0.2,
    "nose-scale-depth": -0.15, "nose-scale-horiz": -0.4, "nose-width2": -0.25, "nose-hump": -0.25, "nose-point": 0.2,
    "neck-scale-horiz": -0.55, "neck-scale-depth": -0.35, "mouth-scale-horiz": -0.1, "mouth-upperlip-volume": -0.1,
    "mouth-lowerlip-volume": -0.1,
}  # fmt: skip
_OLD = {
    "head-age": 0.45, "cheek-inner": -0.3, "cheek-volume": -0.4, "eye-bag": 0.5, "eye-eyefold-angle": -0.4,
    "eyebrows-trans": -0.2, "neck-double": 0.45, "ear-scale": 0.4, "ear-lobe": 0.4, "nose-point": -0.3,
    "nose-scale-vert": 0.18, "mouth-upperlip-volume": -0.35, "mouth-lowerlip-volume": -0.3, "mouth-laugh-lines": 0.5,
    "forehead-temple": -0.3, "neck-scale-horiz": -0.15,
}  # fmt: skip
"""What tells women, men, children and the old apart in the face beyond the body model's own difference."""
_DARK = {
    "nose-scale-horiz": 0.3, "nose-width2": 0.2, "nose-scale-depth": -0.2, "mouth-upperlip-volume": 0.3,
    "mouth-lowerlip-volume": 0.25, "chin-prominent": -0.1,
}  # fmt: skip
"""How faces of the darkest skin differ from the middle of all on average; the lightest differ the other way."""
_HEAVY = {
    "stomach-pregnant": 0.45, "stomach-tone": -0.9, "measure-waist-circ": 0.9, "measure-hips-circ": 0.7,
    "torso-scale-depth": 0.5, "torso-scale-horiz": 0.35, "hip-scale-depth": 0.4, "hip-scale-horiz": 0.4,
    "head-fat": 0.6, "neck-double": 0.9, "neck-scale-horiz": 0.5, "cheek-volume": 0.4, "buttocks-volume": 0.5,
    "upperarm-fat": 1.0, "lowerarm-fat": 0.7, "upperleg-fat": 1.0, "lowerleg-fat": 0.7, "measure-bust-circ": 0.5,
}  # fmt: skip
_THIN = {
    "measure-waist-circ": -0.5, "measure-hips-circ": -0.4, "torso-scale-depth": -0.2, "upperarm-fat": -0.6,
    "lowerarm-fat": -0.5, "upperleg-fat": -0.7, "lowerleg-fat": -0.5, "cheek-inner": -0.3, "cheek-volume": -0.4,
    "head-fat": -0.25, "neck-scale-horiz": -0.25,
}  # fmt: skip
"""What makes the very heavy and the very thin beyond the body model's own range."""
_REST: dict[str, float] = {"jawOpen": -0.045, "eyeBlinkLeft": 0.04, "eyeBlinkRight": 0.04}
"""Expressions baked into the face: the body model's lips stand a little open, its lids a little wide."""
_SHAPES = {
    "oval": {},
    "round": {"head-fat": 0.35, "cheek-volume": 0.4, "chin-width": 0.3, "chin-height": -0.3},
    "square": {"chin-width": 0.65, "chin-bones": 0.55, "chin-height": -0.1},
    "heart": {"forehead-temple": 0.5, "chin-width": -0.65, "cheek-bones": 0.4},
    "long": {"head-scale-vert": 0.35, "chin-height": 0.4, "head-scale-horiz": -0.25},
    "diamond": {"cheek-bones": 0.7, "forehead-temple": -0.5, "chin-width": -0.45},
}
_LIPS = {"thin": -0.7, "medium": 0.0, "full": 0.75}


def shape_person(body: Body, spec: BodySpec, face: FaceSpec) -> ShapedBody:
    """The body of a spec, in Anny's rest pose, soles on zero.

    Height is met exactly: first by the model's own height (which changes proportions), the rest by scale.
    """
    age = float(np.interp(spec.age, _YEARS, _AGES))
    local = local_changes(body, spec, face)
    weight = float(np.interp(spec.weight, (0, 0.5, 1), (0.08, 0.5, 0.95)))
    uncommon = float(np.interp(spec.proportions, (0, 0.5, 1), (0.9, 0.35, 0.0)))
    """The model counts the other way round: 0 is idealised."""

    def phenotypes(height: float) -> torch.Tensor:
        return torch.tensor([_GENDER[spec.presentation], age, spec.muscle, weight, height, uncommon])

    moved, joints_moved = _offsets(body, local)
    ends = _ends_of_height(body)
    rest_y, spread_y = body.template[ends, 1].numpy() + moved[ends, 1], body.components[:, ends, 1].numpy()

    def measure(height: float) -> float:
        return float(np.ptp(rest_y + body.coefficients(phenotypes(height)).numpy() @ spread_y))

    low, high = measure(0.15), measure(0.85)
    parameter = float(np.clip(0.15 + 0.7 * (spec.height - low) / (high - low), 0.15, 0.85))
    shape, skeleton = body.shape(phenotypes(parameter))
    vertices, joints = shape.numpy() + moved, skeleton.numpy() + joints_moved
    stop = body.parts["body"].stop
    tall = float(np.ptp(vertices[:stop, 1]))
    scale = spec.height / tall
    floor = vertices[:stop, 1].min()
    shift = np.array([0.0, floor, 0.0], np.float32)
    eyes = [body.joint_names.index(name) for name in ("eye.L", "eye.R")]
    gap, mean = (float(np.ptp(points[eyes, 0])) for points in (joints, body.joint_template.numpy()))
    for name, strength in _REST.items():
        indices, offsets = body.expressions[name]
        vertices[indices] += np.float32(strength * gap / mean) * offsets
    return ShapedBody(((vertices - shift) * scale).astype(np.float32), ((joints - shift) * scale).astype(np.float32))


@cache
def _ends_of_height(body: Body) -> Int[ndarray, "n"]:
    """Body vertices near the crown and the soles, which decide how tall anybody is."""
    y = body.template[: body.parts["body"].stop, 1].numpy()
    return np.flatnonzero((y > y.max() - 0.08) | (y < y.min() + 0.05))


def _offsets(body: Body, local: dict[str, float]) -> tuple[Float[ndarray, "v 3"], Float[ndarray, "j 3"]]:
    """What local changes add to every vertex and joint."""
    vertices = np.zeros(body.template.shape, np.float32)
    joints = np.zeros(body.joint_template.shape, np.float32)
    for name, strength in local.items():
        indices, offsets, joint_offsets = body.local[name]
        vertices[indices] += np.float32(strength) * offsets
        joints += np.float32(strength) * joint_offsets
    return vertices, joints


def local_changes(body: Body, spec: BodySpec, face: FaceSpec) -> dict[str, float]:
    """Strengths of the local changes of identity, presentation, age, face shape and lips, by the model's names."""
    rng = np.random.default_rng(spec.identity)
    own = float(spec.identity != 0)
    grown = float(np.interp(spec.age, (4, 12, 18), (0.45, 0.65, 1.1)))
    strengths: dict[str, float] = {}

    def add(changes: dict[str, float], amount: float) -> None:
        for name, strength in changes.items():
            strengths[name] = strengths.get(name, 0.0) + amount * strength

    for axis in _AXES:
        add(axis, own * grown * float(np.clip(rng.normal(), -1.8, 1.8)))
    for axis in _AXES:
        for name, spread in axis.items():
            add({name: 0.35 * spread}, own * grown * float(np.clip(rng.normal(), -1.8, 1.8)))
    add(
        {"woman": _WOMAN, "man": _MAN, "androgynous": {}}[spec.presentation],
        float(np.interp(spec.age, (8, 18), (0.3, 1))),
    )
    for axis, said in ((_SHOULDERS, spec.shoulders), (_HIPS, spec.hips)):
        add(axis, grown * float(np.interp(said, (0, 1), (-2.5, 2.5))))
    add({"mouth-angles": 0.22}, 1.0)  # The model's mouth at rest looks displeased.
    add(_CHILD, float(np.interp(spec.age, (4, 9, 13, 17), (1.0, 1.0, 0.6, 0.0))))
    add(_OLD, float(np.interp(spec.age, (45, 60, 80), (0.0, 0.35, 1.0))))
    add(_DARK, float(np.interp(np.array(face.skin.srgb) @ (0.299, 0.587, 0.114), (0.2, 0.55, 0.85), (1, 0, -0.5))))
    add(_HEAVY, float(np.interp(spec.weight, (0.58, 1.0), (0.0, 1.0))))
    add(_THIN, float(np.interp(spec.weight, (0.0, 0.38), (1.0, 0.0))))
    for name, strength in _SHAPES[face.shape].items():
        strengths[name] = strengths.get(name, 0.0) * 0.4 + strength
    for name in ("mouth-lowerlip-volume", "mouth-upperlip-volume"):
        strengths[name] = strengths[name] * 0.6 + _LIPS[face.lips]
    changes: dict[str, float] = {}
    for name, strength in strengths.items():
        strength = float(np.clip(strength, -1, 1))
        paired = f"l-{name}-incr" in body.local or _has_ends(body, f"l-{name}")
        for each in [f"{side}-{name}" for side in "lr"] if paired else [name]:
            positive, negative = _ends(body, each)
            uneven = strength + (0.05 * own * float(rng.normal()) if paired else 0.0)
            changes[positive if uneven > 0 else negative] = float(np.clip(abs(uneven), 0, 1))
    return changes


def _has_ends(body: Body, name: str) -> bool:
    return any(f"{name}-{end}" in body.local for end in ("up", "out", "convex", "forward"))


def _ends(body: Body, name: str) -> tuple[str, str]:
    """MakeHuman's names of a change's two directions."""
    for more, less in (("incr", "decr"), ("up", "down"), ("out", "in"), ("convex", "concave"), ("forward", "backward")):
        if f"{name}-{more}" in body.local:
            return f"{name}-{more}", f"{name}-{less}"
    raise KeyError(f"No local change {name!r}.")
