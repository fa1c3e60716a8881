"""``bozzetto animate``: what lands in the folder, and what is refused in one paragraph."""

import base64
import shutil
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import bozzetto
from bozzetto import cli
from bozzetto.export.glb import write_glb
from bozzetto.export.read import read_glb, unpack_glb
from bozzetto.figure.spec import FigureSpec
from bozzetto.motion import film
from bozzetto.motion.builtin import built_in
from bozzetto.motion.bvh import write_bvh
from bozzetto.motion.command import motion_name
from bozzetto.motion.frames import Frames, at_times, to_frames
from bozzetto.runs import Output, Record, Request, read_record, sha256, to_json
from export_people import person


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A finished run with a character and its page."""
    folder = tmp_path_factory.mktemp("run")
    write_glb(person(), folder / "avatar.glb", bone_names="mixamo")
    page = b"<head>" + base64.b64encode((folder / "avatar.glb").read_bytes()) + b"<tail>"
    (folder / "index.html").write_bytes(page)
    files = {name: Output(sha256(folder / name), 1) for name in ("avatar.glb", "index.html")}
    record = Record(Request("draft", {"seed": 1}, "a man"), {}, status="finished", outputs=files)
    (folder / "run.json").write_text(to_json(record))
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def said(capsys, *arguments) -> tuple[int, str, str]:
    status = cli.main(["animate", *map(str, arguments)])
    return status, *capsys.readouterr()


def refusal(capsys, *arguments) -> str:
    status, _, err = said(capsys, *arguments)
    assert status == 2
    assert "\n" not in err.strip()
    return err


def test_motions_go_into_the_character_its_page_and_its_record(folder, capsys):
    write_bvh(built_in("wave", person(), 10), person().skeleton, folder / "my hello.bvh")
    status, out, _ = said(
        capsys, folder, "--motion", "idle", "--motion", folder / "my hello.bvh", "--to", "bvh,vrma", "--no-film",
        "--fps", "12",
    )  # fmt: skip
    assert status == 0
    assert "my hello.bvh: 3.6 s" in out
    assert "slide" in out
    clips = read_glb(folder / "avatar.glb").clips
    assert [clip.name for clip in clips] == ["idle", "my_hello"]
    assert len(clips[0].times) == 97
    for name in ("motion-idle.bvh", "motion-idle.vrma", "motion-my_hello.bvh", "motion-my_hello.vrma"):
        assert (folder / name).stat().st_size > 1000
    record = read_record(folder)
    assert record.status == "finished"
    for name in ("avatar.glb", "index.html", "motion-idle.vrma"):
        assert record.outputs[name].sha256 == sha256(folder / name)
    page = (folder / "index.html").read_bytes()
    assert page == b"<head>" + base64.b64encode((folder / "avatar.glb").read_bytes()) + b"<tail>"
    assert not list(folder.glob(".partial*"))


def test_a_vrm_animation_says_what_made_it(folder, capsys):
    write_bvh(built_in("wave", person(), 10), person().skeleton, folder / "mine.bvh")
    recording = folder / "mine.bvh"
    words = ["--motion", "idle", "--motion", recording, "--to", "vrma", "--no-film", "--fps", "10"]
    assert said(capsys, folder, *words)[0] == 0
    idle, mine = (
        unpack_glb((folder / f"motion-{name}.vrma").read_bytes())[0]["asset"]["extras"] for name in ("idle", "mine")
    )
    tool = f"bozzetto {bozzetto.__version__}, an AI tool"
    assert idle == {"made_by": tool, "ai_generated": True}
    assert "ai_generated" not in mine and mine["retargeted_by"] == tool
    assert mine["source_sha256"] == sha256(recording)


def test_a_vrm_beside_gets_its_motion_beside(folder, capsys):
    (folder / "avatar.vrm").write_bytes(b"stays")
    assert said(capsys, folder, "--motion", "sit", "--no-film", "--fps", "10")[0] == 0
    assert (folder / "avatar.vrm").read_bytes() == b"stays"
    assert (folder / "motion-sit.vrma").is_file()


def spoken_wav(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        tone = np.sin(np.arange(12_000) * 0.5) * (np.arange(12_000) % 80 < 20) * 20_000
        sound.writeframes(tone.astype("<i2").tobytes())
    return path


def test_a_recording_is_spoken_over_the_motion(folder, capsys):
    path = spoken_wav(folder / "hello.wav")
    assert said(capsys, folder, "--motion", "walk", "--speech", path, "--no-film")[0] == 0
    walk, speech = read_glb(folder / "avatar.glb").clips
    assert (walk.name, speech.name) == ("walk", "speech")
    assert speech.times[-1] == pytest.approx(1.5, abs=0.05)
    assert speech.expressions["jawOpen"].max() > 0.1
    assert not walk.expressions
    step = np.abs(np.diff(speech.rotations_wxyz["upperleg01.L"], axis=0)).max()
    assert step < 0.1, "the walk repeats without a jump"


def test_a_figure_built_again_keeps_the_motions_it_was_given(folder, capsys, monkeypatch):
    class Built:
        avatar = person()

    monkeypatch.setattr("bozzetto.figure.build.build_figure", lambda spec: Built)
    request = Request("draft", {}, "a man")
    assert len(cli.character(folder, FigureSpec(), request).clips) == len(person().clips)
    assert said(capsys, folder, "--motion", "wave", "--no-film")[0] == 0
    assert {clip.name for clip in cli.character(folder, FigureSpec(), request).clips} == {
        *(clip.name for clip in person().clips), "wave",
    }  # fmt: skip
    (folder / "avatar.glb").write_bytes(b"made elsewhere")
    assert len(cli.character(folder, FigureSpec(), request).clips) == len(person().clips)


@pytest.mark.parametrize("arguments, words", [
    ((), "Say how it moves"),
    (("--motion", "wlak"), "Did you mean 'walk'"),
    (("--motion", "gone.bvh"), "no file gone.bvh"),
    (("--motion", "walk", "--motion", "walk"), "Two motions"),
    (("--motion", "walk", "--fps", "0"), "--fps"),
    (("--motion", "walk", "--to", "fbx"), "vrma, bvh"),
    (("--speech", "gone.wav"), "no file gone.wav"),
])  # fmt: skip
def test_mistakes_are_answered_in_a_paragraph(folder, capsys, arguments, words):
    before = (folder / "avatar.glb").read_bytes()
    assert words in refusal(capsys, folder, *arguments)
    assert (folder / "avatar.glb").read_bytes() == before


def test_a_bad_file_leaves_the_character_alone(folder, capsys, tmp_path):
    before = (folder / "avatar.glb").read_bytes()
    for name in ("bad.bvh", "bad.vrma", "bad.npz"):
        path = tmp_path / name
        path.write_bytes(b"nothing of the kind")
        assert name in refusal(capsys, folder, "--motion", path)
    assert "no WAV" in refusal(capsys, folder, "--speech", renamed(tmp_path / "bad.bvh", "bad.wav"))
    assert (folder / "avatar.glb").read_bytes() == before
    assert "holds no avatar.glb" in refusal(capsys, tmp_path, "--motion", "walk")
    (folder / "avatar.glb").write_bytes(before[:1000])
    assert "damaged" in refusal(capsys, folder, "--motion", "walk")


def renamed(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def test_names_of_files_become_names_of_clips():
    assert motion_name("walk") == "walk"
    assert motion_name("a/b/01_02 fast.BVH") == "01_02_fast"
    assert motion_name("../....npz") == "motion"


def test_a_film_shows_what_repeats_again_and_what_ends_once():
    walk, sit = (built_in(name, person()) for name in ("walk", "sit"))
    times, repeats = film.filmed_times(walk)
    assert repeats == 4
    assert times[-1] < walk.times[-1]
    assert film.filmed_times(sit)[1] == 1
    assert not film.repeating(sit)
    stage = film.Stage(person(), sit, [film.seat(person(), sit)], 64)
    first, last = stage.picture(0), stage.picture(len(stage) - 1)
    assert first.shape == (64, 64, 3)
    assert np.abs(first.astype(int) - last).mean() > 1


def test_who_speaks_is_seen_close_up_wherever_the_body_goes():
    avatar = person()
    still = built_in("idle", avatar)
    way = np.linspace([0.0, 0.0, 0.0], [3.0, -0.3, 6.0], len(still.times)).astype(np.float32)
    root = avatar.skeleton.positions[avatar.skeleton.parents.index(-1)].numpy()
    leaving = replace(still, root_translation=(root + way).astype(np.float32))
    far, close = (film.Stage(avatar, leaving, size=64, close=close) for close in (False, True))
    head = avatar.layers.index(avatar.layer("skin"))

    def seen(stage: film.Stage, index: int) -> np.ndarray:
        points = np.c_[stage._posed(index)[head], np.ones(len(stage._posed(index)[head]))]
        pixels = points @ (stage._camera.intrinsics[0] @ stage._camera.world_to_camera[0, :3]).double().numpy().T
        return pixels[:, :2] / pixels[:, 2:]

    heights = [np.ptp(seen(stage, 0)[:, 1]) for stage in (far, close)]
    assert heights[1] > 0.35 * 64 and heights[1] > 4 * heights[0]
    for index in (0, len(close) // 2, len(close) - 1):
        assert (seen(close, index) > 0).all() and (seen(close, index) < 64).all()
    assert close.picture(0).shape == (64, 64, 3)


def test_only_speech_is_filmed_close_up(folder, capsys, monkeypatch):
    filmed = []
    monkeypatch.setattr("bozzetto.doctor.ffmpeg", lambda: "ffmpeg")
    monkeypatch.setattr(film, "film", lambda avatar, clip, path, **how: filmed.append((clip.name, how)) or path.touch())
    path = spoken_wav(folder / "hello.wav")
    assert said(capsys, folder, "--motion", "walk", "--speech", path)[0] == 0
    assert [(name, how.get("close", False), how.get("sound")) for name, how in filmed] == [
        ("walk", False, None), ("speech", True, path),
    ]  # fmt: skip


def test_what_happens_between_two_frames_is_filmed_as_well():
    still = to_frames(built_in("idle", person()), person().skeleton)
    angles = np.array([0.0, 1.0, 0.5])
    local = np.tile(Rotation.from_rotvec(np.outer(angles, [0, 1, 0])).as_matrix()[:, None], (1, 2, 1, 1))
    few = Frames(still.skeleton, np.array([1.0, 2.0, 4.0]), local, np.outer(angles, [3.0, 0.0, 0.0]))
    found = at_times(few, np.array([0.0, 1.25, 2.0, 3.0, 9.0]))
    expected = [0, 0.25, 1, 0.75, 0.5]
    assert np.allclose(Rotation.from_matrix(found.local[:, 1]).as_rotvec()[:, 1], expected)
    assert np.allclose(found.root[:, 0], 3 * np.array(expected))
    held = at_times(Frames(still.skeleton, np.zeros(1), local[1:2], np.ones((1, 3))), np.arange(3.0))
    assert np.allclose(held.local, local[1]) and np.allclose(held.root, 1)


@pytest.mark.slow
def test_a_film_is_written(folder, capsys):
    pytest.importorskip("imageio_ffmpeg")
    assert said(capsys, folder, "--motion", "run", "--fps", "24")[0] == 0
    assert (folder / "motion-run.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_file_stays_a_valid_skeleton_for_every_naming(folder, capsys):
    assert said(capsys, folder, "--motion", "dance", "--no-film", "--fps", "10")[0] == 0
    document, _ = unpack_glb((folder / "avatar.glb").read_bytes())
    names = [document["nodes"][c["target"]["node"]]["name"] for c in document["animations"][0]["channels"]]
    assert "mixamorig:LeftUpLeg" in names
