"""What is painted: the part of a surface that has a place on the texture, and how the texture goes back to layers.

A free-form mesh is unwrapped as a whole. Of a figure, the solid layers are unwrapped together, onto one texture, in the
pose of the photo; eyes, teeth and tongue keep their own, since they move, and so do layers cut out of cards (hair,
brows, lashes), whose strands share texels: those only take the photo's colour.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from bozzetto.render.raster import rasterize
from bozzetto.render.scene import Scene
from bozzetto.render.surface import sample_texture
from bozzetto.texture.pad import pad
from bozzetto.texture.unwrap import unwrap
from bozzetto.texture.views import Seen, Surface
from bozzetto.types import Avatar, Cameras, Layer, Material, Mesh, Skeleton, linear_to_srgb, srgb_to_linear

OWN = ("eyes", "teeth", "tongue")
"""Layers that keep their own texture whatever the photo shows."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """A surface and the texture coordinates of its painted faces."""

    surface: Surface
    """All that is seen or stands in front."""
    mesh: Mesh
    """The painted faces, on vertices of the surface; no two share a texel."""
    row: Int[ndarray, "f"]
    """For each face of the surface its face of the mesh; -1 where it is not painted."""

    def painted(self, seen: Seen) -> Bool[ndarray, "h w"]:
        """Pixels that show a painted face."""
        return seen.hit & (self.row[seen.face] >= 0)

    def uvs(self, seen: Seen) -> Float32[ndarray, "h w 2"]:
        """Texture coordinates of each pixel; zero where nothing painted is seen."""
        at, hit = np.zeros((*seen.face.shape, 2), np.float32), self.painted(seen)
        corners = self.mesh.uvs.numpy()[self.row[seen.face[hit]]]
        at[hit] = np.einsum("nk,nkd->nd", seen.share[hit], corners)
        return at

    def picture(self, texture: Float32[ndarray, "s s 3"], seen: Seen) -> Float32[ndarray, "h w 3"]:
        """The textured surface as a camera sees it; zero where nothing painted is seen."""
        at = torch.from_numpy(self.uvs(seen))[None]
        return sample_texture(torch.from_numpy(texture), at)[0].numpy() * self.painted(seen)[..., None]


def canvas_of_mesh(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], size: int = 1024) -> Canvas:
    """A free-form mesh, all of it painted.

    Args:
        vertices: Metres, in the photo's pose.
        faces: Counter-clockwise seen from outside.
        size: Of the texture, for the padding between charts.

    Raises:
        ValueError: A mesh that cannot be unwrapped.
    """
    points, rows = np.asarray(vertices, np.float32), np.asarray(faces, np.int32)
    return Canvas(Surface(points, rows), unwrap(points, rows, size), np.arange(len(rows)))


def canvas_of_scene(scene: Scene, layers: Sequence[Layer], size: int = 2048) -> Canvas:
    """A figure's layers as they stand in the photo.

    Args:
        scene: The posed layers.
        layers: The same, in the same order.
        size: Of the texture, for the padding between charts.
    """
    solid = np.array([is_painted(layer) for layer in layers])
    chosen = np.flatnonzero(solid[scene.layer])
    row = np.full(len(scene.faces), -1)
    row[chosen] = np.arange(len(chosen))
    surface = Surface(scene.vertices, scene.faces, scene.coverage)
    return Canvas(surface, unwrap(scene.vertices, scene.faces[chosen], size), row)


def is_painted(layer: Layer) -> bool:
    """Whether the layer's texture is replaced."""
    return layer.material.alpha == "opaque" and layer.name not in OWN


def rebaked(canvas: Canvas, scene: Scene, layers: Sequence[Layer], size: int) -> Float32[ndarray, "s s 3"]:
    """The layers' own colours on the canvas's texture, every texel filled.

    Args:
        canvas: Of the scene.
        scene: The posed layers.
        layers: The same, in the same order.
        size: Texels a side.
    """
    flat = canvas.mesh.uvs.numpy().reshape(-1, 2) * size
    above = Cameras(torch.eye(4)[None], torch.diag(torch.tensor([1.0, 1.0, 0.0]))[None], size, size)
    points = np.concatenate([flat, np.ones((len(flat), 1))], 1).astype(np.float32)
    drawn = rasterize(points, np.arange(len(flat)).reshape(-1, 3), above)
    face, share = drawn.face[0], drawn.barycentrics[0]
    source = np.flatnonzero(canvas.row >= 0)[face]
    out = np.zeros((size, size, 3), np.float32)
    for index, layer in enumerate(layers):
        mine = (face >= 0) & (scene.layer[source] == index)
        if not mine.any():
            continue
        at = np.einsum("nk,nkd->nd", share[mine], scene.uvs[source[mine]]).astype(np.float32)
        albedo = torch.from_numpy(layer.material.albedo[..., :3].astype(np.float32) / 255)
        out[mine] = sample_texture(albedo, torch.from_numpy(at)[None, None])[0, 0].numpy()
    return pad(out, face >= 0)


