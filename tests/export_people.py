"""A person of sticks and tubes on Anny's real skeleton: what a VRM needs, in milliseconds."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from bozzetto.body.bind import bind_t_pose
from bozzetto.body.model import load_body
from bozzetto.body.person import shape_person
from bozzetto.figure.spec import BodySpec, FaceSpec
from bozzetto.types import Avatar, Clip, Layer, Material, Mesh, Skeleton, SparseOffsets

GREY = Material(np.full((4, 4, 3), 128, np.uint8))


@cache
def skeleton() -> Skeleton:
    body = load_body()
    shaped = shape_person(body, BodySpec(), FaceSpec())
    joints = bind_t_pose(body.joint_names, body.joint_parents, shaped.joints).joints
    return body.skeleton(joints.astype(np.float32))


def at(joint: str) -> np.ndarray:
    return skeleton().positions[skeleton().index(joint)].numpy().astype(float)


def tube(top: tuple[float, float, float], bottom: float, radius: float, turns: int = 24, rings: int = 13) -> Mesh:
    """An open cylinder around a vertical axis, from `top` down to a height."""
    x, high, z = top
    angles = np.arange(turns) * 2 * np.pi / turns + 0.01
    levels = np.linspace(high, bottom, rings)
    points = np.array([[x + radius * np.sin(a), y, z + radius * np.cos(a)] for y in levels for a in angles])
    faces = []
    for ring in range(rings - 1):
        for turn in range(turns):
            a, b = ring * turns + turn, ring * turns + (turn + 1) % turns
            faces += [(a, a + turns, b), (b, a + turns, b + turns)]
    return Mesh(torch.tensor(points, dtype=torch.float32), torch.tensor(faces), torch.zeros(len(faces), 3, 2))


def layer(name: str, mesh: Mesh, follows: dict[str, np.ndarray | float], expressions=None) -> Layer:
    """A layer whose vertices follow joints by share."""
    count = len(mesh.vertices)
    weights = torch.zeros(count, 4)
    joints = torch.zeros(count, 4, dtype=torch.int64)
    for column, (joint, share) in enumerate(follows.items()):
        weights[:, column] = torch.as_tensor(np.broadcast_to(share, count).astype(np.float32).copy())
        joints[:, column] = skeleton().index(joint)
    return Layer(name, mesh, weights, joints, GREY, expressions or {})


def face() -> Layer:
    mesh = tube((0.0, at("head")[1] + 0.2, at("head")[2]), at("head")[1] + 0.01, 0.09)
    count = len(mesh.vertices)
    moves = {
        name: SparseOffsets(torch.tensor([index, index + 40]), torch.tensor([[0.0, -0.01, 0.0], [0.0, 0.0, 0.02]]))
        for index, name in enumerate(("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthFunnel"))
    }
    assert count > 50
    return layer("skin", mesh, {"head": 1.0}, moves)


def legs() -> list[Layer]:
    out = []
    for side in (".L", ".R"):
        top, knee, foot = (at(f"{bone}{side}") for bone in ("upperleg01", "lowerleg01", "foot"))
        mesh = tube((top[0], top[1], top[2]), 0.0, 0.06)
        y = mesh.vertices[:, 1].numpy()
        shin = np.clip((knee[1] - y) / 0.05 + 0.5, 0, 1)
        out.append(layer(f"leg{side}", mesh, {f"upperleg02{side}": 1 - shin, f"lowerleg02{side}": shin}))
        assert foot[1] < knee[1]
    return out


def skirt(name: str = "bottom", length: float = 0.45, radius: float = 0.2) -> Layer:
    """Around both legs; each side follows its leg."""
    hip = at("upperleg01.L")
    mesh = tube((0.0, hip[1] + 0.1, hip[2]), hip[1] - length, radius)
    left = np.clip(mesh.vertices[:, 0].numpy() / 0.2 + 0.5, 0, 1)
    loose = np.clip((hip[1] + 0.05 - mesh.vertices[:, 1].numpy()) / 0.1, 0, 1)
    return layer(name, mesh, {"upperleg01.L": left * loose, "upperleg01.R": (1 - left) * loose, "root": 1 - loose})


def hair(length: float = 0.3) -> Layer:
    head = at("head")
    mesh = tube((0.0, head[1] + 0.15, head[2]), head[1] - length, 0.12)
    return layer("hair", mesh, {"head": 0.7, "spine01": 0.3})


def person(*worn: Layer, **changes) -> Avatar:
    return Avatar((face(), *legs(), *worn), skeleton(), **changes)


def everything() -> Avatar:
    """A person with every kind of material, a clip and a resting smile."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 4), dtype=np.uint8)
    noise[..., 3] = np.where(np.arange(256) < 128, 255, 0)
    painted = Material(noise[..., :3], normal=noise[..., :3], roughness=noise[..., 0], metallic=0.25)
    looks = (painted, painted, Material(noise[..., :3], roughness=0.4), painted, Material(noise, alpha="mask"))
    avatar = person(skirt(), hair(), expression={"mouthSmileLeft": 0.5})
    layers = tuple(replace(layer, material=look) for layer, look in zip(avatar.layers, looks, strict=True))
    turn = np.tile([np.cos(0.3), np.sin(0.3), 0.0, 0.0], (3, 1))
    walk = Clip("walk", np.array([0.0, 0.5, 1.0]), {"head": turn}, np.array([[0.0, 0.1, 0.0]] * 3))
    return replace(avatar, layers=layers, clips=(walk,))
