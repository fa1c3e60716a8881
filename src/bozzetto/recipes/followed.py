"""The intake's figure, bent to the person whom its photo shows: rig, layers and expressions stay.

The closed surface around the figure is registered to what the network sees in the photo (``recipes.reconstructed``);
its movement is carried to every layer and joint as they stand there, and the pose is taken back. Heads, hands and feet
are too few of the network's pixels to be bent: they move, and heads grow, as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.body.bind import moved_joints, pose_transforms, unskin
from bozzetto.body.landmarks import regions
from bozzetto.body.model import load_body
from bozzetto.body.poses import rotations
from bozzetto.figure.build import Figure, posed
from bozzetto.figure.ground_truth import placed, stand
from bozzetto.prior.load import load_shape
from bozzetto.recipes.reconstructed import around, registered
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject.fit import Fitted
from bozzetto.subject.photos import Photo
from bozzetto.subject.surface import Answer, asked
from bozzetto.types import Avatar, Cameras, Layer, Skeleton, SparseOffsets

_STIFF = {"head": "head", "wrist.L": "hand", "wrist.R": "hand", "foot.L": "foot", "foot.R": "foot"}
"""Joints that carry what moves as a whole, with all that hangs on them."""
_LIMBS = ("upperarm01.L", "upperarm01.R", "upperleg01.L", "upperleg01.R")
"""Joints that carry a limb: what one moves says nothing of its neighbour."""
_NEIGHBOURS, _WIDTH = 48, 0.025
"""Places of the surface whose movement is averaged, by a bell of so many metres beyond the nearest."""
_GROWTH = 0.08
"""Most by which a head grows or shrinks."""
_FARTHEST = 0.08
"""Metres that anything moves at most."""


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
    """One part's movement: a growth about a centre and a shift, or an average over what is near."""

    places: cKDTree
    shifts: Float[ndarray, "m 3"]
    weights: Float[ndarray, "m"]
    whole: tuple[Float[ndarray, "3"], Float[ndarray, "3"], float] | None = None
    """Centre, shift, growth."""

    def at(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        if self.whole is not None:
            centre, shift, growth = self.whole
            return shift + growth * (points - centre)
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
    raw = posed(avatar, posture, grounded=False)
    # Posed, a layer lies where skinning puts it, but for the floor and what is pushed out of what lies below.
    floor = np.median(layers[0] - raw[0], 0)
    joints = moved_joints(avatar.skeleton.positions.double().numpy(), transforms)
    own = np.arange(len(joints))[:, None].repeat(4, 1)
    there = joints + movement.at(joints + floor, np.eye(4)[:1].repeat(len(joints), 0), own)
    skeleton = replace(avatar.skeleton, positions=_at_rest(avatar.skeleton, transforms, there))
    new = pose_transforms(skeleton, rotations(posture))

    def back(points: ndarray, by: ndarray, weights: ndarray, indices: ndarray) -> ndarray:
        return unskin(points + by, weights, indices, new)

    skins = [(layer.skin_weights.double().numpy(), layer.skin_joints.numpy()) for layer in avatar.layers]
    shapes = [
        back(at, movement.at(seen, *skin), *skin) for at, seen, skin in zip(raw, layers, skins, strict=True)
    ]  # fmt: skip
    by = movement.at(body, model.skin_weights.astype(np.float64), model.skin_joints)
    start = body.astype(np.float64) - floor
    whole = back(start, by, model.skin_weights, model.skin_joints)
    lift = -_lowest(avatar, shapes, whole[: model.parts["body"].stop])
    up = np.array([0, lift, 0], np.float32)
    grown = movement.parts["head"].whole
    scale = 1.0 if grown is None else 1.0 + grown[2]
    made = tuple(
        _layer(layer, points + up, _head_share(layer, movement), scale)
        for layer, points in zip(avatar.layers, shapes, strict=True)
    )
    skeleton = replace(skeleton, positions=skeleton.positions + torch.from_numpy(up))
    bent = replace(figure, avatar=replace(avatar, layers=made, skeleton=skeleton), bent=whole + up)
    return bent, replace(fitted, body=fitted.body + by)


def agreement(
    figure: Figure, fitted: Fitted, mask: Float[ndarray, "h w"]
) -> tuple[float, Float[ndarray, "v 3"], Cameras]:
    """Of the standing figure's outline with the person's in the photo, over both; the posed body, and the camera."""
    stance = stand(figure, fitted.posture)
    camera = fitted.cameras_on(stance.body)
    scene, person = stance.scene, mask > 0.5
    seen = rasterize(scene.vertices, scene.faces, camera, scene.coverage).face[0] >= 0
    return float((seen & person).sum() / max((seen | person).sum(), 1)), stance.body, camera


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
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    shift *= np.minimum(1.0, _FARTHEST / np.maximum(length, 1e-9))

    known = regions(load_body())
    of_joint, names = _parts(avatar.skeleton)
    weights = np.concatenate([layer.skin_weights.double().numpy() for layer in avatar.layers])
    joints = np.concatenate([layer.skin_joints.numpy() for layer in avatar.layers])
    worn = cKDTree(np.concatenate(layers)).query(start)[1]
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
            whole = _moved_whole(start[solid], shift[solid], name == "head")
        parts[name] = _Part(cKDTree(start[here]), shift[here], share[here], whole)
    return Movement(parts, of_joint)


def _solid(name: str, known: Mapping[str, Bool[ndarray, "v"]], nearest: Int[ndarray, "n"]) -> Bool[ndarray, "n"]:
    region = {"head": "head", "wrist": "hands", "foot": "feet"}[name.split(".")[0]]
    return known[region][nearest]


def _moved_whole(
    points: Float[ndarray, "n 3"], shift: Float[ndarray, "n 3"], grows: bool
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"], float]:
    centre = points.mean(0)
    away = points - centre
    growth = float((away * shift).sum() / (away**2).sum()) if grows else 0.0
    return centre, shift.mean(0), float(np.clip(growth, -_GROWTH, _GROWTH))


def _parts(skeleton: Skeleton) -> tuple[Int[ndarray, "j"], tuple[str, ...]]:
    """The part of each joint, and the parts' names: that of the joint it hangs on; "trunk" is the rest."""
    names = ("trunk", *_STIFF, *(name for name in _LIMBS if name in skeleton.names))
    out = np.zeros(len(skeleton.names), int)
    for i, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        out[i] = names.index(name) if name in names else (out[parent] if parent >= 0 else 0)
    return out, names


def _at_rest(
    skeleton: Skeleton, transforms: Float[ndarray, "j 3 4"], there: Float[ndarray, "j 3"]
) -> Float[torch.Tensor, "j 3"]:
    """Rest positions from which the same rotations bring the joints there."""
    rest = skeleton.positions.double().numpy().copy()
    for i, parent in enumerate(skeleton.parents):
        if parent < 0:
            rest[i] = rest[i] + there[i] - (transforms[i, :, :3] @ rest[i] + transforms[i, :, 3])
        else:
            rest[i] = rest[parent] + transforms[parent, :, :3].T @ (there[i] - there[parent])
    return torch.from_numpy(rest.astype(np.float32))


def _lowest(avatar: Avatar, shapes: list[Float[ndarray, "_ 3"]], skin: Float[ndarray, "v 3"]) -> float:
    soles = [points for layer, points in zip(avatar.layers, shapes, strict=True) if layer.name == "shoes"]
    return min(float(points[:, 1].min()) for points in (skin, *soles))


def _head_share(layer: Layer, movement: Movement) -> Float[ndarray, "v"]:
    head = list(movement.parts).index("head")
    return (layer.skin_weights.numpy() * (movement.of_joint[layer.skin_joints.numpy()] == head)).sum(1)


def _layer(layer: Layer, points: Float[ndarray, "v 3"], head: Float[ndarray, "v"], scale: float) -> Layer:
    """The layer with other vertices; where the head grew, expressions grow with it."""
    mesh = replace(layer.mesh, vertices=torch.from_numpy(points.astype(np.float32)))
    grown = torch.from_numpy((1 + (scale - 1) * head).astype(np.float32))
    expressions = {
        name: SparseOffsets(moved.indices, moved.offsets * grown[moved.indices][:, None])
        for name, moved in layer.expressions.items()
    }
    return replace(layer, mesh=mesh, expressions=expressions)
