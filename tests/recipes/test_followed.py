"""A figure bent to what a network saw: its outline and joints follow, its rig and its face stay what they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.body.bind import moved_joints, pose_transforms
from bozzetto.body.landmarks import regions
from bozzetto.body.model import load_body
from bozzetto.body.poses import rotations
from bozzetto.figure.build import build_figure, posed, posture_named
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BodySpec, FigureSpec, Garment, HairSpec
from bozzetto.prior.shape import Sides
from bozzetto.recipes.followed import followed
from bozzetto.render.cameras import frame
from bozzetto.render.raster import rasterize
from bozzetto.render.sides import sides
from bozzetto.scene.scan import scan
from bozzetto.subject.fit import Fitted
from bozzetto.subject.outlines import agreement
from bozzetto.subject.surface import Answer, square_around

SLIM = FigureSpec(
    BodySpec("woman", 30.0, 1.66, 0.35, 0.4, 0.5, 3), hair=HairSpec("short"),
    top=Garment("sweater", colour("green")), bottom=Garment("trousers", colour("navy")),
    shoes=Garment("shoes", colour("black")), pose="a-pose",
)  # fmt: skip
STOUT = replace(SLIM, body=replace(SLIM.body, weight=0.8))


def perfect(stance, camera, mask):
    """What a network without fault makes of a person who stands there."""
    scene = stance.scene
    vertices, faces = scan(scene.vertices, scene.faces, scene.coverage)
    square = square_around(mask, camera, 128)
    near, far = sides(vertices, faces, square)
    normals = torch.from_numpy(np.concatenate([near.normal, far.normal], -1))[None]
    depths = np.stack([near.depth, far.depth], -1)
    return Answer(Sides(normals, torch.from_numpy(depths)[None], normals[..., :3]), square, near.depth > 0, depths)


@pytest.fixture(scope="module")
def slim():
    return build_figure(SLIM, "low")


def fitted_to(figure, stance):
    posture = posture_named("a-pose")
    camera = frame(stance.scene.vertices, np.array([0.0]), 0.0, 20.0, 400)
    fitted = Fitted(figure.spec, posture, camera, stance.body.astype(np.float64), np.zeros((1, 3)), 0.0, 1.0, ())
    return fitted, camera


def outline(stance, camera):
    scene = stance.scene
    return (rasterize(scene.vertices, scene.faces, camera, scene.coverage).face[0] >= 0).astype(np.float32)


@pytest.fixture(scope="module")
def bent(slim):
    """The slim figure, its fit, the stout person's stance and outline, and the slim figure bent to them."""
    stance = stand(slim, "a-pose")
    fitted, camera = fitted_to(slim, stance)
    truth = stand(build_figure(STOUT, "low"), "a-pose")
    mask = outline(truth, camera)
    return fitted, truth, mask, *followed(slim, fitted, perfect(truth, camera, mask))


def test_the_outline_is_the_persons(slim, bent):
    fitted, truth, mask, figure, after = bent
    before, *_ = agreement(slim, fitted, mask)
    now, body, _ = agreement(figure, after, mask)
    assert before < 0.88 and now > 0.94
    torso = regions(load_body())["torso"][: load_body().parts["body"].stop]
    widths = [np.ptp(each[: len(torso)][torso, 0]) for each in (fitted.body, body, truth.body)]
    assert abs(widths[1] - widths[2]) < 0.4 * abs(widths[0] - widths[2])


