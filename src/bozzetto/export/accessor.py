"""Arrays in a GLB. Every number in its document is checked before it sizes or addresses anything."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray

TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
"""Of glTF's component types."""
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Accessors:
    """The arrays of a parsed GLB, hostile ones included.

    Args:
        document: Its JSON.
        binary: Its binary chunk.
        most: Bytes that may be read in all, since many accessors on one view must not multiply memory. Without it, four
            times what the file has.
    """

    def __init__(self, document: dict[str, Any], binary: bytes, most: int | None = None) -> None:
        self._document, self._binary = document, binary
        self._left = 4 * len(binary) + 1024 if most is None else most

    def read(self, index: int, kind: str | None = None, count: int | None = None) -> Shaped[ndarray, "n w"]:
        """An accessor's rows as they are stored; normalised integers as doubles in [0, 1] or [-1, 1].

        Args:
            kind: What it must be, such as VEC3.
            count: How many rows it must have.

        Raises:
            ValueError: It is something else, sparse, lies outside the file, or holds what is no finite number.
        """
        accessor = self._document["accessors"][index]
        found, rows = accessor["type"], accessor["count"]
        if kind not in (None, found) or count not in (None, rows):
            raise ValueError(f"accessor {index} is {rows} x {found:.10}, expected {count or 'some'} x {kind}")
        if "sparse" in accessor:
            raise ValueError(f"accessor {index} is stored sparsely, which is not read here")
        return self.values(accessor, accessor["componentType"], found, rows)

    def values(self, place: Mapping[str, Any], component: int, kind: str, count: int) -> Shaped[ndarray, "n w"]:
        """Rows from where ``place`` says: an accessor, or the indices or values of a sparse one."""
        dtype, width = np.dtype(TYPES[component]), WIDTHS[kind]
        start, length, stride = self._span(place["bufferView"])
        size = dtype.itemsize * width
        stride, offset = stride or size, place.get("byteOffset", 0)
        if not (_whole(count, offset) and count and size <= stride and offset + stride * (count - 1) + size <= length):
            raise ValueError(f"{count!r:.20} x {kind} lie outside buffer view {place['bufferView']}")
        self._spend(count * size)
        rows = np.ndarray((count, width), dtype, self._binary, start + offset, (stride, dtype.itemsize)).copy()
        if dtype.kind == "f" and not np.isfinite(rows).all():
            raise ValueError(f"buffer view {place['bufferView']} holds a number that is not finite")
        if place.get("normalized") and dtype.kind != "f":
            return np.maximum(rows / np.iinfo(dtype).max, -1.0)
        return rows

    def view(self, index: int) -> bytes:
        """A buffer view's bytes.

        Raises:
            ValueError: It lies outside the file.
        """
        start, length, _ = self._span(index)
        self._spend(length)
        return self._binary[start : start + length]

    def _span(self, index: int) -> tuple[int, int, int]:
        """Where a buffer view starts, how long it is, and its stride or zero."""
        view = self._document["bufferViews"][index]
        if view.get("buffer", 0) != 0 or "uri" in self._document["buffers"][0]:
            raise ValueError("its data lies in another file")
        start, length, stride = view.get("byteOffset", 0), view["byteLength"], view.get("byteStride", 0)
        if not (_whole(start, length, stride) and start + length <= len(self._binary)):
            raise ValueError(f"buffer view {index} lies outside the file")
        return start, length, stride

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("its accessors repeat the same bytes too often")


def _whole(*numbers: Any) -> bool:
    return all(isinstance(each, int) and each >= 0 for each in numbers)
