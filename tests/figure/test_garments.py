from dataclasses import replace
from functools import cache
from typing import get_args

import numpy as np
import pytest
from scipy.spatial import cKDTree
from skimage.color import deltaE_ciede2000, rgb2lab

from bozzetto.body.bind import bind_t_pose, pose_transforms, skin
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure import cloth, garments, shells, skirts, tailoring
from bozzetto.figure.piece import Detail, Person
from bozzetto.figure.spec import (
    BodySpec,
    BottomKind,
    Colour,
    DressKind,
    FaceSpec,
    FigureSpec,
    Garment,
    OuterKind,
    PatternKind,
    TopKind,
)
from bozzetto.geometry import edges_of

RED, BLUE, TAN = Colour("red", "#b3312c"), Colour("blue", "#2f5597"), Colour("tan", "#b48a5a")


@cache
def _shape(body: BodySpec):
    return shape_person(load_body(), body, FaceSpec())


def _person(detail: Detail = "low", body: BodySpec = BodySpec(), seed: int = 0, **worn) -> Person:  # noqa: B008
    return Person(FigureSpec(body=body, seed=seed, **worn), load_body(), _shape(body), detail)


def _outfits():
    for kind in get_args(TopKind):
        yield {"top": Garment(kind, RED), "bottom": Garment("trousers", BLUE)}
    for kind in get_args(OuterKind):
        yield {"top": Garment("t-shirt", RED), "bottom": Garment("jeans", BLUE), "outer": Garment(kind, TAN)}
    for kind in get_args(BottomKind):
        yield {"top": Garment("t-shirt", RED), "bottom": Garment(kind, BLUE)}
    for kind in get_args(DressKind):
        yield {"dress": Garment(kind, RED), "outer": Garment("coat", TAN)}


@pytest.mark.parametrize("outfit", list(_outfits()), ids=lambda o: "+".join(g.kind for g in o.values()))
def test_every_kind_is_a_sound_mesh(outfit):
    pieces = garments.garment_pieces(_person(**outfit))
    assert {piece.name for piece in pieces} >= set(outfit)
    for piece in pieces:
        assert np.isfinite(piece.vertices).all()
        assert piece.faces.min() >= 0 and piece.faces.max() < len(piece.vertices)
        np.testing.assert_allclose(piece.skin_weights.sum(1), 1, atol=1e-4)
        assert len(piece.uvs) == len(piece.faces)
        assert piece.uvs.min() > -0.02 and piece.uvs.max() < 1.02
        assert max(piece.material.albedo.shape[:2]) <= 512


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_each_layer_stands_outside_the_one_below(weight):
    person = _person(
        body=BodySpec(presentation="woman", weight=weight),
        top=Garment("sweater", RED),
        bottom=Garment("jeans", BLUE),
        outer=Garment("jacket", TAN),
    )
    fit = shells.fit_chart(person)
    wardrobe = garments._Wardrobe(person, fit, fit.skin, [])
    spec = person.spec
    for name, garment in (("bottom", spec.bottom), ("top", spec.top), ("outer", spec.outer)):
        assert garment is not None
        before = wardrobe.outer.copy()
        wardrobe.wear(name, garment.kind, garment)
        variant = int(person.rng(name).integers(tailoring.VARIANTS))
        covered = tailoring.design(garment.kind, variant, "low").shell.covered
        assert (wardrobe.outer[covered] >= before[covered] + garments.GAP - 1e-9).all()
        assert (wardrobe.outer >= before).all()


def test_a_shell_of_known_height_lies_that_far_out():
    person = _person(top=Garment("t-shirt", RED), bottom=Garment("jeans", BLUE))
    fit = shells.fit_chart(person)
    shell = tailoring.design("t-shirt", 0, "low").shell
    n = len(fit.points)
    flat = shells.raise_shell(fit, shell, np.zeros(n), np.zeros(n))
    out = shells.raise_shell(fit, shell, np.full(n, 0.01), np.zeros(n))
    assert np.linalg.norm(out - flat, axis=1) == pytest.approx(0.01, abs=2e-3)


def test_slicing_keeps_area_and_cuts_straight():
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    i = (np.arange(3)[:, None] * 5 + np.arange(4)).ravel()
    faces = np.concatenate([np.stack([i, i + 1, i + 6], 1), np.stack([i, i + 6, i + 5], 1)])
    edges, share, (above, _), (under, _) = shells.slice_faces(faces, points[:, 0] - 1.3)
    new = points[edges[:, 0]] * (1 - share[:, None]) + points[edges[:, 1]] * share[:, None]
    every = np.concatenate([points, new])

    def area(f):
        return np.cross(every[f[:, 1]] - every[f[:, 0]], every[f[:, 2]] - every[f[:, 0]])[:, 2].sum() / 2

    assert area(above) == pytest.approx(2.7 * 3)
    assert area(under) == pytest.approx(1.3 * 3)
    assert new[:, 0] == pytest.approx(1.3)


