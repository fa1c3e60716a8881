"""Photos with both sides known, bodies a little wrong below them, and the network that learns from both."""

import numpy as np
import pytest
import torch

from bozzetto.body.model import load_body
from bozzetto.figure.ground_truth import random, stand
from bozzetto.prior.shape import ShapeNetwork, Shown, filled
from bozzetto.training import shape as shape_module
from bozzetto.training.loop import Pace
from bozzetto.training.shape import (
    Error,
    Photos,
    Shape,
    losses,
    make_photos,
    measure,
    mirrored,
    misfitted,
    photographed,
    shown_of,
    train_shape,
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two files of one person each."""
    folder = tmp_path_factory.mktemp("photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shape_module, "PEOPLE", 1)
        patch.setattr(shape_module, "TURN", 2)
        made = list(make_photos(folder, 24, 64))
        assert [path.name for path, _ in made] == ["train-00000.safetensors", "held-00000.safetensors"]
        assert [have for _, have in made] == [12, 24]
        assert not list(make_photos(folder, 24, 64))
    return folder


def test_a_photo_lies_between_its_sides(photos):
    rows = Photos(sorted(photos.glob("train-*"))).rows(range(12))
    inside = rows["alpha"] > 250
    near, far = rows["depths"].float().unbind(-1)
    assert inside.any((1, 2)).all()
    thick = (far - near)[inside]  # a pixel on an edge has the mean of several
    assert thick.quantile(0.02) > -0.005 and thick.median() > 0.05
    normals = rows["normals"].float() / 127
    assert normals[inside][:, 2].mean() < -0.4 and normals[inside][:, 5].mean() > 0.4
    assert torch.isfinite(rows["guide_depths"].float()[..., 0][inside]).float().mean() > 0.5


def test_a_misfit_stays_in_the_picture_and_leaves_it_in_depth():
    figure = random(3).figure
    stance = stand(figure, "a-pose")
    body, turn = load_body(), np.eye(3)
    rng = np.random.default_rng(1)
    off = misfitted(body, figure, stance.body, turn, rng, Error(girth=0.0)) - stance.body
    skin = slice(0, body.parts["body"].stop)
    assert np.abs(off[skin, :2]).mean() < 0.012 < 0.015 < np.abs(off[skin, 2]).mean()
    still = misfitted(body, figure, stance.body, turn, rng, Error(0.0, 0.0, 0.0, 0.0))
    assert np.abs(still - stance.body).max() < 1e-5


def test_mirrored_photos_show_the_same_slopes(photos):
    rows = Photos(sorted(photos.glob("train-*"))).rows([0, 5])
    twice = mirrored(mirrored(rows))
    for name, each in rows.items():
        assert torch.equal(torch.nan_to_num(twice[name].float()), torch.nan_to_num(each.float())), name
    once = mirrored(rows)
    # Depth grows to the right where the outward normal of the near side points right: in the mirror as well.
    for some in (rows, once):
        depth, across = some["depths"].float()[..., 0], some["normals"].float()[..., 0]
        slope = depth[:, :, 2:] - depth[:, :, :-2]
        known = torch.isfinite(slope) & (slope.abs() < 0.05)
        pair = torch.stack([slope[known], across[:, :, 1:-1][known]])
        assert torch.corrcoef(pair)[0, 1] > 0.4


def test_depths_are_filled_around_the_body():
    depths = torch.full((1, 8, 8, 2), torch.nan)
    depths[0, 2:4, 2:4] = torch.tensor([0.1, 0.3])
    found = filled(depths)
    assert torch.isfinite(found).all()
    assert torch.allclose(found[0, 2:4, 2:4], depths[0, 2:4, 2:4])
    assert torch.allclose(found, torch.tensor([0.1, 0.3]).expand_as(found), atol=1e-5)


def test_an_untrained_network_begins_near_the_body_and_answers_unit_normals():
    torch.manual_seed(0)
    network = ShapeNetwork(32, (8, 16))
    shown = Shown(
        torch.rand(2, 32, 32, 3), torch.ones(2, 32, 32, 1), torch.randn(2, 32, 32, 6), torch.randn(2, 32, 32, 2)
    )
    seen = network(shown)
    assert torch.allclose(seen.normals.unflatten(-1, (2, 3)).norm(dim=-1), torch.ones(2, 32, 32, 2), atol=1e-5)
    assert (seen.depths - shown.depths).abs().mean() < 0.1
    assert seen.back.min() >= 0 and seen.back.max() <= 1


def test_training_learns_and_a_truth_has_no_loss(photos, tmp_path):
    own, held = (Photos(sorted(photos.glob(f"{split}-*"))) for split in ("train", "held"))
    recipe = Shape(size=64, widths=(8, 16), batch=6, warmup_steps=5)
    rows = [row for row in train_shape(recipe, own, held, tmp_path, Pace(samples=240, log_steps=10)) if "normal" in row]
    assert rows[-1]["back"] < rows[0]["back"] and rows[-1]["normal"] < rows[0]["normal"]
    batch = own.rows([1, 2])
    from bozzetto.prior.shape import Sides

    truth = Sides(
        torch.nn.functional.normalize((batch["normals"].float()).unflatten(-1, (2, 3)), dim=-1).flatten(-2),
        torch.nan_to_num(batch["depths"].float()), batch["back"].float() / 255,
    )  # fmt: skip
    assert all(float(part) < 1e-3 for part in losses(truth, batch).values())
    quality = measure(ShapeNetwork(64, (8, 16)), held)
    assert quality["body_mm"] > 5 and quality["body_degrees"] > 3


def test_what_a_camera_does_to_a_picture_is_drawn_and_bounded(photos):
    rows = Photos(sorted(photos.glob("train-*"))).rows([0, 1])
    plain, other = shown_of(rows), shown_of(rows, np.random.default_rng(0))
    assert torch.equal(shown_of(rows, np.random.default_rng(0)).picture, other.picture)
    assert not torch.equal(plain.picture, other.picture)
    assert other.picture.min() >= 0 and other.picture.max() <= 1
    assert (other.mask - plain.mask).abs().mean() < 0.1


def test_photos_of_a_person_are_the_same_for_a_seed():
    one, two = (next(iter(photographed(5, 48))) for _ in range(2))
    assert all(np.array_equal(one[name], two[name], equal_nan=one[name].dtype.kind == "f") for name in one)
