"""One mesh, one material: every corner finds in the atlas what it found in its own texture."""

from dataclasses import replace

import numpy as np
import torch

from bozzetto.export.atlas import atlased
from bozzetto.export.glb import gltf_document
from bozzetto.export.vrm import vrm_document
from bozzetto.types import Avatar, Material
from export_people import everything


def looked_up(image: np.ndarray, uvs: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    column = np.floor(uvs[:, 0] % 1 * width).astype(int).clip(0, width - 1)
    row = np.floor(uvs[:, 1] % 1 * height).astype(int).clip(0, height - 1)
    return image[row, column].astype(int)


def spread() -> Avatar:
    """Texture coordinates all over each texture, and beyond one of them; smooth pictures, each of its own colour."""
    ramp = np.linspace(0, 200, 128)
    layers = []
    for index, layer in enumerate(everything().layers):
        picture = np.zeros((128, 128, 4), np.uint8)
        picture[..., 0], picture[..., 1], picture[..., 2] = ramp, ramp[:, None], 50 * index
        picture[..., 3] = 255
        rough = picture[..., 0].copy() if index == 1 else 0.25 * index
        normal = picture[..., :3].copy() if index == 0 else None
        material = Material(picture if index == 4 else picture[..., :3], normal, rough, alpha="mask")
        reach = (1.0, 0.5, 0.3, 1.0, 1.9)[index]
        generator = torch.Generator().manual_seed(index)
        corners = 0.03 + 0.94 * reach * torch.rand(layer.mesh.uvs.shape, generator=generator)
        layers.append(replace(layer, mesh=replace(layer.mesh, uvs=corners), material=material))
    return replace(everything(), layers=tuple(layers))


def test_every_corner_finds_its_colour() -> None:
    before = spread()
    (after,) = atlased(before).layers
    start = 0
    for layer in before.layers:
        here = after.mesh.uvs[start : start + len(layer.mesh.faces)].reshape(-1, 2).numpy()
        start += len(layer.mesh.faces)
        corners = layer.mesh.uvs.reshape(-1, 2).numpy()
        edge = (np.abs(corners % 1 - 0.5) > 0.47).any(axis=1)  # where a repeated picture jumps
        old, new = looked_up(layer.material.albedo, corners), looked_up(after.material.albedo, here)
        assert np.abs(new[:, :3] - old[:, :3])[~edge].max() <= 6, layer.name
        rough = looked_up(after.material.roughness, here)
        expected = layer.material.roughness
        expected = 255 * expected if isinstance(expected, float) else looked_up(expected, corners)
        assert np.abs(rough - expected)[~edge].max() <= 6, layer.name
        flat = looked_up(after.material.normal, here)
        expected = [[128, 128, 255]] if layer.material.normal is None else looked_up(layer.material.normal, corners)
        assert np.abs(flat - expected)[~edge].max() <= 6, layer.name


def test_the_mesh_is_the_layers_one_after_the_other() -> None:
    before = everything()
    (after,) = atlased(before).layers
    assert torch.equal(after.mesh.vertices, torch.cat([layer.mesh.vertices for layer in before.layers]))
    assert torch.equal(after.skin_joints, torch.cat([layer.skin_joints for layer in before.layers]))
    assert (after.mesh.uvs >= 0).all() and (after.mesh.uvs <= 1).all()
    face = before.layers[0].expressions["jawOpen"]
    assert torch.equal(
        after.mesh.vertices[after.expressions["jawOpen"].indices], before.layers[0].mesh.vertices[face.indices]
    )
    assert after.material.alpha == "mask" and after.material.albedo.shape[2] == 4


def test_a_narrow_atlas_shrinks_its_tiles() -> None:
    (after,) = atlased(spread(), side=128).layers
    assert after.material.albedo.shape[:2] == (128, 128)


def test_files_have_one_mesh_and_one_material() -> None:
    document, _ = gltf_document(atlased(everything()))
    assert len(document["meshes"]) == len(document["materials"]) == 1
    document, _ = vrm_document(everything(), atlas=True)
    assert len(document["meshes"]) == len(document["materials"]) == 1
    assert "VRMC_springBone" in document["extensions"]  # found before the layers were one
