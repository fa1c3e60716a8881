"""Texture coordinates for meshes that have none: faces that look the same way become a chart, seen from there.

xatlas's own charts of a free-form person are thousands and take most of a minute (``benchmarks/textures.py``): a
marching surface has no flat places to grow from. Here the six axes share the faces among them, with few borders; what
lies behind another part of its own chart is peeled off; each connected piece is then projected along its own mean
normal. xatlas only packs.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from scipy import sparse

from bozzetto.kernels import kernel
from bozzetto.render.raster import rasterize
from bozzetto.types import Cameras, Mesh

_AXES = np.concatenate([np.eye(3), -np.eye(3)])
_SLANTED = 0.2
"""Cosine below which an axis sees a face too much from the side to own it."""
_LAYERS = 8
"""Of a pile of surfaces behind one another, so many are told apart."""


def unwrap(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], size: int = 1024, padding: int = 4) -> Mesh:
    """The mesh with texture coordinates: no two faces share a texel, and faces keep their order and vertices.

    Args:
        vertices: Metres.
        faces: Counter-clockwise seen from outside; they may leave holes.
        size: Side of the picture that will be painted, texels; decides how wide ``padding`` is.
        padding: Texels between charts.

    Raises:
        ValueError: No faces, a vertex that is not finite, a face that names no vertex, or a mesh without area.
    """
    corners, normals, areas = _shape(vertices, faces)
    pairs = _neighbours(faces)
    owner = _share_out(normals, areas, pairs)
    piece = _connected(pairs, owner)
    layer = np.zeros(len(faces), np.int64)
    for mine in np.split(np.argsort(piece, kind="stable"), np.cumsum(np.bincount(piece))[:-1]):
        if len(mine) > 2:
            layer[mine] = _peel(corners[mine], _AXES[owner[mine[0]]])
    chart = _connected(pairs, piece * _LAYERS + layer)
    return Mesh(
        torch.from_numpy(np.array(vertices, np.float32)),
        torch.from_numpy(np.array(faces, np.int64)),
        torch.from_numpy(_pack(_flatten(corners, owner), chart, size, padding)),
    )


def _shape(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> tuple[Float[ndarray, "f 3 3"], Float[ndarray, "f 3"], Float[ndarray, "f"]]:
    """Corners, unit normals (zero without area) and areas."""
    if not len(faces) or not np.isfinite(vertices).all():
        raise ValueError(f"An unwrap needs faces and finite vertices; this mesh has {len(faces)} faces.")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"Faces name vertices {faces.min()} to {faces.max()}; there are {len(vertices)}.")
    corners = vertices.astype(np.float64)[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice = np.linalg.norm(across, axis=1)
    if twice.sum() <= 0:
        raise ValueError("No face of the mesh has any area.")
    return corners, across / np.maximum(twice, 1e-30)[:, None], twice / 2


def _neighbours(faces: Int[ndarray, "f 3"]) -> Int[ndarray, "e 2"]:
    """Pairs of faces that share an edge."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    names = ends[:, 0] * (faces.max() + 1) + ends[:, 1]
    order = np.argsort(names)
    same = names[order[1:]] == names[order[:-1]]
    return np.stack([order[:-1][same], order[1:][same]], 1) % len(faces)


def _share_out(
    normals: Float[ndarray, "f 3"],
    areas: Float[ndarray, "f"],
    pairs: Int[ndarray, "e 2"],
    rounds: int = 24,
) -> Int[ndarray, "f"]:
    """For each face the axis it looks along, so that neighbours agree where they can.

    Iterated conditional modes of a Potts model over the faces (Besag 1986): agreement with a neighbour counts as much
    as the normals' cosine.
    """
    count = len(normals)
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    graph = (graph + graph.T).tocsr()
    smooth = normals * areas[:, None]
    for _ in range(6):
        smooth = 0.5 * smooth + 0.5 * (graph @ smooth) / 3
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-30)
    fit = smooth @ _AXES.T
    seen = normals @ _AXES.T
    fit[(seen < _SLANTED) & (seen < seen.max(1, keepdims=True))] = -np.inf
    owner = fit.argmax(1)
    for turn in range(rounds):
        agree = graph @ np.eye(6)[owner]
        better = (fit + 0.8 * agree).argmax(1)
        if turn % 2:  # half of the faces at a time, so that two neighbours do not swap for ever
            better = np.where(np.arange(count) % 2, better, owner)
        if (better == owner).all():
            break
        owner = better
    return owner


