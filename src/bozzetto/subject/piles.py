"""Many photos of one person, sorted: which show a body, which a head, which cannot be used, and why.

Each photo goes through the intake by itself. A photo joins the heads where a head is seen with enough pixels, whatever
else it shows, and the bodies where legs are seen too; half bodies only where no photo shows more.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from bozzetto.subject.locks import Head
from bozzetto.subject.photos import Photo, read_photo
from bozzetto.types import UserError

MOST = 20
"""Photos of a person."""
LEAST_HEAD = 64
"""Pixels of the side of a head's picture."""
_LEFT, _RIGHT = 454, 234
"""Of the face mesh: the two ends of the jaw."""


@dataclass(frozen=True)
class Square:
    """A piece of a photo, which may reach over its edges; pixels."""

    left: float
    top: float
    side: float

    def cut(self, picture: Float[ndarray, "h w c"], size: int) -> Float[ndarray, "s s c"]:
        """The piece at another size, each pixel the mean of those below it; zero outside the picture."""
        from PIL import Image

        box = (self.left, self.top, self.left + self.side, self.top + self.side)
        planes = [
            Image.fromarray(np.ascontiguousarray(picture[..., k], np.float32)).transform(
                (size * 4, size * 4), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR
            )
            for k in range(picture.shape[2])
        ]
        return np.stack([np.asarray(plane.resize((size, size), Image.Resampling.BOX)) for plane in planes], -1)


@dataclass(frozen=True, eq=False)
class Sorted:
    """A usable photo and what it is good for."""

    photo: Photo
    name: str
    """Of the file; told apart where two have the same."""
    body: Square | None
    """Around the whole person; None where it is not used for the body."""
    head: Square | None
    """Around the head; None where it is not used for the head."""
    turn: float
    """Degrees from the trunk's front to the camera; 90 shows the left side."""
    head_turn: float
    """The same from the face's front."""
    why: str
    """What it is used for and why, in a sentence."""


@dataclass(frozen=True, eq=False)
class Piles:
    """All photos of a person, sorted."""

    photos: tuple[Sorted, ...]
    """Those that are used for something; the first is the best: of it the figure is made."""
    refused: tuple[str, ...]
    """A sentence for each of the others."""

    @property
    def bodies(self) -> tuple[Sorted, ...]:
        return tuple(each for each in self.photos if each.body is not None)

    @property
    def heads(self) -> tuple[Sorted, ...]:
        return tuple(each for each in self.photos if each.head is not None)

    def words(self) -> tuple[str, ...]:
        """What each photo is used for or why not, the best first."""
        return (*(each.why for each in self.photos), *self.refused)


def sort_photos(paths: Sequence[Path], read: Callable[[Path], Photo] = read_photo) -> Piles:
    """Reads and sorts the photos of one person; those that cannot be used are left out by themselves.

    Args:
        paths: 1 to 20 files.
        read: The intake of one; what it refuses is that photo's fault.

    Raises:
        UserError: There are none or too many, one is no file, or none of them can be used.
    """
    check_files(paths)
    names, seen, usable, refused = file_names(paths), dict[str, str](), list[Sorted](), list[str]()
    for path, name in zip(paths, names, strict=True):
        try:
            photo = read(path)
        except UserError as refusal:
            refused.append(f"{name} is not used. {refusal}")
            continue
        if photo.sha256 in seen:
            refused.append(f"{name} is not used: it is the same file as {seen[photo.sha256]}.")
            continue
        seen[photo.sha256] = name
        one = _sorted(photo, name)
        if one.body is None and one.head is None:
            refused.append(f"{name} is not used: {one.why}.")
        else:
            usable.append(one)
    if not usable:
        raise UserError("None of the photos can be used. " + " ".join(refused))
    if any(each.photo.part == "full body" for each in usable):  # halves would teach it people without legs
        usable = [each if each.photo.part == "full body" else replace(each, body=None) for each in usable]
        refused += [f"{each.name} is not used: {each.why}." for each in usable if each.body is each.head is None]
        usable = [each for each in usable if not each.body is each.head is None]
    told = [replace(each, why=_told(each)) for each in sorted(usable, key=_worth, reverse=True)]
    return Piles(tuple(told), tuple(refused))


def check_files(paths: Sequence[Path]) -> None:
    """Whether these may be photos of a person, before anything is read.

    Raises:
        UserError: There are none or too many, or one is no file.
    """
    if not 1 <= len(paths) <= MOST:
        raise UserError(f"Give 1 to {MOST} photos of one person; these are {len(paths)}. Choose the sharpest.")
    for path in paths:
        if path.is_dir():
            raise UserError(f"{path} is a folder. Give the photos in it one by one, such as {path / '*.jpg'}.")
        if not path.is_file():
            raise UserError(f"There is no photo {path}. Give the files of pictures, such as portrait.jpg.")


