"""Fewer triangles, the same character: levels of detail that keep rig, expressions, seams and outlines.

Edges are collapsed onto one of their ends, the cheapest first, so what is left is a subset of the vertices, each with
its own skin weights, texture coordinates, normal and expression offsets, unchanged. What a collapse costs is measured
not at rest alone but in several poses and expressions at once, as in Mohr and Gleicher 2003, "Deformation Sensitive
Decimation": a knee or a lip keeps the vertices that it needs to bend.

Source: Garland and Heckbert 1997, "Surface Simplification Using Quadric Error Metrics", sections 3 to 6. Departures:
ends of edges instead of best points; edges are taken a pass at a time, cheap ones that do not touch, instead of from a
heap; the poses stand for all joints and all expressions (their principal mixtures), instead of a recorded animation.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from bozzetto.kernels import inner, kernel

from ..geometry import vertex_normals
from ..render.surface import cross, dot
from ..types import Avatar, Layer, Mesh, Skeleton, SparseOffsets, UserError
from .vertices import array

LEVELS = (1.0, 0.5, 0.25, 0.1)
"""Share of the triangles at each level of detail."""
_BENT = 2
"""Poses that bend every joint."""
_MIXTURES = 5
"""Principal mixtures of the expressions."""
_BEND = 0.5
"""Radians each joint is bent by, about an axis of its own."""
_FACE = 100.0
"""How much dearer an error is where expressions move the surface than elsewhere: faces are looked at."""
_OUTLINE = 8.0
"""How much dearer it is to leave an open edge or a texture seam than to leave the surface."""
_STRAND = 0.03
"""How much cheaper it is on a strand (see `_MANY`): there are others, side by side."""
_STRANDS = 1.6
"""How many times their share of the triangles all strands together may keep, however much they wave and curl."""
_LEAST = 0.2
"""Share of its due that a piece of a layer keeps, however flat it is."""
_CARD = 64
"""A connected piece of at most so many triangles may become two: a strip of hair, a lash, a button."""
_FEWEST = 24
"""Triangles that any other piece keeps."""
_MANY = 64
"""Where a layer has at least so many pieces, none of them more than one part in so many of it, they are strands."""
_LOOKED_AT = 0.2
"""The cheapest share of the vertices, of which a pass takes those that do not touch."""


@dataclass(frozen=True, eq=False)
class _Surface:
    """All layers as one mesh, vertices and wedges (texture coordinates of a vertex) numbered through."""

    faces: Int64[ndarray, "f 3"]
    wedges: Int64[ndarray, "f 3"]
    owner: Int64[ndarray, "f"]
    """The layer of each face."""
    piece: Int64[ndarray, "f"]
    """The connected piece of each face, numbered through."""
    sides: Int64[ndarray, "f"]
    """2 for a face that is there turned over too, as a lining is: it goes along with the one in front."""
    starts: Int64[ndarray, "l1"]
    """Where each layer's vertices begin, and the end."""
    uvs: Float64[ndarray, "w 2"]


def count_triangles(avatar: Avatar) -> int:
    """Of all layers."""
    return sum(len(layer.mesh.faces) for layer in avatar.layers)


def at_level(avatar: Avatar, level: int) -> Avatar:
    """The avatar at a level of detail of `LEVELS`; 0 is the avatar itself."""
    return avatar if level == 0 else simplify(avatar, round(count_triangles(avatar) * LEVELS[level]))


def simplify(avatar: Avatar, triangles: int) -> Avatar:
    """The avatar with at most so many triangles: every layer stays, and every expression still moves something.

    Vertices that stay keep all they had; normals are the full surface's, so of faces that are there twice one goes at
    once. Strands of hair, lashes and beards become quads first, and are left out evenly only where that is not enough.

    Raises:
        UserError: Fewer triangles are asked for than what the layers need to stay recognisable.
    """
    before = count_triangles(avatar)
    if triangles >= before:
        return avatar
    surface = _surface(avatar)
    poses = _poses(avatar)
    moved = _moved(avatar)
    sizes = np.bincount(surface.piece, surface.sides)
    least = np.where(sizes <= _CARD, 2, np.maximum(np.ceil(sizes * _LEAST * triangles / before), _FEWEST))
    floors = np.minimum(sizes, least).astype(np.int64)
    faces, wedges, alive = _collapsed(surface, poses, moved, _dearest(avatar), floors, triangles)
    alive &= _after_thinning(faces, surface, alive, triangles)
    left = int(surface.sides[alive].sum())
    if left > triangles:
        raise UserError(
            f"This character cannot have {triangles} triangles and stay whole; {left} is the least. "
            f"It has {before}; ask for --max-triangles {left} or more."
        )
    return replace(avatar, layers=_rebuilt(avatar, surface, faces, wedges, alive))


