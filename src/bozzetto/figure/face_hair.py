"""Brows, lashes and beards. Each hair stands on a fixed place of the skin, so it follows every face and expression.

Places, weights and motions are found once on the template; a person only moves the points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from bozzetto.body.landmarks import contour_vertices, face_contours
from bozzetto.body.model import load_body
from bozzetto.figure.piece import Person, Piece, mix_weights
from bozzetto.figure.spec import BeardStyle
from bozzetto.figure.strands import (
    CAP_ROWS,
    Geometry,
    cap_row,
    hair_material,
    locks,
    merge,
    ribbons,
    wisps,
)
from bozzetto.geometry import vertex_normals
from bozzetto.kept import kept


@dataclass(frozen=True, eq=False)
class Places:
    """Points of the skin as mixtures of three body vertices."""

    corners: Int[ndarray, "n 3"]
    shares: Float[ndarray, "n 3"]

    def on(self, values: Float[ndarray, "v 3"]) -> Float[ndarray, "n 3"]:
        return np.einsum("nk,nkd->nd", self.shares, values[self.corners])

    def take(self, rows: ndarray) -> "Places":
        return Places(self.corners[rows], self.shares[rows])


@dataclass(frozen=True, eq=False)
class Bristles:
    """Hairs of one kind, on the template."""

    roots: Places
    points: Places
    """Places that the hairs' points hover over, hair after hair; for beards and lashes the roots again."""
    offsets: Float[ndarray, "s k 3"]
    """From the place to the point, on the template."""
    rise: Float[ndarray, "s k"]
    """Height over the place, along the skin's normal."""
    width: float
    columns: Int[ndarray, "s"]
    layer: Places | None
    """Vertices of an under-layer, and its faces and texture coordinates."""
    layer_faces: Int[ndarray, "f 3"]
    layer_uvs: Float[ndarray, "f 3 2"]
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    expressions: Mapping[str, tuple[Int[ndarray, "n"], Float[ndarray, "n 3"]]]


def face_hair_pieces(person: Person) -> list[Piece]:
    """Brows, lashes and, where there is one, the beard: pieces of those names, which move with the face."""
    spec, full = person.spec, person.detail == "full"
    hair = np.array(spec.hair.colour.srgb)
    brown = brow_colour(person)
    made_up = spec.face.lipstick is not None or spec.face.eyeshadow is not None
    grown = spec.body.presentation == "woman" and spec.body.age >= 12
    lash = 0.9 if made_up and grown else 0.75 if grown else 0.4
    lash_colour = np.clip(brown * 0.35, 0, 0.16) if grown else np.clip(brown * 0.6, 0, np.array([0.24, 0.18, 0.14]))
    pieces = [
        _piece(person, "brows", _brows(spec.face.brows, full), brown, 256),
        _piece(person, "lashes", _lashes(lash, full), lash_colour, 64),
    ]
    style = spec.face.beard
    if style not in ("none", "stubble"):
        variant = int(person.rng("beard").integers(2))
        pieces.append(_piece(person, "beard", _beard(style, full, variant), _beard_colour(hair, brown), 512))
    return pieces


def is_grey(colour: Float[ndarray, "3"]) -> bool:
    """Whether hair of such a colour is white mixed with dark."""
    return bool(np.ptp(colour) < 0.10 and 0.32 < colour.mean() < 0.80)


def is_natural(colour: Float[ndarray, "3"]) -> bool:
    """Whether hair grows in such a colour: greys, browns, reds and blonds."""
    red, green, blue = colour
    return bool(np.ptp(colour) < 0.12 or (red >= green >= blue - 0.03 and red - green < 0.45))


def brow_colour(person: Person) -> Float[ndarray, "3"]:
    """Hair's, a little darker; dyed hair leaves them brown, and only the old have white ones."""
    colour = np.array(person.spec.hair.colour.srgb)
    if not is_natural(colour):
        return np.array([0.22, 0.15, 0.11])
    if colour.mean() > 0.6 and np.ptp(colour) < 0.12 and person.spec.body.age < 60:
        return np.array([0.36, 0.33, 0.31])
    muted = (0.7 * colour + 0.3 * colour.mean()) * np.array([1.03, 0.94, 0.92])
    return muted * (0.58 if colour.mean() > 0.4 else 0.78 if colour.mean() > 0.25 else 0.9)