def test_nobody_is_bare():
    person = _person(body=BodySpec(presentation="man"))
    (piece,) = garments.garment_pieces(person)
    assert piece.name == "underwear"
    fit = shells.fit_chart(person)
    covered = np.zeros(len(fit.points), bool)
    for kind in ("briefs", "undershirt"):
        covered |= tailoring.design(kind, 0, "low").shell.inside > 0
    rest = fit.chart.rest
    chest = (np.abs(rest[:, 1] - 0.30) < 0.05) & (np.abs(rest[:, 0]) < 0.11) & (fit.chart.arm == 0)
    groin = (np.abs(rest[:, 1] - shells.CROTCH) < 0.04) & (np.abs(rest[:, 0]) < 0.08)
    assert chest.sum() > 20 and covered[chest].all()
    assert groin.sum() > 20 and covered[groin].all()


def test_hidden_skin_is_covered_skin():
    person = _person(top=Garment("t-shirt", RED), bottom=Garment("shorts", BLUE))
    hidden = np.zeros(len(person.body.parts["body"].faces), bool)
    for piece in garments.garment_pieces(person):
        assert piece.hides is not None
        hidden |= piece.hides
    middle = person.vertices[person.body.parts["body"].faces].mean(1)
    navel = (np.abs(middle[:, 1] - person.joint("spine03")[1]) < 0.02) & (np.abs(middle[:, 0]) < 0.08)
    hands = np.abs(middle[:, 0]) > abs(person.joint("wrist.L")[0])
    bare = (middle[:, 1] > person.joint("head")[1]) | (middle[:, 1] < person.joint("lowerleg01.L")[1]) | hands
    assert hidden[navel].all() and not hidden[bare].any()


@pytest.mark.parametrize("colour", ["#b3312c", "#f2f2f0", "#1c1c1e", "#d8b23a", "#1f2c4d"])
@pytest.mark.parametrize("weave", ["jersey", "knit", "denim", "wool", "poplin", "leather"])
def test_named_colours_survive(colour, weave):
    asked = Colour("asked", colour)
    sheet = cloth.body_sheet(256, -0.03, True)
    drawn = cloth.cloth(sheet, Garment("t-shirt", asked), cloth.Make(weave), cloth.Scale(1, 1, 1), 0, False)
    mean = drawn.albedo[:200, :200].reshape(-1, 3).mean(0) / 255
    difference = deltaE_ciede2000(rgb2lab(mean[None]), rgb2lab(np.array(asked.srgb)[None]))[0]
    assert difference < 6


@pytest.mark.parametrize("pattern", get_args(PatternKind))
@pytest.mark.parametrize("seed", range(6))
def test_the_first_colour_dominates(pattern, seed):
    sheet = cloth.body_sheet(256, -0.03, True)
    garment = Garment("t-shirt", RED, pattern, BLUE)
    second = total = 0.0
    for place in sheet.places:
        _, _, u, v = sheet.window(place)
        blocks = ("sleeves", "yoke", "hem")[seed % 3]
        share = cloth.pattern_share(garment, place[0], u, v, cloth.Scale(1, 1, 1), seed, blocks)
        area = len(u) * len(v)
        second, total = second + share.mean() * area, total + area
    assert second / total <= 0.40
    if pattern not in ("plain", "two-tone", "print"):
        assert second / total > 0.05


def test_stripes_are_as_wide_on_everyone():
    garment = Garment("t-shirt", RED, "horizontal stripes", BLUE)
    sheet = cloth.body_sheet(1024, -0.03, False)
    _, _, u, v = sheet.window(sheet.places[0])
    widths = []
    for up in (0.9, 1.1):
        share = cloth.pattern_share(garment, 0, u, v, cloth.Scale(1, 1, up), 0)[:, 0] > 0.5
        starts = v[np.flatnonzero(np.diff(share.astype(int)) == 1)] * up
        widths.append(-np.diff(starts).mean() / np.clip(up, 0.6, 1.1) ** 0.5)
    assert widths[0] == pytest.approx(widths[1], rel=0.03)


