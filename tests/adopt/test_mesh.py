"""Files of other programs are read as they look, and hostile ones are refused in one paragraph."""

import io
import itertools
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bozzetto.adopt import mesh as mesh_of_other_programs
from bozzetto.adopt.mesh import ForeignMesh, read_mesh, refined
from bozzetto.types import UserError

POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.uint32)


def png(colour, size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def glb(path, nodes, more=b"", **changes):
    """A tetrahedron under some nodes; its document changed, its data followed by more."""
    binary = POINTS.tobytes() + FACES.tobytes() + more
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
    }  # fmt: skip
    document = {key: value for key, value in (document | changes).items() if value is not None}
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


def test_a_vrm_is_a_glb(tmp_path):
    mesh = read_mesh(glb(tmp_path / "a.vrm", [{"mesh": 0}]))
    assert len(mesh.faces) == 4 and mesh.facing == (0, 0, 1)


def test_a_mirroring_node_keeps_faces_outward(tmp_path):
    def volume(mesh):
        a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
        return float((np.cross(a, b) * c).sum())

    plain = read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}]))
    mirrored = read_mesh(glb(tmp_path / "b.glb", [{"mesh": 0, "scale": [-1, 1, 1]}]))
    assert volume(plain) == pytest.approx(volume(mirrored)) and volume(plain) > 0


def test_without_scenes_the_nodes_that_no_other_holds_are_shown(tmp_path):
    nodes = [{"mesh": 0, "translation": [0, 3, 0]}, {"children": [0], "scale": [2, 2, 2]}]
    mesh = read_mesh(glb(tmp_path / "a.glb", nodes, scenes=None, scene=None))
    assert sorted(map(tuple, mesh.vertices)) == sorted(map(tuple, 2 * (POINTS + np.array([0, 3, 0]))))


def skinned(uvs, picture, **texture):
    """What makes the tetrahedron's material a picture."""
    more = np.array(uvs, np.float32).tobytes()
    views = [(0, 48), (48, 48), (96, len(more)), (96 + len(more), len(picture))]
    return more + picture, {
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 2}, "indices": 1, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0, **texture}}}],
        "textures": [{"source": 0}], "images": [{"bufferView": 3, "mimeType": "image/png"}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 12, "type": "SCALAR"},
            {"bufferView": 2, "componentType": 5126, "count": 4, "type": "VEC2"},
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": start, "byteLength": size} for start, size in views],
    }  # fmt: skip


UVS = [[0.1, 0.2], [0.3, 0.1], [0.2, 0.3], [0.3, 0.3]]


def test_a_glb_keeps_its_picture(tmp_path):
    more, changes = skinned(UVS, png((200, 30, 40)))
    mesh = read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], more, **changes))
    assert mesh.albedo is not None and tuple(mesh.albedo[0, 0]) == (200, 30, 40)
    assert mesh.uvs is not None and np.allclose(mesh.uvs, np.array(UVS)[FACES], atol=1e-6)


def test_a_moved_texture_is_read_where_it_is(tmp_path):
    moved = {"scale": [2, 0.5], "rotation": np.pi / 2, "offset": [0.25, 0.75]}
    more, changes = skinned(UVS, png("white"), extensions={"KHR_texture_transform": moved})
    changes["extensionsRequired"] = ["KHR_texture_transform"]
    mesh = read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], more, **changes))
    # A quarter turn anticlockwise, as it looks with v downward, takes u to -v and v to u.
    expected = np.array([[0.5 * v + 0.25, -2 * u + 0.75] for u, v in UVS])
    assert mesh.uvs is not None and np.allclose(mesh.uvs, expected[FACES], atol=1e-6)


def test_damaged_pictures_are_refused(tmp_path):
    picture = png("white", (64, 64))
    at = picture.index(b"IDAT")
    first = struct.pack(">I", 9) + picture[at : at + 13]  # the picture's data goes on in a chunk without a name
    nameless = picture[: at - 4] + first + struct.pack(">I", zlib.crc32(first[4:])) + bytes(40)
    for broken in (b"", b"GIF89a", picture[:40], picture[: at + 20], nameless):
        more, changes = skinned(UVS, broken)
        with pytest.raises(UserError, match=r"a\.glb cannot be read as a mesh: a picture of it cannot be used"):
            read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], more, **changes))


