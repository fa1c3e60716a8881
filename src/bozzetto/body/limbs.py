"""Limbs of a free-form mesh that have grown together, cut apart where the body's are.

A surface made from pictures closes narrow gaps: between thighs that nearly touch it spans a web, which tears when a
leg moves. Between two limbs of the body lies the surface as far from one as from the other. What the mesh has there,
seen from the side, is a set of flat islands. An island that lies in a groove between the limbs is such a web: the mesh
is cut along its outline, from where the body's limbs part, and each side gets a wall. An island that bridges them as
high as they reach is cloth that hangs over both, a skirt or a cape, and stays whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import igl
import numpy as np
from jaxtyping import Bool, Float, Int, Int64
from numpy import ndarray
from scipy import sparse

from bozzetto.body.opening import Pieces
from bozzetto.geometry import edges_of
from bozzetto.types import Skeleton

_BELOW = 0.01
"""Metres below the body's crotch where a cut begins."""
_SPAN, _OVER, _ASIDE = 0.88, 0.97, 0.4
"""Cloth that spans both limbs bridges them, in front and behind, at this share of the depth that the mesh has there on
either side; or at the second on one side alone, as an apron does; or it hangs wholly on one side, farther from the
middle than the third."""
_ROW = 0.01
"""Height of the rows that are judged, metres."""
_LEAST = 0.02
"""A web lower than this (metres) is left."""


@dataclass(frozen=True, eq=False)
class Fork:
    """Two limbs of the body, and where they part."""

    name: str
    one: Int64[ndarray, "f 3"]
    """Faces of the first limb."""
    other: Int64[ndarray, "g 3"]
    junction: Float[ndarray, "3"]
    """The last point that belongs to both, such as the crotch."""
    axes: Float[ndarray, "3 3"]
    """Rows: from the first limb to the second, from the junction between them, and forward or back."""

    def along(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """Metres from the junction outward, between the limbs."""
        return (points - self.junction) @ self.axes[1]

    def depth(self, points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """Metres forward or back."""
        return (points - self.junction) @ self.axes[2]


@dataclass(frozen=True, eq=False)
class Separated:
    """A mesh whose limbs move freely."""

    vertices: Float[ndarray, "v 3"]
    faces: Int64[ndarray, "f 3"]
    colours: Float[ndarray, "v c"]
    limb: Int64[ndarray, "v"]
    """Beside a cut, 2 k + 1 for the first limb of fork k and 2 k + 2 for the second; 0 elsewhere."""
    hanging: Bool[ndarray, "v"]
    """Cloth halfway between the legs, which follows both."""
    cut: dict[str, int]
    """How many faces were cut, by the fork's name."""


def forks(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    weights: Float[ndarray, "v 4"],
    joints: Int[ndarray, "v 4"],
    skeleton: Skeleton,
) -> list[Fork]:
    """Where legs part from each other, and each arm from the trunk."""
    found, at = [], skeleton.positions.numpy().astype(np.float64)
    legs = [_share(f"upperleg01.{side}", weights, joints, skeleton) for side in "LR"]
    arms = [_share(f"upperarm01.{side}", weights, joints, skeleton) for side in "LR"]

    def between(a: str, b: str) -> ndarray:
        return at[skeleton.index(b)] - at[skeleton.index(a)]

    downs = [between(f"upperleg01.{side}", f"foot.{side}") for side in "LR"]
    outs = [between(f"upperarm01.{side}", f"wrist.{side}") for side in "LR"]
    trunks = [between(f"upperarm01.{side}", f"upperleg01.{side}") for side in "LR"]
    wanted = [("legs", legs[0], legs[1], downs[0], downs[1], between("upperleg01.L", "upperleg01.R"))]
    for side, arm, out, trunk in zip(("left", "right"), arms, outs, trunks, strict=True):
        rest = 1 - arms[0] - arms[1]
        wanted.append((f"{side} arm", arm, rest, out, trunk, trunk - out))
    for name, one, other, first, second, across in wanted:
        along = first / np.linalg.norm(first) + second / np.linalg.norm(second)
        along /= np.linalg.norm(along)
        across = across - along * (across @ along)
        across /= np.linalg.norm(across)
        more = one - other
        ends = edges_of(faces)
        ends = ends[((one + other)[ends] > 0.1).all(1) & (more[ends[:, 0]] * more[ends[:, 1]] <= 0)]
        middles = (vertices[ends[:, 0]] + vertices[ends[:, 1]]) / 2
        junction = middles[(middles @ along).argmax()].astype(np.float64)
        parts = [faces[((sign * more)[faces] > 0).all(1)].astype(np.int64) for sign in (1, -1)]
        found.append(Fork(name, parts[0], parts[1], junction, np.stack([across, along, np.cross(across, along)])))
    return found


def _share(
    root: str, weights: Float[ndarray, "v 4"], joints: Int[ndarray, "v 4"], skeleton: Skeleton
) -> Float[ndarray, "v"]:
    """How much of each vertex follows a joint or what hangs on it."""
    below = np.zeros(len(skeleton.names), bool)
    for row, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents, strict=True)):
        below[row] = name == root or (parent >= 0 and below[parent])
    return (weights * below[joints]).sum(1)


