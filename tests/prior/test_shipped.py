"""What ships is a prior that this version of the code loads."""

import torch

from bozzetto.prior.autoencoder import FACTOR
from bozzetto.prior.denoiser import CONTROLS
from bozzetto.prior.load import load

from . import tiny


def test_the_shipped_family_loads_encodes_and_predicts():
    prior = load("embedded")
    assert prior.factor == FACTOR and prior.native_size == 64
    assert {"inpaint", "vision", "identity", *(f"control/{name}" for name in CONTROLS)} <= set(prior.roles)
    pictures = tiny.smooth_pictures(2, 64)
    again = prior.decode(prior.encode(pictures))
    assert float(-10 * torch.log10((again - pictures).square().mean())) > 25, "dB"
    noisy = torch.randn(1, prior.latent_channels, 16, 16, generator=torch.Generator().manual_seed(0))
    noise = prior.predict_noise(noisy, torch.ones(1), prior.embed(["a woman in a red dress"]))
    # At pure noise the noise is what is seen.
    assert torch.nn.functional.cosine_similarity(noise.flatten(), noisy.flatten(), 0) > 0.9
