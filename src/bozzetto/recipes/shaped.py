"""A surface of the user's own below a photo: what a reconstruction network made of it takes the figure's place.

Such networks (PIFuHD and those after it) write the person as the photo shows them, in units and axes of their own. The
surface is stood upright, and the photo's camera is placed before it so that both outlines agree. Where the person has
both arms held away from the sides, the painted surface also gets a rig, as ``bozzetto rig`` gives one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from numpy import ndarray
from PIL import Image
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from bozzetto.adopt.mesh import ForeignMesh
from bozzetto.adopt.rigged import Adopted, adopt, dress
from bozzetto.prior.denoiser import Prior
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.person import Sitter, parted, plain_colours
from bozzetto.recipes.walk import Guide, Moment, Reposer, Shot
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject.photos import Photo
from bozzetto.texture.canvas import canvas_of_mesh, codes, standing_still
from bozzetto.texture.views import Picture, Seen, Surface, look
from bozzetto.types import Avatar, Cameras, UserError

LEAST_OVERLAP = 0.6
"""Of the surface's outline with the person's, over both: below it the surface is not of this photo."""
_FAR = 8.0
"""Distance of the camera, in heights of the person: such networks see without perspective."""
_SMALL = 256
"""Pixels of the longer side at which outlines are compared."""
_LOOKS = 0.1
"""Metres that a place which looks the other way counts as farther, half of it."""
_FRONT = 0.03
"""By how much more another side's outline must agree before the file's front is not believed."""


@dataclass(frozen=True, eq=False)
class Placed:
    """The surface where the photo saw the person."""

    vertices: Float32[ndarray, "v 3"]
    """Metres; upright, facing +z."""
    faces: Int[ndarray, "f 3"]
    camera: Cameras
    """Of the photo's size."""
    overlap: float
    """Of both outlines, over both."""


def place(mesh: ForeignMesh, mask: Float[ndarray, "h w"], height: float) -> Placed:
    """The surface upright, and the camera that saw it.

    Args:
        mesh: In the photo's pose; y or z upward, any side to the front.
        mask: Coverage of the person in the photo.
        height: Of the person as they stand there, metres.

    Raises:
        UserError: However it is turned, its outline is not the person's.
    """
    best: tuple[float, Placed] | None = None
    for index, turn in enumerate(_turns()):
        points = mesh.vertices @ turn.T
        low, high = points.min(0), points.max(0)
        scale = height / max(float(high[1] - low[1]), 1e-12)
        middle = (low + high) / 2
        placed = ((points - [middle[0], low[1], middle[2]]) * scale).astype(np.float32)
        surface = Surface(placed, np.asarray(mesh.faces, np.int32))
        camera = _boxed(surface, mask, height)
        overlap = _overlap(surface, camera, mask)
        if best is None or overlap - (_FRONT if index else 0.0) > best[0]:
            best = overlap, Placed(placed, mesh.faces, camera, overlap)
    assert best is not None
    found = _refined(best[1], mask)
    if found.overlap < LEAST_OVERLAP:
        raise UserError(
            f"The shape's outline agrees with the person's by {100 * found.overlap:.0f} % only, however it is turned. "
            "Give a mesh made from this very photo: the same pose, seen from the front, whole, and nothing besides."
        )
    return found


def body_of(placed: Placed) -> Adopted:
    """The body in the surface.

    Raises:
        UserError: It stands in no A- or T-pose.
    """
    grey = np.full((len(placed.vertices), 3), 0.5)
    mesh = ForeignMesh(placed.vertices.astype(np.float64), placed.faces, None, None, grey)
    return adopt(mesh, float(np.ptp(placed.vertices[:, 1])))


def paint(
    placed: Placed,
    body: Adopted | None,
    photo: Photo,
    caption: str,
    front_only: Bool[ndarray, "h w"] | None,
    guide: Guide | None,
    walk: HumanSGD,
    prior: Prior | None,
    back: Reposer | None = None,
) -> Iterator[tuple[Moment, Callable[[], Avatar] | None]]:
    """The walk around the surface, and at its end the character.

    Args:
        placed: Where the photo saw it.
        body: In it; without one the character is the mesh as it stands.
        photo: The photo.
        caption: What it shows.
        front_only: Its pixels that a back cannot have.
        guide: A first thought of all sides; without one the back is the front mirrored.
        walk: Around the person.
        prior: Who paints what the photo does not show; without one its colours go on.
        back: From the photo to the back.
    """
    canvas = canvas_of_mesh(placed.vertices, placed.faces)
    shot = Shot(photo.picture, photo.mask, placed.camera, canvas, caption, front_only, guide)
    for moment in walk.fit(shot, prior, back):
        made = None
        if moment.fused is not None:
            texture = moment.fused.texture
            if body is None:
                made = partial(standing_still, canvas.mesh, texture)
            else:
                own = replace(body.mesh, uvs=canvas.mesh.uvs.numpy(), albedo=codes(texture), colours=None)
                made = partial(_rigged, replace(body, mesh=own))
        yield moment, made


