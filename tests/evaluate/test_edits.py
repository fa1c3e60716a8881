"""An edit counts when the picture moved to where the instruction points, and only there."""

import numpy as np
import pytest

from bozzetto.evaluate.edits import Pair, kept, nearer

GREY, RED, BLUE = (0.6, 0.6, 0.6), (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)


def picture(shirt: tuple[float, float, float]) -> np.ndarray:
    out = np.full((32, 32, 3), GREY, np.float32)
    out[8:24, 8:24] = shirt
    return out


PAIR = Pair("make the shirt blue", picture(RED), picture(BLUE))


@pytest.mark.parametrize(
    ("shirt", "made"), [(RED, False), (BLUE, True), ((0.2, 0.2, 0.7), True), ((0.7, 0.2, 0.2), False)]
)
def test_an_edit_is_made_when_the_asked_place_is_nearer_to_the_asked_picture(shirt, made):
    assert nearer(PAIR, picture(shirt)) is made


def test_what_should_stay_is_measured_away_from_what_should_change():
    assert kept(PAIR, picture(BLUE)) > 80, "the change itself costs nothing"
    other = picture(BLUE)
    other[:4] += 0.1
    rest = 32 * 32 - 20 * 20 + 4  # the square, grown by a cross twice, without its corners
    expected = -10 * np.log10(0.01 * 4 * 32 / rest)
    assert kept(PAIR, other) == pytest.approx(expected, abs=0.1)
