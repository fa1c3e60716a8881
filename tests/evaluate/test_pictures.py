"""The measure of painted pictures knows plain paint, outlines, and chance from skill."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.evaluate import pictures as pictures_module
from bozzetto.evaluate.judge import Judge
from bozzetto.evaluate.pictures import (
    ROUGHLY,
    Row,
    Task,
    interval,
    kernel_distance,
    look_at,
    mostly,
    of_the_readable,
    outline,
    painted,
    through,
    told,
)
from bozzetto.figure.colours import colour, nearest_basic, passes_for, srgb_to_lab
from bozzetto.figure.people import random_spec
from bozzetto.prior.load import load
from bozzetto.prior.sample import Guidance
from bozzetto.training.judge import PROBES


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return Judge(PROBES, (8, 16, 24, 32)).eval()


def task():
    """Two stripes of cloth on a grey ground."""
    spec = next(s for s in map(random_spec, range(100)) if s.top and s.bottom)
    top, bottom = np.zeros((16, 16), bool), np.zeros((16, 16), bool)
    top[3:8, 4:12], bottom[8:13, 4:12] = True, True
    spec = replace(
        spec, top=replace(spec.top, colour=colour("red")), bottom=replace(spec.bottom, colour=colour("blue"))
    )
    picture = np.full((16, 16, 3), 0.5, np.float32)
    for slot, mask in (("top", top), ("bottom", bottom)):
        picture[mask] = getattr(spec, slot).colour.srgb
    masks = {"top": top, "bottom": bottom}
    return Task("somebody", spec, np.zeros_like(picture), masks, top | bottom, {"view": "front view"}, picture)


def test_plain_paint_is_right_and_other_paint_is_wrong(judge):
    one = task()
    other = one.picture.copy()
    other[one.masks["top"]] = colour("green").srgb
    right, wrong = look_at([one, one], np.stack([one.picture, other]), judge)
    assert (right.seen["top"], right.seen["bottom"]) == ("red", "blue") and right.overlap > 0.99
    assert (wrong.seen["top"], wrong.seen["bottom"]) == ("green", "blue")
    assert right.seen["view"] in PROBES["view"]
    assert "top 50 % of 2" in told([right, wrong]) and "bottom 100 % of 2" in told([right, wrong])


def test_what_the_judge_misreads_in_the_truth_is_not_asked_of_the_painted():
    def row(asked, seen):
        return Row("", {"look": asked}, {"look": seen}, 1.0)

    true = [row("clay", "clay"), row("clay", "toon"), row("toon", "toon"), Row("", {}, {}, 1.0)]
    painted = [row("clay", "clay"), row("clay", "clay"), row("toon", "clay"), Row("", {}, {}, 1.0)]
    assert of_the_readable(painted, true) == "look 50 % of 2"


def test_what_few_pixels_cannot_tell_apart_is_counted_roughly_too():
    def row(asked, seen):
        return Row("", {"top.kind": asked}, {"top.kind": seen}, 1.0)

    rows = [row("shirt", "shirt"), row("shirt", "hoodie"), row("t-shirt", "shirt"), row("tank top", "tank top")]
    assert told(rows) == "top.kind 50 % of 4 (15 to 85), roughly 75 %, outline 1.000"
    assert all(kind in PROBES[path] for path, groups in ROUGHLY.items() for alike in groups for kind in alike)


def test_the_outline_is_what_the_background_is_not():
    one = task()
    assert (outline(one.picture) == one.figure).all()
    assert not outline(np.full((16, 16, 3), 0.3, np.float32)).any()


def test_a_truth_in_fewer_pixels_lies_where_it_lay():
    fine = np.zeros((128, 128), bool)
    y, x = np.mgrid[:128, :128]
    fine[np.hypot((y - 63.5) / 1.6, x - 63.5) < 25] = True
    small = mostly(fine, 64)
    y, x = np.nonzero(small)
    assert (y.mean(), x.mean()) == pytest.approx((31.5, 31.5), abs=0.02)
    assert small.sum() == pytest.approx(fine.sum() / 4, rel=0.02)
    picture = np.where(np.repeat(fine[..., None], 3, 2), 0.2, 0.9).reshape(64, 2, 64, 2, 3).mean((1, 3))
    seen = outline(picture)
    assert (seen & small).sum() / (seen | small).sum() > 0.95


def test_distance_is_nothing_between_halves_and_grows_with_what_sets_apart():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(120, 8)), rng.normal(size=(120, 8)), rng.normal(1.0, 1.0, size=(120, 8))
    same, low, high = kernel_distance(a, b, rng)
    assert low < 0 < high and abs(same) < 0.1
    far, low, _ = kernel_distance(a, c, rng)
    assert far > 1 and low > 0.5


@pytest.mark.parametrize(("name", "plain"), [("cobalt", "blue"), ("crimson", "red"), ("white", "white")])
def test_colours_have_a_plain_name(name, plain):
    assert nearest_basic(srgb_to_lab(np.array(colour(name).srgb))) == plain


@pytest.mark.parametrize(
    ("asked", "painted_as", "passes"),
    [
        ("burgundy", (104, 28, 40), "red"),
        ("burgundy", (110, 70, 40), "brown"),
        ("dark green", (38, 69, 49), "green"),
        ("lavender", (250, 248, 252), "white"),
        ("red", (40, 70, 176), "blue"),
    ],
)
def test_a_named_colour_is_right_unless_another_basic_one_is_nearer(asked, painted_as, passes):
    lab = srgb_to_lab(np.array(painted_as) / 255)
    assert passes_for(lab, srgb_to_lab(np.array(colour(asked).srgb))) == passes


def test_the_interval_is_wilson_s():
    assert interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert interval(10, 10)[1] == pytest.approx(1.0)


def test_finished_batches_are_read_back_but_not_those_of_other_weights_or_words(tmp_path, monkeypatch):
    asked = []

    def imagine(prior, captions, **settings):
        asked.append(captions)
        return torch.full((len(captions), 8, 8, 3), 0.5)

    monkeypatch.setattr(pictures_module, "imagine", imagine)
    prior = load("embedded")
    for _ in range(2):
        made = list(painted(prior, ["a man", "a woman"], None, tmp_path, guidance=Guidance(4.0), steps=2, seed=0))
        assert [batch.shape for batch in made] == [(2, 8, 8, 3)]
    assert len(asked) == 1
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    prior.weights = {**prior.weights, "unet": other}
    controls = np.zeros((2, 8, 8, 3), np.float32)
    ways = [
        (["a man", "a woman"], None),
        (["a man", "a child"], None),
        (["a man", "a child"], ("normal", controls)),
        (["a man", "a child"], ("normal", controls + 1)),
    ]
    for count, (captions, shown) in enumerate(ways, 2):
        for _ in range(2):
            list(painted(prior, captions, shown, tmp_path, guidance=Guidance(4.0), steps=2, seed=0))
        assert len(asked) == count


def test_the_autoencoder_is_the_ceiling():
    prior = load("embedded")
    picture = np.full((1, prior.native_size, prior.native_size, 3), 0.5, np.float32)
    picture[:, 16:48, 24:40] = [0.7, 0.2, 0.2]
    found = through(prior, picture)
    assert found.shape == picture.shape
    assert 0 < np.abs(found - picture).mean() < 0.03