def _surface(avatar: Avatar) -> _Surface:
    starts = np.cumsum([0, *(len(layer.mesh.vertices) for layer in avatar.layers)])
    faces = np.concatenate([array(layer.mesh.faces) + starts[index] for index, layer in enumerate(avatar.layers)])
    owner = np.repeat(np.arange(len(avatar.layers)), [len(layer.mesh.faces) for layer in avatar.layers])
    corner_uvs = np.concatenate([array(layer.mesh.uvs) for layer in avatar.layers]).reshape(-1, 2).astype(np.float64)
    key = np.column_stack([faces.ravel(), corner_uvs])
    order = np.lexsort(key.T[::-1])
    new = np.ones(len(order), bool)
    new[1:] = (key[order][1:] != key[order][:-1]).any(axis=1)
    wedges = np.empty(len(order), np.int64)
    wedges[order] = np.cumsum(new) - 1
    once, sides = _once(wedges.reshape(-1, 3))
    faces, wedges, owner = faces[once], wedges.reshape(-1, 3)[once], owner[once]
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    _, vertex_piece = connected_components(coo_matrix((np.ones(len(ends)), ends.T), (starts[-1],) * 2), directed=False)
    return _Surface(
        faces=np.ascontiguousarray(faces, np.int64),
        wedges=wedges,
        owner=owner,
        piece=np.unique(vertex_piece[faces[:, 0]], return_inverse=True)[1],
        sides=sides,
        starts=starts,
        uvs=corner_uvs[order[new]],
    )


def _once(wedges: Int64[ndarray, "f 3"]) -> tuple[Int64[ndarray, "n"], Int64[ndarray, "n"]]:
    """Each face that differs from those before it by more than its turn or side, and how many sides of it there are.

    Where a sheet is there twice, with its own vertices, no edge is shared by two faces only, and nothing could go.
    """
    ordered = np.sort(wedges, axis=1)
    first = wedges.argmin(axis=1)
    rows = np.arange(len(wedges))
    turned = wedges[rows, (first + 1) % 3] > wedges[rows, (first + 2) % 3]
    _, once, same, count = np.unique(ordered, axis=0, return_index=True, return_inverse=True, return_counts=True)
    over = np.bincount(same.ravel(), turned)
    order = np.argsort(once)
    return once[order], np.where((over > 0) & (over < count), 2, 1)[order]


def _poses(avatar: Avatar) -> Float64[ndarray, "v k 3"]:
    """Every vertex at rest, with all joints bent, and in the principal mixtures of the expressions."""
    rest = np.concatenate([array(layer.mesh.vertices) for layer in avatar.layers]).astype(np.float64)
    bends = [_bent(avatar, rest, seed) for seed in range(_BENT if len(avatar.skeleton.names) > 1 else 0)]
    return np.ascontiguousarray(np.stack([rest, *bends, *(rest + offsets for offsets in _mixtures(avatar))], axis=1))


def _bent(avatar: Avatar, rest: Float[ndarray, "v 3"], seed: int) -> Float[ndarray, "v 3"]:
    rotations, translations = _bend(avatar.skeleton, seed)
    weights = np.concatenate([array(layer.skin_weights) for layer in avatar.layers]).astype(np.float64)
    joints = np.concatenate([array(layer.skin_joints) for layer in avatar.layers])
    posed = np.zeros_like(rest)
    for column in range(4):
        joint = joints[:, column]
        placed = np.einsum("vij,vj->vi", rotations[joint], rest) + translations[joint]
        posed += weights[:, column, None] * placed
    return posed


