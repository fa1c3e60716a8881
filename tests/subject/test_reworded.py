"""Words over photos: what they name changes, all else stays."""

import pytest

from bozzetto.figure.colours import colour
from bozzetto.figure.spec import BodySpec, FigureSpec, Garment, HairSpec
from bozzetto.subject.reworded import reword, told

SPEC = FigureSpec(
    BodySpec("woman", 30.0), hair=HairSpec("long straight", colour("brown")), top=Garment("t-shirt", colour("white")),
    outer=Garment("jacket", colour("blue")), bottom=Garment("jeans", colour("navy")),
    shoes=Garment("boots", colour("brown")), extras=(Garment("sunglasses", colour("black")),),
)  # fmt: skip


def test_no_words_change_nothing():
    for prompt in ("", "  ", "my friend", "a photo of my sister"):
        assert reword(SPEC, prompt, True, True).spec == SPEC


def test_a_dress_takes_the_place_of_what_would_hide_it():
    found = reword(SPEC, "in a red dress", False, True)
    assert found.spec.dress is not None and found.spec.dress.colour.name == "red"
    assert found.spec.top is found.spec.bottom is found.spec.outer is None
    assert found.spec.shoes == SPEC.shoes and found.spec.extras == SPEC.extras and found.spec.hair == SPEC.hair
    assert found.changed == {"dress", "top", "bottom", "outer"}


def test_one_garment_changes_alone():
    found = reword(SPEC, "wearing black shorts", False, True)
    assert found.changed == {"bottom"} and found.spec.bottom is not None and found.spec.bottom.kind == "shorts"
    assert reword(SPEC, "without sunglasses", False, True).spec.extras == ()
    hat = reword(SPEC, "with a green beanie", False, True)
    assert {each.kind for each in hat.spec.extras} == {"sunglasses", "beanie"}


@pytest.mark.parametrize("face", [False, True])
def test_the_photos_decide_the_face_unless_words_are_let_in(face):
    found = reword(SPEC, "with short blonde hair, smiling", face, True)
    assert (found.spec.hair != SPEC.hair) == face == ("hair" in found.changed)
    assert bool(found.refused) != face
    assert found.spec.face.expression == "smiling"


def test_the_photos_decide_clothes_where_they_serve_the_body():
    found = reword(SPEC, "in a red dress", False, False)
    assert found.spec == SPEC and "--body both" in found.refused[0]


def test_age_and_sex_are_never_the_words():
    found = reword(SPEC, "an old man in a green hoodie", True, True)
    assert found.spec.body == SPEC.body and "Age and sex" in found.refused[0]
    assert found.spec.top is not None and found.spec.top.kind == "hoodie"


def test_a_person_is_told_with_all_that_is_worn():
    said = told(SPEC)
    for words in ("a woman with long straight brown hair", "blue jacket", "white t-shirt", "navy jeans", "brown boots"):
        assert words in said
