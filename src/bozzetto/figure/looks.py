"""Looks: the same person as a toon, a statue, a robot or a creature.

A look may change proportions (``stylised_body``, before anything is made around the body), surfaces and parts
(``restyle``, after everything is made). Garments, hair and rig follow by themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter

from bozzetto.body.model import Body, ShapedBody
from bozzetto.figure.atlas import skin_atlas, skin_faces, skin_stop, skin_uvs
from bozzetto.figure.extras import COVER
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


def _all_of(
    person: Person, pieces: list[Piece], albedo: Float[ndarray, "h w 3"], metres: float, **rest: object
) -> list[Piece]:
    """Everything carved from one material, the skin now called body; lashes, which would be wires, are left out."""
    material = Material(_image(albedo), **rest)  # type: ignore[arg-type]
    kept = [piece for piece in pieces if piece.name not in ("lashes", "tongue")]
    doubled = replace(material, double_sided=True)
    return [
        replace(
            piece,
            name="body" if piece.name == "skin" else piece.name,  # light goes into skin, not into stone
            uvs=_box_uvs(person, piece, metres),
            material=doubled if piece.material.double_sided else material,
        )
        for piece in kept
    ]


def _size(person: Person) -> int:
    return 512 if person.detail == "full" else 128


def _marble(person: Person, pieces: list[Piece]) -> list[Piece]:
    size, rng = _size(person), person.rng("marble")
    cloud, vein = _fractal(rng, size, size / 10), _fractal(rng, size, size / 7)
    veins = np.exp(-((vein / 0.09) ** 2)) * np.clip(0.4 + 0.5 * cloud, 0, 1)
    value = 0.86 + 0.03 * cloud - 0.30 * veins
    tint = np.array([1.0, 0.985, 0.955])
    return _all_of(person, pieces, value[..., None] * tint, 0.7, roughness=0.38)


def _bronze(person: Person, pieces: list[Piece]) -> list[Piece]:
    size, rng = _size(person), person.rng("bronze")
    cloud = _fractal(rng, size, size / 12)
    patina = np.clip((_fractal(rng, size, size / 9) - 0.9) * 0.7, 0, 1)[..., None]
    metal = np.array([0.72, 0.50, 0.30]) * (1 + 0.10 * cloud[..., None])
    albedo = metal * (1 - patina) + np.array([0.34, 0.55, 0.47]) * patina
    rough = np.clip(0.40 + 0.07 * cloud + 0.35 * patina[..., 0], 0.2, 0.9)
    return _all_of(person, pieces, albedo, 0.6, roughness=(rough * 255).astype(np.uint8), metallic=0.85)


def _wood(person: Person, pieces: list[Piece]) -> list[Piece]:
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
    normal = _normals(rings * 1.2 + 0.4 * fibre, 0.6) if person.detail == "full" else None
    return _all_of(person, pieces, albedo, 0.34, roughness=0.62, normal=normal)


def _clay(person: Person, pieces: list[Piece]) -> list[Piece]:
    """Plasticine: every colour kept but softened, no fine texture, finger marks all over."""
    size, rng = _size(person), person.rng("clay")
    marks = _fractal(rng, size, size / 22)
    normal = _normals(marks, 1.6 if size == 512 else 0.8) if person.detail == "full" else None
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
            material = replace(piece.material, albedo=albedo, normal=None, roughness=0.75, metallic=0.0)
            if albedo.shape[0] <= 2:
                material = replace(material, normal=normal)
                piece = replace(piece, uvs=_box_uvs(person, piece, 0.25))
            out.append(replace(piece, material=material))
    return out


def _soft_colours(albedo: UInt8[ndarray, "_ _ c"]) -> UInt8[ndarray, "_ _ c"]:
    """An image without its fine texture: plain ones become one colour, patterns and cut-outs stay."""
    sigma = max(albedo.shape[:2]) / 420
    colour = gaussian_filter(albedo[..., :3].astype(np.float64), (sigma, sigma, 0), mode="wrap")
    if albedo.shape[2] == 3 and colour.std((0, 1)).max() < 9:
        return np.full((2, 2, 3), colour.mean((0, 1)), np.uint8)
    return np.concatenate([colour.astype(np.uint8), albedo[..., 3:]], -1)


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
        out.append(replace(piece, material=replace(piece.material, albedo=albedo, normal=None, roughness=0.7)))
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
            cell = {"teeth": 0.02, "shoes": 0.022}.get(piece.name, 0.036)
            shapes[piece.name] = piece, *_clustered(piece, cell)
    worn = [name for name in shapes if name in _WORN]
    hats = [name for name in shapes if name in COVER]
    over = {name: worn[i + 1 :] for i, name in enumerate(worn)} | {"skin": [*worn, "shoes", *hats], "hair": hats}
    out = []
    for piece in pieces:
        if piece.name == "eyes":
            out.append(replace(piece, material=replace(piece.material, normal=None)))
        elif piece.name in shapes:
            shape, faces, uv = shapes[piece.name]
            covers = [shapes[name] for name in over.get(piece.name, ()) if name in shapes]
            if covers and len(faces):
                outer = np.concatenate([cover.vertices[np.unique(few)] for cover, few, _ in covers])
                shape = replace(shape, vertices=_drawn_in(shape.vertices, faces, outer))
            out.append(_flat(shape, faces, uv))
    return out


def _drawn_in(
    points: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], outer: Float[ndarray, "n 3"]
) -> Float[ndarray, "v 3"]:
    """Points, those near others moved along their normals until they lie 13 mm inside of them."""
    from scipy.spatial import cKDTree

    used = np.unique(faces)
    away, near = cKDTree(outer).query(points[used], k=6)
    normals = vertex_normals(points, faces)[used]
    room = ((outer[near] - points[used, None]) * normals[:, None]).sum(2).max(1)
    moved = points.copy()
    moved[used] -= (np.clip(0.013 - room, 0, 0.03) * (away[:, 0] < 0.035))[:, None] * normals
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
    used, corners = np.unique(body.parts["body"].faces[faces], return_inverse=True)
    _, few, old_face, old_vertex = igl.qslim(points[used], corners.reshape(-1, 3), 3400)
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
    from scipy.spatial import cKDTree

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


def _clustered(piece: Piece, cell: float) -> tuple[Int[ndarray, "f 3"], Float[ndarray, "f 3 2"]]:
    """Faces between the middles of a grid's cells, and their old texture coordinates."""
    _, cluster = np.unique(np.floor(piece.vertices / cell).astype(np.int64), axis=0, return_inverse=True)
    cluster = cluster.ravel()
    centre = np.zeros((cluster.max() + 1, 3))
    np.add.at(centre, cluster, piece.vertices)
    centre /= np.bincount(cluster)[:, None]
    gap = np.linalg.norm(piece.vertices - centre[cluster], axis=1)
    order = np.lexsort((gap, cluster))
    first = order[np.r_[True, np.diff(cluster[order]) > 0]]
    faces = first[cluster[piece.faces]]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
    turn = (faces[whole].argmin(1)[:, None] + np.arange(3)) % 3  # both sides of thin cloth stay
    _, unique = np.unique(np.take_along_axis(faces[whole], turn, 1), axis=0, return_index=True)
    rows = np.nonzero(whole)[0][unique]
    return faces[rows], piece.uvs[rows]


