"""A texture survives being photographed and baked back; charts never meet; what was not seen is not invented."""

import numpy as np
import pytest
import torch
import trimesh

from bozzetto.render.cameras import orbit
from bozzetto.render.raster import rasterize
from bozzetto.render.surface import interpolate, sample_texture
from bozzetto.texture import Blend, bake, bake_reference, complete, pad, unwrap
from bozzetto.texture.bake import outline_distance, texels_of
from bozzetto.types import Cameras, Mesh, srgb_to_linear

SIZE = 256


def paint(points):
    """A smooth colour of every place."""
    return 0.5 + 0.45 * np.sin(points * np.array([9.0, 7.0, 11.0]) + [0.0, 1.0, 2.0])


def photographs(mesh, texture, cameras, background=0.0):
    """Pictures of the texture, without light."""
    faces = mesh.faces
    seen = torch.from_numpy(rasterize(mesh.vertices.numpy(), faces.numpy(), cameras).face)
    rows = torch.arange(3 * len(faces)).reshape(-1, 3)
    at = interpolate(mesh.vertices, faces, cameras, seen, mesh.uvs.reshape(-1, 2), rows)
    colour = sample_texture(torch.from_numpy(texture), at)
    return torch.where((seen >= 0)[..., None], colour, torch.as_tensor(background)).numpy()


@pytest.fixture(scope="module")
def torus():
    ring = trimesh.creation.torus(0.3, 0.12, 48, 32)
    return unwrap(np.asarray(ring.vertices), np.asarray(ring.faces), SIZE, 4)


@pytest.fixture(scope="module")
def views():
    return orbit(
        [0, 60, 120, 180, 240, 300, 0, 0], [10, -10, 10, -10, 10, -10, 80, -80], 1.6, (0, 0, 0), 40.0, 320, 320
    )


@pytest.fixture(scope="module")
def true(torus):
    texels = texels_of(torus, SIZE)
    texture = np.zeros((SIZE, SIZE, 3), np.float32)
    texture[texels.covered] = paint(texels.position)
    return pad(texture, texels.covered)


def test_no_two_faces_share_a_texel(torus):
    points = np.concatenate([torus.uvs.numpy().reshape(-1, 2) * 1024, np.ones((3 * len(torus.faces), 1))], 1)
    rows = np.arange(len(points)).reshape(-1, 3)
    lens = torch.diag(torch.tensor([1.0, 1.0, 0.0]))[None]
    above = Cameras(torch.eye(4)[None], lens, 1024, 1024)
    first = rasterize(points.astype(np.float32), rows, above).face[0]
    last = rasterize(points.astype(np.float32), rows[::-1].copy(), above).face[0]
    twice = (first >= 0) & (first != len(rows) - 1 - last)
    assert (first >= 0).mean() > 0.3
    assert twice.sum() <= 1e-4 * (first >= 0).sum()


def test_charts_keep_their_distance(torus):
    """A gap of the padding between charts: grown by half of it, no two touch."""
    from scipy import ndimage, sparse

    uvs = np.round(torus.uvs.numpy().astype(float) * 1e6).astype(np.int64)
    corner = np.unique(uvs[..., 0].ravel() * 10**7 + uvs[..., 1].ravel(), return_inverse=True)[1].reshape(-1, 3)
    edges = np.concatenate([corner[:, :2], corner[:, 1:]]).T
    graph = sparse.coo_matrix((np.ones(len(edges[0])), edges), shape=(corner.max() + 1,) * 2)
    chart = sparse.csgraph.connected_components(graph, directed=False)[1][corner[:, 0]]
    points = np.concatenate([torus.uvs.numpy().reshape(-1, 2) * SIZE, np.ones((3 * len(torus.faces), 1))], 1)
    lens = torch.diag(torch.tensor([1.0, 1.0, 0.0]))[None]
    above = Cameras(torch.eye(4)[None], lens, SIZE, SIZE)
    seen = rasterize(points.astype(np.float32), np.arange(len(points)).reshape(-1, 3), above)
    owner = np.where(seen.face[0] >= 0, chart[seen.face[0]] + 1, 0)
    high = ndimage.maximum_filter(owner, 3)
    low = ndimage.minimum_filter(np.where(owner, owner, owner.max() + 1), 3)
    assert chart.max() > 4
    assert ((high != low) & (owner > 0)).sum() == 0


