"""The autoencoder starts as principal components, and keeps its promises on disk."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bozzetto.prior.autoencoder import FACTOR, PatchAutoencoder
from bozzetto.training import run
from bozzetto.training.codec import Codec, psnr, reconstruct, to_model, train_codec
from bozzetto.training.command import TrainPrior
from bozzetto.training.data import Shard, smaller
from bozzetto.training.export import export_model, read_card
from bozzetto.training.loop import Pace

TINY = Codec(latent_channels=4, width=8, decoder_depth=1, size=32, batch=4, warmup_steps=1)


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


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Soft coloured pictures of 64 px, some with a square."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(12, 3, 6, 6, generator=generator)
    pictures = torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(0, 1)
    pictures[::2, :, 20:44, 20:44] = torch.rand(6, 3, 1, 1, generator=generator)
    path = tmp_path_factory.mktemp("shards") / "train-00000.safetensors"
    rgb = (pictures.movedim(1, -1) * 255).to(torch.uint8).contiguous()
    save_file({"rgb": rgb}, path, {"pictures": "[]", "people": "[]"})
    return Shard(path)


def trained(folder, shard, samples, recipe=TINY, **more):
    rows = train_codec(recipe, [shard], [shard], folder, Pace(samples=samples), **more)
    while True:
        try:
            next(rows)
        except StopIteration as end:
            return end.value.averages["vae"]


def quality(model, shard):
    pictures = to_model(smaller(shard["rgb"], 32))
    return psnr(reconstruct(model, pictures), pictures)


def test_it_learns_and_resumed_equals_uninterrupted(tmp_path, shard):
    plain = trained(tmp_path / "none", shard, 0)
    whole = trained(tmp_path / "whole", shard, 400)
    trained(tmp_path / "parts", shard, 200)
    parts = trained(tmp_path / "parts", shard, 400)
    assert quality(whole, shard) > quality(plain, shard) + 1
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), parts.parameters(), strict=True))
    latents = whole.encode(to_model(smaller(shard["rgb"], 32))).latent_dist.mean
    assert latents.var((0, 2, 3)).mean().item() == pytest.approx(1, abs=1e-3)


def test_a_decoder_learns_on_while_the_latents_stay(tmp_path, shard):
    before = trained(tmp_path / "vae", shard, 200)
    after = trained(tmp_path / "decoder", shard, 400, replace(TINY, seed=5), decoder_of=before)
    pictures = to_model(smaller(shard["rgb"], 32))
    one, two = (each.encode(pictures).latent_dist for each in (before, after))
    assert torch.equal(one.mean, two.mean) and torch.equal(one.std, two.std)
    assert quality(after, shard) > quality(before, shard) + 0.2


def test_the_commands_decoder_goes_on_from_what_is_exported(tmp_path, shard, monkeypatch):
    monkeypatch.setattr(run, "Codec", lambda **given: replace(TINY, **{**given, "size": 32}))
    monkeypatch.setattr(run, "_shards", lambda *_: [shard])
    export = tmp_path / "export"
    encoders, seen = [], []
    for number, (part, until) in enumerate((("vae", 40), ("decoder", 80), ("decoder", 120), ("vae", 40))):
        monkeypatch.setattr(run, "_pace", lambda _, until=until: Pace(samples=until))
        options = TrainPrior(part, work=tmp_path / str(number), export=export)
        run.train_prior(options, lambda _: None)
        again = PatchAutoencoder.from_pretrained(export / "vae", torch_dtype=torch.float32)
        encoders.append(again.encode(torch.zeros(1, 3, 32, 32)).latent_dist.mean)
        seen.append({name: entry["samples"] for name, entry in read_card(export).items()})
    assert torch.equal(encoders[0], encoders[1]) and torch.equal(encoders[1], encoders[2])
    assert seen == [{"vae": 40}, {"vae": 40, "decoder": 80}, {"vae": 40, "decoder": 120}, {"vae": 40}]
