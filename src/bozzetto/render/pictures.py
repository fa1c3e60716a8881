"""Pictures for people: a preview row, a turntable film, a contact sheet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from bozzetto.kernels import kernel
from bozzetto.render.cameras import frame, perspective
from bozzetto.render.film import write_film
from bozzetto.render.light import Light, studio
from bozzetto.render.mesh import render_mesh, tone_mapped
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import Scene
from bozzetto.render.visibility import sky_visibility, turning_visibility, with_shadows
from bozzetto.types import Cameras

FOV_DEGREES = 24.0
"""A short telephoto lens, as portraits want."""
_FLOOR_PIXELS = 384


def preview(
    scene: Scene, head_box: Float[ndarray, "2 3"], size: int = 768, progress: Callable[[float], object] | None = None
) -> Image.Image:
    """One row of five pictures: front, three-quarter, side, back, and the face close up.

    Args:
        scene: Posed layers; their view of the sky is kept where it is known.
        head_box: Lowest and highest corner of the head, posed.
        size: Pixels of each picture's side.
        progress: Told the share that is done, up to 1.
    """
    light = studio()
    scene = with_sky(scene)
    points = scene.vertices if len(scene.vertices) else head_box
    floor = contact_shadow(scene)
    shots: list[UInt8[ndarray, "h w 3"]] = []
    for azimuth in (0.0, 38.0, 90.0, 180.0, None):
        if azimuth is None:
            shots.append(portrait(scene, head_box, size))
        else:
            whole = frame(points, azimuth, 4.0, FOV_DEGREES, size, 0.05)
            shots.append(studio_picture(scene, whole, light.turned(azimuth), floor))
        if progress is not None:
            progress(len(shots) / 5)
    return contact_sheet(shots, len(shots))


def portrait(scene: Scene, head_box: Float[ndarray, "2 3"], size: int) -> UInt8[ndarray, "h w 3"]:
    """The face close up, from a little aside of where it looks; upright even where the figure lies.

    Args:
        head_box: Lowest and highest corner of the head, posed.
        size: Pixels of a side.
    """
    low, high = np.asarray(head_box, np.float64)
    middle, half = (low + high) / 2, (high - low) / 2
    looks = _head_axes(scene, middle)
    turn = np.radians(18.0)
    towards = looks @ [np.sin(turn), 0.035, np.cos(turn)]
    upright = looks[1, 1] > 0.6
    up = np.array([0.0, 1.0, 0.0]) if upright else looks[:, 1]
    right = np.cross(up, towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(towards, right), towards])
    corners = middle + half * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    x, y, z = axes @ (corners - middle).T
    reach = np.tan(np.radians(FOV_DEGREES) / 2) * 0.82
    distance = float((np.maximum(np.abs(x), np.abs(y)) / reach + z).max())
    cameras = perspective(middle + distance * towards, middle, up, FOV_DEGREES, size, size)
    return studio_picture(scene, cameras, studio().rotated(axes.T), None)


def _head_axes(scene: Scene, middle: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The directions, as columns, of the head's left, its crown and where it faces; the world's without eyes or teeth.

    Args:
        middle: Of the head, behind the eyes.
    """
    if not {"eyes", "teeth"} <= set(scene.names):
        return np.eye(3)
    eyes, teeth = (
        scene.vertices[np.unique(scene.faces[scene.layer == scene.names.index(name)])].astype(np.float64)
        for name in ("eyes", "teeth")
    )
    centre = eyes.mean(0)
    left = np.linalg.svd(eyes - centre, full_matrices=False)[2][0]
    up = centre - teeth.mean(0)
    up -= left * (up @ left)
    up /= np.linalg.norm(up)
    face = np.cross(left, up)
    face *= np.sign(face @ (centre - middle)) or 1.0
    return np.stack([np.cross(up, face), up, face], 1)


def with_sky(scene: Scene) -> Scene:
    """The scene with its ambient occlusion, which several pictures of it share."""
    return scene if scene.sky is not None else replace(scene, sky=sky_visibility(scene))


