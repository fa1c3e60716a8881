"""Who is in a picture: people, their landmarks and outline, and a face mesh, by the models inside MediaPipe's wheel.

BlazePose (Bazarevsky et al. 2020, arXiv:2006.10204) in two stages, run as graphs of our own, because its ready-made
solution looks at one person only: first every person in the picture, then the landmarks of a chosen one. The landmark
stage sees the person three times (twice, once mirrored, and once a little wider) and the mean is taken.

MediaPipe is the optional extra ``photo``; nothing of it is imported before a photo is read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from bozzetto.subject.photos import Face, Keypoints
from bozzetto.types import UserError

MIRROR = (
    0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23, 26, 25, 28, 27, 30, 29,
    32, 31,
)  # fmt: skip
"""The opposite of each landmark."""

_ROOM = 1.25
"""The landmark model is shown this much more than the circle around a person."""
_VIEW = 640
"""Pixels of the square in which the landmark model works; its mask has as many."""

_PEOPLE = """
input_stream: "image"
output_stream: "people"
node { calculator: "PoseDetectionCpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:people" }
"""
_LANDMARKS = """
input_stream: "image"
input_stream: "place"
input_side_packet: "model_complexity"
input_side_packet: "enable_segmentation"
output_stream: "landmarks"
output_stream: "circle"
output_stream: "world"
output_stream: "mask"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:place"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_side_packet: "ENABLE_SEGMENTATION:enable_segmentation"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "AUXILIARY_LANDMARKS:circle"
  output_stream: "WORLD_LANDMARKS:world"
  output_stream: "SEGMENTATION_MASK:mask"
}
"""


@dataclass(frozen=True, eq=False)
class Circle:
    """Where a person is: a circle around all of them."""

    centre: Float[ndarray, "2"]
    """Pixels: the middle of the hips."""
    rim: Float[ndarray, "2"]
    """Pixels: the point of the circle above the head."""
    score: float
    """0 to 1, how surely it is a person."""

    @property
    def radius(self) -> float:
        return float(np.linalg.norm(self.rim - self.centre))


@dataclass(frozen=True, eq=False)
class Seen:
    """A person's landmarks and rough outline."""

    keypoints: Keypoints
    mask: Float[ndarray, "h w"]
    """Of the whole picture; its edges are as coarse as the model's 256 pixels."""


def need_mediapipe() -> None:
    """Does nothing where the extra is installed.

    Raises:
        UserError: It is missing, or cannot be loaded.
    """
    try:
        with _quiet():
            import mediapipe.python.solution_base as base  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        missing = "libGL" in str(error) and "A system library is missing (libGL: `apt install libgl1`). "
        raise UserError(
            f"Photos need MediaPipe, which finds people, key points and faces. {missing or ''}Install it with: "
            f"pip install -c constraints.txt '.[photo]' (about 1 GB; it runs offline afterwards). Python said: {error}."
        ) from error
    if not hasattr(base, "SolutionBase"):  # later versions ship neither graphs nor models
        raise UserError("This version of MediaPipe has no models inside. Install mediapipe==0.10.14.")


