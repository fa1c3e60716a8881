"""Feet on the floor: soles, legs that reach them (two-bone inverse kinematics), and how much a standing foot slides.

A leg is the thigh (``upperleg01``), the shin (``lowerleg01``) and the foot; at rest it hangs straight down, and the
knee's axis is x. Where a leg should end is exact; the knee lies in the plane that the caller asks for.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from bozzetto.motion.frames import Frames, about, rest_positions
from bozzetto.types import Avatar, Skeleton

SIDES = ("L", "R")
_STRETCH = 0.9995
"""Of a leg's length, how far it reaches: never quite straight, so that the knee's plane is defined."""


@dataclass(frozen=True, eq=False)
class Sole:
    """What of one foot meets the floor at rest; world positions, metres."""

    heel: Float[ndarray, "3"]
    ball: Float[ndarray, "3"]
    """Below where the toes bend."""
    bend: Float[ndarray, "3"]
    """Where the toes bend: the middle of their joints, above the floor."""
    tip: Float[ndarray, "3"]


def toes(skeleton: Skeleton, side: str) -> list[int]:
    """The joints that toes bend at."""
    return [i for i, name in enumerate(skeleton.names) if name.startswith("toe") and name.endswith(f"-1.{side}")]


def soles(avatar: Avatar) -> dict[str, Sole]:
    """Both soles, from what follows the feet: skin or shoes. Without such layers, from the joints alone."""
    skeleton, rest = avatar.skeleton, rest_positions(avatar.skeleton)
    out = {}
    for side in SIDES:
        foot = skeleton.index(f"foot.{side}")
        bends = rest[toes(skeleton, side)].mean(0)
        below = {foot}
        for joint, parent in enumerate(skeleton.parents):
            if parent in below:
                below.add(joint)
        low = [np.array([rest[foot], rest[foot] + 1.25 * (bends - rest[foot])]) - [0.0, 0.0, 0.035]]
        for layer in avatar.layers:
            main = layer.skin_joints.numpy()[np.arange(len(layer.skin_joints)), layer.skin_weights.numpy().argmax(1)]
            points = layer.mesh.vertices.numpy()[np.isin(main, list(below))].astype(np.float64)
            low.append(points[points[:, 1] < 0.03])
        near = np.concatenate(low[1:] if sum(map(len, low[1:])) else low)
        x = bends[0]
        out[side] = Sole(
            np.array([rest[foot][0], 0.0, near[:, 2].min()]),
            np.array([x, 0.0, bends[2]]),
            bends,
            np.array([x, 0.0, near[:, 2].max()]),
        )
    return out


def leg_length(skeleton: Skeleton) -> float:
    """From hip to ankle, metres."""
    rest = rest_positions(skeleton)
    hip, knee, ankle = (rest[skeleton.index(f"{bone}.L")] for bone in ("upperleg01", "lowerleg01", "foot"))
    return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))


def hips(frames: Frames, side: str) -> Float[ndarray, "k 3"]:
    """Where a thigh begins."""
    rest = rest_positions(frames.skeleton)
    root = frames.skeleton.parents.index(-1)
    arm = rest[frames.skeleton.index(f"upperleg01.{side}")] - rest[root]
    return frames.root + frames.local[:, root] @ arm


def with_leg(
    frames: Frames,
    side: str,
    ankle: Float[ndarray, "k 3"],
    foot: Float[ndarray, "k 3 3"],
    hinge: Float[ndarray, "k 3"],
) -> Frames:
    """The frames with one leg that ends in the given ankle, or as near to it as its length allows.

    Args:
        frames: Pelvis joints between root and thigh must not turn.
        side: L or R.
        ankle: World position of the foot joint.
        foot: Its rotation relative to rest, in world axes.
        hinge: The knee's axis, towards the figure's left; what of it is not square to the leg is ignored.
    """
    skeleton, rest = frames.skeleton, rest_positions(frames.skeleton)
    hip_joint, knee_joint, foot_joint = (skeleton.index(f"{b}.{side}") for b in ("upperleg01", "lowerleg01", "foot"))
    thigh = float(np.linalg.norm(rest[knee_joint] - rest[hip_joint]))
    shin = float(np.linalg.norm(rest[foot_joint] - rest[knee_joint]))
    reach = ankle - hips(frames, side)
    far = np.linalg.norm(reach, axis=1, keepdims=True)
    along = reach / np.maximum(far, 1e-9)
    far = np.clip(far[:, 0], abs(thigh - shin) + 0.05 * thigh, (thigh + shin) * _STRETCH)
    axis = hinge - along * (hinge * along).sum(1, keepdims=True)
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    at_hip = np.arccos(np.clip((thigh**2 + far**2 - shin**2) / (2 * thigh * far), -1, 1))
    at_knee = np.pi - np.arccos(np.clip((thigh**2 + shin**2 - far**2) / (2 * thigh * shin), -1, 1))
    # Straight along the reach, the leg's frame is (axis, away from the reach, forward); the thigh swings forward of it.
    straight = np.stack([axis, -along, np.cross(axis, -along)], 2)
    upper = straight @ _x_turn(-at_hip)
    lower = upper @ _x_turn(at_knee)
    local = frames.local.copy()
    root = skeleton.parents.index(-1)
    local[:, hip_joint] = frames.local[:, root].transpose(0, 2, 1) @ upper
    local[:, knee_joint] = _x_turn(at_knee)
    local[:, foot_joint] = lower.transpose(0, 2, 1) @ foot
    for bone in ("pelvis", "upperleg02", "lowerleg02"):
        if f"{bone}.{side}" in skeleton.names:
            local[:, skeleton.index(f"{bone}.{side}")] = np.eye(3)
    return Frames(skeleton, frames.times, local, frames.root)


def _x_turn(radians: Float[ndarray, "k"]) -> Float[ndarray, "k 3 3"]:
    return about(np.array([1.0, 0.0, 0.0]), radians)


def lowered(frames: Frames, ankles: dict[str, Float[ndarray, "k 3"]], smooth: float = 2.0) -> Frames:
    """The frames with the root lowered, smoothly, where a leg would not reach its ankle.

    Args:
        smooth: Frames that the change is spread over.
    """
    need = np.zeros(len(frames.times))
    for side, ankle in ankles.items():
        reach = leg_length(frames.skeleton) * _STRETCH
        hip = hips(frames, side)
        aside = ((hip - ankle)[:, [0, 2]] ** 2).sum(1)
        need = np.maximum(need, hip[:, 1] - ankle[:, 1] - np.sqrt(np.maximum(reach**2 - aside, 0.0)))
    width = 2 * int(np.ceil(3 * smooth)) + 1
    drop = gaussian_filter1d(maximum_filter1d(need, width, mode="nearest"), smooth, mode="nearest", truncate=3.0)
    root = frames.root.copy()
    root[:, 1] -= drop
    return Frames(frames.skeleton, frames.times, frames.local, root)


def sole_points(frames: Frames, side: str, sole: Sole) -> Float[ndarray, "k 3 3"]:
    """Heel, ball and tip of one foot, where they are; the tip follows the middle toe."""
    skeleton, rest = frames.skeleton, rest_positions(frames.skeleton)
    turns, points = frames.forward()
    foot = skeleton.index(f"foot.{side}")
    bends = toes(skeleton, side)
    toe = bends[len(bends) // 2]
    heel, ball, bend = (
        points[:, foot] + turns[:, foot] @ (each - rest[foot]) for each in (sole.heel, sole.ball, sole.bend)
    )
    tip = bend + turns[:, toe] @ (sole.tip - sole.bend)
    return np.stack([heel, ball, tip], 1)


def slides(
    points: Float[ndarray, "k 3"], contact: Bool[ndarray, "k"], times: Float[ndarray, "k"]
) -> Float[ndarray, "n"]:
    """Horizontal speeds, metres a second, of a point between neighbouring frames that both count as contact."""
    both = contact[1:] & contact[:-1]
    steps = np.linalg.norm(np.diff(points[:, [0, 2]], axis=0), axis=1) / np.maximum(np.diff(times), 1e-9)
    return steps[both]
