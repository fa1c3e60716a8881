"""Looks: the same person as a toon, a statue, a robot or a creature.

A look may change proportions (``stylised_body``, before anything is made around the body), surfaces and parts
(``restyle``, after everything is made). Garments, hair and rig follow by themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image, ImageFilter
from scipy import sparse
from scipy.ndimage import gaussian_filter, grey_closing, map_coordinates
from scipy.spatial import cKDTree

from bozzetto.body.model import Body, ShapedBody
from bozzetto.figure.atlas import Atlas, skin_atlas, skin_faces, skin_stop, skin_uvs
from bozzetto.figure.hats import COVER
from bozzetto.figure.piece import MOVES, Person, Piece
from bozzetto.figure.spec import Look
from bozzetto.geometry import vertex_normals
from bozzetto.kept import kept
from bozzetto.types import Material


@dataclass(frozen=True)
class Proportions:
    """Scales of body parts about their joints; 1 leaves a part alone."""

    head: float = 1.0
    neck: float = 1.0
    trunk: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Along x, y, z."""
    legs: tuple[float, float, float] = (1.0, 1.0, 1.0)
    arms: float = 1.0
    hands: float = 1.0
    feet: float = 1.0
    eyes: float = 1.0
    nose: float = 1.0
    snout: float = 0.0
    """Metres that mouth and nose stand forward."""


PROPORTIONS: Mapping[Look, Proportions] = {
    "toon": Proportions(
        head=1.32,
        neck=0.85,
        trunk=(0.96, 0.95, 1.0),
        legs=(0.97, 0.93, 0.97),
        hands=1.16,
        feet=1.12,
        eyes=1.28,
        nose=0.92,
    ),
    "anime": Proportions(
        head=1.2, neck=0.9, trunk=(0.9, 0.97, 0.92), legs=(0.92, 1.03, 0.92), arms=0.97, eyes=1.62, nose=0.55
    ),
    "chibi": Proportions(
        head=1.95,
        neck=0.7,
        trunk=(0.98, 0.72, 1.0),
        legs=(1.0, 0.55, 1.0),
        arms=0.72,
        hands=1.1,
        feet=0.95,
        eyes=1.42,
        nose=0.75,
    ),
    "clay": Proportions(head=1.22, neck=0.92, hands=1.2, feet=1.15, eyes=1.15),
    "low-poly": Proportions(head=1.1, hands=1.08),
    "skull": Proportions(head=1.03, neck=0.95, nose=0.6),
    "snouted": Proportions(head=1.12, snout=0.06, nose=0.85, eyes=1.15),
    "horned": Proportions(head=1.05, hands=1.08, trunk=(1.04, 1.0, 1.03)),
    "robot": Proportions(head=1.03, hands=1.06),
}


def _scales(person: Person, rules: Proportions) -> Float[ndarray, "j 3"]:
    scales = np.ones((len(person.body.joint_names), 3))
    for i, name in enumerate(person.body.joint_names):
        if name in ("head", "eye.L", "eye.R"):
            scales[i] = rules.head
        elif name.startswith("neck"):
            scales[i] = rules.neck + (rules.head - rules.neck) * {"neck01": 0.0, "neck02": 0.12, "neck03": 0.3}[name]
        elif name.startswith(("wrist", "finger", "metacarpal")):
            scales[i] = rules.hands * rules.arms
        elif name.startswith(("upperarm", "lowerarm")):
            scales[i] = rules.arms
        elif name.startswith(("upperleg", "lowerleg")):
            scales[i] = rules.legs
        elif name.startswith(("foot", "toe")):
            scales[i] = rules.feet
        else:
            scales[i] = rules.trunk
    return scales


def stylised_body(person: Person) -> Person:
    """The person with the look's proportions."""
    rules = PROPORTIONS.get(person.spec.look, Proportions())
    body, rest, joints = person.body, person.shaped.vertices.astype(np.float64), person.shaped.joints.astype(np.float64)
    scales = _scales(person, rules)
    moved = np.empty_like(joints)
    for i, parent in enumerate(body.joint_parents):
        moved[i] = joints[i] if parent < 0 else moved[parent] + scales[parent] * (joints[i] - joints[parent])
    weights, joint_of = body.skin_weights.astype(np.float64), body.skin_joints
    vertex_scale = np.einsum("vk,vkd->vd", weights, scales[joint_of])
    vertex_shift = np.einsum("vk,vkd->vd", weights, moved[joint_of] - scales[joint_of] * joints[joint_of])

    face = _face_warp(person, rules, moved, rules.head)

    def deform(points: Float[ndarray, "n 3"], rows: ndarray) -> Float[ndarray, "n 3"]:
        scaled = points * vertex_scale[rows] + vertex_shift[rows]
        of_head = np.isin(body.skin_joints[rows, 0], head_joints)
        return np.where(of_head[:, None], face(scaled), scaled)

    head_joints = [body.joint_names.index(name) for name in ("head", "eye.L", "eye.R", "neck03")]
    everything = np.arange(len(rest))
    vertices = deform(rest, everything)
    for side in "LR":
        eye = body.joint_names.index(f"eye.{side}")
        moved[eye] = face(moved[eye : eye + 1])[0]
    floor = vertices[: body.parts["body"].stop, 1].min()
    vertices[:, 1] -= floor
    moved[:, 1] -= floor
    shaped = ShapedBody(vertices.astype(np.float32), moved.astype(np.float32))
    return replace(person, shaped=shaped)


