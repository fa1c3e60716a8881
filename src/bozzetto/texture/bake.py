"""Several pictures become one texture: each texel looks up where the pictures see it, and blends them by how well.

Weights are those of Human-SGD (AlBahar et al. 2023, arXiv:2311.09221, section 3.3), for a surface instead of a target
view: a picture's share is exp(-alpha phi) d^beta, where phi is the angle between the surface's normal and the way to
the camera, and d how many pixels away the next place is where the picture's surface ends or jumps. Departures: d stops
growing after ``Blend.feather`` pixels, so that in the middle of a surface the angle alone decides; light is blended,
not codes; and pixels nearer than ``Blend.rim`` to an
outline are not read, since they hold background.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy import ndarray

from bozzetto.geometry import vertex_normals
from bozzetto.kernels import kernel, near_kernel
from bozzetto.render.raster import Fragments, camera_matrices, rasterize
from bozzetto.threads import in_bands
from bozzetto.types import Cameras, Mesh, linear_to_srgb, srgb_to_linear


@dataclass(frozen=True)
class Blend:
    """How pictures of one place are weighed against each other."""

    alpha: float = 3.0
    """How much an angle counts, per radian."""
    beta: float = 3.0
    """Power of the distance to the next outline."""
    feather: float = 16.0
    """Pixels after which that distance no longer counts."""
    rim: float = 1.0
    """Pixels closer than this to an outline's are not read: 1 leaves out the outline's own, which hold background."""
    steepest: float = 0.1
    """Cosine of the angle beyond which a surface is too much aslant to be read."""
    slack: float = 0.003
    """Metres that a texel may lie behind what the picture sees and still be taken for the same surface."""


@dataclass(frozen=True, eq=False)
class Baked:
    """A texture as far as the pictures saw it."""

    texture: Float32[ndarray, "s s 3"]
    """sRGB, [0, 1]; zero where nothing was seen."""
    confidence: Float32[ndarray, "s s"]
    """From 0 (no picture shows it) to 1 (one shows it straight on, far from its outlines)."""
    covered: Bool[ndarray, "s s"]
    """Texels whose middle lies on the mesh, seen or not."""


@dataclass(frozen=True, eq=False)
class Texels:
    """The texels a mesh covers, and where on it they are."""

    covered: Bool[ndarray, "s s"]
    position: Float32[ndarray, "n 3"]
    """Metres; of covered texels, row by row."""
    normal: Float32[ndarray, "n 3"]
    """Smooth, unit length."""


def texels_of(mesh: Mesh, size: int) -> Texels:
    """Where on the mesh each texel of a picture of ``size`` squared lies.

    Raises:
        ValueError: A size below one, texture coordinates or vertices that are not finite, or a face of no vertex.
    """
    if size < 1:
        raise ValueError(f"A texture needs at least one texel a side; got {size}.")
    uvs, faces, vertices = mesh.uvs.numpy(), mesh.faces.numpy(), mesh.vertices.detach().numpy().astype(np.float32)
    if not np.isfinite(vertices).all():
        raise ValueError(f"{int((~np.isfinite(vertices)).any(1).sum())} of {len(vertices)} vertices are not finite.")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"Faces name vertices {faces.min()} to {faces.max()}; there are {len(vertices)}.")
    flat = np.concatenate([uvs.reshape(-1, 2) * size, np.ones((uvs.size // 2, 1))], 1).astype(np.float32)
    above = Cameras(torch.eye(4)[None], torch.diag(torch.tensor([1.0, 1.0, 0.0]))[None], size, size)
    seen = rasterize(flat, np.arange(len(flat)).reshape(-1, 3), above)
    covered = seen.face[0] >= 0
    face, share = seen.face[0][covered], seen.barycentrics[0][covered]
    position, normal = np.empty((len(face), 3), np.float32), np.empty((len(face), 3), np.float32)
    normals = vertex_normals(vertices, faces)
    in_bands(lambda low, high: _mix(faces, face, share, vertices, normals, low, high, position, normal), len(face))
    return Texels(covered, position, normal)


@kernel
def _mix(faces, face, share, vertices, normals, low, high, position, normal):
    for n in range(low, high):
        i, j, k = faces[face[n]]
        a, b, c = share[n]
        size = np.float32(0.0)
        for d in range(3):
            position[n, d] = a * vertices[i, d] + b * vertices[j, d] + c * vertices[k, d]
            normal[n, d] = a * normals[i, d] + b * normals[j, d] + c * normals[k, d]
            size += normal[n, d] * normal[n, d]
        size = max(np.sqrt(size), np.float32(1e-12))
        for d in range(3):
            normal[n, d] /= size


def bake(
    mesh: Mesh,
    pictures: Float[ndarray, "b h w 3"],
    cameras: Cameras,
    size: int = 1024,
    blend: Blend = Blend(),
    trusted: Bool[ndarray, "b h w"] | None = None,
) -> Baked:
    """The texture that the pictures show.

    Args:
        mesh: With texture coordinates; no two faces may share a texel.
        pictures: sRGB, [0, 1], of this mesh.
        cameras: One a picture.
        size: Texels a side. Finer than the pictures' pixels there is nothing to read.
        blend: How pictures share a texel.
        trusted: Pixels that may be used; all without it.

    Raises:
        ValueError: Pictures, cameras and masks do not belong together, or something is not finite.
    """
    _check(pictures, cameras, trusted)
    texels = texels_of(mesh, size)
    drawn = rasterize(mesh.vertices.detach().numpy(), mesh.faces.numpy(), cameras)
    away = outline_distance(drawn, blend.slack, blend.feather + 1, trusted)
    light = np.empty(pictures.shape, np.float32)
    flat, lit = pictures.reshape(-1), light.reshape(-1)
    in_bands(lambda low, high: _read(flat[low:high], _TO_LIGHT, lit[low:high]), len(flat))
    total, most = np.zeros((len(texels.position), 4), np.float32), np.zeros(len(texels.position), np.float32)
    numbers = np.array([blend.feather, blend.rim, blend.steepest, blend.slack], np.float32)
    views = [tuple(each.astype(np.float32) for each in camera_matrices(cameras, view)) for view in range(len(cameras))]

    def work(low: int, high: int) -> None:
        for view, (matrix, lens) in enumerate(views):
            _gather(
                texels.position, texels.normal, light[view], drawn.depth[view], away[view], matrix, lens,
                *_tables(blend), numbers, low, high, total, most,
            )  # fmt: skip

    in_bands(work, len(total))
    return _painted(texels, total, most)


def bake_reference(
    mesh: Mesh,
    pictures: Float[ndarray, "b h w 3"],
    cameras: Cameras,
    size: int = 1024,
    blend: Blend = Blend(),
    trusted: Bool[ndarray, "b h w"] | None = None,
) -> Baked:
    """``bake`` in plain numpy."""
    _check(pictures, cameras, trusted)
    texels = texels_of(mesh, size)
    drawn = rasterize(mesh.vertices.detach().numpy(), mesh.faces.numpy(), cameras)
    away = outline_distance(drawn, blend.slack, blend.feather + 1, trusted)
    light = srgb_to_linear(pictures.astype(np.float64))
    total, most = np.zeros((len(texels.position), 4)), np.zeros(len(texels.position))
    for view in range(len(cameras)):
        matrix, lens = camera_matrices(cameras, view)
        p = texels.position.astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
        n = texels.normal.astype(np.float64) @ matrix[:, :3].T
        facing = -(p * n).sum(1) / np.maximum(np.linalg.norm(p, axis=1), 1e-12)
        at = p[:, :2] / np.maximum(p[:, 2:], 1e-12) @ lens[:2, :2].T + lens[:2, 2]
        x, y = at[:, 0] - 0.5, at[:, 1] - 0.5
        column, row = np.floor(x).astype(int), np.floor(y).astype(int)
        kept = (p[:, 2] > 0) & (facing > blend.steepest) & (column >= 0) & (row >= 0)
        kept &= (column < cameras.width - 1) & (row < cameras.height - 1)
        kept[kept] &= away[view, at[kept, 1].astype(int), at[kept, 0].astype(int)] >= blend.rim
        chosen = np.flatnonzero(kept)
        column, row = column[chosen], row[chosen]
        fx, fy = x[chosen] - column, y[chosen] - row
        rows, columns = row[:, None] + [0, 0, 1, 1], column[:, None] + [0, 1, 0, 1]
        shares = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], 1)
        shares *= away[view][rows, columns] >= blend.rim
        shares /= shares.sum(1, keepdims=True)
        depth, far, colour = (
            np.einsum("nk,nk...->n...", shares, image[view][rows, columns]) for image in (drawn.depth, away, light)
        )
        visible = p[chosen, 2] <= depth + blend.slack / facing[chosen]
        chosen, found = chosen[visible], colour[visible]
        d = np.minimum(far[visible] / blend.feather, 1)
        w = np.exp(-blend.alpha * np.arccos(np.clip(facing[chosen], -1, 1))) * d**blend.beta
        total[chosen] += np.concatenate([found * w[:, None], w[:, None]], 1)
        most[chosen] = np.maximum(most[chosen], w)
    return _painted(texels, total.astype(np.float32), most.astype(np.float32))


def outline_distance(
    drawn: Fragments, jump: float, limit: float, trusted: Bool[ndarray, "b h w"] | None = None
) -> Float32[ndarray, "b h w"]:
    """Pixels from each pixel's middle to the next one where the surface has ended, jumped, or is not trusted.

    Exact (Felzenszwalb and Huttenlocher 2012) up to ``limit``, and that beyond it; zero on the last pixels of a
    surface and on those behind which it jumps.

    Args:
        drawn: What each pixel sees.
        jump: Metres; depths that differ by more than this over what a slope explains are two surfaces.
        limit: Pixels.
        trusted: Pixels that may be used.
    """
    out = np.empty(drawn.depth.shape, np.float32)
    for view in range(len(out)):
        trust = _NO_MASK if trusted is None else trusted[view]
        _edges(drawn.depth[view], jump, trust, out[view])
        _spread(out[view], limit)
    return out


_TO_CODE = linear_to_srgb((np.arange((1 << 12) + 1) / (1 << 12)) ** 2).astype(np.float32)
"""sRGB by the root of linear light."""
_NO_MASK = np.zeros((0, 0), bool)
_TO_LIGHT = srgb_to_linear(np.arange((1 << 14) + 1) / (1 << 14)).astype(np.float32)
"""Linear light of sRGB in steps far finer than a picture's codes."""


