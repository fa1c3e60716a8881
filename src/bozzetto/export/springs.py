"""What sways: long hair, skirts, coats and scarves get chains of joints of their own, which VRM players swing.

The part of a layer that hangs free is cut into sectors around the body, and each sector that reaches low enough gets a
chain which follows the middle of what it carries. Hair hangs from the head and a scarf from the upper spine, whatever
carried them. A skirt hangs from the bones that already carry it: each thigh's and each shin's share of a vertex goes
over to chains on that bone, more of it as one goes down, so that the cloth still follows the legs as it was made to,
and sways about that. Everything around the legs shares these chains: a coat and the dress beneath it swing as one. Long
hair that goes into a scarf is held at both ends, so it gets none: what is seen of it is too short to hang free. At rest
nothing moves: a chain stands where the cloth is, and colliders are made small enough not to touch it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray

from ..types import Avatar, Layer, Skeleton

_SKIRTS = ("bottom", "dress", "outer", "apron")
_FEWEST = 12
"""Vertices of a sector that are worth a chain."""


@dataclass(frozen=True)
class Feel:
    """How a kind of cloth swings; the words are VRMC_springBone's."""

    stiffness: float
    drag: float
    gravity: float
    hit_radius: float
    """Metres, on a person of 1.7 m."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing that hangs."""

    name: str
    layers: tuple[str, ...]
    sectors: int
    below: tuple[str, float]
    """Where it begins to hang: a joint, and how far below it as a share of the body's height."""
    shortest: float
    """What must hang free at least, as a share of the body's height."""
    feel: Feel
    colliders: tuple[str, ...]
    """Of `_LIMBS`."""
    bones: tuple[tuple[str, tuple[str, ...]], ...]
    """What it hangs from, and whose share of a vertex hangs there; every joint's where none is named."""


KINDS = (
    Kind("hair", ("hair",), 8, ("head", 0.0), 0.06, Feel(0.9, 0.45, 0.06, 0.01), ("torso", "head"),
         (("head", ()),)),
    Kind("scarf", ("scarf",), 6, ("neck01", 0.04), 0.08, Feel(0.9, 0.5, 0.06, 0.01), ("torso",), (("spine01", ()),)),
    Kind("skirt", _SKIRTS, 8, ("upperleg01.L", 0.03), 0.08, Feel(1.0, 0.5, 0.0, 0.015),
         ("left thigh", "right thigh", "left shin", "right shin"),
         tuple((f"{first}{side}", tuple(f"{part}{side}" for part in (first, *rest))) for side in (".L", ".R")
               for first, *rest in (("upperleg01", "upperleg02"), ("lowerleg01", "lowerleg02", "foot")))),
)  # fmt: skip

# A limb, the joints it reaches from and to, and those whose vertices say how thick it is.
_LIMBS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "torso": ("spine03", "neck01", ("spine01", "spine02", "spine03")),
    "head": ("head", "head", ("head",)),
    "left thigh": ("upperleg01.L", "lowerleg01.L", ("upperleg01.L", "upperleg02.L")),
    "right thigh": ("upperleg01.R", "lowerleg01.R", ("upperleg01.R", "upperleg02.R")),
    "left shin": ("lowerleg01.L", "foot.L", ("lowerleg01.L", "lowerleg02.L")),
    "right shin": ("lowerleg01.R", "foot.R", ("lowerleg01.R", "lowerleg02.R")),
}
_SMALLEST_COLLIDER = 0.015


@dataclass(frozen=True)
class Chain:
    """Joints that swing one below the other; the last is only the end of the one before."""

    kind: Kind
    joints: tuple[int, ...]
    hit_radius: float
    """Metres."""


@dataclass(frozen=True, eq=False)
class Collider:
    """A capsule that chains do not enter; a sphere where it has no tail."""

    kind: str
    joint: int
    offset: Float[ndarray, "3"]
    """From the joint, metres."""
    tail: Float[ndarray, "3"] | None
    radius: float


@dataclass(frozen=True, eq=False)
class Sprung:
    """An avatar with chains in its skeleton, after its own joints."""

    avatar: Avatar
    chains: tuple[Chain, ...] = ()
    colliders: tuple[Collider, ...] = ()


