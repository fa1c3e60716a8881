"""Textures, normals, light and shadow where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.render import (
    ambient,
    orbit,
    perspective,
    random_light,
    render_mesh,
    reposed,
    scene_from_layers,
    sky_visibility,
    studio,
    to_srgb8,
    with_shadows,
)
from bozzetto.render.conditions import albedo_map, depth_map, layer_ids, normal_map, silhouette
from bozzetto.render.light import Lamp
from bozzetto.render.visibility import lamp_visibility
from bozzetto.types import Material, srgb_to_linear

from .shapes import ball, layer, plain, square


def _front(size=32, half=1.0):
    """A camera that sees the square of this half side at z = 0 fill the picture."""
    distance = 4.0
    return perspective((0, 0, distance), (0, 0, 0), (0, 1, 0), np.degrees(2 * np.arctan(half / distance)), size, size)


def test_a_texture_comes_back_texel_for_texel():
    albedo = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    scene = scene_from_layers([square(Material(albedo))])
    picture = to_srgb8(render_mesh(scene, _front(16), supersample=1), tone="plain")[0]
    difference = np.abs(picture.astype(int) - albedo)
    assert difference.max() <= 1, "upper left of the image is the upper left of the picture"


def test_magnified_textures_are_bilinear_in_linear_light():
    albedo = np.zeros((2, 2, 3), np.uint8)
    albedo[:, 1] = 255
    picture = render_mesh(scene_from_layers([square(Material(albedo))]), _front(64), supersample=1).rgb[0, 32, :, 0]
    columns = (torch.arange(64) + 0.5) / 32 - 0.5
    expected = torch.where(columns < 0, -columns, torch.where(columns > 1, 2 - columns, columns))  # it repeats
    torch.testing.assert_close(picture, expected, atol=2e-3, rtol=0)


def test_far_textures_become_their_mean_light_not_noise():
    y, x = np.mgrid[0:256, 0:256]
    board = np.where(((x + y) % 2)[..., None] == 0, np.uint8(255), np.uint8(0)).repeat(3, -1)
    picture = render_mesh(scene_from_layers([square(Material(board))]), _front(37), supersample=1).rgb
    torch.testing.assert_close(picture, torch.full_like(picture, 0.5), atol=0.01, rtol=0)


def test_white_in_an_even_sky_of_one_stays_one():
    for roughness in (0.1, 0.5, 1.0):
        scene = scene_from_layers([ball(plain(roughness=roughness), rings=20)])
        output = render_mesh(scene, _front(48, 1.2), ambient(1.0))
        inside = output.alpha[..., 0] == 1
        rgb = output.rgb[inside]
        torch.testing.assert_close(rgb, torch.ones_like(rgb), atol=3e-3, rtol=0)


def test_a_lamp_lights_a_facing_white_wall_to_its_intensity():
    dark = ambient(0.0)
    light = replace(dark, key=Lamp((0.0, 0.0, 1.0), (1.0, 0.5, 0.25), 0.8, 10.0))
    output = render_mesh(scene_from_layers([square(plain(roughness=1.0))]), _front(), light)
    red, green, blue = output.rgb[0, 16, 16].tolist()
    assert red == pytest.approx(0.8, rel=0.06) and green == pytest.approx(red / 2) and blue == pytest.approx(red / 4)
    behind = replace(dark, key=Lamp((0.0, 0.0, -1.0), (1.0, 1.0, 1.0), 0.8))
    assert render_mesh(scene_from_layers([square(plain())]), _front(), behind).rgb.max() == 0


def test_metal_tints_what_it_mirrors_and_skin_glows_past_the_terminator():
    light = studio()
    bronze = scene_from_layers([ball(plain((190, 130, 80), metallic=1.0, roughness=0.3))])
    rgb = render_mesh(bronze, _front(48, 1.2), light).rgb[0, 24, 24]
    assert rgb[0] > 1.3 * rgb[1] > 1.3 * rgb[2]
    side = replace(ambient(0.0), key=Lamp((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0))
    wall = render_mesh(scene_from_layers([square(plain(), name="skin")]), _front(), side).rgb[0, 16, 16]
    cloth = render_mesh(scene_from_layers([square(plain(), name="coat")]), _front(), side).rgb[0, 16, 16]
    assert wall[0] > 2 * wall[2] > 0 and cloth.max() < 1e-3


def test_presets_keep_white_from_burning_out():
    scene = scene_from_layers([ball(plain(roughness=0.8))])
    scene = with_shadows(scene, studio())
    picture = to_srgb8(render_mesh(scene, _front(64, 1.2), studio(), background=(0.0, 0.0, 0.0)))
    assert 200 < picture.max() <= 254
    for seed in range(5):
        light = random_light(np.random.default_rng(seed))
        mean = render_mesh(scene, _front(32, 1.2), light).rgb[0, 10:22, 10:22].mean()
        assert 0.2 < mean < 1.4


def test_normals_of_a_sphere_have_the_colours_controlnet_expects():
    output = render_mesh(scene_from_layers([ball(plain())]), cameras := _front(101, 1.2))
    colours = normal_map(output, cameras)[0]
    np.testing.assert_allclose(colours[0, 0], [0.5, 0.5, 1.0], atol=1e-6)
    np.testing.assert_allclose(colours[50, 50], [0.5, 0.5, 1.0], atol=0.02)
    assert colours[50, 15, 0] > 0.8 > 0.2 > colours[50, 85, 0], "red points left"
    assert colours[15, 50, 1] > 0.8 > 0.2 > colours[85, 50, 1], "green points up"
    from_behind = orbit([180.0], [0.0], 4.0, (0, 0, 0), 33.4, 101, 101)
    turned = normal_map(render_mesh(scene_from_layers([ball(plain())]), from_behind), from_behind)[0]
    np.testing.assert_allclose(turned, colours, atol=0.05)
    lengths = output.normal.norm(dim=-1)
    torch.testing.assert_close(lengths, (output.alpha[..., 0] > 0).float())


@pytest.mark.parametrize("mirrored", [False, True])
def test_normal_maps_bend_along_the_texture(mirrored):
    """Red turns normals to where u grows, green to where the image's top is."""
    bump = np.full((2, 2, 3), (128, 128, 255), np.uint8)
    flat = square(plain(normal=bump))
    torch.testing.assert_close(
        render_mesh(scene_from_layers([flat]), _front()).normal[0, 16, 16], torch.tensor([0.0, 0.0, 1.0])
    )
    bump[:] = np.round(np.array([0.6, 0.48, 0.64]) * 127.5 + 127.5)
    bent = square(plain(normal=bump))
    if mirrored:
        uvs = bent.mesh.uvs.clone()
        uvs[..., 0] = 1 - uvs[..., 0]
        bent = replace(bent, mesh=replace(bent.mesh, uvs=uvs))
    expected = torch.tensor([-0.6 if mirrored else 0.6, 0.48, 0.64])
    normal = render_mesh(scene_from_layers([bent]), _front()).normal[0, 16, 16]
    torch.testing.assert_close(normal, expected, atol=0.01, rtol=0)