def _peel(corners: Float[ndarray, "f 3 3"], axis: Float[ndarray, "3"]) -> Int[ndarray, "f"]:
    """For each face how many surfaces of the same axis lie before it; less than ``_LAYERS``."""
    layer = np.full(len(corners), _LAYERS - 1)
    right = np.roll(np.abs(axis), 1)
    placed = corners @ np.stack([right, np.cross(axis, right), -axis]).T
    low, high = placed.min((0, 1)), placed.max((0, 1))
    scale = min(2.0 / np.sqrt(np.abs(_flat_areas(placed)).mean() + 1e-12), 2000 / max((high - low)[:2].max(), 1e-9))
    placed = (placed - low) * [scale, scale, 1.0]
    cameras = Cameras(
        torch.eye(4)[None], torch.diag(torch.tensor([1.0, 1.0, 0.0]))[None],
        int((high - low)[1] * scale) + 1, int((high - low)[0] * scale) + 1,
    )  # fmt: skip
    middle, slack = placed.mean(1), np.ptp(placed[:, :, 2], axis=1) + 2.0 / scale
    waiting = np.arange(len(corners))
    for number in range(_LAYERS - 1):
        points = placed[waiting].reshape(-1, 3).astype(np.float32)
        front = rasterize(points, np.arange(len(points)).reshape(-1, 3), cameras).face[0]
        column, row = middle[waiting, :2].astype(int).T
        before = front[row, column]
        behind = middle[waiting, 2] - middle[waiting[before], 2]
        hidden = (before >= 0) & (behind > slack[waiting] + slack[waiting[before]])
        layer[waiting[~hidden]] = number
        waiting = waiting[hidden]
        if not len(waiting):
            break
    return layer


def _flat_areas(points: Float[ndarray, "f 3 _"]) -> Float[ndarray, "f"]:
    """Signed areas of triangles in the plane of the first two coordinates."""
    (ax, ay), (bx, by) = (points[:, k, :2].T - points[:, 0, :2].T for k in (1, 2))
    return (ax * by - ay * bx) / 2


def _connected(pairs: Int[ndarray, "e 2"], group: Int[ndarray, "f"]) -> Int[ndarray, "f"]:
    """The piece of each face: neighbours of one group share one."""
    joined = pairs[group[pairs[:, 0]] == group[pairs[:, 1]]]
    graph = sparse.coo_matrix((np.ones(len(joined)), joined.T), shape=(len(group),) * 2)
    return sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)


def _flatten(corners: Float[ndarray, "f 3 3"], owner: Int[ndarray, "f"]) -> Float[ndarray, "f 3 2"]:
    """Every face projected along its axis, upright where that has an up; metres, v downwards."""
    mean = _AXES[owner]
    up = np.where(np.abs(mean[:, 1:2]) > 0.9, [0.0, 0.0, -1.0], [0.0, 1.0, 0.0])
    right = np.cross(up, mean)
    down = np.cross(right, mean)
    return np.stack([np.einsum("fkd,fd->fk", corners, each) for each in (right, down)], -1)


