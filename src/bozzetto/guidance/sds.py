"""Score distillation: a text-to-image model says how pictures should change. Poole et al. 2022, arXiv:2209.14988.

A step of a recipe:

    images = render(scene, cameras)
    latents = prior.encode(images)                                  # differentiable
    text = views.at(azimuths, elevations)                           # words that know the view
    t = sample_t(schedule(progress), len(images), generator)
    noisy = add_noise(prior, latents, t, noise)
    distillation_loss(prior, latents, noisy, text).backward()       # reaches the scene
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.guidance.denoiser import Denoiser, Noisy, Text, predict, shares
from bozzetto.guidance.residuals import Kind, residual
from bozzetto.guidance.weights import WEIGHTS


@dataclass(frozen=True)
class Objective:
    """Which distillation, and how strongly."""

    kind: Kind = "sds"
    scale: float = 7.5
    """Guidance scale. DreamFusion and HeadSculpt take 100."""
    weight: str = "sds"
    """A name of `WEIGHTS`."""
    negative_weight: float = 0.0
    """CSD's negative prompt."""
    edit_scale: float = 0.6
    """IESD: 0 description, 1 instruction."""
    clip: float | None = None
    """Largest value of the gradient at one latent, before the mean over the batch."""


def distillation_loss(
    denoiser: Denoiser,
    latents: Float[Tensor, "b c y x"],
    noisy: Noisy,
    text: Text,
    objective: Objective = Objective(),
    conditions: Any = None,
    inpainting: Any = None,
    student: Denoiser | None = None,
) -> Float[Tensor, ""]:
    """A scalar whose gradient in `latents` is `w(t) residual / batch`; its value is half that residual's square.

    Args:
        denoiser: The model; no gradient goes through it.
        latents: Of the rendered pictures.
        noisy: The same latents, as `add_noise`, `invert` (SDI) or `invert_interval` (ISM) made them noisy.
        text: The words of each picture.
        objective: Which distillation.
        conditions: Control pictures.
        inpainting: What is known of the picture.
        student: For VSD: the network that learns what the renders look like, by `student_loss`.

    Source: Poole et al. 2022, eq. 3, summed over a picture and averaged over pictures, as threestudio does. Computed in
    float32; what is not finite counts as zero, so that one bad prediction cannot spoil a scene.
    """
    if objective.weight not in WEIGHTS:
        raise ValueError(f"No weight {objective.weight!r}; choose from {', '.join(WEIGHTS)}.")
    weight = WEIGHTS[objective.weight](*shares(denoiser, noisy.t))
    found = _residual(denoiser, noisy, text, objective, conditions, inpainting, student)
    return with_gradient(latents, weight * found, objective.clip)


@torch.no_grad()
def target_latents(
    denoiser: Denoiser,
    latents: Float[Tensor, "b c y x"],
    noisy: Noisy,
    text: Text,
    objective: Objective = Objective(),
    conditions: Any = None,
    inpainting: Any = None,
    student: Denoiser | None = None,
) -> Float[Tensor, "b c y x"]:
    """Where the latents should go: `z - b / a residual`, which for `sds` is the one-step reconstruction (x0 target).

    Decoded, it is a picture to compare the render with: `(images - prior.decode(target)).abs().mean()`. That way needs
    no gradient through the encoder, and leaves nothing free: an encoder that drops or magnifies fine detail lets noise
    into what it drops, which the decoder never draws. The arguments are those of `distillation_loss`; `weight` and
    `clip` are not read.
    """
    a, b = shares(denoiser, noisy.t)
    found = _residual(denoiser, noisy, text, objective, conditions, inpainting, student)
    return latents.detach().float() - b / a.clamp(min=1e-3) * found.nan_to_num(0.0, 0.0, 0.0)


def _residual(
    denoiser: Denoiser,
    noisy: Noisy,
    text: Text,
    objective: Objective,
    conditions: Any,
    inpainting: Any,
    student: Denoiser | None,
) -> Float[Tensor, "b c y x"]:
    found = predict(denoiser, noisy, text, conditions, inpainting)
    if student is not None:
        with torch.no_grad():
            seen = student.predict_noise(noisy.latents, noisy.t, text.conditional, conditions, inpainting)
        found = replace(found, student=seen.float())
    return residual(objective.kind, found, objective.scale, objective.negative_weight, objective.edit_scale)


def with_gradient(
    latents: Float[Tensor, "b c y x"], gradient: Float[Tensor, "b c y x"], clip: float | None = None
) -> Float[Tensor, ""]:
    """A scalar whose gradient is given: `gradient / batch` in `latents`.

    Args:
        latents: What the gradient is sent to.
        gradient: What is not finite counts as zero.
        clip: Largest absolute value let through.
    """
    gradient = gradient.detach().float().nan_to_num(0.0, 0.0, 0.0)
    if clip is not None:
        gradient = gradient.clamp(-clip, clip)
    return _Injected.apply(latents, gradient / len(latents))  # type: ignore[return-value]


class _Injected(torch.autograd.Function):
    """Not `((z - target)**2).sum()`: that rounds small gradients away and turns one NaN latent into all."""

    @staticmethod
    def forward(ctx: Any, latents: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.kind = latents.dtype
        return 0.5 * (gradient**2).sum() * len(latents)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return (upstream[0] * gradient).to(ctx.kind), None


def student_loss(
    student: Denoiser, noisy: Noisy, text: Text, conditions: Any = None, inpainting: Any = None
) -> Float[Tensor, ""]:
    """What VSD's student minimises between two distillation steps: plain denoising of the renders as they are.

    Args:
        student: Starts as a copy of the prior; its own parameters, or a LoRA's, are trained.
        noisy: Renders with noise drawn for this step alone.
        text: Only the conditional words, which know the view, are read.
        conditions: Control pictures.
        inpainting: What is known of the picture.

    Source: ProlificDreamer, Wang et al. 2023 (2305.16213).
    """
    seen = student.predict_noise(noisy.latents, noisy.t, text.conditional, conditions, inpainting)
    return ((seen.float() - noisy.noise) ** 2).mean()
