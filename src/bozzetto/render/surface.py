"""What a pixel sees of a surface, with gradients: attributes across faces, textures, smooth normals.

Which face a pixel sees comes from ``raster.rasterize`` and has no gradient; where on the face it looks does. With the
ray d through the pixel's centre and the face's corners p in the camera's frame, the weight of corner i is

    b_i = beta_i / (beta_0 + beta_1 + beta_2),    beta_i = d . (p_j x p_k),    (i, j, k) cyclic,

which is perspective-correct and smooth in the corners. What happens at silhouettes, where a pixel begins to see another
face, is ``antialias``'s part.

Each kernel stands beside a plain torch reference that says the same; on a CUDA tensor the reference runs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from bozzetto.kernels import near_inner, near_kernel
from bozzetto.render import gpu
from bozzetto.threads import side_by_side
from bozzetto.types import Cameras


def interpolate(
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    cameras: Cameras,
    seen: Int[Tensor, "b h w"],
    attributes: Float[Tensor, "n c"],
    attribute_faces: Int[Tensor, "f 3"] | None = None,
) -> Float[Tensor, "b h w c"]:
    """Each pixel's attribute, with gradients to attributes and vertices; zero where no face is seen.

    Args:
        vertices: World space, metres.
        faces: Corners of each face, as vertices.
        cameras: As many as views.
        seen: The face of each pixel, from ``rasterize``; -1 where nothing is.
        attributes: Colours, positions, texture coordinates: one row a vertex, or whatever ``attribute_faces`` names.
        attribute_faces: Corners of each face as rows of ``attributes``, where those have seams; ``faces`` without it.
    """
    corners = faces if attribute_faces is None else attribute_faces
    if gpu.installed(vertices):
        return gpu.interpolate_cuda(vertices, faces, cameras, seen, attributes, corners)
    if vertices.is_cuda or vertices.dtype != torch.float32:
        return interpolate_reference(vertices, faces, cameras, seen, attributes, attribute_faces)
    out: Any = _Interpolate.apply(vertices, faces, cameras, seen, attributes, corners)
    return out


def interpolate_reference(
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    cameras: Cameras,
    seen: Int[Tensor, "b h w"],
    attributes: Float[Tensor, "n c"],
    attribute_faces: Int[Tensor, "f 3"] | None = None,
) -> Float[Tensor, "b h w c"]:
    """``interpolate`` in plain torch."""
    corners = faces if attribute_faces is None else attribute_faces
    view, row, column = (seen >= 0).nonzero(as_tuple=True)
    face = seen[view, row, column].long()
    matrix, lens = (each.to(vertices) for each in (cameras.world_to_camera, cameras.intrinsics))
    placed = vertices @ matrix[:, :3, :3].transpose(1, 2) + matrix[:, None, :3, 3]
    p = placed[view[:, None], faces.long()[face]]
    ray = _rays(lens, view, row, column)
    beta = (ray[:, None] * torch.linalg.cross(p[:, [1, 2, 0]], p[:, [2, 0, 1]])).sum(2)
    share = beta / beta.sum(1, keepdim=True)
    out = attributes.new_zeros((*seen.shape, attributes.shape[1]))
    return out.index_put((view, row, column), (share[:, :, None] * attributes[corners.long()[face]]).sum(1))


def _rays(
    lens: Float[Tensor, "b 3 3"], view: Int[Tensor, "n"], row: Int[Tensor, "n"], column: Int[Tensor, "n"]
) -> Float[Tensor, "n 3"]:
    """Directions through pixel centres, in the camera's frame, one metre deep."""
    y = (row + 0.5 - lens[view, 1, 2]) / lens[view, 1, 1]
    x = (column + 0.5 - lens[view, 0, 2] - lens[view, 0, 1] * y) / lens[view, 0, 0]
    return torch.stack([x, y, torch.ones_like(x)], 1)


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, vertices: Tensor, faces: Tensor, cameras: Cameras, seen: Tensor, attributes: Tensor, corners: Tensor
    ):
        v, f, a, c = (_array(each) for each in (vertices, faces, attributes, corners))
        ids, matrix, lens = _array(seen), _array(cameras.world_to_camera), _array(cameras.intrinsics)
        out = np.empty((*ids.shape, a.shape[1]), np.float32)
        in_strips(
            lambda low, high, _: _blend(v, f, matrix, lens, ids, a, c, low, high, out), ids.shape[0] * ids.shape[1]
        )
        ctx.saved, ctx.needs = (v, f, matrix, lens, ids, a, c), (vertices.requires_grad, attributes.requires_grad)
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        v, f, matrix, lens, ids, a, c = ctx.saved
        slope = _array(gradients[0])
        move, want = ctx.needs
        strips = torch.get_num_threads()
        to_vertices = np.zeros((strips if move else 0, *v.shape), np.float32)
        to_attributes = np.zeros((strips if want else 0, *a.shape), np.float32)

        def work(low: int, high: int, strip: int) -> None:
            _blend_back(
                v, f, matrix, lens, ids, a, c, slope, low, high,
                to_vertices[strip if move else 0 :], to_attributes[strip if want else 0 :], move, want,
            )  # fmt: skip

        in_strips(work, ids.shape[0] * ids.shape[1])
        return (
            torch.from_numpy(to_vertices.sum(0)) if move else None, None, None, None,
            torch.from_numpy(to_attributes.sum(0)) if want else None, None,
        )  # fmt: skip