def _flat(piece: Piece, faces: Int[ndarray, "f 3"], uv: Float[ndarray, "f 3 2"]) -> Piece:
    """The piece with these faces alone, flat, each of the colour that its old texture has there."""
    # One texel a face, the mean colour of its corners and middle in the old texture.
    samples = np.concatenate([uv, uv.mean(1, keepdims=True)], 1)
    albedo = piece.material.albedo[..., :3]
    height, width = albedo.shape[:2]
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
    """A soft ellipse on the face's front, mirrored to both sides."""
    x, y, z = np.abs(local[..., 0]), local[..., 1], local[..., 2]
    d = np.hypot((x - centre[0]) / radius[0], (y - centre[1]) / radius[1])
    return (1 - _smooth(1 - soft, 1 + soft, d)) * (z > -0.9)


def _skull(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("skull")
    bone = np.array([0.90, 0.86, 0.76])

    def paint(albedo: ndarray, p: ndarray, _: float) -> ndarray:
        grain = 1 + 0.03 * _noise(rng, albedo.shape[0], 2)
        inside = (albedo.mean(-1) < 0.12)[..., None]  # of the mouth
        out = np.where(inside, albedo, bone * grain[..., None])
        dark = np.array([0.06, 0.05, 0.05])
        sockets = _blob(p, (0.5, 0.02), (0.40, 0.36))
        nose = _blob(p, (0.10, -0.62), (0.17, 0.24), 0.2) * (p[..., 2] > 0.1)
        cheeks = 0.55 * _blob(p, (0.72, -1.0), (0.26, 0.34), 0.6) * (p[..., 2] > -0.6)
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


def _ball(centre: ndarray, radius: float, rings: int = 10, sectors: int = 16) -> tuple[ndarray, ndarray, ndarray]:
    """A UV sphere: vertices, faces, per-corner texture coordinates."""
    theta = np.linspace(0, np.pi, rings + 1)[:, None]
    phi = np.linspace(0, 2 * np.pi, sectors + 1)[None, :]
    unit = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.cos(phi)], -1)
    return _grid(unit * radius + centre, closed=False)


