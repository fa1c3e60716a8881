import numpy as np
import pytest

from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure import garments
from bozzetto.figure.grain import SIDE, Grain, nodes, pick, spread
from bozzetto.figure.piece import Person
from bozzetto.figure.shells import BACK, FRONT, LEG_LEFT, LEG_RIGHT, SLEEVE, fit_chart
from bozzetto.figure.spec import BodySpec, FaceSpec, FigureSpec
from bozzetto.figure.tailoring import design


def _hold(shape):
    """Pins one node, and the direction of the row it is in."""
    row = np.array([shape[0] // 2])
    centre, beside = pick(shape, row, np.array([2.0])), pick(shape, row, np.array([shape[1] - 3.0]))
    zero = np.zeros(1)
    return [(centre, 0, zero, 1.0), (centre, 1, zero, 1.0), (beside, 1, zero, 1.0)]


def _stretch(points, flat):
    """Largest and smallest stretch of every cell of a grid, from its surface to the plane; infinite without one."""
    a3, b3 = np.diff(points, axis=1)[:-1], -np.diff(points, axis=0)[:, :-1]
    a2, b2 = np.diff(flat, axis=1)[:-1], -np.diff(flat, axis=0)[:, :-1]
    wide = np.maximum(np.linalg.norm(a3, axis=2), 1e-9)
    lean = (a3 * b3).sum(2) / wide
    tall = np.sqrt(np.maximum((b3 * b3).sum(2) - lean**2, 1e-18))
    x = a2 / wide[..., None]
    y = (b2 - x * lean[..., None]) / tall[..., None]
    return np.linalg.svd(np.stack([x, y], 3), compute_uv=False)


def test_a_cone_unrolls_without_stretch():
    turn, down = np.meshgrid(
        np.linspace(-1.4, 1.4, 31) + 0.1 * np.sin(np.linspace(0, 6, 31)), np.linspace(0.3, 0.6, 25)
    )
    cone = np.stack([0.5 * down * np.sin(turn), -0.866 * down, 0.5 * down * np.cos(turn)], 2)
    flat = spread(cone, np.ones(turn.shape, bool), (0.01, 0.01), _hold(turn.shape), 60)
    assert np.abs(_stretch(cone, flat) - 1).max() < 0.05
    top = np.linalg.norm(flat[0, -1] - flat[0, 0])
    assert top == pytest.approx(2 * 0.3 * np.sin(0.5 * (turn[0, -1] - turn[0, 0]) / 2), rel=0.02)  # a chord of its arc


def test_a_dome_is_shared_between_stretch_and_squeeze():
    x, y = np.meshgrid(np.linspace(-0.12, 0.12, 25), np.linspace(0.12, -0.12, 25))
    dome = np.stack([x, y, np.sqrt(0.2**2 - x**2 - y**2)], 2)
    found = _stretch(dome, spread(dome, np.ones(x.shape, bool), (0.01, 0.01), _hold(x.shape), 30))
    assert found.max() < 1.25 and found.min() > 0.75 and found.mean() == pytest.approx(1, abs=0.02)


def test_beyond_the_cloth_it_goes_on_evenly():
    x, y = np.meshgrid(np.linspace(0, 0.2, 21), np.linspace(0.2, 0, 21))
    points, sound = np.stack([x, y, 0 * x], 2), x < 0.105
    points[~sound] = 0.0
    flat = spread(points, sound, (0.01, 0.01), _hold(x.shape))
    np.testing.assert_allclose(np.diff(flat[..., 0], axis=1), 0.01, atol=1e-4)
    np.testing.assert_allclose(np.diff(flat[..., 1], axis=0), -0.01, atol=1e-4)


@pytest.mark.parametrize("weight", [0.1, 0.9])
def test_a_pattern_keeps_its_size_on_the_body_and_meets_at_the_seams(weight):
    body = BodySpec(weight=weight)
    person = Person(FigureSpec(body=body), load_body(), shape_person(load_body(), body, FaceSpec()), "low")
    fit = fit_chart(person)
    outside = fit.points + (fit.skin + 0.006)[:, None] * fit.normals
    for kind in ("sweater", "leggings"):
        grains = garments._grains(fit, "low", design(kind, 0, "low"), outside, None)
        for panel, cut in grains.items():
            grid = nodes("low", panel)
            points = (grid.mix @ outside).reshape(*grid.sound.shape, 3)
            sound = grid.sound & ((grid.vs < 0.30) & (grid.vs > (0.0 if panel in (FRONT, BACK) else -0.7)))[:, None]
            whole = sound[:-1, :-1] & sound[1:, :-1] & sound[:-1, 1:] & sound[1:, 1:]
            mirrored = [-1.0, 1.0] if panel == LEG_RIGHT else [1.0, 1.0]
            found = _stretch(points, cut.flat * mirrored)[whole]
            assert np.quantile(found, 0.03) > 0.72 and np.quantile(found, 0.97) < 1.3, panel
            assert np.median(found) == pytest.approx(1, abs=0.06)
        if kind == "sweater":
            at = np.array([-SIDE, SIDE]), np.linspace(0.05, 0.3, 8)
            np.testing.assert_allclose(grains[FRONT].at(*at)[1], grains[BACK].at(*at)[1], atol=0.006)
            ends = grains[SLEEVE].flat[[5, 15, 25]][:, [0, -1], 1]
            np.testing.assert_allclose(ends[:, 0], ends[:, 1], atol=0.006)
        else:
            for panel in (LEG_LEFT, LEG_RIGHT):
                across, _ = grains[panel].at(np.array([-0.181]), np.array([0.03]))
                assert np.abs(across).max() < 0.006


def test_a_tube_goes_on_beyond_its_seam():
    us, vs = np.linspace(-0.2, 0.2, 11), np.linspace(0.3, 0.0, 9)
    flat = np.stack(np.meshgrid(us, vs), 2)
    across, up = Grain(us, vs, flat, True).at(np.array([-0.1, 0.21, 0.3]), np.array([0.1]))
    np.testing.assert_allclose(across[0], [-0.1, -0.19, -0.1], atol=1e-5)
    np.testing.assert_allclose(up, 0.1, atol=1e-5)
