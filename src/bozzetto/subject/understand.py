"""A prompt as wishes: named things first, then what outfits and occupations usually mean."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from bozzetto.figure.colours import colour as cloth_colour
from bozzetto.figure.people import EYEWEAR, HEADWEAR, GarmentWish, Wishes
from bozzetto.subject import lexicon
from bozzetto.subject.attach import attach
from bozzetto.subject.attributes import gather, weigh
from bozzetto.subject.clothes import dye, garment_words, named_garments, one_each
from bozzetto.subject.description import Description
from bozzetto.subject.mentions import find_mentions, scope_negations
from bozzetto.subject.tokens import tokenise
from bozzetto.subject.vocabulary import split_phrases

MAKEUP = {"makeup", "lipstick", "eyeshadow"}


@dataclass(frozen=True)
class Understanding:
    """A prompt as wishes, before anything is filled in."""

    wishes: Wishes
    understood: tuple[str, ...]
    guessed: tuple[str, ...]
    missed: tuple[str, ...]


@cache
def understand(prompt: str) -> Understanding:
    """What a sentence says of a person."""
    tokens = tokenise(prompt)
    said = build(attach(scope_negations(find_mentions(tokens))))
    respelt = tuple(f'read "{token.respelt}" as "{token.text}"' for token in tokens if token.respelt)
    return replace(said, guessed=(*said.guessed, *respelt))


def build(description: Description) -> Understanding:
    """The wishes of everything said: named things first, then the guesses of outfits and occupations."""
    said, without = gather(description)
    wishes = weigh(said, without)
    named, usual, refused = named_garments(description.phrases, _usual_garments)
    without = _ruled_out(without | refused, named)
    garments, hidden = one_each(named)
    worked = {phrase.head.archetype: None for phrase in description.phrases if not phrase.negated}
    occupations = [name for name in worked if name]
    if description.wardrobe and not occupations:
        garments = dye(garments, description.wardrobe, description.wholly)
    wishes = replace(wishes, garments=tuple(garments), without=frozenset(without - MAKEUP))
    understood = _describe(wishes, without)
    if not understood and any(phrase.is_person for phrase in description.phrases):
        understood = ["a person"]
    guessed: list[str] = []
    wishes, added = _merge_guess(wishes, Wishes(garments=tuple(usual)), without)
    if added:
        guessed.append(f"with it: {_garment_list(added)}")
    for name in occupations:
        phrase = next(phrase for phrase in description.phrases if phrase.head.archetype == name)
        guess = _usual_clothes(name, phrase.own_colours or description.wardrobe)
        wishes, added = _merge_guess(wishes, guess, without)
        understood.append(f"a {phrase.text}")
        if added:
            guessed.append(f"{phrase.text}: {_garment_list(added)} are a guess")
    missed = [*description.missed, *(f"{wish.kinds[0]} (does not show)" for wish in hidden)]
    kept = tuple(word for word in dict.fromkeys(missed) if word not in lexicon.STOP)
    return Understanding(wishes, tuple(dict.fromkeys(understood)), tuple(guessed), kept)


def _usual_garments(outfit: str) -> tuple[GarmentWish, ...]:
    _, description = lexicon.OUTFITS.get(outfit, ((), ""))
    return understand(description).wishes.garments if description else ()


@cache
def _occupation(name: str) -> Wishes:
    return next(
        understand(said).wishes for names, said in lexicon.ARCHETYPES.items() if split_phrases(names)[0] == name
    )


def _usual_clothes(occupation: str, shades: Sequence[str]) -> Wishes:
    """An occupation's wishes, its clothes in a colour that was said of it: "a blue firefighter"."""
    guess = _occupation(occupation)
    if not shades:
        return guess
    shade = cloth_colour(shades[0])
    return replace(
        guess,
        garments=tuple(
            replace(wish, colour=shade) if wish.slot in ("top", "outer", "bottom", "dress") else wish
            for wish in guess.garments
        ),
    )


