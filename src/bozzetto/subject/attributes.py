"""What was said of body, face, hair, pose and look, weighed into wishes; clothes are in ``clothes.py``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bozzetto.figure.colours import colour as cloth_colour
from bozzetto.figure.colours import eye_colour, hair_colour, skin_colour
from bozzetto.figure.people import Wishes
from bozzetto.figure.spec import Colour
from bozzetto.subject.description import Description, NounPhrase
from bozzetto.subject.lexicon import Effect
from bozzetto.subject.vocabulary import named_colour

OPPOSITES = {
    ("hair.length", "short"): "long", ("hair.length", "long"): "short",
    ("hair.texture", "curly"): "straight", ("hair.texture", "straight"): "wavy",
}  # fmt: skip
WITHOUT_EFFECT: dict[str, Any] = {
    "expression": "neutral", "stature": (-0.5, 0.5), "weight": (0.42, 0.56), "muscle": (0.35, 0.5), "freckles": 0.0,
    "blush": 0.0, "beard": "none",
}  # fmt: skip
HAIR_OF = {
    ("short", None): "short", ("short", "straight"): "short", ("short", "wavy"): "short", ("short", "curly"): "curly",
    ("medium", None): "shoulder", ("medium", "straight"): "shoulder", ("medium", "wavy"): "shoulder",
    ("medium", "curly"): "curly", ("long", None): "long straight", ("long", "straight"): "long straight",
    ("long", "wavy"): "long wavy", ("long", "curly"): "curly", (None, "curly"): "curly", (None, "wavy"): "long wavy",
    (None, "straight"): "long straight",
}  # fmt: skip
"""The style of a length and a texture."""
COLOUR_OF = {
    "hair": "hair.colour", "eyes": "eyes", "skin": "skin", "face": "skin", "lips": "lipstick", "lipstick": "lipstick",
    "eyeshadow": "eyeshadow", "beard": "weak hair",
}  # fmt: skip
"""The attribute that the colour of a part is."""
NAMED: dict[str, tuple[Effect, ...]] = {
    "lipstick": (("lipstick", "red"),), "eyeshadow": (("eyeshadow", "brown"),), "blush": (("blush", 0.6),),
    "freckles": (("weak freckles", 0.7),), "beard": (("weak beard", "full"),),
    "makeup": (("lipstick", "rose"), ("eyeshadow", "brown"), ("blush", 0.4)),
}  # fmt: skip
"""What a part means where it is only named."""
GONE: dict[str, Effect] = {
    "hair": ("hair.style", "bald"), "beard": ("beard", "none"), "freckles": ("freckles", 0.0),
    "makeup": ("without", "makeup"), "lipstick": ("without", "lipstick"), "blush": ("blush", 0.0),
    "eyeshadow": ("without", "eyeshadow"),
}  # fmt: skip
"""What a part means after "no"."""


def gather(description: Description) -> tuple[dict[str, list[Any]], set[str]]:
    """Every value said of every attribute, in order, and what must not be worn."""
    said: dict[str, list[Any]] = {}
    without: set[str] = set()
    parts = [(effect, False) for phrase in description.phrases for effect in _part_effects(phrase)]
    for (attribute, value), negated in [*description.effects, *parts]:
        if not negated and attribute == "without":
            without.add(value)
        elif not negated:
            said.setdefault(attribute, []).append(value)
        elif (attribute, value) in OPPOSITES:
            said.setdefault(attribute, []).append(OPPOSITES[attribute, value])
        elif attribute in WITHOUT_EFFECT:
            said.setdefault(attribute, []).append(WITHOUT_EFFECT[attribute])
        elif attribute == "hair.style":
            without.add(value)
    return said, without


def weigh(said: Mapping[str, list[Any]], without: set[str]) -> Wishes:
    """The wishes of the attributes; of two values of one the later counts, if nothing else is said."""

    def last(attribute: str) -> Any:
        return said[attribute][-1] if said.get(attribute) else None

    def shade(of: Callable[[str], Colour], *attributes: str) -> Colour | None:
        named = (named_colour(of, value) for name in attributes for value in reversed(said.get(name, [])))
        return next((colour for colour in named if colour), None)

    pronouns = [value for _, value in said.get("pronoun", [])]
    beards = said.get("beard") or said.get("weak beard", [])
    grown = [beard for beard in beards if beard not in ("none", "moustache")]
    skin = shade(skin_colour, "skin")
    return Wishes(
        presentation=last("presentation") or (pronouns[0] if pronouns else None),
        age=_ages(said.get("exact age") or said.get("age", [])),
        height=last("height"),
        stature=last("stature"),
        mass=last("mass"),
        weight=last("weight"),
        muscle=last("muscle"),
        proportions=last("proportions"),
        shoulders=last("shoulders"),
        hips=last("hips"),
        skin=Colour(f"{skin.name.removesuffix(' skin')} skin", skin.hex) if skin else None,
        eyes=shade(eye_colour, "eyes"),
        shape=last("shape"),
        brows=last("brows"),
        lips=last("lips"),
        lipstick=None if {"makeup", "lipstick"} & without else shade(cloth_colour, "lipstick"),
        eyeshadow=None if {"makeup", "eyeshadow"} & without else shade(cloth_colour, "eyeshadow"),
        blush=last("blush"),
        freckles=(said.get("freckles") or said.get("weak freckles") or [None])[-1],
        beard=(grown or beards or [None])[-1],
        expression=last("expression"),
        hair_style=_hair_style(said, without),  # type: ignore[arg-type]
        hair_colour=shade(hair_colour, "hair.colour", "weak hair"),
        pose=last("pose"),
        look=next((look for look in said.get("look", []) if look != "realistic"), last("look")),
    )


def _part_effects(phrase: NounPhrase) -> list[Effect]:
    """What a part of the body was said to be."""
    target, style = phrase.head.target, phrase.head.effects if phrase.head.target in ("hair", "beard") else ()
    if phrase.negated:
        if target == "hair" and style:
            return [("without", style[0][1])]
        return [GONE[target]] if target in GONE else []
    effects = list(style)
    name = " ".join(dict.fromkeys(phrase.colours[:2]))
    if name and target in COLOUR_OF:
        effects.append((COLOUR_OF[target], name))
    if not name or target in ("beard", "freckles"):
        effects += NAMED.get(target, ())
    return effects


def _ages(ranges: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The years all ranges share; where they disagree, the narrowest."""
    if not ranges:
        return None
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return (low, high) if low <= high else min(ranges, key=lambda ends: ends[1] - ends[0])


def _hair_style(said: Mapping[str, list[Any]], without: set[str]) -> str | None:
    styles = said.get("hair.style", [])
    if not styles:
        length, texture = said.get("hair.length", [None])[-1], said.get("hair.texture", [None])[-1]
        return HAIR_OF.get((length, texture))
    style = styles[-1]
    if style == "bald" and len(styles) > 1:
        style = styles[-2]
    elif style == "braids" and "dreadlocks" in styles:
        style = "dreadlocks"
    return None if style == "bald" and "bald" in without else style
