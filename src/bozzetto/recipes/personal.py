"""One network for a body and one for its head, taught by photos: AvatarBooth's tuning. Zeng et al. 2023, section 3.4.

With one network clothes are learned before the face; trained on, it learns the face and clings to the clothes. So each
region has its own, and the head's is tuned twice: the pose-consistent constraint shows it the head from sides that no
photo shows, as the first tuning draws it along a skeleton, lest the face come out flat.

The paper leaves open from where the second tuning starts: here from the untouched network, as its figure suggests. Not
in the paper: every picture's words say from which side it is; people are cut out of their photos and stand before plain
backgrounds; a drawn view whose identity is too far from the photos' is left out, since a control network may wipe it
out.
"""

import copy
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from bozzetto.figure.ground_truth import Stance
from bozzetto.prior.denoiser import Conditions, Prior
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.prior.tune import DreamBooth, Examples, TuneStep, dreambooth
from bozzetto.recipes.booth import side_of, template
from bozzetto.render.samplers import Crop
from bozzetto.subject.piles import Sorted

Features: TypeAlias = Callable[[Float[Tensor, "b h w 3"]], Float[Tensor, "b d"]]
"""What tells persons apart: ``Prior.identity``."""
BODY = DreamBooth(("a photo of a person, full body",), steps=800, learning_rate=1e-6)
HEAD = DreamBooth(("a photo of a person, head portrait",), steps=900, learning_rate=1e-6)
AGAIN = replace(HEAD, steps=500)
Round: TypeAlias = Literal["first", "final"]
One, Other, Result = TypeVar("One"), TypeVar("Other"), TypeVar("Result")

GREYS = (0.0, 0.5, 1.0)
"""The backgrounds on which each photo is shown."""


@dataclass(frozen=True)
class Tuning:
    """How a person is learned. The paper gives the head's steps; the rate is its authors' answer to a question."""

    body: DreamBooth = BODY
    first: DreamBooth = HEAD
    """Of the head, on photos alone."""
    final: DreamBooth | None = AGAIN
    """Of the head, on photos and drawn views. None leaves out the pose-consistent constraint."""
    views: int = 8
    """Drawn, all around the head."""
    likeness: float = 0.5
    """Cosine of identities, to the photo that is nearest, below which a drawn view is left out."""
    guidance: float = 4.0
    sampling: int = 20
    """Calls of the network for each drawn view."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Surround:
    """The head from all around, as it is to be drawn."""

    skeletons: Float[Tensor, "v h w 3"]
    prompts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rounds:
    """What the head's two tunings came to."""

    prior: Prior
    """The last one's."""
    drawn: Float[Tensor, "v h w 3"]
    """By the first one, along the skeletons; none where there was no second."""
    kept: Bool[Tensor, "v"]
    """Those that the last one learned from."""


def examples(pile: Sequence[Sorted], crop: Crop, prompt: str, style: str, size: int) -> Examples:
    """A pile's people cut out of their photos, before plain backgrounds, with words that say from which side.

    Args:
        pile: ``Piles.bodies`` or ``Piles.heads``.
        crop: Which of the two.
        prompt: Who it is.
        style: As ``booth.template`` takes it.
        size: Pixels of a side: the prior's native size.
    """
    pictures, prompts = [], []
    for one in pile:
        square, turn = (one.body, one.turn) if crop == "body" else (one.head, one.head_turn)
        assert square is not None
        cover = square.cut(one.photo.mask[..., None].astype(np.float32), size)
        person = square.cut((one.photo.picture * one.photo.mask[..., None]).astype(np.float32), size)
        words = template(prompt, crop, side_of(crop, turn, 0.0), style)
        for grey in GREYS:
            pictures.append(torch.from_numpy(person + np.float32(grey) * (1 - cover)).float().clamp(0, 1))
            prompts.append(words)
    return Examples(torch.stack(pictures), tuple(prompts))


def tune_body(
    prior: Prior, shown: Examples, tuning: Tuning, folder: Path | None = None
) -> Generator[TuneStep, None, Prior]:
    """The body's network; the prior that is given stays as it is.

    Args:
        prior: Before.
        shown: The body's pile.
        tuning: How.
        folder: For checkpoints.
    """
    return (yield from _tuned(prior, shown, tuning.body, folder and folder / "body"))


def tune_head(
    prior: Prior,
    shown: Examples,
    around: Surround,
    features: Features | None,
    tuning: Tuning,
    folder: Path | None = None,
) -> Generator[tuple[Round, TuneStep], None, Rounds]:
    """The head's network: the two rounds of the pose-consistent constraint.

    Args:
        prior: Before; it stays as it is.
        shown: The head's pile.
        around: Skeletons of the head and shoulders from all around (``surround``), with words.
        features: What identities are compared by; None keeps every drawn view.
        tuning: How.
        folder: For checkpoints.

    Raises:
        UserError: The prior has no network for poses.
    """
    final = tuning.final
    if final is not None:
        prior.need("control/pose")
    first = yield from mapped(
        _tuned(prior, shown, tuning.first, folder and folder / "first"), lambda step: ("first", step)
    )
    if final is None:
        return Rounds(first, around.skeletons[:0], torch.zeros(0, dtype=torch.bool))
    drawn = draw(first, around, tuning)
    kept = torch.ones(len(drawn), dtype=torch.bool)
    if features is not None:
        kept = alike(features, shown.images, drawn, tuning.likeness)
    chosen = [int(index) for index in kept.nonzero()]
    both = Examples(
        torch.cat([shown.images, drawn[kept]]), (*shown.prompts, *(around.prompts[index] for index in chosen))
    )
    last = yield from mapped(_tuned(prior, both, final, folder and folder / "final"), lambda step: ("final", step))
    return Rounds(last, drawn, kept)


def surround(stance: Stance, count: int, size: int, prompt: str, style: str) -> Surround:
    """Skeletons of a person's head and shoulders from as many sides; no face from behind."""
    turns = [360.0 * number / count for number in range(count)]
    views = [stance.view(turn, 0.0, size, "head") for turn in turns]
    skeletons = torch.stack([torch.from_numpy(view.conditions["pose"]).float() / 255 for view in views])
    return Surround(skeletons, tuple(template(prompt, "head", side_of("head", turn, 0.0), style) for turn in turns))


def draw(prior: Prior, around: Surround, tuning: Tuning) -> Float[Tensor, "v h w 3"]:
    """The person as the prior draws it along skeletons, each by noise of its own."""
    made = []
    for number, (skeleton, prompt) in enumerate(zip(around.skeletons, around.prompts, strict=True)):
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
    prior: Prior, shown: Examples, settings: DreamBooth, folder: Path | None
) -> Generator[TuneStep, None, Prior]:
    mine = copy.copy(prior)
    mine.base = replace(prior.base, unet=copy.deepcopy(prior.base.unet))
    yield from dreambooth(mine, shown, settings, folder)
    return mine


def mapped(steps: Generator[One, None, Result], told: Callable[[One], Other]) -> Generator[Other, None, Result]:
    """What steps yield, each told in another way; what they return stays."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        yield told(step)
