"""How noisy a picture is made, as named functions of the progress: 0 at the first step, 1 at the last.

Each returns the interval that t is drawn from, uniformly; where both ends agree, t is certain. t = 1 is nothing but
noise. Other bounds: `functools.partial(fixed, high=0.5)`.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.guidance.denoiser import Denoiser

Interval: TypeAlias = tuple[float, float]
Schedule: TypeAlias = Callable[[float], Interval]


def fixed(progress: float, low: float = 0.02, high: float = 0.98) -> Interval:
    """Always the same range (DreamFusion; Magic3D and HeadSculpt refine meshes with `high` at 0.5)."""
    return low, high


def stepped(progress: float, low: float = 0.02, high: float = 0.98, later: float = 0.5, at: float = 0.2) -> Interval:
    """The upper bound falls once (ProlificDreamer: after 5,000 of 25,000 steps)."""
    return low, later if progress >= at else high


def linear(progress: float, low: float = 0.02, high: float = 0.98, end: float = 0.5) -> Interval:
    """The upper bound falls evenly to `end`."""
    return low, high + (end - high) * progress


def square_root(progress: float, low: float = 0.02, high: float = 0.98, end: float = 0.5) -> Interval:
    """The upper bound falls quickly at first."""
    return low, high + (end - high) * progress**0.5


def hifa(progress: float, low: float = 0.02, high: float = 0.98) -> Interval:
    """No chance at all: `t = high - (high - low) sqrt(progress)`. HiFA, Zhu et al. 2023 (2305.18766)."""
    t = high - (high - low) * progress**0.5
    return t, t


def coarse(progress: float) -> Interval:
    """For shapes: 0.98 falls to 0.6 by the square root; nothing below 0.1 in the first third."""
    return square_root(progress, 0.1 if progress < 1 / 3 else 0.02, end=0.6)


def fine(progress: float) -> Interval:
    """For textures on a shape that stands: 0.5 falls evenly to 0.2."""
    return linear(progress, high=0.5, end=0.2)


SCHEDULES: Mapping[str, Schedule] = {
    "fixed": fixed,
    "stepped": stepped,
    "linear": linear,
    "square-root": square_root,
    "hifa": hifa,
    "coarse": coarse,
    "fine": fine,
}


def dreamtime(
    progress: float,
    denoiser: Denoiser,
    middle: tuple[float, float] = (0.8, 0.5),
    spread: tuple[float, float] = (0.3, 0.1),
    low: float = 0.02,
    high: float = 0.98,
) -> Interval:
    """No chance at all, and most time where the prior adds most: the mass of W(t) above t is the progress.

    `W(t) = sqrt((1 - abar) / abar) W_p(t)`; W_p is one between `middle`, with Gaussian tails of width `spread` (above,
    below).

    Source: DreamTime, Huang et al. 2023 (2306.12422), cut to [low, high], since W has no end where the
    signal has none.
    """
    t = torch.linspace(low, high, 1000)
    a, b = denoiser.signal(t)
    above, below = (t - middle[0]).clamp(min=0), (middle[1] - t).clamp(min=0)
    prior = torch.exp(-(above**2) / (2 * spread[0] ** 2) - below**2 / (2 * spread[1] ** 2))
    mass = (b / a.clamp(min=1e-3) * prior).double().flip(0).cumsum(0)
    index = int(torch.searchsorted(mass / mass[-1], torch.tensor(progress, dtype=torch.float64)).clamp(max=999))
    found = float(t.flip(0)[index])
    return found, found


def sample_t(interval: Interval, count: int, generator: torch.Generator) -> Float[Tensor, "b"]:
    """One t for each of `count` pictures, uniformly from an interval.

    Raises:
        ValueError: The interval does not lie within [0, 1].
    """
    low, high = interval
    if not 0.0 <= low <= high <= 1.0:
        raise ValueError(f"t lies within [0, 1], lowest first; got {low:.3g} to {high:.3g}.")
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)