def many_pictures(count, side):
    """A triangle for each of many materials, each with a picture of its own."""
    more, changes = skinned(UVS, png("white", (side, side)))
    attributes = {"POSITION": 0, "TEXCOORD_0": 2}
    changes["meshes"] = [
        {"primitives": [{"attributes": attributes, "indices": 1, "material": k} for k in range(count)]}
    ]
    changes["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}} for k in range(count)]
    changes["textures"] = [{"source": k} for k in range(count)]
    changes["images"] = changes["images"] * count
    return more, changes


def test_pictures_are_limited_together(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh._MOST_PIXELS", 1_000_000)
    more, changes = many_pictures(4, 500)
    assert read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], more, **changes)).albedo is not None
    more, changes = many_pictures(5, 500)
    with pytest.raises(
        UserError, match=r"there are 1.2 megapixels \(3 MiB\) in all, and at most 1.0 megapixels \(2 MiB\)"
    ):
        read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], more, **changes))
    more, changes = many_pictures(1, 501)
    with pytest.raises(UserError, match="501 x 501 pixels; at most 250,000"):
        read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], more, **changes))


def test_a_picture_that_many_materials_name_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh._MOST_PIXELS", 1_000_000)
    for k in range(5):
        (tmp_path / f"{k}.png").write_bytes(png("white", (500, 500)))
    triangles = "\n".join(TRIANGLE[:-1] + [f"usemtl {k}\n{TRIANGLE[-1]}" for k in range(5)])
    (tmp_path / "a.obj").write_text("mtllib a.mtl\n" * 3 + triangles)
    (tmp_path / "a.mtl").write_text("".join(f"newmtl {k}\nmap_Kd 0.png\n" for k in range(5)))
    assert read_mesh(tmp_path / "a.obj").albedo is not None
    (tmp_path / "a.mtl").write_text("".join(f"newmtl {k}\nmap_Kd {k}.png\n" for k in range(5)))
    with pytest.raises(UserError, match="in all, and at most"):
        read_mesh(tmp_path / "a.obj")


ROW = {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3"}
INDICES = {"bufferView": 1, "componentType": 5125, "count": 12, "type": "SCALAR"}
VIEWS = [{"buffer": 0, "byteLength": 48}, {"buffer": 0, "byteOffset": 48, "byteLength": 48}]


@pytest.mark.parametrize(
    ("nodes", "changes", "words"),
    [
        ([{"children": [0], "mesh": 0}], {}, "hangs on two others"),
        ([{"children": [1]}, {"children": [0], "mesh": 0}], {}, "hangs on two others"),
        ([{"children": [1, 1]}, {"mesh": 0}], {}, "hangs on two others"),
        ([{"children": [1]}, {"children": [0], "mesh": 0}], {"scenes": None}, "no triangles"),
        ([{"mesh": 7}], {}, "out of range"),
        ([{"mesh": 0, "scale": [float("nan"), 1, 1]}], {}, "its JSON holds NaN"),
        ([{"mesh": 0, "scale": [1e300, 1e300, 1]}], {}, "units large|not finite"),
        ([{"mesh": 0, "scale": [0, 0, 0]}], {}, "0 units large"),
        ([{"mesh": 0, "scale": [0, 0, 1]}], {}, "area"),
        ([{"mesh": 0, "rotation": [1, 2]}], {}, "expected 4"),
        ([{"mesh": 0}], {"extensionsRequired": ["KHR_draco_mesh_compression"]}, "extension KHR_draco"),
        ([{"mesh": 0}], {"accessors": [ROW | {"count": 10**12}, INDICES]}, "lists 1,000,000,000,000 vert"),
        ([{"mesh": 0}], {"accessors": [ROW | {"count": -1}, INDICES]}, "outside buffer view 0"),
        ([{"mesh": 0}], {"accessors": [ROW | {"byteOffset": 4}, INDICES]}, "outside buffer view 0"),
        ([{"mesh": 0}], {"accessors": [ROW | {"type": "VEC2"}, INDICES]}, "expected some x VEC3"),
        ([{"mesh": 0}], {"accessors": [ROW | {"sparse": {}}, INDICES]}, "sparse"),
        ([{"mesh": 0}], {"bufferViews": [{**VIEWS[0], "byteStride": 8}, VIEWS[1]]}, "outside buffer view 0"),
        ([{"mesh": 0}], {"bufferViews": [{**VIEWS[0], "byteOffset": -4}, VIEWS[1]]}, "view 0 lies outside the file"),
        ([{"mesh": 0}], {"bufferViews": [VIEWS[0], {**VIEWS[1], "byteOffset": 52}]}, "view 1 lies outside the file"),
        ([{"mesh": 0}], {"buffers": [{"uri": "../../etc/passwd", "byteLength": 96}]}, "in another file"),
        ([{"mesh": 0}] * 30_000, {}, "30000 nodes"),
    ],
)  # fmt: skip
def test_hostile_glbs_are_refused(tmp_path, nodes, changes, words):
    with pytest.raises(UserError, match=words):
        read_mesh(glb(tmp_path / "a.glb", nodes, **changes))


def test_nodes_that_show_one_mesh_too_often_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh._MOST_READ", 1000)
    nodes = [{"mesh": 0, "translation": [k, 0, 0]} for k in range(11)]
    with pytest.raises(UserError, match="same bytes too often"):
        read_mesh(glb(tmp_path / "a.glb", nodes, scenes=None))
    assert len(read_mesh(glb(tmp_path / "a.glb", nodes[:10], scenes=None)).faces) == 40


def test_what_a_small_file_names_too_often_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh._MOST_NODES", 50)
    mesh = {"primitives": [{"attributes": {"POSITION": 0}, "mode": 4}] * 51}
    with pytest.raises(UserError, match="more than 50 pieces"):
        read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], meshes=[mesh]))
    rigged = {"primitives": [{"attributes": {"POSITION": 0, "JOINTS_0": 0}, "indices": 1}]}
    with pytest.raises(UserError, match="has 51 joints"):
        read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0, "skin": 0}], meshes=[rigged], skins=[{"joints": [0] * 51}]))
    monkeypatch.setattr("bozzetto.export.read._MOST_TEXT", 600)
    with pytest.raises(UserError, match="its JSON has"):
        read_mesh(glb(tmp_path / "a.glb", [{"mesh": 0}], extras=" " * 600))


