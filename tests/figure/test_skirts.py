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


@pytest.mark.parametrize("kind", ["coat", "robe"])
def test_the_edge_of_a_coat_bends_evenly(kind):
    """No joint's share jumps from one ring to the next, where an edge would step when a leg moves aside."""
    plan = tailoring.design(kind, 1, "full")
    weights, joints = skirts.fall_weights(kind, 1, "full")
    dense = np.zeros((len(weights), 200))
    np.put_along_axis(dense, joints, weights, 1)
    edge = dense.reshape(-1, len(plan.shell.cut), 200)[:, 0]
    assert np.abs(np.diff(edge, axis=0)).max() < 0.15
