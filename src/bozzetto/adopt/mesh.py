"""Meshes of other programs, from GLB, VRM, OBJ and PLY: one triangle mesh with its colours, welded where points meet.

glTF 2.0 (Khronos), Wavefront OBJ with MTL, and Stanford PLY, as their specifications say. Departures: only triangles
are read from a GLB; of materials only the base colour; nothing outside the file's own folder is opened.
"""

import base64
import binascii
import io
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from bozzetto.export.accessor import Accessors
from bozzetto.export.read import unpack_glb
from bozzetto.files import BROKEN_PICTURE, Pixels, read_limited
from bozzetto.types import UserError, linear_to_srgb, srgb_to_linear

READ = (".glb", ".vrm", ".obj", ".ply")
MOST_BYTES = 1 << 29
MOST_FACES = 500_000
_MOST_NODES, _MOST_MATERIALS = 20_000, 64
_MOST_PIXELS = 4 * 8192 * 8192
"""Of all pictures together; one may have a quarter of them."""
_MOST_POINTS = 4 * MOST_FACES
"""Vertices, or texture coordinates, of one list."""
_MOST_VALUES, _MOST_PROPERTIES = 64 * MOST_FACES, 64
"""Numbers in one of a PLY's elements, and in one row of it."""
_LONGEST_LINE = 1 << 20
_MOST_READ = 2 * MOST_BYTES
"""Bytes of a GLB's vertices, each as often as a node shows it."""
_GREY = (0.75, 0.75, 0.75)


@dataclass(frozen=True, eq=False)
class ForeignMesh:
    """What a file of another program shows."""

    vertices: Float[ndarray, "v 3"]
    """In the file's own units and axes."""
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"] | None
    """Into ``albedo``; (0, 0) is the upper left."""
    albedo: UInt8[ndarray, "h w 3"] | None
    """sRGB."""
    colours: Float[ndarray, "v 3"] | None
    """sRGB, where vertices have colours and no picture does."""
    notes: tuple[str, ...] = ()
    """What had to be guessed about its colours."""
    facing: tuple[float, float, float] | None = None
    """Where figures in files of its kind look."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """One material's triangles, and the vertices that they name."""

    points: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"] | None = None
    picture: UInt8[ndarray, "h w 3"] | None = None
    plain: tuple[float, float, float] = _GREY
    """sRGB, where there is no picture."""
    colours: Float[ndarray, "v 3"] | None = None


def read_mesh(path: Path) -> ForeignMesh:
    """The triangles of a GLB, VRM, OBJ or PLY, node transforms applied, any skeleton in its rest pose.

    Raises:
        UserError: The file cannot be read, is damaged, too large, or holds no triangles.
    """
    kind = path.suffix.lower()
    if kind not in READ:
        raise UserError(f"bozzetto rigs {', '.join(READ)} files; {path.name} is none of them. Convert it first.")
    data = read_limited(path, MOST_BYTES, "Reduce its triangles or textures first.")
    try:
        readers = {".glb": _from_glb, ".vrm": _from_glb, ".obj": _from_obj, ".ply": _from_ply}
        pieces, notes = readers[kind](data, path.parent)
        return replace(_joined(pieces), notes=notes, facing=(0.0, 0.0, 1.0) if readers[kind] is _from_glb else None)
    # Whatever a hostile file makes the code below trip over is the file's fault, not ours.
    except (
        ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError, OSError,
        struct.error,
    ) as error:  # fmt: skip
        raise UserError(
            f"{path.name} cannot be read as a mesh: {str(error)[:200]}. Export it again, as a GLB with plain triangles."
        ) from error


