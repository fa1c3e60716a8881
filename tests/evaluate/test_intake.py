import numpy as np
import pytest

from bozzetto.evaluate.digitize import subject
from bozzetto.evaluate.intake import measure, told


@pytest.fixture(scope="module")
def known():
    return subject(0, photo_light=True)


def reading(known, moved=0.0):
    """The truth as if it had been read from the photo, its body moved sideways."""
    body = (known.stance.body + np.array([moved, 0, 0])).astype(known.stance.body.dtype)
    return measure(known, known.shot.mask, known.stance.figure.spec, body, known.shot.camera)


def test_the_truth_has_no_error(known):
    row = reading(known)
    assert row.pixels < 1e-3 and row.metres < 1e-3 and row.mask == 1 and abs(row.height) < 1e-6
    assert all(row.kinds.values()) and max(row.colours.values()) == 0


def test_a_body_moved_sideways_is_off_in_the_picture_and_right_in_space(known):
    row = reading(known, moved=0.05)
    assert row.metres < 1e-3
    assert 10 < row.pixels < 20, "5 cm of some 1.7 m are 15 of 512 pixels"


def test_the_report_names_means_and_counts(known):
    row = reading(known)
    assert "1 photos" in told([row]) and "skin: colour within 15: 1 of 1" in told([row])
