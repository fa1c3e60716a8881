"""Clips into a character file that is already written. Meshes and pictures stay as they are, byte for byte."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from bozzetto.export.bones import TABLES
from bozzetto.export.glb import pack_glb, target_weights
from bozzetto.export.read import unpack_glb
from bozzetto.files import atomic_path
from bozzetto.motion.frames import quaternions, to_frames
from bozzetto.types import Clip, Skeleton, UserError


def place_clips(path: Path, clips: Sequence[Clip], skeleton: Skeleton) -> None:
    """Adds clips to a GLB of ours; one of the same name is replaced. Whole, or not at all.

    Args:
        path: Written by ``write_glb``.
        clips: For its skeleton.
        skeleton: As ``read_glb`` read it.

    Raises:
        UserError: The file cannot be read or written, or has no such bones.
    """
    try:
        content = with_clips(path.read_bytes(), clips, skeleton)
        with atomic_path(path) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from None
    except (LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path.name} is damaged or not bozzetto's: {str(error)[:200]}.") from None


def with_clips(data: bytes, clips: Sequence[Clip], skeleton: Skeleton) -> bytes:
    """The file with the clips in it.

    Raises:
        ValueError: It is no GLB, or lacks a joint of the clips.
    """
    document, binary = unpack_glb(data)
    names = {clip.name for clip in clips}
    kept = [each for each in document.get("animations", []) if each.get("name") not in names]
    document, binary = _without_animations(document, binary, kept)
    nodes = _joint_nodes(document, skeleton)
    faces = [
        (node, document["meshes"][each["mesh"]])
        for node, each in enumerate(document["nodes"])
        if "mesh" in each and document["meshes"][each["mesh"]].get("extras", {}).get("targetNames")
    ]
    tail = _Tail(document, len(binary))
    for clip in clips:
        kept.append(_animation(tail, clip, skeleton, nodes, faces))
    document["animations"] = kept
    binary += b"".join(tail.chunks)
    document["buffers"][0]["byteLength"] = len(binary)
    return pack_glb(document, binary)


class _Tail:
    """Accessors at the buffer's end."""

    def __init__(self, document: dict[str, Any], length: int) -> None:
        self._document, self._length = document, length + -length % 4
        self.chunks = [b"\0" * (-length % 4)]

    def add(self, values: ndarray, bounds: bool = False) -> int:
        data = np.ascontiguousarray(values, np.float32)
        kind = "SCALAR" if data.ndim == 1 else f"VEC{data.shape[1]}"
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": data.nbytes}
        self.chunks.append(data.tobytes())
        self._length += data.nbytes
        self._document["bufferViews"].append(view)
        accessor: dict[str, Any] = {
            "bufferView": len(self._document["bufferViews"]) - 1,
            "componentType": 5126,
            "count": len(data),
            "type": kind,
        }
        if bounds:
            accessor |= {"min": [float(data.min())], "max": [float(data.max())]}
        self._document["accessors"].append(accessor)
        return len(self._document["accessors"]) - 1


def _joint_nodes(document: Mapping[str, Any], skeleton: Skeleton) -> dict[str, int]:
    """The node of each joint: joints stand in the skin's order, renamed as the file says."""
    joints = document["skins"][0]["joints"]
    table = TABLES[document["asset"].get("extras", {}).get("bone_names", "anny")]
    found = {document["nodes"][node]["name"]: node for node in joints}
    nodes = {name: found.get(table.get(name, name), -1) for name in skeleton.names}
    missing = [name for name, node in nodes.items() if node < 0]
    if missing:
        raise ValueError(f"it has no bone {missing[0]!r}")
    return nodes


