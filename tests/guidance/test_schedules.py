"""Weights and schedules take the values their papers give."""

from functools import partial
from itertools import pairwise

import pytest
import torch

from bozzetto.guidance import SCHEDULES, WEIGHTS, dreamtime, sample_t
from bozzetto.guidance.schedules import coarse, fine, fixed, hifa, linear, square_root, stepped

from .gaussian import Gaussian


def test_weights_by_hand():
    abar = torch.tensor([0.64, 0.25, 0.36])
    a, b = abar.sqrt(), (1 - abar).sqrt()
    table = {
        "sds": 1 - abar,
        "uniform": torch.ones(3),
        "fantasia3d": abar.sqrt() * (1 - abar),
        "reconstruction": ((1 - abar) / abar).sqrt(),
    }
    assert table.keys() == WEIGHTS.keys()
    for name, expected in table.items():
        torch.testing.assert_close(WEIGHTS[name](a, b), expected)


def test_weights_stay_finite_where_there_is_no_signal():
    for weight in WEIGHTS.values():
        assert torch.isfinite(weight(torch.zeros(1), torch.ones(1))).all()


def test_every_schedule_stays_within_the_noise():
    schedules = {**SCHEDULES, "dreamtime": partial(dreamtime, denoiser=Gaussian())}
    for name, schedule in schedules.items():
        for progress in (0.0, 0.3, 0.5, 1.0):
            low, high = schedule(progress)
            assert 0.0 < low <= high <= 0.98 + 1e-6, name


def test_schedules_by_hand():
    assert fixed(0.7) == (0.02, 0.98)
    assert stepped(0.19) == (0.02, 0.98)
    assert stepped(0.2) == (0.02, 0.5)
    assert linear(0.5, high=1.0, end=0.5) == (0.02, 0.75)
    assert square_root(0.25, high=0.98, end=0.5) == (0.02, pytest.approx(0.74))
    assert hifa(0.25, 0.3, 0.98) == (pytest.approx(0.64), pytest.approx(0.64))
    assert coarse(0.0) == (0.1, 0.98)
    assert coarse(1.0) == (0.02, pytest.approx(0.6))
    assert fine(0.0) == (0.02, 0.5)
    assert fine(1.0) == (0.02, pytest.approx(0.2))


def test_dreamtime_spends_steps_by_its_weight():
    prior = Gaussian()
    times = [dreamtime(i / 200, prior)[0] for i in range(201)]
    assert times[0] == pytest.approx(0.98)
    assert times[-1] == pytest.approx(0.02, abs=2e-3)
    assert all(later <= earlier for earlier, later in pairwise(times))
    # Time spent between 0.6 and 0.7 against 0.7 and 0.8: the masses of b / a = tan(pi t / 2), where W_p is one.
    share = sum(0.6 < t < 0.7 for t in times) / sum(0.7 < t < 0.8 for t in times)
    t = torch.linspace(0.6, 0.7, 100)
    expected = torch.tan(t * torch.pi / 2).mean() / torch.tan((t + 0.1) * torch.pi / 2).mean()
    assert share == pytest.approx(float(expected), rel=0.1)


def test_drawn_t_fills_its_interval_and_repeats():
    drawn = sample_t((0.2, 0.4), 1000, torch.Generator().manual_seed(3))
    again = sample_t((0.2, 0.4), 1000, torch.Generator().manual_seed(3))
    assert torch.equal(drawn, again)
    assert 0.2 <= drawn.min() < 0.21
    assert 0.39 < drawn.max() <= 0.4
    with pytest.raises(ValueError, match="within"):
        sample_t((0.5, 1.2), 1, torch.Generator())
