"""A closed surface around what can be seen of another, as a scanner would have it."""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32
from numpy import ndarray
from scipy.ndimage import distance_transform_edt, map_coordinates

from bozzetto.kernels import kernel
from bozzetto.render.cameras import frame
from bozzetto.render.raster import Coverage, camera_matrices, rasterize
from bozzetto.types import Cameras

_GOLDEN_DEGREES = 137.50776405


@dataclass(frozen=True, eq=False)
class Outline:
    """A picture's outline, outside of which nothing can be; of what lies beyond the picture it says nothing."""

    mask: Bool[ndarray, "h w"]
    camera: Cameras
    """One."""

    def distance(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """Metres from the cone of the outline, across the line of sight; negative in it and beyond the picture."""
        pixels = distance_transform_edt(~self.mask) - distance_transform_edt(self.mask)
        matrix, lens = camera_matrices(self.camera, 0)
        seen = points @ matrix[:, :3].T + matrix[:, 3]
        at = (seen[:, :2] / seen[:, 2:]) * lens[[0, 1], [0, 1]] + lens[:2, 2] - 0.5
        found = map_coordinates(pixels, at[:, ::-1].T, order=1, mode="nearest")
        beyond = ((at < -0.5) | (at > np.array(self.mask.shape)[::-1] - 0.5)).any(1)
        return np.where(beyond, -np.inf, found * seen[:, 2] / lens[0, 0])


def scan(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    coverage: Coverage | None = None,
    cell: float = 0.008,
    outline: Outline | None = None,
    lowest: float = -90.0,
    views: int = 60,
    size: int = 448,
) -> tuple[Float32[ndarray, "p 3"], Int32[ndarray, "t 3"]]:
    """A closed surface around what can be seen of another, vertices and faces, as a scanner would have it.

    Args:
        vertices: Metres.
        faces: Triangles, closed or not.
        coverage: Cut-outs let the scanner look through; without it both sides of all faces are seen.
        cell: Metres between samples.
        outline: What lies outside of it is cut away.
        lowest: Elevation in degrees below which nobody looks, so that skirts are closed at the hem.
        views: Depth maps, evenly over the sphere above that.
        size: Pixels of their sides.

    Raises:
        ValueError: Nothing of it lies within the outline.

    Source: Curless and Levoy 1996: distances along the line of sight, cut off and averaged.
    """
    low, high = vertices.min(0) - 4 * cell, vertices.max(0) + 4 * cell
    counts = np.ceil((high - low) / cell).astype(int) + 1
    spread = np.arange(views) + 0.5
    elevations = np.degrees(np.arcsin(1 - (1 - np.sin(np.radians(lowest))) * spread / views))
    cameras = frame(vertices, spread * _GOLDEN_DEGREES, elevations, 20.0, size)
    total, weight = np.zeros(counts, np.float32), np.zeros(counts, np.float32)
    for index in range(views):
        matrix, lens = camera_matrices(cameras, index)
        drawn = rasterize(vertices, faces, cameras[index], coverage)
        _integrate(drawn.depth[0], matrix, lens, low.astype(np.float64), cell, 3 * cell, total, weight)
    distance = np.where(weight > 0, total / np.maximum(weight, 1), -3 * cell).astype(np.float64)
    nodes = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), -1).reshape(-1, 3) * cell + low
    if outline is not None:
        distance = np.maximum(distance, outline.distance(nodes).reshape(distance.shape))
    if not (distance < 0).any():
        raise ValueError("Nothing of the surface lies within the outline.")
    order = np.arange(distance.size).reshape(counts).transpose(2, 1, 0).ravel()  # igl wants x to run fastest
    points, found, _ = igl.marching_cubes(distance.ravel()[order], nodes[order], *(int(n) for n in counts), 0.0)
    a, b, c = (points[found[:, k]] for k in range(3))
    if (a * np.cross(b, c)).sum() < 0:
        found = found[:, ::-1]
    return largest(points.astype(np.float32), np.ascontiguousarray(found, np.int32))


def largest(
    vertices: Float32[ndarray, "v 3"], faces: Int32[ndarray, "f 3"]
) -> tuple[Float32[ndarray, "p 3"], Int32[ndarray, "t 3"]]:
    """The largest connected part, and whatever has at least a fiftieth of its faces."""
    _, label = igl.connected_components(igl.adjacency_matrix(faces.astype(np.int64)))[:2]
    label = np.asarray(label).ravel()
    count = np.bincount(label[faces[:, 0]])
    kept = faces[count[label[faces[:, 0]]] >= count.max() / 50]
    used, renamed = np.unique(kept, return_inverse=True)
    return np.ascontiguousarray(vertices[used]), np.ascontiguousarray(renamed.reshape(-1, 3), np.int32)


@kernel
def _integrate(depth, matrix, lens, low, cell, cut, total, weight):
    height, width = depth.shape
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            for k in range(total.shape[2]):
                x, y, z = low[0] + i * cell, low[1] + j * cell, low[2] + k * cell
                a = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
                b = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
                c = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
                column = np.int64(np.floor(lens[0, 0] * a / c + lens[0, 2]))
                row = np.int64(np.floor(lens[1, 1] * b / c + lens[1, 2]))
                if column < 0 or row < 0 or column >= width or row >= height:
                    continue
                found = depth[row, column]
                away = cut if found == 0.0 else found - c
                if away >= -cut:
                    total[i, j, k] += min(away, cut)
                    weight[i, j, k] += 1.0
