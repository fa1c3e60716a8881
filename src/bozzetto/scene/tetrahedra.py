"""Tetrahedral grids and the surface inside them: what DMTet optimises. Shen et al. 2021, arXiv:2111.04276.

The grid is a body-centred cubic lattice: the corners and the centres of cubes. A tetrahedron is an edge of a face
between two cubes and the centres of both, so all have one shape, and only cubes near the start shape need be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from bozzetto.kernels import near_inner, near_kernel
from bozzetto.render.antialias import edge_slot

EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""The six edges of a tetrahedron, as corners."""


@dataclass(frozen=True, eq=False)
class TetGrid:
    """Tetrahedra that fill a region without a gap."""

    positions: Float[Tensor, "v 3"]
    """Metres."""
    tetrahedra: Int[Tensor, "t 4"]
    """Corners, ordered so that (b - a) x (c - a) . (d - a) is positive."""
    cell: float
    """Side of a cube, metres; an edge is no longer than that."""


def tet_grid(
    low: Float[ndarray, "3"],
    high: Float[ndarray, "3"],
    cell: float,
    keep: Callable[[Float[ndarray, "n 3"]], Bool[ndarray, "n"]] | None = None,
) -> TetGrid:
    """A grid over a box, or over those of its cubes that are kept.

    Args:
        low: Lowest corner, metres.
        high: Highest corner; the grid may reach up to a cell beyond it.
        cell: Side of a cube, metres.
        keep: From the centres of cubes, which to keep.

    Raises:
        ValueError: An empty box, a cell of no size, or nothing kept.
    """
    size = np.ceil((np.asarray(high, float) - low) / cell).astype(int) if cell > 0 else np.zeros(3, int)
    if (size < 1).any():
        raise ValueError(f"A grid needs a box with some size and a cell above zero; got {low} to {high} by {cell}.")
    cubes = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), -1).reshape(-1, 3)
    if keep is not None:
        cubes = cubes[keep(low + (cubes + 0.5) * cell)]
    around = size + 2
    number = np.full(int(around.prod()), -1)
    number[_flat(cubes, around)] = np.arange(len(cubes))

    corners = size + 1
    tetrahedra = []
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        neighbour = number[_flat(cubes + step, around)]
        here = np.flatnonzero(neighbour >= 0)
        u, v = np.eye(3, dtype=int)[(axis + 1) % 3], np.eye(3, dtype=int)[(axis + 2) % 3]
        ring = [_flat(cubes[here] + step + turn, corners) for turn in (0 * u, u, u + v, v)]
        for first, second in zip(ring, ring[1:] + ring[:1], strict=True):
            tetrahedra.append(np.stack([first, second, -1 - here, -1 - neighbour[here]], 1))
    every = np.concatenate(tetrahedra) if len(cubes) else np.zeros((0, 4), int)
    if not len(every):
        raise ValueError("Nothing of the grid was kept: no two cubes beside each other.")
    # Corners have numbers from zero up, centres from minus one down; both become rows.
    names, rows = np.unique(every, return_inverse=True)
    corner = names[names >= 0]
    points = np.concatenate([
        low + (cubes[-1 - names[names < 0]] + 0.5) * cell,
        low + np.stack(np.unravel_index(corner, corners), 1) * cell,
    ])  # fmt: skip
    return TetGrid(torch.from_numpy(points).float(), torch.from_numpy(rows.reshape(-1, 4)), cell)


def _flat(index: Int[ndarray, "n 3"], size: Int[ndarray, "3"]) -> Int[ndarray, "n"]:
    return (index[:, 0] * size[1] + index[:, 1]) * size[2] + index[:, 2]


def marching_tetrahedra(
    positions: Float[Tensor, "v 3"], sdf: Float[Tensor, "v"], tetrahedra: Int[Tensor, "t 4"]
) -> tuple[Float[Tensor, "p 3"], Int[Tensor, "f 3"]]:
    """The surface where the signed distance is zero, with gradients to positions and distances.

    Watertight inside the grid; faces look towards positive distances. A kernel walks over the tetrahedra once and
    numbers the cut edges as it meets them; ``marching_tetrahedra_reference`` sorts them instead.

    Args:
        positions: Corners of the tetrahedra, metres.
        sdf: Negative inside.
        tetrahedra: As ``TetGrid`` orders them.

    Raises:
        ValueError: A tetrahedron names no corner, or a distance is not a number.
    """
    _check(positions, sdf, tetrahedra)
    if sdf.is_cuda:
        return marching_tetrahedra_reference(positions, sdf, tetrahedra)
    inside = (sdf.detach() < 0).numpy()
    corners = np.ascontiguousarray(tetrahedra.numpy())
    cut = np.empty(len(corners), np.int64)
    count = _cut_tetrahedra(inside, corners, cut)
    ends = np.empty((4 * count + 1, 2), np.int64)
    faces = np.empty((2 * count, 3), np.int64)
    table, triangles = (each.numpy() for each in _triangles())
    slots = np.full(1 << (4 * count + 8).bit_length(), -1, np.int64)
    edges, found = _number_edges(inside, corners, cut[:count], table, triangles, np.array(EDGES), slots, ends, faces)
    a, b = (torch.from_numpy(np.ascontiguousarray(ends[:edges, k])) for k in range(2))
    return _between(positions, sdf, a, b), torch.from_numpy(faces[:found].copy())


