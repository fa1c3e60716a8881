"""Smaller files: what to give up, in which order, until a file fits; and vertices in 8 and 16 bits.

Source: KHR_mesh_quantization (Khronos).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy import ndarray

from ..types import Avatar, UserError
from .accessor import TYPES, WIDTHS
from .glb import PLAIN, Pictures
from .simplify import at_level, count_triangles

QUANTISATION = "KHR_mesh_quantization"
_BYTE, _UNSIGNED_BYTE, _SHORT, _UNSIGNED_SHORT = 5120, 5121, 5122, 5123
_STEPS: tuple[tuple[int, int | None, int], ...] = (
    (0, None, 92), (0, 1024, 88), (0, 512, 88), (1, 512, 85), (2, 512, 85), (2, 256, 85), (3, 256, 80), (3, 128, 75),
)  # fmt: skip
"""Level of detail, widest texture, quality."""
_WIDEST = 16_384
"""Pixels: wider than any texture."""


@dataclass(frozen=True, eq=False)
class Diet:
    """One way of making a file smaller."""

    avatar: Avatar
    pictures: Pictures
    given_up: str
    """In words, for whoever asked."""


def diets(level: Callable[[int], Avatar], pictures: Pictures = PLAIN) -> Iterator[Diet]:
    """Ways of making a file smaller, the one that is seen least first: texture codes, texture sizes, triangles.

    Args:
        level: The avatar at a level of detail, such as `levels` gives.
        pictures: How textures are stored before anything is given up.
    """
    yield Diet(level(0), pictures, "nothing")
    for lod, side, quality in _STEPS:
        stored = Pictures(
            side=min(side or _WIDEST, pictures.side or _WIDEST),
            quality=min(quality, pictures.quality),
            lossy=True,
            webp=pictures.webp,
        )
        words = [f"textures as {'WebP' if stored.webp else 'JPEG'} where they may be (quality {stored.quality})"]
        words += [f"no wider than {side} pixels"] if side else []
        words += [f"{count_triangles(level(lod)):,} of {count_triangles(level(0)):,} triangles"] if lod else []
        yield Diet(level(lod), stored, ", ".join(words))


def levels(avatar: Avatar) -> Callable[[int], Avatar]:
    """The avatar's levels of detail, each made when it is first asked for."""
    return cache(lambda level: at_level(avatar, level))


def fitted(
    name: str, limit: int, ways: Iterator[Diet], content: Callable[[Avatar, Pictures], bytes]
) -> tuple[bytes, str]:
    """The first content that is small enough, and what was given up for it.

    Args:
        name: Of the file, for the refusal.
        limit: Bytes.
        ways: From the largest to the smallest.
        content: A file's bytes.

    Raises:
        UserError: Even the smallest is larger.
    """
    size = 0
    for way in ways:
        made = content(way.avatar, way.pictures)
        size = len(made)
        if size <= limit:
            return made, way.given_up
    raise UserError(
        f"{name} cannot be made as small as {limit / 1e6:g} MB: with textures of 128 pixels and a tenth of its "
        f"triangles it still has {size / 1e6:.2f} MB. Ask for a larger --max-mb, or leave it out."
    )


