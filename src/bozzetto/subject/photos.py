"""A photo of a person, read: upright pixels, who is in it, the outline, key points and face.

``read_photo`` is the intake; ``fit.fit_person`` makes a first figure of what it found. What a photo cannot give is said
in its notes; what makes it unusable is a ``UserError``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion, uniform_filter1d

from bozzetto.subject.locks import Head, with_locks
from bozzetto.subject.matte import box_of, refine
from bozzetto.subject.picture_file import open_picture
from bozzetto.types import UserError

Part: TypeAlias = Literal["full body", "half body", "portrait"]


@dataclass(frozen=True, eq=False)
class Keypoints:
    """MediaPipe's 33 landmarks of a body: face 0 to 10, then arms, hands, hips, legs and feet, left before right."""

    pixels: Float[ndarray, "33 2"]
    """In the photo; also where they are guessed, even outside."""
    visibility: Float[ndarray, "33"]
    """0 guessed, 1 seen."""
    world: Float[ndarray, "33 3"]
    """Metres from the middle of the hips, along the camera's axes (+x right, +y down, +z away); a guess of depth."""


@dataclass(frozen=True, eq=False)
class Face:
    """MediaPipe's face mesh."""

    points: Float[ndarray, "n 3"]
    """468 points, or 478 with irises: pixels of the photo, and depth in pixels, smaller nearer."""


@dataclass(frozen=True, eq=False)
class Photo:
    """One photo and the one person in it who is meant."""

    path: Path
    picture: Float[ndarray, "h w 3"]
    """sRGB, upright, [0, 1]; the longer side at most 2048 pixels."""
    mask: Float[ndarray, "h w"]
    """Coverage of the person."""
    keypoints: Keypoints | None
    face: Face | None
    part: Part
    """How much of the person is in the picture."""
    notes: tuple[str, ...]
    """Sentences for the user: what was done to the file, who was taken, what is missing."""
    sha256: str
    """Of the file."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the person, with a little room, in pixels."""
        return box_of(self.mask, 0.05) or (0, 0, self.mask.shape[1], self.mask.shape[0])

    @property
    def seen(self) -> Bool[ndarray, "33"]:
        """Which landmarks can be trusted: in the picture, and not merely guessed."""
        if self.keypoints is None:
            return np.zeros(33, bool)
        (x, y), (height, width) = self.keypoints.pixels.T, self.mask.shape
        inside = np.array((x > 0) & (y > 0) & (x < width) & (y < height))
        return inside & (self.keypoints.visibility > 0.5)

    @property
    def from_behind(self) -> bool:
        """Whether the person's back is what is seen."""
        if self.keypoints is None or self.face is not None:
            return False
        left, right = self.keypoints.pixels[[11, 23], 0], self.keypoints.pixels[[12, 24], 0]
        return bool((left < right).all())


MIN_PERSON = 100
"""Pixels that a person must be tall."""
_FACELESS = 0.65
"""Score below which somebody without a recognisable face is nobody: a cat and a cup reached 0.57."""
_BLURRED = 0.62
"""Of ``blur``: above it, edges are no longer edges."""

_GROUPS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("left arm", (13, 15)), ("right arm", (14, 16)), ("left leg", (25, 27)), ("right leg", (26, 28)),
)  # fmt: skip
_BONES = (
    (11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24), (23, 25), (25, 27), (24, 26),
    (26, 28), (27, 29), (29, 31), (27, 31), (28, 30), (30, 32), (28, 32), (15, 19), (16, 20), (0, 7), (0, 8),
)  # fmt: skip


