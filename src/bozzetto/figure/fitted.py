"""Things modelled once around the mean adult and carried to anybody: sheets, tubes, the linear map that fits them."""

from dataclasses import dataclass
from functools import cache

import igl
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.body.model import Body, ShapedBody, load_body
from bozzetto.figure.piece import Person, top_four
from bozzetto.figure.spec import FigureSpec
from bozzetto.geometry import vertex_normals

Box = tuple[float, float, float, float]
"""A rectangle of a texture: left, top, right, bottom."""


@cache
def mean_person() -> Person:
    """The average androgynous adult without a face of their own, soles on zero: where everything is modelled."""
    body = load_body()
    vertices, joints = body.shape(torch.tensor([0.5, 2 / 3, 0.5, 0.5, 0.5, 0.5]))
    points, centres = vertices.numpy(), joints.numpy()
    floor = np.array([0.0, points[: body.parts["body"].stop, 1].min(), 0.0], np.float32)
    return Person(FigureSpec(), body, ShapedBody(points - floor, centres - floor))


# ------------------------------------------------------------------------------------------------- building blocks


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh with texture coordinates per corner."""

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"]


def join(*shapes: Shape) -> Shape:
    """All of them as one mesh."""
    starts = np.cumsum([0] + [len(shape.vertices) for shape in shapes[:-1]])
    return Shape(
        np.concatenate([shape.vertices for shape in shapes]),
        np.concatenate([shape.faces + start for shape, start in zip(shapes, starts, strict=True)]),
        np.concatenate([shape.uvs for shape in shapes]),
    )


def sheet(points: Float[ndarray, "r c 3"], box: Box, closed: bool = False, flip: bool = False) -> Shape:
    """A grid of points as a surface, whose front faces row direction x column direction.

    Args:
        points: Rows run down the texture, columns across.
        box: Where on the texture.
        closed: The last column joins the first.
        flip: Face the other way.
    """
    rows, columns = points.shape[:2]
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    i, j = i.ravel(), j.ravel()
    corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
    span = columns if closed else columns - 1
    index = [a * columns + b % columns for a, b in corners]
    left, top, right, bottom = box
    uv = [
        np.stack([left + (right - left) * b / span, top + (bottom - top) * a / max(rows - 1, 1)], 1) for a, b in corners
    ]
    faces = np.concatenate([np.stack([index[k] for k in t], 1) for t in ((0, 1, 2), (0, 2, 3))])
    uvs = np.concatenate([np.stack([uv[k] for k in t], 1) for t in ((0, 1, 2), (0, 2, 3))])
    vertices = points.reshape(-1, 3)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    real = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-12  # poles
    faces, uvs = faces[real], uvs[real]
    if flip:
        faces, uvs = faces[:, ::-1], uvs[:, ::-1]
    return Shape(vertices.copy(), faces, uvs)


def slab(
    outer: Float[ndarray, "r c 3"], inner: Float[ndarray, "r c 3"], box: Box, edge: Box, closed: bool = False
) -> Shape:
    """A sheet with thickness: both sides and the rims between them, all facing out.

    Args:
        outer: Faces row direction x column direction.
        edge: Where on the texture the rims and the inner side lie.
    """

    def rim(a: ndarray, b: ndarray, ring: bool) -> Shape:
        return sheet(np.stack([a, a + (b - a) * 0.5, b]), edge, ring)

    shapes = [sheet(outer, box, closed), sheet(inner, edge, closed, flip=True)]
    shapes += [rim(inner[0], outer[0], closed), rim(outer[-1], inner[-1], closed)]
    if not closed:
        shapes += [rim(outer[:, 0], inner[:, 0], False), rim(inner[:, -1], outer[:, -1], False)]
    return join(*shapes)


def tube(
    path: Float[ndarray, "n 3"],
    radius: float | Float[ndarray, "n"],
    box: Box,
    sides: int = 8,
    closed: bool = False,
    flat: float = 1.0,
    up: Float[ndarray, "n 3"] | None = None,
) -> Shape:
    """A round or flattened tube along a path, with closed ends.

    Args:
        flat: The radius along ``up`` as a share of the radius across.
        up: The direction of the flattening, a row per point; where absent, the axis that the path keeps farthest from.
    """
    count = len(path)
    if closed:
        tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    else:
        tangent = np.gradient(path, axis=0)
    tangent = unit(tangent)
    reference = np.tile(np.eye(3)[[1, 2, 0]][np.abs(tangent[:, [1, 2, 0]]).max(0).round(1).argmin()], (count, 1))
    reference = reference if up is None else up
    across = np.cross(tangent, reference)
    weak = np.linalg.norm(across, axis=1) < 0.1
    across[weak] = np.cross(tangent[weak], np.tile([0.0, 0.0, 1.0], (int(weak.sum()), 1)))
    across = unit(across)
    normal = np.cross(across, tangent)
    turn = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    radii = np.broadcast_to(np.asarray(radius, float), count)[:, None, None]
    ring = across[:, None] * np.cos(turn)[None, :, None] + normal[:, None] * (np.sin(turn) * flat)[None, :, None]
    points = path[:, None] + ring * radii
    if closed:
        points = np.concatenate([points, points[:1]])
    else:
        ends = [np.repeat(path[k][None, None], sides, 1) for k in (0, -1)]
        points = np.concatenate([ends[0], points, ends[1]])
    return sheet(points, box, closed=True)


def outside(shape: Shape) -> Shape:
    """A closed shape with its faces looking out."""
    a, b, c = (shape.vertices[shape.faces[:, k]] - shape.vertices.mean(0) for k in range(3))
    if np.einsum("nd,nd->", np.cross(a, b), c) < 0:
        return Shape(shape.vertices, shape.faces[:, ::-1], shape.uvs[:, ::-1])
    return shape


def unit(vectors: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """The same directions with length one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def step(low: float, high: float, x: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Smooth from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True, eq=False)
class Surface:
    """A smooth closed or open surface that things are laid on."""

    vertices: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    normals: Float[ndarray, "v 3"]

    def nearest(self, points: Float[ndarray, "n 3"]) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 3"]]:
        """The closest point of the surface to each, and its smooth normal."""
        _, face, close = igl.point_mesh_squared_distance(
            np.ascontiguousarray(points, np.float64), self.vertices, self.faces
        )
        corners = self.faces[face]
        share = igl.barycentric_coordinates(
            close, *(np.ascontiguousarray(self.vertices[corners[:, k]]) for k in range(3))
        )
        return close, unit(np.einsum("nk,nkd->nd", share, self.normals[corners]))


