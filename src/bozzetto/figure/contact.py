"""A named pose as one body takes it, whatever its build: palms meet, arms cross, what rests on the floor reaches it.

The table of ``body.poses`` is right for a body of average build. Here few of its angles are solved again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.ndimage import maximum_filter
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import joint_transforms, pose_transforms, skin
from bozzetto.body.poses import LIMITS, Arm, Posture, rotations
from bozzetto.figure.build import Figure, posture_named
from bozzetto.types import Skeleton


class _Rest(NamedTuple):
    """What one angle brings to the floor."""

    limb: str
    """Field of a posture; "" is the posture itself."""
    angle: str
    part: tuple[str, ...]
    """Joints, by how they start."""
    side: str
    """How they end."""


class _Floor(NamedTuple):
    """What lies on the floor by itself, and what is brought to it."""

    support: tuple[str, ...]
    rests: tuple[_Rest, ...]


_FOOT, _HAND = ("foot", "toe"), ("wrist", "finger", "metacarpal")
_ON_THE_FLOOR: Mapping[str, _Floor] = {
    "kneeling": _Floor(
        ("upperleg02", "lowerleg01"), tuple(_Rest(f"{s}_leg", "knee", _FOOT, s[0].upper()) for s in ("left", "right"))
    ),
    "lying on the back": _Floor(
        ("spine", "root", "pelvis", "clavicle", "shoulder"),
        (
            _Rest("", "nod", ("head",), ""),
            *(_Rest(f"{s}_leg", "flex", _FOOT, s[0].upper()) for s in ("left", "right")),
            *(_Rest(f"{s}_arm", "swing", _HAND, s[0].upper()) for s in ("left", "right")),
        ),
    ),
}
_ARM = (
    "clavicle.L", "shoulder01.L", "upperarm01.L", "upperarm02.L", "lowerarm01.L", "lowerarm02.L", "wrist.L",
    "metacarpal1.L", "metacarpal2.L", "metacarpal4.L", "finger1-1.L", "finger1-2.L", "finger1-3.L", "finger2-1.L",
    "finger3-1.L", "finger5-1.L", "finger2-2.L", "finger2-3.L", "finger3-2.L", "finger3-3.L", "finger5-2.L",
    "finger5-3.L",
)  # fmt: skip
"""Joints of an arm, each after its parent."""
_HAND_POINTS = ("finger1-3.L", "finger2-1.L", "finger5-1.L", "finger2-3.L", "finger3-3.L", "finger5-3.L")
_CROSSED = ("down", "swing", "forward", "twist", "elbow", "roll", "wrist")
_OUTER = {"down": 74.0, "swing": 46.0, "twist": -80.0, "elbow": 106.0, "roll": 40.0, "wrist": 10.0, "curl": 24.0}
_INNER = {"down": 80.0, "swing": 34.0, "twist": -80.0, "elbow": 118.0, "roll": 60.0, "wrist": 10.0, "curl": 20.0}
"""Angles from which crossed arms are solved; degrees."""
_KEPT = 0.02
"""What a degree away from them weighs against a centimetre."""
_STEPS, _SETTLED = 14, 0.01
"""Most steps of the solution, and the share by which a step must better it for another."""
_GAP = 0.004
"""Between crossed arms; metres."""
_PRESSED = 0.004
"""How far palms press into each other, and hands into clothes; metres."""
_LEVEL = 14.0
"""A foot that slopes so far from ankle to toes points as the pose says, a steeper one less; degrees."""
_CELL = 0.015
"""Clothes are compared with a hand within squares of this side, metres."""


def taken(figure: Figure, name: str) -> Posture:
    """The named pose, its angles fitted to the figure.

    Raises:
        ValueError: No such pose.
    """
    posture = posture_named(name)
    kind = {"lying": "lying on the back"}.get(name, name).rstrip(" 0123456789")
    if kind == "praying":
        return palms_together(figure, posture)
    if kind == "arms crossed":
        return arms_crossed(figure, posture)
    if kind in ("hands on hips", "hero"):
        return hands_beside(figure, posture)
    if kind == "kneeling":
        posture = _toes_down(figure, posture)
    if kind in _ON_THE_FLOOR:
        return _rested(figure, posture, _ON_THE_FLOOR[kind])
    return clear_of_head(figure, posture)


def clear_of_head(figure: Figure, posture: Posture) -> Posture:
    """The posture with the elbow of a hand that would be inside a large head stretched until it is not."""
    bent = [side for side in ("left", "right") if getattr(posture, f"{side}_arm").elbow > 50]
    if not bent:
        return posture
    head, skeleton = _Part.of(figure, ("head",), ""), figure.avatar.skeleton
    for side in bent:
        hand, arm = _Part.of(figure, _HAND, side[0].upper()), getattr(posture, f"{side}_arm")
        for elbow in np.arange(arm.elbow, max(arm.elbow - 60, 0), -4):
            posture = replace(posture, **{f"{side}_arm": replace(arm, elbow=float(elbow))})
            moved = pose_transforms(skeleton, rotations(posture))
            low, high = (end(skin(*head, moved), 0) for end in (np.min, np.max))
            away = (skin(*hand, moved) - (low + high) / 2) / ((high - low) / 2)
            if (away**2).sum(1).min() > 1:
                break
    return posture


class _Limb(NamedTuple):
    """One arm of a body with its sleeve, as if it were the left one."""

    joints: Float[ndarray, "j 3"]
    parents: tuple[int, ...]
    middle: float
    """Where the body's plane of symmetry is, metres."""
    upper: Float[ndarray, "2"]
    lower: Float[ndarray, "2"]
    """Radius at both ends of upper arm and forearm, metres."""
    chin: float
    """Height that crossed arms stay under, metres."""

    @classmethod
    def of(cls, figure: Figure) -> "_Limb":
        skeleton = figure.avatar.skeleton
        rows = [skeleton.index(name) for name in _ARM]
        joints = skeleton.positions.numpy()[rows].astype(np.float64)
        shoulder, elbow, wrist = (joints[_ARM.index(name)] for name in ("upperarm01.L", "lowerarm01.L", "wrist.L"))
        worn = _worn(figure)
        upper = _thick(worn, skeleton, "upperarm", shoulder, elbow)
        lower = _thick(worn, skeleton, "lowerarm", elbow, wrist)
        parents = tuple(rows.index(skeleton.parents[row]) if skeleton.parents[row] in rows else -1 for row in rows)
        chin = float(_Part.of(figure, ("head",), "").points[:, 1].min())
        return cls(joints, parents, float(skeleton.positions[skeleton.index("root"), 0]), upper, lower, chin)

    def posed(self, arms: Sequence[Arm]) -> Float[ndarray, "n j 3"]:
        turns = [rotations(Posture(left_arm=arm)) for arm in arms]
        still = (1.0, 0.0, 0.0, 0.0)
        quaternions = np.array([[turn.get(name, still) for name in _ARM] for turn in turns])
        local = Rotation.from_quat(quaternions.reshape(-1, 4)[:, [1, 2, 3, 0]]).as_matrix()
        turned = local.reshape(len(arms), len(_ARM), 3, 3)
        out = np.tile(self.joints, (len(arms), 1, 1))
        for i, parent in enumerate(self.parents):
            if parent >= 0:
                out[:, i] = out[:, parent] + turned[:, parent] @ (self.joints[i] - self.joints[parent])
                turned[:, i] = turned[:, parent] @ turned[:, i]
        return out


