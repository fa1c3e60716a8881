"""The body under a photo: posture, build and camera that put our person over the photo's pixels.

In the spirit of SMPLify (Bogo et al. 2016, arXiv:1607.08128): key points, a prior on poses and joint limits, and the
outline, minimised by least squares. Departures: the unknowns are ``body.poses``' words in degrees, so every result is
a posture people could read; the pose begins as the limbs of our named poses that point most like the landmarks' own
guess of depth, whose bone directions stay in the sum; the outline pulls one-sidedly, for clothes and hair lie outside
the body. One photo shows neither height nor what clothes hide: those are guesses, and said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from PIL import Image
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.optimize import least_squares
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from bozzetto.body.bind import bind_t_pose, moved_joints, pose_transforms, skin
from bozzetto.body.landmarks import contour_vertices, dominant_joint, regions
from bozzetto.body.model import Body, load_body
from bozzetto.body.person import shape_person
from bozzetto.body.poses import STAND, Arm, Leg, Posture, limits, poses, rotations
from bozzetto.figure.spec import BodySpec, FaceSpec, FigureSpec, Presentation
from bozzetto.prior.shape import ShapeNetwork
from bozzetto.render.raster import rasterize
from bozzetto.subject.looks import see_looks
from bozzetto.subject.photos import Photo
from bozzetto.subject.surface import along_rays, asked
from bozzetto.types import Cameras, UserError

_DISTANCE = 5.0
"""Metres from the lens to the hips: a long lens, nearly a weak perspective, since the real one is not known."""

_COCO_OF = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32, 29, 30)
"""The landmarks that our key points are compared with: COCO's 17, toes, heels."""
_TRUST = (
    0.7, 0.7, 0.7, 0.4, 0.4, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.4, 0.4, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5,
)  # fmt: skip
"""Of each: what lies under hair or in the middle of cloth is guessed by any detector."""
_FACE_POINTS = (
    (263, "left_eye", 0), (362, "left_eye", 8), (33, "right_eye", 0), (133, "right_eye", 8), (61, "lips_outer", 0),
    (291, "lips_outer", 10), (10, "oval", 0), (454, "oval", 8), (397, "oval", 12), (152, "oval", 18),
    (172, "oval", 24), (234, "oval", 28),
)  # fmt: skip
"""Points of the face mesh, and the same on our face's contours."""
_KEYS = len(_COCO_OF) + len(_FACE_POINTS)
_BONES = (
    ("upperarm01.L", "lowerarm01.L", 11, 13), ("lowerarm01.L", "wrist.L", 13, 15),
    ("upperarm01.R", "lowerarm01.R", 12, 14), ("lowerarm01.R", "wrist.R", 14, 16),
    ("upperleg01.L", "lowerleg01.L", 23, 25), ("lowerleg01.L", "foot.L", 25, 27),
    ("upperleg01.R", "lowerleg01.R", 24, 26), ("lowerleg01.R", "foot.R", 26, 28),
    ("upperarm01.R", "upperarm01.L", 12, 11), ("upperleg01.R", "upperleg01.L", 24, 23),
)  # fmt: skip
"""From joint to joint, and the landmarks that guess the same direction in space."""

_ARM = (("down", 40.0), ("swing", 40.0), ("forward", 40.0), ("twist", 25.0), ("elbow", 40.0))
_LEG = (("flex", 30.0), ("out", 15.0), ("turn", 15.0), ("knee", 30.0), ("foot", 15.0))
_TRUNK = (("bend", 10.0), ("lean", 10.0), ("twist", 12.0), ("nod", 12.0), ("tilt", 12.0), ("turn", 25.0))
_WORDS: tuple[tuple[str, str, float], ...] = (
    *(("left_arm", name, spread) for name, spread in _ARM), *(("right_arm", name, spread) for name, spread in _ARM),
    *(("left_leg", name, spread) for name, spread in _LEG), *(("right_leg", name, spread) for name, spread in _LEG),
    *(("", name, spread) for name, spread in _TRUNK),
)  # fmt: skip
"""The unknown words of a posture, and by how many degrees each may leave where it began."""
_LENS = (("azimuth", 30.0), ("elevation", 8.0), ("roll", 6.0), ("across", 1e3), ("down", 1e3), ("zoom", 1e3))
"""The unknowns of the camera: degrees, then metres at the hips, then the logarithm of pixels per metre."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A body standing where the photo saw its person."""

    spec: FigureSpec
    """Body, face, hair and clothes; its pose is the named one nearest to ``posture``."""
    posture: Posture
    cameras: Cameras
    """One long lens of the photo's size that sees ``body`` over the person's pixels."""
    body: Float[ndarray, "v 3"]
    """Posed vertices of the body model, helpers included; metres, bare feet on zero, the hips facing +z."""
    joints: Float[ndarray, "j 3"]
    """Posed, in the order of the body model."""
    keypoint_error: float
    """Median distance of the body's key points to the photo's visible ones; pixels where a person is 512 tall."""
    silhouette_iou: float
    """Of the bare body's outline and the mask: clothes and hair keep it below one."""
    guesses: tuple[str, ...]
    """Sentences for the user: what no photo shows, or this one did not."""
    shoulders: tuple[float, float] = (0.0, 0.0)
    """How broad key points and outline would have them, from the average of that kind of body on in the unit of
    ``BodySpec.shoulders``, and how sure they are: a precision. Zeros where that was not asked or is not seen."""
    manly: float | None = None
    """How much better a man's body meets the photo than a woman's; None where that was not asked or is not seen."""

    def cameras_on(self, body: Float[ndarray, "v 3"]) -> Cameras:
        """``cameras`` for the same posture standing elsewhere: a built figure stands on its soles.

        Args:
            body: Posed vertices of the body model: ``stand(build_figure(spec), posture).body``.
        """
        model = load_body()
        hips = dominant_joint(model) == model.joint_names.index("root")
        shift = np.median(body[hips] - self.body[hips], 0)
        moved = self.cameras.world_to_camera.clone()
        moved[:, :3, 3] -= moved[:, :3, :3] @ torch.tensor(shift, dtype=moved.dtype)
        return replace(self.cameras, world_to_camera=moved)


