"""VRM animations (``.vrma``, VRMC_vrm_animation 1.0) in and out: a GLB of turns, expressions and a gaze.

Expressions are nodes whose x says the weight; the gaze is a node that turns. On the way in VRM's presets become
mixtures of ARKit's expressions (`export.expressions`), since those are what our faces have; on the way out the ARKit
weights go as custom expressions, under their names.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation, Slerp

from bozzetto import __version__
from bozzetto.export.accessor import Accessors
from bozzetto.export.bones import VRM
from bozzetto.export.expressions import ARKIT, VRM_PRESETS
from bozzetto.export.glb import pack_glb
from bozzetto.export.marks import GENERATOR, Marks
from bozzetto.export.read import unpack_glb
from bozzetto.files import atomic_path, read_limited
from bozzetto.motion.frames import quaternions, rest_positions, to_frames
from bozzetto.motion.source import MOST_BYTES, MOST_JOINTS, TOO_LARGE, Source, checked, limit
from bozzetto.types import Clip, Skeleton, UserError

EXTENSION = "VRMC_vrm_animation"
_RATE = 30.0
"""Frames a second at which a file's curves are read."""
_GAZE = (18.0, 12.0)
"""Degrees the eyes turn at most, aside and up; the file leaves the rest to the head."""
_Curve: TypeAlias = tuple[ndarray, ndarray, str]
"""Times, values and interpolation."""


def read_vrma(path: Path) -> Source:
    """The motion in a VRM animation; its joints have VRM's names.

    Raises:
        UserError: It cannot be read, is no VRM animation, is damaged or too long.
    """
    data = read_limited(path, MOST_BYTES, TOO_LARGE)
    try:
        return checked(_Reader(*unpack_glb(data), path.name).source(), path.name)
    # Whatever a hostile document makes the code below trip over is the file's fault, not ours.
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise UserError(
            f"{path.name} is no VRM animation that can be used: {str(error)[:200]}. Export it again."
        ) from None


