"""Lips and lids of a free-form mesh, cut open along the body's, so that what lies behind can be seen.

Around mouth and eyes the mesh is refined to about the size of a lip's own curves, the faces within the body's opening
(seen from the front) are taken out, the rim is laid exactly on the body's, and the surface around it is drawn to the
body's lids and lips, less and less over a centimetre and a half.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Bool, Float, Int, Int64
from numpy import ndarray

from bozzetto.geometry import edges_of, vertex_normals

_FINE, _REACH, _SURE = 0.0014, 0.016, 0.004
"""Metres on a face whose eyes are ``_APART`` apart: edges after refining; how far the mesh is drawn to the body, and up
to where fully."""
_APART = 0.0625
_SLIT = 0.0007
"""Half the height of the least opening that is cut, metres: lips at rest may touch."""


@dataclass(frozen=True, eq=False)
class Ring:
    """The rim of one opening of the body, seen from the front, as an upper and a lower line from corner to corner."""

    name: str
    upper: Int64[ndarray, "u"]
    """Vertices of the body, by rising x, corners included."""
    lower: Int64[ndarray, "w"]


@dataclass(frozen=True, eq=False)
class Opened:
    """A mesh with holes where mouth and eyes are."""

    vertices: Float[ndarray, "v 3"]
    faces: Int64[ndarray, "f 3"]
    colours: Float[ndarray, "v c"]
    side: Int64[ndarray, "v"]
    """1 on the upper lip and above, -1 on the lower and below, 0 elsewhere."""
    rim: Int64[ndarray, "r"]
    """Vertices that lie on a rim..."""
    rim_ends: Int64[ndarray, "r 2"]
    """...between two vertices of the body..."""
    rim_share: Float[ndarray, "r"]
    """...this far from the first to the second."""
    names: tuple[str, ...]
    """Of the openings that were cut."""


def rings(
    vertices: Float[ndarray, "v 3"],
    linings: Mapping[str, Int[ndarray, "_ 3"]],
    opened: Float[ndarray, "v 3"] | None = None,
) -> list[Ring]:
    """The rims of mouth and eyes, from the border of what lines them.

    Args:
        vertices: Metres.
        linings: Faces behind each opening.
        opened: The same vertices with the jaw open; lips that touch or overlap do not say which is the upper.
    """
    found, heights = [], (vertices if opened is None else opened)[:, 1]
    for name, faces in linings.items():
        loop = np.asarray(igl.boundary_loop(np.ascontiguousarray(faces, np.int64)))
        points = vertices[loop]
        left, right = int(points[:, 0].argmin()), int(points[:, 0].argmax())
        loop = np.roll(loop, -left)
        turn = (right - left) % len(loop)
        one, two = loop[: turn + 1], np.concatenate([loop[turn:], loop[:1]])[::-1]
        # Where a rim doubles back near its corners, the order along it still counts: x is only made to rise.
        upper, lower = (one, two) if heights[one].mean() > heights[two].mean() else (two, one)
        found.append(Ring(name, upper.astype(np.int64), lower.astype(np.int64)))
    return found


def line_height(
    vertices: Float[ndarray, "v 3"], rows: Int[ndarray, "n"], x: Float[ndarray, "m"]
) -> Float[ndarray, "m"]:
    """Height of a line at each x."""
    points = vertices[rows]
    return np.interp(x, np.maximum.accumulate(points[:, 0]), points[:, 1])


def _along(
    vertices: Float[ndarray, "v 3"], rows: Int[ndarray, "n"], x: Float[ndarray, "m"]
) -> tuple[Int64[ndarray, "m 2"], Float[ndarray, "m"]]:
    """Where on a line each x lies: the vertices before and behind it, and how far between them."""
    at = np.maximum.accumulate(vertices[rows, 0]) + np.arange(len(rows)) * 1e-9
    i = np.clip(np.searchsorted(at, x) - 1, 0, len(rows) - 2)
    share = np.clip((x - at[i]) / (at[i + 1] - at[i]), 0, 1)
    return np.stack([rows[i], rows[i + 1]], 1), share


def lip_side(
    points: Float[ndarray, "n 3"], middle: Float[ndarray, "n"], ring_points: Float[ndarray, "r 3"], scale: float
) -> Int64[ndarray, "n"]:
    """1 above the line between the lips, -1 below it, 0 away from the mouth."""
    low, high = ring_points.min(0), ring_points.max(0)
    reach = _REACH * scale
    near = (points[:, 0] > low[0]) & (points[:, 0] < high[0])
    near &= (np.abs(points[:, 1] - middle) < reach) & (points[:, 2] > low[2] - reach / 2)
    return np.where(near, np.where(points[:, 1] > middle, 1, -1), 0)


def face_scale(vertices: Float[ndarray, "v 3"], found: list[Ring]) -> float:
    """How large the face is beside the mean person's, by the distance between the eyes."""
    eyes = [vertices[np.concatenate([r.upper, r.lower]), 0].mean() for r in found if r.name != "mouth"]
    return float(np.ptp(eyes)) / _APART


