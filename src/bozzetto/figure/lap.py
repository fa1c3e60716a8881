"""Cloth of who sits or crouches: a front lies on the raised thighs, which skinning alone would fold it into."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import ndimage

from bozzetto.figure.shells import smooth_step
from bozzetto.types import Avatar

_TRUNK = ("root", "pelvis", "spine05")
_RAISED = (0.85, 0.45)
"""How far a thigh turns from the trunk's way down before cloth lies on it, and over how much more; radians."""
_CELL = 0.008
"""Of the grid of a lap's surface; metres."""
_GAP = 0.004
"""Between a thigh and the cloth on it; metres."""


class Lap(NamedTuple):
    """A trunk and how far the thighs are raised from it."""

    turn: Float[ndarray, "3 3"]
    moved: Float[ndarray, "3"]
    """With the turn, from the rest pose: ``rest @ turn.T + moved``."""
    hip: Float[ndarray, "3"]
    """Middle between both hip joints at rest."""
    thigh: float
    """Length, metres."""
    share: tuple[float, float]
    """Of the left and of the right thigh: zero hanging, one raised to a lap."""


def _carried(
    rest: Float[ndarray, "n 3"], posed: Float[ndarray, "n 3"], share: Float[ndarray, "n"]
) -> tuple[Float[ndarray, "3 3"], Float[ndarray, "3"]]:
    """The turn and move that bring points nearest to their posed places."""
    share = share[:, None] / share.sum()
    a, b = (share * rest).sum(0), (share * posed).sum(0)
    u, _, v = np.linalg.svd((share * (posed - b)).T @ (rest - a))
    turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    return turn, b - turn @ a


def lap(avatar: Avatar, vertices: list[Float[ndarray, "_ 3"]]) -> Lap | None:
    """The lap of a posed figure; None for who stands or lies."""
    names = avatar.skeleton.names
    if "upperleg01.L" not in names:
        return None

    def fit(starts: tuple[str, ...]) -> tuple[ndarray, ndarray] | None:
        chosen = np.array([name.startswith(starts) for name in names])
        parts = []
        for layer, posed in zip(avatar.layers, vertices, strict=True):
            share = (layer.skin_weights.numpy() * chosen[layer.skin_joints.numpy()]).sum(1)
            near = np.flatnonzero(share > 0.8)
            parts.append((layer.mesh.vertices.numpy()[near], posed[near], share[near] ** 4))
        rest, posed, share = (np.concatenate(each).astype(np.float64) for each in zip(*parts, strict=True))
        return _carried(rest, posed, share) if len(rest) > 8 else None

    trunk = fit(_TRUNK)
    legs = [leg for side in "LR" if (leg := fit((f"upperleg01.{side}", f"upperleg02.{side}"))) is not None]
    if trunk is None or len(legs) < 2:
        return None
    joints = avatar.skeleton.positions.numpy().astype(np.float64)
    tops, knees = ([names.index(f"{part}.{side}") for side in "LR"] for part in ("upperleg01", "lowerleg01"))
    raised = []
    for (turn, _), top, knee in zip(legs, tops, knees, strict=True):
        way = trunk[0].T @ turn @ (joints[knee] - joints[top])
        raised.append(float(np.arctan2(way[2], -way[1])))
    share = smooth_step((np.array(raised) - _RAISED[0]) / _RAISED[1])
    if share.max() == 0:
        return None
    thigh = float(np.linalg.norm(joints[knees[0]] - joints[tops[0]]))
    return Lap(*trunk, joints[tops].mean(0), thigh, (float(share[0]), float(share[1])))


def on_lap(
    here: Lap, rest: Float[ndarray, "v 3"], posed: Float[ndarray, "v 3"], below: Float[ndarray, "n 3"]
) -> Float[ndarray, "v 3"]:
    """A garment's posed points, its front going on straight down from the trunk and bent forward where a thigh is.

    Args:
        below: Posed points of what it is worn over.
    """
    unit = here.thigh / 0.4
    x, y, z = (rest - here.hip).T
    if y.min() > 0.06 * unit or y.min() < -0.6 * here.thigh:
        return posed
    left = smooth_step(0.5 + x / (0.12 * unit))
    share = here.share[1] + (here.share[0] - here.share[1]) * left
    share *= 1 - smooth_step((np.abs(np.arctan2(x, z)) - 1.2) / 0.7)
    share *= smooth_step((0.12 * unit - y) / (0.08 * unit))
    share *= smooth_step((np.abs(x) + 0.03 * unit) / (0.09 * unit))  # in the middle it sags between them
    near = np.flatnonzero(share > 0)
    # Seen from before and above, belly and thighs are one surface.
    axes = np.array([[1, 0, 0], [0, -1, 1], [0, 1, 1]]) / np.array([[1], [np.sqrt(2)], [np.sqrt(2)]])
    cloth = (rest[near] - here.hip) @ axes.T
    under = ((below - here.moved) @ here.turn - here.hip) @ axes.T
    low = cloth[:, :2].min(0) - 0.04
    size = tuple(np.ceil((cloth[:, :2].max(0) + 0.04 - low) / _CELL).astype(int))
    inside = ((under[:, :2] > low) & (under[:, :2] < low + (np.array(size) - 1) * _CELL)).all(1)

    def cell(points: ndarray) -> tuple[ndarray, ndarray]:
        i, j = np.round((points[:, :2] - low) / _CELL).astype(int).T
        return i, j

    top = np.full(size, -1.0)
    np.maximum.at(top, cell(under[inside]), under[inside, 2])
    top = ndimage.grey_closing(ndimage.maximum_filter(top, 3), 5)
    need, at = np.zeros(size), cell(cloth)
    np.maximum.at(need, at, top[at] + _GAP - cloth[:, 2])
    need = ndimage.gaussian_filter(ndimage.maximum_filter(need, 5), 1.5)
    cloth[:, 2] += ndimage.map_coordinates(need, ((cloth[:, :2] - low) / _CELL).T, order=1)
    laid = (cloth @ axes + here.hip) @ here.turn.T + here.moved
    out = posed.copy()
    out[near] += (share[near, None] * (laid - posed[near])).astype(posed.dtype)
    return out
