"""One network for a body and one for its head, taught by photos: AvatarBooth's tuning. Zeng et al. 2023, section 3.4.

With one network clothes are learned before the face; trained on, it learns the face and clings to the clothes. So each
region has its own, and the head's is tuned twice: the pose-consistent constraint shows it the head from sides that no
photo shows, as the first tuning draws it along a skeleton, lest the face come out flat.

The paper leaves open from where the second tuning starts: here from the untouched network, as its figure suggests. Not
in the paper: a drawn view whose identity is too far from the photos' is left out, since a control network may wipe it
out.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from bozzetto.figure.ground_truth import Stance
from bozzetto.prior.denoiser import Conditions, Prior
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.prior.tune import DreamBooth, Examples, dreambooth

Features: TypeAlias = Callable[[Float[Tensor, "b h w 3"]], Float[Tensor, "b d"]]
"""What tells persons apart: ``Prior.identity``."""


BODY = DreamBooth(("a photo of a person, full body",), steps=800, learning_rate=1e-6)
HEAD = DreamBooth(("a photo of a person, head portrait",), steps=900, learning_rate=1e-6)
AGAIN = replace(HEAD, steps=500)


@dataclass(frozen=True)
class Tuning:
    """How a person is learned. The paper gives the head's steps; the rate is its authors' answer to a question."""

    token: str = "sks"
    noun: str = "person"
    body: DreamBooth = BODY
    first: DreamBooth = HEAD
    """Of the head, on photos alone."""
    final: DreamBooth = AGAIN
    """Of the head, on photos and drawn views."""
    likeness: float = 0.5
    """Cosine of identities, to the photo that is nearest, below which a drawn view is left out."""
    guidance: float = 4.0
    sampling: int = 20
    """Calls of the network for each drawn view."""
    seed: int = 0

    def prompt(self, crop: str) -> str:
        return f"a photo of {self.token} {self.noun}, {crop}"


@dataclass(frozen=True, eq=False)
class Rounds:
    """What the pose-consistent constraint came to."""

    prior: Prior
    """The head's, after the second round."""
    drawn: Float[Tensor, "v h w 3"]
    """Views by the first round's network."""
    kept: Bool[Tensor, "v"]
    """Those that the second round learned from."""


def tune_body(prior: Prior, photos: Float[Tensor, "b h w 3"], tuning: Tuning, folder: Path | None = None) -> Prior:
    """A network that knows the body and its clothes; the one given stays as it is.

    Args:
        prior: In float32.
        photos: Of the whole body, of the prior's native size.
        tuning: How.
        folder: For checkpoints: the same call goes on where it was stopped.
    """
    return _tuned(prior, photos, tuning.prompt("full body"), tuning.body, folder)


def tune_head(
    prior: Prior,
    photos: Float[Tensor, "b h w 3"],
    skeletons: Float[Tensor, "v h w 3"],
    features: Features,
    tuning: Tuning,
    folder: Path | None = None,
) -> Rounds:
    """A network that knows the head from all sides; the one given stays as it is.

    Args:
        prior: In float32, with a network for poses.
        photos: Of the head, of the prior's native size.
        skeletons: Of the head and shoulders from all around (``surround``).
        features: What identities are compared by.
        tuning: How.
        folder: For checkpoints.

    Raises:
        UserError: The prior has no network for poses.
    """
    prior.need("control/pose")
    prompt = tuning.prompt("head portrait")
    first = _tuned(prior, photos, prompt, tuning.first, folder and folder / "first")
    drawn = draw(first, prompt, skeletons, tuning)
    kept = alike(features, photos, drawn, tuning.likeness)
    final = _tuned(prior, torch.cat([photos, drawn[kept]]), prompt, tuning.final, folder and folder / "final")
    return Rounds(final, drawn, kept)


def surround(stance: Stance, count: int, size: int) -> Float[Tensor, "v h w 3"]:
    """Skeletons of a person's head and shoulders from as many sides; no face from behind."""
    views = [stance.view(360.0 * number / count, 0.0, size, "head") for number in range(count)]
    return torch.stack([torch.from_numpy(view.conditions["pose"]).float() / 255 for view in views])


def draw(prior: Prior, prompt: str, skeletons: Float[Tensor, "v h w 3"], tuning: Tuning) -> Float[Tensor, "v h w 3"]:
    """The person as the prior draws it along skeletons, each by noise of its own."""
    made = []
    for number, skeleton in enumerate(skeletons):
        generator = torch.Generator().manual_seed(tuning.seed * 1_000_003 + number)
        conditions = Conditions({"pose": skeleton[None].to(prior.device)})
        made.append(
            imagine(prior, [prompt], steps=tuning.sampling, guidance=Guidance(tuning.guidance), size=skeleton.shape[0],
                    conditions=conditions, generator=generator).cpu()
        )  # fmt: skip
    return torch.cat(made)


def alike(
    features: Features, photos: Float[Tensor, "b h w 3"], drawn: Float[Tensor, "v h w 3"], floor: float
) -> Bool[Tensor, "v"]:
    """Drawn views that look like the person on at least one photo."""
    with torch.no_grad():
        real, made = (F.normalize(features(each), dim=1) for each in (photos, drawn))
    return (made @ real.T).amax(1) >= floor


def _tuned(
    prior: Prior, photos: Float[Tensor, "b h w 3"], prompt: str, settings: DreamBooth, folder: Path | None
) -> Prior:
    mine = copy.copy(prior)
    mine.base = replace(prior.base, unet=copy.deepcopy(prior.base.unet))
    prompts: Sequence[str] = (prompt,) * len(photos)
    for _ in dreambooth(mine, Examples(photos, tuple(prompts)), settings, folder):
        pass
    return mine
