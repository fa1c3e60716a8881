"""Distillation against a prior whose best picture is known."""

from functools import partial

import pytest
import torch
from torch import Tensor

from bozzetto.guidance import (
    WEIGHTS,
    Denoiser,
    Noisy,
    Objective,
    Text,
    add_noise,
    ddim_step,
    distillation_loss,
    embed_views,
    invert,
    invert_interval,
    predict,
    reconstruct,
    sample_t,
    student_loss,
    target_latents,
    with_gradient,
)

from .gaussian import Gaussian

SHAPE = (3, 2, 2, 2)


def flat(mu: Tensor) -> Tensor:
    """A picture as the text that asks for it."""
    return mu.reshape(len(mu), 2, 4)


@pytest.fixture
def mu() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def text(mu) -> Text:
    return Text(flat(mu), torch.zeros(3, 2, 4))


def noisy_at(prior: Gaussian, latents: Tensor, t: float, seed: int = 0) -> Noisy:
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    return add_noise(prior, latents, torch.full((len(latents),), t), noise)


def test_a_gaussian_is_a_denoiser():
    assert isinstance(Gaussian(), Denoiser)


@pytest.mark.parametrize(("weight", "flow"), [*((name, False) for name in WEIGHTS), ("sds", True)])
def test_sds_converges_to_the_mean(mu, text, weight, flow):
    prior, generator = Gaussian(flow=flow), torch.Generator().manual_seed(0)
    latents = torch.zeros(SHAPE, requires_grad=True)
    optimizer = torch.optim.Adam([latents], 0.05)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 300)
        t = sample_t((0.2, 0.8), 3, generator)
        noise = torch.empty(SHAPE).normal_(generator=generator)
        optimizer.zero_grad()
        distillation_loss(
            prior, latents, add_noise(prior, latents, t, noise), text, Objective("sds", 1.0, weight)
        ).backward()
        optimizer.step()
    assert (latents.detach() - mu).abs().max() < 0.25
    assert (latents.detach() - mu).abs().mean() < 0.08


def test_the_expected_gradient_is_the_pull_to_the_mean(mu, text):
    """At scale one, without the noise's chance: `w a b / (a^2 r^2 + b^2) (z - mu) / batch`."""
    prior = Gaussian(radius=0.7)
    latents = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2)).requires_grad_()
    silent = add_noise(prior, latents, torch.full((3,), 0.4), torch.zeros(SHAPE))
    distillation_loss(prior, latents, silent, text, Objective("sds", 1.0)).backward()
    a, b = prior.signal(torch.tensor(0.4))
    pull = b**2 * a * b / (a**2 * 0.49 + b**2) / 3
    torch.testing.assert_close(latents.grad, pull * (latents.detach() - mu), rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_weighted_residual_over_the_batch(mu, text):
    prior = Gaussian()
    latents = torch.zeros(SHAPE, requires_grad=True)
    noisy = noisy_at(prior, latents, 0.6)
    loss = distillation_loss(prior, latents, noisy, text, Objective("csd", 3.0, "fantasia3d"))
    loss.backward()
    found = predict(prior, noisy, text)
    a, b = prior.signal(torch.tensor(0.6))
    expected = a * b**2 * 3.0 * (found.conditional - found.unconditional)
    torch.testing.assert_close(latents.grad, expected / 3)
    torch.testing.assert_close(loss.detach(), 0.5 * (expected**2).sum() / 3)


def test_half_precision_latents_and_nan_predictions_do_no_harm(text):
    class Broken(Gaussian):
        def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
            out = super().predict_noise(noisy, t, text)
            out[0, 0] = torch.nan
            out[1, 0] = torch.inf
            return out.half()

    latents = torch.ones(SHAPE, dtype=torch.float16, requires_grad=True)
    loss = distillation_loss(Broken(), latents, noisy_at(Broken(), latents, 0.5), text)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert latents.grad.dtype == torch.float16
    assert torch.isfinite(latents.grad).all()
    assert latents.grad[0, 0].abs().max() == 0
    assert latents.grad[2].abs().max() > 0


def test_gradients_are_clipped_value_by_value():
    latents = torch.zeros(SHAPE, requires_grad=True)
    with_gradient(latents, torch.linspace(-9, 9, 24).view(SHAPE), clip=1.5).backward()
    assert latents.grad.abs().max() == pytest.approx(0.5)
    assert (latents.grad.abs() < 0.49).any()


def test_the_gradient_follows_what_comes_after_the_loss():
    latents = torch.zeros(SHAPE, requires_grad=True)
    (0.25 * with_gradient(latents, torch.ones(SHAPE))).backward()
    assert torch.equal(latents.grad, torch.full(SHAPE, 0.25 / 3))


def test_an_unknown_weight_is_refused(text):
    latents = torch.zeros(SHAPE)
    with pytest.raises(ValueError, match="fantasia3d"):
        distillation_loss(Gaussian(), latents, noisy_at(Gaussian(), latents, 0.5), text, Objective(weight="heavy"))


def test_every_pass_reads_its_own_text_and_the_same_controls(mu):
    given = []

    class Watching(Gaussian):
        def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
            given.append((len(noisy), conditions, inpainting))
            return super().predict_noise(noisy, t, text)

    torch.manual_seed(0)
    rows = [torch.randn(3, 2, 4) for _ in range(7)]
    text = Text(rows[0], rows[1], rows[2], rows[3], rows[4], torch.stack(rows[5:]), torch.ones(2, 3))
    prior = Watching()
    noisy = noisy_at(prior, mu, 0.3)
    found = predict(prior, noisy, text, "controls", "inpainting")
    assert given == [(7 * 3, "controls", "inpainting")]
    parts = (found.conditional, found.unconditional, found.negative, found.source, found.edit, *found.away)
    for part, row in zip(parts, rows, strict=True):
        alone = Gaussian.predict_noise(prior, noisy.latents, noisy.t, row)
        torch.testing.assert_close(part, alone)


def test_ddim_there_and_back_is_the_identity(mu, text):
    prior = Gaussian()
    latents, t = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)), torch.full((3,), 0.6)
    noisy = invert(prior, latents, t, text, scale=1.0, stride=0.005, chance=0.0)
    back = reconstruct(prior, noisy, text, 1.0, steps=120)
    torch.testing.assert_close(back, latents, rtol=0, atol=0.06)


