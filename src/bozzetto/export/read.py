"""A character file back into an Avatar. Reads what `write_glb` writes and refuses everything else."""

import io
import json
import struct
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy import ndarray
from PIL import Image

from ..files import BROKEN_PICTURE, Pixels, read_limited
from ..types import Avatar, Clip, Layer, Material, Mesh, Skeleton, SparseOffsets, UserError
from .accessor import Accessors
from .bones import BoneNames, restore
from .encoded import encoded
from .marks import GENERATOR

_SHAPES = {"SCALAR": (), "VEC2": (2,), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}
_MOST_BYTES = 2**31
_MOST_PIXELS = 400_000_000
"""Of all images together."""
_MOST_EXPRESSIONS = 1024
_MOST_TEXT = 1 << 26
"""Bytes of a GLB's JSON, which takes some twenty times as much once it is parsed."""


def read_glb(path: Path) -> Avatar:
    """The avatar in a file that `write_glb` wrote; seams are welded again, opaque albedo has been through JPEG.

    Raises:
        UserError: The file cannot be read, is no GLB, was written by another program, or is damaged.
    """
    data = read_limited(path, _MOST_BYTES, "bozzetto writes no such file.")
    try:
        document, binary = unpack_glb(data)
        generator = document["asset"].get("generator")
        if str(generator).split(" ")[0] != GENERATOR:
            raise UserError(f"{path.name} was written by {str(generator)[:60]!r}; only bozzetto's own files open here.")
        if needed := ", ".join(map(str, document.get("extensionsRequired", ())))[:200]:
            raise UserError(
                f"{path.name} was exported smaller ({needed}), and bozzetto does not read such files back. Use the "
                "avatar.glb that the run wrote."
            )
        return _Reader(document, binary).avatar()
    # Whatever a hostile document makes the code below trip over is the file's fault, not ours.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise UserError(
            f"{path.name} is damaged or not a character file: {str(error)[:200]}. Export it again from its run folder."
        ) from error


def clip_names(path: Path) -> tuple[str, ...]:
    """What a file's animations are called.

    Raises:
        UserError: The file cannot be read or is no GLB.
    """
    data = read_limited(path, _MOST_BYTES, "bozzetto writes no such file.")
    try:
        return tuple(str(each.get("name", "")) for each in unpack_glb(data)[0].get("animations", ()))
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise UserError(f"{path.name} cannot be read: {str(error)[:200]}. Generate the figure again.") from error


def unpack_glb(data: bytes) -> tuple[dict[str, Any], bytes]:
    """A GLB container's JSON document and binary chunk.

    Raises:
        ValueError: It is no GLB 2.0 file, or a length in it is wrong.
    """
    if len(data) < 20 or data[:4] != b"glTF":
        raise ValueError("it does not begin as a GLB file does")
    _, container_version, length = struct.unpack_from("<4sII", data)
    if container_version != 2 or length != len(data):
        raise ValueError(f"it announces version {container_version} and {length} bytes, but has {len(data)} bytes")
    text, end = _chunk(data, 12, b"JSON")
    if len(text) > _MOST_TEXT:
        raise ValueError(f"its JSON has {len(text) >> 20} MiB; at most {_MOST_TEXT >> 20} are read")
    binary, end = _chunk(data, end, b"BIN\0")
    if end != len(data):
        raise ValueError("it goes on after its last chunk")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(document, dict) or document.get("asset", {}).get("version") != "2.0":
        raise ValueError("its JSON is not glTF 2.0")
    return document, binary


def _chunk(data: bytes, start: int, kind: bytes) -> tuple[bytes, int]:
    if start + 8 > len(data):
        raise ValueError(f"its {kind.decode().strip(chr(0))} chunk is missing")
    length, found = struct.unpack_from("<I4s", data, start)
    end = start + 8 + length
    if found != kind or end > len(data):
        raise ValueError(f"its {kind.decode().strip(chr(0))} chunk is cut off")
    return data[start + 8 : end], end


def _no_constant(text: str) -> float:
    raise ValueError(f"its JSON holds {text}")