def turntable(
    scene: Scene, path: Path, frames: int = 72, size: int = 512, progress: Callable[[float], object] | None = None
) -> None:
    """Writes an H.264 film of one turn around the scene, 24 pictures a second; the name appears when it is whole.

    Args:
        scene: Posed layers; their view of the sky is kept where it is known.
        path: Ends in .mp4.
        frames: Views of the full turn.
        size: Pixels of a side; even, as the format asks.
        progress: Told the share that is done, up to 1.

    Raises:
        ValueError: The size is odd or not positive, or there are no frames.
    """
    light = studio()
    scene = with_sky(scene)
    floor = contact_shadow(scene)
    azimuths = np.arange(frames) * 360.0 / frames
    keys = turning_visibility(scene, light.key, azimuths)
    points = scene.vertices if len(scene.vertices) else np.array([[-1.0, 0.0, -1.0], [1.0, 2.0, 1.0]])
    cameras = frame(points, azimuths, 6.0, FOV_DEGREES, size, 0.04)

    def picture(index: int) -> UInt8[ndarray, "h w 3"]:
        one = cameras[index]
        lit = replace(scene, key=keys[index])
        return _before_paper(lit, one, light.turned(float(azimuths[index])), floor, parallel=False)

    write_film(path, picture, frames, size, progress=progress)


