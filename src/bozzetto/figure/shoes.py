"""Shoes: modelled once around the mean adult's foot, already pitched as the heel asks, and carried to any foot."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d, map_coordinates
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import joint_transforms, moved_joints, skin
from bozzetto.body.model import Body, ShapedBody
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
    sheet,
    slab,
    step,
    surface,
    tube,
    unit,
)  # fmt: skip
from bozzetto.figure.piece import Person, Piece
from bozzetto.figure.spec import FigureSpec, Garment
from bozzetto.geometry import vertex_normals
from bozzetto.kept import kept
from bozzetto.types import Material

UPPER: Box = (0.0, 0.0, 1.0, 0.62)
SOLE: Box = (0.01, 0.66, 0.49, 0.98)
LINING: Box = (0.52, 0.66, 0.73, 0.98)
ACCENT: Box = (0.77, 0.66, 0.98, 0.98)
"""Where on the texture each part of a shoe lies; both feet share it."""


@dataclass(frozen=True)
class Last:
    """The measures of one kind of shoe on the mean adult's foot; lengths along the foot are shares of it."""

    pitch: float = 0.0
    """Degrees by which the foot points down from heel to ball."""
    sole: float = 0.02
    """Metres under the ball."""
    slab: float = 0.02
    """Thickness of the sole itself: less than ``sole`` would hang free."""
    wall: float = 0.012
    """How far the sole's side reaches above the foot's underside."""
    welt: float = 0.004
    """How far the sole stands out from the upper."""
    room: float = 0.0045
    """Between foot and upper."""
    toe_room: float = 0.008
    """More of it above the toes."""
    point: float = 0.0
    """0 a round toe, 1 pointed."""
    longer: float = 0.006
    toe: float = 0.075
    """Height that the toe's roundness strives for."""
    back: float = 0.066
    side: float = 0.058
    front: float = 0.1
    """Heights of the opening above the foot's underside at heel, ankle and instep."""
    throat: float = 0.0
    """Where a pump's opening ends; 0 is an opening around the ankle."""
    sock: float = -1.0
    """Behind this the upper follows a smooth sock, not the skin: a shaft, or where the skin is creased."""
    heel: float = 0.0
    """Where the heel block ends; 0 has none."""
    heel_tip: float = 0.95
    """Size of the heel block's foot as a share of its top."""


LASTS = {
    "sneakers": Last(
        sole=0.017, slab=0.017, wall=0.007, welt=0.003, toe_room=0.007, longer=0.009, front=0.107, back=0.072,
    ),
    "boots": Last(
        pitch=4.5, toe=0.11, sole=0.012, slab=0.012, wall=0.004, welt=0.005, toe_room=0.009, longer=0.01, back=0.225,
        side=0.225, front=0.225, sock=2.0, heel=0.27,
    ),
    "shoes": Last(
        pitch=4.0, toe=0.06, sole=0.008, slab=0.008, wall=0.003, toe_room=0.006, point=0.25, longer=0.014, heel=0.27,
    ),
    "heels": Last(
        pitch=25.0, toe=0.034, sole=0.004, slab=0.004, wall=0.001, welt=0.0003, room=0.003, toe_room=0.001, point=0.8,
        longer=0.022, back=0.052, side=0.03, front=0.03, throat=0.69, sock=0.2, heel=0.26, heel_tip=0.17,
    ),
    "sandals": Last(sole=0.018, slab=0.018, wall=0.008, welt=0.0, longer=0.004),
}  # fmt: skip


def heel_raise(spec: FigureSpec) -> tuple[float, float]:
    """How far shoes lift the heel above the ball, and the thickness of the sole under the ball, in metres."""
    if spec.shoes is None:
        return 0.0, 0.0
    last, size = LASTS[spec.shoes.kind], spec.body.height / mean_person().vertices[: _skin(), 1].max()
    return float(size * 0.17 * np.sin(np.radians(last.pitch))), float(size * last.sole)


def raise_heels(person: Person) -> Person:
    """The person standing as the shoes ask: feet pitched, toes flat on zero, all else moved up; or as they are."""
    kind = None if person.spec.shoes is None else person.spec.shoes.kind
    if kind is None or not LASTS[kind].pitch:
        return person
    return _pitched(person, LASTS[kind].pitch)


