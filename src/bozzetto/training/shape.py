"""Training the network that sees the surface behind a photo: figures with everything known, and bodies below them that
are a little wrong, as fitted ones are."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional as F

from bozzetto.body.model import Body
from bozzetto.figure.build import Figure, build_figure
from bozzetto.figure.ground_truth import Stance, stand
from bozzetto.files import atomic_path
from bozzetto.geometry import vertex_normals
from bozzetto.prior.shape import ShapeNetwork, Shown, Sides, hips_depth
from bozzetto.render.cameras import orbit
from bozzetto.render.light import random_light
from bozzetto.render.mesh import render_mesh, tone_mapped
from bozzetto.render.raster import camera_matrices
from bozzetto.render.sides import inside_out, sides
from bozzetto.training.data import CALM, FIRST_SEED, Split, person_spec
from bozzetto.training.loop import Pace, Start, Training, draws, train
from bozzetto.types import Cameras

PEOPLE, POSES, CAMERAS = 20, 3, 4
"""Of a file: people, poses of each, photos of each pose."""
TURN = 10
"""Every tenth file is held out."""
PHOTOS = "photos"
"""Folder of the files, in that of the other pictures."""


@dataclass(frozen=True)
class Shape:
    """The recipe."""

    size: int = 128
    widths: tuple[int, ...] = (24, 64, 96, 128)
    batch: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    tire_samples: int = 30_000
    """From here on the learning rate falls with the square root of the pictures seen."""
    seed: int = 700


@dataclass(frozen=True)
class Error:
    """How wrong the body below a photo is, as one fitted by key points: right in the picture, unsure of depth."""

    depth: float = 0.14
    """Of a bone's far end, as a share of its length; children inherit it."""
    tilt: float = 0.05
    """Of the whole body, metres of depth a metre of height."""
    across: float = 0.008
    """Of each joint in the picture's plane, metres."""
    girth: float = 0.012
    """Along the normals, metres."""


# ---------------------------------------------------------------------------------------------------- data


