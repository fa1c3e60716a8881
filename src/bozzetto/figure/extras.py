"""Extras: what is worn on head, face, neck, waist and hands, laid on what a person wears below."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import binary_closing, binary_erosion, gaussian_filter1d, grey_opening, minimum_filter
from scipy.spatial import ConvexHull, cKDTree

from bozzetto.figure.cloth import Scale, pattern_share
from bozzetto.figure.fitted import noise, normal_map, rigid_weights, step, unit
from bozzetto.figure.garments import is_tucked
from bozzetto.figure.glasses import glasses_shape
from bozzetto.figure.gloves import gloves
from bozzetto.figure.hats import hat, snug
from bozzetto.figure.piece import Person, Piece, top_four
from bozzetto.figure.shells import FRONT
from bozzetto.figure.spec import ExtraKind, Garment
from bozzetto.figure.torso_wear import BELT, apron, belt, bow_tie, scarf, tie
from bozzetto.figure.wear import DARK, METAL, PLAIN, SECOND, WIDTH, Thing
from bozzetto.types import Material


def extra_pieces(person: Person, clothes: Sequence[Piece] = ()) -> list[Piece]:
    """Each extra of a person as one piece of its kind's name.

    Args:
        clothes: The garments, so that what lies on them keeps clear of them; without, their thickness is guessed.
    """
    return [_piece(person, garment, clothes) for garment in person.spec.extras]


def _piece(person: Person, garment: Garment, clothes: Sequence[Piece]) -> Piece:
    kind = str(garment.kind)
    variant = int(person.rng("extra " + kind).integers(2))
    top = person.spec.top
    if kind in ("tie", "bow tie"):  # a shirt's collar hides the band
        variant = int(top is not None and top.kind in ("shirt", "blouse"))
    if kind == "belt":
        bottom = person.spec.bottom
        variant = int(bottom is None or bottom.kind.endswith("skirt"))
    if kind in ("glasses", "sunglasses"):
        shape = glasses_shape(person, kind, variant)
        rigid = rigid_weights(person.body, "head", len(shape.vertices))
        return Piece(
            kind, shape.vertices.astype(np.float32), shape.faces, shape.uvs, *rigid, _material(person, garment)
        )
    thing = _thing(kind, variant, person.detail == "low")
    vertices = thing.fitted.on(person)
    if kind in ("tie", "bow tie"):
        vertices = _to_collar(person, vertices, clothes)
    if kind == "bow tie" and any(piece.name == "top" for piece in clothes):
        vertices = _against(vertices, next(piece for piece in clothes if piece.name == "top"))
    elif thing.normals is not None:
        below = [piece for piece in clothes if piece.name != "outer" or kind not in ("belt", "tie", "bow tie")]
        guess = np.full(len(vertices), _clearance(person, kind), np.float32)
        if thing.tight is not None and below:
            vertices = _taut(vertices, thing.tight, below)
        heights = _above(vertices, thing.normals, below, guess) if below else guess
        if thing.tight is not None and below:
            heights = heights * (thing.tight == 0)
        if len(below) < len(clothes) and thing.tight is None:  # flat under a jacket
            heights = heights - np.float32(0.004)
        vertices = vertices + thing.normals * heights[:, None]
    if thing.above is not None:
        vertices = snug(person, thing, vertices)
    if thing.rows is not None:
        vertices = _hang(vertices, thing.rows)
    shape = thing.fitted.shape
    faces, uvs = shape.faces, shape.uvs
    over = [piece for piece in clothes if piece.name == "outer"]
    if over and kind in ("tie", "bow tie"):
        vertices, shown = _under(vertices, faces, over[0], [piece for piece in clothes if piece.name == "top"])
        faces, uvs = faces[shown], uvs[shown]
    if over and kind == "belt":
        vertices, shown = _behind(vertices, faces, over[0])
        faces, uvs = faces[shown], uvs[shown]
    weights, joints = thing.fitted.skin_weights, thing.fitted.skin_joints
    waist = [piece for piece in clothes if piece.name in ("bottom", "dress")]
    if thing.tight is not None and waist:
        weights, joints = weights.copy(), joints.copy()
        weights[thing.tight > 0], joints[thing.tight > 0] = _weights_of(waist[0], vertices[thing.tight > 0])
    return Piece(
        kind, vertices.astype(np.float32), faces, uvs, weights, joints, _material(person, garment),
        hides=thing.fitted.hides,
    )  # fmt: skip


def _weights_of(cloth: Piece, points: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "n 4"], Int[ndarray, "n 4"]]:
    """Skin weights of what is fixed to cloth: the mean of the cloth's about each point."""
    used = np.unique(cloth.faces)
    distance, near = cKDTree(cloth.vertices[used]).query(points, k=16)
    share = np.exp(-0.5 * ((distance - distance[:, :1]) / 0.01) ** 2)
    rows = np.repeat(np.arange(len(points)), 16 * 4)
    dense = np.zeros((len(points), int(cloth.skin_joints.max()) + 1), np.float32)
    amounts = cloth.skin_weights[used[near]] * share[..., None]
    np.add.at(dense, (rows, cloth.skin_joints[used[near]].ravel()), amounts.ravel())
    return top_four(dense)