def quantised(document: dict[str, Any], binary: bytes) -> tuple[dict[str, Any], bytes]:
    """A document of `glb.gltf_document` whose vertices take a third of the bytes; programs must know the extension.

    Normals, tangents and weights keep 8 bits, texture coordinates 16 (those beyond [0, 1] stay as they are), and
    expressions 16: 0.03 mm. Positions stay whole. Of all that a vertex has they are the least to gain, and stored as
    integers they would have to be turned back into metres by the inverse bind matrices, which Blender misreads.
    """
    document = {**document, "accessors": [dict(each) for each in document["accessors"]]}
    accessors = document["accessors"]
    views = [_view(binary, view) for view in document["bufferViews"]]
    strides: dict[int, int] = {}

    def store(accessor: dict[str, Any], values: ndarray, code: int) -> None:
        accessor |= {"componentType": code, "normalized": True}
        width = values.shape[1] * values.dtype.itemsize
        padded = np.zeros((len(values), width + -width % 4), np.uint8)
        padded[:, :width] = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width)
        views[accessor["bufferView"]] = padded.tobytes()
        if width % 4:
            strides[accessor["bufferView"]] = width + -width % 4

    def read(accessor: dict[str, Any]) -> ndarray:
        values = np.frombuffer(views[accessor["bufferView"]], TYPES[accessor["componentType"]])
        return values.reshape(-1, WIDTHS[accessor["type"]])

    targets: set[int] = set()
    for primitive in (primitive for mesh in document["meshes"] for primitive in mesh["primitives"]):
        attributes = {name: accessors[index] for name, index in primitive["attributes"].items()}
        for name in ("NORMAL", "TANGENT"):
            if name in attributes:
                store(attributes[name], _signed(read(attributes[name]), np.int8), _BYTE)
        uvs = read(attributes["TEXCOORD_0"])
        if uvs.min() >= 0 and uvs.max() <= 1:
            store(attributes["TEXCOORD_0"], np.round(uvs * 65535).astype(np.uint16), _UNSIGNED_SHORT)
        shares, joints = _shares(read(attributes["WEIGHTS_0"])), read(attributes["JOINTS_0"])
        store(attributes["WEIGHTS_0"], shares, _UNSIGNED_BYTE)
        views[attributes["JOINTS_0"]["bufferView"]] = np.where(shares > 0, joints, 0).astype(joints.dtype).tobytes()
        targets |= {target["POSITION"] for target in primitive.get("targets", [])}
    for target in targets:
        _quantise_target(accessors[target], views)
    for listed in ("extensionsUsed", "extensionsRequired"):
        document[listed] = [*document.get(listed, []), QUANTISATION]
    return _packed(document, views, strides)


def _quantise_target(accessor: dict[str, Any], views: list[bytes]) -> None:
    """Offsets as shares of a metre; those that go further than one stay as they are."""
    view = accessor["sparse"]["values"]["bufferView"]
    offsets = np.frombuffer(views[view], np.float32).reshape(-1, 3)
    if np.abs(offsets).max() > 1:
        return
    stored = _signed(offsets, np.int16)
    views[view] = stored.tobytes()
    everything = np.concatenate([stored, np.zeros((1 if len(stored) < accessor["count"] else 0, 3), np.int16)])
    accessor |= {"componentType": _SHORT, "normalized": True}
    accessor |= {"min": everything.min(axis=0).tolist(), "max": everything.max(axis=0).tolist()}


def _signed(values: ndarray, dtype: type[np.signedinteger]) -> ndarray:
    most = np.iinfo(dtype).max
    return np.clip(np.round(values * most), -most, most).astype(dtype)


def _shares(weights: ndarray) -> ndarray:
    """Rows of bytes that sum to 255; the largest takes what rounding leaves over."""
    rounded = np.round(weights * 255).astype(np.int64)
    rounded[np.arange(len(rounded)), rounded.argmax(axis=1)] += 255 - rounded.sum(axis=1)
    return rounded.astype(np.uint8)


def _view(binary: bytes, view: dict[str, Any]) -> bytes:
    return binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]


def _packed(document: dict[str, Any], views: Sequence[bytes], strides: dict[int, int]) -> tuple[dict[str, Any], bytes]:
    """The document with these buffer views, one after the other."""
    chunks, described, length = [], [], 0
    for index, data in enumerate(views):
        view = {**document["bufferViews"][index], "byteOffset": length, "byteLength": len(data)}
        described.append(view | ({"byteStride": strides[index]} if index in strides else {}))
        chunks += [data, b"\0" * (-len(data) % 4)]
        length += len(data) + -len(data) % 4
    return {**document, "bufferViews": described, "buffers": [{"byteLength": length}]}, b"".join(chunks)
