"""``bozzetto rig``: a figure that another program made gets a skeleton and a face that moves. Light to import."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from bozzetto.options import BoneNames, Files


@dataclass(frozen=True)
class Rig:
    """Give a mesh of a person a skeleton, weights, expressions, eyes and teeth: a scan's, or another generator's.

    One whole figure in an A- or a T-pose, both arms held away from the sides. Its own texture is kept."""

    file: Positional[Path]
    """GLB, VRM, OBJ or PLY, in any units and axes; a rig that it has is not used."""
    out: Path
    """Folder for the result."""
    height: Annotated[str | None, arg(metavar="1.80|180cm")] = None
    """From the lowest to the highest point. Without it: as the file says, or 1.7 m where that is nobody's height."""
    skirt: Literal["auto", "yes", "no"] = "auto"
    """Whether a skirt or a long coat hangs around both legs, which then must not be cut apart."""
    face: bool = True
    """Mouth and lids are cut open, with eyes and teeth behind; those that the mesh has are kept either way."""
    bone_names: BoneNames = "vrm"
    """Whose names the bones carry."""
    files: OmitArgPrefixes[Files] = Files()

    def run(self) -> int:
        from bozzetto.cli import make
        from bozzetto.recipes.rig import Rig as Recipe
        from bozzetto.runs import Request, sha256
        from bozzetto.types import Subject, UserError

        if not self.file.is_file():
            raise UserError(f"There is no file {self.file}. Give a mesh of a person, such as scan.glb.")
        height = None if self.height is None else metres(self.height)
        skirt = {"auto": None, "yes": True, "no": False}[self.skirt]
        fields: dict[str, Any] = {"file": self.file.name, "sha256": sha256(self.file), "height": height, "skirt": skirt}
        fields |= {} if self.face else {"face": False}
        request = Request("rig", fields, "", self.bone_names)
        return make(
            self.out, self.files, self.command(), Recipe(self.file, height, skirt, self.face), request, Subject("")
        )

    def command(self) -> str:
        """What to type to make this run again."""
        words = ["bozzetto", "rig", str(self.file), "--out", str(self.out)]
        words += [f"--height={self.height}"] if self.height is not None else []
        words += ["--skirt", self.skirt] if self.skirt != "auto" else []
        words += ["--no-face"] if not self.face else []
        words += ["--bone-names", self.bone_names] if self.bone_names != "vrm" else []
        return shlex.join(words + self.files.words())


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
