"""Points to features by hashed grids of many resolutions. Mueller et al. 2022 (instant-ngp), arXiv:2201.05989.

Levels run side by side on threads, so none needs a copy of the gradients. ``encode_reference`` says the same in torch.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bozzetto.render.surface import _array, kernel, threads

_PRIMES = (1, 2654435761, 805459861)


class HashGrid(nn.Module):
    """Features of points in the unit cube: trilinear in each level's grid, the levels side by side."""

    sizes: Tensor

    def __init__(
        self,
        levels: int = 8,
        features: int = 2,
        log2_rows: int = 15,
        coarsest: int = 16,
        finest: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        """
        Args:
            levels: How many grids.
            features: Numbers a grid corner holds.
            log2_rows: Rows of each level's table; where the grid has more corners they share rows by a hash.
            coarsest: Cells along a side of the first level.
            finest: Cells along a side of the last; between them sizes grow geometrically.
            generator: Of the first values, uniform within 1e-4 of zero.
        """
        super().__init__()
        start = (torch.rand(levels, 1 << log2_rows, features, generator=generator) * 2 - 1) * 1e-4
        self.table = nn.Parameter(start)
        growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
        sizes = [int(coarsest * growth**level + 1e-6) for level in range(levels)]
        self.register_buffer("sizes", torch.tensor(sizes))

    @property
    def width(self) -> int:
        """Features of a point."""
        return self.table.shape[0] * self.table.shape[2]

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Args:
        points: In the unit cube; beyond it the border's features.
        """
        if points.is_cuda or points.dtype != torch.float32:
            return encode_reference(points, self.table.to(points), self.sizes)
        out: Any = _Encode.apply(points, self.table, self.sizes)
        return out


def encode_reference(
    points: Float[Tensor, "n 3"], table: Float[Tensor, "l t c"], sizes: Int[Tensor, "l"]
) -> Float[Tensor, "n k"]:
    """``HashGrid`` in plain torch."""
    rows = table.shape[1]
    out = []
    for level, size in enumerate(sizes.tolist()):
        at = points.clamp(0, 1) * size
        cell = at.detach().floor().clamp(max=size - 1)
        share, cell = at - cell, cell.long()
        total = 0
        for corner in range(8):
            step = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1], device=points.device)
            x, y, z = (cell + step).unbind(1)
            if (size + 1) ** 3 <= rows:
                row = (x * (size + 1) + y) * (size + 1) + z
            else:
                row = (x * _PRIMES[0] ^ y * _PRIMES[1] ^ z * _PRIMES[2]) & (rows - 1)
            weight = torch.where(step.bool(), share, 1 - share).prod(1, keepdim=True)
            total = total + weight * table[level, row]
        out.append(total)
    return torch.cat(out, 1)


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, sizes: Tensor):
        p, t, n = _array(points), _array(table), _array(sizes)
        out = np.empty((len(p), t.shape[0] * t.shape[2]), np.float32)
        each_level(lambda level: _look(p, t, n, level, out), len(n))
        ctx.saved, ctx.needs = (p, t, n), (points.requires_grad, table.requires_grad)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        p, t, n = ctx.saved
        move, learn = ctx.needs
        slope = _array(gradients[0])
        to_table = np.zeros_like(t) if learn else t[:0]
        to_points = np.zeros((len(n), *p.shape), np.float32) if move else np.zeros((1, 1, 3), np.float32)
        each_level(lambda level: _look_back(p, t, n, level, slope, to_table, to_points, learn, move), len(n))
        return (
            torch.from_numpy(to_points.sum(0)) if move else None,
            torch.from_numpy(to_table) if learn else None,
            None,
        )


def each_level(work: Any, levels: int) -> None:
    """Calls ``work(level)`` for each, on as many threads as torch may use."""
    if threads() == 1:
        for level in range(levels):
            work(level)
        return
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(work, range(levels)))


@kernel
def _axis(value, size):
    """The cell of a coordinate, the share of the way through it, and whether the coordinate lies inside the cube."""
    inside = 0.0 <= value <= 1.0
    at = min(max(value, 0.0), 1.0) * size
    cell = min(np.int64(at), np.int64(size) - 1)
    return cell, at - cell, inside


@kernel
def _row(x, y, z, size, rows):
    corners = np.int64(size) + 1
    if corners * corners * corners <= rows:
        return (x * corners + y) * corners + z
    return ((x * np.int64(1)) ^ (y * np.int64(2654435761)) ^ (z * np.int64(805459861))) & np.int64(rows - 1)


@kernel
def _look(points, table, sizes, level, out):
    rows, features = table.shape[1], table.shape[2]
    size = sizes[level]
    for n in range(len(points)):
        x, fx, _ = _axis(points[n, 0], size)
        y, fy, _ = _axis(points[n, 1], size)
        z, fz, _ = _axis(points[n, 2], size)
        for k in range(features):
            out[n, level * features + k] = 0.0
        for corner in range(8):
            i, j, m = corner >> 2 & 1, corner >> 1 & 1, corner & 1
            weight = (fx if i else 1 - fx) * (fy if j else 1 - fy) * (fz if m else 1 - fz)
            row = _row(x + i, y + j, z + m, size, rows)
            for k in range(features):
                out[n, level * features + k] += weight * table[level, row, k]


@kernel
def _look_back(points, table, sizes, level, slope, to_table, to_points, learn, move):
    rows, features = table.shape[1], table.shape[2]
    size = sizes[level]
    for n in range(len(points)):
        x, fx, in_x = _axis(points[n, 0], size)
        y, fy, in_y = _axis(points[n, 1], size)
        z, fz, in_z = _axis(points[n, 2], size)
        dx, dy, dz = 0.0, 0.0, 0.0
        for corner in range(8):
            i, j, m = corner >> 2 & 1, corner >> 1 & 1, corner & 1
            wx, wy, wz = fx if i else 1 - fx, fy if j else 1 - fy, fz if m else 1 - fz
            row = _row(x + i, y + j, z + m, size, rows)
            along = 0.0
            for k in range(features):
                g = slope[n, level * features + k]
                along += g * table[level, row, k]
                if learn:
                    to_table[level, row, k] += wx * wy * wz * g
            dx += (along if i else -along) * wy * wz
            dy += (along if j else -along) * wx * wz
            dz += (along if m else -along) * wx * wy
        if move:
            to_points[level, n, 0] = dx * size if in_x else 0.0
            to_points[level, n, 1] = dy * size if in_y else 0.0
            to_points[level, n, 2] = dz * size if in_z else 0.0
