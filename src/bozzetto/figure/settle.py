"""Cloth of a posed figure kept outside what it is worn over, where skinning alone lets a limb through."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import sparse
from scipy.spatial import cKDTree

from bozzetto.figure.lap import lap, on_lap
from bozzetto.geometry import vertex_normals
from bozzetto.kernels import kernel
from bozzetto.types import Avatar

_LOOSE = ("underwear", "top", "bottom", "dress", "outer", "belt", "apron", "hair")
"""What is moved, and moves what lies over it."""
_HEMMED = ("top", "outer")
"""What may lie on a lap."""
_APART = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal", "head", "neck", "eye", "tongue")
"""Joints whose skin and sleeves push nothing: an arm may lie on a coat."""
_SLEEVE = ("upperarm02", "lowerarm", "wrist")
"""Joints whose cloth nothing pushes: an elbow may rest on a knee."""
_PATCH = 0.012
"""Cloth within a cube of this side moves as one: both its sides, and what is sewn on; metres."""
_GAP = 0.002
_BURIED = 0.024
"""Cloth deeper than this stays inside, and from half of it moves less: a fold of the body has swallowed it. Nothing
moves farther at once; metres."""
_ROUNDS = 12
"""Of spreading what one patch needs to those around it."""
_REACH, _NEAR, _ASIDE = 0.14, 0.012, 0.016
"""How far off what pushes cloth may lie: in all, along its way out but for three times its depth, and aside; metres."""


def settled(avatar: Avatar, vertices: Sequence[Float[ndarray, "_ 3"]]) -> list[Float[ndarray, "_ 3"]]:
    """The posed layers, each garment moved out of skin and of garments under it.

    Only what lies outside at rest is kept outside. Cloth moves along its own normals, together with the cloth around
    it, as far as the farthest of what comes through.

    Args:
        vertices: Posed points of each layer.
    """
    arms, sleeves = (
        [i for i, name in enumerate(avatar.skeleton.names) if name.startswith(starts)] for starts in (_APART, _SLEEVE)
    )
    under: list[_Points] = []
    out = list(vertices)
    seat = lap(avatar, out)
    for i, layer in enumerate(avatar.layers):
        if layer.name != "skin" and layer.name not in _LOOSE:
            continue
        rest, faces = layer.mesh.vertices.numpy(), layer.mesh.faces.numpy()
        main = layer.skin_joints.numpy()[np.arange(len(rest)), layer.skin_weights.numpy().argmax(1)]
        if under and layer.name != "skin":
            below = _Points(*(np.concatenate(parts) for parts in zip(*under, strict=True)))
            loose = ~np.isin(main, sleeves)
            tucked = any(other.name == "bottom" for other in avatar.layers[i + 1 :])
            if seat is not None and layer.name in _HEMMED and not tucked:
                out[i] = on_lap(seat, rest, out[i], below.here)
            for _ in range(2):
                out[i] = _pushed(below, rest, out[i], faces, loose)
        solid = ~np.isin(main, arms)
        posed = _Points(rest, vertex_normals(rest, faces), out[i], vertex_normals(out[i], faces))
        under.append(_Points(*(each[solid] for each in posed)))
    return out


class _Points(NamedTuple):
    """Points of surfaces at rest and posed, with their normals."""

    rest: Float[ndarray, "n 3"]
    rest_facing: Float[ndarray, "n 3"]
    here: Float[ndarray, "n 3"]
    facing: Float[ndarray, "n 3"]


def _pushed(
    below: _Points,
    rest: Float[ndarray, "v 3"],
    posed: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    loose: Bool[ndarray, "v"],
) -> Float[ndarray, "v 3"]:
    """A garment's posed points, the loose ones outside of what is below."""
    away, nearest = cKDTree(below.here).query(posed, distance_upper_bound=_REACH)
    near = np.flatnonzero(np.isfinite(away))
    deep = np.zeros(len(posed))
    deep[near] = ((below.here[nearest[near]] - posed[near]) * below.facing[nearest[near]]).sum(1)
    # Beside the rim of what is below nothing is inside of it.
    within = np.flatnonzero(loose & (deep > 0) & (away**2 - deep**2 < _ASIDE**2))
    if not len(within):
        return posed
    _, nearest = cKDTree(below.rest).query(rest)
    apart = rest - below.rest[nearest]
    normals = vertex_normals(posed, faces)
    normals[(apart * vertex_normals(rest, faces)).sum(1) < 0] *= -1  # linings look inwards
    within = within[(apart * below.rest_facing[nearest]).sum(1)[within] > 0]
    _, patch = np.unique(np.floor(rest / _PATCH).astype(np.int64) @ [1, 1 << 20, 1 << 40], return_inverse=True)
    count = int(patch.max()) + 1
    outward = np.stack([np.bincount(patch, normals[:, k], count) for k in range(3)], 1)
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    outward *= (length > 0.4 * np.bincount(patch)[:, None]) / np.maximum(length, 1e-9)  # a knot has no outside
    joined = patch[np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])]
    graph = sparse.csr_matrix((np.ones(len(joined)), joined.T), (count, count))
    graph = ((graph + graph.T) > 0).astype(np.float64)
    mean = sparse.diags(1 / np.maximum(np.asarray(graph.sum(1)).ravel(), 1)) @ graph
    for _ in range(4):
        outward = mean @ outward
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    need = np.zeros(count)
    reach = 3 * deep[within] + _NEAR
    push = np.zeros(len(reach))
    _way_out(posed[within], outward[patch[within]].astype(np.float32), reach, below.here, below.facing, push)
    push = np.minimum(push, _BURIED) * np.clip((_BURIED - deep[within]) / (0.5 * _BURIED), 0, 1)
    np.maximum.at(need, patch[within], push)
    moved = need
    for _ in range(_ROUNDS):
        moved = np.maximum(need, mean @ moved)
    shift = moved[:, None] * outward
    for _ in range(2):
        shift = mean @ shift
    return posed + shift[patch].astype(np.float32)


@kernel
def _way_out(points, directions, reach, below, facing, out):
    """How far each point must go to be outside of all that faces its way, metres; at least what `out` says."""
    for p in range(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        a, b, c = directions[p, 0], directions[p, 1], directions[p, 2]
        for q in range(len(below)):
            dx, dy, dz = below[q, 0] - x, below[q, 1] - y, below[q, 2] - z
            along = dx * a + dy * b + dz * c
            if along <= out[p] - _GAP or along > reach[p]:
                continue
            if dx * dx + dy * dy + dz * dz - along * along > _ASIDE * _ASIDE:
                continue
            if facing[q, 0] * a + facing[q, 1] * b + facing[q, 2] * c > 0.2:
                out[p] = along + _GAP