def test_texels_are_about_equally_large(torus):
    vertices, uvs = torus.vertices.numpy()[torus.faces.numpy()], torus.uvs.numpy()
    metres = np.linalg.norm(np.cross(vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0]), axis=1)
    (ax, ay), (bx, by) = ((uvs[:, k] - uvs[:, 0]).T for k in (1, 2))
    density = np.sqrt(np.abs(ax * by - ay * bx) / metres)
    assert density.min() > 0.35 * np.median(density)
    assert density.max() < 1.5 * np.median(density)


def test_what_was_photographed_comes_back(torus, views, true):
    baked = bake(torus, photographs(torus, true, views), views, SIZE)
    seen = baked.confidence > 0
    assert seen.sum() > 0.9 * baked.covered.sum()
    assert not seen[~baked.covered].any()
    psnr = -10 * np.log10(((baked.texture - true)[seen] ** 2).mean())
    assert psnr > 45


def test_the_background_never_bleeds_in(torus, views, true):
    """Pictures on magenta and on black give one texture."""
    black, loud = (
        bake(torus, photographs(torus, true, views, ground), views, SIZE)
        for ground in (0.0, torch.tensor([1.0, 0.0, 1.0]))
    )
    np.testing.assert_array_equal(black.texture, loud.texture)


def filtered(image, k, at):
    """The mip level whose texels are ``k`` wide, looked up bilinearly."""
    level = image.reshape(SIZE // k, k, SIZE // k, k, 3).mean((1, 3))
    return sample_texture(torch.from_numpy(level), at)[0, 0].numpy()


def test_seams_show_nothing_after_padding(torus, true):
    """Bilinear look-ups and two mip levels, at random places of the surface."""
    rng = np.random.default_rng(0)
    face, share = rng.integers(0, len(torus.faces), 20_000), rng.dirichlet([1, 1, 1], 20_000)
    place = np.einsum("nk,nkd->nd", share, torus.vertices.numpy()[torus.faces.numpy()[face]])
    at = torch.from_numpy(np.einsum("nk,nkd->nd", share, torus.uvs.numpy()[face]).astype(np.float32))[None, None]
    bare = np.where(texels_of(torus, SIZE).covered[..., None], true, 0)
    for level, bound in ((0, 0.02), (1, 0.03)):
        k = 2**level
        errors = [np.percentile(np.abs(filtered(image, k, at) - paint(place)).max(1), 99.5) for image in (true, bare)]
        assert errors[0] < bound
        assert errors[1] > 3 * bound


def test_the_kernel_equals_the_reference(torus, views, true):
    pictures = photographs(torus, true, views)
    trusted = np.ones(pictures.shape[:3], bool)
    trusted[2, :100] = False
    one, two = (make(torus, pictures, views, SIZE, Blend(feather=9), trusted) for make in (bake, bake_reference))
    agree = (one.confidence > 0) == (two.confidence > 0)
    assert agree.mean() > 0.9999
    np.testing.assert_allclose(one.texture[agree], two.texture[agree], atol=1e-3)
    np.testing.assert_allclose(one.confidence[agree], two.confidence[agree], atol=1e-3)


def test_a_hidden_side_is_not_painted():
    """Two parallel squares, one picture from the front: the back one stays unseen and is completed from the front."""
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    vertices = np.concatenate([square, square - [0, 0, 0.2]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    mesh = unwrap(vertices, faces, 128)
    camera = orbit(0.0, 0.0, 5.0, (0, 0, 0), 40.0, 200, 200)
    red = np.broadcast_to(np.array([1.0, 0.0, 0.0]), (1, 200, 200, 3))
    baked = bake(mesh, red, camera, 128)
    assert (baked.confidence > 0).sum() == pytest.approx(baked.covered.sum() / 2, rel=0.1)
    whole = complete(mesh, baked)
    np.testing.assert_allclose(whole[baked.covered] - [1.0, 0.0, 0.0], 0.0, atol=1e-3)


def test_light_is_blended_not_codes():
    """Two equal views of one square, black and white: half the light, whose code is 0.735."""
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    mesh = unwrap(square, np.array([[0, 1, 2], [0, 2, 3]]), 64)
    cameras = orbit([0.0, 0.0], [0.0, 0.0], 5.0, (0, 0, 0), 40.0, 100, 100)
    pictures = np.stack([np.zeros((100, 100, 3)), np.ones((100, 100, 3))])
    baked = bake(mesh, pictures, cameras, 64)
    middle = baked.texture[baked.confidence > 0.9]
    np.testing.assert_allclose(srgb_to_linear(middle.astype(float)), 0.5, atol=1e-3)


def test_the_better_view_wins():
    """A square seen straight on in red and at 60 degrees in blue: exp(-3 phi) leaves blue its share, no more."""
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    mesh = unwrap(square, np.array([[0, 1, 2], [0, 2, 3]]), 64)
    cameras = orbit([0.0, 60.0], [0.0, 0.0], 1000.0, (0, 0, 0), 0.2, 200, 200)
    pictures = np.zeros((2, 200, 200, 3))
    pictures[0, ..., 0] = pictures[1, ..., 2] = 1
    baked = bake(mesh, pictures, cameras, 64, Blend(beta=0.0))
    texels = texels_of(mesh, 64)
    middle = texels.covered.copy()
    middle[texels.covered] = np.abs(texels.position[:, :2]).max(1) < 0.5
    light = srgb_to_linear(baked.texture[middle].astype(float)).mean(0)
    assert light[2] / light[0] == pytest.approx(np.exp(-np.pi), rel=0.02)


def test_distances_to_outlines_are_exact():
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]], np.float32)
    camera = orbit(0.0, 0.0, 5.0, (0, 0, 0), 40.0, 64, 64)
    drawn = rasterize(square, np.array([[0, 1, 2], [0, 2, 3]]), camera)
    got = outline_distance(drawn, 0.003, 9.0)[0]
    from scipy import ndimage

    inner = ndimage.binary_erosion(drawn.face[0] >= 0)
    np.testing.assert_allclose(got, np.minimum(ndimage.distance_transform_edt(inner), 9), atol=1e-5)


