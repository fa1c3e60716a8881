"""What several verbs are told, each said once. Light to import."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from tyro.conf import OmitArgPrefixes, UseAppendAction, arg

if TYPE_CHECKING:
    import bozzetto.export.rights

BoneNames: TypeAlias = Literal["vrm", "mixamo", "unreal", "unity", "rigify", "anny"]


@dataclass(frozen=True)
class Terms:
    """What the files say of themselves."""

    author: UseAppendAction[tuple[str, ...]] = ()
    """Whose the character is; may be given more than once."""
    title: str | None = None
    """What the character is called, in GLB and VRM; without it "Character"."""
    license: Annotated[str | None, arg(metavar="NAME|URL")] = None
    """A licence for it: CC0-1.0, CC-BY-4.0, CC-BY-SA-4.0, CC-BY-ND-4.0, CC-BY-NC-4.0, CC-BY-NC-SA-4.0, CC-BY-NC-ND-4.0,
    or the address of your own. The named ones permit what they say."""
    permit: Annotated[str, arg(metavar="WORD,WORD")] = ""
    """What others may do, between commas. Without it: nothing. licensed or everyone (appear as the character), profit
    (earn money with it), commercial (companies too), modify, redistribute, no-credit, violence, sexual, politics."""
    embed_prompt: bool = False
    """Write the words it was made from into the files."""

    def rights(self) -> "bozzetto.export.rights.Rights":
        """The terms as read; refused where they, or the title, cannot be."""
        from bozzetto.export.rights import check_title, read_rights

        check_title(self.title)
        return read_rights(self.author, self.license, self.permit)


@dataclass(frozen=True)
class Files:
    """What a run writes of its character."""

    overwrite: bool = False
    """Replace the figure in the folder, once the new one is whole."""
    no_turntable: bool = False
    """Leave out the film of the figure as it turns."""
    no_page: bool = False
    """Leave out index.html, the page that shows the figure in a browser."""
    to: str = "glb"
    """The formats, between commas: glb is always written; vrm, obj, ply, usd, usdz, fbx when named."""
    terms: OmitArgPrefixes[Terms] = Terms()

    def words(self) -> list[str]:
        """As they are typed."""
        words = ["--to", self.to] if self.to != "glb" else []
        for author in self.terms.author:
            words += ["--author", author]
        if self.terms.title is not None:
            words += ["--title", self.terms.title]
        if self.terms.license is not None:
            words += ["--license", self.terms.license]
        if self.terms.permit:
            words += ["--permit", self.terms.permit]
        flags = {
            "overwrite": self.overwrite,
            "no-turntable": self.no_turntable,
            "no-page": self.no_page,
            "embed-prompt": self.terms.embed_prompt,
        }
        return words + [f"--{name}" for name, given in flags.items() if given]


@dataclass(frozen=True)
class Consent:
    """Whose likeness is made."""

    consent: bool = False
    """Say that the person in the photo agrees to this, or is you. Asked once on a terminal; recorded in run.json."""
    likeness: str = ""
    """Whose likeness it is, for the record."""

    def given(self, photos: str) -> dict[str, Any]:
        """What the record says of it.

        Raises:
            UserError: It was not given, here or on the terminal.
        """
        from bozzetto.types import UserError

        if not (self.consent or agreed(photos)):
            raise UserError(
                "bozzetto makes a likeness only of someone who agrees. Add --consent to say that the person in "
                f"{photos} does, or is you; --likeness NAME records who it is."
            )
        return {"consent": True, "likeness": self.likeness}

    def words(self) -> list[str]:
        """As they are typed, once it was given."""
        return ["--consent", *(["--likeness", self.likeness] if self.likeness else [])]


def agreed(photos: str) -> bool:
    """Asks once, where somebody can answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(
        f"Does the person in {photos} agree to a 3D likeness, or is it you? [y/N] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")
