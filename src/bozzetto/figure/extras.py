"""Extras: what is worn on head, face, neck, waist and hands; modelled once around the mean adult."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import (
    binary_closing,
    binary_erosion,
    gaussian_filter1d,
    map_coordinates,
    maximum_filter,
    minimum_filter,
)
from scipy.spatial import ConvexHull, cKDTree

from bozzetto.figure.atlas import skin_faces
from bozzetto.figure.cloth import Scale, pattern_share
from bozzetto.figure.fitted import (
    Box,
    Fitted,
    Shape,
    Surface,
    carrier,
    dense_weights,
    four,
    join,
    mean_person,
    noise,
    normal_map,
    outside,
    rigid_weights,
    sheet,
    slab,
    step,
    surface,
    tube,
    unit,
)  # fmt: skip
from bozzetto.figure.garments import is_tucked
from bozzetto.figure.piece import Person, Piece
from bozzetto.figure.shells import FRONT
from bozzetto.figure.spec import ExtraKind, FigureSpec, Garment
from bozzetto.geometry import vertex_normals
from bozzetto.types import Material

CLOTH: Box = (0.0, 0.0, 1.0, 0.75)
SECOND: Box = (0.02, 0.78, 0.23, 0.98)
DARK: Box = (0.27, 0.78, 0.48, 0.98)
METAL: Box = (0.52, 0.78, 0.73, 0.98)
PLAIN: Box = (0.77, 0.78, 0.98, 0.98)
"""Where on the texture cloth and single colours lie."""
WIDTH = 0.6
"""Metres of cloth across the texture."""
HEAD = np.array([0.0, 1.752, 0.055])
"""The middle of the mean adult's skull."""
COVER = {"cap": 0.40, "beanie": 0.36, "brimmed hat": 0.45, "top hat": 0.48, "helmet": 0.34, "headband": 1.0}
"""Height of each rim as a share of the scalp's; a headband only presses the hair."""


def hat_cover(spec: FigureSpec) -> float | None:
    """Height of a hat's rim as a share of the scalp's, 0 at the nape's hairline and 1 at the crown; None without a hat.

    Above it the hat leaves about 10 mm for the hair.
    """
    cover = min((COVER.get(extra.kind, 1.0) for extra in spec.extras), default=1.0)
    return cover if cover < 1 else None


def under_hats(person: Person, hair: Piece, hats: Sequence[Piece]) -> Piece:
    """The hair pressed inside its hats and around their rims, without what lies deep under them.

    A face goes when two of its corners, or one far from the rim, seen from the middle of the head, are covered and
    lie within 25 mm inside the hat or 50 mm outside; under a brim only what would come through.
    """
    middle = (person.joint("eye.L") + person.joint("eye.R")) / 2 - np.array(
        [0, 0, 0.08]
    ) * person.spec.body.height / 1.7
    nearest = np.full((_ROWS, _COLUMNS), 9.0)
    steps = np.stack(np.meshgrid(np.arange(9), np.arange(9)), 2).reshape(-1, 2) / 8
    steps = steps[steps.sum(1) <= 1]
    shares = np.concatenate([steps, 1 - steps.sum(1, keepdims=True)], 1)
    for hat in hats:
        points = np.einsum("sk,fkd->fsd", shares, hat.vertices[hat.faces]).reshape(-1, 3)
        at, radius = _directions(points - middle)
        np.minimum.at(nearest, tuple((at + 0.5).astype(int) % [[_ROWS], [_COLUMNS]]), radius)
    covered = np.pad(nearest < 9, ((0, 0), (8, 8)), mode="wrap")
    band = all(hat.name == "headband" for hat in hats)
    margin = 3 if band else 2  # a headband, narrower than twice the margin, only presses
    covered = binary_erosion(binary_closing(covered, iterations=2), iterations=margin, border_value=1)
    deep = binary_erosion(covered, iterations=3, border_value=1)[:, 8:-8]
    covered = covered[:, 8:-8]
    cells = np.stack(np.meshgrid(np.arange(1.0 * _ROWS), np.arange(1.0 * _COLUMNS), indexing="ij"))
    at, radius = _directions(person.vertices[_skull()] - middle)
    _, near = cKDTree(_towards(at)).query(_towards(cells.reshape(2, -1)), k=4)
    scalp = radius[near].mean(1).reshape(_ROWS, _COLUMNS)
    # Metres above the scalp; beyond the rim hair swells again.
    room = minimum_filter(np.maximum(nearest - scalp, 0.003), 3, mode=("nearest", "wrap")) - 0.002
    for _ in range(8 if band else 14):
        room = np.minimum(room, minimum_filter(room, 3, mode=("nearest", "wrap")) + (0.005 if band else 0.0025))
    at, radius = _directions(person.vertices[_ears()] - middle)
    ears = np.zeros_like(scalp)
    np.maximum.at(ears, tuple((at + 0.5).astype(int) % [[_ROWS], [_COLUMNS]]), radius)
    ears = maximum_filter(ears, 3, mode=("nearest", "wrap"))
    room = np.where(nearest < 9, room, np.maximum(room, ears - scalp + 0.003))
    at, radius = _directions(hair.vertices - middle)
    inside = tuple((at + 0.5).astype(int) % [[_ROWS], [_COLUMNS]])
    beyond = radius - nearest[inside]
    brim = (nearest - scalp)[inside] > 0.035  # seen from below: hair goes on up to the crown
    gone = covered[inside] & (beyond > np.where(brim, -0.003, -0.025)) & (beyond < 0.05)
    over = np.clip(radius - map_coordinates(scalp + room, at, order=1, mode="grid-wrap"), 0, None)
    over = np.where(over < 0.06, over, 0)  # what hangs or stands far off is not held by a rim
    vertices = hair.vertices - (hair.vertices - middle) * (over / np.maximum(radius, 1e-9))[:, None]
    faces = (gone[hair.faces].sum(1) < 2) & ~(gone & deep[inside])[hair.faces].any(1)
    return replace(hair, vertices=vertices.astype(np.float32), faces=hair.faces[faces], uvs=hair.uvs[faces])


_ROWS, _COLUMNS = 72, 144
"""Directions from the middle of the head, for ``under_hats``."""


def _directions(offsets: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "2 n"], Float[ndarray, "n"]]:
    """Row and column of each offset's direction on a sphere, and its length."""
    radius = np.linalg.norm(offsets, axis=1)
    down = np.arccos(np.clip(offsets[:, 1] / np.maximum(radius, 1e-9), -1, 1)) / np.pi
    turn = np.arctan2(offsets[:, 0], offsets[:, 2]) / (2 * np.pi) + 0.5
    return np.stack([np.clip(down * _ROWS - 0.5, 0, _ROWS - 1.001), turn * _COLUMNS - 0.5]), radius


