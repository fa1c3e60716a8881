"""A rig for a free-form mesh: weights, expressions, and an opened face, from the body that stands inside it.

Weights come from the closest point of the body, where that is near and looks the same way, and are filled in elsewhere
so that they bend as little as they can (Abdrashitov et al. 2023, "Robust Skin Weights Transfer via Weight Inpainting").
Departures: a place is also doubted where neighbours on the mesh have closest points far apart on the body, as between
thighs that have grown together, and weights are smoothed by the heat equation, more so where the mesh lies farther off.
``limbs`` cuts webs between limbs, ``opening`` cuts lips and lids so that they can open.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from numpy import ndarray
from scipy import sparse
from scipy.sparse.linalg import splu

from bozzetto.body.bind import Bind, pose_transforms, skin
from bozzetto.body.landmarks import contour_vertices, dominant_joint, regions
from bozzetto.body.limbs import Fork, forks, separate
from bozzetto.body.model import Body
from bozzetto.body.opening import Opened, Ring, closest_on_side, face_scale, line_height, lip_side, open_face, rings
from bozzetto.body.poses import Posture, rotations
from bozzetto.geometry import edges_of, vertex_normals
from bozzetto.types import ColouredMesh, Layer, Material, Mesh, Skeleton, SparseOffsets, UserError

FAR, SLANTED = 0.06, 45.0
"""A closest point farther away than this (metres, for somebody 1.7 m tall) or turned more (degrees) is not believed."""
_ROOM, _ROOM_CLOTH, _HEM = 0.035, 0.15, 0.02
"""Metres on either side of a tear over which weights change from one limb to the other; and where a skirt hangs, down
to so far below its hem."""
_JUMP = 0.45
"""Share of its weights in which a vertex may differ from its neighbour before both are doubted."""
_SPREAD, _SPREAD_OPEN, _SPREAD_OFF = 0.007, 0.02, 0.03
"""Metres that weights are smoothed over: where they are the body's own, and where they were filled in, at least..."""
_LOOSE = 0.7
"""...or this share of how far the mesh lies off the body, up to the third: cloth bends less sharply than a joint."""
_SHOWN = 0.015
"""Metres within which a mesh shows a point of the body's face."""
_FOLD = 0.001
"""Metres by which a point in a fold lies deeper than what covers it."""
_STIFF = 0.1
"""How smooth the correction of expressions is, beside how exact."""
LEAST_SHARE = 0.5
"""Of a mesh, so much must lie close to the body."""


@dataclass(frozen=True, eq=False)
class Donor:
    """The body that a mesh was made around, in the pose both stand in."""

    vertices: Float32[ndarray, "v 3"]
    """Metres."""
    faces: Int64[ndarray, "f 3"]
    """The skin seen from outside."""
    linings: Mapping[str, Int64[ndarray, "_ 3"]]
    """Faces behind the openings: "mouth", "left_eye", "right_eye"."""
    skin_weights: Float32[ndarray, "v 4"]
    skin_joints: Int64[ndarray, "v 4"]
    expressions: Mapping[str, Float32[ndarray, "v 3"]]
    """By ARKit name, metres."""
    face: Bool[ndarray, "v"]
    skeleton: Skeleton
    inner: tuple[Layer, ...] = ()
    """Eyes, teeth and tongue, in the same pose."""

    @cached_property
    def openings(self) -> list[Ring]:
        """The rims of mouth and eyes."""
        return rings(self.vertices, self.linings, self.vertices + self.expressions["jawOpen"])

    @cached_property
    def side(self) -> Int64[ndarray, "v"]:
        """1 for what belongs to the upper lip, -1 for the lower, told apart with the jaw half open."""
        mouth = next(ring for ring in self.openings if ring.name == "mouth")
        opened = self.vertices + np.float32(0.5) * self.expressions["jawOpen"]
        scale = face_scale(self.vertices, self.openings)
        middle = (line_height(opened, mouth.upper, opened[:, 0]) + line_height(opened, mouth.lower, opened[:, 0])) / 2
        return lip_side(opened, middle, opened[np.concatenate([mouth.upper, mouth.lower])], scale)

    @cached_property
    def forks(self) -> list[Fork]:
        """Where its limbs part."""
        return forks(self.vertices, self.faces, self.skin_weights, self.skin_joints, self.skeleton)

    @property
    def tall(self) -> float:
        """Metres."""
        return float(np.ptp(self.vertices[np.unique(self.faces), 1]))


