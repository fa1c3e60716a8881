"""Marching tetrahedra, forward and backward, against the algorithm as DMTet's authors describe it:
``python benchmarks/tetrahedra.py``.

The reference, written plainly in torch, takes every edge of every cut tetrahedron, makes them unique as pairs of
numbers, and keeps those with a sign change. Beside it: the same with one number for a pair and only the edges with a
sign change, and ours, a kernel that numbers edges as it meets them. Medians of process CPU time on one thread.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from bozzetto.scene.tetrahedra import (
    EDGES,
    _triangles,
    marching_tetrahedra,
    marching_tetrahedra_reference,
    tet_grid,
)


def as_published(
    positions: torch.Tensor, sdf: torch.Tensor, tetrahedra: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shen et al. 2021: unique edges of the cut tetrahedra, of which those with a sign change give the points."""
    with torch.no_grad():
        inside = sdf < 0
        signs = inside[tetrahedra.reshape(-1)].reshape(-1, 4)
        count = signs.sum(1)
        cut = (count > 0) & (count < 4)
        edges = tetrahedra[cut][:, torch.tensor(EDGES).reshape(-1)].reshape(-1, 2).sort(1).values
        pairs, inverse = torch.unique(edges, dim=0, return_inverse=True)
        crossing = inside[pairs.reshape(-1)].reshape(-1, 2).sum(1) == 1
        row = torch.full((len(pairs),), -1)
        row[crossing] = torch.arange(int(crossing.sum()))
        rows = row[inverse].reshape(-1, 6)
        ends = pairs[crossing]
    at = sdf[ends.reshape(-1)].reshape(-1, 2, 1)
    share = at[:, 0] / (at[:, 0] - at[:, 1])
    place = positions[ends.reshape(-1)].reshape(-1, 2, 3)
    points = place[:, 0] * (1 - share) + place[:, 1] * share
    with torch.no_grad():
        case = (signs[cut] * torch.tensor([1, 2, 4, 8])).sum(1)
        table, triangles = _triangles()
        faces = [rows[triangles[case] > k].gather(1, table[case[triangles[case] > k], k]) for k in range(2)]
    return points, torch.cat(faces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=48, help="cubes along a side of the grid")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    grid = tet_grid(np.full(3, -1.0), np.full(3, 1.0), 2.0 / arguments.cells)
    distance = grid.positions.norm(dim=1) - 0.7 + 0.1 * torch.sin(9 * grid.positions).prod(1)
    peers: dict[str, Callable[..., tuple[torch.Tensor, torch.Tensor]]] = {
        "ours": marching_tetrahedra,
        "one number a pair, in torch": marching_tetrahedra_reference,
        "as published, in torch": as_published,
    }
    times: dict[str, list[float]] = {name: [] for name in peers}
    faces = set()
    for round_ in range(arguments.repeats + 1):
        for name, peer in peers.items():
            sdf, positions = distance.clone().requires_grad_(), grid.positions.clone().requires_grad_()
            start = time.process_time()
            points, triangles = peer(positions, sdf, grid.tetrahedra)
            points.square().sum().backward()
            if round_:
                times[name].append((time.process_time() - start) * 1000)
            faces.add((len(points), len(triangles)))
    assert len(faces) == 1, "They disagree."
    own = statistics.median(times["ours"])
    print(f"{len(grid.tetrahedra)} tetrahedra, {faces.pop()[1]} faces, forward and backward, median of "
          f"{arguments.repeats}, CPU ms")  # fmt: skip
    for name, found in times.items():
        print(f"  {statistics.median(found):8.1f}  {statistics.median(found) / own:6.1f} x  {name}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