def test_inversion_finds_the_noise_that_ddim_would_start_from(text):
    """The flow of a Gaussian is known: `z_t = a mu + (z - mu) sqrt(a^2 r^2 + b^2) / r`."""
    prior, mu = Gaussian(radius=0.5), text.conditional.view(SHAPE)
    latents, t = mu + 0.3, torch.tensor([0.2, 0.5, 0.8])
    noisy = invert(prior, latents, t, text, scale=1.0, stride=0.004, chance=0.0)
    a, b = (each.view(-1, 1, 1, 1) for each in prior.signal(t))
    exact = a * mu + (latents - mu) * (a**2 * 0.25 + b**2).sqrt() / 0.5
    torch.testing.assert_close(noisy.noise, (exact - a * latents) / b, rtol=0, atol=0.03)
    torch.testing.assert_close(noisy.latents, a * latents + b * noisy.noise)


def test_chance_in_inversion_repeats_with_its_seed(mu, text):
    prior, t = Gaussian(), torch.full((3,), 0.5)
    seeded = partial(invert, prior, mu, t, text)
    one = seeded(generator=torch.Generator().manual_seed(4)).noise
    assert torch.equal(one, seeded(generator=torch.Generator().manual_seed(4)).noise)
    assert not torch.equal(one, seeded(generator=torch.Generator().manual_seed(5)).noise)
    with pytest.raises(ValueError, match="generator"):
        seeded()


