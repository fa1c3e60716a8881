"""What the network of surfaces (``prior.shape``) makes of a photo and the body below it."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from scipy import sparse
from scipy.ndimage import binary_erosion
from scipy.sparse.linalg import spsolve

from bozzetto.body.model import load_body
from bozzetto.prior.shape import ShapeNetwork, Shown, Sides, hips_depth
from bozzetto.render.raster import camera_matrices
from bozzetto.render.sides import sides
from bozzetto.texture.views import project, recut
from bozzetto.types import Cameras

SLACK = 0.02
"""Metres by which what a ray meets first may lie before a vertex that still counts as seen."""
THIN = 0.005
"""Metres that a person is thick, at least."""
MARGIN = 1.1
"""Of the network's square over the person's longer side."""


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
    return Answer(seen, square, inside, apart(np.stack(following, -1), inside))


def apart(depths: Float[ndarray, "h w 2"], inside: Bool[ndarray, "h w"]) -> Float32[ndarray, "h w 2"]:
    """Near and far depths with at least ``THIN`` between them, around their own middle: each follows its own normals,
    and where a person is thin they may cross."""
    middle = depths.mean(-1, keepdims=True)
    half = np.maximum(np.diff(depths, axis=-1) / 2, THIN / 2)
    return np.where(inside[..., None], middle + half * [-1, 1], 0).astype(np.float32)


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


def along_rays(
    answer: Answer, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]
) -> tuple[Float[ndarray, "v 3"], Float[ndarray, "v"], Int[ndarray, "v"]]:
    """For each vertex its ray, how far it should move along it, and whether it is on the near (-1) or the far side (1)
    or, zero, hidden or at the outline."""
    matrix, _ = camera_matrices(answer.camera, 0)
    eye = -matrix[:, :3].T @ matrix[:, 3]
    pixel, depth = project(vertices, answer.camera)
    direction = (vertices - eye) / np.maximum(depth, 1e-6)[:, None]  # one metre of depth
    size = answer.inside.shape
    column, row = np.floor(pixel).astype(int).T
    within = (column >= 0) & (row >= 0) & (column < size[1]) & (row < size[0])
    column, row = np.clip(column, 0, size[1] - 1), np.clip(row, 0, size[0] - 1)
    solid = binary_erosion(answer.inside)
    amount, found = np.zeros(len(vertices)), np.zeros(len(vertices), int)
    for k, side in enumerate(sides(vertices, faces, answer.camera)):
        here = side.depth[row, column]
        own = within & solid[row, column] & (here > 0) & (np.abs(here - depth) < SLACK) & (found == 0)
        amount[own] = answer.depths[row, column, k][own] - here[own]
        found[own] = 2 * k - 1
    return direction, amount, found