def contact_sheet(
    images: Sequence[Image.Image | UInt8[ndarray, "h w 3"]], columns: int, labels: Sequence[str] | None = None
) -> Image.Image:
    """Pictures side by side in rows, each cell as large as the largest, with an optional line of text below each.

    Args:
        images: In reading order.
        columns: Pictures in a row.
        labels: One a picture.

    Raises:
        ValueError: There are no pictures or columns, or the labels are not as many.
    """
    pictures = [image if isinstance(image, Image.Image) else Image.fromarray(image) for image in images]
    if not pictures or columns < 1:
        raise ValueError(f"A contact sheet needs a picture and a column; got {len(pictures)} and {columns}.")
    if labels is not None and len(labels) != len(pictures):
        raise ValueError(f"Expected {len(pictures)} labels, one a picture; got {len(labels)}.")
    columns = min(columns, len(pictures))
    wide, high = max(p.width for p in pictures), max(p.height for p in pictures)
    text = max(high // 16, 14) if labels is not None else 0
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * wide, rows * (high + text)), (236, 236, 236))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=max(text * 0.62, 10))
    for index, picture in enumerate(pictures):
        x, y = index % columns * wide, index // columns * (high + text)
        sheet.paste(picture.convert("RGB"), (x + (wide - picture.width) // 2, y + (high - picture.height) // 2))
        if labels is not None:
            pen.text((x + wide / 2, y + high + text / 2), labels[index], fill=(40, 40, 40), font=font, anchor="mm")
    return sheet


@dataclass(frozen=True, eq=False)
class Floor:
    """Where a figure darkens the ground it stands on."""

    low: Float[ndarray, "3"]
    """World position of the map's first corner, at ground height."""
    step: float
    """Metres a map pixel spans."""
    shade: Float32[ndarray, "n n"]
    """Light that is left; rows along +z, columns along +x."""

    def shadow(self, cameras: Cameras, view: int = 0) -> Float[ndarray, "h w"]:
        """The light that is left at each pixel's point of the ground; one above the horizon."""
        rotation = cameras.world_to_camera[view, :3, :3].double().numpy()
        eye = -rotation.T @ cameras.world_to_camera[view, :3, 3].double().numpy()
        lens = np.linalg.inv(cameras.intrinsics[view].double().numpy())
        light = np.empty((cameras.height, cameras.width), np.float32)
        _ground_light(eye, rotation.T @ lens, self.low.astype(np.float64), self.step, self.shade, light)
        return light


@kernel
def _ground_light(eye, ray, low, step, shade, out):
    last = len(shade) - 2
    for row in range(out.shape[0]):
        for column in range(out.shape[1]):
            x, y = column + 0.5, row + 0.5
            out[row, column] = 1.0
            down = ray[1, 0] * x + ray[1, 1] * y + ray[1, 2]
            if down >= -1e-9:
                continue
            travel = (low[1] - eye[1]) / down
            u = (eye[0] + travel * (ray[0, 0] * x + ray[0, 1] * y + ray[0, 2]) - low[0]) / step - 0.5
            v = (eye[2] + travel * (ray[2, 0] * x + ray[2, 1] * y + ray[2, 2]) - low[2]) / step - 0.5
            if travel <= 0 or u < 0 or v < 0 or u > last or v > last:
                continue
            i, j = np.int64(u), np.int64(v)
            fu, fv = u - i, v - j
            near = shade[j, i] * (1 - fu) + shade[j, i + 1] * fu
            far = shade[j + 1, i] * (1 - fu) + shade[j + 1, i + 1] * fu
            out[row, column] = near * (1 - fv) + far * fv


def contact_shadow(scene: Scene) -> Floor | None:
    """The soft shadow under the scene's lowest point: what hangs low over the ground darkens it most."""
    if len(scene.faces) == 0:
        return None
    low, high = scene.vertices.min(0).astype(np.float64), scene.vertices.max(0).astype(np.float64)
    centre, tall = (low + high) / 2, float((high - low).max())
    reach = float(max(high[0] - low[0], high[2] - low[2])) / 2 + 0.25 * tall + 1e-3
    # Seen from far below, so that perspective hardly matters: the distance to the ground is how high a thing hangs.
    far = 50.0 * reach
    fov = float(np.degrees(2 * np.arctan(reach / far)))
    below = perspective((centre[0], low[1] - far, centre[2]), (centre[0], low[1], centre[2]), (0.0, 0.0, -1.0), fov,
                        _FLOOR_PIXELS, _FLOOR_PIXELS)  # fmt: skip
    fragments = rasterize(scene.vertices, scene.faces, below, scene.coverage._replace(flags=scene.surfaces.flags | 1))
    height = np.where(fragments.face[0] >= 0, fragments.depth[0] - far, np.inf)
    shade = np.zeros((_FLOOR_PIXELS, _FLOOR_PIXELS))
    for reach_up, strength in ((0.007, 0.55), (0.03, 0.45), (0.10, 0.40), (0.45, 0.34)):
        cover = np.exp(-np.maximum(height, 0.0) / (reach_up * tall)) * 255
        blur = ImageFilter.GaussianBlur(float(reach_up * tall * 0.6 / (2 * reach) * _FLOOR_PIXELS))
        blurred = Image.fromarray(cover.astype(np.uint8)).filter(blur)
        shade = 1 - (1 - shade) * (1 - strength * np.asarray(blurred) / 255)
    shade = shade[:, ::-1]  # seen from below with -z at the top, columns run towards -x
    corner = np.array([centre[0] - reach, low[1], centre[2] - reach])
    return Floor(corner, 2 * reach / _FLOOR_PIXELS, (1 - shade).astype(np.float32))


def studio_picture(
    scene: Scene, cameras: Cameras, light: Light, floor: Floor | None, supersample: int = 2
) -> UInt8[ndarray, "h w 3"]:
    """The first camera's picture under the light, shadows included, before a bright paper backdrop."""
    return _before_paper(with_shadows(scene, light), cameras, light, floor, supersample)


def _before_paper(
    scene: Scene, cameras: Cameras, light: Light, floor: Floor | None, supersample: int = 2, parallel: bool = True
) -> UInt8[ndarray, "h w 3"]:
    """The picture with the shadows that the scene has."""
    output = render_mesh(scene, cameras, light, supersample, parallel=parallel)
    backdrop = _backdrop(cameras.height, cameras.width)
    if floor is not None:
        backdrop = backdrop * floor.shadow(cameras)[..., None]
    return tone_mapped(output.rgb[0].numpy() + (1 - output.alpha[0].numpy()) * backdrop)


@lru_cache(maxsize=2)
def _backdrop(height: int, width: int) -> Float32[ndarray, "h w 3"]:
    """Paper, brightest behind the figure's chest and darker to the corners, dithered against banding."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    away = np.hypot((x - 0.5) * 0.9, y - 0.42)
    level = 0.60 - 0.36 * np.clip(away / 0.75, 0, 1) ** 1.7
    level = level + np.random.default_rng(0).uniform(-0.002, 0.002, level.shape)
    return (level[..., None] * np.array([0.975, 0.985, 1.0])).astype(np.float32)
