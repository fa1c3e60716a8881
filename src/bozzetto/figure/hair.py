"""Haircuts: which strands grow on the scalp, and where they go.

A style is a function of the scalp; every number is in metres of the template's head, so a child's hair is a little
shorter. Under all strands lies a hair-coloured layer, so that no skin shines through.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import sparse
from scipy.spatial import cKDTree

from bozzetto.body.model import load_body
from bozzetto.figure.face_hair import face_hair_pieces as face_hair_pieces
from bozzetto.figure.face_hair import is_grey
from bozzetto.figure.piece import Person, Piece, top_four
from bozzetto.figure.strands import (
    CAP_ROWS,
    NO_EARS,
    Ears,
    Frame,
    Geometry,
    Strands,
    Surface,
    cap_row,
    distances,
    fit_frame,
    grow,
    hair_material,
    locks,
    merge,
    ribbons,
    strands,
    surface,
    together,
    tubes,
    wisps,
)
from bozzetto.geometry import vertex_normals
from bozzetto.kept import kept

NAPE, CROWN = 0.572, 0.752
"""Heights of the lowest hair and of the top of the head, on the template."""
_HAIRLINE = (
    (0, 0.716), (15, 0.716), (28, 0.713), (40, 0.705), (48, 0.698), (55, 0.688), (60, 0.674), (64, 0.656), (67, 0.645),
    (70, 0.637), (76, 0.636), (80, 0.645), (84, 0.650), (100, 0.652), (106, 0.645), (112, 0.632), (120, 0.616),
    (130, 0.601), (140, 0.591), (155, 0.580), (180, 0.574),
)  # fmt: skip
"""Height of the natural hairline by degrees from straight ahead, seen from above the ears."""


@dataclass(frozen=True, eq=False)
class Scalp:
    """Where hair grows, on the template; points are mixtures of body vertices, so they follow any head."""

    corners: Int[ndarray, "n 3"]
    """Of each root: the body vertices of its triangle."""
    shares: Float[ndarray, "n 3"]
    roots: Float[ndarray, "n 3"]
    """On the template, the first so many always evenly spread."""
    inside: Float[ndarray, "n"]
    """Height of each root above the hairline."""
    cap_ends: Int[ndarray, "c 2"]
    """Under-layer: each point is the middle of two body vertices (often the same)."""
    cap_points: Float[ndarray, "c 3"]
    cap_inside: Float[ndarray, "c"]
    cap_faces: Int[ndarray, "f 3"]
    cap_uvs: Float[ndarray, "f 3 2"]
    coarse_faces: Int[ndarray, "h 3"]
    """The under-layer of low detail, one face in four."""
    coarse_uvs: Float[ndarray, "h 3 2"]
    outside: Int[ndarray, "o"]
    """Body vertices that hair must not enter."""
    ears: Bool[ndarray, "o"]
    """Which of them are the ears' outer side."""
    faces: Int[ndarray, "g 3"]
    """Body faces round these vertices."""
    fit: Int[ndarray, "m"]
    """Body vertices of the skull, for the frame."""


def hairline(points: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
    """About how far template points lie above the natural hairline; negative on the face and the neck."""
    angle = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - 0.045))
    degrees = np.arange(-20.0, 201.0)
    known, rises = np.array(_HAIRLINE).T
    heights = np.interp(180 - np.abs(180 - np.abs(degrees)), known, rises)
    rounding = np.hanning(19)[1:-1]
    heights = np.convolve(np.pad(heights, 8, "edge"), rounding / rounding.sum(), "valid")
    here = np.interp(angle, degrees, heights)
    slope = (np.interp(angle + 2, degrees, heights) - np.interp(angle - 2, degrees, heights)) / np.radians(4)
    return (points[:, 1] - here) / np.sqrt(1 + (slope / 0.075) ** 2)


def mask_at_vertices(name: str) -> Bool[ndarray, "b"]:
    """Which body vertices one of the body's masks covers."""
    body = load_body()
    part, mask = body.parts["body"], body.masks[name]
    uvs = np.zeros((part.stop, 2))
    uvs[part.faces.ravel()] = part.uvs.reshape(-1, 2)
    height, width = mask.shape
    rows = np.clip((uvs[:, 1] * height).astype(int), 0, height - 1)
    return mask[rows, np.clip((uvs[:, 0] * width).astype(int), 0, width - 1)] > 128


