"""Is everything here that bozzetto needs? ``bozzetto doctor`` prints what this finds."""

import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

ASSETS = {
    "body/data/body.npz": "eccebb2b8d053fe54a0a5de88b34a41aa04f72c88fb59499e82651ffc7c93eb3",
    "body/data/landmarks.json": None,
    "body/data/poses.json": None,
}
"""What the package brings along, with its SHA-256; None where a file may be edited and only has to be there."""
DISK = 500_000_000
"""Bytes. A run takes some twenty million; the rest is room to breathe."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    found: str
    remedy: str
    """What to do where it did not pass."""
    needed: bool = True
    """Whether bozzetto cannot work without it."""

    @property
    def verdict(self) -> Literal["pass", "note", "FAIL"]:
        if self.passed:
            return "pass"
        return "FAIL" if self.needed else "note"


def examine() -> Iterator[Check]:
    """Every check, cheap ones first."""
    yield Check("python", sys.version_info >= (3, 11), platform.python_version(), "Install Python 3.11 or newer.")
    yield packages()
    yield torch()
    yield numba()
    for name, digest in ASSETS.items():
        yield asset(name, digest)
    yield film()
    yield from caches()
    yield disk()


def packages() -> Check:
    """Every package bozzetto depends on is installed."""
    remedy = "Install bozzetto again: pip install -c constraints.txt ."
    try:
        needed = [re.split(r"[^\w.-]", line)[0] for line in requires("bozzetto") or () if "extra ==" not in line]
    except PackageNotFoundError:
        return Check("packages", False, "bozzetto is not installed, only its source is here", remedy, needed=False)
    found, missing = [], []
    for name in needed:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", False, f"missing: {', '.join(missing)}", remedy)
    return Check("packages", True, ", ".join(found), remedy)


def torch() -> Check:
    """Torch computes."""
    remedy = "Install torch again: pip install -c constraints.txt torch"
    try:
        import torch

        total = torch.ones(3).sum().item()
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device, which is fine"
        found = f"{torch.__version__}, {torch.get_num_threads()} threads, {device}"
        return Check("torch", total == 3, found, remedy)
    except Exception as error:  # a broken install may raise anything
        return Check("torch", False, f"does not work: {type(error).__name__}: {error}", remedy)


def numba() -> Check:
    """Numba compiles."""
    remedy = "Install numba again: pip install -c constraints.txt numba"
    try:
        import numba

        double = numba.njit(lambda x: 2 * x)
        return Check("numba", double(3) == 6, f"{numba.__version__}, {numba.get_num_threads()} threads", remedy)
    except Exception as error:  # a broken install may raise anything
        return Check("numba", False, f"does not work: {type(error).__name__}: {error}", remedy)


def asset(name: str, digest: str | None) -> Check:
    """A file that ships with the package is there and as it was made."""
    path = Path(__file__).parent / name
    remedy = "Install bozzetto again; in a clone, run: git checkout -- src/bozzetto"
    if not path.is_file():
        return Check(path.name, False, f"missing: {path}", remedy)
    with path.open("rb") as file:
        intact = digest in (None, hashlib.file_digest(file, "sha256").hexdigest())
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    return Check(path.name, intact, size if intact else f"{size}, but not the file that shipped", remedy)


def ffmpeg() -> str | None:
    """The program that films are written with (IMAGEIO_FFMPEG_EXE names another one); None where there is none."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None


def film() -> Check:
    """Turntables can be filmed."""
    program = ffmpeg()
    remedy = "Only turntable.mp4 needs it: pip install 'bozzetto[video]'"
    return Check("ffmpeg", program is not None, program or "not found", remedy, needed=False)


def caches() -> Iterator[Check]:
    """Compiled kernels can be kept, which Numba insists on, and things made once, or every start is a slow one."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    kernels = [Path(os.environ[name]) for name in ("NUMBA_CACHE_DIR",) if name in os.environ]
    kernels += [Path(__file__).parent / "render" / "__pycache__", home / "numba"]
    things = [Path(os.environ.get("BOZZETTO_CACHE") or home / "bozzetto")]
    for name, folders, variable in (("cache", kernels, "NUMBA_CACHE_DIR"), ("kept", things, "BOZZETTO_CACHE")):
        folder = next((each for each in folders if _writable(each)), None)
        found = str(folder) if folder else f"cannot write in {', '.join(map(str, folders))}"
        remedy = f"Set {variable} to a folder you may write in."
        yield Check(name, folder is not None, found, remedy, needed=name == "cache")


def disk() -> Check:
    """There is room for results in the present folder."""
    remedy = "Make room, or work in another folder."
    try:
        free = shutil.disk_usage(os.curdir).free
    except OSError as error:
        return Check("disk", False, f"cannot be told: {error.strerror}", remedy)
    return Check("disk", free >= DISK, f"{free / 1e9:.1f} GB free here", remedy)


def _writable(folder: Path) -> bool:
    """Whether files can be made in the folder, or the folder itself where it is not there yet. Leaves nothing."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