def read_photo(path: Path, person: int | None = None) -> Photo:
    """The person of a photo: found, outlined and measured.

    Args:
        person: Which of several people, counted from the left, from 1; the largest when None.

    Raises:
        UserError: The file is no usable picture, nobody is in it, not that many are, or MediaPipe is missing.
    """
    from bozzetto.subject.detector import face_at, find_people, look_at, need_mediapipe

    file = open_picture(path)
    need_mediapipe()
    notes = list(file.notes)
    people = find_people(file.pixels)
    nobody = (
        f"Nobody was found in {path.name}. Use a photo in which a person's head and shoulders are seen well, upright "
        "and not tiny; drawings, animals, dolls and close-ups of a part are not recognised."
    )
    if not people:
        raise UserError(nobody)
    chosen = people[0]
    if len(people) > 1 or person is not None:
        row = sorted(people, key=lambda one: float(one.centre[0]))
        if person is not None and not 1 <= person <= len(row):
            several = f"{len(row)} people are" if len(row) > 1 else "only one person is"
            raise UserError(
                f"There is no person {person} in {path.name}: {several} found. Count from the left, beginning with 1."
            )
        chosen = people[0] if person is None else row[person - 1]
        place = row.index(chosen) + 1
        if person is None:
            notes.append(
                f"{len(row)} people are in the picture; the largest, number {place} from the left, is taken. "
                "--person N takes another."
            )
        elif len(row) > 1:
            notes.append(f"Number {place} from the left of {len(row)} people is taken.")
    seen = look_at(file.pixels, chosen)
    face = None if seen is None else face_at(file.pixels, seen.keypoints)
    if face is None and chosen.score < _FACELESS:
        raise UserError(nobody)
    if seen is None or box_of(seen.mask) is None:
        raise UserError(
            f"What looks like a person in {path.name} has no recognisable body. Use a photo with head, shoulders and, "
            "best of all, everything down to the feet."
        )
    picture = file.pixels.astype(np.float32) / np.float32(255)
    if file.cutout is None:
        mask = refine(file.pixels, seen.mask)
        mask = mask if face is None else with_locks(picture, mask, Head.of(face, seen.keypoints))
    else:
        mask = file.cutout * (seen.mask > 0.02)
    box = box_of(mask)
    if box is None:
        raise UserError(f"The person in {path.name} cannot be told from the background. Use another photo.")
    tall = max(box[3] - box[1], box[2] - box[0])
    if tall < MIN_PERSON:
        raise UserError(
            f"The person in {path.name} is {tall} pixels tall; {MIN_PERSON} are the least and 500 are good. Use a "
            "photo taken from nearer, or the original instead of a thumbnail."
        )
    photo = Photo(path, picture, mask, seen.keypoints, face, "full body", tuple(notes), file.sha256)
    photo = replace(photo, part=_part(photo))
    return replace(photo, notes=(*notes, *_remarks(photo, chosen.score)))


def _part(photo: Photo) -> Part:
    """How much of the person is seen: down to an ankle, down to the hips, or less."""
    seen = photo.seen
    if (seen[27] or seen[28]) and (seen[25] or seen[26]):
        return "full body"
    return "half body" if seen[23] and seen[24] else "portrait"


def _remarks(photo: Photo, score: float) -> list[str]:
    """What the user should know about the person's picture."""
    assert photo.keypoints is not None
    part = photo.part
    seen, pixels = photo.seen, photo.keypoints.pixels
    height = len(photo.mask)
    said = []
    if score < _FACELESS:
        said.append(f"It is not certain that this is a person (score {score:.2f} of 1).")
    if photo.from_behind:
        said.append("The person is seen from behind: the face is a guess.")
    elif pixels[:11, 1].mean() < 0 or not seen[:11].any():
        said.append("The head is cut off or hidden: face and hair are guesses.")
    elif photo.face is None:
        said.append("The face is turned away, covered or too small to be measured: its features are guesses.")
    if (photo.mask[:2] > 0.5).any() and seen[:11].any():
        said.append("The top of the head is cut off by the picture's edge.")
    if part == "portrait":
        said.append("Only head and shoulders are seen: the rest is a guess.")
    elif part == "half body":
        said.append("The legs are not seen: they are a guess.")
    elif not seen[29:].any() or pixels[27:, 1].max() > height:
        said.append("The feet are cut off.")
    expected = {"full body": _GROUPS, "half body": _GROUPS[:2], "portrait": ()}[part]
    hidden = [name for name, points in expected if not seen[list(points)].all()]
    if hidden:
        said.append(f"Partly hidden: {', '.join(hidden)}.")
    left, top, right, bottom = photo.box
    size = max(right - left, bottom - top)
    if size < 300:
        said.append(f"The person is only {size} pixels tall: details will be soft.")
    level = blur(photo.picture[top:bottom, left:right].mean(2), photo.mask[top:bottom, left:right] > 0.5)
    if level > _BLURRED:
        said.append("The picture is blurred: details will be soft.")
    return said


