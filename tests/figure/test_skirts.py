import numpy as np
import pytest

from bozzetto.figure import shells, skirts, tailoring


def test_a_skirt_goes_on_the_way_of_the_cloth_above_it():
    angle, step = np.linspace(0, 2 * np.pi, 40, endpoint=False), 0.02
    fall = tailoring.Fall(hem=-0.3, flare=0.1, taper=0.0)
    rim, slope = np.full(40, 0.15), np.full(40, 0.3)
    out = skirts._fallen(fall, rim, np.zeros((16, 40)), angle, step, slope)
    run = np.diff(out, axis=0) / step
    assert run[0] == pytest.approx(slope, abs=0.02)
    assert run[-1] == pytest.approx(fall.flare, abs=0.02)
    assert np.abs(np.diff(run, axis=0)).max() < 0.08  # and bends towards its own by little at a time


def test_the_slope_of_a_shell_is_known_at_its_rim():
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)

    def ring(radius, y):
        return np.stack([radius * np.sin(angle), np.full(60, y), 0.02 + radius * np.cos(angle)], 1)

    rim = ring(0.15, 0.0)
    above = np.arange(60), 60 + np.arange(60)
    slope = skirts._rim_slope(np.concatenate([rim, ring(0.145, 0.02)]), rim, above, True, 0.02)
    assert slope == pytest.approx(np.full(60, 0.25))


def test_a_coat_reaches_beyond_what_it_covers_and_not_beyond_its_opening_and_hem():
    plan, here = tailoring.design("coat", 1, "low"), shells.chart("low")
    assert plan.fall is not None and not plan.shell.closed
    back, front, hem = np.array([[-0.1, np.pi], [-0.1, 0.0], [plan.fall.hem + 0.01, np.pi]])[:, None]
    reach = [float(skirts.reach_beyond(plan, here, place, 0.05)[0]) for place in (back, front, hem)]
    assert reach[0] == pytest.approx(-0.1 - plan.fall.hem - 0.05)
    assert reach[1] < 0 and reach[2] < 0
    high = np.array([[0.12, np.pi], [0.12, 0.0]])
    reach = skirts.reach_beyond(plan, here, high, 0.05)
    assert reach[0] > 0.03 > reach[1]


@pytest.mark.parametrize("kind", ["knee skirt", "coat"])
def test_the_columns_of_a_skirt_draw_apart_below_its_rim(kind):
    """Between the legs the knee skirt's lay 2.2 times as close as at its sides, before the T-pose closed the legs."""
    shell, angle = tailoring.design(kind, 1, "full").shell, skirts.columns(kind, 1, "full")
    rim = skirts.turns(shell.rest[shell.cut], shells.SIDE_Z, "full")
    assert angle[0] == pytest.approx(rim)
    step = np.diff(angle, axis=1) * np.sign(rim[-1] - rim[0])
    assert (step > 0).all()
    turn = (rim + np.pi) % (2 * np.pi) - np.pi
    behind, before = np.abs(turn[:-1]) > np.pi - 0.3, np.abs(turn[:-1]) < 0.3
    assert step[-1, behind].mean() > 1.5 * step[0, behind].mean()
    if shell.closed:
        assert step[-1, before].mean() > 1.5 * step[0, before].mean()
    else:  # its front edges stay where they are
        assert angle[:, [0, -1]] == pytest.approx(np.tile(rim[[0, -1]], (len(angle), 1)))
    # What belongs to the front stays there, or its pattern would run over the side seam.
    assert (np.sign(np.cos(angle)) == np.sign(np.cos(rim))).all()


def _legs(thick: float) -> tuple[shells.Fit, np.ndarray, np.ndarray]:
    """Legs with their insides nearer to each other than the mean person's, a long skirt round them, its weights."""
    here = shells.chart("low")
    points = here.rest.copy()
    inner = np.exp(-((here.rest[:, 0] / 0.1) ** 2)) * (here.height < shells.CROTCH) * (here.arm == 0)
    points[:, 0] -= thick * inner * np.sign(points[:, 0])
    fit = shells.Fit(here, points, np.zeros_like(points), np.zeros(len(points)), 1.0)
    level, turn = skirts.hanging_places("long skirt", 1, "low").transpose(2, 0, 1)
    rings = np.stack([0.2 * np.sin(turn), level, shells.SIDE_Z + 0.2 * np.cos(turn)], 2)
    weights, joints = skirts.fall_weights(fit, ("long skirt", 1), "low", rings)
    return fit, rings[1:].reshape(-1, 3), (weights * skirts._sides()[joints]).sum(1)


def test_the_web_of_a_skirt_is_as_wide_as_there_is_no_leg():
    """The nearer somebody's legs are to each other, the narrower: else a thigh comes out of it when it is raised."""
    levels = np.array([-0.2, -0.35, -0.5])
    (wide, rings, left), (narrow, _, nearer) = _legs(0.0), _legs(0.03)
    gaps = skirts.between_legs(wide, levels), skirts.between_legs(narrow, levels)
    assert (gaps[0] > gaps[1] + 0.005).all() and (np.diff(gaps[0]) > 0).all()
    beside = (np.abs(rings[:, 0]) > 0.01) & (np.abs(rings[:, 0]) < 0.06) & (np.abs(rings[:, 1] + 0.4) < 0.1)
    assert beside.sum() > 3
    assert (np.abs(nearer) >= np.abs(left) - 1e-6)[beside].all()
    assert np.abs(nearer)[beside].mean() > np.abs(left)[beside].mean() + 0.03
    assert (left * rings[:, 0] > -1e-6).all()


@pytest.mark.parametrize("kind", ["coat", "robe"])
def test_the_edge_of_a_coat_bends_evenly(kind):
    """No joint's share jumps from one ring to the next, where an edge would step when a leg moves aside."""
    plan, here = tailoring.design(kind, 1, "full"), shells.chart("full")
    fit = shells.Fit(here, here.rest, np.zeros_like(here.rest), np.zeros(len(here.rest)), 1.0)
    level, turn = skirts.hanging_places(kind, 1, "full").transpose(2, 0, 1)
    rings = np.stack([0.2 * np.sin(turn), level, shells.SIDE_Z + 0.2 * np.cos(turn)], 2)
    weights, joints = skirts.fall_weights(fit, (kind, 1), "full", rings)
    dense = np.zeros((len(weights), 200))
    np.put_along_axis(dense, joints, weights, 1)
    edge = dense.reshape(-1, len(plan.shell.cut), 200)[:, 0]
    assert np.abs(np.diff(edge, axis=0)).max() < 0.15