def _clearance(person: Person, kind: str) -> float:
    """How far the clothes below stand out from the body, in metres."""
    spec = person.spec
    size = (spec.body.height / 1.7) ** 0.5
    if kind == "belt":
        return (0.0105 if spec.outer is not None else 0.012 if is_tucked(person) else 0.016) * size
    if kind in ("tie", "bow tie"):
        return (0.016 if spec.outer is None else 0.022) * size
    return (0.018 if spec.outer is None else 0.03) * size


def _to_collar(person: Person, vertices: Float[ndarray, "v 3"], clothes: Sequence[Piece]) -> Float[ndarray, "v 3"]:
    """A tie lowered or raised so that its knot begins at the upper edge of the shirt in front."""
    size = person.spec.body.height / 1.7
    top = vertices[vertices[:, 1].argmax()]
    for piece in clothes:
        if piece.name == "top":
            v = piece.vertices
            ahead = (np.abs(v[:, 0] - top[0]) < 0.02 * size) & (v[:, 2] > top[2] - 0.03 * size)
            if ahead.any():
                edge = float(np.quantile(v[ahead, 1], 0.995))
                move = np.clip(edge - 0.001 - top[1], -0.06 * size, 0.02 * size)
                return vertices + np.array([0, move, 0], np.float32)
    return vertices


def _against(vertices: Float[ndarray, "v 3"], cloth: Piece) -> Float[ndarray, "v 3"]:
    """A bow tie moved back or forth until the back of its knot is 2 mm deep in the collar."""
    middle = (vertices.max(0) + vertices.min(0)) / 2
    wide = np.ptp(vertices[:, 0])
    knot = vertices[np.abs(vertices[:, 0] - middle[0]) < 0.05 * wide]
    v = np.concatenate([cloth.vertices[np.unique(cloth.faces)], cloth.vertices[cloth.faces].mean(1)])
    v = v[(np.abs(v[:, 0] - middle[0]) < 0.2 * wide) & (np.abs(v[:, 1] - knot[:, 1].mean()) < 0.15 * wide)]
    back = v[:, 2].max() - 0.002 - knot[:, 2].min() if len(v) else 0.0
    return vertices + np.array([0, 0, back], np.float32)