def _towards(at: Float[ndarray, "2 n"]) -> Float[ndarray, "n 3"]:
    """The unit vectors of ``_directions``."""
    down, turn = (at[0] + 0.5) * np.pi / _ROWS, ((at[1] + 0.5) / _COLUMNS - 0.5) * 2 * np.pi
    return np.stack([np.sin(down) * np.sin(turn), np.cos(down), np.sin(down) * np.cos(turn)], 1)


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
        shape = _glasses(person, kind, variant)
        rigid = rigid_weights(person.body, "head", len(shape.vertices))
        return Piece(
            kind, shape.vertices.astype(np.float32), shape.faces, shape.uvs, *rigid, _material(person, garment)
        )
    thing = _thing(kind, variant, person.detail == "low")
    vertices = thing.fitted.on(person)
    if kind in ("tie", "bow tie"):
        vertices = _to_collar(person, vertices, clothes)
    if thing.normals is not None:
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
        vertices = _snug(person, thing, vertices)
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
    return Piece(
        kind, vertices.astype(np.float32), faces, uvs, weights, joints, _material(person, garment),
        hides=thing.fitted.hides,
    )  # fmt: skip


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
    many = np.bincount(column[band], minlength=bins)
    height = np.bincount(column[band], vertices[band, 1], bins) / np.maximum(many, 1)
    height = np.where(many > 0, height, middle[1])
    over = (vertices[:, 1] > height[column]).astype(int)
    strap = np.full((2, bins), np.inf)  # its inner side below and above
    np.minimum.at(strap, (over[band], column[band]), radius[band])
    strap = np.where(np.isfinite(strap), strap, strap[:, np.isfinite(strap).all(0)].mean())
    points = np.concatenate(
        [part for piece in below for part in (piece.vertices, piece.vertices[piece.faces].mean(1))]
    ).astype(np.float64)
    points = points[np.abs(points[:, 1] - middle[1]) < 0.06]
    cloth, reach = polar(points)
    at = np.floor((cloth / (2 * np.pi) + 0.5) * bins).astype(int) % bins
    half = 0.016 * np.ptp(vertices[band, 0]) / 0.3
    points = points[(np.abs(points[:, 1] - height[at]) < half) & (reach < radius[band].max() + 0.06)]  # no sleeves
    if len(points) < 3 * bins:
        return vertices
    edges = ConvexHull((points - middle)[:, [0, 2]]).equations
    along = np.stack([np.sin(turn), np.cos(turn)], 1) @ edges[:, :2].T
    wound = np.where(along > 1e-6, -edges[:, 2] / np.maximum(along, 1e-6), np.inf).min(1) + 0.0012
    around = (np.arange(3 * bins) + 0.5) / bins - 1.5
    low, high = (
        np.interp(turn / (2 * np.pi), around, np.tile(gaussian_filter1d(e, 1.0, mode="wrap"), 3)) for e in strap
    )
    level = np.clip(0.5 + (vertices[:, 1] - height[column]) / (2 * half), 0, 1)
    inner = low + (high - low) * level
    share = (wound + np.maximum(radius - inner, 0)) / np.maximum(radius, 1e-6)
    share = np.where(tight > 0, share, 1)
    out = vertices.copy()
    out[:, [0, 2]] = middle[[0, 2]] + (vertices - middle)[:, [0, 2]] * share[:, None]
    return out


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


# ------------------------------------------------------------------------------------------------- canonical things


@dataclass(frozen=True, eq=False)
class Thing:
    """One kind of extra."""

    fitted: "Fitted | Skin"
    normals: Float[ndarray, "v 3"] | None = None
    """Directions in which clothes below push it out."""
    rows: Int[ndarray, "v"] | None = None
    """Rows of hanging cloth from above; -1 does not hang."""
    tight: Int[ndarray, "v"] | None = None
    """2 on a strap that is drawn tight round the waist, 1 on what is fixed to it, 0 elsewhere."""
    above: Float[ndarray, "v"] | None = None
    """Of a hat: metres above the mean adult's scalp, seen from the skull's middle."""
    middle: Float[ndarray, "a"] | None = None
    """Of a hat: the skull's middle as a linear map of the anchors."""


@cache
def _thing(kind: str, variant: int, low: bool) -> Thing:
    if kind in ("cap", "beanie", "brimmed hat", "top hat", "helmet", "headband"):
        return _hat(kind, low)
    if kind == "gloves":
        return _gloves()
    if kind == "belt":
        return _belt(BELT[variant], low)
    if kind in ("tie", "bow tie"):
        return (_tie if kind == "tie" else _bow_tie)(low, variant == 0)
    return {"scarf": _scarf, "apron": _apron}[kind](low)


@cache
def _ears() -> ndarray:
    """Body vertices of the ears."""
    body = mean_person().body
    part, mask = body.parts["body"], body.masks["ears"]
    at = np.clip((part.uvs * mask.shape[0]).astype(int), 0, mask.shape[0] - 1)
    return np.unique(part.faces[mask[at[..., 1], at[..., 0]] > 128])


@cache
def _skull() -> ndarray:
    """Body vertices of head without ears, from the brows up and behind."""
    person = mean_person()
    stop = person.body.parts["body"].stop
    head = person.body.joint_names.index("head")
    weight = (person.body.skin_weights[:stop] * (person.body.skin_joints[:stop] == head)).sum(1)
    v = person.vertices[:stop]
    inside = (weight > 0.8) & ((v[:, 1] > 1.742) | ((v[:, 2] < 0.03) & (v[:, 1] > 1.69)))
    inside[_ears()] = False
    return np.flatnonzero(inside)


def _radius(directions: Float[ndarray, "*n 3"], points: Float[ndarray, "k 3"] | None = None) -> Float[ndarray, "*n"]:
    """Distance of the scalp from the skull's middle.

    Args:
        points: Of the scalp, from there; the mean adult's when None.
    """
    points = mean_person().vertices[_skull()] - HEAD if points is None else points
    length = np.linalg.norm(points, axis=1)
    distance, near = cKDTree(points / length[:, None]).query(directions.reshape(-1, 3), k=10)
    share = 1 / (distance + 0.05) ** 2
    return ((length[near] * share).sum(1) / share.sum(1)).reshape(directions.shape[:-1])


def _rim(turn: Float[ndarray, "c"], front: float, back: float) -> Float[ndarray, "c 3"]:
    """Directions from the skull's middle to a tilted line round the head."""
    rise = np.zeros_like(turn)
    for _ in range(5):
        direction = np.stack([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)], 1)
        radius = _radius(direction)
        share = (direction[:, 2] * radius + 0.1) / 0.2
        rise = np.arcsin(np.clip((back + (front - back) * share - HEAD[1]) / radius, -0.9, 0.9))
    return np.stack([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)], 1)


def _dome(turn: Float[ndarray, "c"], rows: int, front: float, back: float) -> tuple[ndarray, ndarray, ndarray]:
    """Directions of a grid from rim to crown, the scalp's radius along them, and how far up each row is."""
    rim = _rim(turn, front, back)
    up = np.linspace(0, 1, rows)
    angle = np.arccos(np.clip(rim[:, 1], -1, 1))[None] * (1 - up[:, None])
    flat = unit(rim * [1, 0, 1])
    direction = flat[None] * np.sin(angle)[..., None] + np.array([0, 1.0, 0]) * np.cos(angle)[..., None]
    radius = _radius(direction)
    radius = gaussian_filter1d(radius, len(turn) / 22, axis=1, mode="wrap")
    radius = gaussian_filter1d(radius, rows / 12, axis=0, mode="nearest")
    radius[-1] = radius[-1].mean()
    return direction, radius, up


