"""AvatarBooth's checkable behaviours, on a box and a prior with known answers."""

import copy
from dataclasses import replace

import igl
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bozzetto.body.bind import skin, unskin
from bozzetto.body.carry import carry_weights, donor
from bozzetto.body.landmarks import regions
from bozzetto.evaluate.avatarbooth import CASES, ROWS
from bozzetto.figure.build import build_figure
from bozzetto.guidance import Predictions, Text, residual
from bozzetto.recipes import RECIPES, painting
from bozzetto.recipes.avatarbooth import PAPER, AvatarBooth
from bozzetto.recipes.booth import (
    BACKGROUNDS,
    Booth,
    background,
    camera_normals,
    face_lines,
    guided,
    kind_of,
    learning_share,
    look,
    seen,
    side_of,
    skeletons,
    step_loss,
    target_side,
    template,
    weight_files,
)
from bozzetto.recipes.field import field_of, flat_pictures, free_form, from_rest, outside, recoloured, to_rest
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.raster import rasterize
from bozzetto.render.samplers import Shots
from bozzetto.scene.radiance import NeuS
from bozzetto.subject.words import read_words
from bozzetto.texture.bake import texels_of
from bozzetto.types import Subject

BODY, HEAD = np.array([[-0.3, 0.0, -0.2], [0.3, 1.7, 0.2]]), np.array([[-0.1, 1.45, -0.1], [0.1, 1.7, 0.1]])


class Stub(nn.Module):
    """Pictures are their own latents; the noise it sees is a known function of latents and words."""

    native_size, factor, roles = 16, 1, ()

    def __init__(self, pull: float = 0.3) -> None:
        super().__init__()
        self.unet = nn.Parameter(torch.tensor(pull))

    def encode(self, images, generator=None):
        return images.movedim(-1, 1)

    def decode(self, latents):
        return latents.movedim(1, -1)

    def embed(self, prompts):
        return torch.tensor([[[len(prompt) / 100.0]] for prompt in prompts])

    def signal(self, t):
        return torch.cos(t * torch.pi / 2), torch.sin(t * torch.pi / 2)

    def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
        return self.unet * noisy + text.mean((1, 2)).view(-1, 1, 1, 1)


def box(reach=0.1):
    corners = np.array([[x, y, z] for x in (-0.3, 0.3) for y in (0.0, 1.7) for z in (-0.2, 0.2)])
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return NeuS.from_mesh(corners, faces, cell=0.05, reach=reach, section=0.02, sharpness=100.0)


def small(**changes):
    return replace(AvatarBooth(render=12, views=1, steps=8, prior="stub"), **changes)


def booth(settings, body=None, head=None, prompt="a red box"):
    body = body or Stub()
    return Booth(settings, box(), BODY, HEAD, {"body": body, "head": head or body}, prompt)


# 1 and 2: the gradient


def test_pixels_get_the_weighted_score_and_the_network_nothing():
    prior, pictures = Stub(), torch.rand(2, 16, 16, 3, requires_grad=True)
    text = Text(torch.full((2, 1, 1), 0.4), torch.full((2, 1, 1), 0.1))
    settings = replace(PAPER, noise=(0.35, 0.35, 0.35))
    guided(prior, pictures, text, settings, 0.0, torch.Generator().manual_seed(3)).backward()
    generator = torch.Generator().manual_seed(3)
    t = 0.35 + 0.0 * torch.rand(2, generator=generator)
    noise = torch.randn(2, 3, 16, 16, generator=generator)
    a, b = (each.view(-1, 1, 1, 1) for each in prior.signal(t))
    latents = pictures.detach().movedim(-1, 1)
    seen_noise = 0.3 * (a * latents + b * noise)
    score = seen_noise + 0.4 + 100 * (0.4 - 0.1) - noise  # eps_text + 100 (eps_text - eps_neg) - eps
    torch.testing.assert_close(pictures.grad, (b**2 * score / 2).movedim(1, -1))
    assert prior.unet.grad is None


