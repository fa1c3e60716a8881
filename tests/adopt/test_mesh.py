"""Files of other programs are read as they look, and hostile ones are refused in one paragraph."""

import json
import struct

import numpy as np
import pytest
from PIL import Image

from bozzetto.adopt.mesh import ForeignMesh, read_mesh, refined
from bozzetto.types import UserError

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.uint32)


def glb(path, nodes, **changes):
    """A tetrahedron under some nodes."""
    binary = POINTS.tobytes() + FACES.tobytes()
    document = {
        "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0, "nodes": nodes,
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 12, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": 48},
        ],
        "buffers": [{"byteLength": len(binary)}],
    } | changes  # fmt: skip
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    whole = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, len(whole) + 12) + whole)
    return path


def test_nodes_carry_their_children(tmp_path):
    nodes = [{"children": [1], "scale": [2, 2, 2]}, {"mesh": 0, "translation": [0, 3, 0]}]
    mesh = read_mesh(glb(tmp_path / "a.glb", nodes))
    expected = 2 * (POINTS + np.array([0, 3, 0]))
    assert sorted(map(tuple, mesh.vertices.round(5))) == sorted(map(tuple, expected))
    assert len(mesh.faces) == 4 and mesh.albedo is None


def test_a_mirroring_node_keeps_faces_outward(tmp_path):
    def volume(mesh):
        a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
        return float((np.cross(a, b) * c).sum())

    plain = read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}]))
    mirrored = read_mesh(glb(tmp_path / "b.glb", [{"mesh": 0, "scale": [-1, 1, 1]}]))
    assert volume(plain) == pytest.approx(volume(mirrored)) and volume(plain) > 0


@pytest.mark.parametrize(
    ("nodes", "changes"),
    [
        ([{"children": [0], "mesh": 0}], {}),
        ([{"children": [1]}, {"children": [0], "mesh": 0}], {}),
        ([{"mesh": 7}], {}),
        ([{"mesh": 0, "scale": [float("nan"), 1, 1]}], {}),
        ([{"mesh": 0, "scale": [0, 0, 0]}], {}),
        ([{"mesh": 0}], {"extensionsRequired": ["KHR_draco_mesh_compression"]}),
        ([{"mesh": 0}], {"accessors": [{"bufferView": 0, "componentType": 5126, "count": 10**12, "type": "VEC3"}] * 2}),
        ([{"mesh": 0}], {"buffers": [{"uri": "../../etc/passwd", "byteLength": 96}]}),
        ([{"mesh": 0}] * 30_000, {}),
    ],
)  # fmt: skip
def test_hostile_glbs_are_refused(tmp_path, nodes, changes):
    with pytest.raises(UserError):
        read_mesh(glb(tmp_path / "a.glb", nodes, **changes))


def test_obj_with_its_picture(tmp_path):
    Image.new("RGB", (8, 8), (200, 30, 40)).save(tmp_path / "skin.png")
    (tmp_path / "a.mtl").write_text("newmtl one\nmap_Kd ../../elsewhere/skin.png\n")
    lines = ["mtllib a.mtl", "usemtl one"]
    lines += [f"v {x} {y} {z}" for x, y, z in POINTS] + ["vt 0 0", "vt 1 0", "vt 0 1"]
    lines += ["f 1/1 3/2 2/3", "f -4/1 -3/2 -1/3", "f 1/1 4/2 3/3", "f 2/1 3/2 4/3"]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    mesh = read_mesh(tmp_path / "a.obj")
    assert len(mesh.vertices) == 4 and len(mesh.faces) == 4
    assert mesh.albedo is not None and tuple(mesh.albedo[0, 0]) == (200, 30, 40)
    assert mesh.uvs is not None and mesh.uvs[0].tolist() == [[0, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_in_every_order(tmp_path, order):
    head = f"ply\nformat {order} 1.0\nelement vertex 4\n" + "".join(f"property float {axis}\n" for axis in "xyz")
    head += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    head += "element face 4\nproperty list uchar int vertex_indices\nend_header\n"
    if order == "ascii":
        body = "".join("{} {} {} 255 0 51\n".format(*p) for p in POINTS).encode()
        body += "".join("3 {} {} {}\n".format(*f) for f in FACES).encode()
    else:
        sign = "<" if "little" in order else ">"
        body = b"".join(struct.pack(sign + "3f3B", *map(float, p), 255, 0, 51) for p in POINTS)
        body += b"".join(struct.pack(sign + "B3i", 3, *map(int, f)) for f in FACES)
    (tmp_path / "a.ply").write_bytes(head.encode() + body)
    mesh = read_mesh(tmp_path / "a.ply")
    assert len(mesh.vertices) == 4 and len(mesh.faces) == 4
    assert mesh.colours is not None and np.allclose(mesh.colours, [1, 0, 0.2])


def test_too_many_triangles_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh.MOST_FACES", 10)
    (tmp_path / "a.obj").write_bytes(b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + b"f 1 2 3\n" * 11)
    with pytest.raises(UserError, match="reduce"):
        read_mesh(tmp_path / "a.obj")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nend_header\n"),
        ("a.ply", b"ply\nend_header\n"),
        ("a.obj", b"v 1 2 x\n"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n"),
        ("a.glb", b"glTF" + b"\0" * 40),
        ("a.fbx", b"Kaydara"),
        ("a.obj", b""),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError):
        read_mesh(tmp_path / name)


def test_a_finer_mesh_is_the_same_surface():
    uvs = np.random.default_rng(0).random((4, 3, 2)).astype(np.float32)
    coarse = ForeignMesh(POINTS.astype(float), FACES.astype(np.int64), uvs, None, POINTS)
    fine = refined(coarse, 0.4)
    assert len(fine.faces) == 64 and len(fine.vertices) == 34  # Euler: v = f / 2 + 2
    a, b, c = fine.vertices[fine.faces].transpose(1, 0, 2)
    assert np.einsum("fa,fa->", np.cross(a, b), c) / 6 == pytest.approx(1 / 6)
    assert fine.uvs is not None and fine.colours is not None
    assert np.allclose(fine.colours, fine.vertices)
    assert np.allclose(fine.uvs.mean((0, 1)), uvs.mean((0, 1)), atol=1e-6)
    assert refined(coarse, 0.4, most=10) is coarse
