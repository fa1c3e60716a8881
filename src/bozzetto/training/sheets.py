"""Sheets of many small pictures."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from bozzetto.files import atomic_path


def save_sheet(images: Float[Tensor, "n 3 h w"], path: Path, columns: int, zoom: int = 2) -> None:
    """Writes pictures in [0, 1], row by row, enlarged without smoothing."""
    pixels = (images.detach().float().cpu().clamp(0, 1).movedim(1, -1).numpy() * 255 + 0.5).astype(np.uint8)
    blank = np.zeros((-len(pixels) % columns, *pixels.shape[1:]), np.uint8)
    pixels = np.concatenate([pixels, blank]).repeat(zoom, 1).repeat(zoom, 2)
    n, h, w, _ = pixels.shape
    grid = pixels.reshape(n // columns, columns, h, w, 3).transpose(0, 2, 1, 3, 4).reshape(-1, columns * w, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        Image.fromarray(grid).save(partial)
