"""Pigtails: what hangs free of a head is given back to the person's outline, and read.

The outlines that the intake begins with are told at 256 pixels, and lose most of it. Ponytails were tried, and not told
from braids, buns and what the wind does.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from bozzetto.figure.colours import srgb_to_lab

if TYPE_CHECKING:
    from bozzetto.subject.photos import Face, Keypoints

TOP, CHIN = 10, 152
"""Of the face mesh: the upper end of the forehead, and the chin."""
_WORKING = 64
"""Pixels of a face's height."""
_LIKE = 7.0
"""How far from hair's colours, in CIELAB with less weight on lightness, hair may be."""
_SHADE = np.array([0.6, 1.0, 1.0])
_STRANDS = 0.5
"""Of the hair's own unevenness what hair must have; plain walls have less."""
_LEAST, _MOST = 0.02, 1.5
"""Squared heights of the face that a piece of hair covers."""
_LONG = 0.15
"""Heights of the face along which background is seen between the neck and either tail."""


@dataclass(frozen=True)
class Head:
    """Where a face is in a picture."""

    top: Float[ndarray, "2"]
    """Of the forehead, in pixels."""
    chin: Float[ndarray, "2"]

    @classmethod
    def of(cls, face: "Face | None", keypoints: "Keypoints | None") -> "Head":
        """As its face lies, else as ears and shoulders say; one of the two must be known."""
        if face is not None:
            top, chin = face.points[[TOP, CHIN], :2].astype(float)
            return cls(top, chin)
        assert keypoints is not None
        ears, shoulders = keypoints.pixels[7:9].mean(0), keypoints.pixels[11:13].mean(0)
        return cls(ears + 0.45 * (ears - shoulders), ears - 0.4 * (ears - shoulders))

    @property
    def tall(self) -> float:
        return float(np.linalg.norm(self.top - self.chin))

    def measured(
        self, shape: tuple[int, int], scale: float = 1.0
    ) -> tuple[Float[ndarray, "h w"], Float[ndarray, "h w"]]:
        """Of a picture's pixels: how far to the picture's right of the face's axis, and above the chin, in heights of
        the face.

        Args:
            shape: Of the picture.
            scale: Of its pixels to those that the face is given in.
        """
        up = (self.top - self.chin) / self.tall
        rows, columns = (np.indices(shape) + 0.5) / scale
        x, y = columns - self.chin[0], rows - self.chin[1]
        return (-x * up[1] + y * up[0]) / self.tall, (x * up[0] + y * up[1]) / self.tall


def with_locks(picture: Float[ndarray, "h w 3"], mask: Float[ndarray, "h w"], head: Head) -> Float[ndarray, "h w"]:
    """The mask, and what hangs beside the head in its hair's colours.

    Pieces that touch the person, end within a face's height or two, are uneven as hair is and not as large as a wall,
    where together they are pigtails: on both sides background is seen between them and the neck.
    """
    if head.tall < 12:
        return mask
    middle = (head.top + head.chin) / 2
    left, top = np.maximum(middle - 2.4 * head.tall, 0).astype(int).tolist()
    right, bottom = np.minimum(middle + 2.4 * head.tall, mask.shape[::-1]).astype(int).tolist()
    if min(right - left, bottom - top) < 16:
        return mask
    scale = min(1.0, _WORKING / head.tall)
    size = max(int((right - left) * scale), 8), max(int((bottom - top) * scale), 8)
    codes = (np.clip(picture[top:bottom, left:right], 0, 1) * 255 + 0.5).astype(np.uint8)
    lab = srgb_to_lab(np.asarray(Image.fromarray(codes).resize(size, Image.Resampling.BOX)) / 255)
    plane = Image.fromarray(mask[top:bottom, left:right].astype(np.float32))
    person = np.asarray(plane.resize(size, Image.Resampling.BOX)) > 0.5
    here = Head(head.top - [left, top], head.chin - [left, top])
    found = _loose(lab, person, *here.measured(person.shape, scale), here.tall * scale)
    if not found.any() or pigtails(person | found, here, scale) is None:
        return mask
    soft = Image.fromarray(ndimage.gaussian_filter(found.astype(np.float32), 0.7))
    more = np.asarray(soft.resize((right - left, bottom - top), Image.Resampling.BILINEAR))
    grown = mask.copy()
    grown[top:bottom, left:right] = np.maximum(grown[top:bottom, left:right], np.clip(2 * more - 0.5, 0, 1))
    return grown


