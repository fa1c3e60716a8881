"""The autoencoder starts as principal components, and keeps its promises on disk."""

import numpy as np
import pytest
import torch

from bozzetto.prior.autoencoder import FACTOR, PatchAutoencoder
from bozzetto.training.export import export_model


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(24, 3, 8, 8, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (32, 32), mode="bilinear")


@pytest.fixture
def fresh(pictures):
    torch.manual_seed(0)
    model = PatchAutoencoder(8, 8, 1, 1)
    model.start_from_components(pictures)
    return model


def test_it_starts_as_principal_components(fresh, pictures):
    patches = (
        torch.nn.functional.pixel_unshuffle(pictures, FACTOR).movedim(1, -1).reshape(-1, 3 * FACTOR**2).double().numpy()
    )
    mean = patches.mean(0)
    _, _, rows = np.linalg.svd(patches - mean, full_matrices=False)
    wanted = (patches - mean) @ rows[:8].T @ rows[:8] + mean
    again = torch.nn.functional.pixel_unshuffle(fresh(pictures), FACTOR).movedim(1, -1).reshape(-1, 3 * FACTOR**2)
    assert np.allclose(again.detach().numpy(), wanted, atol=1e-4)


def test_normalising_changes_latents_but_no_picture(fresh, pictures):
    before = fresh(pictures)
    fresh.normalise(pictures)
    latents = fresh.encode(pictures).latent_dist.mean
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(8), atol=1e-4)
    assert latents.var((0, 2, 3)).mean().item() == pytest.approx(1, abs=1e-3)
    assert torch.allclose(fresh(pictures), before, atol=1e-4)


def test_its_distribution_is_as_wide_as_its_noise(fresh, pictures):
    fresh.normalise(pictures)
    spread = fresh.encode(pictures).latent_dist.std[0, :, 0, 0]
    assert torch.allclose(spread * fresh.latent_std, torch.full((8,), 0.05), atol=1e-6)


def test_gradients_reach_the_picture(fresh, pictures):
    image = pictures[:1].clone().requires_grad_(True)
    fresh.encode(image).latent_dist.mean.square().sum().backward()
    assert image.grad is not None and image.grad.abs().min() >= 0 and image.grad.abs().sum() > 0


def test_what_is_exported_loads_and_says_the_same(fresh, pictures, tmp_path):
    fresh.normalise(pictures)
    export_model(fresh, tmp_path / "vae")
    again = PatchAutoencoder.from_pretrained(tmp_path / "vae", torch_dtype=torch.float32)
    assert torch.allclose(again(pictures), fresh(pictures), atol=0.02)
    assert sorted(path.suffix for path in (tmp_path / "vae").iterdir()) == [".json", ".safetensors"]
    assert [path.name for path in tmp_path.iterdir()] == ["vae"]
