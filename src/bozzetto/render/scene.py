"""Layers made ready for the kernels: one mesh, one texture atlas with mips, one row of numbers a material."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float, Float32, Int32, Int64, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from bozzetto.geometry import vertex_normals
from bozzetto.kernels import kernel
from bozzetto.render.raster import CUTOUT, DOUBLE_SIDED, Coverage, checked_mesh
from bozzetto.types import Layer, Material, srgb_to_linear

LEVELS = 14
"""Mip levels a texture may have: sides up to 8192 texels end in one texel."""
SRGB_TO_LINEAR: Float32[ndarray, "256"] = srgb_to_linear(np.arange(256) / 255).astype(np.float32)
UNIT: Float32[ndarray, "256"] = (np.arange(256) / 255).astype(np.float32)


class Surfaces(NamedTuple):
    """All materials, by layer. Texture 2i is layer i's albedo, 2i + 1 its normal map with roughness as fourth."""

    texels: UInt8[ndarray, "n"]
    textures: Int64[ndarray, "t k"]
    """Width, height, levels (none when zero), then each level's offset in `texels`."""
    factors: Float32[ndarray, "l 3"]
    """Roughness, metallic, and one for skin."""
    flags: UInt8[ndarray, "l"]


@dataclass(frozen=True, eq=False)
class Scene:
    """Posed layers as one mesh. Make it with `scene_from_layers`, move it with `reposed`."""

    names: tuple[str, ...]
    """Of the layers."""
    vertices: Float32[ndarray, "v 3"]
    """World space, metres; the layers' vertices one after the other."""
    faces: Int32[ndarray, "f 3"]
    uvs: Float32[ndarray, "f 3 2"]
    layer: Int32[ndarray, "f"]
    normals: Float32[ndarray, "v 3"]
    """Smooth, unit length."""
    surfaces: Surfaces
    sky: Float32[ndarray, "v"] | None = None
    """Share of the sky each vertex sees, weighted by the cosine; see `visibility.with_shadows`."""
    key: Float32[ndarray, "v"] | None = None
    """Share of the key lamp each vertex sees, for one light."""

    @property
    def coverage(self) -> Coverage:
        """Which pixels of which faces count."""
        return Coverage(self.layer, self.surfaces.flags, self.uvs, self.surfaces.texels, self.surfaces.textures)


def scene_from_layers(
    layers: Sequence[Layer], vertices: Sequence[Float[ndarray | Tensor, "_ 3"]] | None = None
) -> Scene:
    """The layers as one mesh with its textures.

    A material's mips are built the first time it is met and kept as long as it lives.

    Args:
        layers: In the order of their ids; each keeps its own material. A layer whose name starts with "skin" gets
            a soft, reddish shadow edge.
        vertices: Posed, one array a layer; the rest pose when absent. Only the rest pose uses `Layer.normals`.

    Raises:
        ValueError: Counts differ, a number is not finite, a face names no vertex, or an image is empty.
    """
    if vertices is not None and len(vertices) != len(layers):
        raise ValueError(f"Expected one vertex array for each of the {len(layers)} layers; got {len(vertices)}.")
    posed = [np.asarray(layer.mesh.vertices if vertices is None else vertices[i]) for i, layer in enumerate(layers)]
    faces, start = [np.zeros((0, 3), np.int32)], 0
    for layer, points in zip(layers, posed, strict=True):
        if len(points) != len(layer.mesh.vertices):
            raise ValueError(
                f"Layer {layer.name!r} has {len(layer.mesh.vertices)} vertices, but its pose has {len(points)}."
            )
        _, own = checked_mesh(points, np.asarray(layer.mesh.faces))
        faces.append(own + np.int32(start))
        start += len(points)
    uvs = np.concatenate(
        [np.zeros((0, 3, 2), np.float32)] + [np.asarray(layer.mesh.uvs, np.float32) for layer in layers]
    )
    if not np.isfinite(uvs).all():
        raise ValueError("Some texture coordinates are not finite.")
    scene = Scene(
        names=tuple(layer.name for layer in layers),
        vertices=np.concatenate([np.zeros((0, 3), np.float32)] + [points.astype(np.float32) for points in posed]),
        faces=np.concatenate(faces),
        uvs=uvs,
        layer=np.repeat(np.arange(len(layers), dtype=np.int32), [len(layer.mesh.faces) for layer in layers]),
        normals=np.zeros((start, 3), np.float32),
        surfaces=_surfaces(layers),
    )
    if len(scene.uvs) != len(scene.faces):
        raise ValueError(f"Expected texture coordinates for {len(scene.faces)} faces; got {len(scene.uvs)}.")
    normals, start = _smooth(scene.vertices, scene.faces), 0
    for layer in layers:
        if vertices is None and layer.normals is not None:
            normals[start : start + len(layer.normals)] = np.asarray(layer.normals)
        start += len(layer.mesh.vertices)
    return replace(scene, normals=normals)


def reposed(scene: Scene, vertices: Sequence[Float[ndarray | Tensor, "_ 3"]]) -> Scene:
    """The same layers and textures in another pose, without the old pose's shadows.

    Args:
        scene: What to move.
        vertices: One array a layer, in the scene's order.

    Raises:
        ValueError: The number of vertices changed, or one is not finite.
    """
    moved = np.concatenate([np.zeros((0, 3))] + [np.asarray(points) for points in vertices]).astype(np.float32)
    if len(moved) != len(scene.vertices):
        raise ValueError(f"The scene has {len(scene.vertices)} vertices, the pose {len(moved)}.")
    moved, _ = checked_mesh(moved, scene.faces)
    return replace(scene, vertices=moved, normals=_smooth(moved, scene.faces), sky=None, key=None)


