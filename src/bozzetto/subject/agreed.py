"""What several photos of one person say together: each is read by itself. Clothes, hair and age go by what most of them
say, man or woman and shoulders by all evidence at once.

One photo mistakes a hat for hair, hair that hangs behind the shoulders for short hair, shade for a darker cloth. Others
show it from another side, in other light.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from bozzetto.figure.colours import delta_e_2000, srgb_to_lab
from bozzetto.figure.people import EYEWEAR, HEADWEAR
from bozzetto.figure.spec import BodySpec, Colour, FigureSpec, Garment, HairSpec, Presentation
from bozzetto.subject.fit import Fitted, adult, presentation_of, shoulders_of
from bozzetto.subject.looks import named
from bozzetto.subject.photos import Photo
from bozzetto.subject.piles import Piles, Sorted
from bozzetto.types import UserError

Kind = TypeVar("Kind", bound=Hashable)
SLOTS = ("top", "outer", "bottom", "dress", "shoes")
LENGTHS = ("bald", "buzz", "short", "bob", "shoulder", "long straight")
"""Haircuts of the intake by how far they hang down; others have no length."""
GROWN = 18.0
"""Years from which on women and men differ in height."""
SAME = 22.0
"""CIEDE2000 below which what one photo calls hair is what another calls a hat."""
FACING = 60.0
"""Degrees to either side up to which a head shows what is on it and around its face."""


def fit_piles(piles: Piles, fit: Callable[[Photo, BodySpec | None], Fitted]) -> tuple[Fitted | None, ...]:
    """Each photo's own figure, None where too little of the person is seen; the first with what all photos say.

    Args:
        piles: Sorted photos.
        fit: Of one photo, with a body that is known or None.

    Raises:
        UserError: Too little of the person is seen in the best photo.
    """
    first, others = fit(piles.photos[0].photo, None), []
    for one in piles.photos[1:]:
        try:
            others.append(fit(one.photo, None))
        except UserError:
            others.append(None)  # it still teaches
    read = [(one, each) for one, each in zip(piles.photos, (first, *others), strict=True) if each is not None]
    if len(read) == 1:
        return first, *others
    spec = agreed(read)
    if spec.body != first.spec.body:
        first = fit(piles.photos[0].photo, spec.body)
    said = (
        f"Clothes, hair and what is on the head are as most of {len(read)} photos have them, the build as all together."
    )
    return replace(first, spec=replace(spec, pose=first.spec.pose), guesses=(*first.guesses, said)), *others


def agreed(read: Sequence[tuple[Sorted, Fitted]]) -> FigureSpec:
    """The person of all photos.

    Args:
        read: Photos with what each shows; the first is the best, and decides where others do not agree.
    """
    spec = read[0][1].spec
    whole = [each for one, each in read if one.body is not None] or [read[0][1]]
    dressed = [each.spec for each in whole]
    near = max(read, key=lambda each: _sharpness(each[0]))[1].spec
    hair, hat = _head(read, near)
    faces = [each.spec.face.skin for one, each in read if one.photo.face is not None]
    face = replace(near.face, skin=_middle(faces)) if faces else near.face
    worn = {*HEADWEAR, *EYEWEAR}
    heads = [each.spec for one, each in read if one.head is not None and abs(one.head_turn) < FACING] or [spec]
    shades = [[each for each in other.extras if each.kind in EYEWEAR] for other in heads]
    seen = [found[0] for found in shades if found]
    extras = [each for each in spec.extras if each.kind not in worn]
    extras += [hat] if hat else []
    extras += [replace(seen[0], colour=_middle([each.colour for each in seen]))] if 2 * len(seen) > len(heads) else []
    bearded = _most([each.face.beard != "none" for each in heads])
    return replace(
        spec, body=_body(whole, bearded), face=face, hair=hair, extras=tuple(extras), **_clothes(dressed)
    )  # fmt: skip


def _sharpness(one: Sorted) -> float:
    """How well a photo shows the face."""
    facing = one.photo.face is not None and abs(one.head_turn) < 45
    return one.head.side if one.head is not None and facing else 0.0


def _most(said: Sequence[Kind]) -> Kind:
    """What is said most often; of equals what was said first."""
    counts = Counter(said)
    return max(counts, key=lambda each: counts[each])


def _middle(colours: Sequence[Colour], brightest: float = 0.5) -> Colour:
    """The median in CIELAB of the brightest share, since more photos are too dark than too light; of the name that the
    nearest of them has."""
    lab = np.stack([srgb_to_lab(np.array(each.srgb)) for each in colours])
    brighter = lab[np.argsort(-lab[:, 0])[: int(np.ceil(brightest * len(lab)))]]
    middle = named(np.median(brighter, 0))
    return replace(middle, name=min(colours, key=lambda each: delta_e_2000(each, middle)).name)


def _body(whole: Sequence[Fitted], bearded: bool) -> BodySpec:
    """One of the bodies, of the kind that all say together, as heavy as they are in the middle; shoulders are told by
    those of that kind, since others' are too broad or too narrow for their own."""
    young = _most([each.spec.body.age < GROWN for each in whole])
    near = [each for each in whole if (each.spec.body.age < GROWN) == young]
    kinds: list[Presentation] = [each.spec.body.presentation for each in near]
    manly = [each.manly for each in near if each.manly is not None]
    kind: Presentation = "man" if bearded and "man" in kinds else presentation_of(manly) if manly else _most(kinds)
    alike = [each for each in near if each.spec.body.presentation == kind]
    first = alike[0].spec.body if alike else _other(near[0].spec.body, kind)
    weight = round(float(np.median([each.spec.body.weight for each in whole])), 3)
    return replace(first, weight=weight, shoulders=shoulders_of([each.shoulders for each in alike]))


