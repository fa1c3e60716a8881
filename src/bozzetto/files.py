"""Files that are whole under their final name, or not there; and files of other people, read within limits."""

import os
import secrets
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bozzetto.types import UserError

PARTIAL = ".partial-"
"""How the names of unfinished files begin."""
BROKEN_PICTURE = (
    OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow answers pictures with that are damaged, cut off, or made to be a nuisance."""


def read_limited(path: Path, most: int, advice: str) -> bytes:
    """What a file holds.

    Args:
        most: Bytes that it may have.
        advice: What to do where it has more, as a sentence.

    Raises:
        UserError: It cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > most:
                raise UserError(f"{path.name} is larger than {most >> 20} MiB. {advice}")
            return file.read(most)
    except (OSError, ValueError) as error:  # ValueError: a name that no system has
        raise UserError(f"Cannot read {path.name}: {getattr(error, 'strerror', None) or error}.") from None


@dataclass
class Pixels:
    """What the pictures of one file may have together: a limit for each alone leaves their number open."""

    most: int
    taken: int = 0

    def take(self, width: int, height: int) -> None:
        """Counts a picture, before it is decoded.

        Raises:
            ValueError: With it there are too many.
        """
        self.taken += width * height
        if self.taken > self.most:
            taken, most = (
                f"{count / 1e6:,.1f} megapixels ({3 * count >> 20:,} MiB)" for count in (self.taken, self.most)
            )
            raise ValueError(
                f"{width} x {height} pixels; with it there are {taken} in all, and at most {most} are read"
            )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, with its suffix; it takes the final name, whole, when the block ends well."""
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(4)}-{path.name}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
