"""Random people are plausible, diverse, dressed and the same for the same seed; captions of them read back."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bozzetto.figure.captions import captions, described
from bozzetto.figure.colours import colour, delta_e_2000, delta_e_2000_lab, nearest_name, srgb_to_lab, lab_to_srgb
from bozzetto.figure.colours import CLOTH, find_colour
from bozzetto.figure.people import GarmentWish, Wishes, complete, median_height, random_spec
from bozzetto.figure.spec import Colour, FigureSpec, from_json, to_json
from bozzetto.subject.words import read_words
from bozzetto.types import UserError

SPECS = [random_spec(seed) for seed in range(300)]


def came_back(spec: FigureSpec, read: FigureSpec, name: str) -> bool:
    """Whether a reading has an attribute that a caption of ``spec`` mentions."""
    if name.startswith("extras."):
        _, kind, *field = name.split(".")
        worn = {extra.kind: extra for extra in spec.extras}
        found = next((extra for extra in read.extras if extra.kind == kind), None)
        return found is not None and (field == ["kind"] or _same(getattr(worn[kind], field[0]), getattr(found, field[0])))  # type: ignore[arg-type]
    special = {
        "tall": read.body.height > median_height(read.body.presentation, read.body.age),
        "small": read.body.height < median_height(read.body.presentation, read.body.age),
        "low weight": read.body.weight < 0.45, "high weight": read.body.weight > 0.55,
        "high muscle": read.body.muscle > 0.6,
        "body.age": abs(read.body.age - spec.body.age) <= 25,
        "face.freckles": read.face.freckles > 0.2,
    }  # fmt: skip
    if name in special:
        return special[name]
    wanted: Any = spec
    found: Any = read
    for part in name.split("."):
        wanted, found = getattr(wanted, part, None), getattr(found, part, None)
    return _same(wanted, found)


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Colour) and isinstance(found, Colour):
        return delta_e_2000(wanted, found) < 8
    return wanted == found