def sample_texture(texture: Float[Tensor, "y x c"], uvs: Float[Tensor, "b h w 2"]) -> Float[Tensor, "b h w c"]:
    """Bilinear texels at glTF coordinates, the picture repeated beyond its edges; gradients to texture and coordinates.

    A pixel that covers many texels sees but four of them: see ``shrunk``.
    """
    if texture.is_cuda or texture.dtype != torch.float32:
        return sample_texture_reference(texture, uvs)
    out: Any = _SampleTexture.apply(texture, uvs)
    return out


def sample_texture_reference(
    texture: Float[Tensor, "y x c"], uvs: Float[Tensor, "b h w 2"]
) -> Float[Tensor, "b h w c"]:
    """``sample_texture`` in plain torch."""
    height, width = texture.shape[:2]
    x, y = uvs[..., 0] * width - 0.5, uvs[..., 1] * height - 0.5
    left, top = x.detach().floor(), y.detach().floor()
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    columns, rows = (left.long() % width, (left.long() + 1) % width), (top.long() % height, (top.long() + 1) % height)
    upper = texture[rows[0], columns[0]] * (1 - fx) + texture[rows[0], columns[1]] * fx
    lower = texture[rows[1], columns[0]] * (1 - fx) + texture[rows[1], columns[1]] * fx
    return upper * (1 - fy) + lower * fy


class _SampleTexture(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, texture: Tensor, uvs: Tensor):
        image, at = _array(texture), _array(uvs).reshape(-1, 2)
        out = np.empty((len(at), image.shape[2]), np.float32)
        in_strips(lambda low, high, _: _sample(image, at, low, high, out), len(at))
        ctx.saved, ctx.needs, ctx.shape = (image, at), (texture.requires_grad, uvs.requires_grad), uvs.shape
        return torch.from_numpy(out.reshape(*uvs.shape[:-1], image.shape[2]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        image, at = ctx.saved
        paint, move = ctx.needs
        slope = _array(gradients[0]).reshape(len(at), -1)
        to_image = np.zeros((torch.get_num_threads() if paint else 0, *image.shape), np.float32)
        to_uvs = np.zeros_like(at) if move else at[:0]

        def work(low: int, high: int, strip: int) -> None:
            _sample_back(image, at, slope, low, high, to_image[strip if paint else 0 :], to_uvs, paint, move)

        in_strips(work, len(at))
        return (
            torch.from_numpy(to_image.sum(0)) if paint else None,
            torch.from_numpy(to_uvs.reshape(ctx.shape)) if move else None,
        )


def shrunk(texture: Float[Tensor, "y x c"], texels_per_pixel: float) -> Float[Tensor, "_y _x c"]:
    """The texture at the power of two of its size whose texels are about as large as the pixels that will see it.

    One level for a whole picture instead of a level a pixel: of one person at one distance the footprints differ by
    little but where the surface turns away, and a level a pixel would cost a third more memory and time.

    Args:
        texels_per_pixel: How many texels of the full texture one pixel spans, along a side.
    """
    level = int(np.clip(np.round(np.log2(max(texels_per_pixel, 1.0))), 0, np.log2(min(texture.shape[:2]))))
    if level == 0:
        return texture
    return torch.nn.functional.avg_pool2d(texture.permute(2, 0, 1)[None], 2**level)[0].permute(1, 2, 0)


def smooth_normals(vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]) -> Float[Tensor, "v 3"]:
    """Unit vertex normals, each the area-weighted mean of its faces', with gradients; zero for one without area."""
    if vertices.is_cuda or vertices.dtype != torch.float32:
        return smooth_normals_reference(vertices, faces)
    out: Any = _SmoothNormals.apply(vertices, faces)
    return out


def smooth_normals_reference(vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"]) -> Float[Tensor, "v 3"]:
    """``smooth_normals`` in plain torch."""
    a, b, c = (vertices[faces[:, k].long()] for k in range(3))
    twice_area = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices).index_add(0, faces.long().T.reshape(-1), twice_area.repeat(3, 1))
    return total / total.norm(dim=1, keepdim=True).clamp_min(1e-20)


class _SmoothNormals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, vertices: Tensor, faces: Tensor):
        v, f = _array(vertices), _array(faces)
        total = np.zeros_like(v)
        _add_normals(v, f, total)
        size = np.maximum(np.sqrt((total * total).sum(1, keepdims=True)), np.float32(1e-20))
        ctx.saved = v, f, total / size, size
        return torch.from_numpy(total / size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        v, f, unit, size = ctx.saved
        slope = _array(gradients[0])
        across = (slope - unit * (unit * slope).sum(1, keepdims=True)) / size
        out = np.zeros_like(v)
        _add_normals_back(v, f, across, out)
        return torch.from_numpy(out), None


def in_strips(work: Callable[[int, int, int], object], count: int) -> None:
    """Calls ``work(first, end, strip)`` over ``range(count)``, one strip a thread."""
    strips = torch.get_num_threads() if count >= 64 * torch.get_num_threads() else 1
    edges = np.linspace(0, count, strips + 1).astype(int).tolist()
    side_by_side(lambda strip: work(edges[strip], edges[strip + 1], strip), strips)


def _array(tensor: Tensor) -> ndarray:
    kind = np.float32 if tensor.is_floating_point() else np.int32
    return np.require(tensor.detach().cpu().numpy(), kind, ["C"])


@near_inner
def _corner(vertices, index, matrix):
    x, y, z = np.float64(vertices[index, 0]), np.float64(vertices[index, 1]), np.float64(vertices[index, 2])
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3],
        matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3],
    )