def shoe_pieces(person: Person) -> list[Piece]:
    """The pair of shoes of a person whose heels ``raise_heels`` raised; nothing where barefoot."""
    garment = person.spec.shoes
    if garment is None:
        return []
    pair = _pair(garment.kind, person.detail)
    vertices = _fitting(garment.kind, person.detail).on(person, pair.on(person))
    return [
        Piece(
            "shoes", vertices, pair.shape.faces, pair.shape.uvs, pair.skin_weights, pair.skin_joints,
            _material(garment, person.detail), hides=pair.hides,
        )
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- the foot


def _skin() -> int:
    return mean_person().body.parts["body"].stop


def _pitched(person: Person, degrees: float) -> Person:
    """The person with both feet turned down and the toes turned back up."""
    body, joints = person.body, person.shaped.joints.astype(np.float64)
    rotations = np.tile(np.eye(3), (len(body.joint_names), 1, 1))
    for side in "LR":
        along = person.joint(f"toe2-1.{side}") - person.joint(f"foot.{side}")
        across = unit(np.cross([0.0, 1.0, 0.0], along))
        down = Rotation.from_rotvec(across * np.radians(degrees)).as_matrix()
        for i, name in enumerate(body.joint_names):
            if name == f"foot.{side}":
                rotations[i] = down
            elif name.startswith("toe") and name.endswith(f"-1.{side}"):
                rotations[i] = down.T
    transforms = joint_transforms(joints, body.joint_parents, rotations)
    vertices = skin(person.vertices, body.skin_weights, body.skin_joints, transforms)
    moved = moved_joints(joints, transforms)
    floor = np.array([0.0, vertices[: body.parts["body"].stop, 1].min(), 0.0], np.float32)
    return replace(person, shaped=ShapedBody(vertices - floor, (moved - floor).astype(np.float32)))


@dataclass(frozen=True, eq=False)
class Foot:
    """The mean adult's left foot in the frame of its shoe: x across (outwards), y up, z from heel to toe."""

    person: Person
    to_world: Float[ndarray, "3 3"]
    origin: Float[ndarray, "3"]
    sock: Surface
    """The smooth helper surface around foot and leg."""
    skin: Surface
    """The foot and leg themselves: what an opening lies on."""
    anchors: ndarray
    """Helper vertices of this foot and leg."""
    length: float
    ball: float
    """Where the toes begin, along the foot."""
    lift: float
    """Height of the heel's underside above the ball's."""

    def base(self, z: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        """Height of the foot's underside along the foot."""
        share = np.clip((self.ball - z) / (self.ball - 0.13 * self.length), 0, 1.15)
        bent = np.minimum(share, 1)
        return np.asarray(self.lift * (0.55 * share + 0.45 * bent * bent * (3 - 2 * bent)) - 0.003)

    def world(self, points: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
        return points @ self.to_world.T + self.origin


@cache
def _foot(degrees: float) -> Foot:
    person = mean_person()
    if degrees:
        person = _pitched(person, degrees)
    part = person.body.parts["tights"]
    vertices = person.vertices.astype(np.float64)
    leg = np.zeros(len(vertices), bool)
    leg[part.start : part.stop] = True
    ankle = person.joint("foot.L").astype(np.float64)
    leg &= (vertices[:, 0] > 0) & (vertices[:, 1] < ankle[1] + 0.27)
    along = (person.joint("toe2-1.L") + person.joint("toe3-1.L")) / 2 - ankle
    along[1] = 0
    z = unit(along)
    to_world = np.stack([np.cross([0.0, 1.0, 0.0], z), [0.0, 1.0, 0.0], z], 1)
    local = (vertices[leg] - [ankle[0], 0.0, ankle[2]]) @ to_world
    rear = local[:, 2][local[:, 1] < ankle[1]].min()
    origin = np.array([ankle[0], 0.0, ankle[2]]) + z * rear
    local = (vertices - origin) @ to_world
    body = person.body.parts["body"].faces
    shin = (vertices[:, 0] > 0) & (vertices[:, 1] < ankle[1] + 0.27)
    bare = surface(local, body[shin[body].all(1)])
    faces = part.faces[leg[part.faces].all(1)]
    foot = leg & (vertices[:, 1] < ankle[1])
    sole = local[foot]
    heel = sole[sole[:, 2] < 0.3 * np.ptp(sole[:, 2]), 1].min()
    ball = float(((person.joint("toe2-1.L") - origin) @ to_world)[2])
    return Foot(
        person, to_world, origin, surface(local, faces), bare, np.flatnonzero(leg), float(np.ptp(sole[:, 2])), ball,
        max(float(heel) + 0.003, 0.0) if degrees else 0.0,
    )  # fmt: skip


def _cast(
    around: Surface, origins: Float[ndarray, "n 3"], directions: Float[ndarray, "n 3"], room: float, reach: float
) -> Float[ndarray, "n 3"]:
    """Points on each ray where it leaves (seen from its far end) the space within ``room`` of a surface."""
    t = np.linspace(reach, 0, 80)
    points = origins[:, None] + directions[:, None] * t[None, :, None]
    close, normal = around.nearest(points.reshape(-1, 3))
    away = points.reshape(-1, 3) - close
    distance = np.sign(np.einsum("nd,nd->n", away, normal)) * np.linalg.norm(away, axis=1)
    inside = distance.reshape(len(origins), -1) < room
    first = np.where(inside.any(1), inside.argmax(1), len(t) - 1)
    return points[np.arange(len(origins)), np.maximum(first - 1, 0)]


def _outline(foot: Foot, last: Last, count: int) -> tuple[Float[ndarray, "n 2"], Float[ndarray, "n 2"]]:
    """The sole's edge seen from above (x, z) and its outward normals: from the heel's back round by the outer side."""
    points = foot.sock.vertices
    low = points[points[:, 1] < foot.base(points[:, 2]) + (0.028 if last.throat else 0.04)][:, [0, 2]]
    hull = low[ConvexHull(low).vertices]
    hull = np.concatenate([hull, hull[:1]])
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(hull, axis=0), axis=1))])
    dense = np.stack([np.interp(np.linspace(0, run[-1], 400, endpoint=False), run, hull[:, k]) for k in range(2)], 1)
    dense = gaussian_filter1d(dense, 9, axis=0, mode="wrap")
    dense += _outward(dense) * (0.0015 + last.room)
    x, z = dense[:, 0], dense[:, 1]
    share = z / foot.length
    toe = step(0.7, 1.0, share)
    z = z + last.longer * step(0.45, 1.0, share)
    centre = x[share > 0.9].mean() + 0.004
    x = centre + (x - centre) * (1 - last.point * 0.62 * toe) if last.point else x
    x = np.where(x < 0, x + 0.006 * step(0.2, 0.4, share) * (1 - step(0.4, 0.62, share)), x)
    dense = gaussian_filter1d(np.stack([x, z], 1), 4, axis=0, mode="wrap")
    start = np.argmin(dense[:, 1] + 0.3 * np.abs(dense[:, 0] - dense[dense[:, 1] < dense[:, 1].min() + 0.02, 0].mean()))
    dense = np.roll(dense, -start, 0)
    if dense[40, 0] < dense[0, 0]:
        dense = np.roll(dense[::-1], 1, 0)
    toe_at = int(np.argmax(dense[:, 1]))
    closed = np.concatenate([dense, dense[:1]])
    # Equally many columns on each side, so that the sole's underside is a ladder.
    outer = np.linspace(0, toe_at, count // 2, endpoint=False)
    inner = np.linspace(toe_at, len(dense), count - count // 2, endpoint=False)
    at = np.concatenate([outer, inner])
    ring = np.stack([np.interp(at, np.arange(len(closed)), closed[:, k]) for k in range(2)], 1)
    return ring, _outward(ring)


def _outward(ring: Float[ndarray, "n 2"]) -> Float[ndarray, "n 2"]:
    """Outward normals of a closed curve."""
    tangent = np.roll(ring, -1, 0) - np.roll(ring, 1, 0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    area = np.cross(np.c_[ring, np.zeros(len(ring))], np.c_[np.roll(ring, -1, 0), np.zeros(len(ring))])[:, 2].sum()
    return normal if area > 0 else -normal


# ------------------------------------------------------------------------------------------------- the shoe


@dataclass(frozen=True, eq=False)
class Left:
    """A left shoe in its foot's frame."""

    shape: Shape
    grid: Float[ndarray, "r c 3"] | None
    """The outer side of the upper, from sole to opening."""


@kept(lambda kind, low: f"shoe-{kind}-{'low' if low else 'full'}")
def _left(kind: str, low: bool) -> Left:
    last = LASTS[kind]
    foot = _foot(last.pitch)
    columns, rows = (28, 6) if low else (64, 16)
    ring, normal = _outline(foot, last, columns)
    shapes = _sole(foot, last, ring, normal)
    if kind == "sandals":
        return Left(join(*shapes, *_straps(foot, low)), None)
    grid = _upper(foot, last, ring, rows)
    shapes.append(sheet(grid, UPPER, closed=True))
    inside = grid[::-1][: max(2, rows // 3)].copy()
    close, away = _covered(foot, inside, last.sock)
    inside = close + away * 0.001
    lip = (grid[-1] + inside[0]) / 2 + [0, 0.0012, 0]
    shapes.append(sheet(np.concatenate([grid[-1:], lip[None], inside]), LINING, closed=True))
    if not low and kind in ("sneakers", "shoes"):
        shapes += _laces(foot, grid, kind)
    return Left(join(*shapes), grid)


def _sole(foot: Foot, last: Last, ring: Float[ndarray, "n 2"], normal: Float[ndarray, "n 2"]) -> list[Shape]:
    """The slab under the foot, its edge, and the heel block."""

    def row(out: float, height: Float[ndarray, "n"]) -> Float[ndarray, "n 3"]:
        edge = ring + normal * out
        return np.stack([edge[:, 0], height, edge[:, 1]], 1)

    z = ring[:, 1]
    share = z / foot.length
    base = foot.base(z)
    rocker = (0.009 if not last.throat else 0.003) * step(0.78, 1.06, share)
    under = base - last.slab + rocker + 0.002 * (1 - step(-0.02, 0.08, share))
    wall = last.wall * (1 + 0.9 * step(0.85, 1.0, share) + 0.5 * (1 - step(0.0, 0.15, share)))
    top = base + wall + rocker * 0.6
    bevel = min(0.0018, last.slab * 0.3)
    out = last.welt
    bed = row(-0.006, np.minimum(base + 0.005, top))
    rows = [bed, row(-0.006, top), row(out - bevel, top), row(out, top - bevel), row(out + 0.0004, (top + under) / 2)]
    rows += [row(out, under + bevel), row(out - bevel, under)]
    edge = sheet(np.stack(rows), SOLE, closed=True, flip=True)
    shapes = [edge]
    half = len(ring) // 2
    # Pairs of columns across the sole make a ladder.
    left, right = rows[-1][: half + 1], rows[-1][(-np.arange(half + 1)) % len(ring)]
    across = np.linspace(0, 1, 5)[None, :, None]
    ladder = left[:, None] * (1 - across) + right[:, None] * across
    shapes.append(_facing(sheet(ladder, SOLE), np.array([0.0, -1.0, 0.0])))
    inner = np.stack([rows[0][: half + 1], rows[0][(-np.arange(half + 1)) % len(ring)]])
    footbed = inner[0][:, None] * (1 - across) + inner[1][:, None] * across
    footbed[..., 1] = np.minimum(foot.base(footbed[..., 2]) + 0.005, footbed[..., 1])
    shapes.append(_facing(sheet(footbed, LINING), np.array([0.0, 1.0, 0.0])))
    if last.heel:
        shapes.append(_heel(foot, last, ring + normal * (last.welt - 0.001)))
    return shapes


def _facing(shape: Shape, direction: Float[ndarray, "3"]) -> Shape:
    """The shape with its faces turned so that most look along ``direction``."""
    a, b, c = (shape.vertices[shape.faces[:, k]] for k in range(3))
    if (np.cross(b - a, c - a) @ direction).sum() < 0:
        return replace(shape, faces=shape.faces[:, ::-1], uvs=shape.uvs[:, ::-1])
    return shape


def _heel(foot: Foot, last: Last, ring: Float[ndarray, "n 2"]) -> Shape:
    """The block from the sole's rear to the ground."""
    half = len(ring) // 2
    breast = last.heel * foot.length
    side = ring[: half + 1]
    stop = np.interp(breast, side[: half // 2, 1], np.arange(half // 2))
    at = np.linspace(-stop, stop, 22)
    arc = np.stack(
        [np.interp(at % len(ring), np.arange(len(ring) + 1), np.r_[ring[:, k], ring[0, k]]) for k in range(2)], 1
    )
    front = np.linspace(arc[-1], arc[0], 9)[1:-1]
    front[:, 1] -= 0.006 * np.sin(np.linspace(0, np.pi, 9)[1:-1])
    loop = np.concatenate([arc, front])
    top = foot.base(loop[:, 1]) - last.slab + 0.002
    ground = foot.base(np.array(foot.length)) - last.slab
    centre = np.array([loop[:, 0].mean(), 0.035 if last.throat else loop[:, 1].mean()])
    rows = []
    for t in np.linspace(0, 1, 9 if last.throat else 4):
        size = 1 + (last.heel_tip - 1) * (1 - (1 - t) ** 2.6 if last.throat else t)
        spot = centre + (loop - centre) * size
        rows.append(np.stack([spot[:, 0], top + (ground - top) * t, spot[:, 1]], 1))
    tip = rows[-1].copy()
    rows.append(tip + (np.array([centre[0], ground, centre[1]]) - tip) * 0.06 - [0, 0.0008, 0])
    tip = np.repeat(np.array([[centre[0], ground - 0.0008, centre[1]]]), len(loop), 0)
    return outside(sheet(np.stack([*rows, tip]), UPPER_PLAIN if last.throat else SOLE, closed=True))


UPPER_PLAIN: Box = (0.02, 0.1, 0.06, 0.3)
"""A patch of the upper's texture without seams."""


def _upper(foot: Foot, last: Last, ring: Float[ndarray, "n 2"], rows: int) -> Float[ndarray, "r c 3"]:
    """Outer side of the upper: a grid shrunk onto the foot between the sole's edge and the opening."""
    z = ring[:, 1]
    bottom = np.stack([ring[:, 0], foot.base(z) + min(last.wall, 0.006) - 0.004, z], 1)
    top = _pump_opening(foot, last, ring) if last.throat else _ankle_opening(foot, last, ring)
    t = np.linspace(0, 1, rows) ** 0.9
    tip = step(0.62, 0.92, z / foot.length)
    control = bottom.copy()
    control[:, [0, 2]] += _outward(ring) * 0.006
    control[:, 1] = np.maximum(top[:, 1], bottom[:, 1] + 0.03)
    control[:, 1] += tip * (bottom[:, 1] + last.toe - control[:, 1])
    if last.back > 0.15:  # a shaft: up the instep, then up the leg
        ankle = np.minimum(top[:, 1], 0.13)
        mid = top.copy()
        mid[:, 1] = ankle
        lower, upper = t[t < 0.62] / 0.62, (t[t >= 0.62] - 0.62) / 0.38
        control[:, 1] = ankle + tip * (bottom[:, 1] + last.toe - ankle)
        grid = np.concatenate([_bezier(bottom, control, mid, lower), _bezier(mid, (mid + top) / 2, top, upper)])
    else:
        grid = _bezier(bottom, control, top, t)
    share = t[:, None]
    for turn in range(42):
        if turn < 40:
            around = (np.roll(grid, 1, 1) + np.roll(grid, -1, 1)) / 2
            smooth = (grid[:-2] + grid[2:]) / 2 * 0.6 + around[1:-1] * 0.4
            slack = 1 - 0.9 * step(0.8, 0.97, grid[1:-1, :, 2:] / foot.length)
            grid[1:-1] += 0.6 * slack * (smooth - grid[1:-1])
        along = grid[..., 2] / foot.length
        close, normal = _covered(foot, grid, last.sock)
        up = np.clip(normal[..., 1], 0, 1)
        want = last.room + last.toe_room * step(0.55, 1.0, along) * (0.35 + 0.65 * up)
        if not last.throat:  # the ankle bends
            want = want + 0.0025 * step(0.25, 0.1, along) + 0.001 * step(0.6, 0.45, along)
        distance = np.einsum("rcd,rcd->rc", grid - close, normal)
        inwards = step(0.15, 0.45, share) * (1 - step(0.74, 0.93, along)) * (turn < 34)
        pull = np.clip(want - distance, 0, None) + np.clip(want - distance, None, 0) * inwards
        pull[0] = pull[-1] = 0
        grid = grid + normal * pull[..., None] * (0.7 if turn < 34 else 0.5)
    return grid


def _covered(
    foot: Foot, points: Float[ndarray, "*n 3"], rear: float = -1.0
) -> tuple[Float[ndarray, "*n 3"], Float[ndarray, "*n 3"]]:
    """The closest point of what a shoe lies on, and its normal: of the skin, but of the smooth sock about the toes.

    Args:
        rear: Share of the foot behind which it is the sock again.
    """
    flat = points.reshape(-1, 3)
    along = flat[:, 2:] / foot.length
    sock = step(0.58, 0.76, along) + 1 - step(rear - 0.08, rear + 0.08, along)
    (skin_point, skin_normal), (sock_point, sock_normal) = foot.skin.nearest(flat), foot.sock.nearest(flat)
    close, normal = (a + sock.clip(0, 1) * (b - a) for a, b in ((skin_point, sock_point), (skin_normal, sock_normal)))
    return close.reshape(points.shape), unit(normal).reshape(points.shape)


def _bezier(a: ndarray, b: ndarray, c: ndarray, t: Float[ndarray, "r"]) -> Float[ndarray, "r c 3"]:
    t = t[:, None, None]
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c


def _ankle_opening(foot: Foot, last: Last, ring: Float[ndarray, "n 2"]) -> Float[ndarray, "n 3"]:
    """A loop around the ankle or leg, one point a column of the sole's edge."""
    local = (foot.person.shaped.joints.astype(np.float64) - foot.origin) @ foot.to_world
    names = foot.person.body.joint_names
    ankle, shin = local[names.index("foot.L")], local[names.index("lowerleg02.L")]
    height = foot.base(np.array(0.04)) + np.array([last.back, last.side, last.front])
    if last.back > 0.15:
        ankle = ankle + (shin - ankle) * (height[0] - ankle[1]) / (shin[1] - ankle[1])
    offset = ring - ankle[[0, 2]]
    squeeze = np.where(offset[:, 1] > 0, 0.42, 1.0)
    direction = np.stack([offset[:, 0], offset[:, 1] * squeeze], 1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    forward = direction[:, 1]
    y = height[1] + (height[2] - height[1]) * np.clip(forward, 0, 1) ** 1.6
    y += (height[0] - height[1]) * np.clip(-forward, 0, 1) ** 2
    origins = np.stack([np.full(len(ring), ankle[0]), y, np.full(len(ring), ankle[2])], 1)
    directions = np.stack([direction[:, 0], np.zeros(len(ring)), direction[:, 1]], 1)
    around, room = (foot.sock, last.room) if last.sock > 1 else (foot.skin, 0.0042)
    found = _cast(around, origins, directions, room, 0.14)
    return gaussian_filter1d(found, 1.0, axis=0, mode="wrap")


def _pump_opening(foot: Foot, last: Last, ring: Float[ndarray, "n 2"]) -> Float[ndarray, "n 3"]:
    """A pump's opening: low along the sides, across the toes' roots in a curve."""
    z = ring[:, 1]
    half = len(ring) // 2
    throat = last.throat * foot.length
    rise = last.side + (last.back - last.side) * (1 - step(0.0, 0.4 * foot.length, z))
    rise = rise * (1 - 0.25 * step(0.35 * foot.length, throat, z))
    start = np.stack([ring[:, 0], foot.base(z) + rise, z], 1)
    close, normal = _covered(foot, start)
    points = close + normal * last.room
    first = int(np.argmax(z[:half] > throat - 0.035))
    front = np.arange(first, len(ring) - first + 1)
    a, b = points[front[0] - 1], points[front[-1] + 1]
    turn = np.linspace(0, np.pi, len(front) + 2)[1:-1]
    # Half an ellipse about the toes' roots, seen from above.
    seen = (a + b) / 2 + (a - b) / 2 * np.cos(turn)[:, None]
    seen[:, 2] += (throat + 0.012 - (a[2] + b[2]) / 2) * np.sin(turn)
    seen[:, 1] = 0
    points[front] = _cast(foot.skin, seen, np.tile([0.0, 1.0, 0.0], (len(front), 1)), last.room, 0.16)
    close, normal = _covered(foot, gaussian_filter1d(points, 4.0, axis=0, mode="wrap"))
    points = close + normal * (last.room - 0.0005)
    points[:, 1] = gaussian_filter1d(points[:, 1], 4.0, mode="wrap")
    return points


def _straps(foot: Foot, low: bool) -> list[Shape]:
    """A sandal's bands: across the toes, across the instep, and around the heel."""
    count = 10 if low else 26
    length, shapes = foot.length, []

    def band(around: Surface, centre: float, lean: float, width: float) -> Shape:
        """Over the foot from edge to edge of the sole."""
        turn = np.linspace(-0.3, np.pi + 0.3, count)
        rows = []
        for across in np.linspace(0.5, -0.5, 4):
            z = (centre + lean * np.cos(turn) * 0.5) * length + across * width
            middle = np.stack([np.full(count, 0.004), np.full(count, 0.016), z], 1)
            away = np.stack([np.cos(turn), np.sin(turn), np.zeros(count)], 1)
            rows.append(_cast(around, middle, away, 0.0012, 0.12))
        return thick(np.stack(rows))

    def thick(inner: Float[ndarray, "r c 3"]) -> Shape:
        inner = gaussian_filter1d(inner, 1.2, axis=1, mode="nearest")
        normal = foot.sock.nearest(inner.reshape(-1, 3))[1].reshape(inner.shape)
        outer = inner + normal * 0.003
        outer[1:-1] += normal[1:-1] * 0.0006
        return slab(outer, inner, UPPER, UPPER)

    shapes += [band(foot.sock, 0.71, -0.05, 0.03), band(foot.skin, 0.52, 0.03, 0.024)]
    ankle = (foot.person.joint("foot.L") - foot.origin) @ foot.to_world
    turn = np.linspace(-0.72 * np.pi, 0.72 * np.pi, count)
    rows = []
    for across in np.linspace(0.5, -0.5, 4):
        height = 0.052 + across * 0.015 - 0.058 * np.abs(turn / turn[-1]) ** 1.8
        middle = np.stack([np.full(count, ankle[0]), np.maximum(height, 0.016), np.full(count, ankle[2])], 1)
        away = np.stack([-np.sin(turn), np.zeros(count), -np.cos(turn)], 1)
        found = _cast(foot.skin, middle, away, 0.0012, 0.12)
        found[:, 1] = height  # its ends go down into the sole
        rows.append(found)
    shapes.append(thick(np.stack(rows)[::-1]))
    return [outside(shape) for shape in shapes]


def _laces(foot: Foot, grid: Float[ndarray, "r c 3"], kind: str) -> list[Shape]:
    """Bars across the instep and a bow."""
    cover = sheet(grid, UPPER, closed=True)
    skin_of = Surface(cover.vertices, cover.faces.astype(np.int64), vertex_normals(cover.vertices, cover.faces))
    front = grid[-1, np.argmax(grid[-1, :, 2])]
    bars = 5 if kind == "sneakers" else 4
    reach = 0.018 if kind == "sneakers" else 0.012
    thickness = 0.0024 if kind == "sneakers" else 0.0013
    shapes = []

    def lay(points: Float[ndarray, "n 3"], above: float) -> Float[ndarray, "n 3"]:
        close, normal = skin_of.nearest(points)
        return close + normal * above

    last_bar = np.zeros(3)
    for k, z in enumerate(np.linspace(front[2] + 0.012, 0.64 * foot.length, bars)):
        across = np.linspace(-1, 1, 9)
        height = np.interp(z, [front[2], 0.64 * foot.length], [front[1], front[1] * 0.62]) + 0.01
        line = np.stack([front[0] + across * (reach + 0.003 * (bars - k)), np.full(9, height), z + 0.002 * across], 1)
        path = lay(line, thickness * 0.5)
        path[[0, -1]] = lay(path[[0, -1]], -0.001)
        shapes.append(tube(path, thickness, ACCENT, 6, flat=0.6, up=skin_of.nearest(path)[1]))
        if k == 0:
            last_bar = path[4]
    for sign in (-1, 1):
        turn = np.linspace(0, 1, 13)
        loop = np.stack(
            [
                sign * (0.001 + 0.020 * np.sin(np.pi * turn) ** 0.8),
                np.zeros(13),
                0.010 + 0.010 * np.sin(2 * np.pi * turn),
            ],
            1,
        )
        path = lay(last_bar + loop, thickness * 1.6)
        path[:, 1] += 0.002 * np.sin(np.pi * turn)
        shapes.append(tube(path, thickness * 0.8, ACCENT, 6))
        end = last_bar + np.stack([sign * 0.016 * turn, 0 * turn, 0.010 + 0.02 * turn + 0.004 * np.sin(4 * turn)], 1)
        shapes.append(tube(lay(end, thickness * 1.3), thickness * 0.8, ACCENT, 6))
    knot = lay(last_bar + np.array([[-0.003, 0, 0.010], [0, 0, 0.010], [0.003, 0, 0.010]]), thickness * 2)
    shapes.append(tube(knot, thickness * 1.7, ACCENT, 6))
    return shapes


# ------------------------------------------------------------------------------------------------- the pair


@kept(lambda kind, detail: f"shoes-{kind}-{detail}")
def _pair(kind: str, detail: str) -> Fitted:
    """Both shoes around the mean adult, and what carries them."""
    last = LASTS[kind]
    foot = _foot(last.pitch)
    body = foot.person.body
    left = _left(kind, detail == "low")
    points = foot.world(left.shape.vertices)
    vertices = foot.person.vertices.astype(np.float64)
    tights = body.parts["tights"]
    others = np.arange(tights.start, tights.stop)
    _, twin = cKDTree(vertices[others] * [-1, 1, 1]).query(vertices[foot.anchors])
    # The sole stays a plane: only what is well above it follows the foot's own bumps.
    local = step(0.002, 0.03, left.shape.vertices[:, 1] - foot.base(left.shape.vertices[:, 2]))
    map_left = carrier(points, vertices[foot.anchors], 0.012, local)
    count, anchors = map_left.shape
    carry = np.zeros((2 * count, 2 * anchors), np.float32)
    carry[:count, :anchors] = map_left
    flip = np.array([-1.0, 1.0, 1.0])
    right_anchors = others[twin]
    carry[count:, anchors:] = carrier(points * flip, vertices[right_anchors], 0.012, local)
    shape = left.shape
    dense = _weights(body, foot, left.shape.vertices, points)
    swap = [_other(body, name) for name in body.joint_names]
    weights, joints = four(np.concatenate([dense, dense[:, swap]]))
    return Fitted(
        Shape(
            np.concatenate([points, points * flip]),
            np.concatenate([shape.faces, shape.faces[:, ::-1] + count]),
            np.concatenate([shape.uvs, shape.uvs[:, ::-1]]),
        ),
        np.concatenate([foot.anchors, right_anchors]), carry, weights, joints,
        _hidden(foot, left, 0.016 if last.throat else 0.011),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fitting:
    """What draws a pair that was carried to somebody as close about their own heels as about the mean adult's."""

    skin: Int[ndarray, "f 3"]
    """Faces of both feet and ankles, among the body's vertices."""
    above: Float[ndarray, "v"]
    """Metres above the mean adult's skin."""
    share: Float[ndarray, "v"]
    """0 for soles and toes, 1 about an opening and on straps."""
    near: Int[ndarray, "v 12"]
    """What moves together."""

    def on(self, person: Person, vertices: Float[ndarray, "v 3"]) -> Float[ndarray, "v 3"]:
        """A pair's vertices, closer or wider; nothing moves farther than 8 mm."""
        moved = np.flatnonzero(self.share)
        distance, normal = _off(person, self.skin, vertices[moved])
        shift = np.zeros(len(vertices))
        shift[moved] = np.clip(self.above[moved] * person.spec.body.height / 1.7 - distance, -0.008, 0.008)
        shift = (self.share * shift)[self.near].mean(1)
        out = vertices.astype(np.float32)
        out[moved] += (normal * shift[moved, None]).astype(np.float32)
        return out


def _off(
    person: Person, faces: Int[ndarray, "f 3"], points: Float[ndarray, "v 3"]
) -> tuple[Float[ndarray, "v"], Float[ndarray, "v 3"]]:
    """How far points lie outside of a person's skin, and the skin's normals there."""
    used, inverse = np.unique(faces, return_inverse=True)
    skin_of = surface(person.vertices[used].astype(np.float64), inverse.reshape(-1, 3), 0)
    close, normal = skin_of.nearest(points.astype(np.float64))
    return np.einsum("nd,nd->n", points - close, normal), normal


@kept(lambda kind, detail: f"shoe-fitting-{kind}-{detail}")
def _fitting(kind: str, detail: str) -> Fitting:
    foot, pair = _foot(LASTS[kind].pitch), _pair(kind, detail)
    part = foot.person.body.parts["body"]
    low = foot.person.vertices[:, 1] < foot.person.joint("foot.L")[1] + 0.16
    faces = part.faces[low[part.faces].all(1)]
    above, _ = _off(foot.person, faces, pair.shape.vertices)
    local = _left(kind, detail == "low").shape.vertices
    along = local[:, 2] / foot.length
    share = step(0.008, 0.022, local[:, 1] - foot.base(local[:, 2])) * (1 - step(0.12, 0.16, local[:, 1] - foot.lift))
    share *= 1 - step(0.5, 0.66, along)
    count = len(local)
    _, near = cKDTree(local).query(local, k=12)
    above = np.maximum(above, np.maximum(0.0008 + 0.5 * above, 0))  # an edge through the skin would be seen
    return Fitting(faces, above, np.tile(share, 2), np.concatenate([near, near + count]))


def _other(body: Body, name: str) -> int:
    """The joint of the other side."""
    twin = {"L": "R", "R": "L"}.get(name[-1])
    return body.joint_names.index(name[:-1] + twin if name[-2:-1] == "." and twin else name)


def _weights(
    body: Body, foot: Foot, local: Float[ndarray, "v 3"], points: Float[ndarray, "v 3"]
) -> Float[ndarray, "v j"]:
    """Leg, foot and toes: a shoe bends across the ball, all toes at once."""
    nearby = np.flatnonzero(foot.person.vertices[: _skin(), 0] > 0)
    dense = dense_weights(body, points, nearby, foot.person.vertices)
    names = body.joint_names
    toes = [i for i, name in enumerate(names) if name.startswith("toe")]
    ankle = names.index("foot.L")
    dense[:, ankle] += dense[:, toes].sum(1)
    dense[:, toes] = 0
    keep = [i for i, name in enumerate(names) if name in ("foot.L", "lowerleg01.L", "lowerleg02.L")]
    dense[:, [i for i in range(len(names)) if i not in keep]] = 0
    # The sole and everything near it never follows the leg.
    grounded = 1 - step(0.02, 0.05, local[:, 1] - foot.base(local[:, 2]))
    leg = dense[:, [i for i in keep if i != ankle]].sum(1)
    dense[:, [i for i in keep if i != ankle]] *= (1 - grounded)[:, None]
    dense[:, ankle] += leg * grounded
    bend = 0.9 * step(foot.ball - 0.022, foot.ball + 0.025, local[:, 2])
    for name in ("toe1-1.L", "toe3-1.L", "toe4-1.L"):
        dense[:, names.index(name)] = dense[:, ankle] * bend / 3
    dense[:, ankle] *= 1 - bend
    return dense / dense.sum(1, keepdims=True)


def _hidden(foot: Foot, left: Left, margin: float) -> Bool[ndarray, "b"] | None:
    """Faces of both feet that lie deep inside, or on a sandal's sole."""
    body = foot.person.body
    part = body.parts["body"]
    points = (foot.person.vertices[: part.stop] - foot.origin) @ foot.to_world
    beside = (points[:, 0] > -0.12) & (points[:, 0] < 0.12)
    if left.grid is None:
        under = vertex_normals(points, part.faces)[:, 1] < -0.5
        return _on_both(body, beside & under & (points[:, 1] < foot.base(points[:, 2]) + 0.012))
    grid = left.grid
    opening = grid[-1]
    fill = opening[None] + (opening.mean(0) - opening)[None] * np.linspace(0, 1, 12)[:, None, None]
    wall = grid[:-1].reshape(-1, 3)
    under = sheet(grid[:1] * 1.0, UPPER).vertices
    floor = (under[None] + (under.mean(0) - under)[None] * np.linspace(0, 1, 12)[:, None, None]).reshape(-1, 3)
    solid = np.concatenate([wall, floor])
    near = beside & (points[:, 1] < opening[:, 1].max())
    to_solid, _ = cKDTree(solid).query(points)
    to_air, _ = cKDTree(fill.reshape(-1, 3)).query(points)
    covered = near & (to_solid < 0.07) & (to_air > margin) & ((to_solid < to_air) | (to_air > 0.03))
    return _on_both(body, covered)


def _on_both(body: Body, chosen: Bool[ndarray, "v"]) -> Bool[ndarray, "b"]:
    """Faces all of whose corners are chosen, on either side."""
    part = body.parts["body"]
    both = chosen | np.where(body.mirror[: part.stop] >= 0, chosen[body.mirror[: part.stop]], False)
    return np.asarray(both[part.faces].all(1))


# ------------------------------------------------------------------------------------------------- materials


@dataclass(frozen=True, eq=False)
class Paint:
    """What every shoe of a kind shares: how its texture departs from the garment's colours."""

    shade: Float[ndarray, "h w"]
    """Multiplies the colour."""
    second: Float[ndarray, "h w 1"]
    """Share of the garment's second colour on the upper."""
    sole: Bool[ndarray, "h w"]
    lining: Bool[ndarray, "h w"]
    accent: Bool[ndarray, "h w"]
    roughness: UInt8[ndarray, "h w"]
    normal: UInt8[ndarray, "h w 3"] | None


def _box_mask(box: Box, height: int, width: int) -> Bool[ndarray, "h w"]:
    left, top, right, bottom = box
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    return ((y > top - 0.02) & (y < bottom + 0.02))[:, None] & ((x > left - 0.02) & (x < right + 0.02))[None]


@kept(lambda kind, detail: f"shoe-paint-{kind}-{detail}")
def _paint(kind: str, detail: str) -> Paint:
    last = LASTS[kind]
    width, height = (128, 64) if detail == "low" else (1024, 512)
    foot = _foot(last.pitch)
    rows = round(UPPER[3] * height)
    tall = np.zeros((height, width), np.float32)
    shade = np.ones((height, width), np.float32)
    second = np.zeros((height, width), np.float32)
    grain = np.tile(noise(512, 0.9, 3), (1, 2))[:height, :width]
    cloud = np.tile(noise(512, 14, 4), (1, 2))[:height, :width]
    grid = _left(kind, False).grid
    scale = width / 1024
    if grid is not None:
        wrapped = np.concatenate([grid, grid[:, :1]], 1)
        at = np.meshgrid(np.linspace(0, grid.shape[0] - 1, rows), np.linspace(0, grid.shape[1], width), indexing="ij")
        x, y, z = (map_coordinates(wrapped[..., k], at, order=1) for k in range(3))
        along, rise = z / foot.length, y - foot.base(z)
        across = x - x[-1].mean()
        up = np.repeat(np.linspace(0, 1, rows)[:, None], width, 1)
        seams = _seams(kind, along, rise, across, up)
        lines, panels, seconds = seams
        relief = np.zeros_like(along)
        for field, wide in lines:
            relief -= np.exp(-((field / wide) ** 2))
            stitch = np.exp(-(((field - 2.2 * wide) / (0.5 * wide)) ** 2)) * (np.sin(800 * (along + 2.1 * rise)) > -0.2)
            relief += 0.5 * stitch
            shade[:rows] *= 1 - 0.3 * np.exp(-((field / (0.8 * wide)) ** 2)) + 0.06 * stitch
        for field, amount in panels:
            relief += 0.9 * amount * step(-0.0006, 0.0006, field)
            shade[:rows] *= 1 - 0.05 * amount * step(-0.0004, 0.0004, field)
        for field in seconds:
            second[:rows] = np.maximum(second[:rows], step(-0.0003, 0.0003, field))
        tall[:rows] += relief
        shade[:rows] *= 1 - 0.10 * (1 - step(0.0, 0.012, rise - last.wall))
        if kind in ("boots", "shoes"):
            shade[:rows] *= 1.03 - 0.07 * step(0.8, 1.0, along)
            fold = np.sin(260 * (rise + 0.25 * along) + 2 * cloud[:rows])
            crease = step(0.07, 0.1, rise) * (1 - step(0.13, 0.17, rise)) if kind == "boots" else 0 * rise
            crease = crease + step(0.6, 0.66, along) * (1 - step(0.72, 0.76, along)) * 0.6 * (rise > 0.02)
            tall[:rows] += 0.7 * crease * fold
            shade[:rows] *= 1 - 0.022 * crease * (1 - fold)
    knit = kind == "sneakers"
    if knit and detail == "full":
        i, j = np.mgrid[:height, :width]
        weave = np.sin(i * 1.4 / scale) * np.sin(j * 1.4 / scale + np.pi * (np.floor(i * 1.4 / scale / np.pi) % 2))
        tall[:rows] += 0.35 * weave[:rows] * (1 - second[:rows])
        shade[:rows] *= 1 + 0.04 * weave[:rows]
    else:
        tall[:rows] += 0.16 * grain[:rows]
        shade[:rows] *= 1 + 0.012 * cloud[:rows]
    sole, lining, accent = (_box_mask(box, height, width) for box in (SOLE, LINING, ACCENT))
    edge = np.sin(np.linspace(0, 6 * np.pi, height - rows))[:, None]
    tread = np.linspace(0, 1, height - rows)[:, None] > 0.66
    tall[rows:] += np.where(sole[rows:], 0.5 * edge, 0.25 * grain[rows:])
    shade[rows:] *= np.where(
        sole[rows:], 1 + 0.02 * edge + 0.01 * cloud[rows:] - (0.2 if knit else 0.06) * tread, 1 + 0.02 * cloud[rows:]
    )
    smooth = {"sneakers": 0.78, "boots": 0.48, "shoes": 0.32, "heels": 0.28, "sandals": 0.55}[kind]
    rough = np.full((height, width), smooth, np.float32)
    rough[rows:] = 0.8
    rough[rows:][sole[rows:]] = 0.62
    rough += 0.03 * cloud + 0.03 * grain
    normal = None if detail == "low" else normal_map(tall, 0.55)
    return Paint(shade, second[..., None], sole, lining, accent, (rough.clip(0.05, 1) * 255).astype(np.uint8), normal)


Field = Float[ndarray, "h w"]


def _seams(
    kind: str, along: Field, rise: Field, across: Field, up: Field
) -> tuple[list[tuple[Field, float]], list[tuple[Field, float]], list[Field]]:
    """Stitched lines (a distance-like field and a width), panels (positive inside, and their height), second colour."""
    if kind == "sneakers":
        guard = (along - 0.86 + 0.5 * np.abs(across) ** 2 * 20) * 0.25
        eyestay = np.minimum(0.024 + 0.1 * (0.64 - along).clip(0, 1) * 0.25 - np.abs(across), (along - 0.3) * 0.25)
        eyestay = np.minimum(eyestay, (0.70 - along) * 0.25)
        counter = (0.20 - along - 0.6 * rise) * 0.25
        slant = along + 1.7 * rise
        stripe = np.minimum(0.016 - np.abs(slant - 0.58), np.minimum(0.072 - rise, rise - 0.004) * 3) * 0.25
        return (
            [(guard, 0.0009), (eyestay, 0.0009), (counter, 0.0009)],
            [(guard, 1.0), (eyestay, 1.0), (counter, 1.0), (stripe, 0.8)],
            [stripe, np.minimum((0.055 - along) * 0.25, up * 0.2 - 0.12)],
        )
    if kind == "shoes":
        cap = (along - 0.80 - 2.0 * across**2) * 0.25
        facing = np.minimum(0.02 - np.abs(across) + 0.03 * (0.62 - along), (0.68 - along) * 0.25)
        quarter = (along - 0.5 + 1.2 * rise) * 0.25
        slit = np.where(along < 0.66, np.abs(across) - 0.0025, 0.01)
        return [(cap, 0.0009), (facing, 0.0009), (quarter, 0.0009), (slit, 0.0012)], [(cap, 0.7), (facing, 0.7)], []
    if kind == "boots":
        vamp = (along - 0.42 - 0.9 * (0.09 - rise) ** 2 * 40) * 0.25
        counter = (0.27 - along - 1.2 * (rise - 0.03)) * 0.25
        side = np.where(rise > 0.07, np.abs(along - 0.22 + 0.05 * (rise - 0.1)) * 0.25, 0.02)
        collar = up * 0.3 - 0.287
        return [(counter, 0.0009), (side, 0.0008), (collar, 0.001), (vamp, 0.0009)], [(counter, 0.7), (vamp, 0.7)], []
    if kind == "heels":
        return [(np.abs(along - 0.0) * 0.25 + 0.0006, 0.0007)], [], []
    return [], [], []


def _material(garment: Garment, detail: str) -> Material:
    """Colours on the kind's paint."""
    paint = _paint(garment.kind, detail)
    main = np.array(garment.colour.srgb, np.float32)
    other = np.array(garment.second.srgb, np.float32)
    dark = main @ np.array([0.3, 0.59, 0.11], np.float32) < 0.12
    if garment.kind == "sneakers":
        sole, accent = other, other if not np.allclose(other, main, atol=0.1) else main * 0.8
        lining = main * 0.75 + 0.1
    elif garment.kind == "sandals":
        sole, accent = np.array([0.33, 0.24, 0.17], np.float32), main * 0.6
        lining = np.array([0.56, 0.42, 0.29], np.float32)
    else:
        sole = np.array([0.09, 0.08, 0.075] if dark else [0.17, 0.12, 0.09], np.float32)
        accent, lining = main * 0.55 + 0.02, np.array([0.62, 0.5, 0.38], np.float32)
    colour = main + (other - main) * paint.second
    colour[paint.sole], colour[paint.lining], colour[paint.accent] = sole, lining, accent
    albedo = (colour * paint.shade[..., None] * 255 + 0.5).clip(0, 255).astype(np.uint8)
    return Material(albedo, paint.normal, paint.roughness)
