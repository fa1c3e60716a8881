"""AvatarBooth, modes II and III: a person from photos, and from photos and words. Zeng et al. 2023, arXiv:2306.09864.

Two networks learn the person, one from full bodies and one from heads (``personal``), and judge the field in place of
the untouched one (``booth``). The first figure stands as in the best photo and is dressed as most of them say; with
words, it wears what they name. Then its weight, its age where that may be a child's, skirts and coats are tried out
against the outlines in all photos. The photos' own pixels, without their light, are laid onto it where the figure
stands well in them, and stay; distillation changes the rest.

Mode II of the paper: no words, or words that change nothing. Mode III: words that do. What serves face and body is a
choice for each: "photos" (its tuned network, the person's rare word), "text" (the untouched network, words alone) or
"both" (the tuned network, the rare word and the words). With words the face is the photos' and the body both; the
release's own hybrid is body "text".

Departs from the paper: the steps are few and the rate is high, since the embedded prior is small, unless given;
prompts hold a description of what is worn beside the rare word, so that clothes are tied to their names and words can
change them; photos' pixels are projected. A last stage of img2img is left out unless asked for (``booth.polished``):
with the embedded prior it made nothing crisper.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tyro.conf import OmitArgPrefixes

import bozzetto
from bozzetto.recipes.avatarbooth import AvatarBooth
from bozzetto.recipes.draft import figure_of
from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

    import bozzetto.figure.build
    import bozzetto.figure.ground_truth
    import bozzetto.figure.spec
    import bozzetto.prior.tune
    import bozzetto.recipes.personal
    import bozzetto.recipes.projected
    import bozzetto.subject.fit
    import bozzetto.subject.piles
    import bozzetto.subject.reworded
    import bozzetto.subject.words
    import bozzetto.types

Source: TypeAlias = Literal["photos", "text", "both"]


@dataclass(frozen=True)
class Personalize:
    """A person from 1 to 20 photos, and words that change them."""

    face: Source | None = None
    """What serves the face: photos (the network tuned on heads), text (the untouched one, and the words) or both.
    Without it: photos."""
    body: Source | None = None
    """What serves the body. Without it: photos; both where there are words that change something."""
    token: str = "sks"
    """The rare word for the person."""
    tuned: bool = True
    """Tune networks on the photos; else the untouched ones judge."""
    dual: bool = True
    """A network for the body and one for the head; else one for both."""
    body_steps: int = 80
    """Of tuning the body's network; 800 for a large prior."""
    head_steps: int = 80
    """Of tuning the head's network on photos; 900 in the paper."""
    again_steps: int = 60
    """Of tuning it on photos and drawn views: the pose-consistent constraint. 500 in the paper; none leaves it out."""
    tuning_rate: float = 1e-4
    """AdamW's; 1e-6 in the paper."""
    tuning_batch: int = 2
    """Pictures a step."""
    class_pictures: int = 12
    """Drawn of anybody, whose look is to be kept; 100 for a large prior."""
    rank: int = 0
    """Of LoRA; 0 tunes whole networks."""
    around: int = 8
    """Views of the head that are drawn for the second tuning."""
    alike: float = 0.5
    """Cosine of identities below which a drawn view is left out, where there is an identity encoder."""
    outlines: bool = True
    """Take the build from the outlines in all photos, which takes as long again; else from the best photo alone."""
    projected: int = 6
    """Photos whose own pixels are used, at most."""
    booth: OmitArgPrefixes[AvatarBooth] = AvatarBooth(steps=100)

    def __post_init__(self) -> None:
        counts = (self.body_steps, self.head_steps, self.again_steps, self.class_pictures, self.rank, self.projected)
        if min(counts) < 0 or min(self.tuning_batch, self.around) < 1 or self.tuning_rate <= 0:
            raise ValueError("steps and counts must be 0 or more; tuning_batch, around and tuning_rate more than 0.")
        if not self.token.strip():
            raise ValueError("token must be a word.")

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        """
        Raises:
            UserError: None of the photos can be used, or the prior lacks a role.
        """
        return self.resume(subject, {})

    def resume(
        self, subject: "bozzetto.types.Subject", state: Mapping[str, Any], folder: Path | None = None
    ) -> Iterator[Step]:
        """The steps from where a state was taken.

        Args:
            subject: Photos, and words or none.
            state: Of a step of the distillation; empty for the first.
            folder: Where tunings are kept while they run: they go on from there.
        """
        from bozzetto.subject.photos import intake_picture

        person = first_person(subject, self)
        figure = cache(lambda: figure_of(person.changed.spec))
        intake = {"intake.png": intake_picture([one.photo for one in person.piles.photos], 256)}
        yield Step(0, "photos", person.reading, avatar=lambda: figure().avatar, pictures=intake)
        first = figure()
        yield Step(1, "figure", person.reading, avatar=lambda: first.avatar, share=0.02, shown=True)

        from bozzetto.body.landmarks import face_contours
        from bozzetto.recipes.booth import Booth, load_priors, weight_files
        from bozzetto.recipes.field import character, field_of, joints
        from bozzetto.recipes.painting import paint_first, paint_over

        index, built, known = 2, first, {}
        quick, person = person, first_person(subject, self, outlines=self.outlines)
        if person.fits is not quick.fits:
            built = figure_of(person.changed.spec)
            outlined = built.avatar
            yield Step(index, "build by outlines", person.reading, avatar=lambda: outlined, share=0.03)
            index += 1
        before = built
        if person.changed.spec != person.fitted.spec:
            before = figure_of(person.fitted.spec)
        dressed = built
        if self.booth.init == "figure" and self.projected:
            for stage, done in self._pixels(person, built, before):
                if done is not None:
                    dressed = replace(built, avatar=done.avatar)
                    known = dict.fromkeys(done.layers, done.known)
                shown = dressed.avatar
                yield Step(index, stage, person.reading, avatar=lambda shown=shown: shown, share=0.05)
                index += 1

        start = field_of(dressed, self.booth.init, own_face=self.booth.pictures_first > 0)
        field = replace(start, known=known)
        priors = load_priors(self.booth)
        weights = weight_files(priors)

        def made() -> "bozzetto.types.Avatar":
            return character(field, self.booth.deliver)

        index = _FIRST_TUNING
        for step in self._tunings(person, field.stance, priors, folder, made):
            yield replace(step, index=index, weights=weights)
            index += 1
        index = _FIRST_TUNING + self.body_steps + self.head_steps + self.again_steps + 2
        words: dict[Literal["body", "head"], str] = {
            "body": person.words(self, "body"), "head": person.words(self, "face"),
        }  # fmt: skip
        stance, lines = field.stance, face_contours(field.stance.body)
        booth = Booth(self.booth, field.scene, stance.box, stance.head, priors, words, joints(stance), lines)
        if state:
            booth.restore(state)
        yield Step(index, "start", person.reading, avatar=made, share=_TUNED, state=booth.state, weights=weights)
        if self.booth.pictures_first and not booth.painted:
            paint_first(booth)
            yield Step(index + 1, "painting", person.reading, avatar=made, share=_TUNED, state=booth.state)
        for number in range(booth.done, self.booth.steps):
            loss = booth.step(number)
            share = _TUNED + (1 - _TUNED) * (number + 1) / self.booth.steps
            yield Step(index + 2 + number, "distillation", person.reading, made, loss, share, state=booth.state)
        index += 2 + self.booth.steps
        if self.booth.polished and not booth.polished:
            paint_over(booth)
            yield Step(index, "polishing", person.reading, avatar=made, share=1.0, state=booth.state)
        yield Step(index + 1, "character", person.reading, avatar=cache(made), share=1.0, state=booth.state)

    def source(self, region: Literal["face", "body"], words: bool) -> Source:
        """What serves a region.

        Args:
            region: Which.
            words: Whether there are any that change something.
        """
        chosen = self.face if region == "face" else self.body
        if chosen is not None:
            return chosen
        return "both" if region == "body" and words else "photos"

    def tuning(self) -> "bozzetto.recipes.personal.Tuning":
        """How networks are tuned."""
        from bozzetto.prior.tune import DreamBooth
        from bozzetto.recipes.booth import template
        from bozzetto.recipes.personal import Tuning

        def dreambooth(steps: int, crop: Literal["body", "head"]) -> DreamBooth:
            sides: tuple[Literal["front", "side", "back"], ...] = ("front", "side", "back")
            others = tuple(template("a photo of a person", crop, side, self.booth.templates) for side in sides)
            return DreamBooth(
                others, steps, self.tuning_rate, self.tuning_batch, float(self.class_pictures > 0),
                self.class_pictures, 12, self.rank, seed=self.booth.seed, checkpoint_every=25,
            )  # fmt: skip

        final = dreambooth(self.again_steps, "head") if self.again_steps else None
        return Tuning(
            dreambooth(self.body_steps, "body"), dreambooth(self.head_steps, "head"), final, self.around,
            self.alike, seed=self.booth.seed,
        )  # fmt: skip

    def _pixels(
        self, person: "Person", figure: "bozzetto.figure.build.Figure", before: "bozzetto.figure.build.Figure"
    ) -> "Iterator[tuple[str, bozzetto.recipes.projected.Painted | None]]":
        """The figure with the photos' pixels, where they may be used and can be placed."""
        from bozzetto.recipes.human_sgd import HumanSGD
        from bozzetto.recipes.personal import mapped
        from bozzetto.recipes.projected import evenly_lit, on_its_face, paint, placed
        from bozzetto.subject.reworded import told

        mine = person.painted(self)
        if not (mine.face or mine.hair or mine.rest):
            return
        found = []
        for one, own in list(zip(person.piles.photos, person.fits, strict=True))[: self.projected]:
            yield f"placing {one.name}", None
            if own is None:
                continue  # too little of the person is seen to place it; it still teaches
            each = placed(one, own, figure)
            if each.why_not is None:
                found.append(on_its_face(each))
            else:
                yield f"{one.name} only teaches: {each.why_not}", None
        if not found:
            return
        painted = yield from mapped(
            paint(figure, before, evenly_lit(found), told(person.fitted.spec), mine, HumanSGD(fusion_steps=8)),
            lambda said: (said[0], None),
        )
        yield "pixels", painted

    def _tunings(
        self,
        person: "Person",
        stance: "bozzetto.figure.ground_truth.Stance",
        priors: "dict[Any, Any]",
        folder: Path | None,
        made: Any,
    ) -> Iterator[Step]:
        """Puts tuned networks in the place of the priors, where photos serve a region."""
        from bozzetto.prior.tune import Examples
        from bozzetto.recipes.personal import examples, mapped, surround, tune_body, tune_head

        if not self.tuned:
            return
        tuning, style, said = self.tuning(), self.booth.templates, person.rare(self)
        body, head = priors["body"], priors["head"]
        bodies = person.piles.bodies if person.source(self, "body") != "text" else ()
        heads = person.piles.heads if person.source(self, "face") != "text" else ()
        total = self.body_steps * bool(bodies) + (self.head_steps + self.again_steps) * bool(heads and self.dual)
        count = 0

        def told(stage: str) -> "Callable[[bozzetto.prior.tune.TuneStep], Step]":
            def step(one: "bozzetto.prior.tune.TuneStep") -> Step:
                nonlocal count
                count += 1
                share = 0.1 + (_TUNED - 0.1) * min(count / max(total, 1), 1.0)
                return Step(0, stage, person.reading, made, one.loss, share)

            return step

        shown = [examples(bodies, "body", said, style, body.native_size)] if bodies else []
        if heads and not self.dual:
            shown.append(examples(heads, "head", said, style, body.native_size))
        if shown:
            both = Examples(_joined([each.images for each in shown]), tuple(p for each in shown for p in each.prompts))
            priors["body"] = yield from mapped(tune_body(body, both, tuning, folder), told("tuning the body"))
        if not self.dual:
            priors["head"] = priors["body"]
        elif heads:
            compare = head.identity if "identity" in head.roles else None
            stages = {"first": told("tuning the head"), "final": told("tuning the head again")}
            rounds = yield from mapped(
                tune_head(
                    head, examples(heads, "head", said, style, head.native_size),
                    surround(stance, tuning.views, head.native_size, said, style), compare, tuning, folder,
                ),
                lambda one: stages[one[0]](one[1]),
            )  # fmt: skip
            priors["head"] = rounds.prior
            if len(rounds.drawn):
                stage = f"drawn heads: {int(rounds.kept.sum())} of {len(rounds.kept)} learned"
                picture = {"views.png": views_picture(rounds)}
                yield Step(0, stage, person.reading, made, share=_TUNED, pictures=picture)


