"""Motions as SMPL, SMPL-H and SMPL-X parameters in ``.npz`` files, AMASS's layout among them. Nothing is unpickled.

Only rotations and the path are read. The models' bodies are under licences of their own and not needed: their T-pose is
ours, so the joints' names and order are enough, and a middle-sized body of ours stands in for lengths.
"""

import io
import lzma
import tokenize
import zipfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from bozzetto.files import read_limited
from bozzetto.motion.source import MOST_BYTES, TOO_LARGE, Source, checked, limit
from bozzetto.types import UserError

_BODY = (
    "root upperleg01.L upperleg01.R spine05 lowerleg01.L lowerleg01.R spine03 foot.L foot.R spine01 toes.L toes.R "
    "neck01 clavicle.L clavicle.R head upperarm01.L upperarm01.R lowerarm01.L lowerarm01.R wrist.L wrist.R"
).split()
"""The 22 joints that all models begin with, by our names."""
_BODY_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)
_HAND = [f"finger{finger}-{part}" for finger in (2, 3, 5, 4, 1) for part in (1, 2, 3)]
_ROTATIONS = ("poses", "smpl_poses", "fullpose", "full_pose")
_PARTS = (
    ("root_orient", "global_orient"), ("pose_body", "body_pose"), ("pose_jaw", "jaw_pose"),
    ("left_hand_pose",), ("right_hand_pose",), ("pose_hand",),
)  # fmt: skip
_PATHS = ("trans", "transl", "smpl_trans")
_RATES = ("mocap_frame_rate", "mocap_framerate", "fps", "frame_rate")
_WIDE_JAW = 0.36
"""Radians by which a jaw that is wide open has turned."""


def read_npz(path: Path) -> Source:
    """The motion in a parameter file, +y up. Shape (betas) is ignored.

    Raises:
        UserError: It cannot be read, holds no such parameters, is damaged or too long.
    """
    data = read_limited(path, MOST_BYTES, TOO_LARGE)
    try:
        return checked(_source(_arrays(data), path.name), path.name)
    except (ValueError, LookupError, TypeError, OverflowError, MemoryError, NotImplementedError, zipfile.BadZipFile,
            zipfile.LargeZipFile) as error:  # fmt: skip
        raise UserError(
            f"{path.name} is no SMPL-X parameter file that can be used: {str(error)[:200]}. It needs 'poses' (frames x "
            "165, 156 or 72 axis-angle values) or 'root_orient' and 'pose_body', and may have 'trans' and a frame rate."
        ) from None


def _arrays(data: bytes) -> dict[str, ndarray]:
    """The arrays that matter, each read only after its header said that it is small enough and of numbers."""
    wanted = {*_ROTATIONS, *_PATHS, *_RATES, *(name for names in _PARTS for name in names)}
    out: dict[str, ndarray] = {}
    left = MOST_BYTES
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name not in wanted or name in out:
                continue
            try:
                found = _array(archive, member, left)
            # What the archive's and the header's own readers answer damage with.
            except (zlib.error, lzma.LZMAError, tokenize.TokenError, SyntaxError, LookupError, EOFError, OSError,
                    RuntimeError) as error:  # fmt: skip
                raise ValueError(f"{name!r} is damaged ({error})") from error
            left -= found.nbytes
            out[name] = found.astype(np.float64)
    return out


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> ndarray:
    """One array, if it has at most so many bytes."""
    with archive.open(member) as file:
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = readers[np.lib.format.read_magic(file)](file)
        if dtype.kind not in "fiu" or dtype.itemsize > 8:
            raise ValueError(f"{member.filename!r} holds {dtype}, not plain numbers")
        size = dtype.itemsize * int(np.prod([int(side) for side in shape], dtype=object))
        if not 0 <= size <= most:
            raise ValueError(f"{member.filename!r} is too large: {shape}")
        data = file.read(size)
    if len(data) != size:
        raise ValueError(f"{member.filename!r} is cut off")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _source(arrays: dict[str, ndarray], name: str) -> Source:
    poses, jaw = _poses(arrays)
    frames = len(poses)
    limit(name, 52, max(frames, 1))
    if not frames or not all(np.isfinite(values).all() for values in arrays.values()):
        raise ValueError("it has no frames, or values that are not finite numbers")
    if np.abs(poses).max() > 1e3:
        raise ValueError("its angles are no radians")
    rate = next((float(arrays[each].ravel()[0]) for each in _RATES if each in arrays and arrays[each].size), 30.0)
    if not 1 <= rate <= 1000:
        raise ValueError(f"{rate:g} frames a second is no motion")
    names: list[str] = [*_BODY]
    parents: list[int] = [*_BODY_PARENTS]
    if poses.shape[1] == 52:
        for side, wrist in (("L", 20), ("R", 21)):
            for index, finger in enumerate(_HAND):
                parents.append(wrist if index % 3 == 0 else len(names) - 1)
                names.append(f"{finger}.{side}")
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape[:2], 3, 3)
    turns = np.empty_like(local)
    for joint, parent in enumerate(parents):
        turns[:, joint] = local[:, joint] if parent < 0 else turns[:, parent] @ local[:, joint]
    path = next((arrays[each] for each in _PATHS if each in arrays), np.zeros((frames, 3)))
    if path.shape != (frames, 3):
        raise ValueError(f"its path has the shape {path.shape} for {frames} frames")
    rest = _rest()
    # AMASS keeps its scanners' axes, z up; other files have y up. The pelvis tells: people are mostly upright.
    if np.abs(turns[:, 0, 2, 1].mean()) > np.abs(turns[:, 0, 1, 1].mean()):
        to_y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
        turns, path = to_y @ turns, path @ to_y.T
    elif turns[:, 0, 1, 1].mean() < 0:  # cameras look down their y axis
        flip = np.diag([1.0, -1.0, -1.0])
        turns, path = flip @ turns, path @ flip.T
    points = np.stack([rest[each] for each in names])
    faces = {} if jaw is None else {"jawOpen": np.clip(jaw[:, 0] / _WIDE_JAW, 0.0, 1.0)}
    return Source(
        tuple(names), tuple(parents), points, np.arange(frames) / rate, turns, points[0] + path, expressions=faces
    )


