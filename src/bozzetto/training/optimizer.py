"""The optimiser of the U-Net and the control network: Muon for weights that are matrices, AdamW for the rest.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) takes the momentum's nearest orthogonal matrix as
the step, so that directions which few pictures ask for also move. Steps have the size AdamW's have, as in Liu et al.
2025 (arXiv:2502.16982), so one learning rate serves both. torch's own takes no convolutions and works in bfloat16,
which processors without it emulate.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that pulls singular values towards 1 (Jordan et al.)."""


def orthogonal(matrix: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    """About the nearest matrix whose singular values are all 1; those that are not near 0 come out at 0.7 to 1.2.

    A matrix much longer than wide is touched twice only: every step multiplies it by a polynomial of the small matrix
    of its rows' products, and what these make of each other is known without the long one.
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / x.norm().clamp_min(1e-12)
    a, b, c = COEFFICIENTS
    if x.shape[1] < 2 * x.shape[0]:
        for _ in range(STEPS):
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        return x if wide else x.T
    square = x @ x.T
    identity = torch.eye(len(square), dtype=x.dtype, device=x.device)
    factor = identity
    for _ in range(STEPS):
        step = a * identity + b * square + c * square @ square
        factor, square = step @ factor, step @ square @ step
    return factor @ x if wide else (factor @ x).T


class Muon(torch.optim.Optimizer):
    """Orthogonal steps for hidden weights, AdamW's for all others.

    Args:
        modules: What is trained. Weights of two and more axes are matrices (convolutions flattened), but for the
            first and the last convolution of a network.
        lr: Learning rate of both.
        momentum: Of the matrices' gradients, with Nesterov's look ahead.
        betas: AdamW's.
        weight_decay: Decoupled, of both.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
    ) -> None:
        named = [(name, p) for module in modules for name, p in module.named_parameters() if p.requires_grad]
        outer = ("conv_in", "conv_out", "controlnet_cond_embedding.conv_in")
        hidden = [p.ndim >= 2 and not name.startswith(outer) for name, p in named]
        groups: list[dict[str, Any]] = [
            {"params": [p for (_, p), inner in zip(named, hidden, strict=True) if inner is kind], "hidden": kind}
            for kind in (True, False)
        ]
        super().__init__(
            [group for group in groups if group["params"]],
            {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": weight_decay},
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.sub_(group["lr"] * (self._matrix if group["hidden"] else self._vector)(p, group))

    def _matrix(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - group["momentum"])  # type: ignore[arg-type]
        ahead = torch.lerp(p.grad, state["momentum"], group["momentum"]).flatten(1)  # type: ignore[arg-type]
        return orthogonal(ahead).mul_(0.2 * max(ahead.shape) ** 0.5).view_as(p)

    def _vector(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        state, (first, second) = self.state[p], group["betas"]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        state["mean"].lerp_(p.grad, 1 - first)  # type: ignore[arg-type]
        state["square"].lerp_(p.grad.square(), 1 - second)  # type: ignore[union-attr]
        count = float(state["step"])
        return (state["mean"] / (1 - first**count)) / ((state["square"] / (1 - second**count)).sqrt() + 1e-8)
