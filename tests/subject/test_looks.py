"""What single rules of the intake see in painted faces."""

from pathlib import Path

import numpy as np
import pytest

from bozzetto.figure.colours import colour, hair_colour, srgb_to_lab
from bozzetto.subject import looks
from bozzetto.subject.locks import CHIN, TOP
from bozzetto.subject.looks import _EARS, _hair, _Map, _over_ears
from bozzetto.subject.photos import Face, Keypoints, Photo

SKIN, HAIR = np.array(colour("peach").srgb), hair_colour("black")


def face(left, right):
    """A face 40 pixels wide and 60 high in the middle of skin, with a colour from where its ears would be outwards."""
    picture = np.ones((100, 100, 3)) * SKIN
    if left is not None:
        picture[:, 71:] = left.srgb
    if right is not None:
        picture[:, :29] = right.srgb
    points = np.zeros((478, 3))
    points[[TOP, CHIN], :2] = (50, 20), (50, 80)
    points[list(_EARS), :2] = (70, 55), (30, 55)
    mask = np.ones((100, 100))
    photo = Photo(Path("a.jpg"), picture, mask, None, Face(points), "portrait", (), "a")
    return photo, _Map(srgb_to_lab(picture), mask > 0, {}, 1.0, 100.0)


@pytest.mark.parametrize(
    ("left", "right", "over"), [(HAIR, HAIR, True), (HAIR, None, True), (None, HAIR, True), (None, None, False)]
)
def test_hair_over_one_ear_is_enough_and_bare_ears_are_none(left, right, over):
    photo, seen = face(left, right)
    assert _over_ears(photo, seen, srgb_to_lab(SKIN), HAIR) is over


def test_without_a_face_or_skin_nothing_hangs_over_ears():
    photo, seen = face(HAIR, HAIR)
    assert not _over_ears(photo, seen, None, HAIR)


def with_hands(shade):
    """A head of black hair, and something upright at either side of it."""
    rows, columns = np.indices((200, 200))
    picture, mask = np.ones((200, 200, 3)) * 0.9, (np.abs(columns - 100) < 25) & (rows > 40)
    picture[mask] = SKIN
    picture[mask & (rows < 72)] = HAIR.srgb
    beside = (np.abs(np.abs(columns - 100) - 45) < 6) & (rows > 70)
    picture[beside] = shade
    points = np.zeros((478, 3))
    points[[TOP, CHIN], :2] = (100, 70), (100, 130)
    keys = Keypoints(np.tile([100.0, 100.0], (33, 1)), np.ones(33), np.zeros((33, 3)))
    mask = (mask | beside).astype(float)
    photo = Photo(Path("a.jpg"), picture, mask, keys, Face(points), "portrait", (), "a")
    return photo, _Map(srgb_to_lab(picture), mask > 0, {part: mask < 0 for part in looks._PARTS}, 1.0, 100.0)


@pytest.mark.parametrize(("shade", "style"), [(HAIR.srgb, "pigtails"), (SKIN, "short")])
def test_raised_hands_are_no_pigtails(shade, style):
    photo, seen = with_hands(shade)
    hair, hat = _hair(photo, seen, srgb_to_lab(SKIN), [])
    assert hair is not None and hair.style == style and hat is None
