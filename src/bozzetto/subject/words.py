"""A sentence in free English -> a complete figure, with what was understood, guessed and missed.

One module a pass: ``tokens`` -> ``mentions`` -> ``attach`` -> ``understand``. The words live in ``lexicon``; nothing
else knows a garment or an occupation by name.
"""

from dataclasses import dataclass

from bozzetto.figure.people import complete
from bozzetto.figure.spec import FigureSpec
from bozzetto.subject.understand import understand
from bozzetto.types import UserError

LONGEST = 2000
"""Characters a prompt may have."""


@dataclass(frozen=True)
class Reading:
    """What a sentence came to."""

    spec: FigureSpec
    understood: tuple[str, ...]
    """Short phrases: "hair: short, red"."""
    guessed: tuple[str, ...]
    """What followed from an occupation or a respelling rather than from the words themselves."""
    not_understood: tuple[str, ...]
    """Words that had no effect."""


def read_words(prompt: str, seed: int = 0) -> Reading:
    """The figure that a sentence describes; what the words leave open is filled from the seed.

    Raises:
        UserError: The prompt is blank, longer than 2,000 characters, or no word of it is understood.
    """
    if not prompt.strip():
        raise UserError('The prompt is empty. Say who you want to see, e.g. "a tall woman with short red hair".')
    if len(prompt) > LONGEST:
        raise UserError(
            f"The prompt has {len(prompt):,} characters; bozzetto reads at most {LONGEST:,}. "
            "Describe one person: body, face, hair, clothes, pose."
        )
    read = understand(prompt)
    if not read.understood:
        words = ", ".join(repr(word) for word in read.missed[:8]) or repr(prompt.strip()[:40])
        raise UserError(
            f"None of these words describes a person to bozzetto: {words}. Words for age, build, skin, eyes, hair, "
            "clothes, colours, occupations and poses work, in English; for example: "
            '"an old man with a long white beard, a green coat and brown boots".'
        )
    return Reading(complete(read.wishes, seed), read.understood, read.guessed, read.missed)


understand("a person in blue jeans")  # loads the dictionaries now, so that the first prompt is read as fast as the next
