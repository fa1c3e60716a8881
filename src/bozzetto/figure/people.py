"""Plausible people: fills what a sentence left open, or draws a whole person from a seed.

Every attribute has its own generator, seeded by the seed and the attribute's name, so naming one more thing leaves
everything else about the person as it was.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

import numpy as np

from bozzetto.figure.colours import SKIN, colour, eye_colour, hair_colour, skin_colour, srgb_to_lab
from bozzetto.figure.spec import (
    BodySpec,
    BottomKind,
    Colour,
    DressKind,
    ExtraKind,
    FaceShape,
    FaceSpec,
    FigureSpec,
    Garment,
    GarmentKind,
    HairSpec,
    HairStyle,
    Look,
    OuterKind,
    PatternKind,
    Presentation,
    ShoeKind,
    TopKind,
)

T = TypeVar("T")

POSES = (
    "a-pose", "t-pose", "standing", "walking", "running", "sitting", "crouching", "kneeling", "lying", "jumping",
    "dancing", "waving", "arms crossed", "hands on hips", "arms up", "pointing", "thinking", "fighting", "kicking",
    "praying", "reading", "leaning", "stretching",
)  # fmt: skip

SLOTS: dict[str, tuple[str, ...]] = {
    "top": get_args(TopKind),
    "outer": get_args(OuterKind),
    "bottom": get_args(BottomKind),
    "dress": get_args(DressKind),
    "shoes": get_args(ShoeKind),
    "extra": get_args(ExtraKind),
}
SLOT_OF: dict[str, str] = {kind: slot for slot, kinds in SLOTS.items() for kind in kinds}
HEADWEAR = ("cap", "beanie", "brimmed hat", "top hat", "helmet", "headband")
EYEWEAR = ("glasses", "sunglasses")
NECKWEAR = ("scarf", "tie", "bow tie")


@dataclass(frozen=True)
class GarmentWish:
    """A garment as far as it was named: None is open."""

    kinds: tuple[GarmentKind, ...]
    """One of these, of one slot."""
    colour: Colour | None = None
    pattern: PatternKind | None = None
    second: Colour | None = None

    @property
    def slot(self) -> str:
        return SLOT_OF[self.kinds[0]]


@dataclass(frozen=True)
class Wishes:
    """A person as far as it was named: None is open, a pair of numbers is a range to draw from."""

    presentation: Presentation | None = None
    age: tuple[float, float] | None = None
    height: float | None = None
    """Metres."""
    stature: tuple[float, float] | None = None
    """Standard deviations from the mean height of that age."""
    mass: float | None = None
    """Kilograms."""
    weight: tuple[float, float] | None = None
    muscle: tuple[float, float] | None = None
    proportions: tuple[float, float] | None = None
    shoulders: tuple[float, float] | None = None
    hips: tuple[float, float] | None = None
    skin: Colour | None = None
    eyes: Colour | None = None
    shape: str | None = None
    brows: str | None = None
    lips: str | None = None
    lipstick: Colour | None = None
    eyeshadow: Colour | None = None
    blush: float | None = None
    freckles: float | None = None
    beard: str | None = None
    expression: str | None = None
    hair_style: HairStyle | None = None
    hair_colour: Colour | None = None
    garments: tuple[GarmentWish, ...] = ()
    without: frozenset[str] = frozenset()
    """Kinds or slots that must not be worn."""
    pose: str | None = None
    look: Look | None = None


# ---------------------------------------------------------------------------------------------------- the body

GROWTH_AGES = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 25, 55, 75, 95)
GROWTH = {
    "man": (102, 109, 115, 122, 128, 133, 138, 143, 149, 156, 164, 170, 173.5, 175.2, 176, 176.3, 176, 173, 169),
    "woman": (101, 108, 115, 121, 127, 133, 138, 144, 151, 157, 160.4, 162, 162.5, 163, 163, 163.3, 163, 160, 155.5),
}
"""Median standing heights in centimetres. Children: CDC 2000 growth charts; the old lose about 2 cm a decade."""


def median_height(presentation: Presentation, age: float) -> float:
    """Metres, of the middle person of that age; androgynous is halfway."""
    curves = [GROWTH[presentation]] if presentation in GROWTH else list(GROWTH.values())
    return float(np.mean([np.interp(age, GROWTH_AGES, curve) for curve in curves])) / 100


def height_spread(age: float) -> float:
    """The standard deviation of height as a share of the median."""
    return 0.047 if 10 <= age <= 15 else 0.04


def weight_of_mass(mass: float, height: float, age: float) -> float:
    """``BodySpec.weight`` of a mass in kilograms, by body mass index; children's indices are lower."""
    index = mass / height**2 + float(np.interp(age, (4, 12, 18), (7.0, 4.0, 0.0)))
    return float(np.interp(index, (15.5, 19, 23, 29, 38), (0.0, 0.25, 0.5, 0.75, 1.0)))