def make_photos(folder: Path, photos: int, size: int = 128) -> Iterator[tuple[Path, int]]:
    """Makes what is missing until ``folder`` holds that many; yields each new file and the count so far."""
    folder.mkdir(parents=True, exist_ok=True)
    each = PEOPLE * POSES * CAMERAS
    for index in range(-(-photos // each)):
        split: Split = "held" if index % TURN == TURN - 1 else "train"
        number = index // TURN if split == "held" else index - index // TURN
        path = folder / f"{split}-{number:05d}.safetensors"
        if not path.exists():
            first = FIRST_SEED[split] + number * PEOPLE
            rows = [row for seed in range(first, first + PEOPLE) for row in photographed(seed, size)]
            with atomic_path(path) as partial:
                save_file({name: np.stack([row[name] for row in rows]) for name in rows[0]}, partial)
            yield path, (index + 1) * each


def photographed(seed: int, size: int) -> Iterator[dict[str, ndarray]]:
    """One person's photos, with what is behind every pixel."""
    rng = np.random.default_rng([seed, 11])
    spec = person_spec(seed)
    figure = build_figure(spec, "low")
    base = None
    for pose in (str(rng.choice(CALM)), spec.pose, "standing"):
        stance = stand(figure, pose, base)
        base = stance.scene
        for _ in range(CAMERAS):
            yield photo_of(figure, stance, _camera(stance, size, rng), rng)


def photo_of(figure: Figure, stance: Stance, camera: Cameras, rng: np.random.Generator) -> dict[str, ndarray]:
    """One photo, its two sides, and the sides of a body that is a little wrong."""
    matrix, _ = camera_matrices(camera, 0)
    turn = matrix[:, :3].astype(np.float32)
    light = None if rng.random() < 0.1 else random_light(rng)
    near = render_mesh(stance.scene, camera, light, 2)
    reversed_scene, turned = inside_out(stance.scene, camera)
    far = render_mesh(reversed_scene, camera, None, 2)
    body = figure.person.body
    guess = misfitted(body, figure, stance.body, turn, rng)
    skin = body.parts["body"]
    guides = sides(guess, skin.faces, camera)
    middle = hips_depth(body, guess, camera)
    alpha = near.alpha[0].numpy()

    def plain(rgb: Tensor, of: Tensor, tone: str) -> ndarray:
        return tone_mapped(rgb[0].numpy() / np.maximum(of[0].numpy(), 1e-6), tone)  # type: ignore[arg-type]

    def signed(normal: Float32[ndarray, "h w c"]) -> ndarray:
        return np.round(127 * normal).astype(np.int8)

    def measured(depth: Float32[ndarray, "h w"]) -> ndarray:
        return np.where(depth > 0, depth - middle, np.nan).astype(np.float16)

    return {
        "rgb": plain(near.rgb, near.alpha, "plain" if light is None else "film"),
        "alpha": (255 * alpha[..., 0] + 0.5).astype(np.uint8),
        "back": plain(far.rgb, far.alpha, "plain"),
        "normals": signed(np.concatenate([near.normal[0].numpy() @ turn.T, -far.normal[0].numpy() @ turn.T], -1)),
        "depths": np.stack(
            [measured(near.depth[0, ..., 0].numpy()), measured(turned.depth(far.depth[0, ..., 0].numpy()))], -1
        ),
        "guide_normals": signed(np.concatenate([side.normal for side in guides], -1)),
        "guide_depths": np.stack([measured(side.depth) for side in guides], -1),
    }


def misfitted(
    body: Body,
    figure: Figure,
    posed: Float[ndarray, "v 3"],
    turn: Float[ndarray, "3 3"],
    rng: np.random.Generator,
    error: Error = Error(),
) -> Float32[ndarray, "v 3"]:
    """The posed body as a fit might have placed it.

    Args:
        body: The model.
        figure: Whose body it is.
        posed: Its true vertices.
        turn: World to camera.
        rng: Draws the error.
        error: How large.
    """
    skeleton = figure.avatar.skeleton
    rest, parents = skeleton.positions.double().numpy(), body.joint_parents
    moved = np.zeros((len(parents), 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            length = float(np.linalg.norm(rest[joint] - rest[parent]))
            moved[joint] = moved[parent] + [0, 0, rng.normal(0, error.depth * length)]
    moved[:, :2] += rng.normal(0, error.across, (len(parents), 2))
    thicker = rng.normal(0, error.girth, len(parents))
    weights, joints = body.skin_weights, body.skin_joints
    along = np.einsum("vk,vkd->vd", weights, moved[joints])
    seen = posed @ turn.T
    along[:, 2] += rng.normal(0, error.tilt) * (seen[:, 1] - seen[:, 1].mean())
    swell = np.einsum("vk,vk->v", weights, thicker[joints])[:, None] * vertex_normals(posed, body.parts["body"].faces)
    return (posed + along @ turn + swell).astype(np.float32)


def _camera(stance: Stance, size: int, rng: np.random.Generator) -> Cameras:
    """Before the person, mostly; all of them in the picture, or from the head down to somewhere."""
    low, high = stance.box
    azimuth = rng.uniform(-180, 180) if rng.random() < 0.08 else np.clip(rng.normal(0, 22), -60, 60)
    camera = orbit(
        float(azimuth), float(rng.normal(3, 5)), float(rng.uniform(3.0, 7.0)), (low + high) / 2, 30.0, size, size
    )
    matrix, _ = camera_matrices(camera, 0)
    seen = stance.scene.vertices @ matrix[:, :3].T + matrix[:, 3]
    flat = seen[:, :2] / seen[:, 2:]
    (left, top), (right, bottom) = flat.min(0), flat.max(0)
    if rng.random() < 0.25:
        bottom = top + rng.uniform(0.3, 0.8) * (bottom - top)
    return cropped(camera, (left, top, right, bottom), rng.uniform(1.04, 1.25), size)


def cropped(camera: Cameras, box: tuple[float, float, float, float], margin: float, size: int) -> Cameras:
    """The same lens, its picture a square around a box.

    Args:
        camera: One.
        box: Left, top, right and bottom, where depth is 1.
        margin: Of the square's side over the box's longer one.
        size: Pixels of the side.
    """
    left, top, right, bottom = box
    focal = size / (margin * max(right - left, bottom - top))
    lens = torch.tensor([[
        [focal, 0.0, size / 2 - focal * (left + right) / 2], [0.0, focal, size / 2 - focal * (top + bottom) / 2],
        [0.0, 0.0, 1.0],
    ]])  # fmt: skip
    return Cameras(camera.world_to_camera, lens, size, size)


# ---------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True, eq=False)
class Photos:
    """What lies in the files, read as it is asked for."""

    files: Sequence[Path]

    @cached_property
    def _open(self) -> list[Any]:
        return [safe_open(path, "numpy") for path in self.files]

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """File and row of each photo."""
        return [(f, row) for f, file in enumerate(self._open) for row in range(file.get_slice("alpha").get_shape()[0])]

    def rows(self, chosen: Sequence[int]) -> dict[str, Tensor]:
        """Some photos, by name, one below the other."""
        at = [self.places[index] for index in chosen]
        names = self._open[0].keys()
        return {name: torch.from_numpy(np.stack([self._one(name, *place) for place in at])) for name in names}

    def _one(self, name: str, file: int, row: int) -> ndarray:
        return self._open[file].get_slice(name)[row : row + 1][0]


def shown_of(rows: dict[str, Tensor], rng: np.random.Generator | None = None) -> Shown:
    """What the network is shown of photos.

    Args:
        rows: From ``Photos.rows``.
        rng: Of what a camera and a cut-out do to a picture; without it they do nothing.
    """
    picture, mask = rows["rgb"].float() / 255, (rows["alpha"].float() / 255)[..., None]
    if rng is not None:
        count = len(picture)
        gain = torch.from_numpy(
            np.exp(rng.normal(0, [0.15, 0.05, 0.05], (count, 3)) @ [[1, 1, 1], [1, 0, -1], [0, 1, 0]])
        )
        gamma = torch.from_numpy(np.exp(rng.normal(0, 0.12, (count, 1, 1, 1))))
        noise = torch.from_numpy(rng.normal(0, 1, picture.shape)) * torch.from_numpy(
            rng.uniform(0, 0.03, (count, 1, 1, 1))
        )
        picture = ((picture.clamp_min(1e-4) ** gamma) * gain[:, None, None] + noise).clamp(0, 1).float()
        wider = F.max_pool2d(mask.movedim(-1, 1), 3, 1, 1).movedim(1, -1)
        narrower = 1 - F.max_pool2d(1 - mask.movedim(-1, 1), 3, 1, 1).movedim(1, -1)
        kind = torch.from_numpy(rng.integers(0, 4, (count, 1, 1, 1)))
        mask = torch.where(kind == 0, wider, torch.where(kind == 1, narrower, mask))
    return Shown(picture, mask, rows["guide_normals"].float() / 127, rows["guide_depths"].float())


def losses(seen: Sides, rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """How far an answer is from the truth, over the person: 1 - cosine, metres, colours."""
    inside = rows["alpha"] > 127
    wanted = rows["normals"].float()[inside].reshape(-1, 2, 3)
    found = seen.normals[inside].reshape(-1, 2, 3)
    truth = rows["depths"].float()
    known = inside[..., None] & torch.isfinite(truth)
    off = (seen.depths - torch.nan_to_num(truth)).abs()
    right, below = known[:, :, 1:] & known[:, :, :-1], known[:, 1:] & known[:, :-1]
    slope = [((a[:, :, 1:] - a[:, :, :-1]), (a[:, 1:] - a[:, :-1])) for a in (seen.depths, torch.nan_to_num(truth))]
    steep = (slope[0][0] - slope[1][0]).abs()[right].clamp_max(0.1).mean()
    steep = steep + (slope[0][1] - slope[1][1]).abs()[below].clamp_max(0.1).mean()
    return {
        "normal": (1 - F.cosine_similarity(found, wanted, dim=-1)).mean(),
        "depth": off[known].mean(),
        "slope": steep,
        "back": (seen.back - rows["back"].float() / 255).abs()[inside].mean(),
    }


WEIGHTS = {"normal": 1.0, "depth": 10.0, "slope": 10.0, "back": 1.0}


def train_shape(
    recipe: Shape, own: Photos, held: Photos, folder: Path, pace: Pace, start: Start | None = None
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop."""
    torch.manual_seed(recipe.seed)
    network = ShapeNetwork(recipe.size, recipe.widths)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    training = Training(folder, {"shape": network}, optimizer, decay=0.995)
    training.load(start)

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        rng = draws(recipe.seed, training.samples)
        rows = own.rows(rng.integers(0, len(own.places), recipe.batch).tolist())
        if rng.random() < 0.5:
            rows = mirrored(rows)
        parts = losses(network(shown_of(rows, rng)), rows)
        sum(WEIGHTS[name] * part for name, part in parts.items()).backward()  # type: ignore[union-attr]
        return recipe.batch, {"rate": rate, **{name: float(part.detach()) for name, part in parts.items()}}

    def look() -> dict[str, float]:
        return measure(training.averages["shape"], held)

    yield from train(training, one_step, pace, look)
    return training


def mirrored(rows: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same photos with left and right exchanged."""
    flipped = {name: each.flip(2) for name, each in rows.items()}
    for name in ("normals", "guide_normals"):
        flipped[name][..., [0, 3]] *= -1
    return flipped


@torch.no_grad()
def measure(network: torch.nn.Module, held: Photos, batch: int = 24) -> dict[str, float]:
    """Errors on photos of people who were not learned from, beside those of the body that the network is shown."""
    sums: dict[str, list[float]] = {}
    for first in range(0, len(held.places), batch):
        rows = held.rows(range(first, min(first + batch, len(held.places))))
        seen, inside = network(shown_of(rows)), rows["alpha"] > 127
        guess, truth = torch.nan_to_num(rows["guide_depths"].float()), rows["depths"].float()
        both = inside[..., None] & torch.isfinite(rows["guide_depths"]) & torch.isfinite(truth)
        wanted = rows["normals"].float().unflatten(-1, (2, 3))
        for name, normals, depths in (
            ("held", seen.normals, seen.depths), ("body", rows["guide_normals"].float(), guess)
        ):  # fmt: skip
            angle = torch.rad2deg(
                torch.arccos(F.cosine_similarity(normals.unflatten(-1, (2, 3)), wanted, dim=-1).clamp(-1, 1))
            )
            sums.setdefault(f"{name}_degrees", []).append(float(angle[both].mean()))
            sums.setdefault(f"{name}_mm", []).append(
                1000 * float((depths - torch.nan_to_num(truth)).abs()[both].mean())
            )
        back = (seen.back - rows["back"].float() / 255).abs()[inside].mean()
        sums.setdefault("held_back", []).append(float(back))
    return {name: float(np.mean(each)) for name, each in sums.items()}
