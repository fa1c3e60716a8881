"""A turning lamp's shadows are those of a lamp that stands where it has turned to."""

import numpy as np

from bozzetto.render import lamp_visibility, scene_from_layers, studio, turning_visibility

from .shapes import ball, plain


def test_a_turned_lamp_casts_the_shadow_of_one_that_stands_there():
    scene = scene_from_layers([ball(plain(), (0, 0, 0), 1.0, rings=24), ball(plain(), (0.7, 1.1, 0.9), 0.45, rings=16)])
    light, angles = studio(), np.array([0.0, 73.0])
    turning = turning_visibility(scene, light.key, angles)
    shaded = []
    for seen, angle in zip(turning, angles, strict=True):
        still = lamp_visibility(scene, light.turned(float(angle)).key)
        assert np.corrcoef(seen, still)[0, 1] > 0.99
        shaded.append(still < 0.5)
    assert all(shadow.any() for shadow in shaded) and not (shaded[0] & shaded[1]).all(), "the shadow moved"
    assert turning_visibility(scene, light.key, np.array([200.0])).min() > 0.99, "seen from there it falls elsewhere"