def donor(
    body: Body, rest: Float[ndarray, "v 3"], bind: Bind, lift: float = 0.0, inner: tuple[Layer, ...] = ()
) -> Donor:
    """The body of a person as a donor, in the T-pose.

    Args:
        body: The model.
        rest: All its vertices in Anny's rest pose, metres.
        bind: Of the same person.
        lift: Metres that the T-pose stands higher.
        inner: The person's eyes, teeth and tongue in the T-pose, with that lift.
    """
    part = body.parts["body"]
    weights, joints = body.skin_weights, body.skin_joints
    placed = bind.place(rest, weights, joints) + np.array([0, lift, 0], np.float32)
    outer, linings = _islands(body)
    eyes = [body.joint_names.index(name) for name in ("eye.L", "eye.R")]
    # Expressions are the mean person's; a face is as large as its eyes are apart.
    to_rest = bind.to_rest.astype(np.float64)
    apart = np.ptp((np.einsum("jab,jb->ja", to_rest[eyes, :, :3], bind.joints[eyes]) + to_rest[eyes, :, 3])[:, 0])
    scale = np.float32(apart / np.ptp(body.joint_template.numpy()[eyes, 0]))
    expressions = {}
    for name, (rows, offsets) in body.expressions.items():
        dense = np.zeros((part.stop, 3), np.float32)
        kept = rows < part.stop
        dense[rows[kept]] = bind.turn(scale * offsets[kept], weights[rows[kept]], joints[rows[kept]])
        expressions[name] = dense
    return Donor(
        placed[: part.stop].astype(np.float32), part.faces[outer], {k: part.faces[v] for k, v in linings.items()},
        weights[: part.stop], joints[: part.stop], expressions, regions(body)["face"][: part.stop],
        body.skeleton(bind.joints + np.array([0, lift, 0], np.float32)), inner,
    )  # fmt: skip


def _islands(body: Body) -> tuple[Int[ndarray, "n"], dict[str, Int[ndarray, "_"]]]:
    """Faces of the outer skin, and of what lies behind mouth and lids: charts of their own in MakeHuman's layout."""
    part = body.parts["body"]
    skin = np.flatnonzero(part.faces[:, 0] < body.expressions["tongueOut"][0].min())
    flat = np.round(part.uvs[skin].reshape(-1, 2) * 1e5).astype(np.int64)
    corner = np.unique(flat[:, 0] * 1_000_000 + flat[:, 1], return_inverse=True)[1].reshape(-1, 3)
    chart = connected(corner, int(corner.max()) + 1)[corner[:, 0]]
    head = np.array([name == "head" or name.startswith(("eye", "neck")) for name in body.joint_names])
    headed = np.all(head[dominant_joint(body)][part.faces[skin]], 1)
    linings, outer = {}, np.ones(len(skin), bool)
    for label in range(chart.max() + 1):
        mine = np.flatnonzero(chart == label)
        if headed[mine].all() and len(mine) < 2000:
            x = float(body.template.numpy()[part.faces[skin[mine]], 0].mean())
            linings["mouth" if abs(x) < 0.005 else "left_eye" if x > 0 else "right_eye"] = skin[mine]
            outer[mine] = False
    outer = skin[outer]
    for name, contour in (("mouth", "lips_inner"), ("left_eye", "left_eye"), ("right_eye", "right_eye")):
        behind = _behind(body, outer, linings[name], contour_vertices()[contour][0][:, 0])
        linings[name] = np.concatenate([linings[name], behind])
        outer = np.setdiff1d(outer, behind)
    return outer, linings


