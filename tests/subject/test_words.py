"""Known answers for sentences that are easy to misread."""

import contextlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import bozzetto
from bozzetto.figure.spec import to_json
from bozzetto.subject.lexicon import ARCHETYPES, GARMENTS
from bozzetto.subject.words import read_words
from bozzetto.types import UserError

from .scoring import score

SENTENCES: list[tuple[str, dict[str, Any]]] = [
    ("a woman with short red hair in a green jacket",
     {"body.presentation": "woman", "hair.style": "short", "hair.colour": "red", "outer.colour": "green"}),
    ("a short woman in shorts with long hair",
     {"body.height": {"range": [1.3, 1.58]}, "bottom.kind": "shorts", "hair.style": "long straight"}),
    ("black boots and gloves", {"shoes.colour": "black", "extras": [{"kind": "gloves", "colour": "black"}]}),
    ("a red shirt and blue jeans", {"top.colour": "red", "bottom.kind": "jeans", "bottom.colour": "blue"}),
    ("a black-and-white striped shirt",
     {"top.colour": "black", "top.second": "white", "top.pattern": "horizontal stripes"}),
    ("a blue shirt with white stripes and red boots",
     {"top.colour": "blue", "top.second": "white", "shoes.colour": "red"}),
    ("trousers in dark green and a coat that is burgundy", {"bottom.colour": "dark green", "outer.colour": "burgundy"}),
    ("her dress is yellow and her boots are red", {"dress.colour": "yellow", "shoes.colour": "red"}),
    ("wearing blue: shirt, trousers", {"top.colour": "blue", "bottom.colour": "blue"}),
    ("a man in a hat, with neither beard nor glasses",
     {"extras": [{"kind": "brimmed hat"}], "face.beard": "none"}),
    ("his hair is short, curly and red; his eyes are green",
     {"hair.style": "curly", "hair.colour": "red", "face.eyes": "green"}),
    ("She has long, dark, wavy hair", {"hair.style": "long wavy", "hair.colour": "dark", "body.presentation": "woman"}),
    ("her grey hair tied in a bun", {"hair.style": "bun", "hair.colour": "grey"}),
    ("blue-eyed, dark-skinned boy of ten",
     {"face.eyes": "blue", "face.skin": "dark", "body.age": {"range": [9.5, 10.5]}}),
    ("a man in his early forties, six feet two",
     {"body.age": {"range": [40, 43.5]}, "body.height": {"range": [1.87, 1.89]}}),
    ("5'10\" man aged 33", {"body.height": {"range": [1.77, 1.79]}, "body.age": {"range": [32.5, 33.5]}}),
    ("a seventy-year-old lady, 1.6 m tall", {"body.age": {"range": [69, 71]}, "body.height": 1.6}),
    ("barefoot man, hatless and clean-shaven", {"shoes": None, "face.beard": "none"}),
    ("a red dress with matching shoes", {"dress.colour": "red", "shoes.colour": "red"}),
    ("his shoes aren't black but brown", {"shoes.colour": "brown"}),
    ("a woman dressed all in black", {"top.colour": "black", "bottom.colour": "black", "shoes.colour": "black"}),
    ("woman in a blak jaket and trowsers",
     {"outer.kind": "jacket", "outer.colour": "black", "bottom.kind": "trousers"}),
    ("a bronze statue of a kneeling man", {"look": "bronze", "pose": "kneel"}),
    ("a fox in a red waistcoat", {"look": "snouted", "outer.kind": "vest", "outer.colour": "red"}),
    ("a firefighter in a blue coat", {"outer.colour": "blue", "extras": [{"kind": "helmet"}], "shoes.kind": "boots"}),
    ("a thick moustache and thick eyebrows", {"face.beard": "moustache", "face.brows": "full"}),
    ("man with a blue suit", {"outer.kind": "suit jacket", "outer.colour": "blue", "bottom.colour": "blue"}),
    ("gold hoop earrings, yellow sundress", {"dress.colour": "yellow"}),
    ("a man standing before a red brick wall in a white shirt", {"top.colour": "white", "pose": "stand"}),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "expect"), SENTENCES)
def test_sentence(prompt: str, expect: dict[str, Any]):
    result = score(read_words(prompt).spec, expect, {})
    assert not result.wrong, f"{prompt}\n{result.wrong}\n{read_words(prompt)}"


@pytest.mark.parametrize(
    ("prompt", "forbid"),
    [
        ("a boy, no hat, gloves or scarf", ["cap", "brimmed hat", "gloves", "scarf"]),
        ("a chef without an apron", ["apron"]),
        ("not wearing glasses but with a tie", ["glasses", "sunglasses"]),
        ("a hatless cowboy", ["brimmed hat", "cap"]),
    ],
)
def test_negation(prompt: str, forbid: list[str]):
    for seed in range(10):
        assert not score(read_words(prompt, seed).spec, {}, {"extras": forbid}).wrong


