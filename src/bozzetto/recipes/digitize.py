"""One photo in, the whole person out: the intake's figure, with the photo's pixels where it saw the person and
Human-SGD's guess where it did not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from tyro.conf import OmitArgPrefixes

import bozzetto
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    from numpy import ndarray

    import bozzetto.prior.denoiser
    import bozzetto.recipes.person
    import bozzetto.texture.fuse
    import bozzetto.types


@dataclass(frozen=True)
class Digitize:
    """A photo's person as a character (``HumanSGD`` on the figure that the intake fits to the photo).

    The shape is the figure's: body, garments and hair are fitted and named, not reconstructed. The paper's free-form
    surface comes from a network whose weights cannot be had.
    """

    prior: str = "none"
    """Who paints what the photo does not show: embedded, a preset (sd15, sd21), a folder, a hub id. "none" carries the
    figure's colours on from the photo, and is nearer to the truth than the embedded prior, which paints 64 pixels."""
    device: str = "cpu"
    """Where the prior runs: cpu or cuda."""
    person: int | None = None
    """Which of several people, counted from the left; without it the largest."""
    static: bool = False
    """The paper's own result: one mesh in the photo's pose with one texture, without a rig."""
    keep_views: bool = False
    """Write every view of the walk: what was known of it, the weights, what was painted."""
    walk: OmitArgPrefixes[HumanSGD] = HumanSGD()

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        """
        Raises:
            UserError: The photo shows nobody that can be used, or the prior lacks a role.
        """
        from bozzetto.recipes.draft import figure_of
        from bozzetto.subject.person_from_photo import person_from_photo
        from bozzetto.subject.photos import intake_picture, report
        from bozzetto.subject.words import Reading

        photo, fitted = person_from_photo(subject.photos[0], self.person)
        seen = tuple(line.strip(" .") for line in report([photo]).splitlines())
        reading = Reading(fitted.spec, seen, tuple(guess.rstrip(".") for guess in fitted.guesses), ())
        figure = cache(lambda: figure_of(fitted.spec).avatar)
        intake = {"intake.png": intake_picture([photo])}
        yield Step(0, "photo", reading, avatar=figure, pictures=intake)
        figure()
        yield Step(1, "figure", reading, avatar=figure, share=0.1, shown=True)

        from bozzetto.recipes.person import sitter
        from bozzetto.recipes.walk import sheet_of

        who = sitter(photo, fitted)
        index, made = 1, figure
        for moment in self.walk.fit(who.shot, self._painter()):
            index += 1
            pictures: Mapping[str, ndarray] = {}
            if self.keep_views and moment.painted is not None:
                pictures = {f"view{moment.painted.turn:+04.0f}.png": _row(sheet_of(moment.painted))}
            if moment.fused is not None:
                made = cache(partial(self._made, who, moment.fused))
            yield Step(index, moment.stage, reading, avatar=made, share=min(index / 11, 1.0), pictures=pictures)

    def _made(
        self, who: "bozzetto.recipes.person.Sitter", fused: "bozzetto.texture.fuse.Fused"
    ) -> "bozzetto.types.Avatar":
        from bozzetto.texture.canvas import standing_still

        return standing_still(who.shot.canvas.mesh, fused.texture) if self.static else who.painted(fused)

    def _painter(self) -> "bozzetto.prior.denoiser.Prior | None":
        if self.prior == "none":
            return None
        from bozzetto.prior.load import load

        return load(self.prior, self.device)


def _row(pictures: "list[ndarray]") -> "ndarray":
    import numpy as np

    return np.concatenate(pictures, axis=1)
