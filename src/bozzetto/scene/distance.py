"""Signed distance to a mesh, on a grid: what scenes start from and where they are worth a sample."""

from dataclasses import dataclass

import igl
import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import ndimage
from torch import Tensor

from bozzetto.render.volume import Occupancy

_COARSER = 4


@dataclass(frozen=True, eq=False)
class DistanceGrid:
    """Signed distances at the nodes of a grid, linear between them."""

    values: Float[Tensor, "x y z"]
    """Metres, negative inside."""
    low: Float[Tensor, "3"]
    cell: float

    @property
    def high(self) -> Float[Tensor, "3"]:
        """The grid's highest node."""
        return self.low + self.cell * (torch.tensor(self.values.shape) - 1.0)

    def at(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n"]:
        """The distance at points, with gradient; beyond the grid, the border's plus the way to the border."""
        size = self.high - self.low
        unit = (points - self.low) / size
        inside = unit.clamp(0, 1)
        where = (inside * 2 - 1).flip(1)[None, None, None]
        found = torch.nn.functional.grid_sample(self.values[None, None], where, align_corners=True)
        return found.reshape(-1) + ((unit - inside) * size).norm(dim=1)

    def steep(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        """What ``at`` says, and its gradient; constants both."""
        with torch.enable_grad():
            here = points.detach().requires_grad_()
            found = self.at(here)
            slope = torch.autograd.grad(found.sum(), here)[0] if len(here) else torch.zeros_like(here)
        return found.detach(), slope

    def occupancy(self, within: float, inside: bool = True) -> Occupancy:
        """The cells that reach within a distance of the surface.

        Args:
            within: Metres.
            inside: Also those deeper inside than that; without it they are solid.
        """
        reach = within + self.cell * 3**0.5 / 2
        middles = torch.nn.functional.avg_pool3d(self.values[None, None], 2, 1)[0, 0]
        cells = (middles < reach).to(torch.uint8)
        if not inside:
            cells[middles <= -reach] = 2
        return Occupancy(cells, self.low, self.high)


def distance_grid(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], cell: float, margin: float
) -> DistanceGrid:
    """Signed distances around a mesh: exact near the surface, linear between nodes four cells apart elsewhere.

    Args:
        vertices: Metres.
        faces: They may leave holes: what most of them surround is inside.
        cell: Metres between nodes.
        margin: Metres kept on each side of the mesh.

    Raises:
        ValueError: A mesh without faces, vertices that are not finite, or faces that name none.
    """
    check_solid(vertices, faces)
    low = np.asarray(vertices, float).min(0) - margin
    size = np.asarray(vertices, float).max(0) + margin - low
    wide = np.ceil(size / (cell * _COARSER)).astype(int) + 1
    coarse = signed_distance(low + _nodes(wide) * cell * _COARSER, vertices, faces).reshape(wide)
    fine = (wide - 1) * _COARSER + 1
    values = ndimage.zoom(coarse, fine / wide, order=1, grid_mode=False)
    near = np.flatnonzero(np.abs(values.ravel()) < 1.5 * _COARSER * cell)
    values.ravel()[near] = signed_distance(low + _nodes(fine)[near] * cell, vertices, faces)
    return DistanceGrid(torch.from_numpy(values.astype(np.float32)), torch.from_numpy(low).float(), cell)


def signed_distance(
    points: Float[ndarray, "n 3"], vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> Float[ndarray, "n"]:
    """Distance to the mesh, negative where its winding number exceeds one half. Barill et al. 2018.

    Raises:
        ValueError: A mesh without faces, vertices that are not finite, or faces that name none.
    """
    check_solid(vertices, faces)
    mesh = np.asfortranarray(vertices, np.float64), np.asfortranarray(faces, np.int64)
    places = np.asfortranarray(points, np.float64)
    kind = igl.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    return igl.signed_distance(places, *mesh, sign_type=kind)[0]


def check_solid(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> None:
    """Raises ValueError for a mesh that has no inside to speak of."""
    broken = int((~np.isfinite(vertices)).any(1).sum())
    if not len(faces) or broken:
        raise ValueError(
            f"A scene starts from a mesh with faces and finite vertices; this one has {len(faces)} faces, "
            f"and {broken} of its {len(vertices)} vertices are not finite."
        )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"Faces name vertices {faces.min()} to {faces.max()}; the mesh has {len(vertices)}.")


def _nodes(size: Int[ndarray, "3"]) -> Int[ndarray, "n 3"]:
    return np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), -1).reshape(-1, 3)