def open_face(
    body: Float[ndarray, "b 3"],
    skin: Int[ndarray, "g 3"],
    found: list[Ring],
    body_side: Int[ndarray, "b"],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    colours: Float[ndarray, "v c"],
    leave: Collection[str] = (),
) -> Opened:
    """The mesh with mouth and eyes cut open; what the mesh does not cover closely stays shut, one eye with the other.

    Args:
        body: The body's vertices, metres; upright, facing +z.
        skin: Its outer faces.
        found: Its openings.
        body_side: Which body vertices belong to the upper lip (1) and to the lower (-1).
        vertices: Of the mesh, metres.
        faces: Counter-clockwise seen from outside.
        colours: One a vertex, or whatever else goes along.
        leave: Openings that are not cut.
    """
    scale = face_scale(body, found)
    mesh = Pieces(vertices, faces, colours)
    around = {ring.name: body[np.concatenate([ring.upper, ring.lower])] for ring in found}
    covered = {name for name, points in around.items() if mesh.covers(points, 0.02 * scale)}
    if not covered.issuperset({"left_eye", "right_eye"}):
        covered -= {"left_eye", "right_eye"}
    wanted = [ring for ring in found if ring.name in covered and ring.name not in leave]
    for ring in wanted:
        mesh.refine(around[ring.name], 1.4 * _REACH * scale, _FINE * scale)
    rim, ends, shares = [], [], []
    for ring in wanted:
        for row, pair, share in mesh.cut(ring, body, scale):
            rim.append(row)
            ends.append(pair)
            shares.append(share)
    rim = mesh.tidy(np.array(rim, np.int64))
    rim, order = np.unique(rim, return_index=True)
    pairs = np.array(ends, np.int64).reshape(-1, 2)[order]
    share = np.array(shares, float)[order]
    side = np.zeros(len(mesh.vertices), np.int64)
    for ring in wanted:
        if ring.name == "mouth":
            x = mesh.vertices[:, 0]
            middle = (line_height(body, ring.upper, x) + line_height(body, ring.lower, x)) / 2
            side = lip_side(mesh.vertices, middle, body[np.concatenate([ring.upper, ring.lower])], scale)
            mine = np.isin(pairs, ring.upper).all(1)
            side[rim[mine]] = 1
            side[rim[np.isin(pairs, ring.lower).all(1) & ~mine]] = -1
    target = body[pairs[:, 0]] + share[:, None] * (body[pairs[:, 1]] - body[pairs[:, 0]])
    placed = mesh.vertices.copy()
    if wanted:
        away = np.min([_distance(placed, body, ring) for ring in wanted], 0) / scale
        near = np.flatnonzero((away < _REACH) & (mesh.normal_z() > -0.2))
        pull = np.clip((_REACH - away[near]) / (_REACH - _SURE), 0, 1)
        pull = pull * pull * (3 - 2 * pull)
        goal = closest_on_side(placed[near], side[near], body, skin, body_side)[3]
        close = np.linalg.norm(goal - placed[near], axis=1) < 0.02 * scale
        placed[near[close]] += pull[close, None] * (goal[close] - placed[near[close]])
    placed[rim] = target
    return Opened(placed, mesh.faces, mesh.colours, side, rim, pairs, share, tuple(ring.name for ring in wanted))


def closest_on_side(
    points: Float[ndarray, "n 3"],
    side: Int[ndarray, "n"],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    surface_side: Int[ndarray, "v"],
) -> tuple[Int64[ndarray, "n"], Float[ndarray, "n 3"], Float[ndarray, "n"], Float[ndarray, "n 3"]]:
    """Face, shares, distance and place of the closest point of a surface; never from one lip to the other."""
    face, share = np.zeros(len(points), np.int64), np.zeros((len(points), 3))
    distance, place = np.full(len(points), np.inf), np.zeros((len(points), 3))
    surface = np.asfortranarray(vertices, np.float64)
    for which in (-1, 0, 1):
        mine = np.flatnonzero(side == which)
        allowed = np.arange(len(faces)) if which == 0 else np.flatnonzero((surface_side[faces] != -which).all(1))
        if not len(mine) or not len(allowed):
            continue
        corners = np.asfortranarray(faces[allowed], np.int64)
        squared, row, at = igl.point_mesh_squared_distance(
            np.asfortranarray(points[mine], np.float64), surface, corners
        )
        a, b, c = (np.asfortranarray(surface[corners[row, k]]) for k in range(3))
        parts = np.nan_to_num(igl.barycentric_coordinates(np.asfortranarray(at), a, b, c), nan=1 / 3).clip(0, 1)
        face[mine], share[mine] = allowed[row], parts / parts.sum(1, keepdims=True)
        distance[mine], place[mine] = np.sqrt(squared), at
    return face, share, distance, place


