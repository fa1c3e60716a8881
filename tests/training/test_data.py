"""The training pictures: same number, same shard; words that are true; edits that change one thing."""

import json
from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import load_file

from bozzetto.training import data


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train-00000.safetensors"
    data.make_shard(path, "train", 0, people=1, each=6)
    return data.Shard(path)


def test_a_shard_follows_from_its_number(shard, tmp_path):
    again = tmp_path / "again.safetensors"
    data.make_shard(again, "train", 0, people=1, each=6)
    first, second = load_file(shard.path), load_file(again)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype == np.float32) for name in first)
    assert json.dumps(data.Shard(again).records) == json.dumps(shard.records)


def test_splits_never_share_a_person():
    spans = {split: range(seed, seed + 5_000_000) for split, seed in data.FIRST_SEED.items()}
    seeds = sorted(spans.values(), key=lambda span: span.start)
    assert all(one.stop <= two.start for one, two in pairwise(seeds))


def test_what_was_made_is_not_made_again(tmp_path, monkeypatch):
    made = []

    def fake(path, split, number):
        made.append(path.name)
        data.save_file({"rgb": np.zeros((1,), np.uint8)}, path, {"pictures": "[{}]", "people": "[]"})

    monkeypatch.setattr(data, "make_shard", fake)
    first = [path.name for path, _ in data.make_shards(tmp_path, 3)]
    assert first == made == ["train-00000.safetensors", "train-00001.safetensors", "train-00002.safetensors"]
    (tmp_path / first[1]).unlink()
    list(data.make_shards(tmp_path, 4))
    assert made[3:] == [first[1], "train-00003.safetensors"]
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


def test_truth_fits_the_picture(shard):
    rgb, alpha, layer = shard["rgb"], shard["alpha"], shard["layer"]
    assert rgb.shape[1:] == (data.SIZE, data.SIZE, 3) and len(rgb) == len(shard.records)
    assert ((alpha == 0) <= (layer == 0)).mean() > 0.99
    assert layer.max() <= max(len(person["layers"]) for person in shard.people)
    for record, keypoints in zip(shard.records, shard["keypoints"], strict=True):
        if record["crop"] == "body":
            assert ((keypoints > 0) & (keypoints < data.SIZE)).all()


def test_heads_fill_the_frame(shard):
    fills = [
        (alpha > 127).any(1).sum() / data.SIZE
        for record, alpha in zip(shard.records, shard["alpha"], strict=True)
        if record["crop"] == "head"
    ]
    assert all(fill >= 0.7 for fill in fills)


def test_words_say_view_crop_and_light():
    record = {"captions": ["A man in a red coat."], "view": "back view", "crop": "head", "flat": True}
    said = [data.phrase(record, np.random.default_rng(seed)) for seed in range(60)]
    assert 0.6 < np.mean(["back view" in text.lower() for text in said]) < 0.95
    assert all("red coat" in text for text in said)
    assert np.mean(["flat" in text or "albedo" in text for text in said]) > 0.75
    assert not any("full body" in text for text in said)
    dull = {**record, "flat": False}
    assert not any("flat" in data.phrase(dull, np.random.default_rng(seed)) for seed in range(60))


def test_head_captions_leave_the_feet_out():
    spec = data.person_spec(10_000_003)
    said = {crop: data.spoken(spec, 3, crop, 5) for crop in ("head", "body")}
    shoes = ("shoes", "boots", "sneakers", "trainers", "loafers", "heels", "sandals")
    assert not any(word in text for text in said["head"] for word in shoes)
    assert any(word in text for text in said["body"] for word in shoes)


def test_an_edit_changes_one_attribute():
    for seed in range(10_000_000, 10_000_040):
        spec = data.person_spec(seed)
        edited = data.edit(spec, np.random.default_rng(seed))
        if edited is None:
            continue
        after, there, back = edited
        different = [name for name in spec.__dataclass_fields__ if getattr(spec, name) != getattr(after, name)]
        assert len(different) == 1
        assert there and back and not set(there) & set(back)


def test_pictures_get_smaller_by_averages():
    picture = np.zeros((1, 4, 4, 3), np.uint8)
    picture[0, :2, :2] = 100
    picture[0, 0, 2] = 200
    small = data.smaller(picture, 2)
    assert small[0, :, :, 0].tolist() == [[100, 50], [0, 0]]
    with pytest.raises(ValueError, match="divide"):
        data.smaller(picture, 3)
