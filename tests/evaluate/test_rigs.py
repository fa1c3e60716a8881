"""Finished cases are kept; what a case is made of knows its known answers."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import trimesh

from bozzetto.evaluate import rigs
from bozzetto.evaluate.rigs import RigScore, figure_shell, largest, table
from bozzetto.figure.ground_truth import random
from bozzetto.scene.distance import signed_distance

SCORE = RigScore(
    "shell", 3, 100, 1.2, 2.5, 0.5, 4.0, {"legs": 12}, {"jawOpen": 1.5, "cheekPuff": 0.5},
    ("mouth", "left_eye", "right_eye"), 30.0, 31.0, 0.1, 5.0,
)  # fmt: skip


def test_finished_cases_are_not_carried_again(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(rigs, "random", lambda *_: type("Person", (), {"figure": "a figure"}))
    monkeypatch.setattr(rigs, "mesh_of", lambda *_: "a mesh")
    monkeypatch.setattr(rigs, "measure", lambda *given: calls.append(given) or SCORE)
    for _ in range(2):
        rigs.carry(["shell"], [3], tmp_path, tmp_path, 0.014, 90.0, None)
    assert len(calls) == 1
    assert json.loads((tmp_path / "shell-3.json").read_text()) == json.loads(json.dumps(asdict(SCORE)))
    printed = capsys.readouterr().out
    assert "| shell 3 | 100 | 1.20 (2.50) | 0.50 (4.00) | legs 12 | 1.5 jawOpen | 30 (31) | 10 % |" in printed


def test_a_case_where_nothing_was_cut_says_so():
    printed = table([RigScore(**{**asdict(SCORE), "cut": {}, "opened": ["mouth"]})])
    assert "| none |" in printed and "eyes stay shut" in printed


def test_the_largest_piece_is_kept():
    small, large = trimesh.creation.icosphere(1), trimesh.creation.icosphere(2)
    vertices = np.concatenate([small.vertices, large.vertices + 5])
    faces = np.concatenate([small.faces, large.faces + len(small.vertices)])
    kept, triangles = largest(vertices, faces)
    np.testing.assert_allclose(kept, large.vertices + 5)
    np.testing.assert_array_equal(triangles, large.faces)


@pytest.mark.slow
def test_a_shell_around_a_figure_is_closed_and_lies_close_around_it():
    figure = random(11, "low").figure
    mesh = figure_shell(figure, 0.03, 0.012)
    faces = mesh.faces.numpy()
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    assert (np.unique(ends, axis=0, return_counts=True)[1] == 2).all()
    body = figure.body_vertices[: figure.person.body.parts["body"].stop : 200].astype(float)
    away = signed_distance(body, mesh.vertices.double().numpy(), faces)
    assert (away < 0.005).mean() > 0.95
    assert np.median(away) > -0.06
