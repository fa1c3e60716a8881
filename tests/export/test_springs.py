"""What hangs swings; what does not is left alone; nothing moves until something else does."""

import numpy as np
import torch

from bozzetto.body.bind import pose_transforms, skin
from bozzetto.export.springs import _distances, with_springs
from bozzetto.figure.build import build_figure
from bozzetto.subject.words import read_words
from export_people import at, hair, layer, legs, person, skeleton, skirt, tube


def quaternion(axis: int, degrees: float) -> tuple[float, float, float, float]:
    half = np.radians(degrees) / 2
    x, y, z = (np.sin(half) * (axis == each) for each in range(3))
    return float(np.cos(half)), float(x), float(y), float(z)


def test_trousers_and_short_hair_get_no_chains() -> None:
    trousers = [layer("bottom", leg.mesh, {"upperleg01.L": 1.0}) for leg in legs()]
    both = trousers[0].mesh.vertices, trousers[1].mesh.vertices
    faces = torch.cat([trousers[0].mesh.faces, trousers[1].mesh.faces + len(both[0])])
    mesh = type(trousers[0].mesh)(torch.cat(both), faces, torch.zeros(len(faces), 3, 2))
    sprung = with_springs(person(layer("bottom", mesh, {"upperleg01.L": 1.0}), hair(0.05)))
    assert not sprung.chains and not sprung.colliders
    assert sprung.avatar.skeleton.names == skeleton().names


def test_long_hair_swings_unless_it_goes_into_a_scarf() -> None:
    words = "a woman with long hair in a red maxi dress and a long coat"
    kinds = []
    for worn in ("", " and a scarf"):
        avatar = build_figure(read_words(words + worn).spec, "low").avatar
        kinds.append({chain.kind.name for chain in with_springs(avatar).chains})
        if worn:
            ends, loops = (
                avatar.layer("hair").mesh.vertices[:, 1].min(),
                avatar.layer("scarf").mesh.vertices[:, 1].max(),
            )
            assert ends < loops, "it ends inside"
    assert kinds == [{"hair", "skirt"}, {"scarf", "skirt"}]


def test_a_skirt_hangs_from_both_thighs_and_hair_from_the_head() -> None:
    sprung = with_springs(person(skirt(), hair()))
    names, parents = sprung.avatar.skeleton.names, sprung.avatar.skeleton.parents
    assert names[: len(skeleton().names)] == skeleton().names
    hung = {(chain.kind.name, names[parents[chain.joints[0]]]) for chain in sprung.chains}
    assert hung == {("skirt", "upperleg01.L"), ("skirt", "upperleg01.R"), ("hair", "head")}
    for chain in sprung.chains:
        assert len(chain.joints) >= 3
        assert [parents[joint] for joint in chain.joints[1:]] == list(chain.joints[:-1])
        y = sprung.avatar.skeleton.positions[list(chain.joints), 1]
        assert (np.diff(y) < -0.02).all()
        side = sprung.avatar.skeleton.positions[chain.joints[0], 0]
        if chain.kind.name == "skirt":
            assert side * at(names[parents[chain.joints[0]]])[0] > 0, "a leg's chains are on its side"
    follows = sprung.avatar.layer("bottom")
    lowest = follows.mesh.vertices[:, 1].argmin()
    on_chains = (follows.skin_joints[lowest] >= len(skeleton().names)) * follows.skin_weights[lowest]
    assert on_chains.sum() > 0.99
    assert torch.allclose(follows.skin_weights.sum(dim=1), torch.ones(1))


def test_while_no_spring_swings_a_skirt_follows_the_legs_as_it_did() -> None:
    before = person(skirt())
    after = with_springs(before).avatar
    for joint, axis, degrees in (("upperleg01.L", 0, -40.0), ("root", 1, 30.0), ("upperleg01.R", 2, 20.0)):
        pose = {joint: quaternion(axis, degrees)}
        old, new = (
            skin(
                avatar.layer("bottom").mesh.vertices.numpy(),
                avatar.layer("bottom").skin_weights.numpy(),
                avatar.layer("bottom").skin_joints.numpy(),
                pose_transforms(avatar.skeleton, pose),
            )
            for avatar in (before, after)
        )
        assert np.abs(old - new).max() < 0.01


def test_a_coat_and_the_skirt_beneath_it_share_their_chains() -> None:
    sprung = with_springs(person(skirt(), skirt("outer", 0.6, 0.24)))
    joints = [set(sprung.avatar.layer(name).skin_joints.unique().tolist()) for name in ("bottom", "outer")]
    chained = [{joint for joint in each if joint >= len(skeleton().names)} for each in joints]
    assert chained[0] and chained[0] & chained[1]
    assert len({chain.kind.name for chain in sprung.chains}) == 1


def test_no_chain_rests_inside_a_collider() -> None:
    for worn in ((skirt(radius=0.16),), (hair(),), (skirt(), hair())):
        sprung = with_springs(person(*worn))
        positions = sprung.avatar.skeleton.positions.numpy().astype(float)
        for collider in sprung.colliders:
            a = positions[collider.joint] + collider.offset
            b = a if collider.tail is None else positions[collider.joint] + collider.tail
            for chain in sprung.chains:
                if chain.kind.name == collider.kind:
                    away = _distances(positions[list(chain.joints[1:])], a, b)
                    assert (away >= collider.radius + chain.hit_radius).all()
    assert any(collider.radius > 0.03 for collider in sprung.colliders)


def test_pigtails_swing_on_their_sides_only() -> None:
    left, right = (tube((x, at("head")[1] + 0.1, at("head")[2]), at("head")[1] - 0.3, 0.02) for x in (0.15, -0.15))
    faces = torch.cat([left.faces, right.faces + len(left.vertices)])
    mesh = type(left)(torch.cat([left.vertices, right.vertices]), faces, torch.zeros(len(faces), 3, 2))
    sprung = with_springs(person(layer("hair", mesh, {"head": 1.0})))
    tops = sprung.avatar.skeleton.positions[[chain.joints[0] for chain in sprung.chains], 0]
    assert len(tops) >= 2 and (tops.abs() > 0.1).all() and tops.min() < 0 < tops.max()
