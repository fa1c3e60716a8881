"""Tuning for body and head: two rounds, a filter between them, and a prior that stays what it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bozzetto.prior.load import load
from bozzetto.prior.tune import DreamBooth, Examples
from bozzetto.recipes import personal
from bozzetto.recipes.personal import Surround, Tuning, alike, examples, mapped, tune_body, tune_head
from bozzetto.subject.photos import Photo
from bozzetto.subject.piles import Sorted, Square
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


def ended(steps):
    """What steps return, and the steps."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def shown(count=2):
    return Examples(tiny.smooth_pictures(count, 32), ("a photo of sks",) * count)


def surround(count=3):
    return Surround(torch.rand(count, 32, 32, 3), tuple(f"side {number}" for number in range(count)))


def test_the_bodys_network_learns_and_the_given_one_stays(prior):
    before = weights(prior)
    mine, steps = ended(tune_body(prior, shown(), TUNING))
    assert [step.index for step in steps] == [0, 1, 2]
    assert torch.equal(weights(prior), before) and not torch.equal(weights(mine), before)


def test_the_second_round_learns_photos_and_kept_views_from_the_untouched_network(prior, monkeypatch):
    """The first round's network draws; what is unlike the photos is left out; the last starts from the beginning."""
    rounds, before = [], weights(prior)
    plain = personal.dreambooth

    def noting(given, taught, settings, folder):
        rounds.append((weights(given), taught, settings.steps))
        yield from plain(given, taught, settings, folder)

    monkeypatch.setattr(personal, "dreambooth", noting)
    monkeypatch.setattr(personal, "alike", lambda *a: torch.tensor([True, False, True]))
    photos = shown()
    found, steps = ended(tune_head(prior, photos, surround(), means, TUNING))
    assert [name for name, _ in steps] == ["first"] * 3 + ["final"] * 2
    assert [steps for _, _, steps in rounds] == [3, 2]
    assert all(torch.equal(start, before) for start, _, _ in rounds)
    taught = rounds[1][1]
    torch.testing.assert_close(taught.images[:2], photos.images)
    torch.testing.assert_close(taught.images[2:], found.drawn[[0, 2]])
    assert taught.prompts == ("a photo of sks", "a photo of sks", "side 0", "side 2")
    assert not torch.equal(weights(found.prior), before)


def test_without_an_identity_encoder_all_views_are_kept_and_without_a_second_round_none(prior):
    found, _ = ended(tune_head(prior, shown(), surround(), None, TUNING))
    assert found.kept.all() and len(found.drawn) == 3
    plain, steps = ended(tune_head(prior, shown(), surround(), means, replace(TUNING, final=None)))
    assert len(plain.drawn) == 0 and {name for name, _ in steps} == {"first"}


def test_a_stopped_tuning_goes_on_in_its_folder(prior, tmp_path):
    quick = replace(TUNING, body=replace(QUICK, checkpoint_every=1))
    stopped = tune_body(prior, shown(), quick, tmp_path)
    next(stopped), next(stopped)
    stopped.close()
    again, steps = ended(tune_body(prior, shown(), quick, tmp_path))
    whole, _ = ended(tune_body(prior, shown(), quick))
    assert [step.index for step in steps][-1] == 2 and len(steps) < 3
    torch.testing.assert_close(weights(again), weights(whole))
    assert ended(tune_body(prior, shown(), quick, tmp_path))[1] == []


def test_views_follow_their_skeletons(prior):
    one, other = (Surround(torch.zeros(1, 32, 32, 3) + level, ("a man",)) for level in (0.0, 1.0))
    seen = [personal.draw(prior, each, TUNING) for each in (one, other, one)]
    assert torch.equal(seen[0], seen[2]) and not torch.equal(seen[0], seen[1])


def test_views_of_somebody_else_are_left_out():
    red, green = (torch.zeros(1, 4, 4, 3) + torch.tensor(colour) for colour in ((1.0, 0.4, 0.4), (0.3, 1.0, 0.3)))
    kept = alike(means, red, torch.cat([0.9 * red, green, 1.0 * red]), 0.8)
    assert kept.tolist() == [True, False, True]


def test_people_are_cut_out_and_words_say_the_side():
    picture, mask = np.zeros((40, 40, 3), np.float32), np.zeros((40, 40), np.float32)
    picture[..., 1], mask[10:30, 10:30] = 1.0, 1.0
    photo = Photo(Path("a.jpg"), picture, mask, None, None, "full body", (), "")
    pile = [Sorted(photo, "a.jpg", Square(0, 0, 40), Square(10, 10, 20), 170.0, -60.0, "")]
    body = examples(pile, "body", "sks", "plain", 16)
    head = examples(pile, "head", "sks", "plain", 16)
    assert body.prompts == ("sks, back view, full body",) * 3 and head.prompts == ("sks, side view, head portrait",) * 3
    assert [round(float(each[0, 0, 0]), 2) for each in body.images] == list(personal.GREYS)
    green = torch.tensor([0.0, 1.0, 0.0])
    assert torch.allclose(body.images[:, 8, 8], green, atol=0.02) and torch.allclose(head.images, green, atol=0.3)


def test_mapped_steps_keep_what_they_return():
    def steps():
        yield 1
        yield 2
        return "end"

    assert ended(mapped(steps(), lambda step: 10 * step)) == ("end", [10, 20])


def test_the_papers_steps():
    tuning = Tuning()
    assert tuning.final is not None and (tuning.first.steps, tuning.final.steps) == (900, 500)
    assert {each.learning_rate for each in (tuning.body, tuning.first, tuning.final)} == {1e-6}