def _hat(kind: str, low: bool) -> Thing:
    columns, rows = (24, 6) if low else (64, 18)
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    shapes: list[Shape] = []

    def shell(direction: ndarray, inner: ndarray, outer: ndarray, box: Box = CLOTH, edge: Box = PLAIN) -> Shape:
        return slab(HEAD + direction * outer[..., None], HEAD + direction * inner[..., None], box, edge, closed=True)

    def band(low_by: float, high_by: float, front: float, back: float, gap: float, thick: float, box: Box) -> Shape:
        lines = [_rim(turn, front + h, back + h) for h in np.linspace(low_by, high_by, 5)]
        direction = np.stack(lines)
        radius = gaussian_filter1d(_radius(direction), 1.2, axis=1, mode="wrap")
        bulge = thick * np.array([0.5, 1, 1.05, 1, 0.5])[:, None]
        return shell(direction, radius + gap, radius + gap + bulge, box)

    if kind == "headband":
        return _on_head([band(-0.016, 0.018, 1.778, 1.742, 0.003, 0.0026, (0, 0, 1, 0.09))])
    if kind == "cap":
        direction, radius, up = _dome(turn, rows, 1.774, 1.708)
        before = (0.5 + 0.5 * np.cos(turn)) ** 1.5
        lift = 0.0042 + 0.0053 * step(0, 0.3, up)[:, None] - 0.0005 * before
        lift = lift + 0.011 * (np.abs(np.sin(np.pi * up**1.1)) ** 1.3)[:, None] * before
        shapes.append(shell(direction, radius + lift - 0.0016, radius + lift))
        shapes += [_visor(low), _button(HEAD + np.array([0, radius[-1, 0] + 0.0095, 0]))]
    elif kind == "beanie":
        direction, radius, up = _dome(turn, rows, 1.770, 1.700)
        lift = 0.007 + 0.013 * step(0.3, 1.0, up)[:, None] + 0.004 * np.sin(turn * 3 + 1) * (up * (1 - up) * 4)[:, None]
        shapes.append(shell(direction, radius + lift - 0.004, radius + lift, (0, 0, 1, 0.6)))
        shapes.append(band(-0.004, 0.046, 1.770, 1.700, 0.0045, 0.0065, (0, 0.62, 1, 0.74)))
    elif kind == "helmet":
        direction, radius, up = _dome(turn, rows, 1.768, 1.700)
        crest = (
            0.006
            * np.exp(-((np.abs(np.sin(turn)) / 0.10) ** 2))
            * np.sin(np.pi * np.clip(up * 0.5 + 0.2, 0, 1))[:, None]
        )
        crest = crest * (1 - step(0.9, 1.0, up))[:, None] + 0.006 * step(0.9, 1.0, up)[:, None]
        swell = radius + 0.008 + 0.013 * step(0, 0.35, up)[:, None]
        shapes.append(shell(direction, swell - 0.005, swell + crest))
        shapes.append(band(-0.008, 0.010, 1.768, 1.700, 0.0045, 0.0065, (0.2, 0.6, 0.5, 0.7)))
        if not low:
            for angle in np.linspace(0, 2 * np.pi, 14, endpoint=False):
                at = _rim(np.array([angle]), 1.770, 1.702)
                spot = (HEAD + at * (_radius(at) + 0.0115)[:, None])[0]
                shapes.append(_ball(spot, np.full(3, 0.0032), METAL, 8))
    else:
        shapes += _blocked_hat(kind, turn)
    return _on_head(shapes)