def test_layers_alpha_and_depth_know_who_is_in_front():
    near, far = square(plain((255, 0, 0)), z=0.5, half=0.4, name="near"), square(plain((0, 255, 0)), name="far")
    output = render_mesh(scene_from_layers([far, near]), cameras := _front(32, 1.5), background=(0.0, 0.0, 1.0))
    ids = layer_ids(output)[0]
    assert ids[16, 16] == 1 and ids[16, 8] == 0 and ids[0, 0] == -1
    assert output.depth[0, 16, 16, 0] == pytest.approx(3.5, abs=1e-4) and output.depth[0, 0, 0, 0] == 0
    torch.testing.assert_close(output.rgb[0, 0, 0], torch.tensor([0.0, 0.0, 1.0]))
    assert silhouette(output)[0, 16, 16] == 1 and silhouette(output)[0, 0, 0] == 0
    depth = depth_map(output)[0]
    assert depth[16, 16] == pytest.approx(1) and depth[16, 8] == pytest.approx(0, abs=1e-5) and depth[0, 0] == 0
    assert (albedo_map(scene_from_layers([far, near]), cameras)[0, 16, 16] == (255, 0, 0)).all()


def test_supersampling_measures_coverage():
    """A square that ends in the middle of a pixel covers half of it."""
    output = render_mesh(scene_from_layers([square(plain(), half=1.0)]), _front(4, 4 / 3), supersample=4)
    np.testing.assert_allclose(output.alpha[0, 1, :, 0].numpy(), [0.5, 1, 1, 0.5])


def test_masks_cut_what_is_transparent():
    albedo = np.full((16, 16, 4), 255, np.uint8)
    albedo[:, :8, 3] = 0
    behind = square(plain((255, 0, 0)), z=-0.01, half=1.1)
    for alpha, expected in (("mask", 0), ("opaque", 1)):
        scene = scene_from_layers([behind, square(Material(albedo, alpha=alpha))])
        ids = layer_ids(render_mesh(scene, _front()))[0]
        assert (ids[:, 2:14] == expected).all() and (ids[:, 18:30] == 1).all()


