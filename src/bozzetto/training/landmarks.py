"""Training the ruler of small faces: heads of the judge's people, whose contours are known to a part of a pixel.

Pictures are bent by a few pixels, their contours with them, so that it must find eyes and lips by looking at them
instead of guessing them from the head's outline; and softened or sharpened, brightened and noised, so that it does not
mind how a prior paints.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn import functional as F

from bozzetto.evaluate.landmarks import Landmarks, contour_error
from bozzetto.training.data import CONTOUR_LENGTHS, Shard, smaller
from bozzetto.training.loop import Pace, Start, Training, draws, quick, train
from bozzetto.training.optimizer import Muon

LIPS = sum(CONTOUR_LENGTHS[-2:])
"""How many of the contours' points, the last ones, are the lips'."""


@dataclass(frozen=True)
class Measuring:
    """The recipe of the ruler of faces."""

    size: int = 64
    turned: float = 60.0
    """Degrees to either side up to which heads are shown."""
    batch: int = 64
    moved: float = 3.0
    """Pixels by which whole heads are moved; a standard deviation."""
    bent: float = 2.0
    """The same of the places of a grid of 5 by 5, each for itself."""
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    tire_samples: int = 100_000
    """From here on the learning rate falls with the square root of the pictures seen."""
    seed: int = 2_000


@dataclass(frozen=True, eq=False)
class Heads:
    """Heads whose faces are seen."""

    pictures: UInt8[ndarray, "n s s 3"]
    contours: Float32[ndarray, "n p 2"]
    """In pixels."""


def heads_of(found: Sequence[Shard], recipe: Measuring) -> Heads:
    """Those that are turned away no further than the recipe says."""
    pictures, contours = [], []
    for shard in found:
        points = shard["contours"]
        seen = np.all(np.isfinite(points), axis=(1, 2))
        here = [
            place
            for place, record in enumerate(shard.records)
            if record["crop"] == "head" and seen[place] and abs(record["azimuth"]) <= recipe.turned
        ]
        whole = shard["rgb"]
        pictures.append(smaller(whole[here], recipe.size))
        contours.append(points[here] * (recipe.size / whole.shape[1]))
    return Heads(np.concatenate(pictures), np.concatenate(contours))


def bent(
    pictures: Float[Tensor, "b s s 3"], contours: Float[Tensor, "b p 2"], shifts: Float[Tensor, "b 2 s s"]
) -> tuple[Float[Tensor, "b s s 3"], Float[Tensor, "b p 2"]]:
    """Pictures whose every pixel is fetched from ``shifts`` (x, y) pixels aside, and where their contours are then."""
    size = pictures.shape[1]

    def at(shown: Tensor, points: Tensor) -> Tensor:
        scaled = points / (size / 2) - 1
        return F.grid_sample(shown, scaled, mode="bilinear", padding_mode="border", align_corners=False)

    places = torch.arange(size) + 0.5
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1)
    moved = at(pictures.movedim(-1, 1), grid + shifts.movedim(1, -1)).movedim(1, -1)
    landed = contours
    for _ in range(4):  # the place whose shift leads to the contour
        landed = contours - at(shifts, landed[:, None])[:, :, 0].movedim(1, -1)
    return moved, landed


def random_shifts(count: int, recipe: Measuring, random: torch.Generator) -> Float[Tensor, "b 2 s s"]:
    """Each picture's own: as a whole, and smoothly from place to place."""
    coarse = recipe.bent * torch.randn(count, 2, 5, 5, generator=random)
    whole = recipe.moved * torch.randn(count, 2, 1, 1, generator=random)
    return F.interpolate(coarse, recipe.size, mode="bicubic", align_corners=True) + whole


def dulled(pictures: Float[Tensor, "b s s 3"], random: torch.Generator) -> Float[Tensor, "b s s 3"]:
    """In other contrasts and tints, softer or sharper, and noisy."""
    each = (len(pictures), 1, 1, 1)
    tint = 0.15 * torch.randn(len(pictures), 1, 1, 3, generator=random)
    pictures = pictures * (0.6 + 0.8 * torch.rand(each, generator=random)) + tint
    pictures = pictures + (1.6 * torch.rand(each, generator=random) - 0.6) * (softened(pictures) - pictures)
    noise = torch.randn(pictures.shape, generator=random)
    return (pictures + 0.04 * torch.rand(each, generator=random) * noise).clamp(0, 1)


