"""Between a figure and the walk around it: its layers as the surface below a photo, and the texture back on its layers.

The character keeps the figure's rig, expressions and layers. Solid layers share the fused texture; hair, brows and
lashes, which are cut out of cards, take the photo's colour; eyes, teeth and tongue stay as they are, since they move.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import ndimage

from bozzetto.figure.build import Figure
from bozzetto.figure.captions import captions
from bozzetto.figure.colours import srgb_to_lab
from bozzetto.figure.ground_truth import stand
from bozzetto.recipes.walk import Shot, photograph
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.subject.fit import Fitted
from bozzetto.subject.photos import Photo
from bozzetto.texture.canvas import OWN, canvas_of_scene, is_painted, rebaked, repainted, tuned
from bozzetto.texture.fuse import Fused
from bozzetto.texture.views import Picture, View, recut
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
    face = None
    if front_only is not None:
        face = recut(front_only[..., None].astype(np.float32), camera, view.seen.camera)[..., 0] > 0.5
    return dressed(bare, avatar, scene, view, face)


def dressed(bare: Shot, avatar: Avatar, scene: Scene, view: View, face: Bool[ndarray, "y x"] | None = None) -> Sitter:
    """The figure in the photo's colours, and the photo without what the figure has elsewhere.

    Args:
        bare: The photo, over the figure's canvas.
        avatar: The figure in its T-pose.
        scene: Its layers as they stand in the photo.
        view: The photo's, of ``bare``.
        face: Its pixels of the face.
    """
    canvas, own = bare.canvas, plain_colours(scene, view.seen.camera)
    usable = view.trusted & ~unlike_skin(scene, view, face) & ~strange(avatar.layers, scene, view, own)
    layers = tuned(avatar.layers, scene, view.seen, view.picture, own, usable)
    coloured = scene_from_layers(layers, parted(scene, layers))
    mask = recut(bare.mask[..., None].astype(np.float32), bare.camera, view.seen.camera)[..., 0]
    wrong = misplaced(scene, view, face) | beyond(scene, view, mask, face)
    other = recut(wrong[..., None].astype(np.float32), view.seen.camera, bare.camera)[..., 0]
    shot = replace(
        bare, mask=(bare.mask * (other < 0.5)).astype(np.float32),
        guide=lambda seen: plain_colours(coloured, seen.camera),
        fallback=lambda size: rebaked(canvas, coloured, layers, size),
    )  # fmt: skip
    return Sitter(shot, avatar, scene, layers)


def unlike_skin(scene: Scene, view: View, face: Bool[ndarray, "y x"] | None) -> Bool[ndarray, "y x"]:
    """Where the figure is bare and the photo is not of the face's colour: jeans, where it has bare legs."""
    skin = _layers_seen(scene, view) == "skin"
    known = view.trusted & skin & (True if face is None else face)
    if known.sum() < _LEAST:
        return np.zeros_like(skin)
    lab = srgb_to_lab(view.picture.astype(np.float64))
    return skin & (np.linalg.norm(lab - np.median(lab[known], 0), axis=-1) > _UNLIKE)


def strange(layers: Sequence[Layer], scene: Scene, view: View, own: Picture) -> Bool[ndarray, "y x"]:
    """Where hair covers what is of another layer's colour in the photo: strands longer than the person's.

    Args:
        layers: As the intake coloured them.
        scene: As they stand.
        view: The photo's.
        own: The layers' colours in its pixels.
    """
    names, lab = _layers_seen(scene, view), srgb_to_lab(view.picture.astype(np.float64))
    shown = {
        name: srgb_to_lab(np.median(own[names == name], 0).astype(np.float64)) for name in set(names[view.seen.hit])
    }
    out = np.zeros(names.shape, bool)
    for layer in layers:
        if layer.name == "hair" and layer.name in shown and not is_painted(layer):
            here = names == layer.name
            others = [colour for name, colour in shown.items() if name not in OWN and name != layer.name]
            away = np.min([np.linalg.norm(lab[here] - colour, axis=-1) for colour in others], 0) if others else np.inf
            out[here] = away + _SURELY < np.linalg.norm(lab[here] - shown[layer.name], axis=-1)
    return out


def misplaced(scene: Scene, view: View, face: Bool[ndarray, "y x"] | None) -> Bool[ndarray, "y x"]:
    """Where the photo shows what the figure has a little farther on: a collar on the neck, hair on the forehead.

    A figure's borders are never quite the person's. Beside them a pixel of one thing that looks rather like its
    neighbour, or of skin that looks like none, is not to be painted.
    """
    names, lab = _layers_seen(scene, view), srgb_to_lab(view.picture.astype(np.float64))
    colours = {
        name: np.median(lab[here], 0)
        for name in set(names[view.seen.hit])
        if name not in OWN and (here := view.trusted & (names == name)).sum() >= _LEAST
    }
    reach = _BESIDE * max(names.shape)
    out, bordering = np.zeros(names.shape, bool), np.zeros(names.shape, bool)
    for name, colour in colours.items():
        near = (names != name) & (ndimage.distance_transform_edt(names != name) <= reach)
        bordering |= near
        away = np.linalg.norm(lab - colour, axis=-1)
        for other, its_own in colours.items():
            if np.linalg.norm(colour - its_own) > _UNLIKE:
                out |= near & (names == other) & (away + _SURELY < np.linalg.norm(lab - its_own, axis=-1))
    odd = unlike_skin(scene, view, face) & bordering
    return out | (odd if face is None else odd & ~face)


def beyond(
    scene: Scene, view: View, mask: Float[ndarray, "y x"], face: Bool[ndarray, "y x"] | None = None
) -> Bool[ndarray, "y x"]:
    """Where the mask has taken background for the person: beside its border, of the colour beyond it, and unlike what
    the figure has there.

    Args:
        scene: As it stands.
        view: The photo's.
        mask: Coverage of the person in its pixels.
        face: Its pixels of the face, which is no background.
    """
    outside = ndimage.binary_erosion(mask < 0.1, iterations=2)
    if not outside.any():
        return np.zeros(mask.shape, bool)
    lab = srgb_to_lab(view.picture.astype(np.float64))
    away, (row, column) = ndimage.distance_transform_edt(~outside, return_indices=True)
    behind, names = lab[row, column], _layers_seen(scene, view)
    out = np.zeros(mask.shape, bool)
    for name in set(names[view.seen.hit]):
        here = view.trusted & (names == name)
        if here.sum() >= _LEAST:
            out |= here & (np.linalg.norm(lab - np.median(lab[here], 0), axis=-1) > _UNLIKE)
    out &= (np.linalg.norm(lab - behind, axis=-1) < _ALIKE) & (away <= 2 * _BESIDE * max(mask.shape))
    return out if face is None else out & ~face


_LEAST = 40
"""Pixels that tell a colour."""
_UNLIKE, _ALIKE, _SURELY = 20.0, 12.0, 5.0
"""Distances in CIELAB: between two things' colours; between those of one; by how much a neighbour's must be nearer."""
_BESIDE = 0.02
"""Of the picture's side, within which a border may be displaced."""


def _layers_seen(scene: Scene, view: View) -> ndarray:
    """The name of each pixel's layer; empty where nothing is."""
    names = np.full(view.seen.face.shape, "", object)
    names[view.seen.hit] = np.array(scene.names, object)[scene.layer[view.seen.face[view.seen.hit]]]
    return names


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
