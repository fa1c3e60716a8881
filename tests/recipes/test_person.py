"""A figure below a photo whose borders are not quite the figure's."""

from dataclasses import replace

import numpy as np
import pytest

from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec
from bozzetto.recipes.person import beyond, dressed, misplaced, plain_colours, strange, unlike_skin
from bozzetto.recipes.walk import Shot, photograph
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.texture.canvas import canvas_of_scene

SPEC = FigureSpec(
    hair=HairSpec("bald"), top=Garment("t-shirt", colour("green")), bottom=Garment("shorts", colour("navy")),
    pose="a-pose",
)  # fmt: skip
NAVY = (0.1, 0.12, 0.35)


@pytest.fixture(scope="module")
def stance():
    return stand(build_figure(SPEC, "low"), "a-pose")


def shot(stance, repaint):
    """The figure's own picture, some of its pixels repainted: takes the picture, layers' names and places."""
    camera = frame(stance.scene.vertices, np.array([0.0]), 0.0, 20.0, 400)
    mask = render_mesh(stance.scene, camera, None).alpha[0, ..., 0].numpy()
    canvas = canvas_of_scene(stance.scene, stance.figure.avatar.layers)
    bare = Shot(plain_colours(stance.scene, camera), mask, camera, canvas)
    view = photograph(bare, 400)
    names = np.where(view.seen.hit, np.array(stance.scene.names)[stance.scene.layer[view.seen.face]], "")
    view.picture[:] = repaint(view.picture, names, view.seen.place)
    return bare, view, names


def test_what_is_in_its_place_stays(stance):
    _, view, _ = shot(stance, lambda picture, names, place: picture)
    assert misplaced(stance.scene, view, None)[view.trusted].mean() < 0.01
    assert unlike_skin(stance.scene, view, None)[view.trusted].mean() < 0.01


def test_a_longer_hem_is_not_painted_on_the_legs(stance):
    hem = []

    def longer(picture, names, place):
        low = place[names == "bottom"][:, 1].min()
        hem.append(
            (names == "skin") & (place[..., 1] > low - 0.02) & (place[..., 1] < low) & (abs(place[..., 0]) < 0.3)
        )
        return np.where(hem[0][..., None], NAVY, picture)

    _, view, _ = shot(stance, longer)
    found = misplaced(stance.scene, view, None)
    assert hem[0].sum() > 50 and found[hem[0]].mean() > 0.9
    assert found[~hem[0] & view.trusted].mean() < 0.02


def test_a_face_alone_may_have_other_colours_than_skin(stance):
    """A print on the neck beside the collar is cloth that the figure lacks; on the face it is a face."""

    def painted(picture, names, place):
        neck = (names == "skin") & (place[..., 1] > stance.head[0, 1] - 0.06)
        return np.where((neck & (place[..., 1] < stance.head[0, 1] + 0.04))[..., None], (0.8, 0.0, 0.1), picture)

    _, view, _ = shot(stance, painted)
    red = (view.picture[..., 0] > 0.75) & (view.picture[..., 1] < 0.1)
    beside = misplaced(stance.scene, view, view.seen.hit & (view.seen.place[..., 1] > stance.head[0, 1] + 0.04))
    assert red.sum() > 20 and beside[red].any()
    face = view.seen.hit & (view.seen.place[..., 1] > stance.head[0, 1] - 0.06)
    assert not (misplaced(stance.scene, view, face) & red & face).any()


def test_bare_legs_do_not_colour_the_skin(stance):
    """The figure wears shorts, the photo jeans: its skin keeps the face's colour."""

    def jeans(picture, names, place):
        return np.where(((names == "skin") & (place[..., 1] < 0.6))[..., None], NAVY, picture)

    bare, view, _ = shot(stance, jeans)
    face = view.seen.hit & (view.seen.place[..., 1] > stance.head[0, 1])
    who = dressed(bare, stance.figure.avatar, stance.scene, view, face)
    before, after = (
        next(layer for layer in layers if layer.name == "skin").material.albedo.reshape(-1, 3).mean(0)
        for layers in (stance.figure.avatar.layers, who.layers)
    )
    np.testing.assert_allclose(after, before, rtol=0.08)


def test_background_inside_the_mask_is_not_painted(stance):
    """The mask has grown by some pixels, and the wall is pink."""
    _, view, names = shot(stance, lambda picture, names, place: picture)
    mask = view.seen.hit.astype(np.float32)
    pink = (1.0, 0.0, 0.8)
    view.picture[~view.seen.hit] = pink
    assert beyond(stance.scene, view, mask)[view.trusted].mean() < 0.01
    hole = np.zeros(mask.shape, bool)
    row = np.flatnonzero((names == "top").any(1))[-1]
    edge = np.flatnonzero(names[row - 20] == "top")[-1]
    hole[row - 30 : row - 10, edge - 6 : edge + 1] = True
    hole &= view.trusted
    view.picture[hole] = pink
    found = beyond(stance.scene, view, mask)
    assert hole.sum() > 20 and found[hole].all() and found[~hole].mean() < 0.01


def test_hair_over_a_jacket_is_not_tuned_to_it():
    """Strands that are longer than the person's lie on what the photo shows there: cloth."""
    spec = replace(SPEC, hair=HairSpec("long straight", colour("grey")), top=Garment("t-shirt", colour("brown")))
    stance = stand(build_figure(spec, "low"), "a-pose")
    low = stance.head[0, 1]
    brown = colour("brown").srgb

    def shorter(picture, names, place):
        return np.where(((names == "hair") & (place[..., 1] < low))[..., None], brown, picture)

    _, view, names = shot(stance, shorter)
    own = plain_colours(stance.scene, view.seen.camera)
    found = strange(stance.figure.avatar.layers, stance.scene, view, own)
    hanging = (names == "hair") & (view.seen.place[..., 1] < low)
    assert hanging.sum() > 30 and found[hanging].mean() > 0.9
    assert found[(names == "hair") & ~hanging].mean() < 0.1 and not found[names != "hair"].any()
