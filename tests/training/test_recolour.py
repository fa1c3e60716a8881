"""Other colours: where they go, that light stays, and that the words follow."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from bozzetto.figure.colours import colour
from bozzetto.figure.spec import Colour, Garment, to_json
from bozzetto.training.data import Shard, person_spec
from bozzetto.training.recolour import recoloured
from bozzetto.types import linear_to_srgb, srgb_to_linear

TEAL = Colour("teal", colour("teal").hex)


@pytest.fixture()
def shard(tmp_path):
    """A person whose top is a lit teal square, half of it in shadow."""
    from dataclasses import replace

    spec = replace(
        person_spec(10_000_002), look="realistic", outer=None, dress=None, extras=(), top=Garment("t-shirt", TEAL),
        bottom=Garment("jeans", TEAL), shoes=None,
    )  # fmt: skip
    linear = np.full((1, 64, 64, 3), 0.5)
    linear[0, 16:48, 16:48] = srgb_to_linear(np.array(TEAL.srgb)) * 0.9
    linear[0, 16:48, 32:48] *= 0.5
    layer = np.zeros((1, 64, 64), np.uint8)
    layer[0, 16:48, 16:48] = 2
    record = {"person": 0, "captions": ["a person in a teal t-shirt"], "view": "front view", "crop": "body",
              "flat": True, "pose": "standing"}  # fmt: skip
    path = tmp_path / "train-00000.safetensors"
    arrays = {"rgb": (linear_to_srgb(linear) * 255 + 0.5).astype(np.uint8), "layer": layer}
    people = [{"spec": json.loads(to_json(spec)), "layers": ["skin", "top"]}]
    save_file(arrays, path, {"pictures": json.dumps([record]), "people": json.dumps(people)})
    return Shard(path)


def test_the_garment_takes_the_colour_that_the_words_name_and_keeps_its_shade(shard):
    named = set()
    for seed in range(40):
        found = recoloured(shard, 0, np.random.default_rng(seed))
        if found is None:
            continue
        picture, record, _ = found
        assert (picture[0] == shard["rgb"][0, 0]).all(), "the background stays"
        lit, dark = (picture[32, column].astype(float) / 255 for column in (24, 40))
        assert srgb_to_linear(dark) == pytest.approx(0.5 * srgb_to_linear(lit), abs=0.02)
        texts = [text for text in record["captions"] if "shirt" in text.lower() or "tee" in text.lower()]
        for name in {word for text in texts for word in NAMES if re.search(rf"\ban? {word} t-shirt", text.lower())}:
            expected = linear_to_srgb(srgb_to_linear(np.array(colour(name).srgb)) * 0.9)
            assert lit == pytest.approx(expected, abs=0.06)
            named.add(name)
    assert len(named) >= 4


NAMES = ("red", "orange", "yellow", "green", "blue", "navy", "purple", "pink", "white", "teal", "crimson", "olive")
NAMES = (*NAMES, "turquoise", "mint", "lavender", "maroon", "gold", "cream", "beige", "magenta", "coral", "peach")


def test_what_cannot_change_is_left_alone(shard):
    found = [recoloured(shard, 0, np.random.default_rng(seed), share=0.0) for seed in range(5)]
    assert found == [None] * 5
