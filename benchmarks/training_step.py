"""One step of the embedded prior's training: ``python benchmarks/training_step.py [--runs N]``.

CPU seconds of one thread for a batch of 48 at 64 px, the U-Net and its control network together: in float32 with
torch's fused attention, as it would run untouched, and as ``training.loop.quick`` runs it; and Muon's orthogonal steps
of all their matrices, each multiplied in full five times, and by the small matrix of its rows' products.
Everything in turns, in one run; medians and ratios.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from bozzetto.training.control import Control, _loss, new_control
from bozzetto.training.diffusion import Base, new_unet
from bozzetto.training.loop import quick
from bozzetto.training.optimizer import COEFFICIENTS, STEPS, orthogonal


def in_full(matrix: Tensor) -> Tensor:
    """The same steps, the reference: Jordan et al. 2024."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / x.norm().clamp_min(1e-12)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else x.T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    recipe, both = Base(), Control(together=True)
    unet = new_unet(recipe, 12, 192)
    control = new_control(unet, both)
    count, shown = recipe.batch, recipe.batch - int(both.alone * recipe.batch)
    latents, noise, known = (torch.randn(count, n, 16, 16) for n in (12, 12, 13))
    words, steps = torch.randn(count, 48, 192), torch.randint(0, 1000, (count,))
    pictures = torch.rand(shown, 15, 64, 64)

    def pass_with(context: Callable) -> None:
        with context("cpu"):
            loss, _ = _loss(unet, control, latents, known, words, steps, noise, pictures, 5.0)
        loss.backward()

    pass_with(quick)
    matrices = [
        p.grad.flatten(1) for net in (unet, control) for p in net.parameters() if p.ndim >= 2 and p.grad is not None
    ]

    def orthogonal_by(make: Callable[[Tensor], Tensor]) -> None:
        for matrix in matrices:
            make(matrix)

    work: dict[str, Callable[[], None]] = {
        "forward and backward, float32": lambda: pass_with(lambda _: nullcontext()),
        "forward and backward, quick": lambda: pass_with(quick),
        "orthogonal, in full": lambda: orthogonal_by(in_full),
        "orthogonal": lambda: orthogonal_by(orthogonal),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for run in range(arguments.runs + 1):
        for name, each in work.items():
            before = time.process_time()
            each()
            if run:  # the first warms up
                seconds[name].append(time.process_time() - before)
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    for name, value in middle.items():
        print(f"{name}: {value:.2f} CPU-s")
    first, second, third, fourth = middle.values()
    both = (first + third) / (second + fourth)
    print(f"quick: {first / second:.2f} times as fast; orthogonal: {third / fourth:.2f}; a step: {both:.2f}")


if __name__ == "__main__":
    main()
