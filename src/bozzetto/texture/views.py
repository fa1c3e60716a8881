"""Pictures of a surface, carried from where they were taken to where the next one is wanted, and blended there.

Human-SGD (AlBahar et al. 2023, arXiv:2311.09221), section 3.3. For a target camera c every support view v gives, pixel
by pixel, whether the place is visible in both (M_v), its colour (C_v), the angle phi_v between the surface's normals in
the two cameras' own frames, and the distance d_v to where what both see ends. Then

    w_v = M_v B_v exp(-alpha phi_v) d_v^beta / (sum_i M_i B_i exp(-alpha phi_i) d_i^beta + eps),   I_c = sum_v w_v C_v,

with B_v = 0 in the border zone of pixels that a single support view sees. Where the paper is silent: visibility is
asked of places, not of whole faces; d is measured in the support view and told in the target's pixels, so that views
of different resolution compare; the border zone is where d falls below ``Weighing.border``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from scipy import ndimage

from bozzetto.geometry import vertex_normals
from bozzetto.render.raster import Coverage, camera_matrices, rasterize
from bozzetto.types import Cameras

EPS = 1e-8
Picture: TypeAlias = Float32[ndarray, "h w 3"]
"""sRGB, [0, 1]."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles as they stand in the photo."""

    vertices: Float[ndarray, "v 3"]
    """Metres."""
    faces: Int[ndarray, "f 3"]
    coverage: Coverage | None = None
    """Which sides and which pixels of faces count; without it both sides of all."""

    @cached_property
    def normals(self) -> Float32[ndarray, "v 3"]:
        """Smooth, of unit length."""
        return vertex_normals(self.vertices, self.faces)


@dataclass(frozen=True, eq=False)
class Seen:
    """What one camera sees of a surface."""

    camera: Cameras
    """One."""
    face: Int[ndarray, "h w"]
    """-1 where nothing is."""
    share: Float32[ndarray, "h w 3"]
    """Weights of the face's corners."""
    depth: Float32[ndarray, "h w"]
    """Along camera +z, metres; zero where nothing is."""
    place: Float32[ndarray, "h w 3"]
    """World, metres."""
    normal: Float32[ndarray, "h w 3"]
    """World, smooth, of unit length, towards the camera; zero where nothing is."""

    @property
    def hit(self) -> Bool[ndarray, "h w"]:
        """The silhouette."""
        return self.face >= 0


@dataclass(frozen=True, eq=False)
class View:
    """A picture of the surface."""

    seen: Seen
    picture: Float32[ndarray, "h w 3"]
    """sRGB, [0, 1]."""
    trusted: Bool[ndarray, "h w"]
    """Pixels whose colour may be carried elsewhere."""


@dataclass(frozen=True, eq=False)
class Carried:
    """A support view as the target camera sees it; everything is zero where it shows nothing."""

    visible: Bool[ndarray, "h w"]
    """M_v."""
    colour: Float32[ndarray, "h w 3"]
    """C_v, sRGB."""
    angle: Float32[ndarray, "h w"]
    """phi_v, radians."""
    distance: Float32[ndarray, "h w"]
    """d_v, pixels of the target."""


@dataclass(frozen=True)
class Weighing:
    """How support views are weighed against each other; the paper's figures."""

    alpha: float = 3.0
    """How much an angle counts, per radian."""
    beta: float = 3.0
    """Power of the distance to the border of what both views see."""
    border: float = 2.0
    """Pixels of that border which a place seen by one view alone loses."""
    slack: float = 0.004
    """Metres that a place may lie behind what a view sees and still be the same surface."""
    steepest: float = 0.1
    """Cosine of the angle beyond which a surface is too much aslant to be read."""


@dataclass(frozen=True, eq=False)
class Aggregate:
    """All support views blended in the target."""

    picture: Float32[ndarray, "h w 3"]
    """I_c, sRGB; zero where nothing is known."""
    known: Bool[ndarray, "h w"]
    """M_c."""
    weights: Float32[ndarray, "v h w"]
    """w_v."""


def look(surface: Surface, camera: Cameras) -> Seen:
    """What a camera, with perspective or without, sees.

    Raises:
        ValueError: More or fewer than one camera, or a surface that cannot be drawn.
    """
    if len(camera) != 1:
        raise ValueError(f"look takes one camera; got {len(camera)}.")
    drawn = rasterize(surface.vertices, surface.faces, camera, surface.coverage)
    face, share, hit = drawn.face[0], drawn.barycentrics[0], drawn.face[0] >= 0
    corners = surface.faces[face[hit]]
    place, normal = np.zeros((*face.shape, 3), np.float32), np.zeros((*face.shape, 3), np.float32)
    place[hit] = np.einsum("nk,nkd->nd", share[hit], surface.vertices[corners])
    smooth = np.einsum("nk,nkd->nd", share[hit], surface.normals[corners])
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-12)
    # Sheets are drawn from both sides; their one normal is turned to whoever looks.
    a, b, c = (surface.vertices[corners[:, k]] for k in range(3))
    geometric = np.cross(b - a, c - a)
    away = np.einsum("nd,nd->n", geometric, towards(place[hit], camera)) < 0
    normal[hit] = np.where(away[:, None], -smooth, smooth)
    matrix, _ = camera_matrices(camera, 0)
    depth = np.where(hit, place @ matrix[2, :3] + matrix[2, 3], 0.0).astype(np.float32)
    return Seen(camera, face, share, depth, place, normal)