def with_springs(avatar: Avatar) -> Sprung:
    """The avatar with what hangs hung up. At rest every vertex is where it was; so is every clip."""
    chains: list[Chain] = []
    colliders: list[Collider] = []
    for kind in KINDS:
        loose = _loose(avatar, kind)
        hung = _Hanging(avatar, kind, loose) if loose else None
        if hung is None or not hung.strands:
            continue
        avatar, new = hung.carry(avatar)
        chains += new
        colliders += _colliders(avatar, kind, new)
    return Sprung(avatar, tuple(chains), tuple(colliders))


def _height(avatar: Avatar) -> float:
    return max(float(layer.mesh.vertices[:, 1].max()) for layer in avatar.layers)


def _loose(avatar: Avatar, kind: Kind) -> dict[str, Bool[ndarray, "v"]]:
    """By layer, the vertices that hang free; layers without any are left out."""
    names = avatar.skeleton.names
    if kind.below[0] not in names:
        return {}
    height = _height(avatar)
    start = float(avatar.skeleton.positions[names.index(kind.below[0]), 1]) - kind.below[1] * height
    loose = {}
    for layer in avatar.layers:
        if layer.name not in kind.layers:
            continue
        y = layer.mesh.vertices[:, 1].numpy()
        if start - y.min() > kind.shortest * height and (kind.name != "skirt" or _one_tube(layer, start)):
            loose[layer.name] = y < start
    return loose


def _one_tube(layer: Layer, start: float) -> bool:
    """Whether what is below `start` goes around both legs, as no trousers do: near its hem, faces cross the middle."""
    corners = layer.mesh.vertices.numpy()[layer.mesh.faces.numpy()]
    hem = corners[:, :, 1].min()
    low = (corners[:, :, 1] < hem + 0.5 * (start - hem)).all(axis=1)
    x = corners[low][:, :, 0]
    return bool(((x.min(axis=1) < 0) & (x.max(axis=1) > 0)).any())


@dataclass(frozen=True, eq=False)
class _Strand:
    """One chain to be."""

    bone: int
    """Of its kind's `bones`."""
    angle: float
    points: Float[ndarray, "k 3"]
    """Where its joints stand, from the top."""


