"""Biovision's BVH in and out: a tree of joints with offsets and channels, then one line of numbers a frame.

The format has no specification of its own; this follows its usual description (Meredith & Maddock 2001, Motion capture
file formats explained): offsets in the parent's axes, rotations about moving axes in the order of the channels.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from bozzetto.files import atomic_path, read_limited
from bozzetto.motion.frames import rest_positions, to_frames
from bozzetto.motion.source import MOST_BYTES, MOST_FRAMES, MOST_JOINTS, TOO_LARGE, Source, checked, limit
from bozzetto.types import Clip, Skeleton, UserError

_LONGEST_HIERARCHY = 1 << 22
"""Characters."""
_CHANNELS = ("xposition", "yposition", "zposition", "xrotation", "yrotation", "zrotation")


@dataclass(eq=False)
class _Joint:
    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[str] = field(default_factory=list)
    end: tuple[float, float, float] | None = None


def read_bvh(path: Path) -> Source:
    """The motion of a BVH file.

    Raises:
        UserError: It cannot be read, is no BVH, is damaged or too long.
    """
    text = read_limited(path, MOST_BYTES, TOO_LARGE).decode("utf-8", "replace").replace("\r", "\n")
    try:
        return checked(_parsed(text, path.name), path.name)
    except (ValueError, OverflowError) as error:
        raise UserError(f"{path.name} is no BVH file that can be used: {error}. Export the motion again.") from None


def _parsed(text: str, name: str) -> Source:
    start = re.search(r"^[ \t]*MOTION\b", text, re.MULTILINE)
    if start is None:
        raise ValueError("there is no line MOTION")
    if start.start() > _LONGEST_HIERARCHY:
        raise ValueError(f"its hierarchy has {start.start()} characters")
    joints = _hierarchy(text[: start.start()].split())
    lines = (line for each in re.finditer(r"[^\n]+", text[start.end() :]) if (line := each[0].strip()))
    frames, seconds = _header(list(itertools.islice(lines, 2)))
    limit(name, len(joints), frames)
    values = _values(lines, frames, sum(len(joint.channels) for joint in joints))
    parents = tuple(joint.parent for joint in joints)
    offsets = np.array([joint.offset for joint in joints], np.float64)
    rest = np.zeros((len(joints), 3))
    local = np.tile(np.eye(3), (frames, len(joints), 1, 1))
    root = np.tile(offsets[0], (frames, 1))
    column = 0
    for index, joint in enumerate(joints):
        rest[index] = offsets[index] + (rest[joint.parent] if joint.parent >= 0 else 0.0)
        own = values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        places = [(axis, i) for i, axis in enumerate(joint.channels) if axis.endswith("position")]
        if index == 0 and places:
            root = np.zeros((frames, 3))
            for axis, i in places:
                root[:, "xyz".index(axis[0])] = own[:, i]
        angles = [(axis[0].upper(), i) for i, axis in enumerate(joint.channels) if axis.endswith("rotation")]
        for axis, i in angles:
            turn = np.zeros((frames, 3))
            turn[:, "XYZ".index(axis)] = np.radians(np.remainder(own[:, i], 360.0))
            local[:, index] = local[:, index] @ Rotation.from_rotvec(turn).as_matrix()
    turns = np.empty_like(local)
    for index, parent in enumerate(parents):
        turns[:, index] = local[:, index] if parent < 0 else turns[:, parent] @ local[:, index]
    ends = {i: rest[i] + np.array(joint.end) for i, joint in enumerate(joints) if joint.end is not None}
    times = np.arange(frames) * seconds
    return Source(tuple(joint.name for joint in joints), parents, rest, times, turns, root, ends)


def _hierarchy(words: list[str]) -> list[_Joint]:
    """The joints, parents first. No recursion: a hostile file may nest as deeply as it likes."""
    if not words or words[0].upper() != "HIERARCHY":
        raise ValueError("it does not begin with HIERARCHY")
    joints: list[_Joint] = []
    open_: list[int] = []
    """Joints whose braces are open; an end site's is -1."""
    at = 1

    def numbers(count: int) -> list[float]:
        nonlocal at
        at += count
        if at > len(words):
            raise ValueError("its hierarchy is cut off")
        found = [float(word) for word in words[at - count : at]]
        if not np.isfinite(found).all():
            raise ValueError("an offset is not a finite number")
        return found

    while at < len(words):
        word = words[at].upper()
        at += 1
        if word in ("ROOT", "JOINT", "END"):
            brace = next((i for i in range(at, min(at + 32, len(words))) if words[i] == "{"), None)
            if brace is None:
                raise ValueError(f"{word} {' '.join(words[at : at + 1])[:40]} opens no brace")
            label, at = " ".join(words[at:brace]), brace + 1
            if word == "ROOT" and joints:
                raise ValueError("it has more than one root: bozzetto takes one person a file")
            if (word == "ROOT") == bool(open_) or (open_ and open_[-1] < 0):
                raise ValueError(f"{word} {label[:40]} stands in the wrong place")
            if word == "END":
                open_.append(-1)
                continue
            if len(joints) >= MOST_JOINTS:
                raise ValueError(f"it has more than {MOST_JOINTS} joints")
            joints.append(_Joint(label[:128], open_[-1] if open_ else -1))
            open_.append(len(joints) - 1)
        elif word == "OFFSET" and open_:
            x, y, z = numbers(3)
            if open_[-1] < 0:
                joints[open_[-2]].end = (x, y, z)
            else:
                joints[open_[-1]].offset = (x, y, z)
        elif word == "CHANNELS" and open_ and open_[-1] >= 0:
            (count,) = numbers(1)
            if count not in range(7):
                raise ValueError(f"joint {joints[open_[-1]].name!r:.40} has {count:g} channels")
            channels = [each.lower() for each in words[at : at + int(count)]]
            at += int(count)
            if any(each not in _CHANNELS for each in channels) or len(channels) < count:
                raise ValueError(f"joint {joints[open_[-1]].name!r:.40} has unknown channels {channels}")
            joints[open_[-1]].channels = channels
        elif word == "}" and open_:
            open_.pop()
        else:
            raise ValueError(f"{word[:40]!r} is not expected in its hierarchy")
    if open_ or not joints:
        raise ValueError("its hierarchy is cut off")
    return joints


