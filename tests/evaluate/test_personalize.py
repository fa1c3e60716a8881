"""What the measure of personalized characters says of people it knows."""

from dataclasses import replace

import numpy as np
import pytest

from bozzetto.evaluate.personalize import BASELINE, ROWS, Row, pictures, relief, rows_of, standing, table, truth
from bozzetto.figure.build import build_figure
from bozzetto.figure.spec import FigureSpec, HairSpec
from bozzetto.recipes import Personalize
from bozzetto.render.cameras import frame


@pytest.fixture(scope="module")
def avatar():
    return build_figure(FigureSpec(hair=HairSpec("bald")), "low").avatar


def test_a_flat_face_has_less_relief(avatar):
    found = relief(avatar)
    assert 0.01 < found < 0.05
    flat = []
    for layer in avatar.layers:
        vertices = layer.mesh.vertices.clone()
        vertices[:, 2] *= 0.5
        flat.append(replace(layer, mesh=replace(layer.mesh, vertices=vertices)))
    assert relief(replace(avatar, layers=tuple(flat))) == pytest.approx(found / 2, rel=0.15)


def test_everybody_stands_as_tall_as_the_truth(avatar):
    assert np.ptp(standing(avatar, 1.5).vertices[:, 1]) == pytest.approx(1.5, abs=1e-5)


def test_every_camera_has_its_own_picture(avatar):
    scene = standing(avatar)
    cameras = frame(scene.vertices, np.array([0.0, 90.0]), 0.0, 28.0, 64)
    both, covered = pictures(scene, cameras)
    for row in range(2):
        alone, alpha = pictures(scene, cameras[row : row + 1])
        assert np.allclose(both[row], alone[0], atol=1e-4) and np.array_equal(covered[row], alpha[0])
    assert covered[0].sum() > 1.5 * covered[1].sum()


def test_the_rows_are_those_of_the_paper_and_the_table_means_them():
    assert not ROWS["one network"][0].dual and ROWS["no constraint"][0].again_steps == 0
    assert not ROWS["one resolution"][0].booth.growing and ROWS["mode II"] == (Personalize(), "")
    rows = [Row("a", 1, 10.0, 9.0, 8.0, None, 0.5, 1.0), Row("a", 2, 20.0, 9.0, 8.0, None, 0.7, 3.0)]
    assert table(rows).splitlines()[-1] == "| a (2) | 15.00 | 9.00 | 8.00 | -, 0.600 | 2 |"


def test_baselines_stand_beside_the_modes_and_know_no_outlines():
    assert list(rows_of("mode II")) == ["figure", "pixels", "character"] == list(rows_of("mode III"))
    assert not set(rows_of("mode II").values()) & set(rows_of("mode III").values())
    for name in (BASELINE, f"{BASELINE}, mode III"):
        assert rows_of(name) == {"pixels": name} and not ROWS[name][0].outlines and not ROWS[name][0].tuned
    assert rows_of("one network") == {"character": "one network"}


@pytest.mark.slow
def test_words_change_the_truth_too():
    plain, red = truth(5), truth(5, "in a red dress")
    changed = np.abs(plain.shown["body"][0] - red.shown["body"][0]).max(-1) > 0.2
    assert changed.mean() > 0.02
    worn = red.shown["body"][0][0][changed[0] & (red.shown["body"][1][0] > 0.9)]
    assert np.median(worn[:, 0]) > np.median(worn[:, 1]) + 0.3, "the dress is red"