def _behind(body: Body, outer: Int[ndarray, "n"], lining: Int[ndarray, "m"], contour: Int[ndarray, "k"]) -> ndarray:
    """Outer faces between a lining and the visible edge of a lip or lid, which runs along a closed line of edges."""
    faces, points = body.parts["body"].faces, body.template.numpy().astype(np.float64)
    ends = np.unique(np.sort(faces[outer][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1), axis=0)
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    graph = sparse.coo_matrix((length, ends.T), shape=(len(points),) * 2).tocsr()
    before = sparse.csgraph.dijkstra(graph, directed=False, indices=contour, limit=0.03, return_predecessors=True)[1]
    wall = set()
    for row, goal in enumerate(np.roll(contour, -1)):
        at = int(goal)
        while at != contour[row]:
            back = int(before[row, at])
            wall.add((min(at, back), max(at, back)))
            at = back
    corner = np.sort(faces[outer][:, [[0, 1], [1, 2], [2, 0]]], 2)
    keys = (corner[..., 0] * len(points) + corner[..., 1]).ravel()
    walls = np.isin(keys, [a * len(points) + b for a, b in wall])
    order = np.argsort(keys, kind="stable")
    same = (keys[order[1:]] == keys[order[:-1]]) & ~walls[order[1:]]
    joined = np.stack([order[:-1][same], order[1:][same]]) // 3
    graph = sparse.coo_matrix((np.ones(joined.shape[1]), joined), shape=(len(outer),) * 2)
    piece = sparse.csgraph.connected_components(graph, directed=False)[1]
    touching = np.isin(faces[outer], faces[lining]).any(1)
    small = np.bincount(piece)[piece] < 1000
    return outer[np.isin(piece, piece[touching & small])]


def connected(faces: Int[ndarray, "f 3"], count: int) -> Int[ndarray, "v"]:
    """The connected piece of every vertex."""
    ends = np.concatenate([faces[:, :2], faces[:, 1:]]).T
    graph = sparse.coo_matrix((np.ones(ends.shape[1]), ends), shape=(count, count))
    return sparse.csgraph.connected_components(graph, directed=False)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Match:
    """Where on the body the points of a mesh belong."""

    corners: Int64[ndarray, "n 3"]
    """Vertices of the body."""
    share: Float[ndarray, "n 3"]
    distance: Float[ndarray, "n"]
    """Metres."""
    point: Float[ndarray, "n 3"]

    def mix(self, values: Float[ndarray, "v k"]) -> Float[ndarray, "n k"]:
        """The body's values there."""
        return np.einsum("nk,nkd->nd", self.share, values[self.corners])


def match(
    points: Float[ndarray, "n 3"],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    side: Int[ndarray, "n"] | None = None,
    surface_side: Int[ndarray, "v"] | None = None,
) -> Match:
    """The closest point of a surface to each point; with sides, never from one lip to the other."""
    side = np.zeros(len(points), np.int64) if side is None else side
    surface_side = np.zeros(len(vertices), np.int64) if surface_side is None else surface_side
    face, share, distance, place = closest_on_side(points, side, vertices, faces, surface_side)
    return Match(faces[face], share, distance, place)


def dense_weights(weights: Float[ndarray, "v 4"], joints: Int[ndarray, "v 4"], count: int) -> sparse.csr_matrix:
    """One row a vertex, one column a joint."""
    rows = np.repeat(np.arange(len(weights)), 4)
    return sparse.csr_matrix((weights.ravel().astype(np.float64), (rows, joints.ravel())), shape=(len(weights), count))


@dataclass(frozen=True, eq=False)
class Weighted:
    """Skin weights of a mesh."""

    skin_weights: Float32[ndarray, "v 4"]
    skin_joints: Int64[ndarray, "v 4"]
    confident: Bool[ndarray, "v"]
    """Where they are the body's own."""


def carry_weights(
    donor: Donor,
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    found: Match | None = None,
    hanging: Bool[ndarray, "v"] | None = None,
) -> Weighted:
    """Skin weights from the body.

    Args:
        donor: In the mesh's pose.
        vertices: Metres.
        faces: Counter-clockwise seen from outside.
        found: The closest points, where they are known.
        hanging: Vertices of cloth halfway between the legs; around them weights change slowly from one to the other.

    Raises:
        UserError: Less than half of the mesh lies close to the body.
    """
    found = found or match(vertices, donor.vertices, donor.faces)
    confident = _fits(donor, vertices, faces, found)
    scale = donor.tall / 1.7
    graph = _adjacency(faces, len(vertices))
    count = len(donor.skeleton.names)
    table = dense_weights(donor.skin_weights, donor.skin_joints, count)
    corners = found.corners
    weights = np.zeros((len(vertices), count))
    for k in range(3):
        weights += (sparse.diags(found.share[:, k]) @ table[corners[:, k]]).toarray()
    confident &= ~_torn(vertices, found.point, weights, graph, scale)
    if hanging is not None and hanging.any():
        along = donor.forks[0].along(vertices)
        cloth = (along > 0) & (along < along[hanging].max() + _HEM * scale)
        hung = _grown(hanging, graph, vertices, _ROOM_CLOTH * scale, cloth)
        confident &= ~hung
        weights = _fill_in(weights, confident, vertices, faces)
        weights[hung] = _whole_legs(weights[hung], donor.skeleton)
    else:
        weights = _fill_in(weights, confident, vertices, faces)
    least = np.where(confident, _SPREAD, _SPREAD_OPEN)
    width = np.maximum(least, np.minimum(_LOOSE * found.distance / scale, _SPREAD_OFF))
    weights = _smooth(weights, vertices, faces, width * scale)
    top, joints = _steady_four(weights)
    return Weighted(top, joints, confident)


def _whole_legs(weights: Float[ndarray, "v j"], skeleton: Skeleton) -> Float[ndarray, "v j"]:
    """Weights where pelvis, thigh and shin are one joint each: four are enough for cloth that follows both legs."""
    into = []
    for name in skeleton.names:
        whole = "root" if name.startswith("pelvis") else name.replace("leg02", "leg01")
        into.append(skeleton.index(whole))
    out = np.zeros_like(weights)
    np.add.at(out.T, into, weights.T)
    return out


def _fits(
    donor: Donor, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], found: Match
) -> Bool[ndarray, "v"]:
    """Vertices whose closest point is near and looks the same way; raises UserError when they are few."""
    here = vertex_normals(vertices.astype(np.float32), faces)
    there = found.mix(vertex_normals(donor.vertices, donor.faces))
    agree = (here * there).sum(1) / np.maximum(np.linalg.norm(there, axis=1), 1e-9)
    scale = donor.tall / 1.7
    level = agree > np.cos(np.radians(SLANTED))
    fits = (found.distance < FAR * scale) & (level | (found.distance < 0.01 * scale))
    share = float(fits[np.unique(faces)].mean())
    if share < LEAST_SHARE:
        raise UserError(
            f"Only {100 * share:.0f} % of the mesh lies close to the body and looks the same way; a rig needs "
            f"{100 * LEAST_SHARE:.0f} %. Bring the mesh to the body's pose, size and place (metres, feet on the "
            "ground, facing +z), with its faces turned outward."
        )
    return fits