def _pack(flat: Float[ndarray, "f 3 2"], chart: Int[ndarray, "f"], size: int, padding: int) -> Float[ndarray, "f 3 2"]:
    """The charts beside each other in the unit square, turned by quarters; the largest first, each where it fits best.

    A chart is the cells, as wide as the padding, that its faces touch; between two charts one cell stays free.
    """
    charts = int(chart.max()) + 1
    order = np.argsort(chart, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(chart, minlength=charts))])
    low = np.full((charts, 2), np.inf)
    np.minimum.at(low, chart, flat.min(1))
    local = (flat - low[chart][:, None])[order]
    row = chart[order]
    area = np.bincount(row, np.abs(_flat_areas(local)), charts)
    goal = max(size // max(padding, 1), 16)
    scale = 0.75 * goal / np.sqrt(area.sum() + 1e-12)
    wide = np.zeros((charts, 2))
    np.maximum.at(wide, row, local.max(1))
    place, used = _lay_out(local * scale, bounds, np.argsort(-area), _side(wide * scale, goal))
    for _ in range(5):
        if used <= goal:
            break
        scale *= 0.99 * goal / used
        place, used = _lay_out(local * scale, bounds, np.argsort(-area), _side(wide * scale, goal))
    turned = _turned(local * scale, place[row], (np.floor(wide * scale).astype(np.int64) + 1)[row])
    out = np.empty(flat.shape, np.float32)
    out[order] = (turned + place[row, None, :2]) / max(used, goal)
    return out


def _side(wide: Float[ndarray, "c 2"], goal: int) -> int:
    """Cells a side within which everything can be laid out."""
    return 2 * max(int(wide.max()) + 1, goal)


def _turned(
    points: Float[ndarray, "f 3 2"], place: Int[ndarray, "f 3"], extent: Int[ndarray, "f 2"]
) -> Float[ndarray, "f 3 2"]:
    """Points turned by the quarters in the third column of ``place``, within their chart's box of cells."""
    x, y = points[..., 0], points[..., 1]
    wide, high = extent[:, 0, None].astype(float), extent[:, 1, None].astype(float)
    quarter = place[:, 2, None]
    return np.stack(
        [np.choose(quarter, [x, high - y, wide - x, y]), np.choose(quarter, [y, x, high - y, wide - x])], -1
    )


def _lay_out(
    points: Float[ndarray, "f 3 2"], bounds: Int[ndarray, "_"], order: Int[ndarray, "c"], side: int
) -> tuple[Int[ndarray, "c 3"], int]:
    """For each chart its cell and its quarter turns, and how many cells a side are used."""
    taken = np.zeros((side + 2, side + 2), bool)  # with a rim, as each chart has
    place = np.zeros((len(bounds) - 1, 3), np.int64)
    used = 1
    for chart in order:
        mine = points[bounds[chart] : bounds[chart + 1]]
        wide, high = (mine.max((0, 1)).astype(np.int64) + 1).tolist()
        cells = np.zeros((high + 2, wide + 2), bool)
        _mark(mine, cells)
        inside = cells[1:-1, :-2] & cells[1:-1, 2:] & cells[:-2, 1:-1] & cells[2:, 1:-1]
        rim = cells[1:-1, 1:-1] & ~inside
        found = np.array([side * side * 4, 0, 0, 0])
        for turn in range(4 if wide * high > 1 else 1):
            turned = np.rot90(rim, -turn)
            edge = np.argwhere(turned)
            # Far apart, one after the other, so that a clash is met early.
            edge = edge[np.arange(len(edge)) * 7919 % len(edge)]
            _fit(taken[1:-1, 1:-1], edge, turned.shape[0], turned.shape[1], used, turn, found)
        _, x, y, turn = found.tolist()
        place[chart] = x, y, turn
        turned = np.rot90(cells, -turn)
        used = max(used, x + turned.shape[1] - 2, y + turned.shape[0] - 2)
        around = turned.copy()
        around[1:] |= turned[:-1]
        around[:-1] |= turned[1:]
        turned = around.copy()
        around[:, 1:] |= turned[:, :-1]
        around[:, :-1] |= turned[:, 1:]
        taken[y : y + around.shape[0], x : x + around.shape[1]] |= around
    return place, used


@kernel
def _fit(taken, cells, high, wide, used, turn, found):
    """Notes (cost, column, row, turn) of the best free place for these cells, if it is better than what is noted."""
    side = len(taken)
    for y in range(side - high):
        if max(y + high, used) * 2 * side > found[0]:
            break
        for x in range(side - wide):
            cost = max(max(x + wide, y + high), used) * 2 * side + x + y
            if cost >= found[0]:
                break
            free = True
            for n in range(len(cells)):
                if taken[y + cells[n, 0], x + cells[n, 1]]:
                    free = False
                    break
            if free:
                found[0], found[1], found[2], found[3] = cost, x, y, turn
                break


@kernel
def _mark(points, cells):
    """Marks the unit cells that triangles touch; cells begin at row and column one."""
    for f in range(len(points)):
        ax, ay, bx, by = points[f, 0, 0], points[f, 0, 1], points[f, 1, 0], points[f, 1, 1]
        cx, cy = points[f, 2, 0], points[f, 2, 1]
        turn = 1.0 if (bx - ax) * (cy - ay) - (cx - ax) * (by - ay) >= 0.0 else -1.0
        for y in range(np.int64(min(ay, min(by, cy))), np.int64(max(ay, max(by, cy))) + 1):
            for x in range(np.int64(min(ax, min(bx, cx))), np.int64(max(ax, max(bx, cx))) + 1):
                touched = True
                for k in range(3):
                    px, py = points[f, k, 0], points[f, k, 1]
                    dx, dy = (points[f, (k + 1) % 3, 0] - px) * turn, (points[f, (k + 1) % 3, 1] - py) * turn
                    at = dx * (y + 0.5 - py) - dy * (x + 0.5 - px)
                    if at < -0.5 * (abs(dx) + abs(dy)):
                        touched = False
                if touched:
                    cells[y + 1, x + 1] = True