def _ball(centre: ndarray, size: ndarray, box: Box, sides: int = 10) -> Shape:
    """An ellipsoid."""
    a, b = np.linspace(0, np.pi, sides // 2 + 2), np.linspace(0, 2 * np.pi, sides, endpoint=False)
    grid = np.stack([
        np.sin(a)[:, None] * np.cos(b), np.cos(a)[:, None] * np.ones_like(b), np.sin(a)[:, None] * np.sin(b)
    ], 2)  # fmt: skip
    return sheet(centre + grid * size, box, closed=True, flip=True)


def _button(centre: ndarray) -> Shape:
    return _ball(centre, np.array([0.0095, 0.0055, 0.0095]), PLAIN)


def _visor(low: bool) -> Shape:
    """A cap's peak."""
    turn = np.linspace(-1.12, 1.12, 11 if low else 33)
    rim = _rim(turn, 1.777, 1.711)
    start = HEAD + rim * (_radius(rim) + 0.0030)[:, None]
    reach = np.cos(turn / 1.12 * np.pi / 2) ** 0.55
    rows = []
    for t in np.linspace(0, 1, 7):
        out = t * reach[:, None] * np.stack([np.sin(turn) * 0.022, 0 * turn, 0.074 + 0 * turn], 1)
        drop = t * reach * (0.010 + 0.030 * (turn / 1.12) ** 2) + 0.003 * t**2
        rows.append(start + out - np.stack([0 * turn, drop, 0 * turn], 1))
    top = np.stack(rows)
    thickness = np.array([0, 0.0032, 0])
    return outside(slab(top, top - thickness, (0.18, 0.56, 0.32, 0.70), DARK))


def _blocked_hat(kind: str, turn: Float[ndarray, "c"]) -> list[Shape]:
    """A crown of felt with a ribbon, and a brim."""
    tall = kind == "top hat"
    front, back = (1.778, 1.732) if tall else (1.775, 1.724)
    rim = _rim(turn, front, back)
    ring = HEAD + rim * (gaussian_filter1d(_radius(rim), 2.0, mode="wrap") + 0.007)[:, None]
    middle = ring.mean(0)
    height = 0.155 if tall else 0.122
    profile = {
        "top hat": (
            (0, 1.0), (0.25, 0.985), (0.5, 0.985), (0.75, 1.01), (0.93, 1.045), (0.98, 1.045), (1.0, 1.02), (1.0, 0.6),
            (1.0, 0.0),
        ),
        "brimmed hat": (
            (0, 1.0), (0.25, 1.0), (0.5, 0.95), (0.72, 0.89), (0.88, 0.80), (0.97, 0.67), (0.97, 0.5), (0.93, 0.25),
            (0.91, 0.0),
        ),
    }  # fmt: skip
    rows = np.array(profile[kind])
    fine = np.linspace(0, len(rows) - 1, 3 * len(rows) - 2)
    up, size = (np.interp(fine, np.arange(len(rows)), rows[:, k]) for k in range(2))
    if not tall:
        up, size = gaussian_filter1d(up, 1.0, mode="nearest"), gaussian_filter1d(size, 1.0, mode="nearest")
        size[-1] = 0
    grid = middle + (ring - middle)[None] * size[:, None, None]
    grid[..., 1] = ring[:, 1] * (1 - up[:, None]) + up[:, None] * (middle[1] + height)
    if not tall:  # pinched in front, a crease from front to back
        side = np.abs(np.sin(turn))
        pinch = np.exp(-(((np.abs(turn - np.pi) - (np.pi - 0.62)) / 0.32) ** 2)) * step(0.35, 0.85, up)[:, None]
        grid[..., 0] *= 1 - 0.20 * pinch
        grid[..., 2] -= 0.006 * pinch
        grid[..., 1] -= 0.012 * step(0.9, 0.3, size)[:, None] * (1 - side) ** 2 * step(0.6, 0.95, up)[:, None]
    inner = middle + (grid - middle) * 0.965 - [0, 0.002, 0]
    inner[0] = ring + (middle - ring) * 0.02
    shapes = [outside(slab(grid, inner, (0, 0, 1, 0.5), PLAIN, closed=True))]
    outward = unit((ring - middle) * [1, 0, 1])
    belt = np.concatenate([grid[:1], grid[:4], grid[3:4]])
    edge = np.array([0.0002, 0.0016, 0.0020, 0.0020, 0.0016, 0.0002])
    ribbon = belt + outward[None] * edge[:, None, None]
    shapes.append(sheet(ribbon, DARK, closed=True))
    width = 0.045 if tall else 0.058
    flat = []
    for t in np.linspace(0, 1, 8):
        side = np.abs(np.sin(turn))
        curl = (0.024 if tall else 0.010) * side**2 * t**2 + (
            0.004 - 0.010 * (np.cos(turn) > 0) * np.cos(turn) ** 2
        ) * t**1.5
        flat.append(
            ring
            + outward * (t * width * (1 - (0.25 if tall else 0.12) * side**2))[:, None]
            + np.stack([0 * turn, curl, 0 * turn], 1)
        )
    top = np.stack(flat[::-1]) + np.array([0, 0.0014, 0])
    shapes.append(outside(slab(top, top - [0, 0.003, 0], (0, 0.52, 1, 0.72), PLAIN, closed=True)))
    return shapes


def _ring(shape: Shape) -> Shape:
    """A closed tube whose ends are one, so that no seam is lit."""
    _, first, one = np.unique(np.round(shape.vertices, 6), axis=0, return_index=True, return_inverse=True)
    return Shape(shape.vertices[first], one.ravel()[shape.faces], shape.uvs)


def _smooth(path: Float[ndarray, "n 3"], count: int, sigma: float) -> Float[ndarray, "m 3"]:
    """So many points along a path, its corners rounded."""
    fine = np.linspace(0, len(path) - 1, count)
    line = np.stack([np.interp(fine, np.arange(len(path)), path[:, k]) for k in range(3)], 1)
    return gaussian_filter1d(line, sigma, axis=0, mode="nearest")


def _on_head(shapes: list[Shape]) -> Thing:
    person = mean_person()
    shape = join(*(outside(each) for each in shapes))
    anchors = _skull()[::2]
    at = person.vertices[anchors].astype(np.float64)
    carry = carrier(shape.vertices, at, 0.035, 0.9)
    fitted = Fitted(shape, anchors, carry, *rigid_weights(person.body, "head", len(shape.vertices)))
    offset = shape.vertices - HEAD
    above = np.linalg.norm(offset, axis=1) - _radius(unit(offset))
    return Thing(fitted, above=above.astype(np.float32), middle=carrier(HEAD[None], at, 0.035, 0.0)[0])


def _snug(person: Person, thing: Thing, vertices: Float[ndarray, "v 3"]) -> Float[ndarray, "v 3"]:
    """A hat whose rim and band lie as far off this head as off the mean adult's; crown, peak and brim follow."""
    assert thing.above is not None and thing.middle is not None and isinstance(thing.fitted, Fitted)
    middle = thing.middle @ person.vertices[thing.fitted.anchors]
    offset = vertices - middle
    length = np.linalg.norm(offset, axis=1)
    towards = offset / length[:, None]
    scalp = _radius(towards, person.vertices[_skull()] - middle)
    size = float(scalp.mean() / _radius(towards[::16]).mean())
    wanted = scalp + thing.above * min(size, 1.25)
    share = 1 - step(0.012, 0.03, thing.above)
    _, near = cKDTree(vertices).query(vertices, k=16)
    shift = (share * (wanted - length))[near].mean(1)
    return (vertices + towards * shift[:, None]).astype(np.float32)


@cache
def _glasses_see() -> tuple[ndarray, ndarray, ndarray, ndarray]:
    """Body vertices that glasses go by: the face's front, both sides of the head without ears, eyes and lashes."""
    person = mean_person()
    body = person.body
    stop = body.parts["body"].stop
    v, normal = person.vertices, vertex_normals(person.vertices, body.parts["body"].faces)
    main = body.skin_joints[np.arange(len(v)), body.skin_weights.argmax(1)]
    eyes = np.isin(main, [body.joint_names.index(f"eye.{side}") for side in "LR"])
    skin = np.zeros(len(v), bool)
    skin[np.unique(body.parts["body"].faces[skin_faces(body)])] = True
    skin &= ~eyes
    front = skin & (v[:, 2] > 0.085) & (v[:, 1] > 1.672) & (v[:, 1] < 1.785) & (normal[:, 2] > 0.12)
    side = skin & (v[:, 2] > 0.0) & (v[:, 2] < 0.15) & (v[:, 1] > 1.69) & (v[:, 1] < 1.775) & (np.abs(v[:, 0]) > 0.045)
    side &= normal[:, 0] * np.sign(v[:, 0]) > 0.25
    side[_ears()] = False
    lashes = np.concatenate([np.arange(p.start, p.stop) for name, p in body.parts.items() if "lashes" in name])
    inside = np.flatnonzero(eyes[:stop] & (v[:stop, 2] > 0.12))
    return np.flatnonzero(front), np.flatnonzero(side), inside, lashes


_EAR = np.array([[0.0782, 1.7272, 0.0510], [0.0795, 1.7205, 0.0375], [0.0772, 1.7060, 0.0290]])
"""Where a temple lies on the left ear's root and behind it, on the mean adult."""


@cache
def _ear_anchors() -> tuple[Int[ndarray, "2 3 k"], Float[ndarray, "2 3 3"]]:
    """Skin vertices about ``_EAR`` on both sides, and how far off their middle each place is."""
    person = mean_person()
    v = person.vertices[: person.body.parts["body"].stop]
    places = np.stack([_EAR, _EAR * [-1, 1, 1]])
    _, near = cKDTree(v).query(places, k=8)
    return near, places - v[near].mean(2)


def _glasses(person: Person, kind: str, variant: int) -> Shape:
    """Two rims before the eyes, a bridge with pads on the nose, temples along the head to the ears and over them.

    The front keeps its form and takes its size from the eyes; dark lenses for sunglasses.
    """
    low = person.detail == "low"
    sun = kind == "sunglasses"
    mean = mean_person()
    front, side, inner, lashes = _glasses_see()
    v = person.vertices.astype(np.float64)
    eyes = np.stack([person.joint(f"eye.{each}") for each in "LR"]).astype(np.float64)
    middle = eyes.mean(0)
    apart = (eyes[0, 0] - eyes[1, 0]) / (mean.joint("eye.L")[0] - mean.joint("eye.R")[0])
    opening = np.ptp(v[lashes][v[lashes, 0] > middle[0], 0]) / np.ptp(
        mean.vertices[lashes][mean.vertices[lashes, 0] > 0, 0]
    )
    size = float(np.clip(0.9 * opening, apart, 1.3 * apart))
    wide, high, power = (0.0225, 0.0195, 2.1) if variant == 0 else (0.0238, 0.0170, 4.0)
    if sun:
        wide, high = wide * 1.06, high * 1.12
    wide, high = wide * size, high * size
    thick = (0.0014 if variant == 0 and not sun else 0.0023) * size
    centre = max(0.033 * apart, wide + 0.0065 * apart)
    count, sides = (16, 4) if low else (40, 8)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)

    def bowed(x: ndarray | float, y: ndarray | float) -> ndarray | float:
        """Depth of the front's gently bowed and tilted surface."""
        return -1.6 / size * x**2 + 0.10 * (y + 0.004 * size)

    def face(x: ndarray | float, y: ndarray | float) -> ndarray:
        """Points of the front, from places beside and above the middle of the eyes."""
        return np.stack([middle[0] + x, middle[1] + y, ahead + bowed(x, y)], -1)

    # As near as eyes, lashes, brows and cheeks let it: 13 mm before the eye, the rims free of the skin.
    local = v - middle
    sink = -0.0043 * size
    x, y = np.abs(local[front, 0]), local[front, 1] - sink
    below = (x > centre - wide - thick) & (x < centre + wide + thick) & (np.abs(y) < high + thick)
    skin = front[below]
    reach = [
        v[inner, 2] + 0.013 * size - bowed(local[inner, 0], local[inner, 1]),
        v[lashes, 2] + 0.0025 * size - bowed(local[lashes, 0], local[lashes, 1]),
        v[skin, 2] + thick + 0.0008 - bowed(local[skin, 0], local[skin, 1]),
    ]
    ahead = float(max(each.max() for each in reach if len(each)))
    nose = LinearNDInterpolator(v[front, :2] - middle[:2], v[front, 2])
    frame: list[Shape] = []
    c, s = np.cos(turn), np.sin(turn)
    rim_x, rim_y = np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)
    rim_x, rim_y = wide * rim_x, high * rim_y * (1 + 0.06 * rim_x)
    near, offset = _ear_anchors()
    places = v[near].mean(2) + offset * apart
    for k, sign in enumerate((1, -1)):
        path = face(sign * (centre + rim_x), sink + rim_y)[::sign]
        look = unit(np.stack([3.2 / size * (path[:, 0] - middle[0]), -0.1 + 0 * turn, 1 + 0 * turn], 1))
        frame.append(tube(path, thick, PLAIN, sides, closed=True, flat=1.2, up=look))
        if sun:
            shrink = np.linspace(1, 0, 5)[:, None]
            lens = face(sign * (centre + rim_x * shrink), sink + rim_y * shrink)
            lens[..., 2] += 0.003 * size * (1 - shrink**2)
            shape = sheet(lens, (0.27, 0.78, 0.48, 0.98), closed=True)
            look = vertex_normals(shape.vertices, shape.faces)[:, 2].mean()
            glass = shape if look > 0 else Shape(shape.vertices, shape.faces[:, ::-1], shape.uvs[:, ::-1])
            back = Shape(glass.vertices - [0, 0, 0.0008], glass.faces[:, ::-1], glass.uvs[:, ::-1])
            frame += [glass, back]
        # A pad on the nose's side, where it is some millimetres behind the rim.
        down = sink - 0.38 * high
        across = np.linspace(0.0055, 0.011, 24) * size
        depth = nose(sign * across, np.full(24, down))
        depth = np.where(np.isfinite(depth), depth, middle[2])
        inward = ahead + bowed(across, down) - depth
        at = int(np.abs(inward - 0.0045 * size).argmin())
        slope = np.gradient(depth, across)[at]
        out = unit(np.array([-sign * slope, 0, 1.0]))
        pad = np.array([middle[0] + sign * across[at], middle[1] + down, depth[at]]) + out * 0.0012 * size
        flat = _ball(np.zeros(3), np.array([0.0014, 0.0042, 0.0027]) * size, METAL if not sun else PLAIN, 8)
        turned = np.stack([out, [0, 1, 0], np.cross(out, [0, 1, 0])])
        frame.append(outside(replace(flat, vertices=flat.vertices @ turned + pad)))
        edge = int(np.abs(np.stack([rim_x + wide, rim_y - (down - sink) * 0.5], 1)).sum(1).argmin())
        held = face(sign * (centre + rim_x[edge]), sink + rim_y[edge])
        bent = (held + pad) / 2 - [0, 0, 0.002 * size]
        arm = _smooth(np.stack([held, bent, pad]), 6, 0.6)
        frame.append(tube(np.concatenate([held[None], arm, pad[None]]), 0.45 * thick + 0.0002, PLAIN, sides))
        hinge = face(np.array(sign * (centre + wide)), np.array(sink + 0.38 * high))
        frame.append(_temple(hinge, places[k], v[side[local[side, 0] * sign > 0]], sign, thick, low))
    arc = np.linspace(-1, 1, 9)
    up = sink + 0.30 * high + 0.16 * high * (1 - arc**2)
    bridge = face(arc * (centre - wide + 0.5 * thick), up)
    ridge = nose(bridge[:, 0] - middle[0], bridge[:, 1] - middle[1]) + 1.1 * thick
    behind = bridge[:, 2] - 0.005 * size * (1 - arc**2)
    bridge[:, 2] = np.fmax(behind, np.where(arc**2 < 0.9, ridge, -1))
    frame.append(tube(bridge, thick * 1.05, PLAIN, sides))
    return join(*frame)


