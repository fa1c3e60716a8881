"""The intake's figure, bent to the person whom its photo shows: rig, layers and expressions stay.

The closed surface around the figure is registered to what the network sees in the photo (``recipes.reconstructed``);
its movement is carried to every layer and joint as they stand there, and the pose is taken back. Depth is the pose's
alone: a shape that followed it would stand crooked in any other. Heads, hands and feet are too few of the network's
pixels to be bent: they move as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import align, moved_joints, pose_transforms, skin, unskin
from bozzetto.body.landmarks import regions
from bozzetto.body.model import load_body
from bozzetto.body.poses import rotations
from bozzetto.figure.build import Figure, posed
from bozzetto.figure.ground_truth import placed
from bozzetto.prior.load import load_shape
from bozzetto.recipes.reconstructed import around, registered
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject.fit import Fitted
from bozzetto.subject.outlines import agreement
from bozzetto.subject.photos import Photo
from bozzetto.subject.surface import Answer, asked
from bozzetto.types import Avatar, Skeleton

_STIFF = {"head": "head", "wrist.L": "hand", "wrist.R": "hand", "foot.L": "foot", "foot.R": "foot"}
"""Joints that carry what moves as a whole, with all that hangs on them."""
_ARMS = ("upperarm01.L", "upperarm01.R")
_LIMBS = (*_ARMS, "upperleg01.L", "upperleg01.R")
"""Joints that carry a limb: what one moves says nothing of its neighbour."""
_NEIGHBOURS, _WIDTH = 48, 0.025
"""Places of the surface whose movement is averaged, by a bell of so many metres beyond the nearest."""
_FARTHEST = 0.08
"""Metres that anything moves at most."""
_FARTHEST_SKIN = 0.02
"""The same for bare necks and legs: what lies farther out is hair or a skirt that the figure lacks."""


@dataclass(frozen=True, eq=False)
class Movement:
    """How far each place of the posed figure moves, by the part of the body that carries it."""

    parts: Mapping[str, "_Part"]
    of_joint: Int[ndarray, "j"]
    """Index of each joint's part."""

    def at(
        self, points: Float[ndarray, "n 3"], weights: Float[ndarray, "n 4"], joints: Int[ndarray, "n 4"]
    ) -> Float[ndarray, "n 3"]:
        """Metres in the world, at posed points that are skinned so."""
        out = np.zeros((len(points), 3))
        for index, part in enumerate(self.parts.values()):
            share = (weights * (self.of_joint[joints] == index)).sum(1)
            here = share > 1e-3
            if here.any():
                out[here] += share[here, None] * part.at(points[here])
        return out


