"""A person from photos, changed by words: what the words name is theirs, all else stays as it was seen."""

from dataclasses import dataclass, replace
from typing import Any

from bozzetto.figure.people import Wishes, complete
from bozzetto.figure.spec import FigureSpec, Garment
from bozzetto.subject.understand import understand

FACE = ("skin", "eyes", "shape", "brows", "lips", "lipstick", "eyeshadow", "blush", "freckles", "beard")
"""What wishes and ``FaceSpec`` have in common; the expression is nobody's identity, and always the words'."""
BUILD = ("height", "stature", "mass", "weight", "muscle", "proportions", "shoulders", "hips")
_WORN = ("top", "outer", "bottom", "dress", "shoes")


@dataclass(frozen=True)
class Reworded:
    """The person after the words."""

    spec: FigureSpec
    changed: frozenset[str]
    """Slots whose clothes are no longer those of the photos ("top", "extras", …), "hair", "face", "build"."""
    understood: tuple[str, ...]
    missed: tuple[str, ...]
    """Words that had no effect."""
    refused: tuple[str, ...]
    """What the words ask for and the photos decide, in sentences."""


def reword(spec: FigureSpec, prompt: str, face: bool, body: bool) -> Reworded:
    """The person as the photos and the words together have it.

    Args:
        spec: Of the photos.
        prompt: May be empty.
        face: Whether words may change face and hair.
        body: Whether words may change build and clothes.
    """
    read = understand(prompt) if prompt.strip() else None
    if read is None:
        return Reworded(spec, frozenset(), (), (), ())
    wishes, refused, changed = read.wishes, list[str](), set[str]()
    wishes = replace(wishes, presentation=spec.body.presentation, age=(spec.body.age, spec.body.age))
    if read.wishes.presentation not in (None, spec.body.presentation) or read.wishes.age is not None:
        refused.append("Age and sex stay those of the photos.")
    asked = complete(wishes, spec.seed)
    new = replace(
        spec,
        face=replace(spec.face, expression=wishes.expression or spec.face.expression),  # type: ignore[arg-type]
        pose=wishes.pose or spec.pose,
        look=wishes.look or spec.look,
    )
    features = [name for name in FACE if getattr(wishes, name) is not None]
    hair = [name for name in ("style", "colour") if getattr(wishes, f"hair_{name}") is not None]
    if (features or hair) and not face:
        named = _and([*features, *(["hair"] if hair else [])])
        refused.append(f"The photos decide {named}; --face both lets words in.")
    elif features or hair:
        new = replace(new, face=replace(new.face, **{name: getattr(asked.face, name) for name in features}))
        new = replace(new, hair=replace(new.hair, **{name: getattr(asked.hair, name) for name in hair}))
        changed |= {"face"} if features else set()
        changed |= {"hair"} if hair else set()
    build = any(getattr(wishes, name) is not None for name in BUILD)
    worn = bool(wishes.garments or wishes.without)
    if (build or worn) and not body:
        refused.append("The photos decide build and clothes; --body both lets words in.")
        build = worn = False
    if build:
        alike = ("muscle", "proportions", "shoulders", "hips")
        shape = {name: getattr(asked.body, name) for name in alike if getattr(wishes, name)}
        if wishes.height is not None or wishes.stature is not None:
            shape["height"] = asked.body.height
        if wishes.mass is not None or wishes.weight is not None:
            shape["weight"] = asked.body.weight
        new, changed = replace(new, body=replace(new.body, **shape)), changed | {"build"}
    if worn:
        clothes = _worn(spec, asked, wishes)
        new = replace(new, **clothes)
        changed |= {slot for slot in (*_WORN, "extras") if getattr(new, slot) != getattr(spec, slot)}
    return Reworded(new, frozenset(changed), read.understood, read.missed, tuple(refused))


def _worn(spec: FigureSpec, asked: FigureSpec, wishes: Wishes) -> dict[str, Any]:
    """What is worn: named things first, then what the photos show that is not ruled out and has room beside them."""
    named = {wish.slot for wish in wishes.garments}
    worn: dict[str, Any] = {slot: getattr(asked if slot in named else spec, slot) for slot in _WORN}
    for slot in _WORN:
        old = worn[slot]
        if slot not in named and old is not None and {slot, old.kind} & wishes.without:
            worn[slot] = None
    if "dress" in named:
        worn["top"] = worn["bottom"] = None
    elif worn["dress"] is not None and named & {"top", "bottom"}:
        worn["dress"] = None
    if worn["dress"] is None:  # nobody is left without what the words do not name
        for slot in ("top", "bottom"):
            if worn[slot] is None and slot not in wishes.without:
                worn[slot] = getattr(spec, slot) or getattr(asked, slot)
    if named & {"top", "dress"} and "outer" not in named:
        worn["outer"] = None  # or the named thing would not be seen
    kinds = {kind for wish in wishes.garments for kind in wish.kinds}
    kept: tuple[Garment, ...] = tuple(
        each for each in spec.extras if each.kind not in kinds and each.kind not in wishes.without
    )
    worn["extras"] = (*kept, *asked.extras)
    return worn


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def told(spec: FigureSpec) -> str:
    """The person in one sentence, as captions of the embedded prior have it: all that is worn, no pose, no view."""
    body = {"woman": "woman", "man": "man", "androgynous": "person"}[spec.body.presentation]
    if spec.body.age < 18:
        body = {"woman": "girl", "man": "boy", "androgynous": "child"}[spec.body.presentation]
    age = "elderly " if spec.body.age >= 65 else ""
    hair = "a bald head" if spec.hair.style == "bald" else f"{spec.hair.style} {spec.hair.colour.name} hair"
    beard = "" if spec.face.beard == "none" else f" and a {spec.face.beard} beard"
    worn = [f"{each.colour.name} {each.kind}" for each in (spec.outer, *_inner(spec), *spec.extras) if each]
    article = "an" if age else "a"
    return f"{article} {age}{body} with {hair}{beard}" + (f", wearing {_and(worn)}" if worn else "")


def _inner(spec: FigureSpec) -> tuple[Garment | None, ...]:
    return spec.top, spec.dress, spec.bottom, spec.shoes
