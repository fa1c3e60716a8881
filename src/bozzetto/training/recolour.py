"""The same picture in other clothes: garments and hair take new colours, and the captions say so.

A thousand people wear too few outfits to learn colours from. What light does to a plain garment is known from the
picture itself, a pixel's brightness over that of its colour; times another colour it is what the renderer would have
drawn, up to tinted light and highlights.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from bozzetto.figure.colours import colour, hair_colour
from bozzetto.figure.people import ACCENTS, DYED_HAIR, NATURAL_HAIR
from bozzetto.figure.spec import Colour, FigureSpec, Garment
from bozzetto.training.data import Shard, spoken
from bozzetto.types import linear_to_srgb, srgb_to_linear

LOOKS = ("realistic", "toon", "anime", "chibi", "low-poly", "clown", "snouted", "horned", "skull")
"""In which things have the colours they are said to have."""
SLOTS = ("top", "outer", "bottom", "dress", "shoes")
TEXTURED = ("jeans", "suit jacket")
DARK = 0.02
"""Linear luminance of a colour below which a picture's 256 levels do not show what light does to it."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
LINEAR = srgb_to_linear(np.arange(256) / 255.0)


def recoloured(
    shard: Shard, place: int, rng: np.random.Generator, share: float = 0.7
) -> tuple[UInt8[ndarray, "h w 3"], dict[str, Any], FigureSpec] | None:
    """A picture, its record and its person with some colours exchanged; None where there is nothing to exchange.

    Args:
        shard: Where the picture is.
        place: Which of the shard's.
        rng: Draws what changes and the words.
        share: Of garments that change; of hair half as many.
    """
    record = shard.records[place]
    spec, layers = shard.specs[record["person"]], shard.people[record["person"]]["layers"]
    if spec.look not in LOOKS:
        return None
    changes: dict[str, Any] = {}
    paint: list[tuple[str, Colour, Colour]] = []
    for slot in SLOTS:
        worn: Garment | None = getattr(spec, slot)
        if worn is None or slot not in layers or worn.pattern != "plain" or worn.kind in TEXTURED:
            continue
        if rng.random() < share and _luminance(worn.colour) > DARK:
            new = colour(ACCENTS[rng.integers(len(ACCENTS))])
            changes[slot] = replace(worn, colour=new)
            paint.append((slot, worn.colour, new))
    if "hair" in layers and rng.random() < share / 2 and _luminance(spec.hair.colour) > DARK:
        names = NATURAL_HAIR if rng.random() < 0.7 else DYED_HAIR
        new = hair_colour(list(names)[rng.integers(len(names))])
        changes["hair"] = replace(spec.hair, colour=new)
        paint += [(name, spec.hair.colour, new) for name in ("hair", "brows", "beard") if name in layers]
    if not paint:
        return None
    picture, ids = shard.one("rgb", place), shard.one("layer", place)
    out = LINEAR[picture].astype(np.float32)
    for name, old, new in paint:
        inside = ids == layers.index(name) + 1
        if inside.any():
            light = out[inside] @ LUMINANCE / _luminance(old)
            light = np.minimum(light, 1.2 * np.quantile(light, 0.9))  # pixels of the edge are half background
            out[inside] = light[:, None] * _linear(new)
    told = replace(spec, pose=record["pose"], **changes)
    seed = int(rng.integers(2**62))
    encoded = linear_to_srgb(np.clip(out, 0, 1)) * 255 + 0.5
    return encoded.astype(np.uint8), {**record, "captions": spoken(told, seed, record["crop"], 2)}, told


def _linear(named: Colour) -> Float[ndarray, "3"]:
    return srgb_to_linear(np.asarray(named.srgb, np.float32))


def _luminance(named: Colour) -> float:
    return float(_linear(named) @ LUMINANCE)
