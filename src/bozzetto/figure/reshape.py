"""A person who was made already, taller, older, heavier: what changes in the spec, and how a photo's texture follows.

Only what is asked changes. What follows from it is said: children grow into their new age's height unless a height is
asked too, and are always dressed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.figure.colours import colour
from bozzetto.figure.people import median_height, weight_of_mass
from bozzetto.figure.spec import BodySpec, FigureSpec, Garment
from bozzetto.types import Avatar, Clip, Layer, UserError

_GROWN = 18.0
_BEARDED = 15.0


@dataclass(frozen=True)
class Measure:
    """One slider of a body."""

    label: str
    least: float
    most: float
    step: float
    unit: str = ""


MEASURES: Mapping[str, Measure] = {
    "height": Measure("Height", 0.7, 2.4, 0.01, "m"),
    "age": Measure("Age", 4.0, 95.0, 1.0, "years"),
    "weight": Measure("Weight", 0.0, 1.0, 0.01),
    "muscle": Measure("Muscle", 0.0, 1.0, 0.01),
    "proportions": Measure("Proportions", 0.0, 1.0, 0.01),
    "shoulders": Measure("Shoulders", 0.0, 1.0, 0.01),
    "hips": Measure("Hips", 0.0, 1.0, 0.01),
}
"""By the names of ``BodySpec``'s fields."""

