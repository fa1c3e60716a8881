"""Hands meet, and what rests on the floor reaches it, on short, tall, strong and stylised bodies."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from bozzetto.body.poses import limb_groups, penetration
from bozzetto.figure.build import build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BLACK, BodySpec, FigureSpec, Garment

SHOES = Garment("boots", BLACK)
PEOPLE = {
    "child": FigureSpec(BodySpec(age=6, height=1.15), dress=Garment("knee dress", BLACK), shoes=SHOES),
    "strong man": FigureSpec(BodySpec("man", 30, 1.92, 0.7, 0.9, identity=5)),
    "high heels": FigureSpec(BodySpec("woman", 45, 1.7), shoes=Garment("heels", BLACK)),
    "chibi": FigureSpec(BodySpec("woman", 25, 1.6), look="chibi", shoes=SHOES),
}


@pytest.fixture(scope="module", params=PEOPLE)
def figure(request):
    return build_figure(PEOPLE[request.param], "low")


def part(stance, starts, side=""):
    """Posed skin of the joints that start so."""
    body = stance.figure.person.body
    stop = body.parts["body"].stop
    strongest = np.array(body.joint_names)[body.skin_joints[np.arange(stop), body.skin_weights[:stop].argmax(1)]]
    return stance.body[:stop][[name.startswith(starts) and name.endswith(side) for name in strongest]]


@pytest.mark.parametrize("name", ["praying", "praying 3"])
def test_palms_meet_and_do_not_cross(figure, name):
    stance = stand(figure, name)
    left, right = (part(stance, ("metacarpal", "finger3-1"), side) for side in "LR")
    towards = left.mean(0) - right.mean(0)
    towards /= np.linalg.norm(towards)
    assert -0.02 < (left @ towards).min() - (right @ towards).max() < 0.005


def test_crossed_arms_lie_one_before_the_other_and_not_through_each_other(figure):
    stance = stand(figure, "arms crossed")
    body, stop = figure.person.body, figure.person.body.parts["body"].stop
    groups = limb_groups(body.joint_names, body.skin_weights[:stop], body.skin_joints[:stop])
    assert penetration(stance.body[:stop], groups, body.parts["body"].faces) < 0.012
    left, right = (part(stance, ("metacarpal", "finger3-1"), side)[:, 0].mean() for side in "LR")
    assert left < right + 0.02


def dressed(stance, starts, side="", worn=None):
    """The same with what is worn there, all or the layers named so."""
    start, found = 0, [part(stance, starts, side)]
    for layer in stance.figure.avatar.layers:
        points = stance.scene.vertices[start : start + len(layer.mesh.vertices)]
        start += len(points)
        if worn is None or layer.name in worn:
            names = [stance.figure.avatar.skeleton.names[joint] for joint in layer.skin_joints[:, 0]]
            found.append(points[[name.startswith(starts) and name.endswith(side) for name in names]])
    return np.concatenate(found)


def lowest(stance, starts, side=""):
    """Height of a part of the body or of the shoes on it."""
    return dressed(stance, starts, side, ("shoes",))[:, 1].min()


@pytest.mark.parametrize("name", ["kneeling", "kneeling 2"])
def test_who_kneels_rests_on_knees_and_toes(figure, name):
    stance = stand(figure, name)
    for side in "LR":
        assert lowest(stance, ("upperleg02", "lowerleg01"), side) < 0.005
        assert lowest(stance, ("foot", "toe"), side) < 0.005
        assert lowest(stance, ("toe",), side) < 0.045


def test_who_lies_rests_the_head_the_hands_and_the_heels(figure):
    stance = stand(figure, "lying")
    assert max(lowest(stance, starts) for starts in (("spine", "root"), ("head",))) < 0.01
    assert max(lowest(stance, starts, side) for starts in (("wrist", "finger"), ("foot",)) for side in "LR") < 0.01


@pytest.mark.parametrize("name", ["crouching", "crouching 2", "sitting", "standing", "arms up"])
def test_both_soles_are_flat_on_the_floor(figure, name):
    stance = stand(figure, name)
    for side in "LR":
        for starts in (("toe1-1", "toe1-2"), ("toe5",)):
            assert lowest(stance, starts, side) < 0.03
        assert lowest(stance, ("foot", "toe"), side) < 0.01


def test_hands_on_hips_touch_what_is_worn_and_stay_out_of_it(figure):
    stance = stand(figure, "hands on hips")
    hips = dressed(stance, ("root", "spine", "pelvis", "upperleg"))
    for side, sign in (("L", 1), ("R", -1)):
        hand = part(stance, ("wrist", "finger", "metacarpal"), side)
        beside = zip(hand, cKDTree(hips[:, 1:]).query_ball_point(hand[:, 1:], 0.01), strict=True)
        gap = min(sign * point[0] - (sign * hips[near, 0]).max() for point, near in beside if near)
        assert -0.013 < gap < 0.004


def test_a_hand_is_not_inside_a_large_head():
    stance = stand(build_figure(PEOPLE["chibi"], "low"), "thinking")
    head, hand = part(stance, ("head",)), part(stance, ("wrist", "finger", "metacarpal"), "R")
    low, high = head.min(0), head.max(0)
    assert (((hand - (low + high) / 2) / ((high - low) / 2)) ** 2).sum(1).min() > 1


def test_cloth_lies_on_the_floor_and_the_person_stands_on_it():
    figure = build_figure(FigureSpec(dress=Garment("long dress", BLACK), shoes=SHOES), "low")
    stance = stand(figure, "kneeling")
    assert stance.scene.vertices[:, 1].min() == 0
    assert lowest(stance, ("upperleg02", "lowerleg01")) < 0.005
