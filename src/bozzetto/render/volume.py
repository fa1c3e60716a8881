"""Rays through a volume of which little is occupied: samples, packed ray after ray, and what light they let through.

Of the rays through a body's surroundings a few percent of the samples lie near the body; only those are kept, so a
field is asked about nothing else. Each kernel stands beside a plain torch reference.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from bozzetto.kernels import near_kernel
from bozzetto.render.surface import _array
from bozzetto.types import Cameras

_OPAQUE = 1 - 1e-6


@dataclass(frozen=True, eq=False)
class Rays:
    """Where light is looked for."""

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]
    """Unit length."""


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Which cells of a box hold anything worth a sample."""

    cells: UInt8[Tensor, "x y z"]
    """0 is empty, 1 is to be asked, 2 is solid: a ray that comes there ends."""
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Sections of rays, ray after ray and near before far."""

    ray: Int[Tensor, "n"]
    distance: Float[Tensor, "n"]
    """Metres from the ray's origin to the section's middle."""
    length: float
    """Of every section, metres."""
    starts: Int[Tensor, "k"]
    """First sample of each ray, and the end of the last: one more than rays."""

    def points(self, rays: Rays) -> Float[Tensor, "n 3"]:
        """Middles of the sections, world space."""
        return rays.origins[self.ray] + self.distance[:, None] * rays.directions[self.ray]


def camera_rays(cameras: Cameras) -> Rays:
    """One ray through the centre of each pixel, view after view, row after row."""
    device = cameras.world_to_camera.device
    row, column = torch.meshgrid(
        torch.arange(cameras.height, device=device), torch.arange(cameras.width, device=device), indexing="ij"
    )
    lens, matrix = cameras.intrinsics[:, None, None], cameras.world_to_camera
    y = (row + 0.5 - lens[..., 1, 2]) / lens[..., 1, 1]
    x = (column + 0.5 - lens[..., 0, 2] - lens[..., 0, 1] * y) / lens[..., 0, 0]
    towards = torch.stack([x, y, torch.ones_like(x)], -1).flatten(1, 2) @ matrix[:, :3, :3]
    towards = towards / towards.norm(dim=-1, keepdim=True)
    eyes = -(matrix[:, :3, 3][:, None] @ matrix[:, :3, :3]).expand(towards.shape)
    return Rays(eyes.reshape(-1, 3), towards.reshape(-1, 3))


def march(rays: Rays, occupancy: Occupancy, length: float, jitter: Float[Tensor, "r"] | None = None) -> Samples:
    """Sections of equal length along each ray whose middles lie in occupied cells.

    Args:
        rays: From anywhere; a camera inside the box starts at its eye.
        occupancy: What to keep.
        length: Metres.
        jitter: By ray, how far the first section is pushed along, as a share of its length; half a section without it.

    Raises:
        ValueError: A length that is not above zero.
    """
    if not length > 0:
        raise ValueError(f"march needs a section length above zero; got {length}.")
    push = torch.full((len(rays.origins),), 0.5) if jitter is None else jitter
    origins, directions, first = _array(rays.origins), _array(rays.directions), _array(push)
    cells = occupancy.cells.cpu().numpy()
    low, high = (each.cpu().numpy().astype(np.float64) for each in (occupancy.low, occupancy.high))
    scale = np.array(cells.shape) / (high - low)
    starts = np.zeros(len(origins) + 1, np.int64)
    nothing = np.empty(0, np.float32)
    _march(origins, directions, first, cells, low, high, scale, length, starts, nothing, False)
    starts = np.cumsum(starts)
    distance = np.empty(starts[-1], np.float32)
    _march(origins, directions, first, cells, low, high, scale, length, starts, distance, True)
    ray = np.repeat(np.arange(len(origins)), np.diff(starts))
    device = rays.origins.device
    found = (torch.from_numpy(each).to(device) for each in (ray, distance, starts))
    ray, distance, starts = found
    return Samples(ray, distance, float(length), starts)


def weights(alpha: Float[Tensor, "n"], starts: Int[Tensor, "k"]) -> Float[Tensor, "n"]:
    """What each section adds to its ray: its own opacity times what all nearer ones let through. With gradient.

    Args:
        alpha: Opacity of each section, 0 to 1: ``1 - exp(-density * length)``, or ``neus_alpha``.
        starts: Of the samples.

    Source: Max 1995; Mildenhall et al. 2020 (NeRF), Eq. 3.
    """
    if alpha.is_cuda or alpha.dtype != torch.float32:
        return weights_reference(alpha, starts)
    out: Any = _Weights.apply(alpha, starts)
    return out


def weights_reference(alpha: Float[Tensor, "n"], starts: Int[Tensor, "k"]) -> Float[Tensor, "n"]:
    """``weights`` in plain torch."""
    alpha = alpha.clamp(0, _OPAQUE)
    through = torch.log1p(-alpha.double()).cumsum(0)
    before = torch.cat([through.new_zeros(1), through])
    ray = torch.repeat_interleave(torch.arange(len(starts) - 1, device=alpha.device), starts.diff())
    return (alpha * (before[:-1] - before[starts[ray]]).exp()).to(alpha.dtype)


def accumulate(weight: Float[Tensor, "n"], values: Float[Tensor, "n c"], samples: Samples) -> Float[Tensor, "r c"]:
    """The weighted sum of the sections' values along each ray."""
    out = values.new_zeros((len(samples.starts) - 1, values.shape[1]))
    return out.index_add(0, samples.ray, weight[:, None] * values)


