"""The self-check passes what is right and names what is wrong."""

from dataclasses import replace

import pytest
import torch

from bozzetto.prior import check
from bozzetto.prior.check import Specimen, examine, examine_prior, render_specimens
from bozzetto.prior.denoiser import Conditions, Network, Roles
from bozzetto.prior.schedule import Schedule

from . import tiny

SIZE = 32


def blocks(seed: int) -> torch.Tensor:
    return (
        torch.rand(1, 4, 4, 3, generator=torch.Generator().manual_seed(seed))
        .repeat_interleave(8, 1)
        .repeat_interleave(8, 2)
    )


def specimens() -> list[Specimen]:
    """Pictures that are their own normal maps: hemispheres of a kind, so that every misreading shows."""
    found = []
    for index, (caption, view) in enumerate(
        [
            ("a man", "front view"),
            ("a woman", "back view"),
            ("a red dress", "front view"),
            ("a green dress", "back view"),
        ]
    ):
        picture = 0.3 + 0.4 * blocks(index)
        found.append(Specimen(picture, caption, view, {"normal": picture, "pose": picture}))
    return found


class Knowing:
    """Prediction from the truth: words or a control picture say what is there; what they do not say stays blurred."""

    def __init__(self, prior, pictures, reading=lambda picture: picture, views=True):
        self.prior, self.pictures, self.reading, self.views = prior, pictures, reading, views

    def embed(self, prompts):
        known = [each.caption for each in self.pictures]
        rows = []
        for prompt in prompts:
            caption, _, view = prompt.partition(", ")
            right = self.pictures[known.index(caption)].view == view
            rows.append([[known.index(caption), float(right and self.views), float(bool(view))]])
        return torch.tensor(rows, dtype=torch.float32)

    def output(self, network, noisy, t, text, conditions=None, inpainting=None):
        index, right, told = int(text[0, 0, 0]), text[0, 0, 1], text[0, 0, 2]
        clean = self.prior.encode(self.pictures[index].image)
        blur = 0.6 if not told else (0.5 if right else 0.7)
        if conditions is not None:
            for name, picture in conditions.pictures.items():
                clean, blur = self.prior.encode(self.reading(picture) if name == "normal" else picture), 0.1
        a, b = (factor.view(-1, 1, 1, 1) for factor in network.schedule.signal(t))
        clean = clean * (1 - blur)
        return network.schedule.target(clean, (noisy - a * clean) / b, t)


def knowing(words, kind="epsilon", **options):
    prior = tiny.known_prior(words, kind, torch.zeros(1, 3, 4, 4))
    prior._roles = Roles({"control/normal": lambda: None, "control/pose": lambda: None})
    mind = Knowing(prior, specimens(), **options)
    prior.embed, prior.output = mind.embed, mind.output
    return prior


def results(prior, shown=None) -> dict[str, check.Check]:
    return {each.name: each for each in examine_prior(prior, shown or specimens())}


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_a_prior_that_knows_its_pictures_passes(kind, words):
    found = results(knowing(words, kind))
    assert set(found) == {
        "autoencoder", "noise prediction", "words", "view words",
        "control normal", "normal-map convention", "control pose",
    }  # fmt: skip
    assert [f"{each.name}: {each.found}" for each in found.values() if not each.passed] == []


@pytest.mark.parametrize("name", list(check.NORMAL_MISREADINGS))
def test_each_misreading_of_normals_is_named(name, words):
    found = results(knowing(words, reading=check.NORMAL_MISREADINGS[name]))
    assert found["normal-map convention"].verdict == "FAIL"
    assert name in found["normal-map convention"].remedy


def test_a_wrong_prediction_type_is_named(words):
    prior = knowing(words, "v_prediction")
    right = prior.output
    trained = prior.base.schedule
    prior.base = Network(prior.base.unet, Schedule("epsilon", trained.signal_power, trained.steps))
    prior.output = lambda network, *rest: right(Network(network.unet, trained), *rest)
    failed = results(prior)["noise prediction"]
    assert failed.verdict == "FAIL" and '"prediction_type": "v_prediction"' in failed.remedy


def test_what_is_not_known_does_not_pass(words):
    prior = knowing(words)
    deaf = prior.output
    prior.output = lambda network, noisy, t, text, conditions=None, inpainting=None: deaf(network, noisy, t, text)
    found = results(prior)
    assert found["words"].passed and found["control pose"].verdict == found["control normal"].verdict == "FAIL"
    assert not results(knowing(words, views=False))["view words"].passed
    prior.output = lambda network, noisy, t, *rest: torch.zeros_like(noisy)
    found = results(prior)
    assert found["noise prediction"].verdict == found["words"].verdict == "FAIL"
    assert found["view words"].verdict == "note"


def test_an_autoencoder_of_another_scale_or_weights_is_seen(words):
    prior = knowing(words)
    prior.decode = lambda latents: torch.full((1, SIZE, SIZE, 3), 0.9)
    assert results(prior)["autoencoder"].verdict == "FAIL"


def test_a_prior_that_cannot_be_loaded_is_one_failure(tmp_path):
    (only,) = examine(str(tmp_path / "none"))
    assert only.verdict == "FAIL" and "no folder" in only.found


def test_random_weights_fail(embedded, tmp_path):
    shown = [replace(each, image=tiny.smooth_pictures(1, 64, i)) for i, each in enumerate(specimens()[:2])]
    found = {each.name: each for each in examine(str(embedded), specimens=shown, draws=1)}
    assert found["prior"].passed and found["autoencoder"].passed
    assert found["noise prediction"].verdict == "FAIL"
    assert not found["normal-map convention"].passed or not found["control normal"].passed


def test_the_specimens_are_figures_with_their_maps():
    front, back = render_specimens(64, 2)
    assert (front.view, back.view) == ("front view", "back view")
    assert front.image.shape == (1, 64, 64, 3) and set(front.controls) == {"pose", "landmarks", "normal", "silhouette"}
    normal = front.controls["normal"]
    person = front.controls["silhouette"][..., 0] > 0.9
    assert normal[person][:, 2].mean() > 0.6  # towards the viewer is blue
    Conditions(front.controls)