def _temple(
    hinge: Float[ndarray, "3"],
    ear: Float[ndarray, "3 3"],
    head: Float[ndarray, "n 3"],
    sign: int,
    thick: float,
    low: bool,
) -> Shape:
    """From the front along the side of the head, taut, to the root of the ear and down behind it.

    Args:
        hinge: Where it leaves the front.
        ear: On top of the ear's root, and two places behind.
        head: Points of the head's side.
        sign: +1 on the left.
    """
    share = np.linspace(0, 1, 24)
    line = hinge + (ear[0] - hinge) * share[:, None]
    width = LinearNDInterpolator(head[:, [2, 1]], head[:, 0] * sign)(line[:, [2, 1]])
    free = np.where(np.isfinite(width), width + thick + 0.0008, -1.0)
    free[0], free[-1] = hinge[0] * sign, ear[0, 0] * sign
    hull = [0]
    for i in range(1, len(share)):  # a taut string round what stands out
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (free[b] - free[a]) * (i - a) > (free[i] - free[a]) * (b - a):
                break
            hull.pop()
        hull.append(i)
    line[:, 0] = sign * np.interp(np.arange(len(share)), hull, free[hull])
    line[:, 0] = np.where(
        (share > 0.05) & (share < 0.95), gaussian_filter1d(line[:, 0], 1.0, mode="nearest"), line[:, 0]
    )
    over = _smooth(np.concatenate([line[-2:], ear[1:]]), 10, 0.9)[1:]
    path = np.concatenate([line[:-1], over])
    path = path[::4] if low else path
    return tube(path, thick * 0.95, PLAIN, 4 if low else 8, flat=1.5, up=np.tile([0, 1.0, 0], (len(path), 1)))


# ------------------------------------------------------------------------------------------------- on the torso


@cache
def _suit() -> tuple[Surface, ndarray]:
    """The helper suit's torso and neck as a surface, and its vertices."""
    person = mean_person()
    part = person.body.parts["tights"]
    v = person.vertices.astype(np.float64)
    torso = (np.abs(v[:, 0]) < 0.24) & (v[:, 1] > 0.5)
    faces = part.faces[torso[part.faces].all(1)]
    return surface(v, faces), np.unique(faces)


def _wrapped(
    origins: Float[ndarray, "*n 3"], directions: Float[ndarray, "*n 3"], reach: float = 0.30
) -> tuple[ndarray, ndarray]:
    """The outermost points of the suit along rays, and its normals there."""
    suit, _ = _suit()
    shape = directions.shape
    o, d = np.broadcast_to(origins, shape).reshape(-1, 3), directions.reshape(-1, 3)
    t = np.linspace(reach, 0, 60)
    points = (o[:, None] + d[:, None] * t[None, :, None]).reshape(-1, 3)
    close, normal = suit.nearest(points)
    outside = np.einsum("nd,nd->n", points - close, normal).reshape(len(o), -1) > 0
    first = np.where(outside.all(1), len(t) - 1, (~outside).argmax(1))
    found = o + d * t[first][:, None]
    close, normal = suit.nearest(found)
    return close.reshape(shape), normal.reshape(shape)


