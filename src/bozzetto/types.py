"""The nouns every part of bozzetto speaks in.

Conventions: metres; +y up, a figure faces +z and its left hand points to +x (glTF); cameras are OpenCV
(+x right, +y down, +z into the scene) with pixel centres at .5; quaternions are ``wxyz``; images are channels-last
in [0, 1]; albedo is sRGB, shading is linear.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor


class UserError(Exception):
    """A mistake of the user's: shown as one paragraph (what was wrong, what to do), never as a traceback."""


@dataclass(frozen=True, eq=False)
class Cameras:
    """Pinhole cameras. OpenCV axes: +x right, +y down, +z into the scene."""

    world_to_camera: Float[Tensor, "b 4 4"]
    intrinsics: Float[Tensor, "b 3 3"]
    """Pixels; the centre of the first pixel is (0.5, 0.5)."""
    height: int
    width: int

    def __len__(self) -> int:
        return len(self.world_to_camera)

    def __getitem__(self, which: int | slice | Tensor) -> "Cameras":
        """One by its number, or some of them."""
        rows = [which] if isinstance(which, int) else which
        return Cameras(self.world_to_camera[rows], self.intrinsics[rows], self.height, self.width)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with texture coordinates per corner, so seams need no duplicate vertices."""

    vertices: Float[Tensor, "v 3"]
    """Metres."""
    faces: Int[Tensor, "f 3"]
    """Counter-clockwise seen from outside."""
    uvs: Float[Tensor, "f 3 2"]
    """Per corner; (0, 0) is the image's upper left (glTF)."""


@dataclass(frozen=True, eq=False)
class ColouredMesh:
    """Triangles with a colour a vertex: what a free-form scene gives before it is unwrapped."""

    vertices: Float[Tensor, "v 3"]
    """Metres."""
    faces: Int[Tensor, "f 3"]
    """Counter-clockwise seen from outside."""
    colours: Float[Tensor, "v 3"]
    """sRGB, [0, 1]."""


@dataclass(frozen=True, eq=False)
class Material:
    """How a surface looks: glTF's metallic-roughness model. Images are 8 bit."""

    albedo: UInt8[ndarray, "h w c"]
    """sRGB, three channels, or four with coverage."""
    normal: UInt8[ndarray, "h w 3"] | None = None
    """Tangent space, +y up, linear: 128, 128, 255 is flat."""
    roughness: float | UInt8[ndarray, "h w"] = 0.8
    metallic: float = 0.0
    double_sided: bool = False
    alpha: Literal["opaque", "mask"] = "opaque"
    """``mask`` discards where the albedo's fourth channel is below one half."""


@dataclass(frozen=True, eq=False)
class SparseOffsets:
    """One expression on one layer: the vertices that move, and how far at full strength."""

    indices: Int[Tensor, "n"]
    offsets: Float[Tensor, "n 3"]
    """Metres, in the rest pose's frame."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One thing a person is or wears: skin, eyes, hair, a garment, a shoe."""

    name: str
    mesh: Mesh
    skin_weights: Float[Tensor, "v 4"]
    """Sum to one."""
    skin_joints: Int[Tensor, "v 4"]
    material: Material
    expressions: Mapping[str, SparseOffsets] = field(default_factory=dict)
    """By ARKit name; only where the face moves the layer, empty for a boot."""
    normals: Float[Tensor, "v 3"] | None = None
    """Smooth shading normals at rest; computed from the faces when absent."""

    def __post_init__(self) -> None:
        vertices, weighted = len(self.mesh.vertices), len(self.skin_weights)
        if vertices != weighted:
            raise ValueError(
                f"Layer {self.name!r} needs one row of skin weights per vertex: the mesh has {vertices} vertices, "
                f"the weights {weighted} rows."
            )


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints in the rest pose. Parents come before children; the root's parent is -1."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    positions: Float[Tensor, "j 3"]
    """World position of each joint at rest. Rest orientations are the world's axes."""

    def index(self, name: str) -> int:
        return self.names.index(name)


@dataclass(frozen=True, eq=False)
class Clip:
    """A motion: world-axis rotations relative to the rest pose, in each joint's parent frame."""

    name: str
    times: Float[ndarray, "k"]
    """Seconds."""
    rotations_wxyz: Mapping[str, Float[ndarray, "k 4"]]
    """By joint name; joints not named stay at rest."""
    root_translation: Float[ndarray, "k 3"] | None = None
    """Metres, added to the root's rest position."""
    expressions: Mapping[str, Float[ndarray, "k"]] = field(default_factory=dict)
    """ARKit weights by name; where there are any, expressions not named rest as the avatar's face does."""


@dataclass(frozen=True, eq=False)
class Avatar:
    """Layers in one rest pose on one skeleton: what every recipe makes."""

    layers: tuple[Layer, ...]
    skeleton: Skeleton
    clips: tuple[Clip, ...] = ()
    expression: Mapping[str, float] = field(default_factory=dict)
    """How the face rests, as ARKit weights: a smile, a frown."""

    def layer(self, name: str) -> Layer:
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"No layer {name!r}; there are {', '.join(layer.name for layer in self.layers)}.")


@dataclass(frozen=True, eq=False)
class RenderOutput:
    """What every renderer returns, on every device."""

    rgb: Float[Tensor, "b h w 3"]
    """Composited on the background: linear light of lit meshes; of scenes that are optimised, colours as displayed."""
    alpha: Float[Tensor, "b h w 1"]
    depth: Float[Tensor, "b h w 1"]
    """Along camera +z, metres; zero where nothing is."""
    normal: Float[Tensor, "b h w 3"]
    """World space, unit length; zero where alpha is zero."""
    layer: Int[Tensor, "b h w"]
    """Index into the rendered layers; -1 where nothing is."""


@dataclass(frozen=True)
class Subject:
    """Who is asked for: words now; photos and their intake later."""

    prompt: str
    photos: tuple[Path, ...] = ()


def srgb_to_linear(colour: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Linear light of sRGB values in [0, 1]. IEC 61966-2-1."""
    return np.where(colour <= 0.04045, colour / 12.92, ((np.maximum(colour, 0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """sRGB values of linear light, clipped to [0, 1]. IEC 61966-2-1."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)
