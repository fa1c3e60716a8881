"""One photo in, the whole person out: the intake's figure, with the photo's pixels where it saw the person and
Human-SGD's guess where it did not. Other photos of the person join what the walk around it sees."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import OmitArgPrefixes

import bozzetto
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    from numpy import ndarray

    import bozzetto.prior.denoiser
    import bozzetto.types
    from bozzetto.figure.build import Figure
    from bozzetto.prior.denoiser import Prior
    from bozzetto.recipes.person import Sitter
    from bozzetto.recipes.shaped import Placed
    from bozzetto.recipes.walk import Moment, Reposer
    from bozzetto.subject.fit import Fitted
    from bozzetto.subject.photos import Photo
    from bozzetto.subject.piles import Piles
    from bozzetto.types import Avatar


@dataclass(frozen=True, eq=False)
class Stage:
    """Something that has just been done."""

    name: str
    moment: "Moment | None" = None
    """Of the walk, where it is one."""
    avatar: "Callable[[], Avatar] | None" = None
    """The character, where there is a new one."""


@dataclass(frozen=True)
class Digitize:
    """A photo's person as a character (``HumanSGD`` on the figure that the intake fits to the photo).

    The shape is the figure's, bent to the photo: body, garments and hair are fitted and named, then follow what a small
    network sees. ``surface="network"`` reconstructs one free surface, as the paper does; the paper's own weights
    cannot be had.
    """

    prior: str = "none"
    """Who paints what the photo does not show: embedded, a preset (sd15, sd21), a folder, a hub id. "none" carries the
    figure's colours on from the photo, and is nearer to the truth than the embedded prior, which paints 64 pixels."""
    device: str = "cpu"
    """Where the prior runs: cpu or cuda."""
    person: int | None = None
    """Which of several people, counted from the left; without it the largest."""
    shape: Path | None = None
    """A mesh of the person made from this photo elsewhere (GLB, OBJ, PLY), in the photo's pose: it takes the figure's
    place. It gets a rig where both arms are held away from the sides; else it is --static."""
    follow: bool = True
    """Bend the figure to the outline of the photo's person, where all of them is seen from the front.
    Rig, layers and expressions stay."""
    surface: Literal["figure", "network"] = "figure"
    """Whose shape is painted: the figure's, or the figure's as a network sees it changed in the photo. That is one
    piece, as --shape is, and gets a rig on the same terms."""
    static: bool = False
    """The paper's own result: one mesh in the photo's pose with one texture, without a rig."""
    keep_views: bool = False
    """Write every view of the walk: what was known of it, the weights, what was painted."""
    walk: OmitArgPrefixes[HumanSGD] = HumanSGD()

    def check(self, photos: int) -> None:
        """Whether the options go together.

        Args:
            photos: How many there are.

        Raises:
            UserError: They do not.
        """
        from bozzetto.types import UserError

        if self.shape is not None and photos > 1:
            raise UserError("Other photos join a figure, not a shape of your own. Leave out --photos or --shape.")
        if self.surface == "network" and (self.shape or photos > 1):
            raise UserError(
                "--surface network makes a shape of its own from one photo. Leave out --shape and --photos, or this."
            )

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        """
        Args:
            subject: The photo, then others of the same person if there are any.

        Raises:
            UserError: Options that do not go together, a photo that shows nobody who can be used, none of the others
                can, or the prior lacks a role.
        """
        from bozzetto.prior.load import shape_weights
        from bozzetto.recipes.draft import figure_of
        from bozzetto.recipes.walk import sheet_of
        from bozzetto.subject.person_from_photo import person_from_photo
        from bozzetto.subject.photos import intake_picture, report
        from bozzetto.subject.piles import Piles, sort_photos
        from bozzetto.subject.words import Reading

        several = len(subject.photos) > 1
        self.check(len(subject.photos))
        photo, fitted = person_from_photo(subject.photos[0], self.person)
        more = sort_photos(subject.photos[1:]) if several else Piles((), ())
        seen = tuple(line.strip(" .") for line in (*report([photo]).splitlines(), *more.words()))
        reading = Reading(fitted.spec, seen, tuple(guess.rstrip(".") for guess in fitted.guesses), ())
        figure = cache(lambda: figure_of(fitted.spec))
        intake = {"intake.png": intake_picture([photo, *(each.photo for each in more.photos)])}

        def draft() -> "Avatar":
            return figure().avatar

        yield Step(0, "photo", reading, avatar=draft, pictures=intake, weights=shape_weights())
        figure()
        yield Step(1, "figure", reading, avatar=draft, share=0.1, shown=True)
        painter = self._painter()
        weights = painter.weights if painter else {}

        index, made, total = 1, draft, 11 + len(more.photos)
        built = figure()
        if self.shape or self.surface == "network":
            painted = self._shaped(photo, fitted, built, painter)
        else:
            if self.follow:
                from bozzetto.recipes.followed import follow

                built, fitted, said = follow(built, fitted, photo)
                index, total, made = 2, total + 1, partial(_avatar, built)
                yield Step(index, said, reading, avatar=made, share=index / total)
            painted = (
                self._joined(photo, fitted, more, built, painter) if more.photos
                else self._walked(photo, fitted, built, painter)
            )  # fmt: skip
        for stage in painted:
            index += 1
            pictures: Mapping[str, ndarray] = {}
            if self.keep_views and stage.moment is not None and (view := stage.moment.painted) is not None:
                pictures = {f"view{view.turn:+04.0f}.png": _row(sheet_of(view))}
            made = stage.avatar or made
            share = min(index / total, 1.0)
            yield Step(index, stage.name, reading, avatar=made, share=share, pictures=pictures, weights=weights)

    def _walked(self, photo: "Photo", fitted: "Fitted", figure: "Figure", painter: "Prior | None") -> Iterator[Stage]:
        """The figure, painted by a walk around it."""
        from bozzetto.recipes.person import sitter
        from bozzetto.texture.canvas import standing_still

        who = sitter(photo, fitted, figure)
        for moment in self.walk.fit(who.shot, painter):
            avatar = None
            if (fused := moment.fused) is not None:
                avatar = (
                    partial(standing_still, who.shot.canvas.mesh, fused.texture) if self.static
                    else partial(who.painted, fused)
                )  # fmt: skip
            yield Stage(moment.stage, moment, avatar and cache(avatar))

    def _joined(
        self, photo: "Photo", fitted: "Fitted", more: "Piles", figure: "Figure", painter: "Prior | None"
    ) -> Iterator[Stage]:
        """The same where other photos of the person join the walk."""
        from bozzetto.prior.load import load_shape
        from bozzetto.recipes.personal import mapped
        from bozzetto.recipes.projected import Mine, paint, placed
        from bozzetto.subject.fit import fit_person
        from bozzetto.subject.piles import Sorted, face_turn, trunk_turn
        from bozzetto.subject.reworded import told
        from bozzetto.types import UserError

        first = Sorted(photo, photo.path.name, None, None, trunk_turn(photo), face_turn(photo), "")
        found = [placed(first, fitted, figure)]
        for one in more.photos:
            try:
                each = placed(one, fit_person(one.photo, network=load_shape()), figure)
            except UserError as refusal:
                yield Stage(f"{one.name} is not used: {refusal}")
                continue
            if each.why_not is None:
                found.append(each)
            else:
                yield Stage(f"{one.name} is not used: {each.why_not}")
        steps = paint(figure, figure, found, told(fitted.spec), Mine(), self.walk, painter)
        painted = yield from mapped(steps, lambda said: Stage(*said))
        yield Stage("texture", None, lambda: painted.still if self.static else painted.avatar)

    def _shaped(self, photo: "Photo", fitted: "Fitted", figure: "Figure", painter: "Prior | None") -> Iterator[Stage]:
        """The same on a shape of the user's own, or on the network's."""
        from bozzetto.recipes.person import face_of, sitter
        from bozzetto.recipes.shaped import body_of, guide_of, paint
        from bozzetto.subject.reworded import told
        from bozzetto.types import UserError

        who, guide, back = sitter(photo, fitted, figure), None, None
        if self.shape:
            name, placed = self.shape.name, self._read(photo, fitted)
            guide = guide_of(placed, who)
        else:
            name = "the surface"
            placed, back = self._seen(photo, who)
        yield Stage(f"placing {name}: outlines agree by {100 * placed.overlap:.0f} %")
        body = None
        if not self.static:
            try:
                body = body_of(placed)
            except UserError as refusal:
                yield Stage(f"no rig for {name}: {refusal}")
        face, caption = face_of(photo), told(fitted.spec)
        for moment, avatar in paint(placed, body, photo, caption, face, guide, self.walk, painter, back):
            yield Stage(moment.stage, moment, avatar and cache(avatar))

    def _read(self, photo: "Photo", fitted: "Fitted") -> "Placed":
        from bozzetto.adopt.mesh import read_mesh
        from bozzetto.recipes.shaped import place

        assert self.shape is not None
        return place(read_mesh(self.shape), photo.mask, fitted.spec.body.height)

    def _seen(self, photo: "Photo", who: "Sitter") -> "tuple[Placed, Reposer]":
        """The surface that the network sees, and its thought of the back."""
        from bozzetto.prior.load import load_shape
        from bozzetto.recipes.person import face_of
        from bozzetto.recipes.reconstructed import reconstruct, reposer
        from bozzetto.recipes.shaped import LEAST_OVERLAP, Placed
        from bozzetto.scene.scan import Outline
        from bozzetto.subject.surface import asked
        from bozzetto.types import UserError

        assert who.body is not None
        camera = who.shot.camera
        answer = asked(load_shape(), photo.picture, photo.mask, who.body, camera)
        face = None if photo.from_behind else face_of(photo)
        try:
            found = reconstruct(answer, who.scene, who.body, Outline(photo.mask > 0.5, camera))
        except ValueError:
            found = None
        if found is None or found.overlap < LEAST_OVERLAP:
            raise UserError(
                f"The network's surface does not meet the outline of the person in {photo.path.name}. Leave out "
                "--surface network: a figure is fitted more loosely. A photo of the whole person, standing, works best."
            )
        return Placed(found.vertices, found.faces, camera, found.overlap), reposer(answer, face, camera)

    def _painter(self) -> "bozzetto.prior.denoiser.Prior | None":
        if self.prior == "none":
            return None
        from bozzetto.prior.load import load

        return load(self.prior, self.device)


def _avatar(figure: "Figure") -> "Avatar":
    return figure.avatar


def _row(pictures: "list[ndarray]") -> "ndarray":
    import numpy as np

    return np.concatenate(pictures, axis=1)
