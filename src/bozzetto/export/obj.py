"""Avatar -> OBJ with MTL and textures, and PLY with a colour a vertex: the figure as it stands, without its rig.

Both hold the T-pose with the face as it rests; neither format has joints, weights or expressions.
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from ..files import atomic_path
from ..types import Avatar, Layer, Material
from .expressions import at_rest
from .marks import Marks
from .textures import cut_out, images_of, materials_of, save_textures, texture_name, textures
from .vertices import VertexBuffers, vertex_buffers


def obj_files(avatar: Avatar, stem: str) -> tuple[str, ...]:
    """The names of all files that `write_obj` writes for ``stem.obj``, that one last."""
    return (*textures(avatar, stem, coverage=True), f"{stem}.mtl", f"{stem}.obj")


def write_obj(avatar: Avatar, path: Path, *, marks: Marks | None = None) -> None:
    """Write the avatar to `path`, with ``.mtl`` and textures beside it; an object and a material a layer.

    Args:
        avatar: Standing at rest.
        path: Replaced if it exists, and so are the files beside it.
        marks: Whose it is, for the files' first lines.

    Raises:
        ValueError: The avatar contradicts itself.
    """
    texts = obj_texts(avatar, path.stem, marks)
    save_textures(textures(avatar, path.stem, coverage=True), path.parent)
    for place, text in zip((path.with_suffix(".mtl"), path), texts, strict=True):
        with atomic_path(place) as partial:
            partial.write_text(text, encoding="utf-8")


def obj_texts(avatar: Avatar, stem: str, marks: Marks | None = None) -> tuple[str, str]:
    """The MTL and the OBJ file's text."""
    said = comments(marks or Marks())
    numbers = materials_of(avatar)
    materials = {id(layer.material): layer.material for layer in avatar.layers}
    objects, first = [f"{said}mtllib {stem}.mtl\n"], 1
    for layer in at_rest(avatar).layers:
        buffers = vertex_buffers(layer)
        rows = np.repeat(buffers.indices + first, 3, axis=1)
        objects += [
            f"o {layer.name}\n",
            _lines("v", buffers.positions, "%.6f"),
            _lines("vt", np.column_stack([buffers.uvs[:, 0], 1 - buffers.uvs[:, 1]]), "%.6f"),
            _lines("vn", buffers.normals, "%.4f"),
            f"usemtl material_{numbers[id(layer.material)]}\ns 1\n",
            _lines("f", rows, "%d/%d/%d"),
        ]
        first += len(buffers.positions)
    described = [_mtl(material, numbers[key], stem) for key, material in materials.items()]
    return said + "".join(described), "".join(objects)


def write_ply(avatar: Avatar, path: Path, *, marks: Marks | None = None) -> None:
    """Write the avatar to `path` as one binary PLY mesh whose vertices have normals and colours (sRGB, with coverage).

    Raises:
        ValueError: The avatar contradicts itself.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(ply_bytes(avatar, marks))


def ply_bytes(avatar: Avatar, marks: Marks | None = None) -> bytes:
    """The file `write_ply` writes."""
    vertices, faces, start = [], [], 0
    for layer in at_rest(avatar).layers:
        buffers = vertex_buffers(layer)
        vertex = np.zeros(len(buffers.positions), [("p", "<f4", 3), ("n", "<f4", 3), ("c", "u1", 4)])
        vertex["p"], vertex["n"], vertex["c"] = buffers.positions, buffers.normals, vertex_colours(layer, buffers)
        face = np.zeros(len(buffers.indices), [("count", "u1"), ("rows", "<i4", 3)])
        face["count"], face["rows"] = 3, buffers.indices + start
        vertices.append(vertex)
        faces.append(face)
        start += len(vertex)
    said = "".join(f"comment {line[2:]}\n" for line in comments(marks or Marks()).splitlines())
    floats = "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz"))
    colours = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue", "alpha"))
    header = (
        f"ply\nformat binary_little_endian 1.0\n{said}element vertex {start}\n{floats}{colours}"
        f"element face {sum(map(len, faces))}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    return header.encode() + b"".join(part.tobytes() for part in (*vertices, *faces))


def vertex_colours(layer: Layer, buffers: VertexBuffers) -> UInt8[ndarray, "n 4"]:
    """What the albedo is around each row, sRGB with coverage: the mean over about the share of it that a row has."""
    albedo = layer.material.albedo
    if not cut_out(layer.material):
        albedo = np.dstack([albedo[..., :3], np.full(albedo.shape[:2], 255, np.uint8)])
    shrink = max(1, round(float(np.sqrt(albedo.shape[0] * albedo.shape[1] / len(buffers.uvs)) / 2)))
    small = Image.fromarray(albedo).reduce(min(shrink, *albedo.shape[:2]))
    pixels = np.asarray(small)
    column = np.floor(buffers.uvs[:, 0] % 1 * pixels.shape[1]).astype(int).clip(0, pixels.shape[1] - 1)
    row = np.floor(buffers.uvs[:, 1] % 1 * pixels.shape[0]).astype(int).clip(0, pixels.shape[0] - 1)
    return pixels[row, column]


def comments(marks: Marks) -> str:
    """What a text format says of the file's making, each line behind a ``#``."""
    authors = f" Author: {', '.join(marks.rights.authors)}." if marks.rights.authors else ""
    lines = f"{marks.sentence()}{authors}", marks.rights.words(), "Metres, +y up, facing +z."
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)


def _mtl(material: Material, number: int, stem: str) -> str:
    """Phong's terms for old programs, and the physical ones (Pr, Pm, norm) that most have come to read."""
    rough = 0.7 if isinstance(material.roughness, ndarray) else float(material.roughness)
    shine = min(2 / max(rough, 0.05) ** 4 - 2, 1000.0)
    lines = [f"newmtl material_{number}", "Ka 0 0 0", "Kd 1 1 1", "Ks 0.04 0.04 0.04", f"Ns {max(shine, 0):.1f}"]
    lines += ["illum 2", f"Pm {material.metallic:g}", f"Pr {rough:g}"]
    keys = {"albedo": "map_Kd", "cutout": "map_Kd", "coverage": "map_d", "normal": "norm", "roughness": "map_Pr"}
    lines += [f"{keys[role]} {texture_name(stem, number, role)}" for role in images_of(material, coverage=True)]
    return "\n".join(lines) + "\n\n"


def _lines(key: str, rows: ndarray, form: str) -> str:
    """A line a row; `form` says how as many of its numbers are written as it has places for."""
    line = f"{key} {' '.join([form] * (rows.shape[1] // form.count('%')))}\n"
    return "".join(line % tuple(row) for row in rows.tolist())
