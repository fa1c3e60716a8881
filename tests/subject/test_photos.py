"""People in photos: rendered figures with a known truth, and one photograph."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import delta_e_2000
from bozzetto.figure.ground_truth import View, stand
from bozzetto.figure.spec import BodySpec, Colour, FigureSpec, Garment, HairSpec, from_json, to_json
from bozzetto.render.light import random_light
from bozzetto.subject.fit import fit_person
from bozzetto.subject.photos import Photo, blur, intake_picture, read_photo, report
from bozzetto.types import UserError

pytest.importorskip("mediapipe.python.solution_base", reason="needs the extra: pip install '.[photo]'")

COCO = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]


def _clutter(height: int, width: int) -> np.ndarray:
    """A wall of coloured boxes, a little out of focus."""
    rng = np.random.default_rng(3)
    wall = Image.new("RGB", (width, height), (150, 140, 120))
    pen = ImageDraw.Draw(wall)
    for _ in range(40):
        x, y, across, down = rng.uniform(0, 1, 4) * (width, height, width / 3, height / 3)
        pen.rectangle((x, y, x + across, y + down), tuple(int(value) for value in rng.uniform(60, 230, 3)))
    return np.asarray(wall.filter(ImageFilter.GaussianBlur(2))) / 255


def _composed(view: View, wall: np.ndarray) -> Image.Image:
    cover = view.output.alpha[0].numpy()
    noise = np.random.default_rng(0).normal(0, 0.012, wall.shape)
    picture = np.clip(view.rgb / 255 - (1 - cover) + (1 - cover) * wall + noise, 0, 1)
    return Image.fromarray((picture * 255 + 0.5).astype(np.uint8))


@pytest.fixture(scope="module")
def views() -> dict[str, View]:
    spec = FigureSpec(
        BodySpec("woman", 30.0, 1.68),
        hair=HairSpec("bob", Colour("dark brown", "#33231a")),
        top=Garment("sweater", Colour("red", "#c01f2b")),
        bottom=Garment("jeans", Colour("navy", "#1d2847")),
        shoes=Garment("sneakers", Colour("white", "#f2f2f0")),
    )
    stance = stand(build_figure(spec, "low"), "a-pose")
    return {
        name: stance.view(turn, 3.0, 400, light=random_light(np.random.default_rng(1)))
        for name, turn in (("front", 8.0), ("back", 180.0))
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, views) -> Path:
    """The photos of these tests, as JPEG files."""
    where = tmp_path_factory.mktemp("photos")
    front, back = (_composed(views[name], _clutter(400, 400)) for name in ("front", "back"))
    front.save(where / "front.jpg", quality=85)
    back.save(where / "back.jpg", quality=85)
    front.crop((0, 0, 400, 225)).save(where / "half.jpg", quality=90)
    front.filter(ImageFilter.GaussianBlur(5)).save(where / "blurred.jpg", quality=90)
    two = Image.new("RGB", (640, 400))
    two.paste(front, (0, 0))
    two.paste(front.resize((240, 240)), (400, 120))
    two.save(where / "two.jpg", quality=90)
    far = Image.fromarray((_clutter(900, 900) * 255).astype(np.uint8))
    far.paste(front.resize((90, 90)), (300, 400))
    far.save(where / "far.jpg", quality=92)
    Image.fromarray(data.astronaut()).save(where / "astronaut.png")
    Image.fromarray(data.chelsea()).save(where / "cat.png")
    drawing = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(drawing)
    pen.ellipse((170, 40, 230, 100), outline="black", width=3)
    for line in ((200, 100, 200, 230), (200, 130, 140, 190), (200, 130, 260, 190), (200, 230, 150, 340),
                 (200, 230, 250, 340)):  # fmt: skip
        pen.line(line, "black", 3)
    drawing.save(where / "drawing.png")
    return where


@pytest.fixture(scope="module")
def front(folder) -> Photo:
    return read_photo(folder / "front.jpg")


def test_a_person_is_found_outlined_and_measured(front, views):
    truth = views["front"]
    assert front.keypoints is not None and front.part == "full body" and not front.from_behind
    apart = np.linalg.norm(front.keypoints.pixels[COCO] - truth.keypoints[:17], axis=1)
    assert apart.mean() < 7, "of 400 pixels"
    inside, true = front.mask > 0.5, truth.output.alpha[0, :, :, 0].numpy() > 0.5
    assert (inside & true).sum() / (inside | true).sum() > 0.95
    assert front.face is not None and len(front.face.points) == 478
    eyes = front.face.points[[468, 473], :2]
    assert np.linalg.norm(eyes - truth.keypoints[[2, 1]], axis=1).max() < 4, "the person's right eye first"
    assert front.keypoints.world[15, 0] > 0.2 > front.keypoints.world[16, 0], "the left wrist is to the camera's right"
    assert len(front.sha256) == 64


def test_the_same_photo_gives_the_same_person(front, folder):
    again = read_photo(folder / "front.jpg")
    assert again.keypoints is not None and front.keypoints is not None
    np.testing.assert_array_equal(again.keypoints.pixels, front.keypoints.pixels)
    np.testing.assert_array_equal(again.mask, front.mask)


def test_a_back_is_told_from_a_front(folder):
    photo = read_photo(folder / "back.jpg")
    assert photo.from_behind and photo.face is None
    assert any("from behind" in note for note in photo.notes)


def test_a_body_seen_from_behind_is_fitted_from_behind(folder):
    fitted = fit_person(read_photo(folder / "back.jpg"))
    assert fitted.cameras.world_to_camera[0, 2, 2] > 0.7, "the camera looks where the person looks"
    assert fitted.keypoint_error < 6


def test_the_first_figure_wears_what_the_photo_shows(front):
    fitted = fit_person(front)
    assert fitted.keypoint_error < 6 and fitted.silhouette_iou > 0.7
    spec = fitted.spec
    assert spec.top is not None and spec.top.kind == "sweater" and spec.outer is None and spec.extras == ()
    assert spec.bottom is not None and spec.bottom.kind in ("jeans", "trousers")
    assert spec.shoes is not None and spec.shoes.kind == "sneakers"
    for worn, true in ((spec.top.colour, "#c01f2b"), (spec.bottom.colour, "#1d2847"), (spec.face.skin, "#c68f6e")):
        assert delta_e_2000(worn, Colour("", true)) < 15, true
    assert spec.hair.colour.name in ("dark brown", "brown", "black", "dark", "mahogany")
    assert from_json(to_json(spec)) == spec


def test_half_a_body_is_called_that(folder):
    photo = read_photo(folder / "half.jpg")
    assert photo.part == "half body" and any("legs are not seen" in note for note in photo.notes)


def test_a_portrait_is_called_that(folder):
    photo = read_photo(folder / "astronaut.png")
    assert photo.part == "portrait" and photo.face is not None
    assert 0.4 < (photo.mask > 0.5).mean() < 0.75
    assert photo.mask[120, 220] > 0.9 and photo.mask[100, 330] < 0.1, "her face, not the wall beside it"


def test_of_several_people_the_largest_is_taken_and_said(folder):
    photo = read_photo(folder / "two.jpg")
    assert photo.box[2] < 420 and any("2 people" in note and "number 1" in note for note in photo.notes)
    other = read_photo(folder / "two.jpg", person=2)
    assert other.box[0] > 380
    with pytest.raises(UserError, match="no person 3"):
        read_photo(folder / "two.jpg", person=3)


@pytest.mark.parametrize("name", ["cat.png", "drawing.png"])
def test_animals_and_drawings_are_nobody(folder, name):
    with pytest.raises(UserError, match="Nobody was found"):
        read_photo(folder / name)


def test_somebody_far_away_is_too_small(folder):
    with pytest.raises(UserError, match=r"pixels tall|Nobody"):
        read_photo(folder / "far.jpg")


def test_blur_is_noticed(front, folder):
    assert not any("blurred" in note for note in front.notes)
    assert any("blurred" in note for note in read_photo(folder / "blurred.jpg").notes)
    grey = data.astronaut().mean(2) / 255
    soft = np.asarray(Image.fromarray((grey * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(4))) / 255
    assert blur(grey) < 0.5 < 0.65 < blur(soft)


def test_the_report_says_what_was_found(front):
    words, picture = report([front]), intake_picture([front, front], 128)
    assert "front.jpg: full body" in words and "a face mesh" in words
    assert picture.shape == (256, 384, 3)
    np.testing.assert_array_equal(picture[:128], picture[128:])
    assert len(np.unique(picture[:128, :128].reshape(-1, 3), axis=0)) > 500, "the photo is in it"


def test_sunglasses_are_worn_not_painted_on(front):
    assert front.face is not None
    dark = front.picture.copy()
    rows, columns = np.indices(front.mask.shape) + 0.5
    for corners in ((33, 133), (263, 362)):
        middle = front.face.points[list(corners), :2].mean(0)
        wide = np.linalg.norm(np.diff(front.face.points[list(corners), :2], axis=0))
        dark[np.hypot(columns - middle[0], rows - middle[1]) < 0.7 * wide] = 0.05
    (worn,) = fit_person(replace(front, picture=dark)).spec.extras
    assert worn.kind == "sunglasses" and max(worn.colour.srgb) < 0.2
