"""Cloth as shells over one canonical chart: where it is cut, how it stands off the body, how it hangs.

The chart is MakeHuman's tights, subdivided. Every vertex of it means the same place on every body, so cuts are decided
once on the mean person; a garment is a sparse mixture of chart vertices, each raised along the chart's normal by a
height. Two garments compare by their heights alone, which is what keeps one layer outside the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from bozzetto.body.model import load_body
from bozzetto.figure.piece import Detail, Person, top_four
from bozzetto.geometry import edges_of, vertex_normals
from bozzetto.kept import kept
from bozzetto.kernels import kernel

FRONT, BACK, SLEEVE, LEG_LEFT, LEG_RIGHT = range(5)
SIDE_Z = 0.012
"""Depth of the side seams on the mean person."""
SLEEVE_AXIS = np.array([[0.155, 0.425, 0.019], [0.318, 0.246, 0.028], [0.429, 0.136, 0.179]])
"""Shoulder, elbow and wrist of the mean person's left arm."""
UPPER_ARM, LOWER_ARM = np.linalg.norm(np.diff(SLEEVE_AXIS, axis=0), axis=1)
CROTCH, HIP, WAIST, KNEE, ANKLE = -0.055, 0.009, 0.165, -0.367, -0.750
"""Heights on the mean person, whose origin lies near the pelvis."""
MEAN_HEIGHT = 1.571


@dataclass(frozen=True, eq=False)
class Chart:
    """The canonical surface that garments are cut from."""

    base: sparse.csr_matrix
    """Chart vertices as mixtures of the tights' vertices."""
    faces: Int[ndarray, "f 3"]
    rest: Float[ndarray, "n 3"]
    """On the mean person."""
    mean: sparse.csr_matrix
    """Each vertex's neighbours' mean."""
    weights: Float[ndarray, "n j"]
    """Skin weights, dense."""
    arm: Float[ndarray, "n"]
    """Metres along the arm from the shoulder joint; zero on torso and legs."""
    armhole: Float[ndarray, "n"]
    """Distance from the sleeve seam, negative on the sleeve."""
    neck: Float[ndarray, "n"]
    """Distance along the surface from the rim under the chin."""
    height: Float[ndarray, "n"]
    """Of torso and legs on the mean person; arms count as high above."""
    sleeve: Bool[ndarray, "f"]
    back: Bool[ndarray, "f"]
    below: tuple[Int[ndarray, "b"], Int[ndarray, "b"]]
    """Body vertices near the chart, and the chart vertex of each."""
    grids: tuple["Grid", ...]
    """Round the torso, the left leg and the right leg: what hanging cloth is measured on."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Cylindrical bins round one limb, from above downwards."""

    rows: int
    columns: int
    members: Int[ndarray, "m"]
    gather: sparse.csr_matrix
    """Cells as means of members."""
    spread: sparse.csr_matrix
    """Members as bilinear mixtures of cells."""
    heights: Float[ndarray, "r"]


