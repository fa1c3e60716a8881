"""The skin's texture layout: MakeHuman's islands rearranged so that half of the picture is the head, most of it face.

Also what every texel knows of the mean person: where it lies, which way it looks, and how large it is.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from bozzetto.body.model import Body
from bozzetto.geometry import vertex_normals
from bozzetto.kept import kept
from bozzetto.kernels import kernel

_ISLANDS = (
    # MakeHuman's box (u0, v0, u1, v1), then the box here.
    ("head", (0.640, 0.181, 0.995, 0.852), (0.474, 0.008, 0.992, 0.992)),
    ("trunk", (0.009, 0.025, 0.753, 0.863), (0.008, 0.008, 0.462, 0.525)),
    ("right_hand", (0.360, 0.802, 0.555, 0.990), (0.008, 0.535, 0.226, 0.745)),
    ("left_hand", (0.569, 0.803, 0.764, 0.990), (0.240, 0.535, 0.458, 0.745)),
    ("right_foot", (0.022, 0.830, 0.192, 0.991), (0.008, 0.765, 0.152, 0.901)),
    ("left_foot", (0.197, 0.830, 0.367, 0.991), (0.166, 0.765, 0.310, 0.901)),
    ("mouth", (0.757, 0.863, 0.925, 0.989), (0.325, 0.765, 0.455, 0.862)),
    ("right_socket", (0.011, 0.366, 0.078, 0.454), (0.325, 0.880, 0.385, 0.958)),
    ("left_socket", (0.085, 0.366, 0.152, 0.454), (0.400, 0.880, 0.460, 0.958)),
)
ISLANDS = tuple(name for name, _, _ in _ISLANDS)
_FACE_CENTRE = np.array([0.892, 0.5285])
_REACH = 0.44
_SWELL = 1.6


@dataclass(frozen=True, eq=False)
class Atlas:
    """Every texel of the skin that a face covers, ``n`` of them, on the mean person."""

    size: int
    lookup: Int[ndarray, "s s"]
    """For each pixel of the picture its texel; beyond the islands' borders the nearest one."""
    position: Float[ndarray, "n 3"]
    """Metres on ``body.template``."""
    normal: Float[ndarray, "n 3"]
    island: Int[ndarray, "n"]
    """Index into ``ISLANDS``."""
    face: Int[ndarray, "n"]
    """Of the part "body"."""

    def picture(self, values: ndarray) -> ndarray:
        """Values of texels as a picture of ``size`` squared."""
        return values[self.lookup]


@cache
def skin_faces(body: Body) -> Int[ndarray, "g"]:
    """Faces of the part "body" that are skin: neither tongue nor eyes."""
    return np.flatnonzero(body.parts["body"].faces[:, 0] < skin_stop(body))


@cache
def skin_stop(body: Body) -> int:
    """Skin vertices are those below this; tongue and eyes follow."""
    tongue, _ = body.expressions["tongueOut"]
    return int(tongue.min())


@cache
def _islands(body: Body) -> Int[ndarray, "f"]:
    """The island of every face of the part "body"; -1 for tongue and eyes."""
    from scipy import sparse

    uvs = body.parts["body"].uvs
    flat = np.round(uvs.reshape(-1, 2) * 1e5).astype(np.int64)
    corner = np.unique(flat[:, 0] * 1_000_000 + flat[:, 1], return_inverse=True)[1].reshape(-1, 3)
    edges = np.concatenate([corner[:, :2], corner[:, 1:]])
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(corner.max() + 1,) * 2)
    component = sparse.csgraph.connected_components(graph, directed=False)[1][corner[:, 0]]
    found = np.full(len(uvs), -1)
    for label in range(component.max() + 1):
        mine = component == label
        box = np.concatenate([uvs[mine].min((0, 1)), uvs[mine].max((0, 1))])
        distance = [np.abs(box - source).max() for _, source, _ in _ISLANDS]
        if min(distance) < 0.03:
            found[mine] = int(np.argmin(distance))
    return found


@kept(lambda body: "skin-uvs")
def skin_uvs(body: Body) -> Float[ndarray, "f 3 2"]:
    """Texture coordinates of every face of the part "body" in this layout; zero for tongue and eyes."""
    uvs = body.parts["body"].uvs.astype(np.float64)
    islands = _islands(body)
    out = np.zeros_like(uvs)
    for i, (name, source, target) in enumerate(_ISLANDS):
        mine = islands == i
        points, box = uvs[mine], np.array(source).reshape(2, 2)
        if name == "head":
            points = _swell(points)
            box = np.stack([points.min((0, 1)), points.max((0, 1))])
        goal = np.array(target).reshape(2, 2)
        scale = (goal[1] - goal[0]) / (box[1] - box[0])
        scale = scale if name == "head" else scale.min()
        out[mine] = goal[0] + (points - box[0]) * scale
    return out.astype(np.float32)


def _swell(points: Float[ndarray, "*n 2"]) -> Float[ndarray, "*n 2"]:
    """Points of the head's island, the face enlarged: radius x becomes x + k x (1 - x)^2 of the reach."""
    offset = points - _FACE_CENTRE
    radius = np.clip(np.linalg.norm(offset, axis=-1, keepdims=True) / _REACH, 0, 1)
    return _FACE_CENTRE + offset * (1 + _SWELL * (1 - radius) ** 2)


@kept(lambda body, size: f"skin-atlas-{size}")
def skin_atlas(body: Body, size: int) -> Atlas:
    """The layout at ``size`` pixels squared; 0.5 s at 1024, then kept."""
    from scipy import ndimage

    faces, part = skin_faces(body), body.parts["body"]
    corners = skin_uvs(body)[faces].astype(np.float64) * size - 0.5
    owner = np.full((size, size), -1, np.int32)
    shares = np.zeros((size, size, 3), np.float32)
    _rasterise(corners, owner, shares)
    covered = owner >= 0
    texel = np.cumsum(covered.ravel()).reshape(size, size) - 1
    rows, columns = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    face, share = faces[owner[covered]], shares[covered]
    triangles = part.faces[face]
    template = body.template.numpy()
    mix = lambda values: np.einsum("nk,nkd->nd", share, values)  # noqa: E731
    normal = mix(vertex_normals(template, part.faces)[triangles])
    return Atlas(
        size=size,
        lookup=texel[rows, columns].astype(np.int32),
        position=mix(template[triangles]).astype(np.float32),
        normal=(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)).astype(np.float32),
        island=_islands(body)[face].astype(np.int8),
        face=face.astype(np.int32),
    )


@kernel
def _rasterise(corners, owner, shares):
    """For each pixel centre the triangle that covers it and its barycentric coordinates."""
    size = owner.shape[0]
    for f in range(len(corners)):
        ax, ay = corners[f, 0]
        bx, by = corners[f, 1]
        cx, cy = corners[f, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx) - 0.01)), 0), min(int(max(ax, bx, cx) + 0.01), size - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy) - 0.01)), 0), min(int(max(ay, by, cy) + 0.01), size - 1)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                v = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                w = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                u = 1 - v - w
                if u >= -1e-3 and v >= -1e-3 and w >= -1e-3 and owner[y, x] < 0:
                    owner[y, x] = f
                    shares[y, x, 0], shares[y, x, 1], shares[y, x, 2] = u, v, w