@near_inner
def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@near_inner
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@near_inner
def _ray(lens, row, column):
    y = (row + 0.5 - lens[1, 2]) / lens[1, 1]
    return (column + 0.5 - lens[0, 2] - lens[0, 1] * y) / lens[0, 0], y, 1.0


@near_kernel
def _blend(vertices, faces, matrices, lenses, seen, attributes, corners, low, high, out):
    height, width = seen.shape[1], seen.shape[2]
    channels = attributes.shape[1]
    for line in range(low, high):
        view, row = line // height, line % height
        for column in range(width):
            f = seen[view, row, column]
            if f < 0:
                for k in range(channels):
                    out[view, row, column, k] = 0.0
                continue
            p0 = _corner(vertices, faces[f, 0], matrices[view])
            p1 = _corner(vertices, faces[f, 1], matrices[view])
            p2 = _corner(vertices, faces[f, 2], matrices[view])
            ray = _ray(lenses[view], row, column)
            b0, b1, b2 = dot(ray, cross(p1, p2)), dot(ray, cross(p2, p0)), dot(ray, cross(p0, p1))
            total = 1.0 / (b0 + b1 + b2)
            i, j, k3 = corners[f, 0], corners[f, 1], corners[f, 2]
            for k in range(channels):
                blended = b0 * attributes[i, k] + b1 * attributes[j, k] + b2 * attributes[k3, k]
                out[view, row, column, k] = blended * total