def marching_tetrahedra_reference(
    positions: Float[Tensor, "v 3"], sdf: Float[Tensor, "v"], tetrahedra: Int[Tensor, "t 4"]
) -> tuple[Float[Tensor, "p 3"], Int[Tensor, "f 3"]]:
    """``marching_tetrahedra`` in plain torch: the same surface, its points in another order.

    Only tetrahedra that the surface cuts and, of their edges, only those with a sign change are looked at; each is
    named by one 64-bit number.
    """
    inside = sdf.detach() < 0
    sign = inside[tetrahedra]
    case = (sign * sign.new_tensor([1, 2, 4, 8], dtype=torch.int64)).sum(1)
    cut = ((case > 0) & (case < 15)).nonzero()[:, 0]
    case, corners = case[cut], tetrahedra[cut]
    ends = corners[:, torch.tensor(EDGES, device=corners.device)]
    ends = torch.stack([ends.amin(2), ends.amax(2)], 2)
    crossing = inside[ends[..., 0]] != inside[ends[..., 1]]
    keys = (ends[..., 0] * len(positions) + ends[..., 1])[crossing]
    names, row = torch.unique(keys, return_inverse=True)
    rows = torch.full(crossing.shape, -1, dtype=torch.int64, device=row.device)
    rows[crossing] = row
    points = _between(positions, sdf, names // len(positions), names % len(positions))

    table, count = (each.to(case.device) for each in _triangles())
    faces = []
    for k in range(2):
        more = count[case] > k
        faces.append(rows[more].gather(1, table[case[more], k]))
    return points, torch.cat(faces)


def _between(
    positions: Float[Tensor, "v 3"], sdf: Float[Tensor, "v"], a: Int[Tensor, "p"], b: Int[Tensor, "p"]
) -> Float[Tensor, "p 3"]:
    """Where the distance is zero on the edges from a to b."""
    # index_select's gradient is added up in one pass; that of square brackets sorts first.
    at = sdf.index_select(0, a)
    share = (at / (at - sdf.index_select(0, b)))[:, None]
    here = positions.index_select(0, a)
    return here + share * (positions.index_select(0, b) - here)


def _check(positions: Float[Tensor, "v 3"], sdf: Float[Tensor, "v"], tetrahedra: Int[Tensor, "t 4"]) -> None:
    if len(tetrahedra) and (tetrahedra.amin() < 0 or tetrahedra.amax() >= len(positions)):
        raise ValueError(f"Tetrahedra name corners beyond the {len(positions)} that the grid has.")
    if not torch.isfinite(sdf.detach()).all():
        raise ValueError("marching_tetrahedra needs distances that are numbers; some are not finite.")


@near_inner
def _case(inside, tetrahedra, t):
    one, two = inside[tetrahedra[t, 0]], inside[tetrahedra[t, 1]]
    three, four = inside[tetrahedra[t, 2]], inside[tetrahedra[t, 3]]
    return one + 2 * two + 4 * three + 8 * four


@near_kernel
def _cut_tetrahedra(inside, tetrahedra, cut):
    """Writes which tetrahedra have corners on both sides, and says how many."""
    count = 0
    for t in range(len(tetrahedra)):
        case = _case(inside, tetrahedra, t)
        cut[count] = t
        count += 1 if 0 < case < 15 else 0
    return count


@near_kernel
def _number_edges(inside, tetrahedra, cut, table, triangles, edges, slots, ends, faces):
    count, found = 0, 0
    for row in range(len(cut)):
        case = _case(inside, tetrahedra, cut[row])
        for k in range(triangles[case]):
            for corner in range(3):
                edge = table[case, k, corner]
                one, two = tetrahedra[cut[row], edges[edge, 0]], tetrahedra[cut[row], edges[edge, 1]]
                a, b = min(one, two), max(one, two)
                slot = edge_slot(a, b, slots, ends)
                if slots[slot] < 0:
                    slots[slot] = count
                    ends[count, 0], ends[count, 1] = a, b
                    count += 1
                faces[found, corner] = slots[slot]
            found += 1
    return count, found


@cache
def _triangles() -> tuple[Int[Tensor, "16 2 3"], Int[Tensor, "16"]]:
    """For each set of corners inside (bit k for corner k): up to two triangles as edges, and how many there are."""
    shape = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    edge = {pair: n for n, (a, b) in enumerate(EDGES) for pair in ((a, b), (b, a))}
    table, count = np.zeros((16, 2, 3), int), np.zeros(16, int)
    for case in range(1, 15):
        within = [k for k in range(4) if case >> k & 1]
        without = [k for k in range(4) if not case >> k & 1]
        if len(within) == 2:
            (a, b), (c, d) = within, without
            found = [[(a, c), (a, d), (b, d)], [(a, c), (b, d), (b, c)]]
        else:
            found = [[(p, q) for p in within for q in without]]
        outward = shape[without].mean(0) - shape[within].mean(0)
        for k, triangle in enumerate(found):
            p = np.array([(shape[i] + shape[j]) / 2 for i, j in triangle])
            turn = 1 if np.cross(p[1] - p[0], p[2] - p[0]) @ outward > 0 else -1
            table[case, k] = [edge[pair] for pair in triangle][::turn]
        count[case] = len(found)
    return torch.from_numpy(table), torch.from_numpy(count)
