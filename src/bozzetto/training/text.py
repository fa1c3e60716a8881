"""The words of the embedded prior: a byte-pair tokenizer learnt from captions, in CLIP's layout."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from bozzetto.figure.captions import captions
from bozzetto.training.data import CROP_WORDS, FLAT_WORDS, person_spec

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 48
"""Tokens of a prompt, start and end included."""
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""CLIP's: words, single digits, runs of anything else."""


def sentences(people: int) -> Iterator[str]:
    """What the tokenizer learns from: captions of people nobody draws."""
    for seed in range(people):
        yield from captions(person_spec(seed), seed, 12)
    for words in (*CROP_WORDS.values(), FLAT_WORDS):
        yield from words * 100
    yield from ("front view", "side view", "back view", "overhead view", "a person", "of a human") * 100
    for verb in ("make", "change", "turn", "replace", "swap", "add", "remove", "give", "put", "take", "dye", "off"):
        yield from (f"{verb} the hair to look like a style instead of them without it should be", verb) * 20


def train_tokenizer(people: int = 3000, vocabulary: int = 1600) -> CLIPTokenizer:
    """A tokenizer in which every frequent word of the captions is one token, and any other is spelt."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    tokenizer.normalizer = normalizers.Sequence(  # type: ignore[assignment]
        [normalizers.NFC(), normalizers.Replace(r"\s+", " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [pre_tokenizers.Split(Regex(SPLIT), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
        min_frequency=20,
    )
    tokenizer.train_from_iterator(sentences(people), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary_table: dict[str, int] = model["vocab"]
    merges = [" ".join(pair) for pair in model["merges"]]
    # Every byte can also end a word, so that nothing is ever unknown.
    for byte in sorted(pre_tokenizers.ByteLevel.alphabet()):
        for token in (byte, byte + "</w>"):
            vocabulary_table.setdefault(token, len(vocabulary_table))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(vocabulary_table), encoding="utf-8")
        (Path(folder) / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
        return CLIPTokenizer(
            vocab=str(Path(folder) / "vocab.json"),
            merges=str(Path(folder) / "merges.txt"),
            model_max_length=LENGTH,
            pad_token=END,
        )


def text_config(tokenizer: CLIPTokenizer, width: int, layers: int) -> CLIPTextConfig:
    """The text encoder that goes with a tokenizer."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=LENGTH,
        projection_dim=128,
        bos_token_id=tokenizer.convert_tokens_to_ids(START),  # type: ignore[arg-type]
        eos_token_id=tokenizer.convert_tokens_to_ids(END),  # type: ignore[arg-type]
        pad_token_id=tokenizer.convert_tokens_to_ids(END),  # type: ignore[arg-type]
    )


def new_text(tokenizer: CLIPTokenizer, width: int, layers: int, seed: int) -> CLIPTextModel:
    """A text encoder of random weights."""
    torch.manual_seed(seed + 1)
    return CLIPTextModel(text_config(tokenizer, width, layers))


def at_end(text: CLIPTextModel, ids: Int[Tensor, "b n"], features: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
    """The features at each text's end."""
    end: Any = text.config.eos_token_id
    ends = torch.eq(ids, end).int().argmax(-1)
    return features[torch.arange(len(ids), device=ids.device), ends]


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> np.ndarray:
    """Rows of LENGTH token numbers."""
    found = tokenizer(texts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="np")
    return np.asarray(found["input_ids"])


def words(people: int = 3000) -> list[str]:
    """Every word of the captions, in small letters: what the prior has seen."""
    found: set[str] = set()
    for sentence in sentences(people):
        found.update(re.findall(r"[^\W\d_]+", sentence.lower()))
    return sorted(found)