def fit_person(photo: Photo, build: BodySpec | None = None, network: ShapeNetwork | None = None) -> Fitted:
    """The first figure of a photo's person: posture and build by its outline and key points, looks by its pixels.

    Args:
        photo: Read.
        build: The body, where it is known already.
        network: Of the surface behind a photo: it knows better than key points how deep limbs lie.

    Raises:
        UserError: The photo has no key points to start from.
    """
    if photo.keypoints is None or photo.seen[:13].sum() < 4:
        raise UserError(
            f"Too little of the person in {photo.path.name} is seen to place a body: at least a head and a shoulder "
            "are needed. Use another photo."
        )
    evidence = _evidence(photo)
    base, lens = _start(photo, evidence)
    middle = np.concatenate([_words(base), lens])
    spread = np.array([spread for *_, spread in (*_WORDS, *_LENS)])
    for index, (limb, _name, _spread) in enumerate(_WORDS):
        if limb and not photo.seen[list(_LIMB_POINTS[limb])].all():
            spread[index] = 6.0 if not photo.seen[_LIMB_POINTS[limb][0]] else spread[index] / 2
    found, _ = _aligned(_puppet(_ADULT), evidence, base, middle, middle, spread, False, 12)
    known, manly = build is not None, None
    if build is None:
        build, manly = _build(photo, evidence, base, found, middle, spread)
    for _ in range(2):
        found, _ = _aligned(_puppet(build), evidence, base, found, middle, spread, True, 8)
    if network is not None and photo.part == "full body":
        for _ in range(_DEEP_ROUNDS):  # each sees a body that is nearer to the truth
            evidence = _deepened(network, photo, evidence, build, found, base)
            found, _ = _aligned(_puppet(build), evidence, base, found, middle, spread, True, 8)
    shoulders = 0.0, 0.0
    if not known:
        if photo.part == "full body" and photo.seen[[11, 12]].all():
            residuals = _Residuals(_puppet(build), evidence, base, middle, spread, True)
            shoulders = _shoulders(build, residuals, found)
        build = replace(build, shoulders=shoulders_of([shoulders]))
        found, _ = _aligned(_puppet(build), evidence, base, found, middle, spread, True, 8)
    looks = see_looks(photo, *_standing(build, FaceSpec(), found, base, photo)[:2], build)
    spec = looks.spec
    if not known and spec.body.presentation != build.presentation:  # they were measured against another kind's
        shoulders, spec = (0.0, 0.0), replace(spec, body=replace(spec.body, shoulders=BodySpec.shoulders))
    if spec.body != build:  # a beard or grey hair told more
        found, _ = _aligned(_puppet(spec.body), evidence, base, found, middle, spread, True, 8)
    body, cameras, joints = _standing(spec.body, spec.face, found, base, photo)
    outline = rasterize(body, load_body().parts["body"].faces, cameras).face[0] >= 0
    inside = photo.mask > 0.5
    errors = _errors(_puppet(spec.body), evidence, found, base)
    named = min(poses(), key=lambda name: float(np.abs(_words(poses()[name]) - found[: len(_WORDS)]).mean()))
    taken = {"woman": "a woman's", "man": "a man's", "androgynous": "neither a man's nor a woman's"}
    guesses = [
        f"The body is taken for {taken[spec.body.presentation]}, {spec.body.age:.0f} years old and "
        f"{spec.body.height:.2f} m tall: a guess."
    ]
    if not known and not photo.seen[[11, 12, 23, 24]].all():
        guesses.append("The build is not seen: average.")
    return Fitted(
        replace(spec, pose=named), _posture(found[: len(_WORDS)], base), cameras, body, joints,
        float(np.median(errors)), float((outline & inside).sum() / max((outline | inside).sum(), 1)),
        (*guesses, *looks.guesses), shoulders, manly,
    )  # fmt: skip