class _Reader:
    """A parsed file. Every number in it is checked before it sizes or addresses anything."""

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        self._document = document
        self._accessors = Accessors(document, binary)
        self._pixels = Pixels(_MOST_PIXELS)
        self._images: dict[int, ndarray] = {}
        self._roughness: dict[int, ndarray] = {}

    def avatar(self) -> Avatar:
        (skin,) = self._document["skins"]
        joint_nodes = {node: joint for joint, node in enumerate(skin["joints"])}
        skeleton = self._skeleton(skin, joint_nodes)
        materials = [self._material(material) for material in self._document["materials"]]
        layers = tuple(self._layer(mesh, len(skeleton.names), materials) for mesh in self._document["meshes"])
        clips = self._document.get("animations", [])
        clips = tuple(self._clip(clip, skeleton, joint_nodes) for clip in clips)
        return Avatar(layers, skeleton, clips, self._resting_expression())

    def _skeleton(self, skin: dict[str, Any], joint_nodes: dict[int, int]) -> Skeleton:
        nodes = self._document["nodes"]
        parents = [-1] * len(joint_nodes)
        for node, joint in joint_nodes.items():
            for child in nodes[node].get("children", []):
                parents[joint_nodes[child]] = joint
        if parents.count(-1) != 1 or any(parent >= joint for joint, parent in enumerate(parents)):
            raise ValueError("its joints are not a tree with parents first")
        bone_names = self._document["asset"]["extras"]["bone_names"]
        if bone_names not in get_args(BoneNames):
            raise ValueError(f"it names its bones after {bone_names!r:.40}")
        names = restore([str(nodes[node]["name"]) for node in joint_nodes], bone_names)
        inverse_binds = self._accessor(skin["inverseBindMatrices"], "MAT4", len(names))
        return Skeleton(names, tuple(parents), torch.from_numpy(-inverse_binds[:, 3, :3]))

    def _layer(self, mesh: dict[str, Any], joints: int, materials: list[Material]) -> Layer:
        (primitive,) = mesh["primitives"]
        attributes = primitive["attributes"]
        positions = self._accessor(attributes["POSITION"], "VEC3")
        count = len(positions)
        normals = self._accessor(attributes["NORMAL"], "VEC3", count)
        uvs = self._accessor(attributes["TEXCOORD_0"], "VEC2", count)
        weights = self._accessor(attributes["WEIGHTS_0"], "VEC4", count)
        skin_joints = _below(self._accessors.read(attributes["JOINTS_0"], "VEC4", count), joints)
        indices = _below(self._accessors.read(primitive["indices"], "SCALAR"), count).reshape(-1, 3)
        names = mesh.get("extras", {}).get("targetNames", [])
        if len(names) > _MOST_EXPRESSIONS:
            raise ValueError(f"it lists {len(names)} expressions")
        targets = zip(names, primitive.get("targets", []), strict=True)
        read = {str(name): self._sparse(target["POSITION"], count) for name, target in targets}
        moved = {name: target for name, target in read.items() if target[1].any()}
        kept, weld = _weld(np.concatenate([positions, normals, skin_joints, weights], axis=1), moved)
        material = primitive["material"]
        if material not in range(len(materials)):
            raise ValueError(f"it names material {material!r:.20}")
        return Layer(
            name=str(mesh["name"]),
            mesh=Mesh(
                vertices=torch.from_numpy(positions[kept]),
                faces=torch.from_numpy(weld[indices]),
                uvs=torch.from_numpy(uvs[indices]),
            ),
            skin_weights=torch.from_numpy(weights[kept]),
            skin_joints=torch.from_numpy(skin_joints[kept]),
            material=materials[material],
            expressions={name: _welded(*target, kept, weld) for name, target in moved.items()},
            normals=torch.from_numpy(normals[kept]),
        )

    def _resting_expression(self) -> dict[str, float]:
        resting = {}
        for mesh in self._document["meshes"]:  # each that has expressions says the same
            names, weights = mesh.get("extras", {}).get("targetNames", []), mesh.get("weights", [])
            resting |= {str(name): float(weight) for name, weight in zip(names, weights, strict=True) if weight}
        if not np.isfinite(list(resting.values())).all():
            raise ValueError("it rests in an expression that is not finite")
        return resting

    def _clip(self, clip: dict[str, Any], skeleton: Skeleton, joint_nodes: dict[int, int]) -> Clip:
        inputs = {sampler["input"] for sampler in clip["samplers"]}
        (times_accessor,) = inputs
        times = self._accessor(times_accessor, "SCALAR")
        rotations, translation, expressions = {}, None, {}
        for channel in clip["channels"]:
            output = clip["samplers"][channel["sampler"]]["output"]
            if channel["target"]["path"] == "weights":
                expressions = expressions or self._weights(channel["target"]["node"], output, len(times))
                continue
            joint = joint_nodes[channel["target"]["node"]]
            if channel["target"]["path"] == "rotation":
                rotations[skeleton.names[joint]] = self._accessor(output, "VEC4", len(times))[:, [3, 0, 1, 2]]
            elif skeleton.parents[joint] < 0:
                rest = skeleton.positions[skeleton.parents.index(-1)].numpy()
                translation = self._accessor(output, "VEC3", len(times)) - rest
            else:
                raise ValueError(f"clip {clip['name']!r:.40} moves a joint that is not the root")
        return Clip(str(clip["name"]), times, rotations, translation, expressions)

    def _weights(self, node: int, output: int, times: int) -> dict[str, ndarray]:
        """A clip's expressions by name: every face of it moves alike, so the first one tells."""
        mesh = self._document["meshes"][self._document["nodes"][node]["mesh"]]
        names = [str(name) for name in mesh["extras"]["targetNames"]]
        if len(names) > _MOST_EXPRESSIONS:
            raise ValueError(f"it lists {len(names)} expressions")
        weights = self._accessor(output, "SCALAR", times * len(names)).reshape(times, len(names))
        return {name: weights[:, column] for column, name in enumerate(names)}

    def _material(self, material: dict[str, Any]) -> Material:
        surface = material["pbrMetallicRoughness"]
        packed, normal = surface.get("metallicRoughnessTexture"), material.get("normalTexture")
        return Material(
            albedo=self._image(surface["baseColorTexture"]),
            normal=None if normal is None else self._image(normal),
            roughness=float(surface["roughnessFactor"]) if packed is None else self._green(packed),
            metallic=float(surface["metallicFactor"]),
            double_sided=bool(material.get("doubleSided", False)),
            alpha="mask" if material.get("alphaMode") == "MASK" else "opaque",
        )

    def _green(self, texture: dict[str, Any]) -> ndarray:
        """One copy of an image's second channel, however many materials ask for it."""
        index = self._source(texture)
        if index not in self._roughness:
            self._roughness[index] = self._image(texture)[:, :, 1].copy()
        return self._roughness[index]

    def _source(self, texture: dict[str, Any]) -> int:
        return self._document["textures"][texture["index"]]["source"]

    def _image(self, texture: dict[str, Any]) -> ndarray:
        index = self._source(texture)
        if index not in self._images:
            content = self._accessors.view(self._document["images"][index]["bufferView"])
            try:
                with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
                    self._pixels.take(image.width, image.height)
                    if image.mode not in ("RGB", "RGBA"):
                        raise ValueError(f"{image.width} x {image.height} pixels, {image.mode}")
                    self._images[index] = encoded(np.array(image), f"image/{str(image.format).lower()}", content)
            except BROKEN_PICTURE as error:
                raise ValueError(f"image {index} cannot be used ({error})") from error
        return self._images[index]

    def _accessor(self, index: int, kind: str, count: int | None = None) -> ndarray:
        values = self._accessors.read(index, kind, count)
        if values.dtype != np.float32:
            raise ValueError(f"accessor {index} holds {values.dtype}")
        return values.reshape(len(values), *_SHAPES[kind])

    def _sparse(self, index: int, count: int) -> tuple[ndarray, ndarray]:
        accessor = self._document["accessors"][index]
        sparse = accessor["sparse"]
        if accessor["count"] != count or "bufferView" in accessor:
            raise ValueError(f"accessor {index} is not a sparse expression of {count} vertices")
        indices = sparse["indices"]
        rows = self._accessors.values(indices, indices["componentType"], "SCALAR", sparse["count"])[:, 0]
        offsets = self._accessors.values(sparse["values"], 5126, "VEC3", sparse["count"])
        if (np.diff(rows.astype(np.int64)) <= 0).any():
            raise ValueError(f"accessor {index} has sparse rows out of order")
        return _below(rows, count), offsets


def _below(indices: ndarray, count: int) -> ndarray:
    if indices.dtype.kind != "u" or indices.max() >= count:
        raise ValueError(f"an index is not below {count}")
    return indices.astype(np.int64)


def _weld(rows: ndarray, moved: dict[str, tuple[ndarray, ndarray]]) -> tuple[ndarray, ndarray]:
    """The first of each run of equal rows, and each row's run: the writer leaves a seam's copies side by side."""
    starts = np.ones(len(rows), bool)
    starts[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    for indices, offsets in moved.values():  # copies move together
        followed = np.zeros(len(rows), bool)
        followed[indices[1:]] = (np.diff(indices) == 1) & (offsets[1:] == offsets[:-1]).all(axis=1)
        touched = np.zeros(len(rows) + 1, bool)
        touched[indices] = touched[indices + 1] = True
        starts |= touched[:-1] & ~followed
    return np.flatnonzero(starts), np.cumsum(starts) - 1


def _welded(indices: ndarray, offsets: ndarray, kept: ndarray, weld: ndarray) -> SparseOffsets:
    first = kept[weld[indices]] == indices
    return SparseOffsets(torch.from_numpy(weld[indices[first]]), torch.from_numpy(offsets[first]))
