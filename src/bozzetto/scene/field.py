"""Numbers at points of space, learned: a hash grid and a small network behind it."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bozzetto.scene.hashgrid import HashGrid


class Field(nn.Module):
    """A function of world points inside a box. It starts at zero everywhere."""

    low: Tensor
    extent: Tensor

    def __init__(
        self,
        low: Float[Tensor, "3"],
        high: Float[Tensor, "3"],
        outputs: int,
        generator: torch.Generator | None = None,
        hidden: int = 32,
        log2_rows: int = 15,
        finest: int = 256,
    ) -> None:
        """
        Args:
            low: The box's lowest corner, metres.
            high: Its highest.
            outputs: Numbers a point.
            generator: Of the first weights.
            hidden: Width of the network's one hidden layer.
            log2_rows: Of the hash grid.
            finest: Cells of its finest level along the box's longest side.
        """
        super().__init__()
        self.register_buffer("low", low.float())
        self.register_buffer("extent", (high - low).max().float())
        self.grid = HashGrid(log2_rows=log2_rows, finest=finest, generator=generator)
        first, last = nn.Linear(self.grid.width + 3, hidden), nn.Linear(hidden, outputs)
        for each in (first, last):
            bound = each.in_features**-0.5
            with torch.no_grad():
                each.weight.uniform_(-bound, bound, generator=generator)
                each.bias.zero_()
        nn.init.zeros_(last.weight)
        self.network = nn.Sequential(first, nn.ReLU(), last)

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        unit = (points - self.low) / self.extent
        return self.network(torch.cat([self.grid(unit), unit * 2 - 1], 1))

    def steep(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n 3"]]:
        """What ``forward`` says, and the gradient of its first number; both with gradients to what is learned."""
        unit = (points - self.low) / self.extent
        first, _, last = self.network
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        hidden = first(torch.cat([self.grid(unit), unit * 2 - 1], 1))
        slope = (last.weight[0] * (hidden > 0)) @ first.weight
        width = self.grid.width
        steepness = self.grid.steepness(unit, slope[:, :width]) + 2 * slope[:, width:]
        return last(torch.relu(hidden)), steepness / self.extent

    def groups(self, rate: float) -> list[dict[str, object]]:
        """For an optimiser: the grid learns at ``rate``, the network at a quarter of it."""
        return [
            {"params": [self.grid.table], "lr": rate, "eps": 1e-15},
            {"params": list(self.network.parameters()), "lr": rate / 4, "eps": 1e-15},
        ]


def chunks(count: int, size: int) -> Iterator[slice]:
    """Slices that cover ``range(count)``."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
