"""The rasterise stage: which triangle each pixel sees, and where on it.

Vertices are snapped to 1/4096 of a pixel, after which coverage is integer arithmetic: with the top-left rule two
triangles that share an edge leave no hole and share no pixel. The kernels are serial; views, or the rows of one, are
drawn side by side. They do not check bounds: `NUMBA_BOUNDSCHECK=1` makes numba do so.

`rasterize_reference` says the same in plain torch, one triangle at a time.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from bozzetto.kernels import inner, kernel
from bozzetto.threads import in_bands, side_by_side
from bozzetto.types import Cameras

NEAR = 0.01
"""Metres. A triangle with a corner closer than this is left out."""
SUBPIXEL_BITS = 12
LIMIT_PIXELS = 1 << 17
"""A triangle with a corner farther out than this is left out: edge functions must fit 64 bits."""
DOUBLE_SIDED, CUTOUT = 1, 2
"""Bits of a layer's flags."""


@dataclass(frozen=True, eq=False)
class Fragments:
    """What each pixel sees."""

    face: Int32[ndarray, "b h w"]
    """-1 where nothing is."""
    barycentrics: Float32[ndarray, "b h w 3"]
    """Perspective-correct weights of the face's corners; zero where nothing is."""
    depth: Float32[ndarray, "b h w"]
    """Along camera +z, metres; zero where nothing is."""


class Coverage(NamedTuple):
    """What decides, besides geometry, whether a triangle's pixel counts."""

    layer: Int32[ndarray, "f"]
    flags: UInt8[ndarray, "l"]
    """By layer: `DOUBLE_SIDED` keeps back faces, `CUTOUT` drops pixels whose texture alpha is below one half."""
    uvs: Float32[ndarray, "f 3 2"]
    texels: UInt8[ndarray, "n"]
    """RGBA of all textures, one after the other."""
    textures: Int64[ndarray, "t k"]
    """Of layer i, row 2i: width, height, levels, then the offset of each level."""


class Screen(NamedTuple):
    """Vertices as one camera sees them."""

    fixed: Int32[ndarray, "v 2"]
    """Pixels times 4096; the smallest integer marks a vertex that cannot be drawn."""
    closeness: Float32[ndarray, "v"]
    """Linear on the screen, larger is nearer: 1/z, or -z without perspective."""
    weight: Float32[ndarray, "v"]
    """1/z, or one without perspective."""


_HIDDEN = -(1 << 31)


def rasterize(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], cameras: Cameras, coverage: Coverage | None = None
) -> Fragments:
    """The nearest face at each pixel centre, its barycentrics and its depth.

    Args:
        vertices: World space, metres.
        faces: Counter-clockwise seen from outside.
        cameras: Any number; several are drawn side by side, of one its rows.
        coverage: Back-face and cut-out rules; without it both sides of every face are drawn.

    Raises:
        ValueError: A vertex is not finite, a face names no vertex, or the picture has no pixels.
    """
    vertices, faces = checked_mesh(vertices, faces)
    check_size(cameras)
    views, height, width = len(cameras), cameras.height, cameras.width
    face = np.empty((views, height, width), np.int32)
    barycentrics = np.empty((views, height, width, 3), np.float32)
    depth = np.empty((views, height, width), np.float32)
    coverage = coverage or both_sides(len(faces))
    by_rows = views < torch.get_num_threads()

    def look(view: int) -> None:
        screen = project(vertices, *camera_matrices(cameras, view))
        draw(screen, faces, coverage, face[view], np.empty((height, width), np.float32), by_rows)
        locate(screen, faces, face[view], barycentrics[view], depth[view], by_rows)

    side_by_side(look, views, not by_rows)
    return Fragments(face, barycentrics, depth)


def project(vertices: Float32[ndarray, "v 3"], view: Float[ndarray, "3 4"], lens: Float[ndarray, "3 3"]) -> Screen:
    """Vertices on the screen of a pinhole camera, or, where `lens[2]` is zero, of a parallel projection."""
    count = len(vertices)
    screen = Screen(np.empty((count, 2), np.int32), np.empty(count, np.float32), np.empty(count, np.float32))
    _project(vertices, view, lens, screen.fixed, screen.closeness, screen.weight)
    return screen


_NO_PIXELS = np.empty((0, 0), np.float32)


