"""How much of a noisy latent is signal, and what a network's output says about it.

``z_t = a(t) z + b(t) noise`` for every model; ``t`` runs from 0 (clean) to 1 (noise). Models trained on discrete steps
are asked at the nearest of them; a flow has a = 1 - t, b = t.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Kind: TypeAlias = Literal["epsilon", "v_prediction", "flow", "sample"]
"""What the network puts out: the noise, ``a noise - b z``, ``noise - z``, or the clean latents."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """A network's opinion on noisy latents, in both forms; ``noisy = a clean + b noise``."""

    noise: Float[Tensor, "b c y x"]
    clean: Float[Tensor, "b c y x"]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The noise levels a network was trained on."""

    kind: Kind
    signal_power: Float[Tensor, "n"] | None = None
    """a squared at each training step; None where a = 1 - t."""
    steps: int = 1000
    """What the network's clock reads at t = 1, plus one where steps are discrete."""

    def signal(self, t: Float[Tensor, "b"]) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """The factors a of the clean latents and b of the noise."""
        if self.signal_power is None:
            return 1 - t, t
        power = self.signal_power.to(t.device)[self._step(t)].to(t.dtype)
        return power.sqrt(), (1 - power).sqrt()

    def clock(self, t: Float[Tensor, "b"]) -> Tensor:
        """The time as the network is told it."""
        return t * self.steps if self.signal_power is None else self._step(t)

    def read(
        self, output: Float[Tensor, "b c y x"], noisy: Float[Tensor, "b c y x"], t: Float[Tensor, "b"]
    ) -> Prediction:
        """Noise and clean latents from what the network put out."""
        a, b = (factor.view(-1, 1, 1, 1) for factor in self.signal(t))
        match self.kind:
            case "epsilon":
                return Prediction(output, (noisy - b * output) / a.clamp(min=1e-3))
            case "v_prediction":
                return Prediction(a * output + b * noisy, a * noisy - b * output)
            case "flow":
                return Prediction(noisy + a * output, noisy - b * output)
            case "sample":
                return Prediction((noisy - a * output) / b.clamp(min=1e-3), output)

    def target(
        self, latents: Float[Tensor, "b c y x"], noise: Float[Tensor, "b c y x"], t: Float[Tensor, "b"]
    ) -> Float[Tensor, "b c y x"]:
        """What the network should have put out."""
        a, b = (factor.view(-1, 1, 1, 1) for factor in self.signal(t))
        match self.kind:
            case "epsilon":
                return noise
            case "v_prediction":
                return a * noise - b * latents
            case "flow":
                return noise - latents
            case "sample":
                return latents

    def _step(self, t: Float[Tensor, "b"]) -> Tensor:
        return (t * (self.steps - 1)).round().long().clamp(0, self.steps - 1)


def schedule_from_config(config: Mapping[str, Any]) -> Schedule:
    """The schedule that a ``scheduler_config.json`` describes.

    Raises:
        ValueError: It predicts something unknown.
    """
    name, kind = str(config.get("_class_name", "")), str(config.get("prediction_type", "epsilon"))
    steps = int(config.get("num_train_timesteps", 1000))
    if name.startswith("FlowMatch") or kind == "flow_prediction":
        return Schedule("flow", None, steps)
    if kind not in ("epsilon", "v_prediction", "sample"):
        raise ValueError(
            f"prediction_type {kind!r} is unknown; known are epsilon, v_prediction, sample, flow_prediction."
        )
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    known = (
        "num_train_timesteps",
        "beta_start",
        "beta_end",
        "beta_schedule",
        "trained_betas",
        "rescale_betas_zero_snr",
    )
    scheduler = DDIMScheduler(**{key: config[key] for key in known if config.get(key) is not None})
    return Schedule(kind, torch.as_tensor(scheduler.alphas_cumprod, dtype=torch.float32), steps)