def guide_of(placed: Placed, who: Sitter) -> Guide:
    """The figure's colours, tuned to the photo's, on the surface: each place takes that of the nearest one of the
    figure that looks the same way.

    Args:
        placed: Where the photo saw the surface.
        who: The intake's figure as it stands in the photo.
    """
    coloured = scene_from_layers(who.layers, parted(who.scene, who.layers))
    figure = Surface(who.scene.vertices, who.scene.faces, who.scene.coverage)
    keys, colours = [], []
    for turn in range(0, 360, 45):
        camera = frame(who.scene.vertices, [float(turn)], 0.0, 20.0, 320)
        seen = look(figure, camera)
        keys.append(np.concatenate([seen.place[seen.hit], _LOOKS * seen.normal[seen.hit]], 1))
        colours.append(plain_colours(coloured, camera)[seen.hit])
    near, colour = cKDTree(np.concatenate(keys)), np.concatenate(colours)
    low, high = who.scene.vertices.min(0), who.scene.vertices.max(0)
    own_low, own_high = placed.vertices.min(0), placed.vertices.max(0)
    scale = (high[1] - low[1]) / (own_high[1] - own_low[1])
    shift = (low + high) / 2 - scale * (own_low + own_high) / 2

    def guide(seen: Seen) -> Picture:
        picture = np.zeros_like(seen.place)
        key = np.concatenate([seen.place[seen.hit] * scale + shift, _LOOKS * seen.normal[seen.hit]], 1)
        picture[seen.hit] = colour[near.query(key)[1]]
        return picture

    return guide


def _rigged(body: Adopted) -> Avatar:
    return dress(body).avatar


def _turns() -> list[Float[ndarray, "3 3"]]:
    """Rotations that put y or z upward and each of four sides to the front, the file's own first."""
    standing = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    quarter = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    return [np.linalg.matrix_power(quarter, k) @ up for up in (np.eye(3), standing) for k in range(4)]


def _boxed(surface: Surface, mask: Float[ndarray, "h w"], height: float) -> Cameras:
    """A far camera in which the surface's outline is as high as the person's and in the same place."""
    inside = mask > 0.5
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    camera = orbit(0.0, 0.0, _FAR * height, (0.0, height / 2, 0.0), 10.0, *mask.shape)
    matrix = camera.world_to_camera[0].double().numpy()
    points = surface.vertices @ matrix[:3, :3].T + matrix[:3, 3]
    flat = points[:, :2] / points[:, 2:]
    (left, top), (right, bottom) = flat.min(0), flat.max(0)
    focal = (rows[-1] + 1 - rows[0]) / max(bottom - top, 1e-9)
    x = (columns[0] + columns[-1] + 1) / 2 - focal * (left + right) / 2
    y = (rows[0] + rows[-1] + 1) / 2 - focal * (top + bottom) / 2
    lens = torch.tensor([[[focal, 0, x], [0, focal, y], [0, 0, 1]]], dtype=torch.float32)
    return replace(camera, intrinsics=lens)


def _overlap(surface: Surface, camera: Cameras, mask: Float[ndarray, "h w"]) -> float:
    """Of both outlines, over both, in few pixels."""
    scale = min(_SMALL / max(mask.shape), 1.0)
    rows, columns = (max(round(side * scale), 1) for side in mask.shape)
    lens = camera.intrinsics.clone()
    lens[0, 0] *= columns / mask.shape[1]
    lens[0, 1] *= rows / mask.shape[0]
    small = Image.fromarray(np.ascontiguousarray(mask, np.float32)).resize((columns, rows), Image.Resampling.BOX)
    person = np.asarray(small) > 0.5
    seen = look(surface, Cameras(camera.world_to_camera, lens, rows, columns)).hit
    return float((seen & person).sum() / max((seen | person).sum(), 1))


def _refined(placed: Placed, mask: Float[ndarray, "h w"]) -> Placed:
    """The same with the lens moved and zoomed a little, where outlines then agree better."""
    surface = Surface(placed.vertices, np.asarray(placed.faces, np.int32))
    rows, columns = (np.flatnonzero((mask > 0.5).any(axis)) for axis in (1, 0))
    middle = torch.tensor([columns.mean(), rows.mean()])

    def camera(by: Float[ndarray, "3"]) -> Cameras:
        lens = placed.camera.intrinsics.clone()
        zoom = 1 + 0.03 * by[0]
        shift = torch.from_numpy(0.02 * len(rows) * by[1:])
        lens[0, :2, 2] = ((lens[0, :2, 2] - middle) * zoom + middle + shift).float()
        lens[0, 0, 0] *= zoom
        lens[0, 1, 1] *= zoom
        return replace(placed.camera, intrinsics=lens)

    start = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    options = {"initial_simplex": start, "maxfev": 40, "xatol": 0.02, "fatol": 1e-3}
    found = minimize(
        lambda by: -_overlap(surface, camera(by), mask), np.zeros(3), method="Nelder-Mead", options=options
    )
    return replace(placed, camera=camera(found.x), overlap=-float(found.fun))
