"""Stable Diffusion 1.5 at its full size, with random weights: ``python benchmarks/prior_full_size.py [--threads N]``.

Speed and memory do not depend on what the weights say, so this needs no download. Memory is the peak of the process
so far, the weights included.

| date       | machine         | text | noise, 64x64 latents | decode | encode 512 px, gradient | peak   |
|------------|-----------------|------|----------------------|--------|-------------------------|--------|
| 2026-11-21 | 2 cores, shared | 0.8  | 14.3 (4.9 GB)        | 31.0   | 29.3                    | 7.9 GB |
Float32, CPU seconds of both threads together: others were at work (load 9 to 15), so wall time says nothing.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bozzetto.prior.denoiser import Network, Prior
from bozzetto.prior.schedule import schedule_from_config
from bozzetto.prior.text import TextEncoder


def full_size(device: str, dtype: torch.dtype) -> Prior:
    """The architecture of stable-diffusion-v1-5, as its config.json files have it."""
    unet = UNet2DConditionModel(
        sample_size=64, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=(320, 640, 1280, 1280),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=8, cross_attention_dim=768,
    )  # fmt: skip
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512,
    )  # fmt: skip
    words = CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    text = CLIPTextModel(words)
    letters = ByteLevel.alphabet()
    names = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer({name: index for index, name in enumerate(names)}, [], model_max_length=77)
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    unet, text = (each.to(device, dtype).eval().requires_grad_(False) for each in (unet, text))
    autoencoder = autoencoder.to(device).eval().requires_grad_(False)
    schedule = schedule_from_config({"prediction_type": "epsilon", **betas})
    return Prior("sd15, random", autoencoder, Network(unet, schedule), TextEncoder([tokenizer], [text]))


def measure(name: str, work: Callable[[], object]) -> None:
    """One call; CPU seconds count what all threads did, whoever else was at work."""
    start, before = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    wall, computed = time.perf_counter() - start, time.process_time() - before
    peak = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
    if torch.cuda.is_available():
        peak += f", on the GPU {torch.cuda.max_memory_allocated() / 1e9:.2f} GB"
    print(f"{name}: {wall:.1f} s, {computed:.1f} CPU-s, peak {peak}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    dtype = torch.float32 if arguments.device == "cpu" else torch.float16
    start = time.perf_counter()
    prior = full_size(arguments.device, dtype)
    count = sum(parameter.numel() for parameter in prior.base.unet.parameters())
    print(f"built in {time.perf_counter() - start:.0f} s: U-Net of {count / 1e6:.0f} M parameters, {dtype}")

    text = prior.embed(["a man in a suit"])
    latents, t = torch.randn(1, 4, 64, 64, device=arguments.device), torch.tensor([0.5], device=arguments.device)
    image = torch.rand(1, 512, 512, 3, device=arguments.device, requires_grad=True)

    def noise() -> None:
        with torch.no_grad():
            prior.predict_noise(latents, t, text)

    def decode() -> None:
        with torch.no_grad():
            prior.decode(latents)

    measure("text", lambda: prior.embed(["a man in a suit"]))
    measure("noise at 64x64 latents", noise)
    measure("decode to 512 px", decode)
    measure("encode 512 px with gradient", lambda: prior.encode(image).square().sum().backward())
    print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {arguments.threads} threads")


if __name__ == "__main__":
    main()