class _Hanging:
    """Everything of one kind that hangs: where its chains are, and which vertex follows which."""

    def __init__(self, avatar: Avatar, kind: Kind, loose: dict[str, Bool[ndarray, "v"]]) -> None:
        self.kind, self.loose = kind, loose
        self.skeleton = avatar.skeleton
        self.height = _height(avatar)
        layers = [layer for layer in avatar.layers if layer.name in loose]
        points = np.concatenate([layer.mesh.vertices.numpy()[loose[layer.name]] for layer in layers])
        self.axis = self._axis(points)
        self.strands: list[_Strand] = []
        for bone in range(len(kind.bones)):
            held = np.concatenate([self._share(layer, bone)[loose[layer.name]] for layer in layers]) > 0.25
            self.strands += self._strands(bone, points[held])

    def _axis(self, points: Float[ndarray, "p 3"]) -> Float[ndarray, "2"]:
        """x and z of the vertical line that the sectors lie around."""
        if self.kind.name == "skirt":
            low, high = points.min(axis=0), points.max(axis=0)
            return np.array([0.0, (low[2] + high[2]) / 2])
        joint = self.skeleton.positions[self.skeleton.index(self.kind.below[0])].numpy()
        return np.array([0.0, joint[2]])

    def _angles(self, points: Float[ndarray, "p 3"]) -> Float[ndarray, "p"]:
        """Radians around the axis, zero in front, growing to the left."""
        return np.arctan2(points[:, 0] - self.axis[0], points[:, 2] - self.axis[1])

    def _share(self, layer: Layer, bone: int) -> Float[ndarray, "v"]:
        """How much of each vertex hangs from a bone."""
        names = self.kind.bones[bone][1]
        if not names:
            return np.ones(len(layer.skin_weights), np.float32)
        joints = [self.skeleton.index(name) for name in names if name in self.skeleton.names]
        return (np.isin(layer.skin_joints.numpy(), joints) * layer.skin_weights.numpy()).sum(axis=1)

    def _strands(self, bone: int, points: Float[ndarray, "p 3"]) -> list[_Strand]:
        if self.kind.bones[bone][0] not in self.skeleton.names or not len(points):
            return []
        width = 2 * np.pi / self.kind.sectors
        side = float(self.skeleton.positions[self.skeleton.index(self.kind.bones[bone][0]), 0])
        angles, top = self._angles(points), float(points[:, 1].max())
        strands = []
        for sector in range(self.kind.sectors):  # none in the middle, where left and right are mixed
            angle = -np.pi + (sector + 0.5) * width
            mine = points[np.abs(_turn(angles - angle)) < width / 2]
            if len(mine) < _FEWEST or (abs(side) > 0.02 and side * np.sin(angle) < 0):
                continue  # a leg's chains are on its own side, so that no vertex needs more than four joints
            bottom = float(np.percentile(mine[:, 1], 1))
            if top - bottom < self.kind.shortest * self.height:
                continue
            count = int(np.clip(round((top - bottom) / (0.09 * self.height)), 2, 5))
            strands.append(_Strand(bone, angle, _spine(mine, np.linspace(top, bottom, count + 1))))
        return strands

    def carry(self, avatar: Avatar) -> tuple[Avatar, list[Chain]]:
        """The avatar with the chains in its skeleton and the loose vertices on them."""
        names, parents = list(self.skeleton.names), list(self.skeleton.parents)
        positions = [self.skeleton.positions]
        chains = []
        for number, strand in enumerate(self.strands):
            first = len(names)
            joints = tuple(range(first, first + len(strand.points)))
            names += [f"{self.kind.name}_{number + 1}_{link + 1}" for link in range(len(joints))]
            parents += [self.skeleton.index(self.kind.bones[strand.bone][0]), *joints[:-1]]
            positions.append(torch.from_numpy(strand.points.astype(np.float32)))
            chains.append(Chain(self.kind, joints, self.kind.feel.hit_radius * self.height / 1.7))
        skeleton = Skeleton(tuple(names), tuple(parents), torch.cat(positions).to(self.skeleton.positions.dtype))
        layers = tuple(
            self._rehung(layer, self.loose[layer.name], chains) if layer.name in self.loose else layer
            for layer in avatar.layers
        )
        return replace(avatar, layers=layers, skeleton=skeleton), chains

    def _rehung(self, layer: Layer, loose: Bool[ndarray, "v"], chains: Sequence[Chain]) -> Layer:
        """The layer whose loose vertices follow the chains."""
        points = layer.mesh.vertices.numpy()[loose]
        own_joints, own = layer.skin_joints.numpy()[loose], layer.skin_weights.numpy()[loose].copy()
        weights, joints = [own], [own_joints]
        for bone, (_, names) in enumerate(self.kind.bones):
            mine = [(strand, chain) for strand, chain in zip(self.strands, chains, strict=True) if strand.bone == bone]
            if not mine:
                continue
            share = self._share(layer, bone)[loose]
            top = mine[0][0].points[0, 1]
            swings = np.clip((top - points[:, 1]) / (0.05 * self.height), 0, 1) ** 2
            giving = [self.skeleton.index(name) for name in names if name in self.skeleton.names]
            gives = np.isin(own_joints, giving) if names else np.ones(own.shape, bool)
            own *= np.where(gives, 1 - swings[:, None], 1)
            around = self._around(points, [strand.angle for strand, _ in mine])
            for (strand, chain), near in zip(mine, around.T, strict=True):
                weights.append((share * swings * near)[:, None] * _down(points[:, 1], strand.points[:, 1]))
                joints.append(np.broadcast_to(chain.joints[:-1], weights[-1].shape))
        new_weights, new_joints = layer.skin_weights.numpy().copy(), layer.skin_joints.numpy().copy()
        new_weights[loose], new_joints[loose] = _strongest(
            np.concatenate(weights, axis=1), np.concatenate(joints, axis=1)
        )
        return replace(layer, skin_weights=torch.from_numpy(new_weights), skin_joints=torch.from_numpy(new_joints))

    def _around(self, points: Float[ndarray, "p 3"], angles: Sequence[float]) -> Float[ndarray, "p c"]:
        """How much of each chain a point follows: linear between the two beside it; the nearest where it has none."""
        width = 2 * np.pi / self.kind.sectors
        away = np.abs(_turn(self._angles(points)[:, None] - np.array(angles)))
        share = np.maximum(1 - away / width, 0)
        lost = share.sum(axis=1) < 1e-6
        share[lost, away[lost].argmin(axis=1)] = 1
        return share / share.sum(axis=1, keepdims=True)