class _Reader:
    """A parsed file. Every number in it is checked before it sizes or addresses anything."""

    def __init__(self, document: dict[str, Any], binary: bytes, name: str) -> None:
        self._document, self._name = document, name
        self._accessors = Accessors(document, binary)
        if EXTENSION not in document.get("extensions", {}):
            raise ValueError(f"it lacks the extension {EXTENSION}")
        self._extension = document["extensions"][EXTENSION]
        self._nodes: list[dict[str, Any]] = document["nodes"]
        self._parents = self._tree()

    def source(self) -> Source:
        bones = {
            int(bone["node"]): name
            for name, bone in self._extension["humanoid"]["humanBones"].items()
            if name in VRM.values()
        }
        if not all(node in range(len(self._nodes)) for node in bones):
            raise ValueError("a bone is no node of it")
        if "hips" not in bones.values():
            raise ValueError("its humanoid has no hips")
        (animation, *_) = self._document["animations"]
        curves = self._curves(animation)
        length = max((float(times[-1]) for times, _, _ in curves.values()), default=0.0)
        count = max(round(length * _RATE), 0) + 1
        limit(self._name, len(bones), count)
        times = np.linspace(0.0, length, count)
        line = self._with_parents(bones)
        limit(self._name, len(line), count)
        rest_turns, rest_points = self._forward(line, {}, np.zeros(1))
        turns, points = self._forward(line, curves, times)
        order = [node for node in line if node in bones]
        order.sort(key=lambda node: (bones[node] != "hips", line.index(node)))
        parents = []
        for node in order:
            above = self._parents[node]
            while above >= 0 and above not in bones:
                above = self._parents[above]
            parents.append(order.index(above) if above >= 0 else -1)
        if parents.count(-1) != 1 or any(parent >= joint for joint, parent in enumerate(parents)):
            raise ValueError("its bones do not hang together below the hips")
        relative = np.stack([turns[node] @ rest_turns[node][0].T for node in order], 1)
        rest = np.stack([rest_points[node][0] for node in order])
        names = [bones[node] for node in order]
        expressions, gaze = self._expressions(curves, times), self._gaze(curves, times)
        if gaze is not None and "head" in names and not {"leftEye", "rightEye"} & set(names):
            head = names.index("head")
            names += ["leftEye", "rightEye"]
            parents += [head, head]
            eyes = (relative[:, head] @ gaze)[:, None].repeat(2, axis=1)
            relative = np.concatenate([relative, eyes], 1)
            rest = np.concatenate([rest, rest[[head, head]]])
        return Source(tuple(names), tuple(parents), rest, times, relative, points[order[0]], expressions=expressions)

    def _tree(self) -> list[int]:
        """Each node's parent, once it is certain that no node has two or is its own ancestor."""
        if len(self._nodes) > 16 * MOST_JOINTS:
            raise ValueError(f"it has {len(self._nodes)} nodes")
        parents = [-1] * len(self._nodes)
        for index, node in enumerate(self._nodes):
            for child in node.get("children", []):
                if child not in range(len(parents)) or parents[child] >= 0:
                    raise ValueError("its nodes are no tree")
                parents[child] = index
        for index in range(len(parents)):
            above, steps = parents[index], 0
            while above >= 0:
                above, steps = parents[above], steps + 1
                if steps > MOST_JOINTS:
                    raise ValueError("its nodes go in a circle, or too deep")
        return parents

    def _with_parents(self, bones: Mapping[int, str]) -> list[int]:
        """Bones and everything above them, parents first."""
        line: dict[int, None] = {}
        for bone in bones:
            chain = [bone]
            while self._parents[chain[-1]] >= 0:
                chain.append(self._parents[chain[-1]])
            line |= dict.fromkeys(reversed(chain))
        return list(line)

    def _curves(self, animation: dict[str, Any]) -> dict[tuple[int, str], _Curve]:
        """Times, values and interpolation by node and path."""
        out = {}
        for channel in animation["channels"]:
            node, path = channel["target"].get("node"), channel["target"]["path"]
            if path not in ("rotation", "translation") or node not in range(len(self._nodes)):
                continue
            sampler = animation["samplers"][channel["sampler"]]
            how = sampler.get("interpolation", "LINEAR")
            kind = "VEC4" if path == "rotation" else "VEC3"
            times = self._accessors.read(sampler["input"], "SCALAR")[:, 0].astype(np.float64)
            values = self._accessors.read(sampler["output"], kind).astype(np.float64)
            if how not in ("LINEAR", "STEP", "CUBICSPLINE") or len(values) != len(times) * (1 + 2 * (how[0] == "C")):
                raise ValueError(f"a channel has {len(values)} values for {len(times)} times, {how!r:.40}")
            if times[0] < 0 or (np.diff(times) <= 0).any() or times[-1] > 36_000:
                raise ValueError("its times do not rise, or go on for hours")
            if path == "rotation":
                keys = values[1::3] if how[0] == "C" else values
                if (np.linalg.norm(keys, axis=1) < 1e-3).any():
                    raise ValueError("a rotation has no length")
            out[int(node), path] = times, values, how
        return out

    def _forward(
        self, line: list[int], curves: Mapping[tuple[int, str], _Curve], times: Float[ndarray, "k"]
    ) -> tuple[dict[int, Float[ndarray, "k 3 3"]], dict[int, Float[ndarray, "k 3"]]]:
        """World rotations and positions; scales are left out, as VRM wants none."""
        turns: dict[int, ndarray] = {}
        points: dict[int, ndarray] = {}
        for index in line:
            node = self._nodes[index]
            rotation = _floats(node.get("rotation", (0, 0, 0, 1)), 4)
            if np.linalg.norm(rotation) < 1e-3 or "matrix" in node:
                raise ValueError("a node has a matrix, or a rotation without length")
            turn = np.tile(Rotation.from_quat(rotation).as_matrix(), (len(times), 1, 1))
            place = np.tile(_floats(node.get("translation", (0, 0, 0)), 3), (len(times), 1))
            if (index, "rotation") in curves:
                turn = _rotations(curves[index, "rotation"], times)
            if (index, "translation") in curves:
                place = _places(curves[index, "translation"], times)
            above = self._parents[index]
            turns[index] = turn if above < 0 else turns[above] @ turn
            points[index] = place if above < 0 else points[above] + np.einsum("kab,kb->ka", turns[above], place)
        return turns, points

    def _expressions(self, curves: Mapping[tuple[int, str], _Curve], times: ndarray) -> dict[str, ndarray]:
        out: dict[str, ndarray] = {}
        listed = self._extension.get("expressions", {})
        arkit = {name.lower(): {name: 1.0} for name in ARKIT}
        known = {"preset": VRM_PRESETS, "custom": arkit}
        for kind, mixtures in known.items():
            if len(listed.get(kind, {})) > MOST_JOINTS:
                raise ValueError(f"it has {len(listed[kind])} expressions")
            for name, expression in listed.get(kind, {}).items():
                mixture = mixtures.get(str(name).lower() if kind == "custom" else str(name), {})
                node = expression["node"]
                if mixture and (node, "translation") in curves:
                    weight = np.clip(_places(curves[node, "translation"], times)[:, 0], 0.0, 1.0)
                    for target, share in mixture.items():
                        out[target] = np.minimum(out.get(target, 0.0) + share * weight, 1.0)
        return out

    def _gaze(self, curves: Mapping[tuple[int, str], _Curve], times: ndarray) -> Float[ndarray, "k 3 3"] | None:
        node = self._extension.get("lookAt", {}).get("node")
        if (node, "rotation") not in curves:
            return None
        angles = Rotation.from_matrix(_rotations(curves[node, "rotation"], times)).as_euler("YXZ", degrees=True)
        aside, up = (np.clip(angles[:, i], -most, most) for i, most in enumerate(_GAZE))
        return Rotation.from_euler("YX", np.stack([aside, up], 1), degrees=True).as_matrix()


