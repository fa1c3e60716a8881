"""The stages of Human-SGD: the photo cut out, the back guessed, a view painted, the texture fused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from numpy import ndarray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from bozzetto.prior.denoiser import Conditions, Inpainting, Prior
from bozzetto.prior.sample import Guidance, Start, imagine
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.render.conditions import normal_map
from bozzetto.texture.canvas import Canvas, codes
from bozzetto.texture.fuse import Fused, Fusion, Perceptual, fuse, membrane, project_back, texels_for
from bozzetto.texture.pad import complete
from bozzetto.texture.perceptual import perceptual_distance
from bozzetto.texture.views import (
    Aggregate,
    Picture,
    Seen,
    View,
    around,
    framed,
    look,
    pixels_per_metre,
    project,
    recut,
    sampled,
)
from bozzetto.types import Cameras, RenderOutput

LONGEST = 1024
"""Pixels of the side of the square that is cut out of the photo, at most."""

Guide: TypeAlias = Callable[[Seen], Picture]
"""The person as a first thought has them, seen by a camera; sRGB."""
Reposer: TypeAlias = Callable[[View, Seen], Picture]
"""From the photo, and what the camera behind the person sees, to a picture of the back; sRGB."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A photo of one person, and the surface that stands where the photo saw them."""

    picture: Float[ndarray, "h w 3"]
    """sRGB, [0, 1]."""
    mask: Float[ndarray, "h w"]
    """Coverage of the person."""
    camera: Cameras
    """One, with perspective, of the photo's size."""
    canvas: Canvas
    caption: str = "a person wearing nice clothes"
    """What the photo shows, without its view."""
    front_only: Bool[ndarray, "h w"] | None = None
    """Pixels that a back cannot have: the face."""
    guide: Guide | None = None
    """A first thought: a figure's own colours. Without it, the nearest colours that are known on the surface."""
    fallback: Callable[[int], Float32[ndarray, "s s 3"]] | None = None
    """For places no view shows, the texture of so many texels a side; without it, the nearest that one does."""


@dataclass(frozen=True, eq=False)
class Painted:
    """One view of the walk around the person."""

    turn: float
    """Degrees from the photo's camera; 90 shows the left hand's side."""
    prompt: str
    support: int
    """How many views it was blended from."""
    blend: Aggregate
    generated: Picture
    """What the painter made, before what is known was laid over it."""
    view: View
    """The result."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What the recipe has just done."""

    stage: str
    """"photo", "back", "view", "texture"."""
    view: View | None = None
    painted: Painted | None = None
    fused: Fused | None = None


# ---------------------------------------------------------------------------------------------------- the photo


def photograph(shot: Shot, size: int) -> View:
    """The person cut out of the photo, as the first support view.

    Args:
        shot: The photo and the surface.
        size: Pixels of a side; more, up to ``LONGEST``, where the photo is finer.
    """
    rough = framed(shot.camera, shot.canvas.surface.vertices, size)
    finer = float(shot.camera.intrinsics[0, 0, 0] / rough.intrinsics[0, 0, 0])
    side = int(np.clip(np.ceil(size * finer / 8) * 8, size, LONGEST))
    camera = framed(shot.camera, shot.canvas.surface.vertices, side)
    source = np.concatenate([shot.picture, shot.mask[..., None]], -1).astype(np.float32)
    cut = recut(source, shot.camera, camera)
    seen = look(shot.canvas.surface, camera)
    trusted = ndimage.binary_erosion((cut[..., 3] > 0.5) & seen.hit, iterations=2)
    return View(seen, np.clip(cut[..., :3], 0, 1).astype(np.float32), trusted)


def mirrored(photo: View, behind: Seen, front_only: Bool[ndarray, "y x"] | None, camera: Cameras) -> View:
    """The back as the photo's own pixels: each place behind takes the colour before it.

    Args:
        photo: The support view.
        behind: What the camera behind the person sees.
        front_only: Pixels of the uncut photo that no back has; their places take the colours above them: hair.
        camera: Of the uncut photo.
    """
    hidden = np.zeros(photo.trusted.shape, bool)
    if front_only is not None:
        own = photo.seen.hit
        column, row = _pixels(photo.seen.place[own], camera, front_only.shape)
        hidden[own] = front_only[row, column]
    usable = photo.trusted & ~hidden
    hit = behind.hit
    at, _ = project(behind.place[hit], photo.seen.camera)
    column, row = _pixels(behind.place[hit], photo.seen.camera, usable.shape)
    picture, known, face = np.zeros_like(behind.place), np.zeros(hit.shape, bool), np.zeros(hit.shape, bool)
    known[hit], face[hit] = usable[row, column], hidden[row, column]
    picture[known] = sampled(photo.picture, at[usable[row, column]], usable)
    if face.any():
        above = known.copy()
        above[int(face.nonzero()[0].mean()) :] = False
        filled = membrane(np.zeros_like(picture), picture, above if above.any() else known, 0.0)
        picture = np.where((face & ~known)[..., None], filled, picture)
    return View(behind, picture.astype(np.float32), known | face)