def _smooth(vertices: Float32[ndarray, "v 3"], faces: Int32[ndarray, "f 3"]) -> Float32[ndarray, "v 3"]:
    """Vertex normals; +y for a vertex without area, so that every normal has a direction."""
    normals = vertex_normals(vertices, faces)
    normals[~normals.any(1), 1] = 1.0
    return normals


class _Image(NamedTuple):
    texels: UInt8[ndarray, "n"]
    row: Int64[ndarray, "k"]
    """Width, height, levels and level offsets from the start of `texels`."""


_NO_IMAGE = _Image(np.zeros(0, np.uint8), np.zeros(3 + LEVELS, np.int64))
_MIPS: WeakKeyDictionary[Material, tuple[_Image, _Image]] = WeakKeyDictionary()


def _surfaces(layers: Sequence[Layer]) -> Surfaces:
    images: list[_Image] = []
    for layer in layers:
        if layer.material not in _MIPS:
            _MIPS[layer.material] = (_albedo_image(layer.material), _detail_image(layer.material))
        images.extend(_MIPS[layer.material])
    rows, offset = np.zeros((len(images), 3 + LEVELS), np.int64), 0
    for i, image in enumerate(images):
        rows[i] = image.row
        rows[i, 3:] += offset
        offset += len(image.texels)
    factors = np.zeros((len(layers), 3), np.float32)
    flags = np.zeros(len(layers), np.uint8)
    for i, layer in enumerate(layers):
        material = layer.material
        roughness = 1.0 if isinstance(material.roughness, ndarray) else float(material.roughness)
        factors[i] = roughness, material.metallic, layer.name.startswith("skin")
        cutout = material.alpha == "mask" and material.albedo.shape[2] == 4
        flags[i] = (DOUBLE_SIDED if material.double_sided else 0) | (CUTOUT if cutout else 0)
    texels = np.concatenate([np.zeros(0, np.uint8)] + [image.texels for image in images])
    return Surfaces(texels, rows, factors, flags)


def _albedo_image(material: Material) -> _Image:
    height, width, channels = material.albedo.shape
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., : min(channels, 4)] = material.albedo if channels > 1 else material.albedo[..., :1].repeat(3, -1)
    return _mip_chain(rgba, SRGB_TO_LINEAR)


def _detail_image(material: Material) -> _Image:
    normal, roughness = material.normal, material.roughness
    if normal is None and not isinstance(roughness, ndarray):
        return _NO_IMAGE
    sizes = [image.shape[:2] for image in (normal, roughness) if isinstance(image, ndarray)]
    height, width = max(size[0] for size in sizes), max(size[1] for size in sizes)
    packed = np.empty((height, width, 4), np.uint8)
    packed[:] = 128, 128, 255, 255
    for image, channels in ((normal, slice(0, 3)), (roughness, 3)):
        if isinstance(image, ndarray):
            fitted = image if image.shape[:2] == (height, width) else Image.fromarray(image).resize((width, height))
            packed[..., channels] = np.asarray(fitted)
    return _mip_chain(packed, UNIT)


def _mip_chain(image: UInt8[ndarray, "h w 4"], decode: Float32[ndarray, "256"]) -> _Image:
    """The image and its halvings, each the mean of the one before in the values `decode` gives its first three."""
    if image.size == 0:
        raise ValueError(f"A material's image is empty: its shape is {image.shape}.")
    # Halfway between two codes' values, rounding changes: a sorted search over these encodes.
    steps = (decode[1:] + decode[:-1]) / 2
    encode = np.searchsorted(steps, np.linspace(0, 1, 1 << 14)).astype(np.uint8)
    levels = [np.array(image, np.uint8, order="C")]
    while len(levels) < LEVELS and max(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        levels.append(np.empty((max(height // 2, 1), max(width // 2, 1), 4), np.uint8))
        _halve(levels[-2], levels[-1], decode, encode)
    row = np.zeros(3 + LEVELS, np.int64)
    row[:3] = image.shape[1], image.shape[0], len(levels)
    row[3 : 3 + len(levels)] = np.cumsum([0] + [level.size for level in levels[:-1]])
    return _Image(np.concatenate([level.ravel() for level in levels]), row)


@kernel
def _halve(fine, coarse, decode, encode):
    """Box filter; colour counts as much as its alpha, so that what is cut away leaves no fringe."""
    rows, columns = fine.shape[0], fine.shape[1]
    for y in range(coarse.shape[0]):
        y0 = min(2 * y, rows - 1)
        y1 = min(2 * y + 1, rows - 1)
        for x in range(coarse.shape[1]):
            x0 = min(2 * x, columns - 1)
            x1 = min(2 * x + 1, columns - 1)
            wa, wb = fine[y0, x0, 3] + 1e-3, fine[y0, x1, 3] + 1e-3
            wc, wd = fine[y1, x0, 3] + 1e-3, fine[y1, x1, 3] + 1e-3
            if decode[128] > 0.4:  # linear data carry roughness, not coverage, in the fourth channel
                wa = wb = wc = wd = 1.0
            total = wa + wb + wc + wd
            for k in range(3):
                upper = decode[fine[y0, x0, k]] * wa + decode[fine[y0, x1, k]] * wb
                lower = decode[fine[y1, x0, k]] * wc + decode[fine[y1, x1, k]] * wd
                mean = (upper + lower) / total
                coarse[y, x, k] = encode[np.int64(mean * 16383.0 + 0.5)]
            alpha = np.float64(fine[y0, x0, 3]) + fine[y0, x1, 3] + fine[y1, x0, 3] + fine[y1, x1, 3]
            coarse[y, x, 3] = np.uint8(alpha * 0.25 + 0.5)
