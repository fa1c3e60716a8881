"""Pipelines of the true architectures with random weights, small enough for tests; and networks with known answers."""

import json
from pathlib import Path

import torch
from torch import nn

from bozzetto.prior.denoiser import Network, Prior, Roles
from bozzetto.prior.schedule import Schedule, schedule_from_config
from bozzetto.prior.text import TextEncoder

WORDS = "a man woman person in red green dress front side back view of the photo hair face old young".split()
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
}


def tokenizer(folder: Path, words: list[str] = WORDS) -> int:
    """A CLIP tokenizer that spells every word and holds some whole; returns the number of its tokens."""
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    trained = Tokenizer(BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.Whitespace()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=5000, end_of_word_suffix="</w>", initial_alphabet=letters, show_progress=False)
    trained.train_from_iterator([" ".join(words)], trainer)
    model = json.loads(trained.to_str())["model"]
    merges = model["merges"]
    vocabulary = list(dict.fromkeys([*letters, *(letter + "</w>" for letter in letters), *model["vocab"]]))
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    settings = {"model_max_length": 16, "tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(vocabulary)


def text_encoder(folder: Path, tokens: int, width: int = 32, projection: int | None = None) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=tokens, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=16, projection_dim=projection or width,
        bos_token_id=tokens - 2, eos_token_id=tokens - 1,
    )  # fmt: skip
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    kind(config).save_pretrained(folder)


def autoencoder(folder: Path, scaling_factor: float = 0.18215) -> None:
    from diffusers import AutoencoderKL

    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16), layers_per_block=2, norm_num_groups=4, latent_channels=4,
        sample_size=64, scaling_factor=scaling_factor,
    ).save_pretrained(folder)  # fmt: skip


def unet(folder: Path, channels: int = 4, **changes) -> None:
    from diffusers import UNet2DConditionModel

    UNet2DConditionModel(**{**SD15_UNET, "in_channels": channels, **changes}).save_pretrained(folder)


SD15_UNET = dict(
    sample_size=8, in_channels=4, out_channels=4,
    down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    block_out_channels=(8, 16, 16, 16), layers_per_block=2, attention_head_dim=4, cross_attention_dim=32,
    norm_num_groups=4,
)  # fmt: skip
SD21_UNET = dict(attention_head_dim=(1, 2, 2, 2), use_linear_projection=True, upcast_attention=True)
SDXL_UNET = dict(
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    block_out_channels=(8, 16, 16), transformer_layers_per_block=(1, 2, 3), attention_head_dim=(1, 2, 2),
    use_linear_projection=True, cross_attention_dim=32 + 48, addition_embed_type="text_time",
    addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + 40,
)  # fmt: skip


def write_scheduler(folder: Path, **changes) -> None:
    (folder / "scheduler").mkdir(parents=True, exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({**SCHEDULER, **changes}))


def pipeline(folder: Path, channels: int = 4, unet_changes: dict | None = None, **scheduler) -> Path:
    torch.manual_seed(0)
    tokens = tokenizer(folder / "tokenizer")
    text_encoder(folder / "text_encoder", tokens)
    autoencoder(folder / "vae")
    unet(folder / "unet", channels, **(unet_changes or {}))
    write_scheduler(folder, **scheduler)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    return folder


def sd15(folder: Path) -> Path:
    return pipeline(folder)


def sd21(folder: Path) -> Path:
    return pipeline(folder, unet_changes=SD21_UNET, prediction_type="v_prediction")


