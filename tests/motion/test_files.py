"""Files of motion and sound: what they say, and what hostile ones get: one paragraph, soon."""

import io
import itertools
import json
import struct
import time
import wave
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from bozzetto.adopt.mesh import read_mesh
from bozzetto.export.glb import glb_bytes, pack_glb
from bozzetto.export.read import read_glb, unpack_glb
from bozzetto.motion.builtin import built_in
from bozzetto.motion.bvh import read_bvh, write_bvh
from bozzetto.motion.feet import soles
from bozzetto.motion.frames import to_frames
from bozzetto.motion.place import with_clips
from bozzetto.motion.retarget import retarget
from bozzetto.motion.smplx import read_npz
from bozzetto.motion.speech import read_wav
from bozzetto.motion.vrma import read_vrma, vrma_bytes
from bozzetto.types import Clip, UserError
from export_people import person
from motion.recordings import MIXAMO, bvh_text, walking

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def avatar():
    return person()


@pytest.fixture(scope="module")
def nod(avatar):
    """A short clip of body and face."""
    turn = Rotation.from_euler("x", np.linspace(0, 20, 7)[:, None], degrees=True).as_quat()[:, [3, 0, 1, 2]]
    weights = {"jawOpen": np.linspace(0, 1, 7, dtype=np.float32)}
    return Clip("nod", np.linspace(0, 0.2, 7), {"head": turn.astype(np.float32)}, np.zeros((7, 3)), weights)


def refused(read, path):
    """Reads; a refusal is a paragraph that names the file."""
    try:
        return read(path)
    except UserError as error:
        assert path.name in str(error)
        assert "\n" not in str(error)
        return None


def small_bvh():
    turns, roots = walking(MIXAMO, steps=1, frames_a_step=4)
    return bvh_text(MIXAMO, turns, roots)


# BVH