def _floats(values: Any, count: int) -> Float[ndarray, "n"]:
    found = np.array(values, np.float64)
    if found.shape != (count,) or not np.isfinite(found).all():
        raise ValueError("a node's place is no row of finite numbers")
    return found


def _rotations(curve: _Curve, times: ndarray) -> Float[ndarray, "k 3 3"]:
    keys, values, how = curve
    if how == "CUBICSPLINE":
        return Rotation.from_quat(_spline(keys, values, times)).as_matrix()
    if len(keys) == 1:
        return np.tile(Rotation.from_quat(values[0]).as_matrix(), (len(times), 1, 1))
    if how == "STEP":
        return Rotation.from_quat(values[_held(keys, times)]).as_matrix()
    return Slerp(keys, Rotation.from_quat(values))(np.clip(times, keys[0], keys[-1])).as_matrix()


def _places(curve: _Curve, times: ndarray) -> Float[ndarray, "k 3"]:
    keys, values, how = curve
    if how == "CUBICSPLINE":
        return _spline(keys, values, times)
    if how == "STEP":
        return values[_held(keys, times)]
    return np.stack([np.interp(times, keys, values[:, axis]) for axis in range(3)], 1)


def _held(keys: ndarray, times: ndarray) -> ndarray:
    return np.clip(np.searchsorted(keys, times + 1e-6, side="right") - 1, 0, len(keys) - 1)


def _spline(keys: ndarray, values: ndarray, times: ndarray) -> ndarray:
    """glTF's cubic spline: an in-tangent, a value and an out-tangent for each key."""
    if len(keys) == 1:
        return np.tile(values[1], (len(times), 1))
    place = np.clip(np.searchsorted(keys, times, side="right") - 1, 0, len(keys) - 2)
    length = (keys[place + 1] - keys[place])[:, None]
    u = np.clip((times - keys[place])[:, None] / length, 0.0, 1.0)
    first, last = values[1::3][place], values[1::3][place + 1]
    leaving, coming = values[2::3][place] * length, values[0::3][place + 1] * length
    return (
        (2 * u**3 - 3 * u**2 + 1) * first + (u**3 - 2 * u**2 + u) * leaving
        + (3 * u**2 - 2 * u**3) * last + (u**3 - u**2) * coming
    )  # fmt: skip