def _check(pictures: ndarray, cameras: Cameras, trusted: ndarray | None) -> None:
    expected = (len(cameras), cameras.height, cameras.width)
    if pictures.shape[:3] != expected or (trusted is not None and trusted.shape != expected):
        raise ValueError(
            f"The cameras take {expected[0]} pictures of {expected[1]} x {expected[2]} pixels; "
            f"the pictures are {pictures.shape[:3]}{'' if trusted is None else f', their masks {trusted.shape}'}."
        )
    if not np.isfinite(pictures).all():
        raise ValueError("A picture holds values that are not finite.")


def _painted(texels: Texels, total: Float32[ndarray, "n 4"], weight: Float32[ndarray, "n"]) -> Baked:
    """The texture of weighted sums of light, the weights' own sum last."""
    size = len(texels.covered)
    texture, confidence = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    root = np.sqrt(total[:, :3] / np.maximum(total[:, 3:], 1e-30))
    codes = np.empty_like(root)
    _read(root.reshape(-1), _TO_CODE, codes.reshape(-1))
    texture[texels.covered] = np.where(total[:, 3:] > 0, codes, 0)
    confidence[texels.covered] = weight
    return Baked(texture, confidence, texels.covered)


@kernel
def _read(values, table, out):
    """What a table over [0, 1] says of values."""
    for n in range(len(values)):
        at = min(max(np.float64(values[n]), 0.0), 1.0) * (len(table) - 1)
        i = min(np.int64(at), len(table) - 2)
        out[n] = table[i] + (table[i + 1] - table[i]) * (at - i)


