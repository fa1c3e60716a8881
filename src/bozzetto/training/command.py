"""``bozzetto train-prior``: its options. Light to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Part: TypeAlias = Literal[
    "data",
    "text",
    "vae",
    "decoder",
    "base",
    "control",
    "together",
    "vision",
    "identity",
    "photos",
    "shape",
    "back",
    "judge",
    "landmarks",
]
EMBEDDED = Path(__file__).parents[1] / "prior" / "embedded"


@dataclass(frozen=True)
class TrainPrior:
    """Train the embedded prior: text encoder, autoencoder, U-Net, control network, vision tower, identity encoder,
    the network of surfaces behind photos, back-view word; and what judges them: the judge, and the ruler of faces.

    The pictures ("data") and photos ("photos") to learn from are made first."""

    part: Part | None = None
    """Which; without it all of them, one after another, with the budget for each, but for two: "together" trains base
    and control at once, where time is short it draws people sooner; "decoder" trains the half of the autoencoder that
    nothing else has learned from."""
    budget: str = "1h"
    """Time of this stretch: 90s, 20m, 2h, 1h30m. Ctrl-C ends it early, and nothing is lost."""
    cool: str | None = None
    """So long before the stretch ends the learning rate begins to fall to nothing: 20m. Better weights, for a last
    stretch."""
    resume: bool = False
    """Go on: from the checkpoint, or, where there is none, from the exported weights."""
    data: Path | None = None
    """Folder of the pictures; without it, among bozzetto's caches."""
    pictures: int = 25_000
    """How many there should be."""
    work: Path | None = None
    """Folder of checkpoints, logs and sheets; without it, among bozzetto's caches."""
    export: Path = EMBEDDED
    """Folder of the finished weights."""
    device: str = "cpu"
    """Where to train: cpu or cuda."""
    threads: int | None = None
    """Of the processor; without it, as many as there are cores."""
    size: Literal[64, 128] = 64
    """Pixels of a side."""
    seed: int = 0
    """Same seed, device and data: same weights."""

    def run(self) -> int:
        from bozzetto.training.run import train_prior

        train_prior(self, lambda line: print(line, flush=True))
        return 0
