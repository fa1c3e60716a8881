"""Hashed features: the kernel equals its reference, values are linear between corners."""

import torch

from bozzetto.scene.hashgrid import HashGrid, encode_reference, steepness_reference


def grid(**options):
    made = HashGrid(levels=3, log2_rows=9, coarsest=4, finest=19, **options)
    with torch.no_grad():
        made.table.normal_(generator=torch.Generator().manual_seed(0))
    return made


def test_the_kernel_equals_its_reference(threads):
    made = grid()
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1
    weights = torch.randn(200, made.width, generator=torch.Generator().manual_seed(2))
    fast = points.clone().requires_grad_()
    out = made(fast)
    (out * weights).sum().backward()
    true, table = points.double().requires_grad_(), made.table.detach().double().requires_grad_()
    expected = encode_reference(true, table, made.sizes)
    (expected * weights).sum().backward()
    torch.testing.assert_close(out.double(), expected, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(fast.grad.double(), true.grad, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(made.table.grad.double(), table.grad, atol=1e-4, rtol=1e-3)


def test_levels_grow_geometrically_from_coarsest_to_finest():
    assert HashGrid(levels=5, log2_rows=4, coarsest=16, finest=256).sizes.tolist() == [16, 32, 64, 128, 256]


def test_features_are_linear_inside_a_cell():
    made = HashGrid(levels=1, log2_rows=9, coarsest=4, finest=4)
    with torch.no_grad():
        made.table.normal_()
    a, b = torch.tensor([[0.26, 0.3, 0.4]]), torch.tensor([[0.48, 0.3, 0.4]])
    torch.testing.assert_close(made((a + b) / 2), (made(a) + made(b)) / 2)


def test_a_seed_decides_the_first_values():
    one, two = (HashGrid(generator=torch.Generator().manual_seed(3)).table for _ in range(2))
    torch.testing.assert_close(one, two)
    assert one.abs().max() <= 1e-4 and one.std() > 0


def test_the_gradient_by_points_has_gradients_of_its_own():
    made = grid()
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1))
    slope = torch.randn(200, made.width, generator=torch.Generator().manual_seed(2))
    turn = torch.randn(200, 3, generator=torch.Generator().manual_seed(3))
    fast = slope.clone().requires_grad_()
    out = made.steepness(points, fast)
    (out * turn).sum().backward()
    true, table = slope.double().requires_grad_(), made.table.detach().double().requires_grad_()
    expected = steepness_reference(points.double(), table, made.sizes, true)
    (expected * turn).sum().backward()
    torch.testing.assert_close(out.double(), expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(fast.grad.double(), true.grad, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(made.table.grad.double(), table.grad, atol=1e-3, rtol=1e-3)


def test_levels_that_are_not_open_say_nothing_and_learn_nothing():
    made = grid()
    made.opened = 2
    out = made(torch.rand(20, 3))
    out.sum().backward()
    assert (out[:, 4:] == 0).all() and (out[:, :4] != 0).all()
    assert (made.table.grad[2] == 0).all() and (made.table.grad[1] != 0).any()


def test_points_that_are_no_numbers_read_no_memory_of_others():
    made = grid()
    with torch.no_grad():
        out = made(torch.tensor([[float("nan"), 0.5, float("inf")], [-float("inf"), 0.5, 0.5]]))
    assert out.shape == (2, made.width) and torch.isfinite(out[1]).all()
