"""The measure of painted colours knows plain paint, and chance from skill."""

import numpy as np
import pytest

from bozzetto.evaluate.pictures import Task, basic, interval, judge
from bozzetto.figure.colours import colour, srgb_to_lab
from bozzetto.figure.people import random_spec


def task():
    spec = next(s for s in map(random_spec, range(100)) if s.top and s.bottom)
    top, bottom = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    top[1:4, 2:6], bottom[4:7, 2:6] = True, True
    return Task("somebody", spec, np.zeros((8, 8, 3), np.float32), {"top": top, "bottom": bottom})


def test_plain_paint_is_right_and_other_paint_is_wrong():
    one = task()
    picture = np.full((8, 8, 3), 0.5, np.float32)
    for slot, mask in one.masks.items():
        picture[mask] = getattr(one.spec, slot).colour.srgb
    row = judge(one, picture)
    assert row.asked == row.seen
    picture[one.masks["top"]] = 1 - picture[one.masks["top"]]
    row = judge(one, picture)
    assert row.asked["bottom"] == row.seen["bottom"] and row.asked["top"] != row.seen["top"]


@pytest.mark.parametrize(("name", "plain"), [("cobalt", "blue"), ("crimson", "red"), ("white", "white")])
def test_colours_have_a_plain_name(name, plain):
    assert basic(srgb_to_lab(np.array(colour(name).srgb))) == plain


def test_the_interval_is_wilson_s():
    assert interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert interval(10, 10)[1] == pytest.approx(1.0)
