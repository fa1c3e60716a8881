"""Visemes and presets are mixtures of ARKit's shapes; a resting face becomes a shape."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bozzetto.body.model import load_body
from bozzetto.export.expressions import ARKIT, VISEMES, VRM_PRESETS, at_rest, mixture, names_in, with_visemes
from bozzetto.figure.build import expressed
from export_people import face, person, skirt


def test_the_names_are_those_of_the_standards() -> None:
    assert len(set(ARKIT)) == 52
    assert set(load_body().expressions) == set(ARKIT)
    assert list(VISEMES) == "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()
    assert len(VRM_PRESETS) == 18
    for weights in (*VISEMES.values(), *VRM_PRESETS.values()):
        assert set(weights) <= set(ARKIT) and all(0 < weight <= 1 for weight in weights.values())
    assert len({tuple(sorted(weights.items())) for weights in VISEMES.values()}) == 15


def test_a_mixture_is_the_sum_of_its_shapes() -> None:
    skin = face()
    weights = {"jawOpen": 0.5, "mouthFunnel": 0.25, "not there": 1.0}
    mixed = replace(skin, expressions={"both": mixture(skin, weights)})
    np.testing.assert_allclose(expressed(mixed, {"both": 1.0}), expressed(skin, weights), atol=1e-7)


def test_visemes_become_expressions_where_a_face_is() -> None:
    before = person(skirt())
    after = with_visemes(before)
    assert names_in(after)[:5] == names_in(before)
    assert names_in(after)[5:] == tuple(f"viseme_{name}" for name in VISEMES)
    assert len(after.layer("skin").expressions["viseme_sil"].indices) == 0
    assert not after.layer("bottom").expressions
    known = {name: weight for name, weight in VISEMES["O"].items() if name in before.layer("skin").expressions}
    np.testing.assert_allclose(
        expressed(after.layer("skin"), {"viseme_O": 1.0}), expressed(before.layer("skin"), known), atol=1e-7
    )


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_a_resting_smile_becomes_the_shape_and_a_full_one_stays_full(weight: float) -> None:
    before = person(expression={"mouthSmileLeft": weight})
    after = at_rest(before)
    assert after.expression == {}
    skin, plain = before.layer("skin"), after.layer("skin")
    np.testing.assert_allclose(plain.mesh.vertices, expressed(skin, {"mouthSmileLeft": weight}), atol=1e-7)
    full = expressed(skin, {"mouthSmileLeft": 1.0})
    np.testing.assert_allclose(expressed(plain, {"mouthSmileLeft": 1.0}), full, atol=1e-7)
    jaw = expressed(skin, {"mouthSmileLeft": weight, "jawOpen": 0.5})
    np.testing.assert_allclose(expressed(plain, {"jawOpen": 0.5}), jaw, atol=1e-7)
    assert torch.equal(before.layer("skin").mesh.vertices, face().mesh.vertices), "the given avatar is left alone"
