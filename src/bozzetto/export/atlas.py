"""All layers as one mesh with one material: one draw call, for engines that count them.

The part of each texture that is used becomes a tile of one image, with a margin of its own edge so that smaller copies
of the image (mips) do not mix neighbours. One material has one metallic factor, so metal turns into plain cloth; a
layer that shows both sides, or leaves parts out, makes all of them do so.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from PIL import Image

from ..geometry import vertex_normals
from ..types import Avatar, Layer, Material, Mesh, SparseOffsets
from .textures import cut_out
from .vertices import array

_MARGIN = 8
"""Pixels around each tile."""


def atlased(avatar: Avatar, side: int = 4096) -> Avatar:
    """The avatar with one layer, "character".

    Args:
        side: Pixels that the image is wide, at most.
    """
    materials = list({id(layer.material): layer.material for layer in avatar.layers}.values())
    windows = [_window(avatar, material) for material in materials]
    sizes = np.array([_pixels(material, window) for material, window in zip(materials, windows, strict=True)])
    places, tiles, extent = _packed(sizes, side)
    images = _painted(materials, windows, places, tiles, extent)
    uvs = []
    for layer in avatar.layers:
        index = next(i for i, material in enumerate(materials) if material is layer.material)
        low, high = windows[index]
        inside = (array(layer.mesh.uvs).astype(np.float64) - low) / (high - low)
        uvs.append((places[index] + inside * tiles[index]) / extent)
    return replace(avatar, layers=(_merged(avatar, np.concatenate(uvs), images),))


def _window(avatar: Avatar, material: Material) -> Float[ndarray, "2 2"]:
    """The lowest and highest texture coordinates with this material, never nothing."""
    corners = [array(layer.mesh.uvs).reshape(-1, 2) for layer in avatar.layers if layer.material is material]
    used = np.concatenate(corners).astype(np.float64)
    low, high = used.min(axis=0), used.max(axis=0)
    return np.stack([low, np.maximum(high, low + 1e-3)])


def _pixels(material: Material, window: Float[ndarray, "2 2"]) -> Int64[ndarray, "2"]:
    """How wide and high the window is in the material's largest image; a plain colour needs no more than a spot."""
    images = [material.albedo, material.normal, material.roughness]
    shapes = np.array([image.shape[:2] for image in images if isinstance(image, ndarray)])
    height, width = shapes.max(axis=0)
    return np.ceil(np.maximum((window[1] - window[0]) * (width, height), 4)).astype(np.int64)


def _packed(
    sizes: Int64[ndarray, "n 2"], side: int
) -> tuple[Int64[ndarray, "n 2"], Int64[ndarray, "n 2"], Int64[ndarray, "2"]]:
    """Where tiles of about these sizes lie, how large they are, and the image: the tallest first, shelf upon shelf,
    shrunk together where that makes the image a size smaller."""
    area = float((sizes + 2 * _MARGIN).prod(axis=1).sum())
    scale, width = 1.0, min(int(2 ** np.round(np.log2(np.sqrt(area)))), side)
    while True:
        tiles = np.maximum((sizes * scale).astype(np.int64), 4)
        tiles = np.minimum(tiles, width - 2 * _MARGIN)
        places, x, y, shelf = np.zeros_like(tiles), 0, 0, 0
        for index in np.argsort(-tiles[:, 1], kind="stable"):
            across, up = tiles[index] + 2 * _MARGIN
            if x + across > width:
                x, y, shelf = 0, y + shelf, 0
            places[index] = (x + _MARGIN, y + _MARGIN)
            x, shelf = x + across, max(shelf, up)
        if y + shelf <= width:
            return places, tiles, np.array([width, 2 ** int(np.ceil(np.log2(y + shelf)))])
        scale *= 0.95
        if scale < 0.6 and 2 * width <= side:
            scale, width = 1.0, 2 * width
        elif scale < 1e-3:
            raise ValueError(f"{len(sizes)} textures do not fit into one of {side} pixels.")