def blur(grey: Float[ndarray, "h w"], where: Bool[ndarray, "h w"] | None = None) -> float:
    """0 crisp to 1 blurred: how little a further blur takes away.

    Args:
        where: Only there.

    Source: Crete et al. 2007, The blur effect, Eqs. 1 to 8; the region is ours.
    """
    shares = []
    inside = None if where is None else binary_erosion(where, iterations=3)
    for axis in (0, 1):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(uniform_filter1d(grey, 9, axis=axis), axis=axis))
        lost = np.maximum(before - after, 0)
        if inside is not None and inside.any():
            cut = inside[1:] if axis == 0 else inside[:, 1:]
            before, lost = before[cut], lost[cut]
        shares.append(1 - lost.sum() / max(before.sum(), 1e-9))
    return float(max(shares))


def report(photos: Sequence[Photo]) -> str:
    """What was found in each photo, in sentences."""
    lines = []
    for photo in photos:
        left, top, right, bottom = box_of(photo.mask) or (0, 0, 0, 0)
        height, width = photo.mask.shape
        face = "a face mesh" if photo.face is not None else "no face mesh"
        lines.append(
            f"{photo.path.name}: {photo.part}, {bottom - top} of {height} pixels tall and {right - left} of {width} "
            f"wide, {int(photo.seen.sum())} of 33 key points seen, {face}."
        )
        lines += [f"  {note}" for note in photo.notes]
    return "\n".join(lines)


def intake_picture(photos: Sequence[Photo], side: int = 512) -> UInt8[ndarray, "h w 3"]:
    """A row a photo: the crop with key points and face, the person cut out, and the notes.

    Args:
        side: Pixels of a panel.
    """
    rows = []
    for photo in photos:
        left, top, right, bottom = photo.box
        scale = side / max(right - left, bottom - top)
        size = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
        eight = (photo.picture[top:bottom, left:right] * 255 + 0.5).astype(np.uint8)
        crop = Image.fromarray(eight).resize(size, Image.Resampling.LANCZOS)
        cover = Image.fromarray((photo.mask[top:bottom, left:right] * 255).astype(np.uint8)).resize(size)
        marked = crop.copy()
        pen = ImageDraw.Draw(marked)
        edge = np.asarray(cover) > 127
        edge &= ~binary_erosion(edge, iterations=2)
        marked.paste((255, 255, 255), None, Image.fromarray(edge.astype(np.uint8) * 255))

        corner = np.array([left, top])
        if photo.face is not None:
            for x, y in (photo.face.points[:, :2] - corner) * scale:
                pen.point((float(x), float(y)), (90, 230, 255))
        if photo.keypoints is not None:
            seen = photo.seen
            points = [(float(x), float(y)) for x, y in (photo.keypoints.pixels - corner) * scale]
            for one, other in _BONES:
                if seen[one] and seen[other]:
                    pen.line([points[one], points[other]], (255, 210, 60), 2)
            for x, y in np.array(points)[seen]:
                pen.ellipse((x - 3, y - 3, x + 3, y + 3), (230, 40, 60))
        cut = Image.new("RGB", size, (214, 216, 219))
        cut.paste(crop, None, cover)
        row = Image.new("RGB", (3 * side, side), (245, 245, 243))
        for index, panel in enumerate((marked, cut)):
            row.paste(panel, (index * side + (side - size[0]) // 2, (side - size[1]) // 2))
        _write(row, (2 * side + 16, 16), report([photo]), side - 32)
        rows.append(np.asarray(row))
    return np.concatenate(rows) if rows else np.zeros((0, 3 * side, 3), np.uint8)


def _write(row: Image.Image, corner: tuple[int, int], text: str, width: int) -> None:
    """Text in lines no wider than ``width`` pixels."""
    from PIL import ImageFont

    pen, font = ImageDraw.Draw(row), ImageFont.load_default(15)
    y = corner[1]
    for paragraph in text.splitlines():
        line = ""
        for word in [*paragraph.split(), None]:
            longer = f"{line} {word}".strip()
            if word is not None and pen.textlength(longer, font) <= width:
                line = longer
                continue
            pen.text((corner[0], y), line, (40, 40, 40), font)
            y, line = y + 20, word or ""
        y += 8
