"""A person becomes a field of distances and colours, and what the field learned becomes a character again."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import igl
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from bozzetto.body.bind import pose_transforms, skin, unskin
from bozzetto.body.carry import Donor, carry_rig, carry_weights, donor
from bozzetto.body.landmarks import regions
from bozzetto.body.model import Body
from bozzetto.body.poses import rotations
from bozzetto.figure.build import Figure, posture_named
from bozzetto.figure.ground_truth import Stance, stand
from bozzetto.figure.shells import smooth_step
from bozzetto.geometry import edges_of, halved
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.mesh import render_mesh
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import Scene
from bozzetto.render.volume import Rays, camera_rays
from bozzetto.scene.distance import DistanceGrid
from bozzetto.scene.radiance import NeuS
from bozzetto.texture import bake, pad, unwrap
from bozzetto.texture.bake import Baked, texels_of
from bozzetto.types import Avatar, Cameras, ColouredMesh, Layer, Material, Mesh, linear_to_srgb

POSE = "a-pose"
"""What the prior knows best, and where no arm lies against the body."""
CELL = 0.012
SHARPNESS = 300.0
"""1 / metres."""
TOO_FINE = ("eyes", "teeth", "tongue", "lashes", "brows", "glasses")
"""Layers that a field of 7 mm says nothing about."""
_SEEN = 150_000
"""Pixels that colours are learned from, of bodies and of heads."""
_FACE = (0.005, 0.035)
"""How near a face the shape is wholly the body's, and how far from it free; metres along the body."""
_GOLDEN_DEGREES = 137.50776405


@dataclass(frozen=True, eq=False)
class Pictured:
    """Pictures of the figure in flat light."""

    cameras: Cameras
    rgb: Float[ndarray, "b h w 3"]
    """sRGB, on black."""


@dataclass(frozen=True, eq=False)
class Field:
    """A field around a person, and the person."""

    figure: Figure
    stance: Stance
    """The figure in the field's pose."""
    scene: NeuS
    """What learns."""
    before: NeuS
    """The same as it was at first."""
    pictured: tuple[Pictured, ...]
    """What it looked like at first; nothing for a bare body."""
    known: Mapping[str, Float[ndarray, "s s"]] = field(default_factory=dict)
    """By layer: on its texture, 1 where its colour is a photo's own and stays."""


# ---------------------------------------------------------------------------------------------------- the start


