"""Pictures for people."""

import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from bozzetto.files import PARTIAL
from bozzetto.render import perspective, scene_from_layers
from bozzetto.render.film import write_film
from bozzetto.render.pictures import contact_shadow, contact_sheet, portrait, preview, turntable

from .shapes import ball, layer, plain


def test_a_preview_is_one_row_of_five():
    scene = scene_from_layers([ball(plain((200, 60, 50)), rings=12)])
    picture = np.asarray(preview(scene, np.array([[-0.5, 0.2, -0.5], [0.5, 1.0, 1.0]]), size=48)).astype(int)
    assert picture.shape == (48, 240, 3)
    for middle in range(24, 240, 48):
        red, green, _ = picture[24, middle]
        assert red > green + 40, "the ball is in every picture"
    corners = picture[0, 0::47][:2]
    assert np.ptp(corners, axis=-1).max() < 12 and corners.min() > 90, "a light, neutral backdrop"


@pytest.mark.parametrize("lies", [None, "x", "z", "-x"])
def test_the_portrait_shows_the_face_wherever_it_looks(lies):
    """A red nose on a grey head, with eyes and teeth: it is in the picture's middle also where the head lies."""
    grey, red = plain((90, 90, 90)), plain((220, 30, 20))
    parts = [
        ball(grey, (0, 0, 0), 1.0, 20, "skin"), ball(red, (0, -0.1, 1.0), 0.25, 8, "nose"),
        ball(grey, (0, -0.55, 0.85), 0.2, 8, "teeth"),
    ]  # fmt: skip
    left, right = ball(grey, (0.35, 0.1, 0.85), 0.1, 8), ball(grey, (-0.35, 0.1, 0.85), 0.1, 8)
    eyes = torch.cat([left.mesh.vertices, right.mesh.vertices])
    faces = torch.cat([left.mesh.faces, right.mesh.faces + len(left.mesh.vertices)])
    parts.append(layer(eyes, faces, np.zeros((len(faces), 3, 2)), grey, "eyes"))
    turn = Rotation.identity() if lies is None else Rotation.from_euler(lies[-1], -90 if lies[0] == "-" else 90, True)
    posed = [turn.apply(part.mesh.vertices.numpy()).astype(np.float32) for part in parts]
    picture = portrait(scene_from_layers(parts, posed), np.array([[-1.3] * 3, [1.3] * 3]), 64).astype(int)
    rows, columns = np.nonzero(picture[..., 0] > picture[..., 1] + 60)
    assert len(rows) > 20
    assert 30 < rows.mean() < 44, "upright: the nose is a little below the middle"
    assert 18 < columns.mean() < 32, "seen from the head's left"


def test_the_contact_shadow_lies_where_the_figure_is():
    floor = contact_shadow(scene_from_layers([ball(plain(), (0, 1, 0)), ball(plain(), (4, 0.5, 2), 0.5)]))
    assert floor is not None
    above = perspective((0, 12, 0), (0, 0, 0), (0, 0, -1), 60.0, 129, 129)  # right is +x, up is -z
    light = floor.shadow(above)
    focal = 64.5 / np.tan(np.radians(30))
    at = lambda x, z: light[round(64 + z * focal / 12), round(64 + x * focal / 12)]  # noqa: E731
    assert at(0, 0) < 0.8 and at(4, 2) < 0.8
    assert at(0, 0) < at(0.9, 0) < at(2, -1)
    assert at(4, -2) > 0.97 and at(-4, 2) > 0.97


def test_a_sheet_has_rows_labels_and_refuses_confusion():
    cells = [np.full((20, 30, 3), value, np.uint8) for value in (0, 80, 160)]
    assert contact_sheet(cells, 2).size == (60, 40)
    assert contact_sheet(cells, 2, ["a", "b", "c"]).size == (60, 68)
    assert contact_sheet(cells, 2).getpixel((45, 10)) == (80, 80, 80)
    with pytest.raises(ValueError, match="labels"):
        contact_sheet(cells, 2, ["a"])
    with pytest.raises(ValueError, match="needs a picture"):
        contact_sheet([], 2)


def test_an_unfinished_film_has_a_name_that_runs_clear_and_a_failed_one_is_gone(tmp_path, monkeypatch):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    write, written = imageio_ffmpeg.write_frames, []
    monkeypatch.setattr(imageio_ffmpeg, "write_frames", lambda to, *a, **k: written.append(to) or write(to, *a, **k))

    def picture(index):
        if index == 2:
            raise OSError("No space left on device")
        return np.zeros((50, 50, 3), np.uint8)

    with pytest.raises(OSError, match="No space"):
        write_film(tmp_path / "turn.mp4", picture, 4, 50)
    (unfinished,) = written
    assert Path(unfinished).parent == tmp_path
    assert Path(unfinished).name.startswith(PARTIAL) and unfinished.endswith(".mp4")
    assert not list(tmp_path.iterdir())


def test_a_film_with_sound_says_nothing(tmp_path, capfd):
    pytest.importorskip("imageio_ffmpeg")
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(b"\1\0" * 8000)
    grey = np.full((50, 50, 3), 128, np.uint8)
    write_film(tmp_path / "film.mp4", lambda _: grey, 12, 50, sound=tmp_path / "a.wav")
    assert capfd.readouterr() == ("", "")


def test_a_turntable_is_a_film_that_plays_from_its_start(tmp_path):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    scene = scene_from_layers([ball(plain((200, 60, 50)), rings=8)])
    path = tmp_path / "turn.mp4"
    turntable(scene, path, frames=4, size=50)
    assert [file.name for file in tmp_path.iterdir()] == ["turn.mp4"], "nothing unfinished is left"
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat"), "faststart"
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    assert about["size"] == (50, 50) and about["codec"] == "h264" and "yuv420p" in about["pix_fmt"]
    assert len(list(reader)) == 4
    with pytest.raises(ValueError, match="even"):
        turntable(scene, path, frames=4, size=51)
