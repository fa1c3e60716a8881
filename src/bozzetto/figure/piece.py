"""What the makers of a figure hand over: one thing worn or grown, modelled around the body in Anny's rest pose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from bozzetto.body.model import Body, ShapedBody
from bozzetto.figure.spec import FigureSpec
from bozzetto.types import Material

Detail: TypeAlias = Literal["full", "low"]
"""``low`` is for pictures of 128 px by the thousand: fewer triangles, small textures, no normal maps."""

MOVES: TypeAlias = Mapping[str, tuple[Int[ndarray, "_"], Float[ndarray, "_ 3"]]]


@dataclass(frozen=True, eq=False)
class Person:
    """What every maker reads."""

    spec: FigureSpec
    body: Body
    shaped: ShapedBody
    """In Anny's rest pose, metres, y-up, facing +z, bare soles on zero."""
    detail: Detail = "full"

    @property
    def vertices(self) -> Float[ndarray, "v 3"]:
        return self.shaped.vertices

    def joint(self, name: str) -> Float[ndarray, "3"]:
        return self.shaped.joints[self.body.joint_names.index(name)]

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for one purpose, so that adding a maker never changes what another draws."""
        return np.random.default_rng([self.spec.seed, *purpose.encode()])


@dataclass(frozen=True, eq=False)
class Piece:
    """One layer to be, in Anny's rest pose."""

    name: str
    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"]
    """Per corner; (0, 0) is the image's upper left."""
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    material: Material
    expressions: MOVES = field(default_factory=dict)
    """By ARKit name: vertices that move and their offsets."""
    hides: Bool[ndarray, "b"] | None = None
    """Body faces (of the part "body") that can never be seen under this piece; they are left out of the skin."""


def mix_weights(
    body: Body, vertices: Int[ndarray, "v n"], shares: Float[ndarray, "v n"]
) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """Skin weights of mixtures of body vertices: the four largest, renormalised."""
    dense = np.zeros((len(vertices), len(body.joint_names)), np.float32)
    rows = np.repeat(np.arange(len(vertices)), vertices.shape[1] * 4)
    amounts = (body.skin_weights[vertices] * shares[:, :, None]).ravel()
    np.add.at(dense, (rows, body.skin_joints[vertices].ravel()), amounts)
    return top_four(dense)


def top_four(dense: Float[ndarray, "v j"]) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """The four largest weights of each row, renormalised, and their joints."""
    joints = np.argpartition(-dense, 3, axis=1)[:, :4]
    weights = np.take_along_axis(dense, joints, 1)
    order = np.argsort(-weights, 1)
    weights, joints = np.take_along_axis(weights, order, 1), np.take_along_axis(joints, order, 1)
    return (weights / np.maximum(weights.sum(1, keepdims=True), 1e-8)).astype(np.float32), joints.astype(np.int64)
