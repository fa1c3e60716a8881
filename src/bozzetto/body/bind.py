"""Moving bodies: forward kinematics, linear blend skinning, and the T-pose every character file rests in.

Rest orientations are the world's axes, so a joint's rotation is a world-axis rotation in its parent's frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation

from bozzetto.kernels import fast_kernel
from bozzetto.types import Skeleton

Pose: TypeAlias = Mapping[str, tuple[float, float, float, float]]
"""World-axis quaternions (wxyz) by joint name, relative to the rest pose; joints not named stay."""


def joint_transforms(
    joints: Float[ndarray, "j 3"],
    parents: tuple[int, ...],
    rotations: Float[ndarray, "*n j 3 3"],
    root_translation: Float[ndarray, "3"] | None = None,
) -> Float[ndarray, "*n j 3 4"]:
    """Rest-to-posed transforms, of one pose or of many: what skinning multiplies rest points by."""
    rotations = np.moveaxis(rotations, -3, 0)
    linear = np.empty(rotations.shape)
    origin = np.empty(rotations.shape[:-1])
    for i, parent in enumerate(parents):
        if parent < 0:
            linear[i] = rotations[i]
            origin[i] = joints[i] + (0.0 if root_translation is None else root_translation)
        else:
            linear[i] = linear[parent] @ rotations[i]
            origin[i] = origin[parent] + linear[parent] @ (joints[i] - joints[parent])
    offset = origin - np.einsum("j...ab,jb->j...a", linear, joints)
    transforms = np.concatenate([linear, offset[..., None]], -1).astype(np.float32)
    return np.moveaxis(transforms, 0, -3)


def moved_joints(joints: Float[ndarray, "j 3"], transforms: Float[ndarray, "*n j 3 4"]) -> Float[ndarray, "*n j 3"]:
    """Where joints come to lie that each follow a transform of their own."""
    return np.einsum("...jab,jb->...ja", transforms[..., :3], joints) + transforms[..., 3]


def pose_transforms(
    skeleton: Skeleton, pose: Pose, root_translation: Float[ndarray, "3"] | None = None
) -> Float[ndarray, "j 3 4"]:
    """Rest-to-posed transforms of a named pose.

    Raises:
        ValueError: The pose names a joint that the skeleton lacks.
    """
    rotations = np.tile(np.eye(3), (len(skeleton.names), 1, 1))
    if pose:
        rows = [skeleton.index(name) for name in pose]
        quaternions = np.array(list(pose.values()))[:, [1, 2, 3, 0]]
        rotations[rows] = Rotation.from_quat(quaternions).as_matrix()
    return joint_transforms(
        skeleton.positions.numpy().astype(np.float64), skeleton.parents, rotations, root_translation
    )


@fast_kernel
def _skin(points, weights, joints, transforms, out):
    for v in range(points.shape[0]):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        for a in range(3):
            total = np.float32(0)
            for k in range(weights.shape[1]):
                w = weights[v, k]
                if w > 0:
                    j = joints[v, k]
                    moved = transforms[j, a, 0] * x + transforms[j, a, 1] * y + transforms[j, a, 2] * z
                    total += w * (moved + transforms[j, a, 3])
            out[v, a] = total


def skin(
    points: Float[ndarray, "v 3"],
    weights: Float[ndarray, "v 4"],
    joints: Int[ndarray, "v 4"],
    transforms: Float[ndarray, "j 3 4"],
) -> Float[ndarray, "v 3"]:
    """Linear blend skinning: each point moved by the weighted mean of its joints' transforms."""
    out = np.empty((len(points), 3), np.float32)
    _skin(
        np.ascontiguousarray(points, np.float32),
        np.ascontiguousarray(weights, np.float32),
        np.ascontiguousarray(joints, np.int64),
        np.ascontiguousarray(transforms, np.float32),
        out,
    )
    return out


def unskin(
    points: Float[ndarray, "v 3"],
    weights: Float[ndarray, "v 4"],
    joints: Int[ndarray, "v 4"],
    transforms: Float[ndarray, "j 3 4"],
) -> Float[ndarray, "v 3"]:
    """The points that ``skin`` moves to these.

    Raises:
        ValueError: A point without weights, or whose joints flatten it: nothing moves there.
    """
    table = np.ascontiguousarray(transforms.reshape(-1, 12).T, np.float64)
    blend = (table[:, joints[:, k]] * weights[:, k] for k in range(weights.shape[1]))
    a, b, c, left, d, e, f, up, g, h, i, front = sum(blend, np.zeros((12, len(points))))
    x, y, z = points[:, 0] - left, points[:, 1] - up, points[:, 2] - front
    ca, cb, cc = e * i - f * h, f * g - d * i, d * h - e * g
    adjugate = (
        ca * x + (c * h - b * i) * y + (b * f - c * e) * z,
        cb * x + (a * i - c * g) * y + (c * d - a * f) * z,
        cc * x + (b * g - a * h) * y + (a * e - b * d) * z,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        out = (np.stack(adjugate, 1) / (a * ca + b * cb + c * cc)[:, None]).astype(np.float32)
    if not np.isfinite(out).all():
        raise ValueError(
            "Some points have no place before the pose: they have no weights, or their joints flatten them."
        )
    return out


def align(a: Float[ndarray, "3"], b: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The shortest rotation that turns direction ``a`` to direction ``b``."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine, cosine = np.linalg.norm(axis), a @ b
    if sine < 1e-9:
        return np.eye(3)
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, cosine)).as_matrix()