def test_the_rig_stays_and_goes_along(slim, bent):
    *_, figure, after = bent
    old, new = slim.avatar, figure.avatar
    assert new.skeleton.names == old.skeleton.names
    assert [len(layer.mesh.vertices) for layer in new.layers] == [len(layer.mesh.vertices) for layer in old.layers]
    assert [set(layer.expressions) for layer in new.layers] == [set(layer.expressions) for layer in old.layers]
    # Eyes turn about their own middles still.
    for side in ("L", "R"):
        index = new.skeleton.index(f"eye.{side}")
        eyes = old.layer("eyes").skin_joints.numpy()[:, 0] == index
        middles = [
            each.layer("eyes").mesh.vertices.numpy()[eyes].mean(0) - each.skeleton.positions[index].numpy()
            for each in (old, new)
        ]
        assert np.abs(middles[0] - middles[1]).max() < 0.001
    # As it stood: taking the pose again gives back what was fitted.
    stance = stand(figure, after.posture)
    skin = load_body().parts["body"].stop
    shift = np.median((stance.body - after.body)[:skin], 0)
    assert np.abs((stance.body - after.body)[:skin] - shift).max() < 0.002
    soles = min(float(layer.mesh.vertices[:, 1].min()) for layer in new.layers)
    assert abs(soles) < 0.002


def test_what_is_wrong_with_the_pose_is_no_part_of_the_build(slim):
    """The person holds an arm lower than the fit says: the figure's T-pose stays one."""
    lower = replace(posture_named("a-pose"), left_arm=replace(posture_named("a-pose").left_arm, down=54.0))
    stance = stand(slim, "a-pose")
    fitted, camera = fitted_to(slim, stance)
    truth = stand(slim, lower)
    mask = outline(truth, camera)
    figure, after = followed(slim, fitted, perfect(truth, camera, mask))

    def arm(skeleton, points):
        ends = [points[skeleton.index(f"{name}.L")] for name in ("upperarm01", "wrist")]
        return (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])

    at_rest = [arm(each.avatar.skeleton, each.avatar.skeleton.positions.numpy()) for each in (slim, figure)]
    assert np.degrees(np.arccos(at_rest[0] @ at_rest[1])) < 1.5
    posed_joints = [
        moved_joints(each.avatar.skeleton.positions.numpy(), pose_transforms(each.avatar.skeleton, rotations(how)))
        for each, how in ((slim, fitted.posture), (slim, lower), (figure, after.posture))
    ]
    before, wanted, found = (arm(slim.avatar.skeleton, points) for points in posed_joints)
    assert np.arccos(found @ wanted) < 0.6 * np.arccos(before @ wanted)


def test_heads_and_hands_keep_their_shape(slim, bent):
    *_, figure, _ = bent
    known = regions(load_body())
    for region in ("face", "left_hand"):
        part = np.flatnonzero(known[region][: load_body().parts["body"].stop])
        a, b = (each.body_vertices[part] - each.body_vertices[part].mean(0) for each in (slim, figure))
        scale = np.linalg.norm(b) / np.linalg.norm(a)
        assert np.linalg.norm(b - scale * a, axis=1).mean() < 0.004


def test_bare_skin_is_not_bent_to_a_skirts_outline():
    """The photo shows a long skirt, the figure wears shorts: calves do not grow to the skirt's sides."""
    figure = build_figure(replace(SLIM, bottom=Garment("shorts", colour("navy"))), "low")
    fitted, camera = fitted_to(figure, stand(figure, "a-pose"))
    truth = stand(build_figure(replace(SLIM, bottom=Garment("long skirt", colour("navy"))), "low"), "a-pose")
    bent, _ = followed(figure, fitted, perfect(truth, camera, outline(truth, camera)))
    before, after = (each.avatar.layer("skin").mesh.vertices.numpy() for each in (figure, bent))
    legs = (before[:, 1] > 0.15 * before[:, 1].max()) & (before[:, 1] < 0.3 * before[:, 1].max())
    assert np.linalg.norm(after - before, axis=1)[legs].max() < 0.04


def test_who_was_fitted_rightly_stays(slim):
    stance = stand(slim, "a-pose")
    fitted, camera = fitted_to(slim, stance)
    mask = outline(stance, camera)
    figure, _ = followed(slim, fitted, perfect(stance, camera, mask))
    for old, new in zip(slim.avatar.layers, figure.avatar.layers, strict=True):
        assert np.linalg.norm(old.mesh.vertices.numpy() - new.mesh.vertices.numpy(), axis=1).mean() < 0.01
    lifted = posed(figure.avatar, fitted.posture)
    assert all(np.isfinite(points).all() for points in lifted)