def towards(points: Float[ndarray, "n 3"], camera: Cameras) -> Float[ndarray, "n 3"]:
    """Unit directions from places to the camera."""
    matrix, lens = camera_matrices(camera, 0)
    if lens[2, 2] == 0:
        return np.broadcast_to(-matrix[2, :3], points.shape)
    way = -matrix[:, :3].T @ matrix[:, 3] - points
    return way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)


def project(points: Float[ndarray, "n 3"], camera: Cameras) -> tuple[Float[ndarray, "n 2"], Float[ndarray, "n"]]:
    """Pixels and depths of places."""
    matrix, lens = camera_matrices(camera, 0)
    p = points.astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
    scale = np.ones_like(p[:, 2:]) if lens[2, 2] == 0 else np.where(p[:, 2:] > 1e-6, p[:, 2:], np.inf)
    return (p[:, :2] / scale) @ lens[:2, :2].T + lens[:2, 2], p[:, 2]


def pixels_per_metre(seen: Seen) -> float:
    """Of what the camera sees, at its mean depth."""
    _, lens = camera_matrices(seen.camera, 0)
    return float(lens[0, 0] if lens[2, 2] == 0 else lens[0, 0] / max(seen.depth[seen.hit].mean(), 1e-6))


def shown(
    points: Float[ndarray, "n 3"], normals: Float[ndarray, "n 3"], seen: Seen, weighing: Weighing
) -> tuple[Bool[ndarray, "n"], Float[ndarray, "n 2"]]:
    """Which places a camera sees, and at which of its pixels.

    Args:
        points: On the surface, metres.
        normals: Towards whoever named the places: a sheet's other side is another place.
        seen: What the camera sees.
        weighing: Slack and steepness.
    """
    at, depth = project(points, seen.camera)
    height, width = seen.face.shape
    column, row = np.floor(at).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    facing = np.einsum("nd,nd->n", normals, towards(points, seen.camera))
    visible = inside & (facing > weighing.steepest)
    there = visible.nonzero()[0]
    surface = seen.depth[row[there], column[there]]
    slack = weighing.slack + 0.75 / pixels_per_metre(seen)  # a pixel's depth is that of its middle
    visible[there] = (surface > 0) & (depth[there] <= surface + slack / facing[there])
    return visible, at


def carry(view: View, target: Seen, weighing: Weighing = Weighing()) -> Carried:
    """A support view as the target camera sees it.

    Args:
        view: The support view.
        target: What the target camera sees.
        weighing: Slack and steepness.
    """
    source, shape = view.seen, target.face.shape
    visible = np.zeros(shape, bool)
    colour = np.zeros((*shape, 3), np.float32)
    angle, distance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    # d is measured inside the support view: pixels that the target sees too, and may be trusted.
    both = source.hit & view.trusted
    both[both] = shown(source.place[both], source.normal[both], target, weighing)[0]
    inward = ndimage.distance_transform_edt(np.pad(both, 1))[1:-1, 1:-1]

    hit = target.hit
    normals = target.normal[hit]
    found, at = shown(target.place[hit], normals, source, weighing)
    column, row = np.floor(at[found]).astype(int).T
    found[found] = both[row, column]
    rows, columns = (each[found] for each in hit.nonzero())
    visible[rows, columns] = True
    colour[rows, columns] = sampled(view.picture, at[found], both)
    scale = pixels_per_metre(target) / pixels_per_metre(source)
    distance[rows, columns] = sampled(inward[..., None].astype(np.float32), at[found], both)[:, 0] * scale
    angle[rows, columns] = between(normals[found], source.camera, target.camera)
    return Carried(visible, colour, angle, distance)


def between(normals: Float[ndarray, "n 3"], one: Cameras, other: Cameras) -> Float[ndarray, "n"]:
    """phi: radians between a normal as one camera's frame has it and as the other's has it."""
    a, b = (normals @ camera_matrices(camera, 0)[0][:, :3].T for camera in (one, other))
    length = np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), EPS)
    return np.arccos(np.clip(np.einsum("nd,nd->n", a, b) / length, -1.0, 1.0))