def _beard_colour(hair: Float[ndarray, "3"], brow: Float[ndarray, "3"]) -> Float[ndarray, "3"]:
    return hair * 0.94 if is_natural(hair) else brow


def _piece(person: Person, name: str, bristles: Bristles, colour: Float[ndarray, "3"], size: int) -> Piece:
    full = person.detail == "full"
    part = person.body.parts["body"]
    vertices = person.vertices[: part.stop]
    normals = vertex_normals(vertices, _face_faces())
    count, points = bristles.rise.shape
    template = person.body.template.numpy()
    oval, mean = (face_contours(v)["oval"] for v in (person.vertices, template))
    scale = np.float32(np.ptp(oval[:, 1]) / np.ptp(mean[:, 1]))
    places, away = bristles.points.on(vertices), bristles.points.on(normals)
    away /= np.linalg.norm(away, axis=1, keepdims=True) + 1e-9
    places, away = places.reshape(count, points, 3), away.reshape(count, points, 3)
    lines = (places + scale * (bristles.offsets + bristles.rise[..., None] * away)).astype(np.float32)
    width = np.full(count, bristles.width * scale, np.float32)
    tilt = np.zeros(count, np.float32)
    mesh = ribbons(lines, away.astype(np.float32), width, tilt, tilt + 0.1, bristles.columns)
    if bristles.layer is not None:
        flat = bristles.layer.on(vertices) + 0.0008 * scale * bristles.layer.on(normals)
        mesh = merge(mesh, Geometry(flat.astype(np.float32), bristles.layer_faces, bristles.layer_uvs))
    grey = is_grey(colour) and name == "beard"
    material = hair_material(colour, size if full else 64, grey, full and name == "beard")
    return Piece(
        name, mesh.vertices, mesh.faces, mesh.uvs, bristles.skin_weights, bristles.skin_joints, material,
        bristles.expressions,
    )  # fmt: skip


def _follow(
    roots: Places, repeats: int, layer: Places | None
) -> tuple[ndarray, ndarray, dict[str, tuple[ndarray, ndarray]]]:
    """Skin weights and expressions of ribbons whose every point moves like its root, then of an under-layer."""
    body = load_body()
    places = roots if layer is None else Places(
        np.concatenate([roots.corners, layer.corners]), np.concatenate([roots.shares, layer.shares])
    )  # fmt: skip
    again = np.repeat(np.arange(len(roots.corners)), repeats)
    again = np.concatenate([again, np.arange(len(roots.corners), len(places.corners))])
    weights, joints = mix_weights(body, places.corners, places.shares)
    moves = {}
    dense = np.zeros((len(body.template), 3), np.float32)
    for name, (indices, offsets) in body.expressions.items():
        dense[:] = 0
        dense[indices] = offsets
        here = places.on(dense)
        moving = (np.abs(here).max(1) > 2e-5)[again]
        if moving.any():
            rows = np.flatnonzero(moving)
            moves[name] = (rows, here[again[rows]].astype(np.float32))
    return weights[again], joints[again], moves


@cache
def _face_faces() -> Int[ndarray, "f 3"]:
    """The outer faces of the head's front and of the throat."""
    body = load_body()
    part, template = body.parts["body"], body.template.numpy()
    stop = part.stop
    near = (template[:stop, 1] > 0.50) & (template[:stop, 1] < 0.70) & (template[:stop, 2] > 0.02)
    return part.faces[near[part.faces].all(1)]