def t_pose_rotations(
    names: tuple[str, ...], parents: tuple[int, ...], joints: Float[ndarray, "j 3"]
) -> Float[ndarray, "j 3 3"]:
    """Rotations from Anny's rest pose to the T-pose: arms along x, palms down, legs straight down, feet as they are."""
    index = {name: i for i, name in enumerate(names)}
    local = np.tile(np.eye(3), (len(names), 1, 1))
    world = np.tile(np.eye(3), (len(names), 1, 1))

    def direction(a: str, b: str) -> Float[ndarray, "3"]:
        return joints[index[b]] - joints[index[a]]

    want: dict[int, Float[ndarray, "3 3"]] = {}
    """World rotations asked of single joints."""
    for side, sign in (("L", 1.0), ("R", -1.0)):
        x = np.array([sign, 0.0, 0.0])
        upper = align(direction(f"upperarm01.{side}", f"lowerarm01.{side}"), x)
        lower = align(direction(f"lowerarm01.{side}", f"wrist.{side}"), x)
        # The hand: middle finger along x, its back up.
        along = direction(f"wrist.{side}", f"finger3-1.{side}")
        across = direction(f"finger5-1.{side}", f"finger2-1.{side}")
        frame = _frame(along, across)
        target = _frame(x, np.array([0.0, 0.0, 1.0]))
        hand = target @ frame.T
        # Half of what the wrist would twist is taken by the lower arm.
        twist = Rotation.from_matrix(hand @ lower.T).as_rotvec() @ x
        half = Rotation.from_rotvec(x * twist * 0.5).as_matrix()
        want[index[f"upperarm01.{side}"]] = upper
        want[index[f"lowerarm01.{side}"]] = lower
        want[index[f"lowerarm02.{side}"]] = half @ lower
        want[index[f"wrist.{side}"]] = hand
        down = np.array([0.0, -1.0, 0.0])
        want[index[f"upperleg01.{side}"]] = align(direction(f"upperleg01.{side}", f"lowerleg01.{side}"), down)
        want[index[f"lowerleg01.{side}"]] = align(direction(f"lowerleg01.{side}", f"foot.{side}"), down)
        want[index[f"foot.{side}"]] = np.eye(3)
    for i, parent in enumerate(parents):
        above = np.eye(3) if parent < 0 else world[parent]
        world[i] = want.get(i, above)
        local[i] = above.T @ world[i]
    return local


def _frame(x: Float[ndarray, "3"], z: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """Orthonormal columns: along ``x``, then perpendicular, then near ``z``."""
    x = x / np.linalg.norm(x)
    z = z - x * (x @ z)
    z = z / np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], 1)


@dataclass(frozen=True, eq=False)
class Bind:
    """How things modelled around Anny's rest pose stand in the T-pose.

    A point's T-pose position is the one that skinning brings back to exactly where it was modelled when the figure
    takes Anny's rest pose again, so what was sculpted with lowered arms keeps its shape there.
    """

    joints: Float[ndarray, "j 3"]
    """In the T-pose."""
    to_rest: Float[ndarray, "j 3 4"]
    """Transforms from the T-pose back to Anny's rest pose."""
    rest_pose: Float[ndarray, "j 3 3"]
    """Joint rotations, relative to the T-pose, that give Anny's rest pose."""

    def place(
        self, points: Float[ndarray, "v 3"], weights: Float[ndarray, "v 4"], joints: Int[ndarray, "v 4"]
    ) -> Float[ndarray, "v 3"]:
        """T-pose positions of points modelled in Anny's rest pose."""
        return unskin(points, weights, joints, self.to_rest)

    def turn(
        self, offsets: Float[ndarray, "n 3"], weights: Float[ndarray, "n 4"], joints: Int[ndarray, "n 4"]
    ) -> Float[ndarray, "n 3"]:
        """T-pose offsets (expressions) of offsets in Anny's rest pose."""
        turns = self.to_rest.copy()
        turns[:, :, 3] = 0
        return unskin(offsets, weights, joints, turns)


def bind_t_pose(names: tuple[str, ...], parents: tuple[int, ...], joints: Float[ndarray, "j 3"]) -> Bind:
    """The T-pose of a body whose joints stand in Anny's rest pose."""
    joints = joints.astype(np.float64)
    rotations = t_pose_rotations(names, parents, joints)
    forward = joint_transforms(joints, parents, rotations)
    posed = moved_joints(joints, forward)
    linear = forward[:, :, :3].transpose(0, 2, 1).astype(np.float64)
    offset = -np.einsum("jab,jb->ja", linear, forward[:, :, 3])
    back = np.concatenate([linear, offset[:, :, None]], 2)
    inverse = np.empty((len(parents), 3, 3))
    for i, parent in enumerate(parents):
        inverse[i] = back[i, :, :3] if parent < 0 else back[parent, :, :3].T @ back[i, :, :3]
    return Bind(posed.astype(np.float32), back.astype(np.float32), inverse)
