"""Hats, helmets and headbands around the mean adult's skull, and the hair under them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import (
    binary_closing,
    binary_erosion,
    gaussian_filter1d,
    map_coordinates,
    maximum_filter,
    minimum_filter,
)
from scipy.spatial import cKDTree

from bozzetto.figure.fitted import (
    Box,
    Fitted,
    Shape,
    carrier,
    join,
    mean_person,
    outside,
    rigid_weights,
    sheet,
    slab,
    step,
    unit,
)
from bozzetto.figure.piece import Person, Piece
from bozzetto.figure.spec import FigureSpec
from bozzetto.figure.wear import CLOTH, DARK, METAL, PLAIN, Thing, ball, ears

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
    room = minimum_filter(np.maximum(nearest - scalp, 0.003), 3, mode=("nearest", "wrap")) - (0.0005 if band else 0.002)
    for _ in range(8 if band else 14):
        room = np.minimum(room, minimum_filter(room, 3, mode=("nearest", "wrap")) + (0.005 if band else 0.0025))
    at, radius = _directions(person.vertices[ears()] - middle)
    lobes = np.zeros_like(scalp)
    np.maximum.at(lobes, tuple((at + 0.5).astype(int) % [[_ROWS], [_COLUMNS]]), radius)
    lobes = maximum_filter(lobes, 3, mode=("nearest", "wrap"))
    room = np.where(nearest < 9, room, np.maximum(room, lobes - scalp + 0.003))
    at, radius = _directions(hair.vertices - middle)
    inside = tuple((at + 0.5).astype(int) % [[_ROWS], [_COLUMNS]])
    beyond = radius - nearest[inside]
    brim = (nearest - scalp)[inside] > 0.035  # seen from below: hair goes on up to the crown
    gone = covered[inside] & (beyond > np.where(brim, -0.003, -0.025)) & (beyond < 0.05)
    over = np.clip(radius - map_coordinates(scalp + room, at, order=1, mode="grid-wrap"), 0, None)
    over *= step(0.06, 0.02, over)  # what hangs or stands far off is not held by a rim
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


@cache
def _skull() -> ndarray:
    """Body vertices of head without ears, from the brows up and behind."""
    person = mean_person()
    stop = person.body.parts["body"].stop
    head = person.body.joint_names.index("head")
    weight = (person.body.skin_weights[:stop] * (person.body.skin_joints[:stop] == head)).sum(1)
    v = person.vertices[:stop]
    inside = (weight > 0.8) & ((v[:, 1] > 1.742) | ((v[:, 2] < 0.03) & (v[:, 1] > 1.69)))
    inside[ears()] = False
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


def hat(kind: str, low: bool) -> Thing:
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
        return _on_head([band(-0.016, 0.018, 1.786, 1.742, 0.003, 0.0026, (0, 0, 1, 0.09))])
    if kind == "cap":
        direction, radius, up = _dome(turn, rows, 1.774, 1.708)
        before = (0.5 + 0.5 * np.cos(turn)) ** 1.5
        lift = 0.0042 + 0.0053 * step(0, 0.3, up)[:, None] - 0.0005 * before
        lift = lift + 0.011 * (np.abs(np.sin(np.pi * up**1.1)) ** 1.3)[:, None] * before
        shapes.append(shell(direction, radius + lift - 0.0016, radius + lift))
        shapes += [_visor(low), _button(HEAD + np.array([0, radius[-1, 0] + 0.0095, 0]))]
    elif kind == "beanie":
        direction, radius, up = _dome(turn, rows, 1.770, 1.700)
        slack = (1 + np.sin(turn * 3 + 1)) * (up * (1 - up) * 4)[:, None]  # never nearer than the rest: skin would show
        lift = 0.0065 + 0.0145 * step(0.15, 1.0, up)[:, None] + 0.0035 * slack
        shapes.append(shell(direction, radius + lift - 0.004, radius + lift, (0, 0, 1, 0.6)))
        shapes.append(band(-0.004, 0.046, 1.770, 1.700, 0.0015, 0.0070, (0, 0.62, 1, 0.74)))
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
                shapes.append(ball(spot, np.full(3, 0.0032), METAL, 8))
    else:
        shapes += _blocked_hat(kind, turn)
    return _on_head(shapes)


def _button(centre: ndarray) -> Shape:
    return ball(centre, np.array([0.0095, 0.0055, 0.0095]), PLAIN)


def _visor(low: bool) -> Shape:
    """A cap's peak."""
    turn = np.linspace(-1.12, 1.12, 11 if low else 33)
    rim = _rim(turn, 1.777, 1.711)
    start = HEAD + rim * (_radius(rim) + 0.0030)[:, None]
    reach = np.cos(turn / 1.12 * np.pi / 2) ** 0.7
    rows = []
    for t in np.linspace(0, 1, 7):
        out = t * reach[:, None] * np.stack([np.sin(turn) * 0.022, 0 * turn, 0.074 + 0 * turn], 1)
        drop = t * reach * (0.010 + 0.018 * (turn / 1.12) ** 2) + 0.003 * t**2
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
    tilt = (ring[:, 1] - middle[1]) * np.minimum(size, 1)[:, None]  # none at the very top, which is one point
    grid[..., 1] = middle[1] + tilt * (1 - up[:, None]) + up[:, None] * height
    if not tall:  # pinched in front, a crease from front to back
        pinch = np.exp(-(((np.abs(turn - np.pi) - (np.pi - 0.62)) / 0.32) ** 2)) * step(0.35, 0.85, up)[:, None]
        pinch *= step(0.1, 0.5, size)[:, None]
        crease = np.exp(-(((grid[..., 0] - middle[0]) / 0.026) ** 2)) * step(0.9, 0.3, size)[:, None]
        grid[..., 0] *= 1 - 0.20 * pinch
        grid[..., 2] -= 0.006 * pinch
        grid[..., 1] -= 0.012 * crease * step(0.6, 0.95, up)[:, None]
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
    flat.insert(0, ring - outward * 0.0045)  # a sweatband: no light between hat and head
    top = np.stack(flat[::-1]) + np.array([0, 0.0014, 0])
    shapes.append(outside(slab(top, top - [0, 0.003, 0], (0, 0.52, 1, 0.72), PLAIN, closed=True)))
    return shapes


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


def snug(person: Person, thing: Thing, vertices: Float[ndarray, "v 3"]) -> Float[ndarray, "v 3"]:
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
