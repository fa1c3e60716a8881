"""AvatarBooth's modes II and III, from photos nobody took: who serves what, in which order, and going on."""

import shlex
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from bozzetto import cli
from bozzetto.figure.build import build_figure, spec_posture
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BodySpec, FigureSpec, Garment, HairSpec
from bozzetto.options import Consent
from bozzetto.recipes import field, painting, personalize
from bozzetto.recipes.avatarbooth import AvatarBooth
from bozzetto.recipes.person import plain_colours
from bozzetto.recipes.personalize import Kept, Person, Personalize, first_person
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.subject.fit import Fitted
from bozzetto.subject.photos import Photo
from bozzetto.subject.piles import Piles, Sorted, Square
from bozzetto.subject.reworded import reword
from bozzetto.subject.words import Reading
from bozzetto.types import Subject, UserError
from prior import tiny

SPEC = FigureSpec(
    BodySpec("woman", 30.0), hair=HairSpec("bald"), top=Garment("t-shirt", colour("grey")),
    bottom=Garment("trousers", colour("navy")), pose="a-pose",
)  # fmt: skip


@pytest.fixture(scope="module")
def intake():
    """One photo, of the body and of the head."""
    stance = stand(build_figure(SPEC, "low"), spec_posture(SPEC))
    camera = frame(stance.scene.vertices, np.zeros(1), 0.0, 20.0, 160)
    mask = render_mesh(stance.scene, camera, None).alpha[0, ..., 0].numpy()
    photo = Photo(Path("me.png"), plain_colours(stance.scene, camera), mask, None, None, "full body", (), "0" * 64)
    one = Sorted(photo, "me.png", Square(0, 0, 160), Square(60, 4, 40), 0.0, 0.0, "me.png: for the body, for the head")
    fitted = Fitted(SPEC, spec_posture(SPEC), camera, stance.body, np.zeros((1, 3)), 0.0, 1.0, ("The age is a guess.",))
    return Piles((one,), ("cat.jpg is not used. Nobody was found in cat.jpg.",)), (fitted,)


@pytest.fixture
def recipe(tmp_path, intake, monkeypatch):
    """Small in everything, with a tiny prior."""
    monkeypatch.setattr(personalize, "_read", lambda paths: intake)
    monkeypatch.setattr(personalize, "figure_of", lambda spec: build_figure(spec, "low"))
    plain = field.field_of
    monkeypatch.setattr(field, "field_of", lambda figure, init, **options: plain(figure, init, detail=96, **options))
    prior = str(tiny.embedded(tmp_path / "tiny"))
    booth = AvatarBooth(prior=prior, steps=2, views=1, render=16, growing=False)
    return Personalize(
        booth=booth, body_steps=2, head_steps=2, again_steps=1, class_pictures=0, around=2, projected=0, alike=-1.0
    )


def person(intake, prompt, recipe):
    piles, (fitted,) = intake
    face = recipe.face in ("text", "both")
    changed = reword(fitted.spec, prompt, face, recipe.body != "photos")
    return Person(piles, fitted, (fitted,), changed, Reading(changed.spec, (), (), ()), prompt)


def test_stages_come_in_their_order_and_a_stopped_run_goes_on(recipe, tmp_path):
    """Tunings go on from their folder; distillation from its state."""
    subject = Subject("", (Path("me.png"),))
    kept = Kept(recipe, tmp_path / "tuning")
    stages, states, weights = [], {}, {}
    for step in kept.fit(subject):
        stages.append(step.stage)
        weights |= step.weights
        if step.shown:
            assert stages == ["photos", "figure"]
        if step.state is not None and len(states) == 0:
            states = step.state()
        if step.stage == "distillation":
            break
    tunings = ["tuning the body"] * 2 + ["tuning the head"] * 2 + ["tuning the head again"]
    assert stages == ["photos", "figure", *tunings, "drawn heads: 2 of 2 learned", "start", "distillation"]
    assert any(name.startswith("unet") for name in weights) and all(path.is_file() for path in weights.values())
    again = list(kept.resume(subject, {**states, "done": torch.tensor(1)}))
    assert [step.stage for step in again] == [
        "photos", "figure", "drawn heads: 2 of 2 learned", "start", "distillation", "character",
    ]  # fmt: skip
    assert again[2].pictures["views.png"].shape[2] == 3 and again[-1].share == 1.0
    assert {layer.name for layer in again[-1].avatar().layers} >= {"skin", "top", "bottom"}
    assert len({step.index for step in again}) == len(again)


def test_from_a_bare_body_pictures_are_painted_first_and_once(recipe, monkeypatch):
    monkeypatch.setattr(painting, "FITTING", 2)
    bare = replace(recipe, booth=replace(recipe.booth, init="body", painted=2), body_steps=0, head_steps=0)
    states, stages = {}, []
    for step in bare.fit(Subject("", (Path("me.png"),))):
        stages.append(step.stage)
        if step.stage == "painting":
            states = step.state()
            break
    assert stages[-2:] == ["start", "painting"]
    again = [step.stage for step in bare.resume(Subject("", (Path("me.png"),)), states)]
    assert again[-4:] == ["start", "distillation", "distillation", "character"]


