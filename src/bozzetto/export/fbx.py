"""Avatar -> FBX, by a Blender that the user has: it is started as a program of its own and reads our GLB."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..files import atomic_path
from ..types import Avatar, UserError
from .bones import BoneNames
from .glb import write_glb
from .marks import Marks

_SCRIPT = Path(__file__).with_name("blender_fbx.py")
_SECONDS = 600
"""What a conversion may take at most; usually it is ten."""
_MISSING = (
    "Writing FBX needs Blender 3.4 or newer, which works as a program of its own. Install it from your system's "
    "packages or from blender.org so that 'blender' is found, or make a Python environment that has bpy "
    "(pip install bpy) and name its program: --blender VENV/bin/python."
)


def find_blender(named: Path | None = None) -> tuple[str, ...]:
    """How a Python script is started inside Blender; the script and its arguments follow.

    Args:
        named: A Blender, or a Python that has ``bpy``. Without it: ``blender`` where programs are found, then a
            Python there (or this one) that has ``bpy``.

    Raises:
        UserError: There is none, or what was named is neither.
    """
    if named is not None:
        program = shutil.which(str(named))
        if program is None:
            raise UserError(f"There is no program {named}. Give --blender a Blender, or a Python that has bpy.")
        if "python" not in Path(program).name.lower():
            return _blender(program)
        if not _has_bpy(program):
            raise UserError(f"{named} is a Python without bpy. Install it there with pip, or name another.")
        return (program,)
    blender = shutil.which("blender")
    if blender is not None:
        return _blender(blender)
    for python in dict.fromkeys((sys.executable, shutil.which("python3"), shutil.which("python"))):
        if python and _has_bpy(python):
            return (python,)
    raise UserError(_MISSING)


def write_fbx(
    avatar: Avatar,
    path: Path,
    *,
    blender: tuple[str, ...],
    bone_names: BoneNames = "vrm",
    marks: Marks | None = None,
) -> None:
    """Write the avatar to `path`: bones, weights, expressions as shape keys, clips and textures, whole or not at all.

    Args:
        avatar: Standing at rest in the T-pose, soles at y = 0.
        path: Replaced if it exists.
        blender: What `find_blender` found.
        bone_names: Whose names the bones carry.
        marks: What made it; FBX has no place for most of this.

    Raises:
        UserError: Blender fails, or takes too long.
        ValueError: The avatar contradicts itself.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{path.stem}.glb"
        write_glb(avatar, source, bone_names=bone_names, marks=marks)
        with atomic_path(path) as partial:
            convert(blender, source, partial)


def convert(blender: tuple[str, ...], source: Path, target: Path) -> None:
    """Has Blender write `source` (GLB) as `target` (FBX).

    Raises:
        UserError: It fails, or takes too long.
    """
    command = [*blender, str(_SCRIPT), "--", str(source.resolve()), str(target.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{blender[0]} took longer than {_SECONDS // 60} minutes to write FBX, and was stopped."
        ) from None
    except OSError as error:
        raise UserError(f"{blender[0]} cannot be started: {error.strerror or error}.") from None
    if done.returncode or not target.is_file() or not target.stat().st_size:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise UserError(
            f"{blender[0]} could not write FBX (exit status {done.returncode}): {said or 'it said nothing'}. "
            "Try a newer Blender, with --blender."
        )


def _blender(program: str) -> tuple[str, ...]:
    return program, "--background", "--factory-startup", "--python-exit-code", "1", "--python"


def _has_bpy(python: str) -> bool:
    looked = "import importlib.util, sys; sys.exit(importlib.util.find_spec('bpy') is None)"
    try:
        return subprocess.run([python, "-c", looked], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
