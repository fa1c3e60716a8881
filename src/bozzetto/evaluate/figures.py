"""How good the procedural figures are, measured: ``python -m bozzetto.evaluate.figures poke|stretch|colours|eyes``.

``poke`` counts skin that comes through garments over figures, poses and views. ``stretch`` compares how far edges are
drawn out in the poses with what the bare body's are, as skinned, before springs swing. ``colours`` reads exported files
back and compares named colours with what is seen from the front and the back. ``eyes`` draws what reviewers look at;
what is finished is kept, so that the same command goes on where it was stopped.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import igl
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import Image

from bozzetto.body.carry import edge_stretch
from bozzetto.body.poses import STAND, Arm, Leg, Posture, poses
from bozzetto.figure.build import Figure, build_figure, posed
from bozzetto.figure.colours import delta_e_2000_lab, srgb_to_lab
from bozzetto.figure.ground_truth import Stance, stand
from bozzetto.figure.people import random_spec
from bozzetto.files import atomic_path
from bozzetto.render.cameras import frame
from bozzetto.render.light import studio
from bozzetto.render.mesh import render_mesh, to_srgb8
from bozzetto.render.pictures import FOV_DEGREES, contact_shadow, studio_picture
from bozzetto.render.raster import rasterize
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.texture.views import project
from bozzetto.types import Layer

GARMENTS = ("top", "outer", "bottom", "dress", "underwear", "shoes")
AZIMUTHS = tuple(range(0, 360, 45))
MOST = 1.5
"""Of the body's own stretch: the bar."""
_GROUPS = ("spine", "pelvis", "breast", "root", "clavicle", "shoulder"), ("neck", "head", "eye")


def standard_poses() -> dict[str, Posture]:
    """The sixteen poses that garments, weights and stretch are judged in."""
    stride = [(28, -18), (10, -4), (-16, 26), (-4, 10)]
    walk = {
        f"walk {i + 1}": Posture(
            Arm(down=73, swing=-right * 0.8, elbow=16),
            Arm(down=73, swing=-left * 0.8, elbow=16),
            Leg(flex=left, knee=max(6.0, 30.0 - left) * 0.6),
            Leg(flex=right, knee=max(6.0, 30.0 - right) * 0.6),
        )
        for i, (left, right) in enumerate(stride)
    }
    named = ("arms up", "sitting", "crouching", "running", "kneeling on one knee", "hands on hips", "bowing", "kicking")
    table = poses()
    twist = Posture(STAND.left_arm, STAND.right_arm, STAND.left_leg, STAND.right_leg, twist=32, lean=14)
    return {
        "t-pose": table["t-pose"], "a-pose": table["a-pose"], "standing": table["standing"], "twist": twist, **walk,
        **{name: table[name] for name in named},
    }  # fmt: skip


@dataclass(frozen=True)
class Poke:
    """Skin that shows through garments."""

    skin_pixels: int
    garment_pixels: int

    @property
    def percent(self) -> float:
        return 100 * self.skin_pixels / max(self.garment_pixels, 1)


def _limb(layer: Layer, joint_names: Sequence[str]) -> ndarray:
    """Each face's body part by its strongest joint: trunk, head, or a limb of one side."""
    kinds = []
    for name in joint_names:
        if name.startswith(_GROUPS[0]):
            kinds.append(0)
        elif name.startswith(_GROUPS[1]):
            kinds.append(1)
        else:
            leg = name.startswith(("upperleg", "lowerleg", "foot", "toe"))
            hand = name.startswith(("wrist", "finger", "metacarpal"))
            kinds.append(2 + 4 * leg + 2 * hand + name.endswith("L"))
    strongest = np.array(kinds)[layer.skin_joints.numpy()[:, 0]]
    return strongest[layer.mesh.faces.numpy()[:, 0]]


