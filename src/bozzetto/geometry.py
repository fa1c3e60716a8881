"""What every part asks of triangles."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
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


def halved(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], chosen: Bool[ndarray, "v"]
) -> tuple[Float[ndarray, "w 3"], Int[ndarray, "g 3"]]:
    """Every edge between chosen vertices cut in the middle, without holes; vertices keep their numbers."""
    edges = edges_of(faces)
    edges = edges[chosen[edges].all(1)]
    count = len(vertices)
    keys = edges[:, 0].astype(np.int64) * count + edges[:, 1]

    def middle(a: Int[ndarray, "n"], b: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
        low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b)
        return count + np.searchsorted(keys, low * count + high)

    among = chosen[faces].sum(1)
    two, three = faces[among == 2], faces[among == 3]
    first = (~chosen[two]).argmax(1)  # turned so that the one not chosen comes first
    c, a, b = np.take_along_axis(two, (first[:, None] + np.arange(3)) % 3, 1).T
    ab = middle(a, b)
    parts = [faces[among < 2], np.stack([a, ab, c], 1), np.stack([ab, b, c], 1)]
    a, b, c = three.T
    ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
    parts += [np.stack(each, 1) for each in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.concatenate([vertices, vertices[edges].mean(1)]), np.concatenate(parts)


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
