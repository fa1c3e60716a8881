"""A named pose as one body takes it, whatever its build: palms meet, arms cross, what rests on the floor reaches it.

The table of ``body.poses`` is right for a body of average build. Here few of its angles are solved again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.ndimage import maximum_filter
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import joint_transforms, moved_joints, pose_transforms, skin
from bozzetto.body.poses import LIMITS, Arm, Posture, arm_rotations, rotations
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
_PRAYING = ("down", "swing", "twist", "elbow", "roll", "wrist", "aside", "curl")
_OUTER = {"down": 74.0, "swing": 46.0, "twist": -80.0, "elbow": 106.0, "roll": 40.0, "wrist": 10.0, "curl": 24.0}
_INNER = {"down": 80.0, "swing": 34.0, "twist": -80.0, "elbow": 118.0, "roll": 60.0, "wrist": 10.0, "curl": 20.0}
"""Angles from which crossed arms are solved; degrees."""
_KEPT = 0.02
"""What a degree away from them weighs against a centimetre."""
_STEPS, _SETTLED = 30, 0.005
"""Most steps of a solution, and the share by which a step must better it for another."""
_STRIDE = 20.0
"""How far the first step may bend, all angles together; degrees."""
_PAST = 0.3
"""What a degree beyond a limit counts, in the least squares' own unit."""
_GAP = 0.009
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


class _Chain(NamedTuple):
    """The left arm's joints, of ``_ARM``, in the T-pose; a right arm is its mirror image."""

    joints: Float[ndarray, "j 3"]
    """Metres; x from the body's plane of symmetry."""
    parents: tuple[int, ...]

    @classmethod
    def of(cls, skeleton: Skeleton) -> "_Chain":
        rows = [skeleton.index(name) for name in _ARM]
        joints = skeleton.positions.numpy()[rows].astype(np.float64)
        parents = tuple(rows.index(skeleton.parents[row]) if skeleton.parents[row] in rows else -1 for row in rows)
        return cls(joints - [float(skeleton.positions[skeleton.index("root"), 0]), 0, 0], parents)

    def at(self, name: str) -> Float[ndarray, "3"]:
        return self.joints[_ARM.index(name)]

    def posed(self, arms: Sequence[Arm]) -> Float[ndarray, "n j 3"]:
        turns = [arm_rotations(arm, "L") for arm in arms]
        still = (1.0, 0.0, 0.0, 0.0)
        quaternions = np.array([[turn.get(name, still) for name in _ARM] for turn in turns])
        turned = Rotation.from_quat(quaternions.reshape(-1, 4)[:, [1, 2, 3, 0]]).as_matrix()
        return moved_joints(
            self.joints, joint_transforms(self.joints, self.parents, turned.reshape(*quaternions.shape[:2], 3, 3))
        )


class _Limb(NamedTuple):
    """How thick an arm with its sleeve is, and what crossed arms stay under."""

    upper: Float[ndarray, "2"]
    lower: Float[ndarray, "2"]
    """Radius at both ends of upper arm and forearm, metres."""
    chin: float
    """Height, metres."""

    @classmethod
    def of(cls, figure: Figure) -> "_Limb":
        skeleton, worn = figure.avatar.skeleton, _worn(figure)
        shoulder, elbow, wrist = (
            skeleton.positions[skeleton.index(name)].double().numpy()
            for name in ("upperarm01.L", "lowerarm01.L", "wrist.L")
        )
        upper = _thick(worn, skeleton, "upperarm", shoulder, elbow)
        lower = _thick(worn, skeleton, "lowerarm", elbow, wrist)
        return cls(upper, lower, float(_Part.of(figure, ("head",), "").points[:, 1].min()))


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


