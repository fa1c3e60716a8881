"""Avatar -> VRM 1.0: the GLB with a humanoid, expressions, a gaze, springs and terms of use, without clips.

Written from the published specification (VRMC_vrm 1.0, VRMC_springBone 1.0). It uses no animations, so none is written;
it lets players ignore tangents, which stay because plain glTF programs want them. What the face rests in becomes its
shape, since players reset every expression. The eyes look by their bones, so the four ``look`` presets are empty.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from PIL import Image

from ..files import atomic_path
from ..types import Avatar, Layer, Skeleton
from .atlas import atlased
from .bones import VRM
from .expressions import ARKIT, VISEMES, VRM_PRESETS, Mixture, at_rest, names_in
from .glb import PLAIN, Pictures, gltf_document, pack_glb
from .marks import Marks
from .rights import vrm_meta
from .springs import Chain, Collider, Sprung, with_springs
from .vrm_check import check_vrm

_FIRST_JOINT = 1
"""The node of joint 0; see `gltf_document`."""
_THUMBNAIL = 1024
"""Pixels; the specification prefers this size."""
_BLENDS = {"relaxed": ("overrideBlink",), "surprised": ("overrideBlink", "overrideMouth")}
"""Presets that move lids or jaw so far that a blink or a viseme on top must fade as they come."""
_EYES = {"Inner": 7.0, "Outer": 10.0, "Down": 8.0, "Up": 8.0}
"""Degrees the eyes turn when what they look at is 90 degrees aside."""


def write_vrm(
    avatar: Avatar,
    path: Path,
    *,
    marks: Marks | None = None,
    thumbnail: Image.Image | None = None,
    visemes: bool = False,
    pictures: Pictures = PLAIN,
    atlas: bool = False,
) -> None:
    """Write the avatar to `path` as VRM 1.0: whole, or not at all.

    Args:
        avatar: Standing at rest in the T-pose, soles at y = 0.
        path: Replaced if it exists.
        marks: What made it, whose it is and what others may do with it; the strictest where nothing is said.
        thumbnail: The face. Cut to a square.
        visemes: Add Oculus' 15 as custom expressions, ``viseme_sil`` to ``viseme_U``.
        pictures: How textures are stored.
        atlas: One mesh with one material; see `atlas.atlased`.

    Raises:
        ValueError: The avatar contradicts itself, or has no bone for one that VRM requires.
    """
    content = vrm_bytes(avatar, marks=marks, thumbnail=thumbnail, visemes=visemes, pictures=pictures, atlas=atlas)
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def vrm_bytes(
    avatar: Avatar,
    *,
    marks: Marks | None = None,
    thumbnail: Image.Image | None = None,
    visemes: bool = False,
    pictures: Pictures = PLAIN,
    atlas: bool = False,
) -> bytes:
    """The file `write_vrm` writes."""
    document, binary = vrm_document(
        avatar, marks=marks, thumbnail=thumbnail, visemes=visemes, pictures=pictures, atlas=atlas
    )
    problems = check_vrm(document)
    if problems:
        raise ValueError(f"This avatar makes no valid VRM: {'; '.join(problems[:5])}.")
    return pack_glb(document, binary)


def vrm_document(
    avatar: Avatar,
    *,
    marks: Marks | None = None,
    thumbnail: Image.Image | None = None,
    visemes: bool = False,
    pictures: Pictures = PLAIN,
    atlas: bool = False,
) -> tuple[dict[str, Any], bytes]:
    """The file's JSON and its binary buffer, unchecked."""
    marks = marks or Marks()
    sprung = with_springs(at_rest(avatar))
    avatar = Avatar(sprung.avatar.layers, sprung.avatar.skeleton)
    avatar = atlased(avatar) if atlas else avatar
    document, binary = gltf_document(avatar, bone_names="vrm", marks=marks, pictures=pictures)
    meta = {"name": marks.title or "Character", "version": "1", **vrm_meta(marks.rights)}
    if thumbnail is not None:
        meta["thumbnailImage"], binary = _add_image(document, binary, thumbnail)
    skeleton = avatar.skeleton
    nodes = range(_FIRST_JOINT + len(skeleton.names), len(document["nodes"]))
    extensions = {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": meta,
            "humanoid": {
                "humanBones": {
                    VRM[joint]: {"node": _FIRST_JOINT + index}
                    for index, joint in enumerate(skeleton.names)
                    if joint in VRM
                }
            },
            "firstPerson": {"meshAnnotations": _first_person(avatar, nodes)},
            "expressions": _expressions(avatar, nodes, visemes),
            "lookAt": _look_at(skeleton),
        }
    }
    if sprung.chains:
        extensions["VRMC_springBone"] = _spring_bone(sprung)
    document["extensions"] |= extensions
    document["extensionsUsed"] += list(extensions)
    return document, binary


