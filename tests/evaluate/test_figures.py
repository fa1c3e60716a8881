"""What counts as skin through a garment, on a figure whose skin is pushed out and drawn in; what reviewers look at."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from bozzetto.body.poses import poses
from bozzetto.evaluate import figures
from bozzetto.evaluate.figures import _outsides, draw_for_eyes, for_eyes, poke_through
from bozzetto.figure.build import build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BodySpec, Colour, FigureSpec, Garment
from bozzetto.geometry import vertex_normals

RED = Colour("red", "#b3312c")


@cache
def figure():
    worn = {"top": Garment("t-shirt", RED), "bottom": Garment("shorts", RED), "shoes": Garment("sandals", RED)}
    return build_figure(FigureSpec(body=BodySpec("woman", 30, 1.7), **worn), "low")


def swollen(metres):
    """The figure with skin that much farther out."""
    layers = []
    for layer in figure().avatar.layers:
        if layer.name == "skin":
            points, faces = layer.mesh.vertices.numpy(), layer.mesh.faces.numpy()
            out = points + np.float32(metres) * vertex_normals(points, faces)
            layer = replace(layer, mesh=replace(layer.mesh, vertices=torch.from_numpy(out.astype(np.float32))))
        layers.append(layer)
    return replace(figure(), avatar=replace(figure().avatar, layers=tuple(layers)))


def poked(who):
    return poke_through(who, poses()["a-pose"], (0.0, 60.0, 180.0), 128)


def test_skin_pushed_out_counts_and_skin_drawn_in_does_not():
    inner, outer = poked(swollen(-0.02)), poked(swollen(0.02))
    assert inner.percent < 0.1
    assert outer.percent > 3


def test_a_sole_is_outside_below_and_not_where_the_foot_stands():
    shoes = figure().avatar.layer("shoes")
    a, b, c = shoes.mesh.vertices.numpy()[shoes.mesh.faces.numpy()].transpose(1, 0, 2)
    up = np.cross(b - a, c - a)
    up = up[:, 1] / (np.linalg.norm(up, axis=1) + 1e-12)
    low = (a + b + c)[:, 1] / 3 < 0.04
    out = _outsides(figure())["shoes"]
    assert out[low & (up < -0.9)].mean() > 0.95  # the tread
    assert out[low & (up > 0.9)].mean() < 0.2  # what the foot stands on


def test_reviewers_see_front_and_back_and_the_face_larger():
    stance = stand(figure(), "a-pose")
    seen = for_eyes(stance, 160)
    assert seen["body"].shape[0] == 160 and seen["face"].shape == (120, 240, 3)
    red, close = (image[..., 0] > 2.0 * image[..., 1] for image in (seen["body"], seen["face"]))
    middle = red.shape[1] // 2
    for half in (red[:, :middle], red[:, middle:]):
        assert half.mean() > 0.05, "the t-shirt, from both sides"
        assert not half[:, [0, -1]].any(), "nothing is cut off"
    assert close.mean() < 0.3 * red.mean(), "little but the head"
    for name, again in for_eyes(stance, 160).items():
        np.testing.assert_array_equal(again, seen[name])


def test_finished_pictures_stay_and_missing_ones_are_drawn(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "build_figure", lambda spec: drawn.append(spec) or figure())
    draw_for_eyes(1, 3, tmp_path, 48)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(kept) == ["3-body.jpg", "3-face.jpg"]
    (tmp_path / "4-body.jpg").write_bytes(b"stopped before the face")
    draw_for_eyes(2, 3, tmp_path, 48)
    assert len(drawn) == 2 and len(list(tmp_path.iterdir())) == 4
    assert all((tmp_path / name).read_bytes() == content for name, content in kept.items())
    assert (tmp_path / "4-body.jpg").read_bytes()[:2] == b"\xff\xd8"
