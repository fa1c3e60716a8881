"""A NeRF's rays, forward and backward, against plain torch in the same run: ``python benchmarks/volume.py``.

Both ask the same field for the same samples. Beside ours, whose march, encoding and compositing are kernels: torch for
everything, which skips what is not occupied as well, so only the kernels are compared and not the skipping. Medians of
process CPU time on one thread.
"""

import argparse
import os
import statistics
import time

import numpy as np
import torch

from bozzetto.body.model import load_body
from bozzetto.render.cameras import frame
from bozzetto.render.volume import Rays, camera_rays
from bozzetto.scene.hashgrid import encode_reference
from bozzetto.scene.radiance import NeRF


def in_torch(scene: NeRF, rays: Rays, steps: int) -> torch.Tensor:
    """What ``NeRF.trace`` answers, colour and alpha, in plain torch."""
    low, high, cells = scene.occupancy.low, scene.occupancy.high, scene.occupancy.cells
    one, two = (low - rays.origins) / rays.directions, (high - rays.origins) / rays.directions
    near, far = torch.minimum(one, two).amax(1).clamp_min(0), torch.maximum(one, two).amin(1)
    distance = near[:, None] + (torch.arange(steps) + 0.5) * scene.section
    points = rays.origins[:, None] + distance[..., None] * rays.directions[:, None]
    index = ((points - low) / (high - low) * torch.tensor(cells.shape)).floor().long()
    index = torch.minimum(index.clamp_min(0), torch.tensor(cells.shape) - 1)
    kept = (cells[tuple(index.unbind(-1))] == 1) & (distance < far[:, None])
    asked = points[kept]
    field = scene.field
    unit = (asked - field.low) / field.extent
    features = encode_reference(unit, field.grid.table, field.grid.sizes)
    raw = field.network(torch.cat([features, unit * 2 - 1], 1))
    lean = (-scene.start.at(asked) / scene.width).clamp(-6, 3)
    density = torch.zeros_like(distance).masked_scatter(kept, 100 * torch.nn.functional.softplus(raw[:, 0] + lean))
    colour = torch.zeros(*kept.shape, 3).masked_scatter(kept[..., None], torch.sigmoid(raw[:, 1:]))
    alpha = (1 - torch.exp(-density * scene.section)).clamp(max=1 - 1e-6)
    through = torch.cat([torch.ones_like(alpha[:, :1]), (1 - alpha[:, :-1]).cumprod(1)], 1)
    weight = (alpha * through)[..., None]
    return torch.cat([(weight * colour).sum(1), weight.sum(1)], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rays", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    part = load_body().parts["body"]
    used, faces = np.unique(part.faces, return_inverse=True)
    vertices = load_body().template[used].double().numpy()
    scene = NeRF.from_mesh(vertices, faces.reshape(-1, 3))
    # As many pixels as rays: a whole picture of the body.
    side = round(arguments.rays**0.5)
    rays = camera_rays(frame(vertices, 20.0, 5.0, 40.0, side))
    steps = int(float((scene.occupancy.high - scene.occupancy.low).norm()) / scene.section) + 1
    slope = torch.randn(len(rays.origins), 4, generator=torch.Generator().manual_seed(0))

    def ours() -> torch.Tensor:
        seen = scene.trace(rays)
        return torch.cat([seen.rgb, seen.alpha], 1)

    peers = {"ours": ours, "culled plain torch": lambda: in_torch(scene, rays, steps)}
    with torch.no_grad():
        apart = (peers["ours"]() - peers["culled plain torch"]()).abs().max().item()
    times: dict[str, list[float]] = {name: [] for name in peers}
    for round_ in range(arguments.repeats + 1):
        for name, peer in peers.items():
            scene.zero_grad()
            start = time.process_time()
            (peer() * slope).sum().backward()
            if round_:
                times[name].append((time.process_time() - start) * 1000)
    own = statistics.median(times["ours"])
    print(
        f"{len(rays.origins)} rays, forward and backward, median of {arguments.repeats}, CPU ms; apart by {apart:.1e}"
    )
    for name, found in times.items():
        print(f"  {statistics.median(found):8.1f}  {statistics.median(found) / own:6.1f} x  {name}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