def test_shoulders_and_hips_are_heard():
    body = read_words("a woman with broad shoulders and narrow hips").spec.body
    assert body.shoulders > 0.7 and body.hips < 0.3
    man = read_words("a broad-shouldered man").spec.body
    assert man.shoulders > 0.7 and man.hips == 0.5
    built = read_words("a man of broad build").spec.body
    assert built.shoulders > 0.7 and built.muscle > 0.65
    for words in ("a girl smiling wide, arms spread wide", "a woman in a wide, flowing dress"):
        assert read_words(words).spec.body.shoulders == 0.5, words
    other = read_words("a man with hair to his shoulders, hands on hips").spec
    assert (other.body.shoulders, other.body.hips) == (0.5, 0.5) and other.hair.style == "shoulder"


def test_negation_ends_at_but():
    assert score(read_words("without glasses but with a scarf").spec, {"extras": [{"kind": "scarf"}]}, {}).share == 1


def test_what_was_not_understood_is_said():
    reading = read_words("a realistic photo of a pregnant woman holding a sword, standing")
    assert reading.not_understood == ("pregnant", "sword")
    reading = read_words("a firefighter in a red jaket")
    assert any("helmet" in line for line in reading.guessed)
    assert 'read "jaket" as "jacket"' in reading.guessed
    assert "red jacket" in reading.understood


@pytest.mark.parametrize("prompt", ["", "   \n", "x" * 2001, "gargle frobnicate", "?!", "the of and"])
def test_refusals_are_one_helpful_paragraph(prompt: str):
    with pytest.raises(UserError) as refusal:
        read_words(prompt)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) > 60


WORDS = [
    word.strip() for table in (GARMENTS, ARCHETYPES) for words in [*table, *table.values()] for word in words.split(",")
]
JOINERS = [
    "and",
    ",",
    "no",
    "in",
    "is",
    "with",
    "red",
    "striped",
    "a",
    "her",
    "matching",
    ":",
    "long",
    "zork",
    "hair",
    "are",
]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
@example("\x001\x01")
@example("0' 5 ft 9' ' 99s")
@example("½ ² ௧ years old")
def test_any_text_is_read_or_refused(text: str):
    with contextlib.suppress(UserError):
        read_words(text)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS + JOINERS * 12), max_size=25), st.integers(0, 5))
def test_any_words_are_read_or_refused(words: list[str], seed: int):
    try:
        spec = read_words(" ".join(words)[:2000], seed).spec
    except UserError:
        return
    assert spec.body.age >= 18 or spec.dress or (spec.top and spec.bottom)


def test_same_words_and_seed_same_spec():
    prompt = "a tall woman in a red coat"
    assert read_words(prompt, 3) == read_words(prompt, 3)
    assert len({to_json(read_words(prompt, seed).spec) for seed in range(30)}) == 30


def test_a_person_is_anyone():
    specs = [read_words("a person", seed).spec for seed in range(200)]
    presentations = Counter(spec.body.presentation for spec in specs)
    assert 70 <= presentations["woman"] <= 130 and 70 <= presentations["man"] <= 130
    ages = sorted(spec.body.age for spec in specs)
    assert ages[10] < 18 and ages[-20] > 65
    assert len({spec.face.skin.name for spec in specs}) >= 15
    assert not any(spec.extras for spec in specs)


def test_children_are_always_dressed():
    for prompt in ("a shirtless boy of 8", "a girl of seven with no dress, no shirt and no trousers", "naked child"):
        for seed in range(10):
            spec = read_words(prompt, seed).spec
            assert spec.dress or (spec.top and spec.bottom)


def test_every_occupation_dresses():
    assert sum(len(names.split(",")) for names in ARCHETYPES) >= 60
    for names in ARCHETYPES:
        for name in names.split(","):
            reading = read_words(f"a {name.strip()}")
            assert not reading.not_understood and reading.guessed, name


STOPWATCH = """
import time
from bozzetto.subject.words import read_words
prompt = "An elderly lady with white hair in a bun, a lavender cardigan over a cream blouse and reading glasses."
start = time.perf_counter()
for index in range(20):
    read_words(f"{prompt} She is {60 + index}.")
print((time.perf_counter() - start) / 20)
"""


def test_reading_is_quick():
    """In its own process: the type checks of the test run cost more than the reading."""
    path = str(Path(bozzetto.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", STOPWATCH],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 0.03


def test_a_material_keeps_its_colour_in_a_list():
    spec = read_words("a teenage girl in a yellow hoodie, denim shorts and white sneakers").spec
    assert spec.top is not None and spec.bottom is not None
    assert spec.top.colour.name == "yellow" and spec.bottom.colour.name == "denim blue"
    assert 13 <= spec.body.age < 18


def test_a_pattern_that_is_named_beats_one_that_a_fabric_implies():
    top = read_words("a man in a striped flannel shirt").spec.top
    assert top is not None and top.pattern == "horizontal stripes"