@lru_cache(maxsize=2)
def _outsides(figure: Figure) -> dict[str, Bool[ndarray, "f"]]:
    """Of each garment, the faces that look away from the body in the T-pose: not linings, nor what a foot stands on."""
    part = figure.person.body.parts["body"]
    body = figure.body_vertices[: part.stop].astype(np.float64)
    corners = body[part.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = {}
    for layer in figure.avatar.layers:
        if layer.name in GARMENTS:
            a, b, c = layer.mesh.vertices.numpy().astype(np.float64)[layer.mesh.faces.numpy()].transpose(1, 0, 2)
            middle = (a + b + c) / 3
            _, nearest, close = igl.point_mesh_squared_distance(middle, body, np.ascontiguousarray(part.faces))
            away = middle - close
            away *= np.sign((away * normals[nearest]).sum(1, keepdims=True))  # cloth that lies in the skin
            out[layer.name] = (np.cross(b - a, c - a) * away).sum(1) > 0
    return out


def poke_through(figure: Figure, posture: Posture, azimuths: Sequence[float] = AZIMUTHS, size: int = 256) -> Poke:
    """Pixels where the skin of a limb lies less than 3 cm in front of the outside of a garment of the same limb.

    Skin farther in front is a hand before the coat; skin of another limb may rightly touch. The outside is what looks
    away from the body in the T-pose, seen from its front: before a lining, the far wall of a skirt that is looked into,
    or the sole that a bare foot stands on, skin rightly lies. The clothes are as skinned, not settled.
    """
    layers = figure.avatar.layers
    vertices = posed(figure.avatar, posture)
    names = figure.avatar.skeleton.names
    skin = [i for i, layer in enumerate(layers) if layer.name in ("skin", "body")]  # a statue's is no skin
    cloth = [i for i, layer in enumerate(layers) if layer.name in GARMENTS]
    if not cloth or not skin:
        return Poke(0, 0)

    def gather(which: Sequence[int]) -> tuple[Scene, ndarray]:
        chosen = [layers[i] for i in which]
        return scene_from_layers(chosen, [vertices[i] for i in which]), np.concatenate(
            [_limb(each, names) for each in chosen]
        )

    (over, over_limb), (under, under_limb) = gather(cloth), gather(skin)
    every = np.concatenate(vertices)
    cameras = frame(np.stack([every.min(0), every.max(0)]), np.asarray(azimuths, float), 5.0, 30.0, size)
    a = rasterize(over.vertices, over.faces, cameras, over.coverage)
    b = rasterize(under.vertices, under.faces, cameras, under.coverage)
    worn, bare = a.face >= 0, b.face >= 0
    first, second, third = over.vertices[over.faces].transpose(1, 0, 2)
    normals = np.cross(second - first, third - first)
    matrices = cameras.world_to_camera.numpy()
    eyes = -np.einsum("bji,bj->bi", matrices[:, :3, :3], matrices[:, :3, 3])
    outside = np.concatenate([_outsides(figure)[layers[i].name] for i in cloth])
    shown = np.stack([outside & (((eye - first) * normals).sum(1) > 0) for eye in eyes])
    front = np.take_along_axis(shown, np.maximum(a.face, 0).reshape(len(eyes), -1), 1).reshape(a.face.shape)
    gap = a.depth - b.depth  # positive: skin nearer to the camera
    same = over_limb[np.maximum(a.face, 0)] == under_limb[np.maximum(b.face, 0)]
    return Poke(int((worn & bare & front & same & (gap > 0) & (gap < 0.03)).sum()), int(worn.sum()))


def measure_poke(figures: int, first_seed: int, size: int) -> None:
    """Prints the share of skin pixels inside garments per pose and over all."""
    totals: dict[str, list[Poke]] = {}
    for seed in range(first_seed, first_seed + figures):
        figure = build_figure(random_spec(seed))
        worst = ("", 0.0)
        for name, posture in standard_poses().items():
            found = poke_through(figure, posture, size=size)
            totals.setdefault(name, []).append(found)
            worst = max(worst, (name, found.percent), key=lambda pair: pair[1])
        print(f"figure {seed} ({figure.spec.look}): worst {worst[0]} {worst[1]:.3f} %", flush=True)
    for name, each in totals.items():
        print(f"{name:24s} {Poke(sum(p.skin_pixels for p in each), sum(p.garment_pixels for p in each)).percent:.4f} %")
    every = [poke for each in totals.values() for poke in each]
    overall = Poke(sum(p.skin_pixels for p in every), sum(p.garment_pixels for p in every))
    print(f"all: {overall.percent:.4f} % of {overall.garment_pixels} garment pixels")


@dataclass(frozen=True)
class ColourError:
    """One named colour on one exported layer."""

    layer: str
    asked: str
    front: float
    """CIEDE2000."""
    back: float


def colour_errors(layers: Sequence[Layer], asked: dict[str, tuple[str, str]], size: int = 384) -> list[ColourError]:
    """How far named layers' colours are from those asked, seen in flat light.

    Args:
        layers: Read back from a file.
        asked: Layer name to colour name and sRGB hex.
        size: Pixels.
    """
    scene = scene_from_layers(layers)
    cameras = frame(scene.vertices, [0.0, 180.0], 3.0, 30.0, size)
    output = render_mesh(scene, cameras, None)
    pictures, ids = to_srgb8(output, "plain"), output.layer.numpy()
    whole = output.alpha.numpy()[..., 0] > 0.999
    out = []
    for index, layer in enumerate(layers):
        if layer.name not in asked:
            continue
        name, code = asked[layer.name]
        target = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        sides = []
        for view in (0, 1):
            pixels = pictures[view][(ids[view] == index) & whole[view]]
            sides.append(nearest_share(pixels / 255, target) if len(pixels) >= 20 else float("nan"))
        out.append(ColourError(layer.name, name, *sides))
    return out


def nearest_share(pixels: Float[ndarray, "n 3"], target: Float[ndarray, "3"]) -> float:
    """CIEDE2000 between a colour and the median of the third of the pixels that come nearest to it.

    A third, since in a pattern the asked colour shares the cloth with another.
    """
    wanted = srgb_to_lab(target)
    distance = delta_e_2000_lab(srgb_to_lab(pixels), wanted)
    median = np.median(pixels[distance <= np.quantile(distance, 1 / 3)], axis=0)
    return float(delta_e_2000_lab(srgb_to_lab(median), wanted))


def measure_stretch(figures: int, first_seed: int) -> None:
    """Prints for each random figure the 99.9th percentile of its edges' stretch over the poses, over the body's own:
    of all layers together, and of the worst one."""
    from bozzetto.evaluate.rigs import figure_donor  # which looks here for the poses

    every = list(standard_poses().values())
    whole: list[float] = []
    layers: dict[str, list[float]] = {}
    for seed in range(first_seed, first_seed + figures):
        figure = build_figure(random_spec(seed))
        body = figure_donor(figure)
        bare = edge_stretch(
            body.vertices, body.faces, body.skin_weights, body.skin_joints, figure.avatar.skeleton, every
        )
        own = float(np.percentile(bare, 99.9))
        drawn = {}
        for layer in figure.avatar.layers:
            weights, joints = layer.skin_weights.numpy(), layer.skin_joints.numpy()
            vertices, faces = layer.mesh.vertices.double().numpy(), layer.mesh.faces.numpy()
            drawn[layer.name] = edge_stretch(vertices, faces, weights, joints, figure.avatar.skeleton, every)
        whole.append(float(np.percentile(np.concatenate([*drawn.values()], 1), 99.9)) / own)
        each = {name: float(np.percentile(found, 99.9)) / own for name, found in drawn.items() if found.size}
        for name, ratio in each.items():
            layers.setdefault(name, []).append(ratio)
        worst = max(each, key=lambda name: each[name])
        print(f"figure {seed}: {whole[-1]:.2f} times the body's {own:.2f}; {worst} {each[worst]:.2f}", flush=True)
    within = sum(ratio <= MOST for ratio in whole)
    print(f"all layers together: median {np.median(whole):.2f}, within {MOST} for {within} of {len(whole)}")
    for name, ratios in sorted(layers.items()):
        within = sum(ratio <= MOST for ratio in ratios)
        print(f"{name}: median {np.median(ratios):.2f}, at most {max(ratios):.2f}, within {within} of {len(ratios)}")


def measure_colours(prompts: Path) -> None:
    """Prints the errors of every named garment and hair colour over a file of prompts, and the share within 15."""
    from bozzetto.export.glb import write_glb
    from bozzetto.export.read import read_glb
    from bozzetto.figure.colours import colour, hair_colour
    from bozzetto.subject.words import read_words

    errors: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(json.loads(prompts.read_text())):
            asked = {}
            for path, value in entry["expect"].items():
                slot, _, part = path.partition(".")
                names = value if isinstance(value, list) else [value]
                if part == "colour" and slot in (*GARMENTS, "hair") and all(isinstance(each, str) for each in names):
                    asked[slot] = [(hair_colour if slot == "hair" else colour)(each) for each in names]
            spec = read_words(entry["prompt"]).spec
            path = Path(folder) / "avatar.glb"
            write_glb(build_figure(spec).avatar, path)
            layers = read_glb(path).layers
            for slot, colours in asked.items():
                choices = [colour_errors(layers, {slot: (each.name, each.hex)}) for each in colours]
                best = min(
                    (found for found in choices if found),
                    key=lambda each: np.nanmax([each[0].front, each[0].back]),
                    default=None,
                )
                sides = [25.0] if best is None else [e for e in (best[0].front, best[0].back) if not np.isnan(e)]
                errors += sides
                if max(sides, default=0) > 15:
                    print(f"prompt {number}: {slot} {'missing' if best is None else f'{max(sides):.1f}'}")
    within = 100 * np.mean(np.array(errors) <= 15)
    print(f"{len(errors)} colours seen: median {np.median(errors):.1f}, within 15: {within:.1f} %")


def for_eyes(stance: Stance, size: int = 1024) -> dict[str, UInt8[ndarray, "_ _ 3"]]:
    """What a reviewer sees: the body from the front and from behind, and two close-ups of the face, each in a row.

    Args:
        size: Pixels of the body's height; the face has three quarters of it.
    """
    light, floor, points = studio(), contact_shadow(stance.scene), stance.scene.vertices
    whole, faces = [], []
    for azimuth in (20.0, 200.0):
        camera = frame(stance.box, azimuth, 4.0, FOV_DEGREES, size, 0.03)
        across = project(points, camera)[0][:, 0]
        low, high = max(int(across.min()) - size // 50, 0), int(across.max()) + size // 50
        whole.append(studio_picture(stance.scene, camera, light.turned(azimuth), floor)[:, low:high])
    for azimuth in (10.0, 55.0):
        camera = frame(stance.head, azimuth, 2.0, FOV_DEGREES, size * 3 // 4, 0.05)
        faces.append(studio_picture(stance.scene, camera, light.turned(azimuth), None))
    return {"body": np.concatenate(whole, 1), "face": np.concatenate(faces, 1)}


def draw_for_eyes(figures: int, first_seed: int, out: Path, size: int = 1024) -> None:
    """Writes both pictures of each random figure in its own pose, but for figures that have them."""
    out.mkdir(parents=True, exist_ok=True)
    for seed in range(first_seed, first_seed + figures):
        if all((out / f"{seed}-{name}.jpg").exists() for name in ("body", "face")):
            continue
        spec = random_spec(seed)
        for name, picture in for_eyes(stand(build_figure(spec), spec.pose), size).items():
            with atomic_path(out / f"{seed}-{name}.jpg") as partial:
                Image.fromarray(picture).save(partial, quality=92)
        print(f"figure {seed} ({spec.look}, {spec.pose})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["poke", "stretch", "colours", "eyes"])
    parser.add_argument("--figures", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=9000)
    parser.add_argument("--size", type=int, default=256, help="pixels of poke's views")
    parser.add_argument("--prompts", type=Path, default=Path("tests/data/prompts_open.json"))
    parser.add_argument("--out", type=Path, help="folder of eyes' pictures")
    arguments = parser.parse_args()
    if arguments.what == "poke":
        measure_poke(arguments.figures, arguments.first_seed, arguments.size)
    elif arguments.what == "stretch":
        measure_stretch(arguments.figures, arguments.first_seed)
    elif arguments.what == "eyes":
        if arguments.out is None:
            parser.error("eyes needs --out, the folder that its pictures go to.")
        draw_for_eyes(arguments.figures, arguments.first_seed, arguments.out)
    else:
        measure_colours(arguments.prompts)


if __name__ == "__main__":
    main()
