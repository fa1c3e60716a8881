"""Trained networks become the folders of the embedded prior: fp16, whole or not at all, with a card."""

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from bozzetto.files import PARTIAL, atomic_path

CARD = "card.json"
FILE_LIMIT = "15MB"


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path``; it takes that name when the block ends well, and what was there goes."""
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    old = path.with_name(f"{PARTIAL}{os.getpid()}-old-{path.name}")
    for each in (partial, old):
        shutil.rmtree(each, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            os.replace(path, old)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def export_model(model: nn.Module, folder: Path) -> None:
    """``save_pretrained`` in half precision, in files of less than 16 MB."""
    half = nn.Module.to(deepcopy(model).cpu(), torch.float16)
    with atomic_folder(folder) as partial:
        half.save_pretrained(partial, safe_serialization=True, max_shard_size=FILE_LIMIT)  # type: ignore[operator]
        config = json.loads((partial / "config.json").read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)  # a folder of the machine that trained it
        (partial / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for path in partial.iterdir():
            path.chmod(0o644)


def export_towers(towers: nn.Module, folder: Path) -> None:
    """A vision tower, with the projection of the words beside it as text_projection/model.safetensors."""
    half: Any = deepcopy(towers).cpu().to(torch.float16)
    with atomic_folder(folder) as partial:
        half.vision.save_pretrained(partial)
        projection = partial / "text_projection" / "model.safetensors"
        projection.parent.mkdir()
        save_file({"weight": half.words.weight.detach().contiguous()}, projection)
        for path in partial.rglob("*.*"):
            path.chmod(0o644)


def read_card(export: Path) -> dict[str, Any]:
    """What is known of the weights, part by part; empty where there are none."""
    path = export / CARD
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_card(export: Path, part: str, instead_of: Sequence[str] = (), **facts: Any) -> None:
    """Replaces one part's entry in ``card.json``, and tells it all again in ``card.md``.

    Args:
        instead_of: Parts whose weights these take the place of.
    """
    card = {name: entry for name, entry in read_card(export).items() if name not in instead_of}
    card[part] = {**facts, "hardware": hardware(), "date": datetime.now(UTC).date().isoformat()}
    with atomic_path(export / CARD) as path:
        path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    with atomic_path(export / "card.md") as path:
        path.write_text(card_text(card), encoding="utf-8")


def card_text(card: Mapping[str, Mapping[str, Any]]) -> str:
    """The model card in Markdown."""
    title, what = "The embedded prior", "A small text-to-image diffusion family in the layout of Stable Diffusion,"
    if set(card) <= {"judge", "landmarks"}:
        title, what = "The judge", "Small networks that say what a picture of a person shows, and where a face is,"
    lines = [
        f"# {title}",
        "",
        what,
        "trained from nothing on pictures that bozzetto itself renders of procedural people. It knows those people",
        "and nothing else: no photographs, no real faces, no words that its captions do not use. Weights and pictures",
        "are Apache-2.0, like the code.",
        "Made by `bozzetto train-prior`, which goes on from these weights when it is run again with `--resume`.",
        "",
        "| part | pictures seen | hours | hardware | seed | date | measured |",
        "|---|---|---|---|---|---|---|",
    ]
    for part, facts in card.items():
        quality = ", ".join(f"{name} {value:.4g}" for name, value in facts.get("quality", {}).items())
        lines.append(
            f"| {part} | {facts['samples']:,} | {facts['hours']:.2f} | {facts['hardware']} | {facts['seed']} "
            f"| {facts['date']} | {quality} |"
        )
    lines += ["", "Sizes and rates of each part, and the data of its last stretch, are in `card.json`.", ""]
    return "\n".join(lines)


def hardware() -> str:
    """In words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    with_names = Path("/proc/cpuinfo")
    if with_names.exists():
        found = [line.split(":", 1)[1] for line in with_names.read_text().splitlines() if line.startswith("model name")]
        name = found[0].strip() if found else name
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} cores"