def draw(
    screen: Screen,
    faces: Int32[ndarray, "f 3"],
    coverage: Coverage,
    face: Int32[ndarray, "h w"],
    closeness: Float32[ndarray, "h w"],
    parallel: bool = True,
    farthest: Float32[ndarray, "_ _"] = _NO_PIXELS,
) -> None:
    """Writes the nearest face of each pixel, and how near it is; -1 and -inf where nothing is.

    Args:
        farthest: Where given, as large as the picture: how near the farthest surface is; inf where nothing is.
    """
    height = len(face)

    def band(low: int, high: int) -> None:
        _draw(
            faces, screen.fixed, screen.closeness, screen.weight, coverage.layer, coverage.flags, coverage.uvs,
            coverage.texels, coverage.textures, low, high, face, closeness, farthest,
        )  # fmt: skip

    in_bands(band, height, parallel)


def locate(
    screen: Screen,
    faces: Int32[ndarray, "f 3"],
    face: Int32[ndarray, "h w"],
    barycentrics: Float32[ndarray, "h w 3"],
    depth: Float32[ndarray, "h w"],
    parallel: bool = True,
) -> None:
    """Writes the perspective-correct barycentrics and the depth of each pixel's face."""

    def band(low: int, high: int) -> None:
        _locate(faces, screen.fixed, screen.weight, face, barycentrics, depth, low, high)

    in_bands(band, len(face), parallel)


def both_sides(faces: int) -> Coverage:
    """The rule that draws every face from either side."""
    return Coverage(
        np.zeros(faces, np.int32),
        np.full(1, DOUBLE_SIDED, np.uint8),
        np.zeros((0, 3, 2), np.float32),
        np.zeros(0, np.uint8),
        np.zeros((0, 4), np.int64),
    )


def camera_matrices(cameras: Cameras, view: int) -> tuple[Float[ndarray, "3 4"], Float[ndarray, "3 3"]]:
    """World to camera and intrinsics of one view, in double precision."""
    matrices = cameras.world_to_camera[view, :3], cameras.intrinsics[view]
    world_to_camera, intrinsics = (matrix.detach().cpu().numpy().astype(np.float64) for matrix in matrices)
    return world_to_camera, intrinsics


def check_size(cameras: Cameras) -> None:
    """Raises ValueError for a picture without pixels."""
    if cameras.height < 1 or cameras.width < 1:
        raise ValueError(f"A picture needs at least one pixel each way; got {cameras.height} x {cameras.width}.")


