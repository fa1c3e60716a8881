"""A shape from elsewhere, however it is turned, stands where the photo saw the person and takes its pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bozzetto.adopt.mesh import ForeignMesh
from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec
from bozzetto.recipes.human_sgd import HumanSGD
from bozzetto.recipes.person import Sitter, plain_colours
from bozzetto.recipes.shaped import Placed, body_of, guide_of, paint, place
from bozzetto.recipes.walk import Shot
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import scene_from_layers
from bozzetto.subject.photos import Photo
from bozzetto.texture.canvas import canvas_of_mesh
from bozzetto.texture.views import Surface, look
from bozzetto.types import UserError

SPEC = FigureSpec(
    hair=HairSpec("bald"), top=Garment("t-shirt", colour("green")), bottom=Garment("trousers", colour("navy")),
    pose="a-pose",
)  # fmt: skip


def photographed(pose):
    """The body below somebody's clothes as they stand, and a photo of them."""
    figure = build_figure(SPEC, "low")
    stance = stand(figure, pose)
    camera = frame(stance.scene.vertices, np.array([0.0]), 0.0, 12.0, 200)
    mask = render_mesh(stance.scene, camera, None).alpha[0, ..., 0].numpy()
    photo = Photo(Path("a.png"), plain_colours(stance.scene, camera), mask, None, None, "full body", (), "0" * 64)
    part = figure.person.body.parts["body"]
    used, faces = np.unique(part.faces, return_inverse=True)
    return photo, stance.body[used].astype(np.float64), faces.reshape(-1, 3)


@pytest.mark.parametrize("turned", ["as it is", "z up, in centimetres", "to its left"])
def test_it_stands_where_the_photo_saw_the_person(turned):
    photo, vertices, faces = photographed("pointing")
    file = {
        "as it is": vertices,
        "z up, in centimetres": 100 * vertices @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
        "to its left": vertices @ np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]) + 3,
    }[turned]
    placed = place(ForeignMesh(file, faces, None, None, None), photo.mask, float(np.ptp(vertices[:, 1])))
    assert placed.overlap > 0.85
    middle = (placed.vertices - vertices).mean(0)
    np.testing.assert_allclose(placed.vertices - middle, vertices, atol=1e-4)
    assert abs(placed.vertices[:, 1].min()) < 1e-5


def test_another_shape_is_refused():
    photo, _, _ = photographed("pointing")
    box = np.stack(np.meshgrid([0.0, 1], [0.0, 1], [0.0, 1], indexing="ij"), -1).reshape(-1, 3)
    sides = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([each for a, b, c, d in sides for each in ((a, b, c), (a, c, d))])
    with pytest.raises(UserError, match="outline agrees with the person's by"):
        place(ForeignMesh(box, faces, None, None, None), photo.mask, 1.7)


def test_it_takes_the_photos_pixels_and_a_rig():
    photo, vertices, faces = photographed("a-pose")
    mesh = ForeignMesh(vertices, faces, None, None, None)
    placed = place(mesh, photo.mask, float(np.ptp(vertices[:, 1])))
    middle = (placed.vertices - vertices).mean(0)  # whose back has the same outline stays as the file has them
    np.testing.assert_allclose(placed.vertices - middle, vertices, atol=1e-4)
    walk = HumanSGD(size=128, fusion_steps=0, texels=512)
    *_, (moment, made) = paint(placed, None, photo, "a person", None, None, walk, None)
    assert moment.stage == "texture"
    still = made()
    scene = scene_from_layers(still.layers, [still.layers[0].mesh.vertices.numpy()])
    camera = frame(scene.vertices, np.array([0.0]), 0.0, 20.0, 128)
    seen = plain_colours(scene, camera)
    hit = render_mesh(scene, camera, None).alpha[0, ..., 0].numpy() > 0.99
    chest = int(np.argmax(hit.any(1))) + int(0.3 * hit.any(1).sum())
    middle = np.flatnonzero(hit[chest]).mean().astype(int)
    assert np.abs(seen[chest, middle] - np.array(colour("green").srgb)).max() < 0.1
    assert still.skeleton.names == ("root",)
    assert body_of(placed).metres == pytest.approx(float(np.ptp(vertices[:, 1])), abs=1e-3)


def test_sides_the_photo_does_not_show_take_the_figures_colours():
    """A guess of the back from the figure, a third as large and elsewhere."""
    figure = build_figure(SPEC, "low")
    stance = stand(figure, "a-pose")
    camera = frame(stance.scene.vertices, np.array([0.0]), 0.0, 12.0, 64)
    canvas = canvas_of_mesh(stance.scene.vertices, stance.scene.faces)
    who = Sitter(
        Shot(np.zeros((8, 8, 3)), np.zeros((8, 8)), camera, canvas), figure.avatar, stance.scene, figure.avatar.layers
    )
    vertices = (stance.scene.vertices * 0.33 + [1.0, 2.0, 3.0]).astype(np.float32)
    guide = guide_of(Placed(vertices, stance.scene.faces, camera, 1.0), who)
    behind = frame(vertices, np.array([180.0]), 0.0, 12.0, 128)
    seen = look(Surface(vertices, stance.scene.faces, stance.scene.coverage), behind)
    median = {}
    for name in ("top", "skin"):
        mine = seen.hit & (stance.scene.layer[seen.face] == list(stance.scene.names).index(name))
        median[name] = np.median(guide(seen)[mine], 0)
    assert np.abs(median["top"] - np.array(colour("green").srgb)).max() < 0.05
    assert median["skin"][0] > median["skin"][1] + 0.05 > median["skin"][2], "head and hands, which end farther out"


@pytest.mark.slow
def test_with_its_arms_away_it_gets_a_rig():
    photo, vertices, faces = photographed("a-pose")
    placed = place(ForeignMesh(vertices, faces, None, None, None), photo.mask, float(np.ptp(vertices[:, 1])))
    walk = HumanSGD(size=128, fusion_steps=0, texels=512)
    *_, (_, made) = paint(placed, body_of(placed), photo, "a person", None, None, walk, None)
    avatar = made()
    assert len(avatar.skeleton.names) > 20 and "jawOpen" in avatar.layers[0].expressions
    assert torch.isfinite(avatar.layers[0].mesh.vertices).all()