def sampled(
    picture: Float32[ndarray, "h w c"], at: Float[ndarray, "n 2"], trusted: Bool[ndarray, "h w"]
) -> Float32[ndarray, "n c"]:
    """Bilinear values of pixels that may be trusted; zero where none of the four may."""
    height, width = trusted.shape
    x, y = at[:, 0] - 0.5, at[:, 1] - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - left, y - top
    rows = np.clip(np.stack([top, top, top + 1, top + 1], 1), 0, height - 1)
    columns = np.clip(np.stack([left, left + 1, left, left + 1], 1), 0, width - 1)
    shares = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], 1) * trusted[rows, columns]
    shares /= np.maximum(shares.sum(1, keepdims=True), 1e-12)
    return np.einsum("nk,nkc->nc", shares, picture[rows, columns]).astype(np.float32)


def recut(source: Float32[ndarray, "h w c"], camera: Cameras, target: Cameras) -> Float32[ndarray, "y x c"]:
    """A picture as the same eye sees it through another lens; zero around it.

    Args:
        source: Any channels.
        camera: That took it.
        target: In the same place, looking the same way.
    """
    old, new = (each.intrinsics[0].double().numpy() for each in (camera, target))
    ratio = old[[0, 1], [0, 1]] / new[[0, 1], [0, 1]]
    row, column = (
        ratio[k] * (np.arange(count) + 0.5 - new[k, 2]) + old[k, 2] - 0.5
        for k, count in ((1, target.height), (0, target.width))
    )
    if ratio.max() > 1.0:
        source = ndimage.gaussian_filter(source, (*(0.5 * np.sqrt(np.maximum(ratio[::-1] ** 2 - 1.0, 0.0))), 0.0))
    grid = np.meshgrid(row, column, indexing="ij")
    return np.stack(
        [ndimage.map_coordinates(source[..., k], grid, order=1, mode="constant") for k in range(source.shape[-1])], -1
    )


def weigh(carried: Sequence[Carried], weighing: Weighing = Weighing()) -> Float32[ndarray, "v h w"]:
    """w_v: they sum to one where anything is known, and are zero elsewhere.

    Source: AlBahar et al. 2023, section 3.3.
    """
    visible = np.stack([each.visible for each in carried])
    distance = np.stack([each.distance for each in carried]).astype(np.float64)
    angle = np.stack([each.angle for each in carried]).astype(np.float64)
    alone = visible.sum(0) == 1
    kept = visible & ~(alone & (distance < weighing.border))  # M_v B_v
    weights = np.where(kept, np.exp(-weighing.alpha * angle) * distance**weighing.beta, 0.0)
    return (weights / (weights.sum(0) + EPS)).astype(np.float32)


def aggregate(carried: Sequence[Carried], weighing: Weighing = Weighing()) -> Aggregate:
    """I_c and M_c, the blend of all support views in the target."""
    weights = weigh(carried, weighing)
    picture = np.einsum("vhw,vhwc->hwc", weights, np.stack([each.colour for each in carried]))
    return Aggregate(picture.astype(np.float32), weights.sum(0) > 0.5, weights)


def around(camera: Cameras, degrees: float, about: Float[ndarray, "3"]) -> Cameras:
    """The camera carried around the vertical through a place; 90 degrees takes it from the front to a left hand."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back = np.eye(4)
    back[:3, :3] = [[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]
    back[:3, 3] = about - back[:3, :3] @ about
    turned = camera.world_to_camera.double().numpy() @ back
    return Cameras(torch.from_numpy(turned).float(), camera.intrinsics, camera.height, camera.width)


def framed(
    camera: Cameras, vertices: Float[ndarray, "v 3"], size: int, margin: float = 0.05, turns: Sequence[float] = (0.0,)
) -> Cameras:
    """The camera, standing where it stands, with a square picture that holds the surface from every turn.

    Args:
        camera: One.
        vertices: Metres.
        size: Pixels of a side.
        margin: Empty border on each side, as a fraction of the picture.
        turns: Degrees of ``around``, about the middle of the vertices' box.

    Raises:
        ValueError: The camera stands among the vertices.
    """
    middle = (vertices.min(0) + vertices.max(0)) / 2
    lens = camera_matrices(camera, 0)[1]
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for turn in turns:
        turned = camera_matrices(around(camera, turn, middle), 0)[0]
        p = vertices @ turned[:, :3].T + turned[:, 3]
        if lens[2, 2] != 0 and p[:, 2].min() <= 0.01:
            raise ValueError("The camera stands too near: from some side the surface would be behind it.")
        flat = p[:, :2] / (p[:, 2:] if lens[2, 2] != 0 else 1.0)
        low, high = np.minimum(low, flat.min(0)), np.maximum(high, flat.max(0))
    focal = size * (1 - 2 * margin) / max((high - low).max(), 1e-9)
    shift = size / 2 - focal * (low + high) / 2
    new = np.array([[focal, 0, shift[0]], [0, focal, shift[1]], [0, 0, lens[2, 2]]])
    return Cameras(camera.world_to_camera, torch.from_numpy(new[None]).float(), size, size)