@kernel
def _edges(depth, jump, trust, out):
    """Zero where a surface ends or jumps within a pixel, one elsewhere."""
    height, width = depth.shape
    for row in range(height):
        for column in range(width):
            here = depth[row, column]
            if here == 0.0 or (len(trust) > 0 and not trust[row, column]):
                out[row, column] = 0.0
                continue
            out[row, column] = 1.0
            for side in range(4):
                dy = (1, -1, 0, 0)[side]
                dx = (0, 0, 1, -1)[side]
                y, x = row + dy, column + dx
                if y < 0 or x < 0 or y >= height or x >= width:
                    continue
                there = depth[y, x]
                if there == 0.0:
                    out[row, column] = 0.0
                    break
                # A slope goes on as it began: what counts is how far the next depth is from its continuation.
                back_y, back_x = row - dy, column - dx
                slope = 0.0
                if 0 <= back_y < height and 0 <= back_x < width and depth[back_y, back_x] != 0.0:
                    slope = here - depth[back_y, back_x]
                if abs(there - here - slope) > jump and abs(there - here) > jump:
                    out[row, column] = 0.0
                    break


@kernel
def _spread(out, limit):
    """From zeros and others to distances in pixels, up to a limit, in place."""
    height, width = out.shape
    far = limit + 1.0
    for column in range(width):
        run = far
        for row in range(height):
            run = 0.0 if out[row, column] == 0.0 else run + 1.0
            out[row, column] = run
        run = far
        for row in range(height - 1, -1, -1):
            run = 0.0 if out[row, column] == 0.0 else run + 1.0
            out[row, column] = min(min(out[row, column], run), far)
    reach = np.int64(np.ceil(limit))
    line = np.empty(width, np.float64)
    for row in range(height):
        for column in range(width):
            line[column] = out[row, column]
        for column in range(width):
            best = line[column] * line[column]
            for step in range(1, reach + 1):
                if step * step >= best:
                    break
                if column >= step:
                    best = min(best, line[column - step] * line[column - step] + step * step)
                if column + step < width:
                    best = min(best, line[column + step] * line[column + step] + step * step)
            out[row, column] = min(np.sqrt(best), limit)