def separate(
    body: Float[ndarray, "b 3"],
    found: Sequence[Fork],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    colours: Float[ndarray, "v c"],
    skirt: bool | None = None,
    scale: float = 1.0,
) -> Separated:
    """The mesh cut apart where limbs have grown together.

    Args:
        body: The body's vertices, metres.
        found: Where its limbs part.
        vertices: Of the mesh, metres, in the body's pose.
        faces: Counter-clockwise seen from outside.
        colours: One a vertex, or whatever else goes along.
        skirt: True: the mesh hangs over both legs as one, nothing is cut between them. False: nothing does, whatever
            joins them is cut. Without it the shape of each place decides.
        scale: The body's height over 1.7 m.
    """
    mesh = Pieces(vertices, faces, np.concatenate([colours, np.zeros((len(vertices), 1))], 1))
    cut, hanging = {}, np.zeros(len(vertices), bool)
    for k, fork in enumerate(found):
        legs = fork.name == "legs"
        webs, cloth, section = _webs(mesh, body, fork, skirt if legs else None, scale)
        if legs:
            hanging[section.ends[cloth]] = True
        if webs:
            cut[fork.name] = sum(len(section.faces_of(chain)) for web in webs for chain in web)
            _cut(mesh, body, fork, section, webs, 2 * k + 1)
    hanging = np.concatenate([hanging, np.zeros(len(mesh.vertices) - len(hanging), bool)])
    limb = np.rint(mesh.colours[:, -1]).astype(np.int64)
    return Separated(mesh.vertices, mesh.faces, mesh.colours[:, :-1], limb, hanging, cut)


# ---------------------------------------------------------------------------------------------------- what lies between


@dataclass(frozen=True, eq=False)
class _Chain:
    """A line of crossed edges, one after the other."""

    edges: Int64[ndarray, "n"]
    """Rows of the section's."""
    closed: bool
    inner: tuple[bool, bool]
    """Whether it ends inside the mesh, where the limbs part, rather than at a border of it."""


@dataclass(frozen=True, eq=False)
class _Section:
    """Where the mesh is as far from one limb as from the other."""

    ends: Int64[ndarray, "e 2"]
    """The edges that cross over, smaller vertex first..."""
    at: Float[ndarray, "e"]
    """...and where on them."""
    points: Float[ndarray, "e 3"]
    beside: Int64[ndarray, "s 2"]
    """Edges joined by a face..."""
    face: Int64[ndarray, "s"]
    """...and which."""
    nearer: Float[ndarray, "v"]
    """Of the mesh's vertices: negative near the first limb, positive near the second, else zero."""

    def faces_of(self, chain: _Chain) -> ndarray:
        """The faces that a line runs through."""
        return self.face[np.isin(self.beside, chain.edges).all(1)]