def refined(mesh: ForeignMesh, longest: float, most: int = 120_000) -> ForeignMesh:
    """The same surface, each face cut in four until nearly all edges are short: weights need room to change.

    Args:
        mesh: Any.
        longest: What nine edges of ten may measure, in the file's units.
        most: Faces that are not exceeded.
    """
    while 4 * len(mesh.faces) <= most:
        ends = np.sort(np.stack([mesh.faces, np.roll(mesh.faces, -1, 1)], 2).reshape(-1, 2), 1)
        pairs, where = np.unique(ends, axis=0, return_inverse=True)
        length = np.linalg.norm(mesh.vertices[pairs[:, 0]] - mesh.vertices[pairs[:, 1]], axis=1)
        if np.percentile(length, 90) <= longest:
            break
        a, b, c = mesh.faces.T
        ab, bc, ca = (len(mesh.vertices) + where.reshape(-1, 3)).T
        uvs = mesh.uvs
        if uvs is not None:
            half = (uvs + np.roll(uvs, -1, 1)) / 2
            quarters = ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5))
            uvs = np.concatenate([np.concatenate([uvs, half], 1)[:, list(each)] for each in quarters])
        corners = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
        mesh = replace(
            mesh,
            vertices=np.concatenate([mesh.vertices, mesh.vertices[pairs].mean(1)]),
            faces=np.concatenate([np.stack(each, 1) for each in corners]),
            uvs=uvs,
            colours=None if mesh.colours is None else np.concatenate([mesh.colours, mesh.colours[pairs].mean(1)]),
        )
    return mesh


def _cut(
    points: Float[ndarray, "v 3"],
    faces: Int[ndarray, "f 3"],
    uvs: Float[ndarray, "f 3 2"] | None = None,
    picture: UInt8[ndarray, "h w 3"] | None = None,
    plain: Sequence[float] = _GREY,
    colours: Float[ndarray, "v 3"] | None = None,
) -> _Piece:
    """A piece without the vertices that its triangles do not name: many pieces may share one long list.

    Raises:
        ValueError: A triangle names a vertex that is not there, or a number is not finite.
    """
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(points):
        raise ValueError(f"a triangle names vertex {faces.max()} of {len(points)}")
    used, faces = np.unique(faces, return_inverse=True)
    points, colours = points[used].astype(np.float64), None if colours is None else colours[used]
    if not np.isfinite(points).all():
        raise ValueError("some of its vertices are not finite numbers")
    if uvs is not None and not (np.abs(uvs) < 1e9).all():
        raise ValueError("its texture coordinates are not finite numbers")
    if not np.isfinite(plain).all() or (colours is not None and not np.isfinite(colours).all()):
        raise ValueError("its colours are not finite numbers")
    red, green, blue = np.clip(plain, 0.0, 1.0).tolist()
    return _Piece(points, faces.reshape(-1, 3).astype(np.int64), uvs, picture, (red, green, blue), colours)


def _joined(pieces: Sequence[_Piece]) -> ForeignMesh:
    pieces = [piece for piece in pieces if len(piece.faces)]
    count = sum(len(piece.faces) for piece in pieces)
    if not count:
        raise ValueError("it holds no triangles")
    _bearable(count)
    starts = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    points = np.concatenate([piece.points for piece in pieces])
    faces = np.concatenate([piece.faces + at for piece, at in zip(pieces, starts[:-1], strict=True)])
    size = float(np.ptp(points, axis=0).max())
    if not 0 < size < 1e12:
        raise ValueError(f"it is {size:g} units large")
    uvs, albedo = _pictured(pieces)
    colours = np.concatenate([
        np.broadcast_to(piece.plain, piece.points.shape) if piece.colours is None else piece.colours for piece in pieces
    ])  # fmt: skip
    rounded = np.round((points - points.min(0)) / size * 1e6).astype(np.int64)
    _, first, same = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    points, faces = points[first], same.ravel()[faces]
    a, b, c = points[faces].transpose(1, 0, 2)
    if np.linalg.norm(np.cross(b - a, c - a), axis=1).max() < 1e-12 * size**2:
        raise ValueError("none of its triangles has any area")
    # Long and flat ones stay, they close gaps; those that lost a corner go.
    solid = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return ForeignMesh(
        points,
        faces[solid],
        None if uvs is None else uvs[solid],
        albedo,
        colours[first].astype(np.float32) if albedo is None else None,
    )


