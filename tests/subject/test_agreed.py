"""What several photos say together; no detector is asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bozzetto.body.poses import poses
from bozzetto.figure.colours import colour, delta_e_2000
from bozzetto.figure.spec import BodySpec, Colour, FaceSpec, FigureSpec, Garment, HairSpec
from bozzetto.render.cameras import frame
from bozzetto.subject.agreed import agreed, fit_piles
from bozzetto.subject.fit import Fitted, shoulders_of
from bozzetto.subject.photos import Face, Photo
from bozzetto.subject.piles import Piles, Sorted, Square
from bozzetto.types import UserError

PLAIN = FigureSpec(
    BodySpec("woman", 30.0, 1.65), hair=HairSpec("short", colour("black")),
    top=Garment("t-shirt", colour("grey")), bottom=Garment("trousers", colour("navy")),
)  # fmt: skip


def fitted(spec):
    camera = frame(np.array([[0.0, 0, 0], [1, 1, 1]]), np.zeros(1), 0.0, 20.0, 64)
    return Fitted(spec, poses()["a-pose"], camera, np.zeros((1, 3)), np.zeros((1, 3)), 0.0, 1.0, ("A guess.",))


def shot(name, body=True, turn=0.0, head=100.0):
    face = Face(np.zeros((468, 3))) if abs(turn) < 90 else None
    part = "full body" if body else "portrait"
    photo = Photo(Path(name), np.zeros((4, 4, 3)), np.zeros((4, 4), np.float32), None, face, part, (), name)
    return Sorted(photo, name, Square(0, 0, 4) if body else None, Square(0, 0, head), turn, turn, "")


def read(*specs, **options):
    return [(shot(f"{number}.jpg", **options), fitted(spec)) for number, spec in enumerate(specs)]


def test_one_photo_that_errs_is_outvoted():
    other = replace(
        PLAIN, body=BodySpec("man", 30.0, 1.78), top=Garment("hoodie", colour("grey"), "vertical stripes"),
        bottom=Garment("long skirt", colour("navy")), outer=Garment("jacket", colour("red")),
    )  # fmt: skip
    found = agreed(read(other, PLAIN, PLAIN))
    assert found.body == PLAIN.body and found.outer is None
    assert (found.top.kind, found.top.pattern, found.bottom.kind) == ("t-shirt", "plain", "trousers")
    assert agreed(read(other, PLAIN)).top == other.top, "of two that do not agree the best photo is right"


def body(*told):
    """Of photos that say so much of a man each."""
    photos = zip(read(*(spec for spec, _ in told)), told, strict=True)
    return agreed([(one, replace(each, manly=manly)) for (one, each), (_, manly) in photos]).body


def test_what_all_photos_say_of_a_man_or_woman_counts_together():
    man = replace(PLAIN, body=BodySpec("man", 30.0, 1.78))
    neither = replace(PLAIN, body=BodySpec("androgynous", 64.0, 1.71))

    assert body((man, 1.5), (man, 1.2), (PLAIN, -9.0)).presentation == "woman", "one is surer than two"
    assert body((man, 1.5), (PLAIN, -1.0), (man, 4.0)).height == 1.78
    grown = body((neither, 0.8), (neither, 0.9), (neither, 0.8))
    assert (grown.presentation, grown.height, grown.age) == ("man", 1.78, 64.0), "together they are surer than each"
    assert body((neither, 0.4), (neither, 0.3)).presentation == "androgynous"
    assert body((PLAIN, 0.4)).presentation == "androgynous"


def test_one_photo_does_not_make_a_child_grown():
    child = replace(PLAIN, body=BodySpec("androgynous", 9.0, 1.35))
    unsure = replace(PLAIN, body=BodySpec("androgynous", 30.0, 1.71))

    assert body((child, None), (child, None), (PLAIN, -9.0)) == child.body
    grown = body((child, None), (unsure, 0.9), (unsure, 0.9))
    assert (grown.presentation, grown.age, grown.height) == ("man", 30.0, 1.78)


def test_shoulders_are_those_of_all_photos_of_that_kind():
    man = replace(PLAIN, body=BodySpec("man", 30.0, 1.78))
    told = [(PLAIN, (0.2, 30.0)), (PLAIN, (0.1, 30.0)), (PLAIN, (-0.2, 1.0)), (man, (-0.4, 30.0))]
    photos = [(one, replace(each, shoulders=shoulders)) for (one, each), (_, shoulders) in
              zip(read(*(spec for spec, _ in told)), told, strict=True)]  # fmt: skip
    found = agreed(photos).body
    assert found.presentation == "woman"
    assert found.shoulders == shoulders_of([(0.2, 30.0), (0.1, 30.0), (-0.2, 1.0)]) > 0.6


def test_a_dress_is_no_top_and_skirt():
    dress = replace(PLAIN, top=None, bottom=None, dress=Garment("knee dress", colour("red")))
    found = agreed(read(PLAIN, dress, dress))
    assert found.dress is not None and found.top is None and found.bottom is None
    found = agreed(read(dress, PLAIN, PLAIN))
    assert found.dress is None and found.top is not None and found.bottom is not None


def test_colours_are_those_of_the_better_lit_photos():
    lights = [replace(PLAIN, top=Garment("t-shirt", Colour("", code))) for code in ("#701818", "#a02222", "#a42424")]
    skins = [
        replace(each, face=FaceSpec(Colour("", code))) for each, code in zip(lights, ("#805038",) * 3, strict=True)
    ]
    found = agreed(read(*skins))
    assert delta_e_2000(found.top.colour, Colour("", "#a22323")) < 2
    assert delta_e_2000(found.face.skin, Colour("", "#805038")) < 1


def test_hair_of_the_hats_colour_is_the_hat():
    red, brown = HairSpec("short", Colour("red", "#b01c28")), HairSpec("shoulder", colour("brown"))
    hatted = replace(PLAIN, hair=brown, extras=(Garment("cap", Colour("red", "#b81e2a")),))
    fooled = replace(PLAIN, hair=red)
    found = agreed(read(fooled, hatted, fooled, fooled))
    assert [each.kind for each in found.extras] == ["cap"] and found.hair.style == "shoulder"
    assert delta_e_2000(found.hair.colour, colour("brown")) < 3
    lone = agreed(read(PLAIN, hatted, PLAIN, PLAIN))
    assert lone.extras == (), "three photos that see black hair outvote one hat"


def test_hair_is_as_long_as_two_photos_see_it():
    styles = [replace(PLAIN, hair=HairSpec(style, colour("black"))) for style in ("short", "long straight", "bob")]
    assert agreed(read(*styles)).hair.style == "bob"


def test_pigtails_are_those_that_two_photos_see():
    tied = replace(PLAIN, hair=HairSpec("pigtails", colour("black")))
    assert agreed(read(PLAIN, tied, PLAIN, tied)).hair.style == "pigtails"
    assert agreed(read(tied)).hair.style == "pigtails"
    curly = replace(PLAIN, hair=HairSpec("curly", colour("black")))
    assert agreed(read(tied, PLAIN, PLAIN)).hair.style == "short", "one alone may have misread"
    assert agreed(read(tied, curly, curly)).hair.style == "curly"
    assert agreed(read(*(tied, tied), *(PLAIN,) * 10)).hair.style == "short", "two of twelve are few"


def test_the_nearest_head_says_what_is_on_it():
    near = replace(PLAIN, extras=(Garment("beanie", colour("teal")),), hair=HairSpec("bob", colour("black")))
    both = [
        *read(replace(PLAIN, extras=(Garment("belt", colour("black")),))),
        (shot("h.jpg", False, 0.0, 300.0), fitted(near)),
    ]
    found = agreed(both)
    assert [each.kind for each in found.extras] == ["belt", "beanie"] and found.hair.style == "bob"
    assert found.top == PLAIN.top


def test_the_best_photo_is_fitted_with_the_body_they_agree_on():
    man = replace(PLAIN, body=BodySpec("man", 30.0, 1.78))
    photos = [one for one, _ in read(man, PLAIN, PLAIN)]
    asked = []

    def fit(photo, build):
        asked.append((photo.path.name, build))
        if photo.path.name == "2.jpg":
            raise UserError("Too little.")
        spec = man if photo.path.name == "0.jpg" else PLAIN
        return fitted(spec if build is None else replace(spec, body=build))

    first, second, none = fit_piles(Piles(tuple(photos), ()), fit)
    assert none is None and second.spec == PLAIN and first.spec.body.presentation == "man"
    assert first.guesses == (
        "A guess.",
        "Clothes, hair and what is on the head are as most of 2 photos have them, the build as all together.",
    )
    photos.append(shot("3.jpg"))
    first, *_ = fit_piles(Piles(tuple(photos), ()), fit)
    assert first.spec.body.presentation == "woman" and asked[-1] == ("0.jpg", PLAIN.body)
    (alone,) = fit_piles(Piles((shot("0.jpg"),), ()), fit)
    assert alone.guesses == ("A guess.",)
    with pytest.raises(UserError):
        fit_piles(Piles((shot("2.jpg"),), ()), fit)