def _section(mesh: Pieces, nearer: Float[ndarray, "v"], far: Bool[ndarray, "v"]) -> _Section:
    """Edges whose ends are nearer to different limbs, at least one end ``far`` along."""
    sign = nearer >= 0
    mixed = np.flatnonzero((sign[mesh.faces].any(1) != sign[mesh.faces].all(1)) & far[mesh.faces].any(1))
    corner = np.sort(np.stack([mesh.faces[mixed], np.roll(mesh.faces[mixed], -1, 1)], 2), 2)
    crosses = sign[corner[..., 0]] != sign[corner[..., 1]]
    crosses &= far[corner].all(2)
    count = len(mesh.vertices)
    keys = corner[..., 0] * count + corner[..., 1]
    unique = np.unique(keys[crosses])
    ends = np.stack([unique // count, unique % count], 1)
    a, b = nearer[ends[:, 0]], nearer[ends[:, 1]]
    at = np.clip(a / np.where(a == b, 1, a - b), 0.02, 0.98)
    points = mesh.vertices[ends[:, 0]] + at[:, None] * (mesh.vertices[ends[:, 1]] - mesh.vertices[ends[:, 0]])
    both = np.flatnonzero(crosses.sum(1) == 2)
    beside = np.searchsorted(unique, keys[both][crosses[both]].reshape(-1, 2))
    return _Section(ends, at, points, beside, mixed[both], nearer)


def _chains(section: _Section, border: Bool[ndarray, "e"]) -> Iterator[_Chain]:
    """The lines of a section; where more than two faces meet at an edge there is none."""
    count = len(section.ends)
    degree = np.bincount(section.beside.ravel(), minlength=count)
    next_to: list[list[int]] = [[] for _ in range(count)]
    for a, b in section.beside.tolist():
        next_to[a].append(b)
        next_to[b].append(a)
    graph = sparse.coo_matrix((np.ones(len(section.beside)), section.beside.T), shape=(count, count))
    piece = sparse.csgraph.connected_components(graph, directed=False)[1]
    order = np.argsort(piece, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1):
        if len(rows) < 3 or degree[rows].max() > 2:
            continue
        tips = rows[degree[rows] == 1]
        at, before, line = int(tips[0] if len(tips) else rows[0]), -1, []
        while True:
            line.append(at)
            onward = [each for each in next_to[at] if each != before]
            if not onward or onward[0] == line[0]:
                break
            before, at = at, onward[0]
        inner = (False, False) if not len(tips) else (not border[line[0]], not border[line[-1]])
        yield _Chain(np.array(line, np.int64), not len(tips), inner)


def _islands(chains: Sequence[_Chain], section: _Section, fork: Fork) -> Iterator[list[_Chain]]:
    """Lines that go around one island: those that end where the limbs part go on at the next end along the depth."""
    ends = []
    # Where the mesh is open below, the lines in front and behind end at its border.
    if torn := [chain for chain in chains if not chain.closed and not all(chain.inner)]:
        yield torn
    for row, chain in enumerate(chains):
        if chain.closed:
            yield [chain]
        elif all(chain.inner):
            ends += [(row, 0), (row, 1)]
    tips = [section.points[chains[row].edges[-last]][None] for row, last in ends]
    order = np.argsort([fork.depth(tip)[0] for tip in tips]) if tips else []
    partner = {}
    for a, b in zip(order[::2], order[1::2], strict=True):
        partner[ends[a]], partner[ends[b]] = ends[b], ends[a]
    while partner:
        (row, entry), island = next(iter(partner)), []
        while (row, entry) in partner:
            chain = chains[row]
            island.append(replace(chain, edges=chain.edges[::-1]) if entry else chain)
            del partner[row, entry]
            goal = partner.pop((row, 1 - entry))
            row, entry = goal
        yield island


def _webs(
    mesh: Pieces, body: Float[ndarray, "b 3"], fork: Fork, cloth: bool | None, scale: float
) -> tuple[list[list[_Chain]], Int64[ndarray, "c"], _Section]:
    """The islands that are to be cut, each as the lines around it; and the edges of those that are cloth."""
    along, depth = fork.along(mesh.vertices), fork.depth(mesh.vertices)
    near = np.flatnonzero(along > 0)
    nearer = np.zeros(len(mesh.vertices))
    if len(near):
        one, other = (_away(mesh.vertices[near], body, faces) for faces in (fork.one, fork.other))
        nearer[near] = one - other
    ends = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), 1)
    edges, times = np.unique(ends @ [len(mesh.vertices), 1], return_counts=True)
    top = _BELOW * scale
    while True:
        section = _section(mesh, nearer, along > top)
        border = np.isin(section.ends @ [len(mesh.vertices), 1], edges[times == 1])
        webs, hung, pushed = [], [np.zeros(0, np.int64)], top
        for island in _islands(list(_chains(section, border)), section, fork):
            edges_here = np.concatenate([chain.edges for chain in island])
            points = section.points[edges_here]
            if np.ptp(fork.along(points)) < _LEAST * scale:
                continue
            rows, spans, aside = _spans(points, fork, along, depth, nearer, body, scale)
            if not cloth and (cloth is False or not spans.any()):
                webs.append(island)
                continue
            hung.append(edges_here)
            if not cloth and spans.mean() < 0.8 and aside.mean() < 0.5:
                pushed = max(pushed, float(rows[spans].max()) + _ROW * scale)
        if pushed == top:
            return webs, np.concatenate(hung), section
        top = pushed  # above, cloth spans the limbs; below, nothing does


