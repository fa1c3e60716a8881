"""The one call behind which every model hides: known answers, controls, inpainting, editing."""

import pytest
import torch

from bozzetto.prior.denoiser import CONTROLS, Conditions, Inpainting
from bozzetto.prior.load import load
from bozzetto.prior.text import TextEncoder

from . import tiny

KINDS = ["epsilon", "v_prediction", "flow", "sample"]


def noisy_like(prior, count=1, size=None):
    generator = torch.Generator().manual_seed(1)
    size = size or 64 // prior.factor
    return torch.randn(count, prior.latent_channels, size, size, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_comes_back_from_every_kind_of_network(kind, words):
    """Of data that is one point the noise is known exactly."""
    torch.manual_seed(0)
    mean = torch.randn(1, 3, 4, 4)
    prior = tiny.known_prior(words, kind, mean)
    noise, t = torch.randn(3, 3, 4, 4), torch.tensor([0.2, 0.5, 0.9])
    noisy = prior.add_noise(mean.expand(3, -1, -1, -1), noise, t)
    prediction = prior.predict(noisy, t, prior.embed(["", "", ""]))
    torch.testing.assert_close(prediction.noise, noise, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(prediction.clean, mean.expand(3, -1, -1, -1), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_of_a_gaussian_is_the_closed_form(kind, words):
    mean, spread = torch.full((1, 3, 4, 4), 0.3), 0.5
    prior = tiny.known_prior(words, kind, mean, spread)
    noisy, t = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0.3, 0.7])
    a, b = (factor.view(-1, 1, 1, 1) for factor in prior.signal(t))
    expected = b * (noisy - a * mean) / (a**2 * spread**2 + b**2)
    torch.testing.assert_close(prior.predict_noise(noisy, t, prior.embed(["", ""])), expected, atol=1e-4, rtol=1e-4)


def test_signal_and_noise():
    diffusion, flow = tiny.schedule("epsilon"), tiny.schedule("flow")
    t = torch.linspace(0, 1, 50)
    a, b = diffusion.signal(t)
    torch.testing.assert_close(a**2 + b**2, torch.ones(50))
    assert (a.diff() <= 0).all() and a[0] > 0.999 and 0.05 < a[-1] < 0.1
    a, b = tiny.schedule("v_prediction", zero_snr=True).signal(t)
    assert a[-1] == 0 and b[-1] == 1
    a, b = flow.signal(t)
    torch.testing.assert_close(a + b, torch.ones(50))
    assert (diffusion.clock(torch.tensor([0.0, 0.5, 1.0])) == torch.tensor([0, 500, 999])).all()
    torch.testing.assert_close(flow.clock(torch.tensor([0.0, 0.25, 1.0])), torch.tensor([0.0, 250.0, 1000.0]))


def test_pure_noise_of_a_network_with_zero_terminal_signal(words):
    prior = tiny.known_prior(words, "v_prediction", torch.full((1, 3, 4, 4), 0.4), zero_snr=True)
    noise, t = torch.randn(1, 3, 4, 4), torch.ones(1)
    torch.testing.assert_close(prior.add_noise(torch.rand(1, 3, 4, 4), noise, t), noise)
    prediction = prior.predict(noise, t, prior.embed([""]))
    torch.testing.assert_close(prediction.noise, noise)
    torch.testing.assert_close(prediction.clean, torch.full((1, 3, 4, 4), 0.4))


def test_latents_round_trip_and_gradients_reach_the_picture(embedded, words):
    known = tiny.known_prior(words, "epsilon", torch.zeros(1, 3, 4, 4))
    flat = torch.rand(2, 3, 4, 4).repeat_interleave(8, -1).repeat_interleave(8, -2).movedim(1, -1)
    torch.testing.assert_close(known.decode(known.encode(flat)), flat)
    prior = load(embedded)
    pictures = tiny.smooth_pictures(4, 64, seed=5).requires_grad_()
    latents = prior.encode(pictures)
    again = prior.decode(latents)
    assert (again - pictures).square().mean() < 1e-3  # 30 dB: the pictures are smooth
    (gradient,) = torch.autograd.grad(latents.square().sum(), pictures)
    assert gradient.isfinite().all() and (gradient.abs().sum((1, 2, 3)) > 0).all()
    one, two = (prior.encode(pictures, torch.Generator().manual_seed(seed)) for seed in (0, 0))
    torch.testing.assert_close(one, two)
    assert (one - latents).abs().max() > 0


def test_the_autoencoders_scale_is_taken_into_account(words):
    prior = tiny.known_prior(words, "epsilon", torch.zeros(1, 3, 4, 4))
    prior.autoencoder.config.scaling_factor, prior.autoencoder.config.shift_factor = 0.5, 0.25
    picture = torch.full((1, 32, 32, 3), 0.75)
    torch.testing.assert_close(prior.encode(picture), torch.full((1, 3, 4, 4), (0.5 - 0.25) * 0.5))
    torch.testing.assert_close(prior.decode(prior.encode(picture)), picture)


def test_wrong_sizes_and_names_are_refused(embedded):
    prior = load(embedded)
    with pytest.raises(ValueError, match="multiples of 4"):
        prior.encode(torch.rand(1, 62, 64, 3))
    with pytest.raises(ValueError, match="no control 'depth'"):
        Conditions({"depth": torch.rand(1, 64, 64, 3)})
    with pytest.raises(ValueError, match="2 pictures cannot serve a batch of 3"):
        prior.predict_noise(
            noisy_like(prior, 3), torch.full((3,), 0.5), prior.embed([""] * 3),
            Conditions({"pose": torch.rand(2, 64, 64, 3)}),
        )  # fmt: skip


def test_shapes_are_checked(embedded):
    from jaxtyping import TypeCheckError

    prior = load(embedded)
    with pytest.raises(TypeCheckError):
        prior.encode(torch.rand(1, 3, 64, 64))
    with pytest.raises(TypeCheckError):
        prior.predict_noise(noisy_like(prior, 2), torch.tensor([0.5]), prior.embed(["", ""]))


def test_two_control_networks_add_up(sd15, tmp_path):
    """The residuals of the nets are summed; in a network whose answer is linear in them, so is the answer."""
    one = tiny.controlnet(tmp_path / "one", sd15)
    torch.manual_seed(7)
    two = tiny.controlnet(tmp_path / "two", sd15)
    prior = load(sd15, roles={"control/normal": one, "control/pose": two})
    noisy, t, text = noisy_like(prior), torch.tensor([0.5]), prior.embed(["a man"])
    pictures = {"normal": torch.rand(1, 64, 64, 3), "pose": torch.rand(1, 64, 64, 3)}
    heard: list = []

    def listen(module, args, kwargs):
        heard.append((kwargs.get("down_block_additional_residuals"), kwargs.get("mid_block_additional_residual")))

    handle = prior.base.unet.register_forward_pre_hook(listen, with_kwargs=True)
    for conditions in (
        Conditions({"normal": pictures["normal"]}),
        Conditions({"pose": pictures["pose"]}),
        Conditions(pictures),
        Conditions(pictures, {"normal": 0.5, "pose": 2.0}),
        Conditions(pictures, 0.0),
        None,
    ):
        prior.predict_noise(noisy, t, text, conditions)
    handle.remove()
    normal, pose, both, scaled, none, nothing = heard
    assert none == nothing == (None, None)
    for index, total in enumerate(both[0]):
        torch.testing.assert_close(total, normal[0][index] + pose[0][index])
        torch.testing.assert_close(scaled[0][index], 0.5 * normal[0][index] + 2 * pose[0][index])
    torch.testing.assert_close(both[1], normal[1] + pose[1])
    assert len(both[0]) == 12  # one for every skip connection of SD 1.5


@pytest.mark.parametrize("kind", ["sd15", "sd21", "sdxl"])
def test_a_control_network_is_obeyed_in_every_family(kind, request, tmp_path):
    folder = request.getfixturevalue(kind)
    prior = load(folder, roles={"control/normal": tiny.controlnet(tmp_path / "normal", folder)})
    noisy, t, text = noisy_like(prior), torch.tensor([0.5]), prior.embed(["a man"])
    free = prior.predict_noise(noisy, t, text)
    shown = [prior.predict_noise(noisy, t, text, Conditions({"normal": torch.rand(1, 64, 64, 3)})) for _ in range(2)]
    assert (shown[0] - free).abs().max() > 1e-4 and (shown[0] - shown[1]).abs().max() > 1e-5


def test_the_one_network_is_shown_each_picture_in_its_place(embedded):
    prior = load(embedded)
    noisy, t, text = noisy_like(prior, 2), torch.full((2,), 0.5), prior.embed(["a man"] * 2)
    heard: list[torch.Tensor] = []
    control = prior._roles.loaders["control/pose"]()
    control.register_forward_pre_hook(lambda m, args, kwargs: heard.append(kwargs["controlnet_cond"]), with_kwargs=True)
    for name in CONTROLS:
        prior.predict_noise(noisy, t, text, Conditions({name: torch.full((1, 64, 64, 3), 0.7)}))
    everything = {name: torch.full((2, 32, 32, 3), index / 10) for index, name in enumerate(CONTROLS)}
    prior.predict_noise(noisy, t, text, Conditions(everything, {"pose": 0.0}))
    for index, shown in enumerate(heard[:-1]):
        assert shown.shape == (2, 15, 64, 64)
        assert (shown[:, 3 * index : 3 * index + 3] == 0.7).all() and shown.sum().item() == pytest.approx(
            0.7 * 2 * 3 * 64 * 64, rel=1e-4
        )
    for index in range(5):  # of another size: they are resized; the one of scale 0 is left out
        expected = 0.0 if index == 0 else index / 10
        torch.testing.assert_close(heard[-1][:, 3 * index], torch.full((2, 64, 64), expected))


@pytest.mark.parametrize("kind", ["sd15", "embedded"])
def test_inpainting_channels(kind, request, tmp_path):
    """Noisy latents, mask, latents of the picture with grey where it is masked; SD 1.5 has a network of its own."""
    folder = request.getfixturevalue(kind)
    roles = {}
    if kind == "sd15":
        torch.manual_seed(0)
        tiny.unet(tmp_path / "inpaint" / "unet", 9)
        tiny.write_scheduler(tmp_path / "inpaint", prediction_type="v_prediction")
        roles = {"inpaint": tmp_path / "inpaint"}
    prior = load(folder, roles=roles, needs=["inpaint"])
    image, mask = tiny.smooth_pictures(1, 64), torch.zeros(1, 64, 64, 1)
    mask[:, 16:32, 24:40] = 1
    network = prior.network(None, Inpainting(mask, image))
    if kind == "sd15":
        assert network.schedule.kind == "v_prediction" and prior.base.schedule.kind == "epsilon"
    heard: list[torch.Tensor] = []
    network.unet.register_forward_pre_hook(lambda module, args: heard.append(args[0]))
    noisy, t, text = noisy_like(prior, 2), torch.full((2,), 0.5), prior.embed(["a man"] * 2)
    inpainting = Inpainting(mask, image)
    for _ in range(2):
        prior.predict_noise(noisy, t, text, inpainting=inpainting)
    count = prior.latent_channels
    shown = heard[0]
    torch.testing.assert_close(shown, heard[1])
    torch.testing.assert_close(shown[:, :count], noisy)
    places, step = 64 // prior.factor, 8 // prior.factor
    small = torch.zeros(places, places)
    small[2 * step : 4 * step, 3 * step : 5 * step] = 1
    assert (shown[:, count] == small).all()
    known = prior.encode(torch.where(mask > 0.5, 0.5, image))
    torch.testing.assert_close(shown[:, count + 1 :], known.expand(2, -1, -1, -1))
    if kind == "embedded":
        prior.predict_noise(noisy, t, text)
        assert (heard[-1][:, count] == 1).all()
        grey = prior.encode(torch.full((1, 64, 64, 3), 0.5))
        torch.testing.assert_close(heard[-1][:, count + 1 :], grey.expand(2, -1, -1, -1))


def test_native_editing_network(sd15, tmp_path):
    """InstructPix2Pix: the source's latents without the scale, zeros where its strength is zero."""
    torch.manual_seed(0)
    tiny.unet(tmp_path / "edit" / "unet", 8)
    control = tiny.controlnet(tmp_path / "normal", sd15)
    prior = load(sd15, roles={"edit": tmp_path / "edit", "control/normal": control}, needs=["edit"])
    heard: list[torch.Tensor] = []
    picture = tiny.smooth_pictures(1, 64)
    conditions = Conditions({"source": picture, "normal": picture}, {"source": 1.0})
    network = prior.network(conditions)
    assert network is not prior.base and prior.edits_natively(conditions)
    network.unet.register_forward_pre_hook(lambda module, args: heard.append(args[0]))
    noisy, t, text = noisy_like(prior, 2), torch.full((2,), 0.5), prior.embed(["make him old"] * 2)
    prior.predict_noise(noisy, t, text, conditions)
    prior.predict_noise(noisy, t, text, Conditions({"source": picture}, 0.0))
    expected = prior.encode(picture) / prior.autoencoder.config.scaling_factor
    torch.testing.assert_close(heard[0][:, 4:], expected.expand(2, -1, -1, -1), atol=1e-5, rtol=1e-4)
    assert (heard[1][:, 4:] == 0).all() and (heard[1][:, :4] == noisy).all()


def test_kept_latents_belong_to_their_picture(sd15, tmp_path):
    """The same object is encoded once; another picture is not mistaken for it."""
    torch.manual_seed(0)
    tiny.unet(tmp_path / "inpaint" / "unet", 9)
    prior = load(sd15, roles={"inpaint": tmp_path / "inpaint"})
    noisy, t, text = noisy_like(prior), torch.full((1,), 0.5), prior.embed(["a man"])
    mask = torch.zeros(1, 64, 64, 1)
    results = []
    for seed in range(3):
        results.append(prior.predict_noise(noisy, t, text, None, Inpainting(mask, tiny.smooth_pictures(1, 64, seed))))
    assert (results[0] - results[1]).abs().max() > 1e-5 and (results[1] - results[2]).abs().max() > 1e-5
    assert len(prior._kept) == 0


def test_words(embedded, words, tmp_path):
    prior = load(embedded)
    assert prior.unknown_words("A red dragon, dragon of the GLORP") == ["dragon", "glorp"]
    assert prior.unknown_words("a man") == []
    assert prior.text.cut("a man") == ""
    assert prior.text.cut("a man " * 7) == "" and prior.text.cut("red " * 14 + "dress photo") == "dress photo"
    text = tiny.words(words)
    text.vocabulary = frozenset(["dragon"])
    assert text.unknown_words("a dragon") == ["a"]


def test_learned_tokens_of_several_vectors(words):
    text = tiny.words(words)
    before = text(["a man in <back-view>", "a man"])
    rows = text.trained_vectors("red dress")[0]
    assert rows.shape == (2, 32)
    text.add_token("<back-view>", [rows])
    torch.testing.assert_close(text(["a man in <back-view>"]), text(["a man in red dress"]))
    torch.testing.assert_close(text(["a man"]), before[1:])
    assert text.unknown_words("a man, <back-view>") == []
    (vectors,) = text.vectors("<back-view>")
    vectors.requires_grad_()
    text(["a man in <back-view>"]).sum().backward()
    assert (vectors.grad.abs().amax(1) > 0).all()
    for name, vectors in (("<back-view>", rows), ("back", rows), ("<two>", rows[:, :5])):
        with pytest.raises(ValueError):
            text.add_token(name, [vectors])


def test_an_encoder_with_learned_words_is_saved_as_it_was(words, tmp_path):
    from transformers import CLIPTextModel

    text = tiny.words(words)
    encoder = text.encoders[0]
    before = {
        name: value.clone()
        for name, value in CLIPTextModel.from_pretrained(words / "text_encoder").state_dict().items()
    }
    text.add_token("<sunset>", text.trained_vectors("red"))
    again = TextEncoder(text.tokenizers, text.encoders)
    assert again.tables[0] is text.tables[0]
    assert encoder.state_dict().keys() == before.keys()
    encoder.save_pretrained(tmp_path)
    for name, value in CLIPTextModel.from_pretrained(tmp_path).state_dict().items():
        assert (value == before[name]).all()
