"""Silhouettes with gradients: each pixel that an outline cuts is blended by how much of it lies on either side.

The usual rule (Laine et al. 2020, section 3.6) asks the triangle that a pixel sees for its outline edges. On a body
whose triangles are smaller than pixels most outline edges belong to triangles that cover no pixel's centre, and most of
the gradient is lost. Here the edges are asked instead: every outline edge looks for the pairs of neighbouring pixels
whose centres it separates, and of all edges that separate a pair the outermost decides. A pair is cut either across or
down, as the surface's normal lies on the screen, so that no piece of the outline counts twice.

With s the distance, in pixels, from the inner centre to the edge, the inner pixel gains (1/2 - s) of the outer colour
where s < 1/2, and the outer pixel (s - 1/2) of the inner colour where not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from numpy import ndarray
from torch import Tensor

from bozzetto.kernels import near_inner, near_kernel
from bozzetto.render.surface import _array, smooth_normals
from bozzetto.types import Cameras

_NEAR = 0.01
_BULGE = 1.0
"""Metres. Between a pixel's centre and the outline a body of this diameter comes nearer by sqrt(diameter * pixel)."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of a mesh, each once."""

    ends: Int[Tensor, "e 2"]
    sides: Int[Tensor, "e 2"]
    """The faces on either side; -1 where there is none."""
    tips: Int[Tensor, "e 2"]
    """The corner of each of them that is not on the edge; -1 where there is none."""


def mesh_edges(faces: Int[Tensor, "f 3"]) -> Edges:
    """The edges of these faces; of an edge that more than two faces share, the further faces are left out."""
    corners = np.ascontiguousarray(faces.cpu().numpy(), np.int64)
    slots = np.full(1 << (3 * len(corners) + 8).bit_length(), -1, np.int64)
    ends, sides, tips = (np.full((3 * len(corners) + 1, 2), -1, np.int64) for _ in range(3))
    count = _find_edges(corners, slots, ends, sides, tips)
    return Edges(*(torch.from_numpy(each[:count].copy()) for each in (ends, sides, tips)))


@near_inner
def edge_slot(a, b, slots, ends):
    """Where an edge's number stands in a table of open addresses, or would; ``ends`` holds those numbered so far."""
    mask = len(slots) - 1
    slot = ((a * 2654435761) ^ (b * 805459861 + (a >> 7))) & mask
    while slots[slot] >= 0 and (ends[slots[slot], 0] != a or ends[slots[slot], 1] != b):
        slot = (slot + 1) & mask
    return slot


@near_kernel
def _find_edges(faces, slots, ends, sides, tips):
    count = 0
    for f in range(len(faces)):
        for k in range(3):
            one, two = faces[f, k], faces[f, (k + 1) % 3]
            a, b = min(one, two), max(one, two)
            slot = edge_slot(a, b, slots, ends)
            edge = slots[slot]
            if edge < 0:
                edge, slots[slot] = count, count
                ends[edge, 0], ends[edge, 1] = a, b
                count += 1
            side = 0 if sides[edge, 0] < 0 else 1
            if sides[edge, side] < 0:
                sides[edge, side], tips[edge, side] = f, faces[f, (k + 2) % 3]
    return count


def antialias(
    colour: Float[Tensor, "b h w c"],
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    cameras: Cameras,
    seen: Int[Tensor, "b h w"],
    depth: Float[Tensor, "b h w"],
    edges: Edges | None = None,
) -> Float[Tensor, "b h w c"]:
    """The picture with blended outlines; gradients to the colours, and through the outlines to the vertices.

    Args:
        colour: Whatever each pixel shows, background included.
        vertices: World space, metres.
        faces: Of a closed surface, or drawn from both sides.
        cameras: As many as views.
        seen: The face of each pixel, from ``rasterize``; -1 where nothing is.
        depth: Along camera +z, metres; from ``rasterize``.
        edges: ``mesh_edges(faces)``, where the caller keeps them.
    """
    edges = edges or mesh_edges(faces)
    far = torch.where(seen >= 0, depth.detach(), torch.inf)
    if vertices.is_cuda or vertices.dtype != torch.float32:
        return _blend_reference(colour, vertices, faces, cameras, far, edges)
    out: Any = _Antialias.apply(colour, vertices, faces, cameras, far, edges)
    return out


