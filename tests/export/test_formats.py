"""Files in other formats hold what the avatar holds, a size that is asked for is kept, and orders are checked first."""

import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bozzetto import cli
from bozzetto.export import fbx, formats
from bozzetto.export.accessor import TYPES, WIDTHS
from bozzetto.export.compress import diets, fitted, levels, quantised
from bozzetto.export.fbx import find_blender, write_fbx
from bozzetto.export.formats import Order, write_formats
from bozzetto.export.glb import Pictures, glb_bytes, gltf_document, pack_glb
from bozzetto.export.ledger import ledger
from bozzetto.export.obj import obj_files, write_obj, write_ply
from bozzetto.export.read import read_glb, unpack_glb
from bozzetto.export.simplify import count_triangles
from bozzetto.export.vertices import vertex_buffers
from bozzetto.types import Material, UserError
from export_people import everything

WEB = Path(__file__).parents[1] / "web"
AVATAR = everything()


def validated(path: Path) -> None:
    if not shutil.which("node") or not (WEB / "node_modules").is_dir():
        pytest.skip("needs node and `npm ci` in tests/web")
    done = subprocess.run(["node", "validate.mjs", str(path)], cwd=WEB, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def values(document: dict, binary: bytes, index: int) -> np.ndarray:
    """What a program reads from an accessor that has a buffer view."""
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    dtype = np.dtype(TYPES[accessor["componentType"]])
    width = WIDTHS[accessor["type"]]
    stride = view.get("byteStride", width * dtype.itemsize)
    rows = np.frombuffer(binary, np.uint8)[view["byteOffset"] :][: view["byteLength"]].reshape(-1, stride)
    numbers = np.ascontiguousarray(rows[:, : width * dtype.itemsize]).view(dtype)
    return numbers / np.iinfo(dtype).max if accessor.get("normalized") else numbers


def test_quantised_vertices_say_the_same(tmp_path: Path) -> None:
    whole, small = gltf_document(AVATAR), quantised(*gltf_document(AVATAR))
    assert len(small[1]) < len(whole[1])
    for before, after in zip(whole[0]["meshes"], small[0]["meshes"], strict=True):
        old, new = (mesh["primitives"][0]["attributes"] for mesh in (before, after))
        for name, error in (("POSITION", 0), ("NORMAL", 0.004), ("TEXCOORD_0", 1e-5), ("WEIGHTS_0", 0.006)):
            assert np.abs(values(*small, new[name]) - values(*whole, old[name])).max() <= error, name
        assert np.allclose(values(*small, new["WEIGHTS_0"]).sum(axis=1), 1, atol=1e-12)
    (target,) = {each["POSITION"] for each in after["primitives"][0].get("targets", [])} or {None}
    assert target is None  # hair has no expressions
    sparse = small[0]["accessors"][small[0]["meshes"][0]["primitives"][0]["targets"][0]["POSITION"]]
    assert sparse["componentType"] == 5122 and sparse["normalized"]
    (tmp_path / "small.glb").write_bytes(pack_glb(*small))
    with pytest.raises(UserError, match=r"exported smaller .*KHR_mesh_quantization"):
        read_glb(tmp_path / "small.glb")
    validated(tmp_path / "small.glb")


def test_webp_textures_are_announced(tmp_path: Path) -> None:
    path = tmp_path / "webp.glb"
    path.write_bytes(glb_bytes(AVATAR, pictures=Pictures(webp=True)))
    document, binary = unpack_glb(path.read_bytes())
    assert "EXT_texture_webp" in document["extensionsRequired"]
    assert {image["mimeType"] for image in document["images"]} == {"image/webp"}
    assert all("source" not in texture for texture in document["textures"])
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    assert binary[view["byteOffset"] + 8 :][:4] == b"WEBP"
    with pytest.raises(UserError, match=r"exported smaller .*EXT_texture_webp"):
        read_glb(path)
    validated(path)


def test_a_file_is_made_to_fit() -> None:
    level = levels(AVATAR)
    sizes = [len(glb_bytes(diet.avatar, pictures=diet.pictures)) for diet in diets(level)]
    assert sizes == sorted(sizes, reverse=True)
    for limit in (sizes[0], sizes[1], (sizes[3] + sizes[2]) // 2, sizes[-1]):
        made, words = fitted("a.glb", limit, diets(level), lambda avatar, stored: glb_bytes(avatar, pictures=stored))
        first = next(size for size in sizes if size <= limit)
        assert len(made) == first
        assert (words == "nothing") == (limit == sizes[0])
    with pytest.raises(UserError, match=r"a.glb cannot be made as small as .*--max-mb"):
        fitted("a.glb", sizes[-1] - 1, diets(level), lambda avatar, stored: glb_bytes(avatar, pictures=stored))


def test_textures_shrink_to_the_side_that_is_asked_for() -> None:
    document, binary = unpack_glb(glb_bytes(AVATAR, pictures=Pictures(side=100, lossy=True, quality=80)))
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        file = binary[view["byteOffset"] :][: view["byteLength"]]
        assert file[:3] == b"\xff\xd8\xff" or file[1:4] == b"PNG"
    assert {image["mimeType"] for image in document["images"]} == {"image/jpeg", "image/png"}


def test_an_obj_has_every_layer_with_its_material(tmp_path: Path) -> None:
    write_obj(AVATAR, tmp_path / "me.obj")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(obj_files(AVATAR, "me"))
    lines = [line.split() for line in (tmp_path / "me.obj").read_text().splitlines() if line[0] != "#"]
    assert [words[1] for words in lines if words[0] == "o"] == [layer.name for layer in AVATAR.layers]
    points = np.array([words[1:] for words in lines if words[0] == "v"], float)
    corners = np.array([[each.split("/") for each in words[1:]] for words in lines if words[0] == "f"], int) - 1
    assert len(corners) == count_triangles(AVATAR) and (corners[..., 0] == corners[..., 2]).all()
    uvs = np.array([words[1:] for words in lines if words[0] == "vt"], float)
    first, start = AVATAR.layers[0], len(AVATAR.layers[0].mesh.faces)
    moved = first.expressions["mouthSmileLeft"]
    expected = first.mesh.vertices.index_add(0, moved.indices, 0.5 * moved.offsets)[first.mesh.faces]
    assert np.allclose(points[corners[:start, :, 0]], expected, atol=1e-6)  # with its smile
    assert np.allclose(1 - uvs[corners[:start, :, 1]][..., 1], first.mesh.uvs[..., 1], atol=1e-6)
    materials = (tmp_path / "me.mtl").read_text()
    assert materials.count("newmtl") == 3
    for line in materials.splitlines():
        if line.startswith(("map_", "norm")):
            Image.open(tmp_path / line.split()[1]).verify()
    assert "map_d" in materials and "Pm 0.25" in materials


def test_an_ending_in_capitals_is_kept(tmp_path: Path) -> None:
    write_formats(AVATAR, Order({"obj": tmp_path / "ME.OBJ"}))
    assert {path.name for path in tmp_path.iterdir()} == {*obj_files(AVATAR, "ME")[:-1], "ME.OBJ"}


def test_a_ply_has_colours(tmp_path: Path) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    layers = tuple(replace(layer, material=Material(red)) for layer in AVATAR.layers)
    write_ply(replace(AVATAR, layers=layers), tmp_path / "me.ply")
    header, _, body = (tmp_path / "me.ply").read_bytes().partition(b"end_header\n")
    count = sum(len(vertex_buffers(layer).origin) for layer in layers)
    assert f"element vertex {count}\n".encode() in header
    vertices = np.frombuffer(body, [("p", "<f4", 3), ("n", "<f4", 3), ("c", "u1", 4)], count)
    assert (vertices["c"] == [200, 0, 0, 255]).all()
    assert np.allclose(np.linalg.norm(vertices["n"], axis=1), 1, atol=1e-5)
    faces = np.frombuffer(body[vertices.nbytes :], [("count", "u1"), ("rows", "<i4", 3)])
    assert len(faces) == count_triangles(AVATAR) and faces["rows"].max() == count - 1


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


FAKE = """import sys
from pathlib import Path
script, source, target = sys.argv[sys.argv.index("--python") + 1], *sys.argv[sys.argv.index("--") + 1 :]
assert "--background" in sys.argv and Path(script).name == "blender_fbx.py" and Path(script).is_file()
assert Path(source).read_bytes()[:4] == b"glTF"
Path(target).write_bytes(b"Kaydara FBX Binary")
"""


def test_fbx_is_written_by_the_blender_that_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "blender", FAKE)
    monkeypatch.setenv("PATH", str(tmp_path))
    blender = find_blender()
    assert Path(blender[0]) == tmp_path / "blender"
    write_fbx(AVATAR, tmp_path / "me.fbx", blender=blender)
    assert (tmp_path / "me.fbx").read_bytes() == b"Kaydara FBX Binary"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blender", "me.fbx"]


def test_a_blender_without_numpy_is_told_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bpy.py").write_text("")
    (tmp_path / "numpy.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match="apt install python3-numpy"):
        write_fbx(AVATAR, tmp_path / "me.fbx", blender=(sys.executable,))
    assert not (tmp_path / "me.fbx").exists()


def test_a_python_with_bpy_is_a_blender_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bpy.py").write_text("")
    with pytest.raises(UserError, match="a Python without bpy"):
        find_blender(Path(sys.executable))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert find_blender(Path(sys.executable)) == (sys.executable,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit('no glTF add-on')", r"exit status 1\): no glTF add-on"),
        ("pass", r"exit status 0\): it said nothing"),
    ],
)
def test_a_blender_that_fails_leaves_nothing(tmp_path: Path, text: str, said: str) -> None:
    blender = find_blender(program(tmp_path / "blender-old", text))
    with pytest.raises(UserError, match=said):
        write_fbx(AVATAR, tmp_path / "me.fbx", blender=blender)
    assert [path.name for path in tmp_path.iterdir()] == ["blender-old"]


