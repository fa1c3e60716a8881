"""The run folder: one record beside whole files, locked while it is written, resumed by the same command.

A file appears under its final name only when it is complete, so whatever a kill leaves behind can be opened. A run
that replaces another works in ``.next`` inside the folder until its character is whole; until then the old one stays.
"""

import csv
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from filelock import FileLock, Timeout

import bozzetto
from bozzetto.files import PARTIAL, atomic_path
from bozzetto.options import BoneNames
from bozzetto.types import UserError

SCHEMA_VERSION = 1
RECORD = "run.json"
CHARACTER = "avatar.glb"
"""Once this file of a replacing run is whole, the old run gives way."""
LOG = "log.csv"
CHECKPOINT = "checkpoints/latest.safetensors"
LOCK = ".lock"
NEXT = ".next"

Status: TypeAlias = Literal["running", "interrupted", "finished"]


@dataclass(frozen=True)
class Request:
    """What was asked for: two runs with equal requests are the same run."""

    recipe: str
    fields: Mapping[str, Any]
    """Every field of the recipe."""
    prompt: str
    bone_names: str = "vrm"
    photos: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file name."""
    parent: str | None = None
    """The run this one edits."""

    @property
    def digest(self) -> str:
        """A short name that no other request has."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Output:
    """One finished file."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Record:
    """What ``run.json`` holds: enough to make the run again."""

    request: Request
    versions: Mapping[str, str]
    status: Status = "running"
    started: str = ""
    """ISO 8601, UTC."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By stage."""
    steps: int = 0
    outputs: Mapping[str, Output] = field(default_factory=dict)
    """By file name."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the networks' files that had a say, by what they hold."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    understood: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()


class Run:
    """A folder being written. Leaving the ``with`` block before ``finish`` records it as interrupted."""

    def __init__(self, folder: Path, work: Path, record: Record, lock: FileLock) -> None:
        self.folder = folder
        """Where the files end up."""
        self.record = record
        self._work = work
        self._lock = lock
        self._save()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a record that stays "running" without a lock says the same
            if self.record.status != "finished":
                self.note(status="interrupted")
        self._lock.release()

    def note(self, **changes: Any) -> None:
        """Changes fields of the record and saves it."""
        self.record = replace(self.record, **changes)
        self._save()

    def log(self, step: int, loss: float | None, seconds: float) -> None:
        """One more row of ``log.csv``; a step that an earlier go has logged is not logged again."""
        if step < self.record.steps:
            return
        path = self._work / LOG
        header = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if header:
                writer.writerow(("step", "loss", "seconds"))
            writer.writerow((step, "" if loss is None else loss, f"{seconds:.3f}"))
        self.note(steps=step + 1)

    def has(self, name: str) -> bool:
        """Whether an earlier go at this run wrote the file, and it is still as it was."""
        return unchanged(self._work, self.record, name)

    @contextmanager
    def write(self, name: str) -> Iterator[Path]:
        """A path to write to; when the block ends well it becomes ``name``, and its hash and seconds are recorded."""
        start = time.perf_counter()
        with atomic_path(self._work / name) as path:
            yield path
            output = Output(sha256(path), path.stat().st_size)
        self.note(
            outputs={**self.record.outputs, name: output},
            seconds={**self.record.seconds, name: round(time.perf_counter() - start, 3)},
        )
        if name == CHARACTER and self._work != self.folder:
            self._give_way()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Records how long the block took, once it ends well."""
        start = time.perf_counter()
        yield
        self.note(seconds={**self.record.seconds, name: round(time.perf_counter() - start, 3)})

    def keep(self, state: Mapping[str, Any]) -> None:
        """Tensors by name, from which the run goes on after a stop: whole or not at all."""
        from safetensors.torch import save_file

        path = self._work / CHECKPOINT
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as partial:
            save_file(dict(state), partial)

    def kept(self) -> dict[str, Any]:
        """What was kept last; nothing where there is none, or other code made it."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(self._work / CHECKPOINT)
        except (OSError, SafetensorError):
            return {}

    def forget(self, *names: str) -> None:
        """These files will be written again."""
        self.note(outputs={name: each for name, each in self.record.outputs.items() if name not in names})

    def finish(self, **changes: Any) -> None:
        """Records that everything is written."""
        self.note(status="finished", **changes)
        shutil.rmtree((self._work / CHECKPOINT).parent, ignore_errors=True)

    def _save(self) -> None:
        with atomic_path(self._work / RECORD) as path:
            path.write_text(to_json(self.record), encoding="utf-8")

    def _give_way(self) -> None:
        """The old run's files leave, the new one's arrive.

        The record arrives first: it carries the hashes of the new files, so if a kill comes between two moves, the
        next start sees which of them are missing and makes them again.
        """
        old = read_record(self.folder)
        os.replace(self._work / RECORD, self.folder / RECORD)
        for name in self.record.outputs:
            os.replace(self._work / name, self.folder / name)
        for name in set(old.outputs if old else ()) - set(self.record.outputs):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / LOG).unlink(missing_ok=True)
        shutil.rmtree((self.folder / CHECKPOINT).parent, ignore_errors=True)
        if (self._work / LOG).exists():
            os.replace(self._work / LOG, self.folder / LOG)
        shutil.rmtree(self._work, ignore_errors=True)
        self._work = self.folder


def open_run(out: Path, request: Request, overwrite: bool = False) -> Run:
    """The folder ``out``, locked and ready to write: new, resumed, or about to replace what it holds.

    Raises:
        UserError: The folder cannot be written, is in use, is not ours, or holds another run and ``overwrite`` is off.
    """
    check_folder(out, request, overwrite)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / LOCK)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"Another bozzetto is writing in {out} at this moment. Wait until it is done, or choose another --out."
        ) from None
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        found = check_folder(out, request, overwrite)  # again, now that nobody else can change it
        work = out if found in ("empty", "unfinished") else out / NEXT
        if found != "replaceable":
            shutil.rmtree(out / NEXT, ignore_errors=True)
        _clear_partial(out)
        record = read_record(work)
        if record is None or record.status == "finished" or record.request != request:
            if work != out:
                shutil.rmtree(work, ignore_errors=True)
            record = Record(request, versions(), started=datetime.now(UTC).isoformat(timespec="seconds"))
        elif record.versions != (now := versions()):
            record = replace(record, versions=now, outputs={})  # other code may make other files
            shutil.rmtree((work / CHECKPOINT).parent, ignore_errors=True)
        work.mkdir(exist_ok=True)
        _clear_partial(work)
        _end_log(work / LOG)
        return Run(out, work, replace(record, status="running"), lock)
    except OSError as error:
        lock.release()
        raise _unwritable(out, error) from None
    except BaseException:
        lock.release()
        raise


Found: TypeAlias = Literal["empty", "unfinished", "replaceable"]


def check_folder(out: Path, request: Request, overwrite: bool = False) -> Found:
    """What ``out`` holds, if this request may be written there. Writes nothing.

    Raises:
        UserError: The request may not be written there.
    """
    try:
        if not out.is_dir():
            ancestor = next(path for path in (out, *out.absolute().parents) if path.exists())
            if not ancestor.is_dir():
                raise NotADirectoryError(f"{ancestor} is a file, not a folder")
            if not os.access(ancestor, os.W_OK):
                raise PermissionError(f"no permission to write in {ancestor}")
            return "empty"
        if not os.access(out, os.W_OK):
            raise PermissionError("no permission to write in it")
        names = {path.name for path in out.iterdir() if not path.name.startswith((LOCK, PARTIAL))}
        if not names or (names == {NEXT} and _is_ours(out / NEXT)):
            return "empty"
        record = read_record(out)
    except OSError as error:
        raise _unwritable(out, error) from None
    if record is None:
        raise UserError(
            f"{out} is not empty and holds no run of bozzetto's, so nothing in it is touched. Choose another --out."
        )
    if record.status != "finished" and record.request == request:
        return "unfinished"
    if overwrite:
        return "replaceable"
    if record.status == "finished":
        raise UserError(
            f"{out} already holds a finished figure ({record.request.prompt!r}). "
            "Choose another --out, or add --overwrite to replace it."
        )
    raise UserError(
        f"{out} holds an unfinished run that asked for something else: {_difference(record.request, request)}. "
        "Give the same options to resume it, choose another --out, or add --overwrite to replace it."
    )


@contextmanager
def written_together(folder: Path) -> Iterator[list[Path]]:
    """Nobody else writes in the folder meanwhile; a run's record learns the hashes of what was written: the list.

    Raises:
        UserError: The folder is in use, or cannot be written.
    """
    written: list[Path] = []
    try:
        with FileLock(folder / LOCK, timeout=0):
            try:
                yield written
            finally:
                record = read_record(folder)
                if record is not None and written:
                    new = {path.name: Output(sha256(path), path.stat().st_size) for path in written if path.is_file()}
                    with atomic_path(folder / RECORD) as partial:
                        partial.write_text(
                            to_json(replace(record, outputs={**record.outputs, **new})), encoding="utf-8"
                        )
    except Timeout:
        raise UserError(f"Another bozzetto is writing in {folder} at this moment. Wait until it is done.") from None
    except OSError as error:
        raise UserError(f"Cannot write in {folder}: {error.strerror or error}.") from None


def unchanged(folder: Path, record: Record | None, name: str) -> bool:
    """Whether a file is as the run wrote it."""
    output = record.outputs.get(name) if record else None
    return output is not None and (folder / name).is_file() and sha256(folder / name) == output.sha256


def read_record(folder: Path) -> Record | None:
    """The run a folder holds; None where there is none that can be read."""
    try:
        return from_json((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def to_json(record: Record) -> str:
    """The text of ``run.json``."""
    content = asdict(record)
    request = content.pop("request")
    seed = request["fields"].get("seed")
    return json.dumps({"schema_version": SCHEMA_VERSION, **request, "seed": seed, **content}, indent=2) + "\n"


def from_json(text: str) -> Record:
    """The record ``to_json`` wrote.

    Raises:
        ValueError: Not such a record.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"This is no run record of schema version {SCHEMA_VERSION}.")
    try:
        request = Request(**{each.name: content[each.name] for each in fields(Request)})
        outputs = {_plain(name): Output(**output) for name, output in content["outputs"].items()}
        lists = {name: tuple(content[name]) for name in ("understood", "guessed", "not_understood")}
        kept = ("versions", "status", "started", "seconds", "steps", "quality")
        weights = dict(content.get("weights", {}))
        record = Record(request, outputs=outputs, weights=weights, **lists, **{name: content[name] for name in kept})
        for each, names, kind in (
            (request, ("recipe", "prompt", "bone_names"), str),
            (request, ("fields", "photos"), dict),
            (record, ("status", "started"), str),
            (record, ("versions", "seconds", "quality"), dict),
            (record, ("steps",), int),
        ):
            if wrong := [name for name in names if not isinstance(getattr(each, name), kind)]:
                raise TypeError(f"{wrong[0]} is no {kind.__name__}")
        if request.bone_names not in get_args(BoneNames):
            raise TypeError(f"bones are not named after {request.bone_names!r:.40}")
        return record
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The run record is damaged: {error!r}.") from None


