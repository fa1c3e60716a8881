"""Views of one plane become one texture."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from bozzetto.prior.autoencoder import PatchAutoencoder
from bozzetto.render.cameras import orbit
from bozzetto.texture.canvas import Canvas
from bozzetto.texture.fuse import Fusion, fuse, membrane, project_back, texels_for
from bozzetto.texture.perceptual import EncoderDistance
from bozzetto.texture.views import Surface, View, look
from bozzetto.types import Cameras
from render.shapes import plain, square

SIZE = 96
CAMERA = orbit(0, 0, 4.0, (0, 0, 0), 2 * np.degrees(np.arctan(1.1 / 4)), SIZE, SIZE)
"""Sees the square of two metres, and a border of a twentieth."""


@pytest.fixture(scope="module")
def canvas():
    mesh = square(plain()).mesh
    return Canvas(Surface(mesh.vertices.numpy(), mesh.faces.numpy().astype(np.int32)), mesh, np.arange(2))


@pytest.fixture(scope="module")
def perceptual():
    """The embedded family's encoder with random weights."""
    torch.manual_seed(0)
    model = PatchAutoencoder(8, 24)
    for block in model.encoder:
        if hasattr(block, "second"):
            torch.nn.init.normal_(block.second.weight, std=0.05)
    return EncoderDistance(model.requires_grad_(False))


def view(canvas, picture):
    seen = look(canvas.surface, CAMERA)
    return View(seen, np.ascontiguousarray(picture, np.float32), seen.hit)


def blobs(shift=0):
    """Dark blobs with sharp edges on a light ground, the whole moved to the right."""
    rng = np.random.default_rng(3)
    inside = ndimage.gaussian_filter(rng.random((SIZE, SIZE + 8)), 2.0)[:, 4 - shift : 4 - shift + SIZE] > 0.5
    return np.where(inside[..., None], [0.2, 0.3, 0.7], [0.8, 0.7, 0.3])


def sharpness(picture):
    return sum((np.diff(picture, axis=axis) ** 2).mean() for axis in (0, 1))


def test_one_view_comes_back(canvas, perceptual):
    made = fuse(canvas, [view(canvas, blobs())], perceptual, 128, Fusion(steps=3))
    drawn = canvas.picture(made.texture, look(canvas.surface, CAMERA))
    assert np.abs(drawn - blobs())[8:-8, 8:-8].mean() < 0.04
    assert made.covered.all() and made.seen.mean() > 0.9


def test_views_that_disagree_by_two_pixels_stay_sharper_than_their_mean(canvas, perceptual):
    """The mean is what an L2 fit would find; the photo's own privilege is taken away for this."""
    nobodys = (2.0, 3.0)
    views = [view(canvas, blobs(0)), view(canvas, blobs(2))]
    made = fuse(canvas, views, perceptual, 64, Fusion(steps=30, looks=10.0, crop=64, photo=nobodys))
    start = fuse(canvas, views, perceptual, 64, Fusion(steps=0, photo=nobodys))
    least_squares = (blobs(0) + blobs(2)) / 2
    seen = look(canvas.surface, CAMERA)
    inner = slice(10, -10)
    got, mean = (canvas.picture(each.texture, seen)[inner, inner] for each in (made, start))
    assert np.abs(mean - least_squares[inner, inner]).mean() < 0.04
    assert sharpness(got) > 1.1 * sharpness(mean)