def _polygon(body: Float[ndarray, "v 3"], ring: Ring, scale: float) -> tuple[ndarray, ndarray, ndarray]:
    """The opening as upper and lower heights over its x, at least as high as a slit but for its corners."""
    both = np.concatenate([body[ring.upper], body[ring.lower]])
    x = np.linspace(both[:, 0].min(), both[:, 0].max(), 64)
    upper, lower = line_height(body, ring.upper, x), line_height(body, ring.lower, x)
    middle, half = (upper + lower) / 2, (upper - lower) / 2
    least = _SLIT * scale * np.minimum(1, np.minimum(np.arange(64), np.arange(64)[::-1]) / 3)
    half = np.maximum(half, least)
    return x, middle + half, middle - half


def _signed(
    points: Float[ndarray, "n 3"], body: Float[ndarray, "v 3"], ring: Ring, scale: float
) -> Float[ndarray, "n"]:
    """Distance to the opening's outline seen from the front, negative within."""
    x, upper, lower = _polygon(body, ring, scale)
    outline = np.concatenate([np.stack([x, upper], 1), np.stack([x, lower], 1)[::-1]])
    a, b = outline, np.roll(outline, -1, 0)
    along = b - a
    offset = points[:, None, :2] - a
    t = np.clip((offset * along).sum(2) / np.maximum((along**2).sum(1), 1e-18), 0, 1)
    away = np.linalg.norm(offset - t[..., None] * along, axis=2).min(1)
    within = (points[:, 0] > x[0]) & (points[:, 0] < x[-1])
    within &= (points[:, 1] < np.interp(points[:, 0], x, upper)) & (points[:, 1] > np.interp(points[:, 0], x, lower))
    return np.where(within, -away, away)


def _distance(points: Float[ndarray, "n 3"], body: Float[ndarray, "v 3"], ring: Ring) -> Float[ndarray, "n"]:
    """To the nearest vertex of a rim, metres."""
    from scipy.spatial import cKDTree

    return cKDTree(body[np.concatenate([ring.upper, ring.lower])]).query(points)[0]


