"""A run's ``index.html`` in headless Chromium: python tests/web/page.py RUN FOLDER

Runs ``page.mjs`` and compares the browser's silhouettes and vertices with our own, at rest, in two poses and with
expressions, and the joints that sliders moved. Exit status 1 where a page lacks something, the silhouettes' overlap
(IoU) is below 0.97, or a vertex or joint lies 0.1 mm away.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray
from PIL import Image
from scipy.spatial import cKDTree

from bozzetto.body.bind import moved_joints, pose_transforms
from bozzetto.body.poses import BASE, Arm, Leg, Posture, rotations
from bozzetto.export.expressions import VRM_PRESETS
from bozzetto.export.read import read_glb
from bozzetto.figure.build import posed
from bozzetto.render.cameras import frame, orbit
from bozzetto.render.mesh import render_mesh
from bozzetto.render.scene import Scene, scene_from_layers
from bozzetto.types import Avatar, Cameras, Skeleton

SIZE = 640
LEAST = 0.97
FURTHEST = 0.1
"""Millimetres."""


@dataclass(frozen=True)
class State:
    """What the page shows, and the same in our words."""

    posture: Posture
    pose: str
    angles: dict[str, float] | None = None
    """Of the sliders, after the pose."""
    face: dict[str, float] | None = None
    """The resting one when None."""


REST = Posture(Arm(curl=0), Arm(curl=0))
RUNNING, WALKING = BASE["running"], BASE["walking"]
STATES = {
    "rest": State(REST, ""),
    "running": State(RUNNING, "pose:running", face=dict(VRM_PRESETS["happy"])),
    "sliders": State(
        replace(
            RUNNING, twist=30, turn=-50, tilt=15, left_arm=Arm(down=-40, elbow=60, curl=70), right_leg=Leg(flex=70)
        ),
        "pose:running",
        {
            "twist": 30, "turn": -50, "tilt": 15, "left_arm.down": -40, "left_arm.swing": 0, "left_arm.elbow": 60,
            "left_arm.curl": 70, "right_leg.flex": 70, "right_leg.knee": 0, "right_leg.foot": 0,
        },
        dict(VRM_PRESETS["surprised"]),
    ),
    "face": State(REST, "", face={"jawOpen": 1.0, "tongueOut": 0.7, "mouthSmileLeft": 1.0, "eyeBlinkRight": 1.0}),
}  # fmt: skip
SLID = {
    "elbow": replace(WALKING, left_arm=replace(WALKING.left_arm, elbow=145)),
    "legs": replace(
        WALKING,
        left_arm=replace(WALKING.left_arm, elbow=145),
        left_leg=replace(WALKING.left_leg, flex=120),
        right_leg=replace(WALKING.right_leg, flex=120),
    ),
}
"""What page.mjs makes of the walking pose by the keyboard."""


def shot(cameras: Cameras, view: int) -> dict[str, object]:
    """One of our cameras (OpenCV) as the page wants it: OpenGL's axes, columns first."""
    intrinsics = cameras.intrinsics[view].double().numpy()
    width, height, near, far = cameras.width, cameras.height, 0.05, 50.0
    world_to_camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ cameras.world_to_camera[view].double().numpy()
    projection = np.zeros((4, 4))
    projection[0, [0, 2]] = 2 * intrinsics[0, 0] / width, 1 - 2 * intrinsics[0, 2] / width
    projection[1, [1, 2]] = 2 * intrinsics[1, 1] / height, 2 * intrinsics[1, 2] / height - 1
    projection[2, [2, 3]] = -(far + near) / (far - near), -2 * far * near / (far - near)
    projection[3, 2] = -1
    columns = {"view": world_to_camera.T.ravel().tolist(), "projection": projection.T.ravel().tolist()}
    return {"width": width, "height": height, **columns}


def overlap(ours: Bool[ndarray, "h w"], theirs: Bool[ndarray, "h w"]) -> float:
    """Intersection over union."""
    return float((ours & theirs).sum() / max((ours | theirs).sum(), 1))


def face_cameras(avatar: Avatar) -> dict[str, Cameras]:
    """The face from the front and the side, close."""
    eyes = [avatar.skeleton.positions[avatar.skeleton.index(f"eye.{side}")].numpy() for side in "LR"]
    target = np.mean(eyes, axis=0) - [0, 0.03, 0]
    return {f"face-{azimuth:g}": orbit(azimuth, 0.0, 0.9, target, 20.0, SIZE, SIZE) for azimuth in (0.0, 90.0)}


def body_cameras(scene: Scene) -> dict[str, Cameras]:
    return {
        f"{azimuth:g}": frame(scene.vertices, azimuth, 5.0, 30.0, SIZE, 0.05) for azimuth in (0.0, 40.0, 90.0, 180.0)
    }


def vertices_apart(scene: Scene, file: Path) -> float:
    """How far a vertex of theirs is from the nearest of ours, at most, in millimetres."""
    theirs = np.fromfile(file, np.float32).reshape(-1, 3)
    return round(1000 * float(cKDTree(scene.vertices).query(theirs)[0].max()), 4)


def joints_apart(skeleton: Skeleton, posture: Posture, theirs: list[float]) -> float:
    """How far one of the page's joints is from ours, at most, in millimetres; without the step that takes both to the
    ground."""
    joints = skeleton.positions.double().numpy()
    ours = moved_joints(joints, pose_transforms(skeleton, rotations(posture)))
    away = np.reshape(theirs, (-1, 3)) - ours
    return round(1000 * float(np.linalg.norm(away - away[0], axis=1).max()), 4)


def main(run: Path, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    avatar = read_glb(run / "avatar.glb")
    states = {name: STATES[name] for name in (STATES if len(avatar.skeleton.names) > 1 else ("rest",))}
    scenes = {
        name: scene_from_layers(avatar.layers, posed(avatar, state.posture, state.face))
        for name, state in states.items()
    }
    cameras = {name: face_cameras(avatar) if name == "face" else body_cameras(scene) for name, scene in scenes.items()}
    orders = {
        name: {
            "pose": state.pose, "angles": state.angles, "face": state.face,
            "views": {view: shot(camera, 0) for view, camera in cameras[name].items()},
        }
        for name, state in states.items()
    }  # fmt: skip
    (folder / "orders.json").write_text(json.dumps(orders))
    script = Path(__file__).with_name("page.mjs")
    done = subprocess.run(["node", script, run / "index.html", folder / "orders.json", folder])
    if done.returncode:
        return done.returncode
    overlaps = {}
    for name, scene in scenes.items():
        for view, camera in cameras[name].items():
            ours = render_mesh(scene, camera, None).alpha[0, ..., 0].numpy() > 0.5
            theirs = np.asarray(Image.open(folder / f"{name}-{view}.png"))[..., 3] > 127
            overlaps[f"{name} {view}"] = round(overlap(ours, theirs), 4)
    apart = {name: vertices_apart(scene, folder / f"{name}.points") for name, scene in scenes.items()}
    joints = json.loads((folder / "joints.json").read_text())
    postures = SLID | {name: state.posture for name, state in states.items()}
    bones = {name: joints_apart(avatar.skeleton, postures[name], places) for name, places in joints.items() if places}
    print(json.dumps({"iou": overlaps, "vertices_mm": apart, "joints_mm": bones}))
    return 0 if min(overlaps.values()) >= LEAST and max(*apart.values(), *bones.values()) < FURTHEST else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