def test_without_blender_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(fbx, "_has_bpy", lambda python: False)
    with pytest.raises(UserError, match="Install it from"):
        Order({"fbx": tmp_path / "me.fbx"}).check()
    with pytest.raises(UserError, match="no program"):
        find_blender(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("outs", "fields", "said"),
    [
        ("me.glb", {"lod": 1, "max_triangles": 9}, "not both"),
        ("me.glb", {"max_triangles": 0}, "leaves nothing"),
        ("me.glb", {"max_mb": float("nan")}, "is no size"),
        ("me.glb", {"max_mb": -1.0}, "is no size"),
        ("me.obj", {"max_mb": 1.0}, "GLB and VRM"),
        ("me.obj", {"webp": True}, "GLB and VRM"),
        ("me.vrm", {"quantise": True}, "for GLB"),
        ("me.usdz.txt", {}, "End it in"),
    ],
)
def test_orders_that_make_no_sense_are_refused(tmp_path: Path, outs: str, fields: dict, said: str) -> None:
    format = outs.split(".")[1]
    with pytest.raises(UserError, match=said):
        Order({format: tmp_path / outs}, **fields).check()


def test_an_order_is_carried_out(tmp_path: Path) -> None:
    outs = {format: tmp_path / f"me.{format}" for format in ("glb", "obj", "ply")}
    order = Order(outs, lod=1, max_mb=100, visemes=True)
    order.check()
    said = write_formats(AVATAR, order)
    half = count_triangles(read_glb(outs["glb"]))
    assert half <= count_triangles(AVATAR) / 2
    assert said[0] == f"{half:,} of {count_triangles(AVATAR):,} triangles." and "given up: nothing" in said[1]
    assert "viseme_aa" in read_glb(outs["glb"]).layers[0].expressions
    for path in outs.values():
        path.unlink()
    with pytest.raises(UserError, match=r"me_0_albedo.jpg exists.*--overwrite"):
        write_formats(AVATAR, order)
    assert not any(path.exists() for path in outs.values())
    write_formats(AVATAR, replace(order, overwrite=True))


def test_the_command_line_knows_every_format() -> None:
    assert tuple(formats.SUFFIXES) == cli.FORMATS


def test_the_ledger_names_what_wrote_the_files() -> None:
    used = {entry.name: entry for entry in ledger(formats=("glb", "usdz", "fbx"), photos={"me.jpg": "00"})}
    assert used["Blender"].licence == "GPL-3.0-or-later" and used["usd-core"].commercial
    assert {"mediapipe", "OpenCV"} <= set(used)
    assert not {"Blender", "usd-core", "mediapipe", "OpenCV"} & {entry.name for entry in ledger()}
