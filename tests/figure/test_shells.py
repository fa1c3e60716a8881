import numpy as np
import pytest

from bozzetto.body.model import load_body
from bozzetto.figure import shells
from bozzetto.geometry import edges_of


def test_points_on_the_front_are_where_they_are_asked_for():
    here = shells.chart("low")
    x, y = np.meshgrid(np.linspace(-0.08, 0.08, 5), np.linspace(0.4, 0.1, 7))
    found = shells.on_front(here, x, y) @ here.rest
    np.testing.assert_allclose(found[:, :2], np.stack([x.ravel(), y.ravel()], 1), atol=1e-6)
    assert found[:, 2].min() > 0.02


def test_points_round_the_neck_are_where_they_are_asked_for():
    here = shells.chart("low")
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    mix = shells.round_neck(here, turn, np.full(16, 0.04))
    np.testing.assert_allclose(mix @ here.neck, 0.04, atol=1e-6)
    p = mix @ here.rest
    away = np.angle(np.exp(1j * (np.arctan2(p[:, 0], p[:, 2] - 0.02) - turn)))
    assert np.abs(away).max() < 0.06


def test_a_patch_has_folded_edges_on_its_free_sides_alone():
    here = shells.chart("low")
    x, y = np.meshgrid(np.linspace(-0.05, 0.05, 6), np.linspace(0.3, 0.2, 4))
    mix, rise = shells.on_front(here, x, y), np.full(x.shape, 0.003)
    plain, _ = shells.make_patch(here, mix, rise, False, "tblr")
    assert len(plain.rest) == 24 and len(plain.faces) == 30
    whole, level = shells.make_patch(here, mix, rise, True, "tblr")
    assert len(whole.edge) == 16 and len(whole.rest) == 24 + 3 * 16 == len(level)
    lower, _ = shells.make_patch(here, mix, rise, True, "b")
    assert len(lower.edge) == 5
    p = whole.rest[whole.faces[:30]]
    assert (np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])[:, 2] > 0).all()  # it faces outwards


def test_along_the_bent_arm_the_way_runs_on_without_a_step():
    upper, lower = np.diff(shells.SLEEVE_AXIS, axis=0)
    upper, lower = upper / np.linalg.norm(upper), lower / np.linalg.norm(lower)
    inner = (lower - upper) / np.linalg.norm(lower - upper)
    for side in (inner, -inner):  # lines along the tube in the crook of the elbow and on its point
        first = shells.SLEEVE_AXIS[1] + 0.035 * side - np.linspace(0.15, 0, 60)[:, None] * upper
        then = shells.SLEEVE_AXIS[1] + 0.035 * side + np.linspace(0, 0.15, 60)[1:, None] * lower
        line = np.concatenate([first, then])
        along, _, _ = shells.arm_coordinates(line)
        pace = np.diff(along) / np.linalg.norm(np.diff(line, axis=0), axis=1)
        assert pace.min() > 0.6 and pace.max() < 1.4


def test_cuffs_go_with_the_forearm_and_armpits_change_over_a_hand():
    here = shells.chart("full")
    names = load_body().joint_names
    loose = shells.loose_weights(here)
    hand = [i for i, name in enumerate(names) if name.startswith(("wrist", "finger", "metacarpal"))]
    assert loose[:, hand].max() < 0.3
    np.testing.assert_allclose(loose.sum(1), 1, atol=1e-5)
    arm = [i for i, name in enumerate(names) if name.startswith(("upperarm", "lowerarm")) and name.endswith("L")]
    edges = edges_of(here.faces)
    pit = (np.abs(here.rest[edges[:, 0]] - [0.14, 0.34, 0.01]) < 0.05).all(1)
    edges = edges[pit]
    length = np.maximum(np.linalg.norm(here.rest[edges[:, 0]] - here.rest[edges[:, 1]], axis=1), 0.004)

    def steepest(weights):
        share = weights[:, arm].sum(1)
        return np.percentile(np.abs(share[edges[:, 0]] - share[edges[:, 1]]) / length, 95)

    assert steepest(loose) < 0.6 * steepest(here.weights)


def test_a_patch_may_be_cut_from_elsewhere():
    here = shells.chart("low")
    x, y = np.meshgrid(np.linspace(-0.03, 0.03, 5), np.linspace(0.3, 0.26, 4))
    flat = np.stack([x + 0.1, y - 0.2], 2)
    mix = shells.on_front(here, x, y)
    shell, _ = shells.make_patch(here, mix, np.zeros(x.shape), True, "tblr", flat)
    assert (shell.panels == shells.FRONT).all()
    assert shell.uvs.reshape(-1, 2).min(0) == pytest.approx([0.07, 0.06])
    assert shell.uvs.reshape(-1, 2).max(0) == pytest.approx([0.13, 0.10])


@pytest.mark.parametrize("panel", [shells.FRONT, shells.BACK])
def test_no_height_of_the_chest_is_squeezed_in_texture(panel):
    """From waist to shoulder a step over the surface is at least half that step in the pattern, in any direction."""
    here = shells.chart("full")
    faces = here.faces[~here.sleeve & (here.back == (panel == shells.BACK))]
    middle = here.rest[faces].mean(1)
    # Not the neck, nor where an armhole's edge turns under.
    faces = faces[(middle[:, 1] > 0.1) & (middle[:, 1] < 0.45) & (np.abs(middle[:, 0]) < 0.125)]
    corners = here.rest[faces]
    flat = shells.panel_coordinates(corners.reshape(-1, 3), panel).reshape(-1, 3, 2)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    metric = np.stack([np.stack([(p * q).sum(1) for q in (a, b)], 1) for p in (a, b)], 1)
    p, q = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    laid = np.stack([np.stack([(x * y).sum(1) for y in (p, q)], 1) for x in (p, q)], 1)
    least = np.sqrt(np.linalg.eigvals(np.linalg.solve(metric, laid)).real.min(1))
    assert len(least) > 1000 and least.min() > 0.5
