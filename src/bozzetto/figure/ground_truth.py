"""Random people with everything known about them: training data, crowds, and the benchmark's truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from bozzetto.body.bind import pose_transforms, skin
from bozzetto.body.landmarks import face_contours
from bozzetto.body.poses import Posture, poses, rotations
from bozzetto.figure.build import Figure, build_figure, posed
from bozzetto.figure.captions import captions
from bozzetto.figure.contact import taken
from bozzetto.figure.people import random_spec
from bozzetto.figure.piece import Detail
from bozzetto.figure.settle import settled
from bozzetto.figure.spec import FigureSpec
from bozzetto.render.cameras import orbit, view_directions, view_words
from bozzetto.render.conditions import depth_map, face_landmarks, normal_map, pose_skeleton
from bozzetto.render.light import Light, random_light
from bozzetto.render.mesh import render_mesh, tone_mapped
from bozzetto.render.scene import Scene, reposed, scene_from_layers
from bozzetto.render.visibility import sky_visibility
from bozzetto.types import Cameras, RenderOutput

Crop: TypeAlias = Literal["body", "head"]


@dataclass(frozen=True, eq=False)
class View:
    """One picture of a person, and its exact truth. Everything is of the same size and camera."""

    rgb: UInt8[ndarray, "h w 3"]
    """sRGB over ``background``."""
    output: RenderOutput
    """Linear light, coverage, depth, world normals and layer ids of this one view."""
    layer_names: tuple[str, ...]
    cameras: Cameras
    azimuth: float
    elevation: float
    """Degrees."""
    crop: Crop
    pose: str
    flat: bool
    """Lit by nothing: pure albedo."""
    background: tuple[float, float, float]
    """Linear."""
    keypoints: Float[ndarray, "k 2"]
    """Pixels; COCO's 17, then toes and heels."""
    visible: Bool[ndarray, "k"]
    """In the picture and not behind the person."""
    contours: Mapping[str, Float[ndarray, "_ 2"]]
    """Pixels, by the names of ``body.landmarks.face_contours``; empty where the face looks away."""

    @property
    def words(self) -> str:
        """ "front view", "side view", "back view" or "overhead view"."""
        return view_words(self.azimuth, self.elevation)

    @property
    def masks(self) -> dict[str, Bool[ndarray, "h w"]]:
        """Where each layer is seen."""
        ids = self.output.layer[0].numpy()
        return {name: ids == index for index, name in enumerate(self.layer_names) if (ids == index).any()}

    @cached_property
    def conditions(self) -> dict[str, UInt8[ndarray, "h w 3"]]:
        """The control pictures by name: pose, landmarks, normal, silhouette, depth; in ControlNet's colours."""
        size = self.rgb.shape[0], self.rgb.shape[1]
        # A skeleton shows what is hidden by the person as well, but no face from behind.
        x, y = self.keypoints.T
        shown = np.array((x >= 0) & (y >= 0) & (x < size[1]) & (y < size[0]))
        shown[:3] &= self.visible[:3]
        depth = depth_map(self.output)[0]
        alpha = self.output.alpha[0, :, :, 0].numpy()
        grey = {"silhouette": alpha, "depth": depth}
        eight = {name: np.repeat((image * 255 + 0.5).astype(np.uint8)[..., None], 3, 2) for name, image in grey.items()}
        normal = (normal_map(self.output, self.cameras)[0] * 255 + 0.5).astype(np.uint8)
        return {
            "pose": pose_skeleton(self.keypoints[:17], shown[:17], size),
            "landmarks": face_landmarks(contour_lines(self.contours), size),
            "normal": normal,
            **eight,
        }


_CONTROL_NAMES = {
    "oval": ("face_oval", True), "left_eye": ("left_eye", True), "right_eye": ("right_eye", True),
    "left_brow": ("left_eyebrow", False), "right_brow": ("right_eyebrow", False),
    "lips_outer": ("lips", True), "lips_inner": ("lips", True),
}  # fmt: skip


def contour_lines(contours: Mapping[str, Float[ndarray, "_ 2"]]) -> dict[str, list[Float[ndarray, "_ 2"]]]:
    """Face contours as ``render.conditions.face_landmarks`` draws them, closed where they are."""
    lines: dict[str, list[Float[ndarray, "_ 2"]]] = {}
    for name, points in contours.items():
        if name in _CONTROL_NAMES:
            control, closed = _CONTROL_NAMES[name]
            lines.setdefault(control, []).append(np.concatenate([points, points[:1]]) if closed else points)
    return lines


