"""``bozzetto rig``: a figure that another program made gets a skeleton and a face that moves. Light to import."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from bozzetto.studio.command import Reshaping

if TYPE_CHECKING:
    pass

HERE = ("glb", "vrm")
"""Formats that the run itself writes; the others are exported from it."""


@dataclass(frozen=True)
class Rig:
    """Give a mesh of a person a skeleton, weights, expressions, eyes and teeth: a scan's, or another generator's.

    One whole figure in an A- or a T-pose, both arms held away from the sides. Its own texture is kept."""

    file: Positional[Path]
    """GLB, OBJ or PLY, in any units and axes; a rig that it has is not used."""
    out: Path
    """Folder for the result."""
    height: Annotated[str | None, arg(metavar="1.80|180cm")] = None
    """From the lowest to the highest point. Without it: as the file says, or 1.7 m where that is nobody's height."""
    skirt: Literal["auto", "yes", "no"] = "auto"
    """Whether a skirt or a long coat hangs around both legs, which then must not be cut apart."""
    bone_names: Literal["vrm", "mixamo", "unreal", "unity", "rigify", "anny"] = "vrm"
    """Whose names the bones carry."""
    overwrite: bool = False
    """Replace the figure in the folder, once the new one is whole."""
    no_turntable: bool = False
    """Leave out the film of the figure as it turns."""
    no_page: bool = False
    """Leave out index.html, the page that shows the figure in a browser."""
    to: str = "glb"
    """The formats, between commas: glb is always written; vrm, obj, ply, usd, usdz, fbx when named."""

    def run(self) -> int:
        from bozzetto.cli import Export, Terms, make, read_formats
        from bozzetto.recipes.rig import Rig as Recipe
        from bozzetto.runs import Request, sha256
        from bozzetto.types import Subject, UserError

        formats = read_formats(self.to, self.bone_names)
        if not self.file.is_file():
            raise UserError(f"There is no file {self.file}. Give a mesh of a person, such as scan.glb.")
        height = None if self.height is None else metres(self.height)
        skirt = {"auto": None, "yes": True, "no": False}[self.skirt]
        fields: dict[str, Any] = {"file": self.file.name, "sha256": sha256(self.file), "height": height, "skirt": skirt}
        inside = ",".join(name for name in formats if name in HERE) or "glb"
        flags = self.overwrite, self.no_turntable, self.no_page
        verb = Reshaping(self.out, self.bone_names, inside, *flags, Terms(), self.command())
        make(verb, Recipe(self.file, height, skirt), Request("rig", fields, "", self.bone_names), Subject(""))
        outside = ",".join(name for name in formats if name not in HERE)
        return Export(self.out, outside, self.bone_names, overwrite=self.overwrite).run() if outside else 0

    def command(self) -> str:
        """What to type to make this run again."""
        words = ["bozzetto", "rig", str(self.file), "--out", str(self.out)]
        words += [f"--height={self.height}"] if self.height is not None else []
        words += ["--skirt", self.skirt] if self.skirt != "auto" else []
        words += ["--bone-names", self.bone_names] if self.bone_names != "vrm" else []
        words += ["--to", self.to] if self.to != "glb" else []
        flags = {"overwrite": self.overwrite, "no-turntable": self.no_turntable, "no-page": self.no_page}
        return shlex.join(words + [f"--{name}" for name, given in flags.items() if given])


def metres(text: str) -> float:
    """A height as people type it.

    Raises:
        UserError: It is no number.
    """
    from bozzetto.types import UserError

    plain = text.strip().lower()
    try:
        if plain.endswith("cm"):
            return float(plain[:-2]) / 100
        return float(plain.removesuffix("m"))
    except ValueError:
        raise UserError(f"--height takes metres or centimetres, such as 1.80 or 180cm; got {text!r:.40}.") from None
