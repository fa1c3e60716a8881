"""Random cameras keep the statistics their papers give, and hold what they should."""

import numpy as np
import pytest

from bozzetto.render.samplers import bucketed, dual, full_body, head

BODY = np.array([[-0.5, 0.0, -0.2], [0.5, 1.7, 0.2]])
HEAD = np.array([[-0.08, 1.45, -0.1], [0.08, 1.7, 0.12]])


def pixels(shots, box):
    corners = np.array([[x, y, z] for x in box[:, 0] for y in box[:, 1] for z in box[:, 2]])
    matrix, lens = shots.cameras.world_to_camera.numpy(), shots.cameras.intrinsics.numpy()
    placed = corners @ matrix[:, :3, :3].transpose(0, 2, 1) + matrix[:, None, :3, 3]
    seen = placed @ lens.transpose(0, 2, 1)
    return seen[..., :2] / seen[..., 2:], placed[..., 2]


@pytest.mark.parametrize(("sampler", "box"), [(full_body, BODY), (head, HEAD)])
def test_framed_cameras_hold_all_of_it_and_fill_the_picture(sampler, box):
    shots = sampler(64, 100, box, np.random.default_rng(0))
    at, depth = pixels(shots, box)
    assert (depth > 0).all()
    inside = (at > -8) & (at < 108)
    assert inside.mean() > 0.97
    assert np.median(np.ptp(at[..., 1], axis=1)) > 55
    assert set(shots.words) >= {"front view", "side view", "back view"}


def test_a_quarter_of_dual_cameras_look_at_the_face_and_a_seventh_of_the_others_from_behind():
    shots = dual(4000, 8, BODY, HEAD, np.random.default_rng(0))
    near = np.array([crop == "head" for crop in shots.crops])
    assert near.mean() == pytest.approx(0.25, abs=0.02)
    behind = np.abs(shots.azimuths) > 90
    assert not behind[near].any()
    assert behind[~near].mean() == pytest.approx(0.13, abs=0.02)
    eyes = -np.einsum("bji,bj->bi", shots.cameras.world_to_camera[:, :3, :3], shots.cameras.world_to_camera[:, :3, 3])
    np.testing.assert_allclose(np.linalg.norm(eyes[near] - HEAD.mean(0), axis=1), 0.4, rtol=1e-4)


def test_buckets_come_equally_often():
    shots = bucketed(400, 8, HEAD, np.random.default_rng(0))
    turn = np.abs(shots.azimuths)
    assert (turn <= 35).mean() == pytest.approx(0.25)
    assert (turn >= 145).mean() == pytest.approx(0.25)
    assert shots.elevations.min() > -20.001 and shots.elevations.max() < 70.001


def test_words_follow_where_the_camera_stands():
    shots = bucketed(200, 8, HEAD, np.random.default_rng(1))
    for word, azimuth, elevation in zip(shots.words, shots.azimuths, shots.elevations, strict=True):
        if elevation > 60:
            assert word == "overhead view"
        elif abs(azimuth) < 44:
            assert word == "front view"
        elif abs(azimuth) > 136:
            assert word == "back view"


def test_the_same_seed_looks_from_the_same_places():
    one, two = (dual(5, 8, BODY, HEAD, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.cameras.world_to_camera, two.cameras.world_to_camera)