@pytest.mark.parametrize("change, words", [
    (lambda t: "", "MOTION"),
    (lambda t: t.replace("HIERARCHY", "HIERACHY"), "HIERARCHY"),
    (lambda t: t[: len(t) // 3], "MOTION"),
    (lambda t: t[:-80], "numbers|frames"),
    (lambda t: t.replace("Frames: 4", "Frames: 4000000"), "too long|announces"),
    (lambda t: t.replace("Frames: 4", "Frames: 99999999999999999999"), "announces 9{20} frames, and up to 120000"),
    (lambda t: t.replace("Frames: 4", "Frames: " + "9" * 5000), "announces 9{20} frames"),
    (lambda t: t.replace("Frames: 4", "Frames: -4"), "Frames"),
    (lambda t: t.replace("Frames: 4", "Frames: 0"), "no frames"),
    (lambda t: t.replace("Frame Time: 0.033333", "Frame Time: nan"), "no motion"),
    (lambda t: t.replace("Frame Time: 0.033333", "Frame Time: 0"), "no motion"),
    (lambda t: t.replace("OFFSET 0.000000 98.000000", "OFFSET nan 98", 1), "finite"),
    (lambda t: t.replace("CHANNELS 6", "CHANNELS 1000000000", 1), "channels"),
    (lambda t: t.replace("CHANNELS 6", "CHANNELS -1", 1), "channels"),
    (lambda t: t.replace("}", "", 1), "cut off|expected|wrong place"),
    (lambda t: t.replace("JOINT", "ROOT", 1), "root"),
    (lambda t: t.replace("98.", "inf.", 400), "finite|could not"),
])  # fmt: skip
def test_a_damaged_bvh_is_refused(tmp_path, change, words):
    path = tmp_path / "bad.bvh"
    path.write_text(change(small_bvh()))
    with pytest.raises(UserError, match=words):
        read_bvh(path)


def test_a_bvh_may_nest_deeply_but_not_without_end(tmp_path):
    path = tmp_path / "deep.bvh"
    depth = 100_000
    path.write_text("HIERARCHY ROOT a { OFFSET 0 0 0 CHANNELS 0 " + "JOINT b { OFFSET 0 1 0 CHANNELS 0 " * depth
                    + "}" * (depth + 1) + "\nMOTION\nFrames: 1\nFrame Time: 0.1\n\n")  # fmt: skip
    with pytest.raises(UserError, match="joints"):
        read_bvh(path)


@pytest.mark.parametrize("filler", ["\n", " ", "\t\n", "x ", "} "])
def test_a_bvh_of_nothing_is_refused_soon(tmp_path, filler):
    path = tmp_path / "long.bvh"
    path.write_text("HIERARCHY\n" + filler * 3_000_000 + "\nMOTION\n" + filler * 3_000_000)
    began = time.process_time()
    assert refused(read_bvh, path) is None
    assert time.process_time() - began < 5


def test_a_bvh_says_where_joints_are(tmp_path):
    path = tmp_path / "small.bvh"
    path.write_text(
        "HIERARCHY\nROOT Hips\n{\nOFFSET 1 2 3\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        "\nJOINT Upper Leg\n{\nOFFSET 0 -4 0\nCHANNELS 3 Zrotation Xrotation Yrotation\nEnd Site\n{\nOFFSET 0 -3 0"
        "\n}\n}\n}\nMOTION\nFrames: 2\nFrame Time: 0.5\n5 6 7 0 0 0 0 0 0\n5 6 7 90 0 0 0 90 0\n"
    )
    source = read_bvh(path)
    assert source.names == ("Hips", "Upper Leg")
    assert np.allclose(source.points()[0], [[5, 6, 7], [5, 2, 7]])
    assert np.allclose(source.points()[1], [[5, 6, 7], [9, 6, 7]]), "90 degrees about z turn -y to +x"
    # Moving axes: the joint's x rotation happens within what z has turned.
    assert np.allclose(source.turns[1, 1] @ [0, -3, 0], [0, 0, -3])
    assert np.allclose(source.times, [0, 0.5])


def bvh_of(channels, rows):
    """A hip and a knee below it, each with such channels."""
    channels = f"CHANNELS {len(channels)} {' '.join(channels)}"
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 1 2 3", channels, "JOINT Knee", "{", "OFFSET 0 -4 0", channels]
    lines += ["End Site", "{", "OFFSET 0 -3 0", "}", "}", "}", "MOTION", f"Frames: {len(rows)}", "Frame Time: 0.5"]
    return "\n".join(lines + [" ".join(map(str, row)) for row in rows])


@pytest.mark.parametrize("places", ["before", "between", "none"])
@pytest.mark.parametrize("order", ["".join(each) for each in itertools.permutations("xyz")])
def test_a_bvh_turns_in_the_order_of_its_channels(tmp_path, order, places):
    turned = [f"{axis.upper()}rotation" for axis in order]
    moved = [] if places == "none" else ["Zposition", "Xposition", "Yposition"]
    channels = [each for pair in zip(turned, moved, strict=True) for each in pair] if places == "between" else moved
    channels = channels if places == "between" else [*moved, *turned]
    numbers = np.random.default_rng(0).uniform(-170, 170, (3, 2, len(channels))).round(3)
    path = tmp_path / "a.bvh"
    path.write_text(bvh_of(channels, numbers.reshape(3, -1)))
    source = read_bvh(path)
    angles = numbers[..., [channels.index(each) for each in turned]]
    local = Rotation.from_euler(order.upper(), angles.reshape(-1, 3), degrees=True).as_matrix().reshape(3, 2, 3, 3)
    assert np.allclose(source.turns[:, 0], local[:, 0])
    assert np.allclose(source.turns[:, 1], local[:, 0] @ local[:, 1])
    at = [channels.index(f"{axis}position") for axis in "XYZ"] if moved else []
    assert np.allclose(source.root, numbers[:, 0, at] if moved else [1, 2, 3])
    # What a knee's own positions say is not followed: bones keep their length.
    assert np.allclose(np.linalg.norm(np.diff(source.points(), axis=1), axis=2), 4)


@quick
@given(st.data())
def test_any_bvh_is_read_or_refused(tmp_path, data):
    text = bytearray(small_bvh().encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"nan", b"{", b"}", b"1e308 ", b"-", b"JOINT x {", b"\n", b"\0", b"9" * 40])
        )
        text[at : at + data.draw(st.integers(0, 30))] = piece
    path = tmp_path / "fuzz.bvh"
    path.write_bytes(bytes(text))
    source = refused(read_bvh, path)
    assert source is None or np.isfinite(source.turns).all()


# VRM animations


def changed_vrma(avatar, nod, change):
    document, binary = unpack_glb(vrma_bytes(nod, avatar.skeleton))
    change(document)
    return pack_glb(document, binary)


def test_a_vrm_animation_carries_body_and_face(avatar, nod, tmp_path):
    path = tmp_path / "nod.vrma"
    path.write_bytes(vrma_bytes(nod, avatar.skeleton))
    source = read_vrma(path)
    assert {"hips", "head", "leftUpperArm", "rightLittleDistal"} <= set(source.names)
    assert np.allclose(source.expressions["jawOpen"], np.linspace(0, 1, 7), atol=1e-6)
    clip = retarget(source, avatar.skeleton, soles(avatar)).clip
    head = Rotation.from_quat(clip.rotations_wxyz["head"][:, [1, 2, 3, 0]]).magnitude()
    assert np.degrees(head[-1]) == pytest.approx(20 / 4, abs=8), "the neck takes its share"
    turns = to_frames(clip, avatar.skeleton).forward()[0][-1, avatar.skeleton.index("head")]
    assert np.degrees(Rotation.from_matrix(turns).magnitude()) == pytest.approx(20, abs=0.01)


def test_presets_of_a_vrm_animation_become_expressions(avatar, nod, tmp_path):
    def change(document):
        expressions = document["extensions"]["VRMC_vrm_animation"]["expressions"]
        expressions["preset"] = {"aa": expressions.pop("custom")["jawOpen"]}

    path = tmp_path / "aa.vrma"
    path.write_bytes(changed_vrma(avatar, nod, change))
    faces = read_vrma(path).expressions
    assert faces["jawOpen"][-1] == pytest.approx(0.55)
    assert faces["mouthLowerDownLeft"][-1] > 0.1


def test_eyes_follow_the_gaze_of_a_vrm_animation(avatar, nod, tmp_path):
    def change(document):
        extension = document["extensions"]["VRMC_vrm_animation"]
        node = extension.pop("expressions")["custom"]["jawOpen"]["node"]
        extension["lookAt"] = {"node": node}
        (head,) = [i for i, each in enumerate(document["nodes"]) if each["name"] == "head"]
        (channel,) = [c for c in document["animations"][0]["channels"] if c["target"]["node"] == head]
        document["animations"][0]["channels"].append(
            {"sampler": channel["sampler"], "target": {"node": node, "path": "rotation"}}
        )

    path = tmp_path / "look.vrma"
    path.write_bytes(changed_vrma(avatar, nod, change))
    source = read_vrma(path)
    head, eye = source.names.index("head"), source.names.index("leftEye")
    down = Rotation.from_matrix(source.turns[-1, head].T @ source.turns[-1, eye]).as_euler("YXZ", degrees=True)
    assert down == pytest.approx([0, 12, 0], abs=0.01), "no farther than eyes turn"


def hostile_documents():
    extension = "VRMC_vrm_animation"
    return {
        "no extension": lambda d: d.pop("extensions"),
        "circle": lambda d: d["nodes"][3].setdefault("children", []).append(0),
        "own child": lambda d: d["nodes"][-2].update(children=[len(d["nodes"]) - 2]),
        "huge count": lambda d: d["accessors"][1].update(count=2**40),
        "negative count": lambda d: d["accessors"][1].update(count=-1),
        "outside": lambda d: d["bufferViews"][1].update(byteOffset=2**40),
        "negative offset": lambda d: d["bufferViews"][1].update(byteOffset=-4),
        "no hips": lambda d: d["extensions"][extension]["humanoid"]["humanBones"].pop("hips"),
        "nowhere": lambda d: d["extensions"][extension]["humanoid"]["humanBones"]["head"].update(node=10**9),
        "list": lambda d: d["extensions"].update({extension: []}),
        "no animation": lambda d: d.update(animations=[]),
        "no sampler": lambda d: d["animations"][0]["channels"][0].update(sampler=10**6),
        "times fall": lambda d: d["animations"][0]["samplers"][1].update(input=1),
        "wrong kind": lambda d: d["accessors"][1].update(type="MAT4"),
        "words": lambda d: d["nodes"][0].update(translation=["a", "b", "c"]),
        "matrix": lambda d: d["nodes"][0].update(matrix=[0] * 16),
        "deep": lambda d: d.update(
            nodes=[*d["nodes"], *({"children": [len(d["nodes"]) + i + 1]} for i in range(5000)), {}]
        ),
        "million nodes": lambda d: d.update(nodes=d["nodes"] + [{}] * 100_000),
    }


def test_json_without_end_is_called_that(tmp_path):
    text = b'{"asset":{"version":"2.0"},"extras":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    text += b" " * (-len(text) % 4)
    path = tmp_path / "deep.vrma"
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", 0, b"BIN\0")
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    for read in (read_vrma, read_glb, read_mesh):
        with pytest.raises(UserError, match="its JSON is nested too deeply"):
            read(path if read is not read_mesh else path.rename(path.with_suffix(".glb")))


@pytest.mark.parametrize("name", sorted(hostile_documents()))
def test_a_hostile_vrm_animation_is_refused(avatar, nod, tmp_path, name):
    path = tmp_path / "bad.vrma"
    path.write_bytes(changed_vrma(avatar, nod, hostile_documents()[name]))
    assert refused(read_vrma, path) is None


def test_long_vrm_animations_are_refused(avatar, tmp_path):
    clip = Clip("slow", np.array([0.0, 30_000.0]), {"head": np.eye(4, dtype=np.float32)[[0, 0]]}, np.zeros((2, 3)))
    path = tmp_path / "slow.vrma"
    path.write_bytes(vrma_bytes(clip, avatar.skeleton))
    with pytest.raises(UserError, match="too long"):
        read_vrma(path)


@quick
@given(st.data())
def test_any_vrm_animation_is_read_or_refused(avatar, nod, tmp_path, data):
    content = bytearray(vrma_bytes(nod, avatar.skeleton))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzz.vrma"
    path.write_bytes(bytes(content))
    source = refused(read_vrma, path)
    assert source is None or np.isfinite(source.turns).all()


# SMPL-X parameters


def amass(path, frames=20, save=np.savez_compressed, **changes):
    """A file as AMASS has it: packed, z up, 60 frames a second, SMPL-H's 52 joints."""
    poses = np.zeros((frames, 52, 3))
    heading = Rotation.from_euler("xz", [90, 30], degrees=True)
    poses[:, 0] = heading.as_rotvec()
    poses[:, 18, 1] = -np.linspace(0, 1.2, frames)  # the left elbow, about the body's y
    poses[:, 16, 2] = -np.linspace(0, 1.0, frames)  # the left shoulder: down
    values = {"poses": poses.reshape(frames, -1), "trans": np.tile([1.0, 2.0, 0.95], (frames, 1)),
              "mocap_framerate": np.array(60.0), "betas": np.zeros(16), "gender": np.array("neutral")}  # fmt: skip
    save(path, **{name: value for name, value in (values | changes).items() if value is not None})
    return path


def test_smpl_parameters_become_our_joints_turns(avatar, tmp_path):
    source = read_npz(amass(tmp_path / "m.npz"))
    clip = retarget(source, avatar.skeleton, soles(avatar)).clip
    frames = to_frames(clip, avatar.skeleton)
    turns, points = frames.forward()
    joint = avatar.skeleton.index
    assert points[0, joint("head"), 1] > 1.4, "z up became y up"
    facing = turns[0, joint("root")] @ [0, 0, 1]
    assert np.degrees(np.arctan2(facing[0], facing[2])) == pytest.approx(30, abs=0.1)
    back = turns[-1, joint("root")].T
    upper = back @ (points[-1, joint("lowerarm01.L")] - points[-1, joint("upperarm01.L")])
    assert np.degrees(np.arctan2(-upper[1], upper[0])) == pytest.approx(np.degrees(1.0), abs=1)
    lower = back @ (points[-1, joint("wrist.L")] - points[-1, joint("lowerarm01.L")])
    want = Rotation.from_rotvec([0, 0, -1.0]) * Rotation.from_rotvec([0, -1.2, 0])
    assert lower / np.linalg.norm(lower) == pytest.approx(want.apply([1, 0, 0]), abs=0.02)
    assert clip.times[-1] == pytest.approx(19 / 60, abs=1e-6)


def test_newer_names_and_shapes_of_parameters(tmp_path):
    frames = 5
    path = tmp_path / "x.npz"
    np.savez(path, root_orient=np.zeros((frames, 3)), pose_body=np.zeros((frames, 63)), trans=np.zeros((frames, 3)),
             pose_jaw=np.tile([0.18, 0, 0], (frames, 1)), pose_hand=np.zeros((frames, 90)))  # fmt: skip
    source = read_npz(path)
    assert len(source.names) == 52
    assert source.expressions["jawOpen"] == pytest.approx(0.5)
    for columns, joints in ((72, 22), (156, 52), (165, 52), (66, 22)):
        np.savez(path, poses=np.zeros((frames, columns)))
        assert len(read_npz(path).names) == joints


class Pickled:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def npy(header_shape, data=b"", descr="<f8"):
    header = repr({"descr": descr, "fortran_order": False, "shape": header_shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def test_hostile_parameters_are_refused(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, poses=np.array([Pickled()], dtype=object))
    assert refused(read_npz, path) is None
    for content in (npy((10**9, 156)), npy((10**30, 2)), npy((-1, 156)), npy((4, 156), b"\0" * 100),
                    npy((4, 156), descr="|O"), b"\x93NUMPY", b"", b"\x93NUMPY\x09\x00", npy((4, 156), descr=()),
                    npy((4, 156)).replace(b"}", b"("), npy((4, 156)).replace(b"{", b"(" * 60)):  # fmt: skip
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("poses.npy", content)
        assert refused(read_npz, path) is None
    # A bomb: a gigabyte of zeros in a megabyte.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("poses.npy", "w") as file:
        file.write(npy((10**6, 156)))
        for _ in range(64):
            file.write(b"\0" * (1 << 20))
    assert refused(read_npz, path) is None
    for change in ({"poses": np.full((4, 156), np.nan)}, {"poses": np.zeros((4, 100))}, {"trans": np.zeros((3, 3))},
                   {"mocap_framerate": np.array(0.0)}, {"poses": None}, {"poses": np.zeros((0, 156))},
                   {"poses": np.full((20, 156), 1e300)}):  # fmt: skip
        assert refused(read_npz, amass(path, **change)) is None


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@quick
@given(at=st.floats(0, 1, exclude_max=True), junk=st.binary(max_size=300), length=st.integers(0, 40))
def test_any_parameter_file_is_read_or_refused(tmp_path, save, at, junk, length):
    file = io.BytesIO()
    amass(file, 12, save)
    content = bytearray(file.getvalue())
    start = int(at * len(content))
    content[start : start + length] = junk
    path = tmp_path / "fuzz.npz"
    path.write_bytes(bytes(content))
    source = refused(read_npz, path)
    assert source is None or np.isfinite(source.turns).all()


def test_a_flipped_byte_in_packed_parameters_is_refused(tmp_path):
    path = amass(tmp_path / "flipped.npz")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("poses.npy")
    start = info.header_offset + 30 + len("poses.npy") + 20  # zip64's extra field
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="'poses' is damaged"):
        read_npz(path)


# WAV


def wav_bytes(samples, rate=16_000, width=2, channels=1):
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return file.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_of_samples_is_read_alike(tmp_path, width):
    wanted = 0.5 * np.sin(np.arange(4000) * 0.05)
    full = 1 << (8 * width - 1)
    integers = np.round(wanted * (full - 1)).astype(np.int64) + (128 if width == 1 else 0)
    raw = b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in integers)
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(raw, width=width))
    sound, rate = read_wav(path)
    assert rate == 16_000
    assert np.abs(sound - wanted).max() < (0.01 if width == 1 else 1e-4)


def test_hostile_recordings_are_refused(tmp_path):
    path = tmp_path / "bad.wav"
    good = wav_bytes(b"\1\0" * 8000)
    float_format = bytearray(good)
    float_format[20:22] = b"\3\0"
    for content in (b"", b"RIFF", good[:40], bytes(float_format), wav_bytes(b""), wav_bytes(b"\0\0" * 10),
                    wav_bytes(b"\0" * 64000, rate=1), good[:24] + b"\xff" * 8 + good[32:]):  # fmt: skip
        path.write_bytes(content)
        assert refused(read_wav, path) is None
    path.write_bytes(good[:26])
    with pytest.raises(UserError, match=r"\(it is cut off\)"):
        read_wav(path)
    header = bytearray(good)
    header[40:44] = b"\xff\xff\xff\x7f"  # two gigabytes announced
    path.write_bytes(bytes(header))
    found = refused(read_wav, path)
    assert found is None or len(found[0]) <= 8000


@quick
@given(st.data())
def test_any_recording_is_read_or_refused(tmp_path, data):
    content = bytearray(wav_bytes(b"\1\0" * 2000))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzz.wav"
    path.write_bytes(bytes(content))
    found = refused(read_wav, path)
    assert found is None or np.abs(found[0]).max() <= 1.0


# Into the character's file


def test_clips_go_into_a_file_and_come_back(avatar, nod, tmp_path):
    path = tmp_path / "avatar.glb"
    for names in ("vrm", "mixamo", "anny"):
        plain = glb_bytes(avatar, bone_names=names)
        path.write_bytes(with_clips(plain, [nod, built_in("walk", avatar)], avatar.skeleton))
        back = read_glb(path)
        assert [clip.name for clip in back.clips] == ["nod", "walk"]
        clip = back.clips[0]
        assert np.allclose(clip.rotations_wxyz["head"], nod.rotations_wxyz["head"], atol=1e-6)
        assert np.allclose(clip.expressions["jawOpen"], nod.expressions["jawOpen"], atol=1e-6)
        assert np.abs(clip.expressions["mouthFunnel"]).max() == 0
        for before, after in zip(avatar.layers, back.layers, strict=True):
            assert np.array_equal(before.mesh.vertices, after.mesh.vertices)


def test_a_clip_of_the_same_name_is_replaced_and_the_file_does_not_grow(avatar, nod):
    once = with_clips(glb_bytes(avatar), [nod, built_in("walk", avatar)], avatar.skeleton)
    again = with_clips(once, [built_in("walk", avatar), nod], avatar.skeleton)
    assert len(again) == pytest.approx(len(once), abs=64)
    document, _ = unpack_glb(with_clips(again, [built_in("idle", avatar, 5)], avatar.skeleton))
    assert [each["name"] for each in document["animations"]] == ["walk", "nod", "idle"]
    # What is left of the meshes still says what it said.
    first, last = unpack_glb(glb_bytes(avatar)), unpack_glb(again)
    for meshes in zip(first[0]["meshes"], last[0]["meshes"], strict=True):
        places = [
            (
                document["bufferViews"][
                    document["accessors"][mesh["primitives"][0]["attributes"]["POSITION"]]["bufferView"]
                ],
                data,
            )
            for mesh, (document, data) in zip(meshes, (first, last), strict=True)
        ]
        cut = [data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]] for view, data in places]
        assert cut[0] == cut[1]


def test_the_writer_itself_writes_faces_of_clips(avatar, nod, tmp_path):
    from dataclasses import replace

    path = tmp_path / "avatar.glb"
    path.write_bytes(glb_bytes(replace(avatar, clips=(nod,))))
    assert np.allclose(read_glb(path).clips[0].expressions["jawOpen"], nod.expressions["jawOpen"], atol=1e-6)
    document, _ = unpack_glb(path.read_bytes())
    paths = [channel["target"]["path"] for channel in document["animations"][0]["channels"]]
    assert paths.count("weights") == sum("weights" in mesh for mesh in document["meshes"])
    assert json.dumps(document)


def test_bvh_keeps_positions_in_centimetres(avatar, tmp_path):
    clip = built_in("walk", avatar)
    write_bvh(clip, avatar.skeleton, tmp_path / "w.bvh")
    source = read_bvh(tmp_path / "w.bvh")
    points = to_frames(clip, avatar.skeleton).forward()[1]
    found = source.points()[:, [source.names.index(name) for name in avatar.skeleton.names]]
    assert np.abs(found / 100 - points).max() < 2e-5
