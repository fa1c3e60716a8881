"""What every part asks of triangles."""

import numpy as np
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from bozzetto.kernels import kernel


def vertex_normals(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Float32[ndarray, "v 3"]:
    """Unit normals, each the area-weighted mean of its faces'; zero for a vertex without area."""
    points, triangles = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32)
    normals = np.zeros_like(points)
    _vertex_normals(points, triangles, normals)
    return normals


def edges_of(faces: Int[ndarray, "f 3"]) -> Int[ndarray, "e 2"]:
    """Every edge once, the smaller vertex first."""
    return np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)


@kernel
def _vertex_normals(vertices, faces, normals):
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in range(3):
            v = faces[f, corner]
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(len(normals)):
        x, y, z = np.float64(normals[v, 0]), np.float64(normals[v, 1]), np.float64(normals[v, 2])
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0.0:
            normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length
