"""A known light is found in a picture of known colours, and taken away."""

import numpy as np
import pytest

from bozzetto.texture.delight import Light, agreed, harmonics, light_in, light_of, without_light


def ball(size=96):
    """Normals of a sphere that fills a picture, and where it is."""
    y, x = (np.indices((size, size)) + 0.5) / size * 2 - 1
    inside = x**2 + y**2 < 0.95
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    return np.where(inside[..., None], np.stack([x, -y, z], -1), 0.0), inside


def scene(light):
    """A ball of two materials under a light, and each material's colour."""
    normal, inside = ball()
    part = np.indices(inside.shape)[0] // 16 % 2
    colours = np.array([[0.6, 0.3, 0.2], [0.1, 0.2, 0.5]])
    albedo = colours[part]
    shade = (harmonics(normal.reshape(-1, 3)) @ light).reshape(*inside.shape, 3)
    return albedo * np.where(inside[..., None], shade, 1), albedo, normal, part, inside


def evened(picture, albedo, normal, part, inside):
    """The picture without the light that is found in it."""
    found = light_in(picture, albedo, normal, part, inside)
    assert found is not None
    return without_light(picture, normal, inside, agreed([found])[0])


LIGHT = np.zeros((9, 3))
LIGHT[:4] = np.outer([0.55, 0.35, 0.2, 0.25], [1.05, 1.0, 0.9])


def test_a_light_is_found_and_taken_away():
    picture, albedo, normal, part, inside = scene(LIGHT)
    found = evened(picture, albedo, normal, part, inside)
    before, after = (np.abs(each - albedo)[inside].mean() for each in (picture, found))
    assert after < 0.2 * before
    light = light_of(*(each[inside] for each in (picture, albedo, normal, part)))
    shade, true = (harmonics(normal[inside]) @ each for each in (light.harmonics, LIGHT))
    assert np.abs(shade - true).mean() < 0.05 < np.abs(true - true.mean(0)).mean()


def test_colours_that_are_wrong_by_a_factor_do_not_bend_the_light():
    """Every other band is thought to be darker than it is: that must not be taken for shade."""
    picture, albedo, normal, part, inside = scene(LIGHT)
    thought = albedo * np.where(part == 0, 0.7, 1 / 0.7)[..., None]
    found = evened(picture, thought, normal, part, inside)
    ratio = [(found / albedo)[inside & (part == each)] for each in (0, 1)]
    for each in ratio:
        assert each.std(0).max() < 0.08, "no shade is left in either"
    picture_ratio = (picture / albedo)[inside & (part == 0)]
    assert picture_ratio.std(0).max() > 0.2


def test_a_few_pixels_of_something_else_do_not_matter():
    picture, albedo, normal, part, inside = scene(LIGHT)
    picture[45:55, 45:55] = 1.0
    found = evened(picture, albedo, normal, part, inside)
    elsewhere = inside.copy()
    elsewhere[43:57, 43:57] = False
    assert np.abs(found - albedo)[elsewhere].mean() < 0.02


def test_too_little_to_learn_from_changes_nothing():
    picture, albedo, normal, part, inside = scene(LIGHT)
    few = np.zeros_like(inside)
    few[40:50, 40:50] = True
    assert light_in(picture, albedo, normal, part, few) is None


def said(**off):
    """A light, by how far parts are from what they were thought to look like."""
    names = ("face", "hands", "top", "trousers")
    each = {names.index(name): np.full(3, value) for name, value in off.items()}
    return Light(np.tile([[1.0]] + 8 * [[0.0]], 3), each, dict.fromkeys(each, 50.0))


def test_parts_have_one_colour_in_all_pictures():
    """A back whose hands are taken for something else, and a face that says how strong light is elsewhere."""
    front, back = said(face=0.2, hands=0.2, top=0.3, trousers=0.1), said(hands=-0.9, top=0.0, trousers=-0.2)
    one, other = agreed([front, back], 0)
    np.testing.assert_allclose(np.log(one.harmonics[0]), 0.2, atol=0.06)
    np.testing.assert_allclose(np.log(other.harmonics[0]), -0.1, atol=0.06)
    np.testing.assert_allclose(one.off[2], other.off[2], atol=0.06)


def test_a_trusted_part_is_right_and_others_may_be_wrong():
    (light,) = agreed([said(face=0.4, top=0.0, trousers=0.0)], 0)
    np.testing.assert_allclose(np.log(light.harmonics[0]), 0.4, atol=0.05)
    (light,) = agreed([said(face=0.4, top=0.0, trousers=0.0)])
    assert np.log(light.harmonics[0]).max() < 0.2
    assert agreed([]) == []


@pytest.mark.parametrize("level", [0.3, 1.0, 1.8])
def test_even_light_of_any_strength_gives_the_colours(level):
    light = np.zeros((9, 3))
    light[0] = level
    picture, albedo, normal, part, inside = scene(light)
    found = evened(picture, albedo, normal, part, inside)
    np.testing.assert_allclose(found[inside], albedo[inside], rtol=0.03)
