"""A spec becomes a dressed, rigged person."""

from collections.abc import Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from bozzetto.body.bind import Bind, bind_t_pose, pose_transforms, skin
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.body.poses import Posture, idle, poses, rotations, walk
from bozzetto.figure.extras import extra_pieces
from bozzetto.figure.eyes import eye_pieces, mouth_pieces
from bozzetto.figure.garments import garment_pieces
from bozzetto.figure.glasses import beside_glasses
from bozzetto.figure.hair import face_hair_pieces, hair_pieces, over_clothes
from bozzetto.figure.hats import COVER, hat_cover, under_hats
from bozzetto.figure.looks import restyle, stylised_body
from bozzetto.figure.piece import Detail, Person, Piece
from bozzetto.figure.shoes import raise_heels, shoe_pieces
from bozzetto.figure.skin import resting_expression, skin_material, skin_piece
from bozzetto.figure.spec import FigureSpec
from bozzetto.types import Avatar, Layer, Mesh, SparseOffsets


@dataclass(frozen=True, eq=False)
class Figure:
    """A built person: the character in its T-pose, and what it was made from."""

    spec: FigureSpec
    person: Person
    """Modelled around Anny's rest pose."""
    bind: Bind
    ground: float
    """Metres that the T-pose was lifted so that the soles stand on zero."""
    avatar: Avatar
    bent: Float[ndarray, "v 3"] | None = None
    """The body model in the avatar's T-pose where a photo moved it; else it stands as its person was modelled."""

    @cached_property
    def body_vertices(self) -> Float[ndarray, "v 3"]:
        """The body model in the avatar's T-pose, helpers included."""
        if self.bent is not None:
            return self.bent
        body = self.person.body
        placed = self.bind.place(self.person.vertices, body.skin_weights, body.skin_joints)
        return placed + np.array([0, self.ground, 0], np.float32)


def build_figure(spec: FigureSpec, detail: Detail = "full") -> Figure:
    """The dressed person of a spec. The same spec always gives the same figure."""
    person = bodied(spec, detail)
    body = person.body
    with ThreadPoolExecutor(1) as tailor:
        # In low detail numbers are small, and many processes work side by side.
        dressing = tailor.submit(garment_pieces, person) if detail == "full" else None
        shoes = shoe_pieces(person)
        hair = hair_pieces(person, hat_cover(spec))
        face = [*face_hair_pieces(person), *eye_pieces(person), *mouth_pieces(person)]
        painting = skin_material(person)
        clothes = garment_pieces(person) if dressing is None else dressing.result()
    extras = extra_pieces(person, clothes)
    hats = [piece for piece in extras if piece.name in COVER]
    hair = [under_hats(person, piece, hats) for piece in hair] if hats else hair
    for seen in (piece for piece in extras if piece.name in ("glasses", "sunglasses")):
        hair = [beside_glasses(piece, seen) for piece in hair]
    if detail == "full":
        around = [*clothes, *(piece for piece in extras if piece.name == "apron")]
        hair = [over_clothes(person, piece, around) for piece in hair]
    pieces = [*clothes, *shoes, *extras, *hair, *face]
    hidden = np.zeros(len(body.parts["body"].faces), bool)
    for piece in pieces:
        if piece.hides is not None:
            hidden |= piece.hides
    worn = [piece for piece in pieces if len(piece.faces)]  # a belt that a coat hides has none
    pieces = restyle(person, [skin_piece(person, hidden, painting), *worn])
    bind = bind_t_pose(body.joint_names, body.joint_parents, person.shaped.joints)
    # Pictures of 128 px need the one face that is shown, not all that the figure could make.
    shown = resting_expression(spec.face) if detail == "low" else None
    layers = [to_layer(piece, bind, shown) for piece in pieces]
    ground = -min(float(layer.mesh.vertices[:, 1].min()) for layer in layers)
    lift = torch.tensor([0.0, ground, 0.0])
    layers = [replace(layer, mesh=replace(layer.mesh, vertices=layer.mesh.vertices + lift)) for layer in layers]
    skeleton = body.skeleton(bind.joints + lift.numpy())
    clips = (walk(spec.body.height), idle()) if detail == "full" else ()
    avatar = Avatar(tuple(layers), skeleton, clips, resting_expression(spec.face))
    return Figure(spec, person, bind, ground, avatar)


