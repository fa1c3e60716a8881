"""Files that people call photos."""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bozzetto.subject.detector import need_mediapipe
from bozzetto.subject.picture_file import LONGEST, open_picture
from bozzetto.types import UserError


def _scene(width: int = 160, height: int = 120) -> Image.Image:
    """Red above, blue below, with some texture."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, :, 0] = 210
    picture[height // 2 :, :, 2] = 210
    picture += np.random.default_rng(0).integers(0, 20, picture.shape, dtype=np.uint8)
    return Image.fromarray(picture)


def _saved(folder: Path, image: Image.Image, name: str = "photo.jpg", **options: object) -> Path:
    image.save(folder / name, **options)
    return folder / name


def _is_red_above_blue(pixels: np.ndarray) -> bool:
    half = len(pixels) // 2
    above, below = pixels[: half - 8].mean((0, 1)), pixels[half + 8 :].mean((0, 1))
    return above[0] > above[2] + 100 and below[2] > below[0] + 100


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright_however_the_camera_was_held(tmp_path, orientation):
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    held = _scene() if undo is None else _scene().transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = open_picture(_saved(tmp_path, held, exif=exif))
    assert file.pixels.shape == (120, 160, 3) and _is_red_above_blue(file.pixels)
    assert any("upright" in note for note in file.notes) == (orientation != 1)


@pytest.mark.parametrize(
    ("mode", "name", "colourless"),
    [
        ("CMYK", "photo.jpg", False), ("L", "photo.jpg", True), ("LA", "photo.png", True), ("P", "photo.gif", False),
        ("1", "photo.png", True), ("RGBA", "photo.webp", False), ("I;16", "photo.png", True),
        ("RGB", "photo.bmp", False),
    ],
)  # fmt: skip
def test_every_kind_of_pixel_becomes_srgb(tmp_path, mode, name, colourless):
    if mode == "I;16":
        image = Image.fromarray(np.asarray(_scene().convert("L")).astype(np.uint16) * 40)
    else:
        image = _scene().convert(mode)
    file = open_picture(_saved(tmp_path, image, name))
    assert file.pixels.shape == (120, 160, 3) and file.colourless == colourless
    assert colourless or _is_red_above_blue(file.pixels)
    assert any("black and white" in note for note in file.notes) == colourless
    if colourless:  # red is lighter than blue
        assert file.pixels[:52].mean() > file.pixels[68:].mean() + 20


def test_transparency_is_a_mask_only_where_it_cuts_something_out(tmp_path):
    image = _scene().convert("RGBA")
    cut = np.zeros((120, 160), np.uint8)
    cut[20:110, 50:100] = 255
    image.putalpha(Image.fromarray(cut))
    file = open_picture(_saved(tmp_path, image, "cut.png"))
    assert file.cutout is not None
    np.testing.assert_array_equal(file.cutout > 0.5, cut > 0)
    assert file.pixels[5, 5].min() > 250, "what was cut away is white"
    assert open_picture(_saved(tmp_path, _scene().convert("RGBA"), "whole.png")).cutout is None


def test_the_first_of_several_pictures_is_used_and_said(tmp_path):
    others = [Image.new("RGB", (160, 120), (0, 200, shade)) for shade in (0, 90)]
    file = open_picture(_saved(tmp_path, _scene(), "moving.gif", save_all=True, append_images=others))
    assert _is_red_above_blue(file.pixels) and "3 pictures" in " ".join(file.notes)


def test_large_pictures_are_scaled_down_and_said(tmp_path):
    file = open_picture(_saved(tmp_path, _scene(4500, 3000), quality=60))
    assert file.pixels.shape == (1365, LONGEST, 3) and _is_red_above_blue(file.pixels)
    assert "4500 x 3000" in " ".join(file.notes)


@pytest.mark.slow
def test_a_hundred_megapixels_are_read(tmp_path):
    file = open_picture(_saved(tmp_path, Image.new("L", (11500, 9000), 90), quality=30))
    assert file.pixels.shape == (1603, LONGEST, 3)


def _png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def _jpeg() -> bytes:
    out = io.BytesIO()
    _scene().save(out, "JPEG")
    return out.getvalue()


def _pages_of_which_the_second_has_no_width() -> bytes:
    out = io.BytesIO()
    page = Image.new("RGB", (300, 200), "white")
    page.save(out, "TIFF", save_all=True, append_images=[page])
    first, second, third = out.getvalue().split(struct.pack("<HH", 256, 4))
    return first + struct.pack("<HH", 256, 4) + second + struct.pack("<HH", 250, 4) + third


def _avif_without_its_pixels() -> bytes:
    out = io.BytesIO()
    _scene().save(out, "AVIF")
    head, mark, _ = out.getvalue().partition(b"mdat")
    return head + mark + bytes(5000)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("photo.jpg", b"%PDF-1.7 rest", "is a PDF document"),
        ("photo.heic", b"\0\0\0\x18ftypheic" + bytes(64), "HEIC"),
        ("clip.jpg", b"\0\0\0\x18ftypisom" + bytes(64), "a video"),
        ("drawing.svg", b"<svg xmlns='x'/>", "an SVG drawing"),
        ("notes.txt", b"hello, this is text", "is not a picture that can be read"),
        ("empty.jpg", b"", "is empty"),
        ("cut.jpg", _jpeg()[:2000], "damaged or incomplete"),
        ("bomb.png", _png_that_claims(50_000, 50_000), "megapixels"),
        ("broken.png", _png_that_claims(300, 300), "damaged or incomplete"),
        ("pages.tiff", _pages_of_which_the_second_has_no_width(), "damaged or incomplete"),
        ("phone.avif", _avif_without_its_pixels(), "damaged or incomplete"),
    ],
)  # fmt: skip
def test_what_is_no_photo_is_refused_with_a_reason(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=says) as refused:
        open_picture(tmp_path / name)
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")


def test_too_small_missing_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="50 x 50 pixels"):
        open_picture(_saved(tmp_path, _scene(50, 50)))
    with pytest.raises(UserError, match="no file"):
        open_picture(tmp_path / "nothing.jpg")
    with pytest.raises(UserError, match="folder"):
        open_picture(tmp_path)


def test_without_the_extra_one_paragraph_says_how(monkeypatch):
    for name in ("mediapipe", "mediapipe.python.solution_base"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"\[photo\]") as refused:
        need_mediapipe()
    assert "MediaPipe" in str(refused.value) and "\n" not in str(refused.value)