def test_the_papers_guidance_counts_from_the_prompt():
    noise = torch.randn(1, 2, 2, 2)
    none, told = torch.randn(2, 1, 2, 2, 2)
    found = residual("sds", Predictions(noise, torch.tensor([0.5]), none, told), PAPER.guidance)
    torch.testing.assert_close(found, told + 100 * (told - none) - noise, atol=1e-4, rtol=1e-4)


def test_t_stays_between_20_and_700():
    seen_t = []

    class Noting(Stub):
        def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
            seen_t.extend(t.tolist())
            return super().predict_noise(noisy, t, text)

    text = Text(torch.zeros(32, 1, 1), torch.zeros(32, 1, 1))
    for step in range(20):
        guided(Noting(), torch.rand(32, 4, 4, 3), text, PAPER, step / 20, torch.Generator().manual_seed(step))
    assert 0.02 <= min(seen_t) < 0.05 and 0.67 < max(seen_t) <= 0.7


# 3: the start


@pytest.fixture(scope="module")
def figure():
    return build_figure(read_words("a woman with short hair in a red t-shirt and blue trousers", 3).spec, "low")


@pytest.fixture(scope="module")
def dressed(figure):
    return field_of(figure, "figure", detail=128)


def test_the_field_starts_as_the_body(figure):
    field = field_of(figure, "body")
    part = figure.person.body.parts["body"]
    cameras = frame(field.stance.body[: part.stop], np.arange(24) * 15.0, [-20.0, 5.0, 30.0] * 8, 30.0, 64)
    with torch.no_grad():
        sight = seen(field.scene, cameras, torch.ones(24, 64, 64, 3))
    there = torch.from_numpy(rasterize(field.stance.body[: part.stop], part.faces, cameras).face >= 0)
    mine = sight.alpha[..., 0] > 0.5
    assert float((mine & there).sum() / (mine | there).sum()) > 0.95
    assert float((sight.gradient.norm(dim=1) - 1).abs().mean()) < 0.1
    torch.testing.assert_close(
        sight.rgb[mine & (sight.alpha[..., 0] > 0.99)].mean(), torch.tensor(0.5), atol=0.02, rtol=0
    )


def test_the_field_starts_as_the_figure_with_its_colours(dressed):
    cameras = frame(dressed.stance.scene.vertices, 0.0, 5.0, 30.0, 96)
    wanted = torch.from_numpy(flat_pictures(dressed.stance.scene, cameras))
    with torch.no_grad():
        sight = seen(dressed.scene, cameras, torch.zeros(1, 96, 96, 3))
    there = torch.from_numpy(rasterize(dressed.stance.scene.vertices, dressed.stance.scene.faces, cameras).face >= 0)
    mine = sight.alpha[..., 0] > 0.5
    assert float((mine & there).sum() / (mine | there).sum()) > 0.9
    sure = there & (sight.alpha[..., 0] > 0.95)
    assert float((sight.rgb - wanted)[sure].abs().mean()) < 0.07


def test_what_is_outside_is_seen_and_the_rest_is_inside(dressed):
    grid = outside(dressed.stance.scene, 0.03, 0.1, size=192, views=24)
    middle = dressed.stance.body[: dressed.figure.person.body.parts["body"].stop].mean(0)
    inside = torch.tensor([[0.0, float(middle[1]), float(middle[2])]])
    assert float(grid.at(inside)) < -0.03
    assert (grid.values[[0, -1]] > 0).all() and (grid.values[:, :, [0, -1]] > 0).all()


# 4: cameras


