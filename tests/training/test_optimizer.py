"""Muon: orthogonal steps, AdamW's where there are no matrices, and a memory that survives."""

from copy import deepcopy

import torch
from torch import nn

from bozzetto.training.optimizer import Muon, orthogonal


def test_a_matrix_becomes_nearly_orthogonal_and_keeps_its_directions():
    torch.manual_seed(0)
    for shape in ((6, 40), (40, 6), (8, 8)):
        matrix = torch.randn(shape)
        made = orthogonal(matrix)
        values = torch.linalg.svdvals(made)
        assert values.min() > 0.6 and values.max() < 1.3
        u, _, v = torch.linalg.svd(matrix, full_matrices=False)
        nearest = u @ v
        assert float((made * nearest).sum() / made.norm() / nearest.norm()) > 0.97


def test_vectors_and_outer_convolutions_step_as_adamw_does():
    torch.manual_seed(0)
    net = nn.Sequential()
    net.add_module("conv_in", nn.Conv2d(2, 3, 1))
    twin = nn.Sequential()
    twin.add_module("conv_in", nn.Conv2d(2, 3, 1))
    twin.load_state_dict(net.state_dict())
    ours, theirs = Muon([net], 1e-2), torch.optim.AdamW(twin.parameters(), 1e-2, (0.9, 0.99), weight_decay=0.01)
    for _ in range(4):
        picture = torch.randn(1, 2, 4, 4)
        for module, optimizer in ((net, ours), (twin, theirs)):
            optimizer.zero_grad()
            module(picture).square().mean().backward()
            optimizer.step()
    for one, two in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_a_convolution_moves_as_much_in_every_direction():
    torch.manual_seed(0)
    net = nn.Conv2d(4, 6, 3, bias=False)
    before = net.weight.detach().clone()
    net.weight.grad = torch.randn_like(before) * torch.logspace(-1, 0, 6)[:, None, None, None]
    Muon([net], 0.1, weight_decay=0.0).step()
    moved = torch.linalg.svdvals((net.weight.detach() - before).flatten(1))
    assert moved.min() > 0.5 * moved.max()
    # AdamW's steps of random gradients are about as large: 0.2 of the learning rate in the root mean square.
    assert 0.01 < float((net.weight.detach() - before).square().mean().sqrt()) < 0.03


def test_the_memory_is_written_and_read():
    torch.manual_seed(0)
    nets = [nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)) for _ in range(2)]
    first = Muon([nets[0]], 1e-2)

    def step(net: nn.Module, optimizer: Muon, seed: int) -> None:
        optimizer.zero_grad()
        net(torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))).square().mean().backward()
        optimizer.step()

    step(nets[0], first, 1)
    nets[1].load_state_dict(nets[0].state_dict())
    second = Muon([nets[1]], 1e-2)
    second.load_state_dict(deepcopy(first.state_dict()))
    step(nets[0], first, 2)
    step(nets[1], second, 2)
    for one, two in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one, two)