@dataclass(frozen=True, eq=False)
class Stance:
    """A figure in one pose, ready for cameras."""

    figure: Figure
    pose: str
    scene: Scene
    body: Float[ndarray, "v 3"]
    """Posed vertices of the body model, helpers included."""
    box: Float[ndarray, "2 3"]
    head: Float[ndarray, "2 3"]

    def view(
        self,
        azimuth: float,
        elevation: float = 0.0,
        size: int = 128,
        crop: Crop = "body",
        light: Light | None = None,
        background: tuple[float, float, float] = (1.0, 1.0, 1.0),
        supersample: int = 2,
        fov_degrees: float = 28.0,
    ) -> View:
        """A picture from an orbit around the body or the head.

        Args:
            azimuth: Degrees; 0 looks at the face, 90 at the left side.
            elevation: Degrees above the horizon.
            size: Pixels of a side.
            crop: What fills the picture.
            light: None is flat light, pure albedo.
            background: Linear colour.
        """
        low, high = self.box if crop == "body" else self.head
        target, reach = (low + high) / 2, np.linalg.norm(high - low) / 2
        if crop == "body":  # a standing person fills the height, whatever the arms do
            half = (high - low) / 2
            reach = float(max(half[1] * 1.04, np.hypot(half[0], half[2]) * 0.96))
        distance = float(reach / np.tan(np.radians(fov_degrees / 2)) + (0.15 if crop == "body" else 0.05))
        cameras = orbit(azimuth, elevation, distance, target, fov_degrees, size, size)
        output = render_mesh(self.scene, cameras, light, supersample, background)
        rgb = tone_mapped(output.rgb[0].numpy(), "film" if light is not None else "plain")
        body = self.figure.person.body
        keypoints, distances = _project(body.keypoints(self.body), cameras)
        visible = _seen(keypoints, distances, output, 0.12)
        contours = {}
        towards = view_directions(azimuth, elevation)[0]
        facing = self._face_direction() @ towards
        if facing > 0.2:
            contours = {name: _project(points, cameras)[0] for name, points in face_contours(self.body).items()}
        return View(
            rgb, output, self.scene.names, cameras, float(azimuth), float(elevation), crop, self.pose, light is None,
            background, keypoints, visible, contours,
        )  # fmt: skip

    def _face_direction(self) -> Float[ndarray, "3"]:
        points = self.figure.person.body.keypoints(self.body)
        nose, left, right = points[0], points[3], points[4]
        direction = nose - (left + right) / 2
        return direction / np.linalg.norm(direction)


def _project(points: Float[ndarray, "n 3"], cameras: Cameras) -> tuple[Float[ndarray, "n 2"], Float[ndarray, "n"]]:
    matrix, lens = cameras.world_to_camera[0].numpy(), cameras.intrinsics[0].numpy()
    seen = points @ matrix[:3, :3].T + matrix[:3, 3]
    pixels = seen @ lens.T
    return pixels[:, :2] / pixels[:, 2:], seen[:, 2]


def _seen(
    pixels: Float[ndarray, "n 2"], distances: Float[ndarray, "n"], output: RenderOutput, slack: float
) -> Bool[ndarray, "n"]:
    """Which points lie in the picture with nothing more than ``slack`` metres in front of them."""
    depth = output.depth[0, :, :, 0].numpy()
    column, row = np.floor(pixels).astype(int).T
    inside = (column >= 0) & (row >= 0) & (row < depth.shape[0]) & (column < depth.shape[1])
    here = depth[np.clip(row, 0, depth.shape[0] - 1), np.clip(column, 0, depth.shape[1] - 1)]
    return inside & ((here == 0) | (here > distances - slack))


_BOUNCED = np.float32(0.16)
"""Share of the sky's light that reaches hollows from the surfaces around them."""


def stand(figure: Figure, pose: str | Posture, base: Scene | None = None) -> Stance:
    """The figure in a pose, with its ambient occlusion; in full detail its clothes are kept outside each other.

    Args:
        figure: From ``build_figure``.
        pose: A name of ``body.poses``, or a posture.
        base: A scene of the same figure in any pose, to reuse its textures.
    """
    vertices, moved = placed(figure, pose)
    scene = scene_from_layers(figure.avatar.layers, vertices) if base is None else reposed(base, vertices)
    low_detail = figure.person.detail == "low"
    sky = sky_visibility(scene, 14 if low_detail else 48, 128 if low_detail else 256)
    scene = replace(scene, sky=sky if low_detail else sky + _BOUNCED * (1 - sky))
    every = scene.vertices
    box = np.stack([every.min(0), every.max(0)]).astype(np.float64)
    return Stance(figure, pose if isinstance(pose, str) else "", scene, moved, box, head_box(figure, vertices))