def _worn(figure: Figure) -> "_Part":
    """All that is worn, and the skin, in the T-pose."""
    parts = [(layer.mesh.vertices, layer.skin_weights, layer.skin_joints) for layer in figure.avatar.layers]
    points, weights, joints = (np.concatenate([each.numpy() for each in kind]) for kind in zip(*parts, strict=True))
    return _Part(points, weights, joints)


def _thick(
    worn: "_Part", skeleton: Skeleton, starts: str, first: Float[ndarray, "3"], last: Float[ndarray, "3"]
) -> Float[ndarray, "2"]:
    """Radius of a limb at both its ends."""
    joints = [i for i, name in enumerate(skeleton.names) if name.startswith(starts) and name.endswith("L")]
    points = worn.points[np.isin(worn.joints[np.arange(len(worn.joints)), worn.weights.argmax(1)], joints)]
    along = (points - first) @ (last - first) / ((last - first) @ (last - first))
    away = np.linalg.norm(points - first - along[:, None] * (last - first), axis=1)
    near, far = (float(np.percentile(away[rows], 95)) for rows in (along < 0.5, along >= 0.5))
    return np.clip(np.array([1.5 * near - 0.5 * far, 1.5 * far - 0.5 * near]), 0.01, None)


def palms_together(figure: Figure, posture: Posture) -> Posture:
    """The posture with both arms bent so that the palms touch before the chest."""
    skeleton, points = figure.avatar.skeleton, figure.body_vertices
    names = [
        "clavicle.L", "shoulder01.L", "upperarm01.L", "upperarm02.L", "lowerarm01.L", "lowerarm02.L", "wrist.L",
        "metacarpal1.L", "metacarpal2.L", "metacarpal4.L", "finger2-1.L", "finger3-1.L", "finger5-1.L",
        "finger3-2.L", "finger3-3.L",
    ]  # fmt: skip
    rows = [skeleton.index(name) for name in names]
    parents = tuple(rows.index(skeleton.parents[row]) if skeleton.parents[row] in rows else -1 for row in rows)
    joints = skeleton.positions.numpy()[rows].astype(np.float64)
    middle = float(skeleton.positions[skeleton.index("root"), 0])
    palm = np.isin(figure.person.body.skin_joints[:, 0], [skeleton.index(name) for name in names[7:12]])
    thick = float(joints[names.index("finger3-1.L"), 1] - points[palm, 1].min()) - _PRESSED
    start = posture.left_arm
    solved = ("down", "swing", "twist", "elbow", "roll", "wrist", "aside", "curl")
    low, high = np.array([LIMITS["arm.twist" if name == "twist" else name] for name in solved], float).T
    first = np.array([getattr(start, name) for name in solved])

    def apart(angles: Float[ndarray, "a"]) -> Float[ndarray, "r"]:
        arm = replace(start, **dict(zip(solved, np.clip(angles, low, high), strict=True)))
        turned = _matrices(rotations(Posture(left_arm=arm)), names)
        moved = joint_transforms(joints, parents, turned)
        at = dict(zip(names, np.einsum("jab,jb->ja", moved[:, :, :3], joints) + moved[:, :, 3], strict=True))
        wrist, knuckle, tip = at["wrist.L"], at["finger3-1.L"], at["finger3-3.L"]
        across = at["finger2-1.L"] - at["finger5-1.L"]
        beside = [wrist[0] - middle - thick, knuckle[0] - middle - thick, tip[0] - middle - 0.6 * thick, across[0]]
        return np.concatenate([np.array(beside) * 1e3, (angles - first) * 0.05])

    def slopes(angles: Float[ndarray, "a"]) -> Float[ndarray, "r a"]:
        return np.stack([apart(angles + step) - apart(angles - step) for step in np.eye(len(angles)) / 2], 1)

    found = least_squares(apart, first, slopes, (low - 1e-3, high + 1e-3), max_nfev=8).x
    angles = {name: float(angle) for name, angle in zip(solved, np.clip(found, low, high), strict=True)}
    return replace(posture, left_arm=replace(start, **angles), right_arm=replace(posture.right_arm, **angles))