def _on_torso(shapes: list[Shape], rows: list[int | ndarray], legs: bool = False, close: tuple[int, ...] = ()) -> Thing:
    """A thing that follows the suit and stands out from it by what is worn below.

    Args:
        rows: Of each shape: the rows of its vertices as hanging cloth, or -1.
        legs: It lies across both thighs.
        close: Which shapes lie under a collar, not on it.
    """
    person = mean_person()
    shape = join(*shapes)
    suit, anchors = _suit()
    _, normals = suit.nearest(shape.vertices)
    normals = unit(normals * [1, 0.35, 1])
    parts = np.repeat(np.arange(len(shapes)), [len(each.vertices) for each in shapes])
    normals[np.isin(parts, close)] *= 0.1
    if legs:  # a front goes straight out; what lies on the shoulders, off them
        upper = step(1.40, 1.45, shape.vertices[:, 1])[:, None]
        normals = unit(normals * upper + unit(shape.vertices * [1, 0, 1]) * (1 - upper))
    v = person.vertices.astype(np.float64)
    carry = carrier(shape.vertices, v[anchors], 0.025)
    dense = dense_weights(person.body, shape.vertices, anchors, v)
    names = person.body.joint_names
    arms = [i for i, name in enumerate(names) if "arm" in name or "shoulder" in name]
    spine = names.index("spine01")
    dense[:, spine] += dense[:, arms].sum(1)
    dense[:, arms] = 0
    if legs:  # a cloth across both thighs goes half with each
        low = 1 - step(0.86, 1.02, shape.vertices[:, 1])
        left = step(-0.16, 0.16, shape.vertices[:, 0])
        spread = np.zeros_like(dense)
        spread[:, names.index("upperleg01.L")] = 0.65 * left
        spread[:, names.index("upperleg01.R")] = 0.65 * (1 - left)
        spread[:, names.index("root")] = 0.35
        dense = dense * (1 - low)[:, None] + spread * low[:, None]
    dense /= dense.sum(1, keepdims=True)
    ids = np.concatenate(
        [np.full(len(s.vertices), r) if np.isscalar(r) else r for s, r in zip(shapes, rows, strict=True)]
    )
    hanging = ids.astype(np.int64) if ids.max() >= 0 else None
    return Thing(Fitted(shape, anchors, carry, *four(dense)), normals.astype(np.float32), hanging)


def _slab_rows(count: int, columns: int) -> Int[ndarray, "v"]:
    """The row, from above, of each vertex of a ``slab`` whose first row is the lowest."""
    rows = np.arange(count)[::-1]
    sides = np.tile(rows, 3)
    return np.concatenate([np.repeat(rows, columns)] * 2 + [np.repeat([count - 1, 0], 3 * columns), sides, sides])


def _neck_ring(turn: Float[ndarray, "n"], back: float, front: float, out: float) -> Float[ndarray, "n 3"]:
    """A tilted loop round the neck."""
    y = (back + front) / 2 + (front - back) / 2 * np.cos(turn)
    middle = np.stack([0 * turn, y, 0.028 + 0.02 * np.cos(turn)], 1)
    point, normal = _wrapped(middle, np.stack([np.sin(turn), 0 * turn, np.cos(turn)], 1), 0.13)
    ring = point + unit(normal * [1, 0.3, 1]) * out
    return gaussian_filter1d(ring, 1.5, axis=0, mode="wrap")


def _draped_ring(turn: Float[ndarray, "n"], back: float, front: float, out: float) -> Float[ndarray, "n 3"]:
    """A tilted loop that lies on neck and shoulders no wider than cloth wound about the neck."""
    y = (back + front) / 2 + (front - back) / 2 * np.cos(turn)
    ring = np.stack([(0.062 + out) * np.sin(turn), y, 0.022 + (0.054 + out) * np.cos(turn)], 1)
    for _ in range(4):
        close, normal = _suit()[0].nearest(ring)
        depth = np.einsum("nd,nd->n", ring - close, normal)
        ring = ring + normal * (out - depth)[:, None] * np.where(depth < out, 1.0, 0.35)[:, None]
        ring = gaussian_filter1d(ring, 2.0, axis=0, mode="wrap")
    return ring


def _strip(
    centre: Float[ndarray, "r 3"],
    half: Float[ndarray, "r"],
    columns: int,
    thick: float,
    out: float,
    box: Box,
    bulge: float = 0.0,
) -> tuple[Shape, ndarray]:
    """A hanging strip laid on the front of the suit, and the row of each of its vertices."""
    across = np.linspace(-1, 1, columns)
    points = centre[:, None] + half[:, None, None] * across[None, :, None] * np.array([1.0, 0, 0])
    origin = points * [1, 1, 0]
    surface_, _ = _wrapped(origin, np.tile([0.0, 0.0, 1.0], (*points.shape[:2], 1)), 0.28)
    grid = np.stack([points[..., 0], points[..., 1], surface_[..., 2]], 2)
    grid[..., 2] = gaussian_filter1d(
        gaussian_filter1d(grid[..., 2], 1.5, axis=0, mode="nearest"), 1.0, axis=1, mode="nearest"
    )
    grid[..., 2] += out + bulge * (1 - across**2)
    outer = grid[::-1, :] + [0, 0, thick]
    shape = slab(outer, grid[::-1], (box[0], box[3], box[2], box[1]), PLAIN)
    shape = outside(shape)
    return shape, _slab_rows(len(centre), columns)


def _tie(low: bool, band: bool) -> Thing:
    """A necktie, with its band round the neck where no collar hides it."""
    body, point = (8, 4) if low else (26, 8)
    knotted = 1.553 if band else 1.572  # on a collar's band, not under it
    y = np.concatenate([np.linspace(knotted - 0.008, 1.163, body), np.linspace(1.163, 1.126, point)[1:]])
    t = (y[0] - y) / (y[0] - y[body - 1])
    half = np.where(t <= 1, 0.0135 + 0.0205 * np.minimum(t, 1) ** 0.8, 0.034 * (y - y[-1]) / (y[body - 1] - y[-1]))
    centre = np.stack([0 * y, y, 0 * y], 1)
    strip, ids = _strip(centre, np.maximum(half, 0.0008), 5 if low else 11, 0.0020, 0.0, (0.0, 0.0, 0.14, 0.74), 0.0025)
    x, down = strip.vertices[:, 0], 1.530 - strip.vertices[:, 1]
    strip.vertices[:, 2] -= 0.005 * np.exp(-((x / 0.0045) ** 2) - (down / 0.045) ** 2)
    top = _front(knotted)
    knot = [top + np.array([0, d, 0.006]) for d in (0.011, 0.008, -0.004, -0.018, -0.022)]
    knot_shape = tube(
        np.array(knot),
        np.array([0.012, 0.0185, 0.0165, 0.011, 0.007]),
        (0.2, 0.1, 0.3, 0.16),
        6 if low else 14,
        flat=0.55,
        up=np.tile([0, 0, 1.0], (5, 1)),
    )
    turn = np.linspace(0, 2 * np.pi, 16 if low else 40, endpoint=False)
    ring = _neck_ring(turn, 1.585, 1.551, 0.0)
    collar = tube(ring, 0.010, PLAIN, 6, closed=True, flat=0.2, up=unit((ring - ring.mean(0)) * [1, 0.2, 1]))
    if not band:
        return _on_torso([strip, outside(knot_shape)], [ids, -1])
    return _on_torso([strip, outside(knot_shape), outside(collar)], [ids, -1, -1], close=(2,))


def _front(y: float) -> ndarray:
    """The suit's front at a height."""
    return _wrapped(np.array([[0.0, y, 0.0]]), np.array([[0.0, 0.0, 1.0]]), 0.28)[0][0]