def _face_warp(
    person: Person, rules: Proportions, joints: Float[ndarray, "j 3"], head: float
) -> Callable[[Float[ndarray, "n 3"]], Float[ndarray, "n 3"]]:
    """Bigger eyes, a smaller nose, a snout: smooth moves of points near the face, in the scaled head's frame."""
    names = person.body.joint_names
    eyes = np.stack([joints[names.index(f"eye.{side}")] for side in "LR"])
    apart = np.linalg.norm(eyes[0] - eyes[1])
    middle = eyes.mean(0)
    front = 0.3 * apart
    nose = middle + np.array([0, -0.62 * apart, 0.65 * apart])
    mouth = middle + np.array([0, -0.95 * apart, 0.55 * apart])

    def warp(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
        out = points.copy()
        if rules.nose != 1:
            near = np.exp(-(((points - nose) / (0.36 * apart)) ** 2).sum(1))[:, None]
            out += (rules.nose - 1) * near * (points - (nose - [0, 0, 0.25 * apart])) * [0.8, 0.5, 1.0]
        if rules.snout:
            d = (points - mouth) / (np.array([0.52, 0.55, 0.9]) * apart)
            near = np.exp(-((d**2).sum(1) ** 1.5))[:, None]
            out += near * np.array([0, 0.12, 1.0]) * rules.snout * head
        if rules.eyes != 1:
            for eye in eyes:
                d = (points - eye) / (np.array([0.42, 0.4, 0.6]) * apart)
                near = np.exp(-((d**2).sum(1) ** 1.5))[:, None]
                out += (rules.eyes - 1) * near * (points - eye - np.array([0, 0, 0.1 * front])) * [1.0, 1.12, 0.75]
        return out

    return warp


# Surfaces


def restyle(person: Person, pieces: list[Piece]) -> list[Piece]:
    """The pieces as the look makes them; lids of larger eyes move farther."""
    style = _STYLES.get(person.spec.look)
    wide = PROPORTIONS.get(person.spec.look, Proportions()).eyes
    if wide != 1:
        pieces = [replace(piece, expressions=_widened(piece.expressions, np.float32(wide))) for piece in pieces]
    return pieces if style is None else style(person, pieces)


def _widened(moves: MOVES, factor: np.float32) -> MOVES:
    lids = ("eyeBlink", "eyeSquint", "eyeWide")
    return {
        name: (indices, offsets * factor) if name.startswith(lids) else (indices, offsets)
        for name, (indices, offsets) in moves.items()
    }


def _noise(rng: np.random.Generator, size: int, scale: float) -> Float[ndarray, "s s"]:
    """Tileable smooth noise, zero mean and unit spread; ``scale`` in texels."""
    noise = gaussian_filter(rng.normal(size=(size, size)), scale, mode="wrap")
    return (noise - noise.mean()) / noise.std()


def _fractal(rng: np.random.Generator, size: int, scale: float) -> Float[ndarray, "s s"]:
    noise = np.sum([_noise(rng, size, scale / 2**i) / 1.7**i for i in range(4)], axis=0)
    return noise / noise.std()


def _image(values: Float[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _box_uvs(person: Person, piece: Piece, metres: float) -> Float[ndarray, "f 3 2"]:
    """Box-projected texture coordinates: one tile is ``metres`` wide; each face takes its dominant axis."""
    corners = piece.vertices[piece.faces]
    normal = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    axis = normal.argmax(1)
    pairs = np.array([[2, 1], [0, 2], [0, 1]])[axis]
    uv = np.take_along_axis(corners, np.repeat(pairs[:, None, :], 3, 1), 2) / metres
    return (uv - np.floor(uv.min(1, keepdims=True))).astype(np.float32)


def _normals(height: Float[ndarray, "h w"], strength: float) -> UInt8[ndarray, "h w 3"]:
    """A tangent-space normal map of a tileable height field."""
    dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * strength
    dy = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) * strength
    n = np.stack([-dx, -dy, np.ones_like(height)], -1)
    return _image(n / np.linalg.norm(n, axis=-1, keepdims=True) * 0.5 + 0.5)


def _field(
    rng: np.random.Generator, points: Float[ndarray, "n 3"], metres: float, octaves: int = 3
) -> Float[ndarray, "n"]:
    """Smooth noise in space, about zero mean and unit spread; ``metres`` is the width of its largest clouds."""
    grid = gaussian_filter(rng.normal(size=(24, 24, 24)), 1.5, mode="wrap")
    grid /= grid.std()
    out = np.zeros(len(points))
    for i in range(octaves):
        at = points.T.astype(np.float64) * (4.5 * 2**i / metres) + 7.3 * i
        out += map_coordinates(grid, at, order=1, mode="grid-wrap") / 1.7**i
    return out / np.sqrt(sum(1.7 ** (-2 * i) for i in range(octaves)))


def _carved_from(
    pieces: list[Piece],
    albedo: Float[ndarray, "h w 3"],
    solid: Callable[[Float[ndarray, "n 3"]], Float[ndarray, "n 2"]],
    roughness: float | UInt8[ndarray, "h w"],
    metallic: float = 0.0,
) -> list[Piece]:
    """Everything of one solid material, the skin now called body; lashes, which would be wires, are left out.

    Args:
        solid: Texture coordinates of points in space. They are one smooth field through everything, so no piece shows
            where its own texture is cut.
    """
    material = Material(_image(albedo), roughness=roughness, metallic=metallic)
    doubled = replace(material, double_sided=True)
    rough = float(np.mean(roughness) / (1 if isinstance(roughness, float) else 255))
    out = []
    for piece in pieces:
        if piece.name in ("hair", "beard"):  # strands keep their cut-outs
            own = piece.material.albedo.astype(np.float64)
            at = solid(piece.vertices[np.unique(piece.faces)[::16]]) % 1 * albedo.shape[1::-1]
            column, row = at.astype(int).T
            mean = albedo[row % len(albedo), column].mean(0)
            grey = own[..., :3].mean(-1)
            seen = grey if own.shape[-1] == 3 else grey[own[..., 3] > 127]
            shade = np.clip(grey / max(float(seen.mean()), 1.0), 0.6, 1.3)
            colour = np.clip(mean * shade[..., None], 0, 1) * 255
            strands = np.concatenate([colour, own[..., 3:]], -1).astype(np.uint8)
            look = replace(piece.material, albedo=strands, roughness=rough, metallic=metallic)
            out.append(replace(piece, material=look))
        elif piece.name not in ("lashes", "tongue", "brows"):
            uvs = solid(piece.vertices)[piece.faces].astype(np.float32)
            look = doubled if piece.material.double_sided else material
            name = "body" if piece.name == "skin" else piece.name  # light goes into skin, not into stone
            out.append(replace(piece, name=name, uvs=uvs, material=look))
    return out


def _size(person: Person) -> int:
    return 512 if person.detail == "full" else 128


def _spread(values: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Noise of unit spread as a texture coordinate."""
    return np.clip(0.5 + values / 7, 0.01, 0.99)


_SPREAD = (np.linspace(0, 1, 256) - 0.5) * 7
"""The values of ``_spread`` along a texture of 256 texels."""


def _marble(person: Person, pieces: list[Piece]) -> list[Piece]:
    def solid(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 2"]:
        rng = person.rng("marble")
        return np.stack([_spread(_field(rng, points, 0.3)), _spread(_field(rng, points, 0.4))], 1)

    cloud, vein = _SPREAD[None, :], _SPREAD[:, None]
    veins = np.exp(-((vein / 0.09) ** 2)) * np.clip(0.4 + 0.5 * cloud, 0, 1)
    value = 0.86 + 0.03 * cloud - 0.30 * veins
    return _carved_from(pieces, value[..., None] * np.array([1.0, 0.985, 0.955]), solid, 0.38)


def _bronze(person: Person, pieces: list[Piece]) -> list[Piece]:
    def solid(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 2"]:
        rng = person.rng("bronze")
        return np.stack([_spread(_field(rng, points, 0.2)), _spread(_field(rng, points, 0.3))], 1)

    cloud = _SPREAD[None, :, None]
    patina = np.clip((_SPREAD[:, None, None] - 0.9) * 0.7, 0, 1)
    metal = np.array([0.72, 0.50, 0.30]) * (1 + 0.10 * cloud)
    albedo = metal * (1 - patina) + np.array([0.34, 0.55, 0.47]) * patina
    rough = np.clip(0.40 + 0.07 * cloud + 0.35 * patina, 0.2, 0.9)[..., 0]
    return _carved_from(pieces, albedo, solid, (rough * 255).astype(np.uint8), 0.85)


def _wood(person: Person, pieces: list[Piece]) -> list[Piece]:
    """Wood as it grows: rings about an upright axis behind the shoulder, fibres along it."""
    size, rng = _size(person), person.rng("wood")
    x = np.linspace(0, 1, size, endpoint=False)[None, :]
    bend = gaussian_filter(rng.normal(size=(size, size)), (size / 6, size / 24), mode="wrap")
    bend /= bend.std()
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (9 * x + 0.55 * bend))
    fibre = gaussian_filter(rng.normal(size=(size, size)), (size / 24, 0.6), mode="wrap")
    fibre /= fibre.std()
    value = (0.5 + 0.5 * rings**2)[..., None]
    albedo = (np.array([0.48, 0.30, 0.17]) * (1 - value) + np.array([0.76, 0.55, 0.35]) * value) * (
        1 + 0.05 * fibre[..., None]
    )

    def solid(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n 2"]:
        wave = 0.012 * _field(person.rng("wood rings"), points * np.array([1, 0.25, 1], np.float32), 0.3, 1)
        radius = np.hypot(points[:, 0] - 0.31, points[:, 2] + 0.37) + wave
        return np.stack([radius / 0.34, points[:, 1] / 0.34], 1)

    return _carved_from(pieces, albedo, solid, 0.62)


def _clay(person: Person, pieces: list[Piece]) -> list[Piece]:
    """Plasticine: every colour kept but softened, no fine texture, folds in what is worn, finger marks on the rest."""
    size, rng = _size(person), person.rng("clay")
    marks = _normals(_fractal(rng, size, size / 22), 1.6) if person.detail == "full" else None
    out = []
    for piece in pieces:
        if piece.name in ("lashes",):
            continue
        if piece.name in ("skin", "eyes", "teeth", "tongue"):
            albedo = piece.material.albedo.astype(np.float64)
            sigma = max(albedo.shape) / 400
            soft = gaussian_filter(albedo, (sigma, sigma, 0)) if piece.name == "skin" else albedo
            material = replace(piece.material, albedo=soft.astype(np.uint8), normal=None, roughness=0.75)
            out.append(replace(piece, material=material))
        else:
            albedo = _soft_colours(piece.material.albedo)
            if piece.name in ("hair", "brows", "beard"):
                albedo[..., :3] = albedo[..., :3].mean((0, 1))
            material = _softened(piece, albedo, marks)
            if marks is not None and material.normal is marks:
                piece = replace(piece, uvs=_box_uvs(person, piece, 0.25))
            out.append(replace(piece, material=replace(material, roughness=0.75, metallic=0.0)))
    return out


def _soft_colours(albedo: UInt8[ndarray, "_ _ c"]) -> UInt8[ndarray, "_ _ c"]:
    """An image without its fine texture: plain ones become one colour, patterns and cut-outs stay sharp."""
    size = max(albedo.shape[:2])
    own = albedo[..., :3].astype(np.float64)
    if albedo.shape[2] == 3:
        block = max(size // 128, 1)
        coarse = own[: size // block * block : block, : size // block * block : block]
        if gaussian_filter(coarse, (0.8, 0.8, 0), mode="wrap").std((0, 1)).max() < 9:
            return np.full((2, 2, 3), own.mean((0, 1)), np.uint8)
    sigma = size / 1400
    colour = gaussian_filter(own, (sigma, sigma, 0), mode="wrap")
    return np.concatenate([colour.astype(np.uint8), albedo[..., 3:]], -1)


def _softened(piece: Piece, albedo: UInt8[ndarray, "_ _ c"], relief: UInt8[ndarray, "h w 3"] | None = None) -> Material:
    """The material of a piece in soft colours. What is worn keeps its folds, without weave or stitches.

    Args:
        relief: Of what is not worn and of one colour.
    """
    plain, normal = len(albedo) <= 2, piece.material.normal
    if normal is not None and piece.name in _WORN:
        coarse = Image.fromarray(normal).reduce(4).filter(ImageFilter.GaussianBlur(1.2))
        relief = np.asarray(coarse if plain else coarse.resize(albedo.shape[1::-1], Image.Resampling.BILINEAR))
    elif not plain:
        relief = None
    if plain and relief is not None:  # both images of a material are of one size
        albedo = np.tile(albedo[:1, :1], (*relief.shape[:2], 1))
    return replace(piece.material, albedo=albedo, normal=relief)


def _toon(person: Person, pieces: list[Piece]) -> list[Piece]:
    """Cleaner, more saturated colours; no pores, weave or streaks."""
    out = []
    for piece in pieces:
        albedo = piece.material.albedo
        if piece.name == "skin":
            sigma = max(albedo.shape) / 500
            soft = gaussian_filter(albedo.astype(np.float64), (sigma, sigma, 0))
        elif piece.name in ("eyes", "teeth", "tongue"):
            soft = albedo.astype(np.float64)
        else:
            soft = _soft_colours(albedo).astype(np.float64)
        colour, rest = soft[..., :3], soft[..., 3:]
        grey = colour.mean(-1, keepdims=True)
        colour = np.clip(grey + (colour - grey) * 1.12, 0, 255)
        albedo = np.concatenate([colour, rest], -1).astype(np.uint8)
        out.append(replace(piece, material=replace(_softened(piece, albedo), roughness=0.7)))
    return out


_WORN = ("underwear", "top", "bottom", "dress", "outer")


def _low_poly(person: Person, pieces: list[Piece]) -> list[Piece]:
    """Few flat facets, one colour each; eyes stay whole. Facets cut corners, so what lies under others is drawn in."""
    shapes: dict[str, tuple[Piece, ndarray, ndarray]] = {}
    for piece in pieces:
        if piece.name == "skin":
            shapes[piece.name] = piece, *_coarse_skin(person, piece)
        elif piece.name in ("hair", "beard", "brows"):
            shapes[piece.name] = _carved(person, piece)
        elif piece.name not in ("eyes", "lashes", "tongue"):
            piece = _unlined(person, piece) if piece.name in _WORN else piece
            shapes[piece.name] = _thinned(piece)
    worn = [name for name in shapes if name in _WORN]
    hats = [name for name in shapes if name in COVER]
    over = {name: worn[i + 1 :] for i, name in enumerate(worn)} | {"skin": [*worn, "shoes", *hats], "hair": hats}
    for name in (*reversed(worn), "hair", "skin"):  # each inside of what already lies over it
        covers = [shapes[cover] for cover in over.get(name, ()) if cover in shapes]
        if name in shapes and covers and len(shapes[name][1]):
            shape, faces, uv = shapes[name]
            outer = np.concatenate([_strewn(cover.vertices[few]) for cover, few, _ in covers])
            shapes[name] = replace(shape, vertices=_drawn_in(shape.vertices, faces, outer)), faces, uv
    out = []
    for piece in pieces:
        if piece.name == "eyes":
            back = np.array([0, 0, 0.0025 * person.spec.body.height / 1.7], np.float32)  # lids have lost their curve
            plain = replace(piece.material, normal=None)
            out.append(replace(piece, vertices=piece.vertices - back, material=plain))
        elif piece.name in shapes:
            out.append(_flat(*shapes[piece.name]))
    return out


def _unlined(person: Person, piece: Piece) -> Piece:
    """A garment without folds that look at the body, and without buttons: facets of both would come through it."""
    body = person.vertices[: person.body.parts["body"].stop]
    corners = piece.vertices[piece.faces].astype(np.float64)
    middle = corners.mean(1)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = middle - body[cKDTree(body).query(middle)[1]]
    out = (normal * away).sum(1) / np.maximum(np.linalg.norm(away, axis=1), 1e-9)
    ends = piece.faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    graph = sparse.coo_matrix((np.ones(len(ends)), ends.T), 2 * (len(piece.vertices),))
    part = sparse.csgraph.connected_components(graph, directed=False)[1][piece.faces[:, 0]]
    area = np.bincount(part, np.linalg.norm(normal, axis=1))
    kept = ((np.bincount(part, out) > -0.08 * area) & (area / 2 > 4e-4))[part]
    material = replace(piece.material, double_sided=True)
    return replace(piece, faces=piece.faces[kept], uvs=piece.uvs[kept], material=material)


def _drawn_in(
    points: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], outer: Float[ndarray, "n 3"]
) -> Float[ndarray, "v 3"]:
    """Points, those near others moved along their normals until they lie 9 mm inside of them."""

    used = np.unique(faces)
    away, near = cKDTree(outer).query(points[used], k=6)
    normals = vertex_normals(points, faces)[used]
    room = ((outer[near] - points[used, None]) * normals[:, None]).sum(2).max(1)
    moved = points.copy()
    moved[used] -= (np.clip(0.009 - room, 0, 0.03) * (away[:, 0] < 0.035))[:, None] * normals
    return moved


@kept(lambda body: "few-facets")
def _few_facets(body: Body) -> tuple[Int[ndarray, "f 3"], Int[ndarray, "f"]]:
    """The skin in few triangles: corners among the body's vertices, and for each a face it came from.

    Not inside the mouth or behind the eyes, where facets would come through the lips and lids.
    """
    import igl

    faces = skin_faces(body)
    middle = skin_uvs(body)[faces].mean(1)
    faces = faces[~((middle > (0.32, 0.76)) & (middle < (0.47, 0.96))).all(1)]
    points = body.template.numpy()[: skin_stop(body)].astype(np.float64)
    neck = body.joint_template.numpy()[body.joint_names.index("neck02")]
    points = np.where(points[:, 1:2] > neck[1], neck + 2.2 * (points - neck), points)  # finer faces on the head
    for side, sign in (("L", 1), ("R", -1)):  # and where shoes end
        ankle = body.joint_template.numpy()[body.joint_names.index(f"foot.{side}")]
        near = (points[:, 1:2] < ankle[1] + 0.08) & (points[:, :1] * sign > 0)
        points = np.where(near, ankle + 2.0 * (points - ankle), points)
    used, corners = np.unique(body.parts["body"].faces[faces], return_inverse=True)
    _, few, old_face, old_vertex = igl.qslim(points[used], corners.reshape(-1, 3), 3800)
    return used[old_vertex][few.astype(np.int64)], faces[old_face.astype(np.int64)]


def _coarse_skin(person: Person, piece: Piece) -> tuple[Int[ndarray, "f 3"], Float[ndarray, "f 3 2"]]:
    """``_few_facets`` where the piece still has skin."""
    faces, source = _few_facets(person.body)
    present = np.zeros(len(piece.vertices), bool)
    present[piece.faces] = True
    kept = present[faces].any(1)
    return faces[kept], skin_uvs(person.body)[source[kept]]


def _carved(person: Person, piece: Piece) -> tuple[Piece, Int[ndarray, "f 3"], Float[ndarray, "f 3 2"]]:
    """Strands as one solid with facets of the strands' mean colours."""
    import igl

    cell = {"brows": 0.0035, "beard": 0.007}.get(piece.name, 0.011) * person.spec.body.height / 1.7
    cell *= 1.0 if person.detail == "full" else 2.2
    used = np.unique(piece.faces)
    points = piece.vertices[used].astype(np.float64)
    corners = piece.vertices[piece.faces]
    points = np.concatenate([points, corners.mean(1), corners[:, :2].mean(1)])
    low = points.min(0) - 4 * cell
    shape = (np.ceil((points.max(0) - low) / cell) + 5).astype(int)
    filled = np.zeros(shape)
    filled[tuple(((points - low) / cell).astype(int).T)] = 1.0
    density = gaussian_filter(filled, 1.0)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1).reshape(-1, 3)
    order = np.lexsort(grid.T)
    surface, faces, _ = igl.marching_cubes(
        density.ravel()[order], low + (grid[order] + 0.5) * cell, *map(int, shape), 0.22
    )
    surface, faces, _, _ = igl.qslim(surface, faces, {"brows": 60, "beard": 240}.get(piece.name, 520))
    volume = np.einsum("fd,fd->", surface[faces[:, 0]], np.cross(surface[faces[:, 1]], surface[faces[:, 2]]))
    faces = (faces if volume > 0 else faces[:, ::-1]).astype(np.int64)
    if piece.name == "brows":
        surface = surface - [0, 0, 0.9 * cell]  # half in the forehead
    nearest = used[cKDTree(piece.vertices[used]).query(surface)[1]]
    uv_of = np.zeros((len(piece.vertices), 2), np.float32)
    uv_of[piece.faces] = piece.uvs
    moves = {}
    for name, (indices, offsets) in piece.expressions.items():
        table = np.zeros((len(piece.vertices), 3), np.float32)
        table[indices] = offsets
        moves[name] = (np.arange(len(nearest)), table[nearest])
    albedo = piece.material.albedo
    seen = albedo[..., :3][albedo[..., 3] > 127] if albedo.shape[2] == 4 else albedo.reshape(-1, 3)
    plain = np.full((2, 2, 3), seen.mean(0), np.uint8)
    solid = replace(
        piece,
        vertices=surface.astype(np.float32),
        skin_weights=piece.skin_weights[nearest],
        skin_joints=piece.skin_joints[nearest],
        material=replace(piece.material, albedo=plain),
        expressions=moves,
    )
    return solid, faces, np.zeros((len(faces), 3, 2), np.float32)


_FACETS = {"shoes": 0.0002, "teeth": 0.0002}
"""Mean area of a facet in square metres; 0.0008 of other garments."""


def _thinned(piece: Piece) -> tuple[Piece, Int[ndarray, "f 3"], Float[ndarray, "f 3 2"]]:
    """The piece and fewer faces between its vertices, now in better places, hems kept; their old texture coordinates.

    Things of thin wire, such as glasses, stay whole.
    """
    import igl

    if "glasses" in piece.name:
        return piece, piece.faces, piece.uvs
    used, inverse = np.unique(piece.faces, return_inverse=True)
    _, first, one = np.unique(np.round(piece.vertices[used], 6), axis=0, return_index=True, return_inverse=True)
    faces = used[first][one.ravel()[inverse.reshape(-1, 3)]]
    whole = np.flatnonzero((faces != np.roll(faces, 1, 1)).all(1))
    owner, faces = _parted(faces[whole])
    points = piece.vertices[owner].astype(np.float64)
    corners = points[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    goal = max(int(area / _FACETS.get(piece.name, 0.0008)), 120)
    if goal >= len(faces):
        return piece, owner[faces], piece.uvs[whole]
    places, few, old_face, old_vertex = igl.qslim(points, faces, goal)
    vertices = piece.vertices.copy()
    vertices[owner[old_vertex]] = places
    few = owner[old_vertex][few.astype(np.int64)]
    real = (few != np.roll(few, 1, 1)).all(1)
    return replace(piece, vertices=vertices), few[real], piece.uvs[whole[old_face[real]]]


def _parted(faces: Int[ndarray, "f 3"]) -> tuple[Int[ndarray, "v"], Int[ndarray, "f 3"]]:
    """The vertex that each new one was, and faces that meet in pairs alone: sheets that touch are parted."""
    count = len(faces)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    corner = np.arange(3 * count).reshape(count, 3)
    corners = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]])
    turned = ends[:, 0] > ends[:, 1]
    ends[turned], corners[turned] = ends[turned, ::-1], corners[turned, ::-1]
    _, which, times = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    torn = np.tile((times[which] > 2).reshape(3, count).any(0), 3)
    order = np.argsort(which, kind="stable")
    pairs = order[(times[which] == 2)[order]].reshape(-1, 2)
    pairs = pairs[~torn[pairs].any(1)]
    links = np.concatenate([corners[pairs][:, :, 0], corners[pairs][:, :, 1]])
    graph = sparse.coo_matrix((np.ones(len(links)), links.T), (3 * count, 3 * count))
    _, new = sparse.csgraph.connected_components(graph, directed=False)
    _, one = np.unique(new, return_index=True)
    return faces.ravel()[one], new.reshape(count, 3).astype(np.int64)


