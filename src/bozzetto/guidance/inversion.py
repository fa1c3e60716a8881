"""Noise that belongs to a picture: DDIM, run backwards, finds it (SDI, ISM); run forwards, it cleans (x0 targets)."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.guidance.denoiser import Denoiser, Noisy, Text, predict, shares
from bozzetto.guidance.residuals import guided


def ddim_step(
    denoiser: Denoiser,
    latents: Float[Tensor, "b c y x"],
    noise: Float[Tensor, "b c y x"],
    start: Float[Tensor, "b"],
    end: Float[Tensor, "b"],
) -> Float[Tensor, "b c y x"]:
    """Latents at `end` of those at `start`, whose noise is known: `a' (z - b eps) / a + b' eps`; either way in t.

    Source: DDIM, Song et al. 2020 (2010.02502), eq. 12 without chance, in terms of a and b.
    """
    (a, b), (next_a, next_b) = shares(denoiser, start), shares(denoiser, end)
    return next_a * (latents - b * noise) / a.clamp(min=1e-3) + next_b * noise


@torch.no_grad()
def invert(
    denoiser: Denoiser,
    latents: Float[Tensor, "b c y x"],
    t: Float[Tensor, "b"],
    text: Text,
    scale: float = -7.5,
    stride: float = 0.1,
    chance: float = 0.3,
    generator: torch.Generator | None = None,
    conditions: Any = None,
    inpainting: Any = None,
) -> Noisy:
    """Score distillation via inversion: the noise that leads from t to these very latents, in place of a random one.

    Args:
        denoiser: The model.
        latents: Clean.
        t: How noisy they should become.
        text: The prompt.
        scale: Guidance while inverting; SDI takes minus that of the distillation.
        stride: Largest step in t.
        chance: Share of DDPM's noise that each step adds (eta); zero is plain DDIM.
        generator: Needed where there is chance.
        conditions: Control pictures.
        inpainting: What is known of the picture.

    Source: Lukoianov et al. 2024 (2405.15891). Every item takes equally many steps, of its own length;
    the paper's grid is fixed and its last step overshoots t by chance.
    """
    clean = latents.detach().float()
    moving, steps = clean, max(1, math.ceil(float(t.max()) / stride - 1e-6))
    for index in range(steps):
        start, end = t * (index / steps), t * ((index + 1) / steps)
        found = predict(denoiser, Noisy(moving, moving, start), text, conditions, inpainting)
        moving = ddim_step(denoiser, moving, guided(found, scale), start, end)
        if chance:
            spread = _posterior_spread(denoiser, start, end)
            moving = moving + chance * spread * _normal_like(clean, generator)
    a, b = shares(denoiser, t)
    noise = (moving - a * clean) / b.clamp(min=1e-3)
    return Noisy(a * clean + b * noise, noise, t)


@torch.no_grad()
def invert_interval(
    denoiser: Denoiser,
    latents: Float[Tensor, "b c y x"],
    t: Float[Tensor, "b"],
    text: Text,
    interval: float = 0.08,
    stride: float = 0.2,
    conditions: Any = None,
    inpainting: Any = None,
) -> Noisy:
    """Interval score matching: latents at t, with the unconditional noise of a moment earlier on the same path.

    Args:
        denoiser: The model.
        latents: Clean.
        t: How noisy they should become.
        text: Only its unconditional embedding is read.
        interval: How much earlier: s = t - interval.
        stride: Largest step on the way to s.
        conditions: Control pictures.
        inpainting: What is known of the picture.

    Source: LucidDreamer, Liang et al. 2023 (2311.11284).
    """
    empty = Text(text.unconditional, text.unconditional)

    def unconditional(moving: Tensor, at: Tensor) -> Tensor:
        return predict(denoiser, Noisy(moving, moving, at), empty, conditions, inpainting).unconditional

    moving, s = latents.detach().float(), (t - interval).clamp(min=0)
    steps = math.ceil(float(s.max()) / stride - 1e-6)
    for index in range(steps):
        start, end = s * (index / steps), s * ((index + 1) / steps)
        moving = ddim_step(denoiser, moving, unconditional(moving, start), start, end)
    noise = unconditional(moving, s)
    return Noisy(ddim_step(denoiser, moving, noise, s, t), noise, t)


@torch.no_grad()
def reconstruct(
    denoiser: Denoiser,
    noisy: Noisy,
    text: Text,
    scale: float,
    steps: int = 1,
    conditions: Any = None,
    inpainting: Any = None,
) -> Float[Tensor, "b c y x"]:
    """The clean latents that the denoiser sees in noisy ones: x0 targets, by `steps` DDIM steps of equal length."""
    moving = noisy.latents
    for index in range(steps):
        start, end = noisy.t * (1 - index / steps), noisy.t * (1 - (index + 1) / steps)
        found = predict(denoiser, Noisy(moving, noisy.noise, start), text, conditions, inpainting)
        if index + 1 == steps:
            a, b = shares(denoiser, start)
            return (moving - b * guided(found, scale)) / a.clamp(min=1e-3)
        moving = ddim_step(denoiser, moving, guided(found, scale), start, end)
    raise ValueError(f"reconstruct needs one step at least; got {steps}.")


def _posterior_spread(
    denoiser: Denoiser, earlier: Float[Tensor, "b"], later: Float[Tensor, "b"]
) -> Float[Tensor, "b 1 1 1"]:
    """DDPM's standard deviation between two moments."""
    (a, b), (next_a, next_b) = shares(denoiser, earlier), shares(denoiser, later)
    added = (next_b**2 - (next_a / a.clamp(min=1e-3) * b) ** 2).clamp(min=0).sqrt()
    return b / next_b.clamp(min=1e-3) * added


def _normal_like(latents: Float[Tensor, "b c y x"], generator: torch.Generator | None) -> Float[Tensor, "b c y x"]:
    if generator is None:
        raise ValueError("invert with chance needs a generator, so that a run can be repeated; or chance=0.")
    return torch.randn(latents.shape, generator=generator, device=generator.device).to(latents.device)
