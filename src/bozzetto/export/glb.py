"""Avatar -> one glTF 2.0 binary file that needs nothing beside it.

The scene holds an ``Armature`` node with the joints below it and, beside it, one skinned mesh node per layer; all
layers share one skin. Joint nodes only translate, so an animation's quaternion is a world-axis turn in the parent's
frame. Every layer that a face moves lists the same expressions in the same order, so one slider drives them all.
"""

import io
import json
import os
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image

from .. import __version__
from ..files import atomic_path
from ..types import Avatar, Clip, Layer, Material, Skeleton
from .bones import BoneNames, rename
from .encoded import Encoded
from .marks import GENERATOR, Marks, mark
from .vertices import array, moved_rows, tangents, vertex_buffers

_COMPONENT_TYPES = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
_ELEMENT_TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_LINEAR, _MIPMAPPED, _REPEAT = 9729, 9987, 10497
_SMALL_IMAGE = 64
"""Albedo up to this size stays PNG: it costs nothing, and a flat colour stays exact."""
_WEBP = "EXT_texture_webp"


@dataclass(frozen=True)
class Pictures:
    """How a file's textures are stored. As it stands: JPEG for opaque albedo, PNG for the rest, in full size."""

    side: int | None = None
    """Pixels that no image is wider or higher than."""
    quality: int = 92
    """Of JPEG and WebP, at most 100."""
    lossy: bool = False
    """Normals and roughness may lose a little, too."""
    webp: bool = False
    """WebP in place of both, by ``EXT_texture_webp``: smaller, and unknown to some programs."""


PLAIN = Pictures()


def write_glb(
    avatar: Avatar,
    path: Path,
    *,
    bone_names: BoneNames = "vrm",
    marks: Marks | None = None,
    pictures: Pictures = PLAIN,
) -> None:
    """Write the avatar to `path`: whole, or not at all.

    Args:
        avatar: Standing at rest in the T-pose, soles at y = 0.
        path: Replaced if it exists.
        bone_names: Whose names the bones carry.
        marks: What made it; without them the file says at least that this tool did.
        pictures: How textures are stored.

    Raises:
        ValueError: The avatar contradicts itself; the message names the layer, joint or clip.
    """
    content = glb_bytes(avatar, bone_names=bone_names, marks=marks, pictures=pictures)
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def glb_bytes(
    avatar: Avatar,
    *,
    bone_names: BoneNames = "vrm",
    marks: Marks | None = None,
    pictures: Pictures = PLAIN,
) -> bytes:
    """The file `write_glb` writes."""
    document, binary = gltf_document(avatar, bone_names=bone_names, marks=marks, pictures=pictures)
    return pack_glb(document, binary)