def shoulders_of(told: Sequence[tuple[float, float]]) -> float:
    """``BodySpec.shoulders`` of a person, by what key points of several photos say: see ``Fitted.shoulders``."""
    amounts, sure = np.array(told).reshape(-1, 2).T
    if not sure.any():
        return BodySpec.shoulders
    broader = (amounts @ sure) / (sure.sum() + 1 / _SHOULDER_SPREAD**2)
    return round(float(np.clip(_SHOULDERS_SEEN + _SHOULDERS_FLATTENED * broader, 0, 1)), 3)


_ADULT = BodySpec("androgynous", 30.0, 1.71)
_CHILDREN = BodySpec("androgynous", 9.0, 1.35), BodySpec("androgynous", 5.0, 1.1)
_HEIGHTS: dict[Presentation, float] = {"woman": 1.65, "man": 1.78, "androgynous": 1.71}
"""Metres: what is assumed, since one photo shows no height."""
_LIMB_POINTS = {"left_arm": (13, 15), "right_arm": (14, 16), "left_leg": (25, 27), "right_leg": (26, 28)}
_DEEP_ROUNDS = 3
_DEEPEST = 0.3
"""Metres of depth by which an end of a bone may be wrong; more is the network's mistake."""
_DEEP_TRUST = 30.0
"""Of a bone's direction as the network's surface has it; the landmarks' own guess has at most one."""
_SHOULDER_SPREAD = 0.2
"""Of people's ``BodySpec.shoulders``."""
_SHOULDERS_SEEN, _SHOULDERS_FLATTENED = 0.61, 2.0
"""The landmarks' own bias: they have people narrower than they are, and more alike. Of 20 people with 3 or 4 photos
each."""
_WOMEN_COST, _UNSURE = 0.35, 0.6
"""The landmarks' own bias: how much better they meet a man's body than a woman's when it is neither; and what one
photo may be wrong by. Of 18 women and men with 3 or 4 photos each, the mean of these tells 17, the most frequent answer
of single photos 14."""


def _build(
    photo: Photo,
    evidence: "_Evidence",
    base: Posture,
    found: Float[ndarray, "n"],
    middle: Float[ndarray, "n"],
    spread: Float[ndarray, "n"],
) -> tuple[BodySpec, float | None]:
    """The body that meets the photo best among few, and ``Fitted.manly``; the average one where the trunk is not
    seen."""

    def cost(build: BodySpec) -> float:
        return _aligned(_puppet(build), evidence, base, found, middle, spread, True, 3)[1]

    if not photo.seen[[11, 12, 23, 24]].all():
        return _ADULT, None
    costs = {kind: cost(BodySpec(kind, _ADULT.age, height)) for kind, height in _HEIGHTS.items()}
    manly: float | None = costs["woman"] - costs["man"]
    build = adult(presentation_of([manly]))
    if photo.part == "full body":
        child = cost(_CHILDREN[0])
        if child < min(costs.values()) - 1.0:
            build, manly = (_CHILDREN[1] if cost(_CHILDREN[1]) < child - 1.0 else _CHILDREN[0]), None
    # A parabola through three weights, with a prior: loose clothes look like weight.
    trial = (0.3, 0.5, 0.7)
    values = [cost(replace(build, weight=weight)) + ((weight - 0.5) / 0.2) ** 2 for weight in trial]
    bend, slope, _ = np.polyfit(trial, values, 2)
    weight = float(np.clip(-slope / (2 * bend), 0.15, 0.85)) if bend > 1e-6 else trial[int(np.argmin(values))]
    return replace(build, weight=round(weight, 3)), manly


def presentation_of(manly: Sequence[float]) -> Presentation:
    """What several photos together have somebody for: see ``Fitted.manly``. One alone says so only when it is sure."""
    lead = float(np.mean(manly)) - _WOMEN_COST
    return "androgynous" if abs(lead) < _UNSURE / len(manly) else "man" if lead > 0 else "woman"


def adult(presentation: Presentation) -> BodySpec:
    """The average one."""
    return BodySpec(presentation, _ADULT.age, _HEIGHTS[presentation])


