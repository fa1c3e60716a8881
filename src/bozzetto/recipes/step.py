"""What a recipe is, and what it hands out on the way. Torch stays out: the command line reads recipes for its help."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import bozzetto

if TYPE_CHECKING:
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


@runtime_checkable
class Recipe(Protocol):
    """A frozen dataclass whose fields are the method's parameters and whose one method is the method."""

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]: ...