def _header(lines: list[str]) -> tuple[int, float]:
    """The number of frames and the seconds of one."""
    found = [re.fullmatch(pattern, line.strip(), re.IGNORECASE) for pattern, line in zip(
        (r"Frames\s*:\s*(\d+)", r"Frame\s*Time\s*:\s*(\S{1,32})"), lines, strict=False
    )]  # fmt: skip
    if len(found) < 2 or found[0] is None or found[1] is None:
        raise ValueError('"Frames:" and "Frame Time:" do not follow MOTION')
    if len(found[0][1].lstrip("0")) > 9:
        raise ValueError(f"it announces {found[0][1][:20]} frames, and up to {MOST_FRAMES} are taken")
    frames, seconds = int(found[0][1]), float(found[1][1])
    if frames < 1:
        raise ValueError("it has no frames")
    if not 1e-4 <= seconds <= 10:
        raise ValueError(f"a frame of {seconds:g} s is no motion")
    return frames, seconds


def _values(lines: Iterator[str], frames: int, columns: int) -> Float[ndarray, "k c"]:
    values = np.empty((frames, columns))
    for index in range(frames):
        line = next(lines, None)
        if line is None:
            raise ValueError(f"it announces {frames} frames and has {index}")
        words = line.split()
        if len(words) != columns:
            raise ValueError(f"frame {index + 1} has {len(words)} numbers, not {columns}")
        values[index] = [float(word) for word in words]
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite numbers")
    return values


def write_bvh(clip: Clip, skeleton: Skeleton, path: Path, names: tuple[str, ...] | None = None) -> None:
    """A clip as BVH in centimetres: whole, or not at all. Faces have no place in the format.

    Args:
        clip: On this skeleton; its times are evenly spaced.
        skeleton: At rest in the T-pose.
        path: Replaced if it exists.
        names: Of the joints; the skeleton's own when None.
    """
    frames, rest = to_frames(clip, skeleton), 100 * rest_positions(skeleton)
    names = names or skeleton.names
    children: list[list[int]] = [[] for _ in names]
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            children[parent].append(joint)
    order: list[int] = []
    lines = ["HIERARCHY"]

    def write(joint: int, depth: int) -> None:
        order.append(joint)
        parent = skeleton.parents[joint]
        pad = "\t" * depth
        offset = rest[joint] - (rest[parent] if parent >= 0 else 0.0)
        places = "6 Xposition Yposition Zposition" if parent < 0 else "3"
        lines.extend((
            f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {names[joint]}", f"{pad}{{", f"{pad}\tOFFSET {_row(offset)}",
            f"{pad}\tCHANNELS {places} Zrotation Xrotation Yrotation",
        ))  # fmt: skip
        for child in children[joint]:
            write(child, depth + 1)
        if not children[joint]:
            end = 0.3 * (rest[joint] - rest[parent])
            lines.extend((f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {_row(end)}", f"{pad}\t}}"))
        lines.append(f"{pad}}}")

    write(skeleton.parents.index(-1), 0)
    step = float(np.diff(frames.times).mean()) if len(frames.times) > 1 else 1 / 30
    lines += ["MOTION", f"Frames: {len(frames.times)}", f"Frame Time: {step:.8f}"]
    angles = np.stack([Rotation.from_matrix(frames.local[:, j]).as_euler("ZXY", degrees=True) for j in order], 1)
    rows = np.concatenate([100 * frames.root, angles.reshape(len(angles), -1)], 1)
    lines += [_row(row) for row in rows]
    with atomic_path(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(values: Float[ndarray, "n"]) -> str:
    return " ".join(f"{value:.6g}" for value in values)