@kept(lambda: "scalp")
def scalp() -> Scalp:
    """The scalp of the template, found once."""
    body = load_body()
    part = body.parts["body"]
    template = body.template.numpy()[: part.stop]
    ears, mouth = mask_at_vertices("ears"), mask_at_vertices("inside-mouth")
    inside = hairline(template)
    deep = (template[:, 1] < 0.64) & (np.abs(template[:, 0]) < 0.05) & (template[:, 2] > 0.0)
    hairy = (inside > -0.016) & (template[:, 1] > 0.54) & ~ears & ~deep
    faces = part.faces[hairy[part.faces].all(1)]

    # Even roots: each next one is the farthest from all before.
    rng = np.random.default_rng(1)
    corners = template[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = rng.choice(len(faces), 9000, p=areas / areas.sum())
    shares = rng.dirichlet((1, 1, 1), 9000)
    points = (corners[chosen] * shares[:, :, None]).sum(1)
    keep = hairline(points) > 0.0
    chosen, shares, points = chosen[keep], shares[keep], points[keep]
    order = np.zeros(2000, np.int64)
    far = np.full(len(points), np.inf)
    for i in range(1, len(order)):
        far = np.minimum(far, ((points - points[order[i - 1]]) ** 2).sum(1))
        order[i] = far.argmax()
    chosen, shares, points = chosen[order], shares[order], points[order]

    # The under-layer: every face in four.
    used, local = np.unique(faces, return_inverse=True)
    local = local.reshape(-1, 3)
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, which = np.unique(sides, axis=0, return_inverse=True)
    middle = which.reshape(3, -1).T + len(used)
    ends = np.concatenate([np.stack([used, used], 1), edges])
    a, b, c = local.T
    ab, bc, ca = middle.T
    cap_faces = np.concatenate([np.stack(three, 1) for three in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    cap_points = template[ends].mean(1)
    cap_inside = hairline(cap_points)

    def unrolled(corners: Int[ndarray, "f 3"]) -> Float[ndarray, "f 3 2"]:
        # Left and right share the texture, for finer hairs.
        u = np.arctan2(np.abs(cap_points[:, 0]), cap_points[:, 2] - 0.02)[corners] / np.pi
        v = cap_row(cap_inside)[corners] * CAP_ROWS
        return np.stack([u, v], -1).astype(np.float32)

    normals = vertex_normals(template, part.faces)
    solid = (template[:, 1] > -0.2) & (np.abs(template[:, 0]) < 0.30) & ~mouth & ~_behind_face(template)
    front = (
        (np.abs(template[:, 0]) < 0.055) & (template[:, 1] > 0.535) & (template[:, 1] < 0.69) & (template[:, 2] > 0.05)
    )
    outward = ((template - np.array([0.0, 0.62, 0.05])) * normals).sum(1)
    solid &= ~front | (outward > 0.3 * np.linalg.norm(template - np.array([0.0, 0.62, 0.05]), axis=1))
    outer_ear = ears & (normals[:, 0] * np.sign(template[:, 0]) > 0.45) & (np.abs(template[:, 0]) > 0.074)
    solid &= ~ears | outer_ear
    outside = np.flatnonzero(solid)
    near = np.zeros(part.stop, bool)
    near[outside] = True
    return Scalp(
        faces[chosen], shares.astype(np.float32), points, hairline(points),
        ends, cap_points, cap_inside, cap_faces, unrolled(cap_faces), local, unrolled(local),
        outside, outer_ear[outside], part.faces[near[part.faces].any(1)], used,
    )  # fmt: skip


def _behind_face(template: Float[ndarray, "b 3"]) -> Bool[ndarray, "b"]:
    """Vertices of the mouth's, nose's and eyes' insides."""
    from scipy.spatial import cKDTree

    front = (
        (np.abs(template[:, 0]) < 0.055) & (template[:, 1] > 0.535) & (template[:, 1] < 0.69) & (template[:, 2] > 0.03)
    )
    found = np.flatnonzero(front)
    near = cKDTree(template[found, :2]).query_ball_point(template[found, :2], 0.007)
    foremost = np.array([template[found[each], 2].max() for each in near])
    hidden = np.zeros(len(template), bool)
    hidden[found] = template[found, 2] < foremost - 0.02
    return hidden


@dataclass(frozen=True, eq=False)
class Head:
    """A person's head in the template's measure: what styles see."""

    person: Person
    frame: Frame
    field: Surface
    roots: Float[ndarray, "n 3"]
    normals: Float[ndarray, "n 3"]
    rng: np.random.Generator
    ceiling: float
    """The height above which a hat presses the hair flat."""
    full: bool
    ears: Ears
    """That hair goes around, where it does not hang over them."""

    def joint(self, name: str) -> Float[ndarray, "3"]:
        return self.frame.to_head(self.person.joint(name))

    def some(self, full: int, low: int) -> Int[ndarray, "k"]:
        """The first roots: evenly spread over the whole scalp."""
        return np.arange(min(full if self.full else low, len(self.roots)))


@dataclass(frozen=True, eq=False)
class Cut:
    """What a style gives."""

    seeds: Strands
    points: int = 7
    """Along each strand."""
    thickness: float = 0.004
    """Of the under-layer."""
    extra: tuple[Geometry, ...] = ()
    """Plaits and locks, in the template's measure."""
    across: int = 3
    """Vertices across each ribbon, in full detail."""
    locks: bool = False
    """Strands become round locks instead of ribbons."""
    more: tuple[tuple[Strands, int], ...] = ()
    """Further strands, each set with its number of points."""
    coily: bool = False
    """Every hair is tightly curled."""


def hair_pieces(person: Person, covered: float | None = None) -> list[Piece]:
    """The hair of the head as one piece named "hair"; none for the bald.

    Args:
        covered: A hat's rim, as a share of the scalp's height: 0 the nape's hairline, 1 the crown. Above it no hair
            stands farther from the scalp than 8 mm.
    """
    style = person.spec.hair.style
    if style == "bald":
        return []
    head = _head(person, style, covered)
    cut = STYLES[style](head)
    parts, grown = [*cut.extra], []
    for seeds, points in ((cut.seeds, cut.points), *cut.more):
        if len(seeds.roots) == 0:
            continue
        if head.full:
            lines, away = grow(head.field, seeds, points, ears=head.ears)
        else:
            lines, away = grow(head.field, seeds, min(max(3, (points + 1) // 2), 6), 0.015, head.ears)
        clear = ~_before_the_eyes(lines) & ~_strays(lines, 0.013 if head.full else 0.035)
        clear &= ~_on_the_forehead(lines, (seeds.get("veil") > 0) | (seeds.get("aimed") > 0.5)) | cut.coily
        clear &= (head.ears.at(lines[:, : (lines.shape[1] + 1) // 2]) > 0.85).all(1)
        # What the ear stops from the front would hang there as a curl.
        clear &= (head.ears.at(lines[:, -1]) > 1.15) | (lines[:, -1, 2] < head.ears.middle[1])
        lines, away = lines[clear], away[clear]
        seeds = Strands(seeds.roots[clear], seeds.normals[clear], seeds.combs[clear], seeds.how[clear])
        grown.append(lines)
        if cut.locks:
            along = np.linspace(0, 1, lines.shape[1])
            radius = 0.5 * seeds.get("width")[:, None] * np.sqrt(np.clip(1.04 - 0.8 * along**8, 0.02, 1))
            radius = radius * np.minimum(1, 0.15 + 14 * along)  # closed at the root too
            radius = radius * (1 + 0.10 * np.sin(along * 40 + seeds.get("phase")[:, None]))
            parts.append(tubes(lines, radius, 6 if head.full else 3, seeds.get("column").astype(int), repeat=3))
        else:
            across = cut.across if head.full else 2
            shape = (seeds.get("width"), seeds.get("tilt"), seeds.get("blunt"), seeds.get("column").astype(int))
            parts.append(ribbons(lines, away, *shape, across))
    mesh = merge(_under_layer(head, cut, grown), *parts)
    vertices = head.frame.to_person(mesh.vertices)
    weights, joints = hanging_weights(person, head.frame, mesh.vertices)
    colour = np.array(person.spec.hair.colour.srgb)
    material = hair_material(colour, 1024 if head.full else 128, is_grey(colour), head.full, cut.coily)
    return [Piece("hair", vertices, mesh.faces, mesh.uvs, weights, joints, material)]


_OVER, _UNDER = 0.008, 0.03
"""Metres that hair keeps off what is worn, and from how deep in it hair is brought out."""


def over_clothes(person: Person, hair: Piece, clothes: Sequence[Piece]) -> Piece:
    """The hair that falls on shoulders and back, outside of collars and whatever else is worn there, moving with it."""
    shoulders = float(person.joint("upperarm01.L")[1])
    axis = np.array([0.0, 0.0, person.joint("neck01")[2]])
    points, facing, moving = [], [], []
    for piece in clothes:
        normals = vertex_normals(piece.vertices, piece.faces)
        above = piece.vertices[:, 1] > shoulders - 0.25 * person.spec.body.height
        outward = ((piece.vertices - axis) * [1, 0, 1] * normals).sum(1) + 0.02 * normals[:, 1] > 0  # no linings
        points.append(piece.vertices[above & outward])
        facing.append(normals[above & outward])
        moving.append((piece.skin_weights[above & outward], piece.skin_joints[above & outward]))
    if not sum(map(len, points)):
        return hair
    cloth, normals = np.concatenate(points), np.concatenate(facing)
    tree, vertices = cKDTree(cloth), hair.vertices.astype(np.float64)
    beside = _neighbours(hair)
    top = float(cloth[:, 1].max())
    above = _step(top + 0.05, top, vertices[:, 1])[:, None]
    low = np.flatnonzero(vertices[:, 1] < top + 0.02)
    for spread in (4, 0):
        away, near = tree.query(vertices[low], k=6, distance_upper_bound=2 * _UNDER)
        found = np.isfinite(away[:, -1])
        at, near, share = low[found], near[found], 1 / (away[found, :, None] + 0.002) ** 2
        share /= share.sum(1, keepdims=True)
        out = (normals[near] * share).sum(1)
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)
        height = (((vertices[at, None] - cloth[near]) * normals[near]).sum(2) * share[..., 0]).sum(1)
        lift = np.where(height > -_UNDER, np.maximum(_OVER - height, 0), 0)
        push = np.zeros_like(vertices)
        push[at] = lift[:, None] * out
        for _ in range(spread):
            # What comes before and after on its strand goes along, so that none bends at a corner.
            shared = (beside @ push) * above
            push = np.where((shared**2).sum(1, keepdims=True) > (push**2).sum(1, keepdims=True), shared, push)
        vertices += push
    # What lies on cloth below the neck is carried by it.
    low = np.flatnonzero(vertices[:, 1] < float(person.joint("neck01")[1]))
    away, near = tree.query(vertices[low], k=6)
    share = _step(0.045, 0.015, away[:, 0]) * _step(float(person.joint("neck01")[1]), shoulders, vertices[low, 1])
    low, near, share = low[share > 0], near[share > 0], share[share > 0, None]
    joints = len(person.body.joint_names)
    dense, own = np.zeros((2, len(low), joints), np.float32)
    rows = np.arange(len(low))[:, None]
    cloth_weights, cloth_joints = (np.concatenate(parts) for parts in zip(*moving, strict=True))
    np.add.at(dense, (rows[..., None], cloth_joints[near]), cloth_weights[near] / 6)
    np.add.at(own, (rows, hair.skin_joints[low]), hair.skin_weights[low])
    weights, carried = hair.skin_weights.copy(), hair.skin_joints.copy()
    weights[low], carried[low] = top_four(own + share * (dense - own))
    return replace(hair, vertices=vertices.astype(np.float32), skin_weights=weights, skin_joints=carried)


def _neighbours(piece: Piece) -> sparse.csr_matrix:
    """The mean over those vertices that share a face with each."""
    a, b = (piece.faces[:, each].ravel() for each in ((0, 1, 2, 1, 2, 0), (1, 2, 0, 0, 1, 2)))
    count = len(piece.vertices)
    near = sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(count, count)).tocsr()
    return sparse.diags(1 / np.maximum(np.asarray(near.sum(1)).ravel(), 1)) @ near


def _before_the_eyes(lines: Float[ndarray, "s k 3"]) -> Bool[ndarray, "s"]:
    """Strands that cross the face: the few that end up there are left out."""
    x, y, z = np.abs(lines[..., 0]), lines[..., 1], lines[..., 2]
    middle = (x[:, 1:] + x[:, :-1]) / 2, (y[:, 1:] + y[:, :-1]) / 2, (z[:, 1:] + z[:, :-1]) / 2
    crossing = [
        (((a < 0.048) & (b > 0.50) & (c > 0.085) | (a < 0.060) & (b > 0.555) & (c > 0.105)) & (b < 0.664)).any(1)
        for a, b, c in ((x, y, z), middle)
    ]
    return np.any(np.stack(crossing), axis=0)


def _on_the_forehead(lines: Float[ndarray, "s k 3"], parted: Bool[ndarray, "s"]) -> Bool[ndarray, "s"]:
    """Strands meant to part before the face, or to be tied behind it, that begin to cross the bare forehead: loops,
    with skin behind them."""
    middle = (np.abs(lines[..., 0]) < 0.05) & (lines[..., 2] > 0.07) & (lines[..., 1] > 0.66)
    strand, at = np.nonzero(middle & parted[:, None])
    bare = np.zeros(len(lines), bool)
    bare[strand[hairline(lines[strand, at].astype(np.float64)) < -0.006]] = True
    return bare


def _strays(lines: Float[ndarray, "s k 3"], reach: float) -> Bool[ndarray, "s"]:
    """Strands that stand or hang away from all others, on the crown with their outer half."""
    from scipy.spatial import cKDTree

    strand, at = np.nonzero((lines[..., 1] < 0.68) | (np.arange(lines.shape[1]) > lines.shape[1] / 2))
    stray = np.zeros(len(lines), bool)
    if len(strand) == 0:
        return stray
    points = lines[strand, at]
    near = cKDTree(points).query(points, k=min(8, len(points)), distance_upper_bound=reach)[1]
    owner = np.append(strand, -1)[near]
    others = ((owner != strand[:, None]) & (owner >= 0)).sum(1)
    alone = np.bincount(strand, others < 3, len(lines))
    return alone > 0.38 * np.bincount(strand, minlength=len(lines)).clip(1)


def _head(person: Person, style: str, covered: float | None) -> Head:
    place = scalp()
    template = person.body.template.numpy()
    frame = fit_frame(template[place.fit], person.vertices[place.fit])
    stop = person.body.parts["body"].stop
    vertices = frame.to_head(person.vertices[:stop]).astype(np.float32)
    normals = vertex_normals(vertices, place.faces)
    solid, around = vertices[place.outside], normals[place.outside]
    if style in _SHORT:
        solid, around = solid[~place.ears], around[~place.ears]
    else:
        rim = (solid[:, 2] - solid[place.ears, 2].mean()) / 0.02
        bulge = _unit(np.stack([np.sign(solid[:, 0]), np.full(len(rim), 0.25), rim], 1))
        around = np.where(place.ears[:, None], bulge, around)
        pressed = 0.005 if style in _TIED else -0.001  # tight hair presses them down
        solid = solid - pressed * bulge * place.ears[:, None]
    coat = person.spec.outer is not None  # its collar stands up at the neck
    chin_to_chest = np.clip((template[place.outside][:, 1] - (0.515 if coat else 0.485)) / 0.03, 0, 1)
    if style in _SHORT:
        chin_to_chest = chin_to_chest[~place.ears]
    cloth = 0.024 if coat else 0.011
    solid = solid + around * ((1 - chin_to_chest) * cloth / frame.scale)[:, None]
    short = style in _SHORT
    low = np.array([-0.22, 0.48 if short else 0.08, -0.20])
    high = np.array([0.22, 0.90, 0.26])
    full = person.detail == "full"
    field = surface(solid, around, low, high, 0.011 if full else 0.022, 3 if full else 1)
    roots = np.einsum("nk,nkd->nd", place.shares, vertices[place.corners])
    outward = np.einsum("nk,nkd->nd", place.shares, normals[place.corners])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    ceiling = 9.0 if covered is None else NAPE + covered * (CROWN - NAPE)
    rng = person.rng("hair")
    around_ears = _ears(vertices) if style in _SHORT - {"afro"} | _TIED else NO_EARS
    return Head(person, frame, field, roots, outward, rng, ceiling, full, around_ears)


def _ears(vertices: Float[ndarray, "b 3"]) -> Ears:
    """The smallest ellipse round the ears that has their slant, and a little room for the strands beside it."""
    points = vertices[_ear_vertices()].astype(np.float64)
    middle = points[:, 1:].mean(0)
    sizes, axes = np.linalg.eigh(np.cov((points[:, 1:] - middle).T))
    round_ = axes.T / np.sqrt(sizes)[:, None]
    reach = np.linalg.norm((points[:, 1:] - middle) @ round_.T, axis=1).max()
    half = reach * np.sqrt(sizes) + 0.002
    return Ears(middle, axes.T / half[:, None], float(np.abs(points[:, 0]).min()) - 0.006)


@cache
def _ear_vertices() -> Int[ndarray, "n"]:
    """Both ears' vertices."""
    return np.flatnonzero(mask_at_vertices("ears"))


def _under_layer(head: Head, cut: Cut, grown: Sequence[Float[ndarray, "_ _ 3"]]) -> Geometry:
    """The hair-coloured layer on the scalp, thin at the hairline.

    Args:
        grown: The hairs' lines: it reaches up to the middle of them, so that no light falls between those on top.
    """
    place = scalp()
    ends = place.cap_ends
    points = head.frame.to_head(head.person.vertices[ends]).mean(1)
    far, away = distances(head.field, points)
    thickness = _under_rim(head, points, _within(head, cut.thickness, points, grown))
    lift = 0.0006 + (thickness - 0.0006) * _swell(place.cap_inside, 0.032 if cut.coily else 0.026)
    vertices = points + away * (lift + np.clip(-far, 0, 0.003))[:, None]
    faces, uvs = (place.cap_faces, place.cap_uvs) if head.full else (place.coarse_faces, place.coarse_uvs)
    return Geometry(vertices.astype(np.float32), faces, uvs, np.zeros(len(vertices), np.int64))


def _within(
    head: Head, least: float, points: Float[ndarray, "n 3"], grown: Sequence[Float[ndarray, "_ _ 3"]]
) -> Float[ndarray, "n"]:
    """How high over points of the scalp half of the hairs lie: from ``least`` to two and a half times it."""
    above = np.concatenate([lines[:, lines.shape[1] // 4 :].reshape(-1, 3) for lines in grown])
    above = above[above[:, 1] > NAPE]
    far, away = distances(head.field, above)
    feet = cKDTree(above - far[:, None] * away)
    near = feet.query(points, k=12)[1]
    middle = np.clip(np.median(far[near], axis=1) - 0.001, least, 2.5 * least)
    again = cKDTree(points).query(points, k=16)[1]
    return middle[again].mean(1)[again].mean(1)


def _under_rim(head: Head, points: Float[ndarray, "n 3"], rise: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Heights over the scalp, flattened towards a hat's rim."""
    return np.minimum(rise, 0.003 + 0.1 * _step(head.ceiling - 0.01, head.ceiling - 0.09, points[:, 1]))


def hanging_weights(
    person: Person, frame: Frame, points: Float[ndarray, "v 3"]
) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """Skin weights of hair: the head's down to the chin, then more and more the neck's and the chest's.

    Args:
        points: In the template's measure.
    """
    root, shoulder = (float(frame.to_head(person.joint(name))[1]) for name in ("neck01", "shoulder01.L"))
    chest = min(float(frame.to_head(person.joint("spine01"))[1]) - 0.12, shoulder - 0.1)
    names, lies, surface_weights = _trunk()
    heights = {"head": 0.56, "neck02": root, "spine01": shoulder - 0.03, "spine02": chest}
    low = np.flatnonzero(points[:, 1] < 0.56)
    dense = np.zeros((len(low), len(names)), np.float32)
    known = list(heights.values())[::-1]
    for i, name in enumerate(heights):
        dense[:, names.index(name)] = np.interp(points[low, 1], known, np.eye(4)[i][::-1])
    # What lies on the back or the chest goes with the skin there.
    far, near = _nearest(frame.to_head(person.vertices[lies]), points[low])
    share = 1 / (far + 0.01)
    local = np.einsum("vk,vkj->vj", share / share.sum(1, keepdims=True), surface_weights[near])
    lying = _step(root, shoulder - 0.03, points[low, 1])[:, None]
    weights, joints = np.zeros((len(points), 4), np.float32), np.zeros((len(points), 4), np.int64)
    weights[:, 0], every = 1, np.array([person.body.joint_names.index(name) for name in names])
    joints[:] = every[0]
    weights[low], found = top_four(dense + lying * (local - dense))
    joints[low] = every[found]
    return weights, joints


def _nearest(
    among: Float[ndarray, "n 3"], points: Float[ndarray, "v 3"]
) -> tuple[Float[ndarray, "v 6"], Int[ndarray, "v 6"]]:
    from scipy.spatial import cKDTree

    return cKDTree(among).query(points, k=6)


@cache
def _trunk() -> tuple[list[str], Int[ndarray, "n"], Float[ndarray, "n j"]]:
    """Joints of head and upper trunk, the vertices of the smooth suit that they move, and their weights there."""
    body = load_body()
    starts = ("head", "neck", "spine", "clavicle")
    names = ["head", *(name for name in body.joint_names if name.startswith(starts) and name != "head")]
    part = body.parts["tights"]
    suit = np.arange(part.start, part.stop)
    dense = np.zeros((len(suit), len(body.joint_names)), np.float32)
    np.add.at(dense, (np.arange(len(suit))[:, None], body.skin_joints[suit]), body.skin_weights[suit])
    dense = dense[:, [body.joint_names.index(name) for name in names]]
    keep = (dense.sum(1) > 0.3) & (body.template.numpy()[suit, 1] > 0.0)
    return names, suit[keep], dense[keep] / dense[keep].sum(1, keepdims=True)


def _swell(inside: Float[ndarray, "n"], over: float = 0.045) -> Float[ndarray, "n"]:
    """From 0 at the hairline to 1 well inside it: how the under-layer rises."""
    return _step(0.0, over, inside)


def _step(low: float, high: float, value: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _unit(vectors: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)


def _fall(points: Float[ndarray, "n 3"], part: float, back: float = 0.0) -> Float[ndarray, "n 3"]:
    """Directions in which hair falls from a parting at x = ``part``, and round the crown behind it."""
    end = np.array([part * 0.5, 0.02])
    start = np.array([part, 0.165])
    along = end - start
    t = np.clip(((points[:, [0, 2]] - start) @ along) / (along @ along), 0, 1)
    away = points[:, [0, 2]] - (start + t[:, None] * along)
    size = np.linalg.norm(away, axis=1, keepdims=True)
    away = away / (size + 0.004)
    low = _step(0.68, 0.60, points[:, 1])  # the nape's hair grows downwards
    out = 1 - 0.9 * low
    return _unit(np.stack([away[:, 0] * out, -0.45 - 0.55 * low, (away[:, 1] - back) * out], 1))


def _leaders(points: Float[ndarray, "n 3"], count: int) -> Int[ndarray, "n"]:
    """For each strand the nearest of the first ``count``; roots are ordered, so those are evenly spread."""
    from scipy.spatial import cKDTree

    return cKDTree(points[: min(count, len(points))]).query(points)[1]


def _loose(head: Head, chosen: Int[ndarray, "n"], combs: Float[ndarray, "n 3"], guides: int, **how) -> Strands:
    """Strands at roots, with what all styles share: columns, leaning, small disorder."""
    rng, count = head.rng, len(chosen)
    combs = _unit(combs + rng.normal(size=(count, 3)) * how.pop("mess", 0.06))
    leader = how.pop("leader", None)
    if leader is None:
        leader = _leaders(head.roots[chosen], guides if head.full else max(guides // 6, 8))
    x = head.roots[chosen][:, 0]
    near = x * x[leader] > 0
    how["clump"] = np.where(near, how.get("clump", 0.35), 0.0)
    how["length"] = how["length"] * np.exp(rng.normal(size=count) * 0.06)
    width = how.get("width", 0.006) * (1.0 if head.full else 2.4)
    how.setdefault("blunt", 0.45)
    # Thin, uneven hairs at the hairline.
    edge = _step(0.012, 0.0, scalp().inside[chosen] + rng.normal(size=count) * 0.003)
    slim = 0.34 * how["length"] if head.full else np.inf  # short and broad are scales
    how["width"] = np.minimum(width * (1 - edge * rng.uniform(0.25, 0.75, count)), slim)
    how["length"] = how["length"] * (1 - 0.35 * edge * rng.uniform(0, 1, count))
    combs = _unit(combs + rng.normal(size=(count, 3)) * (0.22 * edge)[:, None])
    column = locks(rng, count)
    fine = (edge > rng.uniform(0, 1.3, count)) & (how["length"] < 0.1)  # long ones would be wires
    if head.full:
        column[fine] = wisps(rng, int(fine.sum()))
    return strands(
        head.roots[chosen], head.normals[chosen], combs,
        **{
            "leader": leader, "column": column, "tilt": rng.normal(size=count) * 0.10,
            "phase": rng.uniform(0, 6.28, count), "ceiling": head.ceiling, **how,
        },
    )  # fmt: skip


def _stubble(head: Head, chosen: Int[ndarray, "n"]) -> Strands:
    """Clippered hair: a nap of short fine hairs."""
    length = head.rng.uniform(0.009, 0.012)
    seeds = _loose(
        head, chosen, _fall(head.roots[chosen], 0.0), 100, length=length, lift=0.04, height=0.0028, width=0.0058,
        gravity=0.2, clump=0.0, blunt=0.8,
    )  # fmt: skip
    if head.full:
        seeds.get("column")[:] = wisps(head.rng, len(chosen))
    return seeds


def _buzz(head: Head) -> Cut:
    return Cut(_stubble(head, head.some(1900, 200)), 3, 0.0013, across=2, coily=True)


def _short(head: Head) -> Cut:
    """A crop: longer on top, brushed forward or aside, sides and nape tapered."""
    rng = head.rng
    chosen = head.some(1600, 200)
    x = scalp().roots[chosen]
    top = _step(0.655, 0.735, x[:, 1])
    length = 0.018 + top * rng.uniform(0.024, 0.040)
    side = rng.choice((-1.0, 1.0)) * rng.uniform(0.2, 0.9)
    forward = rng.uniform(0.1, 0.9)
    combs = _fall(x, 0.0)
    combs = _unit(combs * (1 - 0.8 * top)[:, None] + top[:, None] * np.array([side, 0.0, forward]))
    back = (1 - top) * _step(0.10, 0.0, x[:, 2])
    combs[:, 2] -= 0.35 * back
    seeds = _loose(
        head, chosen, combs, 260, length=length, lift=0.04 + 0.24 * top, height=0.0034 + 0.0116 * top, gravity=0.15,
        hug=0.5, clump=0.08 + 0.22 * top, width=0.0068, mess=0.10, fade=0.05,
    )  # fmt: skip
    return Cut(seeds, 7, 0.0045, across=2)


def _side_part(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(1600, 195)
    x = scalp().roots[chosen]
    part = rng.choice((-1.0, 1.0)) * rng.uniform(0.024, 0.032)
    top = _step(0.665, 0.725, x[:, 1])
    across = _step(0.0, 0.012, (part - x[:, 0]) * np.sign(part))
    combs = _fall(x, part, 0.0)
    swept = np.array([-np.sign(part) * 1.0, 0.0, -0.45])
    combs = _unit(combs * (1 - 0.7 * top * across)[:, None] + (top * across)[:, None] * swept)
    combs[:, 2] -= 0.4 * (1 - top)
    length = 0.020 + top * (0.03 + 0.045 * across * rng.uniform(0.7, 1.1))
    seeds = _loose(
        head, chosen, combs, 170, length=length, lift=0.04 + 0.34 * top * across,
        height=0.0034 + top * (0.003 + 0.012 * across), gravity=0.2, hug=0.6, clump=0.10 + 0.2 * top, width=0.0068,
        mess=0.05,
    )  # fmt: skip
    return Cut(seeds, 8, 0.0045, across=2)


def _slicked(head: Head) -> Cut:
    chosen = head.some(1250, 180)
    x = scalp().roots[chosen]
    top = _step(0.66, 0.72, x[:, 1])
    front = top * _step(0.06, 0.11, x[:, 2])
    combs = np.tile(np.array([0.0, -0.15, -1.0]), (len(x), 1)) - np.array([0.0, 0.5, 0.0]) * (1 - top)[:, None]
    combs = _unit(combs + _fall(x, 0.0) * (0.8 * (1 - top))[:, None])
    length = (0.045 - 0.030 * _step(0.64, 0.59, x[:, 1]) + 0.055 * top) * head.rng.uniform(0.85, 1.15)
    seeds = _loose(
        head, chosen, combs, 150, length=length, lift=0.03 + 0.18 * front, height=0.004 + 0.007 * top + 0.003 * front,
        gravity=0.12, hug=1.0, clump=0.3, width=0.008, mess=0.03,
    )  # fmt: skip
    return Cut(seeds, 10, 0.0045, across=2)


def _spiky(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(1600, 200)
    x = scalp().roots[chosen]
    top = _step(0.670, 0.715, x[:, 1])
    combs = _unit(_fall(x, 0.0) + top[:, None] * np.array([0.0, 1.6, 0.5]))
    guides = 120
    leader = _leaders(head.roots[chosen], guides if head.full else 45)
    each = rng.uniform(0.75, 1.25, guides)[leader % guides]
    length = (0.016 + top * rng.uniform(0.024, 0.036)) * (1 + (each - 1) * top)
    seeds = _loose(
        head, chosen, combs, guides, length=length, lift=0.04 + 0.81 * top, height=0.0036 + 0.052 * top, gravity=0.0,
        hug=0.0, clump=0.05 + 0.5 * top, leader=leader, width=0.0062, mess=0.18, comb=0.25, blunt=0.3,
    )  # fmt: skip
    return Cut(seeds, 6, 0.004, across=2)


def _pixie(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(1600, 195)
    x = scalp().roots[chosen]
    side = rng.choice((-1.0, 1.0))
    top = _step(0.650, 0.735, x[:, 1])
    front = top * _step(0.05, 0.10, x[:, 2])
    combs = _fall(x, -side * 0.03)
    combs = _unit(combs + (0.9 * front)[:, None] * np.array([side, -0.1, 0.55]))
    length = 0.034 + 0.036 * top + 0.020 * front - 0.014 * _step(0.64, 0.59, x[:, 1])
    cut = np.where(front > 0.2, 0.674 + rng.uniform(0, 0.012, len(x)), -9.0)
    seeds = _loose(
        head, chosen, combs, 200, length=length * rng.uniform(0.9, 1.1), lift=0.05 + 0.30 * top,
        height=0.005 + 0.011 * top, gravity=0.3, hug=0.7, clump=0.12 + 0.22 * top, width=0.0072, mess=0.09, cut=cut,
    )  # fmt: skip
    return Cut(seeds, 8, 0.0045, across=2)


def _curtain(
    head: Head,
    end: float,
    layers: float,
    fringe: bool,
    part: float,
    count: int,
    bow: float = 0.25,
    **how,
) -> Strands:
    """Hair that falls from a parting to the height ``end``.

    Args:
        layers: How much higher some strands end.
        bow: How much higher, per metre to the side, hair ends there.
    """
    rng = head.rng
    chosen = head.some(count, 165)
    x = scalp().roots[chosen]
    combs = _fall(x, part, 0.30)
    top = _step(0.68, 0.725, x[:, 1])
    before = rng.choice((0.055, 0.075, 0.2))  # from where hair lies before the shoulders
    bangs = fringe & (np.abs(x[:, 0]) < 0.052) & (scalp().inside[chosen] < 0.030) & (x[:, 2] > 0.075)
    combs[bangs] = _unit(np.array([0.0, -0.3, 1.0]) + x[bangs] * np.array([5.0, 0, 0]))
    inner = rng.uniform(0, 1, len(x))
    cut = end + layers * inner**3 + rng.normal(size=len(x)) * 0.006 + bow * np.abs(x[:, 0])
    cut = np.where(bangs, 0.668 + rng.normal(size=len(x)) * 0.0025, cut)
    reach = 0.20 + CROWN - end
    length = np.where(bangs, 0.12, (x[:, 1] - end) * 1.15 + 0.10)
    values = {
        "length": np.clip(length, 0.03, reach), "cut": cut, "lift": 0.06 + 0.12 * top,
        "height": np.where(bangs, 0.009, 0.006 + 0.009 * inner * (0.4 + 0.6 * top)),
        "gravity": np.where(bangs, 0.5, 0.55), "fade": np.where(bangs, 0.05, 0.09), "hug": 0.55, "clump": 0.28,
        "drift": np.where(x[:, 2] + rng.normal(size=len(x)) * 0.012 > before, 0.6, -0.6),
        "veil": np.where(bangs, 0.0, 1.0), "width": 0.0095,
        "blunt": 0.5, "mess": 0.05,
    }  # fmt: skip
    values.update(how)
    seeds = _loose(head, chosen, combs, 130, **values)
    leader = seeds.get("leader").astype(int)
    seeds.get("clump")[bangs != bangs[leader]] = 0.0
    return seeds


def _bob(head: Head) -> Cut:
    rng = head.rng
    end = rng.uniform(0.530, 0.562)
    part = rng.choice((0.0, -0.025, 0.025))
    return Cut(_curtain(head, end, 0.03, bool(rng.random() < 0.45), part, 950, -0.15, blunt=0.8), 13, 0.0055, across=2)


def _shoulder(head: Head) -> Cut:
    rng = head.rng
    end = float(head.joint("shoulder01.L")[1]) + rng.uniform(-0.01, 0.03)
    part = rng.choice((0.0, -0.028, 0.028))
    wave = rng.uniform(0.0, 0.005)
    seeds = _curtain(head, end, 0.05, bool(rng.random() < 0.35), part, 800, curl=wave, pitch=0.10, width=0.0105)
    return Cut(seeds, 15, 0.0055, across=2)


def _long_straight(head: Head) -> Cut:
    rng = head.rng
    end = float(head.joint("shoulder01.L")[1]) - rng.uniform(0.09, 0.24)
    part = rng.choice((0.0, 0.0, -0.025, 0.025))
    seeds = _curtain(head, end, 0.10, bool(rng.random() < 0.25), part, 700, width=0.0115)
    return Cut(seeds, 17, 0.005, across=2)


def _long_wavy(head: Head) -> Cut:
    rng = head.rng
    end = float(head.joint("shoulder01.L")[1]) - rng.uniform(0.06, 0.20)
    part = rng.choice((0.0, -0.028, 0.028))
    seeds = _curtain(
        head, end, 0.14, False, part, 620, width=0.0105, curl=rng.uniform(0.008, 0.012), pitch=rng.uniform(0.12, 0.16),
        height=0.012, clump=0.55,
    )  # fmt: skip
    phase = seeds.get("phase")[seeds.get("leader").astype(int)]
    seeds.get("phase")[:] = phase + rng.normal(size=len(phase)) * 0.25
    return Cut(seeds, 20, 0.0055, across=2)


def _curly(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(620, 150)
    x = scalp().roots[chosen]
    top = _step(0.66, 0.72, x[:, 1])
    front = (np.abs(x[:, 0]) < 0.06) & (x[:, 2] > 0.07) & (scalp().inside[chosen] < 0.03)
    forward = np.array([0.0, 0.0, 1.3]) * front[:, None]
    reach = rng.uniform(0.075, 0.17)
    end = NAPE + 0.03 - reach * 0.55
    cut = np.where(front, 0.690, end) + rng.normal(size=len(x)) * 0.012
    combs = _fall(x, rng.uniform(-0.03, 0.03), 0.25) + forward
    every_way = (rng.random(len(x)) < 0.55 * top) & ~front
    combs[every_way] = rng.normal(size=(every_way.sum(), 3))
    seeds = _loose(
        head, chosen, _unit(combs), 200,
        length=(0.06 + reach * (0.5 + 0.5 * top) * np.where(every_way, 0.4, 1.0)) * np.where(front, 0.55, 1.0),
        cut=cut, lift=0.35, height=0.022 + 0.016 * top, gravity=0.34, hug=0.5, fade=0.05,
        curl=rng.uniform(0.006, 0.009), pitch=rng.uniform(0.042, 0.056), clump=0.25,
        width=0.019, blunt=0.8, mess=0.3, veil=1.0, drift=-0.2,
    )  # fmt: skip
    leader = seeds.get("leader").astype(int)
    seeds.get("phase")[:] = seeds.get("phase")[leader] + rng.normal(size=len(leader)) * 0.4
    return Cut(seeds, 18, 0.014, across=2, coily=True)


def _afro(head: Head) -> Cut:
    """A rounded mass: short curls all over a thick under-layer."""
    rng = head.rng
    base = head.some(1150, 260)
    edge = base[scalp().inside[base] < 0.03]
    chosen = np.concatenate([base, base, edge, edge, edge] if head.full else [base, edge])
    size = rng.uniform(0.040, 0.075)
    count = len(chosen)
    rise = size * _swell(scalp().inside[chosen], 0.032)
    rise = rise * np.where(
        np.arange(count) < count - 3 * len(edge) * head.full, rng.uniform(0.84, 1.06, count), rng.uniform(0.1, 1, count)
    )
    tangent = _unit(np.cross(head.normals[chosen], rng.normal(size=(count, 3))))
    seeds = _loose(
        head, chosen, tangent, count, length=0.016 + 0.02 * rise / size, lift=0.45, height=0.0, hug=0.0, gravity=0.0,
        comb=0.3, clump=0.0, width=0.013, blunt=1.0, mess=0.0,
    )  # fmt: skip
    rise = _under_rim(head, seeds.roots, rise)
    roots = (seeds.roots + head.normals[chosen] * rise[:, None]).astype(np.float32)
    return Cut(Strands(roots, seeds.normals, seeds.combs, seeds.how), 4, 0.86 * size, across=2, coily=True)


def _mohawk(head: Head) -> Cut:
    rng = head.rng
    place = scalp()
    band = 0.016 + 0.004 * _step(0.05, -0.03, place.roots[:, 2])
    crest = np.flatnonzero((np.abs(place.roots[:, 0]) < band) & (place.roots[:, 1] > 0.59))
    crest = np.repeat(crest, 4 if head.full else 1)
    x = place.roots[crest]
    tall = rng.uniform(0.06, 0.095)
    length = tall * (0.35 + 0.65 * _step(0.60, 0.73, x[:, 1])) * rng.uniform(0.85, 1.1, len(x))
    combs = _unit(x * np.array([0, 1, 1]) - np.array([0.0, 0.66, 0.04]) + np.array([0.0, 0.0, -0.02]))
    ridge = _loose(
        head, crest, combs, 60, length=length, lift=0.05, height=0.2, hug=0.0, gravity=0.0, comb=0.5, clump=0.0,
        width=0.009, mess=0.10, blunt=0.15,
    )  # fmt: skip
    ridge.combs[:, 0] *= 0.5
    sides = head.some(1900, 60)
    sides = sides[np.abs(place.roots[sides, 0]) > 0.018]
    return Cut(ridge, 6, 0.0012, across=2, more=((_stubble(head, sides), 3),))


def _to_tie(head: Head, chosen: Int[ndarray, "n"], tie: Float[ndarray, "*n 3"], height: float = 0.0045) -> Strands:
    """Hair combed tight to a tie point, or each to its own."""
    count = len(chosen)
    goal = np.broadcast_to(tie, (count, 3)) + head.rng.normal(size=(count, 3)) * 0.003
    return strands(
        head.roots[chosen], head.normals[chosen], goal,
        length=0.36, lift=0.05, height=height * (0.4 + 0.6 * head.rng.uniform(0, 1, count)), hug=1.3, gravity=0.0,
        aimed=1.0, turn=1.4, blunt=0.8, width=0.0105 if head.full else 0.022,
        column=locks(head.rng, count), ceiling=head.ceiling,
    )  # fmt: skip


def _baby_hairs(head: Head, goals: Float[ndarray, "*n 3"]) -> Strands:
    """Fine hairs along the hairline, combed the same way as the rest.

    Args:
        goals: Where the hair is tied: one point, or one for each of the scalp's roots.
    """
    chosen = np.flatnonzero(scalp().inside < 0.020) if head.full else np.zeros(0, np.int64)
    goals = np.broadcast_to(goals, (len(head.roots), 3))[chosen]
    count = len(chosen)
    combs = _unit(goals - head.roots[chosen]) + 0.35 * _fall(scalp().roots[chosen], 0.0)
    combs = _unit(combs + head.rng.normal(size=(count, 3)) * 0.12)
    return strands(
        head.roots[chosen], head.normals[chosen], combs, length=head.rng.uniform(0.025, 0.06, count), lift=0.02,
        height=0.003, hug=1.0, gravity=0.0, blunt=0.7, width=0.0075, column=wisps(head.rng, count),
        ceiling=head.ceiling,
    )  # fmt: skip


def _tail(
    head: Head,
    tie: Float[ndarray, "3"],
    out: Float[ndarray, "3"],
    length: float,
    count: int,
    **how,
) -> Strands:
    """A loose bundle that leaves a tie in the direction ``out``."""
    rng = head.rng
    count = count if head.full else max(count // 6, 16)
    side = np.cross(out, np.array([0.0, 1.0, 0.0]))
    side /= np.linalg.norm(side) + 1e-6
    up = np.cross(side, out)
    turn, radius = rng.uniform(0, 6.28, count), np.sqrt(rng.uniform(0, 1, count))
    radius[0] = 0.0
    spread = radius[:, None] * (np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up)
    roots = tie + spread * 0.010
    combs = _unit(out + spread * 0.35)
    values = {
        "length": length * rng.uniform(0.78, 1.05, count), "lift": 0.0, "gravity": 0.85, "comb": 0.8, "fade": 0.035,
        "hug": 0.25, "height": 0.012 + 0.012 * radius, "width": 0.010 if head.full else 0.024, "blunt": 0.15,
        "clump": 0.50, "leader": np.zeros(count), "column": locks(rng, count),
        "tilt": rng.normal(size=count) * 0.5, "phase": rng.normal(size=count) * 0.5, "turn": 0.4, "drift": -0.1,
    }  # fmt: skip
    values.update(how)
    return strands(roots, np.tile(out, (count, 1)), combs, **values)


def _band(tie: Float[ndarray, "3"], out: Float[ndarray, "3"], radius: float, head: Head) -> Geometry:
    """Hair wound round a tie."""
    side = np.cross(out, np.array([0.0, 1.0, 0.1]))
    side /= np.linalg.norm(side)
    up = np.cross(side, out)
    turn = np.linspace(0, 2 * np.pi, 20 if head.full else 8)
    line = tie + radius * (np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * up)
    return tubes(line[None], np.full((1, len(turn)), 0.0065), 6 if head.full else 3, np.array([3]), repeat=2)


def _on_head(
    head: Head, point: tuple[float, float, float], away: float
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """A point held off the head's surface, and the direction away from it."""
    at = np.array([point], np.float32)
    out = at
    for _ in range(3):
        far, out = distances(head.field, at)
        at = at + out * (away - far)[:, None]
    return at[0], out[0]


def _ponytail(head: Head) -> Cut:
    rng = head.rng
    high = rng.uniform(0, 1)
    covered = head.ceiling < 1.0
    y = min(0.655 + 0.075 * high, head.ceiling - 0.02 if covered else 9.0)
    tie, out = _on_head(head, (0.0, y, -0.06), 0.014)
    out = _unit((out + np.array([0.0, 0.20 * high, 0.0]))[None])[0]
    swept = _to_tie(head, head.some(760, 140), tie)
    tail = _tail(head, tie + out * 0.004, out, rng.uniform(0.22, 0.40), 160, curl=rng.choice((0.0, 0.006)), pitch=0.10)
    band = _band(tie + out * 0.004, out, 0.011, head)
    return Cut(swept, 11, 0.002, across=2, extra=(band,), more=((tail, 20), (_baby_hairs(head, tie), 4)))


def _bun(head: Head) -> Cut:
    rng = head.rng
    y = rng.choice((0.60, 0.66, 0.735))
    y = min(float(y), head.ceiling - 0.025 if head.ceiling < 1.0 else 9.0)
    tie, out = _on_head(head, (0.0, y, -0.06 if y < 0.72 else -0.02), 0.010)
    swept = _to_tie(head, head.some(760, 140), tie)
    # Strands wound round a ball, each on a circle of its own.
    size = rng.uniform(0.028, 0.036)
    count, points = (90, 16) if head.full else (20, 6)
    axis = _unit(out + rng.normal(size=(count, 3)) * 0.42)
    side = _unit(np.cross(axis, np.array([0.0, 1.0, 0.1])))
    up = np.cross(side, axis)
    height = rng.uniform(-0.75, 0.9, count)
    turn = rng.uniform(0, 2 * np.pi, count)[:, None] + np.linspace(0, 1, points) * rng.uniform(2.2, 3.6, count)[:, None]
    ring = np.cos(turn)[..., None] * side[:, None] + np.sin(turn)[..., None] * up[:, None]
    away = np.sqrt(1 - height**2)[:, None, None] * ring + (height[:, None] * axis)[:, None]
    middle = tie + 0.55 * size * out
    lines = middle + size * rng.uniform(0.97, 1.08, count)[:, None, None] * away
    width = np.full(count, 0.010 if head.full else 0.022)
    wound = ribbons(
        lines.astype(np.float32), away.astype(np.float32), width, rng.normal(size=count) * 0.1, np.full(count, 0.7),
        locks(rng, count), 2,
    )  # fmt: skip
    along = np.linspace(0, np.pi, 11 if head.full else 5)
    core = middle - 0.96 * size * np.cos(along)[:, None] * out
    ball = tubes(core[None], 0.96 * size * np.sin(along)[None] + 0.0005, 14 if head.full else 6, np.array([2]))
    return Cut(swept, 11, 0.002, across=2, extra=(ball, wound), more=((_baby_hairs(head, tie), 4),))


def _plait(head: Head, line: Float[ndarray, "k 3"], away: Float[ndarray, "k 3"], width: float) -> tuple[Geometry, ...]:
    """Three strands crossing over each other along a line, and a loose end."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    arc = np.concatenate([[0], np.cumsum(steps)])
    points = int(np.clip(arc[-1] / (0.0055 if head.full else 0.02), 6, 90))
    at = np.linspace(0, arc[-1], points)
    centre = np.stack([np.interp(at, arc, line[:, axis]) for axis in range(3)], 1)
    along = _unit(np.gradient(centre, axis=0))
    out = _unit(np.stack([np.interp(at, arc, away[:, axis]) for axis in range(3)], 1))
    side = _unit(np.cross(along, out))
    out = np.cross(side, along)
    t = at / arc[-1]
    swell = width * np.clip(1.1 - 0.45 * t, 0.3, 1.0)
    turn = 2 * np.pi * at / (width * 3.3)
    strands_of_three = []
    for k in range(3):
        phase = turn + k * 2 * np.pi / 3
        strand = (
            centre
            + (0.52 * swell * np.sin(phase))[:, None] * side
            + (0.27 * swell * np.sin(2 * phase) + 0.3 * swell)[:, None] * out
        )
        strands_of_three.append(strand)
    lines = np.stack(strands_of_three)
    radius = np.tile(0.44 * swell, (3, 1)) * np.minimum(1, 6 * (1.02 - t))
    return (tubes(lines, radius, 7 if head.full else 4, np.array([1, 3, 5]), repeat=arc[-1] / 0.06),)


def _two_ties(head: Head, y: float, z: float) -> tuple[Int[ndarray, "n"], Float[ndarray, "r 3"], list, list]:
    """Roots parted in the middle, the tie each of the scalp's goes to, and the ties with their outward directions."""
    chosen = head.some(760, 150)
    ties, outs = [], []
    for sign in (1.0, -1.0):
        tie, out = _on_head(head, (sign * 0.075, min(y, head.ceiling - 0.02 if head.ceiling < 1 else 9.0), z), 0.012)
        ties.append(tie)
        outs.append(out)
    sides = np.where(scalp().roots[:, :1] > 0, ties[0], ties[1])
    return chosen, sides, ties, outs


def _braids(head: Head) -> Cut:
    rng = head.rng
    chosen, sides, ties, outs = _two_ties(head, 0.592, 0.012)
    swept = _to_tie(head, chosen, sides[chosen])
    length = rng.uniform(0.24, 0.40)
    forward = rng.random() < 0.6
    extra, tails = [], []
    for tie, out in zip(ties, outs, strict=True):
        way = _unit((out * 0.7 + np.array([0.0, -0.8, 0.35 if forward else -0.35]))[None])
        seed = strands(
            tie[None], way, way, length=length, lift=0.0, gravity=0.5, comb=0.7, fade=0.03, hug=0.15, height=0.014,
            drift=0.35 if forward else -0.3, turn=0.7,
        )  # fmt: skip
        line, away = grow(head.field, seed, 40)
        extra += _plait(head, line[0], away[0], 0.022)
        end = line[0, -1] - line[0, -2]
        tails.append(
            _tail(head, line[0, -1] + away[0, -1] * 0.004, _unit(end[None])[0], 0.05, 26, fade=0.5, height=0.008)
        )
    more = ((together(*tails), 6), (_baby_hairs(head, sides), 4))
    return Cut(swept, 11, 0.002, across=2, extra=tuple(extra), more=more)


def _pigtails(head: Head) -> Cut:
    rng = head.rng
    chosen, sides, ties, outs = _two_ties(head, rng.uniform(0.655, 0.70), 0.005)
    swept = _to_tie(head, chosen, sides[chosen])
    length = rng.uniform(0.12, 0.24)
    curl = rng.choice((0.0, 0.008))
    tails, bands = [], []
    for tie, out in zip(ties, outs, strict=True):
        way = _unit((out + np.array([0.0, 0.25, -0.1]))[None])[0]
        tails.append(_tail(head, tie + way * 0.004, way, length, 110, curl=curl, pitch=0.08))
        bands.append(_band(tie + way * 0.004, way, 0.010, head))
    more = ((together(*tails), 14), (_baby_hairs(head, sides), 4))
    return Cut(swept, 11, 0.002, across=2, extra=tuple(bands), more=more)


def _dreadlocks(head: Head) -> Cut:
    rng = head.rng
    chosen = head.some(125, 60)
    x = scalp().roots[chosen]
    end = rng.choice((0.545, 0.47, 0.38)) + rng.normal(size=len(x)) * 0.02
    front = (x[:, 2] > 0.07) & (np.abs(x[:, 0]) < 0.05)
    combs = _fall(x, rng.uniform(-0.02, 0.02), 0.35)
    combs[front, 2] -= 0.5
    seeds = _loose(
        head, chosen, combs, len(chosen), length=(x[:, 1] - end) * 1.1 + 0.09, cut=end, lift=0.3,
        height=0.012 + 0.012 * rng.uniform(0, 1, len(x)), gravity=0.42, fade=0.09, hug=0.6, clump=0.0, width=0.012,
        curl=0.002, pitch=0.05, mess=0.10, veil=1.0, drift=np.where(x[:, 2] > 0.07, 0.3, -0.3),
    )  # fmt: skip
    if not head.full:
        seeds.get("width")[:] = 0.018
    return Cut(seeds, 16, 0.005, locks=True)


STYLES: dict[str, Callable[[Head], Cut]] = {
    "buzz": _buzz,
    "short": _short,
    "side part": _side_part,
    "slicked back": _slicked,
    "spiky": _spiky,
    "pixie": _pixie,
    "bob": _bob,
    "shoulder": _shoulder,
    "long straight": _long_straight,
    "long wavy": _long_wavy,
    "curly": _curly,
    "afro": _afro,
    "ponytail": _ponytail,
    "bun": _bun,
    "braids": _braids,
    "pigtails": _pigtails,
    "dreadlocks": _dreadlocks,
    "mohawk": _mohawk,
}
_SHORT = {"buzz", "short", "side part", "slicked back", "spiky", "pixie", "mohawk", "afro"}
"""Styles that leave the ears free and do not reach the shoulders."""
_TIED = {"ponytail", "bun", "braids", "pigtails"}
