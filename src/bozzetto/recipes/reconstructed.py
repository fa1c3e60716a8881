"""The surface behind a photo, as the network of ``prior.shape`` sees it, laid on the intake's figure.

Human-SGD (AlBahar et al. 2023, arXiv:2311.09221, section 3.1) takes PIFuHD's mesh. Ours begins with a closed surface
around the figure that was fitted to the photo, which has the sides that no photo shows, and moves it: along each ray to
the two depths that the network answers, then, as non-rigid registration does (Amberg et al. 2007), towards the nearest
place of both sides that looks the same way, so that outlines agree. Depths are first made to follow the normals.
"""

from dataclasses import dataclass

import igl
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from scipy import sparse
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.sparse.linalg import cg, spsolve
from scipy.spatial import cKDTree

from bozzetto.body.landmarks import regions
from bozzetto.body.model import load_body
from bozzetto.geometry import vertex_normals
from bozzetto.prior.shape import ShapeNetwork, Shown, Sides, hips_depth
from bozzetto.recipes.walk import Reposer, recut
from bozzetto.render.raster import camera_matrices, rasterize
from bozzetto.render.scene import Scene
from bozzetto.render.sides import sides
from bozzetto.scene.scan import Outline, scan
from bozzetto.texture.views import Picture, Seen, View, project, sampled
from bozzetto.types import Cameras

CELL, FINE = 0.012, 0.008
"""Metres between samples of the closed surface, before and after."""
FIRM = 30.0
"""How much more than the rest head, hands and feet resist bending: the network sees them in a few pixels."""
MARGIN = 1.1
"""Of the network's square over the person's longer side."""
SLACK = 0.02
"""Metres by which what a ray meets first may lie before a vertex that still counts as seen."""
STIFFNESS = (30.0, 10.0, 10.0, 3.0, 3.0)
"""Of the surface against bending, step by step; the first two go along the rays."""
REACH = 0.08
"""Metres within which the nearest place pulls."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network made of a photo."""

    sides: Sides
    camera: Cameras
    """Of its square."""
    inside: Bool[ndarray, "s s"]
    """The person."""
    depths: Float32[ndarray, "s s 2"]
    """From the camera, following the normals; metres, zero outside."""


@dataclass(frozen=True, eq=False)
class Reconstructed:
    """The closed surface."""

    start: tuple[Float32[ndarray, "v 3"], Int[ndarray, "f 3"]]
    """Around the figure as the intake dressed it."""
    vertices: Float32[ndarray, "p 3"]
    """Where the photo saw them; metres."""
    faces: Int[ndarray, "t 3"]
    answer: Answer

    @property
    def overlap(self) -> float:
        """Of the surface's outline with the person's, over both."""
        seen = rasterize(self.vertices, self.faces, self.answer.camera).face[0] >= 0
        return float((seen & self.answer.inside).sum() / (seen | self.answer.inside).sum())


def asked(
    network: ShapeNetwork,
    picture: Float[ndarray, "h w 3"],
    mask: Float[ndarray, "h w"],
    body: Float[ndarray, "v 3"],
    camera: Cameras,
) -> Answer:
    """The network's answer.

    Args:
        network: From the package.
        picture: The photo, sRGB.
        mask: Coverage of the person.
        body: Posed vertices of the body model, fitted.
        camera: Of the photo, that sees ``body`` over the person.
    """
    square = square_around(mask, camera, network.size)
    source = np.concatenate([picture, mask[..., None]], -1).astype(np.float32)
    cut = np.clip(recut(source, camera, square), 0, 1)
    middle = hips_depth(load_body(), body, camera)
    guides = sides(body, load_body().parts["body"].faces, square)

    def tensor(array: ndarray) -> torch.Tensor:
        return torch.from_numpy(array[None].astype(np.float32))

    depths = [np.where(side.depth > 0, side.depth - middle, np.nan) for side in guides]
    shown = Shown(
        tensor(cut[..., :3]), tensor(cut[..., 3:]), tensor(np.concatenate([side.normal for side in guides], -1)),
        tensor(np.stack(depths, -1)),
    )  # fmt: skip
    with torch.no_grad():
        seen = network(shown)
    inside = cut[..., 3] > 0.5
    normals, raw = seen.normals[0].numpy(), seen.depths[0].numpy() + middle
    following = [followed(raw[..., k], normals[..., 3 * k : 3 * k + 3], inside, square) for k in (0, 1)]
    return Answer(seen, square, inside, np.stack(following, -1))


def reposer(answer: Answer) -> Reposer:
    """The network's colours of the far side as Human-SGD's first thought of the back."""
    row, column = distance_transform_edt(~answer.inside, return_distances=False, return_indices=True)
    back = answer.sides.back[0].numpy()[row, column]  # around the person, the nearest colour of theirs

    def picture(photo: View, behind: Seen) -> Picture:
        out = np.zeros_like(behind.place)
        at, _ = project(behind.place[behind.hit], answer.camera)
        out[behind.hit] = sampled(back, at, np.ones(back.shape[:2], bool))
        return out

    return picture


