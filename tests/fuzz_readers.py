"""Readers of other people's files under atheris: python tests/fuzz_readers.py READER CORPUS [libFuzzer's options]

Needs atheris beside bozzetto's packages. An empty CORPUS gets small good files. A file is read or refused with a
`UserError`: what does anything else, or takes 20 seconds or 3 GB, ends the run and lies in the working directory.
"""

import io
import json
import random
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import atheris

import bozzetto
from bozzetto.types import UserError

SOURCE = Path(bozzetto.__file__).parent
COMPILED = [
    ".".join(("bozzetto", *path.relative_to(SOURCE).with_suffix("").parts))
    for path in SOURCE.rglob("*.py")
    if "kernels import" in path.read_text()
]
"""What Numba compiles cannot be watched."""

with atheris.instrument_imports(include=["bozzetto", "wave"], exclude=COMPILED):
    from bozzetto.adopt.mesh import read_mesh
    from bozzetto.export.read import read_glb
    from bozzetto.motion.bvh import read_bvh
    from bozzetto.motion.smplx import read_npz
    from bozzetto.motion.speech import read_wav
    from bozzetto.motion.vrma import read_vrma

READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "avatar": (".glb", read_glb), "glb": (".glb", read_mesh), "obj": (".obj", read_mesh),
    "ply": (".ply", read_mesh), "bvh": (".bvh", read_bvh), "vrma": (".vrma", read_vrma), "npz": (".npz", read_npz),
    "wav": (".wav", read_wav),
}  # fmt: skip
HOSTILE = [-1, 0, 1, 7, 2**31, 2**63, 1e300, True, None, "", "a", [], {}, [[]], [0], "SCALAR", "MAT4", 5121, 5126]


def good_file(reader: str) -> bytes:
    """Imported here, and not instrumented: it takes the tests' own people."""
    import wave

    import numpy as np

    from adopt.test_mesh import glb
    from bozzetto.motion.vrma import vrma_bytes
    from bozzetto.types import Clip
    from export.test_glb import WHOLE
    from export_people import person
    from motion.recordings import MIXAMO, bvh_text, walking
    from motion.test_files import amass

    file = io.BytesIO()
    if reader == "bvh":
        return bvh_text(MIXAMO, *walking(MIXAMO, steps=1, frames_a_step=2)).encode()
    if reader == "obj":
        head = b"mtllib a.mtl\nusemtl b\no x\n"
        return head + b"v 0 0 0\nv 1 0 0 1 .5 .5\nv 0 1 0\nvt 0 1\nvn 0 0 1\nf 1/1/1 2/1/1 -1//1\nf 1 2 3 3\n"
    if reader == "ply":
        head = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty double z\n"
        return (head + "property uchar red\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
                "0 0 0 9\n1 0 0 9\n0 1 0 9\n3 0 1 2\n").encode()  # fmt: skip
    if reader == "wav":
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, 16_000, 0, "NONE", ""))
            sound.writeframes(b"\1\0" * 400)
        return file.getvalue()
    if reader == "npz":
        amass(file, 4)
        return file.getvalue()
    if reader == "vrma":
        turn = np.tile(np.float32([1, 0, 0, 0]), (3, 1))
        nod = Clip(
            "nod", np.linspace(0, 0.2, 3), {"head": turn}, np.zeros((3, 3)), {"jawOpen": np.zeros(3, np.float32)}
        )
        return vrma_bytes(nod, person().skeleton)
    if reader == "glb":
        return glb(Path(tempfile.mkdtemp()) / "a.glb", [{"mesh": 0, "scale": [2, 2, 2]}]).read_bytes()
    return WHOLE


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON document, with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def mutated_glb(data: bytes, longest: int, seed: int) -> bytes:
    """Another GLB: one value of its document twisted, or bytes of one of its chunks, with lengths that are right."""
    rng = random.Random(seed)
    try:
        (length,) = struct.unpack_from("<I", data, 12)
        text, binary = data[20 : 20 + length], data[28 + length :]
        document = json.loads(text)
    except (struct.error, ValueError):
        return atheris.Mutate(data, longest)
    kind = rng.randrange(4)
    if kind < 2:
        spots = list(places(document))
        for _ in range(rng.randint(1, 3)):
            holder, key = rng.choice(spots)
            other, named = rng.choice(spots)
            with suppress(LookupError, TypeError):
                holder[key] = rng.choice(HOSTILE) if rng.random() < 0.6 else other[named]
        with suppress(ValueError, RecursionError):  # what holds itself
            text = json.dumps(document).encode()
    elif kind == 2:
        text = atheris.Mutate(text, len(text) + 100)
    else:
        binary = atheris.Mutate(binary, len(binary) + 100)
    text += b" " * (-len(text) % 4)
    whole = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, len(whole) + 12) + whole


def main() -> None:
    reader, corpus, *options = sys.argv[1:]
    suffix, read = READERS[reader]
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        (folder / f"good{suffix}").write_bytes(good_file(reader))
    path = Path(tempfile.mkdtemp()) / f"fuzz{suffix}"

    def once(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(UserError):
            read(path)

    twist = {"custom_mutator": mutated_glb} if reader in ("avatar", "glb", "vrma") else {}
    largest = max(each.stat().st_size for each in folder.iterdir()) + 10_000
    atheris.Setup(
        [sys.argv[0], corpus, f"-max_len={largest}", "-timeout=20", "-rss_limit_mb=3000", *options], once, **twist
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