def test_cameras_are_the_papers():
    """Their statistics are tested with the sampler's."""
    settings, rng = replace(PAPER, render=8), np.random.default_rng(0)
    assert PAPER.head_share == 0.25 and PAPER.cameras == "dual" and PAPER.views == 1
    eyes = {"head": [], "body": []}
    for crop, found in eyes.items():
        for _ in range(60):
            shots = look(settings, crop, BODY, HEAD, rng)
            assert shots.crops == (crop,)
            matrix = shots.cameras.world_to_camera[0]
            found.append((-matrix[:3, :3].T @ matrix[:3, 3]).numpy())
    heads, bodies = (np.array(eyes[crop]) for crop in ("head", "body"))
    np.testing.assert_allclose(np.linalg.norm(heads - HEAD.mean(0), axis=1), 0.4, atol=1e-4)
    assert (heads[:, 2] > HEAD.mean(0)[2] - 1e-4).all()
    assert np.linalg.norm(bodies - BODY.mean(0), axis=1).min() > 0.6 and (bodies[:, 2] < 0).any()


def test_a_quarter_of_the_steps_looks_at_heads(monkeypatch):
    made = booth(small())
    crops = []
    monkeypatch.setattr(
        "bozzetto.recipes.booth.step_loss",
        lambda *a: crops.append(a[1].crops[0]) or torch.zeros((), requires_grad=True),
    )
    monkeypatch.setattr(made.scene, "refresh", lambda: None)
    for index in range(200):
        made.step(index)
    assert abs(crops.count("head") / 200 - 0.25) < 0.07


# 5: routing


def first_of(crop, settings):
    """A step that looks at this crop."""
    for index in range(100):
        rng = np.random.default_rng([settings.seed, index])
        rng.integers(2**62)
        if (rng.random() < settings.head_share) == (crop == "head"):
            return index
    raise AssertionError


def gradients(made, index):
    made.step(index)
    return [each.grad.clone() for each in made.scene.parameters() if each.grad is not None]


@pytest.mark.parametrize("crop", ["head", "body"])
def test_the_heads_network_is_asked_about_heads_alone(crop):
    settings = small(eikonal=0.0, pictures=False)
    index = first_of(crop, settings)
    one = gradients(booth(settings), index)
    other = gradients(booth(settings, head=Stub(0.9)), index)
    same = all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert same == (crop == "body")
    twins = gradients(booth(settings, head=Stub(0.3)), index)
    assert all(torch.equal(a, b) for a, b in zip(one, twins, strict=True))


def test_each_region_has_words_of_its_own():
    """The card's behaviour 12: other words for the body change nothing of what is asked about heads."""
    settings = small(eikonal=0.0, pictures=False)
    for crop in ("head", "body"):
        index = first_of(crop, settings)
        one, other = (
            gradients(booth(settings, prompt={"head": "sks", "body": words}), index) for words in ("red", "green coat")
        )
        same = all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        assert same == (crop == "head")


def test_the_weights_of_a_folder_are_all_named(tmp_path):
    (tmp_path / "unet").mkdir()
    for name in ("unet/a.safetensors", "b.safetensors", "c.json"):
        (tmp_path / name).write_bytes(b"")
    prior = Stub()
    prior.name, prior.weights = str(tmp_path), {}
    assert set(weight_files({"body": prior})) == {"unet/a.safetensors", "b.safetensors"}
    prior.name, prior.weights = "sd15", {"unet/x": tmp_path / "x"}
    assert weight_files({"body": prior, "head": prior}) == prior.weights
    other = Stub()
    other.name, other.weights = "sd21", {"unet/x": tmp_path / "y"}
    both = weight_files({"body": prior, "head": other})
    assert both == {"body/unet/x": tmp_path / "x", "head/unet/x": tmp_path / "y"}


# 6 and 7: sizes, kinds, backgrounds