def test_lists_that_no_triangle_needs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh._MOST_POINTS", 3)
    (tmp_path / "a.obj").write_bytes(THREE + b"f 1 2 3\n")
    assert len(read_mesh(tmp_path / "a.obj").faces) == 1
    (tmp_path / "a.obj").write_bytes(THREE + b"f 1 2 3\nv 0 0 0\n")
    with pytest.raises(UserError, match="lists 4 vertices"):
        read_mesh(tmp_path / "a.obj")
    (tmp_path / "a.obj").write_bytes(THREE + b"vt 0 0\n" * 4)
    with pytest.raises(UserError, match="lists 4 texture coordinates"):
        read_mesh(tmp_path / "a.obj")
    monkeypatch.setattr("bozzetto.adopt.mesh._LONGEST_LINE", 100)
    (tmp_path / "a.obj").write_bytes(THREE + b"f 1 2 3" + b" \\\n3" * 50)
    with pytest.raises(UserError, match="a line of it is longer"):
        read_mesh(tmp_path / "a.obj")


def test_a_few_long_polygons_of_a_ply_are_many_triangles(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh.MOST_FACES", 10)
    head = PLY + b"element face 2\nproperty list uchar int vertex_index\nend_header\n0 0 0 1 0 0 0 1 0"
    for corners, fits in ((7, True), (8, False)):
        (tmp_path / "a.ply").write_bytes(head + 2 * (b" %d" % corners + b" 0 1 2 0 1 2 0 1"[: 2 * corners]))
        if fits:
            assert len(read_mesh(tmp_path / "a.ply").faces) > 0
        else:
            with pytest.raises(UserError, match="more than 10 triangles"):
                read_mesh(tmp_path / "a.ply")


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
    assert mesh.notes == ()


TRIANGLE = ["v 0 0 0", "v 1 0 0", "v 0 1 0", "vt 0 0", "vt 1 0", "vt 0 1", "f 1/1 2/2 3/3"]


@pytest.mark.parametrize(
    ("named", "lies"),
    [
        (r"textures\skin.png", "textures/skin.png"),
        (r"C:\Users\me\skin.png", "skin.png"),
        ("textures/skin.png", "textures/skin.png"),
        ("my  skin.png", "my  skin.png"),
        ("-s 1 1 1 -bm 0.5 my skin.png", "my skin.png"),
        ("/elsewhere/skin.png", "skin.png"),
        ("../outside.png", None),
        ("missing.png", None),
        ("x" * 5000, None),
    ],
)
def test_a_picture_is_found_however_it_is_named(tmp_path, named, lies):
    folder = tmp_path / "model"
    (folder / "textures").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(png("white"))
    if lies:
        (folder / lies).write_bytes(png((200, 30, 40)))
    (folder / "a b.mtl").write_text(f"newmtl one\n\tmap_Kd {named}\n")
    (folder / "a.obj").write_text("\n".join(["mtllib a b.mtl", "usemtl one", *TRIANGLE]))
    mesh = read_mesh(folder / "a.obj")
    if lies:
        assert mesh.albedo is not None and tuple(mesh.albedo[0, 0]) == (200, 30, 40) and mesh.notes == ()
    else:
        assert mesh.albedo is None and named[:60] in mesh.notes[0]


def test_materials_that_are_not_there_are_said(tmp_path):
    (tmp_path / "a.obj").write_text("\n".join(["mtllib gone.mtl", "usemtl one", *TRIANGLE]))
    assert "gone.mtl" in read_mesh(tmp_path / "a.obj").notes[0]


def test_objs_as_people_write_them(tmp_path):
    square = "# a square\r\n\r\n"
    square += "  v\t0 0 0\r\nv 1 0 0\r\n\tv 1  1 0\r\nv 0 1 \\\r\n 0\r\nf\t-4//1 -3//1 \\\r\n-2//1 -1//1\r\n"
    (tmp_path / "a.obj").write_bytes(square.encode())
    mesh = read_mesh(tmp_path / "a.obj")
    assert mesh.vertices[mesh.faces].tolist() == [
        [[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]],
    ]  # fmt: skip


def test_every_material_keeps_only_its_own_vertices(tmp_path):
    lines = [f"v {x} {y} 0" for x, y in itertools.product(range(30), range(30))]
    for k in range(200):
        lines += [f"usemtl {k}", f"f {k + 1} {k + 2} {k + 31}"]
    pieces, _ = mesh_of_other_programs._from_obj("\n".join(lines).encode(), tmp_path)
    assert len(pieces) == 200 and all(len(piece.points) == 3 for piece in pieces)


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


def test_ply_colours_are_shares_of_what_their_type_holds(tmp_path):
    corners = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0))
    for kind, most in (("float", 1), ("uchar", 255), ("ushort", 65535)):
        head = "ply\nformat ascii 1.0\nelement vertex 4\n" + "".join(f"property float {axis}\n" for axis in "xyz")
        head += "".join(f"property {kind} {name}\n" for name in ("red", "green", "blue"))
        head += "element face 1\nproperty uchar flags\nproperty list uchar int vertex_index\nend_header\n"
        body = "".join(f"{x} {y} {z} {most} 0 {0.25 if most == 1 else most // 4}\n" for x, y, z in corners)
        (tmp_path / "a.ply").write_text(head + body + "7 4 0 1 2 3\n")
        mesh = read_mesh(tmp_path / "a.ply")
        assert len(mesh.faces) == 2
        assert mesh.colours is not None and np.allclose(mesh.colours, [1, 0, 0.25], atol=0.003)