def test_the_photo_wins_where_it_saw_the_surface(canvas, perceptual):
    red, blue = (np.broadcast_to(np.float32(colour), (SIZE, SIZE, 3)) for colour in ([0.8, 0.1, 0.1], [0.1, 0.1, 0.8]))
    photo = view(canvas, red)
    left = photo.trusted.copy()
    left[:, SIZE // 2 :] = False
    made = fuse(canvas, [View(photo.seen, photo.picture, left), view(canvas, blue)], perceptual, 64, Fusion(steps=5))
    drawn = canvas.picture(made.texture, photo.seen)
    np.testing.assert_allclose(drawn[20:-20, 20:36].mean((0, 1)), [0.8, 0.1, 0.1], atol=0.01)
    np.testing.assert_allclose(drawn[20:-20, -24:-10].mean((0, 1)), [0.1, 0.1, 0.8], atol=0.03)


def test_pixels_at_an_outline_are_not_read(canvas, perceptual):
    """The rim holds background: here it is green, and no texel is."""
    seen = look(canvas.surface, CAMERA)
    rim = seen.hit & ~ndimage.binary_erosion(seen.hit, iterations=2)
    picture = np.where(rim[..., None], [0.0, 1.0, 0.0], [0.6, 0.2, 0.6])
    made = fuse(canvas, [view(canvas, picture)], perceptual, 128, Fusion(steps=3))
    assert made.texture[..., 1].max() < 0.3


def test_what_no_view_shows_takes_the_fallback(canvas, perceptual):
    photo = view(canvas, np.full((SIZE, SIZE, 3), 0.5))
    half = photo.trusted.copy()
    half[:, SIZE // 2 :] = False
    yellow = np.broadcast_to(np.float32([0.9, 0.9, 0.0]), (64, 64, 3))
    made = fuse(canvas, [View(photo.seen, photo.picture, half)], perceptual, 64, Fusion(steps=2), yellow)
    np.testing.assert_allclose(made.texture[20:40, -20:].mean((0, 1)), [0.9, 0.9, 0.0], atol=0.02)
    np.testing.assert_allclose(made.texture[20:40, 8:20].mean((0, 1)), 0.5, atol=0.03)


def test_texels_are_as_large_as_pixels(canvas):
    assert texels_for(canvas.mesh, 256 / 2.0) == 256  # two metres across the whole texture
    assert texels_for(canvas.mesh, 512 / 2.0) == 512
    assert texels_for(canvas.mesh, 5.0) == 256
    assert texels_for(canvas.mesh, 9e9, most=1024) == 1024


def test_cameras_without_perspective_are_refused(canvas):
    photo = view(canvas, blobs())
    lens = torch.diag(torch.tensor([40.0, 40.0, 0.0]))[None]
    seen = look(canvas.surface, Cameras(CAMERA.world_to_camera, lens, SIZE, SIZE))
    with pytest.raises(ValueError, match="perspective"):
        project_back(canvas, [View(seen, photo.picture, seen.hit)], 64)


def test_a_shifted_colour_is_shifted_back_by_the_membrane():
    rng = np.random.default_rng(0)
    truth = ndimage.gaussian_filter(rng.random((80, 70, 3)), (6, 6, 0)).astype(np.float32)
    mask = np.zeros((80, 70), bool)
    mask[:, :30] = True
    wrong = truth + np.float32([0.1, -0.05, 0.02])
    np.testing.assert_allclose(membrane(wrong, truth, mask), truth, atol=2e-3)
    # Without any step where the known ends.
    other = (truth * 0.9 + 0.03).astype(np.float32)
    there = membrane(other, truth, mask)
    assert np.abs(there[:, 30] - truth[:, 30]).mean() < 0.3 * np.abs(other[:, 30] - truth[:, 30]).mean()
    np.testing.assert_array_equal(membrane(wrong, truth, mask & False), wrong)


def test_the_distance_is_zero_for_equal_pictures_and_grows_with_a_blur(perceptual):
    sharp = torch.from_numpy(blobs().astype(np.float32))[None]
    soft = [torch.from_numpy(ndimage.gaussian_filter(blobs(), (s, s, 0)).astype(np.float32))[None] for s in (1, 2)]
    assert float(perceptual(sharp, sharp)) == 0.0
    assert 0 < float(perceptual(soft[0], sharp)) < float(perceptual(soft[1], sharp))
    moving = soft[0].clone().requires_grad_()
    perceptual(moving, sharp).backward()
    assert moving.grad.abs().sum() > 0
