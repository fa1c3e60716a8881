"""Moving skeletons as arrays: every frame of a clip at once."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation, Slerp

from bozzetto.types import Clip, Skeleton


@dataclass(frozen=True, eq=False)
class Frames:
    """A skeleton in motion, sampled at its own times."""

    skeleton: Skeleton
    times: Float[ndarray, "k"]
    """Seconds, from zero."""
    local: Float[ndarray, "k j 3 3"]
    """World-axis rotations relative to rest, in each joint's parent frame."""
    root: Float[ndarray, "k 3"]
    """World position of the root joint, metres."""

    def forward(self) -> tuple[Float[ndarray, "k j 3 3"], Float[ndarray, "k j 3"]]:
        """Each joint's rotation relative to rest, in world axes, and its position."""
        return forward(rest_positions(self.skeleton), self.skeleton.parents, self.local, self.root)


def rest_positions(skeleton: Skeleton) -> Float[ndarray, "j 3"]:
    """Joints at rest, in double precision."""
    return skeleton.positions.numpy().astype(np.float64)


def forward(
    rest: Float[ndarray, "j 3"],
    parents: tuple[int, ...],
    local: Float[ndarray, "k j 3 3"],
    root: Float[ndarray, "k 3"],
) -> tuple[Float[ndarray, "k j 3 3"], Float[ndarray, "k j 3"]]:
    """World rotations relative to rest, and positions; parents come before their children."""
    turns, points = np.empty(local.shape), np.empty(local.shape[:3])
    for joint, parent in enumerate(parents):
        if parent < 0:
            turns[:, joint], points[:, joint] = local[:, joint], root
        else:
            turns[:, joint] = turns[:, parent] @ local[:, joint]
            points[:, joint] = points[:, parent] + turns[:, parent] @ (rest[joint] - rest[parent])
    return turns, points


def to_frames(clip: Clip, skeleton: Skeleton) -> Frames:
    """A clip on the skeleton it is for."""
    count = len(clip.times)
    local = np.tile(np.eye(3), (count, len(skeleton.names), 1, 1))
    for name, wxyz in clip.rotations_wxyz.items():
        local[:, skeleton.index(name)] = matrices(wxyz)
    root = np.tile(rest_positions(skeleton)[skeleton.parents.index(-1)], (count, 1))
    if clip.root_translation is not None:
        root = root + clip.root_translation
    return Frames(skeleton, clip.times.astype(np.float64), local, root)


def to_clip(name: str, frames: Frames) -> Clip:
    """Frames as a clip. Joints that never turn are left out, and neighbouring quaternions lie the short way round."""
    turned = {}
    for joint, joint_name in enumerate(frames.skeleton.names):
        wxyz = quaternions(frames.local[:, joint])
        if np.abs(wxyz - [1, 0, 0, 0]).max() > 1e-5:
            turned[joint_name] = wxyz.astype(np.float32)
    rest = rest_positions(frames.skeleton)[frames.skeleton.parents.index(-1)]
    return Clip(name, frames.times.astype(np.float32), turned, (frames.root - rest).astype(np.float32))


def matrices(wxyz: Float[ndarray, "k 4"]) -> Float[ndarray, "k 3 3"]:
    return Rotation.from_quat(np.asarray(wxyz, np.float64)[:, [1, 2, 3, 0]]).as_matrix()


def quaternions(turns: Float[ndarray, "k 3 3"]) -> Float[ndarray, "k 4"]:
    """As wxyz, beginning with a positive w; each the nearer of two to the one before."""
    wxyz = Rotation.from_matrix(turns).as_quat()[:, [3, 0, 1, 2]]
    away = (wxyz[1:] * wxyz[:-1]).sum(1) < 0
    first = np.where(wxyz[:1, 0] < 0, -1.0, 1.0)
    return wxyz * np.cumprod(np.concatenate([first, np.where(away, -1.0, 1.0)]))[:, None]


def between(first: Float[ndarray, "k 3 3"], last: Float[ndarray, "k 3 3"], share: float) -> Float[ndarray, "k 3 3"]:
    """Rotations a share of the way from the first to the last, the short way round."""
    way = Rotation.from_matrix(first.transpose(0, 2, 1) @ last).as_rotvec()
    return first @ Rotation.from_rotvec(share * way).as_matrix()


def twist_about(turns: Float[ndarray, "k 3 3"], axis: Float[ndarray, "3"]) -> Float[ndarray, "k"]:
    """Radians that rotations turn about an axis: the twist of their swing-twist decomposition, in (-pi, pi]."""
    x, y, z, w = Rotation.from_matrix(turns).as_quat().T
    along = np.stack([x, y, z], 1) @ (axis / np.linalg.norm(axis))
    angle = 2 * np.arctan2(along, w)
    return (angle + np.pi) % (2 * np.pi) - np.pi


def about(axis: Float[ndarray, "3"], radians: Float[ndarray, "k"]) -> Float[ndarray, "k 3 3"]:
    """Rotations about one axis."""
    return Rotation.from_rotvec(np.outer(radians, axis / np.linalg.norm(axis))).as_matrix()


def shortest(first: Float[ndarray, "3"], last: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The smallest rotation from one direction to another; half a turn about any axis where they oppose."""
    a, b = first / np.linalg.norm(first), last / np.linalg.norm(last)
    axis = np.cross(a, b)
    sine, cosine = float(np.linalg.norm(axis)), float(a @ b)
    if sine < 1e-9:
        if cosine > 0:
            return np.eye(3)
        axis = np.cross(a, np.eye(3)[np.abs(a).argmin()])
        sine = float(np.linalg.norm(axis))
        return Rotation.from_rotvec(axis / sine * np.pi).as_matrix()
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)).as_matrix()


def resampled(frames: Frames, fps: float) -> Frames:
    """The same motion at another rate; its last moment is kept."""
    length = float(frames.times[-1] - frames.times[0])
    if len(frames.times) < 2 or length <= 0:
        return frames
    times = np.linspace(0.0, length, max(round(length * fps), 1) + 1)
    return replace(at_times(frames, times + frames.times[0]), times=times)


def at_times(frames: Frames, times: Float[ndarray, "k"]) -> Frames:
    """The motion at other moments; before its first and after its last it stands still."""
    first, last = frames.times[[0, -1]]
    here = np.clip(times, first, last)
    local = np.empty((len(times), *frames.local.shape[1:]))
    for joint in range(frames.local.shape[1]):
        turns = Rotation.from_matrix(frames.local[:, joint])
        local[:, joint] = Slerp(frames.times, turns)(here).as_matrix() if last > first else frames.local[0, joint]
    root = np.stack([np.interp(here, frames.times, frames.root[:, axis]) for axis in range(3)], 1)
    return replace(frames, times=times, local=local, root=root)