def placed(figure: Figure, pose: str | Posture) -> tuple[list[Float[ndarray, "_ 3"]], Float[ndarray, "v 3"]]:
    """Every layer's vertices in a pose, in full detail with clothes outside each other; and those of the body model."""
    posture = taken(figure, pose) if isinstance(pose, str) else pose
    vertices = posed(figure.avatar, posture, grounded=False)
    if figure.person.detail == "full":
        vertices = settled(figure.avatar, vertices)
    body = figure.person.body
    transforms = pose_transforms(figure.avatar.skeleton, rotations(posture))
    moved = skin(figure.body_vertices, body.skin_weights, body.skin_joints, transforms)
    vertices, floor = _on_the_floor(figure, vertices, moved[: body.parts["body"].stop])
    moved[:, 1] -= floor
    return vertices, moved


def _on_the_floor(
    figure: Figure, vertices: list[Float[ndarray, "_ 3"]], body: Float[ndarray, "v 3"]
) -> tuple[list[Float[ndarray, "_ 3"]], np.float32]:
    """The layers with the floor at zero, and where it was: skin and shoes stand on it, cloth and hair lie on it.

    Args:
        vertices: Posed points of each layer.
        body: Posed skin, worn under the clothes too.
    """
    soles = [points for layer, points in zip(figure.avatar.layers, vertices, strict=True) if layer.name == "shoes"]
    floor = np.float32(min(float(points[:, 1].min()) for points in (body, *soles)))
    return [np.maximum(points - [0, floor, 0], [-np.inf, 0, -np.inf]).astype(np.float32) for points in vertices], floor


def head_box(figure: Figure, vertices: list[Float[ndarray, "_ 3"]]) -> Float[ndarray, "2 3"]:
    """Lowest and highest corner around the posed head, with what grows on it and sits on it."""
    joints = [i for i, name in enumerate(figure.avatar.skeleton.names) if name in ("head", "eye.L", "eye.R", "neck03")]
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for layer, points in zip(figure.avatar.layers, vertices, strict=True):
        if layer.name in ("skin", "body", "hair"):
            strongest = layer.skin_joints.numpy()[:, 0]
            near = points[np.isin(strongest, joints)]
            if len(near):
                low, high = np.minimum(low, near.min(0)), np.maximum(high, near.max(0))
    middle, half = (low + high) / 2, (high - low) / 2
    half = np.minimum(half, half.min() * 1.6)
    return np.stack([middle - half, middle + half]).astype(np.float64)


@dataclass(frozen=True, eq=False)
class RandomPerson:
    """A person nobody asked for, and everything known about them."""

    seed: int
    spec: FigureSpec
    captions: tuple[str, ...]
    """Paraphrases in free English, each true of the spec."""
    figure: Figure

    def views(self, count: int = 12, size: int = 128) -> list[View]:
        """Pictures in three poses, with varied cameras, light and backgrounds; a quarter are heads, a quarter flat."""
        rng = np.random.default_rng([self.seed, 7])
        names = list(poses())
        chosen = [self.spec.pose, "standing", names[rng.integers(len(names))]]
        out: list[View] = []
        base: Scene | None = None
        for i, pose in enumerate(chosen):
            stance = stand(self.figure, pose, base)
            base = stance.scene
            for _ in range(len(range(i, count, len(chosen)))):
                crop: Crop = "head" if rng.random() < 0.25 else "body"
                elevation = float(rng.uniform(62, 80)) if rng.random() < 0.05 else float(rng.normal(4, 9))
                flat = rng.random() < 0.25
                light = None if flat else random_light(rng)
                level, tint = rng.beta(1.2, 0.9), rng.normal(0, 0.06, 3)
                background = tuple(float(value) for value in np.clip(level + tint, 0, 1))
                out.append(
                    stance.view(float(rng.uniform(-180, 180)), elevation, size, crop, light, background)  # type: ignore[arg-type]
                )
        return out


def random(seed: int, detail: Detail = "low") -> RandomPerson:
    """A person drawn from the whole space of specs, built.

    Args:
        seed: Same seed, same person.
        detail: ``low`` for training pictures, ``full`` for a character.
    """
    spec = random_spec(seed)
    return RandomPerson(seed, spec, captions(spec, seed, 4), build_figure(spec, detail))
