"""What a recipe is, and what it hands out on the way. Torch stays out: the command line reads recipes for its help."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import bozzetto

if TYPE_CHECKING:
    from pathlib import Path

    from numpy import ndarray

    import bozzetto.subject.words
    import bozzetto.types


@dataclass(frozen=True, eq=False)
class Step:
    """One moment of a recipe. Whatever comes later, this moment can be exported."""

    index: int
    stage: str
    """The recipe's own name for what it just did."""
    reading: "bozzetto.subject.words.Reading"
    """The person as the words were read; its spec is the run folder's ``figure.json``."""
    avatar: "Callable[[], bozzetto.types.Avatar]"
    """The character as it stands now. May take a moment, so call it only when you want one."""
    loss: float | None = None
    """None where nothing is optimised."""
    share: float | None = None
    """Of the recipe's work, what is done; None where nobody can say."""
    shown: bool = False
    """Worth a file before the next step: the first figure."""
    pictures: "Mapping[str, ndarray]" = field(default_factory=dict)
    """What there is to see of it, 8-bit sRGB, by the name of a file."""
    weights: "Mapping[str, Path]" = field(default_factory=dict)
    """Files of networks that have a say in what comes, by what they hold."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """How well it went, for the run's record."""
    doubts: tuple[str, ...] = ()
    """What is likely wrong with it, for the user to look at."""
    state: Callable[[], Mapping[str, Any]] | None = None
    """Tensors by name: all that ``Resumable.resume`` needs to go on from here. None where a stop loses nothing."""


@runtime_checkable
class Recipe(Protocol):
    """A frozen dataclass whose fields are the method's parameters and whose one method is the method."""

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]: ...


@runtime_checkable
class Resumable(Recipe, Protocol):
    """A recipe that takes long enough to be stopped."""

    def resume(self, subject: "bozzetto.types.Subject", state: Mapping[str, Any]) -> Iterator[Step]:
        """The steps from where a state was taken, after those that show the words and the first figure again."""
        ...
