"""What ships is a prior that this version of the code loads."""

import numpy as np
import torch

from bozzetto.figure.build import build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.prior.autoencoder import FACTOR
from bozzetto.prior.denoiser import CONTROLS
from bozzetto.prior.load import load
from bozzetto.recipes.person import plain_colours
from bozzetto.render.cameras import frame
from bozzetto.subject.words import read_words

from . import tiny


def test_the_shipped_family_loads_encodes_and_predicts():
    prior = load("embedded")
    assert prior.factor == FACTOR and prior.native_size == 64
    assert {"inpaint", "vision", "identity", "back", *(f"control/{name}" for name in CONTROLS)} <= set(prior.roles)
    pictures = tiny.smooth_pictures(2, 64)
    again = prior.decode(prior.encode(pictures))
    assert float(-10 * torch.log10((again - pictures).square().mean())) > 25, "dB"
    noisy = torch.randn(1, prior.latent_channels, 16, 16, generator=torch.Generator().manual_seed(0))
    noise = prior.predict_noise(noisy, torch.ones(1), prior.embed(["a woman in a red dress"]))
    # At pure noise the noise is what is seen.
    assert torch.nn.functional.cosine_similarity(noise.flatten(), noisy.flatten(), 0) > 0.9


def test_the_shipped_tower_knows_whose_words_are_whose():
    people = (
        "A woman in a long red dress, front view, full body", "A man in a black suit, front view, full body",
        "A boy in a yellow t-shirt and blue shorts, front view, full body",
        "A woman in a white blouse and a green skirt, front view, full body",
    )  # fmt: skip
    pictures = []
    for words in people:
        scene = stand(build_figure(read_words(words).spec, "low"), "standing").scene
        picture = plain_colours(scene, frame(scene.vertices, np.zeros(1), 0.0, 20.0, 64))
        pictures.append(np.where(picture.any(-1, keepdims=True), picture, np.float32(0.9)))
    shown = torch.from_numpy(np.stack(pictures)).float()
    prior = load("embedded")
    scores = torch.stack([prior.score(shown, [words] * len(people)) for words in people], 1)
    assert (scores.argmax(0) == torch.arange(4)).all() and (scores.argmax(1) == torch.arange(4)).all()
