"""Training the autoencoder; or, once other networks have learned its latents, of it what makes pictures of them."""

from collections.abc import Generator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from bozzetto.prior.autoencoder import PatchAutoencoder
from bozzetto.training.data import Shard, smaller
from bozzetto.training.loop import Pace, Training, draws, normal_noise, quick, train
from bozzetto.training.optimizer import Muon
from bozzetto.training.sheets import save_sheet


@dataclass(frozen=True)
class Codec:
    """The autoencoder's recipe."""

    latent_channels: int = 12
    width: int = 96
    encoder_depth: int = 1
    decoder_depth: int = 4
    noise: float = 0.05
    size: int = 64
    batch: int = 16
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    seed: int = 0


def train_codec(
    recipe: Codec,
    train_shards: Sequence[Shard],
    held: Sequence[Shard],
    folder: Path,
    pace: Pace,
    device: str = "cpu",
    decoder_of: PatchAutoencoder | None = None,
    seen: int = 0,
    seconds: float = 0.0,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop.

    Args:
        recipe: Sizes and rates.
        train_shards: Pictures to learn from.
        held: Pictures to measure on.
        folder: Of checkpoint, log and sheets of reconstructions.
        pace: When to stop and to write.
        device: Where the network lives.
        decoder_of: A trained autoencoder, of which then only the decoder learns; its latents, and so whatever was
            trained on them, stay as they are.
        seen: Pictures it has seen.
        seconds: What that took.
    """
    pictures = np.concatenate([shard["rgb"] for shard in train_shards])
    small = smaller(pictures, recipe.size)
    some = to_model(small[:: max(1, len(small) // 2000)])
    if decoder_of is None:
        torch.manual_seed(recipe.seed)
        model = PatchAutoencoder(
            recipe.latent_channels, recipe.width, recipe.encoder_depth, recipe.decoder_depth, recipe.noise
        )
        model.start_from_components(some)
    else:
        model = deepcopy(decoder_of).requires_grad_(False)
        for part in (model.synthesis, model.decoder):
            part.requires_grad_(True)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[arg-type]
    optimizer = Muon([model], recipe.learning_rate)
    training = Training(folder, {"vae": model}, optimizer, decay=0.998, samples=seen, seconds=seconds)
    training.load()
    tests = to_model(smaller(np.concatenate([shard["rgb"] for shard in held]), recipe.size)[::4][:192])

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps)
        batch = to_model(_batch(pictures, small, recipe, step)).to(device, memory_format=torch.channels_last)
        with quick(device):
            components = model.components(batch).float()
            noise = normal_noise(tuple(components.shape), recipe.seed, step, 1).to(device) * recipe.noise
            again = model.pictures(components + noise).float()
        loss = reconstruction_loss(again, batch)
        loss.backward()
        return len(batch), {"loss": float(loss.detach()), "psnr": psnr(again.detach(), batch), "rate": rate}

    def look() -> dict[str, float]:
        net: PatchAutoencoder = training.averages["vae"]  # type: ignore[assignment]
        if decoder_of is None:
            net.normalise(some.to(device))
        again = reconstruct(net, tests)
        save_sheet(torch.cat([tests[:24], again[:24]]) / 2 + 0.5, folder / f"held-{training.samples:07d}.png", 24, 3)
        return {"held_psnr": psnr(again, tests)}

    yield from train(training, one_step, pace, look)
    return training


def reconstruction_loss(again: Float[Tensor, "b 3 h w"], wanted: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """Absolute and squared differences, of the pictures and of their gradients."""
    difference = again - wanted
    across, down = difference.diff(dim=3), difference.diff(dim=2)
    return difference.abs().mean() + 10 * difference.square().mean() + 0.5 * (across.abs().mean() + down.abs().mean())


def psnr(again: Float[Tensor, "b 3 h w"], wanted: Float[Tensor, "b 3 h w"]) -> float:
    """Decibels over the whole batch, of images in [-1, 1]."""
    error = (again.clamp(-1, 1) - wanted).square().mean() / 4
    return float(-10 * torch.log10(error.clamp_min(1e-12)))


@torch.no_grad()
def reconstruct(model: PatchAutoencoder, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Through the latents and back, some at a time."""
    device = model.latent_mean.device
    return torch.cat([model(part.to(device)).cpu() for part in images.split(64)])


def to_model(pictures: UInt8[ndarray, "b h w 3"]) -> Float[Tensor, "b 3 h w"]:
    """uint8 channels-last to [-1, 1] channels-first."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).movedim(-1, 1).float() / 127.5 - 1


def _batch(
    pictures: UInt8[ndarray, "n h w 3"], small: UInt8[ndarray, "n s s 3"], recipe: Codec, step: int
) -> UInt8[ndarray, "b s s 3"]:
    """Whole pictures made small, and for a third crops of large ones; half of them mirrored."""
    rng = draws(recipe.seed, step)
    out = np.empty((recipe.batch, recipe.size, recipe.size, 3), np.uint8)
    free = pictures.shape[1] - recipe.size
    for i, index in enumerate(rng.integers(len(pictures), size=recipe.batch)):
        if rng.random() < 0.33 and free:
            y, x = rng.integers(free + 1, size=2)
            out[i] = pictures[index, y : y + recipe.size, x : x + recipe.size]
        else:
            out[i] = small[index]
        if rng.random() < 0.5:
            out[i] = out[i, :, ::-1]
    return out