def test_back_faces_show_only_where_a_material_has_two_sides():
    cameras = orbit([180.0], [0.0], 4.0, (0, 0, 0), 28.0, 16, 16)
    assert render_mesh(scene_from_layers([square(plain())]), cameras).alpha.max() == 0
    output = render_mesh(scene_from_layers([square(plain(double_sided=True))]), cameras)
    assert output.alpha.min() == 1
    torch.testing.assert_close(output.normal[0, 8, 8], torch.tensor([0.0, 0.0, -1.0]))


def test_the_inside_of_a_bowl_sees_less_sky_than_its_outside():
    def low(points):
        return points[:, 1] < 0.0

    outside = ball(plain(double_sided=True), keep=low)
    mesh = outside.mesh
    inside = layer(mesh.vertices * 0.95, mesh.faces.flip(1), mesh.uvs.flip(1), plain(double_sided=True), "inside")
    scene = scene_from_layers([outside, inside])
    used = np.unique(mesh.faces.numpy())
    seen = sky_visibility(scene)
    count = len(mesh.vertices)
    bottom = used[mesh.vertices.numpy()[used, 1] < -0.5]
    assert seen[bottom].mean() > 0.97, "a convex side sees everything: no speckles of self-shadow"
    assert seen[bottom].min() > 0.9
    # From a point of a hemispherical bowl half the cosine-weighted sky is wall.
    assert seen[count + bottom].mean() == pytest.approx(0.5, abs=0.08)


def test_the_key_lamp_casts_a_shadow_and_thin_cloth_casts_none_on_itself():
    n = 41
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n)), -1).reshape(-1, 2)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(n - 1), indexing="ij")
    a = (i * n + j).reshape(-1)
    faces = np.concatenate([np.stack([a, a + 1, a + n + 1], -1), np.stack([a, a + n + 1, a + n], -1)])
    floor = layer(
        np.concatenate([grid, np.zeros((n * n, 1))], 1), faces, grid[faces], plain(double_sided=True), "floor"
    )
    lamp = Lamp((0.5, 0.0, 1.0), (1.0, 1.0, 1.0), 1.0, 3.0)
    alone = lamp_visibility(scene_from_layers([floor]), lamp)
    assert alone.min() > 0.99
    scene = scene_from_layers([floor, square(plain(), z=0.6, half=0.3)])
    seen = lamp_visibility(scene, lamp)[: n * n].reshape(n, n)
    assert seen[20, 14] < 0.05, "the shadow falls 0.3 to the far side of the lamp"
    assert seen[20, 30] > 0.95 and seen[2, 14] > 0.95
    light = replace(ambient(0.2), key=lamp)
    picture = render_mesh(replace(scene, key=lamp_visibility(scene, lamp)), _front(80, 1.2), light).rgb[0, ..., 0]
    assert picture[40, 68] > 2 * picture[40, 22]


def test_a_moved_scene_renders_moved_and_keeps_its_textures():
    thing = square(plain((40, 90, 200)))
    scene = scene_from_layers([thing])
    moved = reposed(scene, [thing.mesh.vertices + torch.tensor([2.0, 0.0, 0.0])])
    assert moved.surfaces is scene.surfaces
    output = render_mesh(moved, _front(32, 3.0))
    assert output.alpha[0, 16, 26, 0] == 1 and output.alpha[0, 16, 16, 0] == 0
    np.testing.assert_allclose(output.rgb[0, 16, 26], srgb_to_linear(np.array([40, 90, 200]) / 255), atol=1e-4)
    with pytest.raises(ValueError, match="vertices"):
        reposed(scene, [thing.mesh.vertices[:2]])


def test_nothing_renders_as_background_and_nonsense_is_refused():
    nothing = render_mesh(scene_from_layers([]), _front(8), studio(), background=(0.1, 0.2, 0.3))
    assert nothing.alpha.max() == 0 and (nothing.layer == -1).all()
    torch.testing.assert_close(nothing.rgb[0, 3, 3], torch.tensor([0.1, 0.2, 0.3]))
    assert len(sky_visibility(scene_from_layers([]))) == 0
    thing = square(plain())
    with pytest.raises(ValueError, match="finite"):
        scene_from_layers([thing], [thing.mesh.vertices * torch.nan])
    with pytest.raises(ValueError, match="one vertex array"):
        scene_from_layers([thing], [])
    with pytest.raises(ValueError, match="pixel"):
        render_mesh(scene_from_layers([thing]), replace(_front(8), height=0))