def _down(y: Float[ndarray, "p"], levels: Float[ndarray, "k"]) -> Float[ndarray, "p l"]:
    """How much of each link a point at a height follows: linear between the middles of two links."""
    links = len(levels) - 1
    place = np.clip((levels[0] - y) / (levels[0] - levels[-1]) * links - 0.5, 0, links - 1)
    return np.maximum(1 - np.abs(place[:, None] - np.arange(links)), 0)


def _turn(angles: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Angles between -pi and pi."""
    return (angles + np.pi) % (2 * np.pi) - np.pi


def _spine(points: Float[ndarray, "p 3"], levels: Float[ndarray, "k"]) -> Float[ndarray, "k 3"]:
    """The middle of the points at each height, or of the dozen nearest to it."""
    step = abs(levels[1] - levels[0])
    middle = []
    for level in levels:
        away = np.abs(points[:, 1] - level)
        near = points[away <= max(step / 2, np.partition(away, _FEWEST - 1)[_FEWEST - 1])]
        middle.append([near[:, 0].mean(), level, near[:, 2].mean()])
    return np.array(middle, np.float64)


def _strongest(
    weights: Float[ndarray, "v n"], joints: Int[ndarray, "v n"]
) -> tuple[Float32[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """The four largest weights of each row, summing to one, and their joints."""
    best = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    weights, joints = np.take_along_axis(weights, best, 1), np.take_along_axis(joints, best, 1)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), joints


def _colliders(avatar: Avatar, kind: Kind, chains: Sequence[Chain]) -> list[Collider]:
    """The limbs this kind meets, as thick as the body, and thinner where a chain rests inside."""
    positions = avatar.skeleton.positions.numpy().astype(np.float64)
    tips = np.array([joint for chain in chains for joint in chain.joints[1:]])
    colliders = []
    for limb in kind.colliders:
        start, end, follow = _LIMBS[limb]
        if not {start, end, *follow} <= set(avatar.skeleton.names):
            continue
        a, b = positions[avatar.skeleton.index(start)], positions[avatar.skeleton.index(end)]
        if limb == "head":
            a = b = _middle_of(avatar, kind, follow)
        radius = 0.9 * _thickness(avatar, kind, follow, a, b)
        radius = min(radius, float(_distances(positions[tips], a, b).min()) - chains[0].hit_radius - 1e-4)
        if radius >= _SMALLEST_COLLIDER:
            joint = avatar.skeleton.index(start)
            offset = a - positions[joint]
            tail = None if limb == "head" else b - positions[joint]
            colliders.append(Collider(kind.name, joint, offset, tail, radius))
    return colliders


def _middle_of(avatar: Avatar, kind: Kind, joints: tuple[str, ...]) -> Float[ndarray, "3"]:
    points = _carried(avatar, kind, joints)
    return (points.min(axis=0) + points.max(axis=0)) / 2


def _thickness(
    avatar: Avatar, kind: Kind, joints: tuple[str, ...], a: Float[ndarray, "3"], b: Float[ndarray, "3"]
) -> float:
    """The distance of the middle one of the limb's vertices from its axis."""
    points = _carried(avatar, kind, joints)
    return float(np.median(_distances(points, a, b))) if len(points) else 0.0


def _carried(avatar: Avatar, kind: Kind, joints: tuple[str, ...]) -> Float[ndarray, "p 3"]:
    """Vertices that mostly follow some joints, of layers that do not hang themselves."""
    wanted = [avatar.skeleton.index(joint) for joint in joints]
    points = []
    for layer in avatar.layers:
        if layer.name not in kind.layers:
            follows = (np.isin(layer.skin_joints.numpy(), wanted) * layer.skin_weights.numpy()).sum(axis=1)
            points.append(layer.mesh.vertices.numpy()[follows > 0.5])
    return np.concatenate(points).astype(np.float64) if points else np.zeros((0, 3))


def _distances(points: Float[ndarray, "p 3"], a: Float[ndarray, "3"], b: Float[ndarray, "3"]) -> Float[ndarray, "p"]:
    """From each point to the line between a and b, which may be one point."""
    along = b - a
    length = float(along @ along)
    place = np.clip((points - a) @ along / length, 0, 1) if length > 0 else np.zeros(len(points))
    return np.linalg.norm(points - a - place[:, None] * along, axis=1)
