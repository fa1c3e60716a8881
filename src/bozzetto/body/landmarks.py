"""Named places on the body: face contours as chains of vertices, and regions as masks.

``data/landmarks.json`` was made once on the mean person, seen from the front. Eyes: the vertices of the skin faces
that border the visible eyeball, of those the foremost row, thinned to sixteen. Lips: the two boundary loops of the
faces inside the lips mask, cut at the corners, with twenty evenly spaced vertices each. Oval: the front vertices
nearest to a curve drawn along the hairline, temples and jaw. Brows and irises: where rays from the front meet the skin
along the brow ridge, and the eyeball at its centre and 5.5 mm around it, as mixtures of three vertices. The right side
is the left side's mirror.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from bozzetto.body.model import Body

CONTOURS = (
    "oval",
    "left_eye",
    "right_eye",
    "left_brow",
    "right_brow",
    "lips_outer",
    "lips_inner",
    "left_iris",
    "right_iris",
)
"""Left is the person's left (+x). The order of points within each is MediaPipe's: the oval runs from the forehead over
the left side, eyes from the outer corner over the upper lid, brows from the outer end along the upper edge, lips from
the right corner over the upper lip, irises centre first."""

FACE_MESH = {
    "left_eye": (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    "right_eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "left_brow": (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    "right_brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "lips_outer": (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    "lips_inner": (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
}  # fmt: skip
"""The points of MediaPipe's face mesh that lie on a contour, in its order."""

IRIS_RADIUS = 0.0055
"""Of the mean person, whose eyeballs measure 16 mm in radius and whose eyes open 8.4 mm; metres."""


@cache
def contour_vertices() -> dict[str, tuple[Int[ndarray, "n k"], Float[ndarray, "n k"]]]:
    """For each contour the vertices whose mixture each point is, and their shares."""
    table = json.loads((Path(__file__).parent / "data" / "landmarks.json").read_text())
    found = {}
    for name in CONTOURS:
        points = [
            point if isinstance(point, dict) else {"vertices": [point], "weights": [1.0]} for point in table[name]
        ]
        found[name] = (
            np.array([point["vertices"] for point in points]),
            np.array([point["weights"] for point in points], np.float32),
        )
    return found


def face_contours(vertices: Float[ndarray, "v 3"]) -> dict[str, Float[ndarray, "_ 3"]]:
    """The contours of ``CONTOURS`` on resting or posed vertices of the body."""
    return {
        name: np.einsum("nk,nkd->nd", weights, vertices[indices])
        for name, (indices, weights) in contour_vertices().items()
    }


@cache
def dominant_joint(body: Body) -> Int[ndarray, "v"]:
    """For every vertex the joint that moves it most."""
    return np.take_along_axis(body.skin_joints, body.skin_weights.argmax(1)[:, None], 1)[:, 0]


@cache
def regions(body: Body) -> dict[str, Bool[ndarray, "v"]]:
    """Masks over all vertices: head, face, scalp, neck, torso, and for each side arm, hand, leg and foot.

    Every vertex of the skin is in exactly one of head, neck, torso, the arms, hands, legs and feet, by the joint that
    moves it most; "hands" and "feet" join both sides. The face and the scalp are parts of the head: the front below
    the hairline without the ears, and what hair grows on.
    """
    names = np.array(body.joint_names)[dominant_joint(body)]

    def moved_by(*starts: str) -> Bool[ndarray, "v"]:
        return np.array([name.startswith(starts) for name in names])

    found = {"head": moved_by("head", "eye"), "neck": moved_by("neck")}
    for side, end in (("left", "L"), ("right", "R")):
        here = np.array([name.endswith(f".{end}") for name in names])
        found[f"{side}_hand"] = here & moved_by("wrist", "finger", "metacarpal")
        found[f"{side}_arm"] = here & moved_by("upperarm", "lowerarm")
        found[f"{side}_foot"] = here & moved_by("foot", "toe")
        found[f"{side}_leg"] = here & moved_by("upperleg", "lowerleg")
    limbs = np.any(list(found.values()), 0)
    found["torso"] = ~limbs
    found["hands"] = found["left_hand"] | found["right_hand"]
    found["feet"] = found["left_foot"] | found["right_foot"]
    template = body.template.numpy()
    oval = face_contours(template)["oval"]
    top, chin = oval[0], oval[18]
    height = (template[:, 1] - chin[1]) / (top[1] - chin[1])
    depth = (template[:, 2] - chin[2]) / (top[2] - chin[2])
    wide = np.abs(template[:, 0]) / oval[:, 0].max()
    found["face"] = found["head"] & (height > -0.05) & (height < 1.02) & (template[:, 2] > oval[8, 2]) & (wide < 1.02)
    # Hair grows above a line that falls from the forehead over the ears to the nape.
    found["scalp"] = found["head"] & (height > np.clip(0.55 + 0.45 * depth, 0.05, 1.0)) & ~found["face"]
    return found
