"""Points to features by hashed grids of many resolutions. Mueller et al. 2022 (instant-ngp), arXiv:2201.05989.

Points are looked up side by side, gradients summed level by level side by side, so that none needs a copy of its own.
``encode_reference`` says the same in torch.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bozzetto.kernels import near_inner, near_kernel
from bozzetto.render.surface import _array
from bozzetto.threads import in_bands, side_by_side

_PRIMES = (1, 2654435761, 805459861)
_FEATURES = 2
"""Numbers a corner of a grid holds."""


class HashGrid(nn.Module):
    """Features of points in the unit cube: trilinear in each level's grid, the levels side by side."""

    sizes: Tensor

    def __init__(
        self,
        levels: int = 8,
        log2_rows: int = 15,
        coarsest: int = 16,
        finest: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        """
        Args:
            levels: How many grids.
            log2_rows: Rows of each level's table; where the grid has more corners they share rows by a hash.
            coarsest: Cells along a side of the first level.
            finest: Cells along a side of the last; between them sizes grow geometrically.
            generator: Of the first values, uniform within 1e-4 of zero.
        """
        super().__init__()
        start = (torch.rand(levels, 1 << log2_rows, _FEATURES, generator=generator) * 2 - 1) * 1e-4
        self.table = nn.Parameter(start)
        growth = (finest / coarsest) ** (1 / max(levels - 1, 1))
        sizes = [int(coarsest * growth**level + 1e-6) for level in range(levels)]
        self.register_buffer("sizes", torch.tensor(sizes))
        self.opened = levels
        """Levels that count; those beyond give zero. Who fits a scene may open one after the other."""

    def steepness(self, points: Float[Tensor, "n 3"], slope: Float[Tensor, "n c"]) -> Float[Tensor, "n 3"]:
        """The gradient by the points of the sum of features times ``slope``; itself with gradients to table and slope.

        Args:
            points: In the unit cube. Constants here: what is third order is left out.
            slope: Of some function of the features.
        """
        if points.is_cuda or points.dtype != torch.float32:
            opened = self.table[: self.opened].to(points), self.sizes[: self.opened]
            return steepness_reference(points, *opened, slope[:, : self.opened * _FEATURES])
        out: Any = _Steepness.apply(points.detach(), self.table, self.sizes, self.opened, slope)
        return out

    @property
    def width(self) -> int:
        """Features of a point."""
        return self.table.shape[0] * self.table.shape[2]

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Args:
        points: In the unit cube; beyond it the border's features.
        """
        if points.is_cuda or points.dtype != torch.float32:
            out = encode_reference(points, self.table[: self.opened].to(points), self.sizes[: self.opened])
            return torch.nn.functional.pad(out, (0, self.width - out.shape[1]))
        out: Any = _Encode.apply(points, self.table, self.sizes, self.opened)
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


def steepness_reference(
    points: Float[Tensor, "n 3"], table: Float[Tensor, "l t c"], sizes: Int[Tensor, "l"], slope: Float[Tensor, "n k"]
) -> Float[Tensor, "n 3"]:
    """``HashGrid.steepness`` in plain torch."""
    with torch.enable_grad():
        at = points.detach().requires_grad_()
        total = (encode_reference(at, table, sizes) * slope).sum()
        return torch.autograd.grad(total, at, create_graph=True)[0]


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, sizes: Tensor, opened: int):
        p, t, n = _array(points), _array(table), sizes.numpy()
        out = np.zeros((len(p), len(n) * _FEATURES), np.float32)

        def look(low: int, high: int) -> None:
            for level in range(opened):
                _look(p[low:high], t, n, level, out[low:high])

        in_bands(look, len(p))
        ctx.saved, ctx.needs = (p, t, n, opened), (points.requires_grad, table.requires_grad)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        p, t, n, opened = ctx.saved
        move, learn = ctx.needs
        slope = _array(gradients[0])
        to_table, to_points = np.zeros_like(t) if learn else t[:0], None
        if learn:
            side_by_side(lambda level: _look_back(p, n, level, slope, to_table), opened)
        if move:
            to_points = np.empty((opened, *p.shape), np.float32)
            side_by_side(lambda level: _steepness(p, t, n, level, slope, to_points), opened)
        return (
            None if to_points is None else torch.from_numpy(to_points.sum(0)),
            torch.from_numpy(to_table) if learn else None,
            None,
            None,
        )


class _Steepness(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, sizes: Tensor, opened: int, slope: Tensor):
        p, t, n, s = _array(points), _array(table), sizes.numpy(), _array(slope)
        out = np.empty((opened, *p.shape), np.float32)
        side_by_side(lambda level: _steepness(p, t, n, level, s, out), opened)
        ctx.saved = p, t, n, s, opened
        return torch.from_numpy(out.sum(0))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        p, t, n, s, opened = ctx.saved
        turn = _array(gradients[0])
        to_table, to_slope = np.zeros_like(t), np.zeros_like(s)
        side_by_side(lambda level: _steepness_back(p, t, n, level, s, turn, to_table, to_slope), opened)
        return None, torch.from_numpy(to_table), None, None, torch.from_numpy(to_slope)


@near_inner
def _along(value, size, prime):
    """Of a coordinate on one level: what its two corners add to a row, the share of each, and if it is in the cube."""
    at = min(max(np.float32(0), value), np.float32(1)) * np.float32(size)  # zero, too, for what is no number
    cell = min(np.int64(at), size - 1)
    share = at - np.float32(cell)
    return cell * prime, (cell + 1) * prime, np.float32(1) - share, share, 0.0 <= value <= 1.0


@near_inner
def _strides(size, rows):
    """What a step along each axis adds to a row, and the mask of the hash; no mask where every corner has its row."""
    corners = size + 1
    if corners * corners * corners <= rows:
        return corners * corners, corners, 1, 0
    return 1, 2654435761, 805459861, rows - 1


@near_inner
def _row(x, y, z, mask):
    return (x ^ y ^ z) & mask if mask else x + y + z


@near_kernel
def _look(points, table, sizes, level, out):
    px, py, pz, mask = _strides(sizes[level], table.shape[1])
    size, first = sizes[level], level * _FEATURES
    for n in range(len(points)):
        x0, x1, u0, u1, _ = _along(points[n, 0], size, px)
        y0, y1, v0, v1, _ = _along(points[n, 1], size, py)
        z0, z1, w0, w1, _ = _along(points[n, 2], size, pz)
        one = two = np.float32(0)
        for x, u in ((x0, u0), (x1, u1)):
            for y, v in ((y0, v0), (y1, v1)):
                for z, w in ((z0, w0), (z1, w1)):
                    row, weight = _row(x, y, z, mask), u * v * w
                    one += weight * table[level, row, 0]
                    two += weight * table[level, row, 1]
        out[n, first], out[n, first + 1] = one, two


@near_kernel
def _look_back(points, sizes, level, slope, to_table):
    px, py, pz, mask = _strides(sizes[level], to_table.shape[1])
    size, first = sizes[level], level * _FEATURES
    for n in range(len(points)):
        x0, x1, u0, u1, _ = _along(points[n, 0], size, px)
        y0, y1, v0, v1, _ = _along(points[n, 1], size, py)
        z0, z1, w0, w1, _ = _along(points[n, 2], size, pz)
        one, two = slope[n, first], slope[n, first + 1]
        for x, u in ((x0, u0), (x1, u1)):
            for y, v in ((y0, v0), (y1, v1)):
                for z, w in ((z0, w0), (z1, w1)):
                    row, weight = _row(x, y, z, mask), u * v * w
                    to_table[level, row, 0] += weight * one
                    to_table[level, row, 1] += weight * two


@near_kernel
def _steepness(points, table, sizes, level, slope, out):
    """The gradient by the point of the features times their slopes."""
    px, py, pz, mask = _strides(sizes[level], table.shape[1])
    size, first = sizes[level], level * _FEATURES
    one, plus = np.float32(1), np.float32(size)
    for n in range(len(points)):
        x0, x1, u0, u1, in_x = _along(points[n, 0], size, px)
        y0, y1, v0, v1, in_y = _along(points[n, 1], size, py)
        z0, z1, w0, w1, in_z = _along(points[n, 2], size, pz)
        a, b = slope[n, first], slope[n, first + 1]
        dx = dy = dz = np.float32(0)
        for x, u, i in ((x0, u0, -one), (x1, u1, one)):
            for y, v, j in ((y0, v0, -one), (y1, v1, one)):
                for z, w, k in ((z0, w0, -one), (z1, w1, one)):
                    row = _row(x, y, z, mask)
                    along = a * table[level, row, 0] + b * table[level, row, 1]
                    dx += i * v * w * along
                    dy += u * j * w * along
                    dz += u * v * k * along
        out[level, n, 0] = dx * plus if in_x else np.float32(0)
        out[level, n, 1] = dy * plus if in_y else np.float32(0)
        out[level, n, 2] = dz * plus if in_z else np.float32(0)


@near_kernel
def _steepness_back(points, table, sizes, level, slope, turn, to_table, to_slope):
    """What a change of the gradient along ``turn`` asks of the table and of the slopes."""
    px, py, pz, mask = _strides(sizes[level], table.shape[1])
    size, first = sizes[level], level * _FEATURES
    one, plus = np.float32(1), np.float32(size)
    for n in range(len(points)):
        x0, x1, u0, u1, in_x = _along(points[n, 0], size, px)
        y0, y1, v0, v1, in_y = _along(points[n, 1], size, py)
        z0, z1, w0, w1, in_z = _along(points[n, 2], size, pz)
        a, b = slope[n, first], slope[n, first + 1]
        gx = turn[n, 0] * plus if in_x else np.float32(0)
        gy = turn[n, 1] * plus if in_y else np.float32(0)
        gz = turn[n, 2] * plus if in_z else np.float32(0)
        to_a = to_b = np.float32(0)
        for x, u, i in ((x0, u0, -one), (x1, u1, one)):
            for y, v, j in ((y0, v0, -one), (y1, v1, one)):
                for z, w, k in ((z0, w0, -one), (z1, w1, one)):
                    row = _row(x, y, z, mask)
                    weight = gx * i * v * w + gy * u * j * w + gz * u * v * k
                    to_a += weight * table[level, row, 0]
                    to_b += weight * table[level, row, 1]
                    to_table[level, row, 0] += weight * a
                    to_table[level, row, 1] += weight * b
        to_slope[n, first], to_slope[n, first + 1] = to_a, to_b
