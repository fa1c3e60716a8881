"""``bozzetto reshape`` and ``bozzetto view``: what is done to a character once it is there. Light to import."""

import shlex
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import OmitArgPrefixes, Positional, arg

from bozzetto.options import Files

if TYPE_CHECKING:
    import bozzetto.runs


@dataclass(frozen=True)
class Reshape:
    """Make a run's character taller, older, heavier: clothes, hair and a photo's pixels follow, in a new run.

    A sign makes a value relative to what the figure has; a minus needs the sign of equality: --height=-5cm."""

    folder: Positional[Path]
    """A finished run with a figure: of "bozzetto generate", "bozzetto digitize" or this command."""
    height: Annotated[str | None, arg(metavar="1.80|180cm|+5cm")] = None
    """Standing barefoot."""
    age: Annotated[str | None, arg(metavar="60|+10")] = None
    """Years, 4 to 95. Below 18 the height follows, unless it is asked too."""
    weight: Annotated[str | None, arg(metavar="0.7|+0.1|82kg")] = None
    """0 very thin, 0.5 average, 1 very heavy; or kilograms."""
    muscle: Annotated[str | None, arg(metavar="0.7|+0.1")] = None
    """0 slack, 0.5 average, 1 an athlete."""
    proportions: Annotated[str | None, arg(metavar="0.7|+0.1")] = None
    """0 uncommon, 1 idealised."""
    shoulders: Annotated[str | None, arg(metavar="0.7|+0.1")] = None
    """0 narrow, 1 broad."""
    hips: Annotated[str | None, arg(metavar="0.7|+0.1")] = None
    """0 narrow, 1 broad."""
    out: Path | None = None
    """Folder for the result. Without it: beside the first, with a number behind its name."""
    files: OmitArgPrefixes[Files] = Files()

    def run(self) -> int:
        from bozzetto.cli import make, read_spec
        from bozzetto.figure.reshape import MEASURES, read_changes
        from bozzetto.recipes.reshape import Reshape as Recipe
        from bozzetto.types import Subject, UserError

        spec = read_spec(self.folder)
        parent = parent_of(self.folder)
        changes = read_changes({name: getattr(self, name) for name in MEASURES}, spec.body)
        if not changes:
            raise UserError(
                f"Say what to change: bozzetto reshape {self.folder} --height 1.80, or --age, --weight, --muscle, "
                "--proportions, --shoulders, --hips."
            )
        out = self.out or free_folder(self.folder)
        if out.resolve() == self.folder.resolve():
            raise UserError(f"--out {out} is the run itself, which stays as it is. Choose another folder.")
        origin = origin_of(parent)
        request = reshape_request(self.folder, parent, origin, changes)
        method = Recipe(self.folder, spec, origin, changes)
        return make(out, self.files, self.command(out), method, request, Subject(parent.prompt))

    def command(self, out: Path) -> str:
        """What to type to make this run again."""
        from bozzetto.figure.reshape import MEASURES

        words = ["bozzetto", "reshape", str(self.folder)]
        for name in MEASURES:
            words += [f"--{name}={value}"] if (value := getattr(self, name)) is not None else []
        return shlex.join([*words, "--out", str(out), *self.files.words()])


def parent_of(folder: Path, finished: bool = True) -> "bozzetto.runs.Request":
    """What the folder's run was asked.

    Args:
        finished: Refuse one that is not.

    Raises:
        UserError: There is no such run.
    """
    from bozzetto.runs import read_record
    from bozzetto.types import UserError

    record = read_record(folder)
    if record is None or not (folder / "avatar.glb").is_file():
        raise UserError(f"{folder} holds no run with an avatar.glb. Give a folder that 'bozzetto generate' wrote.")
    if record.status != "finished" and finished:
        raise UserError(
            f"The run in {folder} is not finished. Wait until it is; if it was stopped, give its command again."
        )
    return record.request


def origin_of(request: "bozzetto.runs.Request") -> str:
    """The recipe that a character goes back to, however often it was reshaped."""
    return str(request.fields.get("origin", request.recipe))


def reshape_request(
    folder: Path, parent: "bozzetto.runs.Request", origin: str, changes: dict[str, float]
) -> "bozzetto.runs.Request":
    """The request of a reshaped run: it names its parent, and keeps what the parent says of its making."""
    from bozzetto.runs import Request, sha256

    names = "seed", "prior", "head_prior", "consent", "likeness"
    kept: dict[str, Any] = {name: parent.fields[name] for name in names if name in parent.fields}
    named = f"{folder.resolve().name}, avatar.glb sha256 {sha256(folder / 'avatar.glb')}"
    fields = {**kept, "origin": origin, **changes}
    return Request("reshape", fields, parent.prompt, parent.bone_names, parent.photos, named)


def free_folder(folder: Path) -> Path:
    """The first of NAME-2, NAME-3 and so on that is not there."""
    number = 2
    while (place := folder.resolve().with_name(f"{folder.resolve().name}-{number}")).exists():
        number += 1
    return place


@dataclass(frozen=True)
class View:
    """Open a run's character in the browser: poses and clips, the face, and sliders that build its shape anew.

    Served to this machine alone, until Ctrl-C."""

    folder: Positional[Path]
    """What "bozzetto generate" or another verb wrote."""
    port: int = 8750
    """Where the page is served: http://localhost:8750."""
    no_open: bool = False
    """Do not open a browser; only say the address."""

    def run(self) -> int:
        from bozzetto.studio.server import serve

        def said(address: str) -> None:
            print(f"{self.folder} is at {address} (Ctrl-C ends it).", flush=True)
            if not self.no_open:
                webbrowser.open(address)

        serve(self.folder, self.port, said)
        return 0