@dataclass(frozen=True, eq=False)
class _Part:
    """One part's movement: an average over what is near, or one for all."""

    places: cKDTree
    shifts: Float[ndarray, "m 3"]
    weights: Float[ndarray, "m"]
    whole: Float[ndarray, "3"] | None = None

    def at(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        if self.whole is not None:
            return np.broadcast_to(self.whole, points.shape)
        away, index = self.places.query(points, min(_NEIGHBOURS, len(self.shifts)))
        bell = np.exp(-(away**2 - away[:, :1] ** 2) / (2 * _WIDTH**2)) * self.weights[index]
        return (bell[..., None] * self.shifts[index]).sum(1) / np.maximum(bell.sum(1), 1e-9)[:, None]


def follow(figure: Figure, fitted: Fitted, photo: Photo) -> tuple[Figure, Fitted, str]:
    """The figure bent to its photo where that shows all of the person from the front and outlines then agree better;
    else as it is. And what to say.

    Args:
        figure: Built of ``fitted.spec``.
        fitted: To the photo.
        photo: Read.
    """
    stays = figure, fitted, "the figure stays as it was fitted"
    if photo.part != "full body" or photo.from_behind:
        return stays
    before, body, camera = agreement(figure, fitted, photo.mask)
    try:
        bent = followed(figure, fitted, asked(load_shape(), photo.picture, photo.mask, body, camera))
    except ValueError:  # a body folded up so far that no movement can be taken back to rest
        return stays
    after, *_ = agreement(*bent, photo.mask)
    if after <= before:
        return stays
    return *bent, f"following the photo: outlines agree by {100 * after:.0f} %, {100 * before:.0f} before"


def followed(figure: Figure, fitted: Fitted, answer: Answer) -> tuple[Figure, Fitted]:
    """The figure and its fit, bent to what the network saw.

    Args:
        figure: Built of ``fitted.spec``.
        fitted: To the photo.
        answer: The network's, from ``asked`` over the same body and the camera ``fitted.cameras_on`` it.
    """
    avatar, posture = figure.avatar, fitted.posture
    layers, body = placed(figure, posture)
    model = figure.person.body
    movement = movement_of(avatar, layers, body, answer)
    transforms = pose_transforms(avatar.skeleton, rotations(posture))
    raw = posed(avatar, posture, expression={}, grounded=False)
    # Posed, a layer lies where skinning puts it, but for the floor and what is pushed out of what lies below.
    floor = np.median(layers[0] - raw[0], 0)
    joints = moved_joints(avatar.skeleton.positions.double().numpy(), transforms)
    own = np.arange(len(joints))[:, None].repeat(4, 1)
    there = joints + movement.at(joints + floor, np.eye(4)[:1].repeat(len(joints), 0), own)
    turned = _turned(avatar.skeleton, transforms[:, :, :3].astype(np.float64), joints, there)
    axis = answer.camera.world_to_camera[0, 2, :3].double().numpy()
    skeleton = replace(avatar.skeleton, positions=_at_rest(avatar.skeleton, turned, there, axis))
    posture = replace(posture, measured=_locally(skeleton, turned))
    new = pose_transforms(skeleton, rotations(posture))

    grown = (skeleton.positions - avatar.skeleton.positions).numpy()

    def back(rest: ndarray, at: ndarray, by: ndarray, weights: ndarray, indices: ndarray) -> ndarray:
        """At rest, what stood at some points and moves: to where it goes across the picture, to where its bones take it
        in depth."""
        along = skin(rest + (weights[..., None] * grown[indices]).sum(1), weights, indices, new)
        there = at + by
        return unskin(there - ((there - along) @ axis)[:, None] * axis, weights, indices, new)

    skins = [(layer.skin_weights.double().numpy(), layer.skin_joints.numpy()) for layer in avatar.layers]
    shapes = [
        back(layer.mesh.vertices.numpy(), at, movement.at(seen, *own), *own)
        for layer, at, seen, own in zip(avatar.layers, raw, layers, skins, strict=True)
    ]
    bare = (model.skin_weights.astype(np.float64), model.skin_joints)
    by = movement.at(body, *bare)
    whole = back(figure.body_vertices, body.astype(np.float64) - floor, by, *bare)
    # On the ground, and where it stood before.
    aside = skeleton.positions[0].numpy() - avatar.skeleton.positions[0].numpy()
    aside[1] = _lowest(avatar, shapes, whole[: model.parts["body"].stop])
    made = tuple(
        replace(layer, mesh=replace(layer.mesh, vertices=torch.from_numpy(points - aside)))
        for layer, points in zip(avatar.layers, shapes, strict=True)
    )
    skeleton = replace(skeleton, positions=skeleton.positions - torch.from_numpy(aside))
    bent = replace(figure, avatar=replace(avatar, layers=made, skeleton=skeleton), bent=whole - aside)
    stood = skin(whole, *bare, new) + floor
    return bent, replace(fitted, posture=posture, body=fitted.body + (stood - body))


def movement_of(
    avatar: Avatar, layers: list[Float[ndarray, "_ 3"]], body: Float[ndarray, "v 3"], answer: Answer
) -> Movement:
    """From the registration of a closed surface around the posed layers.

    Args:
        avatar: The figure's.
        layers: Posed vertices of each.
        body: Of the body model.
        answer: The network's.
    """
    surface = around(scene_from_layers(avatar.layers, layers), body)
    start, nearest = surface.vertices.astype(np.float64), surface.nearest
    shift = registered(answer, surface.vertices, surface.faces, surface.firm).astype(np.float64) - start
    worn = cKDTree(np.concatenate(layers)).query(start)[1]
    bare = np.repeat([layer.name == "skin" for layer in avatar.layers], [len(points) for points in layers])
    shift = _at_most(shift, _FARTHEST)

    known = regions(load_body())
    of_joint, names = _parts(avatar.skeleton)
    weights = np.concatenate([layer.skin_weights.double().numpy() for layer in avatar.layers])
    joints = np.concatenate([layer.skin_joints.numpy() for layer in avatar.layers])
    parts = {}
    for index, name in enumerate(names):
        share = (weights[worn] * (of_joint[joints[worn]] == index)).sum(1)
        here = share > 0.1
        if here.sum() < 8:
            here = np.ones(len(start), bool)
            share = here.astype(float)
        whole = None
        if name in _STIFF:
            solid = here & (share > 0.5) & _solid(name, known, nearest)
            solid = solid if solid.sum() >= 8 else here
            whole = shift[solid].mean(0)
        own = shift[here]
        if name not in _ARMS:
            own = np.where(bare[worn][here, None], _at_most(own, _FARTHEST_SKIN), own)
        parts[name] = _Part(cKDTree(start[here]), own, share[here], whole)
    return Movement(parts, of_joint)


def _at_most(shifts: Float[ndarray, "n 3"], length: float) -> Float[ndarray, "n 3"]:
    return shifts * np.minimum(1.0, length / np.maximum(np.linalg.norm(shifts, axis=1, keepdims=True), 1e-9))


def _solid(name: str, known: Mapping[str, Bool[ndarray, "v"]], nearest: Int[ndarray, "n"]) -> Bool[ndarray, "n"]:
    region = {"head": "head", "wrist": "hands", "foot": "feet"}[name.split(".")[0]]
    return known[region][nearest]


def _parts(skeleton: Skeleton) -> tuple[Int[ndarray, "j"], tuple[str, ...]]:
    """The part of each joint, and the parts' names: that of the joint it hangs on; "trunk" is the rest."""
    names = ("trunk", *_STIFF, *(name for name in _LIMBS if name in skeleton.names))
    out = np.zeros(len(skeleton.names), int)
    for i, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        out[i] = names.index(name) if name in names else (out[parent] if parent >= 0 else 0)
    return out, names


_BONES = {
    "spine05": "neck01", "neck01": "head",
    **{f"{a}.{side}": f"{b}.{side}" for side in "LR" for a, b in (
        ("upperarm01", "lowerarm01"), ("lowerarm01", "wrist"), ("upperleg01", "lowerleg01"), ("lowerleg01", "foot"),
    )},
}  # fmt: skip
"""Joints that bear a bone, and where it ends."""


def _turned(
    skeleton: Skeleton,
    linear: Float[ndarray, "j 3 3"],
    before: Float[ndarray, "j 3"],
    there: Float[ndarray, "j 3"],
) -> Float[ndarray, "j 3 3"]:
    """World rotations that turn each bone to where it has moved, so that at rest none of them turns: what a photo shows
    of a pose is no matter of the build. Heads, hands and feet look where they looked."""
    turns = [np.eye(3)] * len(before)
    for i, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        if name in _BONES:
            end = skeleton.index(_BONES[name])
            turns[i] = align(before[end] - before[i], there[end] - there[i])
        elif name not in _STIFF and parent >= 0:
            turns[i] = turns[parent]
    return np.stack(turns) @ linear


def _at_rest(
    skeleton: Skeleton,
    linear: Float[ndarray, "j 3 3"],
    there: Float[ndarray, "j 3"],
    axis: Float[ndarray, "3"],
) -> Float[torch.Tensor, "j 3"]:
    """Rest positions from which these world rotations bring the joints there across the picture. Along its axis they
    lie as far from each other as they did."""
    before = skeleton.positions.double().numpy()
    rest = before.copy()
    for i, parent in enumerate(skeleton.parents):
        if parent < 0:
            rest[i] = there[i]
        else:
            old, new = linear[parent] @ (before[i] - before[parent]), there[i] - there[parent]
            rest[i] = rest[parent] + linear[parent].T @ (new - ((new - old) @ axis) * axis)
    return torch.from_numpy(rest.astype(np.float32))


def _locally(
    skeleton: Skeleton, linear: Float[ndarray, "j 3 3"]
) -> tuple[tuple[str, tuple[float, float, float, float]], ...]:
    """Each joint's rotation in its parent's frame, as a posture measures it."""
    out = []
    for i, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        x, y, z, w = Rotation.from_matrix(linear[i] if parent < 0 else linear[parent].T @ linear[i]).as_quat()
        out.append((name, (float(w), float(x), float(y), float(z))))
    return tuple(out)


def _lowest(avatar: Avatar, shapes: list[Float[ndarray, "_ 3"]], skin: Float[ndarray, "v 3"]) -> float:
    soles = [points for layer, points in zip(avatar.layers, shapes, strict=True) if layer.name == "shoes"]
    return min(float(points[:, 1].min()) for points in (skin, *soles))