def checked_mesh(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> tuple[Float32[ndarray, "v 3"], Int32[ndarray, "f 3"]]:
    """The mesh as the kernels want it, once it is sure they will read no memory that is not theirs."""
    if not np.isfinite(vertices).all():
        raise ValueError(f"{int((~np.isfinite(vertices)).any(1).sum())} of {len(vertices)} vertices are not finite.")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(
            f"Faces name vertices {faces.min()} to {faces.max()}, but the mesh has only {len(vertices)} of them."
        )
    return np.require(vertices, np.float32, ["C", "W"]), np.require(faces, np.int32, ["C", "W"])


@kernel
def _project(vertices, view, lens, fixed, closeness, weight):
    pinhole = lens[2, 2] != 0.0
    for v in range(len(vertices)):
        px, py, pz = np.float64(vertices[v, 0]), np.float64(vertices[v, 1]), np.float64(vertices[v, 2])
        x = view[0, 0] * px + view[0, 1] * py + view[0, 2] * pz + view[0, 3]
        y = view[1, 0] * px + view[1, 1] * py + view[1, 2] * pz + view[1, 3]
        z = view[2, 0] * px + view[2, 1] * py + view[2, 2] * pz + view[2, 3]
        fixed[v, 0] = _HIDDEN
        if pinhole and z < NEAR:
            continue
        w = 1.0 / z if pinhole else 1.0
        u = (lens[0, 0] * x + lens[0, 1] * y) * w + lens[0, 2]
        t = lens[1, 1] * y * w + lens[1, 2]
        closeness[v] = w if pinhole else -z
        weight[v] = w
        if abs(u) < LIMIT_PIXELS and abs(t) < LIMIT_PIXELS:
            fixed[v, 0] = np.int32(np.floor(u * 4096.0 + 0.5))
            fixed[v, 1] = np.int32(np.floor(t * 4096.0 + 0.5))


@kernel
def _draw(faces, fixed, closeness, weight, layer, flags, uvs, texels, textures, low, high, face, nearest, farthest):
    width = face.shape[1]
    both = len(farthest) > 0
    for row in range(low, high):
        for column in range(width):
            face[row, column] = -1
            nearest[row, column] = -np.inf
            if both:
                farthest[row, column] = np.inf
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ay, by, cy = np.int64(fixed[a, 1]), np.int64(fixed[b, 1]), np.int64(fixed[c, 1])
        # Rows and columns whose centres (4096 n + 2048) lie in the bounding box.
        top = max((min(ay, min(by, cy)) + 2047) >> 12, low)
        bottom = min((max(ay, max(by, cy)) - 2048) >> 12, high - 1)
        if top > bottom:
            continue
        ax, bx, cx = np.int64(fixed[a, 0]), np.int64(fixed[b, 0]), np.int64(fixed[c, 0])
        if min(ax, min(bx, cx)) == _HIDDEN:
            continue
        left = max((min(ax, min(bx, cx)) + 2047) >> 12, 0)
        right = min((max(ax, max(bx, cx)) - 2048) >> 12, width - 1)
        if left > right:
            continue
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0:
            continue
        rule = flags[layer[f]]
        if area > 0 and not rule & 1:  # rows grow downwards, so a front face has negative area
            continue
        sign = 1 if area > 0 else -1
        # Edge functions, each opposite its corner, positive inside; each steps by `across` a column, `down` a row.
        across_a, across_b, across_c = (by - cy) * sign, (cy - ay) * sign, (ay - by) * sign
        down_a, down_b, down_c = (cx - bx) * sign, (ax - cx) * sign, (bx - ax) * sign
        px, py = (left << 12) + 2048, (top << 12) + 2048
        row_a = across_a * (px - bx) + down_a * (py - by)
        row_b = across_b * (px - cx) + down_b * (py - cy)
        row_c = across_c * (px - ax) + down_c * (py - ay)
        # Top-left rule: a pixel on an edge belongs to it when the inside lies right of it, or below a level one.
        least_a = 0 if across_a > 0 or (across_a == 0 and down_a > 0) else 1
        least_b = 0 if across_b > 0 or (across_b == 0 and down_b > 0) else 1
        least_c = 0 if across_c > 0 or (across_c == 0 and down_c > 0) else 1
        inverse = 1.0 / (area * sign)
        near_a, near_b, near_c = closeness[a] * inverse, closeness[b] * inverse, closeness[c] * inverse
        for row in range(top, bottom + 1):
            start, stop = left, right
            if right - left > 12:
                start, stop = _span(row_a, across_a, left, start, stop)
                start, stop = _span(row_b, across_b, left, start, stop)
                start, stop = _span(row_c, across_c, left, start, stop)
            at_a = row_a + (across_a << 12) * (start - left)
            at_b = row_b + (across_b << 12) * (start - left)
            at_c = row_c + (across_c << 12) * (start - left)
            for column in range(start, stop + 1):
                if at_a >= least_a and at_b >= least_b and at_c >= least_c:
                    near = np.float32(at_a * near_a + at_b * near_b + at_c * near_c)
                    if near > nearest[row, column] or (both and near < farthest[row, column]):
                        seen = True
                        if rule & 2:
                            wa, wb, wc = at_a * weight[a], at_b * weight[b], at_c * weight[c]
                            total = wa + wb + wc
                            u = (uvs[f, 0, 0] * wa + uvs[f, 1, 0] * wb + uvs[f, 2, 0] * wc) / total
                            v = (uvs[f, 0, 1] * wa + uvs[f, 1, 1] * wb + uvs[f, 2, 1] * wc) / total
                            seen = _alpha(texels, textures, 2 * layer[f], u, v) >= 127.5
                        if seen and near > nearest[row, column]:
                            nearest[row, column] = near
                            face[row, column] = f
                        if seen and both and near < farthest[row, column]:
                            farthest[row, column] = near
                at_a += across_a << 12
                at_b += across_b << 12
                at_c += across_c << 12
            row_a += down_a << 12
            row_b += down_b << 12
            row_c += down_c << 12


@inner
def _span(value, across, left, start, stop):
    """Narrows a row to where one edge function may be positive: a pixel too wide, for the exact test follows."""
    if across > 0:
        return max(start, left + np.int64(np.floor(-value / (across * 4096.0))) - 1), stop
    if across < 0:
        return start, min(stop, left + np.int64(np.ceil(value / (-across * 4096.0))) + 1)
    return (start, stop) if value >= 0 else (start, start - 1)


@inner
def _alpha(texels, textures, texture, u, v):
    width, height, offset = textures[texture, 0], textures[texture, 1], textures[texture, 3]
    x, y = (u - np.floor(u)) * width - 0.5, (v - np.floor(v)) * height - 0.5
    x0, y0 = np.int64(np.floor(x)), np.int64(np.floor(y))
    fx, fy = x - x0, y - y0
    x0, y0 = x0 % width, y0 % height
    x1, y1 = (x0 + 1) % width, (y0 + 1) % height
    top = texels[offset + 4 * (y0 * width + x0) + 3] * (1 - fx) + texels[offset + 4 * (y0 * width + x1) + 3] * fx
    bottom = texels[offset + 4 * (y1 * width + x0) + 3] * (1 - fx) + texels[offset + 4 * (y1 * width + x1) + 3] * fx
    return top * (1 - fy) + bottom * fy


@kernel
def _locate(faces, fixed, weight, face, barycentrics, depth, low, high):
    for row in range(low, high):
        py = np.int64(row) * 4096 + 2048
        for column in range(face.shape[1]):
            f = face[row, column]
            if f < 0:
                barycentrics[row, column, 0] = 0.0
                barycentrics[row, column, 1] = 0.0
                barycentrics[row, column, 2] = 0.0
                depth[row, column] = 0.0
                continue
            px = np.int64(column) * 4096 + 2048
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, bx, cx = fixed[a, 0] - px, fixed[b, 0] - px, fixed[c, 0] - px
            ay, by, cy = fixed[a, 1] - py, fixed[b, 1] - py, fixed[c, 1] - py
            wa = np.float64(bx * cy - cx * by)
            wb = np.float64(cx * ay - ax * cy)
            wc = np.float64(ax * by - bx * ay)
            flat = wa + wb + wc
            wa *= weight[a]
            wb *= weight[b]
            wc *= weight[c]
            total = wa + wb + wc
            barycentrics[row, column, 0] = wa / total
            barycentrics[row, column, 1] = wb / total
            barycentrics[row, column, 2] = wc / total
            depth[row, column] = flat / total


def rasterize_reference(vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], cameras: Cameras) -> Fragments:
    """`rasterize` without cut-outs, in plain torch and one triangle at a time: what the kernels must equal."""
    views, height, width = len(cameras), cameras.height, cameras.width
    face = torch.full((views, height, width), -1, dtype=torch.int32)
    barycentrics = torch.zeros((views, height, width, 3))
    depth = torch.zeros((views, height, width))
    half, one = 1 << (SUBPIXEL_BITS - 1), 1 << SUBPIXEL_BITS
    pixel_x = (torch.arange(width) * one + half)[None, :]
    pixel_y = (torch.arange(height) * one + half)[:, None]
    for view in range(views):
        camera, lens = cameras.world_to_camera[view].double(), cameras.intrinsics[view].double()
        points = vertices.double() @ camera[:3, :3].T + camera[:3, 3]
        z = points[:, 2]
        closeness = (1.0 / z).float()
        pixels = (points @ lens.T)[:, :2] / z[:, None]
        drawable = (z >= NEAR) & (pixels.abs() < LIMIT_PIXELS).all(1)
        fixed = torch.where(drawable[:, None], pixels * one + 0.5, 0.0).floor().long()
        nearest = torch.full((height, width), -torch.inf)
        for index, corners in enumerate(faces.long()):
            if not drawable[corners].all():
                continue
            (ax, ay), (bx, by), (cx, cy) = fixed[corners]
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if area == 0:
                continue
            edges, inside = [], torch.ones((height, width), dtype=torch.bool)
            for (sx, sy), (ex, ey) in (((bx, by), (cx, cy)), ((cx, cy), (ax, ay)), ((ax, ay), (bx, by))):
                across, down = (sy - ey) * area.sign(), (ex - sx) * area.sign()
                value = across * (pixel_x - sx) + down * (pixel_y - sy)
                owns_edge = across > 0 or (across == 0 and down > 0)
                inside &= value >= (0 if owns_edge else 1)
                edges.append(value.double())
            flat = torch.stack(edges, -1) / area.abs()
            near = (flat * closeness[corners]).sum(-1).float()
            inside &= near > nearest
            weighted = flat * closeness[corners]
            nearest[inside] = near[inside]
            face[view][inside] = index
            barycentrics[view][inside] = (weighted / weighted.sum(-1, keepdim=True)).float()[inside]
            depth[view][inside] = (1.0 / weighted.sum(-1)).float()[inside]
    return Fragments(face.numpy(), barycentrics.numpy(), depth.numpy())
