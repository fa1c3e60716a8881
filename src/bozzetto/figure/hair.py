"""The hair of the head: a haircut's strands as strips and tubes over a closed hair-coloured layer, moved by the body.

Strips are seen from outside alone: on the crown's far side their undersides would stand dark behind the head. What
hangs free of the head gets a lining, seen from within.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy import sparse
from scipy.spatial import cKDTree

from bozzetto.body.model import load_body
from bozzetto.figure.face_hair import face_hair_pieces as face_hair_pieces
from bozzetto.figure.face_hair import is_grey
from bozzetto.figure.haircuts import SHORT, STYLES, TIED, Cut, takes_hair_in
from bozzetto.figure.piece import Person, Piece, top_four
from bozzetto.figure.scalp import CROWN, NAPE, Head, hairline, mask_at_vertices, scalp, step, swell, under_rim, unit
from bozzetto.figure.strands import (
    DENSE,
    NO_EARS,
    Ears,
    Frame,
    Geometry,
    Strands,
    distances,
    fit_frame,
    grow,
    hair_material,
    locks,
    merge,
    ribbons,
    surface,
    tubes,
)
from bozzetto.geometry import vertex_normals


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
        clear = ~_before_the_eyes(lines) & ~_strays(lines, 0.010 if head.full else 0.035)
        clear &= ~_few_in_front(lines, 24 if head.full else 5)
        clear &= ~_on_the_forehead(lines, (seeds.get("veil") > 0) | (seeds.get("aimed") > 0.5)) | cut.coily
        clear &= (head.ears.at(lines[:, : (lines.shape[1] + 1) // 2]) > 0.85).all(1)
        if style in TIED:
            # Nothing is led to its tie round the ear's lower half.
            outer = np.abs(lines[..., 0]) > head.ears.from_x - 0.01
            y, z = head.ears.middle
            clear &= ~(outer & (lines[..., 1] < y) & (lines[..., 2] > z)).any(1)
        # What the ear stops from the front would hang there as a curl.
        clear &= (head.ears.at(lines[:, -1]) > 1.15) | (lines[:, -1, 2] < head.ears.middle[1])
        lines, away = lines[clear], away[clear]
        seeds = Strands(seeds.roots[clear], seeds.normals[clear], seeds.combs[clear], seeds.how[clear])
        grown.append(lines)
        if cut.locks:
            along = np.linspace(0, 1, lines.shape[1])
            tip = along ** (4 if cut.coily else 8)
            radius = 0.5 * seeds.get("width")[:, None] * np.sqrt(np.clip(1.04 - 1.03 * tip, 0.01, 1))
            radius = radius * np.minimum(1, 0.15 + 14 * along)  # closed at both ends
            radius = radius * (1 + 0.10 * np.sin(along * 40 + seeds.get("phase")[:, None]))
            parts.append(tubes(lines, radius, 5 if head.full else 3, seeds.get("column").astype(int), repeat=3))
        else:
            shape = (seeds.get("width"), seeds.get("tilt"), seeds.get("blunt"), seeds.get("column").astype(int))
            parts.append(ribbons(lines, away, *shape))
            if head.full:
                parts.append(_lining(lines, away, *shape))
    layer = _under_layer(head, cut, grown)
    if not grown:
        parts.append(_strewn(head, layer))
    mesh = merge(layer, *parts)
    vertices = head.frame.to_person(mesh.vertices)
    weights, joints = hanging_weights(person, head.frame, mesh.vertices)
    colour = np.array(person.spec.hair.colour.srgb)
    material = hair_material(colour, 1024 if head.full else 128, is_grey(colour), head.full, cut.coily)
    material = replace(material, double_sided=not head.full or cut.locks)
    return [Piece("hair", vertices, mesh.faces, mesh.uvs, weights, joints, material)]


def _lining(
    lines: Float[ndarray, "s k 3"],
    away: Float[ndarray, "s k 3"],
    width: Float[ndarray, "s"],
    tilt: Float[ndarray, "s"],
    blunt: Float[ndarray, "s"],
    column: Int[ndarray, "s"],
) -> Geometry:
    """What is seen of hanging strands from within, at the temples too: broad strips without gaps along every third one.

    Each face is there thrice, twice towards the outside, so that normals point there and hair seen from within is lit
    as thin as it is.
    """
    hanging = np.flatnonzero(lines[:, -1, 1] < 0.60)[::3]
    points = np.append(np.arange(lines.shape[1] // 5, lines.shape[1] - 1, 2), lines.shape[1] - 1)
    at = np.ix_(hanging, points)
    inward = lines[at] - 0.001 * away[at]
    strips = ribbons(inward, away[at], 2 * width[hanging], tilt[hanging], blunt[hanging], np.full(len(hanging), DENSE))
    x, y, z = strips.vertices[strips.faces].mean(1).T
    temple = (np.abs(x) > 0.06) & (y < 0.70) & (z < 0.10 - 0.5 * np.clip(y - 0.66, 0, 1))
    free = (y > 0.43) & (((z < 0.05) & (y < 0.64)) | temple)
    faces, uvs = strips.faces[free], strips.uvs[free]
    return replace(
        strips, faces=np.concatenate([faces, faces, faces[:, ::-1]]), uvs=np.concatenate([uvs, uvs, uvs[:, ::-1]])
    )


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
    above = step(top + 0.05, top, vertices[:, 1])[:, None]
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
        if takes_hair_in(person.spec):
            lift *= vertices[at, 2] > axis[2] + 0.03 * person.spec.body.height / 1.7
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
    share = step(0.045, 0.015, away[:, 0]) * step(float(person.joint("neck01")[1]), shoulders, vertices[low, 1])
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


def _few_in_front(lines: Float[ndarray, "s k 3"], enough: int) -> Bool[ndarray, "s"]:
    """Strands that fall on the chest on a side where too few do to be a lock."""
    x, y, z = lines[:, -1].T
    front = (y < 0.535) & (z > 0.075)
    few = np.zeros(len(lines), bool)
    for side in (front & (x > 0), front & (x <= 0)):
        few |= side & (side.sum() < enough)
    return few


def _strays(lines: Float[ndarray, "s k 3"], reach: float) -> Bool[ndarray, "s"]:
    """Strands that stand or hang away from all others, on the crown with their outer half."""
    strand, at = np.nonzero((lines[..., 1] < 0.68) | (np.arange(lines.shape[1]) > lines.shape[1] / 2))
    stray = np.zeros(len(lines), bool)
    if len(strand) == 0:
        return stray
    points = lines[strand, at]
    near = cKDTree(points).query(points, k=min(8, len(points)), distance_upper_bound=reach)[1]
    owner = np.append(strand, -1)[near]
    others = ((owner != strand[:, None]) & (owner >= 0)).sum(1)
    alone = np.bincount(strand, others < 3, len(lines))
    return alone > 0.34 * np.bincount(strand, minlength=len(lines)).clip(1)


def _head(person: Person, style: str, covered: float | None) -> Head:
    place = scalp()
    template = person.body.template.numpy()
    frame = fit_frame(template[place.fit], person.vertices[place.fit])
    stop = person.body.parts["body"].stop
    vertices = frame.to_head(person.vertices[:stop]).astype(np.float32)
    normals = vertex_normals(vertices, place.faces)
    solid, around = vertices[place.outside], normals[place.outside]
    if style in SHORT:
        solid, around = solid[~place.ears], around[~place.ears]
    else:
        rim = (solid[:, 2] - solid[place.ears, 2].mean()) / 0.02
        bulge = unit(np.stack([np.sign(solid[:, 0]), np.full(len(rim), 0.25), rim], 1))
        around = np.where(place.ears[:, None], bulge, around)
        # Tight hair presses them down, and high curls are little shaped by them.
        pressed = 0.005 if style in TIED else 0.012 if style == "curly" else -0.001
        solid = solid - pressed * bulge * place.ears[:, None]
    coat = person.spec.outer is not None  # its collar stands up at the neck
    chin_to_chest = np.clip((template[place.outside][:, 1] - (0.515 if coat else 0.485)) / 0.03, 0, 1)
    if style in SHORT:
        chin_to_chest = chin_to_chest[~place.ears]
    cloth = 0.024 if coat else 0.011
    solid = solid + around * ((1 - chin_to_chest) * cloth / frame.scale)[:, None]
    short = style in SHORT
    low = np.array([-0.22, 0.48 if short else 0.08, -0.20])
    high = np.array([0.22, 0.90, 0.26])
    full = person.detail == "full"
    field = surface(solid, around, low, high, 0.011 if full else 0.022)
    roots = np.einsum("nk,nkd->nd", place.shares, vertices[place.corners])
    outward = np.einsum("nk,nkd->nd", place.shares, normals[place.corners])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    ceiling = 9.0 if covered is None else NAPE + covered * (CROWN - NAPE)
    rng = person.rng("hair")
    around_ears = _ears(vertices) if style in SHORT - {"afro"} | TIED else NO_EARS
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
    thickness = _within(head, *cut.thickness, points, grown) if grown else np.full(len(points), cut.thickness[0])
    if cut.puffs > 0:
        puff = cKDTree(head.roots[:300]).query(points)[0] / 0.011
        thickness = thickness + cut.puffs * (0.5 - np.minimum(puff, 1.2) ** 2)
    thickness = under_rim(head, points, thickness)
    lift = 0.0006 + (thickness - 0.0006) * swell(place.cap_inside, 0.032 if cut.coily else 0.026)
    vertices = points + away * (lift + np.clip(-far, 0, 0.003))[:, None]
    faces, uvs = (place.cap_faces, place.cap_uvs) if head.full else (place.coarse_faces, place.coarse_uvs)
    return Geometry(vertices.astype(np.float32), faces, uvs)


def _strewn(head: Head, layer: Geometry) -> Geometry:
    """Short curls that lie all over an under-layer, each some way round on it."""
    rng, count = head.rng, 2600 if head.full else 420
    inside = scalp().cap_inside[layer.faces].min(1) > 0.003
    corners = layer.vertices[layer.faces[inside]]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    at = rng.choice(len(corners), count, p=areas / areas.sum())
    normals = vertex_normals(layer.vertices, layer.faces)[layer.faces[inside]][at]
    shares = rng.dirichlet((1, 1, 1), count)[..., None]
    place, out = (corners[at] * shares).sum(1), unit((normals * shares).sum(1))
    way = unit(np.cross(out, rng.normal(size=(count, 3))))
    along = np.linspace(-0.5, 0.5, 3)
    length = rng.uniform(0.018, 0.028, count) * (1 if head.full else 2)
    rise = rng.uniform(0.0015, 0.005, count)[:, None] - 0.010 * along**2  # ends sink in
    lines = place[:, None] + (length[:, None] * along)[..., None] * way[:, None] + rise[..., None] * out[:, None]
    away = out[:, None] + 1.2 * along[:, None] * way[:, None]
    width, even = np.full(count, 0.012 if head.full else 0.03), np.ones(count)
    return ribbons(
        lines.astype(np.float32), away.astype(np.float32), width, rng.normal(size=count) * 0.3, even,
        locks(rng, count),
    )  # fmt: skip


def _within(
    head: Head, least: float, most: float, points: Float[ndarray, "n 3"], grown: Sequence[Float[ndarray, "_ _ 3"]]
) -> Float[ndarray, "n"]:
    """How high over points of the scalp half of the hairs lie: from ``least`` to ``most``."""
    above = np.concatenate([lines[:, lines.shape[1] // 4 :].reshape(-1, 3) for lines in grown])
    above = above[above[:, 1] > NAPE]
    far, away = distances(head.field, above)
    feet = cKDTree(above - far[:, None] * away)
    near = feet.query(points, k=12)[1]
    middle = np.clip(np.median(far[near], axis=1) - 0.001, least, most)
    again = cKDTree(points).query(points, k=16)[1]
    return middle[again].mean(1)[again].mean(1)


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
    lying = step(root, shoulder - 0.03, points[low, 1])[:, None]
    weights, joints = np.zeros((len(points), 4), np.float32), np.zeros((len(points), 4), np.int64)
    weights[:, 0], every = 1, np.array([person.body.joint_names.index(name) for name in names])
    joints[:] = every[0]
    weights[low], found = top_four(dense + lying * (local - dense))
    joints[low] = every[found]
    return weights, joints


def _nearest(
    among: Float[ndarray, "n 3"], points: Float[ndarray, "v 3"]
) -> tuple[Float[ndarray, "v 6"], Int[ndarray, "v 6"]]:
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