def test_pictures_grow_by_the_papers_steps():
    sides = [target_side(step / 8000, 512, 8) for step in (0, 1999, 2000, 3999, 4000, 7999)]
    assert sides == [512, 512, 640, 640, 768, 768]
    assert [side // 8 for side in (512, 640, 768)] == [64, 80, 96]
    assert [target_side(p, 64, 8) for p in (0, 0.3, 0.9)] == [64, 80, 96]
    assert target_side(0.9, 64, 8, growing=False) == 64


def test_one_normal_one_relief_and_eight_colours_in_front():
    draws = (np.arange(1000) + 0.5) / 1000
    kinds = [kind_of("front", draw, 0.1, 0.1) for draw in draws]
    assert [kinds.count(kind) for kind in ("normal", "relief", "colour")] == [100, 100, 800]
    assert {kind_of("back", draw, 0.1, 0.1) for draw in draws} == {"colour"}


def test_normals_are_colours_of_the_cameras_space():
    cameras = orbit([0.0, 180.0], 0.0, 4.0, (0, 0.85, 0), 40.0, 24, 24)
    with torch.no_grad():
        sight = seen(box(), cameras, torch.zeros(2, 24, 24, 3))
        normals = camera_normals(sight, cameras)
    assert normals.min() >= 0 and normals.max() <= 1
    middle = normals[:, 12, 12]  # the box's side towards the viewer, from both sides
    torch.testing.assert_close(middle, torch.tensor([[0.5, 0.5, 1.0]] * 2), atol=0.03, rtol=0)


def test_skeletons_stand_where_the_person_does_and_have_no_face_from_behind():
    joints = np.array([[0, 1.6, 0.1], [0.03, 1.63, 0.09], [-0.03, 1.63, 0.09], [0.07, 1.6, 0], [-0.07, 1.6, 0]])
    pairs = ((0.2, 1.4), (0.4, 1.2), (0.5, 1.0), (0.1, 0.9), (0.1, 0.5), (0.1, 0.1))
    joints = np.concatenate([joints, [[side * x, y, 0.0] for x, y in pairs for side in (1, -1)]])
    cameras = orbit([0.0, 180.0], 0.0, 4.0, (0, 0.85, 0), 40.0, 24, 24)
    shots = Shots(cameras, np.array([0.0, 180.0]), np.zeros(2), ("body", "body"))
    front, back = skeletons(joints, shots, 96)
    focal = 48 / np.tan(np.radians(20))
    for joint in joints[[9, 15]]:  # a wrist and an ankle
        for picture, sign in ((front, 1), (back, -1)):
            column = 48 + sign * joint[0] / (4 - sign * joint[2]) * focal
            row = 48 - (joint[1] - 0.85) / (4 - sign * joint[2]) * focal
            assert picture[int(row), int(column)].max() > 0.5
    nose = torch.tensor([1.0, 0.0, 0.0])
    assert (front == nose).all(-1).any() and not (back == nose).all(-1).any()


def test_backgrounds_are_what_they_are_called():
    rng = np.random.default_rng(0)
    looks = {kind: background(kind, 64, rng) for kind in (*BACKGROUNDS, "grey")}
    assert looks["black"].max() == 0 and looks["white"].min() == 1
    assert abs(float(looks["noise"].mean()) - 0.5) < 0.03 and 0.15 < float(looks["noise"].std()) < 0.22
    assert float(looks["checkerboard"].min()) > 0.15 and float(looks["checkerboard"].max()) < 0.85
    assert looks["grey"].std() < 1e-4
    assert all(torch.equal(look[..., 0], look[..., 2]) for look in looks.values())


def test_words_know_the_view():
    assert side_of("body", 55, 0) == "front" and side_of("head", 55, 0) == "side"
    assert side_of("body", 179, 0) == "back" and side_of("body", 0, 70) == "overhead"
    assert template("a knight", "body", "back", "plain") == "a knight, back view, full body"
    assert template("a knight", "body", "back", "release") == "backview,a knight,full body,from_behind, RAW Photo"
    assert template("a knight", "head", "front", "release") == "face,a knight,  RAW Photo"
    assert template("a knight", "head", "side", "release") == "face,side view,a knight,  RAW Photo"


# 10: the sum


def test_the_loss_is_distillation_and_a_tenth_of_the_eikonal_term(monkeypatch):
    made = booth(small(normals=0.0, relief=0.0))
    shots = look(made.settings, "body", BODY, HEAD, np.random.default_rng(0))

    def total(settings):
        return step_loss(made.scene, shots, settings, made.priors["body"], made.words["body"], 0.0,
                         np.random.default_rng(1), torch.Generator().manual_seed(1))  # fmt: skip

    monkeypatch.setattr("bozzetto.recipes.booth.guided", lambda *a: torch.tensor(2.0))
    monkeypatch.setattr("bozzetto.recipes.booth.eikonal", lambda gradient: torch.tensor(7.0))
    torch.testing.assert_close(total(made.settings), torch.tensor(2.7))
    assert PAPER.eikonal == 0.1 and AvatarBooth().eikonal == 0.1


# 11: the rig


def test_the_mesh_goes_to_the_t_pose_and_back(dressed):
    figure, stance = dressed.figure, dressed.stance
    person = donor(figure.person.body, figure.person.vertices, figure.bind, figure.ground)
    used, faces = np.unique(person.faces, return_inverse=True)
    faces = faces.reshape(-1, 3)
    vertices = stance.body[used].astype(np.float32)
    rest = to_rest(person, stance, vertices, faces)
    assert np.median(np.linalg.norm(rest - person.vertices[used], axis=1)) < 0.003
    weighted = carry_weights(
        replace(person, vertices=stance.body[: len(person.vertices)]), vertices.astype(float), faces
    )
    np.testing.assert_allclose(weighted.skin_weights.sum(1), 1.0, atol=1e-5)
    there = from_rest(person, stance)
    back = skin(
        unskin(vertices, weighted.skin_weights, weighted.skin_joints, there),
        weighted.skin_weights,
        weighted.skin_joints,
        there,
    )
    np.testing.assert_allclose(back, vertices, atol=1e-4)


# What comes out


def test_layers_stay_as_they_are_until_the_field_learns(dressed):
    avatar = recoloured(dressed)
    for old, new in zip(dressed.figure.avatar.layers, avatar.layers, strict=True):
        np.testing.assert_array_equal(old.material.albedo, new.material.albedo)
    changed = replace(dressed, scene=copy.deepcopy(dressed.scene))
    with torch.no_grad():
        changed.scene.colour.network[-1].bias += torch.tensor([2.0, 0.0, -2.0])
    top = next(i for i, layer in enumerate(avatar.layers) if layer.name == "top")
    was, now = (
        each.layers[top].material.albedo.reshape(-1, each.layers[top].material.albedo.shape[2])[:, :3].mean(0)
        for each in (avatar, recoloured(changed))
    )
    assert now[0] > was[0] and now[2] <= was[2] and abs(now[1] - was[1]) < 1
    eyes = next(i for i, layer in enumerate(avatar.layers) if layer.name == "eyes")
    np.testing.assert_array_equal(avatar.layers[eyes].material.albedo, recoloured(changed).layers[eyes].material.albedo)


def test_places_that_a_photo_shows_stay(dressed):
    changed = replace(dressed, scene=copy.deepcopy(dressed.scene))
    with torch.no_grad():
        changed.scene.colour.network[-1].bias += torch.tensor([2.0, 0.0, -2.0])
    layer = dressed.figure.avatar.layer("top")
    albedo = layer.material.albedo
    height, width = albedo.shape[:2]
    side = max(height, width)
    grid = np.ix_(np.arange(height) * side // height, np.arange(width) * side // width)
    known = np.zeros((side, side), np.float32)
    known[: side // 2] = 1.0
    made = recoloured(replace(changed, known={"top": known})).layer("top").material.albedo
    free = recoloured(changed).layer("top").material.albedo
    moved = texels_of(layer.mesh, side).covered[grid] & (free != albedo).any(-1)
    kept = known[grid] == 1
    assert (moved & kept).any() and (made == albedo).all(-1)[moved & kept].all()
    assert (moved & ~kept).any() and (made == free).all(-1)[moved & ~kept].all()


def test_layers_that_share_a_picture_share_it_still(dressed):
    avatar = dressed.figure.avatar
    pair = tuple(layer for layer in avatar.layers if layer.name in ("top", "bottom"))
    shared = replace(pair[1], material=pair[0].material)
    layers = tuple(shared if layer is pair[1] else layer for layer in avatar.layers)
    made = recoloured(replace(dressed, figure=replace(dressed.figure, avatar=replace(avatar, layers=layers))))
    assert made.layer("top").material.albedo is made.layer("bottom").material.albedo


def test_a_bare_bodys_face_stays_the_bodys(figure):
    assert not field_of(figure, "body").scene.holding, "the paper's shapes are free"
    field = field_of(figure, "body", own_face=True)
    points = field.stance.body[figure.person.body.parts["body"].faces.ravel()]
    face = points[regions(figure.person.body)["face"][figure.person.body.parts["body"].faces.ravel()]]
    with torch.no_grad():
        field.scene.shape.network[-1].bias += 0.4
        outside = torch.from_numpy(face).float() + torch.tensor([0.0, 0.0, 0.02])
        assert field.scene.held(outside).median() > 0.95
        moved = field.scene.distance(outside) - field.before.distance(outside)
        assert moved.abs().median() < 0.002
    avatar = free_form(field, size=256)
    mesh = avatar.layer("figure").mesh
    body = donor(figure.person.body, figure.person.vertices, figure.bind, figure.ground)
    away, _, _ = igl.point_mesh_squared_distance(
        body.vertices[body.face].astype(float), mesh.vertices.double().numpy(), mesh.faces.numpy()
    )
    shown = np.isin(np.flatnonzero(body.face), np.unique(body.faces))
    assert np.quantile(np.sqrt(away[shown]), 0.9) < 0.002, "to within 2 mm, on a grid of 12"
    assert {"right_eye_lining", "mouth_lining", "eyes", "teeth"} <= {layer.name for layer in avatar.layers}


@pytest.mark.slow
def test_the_fields_surface_is_a_character(dressed, tmp_path):
    from bozzetto.export.glb import write_glb
    from bozzetto.export.read import read_glb

    avatar = free_form(dressed, cell=0.015, size=512)
    write_glb(avatar, tmp_path / "avatar.glb")
    back = read_glb(tmp_path / "avatar.glb")
    assert {"figure", "eyes", "teeth"} <= {layer.name for layer in back.layers}
    assert len(back.layers[0].expressions) > 40
    old = np.concatenate([layer.mesh.vertices.numpy() for layer in dressed.figure.avatar.layers])
    new = back.layer("figure").mesh.vertices.numpy()
    np.testing.assert_allclose(new.min(0), old.min(0), atol=0.04)
    np.testing.assert_allclose(new.max(0), old.max(0), atol=0.04)


# Going on


def test_a_run_goes_on_where_it_stopped():
    settings = small()
    straight, stopped = booth(settings), booth(settings)
    for index in range(4):
        straight.step(index)
    for index in range(2):
        stopped.step(index)
    other = booth(settings)
    other.restore(stopped.state())
    assert other.done == 2
    for index in range(other.done, 4):
        other.step(index)
    for a, b in zip(straight.scene.parameters(), other.scene.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_rate_warms_up_and_falls_to_a_tenth():
    shares = [learning_share(index, 8000) for index in range(8000)]
    assert shares[0] < 0.01 and shares[499] == 1.0 and abs(shares[-1] - 0.1) < 1e-3
    assert (np.diff(shares[500:]) <= 0).all()


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"steps": -1}, {"views": 0}, {"noise": (0.9, 0.1, 0.1)}, {"normals": 0.8, "relief": 0.3}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        AvatarBooth(**wrong)


def test_it_is_registered_and_measured():
    assert RECIPES["avatarbooth"] == AvatarBooth() and RECIPES["avatarbooth-paper"] == PAPER
    assert len({case.prompt for case in CASES}) == 12 and all(isinstance(row, AvatarBooth) for row in ROWS.values())
    reading = read_words(CASES[2].prompt, 1)
    assert reading.spec.dress is not None and reading.spec.dress.colour.name == "purple"


# painted pictures, before the first step


class Painter:
    """Paints every person red, on what is known to stand behind."""

    def __init__(self):
        self.asked = []

    def __call__(self, prior, prompts, negative, steps, guidance, conditions, inpainting, start, generator):
        self.asked.append((list(prompts), conditions, inpainting, start))
        inner = 1 - F.max_pool2d(1 - inpainting.mask.movedim(-1, 1), 3, 1, 1).movedim(1, -1)
        return torch.tensor([0.8, 0.1, 0.1]) * inner + inpainting.image * (1 - inner)


class Able(Stub):
    roles = ("base", "inpaint", "control/pose", "control/landmarks", "control/normal")
    native_size, device = 48, "cpu"


@pytest.fixture
def painter(monkeypatch):
    found = Painter()
    monkeypatch.setattr(painting, "imagine", found)
    return found


def joints_of_a_box():
    return np.stack([np.zeros(17), np.linspace(1.6, 0.1, 17), np.zeros(17)], 1)


def test_a_field_takes_what_painted_pictures_agree_on(painter, monkeypatch):
    monkeypatch.setattr(painting, "FITTING", 200)
    settings = small(init="body", painted=4, render=48)
    lines = {"oval": np.array([[x, y, 0.2] for x, y in ((0.05, 1.5), (0.0, 1.65), (-0.05, 1.5))])}
    made = Booth(
        settings, box(0.2), BODY, HEAD, {"body": Able(), "head": Able()}, "a red box", joints_of_a_box(), lines
    )
    camera = orbit(np.zeros(1), np.zeros(1), 4.0, BODY.mean(0), 30.0, 48, 48)
    with torch.no_grad():
        before = made.scene.render(camera, 0.0)
    painting.paint_first(made)
    with torch.no_grad():
        after = made.scene.render(camera, 0.0)
    assert made.painted and before.alpha[0, 24, 24] > 0.9 and after.alpha[0, 24, 24] > 0.9
    red, green, blue = after.rgb[0, 24, 24].tolist()
    assert red > 0.6 and max(green, blue) < 0.3, "its colour is the pictures'"
    assert after.alpha.sum() > 1.05 * before.alpha.sum(), "and so is its outline, which is wider"
    bodies, heads = painter.asked
    assert all("full body" in words for words in bodies[0]) and all("head portrait" in words for words in heads[0])
    assert set(bodies[1].pictures) == {"pose"} and set(heads[1].pictures) == {"landmarks"}
    assert bodies[3] is None and heads[3] is None, "from noise alone"


def test_a_field_is_painted_over_from_its_own_pictures_and_once(painter, monkeypatch):
    monkeypatch.setattr(painting, "OVER_FITTING", 100)
    priors = {"body": Able(), "head": Able()}
    lines = {"oval": np.array([[0.05, 1.5, 0.2]])}
    made = Booth(small(polished=4), box(0.2), BODY, HEAD, priors, "a red box", joints_of_a_box(), lines)
    camera = orbit(np.zeros(1), np.zeros(1), 4.0, BODY.mean(0), 30.0, 48, 48)
    painting.paint_over(made)
    with torch.no_grad():
        red, green, _ = made.scene.render(camera, 0.0).rgb[0, 24, 24].tolist()
    assert red > green + 0.2, "it takes what they agree on"
    for _, conditions, _, start in painter.asked:
        assert set(conditions.pictures) == {"normal"} and start.t == painting.OVER
    other = Booth(small(), box(0.2), BODY, HEAD, {"body": Stub(), "head": Stub()}, "a red box")
    assert not other.polished
    other.restore(made.state())
    assert other.polished
    with pytest.raises(ValueError, match="polished must be 0 or more"):
        AvatarBooth(polished=-1)


def test_heads_are_painted_from_where_a_face_is_seen(painter):
    lines = {"oval": np.array([[x, y, 0.2] for x, y in ((0.05, 1.5), (0.0, 1.65), (-0.05, 1.5))])}
    for seed in range(8):
        settings = small(init="body", painted=5, render=16, seed=seed)
        priors = {"body": Able(), "head": Able()}
        made = Booth(settings, box(), BODY, HEAD, priors, "a box", joints_of_a_box(), lines)
        pictures = painting.painted(made, settings.painted)
        assert len(pictures) == 5
        assert painter.asked[-1][1].pictures["landmarks"].amax() > 0 and "back view" not in painter.asked[-1][0][0]


def test_what_words_leave_open_is_said_where_a_body_is_painted():
    prompt = "a woman with a black bob and dark skin in a red dress"
    spec = read_words(prompt).spec
    assert AvatarBooth(init="body").words(prompt, spec) == {
        "body": prompt + ", with dark skin", "head": prompt + ", with a black bob and dark skin",
    }  # fmt: skip
    for free in (AvatarBooth(), AvatarBooth(init="body", painted=0), PAPER):
        assert free.words(prompt, spec) == {"body": prompt, "head": prompt}


def test_a_face_is_drawn_where_it_looks_here():
    cameras = orbit(np.array([0.0, 60.0, 120.0]), np.zeros(3), 2.0, HEAD.mean(0), 24.0, 32, 32)
    shots = Shots(cameras, np.array([0.0, 60.0, 120.0]), np.zeros(3), ("head",) * 3)
    line = np.array([[-0.08, 1.6, 0.1], [0.08, 1.6, 0.1], [0.08, 1.62, 0.1]])
    drawn = face_lines({"left_eye": line, "left_iris": line}, shots, 64)
    seen = [picture.amax(-1) > 0 for picture in drawn]
    assert drawn.shape == (3, 64, 64, 3) and not seen[2].any()
    width = [int(each.any(0).nonzero().numel()) for each in seen[:2]]
    assert width[0] > 1.6 * width[1] > 0, "turned away it is narrower"
    assert seen[0].any(1).nonzero().max() < 32, "it lies above the middle of the head"


def test_what_is_no_background_is_the_figure():
    picture = np.full((24, 24, 3), 0.62, np.float32)
    picture[6:18, 8:16] = (0.8, 0.1, 0.1)
    picture[10:12, 11:13] = 0.62
    picture[2, 2] = 0.0
    found = painting.figure(picture)
    assert found[7:17, 9:15].all() and found.sum() == 10 * 6, "holes are filled, specks and the soft edge left out"


def test_pictures_are_painted_for_bare_bodies_and_once(painter):
    assert AvatarBooth().pictures_first == 0 and AvatarBooth(init="body").pictures_first == 24
    assert PAPER.pictures_first == 0 and PAPER.levels == (0.02, 0.7, 0.7)
    assert AvatarBooth(init="body", painted=0).levels[1] == 0.98 and AvatarBooth(init="body").levels[1] == 0.4
    made = booth(small())
    made.painted = True
    other = booth(small())
    other.restore(made.state())
    assert other.painted
    with pytest.raises(ValueError, match="painted and polished must be 0 or more"):
        AvatarBooth(painted=-1)


@pytest.mark.slow
def test_words_are_painted_over_last_and_once(monkeypatch):
    asked = []

    def paint_over(booth):
        asked.append(booth)
        booth.polished = True

    monkeypatch.setattr(painting, "paint_over", paint_over)
    recipe, subject = AvatarBooth(steps=1, render=16, polished=2), Subject("a man in a red shirt")
    steps = list(recipe.fit(subject))
    assert [step.stage for step in steps[-3:]] == ["distillation", "polishing", "character"] and len(asked) == 1
    again = [step.stage for step in recipe.resume(subject, steps[-2].state())]
    assert again[-2:] == ["start", "character"] and len(asked) == 1
