"""Small layers with known answers."""

import numpy as np
import torch

from bozzetto.types import Layer, Material, Mesh


def plain(colour=(255, 255, 255), **keywords):
    """A material of one sRGB colour."""
    return Material(np.full((2, 2, len(colour)), colour, np.uint8), **keywords)


def layer(vertices, faces, uvs, material, name="thing"):
    count = len(vertices)
    mesh = Mesh(
        torch.as_tensor(np.asarray(vertices, np.float32)),
        torch.as_tensor(np.asarray(faces, np.int64)),
        torch.as_tensor(np.asarray(uvs, np.float32)),
    )
    return Layer(name, mesh, torch.eye(4)[:1].repeat(count, 1), torch.zeros((count, 4), dtype=torch.int64), material)


def square(material, z=0.0, half=1.0, name="square", repeat=1.0):
    """A square that faces +z, its texture upright."""
    vertices = [[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]]
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]]) * repeat
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    return layer(vertices, faces, uv[faces], material, name)


def ball(material, centre=(0.0, 0.0, 0.0), radius=1.0, rings=40, name="ball", keep=lambda points: True):
    """A sphere, or the faces of it whose middle `keep` likes; counter-clockwise from outside."""
    across = 2 * rings
    theta, phi = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, across, False), indexing="ij")
    points = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(rings), np.arange(across), indexing="ij")
    a, b = i * across + j, i * across + (j + 1) % across
    c, d = a + across, b + across
    faces = np.stack([np.stack([a, c, d], -1), np.stack([a, d, b], -1)], 2).reshape(-1, 3)
    corners = points[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    wanted = area > 1e-9
    faces = faces[wanted & np.broadcast_to(keep(corners.mean(1)), len(faces))]
    uvs = np.stack([phi.reshape(-1) / (2 * np.pi), theta.reshape(-1) / np.pi], -1)[faces]
    return layer(points * radius + np.asarray(centre), faces, uvs, material, name)
