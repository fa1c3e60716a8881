"""A layer as graphics hardware wants it: one texture coordinate per vertex, so vertices double along seams."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, Int64
from numpy import ndarray
from torch import Tensor

from ..geometry import vertex_normals
from ..types import Layer, SparseOffsets


@dataclass(frozen=True, eq=False)
class VertexBuffers:
    """One row per (vertex, uv) pair that a face uses, ordered by vertex, so the copies of a vertex stand together."""

    origin: Int64[ndarray, "n"]
    """The layer's vertex behind each row."""
    indices: Int64[ndarray, "f 3"]
    positions: Float32[ndarray, "n 3"]
    normals: Float32[ndarray, "n 3"]
    """Unit length."""
    uvs: Float32[ndarray, "n 2"]
    joints: Int64[ndarray, "n 4"]
    """Zero where the weight is zero; no joint twice in a row."""
    weights: Float32[ndarray, "n 4"]
    """Sum to one."""


def vertex_buffers(layer: Layer) -> VertexBuffers:
    """The layer with its vertices split along texture seams; vertices no face uses are left out.

    Raises:
        ValueError: The layer has no faces, a number is not finite, an index out of range or a weight negative.
    """
    faces, vertices = array(layer.mesh.faces).astype(np.int64), array(layer.mesh.vertices).astype(np.float64)
    uvs = array(layer.mesh.uvs).astype(np.float32)
    if not len(faces):
        raise ValueError(f"Layer {layer.name!r} has no faces; leave it out of the avatar.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"Layer {layer.name!r} has {len(vertices)} vertices, but a face names vertex {faces.max()}.")
    if not (np.isfinite(vertices).all() and np.isfinite(uvs).all()):
        raise ValueError(f"Layer {layer.name!r} holds a vertex or texture coordinate that is not finite.")
    normals = unit(vertex_normals(vertices, faces)) if layer.normals is None else unit(array(layer.normals))
    try:
        joints, weights = tidy_influences(array(layer.skin_joints), array(layer.skin_weights))
    except ValueError as error:
        raise ValueError(f"Layer {layer.name!r}: {error}") from error
    origin, indices, first_corner = split_seams(faces, uvs)
    return VertexBuffers(
        origin=origin,
        indices=indices,
        positions=vertices[origin].astype(np.float32),
        normals=normals[origin].astype(np.float32),
        uvs=uvs.reshape(-1, 2)[first_corner],
        joints=joints[origin],
        weights=weights[origin],
    )


def split_seams(
    faces: Int64[ndarray, "f 3"], uvs: Float32[ndarray, "f 3 2"]
) -> tuple[Int64[ndarray, "n"], Int64[ndarray, "f 3"], Int64[ndarray, "n"]]:
    """One row per (vertex, uv) pair: its vertex, the faces in rows, and one corner that has the pair."""
    vertex = faces.ravel()
    uv = np.ascontiguousarray(uvs.reshape(-1, 2) + np.float32(0)).view(np.uint64).ravel()  # + 0 makes -0 equal 0
    order = np.lexsort((uv, vertex))
    starts = np.ones(len(order), bool)
    starts[1:] = (np.diff(vertex[order]) != 0) | (uv[order][1:] != uv[order][:-1])
    row = np.empty(len(order), np.int64)
    row[order] = np.cumsum(starts) - 1
    first_corner = order[starts]
    return vertex[first_corner], row.reshape(-1, 3), first_corner


def tangents(buffers: VertexBuffers) -> Float32[ndarray, "n 4"]:
    """Per row, the unit direction in which u grows, and the handedness glTF asks for: 1, or -1 under a mirrored image.

    glTF's v grows downwards while a normal map's +y points up, so an image seen the right way round has a negative
    determinant in (u, v). Faces are weighted by area, where MikkTSpace weights by angle.
    """
    a, b, c = (buffers.positions[buffers.indices[:, corner]].astype(np.float64) for corner in range(3))
    uv_a, uv_b, uv_c = (buffers.uvs[buffers.indices[:, corner]].astype(np.float64) for corner in range(3))
    (du_b, dv_b), (du_c, dv_c) = (uv_b - uv_a).T, (uv_c - uv_a).T
    determinant = du_b * dv_c - du_c * dv_b
    along_u = np.sign(determinant)[:, None] * (dv_c[:, None] * (b - a) - dv_b[:, None] * (c - a))
    rows, count = buffers.indices.ravel(), len(buffers.positions)
    per_corner = np.repeat(np.column_stack([along_u, -determinant]), 3, axis=0)
    x, y, z, upright = (np.bincount(rows, weights=per_corner[:, column], minlength=count) for column in range(4))
    normals = buffers.normals.astype(np.float64)
    tangent = _across(normals, np.stack([x, y, z], axis=1))
    lost = np.linalg.norm(tangent, axis=1) < 1e-12  # no area in the texture: any direction across the normal will do
    tangent[lost] = _across(normals[lost], np.eye(3)[np.abs(normals[lost]).argmin(axis=1)])
    return np.column_stack([unit(tangent), np.where(upright < 0, -1.0, 1.0)]).astype(np.float32)


def _across(normals: Float[ndarray, "n 3"], vectors: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    return vectors - normals * (normals * vectors).sum(axis=1, keepdims=True)


def unit(vectors: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """The vectors at length one; +z where there is no direction, as around a degenerate face."""
    vectors = vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    known = np.isfinite(lengths) & (lengths > 1e-20)
    return np.where(known, vectors / np.where(known, lengths, 1.0), (0.0, 0.0, 1.0))


def tidy_influences(
    joints: Int[ndarray, "v 4"], weights: Float[ndarray, "v 4"]
) -> tuple[Int64[ndarray, "v 4"], Float32[ndarray, "v 4"]]:
    """Joints and weights as glTF insists: no joint twice in a row, joint 0 where the weight is 0, sums of one.

    Raises:
        ValueError: A weight is negative or not finite, or a row has none.
    """
    joints, weights = joints.astype(np.int64), weights.astype(np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("every skin weight must be finite and not negative.")
    for later in range(1, 4):
        for earlier in range(later):
            same = joints[:, later] == joints[:, earlier]
            weights[:, earlier] += np.where(same, weights[:, later], 0.0)
            weights[same, later] = 0.0
    total = weights.sum(axis=1, keepdims=True)
    if (total <= 0).any():
        raise ValueError(f"{(total <= 0).sum()} vertices follow no joint; give each at least one skin weight.")
    weights = (weights / total).astype(np.float32)
    return np.where(weights > 0, joints, 0), weights


def moved_rows(
    expression: SparseOffsets, buffers: VertexBuffers, vertices: int
) -> tuple[Int64[ndarray, "m"], Float32[ndarray, "m 3"]]:
    """Which rows an expression moves, ascending, and how far. `vertices` is the layer's count.

    Raises:
        ValueError: An index is out of range or named twice, or an offset not finite.
    """
    indices, offsets = array(expression.indices).astype(np.int64), array(expression.offsets).astype(np.float32)
    if len(indices) and (indices.min() < 0 or indices.max() >= vertices or np.bincount(indices).max() > 1):
        raise ValueError(f"an expression must name each vertex below {vertices} at most once.")
    if not np.isfinite(offsets).all():
        raise ValueError("an expression's offset is not finite.")
    place = np.full(vertices, -1)
    place[indices] = np.where((offsets != 0).any(axis=1), np.arange(len(indices)), -1)
    place = place[buffers.origin]
    rows = np.flatnonzero(place >= 0)
    return rows, offsets[place[rows]]


def array(tensor: Tensor) -> ndarray:
    """The tensor's values in numpy, wherever it lived."""
    return tensor.detach().cpu().numpy()