def _animation(
    tail: _Tail,
    clip: Clip,
    skeleton: Skeleton,
    nodes: Mapping[str, int],
    faces: Sequence[tuple[int, Mapping[str, Any]]],
) -> dict[str, Any]:
    frames = to_frames(clip, skeleton)
    times = tail.add(clip.times, bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def track(targets: Sequence[tuple[int, str]], values: ndarray) -> None:
        channels.extend({"sampler": len(samplers), "target": {"node": node, "path": path}} for node, path in targets)
        samplers.append({"input": times, "output": tail.add(values), "interpolation": "LINEAR"})

    for name in clip.rotations_wxyz:
        xyzw = quaternions(frames.local[:, skeleton.index(name)])[:, [1, 2, 3, 0]]
        track([(nodes[name], "rotation")], xyzw)
    root = skeleton.names[skeleton.parents.index(-1)]
    if clip.root_translation is not None:
        track([(nodes[root], "translation")], frames.root)
    if clip.expressions:
        for names in {tuple(mesh["extras"]["targetNames"]) for _, mesh in faces}:
            same = [(node, mesh) for node, mesh in faces if tuple(mesh["extras"]["targetNames"]) == names]
            resting = same[0][1].get("weights", [0.0] * len(names))
            track([(node, "weights") for node, _ in same], target_weights(clip, names, resting))
    if not channels:
        raise ValueError(f"the motion {clip.name!r} moves nothing")
    return {"name": clip.name, "samplers": samplers, "channels": channels}


def _without_animations(
    document: dict[str, Any], binary: bytes, kept: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], bytes]:
    """The file without the data of animations that are not kept, so that animating again does not make it grow."""
    going: set[int] = set()
    for animation in document.get("animations", []):
        used = {sampler[end] for sampler in animation["samplers"] for end in ("input", "output")}
        going = going - used if animation in kept else going | used
    for animation in kept:
        going -= {sampler[end] for sampler in animation["samplers"] for end in ("input", "output")}
    packed = any("extensions" in view for view in document["bufferViews"])
    if not going or packed:
        return document, binary
    accessors = document["accessors"]
    views = {accessors[index]["bufferView"] for index in going}
    views -= {view for index, each in enumerate(accessors) if index not in going for view in _views(each)}
    views -= {image["bufferView"] for image in document.get("images", []) if "bufferView" in image}
    place = _renumbered(len(accessors), going)
    view_place = _renumbered(len(document["bufferViews"]), views)
    chunks, moved, length = [], [], 0
    for index, view in enumerate(document["bufferViews"]):
        if index in views:
            continue
        start = view.get("byteOffset", 0)
        data = binary[start : start + view["byteLength"]]
        moved.append({**view, "byteOffset": length})
        data += b"\0" * (-len(data) % 4)
        chunks.append(data)
        length += len(data)
    document = {**document, "bufferViews": moved}
    document["accessors"] = [each for index, each in enumerate(accessors) if index not in going]
    for accessor in document["accessors"]:
        if "bufferView" in accessor:
            accessor["bufferView"] = view_place[accessor["bufferView"]]
        for part in ("indices", "values"):
            if "sparse" in accessor:
                accessor["sparse"][part]["bufferView"] = view_place[accessor["sparse"][part]["bufferView"]]
    for image in document.get("images", []):
        if "bufferView" in image:
            image["bufferView"] = view_place[image["bufferView"]]
    for mesh in document.get("meshes", []):
        for primitive in mesh["primitives"]:
            primitive["attributes"] = {name: place[index] for name, index in primitive["attributes"].items()}
            if "indices" in primitive:
                primitive["indices"] = place[primitive["indices"]]
            for target in primitive.get("targets", []):
                target.update({name: place[index] for name, index in target.items()})
    for skin in document.get("skins", []):
        if "inverseBindMatrices" in skin:
            skin["inverseBindMatrices"] = place[skin["inverseBindMatrices"]]
    for animation in kept:
        for sampler in animation["samplers"]:
            sampler.update({end: place[sampler[end]] for end in ("input", "output")})
    return document, b"".join(chunks)


def _views(accessor: Mapping[str, Any]) -> list[int]:
    """The buffer views an accessor stands on."""
    sparse = accessor.get("sparse", {})
    found = [accessor.get("bufferView"), *(sparse.get(part, {}).get("bufferView") for part in ("indices", "values"))]
    return [view for view in found if view is not None]


def _renumbered(count: int, going: set[int]) -> dict[int, int]:
    left = [index for index in range(count) if index not in going]
    return {index: place for place, index in enumerate(left)}