@pytest.mark.parametrize("kind", ["knee dress", "long dress"])
def test_a_stride_does_not_tear_a_skirt(kind):
    person = _person(dress=Garment(kind, RED))
    piece = next(p for p in garments.garment_pieces(person) if p.name == "dress")
    body = person.body
    bind = bind_t_pose(body.joint_names, body.joint_parents, person.shaped.joints)
    rest = bind.place(piece.vertices, piece.skin_weights, piece.skin_joints)
    c, t = np.cos(np.radians(11.5)), np.sin(np.radians(11.5))  # of half the turn: the legs part by 46 degrees
    swing = {"upperleg01.L": (c, -t, 0.0, 0.0), "upperleg01.R": (c, t, 0.0, 0.0)}
    moved = skin(rest, piece.skin_weights, piece.skin_joints, pose_transforms(body.skeleton(bind.joints), swing))
    edges = edges_of(piece.faces)
    edges = edges[person.shaped.vertices[:, 1].max() * 0.5 > piece.vertices[edges[:, 0], 1]]

    def length(points):
        return np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)

    assert (length(moved) / (5 * length(rest) + 0.0125)).max() < 1


@pytest.mark.parametrize("seed", range(4))
def test_before_a_leg_a_skirt_follows_the_other_no_more_than_it_stands_off(seed):
    """However wide the skirt: else a shin comes out of it in a stride, which brings shins half a metre apart."""
    person = _person(seed=seed, dress=Garment("long dress", RED))
    piece = next(p for p in garments.garment_pieces(person) if p.name == "dress")
    ankle, knee, hip = (person.joint(f"{name}.L") for name in ("foot", "lowerleg01", "upperleg01"))
    x, y, z = piece.vertices.T
    middle = np.interp(y, [ankle[1], knee[1], hip[1]], [ankle[0], knee[0], hip[0]])
    other = (piece.skin_weights * (skirts._sides()[piece.skin_joints] < 0)).sum(1)
    away, _ = cKDTree(person.vertices).query(piece.vertices)
    for low, high, most, apart in ((ankle[1], knee[1], 0.03, 0.5), (knee[1], hip[1] - 0.15, 0.06, np.inf)):
        before = (np.abs(x - middle) < 0.02) & (z > 0.05) & (y > low) & (y < high)
        assert before.sum() > 5
        assert (other[before] < most + away[before] / apart).all()


@pytest.mark.parametrize("name", ["dress", "bottom"])
def test_a_lap_is_no_bell(name):
    """Seated, the front of a skirt lies along the thighs and its back under them."""
    figure = BodySpec(presentation="woman")
    if name == "dress":
        person = _person(body=figure, dress=Garment("mini dress", RED))
    else:
        person = _person(body=figure, top=Garment("t-shirt", TAN), bottom=Garment("knee skirt", RED))
    piece = next(p for p in garments.garment_pieces(person) if p.name == name)
    body = person.body
    bind = bind_t_pose(body.joint_names, body.joint_parents, person.shaped.joints)
    half = np.radians(-44)
    turn = (np.cos(half), np.sin(half), 0.0, 0.0)
    seat = pose_transforms(body.skeleton(bind.joints), {"upperleg01.L": turn, "upperleg01.R": turn})
    thigh = [body.joint_names.index(f"upperleg01{side}") for side in (".L", ".R")]
    rest = bind.place(piece.vertices, piece.skin_weights, piece.skin_joints)
    moved = skin(rest, piece.skin_weights, piece.skin_joints, seat)
    hem = piece.vertices[:, 1] < piece.vertices[:, 1].min() + 0.02
    hip = bind.joints[thigh[0]]
    assert hem.sum() > 20
    assert np.abs(moved[hem, 1] - hip[1]).max() < 0.17
    assert (moved[hem, 2] - hip[2]).min() > 0.6 * (hip[1] - rest[hem, 1].max())


def test_a_tied_shirt_is_closed_and_a_belted_top_tucked():
    plain = _person(top=Garment("shirt", RED), bottom=Garment("jeans", BLUE))
    extras = (Garment("tie", TAN), Garment("belt", TAN))
    tied = replace(plain, spec=replace(plain.spec, extras=extras))
    assert garments.is_tucked(tied)

    def throat(person):
        top = next(p for p in garments.garment_pieces(person) if p.name == "top")
        front = top.vertices[(np.abs(top.vertices[:, 0]) < 0.006) & (top.vertices[:, 2] > person.joint("neck01")[2])]
        return front[:, 1].max()

    assert throat(tied) > throat(plain) + 0.02


