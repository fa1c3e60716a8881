"""The text encoder's own lessons: the answers are true of the captions, and they can be learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.figure.colours import srgb_to_lab
from bozzetto.figure.people import random_spec
from bozzetto.training.loop import Pace
from bozzetto.training.reading import CHOICES, COLOURS, Reading, measured, reading_loss, said, train_text
from bozzetto.training.text import train_tokenizer

torch.set_num_threads(1)
TINY = Reading(width=64, layers=1, people=8, batch=32, warmup_steps=2)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(people=3, vocabulary=700)


def test_answers_are_what_the_caption_says():
    spec = replace(random_spec(3), look="marble")
    places = {path: place for place, path in enumerate(CHOICES)}
    heard = [said(spec, np.random.default_rng(seed)) for seed in range(200)]
    for each in heard:
        look = each.choices[places["look"]]
        assert (look > 0) == ("marble" in each.text.lower())
        assert look in (0, 1 + CHOICES["look"].index("marble"))
        back = "back view" in each.text.lower()
        assert (each.choices[places["view"]] == 1 + CHOICES["view"].index("back view")) == back
    assert any(not each.text and not each.choices.any() and np.isnan(each.values).all() for each in heard)
    place = 3 * COLOURS.index("shoes.colour")
    told = [each.values[place : place + 3] for each in heard if np.isfinite(each.values[place])]
    assert len(told) > 20
    assert np.allclose(told, srgb_to_lab(np.array(spec.shoes.colour.srgb)) / 100)


def test_right_answers_cost_nothing_and_are_counted_as_right():
    rng = np.random.default_rng(0)
    heard = [said(random_spec(seed), rng) for seed in range(40)]
    choices = torch.from_numpy(np.stack([each.choices for each in heard]))
    values = torch.from_numpy(np.stack([each.values for each in heard]))
    answers = [
        50 * torch.nn.functional.one_hot(choices[:, place], 1 + len(options)).float()
        for place, options in enumerate(CHOICES.values())
    ]
    found = measured([*answers, values.nan_to_num()], choices, values)
    assert reading_loss([*answers, values.nan_to_num()], choices, values) < 1e-4
    assert found["held_said"] == found["held_unsaid"] == found["held_clothes"] == 1
    assert found["held_top_colour"] < 0.01
    assert measured([*answers, values.nan_to_num() + 0.3], choices, values)["held_top_colour"] > 30


def test_learning_is_resumable_and_learns(tmp_path, tokenizer):
    def go(folder, samples):
        rows = train_text(TINY, tokenizer, folder, Pace(samples=samples, log_steps=1))
        losses = []
        while True:
            try:
                losses.append(next(rows).get("loss"))
            except StopIteration as end:
                return end.value, [loss for loss in losses if loss is not None]

    whole, losses = go(tmp_path / "whole", 32 * 20)
    go(tmp_path / "parts", 32 * 8)
    parts, _ = go(tmp_path / "parts", 32 * 20)
    pairs = zip(whole.modules["reader"].parameters(), parts.modules["reader"].parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