def _deepened(
    network: ShapeNetwork,
    photo: Photo,
    evidence: "_Evidence",
    build: BodySpec,
    found: Float[ndarray, "n"],
    base: Posture,
) -> "_Evidence":
    """The evidence with the directions of bones that the network's surface asks for.

    Along each bone the body's surface is too near or too far by an amount that is linear in the way along it; clothes
    put the near side nearer and the far side farther by as much, which cancels.
    """
    body = load_body()
    posed, camera, joints = _standing(build, FaceSpec(), found, base, photo)
    skin = body.parts["body"]
    answer = asked(network, photo.picture, photo.mask, posed, camera)
    _, amount, side = along_rays(answer, posed, skin.faces)
    names = np.array(body.joint_names)[dominant_joint(body)]
    trunk = regions(body)["torso"]
    view = camera.world_to_camera[0].double().numpy()
    seen = joints @ view[:3, :3].T + view[:3, 3]
    directions, trust = evidence.directions.copy(), evidence.direction_trust.copy()
    for index, (first, last, *_) in enumerate(_BONES):
        ends = [body.joint_names.index(name) for name in (first, last)]
        start, along = joints[ends[0]], joints[ends[1]] - joints[ends[0]]
        way = (posed - start) @ along / (along @ along)
        if first[:8] == last[:8]:  # across the trunk
            near = np.linalg.norm(posed - start - way[:, None] * along, axis=1) < 0.2
            near &= trunk & (way > 0) & (way < 1)
        else:
            near = np.char.startswith(names, first[:8]) & np.char.endswith(names, first[-2:])
        near &= side != 0
        near[skin.stop :] = False
        both = [way[near & (side == which)] for which in (-1, 1)]
        if min(len(each) for each in both) < 12 or min(np.ptp(each) for each in both) < 0.4:
            continue
        equations = np.stack([1 - way[near], way[near], side[near]], 1)
        deeper = np.linalg.lstsq(equations, amount[near], rcond=None)[0][:2]
        if np.abs(deeper).max() > _DEEPEST:
            continue
        a, b = (seen[end] * (1 + change / seen[end, 2]) for end, change in zip(ends, deeper, strict=True))
        directions[index] = (b - a) / np.linalg.norm(b - a)
        trust[index] = _DEEP_TRUST
    return replace(evidence, directions=directions, direction_trust=trust)


def _standing(
    build: BodySpec, face: FaceSpec, found: Float[ndarray, "n"], base: Posture, photo: Photo
) -> tuple[Float[ndarray, "v 3"], Cameras, Float[ndarray, "j 3"]]:
    """The body the unknowns describe, the camera that sees it over the photo, and its joints."""
    body, joints = posed_body(build, _posture(found[: len(_WORDS)], base), face)
    return body, _cameras(found[len(_WORDS) :], joints[0], photo.mask.shape), joints


def posed_body(
    build: BodySpec, posture: Posture, face: FaceSpec | None = None
) -> tuple[Float[ndarray, "v 3"], Float[ndarray, "j 3"]]:
    """Vertices, helpers included, and joints of a bare body in a posture, its lowest point on zero."""
    model = load_body()
    shaped = shape_person(model, build, face or FaceSpec())
    bind = bind_t_pose(model.joint_names, model.joint_parents, shaped.joints)
    rest = bind.place(shaped.vertices, model.skin_weights, model.skin_joints)
    transforms = pose_transforms(model.skeleton(bind.joints), rotations(posture))
    body = skin(rest, model.skin_weights, model.skin_joints, transforms)
    joints = moved_joints(bind.joints, transforms)
    lift = np.array([0, -body[: model.parts["body"].stop, 1].min(), 0], np.float32)
    return body + lift, (joints + lift).astype(np.float32)


def _cameras(lens: Float[ndarray, "6"], root: Float[ndarray, "3"], size: tuple[int, ...]) -> Cameras:
    """The unknowns of the camera as one, for a body whose hips are at ``root``."""
    view = np.eye(4)
    view[:3, :3] = _view(lens[None])[0]
    view[:3, 3] = np.array([lens[3], lens[4], _DISTANCE]) - view[:3, :3] @ root
    focal = float(np.exp(lens[5])) * _DISTANCE
    height, width = size
    matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Cameras(torch.tensor(view[None]).float(), torch.tensor(matrix[None]).float(), height, width)


def _errors(puppet: "_Puppet", evidence: "_Evidence", found: Float[ndarray, "n"], base: Posture) -> Float[ndarray, "k"]:
    """How far the body's key points are from the visible ones, in pixels of a person 512 tall."""
    words = len(_WORDS)
    points, joints = puppet.pose([_posture(found[:words], base)])
    camera = _cameras(found[words:], joints[0, 0], evidence.size)
    keys = _projected(points[0, :_KEYS], camera)
    tall = np.exp(found[words + 5]) * np.ptp(points[0, :, 1])
    return (np.linalg.norm(keys - evidence.pixels, axis=1) / tall * 512)[evidence.trust > 0]


def _projected(points: Float[ndarray, "n 3"], cameras: Cameras) -> Float[ndarray, "n 2"]:
    view, lens = cameras.world_to_camera[0].double().numpy(), cameras.intrinsics[0].double().numpy()
    pixels = (points @ view[:3, :3].T + view[:3, 3]) @ lens.T
    return pixels[:, :2] / pixels[:, 2:]


