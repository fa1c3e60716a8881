"""What every training here shares: checkpoints that survive a kill, averages of weights, budgets, logs.

A step draws everything from its own number, so a run that was stopped and resumed equals one that was not.
"""

import csv
import json
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from bozzetto.files import atomic_path
from bozzetto.types import UserError

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.csv"


@dataclass(frozen=True, eq=False)
class Start:
    """Finished weights to go on from, where there is no checkpoint; what is not among them stays new."""

    weights: Mapping[str, Mapping[str, Tensor]]
    """By network."""
    samples: int
    """Pictures they have seen."""
    seconds: float = 0.0
    """What that took."""


@dataclass(eq=False)
class Training:
    """Networks on their way: weights, their averages, the optimiser's memory and the counters."""

    folder: Path
    modules: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    decay: float = 0.999
    """Of the averages; less at first."""
    step: int = 0
    samples: int = 0
    """Pictures seen, over every stretch."""
    seconds: float = 0.0
    """The same."""
    cooling: float = 1.0
    """What the learning rate is multiplied by: it falls towards 0 where a stretch ends with that."""
    averages: dict[str, nn.Module] = field(init=False)

    def __post_init__(self) -> None:
        self.averages = {name: deepcopy(module).requires_grad_(False).eval() for name, module in self.modules.items()}

    @property
    def parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @torch.no_grad()
    def average(self) -> None:
        """Moves the averages towards the weights."""
        decay = 1 - (1 - self.decay) / max(self.cooling, 0.02)  # smaller steps need less averaging
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for name, module in self.modules.items():
            for mean, now in zip(self.averages[name].parameters(), module.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)

    def set_rate(self, peak: float, warmup_steps: int, tire_samples: float = float("inf")) -> float:
        """Gives the optimiser the next step's learning rate and returns it: it rises over the first steps, and falls
        with the square root of the pictures seen once they are more than ``tire_samples``."""
        rate = peak * min(1.0, (self.step + 1) / warmup_steps)
        rate *= min(1.0, (tire_samples / max(self.samples, 1)) ** 0.5) * self.cooling
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        tensors: dict[str, Tensor] = {}
        for kind, modules in (("module", self.modules), ("average", self.averages)):
            for name, module in modules.items():
                for key, tensor in module.state_dict().items():
                    tensors[f"{kind}/{name}/{key}"] = tensor.detach().cpu().contiguous()
        for index, memory in self.optimizer.state_dict()["state"].items():
            for key, tensor in memory.items():
                tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(tensor).cpu().contiguous()
        counters: dict[str, Any] = {"step": self.step, "samples": self.samples, "seconds": self.seconds}
        counters["optimizer"] = type(self.optimizer).__name__
        # Tensors that share memory (tied weights) are stored once each.
        tensors = {key: tensor.clone() for key, tensor in tensors.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.folder / CHECKPOINT) as path:
            save_file(tensors, path, {"counters": json.dumps(counters)})

    def load(self, start: Start | None = None) -> bool:
        """Goes on from the checkpoint, or where there is none from finished weights; False where neither is.

        Raises:
            UserError: They are of other networks or damaged.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            if start is not None:
                self._fill(start)
            return start is not None
        try:
            tensors = load_file(path)
            with safe_open(path, "pt") as file:
                counters = json.loads(file.metadata()["counters"])
            for kind, modules in (("module", self.modules), ("average", self.averages)):
                for name, module in modules.items():
                    module.load_state_dict(_under(tensors, f"{kind}/{name}/"))
            if counters.get("optimizer") not in (None, type(self.optimizer).__name__):
                raise ValueError(f"It was written with the optimiser {counters['optimizer']}.")
            state = self.optimizer.state_dict()
            memory: dict[int, dict[str, Tensor]] = {}
            for key, tensor in _under(tensors, "optimizer/").items():
                index, name = key.split("/")
                memory.setdefault(int(index), {})[name] = tensor
            self.optimizer.load_state_dict({**state, "state": memory})
        except Exception as error:
            raise UserError(
                f"The checkpoint {path} does not fit: {str(error).splitlines()[0]} "
                "It is of another size or damaged. Move it away, or ask for the size it was made with."
            ) from None
        self.step, self.samples, self.seconds = counters["step"], counters["samples"], counters["seconds"]
        return True

    def _fill(self, start: Start) -> None:
        for name, found in start.weights.items():
            wanted = self.modules[name].state_dict()
            if any(key not in wanted or each.shape != wanted[key].shape for key, each in found.items()):
                raise UserError(
                    f"The exported weights ({name}) are of another architecture than this version trains. "
                    "Make them anew, without --resume."
                )
            for module in (self.modules[name], self.averages[name]):
                module.load_state_dict({key: each.float() for key, each in found.items()}, strict=False)
        self.samples, self.seconds = start.samples, start.seconds


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


@dataclass(frozen=True)
class Pace:
    """How long to go on, and how often to write."""

    seconds: float = float("inf")
    """Of this stretch."""
    samples: int | None = None
    """In all, over every stretch."""
    cool_seconds: float = 0.0
    """At the end of this stretch, while the learning rate falls to nothing."""
    checkpoint_seconds: float = 300.0
    log_steps: int = 50
    sample_seconds: float = 900.0


def train(
    training: Training,
    one_step: Callable[[int], tuple[int, dict[str, float]]],
    pace: Pace,
    look: Callable[[], dict[str, float]] | None = None,
) -> Iterator[dict[str, float]]:
    """Steps until the pace says stop, or a signal does; yields what it logs.

    Args:
        training: What is trained; saved as it goes and at the end.
        one_step: Given the step's number, computes gradients; returns pictures seen and what to log.
        pace: When to stop and to write.
        look: Makes sheets and measures; called now and then and at the end.
    """
    start, before = time.monotonic(), training.seconds
    saved, looked = start, start
    means: dict[str, list[float]] = {}
    with _stop_signal() as stopped:
        while True:
            now = time.monotonic()
            training.seconds = before + now - start
            done = stopped() or now - start >= pace.seconds
            done = done or (pace.samples is not None and training.samples >= pace.samples)
            if done or now - saved > pace.checkpoint_seconds:
                training.save()
                saved = time.monotonic()
            if look is not None and (done or now - looked > pace.sample_seconds):
                found = look()
                looked = time.monotonic()
                yield _log(training, found)
            if done:
                return
            if pace.cool_seconds:
                training.cooling = min(1.0, (start + pace.seconds - now) / pace.cool_seconds)
            training.optimizer.zero_grad(set_to_none=True)
            seen, values = one_step(training.step)
            norm = torch.nn.utils.clip_grad_norm_(training.parameters, 1.0)
            values["gradient"] = float(norm)
            if np.isfinite(values["gradient"]):
                training.optimizer.step()
                training.average()
            training.step += 1
            training.samples += seen
            for name, value in values.items():
                means.setdefault(name, []).append(value)
            if training.step % pace.log_steps == 0:
                training.seconds = before + time.monotonic() - start
                yield _log(training, {name: float(np.mean(found)) for name, found in means.items()})
                means = {}


def _log(training: Training, values: Mapping[str, float]) -> dict[str, float]:
    row = {"step": training.step, "samples": training.samples, "seconds": round(training.seconds, 1), **values}
    training.folder.mkdir(parents=True, exist_ok=True)
    with (training.folder / LOG).open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for name, value in values.items():
            writer.writerow([row["step"], row["samples"], row["seconds"], name, f"{value:.6g}"])
    return row


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """Whether someone asked to stop (SIGINT or SIGTERM) while the block ran: a step is always finished first."""
    asked: list[int] = []
    previous: dict[signal.Signals, Any] = {}
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            previous[name] = signal.signal(name, lambda number, _: asked.append(number))
        except ValueError:  # not the main thread
            break
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)


@contextmanager
def quick(device: str) -> Iterator[None]:
    """A forward pass in bfloat16, where the device multiplies it faster than float32; weights and steps stay float32.

    On processors attention is written out, since torch's fused one is slower backwards.
    """
    processor = torch.device(device).type == "cpu"
    native = torch.cpu.get_capabilities() if processor else {"amx_bf16": True}
    if not native.get("amx_bf16") and not native.get("avx512_bf16"):
        yield
        return
    backends = [SDPBackend.MATH] if processor else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
    with torch.autocast(torch.device(device).type, torch.bfloat16), sdpa_kernel(backends):
        yield


def draws(seed: int, *where: int) -> np.random.Generator:
    """The random numbers of one step and purpose."""
    return np.random.default_rng([seed, *where])


def normal_noise(shape: tuple[int, ...], seed: int, *where: int) -> Tensor:
    """Gaussian noise of one step and purpose; the same on every device."""
    number = int(np.random.default_rng([seed, *where]).integers(2**62))
    return torch.randn(shape, generator=torch.Generator().manual_seed(number))


def seconds_of(text: str) -> float:
    """ "90s", "20m", "2h" or "1h30m" in seconds.

    Raises:
        UserError: No such text.
    """
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip().lower())
    if match is None or not any(match.groups()):
        raise UserError(f"{text!r} is no time; write it like 90s, 20m, 2h or 1h30m.")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
