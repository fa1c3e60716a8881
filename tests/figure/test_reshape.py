"""Other measures on a figure that is there: what is asked is met, and nothing else moves."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from bozzetto.export import read_glb, write_glb
from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.reshape import (
    carried,
    followed,
    painted_places,
    read_change,
    read_changes,
    reshaped,
    same_layers,
    with_clips,
)
from bozzetto.figure.spec import BodySpec, FaceSpec, FigureSpec, Garment, HairSpec
from bozzetto.recipes.reshape import Reshape
from bozzetto.types import Avatar, Clip, Layer, Material, Mesh, Skeleton, Subject, UserError

DRESSED = FigureSpec(
    BodySpec("woman", 30.0, 1.66, 0.4, 0.4, 0.7, 3),
    FaceSpec(),
    HairSpec("short", colour("red")),
    top=Garment("t-shirt", colour("green")),
    bottom=Garment("jeans", colour("navy blue")),
)
"""Barefoot, so that the skin reaches the ground."""


@cache
def built(spec: FigureSpec) -> Avatar:
    return build_figure(spec).avatar


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("height", "1.80", 1.8),
        ("height", "1,80 m", 1.8),
        ("height", "180cm", 1.8),
        ("height", "180", 1.8),
        ("height", "+5cm", 1.75),
        ("height", "-0.1", 1.6),
        ("age", "60", 60.0),
        ("age", "+10", 40.0),
        ("weight", "70%", 0.7),
        ("weight", "+0.1", 0.6),
        ("muscle", "-10%", 0.4),
        ("proportions", "1", 1.0),
    ],
)
def test_values_are_read_with_units_and_signs(name, text, value):
    assert read_change(name, text, BodySpec()) == pytest.approx(value)


def test_kilograms_go_by_the_height_that_is_asked():
    short, tall = (read_changes({"height": height, "weight": "75kg"}, BodySpec()) for height in ("1.60", "1.90"))
    assert short["weight"] > 0.7 > 0.4 > tall["weight"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("height", "tall"), ("height", "9m"), ("age", "200"), ("age", "-40"), ("weight", "2"), ("weight", "+3kg"),
     ("muscle", ""), ("age", "5 cm"), ("height", "nan")],
)  # fmt: skip
def test_what_is_no_measure_is_refused(name, text):
    with pytest.raises(UserError, match=f"--{name}"):
        read_change(name, text, BodySpec())


def test_only_what_was_asked_changes_in_the_spec():
    changes = {
        "height": 1.8,
        "age": 60.0,
        "weight": 0.7,
        "muscle": 0.6,
        "proportions": 0.2,
        "shoulders": 0.8,
        "hips": 0.3,
    }
    for name, value in changes.items():
        new, asked, follows = reshaped(DRESSED, {name: value})
        assert new == replace(DRESSED, body=replace(DRESSED.body, **{name: value}))
        assert len(asked) == 1 and not follows


def test_there_and_back_is_the_first_figure():
    there, _, _ = reshaped(DRESSED, {"height": 1.9, "age": 9.0, "weight": 0.9})
    assert reshaped(there, {"height": 1.66, "age": 30.0, "weight": 0.4})[0] == DRESSED
    grown, _, _ = reshaped(DRESSED, {"age": 8.0})
    assert 1.15 < grown.body.height < 1.4, "a child of eight has a child's height"
    assert reshaped(grown, {"age": 30.0})[0].body.height == pytest.approx(1.66, abs=2e-6)


def test_children_are_dressed_and_beardless():
    bare = FigureSpec(BodySpec("man"), FaceSpec(beard="full"), outer=Garment("jacket", colour("black")))
    child, _, follows = reshaped(bare, {"age": 10.0})
    assert child.top is not None and child.bottom is not None and child.face.beard == "none"
    assert child.outer == bare.outer and len(follows) == 4
    assert reshaped(bare, {"age": 60.0})[0].top is None


def skin_height(avatar: Avatar) -> float:
    y = avatar.layer("skin").mesh.vertices[:, 1]
    return float(y.max() - y.min())


@pytest.mark.parametrize("changes", [{"height": 1.85, "age": 70.0}, {"age": 7.0}])
def test_the_exported_body_has_the_height_that_was_asked(changes, tmp_path):
    spec, _, _ = reshaped(DRESSED, changes)
    write_glb(built(spec), tmp_path / "avatar.glb")
    assert skin_height(read_glb(tmp_path / "avatar.glb")) == pytest.approx(spec.body.height, abs=0.01)


def painted(avatar: Avatar) -> Avatar:
    """The figure with one texture on all layers, each face of each layer on a place of its own."""
    rng = np.random.default_rng(0)
    image = Material(rng.integers(0, 256, (128, 128, 3), np.uint8))
    layers = []
    for layer in avatar.layers:
        uvs = torch.from_numpy(rng.random(layer.mesh.uvs.shape, np.float32))
        layers.append(replace(layer, mesh=replace(layer.mesh, uvs=uvs), material=image))
    return replace(avatar, layers=tuple(layers))


def test_what_a_photo_painted_is_carried_face_by_face():
    before, after = built(DRESSED), built(reshaped(DRESSED, {"weight": 0.8})[0])
    worn = painted(before)
    moved = carried(worn, before, after)
    for old, new, fresh in zip(worn.layers, moved.layers, after.layers, strict=True):
        assert new.material is old.material
        if torch.equal(old.mesh.faces, new.mesh.faces):
            assert torch.equal(new.mesh.uvs, old.mesh.uvs)
        assert torch.equal(new.mesh.vertices, fresh.mesh.vertices)
    assert not torch.equal(moved.layer("skin").mesh.vertices, worn.layer("skin").mesh.vertices)


def test_a_figure_that_was_bent_stays_bent():
    before, after = built(DRESSED), built(replace(DRESSED, body=replace(DRESSED.body, height=1.8)))
    wider = torch.tensor([1.1, 1.0, 1.0])
    layers = tuple(
        replace(layer, mesh=replace(layer.mesh, vertices=layer.mesh.vertices * wider)) for layer in before.layers
    )
    skeleton = replace(before.skeleton, positions=before.skeleton.positions * wider)
    got = carried(replace(before, layers=layers, skeleton=skeleton), before, after)
    for name in ("skin", "bottom"):
        wide, plain, old = (each.layer(name).mesh.vertices[:, 0].numpy() for each in (got, after, before))
        assert np.ptp(wide) == pytest.approx(np.ptp(plain) + 0.1 * np.ptp(old), rel=0.02)
    for name in ("skin", "bottom"):  # smoothly, also where the other body has other vertices
        moved, fresh = (each.layer(name).mesh.vertices for each in (got, after))
        edges = torch.unique(after.layer(name).mesh.faces[:, [0, 1]], dim=0)
        long = [(each[edges[:, 0]] - each[edges[:, 1]]).norm(dim=1) for each in (moved, fresh)]
        assert float((long[0] - long[1]).abs().max()) < 0.01
    hand = got.skeleton.index("wrist.L")
    moved = 0.1 * before.skeleton.positions[hand, 0]
    assert got.skeleton.positions[hand, 0] == pytest.approx(after.skeleton.positions[hand, 0] + moved)


def strip(faces: int, uvs: np.ndarray) -> Layer:
    vertices = torch.rand(faces + 2, 3)
    rows = torch.arange(faces)[:, None] + torch.arange(3)
    weights = torch.eye(4)[:1].repeat(faces + 2, 1)
    grey = Material(np.full((2, 2, 3), 99, np.uint8))
    mesh = Mesh(vertices, rows, torch.from_numpy(uvs))
    return Layer("skin", mesh, weights, torch.zeros(faces + 2, 4, dtype=torch.int64), grey)


def test_faces_follow_by_their_place_on_the_chart():
    chart = np.random.default_rng(1).random((6, 3, 2), np.float32)
    own = np.random.default_rng(2).random((5, 3, 2), np.float32)
    before, after = strip(5, chart[:5]), strip(5, chart[[4, 0, 5, 2, 3]])
    got = followed(before, after, own)
    assert (got[[0, 1, 3, 4]] == own[[4, 0, 2, 3]]).all()
    flat = got[2]  # a face that was hidden before takes one painted place near by
    assert (flat == flat[0]).all() and (flat[0] == own.reshape(-1, 2)).all(1).any()


def test_equal_places_are_given_out_in_order():
    chart = np.zeros((3, 3, 2), np.float32)
    chart[1] = 0.5
    own = np.arange(18, dtype=np.float32).reshape(3, 3, 2)
    got = followed(strip(3, chart), strip(4, np.concatenate([chart[[1]], chart])), own)
    assert (got[[0, 1, 3]] == own[[1, 0, 2]]).all()


def test_clips_of_ones_own_stay_and_stride_with_the_height():
    after = Avatar((), Skeleton(("root",), (-1,), torch.zeros(1, 3)), (Clip("walk", np.zeros(1), {}),))
    wave = Clip("wave", np.zeros(1), {}, np.ones((1, 3), np.float32))
    got = with_clips(after, replace(after, clips=(Clip("walk", np.ones(1), {}), wave)), 1.1)
    assert [clip.name for clip in got.clips] == ["walk", "wave"] and got.clips[0] is after.clips[0]
    assert got.clips[1].root_translation == pytest.approx(np.full((1, 3), 1.1))


def run_of(avatar: Avatar, folder) -> Reshape:
    write_glb(avatar, folder / "avatar.glb")
    return Reshape(folder, DRESSED, "digitize", {"weight": 0.8})


def test_a_photos_texture_is_in_the_new_file_byte_by_byte(tmp_path):
    from bozzetto.export.read import unpack_glb

    *_, step = run_of(painted(built(DRESSED)), tmp_path).fit(Subject(""))
    write_glb(step.avatar(), tmp_path / "new.glb")

    def images(name: str) -> set[bytes]:
        document, binary = unpack_glb((tmp_path / name).read_bytes())
        views = [document["bufferViews"][image["bufferView"]] for image in document["images"]]
        return {binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] for view in views}

    assert images("new.glb") == images("avatar.glb")


def test_a_mesh_without_layers_or_skeleton_is_refused(tmp_path):
    skin = built(DRESSED).layer("skin")
    with pytest.raises(UserError, match="free-form"):
        next(run_of(replace(built(DRESSED), layers=(skin,), clips=()), tmp_path).fit(Subject("")))
    lone = replace(skin, skin_joints=torch.zeros_like(skin.skin_joints), expressions={})
    still = Avatar((lone,), Skeleton(("root",), (-1,), torch.zeros(1, 3)))
    with pytest.raises(UserError, match="static"):
        next(run_of(still, tmp_path).fit(Subject("")))


def test_layers_are_compared_by_name():
    figure = built(DRESSED)
    assert same_layers(painted(figure), figure)
    assert not same_layers(replace(figure, layers=figure.layers[:-1]), figure)


def flat(cells: int) -> Layer:
    """A square of one metre, whose texture lies on it as it is."""
    ends = torch.linspace(0, 1, cells + 1)
    points = torch.stack(torch.meshgrid(ends, ends, indexing="ij"), -1).reshape(-1, 2)
    first = (torch.arange(cells)[:, None] * (cells + 1) + torch.arange(cells)).reshape(-1, 1)
    faces = torch.cat([first + torch.tensor([0, cells + 1, 1]), first + torch.tensor([1, cells + 1, cells + 2])])
    vertices = torch.cat([points, torch.zeros(len(points), 1)], 1)
    weights, joints = torch.eye(4)[:1].repeat(len(points), 1), torch.zeros(len(points), 4, dtype=torch.int64)
    grey = Material(np.full((2, 2, 3), 99, np.uint8))
    return Layer("skin", Mesh(vertices, faces, points[faces]), weights, joints, grey)


def test_a_layer_of_another_version_is_painted_by_place():
    old, new = flat(5), flat(7)
    places = painted_places(old, replace(new, mesh=replace(new.mesh, uvs=torch.zeros_like(new.mesh.uvs))))
    assert places == pytest.approx(new.mesh.uvs.numpy(), abs=1e-5)
    assert (painted_places(old, flat(5)) == old.mesh.uvs.numpy()).all()
    cards = replace(new, material=replace(new.material, alpha="mask"))
    assert (painted_places(old, cards) == new.mesh.uvs.numpy()).all(), "cards keep their strands"