def arms_crossed(figure: Figure, posture: Posture) -> Posture:
    """The posture with one forearm before the other and both before the chest, each hand at the other upper arm.

    The arm that is raised higher lies in front.
    """
    limb, front = _Limb.of(figure), _Front.of(figure)
    outer = "left" if posture.left_arm.down < posture.right_arm.down else "right"
    inner = "right" if outer == "left" else "left"
    starts = [getattr(posture, f"{side}_arm") for side in (outer, inner)]
    starts = [replace(starts[0], **_OUTER), replace(starts[1], **_INNER)]
    low, high = np.array([LIMITS["arm.twist" if name == "twist" else name] for name in _CROSSED], float).T
    first = np.array([[getattr(start, name) for name in _CROSSED] for start in starts])
    mirror = np.array([-1.0, 1.0, 1.0])

    def place(which: int, angles: Float[ndarray, "n a"]) -> Float[ndarray, "n j 3"]:
        """One arm's joints, the outer one on the left."""
        arms = [replace(starts[which], **dict(zip(_CROSSED, map(float, row), strict=True))) for row in angles]
        return (limb.posed(arms) - [limb.middle, 0, 0]) * (1 if which == 0 else mirror)

    def apart(arms: Sequence[Float[ndarray, "j 3"]], angles: Float[ndarray, "2 a"]) -> Float[ndarray, "r"]:
        return np.concatenate([_crossing(arms[0], arms[1], limb, front), ((angles - first) * _KEPT).ravel()])

    angles, damping = first.copy(), 1.0
    arms = [place(which, angles[[which]])[0] for which in range(2)]
    found = apart(arms, angles)
    for _ in range(_STEPS):
        signs = np.where(angles + 1 > high, -1.0, 1.0)
        bent = [angles[which] + np.diag(signs[which]) for which in range(2)]
        slopes = np.stack(
            [
                sign * (apart([moved, arms[1]] if which == 0 else [arms[0], moved], angles) - found)
                for which in range(2)
                for moved, sign in zip(place(which, bent[which]), signs[which], strict=True)
            ],
            1,
        )
        slopes[-angles.size :] = _KEPT * np.eye(angles.size)
        square, pull = slopes.T @ slopes, slopes.T @ found
        better = 0.0
        for _ in range(4):
            step = np.linalg.solve(square + damping * np.eye(len(square)), -pull)
            tried = np.clip(angles + np.clip(step, -20, 20).reshape(angles.shape), low, high)
            there = [place(which, tried[[which]])[0] for which in range(2)]
            after = apart(there, tried)
            better = 1 - (after @ after) / (found @ found)
            if better > 0:
                angles, arms, found, damping = tried, there, after, damping / 3
                break
            damping *= 4
        if better < _SETTLED:
            break
    solved = [
        replace(start, **dict(zip(_CROSSED, map(float, row), strict=True)))
        for start, row in zip(starts, angles, strict=True)
    ]
    return replace(posture, **{f"{outer}_arm": solved[0], f"{inner}_arm": solved[1]})