@dataclass(frozen=True, eq=False)
class _Puppet:
    """One build, ready to be posed many times at once: points as linear functions of joint transforms."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Float[ndarray, "j 3"]
    points: Float[ndarray, "j4 p"]
    """Stacked joint transforms, (3, 4 j), times this are the key points of ``_COCO_OF``, of ``_FACE_POINTS``, and
    samples of the skin."""

    def pose(self, postures: Sequence[Posture]) -> tuple[Float[ndarray, "b p 3"], Float[ndarray, "b j 3"]]:
        """Points and joints of many postures; the hips stay where they are."""
        quaternions = np.zeros((len(postures), len(self.names), 4))
        quaternions[..., 3] = 1
        place = {name: i for i, name in enumerate(self.names)}
        for row, posture in zip(quaternions, postures, strict=True):
            for name, (w, x, y, z) in rotations(posture).items():
                if name in place:
                    row[place[name]] = x, y, z, w
        turns = Rotation.from_quat(quaternions.reshape(-1, 4)).as_matrix().reshape(*quaternions.shape[:2], 3, 3)
        count, linear, origin = len(postures), np.empty_like(turns), np.empty((*turns.shape[:2], 3))
        for i, parent in enumerate(self.parents):
            if parent < 0:
                linear[:, i], origin[:, i] = turns[:, i], self.rest[i]
            else:
                linear[:, i] = linear[:, parent] @ turns[:, i]
                origin[:, i] = origin[:, parent] + linear[:, parent] @ (self.rest[i] - self.rest[parent])
        offset = origin - np.einsum("bjac,jc->bja", linear, self.rest)
        transforms = np.concatenate([linear, offset[..., None]], 3).transpose(0, 2, 1, 3).reshape(3 * count, -1)
        return (transforms @ self.points).reshape(count, 3, -1).transpose(0, 2, 1), origin


@cache
def _sampled(body: Body) -> Int[ndarray, "s"]:
    """About four hundred vertices spread over the skin, without fingers, face and what lies inside the mouth."""
    start = np.arange(body.parts["body"].stop)
    names = np.array(body.joint_names)[dominant_joint(body)[start]]
    kept = np.array([not name.startswith(("finger", "metacarpal", "eye", "toe")) for name in names])
    points = body.template.numpy()[start]
    chosen: list[int] = [int(np.flatnonzero(kept)[0])]
    nearest = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < 400:  # the farthest from all chosen so far
        chosen.append(int(np.where(kept, nearest, -1).argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


@lru_cache(maxsize=16)
def _puppet(build: BodySpec) -> _Puppet:
    """The build's T-pose, its small bones joined to the hands and feet that carry them."""
    body = load_body()
    shaped = shape_person(body, build, FaceSpec())
    bind = bind_t_pose(body.joint_names, body.joint_parents, shaped.joints)
    vertices = bind.place(shaped.vertices, body.skin_weights, body.skin_joints).astype(np.float64)
    kept = [i for i, name in enumerate(body.joint_names) if not name.startswith(("finger", "metacarpal", "eye", "toe"))]
    carrier = []
    for i in range(len(body.joint_names)):
        while i not in kept:
            i = body.joint_parents[i]
        carrier.append(kept.index(i))
    shares = np.zeros((_KEYS, len(vertices)))
    for row, (indices, weights) in enumerate(zip(body.coco_indices[:17], body.coco_weights[:17], strict=True)):
        np.add.at(shares[row], indices, weights)
    for row, sources in ((17, (17, 19)), (18, (18, 20)), (19, (21,)), (20, (22,))):  # a toe: its foot's two
        for source in sources:
            np.add.at(shares[row], body.coco_indices[source], body.coco_weights[source] / len(sources))
    contours = contour_vertices()
    for row, (_, contour, place) in enumerate(_FACE_POINTS, len(_COCO_OF)):
        indices, weights = contours[contour]
        np.add.at(shares[row], indices[place], weights[place])
    used = np.flatnonzero(shares.any(0))
    weights = np.zeros((len(vertices), len(kept)))
    rows = np.arange(len(vertices))
    for k in range(body.skin_weights.shape[1]):
        np.add.at(weights, (rows, np.array(carrier)[body.skin_joints[:, k]]), body.skin_weights[:, k])
    homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1))], 1)

    samples = _sampled(body)
    keys = np.einsum("pv,vj,vc->jcp", shares[:, used], weights[used], homogeneous[used], optimize=True)
    skin_points = np.einsum("vj,vc->jcv", weights[samples], homogeneous[samples])
    points = np.concatenate([keys, skin_points], 2).reshape(4 * len(kept), -1)
    parents = tuple(-1 if body.joint_parents[i] < 0 else kept.index(body.joint_parents[i]) for i in kept)
    names = tuple(body.joint_names[i] for i in kept)
    return _Puppet(names, parents, bind.joints[kept].astype(np.float64), points)