def write_vrma(clip: Clip, skeleton: Skeleton, path: Path, marks: Marks | None = None) -> None:
    """A clip as a VRM animation: whole, or not at all. Joints between VRM's bones are folded into them.

    Args:
        clip: On this skeleton.
        skeleton: At rest in the T-pose; the joints that VRM names.
        path: Replaced if it exists.
        marks: What made the clip; without them the file says that this tool did.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(vrma_bytes(clip, skeleton, marks))


def vrma_bytes(clip: Clip, skeleton: Skeleton, marks: Marks | None = None) -> bytes:
    """The file `write_vrma` writes."""
    frames = to_frames(clip, skeleton)
    turns, _ = frames.forward()
    rest = rest_positions(skeleton)
    # The gaze has a channel of its own, so eyes are no bones here.
    joints = [i for i, name in enumerate(skeleton.names) if VRM.get(name) and not name.startswith("eye")]
    document: dict[str, Any] = {
        "asset": {
            "version": "2.0", "generator": f"{GENERATOR} {__version__}", "extras": (marks or Marks()).told(),
        },
        "extensionsUsed": [EXTENSION], "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"name": VRM[skeleton.names[joint]]} for joint in joints], "accessors": [], "bufferViews": [],
    }  # fmt: skip
    chunks: list[bytes] = []

    def accessor(values: ndarray, bounds: bool = False) -> int:
        data = np.ascontiguousarray(values, np.float32)
        view = {"buffer": 0, "byteOffset": sum(map(len, chunks)), "byteLength": data.nbytes}
        kind = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}[1 if data.ndim == 1 else data.shape[1]]
        found: dict[str, Any] = {"bufferView": len(chunks), "componentType": 5126, "count": len(data), "type": kind}
        if bounds:
            found |= {"min": [float(data.min())], "max": [float(data.max())]}
        chunks.append(data.tobytes())
        document["bufferViews"].append(view)
        document["accessors"].append(found)
        return len(document["accessors"]) - 1

    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []
    times = accessor(frames.times, bounds=True)

    def track(node: int, path: str, values: ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": accessor(values), "interpolation": "LINEAR"})

    nodes = document["nodes"]
    for node, joint in enumerate(joints):
        above = skeleton.parents[joint]
        while above >= 0 and above not in joints:
            above = skeleton.parents[above]
        if above < 0:
            nodes[node]["translation"] = rest[joint].tolist()
            track(node, "translation", frames.root)
            track(node, "rotation", quaternions(turns[:, joint])[:, [1, 2, 3, 0]])
        else:
            nodes[node]["translation"] = (rest[joint] - rest[above]).tolist()
            nodes[joints.index(above)].setdefault("children", []).append(node)
            relative = turns[:, above].transpose(0, 2, 1) @ turns[:, joint]
            track(node, "rotation", quaternions(relative)[:, [1, 2, 3, 0]])
    extension: dict[str, Any] = {
        "specVersion": "1.0",
        "humanoid": {"humanBones": {nodes[node]["name"]: {"node": node} for node in range(len(joints))}},
    }
    custom = {}
    for name, weights in clip.expressions.items():
        custom[name] = {"node": len(nodes)}
        track(len(nodes), "translation", np.stack([weights, 0 * weights, 0 * weights], 1))
        document["scenes"][0]["nodes"].append(len(nodes))
        nodes.append({"name": name})
    if custom:
        extension["expressions"] = {"custom": custom}
    document["extensions"] = {EXTENSION: extension}
    document["animations"] = [{"name": clip.name, "samplers": samplers, "channels": channels}]
    document["buffers"] = [{"byteLength": sum(map(len, chunks))}]
    return pack_glb(document, b"".join(chunks))
