"""A VRM file obeys the specification; the checker finds whatever does not, and never falls over."""

import io
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bozzetto.export.expressions import ARKIT, VRM_PRESETS
from bozzetto.export.read import read_glb, unpack_glb
from bozzetto.export.vrm import vrm_bytes, vrm_document, write_vrm
from bozzetto.export.vrm_check import NEEDS_PARENT, PARENTS, check_vrm
from bozzetto.figure.build import build_figure, expressed
from bozzetto.figure.people import random_spec
from bozzetto.types import Clip
from export_people import at, hair, person, skirt

WEB = Path(__file__).parents[1] / "web"
FACE = Image.new("RGB", (300, 200), (200, 120, 90))
DRESSED = person(skirt(), hair(), expression={"mouthSmileLeft": 0.5})
GOOD, _ = vrm_document(DRESSED, thumbnail=FACE, visemes=True)
SLIM = json.dumps({key: value for key, value in GOOD.items() if key not in ("accessors", "bufferViews")})
"""All that the checker reads."""


def vrm_of(document: dict[str, Any]) -> dict[str, Any]:
    return document["extensions"]["VRMC_vrm"]


def test_what_we_write_is_valid() -> None:
    assert check_vrm(GOOD) == []
    assert check_vrm(vrm_document(person())[0]) == []
    assert "VRMC_springBone" in GOOD["extensions"] and "VRMC_springBone" not in vrm_document(person())[0]["extensions"]
    assert set(GOOD["extensionsUsed"]) == set(GOOD["extensions"])


def test_the_humanoid_has_every_bone_but_jaw_and_toes() -> None:
    bones = vrm_of(GOOD)["humanoid"]["humanBones"]
    assert set(PARENTS) - set(bones) == {"jaw", "leftToes", "rightToes"}
    assert GOOD["nodes"][bones["leftHand"]["node"]]["name"] == "leftHand"