class Pieces:
    """A mesh that is being cut."""

    def __init__(
        self, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], colours: Float[ndarray, "v c"]
    ) -> None:
        self.vertices, self.faces = vertices.astype(np.float64), faces.astype(np.int64)
        self.colours = colours.astype(np.float64)

    def tidy(self, rows: Int[ndarray, "n"]) -> Int[ndarray, "n"]:
        """Drops vertices without a face; the new numbers of some that have one."""
        used, faces = np.unique(self.faces, return_inverse=True)
        self.vertices, self.colours, self.faces = self.vertices[used], self.colours[used], faces.reshape(-1, 3)
        return np.searchsorted(used, rows)

    def normal_z(self) -> Float[ndarray, "v"]:
        """How much each vertex faces forward."""
        return vertex_normals(self.vertices.astype(np.float32), self.faces)[:, 2].astype(np.float64)

    def covers(self, points: Float[ndarray, "n 3"], within: float) -> bool:
        """Whether the mesh passes close to all of these points."""
        squared = igl.point_mesh_squared_distance(
            np.asfortranarray(points, np.float64), np.asfortranarray(self.vertices), np.asfortranarray(self.faces)
        )[0]
        return bool((squared < within**2).all())

    def _near(self, points: Float[ndarray, "n 3"], reach: float) -> Bool[ndarray, "f"]:
        """Faces that look forward near these points."""
        from scipy.spatial import cKDTree

        low, high = points.min(0) - 2 * reach, points.max(0) + 2 * reach
        box = ((self.vertices > low) & (self.vertices < high)).all(1)
        rows = np.flatnonzero(box[self.faces].any(1))
        found = np.zeros(len(self.faces), bool)
        flat = self.vertices[self.faces[rows]].mean(1)
        corners = self.vertices[self.faces[rows]]
        forward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
        away, nearest = cKDTree(points[:, :2]).query(flat[:, :2])
        # What faces forward behind the opening, such as the back of a hollow eye, is not the surface to cut.
        found[rows] = forward & (away < reach) & (flat[:, 2] > points[nearest, 2] - 0.5 * reach)
        return found

    def refine(self, points: Float[ndarray, "n 3"], reach: float, edge: float) -> None:
        """Halves edges near the points until they are no longer than ``edge``."""
        for _ in range(7):
            chosen = self.faces[self._near(points, reach)]
            ends = edges_of(chosen)
            long = np.linalg.norm(self.vertices[ends[:, 0]] - self.vertices[ends[:, 1]], axis=1) > edge
            if not long.any():
                return
            self.split(ends[long], np.full(int(long.sum()), 0.5))

    def split(self, ends: Int[ndarray, "e 2"], at: Float[ndarray, "e"]) -> None:
        """A new vertex on each of these edges (smaller end first), and the faces beside them divided."""
        count = len(self.vertices)
        new = count + np.arange(len(ends))
        a, b = ends.T
        points = self.vertices[a] + at[:, None] * (self.vertices[b] - self.vertices[a])
        mixed = self.colours[a] + at[:, None] * (self.colours[b] - self.colours[a])
        self.colours = np.concatenate([self.colours, mixed])
        self.vertices = np.concatenate([self.vertices, points])
        keys = ends[:, 0] * count + ends[:, 1]
        order = np.argsort(keys)
        ended = np.zeros(len(self.vertices), bool)
        ended[ends] = True
        some = ended[self.faces].sum(1) > 1
        faces, whole = self.faces[some], self.faces[~some]
        corner = np.sort(np.stack([faces, np.roll(faces, -1, 1)], 2), 2)
        wanted = corner[..., 0] * count + corner[..., 1]
        row = np.clip(np.searchsorted(keys[order], wanted), 0, len(keys) - 1)
        hit = keys[order][row] == wanted
        middle = np.where(hit, new[order][row], -1)
        pieces = [whole, faces[~hit.any(1)]]
        for k in range(3):
            f, m = np.roll(faces, -k, 1), np.roll(middle, -k, 1)
            cut = m >= 0
            one = cut[:, 0] & ~cut[:, 1] & ~cut[:, 2]
            two = cut[:, 0] & cut[:, 1] & ~cut[:, 2]
            p, q = f[one], m[one]
            pieces += [np.stack([p[:, 0], q[:, 0], p[:, 2]], 1), np.stack([q[:, 0], p[:, 1], p[:, 2]], 1)]
            p, q = f[two], m[two]
            pieces += [
                np.stack([q[:, 0], p[:, 1], q[:, 1]], 1), np.stack([p[:, 0], q[:, 0], q[:, 1]], 1),
                np.stack([p[:, 0], q[:, 1], p[:, 2]], 1),
            ]  # fmt: skip
        every = (middle >= 0).all(1)
        p, q = faces[every], middle[every]
        pieces += [np.stack([p[:, k], q[:, k], q[:, (k + 2) % 3]], 1) for k in range(3)] + [q]
        self.faces = np.concatenate(pieces)

    def cut(self, ring: Ring, body: Float[ndarray, "b 3"], scale: float) -> list[tuple[int, ndarray, float]]:
        """Takes out what lies within an opening; the rim's vertices, and where on the body's rim each belongs."""
        points = body[np.concatenate([ring.upper, ring.lower])]
        mine = np.unique(self.faces[self._near(points, _REACH * scale)])
        sign = np.ones(len(self.vertices))
        sign[mine] = _signed(self.vertices[mine], body, ring, scale)
        sign[np.abs(sign) < 0.2 * _FINE * scale] = 0.0
        some = self.faces[(sign[self.faces] < 0).any(1)]
        ends = edges_of(some)
        ends = ends[sign[ends[:, 0]] * sign[ends[:, 1]] < 0]
        at = sign[ends[:, 0]] / (sign[ends[:, 0]] - sign[ends[:, 1]])
        self.split(ends, at)
        sign = np.concatenate([sign, np.zeros(len(ends))])
        within = np.all(sign[self.faces] <= 0, 1)
        flat = np.flatnonzero(np.all(sign[self.faces] == 0, 1))
        within[flat] = _signed(self.vertices[self.faces[flat]].mean(1), body, ring, scale) < 0
        gone, self.faces = self.faces[within], self.faces[~within]
        rim = np.intersect1d(np.unique(gone), np.unique(self.faces))
        place = self.vertices[rim]
        heights = (line_height(body, ring.upper, place[:, 0]) + line_height(body, ring.lower, place[:, 0])) / 2
        found = []
        for line, chosen in ((ring.upper, place[:, 1] >= heights), (ring.lower, place[:, 1] < heights)):
            pair, share = _along(body, line, place[chosen, 0])
            # Every vertex of the body's rim gets one of the mesh's, so that no crack shows between them.
            for k in range(len(line)) if len(share) else ():
                nearest = np.abs(place[chosen, 0] - body[line[k], 0]).argmin()
                pair[nearest], share[nearest] = (line[k], line[k]), 0.0
            found += list(zip(rim[chosen].tolist(), pair, share.tolist(), strict=True))
        return found
