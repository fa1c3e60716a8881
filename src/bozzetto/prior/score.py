"""How well a picture fits words, by a vision tower trained beside a text encoder (CLIP)."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from bozzetto.prior.text import TextEncoder
from bozzetto.types import UserError

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


class Likeness:
    """Cosine similarity of pictures and prompts."""

    def __init__(
        self,
        see: Callable[[Float[Tensor, "b c y x"]], Float[Tensor, "b e"]],
        read: Callable[[Sequence[str]], Float[Tensor, "b e"]],
        size: int,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
    ) -> None:
        """
        Args:
            see: Features of normalised pictures, channels-first.
            read: Features of prompts.
            size: Pixels of a side that ``see`` expects.
            mean: Of each channel, taken away before ``see``.
            std: Divided by after that.
        """
        self.see, self.read, self.size = see, read, size
        self.mean, self.std = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def __call__(self, images: Float[Tensor, "b h w 3"], prompts: Sequence[str]) -> Float[Tensor, "b"]:
        """One number a pair, in [-1, 1]; differentiable in the pictures."""
        return F.cosine_similarity(self.features(images), self.read(prompts).to(images.device), dim=-1)

    def features(self, images: Float[Tensor, "b h w 3"]) -> Float[Tensor, "b e"]:
        """What the tower sees in pictures of any size."""
        pictures = images.movedim(-1, 1)
        if pictures.shape[-2:] != (self.size, self.size):
            pictures = F.interpolate(pictures, (self.size, self.size), mode="bilinear", antialias=True)
        return self.see((pictures - self.mean.to(images.device)) / self.std.to(images.device))


def load_likeness(
    folder: Path, text: TextEncoder, model: Callable[[Any, Path, torch.dtype], Any], device: torch.device
) -> Likeness:
    """A vision tower from a folder: a whole CLIPModel, or a CLIPVisionModelWithProjection for the prior's own text.

    Args:
        folder: Beside the tower's weights, the latter has the text's side as text_projection/model.safetensors
            ("weight"), unless the text encoder has a projection itself.
        text: The prior's text encoder.
        model: Loads one model: class, folder, dtype.
        device: Where to.
    """
    import transformers

    config = json.loads((folder / "config.json").read_text())
    mean, std = CLIP_MEAN, CLIP_STD
    if (folder / "preprocessor_config.json").is_file():
        preprocessing = json.loads((folder / "preprocessor_config.json").read_text())
        mean, std = preprocessing.get("image_mean", mean), preprocessing.get("image_std", std)
    if "vision_config" in config:
        clip = model(transformers.CLIPModel, folder, torch.float32).to(device)
        tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        words = TextEncoder([tokenizer], [clip.text_model])
        return Likeness(
            lambda pictures: clip.visual_projection(clip.vision_model(pixel_values=pictures).pooler_output),
            lambda prompts: clip.text_projection(words.hidden(prompts)[1]),
            int(config["vision_config"].get("image_size", 224)),
            mean,
            std,
        )
    tower = model(transformers.CLIPVisionModelWithProjection, folder, torch.float32).to(device)
    projection = nn.Identity()
    if (folder / "text_projection" / "model.safetensors").is_file():
        from safetensors.torch import load_file

        weight = load_file(folder / "text_projection" / "model.safetensors")["weight"].float().to(device)
        projection = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device=device)
        projection.weight = nn.Parameter(weight, requires_grad=False)
    elif getattr(text.encoders[-1], "text_projection", None) is None:
        raise UserError(
            f"{folder} has no text_projection/model.safetensors. Make it with: bozzetto train-prior --part vision."
        )
    last = len(text.encoders) - 1
    return Likeness(
        lambda pictures: tower(pixel_values=pictures).image_embeds,
        lambda prompts: projection(text.hidden(prompts, last)[1].float()),
        int(config["image_size"]),
        mean,
        std,
    )