def arm_coordinates(
    points: Float[ndarray, "n 3"],
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"], Float[ndarray, "n"]]:
    """Metres along the arm, angle round it (zero on top, half a turn below) and distance from its axis, mirrored."""
    p = points * [1.0, 1.0, 1.0]
    p[:, 0] = np.abs(p[:, 0])
    directions = np.diff(SLEEVE_AXIS, axis=0) / [[UPPER_ARM], [LOWER_ARM]]
    # The rest pose bends the elbow. Both halves share it over a hand's breadth, so that a sleeve runs on there
    # as one tube of cloth: closer within the bend, wider outside it.
    bend = directions.sum(0) / np.linalg.norm(directions.sum(0))
    lower = smooth_step((p - SLEEVE_AXIS[1]) @ bend / 0.24 + 0.5)
    alongs, angles, away = [], [], []
    for a, d, start in zip(SLEEVE_AXIS, directions, (0.0, UPPER_ARM), strict=False):
        along = (p - a) @ d
        off = p - a - (np.minimum(along, UPPER_ARM) if start == 0.0 else np.maximum(along, 0.0))[:, None] * d
        top = np.array([0.62, 0.75, -0.25])
        top = top - d * (top @ d)
        top /= np.linalg.norm(top)
        alongs.append(start + along)
        angles.append(np.arctan2(off @ np.cross(d, top), off @ top))
        away.append(np.linalg.norm(off, axis=1))
    turn = np.angle(np.exp(1j * (angles[1] - angles[0])))
    return (
        alongs[0] + lower * (alongs[1] - alongs[0]),
        np.angle(np.exp(1j * (angles[0] + lower * turn))),
        np.minimum(*away),
    )


def panel_coordinates(points: Float[ndarray, "n 3"], panel: int) -> Float[ndarray, "n 2"]:
    """Pattern coordinates on the mean person, metres: across (to the figure's left) and up.

    Torso panels run round the body up to the armpits and lie flat on the shoulders; sleeves and legs are tubes with
    their seams below and inside.
    """
    x, y, z = points.T
    if panel in (FRONT, BACK):
        depth = (z - SIDE_Z) * (1 if panel == FRONT else -1)
        round_ = np.arctan2(x, depth) * 0.155
        flat = np.clip(smooth_step((y - 0.34) / 0.10), 0, 1)
        # Towards the seam on top of the shoulders the way there counts, not the height that it gains. The chest gives
        # what that takes, evenly over its whole height: no row of a print may be squeezed into a few pixels.
        over = 0.6 * np.maximum(depth, 0) * np.clip((y - 0.20) / 0.25, 0, 1)
        return np.stack([round_ * (1 - flat) + x * 1.12 * flat, y - over], 1)
    if panel == SLEEVE:
        along, angle, _ = arm_coordinates(points)
        return np.stack([angle * 0.055, -along], 1)
    side = 1.0 if panel == LEG_LEFT else -1.0
    axis_x, axis_z = leg_axis(y)
    angle = np.arctan2(z - axis_z, x * side - axis_x)
    return np.stack([-angle * 0.085, y], 1)


def leg_axis(y: Float[ndarray, "n"]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """Where the mean person's left leg has its middle at a height."""
    heights = [-0.80, -0.75, -0.56, -0.367, -0.08, 0.0, 0.2]
    return np.interp(y, heights, [0.17, 0.169, 0.148, 0.125, 0.092, 0.075, 0.065]), np.interp(
        y, heights, [0.0, 0.0, 0.012, 0.035, 0.025, 0.015, 0.012]
    )


def smooth_step(x: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Cubic from 0 to 1 over the unit interval."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3 - 2 * x)


def steady_four(dense: Float[ndarray, "v j"]) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """At most four weights of each row and their joints: all are less by the fifth largest.

    Merely dropping the others would jump from one vertex to the next, and pull a straight hem ragged.
    """
    fifth = -np.partition(-dense, 4, axis=1)[:, 4:5]
    return top_four(np.maximum(dense - np.minimum(fifth, 0.9 * dense.max(1, keepdims=True)), 0))


def loop_subdivide(faces: Int[ndarray, "f 3"], count: int) -> tuple[sparse.csr_matrix, Int[ndarray, "g 3"]]:
    """One step of Loop's scheme as a matrix, and the new faces. Loop 1987, with Warren's interior weights."""
    edges = edges_of(faces)
    key = {(a, b): i for i, (a, b) in enumerate(edges.tolist())}
    opposite: list[list[int]] = [[] for _ in edges]
    middle = np.empty((len(faces), 3), np.int64)
    for f, face in enumerate(faces.tolist()):
        for k in range(3):
            a, b = face[k], face[(k + 1) % 3]
            e = key[(min(a, b), max(a, b))]
            middle[f, k] = e
            opposite[e].append(face[(k + 2) % 3])
    rim = np.array([len(o) == 1 for o in opposite])
    rows, columns, values = [], [], []

    def put(row: int, column: int, value: float) -> None:
        rows.append(row)
        columns.append(column)
        values.append(value)

    neighbours: list[list[int]] = [[] for _ in range(count)]
    rim_neighbours: list[list[int]] = [[] for _ in range(count)]
    for (a, b), outer in zip(edges.tolist(), rim, strict=True):
        neighbours[a].append(b)
        neighbours[b].append(a)
        if outer:
            rim_neighbours[a].append(b)
            rim_neighbours[b].append(a)
    for v in range(count):
        if len(rim_neighbours[v]) == 2:
            put(v, v, 0.75)
            for w in rim_neighbours[v]:
                put(v, w, 0.125)
        else:
            n = max(len(neighbours[v]), 1)
            beta = 3 / 16 if n == 3 else 3 / (8 * n)
            put(v, v, 1 - n * beta if neighbours[v] else 1.0)
            for w in neighbours[v]:
                put(v, w, beta)
    for e, (a, b) in enumerate(edges.tolist()):
        share = 0.5 if rim[e] else 0.375
        put(count + e, a, share)
        put(count + e, b, share)
        if not rim[e]:
            for o in opposite[e]:
                put(count + e, o, 0.125)
    matrix = sparse.csr_matrix((values, (rows, columns)), (count + len(edges), count))
    m = middle + count
    a, b, c = faces.T
    new = np.stack([a, m[:, 0], m[:, 2], m[:, 0], b, m[:, 1], m[:, 2], m[:, 1], c, m[:, 0], m[:, 1], m[:, 2]], 1)
    return matrix, new.reshape(-1, 3)


def slice_faces(
    faces: Int[ndarray, "f 3"], field: Float[ndarray, "n"]
) -> tuple[
    Int[ndarray, "m 2"],
    Float[ndarray, "m"],
    tuple[Int[ndarray, "g 3"], Int[ndarray, "g"]],
    tuple[Int[ndarray, "h 3"], Int[ndarray, "h"]],
]:
    """Triangles cut along the zero of a field.

    Returns the edges that get a vertex and where on them it lies; then the faces of the positive side with the face
    each came from, and those of the negative side. New vertices are numbered on from the last of the field.
    """
    field = np.where(np.abs(field) < 1e-5, 1e-5, field)
    positive = field[faces] > 0
    count = positive.sum(1)
    mixed = np.flatnonzero((count == 1) | (count == 2))
    lone = positive[mixed] == (count[mixed] == 1)[:, None]
    first = lone.argmax(1)
    ring = (first[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces[mixed], ring, 1).T
    pairs = np.sort(np.stack([np.concatenate([a, a]), np.concatenate([b, c])], 1), 1)
    edges, where = np.unique(pairs, axis=0, return_inverse=True) if len(pairs) else (pairs, np.zeros(0, np.int64))
    where = where.reshape(-1) + len(field)
    ab, ac = where[: len(a)], where[len(a) :]
    low, high = field[edges[:, 0]], field[edges[:, 1]]
    share = low / (low - high)
    tip = np.stack([a, ab, ac], 1)
    rest = np.concatenate([np.stack([ab, b, c], 1), np.stack([ab, c, ac], 1)])
    up = count[mixed] == 1
    both = np.concatenate([up, up])
    source = np.concatenate([mixed, mixed])
    whole, none = np.flatnonzero(count == 3), np.flatnonzero(count == 0)
    above = np.concatenate([faces[whole], tip[up], rest[~both]]), np.concatenate([whole, mixed[up], source[~both]])
    under = np.concatenate([faces[none], tip[~up], rest[both]]), np.concatenate([none, mixed[~up], source[both]])
    return edges, share, above, under


def _extend(matrix: sparse.csr_matrix, edges: Int[ndarray, "m 2"], share: Float[ndarray, "m"]) -> sparse.csr_matrix:
    """The mixture matrix with rows for vertices on edges."""
    pick = sparse.diags(1 - share) @ matrix[edges[:, 0]] + sparse.diags(share) @ matrix[edges[:, 1]]
    return sparse.vstack([matrix, pick]).tocsr()


@kept(lambda detail: f"chart-{detail}")
def chart(detail: Detail) -> Chart:
    """The chart of a detail: subdivided once for ``full``, as it is for ``low``."""
    body = load_body()
    part = body.parts["tights"]
    count = part.stop - part.start
    faces = part.faces - part.start
    rest0 = body.template.numpy()[part.start : part.stop].astype(np.float64)
    base = sparse.identity(count, format="csr")
    neck0 = _from_chin(rest0, faces)
    if detail == "full":
        base, faces = loop_subdivide(faces, count)
    dense0 = np.zeros((count, len(body.joint_names)))
    rows = np.repeat(np.arange(count), 4)
    np.add.at(
        dense0,
        (rows, body.skin_joints[part.start : part.stop].ravel()),
        body.skin_weights[part.start : part.stop].ravel(),
    )
    arm_names = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    arm_columns = [i for i, name in enumerate(body.joint_names) if name.startswith(arm_names)]

    def armhole(points: ndarray) -> ndarray:
        mirrored = points * [1.0, 1.0, 1.0]
        mirrored[:, 0] = np.abs(mirrored[:, 0])
        start = np.array([0.172, 0.408, 0.012])
        direction = SLEEVE_AXIS[1] - SLEEVE_AXIS[0]
        direction = direction / np.linalg.norm(direction)
        along = (mirrored - start) @ direction
        away = mirrored - start - along[:, None] * direction
        radial = np.linalg.norm(away, axis=1)
        ball = np.hypot(radial, np.minimum(along, 0) * 1.6)
        _, _, distance = arm_coordinates(points)
        return np.minimum(ball - 0.073, np.where(along > 0.08, distance - 0.073, 1.0))

    # Two seams become edges of the chart: round the armholes, and down shoulders and sides.
    for seam in (armhole, lambda p: p[:, 2] - SIDE_Z):
        edges, share, above, under = slice_faces(faces, seam(base @ rest0))
        base = _extend(base, edges, share)
        faces = np.concatenate([above[0], under[0]])
    keep = np.unique(faces)
    renumber = np.zeros(base.shape[0], np.int64)
    renumber[keep] = np.arange(len(keep))
    base, faces = base[keep].tocsr(), renumber[faces]
    rest = base @ rest0
    hole = armhole(rest)
    sleeve = hole[faces].mean(1) < 0
    back = (rest[faces, 2].mean(1) < SIDE_Z) & ~sleeve
    weights = (base @ dense0).astype(np.float32)
    along, _, _ = arm_coordinates(rest)
    arm = np.maximum(along, 0) * smooth_step(weights[:, arm_columns].sum(1) / 0.6)
    edges = edges_of(faces)
    adjacency = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (len(rest),) * 2).tocsr()
    adjacency = adjacency + adjacency.T
    mean = sparse.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency
    neck = base @ neck0
    skin = body.template.numpy()[: body.parts["body"].stop]
    distance, nearest = cKDTree(rest).query(skin)
    offset = skin - rest[nearest]
    outward = vertex_normals(rest, faces).astype(np.float64)[nearest]
    aside = np.linalg.norm(offset - (offset * outward).sum(1, keepdims=True) * outward, axis=1)
    near = np.flatnonzero((distance < 0.045) & (aside < (0.014 if detail == "full" else 0.024)))
    torso = np.flatnonzero((arm < 0.02) & (rest[:, 1] < 0.45) & (rest[:, 1] > -0.16))
    legs = [
        np.flatnonzero((rest[:, 0] * side > -1e-6) & (rest[:, 1] < 0.0) & (rest[:, 1] > -0.8) & (arm == 0))
        for side in (1.0, -1.0)
    ]
    grids = (
        _grid(rest, torso, np.zeros(len(torso)), np.full(len(torso), SIDE_Z), 0.45, -0.16, 30, 40),
        *(
            _grid(rest, leg, leg_axis(rest[leg, 1])[0] * side, leg_axis(rest[leg, 1])[1], 0.0, -0.8, 34, 20)
            for leg, side in zip(legs, (1.0, -1.0), strict=True)
        ),
    )
    high = np.where(arm > 0.03, 1.0, rest[:, 1])
    return Chart(base.tocsr(), faces, rest, mean.tocsr(), weights, arm, hole, neck, high, sleeve, back,
                 (near, nearest[near]), grids)  # fmt: skip


def _from_chin(rest: Float[ndarray, "t 3"], faces: Int[ndarray, "f 3"]) -> Float[ndarray, "t"]:
    """Geodesic distance from the chart's rim round the neck."""
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    ordered, counts = np.unique(sides, axis=0, return_counts=True)
    loose = np.unique(ordered[counts == 1])
    chin = loose[rest[loose, 1] > 0.45]
    none = np.zeros(0, np.int64)
    distance = igl.exact_geodesic(
        np.ascontiguousarray(rest), np.ascontiguousarray(faces), chin, none, np.arange(len(rest)), none
    )
    return np.asarray(distance, np.float64).ravel()


def _grid(
    rest: ndarray, members: ndarray, x: ndarray, z: ndarray, top: float, bottom: float, rows: int, columns: int
) -> Grid:
    """Bins of chart vertices round an axis, each cell with something in it or its neighbours' mean."""
    p = rest[members]
    row = np.clip((top - p[:, 1]) / (top - bottom) * (rows - 1), 0, rows - 1 - 1e-6)
    column = (np.arctan2(p[:, 0] - x, p[:, 2] - z) / (2 * np.pi) % 1) * columns
    i, j = row.astype(int), column.astype(int)
    a, b = row - i, column - j
    cells = np.stack(
        [
            i * columns + j % columns,
            i * columns + (j + 1) % columns,
            (i + 1) * columns + j % columns,
            (i + 1) * columns + (j + 1) % columns,
        ],
        1,
    )
    shares = np.stack([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b], 1)
    rows_of = np.repeat(np.arange(len(members)), 4)
    spread = sparse.csr_matrix((shares.ravel(), (rows_of, cells.ravel())), (len(members), rows * columns))
    # Far members fill what near ones leave empty.
    centres = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), -1).reshape(-1, 2)
    away_row = centres[:, 0][:, None] - row[None]
    away_column = (centres[:, 1][:, None] - column[None] + columns / 2) % columns - columns / 2
    closeness = np.exp(-(away_row**2 + away_column**2) / (2 * 0.7**2)) + 1e-9 * np.exp(
        -(np.hypot(away_row, away_column)) / 3
    )
    closeness[closeness < closeness.max(1, keepdims=True) * 0.02] = 0
    gather = sparse.csr_matrix(closeness / closeness.sum(1, keepdims=True))
    return Grid(rows, columns, members, gather, spread.tocsr(), np.linspace(top, bottom, rows))


@dataclass(frozen=True, eq=False)
class Fit:
    """The chart on one person."""

    chart: Chart
    points: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    skin: Float[ndarray, "n"]
    """How far the skin stands out of the chart; negative where it lies inside."""
    scale: float
    """Of this person to the mean person."""

    def height_of(self, y: Float[ndarray, "k"], person: Person) -> Float[ndarray, "k"]:
        """Heights on this person of the mean person's heights."""
        names = ("foot.L", "lowerleg02.L", "lowerleg01.L", "upperleg01.L", "spine03", "spine01", "neck01")
        index = [person.body.joint_names.index(name) for name in names]
        canonical = person.body.joint_template.numpy()[index, 1]
        here = person.shaped.joints[index, 1]
        low, high = y - canonical[0], y - canonical[-1]
        return np.interp(y, canonical, here) + (np.minimum(low, 0) + np.maximum(high, 0)) * self.scale


@kernel
def _relax(indptr, indices, heights, new, least, most, points, normals, rounds, stiffness, chosen):
    """Makes a surface smooth: chosen heights go part of the way to their neighbours' mean, along normals."""
    for _ in range(rounds):
        for v in chosen:
            a, b = indptr[v], indptr[v + 1]
            x = y = z = 0.0
            for e in range(a, b):
                w = indices[e]
                x += points[w, 0] + heights[w] * normals[w, 0]
                y += points[w, 1] + heights[w] * normals[w, 1]
                z += points[w, 2] + heights[w] * normals[w, 2]
            k = max(b - a, 1)
            want = (
                (x / k - points[v, 0]) * normals[v, 0]
                + (y / k - points[v, 1]) * normals[v, 1]
                + (z / k - points[v, 2]) * normals[v, 2]
            )
            h = heights[v] + stiffness * (want - heights[v])
            new[v] = max(min(h, most[v]), least[v])
        for v in chosen:
            heights[v] = new[v]


def chart_normals(here: Chart) -> Float[ndarray, "n 3"]:
    """Of the mean person."""
    return vertex_normals(here.rest, here.faces).astype(np.float64)


_UNSEEN = -1.0


_LOOSE = 0.012
"""How far inside the chart cloth may follow the skin, metres."""


def fit_chart(person: Person) -> Fit:
    """The chart round a person's body."""
    here = chart(person.detail)
    part = person.body.parts["tights"]
    points = here.base @ person.vertices[part.start : part.stop].astype(np.float64)
    normals = vertex_normals(points, here.faces).astype(np.float64)
    for _ in range(4 if person.detail == "full" else 1):
        normals = here.mean @ normals + normals
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = _fanned(here, normals)
    body, where = here.below
    skin = np.full(len(points), _UNSEEN)
    np.maximum.at(skin, where, ((person.vertices[body] - points[where]) * normals[where]).sum(1))
    for _ in range(3):  # where no vertex of the body lies near, the neighbours tell
        unseen = skin <= _UNSEEN
        seen = 1.0 - unseen
        share = here.mean @ seen
        skin = np.where(unseen & (share > 0), (here.mean @ (skin * seen)) / np.maximum(share, 1e-9), skin)
    skin = np.where(skin < 0, 0.85 * np.maximum(skin, -_LOOSE), skin)
    for _ in range(4):  # no hollows that cloth would not follow, no bumps of single vertices
        skin = np.maximum(skin, here.mean @ skin)
    for _ in range(2):
        skin = 0.5 * skin + 0.5 * (here.mean @ skin)
    return Fit(here, points, normals, np.minimum(skin, 0.02), person.spec.body.height / MEAN_HEIGHT)


def _fanned(here: Chart, normals: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    """Normals that turn gradually where the chart folds inwards, so that cloth raised there does not cross itself.

    That is along the bent elbow, and between the buttocks.
    """
    x, y, z = here.rest.T
    elbow = np.exp(-(((here.arm - UPPER_ARM) / 0.06) ** 2))
    cleft = np.exp(-((x / 0.035) ** 2)) * smooth_step((y - CROTCH + 0.01) / 0.03) * smooth_step((0.15 - y) / 0.05)
    share = np.where(here.arm > 0.05, elbow, np.where(z < SIDE_Z - 0.03, cleft, 0.0))
    near = np.flatnonzero(share > 0.02)
    share, mean = share[near, None], here.mean[near]
    out = normals.copy()
    for _ in range(24 if len(here.rest) > 6000 else 6):
        out[near] += share * (mean @ out - out[near])
    out[near] /= np.linalg.norm(out[near], axis=1, keepdims=True)
    return out


def relax(
    fit: Fit,
    heights: Float[ndarray, "n"],
    least: Float[ndarray, "n"],
    most: Float[ndarray, "n"],
    rounds: int,
    stiffness: float = 0.6,
    chosen: Int[ndarray, "m"] | None = None,
) -> Float[ndarray, "n"]:
    """Smooth heights between two bounds; the lower wins.

    Args:
        chosen: The chart's vertices that move; all when None.
    """
    mean = fit.chart.mean
    chosen = np.arange(len(heights)) if chosen is None else chosen
    heights = np.maximum(heights, least)
    new = np.empty_like(heights)
    _relax(mean.indptr, mean.indices, heights, new, least, most, fit.points, fit.normals, rounds, stiffness, chosen)
    return heights


def hang(fit: Fit, grid: int, slip: float | Float[ndarray, "r"]) -> Float[ndarray, "n"]:
    """Heights of cloth that hangs from what stands out above it.

    Args:
        grid: 0 torso, 1 left leg, 2 right leg.
        slip: How far it falls back towards the body for each metre down: 0 hangs straight, 1 clings. By row or one.
    """
    g = fit.chart.grids[grid]
    p = fit.points[g.members]
    cells = (g.gather @ p).reshape(g.rows, g.columns, 3)
    centre = cells.mean(1)
    radius = np.hypot(cells[:, :, 0] - centre[:, None, 0], cells[:, :, 2] - centre[:, None, 2])
    hanging = radius.copy()
    slips = np.broadcast_to(slip, (g.rows,))
    drop = -np.diff(centre[:, 1], prepend=centre[0, 1])
    for i in range(1, g.rows):
        sway = np.zeros(g.columns)
        angle = np.arctan2(cells[i, :, 0] - centre[i, 0], cells[i, :, 2] - centre[i, 2])
        if grid == 0:  # the torso's middle swings forward and back; cloth hangs plumb
            sway = (centre[i, 2] - centre[i - 1, 2]) * np.cos(angle)
        falling = hanging[i - 1] - sway - slips[i] * drop[i]
        if grid == 0 and g.heights[i - 1] > 0.345:  # nothing hangs from the shoulders' ends into the armpits
            falling = np.where(np.abs(np.cos(angle)) > 0.7, falling, 0)
        hanging[i] = np.maximum(radius[i], falling)
    hanging[:] = (np.roll(hanging, 1, 1) + 2 * hanging + np.roll(hanging, -1, 1)) / 4
    gain = g.spread @ (hanging - radius).ravel()
    out = np.zeros(len(fit.points))
    out[g.members] = np.maximum(gain, 0)
    return out


def bridge(fit: Fit) -> Float[ndarray, "n"]:
    """Heights of cloth that spans the hollow between the buttocks; zero elsewhere."""
    g = fit.chart.grids[0]
    p = fit.points[g.members]
    cells = g.gather @ p
    middle = cells.reshape(g.rows, g.columns, 3)[:, :, 2].mean(1)
    row = np.clip((g.heights[0] - fit.chart.rest[g.members, 1]) / (g.heights[0] - g.heights[1]), 0, g.rows - 1)
    depth = np.interp(row, np.arange(g.rows), middle) - p[:, 2]
    nearest = np.round(row).astype(int)
    lanes = 24
    lane = np.clip(((p[:, 0] / fit.scale + 0.12) / 0.24 * lanes).astype(int), 0, lanes - 1)
    behind = (depth > 0) & (np.abs(p[:, 0]) < 0.12 * fit.scale) & (fit.chart.rest[g.members, 2] < SIDE_Z)
    reach = np.full((g.rows, lanes), -1.0)
    np.maximum.at(reach, (nearest[behind], lane[behind]), depth[behind])
    right = np.maximum.accumulate(reach, 1)
    left = np.maximum.accumulate(reach[:, ::-1], 1)[:, ::-1]
    spanned = np.minimum(left, right)  # as deep as the lesser of what stands out on either side
    low = fit.chart.rest[g.members, 1]
    share = (
        smooth_step((0.17 - low) / 0.06)
        * smooth_step((low + 0.08) / 0.03)
        * smooth_step((0.11 - np.abs(p[:, 0]) / fit.scale) / 0.03)
        * behind
    )
    outward = np.maximum(-fit.normals[g.members, 2], 0.5)
    out = np.zeros(len(fit.points))
    out[g.members] = share * np.maximum(0.95 * spanned[nearest, lane] - 0.002 - depth, 0) / outward
    for _ in range(2):
        out = 0.5 * out + 0.5 * (fit.chart.mean @ out)
    return out


@dataclass(frozen=True, eq=False)
class Shell:
    """A cut of the chart, ready to be raised: the same for everyone."""

    mix: sparse.csr_matrix
    """Vertices as mixtures of chart vertices."""
    inner: Float[ndarray, "v"]
    """One on the hem's inside, zero on the cloth, between them on its round edge."""
    edge: Int[ndarray, "e 2"]
    """Vertices of that round edge, pair by pair along it with the cloth on the left seen from outside."""
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"]
    """Pattern coordinates of each corner, metres on the mean person."""
    panels: Int[ndarray, "f"]
    weights: Float[ndarray, "v 4"]
    joints: Int[ndarray, "v 4"]
    inside: Float[ndarray, "n"]
    """The cut's field on the chart: metres inside the nearest hem."""
    cut: Int[ndarray, "k"]
    """Vertices of the lower rim that a skirt hangs from, in order; empty for none."""
    closed: bool
    """Whether that rim goes all the way round."""
    covered: Bool[ndarray, "n"]
    """Chart vertices of every face that is kept."""
    rest: Float[ndarray, "v 3"]


def _eased_weights(here: Chart) -> Float[ndarray, "n j"]:
    """The chart's skin weights as cloth has them that stands off the arms, and spans the crotch.

    Under the armpits and at the elbows they change over a hand's breadth, so that a raised arm stretches cloth evenly
    and a bent one does not crease it; cuffs follow the forearm, not the hand. So they do between the legs.
    """
    names = load_body().joint_names
    weights = here.weights.astype(np.float64)
    for side in "LR":
        hand = [i for i, name in enumerate(names) if name.endswith(side) and name.startswith(_HAND)]
        moved = 0.75 * weights[:, hand]
        weights[:, hand] -= moved
        weights[:, names.index(f"lowerarm02.{side}")] += moved.sum(1)
    x, y, z = here.rest.T
    pit = np.linalg.norm((np.stack([np.abs(x), y, z], 1) - _ARMPIT) * [1, 1, 0.7], axis=1)
    elbow = np.exp(-(((here.arm - UPPER_ARM) / 0.06) ** 2)) * (here.arm > 0)
    fork = np.exp(-(((y - CROTCH) / 0.08) ** 2) - (x / 0.05) ** 2) * (here.arm == 0)
    spread = np.maximum(0.060 * np.exp(-((pit / 0.12) ** 2)), 0.035 * np.maximum(elbow, fork))
    near = np.flatnonzero(spread > 1e-3)
    used = np.flatnonzero(weights[near].any(0))
    flow = sparse.csr_matrix(igl.cotmatrix(here.rest, here.faces))
    flow.data = np.maximum(flow.data, 0)
    flow -= sparse.diags(flow.diagonal())
    area = igl.massmatrix(here.rest, here.faces, igl.MASSMATRIX_TYPE_BARYCENTRIC).diagonal()
    rate = sparse.diags(0.5 * spread[near] ** 2 / area[near])  # heat goes as far as this in the time one
    mine = rate @ flow[near]
    stays = sparse.diags(1 + np.asarray(mine.sum(1)).ravel()) - mine[:, near]
    outside = np.setdiff1d(np.arange(len(weights)), near)
    source = weights[np.ix_(near, used)] + mine[:, outside] @ weights[np.ix_(outside, used)]
    weights[np.ix_(near, used)] = spsolve(stays.tocsc(), source)
    return weights.astype(np.float32)


_HAND = ("wrist", "finger", "metacarpal")
_ARMPIT = np.array([0.125, 0.35, 0.01])
"""Of the mean person's left arm."""


@cache
def loose_weights(here: Chart) -> Float[ndarray, "n j"]:
    """The chart's skin weights, even below the waist: cloth that hangs there does not cling to each leg."""
    share = (smooth_step((0.10 - here.height) / 0.07) * (here.height > CROTCH - 0.1))[:, None]
    near = np.flatnonzero((here.height < 0.2) & (here.height > -0.35))
    used = np.flatnonzero(here.weights[near].any(0))
    mean = here.mean[near][:, near]
    outside = np.asarray(1 - mean.sum(1)).reshape(-1, 1)
    own = here.weights[np.ix_(near, used)]
    even = own
    for _ in range(30 if len(here.rest) > 6000 else 8):
        even = 0.4 * even + 0.6 * (mean @ even + outside * own)
    weights = _eased_weights(here)
    weights[np.ix_(near, used)] += share[near] * (even - own)
    # In front it spans the groin: the middle follows both thighs as far as the sides follow each.
    x, y, z = here.rest.T
    middle = 1 - smooth_step((np.abs(np.arctan2(x, z - SIDE_Z)) - 0.75) / 0.45)
    wanted = np.interp(y, (-0.08, -0.02, 0.01, 0.03, 0.05, 0.07, 0.11), (0.6, 0.55, 0.42, 0.36, 0.27, 0.18, 0.06))
    # So does the middle behind, which would else stay up between the buttocks when they move down.
    behind = 1 - smooth_step((np.abs(np.arctan2(x, SIDE_Z - z)) - 0.6) / 0.4)
    seat = np.interp(y, (-0.05, -0.01, 0.01, 0.03, 0.06, 0.09, 0.11), (0.5, 0.4, 0.33, 0.28, 0.18, 0.09, 0.05))
    wanted = np.maximum(wanted * middle, seat * behind)
    names = load_body().joint_names
    thighs = [names.index(f"upperleg01.{side}") for side in "LR"]
    already = weights[:, [i for i, name in enumerate(names) if name.startswith("upperleg")]].sum(1)
    more = np.maximum(wanted - already, 0) * np.maximum(middle, behind) * (here.arm == 0) * (y < 0.11)
    more *= y > CROTCH - 0.03
    left = smooth_step(0.5 + x / 0.2)
    weights *= (1 - more)[:, None]
    for thigh, side in zip(thighs, (left, 1 - left), strict=True):
        weights[:, thigh] += more * side
    # Few joints in all, or the four that are kept would leave out either thigh in the middle.
    for i, name in enumerate(names):
        if name.startswith(("pelvis", "spine")) and name != "spine05":
            moved = weights[:, i] * share[:, 0]
            weights[:, i] -= moved
            weights[:, names.index("root" if name.startswith("pelvis") else "spine05")] += moved
    return weights


@cache
def _trouser_weights(here: Chart) -> Float[ndarray, "n j"]:
    """Each leg's own below; round the hips as whatever hangs over them, so that both bend as one.

    Over the shoe they hang from the shin: a raised heel does not tear them.
    """
    share = smooth_step((here.height + 0.04) / 0.05)[:, None]
    weights = _eased_weights(here)
    weights += share * (loose_weights(here) - weights)
    names = load_body().joint_names
    for i, name in enumerate(names):
        if name.startswith(("foot", "toe")):
            moved = 0.7 * weights[:, i]
            weights[:, i] -= moved
            weights[:, names.index(f"lowerleg02{name[-2:]}")] += moved
    return weights


def make_shell(
    here: Chart,
    fields: Sequence[Float[ndarray, "n"]],
    legs: bool = False,
    lining: float = 0.02,
    cut: float | None = None,
) -> Shell:
    """A cut of the chart with its edges folded in.

    Args:
        fields: Kept where all are positive; each about metric.
        legs: Whether pattern pieces are trouser legs instead of front and back.
        lining: Width of the fold inside, metres; zero for none.
        cut: Height of the rim a skirt hangs from.
    """
    n = len(here.rest)
    mix = sparse.identity(n, format="csr")
    faces, parents = here.faces, np.arange(len(here.faces))
    values = [np.asarray(field, np.float64) for field in fields]
    if cut is not None:
        values.append(here.height - cut)
    for k in range(len(values)):
        edges, share, (faces, source), _ = slice_faces(faces, values[k])
        parents = parents[source]
        values = [np.concatenate([v, v[edges[:, 0]] * (1 - share) + v[edges[:, 1]] * share]) for v in values]
        values[k][-len(edges) or len(values[k]) :] = 0.0
        mix = _extend(mix, edges, share)
    hems = values[: len(fields)]
    total = np.minimum.reduce(hems)
    keep = np.unique(faces)
    outer_count = len(keep)
    renumber = np.full(mix.shape[0], -1)
    renumber[keep] = np.arange(outer_count)
    outer = renumber[faces]
    matrices, inner_faces, inner_parents = [mix[keep]], np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    folded, rounded, edge = 0, 0, np.zeros((0, 2), np.int64)
    if lining > 0:
        edges, share, _, (near, source) = slice_faces(faces, total - lining)
        wide = _extend(mix, edges, share)
        inside = np.unique(near)
        folded = len(inside)
        number = np.full(wide.shape[0], -1)
        number[inside] = outer_count + np.arange(len(inside))
        matrices.append(wide[inside])
        inner_faces, inner_parents = number[near][:, ::-1], parents[source]
        rim = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        owner = np.tile(parents, 3)
        _, first, counts = np.unique(np.sort(rim, 1), axis=0, return_index=True, return_counts=True)
        border = first[counts == 1]
        a, b = rim[border].T
        at_hem = (np.maximum(total[a], total[b]) < 2e-3) & (number[a] >= 0) & (number[b] >= 0)
        if cut is not None:
            at_hem &= ~((values[-1][a] < 1e-9) & (values[-1][b] < 1e-9))
        # The chart's own rims (wrist, neck) count as hems too.
        a, b, by = a[at_hem], b[at_hem], owner[border][at_hem]
        rim_of, where = np.unique(np.concatenate([a, b]), return_inverse=True)
        band, edge = _round_edge(where.reshape(2, -1).T, number[rim_of], outer_count + folded)
        matrices += [mix[rim_of], mix[rim_of]]
        rounded = len(rim_of)
        inner_faces = np.concatenate([inner_faces, band])
        inner_parents = np.concatenate([inner_parents, *[by] * 4])
    full = sparse.vstack(matrices).tocsr()
    all_faces, all_parents = np.concatenate([outer, inner_faces]), np.concatenate([parents, inner_parents])
    rest = full @ here.rest
    panels = np.where(here.sleeve[all_parents], SLEEVE, np.where(here.back[all_parents], BACK, FRONT))
    if legs:
        panels = np.where(here.rest[here.faces[all_parents], 0].mean(1) > 0, LEG_LEFT, LEG_RIGHT)
    uvs = _pattern(rest, all_faces, panels)
    weights, joints = steady_four(
        np.asarray(full @ (_trouser_weights(here) if legs else loose_weights(here)), np.float32)
    )
    rim_vertices, closed = np.zeros(0, np.int64), False
    if cut is not None:
        rim_vertices, closed = _rim(outer, renumber, values[-1])
    covered = np.zeros(n, bool)
    covered[here.faces[np.unique(parents)]] = True
    inner = np.zeros(full.shape[0])
    inner[outer_count : outer_count + folded] = 1.0
    inner[full.shape[0] - rounded :] = 0.5
    inside = np.minimum.reduce([np.asarray(f) for f in fields])
    return Shell(full, inner, edge, all_faces, uvs, panels, weights, joints, inside,
                 rim_vertices, closed, covered, rest)  # fmt: skip


def _round_edge(
    pairs: Int[ndarray, "e 2"], below: Int[ndarray, "k"], start: int
) -> tuple[Int[ndarray, "f 3"], Int[ndarray, "e 2"]]:
    """Faces that close a rim of k vertices over vertices of their own, so that the cloth is shaded evenly up to it.

    Args:
        pairs: Edges of the rim, the cloth on their left.
        below: The vertex inside of each rim vertex.
        start: Number of the first new vertex: k on the rim, then k half way round.
    """
    a, b = pairs.T
    top, middle = start + np.arange(len(below)), start + len(below) + np.arange(len(below))
    faces = [
        np.stack([one[b], one[a], two[a]], 1) if half == 0 else np.stack([one[b], two[a], two[b]], 1)
        for one, two in ((top, middle), (middle, below))
        for half in (0, 1)
    ]
    return np.concatenate(faces), middle[pairs]


def _pattern(
    rest: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], panels: Int[ndarray, "f"]
) -> Float[ndarray, "f 3 2"]:
    """Pattern coordinates of every face's corners on its panel."""
    uvs = np.zeros((len(faces), 3, 2))
    for panel in np.unique(panels):
        chosen = panels == panel
        corner = panel_coordinates(rest[faces[chosen]].reshape(-1, 3), int(panel)).reshape(-1, 3, 2)
        period = {SLEEVE: 2 * np.pi * 0.055, LEG_LEFT: 2 * np.pi * 0.085, LEG_RIGHT: 2 * np.pi * 0.085}.get(int(panel))
        if period:  # across the seam, follow the face's first corner, on its centre's side
            lead = corner[:, :1, 0]
            corner[:, :, 0] = lead + (corner[:, :, 0] - lead + period / 2) % period - period / 2
            middle = corner[:, :, 0].mean(1, keepdims=True)
            corner[:, :, 0] -= np.round(middle / period) * period
        uvs[chosen] = corner
    return uvs


def _locate(
    corners: Float[ndarray, "t 3 2"], faces: Int[ndarray, "t 3"], at: Float[ndarray, "q 2"], count: int
) -> sparse.csr_matrix:
    """Points of a flat map as mixtures of its triangles' corners; outside, of the nearest triangle's."""
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    p = at[:, None] - a[None]
    u = (p[..., 0] * ac[:, 1] - p[..., 1] * ac[:, 0]) / area
    v = (ab[:, 0] * p[..., 1] - ab[:, 1] * p[..., 0]) / area
    shares = np.stack([1 - u - v, u, v], 2)
    best = shares.min(2).argmax(1)
    share = np.maximum(shares[np.arange(len(at)), best], 0)
    share /= share.sum(1, keepdims=True)
    rows = np.repeat(np.arange(len(at)), 3)
    return sparse.csr_matrix((share.ravel(), (rows, faces[best].ravel())), (len(at), count))


def round_neck(here: Chart, turn: Float[ndarray, "*s"], down: Float[ndarray, "*s"]) -> sparse.csr_matrix:
    """Chart points by the angle round the neck (zero in front, to the left) and the distance from the chin's rim."""
    near = np.flatnonzero((here.neck < 0.2) & (here.arm < 0.02))
    faces = here.faces[np.isin(here.faces, near).all(1)]
    angle = np.arctan2(here.rest[:, 0], here.rest[:, 2] - 0.02)[faces]
    angle = angle[:, :1] + (angle - angle[:, :1] + np.pi) % (2 * np.pi) - np.pi
    corners = np.stack([0.07 * angle, here.neck[faces]], 2)
    around = np.array([2 * np.pi * 0.07, 0.0])
    corners, faces = np.concatenate([corners - around, corners, corners + around]), np.concatenate([faces] * 3)
    at = np.stack([0.07 * np.broadcast_to(turn, down.shape).ravel(), down.ravel()], 1)
    return _locate(corners, faces, at, len(here.rest))


def on_front(here: Chart, x: Float[ndarray, "*s"], y: Float[ndarray, "*s"]) -> sparse.csr_matrix:
    """Chart points in front by where they are seen from before."""
    near = np.flatnonzero((here.rest[:, 2] > -0.02) & (here.arm < 0.02) & (here.rest[:, 1] > -0.05))
    faces = here.faces[np.isin(here.faces, near).all(1)]
    flat = here.rest[faces][..., :2]
    facing = (flat[:, 1, 0] - flat[:, 0, 0]) * (flat[:, 2, 1] - flat[:, 0, 1]) - (flat[:, 1, 1] - flat[:, 0, 1]) * (
        flat[:, 2, 0] - flat[:, 0, 0]
    )
    chosen = facing > 1e-7
    return _locate(flat[chosen], faces[chosen], np.stack([x.ravel(), y.ravel()], 1), len(here.rest))


def make_patch(
    here: Chart,
    mix: sparse.csr_matrix,
    rise: Float[ndarray, "r c"],
    fold: bool,
    sides: str,
    flat: Float[ndarray, "r c 2"] | None = None,
) -> tuple[Shell, Float[ndarray, "v"]]:
    """A grid of cloth over the chart, rows downward and columns to the figure's left, with folded edges.

    Args:
        mix: The grid's vertices, row by row, as mixtures of chart vertices.
        rise: Their heights above what the patch lies on.
        fold: Whether the edges have thickness.
        sides: Which edges are free: top, bottom, right and left of the picture, by first letter.
        flat: Pattern coordinates on the front, where it is cut from; those of what it lies on when None.

    Returns:
        The patch and the height of each of its vertices, those of its edges included.
    """
    rows, columns = rise.shape
    grid = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (grid[i : rows - 1 + i, j : columns - 1 + j].ravel() for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    inner, edge = np.zeros(rows * columns), np.zeros((0, 2), np.int64)
    full, level, rim = mix, rise.ravel(), np.zeros(0, np.int64)
    if fold:
        # Seen from outside the cloth lies on the left of each.
        lines = {"b": grid[-1], "r": grid[::-1, -1], "t": grid[0, ::-1], "l": grid[:, 0]}
        pairs = np.concatenate([np.stack([line[:-1], line[1:]], 1) for side, line in lines.items() if side in sides])
        rim, where = np.unique(pairs, return_inverse=True)
        k, n = len(rim), rows * columns
        band, edge = _round_edge(where.reshape(-1, 2), n + np.arange(k), n + k)
        faces = np.concatenate([faces, band])
        full = sparse.vstack([mix, mix[rim], mix[rim], mix[rim]]).tocsr()
        level = np.concatenate([level, *[level[rim]] * 3])
        inner = np.concatenate([inner, np.ones(k), np.zeros(k), np.full(k, 0.5)])
    rest = full @ here.rest
    panels = np.where(rest[faces, 2].mean(1) < SIDE_Z, BACK, FRONT)
    if flat is None:
        uvs = _pattern(rest, faces, panels)
    else:
        flat = flat.reshape(-1, 2)
        uvs, panels = np.concatenate([flat, *[flat[rim]] * 3])[faces], np.full(len(faces), FRONT)
    weights, joints = steady_four(np.asarray(full @ loose_weights(here), np.float32))
    covered = np.zeros(len(here.rest), bool)
    covered[mix.indices] = True
    shell = Shell(full, inner, edge, faces, uvs, panels, weights, joints,
                  np.zeros(len(here.rest)), np.zeros(0, np.int64), False, covered, rest)  # fmt: skip
    return shell, level


def _rim(faces: ndarray, renumber: ndarray, cut_field: ndarray) -> tuple[Int[ndarray, "k"], bool]:
    """Vertices on a cut, in the order that has the cloth above on their left hand seen from outside."""
    on = np.zeros(renumber.max() + 1, bool)
    ids = np.flatnonzero(renumber >= 0)
    on[renumber[ids]] = np.abs(cut_field[ids]) < 1e-9
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[on[edges].all(1)]
    after = dict(edges.tolist())
    starts = set(after) - set(after.values())
    closed = not starts
    vertex = min(after) if closed else min(starts)
    order = [vertex]
    while order[-1] in after and after[order[-1]] != vertex and len(order) <= len(after):
        order.append(after[order[-1]])
    return np.array(order), closed


def raise_shell(
    fit: Fit,
    shell: Shell,
    heights: Float[ndarray, "n"],
    thickness: Float[ndarray, "n"],
    more: Float[ndarray, "v"] | None = None,
) -> Float[ndarray, "v 3"]:
    """The shell's vertices on a person, its folded edge thinner by the cloth's thickness.

    Args:
        more: Height of each vertex above that.
    """
    outside = shell.mix @ (fit.points + heights[:, None] * fit.normals)
    inward = shell.mix @ (thickness[:, None] * fit.normals)
    points = outside - inward * shell.inner[:, None]
    if more is not None:
        points += more[:, None] * (shell.mix @ fit.normals)
    if len(shell.edge):
        a, b = shell.edge.T
        out = np.cross(points[b] - points[a], inward[a])
        total = np.zeros_like(points)
        for k in range(3):
            total[:, k] = np.bincount(a, out[:, k], len(points)) + np.bincount(b, out[:, k], len(points))
        middle = np.unique(a)
        middle = np.union1d(middle, b)
        direction = total[middle] / (np.linalg.norm(total[middle], axis=1, keepdims=True) + 1e-12)
        depth = np.minimum(np.linalg.norm(inward[middle], axis=1, keepdims=True), 0.004)
        points[middle] += 0.5 * depth * direction
    return points
