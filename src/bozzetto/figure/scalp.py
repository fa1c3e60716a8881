"""The scalp: where hair grows, and a person's head in the measure that haircuts are drawn in."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.body.model import load_body
from bozzetto.figure.piece import Person
from bozzetto.figure.strands import CAP_ROWS, Ears, Frame, Surface, cap_row
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


def under_rim(head: Head, points: Float[ndarray, "n 3"], rise: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Heights over the scalp, flattened towards a hat's rim."""
    return np.minimum(rise, 0.003 + 0.1 * step(head.ceiling - 0.01, head.ceiling - 0.09, points[:, 1]))


def swell(inside: Float[ndarray, "n"], over: float = 0.045) -> Float[ndarray, "n"]:
    """From 0 at the hairline to 1 well inside it: how the under-layer rises."""
    return step(0.0, over, inside)


def step(low: float, high: float, value: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """From 0 at ``low`` to 1 at ``high``, smoothly; downwards where ``high`` is the lower."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def unit(vectors: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3"]:
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
