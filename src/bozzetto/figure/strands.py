"""Strands: where the body is (a field of distances), how a hair grows around it, and ribbons and tubes along the way.

All lengths are those of an average adult head; ``Frame`` carries them to a person's own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, UInt8
from numpy import ndarray

from bozzetto.kept import kept
from bozzetto.kernels import fast_inner, fast_kernel
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
    """Signed distance to oriented points: in each grid corner, the nearest of them."""

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
    sweeps: int = 3,
) -> Surface:
    """The field of points with outward normals inside a box.

    Args:
        sweeps: Each time through the grid finds more of the nearest points.
    """
    size = np.ceil((high - low) / cell).astype(np.int64) + 1
    nearest = np.full(tuple(size), -1, np.int32)
    points, normals = np.ascontiguousarray(points, np.float32), np.ascontiguousarray(normals, np.float32)
    best = np.full(nearest.shape, 1e9, np.float32)
    _spread(points, low.astype(np.float32), np.float32(cell), nearest, best, sweeps)
    return Surface(points, normals, low.astype(np.float32), cell, nearest)


@fast_kernel
def _spread(points, origin, cell, nearest, best, sweeps):
    nx, ny, nz = nearest.shape
    for n in range(len(points)):
        i = round((points[n, 0] - origin[0]) / cell)
        j = round((points[n, 1] - origin[1]) / cell)
        k = round((points[n, 2] - origin[2]) / cell)
        if 0 <= i < nx and 0 <= j < ny and 0 <= k < nz:
            far = (
                (points[n, 0] - origin[0] - i * cell) ** 2
                + (points[n, 1] - origin[1] - j * cell) ** 2
                + (points[n, 2] - origin[2] - k * cell) ** 2
            )
            if far < best[i, j, k]:
                best[i, j, k], nearest[i, j, k] = far, n
    for _ in range(sweeps):
        for step in (1, -1):
            for i0 in range(nx):
                i = i0 if step > 0 else nx - 1 - i0
                for j0 in range(ny):
                    j = j0 if step > 0 else ny - 1 - j0
                    for k0 in range(nz):
                        k = k0 if step > 0 else nz - 1 - k0
                        for axis in range(3):
                            a = i - step if axis == 0 else i
                            b = j - step if axis == 1 else j
                            c = k - step if axis == 2 else k
                            if a < 0 or b < 0 or c < 0 or a >= nx or b >= ny or c >= nz:
                                continue
                            n = nearest[a, b, c]
                            if n < 0 or n == nearest[i, j, k]:
                                continue
                            far = (
                                (points[n, 0] - origin[0] - i * cell) ** 2
                                + (points[n, 1] - origin[1] - j * cell) ** 2
                                + (points[n, 2] - origin[2] - k * cell) ** 2
                            )
                            if far < best[i, j, k]:
                                best[i, j, k], nearest[i, j, k] = far, n


@fast_inner
def _sample(x, y, z, points, normals, origin, cell, nearest):
    """Signed distance and outward direction."""
    sx, sy, sz = nearest.shape
    u = min(max((x - origin[0]) / cell, 0.0), sx - 1.001)
    v = min(max((y - origin[1]) / cell, 0.0), sy - 1.001)
    w = min(max((z - origin[2]) / cell, 0.0), sz - 1.001)
    i, j, k = int(u), int(v), int(w)
    u, v, w = u - i, v - j, w - k
    far, nx, ny, nz = 0.0, 0.0, 0.0, 0.0
    for corner in range(8):
        a, b, c = corner & 1, (corner >> 1) & 1, corner >> 2
        share = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
        n = nearest[i + a, j + b, k + c]
        px, py, pz = normals[n, 0], normals[n, 1], normals[n, 2]
        far += share * ((x - points[n, 0]) * px + (y - points[n, 1]) * py + (z - points[n, 2]) * pz)
        nx, ny, nz = nx + share * px, ny + share * py, nz + share * pz
    size = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-6
    return far, nx / size, ny / size, nz / size


@fast_kernel
def _distances(at, points, normals, origin, cell, nearest, out):
    for n in range(len(at)):
        far, x, y, z = _sample(at[n, 0], at[n, 1], at[n, 2], points, normals, origin, cell, nearest)
        out[n, 0] = far
        out[n, 1] = x
        out[n, 2] = y
        out[n, 3] = z


def distances(field: Surface, at: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n 3"]]:
    """Signed distances of points, and the directions away from the surface."""
    found = np.empty((len(at), 4), np.float32)
    at = np.ascontiguousarray(at, np.float64)
    _distances(at, field.points, field.normals, field.origin, field.cell, field.nearest, found)
    return found[:, 0], found[:, 1:]


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
    lines = np.empty((len(seeds.roots), points, 3), np.float32)
    longest = float(seeds.get("length").max()) if len(lines) else 0.0
    steps = int(np.clip(longest / step, points, 72))
    _grow(
        seeds.roots, seeds.normals, seeds.combs, seeds.how,
        field.points, field.normals, field.origin, field.cell, field.nearest,
        ears.middle, ears.to_circle, ears.from_x, steps, np.empty((steps + 1, 3)), np.empty(steps + 1), lines,
    )  # fmt: skip
    away, longs = np.empty_like(lines), np.empty(points)
    _dress(seeds.how, field.points, field.normals, field.origin, field.cell, field.nearest, 3, longs, lines, away)
    return lines, away


@fast_inner
def _outline(y, z):
    """Half the width that hair leaves free in front of the face, here."""
    if z < 0.085 or y > 0.712:
        return 0.0
    return (0.060 + 0.25 * max(z - 0.11, 0.0)) * min((0.712 - y) / 0.028, 1.0)


@fast_kernel
def _grow(
    roots, normals, combs, how, points, around, origin, cell, nearest, ear, to_circle, ear_x, steps, path, arc, lines
):
    count = lines.shape[1]
    for s in range(len(roots)):
        length, lift, gravity = how[s, 0], how[s, 1], how[s, 2]
        comb, fade, hug = how[s, 3], how[s, 4], how[s, 5]
        height, cut, aimed = how[s, 6], how[s, 7], how[s, 8]
        turn, drift, veil = how[s, 9], how[s, 10], how[s, 11]
        phase, ceiling = how[s, 14], how[s, 21]
        x, y, z = roots[s, 0], roots[s, 1], roots[s, 2]
        cx, cy, cz = combs[s, 0], combs[s, 1], combs[s, 2]
        if aimed > 0:
            cx, cy, cz = cx - x, cy - y, cz - z
            size = np.sqrt(cx * cx + cy * cy + cz * cz) + 1e-6
            cx, cy, cz = cx / size, cy / size, cz / size
        dx = lift * normals[s, 0] + (1 - lift) * cx
        dy = lift * normals[s, 1] + (1 - lift) * cy
        dz = lift * normals[s, 2] + (1 - lift) * cz
        size = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-6
        dx, dy, dz = dx / size, dy / size, dz / size
        step = length / steps
        rate = turn * step / 0.012
        path[0, 0], path[0, 1], path[0, 2] = x, y, z
        arc[0] = 0.0
        last = steps
        for m in range(1, steps + 1):
            x, y, z = x + dx * step, y + dy * step, z + dz * step
            along = m * step
            far, nx, ny, nz = _sample(x, y, z, points, around, origin, cell, nearest)
            rise = min(0.15 + along / (0.016 + 4.0 * max(height - 0.008, 0.0)), 1.0)
            goal = height * rise
            if hug >= 0.4 and aimed == 0 and y > 0.565:
                # Tips lie down on the hair before them.
                goal *= 1 - 0.55 * (along / length) ** 2
            floor = min(goal * 0.55, 0.004) + 0.0006
            if y > ceiling:
                goal, floor = min(goal, 0.004), min(floor, 0.002)
                if far > 0.0065:
                    x, y, z = x - (far - 0.0065) * nx, y - (far - 0.0065) * ny, z - (far - 0.0065) * nz
                    far = 0.0065
            if far < floor:
                x, y, z = x + (floor - far) * nx, y + (floor - far) * ny, z + (floor - far) * nz
                far = floor
            if abs(x) > ear_x:
                u = to_circle[0, 0] * (y - ear[0]) + to_circle[0, 1] * (z - ear[1])
                v = to_circle[1, 0] * (y - ear[0]) + to_circle[1, 1] * (z - ear[1])
                circle = np.sqrt(u * u + v * v) + 1e-6
                if circle < 1:
                    # Along the ellipse's normal, and on beside it.
                    oy = to_circle[0, 0] * u + to_circle[1, 0] * v
                    oz = to_circle[0, 1] * u + to_circle[1, 1] * v
                    size = np.sqrt(oy * oy + oz * oz) + 1e-9
                    oy, oz = oy / size, oz / size
                    out = min((1 - circle) * circle / size, 0.9 * step)
                    y, z = y + out * oy, z + out * oz
                    inward = min(dy * oy + dz * oz, 0.0)
                    dy, dz = dy - inward * oy, dz - inward * oz
            if hug >= 0.5 and y > 0.62 and far > goal + 0.003:
                # The skull's curve must not throw it off.
                down = min(far - goal - 0.003, 0.5 * step)
                x, y, z, far = x - down * nx, y - down * ny, z - down * nz, far - down
            if veil > 0:
                wide = _outline(y, z)
                side = 1.0 if x > 0 else -1.0
                if abs(x) < wide:
                    x += side * min(wide - abs(x), 0.8 * step)
                    dx, dz = dx + side * 0.4, dz - 0.9
            wide = 0.082 + 0.022 * np.sin(7.0 * phase) - 0.3 * min(max(0.58 - y, 0.0), 0.05) * (z < 0.05)
            if y < 0.60 and drift != 0 and abs(x) > wide:
                # No wider than the foot of the neck.
                side = 1.0 if x > 0 else -1.0
                x -= side * min(abs(x) - wide, 0.25 * step)
                dx = dx - max(dx * side, 0.0) * side
                if abs(x) > 0.11 and ny > 0.6 and far < 0.012:
                    path[m, 0], path[m, 1], path[m, 2] = x, y, z
                    last = m
                    break
            if aimed > 0:
                cx, cy, cz = combs[s, 0] - x, combs[s, 1] - y, combs[s, 2] - z
                gone = np.sqrt(cx * cx + cy * cy + cz * cz)
                if gone < 0.006 + step:
                    path[m, 0], path[m, 1], path[m, 2] = combs[s, 0], combs[s, 1], combs[s, 2]
                    last = m
                    break
            inward = cx * nx + cy * ny + cz * nz
            if far < 0.06:
                cx, cy, cz = cx - inward * nx, cy - inward * ny, cz - inward * nz
            size = np.sqrt(cx * cx + cy * cy + cz * cz) + 1e-6
            cx, cy, cz = cx / size, cy / size, cz / size
            pull = comb * np.exp(-along / fade)
            tx, ty, tz = pull * cx, pull * cy - gravity, pull * cz
            if y < 0.57 and drift != 0 and far < 0.018:
                # In front of or behind the shoulders, not on top.
                tz += drift
                tx -= 9.0 * (max(x - wide, 0.0) + min(x + wide, 0.0))
            error = (far - goal) / 0.01
            grip = hug
            if aimed > 0:
                # Combed clear of the temples first.
                if z > 0.065 and y < 0.70:
                    ty, tz = ty + 0.35, tz - 0.6
            else:
                # What hangs free does not follow the nape and the chin inwards.
                grip = hug * min(max((ny + 0.12) / 0.25, 0.3), 1.0)
                if y < 0.52 and drift != 0:
                    # Below the neck it lies on the back or the chest.
                    grip = hug
                    spare = far - 0.006 - 0.4 * height - 0.6 * max(y - 0.44, 0.0)
                    if spare > 0 and abs(nz) > 0.3:
                        x, y, z = x, y - min(spare, 0.45 * step) * ny, z - min(spare, 0.45 * step) * nz
            back = -grip * min(error, 2.0) if error > 0 else min(-error, 1.5)
            tx, ty, tz = tx + back * nx, ty + back * ny, tz + back * nz
            dx, dy, dz = dx + rate * tx, dy + rate * ty, dz + rate * tz
            size = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-6
            dx, dy, dz = dx / size, dy / size, dz / size
            path[m, 0], path[m, 1], path[m, 2] = x, y, z
            if y < cut:
                last = m
                break
        for _ in range(6):
            # Without corners: each point but the ends between its neighbours.
            px, py, pz = path[0, 0], path[0, 1], path[0, 2]
            for m in range(1, last):
                x, y, z = path[m, 0], path[m, 1], path[m, 2]
                path[m, 0] = 0.5 * x + 0.25 * (px + path[m + 1, 0])
                path[m, 1] = 0.5 * y + 0.25 * (py + path[m + 1, 1])
                path[m, 2] = 0.5 * z + 0.25 * (pz + path[m + 1, 2])
                px, py, pz = x, y, z
        for m in range(1, last + 1):
            hop = np.sqrt(
                (path[m, 0] - path[m - 1, 0]) ** 2
                + (path[m, 1] - path[m - 1, 1]) ** 2
                + (path[m, 2] - path[m - 1, 2]) ** 2
            )
            arc[m] = arc[m - 1] + hop
        at = 0
        for k in range(count):
            want = arc[last] * (k / (count - 1)) ** 1.2  # denser where the head curves
            while at < last - 1 and arc[at + 1] < want:
                at += 1
            share = min(max((want - arc[at]) / (arc[at + 1] - arc[at] + 1e-9), 0.0), 1.0)
            for a in range(3):
                lines[s, k, a] = path[at, a] + share * (path[at + 1, a] - path[at, a])


@fast_inner
def _relax(line, longs, passes):
    """Evens out the kinks of what hangs below the chin, each piece keeping its length."""
    count = len(line)
    if line[count - 1, 1] > 0.565:
        return
    first = 2
    while first < count and line[first, 1] > 0.65:
        first += 1
    for k in range(1, count):
        longs[k] = np.sqrt(
            (line[k, 0] - line[k - 1, 0]) ** 2 + (line[k, 1] - line[k - 1, 1]) ** 2 + (line[k, 2] - line[k - 1, 2]) ** 2
        )
    for _ in range(passes):
        for k in range(first, count - 1):
            for a in range(3):
                line[k, a] += 0.5 * ((line[k - 1, a] + line[k + 1, a]) / 2 - line[k, a])
    for k in range(first, count):
        x, y, z = line[k, 0] - line[k - 1, 0], line[k, 1] - line[k - 1, 1], line[k, 2] - line[k - 1, 2]
        share = longs[k] / (np.sqrt(x * x + y * y + z * z) + 1e-6)
        share = min(max(share, 0.8), 1.15)
        line[k, 0], line[k, 1], line[k, 2] = (
            line[k - 1, 0] + share * x,
            line[k - 1, 1] + share * y,
            line[k - 1, 2] + share * z,
        )


@fast_kernel
def _dress(how, points, around, origin, cell, nearest, passes, longs, lines, away):
    """Joins strands to their leaders, curls them, keeps them outside, and finds which way is out."""
    count = lines.shape[1]
    for s in range(len(lines)):
        leader, clump = int(how[s, 16]), how[s, 15]
        if leader >= 0 and leader != s and clump > 0:
            # Not with one that went another way: before, not behind, the shoulder.
            apart = 0.0
            for a in range(3):
                apart += (lines[s, count - 1, a] - lines[leader, count - 1, a]) ** 2
            clump *= min(max((0.09 - np.sqrt(apart)) / 0.04, 0.0), 1.0)
            for k in range(1, count):
                t = k / (count - 1)
                share = clump * t * (2 - t)
                for a in range(3):
                    lines[s, k, a] += share * (lines[leader, k, a] - lines[s, k, a])
    for s in range(len(lines)):
        _relax(lines[s], longs, passes)
    for s in range(len(lines)):
        curl, pitch, phase, ceiling = how[s, 12], how[s, 13], how[s, 14], how[s, 21]
        arc = 0.0
        px, py, pz = np.float64(lines[s, 0, 0]), np.float64(lines[s, 0, 1]), np.float64(lines[s, 0, 2])
        for k in range(count):
            x, y, z = np.float64(lines[s, k, 0]), np.float64(lines[s, k, 1]), np.float64(lines[s, k, 2])
            arc += np.sqrt((x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2)
            far, nx, ny, nz = _sample(x, y, z, points, around, origin, cell, nearest)
            tx, ty, tz = x - px, y - py, z - pz
            if k == 0:
                tx, ty, tz = lines[s, 1, 0] - x, lines[s, 1, 1] - y, lines[s, 1, 2] - z
            px, py, pz = x, y, z
            if curl > 0 and k > 0:
                size = np.sqrt(tx * tx + ty * ty + tz * tz) + 1e-6
                tx, ty, tz = tx / size, ty / size, tz / size
                bx, by, bz = ty * nz - tz * ny, tz * nx - tx * nz, tx * ny - ty * nx
                turn = 2 * np.pi * arc / pitch + phase
                grip = curl * min(arc / min(0.04, pitch), 1.0) if pitch < 0.08 else curl * min(arc / 0.14, 1.0)
                c, d = grip * np.cos(turn), 0.6 * grip * np.sin(turn)
                x, y, z = x + c * bx + d * nx, y + c * by + d * ny, z + c * bz + d * nz
            if k > 0:
                far, nx, ny, nz = _sample(x, y, z, points, around, origin, cell, nearest)
                floor = 0.0012 if k < 2 else 0.0025
                if far < floor:
                    x, y, z = x + (floor - far) * nx, y + (floor - far) * ny, z + (floor - far) * nz
                if y > ceiling and far > 0.007:
                    x, y, z = x - (far - 0.007) * nx, y - (far - 0.007) * ny, z - (far - 0.007) * nz
            lines[s, k, 0], lines[s, k, 1], lines[s, k, 2] = x, y, z
            away[s, k, 0], away[s, k, 1], away[s, k, 2] = nx, ny, nz
        if curl < 0.006:
            _relax(lines[s], longs, passes - 1)


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
    vertices = np.empty((count, points, 2, 3), np.float32)
    width, tilt, blunt = (np.ascontiguousarray(each) for each in (width, tilt, blunt))  # one layout, compiled once
    _ribbons(lines, away, width, tilt, blunt, vertices)
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


@fast_kernel
def _ribbons(lines, away, width, tilt, blunt, out):
    count, points = out.shape[:2]
    for s in range(count):
        for k in range(points):
            i, j = max(k - 1, 0), min(k + 1, points - 1)
            tx, ty, tz = (
                lines[s, j, 0] - lines[s, i, 0],
                lines[s, j, 1] - lines[s, i, 1],
                lines[s, j, 2] - lines[s, i, 2],
            )
            nx, ny, nz = away[s, k, 0], away[s, k, 1], away[s, k, 2]
            bx, by, bz = ty * nz - tz * ny, tz * nx - tx * nz, tx * ny - ty * nx
            size = np.sqrt(bx * bx + by * by + bz * bz)
            if size < 1e-7:
                bx, by, bz, size = 1.0, 0.0, 0.0, 1.0
            bx, by, bz = bx / size, by / size, bz / size
            # Facing direction, square to the strip.
            fx, fy, fz = by * tz - bz * ty, bz * tx - bx * tz, bx * ty - by * tx
            size = np.sqrt(fx * fx + fy * fy + fz * fz) + 1e-9
            fx, fy, fz = fx / size, fy / size, fz / size
            t = k / (points - 1)
            c, d = np.cos(tilt[s] * t), np.sin(tilt[s] * t)
            ex, ey, ez = c * bx + d * fx, c * by + d * fy, c * bz + d * fz
            taper = 1 - (1 - blunt[s]) * max((t - 0.25) / 0.75, 0.0) ** 1.5
            if k == points - 1 and blunt[s] < 1:
                taper = min(taper, 0.15)  # every lock ends in a point, curls do not
            wide = 0.5 * width[s] * min(0.6 + 2.5 * t, 1.0) * max(taper, 0.04)
            for a, side in ((0, -wide), (1, wide)):
                out[s, k, a, 0] = lines[s, k, 0] + side * ex
                out[s, k, a, 1] = lines[s, k, 1] + side * ey
                out[s, k, a, 2] = lines[s, k, 2] + side * ez


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
