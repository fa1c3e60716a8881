"""Fewer triangles: what stays is unchanged, what carries expressions stays, and errors are where nobody looks."""

from dataclasses import replace

import igl
import numpy as np
import pytest
import torch

from bozzetto.export.glb import write_glb
from bozzetto.export.read import read_glb
from bozzetto.export.simplify import LEVELS, at_level, count_triangles, simplify
from bozzetto.figure.build import build_figure
from bozzetto.figure.people import random_spec
from bozzetto.render.cameras import frame
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import scene_from_layers
from bozzetto.types import Avatar, Layer, Mesh, SparseOffsets, UserError
from export_people import GREY, hair, layer, person, skeleton, skirt


def grid(rows: int, columns: int, height: np.ndarray | float = 0.0, seam: int | None = None) -> Mesh:
    """A sheet of quads one metre wide; texture coordinates jump where column `seam` begins."""
    y, x = np.mgrid[0 : rows + 1, 0 : columns + 1]
    z = np.broadcast_to(height, x.shape)
    points = np.stack([x / columns, y / rows + 1.0, z], axis=2).reshape(-1, 3)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    faces = np.concatenate([
        np.stack([corner, corner + 1, corner + columns + 2], axis=1),
        np.stack([corner, corner + columns + 2, corner + columns + 1], axis=1),
    ])  # fmt: skip
    uvs = points[faces][..., :2] * 0.4
    if seam is not None:
        beyond = np.tile(np.arange(columns) >= seam, rows)
        uvs[np.concatenate([beyond, beyond])] += 0.5
    return Mesh(torch.tensor(points, dtype=torch.float32), torch.tensor(faces), torch.tensor(uvs, dtype=torch.float32))


def figure(*layers: Layer) -> Avatar:
    return Avatar(layers, skeleton())