def _pixels(points: Float[ndarray, "n 3"], camera: Cameras, shape: tuple[int, ...]) -> tuple[ndarray, ndarray]:
    """Columns and rows of the pixels that hold places, the nearest pixel for those outside the picture."""
    column, row = np.floor(project(points, camera)[0]).astype(int).T
    return np.clip(column, 0, shape[1] - 1), np.clip(row, 0, shape[0] - 1)


# ---------------------------------------------------------------------------------------------------- the walk


class Walk:
    """The cameras around one person, all with one lens, and the painter's place beside them."""

    def __init__(self, shot: Shot, size: int, turns: Sequence[float]) -> None:
        """
        Args:
            shot: The photo and the surface.
            size: Pixels of each view's side.
            turns: Degrees around the person; the lens holds the surface from all of them.

        Raises:
            ValueError: The photo's camera stands too near.
        """
        vertices = shot.canvas.surface.vertices
        self.shot = shot
        self.middle = (vertices.min(0) + vertices.max(0)) / 2
        self.camera = framed(shot.camera, vertices, size, turns=(0.0, *turns))

    def look(self, turn: float) -> Seen:
        """What the camera sees that stands so many degrees around the person."""
        return look(self.shot.canvas.surface, around(self.camera, turn, self.middle))

    def paint(
        self,
        recipe: HumanSGD,
        prior: Prior,
        controls: Sequence[str],
        blend: Aggregate,
        target: Seen,
        prompt: str,
        guide: Picture,
        seed: int,
    ) -> Picture:
        """A whole picture of the target, white around the person, that meets what is known without a step.

        Args:
            recipe: Steps, guidance, start, detail.
            prior: With inpainting.
            controls: "normal" and "silhouette", or fewer.
            blend: What is known.
            target: What the camera sees.
            prompt: Words.
            guide: A first thought of the picture.
            seed: Of the noise.
        """
        size = len(target.face)
        picture = grown(self.imagined(recipe, prior, controls, blend, target, prompt, guide, seed), size)
        if recipe.detail and prior.native_size < size:
            white = np.where(target.hit[..., None], guide, 1.0).astype(np.float32)
            picture = picture + white - grown(shrunk(white, prior.native_size), size)
        picture = membrane(np.clip(picture, 0, 1).astype(np.float32), blend.picture, blend.known)
        return np.where(target.hit[..., None], picture, 1.0).astype(np.float32)

    def imagined(
        self,
        recipe: HumanSGD,
        prior: Prior,
        controls: Sequence[str],
        blend: Aggregate,
        target: Seen,
        prompt: str,
        guide: Picture,
        seed: int,
    ) -> Float32[ndarray, "s s 3"]:
        """Shape-guided inpainting, as the prior paints it: no larger than its native size.

        Args: Those of ``paint``.

        Source: AlBahar et al. 2023, section 3.3; the recipe says what departs.
        """
        small = min(prior.native_size, len(target.face))
        unknown = ~blend.known & (target.hit | (not recipe.background))
        white = np.where(target.hit[..., None], guide, 1.0).astype(np.float32)
        known = np.where(blend.known[..., None], blend.picture, white).astype(np.float32)
        inpainting = Inpainting(
            torch.from_numpy((shrunk(unknown[..., None].astype(np.float32), small) > 0.02).astype(np.float32))[None],
            torch.from_numpy(shrunk(known, small, ~unknown))[None],
        )
        maps = control_maps(target)
        shown = {name: torch.from_numpy(shrunk(maps[name], small))[None] for name in controls}
        start = None
        if recipe.start < 1:
            start = Start(prior.encode(torch.from_numpy(shrunk(known, small))[None].to(prior.device)), recipe.start)
        made = imagine(
            prior, [prompt], recipe.negative, recipe.steps, Guidance(recipe.guidance), small,
            Conditions(shown) if shown else None, inpainting, start, torch.Generator().manual_seed(seed),
        )  # fmt: skip
        return made[0].float().cpu().numpy()


