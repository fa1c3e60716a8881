"""What ControlNets are shown: maps of a render, pose skeletons and face contours, in the colours they learnt."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw

from bozzetto.render.mesh import render_mesh, to_srgb8
from bozzetto.render.scene import Scene
from bozzetto.types import Cameras, RenderOutput

_OPENPOSE_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
# Nose, neck, right arm, left arm, right leg, left leg, eyes, ears.
_OPENPOSE_FROM_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_OPENPOSE_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip

FACE_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "face_oval": (10, 200, 10),
    "lips": (10, 180, 10),
    "left_eye": (10, 200, 180),
    "left_eyebrow": (10, 220, 180),
    "right_eye": (180, 200, 10),
    "right_eyebrow": (180, 220, 10),
}
"""RGB of MediaPipe's contours as CrucibleAI's face ControlNet knows them."""


def albedo_map(
    scene: Scene, cameras: Cameras, background: tuple[float, float, float] | None = None
) -> UInt8[ndarray, "b h w 3"]:
    """sRGB colours without light."""
    return to_srgb8(render_mesh(scene, cameras, None, background=background), tone="plain")


def normal_map(output: RenderOutput, cameras: Cameras) -> Float[ndarray, "b h w 3"]:
    """Normals as the v1.1 normal ControlNet sees them: red points left, green up, blue to the viewer.

    Edges fade into the background, which is a wall that faces the viewer: (0.5, 0.5, 1).
    """
    normals, alpha = output.normal.numpy(), output.alpha.numpy()
    rotation = cameras.world_to_camera[:, :3, :3].numpy()
    right, down, forward = np.moveaxis(np.einsum("bij,bhwj->bhwi", rotation, normals), -1, 0)
    encoded = (np.stack([-right, -down, -forward], axis=-1) + 1) / 2
    wall = np.array([0.5, 0.5, 1.0], np.float32)
    return (encoded * alpha + wall * (1 - alpha)).astype(np.float32)


def depth_map(output: RenderOutput) -> Float[ndarray, "b h w"]:
    """Inverse depth stretched over each picture's figure: nearest 1, farthest 0, as is the background."""
    depth, alpha = output.depth.numpy()[..., 0], output.alpha.numpy()[..., 0]
    inverse = np.where(depth > 0, 1 / np.maximum(depth, 1e-6), np.nan)
    maps = np.zeros_like(depth)
    for picture, values, cover in zip(maps, inverse, alpha, strict=True):
        if cover.any():
            low, high = np.nanmin(values), np.nanmax(values)
            picture[:] = np.nan_to_num((values - low) / max(high - low, 1e-9)) * cover
    return maps


def silhouette(output: RenderOutput) -> Float[ndarray, "b h w"]:
    """Coverage, 0 to 1."""
    return output.alpha.numpy()[..., 0]


def layer_ids(output: RenderOutput) -> Int[ndarray, "b h w"]:
    """Which layer fills most of each pixel; -1 where nothing is."""
    return output.layer.numpy()


def pose_skeleton(
    keypoints_2d: Float[ndarray, "17 2"], visible: Bool[ndarray, "17"], size: int | tuple[int, int]
) -> UInt8[ndarray, "h w 3"]:
    """An OpenPose picture: 18 joints and 17 limbs on black.

    Args:
        keypoints_2d: Pixels, in COCO's order; the neck is halfway between the shoulders.
        visible: Which of them to draw; a limb needs both ends.
        size: Pixels: one side of a square, or (height, width). Sticks are 8 wide and dots 8 across at 512.

    Source: the drawing of CMU's OpenPose as packaged for ControlNet: limbs at 60 % of their colour, dots over them.
    """
    height, width = (size, size) if isinstance(size, int) else size
    joints: list[tuple[float, float] | None] = []
    for coco in _OPENPOSE_FROM_COCO:
        pair = (5, 6) if coco is None else (coco, coco)
        drawn = visible[pair[0]] and visible[pair[1]]
        x, y = (keypoints_2d[pair[0]] + keypoints_2d[pair[1]]) / 2
        joints.append((float(x), float(y)) if drawn and np.isfinite(x + y) else None)
    picture = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(picture)
    radius = max(4 * max(height, width) / 512, 1.0)
    for (start, end), colour in zip(_OPENPOSE_LIMBS, _OPENPOSE_COLOURS, strict=False):
        one, two = joints[start], joints[end]
        if one is not None and two is not None:
            pen.polygon(_stick(one, two, radius), fill=tuple(int(0.6 * value) for value in colour))
    for joint, colour in zip(joints, _OPENPOSE_COLOURS, strict=True):
        if joint is not None:
            x, y = joint
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return np.array(picture)


def face_landmarks(
    contours: Mapping[str, Sequence[Float[ndarray, "_ 2"]]], size: int | tuple[int, int]
) -> UInt8[ndarray, "h w 3"]:
    """A MediaPipe face picture: contours two pixels thick (at 512) on black. Nothing given, nothing drawn.

    In smaller pictures lines are as bright as they cover a pixel, and half a pixel thick in those of 128 px and less:
    whole pixels would move a small face's eyes and lips by half of one, and close its mouth or open it.

    Args:
        contours: Polylines in pixels by the names of `FACE_COLOURS`; repeat a closed one's first point.
        size: Pixels: one side of a square, or (height, width).

    Raises:
        ValueError: A contour has an unknown name.
    """
    height, width = (size, size) if isinstance(size, int) else size
    fine = math.ceil(512 / max(height, width))
    picture = Image.new("RGB", (fine * width, fine * height))
    pen = ImageDraw.Draw(picture)
    thickness = max(round(2 * fine * max(height, width) / 512), fine // 2, 1)
    for name, polylines in contours.items():
        if name not in FACE_COLOURS:
            raise ValueError(f"Unknown face contour {name!r}; known are {', '.join(FACE_COLOURS)}.")
        for line in polylines:
            if len(line) > 1 and np.isfinite(line).all():
                points = [(fine * float(x), fine * float(y)) for x, y in line]
                pen.line(points, fill=FACE_COLOURS[name], width=thickness, joint="curve")
    return np.array(picture.reduce(fine) if fine > 1 else picture)


def _stick(one: tuple[float, float], two: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    """An ellipse from joint to joint."""
    start, end = np.array(one), np.array(two)
    middle, along = (start + end) / 2, (end - start) / 2
    length = float(np.linalg.norm(along))
    across = np.array([-along[1], along[0]]) / length * radius if length > 0 else np.array([0.0, radius])
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)[:, None]
    return [(float(x), float(y)) for x, y in middle + np.cos(angles) * along + np.sin(angles) * across]
