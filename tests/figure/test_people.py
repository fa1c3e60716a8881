"""Random people are plausible, diverse, dressed and the same for the same seed; captions of them read back."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bozzetto.figure.captions import captions, described, hair_words, skin_words
from bozzetto.figure.colours import (
    CLOTH,
    colour,
    delta_e_2000,
    delta_e_2000_lab,
    find_colour,
    lab_to_srgb,
    nearest_name,
    srgb_to_lab,
)
from bozzetto.figure.people import GarmentWish, Wishes, complete, median_height, random_spec
from bozzetto.figure.spec import Colour, FigureSpec, from_json, to_json
from bozzetto.subject.words import read_words
from bozzetto.types import UserError

SPECS = [random_spec(seed) for seed in range(300)]


def came_back(spec: FigureSpec, read: FigureSpec, name: str) -> bool:
    """Whether a reading has an attribute that a caption of ``spec`` mentions."""
    if name.startswith("extras."):
        _, kind, *field = name.split(".")
        worn = {extra.kind: extra for extra in spec.extras}
        found = next((extra for extra in read.extras if extra.kind == kind), None)
        return found is not None and (
            field == ["kind"] or _same(getattr(worn[kind], field[0]), getattr(found, field[0]))
        )  # type: ignore[arg-type]
    special = {
        "tall": read.body.height > median_height(read.body.presentation, read.body.age),
        "small": read.body.height < median_height(read.body.presentation, read.body.age),
        "low weight": read.body.weight < 0.45, "high weight": read.body.weight > 0.55,
        "high muscle": read.body.muscle > 0.6,
        "body.age": abs(read.body.age - spec.body.age) <= 25,
        "face.freckles": read.face.freckles > 0.2,
    }  # fmt: skip
    if name in special:
        return special[name]
    wanted: Any = spec
    found: Any = read
    for part in name.split("."):
        wanted, found = getattr(wanted, part, None), getattr(found, part, None)
    return _same(wanted, found)


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Colour) and isinstance(found, Colour):
        return delta_e_2000(wanted, found) < 8
    return wanted == found


def test_random_specs_survive_json():
    for spec in SPECS[:100]:
        assert from_json(to_json(spec)) == spec


def test_the_same_seed_is_the_same_person():
    assert [random_spec(seed) for seed in range(20)] == SPECS[:20]
    assert len({to_json(replace(spec, seed=0)) for spec in SPECS}) == len(SPECS)


def test_random_people_are_diverse():
    presentations = Counter(spec.body.presentation for spec in SPECS)
    assert presentations["woman"] > 100 and presentations["man"] > 100 and presentations["androgynous"] > 8
    ages = np.array([spec.body.age for spec in SPECS])
    assert (ages < 18).sum() > 20 and (ages > 60).sum() > 30
    assert len({spec.face.skin.name for spec in SPECS}) >= 15
    assert len({spec.hair.style for spec in SPECS}) >= 15
    assert len({spec.look for spec in SPECS}) == 14
    assert len({spec.pose for spec in SPECS}) == 23


def test_children_are_dressed_and_plainly():
    children = [spec for spec in SPECS if spec.body.age < 18]
    for spec in children:
        assert spec.dress or (spec.top and spec.bottom)
        assert spec.face.beard == "none"
    assert not any(spec.shoes and spec.shoes.kind == "heels" for spec in children if spec.body.age < 15)


@given(st.floats(4, 17.9), st.sets(st.sampled_from(["top", "bottom", "dress", "shoes", "outer"])), st.integers(0, 99))
def test_no_wish_undresses_a_child(age: float, without: set[str], seed: int):
    spec = complete(Wishes(age=(age, age), without=frozenset(without)), seed)
    assert spec.dress or (spec.top and spec.bottom)


def test_beards_are_mens_and_grey_comes_with_age():
    bearded = [spec for spec in SPECS if spec.face.beard != "none"]
    assert bearded and all(spec.body.presentation == "man" and spec.body.age >= 18 for spec in bearded)
    grey = {"grey", "white", "silver", "salt and pepper"}
    share = {
        old: np.mean([s.hair.colour.name in grey for s in SPECS if (s.body.age > 60) == old]) for old in (True, False)
    }
    assert share[True] > 0.6 > 0.2 > share[False]


def test_ties_need_a_shirt_and_belts_trousers():
    for spec in SPECS:
        kinds = {garment.kind for garment in spec.garments}
        if kinds & {"tie", "bow tie"}:
            assert "shirt" in kinds
        if "belt" in kinds:
            assert kinds & {"trousers", "jeans"}


def test_growth_follows_the_curves():
    assert median_height("man", 10) == pytest.approx(1.38, abs=0.02)
    assert median_height("woman", 30) == pytest.approx(1.633, abs=0.01)
    assert median_height("woman", 12) > median_height("man", 12)


def test_naming_one_thing_leaves_the_rest():
    free = complete(Wishes(), 5)
    hatted = complete(Wishes(garments=(GarmentWish(("scarf",), colour("red")),)), 5)
    assert hatted.body == free.body and hatted.face == free.face
    assert hatted.extras[0].colour == colour("red")


def test_captions_read_back():
    mentioned = [
        came_back(spec, read_words(caption.text).spec, name)
        for seed, spec in enumerate(SPECS[:60])
        for caption in described(spec, seed, 2)
        for name in caption.mentioned
    ]
    assert np.mean(mentioned) >= 0.98


def test_captions_of_nineteen_in_twenty_people_read_back_whole():
    whole = [
        all(came_back(spec, read_words(caption.text).spec, name) for name in caption.mentioned)
        for seed, spec in enumerate(SPECS[100:160])
        for caption in described(spec, seed, 1)
    ]
    assert np.mean(whole) >= 0.95


def test_captions_vary():
    lines = captions(SPECS[7], 0, 50)
    assert len(set(lines)) >= 48
    assert captions(SPECS[7], 0, 50) == lines


# ---------------------------------------------------------------------------------------------------- colours

SHARMA = [  # Sharma, Wu and Dalal 2005, table 1
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
    ((50, 2.8361, -74.0200), (50, 0, -82.7485), 3.4412), ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0),
    ((50, 0, 0), (50, -1, 2), 2.3669), ((50, -1, 2), (50, 0, 0), 2.3669),
    ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792), ((50, 2.4900, -0.0010), (50, -2.4900, 0.0011), 7.2195),
    ((50, -0.0010, 2.4900), (50, 0.0009, -2.4900), 4.8045), ((50, -0.0010, 2.4900), (50, 0.0011, -2.4900), 4.7461),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065), ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977), ((50, 2.5, 0), (56, -27, -3), 31.9030), ((50, 2.5, 0), (58, 24, 15),
    19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "expected"), SHARMA)
def test_delta_e_2000_is_sharmas(a: tuple[float, ...], b: tuple[float, ...], expected: float):
    assert float(delta_e_2000_lab(np.array(a, dtype=float), np.array(b, dtype=float))) == pytest.approx(
        expected, abs=1e-4
    )


def test_lab_there_and_back():
    srgb = np.random.default_rng(0).random((200, 3))
    np.testing.assert_allclose(lab_to_srgb(srgb_to_lab(srgb)), srgb, atol=1e-6)


def test_every_colour_name_is_its_own_nearest_look():
    assert len(CLOTH) >= 150
    for name in CLOTH:
        assert delta_e_2000(colour(nearest_name(colour(name).srgb)), colour(name)) < 0.5


def test_modifiers_move_a_colour_as_said():
    light = {name: srgb_to_lab(np.array(colour(name).srgb))[0] for name in ("light blue", "blue", "dark blue")}
    assert light["dark blue"] < light["blue"] < light["light blue"]
    assert colour("lightseagreen").hex == "#20b2aa" and colour("gray") == colour("grey")
    assert find_colour("table") is None
    with pytest.raises(UserError, match="not a colour"):
        colour("table")


def test_hair_and_skin_in_words():
    spec = read_words("a woman with a black bob and dark skin in a red dress").spec
    assert hair_words(spec) == "a black bob" and skin_words(spec) == "dark skin"
    assert hair_words(read_words("a bald man").spec) == "a shaved head"