def pack_glb(document: Mapping[str, object], binary: bytes) -> bytes:
    """A GLB container: header, JSON chunk, binary chunk, each padded to four bytes. glTF 2.0 section 4.4."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    header = struct.pack("<4sII", b"glTF", 2, length)
    chunks = (struct.pack("<I4s", len(text), b"JSON"), text, struct.pack("<I4s", len(binary), b"BIN\0"), binary)
    return b"".join((header, *chunks))


def gltf_document(
    avatar: Avatar,
    *,
    bone_names: BoneNames = "vrm",
    marks: Marks | None = None,
    pictures: Pictures = PLAIN,
) -> tuple[dict[str, Any], bytes]:
    """The file's JSON and its binary buffer, for an exporter that adds extensions before `pack_glb`.

    Node 0 is the armature, node 1 + j is joint j, and the layers' nodes follow in their order.
    """
    names = [layer.name for layer in avatar.layers]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"An avatar needs layers with different names; these are {', '.join(names) or 'none'}.")
    builder = _Builder()
    builder.document["asset"] = {"version": "2.0", "generator": f"{GENERATOR} {__version__}"}
    mark(builder.document, marks or Marks(), {"bone_names": bone_names})
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as encoders:
        materials = _Materials(builder, encoders, pictures)
        for layer in avatar.layers:
            materials.index(layer.material)  # images encode while the geometry is laid out
        root = _add_skeleton(builder, avatar.skeleton, rename(avatar.skeleton.names, bone_names))
        expressions = dict.fromkeys(name for layer in avatar.layers for name in layer.expressions)
        resting = {name: float(avatar.expression.get(name, 0.0)) for name in expressions}
        for layer in avatar.layers:
            _add_layer(builder, layer, resting, materials.index(layer.material), len(avatar.skeleton.names))
        for clip in avatar.clips:
            _add_clip(builder, clip, avatar.skeleton, root)
        materials.finish()
    return builder.finish()


class _Builder:
    """A glTF document and the buffer behind it, growing together."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            "asset": {},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "meshes": [],
            "skins": [],
            "materials": [],
            "textures": [],
            "images": [],
            "samplers": [],
            "animations": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._chunks: list[bytes] = []
        self._length = 0

    def add(self, collection: str, item: Mapping[str, object]) -> int:
        self.document[collection].append({key: value for key, value in item.items() if value is not None})
        return len(self.document[collection]) - 1

    def view(self, data: bytes, target: int | None = None) -> int:
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data), "target": target}
        padding = -len(data) % 4
        self._chunks += (data, b"\0" * padding)
        self._length += len(data) + padding
        return self.add("bufferViews", view)

    def accessor(self, values: ndarray, *, target: int | None = None, bounds: bool = False) -> int:
        accessor: dict[str, object] = {
            "bufferView": self.view(values.tobytes(), target),
            "componentType": _COMPONENT_TYPES[values.dtype.name],
            "count": len(values),
            "type": _ELEMENT_TYPES[values.shape[1:]],
        }
        if bounds:
            accessor |= _bounds(values.reshape(len(values), -1))
        return self.add("accessors", accessor)

    def sparse_accessor(self, rows: ndarray, values: ndarray, count: int) -> int:
        """`count` vectors of which only `rows` are not zero. No bufferView, hence no byteOffset either."""
        rows = rows.astype(np.uint16 if count <= 65536 else np.uint32)
        rest = np.zeros((1 if len(rows) < count else 0, 3), np.float32)
        return self.add(
            "accessors",
            {
                "componentType": _COMPONENT_TYPES["float32"],
                "count": count,
                "type": "VEC3",
                **_bounds(np.concatenate([values, rest])),
                "sparse": {
                    "count": len(rows),
                    "indices": {
                        "bufferView": self.view(rows.tobytes()),
                        "componentType": _COMPONENT_TYPES[rows.dtype.name],
                    },
                    "values": {"bufferView": self.view(values.tobytes())},
                },
            },
        )

    def still_accessor(self, count: int) -> int:
        """`count` zero vectors; glTF wants at least one sparse row all the same."""
        return self.sparse_accessor(np.zeros(1, np.int64), np.zeros((1, 3), np.float32), count)

    def finish(self) -> tuple[dict[str, Any], bytes]:
        self.document["buffers"] = [{"byteLength": self._length}]
        return {key: value for key, value in self.document.items() if value != []}, b"".join(self._chunks)


def _bounds(values: ndarray) -> dict[str, list[float]]:
    return {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}