def _bearable(count: int) -> None:
    if count > MOST_FACES:
        raise ValueError(f"it has more than {MOST_FACES:,} triangles; reduce them first")


def _holdable(count: int, what: str = "vertices") -> None:
    if count > _MOST_POINTS:
        raise ValueError(f"it lists {count:,} {what} or more; at most {_MOST_POINTS:,} are read")


def _pictured(pieces: Sequence[_Piece]) -> tuple[ndarray | None, ndarray | None]:
    """Texture coordinates into one picture: the only one as it is, or several side by side, each a tile of a square."""
    if all(piece.picture is None or piece.uvs is None for piece in pieces):
        return None, None
    kinds: dict[object, int] = {}
    named = [
        kinds.setdefault(piece.plain if piece.picture is None or piece.uvs is None else id(piece.picture), len(kinds))
        for piece in pieces
    ]
    if len(kinds) > _MOST_MATERIALS:
        raise ValueError(f"it has {len(kinds)} materials; at most {_MOST_MATERIALS} are read")
    if len(kinds) == 1 and pieces[0].uvs is not None:
        uvs = np.concatenate([piece.uvs for piece in pieces if piece.uvs is not None])
        return (uvs - np.floor(uvs.min(1, keepdims=True) + 1e-4)).astype(np.float32), pieces[0].picture
    across = int(np.ceil(np.sqrt(len(kinds))))
    side, edge = 4096 // across, 4
    albedo = np.zeros((side * across, side * across, 3), np.uint8)
    uvs = []
    for piece, tile in zip(pieces, named, strict=True):
        low = np.array([tile % across, tile // across]) * side
        picture = piece.picture
        if picture is None or piece.uvs is None:
            there = np.full((len(piece.faces), 3, 2), 0.5)
            picture = np.full((1, 1, 3), np.round(np.array(piece.plain) * 255), np.uint8)
        else:
            there = np.clip(piece.uvs - np.floor(piece.uvs.min(1, keepdims=True) + 1e-4), 0, 1)
        inner = np.asarray(
            Image.fromarray(picture).resize((side - 2 * edge, side - 2 * edge), Image.Resampling.LANCZOS)
        )
        framed = np.pad(inner, ((edge, edge), (edge, edge), (0, 0)), mode="edge")
        albedo[low[1] : low[1] + side, low[0] : low[0] + side] = framed
        uvs.append((low + edge + there * (side - 2 * edge)) / (side * across))
    return np.concatenate(uvs).astype(np.float32), albedo


def _picture(data: bytes, pixels: Pixels) -> UInt8[ndarray, "h w 3"]:
    """A picture's colours.

    Args:
        pixels: What the pictures of this file have so far.

    Raises:
        ValueError: It is damaged, or larger than what is left.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP", "TGA")) as image:
            if 4 * image.width * image.height > pixels.most:
                raise ValueError(f"{image.width} x {image.height} pixels; at most {pixels.most // 4:,} are read")
            pixels.take(image.width, image.height)
            return np.asarray(image.convert("RGB"))
    except BROKEN_PICTURE as error:
        raise ValueError(f"a picture of it cannot be used ({error})") from error


# ---------------------------------------------------------------------------------------------------- glTF


def _from_glb(data: bytes, folder: Path) -> tuple[list[_Piece], tuple[str, ...]]:
    return _Glb(*unpack_glb(data)).pieces(), ()


class _Glb:
    """A parsed GLB. Every number in it is checked before it sizes or addresses anything."""

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        needed = set(document.get("extensionsRequired", ())) - {"KHR_materials_unlit", "KHR_texture_transform",
            "KHR_mesh_quantization", "EXT_texture_webp"}  # fmt: skip
        if needed:
            raise ValueError(f"it needs the extension {sorted(map(str, needed))[0]:.60}, which is not read")
        self._document, self._accessors = document, Accessors(document, binary, _MOST_READ)
        self._pictures: dict[int, ndarray] = {}
        self._pixels = Pixels(_MOST_PIXELS)
        self._faces = 0

    def pieces(self) -> list[_Piece]:
        nodes = self._document.get("nodes", [])
        if len(nodes) > _MOST_NODES:
            raise ValueError(f"it has {len(nodes)} nodes")
        below = {child for node in nodes for child in node.get("children", [])}
        scenes = self._document.get("scenes") or [{"nodes": set(range(len(nodes))) - below}]
        world: dict[int, ndarray] = {}
        waiting = [(int(node), np.eye(4)) for node in scenes[self._document.get("scene", 0)].get("nodes", [])]
        while waiting:
            node, above = waiting.pop()
            if node in world:
                raise ValueError(f"node {node} hangs on two others")
            world[node] = above @ _local(nodes[node])
            waiting += [(int(child), world[node]) for child in nodes[node].get("children", [])]
        out = []
        for node, place in world.items():
            if "mesh" in nodes[node]:
                skin = self._document["skins"][nodes[node]["skin"]] if "skin" in nodes[node] else None
                for primitive in self._document["meshes"][nodes[node]["mesh"]]["primitives"]:
                    if primitive.get("mode", 4) == 4:
                        out.append(self._piece(primitive, place, skin, world))
                        if len(out) > _MOST_NODES:
                            raise ValueError(f"its nodes show more than {_MOST_NODES:,} pieces")
        return out

    def _piece(
        self, primitive: dict[str, Any], place: ndarray, skin: dict[str, Any] | None, world: dict[int, ndarray]
    ) -> _Piece:
        attributes = primitive["attributes"]
        _holdable(self._document["accessors"][attributes["POSITION"]]["count"])
        points = self._accessors.read(attributes["POSITION"], "VEC3")
        count = len(points)
        indices = self._accessors.read(primitive["indices"], "SCALAR") if "indices" in primitive else np.arange(count)
        self._faces += len(indices) // 3
        _bearable(self._faces)
        faces = indices.ravel()[: len(indices) // 3 * 3].astype(np.int64).reshape(-1, 3)
        homogeneous = np.concatenate([points, np.ones((count, 1))], 1)
        if skin is not None and "JOINTS_0" in attributes:
            if len(skin["joints"]) > _MOST_NODES:
                raise ValueError(f"a skin of it has {len(skin['joints']):,} joints")
            joints = np.stack([world[int(joint)] for joint in skin["joints"]])
            if "inverseBindMatrices" in skin:
                binds = self._accessors.read(skin["inverseBindMatrices"], "MAT4").astype(np.float64)
                joints = joints @ binds.reshape(-1, 4, 4).transpose(0, 2, 1)
            weights = self._accessors.read(attributes["WEIGHTS_0"], "VEC4", count).astype(np.float64)
            named = self._accessors.read(attributes["JOINTS_0"], "VEC4", count).astype(np.int64)
            weights = weights / np.maximum(weights.sum(1, keepdims=True), 1e-9)
            placed = sum(
                weights[:, k, None] * np.einsum("nab,nb->na", joints[named[:, k]], homogeneous) for k in range(4)
            )
        else:
            placed = homogeneous @ place.T
            if np.linalg.det(place[:3, :3]) < 0:
                faces = faces[:, ::-1]
        placed = np.asarray(placed)[:, :3]
        picture, plain, texture = self._paint(primitive)
        moved = texture.get("extensions", {}).get("KHR_texture_transform", {})
        slot, uvs = f"TEXCOORD_{moved.get('texCoord', texture.get('texCoord', 0))}", None
        if picture is not None and slot in attributes:
            uvs = _transformed(self._accessors.read(attributes[slot], "VEC2", count), moved)[faces]
        colours = None
        if "COLOR_0" in attributes:
            own = self._accessors.read(attributes["COLOR_0"], count=count)[:, :3].astype(np.float64)
            colours = linear_to_srgb(own * srgb_to_linear(np.array(plain)))
        return _cut(placed, faces, uvs, picture, plain, colours)

    def _paint(self, primitive: dict[str, Any]) -> tuple[ndarray | None, tuple[float, float, float], dict[str, Any]]:
        """A primitive's picture, plain colour (sRGB), and how the picture lies on it."""
        if "material" not in primitive:
            return None, _GREY, {}
        material = self._document["materials"][primitive["material"]].get("pbrMetallicRoughness", {})
        red, green, blue = linear_to_srgb(np.array(material.get("baseColorFactor", (1, 1, 1, 1))[:3], float))
        plain = float(red), float(green), float(blue)
        if (found := material.get("baseColorTexture")) is None:
            return None, plain, {}
        texture = self._document["textures"][found["index"]]
        source = texture.get("extensions", {}).get("EXT_texture_webp", texture)["source"]
        if source not in self._pictures:
            image = self._document["images"][source]
            if "bufferView" in image:
                data = self._accessors.view(image["bufferView"])
            elif str(image.get("uri", "")).startswith("data:"):
                try:
                    data = base64.b64decode(image["uri"].partition(",")[2], validate=True)
                except binascii.Error as error:
                    raise ValueError("a picture in it is damaged") from error
            else:
                raise ValueError("its pictures lie in other files; embed them")
            self._pictures[source] = _picture(data, self._pixels)
        return self._pictures[source], plain, found


def _transformed(uvs: Float[ndarray, "v 2"], moved: dict[str, Any]) -> Float[ndarray, "v 2"]:
    """Texture coordinates moved as KHR_texture_transform says.

    Departs from its listing, whose matrix turns the other way than its words, its sample model and viewers do.
    """
    scale, offset = (np.array(moved.get(name, row), float) for name, row in (("scale", (1, 1)), ("offset", (0, 0))))
    sine, cosine = np.sin(moved.get("rotation", 0.0)), np.cos(moved.get("rotation", 0.0))
    return uvs * scale @ np.array([[cosine, -sine], [sine, cosine]]) + offset


def _local(node: dict[str, Any]) -> Float[ndarray, "4 4"]:
    if "matrix" in node:
        return np.array(node["matrix"], float).reshape(4, 4).T
    x, y, z, w = np.array(node.get("rotation", (0, 0, 0, 1)), float)
    turn = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    out = np.eye(4)
    out[:3, :3] = turn * np.array(node.get("scale", (1, 1, 1)), float)
    out[:3, 3] = node.get("translation", (0, 0, 0))
    return out


# ---------------------------------------------------------------------------------------------------- OBJ, PLY


def _from_obj(data: bytes, folder: Path) -> tuple[list[_Piece], tuple[str, ...]]:
    points: list[list[float]] = []
    places: list[list[float]] = []
    corners: dict[str, list[tuple[int, int]]] = {}
    beside = _Beside(folder)
    material = ""
    count = 0
    for line in _lines(data):
        word, rest = (*line.split(None, 1), "")[:2]
        if word == "v":
            _holdable(len(points) + 1)
            points.append([float(value) for value in rest.split()[:6]])
        elif word == "vt":
            _holdable(len(places) + 1, "texture coordinates")
            places.append([float(value) for value in rest.split()[:2]])
        elif word == "f":
            found = []
            for corner in rest.split():
                names = corner.split("/")
                placed = len(names) > 1 and names[1]
                found.append((_row(names[0], len(points)), _row(names[1], len(places)) if placed else -1))
            count += max(len(found) - 2, 0)
            _bearable(count)
            for k in range(1, len(found) - 1):
                corners.setdefault(material, []).extend((found[0], found[k], found[k + 1]))
        elif word == "usemtl":
            material = rest.strip()
        elif word == "mtllib":
            beside.read(rest)
    whole = [point for point in points if len(point) == 6]
    colours = np.array([p[3:] for p in points], np.float64).clip(0, 1) if whole and len(whole) == len(points) else None
    at = np.array([point[:3] for point in points], np.float64).reshape(-1, 3)
    flat = np.array(places, np.float64).reshape(-1, 2) * [1, -1] + [0, 1]
    out = []
    for name, every in corners.items():
        table = np.array(every, np.int64).reshape(-1, 3, 2)
        if table[..., 1].max() >= len(flat):
            raise ValueError("a face names a texture coordinate that is not there")
        picture, plain = beside.materials.get(name, (None, _GREY))
        uvs = flat[table[..., 1]] if picture is not None and (table[..., 1] >= 0).all() else None
        out.append(_cut(at, table[..., 0], uvs, picture, plain, colours))
    if not beside.missing:
        return out, ()
    names = ", ".join(f"{name:.60}" for name in beside.missing[:3]) + (", …" if len(beside.missing) > 3 else "")
    return out, (f"colours, where files that it names are not beside it ({names})",)


def _row(text: str, known: int) -> int:
    """Which row an OBJ's number means: it counts from one, or backwards from the latest."""
    number = int(text)
    row = number - 1 if number > 0 else known + number
    if row < 0 or number == 0:
        raise ValueError(f"a face names row {number} of {known}")
    return row


_Paint: TypeAlias = tuple[ndarray | None, Sequence[float]]
"""A material's picture, and its plain colour."""


class _Beside:
    """What lies in an OBJ's folder and it names: materials and pictures, each file of them read once."""

    materials: dict[str, _Paint]
    missing: list[str]
    """The first names of files that are not there."""

    def __init__(self, folder: Path) -> None:
        self.materials, self.missing = {}, []
        self._folder, self._pixels = folder, Pixels(_MOST_PIXELS)
        self._done: set[Path] = set()
        self._pictures: dict[Path, ndarray] = {}

    def read(self, named: str) -> None:
        """Adds the materials of the MTL that a line names."""
        path = self._found(self._folder, named)
        if path is None or path in self._done:
            return
        self._done.add(path)
        mine: dict[str, _Paint] = {}
        name = ""
        for line in _lines(read_limited(path, 1 << 20, "Leave out the materials that are not used.")):
            word, rest = (*line.split(None, 1), "")[:2]
            picture, plain = mine.get(name, (None, _GREY))
            if word == "newmtl":
                name = rest.strip()
                mine.setdefault(name, (None, _GREY))
            elif word == "Kd":
                red, green, blue = (float(value) for value in rest.split()[:3])
                mine[name] = picture, (red, green, blue)
            elif word == "map_Kd" and (there := self._found(path.parent, rest)) is not None:
                if there not in self._pictures:
                    self._pictures[there] = _picture(read_limited(there, MOST_BYTES, "Scale it down."), self._pixels)
                mine[name] = self._pictures[there], plain
        self.materials |= mine

    def _found(self, start: Path, named: str) -> Path | None:
        path = _beside(start, named, self._folder)
        if path is None and named.strip() not in self.missing and len(self.missing) < 4:
            self.missing.append(named.strip())
        return None if path is None else path.resolve()


def _lines(data: bytes) -> Iterator[str]:
    """Lines with text in them; one that ends in a backslash goes on in the next."""
    whole = bytearray()
    for each in re.finditer(rb"([^\r\n]*)(?:\r\n?|\n|\Z)", data):
        whole += each[1]
        if len(whole) > _LONGEST_LINE:
            raise ValueError(f"a line of it is longer than {_LONGEST_LINE >> 20} MiB")
        if whole[-1:] == b"\\":
            whole[-1:] = b" "
            continue
        if whole.strip():
            yield whole.decode("utf-8", "replace")
        whole.clear()


def _beside(start: Path, text: str, folder: Path) -> Path | None:
    """The file within ``folder`` that a line ends with the name of, seen from ``start``; options may come before it.

    Of names that lead elsewhere, as on the machine where they were written, the last part is looked for.
    """
    text = text.strip().replace("\\", "/")
    for word in list(re.finditer(r"\S+", text))[:24]:
        name = text[word.start() :]
        for there in (start / name, start / Path(name).name):
            with suppress(OSError, ValueError):  # names that no system has
                if there.resolve().is_relative_to(folder.resolve()) and there.is_file():
                    return there
    return None


_PLY = {
    "char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d",
    "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f",
    "float64": "d",
}  # fmt: skip


_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


class _Values:
    """What follows a PLY's header, number by number."""

    def __init__(self, body: bytes, order: str) -> None:
        self._words = (each[0] for each in re.finditer(rb"\S+", body)) if order == "ascii" else None
        self._body = body
        self._sign = _ORDERS[order]
        self._at = 0

    def table(self, kinds: Sequence[str], count: int) -> ndarray:
        """So many rows of numbers of these types."""
        start, total = self._at, count * len(kinds)
        if self._words is not None:
            return np.fromiter(map(float, islice(self._words, total)), np.float64, total).reshape(count, len(kinds))
        row = np.dtype([(str(k), self._sign + _PLY[kind]) for k, kind in enumerate(kinds)])
        found = np.frombuffer(self._body, row, count, start)
        self._at += count * row.itemsize
        return np.stack([found[str(k)].astype(np.float64) for k in range(len(kinds))], 1)

    def take(self, kind: str, count: int) -> Sequence[float]:
        """So many numbers of one type: for rows whose length is not known before they are read."""
        if self._words is not None:
            return [float(word) for word in islice(self._words, count)]
        form, start = f"{self._sign}{count}{_PLY[kind]}", self._at
        self._at += struct.calcsize(form)
        return struct.unpack_from(form, self._body, start)

    def entries(self, length_kind: str, kind: str) -> list[int]:
        """A list: its length, then that many whole numbers."""
        (length,) = self.take(length_kind, 1)
        if not 0 <= length <= 1000:
            raise ValueError(f"a list in it has {length:g} entries")
        found = [int(each) for each in self.take(kind, int(length))]
        if len(found) != length:
            raise ValueError("it is cut off")
        return found


def _from_ply(data: bytes, folder: Path) -> tuple[list[_Piece], tuple[str, ...]]:
    head, mark, body = data.partition(b"end_header")
    if not data.startswith(b"ply") or not mark or len(head) > _LONGEST_LINE:
        raise ValueError("it does not begin as a PLY file does")
    order, elements = "", []
    for line in head.decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["format"]:
            order = words[1]
        elif words[:1] == ["element"]:
            elements.append((words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            elements[-1][2].append(words[1:])
    if len(elements) > _MOST_PROPERTIES or any(len(each[2]) > _MOST_PROPERTIES for each in elements):
        raise ValueError(f"its header lists more than {_MOST_PROPERTIES} properties of a row, or kinds of rows")
    if order not in _ORDERS:
        raise ValueError(f"it is in no known format {order:.20}")
    values = _Values(body[body.index(b"\n") + 1 :], order)
    points = colours = None
    faces: list[list[int]] = []
    for name, count, properties in elements:
        if name == "face":
            _bearable(count)
        if not 0 <= count <= _MOST_POINTS or count * len(properties) > min(len(body), _MOST_VALUES):
            raise ValueError(f"it announces {count} of {name:.20}")
        if all(each[0] != "list" for each in properties):
            table = values.table([each[0] for each in properties], count)
            columns = {each[1]: (each[0], table[:, k]) for k, each in enumerate(properties)}
            if name == "vertex":
                points = np.stack([columns[axis][1] for axis in "xyz"], 1)
                if {"red", "green", "blue"} <= set(columns):
                    colours = np.stack([_share(*columns[channel]) for channel in ("red", "green", "blue")], 1)
            continue
        for _ in range(count):
            for each in properties:
                if each[0] != "list":
                    values.take(each[0], 1)
                    continue
                row = values.entries(*each[1:3])
                if name == "face" and each[-1] in ("vertex_indices", "vertex_index"):
                    faces += [[row[0], row[k], row[k + 1]] for k in range(1, len(row) - 1)]
                    _bearable(len(faces))
    if points is None:
        raise ValueError("it has no vertices")
    return [_cut(points, np.array(faces, np.int64).reshape(-1, 3), colours=colours)], ()


def _share(kind: str, values: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Colours from 0 to 1: whole numbers are shares of the largest that their type has."""
    code = _PLY[kind]
    return (values if code in "fd" else values / np.iinfo(code).max).clip(0.0, 1.0)
