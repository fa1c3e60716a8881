"""The judge's lessons: true answers, fakes that are two-faced, a loss that pulls one person's pictures together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.evaluate.judge import SLOTS, Judge, load_judge
from bozzetto.figure.spec import WHITE, Garment
from bozzetto.training import data
from bozzetto.training.data import shards
from bozzetto.training.judge import (
    PROBES,
    Judging,
    album,
    cells,
    contrast,
    export_judge,
    framed,
    judging_loss,
    lesson,
    measured,
    slots,
    truth,
    two_faced,
)
from bozzetto.types import UserError

torch.set_num_threads(1)
RECIPE = Judging(people=3, each=2, fakes=2)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three people, twelve pictures each."""
    folder = tmp_path_factory.mktemp("judge")
    data.make_shard(folder / "judge-00000.safetensors", "judge", 21, people=3, each=12)
    return album(shards(folder, "judge"))


def test_only_what_is_seen_is_asked():
    spec = replace(
        data.person_spec(10_000_002), look="realistic", outer=None, dress=None,
        top=Garment("t-shirt", WHITE), bottom=Garment("jeans", WHITE, "dots"),
    )  # fmt: skip
    layers = ["skin", "top", "bottom", "hair"]
    record = {"crop": "body", "azimuth": 170.0, "elevation": 0.0, "view": "back view"}
    ids = np.zeros((128, 128), np.uint8)
    ids[:64] = 2
    ids[100:] = 3
    found = {path: PROBES[path][answer] for path, answer in truth(spec, layers, ids, record).items() if answer >= 0}
    assert found["top.kind"] == "t-shirt" and found["bottom.kind"] == "jeans"
    assert found["outer.kind"] == PROBES["outer.kind"][0] and found["view"] == "back view"
    assert "hair.style" not in found and "face.expression" not in found and "shoes.kind" not in found
    head = {path for path, answer in truth(spec, layers, ids, {**record, "crop": "head"}).items() if answer >= 0}
    assert "bottom.kind" not in head and "outer.kind" not in head


def test_a_fake_has_a_face_where_the_hair_was(pictures):
    assert len(pictures.backs)
    back = int(pictures.backs[0])
    shard, place = pictures.where[back]
    before = pictures.shards[shard].one("rgb", place).astype(int)
    after, oval = two_faced(pictures, back, np.random.default_rng(0))
    after = after.astype(int)
    changed = np.abs(before - after).sum(-1) > 30
    x, y = pictures.shards[shard].one("keypoints", place)[0]
    rows, columns = np.nonzero(changed)
    assert 0.01 < changed.mean() < 0.4
    assert abs(columns.mean() - x) < 24 and abs(rows.mean() - y) < 24
    (left, top), (right, bottom) = oval.min(0), oval.max(0)
    inside = changed[max(int(top), 0) : int(bottom), max(int(left), 0) : int(right)]
    assert inside.sum() > 0.8 * changed.sum(), "the oval says where"


def test_cells_say_what_is_where():
    ids = np.zeros((128, 128), np.uint8)
    ids[:, 64:] = 1
    ids[64:, 64:] = 2
    oval = np.array([[64, 0], [127, 0], [127, 31], [64, 31]], float)
    shares = dict(zip(SLOTS, cells(slots(["skin", "scarf"], ids, oval)), strict=True))
    assert shares["background"][:, :8].min() == 1 and shares["other"][8:, 8:].min() == 1
    assert shares["face"][:4, 8:].min() == 1 and shares["skin"][4:8, 8:].min() == 1
    assert (np.sum(list(shares.values()), axis=0) == 1).all()


def test_lessons_say_who_is_who_and_which_backs_have_faces(pictures):
    given = lesson(pictures, RECIPE, np.random.default_rng(1))
    assert given.pictures.shape[1:] == (64, 64, 3) and given.pictures.min() >= 0 and given.pictures.max() <= 1
    assert sorted(given.who[given.who >= 0].tolist()) == [0, 0, 1, 1, 2, 2]
    fakes = given.face[given.who < 0]
    assert fakes.tolist().count(1.0) == fakes.tolist().count(0.0) == 2


def test_contrast_is_small_where_people_are_apart():
    apart = torch.eye(4).repeat_interleave(2, 0)
    who = torch.arange(4).repeat_interleave(2)
    assert contrast(apart, who, 0.1) < 0.01 < 1 < contrast(apart, torch.arange(4).repeat(2), 0.1)


def test_it_learns_and_comes_back_from_disk(pictures, tmp_path):
    torch.manual_seed(0)
    judge = Judge(PROBES, (8, 16, 24, 32))
    optimizer = torch.optim.Adam(judge.parameters(), 3e-3)
    given, losses = lesson(pictures, RECIPE, np.random.default_rng(2)), []
    for _ in range(12):
        optimizer.zero_grad()
        loss = judging_loss(judge, given, 0.1)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    export_judge(judge, tmp_path)
    again = load_judge(tmp_path)
    assert torch.allclose(again(given.pictures)[2], judge(given.pictures)[2], atol=0.02)
    assert again.likeness(given.pictures[:1], given.pictures[:1]).item() == pytest.approx(1, abs=1e-4)
    assert 0 <= measured(again, pictures, RECIPE, batches=1)["held_look"] <= 1
    given.pictures[0] = torch.tensor([0.8, 0.1, 0.1])
    said = [again.colours(given.pictures[:1], slot)[0] for slot in SLOTS]
    assert {each for each in said if each} == {"red"}, "wherever it is: of a red picture only red parts are seen"
    with pytest.raises(UserError, match="train-prior --part judge"):
        load_judge(tmp_path / "nowhere")


def test_pictures_are_framed_anew_with_what_is_known_of_them():
    picture = np.zeros((64, 64, 3), np.uint8)
    ids = np.zeros((64, 64), np.uint8)
    picture[20:40, 10:20], ids[20:40, 10:20] = 255, 3
    oval = np.array([[10.0, 20.0], [20.0, 40.0]])
    sides = set()
    for seed in range(12):
        seen, there, near = framed(picture, ids, oval, np.random.default_rng(seed))
        assert ((seen[..., 0] > 128) != (there == 3)).mean() < 0.01
        rows, columns = np.nonzero(there == 3)
        assert abs(near[:, 1].min() - rows.min()) <= 1 and abs(near[:, 0].min() - columns.min()) <= 1
        assert 10 <= columns.max() - columns.min() + 1 <= 13
        sides.add(bool(columns.mean() > 32))
    assert sides == {True, False}