def _taut(vertices: Float[ndarray, "v 3"], tight: Int[ndarray, "v"], below: Sequence[Piece]) -> Float[ndarray, "v 3"]:
    """A strap drawn tight round whatever is at its height, and a buckle or bow as far before it as it was.

    Args:
        tight: As in ``Thing``.
    """
    band = tight == 2
    middle = (vertices[band].max(0) + vertices[band].min(0)) / 2
    bins = 60

    def polar(points: Float[ndarray, "n 3"]) -> tuple[ndarray, ndarray]:
        x, z = (points - middle)[:, [0, 2]].T
        return np.arctan2(x, z), np.hypot(x, z)

    turn, radius = polar(vertices)
    column = np.floor((turn / (2 * np.pi) + 0.5) * bins).astype(int) % bins
    edge = np.tile(middle[1], (2, bins))  # its lower and its upper one
    np.minimum.at(edge[0], column[band], vertices[band, 1])
    np.maximum.at(edge[1], column[band], vertices[band, 1])
    tall = np.maximum(edge[1] - edge[0], 0.002)
    up = np.clip((vertices[:, 1] - edge[0, column]) / tall[column], 0, 1)
    away = np.stack([np.sin(turn), np.cos(turn)], 1)
    own = _hull_reach((vertices[band] - middle)[:, [0, 2]], away)  # what is left of the strap's form is thickness
    strap = np.full((2, bins), np.inf)  # its inner side there
    for k, here in enumerate((band & (up < 0.2), band & (up > 0.8))):
        np.minimum.at(strap[k], column[here], (radius / own)[here])
    strap = np.where(np.isfinite(strap), strap, strap[:, np.isfinite(strap).all(0)].mean())
    points = np.concatenate(
        [part for piece in below for part in (piece.vertices, piece.vertices[piece.faces].mean(1))]
    ).astype(np.float64)
    points = points[np.abs(points[:, 1] - middle[1]) < 0.06]
    cloth, reach = polar(points)
    at = np.floor((cloth / (2 * np.pi) + 0.5) * bins).astype(int) % bins
    rise = (points[:, 1] - edge[0, at]) / tall[at]
    points, rise = points[reach < radius[band].max() + 0.06], rise[reach < radius[band].max() + 0.06]  # no sleeves
    if (np.abs(rise - 0.5) < 0.5).sum() < 3 * bins:
        return vertices
    lower, mid, upper = (_wound((points - middle)[np.abs(rise - k) < 0.17][:, [0, 2]], away) for k in (0.05, 0.5, 0.95))
    wound = np.where(up < 0.5, lower + (mid - lower) * up / 0.5, mid + (upper - mid) * (up / 0.5 - 1)) + 0.0008
    around = (np.arange(3 * bins) + 0.5) / bins - 1.5
    low, high = (
        np.interp(turn / (2 * np.pi), around, np.tile(gaussian_filter1d(e, 1.0, mode="wrap"), 3)) for e in strap
    )
    inner = (low + (high - low) * up) * own
    share = (wound + np.maximum(radius - inner, 0)) / np.maximum(radius, 1e-6)
    share = np.where(tight > 0, share, 1)
    out = vertices.copy()
    out[:, [0, 2]] = middle[[0, 2]] + (vertices - middle)[:, [0, 2]] * share[:, None]
    return out


def _hull_reach(points: Float[ndarray, "n 2"], away: Float[ndarray, "v 2"]) -> Float[ndarray, "v"]:
    """How far a string round points about the origin lies from it along unit directions."""
    edges = ConvexHull(points).equations
    along = away @ edges[:, :2].T
    return np.where(along > 1e-6, -edges[:, 2] / np.maximum(along, 1e-6), np.inf).min(1)


def _wound(points: Float[ndarray, "n 2"], away: Float[ndarray, "v 2"]) -> Float[ndarray, "v"]:
    """As ``_hull_reach``, but under the loops and buttons that stand out from the cloth."""
    bins = 90
    reach = np.linalg.norm(points, axis=1, keepdims=True)
    share = reach[:, 0] / _hull_reach(points, points / reach)  # all but constant within a bin
    at = np.floor((np.arctan2(*points.T) / (2 * np.pi) + 0.5) * bins).astype(int) % bins
    widest = np.zeros(bins)
    np.maximum.at(widest, at, share)
    seen = np.flatnonzero(widest)
    around = np.concatenate([seen - bins, seen, seen + bins])
    widest = grey_opening(np.interp(np.arange(bins), around, np.tile(widest[seen], 3)), 5, mode="wrap")
    turn = ((np.arange(bins) + 0.5) / bins - 0.5) * 2 * np.pi
    towards = np.stack([np.sin(turn), np.cos(turn)], 1)
    return _hull_reach(towards * (widest * _hull_reach(points, towards))[:, None], away)


