"""Every variant reduces to its special case."""

from dataclasses import replace

import pytest
import torch

from bozzetto.guidance import Predictions, guided, residual
from bozzetto.guidance.residuals import direction, perpendicular

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def predictions(seed: int = 0, t: float = 0.5) -> Predictions:
    torch.manual_seed(seed)
    eps = torch.randn(7, 3, 4, 5, 5)
    return Predictions(
        noise=eps[0], t=torch.full((3,), t), unconditional=eps[1], conditional=eps[2], negative=eps[3], source=eps[4],
        edit=eps[5], student=eps[6],
    )  # fmt: skip


def test_nothing_to_say_where_the_prediction_is_the_noise():
    p = predictions()
    known = replace(p, unconditional=p.noise, conditional=p.noise, edit=p.noise, student=p.noise, source=p.noise)
    for kind in ("sds", "csd", "ssd", "iesd", "vsd", "bridge"):
        assert torch.equal(residual(kind, known, 7.5), torch.zeros_like(p.noise)), kind


def test_sds_at_scale_one_is_the_conditional_prediction_less_the_noise():
    p = predictions()
    torch.testing.assert_close(residual("sds", p, 1.0), p.conditional - p.noise, **CLOSE)


def test_sds_is_unconditional_plus_scaled_csd():
    p = predictions()
    parts = (p.unconditional - p.noise) + 12.0 * residual("csd", p, 1.0)
    torch.testing.assert_close(residual("sds", p, 12.0), parts, **CLOSE)


@pytest.mark.parametrize("kind", ["sds", "csd", "nfsd", "ssd", "bridge", "iesd", "vsd"])
def test_every_residual_is_linear_in_the_scale(kind):
    p = predictions()
    zero, one, three = (residual(kind, p, scale) for scale in (0.0, 1.0, 3.0))
    torch.testing.assert_close(three, zero + 3 * (one - zero), **CLOSE)
    assert not torch.equal(one, zero)


def test_ssd_is_csd_one_scale_less():
    p = predictions()
    torch.testing.assert_close(residual("ssd", p, 100.0), residual("csd", p, 99.0), rtol=1e-4, atol=1e-3)


def test_csd_with_a_negative_prompt_subtracts_it():
    p = predictions()
    expected = 3 * (p.conditional - p.unconditional) - 3 * 0.5 * (p.negative - p.unconditional)
    torch.testing.assert_close(residual("csd", p, 3.0, negative_weight=0.5), expected, **CLOSE)


def test_nfsd_without_its_correction_is_scaled_csd():
    p = predictions()
    uncorrected = replace(p, negative=p.unconditional)
    torch.testing.assert_close(residual("nfsd", uncorrected, 7.5), residual("csd", p, 7.5), **CLOSE)


def test_nfsd_corrects_by_the_negative_only_in_heavy_noise():
    p = replace(predictions(), t=torch.tensor([0.1, 0.19, 0.2]))
    domain = residual("nfsd", p, 0.0)
    torch.testing.assert_close(domain[:2], p.unconditional[:2])
    torch.testing.assert_close(domain[2], p.unconditional[2] - p.negative[2])


def test_iesd_at_its_ends_is_description_and_instruction():
    p = predictions()
    assert torch.allclose(residual("iesd", p, 9.0, edit_scale=0.0), residual("sds", p, 9.0), **CLOSE)
    instructed = replace(p, conditional=p.edit)
    assert torch.allclose(residual("iesd", p, 9.0, edit_scale=1.0), residual("sds", instructed, 9.0), **CLOSE)


def test_iesd_in_three_passes_equals_four():
    p = predictions()
    described, instructed = guided(p, 50.0), guided(replace(p, conditional=p.edit), 50.0)
    four = 0.6 * instructed + 0.4 * described - p.noise
    torch.testing.assert_close(residual("iesd", p, 50.0, edit_scale=0.6), four, rtol=1e-4, atol=1e-3)


def test_bridge_from_the_empty_prompt_is_csd():
    p = predictions()
    torch.testing.assert_close(
        residual("bridge", replace(p, source=p.unconditional), 7.5), residual("csd", p, 7.5), **CLOSE
    )


def test_vsd_with_a_student_that_only_sees_the_noise_is_sds():
    p = predictions()
    torch.testing.assert_close(residual("vsd", replace(p, student=p.noise), 7.5), residual("sds", p, 7.5), **CLOSE)


def test_perpendicular_is_at_right_angles_item_by_item():
    torch.manual_seed(1)
    vector, to = torch.randn(2, 3, 4, 5, 5)
    found = perpendicular(vector, to)
    assert (found * to).sum((1, 2, 3)).abs().max() < 1e-3
    torch.testing.assert_close(perpendicular(2 * to, to), torch.zeros_like(to), **CLOSE)
    assert torch.equal(perpendicular(vector, torch.zeros_like(to)), vector)


def test_other_views_cannot_cancel_the_prompt():
    p = predictions()
    wanted = direction(p)
    same = replace(p, away=p.conditional[None], away_weights=torch.full((1, 3), 4.0))
    torch.testing.assert_close(direction(same), wanted, rtol=1e-4, atol=1e-4)
    other = replace(
        p, away=torch.stack([p.edit, p.source]), away_weights=torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]])
    )
    pushed = direction(other)
    torch.testing.assert_close((pushed * wanted).sum((1, 2, 3)), (wanted * wanted).sum((1, 2, 3)), rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(pushed[1], wanted[1])  # no weight, no push
    torch.testing.assert_close(pushed[0], (wanted - perpendicular(p.edit - p.unconditional, wanted))[0])


@pytest.mark.parametrize(
    ("kind", "missing"), [("nfsd", "negative"), ("bridge", "source"), ("iesd", "edit"), ("vsd", "student")]
)
def test_a_missing_prediction_is_named(kind, missing):
    with pytest.raises(ValueError, match=missing):
        residual(kind, replace(predictions(), **{missing: None}), 7.5)
