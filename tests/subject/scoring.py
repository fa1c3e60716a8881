"""How many of the attributes that a prompt names a spec has: one scorer for both halves of the prompts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bozzetto.figure.colours import colour, delta_e_2000, eye_colour, hair_colour, skin_colour
from bozzetto.figure.spec import Colour, FigureSpec
from bozzetto.types import UserError

CLOSE = 15.0
"""CIEDE2000 within which a colour is the one that was named."""
SHADES: dict[str, Callable[[str], Colour]] = {
    "face.skin": skin_colour,
    "face.eyes": eye_colour,
    "hair.colour": hair_colour,
}
DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class Score:
    right: int
    total: int
    wrong: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.right / max(self.total, 1)


def value_at(spec: FigureSpec, path: str) -> Any:
    """The value of a dotted path; None below a garment that is not worn."""
    value: Any = spec
    for name in path.split("."):
        value = getattr(value, name) if value is not None else None
    return value


def holds(found: Any, expected: Any, path: str) -> bool:
    """Whether a value is what a prompt asks for: one of a list, in a range, a colour by look, a pose by substring."""
    if isinstance(expected, list):
        return any(holds(found, option, path) for option in expected)
    if isinstance(expected, dict) and "range" in expected:
        low, high = expected["range"]
        return found is not None and low <= found <= high
    if found is None or expected is None:
        return found is expected
    if isinstance(found, Colour):
        options = [shade for of in dict.fromkeys((SHADES.get(path, colour), colour)) if (shade := _named(of, expected))]
        return any(delta_e_2000(found, option) <= CLOSE for option in options)
    if path == "pose":
        return str(expected).lower() in found.lower()
    return found == expected


def _named(of: Callable[[str], Colour], name: str) -> Colour | None:
    try:
        return of(name)
    except UserError:
        return None


def has_extra(spec: FigureSpec, expected: dict[str, Any]) -> dict[str, bool]:
    """By field of an expected extra, whether some worn extra of that kind has it."""
    kinds = expected["kind"] if isinstance(expected["kind"], list) else [expected["kind"]]
    worn = [extra for extra in spec.extras if extra.kind in kinds]
    found = {"kind": bool(worn)}
    for name in expected.keys() - {"kind"}:
        found[name] = any(holds(getattr(extra, name), expected[name], f"extra.{name}") for extra in worn)
    return found


def forbidden(spec: FigureSpec, path: str, banned: Any) -> bool:
    """Whether the spec has what a prompt rules out."""
    if path == "extras":
        kinds = [item["kind"] if isinstance(item, dict) else item for item in banned]
        return any(extra.kind in kinds for extra in spec.extras)
    return holds(value_at(spec, path), banned, path)


def score(spec: FigureSpec, expect: dict[str, Any], forbid: dict[str, Any]) -> Score:
    """One point an attribute, an extra's kind and each of its fields, and one a thing ruled out that is absent."""
    points: list[tuple[str, bool]] = []
    for path, expected in expect.items():
        if path == "extras":
            for extra in expected:
                extra = extra if isinstance(extra, dict) else {"kind": extra}
                points += [(f"extra {extra['kind']} {name}", good) for name, good in has_extra(spec, extra).items()]
        else:
            points.append(
                (f"{path}: {value_at(spec, path)} not {expected}", holds(value_at(spec, path), expected, path))
            )
    points += [(f"forbidden {path} {banned}", not forbidden(spec, path, banned)) for path, banned in forbid.items()]
    return Score(sum(good for _, good in points), len(points), tuple(text for text, good in points if not good))


def score_file(name: str, read: Callable[[str], FigureSpec]) -> Score:
    """All prompts of a file of ``tests/data`` together; a prompt refused with a ``UserError`` scores nothing."""
    right, total, wrong = 0, 0, []
    for entry in json.loads((DATA / name).read_text()):
        expect, forbid = entry["expect"], entry.get("forbid") or {}
        try:
            spec = read(entry["prompt"])
        except UserError:
            whole = score(FigureSpec(), expect, forbid)
            total += whole.total
            wrong.append(f"{entry['prompt']}\n    refused")
            continue
        one = score(spec, expect, forbid)
        right, total = right + one.right, total + one.total
        wrong += [f"{entry['prompt']}\n    {text}" for text in one.wrong]
    return Score(right, total, tuple(wrong))