def _above(
    points: Float[ndarray, "v 3"], normals: Float[ndarray, "v 3"], below: Sequence[Piece], guess: Float[ndarray, "v"]
) -> Float[ndarray, "v"]:
    """How far points on the suit must go out along their normals to lie on the clothes there; a smooth field."""
    away = unit(normals)
    height = np.full(len(points), -1.0)
    for piece in below:
        cloth = piece.vertices
        cloth = cloth[(cloth > points.min(0) - 0.06).all(1) & (cloth < points.max(0) + 0.06).all(1)]
        if len(cloth) < 16:
            continue
        _, found = cKDTree(cloth).query(points + away * 0.012, k=10)
        offset = cloth[found] - points[:, None]
        out = np.einsum("vkd,vd->vk", offset, away)
        beside = np.linalg.norm(offset - out[..., None] * away[:, None], axis=2)
        height = np.maximum(height, np.where((beside < 0.02) & (out < 0.09), out + 0.004, -1).max(1))
    if height.max() < 0:
        return guess
    _, others = cKDTree(points).query(points, k=24)
    height = np.where(height > 0, height, np.minimum(guess, 0.006))
    height = 0.8 * height[others].max(1) + 0.2 * height[others].mean(1)
    return (height * np.linalg.norm(normals, axis=1)).astype(np.float32)


def _under(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], over: Piece, below: Sequence[Piece]
) -> tuple[Float[ndarray, "v 3"], Bool[ndarray, "f"]]:
    """What lies on the chest pushed back behind what is worn over it, and which of its faces are not deep below that.

    Seen from the front on a grid of 4 mm cells: the innermost layer of ``over`` and the outermost of ``below``.
    """
    cell = 0.004
    corner = vertices[:, :2].min(0) - 0.03
    size = np.ceil((vertices[:, :2].max(0) + 0.03 - corner) / cell).astype(int)
    steps = np.stack(np.meshgrid(np.arange(7), np.arange(7)), 2).reshape(-1, 2) / 6
    steps = steps[steps.sum(1) <= 1.001]
    shares = np.concatenate([steps, 1 - steps.sum(1, keepdims=True)], 1)

    def nearest(piece: Piece, sign: int) -> ndarray:
        triangles = piece.vertices[piece.faces]
        near = (triangles.max(1)[:, :2] > corner).all(1) & (triangles.min(1)[:, :2] < corner + size * cell).all(1)
        triangles = triangles[near & (triangles.mean(1)[:, 2] > vertices[:, 2].min() - 0.04)]
        points = np.einsum("sk,fkd->fsd", shares, triangles).reshape(-1, 3)
        at = np.floor((points[:, :2] - corner) / cell).astype(int)
        inside = ((at >= 0) & (at < size)).all(1)
        depth = np.full(size, np.inf)
        np.minimum.at(depth, tuple(at[inside].T), sign * points[inside, 2])
        return depth

    inner = nearest(over, 1)
    covered = binary_closing(np.isfinite(inner), iterations=1)
    inner = minimum_filter(inner, 5)
    column, row = np.floor((vertices[:, :2] - corner) / cell).astype(int).T
    deep = binary_erosion(covered, iterations=3)[column, row]
    back = np.maximum(vertices[:, 2] - (inner[column, row] - 0.003), 0)
    distance, beside = cKDTree(vertices).query(vertices, k=32)
    back = np.maximum(back[beside] - 0.4 * distance, 0).max(1)  # no step where it goes below
    out = vertices.copy()
    out[:, 2] -= back.astype(np.float32)
    if below:  # never into the shirt where it shows
        floor = -minimum_filter(np.min([nearest(piece, -1) for piece in below], 0), 3)[column, row] + 0.002
        lowest = np.where(deep, -np.inf, floor + 0.1 * np.clip(vertices[:, 2] - floor, 0, 0.02))
        out[:, 2] = np.maximum(out[:, 2], lowest)
    return out, ~deep[faces].all(1)