def _grid(points: Float[ndarray, "r c 3"], closed: bool) -> tuple[ndarray, ndarray, ndarray]:
    """A grid of points as a mesh; the last column is the first again when ``closed``."""
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
    return flat.astype(np.float32), faces, uv[faces].astype(np.float32)


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

    def paint(albedo: ndarray, p: ndarray, _: float) -> ndarray:
        def over(out: ndarray, colour: ndarray, amount: ndarray) -> ndarray:
            return out * (1 - amount[..., None]) + colour * amount[..., None]

        face = _smooth(-1.95, -1.6, p[..., 1]) * _smooth(-0.75, -0.35, p[..., 2]) * (1 - _smooth(1.0, 1.4, p[..., 1]))
        out = over(albedo, np.array([0.93, 0.92, 0.90]), 0.92 * face)
        eyes = np.maximum(_blob(p, (0.5, 0.32), (0.22, 0.52), 0.15), _blob(p, (0.5, -0.25), (0.14, 0.36), 0.15))
        out = over(out, accent, eyes * (p[..., 2] > -0.1))
        mouth = _blob(p, (0.0, -1.12), (0.62, 0.34), 0.08) * (p[..., 2] > 0)
        out = over(out, np.array([0.78, 0.08, 0.10]), mouth)
        cheeks = _blob(p, (0.82, -0.62), (0.22, 0.2), 0.3) * (p[..., 2] > -0.4)
        return over(out, np.array([0.88, 0.35, 0.38]), 0.8 * cheeks)

    middle, apart, head = _head_frame(person)
    front = head[(np.abs(head[:, 0]) < 0.2 * apart) & (head[:, 1] < middle[1] - 0.3 * apart)]
    tip = front[front[:, 2].argmax()].astype(np.float64)
    nose = _ball(tip - [0, 0, 0.1 * apart], 0.33 * apart)
    red = Material(_image(np.full((2, 2, 3), [0.80, 0.06, 0.07])), roughness=0.3)
    painted = [_paint(person, piece, paint) if piece.name == "skin" else piece for piece in pieces]
    return [*painted, _solid(person, "clown nose", [nose], red)]