def _posture(words: Float[ndarray, "n"], base: Posture) -> Posture:
    """``base`` with the unknown words set, each within its limits."""
    limbs: dict[str, dict[str, float]] = {"left_arm": {}, "right_arm": {}, "left_leg": {}, "right_leg": {}}
    trunk: dict[str, float] = {}
    for (limb, name, _), value in zip(_WORDS, words, strict=True):
        low, high = limits(f"{limb}.{name}")
        (limbs[limb] if limb else trunk)[name] = float(min(max(value, low), high))
    changed: dict[str, Any] = {limb: replace(getattr(base, limb), **values) for limb, values in limbs.items()}
    return replace(base, **changed, **trunk)


def _words(posture: Posture) -> Float[ndarray, "n"]:
    return np.array([getattr(getattr(posture, limb) if limb else posture, name) for limb, name, _ in _WORDS])


def _view(lens: Float[ndarray, "b 6"]) -> Float[ndarray, "b 3 3"]:
    """World-to-camera rotations."""
    raised, turned, rolled = (
        Rotation.from_rotvec(lens[:, [i]] * np.array(axis), degrees=True).as_matrix()
        for i, axis in ((1, (1.0, 0.0, 0.0)), (0, (0.0, -1.0, 0.0)), (2, (0.0, 0.0, 1.0)))
    )
    return rolled @ np.diag([1.0, -1.0, -1.0]) @ raised @ turned


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What a photo says, as numbers to meet."""

    pixels: Float[ndarray, "k 2"]
    trust: Float[ndarray, "k"]
    directions: Float[ndarray, "n 3"]
    """Of ``_BONES``, along the camera's axes."""
    direction_trust: Float[ndarray, "n"]
    outside: Float[ndarray, "h w"]
    """Pixels to the mask; zero in it, and beyond the picture's edges where the mask reaches them. ``shrink`` times the
    size of the picture, with a border of ``border``."""
    shrink: float
    border: int
    filled: Float[ndarray, "m 2"]
    """Pixels spread over the mask."""
    centre: Float[ndarray, "2"]
    scale: float
    """Pixels of one metre at first; also the measure of what is near."""
    size: tuple[int, int]
    """Height and width of the picture."""


