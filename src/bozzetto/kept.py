"""Things made once on a machine and read back afterwards: canonical charts, masks and strands of the mean person.

They follow from the code and the body model alone, so their folder is named by both: the module that makes them, what
that imports, and the body's data. A new version makes its own; folders that nothing was written to for a week go.
``BOZZETTO_CACHE`` moves them; deleting them costs one slow start.
"""

import functools
import hashlib
import importlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse

P = ParamSpec("P")
R = TypeVar("R")


def folder() -> Path:
    """Where kept things lie; it need not exist."""
    base = os.environ.get("BOZZETTO_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bozzetto"
    )
    return Path(base)


@functools.cache
def _edition(module: str) -> str:
    """A name for the code that makes things in this module, and for the body model."""
    digest = hashlib.sha256()
    for path in sorted([*_sources(module), *Path(__file__).parent.glob("body/data/*")]):
        digest.update(path.name.encode())
        digest.update(str(path.stat().st_size).encode() if path.suffix == ".npz" else path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(module: str) -> set[Path]:
    """This file, the module's, and those of whatever it imports from bozzetto, however indirectly."""
    root = Path(__file__).parent
    files, waiting = {Path(__file__)}, [module]
    while waiting:
        path = root.joinpath(*waiting.pop().split(".")[1:]).with_suffix(".py")
        if path not in files and path.exists():
            files.add(path)
            imports = r"^\s*(?:from|import) (bozzetto\.\w+(?:\.\w+)?)"
            waiting += re.findall(imports, path.read_text("utf-8"), re.MULTILINE)
    return files


def kept(name: Callable[P, str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: the function's result comes from the file that ``name(*args)`` names, once there is one.

    The result may hold arrays, sparse matrices, numbers, text, lists, tuples, mappings and dataclasses of bozzetto.
    In a process it is made or read once.

    Args:
        name: From the function's arguments, a file name without ending.
    """

    def decorate(make: Callable[P, R]) -> Callable[P, R]:
        known: dict[str, R] = {}

        @functools.wraps(make)
        def get(*args: P.args, **kwargs: P.kwargs) -> R:
            key = name(*args, **kwargs)
            if key not in known:
                path = folder() / _edition(make.__module__) / f"{key}.safetensors"
                found = _read(path)
                known[key] = make(*args, **kwargs) if found is None else found[0]
                if found is None:
                    _write(path, known[key])
            return known[key]

        return get

    return decorate


def _read(path: Path) -> tuple[Any] | None:
    """What the file holds; None where there is none, or none that can be read."""
    try:
        arrays = load_file(path)
        form = json.loads(arrays.pop("form").tobytes())
        return (_assemble(form, arrays),)
    except (OSError, SafetensorError, ValueError, LookupError, TypeError, AttributeError, ImportError):
        # a damaged or foreign file is made again
        return None


def _write(path: Path, value: Any) -> None:
    """Keeps the value; a machine without room or rights goes without."""
    arrays: dict[str, np.ndarray] = {}
    form = json.dumps(_take_apart(value, arrays)).encode()
    arrays["form"] = np.frombuffer(form, np.uint8)
    with suppress(OSError, SafetensorError):
        if not path.parent.exists():
            _forget_old(path.parent.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        os.close(handle)
        try:
            save_file(arrays, temporary)
            os.replace(temporary, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _forget_old(base: Path) -> None:
    """Removes editions that nothing was written to for a week; a younger one may be in use by another process."""
    for edition in base.iterdir() if base.is_dir() else ():
        old = time.time() - edition.stat().st_mtime > 7 * 24 * 3600
        if old and edition.is_dir() and re.fullmatch("[0-9a-f]{16}", edition.name):
            shutil.rmtree(edition, ignore_errors=True)


def _take_apart(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A JSON form of the value, its arrays set aside by number."""
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = np.ascontiguousarray(value)
        return {"array": name, "shape": list(value.shape)}
    if sparse.issparse(value):
        matrix = sparse.csr_matrix(value)
        parts = [_take_apart(part, arrays) for part in (matrix.data, matrix.indices, matrix.indptr)]
        return {"csr": parts, "shape": list(matrix.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: _take_apart(getattr(value, field.name), arrays) for field in fields(value)}
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": parts}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        parts = [_take_apart(part, arrays) for part in value]
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "items": parts}
    if isinstance(value, tuple | list):
        return {"list" if isinstance(value, list) else "tuple": [_take_apart(part, arrays) for part in value]}
    if isinstance(value, Mapping):
        return {"mapping": [[_take_apart(key, arrays), _take_apart(part, arrays)] for key, part in value.items()]}
    raise TypeError(f"Cannot keep a {type(value).__name__}.")


def _assemble(form: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if not isinstance(form, dict):
        return form
    if "array" in form:
        return arrays[form["array"]].reshape(form["shape"])
    if "csr" in form:
        return sparse.csr_matrix(tuple(_assemble(part, arrays) for part in form["csr"]), shape=form["shape"])
    if "class" in form:
        module, _, name = form["class"].partition(":")
        if not module.startswith("bozzetto."):
            raise ValueError(f"{form['class']} is not bozzetto's.")
        kind: Any = importlib.import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
        if "items" in form:
            return kind(*(_assemble(part, arrays) for part in form["items"]))
        return kind(**{name: _assemble(part, arrays) for name, part in form["fields"].items()})
    if "mapping" in form:
        return {_assemble(key, arrays): _assemble(part, arrays) for key, part in form["mapping"]}
    kind = "list" if "list" in form else "tuple"
    return (list if kind == "list" else tuple)(_assemble(part, arrays) for part in form[kind])