def test_same_spec_same_clothes_and_full_detail_has_relief():
    person = _person("full", top=Garment("shirt", RED), bottom=Garment("jeans", BLUE))
    first, second = garments.garment_pieces(person), garments.garment_pieces(person)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.vertices, b.vertices)
        np.testing.assert_array_equal(a.material.albedo, b.material.albedo)
        assert a.material.normal is not None
    other = replace(person, spec=replace(person.spec, seed=9))
    assert any(
        len(a.vertices) != len(b.vertices) or not np.array_equal(a.vertices, b.vertices)
        for a, b in zip(first, garments.garment_pieces(other), strict=False)
    )


def test_cloth_below_the_waist_neither_parts_nor_follows_one_leg():
    person = _person()
    fit = shells.fit_chart(person)
    here, spanned = fit.chart, shells.bridge(fit)
    assert (spanned >= 0).all() and spanned.max() > 0.002
    assert spanned[(here.rest[:, 1] > 0.22) | (here.rest[:, 2] > 0.06)].max() == 0
    loose = shells.loose_weights(here)
    np.testing.assert_allclose(loose.sum(1), here.weights.sum(1), atol=1e-4)
    low = (np.abs(here.rest[:, 1] - 0.01) < 0.02) & (np.abs(here.rest[:, 0]) < 0.05)

    legs = [i for i, name in enumerate(person.body.joint_names) if name.startswith("upperleg")]

    def apart(weights):
        return np.abs(weights[low] @ skirts._sides()).mean() / weights[low][:, legs].sum(1).mean()

    assert apart(loose) < 0.9 * apart(here.weights)
    groin = (np.abs(here.rest[:, 0]) < 0.02) & (np.abs(here.rest[:, 1] - 0.02) < 0.015) & (here.rest[:, 2] > 0.05)
    assert loose[groin][:, legs].sum(1).min() > 0.3  # seated, a hem lies across the lap


def test_what_lies_deep_under_a_jacket_is_left_out_and_what_shows_is_not():
    jacket = Garment("jacket", Colour("navy", "#20305a"))
    shirt = Garment("t-shirt", Colour("white", "#eeeeec"))
    alone, under = (
        next(p for p in garments.garment_pieces(_person(top=shirt, outer=outer)) if p.name == "top")
        for outer in (None, jacket)
    )
    assert len(under.faces) < 0.6 * len(alone.faces) and len(under.uvs) == len(under.faces)
    middle = under.vertices[under.faces].mean(1)
    everywhere = alone.vertices[alone.faces].mean(1)
    at_throat = lambda p: ((np.abs(p[:, 0]) < 0.02) & (p[:, 2] > 0.05)).sum()  # noqa: E731
    assert at_throat(middle) > 0.9 * at_throat(everywhere)


def test_what_hangs_keeps_a_gap_from_a_circle_and_spans_between_two_posts():
    heights, angle = np.linspace(1.0, 0.9, 6), np.arange(40) / 40 * 2 * np.pi
    turn = np.arange(360) / 360 * 2 * np.pi
    circle = np.stack([0.2 * np.sin(turn), np.full(360, 0.95), 0.2 * np.cos(turn)], 1)
    tube = np.concatenate([circle + np.array([0, y - 0.95, 0]) for y in heights])
    np.testing.assert_allclose(skirts.outline(tube, heights, (0.0, 0.0), angle, 0.01), 0.21, atol=2e-3)
    posts = np.array([[x, y, z] for x in (-0.2, 0.2) for y in heights for z in (-0.1, 0.1)])
    spanned = skirts.outline(posts, heights, (0.0, 0.0), np.array([0.0, np.pi / 2]), 0.01)
    np.testing.assert_allclose(spanned, np.broadcast_to([0.11, 0.21], spanned.shape), atol=3e-3)


def test_an_outline_turns_in_no_faster_than_cloth_bends():
    heights = np.linspace(1.0, 0.8, 21)
    bump = np.array([[0.3 * np.sin(t), 0.9, 0.3 * np.cos(t)] for t in np.linspace(0, 2 * np.pi, 200)])
    core = np.concatenate([bump * [1 / 3, 0, 1 / 3] + np.array([0, y, 0]) for y in heights])
    radius = skirts.outline(np.concatenate([bump, core]), heights, (0.0, 0.0), np.zeros(1), 0.0)[:, 0]
    assert radius.max() > 0.298 and radius.min() < 0.27
    assert np.diff(radius, 2).min() > -2.5 * skirts._ROUNDED * 0.01**2


def test_under_a_rim_that_doubles_back_a_skirt_goes_on():
    turn = np.linspace(-3, 3, 61)
    turn[30:34] = turn[[33, 32, 31, 30]]
    rim = np.stack([0.2 * np.sin(turn), np.ones(61), 0.2 * np.cos(turn)], 1)
    steps = np.diff(skirts.turns(rim, 0.0, "full"))
    assert steps.min() > 0.02 and steps.max() < 0.2


