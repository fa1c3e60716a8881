"""What was said of clothes as wishes for garments: one a slot, the outermost."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bozzetto.figure.colours import colour as cloth_colour
from bozzetto.figure.people import EYEWEAR, SLOT_OF, SLOTS, GarmentWish
from bozzetto.subject import lexicon
from bozzetto.subject.description import NounPhrase
from bozzetto.subject.vocabulary import lemma

LENGTHS = {
    ("dress", "mini"): "mini dress", ("dress", "knee"): "knee dress", ("dress", "long"): "long dress",
    ("skirt", "mini"): "mini skirt", ("skirt", "knee"): "knee skirt", ("skirt", "long"): "long skirt",
    ("trousers", "short"): "shorts",
}  # fmt: skip
LAYERING = {
    kind: rank
    for kinds in (
        ("tank top", "t-shirt", "shirt", "blouse", "turtleneck", "sweater", "hoodie"),
        ("vest", "cardigan", "suit jacket", "jacket", "robe", "coat"),
        ("leggings", "shorts", "jeans", "trousers", "knee skirt", "long skirt", "mini skirt"),
    )
    for rank, kind in enumerate(kinds)
}
"""Of two in one slot, the one that shows."""
PATTERN_NAMES = ("plaid", "print")


def named_garments(
    phrases: Sequence[NounPhrase], usual_of: Callable[[str], Sequence[GarmentWish]]
) -> tuple[list[GarmentWish], list[GarmentWish], set[str]]:
    """What is named, what outfit words add as a guess, and the kinds that must not be worn.

    Args:
        usual_of: What an outfit's name usually means.
    """
    named: list[GarmentWish] = []
    guessed: list[GarmentWish] = []
    without: set[str] = set()
    for phrase in phrases:
        if not phrase.is_worn:
            continue
        if phrase.negated:
            without |= _refused(phrase)
        elif phrase.head.target == "garment":
            named.append(_garment_wish(phrase, phrase.kinds))
        else:
            usual = usual_of(phrase.text)
            _add_outfit(named, phrase, usual)
            guessed += [wish for wish in usual if wish.kinds[0] not in phrase.kinds]
    return named, guessed, without


def one_each(wishes: Sequence[GarmentWish]) -> tuple[list[GarmentWish], list[GarmentWish]]:
    """One garment a slot, the outermost, and one extra of each kind; then those that do not show."""
    kept: dict[str, GarmentWish] = {}
    hidden: list[GarmentWish] = []
    for wish in wishes:
        key = wish.kinds[0] if wish.slot == "extra" else wish.slot
        other = kept.get(key)
        if other is None:
            kept[key] = wish
        elif wish.kinds == other.kinds or len(wish.kinds) > 1:  # said twice: the later adds to the earlier
            kept[key] = GarmentWish(other.kinds, wish.colour or other.colour, wish.pattern or other.pattern,
                                    wish.second or other.second)  # fmt: skip
        else:
            below, above = sorted((other, wish), key=_layer)  # stable: of equals the later shows
            kept[key] = above
            hidden.append(below)
    if "dress" in kept:
        hidden += [kept.pop(slot) for slot in ("top", "bottom") if slot in kept]
    return list(kept.values()), hidden


def dye(wishes: Sequence[GarmentWish], shades: Sequence[str], wholly: bool) -> list[GarmentWish]:
    """Garments named without a colour take the wardrobe's; top and bottom come in where none was named."""
    colours = [cloth_colour(name) for name in shades]
    dyed = list(wishes)
    slots = {wish.slot for wish in wishes}
    if "dress" not in slots:
        missing = [slot for slot in ("top", "bottom") if slot not in slots]
        dyed += [GarmentWish(SLOTS[slot]) for slot in missing]  # type: ignore[arg-type]
    if wholly and "shoes" not in slots:
        dyed.append(GarmentWish(("sneakers", "boots", "shoes")))
    for index, wish in enumerate(dyed):
        if wish.colour is None and (wish.slot != "extra" or wholly):
            dyed[index] = replace(wish, colour=colours[-1] if wish.slot == "bottom" else colours[0])
    return dyed


def _layer(wish: GarmentWish) -> int:
    return LAYERING.get(wish.kinds[0], 0)


def garment_words(wish: GarmentWish) -> str:
    """A wish as a short phrase: "red plaid shirt"."""
    parts = [wish.colour.name if wish.colour else "", wish.pattern if wish.pattern not in (None, "plain") else ""]
    return " ".join(part for part in (*parts, " or ".join(wish.kinds[:3])) if part)


def _garment_wish(phrase: NounPhrase, kinds: tuple[str, ...]) -> GarmentWish:
    said = dict(phrase.effects)
    if said.get("becomes") in SLOT_OF:
        kinds = (said["becomes"],)
    if "length" in said:
        kinds = (LENGTHS.get((phrase.targets[0], said["length"]), kinds[0]),)
    names, pattern, second = phrase.colours, phrase.pattern, None
    noun = phrase.text.replace(" 's", "'s")
    implied = (lexicon.IMPLIED.get(noun) or lexicon.IMPLIED.get(lemma(noun)) or "").split()
    if implied and implied[-1] in PATTERN_NAMES:
        named = implied.pop()
        pattern = pattern or named
    pattern = pattern or said.get("pattern")
    if not names:
        names = [" ".join(implied)] if implied else [said["fallback"]] if "fallback" in said else []
    if len(names) > 1:
        first, other = (names[1], names[0]) if phrase.late_second and pattern else (names[0], names[1])
        names, second = [first], cloth_colour(other)
        pattern = "two-tone" if pattern in (None, "plain") else pattern
    colour = cloth_colour(names[0]) if names else None
    if "second only" in said:
        colour, second = None, colour
    return GarmentWish(kinds, colour, pattern, second)  # type: ignore[arg-type]


def _add_outfit(named: list[GarmentWish], outfit: NounPhrase, usual: Sequence[GarmentWish]) -> None:
    """Each garment of a "suit" or a "uniform", as its name usually means it where nothing else is said."""
    plain = replace(outfit, effects=[effect for effect in outfit.effects if effect[0] in ("fallback", "pattern")])
    first = SLOT_OF[outfit.kinds[0]]
    for kind in outfit.kinds:
        wish = _garment_wish(plain, (kind,))
        default = next((other for other in usual if kind in other.kinds), None)
        if default is not None:
            wish = replace(wish, colour=wish.colour or default.colour, pattern=wish.pattern or default.pattern)
        if wish.colour is None and SLOT_OF[kind] != first:
            wish = replace(wish, colour=next((other.colour for other in named if other.slot == first), None))
        named.append(wish)


def _refused(phrase: NounPhrase) -> set[str]:
    """The kinds and slots that "no" and a noun rule out; "hat" and "glasses" stand for all of those."""
    noun, slot = phrase.text.rstrip("s"), SLOT_OF[phrase.kinds[0]]
    if phrase.text in ("hat", "hats", "headwear", "headgear"):
        return {"hat"}
    if slot in ("shoes", "outer") and noun in ("shoe", "footwear", "jacket", "coat"):
        return {slot}
    if slot == "top" and noun in ("shirt", "top"):
        return {"top"}
    if set(phrase.kinds) & set(EYEWEAR) and phrase.text == "glasses":
        return {"glasses"}
    if slot == "dress":
        return set(SLOTS["dress"])
    if slot == "bottom" and phrase.text.endswith("skirt"):
        return {kind for kind in SLOTS["bottom"] if kind.endswith("skirt")}
    return set(phrase.kinds)