def _bow_tie(low: bool, band: bool) -> Thing:
    """A bow tie, with its band round the neck where no collar hides it."""
    centre = _front(1.556 if band else 1.570) + np.array([0, 0, 0.008])
    shapes = []
    columns = np.linspace(0, 1, 6 if low else 12)
    for sign in (1, -1):
        x = sign * (0.004 + 0.046 * columns)
        tall = 0.007 + 0.018 * step(0.0, 0.85, columns) - 0.003 * step(0.85, 1, columns)
        deep = 0.005 + 0.004 * np.sin(np.pi * columns)
        turn = np.linspace(0, 2 * np.pi, 8 if low else 20, endpoint=False)
        c, s = np.cos(turn), np.sin(turn)
        fold = 1 + 0.18 * np.cos(3 * turn) * (1 - columns[:, None])
        rows = np.stack([
            np.repeat(x[:, None], len(turn), 1), tall[:, None] * np.sign(s) * np.abs(s) ** 0.6,
            deep[:, None] * np.sign(c) * np.abs(c) ** 0.8 * fold,
        ], 2)  # fmt: skip
        rows[..., 2] -= 14 * rows[..., 0] ** 2 * 0.3
        ends = [np.repeat(rows[k].mean(0)[None, None], len(turn), 1) for k in (0, -1)]
        shapes.append(
            outside(sheet(centre + np.concatenate([ends[0], rows, ends[1]]), (0.05, 0.05, 0.14, 0.2), closed=True))
        )
    shapes.append(_ball(centre + np.array([0, 0, 0.002]), np.array([0.008, 0.010, 0.0085]), (0.2, 0.05, 0.25, 0.1), 14))
    turn = np.linspace(0, 2 * np.pi, 16 if low else 40, endpoint=False)
    ring = _neck_ring(turn, 1.585, 1.551, 0.0)
    shapes.append(
        outside(tube(ring, 0.009, PLAIN, 6, closed=True, flat=0.2, up=unit((ring - ring.mean(0)) * [1, 0.2, 1])))
    )
    if not band:
        return _on_torso(shapes[:-1], [-1] * (len(shapes) - 1))
    return _on_torso(shapes, [-1] * len(shapes), close=(len(shapes) - 1,))


def _scarf(low: bool) -> Thing:
    shapes, rows = [], []
    turn = np.pi + np.linspace(0, 2 * np.pi, 20 if low else 72, endpoint=False)  # it joins behind
    rng = np.random.default_rng(5)
    sides = 8 if low else 24
    for loop, (back, front, size, out) in enumerate(((1.585, 1.545, 0.027, 0.012), (1.565, 1.517, 0.030, 0.020))):
        ring = _draped_ring(turn, back, front, out)
        ring[:, 1] += 0.005 * np.sin(turn * 2 + loop)
        up = unit((ring - ring.mean(0)) * [1, 0.4, 1])
        shape = tube(
            ring,
            size * (1 + 0.07 * np.sin(3 * turn + 2 * loop)),
            (0, 0.02 + 0.3 * loop, 1, 0.28 + 0.3 * loop),
            sides,
            closed=True,
            flat=0.72,
            up=up,
        )
        grid = shape.vertices.reshape(-1, sides, 3)
        centre = np.concatenate([ring, ring[:1]])[:, None]
        around, along = np.linspace(0, 2 * np.pi, sides, endpoint=False), np.r_[turn, 3 * np.pi][:, None]
        fold = sum(0.06 * np.sin(k * around + m * along + rng.uniform(0, 6)) for k, m in ((5, 1), (7, -2), (4, 3)))
        grid = centre + (grid - centre) * (1 + np.asarray(fold))[..., None]
        shapes.append(_ring(outside(Shape(grid.reshape(-1, 3), shape.faces, shape.uvs))))
        rows.append(-1)
    count = 10 if low else 28
    for x, bottom, out in ((0.045, 1.19, 0.009), (-0.01, 1.27, 0.002)):
        y = np.linspace(1.535, bottom, count)
        half = 0.036 + 0.018 * step(0, 0.5, np.linspace(0, 1, count))
        centre = np.stack([x + 0.02 * np.linspace(0, 1, count), y, 0 * y], 1)
        strip, ids = _strip(centre, half, 7 if low else 17, 0.006, out, (0.02, 0.02, 0.20, 0.6), 0.004)
        wave = 0.003 * np.sin(strip.vertices[:, 0] * 130 + 4 * strip.vertices[:, 1])
        strip = Shape(strip.vertices + np.stack([0 * wave, 0 * wave, wave], 1), strip.faces, strip.uvs)
        shapes.append(strip)
        rows.append(ids)
        if not low:
            end = strip.vertices[:17][:, None] - [0, 0, 0.003]
            for k in range(17):
                path = end[k, 0] + np.array(
                    [[0, 0.003, 0], [0.001, -0.012, 0.001], [-0.001 + 0.0005 * (k % 3), -0.028 - 0.002 * (k % 2), 0.0]]
                )
                shapes.append(tube(path, 0.0018, (0.02, 0.02, 0.04, 0.05), 5))
                rows.append(np.full(len(shapes[-1].vertices), count - 1))
    thing = _on_torso(shapes, rows)
    assert thing.normals is not None and thing.rows is not None
    # The loops' inner side may sink into a collar.
    return replace(thing, normals=thing.normals * np.where(thing.rows < 0, np.float32(0.7), np.float32(1))[:, None])


def _belt(height: float, low: bool) -> Thing:
    """A strap round the waist with a buckle."""
    count = 28 if low else 88
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    way = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], 1)
    lines = []
    for h in np.linspace(-0.018, 0.018, 4):
        y = height + h + 0.010 * (1 - np.cos(turn)) / 2
        point, _ = _wrapped(np.stack([0 * turn, y, 0.02 + 0 * turn], 1), way)
        lines.append(gaussian_filter1d(point, 1.5, axis=0, mode="wrap"))
    inner = np.stack(lines)
    flat = unit(np.stack([inner[..., 0], 0 * inner[..., 0], inner[..., 2] - 0.02], 2))
    inner = (inner + inner.mean(0) * [1, 0, 1] + inner * [0, 1, 0]) / 2
    strap = slab(inner + flat * 0.0034, inner, (0, 0.05, 1, 0.11), PLAIN, closed=True)
    front = inner[:, 0].mean(0) + np.array([0, 0, 0.0072])
    box = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    c, s = np.cos(box), np.sin(box)
    frame = np.stack(
        [0.025 * np.sign(c) * np.abs(c) ** 0.3, 0.0235 * np.sign(s) * np.abs(s) ** 0.3, -14 * (0.025 * c) ** 2 * 0.2], 1
    )
    shapes = [outside(strap), outside(tube(front + frame, 0.0028, METAL, 8, closed=True))]
    prong = front + np.array([[-0.024, 0, 0.001], [0.0, 0.0, 0.003], [0.026, 0.0, 0.002]])
    shapes.append(tube(prong, 0.0018, METAL, 6))
    loop = int(count * 0.07)
    keeper = inner[:, loop]
    around = np.concatenate([keeper + flat[:, loop] * 0.0065, keeper[::-1] - [0, 0, 0.001]])
    shapes.append(
        tube(
            around, 0.004, (0.1, 0.05, 0.2, 0.1), 6, closed=True, flat=0.35, up=np.tile(flat[0, loop], (len(around), 1))
        )
    )
    marks = np.repeat([2] + [1] * (len(shapes) - 1), [len(shape.vertices) for shape in shapes])
    return replace(_on_torso(shapes, [-1] * len(shapes)), tight=marks)


BELT = (1.095, 1.118)
"""The middle of the waistband of trousers and of skirts, on the mean adult."""


TIED = 1.11
"""Where an apron is tied."""


