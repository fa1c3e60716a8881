"""The truth beside each picture is the picture's own."""

import numpy as np
import pytest

from bozzetto.figure.ground_truth import random, stand
from bozzetto.render.light import ambient

SOMEBODY = random(31)


@pytest.fixture(scope="module")
def stance():
    return stand(SOMEBODY.figure, "standing")


def test_masks_tile_the_silhouette(stance):
    view = stance.view(20, 3, 160)
    masks = view.masks
    assert {"skin"} <= set(masks)
    total = np.sum([mask for mask in masks.values()], axis=0)
    assert total.max() == 1
    alpha = view.output.alpha[0, :, :, 0].numpy()
    assert ((total > 0) == (alpha > 0)).mean() > 0.999
    # The background stays what was asked.
    assert (view.rgb[alpha == 0] == 255).all()


def test_key_points_are_on_the_person_and_left_is_left(stance):
    view = stance.view(0, 0, 160)
    names = SOMEBODY.figure.person.body.coco_names
    points = dict(zip(names, view.keypoints, strict=True))
    assert points["left_shoulder"][0] > points["right_shoulder"][0]  # seen from the front, left is on the right
    assert points["nose"][1] < points["left_hip"][1] < points["left_ankle"][1]
    alpha = view.output.alpha[0, :, :, 0].numpy()
    inside = [alpha[int(y), int(x)] > 0 for name, (x, y) in points.items() if "hip" in name or "knee" in name]
    assert all(inside)
    back = stance.view(180, 0, 160)
    again = dict(zip(names, back.keypoints, strict=True))
    assert again["left_shoulder"][0] < again["right_shoulder"][0]
    visible = dict(zip(names, back.visible, strict=True))
    assert not visible["nose"]


def test_a_face_has_contours_only_where_it_looks_at_us(stance):
    assert stance.view(0, 0, 128, "head").contours
    assert not stance.view(180, 0, 128, "head").contours
    contours = stance.view(0, 0, 128, "head").contours
    left, right = contours["left_eye"].mean(0), contours["right_eye"].mean(0)
    lips = contours["lips_outer"].mean(0)
    assert left[0] > lips[0] > right[0] and lips[1] > left[1]


def test_condition_pictures_have_the_picture_s_size_and_say_what_they_should(stance):
    view = stance.view(0, 0, 128)
    conditions = view.conditions
    assert set(conditions) == {"pose", "landmarks", "normal", "silhouette", "depth"}
    for image in conditions.values():
        assert image.shape == view.rgb.shape and image.dtype == np.uint8
    alpha = view.output.alpha[0, :, :, 0].numpy()
    np.testing.assert_array_equal(conditions["silhouette"][..., 0] > 127, alpha > 0.4999)
    solid = alpha > 0.999
    assert conditions["normal"][solid][:, 2].mean() > 150  # blue looks at us
    assert conditions["pose"].any() and conditions["depth"][solid].max() > 200


def test_words_follow_the_camera(stance):
    said = [stance.view(azimuth, elevation, 32).words for azimuth, elevation in ((0, 0), (90, 0), (180, 0), (0, 75))]
    assert said == ["front view", "side view", "back view", "overhead view"]


def test_flat_light_is_albedo(stance):
    flat = stance.view(0, 0, 96)
    lit = stance.view(0, 0, 96, light=ambient(0.4))
    assert flat.flat and not lit.flat
    inside = flat.output.alpha[0, :, :, 0].numpy() > 0.999
    assert flat.rgb[inside].mean() > lit.rgb[inside].mean() + 10


def test_a_person_is_random_but_the_same_for_a_seed():
    again = random(31)
    assert again.spec == SOMEBODY.spec and again.captions == SOMEBODY.captions
    one, two = (each.views(3, 48) for each in (SOMEBODY, again))
    for a, b in zip(one, two, strict=True):
        assert np.abs(a.rgb.astype(int) - b.rgb.astype(int)).max() <= 1  # sums may be split otherwise between threads
    assert len(one) == 3 and len({view.azimuth for view in one}) == 3
    assert random(32).spec != SOMEBODY.spec


def test_a_head_crop_is_filled_by_the_head(stance):
    view = stance.view(0, 0, 128, "head")
    rows = np.nonzero((view.output.alpha[0, :, :, 0].numpy() > 0).any(1))[0]
    assert np.ptp(rows) > 0.7 * 128
