"""Meshes of other programs, from GLB, OBJ and PLY: one triangle mesh with its colours, welded where its points meet.

glTF 2.0 (Khronos), Wavefront OBJ with MTL, and Stanford PLY, as their specifications say. Departures: only triangles
are read from a GLB; of materials only the base colour; nothing outside the file's own folder is opened.
"""

import base64
import binascii
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image

from bozzetto.export.read import unpack_glb
from bozzetto.types import UserError, linear_to_srgb, srgb_to_linear

READ = (".glb", ".obj", ".ply")
MOST_BYTES = 1 << 29
MOST_FACES = 500_000
_MOST_NODES, _MOST_MATERIALS = 20_000, 64
_MOST_PIXELS = 8192 * 8192
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


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


@dataclass(frozen=True, eq=False)
class _Piece:
    """One material's triangles."""

    points: Float[ndarray, "v 3"]
    faces: Int[ndarray, "f 3"]
    uvs: Float[ndarray, "f 3 2"] | None = None
    picture: UInt8[ndarray, "h w 3"] | None = None
    plain: tuple[float, float, float] = (0.75, 0.75, 0.75)
    """sRGB, where there is no picture."""
    colours: Float[ndarray, "v 3"] | None = None


def read_mesh(path: Path) -> ForeignMesh:
    """The triangles of a GLB, OBJ or PLY, node transforms applied, any skeleton in its rest pose.

    Raises:
        UserError: The file cannot be read, is damaged, too large, or holds no triangles.
    """
    kind = path.suffix.lower()
    if kind not in READ:
        raise UserError(f"bozzetto rigs {', '.join(READ)} files; {path.name} is none of them. Convert it first.")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path.name} is larger than 512 MiB. Reduce its triangles or textures first.")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read {path.name}: {error.strerror}.") from error
    try:
        pieces = {".glb": _from_glb, ".obj": _from_obj, ".ply": _from_ply}[kind](data, path.parent)
        return _joined(pieces)
    # Whatever a hostile file makes the code below trip over is the file's fault, not ours.
    except (
        ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError, OSError,
        Image.DecompressionBombError,
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
        mesh = ForeignMesh(
            np.concatenate([mesh.vertices, mesh.vertices[pairs].mean(1)]),
            np.concatenate([np.stack(each, 1) for each in corners]),
            uvs,
            mesh.albedo,
            None if mesh.colours is None else np.concatenate([mesh.colours, mesh.colours[pairs].mean(1)]),
        )
    return mesh


def _joined(pieces: Sequence[_Piece]) -> ForeignMesh:
    pieces = [piece for piece in pieces if len(piece.faces)]
    count = sum(len(piece.faces) for piece in pieces)
    if not count:
        raise ValueError("it holds no triangles")
    if count > MOST_FACES:
        raise ValueError(f"it has {count:,} triangles, and at most {MOST_FACES:,} can be rigged; reduce them first")
    for piece in pieces:
        if piece.faces.min() < 0 or piece.faces.max() >= len(piece.points):
            raise ValueError(f"a triangle names vertex {piece.faces.max()} of {len(piece.points)}")
    starts = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    points = np.concatenate([piece.points for piece in pieces]).astype(np.float64)
    faces = np.concatenate([piece.faces + at for piece, at in zip(pieces, starts[:-1], strict=True)]).astype(np.int64)
    if not np.isfinite(points[np.unique(faces)]).all():
        raise ValueError("some of its vertices are not finite numbers")
    size = float(np.ptp(points[np.unique(faces)], axis=0).max())
    if not 0 < size < 1e12:
        raise ValueError(f"it is {size:g} units large")
    uvs, albedo = _pictured(pieces)
    colours = np.concatenate([
        np.broadcast_to(piece.plain, piece.points.shape) if piece.colours is None else piece.colours for piece in pieces
    ])  # fmt: skip
    used, faces = np.unique(faces, return_inverse=True)
    rounded = np.round((points[used] - points[used].min(0)) / size * 1e6).astype(np.int64)
    _, first, same = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    faces = same.ravel()[faces.reshape(-1, 3)]
    solid = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    if not solid.any():
        raise ValueError("none of its triangles has any area")
    return ForeignMesh(
        points[used][first],
        faces[solid],
        None if uvs is None else uvs[solid],
        albedo,
        colours[used][first].astype(np.float32) if albedo is None else None,
    )


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


def _picture(data: bytes) -> UInt8[ndarray, "h w 3"]:
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP", "TGA")) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(f"a picture in it has {image.width} x {image.height} pixels")
        return np.asarray(image.convert("RGB"))


# ---------------------------------------------------------------------------------------------------- glTF


def _from_glb(data: bytes, folder: Path) -> list[_Piece]:
    return _Glb(*unpack_glb(data)).pieces()


class _Glb:
    """A parsed GLB. Every number in it is checked before it sizes or addresses anything."""

    def __init__(self, document: dict[str, Any], binary: bytes) -> None:
        needed = set(document.get("extensionsRequired", ())) - {"KHR_materials_unlit", "KHR_texture_transform",
            "KHR_mesh_quantization", "EXT_texture_webp"}  # fmt: skip
        if needed:
            raise ValueError(f"it needs the extension {sorted(map(str, needed))[0]:.60}, which is not read")
        self._document, self._binary = document, binary
        self._pictures: dict[int, ndarray] = {}
        self._faces = 0

    def pieces(self) -> list[_Piece]:
        nodes = self._document.get("nodes", [])
        if len(nodes) > _MOST_NODES:
            raise ValueError(f"it has {len(nodes)} nodes")
        scenes = self._document.get("scenes") or [{"nodes": range(len(nodes))}]
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
                    out += self._piece(primitive, place, skin, world)
        return out

    def _piece(
        self, primitive: dict[str, Any], place: ndarray, skin: dict[str, Any] | None, world: dict[int, ndarray]
    ) -> list[_Piece]:
        if primitive.get("mode", 4) != 4:
            return []
        attributes = primitive["attributes"]
        points = self._accessor(attributes["POSITION"])
        count = len(points)
        indices = self._accessor(primitive["indices"]) if "indices" in primitive else np.arange(count)
        faces = indices.ravel()[: len(indices) // 3 * 3].astype(np.int64).reshape(-1, 3)
        self._faces += len(faces)
        if self._faces > MOST_FACES:
            raise ValueError(f"it has more than {MOST_FACES:,} triangles; reduce them first")
        if len(faces) and faces.max() >= count:
            raise ValueError(f"a triangle names vertex {faces.max()} of {count}")
        homogeneous = np.concatenate([points, np.ones((count, 1))], 1)
        if skin is not None and "JOINTS_0" in attributes:
            joints = np.stack([world[int(joint)] for joint in skin["joints"]])
            if "inverseBindMatrices" in skin:
                joints = joints @ self._accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
            weights = self._accessor(attributes["WEIGHTS_0"])
            named = self._accessor(attributes["JOINTS_0"]).astype(np.int64)
            weights = weights / np.maximum(weights.sum(1, keepdims=True), 1e-9)
            placed = sum(
                weights[:, k, None] * np.einsum("nab,nb->na", joints[named[:, k]], homogeneous) for k in range(4)
            )
        else:
            placed = homogeneous @ place.T
            if np.linalg.det(place[:3, :3]) < 0:
                faces = faces[:, ::-1]
        placed = np.asarray(placed)[:, :3]
        picture, plain, slot = self._paint(primitive)
        uvs = self._accessor(attributes[f"TEXCOORD_{slot}"])[faces] if f"TEXCOORD_{slot}" in attributes else None
        colours = None
        if "COLOR_0" in attributes:
            colours = linear_to_srgb(self._accessor(attributes["COLOR_0"])[:, :3] * srgb_to_linear(np.array(plain)))
        return [_Piece(placed, faces, uvs, picture, plain, colours)]

    def _paint(self, primitive: dict[str, Any]) -> tuple[ndarray | None, tuple[float, float, float], int]:
        """A primitive's picture, plain colour (sRGB), and which texture coordinates it reads."""
        if "material" not in primitive:
            return None, (0.75, 0.75, 0.75), 0
        material = self._document["materials"][primitive["material"]].get("pbrMetallicRoughness", {})
        red, green, blue = linear_to_srgb(np.array(material.get("baseColorFactor", (1, 1, 1, 1))[:3], float))
        plain = float(red), float(green), float(blue)
        if (found := material.get("baseColorTexture")) is None:
            return None, plain, 0
        texture = self._document["textures"][found["index"]]
        source = texture.get("extensions", {}).get("EXT_texture_webp", texture)["source"]
        if source not in self._pictures:
            image = self._document["images"][source]
            if "bufferView" in image:
                view = self._document["bufferViews"][image["bufferView"]]
                start = int(view.get("byteOffset", 0))
                data = self._binary[start : start + int(view["byteLength"])]
            elif str(image.get("uri", "")).startswith("data:"):
                try:
                    data = base64.b64decode(image["uri"].partition(",")[2], validate=True)
                except binascii.Error as error:
                    raise ValueError("a picture in it is damaged") from error
            else:
                raise ValueError("its pictures lie in other files; embed them")
            self._pictures[source] = _picture(data)
        return self._pictures[source], plain, int(found.get("texCoord", 0))

    def _accessor(self, index: int) -> ndarray:
        """Values as float64, normalised integers in [0, 1] or [-1, 1]."""
        accessor = self._document["accessors"][index]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise ValueError("it stores vertices sparsely")
        view = self._document["bufferViews"][accessor["bufferView"]]
        if view.get("buffer", 0) != 0 or "uri" in self._document["buffers"][0]:
            raise ValueError("its data lies in another file")
        kind, width, count = np.dtype(_TYPES[accessor["componentType"]]), _SIZES[accessor["type"]], accessor["count"]
        start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
        stride = int(view.get("byteStride", 0)) or kind.itemsize * width
        end = start + stride * (count - 1) + kind.itemsize * width
        if not (count > 0 and start >= 0 and kind.itemsize * width <= stride and end <= len(self._binary)):
            raise ValueError(f"accessor {index} reaches past the file's data")
        values = np.ndarray((count, width), kind, self._binary, start, (stride, kind.itemsize)).astype(np.float64)
        if accessor.get("normalized"):
            values = np.maximum(values / np.iinfo(kind).max, -1.0)
        return values


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


def _from_obj(data: bytes, folder: Path) -> list[_Piece]:
    points: list[list[float]] = []
    places: list[list[float]] = []
    corners: dict[str, list[tuple[int, int]]] = {}
    materials: dict[str, tuple[ndarray | None, tuple[float, float, float]]] = {}
    material = ""
    count = 0
    for line in data.decode("utf-8", "replace").splitlines():
        word, _, rest = line.partition(" ")
        if word == "v":
            points.append([float(value) for value in rest.split()[:6]])
        elif word == "vt":
            places.append([float(value) for value in rest.split()[:2]])
        elif word == "f":
            found = []
            for corner in rest.split():
                names = corner.split("/")
                a = int(names[0])
                b = int(names[1]) if len(names) > 1 and names[1] else 0
                found.append((a - 1 if a > 0 else len(points) + a, (b - 1 if b > 0 else len(places) + b) if b else -1))
            count += max(len(found) - 2, 0)
            if count > MOST_FACES:
                raise ValueError(f"it has more than {MOST_FACES:,} triangles; reduce them first")
            for k in range(1, len(found) - 1):
                corners.setdefault(material, []).extend((found[0], found[k], found[k + 1]))
        elif word == "usemtl":
            material = rest.strip()
        elif word == "mtllib":
            materials |= _materials(folder / Path(rest.strip()).name)
    whole = [point for point in points if len(point) == 6]
    colours = np.array([p[3:] for p in points], np.float64).clip(0, 1) if whole and len(whole) == len(points) else None
    at = np.array([point[:3] for point in points], np.float64).reshape(-1, 3)
    flat = np.array(places, np.float64).reshape(-1, 2) * [1, -1] + [0, 1]
    out = []
    for name, every in corners.items():
        table = np.array(every, np.int64).reshape(-1, 3, 2)
        if table[..., 0].min() < 0 or table[..., 1].max() >= len(flat):
            raise ValueError("a face names a vertex that is not there")
        picture, plain = materials.get(name, (None, (0.75, 0.75, 0.75)))
        uvs = flat[table[..., 1]] if (table[..., 1] >= 0).all() and len(flat) else None
        out.append(_Piece(at, table[..., 0], uvs, picture, plain, colours))
    return out


def _materials(path: Path) -> dict[str, tuple[ndarray | None, tuple[float, float, float]]]:
    """An MTL beside the file; what is not there is plain."""
    out: dict[str, tuple[ndarray | None, tuple[float, float, float]]] = {}
    if not path.is_file() or path.stat().st_size > 1 << 20:
        return out
    name = ""
    for line in path.read_text("utf-8", "replace").splitlines():
        word, _, rest = line.strip().partition(" ")
        picture, plain = out.get(name, (None, (0.75, 0.75, 0.75)))
        if word == "newmtl":
            name = rest.strip()
            out.setdefault(name, (None, (0.75, 0.75, 0.75)))
        elif word == "Kd":
            red, green, blue = (float(value) for value in rest.split()[:3])
            out[name] = picture, (red, green, blue)
        elif word == "map_Kd":
            there = path.parent / Path(re.split(r"\s", rest.strip())[-1]).name
            if there.is_file() and there.stat().st_size < MOST_BYTES:
                out[name] = _picture(there.read_bytes()), plain
    return out


_PLY = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip


class _Values:
    """What follows a PLY's header, number by number."""

    def __init__(self, body: bytes, order: str) -> None:
        self._words = body.split() if order == "ascii" else None
        self._body = body
        self._sign = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[order]
        self._at = 0

    def take(self, kinds: Sequence[str], count: int) -> ndarray:
        """So many rows of numbers of these types."""
        start = self._at
        if self._words is not None:
            self._at += count * len(kinds)
            return np.array(self._words[start : self._at], np.float64).reshape(count, len(kinds))
        row = np.dtype([(str(k), self._sign + _PLY[kind]) for k, kind in enumerate(kinds)])
        found = np.frombuffer(self._body, row, count, start)
        self._at += count * row.itemsize
        return np.stack([found[str(k)].astype(np.float64) for k in range(len(kinds))], 1)


def _from_ply(data: bytes, folder: Path) -> list[_Piece]:
    head, mark, body = data.partition(b"end_header")
    if not data.startswith(b"ply") or not mark:
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
    values = _Values(body[body.index(b"\n") + 1 :], order)
    points = colours = None
    faces: list[list[int]] = []
    for name, count, properties in elements:
        if not 0 <= count <= 4 * MOST_FACES or count * len(properties) > len(body):
            raise ValueError(f"it announces {count} of {name:.20}")
        if all(each[0] != "list" for each in properties):
            table = values.take([each[0] for each in properties], count)
            columns = {each[1]: table[:, k] for k, each in enumerate(properties)}
            if name == "vertex":
                points = np.stack([columns[axis] for axis in "xyz"], 1)
                if {"red", "green", "blue"} <= set(columns):
                    colours = np.stack([columns[channel] for channel in ("red", "green", "blue")], 1) / 255
            continue
        for _ in range(count):
            for each in properties:
                if each[0] != "list":
                    values.take(each[:1], 1)
                    continue
                length = int(values.take(each[1:2], 1)[0, 0])
                if not 0 <= length <= 1000:
                    raise ValueError(f"a list in it has {length} entries")
                row = values.take(each[2:3], length)[:, 0].astype(int).tolist()
                if name == "face" and each[-1] in ("vertex_indices", "vertex_index"):
                    faces += [[row[0], row[k], row[k + 1]] for k in range(1, length - 1)]
    if points is None:
        raise ValueError("it has no vertices")
    return [_Piece(points, np.array(faces, np.int64).reshape(-1, 3), colours=colours)]
