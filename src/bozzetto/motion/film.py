"""A clip as a film: the character moves, the camera keeps it in view."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

from bozzetto.body.bind import joint_transforms, skin
from bozzetto.export.expressions import mixture
from bozzetto.motion.frames import Frames, at_times, rest_positions, to_frames
from bozzetto.render.cameras import frame
from bozzetto.render.film import RATE, write_film
from bozzetto.render.light import studio
from bozzetto.render.mesh import render_mesh, tone_mapped
from bozzetto.render.pictures import FOV_DEGREES, Floor, contact_shadow
from bozzetto.render.scene import Scene, reposed, scene_from_layers
from bozzetto.render.visibility import lamp_visibility, sky_visibility
from bozzetto.types import Avatar, Clip, Layer, Material, Mesh

_VIEW, _CLOSE_VIEW = (28.0, 6.0), (16.0, 2.0)
"""Degrees aside and above, from where the camera sees the figure, and a face close up."""
_SHORTEST = 4.0
"""Seconds: what repeats is shown until then."""
_PAPER = np.float32(0.62)
"""Linear light of the backdrop."""


def filmed_times(clip: Clip) -> tuple[Float[ndarray, "k"], int]:
    """The moments of a clip that a film shows, and how often: what repeats, until it has been seen; all else once."""
    length = float(clip.times[-1])
    count = max(round(length * RATE), 1)
    if repeating(clip):
        return np.arange(count) * (length / count), max(int(np.ceil(_SHORTEST / length)), 1)
    return np.minimum(np.arange(count + 1) / RATE, length), 1


def repeating(clip: Clip) -> bool:
    """Whether the clip ends where it began, after having moved."""
    if len(clip.times) < 3 or clip.expressions:
        return False
    tracks = [*clip.rotations_wxyz.values()]
    if clip.root_translation is not None:
        tracks.append(clip.root_translation)
    same = all(np.abs(track[0] - track[-1]).max() < 1e-3 for track in tracks)
    return same and any(np.ptp(track, axis=0).max() > 1e-3 for track in tracks)


def film(
    avatar: Avatar,
    clip: Clip,
    path: Path,
    *,
    size: int = 400,
    props: Sequence[Layer] = (),
    sound: Path | None = None,
    close: bool = False,
    progress: Callable[[float], object] | None = None,
) -> None:
    """Writes an H.264 film of the clip; the name appears when it is whole.

    Args:
        avatar: At rest.
        clip: On its skeleton.
        path: Ends in .mp4.
        size: Pixels of a side; even.
        props: Layers that stand still, such as a seat; their weights are ignored.
        sound: A recording to be heard from the first picture on.
        close: Show head and shoulders only, wherever they go.
        progress: Told the share that is done, up to 1.

    Raises:
        ValueError: The size is odd or not positive.
    """
    stage = Stage(avatar, clip, props, size, close)
    write_film(path, stage.picture, len(stage), size, repeats=stage.repeats, sound=sound, progress=progress)


class Stage:
    """A character in motion before a camera that stands still, or goes along when the way is long or it is close."""

    def __init__(
        self, avatar: Avatar, clip: Clip, props: Sequence[Layer] = (), size: int = 400, close: bool = False
    ) -> None:
        self._avatar, self._clip, self._props, self._close = avatar, clip, props, close
        frames = to_frames(clip, avatar.skeleton)
        self._times, self.repeats = filmed_times(clip)
        self._frames = at_times(frames, frames.times[0] + self._times)
        rest = rest_positions(avatar.skeleton)
        self._path = _followed_head(self._frames, rest) if close else _followed(self._frames, rest)
        layers = (*avatar.layers, *props)
        probes = [self._posed(int(i)) for i in np.unique(np.linspace(0, len(self) - 1, 9).astype(int))]
        self._scene = scene_from_layers(layers, probes[0])
        # The sky's share of a surface changes little as the figure moves; it is found once.
        self._sky = sky_visibility(self._scene)
        azimuth, elevation = _CLOSE_VIEW if close else _VIEW
        self._light = studio().turned(azimuth)
        if close:
            box = _head_and_shoulders(avatar)
        else:
            points = np.concatenate([np.concatenate(each) for each in probes])
            box = np.stack([points.min(0), points.max(0)]).astype(np.float64)
            box[0, 1] = min(box[0, 1], 0.0)
        self._camera = frame(box, np.array([azimuth]), elevation, FOV_DEGREES, size, 0.02)

    def __len__(self) -> int:
        return len(self._times)

    def picture(self, index: int) -> UInt8[ndarray, "h w 3"]:
        """One frame, tone-mapped."""
        scene = replace(reposed(self._scene, self._posed(index)), sky=self._sky)
        scene = replace(scene, key=lamp_visibility(scene, self._light.key, 4, 192))
        output = render_mesh(scene, self._camera, self._light, 2, parallel=False)
        backdrop = np.full((*output.alpha.shape[1:3], 1), _PAPER, np.float32)
        floor = None if self._close else on_the_floor(scene)
        if floor is not None:
            backdrop = backdrop * floor.shadow(self._camera)[..., None]
        return tone_mapped(output.rgb[0].numpy() + (1 - output.alpha[0].numpy()) * backdrop)

    def _posed(self, index: int) -> list[Float[ndarray, "_ 3"]]:
        frames = self._frames
        root = frames.skeleton.parents.index(-1)
        rest = rest_positions(frames.skeleton)
        move = frames.root[index] - rest[root] - self._path[index]
        transforms = joint_transforms(rest, frames.skeleton.parents, frames.local[index], move)
        weights = dict(self._avatar.expression)
        time = self._times[index]
        weights |= {name: float(np.interp(time, self._clip.times, w)) for name, w in self._clip.expressions.items()}
        posed = [
            skin(_with_face(layer, weights), layer.skin_weights.numpy(), layer.skin_joints.numpy(), transforms)
            for layer in self._avatar.layers
        ]
        return posed + [prop.mesh.vertices.numpy() for prop in self._props]


def _with_face(layer: Layer, weights: dict[str, float]) -> Float[ndarray, "v 3"]:
    if not layer.expressions:
        return layer.mesh.vertices.numpy()
    moves = mixture(layer, {name: weight for name, weight in weights.items() if weight})
    vertices = layer.mesh.vertices.numpy().copy()
    vertices[moves.indices.numpy()] += moves.offsets.numpy()
    return vertices


def _followed(frames: Frames, rest: Float[ndarray, "j 3"]) -> Float[ndarray, "k 3"]:
    """The way of the camera over the floor: none, where the figure stays within its own height."""
    away = (frames.root - rest[frames.skeleton.parents.index(-1)]) * [1.0, 0.0, 1.0]
    if np.ptp(away, axis=0).max() < rest[:, 1].max():
        return np.zeros_like(away)
    return gaussian_filter1d(away, 0.4 * RATE, axis=0, mode="nearest")


def _followed_head(frames: Frames, rest: Float[ndarray, "j 3"]) -> Float[ndarray, "k 3"]:
    """The way of the camera that stays with the head: steps and nods are seen, where it goes is not."""
    head = frames.skeleton.index("head")
    return gaussian_filter1d(frames.forward()[1][:, head] - rest[head], 0.4 * RATE, axis=0, mode="nearest")


def _head_and_shoulders(avatar: Avatar) -> Float[ndarray, "2 3"]:
    """The lowest and the highest corner of a close-up at rest, with room above for a head that bobs."""
    skeleton, rest = avatar.skeleton, rest_positions(avatar.skeleton)
    head = skeleton.index("head")
    carried = {head}
    for joint, parent in enumerate(skeleton.parents):
        if parent in carried:
            carried.add(joint)
    tops = []
    for layer in avatar.layers:
        follows = (np.isin(layer.skin_joints.numpy(), list(carried)) * layer.skin_weights.numpy()).sum(1)
        tops.append(layer.mesh.vertices.numpy()[follows > 0.5, 1])
    high = float(np.concatenate([*tops, rest[head, 1:2] + 0.1]).max())
    shoulders = rest[[skeleton.index(f"upperarm01.{side}") for side in "LR"]]
    half = 0.75 * float(np.abs(shoulders[:, 0] - rest[head, 0]).max())
    low = float(shoulders[:, 1].mean())
    return rest[head] * [1, 0, 1] + np.array([[-half, low, 0.0], [half, high + 0.04, 0.0]])


def on_the_floor(scene: Scene) -> Floor | None:
    """The shadow below the scene on the floor at zero, however high the scene hangs above it."""
    foot = np.array([[*scene.vertices.mean(0)[:1], 0.0, scene.vertices.mean(0)[2]]], np.float32)
    vertices = np.concatenate([np.maximum(scene.vertices, [-np.inf, 0.0, -np.inf]), foot]).astype(np.float32)
    normals = np.concatenate([scene.normals, foot])
    return contact_shadow(replace(scene, vertices=vertices, normals=normals, sky=None, key=None))


def seat(avatar: Avatar, clip: Clip) -> Layer:
    """A plain box below one who sits at the clip's end: for the film only.

    Args:
        avatar: At rest.
        clip: Ends seated.
    """
    frames = to_frames(clip, avatar.skeleton)
    points = frames.forward()[1][-1]
    skeleton = avatar.skeleton
    hip, knee = (
        (points[skeleton.index(f"{b}.L")] + points[skeleton.index(f"{b}.R")]) / 2 for b in ("upperleg01", "lowerleg01")
    )
    rest = rest_positions(skeleton)
    move = frames.root[-1] - rest[skeleton.parents.index(-1)]
    transforms = joint_transforms(rest, skeleton.parents, frames.local[-1], move)
    low = [hip[1] - 0.02]
    half = 0.16
    for layer in avatar.layers:
        posed = skin(layer.mesh.vertices.numpy(), layer.skin_weights.numpy(), layer.skin_joints.numpy(), transforms)
        near = posed[
            (np.abs(posed[:, 2] - hip[2]) < 0.15) & (posed[:, 1] > 0.5 * hip[1]) & (np.abs(posed[:, 0] - hip[0]) < 0.3)
        ]
        if len(near):
            low.append(float(near[:, 1].min()))
            half = max(half, float(np.abs(near[:, 0] - hip[0]).max()))
    top, front, back = min(low) + 0.012, hip[2] + 0.62 * (knee[2] - hip[2]), hip[2] - 0.2
    corners = np.array([[x, y, z] for x in (hip[0] - half, hip[0] + half) for y in (0.0, top) for z in (back, front)])
    faces = [[0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6],
             [0, 6, 4], [1, 5, 7], [1, 7, 3]]  # fmt: skip
    # Every face has corners of its own, so that edges stay sharp.
    vertices = corners[np.array(faces)].reshape(-1, 3)
    mesh = Mesh(torch.from_numpy(vertices.astype(np.float32)), torch.arange(36).reshape(12, 3), torch.zeros(12, 3, 2))
    grey = Material(np.full((4, 4, 3), 168, np.uint8), double_sided=True)
    return Layer("seat", mesh, torch.eye(4)[[0] * 36], torch.zeros(36, 4, dtype=torch.int64), grey)