def nothing(seen: Seen) -> Aggregate:
    """No support view shows anything."""
    shape = seen.face.shape
    return Aggregate(np.zeros((*shape, 3), np.float32), np.zeros(shape, bool), np.zeros((0, *shape), np.float32))


def control_maps(seen: Seen) -> dict[str, Picture]:
    """The two control pictures, of one raster, by name."""
    alpha = torch.from_numpy(seen.hit.astype(np.float32))[None, :, :, None]
    normal, depth = torch.from_numpy(seen.normal)[None], torch.from_numpy(seen.depth)[None, :, :, None]
    face = torch.from_numpy(seen.face.astype(np.int64))[None]
    output = RenderOutput(torch.zeros_like(normal), alpha, depth, normal, face)
    return {
        "normal": normal_map(output, seen.camera)[0],
        "silhouette": np.repeat(seen.hit[..., None].astype(np.float32), 3, -1),
    }


def shrunk(
    picture: Float32[ndarray, "h h c"], size: int, counts: Bool[ndarray, "h h"] | None = None
) -> Float32[ndarray, "s s c"]:
    """A square picture at a smaller size, each pixel the mean of those below it that count."""
    if len(picture) == size and counts is None:
        return picture
    weight = np.ones(picture.shape[:2], np.float32) if counts is None else counts.astype(np.float32) + np.float32(1e-4)

    def smaller(image: ndarray) -> ndarray:
        return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))

    total = smaller(weight)
    channels = [smaller(np.ascontiguousarray(picture[..., k] * weight)) / total for k in range(picture.shape[2])]
    return np.stack(channels, -1).astype(np.float32)


def grown(picture: Float32[ndarray, "s s 3"], size: int) -> Float32[ndarray, "h h 3"]:
    """A square picture at a larger size."""
    if len(picture) == size:
        return picture
    planes = [Image.fromarray(np.ascontiguousarray(picture[..., k])) for k in range(3)]
    return np.stack([np.asarray(each.resize((size, size), Image.Resampling.BICUBIC)) for each in planes], -1)


def pasted(generated: Picture, blend: Aggregate) -> Picture:
    """What is known, over what was generated: exact where it is known."""
    return np.where(blend.known[..., None], blend.picture, generated).astype(np.float32)


# ---------------------------------------------------------------------------------------------------- the texture


def surface_colours(canvas: Canvas, support: Sequence[View], size: int) -> Guide:
    """The nearest colours that are known on the surface."""
    texture = complete(canvas.mesh, project_back(canvas, support, min(size, 512)))
    return lambda seen: canvas.picture(texture, seen)


def fused(
    recipe: HumanSGD, shot: Shot, views: Sequence[View], prior: Prior | None, perceptual: Perceptual | None
) -> Fused:
    """The texture of all views, the photo first."""
    size = texels_for(shot.canvas.mesh, max(pixels_per_metre(view.seen) for view in views), recipe.texels)
    if perceptual is None:
        perceptual = _alike if prior is None else perceptual_distance(prior)
    fallback = None if shot.fallback is None else shot.fallback(size)
    return fuse(shot.canvas, views, perceptual, size, Fusion(steps=recipe.fusion_steps), fallback, recipe.seed)


def _alike(pictures: Tensor, others: Tensor) -> Tensor:
    """No opinion."""
    return (pictures - others).sum() * 0


# ---------------------------------------------------------------------------------------------------- to look at


def sheet_of(painted: Painted) -> list[UInt8[ndarray, "h w 3"]]:
    """What ``--keep-views`` writes of a view: the blend, what of it is unknown in red, the weights of the first three
    support views as red, green and blue, the painter's picture and the result."""
    hit = painted.view.seen.hit[..., None]
    blend = codes(painted.blend.picture)
    holes = np.where(hit & ~painted.blend.known[..., None], np.array([255, 40, 40], np.uint8), blend)
    weights = np.moveaxis(painted.blend.weights[:3], 0, -1)
    weights = np.pad(weights, ((0, 0), (0, 0), (0, 3 - weights.shape[-1])))
    result = np.where(hit, painted.view.picture, 1.0)
    return [blend, holes, codes(weights), codes(painted.generated), codes(result)]