def _crossing(
    outer: Float[ndarray, "j 3"], inner: Float[ndarray, "j 3"], limb: _Limb, front: "_Front"
) -> Float[ndarray, "r"]:
    """How far two arms are from crossed, centimetres; the outer one is the left one.

    Sinking into one another or into the chest counts most, hands away from where they rest less.
    """
    at = [dict(zip(_ARM, joints, strict=True)) for joints in (outer, inner)]
    bones, balls, thin = [], [], 0.6 * float(limb.lower[1])
    for joints in at:
        shoulder, elbow, wrist = (joints[name] for name in ("upperarm01.L", "lowerarm01.L", "wrist.L"))
        bones.append([(shoulder, elbow, limb.upper), (elbow, wrist, limb.lower)])
        hand = [joints[name] for name in _HAND_POINTS]
        fore = [elbow + t * (wrist - elbow) for t in (0.3, 0.55, 0.8, 1.0)]
        thick = [float(limb.lower @ (1 - t, t)) for t in (0.3, 0.55, 0.8, 1.0)]
        bones[-1].append((wrist, joints["finger3-1.L"], np.array([limb.lower[1], thin])))
        balls.append((np.array([*fore, *hand]), np.array([*thick, *[thin] * len(hand)])))
    sunk = []
    for mine, other in ((0, 1), (1, 0)):
        points, radii = balls[mine]
        for bone in bones[other]:
            sunk.append(radii + _GAP - _from_bone(points, *bone))
        sunk.append(front.at(points) + radii - points[:, 2])
    sunk += [points[:, 1] + radii - limb.chin for points, radii in balls]
    rests = []
    for joints in at:
        across = joints["finger2-1.L"] - joints["finger5-1.L"]
        rests.append(0.3 * limb.lower[1] * (across / np.linalg.norm(across) - [0, 1, 0])[[0, 2]])
    shoulder, elbow, wide = bones[1][0]
    over = elbow + 0.3 * (shoulder - elbow) + (wide.mean() + thin) * np.array([-0.3, 0, 0.95])
    rests.append(at[0]["finger3-1.L"] - over)
    shoulder, elbow, wide = bones[0][0]
    beside = elbow + 0.3 * (shoulder - elbow) - [wide.mean() + thin, 0, 0]
    rests.append((at[1]["finger3-1.L"] - beside)[:2])
    flat = np.array([at[1][name] for name in ("wrist.L", "finger3-1.L", "finger3-3.L")])
    rests.append(np.clip(flat[:, 2] - front.at(flat) - [limb.lower[1], thin, thin], 0, 0.1))
    return np.concatenate([300 * np.clip(np.concatenate(sunk), 0, None), 50 * np.concatenate(rests)])