def _other(body: BodySpec, kind: Presentation) -> BodySpec:
    return replace(body, presentation=kind) if body.age < GROWN else replace(adult(kind), age=body.age)


def _clothes(whole: Sequence[FigureSpec]) -> dict[str, Garment | None]:
    """By slot: of the kind and pattern that most photos show, in the colour between theirs."""
    dressed = _most([each.dress is not None for each in whole])
    alike = [each for each in whole if (each.dress is not None) == dressed]
    found: dict[str, Garment | None] = {}
    for slot in SLOTS:
        worn: list[Garment | None] = [getattr(each, slot) for each in alike]
        there = [each for each in worn if each is not None]
        if not _most([each is not None for each in worn]):
            found[slot] = None
            continue
        kind, pattern = _most([each.kind for each in there]), _most([each.pattern for each in there])
        patterned = [each for each in there if each.pattern == pattern]
        first = next((each for each in patterned if each.kind == kind), patterned[0])
        found[slot] = replace(first, kind=kind, colour=_middle([each.colour for each in patterned]))
    return found


def _head(read: Sequence[tuple[Sorted, Fitted]], near: FigureSpec) -> tuple[HairSpec, Garment | None]:
    """Hair and hat. What one photo takes for hair is the hat where another sees that colour as a hat.

    Args:
        read: All photos.
        near: What the one says that shows the face best.
    """
    specs = [each.spec for _, each in read]
    hats = [each for spec in specs for each in spec.extras if each.kind in HEADWEAR]
    hat: Garment | None = None
    if hats:
        shade = _middle([each.colour for each in hats])
        hatted = [each for each in specs if any(worn.kind in HEADWEAR for worn in each.extras)]
        misread = sum(each not in hatted and delta_e_2000(each.hair.colour, shade) < SAME for each in specs)
        facing = sum(abs(one.head_turn) < FACING for one, _ in read)
        if near in hatted or 2 * (len(hatted) + misread) > facing:
            hat, specs = Garment(_most([each.kind for each in hats]), shade), hatted
    tied = [each.hair.colour for each in specs if each.hair.style == "pigtails"]
    if len(tied) == len(specs) or (len(tied) > 1 and 4 * len(tied) >= len(specs)):
        return HairSpec("pigtails", _middle(tied, 1.0)), hat
    specs = [each for each in specs if each.hair.style != "pigtails"]  # one alone may have misread
    near = near if near in specs else specs[0]
    lengths = sorted((LENGTHS.index(each.hair.style) for each in specs if each.hair.style in LENGTHS), reverse=True)
    if not lengths or (hat is None and near.hair.style not in LENGTHS):
        return near.hair, hat
    style = LENGTHS[lengths[1] if len(lengths) > 2 else lengths[0]]  # one alone may have taken a collar for hair
    colours = [each.hair.colour for each in specs if each.hair.style != "bald"] or [near.hair.colour]
    return HairSpec(style, _middle(colours, 1.0)), hat  # it shines: half of the photos are too light
