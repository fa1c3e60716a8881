"""Views that do not quite agree become one texture, by optimising it until every view looks right.

Human-SGD (AlBahar et al. 2023, arXiv:2311.09221), section 3.4: the texture T of a fixed surface minimises, over the
views I_i,

    sum_i  perceptual(Render(T, i), I_i) + lambda |Render(T, i) - I_i|_1.

The L1 of two views that are a pixel apart is content with anything between them; the perceptual part is not content
with a blur. Where the paper is silent: T starts as the views' weighted back-projection; each step sees every pixel for
the L1 and, for the perceptual part, a crop of one view, the views in turn; pixels near an outline, which hold
background, do not count; the learning rate falls to zero along a cosine, since Adam at 0.1 never rests; T is kept in
[0, 1] by a sigmoid; where a view sees the surface aslant, its pixels ask for every few texels alone, and those between
change as they do on average, or they would show as a grid. At last the photo's own pixels are laid over it wherever it
saw the surface well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from numpy import ndarray
from scipy import ndimage
from torch import Tensor

from bozzetto.render.surface import sample_texture
from bozzetto.texture.bake import Baked, Blend, bake
from bozzetto.texture.canvas import Canvas
from bozzetto.texture.pad import complete
from bozzetto.texture.views import View
from bozzetto.types import Mesh

Perceptual = Callable[[Float[Tensor, "b h w 3"], Float[Tensor, "b h w 3"]], Float[Tensor, ""]]
"""How different two pictures look; differentiable in the first."""


SURE = (0.01, 0.05)
"""Confidence of ``bake`` from which a photo begins to count, and from which it is all: between surfaces almost edge on
and 57 degrees aslant, a few pixels from an outline."""


@dataclass(frozen=True)
class Fusion:
    """How a texture is fitted to views."""

    steps: int = 30
    """Of Adam; none leaves the weighted back-projection."""
    learning_rate: float = 0.1
    """Adam's, on the texture before its sigmoid (AlBahar et al. 2023)."""
    looks: float = 0.3
    """Weight of the perceptual distance; 1 in the paper, where it is LPIPS. Of our encoder's more adds grain: at 1 the
    fused texture is half a decibel farther from its own views."""
    colour: float = 10.0
    """lambda, the weight of the L1 distance (AlBahar et al. 2023)."""
    crop: int = 192
    """Pixels of a crop's side."""
    inset: int = 2
    """Pixels inside each view's silhouette that do not count: they hold background."""
    photo: tuple[float, float] = SURE
    """Confidence of ``bake`` from which the photo begins to replace what was fused, and from which it is all."""


@dataclass(frozen=True, eq=False)
class Fused:
    """A texture, and how it came about."""

    texture: Float32[ndarray, "s s 3"]
    """sRGB, every texel filled."""
    photo: Float32[ndarray, "s s"]
    """Share of the first view: 1 where the texel is the photo's own."""
    seen: Bool[ndarray, "s s"]
    """Texels that some view shows."""
    covered: Bool[ndarray, "s s"]
    """Texels whose middle lies on the mesh."""
    losses: tuple[float, ...]


def texels_for(mesh: Mesh, pixels_per_metre: float, most: int = 2048) -> int:
    """The power of two, from 256 on, whose texels are nearest in size to the pixels that will be read.

    Args:
        mesh: With texture coordinates.
        pixels_per_metre: Of the finest view, straight on.
        most: Never more than this.
    """
    corners, flat = mesh.vertices[mesh.faces], mesh.uvs
    metres = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1).sum()
    one, other = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    share = (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).abs().sum()
    wanted = pixels_per_metre * float((metres / share.clamp_min(1e-12)).sqrt())
    return int(2 ** np.clip(np.floor(np.log2(max(wanted, 1.0)) + 0.5), 8, np.log2(most)))