def hashes(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 of each file by its name.

    Raises:
        UserError: There are none or too many, or one is no file.
    """
    check_files(paths)
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in zip(file_names(paths), paths, strict=True)
    }


def file_names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its own, with a number where another has had it."""
    names: list[str] = []
    for path in paths:
        number, name = 1, path.name
        while name in names:
            number += 1
            name = f"{path.stem} ({number}){path.suffix}"
        names.append(name)
    return names


def of_one_person(piles: Piles, features: Callable[[Sequence[Sorted]], Float[ndarray, "n d"]], floor: float) -> Piles:
    """The photos of the largest group of alike faces; those that show none stay.

    Args:
        piles: All photos.
        features: Unit vectors of their heads; the dot product of two is their likeness.
        floor: Two photos show one person where their likeness reaches it, or where others between them do.
    """
    heads = [each for each in piles.heads if each.photo.face is not None]
    if len(heads) < 2:
        return piles
    vectors = features(heads)
    alike = vectors @ vectors.T >= floor
    group = np.arange(len(heads))
    for _ in heads:
        group = np.array([group[row].min() for row in alike])
    largest = max(set(group.tolist()), key=lambda each: ((group == each).sum(), -each))
    others = {heads[row].name for row in np.flatnonzero(group != largest)}
    if not others:
        return piles
    count = len(heads) - len(others)
    said = [f"{name} is not used: it shows somebody else than {count} other photos do." for name in sorted(others)]
    left = tuple(each for each in piles.photos if each.name not in others)
    return Piles(left, (*piles.refused, *said))


def _sorted(photo: Photo, name: str) -> Sorted:
    square = head_square(photo)
    left, top, right, bottom = photo.box
    side = float(max(right - left, bottom - top))
    whole = Square((left + right - side) / 2, (top + bottom - side) / 2, side)
    body = whole if photo.part != "portrait" else None
    head = square if square is not None and square.side >= LEAST_HEAD else None
    small = f"its head has {square.side:.0f} pixels, {LEAST_HEAD} are the least" if square else "no head is seen"
    return Sorted(photo, name, body, head, trunk_turn(photo), face_turn(photo), small)


def _told(one: Sorted) -> str:
    """What a photo is used for, and why."""
    bottom, top = one.photo.box[3], one.photo.box[1]
    uses = []
    if one.body is not None:
        uses.append(f"for the body ({one.photo.part}, {bottom - top} pixels tall, from {_side(one.turn)})")
    if one.head is not None:
        uses.append(f"for the head ({one.head.side:.0f} pixels, from {_side(one.head_turn)})")
    elif one.body is not None:
        uses.append(f"not for the head: {one.why}")
    return f"{one.name}: {', '.join(uses)}"


def _side(turn: float) -> str:
    if abs(turn) >= 120:
        return "behind"
    return "the front" if abs(turn) < 30 else f"the person's {'left' if turn > 0 else 'right'}"


def _worth(one: Sorted) -> tuple[int, bool, bool, float]:
    """How good a figure the photo promises."""
    part = ("portrait", "half body", "full body").index(one.photo.part)
    _left, top, _right, bottom = one.photo.box
    return part, abs(one.turn) < 60 and one.photo.face is not None, one.photo.face is not None, float(bottom - top)


def head_square(photo: Photo) -> Square | None:
    """Around the head with its hair, as portraits are framed; None where no head is seen."""
    unseen = photo.keypoints is None or photo.seen[:13].sum() < 4 or not photo.seen[:11].any()
    if photo.face is None and unseen:
        return None
    head = Head.of(photo.face, photo.keypoints)
    x, y = (head.top + head.chin) / 2 + 0.1 * (head.top - head.chin)
    return Square(float(x) - 1.1 * head.tall, float(y) - 1.1 * head.tall, 2.2 * head.tall)


def trunk_turn(photo: Photo) -> float:
    """Degrees from the trunk's front to the camera, as the landmarks guess; 90 shows the left side."""
    if photo.keypoints is None:
        return 0.0
    world = photo.keypoints.world
    across = (world[11] - world[12]) + (world[23] - world[24])
    return float(np.degrees(np.arctan2(-across[2], across[0])))


def face_turn(photo: Photo) -> float:
    """Degrees from the face's front to the camera; the trunk's where no face is seen."""
    if photo.face is None:
        return trunk_turn(photo)
    across = photo.face.points[_LEFT] - photo.face.points[_RIGHT]
    return float(np.degrees(np.arctan2(-across[2], across[0])))