@cache
def _front() -> tuple[Int[ndarray, "f 3"], Float[ndarray, "f 3 2"], Float[ndarray, "f"]]:
    """Faces that look forward: their vertices, where they are seen from the front, and how far forward."""
    template = load_body().template.numpy()
    faces = _face_faces()
    corners = template[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    seen = normal[:, 2] > 0.05 * np.linalg.norm(normal, axis=1)
    # The eyeballs and tongue lie behind their lids and lips, but show through the opening.
    skin = faces.max(1) < _skin_stop()
    keep = seen & skin
    return faces[keep], corners[keep][:, :, :2], corners[keep][:, :, 2].mean(1)


@cache
def _skin_stop() -> int:
    """The body's vertices after this one are tongue and eyes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    part = load_body().parts["body"]
    edges = np.concatenate([part.faces[:, :2], part.faces[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(part.stop, part.stop))
    label = connected_components(graph, directed=False)[1]
    return int(np.flatnonzero(label == label[0]).max()) + 1


def _places_at(points: Float[ndarray, "n 2"]) -> Places:
    """Where lines of sight from the front, at (x, y) on the template, meet the skin."""
    faces, flat, depth = _front()
    a, b, c = flat[:, 0], flat[:, 1], flat[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    p = points[:, None]
    u = ((p[..., 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (p[..., 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    v = ((b[:, 0] - a[:, 0]) * (p[..., 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (p[..., 0] - a[:, 0])) / area
    inside = np.minimum(np.minimum(u, v), 1 - u - v)
    score = np.where(inside > -1e-4, depth, -1.0) + np.minimum(inside, 0) * 100
    best = score.argmax(1)
    rows = np.arange(len(points))
    u, v = u[rows, best], v[rows, best]
    shares = np.clip(np.stack([1 - u - v, u, v], 1), 0, 1)
    return Places(faces[best], (shares / shares.sum(1, keepdims=True)).astype(np.float32))


def _chain(points: Float[ndarray, "n 2"], t: Float[ndarray, "s"]) -> Float[ndarray, "s 2"]:
    """Points along a smooth curve, t from 0 to 1."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(np.linspace(0, 1, len(points)), points)(t)


@kept(lambda thickness, full: f"brows-{thickness}-{'full' if full else 'low'}")
def _brows(thickness: str, full: bool) -> Bristles:
    """Along the brow ridge: inner hairs rise, outer ones lie along it."""
    rng = np.random.default_rng(11)
    edge = face_contours(load_body().template.numpy())["left_brow"][:, :2]
    upper, lower = edge[4::-1], edge[5:]
    per_side = {"thin": 130, "medium": 180, "full": 230}[thickness] if full else 30
    swell = {"thin": 0.50, "medium": 0.75, "full": 1.0}[thickness]
    t = np.clip(np.linspace(0.0, 0.97, per_side) ** 0.95 + rng.normal(size=per_side) * 0.02, 0, 0.97)
    across = np.tile([-0.8, 0.5, -0.1, 0.9, -0.5, 0.2], per_side)[:per_side] + rng.normal(size=per_side) * 0.15
    middle = (_chain(upper, t) + _chain(lower, t)) / 2
    half = (_chain(upper, t) - _chain(lower, t)) / 2
    ahead, behind = ((_chain(upper, at) + _chain(lower, at)) / 2 for at in (t + 0.01, t - 0.01))
    along = ahead - behind
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    root = middle + half * (across * swell * np.clip(1.25 - t**3, 0, 1) * np.clip(0.6 + t / 0.2, 0, 1))[:, None]
    # The angle to the ridge: upright at the nose, upper hairs lean down, lower ones up.
    lean = np.radians(62 * np.exp(-t / 0.14) + 16 - 26 * np.clip(across, 0, 1) * np.clip(t / 0.3, 0, 1))
    way = np.cos(lean)[:, None] * along + np.sin(lean)[:, None] * np.stack([-along[:, 1], along[:, 0]], 1)
    length = (0.0062 + 0.003 * np.clip(t / 0.4, 0, 1)) * rng.uniform(0.8, 1.15, per_side)
    length = length * np.where(t > 0.8, 0.75, 1)
    k = 4 if full else 3
    steps = np.linspace(0, 1, k)
    bend = along * 0.25 * length[:, None]
    points = root[:, None] + (way * length[:, None])[:, None] * steps[:, None] + bend[:, None] * steps[:, None] ** 2
    points = np.concatenate([points, points * np.array([-1.0, 1.0])])
    rise = np.tile(0.0004 + 0.0007 * np.sin(steps * 2.2), (len(points), 1)).astype(np.float32)
    places = _places_at(points.reshape(-1, 2))
    roots = places.take(np.arange(0, len(places.corners), k))
    weights, joints, moves = _follow(roots, k * 2, None)
    columns = locks(rng, len(points))
    return Bristles(
        roots, places, np.zeros((*rise.shape, 3), np.float32), rise, 0.0011 if full else 0.0034, columns, None,
        np.zeros((0, 3), np.int64), np.zeros((0, 3, 2), np.float32), weights, joints, moves,
    )  # fmt: skip


@kept(lambda long, full: f"lashes-{long}-{'full' if full else 'low'}")
def _lashes(long: float, full: bool) -> Bristles:
    """Upper lashes curve up and fan out; lower ones are few and short."""
    rng = np.random.default_rng(12)
    table = contour_vertices()
    corners, shares, offsets = [], [], []
    k = 4 if full else 3
    steps = np.linspace(0, 1, k)
    for eye, sign in (("left_eye", 1.0), ("right_eye", -1.0)):
        vertices = table[eye][0][:, 0]
        for row, count, upper in (
            (vertices[:9], 64 if full else 12, True),
            (np.append(vertices[8:], vertices[0]), 26 if full else 0, False),
        ):
            t = np.linspace(0.03, 0.93, count)  # from the outer corner to the inner
            at = t * (len(row) - 1)
            first = np.clip(at.astype(int), 0, len(row) - 2)
            share = at - first
            corners.append(np.stack([row[first], row[first + 1], row[first]], 1))
            shares.append(np.stack([1 - share, share, 0 * share], 1))
            fan = sign * ((0.5 - t if upper else t - 0.5) * 1.3 + 0.12) + rng.normal(size=count) * 0.10
            length = 0.0078 * long * (1 - 0.55 * t**1.6) if upper else 0.0040 * long * np.sin(t * np.pi) ** 0.5
            length = length * rng.uniform(0.7, 1.1, count)
            lift = (0.10, 0.75) if upper else (-0.35, -0.35)
            shape = np.stack(
                [
                    fan[:, None] * steps,
                    np.tile(lift[0] * steps + lift[1] * steps**2, (count, 1)),
                    np.tile(0.85 * steps - 0.25 * steps**2, (count, 1)),
                ],
                -1,
            )
            offsets.append(shape * length[:, None, None])
    roots = Places(np.concatenate(corners), np.concatenate(shares).astype(np.float32))
    lines = np.concatenate(offsets).astype(np.float32)
    places = roots.take(np.repeat(np.arange(len(lines)), k))
    weights, joints, moves = _follow(roots, k * 2, None)
    # As the lid closes, upper lashes tip over to point down.
    tip = np.repeat(lines[..., 1], 2, axis=1).ravel()
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        rows, motion = moves[name]
        share = np.clip(-motion[:, 1] / 0.006, 0, 1)
        turned = motion.copy()
        turned[:, 1] -= 1.5 * np.maximum(tip[rows], 0) * share
        moves[name] = (rows, turned)
    return Bristles(
        roots, places, lines, np.zeros(lines.shape[:2], np.float32), 0.0005 if full else 0.0016,
        locks(rng, len(lines)), None, np.zeros((0, 3), np.int64), np.zeros((0, 3, 2), np.float32),
        weights, joints, moves,
    )  # fmt: skip


def _lip_distance(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
    """Distance from the lips seen from the front, negative on them."""
    outline = face_contours(load_body().template.numpy())["lips_outer"][:, :2]
    a, b = outline, np.roll(outline, -1, axis=0)
    p = points[:, None, :2]
    t = np.clip(((p - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)
    far = np.linalg.norm(p - a - t[..., None] * (b - a), axis=-1).min(1)
    crossing = (a[:, 1] > p[..., 1]) != (b[:, 1] > p[..., 1])
    x = a[:, 0] + (p[..., 1] - a[:, 1]) / np.where(b[:, 1] == a[:, 1], 1e-9, b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    inside = (crossing & (p[..., 0] < x)).sum(1) % 2 > 0
    return np.where(inside, -far, far)


def _before_the_ear(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
    """How far forward of a beard's hind edge: upright beside the ear, then slanting along the jaw."""
    y, z = points[:, 1], points[:, 2]
    return z - 0.060 - 0.15 * (y - 0.6) - 0.5 * np.clip(0.594 - y, 0, None)


def beard_region(points: Float[ndarray, "n 3"], style: BeardStyle) -> Float[ndarray, "n"]:
    """About how far template points lie inside a beard's region; negative outside of it and on the lips."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    cheek = np.interp(
        x, (0, 0.010, 0.024, 0.034, 0.050, 0.060, 0.068), (0.5965, 0.599, 0.5985, 0.592, 0.597, 0.612, 0.632)
    )
    throat = np.interp(x, (0.0, 0.03, 0.05, 0.062), (0.526, 0.528, 0.545, 0.566))
    lips = np.where(z > 0.11, _lip_distance(points) - 0.0010, 0.05)
    whole = np.min([(cheek - y) * 0.8, y - throat, lips, _before_the_ear(points)], axis=0)
    above = np.interp(x, (0.006, 0.016, 0.032), (0.600, 0.592, 0.576)) - y  # its ends are points
    below = y - np.interp(x, (0.018, 0.026, 0.032), (0.5765, 0.5725, 0.575))
    moustache = np.min([whole, 0.033 - x, 0.9 * above, 0.9 * below], axis=0)
    # The philtrum stays a little clear.
    moustache = np.minimum(moustache, 0.02)
    chin = np.min([whole, 0.0265 - x + 0.2 * (0.57 - y), z - 0.105], axis=0)
    if style == "moustache":
        return moustache
    if style == "goatee":
        return np.maximum(moustache, chin)
    return whole


@kept(lambda style, full, variant: f"beard-{style}-{variant}-{'full' if full else 'low'}")
def _beard(style: BeardStyle, full: bool, variant: int) -> Bristles:
    """Hairs of the lower face: down the cheeks, forward off the chin, sideways off the philtrum."""
    body = load_body()
    template = body.template.numpy()
    rng = np.random.default_rng([13, variant])
    part = body.parts["body"]
    normals = vertex_normals(template[: part.stop], part.faces)
    field = beard_region(template[: part.stop], style)
    faces = _face_faces()
    corners = template[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normal, axis=1)
    middle = corners.mean(1)
    outward = (normal * (middle - np.array([0.0, 0.60, 0.05]))).sum(1) > 0.25 * area * np.linalg.norm(
        middle - np.array([0.0, 0.60, 0.05]), axis=1
    )
    skin = outward & (faces.max(1) < _skin_stop()) & ~_inside_mouth()[faces].any(1)
    candidates = skin & (field[faces] > -0.012).all(1)

    chosen = rng.choice(len(faces), 9000, p=area * candidates / (area * candidates).sum())
    shares = rng.dirichlet((1, 1, 1), len(chosen))
    points = (corners[chosen] * shares[:, :, None]).sum(1)
    inside = beard_region(points, style)
    keep = np.flatnonzero(inside > 0.013 * rng.uniform(0, 1, len(points)) ** 2)
    few = {"moustache": 260, "goatee": 420}.get(style, 1150)
    keep = _spread_out(points, keep, few if full else few // 5)
    chosen, shares, points, inside = chosen[keep], shares[keep], points[keep], inside[keep]
    roots = Places(faces[chosen], shares.astype(np.float32))

    count = len(keep)
    out = roots.on(normals)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    x, y = points[:, 0], points[:, 1]
    lip = (y > 0.578) & (np.abs(x) < 0.034)
    chin = np.clip((0.575 - y) / 0.025, 0, 1) * np.clip((points[:, 2] - 0.085) / 0.03, 0, 1)
    way = np.stack([-0.15 * np.sign(x) * chin, np.full(count, -1.0), 0.25 * chin], 1)
    sideways = np.stack([np.sign(x) * np.clip(np.abs(x) / 0.008, 0.3, 1), np.full(count, -0.42), np.zeros(count)], 1)
    way = np.where(lip[:, None], sideways, way) + rng.normal(size=(count, 3)) * 0.12
    way -= out * (way * out).sum(1, keepdims=True)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    reach = {"moustache": 0.010, "goatee": 0.020, "short": 0.009, "full": 0.026, "long": 0.085}[style]
    cheek = {"short": 0.007, "full": 0.012, "long": 0.018}.get(style, 0.010)
    length = np.where(lip, 0.0095, cheek + (reach - cheek) * chin) * rng.uniform(0.8, 1.15, count)
    length = length * np.clip(0.45 + inside / 0.012, 0, 1) * np.clip(0.3 + _before_the_ear(points) / 0.03, 0, 1)
    k = (6 if style == "long" else 4) if full else 3
    steps = np.linspace(0, 1, k)[None, :, None]
    lift = np.where(lip, 0.30, 0.26 + 0.15 * chin)[:, None, None]
    down = np.array([0.0, -1.0, 0.0])
    sag = (np.where(lip, 0.0, 0.6) * chin)[:, None, None]
    direction = (1 - sag * steps) * way[:, None] + sag * steps * down + lift * (1 - steps) * out[:, None]
    offsets = length[:, None, None] * steps * direction
    if style == "long":
        gather = np.clip((offsets[..., :1] * 0 + steps) ** 2 * chin[:, None, None], 0, 1)
        offsets[..., :1] -= 0.3 * gather * x[:, None, None]
    rise = np.full((count, k), 0.0015, np.float32)
    places = roots.take(np.repeat(np.arange(count), k))

    used, local = np.unique(faces[candidates], return_inverse=True)
    local = local.reshape(-1, 3)
    layer = Places(np.repeat(used[:, None], 3, 1), np.tile(np.array([1, 0, 0], np.float32), (len(used), 1)))
    u = np.arctan2(template[used, 0], template[used, 2] - 0.03) / 3.2 + 0.5
    dense = 2.0 if style == "moustache" else 1.0  # soon whole, as it is narrow
    v = cap_row(dense * field[used] - 0.003) * CAP_ROWS
    uvs = np.stack([u, v], 1).astype(np.float32)[local]
    weights, joints, moves = _follow(roots, k * 2, layer)
    columns = locks(rng, count)
    fine = full & (inside < 0.013 * rng.uniform(0.3, 1.6, count))
    columns[fine] = wisps(rng, int(fine.sum()))
    width = (0.0036 if style in ("full", "long") else 0.0028) * (1 if full else 2.2)
    return Bristles(
        roots, places, offsets.astype(np.float32), rise, width, columns, layer, local, uvs,
        weights, joints, moves,
    )  # fmt: skip


@cache
def _inside_mouth() -> Bool[ndarray, "b"]:
    """Body vertices of the mouth's inside and the lips."""
    body = load_body()
    part = body.parts["body"]
    uvs = np.zeros((part.stop, 2))
    uvs[part.faces.ravel()] = part.uvs.reshape(-1, 2)
    found = np.zeros(part.stop, bool)
    for name in ("inside-mouth", "lips"):
        mask = body.masks[name]
        size = np.array(mask.shape)
        at = np.clip((uvs[:, ::-1] * size).astype(int), 0, size - 1)
        found |= mask[at[:, 0], at[:, 1]] > 128
    return found


def _spread_out(points: Float[ndarray, "n 3"], allowed: Int[ndarray, "m"], count: int) -> Int[ndarray, "k"]:
    """An evenly spread choice: each next point is the farthest from all before."""
    here = points[allowed]
    count = min(count, len(here))
    chosen = np.zeros(count, np.int64)
    far = np.full(len(here), np.inf)
    for i in range(1, count):
        far = np.minimum(far, ((here - here[chosen[i - 1]]) ** 2).sum(1))
        chosen[i] = far.argmax()
    return allowed[chosen]
