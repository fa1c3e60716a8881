"""How much a residual counts at each amount of noise: w(t), from a and b of `z_t = a z + b eps`.

Named as the code bases that made them known.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

Weight: TypeAlias = Callable[[Float[Tensor, "*b"], Float[Tensor, "*b"]], Float[Tensor, "*b"]]


def sds(a: Float[Tensor, "*b"], b: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """`1 - abar`: structure first."""
    return b**2


def uniform(a: Float[Tensor, "*b"], b: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """One."""
    return torch.ones_like(a)


def fantasia3d(a: Float[Tensor, "*b"], b: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """`sqrt(abar) (1 - abar)`: little at both ends, so colours stay steadier. HeadSculpt's choice."""
    return a * b**2


def reconstruction(a: Float[Tensor, "*b"], b: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """`b / a`, which turns `eps_hat - eps` into `z - z0_hat`: the squared distance to the one-step reconstruction."""
    return b / a.clamp(min=1e-3)


WEIGHTS: Mapping[str, Weight] = {
    "sds": sds,
    "uniform": uniform,
    "fantasia3d": fantasia3d,
    "reconstruction": reconstruction,
}
