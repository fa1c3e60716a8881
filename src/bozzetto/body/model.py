"""The parametric body: named measures in, vertices and joints out. Anny (Bregier et al. 2025), from ``data/body.npz``.

The rest pose is Anny's own: standing, arms held away from the sides. ``bind.py`` carries it to the T-pose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from bozzetto.types import Skeleton

PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions")
_ANCHORS = {
    "age": (-1 / 3, 0.0, 1 / 3, 2 / 3, 1.0),
    "gender": (0.0, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
    "cupsize": (0.0, 0.5, 1.0),
    "firmness": (0.0, 0.5, 1.0),
}
_COLUMNS = ("race", "gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness")


@dataclass(frozen=True, eq=False)
class Part:
    """A run of vertices with faces of its own: the body, or one of MakeHuman's helper surfaces."""

    start: int
    stop: int
    faces: Int[ndarray, "f 3"]
    """Indices into all vertices."""
    uvs: Float[ndarray, "f 3 2"]


@dataclass(frozen=True, eq=False)
class ShapedBody:
    """One body in Anny's rest pose."""

    vertices: Float[ndarray, "v 3"]
    """Every vertex, helpers included; metres, y-up, the soles of the feet at zero."""
    joints: Float[ndarray, "j 3"]


@dataclass(frozen=True, eq=False)
class Body:
    """The model itself, loaded once by ``load_body``."""

    template: Float[Tensor, "v 3"]
    components: Float[Tensor, "k v 3"]
    joint_template: Float[Tensor, "j 3"]
    joint_components: Float[Tensor, "k j 3"]
    phenotype_mask: Float[Tensor, "p variations"]
    phenotype_mean: Float[Tensor, "p"]
    phenotype_project: Float[Tensor, "p k"]
    parts: Mapping[str, Part]
    skin_weights: Float[ndarray, "v 4"]
    skin_joints: Int[ndarray, "v 4"]
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    local: Mapping[str, tuple[Int[ndarray, "_"], Float[ndarray, "_ 3"], Float[ndarray, "j 3"]]]
    """Local changes by MakeHuman's name ("nose-width1-incr"): vertices, offsets, joint offsets."""
    expressions: Mapping[str, tuple[Int[ndarray, "_"], Float[ndarray, "_ 3"]]]
    """The 52 ARKit expressions."""
    coco_names: tuple[str, ...]
    coco_indices: Int[ndarray, "c n"]
    coco_weights: Float[ndarray, "c n"]
    mirror: Int[ndarray, "v"]
    """The body vertex opposite to each; -1 for helpers."""
    masks: Mapping[str, ndarray]
    """Grey 512 px masks in UV space: lips, fingernails, toenails, eyelids, inside-mouth, ears, face."""

    def coefficients(self, phenotypes: Float[Tensor, "6"]) -> Float[Tensor, "k"]:
        """Component weights of phenotypes (``PHENOTYPES``, each in [0, 1]); differentiable."""
        values: dict[str, Tensor] = dict(zip(PHENOTYPES, phenotypes, strict=True))
        half = phenotypes.new_tensor(0.5)
        columns = [phenotypes.new_full((3,), 1 / 3)]
        for name in _COLUMNS[1:]:
            weights = _interpolate(values.get(name, half), _ANCHORS[name])
            # MakeHuman lists ideal proportions before uncommon ones, and male before female.
            columns.append(weights)
        row = torch.cat(columns)
        coefficients = torch.prod(row * self.phenotype_mask + (1 - self.phenotype_mask), 1)
        return (coefficients - self.phenotype_mean) @ self.phenotype_project

    def shape(
        self, phenotypes: Float[Tensor, "6"], local: Mapping[str, float] | None = None
    ) -> tuple[Float[Tensor, "v 3"], Float[Tensor, "j 3"]]:
        """Vertices and joints at rest, origin near the pelvis; differentiable in the phenotypes.

        Args:
            phenotypes: In the order of ``PHENOTYPES``, each in [0, 1].
            local: Strength of local changes, by MakeHuman's name.

        Raises:
            KeyError: A local change that does not exist.
        """
        weights = self.coefficients(phenotypes)
        vertices = self.template + torch.einsum("k,kvd->vd", weights, self.components)
        joints = self.joint_template + torch.einsum("k,kjd->jd", weights, self.joint_components)
        if local:
            vertex_offsets = np.zeros(self.template.shape, np.float32)
            joint_offsets = np.zeros(self.joint_template.shape, np.float32)
            for name, strength in local.items():
                indices, offsets, joint_change = self.local[name]
                vertex_offsets[indices] += np.float32(strength) * offsets
                joint_offsets += np.float32(strength) * joint_change
            vertices, joints = vertices + torch.from_numpy(vertex_offsets), joints + torch.from_numpy(joint_offsets)
        return vertices, joints

    def keypoints(self, vertices: Float[ndarray, "v 3"]) -> Float[ndarray, "c 3"]:
        """COCO's 17 key points, then toes and heels, of posed or resting vertices; ``coco_names`` says which."""
        return np.einsum("kn,knd->kd", self.coco_weights, vertices[self.coco_indices])

    def skeleton(self, joints: Float[ndarray, "j 3"]) -> Skeleton:
        return Skeleton(self.joint_names, self.joint_parents, torch.from_numpy(joints.astype(np.float32)))