def tuned(
    layers: Sequence[Layer],
    scene: Scene,
    seen: Seen,
    picture: Float32[ndarray, "h w 3"],
    own: Float32[ndarray, "h w 3"],
    trusted: Bool[ndarray, "h w"],
    least: int = 40,
) -> tuple[Layer, ...]:
    """The layers with their colours scaled to those the photo shows of them, its light included.

    Args:
        layers: Of a figure.
        scene: The posed layers, as the photo saw them.
        seen: What the photo's camera sees of them.
        picture: The photo, sRGB.
        own: The layers' own colours in the same pixels, sRGB.
        trusted: Pixels of the photo that may be used.
        least: Pixels a layer must show, or it stays as it is.
    """
    ids = np.where(seen.hit & trusted, scene.layer[seen.face], -1)
    out = []
    for index, layer in enumerate(layers):
        here = ids == index
        if layer.name in OWN or here.sum() < least:
            out.append(layer)
            continue
        # Of a pattern the median is one of its colours, and not the same one in both.
        middle = np.mean if own[here].std(0).max() > _PATTERNED else np.median
        wanted, have = (middle(srgb_to_linear(each[here].astype(np.float64)), 0) for each in (picture, own))
        gain = np.clip((wanted + 0.004) / (have + 0.004), 0.2, 5.0)
        out.append(replace(layer, material=scaled(layer.material, gain)))
    return tuple(out)


_PATTERNED = 0.1
"""Spread of a layer's own colours, sRGB, above which it has several."""


def scaled(material: Material, gain: Float[ndarray, "3"]) -> Material:
    """The material with its linear colour multiplied."""
    albedo = material.albedo.copy()
    light = srgb_to_linear(albedo[..., :3].astype(np.float64) / 255) * gain
    albedo[..., :3] = linear_to_srgb(light) * 255 + 0.5
    return replace(material, albedo=albedo)


def repainted(
    avatar: Avatar, canvas: Canvas, scene: Scene, texture: Float32[ndarray, "s s 3"], recoloured: Sequence[Layer]
) -> Avatar:
    """The character with the canvas's texture on its solid layers; rig, pose and expressions are its own.

    Args:
        avatar: In its T-pose.
        canvas: Of the avatar's layers.
        scene: The posed layers the canvas was made of.
        texture: sRGB, every texel filled.
        recoloured: The layers whose materials the others take.
    """
    image = codes(texture)
    layers = []
    for index, (layer, new) in enumerate(zip(avatar.layers, recoloured, strict=True)):
        if not is_painted(layer):
            layers.append(replace(layer, material=new.material))
            continue
        rows = canvas.row[scene.layer == index]
        mesh = replace(layer.mesh, uvs=canvas.mesh.uvs[torch.from_numpy(rows)])
        # The old normal map lies on other coordinates, and its creases are in the photo's light already.
        material = Material(image, None, _plain(layer.material.roughness), layer.material.metallic, True)
        layers.append(replace(layer, mesh=mesh, material=material))
    return replace(avatar, layers=tuple(layers))


def standing_still(mesh: Mesh, texture: Float32[ndarray, "s s 3"], name: str = "person") -> Avatar:
    """A character of one layer and one joint: the mesh as it is.

    Args:
        mesh: With texture coordinates; metres.
        texture: sRGB.
        name: Of the layer.
    """
    lift = torch.tensor([0.0, -float(mesh.vertices[:, 1].min()), 0.0])
    placed = replace(mesh, vertices=mesh.vertices.float() + lift)
    count = len(mesh.vertices)
    weights, joints = torch.eye(4)[:1].repeat(count, 1), torch.zeros((count, 4), dtype=torch.int64)
    layer = Layer(name, placed, weights, joints, Material(codes(texture), roughness=1.0, double_sided=True))
    return Avatar((layer,), Skeleton(("root",), (-1,), torch.zeros(1, 3)))


def codes(picture: Float[ndarray, "h w 3"]) -> UInt8[ndarray, "h w 3"]:
    """8-bit sRGB of sRGB in [0, 1]."""
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _plain(roughness: float | UInt8[ndarray, "h w"]) -> float:
    return float(roughness) if isinstance(roughness, float) else float(np.mean(roughness)) / 255