_UNITS: Mapping[str, Mapping[str, float]] = {
    "height": {"": 1.0, "m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254},
    "age": {"": 1.0, "years": 1.0, "year": 1.0, "y": 1.0, "months": 1 / 12},
    "weight": {"": 1.0, "%": 0.01, "kg": 1.0, "lb": 0.45359237},
    "muscle": {"": 1.0, "%": 0.01},
    "proportions": {"": 1.0, "%": 0.01},
    "shoulders": {"": 1.0, "%": 0.01},
    "hips": {"": 1.0, "%": 0.01},
}


def read_change(name: str, text: str, body: BodySpec) -> float:
    """The value that words ask for: "1.80", "180cm", "+5cm", "-10%", "82kg".

    Args:
        name: One of ``MEASURES``.
        text: A number with or without a unit; a sign in front makes it relative to what the body has.
        body: As it is, its height and age already as asked.

    Raises:
        UserError: It is no such number, or out of range.
    """
    measure, units = MEASURES[name], _UNITS[name]
    match = re.fullmatch(r"([-+−]?)\s*(\d+(?:[.,]\d+)?|[.,]\d+)\s*([a-z%]*)", text.strip().lower())
    if match is None or match[3] not in units:
        example = {"height": "1.80, 180cm or +5cm", "age": "60 or +10", "weight": "0.7, +0.1 or 82kg"}
        raise UserError(f"--{name} {text} is no {name}. Give {example.get(name, '0.7 or +0.1')}.")
    sign, number, unit = match[1], float(match[2].replace(",", ".")), match[3]
    value = number * units[unit]
    if name == "height" and not unit and not sign and value > 3:
        value = number / 100
    if unit in ("kg", "lb"):
        if sign:
            raise UserError(f"--weight {text}: kilograms are absolute here. Give --weight 82kg, or --weight=+0.1.")
        value = weight_of_mass(value, body.height, body.age)
    if sign:
        value = getattr(body, name) + (value if sign == "+" else -value)
    if not measure.least <= value <= measure.most:
        unit = f" {measure.unit}" if measure.unit else ""
        raise UserError(
            f"--{name} {text} would be {value:.4g}{unit}; a {name} lies between {measure.least:g} and "
            f"{measure.most:g}{unit}."
        )
    return round(value, 6)


def read_changes(asked: Mapping[str, str | None], body: BodySpec) -> dict[str, float]:
    """Every value that is asked, each read against those before it.

    Raises:
        UserError: One of them cannot be read.
    """
    changes: dict[str, float] = {}
    for name in MEASURES:
        if (text := asked.get(name)) is not None:
            changes[name] = read_change(name, text, replace(body, **changes))
    return changes


def reshaped(spec: FigureSpec, changes: Mapping[str, float]) -> tuple[FigureSpec, tuple[str, ...], tuple[str, ...]]:
    """The spec with other measures, what was asked in words, and what follows from it in words.

    Args:
        changes: New values by the names of ``MEASURES``.
    """
    old = spec.body
    body = replace(old, **changes)
    asked = tuple(f"{name}: {getattr(old, name):.4g}, now {value:.4g}" for name, value in changes.items())
    follows: list[str] = []
    if "height" not in changes and body.age != old.age:
        young, grown = (median_height(body.presentation, min(age, _GROWN)) for age in (body.age, old.age))
        if young != grown:
            body = replace(body, height=round(old.height * young / grown, 6))
            follows.append(f"height: {body.height:.2f} m at that age")
    new = replace(spec, body=old)
    if body.age < _GROWN and new.dress is None:
        if new.top is None:
            new = replace(new, top=Garment("t-shirt", colour("white")))
            follows.append("a white t-shirt: children are always dressed")
        if new.bottom is None:
            new = replace(new, bottom=Garment("trousers", colour("navy blue")))
            follows.append("navy blue trousers: children are always dressed")
    if body.age < _BEARDED and new.face.beard != "none":
        new = replace(new, face=replace(new.face, beard="none"))
        follows.append("no beard at that age")
    return replace(new, body=body), asked, tuple(follows)


def same_layers(worn: Avatar, built: Avatar) -> bool:
    """Whether a character from a file consists of the layers of the figure its spec builds."""
    return {layer.name for layer in worn.layers} == {layer.name for layer in built.layers}


def carried(worn: Avatar, before: Avatar, after: Avatar) -> Avatar:
    """The reshaped figure with what was painted on the old one, bent as that was to its photo.

    Materials and texture coordinates go over face by face. A garment may hide other faces of the skin below it on
    another body: a face that was hidden before, and so was never painted, takes the colour of the nearest that was.

    Args:
        worn: The character as it was, with its own texture and texture coordinates.
        before: The figure of its spec; ``same_layers`` holds.
        after: The figure of the new spec.
    """
    built = {layer.name: layer for layer in before.layers}
    layers = []
    for layer in after.layers:
        if layer.name in built:
            uvs = followed(built[layer.name], layer, painted_places(worn.layer(layer.name), built[layer.name]))
            vertices = layer.mesh.vertices + bend_of(worn.layer(layer.name), built[layer.name], layer)
            mesh = replace(layer.mesh, uvs=torch.from_numpy(uvs), vertices=vertices)
            layer = replace(layer, mesh=mesh, material=worn.layer(layer.name).material)
        layers.append(layer)
    positions = after.skeleton.positions
    if worn.skeleton.names == before.skeleton.names == after.skeleton.names:
        positions = positions + (worn.skeleton.positions - before.skeleton.positions)
    skeleton = replace(after.skeleton, positions=positions)
    return replace(after, layers=tuple(layers), skeleton=skeleton, expression=worn.expression)


def bend_of(worn: Layer, built: Layer, after: Layer) -> Float[torch.Tensor, "v 3"]:
    """How far a layer of a file lies from the same layer as its spec builds it, for the vertices of another body's;
    none where another version of bozzetto built it with other vertices.

    Where the other body has other vertices, each takes the mean around its place, with both layers laid box on box.
    """
    old, new = built.mesh.vertices, after.mesh.vertices
    if len(worn.mesh.vertices) != len(old):
        return torch.zeros_like(new)
    bend = worn.mesh.vertices - old
    if torch.equal(built.mesh.faces, after.mesh.faces) or not bend.any():
        return bend if len(old) == len(new) else torch.zeros_like(new)
    (low, high), (least, most) = ((each.amin(0), each.amax(0)) for each in (old, new))
    places = (new - least) / (most - least).clamp_min(1e-6) * (high - low) + low
    away, index = cKDTree(old.numpy()).query(places.numpy(), min(_AROUND, len(old)))
    bell = np.exp(-(away**2 - away[:, :1] ** 2) / (2 * _WIDTH**2))
    mean = (bell[..., None] * bend.numpy()[index]).sum(1) / bell.sum(1)[:, None]
    return torch.from_numpy(mean.astype(np.float32))


_AROUND, _WIDTH = 24, 0.02
"""Vertices whose bend is averaged, by a bell of so many metres beyond the nearest."""


def painted_places(worn: Layer, built: Layer) -> Float[ndarray, "f 3 2"]:
    """Where the faces of a built layer lie on the texture that the same layer of a file has.

    They are the file's, face by face, unless another version of bozzetto built it with other faces: then what is cut
    out of cards keeps the new places, and everything else takes those of the nearest face of the file.
    """
    places = worn.mesh.uvs.numpy()
    if len(places) == len(built.mesh.faces):
        return places
    if built.material.alpha == "mask":
        return built.mesh.uvs.numpy()
    old, new = (layer.mesh.vertices.numpy()[layer.mesh.faces.numpy()].astype(np.float64) for layer in (worn, built))
    _, nearest = cKDTree(old.mean(1)).query(new.mean(1))
    corner, across = old[nearest, :1], old[nearest, 1:] - old[nearest, :1]
    shares = (new - corner) @ np.linalg.pinv(across)  # of each corner in the plane of the nearest face
    uvs = places[nearest].astype(np.float64)
    return (uvs[:, :1] + shares @ (uvs[:, 1:] - uvs[:, :1])).astype(np.float32)


def with_clips(after: Avatar, worn: Avatar, scale: float) -> Avatar:
    """The figure with the clips that its predecessor had beside the built-in ones.

    Args:
        scale: New height by old, for how far the root moves.
    """
    own = {clip.name for clip in after.clips}
    more = [_scaled(clip, scale) for clip in worn.clips if clip.name not in own]
    return replace(after, clips=(*after.clips, *more))


def _scaled(clip: Clip, scale: float) -> Clip:
    moved = clip.root_translation
    return clip if moved is None else replace(clip, root_translation=(moved * scale).astype(moved.dtype))


def followed(before: Layer, after: Layer, uvs: Float[ndarray, "f 3 2"]) -> Float[ndarray, "g 3 2"]:
    """Texture coordinates of the faces of ``after``, where ``uvs`` are those of ``before``.

    The built layers lie on the same chart whatever the body, so the chart says which face is which.
    """
    old, new = (layer.mesh.uvs.numpy() for layer in (before, after))
    if old.shape == new.shape and (old == new).all():
        return uvs
    row = _matched(old, new)
    lost = row < 0
    out = uvs[row]
    if lost.any():
        corners = old.reshape(-1, 2)
        _, nearest = cKDTree(corners).query(new[lost].mean(1))
        out[lost] = uvs.reshape(-1, 2)[nearest][:, None]
    return out


def _matched(old: Float[ndarray, "f 3 2"], new: Float[ndarray, "g 3 2"]) -> Int[ndarray, "g"]:
    """For each new face the old one with the same place on the chart, -1 where there is none; equal ones in order."""
    rows: dict[bytes, list[int]] = {}
    for index, face in reversed(list(enumerate(np.ascontiguousarray(old)))):
        rows.setdefault(face.tobytes(), []).append(index)
    found = np.full(len(new), -1, np.int64)
    for index, face in enumerate(np.ascontiguousarray(new)):
        if waiting := rows.get(face.tobytes()):
            found[index] = waiting.pop()
    return found