def _interpolate(value: Float[Tensor, ""], anchors: tuple[float, ...]) -> Float[Tensor, "n"]:
    """Weights of piecewise linear interpolation between ``anchors``; values outside are clamped."""
    value = value.clamp(anchors[0], anchors[-1])
    hats = []
    for i, here in enumerate(anchors):
        weight = value.new_ones(())
        if i > 0:
            weight = torch.minimum(weight, (value - anchors[i - 1]) / (here - anchors[i - 1]))
        if i + 1 < len(anchors):
            weight = torch.minimum(weight, (anchors[i + 1] - value) / (anchors[i + 1] - here))
        hats.append(weight.clamp(min=0))
    return torch.stack(hats)


@cache
def load_body() -> Body:
    """The model from ``data/body.npz``; about 0.3 s the first time, then shared."""
    path = Path(__file__).parent / "data" / "body.npz"
    with np.load(path, allow_pickle=False) as archive:
        data = {name: archive[name] for name in archive.files}
    scale = data["components_scale"][:, None, None]
    components = torch.from_numpy(data["components"].astype(np.float32) * scale)
    names = [str(name) for name in data["helper_names"]]
    body_faces = data["faces"].astype(np.int64)
    parts = {"body": Part(0, int(data["helper_ranges"][0, 0]), body_faces, data["uvs"])}
    cuts = np.cumsum(data["helper_face_counts"])[:-1]
    faces = np.split(data["helper_faces"].astype(np.int64), cuts)
    uvs = np.split(data["helper_uvs"], cuts)
    for name, (start, stop), face, uv in zip(names, data["helper_ranges"], faces, uvs, strict=True):
        parts[name] = Part(int(start), int(stop), face, uv)

    def split(kind: str) -> list[tuple[ndarray, ndarray]]:
        ends = np.cumsum(data[f"{kind}_counts"])[:-1]
        indices = np.split(data[f"{kind}_indices"].astype(np.int64), ends)
        offsets = np.split(data[f"{kind}_offsets"].astype(np.float32) * np.float32(5e-6), ends)
        return list(zip(indices, offsets, strict=True))

    joint_changes = data["local_joints"].astype(np.float32)
    return Body(
        template=torch.from_numpy(data["template"]),
        components=components,
        joint_template=torch.from_numpy(data["joint_template"]),
        joint_components=torch.from_numpy(data["joint_components"]),
        phenotype_mask=torch.from_numpy(data["phenotype_mask"].astype(np.float32)),
        phenotype_mean=torch.from_numpy(data["phenotype_mean"]),
        phenotype_project=torch.from_numpy(data["phenotype_project"]),
        parts=parts,
        skin_weights=data["skin_weights"],
        skin_joints=data["skin_joints"].astype(np.int64),
        joint_names=tuple(str(name) for name in data["joint_names"]),
        joint_parents=tuple(int(parent) for parent in data["joint_parents"]),
        local={
            str(label): (indices, offsets, joints)
            for label, (indices, offsets), joints in zip(
                data["local_labels"], split("local"), joint_changes, strict=True
            )
        },
        expressions={
            str(label): shape for label, shape in zip(data["expression_labels"], split("expression"), strict=True)
        },
        coco_names=tuple(str(name) for name in data["coco_labels"]),
        coco_indices=data["coco_indices"].astype(np.int64),
        coco_weights=data["coco_weights"],
        mirror=data["mirror"].astype(np.int64),
        masks={name.removeprefix("mask_"): data[name] for name in data if name.startswith("mask_")},
    )