def surface(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], rounds: int = 1) -> Surface:
    """Loop-subdivided faces of a part as a surface to lay things on."""
    used, inverse = np.unique(faces, return_inverse=True)
    points, triangles = vertices[used].astype(np.float64), inverse.reshape(-1, 3).astype(np.int64)
    if rounds:
        points, triangles = igl.loop(points, triangles, rounds)
    triangles = np.ascontiguousarray(triangles, np.int64)
    return Surface(points, triangles, vertex_normals(points, triangles))


# ------------------------------------------------------------------------------------------------- carrying


@dataclass(frozen=True, eq=False)
class Fitted:
    """A shape around the mean adult with everything that carries it to another."""

    shape: Shape
    anchors: Int[ndarray, "a"]
    """Body or helper vertices that it follows."""
    carry: Float[ndarray, "v a"]
    """The shape's vertices as a linear map of the anchors' positions."""
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    hides: Bool[ndarray, "b"] | None = None

    def on(self, person: Person) -> Float[ndarray, "v 3"]:
        """The shape's vertices on a person."""
        return (self.carry @ person.vertices[self.anchors].astype(np.float32)).astype(np.float32)


def carrier(
    points: Float[ndarray, "v 3"],
    anchors: Float[ndarray, "a 3"],
    reach: float,
    local: float | Float[ndarray, "v"] = 1.0,
) -> Float[ndarray, "v a"]:
    """The linear map from anchors to points: their affine fit, plus nearby anchors' departures from that fit.

    At the anchors' own rest positions it returns ``points`` exactly, and it commutes with every affine map.

    Args:
        points: What is carried, at rest.
        anchors: At rest.
        reach: Metres over which departures are blended.
        local: Share of the departures that is followed, for all or for each point; 0 is the affine fit alone.
    """
    centre = anchors.mean(0)
    ones = np.ones((len(anchors), 1))
    basis = np.concatenate([anchors - centre, ones], 1)
    fit = np.linalg.pinv(basis)
    affine = np.concatenate([points - centre, np.ones((len(points), 1))], 1) @ fit
    if np.any(local):
        tree = cKDTree(anchors)
        distance, near = tree.query(points, k=min(24, len(anchors)))
        share = np.exp(-0.5 * ((distance - distance[:, :1]) / reach) ** 2)
        share /= share.sum(1, keepdims=True)
        weights = np.zeros_like(affine)
        np.put_along_axis(weights, near, share, 1)
        affine = affine + np.broadcast_to(local, len(points))[:, None] * (weights - (weights @ basis) @ fit)
    return affine.astype(np.float32)