def _solved(
    apart: Callable[[Float[ndarray, "n a"]], Float[ndarray, "n r"]], first: Float[ndarray, "a"], names: Sequence[str]
) -> Float[ndarray, "a"]:
    """Angles of an arm near the first ones, within limits, for which the squares are least.

    Args:
        apart: What to make small, of many sets of angles at once.
        names: Fields of ``Arm``.
    """
    low, high = np.array([LIMITS["arm.twist" if name == "twist" else name] for name in names], float).T

    def held(bent: Float[ndarray, "n a"]) -> Float[ndarray, "n r"]:
        inside = np.clip(first + bent, low, high)
        return np.concatenate([apart(inside), (first + bent - inside) * _PAST], 1)

    def slopes(bent: Float[ndarray, "a"]) -> Float[ndarray, "r a"]:
        step = np.where(first + bent + 1 > high, -1.0, 1.0)
        here, *there = held(bent + np.concatenate([np.zeros((1, len(step))), np.diag(step)]))
        return ((np.array(there) - here) / step[:, None]).T

    # From zero, MINPACK's first step is at most a hundred times its scale.
    found = least_squares(
        lambda bent: held(bent[None])[0], np.zeros(len(first)), slopes, method="lm",
        x_scale=_STRIDE / 100, ftol=_SETTLED, max_nfev=_STEPS,
    )  # fmt: skip
    return np.clip(first + found.x, low, high)


def _angles(arm: Arm, names: Sequence[str]) -> Float[ndarray, "a"]:
    return np.array([getattr(arm, name) for name in names], float)


def _with_angles(arm: Arm, names: Sequence[str], angles: Float[ndarray, "a"]) -> Arm:
    return replace(arm, **dict(zip(names, map(float, angles), strict=True)))


def palms_together(figure: Figure, posture: Posture) -> Posture:
    """The posture with both arms bent so that the palms touch before the chest."""
    skeleton, points, chain = figure.avatar.skeleton, figure.body_vertices, _Chain.of(figure.avatar.skeleton)
    inner = [name for name in _ARM if name.startswith(("metacarpal", "finger2-1", "finger3-1"))]
    palm = np.isin(figure.person.body.skin_joints[:, 0], [skeleton.index(name) for name in inner])
    thick = float(chain.at("finger3-1.L")[1] - points[palm, 1].min()) - _PRESSED
    start, first = posture.left_arm, _angles(posture.left_arm, _PRAYING)

    def apart(angles: Float[ndarray, "n a"]) -> Float[ndarray, "n r"]:
        arms = [_with_angles(start, _PRAYING, row) for row in angles]
        aside = dict(zip(_ARM, chain.posed(arms)[:, :, 0].T, strict=True))
        wrist, knuckle, tip = aside["wrist.L"], aside["finger3-1.L"], aside["finger3-3.L"]
        across = aside["finger2-1.L"] - aside["finger5-1.L"]
        beside = np.stack([wrist - thick, knuckle - thick, tip - 0.6 * thick, across], 1)
        return np.concatenate([beside * 1e3, (angles - first) * 0.05], 1)

    found = _solved(apart, first, _PRAYING)
    left, right = (_with_angles(arm, _PRAYING, found) for arm in (start, posture.right_arm))
    return replace(posture, left_arm=left, right_arm=right)


def arms_crossed(figure: Figure, posture: Posture) -> Posture:
    """The posture with one forearm before the other and both before the chest, each hand at the other upper arm.

    The arm that is raised higher lies in front.
    """
    chain, limb, front = _Chain.of(figure.avatar.skeleton), _Limb.of(figure), _Front.of(figure)
    outer = "left" if posture.left_arm.down < posture.right_arm.down else "right"
    inner = "right" if outer == "left" else "left"
    starts = [replace(getattr(posture, f"{outer}_arm"), **_OUTER), replace(getattr(posture, f"{inner}_arm"), **_INNER)]
    first = np.concatenate([_angles(start, _CROSSED) for start in starts])

    def apart(angles: Float[ndarray, "n a"]) -> Float[ndarray, "n r"]:
        halves = zip(starts, np.split(angles, 2, axis=1), strict=True)
        arms = [_with_angles(start, _CROSSED, row) for start, half in halves for row in half]
        row = {arm: number for number, arm in enumerate(dict.fromkeys(arms))}  # few are different ones
        left, right = np.split(chain.posed(list(row))[[row[arm] for arm in arms]], 2)
        return np.concatenate([_crossing(left, right * [-1, 1, 1], limb, front), (angles - first) * _KEPT], 1)

    found = np.split(_solved(apart, first, (*_CROSSED, *_CROSSED)), 2)
    arms = [_with_angles(start, _CROSSED, angles) for start, angles in zip(starts, found, strict=True)]
    return replace(posture, **{f"{outer}_arm": arms[0], f"{inner}_arm": arms[1]})