def neus_alpha(
    sdf: Float[Tensor, "n"],
    slope: Float[Tensor, "n"],
    length: float,
    sharpness: Float[Tensor, ""],
    straight: float = 1.0,
) -> Float[Tensor, "n"]:
    """Opacity of sections of a signed distance field, highest where rays enter the surface.

    Args:
        sdf: At the middles, metres, negative inside.
        slope: Of the distance along the ray: its gradient times the ray's direction; below zero where rays enter.
        length: Of the sections, metres.
        sharpness: Of the surface, 1 / metres; it grows as training goes on.
        straight: From 0 to 1 as training goes on: at 0 surfaces seen from behind count a little too, which keeps
            gradients alive early.

    Source: Wang et al. 2021 (NeuS), Eq. 13, with the annealed cosine of its release; the quotient is taken of
        logarithms, so deep inside the surface nothing is divided by zero.
    """
    down = -(torch.relu(-slope * 0.5 + 0.5) * (1 - straight) + torch.relu(-slope) * straight)
    log = torch.nn.functional.logsigmoid
    near, far = (log((sdf - sign * down * length * 0.5) * sharpness) for sign in (1, -1))
    return -torch.expm1(torch.clamp(far - near, max=0.0))


class _Weights(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor, starts: Tensor):
        a, s = _array(alpha), starts.numpy()
        out = np.empty_like(a)
        _through(a, s, out)
        ctx.saved = a, s, out
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        a, s, out = ctx.saved
        to_alpha = np.empty_like(a)
        _through_back(a, s, out, _array(gradients[0]), to_alpha)
        return torch.from_numpy(to_alpha), None


@near_kernel
def _march(origins, directions, first, cells, low, high, scale, length, starts, distance, write):
    nx, ny, nz = cells.shape[0], cells.shape[1], cells.shape[2]
    for r in range(len(origins)):
        near, far = 0.0, np.inf
        for axis in range(3):
            o, d = np.float64(origins[r, axis]), np.float64(directions[r, axis])
            if d != d or o != o:  # what is no number meets nothing
                far = -1.0
            elif abs(d) < 1e-12:
                if not low[axis] <= o <= high[axis]:
                    far = -1.0
            else:
                one, two = (low[axis] - o) / d, (high[axis] - o) / d
                near, far = max(near, min(one, two)), min(far, max(one, two))
        if far == np.inf:  # a ray that goes nowhere
            far = -1.0
        found = starts[r] if write else 0
        step = 0
        while True:
            t = near + (step + first[r]) * length
            step += 1
            if not t < far:
                break
            x = np.int64((origins[r, 0] + t * directions[r, 0] - low[0]) * scale[0])
            y = np.int64((origins[r, 1] + t * directions[r, 1] - low[1]) * scale[1])
            z = np.int64((origins[r, 2] + t * directions[r, 2] - low[2]) * scale[2])
            x, y, z = min(max(x, 0), nx - 1), min(max(y, 0), ny - 1), min(max(z, 0), nz - 1)
            if cells[x, y, z] == 2:
                break
            if cells[x, y, z] == 1:
                if write:
                    distance[found] = t
                found += 1
        if not write:
            starts[r + 1] = found


@near_kernel
def _through(alpha, starts, out):
    for r in range(len(starts) - 1):
        left = 1.0
        for n in range(starts[r], starts[r + 1]):
            a = min(max(np.float64(alpha[n]), 0.0), _OPAQUE)
            out[n] = a * left
            left *= 1.0 - a


@near_kernel
def _through_back(alpha, starts, out, slope, to_alpha):
    for r in range(len(starts) - 1):
        behind = 0.0  # what all farther sections bring the loss
        for n in range(starts[r], starts[r + 1]):
            behind += np.float64(slope[n]) * out[n]
        left = 1.0
        for n in range(starts[r], starts[r + 1]):
            a = min(max(np.float64(alpha[n]), 0.0), _OPAQUE)
            behind -= np.float64(slope[n]) * out[n]
            inside = 0.0 <= alpha[n] <= _OPAQUE
            to_alpha[n] = slope[n] * left - behind / (1.0 - a) if inside else 0.0
            left *= 1.0 - a
