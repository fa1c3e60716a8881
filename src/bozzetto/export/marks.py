"""Where a file says what made it: ``asset.extras`` for programs, an XMP packet (``KHR_xmp_json_ld``) for the rest.

The packet follows the extension's rules: no expanded terms, arrays only under ``@list`` or ``@set``, words with their
language in ``rdf:Alt``. What kind of picture this is follows IPTC's vocabulary of digital source types: a figure built
by rules is ``algorithmicMedia``, one that a diffusion prior had a hand in is ``trainedAlgorithmicMedia``. What was only
rigged or retargeted here says that in their place: what its source is, nobody told us. No date is written, so that the
same run gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .. import __version__
from .rights import Rights

GENERATOR = "bozzetto"
XMP = "KHR_xmp_json_ld"
_CONTEXT = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True)
class Given:
    """A file of the user's, a scan or a recording, that was not made here but worked on."""

    done: Literal["rigged", "retargeted"]
    sha256: str


@dataclass(frozen=True)
class Marks:
    """What a file says of its making. Everything but the tool's name and version may stay unsaid."""

    recipe: str | None = None
    prior: str | None = None
    """The diffusion prior's id, or the ids of several between commas; None where none had a hand in it."""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the software, by package."""
    prompt: str | None = None
    """The user's words: only where the user wants them in the file."""
    title: str | None = None
    rights: Rights = field(default_factory=Rights)
    given: Given | None = None
    """What it was made of, where its look or its motion is not ours."""

    def maker(self) -> dict[str, object]:
        """Who made it, as JSON: this tool, or somebody else before this tool worked on it."""
        tool = f"{GENERATOR} {__version__}, an AI tool"
        if self.given is None:
            return {"made_by": tool, "ai_generated": True}
        return {
            f"{self.given.done}_by": tool,
            "source": f"a file that was given to {GENERATOR}, not made in this run",
            "source_sha256": self.given.sha256,
        }

    def told(self) -> dict[str, object]:
        """What ``asset.extras`` says."""
        more = {
            "recipe": self.recipe,
            "prior": self.prior,
            "seed": self.seed,
            "versions": dict(self.versions) or None,
            "prompt": self.prompt,
        }
        return self.maker() | {key: value for key, value in more.items() if value is not None}

    def sentence(self) -> str:
        """Who made it, for people."""
        tool = f"by the AI tool {GENERATOR} {__version__}"
        if self.given is None:
            return f"Made {tool}."
        return f"Not made but {self.given.done} {tool}, from a file that was given to it."


def mark(document: dict[str, Any], marks: Marks, extras: Mapping[str, object]) -> None:
    """Writes the marks into a glTF document that has an ``asset``; other extensions in it stay.

    Args:
        extras: More JSON values for ``asset.extras``.
    """
    asset = document["asset"]
    asset["extras"] = marks.told() | dict(extras)
    if marks.rights.authors:
        asset["copyright"] = ", ".join(marks.rights.authors)
    asset.setdefault("extensions", {})[XMP] = {"packet": 0}
    document.setdefault("extensions", {})[XMP] = {"packets": [packet(marks)]}
    used = document.setdefault("extensionsUsed", [])
    if XMP not in used:
        used.append(XMP)


def packet(marks: Marks) -> dict[str, Any]:
    """The XMP packet."""
    how = f"recipe {marks.recipe}" if marks.recipe else "no recipe named"
    if marks.prior:
        how += f", prior {marks.prior}"
    rights = marks.rights
    content: dict[str, Any] = {
        "@context": dict(_CONTEXT),
        "dc:format": "model/gltf-binary",
        "dc:type": {"@set": ["3D character"]},
        "dc:title": _words(marks.title or "Character"),
        "dc:description": _words(f"A 3D character. {marks.sentence()[:-1]} ({how})."),
        "dc:rights": _words(rights.words()),
        "xmp:CreatorTool": f"{GENERATOR} {__version__}",
        "xmpRights:Marked": True,
    }
    if marks.given is None:
        content |= {
            "Iptc4xmpExt:DigitalSourceType": _SOURCE_TYPES
            + ("trainedAlgorithmicMedia" if marks.prior else "algorithmicMedia"),
            "Iptc4xmpExt:AISystemUsed": f"{GENERATOR} ({how})",
            "Iptc4xmpExt:AISystemVersionUsed": __version__,
        }
    else:
        del content["@context"]["Iptc4xmpExt"]
    if rights.authors:
        content["dc:creator"] = {"@list": list(rights.authors)}
    if rights.licence_url:
        content["xmpRights:WebStatement"] = rights.licence_url
    if marks.prompt is not None and marks.given is None:
        content["Iptc4xmpExt:AIPromptInformation"] = marks.prompt
    return content


def _words(text: str) -> dict[str, Any]:
    return {"@type": "rdf:Alt", "rdf:_1": {"@language": "en", "@value": text}}