def _crossing(
    outer: Float[ndarray, "n j 3"], inner: Float[ndarray, "n j 3"], limb: _Limb, front: "_Front"
) -> Float[ndarray, "n r"]:
    """How far pairs of arms are from crossed, centimetres; the outer one is the left one.

    Sinking into one another or into the chest counts most, hands away from where they rest less.
    """
    at = [dict(zip(_ARM, joints.swapaxes(0, 1), strict=True)) for joints in (outer, inner)]
    bones, balls, thin = [], [], 0.6 * float(limb.lower[1])
    for joints in at:
        shoulder, elbow, wrist = (joints[name] for name in ("upperarm01.L", "lowerarm01.L", "wrist.L"))
        bones.append([(shoulder, elbow, limb.upper), (elbow, wrist, limb.lower)])
        hand = [joints[name] for name in _HAND_POINTS]
        fore = [elbow + t * (wrist - elbow) for t in (0.3, 0.55, 0.8, 1.0)]
        thick = [float(limb.lower @ (1 - t, t)) for t in (0.3, 0.55, 0.8, 1.0)]
        bones[-1].append((wrist, joints["finger3-1.L"], np.array([limb.lower[1], thin])))
        balls.append((np.stack([*fore, *hand], 1), np.array([*thick, *[thin] * len(hand)])))
    sunk = []
    for mine, other in ((0, 1), (1, 0)):
        points, radii = balls[mine]
        for bone in bones[other]:
            sunk.append(radii + _GAP - _from_bone(points, *bone))
        sunk.append(front.at(points) + radii - points[..., 2])
    sunk += [points[..., 1] + radii - limb.chin for points, radii in balls]
    rests = []
    for joints in at:
        across = joints["finger2-1.L"] - joints["finger5-1.L"]
        across = across / np.linalg.norm(across, axis=1, keepdims=True)
        rests.append(0.3 * limb.lower[1] * (across - [0, 1, 0])[:, [0, 2]])
    shoulder, elbow, wide = bones[1][0]
    over = elbow + 0.3 * (shoulder - elbow) + (wide.mean() + thin) * np.array([-0.3, 0, 0.95])
    rests.append(at[0]["finger3-1.L"] - over)
    shoulder, elbow, wide = bones[0][0]
    beside = elbow + 0.3 * (shoulder - elbow) - [wide.mean() + thin, 0, 0]
    rests.append((at[1]["finger3-1.L"] - beside)[:, :2])
    flat = np.stack([at[1][name] for name in ("wrist.L", "finger3-1.L", "finger3-3.L")], 1)
    rests.append(np.clip(flat[..., 2] - front.at(flat) - [limb.lower[1], thin, thin], 0, 0.1))
    return np.concatenate([300 * np.clip(np.concatenate(sunk, 1), 0, None), 50 * np.concatenate(rests, 1)], 1)


def _from_bone(
    points: Float[ndarray, "n p 3"],
    first: Float[ndarray, "n 3"],
    last: Float[ndarray, "n 3"],
    radii: Float[ndarray, "2"],
) -> Float[ndarray, "n p"]:
    """Metres from points to a round bone's surface, negative inside."""
    along, off = (last - first)[:, None], points - first[:, None]
    t = np.clip((off * along).sum(-1) / (along**2).sum(-1), 0, 1)
    return np.linalg.norm(off - t[..., None] * along, axis=-1) - (radii[0] + t * (radii[1] - radii[0]))


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

    def at(self, points: Float[ndarray, "n p 3"]) -> Float[ndarray, "n p"]:
        """Largest z near each point, -1 where no trunk is."""
        cell = np.floor((points[..., :2] - self.low) / (2 * _CELL)).astype(np.int64)
        x, y = np.moveaxis(np.clip(cell, 0, np.array(self.depth.shape) - 1), -1, 0)
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
