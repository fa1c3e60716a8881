"""Weight and skirts by the outlines of several photos: true masks, true poses, a spec that errs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bozzetto.figure.build import build_figure, posture_named
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BodySpec, FigureSpec, Garment, HairSpec
from bozzetto.render.cameras import frame
from bozzetto.render.raster import rasterize
from bozzetto.subject import outlines
from bozzetto.subject.fit import Fitted
from bozzetto.subject.outlines import agreement, outlined, tried_out
from bozzetto.subject.photos import Photo
from bozzetto.subject.piles import Piles, Sorted, Square

SPEC = FigureSpec(
    BodySpec("woman", 30.0, 1.65), hair=HairSpec("short"), top=Garment("sweater", colour("grey")),
    bottom=Garment("shorts", colour("navy")), outer=Garment("jacket", colour("red")),
)  # fmt: skip


def photographed(spec, turns=(0.0, 70.0)):
    """Photos of a person whose pose is known, and perfect fits."""
    out = []
    stance = stand(build_figure(spec, "low"), "a-pose")
    for turn in turns:
        camera = frame(stance.scene.vertices, np.array([turn]), 0.0, 20.0, 200)
        mask = rasterize(stance.scene.vertices, stance.scene.faces, camera, stance.scene.coverage).face[0] >= 0
        photo = Photo(
            Path("a.jpg"), np.zeros((200, 200, 3)), mask.astype(np.float32), None, None, "full body", (), str(turn)
        )
        fitted = Fitted(spec, posture_named("a-pose"), camera, stance.body, np.zeros((1, 3)), 0.0, 1.0, ())
        out.append((photo, fitted))
    return out


@pytest.fixture(scope="module")
def heavy():
    body = replace(SPEC.body, weight=0.72)
    return photographed(
        replace(SPEC, body=body, bottom=Garment("knee skirt", colour("navy")), outer=Garment("coat", colour("red")))
    )


def test_weight_skirt_and_coat_are_seen_in_outlines(heavy):
    found = tried_out(SPEC, heavy)
    assert found.body.weight == pytest.approx(0.72, abs=0.06)
    assert (found.bottom.kind, found.outer.kind) == ("knee skirt", "coat")
    assert found.bottom.colour == SPEC.bottom.colour and found.top == SPEC.top


def test_what_is_right_stays():
    light = replace(SPEC, body=replace(SPEC.body, weight=0.35), outer=None)
    read = photographed(light)
    assert agreement(build_figure(light, "low"), read[0][1], read[0][0].mask)[0] > 0.99
    found = tried_out(replace(light, body=SPEC.body), read)
    assert found.body.weight == pytest.approx(0.35, abs=0.06)
    assert replace(found, body=light.body) == light


def test_legs_that_are_covered_stay_covered(heavy):
    trousers = replace(SPEC, bottom=Garment("trousers", colour("navy")))
    assert tried_out(trousers, heavy).bottom.kind in ("trousers", "long skirt")


def test_one_photo_alone_decides_nothing(heavy):
    (photo, fitted), (other, _) = heavy
    fits = replace(fitted, spec=SPEC), None

    def sorts(part):
        shots = (Sorted(replace(each, part=part), "a", Square(0, 0, 9), None, 0, 0, "") for each in (photo, other))
        return Piles(tuple(shots), ())

    def fit(photo, build):
        raise AssertionError("nothing is to be fitted again")

    assert outlined(sorts("full body"), fits, fit) is fits
    assert outlined(sorts("portrait"), (fits[0], fits[0]), fit) == (fits[0], fits[0])


def framed(spec, photo):
    """A perfect fit of any build: its figure fills the picture, in the pose that is photographed."""
    stance = stand(build_figure(spec, "low"), "a-pose")
    camera = frame(stance.scene.vertices, np.array([float(photo.sha256)]), 0.0, 20.0, 200)
    return Fitted(spec, posture_named("a-pose"), camera, stance.body, np.zeros((1, 3)), 0.0, 1.0, ("A guess.",))


@pytest.mark.parametrize(("age", "height", "childlike"), [(5.0, 1.1, True), (30.0, 1.65, True), (30.0, 1.65, False)])
def test_children_are_told_by_their_outlines(monkeypatch, age, height, childlike):
    adult = replace(SPEC, outer=None)
    true = replace(adult, body=replace(SPEC.body, age=age, height=height))
    shots = [Sorted(photo, "a", Square(0, 0, 9), None, 0, 0, "") for photo, _ in photographed(true)]
    before = framed(adult, shots[0].photo)
    fits = replace(before, guesses=("Thirty years old.", "As most have it.")), framed(adult, shots[1].photo)
    monkeypatch.setattr(outlines, "_heads_tall", lambda photo: 6.0 if childlike else 8.0)
    tried = []

    def fit(photo, body):
        tried.append(body.age)
        return framed(replace(adult, body=body), photo)

    found = outlined(Piles(tuple(shots), ()), fits, fit)
    assert abs(found[0].spec.body.age - age) <= 4 and found[0].spec.body.height == pytest.approx(height, abs=0.05)
    assert any(each < 18 for each in tried) is childlike
    assert found[1].spec.body.age == found[0].spec.body.age
    assert found[0].guesses[:2] == ("A guess.", "As most have it.") and "outlines" in found[0].guesses[2]