def softened(pictures: Float[Tensor, "b s s 3"], times: int = 1) -> Float[Tensor, "b s s 3"]:
    """Pictures whose pixels are averages of three by three, so many times over."""
    soft = pictures.movedim(-1, 1)
    for _ in range(times):
        soft = F.avg_pool2d(F.pad(soft, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return soft.movedim(1, -1)


def train_landmarks(
    recipe: Measuring,
    shards: Sequence[Shard],
    held: Sequence[Shard],
    folder: Path,
    pace: Pace,
    start: Start | None = None,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop; measures on people of neither the judge nor any prior."""
    torch.manual_seed(recipe.seed)
    ruler = Landmarks()
    training = Training(folder, {"landmarks": ruler}, Muon([ruler], recipe.learning_rate), decay=0.995)
    training.load(start)
    own, strangers = heads_of(shards, recipe), heads_of(held, recipe)

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        rng = draws(recipe.seed, training.samples)
        chosen = rng.integers(len(own.pictures), size=recipe.batch)
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pictures, contours = shown(own, chosen)
        pictures, contours = bent(pictures, contours, random_shifts(recipe.batch, recipe, random))
        with quick("cpu"):
            found = ruler(dulled(pictures, random))
        loss = (found - contours).norm(dim=-1).mean()
        loss.backward()
        return recipe.batch, {"loss": float(loss.detach()), "rate": rate}

    def look() -> dict[str, float]:
        network = training.averages["landmarks"]
        assert isinstance(network, Landmarks)
        return measured(network, strangers, recipe)

    yield from train(training, one_step, pace, look)
    return training


def shown(found: Heads, places: ndarray) -> tuple[Float[Tensor, "b s s 3"], Float[Tensor, "b p 2"]]:
    """Some of the heads, and their contours."""
    pictures = torch.from_numpy(found.pictures[places]).float() / 255
    return pictures, torch.from_numpy(found.contours[places]).float()


@torch.no_grad()
def measured(ruler: Landmarks, strangers: Heads, recipe: Measuring, count: int = 1024) -> dict[str, float]:
    """Mean errors in per cent of the face's width: of pictures as they are, and bent; and what it sees of a mouth that
    is pushed 3 px down while eyes and brows stay, as a share."""
    pictures, contours = shown(strangers, np.arange(min(count, len(strangers.pictures))))
    random = torch.Generator().manual_seed(recipe.seed)
    aside, landed = bent(pictures, contours, random_shifts(len(pictures), recipe, random))
    plain = read(ruler, pictures)
    pushed, lower = bent(pictures, contours, pushed_mouth(contours, recipe.size))
    moves = (read(ruler, pushed) - plain)[:, -LIPS:, 1].mean(1), (lower - contours)[:, -LIPS:, 1].mean(1)
    return {
        "held_error": float(contour_error(plain, contours).mean()),
        "held_error_bent": float(contour_error(read(ruler, aside), landed).mean()),
        "held_push_seen": float(moves[0].mean() / moves[1].mean()),
    }


def pushed_mouth(contours: Float[Tensor, "b p 2"], size: int, far: float = 3.0) -> Float[Tensor, "b 2 s s"]:
    """Shifts that move the lips ``far`` pixels down, and hardly what is further from them than their width."""
    lips = contours[:, -LIPS:]
    middle, reach = lips.mean(1), 0.75 * (lips[..., 0].amax(1) - lips[..., 0].amin(1)).clamp_min(4.0)
    places = torch.arange(size) + 0.5
    grid = torch.stack(torch.meshgrid(places, places, indexing="xy"))
    away = (grid[None] - middle[:, :, None, None] - torch.tensor([0.0, far])[None, :, None, None]).norm(dim=1)
    down = -far * torch.exp(-((away / reach[:, None, None]) ** 4))
    return torch.stack([torch.zeros_like(down), down], 1)


def read(ruler: Landmarks, pictures: Float[Tensor, "b s s 3"]) -> Float[Tensor, "b p 2"]:
    """Contours of any number of pictures."""
    return torch.cat([ruler(batch) for batch in pictures.split(128)])