@near_kernel
def _blend_back(
    vertices,
    faces,
    matrices,
    lenses,
    seen,
    attributes,
    corners,
    slope,
    low,
    high,
    to_vertices,
    to_attributes,
    move,
    want,
):
    height, width = seen.shape[1], seen.shape[2]
    channels = attributes.shape[1]
    for line in range(low, high):
        view, row = line // height, line % height
        m = matrices[view]
        for column in range(width):
            f = seen[view, row, column]
            if f < 0:
                continue
            p0 = _corner(vertices, faces[f, 0], m)
            p1 = _corner(vertices, faces[f, 1], m)
            p2 = _corner(vertices, faces[f, 2], m)
            ray = _ray(lenses[view], row, column)
            b0, b1, b2 = dot(ray, cross(p1, p2)), dot(ray, cross(p2, p0)), dot(ray, cross(p0, p1))
            total = 1.0 / (b0 + b1 + b2)
            b0, b1, b2 = b0 * total, b1 * total, b2 * total
            i, j, k3 = corners[f, 0], corners[f, 1], corners[f, 2]
            g0, g1, g2 = 0.0, 0.0, 0.0
            for k in range(channels):
                g = slope[view, row, column, k]
                if want:
                    to_attributes[0, i, k] += b0 * g
                    to_attributes[0, j, k] += b1 * g
                    to_attributes[0, k3, k] += b2 * g
                g0 += g * attributes[i, k]
                g1 += g * attributes[j, k]
                g2 += g * attributes[k3, k]
            if not move:
                continue
            mean = b0 * g0 + b1 * g1 + b2 * g2
            s0, s1, s2 = (g0 - mean) * total, (g1 - mean) * total, (g2 - mean) * total
            # d beta_0 / d p1 = p2 x ray, d beta_0 / d p2 = ray x p1, and so on round.
            r0, r1, r2 = cross(p0, ray), cross(p1, ray), cross(p2, ray)
            for a in range(3):
                d0, d1, d2 = s2 * r1[a] - s1 * r2[a], s0 * r2[a] - s2 * r0[a], s1 * r0[a] - s0 * r1[a]
                for axis in range(3):
                    to_vertices[0, faces[f, 0], axis] += m[a, axis] * d0
                    to_vertices[0, faces[f, 1], axis] += m[a, axis] * d1
                    to_vertices[0, faces[f, 2], axis] += m[a, axis] * d2


@near_inner
def _texel(size, at):
    """The texel left of a coordinate, the one right of it, and how far it lies between them."""
    place = at * size - 0.5
    left = np.floor(place)
    first = np.int64(left) % size
    return first, (first + 1) % size, place - left


@near_kernel
def _sample(image, uvs, low, high, out):
    height, width, channels = image.shape
    for n in range(low, high):
        x0, x1, fx = _texel(width, uvs[n, 0])
        y0, y1, fy = _texel(height, uvs[n, 1])
        for k in range(channels):
            upper = image[y0, x0, k] * (1 - fx) + image[y0, x1, k] * fx
            lower = image[y1, x0, k] * (1 - fx) + image[y1, x1, k] * fx
            out[n, k] = upper * (1 - fy) + lower * fy


@near_kernel
def _sample_back(image, uvs, slope, low, high, to_image, to_uvs, paint, move):
    height, width, channels = image.shape
    for n in range(low, high):
        x0, x1, fx = _texel(width, uvs[n, 0])
        y0, y1, fy = _texel(height, uvs[n, 1])
        du, dv = 0.0, 0.0
        for k in range(channels):
            g = slope[n, k]
            if paint and g != 0.0:
                to_image[0, y0, x0, k] += g * (1 - fx) * (1 - fy)
                to_image[0, y0, x1, k] += g * fx * (1 - fy)
                to_image[0, y1, x0, k] += g * (1 - fx) * fy
                to_image[0, y1, x1, k] += g * fx * fy
            if move:
                a, b, c, d = image[y0, x0, k], image[y0, x1, k], image[y1, x0, k], image[y1, x1, k]
                du += g * ((b - a) * (1 - fy) + (d - c) * fy)
                dv += g * ((c - a) * (1 - fx) + (d - b) * fx)
        if move:
            to_uvs[n, 0] = du * width
            to_uvs[n, 1] = dv * height


@near_inner
def difference(vertices, a, b):
    return (
        np.float64(vertices[b, 0]) - vertices[a, 0],
        np.float64(vertices[b, 1]) - vertices[a, 1],
        np.float64(vertices[b, 2]) - vertices[a, 2],
    )


@near_kernel
def _add_normals(vertices, faces, total):
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        normal = cross(difference(vertices, i, j), difference(vertices, i, k))
        for axis in range(3):
            total[i, axis] += normal[axis]
            total[j, axis] += normal[axis]
            total[k, axis] += normal[axis]


@near_kernel
def _add_normals_back(vertices, faces, slope, out):
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        u, v = difference(vertices, i, j), difference(vertices, i, k)
        g = (
            np.float64(slope[i, 0]) + slope[j, 0] + slope[k, 0],
            np.float64(slope[i, 1]) + slope[j, 1] + slope[k, 1],
            np.float64(slope[i, 2]) + slope[j, 2] + slope[k, 2],
        )
        to_u, to_v = cross(v, g), cross(g, u)
        for axis in range(3):
            out[j, axis] += to_u[axis]
            out[k, axis] += to_v[axis]
            out[i, axis] -= to_u[axis] + to_v[axis]