_TUNED = 0.5
"""Share of the work that is done when distillation begins."""
_FIRST_TUNING = 64
"""Steps before it have smaller numbers, however many photos there are."""


@dataclass(frozen=True)
class Kept:
    """The recipe with a folder for its tunings, so that a stopped one goes on."""

    recipe: Personalize
    folder: Path

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        return self.resume(subject, {})

    def resume(self, subject: "bozzetto.types.Subject", state: Mapping[str, Any]) -> Iterator[Step]:
        return self.recipe.resume(subject, state, self.folder)


@dataclass(frozen=True, eq=False)
class Person:
    """Who the photos and the words show."""

    piles: "bozzetto.subject.piles.Piles"
    fitted: "bozzetto.subject.fit.Fitted"
    """To the best photo, with what all photos say."""
    fits: "tuple[bozzetto.subject.fit.Fitted | None, ...]"
    """To each of the photos by itself, as far as it could be."""
    changed: "bozzetto.subject.reworded.Reworded"
    reading: "bozzetto.subject.words.Reading"
    prompt: str

    @property
    def edits(self) -> bool:
        """Mode III: the words change something."""
        return self.changed.spec != self.fitted.spec

    def source(self, recipe: Personalize, region: Literal["face", "body"]) -> Source:
        return recipe.source(region, self.edits)

    def rare(self, recipe: Personalize) -> str:
        """How the photos are called while networks learn them."""
        from bozzetto.subject.reworded import told

        return f"a photo of {recipe.token}, {told(self.fitted.spec)}"

    def words(self, recipe: Personalize, region: Literal["face", "body"]) -> str:
        """How a region is asked for."""
        from bozzetto.subject.reworded import told

        source = self.source(recipe, region)
        if source == "photos":
            return self.rare(recipe) if recipe.tuned else f"a photo of {told(self.fitted.spec)}"
        asked = f"{told(self.changed.spec)}, {self.prompt}".rstrip(", ")
        return f"a photo of {recipe.token}, {asked}" if source == "both" and recipe.tuned else f"a photo of {asked}"

    def painted(self, recipe: Personalize) -> "bozzetto.recipes.projected.Mine":
        """What of the figure the photos' pixels may paint."""
        from bozzetto.recipes.projected import Mine

        face, body = (self.source(recipe, region) for region in ("face", "body"))
        changed = self.changed.changed
        new = set(self.changed.spec.extras) - set(self.fitted.spec.extras)
        return Mine(
            face != "text" and "face" not in changed, face != "text" and "hair" not in changed, body != "text",
            frozenset(changed - {"face", "hair", "build", "extras"}) | {each.kind for each in new},
        )  # fmt: skip