def edges(faces: np.ndarray) -> np.ndarray:
    """How many faces each edge has."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return np.unique(ends, axis=0, return_counts=True)[1]


def rows_of(part: torch.Tensor, whole: torch.Tensor) -> list[int]:
    """Where each row of `part` stands in `whole`."""
    places = {tuple(row): place for place, row in enumerate(whole.tolist())}
    return [places[tuple(row)] for row in part.tolist()]


def test_a_flat_sheet_needs_few_triangles_and_keeps_its_outline() -> None:
    sheet = layer("sheet", grid(20, 20), {"head": 1.0})
    less = simplify(figure(sheet), 60).layers[0]
    points, faces = less.mesh.vertices.numpy(), less.mesh.faces.numpy()
    assert len(faces) <= 60
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    area = np.cross(b - a, c - a)
    assert (area[:, 2] > 0).all()  # nothing is folded over
    assert area[:, 2].sum() / 2 == pytest.approx(1.0, abs=1e-6)  # and nothing is missing
    assert edges(faces).max() == 2


def test_what_stays_keeps_everything_it_had() -> None:
    before = person(skirt(), hair())
    after = at_level(before, 1)
    assert count_triangles(after) <= count_triangles(before) / 2
    assert (after.skeleton, after.clips) == (before.skeleton, before.clips)
    for old, new in zip(before.layers, after.layers, strict=True):
        assert new.name == old.name and new.material is old.material
        kept = rows_of(new.mesh.vertices, old.mesh.vertices)
        assert torch.equal(new.skin_weights, old.skin_weights[kept])
        assert torch.equal(new.skin_joints, old.skin_joints[kept])
        for name, moves in new.expressions.items():
            whole = torch.zeros(len(old.mesh.vertices), 3)
            whole[old.expressions[name].indices] = old.expressions[name].offsets
            part = torch.zeros(len(new.mesh.vertices), 3)
            part[moves.indices] = moves.offsets
            assert torch.equal(part, whole[kept]), name


def test_every_expression_still_moves_what_it_moved_furthest() -> None:
    before = person()
    after = simplify(before, count_triangles(before) // 8)
    (old,), (new,) = ([each for each in avatar.layers if each.expressions] for avatar in (before, after))
    assert set(new.expressions) == set(old.expressions)
    for name, moves in old.expressions.items():
        furthest = moves.offsets.norm(dim=1).max()
        assert new.expressions[name].offsets.norm(dim=1).max() == pytest.approx(float(furthest))


def test_a_joint_keeps_the_vertices_it_needs_to_bend() -> None:
    """Two flat sheets alike but for their weights: the one that bends in the middle keeps its middle."""
    share = np.clip((grid(24, 6).vertices[:, 1].numpy() - 1.4) / 0.2, 0, 1)
    bending = layer("bending", grid(24, 6), {"upperarm01.L": 1 - share, "lowerarm01.L": share})
    stiff = layer("stiff", grid(24, 6), {"upperarm01.L": 1.0})
    stiff = replace(stiff, mesh=replace(stiff.mesh, vertices=stiff.mesh.vertices + torch.tensor([2.0, 0.0, 0.0])))
    for order in ((bending, stiff), (stiff, bending)):
        less = simplify(figure(*order), 160)
        middle = [((less.layer(name).mesh.vertices[:, 1] - 1.5).abs() < 0.12).sum() for name in ("bending", "stiff")]
        assert middle[0] >= 2 * middle[1] + 2
        assert len(less.layer("bending").mesh.faces) > len(less.layer("stiff").mesh.faces)


def test_a_seam_stays_where_it_is() -> None:
    sheet = layer("sheet", grid(16, 16, seam=8), {"head": 1.0})
    less = simplify(figure(sheet), 90).layers[0].mesh
    left = less.uvs[..., 0].numpy() < 0.45
    assert (left.all(axis=1) | ~left.any(axis=1)).all()  # no triangle spans both sides of it
    x = less.vertices[less.faces][..., 0].numpy()
    assert x[left].max() == pytest.approx(0.5) and x[~left].min() == pytest.approx(0.5)
    # A flat texture on a flat sheet still lies where it lay.
    assert np.allclose(less.uvs[..., 0].numpy() - np.where(left, 0, 0.5), 0.4 * x, atol=1e-6)


def test_no_piece_vanishes_and_closed_ones_stay_closed() -> None:
    def ball(centre: tuple[float, float, float]) -> Mesh:
        u, v = np.meshgrid(np.arange(16) / 16 * 2 * np.pi, np.arange(1, 12) / 12 * np.pi)
        points = np.stack([np.sin(v) * np.sin(u), np.cos(v), np.sin(v) * np.cos(u)], axis=2).reshape(-1, 3)
        points = np.concatenate([points, [[0, 1, 0], [0, -1, 0]]]) * 0.012 + centre
        faces = []
        for turn in range(16):
            here, there = turn, (turn + 1) % 16
            faces += [(176, here, there), (177, 160 + there, 160 + here)]
            for ring in range(10):
                a, b, c, d = (ring * 16 + here, ring * 16 + there, ring * 16 + 16 + here, ring * 16 + 16 + there)
                faces += [(a, c, b), (b, c, d)]
        return Mesh(torch.tensor(points, dtype=torch.float32), torch.tensor(faces), torch.zeros(len(faces), 3, 2))

    eyes = [layer(f"eye{side}", ball((side * 0.03, 1.6, 0.1)), {"head": 1.0}) for side in (-1, 1)]
    less = simplify(figure(*eyes, layer("sheet", grid(40, 40), {"head": 1.0})), 250)
    for each in less.layers[:2]:
        assert len(each.mesh.faces) >= 24
        assert (edges(each.mesh.faces.numpy()) == 2).all()


def test_a_lining_goes_along_with_the_sheet_it_lines() -> None:
    """Each face twice in front and once behind, as in hair that hangs: both sides stay, and both stay whole."""
    sheet = grid(20, 20)
    mesh = Mesh(
        sheet.vertices,
        torch.cat([sheet.faces, sheet.faces.roll(1, 1), sheet.faces.flip(1)]),
        torch.cat([sheet.uvs, sheet.uvs.roll(1, 1), sheet.uvs.flip(1)]),
    )
    less = simplify(figure(layer("lined", mesh, {"head": 1.0})), 120).layers[0]
    points, faces = less.mesh.vertices.numpy(), less.mesh.faces.numpy()
    assert len(faces) <= 120
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    area = np.cross(b - a, c - a)[:, 2] / 2
    assert area[area > 0].sum() == pytest.approx(1.0, abs=1e-6)
    assert area[area < 0].sum() == pytest.approx(-1.0, abs=1e-6)
    assert torch.allclose(less.mesh.uvs, 0.4 * less.mesh.vertices[less.mesh.faces][..., :2])
    assert less.normals is not None and (less.normals[:, 2] > 0.99).all()


def test_waving_hair_leaves_the_skin_its_triangles() -> None:
    """A hundred strips that wave by centimetres beside skin that bulges by half a millimetre."""
    wave = 0.06 * np.sin(np.arange(21) * 1.3)[:, None]
    strip, count = grid(20, 1, wave), 100
    place = torch.stack([torch.linspace(2, 6, count), torch.zeros(count), torch.zeros(count)], 1)
    hanging = Mesh(
        (strip.vertices * torch.tensor([0.02, 0.5, 1.0]) + place[:, None]).reshape(-1, 3),
        torch.cat([strip.faces + 42 * i for i in range(count)]),
        torch.cat([strip.uvs] * count),
    )
    bulges = 0.0005 * np.sin(np.mgrid[0:46, 0:46]).prod(axis=0)
    hair, skin = (layer(*each, {"head": 1.0}) for each in (("hair", hanging), ("skin", grid(45, 45, bulges))))
    less = simplify(figure(hair, skin), 2000)
    assert count_triangles(less) > 1950
    assert 400 < len(less.layer("hair").mesh.faces) <= 1.6 * 4000 * 2000 / 8050


def test_strands_become_quads_and_go_only_in_need() -> None:
    """A head of two hundred strips: two triangles each as long as that is enough, then fewer strips."""
    strips = [grid(8, 1) for _ in range(200)]
    vertices = torch.cat([strip.vertices * 0.1 + torch.tensor([0.11 * i, 0.0, 0.0]) for i, strip in enumerate(strips)])
    faces = torch.cat([strip.faces + 18 * i for i, strip in enumerate(strips)])
    mesh = Mesh(vertices, faces, torch.cat([strip.uvs for strip in strips]))
    strands = layer("hair", mesh, {"head": 1.0})
    assert len(simplify(figure(strands), 400).layers[0].mesh.faces) == 400
    fewer = simplify(figure(strands), 200).layers[0].mesh
    assert 150 <= len(fewer.faces) <= 200
    assert np.ptp(fewer.vertices[:, 0].numpy()) > 0.8 * np.ptp(vertices[:, 0].numpy())  # from all over the head
    with pytest.raises(UserError, match=r"100 is the least.*--max-triangles"):
        simplify(figure(strands), 50)


def test_a_simplified_character_survives_its_file(tmp_path) -> None:
    less = at_level(person(skirt(), expression={"jawOpen": 0.2}), 2)
    write_glb(less, tmp_path / "less.glb")
    back = read_glb(tmp_path / "less.glb")
    for old, new in zip(less.layers, back.layers, strict=True):
        assert torch.equal(new.mesh.vertices[new.mesh.faces], old.mesh.vertices[old.mesh.faces])
        assert set(new.expressions) == set(old.expressions)


def test_all_of_it_is_left_alone() -> None:
    avatar = person()
    assert simplify(avatar, count_triangles(avatar)) is avatar
    assert at_level(avatar, 0) is avatar
    assert list(LEVELS) == sorted(LEVELS, reverse=True)


def test_broken_surfaces_are_carried_along() -> None:
    """Three faces on one edge, two fans on one vertex: nothing collapses there, and nothing falls over."""
    sheet = grid(6, 6)
    extra = torch.tensor([[0, 1, 30], [0, 1, 40], [24, 44, 10]])
    mesh = Mesh(sheet.vertices, torch.cat([sheet.faces, extra]), torch.cat([sheet.uvs, torch.zeros(3, 3, 2)]))
    moves = {"jawOpen": SparseOffsets(torch.tensor([3]), torch.ones(1, 3))}
    weights, joints = torch.tensor([[1.0, 0.0, 0.0, 0.0]] * 49), torch.zeros(49, 4, dtype=torch.int64)
    less = simplify(figure(Layer("odd", mesh, weights, joints, GREY, moves)), 40)
    faces = less.layers[0].mesh.faces
    assert ((faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])).all()
    assert len(faces) <= 40


def outline(avatar: Avatar, azimuth: float) -> np.ndarray:
    """Which pixels of 768 are covered, seen from one side."""
    scene = scene_from_layers(avatar.layers)
    box = np.array([[-0.95, 0.0, -0.4], [0.95, 2.0, 0.4]])
    return render_mesh(scene, frame(box, azimuth, 4.0, 14.0, 768)).alpha[0, ..., 0].numpy() > 0.5


def expression_errors(whole: Avatar, less: Avatar) -> np.ndarray:
    """Millimetres from each vertex that an expression moves to the simplified surface in that expression."""
    (old, new) = (avatar.layer("skin") for avatar in (whole, less))
    errors = []
    for name, moves in old.expressions.items():
        points, surface = (each.mesh.vertices.clone() for each in (old, new))
        points[moves.indices] += moves.offsets
        if name in new.expressions:
            surface[new.expressions[name].indices] += new.expressions[name].offsets
        far = moves.offsets.norm(dim=1) > 5e-4
        queries = points[moves.indices[far]].double().numpy()
        if len(queries):
            squared, _, _ = igl.point_mesh_squared_distance(queries, surface.double().numpy(), new.mesh.faces.numpy())
            errors.append(np.sqrt(squared) * 1000)
    return np.concatenate(errors)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_levels_look_alike(seed: int) -> None:
    """Outlines and expressions of random figures against the whole; `-rP` shows the numbers."""
    whole = build_figure(random_spec(seed)).avatar
    for level, least, most in ((1, 0.995, 0.5), (2, 0.985, 1.2), (3, 0.96, 4.0)):
        less = at_level(whole, level)
        shared = []
        for azimuth in (0.0, 90.0, 210.0):
            before, after = outline(whole, azimuth), outline(less, azimuth)
            shared.append((before & after).sum() / (before | after).sum())
        errors = expression_errors(whole, less)
        print(
            f"level {level}: {count_triangles(less):,} of {count_triangles(whole):,} triangles, outline IoU "
            f"{min(shared):.4f}, expressions {errors.mean():.2f} mm, 99 % within {np.percentile(errors, 99):.2f} mm"
        )
        assert min(shared) >= least
        assert np.percentile(errors, 99) <= most
