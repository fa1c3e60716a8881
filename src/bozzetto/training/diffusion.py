"""Training the U-Net on latents that are computed once, with a text encoder that can read already.

v-prediction with zero terminal SNR (Lin et al. 2023, arXiv:2305.08891). Losses are weighted by min-SNR (Hang et al.
2023, arXiv:2303.09556), but never by less than plain v-prediction does where there is almost no signal: their weight
would leave the first step of sampling untrained.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from jaxtyping import Float, Float32, Int, UInt8
from numpy import ndarray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

from bozzetto.files import atomic_path
from bozzetto.prior.autoencoder import FACTOR, PatchAutoencoder
from bozzetto.prior.denoiser import Network, Prior
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.prior.schedule import Schedule, schedule_from_config
from bozzetto.prior.text import TextEncoder
from bozzetto.training.codec import to_model
from bozzetto.training.data import Shard, phrase, smaller
from bozzetto.training.loop import Pace, Training, draws, normal_noise, quick, train
from bozzetto.training.optimizer import Muon
from bozzetto.training.recolour import recoloured
from bozzetto.training.sheets import save_sheet
from bozzetto.training.text import LENGTH, tokens


@dataclass(frozen=True)
class Base:
    """The U-Net's recipe."""

    size: int = 64
    """Pixels of a side."""
    channels: tuple[int, ...] = (64, 128, 192)
    layers: int = 1
    """Blocks a resolution."""
    heads: tuple[int, ...] = (2, 4, 6)
    blind: int = 1
    """So many of the finest resolutions do not attend, neither to words nor to one another."""
    batch: int = 48
    learning_rate: float = 1e-3
    tire_samples: int = 100_000
    """From here on the learning rate falls with the square root of the pictures seen."""
    warmup_steps: int = 50
    without_text: float = 0.1
    """Share of samples that see no caption."""
    inpainted: float = 0.35
    """Share of samples that are partly known."""
    other_colours: float = 0.7
    """Share of samples whose clothes and hair take other colours, where they can."""
    snr_limit: float = 5.0
    evened: float = 0.5
    """How far the loss is taken from large things to small ones, 0 to 1: see ``evened``."""
    seed: int = 0


def scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise levels, ending in pure noise."""
    return DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type="v_prediction",
        rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )  # fmt: skip


def schedule() -> Schedule:
    """The same, as the product knows it."""
    return schedule_from_config(dict(scheduler().config))


def new_unet(recipe: Base, latent_channels: int, text_width: int) -> UNet2DConditionModel:
    """A U-Net with inpainting channels: noisy latents, mask, latents of what is known.

    Beside attending to every word it is told all of them at once, with the noise level, as DeepFloyd IF is: what holds
    for the whole picture is learned sooner.
    """
    blind, seeing = recipe.blind, len(recipe.channels) - recipe.blind
    torch.manual_seed(recipe.seed)
    return UNet2DConditionModel(
        sample_size=recipe.size // FACTOR,
        in_channels=2 * latent_channels + 1,
        out_channels=latent_channels,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.layers,
        down_block_types=("DownBlock2D",) * blind + ("CrossAttnDownBlock2D",) * seeing,
        up_block_types=("CrossAttnUpBlock2D",) * seeing + ("UpBlock2D",) * blind,
        cross_attention_dim=text_width,
        addition_embed_type="text",
        addition_embed_type_num_heads=text_width // 48,
        attention_head_dim=recipe.heads,  # type: ignore[arg-type]
        use_linear_projection=True,
    )


# ---------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True, eq=False)
class Store:
    """Pictures at the training size with their latents, in memory."""

    latents: Float[ndarray, "n c y x"]
    """float16."""
    pictures: UInt8[ndarray, "n s s 3"]
    layers: UInt8[ndarray, "n s s"]
    records: list[dict[str, Any]]
    shards: list[tuple[Shard, int]]
    """Of each picture: where it comes from, and its place there."""

    def __len__(self) -> int:
        return len(self.records)


def store(found: Sequence[Shard], vae: PatchAutoencoder, size: int, cache: Path) -> Store:
    """The shards' pictures and latents; what was computed once lies in ``cache``, by the encoder's weights."""
    digest = hashlib.sha256()
    for name, tensor in vae.state_dict().items():
        if not name.startswith(("synthesis", "decoder")):
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    folder = cache / f"{digest.hexdigest()[:12]}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Mapping[str, ndarray]] = []
    for shard in found:
        path = folder / shard.path.name
        if not path.exists():
            pictures = smaller(shard["rgb"], size)
            layers = shard["layer"]
            step = layers.shape[1] // size
            arrays = {
                "latents": _encode(vae, pictures).astype(np.float16),
                "pictures": pictures,
                "layers": np.ascontiguousarray(layers[:, step // 2 :: step, step // 2 :: step]),
            }
            with atomic_path(path) as partial:
                save_file(arrays, partial)
        parts.append(load_file(path))
    return Store(
        np.concatenate([part["latents"] for part in parts]),
        np.concatenate([part["pictures"] for part in parts]),
        np.concatenate([part["layers"] for part in parts]),
        [record for shard in found for record in shard.records],
        [(shard, index) for shard in found for index in range(len(shard.records))],
    )


@torch.no_grad()
def _encode(vae: PatchAutoencoder, pictures: UInt8[ndarray, "n s s 3"]) -> Float[ndarray, "n c y x"]:
    device = vae.latent_mean.device
    return torch.cat(
        [vae.encode(part.to(device)).latent_dist.mean.cpu() for part in to_model(pictures).split(64)]
    ).numpy()


@dataclass(frozen=True, eq=False)
class Batch:
    """Some of the pictures, as one step sees them."""

    latents: Float[Tensor, "b c y x"]
    pictures: UInt8[ndarray, "b s s 3"]
    layers: UInt8[ndarray, "b s s"]
    records: list[dict[str, Any]]


def batch_of(
    data: Store,
    indices: Int[ndarray, "b"],
    vae: PatchAutoencoder,
    other_colours: float = 0.0,
    rng: np.random.Generator | None = None,
    keep: int = 0,
) -> Batch:
    """The pictures of these numbers; with this probability each in other colours, but for the first ``keep``."""
    latents = torch.from_numpy(data.latents[indices]).float()
    pictures, layers = data.pictures[indices], data.layers[indices]
    records = [data.records[index] for index in indices]
    changed = []
    for row, index in enumerate(indices):
        if rng is not None and row >= keep and rng.random() < other_colours:
            shard, place = data.shards[index]
            if (found := recoloured(shard, place, rng)) is not None:
                pictures[row], records[row] = smaller(found[0][None], pictures.shape[1])[0], found[1]
                changed.append(row)
    if changed:
        latents[changed] = torch.from_numpy(_encode(vae, pictures[changed]))
    return Batch(latents, pictures, layers, records)


def captions_of(
    records: Sequence[dict[str, Any]], tokenizer: CLIPTokenizer, without: float, rng: np.random.Generator
) -> Int[Tensor, "b n"]:
    """Tokens of one caption each: one of a few that fits; some are empty."""
    texts = []
    for record in records:
        text = ""
        if rng.random() >= without:
            for _ in range(4):
                text = phrase(record, rng)
                if len(tokenizer.tokenize(text, verbose=False)) <= LENGTH - 2:
                    break
        texts.append(text)
    return torch.from_numpy(tokens(tokenizer, texts))


def random_mask(layers: UInt8[ndarray, "s s"], rng: np.random.Generator) -> Float[ndarray, "s s"]:
    """1 where to paint: a box, the outside of a box, a layer or two, or the figure."""
    size = layers.shape[0]
    kind = rng.random()
    if kind < 0.5:
        low, high = np.sort(rng.integers(0, size + 1, size=(2, 2)), axis=0)
        mask = np.zeros((size, size), np.float32)
        mask[low[0] : max(high[0], low[0] + 8), low[1] : max(high[1], low[1] + 8)] = 1
        return 1 - mask if kind < 0.1 else mask
    present = np.unique(layers[layers > 0])
    if kind < 0.6 or len(present) == 0:
        return (layers > 0).astype(np.float32)
    chosen = np.isin(layers, rng.choice(present, size=min(len(present), int(rng.integers(1, 3))), replace=False))
    grow = int(rng.integers(0, 5))  # what is painted over is a little larger than what was there
    grown = F.max_pool2d(torch.from_numpy(chosen[None].astype(np.float32)), 2 * grow + 1, 1, grow)
    return grown[0].numpy()


class Known:
    """The inpainting channels: what of a picture is given."""

    def __init__(self, vae: PatchAutoencoder, size: int) -> None:
        self.vae = vae
        with torch.no_grad():
            grey = torch.zeros(1, 3, size, size, device=vae.latent_mean.device)
            self.grey = vae.encode(grey).latent_dist.mean

    @torch.no_grad()
    def __call__(self, batch: Batch, share: float, rng: np.random.Generator) -> Float[Tensor, "b k y x"]:
        """Mask and known latents; ones and a grey picture for most."""
        y, x = self.grey.shape[2:]
        mask = torch.ones(len(batch.records), 1, y, x)
        known = self.grey.repeat(len(batch.records), 1, 1, 1)
        painted = [i for i in range(len(batch.records)) if rng.random() < share]
        if painted:
            masks = torch.from_numpy(np.stack([random_mask(batch.layers[i], rng) for i in painted]))[:, None]
            pictures = to_model(batch.pictures[painted]) * (1 - masks)
            known[painted] = self.vae.encode(pictures.to(known.device)).latent_dist.mean
            mask[painted] = F.interpolate(masks, (y, x), mode="nearest")
        return torch.cat([mask.to(known.device), known], 1)


# ---------------------------------------------------------------------------------------------------- training


def times(batch: int, steps: int, rng: np.random.Generator) -> Int[Tensor, "b"]:
    """Evenly spread over all noise levels, in random order."""
    spread = (np.arange(batch) + rng.random()) / batch
    return torch.from_numpy(rng.permutation((spread * steps).astype(np.int64)))


def loss_weights(power: Float[Tensor, "b"], limit: float) -> Float[Tensor, "b"]:
    """Of squared errors of v, where ``power`` is the signal's share of the variance.

    Min-SNR is min(SNR, limit) / (SNR + 1); this is min(1, limit / (SNR + 1)).
    """
    return (limit * (1 - power)).clamp(max=1.0)


def evened(layers: UInt8[ndarray, "b s s"], places: int, power: float) -> Float32[Tensor, "b 1 y x"]:
    """What the error counts at each of ``places`` by ``places`` latents; one in the mean of each picture.

    A pixel counts by the area of the layer it shows (the background is one) to minus this power. At 1 a strip of shirt
    that a coat leaves counts as much as the coat; at 0 as much as its pixels, which is nothing, and it is painted in
    the coat's colour. What the network should say at any place stays the same.
    """
    counts = [np.bincount(layer.ravel(), minlength=256)[layer] for layer in layers]
    weights = torch.from_numpy(np.stack(counts).astype(np.float32) ** -power)[:, None]
    weights = F.adaptive_avg_pool2d(weights, places)
    return weights / weights.mean((1, 2, 3), keepdim=True)


def base_loss(
    unet: nn.Module,
    latents: Float[Tensor, "b c y x"],
    known: Float[Tensor, "b k y x"],
    text: Float[Tensor, "b n d"],
    steps: Int[Tensor, "b"],
    noise: Float[Tensor, "b c y x"],
    levels: Schedule,
    limit: float,
    places: Float[Tensor, "b 1 y x"] | float = 1.0,
    **extra: Any,
) -> tuple[Float[Tensor, ""], Float[Tensor, "b"]]:
    """The loss, weighted by noise level and by place, and each sample's plain squared error of v."""
    assert levels.signal_power is not None
    power = levels.signal_power.to(latents.device)[steps]
    a, b = (factor.sqrt().view(-1, 1, 1, 1) for factor in (power, 1 - power))
    seen = torch.cat([a * latents + b * noise, known], 1)
    output = unet(seen, steps, encoder_hidden_states=text, **extra).sample
    error = (output.float() - (a * noise - b * latents)).square()
    loss = ((error * places).mean((1, 2, 3)) * loss_weights(power, limit)).mean()
    return loss, error.mean((1, 2, 3)).detach()


