"""A spec refuses what makes no sense, in words."""

import json

import pytest

from bozzetto.figure.spec import WHITE, BodySpec, Colour, FigureSpec, Garment, from_json, to_json


def test_json_round_trip():
    spec = FigureSpec(dress=Garment("long dress", Colour("red", "#ff0000"), "dots"), extras=(Garment("scarf", WHITE),))
    assert from_json(to_json(spec)) == spec


def test_a_garment_in_the_wrong_slot_is_refused():
    with pytest.raises(ValueError, match="is no top"):
        FigureSpec(top=Garment("jeans", WHITE))


def test_a_dress_takes_the_place_of_top_and_bottom():
    with pytest.raises(ValueError, match="takes the place"):
        FigureSpec(dress=Garment("long dress", WHITE), top=Garment("shirt", WHITE))


def test_children_are_dressed():
    with pytest.raises(ValueError, match="fully dressed"):
        FigureSpec(body=BodySpec(age=9), top=Garment("shirt", WHITE))


@pytest.mark.parametrize(
    ("path", "value"),
    [("pose", 3), ("look", "photo"), ("nose", "long"), ("body", {"age": "old"}), ("face", {"skin": 1})],
)
def test_bad_json_names_the_field(path: str, value: object):
    with pytest.raises(ValueError, match=path):
        from_json(json.dumps(json.loads(to_json(FigureSpec())) | {path: value}))
