"""What one camera sees of a surface, and what it would see from inside out: the side that faces away from it.

Both are of the same raster. The far side is drawn by a rasteriser that keeps what is nearest, after each point has
moved along its ray to where 1 / depth is ``near + far - 1 / depth`` in inverse metres: planes stay planes, and what was
last comes first.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from bozzetto.geometry import vertex_normals
from bozzetto.render.raster import camera_matrices, rasterize
from bozzetto.render.scene import Scene
from bozzetto.types import Cameras


@dataclass(frozen=True, eq=False)
class Side:
    """A side of a surface, along the camera's axes: x to the right, y down, z away from it."""

    depth: Float32[ndarray, "h w"]
    """Metres; zero where nothing is."""
    normal: Float32[ndarray, "h w 3"]
    """Outward, of unit length; zero where nothing is."""


@dataclass(frozen=True, eq=False)
class Reversal:
    """The map that puts what is last first."""

    camera: Cameras
    """One."""
    total: float
    """Of the inverse depths of a point before and after, 1 / m."""

    def points(self, vertices: Float[ndarray, "v 3"]) -> Float32[ndarray, "v 3"]:
        """World points, moved along their rays."""
        matrix, _ = camera_matrices(self.camera, 0)
        seen = vertices @ matrix[:, :3].T + matrix[:, 3]
        moved = seen * (1 / (self.total * seen[:, 2:] - 1))
        return ((moved - matrix[:, 3]) @ matrix[:, :3]).astype(np.float32)

    def depth(self, depth: Float32[ndarray, "h w"]) -> Float32[ndarray, "h w"]:
        """True depths of what was drawn; zero stays zero."""
        found = depth > 0
        return np.where(found, 1 / np.where(found, self.total - 1 / np.where(found, depth, 1), 1), 0).astype(np.float32)


def reversal(vertices: Float[ndarray, "v 3"], camera: Cameras) -> Reversal:
    """The map for a surface before one camera.

    Raises:
        ValueError: A part of the surface is not before the camera.
    """
    matrix, _ = camera_matrices(camera, 0)
    depth = vertices @ matrix[2, :3] + matrix[2, 3]
    if depth.min() <= 0:
        raise ValueError("The surface reaches behind the camera.")
    return Reversal(camera, float(1 / depth.min() + 1 / depth.max()))


def sides(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], camera: Cameras) -> tuple[Side, Side]:
    """The near and the far side of a closed surface.

    Args:
        vertices: World, metres.
        faces: Counter-clockwise seen from outside.
        camera: One, with perspective.
    """
    matrix, _ = camera_matrices(camera, 0)
    smooth = vertex_normals(vertices, faces) @ matrix[:, :3].T.astype(np.float32)
    turned = reversal(vertices, camera)

    def drawn(points: Float[ndarray, "v 3"], back: bool) -> Side:
        seen = rasterize(points, faces, camera)
        hit = seen.face[0] >= 0
        normal = np.zeros((*hit.shape, 3), np.float32)
        inside = np.einsum("nk,nkd->nd", seen.barycentrics[0][hit], smooth[faces[seen.face[0][hit]]])
        normal[hit] = inside / np.maximum(np.linalg.norm(inside, axis=1, keepdims=True), 1e-12)
        return Side(turned.depth(seen.depth[0]) if back else seen.depth[0], normal)

    return drawn(vertices, False), drawn(turned.points(vertices), True)


def inside_out(scene: Scene, camera: Cameras) -> tuple[Scene, Reversal]:
    """The scene with its far side first, for ``render_mesh`` without light; its normals then point inward."""
    turned = reversal(scene.vertices, camera)
    moved = replace(
        scene, vertices=turned.points(scene.vertices), faces=np.ascontiguousarray(scene.faces[:, ::-1]),
        uvs=np.ascontiguousarray(scene.uvs[:, ::-1]), normals=-scene.normals, sky=None, key=None,
    )  # fmt: skip
    return moved, turned