def _add_skeleton(builder: _Builder, skeleton: Skeleton, names: tuple[str, ...]) -> int:
    """Nodes 0 (the armature) to j, and the skin. Returns the root joint's node."""
    positions = array(skeleton.positions).astype(np.float32)
    roots = [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]
    if len(roots) != 1 or any(parent >= joint for joint, parent in enumerate(skeleton.parents)):
        raise ValueError(f"A skeleton has one root and parents before their children; roots here: {len(roots)}.")
    if not np.isfinite(positions).all():
        raise ValueError("A joint's position is not finite.")
    first = 1
    builder.add("nodes", {"name": _unused("Armature", set(names)), "children": [first + roots[0]]})
    builder.document["scenes"][0]["nodes"].append(0)
    for joint, parent in enumerate(skeleton.parents):
        children = [first + child for child, its_parent in enumerate(skeleton.parents) if its_parent == joint]
        translation = positions[joint] - (positions[parent] if parent >= 0 else 0)
        builder.add("nodes", {"name": names[joint], "translation": translation.tolist(), "children": children or None})
    inverse_binds = np.tile(np.eye(4, dtype=np.float32), (len(names), 1, 1))
    inverse_binds[:, 3, :3] = -positions  # column-major, so the translation is the last row
    builder.add(
        "skins",
        {
            "name": "skin",
            "joints": list(range(first, first + len(names))),
            "skeleton": first + roots[0],
            "inverseBindMatrices": builder.accessor(inverse_binds),
        },
    )
    return first + roots[0]


def _add_layer(builder: _Builder, layer: Layer, resting: Mapping[str, float], material: int, joints: int) -> None:
    """A mesh and its node. `resting` is how far the avatar rests in each expression any layer has."""
    buffers = vertex_buffers(layer)
    if buffers.joints.min() < 0 or buffers.joints.max() >= joints:
        raise ValueError(
            f"Layer {layer.name!r} follows joint {buffers.joints.max()}; the skeleton has {joints} joints."
        )
    count = len(buffers.positions)
    index_type = np.uint16 if count < 65535 else np.uint32  # the highest value of each means "restart"
    attributes = {
        "POSITION": builder.accessor(buffers.positions, target=_ARRAY_BUFFER, bounds=True),
        "NORMAL": builder.accessor(buffers.normals, target=_ARRAY_BUFFER),
        "TEXCOORD_0": builder.accessor(buffers.uvs, target=_ARRAY_BUFFER),
        "JOINTS_0": builder.accessor(
            buffers.joints.astype(np.uint8 if joints <= 256 else np.uint16), target=_ARRAY_BUFFER
        ),
        "WEIGHTS_0": builder.accessor(buffers.weights, target=_ARRAY_BUFFER),
    }
    if layer.material.normal is not None:
        attributes["TANGENT"] = builder.accessor(tangents(buffers), target=_ARRAY_BUFFER)
    primitive: dict[str, object] = {
        "attributes": attributes,
        "indices": builder.accessor(buffers.indices.ravel().astype(index_type), target=_ELEMENT_ARRAY_BUFFER),
        "material": material,
    }
    mesh: dict[str, object] = {"name": layer.name, "primitives": [primitive]}
    if layer.expressions:
        moved = {}
        for name, expression in layer.expressions.items():
            try:
                moved[name] = moved_rows(expression, buffers, len(layer.mesh.vertices))
            except ValueError as error:
                raise ValueError(f"Layer {layer.name!r}, {name!r}: {error}") from error
        still: int | None = None  # the one accessor of all expressions that leave this layer alone
        targets = []
        for name in resting:
            rows, offsets = moved.get(name, (np.zeros(0), np.zeros(0)))
            if len(rows):
                targets.append({"POSITION": builder.sparse_accessor(rows, offsets, count)})
            else:
                still = builder.still_accessor(count) if still is None else still
                targets.append({"POSITION": still})
        primitive["targets"] = targets
        mesh |= {"weights": list(resting.values()), "extras": {"targetNames": list(resting)}}
    taken = {node["name"] for node in builder.document["nodes"]}
    node = {"name": _unused(layer.name, taken), "mesh": builder.add("meshes", mesh), "skin": 0}
    builder.document["scenes"][0]["nodes"].append(builder.add("nodes", node))