def _expressions(avatar: Avatar, nodes: Sequence[int], visemes: bool) -> dict[str, Any]:
    """Presets and customs, bound to the targets of every layer that has them."""
    targets = {name: index for index, name in enumerate(names_in(avatar))}

    def binds(mixture: Mixture) -> list[dict[str, Any]]:
        return [
            {"node": node, "index": targets[name], "weight": weight}
            for layer, node in zip(avatar.layers, nodes, strict=True)
            for name, weight in mixture.items()
            if name in layer.expressions
        ]

    def expression(mixture: Mixture, blends: tuple[str, ...] = ()) -> dict[str, Any]:
        overrides = {
            name: "blend" if name in blends else "none" for name in ("overrideMouth", "overrideBlink", "overrideLookAt")
        }
        bound = binds(mixture)
        return {"isBinary": False, **overrides} | ({"morphTargetBinds": bound} if bound else {})

    custom: dict[str, Mixture] = {name: {name: 1.0} for name in ARKIT if name in targets}
    if visemes:
        custom |= {f"viseme_{name}": mixture for name, mixture in VISEMES.items()}
    return {
        "preset": {name: expression(mixture, _BLENDS.get(name, ())) for name, mixture in VRM_PRESETS.items()},
        "custom": {name: expression(mixture) for name, mixture in custom.items()},
    }


def _first_person(avatar: Avatar, nodes: Sequence[int]) -> list[dict[str, Any]]:
    """Seen by the one inside: nothing of the head. Players cut meshes that are ``auto`` themselves."""
    skeleton = avatar.skeleton
    head = {skeleton.index("head")} if "head" in skeleton.names else set()
    for joint, parent in enumerate(skeleton.parents):
        if parent in head:
            head.add(joint)
    return [
        {"node": node, "type": _seen_by(layer, np.array(sorted(head)))}
        for layer, node in zip(avatar.layers, nodes, strict=True)
    ]


def _seen_by(layer: Layer, head: ndarray) -> str:
    follows = (np.isin(layer.skin_joints.numpy(), head) * layer.skin_weights.numpy()).sum(axis=1) > 0.5
    return "thirdPersonOnly" if follows.all() else "auto" if follows.any() else "both"


def _look_at(skeleton: Skeleton) -> dict[str, Any]:
    positions = skeleton.positions.numpy().astype(np.float64)
    eyes = [positions[skeleton.index(eye)] for eye in ("eye.L", "eye.R") if eye in skeleton.names]
    head = positions[skeleton.index("head")] if "head" in skeleton.names else np.zeros(3)
    offset = np.mean(eyes, axis=0) - head if eyes else np.array([0.0, 0.06, 0.0])
    ranges = {
        f"rangeMap{'Vertical' if way in ('Down', 'Up') else 'Horizontal'}{way}": {
            "inputMaxValue": 90.0,
            "outputScale": degrees,
        }
        for way, degrees in _EYES.items()
    }
    return {"type": "bone", "offsetFromHeadBone": [round(float(value), 5) for value in offset], **ranges}


def _spring_bone(sprung: Sprung) -> dict[str, Any]:
    kinds = list(dict.fromkeys(collider.kind for collider in sprung.colliders))
    groups = [
        {"name": kind, "colliders": [i for i, collider in enumerate(sprung.colliders) if collider.kind == kind]}
        for kind in kinds
    ]
    springs = []
    for chain in sprung.chains:
        name = sprung.avatar.skeleton.names[chain.joints[0]].rpartition("_")[0]
        spring: dict[str, Any] = {"name": name, "joints": _spring_joints(chain)}
        if chain.kind.name in kinds:
            spring["colliderGroups"] = [kinds.index(chain.kind.name)]
        springs.append(spring)
    colliders = [_collider(collider) for collider in sprung.colliders]
    lists = {"colliders": colliders, "colliderGroups": groups} if colliders else {}
    return {"specVersion": "1.0", **lists, "springs": springs}


def _spring_joints(chain: Chain) -> list[dict[str, Any]]:
    feel = chain.kind.feel
    settings = {
        "hitRadius": round(chain.hit_radius, 5),
        "stiffness": feel.stiffness,
        "gravityPower": feel.gravity,
        "gravityDir": [0.0, -1.0, 0.0],
        "dragForce": feel.drag,
    }
    *swinging, tail = (_FIRST_JOINT + joint for joint in chain.joints)
    return [{"node": node, **settings} for node in swinging] + [{"node": tail}]


def _collider(collider: Collider) -> dict[str, Any]:
    offset = [round(float(value), 5) for value in collider.offset]
    shape: dict[str, Any] = {"offset": offset, "radius": round(collider.radius, 5)}
    if collider.tail is not None:
        shape["tail"] = [round(float(value), 5) for value in collider.tail]
    return {"node": _FIRST_JOINT + collider.joint, "shape": {"sphere" if collider.tail is None else "capsule": shape}}


def _add_image(document: dict[str, Any], binary: bytes, picture: Image.Image) -> tuple[int, bytes]:
    """The picture as a square JPEG at the buffer's end; its index among the images."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert("RGB").crop((left, top, left + side, top + side))
    file = io.BytesIO()
    square.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS).save(file, "JPEG", quality=88)
    data = file.getvalue()
    view = {"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)}
    document["bufferViews"].append(view)
    images = document.setdefault("images", [])
    images.append({"name": "thumbnail", "mimeType": "image/jpeg", "bufferView": len(document["bufferViews"]) - 1})
    binary += data + b"\0" * (-len(data) % 4)
    document["buffers"][0]["byteLength"] = len(binary)
    return len(images) - 1, binary
