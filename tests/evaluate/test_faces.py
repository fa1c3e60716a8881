"""The ruler of painted faces: nothing off for the true picture, as much as it was moved, no face in noise."""

import numpy as np
import pytest

from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec

pytest.importorskip("mediapipe.python.solution_base", reason="needs the extra: pip install '.[photo]'")

from bozzetto.evaluate.faces import Head, face_points, landmark_error, shows_face, told

NOWHERE = np.zeros((128, 2))


@pytest.fixture(scope="module")
def stance():
    spec = FigureSpec(hair=HairSpec("short"), top=Garment("t-shirt", colour("grey")), bottom=None, shoes=None)
    return stand(build_figure(spec, "low"), "standing")


@pytest.fixture(scope="module")
def picture(stance):
    return stance.view(0, 0, 64, "head", background=(0.8, 0.8, 0.8)).rgb


def test_a_head_has_one_face(stance):
    turns = {turn: stance.view(turn, 0, 128, "head", background=(0.8, 0.8, 0.8)).rgb for turn in (0, 20, 150, 180, 210)}
    assert [turn for turn, seen in turns.items() if shows_face(seen)] == [0, 20]


def test_errors_are_in_per_cent_of_the_faces_width(picture):
    face = face_points(picture)
    assert face is not None and face.shape == (468, 2)
    head = Head("a man", picture, picture, face, NOWHERE)
    assert landmark_error(head, picture) == 0
    width = np.ptp(face[:, 0])
    assert landmark_error(head, np.roll(picture, 4, axis=1)) == pytest.approx(400 / width, rel=0.2)


def test_what_has_no_face_is_not_measured(picture):
    face = face_points(picture)
    assert face is not None
    noise = np.random.default_rng(0).integers(0, 255, picture.shape, dtype=np.uint8)
    errors = np.array(
        [landmark_error(Head("a man", picture, picture, face, NOWHERE), each) for each in (noise, picture)]
    )
    assert np.isnan(errors[0]) and errors[1] == 0
    assert told(errors).startswith("a face in 1 of 2")
    assert told(errors[:1]) == "no face in 1"
