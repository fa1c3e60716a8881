"""What is worn round neck and waist, laid on the helper suit of the mean adult: ties, scarves, belts, aprons."""

from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

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
    outside,
    sheet,
    slab,
    step,
    surface,
    tube,
    unit,
)
from bozzetto.figure.wear import METAL, PLAIN, Thing, ball, rounded


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


def tie(low: bool, band: bool) -> Thing:
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


def bow_tie(low: bool, band: bool) -> Thing:
    """A bow tie, with its band round the neck where no collar hides it."""
    centre = _front(1.556 if band else 1.570) + np.array([0, 0, 0.008])
    shapes = []
    columns = np.linspace(0, 1, 6 if low else 12)
    for sign in (1, -1):
        x = sign * (0.004 + 0.046 * columns)
        tall = 0.007 + 0.018 * step(0.0, 0.85, columns) - 0.003 * step(0.85, 1, columns)
        deep = 0.004 + 0.003 * np.sin(np.pi * columns)
        turn = np.linspace(0, 2 * np.pi, 8 if low else 20, endpoint=False)
        c, s = np.cos(turn), np.sin(turn)
        fold = 1 + 0.18 * np.cos(3 * turn) * (1 - columns[:, None])
        rows = np.stack([
            np.repeat(x[:, None], len(turn), 1), tall[:, None] * np.sign(s) * np.abs(s) ** 0.6,
            deep[:, None] * np.sign(c) * np.abs(c) ** 0.8 * fold,
        ], 2)  # fmt: skip
        rows[..., 2] -= 7 * rows[..., 0] ** 2
        ends = [np.repeat(rows[k].mean(0)[None, None], len(turn), 1) for k in (0, -1)]
        shapes.append(
            outside(sheet(centre + np.concatenate([ends[0], rows, ends[1]]), (0.05, 0.05, 0.14, 0.2), closed=True))
        )
    shapes.append(ball(centre + np.array([0, 0, 0.002]), np.array([0.008, 0.010, 0.0085]), (0.2, 0.05, 0.25, 0.1), 14))
    turn = np.linspace(0, 2 * np.pi, 16 if low else 40, endpoint=False)
    ring = _neck_ring(turn, 1.585, 1.551, 0.0)
    shapes.append(
        outside(tube(ring, 0.009, PLAIN, 6, closed=True, flat=0.2, up=unit((ring - ring.mean(0)) * [1, 0.2, 1])))
    )
    if not band:
        return _on_torso(shapes[:-1], [-1] * (len(shapes) - 1))
    return _on_torso(shapes, [-1] * len(shapes), close=(len(shapes) - 1,))


def _ring(shape: Shape) -> Shape:
    """A closed tube whose ends are one, so that no seam is lit."""
    _, first, one = np.unique(np.round(shape.vertices, 6), axis=0, return_index=True, return_inverse=True)
    return Shape(shape.vertices[first], one.ravel()[shape.faces], shape.uvs)


def scarf(low: bool) -> Thing:
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
    # The loops' inner side may sink into a collar, but not at the nape.
    sunk = 0.7 + 0.4 * step(0.04, -0.02, thing.fitted.shape.vertices[:, 2])
    return replace(thing, normals=thing.normals * np.where(thing.rows < 0, sunk, 1).astype(np.float32)[:, None])


BELT = (1.095, 1.118)
"""The middle of the waistband of trousers and of skirts, on the mean adult."""


def belt(height: float, low: bool) -> Thing:
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
    strap = slab(inner + flat * 0.0026, inner, (0, 0.05, 1, 0.11), PLAIN, closed=True)
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


TIED = 1.11
"""Where an apron is tied."""


def apron(low: bool) -> Thing:
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
    shapes.append(ball(knot, np.array([0.012, 0.011, 0.007]), PLAIN, 10))
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
    line, normals = (rounded(np.concatenate([a, a[-2::-1] * mirror]), 24 if low else 60, 2.0) for a in (half, normals))
    shapes.append(outside(tube(line, 0.011, (0, 0.2, 1.0, 0.24), 6, flat=0.18, up=unit(normals))))
    ids.append(-1)
    marks = np.repeat([0, 2, 1, 1, 0, 1, 0, 0], [len(shape.vertices) for shape in shapes])
    return replace(_on_torso(shapes, ids, legs=True), tight=marks)
