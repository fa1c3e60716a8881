"""The instant first figure: words are read, a dressed person is built. Nothing is optimised, nothing is downloaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import bozzetto
from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    import bozzetto.figure.build
    import bozzetto.figure.spec
    import bozzetto.types


@dataclass(frozen=True)
class Draft:
    """A whole figure in seconds, from words alone."""

    seed: int = 0
    """Chooses everything the words leave open. The same words and seed give the same figure."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"the seed must be a whole number from 0 to 2^63 - 1, not {self.seed}.")

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        from bozzetto.subject.words import read_words

        reading = read_words(subject.prompt, self.seed)
        build = cache(lambda: figure_of(reading.spec).avatar)
        yield Step(0, "words", reading, avatar=build)
        build()
        yield Step(1, "figure", reading, avatar=build)


def figure_of(spec: "bozzetto.figure.spec.FigureSpec") -> "bozzetto.figure.build.Figure":
    """The dressed person of a spec; nothing heavy is imported before it is asked for."""
    from bozzetto.figure.build import build_figure

    return build_figure(spec)