def _from_bone(
    points: Float[ndarray, "n 3"], first: Float[ndarray, "3"], last: Float[ndarray, "3"], radii: Float[ndarray, "2"]
) -> Float[ndarray, "n"]:
    """Metres from points to a round bone's surface, negative inside."""
    along = last - first
    t = np.clip((points - first) @ along / (along @ along), 0, 1)
    return np.linalg.norm(points - first - t[:, None] * along, axis=1) - (radii[0] + t * (radii[1] - radii[0]))


class _Front(NamedTuple):
    """How far forward the trunk reaches, with what is worn on it."""

    low: Float[ndarray, "2"]
    """Least x and y, metres."""
    depth: Float[ndarray, "x y"]
    """Largest z in and beside each square of two ``_CELL``, metres."""

    @classmethod
    def of(cls, figure: Figure) -> "_Front":
        skeleton, worn = figure.avatar.skeleton, _worn(figure)
        trunk = [i for i, name in enumerate(skeleton.names) if name.startswith(("spine", "breast", "root", "pelvis"))]
        points = worn.points[np.isin(worn.joints[np.arange(len(worn.joints)), worn.weights.argmax(1)], trunk)]
        points = points - np.array([float(skeleton.positions[skeleton.index("root"), 0]), 0, 0], np.float32)
        low = points[:, :2].min(0).astype(np.float64) - 4 * _CELL
        cells = np.floor((points[:, :2] - low) / (2 * _CELL)).astype(np.int64)
        depth = np.full(cells.max(0) + 3, -1.0)
        np.maximum.at(depth, (cells[:, 0], cells[:, 1]), points[:, 2])
        return cls(low, maximum_filter(depth, 3))

    def at(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """Largest z near each point, -1 where no trunk is."""
        cell = np.floor((points[:, :2] - self.low) / (2 * _CELL)).astype(np.int64)
        x, y = np.clip(cell, 0, np.array(self.depth.shape) - 1).T
        return self.depth[x, y]


def hands_beside(figure: Figure, posture: Posture) -> Posture:
    """The posture with elbows bent as far as brings the hands to the clothes at the body's sides."""
    skeleton = figure.avatar.skeleton
    transforms = pose_transforms(skeleton, rotations(posture))
    trunk = [i for i, name in enumerate(skeleton.names) if name.startswith(("spine", "root", "pelvis", "upperleg"))]
    sides = []
    for layer in figure.avatar.layers:
        weights, joints = layer.skin_weights.numpy(), layer.skin_joints.numpy()
        rows = np.isin(joints[np.arange(len(joints)), weights.argmax(1)], trunk)
        sides.append(skin(layer.mesh.vertices.numpy()[rows], weights[rows], joints[rows], transforms))
    worn = np.concatenate(sides)
    hands = {side: _Part.of(figure, _HAND, side[0].upper()) for side in ("left", "right")}

    def clear(bent: Mapping[str, float]) -> dict[str, float]:
        """Metres between each hand and what is worn, negative inside."""
        arms = {f"{side}_arm": replace(getattr(posture, f"{side}_arm"), elbow=bent[side]) for side in hands}
        moved = pose_transforms(skeleton, rotations(replace(posture, **arms)))
        return {side: _aside(skin(*hand, moved), worn, 1 if side == "left" else -1) for side, hand in hands.items()}

    low = {side: getattr(posture, f"{side}_arm").elbow - 30 for side in hands}
    high = {side: getattr(posture, f"{side}_arm").elbow + 15 for side in hands}
    for _ in range(6):
        middle = {side: (low[side] + high[side]) / 2 for side in hands}
        for side, gap in clear(middle).items():
            (low if gap > -_PRESSED else high)[side] = middle[side]
    arms = {f"{side}_arm": replace(getattr(posture, f"{side}_arm"), elbow=low[side]) for side in hands}
    return replace(posture, **arms)


def _aside(hand: Float[ndarray, "h 3"], worn: Float[ndarray, "w 3"], sign: int) -> float:
    """Least metres that a hand's points lie farther to a side than what is worn at their height and depth."""
    near = (worn[:, 1:] > hand[:, 1:].min(0) - _CELL).all(1) & (worn[:, 1:] < hand[:, 1:].max(0) + _CELL).all(1)
    if not near.any():
        return 1.0
    cells = np.floor(np.concatenate([worn[near], hand])[:, 1:] / _CELL).astype(np.int64)
    _, cell = np.unique(cells @ [1, 1 << 20], return_inverse=True)
    farthest = np.full(int(cell.max()) + 1, -np.inf)
    np.maximum.at(farthest, cell[: near.sum()], sign * worn[near, 0])
    return float((sign * hand[:, 0] - farthest[cell[near.sum() :]]).min())


def _toes_down(figure: Figure, posture: Posture) -> Posture:
    """The posture with feet pointed less by what their build and high heels point them already."""
    skeleton = figure.avatar.skeleton
    toe, ankle = (skeleton.positions[skeleton.index(name)].numpy() for name in ("toe3-1.L", "foot.L"))
    along = toe - ankle
    raised = max(float(np.degrees(np.arctan2(-along[1], along[2]))) - _LEVEL, 0.0)
    left, right = (replace(leg, foot=leg.foot - raised) for leg in (posture.left_leg, posture.right_leg))
    return replace(posture, left_leg=left, right_leg=right)


def _matrices(turns: Mapping[str, tuple[float, float, float, float]], names: Sequence[str]) -> Float[ndarray, "j 3 3"]:
    quaternions = np.array([turns.get(name, (1.0, 0.0, 0.0, 0.0)) for name in names])[:, [1, 2, 3, 0]]
    return Rotation.from_quat(quaternions).as_matrix()


def _rested(figure: Figure, posture: Posture, floor: _Floor) -> Posture:
    """The posture with the lowest points of some parts as low as those of what lies on the floor."""
    skeleton = figure.avatar.skeleton
    support = _Part.of(figure, floor.support, "")
    parts = [_Part.of(figure, rest.part, rest.side) for rest in floor.rests]
    for _ in range(4):
        height, steeper = (_heights(skeleton, each, support, parts) for each in (posture, _bent(posture, floor, 1.0)))
        slope = steeper - height
        change = np.where(np.abs(slope) > 1e-4, -height / np.where(slope == 0, 1, slope), 0)
        posture = _bent(posture, floor, np.clip(change, -15, 15))
    return posture


class _Part(NamedTuple):
    """Resting points of a part of the body, and how they are skinned."""

    points: Float[ndarray, "v 3"]
    weights: Float[ndarray, "v 4"]
    joints: Int[ndarray, "v 4"]

    @classmethod
    def of(cls, figure: Figure, starts: tuple[str, ...], side: str) -> "_Part":
        body, names = figure.person.body, figure.avatar.skeleton.names
        stop = body.parts["body"].stop
        wanted = [i for i, name in enumerate(names) if name.startswith(starts) and name.endswith(side)]
        found = [(figure.body_vertices[:stop], body.skin_weights[:stop], body.skin_joints[:stop])]
        found += [
            (layer.mesh.vertices.numpy(), layer.skin_weights.numpy(), layer.skin_joints.numpy())
            for layer in figure.avatar.layers
            if layer.name == "shoes"
        ]
        kept = [np.isin(joints[np.arange(len(joints)), weights.argmax(1)], wanted) for _, weights, joints in found]
        return cls(*(np.concatenate([each[i][rows] for each, rows in zip(found, kept, strict=True)]) for i in range(3)))

    def lowest(self, transforms: Float[ndarray, "j 3 4"]) -> float:
        return float(skin(*self, transforms)[:, 1].min())


def _heights(skeleton: Skeleton, posture: Posture, support: _Part, parts: Sequence[_Part]) -> Float[ndarray, "p"]:
    transforms = pose_transforms(skeleton, rotations(posture))
    return np.array([part.lowest(transforms) for part in parts]) - support.lowest(transforms)


def _bent(posture: Posture, floor: _Floor, degrees: float | Float[ndarray, "p"]) -> Posture:
    """The posture with each resting angle changed, within limits."""
    for rest, more in zip(floor.rests, np.broadcast_to(degrees, len(floor.rests)), strict=True):
        holder: Any = getattr(posture, rest.limb) if rest.limb else posture
        angle = float(np.clip(getattr(holder, rest.angle) + more, *LIMITS[rest.angle]))
        changed = replace(holder, **{rest.angle: angle})
        posture = replace(posture, **{rest.limb: changed}) if rest.limb else changed
    return posture
