"""Pictures in a row, as a film."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from bozzetto.files import atomic_path

RATE = 24
"""Pictures a second."""


def write_film(
    path: Path,
    picture: Callable[[int], UInt8[ndarray, "h w 3"]],
    count: int,
    size: int,
    *,
    repeats: int = 1,
    sound: Path | None = None,
    progress: Callable[[float], object] | None = None,
) -> None:
    """Writes an H.264 film of so many pictures, drawn by all threads at once; the name appears when it is whole.

    Args:
        path: Ends in .mp4.
        picture: The one with this number.
        count: Of the pictures.
        size: Pixels of a side; even, as the format asks.
        repeats: How often all of them are shown.
        sound: A recording to be heard from the first picture on.
        progress: Told the share that is done, up to 1.

    Raises:
        ValueError: The size is odd or not positive, or there are no pictures.
    """
    if size < 2 or size % 2 or count < 1:
        raise ValueError(f"A film needs an even size and one picture at least; got {size} pixels and {count} pictures.")
    import imageio_ffmpeg  # it looks for its program when imported, which only films need

    heard = {"audio_path": str(sound), "audio_codec": "aac"} if sound is not None else {}
    again: list[UInt8[ndarray, "h w 3"]] = []
    with atomic_path(path) as partial, _threads() as pool:
        writer = imageio_ffmpeg.write_frames(
            str(partial), (size, size), fps=RATE, codec="libx264", pix_fmt_in="rgb24", pix_fmt_out="yuv420p",
            macro_block_size=2, quality=7, output_params=["-preset", "veryfast", "-movflags", "+faststart"],
            ffmpeg_log_level="error", **heard,
        )  # fmt: skip
        try:
            writer.send(None)
            for index, drawn in enumerate(pool.map(picture, range(count))):
                writer.send(np.ascontiguousarray(drawn))
                if repeats > 1:
                    again.append(drawn)
                if progress is not None:
                    progress((index + 1) / count)
            for drawn in again * (repeats - 1):
                writer.send(np.ascontiguousarray(drawn))
        finally:
            writer.close()


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that leave what nobody waits for any more undone."""
    pool = ThreadPoolExecutor(torch.get_num_threads())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