def _ruled_out(without: set[str], named: Sequence[GarmentWish]) -> set[str]:
    """The kinds and slots not to be worn: "no hat" is no headwear but what is named."""
    worn = {kind for wish in named for kind in wish.kinds}
    if "hat" in without:
        without = (without - {"hat"}) | (set(HEADWEAR) - worn)
    if "glasses" in without:
        without = without | (set(EYEWEAR) - worn)
    return without - {wish.slot for wish in named}


def _merge_guess(wishes: Wishes, guess: Wishes, without: set[str]) -> tuple[Wishes, list[GarmentWish]]:
    """The wishes with the guess where they are open, and the garments that came from it."""
    merged: dict[str, Any] = {
        name: getattr(guess, name)
        for name in Wishes.__dataclass_fields__
        if name not in ("garments", "without") and getattr(wishes, name) is None
    }
    slots = {wish.slot for wish in wishes.garments}
    kinds = {kind for wish in wishes.garments for kind in wish.kinds}
    refused = wishes.without | (guess.without - slots)
    added = [w for w in guess.garments if not _taken(w, slots, kinds) and not {w.kinds[0], w.slot} & without]
    return replace(wishes, garments=(*wishes.garments, *added), without=refused, **merged), added


def _taken(guess: GarmentWish, slots: set[str], kinds: set[str]) -> bool:
    """Whether what is worn leaves no room for a guessed garment."""
    kind, slot = guess.kinds[0], guess.slot
    return (
        (slot != "extra" and slot in slots)
        or (slot in ("top", "bottom") and "dress" in slots)
        or (slot == "dress" and bool(slots & {"top", "bottom"}))
        or kind in kinds
        or any(kind in group and kinds & set(group) for group in (HEADWEAR, EYEWEAR))
        or (kind in ("tie", "bow tie") and bool(kinds & {"tie", "bow tie", "turtleneck", "t-shirt", "hoodie"}))
    )


def _garment_list(wishes: Sequence[GarmentWish]) -> str:
    return ", ".join(map(garment_words, wishes))


def _describe(wishes: Wishes, without: set[str]) -> list[str]:
    """The wishes as short phrases."""
    lines: list[str] = []
    plain = {
        "presentation": wishes.presentation, "skin": wishes.skin, "eyes": wishes.eyes, "face": wishes.shape,
        "brows": wishes.brows, "lips": wishes.lips, "lipstick": wishes.lipstick, "eyeshadow": wishes.eyeshadow,
        "beard": wishes.beard, "expression": wishes.expression, "pose": wishes.pose, "look": wishes.look,
    }  # fmt: skip
    lines += [f"{label}: {getattr(value, 'name', value)}" for label, value in plain.items() if value]
    if wishes.age:
        low, high = wishes.age
        lines.append(f"age: about {(low + high) / 2:.0f}" if high - low < 1 else f"age: {low:.0f} to {high:.0f}")
    if wishes.height:
        lines.append(f"height: {wishes.height:.2f} m")
    elif wishes.stature:
        lines.append(
            f"height: {'tall' if sum(wishes.stature) > 1 else 'short' if sum(wishes.stature) < -1 else 'average'}"
        )
    for label, value in (("weight", wishes.weight), ("muscle", wishes.muscle), ("proportions", wishes.proportions)):
        if value:
            lines.append(f"{label}: {'high' if sum(value) > 1.1 else 'low' if sum(value) < 0.8 else 'average'}")
    for label, value in (("shoulders", wishes.shoulders), ("hips", wishes.hips)):
        if value:
            lines.append(f"{label}: {'broad' if sum(value) > 1 else 'narrow'}")
    if wishes.mass:
        lines.append(f"weight: {wishes.mass:.0f} kg")
    for label, value in (("freckles", wishes.freckles), ("blush", wishes.blush)):
        if value is not None:
            lines.append(f"{label}: {'none' if value == 0 else 'few' if value < 0.5 else 'many'}")
    hair = [word for word in (wishes.hair_style, wishes.hair_colour and wishes.hair_colour.name) if word]
    if hair:
        lines.append(f"hair: {', '.join(hair)}")
    lines += [garment_words(wish) for wish in wishes.garments]
    lines += [f"without {kind}" for kind in sorted(without)]
    return lines