def _adjacency(faces: Int[ndarray, "f 3"], count: int) -> sparse.csr_matrix:
    """One where two vertices share an edge."""
    a, b = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    ones = np.ones(2 * len(a))
    graph = sparse.coo_matrix((ones, (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(count, count)).tocsr()
    graph.data[:] = 1.0
    return graph


def _torn(
    vertices: Float[ndarray, "v 3"],
    points: Float[ndarray, "v 3"],
    weights: Float[ndarray, "v j"],
    graph: sparse.csr_matrix,
    scale: float,
) -> Bool[ndarray, "v"]:
    """Vertices near an edge along which the closest point, or what it follows, jumps.

    Thighs that touch have closest points side by side, so the weights themselves are compared too.
    """
    pairs = sparse.triu(graph).tocoo()
    apart = np.linalg.norm(vertices[pairs.row] - vertices[pairs.col], axis=1)
    jumps = np.linalg.norm(points[pairs.row] - points[pairs.col], axis=1) > 2.5 * apart + 0.012 * scale
    narrow = weights.astype(np.float32)
    for part in np.array_split(np.arange(len(apart)), len(apart) // 20_000 + 1):
        change = np.abs(narrow[pairs.row[part]] - narrow[pairs.col[part]]).sum(1) / 2
        jumps[part] |= change > _JUMP
    torn = np.zeros(len(vertices), bool)
    torn[pairs.row[jumps]] = torn[pairs.col[jumps]] = True
    return _grown(torn, graph, vertices, _ROOM * scale)


def _grown(
    some: Bool[ndarray, "v"],
    graph: sparse.csr_matrix,
    vertices: Float[ndarray, "v 3"],
    reach: float,
    within: Bool[ndarray, "v"] | None = None,
) -> Bool[ndarray, "v"]:
    """Some vertices and those around them, over so many edges of the usual length as make up ``reach``."""
    if not some.any():
        return some
    pairs = sparse.triu(graph).tocoo()
    usual = float(np.median(np.linalg.norm(vertices[pairs.row] - vertices[pairs.col], axis=1)))
    for _ in range(round(reach / max(usual, 1e-4))):
        some = some | (graph @ some > 0)
        if within is not None:
            some &= within
    return some


def _fill_in(
    weights: Float[ndarray, "v j"],
    known: Bool[ndarray, "v"],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
) -> Float[ndarray, "v j"]:
    """Unknown rows by the smallest Dirichlet energy over the surface; pieces without a known row keep their own."""
    piece = connected(faces, len(vertices)) if len(faces) else np.arange(len(vertices))
    alive = np.bincount(piece, known, piece.max() + 1) > 0
    open_ = np.flatnonzero(~known & alive[piece])
    if not len(open_):
        return weights
    laplacian = _laplacian(vertices, faces)
    inner, rim = laplacian[open_][:, open_], laplacian[open_][:, np.flatnonzero(known)]
    used = np.flatnonzero(np.abs(weights[known]).sum(0))
    solved = splu(sparse.csc_matrix(inner)).solve(rim @ weights[known][:, used])
    out = weights.copy()
    out[open_] = 0.0
    out[np.ix_(open_, used)] = np.clip(-solved, 0, 1)
    return out


def _laplacian(
    vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], flow: Float[ndarray, "v"] | None = None
) -> sparse.csr_matrix:
    """Cotangent Laplacian, times ``flow``; positive semi-definite, since no weight is below a small one."""
    corners = vertices[faces].astype(np.float64)
    rows, columns, values = [], [], []
    for k in range(3):
        a, b = corners[:, (k + 1) % 3] - corners[:, k], corners[:, (k + 2) % 3] - corners[:, k]
        across = np.linalg.norm(np.cross(a, b), axis=1)
        cotangent = np.clip((a * b).sum(1) / np.maximum(across, 1e-12), 0.01, 1e4) / 2
        rows.append(faces[:, (k + 1) % 3])
        columns.append(faces[:, (k + 2) % 3])
        values.append(cotangent)
    i, j, w = (np.concatenate(each) for each in (rows, columns, values))
    count = len(vertices)
    if flow is not None:
        w = w * (flow[i] + flow[j]) / 2
    graph = sparse.coo_matrix((w, (i, j)), shape=(count, count)).tocsr()
    graph = graph + graph.T
    return (sparse.diags(np.asarray(graph.sum(1)).ravel() + 1e-9) - graph).tocsr()


def _smooth(
    weights: Float[ndarray, "v j"],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    width: Float[ndarray, "v"],
) -> Float[ndarray, "v j"]:
    """Weights spread over the surface by about ``width`` metres at each vertex, however fine or uneven the mesh is.

    One implicit step of the heat equation: on a short edge the ends then differ by little, where averaging neighbours
    would leave them as different as on a long one.
    """
    corners = vertices[faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 6
    mass = np.bincount(faces.ravel(), np.repeat(areas, 3), len(vertices)) + 1e-12
    system = sparse.diags(mass) + _laplacian(vertices, faces, width**2)
    used = np.flatnonzero(np.abs(weights).sum(0))
    out = np.zeros_like(weights)
    out[:, used] = splu(sparse.csc_matrix(system)).solve(mass[:, None] * weights[:, used])
    return np.clip(out, 0, 1)


def _steady_four(dense: Float[ndarray, "v j"]) -> tuple[Float32[ndarray, "v 4"], Int64[ndarray, "v 4"]]:
    """At most four weights of each row, largest first, summing to one: all are less by the fifth largest.

    Merely dropping the others would jump from one vertex to the next, and tear what hangs from many joints.
    """
    fifth = -np.partition(-dense, 4, axis=1)[:, 4:5]
    dense = np.maximum(dense - np.minimum(fifth, 0.9 * dense.max(1, keepdims=True)), 0)
    joints = np.argpartition(-dense, 3, axis=1)[:, :4]
    weights = np.take_along_axis(dense, joints, 1)
    order = np.argsort(-weights, 1)
    weights, joints = np.take_along_axis(weights, order, 1), np.take_along_axis(joints, order, 1)
    return (weights / np.maximum(weights.sum(1, keepdims=True), 1e-12)).astype(np.float32), joints.astype(np.int64)


@dataclass(frozen=True)
class CarryReport:
    """How well the rig fits."""

    confident: float
    """Share of the mesh whose weights are the body's own; the rest was filled in."""
    stretch: float
    """The 99.9th percentile, over all edges and the given postures, of posed by resting length."""
    body_stretch: float
    """The same of the body itself."""
    expression_error: Mapping[str, float]
    """Millimetres at full strength, the 99th percentile over what of the body's face the mesh shows, by name; taken at
    the middles of its triangles, since their corners are what was fitted."""
    opened: tuple[str, ...]
    """What was cut open: "mouth", "left_eye", "right_eye"."""


@dataclass(frozen=True, eq=False)
class Carried:
    """A mesh with a rig."""

    mesh: ColouredMesh
    """With openings; colours went along."""
    skin_weights: Float32[ndarray, "v 4"]
    skin_joints: Int64[ndarray, "v 4"]
    expressions: Mapping[str, SparseOffsets]
    confident: Bool[ndarray, "v"]
    side: Int64[ndarray, "v"]
    """1 on the upper lip, -1 on the lower."""
    opened: tuple[str, ...]
    inner: tuple[Layer, ...]
    """What shows through the openings: the body's linings of mouth and lids, and its eyes, teeth and tongue."""
    separated: Mapping[str, int]
    """Faces cut between limbs that had grown together: of "legs", "left arm", "right arm"."""

    def layer(self, name: str, mesh: Mesh, material: Material) -> Layer:
        """The mesh as a layer, once it is unwrapped and painted.

        Args:
            name: Of the layer.
            mesh: The same vertices and faces, with texture coordinates.
            material: Its paint.
        """
        weights, joints = torch.from_numpy(self.skin_weights), torch.from_numpy(self.skin_joints)
        return Layer(name, mesh, weights, joints, material, self.expressions)


def carry_rig(donor: Donor, mesh: ColouredMesh, skirt: bool | None = None, leave: Collection[str] = ()) -> Carried:
    """The mesh with the body's weights and expressions, limbs apart, mouth and lids open, and what lies behind them.

    Args:
        donor: The body, in the mesh's pose.
        mesh: Free-form: any vertices, holes or pieces.
        skirt: Whether a skirt or a long coat hangs around both legs and must not be cut; without it the shape decides.
        leave: Of "mouth", "left_eye", "right_eye": what is not cut open.

    Raises:
        UserError: The mesh has no surface, holds values that are not finite, or does not stand where the body stands.
    """
    vertices, faces, colours = _checked(mesh)
    _fits(donor, vertices, faces, match(vertices, donor.vertices, donor.faces))
    apart = separate(donor.vertices, donor.forks, vertices, faces, colours, skirt, donor.tall / 1.7)
    along = np.concatenate([apart.colours, apart.limb[:, None], apart.hanging[:, None]], 1)
    cut = open_face(donor.vertices, donor.faces, donor.openings, donor.side, apart.vertices, apart.faces, along, leave)
    limb, hanging = np.rint(cut.colours[:, -2]).astype(np.int64), cut.colours[:, -1] > 0.5
    found = match(cut.vertices, donor.vertices, donor.faces, cut.side, donor.side)
    found = _on_limbs(_on_rims(found, cut), donor, cut.vertices, limb)
    weighted = carry_weights(donor, cut.vertices, cut.faces, found, hanging)
    expressions = _carry_expressions(donor, cut, found)
    carried = ColouredMesh(
        torch.from_numpy(cut.vertices.astype(np.float32)),
        torch.from_numpy(cut.faces),
        torch.from_numpy(cut.colours[:, :-2].astype(np.float32)),
    )
    inner = tuple(_lining(donor, name) for name in cut.names) + (donor.inner if cut.names else ())
    return Carried(
        carried,
        weighted.skin_weights,
        weighted.skin_joints,
        expressions,
        weighted.confident,
        cut.side,
        cut.names,
        inner,
        apart.cut,
    )


def _carry_expressions(donor: Donor, cut: Opened, found: Match) -> dict[str, SparseOffsets]:
    """How the mesh moves with the face.

    Each vertex moves as its closest point of the body. Where the mesh lies off the body that is not yet how the body
    moves: the closest point of a body's point may be one whose own closest point is elsewhere. So the smoothest
    correction is added with which the mesh, closest to each point of the body's face, moves as that point.
    """
    scale = donor.tall / 1.7
    faded = np.clip((0.045 - found.distance / scale) / 0.03, 0, 1)
    names = list(donor.expressions)
    moves = np.concatenate([donor.expressions[name] for name in names], 1).astype(np.float64)
    rows = np.flatnonzero((np.abs(moves).max(1) > 1e-5)[found.corners].any(1) & (faded > 0))
    offsets = np.einsum("nk,nkd,n->nd", found.share[rows], moves[found.corners[rows]], faded[rows])
    face = np.intersect1d(np.flatnonzero(donor.face), np.unique(donor.faces))
    shown, back = _shown(donor, donor.vertices[face], donor.side[face], cut.vertices, cut.faces, cut.side)
    shown = face[shown]
    number = np.full(len(cut.vertices), -1)
    number[rows] = np.arange(len(rows))
    known = (number[back.corners] >= 0).all(1)
    if known.any():
        shown, corners, share = shown[known], number[back.corners[known]], back.share[known]
        each = np.repeat(np.arange(len(shown)), 3)
        there = sparse.csr_matrix((share.ravel(), (each, corners.ravel())), shape=(len(shown), len(rows)))
        faces = number[cut.faces]
        stiff = _laplacian(cut.vertices[rows], faces[(faces >= 0).all(1)])
        system = there.T @ there + _STIFF * stiff + 1e-6 * sparse.eye(len(rows))
        offsets += splu(sparse.csc_matrix(system)).solve(there.T @ (moves[shown] - there @ offsets))
    expressions = {}
    for name, moved in zip(names, np.split(offsets.astype(np.float32), len(names), 1), strict=True):
        some = np.abs(moved).max(1) > 1e-5
        if some.any():
            expressions[name] = SparseOffsets(torch.from_numpy(rows[some]), torch.from_numpy(moved[some]))
    return expressions


def _shown(
    donor: Donor,
    points: Float[ndarray, "n 3"],
    point_sides: Int[ndarray, "n"],
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    side: Int[ndarray, "v"],
) -> tuple[Int64[ndarray, "m"], Match]:
    """Which points of the body's face the mesh shows, and the mesh's closest point to each.

    It does not show what lies in a fold, as a lid's skin above an open eye: there the mesh has another part of the body
    nearer to it.
    """
    scale = donor.tall / 1.7
    found = match(points, vertices, faces, point_sides, side)
    own = match(found.point, donor.vertices, donor.faces, point_sides, donor.side).distance
    rows = np.flatnonzero((found.distance < _SHOWN * scale) & (found.distance < own + _FOLD * scale))
    return rows, Match(found.corners[rows], found.share[rows], found.distance[rows], found.point[rows])


def _checked(mesh: ColouredMesh) -> tuple[ndarray, ndarray, ndarray]:
    """Vertices, faces and colours."""
    vertices, faces = mesh.vertices.detach().cpu().numpy().astype(np.float64), mesh.faces.cpu().numpy().astype(np.int64)
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(1).sum())
        raise UserError(f"{bad} of the mesh's {len(vertices)} vertices are not finite numbers. Repair the mesh first.")
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise UserError(f"Faces name vertices {faces.min()} to {faces.max()}, but the mesh has only {len(vertices)}.")
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    solid = int((np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-14).sum())
    if solid < 4:
        raise UserError(f"A rig needs a mesh with a surface; this one has {solid} faces with any area.")
    return vertices, faces, mesh.colours.detach().cpu().numpy()


def _on_rims(found: Match, cut: Opened) -> Match:
    """The match with rims exactly where they lie on the body's."""
    corners, share, distance, point = (
        found.corners.copy(),
        found.share.copy(),
        found.distance.copy(),
        found.point.copy(),
    )
    corners[cut.rim] = np.concatenate([cut.rim_ends, cut.rim_ends[:, :1]], 1)
    share[cut.rim] = np.stack([1 - cut.rim_share, cut.rim_share, np.zeros(len(cut.rim))], 1)
    distance[cut.rim], point[cut.rim] = 0.0, cut.vertices[cut.rim]
    return Match(corners, share, distance, point)


def _on_limbs(found: Match, donor: Donor, vertices: Float[ndarray, "v 3"], limb: Int[ndarray, "v"]) -> Match:
    """The match where each side of a cut belongs to its own limb; ``limb`` as ``limbs.Separated`` counts them."""
    corners, share, distance, point = (
        found.corners.copy(), found.share.copy(), found.distance.copy(), found.point.copy()
    )  # fmt: skip
    for k, fork in enumerate(donor.forks):
        for code, faces in ((2 * k + 1, fork.one), (2 * k + 2, fork.other)):
            rows = np.flatnonzero(limb == code)
            if len(rows):
                mine = match(vertices[rows], donor.vertices, faces)
                corners[rows], share[rows] = mine.corners, mine.share
                distance[rows], point[rows] = mine.distance, mine.point
    return Match(corners, share, distance, point)


_FLESH = {"mouth": (96, 38, 38), "left_eye": (170, 110, 100), "right_eye": (170, 110, 100)}
"""sRGB of what lines the openings."""


def _lining(donor: Donor, name: str) -> Layer:
    """The body's own surface behind one opening."""
    used, faces = np.unique(donor.linings[name], return_inverse=True)
    expressions = {}
    for expression, moves in donor.expressions.items():
        rows = np.flatnonzero(np.abs(moves[used]).max(1) > 1e-6)
        if len(rows):
            expressions[expression] = SparseOffsets(torch.from_numpy(rows), torch.from_numpy(moves[used[rows]]))
    mesh = Mesh(
        torch.from_numpy(donor.vertices[used]),
        torch.from_numpy(faces.reshape(-1, 3).astype(np.int64)),
        torch.full((len(donor.linings[name]), 3, 2), 0.5),
    )
    paint = Material(np.full((2, 2, 3), _FLESH[name], np.uint8), roughness=0.5, double_sided=True)
    weights, joints = torch.from_numpy(donor.skin_weights[used]), torch.from_numpy(donor.skin_joints[used])
    return Layer(f"{name}_lining", mesh, weights, joints, paint, expressions)


def report(carried: Carried, donor: Donor, postures: Iterable[Posture]) -> CarryReport:
    """How well a carried rig moves, beside the body's own.

    Args:
        carried: The mesh with its rig.
        donor: The body it came from.
        postures: What the edges are stretched by.
    """
    vertices, faces = carried.mesh.vertices.numpy(), carried.mesh.faces.numpy()
    postures = list(postures)
    own, here = (
        float(np.percentile(edge_stretch(*mesh, donor.skeleton, postures), 99.9)) if postures else 1.0
        for mesh in (
            (donor.vertices, donor.faces, donor.skin_weights, donor.skin_joints),
            (vertices, faces, carried.skin_weights, carried.skin_joints),
        )
    )
    middles = donor.faces[donor.face[donor.faces].all(1)]
    sides = donor.side[middles]
    middles, sides = middles[np.ptp(sides, axis=1) < 2], sides[np.ptp(sides, axis=1) < 2].sum(1).clip(-1, 1)
    rows, found = _shown(donor, donor.vertices[middles].mean(1), sides, vertices, faces, carried.side)
    errors = {}
    for name, moves in donor.expressions.items():
        dense = np.zeros((len(vertices), 3))
        if name in carried.expressions:
            dense[carried.expressions[name].indices.numpy()] = carried.expressions[name].offsets.numpy()
        away = np.linalg.norm(found.mix(dense) - moves[middles[rows]].mean(1), axis=1)
        errors[name] = 1e3 * float(np.percentile(away, 99)) if len(away) else 0.0
    return CarryReport(float(carried.confident.mean()), here, own, errors, carried.opened)


def edge_stretch(
    vertices: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    weights: Float[ndarray, "v 4"],
    joints: Int[ndarray, "v 4"],
    skeleton: Skeleton,
    postures: Iterable[Posture],
) -> Float[ndarray, "p e"]:
    """Posed by resting length, one row a posture, one column an edge (those below 0.01 mm are left out)."""
    ends = edges_of(faces)
    rest = np.linalg.norm(vertices[ends[:, 0]] - vertices[ends[:, 1]], axis=1)
    ends, rest = ends[rest > 1e-5], rest[rest > 1e-5]
    ratios = []
    for posture in postures:
        moved = skin(vertices, weights, joints, pose_transforms(skeleton, rotations(posture)))
        ratios.append(np.linalg.norm(moved[ends[:, 0]] - moved[ends[:, 1]], axis=1) / rest)
    return np.array(ratios).reshape(-1, len(rest))