def _blend_reference(
    colour: Float[Tensor, "b h w c"],
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    cameras: Cameras,
    far: Float[Tensor, "b h w"],
    edges: Edges,
) -> Float[Tensor, "b h w c"]:
    """``antialias`` in plain torch: every edge against every line of pixels."""
    normals = smooth_normals(vertices.detach(), faces)
    pictures = []
    for view in range(len(cameras)):
        matrix, lens = cameras.world_to_camera[view].to(vertices), cameras.intrinsics[view].to(vertices)
        placed = vertices @ matrix[:3, :3].T + matrix[:3, 3]
        z = placed[:, 2]
        safe = placed @ lens.T / z.clamp_min(_NEAR)[:, None]
        outline, inward = _outline(safe[:, :2].detach(), z.detach(), faces, edges)
        turned = normals @ matrix[:3, :3].T
        picture = colour[view]
        for axis in (0, 1):  # pairs side by side, pairs one above the other
            chosen = outline & _faces_along(axis, turned, safe.detach(), edges)
            picture = picture + _line_blend(
                colour[view], safe, z, edges, chosen, inward[:, axis], far[view], axis, lens
            )
        pictures.append(picture)
    return torch.stack(pictures)


def _outline(
    screen: Float[Tensor, "v 2"], z: Float[Tensor, "v"], faces: Int[Tensor, "f 3"], edges: Edges
) -> tuple[Tensor, Tensor]:
    """Which edges are outlines, and towards which side of each the surface lies: the sign along x and along y."""
    a, b, c = (screen[faces[:, k].long()] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (c - a)[:, 0] * (b - a)[:, 1]
    one, two = edges.sides.to(faces.device).unbind(1)
    alone = two < 0
    front_one, front_two = area[one] < 0, area[two.clamp_min(0)] < 0
    near = (z[edges.ends] > _NEAR).all(1)
    outline = near & (alone | (front_one != front_two))
    tip = torch.where(alone | front_one, edges.tips[:, 0], edges.tips[:, 1])
    p, q, r = screen[edges.ends[:, 0]], screen[edges.ends[:, 1]], screen[tip]
    along = q - p
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    side = ((r - p) * across).sum(1, keepdim=True).sign()
    return outline & (side[:, 0] != 0), (across * side).sign()


def _faces_along(axis: int, normals: Float[Tensor, "v 3"], screen: Float[Tensor, "v 3"], edges: Edges) -> Tensor:
    """Whether the outline at each edge looks rather across the screen (axis 0) or rather up or down it (axis 1)."""
    look = normals[edges.ends].sum(1)[:, :2]
    along = screen[edges.ends[:, 1], :2] - screen[edges.ends[:, 0], :2]
    alone = edges.sides[:, 1] < 0  # the rim of an open sheet: there the normal says nothing about the outline
    look = torch.where(alone[:, None], along.flip(1), look).abs()
    across = look[:, 0] >= look[:, 1]
    return across if axis == 0 else ~across


def _line_blend(
    colour: Float[Tensor, "h w c"],
    screen: Float[Tensor, "v 3"],
    z: Float[Tensor, "v"],
    edges: Edges,
    chosen: Tensor,
    inward: Tensor,
    far: Float[Tensor, "h w"],
    axis: int,
    lens: Tensor,
) -> Float[Tensor, "h w c"]:
    """What the outlines of one direction add to a picture."""
    if axis == 1:
        colour, far = colour.transpose(0, 1), far.transpose(0, 1)
    lines, places = far.shape
    ends, inward = edges.ends[chosen], inward[chosen]
    u, v = screen[:, axis], screen[:, 1 - axis]
    ua, ub, va, vb = u[ends[:, 0]], u[ends[:, 1]], v[ends[:, 0]], v[ends[:, 1]]
    line = torch.arange(lines, device=colour.device)
    at = line + 0.5
    low, high = torch.minimum(va, vb)[:, None], torch.maximum(va, vb)[:, None]
    edge, row = ((low <= at) & (at < high)).nonzero(as_tuple=True)
    share = (at[row] - va[edge]) / (vb[edge] - va[edge])
    where = ua[edge] + share * (ub[edge] - ua[edge])
    left = (where.detach() - 0.5).floor().long()
    inside = (left >= 0) & (left + 1 < places) & (inward[edge] != 0)
    edge, row, share, where, left = (each[inside] for each in (edge, row, share, where, left))
    right_in = (inward[edge] > 0).long()
    inner, outer = left + right_in, left + 1 - right_in
    s = torch.where(right_in > 0, inner + 0.5 - where, where - inner - 0.5)
    depth = 1 / ((1 - share) / z[ends[edge, 0]] + share / z[ends[edge, 1]]).detach()
    slack = (_BULGE * depth / lens[axis, axis]).sqrt()
    flat = far.reshape(-1)
    fits = (flat[row * places + outer] > depth) & ((flat[row * places + inner] - depth).abs() < slack)
    row, inner, outer, s = (each[fits] for each in (row, inner, outer, s))
    pair = (row * places + torch.minimum(inner, outer)) * 2 + (inner > outer)
    best = s.new_full((2 * lines * places,), -1.0).scatter_reduce(0, pair, s.detach(), "amax")
    decides = s.detach() >= best[pair]
    row, inner, outer, s, pair = (each[decides] for each in (row, inner, outer, s, pair))
    # Of two edges that meet exactly on the line, one.
    order = torch.arange(len(pair), device=pair.device)
    owner = order.new_full((2 * lines * places,), len(pair)).scatter_reduce(0, pair, order, "amin")
    single = owner[pair] == order
    row, inner, outer, s = (each[single] for each in (row, inner, outer, s))
    gain = (s - 0.5)[:, None] * (colour[row, inner] - colour[row, outer])
    target = torch.where(s.detach() < 0.5, inner, outer)
    out = torch.zeros_like(colour).index_put((row, target), gain, accumulate=True)
    return out.transpose(0, 1) if axis == 1 else out


class _Antialias(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, colour: Tensor, vertices: Tensor, faces: Tensor, cameras: Cameras, far: Tensor, edges: Edges):
        picture, v, f, depth = (_array(each) for each in (colour, vertices, faces, far))
        ends, sides, tips = (_array(each) for each in (edges.ends, edges.sides, edges.tips))
        matrix, lens = _array(cameras.world_to_camera), _array(cameras.intrinsics)
        normals = _array(smooth_normals(vertices.detach(), faces))
        out = picture.copy()
        views, height, width = depth.shape
        deciding = np.empty((views, 2, 2, height, width), np.int32)
        for view in range(views):
            screen = _project(v, matrix[view], lens[view])
            best = np.full((2, 2, height, width), -1.0, np.float32)
            deciding[view] = -1
            _find(
                screen, normals, matrix[view], lens[view], _front(screen, f), ends, sides, tips, depth[view], best,
                deciding[view],
            )  # fmt: skip
            _apply(picture[view], best, deciding[view], out[view])
        ctx.saved = picture, v, matrix, lens, ends, deciding
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        picture, v, matrix, lens, ends, deciding = ctx.saved
        slope = _array(gradients[0])
        to_picture, to_vertices = slope.copy(), np.zeros(v.shape, np.float64)
        for view in range(len(picture)):
            screen = _project(v, matrix[view], lens[view])
            moved = np.zeros((len(v), 2))
            _apply_back(picture[view], screen, ends, deciding[view], slope[view], to_picture[view], moved)
            some = np.flatnonzero(moved.any(1))
            to_vertices[some] += _project_back(screen[some], matrix[view], lens[view], moved[some])
        return torch.from_numpy(to_picture), torch.from_numpy(to_vertices.astype(np.float32)), None, None, None, None


def _project(
    vertices: Float[ndarray, "v 3"], matrix: Float[ndarray, "4 4"], lens: Float[ndarray, "3 3"]
) -> Float64[ndarray, "v 3"]:
    """Pixels across and down, and depth."""
    placed = vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    screen = placed @ lens.T.astype(np.float64) / np.maximum(placed[:, 2:], _NEAR)
    screen[:, 2] = placed[:, 2]
    return screen


def _project_back(
    screen: Float64[ndarray, "v 3"],
    matrix: Float[ndarray, "4 4"],
    lens: Float[ndarray, "3 3"],
    moved: Float64[ndarray, "v 2"],
) -> Float64[ndarray, "v 3"]:
    """What a slope by pixels is by vertices: as u = (lens . c) / z, du/dz = (lens_2 - u) / z."""
    z = np.maximum(screen[:, 2:], _NEAR)
    deep = (moved * (lens[:2, 2] - screen[:, :2])).sum(1, keepdims=True)
    return np.concatenate([moved @ lens[:2, :2], deep], 1) / z @ matrix[:3, :3]


def _front(screen: Float64[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Bool[ndarray, "f"]:
    """Which faces look at the camera; rows grow downwards."""
    x, y = screen[:, 0], screen[:, 1]
    a, b, c = faces.T
    return (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]) < 0


@near_kernel
def _find(screen, normals, matrix, lens, fronts, ends, sides, tips, far, best, deciding):
    """For each pair of pixels and each way in, the edge that cuts it farthest out, and where."""
    height, width = far.shape
    for e in range(len(ends)):
        a, b = ends[e, 0], ends[e, 1]
        if screen[a, 2] <= _NEAR or screen[b, 2] <= _NEAR:
            continue
        one, two = sides[e, 0], sides[e, 1]
        front = fronts[one]
        if two >= 0 and front == fronts[two]:
            continue
        tip = tips[e, 0] if two < 0 or front else tips[e, 1]
        ax, ay, bx, by = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1]
        nx, ny = ay - by, bx - ax
        side = (screen[tip, 0] - ax) * nx + (screen[tip, 1] - ay) * ny
        if side == 0.0:
            continue
        if side < 0:
            nx, ny = -nx, -ny
        if two < 0:
            across = abs(nx) >= abs(ny)
        else:
            mx, my, mz = (
                normals[a, 0] + normals[b, 0],
                normals[a, 1] + normals[b, 1],
                normals[a, 2] + normals[b, 2],
            )
            lx = abs(matrix[0, 0] * mx + matrix[0, 1] * my + matrix[0, 2] * mz)
            ly = abs(matrix[1, 0] * mx + matrix[1, 1] * my + matrix[1, 2] * mz)
            across = lx >= ly
        axis = 0 if across else 1
        inward = nx if across else ny
        if inward == 0.0:
            continue
        ua, va = (ax, ay) if across else (ay, ax)
        ub, vb = (bx, by) if across else (by, bx)
        lines, places = (height, width) if across else (width, height)
        first = max(np.int64(np.ceil(min(va, vb) - 0.5)), 0)
        last = min(np.int64(np.ceil(max(va, vb) - 0.5)) - 1, lines - 1)
        for line in range(first, last + 1):
            share = (line + 0.5 - va) / (vb - va)
            where = ua + share * (ub - ua)
            left = np.int64(np.floor(where - 0.5))
            if left < 0 or left + 1 >= places:
                continue
            right_in = 1 if inward > 0 else 0
            inner, outer = left + right_in, left + 1 - right_in
            s = inner + 0.5 - where if right_in else where - inner - 0.5
            depth = 1.0 / ((1 - share) / screen[a, 2] + share / screen[b, 2])
            slack = np.sqrt(_BULGE * depth / lens[axis, axis])
            here = far[line, inner] if across else far[inner, line]
            there = far[line, outer] if across else far[outer, line]
            if not (there > depth and abs(here - depth) < slack):
                continue
            row, column = (line, left) if across else (left, line)
            if s > best[axis, right_in, row, column]:
                best[axis, right_in, row, column] = s
                deciding[axis, right_in, row, column] = e


@near_inner
def _pair(axis, right_in, row, column):
    """The inner pixel and the outer one."""
    row_2, column_2 = (row, column + 1) if axis == 0 else (row + 1, column)
    if right_in:
        return row_2, column_2, row, column
    return row, column, row_2, column_2


@near_kernel
def _apply(picture, best, deciding, out):
    height, width, channels = picture.shape
    for axis in range(2):
        for right_in in range(2):
            for row in range(height):
                for column in range(width):
                    if deciding[axis, right_in, row, column] < 0:
                        continue
                    s = best[axis, right_in, row, column]
                    ri, ci, ro, co = _pair(axis, right_in, row, column)
                    rt, ct = (ri, ci) if s < 0.5 else (ro, co)
                    for k in range(channels):
                        out[rt, ct, k] += (s - 0.5) * (picture[ri, ci, k] - picture[ro, co, k])


@near_kernel
def _apply_back(picture, screen, ends, deciding, slope, to_picture, moved):
    height, width, channels = picture.shape
    for axis in range(2):
        for right_in in range(2):
            for row in range(height):
                for column in range(width):
                    e = deciding[axis, right_in, row, column]
                    if e < 0:
                        continue
                    a, b = ends[e, 0], ends[e, 1]
                    ua, va, ub, vb = screen[a, axis], screen[a, 1 - axis], screen[b, axis], screen[b, 1 - axis]
                    line, left = (row, column) if axis == 0 else (column, row)
                    share = (line + 0.5 - va) / (vb - va)
                    where = ua + share * (ub - ua)
                    s = left + 1.5 - where if right_in else where - left - 0.5
                    ri, ci, ro, co = _pair(axis, right_in, row, column)
                    rt, ct = (ri, ci) if s < 0.5 else (ro, co)
                    to_s = 0.0
                    for k in range(channels):
                        g = slope[rt, ct, k]
                        to_s += g * (picture[ri, ci, k] - picture[ro, co, k])
                        to_picture[ri, ci, k] += g * (s - 0.5)
                        to_picture[ro, co, k] -= g * (s - 0.5)
                    to_where = -to_s if right_in else to_s
                    steep = (ub - ua) / (vb - va)
                    moved[a, axis] += to_where * (1 - share)
                    moved[b, axis] += to_where * share
                    moved[a, 1 - axis] -= to_where * (1 - share) * steep
                    moved[b, 1 - axis] -= to_where * share * steep