def find_people(picture: UInt8[ndarray, "h w 3"]) -> list[Circle]:
    """Everybody in a picture, the largest first.

    Where nobody is found at once, the picture is looked at with a border (somebody too close) and then in nine
    overlapping parts (somebody far away).
    """
    height, width = picture.shape[:2]
    found = _people_in(picture, 0, 0)
    if not found:
        pad_y, pad_x = height // 3, width // 3
        border = np.pad(picture, ((pad_y, pad_y), (pad_x, pad_x), (0, 0)), "edge")
        found = _people_in(border, -pad_x, -pad_y)
    if not found:
        tall, wide = height // 2, width // 2
        for top in (0, height // 4, height // 2):
            for left in (0, width // 4, width // 2):
                found += _people_in(picture[top : top + tall, left : left + wide], left, top)
    kept: list[Circle] = []
    for person in sorted(found, key=lambda person: -person.radius):
        if all(np.linalg.norm(person.centre - other.centre) > 0.4 * person.radius for other in kept):
            kept.append(person)
    return kept


def _people_in(picture: UInt8[ndarray, "h w 3"], left: int, top: int) -> list[Circle]:
    """The people of a part of a picture, in the whole picture's pixels."""
    with _quiet():
        people = _people_graph().process({"image": np.ascontiguousarray(picture)}).people or []
    size, corner = np.array(picture.shape[1::-1], float), np.array([left, top], float)
    circles = []
    for person in people:
        points = np.array([(point.x, point.y) for point in person.location_data.relative_keypoints]) * size + corner
        circles.append(Circle(points[0], points[1], float(person.score[0])))
    return circles


def look_at(picture: UInt8[ndarray, "h w 3"], person: Circle) -> Seen | None:
    """Landmarks and outline of one person; None where the second stage sees nobody there."""
    first = _landmarks_in(picture, person, False)
    if first is None:
        return None
    seen, circle = first
    wider = Circle(circle.centre, circle.centre + 1.1 * (circle.rim - circle.centre), person.score)
    more = [_landmarks_in(picture, circle, False), _landmarks_in(picture, circle, True)]
    more.append(_landmarks_in(picture, wider, False))
    all_seen = [each[0] for each in more if each is not None] or [seen]
    points = [each.keypoints for each in all_seen]
    return Seen(
        Keypoints(
            np.mean([each.pixels for each in points], 0),
            np.mean([each.visibility for each in points], 0),
            np.mean([each.world for each in points], 0),
        ),
        np.mean([each.mask for each in all_seen], 0),
    )


def _landmarks_in(picture: UInt8[ndarray, "h w 3"], person: Circle, mirrored: bool) -> tuple[Seen, Circle] | None:
    """One look at a person, and the circle that a second look should use."""
    from mediapipe.framework.formats.rect_pb2 import NormalizedRect  # pyright: ignore[reportMissingImports]

    height, width = picture.shape[:2]
    half = person.radius * _ROOM * 1.45  # room for a turned square
    left, top = np.floor(person.centre - half).astype(int)
    side = int(np.ceil(2 * half))
    window = (
        Image.fromarray(picture)
        .crop((left, top, left + side, top + side))
        .resize((_VIEW, _VIEW), Image.Resampling.LANCZOS)
    )
    shown, scale = np.asarray(window), side / _VIEW
    x, y = (person.rim - person.centre) * ((-1, 1) if mirrored else (1, 1))
    centre = (person.centre - (left, top)) / side
    place = NormalizedRect(
        x_center=1 - centre[0] if mirrored else centre[0],
        y_center=centre[1],
        width=2 * person.radius * _ROOM / side,
        height=2 * person.radius * _ROOM / side,
        rotation=float(np.arctan2(x, -y)),
    )
    image = np.ascontiguousarray(shown[:, ::-1] if mirrored else shown)
    with _quiet():
        result = _landmark_graph().process({"image": image, "place": place})
    if result.landmarks is None or result.mask is None:
        return None
    table = np.array([(p.x, p.y, p.visibility) for p in result.landmarks.landmark])
    world = np.array([(p.x, p.y, p.z) for p in result.world.landmark])
    circle = np.array([(p.x, p.y) for p in result.circle.landmark])
    cover = result.mask
    if mirrored:
        table, world = table[list(MIRROR)] * (-1, 1, 1) + (1, 0, 0), world[list(MIRROR)] * (-1, 1, 1)
        circle, cover = circle * (-1, 1) + (1, 0), cover[:, ::-1]
    pixels, circle = table[:, :2] * side + (left, top), circle * side + (left, top)
    mask = np.zeros((height, width), np.float32)
    low, high = np.maximum((left, top), 0), np.minimum((left + side, top + side), (width, height))
    if (high <= low).any():
        return None
    rough = Image.fromarray(np.ascontiguousarray(cover, np.float32))
    x0, y0, x1, y1 = (float(value) for value in (*((low - (left, top)) / scale), *((high - (left, top)) / scale)))
    size = int(high[0] - low[0]), int(high[1] - low[1])
    mask[low[1] : high[1], low[0] : high[0]] = np.asarray(
        rough.resize(size, Image.Resampling.BILINEAR, (x0, y0, x1, y1))
    )
    seen = Seen(Keypoints(pixels, table[:, 2], world), np.clip(mask, 0, 1))
    return seen, Circle(circle[0], circle[1], person.score)


def face_at(picture: UInt8[ndarray, "h w 3"], keypoints: Keypoints) -> Face | None:
    """The mesh of the face where the landmarks say the head is; None from behind, or where it is too small."""
    eyes, mouth, ears = keypoints.pixels[1:7].mean(0), keypoints.pixels[9:11].mean(0), keypoints.pixels[[0, 7, 8]]
    reach = max(1.6 * float(np.linalg.norm(eyes - mouth)), float(np.linalg.norm(ears[1] - ears[2])), 8.0)
    left, top = np.floor(ears.mean(0) - 1.7 * reach).astype(int)
    side = int(np.ceil(3.4 * reach))
    return face_in(picture, (int(left), int(top), int(left) + side, int(top) + side))


def face_in(
    picture: UInt8[ndarray, "h w 3"], box: tuple[int, int, int, int], size: int = 384, fine: bool = True
) -> Face | None:
    """The mesh of the face that fills much of a square ``box`` (left, top, right, bottom, in pixels), if there is one.

    Args:
        picture: Any; beyond its border it is black.
        box: Where to look.
        size: Pixels of a side to which that is resized.
        fine: With irises, by the model that is exact about eyes and lips; the other one is harder to fool.
    """
    window = Image.fromarray(picture).crop(box).resize((size, size), Image.Resampling.LANCZOS)
    with _quiet():
        found = _face_graph(fine).process(np.asarray(window)).multi_face_landmarks
    if not found:
        return None
    points = np.array([(point.x, point.y, point.z) for point in found[0].landmark]) * (box[2] - box[0])
    points[:, :2] += box[:2]
    return Face(points)


@cache
def _people_graph() -> Any:
    return _graph(_PEOPLE, ["people"])


@cache
def _landmark_graph() -> Any:
    sides = {"model_complexity": 1, "enable_segmentation": True}
    return _graph(_LANDMARKS, ["landmarks", "circle", "world", "mask"], sides)


@cache
def _face_graph(fine: bool) -> Any:
    with _quiet():
        from mediapipe.python.solutions.face_mesh import FaceMesh  # pyright: ignore[reportMissingImports]

        return FaceMesh(static_image_mode=True, refine_landmarks=fine, min_detection_confidence=0.5)


def _graph(text: str, outputs: list[str], side_inputs: dict[str, Any] | None = None) -> Any:
    need_mediapipe()
    with _quiet():
        from google.protobuf import text_format  # pyright: ignore[reportMissingImports]
        from mediapipe.framework.calculator_pb2 import CalculatorGraphConfig  # pyright: ignore[reportMissingImports]
        from mediapipe.python.solution_base import PacketDataType, SolutionBase  # pyright: ignore[reportMissingImports]

        # The calculators of a graph are known once a solution that uses them was imported.
        from mediapipe.python.solutions import pose as pose  # pyright: ignore[reportMissingImports]

        hints = {"people": PacketDataType.PROTO_LIST, "place": PacketDataType.PROTO}
        config = text_format.Parse(text, CalculatorGraphConfig())
        return SolutionBase(
            graph_config=config,
            side_inputs=side_inputs,
            outputs=outputs,
            stream_type_hints={name: hint for name, hint in hints.items() if f'"{name}"' in text},
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what TensorFlow Lite and protobuf say on stderr, past Python, and in warnings."""
    import sys
    import warnings

    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
