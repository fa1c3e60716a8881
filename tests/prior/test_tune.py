"""Tuning learns, keeps what it should keep, and is not harmed by being stopped."""

from dataclasses import replace

import pytest
import torch

from bozzetto.prior import tune
from bozzetto.prior.load import load
from bozzetto.prior.tune import DreamBooth, Examples, TextualInversion, apply_tuning, dreambooth, learn_token
from bozzetto.types import UserError

from . import tiny


def examples(prompt: str, size: int = 32) -> Examples:
    """Orange above blue, a little different each time."""
    pictures = torch.zeros(3, size, size, 3)
    pictures[:, : size // 2] = torch.tensor([0.95, 0.5, 0.1])
    pictures[:, size // 2 :] = torch.tensor([0.1, 0.2, 0.9])
    shades = torch.tensor([0.9, 1.0, 1.05]).view(-1, 1, 1, 1)
    return Examples((pictures * shades).clamp(0, 1), (prompt,) * 3)


def error(prior, shown: Examples, draws: int = 6) -> float:
    """The network's loss on the examples, always with the same noise."""
    with torch.no_grad():
        latents, text = tune._latents(prior, shown.images), prior.embed(list(shown.prompts))
        losses = [tune._loss(prior, latents, text, tune._Draw(99, index)).mean() for index in range(draws)]
    return torch.stack(losses).mean().item()


def weights(prior) -> torch.Tensor:
    return torch.cat([value.flatten() for value in prior.base.unet.parameters()]).clone()


@pytest.fixture
def fresh(embedded):
    return lambda: load(embedded)


QUICK = DreamBooth(
    ("a photo of a person",),
    steps=30,
    learning_rate=2e-3,
    batch=2,
    class_pictures=4,
    class_steps=2,
    checkpoint_every=20,
)


@pytest.mark.parametrize("rank", [0, 4])
def test_dreambooth_learns_the_subject(rank, fresh):
    prior, shown = fresh(), examples("a photo of sks person")
    before, known = error(prior, shown), weights(prior)
    settings = replace(QUICK, rank=rank, prior_weight=0.0, learning_rate=2e-2 if rank else 2e-3)
    losses = [step.loss for step in dreambooth(prior, shown, settings)]
    assert len(losses) == 30 and error(prior, shown) < (0.95 if rank else 0.8) * before
    assert not any(parameter.requires_grad for parameter in prior.base.unet.parameters())
    if rank:
        frozen = [value for name, value in prior.base.unet.named_parameters() if "lora_" not in name]
        torch.testing.assert_close(torch.cat([value.flatten() for value in frozen]).sort()[0], known.sort()[0])


def test_class_pictures_are_preserved(fresh):
    """What the network says of the class drifts less when its own pictures of it are trained on too."""
    reference, shown = fresh(), examples("a photo of sks person")
    latents, text = tune._class_latents(reference, QUICK, (32, 32), None)

    def drift(prior) -> float:
        total = 0.0
        with torch.no_grad():
            for index in range(6):
                draw = tune._Draw(7, index)
                noise, t = draw.noise(latents), draw.times(latents, 0.0, 1.0)
                noisy = prior.add_noise(latents, noise, t)
                change = prior.predict_noise(noisy, t, text) - reference.predict_noise(noisy, t, text)
                total += change.square().mean().item()
        return total

    def class_error(prior) -> float:
        with torch.no_grad():
            return sum(tune._loss(prior, latents, text, tune._Draw(7, index)).mean().item() for index in range(6))

    free, kept = fresh(), fresh()
    for _ in dreambooth(free, shown, replace(QUICK, prior_weight=0.0)):
        pass
    for _ in dreambooth(kept, shown, replace(QUICK, prior_weight=3.0)):
        pass
    assert drift(reference) == 0.0
    assert class_error(kept) < class_error(free)
    assert error(kept, shown) < error(reference, shown)


@pytest.mark.parametrize("rank", [0, 4])
def test_a_stopped_tuning_ends_as_if_it_had_not_been(rank, fresh, tmp_path):
    shown = examples("a photo of sks person")
    settings = replace(QUICK, steps=8, checkpoint_every=3, rank=rank)
    whole = fresh()
    straight = [step.loss for step in dreambooth(whole, shown, settings, tmp_path / "whole")]
    stopped = dreambooth(fresh(), shown, settings, tmp_path / "stopped")
    for _ in range(5):
        next(stopped)
    stopped.close()
    assert (tmp_path / "stopped" / tune.CHECKPOINT).is_file() and not (tmp_path / "stopped" / tune.RESULT).exists()
    again = fresh()
    steps = list(dreambooth(again, shown, settings, tmp_path / "stopped"))
    assert [step.index for step in steps] == [3, 4, 5, 6, 7]
    assert [step.loss for step in steps] == straight[3:]
    assert (weights(again) == weights(whole)).all()
    assert not list((tmp_path / "stopped").glob(".partial*"))
    assert not (tmp_path / "stopped" / tune.CHECKPOINT).exists()

    third = fresh()
    apply_tuning(third, tmp_path / "stopped")
    assert (weights(third) == weights(whole)).all()
    finished = fresh()
    assert list(dreambooth(finished, shown, settings, tmp_path / "whole")) == []
    assert (weights(finished) == weights(whole)).all()


def test_textual_inversion_learns_a_word_and_nothing_else(fresh, tmp_path):
    prior, shown = fresh(), examples("a <sunset>")
    text = prior.embed(["a red man"])
    known = weights(prior)
    settings = TextualInversion("<sunset>", "red dress", steps=40, learning_rate=0.05, batch=2, checkpoint_every=30)
    first = Examples(shown.images, ("a red dress",) * 3)
    before = error(prior, first)
    losses = [step.loss for step in learn_token(prior, shown, settings, tmp_path / "token")]
    assert len(losses) == 40
    assert error(prior, shown) < before
    torch.testing.assert_close(prior.embed(["a red man"]), text)
    assert (weights(prior) == known).all()

    other = fresh()
    apply_tuning(other, tmp_path / "token")
    torch.testing.assert_close(other.embed(["a <sunset>"]), prior.embed(["a <sunset>"]))
    third = load(prior.name, roles={"back": tmp_path / "token" / tune.RESULT})
    torch.testing.assert_close(third.embed(["a <sunset>"]), prior.embed(["a <sunset>"]))


def test_a_stopped_inversion_ends_the_same(fresh, tmp_path):
    shown, settings = examples("a <back-view>"), TextualInversion(like="back view", steps=6, checkpoint_every=2)
    whole = fresh()
    list(learn_token(whole, shown, settings, tmp_path / "whole"))
    stopped = learn_token(fresh(), shown, settings, tmp_path / "stopped")
    for _ in range(3):
        next(stopped)
    stopped.close()
    again = fresh()
    assert [step.index for step in learn_token(again, shown, settings, tmp_path / "stopped")] == [2, 3, 4, 5]
    assert (again.embed(["<back-view>"]) == whole.embed(["<back-view>"])).all()
    assert again.back_token == "<back-view>" and "back" in again.roles


def test_two_text_encoders_learn_a_word_together(sdxl, tmp_path):
    prior = load(sdxl)
    settings = TextualInversion("<sunset>", "red", steps=2)
    shown = Examples(tiny.smooth_pictures(2, 64), ("a <sunset>",) * 2)
    rows = [value.clone() for value in prior.text.trained_vectors("red")]
    list(learn_token(prior, shown, settings, tmp_path))
    for before, after in zip(rows, prior.text.vectors("<sunset>"), strict=True):
        assert (before - after).abs().max() > 1e-3
    other = load(sdxl)
    apply_tuning(other, tmp_path)
    torch.testing.assert_close(other.embed(["a <sunset>"]), prior.embed(["a <sunset>"]))


def test_what_cannot_go_on_is_refused(fresh, tmp_path, sd15):
    shown, settings = examples("a photo of sks person"), replace(QUICK, steps=2, prior_weight=0.0)
    list(dreambooth(fresh(), shown, settings, tmp_path))
    with pytest.raises(UserError, match="learning rate differs"):
        next(dreambooth(fresh(), shown, replace(settings, learning_rate=1.0), tmp_path))
    with pytest.raises(UserError, match="another prior"):
        apply_tuning(load(sd15), tmp_path)
    with pytest.raises(UserError, match="no finished tuning"):
        apply_tuning(fresh(), tmp_path / "nothing")
    with pytest.raises(UserError, match="does not contain <back-view>"):
        next(learn_token(fresh(), shown, TextualInversion()))
    with pytest.raises(UserError, match="float32"):
        next(dreambooth(load(sd15, dtype=torch.bfloat16), shown, settings))
    (tmp_path / tune.RESULT).write_bytes(b"cut")
    with pytest.raises(UserError, match="damaged"):
        next(dreambooth(fresh(), shown, settings, tmp_path))
    with pytest.raises(ValueError, match="prompt for each picture"):
        Examples(shown.images, ("one",))
