"""A run's figure with other measures. Its spec is built again; what a photo painted on it goes over."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import bozzetto
from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    import bozzetto.figure.spec
    import bozzetto.types


@dataclass(frozen=True)
class Reshape:
    """What one folder holds, reshaped."""

    folder: Path
    """A finished run."""
    spec: "bozzetto.figure.spec.FigureSpec"
    """Its figure."""
    origin: str
    """The recipe that made it at first."""
    changes: Mapping[str, float] = field(default_factory=dict)
    """New values by the names of ``figure.reshape.MEASURES``."""

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        """
        Raises:
            UserError: The run's character is a static or free-form mesh, which no measure moves; or nobody has such a
                body.
        """
        from bozzetto.subject.words import Reading

        spec, asked, follows = changed(self.spec, self.changes)
        original = original_of(self.folder, self.spec, self.origin)
        build = cache(lambda: original.as_spec(spec))
        reading = Reading(spec, asked, follows, ())
        yield Step(0, "measures", reading, avatar=build)
        build()
        yield Step(1, "figure", reading, avatar=build)


def changed(
    spec: "bozzetto.figure.spec.FigureSpec", changes: Mapping[str, float]
) -> "tuple[bozzetto.figure.spec.FigureSpec, tuple[str, ...], tuple[str, ...]]":
    """The spec with other measures, what was asked in words, and what follows from it in words.

    Raises:
        UserError: What follows is nobody's body.
    """
    from bozzetto.figure.reshape import reshaped
    from bozzetto.types import UserError

    new, asked, follows = reshaped(spec, changes)
    try:
        check_body(new.body)
    except ValueError as error:
        raise UserError(f"At that age, {error} Ask for a height too.") from None
    return new, asked, follows


_ROOM = 0.3
"""Metres below and above the slider that somebody may be: as measured on a mesh, or grown up from a tall child."""


def check_body(body: "bozzetto.figure.spec.BodySpec") -> None:
    """Whether somebody can have such a body.

    Raises:
        ValueError: A measure is out of range.
    """
    from bozzetto.figure.reshape import MEASURES

    for name, each in MEASURES.items():
        value, room = getattr(body, name), _ROOM if name == "height" else 0.0
        if not each.least - room <= value <= each.most + room:
            unit = f" {each.unit}" if each.unit else ""
            raise ValueError(
                f"spec.body.{name} is {value:g}; it lies between {each.least - room:g} and {each.most + room:g}{unit}."
            )


@dataclass(frozen=True, eq=False)
class Original:
    """What is reshaped."""

    spec: "bozzetto.figure.spec.FigureSpec"
    worn: "bozzetto.types.Avatar"
    """As its file has it."""
    before: "bozzetto.types.Avatar | None"
    """The figure that was painted on; None where nothing was."""

    def as_spec(self, spec: "bozzetto.figure.spec.FigureSpec") -> "bozzetto.types.Avatar":
        """The same character on another body."""
        from bozzetto.figure.build import build_figure
        from bozzetto.figure.reshape import carried, with_clips

        after = build_figure(spec).avatar
        after = after if self.before is None else carried(self.worn, self.before, after)
        return with_clips(after, self.worn, spec.body.height / self.spec.body.height)


def original_of(folder: Path, spec: "bozzetto.figure.spec.FigureSpec", origin: str) -> Original:
    """A run's character, ready to be reshaped.

    Args:
        folder: With its avatar.glb.
        spec: Of its figure.json.
        origin: The recipe that made it at first.

    Raises:
        UserError: It is a static or a free-form mesh.
    """
    from bozzetto.export.read import read_glb
    from bozzetto.figure.build import build_figure
    from bozzetto.figure.reshape import same_layers
    from bozzetto.types import UserError

    worn = read_glb(folder / "avatar.glb")
    if len(worn.skeleton.names) < 2:
        raise UserError(
            f"{folder} holds a static mesh, without a skeleton or a body below it, so there is nothing to reshape. "
            "Digitize the photo again without --static, then reshape that."
        )
    if origin == "draft":
        return Original(spec, worn, None)
    before = build_figure(spec).avatar
    if not same_layers(worn, before):
        raise UserError(
            f"The character in {folder} does not have the layers that its figure.json names: it is a free-form mesh, "
            "or its figure.json was edited. Only figures in layers can be reshaped; generate or digitize it again, "
            "then reshape that."
        )
    return Original(spec, worn, before)