def _robot(person: Person, pieces: list[Piece]) -> list[Piece]:
    rng = person.rng("robot")
    shell = np.array([[0.78, 0.80, 0.82], [0.86, 0.85, 0.82], [0.45, 0.50, 0.56], [0.80, 0.72, 0.52]])[rng.integers(4)]
    glow = np.array([[0.25, 0.85, 1.0], [1.0, 0.55, 0.15], [0.45, 1.0, 0.45]])[rng.integers(3)]

    def paint(albedo: ndarray, p: ndarray, apart: float) -> ndarray:
        metres = p * apart
        lines = np.zeros(p.shape[:2])
        for axis, pitch in ((1, 0.11), (0, 0.09), (2, 0.13)):
            phase = (metres[..., axis] / pitch + (0.0 if axis else 0.5)) % 1.0
            lines = np.maximum(lines, (np.abs(phase - 0.5) > 0.5 - 0.0022 / pitch) * 1.0)
        rivets = np.hypot((metres[..., 0] / 0.03) % 1.0 - 0.5, (metres[..., 1] / 0.055) % 1.0 - 0.5 + 0.35) < 0.05
        panel = np.floor(metres[..., 1] / 0.11) + 7 * np.floor(metres[..., 0] / 0.09 + 0.5)
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
        tube = _grid((mast + ring + base)[:, ::-1], True)
        discs += [tube, _ball(base + np.array([sign * 0.25, 2.0, -0.1]) * apart, 0.09 * apart)]
    steel = Material(_image(np.full((2, 2, 3), [0.35, 0.37, 0.40])), roughness=0.3, metallic=0.9)
    return [*out, _solid(person, "antennae", discs, steel)]


def _glowing(material: Material, colour: ndarray) -> Material:
    """Eyes of one bright colour with a dark rim where the iris was dark."""
    value = material.albedo[..., :3].astype(np.float64).mean(-1, keepdims=True) / 255
    lens = 1 - _smooth(0.35, 0.75, value)
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
    return _grid((base + path)[:, None] + ring * width[:, None, None], True)


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
            _blob(p, (0.0, -1.15), (0.7, 0.75), 0.4) * (p[..., 2] > -0.1), _blob(p, (0.5, 0.05), (0.28, 0.26), 0.5)
        )
        throat = _smooth(-0.9, -0.1, p[..., 2]) * _smooth(1.4, 2.2, -p[..., 1]) * (np.abs(p[..., 0]) < 1.2)
        light = np.maximum(light, 0.8 * throat)[..., None]
        out = (coat * (1 - light) + pale * light) * fur[..., None]
        nose = (_blob(p, (0.0, -0.6), (0.27, 0.2), 0.2) * (p[..., 2] > 0.52))[..., None]
        line = ((np.abs(p[..., 1] + 1.1) < 0.035) & (np.abs(p[..., 0]) < 0.5) & (p[..., 2] > 0))[..., None]
        dark = np.array([0.08, 0.07, 0.07])
        out = out * (1 - nose) + dark * nose
        return np.where(line, out * 0.35, out)

    middle, apart, head = _head_frame(person)
    ears = []
    for sign in (1.0, -1.0):
        near = np.abs(head[:, 0] - sign * 0.85 * apart) + np.abs(head[:, 2] - (middle[2] - 0.95 * apart))
        above = head[:, 1] > middle[1] + 0.6 * apart
        root = head[above][near[above].argmin()].astype(np.float64)
        u = np.linspace(0, 1, 9)[:, None, None]
        angle = np.linspace(0, 2 * np.pi, 17)[None, :, None]
        width = 0.55 * apart * (1 - u) ** 0.6
        shape = np.concatenate(
            [width * np.cos(angle), 0 * angle + 1.45 * apart * u, -0.28 * width * np.sin(angle) + 0 * u], 2
        )
        lean = np.array([[1, sign * 0.18, 0], [0, 1, 0], [0, -0.05, 1]])
        ears.append(_grid(shape @ lean.T + root - [0, 0.22 * apart, 0], True))
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