@pytest.mark.parametrize(
    ("vertices", "faces", "said"),
    [
        (np.zeros((3, 3)), np.zeros((0, 3), int), "faces"),
        (np.full((3, 3), np.nan), np.array([[0, 1, 2]]), "finite"),
        (np.zeros((3, 3)), np.array([[0, 1, 2]]), "area"),
        (np.eye(3), np.array([[0, 1, 5]]), "name"),
    ],
)
def test_meshes_that_cannot_be_unwrapped_are_refused(vertices, faces, said):
    with pytest.raises(ValueError, match=said):
        unwrap(vertices, faces)


def test_bad_pictures_are_refused(torus, views):
    with pytest.raises(ValueError, match="pictures"):
        bake(torus, np.zeros((3, 320, 320, 3)), views, 64)
    with pytest.raises(ValueError, match="finite"):
        bake(torus, np.full((8, 320, 320, 3), np.nan), views, 64)
    with pytest.raises(ValueError, match="texel"):
        bake(torus, np.zeros((8, 320, 320, 3)), views, 0)
    with pytest.raises(ValueError, match="covered"):
        pad(np.zeros((4, 4, 3)), np.zeros((4, 4), bool))


def test_an_empty_mesh_covers_nothing():
    mesh = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3, 2))
    assert not texels_of(mesh, 8).covered.any()