# ---------------------------------------------------------------------------------------------------- tables

TOPS: dict[str, dict[str, float]] = {
    "man": {"t-shirt": 5, "shirt": 5, "sweater": 3, "hoodie": 3, "turtleneck": 1, "tank top": 1},
    "woman": {"t-shirt": 4, "blouse": 4, "shirt": 3, "sweater": 3, "turtleneck": 2, "hoodie": 1.5, "tank top": 2},
    "child": {"t-shirt": 6, "sweater": 3, "hoodie": 3, "shirt": 2, "turtleneck": 0.5},
}
BOTTOMS: dict[str, dict[str, float]] = {
    "man": {"trousers": 6, "jeans": 5, "shorts": 2},
    "woman": {
        "trousers": 4,
        "jeans": 5,
        "leggings": 2,
        "knee skirt": 2,
        "long skirt": 1.5,
        "mini skirt": 1,
        "shorts": 1,
    },
    "boy": {"trousers": 4, "jeans": 4, "shorts": 4},
    "girl": {"trousers": 3, "jeans": 4, "shorts": 2, "leggings": 3, "knee skirt": 2, "long skirt": 0.5},
}
SHOES: dict[str, dict[str, float]] = {
    "man": {"sneakers": 5, "shoes": 4, "boots": 3, "sandals": 0.7},
    "woman": {"sneakers": 4, "shoes": 3, "boots": 3, "heels": 2.5, "sandals": 1.5},
    "child": {"sneakers": 6, "shoes": 2.5, "boots": 1.5, "sandals": 1.5},
}
OUTERS: dict[str, dict[str, float]] = {
    "man": {"jacket": 5, "coat": 3, "suit jacket": 2.5, "cardigan": 1.5, "vest": 1, "robe": 0.2},
    "woman": {"jacket": 4, "coat": 3.5, "cardigan": 3.5, "suit jacket": 1.5, "vest": 1, "robe": 0.2},
    "child": {"jacket": 5, "coat": 3, "cardigan": 2.5, "vest": 0.7},
}
DRESSES: dict[str, float] = {"knee dress": 5, "long dress": 4, "mini dress": 2}
EXTRAS: dict[str, float] = {
    "glasses": 5, "sunglasses": 2, "cap": 2.5, "beanie": 2, "brimmed hat": 2, "top hat": 0.4, "helmet": 0.7,
    "headband": 1, "scarf": 3, "belt": 2.5, "tie": 1.5, "bow tie": 0.8, "gloves": 1.5, "apron": 0.7,
}  # fmt: skip
HAIR_STYLES: dict[str, dict[str, float]] = {
    "man": {
        "short": 7, "side part": 4, "slicked back": 2.5, "buzz": 3, "spiky": 1.5, "curly": 2, "bald": 1.2, "afro": 0.8,
        "dreadlocks": 0.7, "shoulder": 1, "long straight": 0.6, "long wavy": 0.6, "ponytail": 0.5, "bun": 0.7,
        "mohawk": 0.4, "braids": 0.2,
    },
    "woman": {
        "shoulder": 4, "long straight": 5, "long wavy": 5, "bob": 4, "ponytail": 4, "bun": 3, "curly": 3, "pixie": 2.5,
        "braids": 2, "short": 1.5, "pigtails": 0.5, "afro": 1.2, "dreadlocks": 0.6, "side part": 0.4, "buzz": 0.3,
        "mohawk": 0.2,
    },
    "boy": {"short": 7, "side part": 3, "spiky": 2.5, "curly": 2, "buzz": 2, "afro": 0.8},
    "girl": {
        "pigtails": 3, "braids": 3, "ponytail": 4, "long straight": 4, "long wavy": 3, "bob": 3, "shoulder": 3,
        "curly": 2, "bun": 1, "afro": 0.8,
    },
}  # fmt: skip
NEUTRALS = {
    "black": 5.0, "navy": 4.0, "grey": 3.0, "charcoal": 3.0, "dark brown": 2.0, "beige": 2.0, "khaki": 1.5,
    "olive": 1.5,
    "light grey": 1.5, "tan": 1.0, "white": 1.0, "burgundy": 0.6, "dark green": 0.8,
}  # fmt: skip
ACCENTS = (
    "white", "cream", "light blue", "blue", "navy", "royal blue", "teal", "turquoise", "green", "dark green", "emerald",
    "olive", "sage", "mint", "yellow", "mustard", "orange", "rust", "coral", "peach", "red", "crimson", "burgundy",
    "maroon", "pink", "hot pink", "rose", "lavender", "purple", "plum", "indigo", "grey", "light grey", "charcoal",
    "black", "brown", "beige", "sky blue", "gold", "lime green", "magenta", "salmon",
)  # fmt: skip
JEANS = {"denim blue": 5.0, "dark blue": 3.0, "blue": 3.0, "light blue": 2.0, "black": 2.0, "grey": 1.0, "white": 0.5}
LEATHERS = {"black": 5.0, "brown": 3.0, "dark brown": 3.0, "tan": 2.0, "white": 1.0, "burgundy": 0.7, "navy": 0.6}
PATTERNS: dict[str, float] = {
    "plain": 14, "horizontal stripes": 2, "vertical stripes": 1.5, "plaid": 2, "dots": 1.5, "two-tone": 1, "print": 2,
}  # fmt: skip
NATURAL_HAIR = ("black", "dark brown", "brown", "light brown", "chestnut", "auburn", "ginger", "dark blonde", "blonde")
DYED_HAIR = ("pink", "blue", "teal", "purple", "green", "red", "lavender", "platinum", "orange")
NATURAL_EYES = ("dark brown", "brown", "hazel", "amber", "green", "blue", "grey")
LIPSTICKS = ("red", "crimson", "pink", "rose", "coral", "burgundy", "plum", "nude", "mauve", "brown")
EYESHADOWS = ("brown", "bronze", "gold", "silver", "grey", "purple", "blue", "green", "pink", "black")