def sdxl(folder: Path) -> Path:
    pipeline(folder, unet_changes=SDXL_UNET)
    tokens = tokenizer(folder / "tokenizer_2")
    text_encoder(folder / "text_encoder_2", tokens, 48, projection=40)
    index = {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def controlnet(
    folder: Path,
    base: Path,
    channels: int = 3,
    strength: float = 0.1,
    embedding: tuple[int, ...] = (16, 32, 96, 256),
) -> Path:
    """A control network of the base's shape; its last convolutions are not zero, as they would be before training."""
    from diffusers import ControlNetModel, UNet2DConditionModel

    network = ControlNetModel.from_unet(
        UNet2DConditionModel.from_pretrained(base / "unet"),
        conditioning_channels=channels,
        conditioning_embedding_out_channels=embedding,
    )
    with torch.no_grad():
        for part in (
            *network.controlnet_down_blocks,
            network.controlnet_mid_block,
            network.controlnet_cond_embedding.conv_out,
        ):
            nn.init.normal_(part.weight, std=strength)
    network.save_pretrained(folder)
    return folder


def embedded(folder: Path) -> Path:
    """The embedded family's layout: patch autoencoder of 16 channels, inpainting channels, one control network."""
    from bozzetto.prior.autoencoder import PatchAutoencoder

    torch.manual_seed(0)
    tokens = tokenizer(folder / "tokenizer")
    text_encoder(folder / "text_encoder", tokens)
    model = PatchAutoencoder(16, 8)
    model.start_from_components(smooth_pictures(24, 32).movedim(-1, 1) * 2 - 1)
    model.normalise(smooth_pictures(24, 32).movedim(-1, 1) * 2 - 1)
    model.save_pretrained(folder / "vae")
    unet(
        folder / "unet", 33, sample_size=16, out_channels=16, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    write_scheduler(folder, _class_name="DDIMScheduler", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    controlnet(folder / "controlnet", folder, channels=15, embedding=(8, 8, 16))
    return folder


def smooth_pictures(count: int, size: int, seed: int = 0) -> torch.Tensor:
    """Colourful pictures without sharp edges, [count size size 3] in [0, 1]."""
    coarse = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1).movedim(1, -1)


class Latents(nn.Module):
    """An autoencoder whose latents are the pixels of a picture shrunk eightfold, so every answer is known."""

    def __init__(self, scaling_factor: float = 1.0) -> None:
        super().__init__()
        self.config = type("Config", (), {"latent_channels": 3, "scaling_factor": scaling_factor, "shift_factor": None})
        self.anchor = nn.Parameter(torch.zeros(()))

    def encode(self, x):
        from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

        mean = nn.functional.avg_pool2d(x, 8)
        both = torch.cat([mean, torch.full_like(mean, -30.0)], 1)
        return type("Output", (), {"latent_dist": DiagonalGaussianDistribution(both)})

    def decode(self, z):
        return type("Output", (), {"sample": nn.functional.interpolate(z, scale_factor=8.0, mode="nearest")})


class Gaussian(nn.Module):
    """The exact network of data N(mean, spread^2): every kind of output follows from the posterior mean."""

    def __init__(self, schedule: Schedule, mean: torch.Tensor, spread: float = 0.0, channels: int = 3) -> None:
        super().__init__()
        self.config = type("Config", (), {"in_channels": channels, "sample_size": 4})
        self.schedule, self.mean, self.spread = schedule, mean, spread
        self.anchor = nn.Parameter(torch.zeros(()))
        self.seen: list[torch.Tensor] = []

    def clean(self, noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        a, b = (factor.view(-1, 1, 1, 1) for factor in self.schedule.signal(t))
        gain = a * self.spread**2 / (a**2 * self.spread**2 + b**2)
        return self.mean + gain * (noisy - a * self.mean)

    def forward(self, sample, timestep, encoder_hidden_states, **_):
        self.seen.append(sample)
        schedule = self.schedule
        discrete = schedule.signal_power is not None
        t = timestep.float() / (schedule.steps - 1) if discrete else timestep / schedule.steps
        noisy = sample[:, :3]
        a, b = (factor.view(-1, 1, 1, 1) for factor in schedule.signal(t))
        clean = self.clean(noisy, t)
        noise = (noisy - a * clean) / b
        return (schedule.target(clean, noise, t),)


def schedule(kind: str, zero_snr: bool = False) -> Schedule:
    name = {"_class_name": "FlowMatchEulerDiscreteScheduler"} if kind == "flow" else {"prediction_type": kind}
    return schedule_from_config({**SCHEDULER, **name, "rescale_betas_zero_snr": zero_snr})


def known_prior(folder: Path, kind: str, mean: torch.Tensor, spread: float = 0.0, zero_snr: bool = False) -> Prior:
    """A prior of which everything is known; its words mean nothing."""
    noise_levels = schedule(kind, zero_snr)
    return Prior(
        "known", Latents(), Network(Gaussian(noise_levels, mean, spread), noise_levels), words(folder), Roles()
    )


def words(folder: Path) -> TextEncoder:
    from transformers import CLIPTextModel, CLIPTokenizer

    if not (folder / "tokenizer").exists():
        torch.manual_seed(0)
        text_encoder(folder / "text_encoder", tokenizer(folder / "tokenizer"))
    model = CLIPTextModel.from_pretrained(folder / "text_encoder").eval().requires_grad_(False)
    return TextEncoder([CLIPTokenizer.from_pretrained(folder / "tokenizer")], [model])
