"""Pigtails come back to an outline that lost them, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from bozzetto.body.landmarks import face_contours
from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BodySpec, FigureSpec, Garment, HairSpec
from bozzetto.render.cameras import frame
from bozzetto.render.light import studio
from bozzetto.render.mesh import render_mesh
from bozzetto.subject.locks import Head, pigtails, with_locks
from bozzetto.texture.views import project
from bozzetto.types import linear_to_srgb

SIZE = 320


def photographed(style, wall=(0.35, 0.55, 0.4)):
    """A head in front of a wall: the picture, where it is, and the same without hair."""
    spec = FigureSpec(BodySpec("woman", 25.0, 1.65), hair=HairSpec(style), top=Garment("t-shirt", colour("red")))
    stances = [stand(build_figure(replace(spec, hair=HairSpec(each)), "low"), "standing") for each in (style, "buzz")]
    camera = frame(np.stack(np.meshgrid(*stances[1].head.T), -1).reshape(-1, 3), np.zeros(1), 0.0, 28.0, SIZE)
    full, bare = (render_mesh(each.scene, camera, studio(), 2, (0.0, 0.0, 0.0)) for each in stances)
    alpha, rgb = full.alpha[0].numpy(), full.rgb[0].numpy()
    rng = np.random.default_rng(0)
    picture = linear_to_srgb(np.clip(rgb, 0, 1)) + (1 - alpha) * np.array(wall) + rng.normal(0, 0.01, rgb.shape)
    contours = face_contours(stances[1].body)
    eyes = np.concatenate([contours["left_eye"], contours["right_eye"]]).mean(0)
    down = contours["lips_outer"].mean(0) - eyes
    top, chin = project(np.stack([eyes - 1.1 * down, eyes + 1.5 * down]), camera)[0]
    return picture.astype(np.float32), alpha[..., 0], bare.alpha[0, ..., 0].numpy(), Head(top, chin)


def overlap(one, other):
    return ((one > 0.5) & (other > 0.5)).sum() / ((one > 0.5) | (other > 0.5)).sum()


@pytest.fixture(scope="module")
def girl():
    return photographed("pigtails")


def test_pigtails_come_back_to_the_outline_and_are_read(girl):
    picture, true, rough, head = girl
    assert pigtails(true > 0.5, head) is not None and pigtails(rough > 0.5, head) is None
    found = with_locks(picture, rough, head)
    assert overlap(found, true) > overlap(rough, true) + 0.5 * (1 - overlap(rough, true))
    where = pigtails(found > 0.5, head)
    assert where is not None and not where[:, SIZE // 2 - 10 : SIZE // 2 + 10].any()


def test_other_hair_stays_as_it_is():
    for style in ("short", "bob", "long straight", "afro"):
        picture, true, _, head = photographed(style)
        assert pigtails(true > 0.5, head) is None
        assert with_locks(picture, true, head) is true


def test_a_wall_in_the_hairs_colour_is_no_hair(girl):
    picture, true, rough, head = girl
    hair = np.median(picture[(true > 0.9) & (rough < 0.1)], 0)
    behind = np.where(true[..., None] > 0.5, picture, hair).astype(np.float32)
    assert with_locks(behind, rough, head) is rough


def test_what_goes_on_far_from_the_head_is_no_hair(girl):
    picture, true, rough, head = girl
    more = (250, 250)
    wide = np.pad(picture, ((0, 0), more, (0, 0)), constant_values=0)
    true, rough = (np.pad(mask, ((0, 0), more)) for mask in (true, rough))
    rng = np.random.default_rng(0)
    wide[true < 0.5] = rng.normal([0.35, 0.55, 0.4], 0.01, ((true < 0.5).sum(), 3))
    moved = np.array([250, 0])
    head = Head(head.top + moved, head.chin + moved)
    found = with_locks(wide.astype(np.float32), rough, head)
    assert found is not rough
    strands = wide[(true > 0.9) & (rough < 0.1)]
    left, right = np.nonzero((true > 0.5)[150])[0][[0, -1]]
    for rope in (np.s_[140:160, : left + 6], np.s_[140:160, right - 5 :]):
        wide[rope] = strands[rng.integers(len(strands), size=wide[rope].shape[:2])]
    assert with_locks(wide.astype(np.float32), rough, head) is rough


def test_a_face_of_few_pixels_or_at_the_edge_says_nothing(girl):
    picture, _, rough, head = girl
    assert with_locks(picture, rough, Head(head.chin - [0, 5], head.chin)) is rough
    assert with_locks(picture, rough, Head(head.top - [0, 900], head.chin - [0, 900])) is rough
