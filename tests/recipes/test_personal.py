"""Tuning for body and head: two rounds, a filter between them, and a prior that stays what it was."""

from dataclasses import replace

import pytest
import torch

from bozzetto.prior.load import load
from bozzetto.prior.tune import DreamBooth
from bozzetto.recipes import personal
from bozzetto.recipes.personal import Tuning, alike, tune_body, tune_head
from prior import tiny

QUICK = DreamBooth(steps=3, learning_rate=2e-3, class_pictures=1, class_steps=1, prior_weight=0.0)
TUNING = Tuning(body=QUICK, first=QUICK, final=replace(QUICK, steps=2), sampling=2)


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return load(tiny.embedded(tmp_path_factory.mktemp("tiny") / "embedded"))


def weights(prior):
    return torch.cat([value.flatten() for value in prior.base.unet.parameters()]).clone()


def means(pictures):
    """Identity by colour, away from grey."""
    return pictures.mean((1, 2)) - 0.5


def test_the_bodys_network_learns_and_the_given_one_stays(prior):
    before = weights(prior)
    mine = tune_body(prior, tiny.smooth_pictures(2, 32), TUNING)
    assert torch.equal(weights(prior), before) and not torch.equal(weights(mine), before)


def test_the_second_round_learns_photos_and_kept_views_from_the_untouched_network(prior, monkeypatch):
    """The first round's network draws; what is unlike the photos is left out; the last starts from the beginning."""
    rounds, before = [], weights(prior)
    plain = personal.dreambooth

    def noting(given, examples, settings, folder):
        rounds.append((weights(given), examples, settings.steps))
        yield from plain(given, examples, settings, folder)

    monkeypatch.setattr(personal, "dreambooth", noting)
    monkeypatch.setattr(personal, "alike", lambda *a: torch.tensor([True, False, True]))
    photos, skeletons = tiny.smooth_pictures(2, 32), torch.rand(3, 32, 32, 3)
    found = tune_head(prior, photos, skeletons, means, TUNING)
    assert [steps for _, _, steps in rounds] == [3, 2]
    assert all(torch.equal(start, before) for start, _, _ in rounds)
    shown = rounds[1][1].images
    torch.testing.assert_close(shown[:2], photos)
    torch.testing.assert_close(shown[2:], found.drawn[[0, 2]])
    assert {prompt for _, examples, _ in rounds for prompt in examples.prompts} == {
        "a photo of sks person, head portrait"
    }
    assert not torch.equal(weights(found.prior), before)


def test_views_follow_their_skeletons(prior):
    one, other = (torch.zeros(1, 32, 32, 3) + level for level in (0.0, 1.0))
    seen = [personal.draw(prior, "a man", each, TUNING) for each in (one, other, one)]
    assert torch.equal(seen[0], seen[2]) and not torch.equal(seen[0], seen[1])


def test_views_of_somebody_else_are_left_out():
    red, green = (torch.zeros(1, 4, 4, 3) + torch.tensor(colour) for colour in ((1.0, 0.4, 0.4), (0.3, 1.0, 0.3)))
    kept = alike(means, red, torch.cat([0.9 * red, green, 1.0 * red]), 0.8)
    assert kept.tolist() == [True, False, True]


def test_the_papers_steps():
    tuning = Tuning()
    assert (tuning.first.steps, tuning.final.steps) == (900, 500)
    assert {each.learning_rate for each in (tuning.body, tuning.first, tuning.final)} == {1e-6}