def train_base(
    recipe: Base,
    vae: PatchAutoencoder,
    tokenizer: CLIPTokenizer,
    text: CLIPTextModel,
    data: Store,
    held: Store,
    folder: Path,
    pace: Pace,
    device: str = "cpu",
    start: nn.Module | None = None,
    seen: int = 0,
    seconds: float = 0.0,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop.

    Args:
        recipe: Sizes and rates.
        vae: Trained, on ``device``.
        tokenizer: Of the captions.
        text: The trained text encoder; it stays as it is.
        data: Pictures to learn from.
        held: Pictures to measure on.
        folder: Of checkpoint, log and sheets.
        pace: When to stop and to write.
        device: Where the networks live.
        start: A U-Net to begin with where there is no checkpoint.
        seen: Pictures it has seen.
        seconds: What that took.
    """
    unet = new_unet(recipe, vae.config.latent_channels, text.config.hidden_size)  # type: ignore[attr-defined]
    if start is not None:
        unet.load_state_dict({k: v.float() for k, v in start.state_dict().items()})
    nn.Module.to(unet, device).train()
    nn.Module.to(text, device).eval().requires_grad_(False)
    optimizer = Muon([unet], recipe.learning_rate)
    training = Training(folder, {"unet": unet}, optimizer, samples=seen, seconds=seconds)
    training.load()
    known, levels = Known(vae, recipe.size), schedule()

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        rng = draws(recipe.seed, training.samples)
        indices = rng.integers(len(data), size=recipe.batch)
        batch = batch_of(data, indices, vae, recipe.other_colours, rng)
        ids = captions_of(batch.records, tokenizer, recipe.without_text, rng).to(device)
        channels, latents = known(batch, recipe.inpainted, rng), batch.latents.to(device)
        noise = normal_noise(tuple(latents.shape), recipe.seed, training.samples, 1).to(device)
        steps = times(recipe.batch, levels.steps, rng).to(device)
        with torch.no_grad():
            words = text(ids).last_hidden_state
        places = evened(batch.layers, latents.shape[-1], recipe.evened).to(device)
        with quick(device):
            loss, error = base_loss(unet, latents, channels, words, steps, noise, levels, recipe.snr_limit, places)
        loss.backward()
        return recipe.batch, {"loss": float(loss.detach()), "error": float(error.mean()), "rate": rate}

    def look() -> dict[str, float]:
        networks = {**training.averages, "text_encoder": text}
        mean = held_error(networks, vae, tokenizer, held, recipe, device)
        prior = as_prior(vae, networks, tokenizer)
        pictures = preview(prior, PREVIEW)
        save_sheet(pictures.movedim(-1, 1), folder / f"samples-{training.samples:08d}.png", 8, 3)
        return {"held_error": mean}

    yield from train(training, one_step, pace, look)
    return training


@torch.no_grad()
def held_error(
    modules: Mapping[str, nn.Module],
    vae: PatchAutoencoder,
    tokenizer: CLIPTokenizer,
    held: Store,
    recipe: Base,
    device: str = "cpu",
    count: int = 256,
) -> float:
    """Squared error of v over all noise levels, on people never trained on; always the same ones and the same noise."""
    known, levels, errors = Known(vae, recipe.size), schedule(), []
    picks = np.linspace(0, len(held) - 1, min(count, len(held))).astype(int)
    for number, part in enumerate(np.array_split(picks, max(1, len(picks) // 64))):
        rng = draws(99, number)
        batch = batch_of(held, part, vae)
        ids = captions_of(batch.records, tokenizer, 0.0, rng).to(device)
        channels, latents = known(batch, 0.0, rng), batch.latents.to(device)
        noise = normal_noise(tuple(latents.shape), 99, number, 1).to(device)
        steps = times(len(part), levels.steps, rng).to(device)
        words = modules["text_encoder"](ids).last_hidden_state
        errors.append(base_loss(modules["unet"], latents, channels, words, steps, noise, levels, 5.0)[1].cpu())
    return float(torch.cat(errors).mean())


PREVIEW = (
    "A young woman with long wavy blonde hair, wearing a red t-shirt and blue jeans, front view, full body",
    "a man with short black hair in a green sweater, black trousers and white sneakers, front view, full body",
    "A woman in a yellow dress and red boots, side view, full body",
    "an old man with a full beard in a purple coat, back view, full body",
    "a boy in an orange hoodie and brown shorts, front view, full body, flat light",
    "A robotic man in a white shirt and red trousers, front view, full body",
    "a woman with a black bob and green eyes, front view, head portrait",
    "a smiling man with a full beard, sunglasses and a red cap, front view, head portrait",
)


def preview(prior: Prior, prompts: Sequence[str], seeds: int = 2, steps: int = 20) -> Float[Tensor, "n h w 3"]:
    """The prompts, once a row with each seed."""
    rows = []
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        rows.append(imagine(prior, prompts, steps=steps, guidance=Guidance(4.0), generator=generator).cpu())
    return torch.cat(rows).clamp(0, 1)


def as_prior(vae: PatchAutoencoder, modules: Mapping[str, nn.Module], tokenizer: CLIPTokenizer) -> Prior:
    """Networks in training as the product would load them."""
    text = TextEncoder([deepcopy(tokenizer)], [deepcopy(modules["text_encoder"]).eval()])
    return Prior("training", vae, Network(modules["unet"].eval(), schedule()), text)
