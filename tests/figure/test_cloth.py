from typing import get_args

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from bozzetto.figure import cloth
from bozzetto.figure.shells import BACK, FRONT, LEG_LEFT, SLEEVE
from bozzetto.figure.spec import Colour, Garment

TOP, LEGS = cloth.body_sheet(512, -0.03, True), cloth.leg_sheet(512, -0.76)
SAME = cloth.Scale(1.0, 1.0, 1.0)


def _cloth_pixels(sheet, image):
    return np.concatenate([image[sheet.window(place)[:2]].reshape(-1, *image.shape[2:]) for place in sheet.places])


@pytest.mark.parametrize("colour", ["#f2f2f0", "#1c1c1e", "#8db4dc"])
@pytest.mark.parametrize("weave", get_args(cloth.Weave))
def test_folds_seams_and_wear_leave_the_named_colour(colour, weave):
    asked = Colour("asked", colour)
    legs = weave in ("denim", "twill", "smooth")
    make = cloth.Make(weave, jeans=weave == "denim")
    drawn = cloth.cloth(LEGS if legs else TOP, Garment("jeans" if legs else "shirt", asked), make, SAME, 0, True)
    mean = _cloth_pixels(LEGS if legs else TOP, drawn.albedo).mean(0) / 255
    assert deltaE_ciede2000(rgb2lab(mean[None]), rgb2lab(np.array(asked.srgb)[None]))[0] < 4


def test_cloth_without_folds_or_weave_is_exactly_its_colour():
    material = cloth.cloth(TOP, Garment("shirt", Colour("asked", "#406080")), cloth.Make(wrinkles=0), SAME, 0, False)
    assert (np.abs(_cloth_pixels(TOP, material.albedo).astype(int) - [0x40, 0x60, 0x80]) <= 1).all()
    assert material.normal is None


def test_normals_are_unit_and_folds_tilt_them():
    flat, folded = (cloth.draw(TOP, cloth.Make("smooth", wrinkles), True).normal for wrinkles in (0.0, 1.0))
    tilts = []
    for normal in (flat, folded):
        assert normal is not None
        vectors = (_cloth_pixels(TOP, normal).astype(float) - 128) / 127
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=0.02)
        assert np.abs(vectors[:, :2].mean(0)).max() < 0.02  # no slope on the whole
        tilts.append(np.degrees(np.arccos(np.clip(vectors[:, 2], -1, 1))).mean())
    assert tilts[1] > tilts[0] + 4


def test_folds_run_on_across_the_side_seam():
    make, pixel = cloth.Make("jersey"), 0.002
    side = 0.155 * np.pi / 2
    v = np.arange(0.33, 0.05, -pixel)
    u = side + np.arange(-3, 4) * pixel
    front = cloth._folds(FRONT, 0.0, u, v, make, pixel)
    back = cloth._folds(BACK, 0.0, u, v, make, pixel)
    assert np.abs(front).max() > 0.002
    np.testing.assert_allclose(front, back[:, ::-1], atol=2.5e-4)


@pytest.mark.parametrize(("panel", "turn"), [(SLEEVE, 0.11 * np.pi), (LEG_LEFT, 0.17 * np.pi)])
def test_folds_meet_round_a_tube(panel, turn):
    pixel = 0.002
    v = np.arange(-0.1, -0.5, -pixel)
    ends = [
        cloth._folds(panel, -0.5, at + np.arange(3) * pixel, v, cloth.Make(), pixel) for at in (-turn / 2, turn / 2)
    ]
    np.testing.assert_allclose(*ends, atol=2.5e-4)


def test_stripes_follow_the_way_cloth_lies():
    garment = Garment("shirt", Colour("a", "#ffffff"), "vertical stripes", Colour("b", "#000000"))
    u, v = np.linspace(-0.2, 0.2, 2000), np.array([0.30, 0.165])
    across = np.stack([u, 0.6 * u]).astype(np.float32)  # the waist is narrower
    share = cloth.pattern_share(garment, FRONT, u, v, SAME, 0, laid=(across, np.zeros_like(across)))
    pitches = [np.diff(across[row, :-1][np.diff((share[row] > 0.5).astype(int)) == 1]).mean() for row in (0, 1)]
    assert pitches[0] == pytest.approx(pitches[1], rel=0.02)


@pytest.mark.parametrize("motif", range(6))
def test_prints_are_whole_pictures(motif):
    for picture in (cloth._graphic(motif, "NORTH"), cloth._graphic(5, "07"), cloth._figure(motif)):
        assert 0.08 < picture.mean() < 0.65
        rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert rim.mean() < 0.1


@pytest.mark.parametrize("weave", get_args(cloth.Weave))
def test_weaves_tile(weave):
    tile = cloth._weave(weave)
    inner = np.abs(np.diff(tile, axis=0)).mean((0, 1)), np.abs(np.diff(tile, axis=1)).mean((0, 1))
    seam = np.abs(tile[0] - tile[-1]).mean(0), np.abs(tile[:, 0] - tile[:, -1]).mean(0)
    assert np.abs(tile.mean((0, 1))).max() < 2e-3
    for inside, across in zip(inner, seam, strict=True):
        assert (across < 2.5 * inside + 1e-3).all()


@pytest.mark.parametrize("weave", get_args(cloth.Weave))
def test_no_fold_is_so_steep_that_it_looks_like_a_stain(weave):
    """To the slopes of weave and seams, folds three times as high add a half at most."""
    slopes = []
    for wrinkles in (0.0, 3.0):
        normal = cloth.draw(TOP, cloth.Make(weave, wrinkles), True).normal
        assert normal is not None
        across, up, out = (_cloth_pixels(TOP, normal).astype(float) - 128).T
        slopes.append(np.quantile(np.hypot(across, up) / out, 0.9999))
    assert slopes[1] < slopes[0] + 0.55


@pytest.mark.parametrize("panel", [FRONT, BACK])
def test_what_hangs_below_the_waist_falls_in_upright_folds(panel):
    pixel = 0.003
    u, v = np.arange(-0.2, 0.2, pixel), np.arange(-0.06, -0.36, -pixel)
    down, across = np.gradient(cloth._folds(panel, -0.38, u, v, cloth.Make("wool", 0.8), pixel), pixel)
    assert np.abs(across).mean() > 3 * np.abs(down).mean()
    assert 0.2 < np.abs(across).mean() < 0.9