def _strewn(corners: Float[ndarray, "f 3 3"]) -> Float[ndarray, "n 3"]:
    """Points on triangles: corners, middles of sides, middles."""
    return np.concatenate([corners, (corners + np.roll(corners, 1, 1)) / 2, corners.mean(1, keepdims=True)], 1).reshape(
        -1, 3
    )


def _flat(piece: Piece, faces: Int[ndarray, "f 3"], uv: Float[ndarray, "f 3 2"]) -> Piece:
    """The piece with these faces alone, flat, each of the colour that its old texture has there."""
    # One texel a face, the mean colour of its corners and middle in the old texture.
    samples = np.concatenate([uv, uv.mean(1, keepdims=True)], 1)
    albedo = piece.material.albedo[..., :3]
    # No facet takes the colour of one nostril, fold or thread.
    block = max(min(albedo.shape[:2]) // 128, 1)
    height, width = albedo.shape[0] // block, albedo.shape[1] // block
    albedo = albedo[: height * block, : width * block].reshape(height, block, width, block, 3).mean((1, 3))
    column = np.clip((samples[..., 0] % 1.0 * width).astype(int), 0, width - 1)
    row = np.clip((samples[..., 1] % 1.0 * height).astype(int), 0, height - 1)
    colours = albedo[row, column].astype(np.float64).mean(1)
    # Texels are 4 px wide so that filtering and mip maps do not bleed far.
    side, texel = int(np.ceil(np.sqrt(len(faces)))), 4
    image = np.zeros((side * side, 3), np.uint8)
    image[: len(faces)] = colours
    image = image.reshape(side, side, 3).repeat(texel, 0).repeat(texel, 1)
    place = np.stack([(np.arange(len(faces)) % side + 0.5) / side, (np.arange(len(faces)) // side + 0.5) / side], -1)
    corners = faces.ravel()
    expressions = {}
    for name, (indices, offsets) in piece.expressions.items():
        table = np.zeros((len(piece.vertices), 3), np.float32)
        table[indices] = offsets
        moved = table[corners]
        active = np.nonzero(np.abs(moved).max(1) > 1e-5)[0]
        if len(active):
            expressions[name] = (active, moved[active])
    return replace(
        piece,
        vertices=piece.vertices[corners],
        faces=np.arange(len(corners)).reshape(-1, 3),
        uvs=np.repeat(place[:, None], 3, 1).astype(np.float32),
        skin_weights=piece.skin_weights[corners],
        skin_joints=piece.skin_joints[corners],
        material=replace(piece.material, albedo=image, normal=None, roughness=0.85, alpha="opaque"),
        expressions=expressions,
        hides=None,
    )


# Faces painted in the body's UV space


def _places(person: Person, atlas: Atlas) -> Float[ndarray, "n 3"]:
    """Where every texel of the skin lies on the person, metres."""
    import igl

    triangles = person.body.parts["body"].faces[atlas.face]
    corners = person.body.template.numpy().astype(np.float64)[triangles]
    share = igl.barycentric_coordinates(
        atlas.position.astype(np.float64), *(np.ascontiguousarray(corners[:, k]) for k in range(3))
    )
    return np.einsum("nk,nkd->nd", np.nan_to_num(share), person.vertices[triangles])


@cache
def nose_tip(body: Body) -> int:
    """The vertex at the tip of the nose."""
    points = body.template.numpy()[: skin_stop(body)]
    eye = body.joint_template.numpy()[body.joint_names.index("eye.L")]
    return int(np.where(np.abs(points[:, 1] - eye[1] + 0.035) < 0.02, points[:, 2], -1).argmax())


def _paint(
    person: Person,
    piece: Piece,
    paint: Callable[[Float[ndarray, "s s 3"], Float[ndarray, "s s 3"], float], Float[ndarray, "s s 3"]],
) -> Piece:
    """The skin with its texture repainted.

    Args:
        paint: From sRGB colours in [0, 1], positions relative to the point between the template's eyes, in units of
            the distance between them, and that distance in metres, to new colours.
    """
    albedo = piece.material.albedo[..., :3].astype(np.float64) / 255
    atlas = skin_atlas(person.body, albedo.shape[0])
    positions = atlas.picture(atlas.position.astype(np.float64))
    joints = person.body.joint_template.numpy()
    eyes = np.stack([joints[person.body.joint_names.index(f"eye.{side}")] for side in "LR"])
    apart = float(np.linalg.norm(eyes[0] - eyes[1]))
    local = (positions - eyes.mean(0)) / apart
    return replace(piece, material=replace(piece.material, albedo=_image(paint(albedo, local, apart))))


def _smooth(edge0: float, edge1: float, x: ndarray) -> ndarray:
    t = np.clip((x - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def _blob(local: ndarray, centre: tuple[float, float], radius: tuple[float, float], soft: float = 0.25) -> ndarray:
    """A soft ellipse on the face's front, mirrored to both sides.

    It is one about the point of the face that lies there, so that the face's own curve neither smears nor cuts it.
    """
    x, y, z = np.abs(local[..., 0]), local[..., 1], local[..., 2]
    beside = (np.abs(x - centre[0]) < 0.05) & (np.abs(y - centre[1]) < 0.05)
    depth = z[beside].max() if beside.any() else 0.0
    d = np.sqrt(
        ((x - centre[0]) / radius[0]) ** 2
        + ((y - centre[1]) / radius[1]) ** 2
        + (np.clip(depth - z - 0.3 * max(radius), 0, None) / max(radius)) ** 2
    )
    return 1 - _smooth(1 - soft, 1 + soft, d)


def _skull(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("skull")
    bone = np.array([0.90, 0.86, 0.76])

    def paint(albedo: ndarray, p: ndarray, _: float) -> ndarray:
        grain = 1 + 0.03 * _noise(rng, albedo.shape[0], 2)
        inside = (albedo.mean(-1) < 0.12)[..., None]  # of the mouth
        out = np.where(inside, albedo, bone * grain[..., None])
        dark = np.array([0.06, 0.05, 0.05])
        sockets = _blob(p, (0.5, 0.02), (0.40, 0.36))
        nose = _blob(p, (0.10, -0.62), (0.17, 0.24), 0.2) * _smooth(0.0, 0.2, p[..., 2])
        cheeks = 0.55 * _blob(p, (0.72, -1.0), (0.26, 0.34), 0.6)
        mouth = np.abs(p[..., 1] + 1.13)
        teeth = (mouth < 0.26) & (np.abs(p[..., 0]) < 0.66) & (p[..., 2] > -0.4)
        gaps = np.maximum(np.abs(((p[..., 0] / 0.125) % 1.0) - 0.5) > 0.42, mouth < 0.03)
        outline = (mouth > 0.235) & teeth
        marks = np.maximum.reduce([sockets, nose, cheeks, np.where(teeth & (gaps | outline), 0.9, 0.0)])
        return out * (1 - marks[..., None]) + dark * marks[..., None]

    kept = [piece for piece in pieces if piece.name not in ("lashes", "brows", "beard")]
    black = Material(_image(np.full((2, 2, 3), 0.02)), roughness=0.25)
    out = [_paint(person, piece, paint) if piece.name == "skin" else piece for piece in kept]
    return [replace(piece, material=black) if piece.name == "eyes" else piece for piece in out]


def _ball(centre: ndarray, radius: float, rings: int = 14, sectors: int = 24) -> tuple[ndarray, ndarray, ndarray]:
    """A UV sphere: vertices, faces, per-corner texture coordinates."""
    theta = np.linspace(0, np.pi, rings + 1)[:, None]
    phi = np.linspace(0, 2 * np.pi, sectors + 1)[None, :]
    unit = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.cos(phi)], -1)
    return _grid(unit * radius + centre)


def _grid(points: Float[ndarray, "r c 3"]) -> tuple[ndarray, ndarray, ndarray]:
    """A grid of points as a mesh; points in one place, as where a tube closes, are one vertex, so no seam is lit."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    uv = np.stack([u, v], -1).reshape(-1, 2)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    flat = points.reshape(-1, 3)
    area = np.linalg.norm(
        np.cross(flat[faces[:, 1]] - flat[faces[:, 0]], flat[faces[:, 2]] - flat[faces[:, 0]]), axis=1
    )
    faces = faces[area > 1e-12]
    _, first, one = np.unique(np.round(flat, 6), axis=0, return_index=True, return_inverse=True)
    return flat[first].astype(np.float32), one.ravel()[faces], uv[faces].astype(np.float32)


def _solid(
    person: Person, name: str, parts: list[tuple[ndarray, ndarray, ndarray]], material: Material, joint: str = "head"
) -> Piece:
    """Rigid parts on one joint as a piece."""
    count, vertices, faces, uvs = 0, [], [], []
    for v, f, uv in parts:
        vertices.append(v)
        faces.append(f + count)
        uvs.append(uv)
        count += len(v)
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = 1
    joints = np.full((count, 4), person.body.joint_names.index(joint), np.int64)
    return Piece(name, np.concatenate(vertices), np.concatenate(faces), np.concatenate(uvs), weights, joints, material)


def _head_frame(person: Person) -> tuple[Float[ndarray, "3"], float, Float[ndarray, "n 3"]]:
    """The point between the eyes, the distance between them, and the head's vertices."""
    eyes = np.stack([person.joint(f"eye.{side}") for side in "LR"]).astype(np.float64)
    apart = float(np.linalg.norm(eyes[0] - eyes[1]))
    head = person.body.joint_names.index("head")
    stop = person.body.parts["body"].stop
    mine = (person.body.skin_joints[:stop, 0] == head) & (person.vertices[:stop, 1] > eyes[0, 1] - 2 * apart)
    return eyes.mean(0), apart, person.vertices[:stop][mine]


def _clown(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("clown")
    accent = np.array([[0.16, 0.35, 0.75], [0.12, 0.55, 0.30], [0.55, 0.20, 0.65]])[rng.integers(3)]
    bearded = any(piece.name == "beard" for piece in pieces)

    def paint(albedo: ndarray, p: ndarray, _: float) -> ndarray:
        def over(out: ndarray, colour: ndarray, amount: ndarray) -> ndarray:
            return out * (1 - amount[..., None]) + colour * amount[..., None]

        face = _smooth(-1.95, -1.6, p[..., 1]) * _smooth(-0.75, -0.35, p[..., 2]) * (1 - _smooth(1.0, 1.4, p[..., 1]))
        out = over(albedo, np.array([0.93, 0.92, 0.90]), 0.92 * face)
        eyes = np.maximum(_blob(p, (0.5, 0.32), (0.22, 0.52), 0.15), _blob(p, (0.5, -0.25), (0.14, 0.36), 0.15))
        out = over(out, accent, eyes)
        mouth = _blob(p, (0.0, -1.12), (0.50, 0.22) if bearded else (0.62, 0.34), 0.08) * _smooth(-0.1, 0.1, p[..., 2])
        out = over(out, np.array([0.78, 0.08, 0.10]), mouth)
        cheeks = _blob(p, (0.80, -0.62), (0.22, 0.2), 0.3)
        return over(out, np.array([0.88, 0.35, 0.38]), 0.8 * cheeks)

    _, apart, _ = _head_frame(person)
    tip = person.vertices[nose_tip(person.body)].astype(np.float64)
    nose = _ball(tip + np.array([0, 0.06, -0.1]) * apart, 0.33 * apart)
    red = Material(_image(np.full((2, 2, 3), [0.80, 0.06, 0.07])), roughness=0.3)
    painted = [_paint(person, piece, paint) if piece.name == "skin" else piece for piece in pieces]
    return [*painted, _solid(person, "clown nose", [nose], red)]


def _robot(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("robot")
    shell = np.array([[0.78, 0.80, 0.82], [0.86, 0.85, 0.82], [0.45, 0.50, 0.56], [0.80, 0.72, 0.52]])[rng.integers(4)]
    glow = np.array([[0.25, 0.85, 1.0], [1.0, 0.55, 0.15], [0.45, 1.0, 0.45]])[rng.integers(3)]

    def paint(albedo: ndarray, p: ndarray, apart: float) -> ndarray:
        atlas = skin_atlas(person.body, albedo.shape[0])
        own = atlas.picture(_places(person, atlas)) - _head_frame(person)[0]
        normal = atlas.picture(atlas.normal.astype(np.float64))
        # Rings round head, legs and arms; a plane that only grazes the surface would draw a crooked line.
        head, arm = p[..., 1] > -3.2, np.abs(own[..., 0]) > 0.2
        # On the head a forehead and a jaw line that end at the one before the ears.
        wanted = {0: ~head, 1: ~arm & (~head | (own[..., 2] > -0.067)), 2: ~arm & (~head | (own[..., 1] > -0.097))}
        lines = np.zeros(p.shape[:2])
        for axis, pitch, shift in ((1, 0.14, -0.045), (0, 0.09, 0.045), (2, 0.13, 0.065)):
            away = np.abs((own[..., axis] + shift + pitch / 2) % pitch - pitch / 2)
            flat = np.sqrt(np.clip(1 - normal[..., axis] ** 2, 0.04, 1))  # lines of one width on slopes
            line = (1 - _smooth(0.0012, 0.0026, away / flat)) * _smooth(0.6, 0.75, flat)
            lines = np.maximum(lines, line * wanted[axis])
        rivets = np.hypot((own[..., 0] / 0.03) % 1.0 - 0.5, (own[..., 1] / 0.055) % 1.0 - 0.5 + 0.35)
        rivets = (1 - _smooth(0.04, 0.07, rivets)) * (normal[..., 2] > 0.3) * ~head
        panel = np.floor((own[..., 1] - 0.045) / 0.14) + 7 * np.floor((own[..., 0] + 0.045) / 0.09) * ~head
        shade = 1 + 0.05 * np.sin(panel * 12.9898)
        out = shell * shade[..., None] * np.ones_like(albedo)
        return out * (1 - 0.75 * lines[..., None]) * (1 - 0.4 * rivets[..., None])

    out = []
    for piece in pieces:
        if piece.name in ("lashes", "brows", "beard", "tongue", "hair"):
            continue
        if piece.name == "skin":
            painted = _paint(person, piece, paint)
            piece = replace(painted, material=replace(painted.material, roughness=0.34, metallic=0.75, normal=None))
        elif piece.name == "eyes":
            piece = replace(piece, material=replace(_glowing(piece.material, glow), roughness=0.15))
        out.append(piece)
    middle, apart, head = _head_frame(person)
    side = float(np.abs(head[(np.abs(head[:, 1] - middle[1]) < apart)][:, 0]).max())
    centre = np.array([0.0, middle[1] - 0.1 * apart, middle[2] - 1.15 * apart])
    hat = any(extra.kind in COVER for extra in person.spec.extras)
    discs = []
    for sign in (1.0, -1.0):
        ball = _ball(np.zeros(3), 0.42 * apart)
        ball[0][:, 0] = ball[0][:, 0] * 0.45
        discs.append(
            (ball[0] + (centre + np.array([sign * (side - 0.02 * apart), 0, 0])).astype(np.float32), *ball[1:])
        )
        mast = np.linspace(0, 1, 6)[:, None, None] * np.array([sign * 0.25, 2.0, -0.1]) * apart
        angle = np.linspace(0, 2 * np.pi, 9)[None, :]
        ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], -1) * 0.035 * apart
        base = centre + np.array([sign * (side + 0.06 * apart), 0.2 * apart, 0])
        tube = _grid((mast + ring + base)[:, ::-1])
        if not hat:  # it would come through the brim
            discs += [tube, _ball(base + np.array([sign * 0.25, 2.0, -0.1]) * apart, 0.09 * apart)]
    steel = Material(_image(np.full((2, 2, 3), [0.35, 0.37, 0.40])), roughness=0.3, metallic=0.9)
    return [*out, _solid(person, "antennae", discs, steel)]


def _glowing(material: Material, colour: ndarray) -> Material:
    """Eyes of one bright colour with a dark rim where the iris was dark."""
    value = material.albedo[..., :3].astype(np.float64).mean(-1, keepdims=True) / 255
    lens = grey_closing(1 - _smooth(0.35, 0.75, value), (len(value) // 8, len(value) // 8, 1))  # over the glint
    albedo = lens * colour + (1 - lens) * np.array([0.07, 0.08, 0.09])
    return replace(material, albedo=_image(albedo))


def _cone(
    base: ndarray, path: Float[ndarray, "k 3"], radius: float, ridges: float = 0.0
) -> tuple[ndarray, ndarray, ndarray]:
    """A tapering tube along a path that starts at ``base``."""
    steps = len(path)
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, tangent)
    angle = np.linspace(0, -2 * np.pi, 13)
    along = np.linspace(0, 1, steps)
    width = radius * (1 - along) ** 0.75 * (1 + ridges * np.sin(along * 40)) + 1e-4
    ring = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * up[:, None]
    return _grid((base + path)[:, None] + ring * width[:, None, None])


def _horned(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("horned")
    tint = np.array([[0.62, 0.13, 0.12], [0.38, 0.22, 0.48], [0.25, 0.42, 0.26], [0.34, 0.36, 0.42]])[rng.integers(4)]

    def paint(albedo: ndarray, p: ndarray, _: float) -> ndarray:
        value = albedo.mean(-1, keepdims=True)
        inner = (value > 0.02) * 1.0
        return np.clip(
            tint * (0.45 + 0.95 * value / max(float(np.median(value)), 0.05) * 0.6), 0, 1
        ) * inner + albedo * (1 - inner)

    middle, apart, head = _head_frame(person)
    parts = []
    t = np.linspace(0, 1, 14)[:, None]
    grow = rng.uniform(1.5, 2.4)
    for sign in (1.0, -1.0):
        near = np.abs(head[:, 0] - sign * 0.62 * apart) + np.abs(head[:, 2] - (middle[2] - 0.55 * apart))
        above = head[:, 1] > middle[1] + 0.7 * apart
        root = head[above][near[above].argmin()].astype(np.float64) - [0, 0.08 * apart, 0]
        angle = t * 1.9
        path = (
            np.concatenate([sign * np.sin(angle) * 0.75, t * 1.15 + 0.1 * np.sin(angle), -0.5 * t + 0.5 * t**2], 1)
            * apart
            * grow
            * 0.6
        )
        parts.append(_cone(root, path, 0.2 * apart, 0.06))
    horn = Material(_image(np.full((2, 2, 3), [0.20, 0.17, 0.14])), roughness=0.45)
    painted = [_paint(person, piece, paint) if piece.name == "skin" else piece for piece in pieces]
    return [*painted, _solid(person, "horns", parts, horn)]


def _snouted(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("snouted")
    coat = np.array([[0.66, 0.38, 0.18], [0.45, 0.44, 0.45], [0.36, 0.24, 0.16], [0.74, 0.62, 0.45]])[rng.integers(4)]
    pale = 0.35 * coat + 0.65 * np.array([0.95, 0.92, 0.86])

    def paint(albedo: ndarray, p: ndarray, _: float) -> ndarray:
        size = albedo.shape[0]
        fur = 1 + 0.05 * _noise(rng, size, 1.0) + 0.015 * _noise(rng, size, 5)
        light = np.maximum(
            _blob(p, (0.0, -1.15), (0.7, 0.75), 0.4) * _smooth(-0.7, 0.1, p[..., 2]),
            _blob(p, (0.5, 0.05), (0.28, 0.26), 0.5),
        )
        throat = _smooth(-0.9, -0.1, p[..., 2]) * _smooth(1.4, 2.2, -p[..., 1])
        throat = throat * (1 - _smooth(0.6, 1.4, np.abs(p[..., 0])))
        light = np.maximum(light, 0.8 * throat)[..., None]
        out = (coat * (1 - light) + pale * light) * fur[..., None]
        nose = (_blob(p, (0.0, -0.6), (0.27, 0.2), 0.2) * _smooth(0.42, 0.6, p[..., 2]))[..., None]
        line = (1 - _smooth(0.02, 0.05, np.abs(p[..., 1] + 1.1))) * (1 - _smooth(0.4, 0.55, np.abs(p[..., 0])))
        line = (line * _smooth(-0.1, 0.1, p[..., 2]))[..., None]
        dark = np.array([0.08, 0.07, 0.07])
        out = out * (1 - nose) + dark * nose
        return out * (1 - 0.65 * line)

    middle, apart, head = _head_frame(person)
    inside = middle - np.array([0, 0, 0.95 * apart])
    hat = 0.25 * apart * any(extra.kind in COVER for extra in person.spec.extras)
    ears = []
    for sign in (1.0, -1.0):
        near = np.abs(head[:, 0] - sign * 0.85 * apart) + np.abs(head[:, 2] - (middle[2] - 0.95 * apart))
        above = head[:, 1] > middle[1] + 0.6 * apart
        root = head[above][near[above].argmin()].astype(np.float64)
        u = np.linspace(0, 1, 9)[:, None, None]
        angle = np.linspace(0, 2 * np.pi, 17)[None, :, None]
        width = 0.55 * apart * (1 - u) ** 0.6
        shape = np.concatenate(
            [width * np.cos(angle), hat + 0 * angle + 1.45 * apart * u, -0.28 * width * np.sin(angle) + 0 * u], 2
        )
        lean = np.array([[1, sign * 0.18, 0], [0, 1, 0], [0, -0.05, 1]])
        ear = shape @ lean.T + root - [0, 0.22 * apart, 0]
        deep = inside + 0.25 * (ear[:1] - inside)  # hair or a hat closes round them: no base in the air
        ears.append(_grid(np.concatenate([deep, ear])))
    fur = np.full((8, 8, 3), coat)
    fur[:, 2:6] = 0.6 * coat
    fur[:, 3:5] = np.array([0.72, 0.48, 0.44])
    ear = _solid(person, "ears", ears, Material(_image(np.roll(fur, 2, 1)), roughness=0.9, double_sided=True))
    kept = [piece for piece in pieces if piece.name not in ("brows", "lashes", "beard")]
    painted = [_paint(person, piece, paint) if piece.name == "skin" else piece for piece in kept]
    return [*painted, ear]


_STYLES: Mapping[Look, Callable[[Person, list[Piece]], list[Piece]]] = {
    "toon": _toon,
    "anime": _toon,
    "chibi": _toon,
    "clay": _clay,
    "marble": _marble,
    "bronze": _bronze,
    "wood": _wood,
    "low-poly": _low_poly,
    "skull": _skull,
    "clown": _clown,
    "robot": _robot,
    "snouted": _snouted,
    "horned": _horned,
}
