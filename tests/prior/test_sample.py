"""Sampling reaches the data, follows the words, keeps what is known."""

from dataclasses import replace

import pytest
import torch

from bozzetto.prior.denoiser import Conditions, Inpainting
from bozzetto.prior.load import load
from bozzetto.prior.sample import Guidance, Start, guided, imagine
from bozzetto.prior.schedule import Prediction

from . import tiny

MEAN = torch.linspace(-0.8, 0.8, 48).view(1, 3, 4, 4)


def as_picture(latents):
    return (latents / 2 + 0.5).repeat_interleave(8, -1).repeat_interleave(8, -2).movedim(1, -1)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
@pytest.mark.parametrize("steps", [1, 12])
def test_ddim_reaches_data_that_is_one_point(kind, steps, words):
    prior = tiny.known_prior(words, kind, MEAN, zero_snr=kind == "v_prediction")
    pictures = imagine(prior, ["a man", "a dress"], steps=steps)
    torch.testing.assert_close(pictures, as_picture(MEAN).expand(2, -1, -1, -1), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "flow"])
def test_ddim_draws_a_gaussian(kind, words):
    """The deterministic path from noise to N(0, s^2) is linear; the last step takes the mean of what is left."""
    spread = 0.2
    prior = tiny.known_prior(words, kind, torch.zeros(1, 3, 4, 4), spread, zero_snr=kind == "v_prediction")
    pictures = imagine(prior, [""] * 8, steps=200, guidance=Guidance(1.0), generator=torch.Generator().manual_seed(4))
    noise = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    latents = prior.encode(pictures)
    assert torch.corrcoef(torch.stack([latents.flatten(), noise.flatten()]))[0, 1] > 0.999
    a, b = prior.signal(torch.tensor([1 / 200]))
    left = (spread**2 / (spread**2 + (b / a) ** 2).sqrt()).item()
    assert latents.std().item() / noise.std().item() == pytest.approx(left, rel=0.03)


class Worded(tiny.Gaussian):
    """One point for each prompt: the first number of the text features says where it is."""

    def forward(self, sample, timestep, encoder_hidden_states, **_):
        self.mean = torch.tanh(encoder_hidden_states[:, 1, :1])[..., None, None].expand(-1, 3, 4, 4)
        return super().forward(sample, timestep, encoder_hidden_states)


@pytest.fixture
def worded(words):
    prior = tiny.known_prior(words, "epsilon", MEAN)
    prior.base.unet.__class__ = Worded
    return prior


def test_guidance_goes_from_nothing_through_the_words(worded):
    text, empty = worded.embed(["red"]), worded.embed([""])
    noisy, t = torch.randn(1, 3, 4, 4), torch.tensor([0.5])
    seen = guided(worded, noisy, t, text, empty, Guidance(3.0))
    told, untold = (worded.predict(noisy, t, features) for features in (text, empty))
    torch.testing.assert_close(seen.noise, untold.noise + 3 * (told.noise - untold.noise), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen.clean, untold.clean + 3 * (told.clean - untold.clean), atol=1e-3, rtol=1e-3)
    count = len(worded.base.unet.seen)
    torch.testing.assert_close(guided(worded, noisy, t, text, empty, Guidance(1.0)).noise, told.noise)
    assert len(worded.base.unet.seen) == count + 1


def test_each_prompt_gets_its_picture(worded):
    together = imagine(worded, ["red", "green"], steps=3, guidance=Guidance(1.0))
    for index, prompt in enumerate(["red", "green"]):
        alone = imagine(worded, [prompt], steps=3, guidance=Guidance(1.0))
        torch.testing.assert_close(together[index], alone[0], atol=2e-3, rtol=1e-3)
    assert (together[0] - together[1]).abs().max() > 0.01


