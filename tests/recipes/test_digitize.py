"""From a photo to a character: the rig is the figure's, the colours are the photo's."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bozzetto import cli
from bozzetto.figure.build import build_figure, spec_posture
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec
from bozzetto.recipes import Digitize, human_sgd
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.person import plain_colours
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject import fit, person_from_photo, photos, piles
from bozzetto.subject.fit import Fitted
from bozzetto.subject.photos import Keypoints, Photo
from bozzetto.subject.piles import Piles, Sorted
from bozzetto.types import Subject, UserError

SPEC = FigureSpec(
    hair=HairSpec("bald"), top=Garment("t-shirt", colour("grey")), bottom=Garment("trousers", colour("navy")),
    pose="a-pose",
)  # fmt: skip
TRUTH = replace(SPEC, top=Garment("t-shirt", colour("green")))


def photographed(spec, turn=0.0, keypoints=None):
    """A photo of somebody, whom the intake takes for somebody in grey."""
    stance = stand(build_figure(spec), spec_posture(spec))
    camera = frame(stance.scene.vertices, np.array([turn]), 0.0, 20.0, 256)
    mask = render_mesh(stance.scene, camera, None).alpha[0, ..., 0].numpy()
    picture = plain_colours(stance.scene, camera)
    photo = Photo(Path("photo.png"), picture, mask, keypoints, None, "full body", ("Well seen.",), "0" * 64)
    shaped = np.zeros((1, 3))
    return photo, Fitted(SPEC, spec_posture(SPEC), camera, stance.body, shaped, 0.0, 1.0, ("The age is a guess.",))


@pytest.fixture(scope="module")
def found():
    return photographed(TRUTH)


@pytest.fixture(scope="module")
def digitized(found):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person_from_photo, "person_from_photo", lambda path, person=None: found)
        patch.setattr(Fitted, "cameras_on", lambda self, body: self.cameras)
        patch.setattr(photos, "report", lambda photos: "photo.png: full body.\n  Well seen.")
        recipe = Digitize(keep_views=True, walk=HumanSGD(size=256, fusion_steps=0, texels=512))
        return list(recipe.fit(Subject("", (Path("photo.png"),))))


def test_it_says_what_was_seen_and_shows_the_first_figure_first(digitized):
    first, second, *_ = digitized
    assert first.reading.understood == ("photo.png: full body", "Well seen")
    assert first.reading.guessed == ("The age is a guess",) and "intake.png" in first.pictures
    assert second.shown and "top" in {layer.name for layer in second.avatar().layers}
    assert digitized[-1].stage == "texture" and digitized[-1].share == 1.0


def test_every_view_can_be_kept(digitized):
    kept = [name for step in digitized for name in step.pictures if name.startswith("view")]
    assert kept == [f"view{turn:+04.0f}.png" for turn in human_sgd.TURNS]


def test_the_character_has_the_figures_rig_and_the_photos_colours(digitized):
    draft, made = digitized[1].avatar(), digitized[-1].avatar()
    assert made.skeleton.names == draft.skeleton.names
    assert [layer.name for layer in made.layers] == [layer.name for layer in draft.layers]
    stance = stand(replace(build_figure(SPEC), avatar=made), spec_posture(SPEC))
    top, asked = list(stance.scene.names).index("top"), np.array(colour("green").srgb)
    for turn in (0.0, 180.0):
        camera = frame(stance.scene.vertices, np.array([turn]), 0.0, 20.0, 128)
        layer = render_mesh(stance.scene, camera, None).layer[0].numpy()
        seen = np.median(plain_colours(stance.scene, camera)[layer == top], 0)
        assert np.abs(seen - asked).max() < 0.12, f"{turn}: in front by its pixels, behind by its colour"


def test_another_photo_paints_what_the_first_does_not_show():
    """From the front in green, from behind in olive."""
    nowhere = Keypoints(np.full((33, 2), 100.0), np.ones(33), np.zeros((33, 3)))
    front = photographed(TRUTH, 0.0, nowhere)
    back = photographed(replace(SPEC, top=Garment("t-shirt", colour("olive"))), 180.0, nowhere)
    other = Sorted(back[0], "back.png", None, None, 180.0, 180.0, "back.png: from behind")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person_from_photo, "person_from_photo", lambda path, person=None: front)
        patch.setattr(piles, "sort_photos", lambda paths: Piles((other,), ()))
        patch.setattr(fit, "fit_person", lambda photo, network: back[1])
        patch.setattr(Fitted, "cameras_on", lambda self, body: self.cameras)
        patch.setattr(photos, "report", lambda photos: "photo.png: full body.")
        walk = HumanSGD(size=128, fusion_steps=0, texels=512)
        steps = list(Digitize(walk=walk).fit(Subject("", (Path("photo.png"), Path("back.png")))))
    assert "back.png: from behind" in steps[0].reading.understood and steps[-1].share == 1.0
    stance = stand(replace(build_figure(SPEC), avatar=steps[-1].avatar()), spec_posture(SPEC))
    top = list(stance.scene.names).index("top")
    for turn, asked in ((0.0, "green"), (180.0, "olive")):
        camera = frame(stance.scene.vertices, np.array([turn]), 0.0, 20.0, 128)
        layer = render_mesh(stance.scene, camera, None).layer[0].numpy()
        seen = np.median(plain_colours(stance.scene, camera)[layer == top], 0)
        assert np.abs(seen - np.array(colour(asked).srgb)).max() < 0.085, asked


def test_static_is_one_mesh_without_a_rig(found):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person_from_photo, "person_from_photo", lambda path, person=None: found)
        patch.setattr(Fitted, "cameras_on", lambda self, body: self.cameras)
        recipe = Digitize(static=True, walk=HumanSGD(size=128, fusion_steps=0, texels=256))
        *_, last = recipe.fit(Subject("", (Path("photo.png"),)))
    (layer,) = last.avatar().layers
    assert last.avatar().skeleton.names == ("root",)
    assert layer.mesh.vertices[:, 1].min().item() == pytest.approx(0, abs=1e-5)


def test_the_network_s_surface_has_the_photos_outline_and_is_one_mesh(found):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(person_from_photo, "person_from_photo", lambda path, person=None: found)
        patch.setattr(Fitted, "cameras_on", lambda self, body: self.cameras)
        walk = HumanSGD(size=128, fusion_steps=0, texels=256)
        steps = list(Digitize(surface="network", static=True, walk=walk).fit(Subject("", (Path("photo.png"),))))
    assert steps[0].weights["shape"].suffix == ".safetensors"
    (said,) = [step.stage for step in steps if step.stage.startswith("placing the surface")]
    assert int(said.split()[-2]) >= 90
    made = steps[-1].avatar()
    (layer,) = made.layers
    assert made.skeleton.names == ("root",) and layer.mesh.vertices[:, 1].min().item() == pytest.approx(0, abs=1e-5)
    scene = scene_from_layers(made.layers)
    camera = frame(scene.vertices, np.array([0.0, 180.0]), 0.0, 20.0, 96)
    drawn = render_mesh(scene, camera, None)
    chest = drawn.rgb[:, 30:36, 44:52].mean((1, 2)).numpy()
    assert (chest[:, 1] > chest[:, [0, 2]].max(1)).all(), "green before and behind"


def test_the_command_is_what_was_asked(tmp_path, monkeypatch):
    for name in ("a.jpg", "b.jpg", "c.obj"):
        (tmp_path / name).write_bytes(name.encode())
    photo, other, shape = (str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.obj"))
    made = []
    monkeypatch.setattr(cli, "make", lambda *given: made.append(given) or 0)
    for words in (["--photos", other], ["--shape", shape]):
        verb = cli.parse(["digitize", photo, "--out", str(tmp_path / "out"), "--consent", *words])
        assert isinstance(verb, cli.Digitize)
        assert cli.parse(shlex.split(verb.command())[1:]) == verb
        assert verb.run() == 0
    for words in (["--photos", other], ["--shape", shape]):
        with pytest.raises(UserError, match="of its own from one photo"):
            cli.parse(["digitize", photo, "--out", str(tmp_path), "--surface", "network", *words]).run()  # type: ignore[union-attr]
    (*_, request, subject), (*_, shaped, _) = made
    assert set(request.photos) == {"a.jpg", "b.jpg"} and len(subject.photos) == 2
    assert shaped.fields["shape"] == "c.obj" and len(shaped.fields["shape_sha256"]) == 64
    assert [entry.name for entry in cli.used_by(shaped) if entry.kind == "mesh"] == ["c.obj"]
