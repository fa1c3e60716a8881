"""Teaching the prior a word for heads from behind, with the product's own textual inversion (HeadSculpt, Sec. 4.1)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from bozzetto.prior.denoiser import Prior
from bozzetto.prior.tune import Examples, TextualInversion, TuneStep, learn_token
from bozzetto.render.cameras import away_from_front
from bozzetto.training.data import Shard, smaller

BEHIND = 130.0
"""Degrees of azimuth from which on a head is seen from behind."""
TOKEN = "<back-view>"
SETTINGS = TextualInversion(TOKEN, like="back view", steps=300, learning_rate=3e-3, batch=8)


def backs_of_heads(shards: Sequence[Shard], size: int, words: str, limit: int) -> Examples:
    """Heads from behind, each with what its caption says and ``words`` for the view."""
    pictures, prompts = [], []
    for shard in shards:
        for place, record in enumerate(shard.records):
            behind = away_from_front(record["azimuth"]) >= BEHIND and record["elevation"] < 45
            if record["crop"] == "head" and behind and len(pictures) < limit:
                pictures.append(shard.one("rgb", place))
                prompts.append(f"{record['captions'][place % len(record['captions'])].rstrip('.')}, {words}")
    images = torch.from_numpy(smaller(np.stack(pictures), size)).float() / 255
    return Examples(images, tuple(prompts))


def learn_back(prior: Prior, shards: Sequence[Shard], folder: Path, limit: int = 400) -> Iterator[TuneStep]:
    """The steps of learning it; afterwards the prior knows the word, and the folder holds it."""
    yield from learn_token(prior, backs_of_heads(shards, prior.native_size, TOKEN, limit), SETTINGS, folder)


@torch.no_grad()
def back_error(prior: Prior, held: Sequence[Shard], words: str, limit: int = 64) -> float:
    """Mean square error of the noise that the prior predicts in heads from behind, when the view is told like this."""
    examples = backs_of_heads(held, prior.native_size, words, limit)
    latents, text = prior.encode(examples.images), prior.embed(list(examples.prompts))
    draw = torch.Generator().manual_seed(0)
    errors = []
    for level in (0.5, 0.7, 0.9):
        noise, t = torch.randn(latents.shape, generator=draw), torch.full((len(latents),), level)
        output = prior.output(prior.base, prior.add_noise(latents, noise, t), t, text)
        errors.append((output - prior.base.schedule.target(latents, noise, t)).square().mean().item())
    return float(np.mean(errors))