def _behind(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], over: Piece
) -> tuple[Float[ndarray, "v 3"], Bool[ndarray, "f"]]:
    """What lies round the waist drawn in behind what is worn over it, and which of its faces are not deep below that.

    Seen from the middle on a grid of cells about a centimetre wide.
    """
    middle = vertices.mean(0)
    low, high = vertices[:, 1].min() - 0.06, vertices[:, 1].max() + 0.06
    rows, columns = 16, 96

    def cells(points: Float[ndarray, "n 3"]) -> tuple[ndarray, ndarray, ndarray]:
        x, z = (points - middle)[:, [0, 2]].T
        row = np.floor((points[:, 1] - low) / (high - low) * rows).astype(int)
        column = np.floor((np.arctan2(x, z) / (2 * np.pi) + 0.5) * columns).astype(int) % columns
        return row, column, np.hypot(x, z)

    corners = over.vertices[over.faces]
    sides = (corners + np.roll(corners, 1, 1)) / 2
    row, column, radius = cells(np.concatenate([corners, sides, corners.mean(1, keepdims=True)], 1).reshape(-1, 3))
    at, beside, reach = cells(vertices)
    near = (row >= 0) & (row < rows) & (radius < reach.max() + 0.08)  # no sleeves
    inner = np.full((rows, columns), np.inf)
    np.minimum.at(inner, (row[near], column[near]), radius[near])
    covered = np.pad(np.isfinite(inner), ((0, 0), (8, 8)), mode="wrap")
    deep = binary_erosion(binary_closing(covered, iterations=2), iterations=3, border_value=1)[:, 8:-8][at, beside]
    inner = np.where(np.isfinite(inner), minimum_filter(inner, 3, mode=("nearest", "wrap")), np.inf)
    share = np.minimum((inner[at, beside] - 0.002) / reach, 1)
    out = vertices.copy()
    out[:, [0, 2]] = middle[[0, 2]] + (vertices - middle)[:, [0, 2]] * share[:, None]
    return out, ~deep[faces].all(1)


def _hang(vertices: Float[ndarray, "v 3"], rows: Int[ndarray, "v"]) -> Float[ndarray, "v 3"]:
    """Rows of hanging cloth brought forward where they would follow the body back in."""
    count = rows.max() + 1
    inside = rows >= 0
    size = np.bincount(rows[inside], minlength=count)
    y = np.bincount(rows[inside], vertices[inside, 1], count) / size
    front = np.full(count, -np.inf)
    np.maximum.at(front, rows[inside], vertices[inside, 2])
    hung = front.copy()
    for k in range(1, count):
        hung[k] = max(front[k], hung[k - 1] - 0.4 * (y[k - 1] - y[k]))
    shift = gaussian_filter1d(hung - front, 1.0, mode="nearest")
    out = vertices.copy()
    out[inside, 2] += shift[rows[inside]]
    return out


@cache
def _thing(kind: str, variant: int, low: bool) -> Thing:
    if kind in ("cap", "beanie", "brimmed hat", "top hat", "helmet", "headband"):
        return hat(kind, low)
    if kind == "gloves":
        return gloves()
    if kind == "belt":
        return belt(BELT[variant], low)
    if kind in ("tie", "bow tie"):
        return (tie if kind == "tie" else bow_tie)(low, variant == 0)
    return {"scarf": scarf, "apron": apron}[kind](low)


ROUGHNESS = {
    "glasses": 0.35, "sunglasses": 0.12, "cap": 0.85, "beanie": 0.95, "brimmed hat": 0.92, "top hat": 0.5,
    "helmet": 0.32, "headband": 0.9, "scarf": 0.95, "belt": 0.5, "tie": 0.5, "bow tie": 0.45, "gloves": 0.8,
    "apron": 0.88,
}  # fmt: skip