def _add_clip(builder: _Builder, clip: Clip, skeleton: Skeleton, root: int) -> None:
    times = clip.times.astype(np.float32)
    if not len(times) or not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError(f"Clip {clip.name!r} needs times that start at 0 or later and rise strictly.")
    unknown = set(clip.rotations_wxyz) - set(skeleton.names)
    if unknown:
        raise ValueError(f"Clip {clip.name!r} turns joints the skeleton lacks: {', '.join(sorted(unknown))}.")
    tracks: list[tuple[int, Literal["rotation", "translation"], ndarray]] = []
    first = root - skeleton.parents.index(-1)
    for joint, wxyz in clip.rotations_wxyz.items():
        tracks.append((first + skeleton.index(joint), "rotation", _continuous(wxyz, clip.name, joint)))
    if clip.root_translation is not None:
        rest = array(skeleton.positions)[skeleton.parents.index(-1)]
        tracks.append((root, "translation", rest + clip.root_translation))
    faces = _faces(builder.document) if clip.expressions else []
    if not tracks and not faces:
        raise ValueError(f"Clip {clip.name!r} moves nothing; leave it out.")
    input_times = builder.accessor(times, bounds=True)
    samplers, channels = [], []
    for node, path, values in tracks:
        if len(values) != len(times) or not np.isfinite(values).all():
            raise ValueError(f"Clip {clip.name!r} needs one finite {path} per time ({len(times)}) for every joint.")
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        output = builder.accessor(values.astype(np.float32))
        samplers.append({"input": input_times, "output": output, "interpolation": "LINEAR"})
    if faces:  # they list the same expressions, so one sampler moves them all
        channels += [{"sampler": len(samplers), "target": {"node": node, "path": "weights"}} for node, _ in faces]
        output = builder.accessor(target_weights(clip, faces[0][1]["extras"]["targetNames"], faces[0][1]["weights"]))
        samplers.append({"input": input_times, "output": output, "interpolation": "LINEAR"})
    builder.add("animations", {"name": clip.name, "samplers": samplers, "channels": channels})


