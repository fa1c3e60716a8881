"""``index.html``: the character in a page that opens from disk. Nothing is served and nothing is fetched.

The page carries the GLB, the viewer (``viewer/viewer.js`` and three.js, bundled) and its style; its content security
policy lets it load nothing else.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from bozzetto import __version__
from bozzetto.body.poses import Posture, angles, limits
from bozzetto.export.expressions import VISEMES, VRM_PRESETS

_FACES = ("neutral", "happy", "sad", "angry", "surprised", "relaxed", "blink")
"""Of VRM's presets, those that move the face and are no visemes."""
_CLOTHES = ("top", "bottom", "dress")


def page(settings: Mapping[str, Any], character: bytes = b"") -> bytes:
    """The page. Without a character it asks the server that it came from for one."""
    head, middle, tail = _template()
    text = json.dumps(settings, separators=(",", ":")).replace("<", "\\u003c")  # no end of the script in it
    connect = " 'self'" if settings["live"] else ""
    start = head.replace("@@CONNECT@@", connect).replace("@@SETTINGS@@", text)
    return b"".join((start.encode(), base64.b64encode(character), middle, tail))


def page_settings(
    joints: Sequence[str],
    postures: Mapping[str, Posture],
    *,
    words: str | None = None,
    dressed: bool = False,
    live: bool = False,
    shape: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """What the viewer is told.

    Args:
        joints: Names of the skeleton's, in its order; the file may call them otherwise.
        postures: To choose from, by name.
        words: The prompt, where the user wants it in what is made.
        dressed: The clothes cannot be hidden, as those of children.
        live: The page asks its server for the character.
        shape: Sliders of the figure, each with label, value, least, most and step.
    """
    return {
        "live": live,
        "joints": list(joints),
        "angles": {name: limits(name) for name in angles(Posture())},
        "poses": {
            name: {angle: degrees for angle, degrees in angles(posture).items() if degrees}
            for name, posture in postures.items()
        },
        "presets": {name: VRM_PRESETS[name] for name in _FACES},
        "visemes": VISEMES,
        "words": words,
        "locked": list(_CLOTHES) if dressed else [],
        "shape": shape or {},
    }


@cache
def _template() -> tuple[str, bytes, bytes]:
    """The page before the character, between it and the viewer, and the rest."""
    folder = files("bozzetto.studio") / "viewer"
    template = (folder / "page.html").read_text("utf-8").replace("@@VERSION@@", __version__)
    head, rest = template.split("@@CHARACTER@@")
    middle, tail = rest.split("@@SCRIPT@@")
    return head, (middle + (folder / "viewer.min.js").read_text("utf-8")).encode(), tail.encode()
