"""One photo in, the person's first figure out: what ``bozzetto digitize`` shows before anything is refined."""

from pathlib import Path

from bozzetto.prior.load import load_shape
from bozzetto.subject.fit import Fitted, fit_person
from bozzetto.subject.photos import Photo, read_photo


def person_from_photo(path: Path, person: int | None = None) -> tuple[Photo, Fitted]:
    """The read photo and its fitted figure; ``build_figure(fitted.spec)`` makes the draft.

    Args:
        person: Which of several people, counted from the left, from 1; the largest when None.

    Raises:
        UserError: The file is no usable photo of a person, or the extra ``photo`` is missing.
    """
    photo = read_photo(path, person)
    return photo, fit_person(photo, network=load_shape())