def project_back(canvas: Canvas, views: Sequence[View], size: int, inset: int = 2, blend: Blend | None = None) -> Baked:
    """The weighted back-projection of views of one surface, whatever their resolutions.

    Raises:
        ValueError: There are no views, or a camera has no perspective.
    """
    if not views or any(float(view.seen.camera.intrinsics[0, 2, 2]) == 0 for view in views):
        raise ValueError(f"Back-projection needs cameras with perspective, one at least; got {len(views)} views.")
    light, weight, most = np.zeros((size, size, 3)), np.zeros((size, size, 1)), np.zeros((size, size), np.float32)
    covered = np.zeros((size, size), bool)
    for view in views:
        trusted = inside(canvas, view, inset)
        one = bake(canvas.mesh, view.picture[None], view.seen.camera, size, blend or Blend(), trusted[None])
        light += one.texture * one.confidence[..., None]
        weight += one.confidence[..., None]
        most, covered = np.maximum(most, one.confidence), one.covered
    texture = light / np.maximum(weight, 1e-12)
    return Baked(texture.astype(np.float32), most, covered)


def rising(confidence: Float32[ndarray, "h w"], between: tuple[float, float] = SURE) -> Float32[ndarray, "h w"]:
    """From a confidence to a share, smoothly."""
    low, high = between
    share = np.clip((confidence - low) / (high - low), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def inside(canvas: Canvas, view: View, inset: int) -> Bool[ndarray, "h w"]:
    """Trusted pixels of painted faces that are not within ``inset`` pixels of the silhouette's outline."""
    solid = ndimage.binary_erosion(view.seen.hit, iterations=inset) if inset else view.seen.hit
    return solid & view.trusted & canvas.painted(view.seen)


def fuse(
    canvas: Canvas,
    views: Sequence[View],
    perceptual: Perceptual,
    size: int,
    fusion: Fusion = Fusion(),
    fallback: Float32[ndarray, "s s 3"] | None = None,
    seed: int = 0,
    progress: Callable[[float], object] | None = None,
) -> Fused:
    """One texture for all views; the first is the photo, which is right wherever it shows the surface.

    Args:
        canvas: What is painted.
        views: At least one, with perspective cameras.
        perceptual: How different two pictures look.
        size: Texels a side; see ``texels_for``.
        fusion: How it is fitted.
        fallback: A texture for what no view shows; without it, the nearest places that one does.
        seed: Of the crops.
        progress: Told the share that is done.

    Raises:
        ValueError: There are no views, or a camera has no perspective.
    """
    start = project_back(canvas, views, size, fusion.inset)
    photo = project_back(canvas, views[:1], size, fusion.inset, Blend(feather=4.0))
    known = start.confidence > 0
    filled = complete(canvas.mesh, start) if fallback is None else _laid(start.texture, known, fallback)
    fitted, losses = _fit(canvas, views, perceptual, filled, fusion, seed, progress)
    share = rising(photo.confidence, fusion.photo)
    texture = fitted * (1 - share[..., None]) + photo.texture * share[..., None]
    done = replace(start, texture=texture.astype(np.float32))
    whole = complete(canvas.mesh, done) if fallback is None else _laid(done.texture, known, fallback)
    return Fused(whole, share, known, start.covered, losses)


def _laid(texture: ndarray, known: ndarray, fallback: ndarray) -> Float32[ndarray, "s s 3"]:
    """The texture over the fallback, faded over the last four texels of what is known."""
    share = np.clip(ndimage.distance_transform_edt(known) / 4.0, 0.0, 1.0)[..., None]
    return (texture * share + fallback * (1 - share)).astype(np.float32)


def _fit(
    canvas: Canvas,
    views: Sequence[View],
    perceptual: Perceptual,
    start: Float32[ndarray, "s s 3"],
    fusion: Fusion,
    seed: int,
    progress: Callable[[float], object] | None,
) -> tuple[Float32[ndarray, "s s 3"], tuple[float, ...]]:
    """Adam on the texture, view after view."""
    if not fusion.steps:
        return start, ()
    rng = np.random.default_rng(seed)
    places = [torch.from_numpy(canvas.uvs(view.seen)) for view in views]
    masks = [inside(canvas, view, fusion.inset) for view in views]
    targets = [torch.from_numpy(view.picture) for view in views]
    shown = [index for index, mask in enumerate(masks) if mask.any()]
    if not shown:
        return start, ()
    chosen = [torch.from_numpy(mask) for mask in masks]
    every = torch.cat([places[k][chosen[k]] for k in shown])[None, None].contiguous()
    colours = torch.cat([targets[k][chosen[k]] for k in shown])
    weight = torch.cat([torch.full((int(chosen[k].sum()), 1), 1 / (3 * int(chosen[k].sum()))) for k in shown])

    logits = torch.logit(torch.from_numpy(start).clamp(0.01, 0.99)).requires_grad_()
    optimizer = torch.optim.Adam([logits], fusion.learning_rate, betas=(0.9, 0.999))
    losses = []
    for step in range(fusion.steps):
        optimizer.param_groups[0]["lr"] = fusion.learning_rate * 0.5 * (1 + np.cos(np.pi * step / fusion.steps))
        texture = torch.sigmoid(logits)
        loss = fusion.colour * ((sample_texture(texture, every)[0, 0] - colours).abs() * weight).sum()
        index = shown[step % len(shown)]
        rows, columns = _crop(masks[index], fusion.crop, rng)
        target, mask = targets[index][rows, columns], chosen[index][rows, columns][..., None]
        crop = sample_texture(texture, places[index][rows, columns][None].contiguous())[0]
        likeness = perceptual(torch.where(mask, crop, target)[None], target[None])  # what does not count looks right
        loss = loss + fusion.looks * len(shown) * likeness
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if progress is not None:
            progress((step + 1) / fusion.steps)
    blank = torch.zeros_like(logits)[..., :1].requires_grad_()
    asked = torch.autograd.grad(sample_texture(blank, every).sum(), blank)[0].clamp(max=1).numpy()
    change = torch.sigmoid(logits.detach()).numpy() - start
    mean = _push_pull(*(ndimage.gaussian_filter(each, (1.5, 1.5, 0)) for each in (change * asked, asked)))
    dense = ndimage.minimum_filter(asked, (3, 3, 1))
    return np.clip(start + dense * change + (1 - dense) * mean, 0, 1).astype(np.float32), tuple(losses)


def _crop(mask: Bool[ndarray, "h w"], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """A square, as far as the picture allows, around a random pixel that counts; its sides are multiples of 8."""
    rows, columns = mask.nonzero()
    chosen = rng.integers(len(rows))
    slices = []
    for middle, length in ((rows[chosen], mask.shape[0]), (columns[chosen], mask.shape[1])):
        wide = min(side, length) // 8 * 8
        low = int(np.clip(middle - wide // 2, 0, length - wide))
        slices.append(slice(low, low + wide))
    return slices[0], slices[1]


def membrane(
    generated: Float32[ndarray, "h w 3"],
    known: Float32[ndarray, "h w 3"],
    mask: Bool[ndarray, "h w"],
    blur: float = 2.0,
) -> Float32[ndarray, "h w 3"]:
    """The generated picture, shifted in colour so that it meets what is known without a step.

    What is known minus what was generated, blurred a little, is carried into the rest by pulling it down a pyramid and
    pushing it back up (Gortler et al. 1996): near a border the shift is that border's, far away the mean of all.

    Args:
        generated: Everywhere.
        known: Where ``mask`` is.
        mask: Pixels that are known.
        blur: Pixels over which the difference is averaged before it is carried.
    """
    if not mask.any():
        return generated
    weight = mask.astype(np.float32)[..., None]
    shift = (known - generated) * weight
    if blur:
        shift, weight = (ndimage.gaussian_filter(each, (blur, blur, 0)) for each in (shift, weight))
        shift, weight = shift * mask[..., None], weight * mask[..., None]
    return np.clip(generated + _push_pull(shift, weight), 0.0, 1.0).astype(np.float32)


def _push_pull(values: Float32[ndarray, "h w c"], weight: Float32[ndarray, "h w 1"]) -> Float32[ndarray, "h w c"]:
    """Weighted sums of values, filled in where they weigh nothing."""
    height, width = weight.shape[:2]
    mean = values / np.maximum(weight, 1e-6)
    if max(height, width) <= 1:
        return mean
    even = ((0, height % 2), (0, width % 2), (0, 0))
    certain = np.minimum(weight, 1.0)
    coarse = [np.pad(each, even) for each in (mean * certain, certain)]
    coarse = [each[::2, ::2] + each[1::2, ::2] + each[::2, 1::2] + each[1::2, 1::2] for each in coarse]
    below = _push_pull(coarse[0], coarse[1])
    rows, columns = np.arange(height) / 2 - 0.25, np.arange(width) / 2 - 0.25
    grid = np.meshgrid(rows, columns, indexing="ij")
    spread = [ndimage.map_coordinates(below[..., k], grid, order=1, mode="nearest") for k in range(below.shape[2])]
    return certain * mean + (1 - certain) * np.stack(spread, -1)
