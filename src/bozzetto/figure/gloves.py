"""Gloves: the hands' own skin, swollen."""

import numpy as np
from numpy import ndarray
from scipy.spatial import cKDTree

from bozzetto.figure.fitted import Shape, mean_person, step, unit
from bozzetto.figure.wear import PLAIN, WIDTH, Skin, Thing
from bozzetto.geometry import vertex_normals


def gloves() -> Thing:
    """The hands' own skin, swollen, with a cuff beyond the wrist."""
    person = mean_person()
    part = person.body.parts["body"]
    v = person.vertices[: part.stop].astype(np.float64)
    inside = np.zeros(part.stop, bool)
    for side in "LR":
        wrist, elbow = person.joint(f"wrist.{side}"), person.joint(f"lowerarm01.{side}")
        axis = unit((wrist - elbow).astype(np.float64))
        inside |= ((v - wrist) @ axis > -0.045) & (np.linalg.norm(v - wrist, axis=1) < 0.26)
    faces = part.faces[inside[part.faces].all(1)]
    used, inverse = np.unique(faces, return_inverse=True)
    triangles = inverse.reshape(-1, 3)
    normals = vertex_normals(v[used], triangles)
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    pairs, seen = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(pairs[seen == 1])
    graph = np.concatenate([pairs, pairs[:, ::-1]])
    degree = np.bincount(graph[:, 0], minlength=len(used))[:, None]

    def mean(x: ndarray) -> ndarray:
        return np.stack([np.bincount(graph[:, 0], x[graph[:, 1], k], len(used)) for k in range(3)], 1) / degree

    points = v[used]
    smooth = points.copy()
    for _ in range(3):
        smooth += 0.5 * (mean(smooth) - smooth)
    for _ in range(4):
        normals = unit(normals + mean(normals))
    swollen = (
        points
        + np.clip(np.einsum("nd,nd->n", smooth - points, normals), 0, 0.002)[:, None] * normals
        + normals * 0.0024
    )
    distance = cKDTree(points[rim]).query(points)[0]
    cuff = 1 - step(0.0, 0.03, distance)
    swollen += normals * (0.003 * cuff)[:, None]
    edge = points[rim] + normals[rim] * 0.0005
    uv = np.stack([(v[..., 0] * 0.9) / WIDTH % 1.0, 0.75 * ((v[..., 2]) / 0.45 % 1.0)], -1)[faces]
    number = {int(r): len(used) + i for i, r in enumerate(rim)}
    border = pairs[seen == 1]
    direction = {(int(a), int(b)) for t in triangles for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))}
    border = np.array([(a, b) if (int(a), int(b)) in direction else (b, a) for a, b in border])
    inner = np.array([[number[int(a)], number[int(b)]] for a, b in border])
    fold = np.concatenate(
        [np.stack([border[:, 1], border[:, 0], inner[:, 0]], 1), np.stack([border[:, 1], inner[:, 0], inner[:, 1]], 1)]
    )
    plain = np.full((len(fold), 3, 2), [(PLAIN[0] + PLAIN[2]) / 2, (PLAIN[1] + PLAIN[3]) / 2])
    shape = Shape(np.concatenate([swollen, edge]), np.concatenate([triangles, fold]), np.concatenate([uv, plain]))
    every = np.concatenate([used, used[rim]])
    deep = np.zeros(part.stop, bool)
    deep[used[distance > 0.012]] = True
    body = person.body
    offset = shape.vertices - v[every]
    # Each vertex goes with its own place on the skin, so a plain sum of skin and offset carries it.
    return Thing(
        Skin(
            shape,
            every,
            offset.astype(np.float32),
            body.skin_weights[every],
            body.skin_joints[every],
            np.asarray(deep[part.faces].all(1)),
        )
    )