def test_interval_noise_is_the_unconditional_prediction_a_moment_before(mu, text):
    prior, t = Gaussian(), torch.full((3,), 0.5)
    noisy = invert_interval(prior, mu, t, text, interval=0.1, stride=0.05)
    earlier = ddim_step(prior, noisy.latents, noisy.noise, t, t - 0.1)
    torch.testing.assert_close(
        noisy.noise, prior.predict_noise(earlier, t - 0.1, text.unconditional), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("start", [partial(invert, scale=-1.0, chance=0.0), invert_interval], ids=["sdi", "ism"])
def test_found_noise_leads_towards_the_prompt_without_jitter(mu, text, start):
    """Random noise makes SDS's steps jitter; noise that belongs to the picture moves it one way."""
    prior = Gaussian()
    latents = torch.zeros(SHAPE, requires_grad=True)
    first = None
    for _ in range(60):
        latents.grad = None
        noisy = start(prior, latents, torch.full((3,), 0.5), text)
        distillation_loss(prior, latents, noisy, text, Objective("sds", 1.0, "uniform")).backward()
        first = latents.grad.clone() if first is None else first
        with torch.no_grad():
            latents -= 1.0 * latents.grad
    assert torch.nn.functional.cosine_similarity(-first.flatten(), mu.flatten(), dim=0) > 0.99
    assert torch.nn.functional.cosine_similarity(latents.detach().flatten(), mu.flatten(), dim=0) > 0.99


@pytest.mark.parametrize("steps", [1, 4])
def test_reconstructions_of_a_point_are_the_point(mu, text, steps):
    """A data set of one picture: whatever the noise, that picture is seen in it."""
    prior = Gaussian(radius=0.0)
    noisy = noisy_at(prior, torch.zeros(SHAPE), 0.7)
    torch.testing.assert_close(reconstruct(prior, noisy, text, 1.0, steps), mu, rtol=1e-3, atol=1e-3)


def test_the_reconstruction_weight_pulls_to_the_one_step_reconstruction(text):
    prior = Gaussian()
    latents = torch.randn(SHAPE, generator=torch.Generator().manual_seed(8)).requires_grad_()
    noisy = noisy_at(prior, latents, 0.5)
    distillation_loss(prior, latents, noisy, text, Objective("sds", 2.0, "reconstruction")).backward()
    target = reconstruct(prior, noisy, text, 2.0)
    torch.testing.assert_close(latents.grad, (latents.detach() - target) / 3, rtol=1e-3, atol=1e-4)


def test_targets_are_one_step_reconstructions_for_sds_and_follow_every_other_residual(text):
    prior = Gaussian()
    latents = torch.randn(SHAPE, generator=torch.Generator().manual_seed(8)).requires_grad_()
    noisy = noisy_at(prior, latents, 0.5)
    target = target_latents(prior, latents, noisy, text, Objective("sds", 4.0))
    assert not target.requires_grad
    torch.testing.assert_close(target, reconstruct(prior, noisy, text, 4.0), rtol=1e-3, atol=1e-4)
    found = predict(prior, noisy, text)
    a, b = prior.signal(torch.tensor(0.5))
    expected = latents.detach() - b / a * 4.0 * (found.conditional - found.unconditional)
    torch.testing.assert_close(target_latents(prior, latents, noisy, text, Objective("csd", 4.0)), expected)


def test_back_pictures_are_drawn_to_the_back_prompt():
    """The whole way: words by view, blended or in buckets, and a picture of each view that becomes its own mean."""
    names = ("front", "side", "back", "overhead")
    means = {f"x, {name} view": torch.full((2, 4), float(i)) for i, name in enumerate(names)}
    prior = Gaussian(radius=0.0, means=means | {"": torch.full((2, 4), -5.0)})
    views = embed_views(prior, "x")
    azimuths, elevations = [0.0, 90.0, 180.0], [0.0, 0.0, 0.0]
    for text in (views.at(azimuths, elevations), views.blended(azimuths, elevations)):
        latents = torch.full(SHAPE, 0.5, requires_grad=True)
        noisy = noisy_at(prior, latents, 0.5)
        distillation_loss(prior, latents, noisy, text, Objective("sds", 1.0, "reconstruction")).backward()
        moved = latents.detach() - 3 * latents.grad
        torch.testing.assert_close(moved.mean((1, 2, 3)), torch.tensor([0.0, 1.0, 2.0]), rtol=0, atol=2e-3)


def test_vsd_with_a_student_of_one_picture_is_sds(mu, text):
    """A student that knows the picture by heart sees exactly the noise that was mixed in."""
    prior = Gaussian()

    class Student(Gaussian):
        def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
            return super().predict_noise(noisy, t, mu)

    gradients = []
    for kind, student in (("sds", None), ("vsd", Student(radius=0.0))):
        latents = mu.clone().requires_grad_()
        noisy = noisy_at(prior, latents, 0.5)
        distillation_loss(prior, latents, noisy, text, Objective(kind, 7.5), student=student).backward()
        gradients.append(latents.grad)
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_students_learn_what_the_renders_look_like(text):
    class Student(Gaussian):
        def __init__(self):
            super().__init__(radius=0.3)
            self.mean = torch.zeros(SHAPE, requires_grad=True)

        def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
            return super().predict_noise(noisy, t, self.mean)

    student, generator = Student(), torch.Generator().manual_seed(0)
    renders = torch.full(SHAPE, 0.8)
    optimizer = torch.optim.Adam([student.mean], 0.05)
    for _ in range(150):
        noise, t = torch.randn(SHAPE, generator=generator), sample_t((0.3, 0.7), 3, generator)
        optimizer.zero_grad()
        student_loss(student, add_noise(student, renders, t, noise), text).backward()
        optimizer.step()
    torch.testing.assert_close(student.mean.detach(), renders, rtol=0, atol=0.2)