def _apron(low: bool) -> Thing:
    """A bib and a front from waist to above the knees, with straps."""
    across = 11 if low else 31
    count = 16 if low else 44
    y = np.linspace(1.40, 0.64, count)
    reach = np.interp(y, [0.64, 1.02, 1.12, 1.2, 1.40], [1.25, 1.28, 1.15, 0.72, 0.52])
    reach = gaussian_filter1d(reach, 1.5, mode="nearest")
    turn = reach[:, None] * np.linspace(-1, 1, across)[None]
    way = np.stack([np.sin(turn), 0 * turn, np.cos(turn)], 2)
    middle = np.zeros_like(way)
    middle[..., 1], middle[..., 2] = np.maximum(y, 0.97)[:, None], 0.0
    point, _ = _wrapped(middle, way)
    point[..., 1] = y[:, None]
    radius = gaussian_filter1d(np.hypot(point[..., 0], point[..., 2]), 1.5, axis=1, mode="nearest")
    drop = np.clip(0.97 - y, 0, None)[:, None]
    radius = gaussian_filter1d(radius, 1.5, axis=0, mode="nearest") + 0.08 * drop
    radius += 0.012 * np.cos(turn * 7) * np.clip(drop / 0.33, 0, 1)
    point[..., 0], point[..., 2] = radius * np.sin(turn), radius * np.cos(turn)
    flat = way
    inner, outer = point[::-1], (point + flat * 0.0025)[::-1]
    panel = outside(slab(outer, inner, (0.02, 0.74, 0.9, 0.02), PLAIN))
    shapes = [panel]
    ids: list[int | ndarray] = [_slab_rows(count, across)]
    loop = np.linspace(
        reach[np.argmin(np.abs(y - TIED))], 2 * np.pi - reach[np.argmin(np.abs(y - TIED))], 14 if low else 40
    )
    around = np.stack([0 * loop, TIED + 0 * loop, 0 * loop], 1)
    ring, _ = _wrapped(around, np.stack([np.sin(loop), 0 * loop, np.cos(loop)], 1))
    out = unit(ring * [1, 0, 1])
    shapes.append(outside(tube(ring + out * 0.002, 0.012, (0, 0.1, 0.9, 0.14), 6, flat=0.18, up=out)))
    ids.append(-1)
    knot = ring[len(ring) // 2] - [0, 0, 0.004]
    back = np.tile([0, 0, -1.0], (7, 1))
    shapes.append(_ball(knot, np.array([0.012, 0.011, 0.007]), PLAIN, 10))
    for sign in (1, -1):
        bow = np.array(
            [[0, 0], [0.03, 0.016], [0.058, 0.012], [0.066, -0.008], [0.052, -0.022], [0.025, -0.014], [0, 0]]
        )
        end = np.array(
            [[0, 0], [0.006, -0.02], [0.012, -0.045], [0.02, -0.075], [0.024, -0.1], [0.03, -0.13], [0.032, -0.16]]
        )
        for path in (bow, end[:, :] * [1, 1 if sign > 0 else 0.85]):
            line = knot + np.stack([sign * path[:, 0], path[:, 1], -0.004 * np.sin(np.linspace(0, np.pi, 7))], 1)
            shapes.append(outside(tube(line, 0.0105, (0, 0.2, 0.3, 0.24), 6, flat=0.16, up=back)))
    ids += [-1] * 5
    path = np.array([[0.062, 1.365, 0], [0.082, 1.45, 0], [0.085, 1.50, 0], [0.082, 1.54, 0]])
    front, out = _wrapped(path, np.tile([0.0, 0.0, 1.0], (4, 1)), 0.28)
    nape = np.array([[0.078, 1.60, 0.02], [0.064, 1.595, -0.03], [0.034, 1.575, -0.07], [0.0, 1.570, -0.09]])
    behind, away = _suit()[0].nearest(nape)
    half, normals = np.concatenate([front, behind]), np.concatenate([out, away])
    half = half + normals * 0.003
    mirror = np.array([-1.0, 1.0, 1.0])
    half[-1, 0] = normals[-1, 0] = 0
    line, normals = (_smooth(np.concatenate([a, a[-2::-1] * mirror]), 24 if low else 60, 2.0) for a in (half, normals))
    shapes.append(outside(tube(line, 0.011, (0, 0.2, 1.0, 0.24), 6, flat=0.18, up=unit(normals))))
    ids.append(-1)
    marks = np.repeat([0, 2, 1, 1, 0, 1, 0, 0], [len(shape.vertices) for shape in shapes])
    return replace(_on_torso(shapes, ids, legs=True), tight=marks)


def _gloves() -> Thing:
    """The hands' own skin, swollen, with a cuff beyond the wrist."""
    person = mean_person()
    part = person.body.parts["body"]
    v = person.vertices[: part.stop].astype(np.float64)
    inside = np.zeros(part.stop, bool)
    for side in "LR":
        wrist, elbow = person.joint(f"wrist.{side}"), person.joint(f"lowerarm01.{side}")
        axis = unit((wrist - elbow).astype(np.float64))
        inside |= ((v - wrist) @ axis > -0.045) & (np.linalg.norm(v - wrist, axis=1) < 0.26)
    faces = part.faces[inside[part.faces].all(1)]
    used, inverse = np.unique(faces, return_inverse=True)
    triangles = inverse.reshape(-1, 3)
    normals = vertex_normals(v[used], triangles)
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    pairs, seen = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(pairs[seen == 1])
    graph = np.concatenate([pairs, pairs[:, ::-1]])
    degree = np.bincount(graph[:, 0], minlength=len(used))[:, None]

    def mean(x: ndarray) -> ndarray:
        return np.stack([np.bincount(graph[:, 0], x[graph[:, 1], k], len(used)) for k in range(3)], 1) / degree

    points = v[used]
    smooth = points.copy()
    for _ in range(3):
        smooth += 0.5 * (mean(smooth) - smooth)
    for _ in range(4):
        normals = unit(normals + mean(normals))
    swollen = (
        points
        + np.clip(np.einsum("nd,nd->n", smooth - points, normals), 0, 0.002)[:, None] * normals
        + normals * 0.0024
    )
    distance = cKDTree(points[rim]).query(points)[0]
    cuff = 1 - step(0.0, 0.03, distance)
    swollen += normals * (0.003 * cuff)[:, None]
    edge = points[rim] + normals[rim] * 0.0005
    uv = np.stack([(v[..., 0] * 0.9) / WIDTH % 1.0, 0.75 * ((v[..., 2]) / 0.45 % 1.0)], -1)[faces]
    number = {int(r): len(used) + i for i, r in enumerate(rim)}
    border = pairs[seen == 1]
    direction = {(int(a), int(b)) for t in triangles for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    border = np.array([(a, b) if (int(a), int(b)) in direction else (b, a) for a, b in border])
    inner = np.array([[number[int(a)], number[int(b)]] for a, b in border])
    fold = np.concatenate(
        [np.stack([border[:, 1], border[:, 0], inner[:, 0]], 1), np.stack([border[:, 1], inner[:, 0], inner[:, 1]], 1)]
    )
    plain = np.full((len(fold), 3, 2), [(PLAIN[0] + PLAIN[2]) / 2, (PLAIN[1] + PLAIN[3]) / 2])
    shape = Shape(np.concatenate([swollen, edge]), np.concatenate([triangles, fold]), np.concatenate([uv, plain]))
    every = np.concatenate([used, used[rim]])
    deep = np.zeros(part.stop, bool)
    deep[used[distance > 0.012]] = True
    body = person.body
    offset = shape.vertices - v[every]
    # Each vertex goes with its own place on the skin, so a plain sum of skin and offset carries it.
    return Thing(
        Skin(
            shape,
            every,
            offset.astype(np.float32),
            body.skin_weights[every],
            body.skin_joints[every],
            np.asarray(deep[part.faces].all(1)),
        )
    )


@dataclass(frozen=True, eq=False)
class Skin:
    """A shape that lies on the skin vertex by vertex."""

    shape: Shape
    anchors: Int[ndarray, "v"]
    offset: Float[ndarray, "v 3"]
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    hides: ndarray

    def on(self, person: Person) -> Float[ndarray, "v 3"]:
        return person.vertices[self.anchors] + self.offset


# ------------------------------------------------------------------------------------------------- materials

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