def square_around(mask: Float[ndarray, "h w"], camera: Cameras, size: int) -> Cameras:
    """The photo's eye, its picture a square around the person."""
    rows, columns = (np.flatnonzero((mask > 0.5).any(axis)) for axis in (1, 0))
    ratio = size / (MARGIN * max(rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]))
    lens = camera.intrinsics.clone()
    for axis, found in ((0, columns), (1, rows)):
        lens[0, axis, axis] *= ratio
        lens[0, axis, 2] = size / 2 + ratio * (lens[0, axis, 2] - (found[0] + found[-1] + 1) / 2)
    return Cameras(camera.world_to_camera, lens, size, size)


def followed(
    depth: Float[ndarray, "h w"],
    normal: Float[ndarray, "h w 3"],
    inside: Bool[ndarray, "h w"],
    camera: Cameras,
    trust: float = 0.01,
) -> Float32[ndarray, "h w"]:
    """Depths whose slopes are the normals', and which stay near what was given: a sparse least-squares problem.

    Args:
        depth: Metres along the camera's axis.
        normal: Along the camera's axes.
        inside: Where both mean something.
        camera: One.
        trust: Weight of a pixel's own depth against that of a slope; metres cancel.
    """
    lens = camera.intrinsics[0].double().numpy()
    count = int(inside.sum())
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    row, column = np.nonzero(inside)
    ray = np.stack([(column + 0.5 - lens[0, 2]) / lens[0, 0], (row + 0.5 - lens[1, 2]) / lens[1, 1], np.ones(count)], 1)
    n, d = normal[inside].astype(np.float64), depth[inside].astype(np.float64)
    facing = (n * ray).sum(1)
    steep = np.clip(np.abs(facing) / np.linalg.norm(ray, axis=1), 0.15, None)
    safe = np.where(np.abs(facing) < 0.15, np.copysign(0.15, facing), facing)
    equations, wanted = [np.sqrt(trust) * sparse.identity(count, format="csr")], [np.sqrt(trust) * d]
    for axis, (down, right) in enumerate(((0, 1), (1, 0))):
        beside = np.full(inside.shape, -1)
        beside[: inside.shape[0] - down, : inside.shape[1] - right] = number[down:, right:]
        other = beside[inside]
        one = np.flatnonzero(other >= 0)
        two = other[one]
        slope = -d * n[:, axis] / (lens[axis, axis] * safe)
        # Where the given depths break, an arm before a body, normals say nothing of the step.
        whole = np.abs(d[two] - d[one]) < 0.05
        one, two = one[whole], two[whole]
        weight = np.minimum(steep[one], steep[two])
        pairs = np.arange(len(one))
        rows, columns = np.concatenate([pairs, pairs]), np.concatenate([two, one])
        values = np.concatenate([weight, -weight])
        equations.append(sparse.csr_matrix((values, (rows, columns)), (len(one), count)))
        wanted.append(weight * (slope[one] + slope[two]) / 2)
    matrix, right_side = sparse.vstack(equations).tocsc(), np.concatenate(wanted)
    out = np.zeros(inside.shape, np.float32)
    out[inside] = spsolve((matrix.T @ matrix).tocsc(), matrix.T @ right_side)
    return out


def reconstruct(answer: Answer, scene: Scene, body: Float[ndarray, "v 3"], outline: Outline) -> Reconstructed:
    """The surface around a figure, moved to where the network saw the person, and cut to their outline.

    Args:
        answer: From ``asked``.
        scene: The figure's layers as they stand in the photo.
        body: Posed vertices of the body model.
        outline: Of the person in the photo.
    """
    start, faces = scan(scene.vertices, scene.faces, scene.coverage, CELL)
    skin = load_body().parts["body"].stop
    nearest = cKDTree(body[:skin]).query(start)[1]
    known = regions(load_body())
    firm = 1 + (FIRM - 1) * (known["head"] | known["hands"] | known["feet"])[nearest]
    vertices, whole = scan(registered(answer, start, faces, firm), faces, None, FINE, outline)
    return Reconstructed((start, faces), vertices, whole, answer)


