"""The parametric person: everything about a figure that has a name, as frozen data.

A ``FigureSpec`` is complete: building it twice gives the same figure. ``words.py`` makes one from a sentence,
``random.py`` draws one from the whole space.
"""

import json
import math
import re
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

Presentation: TypeAlias = Literal["woman", "man", "androgynous"]
FaceShape: TypeAlias = Literal["oval", "round", "square", "heart", "long", "diamond"]
Thickness: TypeAlias = Literal["thin", "medium", "full"]
BeardStyle: TypeAlias = Literal["none", "stubble", "moustache", "goatee", "short", "full", "long"]
HairStyle: TypeAlias = Literal[
    "bald", "buzz", "short", "side part", "slicked back", "spiky", "pixie", "bob", "shoulder", "long straight",
    "long wavy", "curly", "afro", "ponytail", "bun", "braids", "pigtails", "dreadlocks", "mohawk",
]  # fmt: skip
TopKind: TypeAlias = Literal["tank top", "t-shirt", "shirt", "blouse", "sweater", "turtleneck", "hoodie"]
OuterKind: TypeAlias = Literal["vest", "cardigan", "jacket", "suit jacket", "coat", "robe"]
BottomKind: TypeAlias = Literal["trousers", "jeans", "shorts", "leggings", "mini skirt", "knee skirt", "long skirt"]
DressKind: TypeAlias = Literal["mini dress", "knee dress", "long dress"]
ShoeKind: TypeAlias = Literal["sneakers", "boots", "shoes", "heels", "sandals"]
ExtraKind: TypeAlias = Literal[
    "glasses", "sunglasses", "cap", "beanie", "brimmed hat", "top hat", "helmet", "headband", "scarf", "belt", "tie",
    "bow tie", "gloves", "apron",
]  # fmt: skip
GarmentKind: TypeAlias = TopKind | OuterKind | BottomKind | DressKind | ShoeKind | ExtraKind
PatternKind: TypeAlias = Literal[
    "plain", "horizontal stripes", "vertical stripes", "plaid", "dots", "two-tone", "print"
]
Look: TypeAlias = Literal[
    "realistic", "toon", "anime", "chibi", "clay", "marble", "bronze", "wood", "low-poly", "skull", "clown", "robot",
    "snouted", "horned",
]  # fmt: skip
Expression: TypeAlias = Literal["neutral", "smiling", "laughing", "sad", "angry", "surprised"]


