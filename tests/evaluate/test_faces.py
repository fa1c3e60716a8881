"""The ruler of painted faces: nothing off for the true picture, as much as it was moved, no face in noise."""

import numpy as np
import pytest
import torch

from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec

pytest.importorskip("mediapipe.python.solution_base", reason="needs the extra: pip install '.[photo]'")

from bozzetto.evaluate.faces import (
    Head,
    contour_errors,
    face_points,
    landmark_error,
    main,
    shows_face,
    told,
)
from bozzetto.evaluate.landmarks import load_landmarks
from bozzetto.training.data import CONTOUR_NAMES
from bozzetto.training.landmarks import softened

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


def test_contours_are_measured_from_those_asked_for(stance):
    view = stance.view(5, 0, 64, "head", background=(0.8, 0.8, 0.8))
    contours = np.concatenate([view.contours[name] for name in CONTOUR_NAMES])
    work = [Head("a man", view.rgb, view.rgb, NOWHERE, asked) for asked in (contours, contours + np.array([6, 0]))]
    here, aside = contour_errors(load_landmarks(), work, np.stack([view.rgb, view.rgb]))
    assert here < 6 and aside - here == pytest.approx(100 * 6 / np.ptp(contours[:, 0]), rel=0.4)


def test_softened_pictures_keep_their_means(picture):
    shown = torch.from_numpy(picture).float()[None] / 255
    once, twice = softened(shown, 1), softened(shown, 2)
    assert once.shape == shown.shape and once.mean() == pytest.approx(float(shown.mean()), abs=0.01)
    assert twice.diff(dim=1).abs().mean() < once.diff(dim=1).abs().mean() < shown.diff(dim=1).abs().mean()


@pytest.mark.parametrize("asked", [["--ruler"], ["--out", "faces"]])
def test_without_heads_it_says_where_they_come_from(tmp_path, monkeypatch, capsys, asked):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["faces", "--data", str(tmp_path), *asked])
    with pytest.raises(SystemExit):
        main()
    assert "train-prior --part data" in capsys.readouterr().err


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