def _painted(
    materials: list[Material],
    windows: list[Float[ndarray, "2 2"]],
    places: Int64[ndarray, "n 2"],
    tiles: Int64[ndarray, "n 2"],
    extent: Int64[ndarray, "2"],
) -> tuple[UInt8[ndarray, "h w 4"], UInt8[ndarray, "h w 3"], UInt8[ndarray, "h w"]]:
    """The atlas' albedo with coverage, normals and roughness."""
    width, height = extent.tolist()
    albedo, normal = np.zeros((height, width, 4), np.uint8), np.zeros((height, width, 3), np.uint8)
    normal[:], roughness = (128, 128, 255), np.full((height, width), 204, np.uint8)
    for material, window, place, tile in zip(materials, windows, places, tiles, strict=True):
        opaque = np.full(material.albedo.shape[:2], 255, np.uint8)
        coloured = material.albedo if cut_out(material) else np.dstack([material.albedo[..., :3], opaque])
        rough = material.roughness
        rough = rough if isinstance(rough, ndarray) else np.full((1, 1), round(255 * float(rough)), np.uint8)
        left, top = place - _MARGIN
        right, bottom = place + tile + _MARGIN
        albedo[top:bottom, left:right] = _tile(coloured, window, tile)
        roughness[top:bottom, left:right] = _tile(rough, window, tile)
        if material.normal is not None:
            normal[top:bottom, left:right] = _tile(material.normal, window, tile)
    return albedo, normal, roughness


def _tile(
    image: UInt8[ndarray, "..."], window: Float[ndarray, "2 2"], tile: Int64[ndarray, "2"]
) -> UInt8[ndarray, "..."]:
    """The window of an image that repeats, as so many pixels, with the margin."""
    height, width = image.shape[:2]
    first = np.floor(window[0]).astype(int)
    repeats = np.maximum(np.ceil(window[1]).astype(int) - first, 1)
    if (repeats > 1).any():
        image = np.tile(image, (repeats[1], repeats[0], *([1] * (image.ndim - 2))))
    box = (window - first) * (width, height)
    whole = Image.fromarray(np.ascontiguousarray(image))
    size = (int(tile[0]), int(tile[1]))
    shrinks = (box[1] - box[0] > tile).any()
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    drawn = np.asarray(whole.resize(size, how, box=(*box[0].tolist(), *np.minimum(box[1], whole.size).tolist())))
    return np.pad(drawn, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), *([(0, 0)] * (drawn.ndim - 2))), mode="edge")


def _merged(
    avatar: Avatar,
    uvs: Float[ndarray, "f 3 2"],
    images: tuple[UInt8[ndarray, "h w 4"], UInt8[ndarray, "h w 3"], UInt8[ndarray, "h w"]],
) -> Layer:
    layers = avatar.layers
    starts = np.cumsum([0, *(len(layer.mesh.vertices) for layer in layers)]).tolist()
    names = dict.fromkeys(name for layer in layers for name in layer.expressions)
    expressions = {}
    for name in names:
        moved = [(start, layer.expressions.get(name)) for start, layer in zip(starts, layers, strict=False)]
        parts = [(moves.indices + start, moves.offsets) for start, moves in moved if moves is not None]
        expressions[name] = SparseOffsets(
            torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
        )
    normals = [
        torch.from_numpy(vertex_normals(array(layer.mesh.vertices).astype(np.float64), array(layer.mesh.faces)))
        if layer.normals is None
        else layer.normals
        for layer in layers
    ]
    albedo, normal, roughness = images
    open = any(cut_out(layer.material) for layer in layers)
    material = Material(
        albedo=albedo if open else albedo[..., :3].copy(),
        normal=normal,
        roughness=roughness,
        double_sided=any(layer.material.double_sided for layer in layers),
        alpha="mask" if open else "opaque",
    )
    return Layer(
        name="character",
        mesh=Mesh(
            torch.cat([layer.mesh.vertices for layer in layers]),
            torch.cat([layer.mesh.faces + start for start, layer in zip(starts, layers, strict=False)]),
            torch.from_numpy(uvs.astype(np.float32)),
        ),
        skin_weights=torch.cat([layer.skin_weights for layer in layers]),
        skin_joints=torch.cat([layer.skin_joints for layer in layers]),
        material=material,
        expressions=expressions,
        normals=torch.cat(normals),
    )