_STEPS = 1024


def _tables(blend: Blend) -> tuple[Float32[ndarray, "k"], Float32[ndarray, "k"]]:
    """What an angle and a distance to an outline are worth: the first by the root of one minus its cosine."""
    at = np.arange(_STEPS + 2) / _STEPS
    angle = np.arccos(np.clip(1 - at**2, -1, 1))
    return np.exp(-blend.alpha * angle).astype(np.float32), (at**blend.beta).astype(np.float32)


@near_kernel
def _look_up(table, at):
    place = at * np.float32(_STEPS)
    i = np.int64(place)
    return table[i] + (table[i + 1] - table[i]) * (place - np.float32(i))


@near_kernel
def _gather(position, normal, light, depth, away, m, lens, angles, shares, numbers, low, high, total, most):
    """Adds what one view sees of texels low..high, times its weight, and the weight; notes the largest weight."""
    feather, rim, steepest, slack = numbers
    height, width = depth.shape
    for n in range(low, high):
        px, py, pz = position[n, 0], position[n, 1], position[n, 2]
        x = m[0, 0] * px + m[0, 1] * py + m[0, 2] * pz + m[0, 3]
        y = m[1, 0] * px + m[1, 1] * py + m[1, 2] * pz + m[1, 3]
        z = m[2, 0] * px + m[2, 1] * py + m[2, 2] * pz + m[2, 3]
        qx, qy, qz = normal[n, 0], normal[n, 1], normal[n, 2]
        towards = -(
            x * (m[0, 0] * qx + m[0, 1] * qy + m[0, 2] * qz)
            + y * (m[1, 0] * qx + m[1, 1] * qy + m[1, 2] * qz)
            + z * (m[2, 0] * qx + m[2, 1] * qy + m[2, 2] * qz)
        )
        if z <= 0.0 or towards <= 0.0:
            continue
        facing = towards / np.sqrt(x * x + y * y + z * z)
        if facing <= steepest:
            continue
        inverse = np.float32(1.0) / z
        u = (lens[0, 0] * x + lens[0, 1] * y) * inverse + lens[0, 2]
        v = lens[1, 1] * y * inverse + lens[1, 2]
        if u < 0.5 or v < 0.5 or u >= width - 0.5 or v >= height - 0.5:
            continue
        if away[np.int64(v), np.int64(u)] < rim:
            continue
        u, v = u - np.float32(0.5), v - np.float32(0.5)
        column, row = np.int64(u), np.int64(v)
        fx, fy = u - np.float32(column), v - np.float32(row)
        a = (1 - fx) * (1 - fy) if away[row, column] >= rim else np.float32(0.0)
        b = fx * (1 - fy) if away[row, column + 1] >= rim else np.float32(0.0)
        c = (1 - fx) * fy if away[row + 1, column] >= rim else np.float32(0.0)
        d = fx * fy if away[row + 1, column + 1] >= rim else np.float32(0.0)
        whole = np.float32(1.0) / (a + b + c + d)
        a, b, c, d = a * whole, b * whole, c * whole, d * whole
        front = a * depth[row, column] + b * depth[row, column + 1]
        front += c * depth[row + 1, column] + d * depth[row + 1, column + 1]
        if z > front + slack / facing:
            continue
        far = a * away[row, column] + b * away[row, column + 1]
        far += c * away[row + 1, column] + d * away[row + 1, column + 1]
        w = _look_up(angles, np.sqrt(max(np.float32(1.0) - facing, np.float32(0.0))))
        w *= _look_up(shares, min(far / feather, np.float32(1.0)))
        for k in range(3):
            top = a * light[row, column, k] + b * light[row, column + 1, k]
            total[n, k] += w * (top + c * light[row + 1, column, k] + d * light[row + 1, column + 1, k])
        total[n, 3] += w
        most[n] = max(most[n], w)