def registered(
    answer: Answer,
    start: Float32[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    firm: Float[ndarray, "v"] | float = 1.0,
) -> Float32[ndarray, "v 3"]:
    """A closed surface's vertices, moved to where the network saw the person.

    Args:
        answer: From ``asked``.
        start: World, metres.
        faces: Of the surface.
        firm: How much more than the rest each vertex resists bending.
    """
    vertices = start.astype(np.float64)
    cloud, facing = places_of(answer)
    near = cKDTree(np.concatenate([cloud, 0.1 * facing], 1))
    bending = sparse.diags(np.sqrt(np.broadcast_to(firm, len(start)))) @ stiffness_of(vertices, faces)
    for step, stiffness in enumerate(STIFFNESS):
        if step < 2:
            direction, amount, trusted = along_rays(answer, vertices, faces)
        else:
            direction = vertex_normals(vertices, faces).astype(np.float64)
            away, index = near.query(np.concatenate([vertices, 0.1 * direction], 1), distance_upper_bound=REACH)
            trusted = np.isfinite(away)
            amount = ((cloud[np.where(trusted, index, 0)] - vertices) * direction).sum(1)
        vertices += moved(vertices - start, direction, amount, trusted, bending, stiffness)
    return vertices.astype(np.float32)


def places_of(answer: Answer) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 3"]]:
    """Both sides' points and normals in the world, edges left out: there a pixel holds more than one place."""
    matrix, lens = camera_matrices(answer.camera, 0)
    inner = answer.inside
    points, normals = [], []
    for k in (0, 1):
        depth = answer.depths[..., k]
        row, column = np.nonzero(inner)
        d = depth[inner].astype(np.float64)
        seen = np.stack([(column + 0.5 - lens[0, 2]) / lens[0, 0] * d, (row + 0.5 - lens[1, 2]) / lens[1, 1] * d, d], 1)
        points.append((seen - matrix[:, 3]) @ matrix[:, :3])
        normals.append(answer.sides.normals[0, ..., 3 * k : 3 * k + 3].numpy()[inner] @ matrix[:, :3])
    return np.concatenate(points), np.concatenate(normals)


def along_rays(
    answer: Answer, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> tuple[Float[ndarray, "v 3"], Float[ndarray, "v"], Bool[ndarray, "v"]]:
    """For each vertex its ray, how far it should move along it, and whether it is on one of the two sides."""
    matrix, _ = camera_matrices(answer.camera, 0)
    eye = -matrix[:, :3].T @ matrix[:, 3]
    pixel, depth = project(vertices, answer.camera)
    direction = (vertices - eye) / np.maximum(depth, 1e-6)[:, None]  # one metre of depth
    size = answer.inside.shape
    column, row = np.floor(pixel).astype(int).T
    within = (column >= 0) & (row >= 0) & (column < size[1]) & (row < size[0])
    column, row = np.clip(column, 0, size[1] - 1), np.clip(row, 0, size[0] - 1)
    solid = binary_erosion(answer.inside)
    amount, trusted = np.zeros(len(vertices)), np.zeros(len(vertices), bool)
    for k, side in enumerate(sides(vertices, faces, answer.camera)):
        here = side.depth[row, column]
        own = within & solid[row, column] & (here > 0) & (np.abs(here - depth) < SLACK) & ~trusted
        amount[own] = answer.depths[row, column, k][own] - here[own]
        trusted |= own
    return direction, amount, trusted


def stiffness_of(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> sparse.csr_matrix:
    """Each vertex's movement less the mean of its neighbours'."""
    beside = igl.adjacency_matrix(faces.astype(np.int64)).astype(np.float64).tocsr()
    degree = np.maximum(np.asarray(beside.sum(1)).ravel(), 1)
    return (sparse.identity(len(vertices)) - sparse.diags(1 / degree) @ beside).tocsr()


def moved(
    before: Float[ndarray, "v 3"],
    direction: Float[ndarray, "v 3"],
    amount: Float[ndarray, "v"],
    trusted: Bool[ndarray, "v"],
    bending: sparse.csr_matrix,
    stiffness: float,
) -> Float[ndarray, "v 3"]:
    """The movement that brings what is trusted nearest to where it should be and bends the whole of it least.

    Args:
        before: How far every vertex has moved until now.
        direction: Along which each is drawn.
        amount: How far, in lengths of ``direction``.
        trusted: Which are drawn at all.
        bending: From ``stiffness_of``.
        stiffness: Weight of bending.
    """
    count = len(before)
    length = (direction**2).sum(1)
    unit = direction / np.sqrt(np.maximum(length, 1e-12))[:, None]
    wish = amount * np.sqrt(length)
    which = np.flatnonzero(trusted)
    draw = sparse.csr_matrix(
        (unit[which].ravel(), (np.repeat(np.arange(len(which)), 3), (3 * which[:, None] + np.arange(3)).ravel())),
        (len(which), 3 * count),
    )
    bend = sparse.kron(bending.T @ bending, sparse.identity(3), "csc")
    matrix = draw.T @ draw + stiffness * bend + 1e-3 * sparse.identity(3 * count)
    right_side = draw.T @ wish[which] - stiffness * (bend @ before.ravel())
    ease = sparse.diags(1 / matrix.diagonal())
    return cg(matrix.tocsr(), right_side, rtol=1e-3, maxiter=300, M=ease)[0].reshape(count, 3)
