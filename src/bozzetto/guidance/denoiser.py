"""What guidance needs of a text-to-image model, and how it asks for predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.guidance.residuals import Predictions


@runtime_checkable
class Denoiser(Protocol):
    """A diffusion model behind one call. `z_t = a(t) z + b(t) eps`, with t in [0, 1]; `prior.Prior` is one."""

    def signal(self, t: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """a and b."""
        ...

    def predict_noise(
        self,
        noisy: Float[Tensor, "b c y x"],
        t: Float[Tensor, "b"],
        text: Float[Tensor, "b n d"],
        conditions: Any = None,
        inpainting: Any = None,
    ) -> Float[Tensor, "b c y x"]:
        """eps, whatever the network itself predicts. A few condition pictures serve a longer batch again and again."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """What turns words into what a denoiser reads."""

    def embed(self, prompts: Sequence[str]) -> Float[Tensor, "b n d"]: ...


@runtime_checkable
class PicturePrior(Denoiser, Embedder, Protocol):
    """A denoiser with its words and its pictures: all that a distillation loop needs. `prior.Prior` is one."""

    native_size: int
    """Pixels of a side that it was trained on."""

    def encode(
        self, images: Float[Tensor, "b h w 3"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "b c y x"]:
        """Latents; differentiable."""
        ...

    def decode(self, latents: Float[Tensor, "b c y x"]) -> Float[Tensor, "b h w 3"]: ...


@dataclass(frozen=True, eq=False)
class Text:
    """Embedded words, one row a picture, for each prediction that is wanted. `ViewText.at` makes it."""

    conditional: Float[Tensor, "b n d"]
    unconditional: Float[Tensor, "b n d"]
    """The empty prompt, or quality negatives as public code bases use them."""
    negative: Float[Tensor, "b n d"] | None = None
    source: Float[Tensor, "b n d"] | None = None
    edit: Float[Tensor, "b n d"] | None = None
    away: Float[Tensor, "k b n d"] | None = None
    """Other views (Perp-Neg)."""
    away_weights: Float[Tensor, "k b"] | None = None
    """Zero or more; how strongly each is pushed away."""


@dataclass(frozen=True, eq=False)
class Noisy:
    """Latents with noise in them."""

    latents: Float[Tensor, "b c y x"]
    noise: Float[Tensor, "b c y x"]
    t: Float[Tensor, "b"]


def add_noise(
    denoiser: Denoiser, latents: Float[Tensor, "b c y x"], t: Float[Tensor, "b"], noise: Float[Tensor, "b c y x"]
) -> Noisy:
    """`a z + b eps`."""
    a, b = shares(denoiser, t)
    clean = latents.detach().float()
    return Noisy(a * clean + b * noise, noise, t)


def shares(denoiser: Denoiser, t: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b 1 1 1"], Float[Tensor, "b 1 1 1"]]:
    """a and b, ready to multiply latents."""
    a, b = denoiser.signal(t)
    return a.float().view(-1, 1, 1, 1), b.float().view(-1, 1, 1, 1)


@torch.no_grad()  # score distillation leaves the network's Jacobian out
def predict(
    denoiser: Denoiser, noisy: Noisy, text: Text, conditions: Any = None, inpainting: Any = None
) -> Predictions:
    """The noise that the denoiser sees under each text, by one call for all of them.

    Args:
        denoiser: In evaluation mode.
        noisy: What to look at.
        text: The texts to look with.
        conditions: Control pictures, one a latent. Every text gets them, the empty one too, so that guidance
            exaggerates the words and not the controls.
        inpainting: What is known of the picture, where the denoiser paints the rest.
    """
    single = {name: getattr(text, name) for name in ("unconditional", "conditional", "negative", "source", "edit")}
    single = {name: embedding for name, embedding in single.items() if embedding is not None}
    away = () if text.away is None else tuple(text.away)
    passes = len(single) + len(away)
    found = denoiser.predict_noise(
        noisy.latents.repeat(passes, 1, 1, 1),
        noisy.t.repeat(passes),
        torch.cat([*single.values(), *away]),
        conditions,
        inpainting,
    ).float()
    parts = dict(zip(single, found.chunk(passes), strict=False))
    others = found.view(passes, *noisy.latents.shape)[len(single) :] if away else None
    return Predictions(noisy.noise, noisy.t, away=others, away_weights=text.away_weights, **parts)