def _evidence(photo: Photo) -> _Evidence:
    keys = photo.keypoints
    assert keys is not None
    seen = photo.seen
    chosen = list(_COCO_OF)
    trust = np.where(seen[chosen], keys.visibility[chosen], 0.0) * np.array(_TRUST)
    pixels = np.concatenate([keys.pixels[chosen], np.zeros((len(_FACE_POINTS), 2))])
    # The smaller the part that is seen, the more the face says about where everything is.
    sureness = {"full body": 0.8, "half body": 2.0, "portrait": 5.0}[photo.part]
    trust = np.concatenate([trust, np.full(len(_FACE_POINTS), sureness if photo.face is not None else 0.0)])
    if photo.face is not None:
        pixels[len(chosen) :] = photo.face.points[[index for index, *_ in _FACE_POINTS], :2]
    directions = np.array([keys.world[b] - keys.world[a] for _, _, a, b in _BONES])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True) + 1e-9
    sure = np.array([min(keys.visibility[a], keys.visibility[b]) * (0.25 + 0.75 * (seen[a] and seen[b]))
                     for _, _, a, b in _BONES])  # fmt: skip
    good = np.flatnonzero(seen) if seen.sum() >= 4 else np.arange(33)
    flat, deep = keys.pixels[good] - keys.pixels[good].mean(0), keys.world[good, :2] - keys.world[good, :2].mean(0)
    scale = float(np.sqrt((flat**2).sum() / max((deep**2).sum(), 1e-9)))
    height, width = photo.mask.shape
    inside = photo.mask > 0.5
    shrink = min(1.0, 150 / scale)
    size = max(round(width * shrink), 1), max(round(height * shrink), 1)
    small = np.asarray(Image.fromarray(photo.mask.astype(np.float32)).resize(size, Image.Resampling.BOX)) > 0.5
    border = int(shrink * scale) + 1
    outside = distance_transform_edt(~np.pad(small, border, "edge")) / shrink
    rows, columns = np.nonzero(inside)
    step = max(len(rows) // 250, 1)
    filled = np.stack([columns, rows], 1)[step // 2 :: step] + 0.5
    return _Evidence(
        pixels,
        trust,
        directions,
        sure,
        outside,
        shrink,
        border,
        filled,
        np.array([width / 2, height / 2]),
        scale,
        (height, width),
    )


def _start(photo: Photo, evidence: _Evidence) -> tuple[Posture, Float[ndarray, "6"]]:
    """Limbs of named poses that point most like the landmarks, and a camera in front of the chest."""
    keys = photo.keypoints
    assert keys is not None
    world = keys.world * (1, -1, -1)  # our axes, seen from straight ahead
    up = world[11:13].mean(0) - world[23:25].mean(0)
    across = (world[11] - world[12]) / 2 + (world[23] - world[24])
    azimuth = float(np.degrees(np.arctan2(across[2], across[0])))
    lying = float(np.degrees(np.arctan2(up[0], up[1])))
    roll = lying if abs(lying) > 50 else 0.0
    limbs: dict[str, Any] = {}
    library = _library()
    for kind, ends in (("arm", ((11, 13, 15), (12, 14, 16))), ("leg", ((23, 25, 27), (24, 26, 28)))):
        frame = _frame(world[11] - world[12] if kind == "arm" else world[23] - world[24], up)
        for side, (a, b, c) in zip(("left", "right"), ends, strict=True):
            name = f"{side}_{kind}"
            if keys.visibility[[a, b, c]].min() < 0.3 or not photo.seen[b]:
                limbs[name] = getattr(STAND, name)
                continue
            wanted = np.stack([world[b] - world[a], world[c] - world[b]])
            wanted /= np.linalg.norm(wanted, axis=1, keepdims=True) + 1e-9
            choices, directions = library[name]
            limbs[name] = choices[int(np.einsum("nbd,bd->n", directions, wanted @ frame).argmax())]
    middle = keys.pixels[23:25].mean(0)
    across_metres, down_metres = (middle - evidence.centre) / evidence.scale
    lens = np.array([azimuth, 3.0, roll, across_metres, down_metres, np.log(evidence.scale)])
    return Posture(**limbs), lens


def _frame(across: Float[ndarray, "3"], up: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """Columns: to the left, up, forward."""
    x = across / (np.linalg.norm(across) + 1e-9)
    y = up - x * (x @ up)
    y = y / (np.linalg.norm(y) + 1e-9)
    return np.stack([x, y, np.cross(x, y)], 1)


@cache
def _library() -> dict[str, tuple[list[Arm] | list[Leg], Float[ndarray, "n 2 3"]]]:
    """For each limb all of that limb in the named poses, and the directions of its two bones in the trunk's frame."""
    known = [*poses().values()]
    puppet = _puppet(BodySpec())
    _, joints = puppet.pose(known)
    at = {name: joints[:, i] for i, name in enumerate(puppet.names)}
    out: dict[str, Any] = {}
    for kind, chain, girdle in (
        ("arm", ("upperarm01", "lowerarm01", "wrist"), "upperarm01"),
        ("leg", ("upperleg01", "lowerleg01", "foot"), "upperleg01"),
    ):
        shoulders = (at["upperarm01.L"] + at["upperarm01.R"]) / 2
        ups = shoulders - (at["upperleg01.L"] + at["upperleg01.R"]) / 2
        across = at[f"{girdle}.L"] - at[f"{girdle}.R"]
        frames = np.stack([_frame(a, u) for a, u in zip(across, ups, strict=True)])
        limbs: list[Any] = []
        rows: list[ndarray] = []
        for side, letter in (("left", "L"), ("right", "R")):
            points = [at[f"{name}.{letter}"] for name in chain]
            bones = np.stack([points[1] - points[0], points[2] - points[1]], 1)
            bones /= np.linalg.norm(bones, axis=2, keepdims=True)
            local = np.einsum("nbd,nde->nbe", bones, frames)
            rows.append(local * (1 if side == "left" else np.array([-1, 1, 1])))
            limbs += [getattr(posture, f"{side}_{kind}") for posture in known]
        directions = np.concatenate(rows)
        out[f"left_{kind}"] = limbs, directions
        out[f"right_{kind}"] = limbs, directions * np.array([-1, 1, 1])
    return out


_STEPS = np.array([1.0] * (len(_WORDS) + 3) + [0.005, 0.005, 0.003])
"""By which each unknown is moved to see what it does."""


@dataclass(eq=False)
class _Residuals:
    """How far a puppet is from meeting the evidence, as numbers whose squares are to be small.

    Args are those of ``_aligned``. The places of the skin that the mask's pixels are held against are the nearest of
    the last jacobian.
    """

    puppet: _Puppet
    evidence: _Evidence
    base: Posture
    middle: Float[ndarray, "n"]
    spread: Float[ndarray, "n"]
    outline: bool
    nearest: Int[ndarray, "m"] | None = None

    def __call__(self, rows: Float[ndarray, "b n"]) -> Float[ndarray, "b r"]:
        puppet, evidence, unit = self.puppet, self.evidence, self.evidence.scale
        words = len(_WORDS)
        points, joints = puppet.pose([_posture(row[:words], self.base) for row in rows])
        lens = rows[:, words:]
        view = _view(lens)
        seen = np.einsum("bxc,bpc->bpx", view, points - puppet.rest[0])
        seen += np.stack([lens[:, 3], lens[:, 4], np.full(len(rows), _DISTANCE)], 1)[:, None]
        zoom = np.exp(lens[:, 5])[:, None, None] * _DISTANCE
        pixels = zoom * seen[..., :2] / seen[..., 2:] + evidence.centre
        keys, samples = pixels[:, :_KEYS], pixels[:, _KEYS:]
        apart = (keys - evidence.pixels) / (0.02 * unit)
        parts = [_robust(apart) * np.sqrt(evidence.trust)[:, None]]
        places = [puppet.names.index(name) for bone in _BONES for name in bone[:2]]
        ends = joints[:, places].reshape(len(rows), -1, 2, 3)
        bones = np.einsum("bxc,bnc->bnx", view, ends[:, :, 1] - ends[:, :, 0])
        bones /= np.linalg.norm(bones, axis=2, keepdims=True) + 1e-9
        parts.append((bones - evidence.directions) * np.sqrt(evidence.direction_trust)[:, None] / 0.6)
        parts.append(((rows - self.middle) / self.spread)[..., None])
        if self.outline:
            x, y = np.moveaxis(samples * evidence.shrink + evidence.border - 0.5, -1, 0)
            out = map_coordinates(evidence.outside, [y, x], order=1, mode="nearest")
            parts.append(_robust(out / (0.02 * unit))[..., None] * np.sqrt(60 / samples.shape[1]))
            if self.nearest is None:
                self.nearest = np.asarray(cKDTree(samples[0]).query(evidence.filled)[1])
            gap = np.linalg.norm(samples[:, self.nearest] - evidence.filled, axis=2) / unit
            far = np.maximum(gap - 0.06, 0) / 0.05
            parts.append(_robust(far)[..., None] * np.sqrt(60 / len(evidence.filled)))
        return np.concatenate([part.reshape(len(rows), -1) for part in parts], 1)

    def bounds(self) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
        """The least and the most that each unknown may be."""
        allowed = np.array([limits(f"{limb}.{name}") for limb, name, _ in _WORDS])
        turn, free = np.array([90.0, 35.0, 40.0]), np.full(3, np.inf)
        start = self.middle[len(_WORDS) : len(_WORDS) + 3]
        return (
            np.concatenate([allowed[:, 0], start - turn, -free]), np.concatenate([allowed[:, 1], start + turn, free])
        )  # fmt: skip

    def jacobian(self, at: Float[ndarray, "n"]) -> Float[ndarray, "r n"]:
        """By steps away from the nearer limit, where a word would not move."""
        self.nearest = None
        sign = np.where(at + _STEPS > self.bounds()[1], -1.0, 1.0)
        moved = self(np.concatenate([at[None], at + np.diag(_STEPS * sign)]))
        return ((moved[1:] - moved[0]) / (_STEPS * sign)[:, None]).T


def _shoulders(build: BodySpec, residuals: _Residuals, found: Float[ndarray, "n"]) -> tuple[float, float]:
    """``Fitted.shoulders``: what is best to first order, posture and camera free to follow (variable projection, Golub
    and Pereyra 1973).

    Args:
        build: With average shoulders.
        residuals: Its own.
        found: Where they are least.
    """
    free, _ = np.linalg.qr(residuals.jacobian(found))
    left = residuals(found[None])[0]
    low, high = (
        replace(residuals, puppet=_puppet(replace(build, shoulders=breadth)))(found[None])[0] for breadth in (0.4, 0.6)
    )
    broader = (high - low) / 0.2
    broader -= free @ (free.T @ broader)
    sure = float(broader @ broader)
    return -float(broader @ left) / max(sure, 1e-9), sure


def _aligned(
    puppet: _Puppet,
    evidence: "_Evidence",
    base: Posture,
    start: Float[ndarray, "n"],
    middle: Float[ndarray, "n"],
    spread: Float[ndarray, "n"],
    outline: bool,
    rounds: int,
) -> tuple[Float[ndarray, "n"], float]:
    """The unknowns that meet the evidence best, from ``start``, and the sum of squares left.

    Args:
        base: What the unknown words leave as it is.
        start: Words, then camera.
        middle: Where the prior would have them.
        spread: How far from there it lets them go.
        outline: Whether the mask counts.
        rounds: Steps of least squares.
    """
    residuals = _Residuals(puppet, evidence, base, middle, spread, outline)
    low, high = residuals.bounds()
    inside = np.clip(start, low + 1e-3, high - 1e-3)
    found = least_squares(
        lambda at: residuals(at[None])[0], inside, residuals.jacobian, (low, high), x_scale=np.minimum(spread, 30.0),
        max_nfev=rounds, ftol=1e-3, xtol=1e-4,
    )  # fmt: skip
    return found.x, 2 * float(found.cost)


def _robust(residual: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """Charbonnier's loss as a residual: linear in the square root beyond one."""
    return np.sign(residual) * np.sqrt(2 * (np.sqrt(1 + residual**2) - 1))
