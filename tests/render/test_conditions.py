"""Skeletons and face contours in the colours ControlNets were trained on."""

import numpy as np
import pytest

from bozzetto.render.conditions import face_landmarks, pose_skeleton

# A figure that faces the viewer: its left is on the picture's right. COCO's order.
POSE = np.array(
    [[256, 80], [266, 70], [246, 70], [280, 75], [232, 75], [310, 140], [202, 140], [340, 210], [172, 210],
     [350, 280], [162, 280], [285, 290], [227, 290], [288, 380], [224, 380], [290, 470], [222, 470]], float
)  # fmt: skip


def test_joints_and_limbs_have_openpose_colours():
    picture = pose_skeleton(POSE, np.ones(17, bool), 512)
    assert tuple(picture[80, 256]) == (255, 0, 0), "nose"
    assert tuple(picture[140, 256]) == (255, 85, 0), "neck, between the shoulders"
    assert tuple(picture[140, 202]) == (255, 170, 0), "right shoulder"
    assert tuple(picture[140, 310]) == (85, 255, 0), "left shoulder"
    assert tuple(picture[280, 350]) == (0, 255, 85), "left wrist"
    assert tuple(picture[470, 222]) == (0, 170, 255), "right ankle"
    assert tuple(picture[140, 229]) == (153, 0, 0), "neck to right shoulder, at 60 %"
    assert tuple(picture[0, 0]) == (0, 0, 0)


def test_hidden_joints_take_their_limbs_along():
    visible = np.ones(17, bool)
    visible[8] = False  # right elbow
    picture = pose_skeleton(POSE, visible, 512)
    assert picture[210, 172].sum() == 0 and picture[175, 187].sum() == 0 and picture[245, 167].sum() == 0
    assert pose_skeleton(POSE, np.zeros(17, bool), (32, 64)).shape == (32, 64, 3)
    assert pose_skeleton(POSE, np.zeros(17, bool), 32).max() == 0


def test_face_contours_have_mediapipe_colours():
    line = np.array([[50.0, 100.0], [450.0, 100.0]])
    picture = face_landmarks({"left_eye": [line], "face_oval": [line + np.array([0, 250])]}, (512, 512))
    assert tuple(picture[100, 250]) == (10, 200, 180) and tuple(picture[350, 250]) == (10, 200, 10)
    assert face_landmarks({}, 16).max() == 0
    with pytest.raises(ValueError, match="iris"):
        face_landmarks({"iris": [line]}, 16)


def test_small_faces_move_by_parts_of_a_pixel():
    turn = np.linspace(0, 2 * np.pi, 17)
    eye = np.stack([20 + 3 * np.cos(turn), 30 + 1.5 * np.sin(turn)], 1)
    centres = []
    for moved in (0.0, 0.25, 0.5):
        drawn = face_landmarks({"left_eye": [eye + moved]}, 64)[..., 1].astype(float)
        y, x = np.mgrid[:64, :64] + 0.5
        centres.append([(drawn * x).sum() / drawn.sum(), (drawn * y).sum() / drawn.sum()])
    assert np.allclose(np.subtract(centres, centres[0]), [[0, 0], [0.25, 0.25], [0.5, 0.5]], atol=0.08)
    assert np.allclose(centres[0], (20, 30), atol=0.15)
    for size in (256, 384):
        moved = [face_landmarks({"left_eye": [3 * eye + far]}, size).astype(float) for far in (0.0, 0.5)]
        assert 0 < np.abs(moved[1] - moved[0]).max() < 200, "no whole pixels"
    open_eye = face_landmarks({"left_eye": [eye]}, 64)
    assert open_eye[30, 20].sum() < 0.3 * open_eye.sum(-1).max(), "an eye of 3 px is open"
