"""A figure of another program gets our skeleton, weights, expressions, eyes and teeth: the body is fitted to it,
and lends it all of these (``adopt.fit``, ``body.carry``). What it looks like stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    import bozzetto.types


@dataclass(frozen=True)
class Rig:
    """A static mesh of a person in an A- or a T-pose, rigged."""

    file: Path
    """GLB, VRM, OBJ or PLY."""
    height: float | None = None
    """Metres from the lowest to the highest point; without it the file's units are guessed."""
    skirt: bool | None = None
    """Whether a skirt or long coat hangs around both legs; without it the shape decides."""
    face: bool = True
    """Whether mouth and lids are cut open, and eyes and teeth put behind them, where the mesh has none."""

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        """
        Raises:
            UserError: The file cannot be read, or shows no humanoid in an A- or a T-pose.
        """
        from bozzetto.adopt.mesh import read_mesh
        from bozzetto.adopt.rigged import adopt, dress
        from bozzetto.subject.words import Reading

        mesh = read_mesh(self.file)
        found = adopt(mesh, self.height)
        made = cache(lambda: dress(found, self.skirt, self.face))
        reading = Reading(found.spec, found.seen, found.guessed, ())
        yield Step(0, "fit", reading, avatar=lambda: made().avatar)
        rigged = made()
        doubts = (*found.doubts, *rigged.doubts)
        quality = {"rig": {**found.quality, **rigged.quality, "doubts": list(doubts)}}
        yield Step(1, "rig", reading, avatar=lambda: made().avatar, share=1.0, quality=quality, doubts=doubts)