def first_person(subject: "bozzetto.types.Subject", recipe: Personalize, outlines: bool = False) -> Person:
    """The photos read and sorted, the best one fitted, the words read.

    Args:
        subject: Photos, and words or none.
        recipe: Which regions the words may change.
        outlines: Whether the build is what all photos' outlines say, which takes as long again.

    Raises:
        UserError: None of the photos can be used, or none of the words is understood.
    """
    from bozzetto.prior.load import EMBEDDED
    from bozzetto.subject.reworded import reword
    from bozzetto.subject.words import LONGEST, Reading
    from bozzetto.types import UserError

    if len(subject.prompt) > LONGEST:
        raise UserError(f"The prompt has {len(subject.prompt):,} characters; bozzetto reads at most {LONGEST:,}.")
    piles, fits = _read(subject.photos)
    if outlines:
        fits = _outlined(piles, fits)
    fitted = fits[0]
    assert fitted is not None
    face, body = (getattr(recipe, name) for name in ("face", "body"))
    changed = reword(fitted.spec, subject.prompt, face in ("text", "both"), body != "photos")
    if subject.prompt.strip() and not changed.understood and not changed.refused:
        missed = ", ".join(map(repr, changed.missed[:8])) or repr(subject.prompt[:40])
        raise UserError(
            f"None of these words says how the person is to be changed: {missed}. Words for clothes, colours, hair, "
            'build and poses work, in English: "in a red dress". Without --prompt the person stays as photographed.'
        )
    said = list(piles.words())
    if not piles.bodies:
        said.append("No photo shows the body: its network is not tuned, and build and clothes below are a guess")
    if not piles.heads:
        said.append("No photo shows the head large enough: its network is not tuned")
    guessed = [*fitted.guesses, *changed.refused]
    if recipe.tuned and recipe.again_steps and not (EMBEDDED / "identity" / "config.json").is_file():
        guessed.append(
            "Nobody checks whose face the drawn heads have, nor that all photos show one person: the embedded prior's "
            "identity part is not installed."
        )
    understood = tuple(line.rstrip(".") for line in (*said, *changed.understood))
    reading = Reading(changed.spec, understood, tuple(each.rstrip(".") for each in guessed), changed.missed)
    return Person(piles, fitted, fits, changed, reading, subject.prompt.strip())