def test_too_many_triangles_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bozzetto.adopt.mesh.MOST_FACES", 10)
    (tmp_path / "a.obj").write_bytes(b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" + b"f 1 2 3\n" * 11)
    with pytest.raises(UserError, match="reduce"):
        read_mesh(tmp_path / "a.obj")


PLY = b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
THREE = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nend_header\n", "announces"),
        ("a.ply", b"ply\nend_header\n", "no known format"),
        ("a.ply", PLY + b"property float s\n" * 70 + b"end_header\n", "more than 64 properties"),
        ("a.ply", PLY + b"element face 600000\nproperty list uchar int vertex_index\nend_header\n0 0 0 1 0 0 0 1 0",
         "reduce them"),
        ("a.ply", PLY + b"element face 1\nproperty list uchar int vertex_index\nend_header\n0 0 0 1 0 0 0 1 0 3 0 1",
         "cut off"),
        ("a.ply", PLY + b"element face 1\nproperty list int int vertex_index\nend_header\n0 0 0 1 0 0 0 1 0 -3 0 1 2",
         "-3 entries"),
        ("a.ply", PLY.replace(b"ascii", b"binary_little_endian") + b"element face 1\nproperty list uchar int "
         b"vertex_index\nend_header\n" + bytes(36) + b"\3", "unpack_from requires"),
        ("a.ply", PLY + b"end_header\n0 0 0 1 0 0 0 nan 0", "no triangles"),
        ("a.obj", b"v 1 2 x\n", "could not convert"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "names vertex 2 of 1"),
        ("a.obj", THREE + b"f 0 1 2\n", "names row 0 of 3"),
        ("a.obj", THREE + b"f -4 1 2\n", "names row -4 of 3"),
        ("a.obj", THREE + b"vt 0 0\nf 1/1 2/2 3/1\n", "texture coordinate that is not there"),
        ("a.obj", THREE + b"vt 0 0\nf 1/1 2/-2 3/1\n", "names row -2 of 1"),
        ("a.obj", THREE.replace(b"1 0 0", b"nan 0 0") + b"f 1 2 3\n", "vertices are not finite"),
        ("a.obj", THREE.replace(b"\n", b" nan 0 0\n") + b"f 1 2 3\n", "colours are not finite"),
        ("a.obj", THREE.replace(b"0 1 0", b"2 0 0") + b"f 1 2 3\n", "area"),
        ("a.obj", THREE + b"f 1 1 2\n", "area"),
        ("a.glb", b"glTF" + b"\0" * 40, "version 0"),
        ("a.fbx", b"Kaydara", "is none of them"),
        ("a.obj", b"", "no triangles"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        read_mesh(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_pictures_without_a_place_are_refused(tmp_path):
    (tmp_path / "skin.png").write_bytes(png("white"))
    (tmp_path / "a.mtl").write_text("newmtl one\nmap_Kd skin.png\n")
    for place in (b"nan nan", b"1e300 0"):
        lines = b"mtllib a.mtl\nusemtl one\n" + THREE + b"vt " + place + b"\nf 1/1 2/1 3/1\n"
        (tmp_path / "a.obj").write_bytes(lines)
        with pytest.raises(UserError, match="texture coordinates are not finite"):
            read_mesh(tmp_path / "a.obj")


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


JUNK = [b"", b"-1", b"0", b"1e999", b"nan", b"99999999999", b"[]", b"{}", b"null", b'"x"', b"/", b"\n", b"\xff\x00"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from([".glb", ".obj", ".ply"]), st.data())
def test_a_damaged_file_is_read_or_refused_in_one_paragraph(tmp_path_factory, kind, data):
    path = tmp_path_factory.getbasetemp() / f"damaged{kind}"
    if kind == ".glb":
        glb(path, [{"mesh": 0}])
        head = path.read_bytes()[:20]
        text = path.read_bytes()[20:]
    else:
        rows = [" ".join(map(str, row)) for row in POINTS]
        obj = [f"v {row}" for row in rows] + [f"f {a + 1}/1 {b + 1}/1 {c + 1}/1" for a, b, c in FACES] + ["vt 0 0"]
        ply = ["ply", "format ascii 1.0", "element vertex 4", *(f"property float {axis}" for axis in "xyz")]
        ply += ["element face 4", "property list uchar int vertex_indices", "end_header", *rows]
        ply += [f"3 {a} {b} {c}" for a, b, c in FACES]
        head, text = b"", "\n".join(obj if kind == ".obj" else ply).encode() + b"\n"
    for _ in range(data.draw(st.integers(1, 3))):
        at, more = data.draw(st.integers(0, len(text) - 1)), data.draw(st.sampled_from(JUNK) | st.binary(max_size=3))
        # A GLB's lengths stay right, so that what is inside is reached.
        text = text[:at] + more + text[at + (len(more) if head else data.draw(st.integers(0, 4))) :]
    path.write_bytes(head + text)
    try:
        mesh = read_mesh(path)
    except UserError as error:
        assert "\n\n" not in str(error)
        return
    assert np.isfinite(mesh.vertices).all() and 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.vertices)
