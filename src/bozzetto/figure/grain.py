"""Where a pattern lies on a worn garment: every piece spread flat, with as little stretch as its shape allows.

The texture's own coordinates follow simple formulas, so that folds and seams can be drawn without knowing the wearer;
they stretch by up to a half where a body is no cylinder. Printed and woven patterns are drawn through this second map,
which is measured on the wearer, as cloth is cut: straight along the middle, the sides meeting at one height.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import sparse
from scipy.interpolate import CubicSpline
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.spatial import Delaunay

from bozzetto.figure.piece import Detail
from bozzetto.figure.shells import BACK, CROTCH, FRONT, LOWER_ARM, SLEEVE, UPPER_ARM, chart, panel_coordinates
from bozzetto.kept import kept

SIDE = 0.155 * np.pi / 2
"""Of the torso's pieces: across to the side seams."""
_PERIOD = {FRONT: None, BACK: None, SLEEVE: 2 * np.pi * 0.055}
"""Round a tube in pattern coordinates; legs otherwise."""

Pin: TypeAlias = tuple[sparse.csr_matrix, int, Float[ndarray, "_"], float]
"""Mixtures of nodes, whether their way across (0) or up (1), where that should be, and how strongly."""


@dataclass(frozen=True, eq=False)
class Nodes:
    """A grid over one pattern piece."""

    us: Float[ndarray, "u"]
    vs: Float[ndarray, "v"]
    """Pattern coordinates, rising across and falling downwards."""
    mix: sparse.csr_matrix
    """Its nodes, row by row, as mixtures of chart vertices."""
    sound: Bool[ndarray, "v u"]
    """Whether the chart covers a node."""


@dataclass(frozen=True, eq=False)
class Grain:
    """One pattern piece spread flat."""

    us: Float[ndarray, "u"]
    vs: Float[ndarray, "v"]
    flat: Float[ndarray, "v u 2"]
    """Metres of cloth across and up at each node."""
    tube: bool
    """Whether it closes on itself: beyond the seam lies its other side."""

    def at(self, u: Float[ndarray, "w"], v: Float[ndarray, "h"]) -> tuple[Float[ndarray, "h w"], Float[ndarray, "h w"]]:
        """Metres of cloth across and up at points of the piece."""
        if self.tube:
            turn = self.us[-1] - self.us[0]
            u = (u - self.us[0]) % turn + self.us[0]
        columns = CubicSpline(self.us, np.eye(len(self.us)))(np.clip(u, self.us[0], self.us[-1])).astype(np.float32)
        rows = CubicSpline(-self.vs, np.eye(len(self.vs)))(-np.clip(v, self.vs[-1], self.vs[0])).astype(np.float32)
        across, up = (rows @ self.flat[..., k].astype(np.float32) @ columns.T for k in (0, 1))
        return across, up


@kept(lambda detail, panel: f"nodes-{detail}-{panel}")
def nodes(detail: Detail, panel: int) -> Nodes:
    """The grid of a piece; its right leg is the mirror image of its left one, both sleeves are one."""
    here = chart(detail)
    if panel in (FRONT, BACK):
        us, vs = SIDE / 20 * np.arange(-22, 23), np.arange(0.58, -0.12, -0.015)
        faces = here.faces[~here.sleeve & (here.back == (panel == BACK)) & (here.rest[here.faces, 1] > -0.14).all(1)]
    elif panel == SLEEVE:
        us = np.linspace(-0.5, 0.5, 29) * 2 * np.pi * 0.055
        vs = np.arange(0.09, -(UPPER_ARM + LOWER_ARM + 0.03), -0.015)
        faces = here.faces[here.sleeve & (here.rest[here.faces, 0] > 0).all(1)]
    else:
        us, vs = np.linspace(-0.5, 0.5, 41) * 2 * np.pi * 0.085, np.arange(0.19, -0.80, -0.02)
        side = 1.0 if panel == 3 else -1.0
        # Above the crotch a little of the other leg belongs to it, so that the middle is measured too.
        mine = here.rest[:, 0] * side > np.where(here.rest[:, 1] > CROTCH + 0.005, -0.045, -1e-6)
        faces = here.faces[(mine & (here.rest[:, 1] < 0.22))[here.faces].all(1) & ~here.sleeve]
        faces = faces[(here.arm[faces] == 0).all(1)]
    members = np.unique(faces)
    at = panel_coordinates(here.rest[members], panel)
    if panel not in (FRONT, BACK):  # a tube goes on beyond its seam
        turn = us[-1] - us[0]
        whole = np.ones(len(at), bool) if panel == SLEEVE else at[:, 1] < CROTCH - 0.015
        copies = [(members, at)]
        for shift in (-turn, turn):
            near = whole & (np.abs(at[:, 0] + shift) < turn / 2 + 0.06)
            copies.append((members[near], at[near] + [shift, 0.0]))
        members, at = (np.concatenate(parts) for parts in zip(*copies, strict=True))
    web = Delaunay(at)
    grid = np.stack(np.meshgrid(us, vs), 2).reshape(-1, 2)
    found = web.find_simplex(grid)
    corners = web.simplices[np.maximum(found, 0)]
    shares = np.einsum("nij,nj->ni", web.transform[found, :2], grid - web.transform[found, 2])
    shares = np.concatenate([shares, 1 - shares.sum(1, keepdims=True)], 1)
    away = here.rest[members[corners]]
    longest = np.linalg.norm(away - np.roll(away, 1, 1), axis=2).max(1)
    sound = (found >= 0) & (longest < (0.04 if detail == "full" else 0.075)) & np.isfinite(shares).all(1)
    shares = np.where(sound[:, None], shares, 0.0)
    rows = np.repeat(np.arange(len(grid)), 3)
    mix = sparse.csr_matrix((shares.ravel(), (rows, members[corners].ravel())), (len(grid), len(here.rest)))
    return Nodes(us, vs, mix, sound.reshape(len(vs), len(us)))