def test_rescaling_takes_the_contrast_back(words):
    prior = tiny.known_prior(words, "epsilon", MEAN, 0.3)
    text, empty = prior.embed(["red"]), prior.embed([""])
    noisy, t = torch.randn(2, 3, 4, 4), torch.full((2,), 0.5)
    real = prior.predict

    def exaggerated(noisy, t, text, *rest):  # words add contrast
        prediction = real(noisy, t, text, *rest)
        factor = torch.cat([torch.full((2, 1, 1, 1), 1.5), torch.ones(2, 1, 1, 1)])[: len(noisy)]
        return Prediction(prediction.noise, prediction.clean * factor)

    prior.predict = exaggerated
    clean = exaggerated(torch.cat([noisy] * 2), torch.cat([t] * 2), torch.cat([text] * 2 + [empty] * 2)).clean[:2]
    kept, full = (
        guided(prior, noisy, t, text.repeat(2, 1, 1), empty.repeat(2, 1, 1), Guidance(8, rescale=r)) for r in (0, 1)
    )
    assert kept.clean.std() > 2 * clean.std()
    torch.testing.assert_close(full.clean.std((1, 2, 3)), clean.std((1, 2, 3)), rtol=1e-3, atol=1e-4)
    a, b = (factor.view(-1, 1, 1, 1) for factor in prior.signal(t))
    torch.testing.assert_close(a * full.clean + b * full.noise, noisy, atol=1e-4, rtol=1e-4)
    for zero_snr, least in ((True, 0.7), (False, 0.0)):  # what Lin et al. advise for networks that know pure noise
        prior.base = replace(prior.base, schedule=tiny.schedule("v_prediction", zero_snr))
        usual, said = (
            guided(prior, noisy, t, text.repeat(2, 1, 1), empty.repeat(2, 1, 1), Guidance(8, rescale=r)).clean
            for r in (None, least)
        )
        assert torch.equal(usual, said)


def test_editing_has_two_scales(sd15, tmp_path):
    """Brooks et al. 2023, Eq. 3: eps_0 + s_I (eps_I - eps_0) + s_T (eps_TI - eps_I)."""
    torch.manual_seed(0)
    tiny.unet(tmp_path / "edit" / "unet", 8)
    prior = load(sd15, roles={"edit": tmp_path / "edit"})
    source = tiny.smooth_pictures(1, 64)
    text, empty = prior.embed(["old"]), prior.embed([""])
    noisy, t = torch.randn(1, 4, 8, 8), torch.tensor([0.6])
    shown, hidden = Conditions({"source": source}), Conditions({"source": source}, 0.0)
    with torch.no_grad():
        both, image = (prior.predict_noise(noisy, t, features, shown) for features in (text, empty))
        nothing = prior.predict_noise(noisy, t, empty, hidden)
        seen = guided(prior, noisy, t, text, empty, Guidance(7.5, 1.5), shown).noise
    torch.testing.assert_close(seen, nothing + 1.5 * (image - nothing) + 7.5 * (both - image), atol=1e-4, rtol=1e-4)


def test_controls_are_given_to_the_pass_without_words(sd15, tmp_path):
    prior = load(sd15, roles={"control/normal": tiny.controlnet(tmp_path / "normal", sd15)})
    prior.need("control/normal")
    heard = []
    control = prior._network("control/normal")
    control.register_forward_pre_hook(lambda m, args, kwargs: heard.append(kwargs["controlnet_cond"]), with_kwargs=True)
    picture = torch.rand(1, 64, 64, 3)
    imagine(prior, ["a man"], steps=1, conditions=Conditions({"normal": picture}))
    (shown,) = heard
    assert shown.shape[0] == 2
    torch.testing.assert_close(shown, picture.movedim(-1, 1).repeat(2, 1, 1, 1))