@dataclass(frozen=True)
class Colour:
    """A named colour."""

    name: str
    """As people say it: "navy blue"."""
    hex: str
    """sRGB, "#rrggbb"."""

    def __post_init__(self) -> None:
        if not re.fullmatch("#[0-9a-fA-F]{6}", self.hex):
            raise ValueError(f"{self.hex!r:.40} is no colour; write one as #rrggbb.")

    @property
    def srgb(self) -> tuple[float, float, float]:
        """Each channel in [0, 1]."""
        red, green, blue = (int(self.hex[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return red, green, blue


WHITE = Colour("white", "#f2f2f0")
BLACK = Colour("black", "#1c1c1e")
BROWN = Colour("brown", "#5a3825")


@dataclass(frozen=True)
class BodySpec:
    """The body under everything."""

    presentation: Presentation = "androgynous"
    age: float = 30.0
    """Years, 4 to 95."""
    height: float = 1.70
    """Metres, standing barefoot."""
    weight: float = 0.5
    """0 very thin, 0.5 average, 1 very heavy."""
    muscle: float = 0.5
    """0 slack, 0.5 average, 1 athlete."""
    proportions: float = 0.5
    """0 uncommon, 1 idealised."""
    identity: int = 0
    """Seed of the small differences in face and body that no word names; 0 for none, the average of all."""
    shoulders: float = 0.5
    """0 narrow, 0.5 as ``identity`` has them, 1 broad."""
    hips: float = 0.5
    """The same."""


@dataclass(frozen=True)
class FaceSpec:
    """Skin and face."""

    skin: Colour = Colour("medium skin", "#c68f6e")
    eyes: Colour = Colour("brown", "#5b3a1e")
    shape: FaceShape = "oval"
    brows: Thickness = "medium"
    lips: Thickness = "medium"
    lipstick: Colour | None = None
    eyeshadow: Colour | None = None
    blush: float = 0.0
    """0 none, 1 strong."""
    freckles: float = 0.0
    """0 none, 1 many."""
    beard: BeardStyle = "none"
    expression: Expression = "neutral"


@dataclass(frozen=True)
class HairSpec:
    """Hair of the head; beard and brows follow its colour, a little darker."""

    style: HairStyle = "short"
    colour: Colour = BROWN


@dataclass(frozen=True)
class Garment:
    """One thing that is worn."""

    kind: GarmentKind
    colour: Colour
    pattern: PatternKind = "plain"
    second: Colour = WHITE
    """The pattern's other colour; unused where plain."""
    pitch: float | None = None
    """Metres from one stripe, check or dot to the next; the cloth's own choice where None."""


@dataclass(frozen=True)
class FigureSpec:
    """One dressed person. Nobody is ever undressed: where nothing is named, base-layer underwear is worn."""

    body: BodySpec = BodySpec()
    face: FaceSpec = FaceSpec()
    hair: HairSpec = HairSpec()
    top: Garment | None = None
    """Against the skin, above the waist. Children always wear one, or a dress."""
    outer: Garment | None = None
    """Over the top."""
    bottom: Garment | None = None
    dress: Garment | None = None
    """Instead of top and bottom."""
    shoes: Garment | None = None
    """None is barefoot."""
    extras: tuple[Garment, ...] = ()
    pose: str = "a-pose"
    """For pictures; the character file always rests in a T-pose. Names are those of ``body.poses``."""
    look: Look = "realistic"
    seed: int = 0
    """Of everything left over: wrinkles, strands, print motifs."""

    def __post_init__(self) -> None:
        slots: dict[str, tuple[Garment | None, Any]] = {
            "top": (self.top, TopKind),
            "outer": (self.outer, OuterKind),
            "bottom": (self.bottom, BottomKind),
            "dress": (self.dress, DressKind),
            "shoes": (self.shoes, ShoeKind),
        }
        for slot, (garment, kinds) in slots.items():
            if garment is not None and garment.kind not in get_args(kinds):
                raise ValueError(f"{garment.kind!r} is no {slot}; choose from {', '.join(get_args(kinds))}.")
        if self.dress is not None and (self.top is not None or self.bottom is not None):
            raise ValueError("A dress takes the place of top and bottom; leave both None.")
        if self.body.age < 18 and self.dress is None and (self.top is None or self.bottom is None):
            raise ValueError("Children are always fully dressed: give a top and a bottom, or a dress.")

    @property
    def garments(self) -> tuple[Garment, ...]:
        """Everything worn, inside out."""
        worn = (self.shoes, self.bottom, self.top, self.dress, self.outer, *self.extras)
        return tuple(garment for garment in worn if garment is not None)


def to_json(spec: FigureSpec) -> str:
    """Readable JSON that ``from_json`` turns back into an equal spec."""
    return json.dumps(asdict(spec), indent=2)


def attribute(spec: FigureSpec, path: str) -> Any:
    """What a dotted path of a caption names: "hair.colour", "top.kind"."""
    value: Any = spec
    for name in path.split("."):
        value = getattr(value, name)
    return value


def from_json(text: str) -> FigureSpec:
    """The spec written by ``to_json``.

    Raises:
        ValueError: Not JSON, an unknown field, or a value outside its field's choices.
    """
    return _parse(FigureSpec, json.loads(text), "spec")


_hints = cache(get_type_hints)
"""Of a class's fields; slow to read, and a shard of training pictures has many specs."""


def _parse(kind: Any, value: Any, where: str) -> Any:
    """``value`` as an instance of ``kind``, checked all the way down."""
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"{where} must be an object, not {value!r}.")
        hints = _hints(kind)
        unknown = set(value) - {field.name for field in fields(kind)}
        if unknown:
            raise ValueError(f"{where} has no field {', '.join(sorted(unknown))}.")
        return kind(**{name: _parse(hints[name], item, f"{where}.{name}") for name, item in value.items()})  # type: ignore[operator]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{where} is {value!r}; choose from {', '.join(map(str, get_args(kind)))}.")
        return value
    if get_origin(kind) is tuple:
        return tuple(_parse(get_args(kind)[0], item, where) for item in value)
    choices = get_args(kind)
    if choices:  # a union
        if value is None and type(None) in choices:
            return None
        present = [choice for choice in choices if choice is not type(None)]
        for choice in present[:-1]:
            try:
                return _parse(choice, value, where)
            except ValueError:
                continue
        return _parse(present[-1], value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}, which is no measure.")
    if kind is int and isinstance(value, int) and value < 0:
        raise ValueError(f"{where} is {value}; it must be 0 or more.")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} must be {kind.__name__}, not {value!r}.")
    return value