def sha256(path: Path) -> str:
    """The file's hash, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """What the result depends on."""
    return {
        "bozzetto": bozzetto.__version__,
        **{name: _version(name) for name in ("torch", "numpy")},
        "python": platform.python_version(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _plain(name: str) -> str:
    """A file name that stays inside its folder, since outputs are deleted by name."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} is no file of a run folder.")
    return name


def _is_ours(folder: Path) -> bool:
    return read_record(folder) is not None or not any(folder.iterdir())


def _difference(old: Request, new: Request) -> str:
    """The requests' first difference, in words."""
    before, after = ({**asdict(request), **request.fields} for request in (old, new))
    names = [name for name in (*after, *before) if name != "fields" and before.get(name) != after.get(name)]
    return f"{names[0].replace('_', ' ')} {before.get(names[0])!r}, not {after.get(names[0])!r}"


def _unwritable(out: Path, error: OSError) -> UserError:
    return UserError(f"Cannot write in {out}: {error.strerror or error}. Choose another --out.")


def _clear_partial(folder: Path) -> None:
    """Removes what a killed process had not finished."""
    for path in folder.glob(f".*{PARTIAL[1:]}*"):  # a writer may have put a name of its own around ours
        path.unlink(missing_ok=True)


def _end_log(path: Path) -> None:
    """Cuts a row that a kill left half written."""
    if path.exists():
        with path.open("r+b") as file:  # rewritten whole, it could be lost whole
            file.truncate(file.read().rfind(b"\n") + 1)