def field_of(figure: Figure, init: Literal["figure", "body"], detail: int = 512, own_face: bool = False) -> Field:
    """The field to start from, in an A-pose.

    Args:
        figure: Who stands there.
        init: The figure with its colours, or its bare grey body.
        detail: Pixels of a side of the pictures that its colours come from.
        own_face: A bare body's face keeps its shape.
    """
    stance = stand(figure, POSE)
    if init == "body":
        outer = donor(figure.person.body, figure.person.vertices, figure.bind).faces  # no mouth: it would be a pit
        used, faces = np.unique(outer, return_inverse=True)
        vertices = stance.body[used].astype(np.float64)
        scene = NeuS.from_mesh(vertices, faces.reshape(-1, 3), CELL, reach=0.15, section=0.01, sharpness=SHARPNESS)
        if own_face:
            hold_face(scene, figure.person.body, stance.body)
        return Field(figure, stance, scene, copy.deepcopy(scene), ())
    scene = NeuS(
        outside(stance.scene, CELL, 0.06 + 2 * CELL, 3 * detail // 4), reach=0.06, section=0.01, sharpness=SHARPNESS
    )
    pictured = portraits(stance, detail)
    learn_colours(scene, pictured, steps=60 + detail // 2)
    return Field(figure, stance, scene, copy.deepcopy(scene), pictured)


def joints(stance: Stance) -> Float[ndarray, "17 3"]:
    """Where the standing person's joints and face are, in COCO's order."""
    return np.asarray(stance.figure.person.body.keypoints(stance.body)[:17], np.float64)


def portraits(stance: Stance, size: int) -> tuple[Pictured, ...]:
    """The figure from all around, and its head again from near."""
    body = np.arange(14)
    whole = frame(stance.scene.vertices, body * 360 / 14, np.where(body % 2, 25.0, -15.0), 30.0, size, 0.02)
    low, high = stance.head
    far = float(np.linalg.norm(high - low)) / 2 / np.tan(np.radians(14)) + 0.05
    turns = np.arange(8) * 45.0
    near = orbit(turns, np.where(turns % 90, 20.0, 0.0), far, (low + high) / 2, 28.0, size, size)
    return tuple(Pictured(each, flat_pictures(stance.scene, each)) for each in (whole, near))


def flat_pictures(scene: Scene, cameras: Cameras) -> Float[ndarray, "b h w 3"]:
    """The scene's own colours as displayed; pixels at outlines are filled up with the figure's."""
    seen = render_mesh(scene, cameras, None, supersample=2)
    return linear_to_srgb(np.clip(seen.rgb.numpy() / np.maximum(seen.alpha.numpy(), 1e-6), 0, 1)).astype(np.float32)


def outside(scene: Scene, cell: float, margin: float, size: int, views: int = 48) -> DistanceGrid:
    """Signed distances to what of a dressed figure is seen from outside.

    Layers overlap and have holes, so no winding number says what is inside: a node is outside where some camera sees
    it in front of everything near it. Distances are exact near what is seen, and counted in cells elsewhere.

    Args:
        scene: Posed layers.
        cell: Metres between nodes.
        margin: Metres kept on each side.
        size: Pixels of a side.
        views: Cameras, none of them far below, so that skirts stay closed.
    """
    low = scene.vertices.min(0).astype(np.float64) - margin
    count = np.ceil((scene.vertices.max(0) + margin - low) / cell).astype(int) + 1
    nodes = (low + np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), -1).reshape(-1, 3) * cell).astype(
        np.float32
    )
    steps = np.arange(views)
    cameras = frame(scene.vertices, steps * _GOLDEN_DEGREES, -20 + 85 * ((steps * 0.7548777) % 1), 20.0, size, 0.03)
    outer, named = np.zeros(len(nodes), bool), np.zeros(len(scene.faces), bool)
    for view in range(views):
        one = cameras[view]
        seen = rasterize(scene.vertices, scene.faces, one, scene.coverage)
        named[seen.face[seen.face >= 0]] = True
        depth = ndimage.minimum_filter(np.where(seen.face[0] >= 0, seen.depth[0], np.inf), 3)
        rows = np.flatnonzero(~outer)
        matrix, lens = one.world_to_camera[0].numpy(), one.intrinsics[0].numpy()
        placed = nodes[rows] @ matrix[:3, :3].T + matrix[:3, 3]
        at = (placed[:, :2] / placed[:, 2:] * lens[0, 0] + lens[:2, 2]).astype(int)
        inside = (at >= 0).all(1) & (at < size).all(1)
        at = at.clip(0, size - 1)
        outer[rows[inside & (placed[:, 2] < depth[at[:, 1], at[:, 0]])]] = True
    shape = outer.reshape(count)
    shape[[0, -1]] = shape[:, [0, -1]] = shape[:, :, [0, -1]] = True
    far = ndimage.distance_transform_edt(shape) - ndimage.distance_transform_edt(~shape)
    far = (far - np.sign(far) * 0.5) * cell
    near = np.flatnonzero(np.abs(far.ravel()) < 3 * cell)
    squared = igl.point_mesh_squared_distance(
        np.asfortranarray(nodes[near], np.float64), np.asfortranarray(scene.vertices, np.float64),
        np.asfortranarray(scene.faces[named], np.int64),
    )[0]  # fmt: skip
    far.ravel()[near] = np.sign(far.ravel()[near]) * np.sqrt(squared)
    return DistanceGrid(torch.from_numpy(far.astype(np.float32)), torch.from_numpy(low).float(), cell)


def learn_colours(scene: NeuS, pictured: Sequence[Pictured], steps: int, count: int = 4096, seed: int = 0) -> None:
    """Gives the field the colours that pictures show, where its surface is; its shape stays."""
    points, towards, colours = [], [], []
    generator = torch.Generator().manual_seed(seed)
    for each in pictured:
        every = camera_rays(each.cameras)
        for part in torch.randperm(len(every.origins), generator=generator)[:_SEEN].split(1 << 14):
            rays = Rays(every.origins[part], every.directions[part])
            with torch.no_grad():
                found = scene.trace(rays)
            hit = found.alpha[:, 0] > 0.9
            points.append((rays.origins + found.distance / found.alpha.clamp_min(1e-6) * rays.directions)[hit])
            towards.append(rays.directions[hit])
            colours.append(torch.from_numpy(each.rgb).reshape(-1, 3)[part][hit])
    at, along, wanted = torch.cat(points), torch.cat(towards), torch.cat(colours)
    optimiser = torch.optim.Adam(scene.colour.groups(2e-2), betas=(0.9, 0.99))
    rates = [group["lr"] for group in optimiser.param_groups]
    for step in range(steps):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * 0.05 ** (step / steps)
        drawn = torch.randint(len(at), (count,), generator=generator)
        deep = (torch.rand(count, 1, generator=generator) - 0.4) * 0.015
        loss = (torch.sigmoid(scene.colour(at[drawn] + deep * along[drawn])) - wanted[drawn]).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


