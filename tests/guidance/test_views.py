"""Words follow the camera."""

import pytest
import torch

from bozzetto.guidance import Buckets, away_weights, embed_views, view_prompt
from bozzetto.render.cameras import view_words

from .gaussian import Gaussian

HEADSCULPT = Buckets(35, 35, 90, " of head", ", <back-view>, without eyes, without faces")


def test_words_agree_with_the_captions_the_prior_learnt():
    for azimuth in range(-360, 361, 5):
        for elevation in (-20, 0, 59, 61, 85):
            assert view_prompt("a knight", azimuth, elevation) == f"a knight, {view_words(azimuth, elevation)}"


def test_only_back_prompts_carry_the_back_token():
    for azimuth in range(0, 360, 5):
        words = view_prompt("Batman", azimuth, 0, HEADSCULPT)
        assert ("<back-view>" in words) == (145 <= azimuth <= 215)
        assert words.startswith("Batman, ")
    assert view_prompt("Batman", 20, 80, HEADSCULPT) == "Batman, front view of head"


def means() -> dict[str, torch.Tensor]:
    words = ["front", "side", "back", "overhead"]
    out = {f"a knight, {word} view": torch.full((2, 4), float(i + 1)) for i, word in enumerate(words)}
    return out | {"": torch.zeros(2, 4), "ugly": torch.full((2, 4), -1.0), "make it gold": torch.full((2, 4), 9.0)}


def test_each_picture_gets_the_embedding_of_its_view():
    text = embed_views(Gaussian(means=means()), "a knight", negative="ugly", edit="make it gold").at(
        [0, 100, 180, 20], [0, 10, -5, 70]
    )
    assert text.conditional[:, 0, 0].tolist() == [1, 2, 3, 4]
    assert text.unconditional.abs().max() == 0
    assert (text.negative == -1).all()
    assert (text.edit == 9).all()
    assert text.source is None
    assert text.away is None


def test_a_prompt_is_embedded_once():
    prior = Gaussian(means=means())
    views = embed_views(prior, "a knight")
    views.at([0], [0])
    views.blended([90], [0])
    assert len(prior.seen) == 1


def test_blending_goes_from_view_to_view_without_a_jump():
    views = embed_views(Gaussian(means=means()), "a knight")
    azimuths = list(range(0, 181, 5))
    blend = views.blended(azimuths, [0.0] * len(azimuths)).conditional[:, 0, 0]
    expected = 1 + torch.tensor(azimuths) / 90
    torch.testing.assert_close(blend, expected.float())
    assert views.blended([30], [80]).conditional[0, 0, 0] == 4
    assert views.blended([30], [80]).away_weights.abs().max() == 0


def test_the_front_is_pushed_away_hardest_at_the_back():
    assert away_weights(0) == pytest.approx((0.0, 1.574), abs=1e-3)
    assert away_weights(89.999) == pytest.approx((1.574, 0.0), abs=1e-3)
    assert away_weights(90) == pytest.approx((1.574, 0.0), abs=1e-3)
    assert away_weights(180) == pytest.approx((1.967, 0.394), abs=1e-3)
    assert away_weights(-120) == away_weights(120) == away_weights(240)