@pytest.mark.parametrize("kind", ["jacket", "cardigan"])
def test_a_hem_runs_level_round_a_belly(kind):
    stout = BodySpec(presentation="woman", weight=0.95, age=55)
    worn = {"top": Garment("sweater", RED), "bottom": Garment("long skirt", BLUE), "outer": Garment(kind, TAN)}
    piece = next(p for p in garments.garment_pieces(_person("full", stout, **worn)) if p.name == "outer")
    around = np.arctan2(piece.vertices[:, 0], piece.vertices[:, 2])
    torso = np.abs(piece.vertices[:, 0]) < 0.3
    sides = (-2.6, -1.8, -0.8, 0.8, 1.8, 2.6)
    hems = [piece.vertices[torso & (np.abs(around - middle) < 0.15), 1].min() for middle in sides]
    assert np.ptp(hems) < 0.012


def test_a_sleeve_does_not_cross_itself_in_the_crook_of_the_elbow():
    person = _person("full", outer=Garment("jacket", TAN), top=Garment("sweater", RED), bottom=Garment("jeans", BLUE))
    fit = shells.fit_chart(person)
    near = (np.abs(fit.chart.arm - shells.UPPER_ARM) < 0.05) & (fit.chart.arm > 0.05)
    faces = fit.chart.faces[near[fit.chart.faces].all(1)]
    raised = fit.points + 0.04 * fit.normals

    def facing(points):
        return np.cross(points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]])

    assert ((facing(raised) * facing(fit.points)).sum(1) > 0).all()


def test_under_a_coat_a_dress_is_left_out_but_near_its_hem_and_its_opening():
    alone = next(p for p in garments.garment_pieces(_person(dress=Garment("knee dress", RED))) if p.name == "dress")
    coated = _person(dress=Garment("knee dress", RED), outer=Garment("coat", TAN))
    under = next(p for p in garments.garment_pieces(coated) if p.name == "dress")
    hip = coated.joint("upperleg01.L")[1]
    band = [p.vertices[p.faces].mean(1) for p in (alone, under)]
    behind = [np.sum((np.abs(m[:, 1] - hip) < 0.1) & (m[:, 2] < -0.03)) for m in band]
    before = [np.sum((np.abs(m[:, 1] - hip) < 0.1) & (m[:, 2] > 0.05) & (np.abs(m[:, 0]) < 0.03)) for m in band]
    low = [np.sum(m[:, 1] < m[:, 1].min() + 0.02) for m in band]
    assert behind[0] > 20 and behind[1] == 0
    assert before[0] > 5 and before[1] == before[0]
    assert low[0] == low[1] > 20


@pytest.mark.parametrize("wear", ["", "buttoned"])
def test_a_collar_is_one_strip_of_cloth(wear):
    """Its pattern is neither stretched nor broken at the shoulders' seams."""
    collar = tailoring.design("shirt", 0, "full", wear).trims[0].shell
    edges = np.concatenate([collar.faces[:, [0, 1]], collar.faces[:, [1, 2]], collar.faces[:, [2, 0]]])
    places = np.concatenate([collar.uvs[:, [0, 1]], collar.uvs[:, [1, 2]], collar.uvs[:, [2, 0]]])
    of = {}
    for edge, place in zip(edges, places, strict=True):
        for v, at in zip(edge, place, strict=True):
            np.testing.assert_allclose(of.setdefault(int(v), at), at)  # every vertex has one place
    length = np.linalg.norm(collar.rest[edges[:, 0]] - collar.rest[edges[:, 1]], axis=1)
    drawn = np.linalg.norm(places[:, 0] - places[:, 1], axis=1)
    around = (length > 0.004) & (np.abs(places[:, 0, 1] - places[:, 1, 1]) < 1e-4)
    assert around.sum() > 100
    assert np.percentile(drawn[around] / length[around], [5, 95]) == pytest.approx([1.0, 1.0], abs=0.35)


def test_a_pattern_is_drawn_with_arms_held_out():
    person = _person(top=Garment("t-shirt", RED, "dots", BLUE), bottom=Garment("jeans", BLUE))
    fit = shells.fit_chart(person)
    out = garments._arms_out(person, fit.chart, fit.points)
    wrist = np.argmax(fit.points[:, 0])
    shoulder = person.joint("upperarm01.L")
    assert fit.points[wrist, 1] < shoulder[1] - 0.15
    assert abs(out[wrist, 1] - shoulder[1]) < 0.06
    legs = fit.chart.height < 0.1
    np.testing.assert_array_equal(out[legs], fit.points[legs])