def _bend(skeleton: Skeleton, seed: int) -> tuple[Float64[ndarray, "j 3 3"], Float64[ndarray, "j 3"]]:
    """Rest to pose, a joint: each turned about an axis that only the seed and its number choose."""
    positions = array(skeleton.positions).astype(np.float64)
    axes = np.random.default_rng(seed).normal(size=(len(positions), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    cross = np.cross(np.eye(3)[None], axes[:, None])  # rows e_i x a: the matrix of a x
    turns = np.eye(3) + np.sin(_BEND) * cross + (1 - np.cos(_BEND)) * cross @ cross
    rotations, translations = np.empty_like(turns), np.empty_like(positions)
    for joint, parent in enumerate(skeleton.parents):
        above = rotations[parent] if parent >= 0 else np.eye(3)
        rotations[joint] = above @ turns[joint]
        place = above @ positions[joint] + translations[parent] if parent >= 0 else positions[joint]
        translations[joint] = place - rotations[joint] @ positions[joint]
    return rotations, translations


def _mixtures(avatar: Avatar) -> list[Float64[ndarray, "v 3"]]:
    """Offsets whose squared errors together are nearly those of all the expressions: their principal axes."""
    names = list(dict.fromkeys(name for layer in avatar.layers for name in layer.expressions))
    if not names:
        return []
    fields, start = [], 0
    rows, columns, values = [], [], []
    for layer in avatar.layers:
        for name, expression in layer.expressions.items():
            indices, offsets = array(expression.indices) + start, array(expression.offsets).astype(np.float64)
            rows.append((indices[:, None] * 3 + np.arange(3)).ravel())
            columns.append(np.full(offsets.size, names.index(name)))
            values.append(offsets.ravel())
        start += len(layer.mesh.vertices)
    flat = tuple(np.concatenate(each) for each in (values, rows, columns))
    offsets = coo_matrix((flat[0], flat[1:]), (start * 3, len(names))).tocsr()
    _, vectors = np.linalg.eigh((offsets.T @ offsets).toarray())
    for axis in range(1, min(_MIXTURES, len(names)) + 1):
        fields.append((offsets @ vectors[:, -axis]).reshape(-1, 3))
    return fields


def _moved(avatar: Avatar) -> Bool[ndarray, "v"]:
    """Which vertices some expression moves by a tenth of a millimetre or more."""
    parts = []
    for layer in avatar.layers:
        moved = np.zeros(len(layer.mesh.vertices), bool)
        for expression in layer.expressions.values():
            moved[array(expression.indices)[np.abs(array(expression.offsets)).max(axis=1, initial=0) > 1e-4]] = True
        parts.append(moved)
    return np.concatenate(parts)


def _dearest(avatar: Avatar) -> Bool[ndarray, "v"]:
    """In every layer the vertex that each expression moves furthest: none of them may go."""
    parts = []
    for layer in avatar.layers:
        kept = np.zeros(len(layer.mesh.vertices), bool)
        for expression in layer.expressions.values():
            offsets = array(expression.offsets)
            if len(offsets):
                kept[array(expression.indices)[np.linalg.norm(offsets, axis=1).argmax()]] = True
        parts.append(kept)
    return np.concatenate(parts)


def _collapsed(
    surface: _Surface,
    poses: Float64[ndarray, "v k 3"],
    moved: Bool[ndarray, "v"],
    fixed: Bool[ndarray, "v"],
    floors: Int64[ndarray, "p"],
    triangles: int,
) -> tuple[Int64[ndarray, "f 3"], Int64[ndarray, "f 3"], Bool[ndarray, "f"]]:
    """Faces and wedges after collapsing, and which faces are left."""
    faces, wedges, alive = surface.faces.copy(), surface.wedges.copy(), np.ones(len(surface.faces), bool)
    strand = _strands(surface)[surface.piece]
    importance = np.where(moved[surface.faces].all(axis=1), _FACE, 1.0) * np.where(strand, _STRAND, 1.0)
    outline = np.where(strand, 1.0, _OUTLINE)  # no strand is the outline of all
    quadrics = _quadrics(poses, faces, wedges, importance / surface.sides, outline)
    counts = np.bincount(surface.piece, surface.sides).astype(np.int64)
    total, strands = int(counts.sum()), int(surface.sides[strand].sum())
    most = int(strands * min(_STRANDS * triangles / total, 1))
    rings = np.empty(256, np.int64), np.empty(256), np.empty(8, np.int64), np.empty(8, np.int64)
    others = np.ones(len(poses), bool)
    others[faces[strand]] = False
    for kept, enough in ((fixed | others, total - strands + most), (fixed.copy(), triangles)):
        cost, changed = np.empty(len(poses)), np.ones(len(poses), bool)
        while (left := int(surface.sides[alive].sum())) > enough:
            first, adjacent = _faces_of_vertices(faces, alive, len(poses))
            cost[changed | kept] = np.inf
            _cheapest(poses, quadrics, faces, first, adjacent, changed & ~kept, cost)
            order = np.argsort(cost)
            order = order[: max(int(np.isfinite(cost).sum() * _LOOKED_AT), 8)]
            order = order[np.isfinite(cost[order])]
            changed[:] = False
            _collapse(
                order, poses, quadrics, faces, wedges, surface.uvs, surface.piece, surface.sides, first, adjacent,
                counts, floors, alive, left - enough, changed, *rings,
            )  # fmt: skip
            if surface.sides[alive].sum() == left:
                if len(order) == np.isfinite(cost).sum():
                    break
                kept[order] = True  # what cannot go must not stand before what can
    return faces, wedges, alive


def _strands(surface: _Surface) -> Bool[ndarray, "p"]:
    """Which pieces are one of many alike: strands of hair or lashes, not what they grow on."""
    sizes = np.bincount(surface.piece, surface.sides)
    owner = np.zeros(len(sizes), np.int64)
    owner[surface.piece] = surface.owner
    small = sizes * _MANY <= np.bincount(surface.owner, surface.sides)[owner]
    return small & (np.bincount(owner[small], minlength=len(surface.starts))[owner] >= _MANY)


def _edges_of_faces(faces: Int64[ndarray, "f 3"]) -> tuple[Int64[ndarray, "f 3"], Int64[ndarray, "f 3"]]:
    """For each face's edge (corner to the next) how many faces have it, and a face beside it (itself at a border)."""
    ends = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    _, edge, count = np.unique(ends[:, 0] * (faces.max() + 1) + ends[:, 1], return_inverse=True, return_counts=True)
    order = np.argsort(edge, kind="stable")
    start = np.cumsum(count) - count
    first, last = order[start][edge], order[start + count - 1][edge]
    own = np.arange(faces.size)
    beside = np.where(first == own, last, first) // 3
    return count[edge].reshape(-1, 3), beside.reshape(-1, 3)


def _quadrics(
    poses: Float64[ndarray, "v k 3"],
    faces: Int64[ndarray, "f 3"],
    wedges: Int64[ndarray, "f 3"],
    importance: Float64[ndarray, "f"],
    outline: Float64[ndarray, "f"],
) -> Float64[ndarray, "v k 10"]:
    """Each vertex's quadrics: its faces' planes, and across open edges and seams the planes that hold them.

    A quadric is weight (n . (x - p))^2 as a polynomial in x: xx xy xz yy yz zz, x y z, 1. Garland and Heckbert, 5.
    """
    shared, beside = _edges_of_faces(faces)
    both = np.stack([wedges, np.roll(wedges, -1, axis=1)], axis=2)  # of each corner's edge
    same = (wedges[beside][:, :, None] == both[..., None]).any(axis=3).all(axis=2)
    f, corner = np.nonzero((shared != 2) | ~same)
    u, v = faces[f, corner], faces[f, (corner + 1) % 3]
    rows = np.concatenate([faces.T.ravel(), u, v])
    columns = np.concatenate([np.tile(np.arange(len(faces)), 3), np.tile(np.arange(len(f)) + len(faces), 2)])
    onto = coo_matrix((np.ones(len(rows)), (rows, columns)), (len(poses), len(faces) + len(f))).tocsr()
    out = np.empty((*poses.shape[:2], 10))
    for k in range(poses.shape[1]):
        at = np.ascontiguousarray(poses[:, k].T)
        a, b, c = (at[:, faces[:, corner]] for corner in range(3))
        normal, length = _unit(np.cross(b - a, c - a, axis=0))
        wall, size = _unit(np.cross(at[:, v] - at[:, u], normal[:, f], axis=0))
        weight = np.concatenate([importance * length / 6, importance[f] * outline[f] * size**2])
        x, y, z = np.concatenate([normal, wall], axis=1)
        point = np.concatenate([a, at[:, u]], axis=1)
        d = -(x * point[0] + y * point[1] + z * point[2])
        wx, wy, wz, wd = weight * x, weight * y, weight * z, weight * d
        terms = (wx * x, wx * y, wx * z, wy * y, wy * z, wz * z, wx * d, wy * d, wz * d, wd * d)
        out[:, k] = onto @ np.stack(terms, axis=1)
    return out


def _unit(vectors: Float64[ndarray, "3 n"]) -> tuple[Float64[ndarray, "3 n"], Float64[ndarray, "n"]]:
    """Directions and lengths; no direction is zero."""
    length = np.linalg.norm(vectors, axis=0)
    return vectors / np.maximum(length, 1e-16), length


def _faces_of_vertices(
    faces: Int64[ndarray, "f 3"], alive: Bool[ndarray, "f"], vertices: int
) -> tuple[Int64[ndarray, "v1"], Int64[ndarray, "n"]]:
    """Where each vertex's faces begin in the second array, which lists them."""
    living = np.flatnonzero(alive)
    corners = faces[living].ravel()
    first = np.concatenate([[0], np.cumsum(np.bincount(corners, minlength=vertices))])
    return first, np.repeat(living, 3)[np.argsort(corners, kind="stable")]


@inner
def _error(quadrics, poses, u, v):
    """What all poses say of moving u onto v."""
    total = 0.0
    for k in range(poses.shape[1]):
        q, x, y, z = quadrics[u, k], poses[v, k, 0], poses[v, k, 1], poses[v, k, 2]
        total += max(
            x * (q[0] * x + 2 * (q[1] * y + q[2] * z + q[6]))
            + y * (q[3] * y + 2 * (q[4] * z + q[7]))
            + z * (q[5] * z + 2 * q[8])
            + q[9],
            0.0,
        )
    return total


@kernel
def _cheapest(poses, quadrics, faces, first, adjacent, asked, cost):
    """What the cheapest collapse of each vertex that is asked for would cost, allowed or not."""
    for u in range(len(poses)):
        if not asked[u]:
            continue
        for n in range(first[u], first[u + 1]):
            for corner in range(3):
                v = faces[adjacent[n], corner]
                if v != u:
                    cost[u] = min(cost[u], _error(quadrics, poses, u, v))


@kernel
def _collapse(
    order, poses, quadrics, faces, wedges, uvs, piece, sides, first, adjacent, counts, floors, alive, excess, touched,
    ring, costs, map_from, map_to,
):  # fmt: skip
    """One pass: each vertex onto its cheapest neighbour that allows it, if nothing around it was touched yet."""
    for u in order:
        if excess <= 0:
            return
        mine = piece[adjacent[first[u]]]
        if touched[u] or counts[mine] <= floors[mine]:
            continue
        own = first[u], first[u + 1]
        fan = own[1] - own[0]
        neighbours, stale = np.int64(0), False
        for n in range(own[0], own[1]):
            f = adjacent[n]
            for corner in range(3):
                v = faces[f, corner]
                stale |= touched[v]
                known = v == u
                for i in range(neighbours):
                    known |= ring[i] == v
                if not known and neighbours < 256:
                    ring[neighbours], costs[neighbours] = v, _error(quadrics, poses, u, v)
                    neighbours += 1
        # A fan has as many neighbours as faces, or one more at a border; anything else is no surface.
        if stale or neighbours == 256 or neighbours < fan or neighbours > fan + 1:
            continue
        border = neighbours > fan
        for _ in range(neighbours):
            best = 0
            for i in range(1, neighbours):
                best = i if costs[i] < costs[best] else best
            v, costs[best] = ring[best], np.inf
            mapped = _wedge_map(faces, wedges, adjacent, own, u, v, map_from, map_to)
            if mapped == 0:
                continue
            around = first[v], first[v + 1]
            if not _keeps_topology(faces, adjacent, own, around, ring, neighbours, u, v, border):
                continue
            if not _keeps_sides(poses, faces, wedges, uvs, adjacent, own, u, v, map_from, map_to, mapped):
                continue
            for n in range(own[0], own[1]):
                f, gone = adjacent[n], False
                for corner in range(3):
                    gone |= faces[f, corner] == v
                if gone:
                    alive[f] = False
                    excess -= sides[f]
                    counts[mine] -= sides[f]
                    continue
                for corner in range(3):
                    if faces[f, corner] == u:
                        faces[f, corner] = v
                        for m in range(mapped):
                            if map_from[m] == wedges[f, corner]:
                                wedges[f, corner] = map_to[m]
                                break
            for k in range(quadrics.shape[1]):
                for i in range(10):
                    quadrics[v, k, i] += quadrics[u, k, i]
            touched[u] = True
            for i in range(neighbours):
                touched[ring[i]] = True
            break


@inner
def _wedge_map(faces, wedges, adjacent, own, u, v, map_from, map_to):
    """Which wedge of v takes the place of each of u's, as the faces at their edge say; 0 if that is not one each."""
    mapped = 0
    for n in range(own[0], own[1]):
        f, at_u, at_v = adjacent[n], -1, -1
        for corner in range(3):
            if faces[f, corner] == u:
                at_u = wedges[f, corner]
            elif faces[f, corner] == v:
                at_v = wedges[f, corner]
        if at_v >= 0:
            known = False
            for m in range(mapped):
                if map_from[m] == at_u:
                    known = True
                    if map_to[m] != at_v:
                        return 0
            if not known:
                if mapped == len(map_from):
                    return 0
                map_from[mapped], map_to[mapped] = at_u, at_v
                mapped += 1
    for n in range(own[0], own[1]):
        f = adjacent[n]
        for corner in range(3):
            if faces[f, corner] == u:
                known = False
                for m in range(mapped):
                    known |= map_from[m] == wedges[f, corner]
                if not known:
                    return 0
    return mapped


@inner
def _keeps_topology(faces, adjacent, own, around, ring, neighbours, u, v, border):
    """Whether the surface stays a surface with the same holes and pieces: the link condition."""
    shared = 0
    for n in range(own[0], own[1]):
        for corner in range(3):
            if faces[adjacent[n], corner] == v:
                shared += 1
    # A border vertex goes along the border only.
    if shared != (1 if border else 2) or around[1] - around[0] == shared:
        return False
    common = 0
    for i in range(neighbours):
        w = ring[i]
        if w != v:
            found = False
            for n in range(around[0], around[1]):
                for corner in range(3):
                    found |= faces[adjacent[n], corner] == w
            common += found
    if common != shared:
        return False
    for n in range(own[0], own[1]):  # the faces that move must not fall on others: a closed piece would go flat
        f, a, b, has = adjacent[n], -1, -1, False
        for corner in range(3):
            w = faces[f, corner]
            has |= w == v
            if w != u:
                if a < 0:
                    a = w
                else:
                    b = w
        if not has:
            for other in range(around[0], around[1]):
                same = 0
                for corner in range(3):
                    w = faces[adjacent[other], corner]
                    same += w in (a, b)
                if same == 2:
                    return False
    return True


@inner
def _keeps_sides(poses, faces, wedges, uvs, adjacent, own, u, v, map_from, map_to, mapped):
    """Whether every face that moves still looks the same way, on the body (within 75 degrees) and in its texture."""
    for n in range(own[0], own[1]):
        f, i, has = adjacent[n], 0, False
        for corner in range(3):
            has |= faces[f, corner] == v
            if faces[f, corner] == u:
                i = corner
        if has:
            continue
        second, third = (i + 1) % 3, (i + 2) % 3
        b, c = faces[f, second], faces[f, third]
        before, after = _normal(poses, u, b, c), _normal(poses, v, b, c)
        size = np.sqrt(dot(before, before) * dot(after, after))
        if dot(before, after) < 0.25 * size or dot(after, after) < 1e-22:
            return False
        t, r, s = wedges[f, i], wedges[f, second], wedges[f, third]
        for m in range(mapped):
            if map_from[m] == t and _turn(uvs, t, r, s) * _turn(uvs, map_to[m], r, s) < 0:
                return False
    return True


@inner
def _normal(poses, a, b, c):
    """At rest, as long as twice the area."""
    px, py, pz = poses[a, 0, 0], poses[a, 0, 1], poses[a, 0, 2]
    one = poses[b, 0, 0] - px, poses[b, 0, 1] - py, poses[b, 0, 2] - pz
    two = poses[c, 0, 0] - px, poses[c, 0, 1] - py, poses[c, 0, 2] - pz
    return cross(one, two)


@inner
def _turn(uvs, a, b, c):
    """Which way round three wedges lie in the texture: the sign."""
    x, y = uvs[a, 0], uvs[a, 1]
    return (uvs[b, 0] - x) * (uvs[c, 1] - y) - (uvs[b, 1] - y) * (uvs[c, 0] - x)


def _after_thinning(
    faces: Int64[ndarray, "f 3"], surface: _Surface, alive: Bool[ndarray, "f"], triangles: int
) -> Bool[ndarray, "f"]:
    """Which faces stay when strands go, evenly and at most three of four, until there are few enough triangles."""
    stays = np.ones(len(faces), bool)
    excess = int(surface.sides[alive].sum()) - triangles
    if excess <= 0:
        return stays
    size = np.bincount(surface.piece[alive], surface.sides[alive], surface.piece.max() + 1)
    owner = np.zeros(len(size), np.int64)
    owner[surface.piece] = surface.owner
    order = np.random.default_rng(0).permutation(np.flatnonzero(_strands(surface)))
    rank = np.empty(len(order))  # place in the own layer's queue, as a share of it
    for layer in np.unique(owner[order]):
        mine = np.flatnonzero(owner[order] == layer)
        rank[mine] = np.arange(len(mine)) / len(mine)
    order = order[np.argsort(rank, kind="stable")][: int(0.75 * len(order))]
    going = order[: int(np.searchsorted(np.cumsum(size[order]), excess)) + 1]
    return stays & ~np.isin(surface.piece, going)


def _rebuilt(
    avatar: Avatar,
    surface: _Surface,
    faces: Int64[ndarray, "f 3"],
    wedges: Int64[ndarray, "f 3"],
    alive: Bool[ndarray, "f"],
) -> tuple[Layer, ...]:
    layers = []
    for index, layer in enumerate(avatar.layers):
        mine = alive & (surface.owner == index)
        own, corners = faces[mine] - surface.starts[index], wedges[mine]
        twice = surface.sides[mine] == 2
        own, corners = (np.concatenate([each, each[twice, ::-1]]) for each in (own, corners))
        kept = np.unique(own)
        renumbered = np.full(len(layer.mesh.vertices), -1)
        renumbered[kept] = np.arange(len(kept))
        chosen = torch.from_numpy(kept)
        normals = layer.normals
        if normals is None:
            full = vertex_normals(array(layer.mesh.vertices).astype(np.float64), array(layer.mesh.faces))
            normals = torch.from_numpy(full)
        expressions = {}
        for name, expression in layer.expressions.items():
            rows = torch.from_numpy(renumbered[array(expression.indices)])
            if (rows >= 0).any():
                expressions[name] = SparseOffsets(rows[rows >= 0], expression.offsets[rows >= 0])
        layers.append(
            replace(
                layer,
                mesh=Mesh(
                    layer.mesh.vertices[chosen],
                    torch.from_numpy(renumbered[own]),
                    torch.from_numpy(surface.uvs[corners].astype(np.float32)),
                ),
                skin_weights=layer.skin_weights[chosen],
                skin_joints=layer.skin_joints[chosen],
                expressions=expressions,
                normals=normals[chosen],
            )
        )
    return tuple(layers)
