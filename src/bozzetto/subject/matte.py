"""A rough outline of a person, drawn to the edges of the picture."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from scipy.ndimage import distance_transform_edt, label, uniform_filter

_WORKING = 512
"""Longer side, in pixels, of the person while edges are searched; the full picture's own edges come last."""


def refine(picture: UInt8[ndarray, "h w 3"], rough: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Coverage of the person: ``rough`` far from its border, the picture's own edges near it, in one piece.

    Source: GrabCut (Rother, Kolmogorov and Blake 2004) settles the band around the border by colour, the guided
    filter (He, Sun and Tang 2013, Eqs. 5, 6 and 8 with a colour guide; 2015 for the smaller working size) softens it.
    """
    box = box_of(rough, 0.08)
    if box is None:
        return rough
    left, top, right, bottom = box
    crop = Image.fromarray(picture[top:bottom, left:right])
    shrink = min(1.0, _WORKING / max(crop.size))
    size = max(int(crop.width * shrink), 8), max(int(crop.height * shrink), 8)
    small = np.asarray(crop.resize(size, Image.Resampling.BOX))
    cover = _resized(rough[top:bottom, left:right], size)
    cut = _cut(small, cover)
    colour, offset = _guided(small / np.float32(255), 0.7 * cut + 0.3 * cover, 4, 1e-3)
    planes = [_resized(plane, crop.size) for plane in (*colour, offset)]
    full = planes[3] + sum(plane * (np.asarray(crop)[..., i] / np.float32(255)) for i, plane in enumerate(planes[:3]))
    mask = np.zeros_like(rough, np.float32)
    mask[top:bottom, left:right] = np.clip((full - 0.15) / 0.7, 0, 1)
    return _largest(mask)


def box_of(mask: Float[ndarray, "h w"], margin: float = 0.0) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of where a mask is above one half, within the picture; None where it is nowhere.

    Args:
        margin: Added on every side, as a share of the box's longer one.
    """
    rows, columns = np.flatnonzero((mask > 0.5).any(1)), np.flatnonzero((mask > 0.5).any(0))
    if not len(rows):
        return None
    more = int(margin * max(np.ptp(rows) + 1, np.ptp(columns) + 1))
    left, top = max(columns[0] - more, 0), max(rows[0] - more, 0)
    return (
        int(left),
        int(top),
        int(min(columns[-1] + 1 + more, mask.shape[1])),
        int(min(rows[-1] + 1 + more, mask.shape[0])),
    )


def _resized(plane: Float[ndarray, "h w"], size: tuple[int, int]) -> Float[ndarray, "y x"]:
    """At another width and height."""
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))


def _cut(picture: UInt8[ndarray, "h w 3"], rough: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Zero or one: GrabCut in a band around the border; ``rough`` itself where colours tell nothing."""
    import cv2  # pyright: ignore[reportMissingImports]

    inside = rough > 0.5
    if inside.all() or not inside.any():
        return inside.astype(np.float32)
    band = max(4.0, max(inside.any(1).sum(), inside.any(0).sum()) / 50)
    state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[distance_transform_edt(inside) > band] = cv2.GC_FGD
    state[distance_transform_edt(~inside) > band] = cv2.GC_BGD
    if not ((state == cv2.GC_FGD).any() and (state == cv2.GC_BGD).any()):
        return inside.astype(np.float32)
    cv2.setRNGSeed(0)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(bgr, state, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    found = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    agreement = (found & inside).sum() / max((found | inside).sum(), 1)
    return (found if agreement > 0.85 else inside).astype(np.float32)


def _guided(
    guide: Float[ndarray, "h w 3"], values: Float[ndarray, "h w"], radius: int, regular: float
) -> tuple[list[Float[ndarray, "h w"]], Float[ndarray, "h w"]]:
    """Three planes and an offset: ``values`` as a local linear function of the guide's colours."""

    def mean(plane: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
        return uniform_filter(plane.astype(np.float64), 2 * radius + 1, mode="nearest")

    channels = [guide[..., i].astype(np.float64) for i in range(3)]
    means, level = [mean(channel) for channel in channels], mean(values)
    joint = np.stack([mean(channel * values) - m * level for channel, m in zip(channels, means, strict=True)], -1)
    spread = np.empty((*values.shape, 3, 3))
    for i in range(3):
        for j in range(i + 1):
            spread[..., i, j] = mean(channels[i] * channels[j]) - means[i] * means[j]
            spread[..., j, i] = spread[..., i, j]
    slope = np.linalg.solve(spread + regular * np.eye(3), joint[..., None])[..., 0]
    offset = level - sum(slope[..., i] * means[i] for i in range(3))
    return [mean(slope[..., i]).astype(np.float32) for i in range(3)], mean(offset).astype(np.float32)


def _largest(mask: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """The mask without islands far smaller than its largest piece."""
    pieces, count = label(mask > 0.3)
    if count < 2:
        return mask
    sizes = np.bincount(pieces.ravel())[1:]
    kept = np.concatenate([[True], sizes >= 0.05 * sizes.max()])
    return np.where(kept[pieces], mask, 0).astype(np.float32)
