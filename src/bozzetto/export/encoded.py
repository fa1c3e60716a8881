"""Pixels that still know the bytes they were decoded from, so that writing them again loses nothing."""

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray


class Encoded(np.ndarray):
    """An image as an array. It cannot be written to; whatever is derived from it is an ordinary image again."""

    source: tuple[str, bytes] | None = None
    """MIME type and file content; None of copies, slices and sums."""


def encoded(pixels: UInt8[ndarray, "h w c"], mime_type: str, content: bytes) -> Encoded:
    """The pixels with the content of the file that they came from."""
    image = pixels.view(Encoded)
    image.source = (mime_type, content)
    image.flags.writeable = False
    return image