def dense_weights(
    body: Body, points: Float[ndarray, "v 3"], among: Int[ndarray, "n"], positions: Float[ndarray, "w 3"]
) -> Float[ndarray, "v j"]:
    """Skin weights of points, a column a joint: the inverse-distance mean of the nearest allowed vertices'."""
    distance, found = cKDTree(positions[among]).query(points, k=5)
    vertices = among[found]
    share = 1 / (distance + 1e-3) ** 2
    share /= share.sum(1, keepdims=True)
    out = np.zeros((len(points), len(body.joint_names)), np.float32)
    rows = np.repeat(np.arange(len(points)), vertices.shape[1] * 4)
    np.add.at(
        out, (rows, body.skin_joints[vertices].ravel()), (body.skin_weights[vertices] * share[:, :, None]).ravel()
    )
    return out


def rigid_weights(body: Body, joint: str, count: int) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """Weights of points that follow one joint alone."""
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = 1
    joints = np.zeros((count, 4), np.int64)
    joints[:, 0] = body.joint_names.index(joint)
    return weights, joints


def four(dense: Float[ndarray, "v j"]) -> tuple[Float[ndarray, "v 4"], Int[ndarray, "v 4"]]:
    """The four largest weights of each row and their joints."""
    return top_four(dense)


# ------------------------------------------------------------------------------------------------- textures


@cache
def noise(size: int, grain: float, seed: int = 0) -> Float[ndarray, "s s"]:
    """Tileable Gaussian noise with standard deviation one.

    Args:
        grain: Pixels over which it is smooth.
    """
    rng = np.random.default_rng(seed)
    frequency = np.fft.fftfreq(size)
    smooth = np.exp(-2 * (np.pi * grain) ** 2 * (frequency[:, None] ** 2 + frequency[None] ** 2))
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * smooth).real
    return ((field - field.mean()) / field.std()).astype(np.float32)


def normal_map(height: Float[ndarray, "h w"], strength: float) -> UInt8[ndarray, "h w 3"]:
    """A tangent-space normal map (+y up) of a height field.

    Args:
        strength: Slope of one unit of height a pixel.
    """
    up, right = np.gradient(height.astype(np.float32))
    normal = np.stack([-right * strength, up * strength, np.ones_like(height, np.float32)], 2)
    normal /= np.sqrt((normal**2).sum(2, keepdims=True))
    return (normal * 127.5 + 128).clip(0, 255).astype(np.uint8)