def test_it_is_painted_over_last_and_once(recipe, monkeypatch):
    monkeypatch.setattr(painting, "OVER_FITTING", 2)
    polished = replace(recipe, booth=replace(recipe.booth, polished=2), tuned=False)
    steps = list(polished.fit(Subject("", (Path("me.png"),))))
    assert [step.stage for step in steps[-3:]] == ["distillation", "polishing", "character"]
    again = [step.stage for step in polished.resume(Subject("", (Path("me.png"),)), steps[-2].state())]
    assert again[-2:] == ["start", "character"]


def test_outlines_are_asked_unless_told_otherwise(recipe, intake, monkeypatch):
    _, fits = intake
    heavier = replace(fits[0], spec=replace(fits[0].spec, body=replace(fits[0].spec.body, weight=0.9)))
    monkeypatch.setattr(personalize, "_outlined", lambda found, those: (heavier,))
    subject = Subject("", (Path("me.png"),))
    said = [step.stage for step in islice(replace(recipe, tuned=False).fit(subject), 3)]
    assert said == ["photos", "figure", "build by outlines"]
    said = [step.stage for step in islice(replace(recipe, tuned=False, outlines=False).fit(subject), 3)]
    assert said[:2] == ["photos", "figure"] and said[2] != "build by outlines"


@pytest.mark.parametrize(
    ("face", "body", "prompt", "expected"),
    [
        (None, None, "", ("photos", "photos")), (None, None, "in a red dress", ("photos", "both")),
        (None, None, "my friend", ("photos", "photos")), ("both", "text", "in a red dress", ("both", "text")),
    ],
)  # fmt: skip
def test_who_serves_what(intake, face, body, prompt, expected):
    recipe = Personalize(face=face, body=body)
    who = person(intake, prompt, recipe)
    assert (who.source(recipe, "face"), who.source(recipe, "body")) == expected


def test_the_rare_word_stands_where_photos_serve(intake):
    recipe = Personalize(body="text")
    who = person(intake, "in a red dress", recipe)
    assert "sks" in who.words(recipe, "face") and "red" not in who.words(recipe, "face")
    assert "sks" not in who.words(recipe, "body") and "red" in who.words(recipe, "body")
    both = Personalize()
    assert "sks" in who.words(both, "body") and "red" in who.words(both, "body")
    assert "sks" not in who.words(replace(both, tuned=False), "face")


def test_other_words_for_the_body_leave_the_face_alone(intake):
    """The card's behaviour 12: what asks for the head, teaches it and paints it is the same whatever is worn."""
    recipe = Personalize()
    seen = [person(intake, prompt, recipe) for prompt in ("", "in a red dress", "in a green hoodie, very tall")]
    assert len({who.words(recipe, "face") for who in seen}) == 1
    assert len({(who.painted(recipe).face, who.painted(recipe).hair) for who in seen}) == 1
    assert len({(who.changed.spec.face, who.changed.spec.hair) for who in seen}) == 1
    assert len({who.words(recipe, "body") for who in seen}) == 3
    assert [who.painted(recipe).everything for who in seen] == [True, False, False]
    assert "beanie" in person(intake, "with a green beanie", recipe).painted(recipe).but


def test_a_missing_detector_is_no_photos_fault(tmp_path, monkeypatch):
    for name in ("mediapipe", "mediapipe.python.solution_base"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    with pytest.raises(UserError, match=r"^Photos need MediaPipe"):
        personalize._read((tmp_path / "a.jpg",))


def test_it_says_what_the_photos_decide_and_what_is_missing(intake, monkeypatch):
    monkeypatch.setattr(personalize, "_read", lambda paths: intake)
    who = first_person(Subject("with a red beard", ()), Personalize())
    assert any("--face both" in said for said in who.reading.guessed)
    assert "cat.jpg is not used. Nobody was found in cat.jpg" in who.reading.understood
    monkeypatch.setattr(personalize, "_read", lambda paths: (replace(intake[0], photos=(
        replace(intake[0].photos[0], head=None),)), intake[1]))  # fmt: skip
    said = first_person(Subject("", ()), Personalize()).reading.understood
    assert any("No photo shows the head" in line for line in said)
    with pytest.raises(UserError, match="None of these words"):
        first_person(Subject("qwertz asdf", ()), Personalize())


def test_the_command_is_what_was_asked(tmp_path, monkeypatch):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    photos = [str(tmp_path / name) for name in ("a.jpg", "b.jpg")]
    words = ["personalize", *photos, "--out", str(tmp_path / "out"), "--consent", "--prompt", "in a red dress",
             "--body", "text", "--steps", "7", "--no-dual"]  # fmt: skip
    verb = cli.parse(words)
    assert isinstance(verb, cli.Personalize)
    assert verb.method == Personalize(body="text", dual=False, booth=replace(Personalize().booth, steps=7))
    assert cli.parse(shlex.split(verb.command())[1:]) == verb
    made = []
    monkeypatch.setattr(cli, "make", lambda *given: made.extend(given) or 0)
    assert verb.run() == 0
    *_, method, request, _ = made
    assert set(request.photos) == {"a.jpg", "b.jpg"} and request.fields["consent"] is True
    assert request.fields["prior"] == "embedded" and request.fields["seed"] == 0 and request.fields["steps"] == 7
    assert request.digest in str(method.folder)
    monkeypatch.setattr("bozzetto.options.agreed", lambda name: False)
    with pytest.raises(UserError, match="consent"):
        replace(verb, consent=Consent()).run()


@pytest.mark.parametrize("wrong", [{"body_steps": -1}, {"tuning_batch": 0}, {"tuning_rate": 0.0}, {"token": " "}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        Personalize(**wrong)
