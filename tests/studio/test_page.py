"""``index.html``: whole, small beside what it carries, and silent about what it was not told to say."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bozzetto.studio
from bozzetto.body.poses import BASE, Posture, angles, limits, poses, posture_from_dict, rotations
from bozzetto.export.expressions import ARKIT
from bozzetto.studio.page import page, page_settings

JOINTS = ("root", "upperarm01.L")
VIEWER = Path(bozzetto.studio.__file__).parent / "viewer"


def carried(text: str, name: str) -> str:
    """The content of one of the page's data elements."""
    (content,) = re.findall(rf'<script type="[^"]*" id="{name}">(.*?)</script>', text, re.DOTALL)
    return content


def test_the_page_carries_character_and_settings():
    glb = b"glTF" + bytes(range(256)) * 5
    text = page(page_settings(JOINTS, BASE), glb).decode()
    assert base64.b64decode(carried(text, "character")) == glb
    settings = json.loads(carried(text, "settings"))
    assert settings["joints"] == list(JOINTS) and set(settings["poses"]) == set(BASE)
    assert "@@" not in text.replace(VIEWER.joinpath("viewer.min.js").read_text("utf-8"), "")


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node")
def test_postures_turn_the_joints_as_ours_do():
    rng = np.random.default_rng(5)
    wild = [posture_from_angles({name: rng.uniform(*limits(name)) for name in angles(Posture())}) for _ in range(200)]
    postures = [*wild, *poses().values()]
    asked = page_settings(JOINTS, {str(number): posture for number, posture in enumerate(postures)})["poses"]
    program = f"import {{ rotations }} from '{(VIEWER / 'posture.js').as_uri()}';" + (
        "let text = ''; for await (const part of process.stdin) text += part;"
        "console.log(JSON.stringify(JSON.parse(text).map(rotations)));"
    )
    script = ["node", "--input-type=module", "--eval", program]
    said = subprocess.run(script, input=json.dumps(list(asked.values())), capture_output=True, text=True, check=True)
    for posture, theirs in zip(postures, json.loads(said.stdout), strict=True):
        ours = {"root": (1.0, 0.0, 0.0, 0.0), **rotations(posture)}
        assert set(theirs) == set(ours)
        for joint, turn in ours.items():
            assert np.abs(np.subtract(turn, theirs[joint])).max() < 1e-9, joint


def posture_from_angles(named: dict[str, float]) -> Posture:
    nested: dict[str, Any] = {}
    for name, degrees in named.items():
        limb, _, angle = name.rpartition(".")
        (nested.setdefault(limb, {}) if limb else nested)[angle] = degrees
    return posture_from_dict(nested)


def test_every_angle_has_a_slider():
    settings = page_settings(JOINTS, BASE)
    assert set(settings["angles"]) == set(angles(Posture())) and len(settings["angles"]) == 37
    assert settings["angles"]["left_arm.elbow"] == (0, 145) and settings["angles"]["twist"] == (-45, 45)
    shown = re.findall(
        r"(\w+): \"", VIEWER.joinpath("viewer.js").read_text("utf-8").split("const ARM")[1].split("};\nconst FIELD")[0]
    )
    assert {name.rpartition(".")[2] for name in settings["angles"]} <= set(shown)
    for pose in settings["poses"].values():
        for name, degrees in pose.items():
            assert settings["angles"][name][0] <= degrees <= settings["angles"][name][1]


def test_presets_are_made_of_what_a_face_can_do():
    settings = page_settings(JOINTS, {})
    presets, visemes = settings["presets"], settings["visemes"]
    assert {"neutral", "happy", "surprised"} <= set(presets) and len(visemes) == 15
    assert set().union(*presets.values(), *visemes.values()) <= set(ARKIT)


def test_nothing_can_be_fetched():
    text = page(page_settings(JOINTS, {}), b"").decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'") and "connect-src blob: data:" in policy
    assert "'self'" not in policy and "http" not in policy and "*" not in policy
    shell = text.replace(VIEWER.joinpath("viewer.min.js").read_text("utf-8"), "")
    assert not re.search(r'(src|href)="(?!data:|#)', shell)
    assert "connect-src blob: data: 'self'" in page(page_settings(JOINTS, {}, live=True)).decode()


def test_words_cannot_end_the_script():
    words = '</script><script>alert("!")</script> & "quotes"'
    text = page(page_settings(JOINTS, {}, words=words), b"").decode()
    assert "</script><script>alert" not in text
    assert json.loads(carried(text, "settings"))["words"] == words
    assert json.loads(carried(page(page_settings(JOINTS, {}), b"").decode(), "settings"))["words"] is None


def test_childrens_clothes_cannot_be_hidden():
    assert page_settings(JOINTS, {}, dressed=True)["locked"] == ["top", "bottom", "dress"]
    assert page_settings(JOINTS, {})["locked"] == []


def test_the_bundle_is_of_this_viewer_small_and_says_whose_it_is():
    bundle, *sources = (VIEWER.joinpath(name).read_bytes() for name in ("viewer.min.js", "viewer.js", "posture.js"))
    assert len(bundle) < 1_000_000
    assert hashlib.sha256(b"".join(sources)).hexdigest().encode() in bundle[:300], "npm run build in studio/viewer"
    assert b"MIT License" in bundle and "© 2010-2026 three.js authors".encode() in bundle
    assert b"</script" not in bundle and b"@@" not in bundle
