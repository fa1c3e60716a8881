"""What faces are asked for by name, as mixtures of the 52 ARKit expressions: visemes and VRM's presets.

The mixtures are ours, set by looking: how far each shape goes at full strength. The names are ARKit's
(``ARFaceAnchor.BlendShapeLocation``), Oculus' (the 15 visemes of its lip sync) and VRM 1.0's (``expressions.md``).
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..types import Avatar, Layer, SparseOffsets

Mixture = Mapping[str, float]
"""ARKit expressions and how far each goes."""


def _sides(**weights: float) -> dict[str, float]:
    return {name + side: weight for name, weight in weights.items() for side in ("Left", "Right")}


ARKIT: tuple[str, ...] = (
    *_sides(browDown=1), "browInnerUp", *_sides(browOuterUp=1), "cheekPuff", *_sides(cheekSquint=1),
    *_sides(eyeBlink=1, eyeLookDown=1, eyeLookIn=1, eyeLookOut=1, eyeLookUp=1, eyeSquint=1, eyeWide=1),
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", *_sides(mouthDimple=1, mouthFrown=1),
    "mouthFunnel", "mouthLeft", *_sides(mouthLowerDown=1, mouthPress=1), "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    *_sides(mouthSmile=1, mouthStretch=1, mouthUpperUp=1, noseSneer=1), "tongueOut",
)  # fmt: skip
"""The 52 expressions."""

VISEMES: Mapping[str, Mixture] = {
    "sil": {},
    "PP": _sides(mouthPress=0.6) | {"mouthRollLower": 0.4, "mouthRollUpper": 0.35, "mouthPucker": 0.1},
    "FF": _sides(mouthUpperUp=0.5) | {"mouthRollLower": 0.8, "jawOpen": 0.08},
    "TH": _sides(mouthLowerDown=0.15, mouthUpperUp=0.15) | {"jawOpen": 0.16, "tongueOut": 0.5},
    "DD": _sides(mouthLowerDown=0.3, mouthUpperUp=0.2) | {"jawOpen": 0.13},
    "kk": _sides(mouthLowerDown=0.2, mouthStretch=0.2, mouthUpperUp=0.1) | {"jawOpen": 0.2},
    "CH": _sides(mouthLowerDown=0.2, mouthUpperUp=0.2) | {"jawOpen": 0.1, "mouthFunnel": 0.6, "mouthPucker": 0.15},
    "SS": _sides(mouthStretch=0.5, mouthLowerDown=0.5, mouthUpperUp=0.35, mouthSmile=0.1) | {"jawOpen": 0.05},
    "nn": _sides(mouthLowerDown=0.2, mouthUpperUp=0.1) | {"jawOpen": 0.1},
    "RR": _sides(mouthLowerDown=0.1) | {"jawOpen": 0.16, "mouthFunnel": 0.35, "mouthPucker": 0.2},
    "aa": _sides(mouthLowerDown=0.25, mouthUpperUp=0.15) | {"jawOpen": 0.55},
    "E": _sides(mouthStretch=0.35, mouthLowerDown=0.3, mouthUpperUp=0.15, mouthSmile=0.15) | {"jawOpen": 0.24},
    "I": _sides(mouthSmile=0.45, mouthStretch=0.4, mouthLowerDown=0.4, mouthUpperUp=0.25) | {"jawOpen": 0.13},
    "O": {"jawOpen": 0.35, "mouthFunnel": 0.55, "mouthPucker": 0.25},
    "U": {"jawOpen": 0.1, "mouthPucker": 0.75, "mouthFunnel": 0.3},
}
"""Oculus' 15 visemes, without their prefix ``viseme_``."""

VRM_PRESETS: Mapping[str, Mixture] = {
    "happy": _sides(mouthSmile=0.8, cheekSquint=0.5, eyeSquint=0.3, mouthDimple=0.2),
    "angry": _sides(browDown=0.9, noseSneer=0.45, mouthFrown=0.35, mouthPress=0.4, eyeSquint=0.35),
    "sad": _sides(mouthFrown=0.75, eyeSquint=0.2) | {"browInnerUp": 0.85, "mouthShrugLower": 0.35},
    "relaxed": _sides(mouthSmile=0.25, eyeBlink=0.2, eyeSquint=0.15, mouthDimple=0.1),
    "surprised": _sides(browOuterUp=0.8, eyeWide=0.8) | {"browInnerUp": 0.7, "jawOpen": 0.3, "mouthFunnel": 0.2},
    "neutral": {},
    "aa": VISEMES["aa"],
    "ih": VISEMES["I"],
    "ou": VISEMES["U"],
    "ee": VISEMES["E"],
    "oh": VISEMES["O"],
    "blink": _sides(eyeBlink=1.0),
    "blinkLeft": {"eyeBlinkLeft": 1.0},
    "blinkRight": {"eyeBlinkRight": 1.0},
    "lookUp": {},
    "lookDown": {},
    "lookLeft": {},
    "lookRight": {},
}
"""VRM 1.0's 18 presets. The gaze is empty: the eyes turn by their bones."""


def with_visemes(avatar: Avatar) -> Avatar:
    """The avatar with the 15 visemes as expressions of their own, ``viseme_sil`` to ``viseme_U``, after its others."""
    return replace(avatar, layers=tuple(_with_visemes(layer) for layer in avatar.layers))


def _with_visemes(layer: Layer) -> Layer:
    if not layer.expressions:
        return layer
    mixed = {f"viseme_{name}": mixture(layer, weights) for name, weights in VISEMES.items()}
    return replace(layer, expressions={**layer.expressions, **mixed})


def mixture(layer: Layer, weights: Mixture) -> SparseOffsets:
    """Several of a layer's expressions at once, as one; those it lacks are passed over."""
    parts = [(layer.expressions[name], weight) for name, weight in weights.items() if name in layer.expressions]
    if not parts:
        return SparseOffsets(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3))
    indices, place = torch.unique(torch.cat([moves.indices for moves, _ in parts]), return_inverse=True)
    offsets = torch.zeros(len(indices), 3)
    offsets.index_add_(0, place, torch.cat([weight * moves.offsets for moves, weight in parts]))
    return SparseOffsets(indices, offsets)


def at_rest(avatar: Avatar) -> Avatar:
    """The avatar whose resting face is its shape: no expression is left to rest in.

    VRM players set every expression to zero before they apply one, so a smile kept as weights would vanish there. What
    the face already rests in is taken from the expression: at full strength it goes as far as before, not further.
    """
    rest = avatar.expression
    layers = []
    for layer in avatar.layers:
        moves = {
            name: SparseOffsets(shape.indices, (1 - rest.get(name, 0.0)) * shape.offsets)
            for name, shape in layer.expressions.items()
        }
        mesh = replace(layer.mesh, vertices=_moved(layer, rest))
        layers.append(replace(layer, mesh=mesh, expressions=moves))
    return replace(avatar, layers=tuple(layers), expression={})


def _moved(layer: Layer, weights: Mixture) -> Float[Tensor, "v 3"]:
    total = mixture(layer, weights)
    return layer.mesh.vertices.index_add(0, total.indices, total.offsets.to(layer.mesh.vertices.dtype))


def names_in(avatar: Avatar) -> tuple[str, ...]:
    """Every expression that some layer has, in the order in which a file's targets stand."""
    return tuple(dict.fromkeys(name for layer in avatar.layers for name in layer.expressions))
