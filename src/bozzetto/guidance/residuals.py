"""What a denoiser's predictions say about a picture: the residual that score distillation puts in place of a gradient.

Every variant reads the same cached predictions, so trying another costs no network.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Kind: TypeAlias = Literal["sds", "csd", "nfsd", "ssd", "bridge", "iesd", "vsd"]

NFSD_LAST_T = 0.2
"""Below this t the picture is nearly clean, and the unconditional prediction needs no correction."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Noise as the denoiser sees it in one noisy batch, under several texts."""

    noise: Float[Tensor, "b c y x"]
    """What was really mixed in, or what inversion found there."""
    t: Float[Tensor, "b"]
    """How far into the noise: 0 clean, 1 nothing but noise."""
    unconditional: Float[Tensor, "b c y x"]
    conditional: Float[Tensor, "b c y x"]
    """For the prompt; for SDS-Bridge the target prompt."""
    negative: Float[Tensor, "b c y x"] | None = None
    """For words that name what is not wanted."""
    source: Float[Tensor, "b c y x"] | None = None
    """For words that name what is there now (SDS-Bridge)."""
    edit: Float[Tensor, "b c y x"] | None = None
    """For an instruction (IESD)."""
    student: Float[Tensor, "b c y x"] | None = None
    """By the network that is trained on the renders themselves (VSD)."""
    away: Float[Tensor, "k b c y x"] | None = None
    """For texts of other views, which are pushed away at right angles (Perp-Neg)."""
    away_weights: Float[Tensor, "k b"] | None = None


def residual(
    kind: Kind,
    predictions: Predictions,
    scale: float,
    negative_weight: float = 0.0,
    edit_scale: float = 0.6,
) -> Float[Tensor, "b c y x"]:
    """What takes the place of `eps_hat - eps`: minus the direction in which the latents should move.

    Args:
        kind: `sds` Poole et al. 2022, eq. 3; `csd` Yu et al. 2023 (2310.19415); `nfsd` Katzir et al. 2023 (2310.17590);
            `ssd` Liu et al. 2023 (2312.07539); `bridge` McAllister et al. 2024 (2406.09417), its second stage;
            `iesd` Han et al. 2023, HeadSculpt; `vsd` Wang et al. 2023 (2305.16213). ISM and SDI are `sds` on latents
            that `invert` made noisy.
        predictions: Whatever the kind reads; see `Predictions`.
        scale: Guidance scale s in `eps_u + s (eps_c - eps_u)`.
        negative_weight: `csd` only: how strongly the negative prompt counts against the prompt.
        edit_scale: `iesd` only: 0 keeps what the description says, 1 follows the instruction alone.

    Raises:
        ValueError: The kind is unknown, or needs a prediction that is not there.
    """
    p = predictions
    match kind:
        case "sds":
            return guided(p, scale) - p.noise
        case "csd":
            wanted = direction(p)
            if negative_weight:
                wanted = wanted - negative_weight * (_needed(p.negative, kind, "negative") - p.unconditional)
            return scale * wanted
        case "nfsd":
            domain = torch.where(
                p.t.view(-1, 1, 1, 1) < NFSD_LAST_T,
                p.unconditional,
                p.unconditional - _needed(p.negative, kind, "negative"),
            )
            return scale * direction(p) + domain
        case "ssd":
            return guided(p, scale) - guided(p, 1.0)
        case "bridge":
            return scale * (p.conditional - _needed(p.source, kind, "source"))
        case "iesd":
            instructed = _needed(p.edit, kind, "edit") - p.unconditional
            return p.unconditional + scale * ((1 - edit_scale) * direction(p) + edit_scale * instructed) - p.noise
        case "vsd":
            return guided(p, scale) - _needed(p.student, kind, "student")
    raise ValueError(f"No residual {kind!r}; choose sds, csd, nfsd, ssd, bridge, iesd or vsd.")


def guided(predictions: Predictions, scale: float) -> Float[Tensor, "b c y x"]:
    """Classifier-free guidance: 0 unconditional, 1 conditional, beyond it exaggerated."""
    return predictions.unconditional + scale * direction(predictions)


def direction(predictions: Predictions) -> Float[Tensor, "b c y x"]:
    """From the unconditional prediction to the conditional one, less what points to other views.

    Source: Perp-Neg, Armandpour et al. 2023 (2304.04968): only the part of a negative that is perpendicular to
    the prompt counts, so that a negative that overlaps with the prompt cannot cancel it.
    """
    p = predictions
    wanted = p.conditional - p.unconditional
    if p.away is None or p.away_weights is None:
        return wanted
    unwanted = [perpendicular(each - p.unconditional, wanted) for each in p.away]
    return wanted - torch.einsum("kb,kbcyx->bcyx", p.away_weights, torch.stack(unwanted))


def perpendicular(vector: Float[Tensor, "b c y x"], to: Float[Tensor, "b c y x"]) -> Float[Tensor, "b c y x"]:
    """The part of each item that is at right angles to another; all of it where the other is zero."""
    along = (vector * to).sum((1, 2, 3), keepdim=True) / (to * to).sum((1, 2, 3), keepdim=True).clamp(min=1e-12)
    return vector - along * to


def _needed(prediction: Tensor | None, kind: str, name: str) -> Tensor:
    if prediction is None:
        raise ValueError(f"{kind} needs a {name} prediction: give the text a {name!r} embedding.")
    return prediction