def _loose(
    lab: Float[ndarray, "h w 3"],
    person: Bool[ndarray, "h w"],
    x: Float[ndarray, "h w"],
    y: Float[ndarray, "h w"],
    tall: float,
) -> Bool[ndarray, "h w"]:
    """Hair outside the person's outline, by the colours of what is inside it and no skin."""
    none, inside = np.zeros_like(person), ndimage.binary_erosion(person, iterations=2)
    cheeks = inside & (np.abs(x) < 0.25) & (y > 0.15) & (y < 0.5)
    if cheeks.sum() < 10:
        return none
    skin = np.median(lab[cheeks], 0)
    unlike = np.linalg.norm((lab - skin) * [0.5, 1, 1], axis=-1)
    face = (np.abs(x) < 0.33) & (y > 0.05) & (y < 0.9)
    hair = inside & (y > 0.2) & (y < 1.9) & (np.abs(x) < 1.1) & ((unlike > 9) | (lab[..., 0] < skin[0] - 10)) & ~face
    if hair.sum() < 20:
        return none
    uneven = lab[..., 0] - ndimage.gaussian_filter(lab[..., 0], 2.0)

    def strands(where: Bool[ndarray, "h w"]) -> float:
        inner = ndimage.binary_erosion(where)
        return float(np.std(uneven[inner if inner.sum() > 8 else where]))

    near = cKDTree(lab[hair] * _SHADE).query(lab * _SHADE, k=5)[0][..., -1]
    window = (np.abs(x) < 1.6) & (y > -1.5) & (y < 2.0)
    pieces, count = ndimage.label(ndimage.binary_opening((near < _LIKE) & ~person, np.ones((2, 2))), np.ones((3, 3)))
    touching = ndimage.binary_dilation(person & (y > -0.1), iterations=3)
    away, found, least = ndimage.distance_transform_edt(~person), none.copy(), _STRANDS * strands(hair)
    for number in range(1, count + 1):
        piece = pieces == number
        fits = _LEAST <= piece.sum() / tall**2 <= _MOST and not (piece & ~window).any() and (piece & touching).any()
        if fits and away[piece].max() >= 0.12 * tall and strands(piece) >= least:
            found |= piece
    return ndimage.binary_closing(found | person, iterations=2) & ~person & window if found.any() else none


def pigtails(mask: Bool[ndarray, "h w"], head: Head, scale: float = 1.0) -> Bool[ndarray, "h w"] | None:
    """Where something hangs on both sides of a head, apart from the neck; None where nothing does.

    Args:
        mask: The person with all hair, at a scale.
        head: In pixels of the scale one.
        scale: Of the mask.
    """
    x, y = head.measured(mask.shape, scale)
    band = mask & (np.abs(y - 0.25) < 0.45)
    found, rows = np.zeros_like(mask), {-1: 0, 1: 0}
    for row in np.flatnonzero(band.any(1)):
        pieces, count = ndimage.label(band[row])
        for number in range(1, count + 1):
            piece = pieces == number
            at, side = np.abs(x[row][piece]), 1 if x[row][piece].mean() > 0 else -1
            if at.min() > 0.3 and at.mean() < 1.4 and np.ptp(at) > 0.04:
                found[row] |= piece
                rows[side] += 1
    return found if min(rows.values()) >= _LONG * head.tall * scale else None