def pick(shape: tuple[int, int], rows: ndarray, columns: ndarray) -> sparse.csr_matrix:
    """Points on given rows of a grid, between two of its columns where not on one, as mixtures of its nodes."""
    low = np.clip(np.floor(columns).astype(int), 0, shape[1] - 2)
    share = columns - low
    k = np.arange(len(rows))
    at = np.concatenate([k, k]), np.concatenate([rows * shape[1] + low, rows * shape[1] + low + 1])
    return sparse.csr_matrix((np.concatenate([1 - share, share]), at), (len(rows), shape[0] * shape[1]))


def spread(
    points: Float[ndarray, "v u 3"],
    sound: Bool[ndarray, "v u"],
    step: tuple[float, float],
    pins: Sequence[Pin],
    rounds: int = 8,
) -> Float[ndarray, "v u 2"]:
    """Flat places of a grid of points, its cells as little changed as can be: as rigid as possible.

    Liu et al. 2008, "A Local/Global Approach to Mesh Parameterization", on quads in place of triangles. Where there is
    no cloth the grid goes on by even steps, and gives way.

    Args:
        step: Of unseen cells: across and up, metres.
    """
    v, u = sound.shape
    across = (np.diff(points, axis=1)[:-1] + np.diff(points, axis=1)[1:]) / 2
    up = -(np.diff(points, axis=0)[:, :-1] + np.diff(points, axis=0)[:, 1:]) / 2
    whole = sound[:-1, :-1] & sound[1:, :-1] & sound[:-1, 1:] & sound[1:, 1:]
    wide = np.where(whole, np.linalg.norm(across, axis=2), step[0])
    whole &= wide > 0.15 * step[0]
    wide = np.where(whole, wide, step[0])
    lean = np.where(whole, (across * up).sum(2) / wide, 0.0)
    tall = np.where(whole, np.sqrt(np.maximum((up * up).sum(2) - lean**2, (0.15 * step[1]) ** 2)), step[1])
    weight = np.where(whole, 1.0, 0.02)
    columns, rows = np.zeros((v, u - 1)), np.zeros((v - 1, u))
    columns[:-1] += weight
    columns[1:] += weight
    rows[:, :-1] += weight
    rows[:, 1:] += weight
    # Of both systems only the band is kept: pins reach no farther than along a row of the grid.
    base = np.zeros((u + 1, v * u))
    total = np.zeros((v, u))
    total[:, :-1] += columns
    total[:, 1:] += columns
    total[:-1] += rows
    total[1:] += rows
    base[0] = total.ravel() + 1e-9
    base[1].reshape(v, u)[:, :-1] = -columns
    base[u].reshape(v, u)[:-1] = -rows
    solvers, fixed = [], np.zeros((2, v * u))
    for k in (0, 1):
        band = base.copy()
        for mix, which, target, strength in pins:
            if which == k:
                square = sparse.coo_matrix(mix.T @ mix)
                lower = square.row >= square.col
                np.add.at(
                    band, (square.row[lower] - square.col[lower], square.col[lower]), strength * square.data[lower]
                )
                fixed[k] += strength * (mix.T @ target)
        solvers.append(cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False))
    angle = np.zeros_like(wide)
    flat = np.zeros((v, u, 2))
    for _ in range(rounds):
        c, s = np.cos(angle), np.sin(angle)
        for k, (right, over) in enumerate(((c * wide, c * lean - s * tall), (s * wide, s * lean + c * tall))):
            right, over = weight * right, weight * over
            pull = np.zeros((v, u))
            for rows_ in (slice(0, -1), slice(1, None)):
                pull[rows_, 1:] += right
                pull[rows_, :-1] -= right
            for columns_ in (slice(0, -1), slice(1, None)):
                pull[:-1, columns_] += over
                pull[1:, columns_] -= over
            placed = cho_solve_banded((solvers[k], True), fixed[k] + pull.ravel(), check_finite=False)
            flat[..., k] = placed.reshape(v, u)
        a = (np.diff(flat, axis=1)[:-1] + np.diff(flat, axis=1)[1:]) / 2
        b = -(np.diff(flat, axis=0)[:, :-1] + np.diff(flat, axis=0)[:, 1:]) / 2
        # The map's matrix from cloth as it lies to cloth spread flat; its rotation comes nearest to it.
        x, y = a / wide[..., None], (b - a * (lean / wide)[..., None]) / tall[..., None]
        angle = np.arctan2(x[..., 1] - y[..., 0], x[..., 0] + y[..., 1])
    return flat
