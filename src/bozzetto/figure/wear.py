"""What things worn on the body share: where colours lie on their texture, small shapes, what carries them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from bozzetto.figure.fitted import Box, Fitted, Shape, mean_person, sheet
from bozzetto.figure.piece import Person

CLOTH: Box = (0.0, 0.0, 1.0, 0.75)
SECOND: Box = (0.02, 0.78, 0.23, 0.98)
DARK: Box = (0.27, 0.78, 0.48, 0.98)
METAL: Box = (0.52, 0.78, 0.73, 0.98)
PLAIN: Box = (0.77, 0.78, 0.98, 0.98)
"""Where on the texture cloth and single colours lie."""
WIDTH = 0.6
"""Metres of cloth across the texture."""


@dataclass(frozen=True, eq=False)
class Skin:
    """A shape that lies on the skin vertex by vertex."""

    shape: Shape
    anchors: Int[ndarray, "v"]
    offset: Float[ndarray, "v 3"]
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    hides: ndarray

    def on(self, person: Person) -> Float[ndarray, "v 3"]:
        return person.vertices[self.anchors] + self.offset


@dataclass(frozen=True, eq=False)
class Thing:
    """One kind of extra."""

    fitted: Fitted | Skin
    normals: Float[ndarray, "v 3"] | None = None
    """Directions in which clothes below push it out."""
    rows: Int[ndarray, "v"] | None = None
    """Rows of hanging cloth from above; -1 does not hang."""
    tight: Int[ndarray, "v"] | None = None
    """2 on a strap that is drawn tight round the waist, 1 on what is fixed to it, 0 elsewhere."""
    above: Float[ndarray, "v"] | None = None
    """Of a hat: metres above the mean adult's scalp, seen from the skull's middle."""
    middle: Float[ndarray, "a"] | None = None
    """Of a hat: the skull's middle as a linear map of the anchors."""


@cache
def ears() -> ndarray:
    """Body vertices of the ears."""
    body = mean_person().body
    part, mask = body.parts["body"], body.masks["ears"]
    at = np.clip((part.uvs * mask.shape[0]).astype(int), 0, mask.shape[0] - 1)
    return np.unique(part.faces[mask[at[..., 1], at[..., 0]] > 128])


def ball(centre: ndarray, size: ndarray, box: Box, sides: int = 10) -> Shape:
    """An ellipsoid."""
    a, b = np.linspace(0, np.pi, sides // 2 + 2), np.linspace(0, 2 * np.pi, sides, endpoint=False)
    grid = np.stack([
        np.sin(a)[:, None] * np.cos(b), np.cos(a)[:, None] * np.ones_like(b), np.sin(a)[:, None] * np.sin(b)
    ], 2)  # fmt: skip
    return sheet(centre + grid * size, box, closed=True, flip=True)


def rounded(path: Float[ndarray, "n 3"], count: int, sigma: float) -> Float[ndarray, "m 3"]:
    """So many points along a path, its corners rounded."""
    fine = np.linspace(0, len(path) - 1, count)
    line = np.stack([np.interp(fine, np.arange(len(path)), path[:, k]) for k in range(3)], 1)
    return gaussian_filter1d(line, sigma, axis=0, mode="nearest")