def bodied(spec: FigureSpec, detail: Detail = "full") -> Person:
    """The person of a spec before anything is put on."""
    body = load_body()
    person = Person(spec, body, shape_person(body, spec.body, spec.face), detail)
    return raise_heels(stylised_body(person))


def figure_around(avatar: Avatar, spec: FigureSpec) -> Figure | None:
    """The figure that an avatar was made of, as another recipe may have painted it; None where it is no such figure."""
    person = bodied(spec)
    bind = bind_t_pose(person.body.joint_names, person.body.joint_parents, person.shaped.joints)
    skeleton = avatar.skeleton
    if skeleton.names != person.body.skeleton(bind.joints).names:
        return None
    away = skeleton.positions.numpy() - bind.joints
    ground = float(away[0, 1])
    return Figure(spec, person, bind, ground, avatar) if np.abs(away - [0, ground, 0]).max() < 0.01 else None


def to_layer(piece: Piece, bind: Bind, shown: Container[str] | None = None) -> Layer:
    """A piece carried from Anny's rest pose to the T-pose; vertices that no face uses are dropped.

    Args:
        shown: Expressions to carry along; all when None.
    """
    used = np.zeros(len(piece.vertices), bool)
    used[piece.faces.ravel()] = True
    renumbered = np.cumsum(used) - 1
    weights, joints = piece.skin_weights[used], piece.skin_joints[used]
    vertices = bind.place(piece.vertices[used], weights, joints)
    expressions = {}
    for name, (indices, offsets) in piece.expressions.items():
        kept = used[indices]
        if kept.any() and (shown is None or name in shown):
            rows = renumbered[indices[kept]]
            turned = bind.turn(offsets[kept], weights[rows], joints[rows])
            expressions[name] = SparseOffsets(torch.from_numpy(rows), torch.from_numpy(turned))
    mesh = Mesh(
        torch.from_numpy(vertices),
        torch.from_numpy(renumbered[piece.faces]),
        torch.from_numpy(np.ascontiguousarray(piece.uvs, np.float32)),
    )
    return Layer(piece.name, mesh, torch.from_numpy(weights), torch.from_numpy(joints), piece.material, expressions)


def expressed(layer: Layer, weights: dict[str, float] | None) -> Float[ndarray, "v 3"]:
    """The layer's T-pose vertices with expressions applied, by ARKit name."""
    vertices = layer.mesh.vertices.numpy()
    active = {name: weight for name, weight in (weights or {}).items() if weight and name in layer.expressions}
    if active:
        vertices = vertices.copy()
        for name, weight in active.items():
            shape = layer.expressions[name]
            np.add.at(vertices, shape.indices.numpy(), np.float32(weight) * shape.offsets.numpy())
    return vertices


def posed(
    avatar: Avatar, posture: Posture, expression: dict[str, float] | None = None, grounded: bool = True
) -> list[Float[ndarray, "v 3"]]:
    """Every layer's vertices in a posture; standing on zero when ``grounded``.

    Args:
        expression: ARKit weights; the avatar's resting expression when None.
    """
    transforms = pose_transforms(avatar.skeleton, rotations(posture))
    if expression is None:
        expression = dict(avatar.expression)
    out = [
        skin(expressed(layer, expression), layer.skin_weights.numpy(), layer.skin_joints.numpy(), transforms)
        for layer in avatar.layers
    ]
    if grounded:
        floor = np.float32(min(float(points[:, 1].min()) for points in out))
        out = [points - np.array([0, floor, 0], np.float32) for points in out]
    return out


def spec_posture(spec: FigureSpec) -> Posture:
    """The posture a spec's pose names.

    Raises:
        ValueError: No such pose.
    """
    return posture_named(spec.pose)


def posture_named(name: str) -> Posture:
    """A pose of ``body.poses``, or one that words leave a little open: lying.

    Raises:
        ValueError: No such pose.
    """
    known = poses()
    name = {"lying": "lying on the back"}.get(name, name)
    if name not in known:
        raise ValueError(f"No pose {name!r}; names are those of bozzetto.body.poses, such as 'sitting'.")
    return known[name]
