"""Strands: where the body is (a field of distances), how a hair grows around it, and ribbons and tubes along the way.

All lengths are those of an average adult head; ``Frame`` carries them to a person's own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, UInt8
from numpy import ndarray
from scipy import ndimage

from bozzetto.kept import kept
from bozzetto.kernels import fast_kernel
from bozzetto.types import Material

COLUMNS = 16
"""Strand variants in the texture, side by side."""
DENSE = 11
"""The first so many are full locks, the next has no gaps, and the others are a few fine hairs each."""
CAP_ROWS = 0.375
"""The texture's upper part is the under-layer's, unrolled round the crown; the rest holds the strands."""


def cap_row(inside: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Where, from 0 to 1 down the under-layer's texture, a height above the hairline is found: half is its edge's."""
    return np.interp(inside, (-0.016, 0.024, 0.21), (0.999, 0.5, 0.002))


@dataclass(frozen=True, eq=False)
class Frame:
    """Uniform scale and shift between a person and the template, fitted to the head."""

    scale: float
    shift: Float[ndarray, "3"]

    def to_head(self, points: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
        return (points - self.shift) / self.scale

    def to_person(self, points: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
        return (points * self.scale + self.shift).astype(np.float32)


def fit_frame(template: Float[ndarray, "n 3"], points: Float[ndarray, "n 3"]) -> Frame:
    """The frame that carries ``template`` best to ``points``, vertex by vertex."""
    middle, here = template.mean(0), points.mean(0)
    a, b = template - middle, points - here
    scale = float((a * b).sum() / (a * a).sum())
    return Frame(scale, (here - middle * scale).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Surface:
    """Signed distance to oriented points: in each grid corner, the nearest of them, to within a cell."""

    points: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    origin: Float[ndarray, "3"]
    cell: float
    nearest: Int[ndarray, "x y z"]


def surface(
    points: Float[ndarray, "n 3"],
    normals: Float[ndarray, "n 3"],
    low: Float[ndarray, "3"],
    high: Float[ndarray, "3"],
    cell: float,
) -> Surface:
    """The field of points with outward normals inside a box."""
    points, normals = np.ascontiguousarray(points, np.float32), np.ascontiguousarray(normals, np.float32)
    size = np.ceil((high - low) / cell).astype(np.int64) + 1
    place = (points - low) / cell
    corner = np.round(place).astype(np.int64)
    inside = np.flatnonzero(((corner >= 0) & (corner < size)).all(1))
    far = np.square(place - corner)[inside].sum(1)
    order = inside[np.argsort(-far, kind="stable")]  # of several in one cell the nearest is written last
    nearest = np.full(tuple(size), -1, np.int32)
    nearest[tuple(corner[order].T)] = order
    found = ndimage.distance_transform_edt(nearest < 0, return_distances=False, return_indices=True)
    return Surface(points, normals, low.astype(np.float32), cell, nearest[tuple(found)])


@fast_kernel
def _sample(at, place, points, normals, nearest, out):
    """Signed distance and outward direction."""
    for n in range(at.shape[1]):
        x, y, z = at[0, n], at[1, n], at[2, n]
        u, v, w = place[0, n], place[1, n], place[2, n]
        i, j, k = int(u), int(v), int(w)
        u, v, w = u - i, v - j, w - k
        far, nx, ny, nz = 0.0, 0.0, 0.0, 0.0
        for corner in range(8):
            a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
            share = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
            m = nearest[i + a, j + b, k + c]
            px, py, pz = normals[m, 0], normals[m, 1], normals[m, 2]
            far += share * ((x - points[m, 0]) * px + (y - points[m, 1]) * py + (z - points[m, 2]) * pz)
            nx, ny, nz = nx + share * px, ny + share * py, nz + share * pz
        size = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-6
        out[0, n], out[1, n], out[2, n], out[3, n] = far, nx / size, ny / size, nz / size


def _distances(field: Surface, at: Float[ndarray, "3 n"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "3 n"]]:
    end = np.array(field.nearest.shape)[:, None] - 1.001
    place = np.minimum(np.maximum((at - field.origin[:, None]) / field.cell, 0.0), end)
    out = np.empty((4, at.shape[1]))
    _sample(at, place, field.points, field.normals, field.nearest, out)
    return out[0], out[1:]


def distances(field: Surface, at: Float[ndarray, "*n 3"]) -> tuple[Float[ndarray, "*n"], Float[ndarray, "*n 3"]]:
    """Signed distances of points, and the directions away from the surface."""
    far, away = _distances(field, np.ascontiguousarray(at.reshape(-1, 3).T, np.float64))
    return far.reshape(at.shape[:-1]), away.T.reshape(at.shape)


GROWTH: dict[str, float] = {
    "length": 0.05, "lift": 0.4, "gravity": 0.3, "comb": 1.0, "fade": 10.0, "hug": 0.5, "height": 0.006,
    "cut": -9.0, "aimed": 0.0, "turn": 1.0, "drift": 0.0, "veil": 0.0,
    "curl": 0.0, "pitch": 0.06, "phase": 0.0, "clump": 0.0, "leader": -1.0,
    "width": 0.006, "tilt": 0.0, "blunt": 0.0, "column": 0.0, "ceiling": 9.0,
}  # fmt: skip
"""What a strand needs to know, and what is assumed.

length, height, width, curl, pitch, fade: metres. lift: 0 lies along the comb's direction, 1 stands up. gravity,
comb, hug: pulls down, along the comb, back to the height. cut: the y it ends at. aimed: comb's direction is a point
to go to. turn: how fast it obeys. drift: pull towards +z below the chin. veil: 1 keeps it off the face. clump: 0 to 1,
how far the tip joins the leader's. blunt: width kept near the tip. ceiling: above this y it is pressed flat.
"""
_SLOT = {name: i for i, name in enumerate(GROWTH)}


@dataclass(frozen=True, eq=False)
class Strands:
    """Hairs to grow: where, and how. Columns of ``how`` are those of ``GROWTH``."""

    roots: Float[ndarray, "s 3"]
    normals: Float[ndarray, "s 3"]
    combs: Float[ndarray, "s 3"]
    how: Float[ndarray, "s g"]

    def get(self, name: str) -> Float[ndarray, "s"]:
        return self.how[:, _SLOT[name]]


def strands(
    roots: Float[ndarray, "s 3"],
    normals: Float[ndarray, "s 3"],
    combs: Float[ndarray, "s 3"],
    **how: float | Num[ndarray, "s"],
) -> Strands:
    """Strands with ``GROWTH``'s values where not given otherwise."""
    table = np.tile(np.array(list(GROWTH.values()), np.float32), (len(roots), 1))
    for name, value in how.items():
        table[:, _SLOT[name]] = value
    return Strands(roots.astype(np.float32), normals.astype(np.float32), combs.astype(np.float32), table)


def together(*several: Strands) -> Strands:
    """All strands as one set; leaders keep leading their own."""
    tables, start = [], 0
    for each in several:
        table = each.how.copy()
        table[:, _SLOT["leader"]] += np.where(table[:, _SLOT["leader"]] >= 0, start, 0)
        tables.append(table)
        start += len(table)
    return Strands(
        np.concatenate([each.roots for each in several]),
        np.concatenate([each.normals for each in several]),
        np.concatenate([each.combs for each in several]),
        np.concatenate(tables),
    )


@dataclass(frozen=True, eq=False)
class Ears:
    """What strands go around: an upright ellipse seen from either side, and where it begins."""

    middle: Float[ndarray, "2"]
    """y and z."""
    to_circle: Float[ndarray, "2 2"]
    """From an offset in y and z to the unit circle; nothing is in the way where it is infinite."""
    from_x: float

    def at(self, points: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n"]:
        """How far from the middle points are, 1 on the ellipse; 9 for those nearer the head's middle."""
        away = np.linalg.norm((points[..., 1:] - self.middle) @ self.to_circle.T, axis=-1)
        return np.where(np.abs(points[..., 0]) > self.from_x, away, 9.0)


NO_EARS = Ears(np.zeros(2), np.eye(2), 9.0)


def grow(
    field: Surface, seeds: Strands, points: int, step: float = 0.009, ears: Ears = NO_EARS
) -> tuple[Float[ndarray, "s k 3"], Float[ndarray, "s k 3"]]:
    """Centre lines of hairs grown around a surface, and the directions away from it along them.

    Args:
        step: Metres at a time, where hair is long.
        ears: Gone around by what does not grow behind them.
    """
    longest = float(seeds.get("length").max()) if len(seeds.roots) else 0.0
    steps = int(np.clip(longest / step, points, 72))
    lines, away = _dress(seeds, field, _evenly(*_walk(seeds, field, steps, ears), points))
    return lines.astype(np.float32), away.astype(np.float32)


def _unit(vectors: Float[ndarray, "3 *n"]) -> Float[ndarray, "3 *n"]:
    x, y, z = vectors
    return vectors / (np.sqrt(x * x + y * y + z * z) + 1e-6)


def _free_of_face(y: Float[ndarray, "s"], z: Float[ndarray, "s"]) -> Float[ndarray, "s"]:
    """Half the width that hair leaves free in front of the face, here."""
    wide = (0.060 + 0.25 * np.maximum(z - 0.11, 0.0)) * np.minimum((0.712 - y) / 0.028, 1.0)
    return np.where((z < 0.085) | (y > 0.712), 0.0, wide)


def _go_round(ears: Ears, p: Float[ndarray, "3 s"], d: Float[ndarray, "3 s"], step: Float[ndarray, "s"]) -> None:
    """Moves what an ear is in the way of along the ellipse's normal, and on beside it."""
    beside = np.nonzero(np.abs(p[0]) > ears.from_x)[0]
    circle = ears.at(p[:, beside].T)
    s, circle = beside[circle < 1], circle[circle < 1] + 1e-6
    out = ears.to_circle.T @ (ears.to_circle @ (p[1:, s] - ears.middle[:, None]))
    size = np.sqrt((out * out).sum(0)) + 1e-9
    out /= size
    p[1:, s] += np.minimum((1 - circle) * circle / size, 0.9 * step[s]) * out
    d[1:, s] -= np.minimum((d[1:, s] * out).sum(0), 0.0) * out


def _walk(seeds: Strands, field: Surface, steps: int, ears: Ears) -> tuple[Float[ndarray, "m 3 s"], Int[ndarray, "s"]]:
    """Steps that all hairs take at once, and the last step of each."""
    how = np.ascontiguousarray(seeds.how.T, np.float64)
    length, lift, gravity, comb, fade, hug, height, cut, aimed, turn, drift, veil = how[:12]
    phase, ceiling = how[_SLOT["phase"]], how[_SLOT["ceiling"]]
    aimed, drifts, veil, hugs = aimed > 0, drift != 0, veil > 0, hug >= 0.5
    p, combs = (np.ascontiguousarray(each.T, np.float64) for each in (seeds.roots, seeds.combs))
    c = np.where(aimed, _unit(combs - p), combs)
    d = _unit(lift * seeds.normals.T + (1 - lift) * c)
    step = length / steps
    rate = turn * step / 0.012
    foot = 0.082 + 0.022 * np.sin(7.0 * phase)
    slope = 0.016 + 4.0 * np.maximum(height - 0.008, 0.0)
    path = np.zeros((steps + 1, *p.shape))
    path[0] = p
    last, grows = np.full(len(length), steps), np.ones(len(length), bool)

    def stop(where: Int[ndarray, "k"], at: Float[ndarray, "3 s"]) -> None:
        where = where[grows[where]]
        path[m, :, where] = at[:, where].T
        last[where], grows[where] = m, False

    for m in range(1, steps + 1):
        p = p + d * step
        x, y, z = p
        along = m * step
        far, n = _distances(field, p)
        goal = height * np.minimum(0.15 + along / slope, 1.0)
        # Tips lie down on the hair before them.
        goal[(hug >= 0.4) & ~aimed & (y > 0.565)] *= 1 - 0.55 * (m / steps) ** 2
        floor = np.minimum(goal * 0.55, 0.004) + 0.0006
        flat = y > ceiling
        goal, floor = np.where(flat, np.minimum(goal, 0.004), goal), np.where(flat, np.minimum(floor, 0.002), floor)
        want = np.maximum(np.where(flat, np.minimum(far, 0.0065), far), floor)
        p += (want - far) * n
        far = want
        _go_round(ears, p, d, step)
        # The skull's curve must not throw it off.
        thrown = hugs & (y > 0.62) & (far > goal + 0.003)
        down = np.where(thrown, np.minimum(far - goal - 0.003, 0.5 * step), 0.0)
        p -= down * n
        far = far - down
        inside = _free_of_face(y, z) - np.abs(x)
        hides = np.nonzero(veil & (inside > 0))[0]
        side = np.where(x[hides] > 0, 1.0, -1.0)
        x[hides] += side * np.minimum(inside[hides], 0.8 * step[hides])
        d[0, hides] += 0.4 * side
        d[2, hides] -= 0.9
        # No wider than the foot of the neck.
        wide = foot - 0.3 * np.minimum(np.maximum(0.58 - y, 0.0), 0.05) * (z < 0.05)
        spreads = np.nonzero((y < 0.60) & drifts & (np.abs(x) > wide))[0]
        side = np.where(x[spreads] > 0, 1.0, -1.0)
        x[spreads] -= side * np.minimum(np.abs(x[spreads]) - wide[spreads], 0.25 * step[spreads])
        d[0, spreads] -= np.maximum(d[0, spreads] * side, 0.0) * side
        lands = (np.abs(x) > 0.11) & (n[1] > 0.6) & (far < 0.012)
        stop(spreads[lands[spreads]], p)
        if aimed.any():
            c = np.where(aimed, combs - p, c)
            stop(np.nonzero(aimed & (np.sqrt((c * c).sum(0)) < 0.006 + step))[0], combs)
        c = _unit(c - np.where(far < 0.06, (c * n).sum(0), 0.0) * n)
        t = comb * np.exp(-along / fade) * c
        t[1] -= gravity
        # In front of or behind the shoulders, not on top.
        top = np.nonzero((y < 0.57) & drifts & (far < 0.018))[0]
        t[2, top] += drift[top]
        t[0, top] -= 9.0 * (np.maximum(x[top] - wide[top], 0.0) + np.minimum(x[top] + wide[top], 0.0))
        # Combed clear of the temples first.
        temple = aimed & (z > 0.065) & (y < 0.70)
        t[1, temple] += 0.35
        t[2, temple] -= 0.6
        # What hangs free does not follow nape and chin inwards; below the neck it lies on the back or the chest.
        lies = ~aimed & drifts & (y < 0.52)
        grip = np.where(aimed | lies, hug, hug * np.minimum(np.maximum((n[1] + 0.12) / 0.25, 0.3), 1.0))
        error = (far - goal) / 0.01
        spare = far - 0.006 - 0.4 * height - 0.6 * np.maximum(y - 0.44, 0.0)
        spare = np.where(lies & (spare > 0) & (np.abs(n[2]) > 0.3), np.minimum(spare, 0.45 * step), 0.0)
        p[1:] -= spare * n[1:]
        t += np.where(error > 0, -grip * np.minimum(error, 2.0), np.minimum(-error, 1.5)) * n
        d = _unit(d + rate * t)
        np.copyto(path[m], p, where=grows)
        stop(np.nonzero(y < cut)[0], p)
        if not grows.any():
            break
    return path, last


def _evenly(path: Float[ndarray, "m 3 s"], last: Int[ndarray, "s"], points: int) -> Float[ndarray, "s k 3"]:
    """So many points along each path, without corners, denser where the head curves."""
    step = np.arange(len(path))[:, None]
    past = step > last
    np.copyto(path, path[last, :, np.arange(len(last))].T, where=past[:, None])
    between = (step < last)[1:-1, None]
    for _ in range(6):
        np.copyto(path[1:-1], 0.5 * path[1:-1] + 0.25 * (path[:-2] + path[2:]), where=between)
    hops = np.diff(path, axis=0)
    arc = np.zeros((len(path), len(last)))
    np.sqrt((hops * hops).sum(1)).cumsum(0, out=arc[1:])
    want = np.linspace(0, 1, points)[:, None] ** 1.2 * arc[-1]
    at = np.minimum(np.stack([(arc[1:] < each).sum(0) for each in want]), last - 1)
    before, after = np.take_along_axis(arc, at, 0), np.take_along_axis(arc, at + 1, 0)
    share = np.clip((want - before) / (after - before + 1e-9), 0.0, 1.0)[:, None]
    at = at[:, None]
    start, end = np.take_along_axis(path, at, 0), np.take_along_axis(path, at + 1, 0)
    return (start + share * (end - start)).transpose(2, 0, 1)


def _relax(lines: Float[ndarray, "s k 3"], passes: int) -> Float[ndarray, "s k 3"]:
    """Evens out the kinks of what hangs below the chin, each piece keeping its length."""
    count = lines.shape[1]
    first = 2 + (lines[:, 2:, 1] > 0.65).cumprod(1).sum(1)
    first = np.where(lines[:, -1, 1] > 0.565, count, first)[:, None]
    long = np.linalg.norm(np.diff(lines, axis=1), axis=2, keepdims=True)
    lines = lines.copy()
    for _ in range(passes):
        for k in range(2, count - 1):
            even = 0.5 * (lines[:, k] + (lines[:, k - 1] + lines[:, k + 1]) / 2)
            lines[:, k] = np.where(k >= first, even, lines[:, k])
    for k in range(2, count):
        piece = lines[:, k] - lines[:, k - 1]
        share = np.clip(long[:, k - 1] / (np.linalg.norm(piece, axis=1, keepdims=True) + 1e-6), 0.8, 1.15)
        lines[:, k] = np.where(k >= first, lines[:, k - 1] + share * piece, lines[:, k])
    return lines


def _dress(
    seeds: Strands, field: Surface, lines: Float[ndarray, "s k 3"]
) -> tuple[Float[ndarray, "s k 3"], Float[ndarray, "s k 3"]]:
    """Joins strands to their leaders, curls them, keeps them outside, and finds which way is out."""
    how = dict(zip(GROWTH, seeds.how.T.astype(np.float64)[..., None], strict=True))
    curl, pitch = how["curl"], how["pitch"]
    leader = seeds.get("leader").astype(np.int64)
    led = lines[np.where(leader < 0, np.arange(len(lines)), leader)] - lines
    # Not with one that went another way: before, not behind, the shoulder.
    clump = how["clump"] * np.clip((0.09 - np.linalg.norm(led[:, -1], axis=1, keepdims=True)) / 0.04, 0.0, 1.0)
    t = np.linspace(0, 1, lines.shape[1])
    lines = _relax(lines + (clump * t * (2 - t))[..., None] * led, 3)
    if (curl > 0).any():
        away = distances(field, lines)[1]
        along = np.diff(lines, axis=1, prepend=lines[:, :1])
        arc = np.linalg.norm(along, axis=2).cumsum(1)
        turn = 2 * np.pi * arc / pitch + how["phase"]
        grip = curl * np.minimum(arc / np.where(pitch < 0.08, np.minimum(0.04, pitch), 0.14), 1.0)
        lines = lines + (grip * np.cos(turn))[..., None] * np.cross(
            along / (np.linalg.norm(along, axis=2, keepdims=True) + 1e-6), away
        )
        lines += (0.6 * grip * np.sin(turn))[..., None] * away
    far, away = distances(field, lines)
    pressed = np.where((lines[..., 1] > how["ceiling"]) & (far > 0.007), 0.007, far)
    out = np.maximum(pressed, np.where(np.arange(lines.shape[1]) < 2, 0.0012, 0.0025)) - far
    out[:, 0] = 0.0
    lines += out[..., None] * away
    return np.where(curl[..., None] < 0.006, _relax(lines, 2), lines), away


@dataclass(frozen=True, eq=False)
class Geometry:
    """Points, triangles and texture coordinates per corner."""

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"]


def merge(*parts: Geometry) -> Geometry:
    """One mesh of all."""
    vertices = np.cumsum([0] + [len(part.vertices) for part in parts])
    return Geometry(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, vertices, strict=False)]),
        np.concatenate([part.uvs for part in parts]),
    )


def ribbons(
    lines: Float[ndarray, "s k 3"],
    away: Float[ndarray, "s k 3"],
    width: Float[ndarray, "s"],
    tilt: Float[ndarray, "s"],
    blunt: Float[ndarray, "s"],
    column: Int[ndarray, "s"],
) -> Geometry:
    """Tapered strips along the lines, facing away from the body.

    Args:
        lines: Centre lines.
        away: Directions the strips face.
        width: Of the strips, before tapering.
        tilt: Radians each strip leans to one side at its tip; at the root its edges lie flat.
        blunt: Share of the width left before the last point.
        column: Which strand of the texture.
    """
    count, points = lines.shape[:2]
    t = np.linspace(0, 1, points)
    k = np.arange(points)
    along = lines[:, np.minimum(k + 1, points - 1)] - lines[:, np.maximum(k - 1, 0)]
    flat = np.cross(along, away)
    size = np.linalg.norm(flat, axis=2, keepdims=True)
    flat = np.where(size < 1e-7, (1.0, 0.0, 0.0), flat / np.maximum(size, 1e-7))
    facing = np.cross(flat, along)  # square to the strip
    facing /= np.linalg.norm(facing, axis=2, keepdims=True) + 1e-9
    turn = (tilt[:, None] * t)[..., None]
    taper = 1 - (1 - blunt[:, None]) * np.maximum((t - 0.25) / 0.75, 0.0) ** 1.5
    taper[blunt < 1, -1] = np.minimum(taper[blunt < 1, -1], 0.15)  # every lock ends in a point, curls do not
    wide = 0.5 * width[:, None] * np.minimum(0.6 + 2.5 * t, 1.0) * np.maximum(taper, 0.04)
    side = wide[..., None] * (np.cos(turn) * flat + np.sin(turn) * facing)
    vertices = np.stack([lines - side, lines + side], 2).astype(np.float32)
    index = np.arange(count * points * 2).reshape(count, points, 2)
    a, b = index[:, :-1, :-1], index[:, :-1, 1:]
    c, d = index[:, 1:, 1:], index[:, 1:, :-1]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 3)
    u = (column[:, None] % COLUMNS + np.array([0.04, 0.96])) / COLUMNS
    flip = (column // COLUMNS) % 2 > 0
    u[flip] = u[flip][:, ::-1]
    v = CAP_ROWS + 0.01 + np.linspace(0, 0.985 - CAP_ROWS, points)
    uv = np.empty((count, points, 2, 2), np.float32)
    uv[..., 0], uv[..., 1] = u[:, None], v[None, :, None]
    faces = faces.reshape(-1, 3)
    return Geometry(vertices.reshape(-1, 3), faces, uv.reshape(-1, 2)[faces])


def tubes(
    lines: Float[ndarray, "s k 3"],
    radius: Float[ndarray, "s k"],
    sides: int,
    column: Int[ndarray, "s"],
    repeat: float = 1.0,
) -> Geometry:
    """Round strands along the lines, closed by their own taper.

    Args:
        repeat: How often the strand texture runs along the whole line, back and forth.
    """
    count, points = lines.shape[:2]
    along = np.gradient(lines, axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-9
    side = np.cross(along, np.array([0.31, 0.2, 0.93]))
    side /= np.linalg.norm(side, axis=2, keepdims=True) + 1e-9
    out = np.cross(side, along)
    turn = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(turn)[:, None] * side[:, :, None] + np.sin(turn)[:, None] * out[:, :, None]
    vertices = lines[:, :, None] + radius[:, :, None, None] * ring
    vertices = vertices[:, :, :-1]
    index = np.arange(count * points * sides).reshape(count, points, sides)
    corner = np.concatenate([index, index[:, :, :1]], 2)
    uv = np.empty((count, points, sides + 1, 2), np.float32)
    around = 0.5 + 0.4 * np.abs(np.linspace(-1, 1, sides + 1)) * np.where(column % 2 > 0, 1, -1)[:, None]
    uv[..., 0] = ((DENSE + around) / COLUMNS)[:, None]
    wave = np.abs((np.linspace(0, repeat, points) + column[:, None] * 0.37 + 1) % 2 - 1)  # 0, 1, 0, ...
    uv[..., 1] = (CAP_ROWS + (0.12 + wave * 0.32) * (1 - CAP_ROWS))[:, :, None]
    flat_index = np.arange(count * points * (sides + 1)).reshape(count, points, sides + 1)

    def quads(grid: Int[ndarray, "s k a"]) -> Int[ndarray, "f 3"]:
        a, b, c, d = grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, 1:], grid[:, 1:, :-1]
        return np.stack([np.stack([a, c, b], -1), np.stack([a, d, c], -1)], 3).reshape(-1, 3)

    return Geometry(
        vertices.reshape(-1, 3).astype(np.float32),
        quads(corner),
        uv.reshape(-1, 2)[quads(flat_index)],
    )


def locks(rng: np.random.Generator, count: int) -> Int[ndarray, "n"]:
    """Columns of full locks, some mirrored."""
    return rng.integers(0, DENSE, count) + COLUMNS * rng.integers(0, 2, count)


def wisps(rng: np.random.Generator, count: int) -> Int[ndarray, "n"]:
    """Columns of a few fine hairs each."""
    return rng.integers(DENSE + 1, COLUMNS, count)


def hair_material(
    colour: Float[ndarray, "3"], size: int, grey: bool = False, bumps: bool = True, coily: bool = False
) -> Material:
    """The texture of strands and under-layer in a colour, its mean that colour.

    Args:
        colour: sRGB.
        size: Texels a side, a power of two of at most 1024.
        grey: White strands among dark ones.
        bumps: With a normal map.
        coily: Every strand is tightly curled.
    """
    shade, mix, cover, normal = _patterns(size, coily)
    # Pale hair lets light through: its shadows are shallow.
    depth = float(np.interp(colour.mean(), (0.30, 0.70), (1.0, 0.42)))
    depth = min(depth, 0.6) if grey else depth
    if depth < 1:
        shade, under = shade.copy(), int(size * CAP_ROWS)
        shade[:under] = np.minimum(shade[:under] + 26 * (1 - depth) / 0.58, 250).astype(np.uint8)
        normal = normal.copy()
        normal[..., :2] = (128 + (normal[..., :2].astype(np.float32) - 128) * depth + 0.5).astype(np.uint8)
    weights = np.bincount(shade[cover > 0].ravel(), minlength=256) / (cover > 0).sum()
    albedo = np.empty((size, size, 4), np.uint8)
    if grey:
        # By degrees, and not far apart: hard changes of few hairs look like dashes.
        tables = [_shades(np.clip(colour * by, 0, 1), weights, depth) for by in (0.90, 0.95, 1.0, 1.06, 1.12)]
        albedo[..., :3] = np.stack(tables)[(mix * 4.999).astype(np.uint8), shade]
    else:
        albedo[..., :3] = _shades(colour, weights, depth)[shade]
    albedo[..., 3] = cover
    return Material(
        albedo, normal if bumps else None, roughness=0.75 if coily else 0.6, double_sided=True, alpha="mask"
    )


def _shades(base: Float[ndarray, "3"], weights: Float[ndarray, "256"], depth: float) -> UInt8[ndarray, "256 3"]:
    """Colours by brightness pattern (128 is the base), scaled so that their weighted mean is the base."""
    level = (np.arange(256) / 128.0)[:, None] ** (1.15 * depth)
    table = base * level
    # Bright strands are a little warmer and less saturated than a mere multiple.
    table = table + np.clip(level - 1.1, 0, 1) * 0.05 * np.array([1.0, 0.92, 0.8])
    for _ in range(4):
        mean = weights @ np.clip(table, 0, 1)
        table = table * (base / np.maximum(mean, 1e-4))
    return (np.clip(table, 0, 1) * 255 + 0.5).astype(np.uint8)


@kept(lambda size, coily: f"strand-patterns-{size}{'-coily' if coily else ''}")
def _patterns(
    size: int, coily: bool
) -> tuple[UInt8[ndarray, "n n"], Float[ndarray, "n n"], UInt8[ndarray, "n n"], UInt8[ndarray, "n n 3"]]:
    """Brightness, a number in [0, 1] per fine hair, coverage, and normals of the strand texture."""
    if size < 1024:
        k = 1024 // size
        shade, hair, cover, normal = _patterns(1024, coily)
        shade = shade.reshape(size, k, size, k).mean((1, 3)).astype(np.uint8)
        cover = np.clip(cover.reshape(size, k, size, k).mean((1, 3)) * 1.25, 0, 255).astype(np.uint8)
        return shade, hair[k // 2 :: k, k // 2 :: k], cover, normal[k // 2 :: k, k // 2 :: k]
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(5)
    split = int(size * CAP_ROWS)
    level, hair = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    cover = np.zeros((size, size), np.float32)
    wide = size // COLUMNS
    for column in range(COLUMNS):
        here = np.s_[split:, column * wide : (column + 1) * wide]
        hairs = _wisps(rng) if column > DENSE else _coils(rng) if coily and column < DENSE else _lock(rng)
        level[here], hair[here], cover[here] = _drawn(rng, hairs, size - split, wide)
    cover[split:, DENSE * wide : (DENSE + 1) * wide] = 1
    if coily:
        noise = gaussian_filter(rng.normal(size=(split, size)), (1.6, 1.6), mode="wrap")
        level[:split] = 0.10 * noise / noise.std() - 0.08
    else:
        for low, sigma in ((0.08, (30, 0.8)), (0.04, (60, 2.5)), (0.03, (90, 9))):
            noise = gaussian_filter(rng.normal(size=(split, size)), sigma, mode="wrap")
            level[:split] += low * noise / noise.std()
        level[:split] -= 0.07
    hair[:split] = (np.argsort(np.argsort(rng.normal(size=size // 2))) / (size // 2)).repeat(2)[None]
    # The under-layer ends in single hairs, ever fewer.
    cover[:split] = _stippled(rng, split, size)
    slope_y, slope_x = np.gradient(gaussian_filter(level, 0.7))
    bump = np.stack([-slope_x * 1.2, slope_y * (1.2 if coily else 0.0), np.ones_like(slope_x)], -1)
    bump /= np.linalg.norm(bump, axis=-1, keepdims=True)
    shade = np.clip(128 * (1 + level), 24, 250).astype(np.uint8)
    return shade, hair, (cover * 255 + 0.5).astype(np.uint8), (bump * 127 + 128).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Hairs:
    """Hairs side by side in a column of the texture; across in columns' widths, along from 0 to 1."""

    middle: Float[ndarray, "h"]
    half: Float[ndarray, "h"]
    """Width."""
    start: Float[ndarray, "h"]
    end: Float[ndarray, "h"]
    rise: float
    """Over which the root's point opens."""
    fall: float
    """Over which the tip closes."""
    sway: float
    turns: float
    bright: Float[ndarray, "h"]


def _lock(rng: np.random.Generator) -> _Hairs:
    """A full strand, whole but for the ends of its outer hairs: its point is the strip's own, clean from afar."""
    count = 22
    middle = 0.04 + 0.92 * (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    outer = np.abs(2 * middle - 1)
    start = rng.uniform(0, 0.06, count) + 0.05 * outer**2
    end = 1.12 - 0.40 * outer**4 * rng.uniform(0, 1, count)
    return _Hairs(
        middle, rng.uniform(0.030, 0.052, count), start, end, 0.07, 0.09, 0.012, 1.2, rng.normal(size=count) * 0.085
    )


def _wisps(rng: np.random.Generator) -> _Hairs:
    """A few fine hairs apart from each other."""
    count = 7
    middle = 0.10 + 0.80 * (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    end = rng.uniform(0.55, 1.0, count)
    return _Hairs(
        middle, rng.uniform(0.018, 0.030, count), rng.uniform(0, 0.1, count), end, 0.1, 0.6, 0.03, 0.9,
        rng.normal(size=count) * 0.06,
    )  # fmt: skip


def _coils(rng: np.random.Generator) -> _Hairs:
    """Tight curls seen from the side."""
    count = 22
    middle = 0.16 + 0.68 * (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    end = rng.uniform(0.72, 1.0, count)
    return _Hairs(
        middle, rng.uniform(0.032, 0.050, count), rng.uniform(0, 0.03, count), end, 0.03, 0.10, 0.13, 6.5,
        rng.normal(size=count) * 0.10,
    )  # fmt: skip


def _drawn(
    rng: np.random.Generator, hairs: _Hairs, rows: int, wide: int
) -> tuple[Float[ndarray, "r w"], Float[ndarray, "r w"], Float[ndarray, "r w"]]:
    """Brightness, number of the topmost hair, and coverage: smooth across each hair's edge."""
    t, x = np.linspace(0, 1, rows)[:, None], (np.arange(wide) + 0.5)[None] / wide
    level, number = np.full((rows, wide), -0.12), np.zeros((rows, wide))
    cover, top = np.zeros((rows, wide)), np.full((rows, wide), -1.0)
    for i in rng.permutation(len(hairs.middle)):
        turn = 2 * np.pi * (hairs.turns * rng.uniform(0.8, 1.2) * t + rng.uniform())
        middle = hairs.middle[i] + hairs.sway * np.sin(turn) * np.clip(t / 0.1, 0, 1)
        opened = np.clip((t - hairs.start[i]) / hairs.rise, 0, 1) ** 0.7
        half = hairs.half[i] * opened * np.clip((hairs.end[i] - t) / hairs.fall, 0, 1) ** 0.8
        inside = half - np.abs(x - middle)
        cover = np.maximum(cover, np.where(half > 0, np.clip(0.48 + 0.45 * wide * inside, 0, 1), 0))
        round_ = np.clip(inside / hairs.half[i], 0, 1)
        height = round_ + rng.uniform(0, 0.5) + np.where(inside > 0, 0, -9)
        above = height > top
        level = np.where(above, hairs.bright[i] + 0.10 * (round_ - 0.5) + 0.04 * np.cos(turn), level)
        number, top = np.where(above, rng.uniform(), number), np.where(above, height, top)
    level = level + 0.04 * (t - 0.5) - 0.06 * np.exp(-t / 0.07)
    return level.astype(np.float32), number.astype(np.float32), cover.astype(np.float32)


def _stippled(rng: np.random.Generator, rows: int, size: int) -> Float[ndarray, "r n"]:
    """Coverage of the under-layer: whole well inside, single tapered hairs at the hairline."""
    cover = np.zeros((rows, size), np.float32)
    edge, solid = cap_row(np.array([0.0, 0.013])) * rows
    cover[: int(solid)] = 1
    along = np.arange(-27, 28)[:, None]
    across = np.arange(-18, 19)[None]
    for _ in range(8000):
        x = rng.uniform(0, size)
        y = solid + (edge + 6 - solid) * rng.uniform() ** 1.5
        long, lean, half = rng.uniform(10, 26), rng.normal() * 0.15 - 0.3, rng.uniform(0.4, 0.85)
        r, c = int(y) + along, (int(x) + across) % size
        width = half * np.clip(1 - (along / long), 0, 1) ** 0.7 * (along > -long)
        line = np.clip(0.5 + width - np.abs(across - (x % 1) - lean * along), 0, 1) * (width > 0.05)
        inside = ((r >= 0) & (r < rows)).ravel()
        at = np.ix_(r.ravel()[inside], c.ravel())
        cover[at] = np.maximum(cover[at], line[inside])
    return cover