@lru_cache(maxsize=1)
def _read(
    paths: "tuple[Path, ...]",
) -> "tuple[bozzetto.subject.piles.Piles, tuple[bozzetto.subject.fit.Fitted | None, ...]]":
    """Read once, also where a run is taken up again."""
    from bozzetto.prior.load import EMBEDDED, load_shape
    from bozzetto.subject import piles
    from bozzetto.subject.agreed import fit_piles
    from bozzetto.subject.detector import need_mediapipe
    from bozzetto.subject.fit import fit_person

    need_mediapipe()  # it is no photo's fault
    found = piles.sort_photos(paths)
    if (EMBEDDED / "identity" / "config.json").is_file():
        found = piles.of_one_person(found, _heads_told_apart, SAME_PERSON)
    return found, fit_piles(found, partial(fit_person, network=load_shape()))


@lru_cache(maxsize=1)
def _outlined(
    piles: "bozzetto.subject.piles.Piles", fits: "tuple[bozzetto.subject.fit.Fitted | None, ...]"
) -> "tuple[bozzetto.subject.fit.Fitted | None, ...]":
    """The same fits where there are too few of whole people."""
    from bozzetto.prior.load import load_shape
    from bozzetto.subject.fit import fit_person
    from bozzetto.subject.outlines import outlined

    return outlined(piles, fits, partial(fit_person, network=load_shape()))


SAME_PERSON = 0.5
"""Cosine of identities from which two photos may show one person: of one synthetic person's heads each had a neighbour
at 0.7 or more, strangers reached 0.6 and, alike, 0.8."""


def _heads_told_apart(heads: "Sequence[bozzetto.subject.piles.Sorted]") -> "ndarray":
    import torch

    from bozzetto.prior.load import load
    from bozzetto.recipes.personal import GREYS, examples

    pictures = examples(heads, "head", "", "plain", 64).images[1 :: len(GREYS)]
    with torch.no_grad():
        return load("embedded").identity(pictures).numpy()


def views_picture(rounds: "bozzetto.recipes.personal.Rounds") -> "ndarray":
    """The drawn heads in a row; those that were left out are dimmed."""
    import numpy as np

    shown = rounds.drawn.numpy() * np.where(rounds.kept.numpy(), 1.0, 0.35)[:, None, None, None]
    large = np.concatenate(list(shown), 1).repeat(3, 0).repeat(3, 1)
    return (large * 255 + 0.5).clip(0, 255).astype(np.uint8)


def _joined(pictures: "list[Tensor]") -> "Tensor":
    import torch

    return torch.cat(pictures)
