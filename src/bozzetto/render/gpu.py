"""nvdiffrast on CUDA tensors, where the user has installed it; its licence allows research only, so nothing needs it.

It takes the place of the rasteriser and of interpolation. Outlines stay ``antialias``'s own: nvdiffrast's rule asks the
triangle that a pixel sees, which on triangles smaller than pixels loses most of the gradient.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bozzetto.types import Cameras

_NEAR, _FAR = 0.01, 100.0
"""Metres along camera +z."""


def installed(tensor: Tensor) -> bool:
    """Whether nvdiffrast is there for this tensor; the module is looked for on CUDA alone, and not imported."""
    return tensor.is_cuda and tensor.dtype == torch.float32 and find_spec("nvdiffrast") is not None


@cache
def _context(device: torch.device) -> tuple[Any, Any]:
    """The module and its rasteriser on a device."""
    module = import_module("nvdiffrast.torch")
    return module, module.RasterizeCudaContext(device=device)


def clip_space(vertices: Float[Tensor, "v 3"], cameras: Cameras) -> Float[Tensor, "b v 4"]:
    """OpenGL's homogeneous coordinates, with y down, so that the first row of a picture is its uppermost."""
    matrix, lens = (each.to(vertices) for each in (cameras.world_to_camera, cameras.intrinsics))
    placed = vertices @ matrix[:, :3, :3].transpose(1, 2) + matrix[:, None, :3, 3]
    pixels = placed @ lens.transpose(1, 2)
    w = pixels[..., 2]
    x, y = (2 * pixels[..., k] / size - w for k, size in ((0, cameras.width), (1, cameras.height)))
    z = (w * (_FAR + _NEAR) - 2 * _FAR * _NEAR) / (_FAR - _NEAR)
    return torch.stack([x, y, z, w], -1)


def rasterize_cuda(
    vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], cameras: Cameras
) -> tuple[Int[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """The face each pixel sees (-1 for none) and its depth along camera +z (zero where nothing is)."""
    with torch.no_grad():
        raster = _raster(vertices, faces, cameras)
        seen = raster[..., 3].long() - 1
        # Clip space's z is a function of w alone, so what is stored of it gives the depth back.
        depth = 2 * _FAR * _NEAR / ((_FAR + _NEAR) - raster[..., 2] * (_FAR - _NEAR))
        return seen.int(), torch.where(seen >= 0, depth, 0.0)


def interpolate_cuda(
    vertices: Float[Tensor, "v 3"],
    faces: Int[Tensor, "f 3"],
    cameras: Cameras,
    seen: Int[Tensor, "b h w"],
    attributes: Float[Tensor, "n c"],
    corners: Int[Tensor, "f 3"],
) -> Float[Tensor, "b h w c"]:
    """``surface.interpolate``: gradients to attributes and vertices."""
    module, _ = _context(vertices.device)
    raster = _raster(vertices, faces, cameras)
    out = module.interpolate(attributes.contiguous(), raster, corners.int().contiguous())[0]
    return torch.where((seen >= 0)[..., None], out, 0.0)


def _raster(vertices: Float[Tensor, "v 3"], faces: Int[Tensor, "f 3"], cameras: Cameras) -> Float[Tensor, "b h w 4"]:
    """By pixel: two barycentrics, z over w, and one more than the face's number."""
    module, context = _context(vertices.device)
    size = cameras.height, cameras.width
    return module.rasterize(context, clip_space(vertices, cameras).contiguous(), faces.int().contiguous(), size)[0]
