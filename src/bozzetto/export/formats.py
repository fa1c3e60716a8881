"""One character in several formats at once: what `bozzetto export --to` writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ..files import atomic_path
from ..types import Avatar, UserError
from .atlas import atlased
from .bones import BoneNames
from .compress import diets, fitted, levels, quantised
from .expressions import with_visemes
from .fbx import find_blender, write_fbx
from .glb import PLAIN, Pictures, gltf_document, pack_glb
from .marks import Marks
from .obj import obj_files, write_obj, write_ply
from .simplify import at_level, count_triangles, simplify
from .usd import require_usd, usd_files, write_usd
from .vrm import vrm_bytes

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "glb": (".glb",),
    "vrm": (".vrm",),
    "obj": (".obj",),
    "ply": (".ply",),
    "usd": (".usd", ".usda", ".usdc"),
    "usdz": (".usdz",),
    "fbx": (".fbx",),
}
"""The endings a format's file may have, by its name in ``--to``."""
SIZED = ("glb", "vrm")
"""The formats whose files can be made to fit a size."""


@dataclass(frozen=True, eq=False)
class Order:
    """Which files are wanted, and how."""

    outs: Mapping[str, Path]
    """The file of each format."""
    bone_names: BoneNames = "vrm"
    """Of all but VRM, which has its own."""
    marks: Marks = field(default_factory=Marks)
    visemes: bool = False
    """Add Oculus' 15 to the expressions."""
    lod: int = 0
    """Level of detail; see `simplify.LEVELS`."""
    max_triangles: int | None = None
    max_mb: float | None = None
    """Millions of bytes that a GLB or VRM may have."""
    atlas: bool = False
    """All layers as one mesh with one material."""
    quantise: bool = False
    """Vertices of the GLB in 8 and 16 bits."""
    webp: bool = False
    """Textures of GLB and VRM as WebP."""
    blender: Path | None = None
    """What writes FBX, where it is not found by itself."""
    overwrite: bool = False

    def check(self) -> None:
        """Refuses what cannot be written, before anything is built.

        Raises:
            UserError: A number makes no sense, an ending is not the format's, or a program is not there.
        """
        for format, out in self.outs.items():
            if out.suffix.lower() not in SUFFIXES[format]:
                raise UserError(f"{out.name} is no name for a {format.upper()} file. End it in .{format}.")
        if self.max_triangles is not None and self.lod:
            raise UserError("Give --lod or --max-triangles, not both: each says how many triangles there are.")
        if self.max_triangles is not None and self.max_triangles < 1:
            raise UserError(f"--max-triangles {self.max_triangles} leaves nothing. Give a number such as 20000.")
        if self.max_mb is not None and not 0 < self.max_mb < 1e6:
            raise UserError(f"--max-mb {self.max_mb:g} is no size. Give megabytes, such as 5.")
        sized = [format for format in self.outs if format in SIZED]
        if self.max_mb is not None and not sized:
            raise UserError("--max-mb makes GLB and VRM files fit. Add one of them to --to, or leave it out.")
        if self.webp and not sized:
            raise UserError(
                "--webp is for the textures of GLB and VRM files. Add one of them to --to, or leave it out."
            )
        if self.quantise and "glb" not in self.outs:
            raise UserError("--quantise is for GLB files. Add glb to --to, or leave it out.")
        if {"usd", "usdz"} & set(self.outs):
            require_usd()
        if "fbx" in self.outs:
            find_blender(self.blender)


def write_formats(avatar: Avatar, order: Order, thumbnail: Image.Image | None = None) -> tuple[str, ...]:
    """Writes every file, each whole or not at all; returns sentences about what had to be given up.

    Args:
        avatar: Standing at rest in the T-pose, soles at y = 0.
        order: What is wanted; see its `Order.check`.
        thumbnail: The face, for VRM.

    Raises:
        UserError: A file beside another would be replaced, a size cannot be kept, or a program fails.
        OSError: A place cannot be written to.
    """
    said: list[str] = []
    whole = count_triangles(avatar)
    avatar = at_level(avatar, order.lod) if order.max_triangles is None else simplify(avatar, order.max_triangles)
    if count_triangles(avatar) < whole:
        said.append(f"{count_triangles(avatar):,} of {whole:,} triangles.")
    shown = atlased(avatar) if order.atlas else avatar
    spoken = with_visemes(shown) if order.visemes else shown
    _refuse_to_replace(shown, order)
    stored, level = Pictures(webp=True) if order.webp else PLAIN, levels(avatar)

    def glb(figure: Avatar, pictures: Pictures) -> bytes:
        voiced = with_visemes(figure) if order.visemes else figure
        voiced = atlased(voiced) if order.atlas else voiced
        made = gltf_document(voiced, bone_names=order.bone_names, marks=order.marks, pictures=pictures)
        return pack_glb(*(quantised(*made) if order.quantise else made))

    def vrm(figure: Avatar, pictures: Pictures) -> bytes:
        return vrm_bytes(
            figure, marks=order.marks, thumbnail=thumbnail, visemes=order.visemes, pictures=pictures, atlas=order.atlas
        )

    for format, make in (("glb", glb), ("vrm", vrm)):
        if format not in order.outs:
            continue
        out = order.outs[format]
        if order.max_mb is None:
            content = make(avatar, stored)
        else:
            content, given_up = fitted(out.name, int(order.max_mb * 1e6), diets(level, stored), make)
            said.append(f"{out.name}: {len(content) / 1e6:.2f} MB; given up: {given_up}.")
        with atomic_path(out) as partial:
            partial.write_bytes(content)
    if "obj" in order.outs:
        write_obj(shown, order.outs["obj"], marks=order.marks)
    if "ply" in order.outs:
        write_ply(avatar, order.outs["ply"], marks=order.marks)
    for format in ("usd", "usdz"):
        if format in order.outs:
            write_usd(spoken, order.outs[format], bone_names=order.bone_names, marks=order.marks)
    if "fbx" in order.outs:
        blender = find_blender(order.blender)
        write_fbx(spoken, order.outs["fbx"], blender=blender, bone_names=order.bone_names, marks=order.marks)
    return tuple(said)


def beside(avatar: Avatar, outs: Mapping[str, Path]) -> tuple[Path, ...]:
    """The files that some formats write beside their own: materials and textures."""
    files = []
    for format, names in (("obj", obj_files), ("usd", usd_files)):
        if format in outs:
            out = outs[format]
            files += [out.with_name(name) for name in names(avatar, out.stem)[:-1]]
    return tuple(dict.fromkeys(files))


def _refuse_to_replace(avatar: Avatar, order: Order) -> None:
    for path in beside(avatar, order.outs):
        if path.exists() and not order.overwrite:
            raise UserError(f"{path} exists. Choose another --out, or add --overwrite to replace it.")
