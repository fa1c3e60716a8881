"""The walk around a person: a coloured ball stands in for them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.export.glb import write_glb
from bozzetto.export.read import read_glb
from bozzetto.prior.denoiser import Prior
from bozzetto.recipes import human_sgd, walk
from bozzetto.recipes.human_sgd import PAPER, TURNS, HumanSGD
from bozzetto.recipes.walk import Shot, control_maps, mirrored, photograph, shrunk
from bozzetto.render.cameras import orbit
from bozzetto.render.scene import scene_from_layers
from bozzetto.texture.canvas import canvas_of_mesh, canvas_of_scene, rebaked, repainted, standing_still, tuned
from bozzetto.texture.views import View, aggregate, around, carry, look
from bozzetto.types import Avatar, Skeleton, UserError, srgb_to_linear
from render.shapes import ball, plain

SIZE = 96
QUICK = HumanSGD(size=SIZE, steps=1, fusion_steps=4, start=1.0)


class Painter(Prior):
    """Paints what it is told to, and remembers what it was asked."""

    def __init__(self, colour=(0.2, 0.6, 0.3), roles=("inpaint", "control/normal", "control/silhouette")):
        self.native_size, self.colour, self.found, self.asked = 32, colour, roles, []

    device = torch.device("cpu")

    def need(self, *roles):
        missing = [role for role in roles if role not in self.found]
        if missing:
            raise UserError(f"nothing for {missing[0]}")

    def imagine(self, prior, prompts, negative, steps, guidance, size, conditions, inpainting, start, generator):
        self.asked.append((prompts[0], steps, guidance.scale, conditions, inpainting, start))
        return torch.tensor(self.colour).expand(1, size, size, 3)


@pytest.fixture
def painter(monkeypatch):
    painter = Painter()
    monkeypatch.setattr(walk, "imagine", painter.imagine)
    return painter


def colours(place):
    """Red grows to the left hand, green upwards, blue to the front."""
    return np.clip(place * 0.8 + 0.5, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def shot():
    one = ball(plain(), radius=0.5, rings=24)
    canvas = canvas_of_mesh(one.mesh.vertices.numpy(), one.mesh.faces.numpy(), 256)
    camera = orbit(0, 0, 4.0, (0, 0, 0), 20.0, 200, 160)
    seen = look(canvas.surface, camera)
    picture = np.where(seen.hit[..., None], colours(seen.place), np.float32(0.5))  # a grey wall
    return Shot(picture, seen.hit.astype(np.float32), camera, canvas, caption="a ball")


def alike(pictures, others):
    return (pictures - others).square().mean()


def painted(recipe, shot, prior, views=8, **more):
    """All moments of a run, or those up to so many views."""
    moments = []
    for moment in recipe.fit(shot, prior, perceptual=alike, **more):
        moments.append(moment)
        if sum(each.painted is not None for each in moments) == views:
            break
    return moments, [moment.painted for moment in moments if moment.painted is not None]


def test_views_come_in_the_papers_order_with_its_words_and_join_the_support(shot, painter, monkeypatch):
    fused = []
    real = walk.fuse
    monkeypatch.setattr(
        walk, "fuse", lambda canvas, views, *rest: fused.append(len(views)) or real(canvas, views, *rest)
    )
    moments, views = painted(replace(PAPER, size=SIZE, fusion_steps=2), shot, painter)
    assert [view.turn for view in views] == [45.0, -45.0, 90.0, -90.0, 135.0, -135.0, 180.0]
    words = ["left", "right", "side", "side", "back", "back", "back"]
    assert [f", {word} view," in view.prompt for word, view in zip(words, views, strict=True)] == [True] * 7
    assert views[0].prompt.startswith("a person wearing nice clothes in front of a solid white background, left view")
    assert [view.support for view in views] == [2, 3, 4, 5, 6, 7, 8]  # the photo and a back guess at first
    assert fused == [8]
    assert [moment.stage for moment in moments] == ["photo", "back"] + ["view"] * 7 + ["texture"]
    assert [len(view.blend.weights) for view in views] == [2, 3, 4, 5, 6, 7, 8]


def test_painting_runs_as_the_paper_says_and_leaves_what_is_known(shot, painter):
    _, views = painted(replace(PAPER, size=SIZE), shot, painter, views=4)
    assert len(painter.asked) >= 2  # the back guess among them
    assert {asked[1:3] for asked in painter.asked} == {(25, 15.0)}
    for view in views:
        known = view.blend.known
        np.testing.assert_array_equal(view.view.picture[known], view.blend.picture[known])
    # What the first view's painter was shown: both controls of one raster, and a mask over all that is unknown.
    _, _, _, conditions, inpainting, start = painter.asked[1]
    seen, blend = views[0].view.seen, views[0].blend
    assert start is None
    for name, whole in control_maps(seen).items():
        np.testing.assert_allclose(conditions.pictures[name][0].numpy(), shrunk(whole, 32))
    unknown = shrunk((~blend.known)[..., None].astype(np.float32), 32)[..., 0]
    assert (inpainting.mask[0, :, :, 0].numpy() == (unknown > 0.02)).all()
    assert 0 < float(inpainting.mask.mean()) < 1


def test_controls_show_the_surface_from_where_it_is_painted(shot):
    seen = look(shot.canvas.surface, around(shot.camera, 90.0, np.zeros(3)))
    maps = control_maps(seen)
    np.testing.assert_array_equal(maps["silhouette"][..., 0] > 0.5, seen.hit)
    rows, columns = seen.hit.nonzero()
    middle = int(rows.mean()), int(columns.mean())
    np.testing.assert_allclose(maps["normal"][middle], (0.5, 0.5, 1.0), atol=0.03)  # towards the viewer
    left = int(rows.mean()), int(columns.min()) + 3
    assert maps["normal"][left][0] > 0.8 and maps["normal"][left][2] < 0.8  # red points left


def test_a_control_can_be_left_out_and_one_that_is_missing_is_said(shot, painter):
    painted(replace(QUICK, silhouette=False), shot, painter, views=1)
    assert all(set(asked[3].pictures) == {"normal"} for asked in painter.asked)
    painter.found = ("inpaint", "control/normal")
    with pytest.raises(UserError, match="silhouette"):
        next(iter(QUICK.fit(shot, painter)))


def test_the_front_is_the_photo_and_the_wall_behind_is_nowhere(shot, painter):
    moments, views = painted(QUICK, shot, painter)
    texture = moments[-1].fused.texture
    photo = photograph(shot, SIZE)
    drawn = shot.canvas.picture(texture, photo.seen)
    error = np.abs(drawn - colours(photo.seen.place))[photo.trusted & (photo.seen.normal[..., 2] > 0.4)]
    assert error.mean() < 0.02
    # Grey would show that the background of the photo was carried onto the ball's sides.
    for view in views[:2]:
        known = view.blend.known & (view.blend.weights[0] > 0.5)
        away = np.abs(view.blend.picture - colours(view.view.seen.place)).max(-1)
        assert away[known].max() < 0.06
    assert moments[-1].fused.photo.max() == 1.0


def test_without_a_painter_the_guide_fills_what_nobody_saw_and_meets_what_somebody_did(shot):
    dull = replace(shot, guide=lambda seen: colours(seen.place) - np.float32(0.1))
    _, views = painted(replace(QUICK, back="none"), dull, None, views=1)
    assert views[0].support == 1
    unknown = views[0].view.seen.hit & ~views[0].blend.known
    apart = views[0].view.picture - colours(views[0].view.seen.place)
    assert unknown.any() and np.abs(apart[unknown]).mean() < 0.03, "the guide's own colours are 0.1 off"


def test_the_mirrored_back_is_the_front_without_its_face(shot):
    photo = photograph(shot, SIZE)
    behind = look(shot.canvas.surface, around(photo.seen.camera, 180.0, np.zeros(3)))
    back = mirrored(photo, behind, None, shot.camera)
    place = behind.place * np.float32([1, 1, -1])
    inner = back.trusted & (behind.normal[..., 2] < -0.4)
    assert np.abs(back.picture - colours(place))[inner].mean() < 0.03
    face = np.zeros(shot.mask.shape, bool)
    face[80:120, 60:100] = True  # the ball's middle
    hidden = mirrored(photo, behind, face, shot.camera)
    middle = hidden.trusted & (np.abs(behind.place[..., :2]).max(-1) < 0.1)
    assert middle.sum() > 50
    # Blue is the front's; where the face was, the colours are those from above it, which are less blue.
    assert back.picture[middle][:, 2].mean() - hidden.picture[middle][:, 2].mean() > 0.02


def test_another_photo_joins_the_support_and_what_it_saw_is_not_painted(shot, painter):
    def share(extra):
        _, views = painted(replace(QUICK, back="none"), shot, painter, views=3, extra=extra)
        return [float((view.view.seen.hit & ~view.blend.known).mean()) for view in views], views[0].support

    side = look(shot.canvas.surface, around(shot.camera, 90.0, np.zeros(3)))
    before, one = share(())
    after, two = share((View(side, colours(side.place), side.hit),))
    assert (one, two) == (1, 2)
    assert after[TURNS.index(90.0)] < 0.02 < before[TURNS.index(90.0)]


def test_a_reposer_takes_the_back_guesss_place(shot, painter):
    red = np.float32([1, 0, 0])
    moments, _ = painted(QUICK, shot, painter, views=1, reposer=lambda photo, seen: seen.place * 0 + red)
    assert (moments[1].view.picture == red).all()


@pytest.mark.slow
def test_no_weight_changes_and_the_same_seed_gives_the_same_views(shot, tmp_path):
    """With a whole prior of the embedded layout, untrained."""
    from bozzetto.prior.load import load
    from prior import tiny

    prior = load(str(tiny.embedded(tmp_path / "prior")))
    networks = {"unet": prior.base.unet, "vae": prior.autoencoder}
    before = {name: {k: v.clone() for k, v in each.state_dict().items()} for name, each in networks.items()}
    recipe = HumanSGD(size=64, steps=1, fusion_steps=2, prompt="{view} view of the person")
    one, two = (painted(recipe, replace(shot, caption="a person"), prior, views=2)[1] for _ in range(2))
    for name, each in networks.items():
        assert all(torch.equal(value, before[name][key]) for key, value in each.state_dict().items())
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first.view.picture, second.view.picture)


def test_bad_fields_are_refused():
    for wrong in ({"size": 100}, {"steps": 0}, {"start": 0.0}, {"fusion_steps": -1}):
        with pytest.raises(ValueError):
            HumanSGD(**wrong)


def test_view_words():
    papers = ["front", "left", "right", "side", "side", "back", "back", "back"]
    plain_words = ["front", "front", "front", "side", "side", "back", "back", "back"]
    for sides, words in ((True, papers), (False, plain_words)):
        assert [human_sgd.view_word(turn, sides) for turn in (0.0, *TURNS)] == words


# ---------------------------------------------------------------------------------------------------- canvases


def person():
    """A red ball with a smaller, blue one before it, and eyes."""
    red, blue, eyes = (plain(colour) for colour in ((200, 30, 30), (20, 40, 220), (0, 255, 0)))
    layers = (
        ball(red, radius=0.5, rings=16, name="skin"),
        ball(blue, centre=(0, 0, 0.45), radius=0.2, rings=12, name="top"),
        ball(eyes, centre=(0.3, 0.3, 0.5), radius=0.05, rings=6, name="eyes"),
    )
    return layers, scene_from_layers(layers)


def test_a_figures_layers_share_one_texture_and_keep_their_rig():
    layers, scene = person()
    canvas = canvas_of_scene(scene, layers, 256)
    own = rebaked(canvas, scene, layers, 256)
    avatar = Avatar(layers, Skeleton(("root",), (-1,), torch.zeros(1, 3)))
    result = repainted(avatar, canvas, scene, own, layers)
    assert result.layers[2].material is layers[2].material  # eyes move: theirs stays
    assert result.layers[0].material.albedo is result.layers[1].material.albedo
    for old, new in zip(layers, result.layers, strict=True):
        assert torch.equal(old.skin_weights, new.skin_weights) and torch.equal(old.mesh.vertices, new.mesh.vertices)
    seen = look(canvas.surface, orbit(0, 0, 4.0, (0, 0, 0), 20.0, 128, 128))
    drawn, ids = canvas.picture(own, seen), np.where(seen.hit, scene.layer[seen.face], -1)
    for index, colour in ((0, (200, 30, 30)), (1, (20, 40, 220))):
        np.testing.assert_allclose(np.median(drawn[ids == index], 0) * 255, colour, atol=3)
    assert not canvas.painted(seen)[ids == 2].any()


def test_layers_take_the_photos_colours():
    layers, scene = person()
    seen = look(canvas_of_scene(scene, layers, 64).surface, orbit(0, 0, 4.0, (0, 0, 0), 20.0, 96, 96))
    ids = np.where(seen.hit, scene.layer[seen.face], -1)
    own, photo = np.zeros((96, 96, 3), np.float32), np.zeros((96, 96, 3), np.float32)
    for index, (mine, theirs) in enumerate(
        [((200, 30, 30), (100, 60, 30)), ((20, 40, 220), (20, 40, 220)), ((0, 255, 0), (9, 9, 9))]
    ):
        own[ids == index], photo[ids == index] = np.array(mine) / 255, np.array(theirs) / 255
    new = tuned(layers, scene, seen, photo, own, seen.hit)
    assert np.abs(new[0].material.albedo[0, 0].astype(int) - [100, 60, 30]).max() <= 8
    assert np.abs(new[1].material.albedo[0, 0].astype(int) - [20, 40, 220]).max() <= 2
    assert new[2] is layers[2]


def test_a_pattern_is_tuned_by_all_of_its_colours():
    """Two thirds dark here, two thirds light there: one median is dark, the other light."""
    layers, scene = person()
    seen = look(canvas_of_scene(scene, layers, 64).surface, orbit(0, 0, 4.0, (0, 0, 0), 20.0, 96, 96))
    row = np.indices((96, 96))[0] % 3
    own, photo = (np.where((row < wide)[..., None], 0.2, 0.9).astype(np.float32).repeat(3, 2) for wide in (2, 1))
    new = tuned(layers, scene, seen, photo, own, seen.hit)
    before, after = (srgb_to_linear(each[0].material.albedo[0, 0] / 255) for each in (layers, new))
    assert (after < 2.2 * before + 0.01).all() and (after > before).any()


def test_a_mesh_that_stands_still_is_a_whole_file(shot, tmp_path):
    texture = np.full((256, 256, 3), 0.25, np.float32)
    path = tmp_path / "still.glb"
    write_glb(standing_still(shot.canvas.mesh, texture), path)
    back = read_glb(path)
    assert [layer.name for layer in back.layers] == ["person"]
    assert float(back.layers[0].mesh.vertices[:, 1].min()) == pytest.approx(0.0, abs=1e-5)


def test_the_round_trip_of_one_view_leaves_nothing_to_paint(shot):
    photo = photograph(shot, SIZE)
    blend = aggregate([carry(photo, photo.seen)])
    from scipy.ndimage import binary_erosion

    assert blend.known[binary_erosion(photo.seen.hit, iterations=6)].mean() > 0.99
