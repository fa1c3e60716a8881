"""Textures as files of their own, for the formats that keep them beside the mesh."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from ..files import atomic_path
from ..types import Avatar, Material

_QUALITY = 92


def materials_of(avatar: Avatar) -> dict[int, int]:
    """The number of every material by its identity: layers may share one."""
    numbers = dict[int, int]()
    for layer in avatar.layers:
        numbers.setdefault(id(layer.material), len(numbers))
    return numbers


def textures(avatar: Avatar, stem: str, *, coverage: bool = False) -> dict[str, UInt8[ndarray, "..."]]:
    """The images of all materials by file name; see `images_of`."""
    found = {}
    for layer in avatar.layers:
        number = materials_of(avatar)[id(layer.material)]
        for role, image in images_of(layer.material, coverage=coverage).items():
            found[texture_name(stem, number, role)] = image
    return found


def images_of(material: Material, *, coverage: bool = False) -> Mapping[str, UInt8[ndarray, "..."]]:
    """A material's images by what they say.

    Args:
        coverage: Give what is cut out as an image of its own, too.
    """
    cut = cut_out(material)
    images = {"cutout" if cut else "albedo": material.albedo if cut else material.albedo[..., :3]}
    if cut and coverage:
        images["coverage"] = material.albedo[..., 3]
    if material.normal is not None:
        images["normal"] = material.normal
    if isinstance(material.roughness, ndarray):
        images["roughness"] = material.roughness
    return images


def cut_out(material: Material) -> bool:
    """Whether the albedo's coverage leaves parts of the surface out."""
    return material.alpha == "mask" and material.albedo.shape[2] == 4


def texture_name(stem: str, number: int, role: str) -> str:
    """``STEM_0_normal.png``; an opaque albedo is a JPEG."""
    return f"{stem}_{number}_{role}.{'jpg' if role == 'albedo' else 'png'}"


def save_textures(images: Mapping[str, UInt8[ndarray, "..."]], folder: Path) -> None:
    """Writes each under its name, whole or not at all."""

    def save(name: str) -> None:
        with atomic_path(folder / name) as partial:
            image = Image.fromarray(np.ascontiguousarray(images[name]))
            if name.endswith(".jpg"):
                image.save(partial, format="JPEG", quality=_QUALITY, subsampling=0)
            else:
                image.save(partial, format="PNG", compress_level=3)

    with ThreadPoolExecutor(4) as savers:
        list(savers.map(save, images))