def _away(
    points: Float[ndarray, "n 3"], vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> Float[ndarray, "n"]:
    """Metres to a surface."""
    solid = np.asfortranarray(vertices, np.float64), np.asfortranarray(faces, np.int64)
    return np.sqrt(igl.point_mesh_squared_distance(np.asfortranarray(points), *solid)[0])


def _spans(
    points: Float[ndarray, "n 3"],
    fork: Fork,
    along: Float[ndarray, "v"],
    depth: Float[ndarray, "v"],
    nearer: Float[ndarray, "v"],
    body: Float[ndarray, "b 3"],
    scale: float,
) -> tuple[Float[ndarray, "r"], Bool[ndarray, "r"], Bool[ndarray, "r"]]:
    """For each row of an island, how far along it lies, and whether it is cloth; then whether it hangs on one side."""
    size = _ROW * scale
    row, here = np.floor(fork.along(points) / size).astype(int), fork.depth(points)
    rows = np.unique(row)
    spans, aside = np.zeros((2, len(rows)), bool)
    limbs = [body[np.unique(faces)] for faces in (fork.one, fork.other)]
    for k, each in enumerate(rows):
        low, high = (each - 0.5) * size, (each + 1.5) * size
        inside = (along > low) & (along < high)
        fronts, backs, middles = [], [], []
        for limb, sign in zip(limbs, (-1, 1), strict=True):
            reach = depth[inside & (nearer * sign > 0)]
            own = fork.depth(limb)[(fork.along(limb) > low) & (fork.along(limb) < high)]
            if len(reach) and len(own):
                fronts.append(reach.max())
                backs.append(reach.min())
                middles.append((own.max() + own.min()) / 2)
        if len(middles) == 2:
            middle = np.mean(middles)
            front = (here[row == each].max() - middle) / max(np.mean(fronts) - middle, 1e-6)
            back = (middle - here[row == each].min()) / max(middle - np.mean(backs), 1e-6)
            aside[k] = min(front, back) < -_ASIDE
            spans[k] = aside[k] or min(front, back) > _SPAN or max(front, back) > _OVER
    beside = np.concatenate([[False], spans, [False]])
    return rows * size, spans & (aside | beside[:-2] | beside[2:]), aside  # one row alone is noise


# ---------------------------------------------------------------------------------------------------- cutting


def _cut(
    mesh: Pieces, body: Float[ndarray, "b 3"], fork: Fork, section: _Section, webs: list[list[_Chain]], code: int
) -> None:
    """Cuts along the lines around webs and closes both sides with walls."""
    wanted = np.unique(np.concatenate([chain.edges for web in webs for chain in web]))
    before = len(mesh.vertices)
    typical = edges_of(mesh.faces)
    cell = float(np.median(np.linalg.norm(mesh.vertices[typical[:, 0]] - mesh.vertices[typical[:, 1]], axis=1)))
    mesh.split(section.ends[wanted], section.at[wanted])
    new = np.full(len(section.ends), -1)
    new[wanted] = before + np.arange(len(wanted))
    # Lines end where the limbs part; there both sides share a vertex.
    shared = [new[chain.edges[-last]] for web in webs for chain in web for last in (0, 1) if chain.inner[last]]
    doubled = np.setdiff1d(new[wanted], np.array(shared, np.int64))
    twin = np.arange(len(mesh.vertices))
    twin[doubled] = len(mesh.vertices) + np.arange(len(doubled))
    sign = np.concatenate([np.where(section.nearer >= 0, 1, -1), np.zeros(len(wanted), int)])
    touched = np.flatnonzero(np.isin(mesh.faces, doubled).any(1))
    right = touched[sign[mesh.faces[touched]].sum(1) > 0]
    mesh.faces[right] = twin[mesh.faces[right]]
    mesh.colours[doubled, -1] = code
    mesh.vertices = np.concatenate([mesh.vertices, mesh.vertices[doubled]])
    mesh.colours = np.concatenate([mesh.colours, mesh.colours[doubled]])
    mesh.colours[twin[doubled], -1] = code + 1
    for web in webs:
        if any(not chain.closed and not all(chain.inner) for chain in web):
            continue  # an open mesh needs no wall
        loop: list[int] = []
        for k, chain in enumerate(web):
            rows = new[chain.edges]
            loop += rows.tolist()
            if not chain.closed:
                loop += _bridge(mesh, int(rows[-1]), int(new[web[(k + 1) % len(web)].edges[0]]), cell)
        for side, faces, limb in ((0, fork.one, code), (1, fork.other, code + 1)):
            rim = np.array(loop)
            kept = rim < len(twin)
            rim[kept] = twin[rim[kept]] if side else rim[kept]
            _wall(mesh, body, faces, fork, rim, cell, limb)


def _bridge(mesh: Pieces, start: int, stop: int, cell: float) -> list[int]:
    """New vertices on the line between two."""
    apart = float(np.linalg.norm(mesh.vertices[stop] - mesh.vertices[start]))
    share = np.linspace(0, 1, max(round(apart / cell), 1) + 1)[1:-1, None]
    rows = len(mesh.vertices) + np.arange(len(share))
    for name in ("vertices", "colours"):
        values = getattr(mesh, name)
        setattr(mesh, name, np.concatenate([values, values[start] + share * (values[stop] - values[start])]))
    mesh.colours[rows, -1] = 0
    return rows.tolist()


def _wall(
    mesh: Pieces,
    body: Float[ndarray, "b 3"],
    limb: Int[ndarray, "g 3"],
    fork: Fork,
    rim: Int[ndarray, "n"],
    cell: float,
    code: int,
) -> None:
    """Closes a hole between two limbs by a wall, drawn to one of them."""
    points = mesh.vertices[rim]
    faces = clipped(np.stack([fork.along(points), fork.depth(points)], 1))
    wall = Pieces(points, faces, mesh.colours[rim])
    rims = np.sort(np.stack([np.arange(len(rim)), np.roll(np.arange(len(rim)), -1)], 1), 1) @ [1 << 32, 1]
    for _ in range(6):
        ends = edges_of(wall.faces)
        long = np.linalg.norm(wall.vertices[ends[:, 0]] - wall.vertices[ends[:, 1]], axis=1) > 1.5 * cell
        long &= ~np.isin(ends @ [1 << 32, 1], rims)
        if not long.any():
            break
        wall.split(ends[long], np.full(int(long.sum()), 0.5))
    inner = np.arange(len(rim), len(wall.vertices))
    ends = edges_of(wall.faces)
    pairs = np.concatenate([ends, ends[:, ::-1]]).T
    mean = sparse.coo_matrix((np.ones(pairs.shape[1]), pairs), shape=(len(wall.vertices),) * 2).tocsr()
    mean = sparse.diags(1 / np.maximum(np.asarray(mean.sum(1)).ravel(), 1)) @ mean
    for _ in range(20):
        wall.vertices[inner] = (mean @ wall.vertices)[inner]
    if len(inner):
        at = wall.vertices[inner]
        solid = np.asfortranarray(body, np.float64), np.asfortranarray(limb, np.int64)
        squared, _, closest = igl.point_mesh_squared_distance(np.asfortranarray(at), *solid)
        away = np.sqrt(squared)
        pull = np.clip(1 - float(_away(points, body, limb).mean()) / np.maximum(away, 1e-9), 0, 1)
        wall.vertices[inner] = at + pull[:, None] * (closest - at)
    # Its faces run along the rim the other way than those that are there.
    mine = np.isin(mesh.faces, rim).sum(1) > 1
    there = mesh.faces[mine]
    runs = np.concatenate([there[:, [0, 1]], there[:, [1, 2]], there[:, [2, 0]]])
    number = np.concatenate([rim, len(mesh.vertices) + np.arange(len(inner))])
    faces = number[wall.faces]
    mine = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    size = len(mesh.vertices) + len(inner)
    same, opposite = (np.isin(mine @ [size, 1], way).sum() for way in (runs @ [size, 1], runs[:, ::-1] @ [size, 1]))
    mesh.faces = np.concatenate([mesh.faces, faces[:, ::-1] if same > opposite else faces])
    colours = wall.colours[len(rim) :]
    colours[:, -1] = code
    mesh.vertices, mesh.colours = (
        np.concatenate([mesh.vertices, wall.vertices[len(rim) :]]),
        np.concatenate([mesh.colours, colours]),
    )


def clipped(outline: Float[ndarray, "n 2"]) -> Int64[ndarray, "m 3"]:
    """Triangles within a flat outline, its corners alone: the ear with the shortest cut comes off first.

    Where an outline crosses itself the triangles overlap, but still every side of it belongs to one of them.
    """
    a, b = outline, np.roll(outline, -1, 0)
    order = np.arange(len(outline))
    if (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() < 0:
        order = order[::-1]
    faces = []
    while len(order) > 3:
        before, at, after = outline[np.roll(order, 1)], outline[order], outline[np.roll(order, -1)]
        turn = _turn(before, at, after)
        length = np.where(turn > 0, np.linalg.norm(after - before, axis=1), np.inf)
        ears = np.argsort(length, kind="stable")
        chosen = int(ears[0])
        for ear in ears[: max(int(np.isfinite(length).sum()), 1)]:
            corners = before[ear], at[ear], after[ear]
            turns = [_turn(corners[k], corners[(k + 1) % 3], at) for k in range(3)]
            within = (np.min(turns, 0) >= 0) & ~np.isin(at, corners).all(1)
            if not within.any():
                chosen = int(ear)
                break
        size = len(order)
        faces.append([order[chosen - 1], order[chosen], order[(chosen + 1) % size]])
        order = np.delete(order, chosen)
    return np.array([*faces, order], np.int64)


def _turn(a: Float[ndarray, "*n 2"], b: Float[ndarray, "*n 2"], c: Float[ndarray, "m 2"]) -> Float[ndarray, "m"]:
    """Twice the area of triangles, positive counter-clockwise."""
    u, w = b - a, c - a
    return u[..., 0] * w[..., 1] - u[..., 1] * w[..., 0]