def test_what_pictures_change_is_exaggerated_beside_the_words(embedded):
    prior = load(embedded)
    text, empty = prior.embed(["red dress"]), prior.embed([""])
    noisy, t = torch.randn(1, 16, 16, 16), torch.tensor([0.6])
    shown = Conditions({"normal": torch.rand(1, 64, 64, 3)})
    plain = Guidance(4.0, 1.0, rescale=0)
    with torch.no_grad():
        told, words = (prior.predict(noisy, t, text, each) for each in (shown, None))
        without = prior.predict(noisy, t, empty, shown)
        expected = without.noise + 4 * (told.noise - without.noise) + 2 * (told.noise - words.noise)
        assert (told.noise - words.noise).abs().max() > 1e-3
        seen = guided(prior, noisy, t, text, empty, replace(plain, image_scale=3.0), shown).noise
        torch.testing.assert_close(seen, expected, atol=1e-4, rtol=1e-4)
        alone = guided(prior, noisy, t, text, empty, Guidance(1.0, 3.0, rescale=0), shown).noise
        torch.testing.assert_close(alone, told.noise + 2 * (told.noise - words.noise), atol=1e-4, rtol=1e-4)
        unshown = (guided(prior, noisy, t, text, empty, Guidance(4.0, s, rescale=0)).noise for s in (None, 3.0))
        for each in unshown:
            torch.testing.assert_close(each, guided(prior, noisy, t, text, empty, plain).noise)


@pytest.mark.parametrize(
    ("names", "usual"),
    [(("normal",), 3.0), (("landmarks", "pose"), 6.0), (("source",), 1.0), (("source", "pose"), 3.0)],
)
def test_the_embedded_family_follows_its_controls_further(embedded, names, usual):
    prior = load(embedded)
    text, empty = prior.embed(["red dress"]), prior.embed([""])
    noisy, t = torch.randn(1, 16, 16, 16), torch.tensor([0.6])
    shown = Conditions({name: torch.rand(1, 64, 64, 3) for name in names})
    found, said = (guided(prior, noisy, t, text, empty, Guidance(4.0, scale), shown).noise for scale in (None, usual))
    torch.testing.assert_close(found, said)


def test_other_families_follow_controls_as_they_are(sd15, tmp_path):
    prior = load(sd15, roles={"control/normal": tiny.controlnet(tmp_path / "normal", sd15)})
    text, empty = prior.embed(["red dress"]), prior.embed([""])
    noisy, t = torch.randn(1, 4, 8, 8), torch.tensor([0.6])
    shown = Conditions({"normal": torch.rand(1, 64, 64, 3)})
    found, said, further = (
        guided(prior, noisy, t, text, empty, Guidance(4.0, scale), shown).noise for scale in (None, 1.0, 3.0)
    )
    torch.testing.assert_close(found, said)
    assert (found - further).abs().max() > 1e-3


def test_image_to_image_keeps_what_the_noise_does_not_drown(words):
    spread = 0.5
    prior = tiny.known_prior(words, "epsilon", torch.zeros(1, 3, 4, 4), spread)
    latents = 0.5 * torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(9))
    distances = []
    for t in (0.05, 0.4, 1.0):
        start = Start(latents, t)
        picture = imagine(prior, [""], steps=20, guidance=Guidance(1.0), start=start)
        distances.append((prior.encode(picture) - latents.clamp(-1, 1)).square().mean().item())
    assert distances[0] < 0.05 and distances[0] < distances[1] < distances[2]


def test_known_pixels_come_back_untouched(embedded):
    prior = load(embedded)
    image, mask = torch.rand(1, 64, 64, 3), torch.zeros(1, 64, 64, 1)
    mask[:, 10:50, 20:40] = 1
    painted = imagine(prior, ["a man", "a woman"], steps=2, inpainting=Inpainting(mask, image))
    outside = (mask < 0.5).expand_as(image)
    assert (painted[0][outside[0]] == image[0][outside[0]]).all()
    assert (painted[1][outside[0]] == image[0][outside[0]]).all()
    assert (painted - image)[~outside.expand_as(painted)].abs().max() > 0.01


def test_the_seed_decides_and_the_size_is_the_models(embedded):
    prior = load(embedded)
    one, two, other = (
        imagine(prior, ["a man"], steps=2, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert (one == two).all() and (one - other).abs().max() > 0.01
    assert one.shape == (1, 64, 64, 3)
    assert imagine(prior, ["a man"], steps=1, size=(32, 48)).shape == (1, 32, 48, 3)
    with pytest.raises(ValueError, match="multiples of 4"):
        imagine(prior, ["a man"], steps=1, size=62)
    with pytest.raises(ValueError, match="at least one step"):
        imagine(prior, ["a man"], steps=0)