@cache
def _relief(kind: str, size: int) -> tuple[ndarray, ndarray]:
    """Shade and height of a kind's cloth."""
    i, j = np.mgrid[:size, :size].astype(np.float32)
    u, v = j / size, i / size
    fine, cloud = noise(size, 0.8, 1), noise(size, size / 40, 2)
    height, shade = 0.12 * fine, 1 + 0.012 * cloud + 0.01 * fine
    if kind in ("beanie", "scarf", "gloves", "headband"):
        ribs = np.cos(2 * np.pi * u * (110 if kind != "beanie" else 88))
        height = height + 0.9 * ribs + 0.3 * np.sin(2 * np.pi * v * 120)
        shade = shade * (1 + 0.05 * ribs + 0.02 * np.sin(2 * np.pi * v * 120))
    elif kind == "cap":
        seam = np.abs(((u * 6 + 0.5) % 1) - 0.5) / 6
        stitch = np.exp(-(((seam - 0.008) / 0.0012) ** 2)) * (0.6 + 0.4 * np.sin(2 * np.pi * v * 90))
        height = height - 2.0 * np.exp(-((seam / 0.0022) ** 2)) + 0.6 * stitch
        shade = shade * (1 - 0.25 * np.exp(-((seam / 0.0018) ** 2)) - 0.06 * stitch)
        eyelet = np.hypot((1 / 12 - seam) * 0.30, (v - 0.48) * 0.23)
        shade = shade * (1 - 0.65 * step(0.0022, 0.0012, eyelet))
        height = height + 1.5 * np.exp(-(((eyelet - 0.0030) / 0.0012) ** 2))
    elif kind in ("belt",):
        for line in (0.057, 0.103):
            height = height - 1.2 * np.exp(-(((v - line) / 0.0012) ** 2))
            shade = shade * (1 - 0.25 * np.exp(-(((v - line) / 0.0012) ** 2)))
    elif kind in ("tie", "bow tie"):
        height = height + 0.3 * np.sin(2 * np.pi * (u + v) * 128)
        dimple = np.exp(-(((u - 0.07) / 0.014) ** 2) - (v / 0.16) ** 2)
        folds = np.exp(-(((u - 0.036 - 0.05 * v) / 0.010) ** 2)) + np.exp(-(((u - 0.108 + 0.03 * v) / 0.012) ** 2))
        height = height - 4.0 * dimple + 2.2 * folds * np.exp(-((v / 0.35) ** 2))
        shade = shade * (1 - 0.12 * dimple)
    elif kind == "apron":
        height = height + 0.25 * np.sin(2 * np.pi * u * 200) * np.sin(2 * np.pi * v * 200)
        pocket = np.maximum(np.abs(u - 0.46) - 0.14, np.abs(v - 0.36) - 0.07)
        hem = np.minimum(np.abs(u - 0.035), np.abs(u - 0.885))
        line = np.exp(-((np.minimum(np.abs(pocket), hem) / 0.0016) ** 2))
        height, shade = height - 1.4 * line, shade * (1 - 0.2 * line)
    elif kind == "helmet":
        shade = 1 + 0.03 * cloud
        height = 0.5 * cloud
    return shade, height


@cache
def _normal(kind: str, size: int) -> ndarray:
    return normal_map(_relief(kind, size)[1], 0.45)


def _material(person: Person, garment: Garment) -> Material:
    kind = str(garment.kind)
    size = 64 if person.detail == "low" else 512
    main, second = np.array(garment.colour.srgb, np.float32), np.array(garment.second.srgb, np.float32)
    share = np.zeros((1, 1), np.float32)
    if garment.pattern != "plain" and kind not in ("glasses", "sunglasses", "belt", "helmet"):
        at = (np.arange(size) + 0.5) / size * WIDTH
        share = np.broadcast_to(
            pattern_share(garment, FRONT, at, 0.6 - at, Scale(1.0, 1.0, 1.0), person.spec.seed), (size, size)
        )
    shade, _ = _relief(kind, size)
    colour = np.clip((main + (second - main) * share[..., None]) * shade[..., None], 0, 1).astype(np.float32)
    metal = np.array([0.80, 0.76, 0.66] if kind == "belt" else [0.74, 0.74, 0.73], np.float32)
    dark = {
        "sunglasses": np.array([0.035, 0.035, 0.045]), "cap": main * 0.85, "brimmed hat": main * 0.35 + 0.02,
        "top hat": main * 0.5 + 0.03,
    }.get(kind, main * 0.6)  # fmt: skip
    if kind == "helmet":
        metal = main * 0.9
    rough = np.full((size, size), ROUGHNESS[kind], np.float32) + 0.03 * noise(size, 0.8, 1)
    for box, tone, gloss in (
        (SECOND, second, None),
        (DARK, dark, 0.06 if kind == "sunglasses" else None),
        (METAL, metal, 0.25),
        (PLAIN, main, None),
    ):
        left, top, right, bottom = (round(edge * size) for edge in box)
        where = slice(top - size // 60, bottom + size // 60), slice(left - size // 60, right + size // 60)
        colour[where] = tone
        if gloss is not None:
            rough[where] = gloss
    grey = max(main) - min(main) < 0.12
    metallic = (0.85 if grey else 0.35) if kind == "helmet" else 0.0
    normal = None if person.detail == "low" or "glasses" in kind else _normal(kind, size)
    return Material(
        (colour * 255 + 0.5).astype(np.uint8), normal, (rough.clip(0.04, 1) * 255).astype(np.uint8), metallic
    )


KINDS: tuple[ExtraKind, ...] = tuple(ROUGHNESS)  # type: ignore[assignment]
