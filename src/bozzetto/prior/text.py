"""Words to what a diffusion model reads: one or two CLIP text encoders, and tokens learned later."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

CLOSED_VOCABULARY = 20_000
"""CLIP's 49,408 tokens spell every word; a tokenizer with fewer than this many knows the words it was trained on."""


class WordTable(nn.Embedding):
    """Token embeddings as they were trained, and a few beside them that are learned later.

    To whoever saves the encoder it is the embedding it stands for: same weight, same name, nothing learned.
    """

    def __init__(self, trained: nn.Embedding) -> None:
        super().__init__(trained.num_embeddings, trained.embedding_dim, _weight=trained.weight)
        self.weight = trained.weight
        self.learned: dict[str, nn.Parameter] = {}
        """By token: its vectors, [k d]."""
        self.ids: dict[str, list[int]] = {}

    def add(self, name: str, ids: Sequence[int], vectors: Float[Tensor, "k d"]) -> None:
        value = vectors.detach().clone().to(self.weight.device, torch.float32)
        self.learned[name] = nn.Parameter(value, requires_grad=False)
        self.ids[name] = list(ids)

    def forward(self, input: Int[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        embedded = super().forward(input.clamp(max=self.num_embeddings - 1))
        for name, vectors in self.learned.items():
            for piece, vector in zip(self.ids[name], vectors, strict=True):
                embedded = torch.where((input == piece)[..., None], vector.to(embedded.dtype), embedded)
        return embedded


class TextEncoder:
    """What turns prompts into text features: SD 1.5's and 2.1's single encoder, or SDXL's two."""

    def __init__(
        self,
        tokenizers: Sequence[Any],
        encoders: Sequence[nn.Module],
        empty_is_zero: bool = False,
        vocabulary: Collection[str] | None = None,
    ) -> None:
        """
        Args:
            tokenizers: CLIPTokenizers, one per encoder.
            encoders: One CLIPTextModel; or, for SDXL, a CLIPTextModel and a CLIPTextModelWithProjection.
            empty_is_zero: SDXL was trained with zeros, not with the features of an empty prompt.
            vocabulary: Every word of the training captions, in small letters; None where there is no such list.
        """
        self.tokenizers = tuple(tokenizers)
        self.encoders = tuple(encoders)
        self.empty_is_zero = empty_is_zero
        self.vocabulary = None if vocabulary is None else frozenset(vocabulary)
        self.tables: list[WordTable] = []
        for encoder in self.encoders:
            table = encoder.get_input_embeddings()  # type: ignore[operator]
            if not isinstance(table, WordTable):
                table = WordTable(table)
                encoder.set_input_embeddings(table)  # type: ignore[operator]
            self.tables.append(table)
        self._pieces: dict[str, int] = {}

    @property
    def learned(self) -> Mapping[str, int]:
        """The learned tokens, and how many vectors each stands for."""
        return dict(self._pieces)

    def __call__(self, prompts: Sequence[str]) -> Float[Tensor, "b n d"]:
        """Features of each prompt. With two encoders the last row is the pooled feature, zero-padded."""
        if len(self.encoders) == 1:
            return self.hidden(prompts)[0]
        features, pooled = [], None
        for index in range(len(self.encoders)):
            hidden, pooled = self.hidden(prompts, index, penultimate=True)
            features.append(hidden)
        text = torch.cat(features, -1)
        assert pooled is not None
        text = torch.cat([text, nn.functional.pad(pooled, (0, text.shape[-1] - pooled.shape[-1]))[:, None]], 1)
        if self.empty_is_zero:
            empty = torch.tensor([not prompt for prompt in prompts], device=text.device)
            text = text.masked_fill(empty[:, None, None], 0.0)
        return text

    def hidden(
        self, prompts: Sequence[str], index: int = 0, penultimate: bool = False
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b e"]]:
        """Features of every token, and those of the prompt's end (projected, where the encoder has a projection)."""
        encoder = self.encoders[index]
        ids = self.tokenize(prompts, index).to(next(encoder.parameters()).device)
        output = encoder(ids, output_hidden_states=penultimate)
        # Not the encoder's own pooling: it looks for the largest id, which a learned token would be.
        ends = (ids == self.tokenizers[index].eos_token_id).int().argmax(-1)
        pooled = output.last_hidden_state[torch.arange(len(ids), device=ids.device), ends]
        projection = getattr(encoder, "text_projection", None)
        pooled = pooled if projection is None else projection(pooled)
        return (output.hidden_states[-2] if penultimate else output.last_hidden_state), pooled

    def tokenize(self, prompts: Sequence[str], index: int = 0) -> Int[Tensor, "b n"]:
        """Token ids, padded to the full length; what is too long is cut."""
        return self.tokenizers[index](
            [self._spelt(prompt) for prompt in prompts],
            padding="max_length",
            max_length=self.room,
            truncation=True,
            return_tensors="pt",
        ).input_ids

    @property
    def room(self) -> int:
        """How many tokens fit, the start and the end among them."""
        positions = min(_config(encoder).max_position_embeddings for encoder in self.encoders)
        return min(positions, *(tokenizer.model_max_length for tokenizer in self.tokenizers))

    def cut(self, prompt: str) -> str:
        """What of a prompt does not fit; usually nothing."""
        tokenizer = self.tokenizers[0]
        pieces = tokenizer.tokenize(self._spelt(prompt), verbose=False)[self.room - 2 :]
        return tokenizer.convert_tokens_to_string(pieces).replace("</w>", " ").strip()

    def unknown_words(self, prompt: str) -> list[str]:
        """Words the encoder never saw: not on its list, or, without a list, not whole in a closed vocabulary."""
        tokenizer = self.tokenizers[0]
        if self.vocabulary is None and len(tokenizer) > CLOSED_VOCABULARY:
            return []
        for token in self._pieces:
            prompt = prompt.replace(token, " ")
        words = dict.fromkeys(re.findall(r"[^\W\d_]+", prompt.lower()))
        if self.vocabulary is not None:
            return [word for word in words if word not in self.vocabulary]
        return [word for word in words if len(tokenizer.tokenize(word)) != 1]

    def add_token(self, name: str, vectors: Sequence[Float[Tensor, "k _"]]) -> None:
        """A word of one's own, standing for one vector or several.

        Args:
            name: As it is written in prompts: "<back-view>".
            vectors: For each encoder.

        Raises:
            ValueError: The name is taken or is no token, or the vectors do not fit the encoders.
        """
        if not re.fullmatch(r"<[a-z0-9-]+>", name):
            raise ValueError(f"A learned token is written like <back-view>, in small letters; got {name!r}.")
        if name in self._pieces:
            raise ValueError(f"The token {name} exists already.")
        widths = [table.embedding_dim for table in self.tables]
        if [rows.shape[-1] for rows in vectors] != widths or len({len(rows) for rows in vectors}) != 1:
            raise ValueError(
                f"{name} needs vectors of width {' and '.join(map(str, widths))} for this text encoder; "
                f"got shapes {', '.join(str(tuple(rows.shape)) for rows in vectors)}."
            )
        self._pieces[name] = len(vectors[0])
        for tokenizer, table, rows in zip(self.tokenizers, self.tables, vectors, strict=True):
            tokenizer.add_tokens(self._names(name))
            table.add(name, [tokenizer.convert_tokens_to_ids(piece) for piece in self._names(name)], rows)

    def vectors(self, name: str) -> list[nn.Parameter]:
        """A learned token's vectors, [k d], for each encoder."""
        return [table.learned[name] for table in self.tables]

    def trained_vectors(self, words: str) -> list[Float[Tensor, "k _"]]:
        """The embeddings of ordinary words, one for each of their tokens, for each encoder."""
        found = []
        for tokenizer, table in zip(self.tokenizers, self.tables, strict=True):
            ids = torch.tensor(tokenizer(words, add_special_tokens=False).input_ids, device=table.weight.device)
            found.append(table.weight[ids].detach().float())
        return found

    def _names(self, name: str) -> list[str]:
        return [name, *(f"{name[:-1]}--{piece}>" for piece in range(1, self._pieces[name]))]

    def _spelt(self, prompt: str) -> str:
        for name, pieces in self._pieces.items():
            if pieces > 1:
                prompt = prompt.replace(name, " ".join(self._names(name)))
        return prompt


def _config(encoder: nn.Module) -> Any:
    config: Any = encoder.config
    return getattr(config, "text_config", config)