class Draws:
    """Random choices of one person; each question has its own stream, so no answer shifts another."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, question: str) -> random.Random:
        return random.Random(f"{self.seed}/{question}")

    def chance(self, question: str, probability: float) -> bool:
        return self.of(question).random() < probability

    def between(self, question: str, ends: tuple[float, float]) -> float:
        return self.of(question).uniform(*ends)

    def weighted(self, question: str, weights: Mapping[str, float]) -> str:
        return self.of(question).choices(list(weights), list(weights.values()))[0]

    def choice(self, question: str, options: Sequence[T]) -> T:
        return self.of(question).choice(options)

    def normal(self, question: str, mean: float, spread: float) -> float:
        return min(max(self.of(question).gauss(mean, spread), 0.0), 1.0)


# ---------------------------------------------------------------------------------------------------- filling


def random_spec(seed: int) -> FigureSpec:
    """A plausible person from the whole space: everything that has a name may occur, looks, poses and extras too."""
    return complete(_random_wishes(Draws(seed)), seed)


def complete(wishes: Wishes, seed: int) -> FigureSpec:
    """The person with everything wished for, and everything else plausible beside it.

    Unnamed make-up, accessories, poses and looks stay away: they would say something the words did not.
    """
    draws = Draws(seed)
    body = _body(wishes, draws)
    face, hair = _head(wishes, body, draws)
    worn = _clothes(wishes, body, draws)
    return FigureSpec(
        body=body,
        face=face,
        hair=hair,
        pose=wishes.pose or "relaxed",
        look=wishes.look or "realistic",
        seed=draws.of("seed").randrange(2**31),
        **worn,
    )


def _presentation(wishes: Wishes, draws: Draws) -> Presentation:
    """As wished, else leaning on what else was wished, else even."""
    if wishes.presentation is not None:
        return wishes.presentation
    weights: dict[str, float] = {"woman": 46, "man": 46, "androgynous": 8}
    kinds = {kind for garment in wishes.garments for kind in garment.kinds}
    if wishes.beard not in (None, "none"):
        weights["woman"] = 2
    if wishes.lipstick or wishes.eyeshadow or kinds & {*SLOTS["dress"], "heels", "blouse", "mini skirt"}:
        weights["man"] = 6
    if wishes.hair_style == "pigtails":
        weights["man"] = 6
    return draws.weighted("presentation", weights)  # type: ignore[return-value]


def _age(wishes: Wishes, draws: Draws) -> float:
    ends = wishes.age
    if ends is None:
        if wishes.height is not None and wishes.height < 1.35:
            ends = (5.0, 10.0)
        else:
            band = {"child": 14.0, "young": 36.0, "middle": 30.0, "old": 20.0}
            grown = wishes.beard not in (None, "none") or "heels" in [k for g in wishes.garments for k in g.kinds]
            if grown or wishes.lipstick or wishes.muscle or (wishes.height or 0) > 1.6:
                del band["child"]
            if wishes.hair_colour in [hair_colour(name) for name in ("grey", "white", "silver", "salt and pepper")]:
                band = {"middle": 20.0, "old": 60.0}
            bands = {"child": (4.0, 17.9), "young": (18.0, 38.0), "middle": (38.0, 60.0), "old": (60.0, 92.0)}
            ends = bands[draws.weighted("age band", band)]
    return round(min(max(draws.between("age", ends), 4.0), 95.0), 1)


def _body(wishes: Wishes, draws: Draws) -> BodySpec:
    presentation, age = _presentation(wishes, draws), _age(wishes, draws)
    height = wishes.height
    if height is None:
        z = draws.between("stature", wishes.stature) if wishes.stature else draws.of("stature").gauss(0, 1)
        height = median_height(presentation, age) * (1 + height_spread(age) * min(max(z, -3.4), 3.4))
    height = round(min(max(height, 0.85), 2.4), 3)
    if wishes.mass is not None:
        weight = weight_of_mass(wishes.mass, height, age)
    elif wishes.weight is not None:
        weight = draws.between("weight", wishes.weight)
    else:
        weight = draws.normal("weight", 0.42 if age < 18 else 0.47 + 0.12 * min(age - 18, 40) / 40, 0.14)
    if wishes.muscle is not None:
        muscle = draws.between("muscle", wishes.muscle)
    else:
        peak = {"man": 0.55, "woman": 0.43}.get(presentation, 0.48)
        muscle = draws.normal("muscle", 0.35 if age < 15 else peak - 0.2 * max(age - 50, 0) / 45, 0.12)
    if wishes.proportions is not None:
        proportions = draws.between("proportions", wishes.proportions)
    else:
        proportions = draws.normal("proportions", 0.6, 0.15)
    return BodySpec(
        presentation=presentation,
        age=age,
        height=height,
        weight=round(weight, 3),
        muscle=round(muscle, 3),
        proportions=round(proportions, 3),
        shoulders=round(draws.between("shoulders", wishes.shoulders), 3) if wishes.shoulders else 0.5,
        hips=round(draws.between("hips", wishes.hips), 3) if wishes.hips else 0.5,
        identity=draws.of("identity").randrange(2**31),
    )


def _depth(skin: Colour) -> float:
    """0 the lightest skin, 1 the darkest."""
    lightness = float(srgb_to_lab(np.array(skin.srgb))[0])
    return min(max((86.0 - lightness) / 60.0, 0.0), 1.0)


def _skin(wishes: Wishes, draws: Draws) -> Colour:
    if wishes.skin is not None:
        return wishes.skin
    tones = list(SKIN)
    if (
        wishes.hair_colour in [hair_colour(name) for name in ("red", "ginger", "strawberry blonde")]
        or (wishes.freckles or 0) > 0
    ):
        tones = ["porcelain", "pale", "fair", "light", "rosy", "peach", "medium", "tan"]
    name = draws.choice("skin", tones)
    return Colour(f"{name} skin", skin_colour(name).hex)


def _hair_colour(age: float, depth: float, draws: Draws) -> Colour:
    if age > 38 and draws.chance("greying", float(np.interp(age, (38, 50, 65, 80), (0.05, 0.3, 0.75, 0.95)))):
        shades = {"salt and pepper": 3.0, "grey": 3.0, "silver": 1.5, "white": 0.2 if age < 60 else 3.0}
        return hair_colour(draws.weighted("hair", shades))
    if depth > 0.55:
        weights = {"black": 8.0, "jet black": 2.0, "dark brown": 3.0, "brown": 0.5}
    elif depth > 0.3:
        weights = {
            "black": 5.0,
            "dark brown": 5.0,
            "brown": 3.0,
            "chestnut": 1.0,
            "light brown": 1.0,
            "dark blonde": 0.4,
        }
    else:
        weights = {
            "black": 2.5, "dark brown": 3.0, "brown": 4.0, "light brown": 2.5, "chestnut": 1.5, "auburn": 1.2,
            "ginger": 1.2, "red": 1.0, "strawberry blonde": 0.8, "dark blonde": 2.0, "blonde": 3.0, "platinum": 0.6,
        }  # fmt: skip
    return hair_colour(draws.weighted("hair", weights))


def _head(wishes: Wishes, body: BodySpec, draws: Draws) -> tuple[FaceSpec, HairSpec]:
    skin = _skin(wishes, draws)
    depth, age = _depth(skin), body.age
    if depth > 0.5:
        eyes = {"dark brown": 6.0, "brown": 4.0, "hazel": 0.5, "amber": 0.3}
    elif depth > 0.3:
        eyes = {"dark brown": 3.0, "brown": 5.0, "hazel": 2.0, "green": 0.8, "amber": 0.7}
    else:
        eyes = {
            "brown": 3.0,
            "dark brown": 1.5,
            "hazel": 2.0,
            "green": 2.0,
            "blue": 4.0,
            "grey": 1.2,
            "light blue": 1.0,
        }
    freckles = wishes.freckles
    if freckles is None:
        freckles = (
            round(draws.between("freckled", (0.1, 0.4)), 2) if depth < 0.3 and draws.chance("freckles", 0.15) else 0.0
        )
    face = FaceSpec(
        skin=skin,
        eyes=wishes.eyes or eye_colour(draws.weighted("eyes", eyes)),
        shape=wishes.shape or draws.choice("shape", get_args(FaceShape)),  # type: ignore[arg-type]
        brows=wishes.brows or draws.weighted("brows", _brows(body)),  # type: ignore[arg-type]
        lips=wishes.lips or draws.weighted("lips", {"thin": 2.5, "medium": 5, "full": 2.5}),  # type: ignore[arg-type]
        lipstick=wishes.lipstick,
        eyeshadow=wishes.eyeshadow,
        blush=wishes.blush or 0.0,
        freckles=freckles,
        beard=wishes.beard or _beard(wishes, body, draws),  # type: ignore[arg-type]
        expression=wishes.expression or "neutral",  # type: ignore[arg-type]
    )
    style = wishes.hair_style or _hair_style(wishes, body, depth, draws)
    return face, HairSpec(style, wishes.hair_colour or _hair_colour(age, depth, draws))  # type: ignore[arg-type]


def _brows(body: BodySpec) -> dict[str, float]:
    """Children's brows are faint, men's the heaviest."""
    if body.age < 13:
        return {"thin": 5, "medium": 1}
    if body.presentation == "woman":
        return {"thin": 4, "medium": 5, "full": 1}
    return {"thin": 1.5, "medium": 5, "full": 3}


def _beard(wishes: Wishes, body: BodySpec, draws: Draws) -> str:
    if body.presentation != "man" or body.age < 19 or not draws.chance("beard", 0.42 if body.age > 24 else 0.25):
        return "none"
    return draws.weighted(
        "beard style", {"stubble": 4, "short": 3, "full": 2, "goatee": 1.2, "moustache": 1.2, "long": 0.5}
    )


def _hair_style(wishes: Wishes, body: BodySpec, depth: float, draws: Draws) -> str:
    table = dict(HAIR_STYLES[_wearer(body, ("man", "woman", "boy", "girl"), draws)])
    if depth > 0.5:
        table = {style: weight * (0.3 if style.startswith("long") else 1) for style, weight in table.items()}
    else:
        table["afro"] = table.get("afro", 0) * 0.1
    if body.age > 60:
        for style in ("mohawk", "spiky", "dreadlocks", "pigtails"):
            table.pop(style, None)
        table["bald"] = table.get("bald", 0) * 3
    if wishes.hair_colour is not None:
        table.pop("bald", None)
    kinds = {kind for garment in wishes.garments for kind in garment.kinds}
    if kinds & set(HEADWEAR) - {"headband"}:  # hats sit on flat hair
        table = {style: weight for style, weight in table.items() if style not in ("mohawk", "afro", "spiky", "bun")}
    if "hair" in wishes.without:
        return "bald"
    return draws.weighted("hair style", table)


# ---------------------------------------------------------------------------------------------------- clothes


def _wearer(body: BodySpec, groups: tuple[str, ...], draws: Draws) -> str:
    """Which table of habits this person follows; the androgynous follow either."""
    presentation = body.presentation
    if presentation == "androgynous":
        presentation = draws.choice("habits", ("woman", "man"))
    if body.age >= 15:
        return presentation
    return "child" if "child" in groups else {"woman": "girl", "man": "boy"}[presentation]


def _allowed(table: Mapping[str, float], wishes: Wishes) -> dict[str, float]:
    return {kind: weight for kind, weight in table.items() if kind not in wishes.without} or dict(table)


def _cloth_colour(slot: str, kind: str, draws: Draws) -> Colour:
    """Neutral legs and coats, an accent near the face, leather on the feet."""
    question = f"{slot} colour"
    if kind == "jeans":
        return colour(draws.weighted(question, JEANS))
    if slot == "shoes":
        table = {"white": 4.0, "black": 3.0, "grey": 2.0, "navy": 1.0, "red": 1.0} if kind == "sneakers" else LEATHERS
        return colour(draws.weighted(question, table))
    if kind in ("belt", "glasses", "sunglasses", "top hat", "helmet"):
        return colour(draws.weighted(question, {"black": 4, "brown": 3, "dark brown": 2, "tan": 1, "silver": 1}))
    if slot in ("bottom", "outer") and not draws.chance(f"{slot} is loud", 0.25):
        return colour(draws.weighted(question, NEUTRALS))
    return colour(draws.choice(question, ACCENTS))


def _second_colour(slot: str, first: Colour, draws: Draws) -> Colour:
    """A colour that shows on the first: light on dark, dark on light, or an accent."""
    light = float(srgb_to_lab(np.array(first.srgb))[0]) > 60
    options = (
        ("navy", "black", "red", "dark green", "brown", "blue") if light else ("white", "cream", "light grey", "yellow")
    )
    return colour(draws.choice(f"{slot} second", [name for name in options if colour(name) != first]))


def _garment(wish: GarmentWish, kind: str, slot: str, draws: Draws) -> Garment:
    first = wish.colour or _cloth_colour(slot, kind, draws)
    pattern = wish.pattern or "plain"
    second = wish.second
    if second is None:
        second = _second_colour(slot, first, draws) if pattern != "plain" else colour("white")
    return Garment(kind, first, pattern, second)  # type: ignore[arg-type]


def _clothes(wishes: Wishes, body: BodySpec, draws: Draws) -> dict[str, Any]:
    """The keyword arguments of ``FigureSpec`` for what is worn."""
    named: dict[str, GarmentWish] = {}
    extras: list[GarmentWish] = []
    for wish in wishes.garments:
        if wish.slot == "extra":
            extras.append(wish)
        else:
            named[wish.slot] = wish
    child = body.age < 18
    bare = {slot for slot in SLOTS if slot in wishes.without and not (child and slot in ("top", "bottom"))}
    if "dress" in named and ("top" in named or "bottom" in named):
        del named["dress"]
    if not {"top", "bottom", "dress"} & (set(named) | bare) and _wants_dress(wishes, body, named, draws):
        named["dress"] = GarmentWish(tuple(_allowed(DRESSES, wishes)))  # type: ignore[arg-type]

    worn: dict[str, Any] = {}
    if "dress" not in named:
        for slot in ("top", "bottom"):
            if slot not in bare and slot not in named:
                named[slot] = GarmentWish(tuple(_habit(slot, wishes, body, named, extras, draws)))  # type: ignore[arg-type]
    if "shoes" not in named and "shoes" not in bare:
        named["shoes"] = GarmentWish(tuple(_habit("shoes", wishes, body, named, extras, draws)))  # type: ignore[arg-type]
    if not wishes.garments and not bare and draws.chance("outer", 0.25):
        named["outer"] = GarmentWish(tuple(_habit("outer", wishes, body, named, extras, draws)))  # type: ignore[arg-type]
    for slot, wish in named.items():
        if slot in bare:
            continue
        kind = wish.kinds[0]
        if len(wish.kinds) > 1:
            habits = _habit(slot, wishes, body, named, extras, draws)
            weights = {kind: habits.get(kind, 0.0) for kind in wish.kinds}
            kind = draws.weighted(slot, weights if any(weights.values()) else dict.fromkeys(wish.kinds, 1.0))
        worn[slot] = _garment(wish, kind, slot, draws)
    worn["extras"] = tuple(
        _garment(wish, draws.choice(f"extra {index}", wish.kinds), f"extra {index}", draws)
        for index, wish in enumerate(extras)
    )
    return worn


def _wants_dress(wishes: Wishes, body: BodySpec, named: Mapping[str, GarmentWish], draws: Draws) -> bool:
    formal = any(kind in ("tie", "bow tie", "belt", "suit jacket") for wish in wishes.garments for kind in wish.kinds)
    if formal or any(kind in wishes.without for kind in SLOTS["dress"]):
        return False
    return draws.chance(
        "dress", 0.28 if _wearer(body, ("woman", "man", "boy", "girl"), draws) in ("woman", "girl") else 0
    )


def _habit(
    slot: str,
    wishes: Wishes,
    body: BodySpec,
    named: Mapping[str, GarmentWish],
    extras: Sequence[GarmentWish],
    draws: Draws,
) -> dict[str, float]:
    """How often each kind is worn in a slot by such a person beside what is already named."""
    kinds = {kind for wish in (*named.values(), *extras) if len(wish.kinds) == 1 for kind in wish.kinds}
    tables = {"top": TOPS, "bottom": BOTTOMS, "shoes": SHOES, "outer": OUTERS, "dress": {}}[slot]
    groups = tuple(tables)
    table = dict(tables[_wearer(body, groups, draws)]) if tables else dict(DRESSES)
    formal = bool(kinds & {"suit jacket", "tie", "bow tie", "top hat"})
    keep: dict[str, set[str]] = {}
    if formal:
        keep = {"top": {"shirt", "blouse"} if "tie" not in kinds and "bow tie" not in kinds else {"shirt"},
                "bottom": {"trousers"}, "shoes": {"shoes", "heels"}}  # fmt: skip
    elif "belt" in kinds:
        keep = {"bottom": {"trousers", "jeans"}}
    elif kinds & {"coat", "gloves", "beanie"}:
        keep = {"bottom": {"trousers", "jeans", "long skirt"}, "shoes": {"boots", "shoes", "sneakers"},
                "top": {"sweater", "turtleneck", "shirt", "hoodie", "blouse"}}  # fmt: skip
    elif "shorts" in kinds:
        keep = {"shoes": {"sneakers", "sandals"}, "top": {"t-shirt", "tank top", "shirt", "blouse", "hoodie"}}
    elif kinds & {"hoodie", "leggings"}:
        keep = {"shoes": {"sneakers", "boots"}}
    if slot in keep:
        table = {kind: weight for kind, weight in table.items() if kind in keep[slot]} or {min(keep[slot]): 1.0}
    return _allowed(table, wishes)


# ---------------------------------------------------------------------------------------------------- anyone


def _random_wishes(draws: Draws) -> Wishes:
    """What ``complete`` would leave out, drawn: patterns, outer garments, extras, make-up, expression, pose, look."""
    body = _body(Wishes(), draws)
    start = Wishes(presentation=body.presentation, age=(body.age, body.age))
    plain = _clothes(start, body, draws)
    garments = [plain[slot] for slot in ("top", "bottom", "dress", "shoes") if slot in plain]
    if draws.chance("anyone's outer", 0.35):
        named = {SLOT_OF[garment.kind]: GarmentWish((garment.kind,)) for garment in garments}
        kind = draws.weighted("anyone's outer kind", _habit("outer", start, body, named, (), draws))
        if kind == "suit jacket":  # over a shirt, with trousers of its cloth
            garments = [garment for garment in garments if SLOT_OF[garment.kind] in ("shoes",)]
            cloth = colour(draws.weighted("suit", NEUTRALS))
            shirt = colour(draws.choice("suit shirt", ("white", "light blue", "cream", "pink", "black")))
            garments = [Garment("shirt", shirt), Garment("trousers", cloth), Garment("suit jacket", cloth)]
            garments.append(Garment("shoes", colour(draws.weighted("suit shoes", LEATHERS))))
        else:
            garments.append(_garment(GarmentWish((kind,)), kind, "outer", draws))  # type: ignore[arg-type]
    garments = [_patterned(garment, draws) for garment in garments]
    if draws.chance("barefoot", 0.04):
        garments = [garment for garment in garments if SLOT_OF[garment.kind] != "shoes"]
    barefoot = not any(SLOT_OF[garment.kind] == "shoes" for garment in garments)
    garments += _random_extras(garments, body, draws)
    made_up = body.age >= 16 and draws.chance("make-up", 0.45 if body.presentation == "woman" else 0.04)
    dyed = 14 < body.age < 55 and draws.chance("dyed", 0.08)
    expressions = {"neutral": 5, "smiling": 4, "laughing": 1.5, "sad": 1, "angry": 1, "surprised": 1}
    looks = dict.fromkeys(get_args(Look), 1.0) | {"realistic": 22.0}
    return replace(
        start,
        lipstick=colour(draws.choice("lipstick", LIPSTICKS)) if made_up else None,
        eyeshadow=colour(draws.choice("eyeshadow", EYESHADOWS)) if made_up and draws.chance("shadowed", 0.5) else None,
        blush=round(draws.between("blush", (0.3, 0.9)), 2) if made_up and draws.chance("blushed", 0.5) else None,
        expression=draws.weighted("expression", expressions),
        hair_colour=hair_colour(draws.choice("dye", DYED_HAIR)) if dyed else None,
        garments=tuple(GarmentWish((g.kind,), g.colour, g.pattern, g.second) for g in garments),
        without=frozenset({"shoes"} if barefoot else ()),
        pose=draws.choice("pose", POSES),
        look=draws.weighted("look", looks),  # type: ignore[arg-type]
    )


def _patterned(garment: Garment, draws: Draws) -> Garment:
    slot = SLOT_OF[garment.kind]
    if slot == "shoes" or garment.kind in ("jeans", "suit jacket", "trousers"):
        return garment
    pattern = draws.weighted(f"{slot} pattern", PATTERNS)
    if pattern == "plain":
        return garment
    return replace(garment, pattern=pattern, second=_second_colour(slot, garment.colour, draws))


def _random_extras(garments: Sequence[Garment], body: BodySpec, draws: Draws) -> list[Garment]:
    """None to three extras that go with the clothes: ties on shirts, belts on trousers, one hat."""
    kinds = {garment.kind for garment in garments}
    table = dict(EXTRAS)
    if not kinds & {"trousers", "jeans"}:
        table.pop("belt")
    if "shirt" not in kinds or body.age < 8:
        del table["tie"], table["bow tie"]
    elif "suit jacket" in kinds:
        table["tie"], table["bow tie"] = 12.0, 3.0
    if body.age < 16:
        table.pop("top hat")
    if kinds & {"tank top", "shorts", "sandals"}:
        del table["gloves"], table["scarf"]
    chosen: list[str] = []
    count = int(draws.weighted("extras", {"0": 5, "1": 4, "2": 2, "3": 1}))
    for index in range(count):
        kind = draws.weighted(f"anyone's extra {index}", table)
        chosen.append(kind)
        for group in (HEADWEAR, EYEWEAR, NECKWEAR, (kind,)):
            if kind in group:
                for other in group:
                    table.pop(other, None)
    return [
        _garment(GarmentWish((kind,)), kind, f"extra {index}", draws)  # type: ignore[arg-type]
        for index, kind in enumerate(chosen)
    ]