# ---------------------------------------------------------------------------------------------------- the character


def character(field: Field, deliver: Literal["layers", "field"]) -> Avatar:
    """The character as the field has it now."""
    if deliver == "layers" and field.pictured:
        return recoloured(field)
    return free_form(field)


@torch.no_grad()
def change(field: Field, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """How much the colour at points has changed since the start, as displayed; nothing well below the surface."""
    out = np.zeros(points.shape, np.float32)
    for part in np.array_split(np.arange(len(points)), len(points) // 100_000 + 1):
        at = torch.from_numpy(points[part]).float()
        deep = field.before.distance(at)
        now, then = (torch.sigmoid(scene.colour(at)) for scene in (field.scene, field.before))
        share = (1 + deep / 0.012).clamp(0, 1)[:, None]
        out[part] = ((now - then) * share).numpy()
    return out


def recoloured(field: Field) -> Avatar:
    """The figure's layers, each texel changed as much as the field has changed there."""
    avatar, scene = field.figure.avatar, field.stance.scene
    ends = np.cumsum([len(layer.mesh.vertices) for layer in avatar.layers])
    shared: dict[int, list[tuple[Layer, Mesh]]] = {}
    for layer, points in zip(avatar.layers, np.split(scene.vertices, ends[:-1]), strict=True):
        if layer.name not in TOO_FINE:
            posed = replace(layer.mesh, vertices=torch.from_numpy(points.copy()))
            shared.setdefault(id(layer.material.albedo), []).append((layer, posed))
    painted = {albedo: _painted(field, rows) for albedo, rows in shared.items()}
    layers = [
        layer if layer.name in TOO_FINE
        else replace(layer, material=replace(layer.material, albedo=painted[id(layer.material.albedo)]))
        for layer in avatar.layers
    ]  # fmt: skip
    return replace(avatar, layers=tuple(layers))


def _painted(field: Field, rows: Sequence[tuple[Layer, Mesh]]) -> UInt8[ndarray, "h w c"]:
    """The picture that some layers share."""
    albedo = rows[0][0].material.albedo
    height, width = albedo.shape[:2]
    side = max(height, width)
    moved, covered = np.zeros((side, side, 3), np.float32), np.zeros((side, side), bool)
    for layer, posed in rows:
        texels = texels_of(posed, side)
        seen = change(field, texels.position)
        if layer.name in field.known:
            seen *= 1 - field.known[layer.name][texels.covered][:, None]
        moved[texels.covered] = seen
        covered |= texels.covered
    moved = pad(moved, covered)
    if (height, width) != (side, side):  # texels of a square, whatever the picture's shape
        lines, columns = (np.arange(height) * side // height), (np.arange(width) * side // width)
        moved = moved[lines][:, columns]
    painted = albedo.copy()
    painted[..., :3] = (albedo[..., :3] + moved * 255).round().clip(0, 255).astype(np.uint8)
    return painted


def free_form(field: Field, cell: float = 0.012, size: int = 2048) -> Avatar:
    """The field's surface in the T-pose with the body's rig, expressions, and eyes and teeth behind its openings.

    Args:
        field: What was learned.
        cell: Metres between the places where the surface is looked for.
        size: Texels a side: 1 mm of a face, where the figure's own pictures come along; 1024 without.
    """
    figure, stance = field.figure, field.stance
    field.scene.refresh()
    inner = tuple(layer for layer in figure.avatar.layers if layer.name in ("eyes", "teeth", "tongue"))
    person = donor(figure.person.body, figure.person.vertices, figure.bind, figure.ground, inner)
    found = field.scene.mesh(cell)
    vertices, faces = largest(found.vertices.numpy(), found.faces.numpy())
    if field.scene.holding:
        vertices, faces = _faced(person, stance, field.scene, vertices, faces)
    rest = to_rest(person, stance, vertices, faces)
    # Where each vertex stands in the field's pose goes along where colours do.
    carried = carry_rig(
        person, ColouredMesh(torch.from_numpy(rest), torch.from_numpy(faces), torch.from_numpy(vertices))
    )
    size = size if field.pictured else size // 2
    flat = unwrap(carried.mesh.vertices.numpy(), carried.mesh.faces.numpy(), size)
    there = replace(flat, vertices=carried.mesh.colours)
    material = Material(_texture(field, there, size), roughness=0.85, double_sided=True)
    return Avatar(
        (carried.layer("figure", flat, material), *carried.inner),
        person.skeleton,
        figure.avatar.clips,
        figure.avatar.expression,
    )


def hold_face(scene: NeuS, body: Body, standing: Float[ndarray, "n 3"]) -> None:
    """Leaves the face the body's: a small prior paints it without features, and makes pits where lips are cut.

    Args:
        scene: Around the body.
        body: The model.
        standing: Its vertices, as they stand there.
    """
    skin = np.unique(body.parts["body"].faces)
    points = standing[skin]
    aside, _ = cKDTree(points[regions(body)["face"][skin]]).query(points)
    share = 1 - smooth_step((aside - _FACE[0]) / (_FACE[1] - _FACE[0])).astype(np.float32)
    count = tuple(scene.start_values.shape)
    nodes = scene.start_low.numpy() + np.stack(np.meshgrid(*map(np.arange, count), indexing="ij"), -1) * scene.cell
    _, nearest = cKDTree(points).query(nodes.reshape(-1, 3), distance_upper_bound=scene.reach + scene.cell)
    share = np.append(share, np.float32(0))[nearest].reshape(count)
    scene.hold(torch.from_numpy(ndimage.gaussian_filter(share, 1.0)))  # which vertex is nearest changes in steps


def _faced(
    person: Donor, stance: Stance, scene: NeuS, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> tuple[Float[ndarray, "w 3"], Int[ndarray, "g 3"]]:
    """A surface that is as fine as the body where it is the body's, and lies on it."""
    for _ in range(2):
        vertices, faces = halved(vertices, faces, scene.held(torch.from_numpy(vertices)).numpy() > 0.5)
    share = scene.held(torch.from_numpy(vertices)).numpy()
    close = np.flatnonzero(share > 0.5)
    _, _, onto = igl.point_mesh_squared_distance(
        np.asfortranarray(vertices[close], np.float64), np.asfortranarray(stance.body, np.float64),
        np.asfortranarray(person.faces, np.int64),
    )  # fmt: skip
    pull = smooth_step(2 * share[close, None] - 1)
    vertices[close] += (pull * (onto - vertices[close])).astype(vertices.dtype)
    return vertices, faces


def to_rest(
    person: Donor, stance: Stance, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> Float[ndarray, "v 3"]:
    """Vertices around the standing body, carried back to the T-pose."""
    standing = replace(person, vertices=stance.body[: len(person.vertices)].astype(np.float32))
    weighted = carry_weights(standing, vertices.astype(np.float64), faces)
    return unskin(vertices, weighted.skin_weights, weighted.skin_joints, from_rest(person, stance))


def from_rest(person: Donor, stance: Stance) -> Float[ndarray, "j 3 4"]:
    """Of each joint, from the T-pose to where it stands."""
    transforms = pose_transforms(person.skeleton, rotations(posture_named(stance.pose)))
    first = skin(person.vertices[:1], person.skin_weights[:1], person.skin_joints[:1], transforms)
    transforms[:, :, 3] += stance.body[0] - first[0]  # feet are on the ground in both
    return transforms


def largest(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], least: float = 0.02
) -> tuple[Float[ndarray, "w 3"], Int[ndarray, "g 3"]]:
    """The connected pieces that have at least such a share of the largest one's faces."""
    ends = edges_of(faces)
    graph = sparse.coo_matrix((np.ones(len(ends)), ends.T), shape=(len(vertices),) * 2)
    piece = sparse.csgraph.connected_components(graph, directed=False)[1][faces[:, 0]]
    count = np.bincount(piece)
    used, kept = np.unique(faces[count[piece] >= least * count.max()], return_inverse=True)
    return vertices[used], kept.reshape(-1, 3)


@torch.no_grad()
def _texture(field: Field, mesh: Mesh, size: int) -> ndarray:
    texels = texels_of(mesh, size)
    at = torch.from_numpy(texels.position)
    colours = torch.cat([torch.sigmoid(field.scene.colour(part)) for part in at.split(1 << 17)]).numpy()
    for each in field.pictured:  # near pictures come last, and win
        shown: Baked = bake(mesh, each.rgb, each.cameras, size)
        share = np.minimum(shown.confidence[texels.covered] / 0.05, 1)[:, None]
        detailed = shown.texture[texels.covered] + change(field, texels.position)
        colours = colours + share * (detailed - colours)
    texture = np.zeros((size, size, 3), np.float32)
    texture[texels.covered] = colours
    return (pad(texture, texels.covered) * 255).round().clip(0, 255).astype(np.uint8)
