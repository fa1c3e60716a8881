"""The surface behind a photo, as the network of ``prior.shape`` sees it, laid on the intake's figure.

Human-SGD (AlBahar et al. 2023, arXiv:2311.09221, section 3.1) takes PIFuHD's mesh. Ours begins with a closed surface
around the figure that was fitted to the photo, which has the sides that no photo shows, and moves it: along each ray to
the two depths that the network answers, then, as non-rigid registration does (Amberg et al. 2007), towards the nearest
place of both sides that looks the same way, so that outlines agree. Depths are first made to follow the normals.
"""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from scipy import sparse
from scipy.ndimage import binary_erosion, distance_transform_edt
from scipy.sparse.linalg import cg
from scipy.spatial import cKDTree

from bozzetto.body.landmarks import regions
from bozzetto.body.model import load_body
from bozzetto.geometry import vertex_normals
from bozzetto.recipes.walk import Reposer
from bozzetto.render.raster import camera_matrices, rasterize
from bozzetto.render.scene import Scene
from bozzetto.scene.scan import Outline, scan
from bozzetto.subject.surface import Answer, along_rays
from bozzetto.texture.views import Picture, Seen, View, project, recut, sampled
from bozzetto.types import Cameras

CELL, FINE = 0.012, 0.008
"""Metres between samples of the closed surface, before and after."""
LOWEST = -15.0
"""Degrees of elevation from below which the closed surface is not looked at: skirts are full."""
FIRM = 30.0
"""How much more than the rest head, hands and feet resist bending: the network sees them in a few pixels."""
STIFFNESS = (30.0, 10.0, 10.0, 3.0, 3.0)
"""Of the surface against bending, step by step; the first two go along the rays."""
REACH = 0.08
"""Metres within which the nearest place pulls."""


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


def reposer(answer: Answer, front_only: Bool[ndarray, "h w"] | None, camera: Cameras) -> Reposer:
    """The network's colours of the far side as Human-SGD's first thought of the back.

    Args:
        answer: The network's.
        front_only: Pixels of the photo that no back has, the face: there it has the colours above them, hair.
        camera: Of the photo.
    """
    inner = binary_erosion(answer.inside)  # the rim has colours of what is behind the person
    inner = inner if inner.any() else answer.inside
    row, column = distance_transform_edt(~inner, return_distances=False, return_indices=True)
    back = answer.sides.back[0].numpy()[row, column]
    if front_only is not None:
        face = recut(front_only[..., None].astype(np.float32), camera, answer.camera)[..., 0] > 0.1
        for index in 1 + np.flatnonzero(face[1:].any(1)):
            back[index] = np.where(face[index, :, None], back[index - 1], back[index])

    def picture(photo: View, behind: Seen) -> Picture:
        out = np.zeros_like(behind.place)
        at, _ = project(behind.place[behind.hit], answer.camera)
        out[behind.hit] = sampled(back, at, np.ones(back.shape[:2], bool))
        return out

    return picture


def reconstruct(answer: Answer, scene: Scene, body: Float[ndarray, "v 3"], outline: Outline) -> Reconstructed:
    """The surface around a figure, moved to where the network saw the person, and cut to their outline.

    Args:
        answer: From ``asked``.
        scene: The figure's layers as they stand in the photo.
        body: Posed vertices of the body model.
        outline: Of the person in the photo.
    """
    start = around(scene, body)
    moved = registered(answer, start.vertices, start.faces, start.firm)
    vertices, whole = scan(moved, start.faces, None, FINE, outline, LOWEST)
    return Reconstructed((start.vertices, start.faces), vertices, whole, answer)


@dataclass(frozen=True, eq=False)
class Around:
    """A closed surface around a figure."""

    vertices: Float32[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    nearest: Int[ndarray, "v"]
    """The body's nearest vertex."""
    firm: Float[ndarray, "v"]
    """How much more than the rest each vertex resists bending."""


def around(scene: Scene, body: Float[ndarray, "v 3"]) -> Around:
    """The surface that ``registered`` moves.

    Args:
        scene: The figure's layers as they stand in the photo.
        body: Posed vertices of the body model.
    """
    vertices, faces = scan(scene.vertices, scene.faces, scene.coverage, CELL, lowest=LOWEST)
    nearest = cKDTree(body[: load_body().parts["body"].stop]).query(vertices)[1]
    known = regions(load_body())
    return Around(vertices, faces, nearest, 1 + (FIRM - 1) * (known["head"] | known["hands"] | known["feet"])[nearest])


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
            direction, amount, side = along_rays(answer, vertices, faces)
            trusted = side != 0
        else:
            direction = vertex_normals(vertices, faces).astype(np.float64)
            away, index = near.query(np.concatenate([vertices, 0.1 * direction], 1), distance_upper_bound=REACH)
            trusted = np.isfinite(away)
            amount = ((cloud[np.where(trusted, index, 0)] - vertices) * direction).sum(1)
        vertices += movement(vertices - start, direction, amount, trusted, bending, stiffness)
    return vertices.astype(np.float32)


def places_of(answer: Answer) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n 3"]]:
    """Both sides' points and normals in the world."""
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


def stiffness_of(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> sparse.csr_matrix:
    """Each vertex's movement less the mean of its neighbours'."""
    beside = igl.adjacency_matrix(faces.astype(np.int64)).astype(np.float64).tocsr()
    degree = np.maximum(np.asarray(beside.sum(1)).ravel(), 1)
    return (sparse.identity(len(vertices)) - sparse.diags(1 / degree) @ beside).tocsr()


def movement(
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
