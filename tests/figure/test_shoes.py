from dataclasses import replace
from functools import cache
from typing import get_args

import igl
import numpy as np
import pytest

from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.piece import Person
from bozzetto.figure.shoes import heel_raise, raise_heels, shoe_pieces
from bozzetto.figure.spec import BodySpec, Colour, FigureSpec, Garment, ShoeKind

TOP, BOTTOM = Garment("t-shirt", Colour("red", "#c0302b")), Garment("shorts", Colour("blue", "#2f5597"))
TAN = Colour("tan", "#a5734a")
BODIES = {
    "woman": BodySpec("woman", 30, 1.66),
    "man": BodySpec("man", 45, 1.88, 0.9),
    "child": BodySpec("woman", 5, 1.1),
}


@cache
def shaped(who: str):
    return shape_person(load_body(), BODIES[who], FigureSpec().face)


def person(who: str, kind: ShoeKind | None, detail="low") -> Person:
    shoes = None if kind is None else Garment(kind, TAN)
    return Person(FigureSpec(BODIES[who], top=TOP, bottom=BOTTOM, shoes=shoes), load_body(), shaped(who), detail)


def test_barefoot_wears_nothing_and_stands_flat():
    bare = person("woman", None)
    assert shoe_pieces(bare) == [] and raise_heels(bare) is bare and heel_raise(bare.spec) == (0.0, 0.0)


@pytest.mark.parametrize("kind", get_args(ShoeKind))
@pytest.mark.parametrize("who", BODIES)
def test_a_pair_encloses_the_feet(kind, who):
    wearer = raise_heels(person(who, kind))
    (piece,) = shoe_pieces(wearer)
    np.testing.assert_allclose(piece.skin_weights.sum(1), 1, atol=1e-5)
    soles = wearer.vertices[: wearer.body.parts["body"].stop, 1].min()
    thickness = heel_raise(wearer.spec)[1]
    assert soles - 0.035 < piece.vertices[:, 1].min() < soles - 0.5 * thickness
    # The right shoe mirrors the left.
    half = len(piece.vertices) // 2
    np.testing.assert_allclose(piece.vertices[half:], piece.vertices[:half] * [-1, 1, 1], atol=4e-3)
    # No foot sticks out in front, behind or beside.
    toes = wearer.vertices[: wearer.body.parts["body"].stop]
    foot = toes[(toes[:, 1] < 0.04 * wearer.spec.body.height) & (toes[:, 0] > 0)]
    left = piece.vertices[:half]
    assert left[:, 2].max() > foot[:, 2].max() and left[:, 0].max() > foot[:, 0].max()
    assert left[:, 2].min() < foot[:, 2].min() + 0.012


@pytest.mark.parametrize("kind", ("sneakers", "boots", "shoes", "heels"))
def test_hidden_skin_belongs_to_both_feet_below_the_opening(kind):
    wearer = raise_heels(person("woman", kind))
    (piece,) = shoe_pieces(wearer)
    assert piece.hides is not None
    gone = wearer.vertices[wearer.body.parts["body"].faces[piece.hides]].mean(1)
    assert len(gone) > 2000
    assert abs((gone[:, 0] > 0).mean() - 0.5) < 0.02
    assert gone[:, 1].max() < piece.vertices[:, 1].max() - 0.005


def test_sandals_show_the_toes():
    woman = person("woman", "sandals")
    hides = shoe_pieces(woman)[0].hides
    assert hides is not None and hides.any()
    points = woman.vertices[woman.body.parts["body"].faces[hides]]
    across = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    assert points[..., 1].max() < 0.02 and (across[:, 1] < 0).mean() > 0.95  # only the soles


@pytest.mark.parametrize("who", BODIES)
@pytest.mark.parametrize("kind", ["heels", "shoes", "sandals"])
def test_a_shoe_holds_the_heel(kind, who):
    """Behind the heel the shoe's upper edge, or the strap, lies within 4 mm of the skin and hardly in it."""
    wearer = raise_heels(person(who, kind, "full"))
    (piece,) = shoe_pieces(wearer)
    body = wearer.body.parts["body"]
    ankle = wearer.joint("foot.L")
    skin = wearer.vertices[: body.stop].astype(np.float64)
    band = (piece.vertices[:, 0] > 0) & (piece.vertices[:, 2] < ankle[2] - 0.02 * wearer.spec.body.height / 1.7)
    points = piece.vertices[band].astype(np.float64)
    edge = points[points[:, 1] > points[:, 1].max() - 0.006]
    square, face, close = igl.point_mesh_squared_distance(edge, skin, body.faces)
    corners = skin[body.faces[face]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = np.sqrt(square) * np.sign(((edge - close) * normal).sum(1))
    assert away.min() > -0.003 and np.median(away) < 0.004


def test_heels_lift_the_ankle_and_leave_the_toes_down():
    flat = person("woman", "heels")
    lifted = raise_heels(flat)
    heel, sole = heel_raise(flat.spec)
    assert 0.055 < heel < 0.09 and 0 < sole < 0.01
    rise = lifted.joint("foot.L")[1] - flat.joint("foot.L")[1]
    assert 0.6 * heel < rise < heel
    assert lifted.joint("head")[1] - flat.joint("head")[1] == pytest.approx(rise, abs=1e-4)
    assert abs(lifted.joint("toe1-2.L")[1] - flat.joint("toe1-2.L")[1]) < 0.02
    assert lifted.vertices[: lifted.body.parts["body"].stop, 1].min() == pytest.approx(0, abs=1e-6)
    sneakers = person("woman", "sneakers")
    assert raise_heels(sneakers) is sneakers


@pytest.mark.parametrize("kind", get_args(ShoeKind))
def test_the_upper_has_the_colour_asked_for(kind):
    albedo = shoe_pieces(raise_heels(person("man", kind)))[0].material.albedo
    upper = albedo[: int(0.6 * len(albedo))].reshape(-1, 3)
    np.testing.assert_allclose(np.median(upper, axis=0), np.array(TAN.srgb) * 255, atol=10)


def test_full_detail_is_finer_and_has_relief():
    low, full = (shoe_pieces(person("woman", "sneakers", detail))[0] for detail in ("low", "full"))
    assert len(full.faces) > 2 * len(low.faces)
    assert full.material.normal is not None and low.material.normal is None


def test_second_colour_paints_the_sneakers_sole():
    wearer = person("woman", "sneakers")
    shoes = replace(wearer.spec.shoes, second=Colour("green", "#20a040"))
    painted = shoe_pieces(replace(wearer, spec=replace(wearer.spec, shoes=shoes)))[0].material.albedo
    red, green, _ = painted[int(0.75 * len(painted)), painted.shape[1] // 4]
    assert green > 2 * red
