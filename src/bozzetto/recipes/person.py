"""Between a figure and the walk around it: its layers as the surface below a photo, and the texture back on its layers.

The character keeps the figure's rig, expressions and layers. Solid layers share the fused texture; hair, brows and
lashes, which are cut out of cards, take the photo's colour; eyes, teeth and tongue stay as they are, since they move.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from bozzetto.figure.build import Figure
from bozzetto.figure.captions import captions
from bozzetto.figure.ground_truth import stand
from bozzetto.recipes.walk import Shot, photograph
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.subject.fit import Fitted
from bozzetto.subject.photos import Photo
from bozzetto.texture.canvas import canvas_of_scene, rebaked, repainted, tuned
from bozzetto.texture.fuse import Fused
from bozzetto.texture.views import Picture
from bozzetto.types import Avatar, Cameras, Layer, linear_to_srgb


@dataclass(frozen=True, eq=False)
class Sitter:
    """A figure below a photo."""

    shot: Shot
    avatar: Avatar
    """In its T-pose, as the intake dressed it."""
    scene: Scene
    """Its layers as they stand in the photo."""
    layers: tuple[Layer, ...]
    """The same with the photo's colours."""
    body: Float[ndarray, "v 3"] | None = None
    """Posed vertices of the body model, where the figure has one."""

    def painted(self, fused: Fused) -> Avatar:
        """The character with what was fused."""
        return repainted(self.avatar, self.shot.canvas, self.scene, fused.texture, self.layers)


def sitter(photo: Photo, fitted: Fitted, figure: Figure) -> Sitter:
    """The intake's figure, ready for the walk."""
    stance = stand(figure, fitted.posture)
    caption = captions(fitted.spec, fitted.spec.seed, 1)[0].rstrip(".")
    camera = fitted.cameras_on(stance.body)
    who = seated(figure.avatar, stance.scene, photo.picture, photo.mask, camera, caption, face_of(photo))
    return replace(who, body=stance.body)


def seated(
    avatar: Avatar,
    scene: Scene,
    picture: Float[ndarray, "h w 3"],
    mask: Float[ndarray, "h w"],
    camera: Cameras,
    caption: str,
    front_only: Bool[ndarray, "h w"] | None = None,
) -> Sitter:
    """Any figure that stands where a photo saw its person.

    Args:
        avatar: In its T-pose.
        scene: Its layers as they stand in the photo.
        picture: The photo, sRGB.
        mask: Coverage of the person.
        camera: Of the photo, and of its size.
        caption: What the photo shows, without its view.
        front_only: Pixels that a back cannot have: the face.
    """
    canvas = canvas_of_scene(scene, avatar.layers)
    bare = Shot(picture, mask, camera, canvas, caption, front_only)
    view = photograph(bare, 512)
    own = plain_colours(scene, view.seen.camera)
    layers = tuned(avatar.layers, scene, view.seen, view.picture, own, view.trusted)
    coloured = scene_from_layers(layers, parted(scene, layers))
    shot = Shot(
        picture, mask, camera, canvas, caption, front_only,
        guide=lambda seen: plain_colours(coloured, seen.camera),
        fallback=lambda size: rebaked(canvas, coloured, layers, size),
    )  # fmt: skip
    return Sitter(shot, avatar, scene, layers)


def plain_colours(scene: Scene, camera: Cameras) -> Picture:
    """The layers' own colours without light, sRGB; black where nothing is."""
    output = render_mesh(scene, camera, None)
    colour = output.rgb[0].numpy() / np.maximum(output.alpha[0].numpy(), 1e-6)
    return linear_to_srgb(colour).astype(np.float32)


def parted(scene: Scene, layers: Sequence[Layer]) -> list[Float[ndarray, "_ 3"]]:
    """The scene's vertices, layer by layer."""
    counts = [len(layer.mesh.vertices) for layer in layers]
    return np.split(scene.vertices, np.cumsum(counts)[:-1])


def face_of(photo: Photo) -> Bool[ndarray, "h w"] | None:
    """Pixels of the face, where the intake found one."""
    if photo.keypoints is None:
        return None
    return face_disc(photo.keypoints.pixels[0], photo.keypoints.pixels[7:9], photo.mask.shape)


def face_disc(nose: Float[ndarray, "2"], ears: Float[ndarray, "2 2"], shape: tuple[int, ...]) -> Bool[ndarray, "h w"]:
    """Pixels of a face: a disc around the nose, ear to ear."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    radius = 0.62 * max(float(np.linalg.norm(ears[0] - ears[1])), 4.0)
    return (column + 0.5 - nose[0]) ** 2 + (row + 0.5 - nose[1]) ** 2 < radius**2
