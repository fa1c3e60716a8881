"""Words that know from where a picture was taken: view buckets, blended embeddings and Perp-Neg."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.guidance.denoiser import Embedder, Text
from bozzetto.render.cameras import away_from_front

View: TypeAlias = Literal["front", "side", "back", "overhead"]
VIEWS: tuple[View, ...] = ("front", "side", "back", "overhead")


@dataclass(frozen=True)
class Buckets:
    """Where one view word ends and the next begins, and what each adds to a prompt. Degrees.

    The defaults are threestudio's; HeadSculpt's are `Buckets(35, 35, 90, " of head", ", <back-view>, ...")`.
    """

    front: float = 45.0
    """Half the width of the front."""
    back: float = 45.0
    """Half the width of the back."""
    overhead: float = 60.0
    """Overhead starts above this elevation; 90 turns it off."""
    of: str = ""
    """Follows the view words."""
    back_words: str = ""
    """Follows everything at the back: a learnt token, "without eyes"."""

    def view(self, azimuth: float, elevation: float) -> View:
        """The view's bucket; azimuth 0 looks at the face."""
        if elevation > self.overhead:
            return "overhead"
        turn = away_from_front(azimuth)
        if turn <= self.front:
            return "front"
        return "back" if turn >= 180.0 - self.back else "side"

    def words(self, prompt: str, view: View) -> str:
        """The prompt, seen from there."""
        return f"{prompt}, {view} view{self.of}{self.back_words if view == 'back' else ''}"


def view_prompt(prompt: str, azimuth: float, elevation: float, buckets: Buckets = Buckets()) -> str:
    """The prompt with the words of its view: "a knight, back view"."""
    return buckets.words(prompt, buckets.view(azimuth, elevation))


@dataclass(frozen=True, eq=False)
class ViewText:
    """One prompt embedded for all views. `embed_views` makes it."""

    views: Mapping[View, Float[Tensor, "n d"]]
    unconditional: Float[Tensor, "n d"]
    negative: Float[Tensor, "n d"] | None
    source: Mapping[View, Float[Tensor, "n d"]] | None
    edit: Float[Tensor, "n d"] | None
    buckets: Buckets

    def at(self, azimuths: Sequence[float], elevations: Sequence[float]) -> Text:
        """The words of each picture's bucket. Degrees."""
        seen = self._seen(azimuths, elevations)
        return self._text(torch.stack([self.views[view] for view in seen]), seen)

    def blended(self, azimuths: Sequence[float], elevations: Sequence[float]) -> Text:
        """Embeddings blended by azimuth, with front and side pushed away where they are not seen (Perp-Neg). Degrees.

        Source: Armandpour et al. 2023 (2304.04968), with the weights of threestudio.
        """
        seen = self._seen(azimuths, elevations)
        front, side, back = self.views["front"], self.views["side"], self.views["back"]
        wanted, weights = [], []
        for azimuth, view in zip(azimuths, seen, strict=True):
            turn = away_from_front(azimuth) / 90
            if view == "overhead":
                wanted.append(self.views["overhead"])
                weights.append((0.0, 0.0))
            else:
                wanted.append(front.lerp(side, turn) if turn < 1 else side.lerp(back, turn - 1))
                weights.append(away_weights(azimuth))
        away = torch.stack([each.expand(len(seen), -1, -1) for each in (front, side)])
        return self._text(torch.stack(wanted), seen, away, front.new_tensor(weights).T)

    def _seen(self, azimuths: Sequence[float], elevations: Sequence[float]) -> list[View]:
        return [self.buckets.view(*angles) for angles in zip(azimuths, elevations, strict=True)]

    def _text(
        self, wanted: Tensor, seen: Sequence[View], away: Tensor | None = None, weights: Tensor | None = None
    ) -> Text:
        def each(embedding: Tensor | None) -> Tensor | None:
            return None if embedding is None else embedding.expand(len(seen), -1, -1)

        source = None if self.source is None else torch.stack([self.source[view] for view in seen])
        empty = self.unconditional.expand(len(seen), -1, -1)
        return Text(wanted, empty, each(self.negative), source, each(self.edit), away, weights)


def embed_views(
    embedder: Embedder,
    prompt: str,
    unconditional: str = "",
    negative: str | None = None,
    source: str | None = None,
    edit: str | None = None,
    buckets: Buckets = Buckets(),
) -> ViewText:
    """A prompt's embeddings for every view, made once before a run.

    Args:
        embedder: `prior.Prior`, or anything else that embeds.
        prompt: Without view words.
        unconditional: What guidance leads away from; public code bases put quality negatives here.
        negative: Words of a pass of its own, for CSD and NFSD.
        source: What the pictures look like now, without view words, for SDS-Bridge.
        edit: An instruction, for IESD; it gets no view words.
        buckets: Where views end.
    """
    texts = [buckets.words(prompt, view) for view in VIEWS] + [unconditional]
    texts += [] if source is None else [buckets.words(source, view) for view in VIEWS]
    singles = [each for each in (negative, edit) if each is not None]
    with torch.no_grad():
        rows = iter(embedder.embed(texts + singles))
    return ViewText(
        views={view: next(rows) for view in VIEWS},
        unconditional=next(rows),
        source=None if source is None else {view: next(rows) for view in VIEWS},
        negative=None if negative is None else next(rows),
        edit=None if edit is None else next(rows),
        buckets=buckets,
    )


def away_weights(azimuth: float) -> tuple[float, float]:
    """How strongly Perp-Neg pushes away the front and the side at an azimuth in degrees.

    Nothing is pushed where it is fully seen. From front to side: both fall with their share in the blend. From side to
    back: the side falls with its share, and the front is pushed hardest at the back, where a second face would grow.

    Source: threestudio's `a exp(-b r) + c`.
    """
    turn = away_from_front(azimuth) / 90
    if turn < 1:
        seen = 1 - turn
        return 4 * math.exp(-0.5 * seen) - 2.426, 4 * math.exp(-0.5 * turn) - 2.426
    seen = 2 - turn
    return math.exp(-0.5 * seen) + 0.967, math.exp(-0.5 * seen) - 0.606