def _poses(arrays: dict[str, ndarray]) -> tuple[Float[ndarray, "k j 3"], Float[ndarray, "k 3"] | None]:
    """Axis-angles of 22 joints, or of 52 where there are hands; and the jaw's."""
    whole = next((arrays[name] for name in _ROTATIONS if name in arrays), None)
    if whole is not None:
        flat = whole.reshape(len(whole), -1)
        joints, odd = divmod(flat.shape[1], 3)
        if odd or joints not in (22, 24, 52, 55):
            raise ValueError(f"its poses have {flat.shape[1]} values a frame")
        rows = flat.reshape(len(flat), joints, 3)
        if joints == 55:
            return np.concatenate([rows[:, :22], rows[:, 25:]], 1), rows[:, 22]
        return (rows, None) if joints == 52 else (rows[:, :22], None)
    given = {names[0]: next((arrays[each] for each in names if each in arrays), None) for names in _PARTS}
    root, body = given["root_orient"], given["pose_body"]
    if root is None or body is None:
        raise KeyError("it holds no poses")
    parts = [root.reshape(len(root), 1, 3), body.reshape(len(body), -1, 3)[:, :21]]
    hands = given["pose_hand"]
    if hands is None and given["left_hand_pose"] is not None and given["right_hand_pose"] is not None:
        both = (given["left_hand_pose"], given["right_hand_pose"])
        hands = np.concatenate([each.reshape(len(each), -1) for each in both], 1)
    if hands is not None and hands.reshape(len(hands), -1).shape[1] == 90:
        parts.append(hands.reshape(len(hands), 30, 3))
    jaw = given["pose_jaw"]
    jaw = jaw.reshape(len(jaw), -1)[:, :3] if jaw is not None and jaw.size == 3 * len(root) else None
    poses = np.concatenate(parts, 1)
    if poses.shape[1] not in (22, 52):
        raise ValueError(f"its body has {poses.shape[1] - 1} joints, not 21")
    return poses, jaw


@cache
def _rest() -> dict[str, Float[ndarray, "3"]]:
    """Where the joints are in the T-pose of a body of ours, 1.7 m tall."""
    from bozzetto.body.bind import bind_t_pose
    from bozzetto.body.model import load_body
    from bozzetto.body.person import shape_person
    from bozzetto.figure.spec import BodySpec, FaceSpec

    body = load_body()
    shaped = shape_person(body, BodySpec("androgynous", 30, 1.7, 0.5), FaceSpec())
    joints = bind_t_pose(body.joint_names, body.joint_parents, shaped.joints).joints.astype(np.float64)
    out = dict(zip(body.joint_names, joints, strict=True))
    # The models' pelvis lies between the hips, ours behind them.
    out["root"] = (out["upperleg01.L"] + out["upperleg01.R"]) / 2 + [0.0, 0.09, 0.0]
    for side in "LR":
        out[f"toes.{side}"] = np.mean(
            [p for n, p in out.items() if n.startswith("toe") and n.endswith(f"-1.{side}")], 0
        )
    return out