def _faces(document: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Nodes whose mesh has expressions, and the mesh."""
    meshes = [(node, document["meshes"][each["mesh"]]) for node, each in enumerate(document["nodes"]) if "mesh" in each]
    return [(node, mesh) for node, mesh in meshes if "weights" in mesh]


def target_weights(clip: Clip, names: Sequence[str], resting: Sequence[float]) -> Float32[ndarray, "n"]:
    """A face's weights in a clip as glTF wants them: all targets of the first time, of the second, and so on.

    Args:
        names: The mesh's targets, in order.
        resting: Where those stay that the clip does not name.
    """
    weights = np.tile(np.asarray(resting, np.float32), (len(clip.times), 1))
    for column, name in enumerate(names):
        if name in clip.expressions:
            weights[:, column] = clip.expressions[name]
    if not np.isfinite(weights).all():
        raise ValueError(f"Clip {clip.name!r} has an expression that is not finite.")
    return weights.ravel()


def _continuous(wxyz: ndarray, clip: str, joint: str) -> ndarray:
    """The turns as unit xyzw, signs chosen so that neighbours interpolate the short way in every program."""
    wxyz = wxyz.astype(np.float64)
    lengths = np.linalg.norm(wxyz, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < 1e-6).any():
        raise ValueError(f"Clip {clip!r}, joint {joint!r}: a quaternion has no length.")
    away = (wxyz[1:] * wxyz[:-1]).sum(axis=1) < 0
    signs = np.cumprod(np.concatenate([np.ones(1), np.where(away, -1.0, 1.0)]))[:, None]
    return (signs * wxyz / lengths)[:, [1, 2, 3, 0]]


class _Materials:
    """Materials and their images, each once however many layers share it; images encode in threads."""

    def __init__(self, builder: _Builder, encoders: ThreadPoolExecutor, pictures: Pictures) -> None:
        self._builder = builder
        self._encoders = encoders
        self._pictures = pictures
        self._materials: dict[int, int] = {}
        self._textures: dict[tuple[str, int], int] = {}
        self._encoding: list[Future[tuple[str, bytes]]] = []

    def index(self, material: Material) -> int:
        if id(material) not in self._materials:
            self._materials[id(material)] = self._add(material)
        return self._materials[id(material)]

    def finish(self) -> None:
        for index, encoding in enumerate(self._encoding):
            mime_type, data = encoding.result()
            self._builder.document["images"][index] = {"mimeType": mime_type, "bufferView": self._builder.view(data)}

    def _add(self, material: Material) -> int:
        cut_out = material.alpha == "mask" and material.albedo.shape[2] == 4
        albedo = self._texture("cut_out" if cut_out else "albedo", material.albedo)
        surface: dict[str, object] = {"baseColorTexture": {"index": albedo}, "metallicFactor": material.metallic}
        if isinstance(material.roughness, ndarray):
            surface |= {"metallicRoughnessTexture": {"index": self._texture("roughness", material.roughness)}}
        else:
            surface |= {"roughnessFactor": material.roughness}
        return self._builder.add(
            "materials",
            {
                "name": f"material_{len(self._materials)}",
                "pbrMetallicRoughness": surface,
                "normalTexture": None
                if material.normal is None
                else {"index": self._texture("normal", material.normal)},
                "doubleSided": True if material.double_sided else None,
                "alphaMode": "MASK" if cut_out else None,
                "alphaCutoff": 0.5 if cut_out else None,
            },
        )

    def _texture(self, role: str, pixels: ndarray) -> int:
        if (role, id(pixels)) not in self._textures:
            if not self._textures:
                sampler = {"magFilter": _LINEAR, "minFilter": _MIPMAPPED, "wrapS": _REPEAT, "wrapT": _REPEAT}
                self._builder.add("samplers", sampler)
            self._encoding.append(self._encoders.submit(_encode, role, pixels, self._pictures))
            texture: dict[str, object] = {"sampler": 0, "source": self._builder.add("images", {})}
            if self._pictures.webp:
                texture = {"sampler": 0, "extensions": {_WEBP: {"source": texture["source"]}}}
                for listed in ("extensionsUsed", "extensionsRequired"):
                    names = self._builder.document.setdefault(listed, [])
                    names += [_WEBP] if _WEBP not in names else []
            self._textures[role, id(pixels)] = self._builder.add("textures", texture)
        return self._textures[role, id(pixels)]


def _encode(role: str, pixels: ndarray, pictures: Pictures) -> tuple[str, bytes]:
    """MIME type and bytes: JPEG where nobody sees the difference, PNG where a program computes with the values."""
    kept = pixels.source if isinstance(pixels, Encoded) and pictures == Pictures() else None
    if kept is not None and (role == "normal" or pixels.shape[2] == (3 if role == "albedo" else 4)):
        return kept
    if role == "roughness":  # roughness in green, metallic in blue: the factor alone says how metallic
        pixels = np.stack([np.full_like(pixels, 255), pixels, np.full_like(pixels, 255)], axis=2)
    elif role == "albedo":
        pixels = pixels[..., :3]
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if pictures.side is not None and max(image.size) > pictures.side:
        share = pictures.side / max(image.size)
        size = [max(1, round(length * share)) for length in image.size]
        image = image.resize((size[0], size[1]), Image.Resampling.BOX)
    small = max(image.size) <= _SMALL_IMAGE
    if pictures.webp:
        exact = small or (role not in ("albedo", "cut_out") and not pictures.lossy)
        image.save(buffer, "WEBP", lossless=exact, quality=50 if exact else pictures.quality, method=2, exact=True)
        return "image/webp", buffer.getvalue()
    if not small and (role == "albedo" or (pictures.lossy and role != "cut_out")):
        image.save(buffer, "JPEG", quality=pictures.quality, subsampling=0)
        return "image/jpeg", buffer.getvalue()
    image.save(buffer, "PNG", compress_level=6 if pictures.lossy else 1)
    return "image/png", buffer.getvalue()


def _unused(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if need be: glTF allows equal node names, programs mix them up."""
    candidates = (name, *(f"{name}_{number}" for number in range(1, len(taken) + 2)))
    return next(candidate for candidate in candidates if candidate not in taken)