def test_expressions_move_every_layer_that_has_them() -> None:
    expressions = vrm_of(GOOD)["expressions"]
    assert set(expressions["preset"]) == set(VRM_PRESETS)
    assert set(expressions["custom"]) == {
        name for name in (*ARKIT, *(f"viseme_{n}" for n in "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()))
        if name.startswith("viseme") or name in DRESSED.layer("skin").expressions
    }  # fmt: skip
    (skin,) = (index for index, node in enumerate(GOOD["nodes"]) if node["name"] == "skin")
    names = GOOD["meshes"][GOOD["nodes"][skin]["mesh"]]["extras"]["targetNames"]
    binds = expressions["preset"]["blink"]["morphTargetBinds"]
    assert [(bind["node"], names[bind["index"]]) for bind in binds] == [(skin, "eyeBlinkLeft"), (skin, "eyeBlinkRight")]
    assert "morphTargetBinds" not in expressions["preset"]["lookLeft"]


def test_the_resting_smile_is_in_the_shape_not_in_the_weights(tmp_path: Path) -> None:
    write_vrm(DRESSED, tmp_path / "a.vrm")
    read = read_glb(tmp_path / "a.vrm")
    assert read.expression == {} and not read.clips
    smiling = expressed(DRESSED.layer("skin"), {"mouthSmileLeft": 0.5})
    np.testing.assert_allclose(read.layer("skin").mesh.vertices, smiling, atol=1e-6)
    for layer in DRESSED.layers[1:]:
        np.testing.assert_allclose(read.layer(layer.name).mesh.vertices, layer.mesh.vertices, atol=1e-6)


def test_the_head_is_not_seen_from_inside() -> None:
    seen = vrm_of(GOOD)["firstPerson"]["meshAnnotations"]
    kinds = {GOOD["nodes"][each["node"]]["name"]: each["type"] for each in seen}
    whole_head = dict.fromkeys(("skin", "hair"), "thirdPersonOnly")
    assert kinds == dict.fromkeys(("leg.L", "leg.R", "bottom"), "both") | whole_head
    skin = DRESSED.layer("skin")
    halves = skin.skin_joints.clone()
    halves[:9] = 0
    document, _ = vrm_document(replace(DRESSED, layers=(replace(skin, skin_joints=halves),)))
    assert vrm_of(document)["firstPerson"]["meshAnnotations"][0]["type"] == "auto"


def test_the_gaze_starts_between_the_eyes() -> None:
    offset = np.array(vrm_of(GOOD)["lookAt"]["offsetFromHeadBone"])
    np.testing.assert_allclose(at("head") + offset, (at("eye.L") + at("eye.R")) / 2, atol=1e-4)


def test_the_thumbnail_is_a_square_in_the_file() -> None:
    document, binary = unpack_glb(vrm_bytes(DRESSED, thumbnail=FACE))
    image = document["images"][vrm_of(document)["meta"]["thumbnailImage"]]
    view = document["bufferViews"][image["bufferView"]]
    with Image.open(io.BytesIO(binary[view["byteOffset"] :][: view["byteLength"]])) as picture:
        assert picture.size == (1024, 1024) and picture.format == "JPEG"
        assert np.abs(np.array(picture)[512, 512].astype(int) - (200, 120, 90)).max() < 4


def test_clips_stay_behind_and_glb_is_not_touched() -> None:
    walk = Clip("walk", np.linspace(0, 1, 2), {"head": np.eye(4)[[0, 0]]})
    walking = replace(DRESSED, clips=(walk,))
    document, _ = unpack_glb(vrm_bytes(walking))
    assert "animations" not in document
    assert walking.skeleton.names == DRESSED.skeleton.names


def test_an_avatar_without_a_required_bone_makes_no_vrm() -> None:
    names = tuple("tail" if name == "wrist.L" else name for name in DRESSED.skeleton.names)
    handless = replace(DRESSED, skeleton=replace(DRESSED.skeleton, names=names))
    with pytest.raises(ValueError, match="leftHand"):
        vrm_bytes(handless)


def test_the_bones_of_the_specification() -> None:
    assert len(PARENTS) == 55 and len(NEEDS_PARENT) == 21
    assert (PARENTS["leftThumbProximal"], PARENTS["rightIndexProximal"]) == ("leftThumbMetacarpal", "rightHand")
    assert (PARENTS["leftShoulder"], PARENTS["leftUpperLeg"], PARENTS["hips"]) == ("upperChest", "hips", None)


def bones(document: dict[str, Any]) -> dict[str, Any]:
    return vrm_of(document)["humanoid"]["humanBones"]


def spring(document: dict[str, Any]) -> dict[str, Any]:
    return document["extensions"]["VRMC_springBone"]


def meta(document: dict[str, Any]) -> dict[str, Any]:
    return vrm_of(document)["meta"]


def swap(one: str, other: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        table = bones(document)
        table[one], table[other] = table[other], table[one]

    return change


def constrain(document: dict[str, Any], constraint: dict[str, Any], node: int = 5) -> None:
    document["extensionsUsed"] += ["VRMC_node_constraint"]
    extension = {"specVersion": "1.0", "constraint": constraint}
    document["nodes"][node].setdefault("extensions", {})["VRMC_node_constraint"] = extension


def two_springs(document: dict[str, Any], center: str) -> None:
    """The left arm swings, and its fingers in a spring of their own, which comes first and has a center."""
    arm, elbow, finger, tip = (
        bones(document)[f"left{bone}"]["node"]
        for bone in ("UpperArm", "LowerArm", "MiddleProximal", "MiddleIntermediate")
    )
    own = {"joints": [{"node": finger}, {"node": tip}], "center": bones(document)[center]["node"]}
    spring(document)["springs"] = [own, {"joints": [{"node": arm}, {"node": elbow}]}]


def blink(document: dict[str, Any]) -> dict[str, Any]:
    return vrm_of(document)["expressions"]["preset"]["blink"]


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "extension unused": (lambda d: d["extensionsUsed"].remove("VRMC_vrm"), "extensionsUsed does not name VRMC_vrm"),
    "version": (lambda d: vrm_of(d).update(specVersion="0.0"), "specVersion"),
    "animation": (lambda d: d.update(animations=[{}]), "animations"),
    "negative scale": (lambda d: d["nodes"][3].update(scale=[-1, 1, 1]), "scale"),
    "flat scale": (lambda d: d["nodes"][3].update(scale=[1, 1, 2]), "scale"),
    "no name": (lambda d: meta(d).pop("name"), "meta.name"),
    "no authors": (lambda d: meta(d).update(authors=[]), "author"),
    "empty author": (lambda d: meta(d).update(authors=[""]), "author"),
    "other licence": (lambda d: meta(d).update(licenseUrl="https://example.org"), "licenseUrl"),
    "permission": (lambda d: meta(d).update(avatarPermission="nobody"), "avatarPermission"),
    "usage": (lambda d: meta(d).update(commercialUsage=True), "commercialUsage"),
    "flag": (lambda d: meta(d).update(allowRedistribution="yes"), "allowRedistribution"),
    "thumbnail": (lambda d: meta(d).update(thumbnailImage=99), "thumbnailImage"),
    "thumbnail type": (lambda d: d["images"][-1].update(mimeType="image/webp"), "PNG or JPEG"),
    "no head": (lambda d: bones(d).pop("head"), "required bones are missing: head"),
    "tail": (lambda d: bones(d).update(tail={"node": 5}), "no humanoid bones"),
    "bone beyond": (lambda d: bones(d).update(jaw={"node": 10**6}), "jaw is 1000000"),
    "twice": (lambda d: bones(d).update(jaw=bones(d)["head"]), "two humanoid bones"),
    "upside down": (swap("leftUpperArm", "leftHand"), "leftHand must hang from"),
    "sides": (swap("leftHand", "rightHand"), "must hang from leftLowerArm"),
    "mirrored": (
        lambda d: [swap(name, "right" + name[4:])(d) for name in list(bones(d)) if name[:4] == "left"],
        "T-pose",
    ),
    "finger without root": (lambda d: bones(d).pop("leftIndexProximal"), "leftIndexIntermediate needs"),
    "no chest": (lambda d: bones(d).pop("chest"), "upperChest needs"),
    "arms down": (lambda d: d["nodes"][bones(d)["leftUpperArm"]["node"]].update(rotation=[0, 0, -0.6, 0.8]), "T-pose"),
    "circle": (lambda d: d["nodes"][bones(d)["head"]["node"]].update(children=[0]), "circle"),
    "two parents": (lambda d: d["nodes"][0].update(children=[1, 2]), "hangs from two"),
    "preset": (lambda d: vrm_of(d)["expressions"]["preset"].update(smug={}), "no preset expression 'smug'"),
    "custom": (lambda d: vrm_of(d)["expressions"]["custom"].update(happy={}), "name of a preset"),
    "bind node": (lambda d: blink(d)["morphTargetBinds"][0].update(node=1), "which has no mesh"),
    "bind index": (lambda d: blink(d)["morphTargetBinds"][0].update(index=52), "morph target is 52"),
    "bind weight": (lambda d: blink(d)["morphTargetBinds"][0].update(weight=1.5), "outside 0 to 1"),
    "override": (lambda d: blink(d).update(overrideMouth="maybe"), "overrideMouth"),
    "binary": (lambda d: blink(d).update(isBinary=1), "isBinary"),
    "colour": (
        lambda d: blink(d).update(materialColorBinds=[{"material": 0, "type": "hue", "targetValue": [0, 0, 0, 0]}]),
        "colour",
    ),
    "gaze": (lambda d: vrm_of(d)["lookAt"].update(type="mouse"), "lookAt.type"),
    "gaze range": (lambda d: vrm_of(d)["lookAt"]["rangeMapVerticalUp"].update(inputMaxValue=-1), "inputMaxValue"),
    "seen": (lambda d: vrm_of(d)["firstPerson"]["meshAnnotations"][0].update(type="never"), "never"),
    "seen bone": (lambda d: vrm_of(d)["firstPerson"]["meshAnnotations"][0].update(node=1), "no mesh"),
    "spring order": (lambda d: spring(d)["springs"][0]["joints"].reverse(), "must hang over"),
    "spring twice": (lambda d: spring(d)["springs"].append(spring(d)["springs"][0]), "swings in the springs"),
    "spring node": (lambda d: spring(d)["springs"][0]["joints"][0].update(node=-1), "joint is -1"),
    "spring drag": (lambda d: spring(d)["springs"][0]["joints"][0].update(dragForce=2), "dragForce"),
    "center elsewhere": (lambda d: two_springs(d, "head"), "center"),
    "center under a spring": (lambda d: two_springs(d, "leftHand"), "in and under no other spring"),
    "own override": (lambda d: blink(d).update(overrideBlink="block"), "overrideBlink must be none"),
    "sunk": (
        lambda d: d["nodes"][0].update(translation=[0, -3, 0]),
        "above the ground",
    ),
    "matrix": (lambda d: d["nodes"][0].update(matrix=[1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]), "scaled by"),
    "mirror": (lambda d: d["nodes"][0].update(matrix=[-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]), "scaled by"),
    "target names": (
        lambda d: next(m for m in d["meshes"] if "extras" in m)["extras"]["targetNames"].pop(),
        "targetNames",
    ),
    "constraint unused": (
        lambda d: (constrain(d, {"rotation": {"source": 3}}), d["extensionsUsed"].pop()),
        "extensionsUsed does not name VRMC_node_constraint",
    ),
    "constraint version": (
        lambda d: (
            constrain(d, {"rotation": {"source": 3}}),
            d["nodes"][5]["extensions"]["VRMC_node_constraint"].pop("specVersion"),
        ),
        "specVersion None",
    ),
    "constraint kind": (lambda d: constrain(d, {"spin": {}}), "roll, aim and rotation"),
    "constraint axis": (lambda d: constrain(d, {"roll": {"source": 3, "rollAxis": "x"}}), "rollAxis is 'x'"),
    "constraint aim": (lambda d: constrain(d, {"aim": {"source": 3}}), "aimAxis is None"),
    "constraint weight": (lambda d: constrain(d, {"rotation": {"source": 3, "weight": 2}}), "weight 2"),
    "constraint source": (lambda d: constrain(d, {"rotation": {"source": 9999}}), "source is 9999"),
    "constrained by itself": (lambda d: constrain(d, {"rotation": {"source": 5}}), "by itself"),
    "constraints in a circle": (
        lambda d: [constrain(d, {"rotation": {"source": node % 3 + 5}}, node) for node in (5, 6, 7)],
        "by itself",
    ),
    "spring group": (lambda d: spring(d)["springs"][0].update(colliderGroups=[7]), "collider group is 7"),
    "spring center": (lambda d: spring(d)["springs"][0].update(center=bones(d)["leftHand"]["node"]), "center"),
    "collider shape": (
        lambda d: spring(d)["colliders"][0]["shape"].update(sphere={}, capsule={}),
        "sphere or a capsule",
    ),
    "collider radius": (
        lambda d: next(iter(spring(d)["colliders"][0]["shape"].values())).update(radius=-1),
        "negative radius",
    ),
    "collider group": (lambda d: spring(d)["colliderGroups"][0].update(colliders=[99]), "collider is 99"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_found(mistake: str) -> None:
    change, told = MISTAKES[mistake]
    document = json.loads(SLIM)
    change(document)
    problems = check_vrm(document)
    assert any(told in problem for problem in problems), problems


def test_a_skipped_optional_bone_is_no_mistake() -> None:
    document = json.loads(SLIM)
    for optional in ("upperChest", "neck", "leftShoulder", "leftEye", "leftThumbDistal"):
        del bones(document)[optional]
    assert check_vrm(document) == []


def test_constraints_and_a_center_that_are_allowed_are_no_mistake() -> None:
    document = json.loads(SLIM)
    constrain(document, {"roll": {"source": 3, "rollAxis": "X", "weight": 0.5}}, 5)
    constrain(document, {"aim": {"source": 5, "aimAxis": "NegativeZ"}}, 6)
    constrain(document, {"rotation": {"source": 5}}, 7)
    two_springs(document, "leftHand")
    spring(document)["springs"].pop()
    assert check_vrm(document) == []


def test_colliders_say_what_univrm_takes_for_granted() -> None:
    shapes = [shape for collider in spring(GOOD)["colliders"] for shape in collider["shape"].items()]
    wanted = {"sphere": {"offset", "radius"}, "capsule": {"offset", "radius", "tail"}}
    assert shapes and all(set(shape) == wanted[kind] for kind, shape in shapes)


HOSTILE = st.sampled_from([-1, 0, 7, 2**31, 10**400, 1e300, float("nan"), True, None, "", "a", [], {}, [[]], [0] * 99])


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_document_with_values_twisted_is_judged_and_nothing_raises(data: st.DataObject) -> None:
    document = json.loads(SLIM)
    for _ in range(data.draw(st.integers(1, 3))):
        place = document
        while True:
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.integers(0, 9)) == 0:
                break
            place = place[key]
        place[key] = data.draw(HOSTILE)
    assert all(isinstance(problem, str) and len(problem) < 400 for problem in check_vrm(document))


@pytest.mark.parametrize(
    "document", [None, [], {}, {"nodes": 3}, {"nodes": [], "extensions": {"VRMC_vrm": None}}, "VRM"]
)
def test_what_is_no_document_is_said_to_be_none(document: object) -> None:
    assert len(check_vrm(document)) == 1


def test_ten_thousand_nodes_take_no_longer_than_they_should() -> None:
    count = 10_000
    document = json.loads(SLIM)
    first = len(document["nodes"])
    document["nodes"] += [{"children": [first + i + 1]} for i in range(count - 1)] + [{}]
    spring(document)["springs"] = [
        {"joints": [{"node": first + i}, {"node": first + count - 1 - i}]} for i in range(0, count // 2, 7)
    ]
    start = time.process_time()
    assert any("swings in the springs" in problem for problem in check_vrm(document))
    assert time.process_time() - start < 3


def test_the_khronos_validator_finds_nothing(tmp_path: Path) -> None:
    if not shutil.which("node") or not (WEB / "node_modules").is_dir():
        pytest.skip("needs node and `npm ci` in tests/web")
    write_vrm(DRESSED, tmp_path / "a.vrm", thumbnail=FACE, visemes=True)
    run = subprocess.run(
        ["node", WEB / "validate.mjs", tmp_path / "a.vrm"], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0 and "0 errors, 0 warnings" in run.stdout, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_random_people_make_valid_files_that_stand_on_the_ground(seed: int, tmp_path: Path) -> None:
    avatar = build_figure(random_spec(5000 + seed)).avatar
    document, _ = vrm_document(avatar)
    assert check_vrm(document) == []
    soles = min(
        document["accessors"][primitive["attributes"]["POSITION"]]["min"][1]
        for mesh in document["meshes"]
        for primitive in mesh["primitives"]
    )
    assert abs(soles) < 0.005
    assert len(json.dumps(document)) < 4_000_000
